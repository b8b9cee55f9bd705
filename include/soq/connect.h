/* SPDX-License-Identifier: MIT */
/* Connecting: to one address, with the first data, to the first of many; and disconnecting. */
#ifndef SOQ_CONNECT_H
#define SOQ_CONNECT_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/op.h>
#include <soq/option.h>

#ifdef __cplusplus
extern "C" {
#endif

struct soq_policy;

/**
 * Starts connecting. What is started behind it on either lane waits for it, and
 * fails with its error if it fails. After a failed connect another may be tried;
 * after one that was cancelled or ran into its deadline only closing is left.
 *
 * On SOCK_DGRAM and SOCK_RAW it fixes the peer, and may be done again for another;
 * receives do not wait for it. A unix listener whose queue is full is tried again
 * by timer until it has room: the kernel tells no one when that is.
 *
 * Result: 0; the event's result is 0.
 * Errors: those of every starting call
 *         -EINVAL        "none", or the socket listens
 *         -EAFNOSUPPORT  an address of another family than the socket
 *         -EISCONN       it is connected, and connection-oriented
 *         -EALREADY      a connect is in flight, or an earlier one was cut short
 *         as results: -ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT and the others of
 *         connect(2); -EACCES also when a policy refuses it; -ECANCELED
 * Owner:  `ep` is the library's until the final event.
 * Thread: the loop's.
 * Kernel: IORING_OP_CONNECT; unix sockets connect(2), nonblocking.
 * Fallback: connect(2), nonblocking.
 * .NET:   Socket.ConnectAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_connect_async(struct soq_socket *s, struct soq_op *op,
					     const struct soq_endpoint *ep);

/**
 * Connects and waits.
 *
 * Result: 0.
 * Errors: what soq_connect_async() returns, or its event's result; -ETIMEDOUT
 *         also when the socket's send timeout passed
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Connect
 */
SOQ_API SOQ_MUST_CHECK int soq_connect(struct soq_socket *s, const struct soq_endpoint *ep);

/**
 * Starts connecting, and sends the first data: one op, whose send takes its place as soon
 * as the connection is there, before whatever is started behind it. If the connect fails
 * no byte has left. 0 bytes send nothing.
 *
 * With SOQ_FAST_OPEN the data, or some of it, goes with the first packet where the kernel
 * has a cookie of the peer's (TCP Fast Open, net.ipv4.tcp_fastopen): a round trip is
 * saved. Where it has none, may not, or the socket is not TCP, that is a connect and a
 * send as ever, unseen. What left with a first packet that was not answered, or refused,
 * counts as not sent, though a peer that reset the connection may have seen it; a packet
 * that came twice is delivered twice: only for requests that may be repeated. The
 * listener's side is SOQ_OPTION_FAST_OPEN_QUEUE.
 *
 * Ended early before the connection is there, only closing is left, as after
 * soq_connect_async(); after that it is a send that ends early, and the connection stays
 * (soq_socket_info() tells which).
 *
 * Result: 0; the event's result is `size_bytes`, or less with SOQ_F_CANCELED,
 *         SOQ_F_TIMED_OUT or SOQ_F_BROKEN.
 * Errors: those of every starting call; flags: SOQ_FAST_OPEN
 *         -EINVAL      more than SSIZE_MAX bytes, or NULL with a size
 *         -EOPNOTSUPP  the socket is no stream
 *         else those of soq_connect_async(); as results also those of soq_send_async()
 * Owner:  `ep` and `buffer` are the library's until the final event.
 * Thread: the loop's.
 * Kernel: IORING_OP_CONNECT, IORING_OP_SEND; with SOQ_FAST_OPEN sendto(2) with
 *         MSG_FASTOPEN, and IORING_OP_POLL_ADD.
 * Fallback: connect(2), send(2); with SOQ_FAST_OPEN sendto(2) with MSG_FASTOPEN.
 * .NET:   Socket.ConnectAsync(SocketAsyncEventArgs)
 */
SOQ_API SOQ_MUST_CHECK int soq_connect_data_async(struct soq_socket *s, struct soq_op *op,
						  const struct soq_endpoint *ep, const void *buffer,
						  size_t size_bytes, uint32_t flags);

/**
 * Connects, sends the first data and waits for both, in the socket's send timeout.
 *
 * Result: `size_bytes`, or less if it ended early after some were sent: the next call on
 *         the send lane returns why.
 * Errors: what soq_connect_data_async() returns, or its event's result; -ETIMEDOUT also
 *         when the socket's send timeout passed before a byte was sent
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.ConnectAsync(SocketAsyncEventArgs)
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_connect_data(struct soq_socket *s, const struct soq_endpoint *ep,
						const void *buffer, size_t size_bytes,
						uint32_t flags);

/**
 * Starts a disconnect. Of a connection it takes its place behind the sends already
 * started, shuts both sides, and sends started after it are -EPIPE; receives in flight end
 * as after a shutdown. Then only closing is left: a connect is -EISCONN.
 *
 * With SOQ_REUSE the socket is fresh again when the op ends: not bound, and it can connect
 * or listen. It has a new descriptor, with the options of the old one: all that
 * soq_socket_set_option() and soq_socket_set_option_text() can set. The user word, the
 * timeouts and the linger time stay. Not carried over: options set by number that have
 * no name, SOQ_OPTION_QUICK_ACK, SOQ_OPTION_MAX_SEGMENT_BYTES and SOQ_OPTION_INCOMING_CPU
 * (the kernel tells the connection's), and before Linux 5.14 buffer sizes (it does not
 * tell who chose them). The old descriptor closes without lingering; with received bytes
 * that were never read the peer gets a reset. It waits for the receives in flight to end
 * (those into bufs: until they have had a buf); polls end with -ECANCELED. From its turn on
 * other calls than the ways to close are -EBUSY. A connection that had broken is no
 * error.
 *
 * On SOCK_DGRAM and SOCK_RAW it takes its place in the send lane and dissolves the peer;
 * receives go on, and the port stays. `flags` do not matter.
 *
 * Result: 0; the event's result is 0.
 * Errors: those of every starting call; flags: SOQ_REUSE
 *         -ENOTCONN  no connect was started
 *         as results: -ECANCELED (also behind a send that ended short) and -ETIMEDOUT,
 *         after which the socket is as after a shutdown; what a failed connect before it
 *         said; of SOQ_REUSE also -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS and -EPERM (an option
 *         that this process may no longer set): disconnected, and it may be tried again; of
 *         datagrams -EADDRINUSE: in that moment another has taken the port
 * Thread: the loop's.
 * Kernel: shutdown(2), socket(2); connect(2) with AF_UNSPEC. Fallback: the same.
 * .NET:   Socket.DisconnectAsync, SocketAsyncEventArgs.DisconnectReuseSocket
 */
SOQ_API SOQ_MUST_CHECK int soq_disconnect_async(struct soq_socket *s, struct soq_op *op,
						uint32_t flags);

/**
 * Disconnects and waits until the sends before it are out.
 *
 * Result: 0.
 * Errors: what soq_disconnect_async() returns, or its event's result; -ETIMEDOUT when the
 *         socket's send timeout passed
 *         -EBUSY  SOQ_REUSE, and another thread is inside a call of a detached socket:
 *                 soq_shutdown() wakes it
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Disconnect
 */
SOQ_API SOQ_MUST_CHECK int soq_disconnect(struct soq_socket *s, uint32_t flags);

/**
 * Addresses to try, in order, and what the sockets for it shall be. Begin with
 * `= { .size = sizeof(struct soq_connect_list) }`.
 */
struct soq_connect_list {
	uint32_t size; /* set by the caller: sizeof(struct soq_connect_list) */
	int32_t type;  /* SOCK_*; the family is each address's */
	int32_t protocol;
	uint32_t endpoint_count;
	const struct soq_endpoint *endpoints;
	int32_t *errors; /* NULL, or one for each: its -errno; 0 if it connected or was not tried */
	const struct soq_option_raw *options; /* set on every socket before it connects, in order */
	uint32_t option_count;
	uint32_t reserved0;
	/* NULL, or the name that has these addresses: rules of a policy may be about it. */
	const char *name;
	struct soq_policy *policy; /* with no loop: the sockets'; with one NULL, it has its own */
	uint64_t reserved[2];
};

/**
 * Starts connecting to the first of a list of addresses that takes it, one after
 * another, each on a socket of its own: those of failed attempts are closed, and nobody
 * sees them. An address fails too when its socket cannot be opened or refuses an option.
 *
 * The op's deadline and a cancel end all of it. What bounds a single attempt is an
 * option: TCP_SYNCNT.
 *
 * Result: 0; the event's result is 0 and its `socket` is the connection, the caller's
 *         from then on, on this loop.
 * Errors: those of every starting call
 *         -EINVAL  no addresses, flags in `type`, a NULL array with a count, a policy, or
 *                  `list->size` is none this library knows
 *         as results: what the last address said, if all have failed; -ECANCELED,
 *         -ETIMEDOUT
 * Owner:  `list` and its arrays are the library's until the final event.
 * Thread: the loop's.
 * Kernel: as soq_connect_async(). Fallback: likewise.
 * .NET:   Socket.ConnectAsync(IPAddress[], int),
 *         Socket.ConnectAsync(SocketType, ProtocolType, SocketAsyncEventArgs)
 */
SOQ_API SOQ_MUST_CHECK int soq_connect_list_async(struct soq_loop *loop, struct soq_op *op,
						  const struct soq_connect_list *list);

/**
 * Connects to the first of a list of addresses that takes it, and waits: at most
 * `timeout_ns` for all of them together (negative: for ever). With NULL for the loop the
 * sockets are detached.
 *
 * Result: 0 and `*s_out`; on failure `*s_out` is untouched.
 * Errors: -EINVAL  `s_out` is NULL, or as soq_connect_list_async()
 *         -ETIMEDOUT  the time passed first
 *         else what the last address said; -ECHILD, -EXDEV as for every call
 * Owner:  close it with one of the calls of soq/socket.h.
 * Thread: the loop's; any, with no loop.
 * .NET:   Socket.Connect(IPAddress[], int)
 */
SOQ_API SOQ_MUST_CHECK int soq_connect_list(struct soq_loop *loop,
					    const struct soq_connect_list *list, int64_t timeout_ns,
					    struct soq_socket **s_out);

#ifdef __cplusplus
}
#endif

#endif
