/* SPDX-License-Identifier: MIT */
/* Zero-copy sends from bufs: the pool is pinned at the first, and shown to be. */
#define _GNU_SOURCE
#include "support.h"

#define BYTES 32768u

static void send_buf(struct fixture *t, struct probe *in, struct soq_socket *to, int fd)
{
	static char sent[BYTES], got[BYTES];
	struct soq_buf *buf = in->buf;
	struct soq_event event;
	unsigned events = 0;
	size_t at = 0;

	assert_non_null(buf);
	memcpy(sent, buf->data, buf->size_bytes);
	expect(soq_send_async(to, &buf->op, buf->data, buf->size_bytes, SOQ_ZEROCOPY), 0);
	expect(soq_buf_return(buf), -EBUSY);
	do {
		expect(soq_wait(&buf->op, watchdog_ns(), &event), 0);
		expect(event.result, (int64_t)buf->size_bytes);
		events++;
	} while (event.flags & SOQ_F_MORE);
	expect(events, 2);
	while (at < buf->size_bytes) {
		int64_t count = raw_recv(t, fd, got + at, sizeof(got) - at);

		expect_true(count > 0);
		at += (size_t)count;
	}
	assert_memory_equal(got, sent, buf->size_bytes);
	expect(soq_buf_return(buf), 0);
}

static void pool_is_pinned_at_the_first_send(struct fixture *t)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .share = 4,
					    .class_count = 2,
					    .classes = { { 4096, 4 }, { 65536, 4 } } };
	struct soq_pool *pool = pool_open_as(t, &options);
	struct soq_socket *from, *to;
	static char bytes[BYTES];
	int fd_from, fd_to;

	from = pair_raw(t, AF_INET, &fd_from);
	to = pair_raw(t, AF_INET, &fd_to);
	expect(pool_info(pool).fixed_error, t->is_uring ? -EINPROGRESS : -ECANCELED);
	fill(bytes, sizeof(bytes), 3, 0);
	raw_send(fd_from, bytes, sizeof(bytes));
	for (size_t got = 0; got < sizeof(bytes);) {
		struct probe *in = probe(t);

		started(in, soq_recv_buf_async(from, &in->op, pool, 0));
		await(t, in);
		got += (size_t)in->result;
		send_buf(t, in, to, fd_to);
	}
	/* Bufs of the larger class are large enough for it to be worth it. */
	expect(pool_info(pool).fixed_error, t->is_uring ? 0 : -ECANCELED);
	expect(soq_close(from), 0);
	expect(soq_close(to), 0);
	pool_close(pool);
	close(fd_from);
	close(fd_to);
}

/* More pools than the kernel's table has places: the others do without. */
static void pools_beyond_the_table_are_not_pinned(struct fixture *t)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .class_count = 1,
					    .classes = { { 65536, 2 } } };
	struct soq_pool *pools[18];
	struct soq_socket *from, *to;
	static char bytes[BYTES];
	int fd_from, fd_to;
	unsigned pinned = 0;

	from = pair_raw(t, AF_INET, &fd_from);
	to = pair_raw(t, AF_INET, &fd_to);
	/* Loopback copies, which is found out after some; each pool has one send. */
	for (unsigned i = 0; i < COUNT_OF(pools); i++) {
		struct probe *in = probe(t);

		pools[i] = pool_open_as(t, &options);
		fill(bytes, sizeof(bytes), i, 0);
		raw_send(fd_from, bytes, sizeof(bytes));
		for (size_t got = 0; got < sizeof(bytes); got += (size_t)in->result) {
			started(in, soq_recv_buf_async(from, &in->op, pools[i], 0));
			await(t, in);
			send_buf(t, in, to, fd_to);
		}
		pinned += pool_info(pools[i]).fixed_error == 0;
	}
	expect_true(t->is_uring ? pinned > 0 && pinned <= 16 : pinned == 0);
	for (unsigned i = 0; i < COUNT_OF(pools); i++)
		pool_close(pools[i]);
	expect(soq_close(from), 0);
	expect(soq_close(to), 0);
	close(fd_from);
	close(fd_to);
}

static const struct conf_case cases[] = {
	CASE(pool_is_pinned_at_the_first_send, ""),
	CASE(pools_beyond_the_table_are_not_pinned, ""),
};

CONF_GROUP(pool_zerocopy, cases)
