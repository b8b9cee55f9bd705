/* SPDX-License-Identifier: MIT */
/*
 * One lane with its ops, the oracle beside it, and the wire: takes a step in all of
 * them and says whether they still agree.
 */
#ifndef SOQ_TESTS_LANE_WORLD_H
#define SOQ_TESTS_LANE_WORLD_H

#include "lane_oracle.h"

#define WIRE_MAX 16

/* STEP_SETTLE_ONE: by soqi_lane_settle_one(), where it takes it upon itself. */
enum step_kind { STEP_START, STEP_TAKE, STEP_SETTLE, STEP_SETTLE_ONE, STEP_CANCEL, STEP_FAIL };

struct step {
	enum step_kind kind;
	int index;
	int value; /* the result, the cause or the error */
};

/* A byte on the wire is known by the op it came from (or went to) and its place there. */
struct label {
	signed char op;
	signed char offset;
};

/* The world: copied as a whole. The lane's pointers are right only in `lane_world`. */
struct world {
	struct soqi_lane lane;
	struct soq_op op[ORACLE_OPS];
	struct oracle oracle;
	int started;
	struct label kernel[WIRE_MAX]; /* what the request in the kernel may move, in order */
	int kernel_count;
	struct label wire[WIRE_MAX];
	int wire_count;
};

extern struct world lane_world;
extern unsigned lane_world_ops; /* how many of them there are */

/* What a request may cover. */
extern unsigned lane_world_segments_max;
extern uint64_t lane_world_bytes_max;

/* Takes a step. Returns what is wrong afterwards, or NULL. */
const char *lane_world_step(const struct step *step);

/* The number of an op; 7 for NULL. */
unsigned lane_world_number(const struct soq_op *op);

#endif
