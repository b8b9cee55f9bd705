/* SPDX-License-Identifier: MIT */
/*
 * Lazy sends: the event may come with the next news of the loop, and that is all that
 * is different. Each run that waits for ever would hang where a sleep is wrong.
 */
#define _GNU_SOURCE
#include "support.h"

/* A receive that nothing ends: without it no send is late. */
static void idle_receive(struct probe *p, struct soq_socket *s)
{
	static char nothing[8];

	started(p, soq_recv_async(s, &p->op, nothing, sizeof(nothing), 0));
}

static void run_once(struct fixture *t)
{
	expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, FOREVER) >= 0);
}

static void next_lazy(struct probe *p, const struct soq_event *event)
{
	(void)event;
	if (p->starts < 20)
		again(p, soq_send_async(p->arg, &p->op, "x", 1, SOQ_LAZY));
}

static void lazy_send_alone_does_not_sleep(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *sent = probe(t), *chain = probe(t), *sleeping = probe(t);

	sent->op.deadline_ns = now_ns() + HOUR;
	started(sent, soq_send_async(s, &sent->op, "answer", 6, SOQ_LAZY));
	run_once(t);
	expect_end(sent, 6, 0);

	chain->then = next_lazy;
	chain->arg = s;
	started(chain, soq_send_async(s, &chain->op, "x", 1, SOQ_LAZY));
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), 20);
	expect_end(chain, 1, 0);

	/* No timer counts as news. */
	started(sleeping, soq_sleep_async(t->loop, &sleeping->op, HOUR));
	started(sent, soq_send_async(s, &sent->op, "answer", 6, SOQ_LAZY));
	run_once(t);
	expect_end(sent, 6, 0);
	expect(soq_cancel(&sleeping->op), 0);
	await(t, sleeping);
	expect(soq_close(s), 0);
	close(fd);
}

static void lazy_sends_of_many_sockets_alone_do_not_sleep(struct fixture *t)
{
	enum { SOCKETS = 12 };
	struct soq_socket *s[SOCKETS];
	struct probe *sent[SOCKETS];
	int fd[SOCKETS];

	for (unsigned i = 0; i < SOCKETS; i++) {
		s[i] = pair_raw(t, i % 2 ? AF_INET : AF_INET6, &fd[i]);
		sent[i] = probe(t);
		started(sent[i], soq_send_async(s[i], &sent[i]->op, "answer", 6, SOQ_LAZY));
	}
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), SOCKETS);
	for (unsigned i = 0; i < SOCKETS; i++) {
		expect_end(sent[i], 6, 0);
		expect(soq_abort(s[i]), 0);
		close(fd[i]);
	}
}

static void who_waits_gets_the_event_at_once(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *idle = probe(t), *quiet = probe_quiet(t), *sent = probe(t);
	struct soq_event event;
	struct soq_op *op = &quiet->op;

	idle_receive(idle, s);
	settle(t);
	started(quiet, soq_send_async(s, &quiet->op, "one", 3, SOQ_LAZY));
	expect(soq_wait(&quiet->op, FOREVER, &event), 0);
	record(&event);
	expect_end(quiet, 3, 0);
	started(quiet, soq_send_async(s, &quiet->op, "two", 3, SOQ_LAZY));
	expect(soq_wait_any(&op, 1, FOREVER, &event), 0);
	record(&event);
	started(quiet, soq_send_async(s, &quiet->op, "three", 5, SOQ_LAZY));
	expect(soq_loop_harvest(t->loop, &event, 1, FOREVER), 1);
	record(&event);
	expect_end(quiet, 5, 0);
	/* A run, and the wait after it. */
	started(quiet, soq_send_async(s, &quiet->op, "four", 4, SOQ_LAZY));
	run_once(t);
	expect(soq_wait(&quiet->op, 0, &event), 0);
	record(&event);
	/* One that is delivered, behind one that is waited for. */
	started(sent, soq_send_async(s, &sent->op, "five", 4, SOQ_LAZY));
	expect(soq_send(s, "six", 3, SOQ_LAZY), 3);
	expect(sent->events, 0);
	await(t, sent);
	expect_end(sent, 4, 0);
	expect(soq_abort(s), 0);
	await(t, idle);
	close(fd);
}

static void what_is_behind_a_lazy_send_does_not_wait_for_it(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *idle = probe(t), *lazy = probe(t), *next = probe(t), *shut = probe(t);
	char in[8];

	idle_receive(idle, s);
	settle(t);
	started(lazy, soq_send_async(s, &lazy->op, "abc", 3, SOQ_LAZY));
	started(next, soq_send_async(s, &next->op, "def", 3, 0));
	run_once(t);
	expect_end(lazy, 3, 0);
	expect_end(next, 3, 0);
	expect(raw_recv(t, fd, in, 6), 6);
	assert_memory_equal(in, "abcdef", 6);

	started(lazy, soq_send_async(s, &lazy->op, "ghi", 3, SOQ_LAZY));
	started(shut, soq_shutdown_async(s, &shut->op, SOQ_SHUTDOWN_SEND));
	while (!finished(shut))
		run_once(t);
	expect_end(lazy, 3, 0);
	expect(raw_recv(t, fd, in, 8), 3);
	expect(raw_recv(t, fd, in, 8), 0);
	expect(soq_abort(s), 0);
	await(t, idle);
	close(fd);
}

static void rest_of_a_lazy_send_waits_for_room(struct fixture *t)
{
	char *big = malloc(BIG_BYTES);

	fill(big, BIG_BYTES, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		int fd;
		struct soq_socket *s = i ? pair_unix_raw(t, SOCK_STREAM, &fd)
					 : pair_narrow(t, AF_INET, &fd);
		struct probe *idle = probe(t), *sent = probe(t);
		struct iovec halves[2] = { { big, BIG_BYTES / 2 },
					   { big + BIG_BYTES / 2, BIG_BYTES / 2 } };
		uint64_t requests;

		idle_receive(idle, s);
		settle(t);
		if (i)
			started(sent, soq_sendv_async(s, &sent->op, halves, 2, SOQ_LAZY));
		else
			started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, SOQ_LAZY));
		settle(t);
		requests = stats_of(t).requests;
		for (unsigned turn = 0; turn < 8; turn++)
			expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
		expect(stats_of(t).requests, requests);
		raw_take(t, fd, 1, 0, BIG_BYTES);
		await(t, sent);
		expect_end(sent, BIG_BYTES, 0);
		expect(soq_abort(s), 0);
		await(t, idle);
		close(fd);
	}
	free(big);
}

/* With many segments, or more than one request can take, there is a rest of its own. */
static void lazy_send_of_many_segments_goes_out_whole(struct fixture *t)
{
	enum { SEGMENTS = 300 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *idle = probe(t), *sent = probe(t);
	struct iovec segments[SEGMENTS];
	char bytes[SEGMENTS * 10];

	fill(bytes, sizeof(bytes), 1, 0);
	for (unsigned i = 0; i < SEGMENTS; i++)
		segments[i] = (struct iovec){ bytes + 10 * i, 10 };
	idle_receive(idle, s);
	settle(t);
	started(sent, soq_sendv_async(s, &sent->op, segments, SEGMENTS, SOQ_LAZY));
	raw_take(t, fd, 1, 0, sizeof(bytes));
	await(t, sent);
	expect_end(sent, sizeof(bytes), 0);
	expect(soq_abort(s), 0);
	await(t, idle);
	close(fd);
}

static void lazy_send_is_cut_like_any_other(struct fixture *t)
{
	char *big = malloc(BIG_BYTES);

	fill(big, BIG_BYTES, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		int fd;
		struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
		struct probe *idle = probe(t), *none = probe(t), *sent = probe(t);
		struct probe *behind = probe(t);
		uint64_t bytes;

		idle_receive(idle, s);
		settle(t);
		started(none, soq_send_async(s, &none->op, "none", 4, SOQ_LAZY));
		expect(soq_cancel(&none->op), 0);
		if (i)
			sent->op.deadline_ns = now_ns() + 20 * MS;
		started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, SOQ_LAZY));
		started(behind, soq_send_async(s, &behind->op, "behind", 6, SOQ_LAZY));
		settle(t);
		if (i == 0)
			expect(soq_cancel(&sent->op), 0);
		await(t, behind);
		expect_end(none, -ECANCELED, 0);
		expect_true(sent->result > 0 && sent->result < (int64_t)BIG_BYTES);
		expect_end(sent, sent->result, i ? SOQ_F_TIMED_OUT : SOQ_F_CANCELED);
		expect_end(behind, -ECANCELED, 0);
		expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
		expect(raw_drain(t, fd, 1, &bytes), 0);
		expect(bytes, sent->result);
		expect(soq_abort(s), 0);
		await(t, idle);
		close(fd);
	}
	free(big);
}

static void close_does_not_wait_for_news(struct fixture *t)
{
	int fd[4];
	struct soq_socket *s[4];
	struct probe *idle = probe(t), *sent[3], *ends[2];
	char in[8];

	for (unsigned i = 0; i < 4; i++)
		s[i] = pair_raw(t, AF_INET, &fd[i]);
	idle_receive(idle, s[3]);
	settle(t);
	for (unsigned i = 0; i < 3; i++)
		sent[i] = probe(t);
	raw_fin(fd[0]);
	started(sent[0], soq_send_async(s[0], &sent[0]->op, "last", 4, SOQ_LAZY));
	ends[0] = probe(t);
	started(ends[0], soq_finish_async(s[0], &ends[0]->op, FOREVER));
	while (!finished(ends[0]))
		run_once(t);
	expect_end(sent[0], 4, 0);
	expect_end(ends[0], 0, 0);
	expect(raw_recv(t, fd[0], in, 8), 4);
	expect(raw_recv(t, fd[0], in, 8), 0);

	ends[1] = probe(t);
	started(sent[1], soq_send_async(s[1], &sent[1]->op, "last", 4, SOQ_LAZY));
	started(ends[1], soq_close_async(s[1], &ends[1]->op));
	while (!finished(ends[1]))
		run_once(t);
	expect_end(sent[1], -ECANCELED, 0);
	expect_end(ends[1], 0, 0);

	raw_fin(fd[2]);
	started(sent[2], soq_send_async(s[2], &sent[2]->op, "last", 4, SOQ_LAZY));
	expect(soq_finish(s[2], FOREVER), 0);
	await(t, sent[2]);
	expect_end(sent[2], 4, 0);
	expect(soq_abort(s[3]), 0);
	await(t, idle);
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
}

/* An answer out of the buf of the request, which is returned when it is sent. */
static void buf_goes_home(struct probe *p, const struct soq_event *event)
{
	(void)event;
	again(p, soq_buf_return(p->arg));
	p->starts--;
}

static void answer_from_buf(struct probe *p, const struct soq_event *event)
{
	struct probe *sent;

	if (event->buf == NULL)
		return;
	sent = probe(p->t);
	sent->then = buf_goes_home;
	sent->arg = event->buf;
	again(sent, soq_send_async(p->arg, &sent->op, event->buf->data, event->buf->size_bytes,
				   SOQ_LAZY));
}

/* A receive that may have no more bufs waits for the end of the answer. */
static void bufs_come_home_without_news(struct fixture *t)
{
	struct soq_pool_options options = { .size = sizeof(options), .class_count = 1 };
	uint32_t counts[][2] = { { 4, 1 }, { 1, 1 } }; /* bufs, share */
	char in[8];

	for (unsigned i = 0; i < COUNT_OF(counts); i++) {
		struct probe *idle = probe(t), *received = probe(t);
		struct soq_pool *pool = NULL;
		int fd, idle_fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct soq_socket *other = pair_raw(t, AF_INET, &idle_fd);

		options.classes[0] = (struct soq_pool_class){ 512, counts[i][0] };
		options.share = counts[i][1];
		expect(soq_pool_create(t->loop, &options, &pool), 0);
		idle_receive(idle, other);
		received->then = answer_from_buf;
		received->arg = s;
		started(received, soq_recv_buf_async(s, &received->op, pool, SOQ_MULTISHOT));
		settle(t);
		for (unsigned round = 0; round < 20; round++) {
			raw_send(fd, "request", 7);
			raw_send(fd, "!", 1);
			for (int64_t got = 0, n; got < 8; got += n) {
				run_once(t);
				n = recv(fd, in + got, 8 - (size_t)got, MSG_DONTWAIT);
				n = n < 0 ? 0 : n;
			}
			assert_memory_equal(in, "request!", 8);
		}
		raw_fin(fd);
		while (!finished(received))
			run_once(t);
		expect_end(received, 0, 0);
		expect(soq_abort(s), 0);
		expect(soq_abort(other), 0);
		await(t, idle);
		run_until(t, stats_of(t).ops_in_flight == 0 && stats_of(t).events_waiting == 0);
		expect(soq_pool_destroy(pool), 0);
		close(fd);
		close(idle_fd);
	}
}

/* More failures than a small completion queue holds, and no success may hide one. */
static void each_of_many_has_its_own_end(struct fixture *t)
{
	enum { SOCKETS = 24 };
	struct soq_socket *s[SOCKETS];
	struct probe *sent[SOCKETS], *idle = probe(t);
	int fd[SOCKETS];
	uint64_t overflows;
	char in[8];

	for (unsigned i = 0; i < SOCKETS; i++) {
		s[i] = pair_raw(t, AF_INET, &fd[i]);
		sent[i] = probe(t);
	}
	idle_receive(idle, s[0]);
	settle(t);
	for (unsigned i = 1; i < SOCKETS; i += 2) {
		raw_reset(fd[i]);
		expect_true(soq_poll(s[i], SOQ_POLL_RECV, watchdog_ns()) > 0);
	}
	overflows = stats_of(t).overflows;
	for (unsigned i = 0; i < SOCKETS; i++)
		started(sent[i], soq_send_async(s[i], &sent[i]->op, "answer", 6, SOQ_LAZY));
	for (unsigned i = 0; i < SOCKETS; i++)
		await(t, sent[i]);
	if (strcmp(t->tier, "uring-tiny") == 0)
		expect_true(stats_of(t).overflows > overflows);

	for (unsigned i = 0; i < SOCKETS; i++) {
		expect_end(sent[i], i % 2 ? -ECONNRESET : 6, 0);
		if (i % 2 == 0) {
			expect(raw_recv(t, fd[i], in, 8), 6);
			close(fd[i]);
		}
		expect(soq_abort(s[i]), 0);
	}
	await(t, idle);
}

/* Streams of mixed sends, with what is received checked byte by byte. */
static void mixed_sends_keep_their_order(struct fixture *t)
{
	enum { PAIRS = 6, SENDS = 120, PIECE = 700 };
	struct soq_socket *a[PAIRS], *b[PAIRS];
	struct probe *sent[PAIRS][SENDS], *received[PAIRS];
	char *out[PAIRS], *in[PAIRS];

	for (unsigned i = 0; i < PAIRS; i++) {
		pair_soq(t, AF_INET, &a[i], &b[i]);
		out[i] = malloc(SENDS * PIECE);
		in[i] = malloc(SENDS * PIECE);
		fill(out[i], SENDS * PIECE, i, 0);
		received[i] = probe(t);
		started(received[i],
			soq_recv_async(b[i], &received[i]->op, in[i], SENDS * PIECE, SOQ_EXACT));
	}
	for (unsigned n = 0; n < SENDS; n++) {
		for (unsigned i = 0; i < PAIRS; i++) {
			struct probe *p = sent[i][n] = probe(t);
			uint32_t flags = (n * 7 + i) % 3 ? SOQ_LAZY : 0;

			started(p, soq_send_async(a[i], &p->op, out[i] + n * PIECE, PIECE, flags));
		}
		if (n % 4 != 1)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, n % 2 ? 0 : MS) >= 0);
	}
	for (unsigned i = 0; i < PAIRS; i++) {
		await(t, received[i]);
		await(t, sent[i][SENDS - 1]);
		expect_end(received[i], SENDS * PIECE, 0);
		expect_true(is_filled(in[i], SENDS * PIECE, i, 0));
		for (unsigned n = 0; n < SENDS; n++)
			expect_end(sent[i][n], PIECE, 0);
		expect(soq_abort(a[i]), 0);
		expect(soq_abort(b[i]), 0);
		free(out[i]);
		free(in[i]);
	}
}

static const struct conf_case cases[] = {
	CASE(lazy_send_alone_does_not_sleep, "1b"),
	CASE(lazy_sends_of_many_sockets_alone_do_not_sleep, "1b"),
	CASE(who_waits_gets_the_event_at_once, "2b 2a"),
	CASE(what_is_behind_a_lazy_send_does_not_wait_for_it, "9a 11d"),
	CASE(rest_of_a_lazy_send_waits_for_room, "7c 9c"),
	CASE(lazy_send_of_many_segments_goes_out_whole, "9c"),
	CASE(lazy_send_is_cut_like_any_other, "6a 6b 6c 10b"),
	CASE(close_does_not_wait_for_news, "13a 13e"),
	CASE(bufs_come_home_without_news, "1b"),
	CASE(each_of_many_has_its_own_end, "1b 5c"),
	CASE(mixed_sends_keep_their_order, "9a 9c"),
};

CONF_GROUP(lazy, cases)
