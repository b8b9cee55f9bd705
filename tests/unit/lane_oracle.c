/* SPDX-License-Identifier: MIT */
/* The lane's rules in their shortest form. */
#include "lane_oracle.h"

#include <errno.h>

static void end(struct oracle_op *op, int64_t result, uint32_t flags)
{
	op->ended = true;
	op->queued = false;
	op->result = result;
	op->flags = flags;
}

/* Bytes that moved are a result, and a flag says why they are not all. */
static void end_early(struct oracle_op *op, int why, uint32_t flag)
{
	end(op, op->moved > 0 ? op->moved : why, op->moved > 0 ? flag : 0);
}

static uint32_t flag_of(int cause)
{
	return cause == -ETIMEDOUT ? SOQ_F_TIMED_OUT : SOQ_F_CANCELED;
}

/*
 * A send that ended with some but not all of its bytes on the wire takes along what
 * is queued behind it. What is started later is the caller's own decision.
 */
static void no_hole(struct oracle *o)
{
	bool hole = false;

	for (int i = 0; i < ORACLE_OPS; i++) {
		struct oracle_op *op = &o->op[i];

		if (hole && op->queued)
			end(op, -ECANCELED, 0);
		if (op->kind == SOQI_KIND_SEND && op->ended && !op->looked_at)
			hole = hole || (op->moved > 0 && op->moved < op->length);
		op->looked_at = op->ended;
	}
}

int oracle_bytes(const struct oracle *o)
{
	int bytes = 0;

	for (int i = 0; i < ORACLE_OPS; i++)
		if (o->covered[i])
			bytes += o->op[i].length - o->op[i].moved;
	return bytes;
}

void oracle_take(struct oracle *o, unsigned segments_max, uint64_t bytes_max)
{
	bool leading = true;

	for (int i = 0; i < ORACLE_OPS; i++) {
		struct oracle_op *op = &o->op[i];

		if (!op->queued)
			continue;
		if (leading && op->kind == SOQI_KIND_SEND && op->length == 0) {
			end(op, 0, 0);
			continue;
		}
		leading = false;
		o->covered[i] = true;
		if (o->taken > 0 && (o->alone || op->kind != SOQI_KIND_SEND ||
				     (unsigned)o->taken + 1 > segments_max ||
				     (uint64_t)oracle_bytes(o) > bytes_max)) {
			o->covered[i] = false;
			break;
		}
		o->taken++;
		if (op->kind != SOQI_KIND_SEND)
			break;
	}
}

/* Hands out the bytes of a send in order; ends what is complete. */
static void share_out(struct oracle *o, int bytes)
{
	for (int i = 0; i < ORACLE_OPS; i++) {
		struct oracle_op *op = &o->op[i];

		if (!o->covered[i])
			continue;
		for (; bytes > 0 && op->moved < op->length; bytes--)
			op->moved++;
		if (op->moved < op->length)
			break;
		end(op, op->length, 0);
	}
}

static void settle_one(struct oracle_op *op, int result)
{
	bool data = op->kind == SOQI_KIND_SEND || op->kind == SOQI_KIND_RECV;

	if (result < 0 && data) {
		end_early(op, result, SOQ_F_BROKEN);
	} else if (data) { /* a receive */
		op->moved += result;
		if (result == 0 || !op->exact || op->moved == op->length)
			end(op, op->moved, 0);
	} else {
		end(op, result, 0);
	}
}

void oracle_settle(struct oracle *o, int result)
{
	bool asked = false;
	int first = -1;

	for (int i = ORACLE_OPS - 1; i >= 0; i--) {
		if (o->covered[i])
			first = i;
		asked = asked || (o->covered[i] && o->op[i].cause != 0);
	}
	if (result == -EAGAIN || result == -EINTR || (result == -ECANCELED && asked)) {
		/* It says nothing about anybody. */
	} else if (o->op[first].kind == SOQI_KIND_SEND && result >= 0) {
		share_out(o, result);
		o->alone = false;
	} else if (o->taken == 1) {
		settle_one(&o->op[first], result);
		o->alone = false;
	} else {
		o->alone = true;
	}
	for (int i = 0; i < ORACLE_OPS; i++) {
		if (o->covered[i] && o->op[i].queued && o->op[i].cause != 0)
			end_early(&o->op[i], o->op[i].cause, flag_of(o->op[i].cause));
		no_hole(o);
		o->covered[i] = false;
	}
	o->taken = 0;
}

bool oracle_cancel(struct oracle *o, int index, int cause)
{
	o->op[index].cause = cause;
	if (o->covered[index])
		return true;
	end_early(&o->op[index], cause, flag_of(cause));
	no_hole(o);
	return false;
}

void oracle_fail(struct oracle *o, int error)
{
	for (int i = 0; i < ORACLE_OPS; i++)
		if (o->op[i].queued && !o->covered[i])
			end_early(&o->op[i], error, flag_of(error));
}
