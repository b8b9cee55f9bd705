/* SPDX-License-Identifier: MIT */
/*
 * Ops asked to end: before anything has happened, while they wait, in the moment they
 * complete, by the hundred; and what one op may be used for after that.
 */
#define _GNU_SOURCE
#include "support.h"

#include <poll.h>
#include <pthread.h>

/* Cancels at once, and sees to it that the op says so and nothing has happened. */
static void expect_canceled_at_once(struct fixture *t, struct probe *p)
{
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
}

static void canceled_before_anything_happens(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t), *ended = probe(t);
	struct soq_endpoint from;
	char in[8] = { 0 };
	struct iovec part = { in, 8 };

	/* Each could have been done at once. */
	raw_send(fd, "kept", 4);
	expect(soq_send_to(d.a, "kept", 4, 0, &d.at_b), 4);
	started(p, soq_recv_async(s, &p->op, in, 8, 0));
	expect_canceled_at_once(t, p);
	started(p, soq_recvv_async(s, &p->op, &part, 1, SOQ_EXACT));
	expect_canceled_at_once(t, p);
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
	expect_canceled_at_once(t, p);
	started(p, soq_send_async(s, &p->op, "never", 5, 0));
	expect_canceled_at_once(t, p);
	started(p, soq_sendv_async(s, &p->op, &part, 1, 0));
	expect_canceled_at_once(t, p);
	started(p, soq_send_to_async(d.a, &p->op, "never", 5, 0, &d.at_b));
	expect_canceled_at_once(t, p);
	started(p, soq_recv_from_async(d.b, &p->op, in, 8, 0, &from));
	expect_canceled_at_once(t, p);
	expect(in[0], 0);

	/* And so it is when the side is being shut. */
	started(p, soq_send_async(s, &p->op, "never", 5, 0));
	started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_SEND));
	expect_canceled_at_once(t, p);
	await(t, ended);
	expect_end(ended, 0, 0);
	expect(raw_recv(t, fd, in, 8), 0);
	started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_RECV));
	started(p, soq_recv_async(s, &p->op, in, 8, 0));
	expect_canceled_at_once(t, p);
	await(t, ended);

	expect(soq_recv(s, in, 8, 0), 4);
	assert_memory_equal(in, "kept", 4);
	expect(soq_recv(d.b, in, 8, 0), 4);
	assert_memory_equal(in, "kept", 4);
	expect(soq_recv(d.b, in, 8, SOQ_NOWAIT), -EAGAIN);
	expect(soq_close(s), 0);
	close(fd);
	datagrams_close(&d);
}

/* A connect over loopback is in the listener's queue as soon as its packet has left. */
static void expect_nobody_came(int listener)
{
	struct pollfd one = { .fd = listener, .events = POLLIN };

	expect(poll(&one, 1, 0), 0);
}

static void connect_canceled_at_once_sends_no_packet(struct fixture *t)
{
	struct soq_socket_info info = { .size = sizeof(info) };

	for (unsigned form = 0; form < 4; form++) {
		struct soq_endpoint ep = { 0 };
		int listener = form == 2 ? raw_unix_listener(SOCK_STREAM, 1, &ep)
					 : raw_listener(form ? AF_INET6 : AF_INET, 1, 0, &ep);
		struct soq_connect_list list = { .size = sizeof(list),
						 .type = SOCK_STREAM,
						 .endpoint_count = 1,
						 .endpoints = &ep };
		struct probe *p = probe(t);
		struct soq_socket *s = NULL;

		if (form == 3) {
			started(p, soq_connect_list_async(t->loop, &p->op, &list));
		} else {
			s = open_socket(t, form == 2 ? AF_UNIX : form ? AF_INET6 : AF_INET);
			started(p, soq_connect_async(s, &p->op, &ep));
		}
		expect_canceled_at_once(t, p);
		assert_null(p->socket);
		settle(t);
		expect_nobody_came(listener);
		if (s) {
			expect(soq_socket_info(s, &info), 0);
			expect_true(info.state != SOQ_STATE_CONNECTED);
			expect(soq_close(s), 0);
		}
		run_until(t, stats_of(t).sockets == 0);
		close(listener);
	}
}

static void canceled_receive_leaves_both_sockets_as_they_were(struct fixture *t)
{
	for (unsigned length = 0; length < 2; length++) {
		struct soq_socket *a, *b;
		struct probe *p = probe(t);
		char in[4];

		pair_soq(t, AF_INET, &a, &b);
		/* A receive of no bytes is a poll. */
		if (length == 0)
			started(p, soq_poll_async(a, &p->op, SOQ_POLL_RECV, 0));
		else
			started(p, soq_recv_async(a, &p->op, in, length, 0));
		settle(t);
		expect_canceled_at_once(t, p);
		for (unsigned i = 0; i < 2; i++) {
			expect(soq_send(i ? a : b, "ping", 4, 0), 4);
			settle(t);
			started(p, soq_recv_async(i ? b : a, &p->op, in, 4, SOQ_EXACT));
			await(t, p);
			expect_end(p, 4, 0);
			assert_memory_equal(in, "ping", 4);
		}
		expect(soq_close(a), 0);
		expect(soq_close(b), 0);
	}
}

static void hundred_sends_canceled_tell_what_went(struct fixture *t)
{
	enum { SENDS = 100, EACH = 65536 };
	static const int families[] = { AF_INET, AF_INET6 };
	char *bytes = malloc((size_t)SENDS * EACH);

	fill(bytes, (size_t)SENDS * EACH, 1, 0);
	for (unsigned f = 0; f < 2; f++) {
		int fd, room = 1024;
		struct soq_socket *s = pair_narrow(t, families[f], &fd);
		struct probe *p[SENDS];
		uint64_t sum = 0, drained;
		unsigned canceled = 0;

		expect(soq_option_set(s, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
		for (size_t i = 0; i < SENDS; i++) {
			p[i] = probe(t);
			started(p[i], soq_send_async(s, &p[i]->op, bytes + i * EACH, EACH, 0));
		}
		settle(t);
		for (unsigned i = 0; i < SENDS; i++) {
			int rc = soq_cancel(&p[i]->op);

			/* Over, or taken along by one before it. */
			expect_true(rc == 0 || rc == -ENOENT);
		}
		for (unsigned i = 0; i < SENDS; i++) {
			await(t, p[i]);
			expect_true(p[i]->result > 0 || p[i]->result == -ECANCELED);
			canceled += p[i]->result == -ECANCELED;
			sum += p[i]->result > 0 ? (uint64_t)p[i]->result : 0;
		}
		expect_true(canceled > 0);
		expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
		expect(raw_drain(t, fd, 1, &drained), 0);
		expect(drained, sum);
		expect(soq_close(s), 0);
		close(fd);
	}
	free(bytes);
}

static void connect_canceled_in_progress_is_not_connected(struct fixture *t)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	struct full_listener full;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t), *list_op = probe(t);
	struct soq_connect_list list = { .size = sizeof(list),
					 .type = SOCK_STREAM,
					 .endpoint_count = 1,
					 .endpoints = &full.ep };

	full_listener_open(AF_INET, &full);
	started(p, soq_connect_async(s, &p->op, &full.ep));
	started(list_op, soq_connect_list_async(t->loop, &list_op->op, &list));
	settle(t);
	expect(p->events + list_op->events, 0);
	expect(soq_cancel(&p->op), 0);
	expect(soq_cancel(&list_op->op), 0);
	run_until(t, finished(p) && finished(list_op));
	settle(t);
	expect_end(p, -ECANCELED, 0);
	expect_end(list_op, -ECANCELED, 0);
	assert_null(list_op->socket);
	expect(soq_socket_info(s, &info), 0);
	expect(info.state, SOQ_STATE_CUT);
	expect(soq_send(s, "x", 1, 0), -ENOTCONN);
	expect(soq_close(s), 0);
	run_until(t, stats_of(t).sockets == 0);
	full_listener_close(&full);
}

/* A thread with a loop and a connection of its own. */
struct worker {
	struct soq_loop_options options;
	pthread_t thread;
	int64_t error;
	unsigned canceled, exchanged;
	int fd[2];
};

static int64_t cancel_many(struct worker *w, struct soq_socket *s)
{
	char in[4];

	for (unsigned i = 0; i < 128; i++) {
		struct soq_op op = { 0 };
		struct soq_event event;
		int64_t rc = soq_recv_async(s, &op, in, 4, 0);

		/* In every other round the kernel has it. */
		if (rc == 0 && i % 2)
			rc = soq_wait(&op, 0, &event) == -ETIME ? 0 : -EIO;
		if (rc == 0)
			rc = soq_cancel(&op);
		if (rc == 0)
			rc = soq_wait(&op, FOREVER, &event);
		if (rc != 0)
			return rc;
		w->canceled += event.result == -ECANCELED && event.flags == 0;
	}
	w->exchanged += soq_send(s, "ping", 4, 0) == 4;
	w->exchanged += recv(w->fd[1], in, 4, MSG_WAITALL) == 4;
	w->exchanged += send(w->fd[1], "pong", 4, 0) == 4;
	w->exchanged += soq_recv(s, in, 4, SOQ_EXACT) == 4 && memcmp(in, "pong", 4) == 0;
	return 0;
}

static void *work_and_cancel(void *arg)
{
	struct worker *w = arg;
	struct soq_loop *loop = NULL;
	struct soq_socket *s = NULL;

	w->error = soq_loop_create(&w->options, &loop);
	if (w->error == 0)
		w->error = soq_socket_adopt(loop, w->fd[0], &s);
	if (w->error == 0)
		w->error = cancel_many(w, s);
	if (s != NULL)
		(void)soq_close(s);
	if (loop != NULL && soq_loop_destroy(loop) != 0)
		w->error = -EBUSY;
	return NULL;
}

static void thousand_receives_canceled_by_eight_threads(struct fixture *t)
{
	struct worker w[8];

	for (unsigned i = 0; i < 8; i++) {
		memset(&w[i], 0, sizeof(w[i]));
		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w[i].fd), 0);
		options_of_tier(t, &w[i].options);
		w[i].options.allocator = NULL;
		expect(pthread_create(&w[i].thread, NULL, work_and_cancel, &w[i]), 0);
	}
	for (unsigned i = 0; i < 8; i++) {
		expect(pthread_join(w[i].thread, NULL), 0);
		expect(w[i].error, 0);
		expect(w[i].canceled, 128);
		expect(w[i].exchanged, 4);
		close(w[i].fd[1]);
	}
}

static void cancel_racing_the_completion_ends_once(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	unsigned taken = 0;
	char in;

	for (unsigned round = 0; round < 128; round++) {
		struct probe *p = probe(t);

		started(p, soq_recv_async(s, &p->op, &in, 1, 0));
		if (round % 4)
			settle(t);
		raw_send(fd, "x", 1);
		if (round % 4 == 2)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		if (p->finals == 0)
			expect(soq_cancel(&p->op), 0);
		else
			expect(soq_cancel(&p->op), -ENOENT);
		await(t, p);
		expect_true(p->result == 1 || p->result == -ECANCELED);
		settle(t);
		expect(p->finals, 1);
		taken += p->result == 1;
		/* Whoever has the byte, it is one. */
		if (p->result == -ECANCELED)
			expect(soq_recv(s, &in, 1, 0), 1);
		expect(soq_recv(s, &in, 1, SOQ_NOWAIT), -EAGAIN);
	}
	expect_true(taken >= 32);
	expect(soq_close(s), 0);
	close(fd);
}

static void pending_receives_end_when_both_ends_close(struct fixture *t)
{
	for (unsigned round = 0; round < 64; round++) {
		struct soq_socket *s[2];
		struct probe *p[2][16];
		char in[2][16];

		pair_soq(t, round % 2 ? AF_INET6 : AF_INET, &s[0], &s[1]);
		for (unsigned i = 0; i < 16; i++)
			for (unsigned k = 0; k < 2; k++) {
				p[k][i] = probe(t);
				started(p[k][i], soq_recv_async(s[k], &p[k][i]->op, &in[k][i], 1,
								i % 3 ? 0 : SOQ_EXACT));
			}
		if (round % 4 < 2)
			settle(t);
		expect(round % 8 < 4 ? soq_abort(s[0]) : soq_close(s[0]), 0);
		if (round % 3 == 0)
			settle(t);
		expect(soq_close(s[1]), 0);
		for (unsigned i = 0; i < 16; i++)
			for (unsigned k = 0; k < 2; k++) {
				int64_t r;

				await(t, p[k][i]);
				r = p[k][i]->result;
				expect_true(r == -ECANCELED ||
					    (k == 1 && (r == 0 || r == -ECONNRESET)));
			}
	}
}

static void op_serves_two_sockets_in_turn(struct fixture *t)
{
	struct soq_socket *s[2];
	struct probe *p = probe(t);
	char out[4], in[4];

	pair_soq(t, AF_INET, &s[0], &s[1]);
	for (unsigned i = 0; i < 10; i++) {
		fill(out, 4, i, 0);
		memset(in, 0, 4);
		started(p, soq_send_async(s[i % 2], &p->op, out, 4, 0));
		await(t, p);
		expect_end(p, 4, 0);
		started(p, soq_recv_async(s[!(i % 2)], &p->op, in, 4, SOQ_EXACT));
		await(t, p);
		expect_end(p, 4, 0);
		expect_true(is_filled(in, 4, i, 0));
	}
	expect(soq_close(s[0]), 0);
	expect(soq_close(s[1]), 0);
}

static const struct conf_case cases[] = {
	CASE(canceled_before_anything_happens, "6a 14a B109"),
	CASE(connect_canceled_at_once_sends_no_packet, "6a 14b B110"),
	CASE(canceled_receive_leaves_both_sockets_as_they_were, "6a 14a B111"),
	CASE(hundred_sends_canceled_tell_what_went, "6c 10b B112"),
	CASE(connect_canceled_in_progress_is_not_connected, "6a 14b B115"),
	CASE(thousand_receives_canceled_by_eight_threads, "1b 6a B118"),
	CASE(cancel_racing_the_completion_ends_once, "1b 14a B119"),
	CASE(pending_receives_end_when_both_ends_close, "1b 13a B120"),
	CASE(op_serves_two_sockets_in_turn, "4a B168"),
};

CONF_GROUP(cancel, cases)
