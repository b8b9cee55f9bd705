/* SPDX-License-Identifier: MIT */
/*
 * Accepting with the first bytes. The op of such an accept leaves the listener's lane with
 * its connection, and goes on as the receive of that connection's first bytes, so those
 * behind it have their turn. Nobody has the handle yet: if the op ends early the
 * connection is aborted, where that may be done, as with attempts of connect_list.c.
 */
#include "detached.h"

#include <errno.h>
#include <limits.h>
#include <soq/accept.h>

void soqi_first_begin(struct soq_loop *loop, struct soq_socket *listener,
		      struct soq_socket *accepted, struct soq_op *op)
{
	struct soqi_lane *lane = &accepted->lane[SOQI_LANE_RECV];

	loop->firsts++;
	accepted->on_its_way = true;
	op->priv.kind = SOQI_KIND_FIRST;
	op->priv.socket = accepted;
	op->priv.carried_first = NULL;
	op->priv.carried_last = NULL;
	/* Whose it is; a listener that closes takes it along, so the slot stays its. */
	op->priv.segment = listener->slot;
	op->priv.address = NULL;
	op->priv.message = NULL;
	op->priv.segment_count = 1;
	if (op->priv.cause != 0) {
		op->priv.result = op->priv.cause;
		soqi_attempt_ended(loop, op);
		return;
	}
	soqi_op_start_lane(accepted, lane, op);
}

void soqi_first_take(struct soq_loop *loop, struct soq_op *op)
{
	struct soq_socket *s = op->priv.socket;
	int64_t result = op->priv.result;

	if (result >= 0 && s == NULL)
		result = -ECANCELED;
	if (result >= 0) {
		op->priv.carried_first = s;
		op->priv.carried_last = s;
	} else if (s != NULL) {
		s->on_its_way = false;
		soqi_close_begin(s, SOQI_CLOSE_ABORT, NULL);
	}
	if (result < 0)
		op->priv.socket = NULL;
	soqi_op_end(loop, op, result, 0);
}

struct soq_op *soqi_first_of(const struct soq_socket *listener, uint32_t *slot)
{
	struct soq_loop *loop = listener->loop;

	for (; loop->firsts > 0 && *slot < loop->slot_count; (*slot)++) {
		const struct soq_socket *s = soqi_slot_find(loop, *slot);
		struct soq_op *op = s->lane[SOQI_LANE_RECV].queue.first;

		if (s->on_its_way && op != NULL && op->priv.kind == SOQI_KIND_FIRST &&
		    op->priv.segment == listener->slot) {
			(*slot)++;
			return op;
		}
	}
	return NULL;
}

void soqi_firsts_cut(struct soq_socket *listener)
{
	uint32_t slot = 0;
	struct soq_op *op;

	while ((op = soqi_first_of(listener, &slot)) != NULL)
		if (op->priv.cause == 0)
			soqi_op_cut(listener->loop, op, -ECANCELED);
}

static int data_check(const struct soq_socket *s, const void *buffer, size_t size_bytes)
{
	if (size_bytes == 0 || size_bytes > SSIZE_MAX || buffer == NULL)
		return -EINVAL;
	if (s->phase != SOQI_PHASE_LISTENING)
		return -EINVAL;
	return soqi_is_stream(s) ? 0 : -EOPNOTSUPP;
}

int soq_accept_data_async(struct soq_socket *s, struct soq_op *op, void *buffer, size_t size_bytes)
{
	int error = soqi_start_check(s, op);

	if (error == 0)
		error = data_check(s, buffer, size_bytes);
	if (error == 0)
		soqi_accept_start(s, op, 0, NULL, buffer, size_bytes);
	return error;
}

static int64_t detached(struct soq_socket *s, void *buffer, size_t size_bytes,
			struct soq_socket **accepted_out, struct soq_endpoint *peer_out)
{
	const struct soqi_transfer first = { .index = SOQI_LANE_RECV,
					     .data = buffer,
					     .count = size_bytes };
	struct soq_endpoint peer = { .size_bytes = 0 };
	struct soq_op op = { 0 };
	struct soq_event event = { 0 };
	struct soq_socket *accepted;
	int64_t result;
	int error;

	soqi_detached_lock(s);
	error = data_check(s, buffer, size_bytes);
	if (s->receive_timeout_ns >= 0)
		op.deadline_ns = soqi_after_ns(soqi_now_ns(), s->receive_timeout_ns);
	soqi_detached_unlock(s);
	if (error == 0)
		error = soqi_detached_accept(s, &accepted, &peer);
	if (error != 0)
		return error;
	result = soqi_detached_transfer(accepted, &first, &op, 0, &event);
	if (result < 0) {
		(void)soqi_detached_close(accepted, true);
		return result;
	}
	*accepted_out = accepted;
	if (peer_out != NULL)
		*peer_out = peer;
	return result;
}

int64_t soq_accept_data(struct soq_socket *s, void *buffer, size_t size_bytes,
			struct soq_socket **accepted_out, struct soq_endpoint *peer_out)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;

	if (accepted_out == NULL)
		return -EINVAL;
	if (soqi_is_detached(s))
		return detached(s, buffer, size_bytes, accepted_out, peer_out);
	error = soqi_start_check(s, &op);
	if (error == 0)
		error = data_check(s, buffer, size_bytes);
	if (error == 0)
		error = soqi_accept_begin_sync(s, &op);
	if (error != 0)
		return error;
	soqi_accept_start(s, &op, soqi_accept_sync_flags(s), NULL, buffer, size_bytes);
	return soqi_accept_end_sync(s, &op, &event, accepted_out, peer_out);
}
