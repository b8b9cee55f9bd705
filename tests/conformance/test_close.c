/* SPDX-License-Identifier: MIT */
/* Closing: what pending ops get, what the peer sees, and when the port is free. */
#define _GNU_SOURCE
#include "support.h"

static void close_with_nothing_pending_gives_the_peer_an_end(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char byte;

	expect(soq_send(s, "x", 1, 0), 1);
	expect(soq_close(s), 0);

	expect(raw_recv(t, fd, &byte, 1), 1);
	expect(raw_recv(t, fd, &byte, 1), 0);
	close(fd);
}

static void expect_every_call_refuses(struct soq_socket *s, struct soq_op *op)
{
	struct soq_endpoint ep;
	struct soq_socket *out = NULL;
	struct linger linger = { 0 };
	char byte = 0;
	struct iovec one = { &byte, 1 };

	expect(soq_endpoint_loopback(AF_INET, 1, &ep), 0);
	expect(soq_bind(s, &ep), -EBADF);
	expect(soq_listen(s, 1), -EBADF);
	expect(soq_socket_local(s, &ep), -EBADF);
	expect(soq_socket_peer(s, &ep), -EBADF);
	expect(soq_socket_set_user(s, s), -EBADF);
	expect(soq_socket_set_timeouts(s, 0, 0), -EBADF);
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), -EBADF);
	expect(soq_option_get(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), -EBADF);
	expect(soq_accept(s, &out, NULL), -EBADF);
	expect(soq_accept_async(s, op, 0), -EBADF);
	expect(soq_connect(s, &ep), -EBADF);
	expect(soq_connect_async(s, op, &ep), -EBADF);
	expect(soq_send(s, "x", 1, 0), -EBADF);
	expect(soq_send_async(s, op, "x", 1, 0), -EBADF);
	expect(soq_sendv(s, &one, 1, 0), -EBADF);
	expect(soq_sendv_async(s, op, &one, 1, 0), -EBADF);
	expect(soq_recv(s, &byte, 1, 0), -EBADF);
	expect(soq_recv_async(s, op, &byte, 1, 0), -EBADF);
	expect(soq_recvv(s, &one, 1, 0), -EBADF);
	expect(soq_recvv_async(s, op, &one, 1, 0), -EBADF);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_BOTH), -EBADF);
	expect(soq_shutdown_async(s, op, SOQ_SHUTDOWN_BOTH), -EBADF);
	expect(soq_close(s), -EBADF);
	expect(soq_abort(s), -EBADF);
	expect(soq_close_async(s, op), -EBADF);
	expect(soq_finish(s, 0), -EBADF);
	expect(soq_finish_async(s, op, 0), -EBADF);
}

static void closed_handle_is_dead_at_once(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t), *other = probe(t);
	char byte;

	expect(soq_socket_set_user(s, t), 0);
	started(p, soq_recv_async(s, &p->op, &byte, 1, 0));
	settle(t);
	expect(soq_close(s), 0);

	expect_every_call_refuses(s, &other->op);
	assert_null(soq_socket_loop(s));
	assert_null(soq_socket_user(s));
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(s), -EBADF);
	close(fd);
}

enum way { CLOSE, ABORT, CLOSE_ASYNC, FINISH_ASYNC, FINISH, WAYS };

static void end_by(enum way way, struct soq_socket *s, struct probe *ended)
{
	if (way == CLOSE)
		expect(soq_close(s), 0);
	else if (way == ABORT)
		expect(soq_abort(s), 0);
	else if (way == CLOSE_ASYNC)
		started(ended, soq_close_async(s, &ended->op));
	else if (way == FINISH_ASYNC)
		started(ended, soq_finish_async(s, &ended->op, FOREVER));
	else
		expect(soq_finish(s, 2 * MS), -ETIMEDOUT);
	expect(soq_close(s), -EBADF);
}

/* `count` receives pending; the first is exact and has 4 of its 10 bytes when `half`. */
static void way_ends_receives(struct fixture *t, enum way way, unsigned count, int half)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p[5], *ended = probe(t);
	uint64_t taken = stats_of(t).bytes_received;
	char in[5][10];

	for (unsigned i = 0; i < count; i++) {
		p[i] = probe(t);
		started(p[i], soq_recv_async(s, &p[i]->op, in[i], 10, half && !i ? SOQ_EXACT : 0));
	}
	settle(t);
	if (half) {
		raw_send(fd, "four", 4);
		run_until(t, stats_of(t).bytes_received == taken + 4);
	}
	end_by(way, s, ended);
	for (unsigned i = 0; i < count; i++)
		await(t, p[i]);
	if (way == FINISH_ASYNC)
		raw_fin(fd);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);

	for (unsigned i = 0; i < count; i++) {
		if (half && !i)
			expect_end(p[i], 4, SOQ_F_CANCELED);
		else
			expect_end(p[i], -ECANCELED, 0);
		expect_true(!ended->starts || ended->sequence > p[i]->sequence);
	}
	if (ended->starts)
		expect_end(ended, 0, 0);
	if (way != FINISH)
		expect(raw_recv(t, fd, in[0], 1), way == ABORT ? -ECONNRESET : 0);
	close(fd);
}

static void each_way_of_closing_ends_pending_receives(struct fixture *t)
{
	for (unsigned way = 0; way < WAYS; way++)
		for (unsigned count = 0; count <= 5; count += count ? 4 : 1)
			way_ends_receives(t, way, count, 0);
}

static void exact_receive_half_full_ends_with_its_count(struct fixture *t)
{
	for (unsigned way = 0; way < WAYS; way++)
		for (unsigned count = 1; count <= 3; count += 2)
			way_ends_receives(t, way, count, 1);
}

static void close_of_a_listener_ends_each_accept(struct fixture *t)
{
	for (unsigned settled = 0; settled < 2; settled++) {
		struct soq_endpoint ep;
		struct soq_socket *s = soq_listener(t, AF_INET, &ep);
		struct probe *p[3];

		for (unsigned i = 0; i < 3; i++) {
			p[i] = probe(t);
			started(p[i], soq_accept_async(s, &p[i]->op, i == 2 ? SOQ_MULTISHOT : 0));
		}
		if (settled)
			settle(t);
		expect(soq_close(s), 0);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);

		for (unsigned i = 0; i < 3; i++)
			expect_end(p[i], -ECANCELED, 0);
	}
}

static void close_that_cuts_a_send_resets(struct fixture *t)
{
	for (unsigned settled = 0; settled < 2; settled++) {
		int fd;
		struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
		struct probe *first = probe(t), *second = probe(t);
		char *big = malloc(BIG_BYTES);
		uint64_t bytes;

		fill(big, BIG_BYTES, 1, 0);
		started(first, soq_send_async(s, &first->op, big, BIG_BYTES, 0));
		started(second, soq_send_async(s, &second->op, "x", 1, 0));
		if (settled)
			settle(t);
		expect(soq_close(s), 0);
		await(t, first);
		await(t, second);

		if (first->result > 0)
			expect_end(first, first->result, SOQ_F_CANCELED);
		else
			expect_end(first, -ECANCELED, 0);
		expect_end(second, -ECANCELED, 0);
		expect(raw_drain(t, fd, 1, &bytes), -ECONNRESET);
		expect_true(bytes <= (uint64_t)(first->result > 0 ? first->result : 0));
		close(fd);
		free(big);
	}
}

static void close_after_a_send_cut_short_gives_an_end(struct fixture *t)
{
	/* The caller knows how much went out: nothing is dropped by the close itself. */
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char *big = malloc(BIG_BYTES);
	uint64_t bytes;

	fill(big, BIG_BYTES, 1, 0);
	started(p, soq_send_async(s, &p->op, big, BIG_BYTES, 0));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect(soq_close(s), 0);

	expect(raw_drain(t, fd, 1, &bytes), 0);
	expect(bytes, p->result);
	close(fd);
	free(big);
}

static void close_ends_a_pending_shutdown(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t), *ended = probe(t);
	char *big = calloc(1, BIG_BYTES), byte[64];

	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_SEND));
	settle(t);
	expect(soq_close(s), 0);
	await(t, ended);

	expect_end(ended, -ECANCELED, 0);
	while (raw_recv(t, fd, byte, sizeof(byte)) > 0)
		;
	expect(raw_recv(t, fd, byte, sizeof(byte)), 0);
	close(fd);
	free(big);
}

static void close_event_is_the_last_and_frees_the_port(struct fixture *t)
{
	for (int i = 0; i < 20; i++) {
		struct soq_endpoint ep;
		struct soq_socket *s = soq_listener(t, AF_INET, &ep), *next;
		struct probe *accepts[2] = { probe(t), probe(t) }, *closed = probe(t);

		for (int k = 0; k < 2; k++)
			started(accepts[k], soq_accept_async(s, &accepts[k]->op, 0));
		settle(t);
		started(closed, soq_close_async(s, &closed->op));
		expect(soq_close(s), -EBADF);
		await(t, closed);

		expect_end(accepts[0], -ECANCELED, 0);
		expect_end(accepts[1], -ECANCELED, 0);
		expect_end(closed, 0, 0);
		for (int k = 0; k < 2; k++)
			expect_true(closed->sequence > accepts[k]->sequence);
		next = open_socket(t, AF_INET);
		expect(soq_bind(next, &ep), 0);
		expect(soq_listen(next, 1), 0);
		expect(soq_close(next), 0);
	}
}

static void close_async_cannot_be_canceled_and_has_no_deadline(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe_quiet(t);

	p->op.deadline_ns = 1;
	started(p, soq_close_async(s, &p->op));
	expect_true(soq_cancel(&p->op) < 0);
	expect(wait_end(p), 0);
	expect_end(p, 0, 0);
	close(fd);
}

static void close_own_socket(struct probe *p, const struct soq_event *event)
{
	(void)event;
	p->start_error = soq_close(p->arg);
}

static void done_may_close_its_own_socket(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *first = probe(t), *second = probe(t);
	char in[2];

	first->then = close_own_socket;
	first->arg = s;
	started(first, soq_recv_async(s, &first->op, in, 1, 0));
	started(second, soq_recv_async(s, &second->op, in + 1, 1, 0));
	settle(t);
	raw_send(fd, "x", 1);
	await(t, second);

	expect(first->start_error, 0);
	expect_end(first, 1, 0);
	expect_end(second, -ECANCELED, 0);
	expect(soq_close(s), -EBADF);
	close(fd);
}

static void done_may_close_the_socket_of_a_waiting_event(struct fixture *t)
{
	int fd[2];
	struct soq_socket *s[2] = { pair_raw(t, AF_INET, &fd[0]), pair_raw(t, AF_INET, &fd[1]) };
	struct probe *p[2] = { probe(t), probe(t) };
	char in[2];

	for (int i = 0; i < 2; i++) {
		p[i]->then = close_own_socket;
		p[i]->arg = s[!i];
		started(p[i], soq_recv_async(s[i], &p[i]->op, &in[i], 1, 0));
	}
	settle(t);
	raw_send(fd[0], "x", 1);
	raw_send(fd[1], "y", 1);
	run_until(t, finished(p[0]) && finished(p[1]));

	/* Each closes the other's; what was received before is still told. */
	expect(p[0]->start_error, 0);
	expect(p[1]->start_error, 0);
	for (int i = 0; i < 2; i++) {
		expect_true(p[i]->result == 1 || p[i]->result == -ECANCELED);
		expect(soq_close(s[i]), -EBADF);
		close(fd[i]);
	}
}

static void abort_resets(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET6, &fd);
	struct probe *p = probe(t);
	char byte;

	started(p, soq_recv_async(s, &p->op, &byte, 1, 0));
	settle(t);
	expect(soq_abort(s), 0);
	expect(soq_abort(s), -EBADF);
	await(t, p);

	expect_end(p, -ECANCELED, 0);
	expect(raw_recv(t, fd, &byte, 1), -ECONNRESET);
	close(fd);
}

static void reopened_sockets_get_no_event_of_closed_ones(struct fixture *t)
{
	for (int i = 0; i < 100; i++) {
		struct soq_socket *a, *b;
		struct probe *old = probe(t), *p = probe(t);
		char in[4];

		pair_soq(t, AF_INET, &a, &b);
		started(old, soq_recv_async(a, &old->op, in, 1, 0));
		settle(t);
		expect(soq_close(a), 0);
		expect(soq_abort(b), 0);
		pair_soq(t, AF_INET, &a, &b);
		started(p, soq_recv_async(a, &p->op, in, 4, SOQ_EXACT));
		expect(soq_send(b, "good", 4, 0), 4);
		await(t, p);

		expect_end(old, -ECANCELED, 0);
		expect_end(p, 4, 0);
		assert_memory_equal(in, "good", 4);
		expect(soq_abort(a), 0);
		expect(soq_abort(b), 0);
	}
}

static void way_cuts_sends(struct fixture *t, enum way way)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p[3] = { probe(t), probe(t), probe(t) }, *ended = probe(t);
	char *big = malloc(BIG_BYTES);
	uint64_t bytes;

	fill(big, BIG_BYTES, 1, 0);
	for (int i = 0; i < 3; i++)
		started(p[i], soq_send_async(s, &p[i]->op, big, BIG_BYTES, 0));
	settle(t);
	end_by(way, s, ended);
	if (way == FINISH_ASYNC)
		expect(soq_cancel(&ended->op), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);

	expect_end(p[0], p[0]->result, SOQ_F_CANCELED);
	expect_true(p[0]->result > 0);
	expect_end(p[1], -ECANCELED, 0);
	expect_end(p[2], -ECANCELED, 0);
	if (ended->starts) {
		expect_end(ended, way == FINISH_ASYNC ? -ECANCELED : 0, 0);
		expect_true(ended->sequence > p[2]->sequence);
	}
	expect(raw_drain(t, fd, 1, &bytes), -ECONNRESET);
	expect_true(bytes <= (uint64_t)p[0]->result);
	close(fd);
	free(big);
}

static void each_way_of_closing_cuts_a_parked_send_and_resets(struct fixture *t)
{
	for (unsigned way = 0; way < WAYS; way++)
		way_cuts_sends(t, way);
}

static void each_way_of_closing_ends_a_connect_in_flight(struct fixture *t)
{
	for (unsigned way = 0; way < WAYS; way++) {
		struct full_listener full;
		struct soq_socket *s = open_socket(t, AF_INET);
		struct probe *p[3] = { probe(t), probe(t), probe(t) }, *ended = probe(t);
		char byte;

		full_listener_open(AF_INET, &full);
		started(p[0], soq_connect_async(s, &p[0]->op, &full.ep));
		started(p[1], soq_send_async(s, &p[1]->op, "x", 1, 0));
		started(p[2], soq_recv_async(s, &p[2]->op, &byte, 1, 0));
		settle(t);
		end_by(way, s, ended);
		if (way == FINISH_ASYNC)
			expect(soq_cancel(&ended->op), 0);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);

		for (int i = 0; i < 3; i++)
			expect_end(p[i], -ECANCELED, 0);
		if (ended->starts)
			expect_end(ended, way == FINISH_ASYNC ? -ECANCELED : 0, 0);
		full_listener_close(&full);
	}
}

static void each_way_of_closing_aborts_arrivals_nobody_took(struct fixture *t)
{
	for (unsigned way = 0; way < FINISH; way++) {
		struct soq_endpoint ep;
		struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
		struct probe *p = probe_quiet(t), *ended = probe(t);
		uint64_t accepts = stats_of(t).accepts;
		int fds[3];
		char byte;

		started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
		for (int i = 0; i < 3; i++)
			fds[i] = raw_connect(&ep);
		run_until(t, stats_of(t).accepts == accepts + 3);
		end_by(way, listener, ended);
		expect(wait_end(p), -ECANCELED);
		if (ended->starts)
			await(t, ended);

		expect_end(p, -ECANCELED, 0);
		expect(stats_of(t).sockets, 0);
		for (int i = 0; i < 3; i++) {
			expect(raw_recv(t, fds[i], &byte, 1), -ECONNRESET);
			close(fds[i]);
		}
	}
}

static void close_with_unread_bytes_resets(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[4];

	raw_send(fd, "unread", 6);
	expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
	expect(soq_close(s), 0);

	expect(raw_recv(t, fd, in, 1), -ECONNRESET);
	close(fd);
}

static void done_may_close_a_socket_with_everything_pending(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p[4] = { probe(t), probe(t), probe(t), probe(t) };
	char *big = calloc(1, BIG_BYTES), in[2];

	started(p[0], soq_send_async(s, &p[0]->op, big, BIG_BYTES, 0));
	started(p[1], soq_send_async(s, &p[1]->op, "x", 1, 0));
	started(p[2], soq_recv_async(s, &p[2]->op, in, 2, SOQ_EXACT));
	settle(t);
	p[3]->then = close_own_socket;
	p[3]->arg = s;
	started(p[3], soq_sleep_async(t->loop, &p[3]->op, 0));
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);

	expect(p[3]->start_error, 0);
	expect_end(p[0], p[0]->result, SOQ_F_CANCELED);
	expect_end(p[1], -ECANCELED, 0);
	expect_end(p[2], -ECANCELED, 0);
	expect(soq_close(s), -EBADF);
	close(fd);
	free(big);
}

/* Each socket leaves a completion behind that comes while the next one lives. */
static void thousand_sockets_leave_no_trace(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *old[2] = { probe(t), probe(t) };
	char in[2][8];

	for (unsigned i = 0; i < 1000; i++) {
		struct probe *p = old[i % 2], *last = old[!(i % 2)];
		struct soq_socket *s;
		int fd = raw_connect(&ep);

		expect(soq_accept(listener, &s, NULL), 0);
		started(p, soq_recv_async(s, &p->op, in[i % 2], 8, SOQ_EXACT));
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		if (i % 3 == 0)
			raw_send(fd, "eight888", 8);
		expect(i % 2 ? soq_abort(s) : soq_close(s), 0);
		if (i > 0)
			await(t, last);
		expect_true(last->result == -ECANCELED || last->result == 8 || !i);
		if (i % 2)
			close(fd);
		else
			raw_reset(fd);
	}
	await(t, old[0]);
	await(t, old[1]);
	expect(soq_close(listener), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect(stats_of(t).sockets, 0);
}

/* The library under test is built with assertions: there a handle stays dead for ever. */
static void dead_handles_stay_dead_while_others_are_opened(struct fixture *t)
{
	struct soq_socket *dead[20], *live[20];

	for (int i = 0; i < 20; i++) {
		dead[i] = open_socket(t, AF_INET);
		expect(soq_close(dead[i]), 0);
	}
	settle(t);
	for (int i = 0; i < 20; i++)
		live[i] = open_socket(t, AF_INET);

	for (int i = 0; i < 20; i++)
		expect(soq_close(dead[i]), -EBADF);
	for (int i = 0; i < 20; i++)
		expect(soq_close(live[i]), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(close_with_nothing_pending_gives_the_peer_an_end, "13c"),
	CASE(closed_handle_is_dead_at_once, "13b 15a"),
	CASE(each_way_of_closing_ends_pending_receives, "13a 6a 13e"),
	CASE(exact_receive_half_full_ends_with_its_count, "6c 13a"),
	CASE(close_of_a_listener_ends_each_accept, "13a 6a"),
	CASE(close_that_cuts_a_send_resets, "13a 13c 6c"),
	CASE(close_after_a_send_cut_short_gives_an_end, "13c 10b"),
	CASE(close_ends_a_pending_shutdown, "13a"),
	CASE(close_event_is_the_last_and_frees_the_port, "13e"),
	CASE(close_async_cannot_be_canceled_and_has_no_deadline, "13e"),
	CASE(done_may_close_its_own_socket, "4a 13a"),
	CASE(done_may_close_the_socket_of_a_waiting_event, "4a"),
	CASE(abort_resets, "13g"),
	CASE(each_way_of_closing_cuts_a_parked_send_and_resets, "13a 13c 6c 13f 13g"),
	CASE(each_way_of_closing_ends_a_connect_in_flight, "13a 6a"),
	CASE(each_way_of_closing_aborts_arrivals_nobody_took, "13d"),
	SYNC_CASE(close_with_unread_bytes_resets, "13c"),
	CASE(done_may_close_a_socket_with_everything_pending, "4a 13a"),
	CASE(thousand_sockets_leave_no_trace, "1b 15a"),
	CASE(dead_handles_stay_dead_while_others_are_opened, "15a"),
	CASE(reopened_sockets_get_no_event_of_closed_ones, "1b 15a"),
};

CONF_GROUP(close, cases)
