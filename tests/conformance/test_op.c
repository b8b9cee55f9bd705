/* SPDX-License-Identifier: MIT */
/* Ops and events: one final event each, one consumer, cancel, deadlines, sleep. */
#define _GNU_SOURCE
#include "support.h"

/* Longer than a few starts take, also where everything is slow. */
static int64_t step_ns(void)
{
	return 2 * MS * (int64_t)env_number("SOQ_TEST_SLOW", 1);
}

static void wait_takes_the_event_once(struct fixture *t)
{
	struct probe *p = probe_quiet(t);
	struct soq_event event;

	started(p, soq_sleep_async(t->loop, &p->op, 0));
	expect(wait_end(p), 0);

	expect(p->flags, 0);
	expect(soq_wait(&p->op, 0, &event), -ENOENT);
}

static void wait_that_times_out_leaves_the_op_in_flight(struct fixture *t)
{
	struct probe *p = probe_quiet(t);
	struct soq_event event;

	started(p, soq_sleep_async(t->loop, &p->op, HOUR));
	expect(soq_wait(&p->op, 0, &event), -ETIME);
	expect(soq_wait(&p->op, MS, &event), -ETIME);

	expect(stats_of(t).ops_in_flight, 1);
	expect(soq_cancel(&p->op), 0);
	expect(soq_wait(&p->op, FOREVER, &event), 0);
	record(&event);
	expect_end(p, -ECANCELED, 0);
}

static void wait_for_an_op_with_done_is_refused(struct fixture *t)
{
	struct probe *p = probe(t);
	struct soq_event event;

	started(p, soq_sleep_async(t->loop, &p->op, 0));
	expect(soq_wait(&p->op, 0, &event), -EINVAL);

	await(t, p);
	expect_end(p, 0, 0);
}

static void wait_for_an_idle_op_finds_nothing(struct fixture *t)
{
	struct probe *p = probe_quiet(t);
	struct soq_event event;

	expect(soq_wait(&p->op, FOREVER, &event), -ENOENT);
}

static void wait_and_start_run_no_done(struct fixture *t)
{
	struct probe *loud = probe(t), *quiet = probe_quiet(t);

	started(loud, soq_sleep_async(t->loop, &loud->op, 0));
	started(quiet, soq_sleep_async(t->loop, &quiet->op, 2 * MS));
	expect(wait_end(quiet), 0);
	expect(soq_sleep(t->loop, MS), 0);
	expect(loud->events, 0);
	expect(stats_of(t).events_waiting, 1);

	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 1);
	expect_end(loud, 0, 0);
}

static void run_does_not_take_what_is_waited_for(struct fixture *t)
{
	struct probe *quiet = probe_quiet(t);

	started(quiet, soq_sleep_async(t->loop, &quiet->op, 0));
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, MS), 0);
	settle(t);

	expect(wait_end(quiet), 0);
	expect_end(quiet, 0, 0);
}

static void wait_any_takes_the_first_of_the_array(struct fixture *t)
{
	struct probe *a = probe_quiet(t), *b = probe_quiet(t), *idle = probe_quiet(t);
	struct soq_op *ops[] = { &idle->op, &b->op, &a->op };
	struct soq_event event;

	started(a, soq_sleep_async(t->loop, &a->op, 0));
	started(b, soq_sleep_async(t->loop, &b->op, 0));
	run_until(t, stats_of(t).events_waiting == 2);

	expect(soq_wait_any(ops, 3, FOREVER, &event), 0);
	assert_ptr_equal(event.op, &b->op);
	record(&event);
	expect(soq_wait_any(ops, 3, FOREVER, &event), 0);
	assert_ptr_equal(event.op, &a->op);
	record(&event);
	expect(soq_wait_any(ops, 3, FOREVER, &event), -ENOENT);
}

static void wait_any_times_out_and_leaves_all_in_flight(struct fixture *t)
{
	struct probe *a = probe_quiet(t), *b = probe_quiet(t);
	struct soq_op *ops[] = { &a->op, &b->op };
	struct soq_event event;

	started(a, soq_sleep_async(t->loop, &a->op, HOUR));
	started(b, soq_sleep_async(t->loop, &b->op, HOUR));
	expect(soq_wait_any(ops, 2, MS, &event), -ETIME);
	expect(stats_of(t).ops_in_flight, 2);

	expect(soq_cancel(&b->op), 0);
	expect(soq_wait_any(ops, 2, FOREVER, &event), 0);
	record(&event);
	expect_end(b, -ECANCELED, 0);
	expect(soq_cancel(&a->op), 0);
	expect(wait_end(a), -ECANCELED);
}

static void wait_any_refuses_none_and_ops_with_done(struct fixture *t)
{
	struct probe *loud = probe(t);
	struct soq_op *ops[] = { &loud->op };
	struct soq_event event;

	started(loud, soq_sleep_async(t->loop, &loud->op, 0));
	expect(soq_wait_any(ops, 0, 0, &event), -EINVAL);
	expect(soq_wait_any(ops, 1, 0, &event), -EINVAL);

	await(t, loud);
}

static void harvest_takes_events_in_order_up_to_its_room(struct fixture *t)
{
	struct probe *p[3], *loud = probe(t);
	struct soq_event events[3];

	for (int i = 0; i < 3; i++) {
		p[i] = probe_quiet(t);
		started(p[i], soq_sleep_async(t->loop, &p[i]->op, i * step_ns()));
	}
	started(loud, soq_sleep_async(t->loop, &loud->op, 0));
	run_until(t, stats_of(t).events_waiting == 3);

	expect(soq_loop_harvest(t->loop, events, 2, FOREVER), 2);
	expect(soq_loop_harvest(t->loop, events + 2, 1, FOREVER), 1);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(events[i].op, &p[i]->op);
		record(&events[i]);
	}
	expect(soq_loop_harvest(t->loop, events, 3, 0), 0);
	await(t, loud);
}

static void harvest_runs_no_done_and_honours_its_time(struct fixture *t)
{
	struct probe *loud = probe(t);
	struct soq_event event;

	started(loud, soq_sleep_async(t->loop, &loud->op, 0));
	expect(soq_loop_harvest(t->loop, &event, 1, 2 * MS), 0);
	expect(loud->events, 0);

	await(t, loud);
	expect(soq_loop_harvest(t->loop, &event, 0, 0), -EINVAL);
	expect(soq_loop_harvest(t->loop, NULL, 1, 0), -EINVAL);
}

static void events_that_wait_allocate_nothing(struct fixture *t)
{
	enum { OPS = 300 };
	struct probe *p[OPS];
	uint64_t allocations;
	unsigned last = 0;

	for (int i = 0; i < OPS; i++)
		p[i] = probe(t);
	allocations = t->memory.allocations;
	for (int i = 0; i < OPS; i++)
		started(p[i], soq_sleep_async(t->loop, &p[i]->op, 0));
	expect(soq_sleep(t->loop, MS), 0);
	expect(stats_of(t).events_waiting, OPS);
	expect(t->memory.allocations, allocations);

	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), OPS);
	for (int i = 0; i < OPS; i++) {
		expect_true(p[i]->sequence > last);
		last = p[i]->sequence;
	}
}

static void cancel_ends_an_op_once(struct fixture *t)
{
	struct probe *p = probe_quiet(t);

	expect(soq_cancel(&p->op), -ENOENT);
	expect(soq_cancel(NULL), -EINVAL);
	started(p, soq_sleep_async(t->loop, &p->op, HOUR));
	expect(soq_cancel(&p->op), 0);
	expect_true(soq_cancel(&p->op) < 0);

	expect(wait_end(p), -ECANCELED);
	expect(soq_cancel(&p->op), -ENOENT);
	expect_end(p, -ECANCELED, 0);
}

static void cancel_of_an_op_that_is_ending_is_already(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *p = probe(t);
	char byte;
	int second;

	pair_soq(t, AF_INET, &a, &b);
	started(p, soq_recv_async(a, &p->op, &byte, 1, 0));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	second = soq_cancel(&p->op);

	/* The kernel may have let go of it at once: then its final event waits. */
	expect_true(second == -EALREADY || second == -ENOENT);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void cancel_of_an_op_whose_event_waits_finds_nothing(struct fixture *t)
{
	struct probe *p = probe_quiet(t);

	started(p, soq_sleep_async(t->loop, &p->op, 0));
	run_until(t, stats_of(t).events_waiting == 1);

	expect(soq_cancel(&p->op), -ENOENT);
	expect(wait_end(p), 0);
}

static void deadline_ends_an_op_and_is_cleared(struct fixture *t)
{
	struct probe *p = probe(t);
	int64_t at = now_ns() + 2 * MS;

	p->op.deadline_ns = at;
	started(p, soq_sleep_async(t->loop, &p->op, HOUR));
	await(t, p);

	expect_true(now_ns() >= at);
	expect_end(p, -ETIMEDOUT, 0);
	expect(p->op.deadline_ns, 0);
}

static void deadline_of_an_op_that_ended_before_does_nothing(struct fixture *t)
{
	struct probe *p = probe(t);

	p->op.deadline_ns = now_ns() + 5 * MS;
	started(p, soq_sleep_async(t->loop, &p->op, 0));
	await(t, p);
	expect(soq_sleep(t->loop, 10 * MS), 0);
	settle(t);

	expect_end(p, 0, 0);
	expect(p->op.deadline_ns, 0);
}

static void completion_of_a_turn_comes_before_its_deadlines(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char byte = 0;

	p->op.deadline_ns = now_ns() + 20 * MS;
	started(p, soq_recv_async(s, &p->op, &byte, 1, 0));
	settle(t);
	raw_send(fd, "x", 1);
	while (now_ns() < p->op.deadline_ns)
		;
	await(t, p);

	expect_end(p, 1, 0);
	expect(byte, 'x');
	expect(soq_close(s), 0);
	close(fd);
}

static void sleeps_end_in_the_order_of_their_times(struct fixture *t)
{
	static const int order[] = { 3, 1, 2, 0 };
	struct probe *p[4];
	int64_t begin = now_ns();

	for (int i = 0; i < 4; i++) {
		p[i] = probe(t);
		started(p[i], soq_sleep_async(t->loop, &p[i]->op, (1 + order[i]) * step_ns()));
	}
	for (int i = 0; i < 4; i++)
		await(t, p[i]);

	expect_true(now_ns() - begin >= 4 * step_ns());
	for (int i = 0; i < 4; i++)
		expect(p[i]->sequence, order[i] + 1);
}

static void sleep_lasts_as_long_as_asked(struct fixture *t)
{
	int64_t begin = now_ns();

	expect(soq_sleep(t->loop, 3 * MS), 0);
	expect_true(now_ns() - begin >= 3 * MS);
	expect(soq_sleep(t->loop, 0), 0);
	expect(soq_sleep(t->loop, -5), 0);
}

static void op_in_flight_cannot_be_started_again(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *p = probe(t);
	char byte = 0;

	pair_soq(t, AF_INET, &a, &b);
	started(p, soq_recv_async(a, &p->op, &byte, 1, 0));
	expect(soq_recv_async(a, &p->op, &byte, 1, 0), -EBUSY);
	settle(t);
	expect(soq_sleep_async(t->loop, &p->op, 0), -EBUSY);
	expect(soq_send_async(b, &p->op, "y", 1, 0), -EBUSY);
	expect(soq_loop_post(t->loop, &p->op), -EBUSY);

	expect(soq_send(b, "x", 1, 0), 1);
	await(t, p);
	expect_end(p, 1, 0);
	expect(byte, 'x');
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void op_whose_event_waits_cannot_be_started_again(struct fixture *t)
{
	struct probe *p = probe_quiet(t);

	started(p, soq_sleep_async(t->loop, &p->op, 0));
	run_until(t, stats_of(t).events_waiting == 1);

	expect(soq_sleep_async(t->loop, &p->op, 0), -EBUSY);
	expect(wait_end(p), 0);
}

static void start_that_fails_starts_nothing(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t);
	uint64_t before = stats_of(t).ops_started;
	char byte;

	expect(soq_recv_async(s, &p->op, &byte, 1, 0), -ENOTCONN);
	expect(soq_recv_async(s, &p->op, &byte, 0, 0), -EINVAL);
	expect(soq_send_async(s, &p->op, &byte, 1, 1u << 30), -EINVAL);
	expect(soq_accept_async(s, &p->op, 0), -EINVAL);

	expect(stats_of(t).ops_started, before);
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), 0);
	expect(p->events, 0);
	expect(soq_close(s), 0);
}

static uintptr_t stack_low, stack_high;

static void sleep_again(struct probe *p, const struct soq_event *event)
{
	uintptr_t at = (uintptr_t)__builtin_frame_address(0);

	(void)event;
	stack_low = at < stack_low ? at : stack_low;
	stack_high = at > stack_high ? at : stack_high;
	if (p->finals < 5000)
		again(p, soq_sleep_async(p->t->loop, &p->op, 0));
}

static void done_may_start_its_op_again_on_a_flat_stack(struct fixture *t)
{
	struct probe *p = probe(t);

	stack_low = UINTPTR_MAX;
	stack_high = 0;
	p->then = sleep_again;
	started(p, soq_sleep_async(t->loop, &p->op, 0));
	await(t, p);

	expect(p->finals, 5000);
	expect(p->start_error, 0);
	expect_true(stack_high - stack_low < 4096);
}

static unsigned freed;

static void free_itself(const struct soq_event *event)
{
	memset(event->op, 0x5a, sizeof(*event->op));
	free(event->op);
	freed++;
}

static void done_may_free_its_op(struct fixture *t)
{
	freed = 0;
	for (int i = 0; i < 10; i++) {
		struct soq_op *op = calloc(1, sizeof(*op));

		op->done = free_itself;
		expect(soq_sleep_async(t->loop, op, i % 2), 0);
	}
	run_until(t, freed == 10);
}

static void cancel_the_other(struct probe *p, const struct soq_event *event)
{
	struct probe *other = p->arg;

	(void)event;
	p->start_error = soq_cancel(&other->op);
}

static void done_may_cancel_another_op(struct fixture *t)
{
	struct probe *canceler = probe(t), *other = probe(t);

	canceler->then = cancel_the_other;
	canceler->arg = other;
	started(other, soq_sleep_async(t->loop, &other->op, HOUR));
	started(canceler, soq_sleep_async(t->loop, &canceler->op, 0));
	await(t, other);

	expect(canceler->start_error, 0);
	expect_end(other, -ECANCELED, 0);
}

static const struct conf_case cases[] = {
	CASE(wait_takes_the_event_once, "2b 3a"),
	CASE(wait_that_times_out_leaves_the_op_in_flight, "3b 3c"),
	CASE(wait_for_an_op_with_done_is_refused, "2d"),
	CASE(wait_for_an_idle_op_finds_nothing, "2b"),
	CASE(wait_and_start_run_no_done, "2a"),
	CASE(run_does_not_take_what_is_waited_for, "2b"),
	CASE(wait_any_takes_the_first_of_the_array, "2b 3a"),
	CASE(wait_any_times_out_and_leaves_all_in_flight, "3b"),
	CASE(wait_any_refuses_none_and_ops_with_done, "2d"),
	CASE(harvest_takes_events_in_order_up_to_its_room, "2b 2c"),
	CASE(harvest_runs_no_done_and_honours_its_time, "2a 3c"),
	CASE(events_that_wait_allocate_nothing, "2c 19a"),
	CASE(cancel_ends_an_op_once, "1b 6a"),
	CASE(cancel_of_an_op_that_is_ending_is_already, "6a"),
	CASE(cancel_of_an_op_whose_event_waits_finds_nothing, "1b"),
	CASE(deadline_ends_an_op_and_is_cleared, "6b"),
	CASE(deadline_of_an_op_that_ended_before_does_nothing, "1b 6b"),
	CASE(completion_of_a_turn_comes_before_its_deadlines, "6e"),
	CASE(sleeps_end_in_the_order_of_their_times, "1b"),
	CASE(sleep_lasts_as_long_as_asked, "20a"),
	CASE(op_in_flight_cannot_be_started_again, "4b B167"),
	CASE(op_whose_event_waits_cannot_be_started_again, "4b"),
	CASE(start_that_fails_starts_nothing, "1a 5a"),
	CASE(done_may_start_its_op_again_on_a_flat_stack, "4a 2g"),
	CASE(done_may_free_its_op, "4a"),
	CASE(done_may_cancel_another_op, "4a"),
};

CONF_GROUP(op, cases)
