/* SPDX-License-Identifier: MIT */
/* Moving bytes: send and receive, gather and scatter. Messages too: see message.h. */
#ifndef SOQ_STREAM_H
#define SOQ_STREAM_H

#include <soq/base.h>
#include <soq/op.h>
#include <soq/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Zero copy: with SOQ_ZEROCOPY the kernel sends from the caller's memory instead of a copy
 * of it. The memory is then in use for longer than the send, until the peer has
 * acknowledged it, so the op has two events:
 *
 * - with SOQ_F_MORE, as soon as its bytes are handed to the kernel, in start order: the
 *   result of the send. The next send of the lane goes on here.
 * - the final one, when the memory is free. It has the same result and flags once more, so
 *   that a caller may look at this one alone; SOQ_F_COPIED says that the bytes, or some of
 *   them, were copied after all (before Linux 6.2 the kernel does not tell that).
 *
 * A send that moved no byte and ends with an error has only the final event. Final events
 * may come in another order than the sends.
 *
 * Between the two, soq_cancel() says -EALREADY and a deadline does nothing: the bytes are
 * on their way. What frees the memory is the peer, or the end of the connection: at once
 * with soq_abort(), at its timeout with soq_finish_async(). After soq_close() the peer still
 * gets all of it; if he does not take it, that lasts until the system gives up, a minute
 * or two.
 *
 * It pays for large sends through a network card that takes pages as they are, and nowhere
 * else: loopback copies all the same, and costs more than a plain send. So sends below
 * `zerocopy_bytes` (struct soq_loop_options) are copied, those of unix sockets and on epoll
 * too, and all those of a socket whose kernel has said eight times in a row that it copied.
 * They have the same two events. Pages count against RLIMIT_MEMLOCK of an ordinary user;
 * what finds too little is copied.
 */

/* Segments a gather or scatter can have. */
#define SOQ_SEGMENTS_MAX 65536

/**
 * Starts a send. It completes when all of it is sent: handed to the kernel, in
 * the order of the starts. Sends that wait are gathered into one call.
 *
 * One that ends short (cancelled, timed out, broken) fails those queued behind it
 * with -ECANCELED and none of their bytes moved: the peer holds exactly the bytes
 * reported, in order.
 *
 * With SOQ_LAZY the bytes leave as ever, but the event may come as late as the next
 * news of the loop: whatever else ends its sleep. For answers whose end nobody waits
 * for: at low load a server then makes one system call for each request and not two,
 * since the one that hands over the answer also waits for the next request. Under load
 * it gains nothing. Not for a done() that sends the next piece, or does something else
 * that cannot wait: with no other news it is not called. The next receive may be told
 * first, so the next answer wants an op and memory of its own, or has to wait.
 * The event is never late for soq_wait(), soq_loop_harvest() and synchronous calls,
 * without `done`, with another op behind the send, when the socket is closed, when not
 * all could be sent at once, when a receive waits for a buf to come home, or when the
 * loop waits for nothing else.
 *
 * Result: 0; the event's result is `size_bytes`, or less with SOQ_F_CANCELED,
 *         SOQ_F_TIMED_OUT or SOQ_F_BROKEN. 0 bytes send nothing and end with 0.
 *         With SOQ_ZEROCOPY it has two events, see above.
 * Errors: those of every starting call; flags: SOQ_CORK, SOQ_LAZY, SOQ_URGENT (streams
 *         only), SOQ_ZEROCOPY, SOQ_DONT_ROUTE
 *         -EINVAL    more than SSIZE_MAX bytes, or NULL with a size
 *         -EMSGSIZE  a message above 1 GiB
 *         -ENOTCONN  no connect was started, or the socket listens
 *         -EPIPE     a shutdown of the send side was started before
 *         -EOPNOTSUPP  SOQ_URGENT on MPTCP
 *         as results: -ECONNRESET, -EPIPE (the peer had ended its side before),
 *         -ECANCELED, -ETIMEDOUT and the others of send(2)
 * Owner:  `buffer` is the library's until the final event, also for reading.
 * Thread: the loop's.
 * Kernel: IORING_OP_SEND, IORING_OP_SENDMSG; IORING_OP_SEND_ZC, IORING_OP_SENDMSG_ZC.
 * Fallback: sendmsg(2), always with a copy.
 * .NET:   Socket.SendAsync, SocketFlags.OutOfBand, SocketFlags.DontRoute
 */
SOQ_API SOQ_MUST_CHECK int soq_send_async(struct soq_socket *s, struct soq_op *op,
					  const void *buffer, size_t size_bytes, uint32_t flags);

/**
 * Sends all of `buffer` and waits until it is sent.
 *
 * Result: bytes sent: all, or fewer if it was cut short (the next synchronous
 *         call on the send lane returns the cause).
 * Errors: what soq_send_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's send timeout passed and nothing was sent; -EINVAL with
 *         SOQ_ZEROCOPY: the call would have to wait for the peer. With SOQ_NOWAIT
 *         -EAGAIN when nothing could be sent now
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Send, Socket.Blocking, SocketFlags.OutOfBand, SocketFlags.DontRoute
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_send(struct soq_socket *s, const void *buffer, size_t size_bytes,
					uint32_t flags);

/**
 * Starts a send of several segments as one; otherwise as soq_send_async(). Empty
 * segments are allowed.
 *
 * Errors: -EINVAL  also for no segments, more than SOQ_SEGMENTS_MAX, a segment
 *                  that is NULL with a size, or a sum above SSIZE_MAX
 * Owner:  the array and the segments are the library's until the final event.
 * Thread: the loop's.
 * .NET:   Socket.SendAsync(IList<ArraySegment<byte>>)
 */
SOQ_API SOQ_MUST_CHECK int soq_sendv_async(struct soq_socket *s, struct soq_op *op,
					   const struct iovec *segments, unsigned segment_count,
					   uint32_t flags);

/**
 * Sends several segments as one and waits; otherwise as soq_send().
 *
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Send(IList<ArraySegment<byte>>)
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_sendv(struct soq_socket *s, const struct iovec *segments,
					 unsigned segment_count, uint32_t flags);

/**
 * Starts a receive. Receives complete in start order, each with the bytes that
 * are there: at least 1, at most `size_bytes`; with SOQ_EXACT all of them.
 *
 * Result: 0; the event's result is a count, or 0 at the end of stream: the peer
 *         has shut its send side, and everything before it was received. A reset
 *         is never an end of stream. An exact receive that meets the end, a
 *         reset, a cancel or its deadline after some bytes has their count (with
 *         the flag); the next receive has the end or the error.
 *         On a socket of messages: one message, and SOQ_F_TRUNCATED if it was longer.
 * Errors: those of every starting call; flags: SOQ_PEEK; on streams also SOQ_URGENT, or
 *         SOQ_EXACT alone
 *         -EINVAL    no bytes, more than SSIZE_MAX, or NULL
 *         -ENOTCONN  no connect was started, or the socket listens
 *         as results: -ECONNRESET, -ECANCELED, -ETIMEDOUT and the others of recv(2)
 * Owner:  `buffer` is the library's until the final event.
 * Thread: the loop's.
 * Kernel: IORING_OP_RECV, IORING_OP_RECVMSG. Fallback: recvmsg(2).
 * .NET:   Socket.ReceiveAsync, SocketFlags.OutOfBand, SocketFlags.Peek,
 *         NetworkStream.ReadExactlyAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_recv_async(struct soq_socket *s, struct soq_op *op, void *buffer,
					  size_t size_bytes, uint32_t flags);

/**
 * Receives and waits.
 *
 * Result: bytes received; 0 at the end of stream.
 * Errors: what soq_recv_async() returns, or its event's result; -EBUSY when a
 *         multishot receive is in flight, or what comes first waits for a buf that
 *         only the caller can return (soq/pool.h); -ETIMEDOUT when
 *         the socket's receive timeout passed and nothing had come, with SOQ_NOWAIT
 *         -EAGAIN when nothing is there now; -EMSGSIZE when
 *         a message was longer than `size_bytes`: the memory holds its beginning,
 *         the rest is lost (soq_recv_msg() gives the count)
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Receive, Socket.Blocking, SocketFlags.OutOfBand, SocketFlags.Peek
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_recv(struct soq_socket *s, void *buffer, size_t size_bytes,
					uint32_t flags);

/**
 * Starts a receive into several segments, filled one after another; otherwise as
 * soq_recv_async().
 *
 * Errors: -EINVAL  also for no segments, more than SOQ_SEGMENTS_MAX, a segment
 *                  that is NULL with a size, or a sum of 0 or above SSIZE_MAX
 * Owner:  the array and the segments are the library's until the final event.
 * Thread: the loop's.
 * .NET:   Socket.ReceiveAsync(IList<ArraySegment<byte>>)
 */
SOQ_API SOQ_MUST_CHECK int soq_recvv_async(struct soq_socket *s, struct soq_op *op,
					   const struct iovec *segments, unsigned segment_count,
					   uint32_t flags);

/**
 * Receives into several segments and waits; otherwise as soq_recv().
 *
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Receive(IList<ArraySegment<byte>>)
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_recvv(struct soq_socket *s, const struct iovec *segments,
					 unsigned segment_count, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
