/* SPDX-License-Identifier: MIT */
/* Sending, receiving and shutting down: the checks, the starts, the synchronous twins. */
#include "socket.h"

#include <errno.h>
#include <limits.h>
#include <soq/stream.h>

int soqi_sync_begin(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op)
{
	int64_t timeout_ns = index == SOQI_LANE_RECV ? s->receive_timeout_ns : s->send_timeout_ns;
	int cause = s->lane[index].sync_cause;

	s->lane[index].sync_cause = 0;
	if (cause == 0 && timeout_ns >= 0)
		op->deadline_ns = soqi_after_ns(soqi_now_ns(), timeout_ns);
	return cause;
}

int64_t soqi_sync_end(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op,
		      struct soq_event *event)
{
	int64_t result = soqi_op_wait_sync(s->loop, op, event);

	if (event->flags & SOQ_F_TIMED_OUT)
		s->lane[index].sync_cause = -ETIMEDOUT;
	else if (event->flags & SOQ_F_CANCELED)
		s->lane[index].sync_cause = -ECANCELED;
	return result;
}

/* The checks of one buffer; its size becomes the op's length. */
static int buffer_check(struct soq_op *op, const void *buffer, size_t size_bytes)
{
	if (size_bytes > SSIZE_MAX || (buffer == NULL && size_bytes > 0))
		return -EINVAL;
	op->priv.data = buffer;
	op->priv.length = size_bytes;
	op->priv.segment_count = 1;
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

static bool carries_bytes(const struct soq_socket *s)
{
	return s->phase == SOQI_PHASE_CONNECTED || s->phase == SOQI_PHASE_CONNECTING;
}

/* The flags a caller may pass: above them are the library's own. */
#define SEND_FLAGS SOQ_CORK
#define RECV_FLAGS (SOQ_EXACT | SOQ_PEEK)

static int send_check(const struct soq_socket *s, uint32_t flags)
{
	if ((flags & ~SEND_FLAGS) != 0)
		return -EINVAL;
	if (!carries_bytes(s))
		return -ENOTCONN;
	return s->shut_send ? -EPIPE : 0;
}

static int receive_check(const struct soq_socket *s, const struct soq_op *op, uint32_t flags)
{
	if ((flags & ~RECV_FLAGS) != 0 || flags == RECV_FLAGS || op->priv.length == 0)
		return -EINVAL;
	return carries_bytes(s) ? 0 : -ENOTCONN;
}

/*
 * Starts a transfer on a lane. `data` is a buffer of `count` bytes or, with
 * SOQI_OP_VECTOR in `own_flags`, an array of `count` segments.
 */
static int start(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op,
		 const void *data, size_t count, uint32_t flags, uint32_t own_flags)
{
	bool receives = index == SOQI_LANE_RECV;
	int error = soqi_start_check(s, op);

	if (error != 0)
		return error;
	error = (own_flags & SOQI_OP_VECTOR) ? segments_check(op, data, count)
					     : buffer_check(op, data, count);
	if (error == 0)
		error = receives ? receive_check(s, op, flags) : send_check(s, flags);
	if (error == 0 && (own_flags & SOQI_OP_SYNC))
		error = soqi_sync_begin(s, index, op);
	if (error != 0)
		return error;
	soqi_op_start(s->loop, s, op, receives ? SOQI_KIND_RECV : SOQI_KIND_SEND,
		      flags | own_flags);
	soqi_op_start_lane(s, &s->lane[index], op);
	return 0;
}

static int64_t transfer(struct soq_socket *s, enum soqi_lane_index index, const void *data,
			size_t count, uint32_t flags, uint32_t own_flags)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error = start(s, index, &op, data, count, flags, own_flags | SOQI_OP_SYNC);

	return error != 0 ? error : soqi_sync_end(s, index, &op, &event);
}

int soq_send_async(struct soq_socket *s, struct soq_op *op, const void *buffer, size_t size_bytes,
		   uint32_t flags)
{
	return start(s, SOQI_LANE_SEND, op, buffer, size_bytes, flags, 0);
}

int soq_sendv_async(struct soq_socket *s, struct soq_op *op, const struct iovec *segments,
		    unsigned segment_count, uint32_t flags)
{
	return start(s, SOQI_LANE_SEND, op, segments, segment_count, flags, SOQI_OP_VECTOR);
}

int soq_recv_async(struct soq_socket *s, struct soq_op *op, void *buffer, size_t size_bytes,
		   uint32_t flags)
{
	return start(s, SOQI_LANE_RECV, op, buffer, size_bytes, flags, 0);
}

int soq_recvv_async(struct soq_socket *s, struct soq_op *op, const struct iovec *segments,
		    unsigned segment_count, uint32_t flags)
{
	return start(s, SOQI_LANE_RECV, op, segments, segment_count, flags, SOQI_OP_VECTOR);
}

int64_t soq_send(struct soq_socket *s, const void *buffer, size_t size_bytes, uint32_t flags)
{
	return transfer(s, SOQI_LANE_SEND, buffer, size_bytes, flags, 0);
}

int64_t soq_sendv(struct soq_socket *s, const struct iovec *segments, unsigned segment_count,
		  uint32_t flags)
{
	return transfer(s, SOQI_LANE_SEND, segments, segment_count, flags, SOQI_OP_VECTOR);
}

int64_t soq_recv(struct soq_socket *s, void *buffer, size_t size_bytes, uint32_t flags)
{
	return transfer(s, SOQI_LANE_RECV, buffer, size_bytes, flags, 0);
}

int64_t soq_recvv(struct soq_socket *s, const struct iovec *segments, unsigned segment_count,
		  uint32_t flags)
{
	return transfer(s, SOQI_LANE_RECV, segments, segment_count, flags, SOQI_OP_VECTOR);
}

static int shutdown_check(const struct soq_socket *s, int how)
{
	if (how != SOQ_SHUTDOWN_RECV && how != SOQ_SHUTDOWN_SEND && how != SOQ_SHUTDOWN_BOTH)
		return -EINVAL;
	return carries_bytes(s) ? 0 : -ENOTCONN;
}

/* SOQ_SHUTDOWN_* are the SHUT_* of the system; it keeps no place in a lane for RECV. */
static void shutdown_start(struct soq_socket *s, struct soq_op *op, int how, uint32_t flags)
{
	op->priv.length = (uint64_t)how;
	soqi_op_start(s->loop, s, op, SOQI_KIND_SHUTDOWN, flags);
	if (how == SOQ_SHUTDOWN_RECV && s->phase == SOQI_PHASE_CONNECTED) {
		int result = shutdown(s->fd, SHUT_RD) == 0 ? 0 : -errno;

		soqi_op_end(s->loop, op, result, 0);
		return;
	}
	if (how != SOQ_SHUTDOWN_RECV)
		s->shut_send = true;
	soqi_op_start_lane(s, &s->lane[SOQI_LANE_SEND], op);
}

int soq_shutdown_async(struct soq_socket *s, struct soq_op *op, int how)
{
	int error = soqi_start_check(s, op);

	if (error == 0)
		error = shutdown_check(s, how);
	if (error == 0)
		shutdown_start(s, op, how, 0);
	return error;
}

int soq_shutdown(struct soq_socket *s, int how)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error = soqi_start_check(s, &op);

	if (error == 0)
		error = shutdown_check(s, how);
	if (error == 0)
		error = soqi_sync_begin(s, SOQI_LANE_SEND, &op);
	if (error != 0)
		return error;
	shutdown_start(s, &op, how, SOQI_OP_SYNC);
	return (int)soqi_sync_end(s, SOQI_LANE_SEND, &op, &event);
}
