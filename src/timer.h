/* SPDX-License-Identifier: MIT */
/*
 * Deadlines of ops: a pairing heap through the ops themselves, so arming one
 * allocates nothing. Pure: the time is passed in, nothing here reads a clock.
 */
#ifndef SOQI_TIMER_H
#define SOQI_TIMER_H

#include <soq/op.h>
#include <stdbool.h>

struct soqi_timers {
	struct soq_op *root; /* the earliest */
	size_t count;
};

static inline bool soqi_timer_armed(const struct soq_op *op)
{
	return op->priv.timed != 0;
}

/* Arms `op`, which is not armed, for `at_ns` (above 0). O(1). */
void soqi_timer_arm(struct soqi_timers *timers, struct soq_op *op, int64_t at_ns);

/* Disarms `op`; nothing if it is not armed. O(log n) amortised, no recursion. */
void soqi_timer_disarm(struct soqi_timers *timers, struct soq_op *op);

/* The op with the earliest deadline, or NULL. Equal times: any order. */
static inline struct soq_op *soqi_timer_first(const struct soqi_timers *timers)
{
	return timers->root;
}

#endif
