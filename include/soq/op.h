/* SPDX-License-Identifier: MIT */
/*
 * Operations and events: the contract every asynchronous call keeps, and the
 * calls that work on any operation. The other headers say only how they differ.
 */
#ifndef SOQ_OP_H
#define SOQ_OP_H

#include <soq/base.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an event can say beside its result. */
#define SOQ_F_MORE      (1u << 0) /* not the final event of this op: more follow */
#define SOQ_F_CANCELED  (1u << 1) /* a short result: the op was cancelled or the socket closed */
#define SOQ_F_TIMED_OUT (1u << 2) /* a short result: the op's deadline came */
#define SOQ_F_BROKEN    (1u << 3) /* a short result: the connection broke; the error comes next */
#define SOQ_F_TRUNCATED (1u << 4) /* the message was longer than the memory: its rest is lost */
#define SOQ_F_COPIED    (1u << 5) /* of a zero-copy send: the bytes were copied after all */
#define SOQ_F_TO        (1u << 6) /* of a relay: the socket it sends on has ended it */
#define SOQ_F_REFUSED   (1u << 7) /* the message had descriptors that were not taken */

/**
 * One completion, by value.
 *
 * `result` is a count of bytes, or 0, or -errno; each call says which. The
 * event carries what arrived with it: the caller owns it from here on.
 *
 * .NET:   SocketAsyncEventArgs.BytesTransferred, SocketAsyncEventArgs.SocketError,
 *         SocketAsyncEventArgs.SocketFlags, SocketAsyncEventArgs.AcceptSocket,
 *         SocketAsyncEventArgs.ConnectSocket
 */
struct soq_event {
	struct soq_op *op;
	int64_t result;
	uint32_t flags; /* SOQ_F_* */
	uint32_t reserved0;
	struct soq_buf *buf;       /* the lent buf, or NULL */
	struct soq_socket *socket; /* the accepted socket, or NULL */
	uint64_t reserved[2];
};

/**
 * Tells the caller of one event. Runs inside soq_loop_run() alone, on the
 * loop's thread, on a flat stack, never inside a starting or synchronous call.
 *
 * It may start ops (this one too, at its final event), free the op at its final
 * event, cancel others, close sockets, make synchronous calls and stop the loop.
 * Running or destroying the loop in it is -EBUSY.
 *
 * .NET:   SocketAsyncEventArgs.Completed, SocketAsyncEventArgs.OnCompleted
 */
typedef void soq_done_fn(const struct soq_event *event);

/**
 * One asynchronous operation, in memory the caller owns. Begin with `= {0}`.
 *
 * A call that starts an op returns -errno and starts nothing, or 0 and the op
 * gets exactly one final event: the one without SOQ_F_MORE. From the 0 until
 * that event the op, its memory and its addresses belong to the library: do not
 * move, free, change or start them again. In the event and after it they are the
 * caller's. Built with AddressSanitizer, or run under valgrind, the library
 * reports memory that is touched or freed in between.
 *
 * Most ops have one event. A multishot op and a zero-copy send have events with
 * SOQ_F_MORE before the final one.
 *
 * An op has one consumer. With `done` set, soq_loop_run() delivers its events.
 * With `done` NULL, soq_wait(), soq_wait_any() or soq_loop_harvest() takes them.
 *
 * Results: a cancelled op, or one whose socket was closed, ends with -ECANCELED,
 * one whose deadline came with -ETIMEDOUT. If bytes had moved before, the result
 * is their count and a flag says why it is short. -EINTR and -EAGAIN are never
 * seen. `errno` is no channel: what a call leaves in it means nothing.
 *
 * Errors of every starting call, in the order they are checked:
 *   -EINVAL  NULL where an object is needed
 *   -ECHILD  the loop was made before a fork() that made this process
 *   -EXDEV   the loop belongs to another thread
 *   -EBADF   the socket is closed
 *   -EINVAL  the socket is detached: only synchronous calls work on it
 *   -EBUSY   the op is in flight
 *   -EINVAL  unknown flags, a bad length, or an argument that makes no sense
 *   and the errors of the socket's state, at each call.
 *
 * .NET:   SocketAsyncEventArgs, SocketAsyncEventArgs.UserToken, Task
 */
struct soq_op {
	/* Set by the caller before a start; not changed while the op is in flight. */
	soq_done_fn *done;
	void *user;

	/*
	 * CLOCK_MONOTONIC time in ns at which the op is cancelled by the loop itself,
	 * 0 for never. Cleared at the final event. done() may move it while more
	 * events follow, so an idle timeout costs nothing.
	 */
	int64_t deadline_ns;

	/* The library's. Zero it once, then leave it alone. What most ops need comes first. */
	struct {
		struct soq_loop *loop;
		struct soq_socket *socket;
		struct soq_op *next;
		struct soq_op *prev;
		struct soq_op *ready_next;
		struct soq_op *ready_prev;
		const void *data;
		void *address;
		uint64_t length;
		int64_t result;
		uint64_t moved;
		uint32_t events;
		int32_t cause;
		uint32_t flags;
		uint8_t event_flags;
		uint8_t timed;
		uint8_t kind;
		uint8_t state;
		union {
			struct soq_socket *carried_first;
			struct soq_buf *buf_first;
		};
		union {
			struct soq_socket *carried_last;
			struct soq_buf *buf_last;
		};
		int64_t timer_ns;
		uint64_t segment_offset;
		uint32_t segment;
		uint32_t holds;
		uint32_t hold;
		uint32_t segment_count;
		struct soq_message *message;
		struct soq_op *timer_child;
		struct soq_op *timer_next;
		struct soq_op *timer_prev;
		union {
			struct msghdr header;
			uint64_t part[7];
		};
		struct iovec whole;
		soq_done_fn *step;                                       /* see <soq/helper.h> */
		void (*cancel)(struct soq_op *op, int cause, void *arg); /* likewise */
		uint64_t reserved[1];
	} priv;
};

/**
 * Asks for an op to end early. The op still gets its final event, with
 * -ECANCELED or with the result it reached first; only the event tells which.
 * What was already taken from the socket is still delivered before it.
 *
 * Result: 0, the request is noted.
 * Errors: -EINVAL    `op` is NULL
 *         -ENOENT    `op` is not in flight, or it has ended and its final event waits
 *         -EALREADY  it is already ending: cancelled, past its deadline, a close, or a
 *                    zero-copy send whose bytes are handed over
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 * Kernel: IORING_OP_ASYNC_CANCEL, only for what the kernel already has.
 * Fallback: no difference that shows.
 * .NET:   CancellationToken, Socket.CancelConnectAsync
 */
SOQ_API int soq_cancel(struct soq_op *op);

/**
 * Waits for one event of an op whose `done` is NULL, and takes it. Other ops make
 * progress meanwhile, but no done() runs.
 *
 * Result: 0, and `*event_out` is filled; SOQ_F_MORE in it says that more follow.
 * Errors: -ETIME   the time passed and the op is still in flight
 *         -ENOENT  the op is not in flight: there is nothing to wait for
 *         -EINVAL  a NULL argument, or `op->done` is set
 *         -ECHILD, -EXDEV  as for every call
 * `timeout_ns`: negative waits for ever, 0 does not wait. It is not the op's
 * deadline: the op goes on after -ETIME.
 * Thread: the loop's.
 * .NET:   Task.Wait
 */
SOQ_API SOQ_MUST_CHECK int soq_wait(struct soq_op *op, int64_t timeout_ns,
				    struct soq_event *event_out);

/**
 * Waits for one event of any of `op_count` ops of one loop, as soq_wait() does
 * for one. When several have events, the first in the array is taken. Entries
 * that are not in flight are passed over.
 *
 * Result: 0, and `*event_out` is filled; `event_out->op` says whose it is.
 * Errors: -ETIME   the time passed; all are still in flight
 *         -ENOENT  none of the ops is in flight
 *         -EINVAL  a NULL argument, no ops, or an op with `done` set
 *         -EXDEV   the ops belong to different loops, or to another thread's
 *         -ECHILD  as for every call
 * Thread: the loop's.
 * .NET:   Task.WaitAny
 */
SOQ_API SOQ_MUST_CHECK int soq_wait_any(struct soq_op *const *ops, unsigned op_count,
					int64_t timeout_ns, struct soq_event *event_out);

/**
 * Starts an op that ends after `duration_ns`; at once, in the next turn, when
 * that is 0 or less. Its own `deadline_ns` ends it with -ETIMEDOUT if that is
 * earlier.
 *
 * Result: 0; the event's result is 0.
 * Errors: those of every starting call.
 * Thread: the loop's.
 * .NET:   Task.Delay
 */
SOQ_API SOQ_MUST_CHECK int soq_sleep_async(struct soq_loop *loop, struct soq_op *op,
					   int64_t duration_ns);

/**
 * Sleeps for `duration_ns` while the loop's ops make progress; no done() runs.
 *
 * Result: 0.
 * Errors: -EINVAL, -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 */
SOQ_API int soq_sleep(struct soq_loop *loop, int64_t duration_ns);

#ifdef __cplusplus
}
#endif

#endif
