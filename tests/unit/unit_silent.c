/* SPDX-License-Identifier: MIT */
/* Lazy sends, which succeed in silence: when the silence counts, and when it may last. */
#include "fake_ring.h"

#include <errno.h>

static char bytes[64];

/* A lazy send of 8 bytes and, before it, a receive that can end a sleep. */
struct rig {
	struct soq_loop *loop;
	struct soq_socket *s;
	struct noted receive;
	struct noted send;
};

static void start_lazy(struct rig *r)
{
	noted_init(&r->send);
	assert_int_equal(soq_send_async(r->s, &r->send.op, bytes, 8, SOQ_LAZY), 0);
}

static void rig_make(struct rig *r)
{
	r->loop = fake_loop();
	r->s = fake_connected(r->loop);
	noted_init(&r->receive);
	assert_int_equal(soq_recv_async(r->s, &r->receive.op, bytes, 8, 0), 0);
	start_lazy(r);
}

static void rig_end(struct rig *r)
{
	assert_int_equal(soq_abort(r->s), 0);
	fake_turn(r->loop);
	if (r->receive.finals == 0)
		fake_complete(fake_token(r->s, SOQI_LANE_RECV), -ECANCELED, 0);
	fake_turn(r->loop);
	assert_int_equal(r->receive.finals, 1);
	assert_int_equal(r->loop->in_kernel, 0);
	fake_loop_end(r->loop);
}

static void silence_is_success(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r);
	fake_turn(r.loop);
	assert_int_equal(fake_ring.lazies, 1);
	assert_true(fake_ring.may_sleep);
	assert_int_equal(fake_ring.lazy.flags, IOSQE_CQE_SKIP_SUCCESS);
	assert_int_equal(fake_ring.lazy.msg_flags, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
	assert_int_equal(r.send.finals, 1);
	assert_int_equal(r.send.result, 8);
	assert_int_equal(r.receive.finals, 0);
	rig_end(&r);
}

static void silence_is_none_while_a_completion_waits_for_room(void **state)
{
	static const int32_t results[] = { -ECONNRESET, 3, -EAGAIN, 8 };

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct rig r;

		rig_make(&r);
		fake_ring.sq_flags = IORING_SQ_CQ_OVERFLOW;
		fake_turn(r.loop);
		fake_turn(r.loop);
		assert_int_equal(r.send.finals, 0);
		assert_false(fake_ring.may_sleep);
		fake_complete(fake_token(r.s, SOQI_LANE_SEND), results[i], 0);
		fake_turn(r.loop);
		fake_ring.sq_flags = 0;
		fake_turn(r.loop);
		if (results[i] == 3 || results[i] == -EAGAIN) {
			/* The rest is an ordinary send. */
			assert_int_equal(r.send.finals, 0);
			assert_int_equal(fake_ring.lazies, 1);
			fake_complete(fake_token(r.s, SOQI_LANE_SEND), results[i] == 3 ? 5 : 8, 0);
			fake_turn(r.loop);
		}
		assert_int_equal(r.send.finals, 1);
		assert_int_equal(r.send.result, results[i] == -ECONNRESET ? -ECONNRESET : 8);
		assert_int_equal(r.loop->stats.stale_completions, 0);
		rig_end(&r);
	}
}

static void silence_is_none_before_all_is_handed_over(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r);
	fake_ring.impl.ring.sq.sqe_tail = 1;
	fake_turn(r.loop);
	fake_turn(r.loop);
	assert_int_equal(r.send.finals, 0);
	assert_false(fake_ring.may_sleep);
	fake_ring.sq_head = 1;
	fake_turn(r.loop);
	assert_int_equal(r.send.finals, 1);
	assert_int_equal(r.send.result, 8);
	rig_end(&r);
}

/* What did not go at once must not be tried for ever: it waits in the kernel. */
static void what_is_left_waits_in_the_kernel(void **state)
{
	static const int32_t first[] = { 5, -EAGAIN };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rig r;

		rig_make(&r);
		fake_ring.sq_flags = IORING_SQ_CQ_OVERFLOW; /* until the test has seen its token */
		fake_turn(r.loop);
		fake_ring.sq_flags = 0;
		fake_complete(fake_token(r.s, SOQI_LANE_SEND), first[i], 0);
		fake_turn(r.loop);
		fake_turn(r.loop);
		assert_int_equal(fake_ring.lazies, 1);
		assert_int_equal(r.send.finals, 0);
		fake_complete(fake_token(r.s, SOQI_LANE_SEND), i == 0 ? 3 : 8, 0);
		fake_turn(r.loop);
		assert_int_equal(r.send.finals, 1);
		assert_int_equal(r.send.result, 8);

		/* And the next one is lazy again. */
		start_lazy(&r);
		fake_turn(r.loop);
		assert_int_equal(fake_ring.lazies, 2);
		assert_int_equal(r.send.finals, 1);
		rig_end(&r);
	}
}

static void no_sleep_with_nothing_else_in_the_kernel(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r);
	fake_turn(r.loop);
	fake_complete(fake_token(r.s, SOQI_LANE_RECV), 8, 0);
	start_lazy(&r);
	fake_turn(r.loop);
	assert_true(fake_ring.may_sleep);
	start_lazy(&r);
	fake_turn(r.loop);
	assert_int_equal(fake_ring.lazies, 3);
	assert_false(fake_ring.may_sleep);
	assert_int_equal(r.send.finals, 1);
	rig_end(&r);
}

static void no_lazy_send_for_the_impatient(void **state)
{
	struct rig r;
	struct noted behind;
	struct soq_event event;

	(void)state;
	rig_make(&r);
	r.loop->impatient++;
	fake_turn(r.loop);
	r.loop->impatient--;
	fake_complete(fake_token(r.s, SOQI_LANE_SEND), 8, 0);
	fake_turn(r.loop);
	assert_int_equal(r.send.finals, 1);

	/* An ordinary one behind it, and one that is waited for. */
	start_lazy(&r);
	noted_init(&behind);
	assert_int_equal(soq_send_async(r.s, &behind.op, bytes, 8, 0), 0);
	fake_turn(r.loop);
	fake_complete(fake_token(r.s, SOQI_LANE_SEND), 16, 0);
	fake_turn(r.loop);
	assert_int_equal(behind.finals, 1);
	behind.op.done = NULL;
	assert_int_equal(soq_send_async(r.s, &behind.op, bytes, 8, SOQ_LAZY), 0);
	fake_turn(r.loop);
	fake_complete(fake_token(r.s, SOQI_LANE_SEND), 8, 0);
	assert_int_equal(soq_wait(&behind.op, 0, &event), 0);
	assert_int_equal(event.result, 8);
	assert_int_equal(fake_ring.lazies, 0);
	rig_end(&r);
}

/* Stale entries fill the list: one more send is an ordinary one to the kernel. */
static void beyond_the_room_a_completion_comes(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r);
	for (unsigned i = 0; i < SOQI_SILENT_MAX; i++)
		fake_ring.impl.silent[i].token = SOQI_TOKEN_MASK;
	fake_ring.impl.silent_count = SOQI_SILENT_MAX;
	fake_turn(r.loop);
	assert_int_equal(fake_ring.lazies, 1);
	assert_int_equal(fake_ring.lazy.flags, 0);
	assert_int_equal(fake_ring.lazy.msg_flags, MSG_NOSIGNAL);
	assert_int_equal(fake_ring.impl.silent_count, 0);
	assert_int_equal(r.loop->stats.stale_completions, 0);
	assert_int_equal(r.send.finals, 0);
	fake_complete(fake_token(r.s, SOQI_LANE_SEND), 8, 0);
	fake_turn(r.loop);
	assert_int_equal(r.send.finals, 1);
	assert_int_equal(r.send.result, 8);
	rig_end(&r);
}

static void close_waits_for_one_that_is_not_known(void **state)
{
	struct rig r;
	struct noted closing;

	(void)state;
	rig_make(&r);
	fake_ring.sq_flags = IORING_SQ_CQ_OVERFLOW;
	fake_turn(r.loop);
	noted_init(&closing);
	assert_int_equal(soq_close_async(r.s, &closing.op), 0);
	fake_turn(r.loop);
	fake_complete(fake_token(r.s, SOQI_LANE_RECV), -ECANCELED, 0);
	fake_complete(fake_token(r.s, SOQI_LANE_SEND) | SOQI_URING_TAG_CANCEL, -ENOENT, 0);
	fake_turn(r.loop);
	assert_int_equal(closing.finals + r.send.finals, 0);
	fake_ring.sq_flags = 0;
	fake_turn(r.loop);
	assert_int_equal(r.send.finals, 1);
	assert_int_equal(r.send.result, 8);
	assert_int_equal(closing.finals, 1);
	assert_int_equal(r.loop->in_kernel, 0);
	fake_loop_end(r.loop);
}

static void ring_that_ends_ends_them_once(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r);
	fake_ring.sq_flags = IORING_SQ_CQ_OVERFLOW;
	fake_turn(r.loop);
	fake_ring.refused = -EPERM;
	assert_int_equal(soq_loop_run(r.loop, SOQ_RUN_ONCE, 0), -EPERM);
	assert_int_equal(r.send.finals, 1);
	assert_int_equal(r.send.result, -EPERM);
	assert_int_equal(r.receive.finals, 1);
	assert_int_equal(soq_abort(r.s), 0);
	assert_int_equal(soq_loop_run(r.loop, SOQ_RUN_ONCE, 0), -EPERM);
	assert_int_equal(r.send.finals, 1);
	assert_int_equal(r.loop->in_kernel, 0);
	fake_loop_end(r.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_is_success),
		cmocka_unit_test(silence_is_none_while_a_completion_waits_for_room),
		cmocka_unit_test(silence_is_none_before_all_is_handed_over),
		cmocka_unit_test(what_is_left_waits_in_the_kernel),
		cmocka_unit_test(no_sleep_with_nothing_else_in_the_kernel),
		cmocka_unit_test(no_lazy_send_for_the_impatient),
		cmocka_unit_test(beyond_the_room_a_completion_comes),
		cmocka_unit_test(close_waits_for_one_that_is_not_known),
		cmocka_unit_test(ring_that_ends_ends_them_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
