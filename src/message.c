/* SPDX-License-Identifier: MIT */
/* The calls of message.h: sends with an address, receives that tell the sender. */
#include <soq/message.h>

#include "detached.h"
#include "endpoint.h"
#include "own.h"

#include <errno.h>

/* The first release's size: a program built against it must go on working. */
#define MESSAGE_SIZE_MIN sizeof(struct soq_message)

void soqi_message_fill(struct soq_op *op, bool receives)
{
	struct soq_endpoint *ep = op->priv.address;
	struct msghdr *header = &op->priv.header;

	*header = (struct msghdr){ .msg_iov = &op->priv.whole, .msg_iovlen = 1 };
	if (op->priv.flags & SOQI_OP_VECTOR) {
		header->msg_iov = (struct iovec *)(uintptr_t)op->priv.data;
		header->msg_iovlen = op->priv.segment_count;
	} else {
		op->priv.whole.iov_base = (void *)(uintptr_t)op->priv.data;
		op->priv.whole.iov_len = op->priv.length < SOQI_REQUEST_BYTES
						 ? (size_t)op->priv.length
						 : SOQI_REQUEST_BYTES;
	}
	if (ep == NULL)
		return;
	header->msg_name = &ep->addr;
	header->msg_namelen = receives ? sizeof(ep->addr) : soqi_endpoint_kernel_size(ep);
}

uint32_t soqi_message_received(struct soq_op *op, bool whole)
{
	struct soq_endpoint *ep = op->priv.address;
	uint32_t flags = 0;

	if (ep != NULL) {
		ep->reserved = 0;
		ep->size_bytes = 0;
		/* The kernel says how long the name is, not how much of it found room. */
		if (whole && op->priv.header.msg_namelen <= sizeof(ep->addr))
			ep->size_bytes = op->priv.header.msg_namelen;
		soqi_own_written(&ep->addr, ep->size_bytes);
	}
	if (whole && (op->priv.header.msg_flags & MSG_TRUNC))
		flags = SOQ_F_TRUNCATED;
	if (op->priv.message != NULL)
		op->priv.message->flags = flags;
	return flags;
}

static int message_check(const struct soq_message *message)
{
	if (message == NULL || message->size < MESSAGE_SIZE_MIN ||
	    message->size > sizeof(*message) || message->reserved0 != 0 ||
	    message->segment_count > SOQ_MESSAGE_SEGMENTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(message->reserved) / sizeof(message->reserved[0]); i++)
		if (message->reserved[i] != 0)
			return -EINVAL;
	return 0;
}

static struct soqi_transfer of_buffer(enum soqi_lane_index index, const void *buffer,
				      size_t size_bytes, uint32_t flags,
				      const struct soq_endpoint *ep)
{
	return (struct soqi_transfer){ .index = index,
				       .data = buffer,
				       .count = size_bytes,
				       .flags = flags,
				       .address = (struct soq_endpoint *)(uintptr_t)ep };
}

static struct soqi_transfer of_message(enum soqi_lane_index index, struct soq_message *message,
				       uint32_t flags)
{
	bool named = index == SOQI_LANE_RECV || message->peer.size_bytes != 0;

	return (struct soqi_transfer){ .index = index,
				       .data = message->segments,
				       .count = message->segment_count,
				       .vector = true,
				       .flags = flags,
				       .address = named ? &message->peer : NULL,
				       .message = message };
}

/* NULL for the socket or for an argument is -EINVAL alike: which is seen first does not show. */
int soq_send_to_async(struct soq_socket *s, struct soq_op *op, const void *buffer,
		      size_t size_bytes, uint32_t flags, const struct soq_endpoint *ep)
{
	struct soqi_transfer t = of_buffer(SOQI_LANE_SEND, buffer, size_bytes, flags, ep);

	return ep == NULL ? -EINVAL : soqi_transfer_start(s, op, &t);
}

int64_t soq_send_to(struct soq_socket *s, const void *buffer, size_t size_bytes, uint32_t flags,
		    const struct soq_endpoint *ep)
{
	struct soqi_transfer t = of_buffer(SOQI_LANE_SEND, buffer, size_bytes, flags, ep);

	return s == NULL || ep == NULL ? -EINVAL : soqi_transfer(s, &t);
}

int soq_recv_from_async(struct soq_socket *s, struct soq_op *op, void *buffer, size_t size_bytes,
			uint32_t flags, struct soq_endpoint *ep_out)
{
	struct soqi_transfer t = of_buffer(SOQI_LANE_RECV, buffer, size_bytes, flags, ep_out);

	return ep_out == NULL ? -EINVAL : soqi_transfer_start(s, op, &t);
}

int64_t soq_recv_from(struct soq_socket *s, void *buffer, size_t size_bytes, uint32_t flags,
		      struct soq_endpoint *ep_out)
{
	struct soqi_transfer t = of_buffer(SOQI_LANE_RECV, buffer, size_bytes, flags, ep_out);

	return s == NULL || ep_out == NULL ? -EINVAL : soqi_transfer(s, &t);
}

static int message_start(struct soq_socket *s, struct soq_op *op, enum soqi_lane_index index,
			 struct soq_message *message, uint32_t flags)
{
	struct soqi_transfer t;
	int error = message_check(message);

	if (error != 0)
		return error;
	t = of_message(index, message, flags);
	return soqi_transfer_start(s, op, &t);
}

static int64_t message_sync(struct soq_socket *s, enum soqi_lane_index index,
			    struct soq_message *message, uint32_t flags)
{
	struct soqi_transfer t;
	int error = message_check(message);

	if (s == NULL || error != 0)
		return -EINVAL;
	t = of_message(index, message, flags);
	return soqi_transfer(s, &t);
}

int soq_send_msg_async(struct soq_socket *s, struct soq_op *op, struct soq_message *message,
		       uint32_t flags)
{
	return message_start(s, op, SOQI_LANE_SEND, message, flags);
}

int64_t soq_send_msg(struct soq_socket *s, struct soq_message *message, uint32_t flags)
{
	return message_sync(s, SOQI_LANE_SEND, message, flags);
}

int soq_recv_msg_async(struct soq_socket *s, struct soq_op *op, struct soq_message *message,
		       uint32_t flags)
{
	return message_start(s, op, SOQI_LANE_RECV, message, flags);
}

int64_t soq_recv_msg(struct soq_socket *s, struct soq_message *message, uint32_t flags)
{
	return message_sync(s, SOQI_LANE_RECV, message, flags);
}
