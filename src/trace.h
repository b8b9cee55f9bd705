/* SPDX-License-Identifier: MIT */
/*
 * The points at which something begins and ends: told to the loop's trace function, and
 * to whoever has attached to a probe. A probe is an instruction that does nothing, and
 * a note of where its arguments are; without <sys/sdt.h> there is none.
 */
#ifndef SOQI_TRACE_H
#define SOQI_TRACE_H

#include "loop.h"

#include <soq/telemetry.h>

#ifdef SOQ_HAVE_USDT
#include <sys/sdt.h>
#define SOQI_PROBE_START(name, s, op, fd, about)                                                   \
	DTRACE_PROBE4(soq, name##_start, (const void *)(s), (const void *)(op), fd, about)
#define SOQI_PROBE_END(name, s, op, result)                                                        \
	DTRACE_PROBE3(soq, name, (const void *)(s), (const void *)(op), (int64_t)(result))
#else
#define SOQI_PROBE_START(name, s, op, fd, about) ((void)(s), (void)(op), (void)(fd), (void)(about))
#define SOQI_PROBE_END(name, s, op, result)      ((void)(s), (void)(op), (void)(result))
#endif

/* The probe of a send or receive that begins. */
static inline void soqi_probe_transfer(const struct soq_socket *s, const struct soq_op *op,
				       enum soqi_lane_index index)
{
	if (index == SOQI_LANE_SEND)
		SOQI_PROBE_START(send, s, op, s->fd, op->priv.length);
	else
		SOQI_PROBE_START(receive, s, op, s->fd, op->priv.length);
}

/* What an op is told as; 0: it is not. */
static inline uint32_t soqi_trace_what(const struct soq_op *op)
{
	switch (op->priv.kind) {
	case SOQI_KIND_SEND:
		return SOQ_TRACE_SEND;
	case SOQI_KIND_RECV:
	case SOQI_KIND_RECV_BUF:
		return SOQ_TRACE_RECEIVE;
	case SOQI_KIND_ACCEPT:
	case SOQI_KIND_FIRST:
		return SOQ_TRACE_ACCEPT;
	default:
		return 0;
	}
}

/* The probe of an op, or of a call, that has ended. */
static inline void soqi_probe_stop(const struct soq_socket *s, const struct soq_op *op)
{
	switch (soqi_trace_what(op)) {
	case SOQ_TRACE_SEND:
		SOQI_PROBE_END(send_stop, s, op, op->priv.result);
		break;
	case SOQ_TRACE_RECEIVE:
		SOQI_PROBE_END(receive_stop, s, op, op->priv.result);
		break;
	case SOQ_TRACE_ACCEPT:
		SOQI_PROBE_END(accept_stop, s, op, op->priv.result);
		break;
	default:
		break;
	}
}

/* An event of an op with more to follow. */
static inline void soqi_probe_more(const struct soq_op *op, int64_t result)
{
	if (op->priv.kind == SOQI_KIND_RECV_BUF)
		SOQI_PROBE_END(receive_more, op->priv.socket, op, result);
	else if (op->priv.kind == SOQI_KIND_ACCEPT)
		SOQI_PROBE_END(accept_more, op->priv.socket, op, result);
	else
		SOQI_PROBE_END(send_more, op->priv.socket, op, result);
}

/* The trace function is told; it is called only where loop->traces says that there is one. */
void soqi_trace_op_start(struct soq_loop *loop, const struct soq_op *op);
void soqi_trace_op_more(struct soq_loop *loop, const struct soq_op *op, int64_t result,
			struct soq_socket *arrived);
void soqi_trace_op_stop(struct soq_loop *loop, const struct soq_op *op);
/* The same of what is no op, or not for all of its life; `op` may be NULL. */
void soqi_trace_start(struct soq_loop *loop, uint32_t what, struct soq_socket *s,
		      const struct soq_op *op, int64_t result);
void soqi_trace_stop(struct soq_loop *loop, uint32_t what, struct soq_socket *s,
		     const struct soq_op *op, int64_t result);

#endif
