/* SPDX-License-Identifier: MIT */
/* Calls that wait: for an op on the stack, and without a loop on a small one of their own. */
#include "own_loop.h"

int soqi_own_loop(struct soq_policy *policy, struct soq_loop **loop_out)
{
	/* Nothing of a ring pays for a call or two. */
	const struct soq_loop_options options = { .size = sizeof(options),
						  .backend = SOQ_BACKEND_EPOLL,
						  .policy = policy };

	return soq_loop_create(&options, loop_out);
}

void soqi_own_loop_end(struct soq_loop *loop)
{
	(void)soq_loop_close_all(loop);
	(void)soq_loop_run(loop, SOQ_RUN_IDLE, -1);
	(void)soq_loop_destroy(loop);
}

void soqi_op_await(struct soq_op *op, struct soq_event *event)
{
	/* A loop that cannot wait any more says so once, and ends its ops with it. */
	while (soq_wait(op, -1, event) != 0)
		;
}
