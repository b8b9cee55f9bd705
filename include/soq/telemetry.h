/* SPDX-License-Identifier: MIT */
/* Watching sockets: counters by name, the counters of one socket, a callback that is told. */
#ifndef SOQ_TELEMETRY_H
#define SOQ_TELEMETRY_H

#include <soq/base.h>
#include <soq/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct soq_endpoint;
struct soq_op;

/*
 * The counters of a loop, for who publishes them all: each is a field of struct
 * soq_loop_stats, where it is described. A program reads them from 0 on until
 * soq_counter_name() says NULL, so that it publishes those of a newer library too.
 *
 * What is counted, and once whatever the call was (synchronous, asynchronous, by batch,
 * into bufs, without a copy):
 *
 * Bytes, when the request that moved them has ended; those of a short result too. Bytes
 * that a SOQ_PEEK has looked at count when they are received, bytes that a finish drops
 * never do, and a transfer that failed has moved none.
 * Messages, as the calls see them: one that SOQ_INFO_SEGMENTS cuts or joins is one, and
 * an empty one is one. A stream has none.
 * Connects, of any socket, when they end: a list of addresses (soq_connect_list()) is a
 * connect for each address that got as far as that.
 * Accepts, when the socket is there, before its event is delivered.
 *
 * Sockets on no loop count for themselves alone: soq_socket_stats().
 */
enum soq_counter {
	/* The seven that System.Net.Sockets publishes, by its names. */
	SOQ_COUNTER_OUTGOING_CONNECTIONS_ESTABLISHED = 0,
	SOQ_COUNTER_INCOMING_CONNECTIONS_ESTABLISHED = 1,
	SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS = 2,
	SOQ_COUNTER_BYTES_RECEIVED = 3,
	SOQ_COUNTER_BYTES_SENT = 4,
	SOQ_COUNTER_DATAGRAMS_RECEIVED = 5,
	SOQ_COUNTER_DATAGRAMS_SENT = 6,
	/* More about sockets. */
	SOQ_COUNTER_OUTGOING_CONNECTIONS_FAILED = 7,
	SOQ_COUNTER_ACCEPTS_FAILED = 8,
	SOQ_COUNTER_ACCEPT_BACKOFFS = 9,
	SOQ_COUNTER_CONNECTIONS_BROKEN = 10,
	SOQ_COUNTER_CURRENT_SOCKETS = 11,
	/* About the loop. */
	SOQ_COUNTER_OPS_STARTED = 12,
	SOQ_COUNTER_OPS_FINISHED = 13,
	SOQ_COUNTER_CURRENT_OPS_IN_FLIGHT = 14,
	SOQ_COUNTER_CURRENT_EVENTS_WAITING = 15,
	SOQ_COUNTER_TURNS = 16,
	SOQ_COUNTER_WAITS = 17,
	SOQ_COUNTER_REQUESTS = 18,
	SOQ_COUNTER_COMPLETIONS = 19,
	SOQ_COUNTER_POSTS = 20,
	SOQ_COUNTER_ALLOCATIONS = 21,
	SOQ_COUNTER_CURRENT_ALLOCATED_BYTES = 22,
	SOQ_COUNTER_ZEROCOPY_SENDS = 23,
	SOQ_COUNTER_ZEROCOPY_COPIED = 24,
	SOQ_COUNTER_QUEUE_FULL = 25,
	SOQ_COUNTER_OVERFLOWS = 26,
	SOQ_COUNTER_STALE_COMPLETIONS = 27,
	SOQ_COUNTER_CURRENT_DIRECT_SOCKETS = 28,
	SOQ_COUNTER_POLICY_REFUSALS = 29,
	SOQ_COUNTER_COUNT = 30, /* in the library a program was compiled for */
};

/**
 * The name of a counter, as a metric is named: small letters and dashes. Those that begin
 * with "current-" tell what there is now and may fall; all others only grow.
 *
 * Result: a text that lives for ever; NULL if this library has no such counter.
 * Thread: any.
 * .NET:   EventSource
 */
SOQ_API const char *soq_counter_name(enum soq_counter counter);

/**
 * Reads one counter. soq_loop_stats() reads all of them at once.
 *
 * Result: its value, since the loop was made or now.
 * Errors: -EINVAL  NULL, or no such counter
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's, in a trace function too.
 * .NET:   EventSource
 */
SOQ_API int64_t soq_loop_counter(struct soq_loop *loop, enum soq_counter counter);

/**
 * What one socket has moved, counted as for the loop, since it was made. The numbers stay
 * with a socket that is detached or attached.
 */
struct soq_socket_stats {
	uint32_t size; /* set by the caller: sizeof(struct soq_socket_stats) */
	uint32_t reserved0;
	uint64_t bytes_received;
	uint64_t bytes_sent;
	uint64_t messages_received; /* 0 for a stream */
	uint64_t messages_sent;     /* 0 for a stream */
	uint64_t accepts;           /* of a listener: the sockets that arrived */
	uint64_t reserved[4];
};

/**
 * Reads the counters of a socket. They cost no memory: an idle connection has room for them.
 *
 * Result: 0, and `*stats` is filled up to `stats->size`.
 * Errors: -EINVAL  NULL, or `stats->size` is none this library knows
 *         -EBADF, -ECHILD, -EXDEV  as for every call
 * Thread: the loop's, in a trace function too; any, of a detached socket.
 */
SOQ_API int soq_socket_stats(struct soq_socket *s, struct soq_socket_stats *stats);

/* What a trace function is told of. */
enum soq_trace_what {
	SOQ_TRACE_CONNECT = 1,
	SOQ_TRACE_ACCEPT = 2,
	SOQ_TRACE_SEND = 3,
	SOQ_TRACE_RECEIVE = 4,
	SOQ_TRACE_CLOSE = 5,
	SOQ_TRACE_CANCEL = 6,
};

/* And how far it is: START, perhaps MORE, FAILED if it fails, STOP. */
enum soq_trace_step {
	SOQ_TRACE_START = 1,
	SOQ_TRACE_MORE = 2,   /* an event with SOQ_F_MORE was made; `result` is its */
	SOQ_TRACE_FAILED = 3, /* `result` is why; STOP comes next */
	SOQ_TRACE_STOP = 4,
};

/**
 * One thing that a loop has begun or ended: `struct soq_loop_options` has the function
 * that is told.
 *
 * Whatever is started is told once with START and once with STOP, and with FAILED between
 * the two if its result is an error. They are told where it happens, not where an event is
 * delivered: START by the starting call, STOP when the event is made.
 *
 * CONNECT  each connect; of a list of addresses, each attempt, on its socket. `peer` is
 *          the address.
 * ACCEPT   each op; MORE for each socket that arrives for a multishot one. `arrived` is
 *          the socket, with MORE or STOP.
 * SEND, RECEIVE  each op or call; `size_bytes` is what was asked for (of a batch: messages),
 *          `peer` the address of one that has one: of a receive, with STOP. MORE for each
 *          buf of a multishot receive, and when a zero-copy send has its result.
 * CLOSE    each socket: START when the handle dies, STOP when the descriptor is closed.
 *          FAILED is a finish that did not reach the end. A socket that is released or
 *          detached is not closed.
 * CANCEL   an op that soq_cancel() or its deadline asks to end; both steps in one call, and
 *          between them the STOP of the op, if it ends at once. `result` is -ECANCELED or
 *          -ETIMEDOUT: the cause, no error, so there is no FAILED.
 *
 * A refused call starts nothing and is not told; nor are polls, sleeps, shutdowns and
 * relays. An accept with data is told until its first bytes are there; a connect with data
 * is a CONNECT and then a SEND.
 *
 * A library built with <sys/sdt.h> has the same points as probes of the provider "soq",
 * for bpftrace, perf and gdb, on detached sockets too: connect_start, connect_stop,
 * accept_start, accept_more, accept_stop, send_start, send_more, send_stop,
 * receive_start, receive_more, receive_stop, close_start, close_stop, cancel_start,
 * cancel_stop. Arguments: socket, op, and of a start the descriptor and what it is about
 * (the address of a connect, the length of a transfer, the cause of a cancel), else the
 * result. Unattached, each is one instruction that does nothing.
 *
 * .NET: EventSource
 */
struct soq_trace_event {
	uint32_t size; /* sizeof(struct soq_trace_event) of the library */
	uint32_t what; /* enum soq_trace_what */
	uint32_t step; /* enum soq_trace_step */
	uint32_t reserved0;
	int64_t time_ns;                 /* CLOCK_MONOTONIC */
	int64_t result;                  /* of MORE, FAILED and STOP: as the event's */
	uint64_t size_bytes;             /* of SEND and RECEIVE */
	struct soq_socket *socket;       /* dead from the START of its CLOSE on; NULL: of a sleep */
	struct soq_socket *arrived;      /* what an accept has brought, or NULL */
	const struct soq_op *op;         /* NULL for a call that waits */
	const struct soq_endpoint *peer; /* for the call alone; NULL where it is not known */
	uint64_t reserved[2];
};

#ifdef __cplusplus
}
#endif

#endif
