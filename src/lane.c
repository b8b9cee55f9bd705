/* SPDX-License-Identifier: MIT */
/* The lane's rules: who gets the bytes, who gets the error, who goes on. */
#include "lane.h"

#include <assert.h>
#include <errno.h>

void soqi_ops_remove(struct soqi_ops *from, struct soq_op *op)
{
	if (op->priv.prev != NULL)
		op->priv.prev->priv.next = op->priv.next;
	else
		from->first = op->priv.next;
	if (op->priv.next != NULL)
		op->priv.next->priv.prev = op->priv.prev;
	else
		from->last = op->priv.prev;
	op->priv.next = NULL;
	op->priv.prev = NULL;
}

static void end(struct soqi_lane *lane, struct soq_op *op, int64_t result, uint32_t flags,
		struct soqi_ops *ended)
{
	soqi_ops_remove(&lane->queue, op);
	op->priv.result = result;
	op->priv.event_flags = (uint8_t)flags;
	soqi_ops_append(ended, op);
}

void soqi_lane_fail_from(struct soqi_lane *lane, struct soq_op *op, int error,
			 struct soqi_ops *ended)
{
	struct soq_op *next;

	for (; op != NULL; op = next) {
		next = op->priv.next;
		end(lane, op, error, 0, ended);
	}
}

static uint32_t cut_flag(int cause)
{
	return cause == -ETIMEDOUT ? SOQ_F_TIMED_OUT : SOQ_F_CANCELED;
}

/* Messages are whole: what is behind one that was not sent may go on. */
static bool leaves_hole(const struct soqi_lane *lane, const struct soq_op *op)
{
	if (op->priv.kind == SOQI_KIND_RELAY)
		return lane->index == SOQI_LANE_SEND && op->priv.moved > 0;
	return op->priv.kind == SOQI_KIND_SEND && op->priv.moved > 0 && !lane->whole;
}

/*
 * Ends `op` early: with what it moved, or with `error`. A send that put some of
 * its bytes on the wire and not the rest takes everything behind it along, or the
 * peer would find a hole in the stream.
 */
static void end_short(struct soqi_lane *lane, struct soq_op *op, int error, uint32_t flag,
		      struct soqi_ops *ended)
{
	struct soq_op *behind = op->priv.next;
	bool hole = leaves_hole(lane, op);

	if (op->priv.moved > 0)
		end(lane, op, (int64_t)op->priv.moved, flag, ended);
	else
		end(lane, op, error, 0, ended);
	if (hole)
		soqi_lane_fail_from(lane, behind, -ECANCELED, ended);
}

/* Lets the ops go that were asked to while the kernel had them. */
static void sweep(struct soqi_lane *lane, struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;
	struct soq_op *next;

	for (; op != NULL; op = next) {
		bool hole = leaves_hole(lane, op);

		next = op->priv.next;
		if (op->priv.cause == 0)
			continue;
		end_short(lane, op, op->priv.cause, cut_flag(op->priv.cause), ended);
		if (hole)
			return;
	}
}

static uint64_t left_of(const struct soq_op *op)
{
	return op->priv.length - op->priv.moved;
}

static unsigned segments_of(const struct soq_op *op)
{
	return (op->priv.flags & SOQI_OP_VECTOR) ? op->priv.segment_count - op->priv.segment : 1;
}

/*
 * Its notification must be about its memory and nobody else's, or what the kernel is told
 * of its bytes is true of no others; and parts are no memory.
 */
static bool is_alone(const struct soq_op *op)
{
	return soqi_is_parts(op) ||
	       (op->priv.flags & (SOQ_ZEROCOPY | SOQI_OP_COPIES)) == SOQ_ZEROCOPY ||
	       (op->priv.flags & (SOQ_URGENT | SOQ_DONT_ROUTE)) != 0;
}

void soqi_lane_take(struct soqi_lane *lane, unsigned segments_max, uint64_t bytes_max,
		    struct soqi_ops *ended)
{
	struct soq_op *op;
	unsigned segments = 0;
	uint64_t bytes = 0;

	assert(lane->taken == 0);
	while ((op = lane->queue.first) != NULL && op->priv.kind == SOQI_KIND_SEND &&
	       op->priv.length == 0 && !lane->whole)
		end(lane, op, 0, 0, ended);
	for (; op != NULL; op = op->priv.next) {
		if (lane->taken > 0 &&
		    (lane->solo || lane->whole || op->priv.kind != SOQI_KIND_SEND || is_alone(op) ||
		     segments + segments_of(op) > segments_max || bytes + left_of(op) > bytes_max ||
		     lane->taken == UINT8_MAX))
			break;
		lane->taken++;
		if (op->priv.kind != SOQI_KIND_SEND || is_alone(op))
			break;
		segments += segments_of(op);
		bytes += left_of(op);
	}
}

static bool is_transient(int64_t result)
{
	return result == -EAGAIN || result == -EINTR;
}

/* Whether a request that covered `taken` ops was ended on purpose. */
static bool was_asked_to_end(const struct soqi_lane *lane, unsigned taken)
{
	const struct soq_op *op = lane->queue.first;

	for (; op != NULL && taken > 0; op = op->priv.next, taken--)
		if (op->priv.cause != 0)
			return true;
	return false;
}

static void settle_sends(struct soqi_lane *lane, int64_t result, unsigned taken,
			 struct soqi_ops *ended)
{
	uint64_t left = (uint64_t)result;
	struct soq_op *op;

	if (result < 0) {
		if (is_transient(result) || (result == -ECANCELED && was_asked_to_end(lane, taken)))
			return;
		if (taken > 1) {
			lane->solo = true;
			return;
		}
		lane->solo = false;
		end_short(lane, lane->queue.first, (int)result, SOQ_F_BROKEN, ended);
		return;
	}
	lane->solo = false;
	while (taken > 0 && (op = lane->queue.first) != NULL && left_of(op) <= left) {
		left -= left_of(op);
		op->priv.moved = op->priv.length;
		end(lane, op, (int64_t)op->priv.length, 0, ended);
		taken--;
	}
	if (taken > 0 && lane->queue.first != NULL)
		lane->queue.first->priv.moved += left;
	else
		assert(left == 0);
}

static void settle_receive(struct soqi_lane *lane, int64_t result, struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;

	if (result > 0) {
		op->priv.moved += (uint64_t)result;
		if (!(op->priv.flags & SOQ_EXACT) || op->priv.moved == op->priv.length)
			end(lane, op, (int64_t)op->priv.moved, 0, ended);
	} else if (result == 0) {
		end(lane, op, (int64_t)op->priv.moved, 0, ended);
	} else if (!is_transient(result) && !(result == -ECANCELED && op->priv.cause != 0)) {
		end_short(lane, op, (int)result, SOQ_F_BROKEN, ended);
	}
}

/* Its bytes are counted as they are moved; this is how it ends, or that it waits no more. */
static void settle_relay(struct soqi_lane *lane, int64_t result, struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;

	if (result >= 0)
		end(lane, op, result, 0, ended);
	else if (!is_transient(result) && !(result == -ECANCELED && op->priv.cause != 0))
		end_short(lane, op, (int)result, SOQ_F_BROKEN, ended);
}

static void settle_other(struct soqi_lane *lane, int64_t result, struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;

	if (!is_transient(result) && !(result == -ECANCELED && op->priv.cause != 0))
		end(lane, op, result, 0, ended);
}

void soqi_lane_settle(struct soqi_lane *lane, int64_t result, struct soqi_ops *ended)
{
	unsigned taken = lane->taken;

	assert(taken > 0 && lane->queue.first != NULL);
	lane->taken = 0;
	switch (lane->queue.first->priv.kind) {
	case SOQI_KIND_SEND:
		settle_sends(lane, result, taken, ended);
		break;
	case SOQI_KIND_RECV:
	case SOQI_KIND_FIRST:
		settle_receive(lane, result, ended);
		break;
	case SOQI_KIND_RELAY:
		settle_relay(lane, result, ended);
		break;
	default:
		settle_other(lane, result, ended);
		break;
	}
	sweep(lane, ended);
}

bool soqi_lane_cancel(struct soqi_lane *lane, struct soq_op *op, int cause, struct soqi_ops *ended)
{
	const struct soq_op *in_kernel = lane->queue.first;

	op->priv.cause = cause;
	for (unsigned i = 0; i < lane->taken; i++, in_kernel = in_kernel->priv.next)
		if (in_kernel == op)
			return true;
	end_short(lane, op, cause, cut_flag(cause), ended);
	return false;
}

void soqi_lane_fail(struct soqi_lane *lane, int error, struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;
	struct soq_op *next;

	for (unsigned i = 0; i < lane->taken; i++)
		op = op->priv.next;
	for (; op != NULL; op = next) {
		next = op->priv.next;
		/* One by one: what is behind a short send gets this error, not -ECANCELED. */
		if (op->priv.moved > 0)
			end(lane, op, (int64_t)op->priv.moved, cut_flag(error), ended);
		else
			end(lane, op, error, 0, ended);
	}
}
