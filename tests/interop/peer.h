/* SPDX-License-Identifier: MIT */
/* What the files of interop_peer share: commands, answers, ways to make a call. */
#ifndef INTEROP_PEER_H
#define INTEROP_PEER_H

#include <stddef.h>
#include <stdint.h>

#include <soq/soq.h>

#define PATIENCE_NS INT64_C(60000000000)

/* Every verb is done in each of them, with the same answer. */
enum way {
	WAY_SYNC = 0,     /* the call that waits, on a loop */
	WAY_ASYNC = 1,    /* its asynchronous twin, and a wait for its event */
	WAY_DETACHED = 2, /* the call that waits, on no loop */
};

#define SOCKETS_MAX 32
#define WORDS_MAX   16

struct peer {
	struct soq_loop *loop; /* NULL: detached */
	enum way way;
	struct soq_socket *sockets[SOCKETS_MAX]; /* commands name them by their place */
};

/* One line of the driver's: `verb key=value key=value`. */
struct command {
	struct peer *peer;
	const char *verb;
	unsigned word_count;
	const char *keys[WORDS_MAX];
	const char *values[WORDS_MAX];
	uint32_t asked; /* which of the words somebody has asked for */
};

/* A verb answers by answer_*(); a word that it does not ask for ends the program. */
struct verb {
	const char *name;
	void (*run)(struct command *c);
};

extern const struct verb socket_verbs[]; /* end with a NULL name */
extern const struct verb byte_verbs[];

/* A name for bits or numbers of soq's. */
struct name {
	const char *name;
	uint32_t value;
};

/* The value of a word, or NULL where the command has none. */
const char *word(struct command *c, const char *key);
int64_t number(struct command *c, const char *key, int64_t otherwise);
struct soq_socket *socket_of(struct command *c);
/* "none" where the command has none. */
struct soq_endpoint endpoint(struct command *c, const char *key);
/* The names of a word, with commas between them, or-ed; the table ends with NULL. */
uint32_t names(struct command *c, const char *key, const struct name *table);
/* The bytes that a hexadecimal text stands for, in memory of their own. */
unsigned char *bytes(const char *text, size_t *size_out);
/* SOQ_* of the word "flags". */
uint32_t flags_of(struct command *c);
/* Prints the complaint and ends the program: the driver has sent nonsense. */
_Noreturn void give_up(const char *what, const char *about);

/* The first word of an answer: a count, a place, or a negative errno. */
void answer(int64_t result);
void answer_number(const char *key, int64_t value);
void answer_text(const char *key, const char *text);
void answer_bytes(const char *key, const void *data, size_t size_bytes);
void answer_endpoint(const char *key, const struct soq_endpoint *ep);

/* Keeps a socket with the timeouts of the others; its place, to answer with. */
int64_t keep(struct peer *p, struct soq_socket *s);

/* Prepares an op that ends by itself before the driver's patience does. */
void prepare(struct soq_op *op);
/* The last event of an op that was started, or why it was not. */
int64_t outcome(struct soq_op *op, int error, struct soq_event *event_out);

#endif
