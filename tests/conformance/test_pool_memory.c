/* SPDX-License-Identifier: MIT */
/* The memory of bufs: whose it is, what is left in it, which size a socket gets. */
#define _GNU_SOURCE
#include "pool_work.h"

static struct probe *receive(struct fixture *t, struct soq_socket *s, struct soq_pool *pool,
			     struct keeper *k)
{
	struct probe *p = keeper_probe(t, k);
	unsigned had = k->count;

	started(p, soq_recv_buf_async(s, &p->op, pool, 0));
	run_until(t, k->count == had + 1);
	return p;
}

static void retained_buf_stays_until_the_last_return(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 1);
	struct keeper k = { .count = 0 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	raw_fill(fd, 1, 0, 100);
	receive(t, s, pool, &k);
	expect(soq_buf_retain(k.bufs[0]), 0);
	expect(soq_buf_retain(k.bufs[0]), 0);
	expect(soq_buf_return(k.bufs[0]), 0);
	expect(soq_buf_return(k.bufs[0]), 0);
	expect(pool_info(pool).bufs_lent, 1);
	expect(pool_info(pool).returns, 0);
	expect(keeper_return(&k, 1, 0), 100);
	expect(pool_info(pool).bufs_lent, 0);
	expect(pool_info(pool).returns, 1);
	expect(soq_buf_return(k.bufs[0]), -EBADF);
	expect(soq_buf_retain(k.bufs[0]), -EBADF);
	expect(soq_buf_slice(k.bufs[0], 0, 0), -EBADF);

	/* A count that would run over is refused. */
	raw_fill(fd, 1, 0, 100);
	receive(t, s, pool, &k);
	for (unsigned i = 1; i < 65535; i++)
		expect(soq_buf_retain(k.bufs[1]), 0);
	expect(soq_buf_retain(k.bufs[1]), -EOVERFLOW);
	for (unsigned i = 0; i < 65535; i++)
		expect(soq_buf_return(k.bufs[1]), 0);
	expect(soq_buf_return(k.bufs[1]), -EBADF);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

static void slice_narrows_and_never_widens(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct keeper k = { .count = 0 };
	struct soq_buf *buf;
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	raw_fill(fd, 1, 0, 100);
	receive(t, s, pool, &k);
	buf = k.bufs[0];
	expect(soq_buf_slice(buf, 101, 0), -EINVAL);
	expect(soq_buf_slice(buf, 0, 101), -EINVAL);
	expect(soq_buf_slice(buf, 60, 41), -EINVAL);
	expect(soq_buf_slice(buf, 1, SIZE_MAX), -EINVAL);
	expect(soq_buf_slice(buf, SIZE_MAX, 1), -EINVAL);
	expect(buf->size_bytes, 100);
	expect(soq_buf_slice(buf, 10, 80), 0);
	expect(buf->size_bytes, 80);
	expect_true(is_filled(buf->data, 80, 1, 10));
	expect(soq_buf_slice(buf, 0, 81), -EINVAL);
	expect(soq_buf_slice(buf, 20, 60), 0);
	expect_true(is_filled(buf->data, 60, 1, 30));
	expect(soq_buf_slice(buf, 60, 0), 0);
	expect(buf->size_bytes, 0);
	expect(soq_buf_return(buf), 0);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

/* An echo: the buf is sent with its own op, and returned in its done(). */
struct echo {
	struct soq_socket *s;
	unsigned early, returned, wrong;
};

static struct echo echo;

static void echo_sent(const struct soq_event *event)
{
	struct soq_buf *buf = soq_buf_of(event->op);

	if (event->result != (int64_t)buf->size_bytes || soq_buf_return(buf) != 0)
		echo.wrong++;
	echo.returned++;
}

static void echo_arrived(struct probe *p, const struct soq_event *event)
{
	struct soq_buf *buf = event->buf;

	(void)p;
	if (buf == NULL)
		return;
	buf->op.done = echo_sent;
	if (soq_send_async(echo.s, &buf->op, buf->data, buf->size_bytes, 0) != 0)
		echo.wrong++;
	/* The op is in flight: not yet. A reference less than the last is no matter. */
	if (soq_buf_return(buf) == -EBUSY)
		echo.early++;
	if (soq_buf_retain(buf) != 0 || soq_buf_return(buf) != 0)
		echo.wrong++;
}

static void buf_is_sent_with_its_own_op(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct probe *p = probe(t);
	int fd;

	echo = (struct echo){ .s = pair_raw(t, AF_INET6, &fd) };
	p->then = echo_arrived;
	started(p, soq_recv_buf_async(echo.s, &p->op, pool, SOQ_MULTISHOT));
	for (unsigned i = 0; i < 50; i++) {
		raw_fill(fd, 2, i * 1000, 1000);
		raw_take(t, fd, 2, i * 1000, 1000);
	}
	raw_fin(fd);
	await(t, p);
	expect_end(p, 0, 0);
	expect(echo.wrong, 0);
	expect_true(echo.early >= 50);
	expect(echo.returned, echo.early);
	expect(soq_close(echo.s), 0);
	pool_close(pool);
	close(fd);
}

static void contents_of_two_connections_never_mix(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct stream x[2];
	struct probe *p[2];
	int fd[2];

	for (unsigned i = 0; i < 2; i++) {
		x[i] = (struct stream){ .pool = pool, .flags = SOQ_MULTISHOT, .key = 100 + i };
		x[i].s = pair_raw(t, AF_INET, &fd[i]);
		p[i] = stream_start(t, &x[i]);
	}
	for (unsigned n = 0; n < 60; n++) {
		for (unsigned i = 0; i < 2; i++)
			raw_fill(fd[i], 100 + i, (uint64_t)n * 3000, 3000);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		raw_fin(fd[i]);
		await(t, p[i]);
		expect(x[i].wrong, 0);
		expect(x[i].offset, 60 * 3000);
		expect(soq_close(x[i].s), 0);
		close(fd[i]);
	}
	pool_close(pool);
}

/* With SOQ_POOL_SCRUB nothing of what a buf held is there for the next to see. */
static void scrubbed_buf_holds_nothing_of_the_one_before(struct fixture *t)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .flags = SOQ_POOL_SCRUB,
					    .class_count = 1,
					    .classes = { { 2048, 1 } } };
	struct soq_pool *pool = pool_open_as(t, &options);
	struct keeper k = { .count = 0 };
	char secret[2048];
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	expect(pool_info(pool).flags, SOQ_POOL_SCRUB);
	memset(secret, 0x5a, sizeof(secret));
	for (unsigned i = 0; i < 3; i++) {
		raw_send(fd, secret, sizeof(secret));
		receive(t, s, pool, &k);
		/* Wherever the view of it has gone meanwhile. */
		expect(soq_buf_slice(k.bufs[k.returned], 1000, 10), 0);
		expect(soq_buf_return(k.bufs[k.returned++]), 0);
		raw_send(fd, "x", 1);
		receive(t, s, pool, &k);
		expect(k.bufs[k.returned]->size_bytes, 1);
		for (unsigned at = 1; at < 2048; at++)
			expect(k.bufs[k.returned]->data[at], 0);
		expect(soq_buf_return(k.bufs[k.returned++]), 0);
	}
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

static void scrubbed_messages_leave_nothing(struct fixture *t)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .flags = SOQ_POOL_SCRUB,
					    .class_count = 1,
					    .classes = { { 2048, 1 } } };
	struct soq_pool *pool = pool_open_as(t, &options);
	size_t room = 2048 - SOQ_POOL_MESSAGE_BYTES;
	struct datagrams d = datagrams_bound(t, AF_INET);
	char secret[2048];

	memset(secret, 0x5a, sizeof(secret));
	for (unsigned i = 0; i < 4; i++) {
		uint32_t flags = i & 1 ? SOQ_MULTISHOT : 0;
		struct keeper k = { .count = 0 };
		struct probe *p = keeper_probe(t, &k);

		expect(soq_send_to(d.a, secret, room, 0, &d.at_b), room);
		expect(soq_send_to(d.a, "x", 1, 0, &d.at_b), 1);
		started(p, soq_recv_buf_async(d.b, &p->op, pool, flags));
		run_until(t, k.count == 1);
		expect(k.bufs[0]->size_bytes, room);
		keeper_return_rest(&k);
		if (!flags)
			started(p, soq_recv_buf_async(d.b, &p->op, pool, flags));
		run_until(t, k.count == 2);
		expect(k.bufs[1]->size_bytes, 1);
		for (unsigned at = 1; at < 256; at++)
			expect_true(k.bufs[1]->data[at] != 0x5a || k.bufs[1]->data[at + 1] != 0x5a);
		keeper_return_rest(&k);
		if (flags) {
			expect(soq_cancel(&p->op), 0);
			await(t, p);
		}
	}
	pool_close(pool);
	datagrams_close(&d);
}

static const struct soq_pool_options three_classes = {
	.size = sizeof(struct soq_pool_options),
	.share = 8,
	.class_count = 3,
	.classes = { { 512, 8 }, { 4096, 8 }, { 16384, 8 } },
};

/* Remembers the sizes it is lent. */
struct sizes {
	struct stream stream; /* first */
	size_t first, largest;
};

static void note_size(struct probe *p, const struct soq_event *event)
{
	struct sizes *x = p->arg;
	size_t size = event->buf ? event->buf->size_bytes : 0;

	if (size && !x->first)
		x->first = size;
	if (size > x->largest)
		x->largest = size;
	stream_take(p, event);
}

static void burst(struct fixture *t, struct sizes *x, int fd, uint64_t *sent, size_t bytes)
{
	x->first = 0;
	x->largest = 0;
	for (size_t left = bytes; left > 0;) {
		size_t piece = left < 32768 ? left : 32768;

		raw_fill(fd, 7, *sent, piece);
		*sent += piece;
		left -= piece;
		if (bytes > 32768 || left == 0)
			run_until(t, x->stream.offset == *sent);
	}
}

/* Up when it fills bufs, down after many small ones; in both ways nothing is lost. */
static void stream_gets_the_size_that_fits(struct fixture *t, uint32_t flags)
{
	struct sizes x = { .stream = { .flags = flags, .key = 7 } };
	struct probe *p = probe(t);
	uint64_t sent = 0;
	int fd;

	x.stream.pool = pool_open_as(t, &three_classes);
	x.stream.s = pair_raw(t, AF_INET, &fd);
	p->then = note_size;
	p->arg = &x;
	started(p, soq_recv_buf_async(x.stream.s, &p->op, x.stream.pool, flags));
	settle(t);
	burst(t, &x, fd, &sent, 32768);
	expect(x.first, 512);
	burst(t, &x, fd, &sent, 300000);
	expect(x.largest, 16384);
	/* 16 in a row for each step down. */
	for (unsigned i = 0; i < 60; i++) {
		burst(t, &x, fd, &sent, 10);
		expect(x.largest, 10);
	}
	settle(t);
	burst(t, &x, fd, &sent, 32768);
	expect(x.first, 512);
	expect(x.stream.wrong, 0);
	expect(p->start_error, 0);
	expect(soq_close(x.stream.s), 0);
	await(t, p);
	pool_close(x.stream.pool);
	close(fd);
}

static void single_receives_get_the_size_that_fits(struct fixture *t)
{
	stream_gets_the_size_that_fits(t, 0);
}

static void multishot_gets_the_size_that_fits(struct fixture *t)
{
	stream_gets_the_size_that_fits(t, SOQ_MULTISHOT);
}

static void messages_get_the_largest(struct fixture *t)
{
	struct soq_pool *pool = pool_open_as(t, &three_classes);
	struct datagrams d = datagrams_bound(t, AF_INET);
	char bytes[16384];
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_probe(t, &k);

	fill(bytes, sizeof(bytes), 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_send_to(d.a, "x", 1, 0, &d.at_b), 1);
		expect(soq_send_to(d.a, bytes, 16000, 0, &d.at_b), 16000);
		for (unsigned n = 0; n < 2; n++) {
			if (i == 0 || n == 0)
				started(p, soq_recv_buf_async(d.b, &p->op, pool,
							      i ? SOQ_MULTISHOT : 0));
			run_until(t, k.count > 2 * i + n);
			expect(p->flags & SOQ_F_TRUNCATED, 0);
		}
		expect(soq_buf_return(k.bufs[k.returned++]), 0);
		expect(keeper_return(&k, 1, 0), 16000);
	}
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	pool_close(pool);
	datagrams_close(&d);
}

/* The small ones are out: it goes on in larger ones, and at last in none. */
static void another_size_serves_when_one_has_run_out(struct fixture *t)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .share = 1,
					    .class_count = 3,
					    .classes = { { 512, 2 }, { 1024, 1 }, { 2048, 1 } } };
	struct soq_pool *pool = pool_open_as(t, &options);
	struct keeper k = { .count = 0 };
	uint64_t sum = 0;
	int fd[5];
	struct soq_socket *s[5];
	struct probe *last = keeper_probe(t, &k);

	for (unsigned i = 0; i < 5; i++) {
		s[i] = pair_raw(t, AF_INET, &fd[i]);
		raw_fill(fd[i], 1, 0, 4096);
		if (i < 4)
			receive(t, s[i], pool, &k);
	}
	for (unsigned i = 0; i < 4; i++)
		sum += k.bufs[i]->size_bytes;
	expect(sum, 2 * 512 + 1024 + 2048);
	expect(k.bufs[0]->size_bytes, 512);
	started(last, soq_recv_buf_async(s[4], &last->op, pool, SOQ_MULTISHOT));
	settle(t);
	expect(pool_info(pool).parked, 1);
	/* The largest is not what it wants, but all there is. */
	for (unsigned i = 0; i < 4; i++)
		if (k.bufs[i]->size_bytes == 2048)
			expect(soq_buf_return(k.bufs[i]), 0);
	run_until(t, k.count == 5);
	expect(k.bufs[4]->size_bytes, 2048);
	for (unsigned i = 0; i < 5; i++) {
		expect(soq_close(s[i]), 0);
		close(fd[i]);
	}
	await(t, last);
	for (unsigned i = 0; i < 5; i++)
		if (i == 4 || k.bufs[i]->size_bytes != 2048)
			(void)!soq_buf_return(k.bufs[i]);
	pool_close(pool);
}

static const struct conf_case cases[] = {
	CASE(retained_buf_stays_until_the_last_return, ""),
	CASE(slice_narrows_and_never_widens, ""),
	CASE(buf_is_sent_with_its_own_op, "4a"),
	CASE(contents_of_two_connections_never_mix, ""),
	CASE(scrubbed_buf_holds_nothing_of_the_one_before, ""),
	CASE(scrubbed_messages_leave_nothing, ""),
	CASE(single_receives_get_the_size_that_fits, ""),
	CASE(multishot_gets_the_size_that_fits, ""),
	CASE(messages_get_the_largest, "8f"),
	CASE(another_size_serves_when_one_has_run_out, "5c"),
};

CONF_GROUP(pool_memory, cases)
