/* SPDX-License-Identifier: MIT */
/* Relaying: what arrives on one socket leaves by another. */
#ifndef SOQ_RELAY_H
#define SOQ_RELAY_H

#include <soq/base.h>
#include <soq/op.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts to move all that arrives on `from` to `to`, until the end of the stream, which
 * is passed on: then the send side of `to` is shut. The program does not see the bytes.
 * A proxy is two of these; one with `from` and `to` the same is an echo.
 *
 * It has its place in two lanes: behind the receives started on `from` before, and behind
 * the sends started on `to`. What is started there later waits until it ends: receives on
 * `from` go on with what was not moved, sends on `to` end with -EPIPE after the end of
 * stream, and with -ECANCELED after a relay that ended short.
 *
 * It takes nothing it cannot send: while `to` has no room, what arrives stays in `from`,
 * and its peer finds out. Nothing is held in between, so a relay that is cut short loses
 * no byte: `to` was given exactly the bytes reported, and the next receive on `from` begins
 * with the one behind them. All relays of a loop share the 128 KiB of soq/file.h; each has
 * one op's memory of its own.
 *
 * While it waits for bytes it looks at `from` alone: a connection of `to` that breaks then
 * shows at the next bytes, or to who receives on `to`, as the relay back does.
 *
 * Result: 0; the event's result is the count of bytes moved, when the stream has ended. If
 *         it did not get there and bytes were moved, it is their count with SOQ_F_CANCELED
 *         (also by a close of either socket), SOQ_F_TIMED_OUT or SOQ_F_BROKEN; the error
 *         comes with the next receive on `from`, or the next send on `to`. Whenever it was
 *         `to` that ended it, with bytes or without, SOQ_F_TO is set beside it. A close of
 *         `to` in the middle resets its peer.
 * Errors: those of every starting call, for both sockets; no flags
 *         -EINVAL      also for a `to` that is NULL or detached
 *         -EBADF       also for a `to` that is closed
 *         -EXDEV       also for sockets of two loops
 *         -EOPNOTSUPP  one of them is no stream
 *         -ENOTCONN    for one of them no connect was started, or it listens
 *         -EPIPE       a shutdown of the send side of `to` was started before
 *         -ENOMEM      no memory for its op, or the loop's first
 *         as results: those of soq_recv_async() on `from`, and of soq_send_async() on `to`
 * Owner:  both sockets may be closed at any time: it ends.
 * Thread: the loop's.
 * Kernel: recv(2) and send(2), and IORING_OP_POLL_ADD while there is nothing or no room.
 * Fallback: the same, and the edge of epoll.
 * .NET:   Stream.CopyToAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_relay_async(struct soq_socket *from, struct soq_op *op,
					   struct soq_socket *to, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
