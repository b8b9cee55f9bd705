/* SPDX-License-Identifier: MIT */
/* The two events of a zero-copy send, and a connection that takes one nobody reads. */
#ifndef SOQ_TESTS_ZEROCOPY_H
#define SOQ_TESTS_ZEROCOPY_H

#include "support.h"

/* What fits a wide sender's queue while its peer reads next to nothing. */
#define WIDE_BYTES ((size_t)150000)

static inline char *filled(size_t size)
{
	char *bytes = malloc(size);

	assert_non_null(bytes);
	fill(bytes, size, 1, 0);
	return bytes;
}

/* A peer that takes little, behind a queue that takes WIDE_BYTES. */
static inline struct soq_socket *pair_wide(struct fixture *t, int family, int *fd)
{
	struct soq_socket *s = pair_narrow(t, family, fd);
	int bytes = 1 << 20;

	expect(soq_option_set(s, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
	return s;
}

static inline unsigned more_of(const struct probe *p)
{
	return p->events - p->finals;
}

/* The place of the first event of a send that was started once. */
static inline unsigned first_of(const struct probe *p)
{
	return more_of(p) ? p->more_sequence : p->sequence;
}

/* The bytes are handed over, and the kernel is not done with them. */
static inline int is_outstanding(const struct probe *p)
{
	return more_of(p) == 1 && p->finals == 0;
}

/* Both events came, with this. What was copied depends on kernel and size. */
static inline void expect_two(struct probe *p, int64_t result, uint32_t flags)
{
	expect(p->events, 2);
	expect(p->more_result, result);
	expect(p->more_flags, flags | SOQ_F_MORE);
	expect_end(p, result, flags | (p->flags & SOQ_F_COPIED));
}

/* Only the final event came: an error, and no byte was moved. */
static inline void expect_one(struct probe *p, int64_t result)
{
	expect(p->events, 1);
	expect_end(p, result, 0);
}

#endif
