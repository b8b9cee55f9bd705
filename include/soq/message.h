/* SPDX-License-Identifier: MIT */
/* Messages: sends with an address, receives that tell the sender. */
#ifndef SOQ_MESSAGE_H
#define SOQ_MESSAGE_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/op.h>
#include <soq/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * On a socket that carries messages (SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET) a send is
 * one message and a receive takes one: whole, or cut to the memory there is, and
 * then it says so. The calls of stream.h work on them too.
 *
 * A message of no bytes is a message; a receive of it ends with 0. On
 * SOCK_SEQPACKET 0 is the end of stream, so sending no bytes is refused there.
 *
 * A send ends when the kernel has taken the message; whether it arrives is the
 * protocol's business. What an earlier datagram met (-ECONNREFUSED, say) the
 * kernel tells with a later call on a connected socket.
 */

/* Segments of one message (IOV_MAX). */
#define SOQ_MESSAGE_SEGMENTS_MAX 1024

/**
 * One message: what goes in by the caller, what comes out by the library.
 *
 * Begin with `{ .size = sizeof(message) }`. From a start to the final event the
 * struct, the array and the segments are the library's.
 */
struct soq_message {
	uint32_t size;                /* sizeof(struct soq_message) */
	uint32_t flags;               /* out: SOQ_F_TRUNCATED, as in the event */
	const struct iovec *segments; /* the memory */
	uint32_t segment_count;       /* 1 to SOQ_MESSAGE_SEGMENTS_MAX */
	uint32_t reserved0;           /* must be 0 */
	struct soq_endpoint peer; /* send: where to, or none; receive: out: from whom, or none */
	uint64_t reserved[8];     /* must be 0 */
};

/**
 * Starts a send of one message to `ep`, whatever the socket is connected to.
 *
 * Result: 0; the event's result is `size_bytes`. With SOQ_ZEROCOPY it has two events,
 *         as stream.h says.
 * Errors: those of every starting call; flags: SOQ_ZEROCOPY
 *         -EINVAL        NULL, "none", unknown flags, or no bytes on SOCK_SEQPACKET
 *         -EISCONN       the socket is connection-oriented: its peer is fixed
 *         -EAFNOSUPPORT  an address of another family than the socket
 *         -EMSGSIZE      above 1 GiB
 *         -EPIPE         a shutdown of the send side was started before
 *         as results: -EMSGSIZE (more than the protocol can carry), -ENETUNREACH,
 *         -EACCES (a broadcast without SO_BROADCAST), -ECANCELED, -ETIMEDOUT and
 *         the others of sendmsg(2)
 * Owner:  `buffer` and `ep` are the library's until the final event.
 * Thread: the loop's.
 * Kernel: IORING_OP_SENDMSG, IORING_OP_SENDMSG_ZC. Fallback: sendmsg(2).
 * .NET:   Socket.SendToAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_send_to_async(struct soq_socket *s, struct soq_op *op,
					     const void *buffer, size_t size_bytes, uint32_t flags,
					     const struct soq_endpoint *ep);

/**
 * Sends one message to `ep` and waits until the kernel has it.
 *
 * Result: bytes sent: all.
 * Errors: what soq_send_to_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's send timeout passed; -EINVAL with SOQ_ZEROCOPY
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SendTo
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_send_to(struct soq_socket *s, const void *buffer,
					   size_t size_bytes, uint32_t flags,
					   const struct soq_endpoint *ep);

/**
 * Starts a receive that tells who sent the message. `*ep_out` is written before
 * the final event: the sender, or "none" (size_bytes 0) for an unnamed unix socket
 * and on streams.
 *
 * Result: 0; the event's result is a count of bytes; SOQ_F_TRUNCATED says that the
 *         message was longer and its rest is lost.
 * Errors: those of soq_recv_async(); -EINVAL also when `ep_out` is NULL
 * Owner:  `buffer` and `*ep_out` are the library's until the final event.
 * Thread: the loop's.
 * Kernel: IORING_OP_RECVMSG. Fallback: recvmsg(2).
 * .NET:   Socket.ReceiveFromAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_recv_from_async(struct soq_socket *s, struct soq_op *op,
					       void *buffer, size_t size_bytes, uint32_t flags,
					       struct soq_endpoint *ep_out);

/**
 * Receives one message and tells who sent it.
 *
 * Result: bytes received, `*ep_out` is the sender or "none".
 * Errors: what soq_recv_from_async() returns, or its event's result
 *         -EMSGSIZE   the message was longer than `size_bytes`: the memory holds
 *                     its beginning, the rest is lost (soq_recv_msg() gives the count)
 *         -ETIMEDOUT  the socket's receive timeout passed
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.ReceiveFrom
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_recv_from(struct soq_socket *s, void *buffer, size_t size_bytes,
					     uint32_t flags, struct soq_endpoint *ep_out);

/**
 * Starts a send of `message`: its segments as one message, to `message->peer` or,
 * if that is "none", to the connected peer. On a stream otherwise as
 * soq_sendv_async().
 *
 * Result: 0; the event's result is a count of bytes. SOQ_ZEROCOPY as above.
 * Errors: those of soq_send_to_async()
 *         -EINVAL    also for a `size` that is none this library knows, a reserved
 *                    word that is not 0, no segments or too many, a segment that
 *                    is NULL with a size
 *         -ENOTCONN  no peer, and no connect was started
 * Owner:  `message`, its array and segments are the library's until the final event.
 * Thread: the loop's.
 * Kernel: IORING_OP_SENDMSG, IORING_OP_SENDMSG_ZC. Fallback: sendmsg(2).
 * .NET:   Socket.SendToAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_send_msg_async(struct soq_socket *s, struct soq_op *op,
					      struct soq_message *message, uint32_t flags);

/**
 * Sends `message` and waits until the kernel has it.
 *
 * Result: bytes sent.
 * Errors: what soq_send_msg_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's send timeout passed
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SendTo
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_send_msg(struct soq_socket *s, struct soq_message *message,
					    uint32_t flags);

/**
 * Starts a receive into `message`: its segments are filled one after another,
 * `message->peer` and `message->flags` are written before the final event. On a
 * stream otherwise as soq_recvv_async().
 *
 * Result: 0; the event's result is a count of bytes, SOQ_F_TRUNCATED as above.
 * Errors: those of soq_recv_async()
 *         -EINVAL  also for a `size` that is none this library knows, a reserved
 *                  word that is not 0, no segments or too many, a segment that is
 *                  NULL with a size, a sum of 0
 * Owner:  `message`, its array and segments are the library's until the final event.
 * Thread: the loop's.
 * Kernel: IORING_OP_RECVMSG. Fallback: recvmsg(2).
 * .NET:   Socket.ReceiveMessageFromAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_recv_msg_async(struct soq_socket *s, struct soq_op *op,
					      struct soq_message *message, uint32_t flags);

/**
 * Receives into `message` and waits.
 *
 * Result: bytes received; `message->flags` says if the message was cut.
 * Errors: what soq_recv_msg_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's receive timeout passed
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.ReceiveMessageFrom
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_recv_msg(struct soq_socket *s, struct soq_message *message,
					    uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
