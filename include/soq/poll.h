/* SPDX-License-Identifier: MIT */
/* Readiness: what a socket could do, what it has, and what it met, without doing it. */
#ifndef SOQ_POLL_H
#define SOQ_POLL_H

#include <soq/base.h>
#include <soq/op.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What to wait for, and what there is. The last two are told unasked. */
#define SOQ_POLL_RECV     (1u << 0) /* a receive or an accept would not wait (POLLIN) */
#define SOQ_POLL_SEND     (1u << 1) /* a send would not wait (POLLOUT) */
#define SOQ_POLL_URGENT   (1u << 2) /* out-of-band data, or another exception (POLLPRI) */
#define SOQ_POLL_PEER_END (1u << 3) /* the peer has ended its sending (POLLRDHUP) */
#define SOQ_POLL_ERROR    (1u << 4) /* an error waits (POLLERR) */
#define SOQ_POLL_HANGUP   (1u << 5) /* both directions have ended (POLLHUP) */

/**
 * Starts waiting until one of `events` is there. Polls are in no lane: they take
 * nothing, wait behind nothing, and any number of them may wait at once.
 *
 * With SOQ_MULTISHOT the op stays armed and tells again and again, by level: as
 * long as something is there, the next event comes in the turn after the last one
 * was taken. So read until -EAGAIN is not needed, and no events pile up.
 *
 * This is what a receive of no bytes does in .NET; here such a receive is refused.
 *
 * Result: 0; the event's result is the SOQ_POLL_* that are there, of `events` or of
 *         the two that are told unasked.
 * Errors: those of every starting call; flags: SOQ_MULTISHOT
 *         -EINVAL  no events, or unknown ones
 *         -ENOMEM  no memory (the first poll of a socket takes some)
 *         as results: -ECANCELED, -ETIMEDOUT
 * Thread: the loop's.
 * Kernel: IORING_OP_POLL_ADD, one for all polls of a socket. Fallback: poll(2), asked
 *         again at each edge.
 * .NET:   Socket.Poll, SelectMode
 */
SOQ_API SOQ_MUST_CHECK int soq_poll_async(struct soq_socket *s, struct soq_op *op, uint32_t events,
					  uint32_t flags);

/**
 * Waits until one of `events` is there, at most `timeout_ns` (negative: for ever; 0
 * looks without waiting). The socket's timeouts do not apply.
 *
 * Result: the SOQ_POLL_* that are there; 0 if the time passed first.
 * Errors: those of soq_poll_async()
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Poll, SelectMode
 */
SOQ_API SOQ_MUST_CHECK int soq_poll(struct soq_socket *s, uint32_t events, int64_t timeout_ns);

/**
 * One socket of soq_poll_any(): what to wait for, and what there was.
 */
struct soq_poll_entry {
	struct soq_socket *socket;
	uint32_t events; /* SOQ_POLL_* to wait for; 0: passed over, and `socket` may be NULL */
	uint32_t told;   /* the call's: the SOQ_POLL_* that are there, 0 for nothing */
};

/**
 * Waits until one of its `events` is there for at least one entry, at most
 * `timeout_ns` (negative: for ever; 0 looks without waiting), and tells of every entry
 * what is there. The sockets are all of one loop, whose ops make progress meanwhile
 * while no done() runs, or all detached. One may be in several entries. Their number
 * has no limit of its own; the time of a call grows with it.
 *
 * As in Socket.Select: SOQ_POLL_RECV is its first list, SOQ_POLL_SEND its second,
 * SOQ_POLL_URGENT its third; an error makes an entry told whatever it waits for.
 *
 * Result: how many entries were told something; 0 if the time passed first. On failure
 *         `told` says nothing.
 * Errors: -EINVAL  NULL, no entries, all passed over, or unknown events
 *         -EXDEV   they are of different loops, or some are detached; or as for every call
 *         -EBADF   one of the sockets is closed; the others are as they were
 *         -ENOMEM  no memory (the first poll of a socket takes some; so do, while the
 *                  call lasts, more than 64 detached ones)
 *         -ECHILD  as for every call
 * Thread: the loop's; any, when all are detached.
 * Kernel: poll(2), IORING_OP_POLL_ADD while it waits; detached: ppoll(2). Fallback:
 *         poll(2), asked again at each edge.
 * .NET:   Socket.Select
 */
SOQ_API SOQ_MUST_CHECK int soq_poll_any(struct soq_poll_entry *entries, unsigned entry_count,
					int64_t timeout_ns);

/**
 * How many bytes the next receive could have without waiting: on a stream all that
 * came, or those before the urgent data if that comes first (with SO_OOBINLINE it is
 * counted); on SOCK_DGRAM and SOCK_RAW those of the first message alone; on
 * SOCK_SEQPACKET those of all messages together. 0 does not tell "nothing there" from
 * "an end", "an error" or "a message of no bytes": soq_poll() does. What the library
 * has taken for ops already started is theirs, and not counted.
 *
 * Result: 0 and `*bytes_out`; on failure `*bytes_out` is untouched.
 * Errors: -EINVAL      NULL, or the socket listens: what it has are no bytes
 *         -EOPNOTSUPP  the family cannot tell
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what ioctl(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: FIONREAD. Fallback: the same.
 * .NET:   Socket.Available, Socket.IOControl, IOControlCode.DataToRead,
 *         NetworkStream.DataAvailable
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_available(struct soq_socket *s, uint64_t *bytes_out);

/**
 * Whether the next byte of a stream is where its urgent data is: a receive stops
 * there, so what was before is not mixed with what comes after. SOQ_POLL_URGENT says
 * that there is some ahead.
 *
 * Result: 1 at the mark, else 0.
 * Errors: -EINVAL      NULL
 *         -EOPNOTSUPP  it is no stream, or its family has no urgent data
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what ioctl(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: SIOCATMARK. Fallback: the same.
 * .NET:   Socket.IOControl, IOControlCode.OobDataRead
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_at_mark(struct soq_socket *s);

/**
 * Takes the error that waits, as SOQ_POLL_ERROR tells. An error that leaves the socket
 * usable (a datagram nobody took, a host that did not answer for a while) is told once,
 * here or by the next send or receive. One that has broken the connection stays: this
 * call goes on to tell it, and every receive and send after it does too, as if it had
 * not been asked. The error of a connect is its own result, and not told here.
 *
 * Result: 0 and `*error_out`: -errno, or 0 if nothing waits; on failure it is untouched.
 * Errors: -EINVAL  NULL
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what getsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: SO_ERROR. Fallback: the same.
 * .NET:   SocketOptionName.Error
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_take_error(struct soq_socket *s, int32_t *error_out);

#ifdef __cplusplus
}
#endif

#endif
