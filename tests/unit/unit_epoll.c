/* SPDX-License-Identifier: MIT */
/*
 * The fallback's latch: a direction counts as ready until a try said no, and an
 * edge nobody waits for is kept. Real sockets; the edges are fed by hand where the
 * order matters.
 */
#include "unit.h"

#include "epoll.h"

#include <soq/soq.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct rig {
	struct soq_loop *loop;
	struct soq_socket *a;
	struct soq_socket *b;
	struct soq_op op;
	struct soq_op op2;
	char bytes[64];
};

static int set_up(void **state)
{
	static struct rig rig;
	const struct soq_loop_options options = { .size = sizeof(options),
						  .backend = SOQ_BACKEND_EPOLL };
	struct soq_socket *listener;
	struct soq_endpoint ep;

	memset(&rig, 0, sizeof(rig));
	if (soq_loop_create(&options, &rig.loop) != 0 ||
	    soq_endpoint_loopback(AF_INET, 0, &ep) != 0 ||
	    soq_socket_open(rig.loop, AF_INET, SOCK_STREAM, 0, &listener) != 0 ||
	    soq_bind(listener, &ep) != 0 || soq_listen(listener, 1) != 0 ||
	    soq_socket_local(listener, &ep) != 0 ||
	    soq_socket_open(rig.loop, AF_INET, SOCK_STREAM, 0, &rig.a) != 0 ||
	    soq_connect(rig.a, &ep) != 0 || soq_accept(listener, &rig.b, NULL) != 0 ||
	    soq_close(listener) != 0 || soq_loop_run(rig.loop, SOQ_RUN_IDLE, -1) < 0)
		return -1;
	*state = &rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	struct soq_event event;

	if (soq_loop_close_all(rig->loop) != 0)
		return -1;
	while (soq_wait(&rig->op, -1, &event) == 0 || soq_wait(&rig->op2, -1, &event) == 0)
		continue; /* -ENOENT: it is not in flight */
	(void)soq_loop_run(rig->loop, SOQ_RUN_IDLE, -1);
	return soq_loop_destroy(rig->loop);
}

static void turn(struct rig *rig)
{
	assert_true(soq_loop_run(rig->loop, SOQ_RUN_ONCE, 0) >= 0);
}

static uint64_t tries(const struct rig *rig)
{
	return rig->loop->stats.requests;
}

/* Starts a receive that finds nothing: it is parked, its direction blocked. */
static void park_receive(struct rig *rig)
{
	assert_int_equal(soq_recv_async(rig->b, &rig->op, rig->bytes, 10, 0), 0);
	turn(rig);
	turn(rig);
	assert_true(rig->b->lane[SOQI_LANE_RECV].in_kernel);
	assert_true(rig->b->backend_bits & SOQI_EPOLL_BLOCKED_RECV);
}

/* Fills the connection until a send is parked. */
static void park_send(struct rig *rig)
{
	static char much[1 << 20];
	int64_t sent = 0;

	assert_int_equal(soq_socket_set_timeouts(rig->b, -1, 0), 0);
	while (sent >= 0)
		sent = soq_send(rig->b, much, sizeof(much), 0);
	assert_int_equal(sent, -ETIMEDOUT);
	assert_int_equal(soq_send_async(rig->b, &rig->op2, much, 1, 0), 0);
	turn(rig);
	turn(rig);
	assert_true(rig->b->lane[SOQI_LANE_SEND].in_kernel);
	assert_true(rig->b->backend_bits & SOQI_EPOLL_BLOCKED_SEND);
}

/* Every combination of what epoll can say, for every combination of parked lanes. */
static void each_event_wakes_the_lanes_it_concerns_and_no_other(void **state)
{
	static const uint32_t flags[] = { EPOLLIN,  EPOLLOUT, EPOLLRDHUP,
					  EPOLLHUP, EPOLLERR, EPOLLPRI };
	struct rig *rig = *state;
	struct soq_socket *s = rig->b;
	const uint32_t both = SOQI_EPOLL_BLOCKED_RECV | SOQI_EPOLL_BLOCKED_SEND;

	park_receive(rig);
	park_send(rig);
	for (unsigned mask = 0; mask < 1u << 6; mask++) {
		for (unsigned parked = 0; parked < 4; parked++) {
			uint32_t events = 0;
			bool readable;
			bool writable;
			bool hup;

			for (unsigned i = 0; i < 6; i++)
				events |= mask & 1u << i ? flags[i] : 0;
			hup = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
			readable = hup || (events & EPOLLIN);
			writable = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
			s->backend_bits = SOQI_EPOLL_REGISTERED | both;
			s->lane[0].in_kernel = parked & 1;
			s->lane[1].in_kernel = parked & 2;

			soqi_epoll_event(rig->loop, s, events);
			assert_int_equal(s->lane[0].settled, (parked & 1) && readable);
			assert_int_equal(s->lane[1].settled, (parked & 2) && writable);
			assert_int_equal(s->backend_bits,
					 SOQI_EPOLL_REGISTERED |
						 (readable ? 0 : SOQI_EPOLL_BLOCKED_RECV) |
						 (writable ? 0 : SOQI_EPOLL_BLOCKED_SEND) |
						 (hup || (events & EPOLLPRI) ? SOQI_EPOLL_HUP : 0));
			/* Put both back as they were: parked, on no list. */
			rig->loop->settled_first = NULL;
			rig->loop->settled_last = NULL;
			rig->loop->in_kernel = 2;
			for (unsigned i = 0; i < 2; i++) {
				s->lane[i].settled = false;
				s->lane[i].in_kernel = true;
			}
		}
	}
	s->backend_bits = SOQI_EPOLL_REGISTERED | both;
}

static void an_edge_nobody_waits_for_is_kept(void **state)
{
	struct rig *rig = *state;
	struct soq_event event;

	park_receive(rig);
	assert_int_equal(soq_cancel(&rig->op), 0);
	assert_int_equal(soq_wait(&rig->op, -1, &event), 0);
	assert_int_equal(event.result, -ECANCELED);
	assert_true(rig->b->backend_bits & SOQI_EPOLL_BLOCKED_RECV);

	assert_int_equal(soq_send(rig->a, "12345", 5, 0), 5);
	turn(rig); /* the edge comes while no receive is there */
	assert_false(rig->b->backend_bits & SOQI_EPOLL_BLOCKED_RECV);
	assert_int_equal(soq_recv(rig->b, rig->bytes, 10, 0), 5);
}

static void a_false_wake_costs_one_try_and_parks_again(void **state)
{
	struct rig *rig = *state;
	uint64_t before;

	park_receive(rig);
	for (int i = 0; i < 3; i++) {
		before = tries(rig);
		soqi_epoll_event(rig->loop, rig->b, EPOLLIN);
		turn(rig);
		turn(rig);
		turn(rig);
		assert_int_equal(tries(rig), before + 1);
		assert_true(rig->b->lane[SOQI_LANE_RECV].in_kernel);
		assert_true(rig->b->backend_bits & SOQI_EPOLL_BLOCKED_RECV);
	}
}

static void a_blocked_direction_is_not_tried_until_its_edge(void **state)
{
	struct rig *rig = *state;
	struct soq_event event;
	uint64_t before;

	park_receive(rig);
	before = tries(rig);
	assert_int_equal(soq_recv_async(rig->b, &rig->op2, rig->bytes + 10, 10, 0), 0);
	for (int i = 0; i < 5; i++)
		turn(rig);
	assert_int_equal(soq_cancel(&rig->op), 0);
	for (int i = 0; i < 5; i++)
		turn(rig);
	assert_int_equal(tries(rig), before);
	assert_int_equal(soq_send(rig->a, "x", 1, 0), 1);
	assert_int_equal(soq_wait(&rig->op2, -1, &event), 0);
	assert_int_equal(event.result, 1);
	assert_int_equal(tries(rig), before + 2); /* the send, the receive */
}

static void a_short_receive_blocks_and_a_full_one_does_not(void **state)
{
	struct rig *rig = *state;
	uint64_t before;

	assert_int_equal(soq_send(rig->a, "123456", 6, 0), 6);
	assert_int_equal(soq_recv(rig->b, rig->bytes, 4, 0), 4);
	assert_false(rig->b->backend_bits & SOQI_EPOLL_BLOCKED_RECV);
	assert_int_equal(soq_recv(rig->b, rig->bytes, 4, 0), 2);
	assert_true(rig->b->backend_bits & SOQI_EPOLL_BLOCKED_RECV);

	before = tries(rig);
	assert_int_equal(soq_recv_async(rig->b, &rig->op, rig->bytes, 4, 0), 0);
	turn(rig);
	turn(rig);
	assert_int_equal(tries(rig), before); /* parked without a try */
}

/* Data and the end arrive together: the short receive must not hide the end. */
static void the_end_behind_a_short_receive_is_found(void **state)
{
	struct rig *rig = *state;

	for (int registered = 0; registered < 2; registered++) {
		assert_int_equal(soq_send(rig->a, "12345", 5, 0), 5);
		if (registered == 1)
			assert_int_equal(soq_shutdown(rig->a, SOQ_SHUTDOWN_SEND), 0);
		assert_int_equal(soq_recv(rig->b, rig->bytes, 10, 0), 5);
		if (registered == 1)
			assert_int_equal(soq_recv(rig->b, rig->bytes, 10, 0), 0);
		else
			park_receive(rig);
		if (registered == 0) {
			struct soq_event event;

			assert_int_equal(soq_cancel(&rig->op), 0);
			assert_int_equal(soq_wait(&rig->op, -1, &event), 0);
		}
	}
	assert_int_equal(soq_recv(rig->b, rig->bytes, 10, 0), 0);
}

static void peeking_never_blocks_the_direction(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(soq_send(rig->a, "12345", 5, 0), 5);
	for (int i = 0; i < 3; i++)
		assert_int_equal(soq_recv(rig->b, rig->bytes, 10, SOQ_PEEK), 5);
	assert_int_equal(soq_recv(rig->b, rig->bytes, 10, 0), 5);
}

/* An event read out for a socket that is gone, or for an earlier one in its slot. */
static void an_event_of_another_generation_is_dropped_and_counted(void **state)
{
	struct rig *rig = *state;
	struct epoll_event event = { .events = EPOLLIN };
	int fd = eventfd(1, EFD_CLOEXEC);
	const uint64_t marks[] = {
		(uint64_t)(rig->b->backend_generation - 1) << 32 | rig->b->slot,
		(uint64_t)(rig->b->backend_generation + 1) << 32 | rig->b->slot,
		(uint64_t)rig->b->backend_generation << 32 | 0x7fffffff,
	};

	park_receive(rig);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 3; i++) {
		event.data.u64 = marks[i];
		assert_int_equal(epoll_ctl(soq_loop_fd(rig->loop), EPOLL_CTL_ADD, fd, &event), 0);
		turn(rig);
		assert_int_equal(rig->loop->stats.stale_completions, i + 1);
		assert_true(rig->b->lane[SOQI_LANE_RECV].in_kernel);
		assert_true(rig->b->backend_bits & SOQI_EPOLL_BLOCKED_RECV);
		assert_int_equal(epoll_ctl(soq_loop_fd(rig->loop), EPOLL_CTL_DEL, fd, NULL), 0);
	}
	(void)close(fd);
}

/* Registered once for its life: at its first receive, which is not tried before. */
static void a_stream_is_registered_when_it_first_receives(void **state)
{
	struct rig *rig = *state;
	uint64_t tries;

	for (int i = 0; i < 10; i++)
		assert_int_equal(soq_send(rig->a, "12345", 5, 0), 5);
	assert_false(rig->b->backend_bits & SOQI_EPOLL_REGISTERED);
	tries = rig->loop->stats.requests;
	assert_int_equal(soq_recv(rig->b, rig->bytes, 5, 0), 5);
	assert_true(rig->b->backend_bits & SOQI_EPOLL_REGISTERED);
	assert_int_equal(rig->loop->stats.requests - tries, 1);
	tries = rig->loop->stats.requests;
	assert_int_equal(soq_recv(rig->b, rig->bytes, 5, 0), 5);
	assert_int_equal(rig->loop->stats.requests - tries, 1);
}

#define LATCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LATCH_TEST(each_event_wakes_the_lanes_it_concerns_and_no_other),
		LATCH_TEST(an_edge_nobody_waits_for_is_kept),
		LATCH_TEST(a_false_wake_costs_one_try_and_parks_again),
		LATCH_TEST(a_blocked_direction_is_not_tried_until_its_edge),
		LATCH_TEST(a_short_receive_blocks_and_a_full_one_does_not),
		LATCH_TEST(the_end_behind_a_short_receive_is_found),
		LATCH_TEST(peeking_never_blocks_the_direction),
		LATCH_TEST(an_event_of_another_generation_is_dropped_and_counted),
		LATCH_TEST(a_stream_is_registered_when_it_first_receives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
