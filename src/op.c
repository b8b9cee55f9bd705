/* SPDX-License-Identifier: MIT */
/* Starting, ending and cutting short ops. */
#include "op.h"

#include "batch.h"
#include "detached.h"
#include "own.h"
#include "parts.h"
#include "pool.h"
#include "relay.h"
#include "trace.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int soqi_start_check_loop(struct soq_loop *loop, struct soq_op *op)
{
	int error;

	if (loop == NULL || op == NULL)
		return -EINVAL;
	error = soqi_loop_enter(loop);
	if (error != 0)
		return error;
	return soqi_op_state(op) == SOQI_STATE_IDLE ? 0 : -EBUSY;
}

int soqi_socket_check(struct soq_socket *s)
{
	int error;

	if (s == NULL)
		return -EINVAL;
	if (soqi_is_detached(s))
		return 0;
	error = soqi_loop_check(s->loop);
	if (error != 0)
		return error;
	return soqi_state_check(s);
}

/* The memory of a connect or an accept with data, which both have a length then. */
static void own_other(const struct soq_op *op, bool give)
{
	bool connects = op->priv.kind == SOQI_KIND_CONNECT;
	const void *memory = connects ? op->priv.whole.iov_base : op->priv.data;
	size_t size_bytes = (size_t)op->priv.length;

	if (!connects && op->priv.kind != SOQI_KIND_ACCEPT && op->priv.kind != SOQI_KIND_FIRST)
		return;
	if (size_bytes == 0)
		return;
	if (give)
		soqi_own_give(memory, size_bytes);
	else
		soqi_own_take(memory, size_bytes, connects ? size_bytes : (size_t)op->priv.moved);
}

void soqi_op_own(const struct soq_op *op, bool give)
{
	const struct iovec *segments = op->priv.data;
	uint64_t received = op->priv.kind == SOQI_KIND_RECV ? op->priv.moved : op->priv.length;

	if (op->priv.kind != SOQI_KIND_RECV && op->priv.kind != SOQI_KIND_SEND) {
		own_other(op, give);
		return;
	}
	if (op->priv.flags & SOQI_OP_BATCH) {
		if (soqi_is_parts(op))
			soqi_parts_own(op, give);
		else
			soqi_batch_own(op, give);
		return;
	}
	if (!(op->priv.flags & SOQI_OP_VECTOR)) {
		if (give)
			soqi_own_give(op->priv.data, (size_t)op->priv.length);
		else
			soqi_own_take(op->priv.data, (size_t)op->priv.length, (size_t)received);
		return;
	}
	for (uint32_t i = 0; i < op->priv.segment_count; i++) {
		size_t defined = segments[i].iov_len < received ? segments[i].iov_len
								: (size_t)received;

		if (give)
			soqi_own_give(segments[i].iov_base, segments[i].iov_len);
		else
			soqi_own_take(segments[i].iov_base, segments[i].iov_len, defined);
		received -= defined;
	}
}

void soqi_op_begin_watched(struct soq_loop *loop, struct soq_op *op)
{
	if (op->deadline_ns != 0 && op->priv.kind != SOQI_KIND_CLOSE &&
	    op->priv.kind != SOQI_KIND_DRAIN)
		soqi_timer_arm(&loop->timers, op, op->deadline_ns > 0 ? op->deadline_ns : 1);
	if (loop->traces)
		soqi_trace_op_start(loop, op);
}

void soqi_op_start(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
		   enum soqi_kind kind, uint32_t flags)
{
	op->priv.carried_first = NULL;
	op->priv.carried_last = NULL;
	op->priv.segment_offset = 0;
	op->priv.segment = 0;
	op->priv.holds = 0;
	soqi_op_begin(loop, s, op, kind, flags);
}

void soqi_op_end(struct soq_loop *loop, struct soq_op *op, int64_t result, uint32_t flags)
{
	assert(soqi_op_state(op) == SOQI_STATE_STARTED);
	if (soqi_unlikely(soqi_timer_armed(op)))
		soqi_timer_disarm(&loop->timers, op);
	if (SOQI_OWN_WATCHED)
		soqi_op_own(op, false);
	if (soqi_unlikely(op->priv.kind == SOQI_KIND_RECV_BUF))
		soqi_carry_end(loop, op);
	soqi_op_state_set(op, SOQI_STATE_ENDED);
	op->priv.result = result;
	op->priv.event_flags = (uint8_t)flags;
	if (soqi_unlikely((op->priv.flags & SOQI_OP_LINGER) | (uint32_t)loop->traces)) {
		if (loop->traces)
			soqi_trace_op_stop(loop, op);
		if (op->priv.flags & SOQI_OP_LINGER) {
			soqi_free(loop, op, sizeof(*op));
			return;
		}
	}
	loop->stats.ops_in_flight--;
	loop->stats.ops_finished++;
	soqi_event_made(loop, op);
}

/* Counts, and tells the probes of, an op that has left its lane. */
static void left_lane(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op)
{
	if (soqi_unlikely(op->priv.kind == SOQI_KIND_CONNECT)) {
		soqi_connect_ended(loop, s, op, op->priv.result);
		return;
	}
	if (op->priv.kind == SOQI_KIND_ACCEPT && op->priv.result < 0)
		loop->stats.accepts_failed++;
	/* A zero-copy send ends when its memory is free. */
	if (soqi_likely(op->priv.kind != SOQI_KIND_SEND || !(op->priv.flags & SOQ_ZEROCOPY)))
		soqi_probe_stop(s, op);
}

/* What has more than its memory to give back, batches, and relays. */
static void end_other(struct soq_loop *loop, struct soq_op *op)
{
	if (op->priv.flags & SOQ_ZEROCOPY) {
		soqi_zerocopy_settle(loop, op);
		return;
	}
	if (op->priv.kind == SOQI_KIND_RELAY) {
		soqi_relay_ended(loop, op);
		return;
	}
	if (soqi_is_parts(op))
		soqi_parts_close(op);
	soqi_op_end(loop, op, op->priv.result, op->priv.event_flags);
}

void soqi_ops_end(struct soq_loop *loop, struct soq_socket *s, struct soqi_ops *ended)
{
	struct soq_op *op = ended->first;
	struct soq_op *next;

	for (; op != NULL; op = next) {
		next = op->priv.next;
		if (op->priv.kind == SOQI_KIND_SEND && op->priv.moved < op->priv.length &&
		    s->state == SOQI_SOCKET_CLOSING && soqi_is_connection(s))
			s->reset = true;
		/* A drain ends with its socket: soqi_close_step() tells. */
		if (op->priv.kind == SOQI_KIND_DRAIN)
			continue;
		left_lane(loop, s, op);
		if (soqi_unlikely(soqi_brings_socket(op)))
			soqi_attempt_ended(loop, op);
		else if (soqi_unlikely(op->priv.flags & (SOQ_ZEROCOPY | SOQI_OP_BATCH)))
			end_other(loop, op);
		else
			soqi_op_end(loop, op, op->priv.result, op->priv.event_flags);
	}
	ended->first = NULL;
	ended->last = NULL;
}

static void cut(struct soq_loop *loop, struct soq_op *op, int cause)
{
	struct soq_socket *s = op->priv.socket;
	struct soqi_ops ended = { NULL, NULL };
	struct soqi_lane *lane;
	struct soq_op *behind;
	bool connects;
	bool disconnects;
	bool heads;

	op->priv.cause = cause;
	switch (op->priv.kind) {
	case SOQI_KIND_SLEEP:
		soqi_op_end(loop, op, cause, 0);
		return;
	case SOQI_KIND_DRAIN:
		soqi_finish_cut(s, cause);
		return;
	case SOQI_KIND_POLL:
		soqi_poll_cut(loop, op, cause);
		return;
	case SOQI_KIND_HELPED:
		op->priv.cancel(op, cause, op->priv.address);
		return;
	case SOQI_KIND_POST:
	case SOQI_KIND_CLOSE:
		return;
	case SOQI_KIND_RECV:
	case SOQI_KIND_RECV_BUF:
	case SOQI_KIND_ACCEPT:
	case SOQI_KIND_RELAY:
	case SOQI_KIND_FIRST:
		lane = &s->lane[SOQI_LANE_RECV];
		break;
	default:
		lane = &s->lane[SOQI_LANE_SEND];
		break;
	}
	connects = op->priv.kind == SOQI_KIND_CONNECT;
	disconnects = op->priv.kind == SOQI_KIND_DISCONNECT;
	behind = op->priv.next;
	heads = lane->queue.first == op;
	if (heads)
		soqi_receive_leave(s, lane);
	if (soqi_lane_cancel(lane, op, cause, &ended)) {
		lane->cancel_wanted = true;
	} else {
		/* What is behind it may not have to wait for the same. */
		if (heads)
			soqi_backoff_forget(loop, lane);
		soqi_ops_end(loop, s, &ended);
		if (connects)
			soqi_connect_failed(s, behind, cause, true);
		else if (disconnects)
			soqi_disconnect_undone(s);
	}
	soqi_lane_dirty(loop, lane);
}

void soqi_op_cut(struct soq_loop *loop, struct soq_op *op, int cause)
{
	/* A linger's is freed by its end. */
	const struct soq_op *told = (op->priv.flags & SOQI_OP_LINGER) ? NULL : op;
	struct soq_socket *s = op->priv.socket;

	SOQI_PROBE_START(cancel, s, op, s != NULL ? s->fd : -1, cause);
	if (soqi_unlikely(loop->traces))
		soqi_trace_start(loop, SOQ_TRACE_CANCEL, s, told, cause);
	cut(loop, op, cause);
	SOQI_PROBE_END(cancel_stop, s, op, cause);
	if (soqi_unlikely(loop->traces))
		soqi_trace_stop(loop, SOQ_TRACE_CANCEL, s, told, cause);
}

void soqi_op_rearm(struct soq_loop *loop, struct soq_op *op)
{
	int64_t at_ns = op->deadline_ns;

	if (op->priv.cause != 0 || soqi_op_state(op) != SOQI_STATE_STARTED)
		return;
	if (at_ns < 0)
		at_ns = 1;
	if (at_ns == (soqi_timer_armed(op) ? op->priv.timer_ns : 0))
		return;
	soqi_timer_disarm(&loop->timers, op);
	if (at_ns != 0)
		soqi_timer_arm(&loop->timers, op, at_ns);
}

static void fire(struct soq_loop *loop, struct soq_op *op, int64_t now_ns)
{
	switch (op->priv.kind) {
	case SOQI_KIND_BACKOFF:
		soqi_backoff_end(loop);
		break;
	case SOQI_KIND_SLEEP:
		if ((int64_t)op->priv.length <= now_ns)
			soqi_op_end(loop, op, 0, 0);
		else
			soqi_op_cut(loop, op, -ETIMEDOUT);
		break;
	case SOQI_KIND_DRAIN:
		soqi_op_cut(loop, op, -ETIMEDOUT);
		break;
	default:
		/* soq_wait() leaves a moved deadline to this moment. */
		if (op->deadline_ns == 0 || op->deadline_ns > now_ns)
			soqi_op_rearm(loop, op);
		/* A helper is asked once. */
		else if (op->priv.kind != SOQI_KIND_HELPED || op->priv.cause == 0)
			soqi_op_cut(loop, op, -ETIMEDOUT);
		break;
	}
}

void soqi_op_expire(struct soq_loop *loop)
{
	struct soq_op *op = soqi_timer_first(&loop->timers);
	int64_t now_ns;

	if (op == NULL)
		return;
	now_ns = soqi_now_ns();
	while ((op = soqi_timer_first(&loop->timers)) != NULL && op->priv.timer_ns <= now_ns) {
		soqi_timer_disarm(&loop->timers, op);
		fire(loop, op, now_ns);
	}
}

int64_t soqi_op_wait_sync(struct soq_loop *loop, struct soq_op *op, struct soq_event *event)
{
	/*
	 * An error of the backend has ended every op by the time soqi_turn() returns
	 * it, so this loop ends.
	 */
	while (op->priv.events == 0)
		(void)soqi_turn(loop, SOQI_FOREVER);
	soqi_op_take(loop, op, event);
	return event->result;
}
