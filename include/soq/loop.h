/* SPDX-License-Identifier: MIT */
/* The loop: the submission/completion core that sockets and ops live on. */
#ifndef SOQ_LOOP_H
#define SOQ_LOOP_H

#include <soq/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct soq_trace_event;
struct soq_policy;

/* What executes a loop's requests. */
enum soq_backend {
	SOQ_BACKEND_AUTO = 0,  /* io_uring where the kernel has the floor, else epoll */
	SOQ_BACKEND_URING = 1, /* io_uring or nothing */
	SOQ_BACKEND_EPOLL = 2, /* epoll, without asking for io_uring at all */
};

/*
 * What an io_uring loop may use above the floor (Linux 6.1). Each has a plain
 * path; `features_off` takes it away.
 */
#define SOQ_FEATURE_RESTRICTIONS  (1u << 0) /* the ring accepts only what soq uses */
#define SOQ_FEATURE_REGISTERED_FD (1u << 1) /* the ring's descriptor is registered (5.18) */
#define SOQ_FEATURE_ABS_TIMER     (1u << 2) /* waits take an absolute time (6.12) */
#define SOQ_FEATURE_NO_IOWAIT     (1u << 3) /* idle waits are not counted as iowait (6.15) */
#define SOQ_FEATURE_DIRECT        (1u << 4) /* `direct_count`, if asked for (6.14) */
#define SOQ_FEATURE_NAPI          (1u << 5) /* `napi_ns`, if asked for (6.9; also on epoll) */
#define SOQ_FEATURE_COPY_REPORT   (1u << 6) /* zero-copy sends tell when they copied (6.2) */
#define SOQ_FEATURE_COUNT         7

/* Flags of a loop. */
#define SOQ_LOOP_NAPI_PREFER (1u << 0) /* with `napi_ns`: interrupts are held back meanwhile */

/**
 * What a loop is made of. Zero in any field means the default, so
 * `{ .size = sizeof(options) }` asks for all of them.
 *
 * With SOQ_BACKEND_AUTO two environment variables are read, unless the process
 * runs with raised privileges: `SOQ_BACKEND=uring|epoll` takes the place of
 * AUTO, `SOQ_FEATURES=-name,-name` takes features away. The names are
 * restrictions, registered-fd, abs-timer, no-iowait, direct, napi and copy-report.
 *
 * `zerocopy_bytes`: see stream.h. 1 leaves the choice to the caller of each send.
 *
 * `spin_ns`: not sleeping is where latency is won, at the price of a busy CPU. The
 * loop spins only while recent waits were shorter than this, and never on a machine of
 * one CPU. Its thread may be pinned, if those it waits for run elsewhere. 50,000 is a
 * good value for request/response between two cores.
 *
 * `direct_count`: on io_uring a table of so many places for sockets; a request of a
 * socket that has a place need not look up its file and count a use of it. A socket
 * takes a free place with its first request and gives it back when it is closed or
 * released; those that find none go on without. Measured on Linux 6.18: an exchange
 * (a receive and a send) of 64 bytes takes some 90 of 4,300 ns less, two in a hundred,
 * in programs of one thread and of many; a socket's place costs two system calls,
 * some 550 ns. So it pays for connections of more than about a dozen requests and
 * costs on shorter ones. The limit of descriptors (RLIMIT_NOFILE) and memory bound
 * the table: it is then smaller, or there is none; see struct soq_loop_info. It needs
 * Linux 6.14: before, the kernel may hold on to a closed socket for as long as a
 * request of another one waits. A process that later forbids itself
 * io_uring_register(2) must not use it: what has a place then stays open until its
 * loop ends. On epoll it does nothing.
 *
 * `napi_ns`: a loop that has to wait first polls the queues of the network cards
 * that its sockets have received from, at most this long, instead of leaving that to
 * the card's interrupt; SOQ_LOOP_NAPI_PREFER also tells the card to hold its
 * interrupts back meanwhile. It saves the interrupt and the wake-up behind it (the
 * kernel's change that brought it tells of UDP round trips of 32 us instead of 42) and
 * costs a CPU that is busy for up to `napi_ns` at each wait, whether something comes
 * or not. It is for one loop on a core of its own, its connections on queues of their
 * own, and a card whose driver has NAPI ids: loopback has none and most virtual cards
 * neither, and there it does nothing. The tests only show that it can be had and
 * harms nothing; soq was never measured on such a card. Linux 6.9, on both backends.
 *
 * `trace`: is told of each connect, accept, send, receive, close and cancel on this loop,
 * as it begins and as it ends: see telemetry.h. It runs on the loop's thread, in the midst
 * of a call: it may read (soq_loop_stats(), soq_loop_counter(), soq_socket_stats(),
 * soq_socket_user(), what knows no loop) and post, every other call on its loop is
 * -EBUSY. What it points to is its for the call alone, and it must return.
 *
 * `policy`: where the loop's sockets may connect, send, bind and accept: see policy.h. The
 * loop holds it for as long as it lives.
 */
struct soq_loop_options {
	uint32_t size;         /* sizeof(struct soq_loop_options) */
	uint32_t backend;      /* enum soq_backend; default AUTO */
	uint32_t features_off; /* SOQ_FEATURE_* not to be used */
	uint32_t sq_entries;   /* requests per enter, a power of two is best; default 512 */
	uint32_t cq_entries;   /* completions the kernel can hold ready; default 4096 */
	uint32_t spin_ns;      /* looks for news this long before it sleeps; default 0, off */
	uint32_t direct_count; /* sockets that may have direct descriptors; default 0, off */
	uint32_t napi_ns;      /* polls network cards this long before it sleeps; default 0, off */
	uint32_t flags;        /* SOQ_LOOP_* */
	uint32_t zerocopy_bytes; /* SOQ_ZEROCOPY sends below this are copied; default 16384 */
	const struct soq_allocator *allocator; /* copied; default is the C library's */
	void (*trace)(const struct soq_trace_event *event, void *user); /* default none */
	void *trace_user;
	struct soq_policy *policy; /* default none */
	uint64_t reserved[1];      /* must be 0 */
};

/**
 * Makes a loop. It belongs to no thread until a thread first runs it or starts
 * an op on it; from then on it, its sockets and its ops are that thread's alone.
 *
 * Result: 0 and `*loop_out`; on failure `*loop_out` is untouched. `options` may
 *         be NULL.
 * Errors: -EINVAL  `loop_out` is NULL, `size` is none this library knows, an
 *                  unknown backend, feature or flag, a reserved field is not 0,
 *                  `direct_count` above 1,048,576, `napi_ns` above 10 ms,
 *                  SOQ_LOOP_NAPI_PREFER without `napi_ns`
 *         -ENOMEM  no memory; for AUTO only after smaller rings were tried
 *         -EMFILE, -ENFILE  no descriptors
 *         with SOQ_BACKEND_URING also why io_uring cannot be had: -ENOSYS,
 *         -EPERM, -EACCES, or -EOPNOTSUPP when the floor is not met or soq was
 *         built without it
 * Thread: any.
 * Kernel: 6.1 for io_uring. Fallback: epoll(7), with the same behaviour.
 */
SOQ_API SOQ_MUST_CHECK int soq_loop_create(const struct soq_loop_options *options,
					   struct soq_loop **loop_out);

/**
 * Ends a loop that has nothing left: no socket, no op in flight, no event that
 * waits. In a child of fork() it closes and unmaps what the child inherited and
 * leaves the parent's loop alone.
 *
 * Result: 0. NULL is a no-op.
 * Errors: -EBUSY  sockets are open or closing, ops are in flight or events wait
 *                 (soq_loop_close_all() first), or it was called in done()
 *         -EXDEV  the loop is another thread's, and that thread lives
 * Thread: the loop's; any, once the loop's thread has exited.
 * Kernel: a few ms after an io_uring loop has ended the kernel may interrupt its
 *         thread once more: blocking calls with a timeout of their own, made there
 *         without soq, then say EINTR (seen on 6.18).
 */
SOQ_API int soq_loop_destroy(struct soq_loop *loop);

/**
 * Aborts every socket and cancels every op, as soq_abort() and soq_cancel() do.
 * Run the loop with SOQ_RUN_IDLE, or wait for what has no `done`, and it can be
 * destroyed. Zero-copy sends of a socket that was closed by soq_close() before are
 * out of reach: they end as stream.h says.
 *
 * Result: 0.
 * Errors: -EINVAL NULL, -ECHILD, -EXDEV as for every call
 * Thread: the loop's; any, once the loop's thread has exited: the loop is then
 *         the caller's, and everything the kernel still had is ended.
 */
SOQ_API int soq_loop_close_all(struct soq_loop *loop);

/* How long soq_loop_run() runs. */
enum soq_run {
	SOQ_RUN_ONCE = 0, /* one turn: waits until something happens, delivers it, returns */
	SOQ_RUN_IDLE = 1, /* until no op is in flight, no socket is closing, every done() has run */
	SOQ_RUN_STOP = 2, /* until soq_loop_stop() */
};

/**
 * Runs the loop: hands what was started to the kernel, waits, and calls done()
 * for each event of an op that has one. soq_loop_stop() ends any of the three;
 * a stop asked for earlier ends it at once.
 *
 * Result: the number of events delivered.
 * Errors: -EBUSY   called in done()
 *         -EINVAL  NULL, or an unknown `until`
 *         -ETIME   IDLE and STOP only: `timeout_ns` passed first; events may
 *                  have been delivered
 *         -ECHILD, -EXDEV  as for every call
 *         anything else: the kernel refused to wait (a sandbox entered later, a
 *         descriptor closed by force). Every op then ends with that error.
 * `timeout_ns`: negative waits for ever, 0 does not wait.
 * Thread: the loop's.
 */
SOQ_API int soq_loop_run(struct soq_loop *loop, enum soq_run until, int64_t timeout_ns);

/**
 * Takes up to `event_max` events of ops without `done`, waiting until there is at
 * least one. Runs no done().
 *
 * Result: the number of events taken, 0 if `timeout_ns` passed first or a stop
 *         was asked for.
 * Errors: as soq_loop_run(), without -ETIME; -EINVAL also for no room
 * Thread: the loop's.
 */
SOQ_API int soq_loop_harvest(struct soq_loop *loop, struct soq_event *events, unsigned event_max,
			     int64_t timeout_ns);

/**
 * Ends the current soq_loop_run() or soq_loop_harvest() after the events in hand,
 * or the next one if none runs.
 *
 * Result: 0.
 * Errors: -EINVAL NULL; -ECHILD after fork
 * Thread: any, and any signal handler.
 */
SOQ_API int soq_loop_stop(struct soq_loop *loop);

/**
 * Hands an op to the loop from any thread: its event, with result 0, comes on the
 * loop's thread. The op must have `done` set, since the poster cannot wait for it,
 * or be one that the loop's thread waits for. Posts of one thread arrive in order.
 *
 * The loop must not be destroyed while another thread may still post.
 *
 * Result: 0.
 * Errors: -EINVAL  NULL
 *         -EBUSY   the op is in flight
 *         -ECHILD  after fork
 * Thread: any, and any signal handler.
 * .NET:   SynchronizationContext.Post
 */
SOQ_API SOQ_MUST_CHECK int soq_loop_post(struct soq_loop *loop, struct soq_op *op);

/**
 * A descriptor that becomes readable when soq_loop_run(loop, SOQ_RUN_ONCE, 0) has
 * something to do, for a host that sleeps in its own poll(2). Before it sleeps the
 * host runs the loop once with timeout 0 and asks soq_loop_deadline().
 *
 * Result: the descriptor; it stays the library's.
 * Errors: -EINVAL NULL, -ECHILD, -EXDEV as for every call
 * Thread: the loop's.
 */
SOQ_API int soq_loop_fd(struct soq_loop *loop);

/**
 * When the loop next wants to run by itself.
 *
 * Result: CLOCK_MONOTONIC in ns; 0 for now (work is waiting), INT64_MAX for
 *         never.
 * Errors: -EINVAL NULL, -ECHILD, -EXDEV as for every call
 * Thread: the loop's.
 */
SOQ_API int64_t soq_loop_deadline(struct soq_loop *loop);

/**
 * What a loop runs on, and why not on more.
 */
struct soq_loop_info {
	uint32_t size;       /* set by the caller: sizeof(struct soq_loop_info) */
	uint32_t backend;    /* SOQ_BACKEND_URING or SOQ_BACKEND_EPOLL */
	uint32_t features;   /* SOQ_FEATURE_* in use; on epoll NAPI at most */
	int32_t uring_error; /* why not io_uring: 0 if it is in use, -ECANCELED if not asked for */
	const char *uring_step; /* what failed: "setup", "register", "enter", "floor: ..." or "" */
	/* By feature bit: 0 in use, -ECANCELED taken away or not asked for, else why not. */
	int32_t feature_errors[16];
	uint32_t sq_entries;   /* 0 on epoll */
	uint32_t cq_entries;   /* 0 on epoll */
	uint32_t direct_count; /* places for direct descriptors: as asked for, fewer, or 0 */
	uint32_t reserved0;
	uint64_t reserved[4];
};

/**
 * Tells what the loop runs on. The texts in it live for ever. Whether the ring's
 * descriptor could be registered is known once a thread has used the loop, whether
 * zero-copy sends report with the first of them; until then it says -EINPROGRESS.
 *
 * Result: 0, and `*info` is filled up to `info->size`.
 * Errors: -EINVAL  NULL, or `info->size` is none this library knows
 *         -ECHILD  after fork
 * Thread: any, but not while the loop's thread uses it for the first time.
 */
SOQ_API int soq_loop_info(struct soq_loop *loop, struct soq_loop_info *info);

/**
 * Counters since the loop was made, and what it holds now.
 */
struct soq_loop_stats {
	uint32_t size; /* set by the caller: sizeof(struct soq_loop_stats) */
	uint32_t reserved0;
	uint64_t turns;           /* times the loop handed over work and looked for more */
	uint64_t waits;           /* io_uring_enter calls, or epoll waits */
	uint64_t requests;        /* SQEs made, batches tried; on epoll socket calls tried */
	uint64_t completions;     /* CQEs taken; on epoll socket calls that did not have to wait */
	uint64_t ops_started;     /* ops accepted by a starting call, synchronous ones included */
	uint64_t ops_finished;    /* final events made */
	uint64_t ops_in_flight;   /* now: started, final event not yet made */
	uint64_t events_waiting;  /* now: made, not yet delivered or taken */
	uint64_t sockets;         /* now: open or closing */
	uint64_t bytes_sent;      /* by sends: telemetry.h says what is counted when */
	uint64_t bytes_received;  /* by receives */
	uint64_t accepts;         /* sockets that arrived */
	uint64_t accept_backoffs; /* times descriptors or memory had run out */
	uint64_t stale_completions; /* late or foreign completions dropped */
	uint64_t overflows;         /* turns in which the completion queue had overflowed */
	uint64_t queue_full;        /* times the submission queue was sent off early */
	uint64_t posts;             /* ops that came by soq_loop_post() */
	uint64_t allocations;       /* calls of allocate() */
	uint64_t allocated_bytes;   /* now: held from the allocator */
	uint64_t zerocopy_sends;    /* requests that offered the kernel memory instead of a copy */
	uint64_t zerocopy_copied;   /* of these, those it says it has copied after all (6.2) */
	uint64_t direct_sockets;    /* now: sockets with a direct descriptor */
	uint64_t messages_sent;     /* by sockets that are no streams */
	uint64_t messages_received;
	uint64_t connects;           /* that succeeded */
	uint64_t connects_failed;    /* that ended in an error; canceled ones too */
	uint64_t connects_in_flight; /* now: begun and not ended */
	uint64_t accepts_failed;     /* ops of accepts that ended in an error; canceled ones too */
	uint64_t connections_broken; /* that met an error (a reset, a peer out of reach) */
	uint64_t policy_refusals;    /* by the loop's policy, refused arrivals too */
	uint64_t last_refused_rule;  /* no counter: which rule, from 1; 0 the default */
	uint64_t reserved[4];
};

/**
 * Reads the counters.
 *
 * Result: 0, and `*stats` is filled up to `stats->size`.
 * Errors: -EINVAL  NULL, or `stats->size` is none this library knows
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 * .NET:   EventSource
 */
SOQ_API int soq_loop_stats(struct soq_loop *loop, struct soq_loop_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
