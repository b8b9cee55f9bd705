/* SPDX-License-Identifier: MIT */
/*
 * Telling the trace function. While it runs the loop's owner is written as minus the
 * thread's id: no call that looks whose a loop is finds its own thread there, and it
 * costs the others nothing.
 */
#include "trace.h"

#include "op.h"

static void tell(struct soq_loop *loop, struct soq_trace_event *event, enum soq_trace_step step)
{
	pid_t owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);

	event->size = sizeof(*event);
	event->step = step;
	event->time_ns = soqi_now_ns();
	atomic_store_explicit(&loop->owner, -soqi_thread_id(), memory_order_relaxed);
	loop->options.trace(event, loop->options.trace_user);
	atomic_store_explicit(&loop->owner, owner, memory_order_relaxed);
}

static void tell_end(struct soq_loop *loop, struct soq_trace_event *event)
{
	if (event->result < 0 && event->what != SOQ_TRACE_CANCEL)
		tell(loop, event, SOQ_TRACE_FAILED);
	tell(loop, event, SOQ_TRACE_STOP);
}

/* The op as the caller knows it: those of calls that wait, and of a linger, are ours. */
static const struct soq_op *known(const struct soq_op *op)
{
	if (op == NULL || (op->priv.flags & (SOQI_OP_SYNC | SOQI_OP_LINGER)))
		return NULL;
	return op;
}

static const struct soq_endpoint *peer_of(const struct soq_op *op, bool begins)
{
	if (op == NULL)
		return NULL;
	switch (op->priv.kind) {
	case SOQI_KIND_CONNECT:
		return op->priv.data;
	case SOQI_KIND_SEND:
		return soqi_is_parts(op) ? NULL : op->priv.address;
	case SOQI_KIND_RECV:
		return begins || op->priv.result < 0 ? NULL : op->priv.address;
	default:
		return NULL;
	}
}

static bool moves(const struct soq_op *op)
{
	return op->priv.kind == SOQI_KIND_SEND || op->priv.kind == SOQI_KIND_RECV;
}

static struct soq_trace_event of_op(const struct soq_op *op, bool begins)
{
	return (struct soq_trace_event){ .what = soqi_trace_what(op),
					 .size_bytes = moves(op) ? op->priv.length : 0,
					 .socket = op->priv.socket,
					 .op = known(op),
					 .peer = peer_of(op, begins) };
}

void soqi_trace_op_start(struct soq_loop *loop, const struct soq_op *op)
{
	struct soq_trace_event event = of_op(op, true);

	if (event.what != 0)
		tell(loop, &event, SOQ_TRACE_START);
}

void soqi_trace_op_more(struct soq_loop *loop, const struct soq_op *op, int64_t result,
			struct soq_socket *arrived)
{
	struct soq_trace_event event = of_op(op, false);

	event.result = result;
	event.arrived = arrived;
	if (event.what != 0)
		tell(loop, &event, SOQ_TRACE_MORE);
}

void soqi_trace_op_stop(struct soq_loop *loop, const struct soq_op *op)
{
	struct soq_trace_event event = of_op(op, false);

	event.result = op->priv.result;
	/* Those of a multishot have been told. */
	if (event.what == SOQ_TRACE_ACCEPT && !(op->priv.flags & SOQ_MULTISHOT))
		event.arrived = op->priv.carried_first;
	if (event.what != 0)
		tell_end(loop, &event);
}

void soqi_trace_start(struct soq_loop *loop, uint32_t what, struct soq_socket *s,
		      const struct soq_op *op, int64_t result)
{
	struct soq_trace_event event = { .what = what,
					 .result = result,
					 .socket = s,
					 .op = known(op),
					 .peer = what == SOQ_TRACE_CONNECT ? peer_of(op, true)
									   : NULL };

	tell(loop, &event, SOQ_TRACE_START);
}

void soqi_trace_stop(struct soq_loop *loop, uint32_t what, struct soq_socket *s,
		     const struct soq_op *op, int64_t result)
{
	struct soq_trace_event event = { .what = what,
					 .result = result,
					 .socket = s,
					 .op = known(op),
					 .peer = what == SOQ_TRACE_CONNECT ? peer_of(op, false)
									   : NULL };

	tell_end(loop, &event);
}
