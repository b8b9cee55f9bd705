/* SPDX-License-Identifier: MIT */
/*
 * Every situation a lane with up to four ops can get into, and every thing that can
 * happen in it. From each start the search takes every step (start the next op,
 * make a request, let it come back with every result, cancel, fail), compares the
 * lane with the oracle, compares the wire with what was reported, and goes on from
 * every state it has not seen.
 */
#include "unit.h"

#include "lane_world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* Fewer under tools that slow it down and have nothing to find in it. */
#ifndef UNIT_LANE_OPS
#define UNIT_LANE_OPS ORACLE_OPS
#endif
#define STATES_MAX (1u << 16)
#define SEEN_MAX   (STATES_MAX * 4)

struct node {
	struct world world;
	struct step step;
	unsigned parent;
};

static struct node *nodes;
static unsigned node_count;
static uint64_t *seen;
static uint64_t steps_total;
static uint64_t states_total;
static uint64_t starts_total;

static void print_step(const struct step *step, const char *mark)
{
	static const char *const names[] = { "start",      "take",   "settle",
					     "settle one", "cancel", "fail" };

	print_error("%s op %d value %d%s\n", names[step->kind], step->index, step->value, mark);
}

/* How the search came here, for the one who has to understand a failure. */
static void print_path(unsigned from, const struct step *last)
{
	unsigned path[64];
	unsigned length = 0;

	for (unsigned i = 0; i < lane_world_ops; i++)
		print_error("op %u: kind %d length %d exact %d\n", i, lane_world.oracle.op[i].kind,
			    lane_world.oracle.op[i].length, lane_world.oracle.op[i].exact);
	for (unsigned at = from; at != 0 && length < ARRAY_SIZE(path); at = nodes[at].parent)
		path[length++] = at;
	while (length > 0)
		print_step(&nodes[path[--length]].step, "");
	print_step(last, "  <- here");
}

/* All the state there is, in 64 bits: what the lane keeps and what the oracle knows. */
static uint64_t key(void)
{
	uint64_t k = 0;

	for (unsigned i = 0; i < lane_world_ops; i++) {
		const struct soq_op *op = &lane_world.op[i];
		const struct oracle_op *o = &lane_world.oracle.op[i];
		unsigned cause = op->priv.cause == 0 ? 0 : op->priv.cause == -ETIMEDOUT ? 1 : 2;

		k = k << 2 | (o->queued ? 1u : 0u) | (o->ended ? 2u : 0u);
		k = k << 2 | (unsigned)op->priv.moved;
		k = k << 2 | (o->ended ? 0 : cause);
		k = k << 3 | (o->queued ? lane_world_number(op->priv.next) : 0);
		k = k << 3 | (o->queued ? lane_world_number(op->priv.prev) : 0);
	}
	k = k << 3 | lane_world_number(lane_world.lane.queue.first);
	k = k << 3 | lane_world_number(lane_world.lane.queue.last);
	k = k << 3 | lane_world.lane.taken;
	k = k << 1 | (lane_world.lane.solo ? 1u : 0u);
	k = k << 1 | (lane_world.oracle.alone ? 1u : 0u);
	return k + 1;
}

/* Notes the state; true if it is new. */
static bool is_new(void)
{
	uint64_t k = key();
	uint64_t at = k * UINT64_C(0x9e3779b97f4a7c15) >> 40;

	for (;; at++) {
		uint64_t *slot = &seen[at % SEEN_MAX];

		if (*slot == k)
			return false;
		if (*slot == 0) {
			*slot = k;
			return true;
		}
	}
}

/* Takes one step from node `from`; what it leads to is looked at later, if new. */
static void try_step(unsigned from, enum step_kind kind, int index, int value)
{
	const struct step step = { kind, index, value };
	const char *wrong;

	lane_world = nodes[from].world;
	wrong = lane_world_step(&step);
	steps_total++;
	if (wrong != NULL) {
		print_path(from, &step);
		fail_msg("not: %s", wrong);
	}
	if (!is_new())
		return;
	assert_true(node_count < STATES_MAX);
	nodes[node_count++] = (struct node){ lane_world, step, from };
}

static const int errors[] = { -ECONNRESET, -EPIPE, -ENOBUFS, -EAGAIN, -EINTR, -ECANCELED };

static void try_results(unsigned from)
{
	const struct oracle *o = &nodes[from].world.oracle;
	enum soqi_kind kind = nodes[from].world.lane.queue.first->priv.kind;
	bool data = kind == SOQI_KIND_SEND || kind == SOQI_KIND_RECV;
	int total = data ? oracle_bytes(o) : 0;

	for (int moved = 0; moved <= total; moved++) {
		try_step(from, STEP_SETTLE, 0, moved);
		if (moved > 0)
			try_step(from, STEP_SETTLE_ONE, 0, moved);
	}
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		try_step(from, STEP_SETTLE, 0, errors[i]);
}

static void try_every_step(unsigned from)
{
	const struct world *at = &nodes[from].world;

	if (at->started < (int)lane_world_ops)
		try_step(from, STEP_START, at->started, 0);
	for (int i = 0; i < at->started; i++) {
		if (!at->oracle.op[i].queued || at->oracle.op[i].cause != 0)
			continue;
		try_step(from, STEP_CANCEL, i, -ECANCELED);
		try_step(from, STEP_CANCEL, i, -ETIMEDOUT);
	}
	if (at->lane.taken > 0)
		try_results(from);
	else if (at->lane.queue.first != NULL)
		try_step(from, STEP_TAKE, 0, 0);
	if (at->lane.queue.first != NULL) {
		try_step(from, STEP_FAIL, 0, -ECANCELED);
		try_step(from, STEP_FAIL, 0, -ECONNREFUSED);
	}
}

/* What an op can be. */
struct shape {
	enum soqi_kind kind;
	int length;
	bool exact;
};

static const struct shape send_shapes[] = {
	{ SOQI_KIND_SEND, 0, false },     { SOQI_KIND_SEND, 1, false },
	{ SOQI_KIND_SEND, 2, false },     { SOQI_KIND_SEND, 3, false },
	{ SOQI_KIND_SHUTDOWN, 0, false }, { SOQI_KIND_CONNECT, 0, false },
};

static const struct shape receive_shapes[] = {
	{ SOQI_KIND_RECV, 1, false },   { SOQI_KIND_RECV, 2, false }, { SOQI_KIND_RECV, 3, false },
	{ SOQI_KIND_RECV, 1, true },    { SOQI_KIND_RECV, 2, true },  { SOQI_KIND_RECV, 3, true },
	{ SOQI_KIND_ACCEPT, 0, false },
};

static void set_op(unsigned i, const struct shape *shape)
{
	lane_world.op[i].priv.kind = (uint8_t)shape->kind;
	lane_world.op[i].priv.length = (uint64_t)shape->length;
	lane_world.op[i].priv.flags = shape->exact ? SOQ_EXACT : 0;
	lane_world.oracle.op[i] = (struct oracle_op){ .kind = shape->kind,
						      .length = shape->length,
						      .exact = shape->exact };
}

static void search(void)
{
	memset(seen, 0, SEEN_MAX * sizeof(*seen));
	node_count = 1;
	nodes[0] = (struct node){ .world = lane_world };
	(void)is_new();
	for (unsigned from = 0; from < node_count; from++)
		try_every_step(from);
	states_total += node_count;
	starts_total++;
}

/* Every queue of up to four ops of these shapes. */
static void search_all(const struct shape *shapes, unsigned shape_count)
{
	steps_total = 0;
	states_total = 0;
	starts_total = 0;
	for (lane_world_ops = 1; lane_world_ops <= UNIT_LANE_OPS; lane_world_ops++) {
		unsigned queues = 1;

		for (unsigned i = 0; i < lane_world_ops; i++)
			queues *= shape_count;
		for (unsigned queue = 0; queue < queues; queue++) {
			memset(&lane_world, 0, sizeof(lane_world));
			for (unsigned i = 0, rest = queue; i < lane_world_ops;
			     i++, rest /= shape_count)
				set_op(i, &shapes[rest % shape_count]);
			search();
		}
	}
	print_message(
		"           %llu queues, %llu situations, %llu things that happened in them\n",
		(unsigned long long)starts_total, (unsigned long long)states_total,
		(unsigned long long)steps_total);
}

static void sends_of_every_size_with_a_shutdown_or_connect_anywhere(void **state)
{
	(void)state;
	lane_world_segments_max = 64;
	lane_world_bytes_max = UINT64_C(1) << 30;
	search_all(send_shapes, ARRAY_SIZE(send_shapes));
}

static void gathers_that_must_stop_at_two_segments(void **state)
{
	(void)state;
	lane_world_segments_max = 2;
	lane_world_bytes_max = UINT64_C(1) << 30;
	search_all(send_shapes, 4);
}

static void gathers_that_must_stop_at_three_bytes(void **state)
{
	(void)state;
	lane_world_segments_max = 64;
	lane_world_bytes_max = 3;
	search_all(send_shapes, 4);
}

static void receives_exact_and_not_and_accepts(void **state)
{
	(void)state;
	lane_world_segments_max = 64;
	lane_world_bytes_max = UINT64_C(1) << 30;
	search_all(receive_shapes, ARRAY_SIZE(receive_shapes));
}

/* The first op may be larger than a request; an op of several segments counts them all. */
static void the_first_op_always_fits_and_segments_count(void **state)
{
	struct soqi_ops ended = { NULL, NULL };

	(void)state;
	lane_world_ops = 3;
	memset(&lane_world, 0, sizeof(lane_world));
	for (unsigned i = 0; i < lane_world_ops; i++) {
		set_op(i, &send_shapes[3]);
		lane_world.op[i].priv.flags = SOQI_OP_VECTOR;
		lane_world.op[i].priv.segment_count = 3;
		soqi_lane_push(&lane_world.lane, &lane_world.op[i]);
	}
	soqi_lane_take(&lane_world.lane, 2, 2, &ended);
	assert_int_equal(lane_world.lane.taken, 1);
	soqi_lane_settle(&lane_world.lane, 2, &ended);
	lane_world.op[0].priv.segment = 2;
	soqi_lane_take(&lane_world.lane, 4, 100, &ended);
	assert_int_equal(lane_world.lane.taken, 2);
	soqi_lane_settle(&lane_world.lane, 4, &ended);
	soqi_lane_take(&lane_world.lane, 2, 100, &ended);
	assert_int_equal(lane_world.lane.taken, 1);
	assert_ptr_equal(ended.first, &lane_world.op[0]);
	assert_ptr_equal(ended.last, &lane_world.op[1]);
}

static int set_up(void **state)
{
	(void)state;
	nodes = malloc(STATES_MAX * sizeof(*nodes));
	seen = malloc(SEEN_MAX * sizeof(*seen));
	return nodes != NULL && seen != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(nodes);
	free(seen);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_of_every_size_with_a_shutdown_or_connect_anywhere),
		cmocka_unit_test(gathers_that_must_stop_at_two_segments),
		cmocka_unit_test(gathers_that_must_stop_at_three_bytes),
		cmocka_unit_test(receives_exact_and_not_and_accepts),
		cmocka_unit_test(the_first_op_always_fits_and_segments_count),
	};
	const char *only = getenv("SOQ_TEST_ONLY");

	/* All of it takes some seconds: a mutant names the search that knows it. */
	if (only != NULL && only[0] != 0)
		cmocka_set_test_filter(only);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
