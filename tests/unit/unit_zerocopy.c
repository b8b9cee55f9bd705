/* SPDX-License-Identifier: MIT */
/*
 * The two completions of zero-copy sends, fed by hand: in every order, and those a
 * loopback never gives.
 */
#include "fake_ring.h"

#include <errno.h>
#include <fcntl.h>

#define SIZE  20000
#define MORE  IORING_CQE_F_MORE
#define NOTIF IORING_CQE_F_NOTIF

static char bytes[SIZE];

/* Starts one and hands it over. The user_data of its request. */
static uint64_t send_start(struct soq_loop *loop, struct soq_socket *s, struct noted *send)
{
	noted_init(send);
	assert_int_equal(soq_send_async(s, &send->op, bytes, SIZE, SOQ_ZEROCOPY), 0);
	fake_turn(loop);
	assert_int_equal(fake_ring.hold & SOQI_URING_TAG_MASK, SOQI_URING_TAG_HOLD);
	return fake_ring.hold;
}

static void one_send(struct soq_loop *loop, struct soq_socket *s)
{
	struct noted send;
	uint64_t hold = send_start(loop, s, &send);

	fake_complete(hold, SIZE, MORE);
	fake_complete(hold, 0, NOTIF);
	fake_turn(loop);
	assert_int_equal(send.more, 1);
	assert_int_equal(send.finals, 1);
	assert_int_equal(send.result, SIZE);
}

static void either_completion_may_come_first(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct soq_loop *loop = fake_loop();
		struct soq_socket *s = fake_connected(loop);
		struct noted send;
		uint64_t hold = send_start(loop, s, &send);
		bool notified_first = i & 1;

		fake_complete(hold, notified_first ? 0 : SIZE, notified_first ? NOTIF : MORE);
		if (i & 2) {
			fake_turn(loop);
			assert_int_equal(send.more, notified_first ? 0 : 1);
			assert_int_equal(send.finals, 0);
		}
		fake_complete(hold, notified_first ? SIZE : 0, notified_first ? MORE : NOTIF);
		fake_turn(loop);
		assert_int_equal(send.more, 1);
		assert_int_equal(send.finals, 1);
		assert_int_equal(send.finals_at_last_more, 0);
		assert_int_equal(send.result, SIZE);
		assert_int_equal(send.flags, 0);
		one_send(loop, s);
		assert_int_equal(loop->stats.stale_completions, 0);
		fake_loop_end_with(loop, s);
	}
}

static void what_comes_twice_or_late_is_dropped(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted first;
	struct noted second;
	uint64_t old = send_start(loop, s, &first);
	uint64_t hold;

	(void)state;
	fake_complete(old, SIZE, MORE);
	fake_complete(old, SIZE, MORE);
	fake_turn(loop);
	assert_int_equal(first.more, 1);
	assert_int_equal(first.finals, 0);
	assert_int_equal(loop->stats.stale_completions, 1);
	fake_complete(old, 0, NOTIF);
	fake_complete(old, 0, NOTIF);
	fake_turn(loop);
	assert_int_equal(first.finals, 1);
	assert_int_equal(loop->stats.stale_completions, 2);

	/* The entry is used again: what is late is not about the new one. */
	hold = send_start(loop, s, &second);
	assert_int_equal((uint32_t)hold, (uint32_t)old);
	fake_complete(old, 0, NOTIF);
	fake_complete(old, 5, MORE);
	fake_complete(hold, 0, NOTIF);
	fake_complete(hold, 0, NOTIF); /* twice, before its result */
	fake_turn(loop);
	assert_int_equal(second.more + second.finals, 0);
	assert_int_equal(loop->stats.stale_completions, 5);
	fake_complete(hold, SIZE, MORE);
	fake_turn(loop);
	assert_int_equal(second.finals, 1);
	assert_int_equal(s->zerocopy_holds, 0);
	fake_loop_end_with(loop, s);
}

static void foreign_holds_touch_nothing(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted send;
	uint64_t hold = send_start(loop, s, &send);
	uint64_t chance = 7;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t data = unit_choose(&chance, 2) == 0
					? hold ^ UINT64_C(1) << unit_choose(&chance, 60)
					: (unit_random(&chance) & SOQI_TOKEN_MASK) |
						  SOQI_URING_TAG_HOLD;

		fake_complete(data, (int32_t)unit_random(&chance),
			      unit_choose(&chance, 2) ? NOTIF : MORE);
		fake_turn(loop);
	}
	assert_int_equal(send.more + send.finals, 0);
	assert_int_equal(loop->stats.stale_completions, 20000);
	fake_complete(hold, SIZE, 0); /* no notification will come */
	fake_turn(loop);
	assert_int_equal(send.more, 1);
	assert_int_equal(send.finals, 1);
	fake_loop_end_with(loop, s);
}

static void generations_may_wrap(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);

	(void)state;
	one_send(loop, s);
	for (uint32_t i = 0; i < fake_ring.impl.holds.max; i++)
		fake_ring.impl.holds.entries[i].generation = 0xffffffe;
	for (int i = 0; i < 4; i++)
		one_send(loop, s);
	assert_int_equal(loop->stats.stale_completions, 0);
	fake_loop_end_with(loop, s);
}

static void an_error_ends_when_its_notification_came(void **state)
{
	static const int32_t errors[] = { -EPIPE, -ECONNRESET, -ECANCELED };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct soq_loop *loop = fake_loop();
		struct soq_socket *s = fake_connected(loop);
		struct noted send;
		struct noted behind;
		uint64_t hold = send_start(loop, s, &send);
		bool notifies = i & 1;
		int32_t error = errors[i / 2];

		noted_init(&behind);
		assert_int_equal(soq_send_async(s, &behind.op, bytes, 8, 0), 0);
		if (error == -ECANCELED)
			assert_int_equal(soq_cancel(&send.op), 0);
		fake_turn(loop);
		fake_complete(hold, error, notifies ? MORE : 0);
		fake_turn(loop);
		fake_turn(loop);
		/* The lane is free all the same. */
		assert_true(s->lane[SOQI_LANE_SEND].in_kernel);
		assert_int_equal(send.finals, notifies ? 0 : 1);
		if (notifies) {
			assert_int_equal(soq_cancel(&send.op), -EALREADY);
			fake_complete(hold, 0, NOTIF);
			fake_turn(loop);
		}
		assert_int_equal(send.more, 0);
		assert_int_equal(send.finals, 1);
		assert_int_equal(send.result, error);
		assert_int_equal(send.flags, 0);
		fake_complete(fake_token(s, SOQI_LANE_SEND), 8, 0);
		fake_turn(loop);
		assert_int_equal(behind.result, 8);
		fake_loop_end_with(loop, s);
	}
}

/* No memory to lock, or another reason that is not the bytes': sent again, copied, unseen. */
static void a_refusal_is_sent_again_with_a_copy(void **state)
{
	static const int32_t refusals[] = { -ENOMEM, -EOPNOTSUPP, -EMSGSIZE, -EFAULT, -EINVAL };

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct soq_loop *loop = fake_loop();
		struct soq_socket *s = fake_connected(loop);
		struct noted send;
		uint64_t hold = send_start(loop, s, &send);
		bool notifies = i & 1;

		if (refusals[i / 2] == -EINVAL && !notifies) {
			/* May be the report's fault: once more without. */
			fake_complete(hold, -EINVAL, 0);
			fake_turn(loop);
			fake_turn(loop);
			hold = fake_ring.hold;
			assert_int_not_equal(hold, 0);
			assert_false(fake_ring.impl.reports_copies);
		}
		fake_complete(hold, refusals[i / 2], notifies ? MORE : 0);
		fake_turn(loop);
		fake_turn(loop);
		assert_int_equal(send.more + send.finals, 0);
		assert_int_equal(fake_ring.hold, 0);
		assert_int_equal(s->zerocopy_off, refusals[i / 2] == -EOPNOTSUPP);
		fake_complete(fake_token(s, SOQI_LANE_SEND), SIZE, 0);
		fake_turn(loop);
		assert_int_equal(send.more, 1);
		assert_int_equal(send.finals, notifies ? 0 : 1);
		if (notifies) {
			fake_complete(hold, 0, NOTIF);
			fake_turn(loop);
		}
		assert_int_equal(send.finals, 1);
		assert_int_equal(send.result, SIZE);
		assert_int_equal(send.flags, SOQ_F_COPIED);
		fake_loop_end_with(loop, s);
	}
}

/* Linux 6.1: several sends meet it before it is known; each goes on without the report. */
static void a_kernel_without_reports_is_not_asked_again(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s[2] = { fake_connected(loop), fake_connected(loop) };
	struct noted send[2];
	uint64_t hold[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		hold[i] = send_start(loop, s[i], &send[i]);
	for (int i = 0; i < 2; i++) {
		fake_complete(hold[i], -EINVAL, 0);
		fake_turn(loop);
		fake_turn(loop);
		hold[i] = fake_ring.hold;
		assert_int_not_equal(hold[i], 0);
		assert_int_equal(send[i].more + send[i].finals, 0);
	}
	assert_int_equal(loop->info.feature_errors[__builtin_ctz(SOQ_FEATURE_COPY_REPORT)],
			 -EOPNOTSUPP);
	for (int i = 0; i < 2; i++) {
		fake_complete(hold[i], SIZE, MORE);
		fake_complete(hold[i], INT32_MIN, NOTIF); /* nobody has asked */
		fake_turn(loop);
		assert_int_equal(send[i].finals, 1);
		assert_int_equal(send[i].flags, 0);
	}
	assert_int_equal(loop->stats.zerocopy_copied, 0);
	assert_int_equal(soq_abort(s[0]), 0);
	fake_loop_end_with(loop, s[1]);
}

static void a_send_in_pieces_ends_with_its_last_notification(void **state)
{
	(void)state;
	/* Three pieces: the notifications in all six orders. */
	for (int i = 0; i < 6; i++) {
		static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						  { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
		struct soq_loop *loop = fake_loop();
		struct soq_socket *s = fake_connected(loop);
		struct noted send;
		uint64_t hold[3];

		loop->options.zerocopy_bytes = 1;
		hold[0] = send_start(loop, s, &send);
		for (int k = 0; k < 3; k++) {
			fake_complete(hold[k], k < 2 ? 5000 : SIZE - 10000, MORE);
			fake_turn(loop);
			assert_int_equal(send.more, k < 2 ? 0 : 1);
			if (k < 2) {
				fake_turn(loop);
				hold[k + 1] = fake_ring.hold;
			}
		}
		for (int k = 0; k < 3; k++) {
			assert_int_equal(send.finals, 0);
			fake_complete(hold[orders[i][k]], 0, NOTIF);
			fake_turn(loop);
		}
		assert_int_equal(send.finals, 1);
		assert_int_equal(send.result, SIZE);
		fake_loop_end_with(loop, s);
	}
}

/* Gathered, it would hold memory that is given back with the others' results. */
static void it_is_a_request_of_its_own(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted send[5];

	(void)state;
	for (int i = 0; i < 5; i++) {
		noted_init(&send[i]);
		assert_int_equal(soq_send_async(s, &send[i].op, bytes, i < 4 ? SIZE : 4,
						i % 2 || i == 4 ? SOQ_ZEROCOPY : 0),
				 0);
	}
	/* Two of them stand between the others; the last is too small to be one. */
	for (int i = 0; i < 4; i++) {
		fake_turn(loop);
		assert_int_equal(s->lane[SOQI_LANE_SEND].taken, 1);
		assert_int_equal(fake_ring.hold != 0, i % 2);
		if (i % 2)
			fake_complete(fake_ring.hold, SIZE, 0);
		else
			fake_complete(fake_token(s, SOQI_LANE_SEND), SIZE, 0);
		fake_turn(loop);
		assert_int_equal(send[i].finals, 1);
	}
	fake_turn(loop);
	fake_complete(fake_token(s, SOQI_LANE_SEND), 4, 0);
	fake_turn(loop);
	assert_int_equal(send[4].more + send[4].finals, 2);
	fake_loop_end_with(loop, s);
}

/* A rest below the threshold is copied: then the cancel is of an ordinary request. */
static void a_cancel_names_the_request_in_the_kernel(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted send;
	uint64_t hold = send_start(loop, s, &send);

	(void)state;
	assert_int_equal(soq_cancel(&send.op), 0);
	fake_turn(loop);
	assert_int_equal(fake_ring.victim, hold);
	fake_complete(hold, -ECANCELED, 0);
	fake_turn(loop);
	assert_int_equal(send.result, -ECANCELED);

	hold = send_start(loop, s, &send);
	fake_complete(hold, SIZE - 10, MORE);
	fake_turn(loop);
	fake_turn(loop);
	assert_int_equal(fake_ring.hold, 0);
	assert_int_equal(soq_cancel(&send.op), 0);
	fake_turn(loop);
	assert_int_equal(fake_ring.victim, fake_token(s, SOQI_LANE_SEND));
	fake_complete(fake_ring.victim, -ECANCELED, 0);
	fake_turn(loop);
	assert_int_equal(send.more, 1);
	assert_int_equal(send.finals, 0);
	fake_complete(hold, 0, NOTIF);
	fake_turn(loop);
	assert_int_equal(send.result, SIZE - 10);
	assert_int_equal(send.flags, SOQ_F_CANCELED | SOQ_F_COPIED);
	fake_loop_end_with(loop, s);
}

static void notifications_of_many_come_in_any_order(void **state)
{
	enum { SENDS = 200 };
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	static struct noted send[SENDS];
	uint64_t hold[SENDS];

	(void)state;
	for (unsigned i = 0; i < SENDS; i++) {
		hold[i] = send_start(loop, s, &send[i]);
		fake_complete(hold[i], SIZE, MORE);
		fake_turn(loop);
		assert_int_equal(send[i].more, 1);
	}
	assert_int_equal(s->zerocopy_holds, SENDS);
	for (unsigned i = 0; i < SENDS; i++) {
		unsigned which = i * 77 % SENDS;

		assert_int_equal(send[which].finals, 0);
		fake_complete(hold[which], 0, NOTIF);
		fake_turn(loop);
		assert_int_equal(send[which].finals, 1);
	}
	fake_loop_end_with(loop, s);
}

static void copies_in_a_row_turn_it_off(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted send;

	(void)state;
	for (unsigned i = 0; i < 7 + 1 + 8; i++) {
		uint64_t hold = send_start(loop, s, &send);

		fake_complete(hold, SIZE, MORE);
		fake_complete(hold, i == 7 ? 0 : INT32_MIN, NOTIF);
		fake_turn(loop);
		assert_int_equal(send.flags, i == 7 ? 0 : SOQ_F_COPIED);
	}
	assert_true(s->zerocopy_off);
	assert_int_equal(loop->info.features & SOQ_FEATURE_COPY_REPORT, SOQ_FEATURE_COPY_REPORT);
	noted_init(&send);
	assert_int_equal(soq_send_async(s, &send.op, bytes, SIZE, SOQ_ZEROCOPY), 0);
	fake_turn(loop);
	assert_int_equal(fake_ring.hold, 0);
	fake_complete(fake_token(s, SOQI_LANE_SEND), SIZE, 0);
	fake_turn(loop);
	assert_int_equal(send.more + send.finals, 2);
	assert_int_equal(send.flags, SOQ_F_COPIED);
	assert_int_equal(loop->stats.zerocopy_sends, 16);
	assert_int_equal(loop->stats.zerocopy_copied, 15);
	fake_loop_end_with(loop, s);
}

static void a_close_outlives_its_descriptor(void **state)
{
	struct soq_loop *loop = fake_loop();
	struct soq_socket *s = fake_connected(loop);
	struct noted send;
	struct noted closing;
	uint64_t hold = send_start(loop, s, &send);
	int fd = s->fd;

	(void)state;
	noted_init(&closing);
	fake_complete(hold, SIZE, MORE);
	fake_turn(loop);
	assert_int_equal(soq_close_async(s, &closing.op), 0);
	fake_turn(loop);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(closing.finals, 0);
	assert_int_equal(loop->stats.sockets, 1);
	assert_int_equal(soq_loop_destroy(loop), -EBUSY);
	assert_int_equal(soq_loop_close_all(loop), 0);
	fake_complete(hold, 0, NOTIF);
	fake_turn(loop);
	assert_int_equal(send.finals, 1);
	fake_turn(loop);
	assert_int_equal(closing.finals, 1);
	fake_loop_end(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_completion_may_come_first),
		cmocka_unit_test(what_comes_twice_or_late_is_dropped),
		cmocka_unit_test(foreign_holds_touch_nothing),
		cmocka_unit_test(generations_may_wrap),
		cmocka_unit_test(an_error_ends_when_its_notification_came),
		cmocka_unit_test(a_refusal_is_sent_again_with_a_copy),
		cmocka_unit_test(a_kernel_without_reports_is_not_asked_again),
		cmocka_unit_test(a_send_in_pieces_ends_with_its_last_notification),
		cmocka_unit_test(it_is_a_request_of_its_own),
		cmocka_unit_test(a_cancel_names_the_request_in_the_kernel),
		cmocka_unit_test(notifications_of_many_come_in_any_order),
		cmocka_unit_test(copies_in_a_row_turn_it_off),
		cmocka_unit_test(a_close_outlives_its_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
