/* SPDX-License-Identifier: MIT */
/* For who builds on soq: ops of one's own, and ops that nobody but their maker sees. */
#ifndef SOQ_HELPER_H
#define SOQ_HELPER_H

#include <soq/base.h>
#include <soq/loop.h>
#include <soq/op.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A helper is a part built on soq, such as connecting by name, a protocol or TLS. Its
 * asynchronous calls take the program's op, as those of soq do, and make several ops of
 * their own of it.
 *
 * The program's op it begins and finishes itself: from soq_op_begin() to soq_op_finish() it
 * is in flight as any op is. soq_cancel() works on it, its deadline comes, soq_wait(),
 * soq_loop_harvest() and done() take its event, and it counts in the loop's statistics.
 *
 * The ops of its own are inner ops. Their events go to a step of the helper's, in whatever
 * call turns the loop: soq_loop_run(), soq_wait(), soq_loop_harvest(), or a synchronous
 * call on any socket of the loop. So the helper goes on whichever of them a program uses,
 * and the program never sees them.
 *
 * .NET has no such part of Socket: TaskCompletionSource and continuations do this there.
 */

/**
 * Asks a helper to end an op of its own: by soq_cancel() (`cause` -ECANCELED), by its
 * deadline (-ETIMEDOUT), by soq_loop_close_all() (-ECANCELED), or because the backend has
 * died (its error). Once for each op, on the loop's thread, never before soq_op_begin()
 * has returned and never after soq_op_finish().
 *
 * It leads to soq_op_finish(), in this call or, when inner ops have to end first, later:
 * cancel them and finish in the step of the last one. It may cancel ops and close
 * sockets; it must not wait.
 */
typedef void soq_cancel_fn(struct soq_op *op, int cause, void *arg);

/**
 * Begins an op of a helper's own. Its checks are those of every starting call, so the
 * helper needs none for the loop and the op.
 *
 * Result: 0, the op is in flight until soq_op_finish(); `op->deadline_ns` is armed.
 * Errors: -EINVAL  a NULL argument; only `arg` may be NULL
 *         -ECHILD, -EXDEV, -EBUSY  as for every starting call
 * Owner:  `op` is the library's until its event; `arg` stays the helper's.
 * Thread: the loop's.
 * Kernel: none. Fallback: the same.
 */
SOQ_API SOQ_MUST_CHECK int soq_op_begin(struct soq_loop *loop, struct soq_op *op,
					soq_cancel_fn *cancel, void *arg);

/**
 * Makes the final event of an op that soq_op_begin() began: `result`, `flags` (SOQ_F_*
 * but SOQ_F_MORE) and, if `socket` is not NULL, that socket as one that has arrived. It
 * never calls back. After a cancel or a deadline a result of -ECANCELED becomes what
 * the op is told then, -ETIMEDOUT for the deadline; every other result stands.
 *
 * A socket handed over is the loop's until the event is taken: soq_loop_close_all() closes
 * it, and then the result is -ECANCELED.
 *
 * Result: 0; the op is no longer the helper's.
 * Errors: -ENOENT  `op` is not in flight, or it has ended
 *         -EINVAL  `op` is NULL, or none that soq_op_begin() began; SOQ_F_MORE, or a flag that
 *                  is none; a detached `socket`
 *         -EXDEV   `socket` is another loop's
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Thread: the loop's.
 * Kernel: none. Fallback: the same.
 */
SOQ_API int soq_op_finish(struct soq_op *op, int64_t result, uint32_t flags,
			  struct soq_socket *socket);

/**
 * Makes an op an inner one for all its starts from now on, or, with a NULL `step`, an
 * ordinary one without `done`. Its `done` is the library's then, its `user` is the
 * caller's; soq_wait() says -EINVAL for it.
 *
 * `step` gets each of its events, on the loop's thread and a flat stack. It may do what
 * done() may: start this op again or free it at its final event, start and cancel others,
 * close sockets, begin and finish ops. Synchronous calls hold up the call that turns the
 * loop. soq_loop_run() and soq_loop_harvest() are -EBUSY in it.
 *
 * Result: 0.
 * Errors: -EINVAL  `op` is NULL
 *         -EBUSY   it is in flight
 * Thread: any, while the op is not in flight.
 * Kernel: none. Fallback: the same.
 */
SOQ_API int soq_op_inner(struct soq_op *op, soq_done_fn *step);

#ifdef __cplusplus
}
#endif

#endif
