/* SPDX-License-Identifier: MIT */
/* Numbered datagrams in batches, for the tests of batches. */
#ifndef SOQ_TESTS_BATCH_KIT_H
#define SOQ_TESTS_BATCH_KIT_H

#include "support.h"

static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

enum { MANY = 150, ROOM = 64 }; /* more than two calls of the kernel's */

/* Numbered datagrams, or room for them. */
struct batch {
	struct soq_message messages[MANY];
	struct iovec parts[MANY];
	char bytes[MANY][ROOM];
};

static inline size_t size_of(unsigned number)
{
	return number % 7 * 9;
}

static inline struct batch *batch_new(void)
{
	struct batch *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	for (unsigned i = 0; i < MANY; i++) {
		b->parts[i] = (struct iovec){ b->bytes[i], ROOM };
		b->messages[i].size = sizeof(b->messages[i]);
		b->messages[i].segments = &b->parts[i];
		b->messages[i].segment_count = 1;
	}
	return b;
}

/* Datagrams number `first` and on; some of them are empty. */
static inline struct batch *batch_out(unsigned first)
{
	struct batch *b = batch_new();

	for (unsigned i = 0; i < MANY; i++) {
		b->parts[i].iov_len = size_of(first + i);
		fill(b->bytes[i], b->parts[i].iov_len, first + i, 0);
	}
	return b;
}

static inline void expect_numbered(const struct soq_message *m, unsigned number)
{
	expect(m->length_bytes, size_of(number));
	expect_true(is_filled(m->segments->iov_base, size_of(number), number, 0));
	expect(m->flags, 0);
}

/* Receives `count` datagrams by batches, the first of them number `first`. */
static inline void take(struct soq_socket *s, unsigned first, unsigned count)
{
	struct batch *in = batch_new();

	for (unsigned at = 0; at < count;) {
		unsigned max = count - at < MANY ? count - at : MANY;
		int64_t got = soq_recv_batch(s, in->messages, max, 0);

		expect_true(got > 0 && got <= max);
		for (unsigned i = 0; i < (unsigned)got; i++)
			expect_numbered(&in->messages[i], first + at + i);
		at += (unsigned)got;
	}
	free(in);
}

static inline void expect_nothing_more(struct soq_socket *s)
{
	char byte;

	expect(soq_socket_set_timeouts(s, 0, FOREVER), 0);
	expect(soq_recv(s, &byte, 1, 0), -ETIMEDOUT);
	expect(soq_socket_set_timeouts(s, FOREVER, FOREVER), 0);
}

/* What a unix receiver's queue holds at least. */
static inline unsigned fitting(int family, unsigned count)
{
	return family == AF_UNIX && count > 8 ? 8 : count;
}

#endif
