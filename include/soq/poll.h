/* SPDX-License-Identifier: MIT */
/* Readiness: waiting for what a socket could do, without doing it. */
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
 * Result: 0; the event's result is the SOQ_POLL_* that are there, of `events` or of
 *         the two that are told unasked.
 * Errors: those of every starting call; flags: SOQ_MULTISHOT
 *         -EINVAL  no events, or unknown ones
 *         -ENOMEM  no memory (the first poll of a socket takes some)
 *         as results: -ECANCELED, -ETIMEDOUT
 * Thread: the loop's.
 * Kernel: IORING_OP_POLL_ADD, one for all polls of a socket. Fallback: poll(2), asked
 *         again at each edge.
 * .NET:   Socket.Poll; a receive of no bytes in ReceiveAsync
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
 * .NET:   Socket.Poll
 */
SOQ_API SOQ_MUST_CHECK int soq_poll(struct soq_socket *s, uint32_t events, int64_t timeout_ns);

#ifdef __cplusplus
}
#endif

#endif
