/* SPDX-License-Identifier: MIT */
/* Streams over sockets: what is read, what is left, what is sent when, and who owns what. */
#include "support.h"

#define ROOM 64

/* A stream of small buffers over one end of a pair; the other end is plain. */
struct ends {
	struct soq_socket *s, *peer;
	struct soq_stream *st;
};

static struct soq_socket *other_end(struct fixture *t, struct soq_socket **s)
{
	struct soq_endpoint ep;
	struct soq_socket *listener, *peer = NULL;

	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_socket_open(t->home, AF_INET, SOCK_STREAM, 0, &listener), 0);
	expect(soq_bind(listener, &ep), 0);
	expect(soq_listen(listener, 0), 0);
	expect(soq_socket_local(listener, &ep), 0);
	expect(soq_socket_open(t->home, AF_INET, SOCK_STREAM, 0, s), 0);
	expect(soq_connect(*s, &ep), 0);
	expect(soq_accept(listener, &peer, NULL), 0);
	expect(soq_close(listener), 0);
	return peer;
}

static void ends_open(struct fixture *t, struct ends *e, uint32_t flags)
{
	const struct soq_stream_options options = {
		.size = sizeof(options),
		.flags = flags,
		.read_bytes = ROOM,
		.write_bytes = ROOM,
		.allocator = &t->allocator,
	};

	e->peer = other_end(t, &e->s);
	expect(soq_socket_set_timeouts(e->s, watchdog_ns(), watchdog_ns()), 0);
	expect(soq_socket_set_timeouts(e->peer, watchdog_ns(), watchdog_ns()), 0);
	expect(soq_stream_open(e->s, &options, &e->st), 0);
	assert_ptr_equal(soq_stream_socket(e->st), e->s);
}

static void ends_close(struct ends *e)
{
	expect(soq_stream_close(e->st), 0);
	expect(soq_close(e->s), 0);
	expect(soq_close(e->peer), 0);
}

static void put(struct ends *e, const char *text)
{
	expect(soq_send(e->peer, text, strlen(text), 0), strlen(text));
}

static void reads_take_what_is_there(struct fixture *t)
{
	char in[256];
	uint64_t length = 9;
	struct ends e;

	ends_open(t, &e, 0);
	put(&e, "GET /\r\nHost: x\r\n\r\n\3abcrest of it");
	expect(soq_stream_read_until(e.st, "\r\n", 2, in, ROOM), 7);
	assert_memory_equal(in, "GET /\r\n", 7);
	expect_true(soq_stream_buffered(e.st) > 0);
	expect(soq_stream_read_exact(e.st, in, 4), 4);
	expect(soq_stream_read_until(e.st, "\r\n\r\n", 4, in, ROOM), 7);
	assert_memory_equal(in, ": x\r\n\r\n", 7);
	expect(soq_stream_read_prefixed(e.st, 1, in, 10, &length), 0);
	expect(length, 3);
	assert_memory_equal(in, "abc", 3);
	expect(soq_stream_read(e.st, in, 4), 4);
	expect(soq_shutdown(e.peer, SOQ_SHUTDOWN_SEND), 0);
	/* More than the buffer has room for goes past it, behind what is in it. */
	expect(soq_stream_read_exact(e.st, in, sizeof(in)), 6);
	assert_memory_equal(in, " of it", 6);
	expect(soq_stream_read(e.st, in, sizeof(in)), 0);
	expect(soq_stream_read_until(e.st, "x", 1, in, ROOM), 0);
	expect(soq_stream_read_prefixed(e.st, 1, in, 10, &length), -ENODATA);
	expect(length, 0);
	ends_close(&e);
}

static void what_does_not_fit_is_left(struct fixture *t)
{
	char in[ROOM];
	uint64_t length = 0;
	struct ends e;

	ends_open(t, &e, 0);
	put(&e, "0123456789;tail");
	expect(soq_stream_read_until(e.st, ";", 1, in, 10), -EMSGSIZE);
	expect(soq_stream_read_until(e.st, ";", 1, in, 11), 11);
	assert_memory_equal(in, "0123456789;", 11);
	expect(soq_shutdown(e.peer, SOQ_SHUTDOWN_SEND), 0);
	expect(soq_stream_read_until(e.st, ";", 1, in, ROOM), -ENODATA);
	/* 't' is a length of 116. */
	expect(soq_stream_read_prefixed(e.st, 1, in, 32, &length), -EMSGSIZE);
	expect(soq_stream_read_exact(e.st, in, 5), 4);
	assert_memory_equal(in, "tail", 4);
	ends_close(&e);
}

static void read_that_ends_early_loses_nothing(struct fixture *t)
{
	char in[ROOM];
	uint64_t length;
	struct ends e;

	ends_open(t, &e, 0);
	expect(soq_send(e.peer, "\0\5hel", 5, 0), 5);
	expect(soq_socket_set_timeouts(e.s, 10 * MS, watchdog_ns()), 0);
	expect(soq_stream_read_prefixed(e.st, 2, in, ROOM - 2, &length), -ETIMEDOUT);
	expect(soq_stream_read_exact(e.st, in, 6), -ETIMEDOUT);
	expect(soq_stream_read_until(e.st, "lo", 2, in, ROOM), -ETIMEDOUT);
	expect(soq_stream_buffered(e.st), 5);
	put(&e, "lo");
	expect(soq_stream_read_prefixed(e.st, 2, in, ROOM - 2, &length), 0);
	expect(length, 5);
	assert_memory_equal(in, "hello", 5);
	ends_close(&e);
}

static void writes_wait_for_a_flush(struct fixture *t)
{
	static char big[1000];
	char in[sizeof(big)];
	struct ends e;

	ends_open(t, &e, 0);
	fill(big, sizeof(big), 1, 0);
	expect(soq_stream_write(e.st, "a", 1), 1);
	expect(soq_stream_write(e.st, "b", 1), 1);
	expect(soq_stream_write(e.st, NULL, 0), 0);
	expect(soq_recv(e.peer, in, 2, SOQ_NOWAIT), -EAGAIN);
	expect(soq_stream_write_prefixed(e.st, 2, "cd", 2), 0);
	expect(soq_stream_flush(e.st), 0);
	expect(soq_stream_flush(e.st), 0);
	expect(soq_recv(e.peer, in, 6, SOQ_EXACT), 6);
	assert_memory_equal(in, "ab\0\2cd", 6);
	expect(soq_stream_write(e.st, "e", 1), 1);
	expect(soq_stream_write(e.st, big, sizeof(big)), sizeof(big));
	expect(soq_recv(e.peer, in, 1, SOQ_EXACT), 1);
	expect(soq_recv(e.peer, in, sizeof(in), SOQ_EXACT), sizeof(in));
	expect(is_filled(in, sizeof(in), 1, 0), 1);
	expect(soq_stream_write_prefixed(e.st, 1, big, 256), -EMSGSIZE);
	expect(soq_stream_write_prefixed(e.st, 2, big, ROOM - 1), -EMSGSIZE);
	for (unsigned i = 0; i < 2; i++)
		expect(soq_stream_write_prefixed(e.st, 4, big, ROOM - 4), 0);
	expect(soq_stream_end(e.st), 0);
	expect(soq_recv(e.peer, in, 2 * ROOM, SOQ_EXACT), 2 * ROOM);
	expect(soq_recv(e.peer, in, 1, 0), 0);
	ends_close(&e);
}

static void stream_may_own_its_socket(struct fixture *t)
{
	const struct soq_stream_options owns = { .size = sizeof(owns), .flags = SOQ_STREAM_OWNS };
	struct soq_stream *st;
	struct soq_socket *s, *peer;
	char in[8];

	for (unsigned i = 0; i < 2; i++) {
		peer = other_end(t, &s);
		expect(soq_stream_open(s, i == 0 ? NULL : &owns, &st), 0);
		expect(soq_stream_write(st, "bye", 3), 3);
		expect(soq_stream_close(st), 0);
		expect(soq_recv(peer, in, 3, SOQ_EXACT), 3);
		if (i == 0) {
			expect(soq_send(s, "go on", 5, 0), 5);
			expect(soq_recv(peer, in, 5, SOQ_EXACT), 5);
			expect(soq_close(s), 0);
		}
		expect(soq_recv(peer, in, sizeof(in), 0), 0);
		expect(soq_close(peer), 0);
	}
}

/* What a helper's step does while a close sends what is left. */
struct intruder {
	struct soq_op inner, read;
	struct soq_stream *st;
	char in[4];
	int began;
};

static void intrude(const struct soq_event *event)
{
	struct intruder *x = event->op->user;

	x->began = soq_stream_read_async(x->st, &x->read, x->in, sizeof(x->in));
}

static void stream_that_closes_begins_nothing(struct fixture *t)
{
	struct intruder *x = calloc(1, sizeof(*x));
	static char big[1 << 16];
	struct ends e;
	int64_t sent;

	assert_non_null(x);
	ends_open(t, &e, 0);
	do
		sent = soq_send(e.s, big, sizeof(big), SOQ_NOWAIT);
	while (sent > 0);
	expect(sent, -EAGAIN);
	expect(soq_socket_set_timeouts(e.s, watchdog_ns(), 20 * MS), 0);
	expect(soq_stream_write(e.st, "x", 1), 1);
	*x = (struct intruder){ .inner.user = x, .st = e.st, .began = 1 };
	expect(soq_op_inner(&x->inner, intrude), 0);
	expect(soq_sleep_async(t->loop, &x->inner, 0), 0);
	expect(soq_stream_close(e.st), -ETIMEDOUT);
	expect(x->began, -EBUSY);
	expect(soq_abort(e.s), 0);
	expect(soq_abort(e.peer), 0);
	run_until(t, stats_of(t).sockets == 0);
	free(x);
}

static void access_and_sizes_are_checked(struct fixture *t)
{
	static const uint32_t way[2] = { SOQ_STREAM_READ, SOQ_STREAM_WRITE };
	struct soq_stream_options bad = { .size = sizeof(bad) };
	const struct soq_allocator none = { NULL, NULL, NULL };
	struct soq_stream *st = NULL;
	struct soq_socket *s = NULL;
	uint64_t length;
	char in[ROOM + 1];
	struct ends e;

	for (unsigned i = 0; i < 2; i++) {
		ends_open(t, &e, way[i]);
		expect(soq_stream_read(e.st, in, 0), i == 0 ? -EINVAL : -EOPNOTSUPP);
		expect(soq_stream_write(e.st, "x", 1), i == 0 ? -EOPNOTSUPP : 1);
		expect(soq_stream_copy(e.st, e.st), -EOPNOTSUPP);
		ends_close(&e);
	}
	ends_open(t, &e, 0);
	expect(soq_stream_read(e.st, NULL, 1), -EINVAL);
	expect(soq_stream_read_until(e.st, "x", 1, in, ROOM + 1), -EINVAL);
	expect(soq_stream_read_until(e.st, "xyz", 3, in, 2), -EINVAL);
	expect(soq_stream_read_until(e.st, "", 0, in, 2), -EINVAL);
	expect(soq_stream_read_prefixed(e.st, 3, in, 2, &length), -EINVAL);
	expect(soq_stream_read_prefixed(e.st, 2, in, ROOM - 1, &length), -EINVAL);
	expect(soq_stream_read_prefixed(e.st, 2, in, 2, NULL), -EINVAL);
	expect(soq_stream_write_prefixed(e.st, 5, in, 2), -EINVAL);
	expect(soq_stream_write(e.st, NULL, 1), -EINVAL);
	bad.flags = 1u << 9;
	expect(soq_stream_open(e.s, &bad, &st), -EINVAL);
	bad = (struct soq_stream_options){ .size = 4 };
	expect(soq_stream_open(e.s, &bad, &st), -EINVAL);
	bad = (struct soq_stream_options){ .size = sizeof(bad), .allocator = &none };
	expect(soq_stream_open(e.s, &bad, &st), -EINVAL);
	expect(soq_stream_open(e.s, NULL, NULL), -EINVAL);
	ends_close(&e);
	expect(soq_socket_open(t->home, AF_INET, SOCK_STREAM, 0, &s), 0);
	expect(soq_stream_open(s, NULL, &st), -ENOTCONN);
	expect(soq_close(s), 0);
	expect(soq_socket_open(t->home, AF_INET, SOCK_DGRAM, 0, &s), 0);
	expect(soq_stream_open(s, NULL, &st), -EOPNOTSUPP);
	expect(soq_close(s), 0);
	assert_null(st);
}

static void copy_takes_everything_over(struct fixture *t)
{
	char in[300];
	struct ends a, b;

	ends_open(t, &a, 0);
	ends_open(t, &b, 0);
	fill(in, sizeof(in), 3, 0);
	expect(soq_send(a.peer, in, sizeof(in), 0), sizeof(in));
	expect(soq_shutdown(a.peer, SOQ_SHUTDOWN_SEND), 0);
	expect(soq_stream_read_exact(a.st, in, 10), 10);
	expect(soq_stream_write(b.st, in, 10), 10);
	expect(soq_stream_copy(a.st, b.st), sizeof(in) - 10);
	memset(in, 0, sizeof(in));
	expect(soq_recv(b.peer, in, sizeof(in), SOQ_EXACT), sizeof(in));
	expect(is_filled(in, sizeof(in), 3, 0), 1);
	ends_close(&a);
	ends_close(&b);
}

static void ops_do_what_calls_do(struct fixture *t)
{
	static const char delimiter[] = "\r\n";
	struct probe *p = probe(t), *q = probe_quiet(t);
	char *in = calloc(1, 256);
	uint64_t *length = calloc(1, sizeof(*length));
	struct ends e;

	ends_open(t, &e, 0);
	started(p, soq_stream_read_until_async(e.st, &p->op, delimiter, 2, in, ROOM));
	expect(soq_stream_read(e.st, in, 1), -EBUSY);
	expect(soq_stream_read_async(e.st, &q->op, in, 1), -EBUSY);
	expect(soq_stream_close(e.st), -EBUSY);
	for (const char *c = "hello\r\n"; *c != '\0'; c++) {
		settle(t);
		expect(finished(p), 0);
		expect(soq_send(e.peer, c, 1, 0), 1);
	}
	await(t, p);
	expect_end(p, 7, 0);
	assert_memory_equal(in, "hello\r\n", 7);
	expect(soq_send(e.peer, "\0\0\0\3abc", 7, 0), 7);
	started(q, soq_stream_read_prefixed_async(e.st, &q->op, 4, in, 8, length));
	expect(wait_end(q), 0);
	expect(*length, 3);
	/* Past the buffer, in pieces. */
	started(q, soq_stream_read_exact_async(e.st, &q->op, in, 200));
	settle(t);
	for (unsigned i = 0; i < 2; i++) {
		char piece[100];

		fill(piece, sizeof(piece), 5, 100 * i);
		expect(soq_send(e.peer, piece, sizeof(piece), 0), sizeof(piece));
	}
	expect(wait_end(q), 200);
	expect(is_filled(in, 200, 5, 0), 1);
	started(p, soq_stream_write_async(e.st, &p->op, in, 10));
	await(t, p);
	expect_end(p, 10, 0);
	started(p, soq_stream_write_async(e.st, &p->op, in + 10, 190));
	await(t, p);
	expect_end(p, 190, 0);
	started(p, soq_stream_flush_async(e.st, &p->op));
	await(t, p);
	expect_end(p, 0, 0);
	memset(in, 0, 200);
	expect(soq_recv(e.peer, in, 200, SOQ_EXACT), 200);
	expect(is_filled(in, 200, 5, 0), 1);
	started(q, soq_stream_read_async(e.st, &q->op, in, 8));
	settle(t);
	expect(soq_shutdown(e.peer, SOQ_SHUTDOWN_SEND), 0);
	expect(wait_end(q), 0);
	ends_close(&e);
	free(length);
	free(in);
}

static void ops_that_end_early_lose_nothing(struct fixture *t)
{
	struct probe *p = probe(t);
	char *in = calloc(1, ROOM);
	struct ends e;

	ends_open(t, &e, 0);
	put(&e, "half");
	p->op.deadline_ns = now_ns() + 10 * MS;
	started(p, soq_stream_read_until_async(e.st, &p->op, ";", 1, in, ROOM));
	await(t, p);
	expect_end(p, -ETIMEDOUT, 0);
	started(p, soq_stream_read_exact_async(e.st, &p->op, in, 5));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	put(&e, ";");
	started(p, soq_stream_read_until_async(e.st, &p->op, ";", 1, in, ROOM));
	await(t, p);
	expect_end(p, 5, 0);
	assert_memory_equal(in, "half;", 5);
	/* The socket is closed under it. */
	started(p, soq_stream_read_async(e.st, &p->op, in, 5));
	settle(t);
	expect(soq_stream_write(e.st, "x", 1), 1);
	expect(soq_close(e.s), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_stream_read(e.st, in, 1), -EBADF);
	expect(soq_stream_write(e.st, "x", 1), -EBADF);
	/* What was to be sent never will be. */
	expect(soq_stream_close(e.st), -EBADF);
	expect(soq_close(e.peer), 0);
	free(in);
}

static void copy_op_goes_until_the_end(struct fixture *t)
{
	struct probe *p = probe(t);
	static char bytes[5000];
	char in[sizeof(bytes)];
	struct ends a, b;

	ends_open(t, &a, 0);
	ends_open(t, &b, 0);
	fill(bytes, sizeof(bytes), 7, 0);
	expect(soq_stream_write(b.st, "first", 5), 5);
	started(p, soq_stream_copy_async(a.st, b.st, &p->op));
	expect(soq_stream_flush(b.st), -EBUSY);
	settle(t);
	expect(soq_recv(b.peer, in, 5, SOQ_EXACT), 5);
	expect(soq_send(a.peer, bytes, sizeof(bytes), 0), sizeof(bytes));
	expect(soq_recv(b.peer, in, sizeof(in), SOQ_EXACT), sizeof(in));
	expect(is_filled(in, sizeof(in), 7, 0), 1);
	expect(finished(p), 0);
	expect(soq_shutdown(a.peer, SOQ_SHUTDOWN_SEND), 0);
	await(t, p);
	expect_end(p, sizeof(bytes), 0);
	started(p, soq_stream_copy_async(b.st, a.st, &p->op));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	ends_close(&a);
	ends_close(&b);
}

static const struct conf_case cases[] = {
	SYNC_CASE(reads_take_what_is_there, ""),
	SYNC_CASE(what_does_not_fit_is_left, ""),
	SYNC_CASE(read_that_ends_early_loses_nothing, ""),
	SYNC_CASE(writes_wait_for_a_flush, ""),
	SYNC_CASE(stream_may_own_its_socket, "B132"),
	SYNC_CASE(access_and_sizes_are_checked, "B131"),
	SYNC_CASE(copy_takes_everything_over, ""),
	CASE(stream_that_closes_begins_nothing, ""),
	CASE(ops_do_what_calls_do, ""),
	CASE(ops_that_end_early_lose_nothing, "6a"),
	CASE(copy_op_goes_until_the_end, ""),
};

CONF_GROUP(netstream, cases)
