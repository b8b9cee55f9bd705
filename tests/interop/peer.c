/* SPDX-License-Identifier: MIT */
/*
 * One side of a conversation, told what to do by the driver that is the other side.
 *   interop_peer sync|async|detached
 * Prints `backend way`, then reads a command a line (`verb key=value key=value`), makes the
 * one call of soq's public API it names, and answers with its result and what came with
 * it. Bytes go both ways in hexadecimal. At the end of its input it closes all and exits 0
 * if nothing is left over.
 */
#define _GNU_SOURCE
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void give_up(const char *what, const char *about)
{
	fprintf(stderr, "interop_peer: %s: %s\n", what, about);
	exit(2);
}

const char *word(struct command *c, const char *key)
{
	for (unsigned i = 0; i < c->word_count; i++) {
		if (strcmp(c->keys[i], key) == 0) {
			c->asked |= 1u << i;
			return c->values[i];
		}
	}
	return NULL;
}

int64_t number(struct command *c, const char *key, int64_t otherwise)
{
	const char *text = word(c, key);
	char *end;
	int64_t value;

	if (text == NULL)
		return otherwise;
	value = strtoll(text, &end, 10);
	if (*text == 0 || *end != 0)
		give_up("no number", text);
	return value;
}

struct soq_socket *socket_of(struct command *c)
{
	int64_t place = number(c, "socket", -1);

	if (place < 0 || place >= SOCKETS_MAX || c->peer->sockets[place] == NULL)
		give_up("no such socket", c->verb);
	return c->peer->sockets[place];
}

struct soq_endpoint endpoint(struct command *c, const char *key)
{
	struct soq_endpoint ep = { 0 };
	const char *text = word(c, key);

	if (text != NULL && soq_endpoint_parse(text, &ep) != 0)
		give_up("no endpoint", text);
	return ep;
}

uint32_t names(struct command *c, const char *key, const struct name *table)
{
	const char *text = word(c, key);
	uint32_t found = 0;

	while (text != NULL && *text != 0) {
		size_t length = strcspn(text, ",");
		const struct name *n = table;

		while (n->name != NULL &&
		       (strlen(n->name) != length || strncmp(n->name, text, length) != 0))
			n++;
		if (n->name == NULL)
			give_up("no such name", text);
		found |= n->value;
		text += length + (text[length] == ',');
	}
	return found;
}

uint32_t flags_of(struct command *c)
{
	static const struct name table[] = {
		{ "exact", SOQ_EXACT },         { "peek", SOQ_PEEK },
		{ "cork", SOQ_CORK },           { "zerocopy", SOQ_ZEROCOPY },
		{ "urgent", SOQ_URGENT },       { "dont_route", SOQ_DONT_ROUTE },
		{ "fast_open", SOQ_FAST_OPEN }, { NULL, 0 },
	};

	return names(c, "flags", table);
}

static unsigned digit(char character)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = character != 0 ? strchr(digits, character) : NULL;

	if (found == NULL)
		give_up("no hexadecimal", "data");
	return (unsigned)(found - digits);
}

unsigned char *bytes(const char *text, size_t *size_out)
{
	size_t size = strlen(text) / 2;
	unsigned char *data = malloc(size + 1);

	if (data == NULL)
		give_up("no memory", "data");
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	*size_out = size;
	return data;
}

void answer(int64_t result)
{
	printf("%" PRId64, result);
}

void answer_number(const char *key, int64_t value)
{
	printf(" %s=%" PRId64, key, value);
}

void answer_text(const char *key, const char *text)
{
	printf(" %s=%s", key, text);
}

void answer_bytes(const char *key, const void *data, size_t size_bytes)
{
	const unsigned char *in = data;

	printf(" %s=", key);
	for (size_t i = 0; i < size_bytes; i++)
		printf("%02x", in[i]);
}

void answer_endpoint(const char *key, const struct soq_endpoint *ep)
{
	char text[SOQ_ENDPOINT_TEXT_MAX];

	if (ep->size_bytes == 0)
		return;
	if (soq_endpoint_format(ep, text, sizeof(text)) < 0)
		give_up("no text for an endpoint", key);
	answer_text(key, text);
}

int64_t keep(struct peer *p, struct soq_socket *s)
{
	if (soq_socket_set_timeouts(s, PATIENCE_NS, PATIENCE_NS) != 0)
		give_up("no timeouts", "keep");
	for (unsigned i = 0; i < SOCKETS_MAX; i++) {
		if (p->sockets[i] == NULL) {
			p->sockets[i] = s;
			return i;
		}
	}
	give_up("no place", "keep");
}

void prepare(struct soq_op *op)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	*op = (struct soq_op){ .deadline_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec +
					      PATIENCE_NS };
}

int64_t outcome(struct soq_op *op, int error, struct soq_event *event_out)
{
	*event_out = (struct soq_event){ 0 };
	if (error != 0)
		return error;
	do {
		error = soq_wait(op, -1, event_out);
	} while (error == 0 && event_out->flags & SOQ_F_MORE);
	return error != 0 ? error : event_out->result;
}

/* Cuts a line into words, in place. */
static void read_command(struct command *c, char *line)
{
	char *rest = NULL;

	line[strcspn(line, "\n")] = 0;
	c->verb = strtok_r(line, " ", &rest);
	c->word_count = 0;
	c->asked = 0;
	if (c->verb == NULL)
		give_up("no verb", "an empty line");
	for (char *w; (w = strtok_r(NULL, " ", &rest)) != NULL; c->word_count++) {
		char *equals = strchr(w, '=');

		if (equals == NULL || c->word_count == WORDS_MAX)
			give_up("no word, or too many", c->verb);
		*equals = 0;
		c->keys[c->word_count] = w;
		c->values[c->word_count] = equals + 1;
	}
}

static int run_in(struct command *c, const struct verb *verbs)
{
	while (verbs->name != NULL && strcmp(verbs->name, c->verb) != 0)
		verbs++;
	if (verbs->name == NULL)
		return 0;
	verbs->run(c);
	if (c->asked != (1u << c->word_count) - 1)
		give_up("a word that says nothing", c->verb);
	return 1;
}

static void obey(struct peer *p)
{
	struct command c = { .peer = p };
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		read_command(&c, line);
		if (!run_in(&c, socket_verbs) && !run_in(&c, byte_verbs))
			give_up("no such verb", c.verb);
		printf("\n");
		(void)fflush(stdout);
	}
	free(line);
}

/* 0 if nothing is left over. */
static int end(struct peer *p)
{
	int failed = 0;

	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		failed |= p->sockets[i] != NULL && soq_close(p->sockets[i]) != 0;
	if (p->loop != NULL)
		failed |= soq_loop_run(p->loop, SOQ_RUN_IDLE, PATIENCE_NS) < 0 ||
			  soq_loop_destroy(p->loop) != 0;
	return failed;
}

int main(int argc, char **argv)
{
	static const char *const ways[] = { "sync", "async", "detached" };
	struct soq_loop_info info = { .size = sizeof(info) };
	struct peer p = { 0 };
	unsigned way = 0;

	while (argc == 2 && way < 3 && strcmp(argv[1], ways[way]) != 0)
		way++;
	if (argc != 2 || way == 3)
		return 2;
	p.way = (enum way)way;
	/* The detached one makes a loop as well, to say what the environment has chosen. */
	if (soq_loop_create(NULL, &p.loop) != 0 || soq_loop_info(p.loop, &info) != 0)
		return 2;
	if (p.way == WAY_DETACHED) {
		if (soq_loop_destroy(p.loop) != 0)
			return 2;
		p.loop = NULL;
	}
	printf("%s %s\n", info.backend == SOQ_BACKEND_URING ? "uring" : "epoll", argv[1]);
	(void)fflush(stdout);
	obey(&p);
	return end(&p);
}
