/* SPDX-License-Identifier: MIT */
/* Messages: sends with an address, receives that tell the sender; what a datagram tells beside. */
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
/* Bytes, and datagrams, that one send with SOQ_INFO_SEGMENTS may cover. */
#define SOQ_MESSAGE_SPLIT_BYTES_MAX 65507
#define SOQ_MESSAGE_SPLIT_MAX       128

/*
 * What a datagram of IPv4 or IPv6 is told, or tells, beside its bytes: the bits of
 * `info` in struct soq_message.
 */
#define SOQ_INFO_SEGMENTS (1u << 0) /* `segment_size_bytes`: many datagrams at once, UDP only */
#define SOQ_INFO_ECN      (1u << 1) /* `ecn` and `dscp`: congestion marks, class of service */
#define SOQ_INFO_PACKET   (1u << 2) /* `local` and `interface` */
#define SOQ_INFO_TIME     (1u << 3) /* `time_ns`: of a receive; a send passes over it */
#define SOQ_INFO_CUT      (1u << 4) /* out, of a receive: none of it is valid, see below */
#define SOQ_INFO_TTL      (1u << 6) /* `ttl`: time to live, hop limit */
#define SOQ_INFO_DROPS    (1u << 7) /* `dropped_count`: of a receive; a send passes over it */
/* And of a unix socket. */
#define SOQ_INFO_CREDENTIALS                                                                       \
	(1u << 5) /* `pid`, `uid`, `gid`: of a receive; a send passes over it */

/* Descriptors that one message of a unix socket can carry (SCM_MAX_FD). */
#define SOQ_MESSAGE_DESCRIPTORS_MAX 253

/**
 * One message: what goes in by the caller, what comes out by the library.
 *
 * Begin with `{ .size = sizeof(message) }`. From a start to the final event the
 * struct, the array and the segments are the library's.
 *
 * A send takes in what `info` names. `segment_size_bytes` cuts the message into
 * datagrams of that size (the last may be shorter) on their way down, which costs a
 * fraction of sending them one by one; where a kernel or a device refuses, the
 * library cuts. `local` is the address to send from (its port does not count) and
 * `interface` the number of the interface to leave by; one of them may be missing
 * ("none", 0). `ecn` and `dscp` go before the socket's IP_TOS and IPV6_TCLASS, `ttl`
 * before its SOQ_OPTION_TTL and SOQ_OPTION_MULTICAST_TTL.
 *
 * A receive writes `info` anew: bits of what came and is valid. What comes is what
 * soq_socket_set_message_info() has switched on. With SOQ_INFO_SEGMENTS the memory
 * holds several datagrams of one sender, each of `segment_size_bytes` but the last,
 * which may be shorter; without, it is one. `local` is the address the datagram
 * was sent to, its port 0. `dropped_count` comes with datagrams once some were dropped,
 * and counts up to the one it comes with. SOQ_INFO_CUT stands alone: options that the program has
 * set itself made the kernel tell more than there is room for, so nothing it told
 * is valid, and where segments were asked for, the memory may hold several.
 *
 * A message of a unix socket may carry descriptors. A send gives `descriptor_count` of
 * them at `descriptors`: the kernel duplicates them, the caller's stay the caller's. On
 * a stream they travel with the first byte of the send, and no receive is given those
 * of two sends.
 *
 * A receive takes none, unless it has room for them: `descriptor_max` of them at
 * `descriptors`. Then it writes `descriptor_count`, which is 0 whenever it has failed:
 * they are the caller's, close-on-exec, and come with the event, however late that is
 * taken. What there is no room for is closed, in the kernel where it can be, else before
 * the event is made, and SOQ_F_REFUSED says so in `flags` and in the event. (So it does
 * when options that the program has set itself made the kernel tell something else
 * there was no room for.) With SOQ_PEEK none are taken and none closed: the flag says that
 * some are there. Every other receive, into a buf of a pool too, closes them unseen.
 *
 * With SOQ_INFO_CREDENTIALS a receive tells what the kernel knows of the process that
 * has sent this message. Without, `uid` and `gid` are UINT32_MAX, nobody's.
 *
 * In the fields below "out" is what a receive writes.
 *
 * .NET:   IPPacketInformation, SocketReceiveMessageFromResult,
 *         SocketAsyncEventArgs.RemoteEndPoint,
 *         SocketAsyncEventArgs.ReceiveMessageFromPacketInfo
 */
struct soq_message {
	uint32_t size;                /* sizeof(struct soq_message) */
	uint32_t flags;               /* receive: out: SOQ_F_TRUNCATED, SOQ_F_REFUSED */
	const struct iovec *segments; /* the memory */
	uint32_t segment_count;       /* 1 to SOQ_MESSAGE_SEGMENTS_MAX */
	uint32_t info;                /* SOQ_INFO_*; send: in; receive: out */
	struct soq_endpoint peer;     /* where to, or none; out: from whom, or none */
	struct soq_endpoint local;    /* where from, or none; out: where it was sent to */
	uint64_t length_bytes;        /* out, of receives and batches: bytes of this message */
	int64_t time_ns;              /* out: when the kernel got it, CLOCK_REALTIME */
	uint32_t interface;           /* its number */
	uint16_t segment_size_bytes;  /* of each datagram but the last */
	uint8_t ecn;                  /* 0 to 3 */
	uint8_t dscp;                 /* 0 to 63 */
	int *descriptors;             /* what goes along; where to write what came; or NULL */
	uint32_t descriptor_count;    /* send: in; receive: out: they are the caller's */
	uint32_t descriptor_max;      /* receive: room for them, 0: none are taken */
	int32_t pid;                  /* out: who has sent it, 0: not of our namespace */
	uint32_t uid;                 /* out */
	uint32_t gid;                 /* out */
	uint32_t dropped_count;       /* out: datagrams the socket had no room for, ever */
	uint8_t ttl;                  /* 1 to 255: hops that are left; out: that were left */
	uint8_t reserved8[7];         /* must be 0 */
	uint64_t reserved[3];         /* must be 0 */
	uint64_t control[32];         /* the library's: what the kernel is told and tells */
};

/**
 * Starts a send of one message to `ep`, whatever the socket is connected to.
 *
 * Result: 0; the event's result is `size_bytes`. With SOQ_ZEROCOPY it has two events,
 *         as stream.h says.
 * Errors: those of every starting call; flags: SOQ_ZEROCOPY, SOQ_DONT_ROUTE
 *         -EINVAL        NULL, "none", unknown flags, or no bytes on SOCK_SEQPACKET
 *         -EISCONN       the socket is connection-oriented: its peer is fixed
 *         -EAFNOSUPPORT  an address of another family than the socket
 *         -EMSGSIZE      above 1 GiB
 *         -EPIPE         a shutdown of the send side was started before
 *         as results: -EMSGSIZE (more than the protocol can carry), -ENETUNREACH,
 *         -EACCES (a broadcast without SO_BROADCAST, a policy), -ECANCELED, -ETIMEDOUT and
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
 *         the socket's send timeout passed, -EAGAIN with SOQ_NOWAIT when there is no
 *         room; -EINVAL with SOQ_ZEROCOPY
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
 * .NET:   Socket.ReceiveFromAsync, SocketReceiveFromResult
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
 *         -EAGAIN     SOQ_NOWAIT, and none is there now
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.ReceiveFrom, SocketReceiveFromResult
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_recv_from(struct soq_socket *s, void *buffer, size_t size_bytes,
					     uint32_t flags, struct soq_endpoint *ep_out);

/**
 * Starts a send of `message`: its segments as one message, to `message->peer` or,
 * if that is "none", to the connected peer. On a stream otherwise as
 * soq_sendv_async().
 *
 * Result: 0; the event's result is a count of bytes, SOQ_ZEROCOPY as above. Of datagrams
 *         that the library has to cut itself it may be short: SOQ_F_CANCELED,
 *         SOQ_F_TIMED_OUT or SOQ_F_BROKEN, and whole datagrams were sent.
 * Errors: those of soq_send_to_async()
 *         -EINVAL      also for a `size` that is none this library knows, a reserved
 *                      word that is not 0, no segments or too many, a segment that
 *                      is NULL with a size, `info` with a bit that is unknown or no
 *                      send's, or a value out of its range; more descriptors than
 *                      SOQ_MESSAGE_DESCRIPTORS_MAX, NULL for them, or a stream's send
 *                      of no bytes with some
 *         -EMSGSIZE    also for SOQ_INFO_SEGMENTS with more than
 *                      SOQ_MESSAGE_SPLIT_BYTES_MAX bytes or SOQ_MESSAGE_SPLIT_MAX
 *                      datagrams
 *         -EOPNOTSUPP  `info` on a socket that is not of IPv4 or IPv6 datagrams, or
 *                      SOQ_INFO_SEGMENTS on one that is not UDP; SOQ_INFO_CREDENTIALS,
 *                      or descriptors, on one that is not unix
 *         -ENOTCONN    no peer, and no connect was started
 *         -ENOMEM      no memory for the loop's first batch, or first send with
 *                      SOQ_INFO_SEGMENTS
 *         as results also: -EBADF (one of the descriptors is none), -ETOOMANYREFS (more
 *         are on their way than RLIMIT_NOFILE allows an ordinary user), -EINVAL (a
 *         descriptor of a ring)
 * Owner:  `message`, its arrays and segments are the library's until the final event,
 *         and its descriptors stay open until then.
 * Thread: the loop's.
 * Kernel: IORING_OP_SENDMSG, IORING_OP_SENDMSG_ZC; UDP_SEGMENT from 4.18 on, else
 * sendmmsg(2) of the pieces; with descriptors sendmsg(2). Fallback: sendmsg(2).
 * .NET:   Socket.SendToAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_send_msg_async(struct soq_socket *s, struct soq_op *op,
					      struct soq_message *message, uint32_t flags);

/**
 * Sends `message` and waits until the kernel has it.
 *
 * Result: bytes sent.
 * Errors: what soq_send_msg_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's send timeout passed, -EAGAIN with SOQ_NOWAIT
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SendTo
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_send_msg(struct soq_socket *s, struct soq_message *message,
					    uint32_t flags);

/**
 * Starts a receive into `message`: its segments are filled one after another; the
 * sender, `flags`, and what `info` names are written before the final event. On a
 * stream otherwise as soq_recvv_async().
 *
 * Result: 0; the event's result is a count of bytes, SOQ_F_TRUNCATED as above;
 *         SOQ_F_REFUSED: a unix message had descriptors that were not taken.
 * Errors: those of soq_recv_async()
 *         -EINVAL      also for a `size` that is none this library knows, a reserved
 *                      word that is not 0, no segments or too many, a segment that is
 *                      NULL with a size, a sum of 0; room for more descriptors than
 *                      SOQ_MESSAGE_DESCRIPTORS_MAX, NULL for it, or room with
 *                      SOQ_EXACT or SOQ_PEEK
 *         -EOPNOTSUPP  room for descriptors on a socket that is not unix
 * Owner:  `message`, its arrays and segments are the library's until the final event;
 *         the descriptors that came are the caller's from it on.
 * Thread: the loop's.
 * Kernel: IORING_OP_RECVMSG; recvmsg(2) of unix streams, and where descriptors or
 * credentials are asked for, and IORING_OP_POLL_ADD while there is nothing.
 * Fallback: recvmsg(2).
 * .NET:   Socket.ReceiveMessageFromAsync, SocketFlags.Truncated
 */
SOQ_API SOQ_MUST_CHECK int soq_recv_msg_async(struct soq_socket *s, struct soq_op *op,
					      struct soq_message *message, uint32_t flags);

/**
 * Receives into `message` and waits.
 *
 * Result: bytes received; `message->flags` says if the message was cut.
 * Errors: what soq_recv_msg_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's receive timeout passed, -EAGAIN with SOQ_NOWAIT
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.ReceiveMessageFrom, SocketFlags.Truncated
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_recv_msg(struct soq_socket *s, struct soq_message *message,
					    uint32_t flags);

/**
 * Chooses what soq_recv_msg() and the receives of batches are told beside the
 * bytes: SOQ_INFO_PACKET, SOQ_INFO_ECN, SOQ_INFO_TTL, SOQ_INFO_TIME, SOQ_INFO_DROPS and
 * SOQ_INFO_SEGMENTS, on a unix socket SOQ_INFO_CREDENTIALS; what is not in `info` is
 * switched off. With SOQ_INFO_CREDENTIALS a socket without a name gets an abstract one when
 * it sends or connects; accepted sockets have it as their listener had. With
 * SOQ_INFO_SEGMENTS the kernel hands over several datagrams of a sender at once: have
 * 65,535 bytes of memory for each receive, and use no call that cannot tell them apart. An
 * IPv6 socket that takes IPv4 too is told of both; IPv4 addresses are mapped ones then.
 *
 * Result: 0. After an error all of it is off.
 * Errors: -EINVAL      NULL, or a bit that is unknown or cannot be chosen
 *         -EOPNOTSUPP  what is not for this socket (of IPv4 or IPv6 datagrams; unix),
 *                      or what the kernel does not have (SOQ_INFO_SEGMENTS: UDP alone,
 *                      from 5.0 on)
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: IP_PKTINFO, IPV6_RECVPKTINFO, IP_RECVTOS, IPV6_RECVTCLASS, IP_RECVTTL,
 * IPV6_RECVHOPLIMIT, SO_TIMESTAMPNS, SO_RXQ_OVFL, UDP_GRO, SO_PASSCRED.
 * Fallback: the same.
 * .NET:   SocketOptionName.PacketInformation, IPPacketInformation
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_set_message_info(struct soq_socket *s, uint32_t info);

/**
 * Starts a send of `message_count` datagrams as one operation. Each is sent as by
 * soq_send_msg_async(), in order, behind the sends started before; the operation
 * completes when all of them are sent.
 *
 * Result: 0; the event's result is the number of messages sent: all, or fewer with
 *         SOQ_F_CANCELED, SOQ_F_TIMED_OUT or SOQ_F_BROKEN, and then those behind
 *         were not. SOQ_F_BROKEN: the next message met an error, which a batch that
 *         begins with it ends with. `length_bytes` of each message sent is its size.
 *         An error that the kernel tells once, of an earlier datagram, may be passed
 *         over between two messages, as by sendmmsg(2).
 * Errors: those of soq_send_msg_async(), for any of the messages; flags: SOQ_DONT_ROUTE
 *         -EINVAL      also for no messages, or more than INT32_MAX
 *         -EOPNOTSUPP  the socket is connection-oriented: it carries no datagrams
 * Owner:  the array, and each message with its segments, are the library's until
 *         the final event.
 * Thread: the loop's.
 * Kernel: sendmmsg(2), and IORING_OP_POLL_ADD while there is no room.
 * Fallback: sendmmsg(2).
 */
SOQ_API SOQ_MUST_CHECK int soq_send_batch_async(struct soq_socket *s, struct soq_op *op,
						struct soq_message *messages,
						unsigned message_count, uint32_t flags);

/**
 * Sends `message_count` datagrams and waits until the kernel has them.
 *
 * Result: messages sent: all, or fewer if it was cut short (the next synchronous
 *         call on the send lane returns the cause).
 * Errors: what soq_send_batch_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's send timeout passed and nothing was sent, -EAGAIN with SOQ_NOWAIT
 * Thread: the loop's; any, on a detached socket.
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_send_batch(struct soq_socket *s, struct soq_message *messages,
					      unsigned message_count, uint32_t flags);

/**
 * Starts a receive of up to `message_count` datagrams as one operation. Each is
 * received as by soq_recv_msg_async(); the operation completes with what is there:
 * one message at least.
 *
 * Result: 0; the event's result is the number of messages, the first in the array;
 *         0 of them when the receive side was shut and nothing is left.
 *         Of each `length_bytes` is its bytes, and `flags` says if it was cut.
 * Errors: those of soq_recv_msg_async(), for any of the messages; no flags
 *         -EINVAL      also for no messages, or more than INT32_MAX
 *         -EOPNOTSUPP  the socket is connection-oriented: it carries no datagrams
 *         -ENOMEM      no memory for the loop's first batch
 * Owner:  the array, and each message with its segments, are the library's until
 *         the final event.
 * Thread: the loop's.
 * Kernel: recvmmsg(2), and IORING_OP_POLL_ADD while there is nothing.
 * Fallback: recvmmsg(2).
 */
SOQ_API SOQ_MUST_CHECK int soq_recv_batch_async(struct soq_socket *s, struct soq_op *op,
						struct soq_message *messages,
						unsigned message_count, uint32_t flags);

/**
 * Receives up to `message_count` datagrams, and waits for the first of them.
 *
 * Result: messages received: at least 1, or 0 as above.
 * Errors: what soq_recv_batch_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's receive timeout passed, -EAGAIN with SOQ_NOWAIT
 * Thread: the loop's; any, on a detached socket.
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_recv_batch(struct soq_socket *s, struct soq_message *messages,
					      unsigned message_count, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
