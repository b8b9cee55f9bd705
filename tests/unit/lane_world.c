/* SPDX-License-Identifier: MIT */
/* Steps of the lane and its oracle, and the comparison of the two with the wire. */
#include "lane_world.h"

#include <stddef.h>

struct world lane_world;
unsigned lane_world_ops;
unsigned lane_world_segments_max;
uint64_t lane_world_bytes_max;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return #condition;                                                         \
	} while (0)

unsigned lane_world_number(const struct soq_op *op)
{
	return op == NULL ? 7 : (unsigned)(op - lane_world.op);
}

/* The ops that the lane ended in this step are those the oracle ended, in order, once. */
static const char *check_ended(const struct soqi_ops *ended, const struct oracle *before)
{
	const struct soq_op *op = ended->first;

	for (unsigned i = 0; i < lane_world_ops; i++) {
		const struct oracle_op *expected = &lane_world.oracle.op[i];

		if (!expected->ended || before->op[i].ended)
			continue;
		CHECK(op == &lane_world.op[i]);
		CHECK(op->priv.result == expected->result);
		CHECK(op->priv.event_flags == expected->flags);
		op = op->priv.next;
	}
	CHECK(op == NULL);
	return NULL;
}

static const char *check_queue(void)
{
	const struct soq_op *op = lane_world.lane.queue.first;
	const struct soq_op *before = NULL;

	for (unsigned i = 0; i < lane_world_ops; i++) {
		if (!lane_world.oracle.op[i].queued)
			continue;
		CHECK(op == &lane_world.op[i]);
		CHECK(op->priv.prev == before);
		CHECK(op->priv.moved == (uint64_t)lane_world.oracle.op[i].moved);
		CHECK(op->priv.cause == lane_world.oracle.op[i].cause);
		before = op;
		op = op->priv.next;
	}
	CHECK(op == NULL);
	CHECK(lane_world.lane.queue.last == before);
	CHECK(lane_world.lane.taken == lane_world.oracle.taken);
	return NULL;
}

/* The one law: the wire is what was reported, in order, and nothing else. */
static const char *check_wire(void)
{
	int at = 0;

	for (unsigned i = 0; i < lane_world_ops; i++) {
		const struct soq_op *op = &lane_world.op[i];
		int64_t reported = lane_world.oracle.op[i].ended ? op->priv.result
								 : (int64_t)op->priv.moved;

		if (op->priv.kind != SOQI_KIND_SEND && op->priv.kind != SOQI_KIND_RECV)
			continue;
		for (int offset = 0; offset < reported; offset++, at++) {
			CHECK(at < lane_world.wire_count);
			CHECK(lane_world.wire[at].op == (int)i &&
			      lane_world.wire[at].offset == offset);
		}
	}
	CHECK(at == lane_world.wire_count);
	return NULL;
}

/* The simulated kernel reads off the request what it may move. */
static void kernel_takes(void)
{
	const struct soq_op *op = lane_world.lane.queue.first;

	lane_world.kernel_count = 0;
	for (unsigned i = 0; i < lane_world.lane.taken; i++, op = op->priv.next)
		for (uint64_t offset = op->priv.moved; offset < op->priv.length; offset++)
			lane_world.kernel[lane_world.kernel_count++] =
				(struct label){ .op = (signed char)lane_world_number(op),
						.offset = (signed char)offset };
}

static void kernel_moves(int count)
{
	for (int i = 0; i < count; i++)
		lane_world.wire[lane_world.wire_count++] = lane_world.kernel[i];
	lane_world.kernel_count = 0;
}

static const char *perform(const struct step *step, struct soqi_ops *ended)
{
	struct soq_op *op = &lane_world.op[step->index];
	struct soq_op *one = NULL;
	bool theirs;

	switch (step->kind) {
	case STEP_START:
		soqi_lane_push(&lane_world.lane, op);
		lane_world.oracle.op[step->index].queued = true;
		lane_world.started++;
		break;
	case STEP_TAKE:
		soqi_lane_take(&lane_world.lane, lane_world_segments_max, lane_world_bytes_max,
			       ended);
		oracle_take(&lane_world.oracle, lane_world_segments_max, lane_world_bytes_max);
		kernel_takes();
		break;
	case STEP_SETTLE:
	case STEP_SETTLE_ONE:
		if (step->value > 0)
			kernel_moves(step->value);
		if (step->kind == STEP_SETTLE_ONE)
			one = soqi_lane_settle_one(&lane_world.lane, step->value);
		if (one != NULL)
			soqi_ops_append(ended, one);
		else
			soqi_lane_settle(&lane_world.lane, step->value, ended);
		oracle_settle(&lane_world.oracle, step->value);
		break;
	case STEP_CANCEL:
		theirs = soqi_lane_cancel(&lane_world.lane, op, step->value, ended);
		CHECK(theirs == oracle_cancel(&lane_world.oracle, step->index, step->value));
		break;
	case STEP_FAIL:
		soqi_lane_fail(&lane_world.lane, step->value, ended);
		oracle_fail(&lane_world.oracle, step->value);
		break;
	}
	return NULL;
}

const char *lane_world_step(const struct step *step)
{
	const struct oracle before = lane_world.oracle;
	struct soqi_ops ended = { NULL, NULL };
	const char *wrong = perform(step, &ended);

	if (wrong == NULL)
		wrong = check_ended(&ended, &before);
	if (wrong == NULL)
		wrong = check_queue();
	if (wrong == NULL)
		wrong = check_wire();
	return wrong;
}
