/* SPDX-License-Identifier: MIT */
/*
 * Ops of helpers: begun and finished by who builds on the library, and the inner ones that
 * they make of them.
 *
 * An op of a helper's is in no lane: those in flight are linked by priv.next in
 * loop->helped, so that a loop that closes or dies finds them. Its argument is in priv.address.
 *
 * An inner op has soqi_inner() for its done(), by which it is told from all others, and has
 * its events in a list of its own, loop->inner.
 */
#include "socket.h"

#include <assert.h>
#include <errno.h>
#include <soq/helper.h>

void soqi_inner(const struct soq_event *event)
{
	(void)event;
	/* Each is delivered to its step alone. */
	assert(event == NULL);
}

int soq_op_inner(struct soq_op *op, soq_done_fn *step)
{
	if (op == NULL)
		return -EINVAL;
	if (soqi_op_state(op) != SOQI_STATE_IDLE)
		return -EBUSY;
	op->done = step != NULL ? soqi_inner : NULL;
	op->priv.step = step;
	return 0;
}

int soq_op_begin(struct soq_loop *loop, struct soq_op *op, soq_cancel_fn *cancel, void *arg)
{
	int error;

	if (cancel == NULL)
		return -EINVAL;
	error = soqi_start_check_loop(loop, op);
	if (error != 0)
		return error;
	soqi_op_start(loop, NULL, op, SOQI_KIND_HELPED, 0);
	op->priv.cancel = cancel;
	op->priv.address = arg;
	soqi_ops_append(&loop->helped, op);
	return 0;
}

int soq_op_finish(struct soq_op *op, int64_t result, uint32_t flags, struct soq_socket *socket)
{
	struct soq_loop *loop;
	int error;

	if (op == NULL || (flags & SOQ_F_MORE) || flags > UINT8_MAX)
		return -EINVAL;
	loop = __atomic_load_n(&op->priv.loop, __ATOMIC_ACQUIRE);
	if (loop == NULL)
		return -ENOENT;
	error = soqi_loop_check(loop);
	if (error != 0)
		return error;
	if (soqi_op_state(op) != SOQI_STATE_STARTED)
		return -ENOENT;
	if (op->priv.kind != SOQI_KIND_HELPED)
		return -EINVAL;
	if (socket != NULL) {
		error = soqi_socket_check(socket);
		if (error == 0 && socket->loop != loop)
			error = socket->loop == NULL ? -EINVAL : -EXDEV;
		if (error != 0)
			return error;
		socket->on_its_way = true;
		socket->next = NULL;
		op->priv.carried_first = socket;
		op->priv.carried_last = socket;
	}
	soqi_ops_remove(&loop->helped, op);
	if (result == -ECANCELED && op->priv.cause != 0)
		result = op->priv.cause;
	soqi_op_end(loop, op, result, flags);
	return 0;
}

void soqi_helped_end(struct soq_loop *loop, int error)
{
	const struct soq_op *each = loop->helped.first;
	unsigned count = 0;

	for (; each != NULL; each = each->priv.next)
		count++;
	/* By turns, since a cancel may finish others than its own. */
	for (; count > 0 && loop->helped.first != NULL; count--) {
		struct soq_op *op = loop->helped.first;

		soqi_ops_remove(&loop->helped, op);
		soqi_ops_append(&loop->helped, op);
		if (op->priv.cause == 0)
			soqi_op_cut(loop, op, error);
	}
}

void soqi_steps_go_on(struct soq_loop *loop)
{
	bool in_done = loop->in_done;

	loop->in_done = true;
	/* What the steps themselves bring waits for the next turn: no chain keeps this one. */
	for (uint64_t left = loop->inner_events; left > 0 && loop->inner.first != NULL; left--) {
		struct soq_op *op = loop->inner.first;
		soq_done_fn *step = op->priv.step;
		struct soq_event event;

		soqi_op_take(loop, op, &event);
		step(&event);
		if (event.flags & SOQ_F_MORE)
			soqi_op_rearm(loop, op);
	}
	loop->in_done = in_done;
}
