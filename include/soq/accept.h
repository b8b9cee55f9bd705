/* SPDX-License-Identifier: MIT */
/* Accepting connections: as new sockets, with their first bytes, into a socket that is there. */
#ifndef SOQ_ACCEPT_H
#define SOQ_ACCEPT_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts accepting: one connection, or with SOQ_MULTISHOT every one until the op
 * is cancelled or the socket closed. Several accepts complete in start order.
 *
 * When descriptors or memory have run out the op does not end: the loop tries
 * again after a while and whenever it closes a socket, and counts it.
 *
 * Result: 0; the event's result is 0 and its `socket` is the connection, the
 *         caller's from then on, on the same loop.
 * Errors: those of every starting call; flags: SOQ_MULTISHOT
 *         -EINVAL  the socket does not listen
 *         as results: -ECANCELED, -ETIMEDOUT, -ENOMEM (the connection was
 *         aborted), else what accept4(2) says
 * Thread: the loop's.
 * Kernel: IORING_OP_ACCEPT. Fallback: accept4(2).
 * .NET:   Socket.AcceptAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_accept_async(struct soq_socket *s, struct soq_op *op,
					    uint32_t flags);

/**
 * Accepts one connection and waits for it.
 *
 * Result: 0, `*accepted_out` and, unless it is NULL, `*peer_out`.
 * Errors: -EINVAL     `s` or `accepted_out` is NULL, or the socket does not listen
 *         -EBUSY      a multishot accept is armed: it takes them all
 *         -ETIMEDOUT  the socket's receive timeout passed
 *         -ECANCELED  another thread has shut a detached listener
 *         -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM  none left, and the socket has no
 *                     timeout; with one the call tries again until then
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Accept
 */
SOQ_API SOQ_MUST_CHECK int soq_accept(struct soq_socket *s, struct soq_socket **accepted_out,
				      struct soq_endpoint *peer_out);

/**
 * Starts accepting one connection with its first bytes. Once a connection is there the op
 * waits for its bytes beside the listener, which goes on: a client that says nothing
 * holds up no other accept. So these ops may complete in another order than they
 * were started, each with the connection that came in its turn.
 *
 * A connection whose op ends early (cancelled, past its deadline, the listener closed)
 * is aborted. Without a deadline a client that says nothing keeps the op in flight.
 *
 * Result: 0; the event's `socket` is the connection and its result the count of bytes in
 *         `buffer`: at least 1, or 0 if the peer has ended without any.
 * Errors: those of every starting call
 *         -EINVAL      no bytes, more than SSIZE_MAX, NULL, or the socket does not listen
 *         -EOPNOTSUPP  it is no stream
 *         as results: those of soq_accept_async(), and -ECONNRESET if the peer has reset
 *         the connection before its first byte; there is no socket then
 * Owner:  `buffer` is the library's until the final event.
 * Thread: the loop's.
 * Kernel: IORING_OP_ACCEPT, IORING_OP_RECV. Fallback: accept4(2), recv(2).
 * .NET:   Socket.BeginAccept(int), Socket.EndAccept(out byte[], IAsyncResult)
 */
SOQ_API SOQ_MUST_CHECK int soq_accept_data_async(struct soq_socket *s, struct soq_op *op,
						 void *buffer, size_t size_bytes);

/**
 * Accepts one connection and waits for its first bytes: both in the socket's receive
 * timeout.
 *
 * Result: the count of bytes, or 0 if the peer has ended without any; `*accepted_out`
 *         and, unless it is NULL, `*peer_out`. On failure they are untouched.
 * Errors: -EINVAL      no bytes, more than SSIZE_MAX, NULL, or the socket does not listen
 *         -EOPNOTSUPP  it is no stream
 *         -ECONNRESET  the peer has reset the connection before its first byte
 *         else those of soq_accept()
 * Thread: the loop's; any, on a detached socket: shutting a detached listener wakes who
 *         waits for a connection, not who waits for the bytes of one.
 * .NET:   Socket.BeginAccept(int), Socket.EndAccept(out byte[], IAsyncResult)
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_accept_data(struct soq_socket *s, void *buffer,
					       size_t size_bytes, struct soq_socket **accepted_out,
					       struct soq_endpoint *peer_out);

/**
 * Starts accepting one connection into `target`, a fresh socket: with the event its handle
 * is the connection's. What it was opened with is closed; its options are those of any
 * accepted connection, but the user word, the timeouts and the linger time stay. If the
 * accept fails the target is as it was.
 *
 * Until the event is taken the target is busy: calls on it are -EBUSY. Only the ways to
 * close work: they end the accept with -ECANCELED.
 *
 * Result: 0; the event's result is 0 and its `socket` is `target`.
 * Errors: those of every starting call
 *         -EINVAL   `target` is NULL, or of another family, type or protocol; or the
 *                   socket does not listen
 *         -EXDEV    `target` is on another loop, or on none
 *         -EBADF    `target` is closed
 *         -EBUSY    `target` has ops in flight, or is another accept's
 *         -EISCONN  `target` is bound, listens, or has or had a connection
 *         as results: those of soq_accept_async()
 * Owner:  `target` is the library's until the final event, but for closing it.
 * Thread: the loop's.
 * Kernel: IORING_OP_ACCEPT. Fallback: accept4(2).
 * .NET:   Socket.AcceptAsync(Socket), SocketAsyncEventArgs.AcceptSocket
 */
SOQ_API SOQ_MUST_CHECK int soq_accept_into_async(struct soq_socket *s, struct soq_op *op,
						 struct soq_socket *target);

/**
 * Accepts one connection into `target` and waits for it; as soq_accept_into_async().
 *
 * Result: 0 and, unless it is NULL, `*peer_out`.
 * Errors: those of soq_accept() and soq_accept_into_async(); of detached sockets, which
 *         have to be detached both: -EBUSY  another thread is inside a call of `target`, or
 *         has used it meanwhile: the connection was aborted
 * Thread: the loop's; any, on detached sockets.
 * .NET:   Socket.AcceptAsync(Socket)
 */
SOQ_API SOQ_MUST_CHECK int soq_accept_into(struct soq_socket *s, struct soq_socket *target,
					   struct soq_endpoint *peer_out);

#ifdef __cplusplus
}
#endif

#endif
