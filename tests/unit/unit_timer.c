/* SPDX-License-Identifier: MIT */
/* The deadline heap against a sorted oracle, in every order of arming and disarming. */
#include "unit.h"

#include "timer.h"

#include <stdlib.h>
#include <sys/resource.h>

#define SMALL 200
#define MANY  100000

/* Every node has its place: no child earlier, links both ways, as many as counted. */
static size_t check_heap(const struct soqi_timers *timers)
{
	const struct soq_op *op = timers->root;
	size_t count = 0;

	if (op == NULL)
		return 0;
	assert_null(op->priv.timer_prev);
	assert_null(op->priv.timer_next);
	for (;;) {
		const struct soq_op *child = op->priv.timer_child;
		const struct soq_op *next = op->priv.timer_next;

		count++;
		assert_true(soqi_timer_armed(op));
		assert_true(op->priv.timer_ns >= timers->root->priv.timer_ns);
		if (child != NULL) {
			assert_ptr_equal(child->priv.timer_prev, op);
			assert_true(child->priv.timer_ns >= op->priv.timer_ns);
			op = child;
			continue;
		}
		while (next == NULL) { /* up to the parent of the first sibling */
			while (op->priv.timer_prev != NULL &&
			       op->priv.timer_prev->priv.timer_child != op)
				op = op->priv.timer_prev;
			if (op->priv.timer_prev == NULL)
				return count;
			op = op->priv.timer_prev;
			next = op->priv.timer_next;
		}
		assert_ptr_equal(next->priv.timer_prev, op);
		op = next;
	}
}

static int64_t earliest(const struct soq_op *ops, size_t count)
{
	int64_t first_ns = INT64_MAX;

	for (size_t i = 0; i < count; i++)
		if (soqi_timer_armed(&ops[i]) && ops[i].priv.timer_ns < first_ns)
			first_ns = ops[i].priv.timer_ns;
	return first_ns;
}

/* Arms and disarms at will; the first is always the earliest of all that are armed. */
static void any_order_of_arming_and_disarming_keeps_the_first(void **state)
{
	static struct soq_op ops[SMALL];
	struct soqi_timers timers = { 0 };
	uint64_t chance = 3;
	size_t armed = 0;

	(void)state;
	for (unsigned step = 0; step < 100000; step++) {
		/* Few different times, so that equal ones meet often. */
		struct soq_op *op = unit_choose(&chance, 4) == 0 && timers.root != NULL
					    ? soqi_timer_first(&timers)
					    : &ops[unit_choose(&chance, SMALL)];

		if (soqi_timer_armed(op)) {
			soqi_timer_disarm(&timers, op);
			armed--;
			assert_null(op->priv.timer_child);
			assert_null(op->priv.timer_next);
			assert_null(op->priv.timer_prev);
		} else {
			soqi_timer_arm(&timers, op, 1 + unit_choose(&chance, 64));
			armed++;
		}
		assert_int_equal(timers.count, armed);
		assert_int_equal(check_heap(&timers), armed);
		if (armed == 0)
			assert_null(soqi_timer_first(&timers));
		else
			assert_int_equal(soqi_timer_first(&timers)->priv.timer_ns,
					 earliest(ops, SMALL));
	}
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

enum order { ORDER_RANDOM, ORDER_UP, ORDER_DOWN, ORDER_EQUAL, ORDER_ZIGZAG, ORDER_COUNT };

static int64_t time_of(enum order order, unsigned i, uint64_t *chance)
{
	switch (order) {
	case ORDER_UP:
		return 1 + i;
	case ORDER_DOWN:
		return INT64_MAX - i;
	case ORDER_EQUAL:
		return 7;
	case ORDER_ZIGZAG:
		return i % 2 ? MANY + (int64_t)i : MANY - (int64_t)i + 1;
	default:
		return 1 + (int64_t)(unit_random(chance) >> 2);
	}
}

static void many_timers_come_out_sorted(void **state)
{
	struct soq_op *ops = calloc(MANY, sizeof(*ops));
	int64_t *times = calloc(MANY, sizeof(*times));

	(void)state;
	assert_non_null(ops);
	assert_non_null(times);
	for (enum order order = 0; order < ORDER_COUNT; order++) {
		struct soqi_timers timers = { 0 };
		uint64_t chance = 4;

		for (unsigned i = 0; i < MANY; i++) {
			times[i] = time_of(order, i, &chance);
			soqi_timer_arm(&timers, &ops[i], times[i]);
		}
		assert_int_equal(check_heap(&timers), MANY);
		qsort(times, MANY, sizeof(*times), compare);
		for (unsigned i = 0; i < MANY; i++) {
			assert_int_equal(soqi_timer_first(&timers)->priv.timer_ns, times[i]);
			soqi_timer_disarm(&timers, soqi_timer_first(&timers));
		}
		assert_null(soqi_timer_first(&timers));
		assert_int_equal(timers.count, 0);
	}
	free(times);
	free(ops);
}

/*
 * A chain as deep as there are timers: falling times, each the child of the next.
 * With 64 KiB of stack any recursion over it would crash.
 */
static void a_deep_heap_needs_no_stack(void **state)
{
	struct soq_op *ops = calloc(MANY, sizeof(*ops));
	struct soqi_timers timers = { 0 };
	struct rlimit before;
	struct rlimit small;

	(void)state;
	assert_non_null(ops);
	assert_int_equal(getrlimit(RLIMIT_STACK, &before), 0);
	small = (struct rlimit){ .rlim_cur = 65536, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_STACK, &small), 0);
	for (unsigned i = 0; i < MANY; i++)
		soqi_timer_arm(&timers, &ops[i], MANY - i);
	for (unsigned i = 0; i < MANY; i += 2) /* out of the middle */
		soqi_timer_disarm(&timers, &ops[i]);
	assert_int_equal(timers.count, MANY / 2);
	for (unsigned i = 0; i < MANY / 2; i++)
		soqi_timer_disarm(&timers, soqi_timer_first(&timers));
	assert_null(timers.root);
	assert_int_equal(setrlimit(RLIMIT_STACK, &before), 0);
	free(ops);
}

static void disarming_what_is_not_armed_does_nothing(void **state)
{
	struct soqi_timers timers = { 0 };
	struct soq_op a = { 0 };
	struct soq_op b = { 0 };

	(void)state;
	soqi_timer_disarm(&timers, &a);
	assert_int_equal(timers.count, 0);
	soqi_timer_arm(&timers, &a, INT64_MAX);
	soqi_timer_disarm(&timers, &b);
	assert_int_equal(timers.count, 1);
	assert_ptr_equal(soqi_timer_first(&timers), &a);
	soqi_timer_disarm(&timers, &a);
	soqi_timer_disarm(&timers, &a);
	assert_int_equal(timers.count, 0);
	assert_null(soqi_timer_first(&timers));
	assert_false(soqi_timer_armed(&a));
	soqi_timer_arm(&timers, &a, 1); /* and again */
	assert_ptr_equal(soqi_timer_first(&timers), &a);
	soqi_timer_disarm(&timers, &a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_arming_and_disarming_keeps_the_first),
		cmocka_unit_test(many_timers_come_out_sorted),
		cmocka_unit_test(a_deep_heap_needs_no_stack),
		cmocka_unit_test(disarming_what_is_not_armed_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
