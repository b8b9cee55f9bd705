/* SPDX-License-Identifier: MIT */
/* Synchronous calls: every one of them, their timeouts, inside done(), and the cause after. */
#define _GNU_SOURCE
#include "support.h"

static void whole_conversation_is_synchronous(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep;
		int fd, listener = raw_listener(families[i], 1, 0, &ep);
		struct soq_socket *s = open_socket(t, families[i]);
		struct iovec out[2] = { { "ab", 2 }, { "cd", 2 } };
		char in[8];
		struct iovec room[2] = { { in, 1 }, { in + 1, 7 } };

		expect(soq_connect(s, &ep), 0);
		fd = raw_accept(listener);
		expect(soq_send(s, "hello", 5, 0), 5);
		expect(soq_sendv(s, out, 2, 0), 4);
		expect(raw_recv(t, fd, in, 8), 8);
		expect(raw_recv(t, fd, in, 8), 1);
		raw_send(fd, "12345678", 8);
		expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
		expect(soq_recvv(s, room, 2, 0), 4);
		expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
		expect(raw_recv(t, fd, in, 8), 0);
		raw_fin(fd);
		expect(soq_recv(s, in, 8, 0), 0);
		expect(soq_finish(s, FOREVER), 0);
		close(fd);
		close(listener);
	}
}

static void recv_times_out_with_nothing(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	int64_t begin = now_ns();
	char in[4];

	expect(soq_socket_set_timeouts(s, 3 * MS, FOREVER), 0);
	expect(soq_recv(s, in, 4, 0), -ETIMEDOUT);
	expect_true(now_ns() - begin >= 3 * MS);

	raw_send(fd, "late", 4);
	expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
	assert_memory_equal(in, "late", 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void zero_timeout_takes_only_what_is_there(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[4];

	expect(soq_socket_set_timeouts(s, 0, 0), 0);
	expect(soq_recv(s, in, 4, 0), -ETIMEDOUT);
	raw_send(fd, "here", 4);
	expect(soq_recv(s, in, 4, 0), 4);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(soq_recv(s, in, 4, 0), -ETIMEDOUT);
	expect(soq_close(s), 0);
	close(fd);
}

static void send_cut_by_its_timeout_returns_the_count_then_the_cause(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	char *big = malloc(BIG_BYTES);
	int64_t sent;

	fill(big, BIG_BYTES, 1, 0);
	expect(soq_socket_set_timeouts(s, FOREVER, 5 * MS), 0);
	sent = soq_send(s, big, BIG_BYTES, 0);
	expect_true(sent > 0 && sent < (int64_t)BIG_BYTES);
	expect(soq_send(s, big + sent, BIG_BYTES - (size_t)sent, 0), -ETIMEDOUT);

	raw_take(t, fd, 1, 0, (uint64_t)sent);
	expect(soq_send(s, big + sent, 1000, 0), 1000);
	raw_take(t, fd, 1, (uint64_t)sent, 1000);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void exact_recv_cut_by_its_timeout_returns_the_count_then_the_cause(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[10];

	expect(soq_socket_set_timeouts(s, 5 * MS, FOREVER), 0);
	raw_send(fd, "four", 4);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 4);
	raw_send(fd, "more", 4);
	expect(soq_recv(s, in, 10, 0), -ETIMEDOUT);

	expect(soq_recv(s, in, 10, 0), 4);
	assert_memory_equal(in, "more", 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void exact_recv_cut_by_a_reset_returns_the_count_then_the_cause(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[10];

	raw_send(fd, "four", 4);
	raw_reset(fd);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 4);
	expect(soq_recv(s, in, 10, SOQ_EXACT), -ECONNRESET);
	expect(soq_recv(s, in, 10, 0), -ECONNRESET);
	expect(soq_close(s), 0);
}

static void exact_recv_cut_by_the_end_returns_the_count_then_zero(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[10];

	raw_send(fd, "four", 4);
	raw_fin(fd);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 4);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 0);
	expect(soq_recv(s, in, 10, 0), 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void other_ops_make_progress_during_a_sync_call(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *sent = probe(t), *received = probe_quiet(t);
	char in[4], other[4];
	int fd;
	struct soq_socket *idle = pair_raw(t, AF_INET, &fd);

	pair_soq(t, AF_INET, &a, &b);
	started(sent, soq_send_async(a, &sent->op, "ping", 4, 0));
	started(received, soq_recv_async(b, &received->op, in, 4, SOQ_EXACT));
	expect(soq_socket_set_timeouts(idle, 10 * MS, FOREVER), 0);
	expect(soq_recv(idle, other, 4, 0), -ETIMEDOUT);
	expect(sent->events, 0);
	expect(stats_of(t).events_waiting, 2);

	expect(wait_end(received), 4);
	await(t, sent);
	expect_end(sent, 4, 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	expect(soq_close(idle), 0);
	close(fd);
}

struct talk {
	struct soq_socket *s, *listener;
	int64_t sent, received, slept, refused;
	unsigned other_events;
	struct probe *other;
};

static void talk_in_done(struct probe *p, const struct soq_event *event)
{
	struct talk *talk = p->arg;
	char in[4];

	(void)event;
	talk->sent = soq_send(talk->s, "ping", 4, 0);
	talk->received = soq_recv(talk->s, in, 4, SOQ_EXACT);
	talk->slept = soq_sleep(p->t->loop, 2 * MS);
	talk->refused = soq_recv(talk->s, in, 0, 0);
	talk->other_events = talk->other->events;
}

static void sync_calls_inside_done_are_legal(struct fixture *t)
{
	int fd;
	struct talk talk = { .s = pair_raw(t, AF_INET, &fd) };
	struct probe *p = probe(t), *other = probe(t);
	char in[4];

	talk.other = other;
	p->then = talk_in_done;
	p->arg = &talk;
	started(p, soq_sleep_async(t->loop, &p->op, 0));
	started(other, soq_sleep_async(t->loop, &other->op, MS));
	raw_send(fd, "pong", 4);
	await(t, p);
	await(t, other);

	expect(talk.sent, 4);
	expect(talk.received, 4);
	expect(talk.slept, 0);
	expect(talk.refused, -EINVAL);
	expect(talk.other_events, 0);
	expect(raw_recv(t, fd, in, 4), 4);
	expect(soq_close(talk.s), 0);
	close(fd);
}

static void wait_for_another(struct probe *p, const struct soq_event *event)
{
	struct probe *quiet = p->arg;
	struct soq_event other;

	(void)event;
	p->start_error = soq_wait(&quiet->op, FOREVER, &other);
	if (!p->start_error)
		record(&other);
}

static void wait_inside_done_is_legal(struct fixture *t)
{
	struct probe *p = probe(t), *quiet = probe_quiet(t);

	p->then = wait_for_another;
	p->arg = quiet;
	started(quiet, soq_sleep_async(t->loop, &quiet->op, 2 * MS));
	started(p, soq_sleep_async(t->loop, &p->op, 0));
	await(t, p);

	expect(p->start_error, 0);
	expect_end(quiet, 0, 0);
}

static void shutdown_honours_the_send_timeout(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t);
	char *big = malloc(BIG_BYTES);

	fill(big, BIG_BYTES, 1, 0);
	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	expect(soq_socket_set_timeouts(s, FOREVER, 5 * MS), 0);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), -ETIMEDOUT);
	expect(sent->events, 0);
	raw_take(t, fd, 1, 0, BIG_BYTES);
	await(t, sent);

	expect_end(sent, BIG_BYTES, 0);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void sync_recv_waits_behind_async_receives(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char first[4], second[4];

	started(p, soq_recv_async(s, &p->op, first, 4, SOQ_EXACT));
	expect(soq_socket_set_timeouts(s, 3 * MS, FOREVER), 0);
	expect(soq_recv(s, second, 4, 0), -ETIMEDOUT);
	raw_send(fd, "firsecon", 8);
	expect(soq_recv(s, second, 4, SOQ_EXACT), 4);
	assert_memory_equal(second, "econ", 4);
	await(t, p);

	expect_end(p, 4, 0);
	assert_memory_equal(first, "firs", 4);
	expect(soq_close(s), 0);
	close(fd);
}

/* Its done() must not run while a synchronous call does. */
static void bystander_start(struct fixture *t, struct probe *p)
{
	started(p, soq_sleep_async(t->loop, &p->op, 0));
}

/* The call waited, the bystander's event was made meanwhile, and nobody told it. */
static void bystander_end(struct fixture *t, struct probe *p)
{
	expect(p->finals + 1, p->starts);
	await(t, p);
	expect_end(p, 0, 0);
}

/* Each call can end only if an op on the other side of the same loop makes progress. */
static void each_sync_call_lets_others_move_and_runs_no_done(struct fixture *t)
{
	struct probe *idle = probe(t), *p = probe(t), *peer_end = probe(t);
	struct iovec two[2] = { { "ab", 2 }, { "cd", 2 } };
	struct soq_socket *a = open_socket(t, AF_INET), *b = NULL;
	struct soq_endpoint ep, peer;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	char in[8];
	struct iovec room[2] = { { in, 3 }, { in + 3, 1 } };

	bystander_start(t, idle);
	started(p, soq_connect_async(a, &p->op, &ep));
	expect(soq_accept(listener, &b, &peer), 0);
	expect(p->events, 0);
	bystander_end(t, idle);
	await(t, p);
	expect_end(p, 0, 0);

	bystander_start(t, idle);
	started(p, soq_send_async(b, &p->op, "12345678", 8, 0));
	expect(soq_recv(a, in, 4, SOQ_PEEK), 4);
	expect(soq_recv(a, in, 4, SOQ_EXACT), 4);
	assert_memory_equal(in, "1234", 4);
	expect(soq_recvv(a, room, 2, 0), 4);
	assert_memory_equal(in, "5678", 4);
	expect(p->events, 1);
	bystander_end(t, idle);
	await(t, p);

	bystander_start(t, idle);
	started(p, soq_recv_async(b, &p->op, in, 8, SOQ_EXACT));
	expect(soq_sendv(a, two, 2, 0), 4);
	expect(soq_send(a, "efgh", 4, 0), 4);
	expect(soq_sleep(t->loop, 2 * MS), 0);
	expect(p->events, 2);
	bystander_end(t, idle);
	await(t, p);
	expect_end(p, 8, 0);
	assert_memory_equal(in, "abcdefgh", 8);

	bystander_start(t, idle);
	started(p, soq_recv_async(b, &p->op, in, 8, 0));
	started(peer_end, soq_shutdown_async(b, &peer_end->op, SOQ_SHUTDOWN_SEND));
	expect(soq_shutdown(a, SOQ_SHUTDOWN_SEND), 0);
	expect(soq_finish(a, FOREVER), 0);
	expect(peer_end->events, 0);
	bystander_end(t, idle);
	await(t, p);
	await(t, peer_end);
	expect_end(p, 0, 0);
	expect(soq_close(b), 0);
	expect(soq_close(listener), 0);
}

static void sync_connect_and_big_send_meet_async_peers(struct fixture *t)
{
	struct probe *accepted = probe(t), *received = probe(t), *idle = probe(t);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	char *out = malloc(BIG_BYTES), *in = malloc(BIG_BYTES);

	bystander_start(t, idle);
	started(accepted, soq_accept_async(listener, &accepted->op, 0));
	expect(soq_connect(s, &ep), 0);
	expect(soq_sleep(t->loop, MS), 0);
	expect(accepted->events, 0);
	bystander_end(t, idle);
	await(t, accepted);

	fill(out, BIG_BYTES, 3, 0);
	bystander_start(t, idle);
	started(received,
		soq_recv_async(accepted->socket, &received->op, in, BIG_BYTES, SOQ_EXACT));
	expect(soq_send(s, out, BIG_BYTES, 0), BIG_BYTES);
	expect(received->events, 0);
	bystander_end(t, idle);
	await(t, received);

	expect_end(received, BIG_BYTES, 0);
	expect_true(is_filled(in, BIG_BYTES, 3, 0));
	expect(soq_close(s), 0);
	expect(soq_close(accepted->socket), 0);
	expect(soq_close(listener), 0);
	free(out);
	free(in);
}

static void connect_honours_the_send_timeout(struct fixture *t)
{
	static const int64_t timeouts[] = { 0, 3 * MS };

	for (unsigned i = 0; i < COUNT_OF(timeouts); i++) {
		struct full_listener full;
		struct soq_socket *s = open_socket(t, AF_INET);
		int64_t begin = now_ns();

		full_listener_open(AF_INET, &full);
		expect(soq_socket_set_timeouts(s, FOREVER, timeouts[i]), 0);
		expect(soq_connect(s, &full.ep), -ETIMEDOUT);
		expect_true(now_ns() - begin >= timeouts[i]);
		/* Cut short: only closing is left. */
		expect(soq_connect(s, &full.ep), -EALREADY);
		expect(soq_close(s), 0);
		full_listener_close(&full);
	}
}

static void negative_timeout_waits_until_it_comes(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *sent = probe(t);
	char in[4];

	pair_soq(t, AF_INET, &a, &b);
	expect(soq_socket_set_timeouts(a, 2 * MS, 2 * MS), 0);
	expect(soq_recv(a, in, 4, 0), -ETIMEDOUT);
	expect(soq_socket_set_timeouts(a, -5, INT64_MIN), 0);
	/* Nothing but the send below can end it. */
	started(sent, soq_send_async(b, &sent->op, "late", 4, 0));
	expect(soq_recv(a, in, 4, 0), 4);
	expect(soq_send(a, "x", 1, 0), 1);
	expect(soq_socket_set_timeouts(a, INT64_MAX, INT64_MAX), 0);
	expect(soq_recv(b, in, 4, 0), 1);
	await(t, sent);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void zero_bytes_are_a_send_and_no_receive(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct iovec none[2] = { { NULL, 0 }, { NULL, 0 } };
	char in[4];

	expect(soq_send(s, NULL, 0, 0), 0);
	expect(soq_sendv(s, none, 2, 0), 0);
	expect(soq_recv(s, in, 0, 0), -EINVAL);
	expect(soq_recv(s, in, 0, SOQ_EXACT), -EINVAL);
	expect(soq_recv(s, in, 0, SOQ_PEEK), -EINVAL);
	expect(soq_recvv(s, none, 2, 0), -EINVAL);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(raw_recv(t, fd, in, 4), 1);
	expect(soq_close(s), 0);
	close(fd);
}

static void sync_accept_keeps_its_place(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	struct probe *first = probe(t), *all = probe(t);
	int fds[2] = { raw_connect(&ep), raw_connect(&ep) };
	char in;

	started(first, soq_accept_async(listener, &first->op, 0));
	expect(soq_accept(listener, &out, NULL), 0);
	expect(first->events, 0);
	await(t, first);
	raw_send(fds[0], "1", 1);
	raw_send(fds[1], "2", 1);
	expect(soq_recv(first->socket, &in, 1, 0), 1);
	expect(in, '1');
	expect(soq_recv(out, &in, 1, 0), 1);
	expect(in, '2');
	expect(soq_close(first->socket), 0);
	expect(soq_close(out), 0);

	started(all, soq_accept_async(listener, &all->op, SOQ_MULTISHOT));
	expect(soq_accept(listener, &out, NULL), -EBUSY);
	expect(soq_cancel(&all->op), 0);
	await(t, all);
	expect(soq_socket_set_timeouts(listener, 0, FOREVER), 0);
	expect(soq_accept(listener, &out, NULL), -ETIMEDOUT);
	expect(soq_close(listener), 0);
	close(fds[0]);
	close(fds[1]);
}

static void sync_send_keeps_its_place(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p[10];
	char stream[110];
	uint64_t bytes;

	fill(stream, sizeof(stream), 5, 0);
	for (int i = 0; i < 10; i++) {
		p[i] = probe(t);
		started(p[i], soq_send_async(s, &p[i]->op, stream + 10 * i, 10, 0));
	}
	expect(soq_send(s, stream + 100, 10, 0), 10);
	for (int i = 0; i < 10; i++)
		expect(p[i]->events, 0);
	for (int i = 0; i < 10; i++) {
		await(t, p[i]);
		expect_end(p[i], 10, 0);
	}
	expect(soq_close(s), 0);

	expect(raw_drain(t, fd, 5, &bytes), 0);
	expect(bytes, sizeof(stream));
	close(fd);
}

static void sync_recv_keeps_its_place(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p[3];
	char in[4];

	raw_send(fd, "0123", 4);
	/* None of them has met the kernel when the call comes, and it needs them all. */
	for (int i = 0; i < 3; i++) {
		p[i] = probe(t);
		started(p[i], soq_recv_async(s, &p[i]->op, &in[i], 1, 0));
	}
	expect(soq_recv(s, &in[3], 1, 0), 1);
	for (int i = 0; i < 3; i++)
		await(t, p[i]);

	assert_memory_equal(in, "0123", 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void cause_of_one_lane_does_not_reach_the_other(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[10];

	expect(soq_socket_set_timeouts(s, 2 * MS, 2 * MS), 0);
	raw_send(fd, "four", 4);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 4);
	expect(soq_send(s, "out", 3, 0), 3);
	expect(soq_recv(s, in, 10, SOQ_EXACT), -ETIMEDOUT);
	raw_send(fd, "0123456789", 10);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 10);
	assert_memory_equal(in, "0123456789", 10);
	expect(raw_recv(t, fd, in, 10), 3);
	expect(soq_close(s), 0);
	close(fd);
}

static void end_of_receiving_leaves_the_cause_of_a_send(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	char *big = calloc(1, BIG_BYTES), in;
	int64_t sent;

	expect(soq_socket_set_timeouts(s, FOREVER, 5 * MS), 0);
	sent = soq_send(s, big, BIG_BYTES, 0);
	expect_true(sent > 0 && sent < (int64_t)BIG_BYTES);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_RECV), 0);
	expect(soq_recv(s, &in, 1, 0), 0);
	expect(soq_send(s, big, 1, 0), -ETIMEDOUT);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static const struct conf_case cases[] = {
	SYNC_CASE(whole_conversation_is_synchronous, "20a"),
	SYNC_CASE(recv_times_out_with_nothing, "20a 6b"),
	SYNC_CASE(zero_timeout_takes_only_what_is_there, "20a 3c"),
	SYNC_CASE(send_cut_by_its_timeout_returns_the_count_then_the_cause, "6d"),
	SYNC_CASE(exact_recv_cut_by_its_timeout_returns_the_count_then_the_cause, "6d"),
	SYNC_CASE(exact_recv_cut_by_a_reset_returns_the_count_then_the_cause, "6d 7a 7c"),
	SYNC_CASE(exact_recv_cut_by_the_end_returns_the_count_then_zero, "6d 7b 7c"),
	CASE(other_ops_make_progress_during_a_sync_call, "2a 20b"),
	CASE(sync_calls_inside_done_are_legal, "2f"),
	CASE(wait_inside_done_is_legal, "2f"),
	CASE(shutdown_honours_the_send_timeout, "20a"),
	CASE(sync_recv_waits_behind_async_receives, "20b"),
	CASE(each_sync_call_lets_others_move_and_runs_no_done, "2a 20a 20b"),
	CASE(sync_connect_and_big_send_meet_async_peers, "2a 20a 20b"),
	SYNC_CASE(connect_honours_the_send_timeout, "6b 14b 20a"),
	CASE(negative_timeout_waits_until_it_comes, "3c 20a"),
	SYNC_CASE(zero_bytes_are_a_send_and_no_receive, "8a 8b"),
	CASE(sync_accept_keeps_its_place, "9b 12b 20b"),
	CASE(sync_send_keeps_its_place, "9a 20b"),
	CASE(sync_recv_keeps_its_place, "9b 20b"),
	SYNC_CASE(cause_of_one_lane_does_not_reach_the_other, "6d"),
	SYNC_CASE(end_of_receiving_leaves_the_cause_of_a_send, "6d"),
};

CONF_GROUP(sync, cases)
