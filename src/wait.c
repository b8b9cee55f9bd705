/* SPDX-License-Identifier: MIT */
/* The public calls that work on any op: cancel, wait, sleep. */
#include "op.h"

#include <errno.h>

/* The loop an op is in flight on, with the checks of a public call, or -errno. */
static int op_loop(struct soq_op *op, struct soq_loop **loop_out)
{
	struct soq_loop *loop = __atomic_load_n(&op->priv.loop, __ATOMIC_ACQUIRE);

	if (loop == NULL)
		return -ENOENT;
	*loop_out = loop;
	return soqi_loop_check(loop);
}

int soq_cancel(struct soq_op *op)
{
	struct soq_loop *loop;
	int error;

	if (op == NULL)
		return -EINVAL;
	error = op_loop(op, &loop);
	if (error != 0)
		return error;
	if (soqi_op_state(op) != SOQI_STATE_STARTED)
		return -ENOENT;
	if (op->priv.cause != 0 || op->priv.kind == SOQI_KIND_CLOSE ||
	    op->priv.kind == SOQI_KIND_POST)
		return -EALREADY;
	soqi_op_cut(loop, op, -ECANCELED);
	soqi_attempts_take(loop);
	return 0;
}

int soq_wait(struct soq_op *op, int64_t timeout_ns, struct soq_event *event_out)
{
	struct soq_op *const ops[1] = { op };

	return soq_wait_any(ops, 1, timeout_ns, event_out);
}

/* Checks the ops of a wait and finds their loop. */
static int wait_check(struct soq_op *const *ops, unsigned op_count, struct soq_loop **loop_out)
{
	struct soq_loop *loop = NULL;

	for (unsigned i = 0; i < op_count; i++)
		if (ops[i] == NULL)
			return -EINVAL;
	for (unsigned i = 0; i < op_count; i++) {
		struct soq_loop *of = __atomic_load_n(&ops[i]->priv.loop, __ATOMIC_ACQUIRE);

		if (of == NULL)
			continue;
		if (loop != NULL && of != loop)
			return -EXDEV;
		loop = of;
	}
	if (loop != NULL) {
		int error = soqi_loop_check(loop);

		if (error != 0)
			return error;
	}
	for (unsigned i = 0; i < op_count; i++)
		if (ops[i]->done != NULL)
			return -EINVAL;
	*loop_out = loop;
	return loop != NULL ? 0 : -ENOENT;
}

static struct soq_op *first_with_event(struct soq_op *const *ops, unsigned op_count)
{
	for (unsigned i = 0; i < op_count; i++)
		if (ops[i]->priv.loop != NULL && ops[i]->priv.events > 0)
			return ops[i];
	return NULL;
}

int soq_wait_any(struct soq_op *const *ops, unsigned op_count, int64_t timeout_ns,
		 struct soq_event *event_out)
{
	int64_t until_ns;
	struct soq_loop *loop;
	struct soq_op *op;
	int error;

	if (ops == NULL || op_count == 0 || event_out == NULL)
		return -EINVAL;
	error = wait_check(ops, op_count, &loop);
	if (error != 0)
		return error;
	until_ns = soqi_until(timeout_ns);
	while ((op = first_with_event(ops, op_count)) == NULL) {
		if (error != 0)
			return error;
		error = soqi_turn(loop, until_ns);
		if (error == 0 && until_ns != SOQI_FOREVER &&
		    (until_ns == SOQI_NOW || soqi_now_ns() >= until_ns))
			error = -ETIME;
	}
	soqi_op_take(loop, op, event_out);
	return 0;
}

int soq_sleep_async(struct soq_loop *loop, struct soq_op *op, int64_t duration_ns)
{
	int64_t end_ns;
	int error = soqi_start_check_loop(loop, op);

	if (error != 0)
		return error;
	soqi_op_start(loop, NULL, op, SOQI_KIND_SLEEP, 0);
	end_ns = soqi_after_ns(soqi_now_ns(), duration_ns > 0 ? duration_ns : 0);
	op->priv.length = (uint64_t)end_ns;
	if (soqi_timer_armed(op) && op->priv.timer_ns <= end_ns)
		return 0;
	soqi_timer_disarm(&loop->timers, op);
	soqi_timer_arm(&loop->timers, op, end_ns);
	return 0;
}

int soq_sleep(struct soq_loop *loop, int64_t duration_ns)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error = soq_sleep_async(loop, &op, duration_ns);

	if (error != 0)
		return error;
	return (int)soqi_op_wait_sync(loop, &op, &event);
}
