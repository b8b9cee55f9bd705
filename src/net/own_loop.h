/* SPDX-License-Identifier: MIT */
/* Calls that wait for an op of their own. */
#ifndef SOQI_OWN_LOOP_H
#define SOQI_OWN_LOOP_H

#include "../util.h"

#include <soq/loop.h>
#include <soq/op.h>

/* A loop for a call that has none, and its end, when its op has ended. */
int soqi_own_loop(struct soq_policy *policy, struct soq_loop **loop_out);
void soqi_own_loop_end(struct soq_loop *loop);

/* The deadline of a call's op; with a negative timeout it has none. */
static inline int64_t soqi_deadline_ns(int64_t timeout_ns)
{
	return timeout_ns < 0 ? 0 : soqi_after_ns(soqi_now_ns(), timeout_ns);
}

/* Waits for the final event of an op without `done` that has one, on the caller's stack. */
void soqi_op_await(struct soq_op *op, struct soq_event *event);

#endif
