/* SPDX-License-Identifier: MIT */
/*
 * Completions in every order, fed by hand: the orders a kernel may choose and a
 * black-box test cannot schedule.
 */
#include "fake_ring.h"

#include <errno.h>
#include <fcntl.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static char bytes[64];

/* What the victim of a cancel may come back with, and what the caller then sees. */
static const struct {
	int32_t raw;
	int64_t result;
} victims[] = {
	{ -ECANCELED, -ECANCELED },
	{ -EINTR, -ECANCELED },
	{ 5, 5 },
	{ -ECONNRESET, -ECONNRESET },
};

/* The completion of the cancel itself: none at all is success, which is skipped. */
static const int32_t cancels[] = { 0, -ENOENT, -EALREADY };

static void cancel_in_order(size_t victim, size_t cancel, bool cancel_first, bool one_turn)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted receive;
	uint64_t token;

	noted_init(&receive);
	assert_int_equal(soq_recv_async(s, &receive.op, bytes, 8, 0), 0);
	fake_turn(loop);
	token = fake_token(s, SOQI_LANE_RECV);
	assert_int_equal(soq_cancel(&receive.op), 0);
	fake_turn(loop);
	assert_int_equal(fake_ring.cancels, 1);
	assert_int_equal(fake_ring.cancelled, token);
	assert_int_equal(receive.finals, 0);

	for (int i = 0; i < 2; i++) {
		if ((i == 0) == cancel_first) {
			if (cancels[cancel] != 0)
				fake_complete(token | SOQI_URING_TAG_CANCEL, cancels[cancel], 0);
		} else {
			fake_complete(token, victims[victim].raw, 0);
		}
		if (!one_turn)
			fake_turn(loop);
	}
	fake_turn(loop);
	fake_turn(loop);

	assert_int_equal(receive.finals, 1);
	assert_int_equal(receive.result, victims[victim].result);
	assert_int_equal(receive.flags, 0);
	/* Asked again only if it was missed while the victim was still there. */
	assert_int_equal(fake_ring.cancels,
			 cancel_first && !one_turn && cancels[cancel] == -ENOENT ? 2 : 1);
	fake_loop_end_with(loop, s);
}

static void a_cancel_and_its_victim_come_in_either_order(void **state)
{
	(void)state;
	for (size_t victim = 0; victim < ARRAY_SIZE(victims); victim++)
		for (size_t cancel = 0; cancel < ARRAY_SIZE(cancels); cancel++)
			for (int order = 0; order < 4; order++)
				cancel_in_order(victim, cancel, order & 1, order & 2);
}

/* The victim's lane has gone on; the cancel's late completion must not touch its successor. */
static void a_late_cancel_completion_spares_the_next_request(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted first;
	struct noted second;
	uint64_t token;

	(void)state;
	noted_init(&first);
	noted_init(&second);
	assert_int_equal(soq_recv_async(s, &first.op, bytes, 8, 0), 0);
	assert_int_equal(soq_recv_async(s, &second.op, bytes + 8, 8, 0), 0);
	fake_turn(loop);
	token = fake_token(s, SOQI_LANE_RECV);
	assert_int_equal(soq_cancel(&first.op), 0);
	fake_turn(loop);
	fake_complete(token, -ECANCELED, 0);
	fake_turn(loop);
	fake_turn(loop);
	assert_int_equal(first.finals, 1);
	assert_true(s->lane[SOQI_LANE_RECV].in_kernel);

	fake_complete(token | SOQI_URING_TAG_CANCEL, -ENOENT, 0);
	fake_turn(loop);
	fake_turn(loop);
	assert_int_equal(fake_ring.cancels, 1);
	assert_int_equal(second.finals, 0);

	fake_complete(fake_token(s, SOQI_LANE_RECV), 3, 0);
	fake_turn(loop);
	assert_int_equal(second.result, 3);
	fake_loop_end_with(loop, s);
}

static void a_completion_of_an_old_generation_is_dropped_and_counted(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted receive;
	uint64_t old;

	(void)state;
	noted_init(&receive);
	assert_int_equal(soq_recv_async(s, &receive.op, bytes, 8, 0), 0);
	fake_turn(loop);
	old = fake_token(s, SOQI_LANE_RECV);
	fake_complete(old, 4, 0);
	fake_turn(loop);
	assert_int_equal(receive.result, 4);

	noted_init(&receive);
	assert_int_equal(soq_recv_async(s, &receive.op, bytes, 8, 0), 0);
	fake_turn(loop);
	fake_complete(old, 7, 0);                 /* once more */
	fake_complete(old, 7, IORING_CQE_F_MORE); /* as if it went on */
	fake_complete(old, -ECONNRESET, 0);       /* and with an error, which must not stick */
	fake_turn(loop);
	assert_int_equal(loop->stats.stale_completions, 3);
	assert_int_equal(receive.finals, 0);
	assert_int_equal(s->error, 0);

	fake_complete(fake_token(s, SOQI_LANE_RECV), 2, 0);
	fake_turn(loop);
	assert_int_equal(receive.finals, 1);
	assert_int_equal(receive.result, 2);

	assert_int_equal(soq_abort(s), 0);
	fake_turn(loop);
	fake_complete(fake_token(s, SOQI_LANE_RECV), 2, 0); /* of a closed socket's slot */
	fake_turn(loop);
	assert_int_equal(loop->stats.stale_completions, 4);
	fake_loop_end(loop);
}

/* A generation has 26 bits: after 2^26 requests it is the same again. */
static void generations_may_wrap(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);

	(void)state;
	s->lane[SOQI_LANE_RECV].generation = SOQI_GENERATION_MASK - 2;
	for (int i = 0; i < 8; i++) {
		struct noted receive;
		uint64_t before = fake_token(s, SOQI_LANE_RECV);

		noted_init(&receive);
		assert_int_equal(soq_recv_async(s, &receive.op, bytes, 8, 0), 0);
		fake_turn(loop);
		fake_complete(before, 7, 0);
		fake_turn(loop);
		assert_int_equal(receive.finals, 0);
		assert_int_equal(fake_token(s, SOQI_LANE_RECV) & ~SOQI_TOKEN_MASK, 0);
		fake_complete(fake_token(s, SOQI_LANE_RECV), 1, 0);
		fake_turn(loop);
		assert_int_equal(receive.finals, 1);
	}
	fake_loop_end_with(loop, s);
}

static void foreign_tokens_touch_nothing(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted receive;
	struct noted send;
	uint64_t chance = 5;
	uint64_t tokens[2];

	(void)state;
	noted_init(&receive);
	noted_init(&send);
	assert_int_equal(soq_recv_async(s, &receive.op, bytes, 8, 0), 0);
	assert_int_equal(soq_send_async(s, &send.op, bytes, 8, 0), 0);
	fake_turn(loop);
	tokens[0] = fake_token(s, SOQI_LANE_RECV);
	tokens[1] = fake_token(s, SOQI_LANE_SEND);
	for (unsigned i = 0; i < 100000; i++) {
		/* One bit off, or anything. */
		uint64_t token = unit_choose(&chance, 2) == 0
					 ? tokens[i & 1] ^ UINT64_C(1) << unit_choose(&chance, 64)
					 : unit_random(&chance);

		if (token == tokens[0] || token == tokens[1])
			continue;
		fake_complete(token, (int32_t)unit_random(&chance) % 8,
			      unit_choose(&chance, 2) ? IORING_CQE_F_MORE : 0);
		fake_turn(loop);
	}
	assert_int_equal(receive.finals + send.finals, 0);
	assert_true(loop->stats.stale_completions > 50000);
	assert_int_equal(fake_ring.cancels, 0);
	assert_int_equal(s->error, 0);
	fake_complete(tokens[1], 8, 0);
	fake_complete(tokens[0], 8, 0);
	fake_turn(loop);
	assert_int_equal(receive.result, 8);
	assert_int_equal(send.result, 8);
	fake_loop_end_with(loop, s);
}

/*
 * An overflowed completion queue hands over late what came early. Five sockets'
 * completions in all 120 orders, with each split into two turns.
 */
static void swap(unsigned *a, unsigned *b)
{
	unsigned t = *a;

	*a = *b;
	*b = t;
}

static void in_this_order(const unsigned *order, unsigned first_turn)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s[5];
	struct noted receive[5];

	for (unsigned i = 0; i < 5; i++) {
		s[i] = fake_connected(loop);
		noted_init(&receive[i]);
		assert_int_equal(soq_recv_async(s[i], &receive[i].op, bytes, 8, 0), 0);
	}
	assert_int_equal(soq_cancel(&receive[4].op), 0); /* before the kernel had it */
	fake_turn(loop);
	assert_int_equal(soq_cancel(&receive[3].op), 0);
	fake_turn(loop);
	for (unsigned i = 0; i < 5; i++) {
		unsigned which = order[i];
		uint64_t token = fake_token(s[which % 4], SOQI_LANE_RECV);

		if (which == 4) /* the cancel of 3: missed it */
			fake_complete(fake_token(s[3], SOQI_LANE_RECV) | SOQI_URING_TAG_CANCEL,
				      -ENOENT, 0);
		else
			fake_complete(token, which == 3 ? -ECANCELED : (int32_t)which + 1, 0);
		if (i + 1 == first_turn)
			fake_turn(loop);
	}
	fake_turn(loop);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(receive[i].finals, 1);
		assert_int_equal(receive[i].result, i < 3 ? (int)i + 1 : -ECANCELED);
		assert_int_equal(soq_abort(s[i]), 0);
	}
	fake_turn(loop);
	fake_loop_end(loop);
}

static void permute(unsigned *order, unsigned from, unsigned *count)
{
	if (from == 5) {
		for (unsigned first_turn = 0; first_turn < 5; first_turn++)
			in_this_order(order, first_turn);
		(*count)++;
	}
	for (unsigned i = from; i < 5; i++) {
		swap(&order[from], &order[i]);
		permute(order, from + 1, count);
		swap(&order[from], &order[i]);
	}
}

static void every_order_of_five_completions_ends_each_op_once(void **state)
{
	unsigned order[5] = { 0, 1, 2, 3, 4 };
	unsigned count = 0;

	(void)state;
	permute(order, 0, &count);
	assert_int_equal(count, 120);
}

/* A reset gives one lane the error and the other -EPIPE; both must report the reset. */
static void a_reset_is_the_verdict_whichever_lane_comes_back_first(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct soq_loop *loop = fake_loop();
		struct soq_socket *s = fake_connected(loop);
		struct noted receive;
		struct noted send;
		bool send_first = i & 1;
		bool one_turn = i & 2;

		noted_init(&receive);
		noted_init(&send);
		assert_int_equal(soq_recv_async(s, &receive.op, bytes, 8, 0), 0);
		assert_int_equal(soq_send_async(s, &send.op, bytes, 8, 0), 0);
		fake_turn(loop);
		fake_complete(fake_token(s, send_first ? SOQI_LANE_SEND : SOQI_LANE_RECV),
			      send_first ? -EPIPE : -ECONNRESET, 0);
		if (!one_turn)
			fake_turn(loop);
		fake_complete(fake_token(s, send_first ? SOQI_LANE_RECV : SOQI_LANE_SEND),
			      send_first ? -ECONNRESET : -EPIPE, 0);
		fake_turn(loop);
		fake_turn(loop);
		assert_int_equal(receive.finals, 1);
		assert_int_equal(send.finals, 1);
		assert_int_equal(receive.result, -ECONNRESET);
		assert_int_equal(send.result, -ECONNRESET);
		fake_loop_end_with(loop, s);
	}
}

/* A close waits for both lanes, in either order, and its event is the last. */
static void a_close_waits_for_every_completion(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const enum soqi_lane_index first = i == 0 ? SOQI_LANE_RECV : SOQI_LANE_SEND;
		const enum soqi_lane_index second = i == 0 ? SOQI_LANE_SEND : SOQI_LANE_RECV;
		struct soq_loop *loop = fake_loop();
		struct soq_socket *s = fake_connected(loop);
		struct noted receive;
		struct noted send;
		struct noted closing;
		int fd = s->fd;

		noted_init(&receive);
		noted_init(&send);
		noted_init(&closing);
		assert_int_equal(soq_recv_async(s, &receive.op, bytes, 8, 0), 0);
		assert_int_equal(soq_send_async(s, &send.op, bytes, 8, 0), 0);
		fake_turn(loop);
		assert_int_equal(soq_close_async(s, &closing.op), 0);
		fake_turn(loop);
		assert_int_equal(fake_ring.cancels, 2);
		fake_complete(fake_token(s, first), -ECANCELED, 0);
		fake_turn(loop);
		assert_int_equal(closing.finals, 0);
		assert_int_not_equal(fcntl(fd, F_GETFD), -1);
		fake_complete(fake_token(s, second), i == 0 ? 3 : -ECANCELED, 0);
		fake_turn(loop);
		fake_turn(loop);
		assert_int_equal(receive.finals + send.finals, 2);
		assert_int_equal(closing.finals, 1);
		assert_int_equal(closing.result, 0);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
		fake_loop_end(loop);
	}
}

static void a_wake_completion_arms_the_next(void **state)
{
	struct soq_loop *loop = fake_loop();

	(void)state;
	fake_ring.impl.wake_armed = true;
	fake_complete(SOQI_URING_TAG_WAKE, 1, 0);
	fake_turn(loop);
	assert_false(fake_ring.impl.wake_armed);
	fake_loop_end(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cancel_and_its_victim_come_in_either_order),
		cmocka_unit_test(a_late_cancel_completion_spares_the_next_request),
		cmocka_unit_test(a_completion_of_an_old_generation_is_dropped_and_counted),
		cmocka_unit_test(generations_may_wrap),
		cmocka_unit_test(foreign_tokens_touch_nothing),
		cmocka_unit_test(every_order_of_five_completions_ends_each_op_once),
		cmocka_unit_test(a_reset_is_the_verdict_whichever_lane_comes_back_first),
		cmocka_unit_test(a_close_waits_for_every_completion),
		cmocka_unit_test(a_wake_completion_arms_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
