/* SPDX-License-Identifier: MIT */
/*
 * Connecting and sending the first data: a connect whose op, once the connection is there,
 * goes on as a send in the place it has in its lane. The data is in priv.whole until then.
 *
 * A fast open is sendto(2) with MSG_FASTOPEN: it connects and gives the data, or some of
 * it, to the first packet. The answer is waited for by a poll and asked for by
 * connect(2), so a refusal is the op's as ever. It is not IORING_OP_SENDMSG since that has
 * no result to tell "sent, and not connected yet" by.
 */
#include "count.h"
#include "detached.h"
#include "endpoint.h"
#include "own.h"
#include "trace.h"

#include <errno.h>
#include <limits.h>
#include <soq/connect.h>
#include <soq/stream.h>

bool soqi_fast_may(const struct soq_socket *s, size_t size_bytes, uint32_t flags)
{
	return (flags & SOQ_FAST_OPEN) && size_bytes > 0 && s->protocol == IPPROTO_TCP;
}

int32_t soqi_fast_open(const struct soq_socket *s, const struct soq_endpoint *ep, const void *data,
		       size_t size_bytes)
{
	struct iovec lent = { (void *)(uintptr_t)data, size_bytes };
	unsigned aborted = 0;
	ssize_t count;

	if (lent.iov_len > SOQI_REQUEST_BYTES)
		lent.iov_len = SOQI_REQUEST_BYTES;
	/* The library's while an op of a loop's is in flight. */
	if (s->loop != NULL)
		soqi_own_borrow(&lent, 1, lent.iov_len < size_bytes);
	/* After one that failed in the ring the first call has only its end to tell. */
	do
		count = sendto(s->fd, data, lent.iov_len,
			       MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, &ep->addr.any,
			       soqi_endpoint_kernel_size(ep));
	while (count < 0 && (errno == EINTR || (errno == ECONNABORTED && !aborted++)));
	/* Before the memory goes back, which may call a tool that sets errno. */
	if (count < 0)
		count = errno == EAGAIN ? -EINPROGRESS : -errno;
	if (s->loop != NULL)
		soqi_own_give_back(&lent, 1);
	return (int32_t)count;
}

int32_t soqi_fast_step(const struct soq_socket *s, struct soq_op *op)
{
	int32_t result;

	if (op->priv.segment_count == SOQI_FAST_ASKED) {
		result = soqi_fast_open(s, op->priv.data, op->priv.whole.iov_base,
					(size_t)op->priv.length);
		if (result < 0 && result != -EINPROGRESS)
			return result;
		op->priv.segment_count = SOQI_FAST_LEFT;
		op->priv.segment_offset = result > 0 ? (uint64_t)result : 0;
	}
	result = soqi_connect_local(s, op->priv.data);
	if (result == -EALREADY)
		soqi_connect_reports_drop(s->fd);
	if (result == -EINPROGRESS || result == -EALREADY || result == -EINTR)
		return -EAGAIN;
	/* The call that sent it has seen the answer already. */
	return result == -EISCONN ? 0 : result;
}

void soqi_connect_data_go(struct soq_loop *loop, struct soqi_lane *lane, struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;
	uint64_t sent = op->priv.segment_offset;

	if (op->priv.length == 0) {
		soqi_lane_settle(lane, 0, ended);
		return;
	}
	soqi_connect_ended(loop, op->priv.socket, op, 0);
	op->priv.kind = SOQI_KIND_SEND;
	op->priv.data = op->priv.whole.iov_base;
	op->priv.message = NULL;
	op->priv.segment_count = 1;
	op->priv.segment_offset = 0;
	SOQI_PROBE_START(send, op->priv.socket, op, op->priv.socket->fd, op->priv.length);
	if (soqi_unlikely(loop->traces))
		soqi_trace_op_start(loop, op);
	soqi_count_sent(op->priv.socket, sent, 0);
	soqi_lane_settle(lane, sent > 0 ? (int64_t)sent : -EAGAIN, ended);
}

static int data_check(const struct soq_socket *s, const void *buffer, size_t size_bytes,
		      uint32_t flags)
{
	if (size_bytes > SSIZE_MAX || (buffer == NULL && size_bytes > 0) ||
	    (flags & ~SOQ_FAST_OPEN) != 0)
		return -EINVAL;
	return soqi_is_stream(s) ? 0 : -EOPNOTSUPP;
}

static void data_put(const struct soq_socket *s, struct soq_op *op, const void *buffer,
		     size_t size_bytes, uint32_t flags)
{
	op->priv.length = size_bytes;
	/* Only read: an iovec is the same for sends and receives. */
	op->priv.whole.iov_base = (void *)(uintptr_t)buffer;
	op->priv.segment_count = soqi_fast_may(s, size_bytes, flags) ? SOQI_FAST_ASKED
								     : SOQI_FAST_NONE;
}

static void start(struct soq_socket *s, struct soq_op *op, const struct soq_endpoint *ep,
		  const void *buffer, size_t size_bytes, uint32_t flags, uint32_t own_flags)
{
	data_put(s, op, buffer, size_bytes, flags);
	soqi_op_start(s->loop, s, op, SOQI_KIND_CONNECT, own_flags);
	op->priv.address = NULL;
	soqi_connect_begin(s, op, ep);
}

int soq_connect_data_async(struct soq_socket *s, struct soq_op *op, const struct soq_endpoint *ep,
			   const void *buffer, size_t size_bytes, uint32_t flags)
{
	int error;

	if (ep == NULL)
		return -EINVAL;
	error = soqi_start_check(s, op);
	if (error == 0)
		error = data_check(s, buffer, size_bytes, flags);
	if (error == 0)
		error = soqi_connect_check(s, ep);
	if (error == 0)
		start(s, op, ep, buffer, size_bytes, flags, 0);
	return error;
}

/* Two blocking calls in the time of one. */
static int64_t detached(struct soq_socket *s, const struct soq_endpoint *ep, const void *buffer,
			size_t size_bytes, uint32_t flags)
{
	struct soq_op op = { 0 };
	struct soq_event event = { 0 };
	struct soqi_transfer rest = { .index = SOQI_LANE_SEND };
	int64_t result;
	size_t sent;

	op.priv.kind = SOQI_KIND_CONNECT;
	data_put(s, &op, buffer, size_bytes, flags);
	soqi_detached_lock(s);
	if (s->send_timeout_ns >= 0)
		op.deadline_ns = soqi_after_ns(soqi_now_ns(), s->send_timeout_ns);
	soqi_detached_unlock(s);
	result = soqi_detached_connect(s, ep, &op, NULL);
	sent = (size_t)op.priv.segment_offset;
	if (result != 0 || sent == size_bytes)
		return result != 0 ? result : (int64_t)sent;
	op = (struct soq_op){ .deadline_ns = op.deadline_ns };
	rest.data = (const char *)buffer + sent;
	rest.count = size_bytes - sent;
	result = soqi_detached_transfer(s, &rest, &op, 0, &event);
	if (result >= 0)
		return (int64_t)sent + result;
	/* What left with the first packet is reported, and the rest's end by the next call. */
	if (sent == 0)
		return result;
	event.flags = result == -ETIMEDOUT ? SOQ_F_TIMED_OUT : 0;
	soqi_detached_lock(s);
	soqi_sync_note(s, SOQI_LANE_SEND, &event);
	soqi_detached_unlock(s);
	return (int64_t)sent;
}

int64_t soq_connect_data(struct soq_socket *s, const struct soq_endpoint *ep, const void *buffer,
			 size_t size_bytes, uint32_t flags)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;

	if (ep == NULL)
		return -EINVAL;
	if (soqi_is_detached(s)) {
		error = data_check(s, buffer, size_bytes, flags);
		return error != 0 ? error : detached(s, ep, buffer, size_bytes, flags);
	}
	error = soqi_start_check(s, &op);
	if (error == 0)
		error = data_check(s, buffer, size_bytes, flags);
	if (error == 0)
		error = soqi_connect_check(s, ep);
	if (error == 0)
		error = soqi_sync_begin(s, SOQI_LANE_SEND, &op);
	if (error != 0)
		return error;
	start(s, &op, ep, buffer, size_bytes, flags, SOQI_OP_SYNC);
	return soqi_sync_end(s, SOQI_LANE_SEND, &op, &event);
}
