/* SPDX-License-Identifier: MIT */
/*
 * What a lane must do, said once more and as shortly as can be: arrays and counts
 * instead of lists. It shares no line with src/lane.c.
 */
#ifndef SOQ_TESTS_LANE_ORACLE_H
#define SOQ_TESTS_LANE_ORACLE_H

#include "lane.h"

#define ORACLE_OPS 4

struct oracle_op {
	enum soqi_kind kind;
	int length;
	bool exact;
	bool queued;
	bool ended;
	bool looked_at; /* it ended, and whether it left a hole was looked at */
	int moved;      /* bytes that really moved */
	int cause;
	int64_t result;
	uint32_t flags;
};

struct oracle {
	struct oracle_op op[ORACLE_OPS];
	bool covered[ORACLE_OPS]; /* what the request in the kernel is about */
	int taken;
	bool alone; /* a gather failed and nobody owned up to it yet */
};

/* Each does to the oracle what the function of src/lane.h of that name does to a lane. */
void oracle_take(struct oracle *o, unsigned segments_max, uint64_t bytes_max);
void oracle_settle(struct oracle *o, int result);
bool oracle_cancel(struct oracle *o, int index, int cause);
void oracle_fail(struct oracle *o, int error);

/* Bytes the request in the kernel is about. */
int oracle_bytes(const struct oracle *o);

#endif
