/* SPDX-License-Identifier: MIT */
/* Several polls of one socket, polls beside the lanes, and polls that go on telling. */
#define _GNU_SOURCE
#include "support.h"

static void polls_of_one_socket_tell_each_its_own(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *recv = probe(t), *send = probe(t), *end = probe(t), *both = probe(t);

	started(recv, soq_poll_async(s, &recv->op, SOQ_POLL_RECV, 0));
	started(send, soq_poll_async(s, &send->op, SOQ_POLL_SEND, 0));
	started(end, soq_poll_async(s, &end->op, SOQ_POLL_PEER_END, 0));
	started(both, soq_poll_async(s, &both->op, SOQ_POLL_RECV | SOQ_POLL_SEND, 0));
	run_until(t, finished(send) && finished(both));
	expect_end(send, SOQ_POLL_SEND, 0);
	expect_end(both, SOQ_POLL_SEND, 0);
	settle(t);
	expect(recv->events + end->events, 0);
	raw_send(fd, "x", 1);
	await(t, recv);
	expect_end(recv, SOQ_POLL_RECV, 0);
	settle(t);
	expect(end->events, 0);
	raw_fin(fd);
	await(t, end);
	expect_end(end, SOQ_POLL_PEER_END, 0);
	expect(soq_abort(s), 0);
	close(fd);
}

static void poll_joins_one_that_waits_for_less(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *end = probe(t), *recv = probe(t), *send = probe(t);

	started(end, soq_poll_async(s, &end->op, SOQ_POLL_PEER_END, 0));
	settle(t);
	started(recv, soq_poll_async(s, &recv->op, SOQ_POLL_RECV, 0));
	settle(t);
	started(send, soq_poll_async(s, &send->op, SOQ_POLL_SEND, 0));
	await(t, send);
	expect_end(send, SOQ_POLL_SEND, 0);
	expect(end->events + recv->events, 0);
	expect(soq_poll(s, SOQ_POLL_SEND, 0), SOQ_POLL_SEND);
	raw_send(fd, "x", 1);
	await(t, recv);
	expect_end(recv, SOQ_POLL_RECV, 0);
	expect(end->events, 0);
	raw_fin(fd);
	await(t, end);
	expect(soq_abort(s), 0);
	close(fd);
}

static void canceled_poll_leaves_the_other(struct fixture *t)
{
	for (unsigned i = 0; i < 4; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *p[2] = { probe(t), probe(t) };

		for (unsigned k = 0; k < 2; k++)
			started(p[k], soq_poll_async(s, &p[k]->op, SOQ_POLL_RECV, 0));
		if (i % 2)
			settle(t);
		expect(soq_cancel(&p[i / 2]->op), 0);
		await(t, p[i / 2]);
		expect_end(p[i / 2], -ECANCELED, 0);
		settle(t);
		raw_send(fd, "x", 1);
		await(t, p[!(i / 2)]);
		expect_end(p[!(i / 2)], SOQ_POLL_RECV, 0);
		expect(soq_abort(s), 0);
		close(fd);
	}
}

static void polls_are_in_no_lane(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *received = probe(t), *sent = probe(t), *p = probe(t), *room = probe(t);
	char *big = malloc(BIG_BYTES), in[4];

	/* Both lanes are busy, and stay so. */
	fill(big, BIG_BYTES, 1, 0);
	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	started(received, soq_recv_async(s, &received->op, in, 4, SOQ_EXACT));
	settle(t);
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_PEER_END, 0));
	started(room, soq_poll_async(s, &room->op, SOQ_POLL_SEND, 0));
	settle(t);
	expect(p->events + received->events + sent->events, 0);
	raw_send(fd, "four more", 9);
	await(t, received);
	expect_end(received, 4, 0);
	expect(soq_poll(s, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	raw_fin(fd);
	await(t, p);
	expect_true(p->result & SOQ_POLL_PEER_END);
	expect(sent->events, 0);
	expect(soq_abort(s), 0);
	await(t, sent);
	await(t, room);
	close(fd);
	free(big);
}

static void poll_ends_though_a_receive_was_queued_before(struct fixture *t)
{
	for (unsigned settled = 0; settled < 2; settled++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *received[2] = { probe(t), probe(t) }, *p = probe(t);
		char in[2][8];

		started(received[0], soq_recv_async(s, &received[0]->op, in[0], 8, SOQ_EXACT));
		started(received[1], soq_recv_async(s, &received[1]->op, in[1], 8, 0));
		if (settled)
			settle(t);
		started(p, soq_poll_async(s, &p->op, SOQ_POLL_SEND, 0));
		await(t, p);
		expect_end(p, SOQ_POLL_SEND, 0);
		expect(received[0]->events + received[1]->events, 0);
		expect(soq_abort(s), 0);
		await(t, received[1]);
		close(fd);
	}
}

static void multishot_tells_as_long_as_it_is_there(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	unsigned events;
	char in[4];

	started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, SOQ_MULTISHOT));
	settle(t);
	expect(p->events, 0);
	for (unsigned round = 0; round < 3; round++) {
		raw_send(fd, "xy", 2);
		/* Nobody receives: it tells again and again. */
		for (unsigned k = 0; k < 4; k++) {
			events = p->events;
			run_until(t, p->events > events);
			expect(p->result, SOQ_POLL_RECV);
			expect(p->flags, SOQ_F_MORE);
		}
		expect(soq_recv(s, in, 1, 0), 1);
		events = p->events;
		run_until(t, p->events > events + 1);
		expect(soq_recv(s, in, 4, 0), 1);
		/* An event of before may be under way. */
		settle(t);
		events = p->events;
		settle(t);
		expect(p->events, events);
	}
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_abort(s), 0);
	close(fd);
}

static void one_event_of_a_multishot_waits_at_most(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe_quiet(t);

	started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV | SOQ_POLL_SEND, SOQ_MULTISHOT));
	for (unsigned k = 0; k < 5; k++) {
		raw_send(fd, "x", 1);
		settle(t);
		expect(stats_of(t).events_waiting, 1);
	}
	for (unsigned k = 0; k < 3; k++) {
		expect_true(wait_end(p) > 0);
		expect(p->flags, SOQ_F_MORE);
	}
	expect(p->result, SOQ_POLL_RECV | SOQ_POLL_SEND);
	settle(t);
	expect(soq_cancel(&p->op), 0);
	/* What was told before the cancel is still delivered. */
	expect(stats_of(t).events_waiting, 2);
	expect(wait_end(p), SOQ_POLL_RECV | SOQ_POLL_SEND);
	expect(wait_end(p), -ECANCELED);
	expect(soq_abort(s), 0);
	close(fd);
}

static void multishot_that_rests_hides_nothing_from_others(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *rests = probe_quiet(t), *p = probe(t);

	started(rests, soq_poll_async(s, &rests->op, SOQ_POLL_SEND, SOQ_MULTISHOT));
	settle(t);
	expect(stats_of(t).events_waiting, 1);
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_SEND, 0));
	await(t, p);
	expect_end(p, SOQ_POLL_SEND, 0);
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
	settle(t);
	raw_send(fd, "x", 1);
	await(t, p);
	expect_end(p, SOQ_POLL_RECV, 0);
	expect(soq_close(s), 0);
	expect(wait_end(rests), SOQ_POLL_SEND);
	expect(wait_end(rests), -ECANCELED);
	close(fd);
}

static void multishot_ends_at_its_deadline(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);

	p->op.deadline_ns = now_ns() + 10 * MS;
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_SEND, SOQ_MULTISHOT));
	await(t, p);
	expect_end(p, -ETIMEDOUT, 0);
	expect_true(p->events > 1);
	expect(soq_abort(s), 0);
	close(fd);
}

static void poll_again(struct probe *p, const struct soq_event *event)
{
	struct soq_socket *s = p->arg;

	(void)event;
	if (p->events < 5)
		again(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
	else
		p->start_error = soq_close(s);
}

static void done_may_poll_again_and_close(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t), *other = probe(t);

	p->then = poll_again;
	p->arg = s;
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
	started(other, soq_poll_async(s, &other->op, SOQ_POLL_PEER_END, SOQ_MULTISHOT));
	raw_send(fd, "x", 1);
	run_until(t, finished(p) && finished(other));
	expect_end(p, SOQ_POLL_RECV, 0);
	expect(p->events, 5);
	expect(p->start_error, 0);
	expect_end(other, -ECANCELED, 0);
	expect(soq_close(s), -EBADF);
	close(fd);
}

static void sockets_in_a_row_get_no_poll_of_the_one_before(struct fixture *t)
{
	for (unsigned i = 0; i < 200; i++) {
		struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
		struct probe *old = probe(t), *p = probe(t);

		/* The kernel's answer comes while the next one lives. */
		started(old,
			soq_poll_async(s, &old->op, SOQ_POLL_RECV | (i % 2 ? SOQ_POLL_SEND : 0),
				       i % 3 ? SOQ_MULTISHOT : 0));
		if (i % 4)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		expect(soq_close(s), 0);
		s = open_socket_of(t, AF_INET, SOCK_DGRAM);
		started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
		await(t, old);
		settle(t);
		expect(p->events, 0);
		expect(soq_close(s), 0);
		await(t, p);
		expect_end(p, -ECANCELED, 0);
	}
}

static void polling_in_steady_state_allocates_nothing(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	uint64_t allocations = 0;
	char in[4];

	for (unsigned i = 0; i < 300; i++) {
		started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
		raw_send(fd, "x", 1);
		await(t, p);
		expect_end(p, SOQ_POLL_RECV, 0);
		expect(soq_recv(s, in, 4, 0), 1);
		expect(soq_poll(s, SOQ_POLL_SEND, 0), SOQ_POLL_SEND);
		if (i == 0)
			allocations = t->memory.allocations;
	}
	expect(t->memory.allocations, allocations);
	expect(soq_abort(s), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(polls_of_one_socket_tell_each_its_own, "11e"),
	CASE(poll_joins_one_that_waits_for_less, "11e"),
	CASE(canceled_poll_leaves_the_other, "6a"),
	CASE(polls_are_in_no_lane, "11e"),
	CASE(poll_ends_though_a_receive_was_queued_before, "11e"),
	CASE(multishot_tells_as_long_as_it_is_there, "1c 11g"),
	CASE(one_event_of_a_multishot_waits_at_most, "1c 2c 11g 14a"),
	CASE(multishot_that_rests_hides_nothing_from_others, "11g"),
	CASE(multishot_ends_at_its_deadline, "6b"),
	CASE(done_may_poll_again_and_close, "4a 13a"),
	CASE(sockets_in_a_row_get_no_poll_of_the_one_before, "1b"),
	CASE(polling_in_steady_state_allocates_nothing, "19a"),
};

CONF_GROUP(poll_many, cases)
