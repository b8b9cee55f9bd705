/* SPDX-License-Identifier: MIT */
/* Every send and receive: the checks, the start, the synchronous twin. */
#include "batch.h"
#include "count.h"
#include "descriptors.h"
#include "detached.h"
#include "endpoint.h"
#include "parts.h"
#include "pool.h"
#include "trace.h"

#include <errno.h>
#include <limits.h>
#include <soq/message.h>
#include <soq/stream.h>

int soqi_sync_begin(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op)
{
	int64_t timeout_ns = index == SOQI_LANE_RECV ? s->receive_timeout_ns : s->send_timeout_ns;
	int cause = s->lane[index].sync_cause;

	s->lane[index].sync_cause = 0;
	/* The second part of a call has what is left of the first's time. */
	if (cause == 0 && timeout_ns >= 0 && op->deadline_ns == 0)
		op->deadline_ns = soqi_after_ns(soqi_now_ns(), timeout_ns);
	return cause;
}

void soqi_sync_note(struct soq_socket *s, enum soqi_lane_index index, const struct soq_event *event)
{
	if (event->flags & SOQ_F_TIMED_OUT)
		s->lane[index].sync_cause = -ETIMEDOUT;
	else if (event->flags & SOQ_F_CANCELED)
		s->lane[index].sync_cause = -ECANCELED;
}

int64_t soqi_sync_end(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op,
		      struct soq_event *event)
{
	int64_t result = soqi_op_wait_sync(s->loop, op, event);

	soqi_sync_note(s, index, event);
	return result;
}

/* The checks of one buffer; its size becomes the op's length. */
static inline int buffer_check(struct soq_op *op, const void *buffer, size_t size_bytes)
{
	if (size_bytes > SSIZE_MAX || (buffer == NULL && size_bytes > 0))
		return -EINVAL;
	op->priv.data = buffer;
	op->priv.length = size_bytes;
	return 0;
}

/* The same for an array of segments. */
static int segments_check(struct soq_op *op, const struct iovec *segments, size_t segment_count)
{
	uint64_t sum = 0;

	if (segments == NULL || segment_count == 0 || segment_count > SOQ_SEGMENTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < segment_count; i++) {
		if (segments[i].iov_base == NULL && segments[i].iov_len > 0)
			return -EINVAL;
		if (segments[i].iov_len > SSIZE_MAX || sum + segments[i].iov_len > SSIZE_MAX)
			return -EINVAL;
		sum += segments[i].iov_len;
	}
	op->priv.data = segments;
	op->priv.length = sum;
	op->priv.segment_count = (uint32_t)segment_count;
	return 0;
}

int soqi_endpoint_check(const struct soq_socket *s, const struct soq_endpoint *ep)
{
	int family;

	if (ep == NULL || ep->reserved != 0)
		return -EINVAL;
	family = soqi_endpoint_family(ep);
	if (family < 0)
		return family;
	return family == s->family ? 0 : -EAFNOSUPPORT;
}

/* The flags a caller may pass: above them are the library's own. */
#define STREAM_SEND_FLAGS (SOQ_CORK | SOQ_LAZY | SOQ_URGENT)
#define SEND_FLAGS        (STREAM_SEND_FLAGS | SOQ_ZEROCOPY | SOQ_DONT_ROUTE)
#define STREAM_RECV_FLAGS (SOQ_EXACT | SOQ_URGENT)
#define RECV_FLAGS        (STREAM_RECV_FLAGS | SOQ_PEEK)

static inline int send_flags_check(const struct soq_socket *s, const struct soq_op *op,
				   uint32_t flags)
{
	if ((flags & ~SEND_FLAGS) != 0 || ((flags & STREAM_SEND_FLAGS) && !soqi_is_stream(s)))
		return -EINVAL;
	return s->type == SOCK_SEQPACKET && op->priv.length == 0 ? -EINVAL : 0;
}

static inline int stream_send_check(const struct soq_socket *s)
{
	if (!soqi_carries(s))
		return -ENOTCONN;
	return s->shut_send ? -EPIPE : 0;
}

static int send_check(const struct soq_socket *s, const struct soq_op *op,
		      const struct soqi_transfer *t)
{
	int error = send_flags_check(s, op, t->flags);

	if (error == 0 && (t->flags & SOQ_URGENT))
		error = soqi_urgent_check(s, t->flags);
	if (error != 0)
		return error;
	if (t->address != NULL) {
		error = soqi_is_connection(s) ? -EISCONN : soqi_endpoint_check(s, t->address);
		if (error != 0)
			return error;
	} else if (!soqi_carries(s)) {
		return -ENOTCONN;
	}
	if (t->message != NULL && t->message->info != 0) {
		error = soqi_message_send_check(s, t->message, op->priv.length);
		if (error != 0)
			return error;
	}
	return s->shut_send ? -EPIPE : 0;
}

static inline int receive_check(const struct soq_socket *s, const struct soq_op *op, uint32_t flags)
{
	if ((flags & ~RECV_FLAGS) != 0 || op->priv.length == 0)
		return -EINVAL;
	/* All of them and a look, or the one that is urgent: that is no stream's business. */
	if ((flags & STREAM_RECV_FLAGS) &&
	    (!soqi_is_stream(s) || ((flags & SOQ_EXACT) && flags != SOQ_EXACT)))
		return -EINVAL;
	return soqi_carries(s) || !soqi_is_connection(s) ? 0 : -ENOTCONN;
}

/* A message is one call of the kernel's, with what that can take. */
static int message_limits(const struct soq_op *op, const struct soqi_transfer *t)
{
	if (t->vector && op->priv.segment_count > SOQ_MESSAGE_SEGMENTS_MAX)
		return -EMSGSIZE;
	return t->index == SOQI_LANE_SEND && op->priv.length > SOQI_REQUEST_BYTES ? -EMSGSIZE : 0;
}

int soqi_transfer_check_one(const struct soq_socket *s, struct soq_op *op,
			    const struct soqi_transfer *t, bool waits)
{
	int error = t->vector ? segments_check(op, t->data, t->count)
			      : buffer_check(op, t->data, t->count);

	/* A call would wait until the peer has acknowledged all of it. */
	if (waits && (t->flags & SOQ_ZEROCOPY))
		error = -EINVAL;
	if (error == 0)
		error = t->index == SOQI_LANE_RECV ? receive_check(s, op, t->flags)
						   : send_check(s, op, t);
	if (error == 0 && !soqi_is_stream(s))
		error = message_limits(op, t);
	if (error == 0 && soqi_unlikely(t->message != NULL))
		error = soqi_descriptors_check(s, op, t->message, t);
	if (error != 0)
		return error;
	if (!t->vector)
		op->priv.segment_count = 1;
	op->priv.address = t->address;
	op->priv.message = t->message;
	return 0;
}

int soqi_transfer_check(const struct soq_socket *s, struct soq_op *op,
			const struct soqi_transfer *t, bool waits)
{
	int error;

	if (soqi_likely(!t->batch))
		return soqi_transfer_check_one(s, op, t, waits);
	if (t->parts)
		return soqi_parts_check_socket(s);
	error = soqi_batch_check(s, t);
	if (error != 0)
		return error;
	op->priv.data = t->data;
	op->priv.length = t->count;
	op->priv.segment_count = 1;
	op->priv.address = NULL;
	op->priv.message = NULL;
	return 0;
}

static uint32_t op_flags(const struct soqi_transfer *t)
{
	return t->flags | (t->vector ? SOQI_OP_VECTOR : 0) | (t->batch ? SOQI_OP_BATCH : 0) |
	       (t->message != NULL ? SOQI_OP_MESSAGE : 0) | (t->policed ? SOQI_OP_POLICED : 0);
}

static void start(struct soq_socket *s, struct soq_op *op, const struct soqi_transfer *t,
		  uint32_t flags)
{
	if (soqi_unlikely(flags & SOQ_ZEROCOPY))
		flags |= t->policed ? SOQI_OP_COPIES : soqi_zerocopy_start(s, op);
	soqi_op_start(s->loop, s, op, t->index == SOQI_LANE_RECV ? SOQI_KIND_RECV : SOQI_KIND_SEND,
		      flags);
	if (soqi_unlikely(soqi_is_urgent_receive(t)))
		soqi_urgent_end(s, op);
	else
		soqi_op_start_lane(s, &s->lane[t->index], op);
}

static int start_check(struct soq_socket *s, struct soq_op *op, const struct soqi_transfer *t,
		       bool waits)
{
	int error = soqi_start_check(s, op);

	if (error == 0)
		error = soqi_transfer_check(s, op, t, waits);
	if (error == 0 && soqi_unlikely(t->batch || t->message != NULL))
		error = soqi_batch_prepare(s, t);
	return error;
}

int soqi_transfer_start(struct soq_socket *s, struct soq_op *op, const struct soqi_transfer *t)
{
	int error = start_check(s, op, t, false);

	if (error != 0)
		return error;
	soqi_probe_transfer(s, op, t->index);
	start(s, op, t, op_flags(t));
	return 0;
}

/*
 * Messages, zero copy, urgent bytes, and what is no socket. Out of line, so that the two
 * below are short.
 */
static __attribute__((noinline)) int start_other(struct soq_socket *s, struct soq_op *op,
						 enum soqi_lane_index index, const void *buffer,
						 size_t size_bytes, uint32_t flags)
{
	return soqi_transfer_start(s, op,
				   &(struct soqi_transfer){ .index = index,
							    .data = buffer,
							    .count = size_bytes,
							    .flags = flags });
}

/* What the two below share: a stream's one buffer has no address, message or array. */
static inline void start_plain(struct soq_socket *s, struct soq_op *op, enum soqi_kind kind,
			       uint32_t flags)
{
	op->priv.address = NULL;
	soqi_probe_transfer(s, op, kind == SOQI_KIND_SEND ? SOQI_LANE_SEND : SOQI_LANE_RECV);
	soqi_op_begin(s->loop, s, op, kind, flags);
	soqi_op_start_lane(s, &s->lane[kind == SOQI_KIND_SEND ? SOQI_LANE_SEND : SOQI_LANE_RECV],
			   op);
}

int soq_send_async(struct soq_socket *s, struct soq_op *op, const void *buffer, size_t size_bytes,
		   uint32_t flags)
{
	int error;

	if (soqi_unlikely(s == NULL || !soqi_is_stream(s) || (flags & (SOQ_ZEROCOPY | SOQ_URGENT))))
		return start_other(s, op, SOQI_LANE_SEND, buffer, size_bytes, flags);
	error = soqi_start_check(s, op);
	if (error == 0)
		error = buffer_check(op, buffer, size_bytes);
	if (error == 0)
		error = send_flags_check(s, op, flags);
	if (error == 0)
		error = stream_send_check(s);
	if (error == 0)
		start_plain(s, op, SOQI_KIND_SEND, flags);
	return error;
}

int soq_recv_async(struct soq_socket *s, struct soq_op *op, void *buffer, size_t size_bytes,
		   uint32_t flags)
{
	int error;

	if (soqi_unlikely(s == NULL || !soqi_is_stream(s) || (flags & SOQ_URGENT)))
		return start_other(s, op, SOQI_LANE_RECV, buffer, size_bytes, flags);
	error = soqi_start_check(s, op);
	if (error == 0)
		error = buffer_check(op, buffer, size_bytes);
	if (error == 0)
		error = receive_check(s, op, flags);
	if (error == 0)
		start_plain(s, op, SOQI_KIND_RECV, flags);
	return error;
}

/*
 * Whether a synchronous send need not go through the ring, where a request costs more
 * than send(2) when it is the only one: a stream's bytes with nothing before them, in
 * its lane or on its way to be known. What is traced is an op, as any other.
 */
static bool may_send_at_once(const struct soq_socket *s, const struct soqi_transfer *t)
{
	const struct soqi_lane *lane = &s->lane[SOQI_LANE_SEND];

	return t->index == SOQI_LANE_SEND && !t->vector && t->message == NULL &&
	       !(t->flags & (SOQ_URGENT | SOQ_DONT_ROUTE)) && soqi_is_stream(s) &&
	       s->phase == SOQI_PHASE_CONNECTED && lane->queue.first == NULL && !lane->settled &&
	       t->count > 0 && t->count <= SOQI_REQUEST_BYTES && !s->loop->backend->immediate &&
	       (s->loop->dead | s->loop->traces) == 0;
}

/* Sends what can leave at once, counted as a request. -EAGAIN: nothing. */
static int32_t send_at_once(struct soq_socket *s, const struct soqi_transfer *t)
{
	struct iovec all = { (void *)(uintptr_t)t->data, t->count };
	const struct soqi_request request = {
		.kind = SOQI_REQUEST_SEND,
		.fd = s->fd,
		.message_flags = MSG_NOSIGNAL | ((t->flags & SOQ_CORK) ? MSG_MORE : 0),
		.segment_count = 1,
		.segments = &all,
	};

	s->loop->stats.requests++;
	return soqi_try(&request);
}

/* Puts what send_at_once() has said into the lane, as the result of a request of `op`. */
static void settle_at_once(struct soq_socket *s, int32_t result)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_SEND];

	if (result < 0)
		soqi_judge_note(s, result);
	lane->taken = 1;
	lane->result = result;
	soqi_settled_push(s->loop, lane);
}

int soqi_transfer_begin(struct soq_socket *s, const struct soqi_transfer *t, struct soq_op *op)
{
	/* In no lane: it is neither told the cause, nor does it wait. */
	int error = soqi_is_urgent_receive(t) ? 0 : soqi_sync_begin(s, t->index, op);

	/* On a loop wait_now() sees to it. */
	if (t->now)
		op->deadline_ns = soqi_is_detached(s) ? 1 : 0;
	return error;
}

int64_t soqi_transfer_end(struct soq_socket *s, const struct soqi_transfer *t, struct soq_op *op,
			  struct soq_event *event)
{
	/* What would have run out of time does not wait, and that is no cause to be told. */
	if (t->now) {
		event->flags &= ~SOQ_F_TIMED_OUT;
		if (event->result == -ETIMEDOUT && op->priv.cause == -ETIMEDOUT)
			event->result = -EAGAIN;
	}
	soqi_sync_note(s, t->index, event);
	return event->result;
}

/* Lets the lane go on as long as it makes one request after another, and cuts what waits. */
static void wait_now(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op)
{
	const struct soqi_lane *lane = &s->lane[index];
	uint32_t generation;

	do {
		generation = lane->generation;
		(void)soqi_turn(s->loop, SOQI_NOW);
	} while (op->priv.events == 0 && lane->generation != generation);
	if (op->priv.events == 0)
		soqi_op_cut(s->loop, op, -ETIMEDOUT);
}

static int64_t transfer_attached(struct soq_socket *s, const struct soqi_transfer *t,
				 struct soq_op *op, struct soq_event *event)
{
	int error = start_check(s, op, t, true);
	int32_t result = -EAGAIN;

	/* It would wait for what only the caller can do, who waits here. */
	if (error == 0 && t->index == SOQI_LANE_RECV && soqi_receive_blocks(s) &&
	    !soqi_is_urgent_receive(t))
		error = -EBUSY;
	if (error == 0)
		error = soqi_transfer_begin(s, t, op);
	if (error != 0)
		return error;
	soqi_probe_transfer(s, op, t->index);
	if (may_send_at_once(s, t))
		result = send_at_once(s, t);
	if (result == (int64_t)t->count) {
		s->loop->stats.ops_started++;
		s->loop->stats.ops_finished++;
		s->loop->stats.completions++;
		soqi_count_sent(s, t->count, 0);
		SOQI_PROBE_END(send_stop, s, op, result);
		return result;
	}
	start(s, op, t, op_flags(t) | SOQI_OP_SYNC);
	if (result != -EAGAIN)
		settle_at_once(s, result);
	if (soqi_unlikely(t->now) && op->priv.events == 0)
		wait_now(s, t->index, op);
	(void)soqi_op_wait_sync(s->loop, op, event);
	return soqi_transfer_end(s, t, op, event);
}

int64_t soqi_transfer(struct soq_socket *s, const struct soqi_transfer *t)
{
	SOQI_UNINITIALIZED struct soq_op op;
	struct soq_event event = { 0 };
	SOQI_UNINITIALIZED struct soqi_transfer now;
	int64_t result;

	if (soqi_unlikely(t->flags & SOQ_NOWAIT)) {
		now = *t;
		now.flags &= ~SOQ_NOWAIT;
		now.now = true;
		t = &now;
	}
	soqi_op_blank(&op);
	if (soqi_is_detached(s))
		result = soqi_detached_transfer(s, t, &op, op_flags(t), &event);
	else
		result = transfer_attached(s, t, &op, &event);
	/* A count alone cannot say that a message was cut; the struct of soq_recv_msg() can. */
	if (result >= 0 && (event.flags & SOQ_F_TRUNCATED) && t->message == NULL)
		return -EMSGSIZE;
	return result;
}
