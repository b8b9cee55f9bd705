/* SPDX-License-Identifier: MIT */
/* Many deadlines, and loops that spin before they sleep. */
#define _GNU_SOURCE
#include "support.h"

#include <sched.h>
#include <stdbool.h>
#include <unistd.h>

#define MANY 100000u

static unsigned fired_count;

static void fired(const struct soq_event *event)
{
	fired_count += event->result == 0 && event->flags == 0;
}

static void canceled(const struct soq_event *event)
{
	fired_count += event->result == -ECANCELED && event->flags == 0;
}

/* Scattered, so that the structure is not fed in order. */
static int64_t scattered(unsigned i)
{
	return (int64_t)((i * UINT64_C(2654435761)) % 1000003) * 1000;
}

static void hundred_thousand_deadlines_cost_no_call_and_no_memory(struct fixture *t)
{
	struct soq_op *ops = calloc(MANY, sizeof(*ops));
	struct soq_loop_stats before, after;
	unsigned turns;

	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	before = stats_of(t);
	for (unsigned i = 0; i < MANY; i++) {
		ops[i].done = canceled;
		expect(soq_sleep_async(t->loop, &ops[i], HOUR + scattered(i)), 0);
	}
	after = stats_of(t);
	expect(after.ops_in_flight - before.ops_in_flight, MANY);
	expect(after.waits, before.waits);
	expect(after.requests, before.requests);
	expect(after.allocations, before.allocations);

	/* A turn beside them is a turn like any other. */
	before = stats_of(t);
	for (turns = 0; turns < 10; turns++)
		expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	after = stats_of(t);
	expect(after.waits - before.waits, turns);
	expect(after.requests, before.requests);

	fired_count = 0;
	for (unsigned i = 0; i < MANY; i++)
		expect(soq_cancel(&ops[(i * 7919u) % MANY]), 0);
	expect(stats_of(t).waits, after.waits);
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), MANY);
	expect(fired_count, MANY);
	expect(stats_of(t).allocations, before.allocations);
	free(ops);
}

static void deadlines_fire_all_and_none_early(struct fixture *t)
{
	struct soq_op *ops = calloc(MANY, sizeof(*ops));
	int64_t last = 0, begin = now_ns();

	fired_count = 0;
	for (unsigned i = 0; i < MANY; i++) {
		int64_t ns = scattered(i) / 100;

		ops[i].done = fired;
		last = ns > last ? ns : last;
		expect(soq_sleep_async(t->loop, &ops[i], ns), 0);
	}
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), MANY);
	expect(fired_count, MANY);
	expect_true(now_ns() - begin >= last);
	free(ops);
}

/*
 * Waits of a loop that spins for up to 4 s and has 200 ms to wait for: so long that
 * losing the CPU on a busy machine does not eat the spin up before its second look.
 */
static uint64_t waits_spinning(struct fixture *t)
{
	struct soq_loop_options options;
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_loop *loop = NULL;

	options_of_tier(t, &options);
	options.spin_ns = UINT32_MAX;
	expect(soq_loop_create(&options, &loop), 0);
	expect(soq_sleep(loop, 200 * MS), 0);
	expect(soq_loop_stats(loop, &stats), 0);
	expect(soq_loop_destroy(loop), 0);
	return stats.waits;
}

/* On a machine of one CPU nothing could come meanwhile. Else being pinned is no reason. */
static void loop_spins_before_it_sleeps_also_when_pinned(struct fixture *t)
{
	bool alone = sysconf(_SC_NPROCESSORS_ONLN) == 1;
	cpu_set_t all, one;
	unsigned cpu = 0;

	expect(sched_getaffinity(0, sizeof(all), &all), 0);
	expect(waits_spinning(t) > 2, !alone);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	expect(sched_setaffinity(0, sizeof(one), &one), 0);
	expect(waits_spinning(t) > 2, !alone);
	expect(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void spinning_loop_hears_everything(struct fixture *t)
{
	struct soq_loop_options options;
	struct soq_socket *a, *b;
	char in[4];

	expect(soq_loop_destroy(t->loop), 0);
	options_of_tier(t, &options);
	options.spin_ns = 50000;
	expect(soq_loop_create(&options, &t->loop), 0);
	t->home = t->loop;
	pair_soq(t, AF_INET, &a, &b);
	for (unsigned i = 0; i < 100; i++) {
		struct probe *p = probe(t), *timer = probe(t);

		started(p, soq_recv_async(b, &p->op, in, 4, SOQ_EXACT));
		started(timer, soq_sleep_async(t->loop, &timer->op, i * 1000));
		expect(soq_send(a, "spin", 4, 0), 4);
		run_until(t, finished(p) && finished(timer));
		expect_end(p, 4, 0);
		expect_end(timer, 0, 0);
	}
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static const struct conf_case cases[] = {
	CASE(hundred_thousand_deadlines_cost_no_call_and_no_memory, "19a 6a"),
	CASE(deadlines_fire_all_and_none_early, "1b"),
	CASE(loop_spins_before_it_sleeps_also_when_pinned, ""),
	CASE(spinning_loop_hears_everything, "1b"),
};

CONF_GROUP(deadline, cases)
