/* SPDX-License-Identifier: MIT */
/* The calls of message.h: sends with an address, receives that tell the sender. */
#include <soq/message.h>

#include "ancillary.h"
#include "detached.h"
#include "endpoint.h"
#include "own.h"
#include "policed.h"

#include <errno.h>

/* The first release's size: a program built against it must go on working. */
#define MESSAGE_SIZE_MIN sizeof(struct soq_message)

uint64_t soqi_message_bytes(const struct soq_message *message)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < message->segment_count; i++)
		sum += message->segments[i].iov_len;
	return sum;
}

/* Whether a datagram leaves an IPv6 socket as IPv4. */
static bool is_mapped(const struct soq_socket *s, const struct soq_message *message)
{
	struct soq_endpoint connected = { .size_bytes = sizeof(connected.addr) };
	const struct soq_endpoint *to = &message->peer;

	if (to->size_bytes == 0) {
		if (getpeername(s->fd, &connected.addr.any, &connected.size_bytes) != 0)
			return false;
		to = &connected;
	}
	return IN6_IS_ADDR_V4MAPPED(&to->addr.ipv6.sin6_addr);
}

/*
 * Room for what the kernel tells, or what it is told. None on a unix socket: into it the
 * kernel would put descriptors, which nobody would close.
 */
static void control_fill(const struct soq_socket *s, struct soq_message *message, bool receives,
			 uint32_t info, struct msghdr *header)
{
	bool asks;

	if (!soqi_is_ip_datagram(s))
		return;
	header->msg_control = message->control;
	if (receives) {
		header->msg_controllen = sizeof(message->control);
		return;
	}
	info &= message->info & ~(SOQ_INFO_TIME | SOQ_INFO_DROPS);
	if ((info & SOQ_INFO_SEGMENTS) &&
	    soqi_message_bytes(message) <= message->segment_size_bytes)
		info &= ~SOQ_INFO_SEGMENTS;
	/* An address says so itself. */
	asks = (info & SOQ_INFO_PACKET) && s->family == AF_INET6 && message->local.size_bytes == 0;
	if (info != 0)
		header->msg_controllen = soqi_ancillary_write(message, info, s->family,
							      asks && is_mapped(s, message));
	if (header->msg_controllen == 0)
		header->msg_control = NULL;
}

static void name_fill(struct soq_endpoint *ep, bool receives, struct msghdr *header)
{
	header->msg_name = &ep->addr;
	header->msg_namelen = receives ? sizeof(ep->addr) : soqi_endpoint_kernel_size(ep);
}

/* What the kernel tells of a sender. */
static void name_taken(const struct msghdr *header, struct soq_endpoint *ep)
{
	ep->reserved = 0;
	ep->size_bytes = 0;
	/* The kernel says how long the name is, not how much of it found room. */
	if (header != NULL && header->msg_namelen <= sizeof(ep->addr))
		ep->size_bytes = header->msg_namelen;
	soqi_own_written(&ep->addr, ep->size_bytes);
}

void soqi_message_header(const struct soq_socket *s, struct soq_message *message, bool receives,
			 uint32_t info, struct msghdr *header)
{
	*header = (struct msghdr){ .msg_iov = (struct iovec *)(uintptr_t)message->segments,
				   .msg_iovlen = message->segment_count };
	if (receives || message->peer.size_bytes != 0)
		name_fill(&message->peer, receives, header);
	control_fill(s, message, receives, info, header);
}

static void told(const struct msghdr *header, struct soq_message *message)
{
	size_t size_bytes = header->msg_control != NULL ? header->msg_controllen : 0;

	message->flags = (header->msg_flags & MSG_TRUNC) ? SOQ_F_TRUNCATED : 0;
	/* With no room for any the kernel has closed them. */
	if (header->msg_control == NULL && (header->msg_flags & MSG_CTRUNC))
		message->flags |= SOQ_F_REFUSED;
	soqi_own_written(message->control, size_bytes);
	soqi_ancillary_read(message->control, size_bytes,
			    header->msg_control != NULL && (header->msg_flags & MSG_CTRUNC),
			    message);
}

void soqi_message_taken(const struct msghdr *header, struct soq_message *message)
{
	name_taken(header, &message->peer);
	told(header, message);
}

void soqi_message_fill(const struct soq_socket *s, struct soq_op *op, bool receives)
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
	if (ep != NULL)
		name_fill(ep, receives, header);
	if (op->priv.message != NULL)
		control_fill(s, op->priv.message, receives, ~0u, header);
}

uint32_t soqi_message_received(struct soq_op *op, bool whole, int32_t size_bytes)
{
	const struct msghdr none = { .msg_flags = 0 };
	const struct msghdr *header = whole ? &op->priv.header : NULL;
	struct soq_message *message = op->priv.message;

	if (op->priv.address != NULL)
		name_taken(header, op->priv.address);
	if (message != NULL) {
		told(whole ? header : &none, message);
		message->length_bytes = (uint64_t)size_bytes + (whole ? 0 : op->priv.moved);
		return message->flags;
	}
	return whole && (header->msg_flags & MSG_TRUNC) ? SOQ_F_TRUNCATED : 0;
}

static int split_check(const struct soq_socket *s, const struct soq_message *message,
		       uint64_t size_bytes)
{
	if (message->segment_size_bytes == 0)
		return -EINVAL;
	if (!soqi_is_udp(s))
		return -EOPNOTSUPP;
	if (size_bytes > SOQ_MESSAGE_SPLIT_BYTES_MAX ||
	    size_bytes > (uint64_t)message->segment_size_bytes * SOQ_MESSAGE_SPLIT_MAX)
		return -EMSGSIZE;
	return 0;
}

int soqi_message_send_check(const struct soq_socket *s, const struct soq_message *message,
			    uint64_t size_bytes)
{
	uint32_t info = message->info;
	int error = 0;

	if (info & ~SOQI_INFO_ALL)
		return -EINVAL;
	if (s->family == AF_UNIX && info == SOQ_INFO_CREDENTIALS)
		return 0;
	if (!soqi_is_ip_datagram(s) || (info & SOQ_INFO_CREDENTIALS))
		return -EOPNOTSUPP;
	if ((info & SOQ_INFO_ECN) && (message->ecn > 3 || message->dscp > 63))
		return -EINVAL;
	if ((info & SOQ_INFO_TTL) && message->ttl == 0)
		return -EINVAL;
	if (info & SOQ_INFO_PACKET) {
		if (message->interface > INT32_MAX)
			return -EINVAL;
		if (message->local.size_bytes != 0)
			error = soqi_endpoint_check(s, &message->local);
		else if (message->interface == 0)
			error = -EINVAL;
	}
	if (error == 0 && (info & SOQ_INFO_SEGMENTS))
		error = split_check(s, message, size_bytes);
	return error;
}

int soqi_message_check(const struct soq_message *message)
{
	if (message == NULL || message->size < MESSAGE_SIZE_MIN ||
	    message->size > sizeof(*message) || message->segment_count > SOQ_MESSAGE_SEGMENTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(message->reserved) / sizeof(message->reserved[0]); i++)
		if (message->reserved[i] != 0)
			return -EINVAL;
	for (size_t i = 0; i < sizeof(message->reserved8); i++)
		if (message->reserved8[i] != 0)
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

struct soqi_transfer soqi_message_transfer(enum soqi_lane_index index, struct soq_message *message,
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

	if (s == NULL || ep == NULL)
		return -EINVAL;
	t.policed = soqi_is_policed(s);
	return soqi_transfer_start(s, op, &t);
}

int64_t soq_send_to(struct soq_socket *s, const void *buffer, size_t size_bytes, uint32_t flags,
		    const struct soq_endpoint *ep)
{
	struct soqi_transfer t = of_buffer(SOQI_LANE_SEND, buffer, size_bytes, flags, ep);

	if (s == NULL || ep == NULL)
		return -EINVAL;
	t.policed = soqi_is_policed(s);
	return soqi_transfer(s, &t);
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
	int error = soqi_message_check(message);

	if (s == NULL || error != 0)
		return -EINVAL;
	t = soqi_message_transfer(index, message, flags);
	t.policed = index == SOQI_LANE_SEND && t.address != NULL && soqi_is_policed(s);
	return soqi_transfer_start(s, op, &t);
}

static int64_t message_sync(struct soq_socket *s, enum soqi_lane_index index,
			    struct soq_message *message, uint32_t flags)
{
	struct soqi_transfer t;
	int error = soqi_message_check(message);

	if (s == NULL || error != 0)
		return -EINVAL;
	t = soqi_message_transfer(index, message, flags);
	t.policed = index == SOQI_LANE_SEND && t.address != NULL && soqi_is_policed(s);
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

static struct soqi_transfer of_batch(enum soqi_lane_index index, struct soq_message *messages,
				     unsigned message_count, uint32_t flags)
{
	return (struct soqi_transfer){ .index = index,
				       .data = messages,
				       .count = message_count,
				       .flags = flags,
				       .batch = true };
}

int soq_send_batch_async(struct soq_socket *s, struct soq_op *op, struct soq_message *messages,
			 unsigned message_count, uint32_t flags)
{
	struct soqi_transfer t = of_batch(SOQI_LANE_SEND, messages, message_count, flags);

	return soqi_transfer_start(s, op, &t);
}

int64_t soq_send_batch(struct soq_socket *s, struct soq_message *messages, unsigned message_count,
		       uint32_t flags)
{
	struct soqi_transfer t = of_batch(SOQI_LANE_SEND, messages, message_count, flags);

	return soqi_transfer(s, &t);
}

int soq_recv_batch_async(struct soq_socket *s, struct soq_op *op, struct soq_message *messages,
			 unsigned message_count, uint32_t flags)
{
	struct soqi_transfer t = of_batch(SOQI_LANE_RECV, messages, message_count, flags);

	return soqi_transfer_start(s, op, &t);
}

int64_t soq_recv_batch(struct soq_socket *s, struct soq_message *messages, unsigned message_count,
		       uint32_t flags)
{
	struct soqi_transfer t = of_batch(SOQI_LANE_RECV, messages, message_count, flags);

	return soqi_transfer(s, &t);
}
