/* SPDX-License-Identifier: MIT */
/* What the tests of pools share: who keeps bufs, who returns them, who checks a stream. */
#ifndef SOQ_TESTS_POOL_WORK_H
#define SOQ_TESTS_POOL_WORK_H

#include "support.h"

/* A pool of one size, the same on every tier. */
static inline struct soq_pool *pool_of(struct fixture *t, uint32_t count, uint32_t size_bytes,
				       uint32_t share)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .share = share,
					    .class_count = 1,
					    .classes = { { size_bytes, count } } };

	return pool_open_as(t, &options);
}

/* Keeps what its probe is lent, in order. */
struct keeper {
	struct soq_buf *bufs[64];
	unsigned count;    /* lent, ever */
	unsigned returned; /* of those, from the front */
	unsigned wrong;
};

static inline void keep(struct probe *p, const struct soq_event *event)
{
	struct keeper *k = p->arg;

	if (event->buf == NULL)
		return;
	if (event->result != (int64_t)event->buf->size_bytes || k->count == COUNT_OF(k->bufs))
		k->wrong++;
	else
		k->bufs[k->count++] = event->buf;
}

static inline struct probe *keeper_probe(struct fixture *t, struct keeper *k)
{
	struct probe *p = probe(t);

	p->then = keep;
	p->arg = k;
	return p;
}

/* The same, for soq_wait() and the like. */
static inline struct probe *keeper_quiet(struct fixture *t, struct keeper *k)
{
	struct probe *p = probe_quiet(t);

	p->then = keep;
	p->arg = k;
	return p;
}

/* Returns the oldest it has, which must hold what stands at `offset` of the stream. */
static inline size_t keeper_return(struct keeper *k, uint64_t key, uint64_t offset)
{
	struct soq_buf *buf;
	size_t size;

	expect(k->wrong, 0);
	expect_true(k->returned < k->count);
	buf = k->bufs[k->returned++];
	size = buf->size_bytes;
	expect_true(is_filled(buf->data, size, key, offset));
	expect(soq_buf_return(buf), 0);
	return size;
}

static inline void keeper_return_rest(struct keeper *k)
{
	while (k->returned < k->count)
		expect(soq_buf_return(k->bufs[k->returned++]), 0);
}

/* Checks a stream as it comes and returns each buf at once; starts again after a single one. */
struct stream {
	struct soq_socket *s;
	struct soq_pool *pool;
	uint32_t flags;
	uint64_t key;
	uint64_t offset;
	unsigned bufs;
	unsigned wrong;
};

static inline void stream_take(struct probe *p, const struct soq_event *event)
{
	struct stream *x = p->arg;

	if (event->buf != NULL) {
		x->bufs++;
		if (event->result != (int64_t)event->buf->size_bytes ||
		    !is_filled(event->buf->data, event->buf->size_bytes, x->key, x->offset))
			x->wrong++;
		x->offset += event->buf->size_bytes;
		if (soq_buf_return(event->buf) != 0)
			x->wrong++;
	}
	if (!(event->flags & SOQ_F_MORE) && event->result > 0)
		again(p, soq_recv_buf_async(x->s, &p->op, x->pool, x->flags));
}

static inline struct probe *stream_start(struct fixture *t, struct stream *x)
{
	struct probe *p = probe(t);

	p->then = stream_take;
	p->arg = x;
	started(p, soq_recv_buf_async(x->s, &p->op, x->pool, x->flags));
	return p;
}

/* A connection of the family to a plain descriptor. */
static inline struct soq_socket *pool_pair(struct fixture *t, int family, int *fd)
{
	return family == AF_UNIX ? pair_unix_raw(t, SOCK_STREAM, fd) : pair_raw(t, family, fd);
}

/* Sends what stands at `offset` of the stream. */
static inline void raw_fill(int fd, uint64_t key, uint64_t offset, size_t size)
{
	char bytes[65536];

	expect_true(size <= sizeof(bytes));
	fill(bytes, size, key, offset);
	raw_send(fd, bytes, size);
}

#endif
