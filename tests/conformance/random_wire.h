/* SPDX-License-Identifier: MIT */
/* The bytes of a connection as both sides report them, matched piece by piece. */
#ifndef SOQ_TESTS_WIRE_H
#define SOQ_TESTS_WIRE_H

#include "support.h"

/* The bytes of one send or receive; those of a stream are kept in start order. */
struct piece {
	struct piece *next;
	char *bytes;    /* of a receive */
	uint64_t key;   /* of a send: its bytes are fill(key) */
	uint64_t size;  /* once it has ended: what it moved */
	uint64_t begin; /* of a send: what was matched with receives */
	int ended;
	int peek;
};

struct pieces {
	struct piece *first, *last;
};

/* One direction of a connection. */
struct wire {
	struct pieces sent, received;
	int lossy; /* a close has sent bufs home: what was received after them has a hole before it */
};

static struct piece *piece_add(struct pieces *list, uint64_t key, int peek)
{
	struct piece *piece = calloc(1, sizeof(*piece));

	piece->key = key;
	piece->peek = peek;
	if (list->last)
		list->last->next = piece;
	else
		list->first = piece;
	list->last = piece;
	return piece;
}

/* What a multishot receive gets next comes before all that is queued behind it. */
static struct piece *piece_insert(struct pieces *list, struct piece *after)
{
	struct piece *piece = calloc(1, sizeof(*piece));

	piece->next = after->next;
	after->next = piece;
	if (list->last == after)
		list->last = piece;
	return piece;
}

static void piece_drop(struct pieces *list)
{
	struct piece *piece = list->first;

	list->first = piece->next;
	if (!piece->next)
		list->last = NULL;
	free(piece->bytes);
	free(piece);
}

/* Compares a receive with the sends it must come from: 1 equal, 0 not yet known, -1 not. */
static int piece_compare(const struct wire *wire, const struct piece *got)
{
	const struct piece *sent = wire->sent.first;
	uint64_t begin = sent ? sent->begin : 0;

	for (uint64_t at = 0; at < got->size;) {
		uint64_t n = got->size - at;

		if (!sent)
			return -1;
		if (!sent->ended)
			return 0;
		n = n < sent->size - begin ? n : sent->size - begin;
		if (!is_filled(got->bytes + at, n, sent->key, begin))
			return -1;
		at += n;
		begin += n;
		if (begin == sent->size) {
			sent = sent->next;
			begin = sent ? sent->begin : 0;
		}
	}
	return 1;
}

static void wire_consume(struct wire *wire, uint64_t bytes)
{
	while (bytes > 0) {
		struct piece *sent = wire->sent.first;
		uint64_t left = sent->size - sent->begin;
		uint64_t n = bytes < left ? bytes : left;

		sent->begin += n;
		bytes -= n;
		if (sent->begin == sent->size)
			piece_drop(&wire->sent);
	}
}

#endif
