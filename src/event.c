/* SPDX-License-Identifier: MIT */
/* Events of ops: made, held back, taken by whoever consumes them. */
#include "pool.h"
#include "trace.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void events_unlink(struct soq_loop *loop, struct soq_op *op, uint32_t count)
{
	struct soqi_ops *list = soqi_events_list(loop, op);

	soqi_events_count(loop, list, -(uint64_t)count);
	op->priv.events -= count;
	if (op->priv.events > 0)
		return;
	if (op->priv.ready_prev != NULL)
		op->priv.ready_prev->priv.ready_next = op->priv.ready_next;
	else
		list->first = op->priv.ready_next;
	if (op->priv.ready_next != NULL)
		op->priv.ready_next->priv.ready_prev = op->priv.ready_prev;
	else
		list->last = op->priv.ready_prev;
}

static void event_gone(struct soq_loop *loop, struct soq_op *op)
{
	loop->stats.events_waiting--;
	events_unlink(loop, op, 1);
}

void soqi_op_gate(struct soq_loop *loop, struct soq_op *op)
{
	if (op->priv.flags & SOQI_OP_GATED)
		return;
	op->priv.segment = op->priv.events;
	if (op->priv.events > 0)
		events_unlink(loop, op, op->priv.events);
	op->priv.flags |= SOQI_OP_GATED;
	loop->impatient++;
	if (op->done != NULL)
		loop->gated_count++;
}

void soqi_op_ungate(struct soq_loop *loop, struct soq_op *op)
{
	uint32_t count = op->priv.segment;

	if (!(op->priv.flags & SOQI_OP_GATED))
		return;
	op->priv.flags &= ~SOQI_OP_GATED;
	loop->impatient--;
	if (op->done != NULL)
		loop->gated_count--;
	op->priv.segment = 0;
	if (count > 0)
		soqi_events_link(loop, op, count);
}

void soqi_op_forget(struct soq_loop *loop, struct soq_op *op, uint32_t count)
{
	assert(op->priv.events >= count);
	loop->stats.events_waiting -= count;
	events_unlink(loop, op, count);
}

/* The result of the event that is made. */
static int64_t more_result(const struct soq_op *op)
{
	if (op->priv.kind == SOQI_KIND_RECV_BUF)
		return (int64_t)op->priv.buf_last->size_bytes;
	return op->priv.kind == SOQI_KIND_ACCEPT ? 0 : op->priv.result;
}

void soqi_op_more(struct soq_loop *loop, struct soq_op *op, struct soq_socket *accepted)
{
	if (accepted != NULL) {
		accepted->next = NULL;
		if (op->priv.carried_last != NULL)
			op->priv.carried_last->next = accepted;
		else
			op->priv.carried_first = accepted;
		op->priv.carried_last = accepted;
	}
	if (!(op->priv.flags & (SOQ_MULTISHOT | SOQ_ZEROCOPY)))
		return;
	soqi_probe_more(op, more_result(op));
	if (soqi_unlikely(loop->traces))
		soqi_trace_op_more(loop, op, more_result(op), accepted);
	soqi_event_made(loop, op);
}

void soqi_op_drop_carried(struct soq_loop *loop, struct soq_op *op)
{
	struct soq_socket *accepted = op->priv.carried_first;
	struct soq_socket *next;

	op->priv.carried_first = NULL;
	op->priv.carried_last = NULL;
	for (; accepted != NULL; accepted = next) {
		next = accepted->next;
		soqi_close_begin(accepted, SOQI_CLOSE_ABORT, NULL);
		if (op->priv.flags & SOQ_MULTISHOT)
			event_gone(loop, op);
		else
			op->priv.result = -ECANCELED;
	}
}

/* Whether the event just taken of a zero-copy send is the first of its two. */
static bool is_first_of_two(const struct soq_op *op)
{
	return (op->priv.flags & SOQ_ZEROCOPY) &&
	       (op->priv.events > 0 || soqi_op_state(op) == SOQI_STATE_STARTED);
}

/* Whether the event was one of a buf with more to follow. */
static bool take_buf(struct soq_op *op, struct soq_event *event)
{
	struct soq_buf *buf = op->priv.buf_first;

	if (buf == NULL)
		return false;
	event->buf = soqi_carry_lend(op);
	if (!(op->priv.flags & SOQ_MULTISHOT))
		return false;
	event->result = (int64_t)buf->size_bytes;
	event->flags = SOQ_F_MORE | (buf->priv.truncated ? SOQ_F_TRUNCATED : 0);
	return true;
}

/* The same of an accepted socket. */
static bool take_socket(struct soq_loop *loop, struct soq_op *op, struct soq_event *event)
{
	struct soq_socket *accepted = op->priv.carried_first;

	if (accepted == NULL)
		return false;
	op->priv.carried_first = accepted->next;
	if (accepted->next == NULL)
		op->priv.carried_last = NULL;
	accepted->next = NULL;
	accepted->on_its_way = false;
	event->socket = accepted;
	if (!(op->priv.flags & SOQ_MULTISHOT))
		return false;
	event->flags = SOQ_F_MORE;
	if (op->priv.events == SOQI_ARRIVALS_MAX / 2 - 1 && soqi_op_state(op) == SOQI_STATE_STARTED)
		soqi_lane_dirty(loop, &op->priv.socket->lane[SOQI_LANE_RECV]);
	return true;
}

/* The same of a multishot poll. */
static bool take_poll(struct soq_loop *loop, struct soq_op *op, struct soq_event *event)
{
	if (op->priv.moved == 0)
		return false;
	event->result = (int64_t)op->priv.moved;
	event->flags = SOQ_F_MORE;
	soqi_poll_resume(loop, op);
	return true;
}

/* Whether what was taken has more to follow for what it is; fills in what arrived. */
static bool take_one_of_many(struct soq_loop *loop, struct soq_op *op, struct soq_event *event)
{
	switch (op->priv.kind) {
	case SOQI_KIND_RECV_BUF:
		return take_buf(op, event);
	case SOQI_KIND_ACCEPT:
		if (op->priv.segment != SOQI_TARGET_NONE) {
			soqi_target_end(op, event);
			return false;
		}
		return take_socket(loop, op, event);
	case SOQI_KIND_FIRST:
		loop->firsts--;
		return take_socket(loop, op, event);
	case SOQI_KIND_CONNECT:
	case SOQI_KIND_HELPED:
		return take_socket(loop, op, event);
	case SOQI_KIND_POLL:
		return take_poll(loop, op, event);
	default:
		return false;
	}
}

void soqi_op_take(struct soq_loop *loop, struct soq_op *op, struct soq_event *event)
{
	assert(op->priv.events > 0);
	event_gone(loop, op);
	*event = (struct soq_event){ .op = op };
	if (op->priv.kind != SOQI_KIND_RECV && op->priv.kind != SOQI_KIND_SEND &&
	    take_one_of_many(loop, op, event))
		return;
	event->result = op->priv.result;
	event->flags = op->priv.event_flags;
	if (soqi_unlikely(is_first_of_two(op))) {
		event->flags = (event->flags & ~SOQ_F_COPIED) | SOQ_F_MORE;
		return;
	}
	op->deadline_ns = 0;
	op->priv.socket = NULL;
	op->priv.kind = SOQI_KIND_NONE;
	__atomic_store_n(&op->priv.loop, NULL, __ATOMIC_RELAXED);
	/* The last touch: from here on the op is the caller's, and may be posted elsewhere. */
	soqi_op_state_set(op, SOQI_STATE_IDLE);
}
