/* SPDX-License-Identifier: MIT */
/*
 * Bad input: what calls are made on and with, and how a row of it is checked. The rows are
 * in badinput_*.c by what is wrong in them.
 */
#ifndef SOQ_TESTS_BADINPUT_H
#define SOQ_TESTS_BADINPUT_H

#include "support.h"

/* What the calls are made on. */
struct bench {
	struct soq_loop *loop;
	struct soq_socket *s;      /* connected */
	struct soq_socket *peer;   /* to this one */
	struct soq_socket *fresh;  /* only opened */
	struct soq_socket *closed; /* a dead handle */
	struct soq_socket *listener;
	struct soq_socket *detached; /* on no loop */
	struct soq_socket *datagram; /* bound, not connected */
	struct soq_endpoint datagram_ep;
	int fd;                     /* of a socket that is nobody's */
	int file;                   /* of 8 bytes */
	struct soq_op *idle, *busy; /* done is set */
	struct soq_op *quiet;       /* in flight, without done */
	struct soq_endpoint ep;
	char *fake;                    /* an address nobody may touch */
	struct probe *receive, *sleep; /* whose ops those are */
	struct soq_pool *pool;
	struct soq_stream *stream; /* over `s` */
	struct soq_listener *door;
	struct soq_connection place; /* of `guest`, which came to `door` */
	struct soq_socket *guest;
	struct soq_buf *buf; /* on loan, with one byte */
	struct soq_loop_stats before;
	char in[4];
};

extern struct bench bench;

void bench_open(struct fixture *t);
/* What was in flight ends as if nothing had been; both directions still work. */
void bench_close(struct fixture *t);

/* Good arguments. */
extern char some[64];
extern const struct iovec segments[2];
extern struct soq_part parts[2];
extern const struct soq_listener_options door_options;
extern const struct soq_udp_options udp_options;

/* Good but for what they are given, new each time. */
struct soq_message *message_of(const struct iovec *array, uint32_t count);
struct soq_part *part_of(uint32_t kind, uint64_t size_bytes);
struct soq_poll_entry *entry_of(struct soq_socket *s, uint32_t events);
struct soq_resolve *question_of(const char *host);
struct soq_connect_name *name_of(const char *host, uint32_t port);
struct soq_connect_list *list_of(const struct soq_endpoint *endpoints, uint32_t count);

/* Arguments that make no sense. */
extern const struct soq_endpoint none;
extern const struct soq_endpoint of_another_family;

#define HUGE31   ((size_t)INT32_MAX + 1)
#define TOO_LONG ((size_t)SSIZE_MAX + 1)

/* Where results would go: these three stay NULL. */
extern struct soq_loop *loop_out;
extern struct soq_socket *socket_out;
extern struct soq_pool *pool_out;
extern struct soq_event an_event;
extern struct soq_endpoint ep_out;
extern struct soq_listener *door_out;
extern struct soq_connection place_out;
extern struct soq_pool_info pool_info_out;
extern struct soq_tcp_info tcp_info_out;
extern uint64_t available_out;
extern int64_t value64;

/* The public functions that a row was tried for. */
struct tried {
	char names[256][40];
	unsigned count;
};

extern struct tried tried;

/* For what returns nothing: its name, up to a parenthesis. */
void try_mark(const char *call);
/* Nothing was started, made or lost by what was refused. */
void check_row(struct fixture *t, const char *call, int64_t got, int64_t want);

#define B               bench
#define ROW(want, call) check_row(t, #call, (int64_t)(call), want)

void rows_nulls(struct fixture *t);
void rows_handles(struct fixture *t);
void rows_states(struct fixture *t);
void rows_flags(struct fixture *t);
void rows_lengths(struct fixture *t);
void rows_groups(struct fixture *t);
void rows_policy(struct fixture *t);
void rows_names(struct fixture *t);

/* Calls with one thing wrong: on any loop, socket and op they are made of. */
struct on {
	struct soq_loop *loop;
	struct soq_socket *s;
	struct soq_op *op;
};

/* What a call takes, and where it may not be made. */
#define LOOP      1u  /* a loop: NULL is -EINVAL */
#define SOCKET    2u  /* a socket: NULL is -EINVAL, a closed one -EBADF */
#define OP        4u  /* an op: NULL is -EINVAL */
#define STARTS    8u  /* that op: in flight it is -EBUSY */
#define ANY       16u /* may be called from any thread */
#define CHILD_MAY 32u /* ends what a child inherited: tried last */

/* Every public call that works on a loop, a socket or an op, well formed. */
struct subject {
	const char *name;
	int64_t (*call)(const struct on *on);
	unsigned takes;
};

enum { SUBJECTS_MAX = 192 };

extern const struct subject subjects[];
extern const unsigned subject_count;

#endif
