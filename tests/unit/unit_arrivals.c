/* SPDX-License-Identifier: MIT */
/*
 * Accepts on a ring fed by hand: a multishot that ends early, with a connection in
 * hand or without, is cancelled, starves, or outlives its listener.
 */
#include "fake_ring.h"

#include <errno.h>
#include <fcntl.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A descriptor as an accept would give it. */
static int32_t arrival(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static void abort_arrivals(struct noted *n)
{
	for (unsigned i = 0; i < n->sockets; i++)
		assert_int_equal(soq_abort(n->socket[i]), 0);
	n->sockets = 0;
}

/* The kernel ends a multishot by itself, with a connection in hand or an error that passes. */
static void a_multishot_accept_that_ends_early_is_armed_again_unseen(void **state)
{
	static const int32_t passing[] = { -ECONNABORTED, -EAGAIN, -EINTR, -ECANCELED, -EPROTO };

	(void)state;
	for (size_t i = 0; i <= ARRAY_SIZE(passing); i++) {
		struct soq_loop *loop = fake_loop();
		struct soq_socket *s = fake_listening(loop);
		struct noted accept;
		bool with_data = i == ARRAY_SIZE(passing);

		noted_init(&accept);
		assert_int_equal(soq_accept_async(s, &accept.op, SOQ_MULTISHOT), 0);
		fake_turn(loop);
		fake_complete(fake_token(s, SOQI_LANE_RECV), arrival(), IORING_CQE_F_MORE);
		fake_complete(fake_token(s, SOQI_LANE_RECV), arrival(), IORING_CQE_F_MORE);
		fake_complete(fake_token(s, SOQI_LANE_RECV), with_data ? arrival() : passing[i], 0);
		fake_turn(loop);
		fake_turn(loop);
		assert_int_equal(accept.more, with_data ? 3 : 2);
		assert_int_equal(accept.finals, 0);
		assert_int_equal(fake_ring.submits, 2);

		fake_complete(fake_token(s, SOQI_LANE_RECV), arrival(), IORING_CQE_F_MORE);
		fake_turn(loop);
		assert_int_equal(accept.more, with_data ? 4 : 3);
		assert_int_equal(soq_cancel(&accept.op), 0);
		fake_turn(loop);
		fake_complete(fake_token(s, SOQI_LANE_RECV), -ECANCELED, 0);
		fake_turn(loop);
		assert_int_equal(accept.finals, 1);
		assert_int_equal(accept.result, -ECANCELED);
		abort_arrivals(&accept);
		fake_loop_end_with(loop, s);
	}
}

/* What was taken before the cancel worked is delivered, and before the final event. */
static void a_cancelled_accept_delivers_what_it_had_taken(void **state)
{
	(void)state;
	for (int last_with_data = 0; last_with_data < 2; last_with_data++) {
		struct soq_loop *loop = fake_loop();
		struct soq_socket *s = fake_listening(loop);
		struct noted accept;

		noted_init(&accept);
		assert_int_equal(soq_accept_async(s, &accept.op, SOQ_MULTISHOT), 0);
		fake_turn(loop);
		assert_int_equal(soq_cancel(&accept.op), 0);
		fake_turn(loop);
		fake_complete(fake_token(s, SOQI_LANE_RECV), arrival(), IORING_CQE_F_MORE);
		fake_complete(fake_token(s, SOQI_LANE_RECV),
			      last_with_data ? arrival() : -ECANCELED, 0);
		fake_turn(loop);
		assert_int_equal(accept.more, last_with_data ? 2 : 1);
		assert_int_equal(accept.sockets, last_with_data ? 2 : 1);
		assert_int_equal(accept.finals_at_last_more, 0);
		assert_int_equal(accept.finals, 1);
		assert_int_equal(accept.result, -ECANCELED);
		abort_arrivals(&accept);
		fake_loop_end_with(loop, s);
	}
}

static void a_single_accept_keeps_the_connection_it_reached_before_the_cancel(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_listening(loop);
	struct noted accept;

	(void)state;
	noted_init(&accept);
	assert_int_equal(soq_accept_async(s, &accept.op, 0), 0);
	fake_turn(loop);
	assert_int_equal(soq_cancel(&accept.op), 0);
	fake_turn(loop);
	fake_complete(fake_token(s, SOQI_LANE_RECV), arrival(), 0);
	fake_turn(loop);
	assert_int_equal(accept.finals, 1);
	assert_int_equal(accept.result, 0);
	assert_int_equal(accept.sockets, 1);
	abort_arrivals(&accept);
	fake_loop_end_with(loop, s);
}

static void descriptors_running_out_pause_an_accept_until_one_is_closed(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *other = fake_connected(loop);
	struct soq_socket *s = fake_listening(loop);
	struct noted accept;
	unsigned before;

	(void)state;
	noted_init(&accept);
	assert_int_equal(soq_accept_async(s, &accept.op, SOQ_MULTISHOT), 0);
	fake_turn(loop);
	before = fake_ring.submits;
	fake_complete(fake_token(s, SOQI_LANE_RECV), -EMFILE, 0);
	fake_turn(loop);
	fake_turn(loop);
	assert_int_equal(accept.finals, 0);
	assert_int_equal(loop->stats.accept_backoffs, 1);
	assert_int_equal(fake_ring.submits, before);
	assert_int_equal(soq_abort(other), 0);
	fake_turn(loop);
	assert_int_equal(fake_ring.submits, before + 1);
	assert_int_equal(soq_cancel(&accept.op), 0);
	fake_turn(loop);
	fake_complete(fake_token(s, SOQI_LANE_RECV), -ECANCELED, 0);
	fake_turn(loop);
	assert_int_equal(accept.finals, 1);
	fake_loop_end_with(loop, s);
}

/* The listener is closed; the kernel had one more connection in hand. */
static void a_connection_for_a_closed_listener_is_dropped(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_listening(loop);
	struct noted accept;
	int32_t more = arrival();
	int32_t last = arrival();

	(void)state;
	noted_init(&accept);
	assert_int_equal(soq_accept_async(s, &accept.op, SOQ_MULTISHOT), 0);
	fake_turn(loop);
	assert_int_equal(soq_close(s), 0);
	fake_turn(loop);
	assert_int_equal(loop->stats.sockets, 1); /* not before the kernel has let go */
	fake_complete(fake_token(s, SOQI_LANE_RECV), more, IORING_CQE_F_MORE);
	fake_complete(fake_token(s, SOQI_LANE_RECV), last, 0);
	fake_turn(loop);
	fake_turn(loop);
	assert_int_equal(accept.finals, 1);
	assert_int_equal(accept.more, 0);
	assert_int_equal(accept.result, -ECANCELED);
	assert_int_equal(fcntl(more, F_GETFD), -1);
	assert_int_equal(fcntl(last, F_GETFD), -1);
	fake_loop_end(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_multishot_accept_that_ends_early_is_armed_again_unseen),
		cmocka_unit_test(a_cancelled_accept_delivers_what_it_had_taken),
		cmocka_unit_test(a_single_accept_keeps_the_connection_it_reached_before_the_cancel),
		cmocka_unit_test(descriptors_running_out_pause_an_accept_until_one_is_closed),
		cmocka_unit_test(a_connection_for_a_closed_listener_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
