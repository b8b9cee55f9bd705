/* SPDX-License-Identifier: MIT */
/* The calls of stream.h: sending, receiving, shutting down; two are in transfer.c. */
#include <soq/stream.h>

#include "detached.h"

#include <errno.h>

int soq_sendv_async(struct soq_socket *s, struct soq_op *op, const struct iovec *segments,
		    unsigned segment_count, uint32_t flags)
{
	return soqi_transfer_start(s, op,
				   &(struct soqi_transfer){ .index = SOQI_LANE_SEND,
							    .data = segments,
							    .count = segment_count,
							    .vector = true,
							    .flags = flags });
}

int soq_recvv_async(struct soq_socket *s, struct soq_op *op, const struct iovec *segments,
		    unsigned segment_count, uint32_t flags)
{
	return soqi_transfer_start(s, op,
				   &(struct soqi_transfer){ .index = SOQI_LANE_RECV,
							    .data = segments,
							    .count = segment_count,
							    .vector = true,
							    .flags = flags });
}

int64_t soq_send(struct soq_socket *s, const void *buffer, size_t size_bytes, uint32_t flags)
{
	return soqi_transfer(s, &(struct soqi_transfer){ .index = SOQI_LANE_SEND,
							 .data = buffer,
							 .count = size_bytes,
							 .flags = flags });
}

int64_t soq_sendv(struct soq_socket *s, const struct iovec *segments, unsigned segment_count,
		  uint32_t flags)
{
	return soqi_transfer(s, &(struct soqi_transfer){ .index = SOQI_LANE_SEND,
							 .data = segments,
							 .count = segment_count,
							 .vector = true,
							 .flags = flags });
}

int64_t soq_recv(struct soq_socket *s, void *buffer, size_t size_bytes, uint32_t flags)
{
	return soqi_transfer(s, &(struct soqi_transfer){ .index = SOQI_LANE_RECV,
							 .data = buffer,
							 .count = size_bytes,
							 .flags = flags });
}

int64_t soq_recvv(struct soq_socket *s, const struct iovec *segments, unsigned segment_count,
		  uint32_t flags)
{
	return soqi_transfer(s, &(struct soqi_transfer){ .index = SOQI_LANE_RECV,
							 .data = segments,
							 .count = segment_count,
							 .vector = true,
							 .flags = flags });
}

int soqi_shutdown_check(const struct soq_socket *s, int how)
{
	if (how != SOQ_SHUTDOWN_RECV && how != SOQ_SHUTDOWN_SEND && how != SOQ_SHUTDOWN_BOTH)
		return -EINVAL;
	return soqi_carries(s) ? 0 : -ENOTCONN;
}

int soqi_shutdown_now(struct soq_socket *s, int how)
{
	int result = shutdown(s->fd, how) == 0 ? 0 : -errno;

	/* The peer was faster: it had ended its side and the connection is gone. */
	if (result == -ENOTCONN && how != SOQ_SHUTDOWN_RECV && s->phase == SOQI_PHASE_CONNECTED)
		result = s->error;
	return result;
}

/* SOQ_SHUTDOWN_* are the SHUT_* of the system; it keeps no place in a lane for RECV. */
static void shutdown_start(struct soq_socket *s, struct soq_op *op, int how, uint32_t flags)
{
	op->priv.length = (uint64_t)how;
	soqi_op_start(s->loop, s, op, SOQI_KIND_SHUTDOWN, flags);
	if (how == SOQ_SHUTDOWN_RECV && s->phase == SOQI_PHASE_CONNECTED) {
		soqi_op_end(s->loop, op, soqi_shutdown_now(s, how), 0);
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
		error = soqi_shutdown_check(s, how);
	if (error == 0)
		shutdown_start(s, op, how, 0);
	return error;
}

int soq_shutdown(struct soq_socket *s, int how)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;

	if (soqi_is_detached(s))
		return soqi_detached_shutdown(s, how);
	error = soqi_start_check(s, &op);
	if (error == 0)
		error = soqi_shutdown_check(s, how);
	/* To end receiving is no next call of the sends: it waits for none, and takes no cause. */
	if (error == 0 && how != SOQ_SHUTDOWN_RECV)
		error = soqi_sync_begin(s, SOQI_LANE_SEND, &op);
	if (error != 0)
		return error;
	shutdown_start(s, &op, how, SOQI_OP_SYNC);
	return (int)soqi_sync_end(s, SOQI_LANE_SEND, &op, &event);
}
