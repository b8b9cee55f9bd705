/* SPDX-License-Identifier: MIT */
/* Listeners: started, stopped and drained; who comes in, how many, and how long they may idle. */
#ifndef SOQ_LISTENER_H
#define SOQ_LISTENER_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/op.h>
#include <soq/option.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A listener is an address that a server accepts on, and what it lets in: how many
 * connections at a time, how many of one peer, how many a second, and for how long they
 * may do nothing. It may be started and stopped any number of times.
 *
 * Whoever comes while there is no room waits in the kernel's backlog: the accepts of the
 * program wait too, and go on by themselves. Only who has too many connections already is
 * turned away, by a reset.
 *
 * soq_loop_close_all() closes the listening socket as any other. Close the listener before
 * it, or after it before the loop gets another socket.
 *
 * A server that needs none of this has no need of a listener: soq_bind(), soq_listen() and
 * soq_accept() do.
 */
struct soq_listener;

/* What a connection does, and so how long it may. */
enum soq_phase {
	SOQ_PHASE_HEADER = 0, /* a request arrives, or the first one is awaited: `header_ns` */
	SOQ_PHASE_IDLE = 1,   /* nothing is under way: `idle_ns` */
	SOQ_PHASE_BUSY = 2,   /* the server works: no limit of the listener's */
};

/**
 * The place that a connection has in a listener, in memory the caller owns, beside what else
 * it keeps of the connection. Begin with `= {0}`.
 */
struct soq_connection {
	/* The library's. */
	struct {
		struct soq_listener *listener;
		struct soq_socket *socket;
		struct soq_op *op;
		struct soq_connection *next;
		struct soq_connection *prev;
		void *peer;
		int64_t since_ns;
		uint32_t state;
		uint32_t reserved0;
		uint64_t reserved[1];
	} priv;
};

/*
 * Flags of a listener. A server that ended by force leaves its unix path, and no other can
 * bind to it. With this the next start removes it, if it is a socket of this user's on which
 * nobody listens, in a folder that is this user's or root's and where others may not
 * write, or remove what is not theirs (as in /tmp); else it is -EADDRINUSE as ever.
 * Listeners that start at the same time keep each other out by flock(2) on the folder.
 */
#define SOQ_LISTENER_TAKE_PATH (1u << 0)

/**
 * What a listener shall be. Begin with `= { .size = sizeof(struct soq_listener_options) }`; 0
 * is the default of each, and of a limit that there is none.
 */
struct soq_listener_options {
	uint32_t size;                    /* sizeof(struct soq_listener_options) */
	int32_t backlog;                  /* as for soq_listen() */
	const struct soq_endpoint *local; /* where; default: every address, IPv6 and IPv4 */
	uint32_t port;                    /* without `local`; 0: the system chooses at each start */
	uint32_t option_count;
	const struct soq_option_raw *options; /* set at each start, before the bind */
	uint32_t connections_max;             /* at a time */
	uint32_t peer_connections_max;   /* at a time of one IPv4 address, or one /64 of IPv6 */
	uint32_t accepts_per_second_max; /* and as many at once, after a quiet second */
	uint32_t flags;                  /* SOQ_LISTENER_* */
	int64_t header_ns;               /* see enum soq_phase */
	int64_t idle_ns;
	const struct soq_allocator *allocator; /* copied; default is the C library's */
	uint64_t reserved[4];                  /* must be 0 */
};

/**
 * Makes a listener, which does not listen yet.
 *
 * Result: 0 and `*listener_out`; on failure it is untouched.
 * Errors: -EINVAL  NULL, a `size` this library does not know, a port above 65535, both
 *                  `local` and `port`, `local` is "none", unknown flags, options without
 *                  memory, a time below 0, a reserved field that is not 0
 *         -ENOMEM
 *         -ECHILD, -EXDEV  as for every call
 * Owner:  close it with soq_listener_close(), and end its connections, before the loop is
 *         destroyed. What `options` points to is copied, but for the values of its socket
 *         options: they must outlive the listener.
 * Thread: the loop's.
 * .NET:   TcpListener, TcpListener.Create
 */
SOQ_API SOQ_MUST_CHECK int soq_listener_open(struct soq_loop *loop,
					     const struct soq_listener_options *options,
					     struct soq_listener **listener_out);

/**
 * Stops the listener and gives it back. Its connections live on, and count no more. A drain
 * that waits for them ends with -ECANCELED.
 *
 * Result: 0; the handle is dead.
 * Errors: -EINVAL  NULL
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 * .NET:   TcpListener.Dispose
 */
SOQ_API int soq_listener_close(struct soq_listener *listener);

/**
 * Opens the listening socket: with its options, bound, and listening. Without `local` that
 * is one socket for IPv6 and IPv4, or of IPv4 where the system has no IPv6. Just after a stop
 * it waits, some turns, until the accepts of before have let go of the address.
 *
 * Result: 0; also if it is started already.
 * Errors: -EINVAL  NULL
 *         -EBUSY   it drains
 *         -ECANCELED  it was closed in these turns
 *         -ECHILD, -EXDEV  as for every call; else what soq_socket_open(),
 *         soq_option_set(), soq_bind() and soq_listen() say: it is as it was
 * Thread: the loop's.
 * .NET:   TcpListener.Start
 */
SOQ_API SOQ_MUST_CHECK int soq_listener_start(struct soq_listener *listener);

/**
 * Closes the listening socket. Accepts in flight end with -ECANCELED, who waits in the
 * backlog is reset. Connections live on, and still count.
 *
 * Result: 0; also if it is stopped already.
 * Errors: -EINVAL  NULL
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 * .NET:   TcpListener.Stop
 */
SOQ_API int soq_listener_stop(struct soq_listener *listener);

/**
 * The listening socket: for its address, or to look by soq_poll() whether somebody waits.
 * A program leaves accepting on it to the listener.
 *
 * Result: the socket; NULL while it is stopped, and for NULL.
 * Thread: the loop's.
 * .NET:   TcpListener.Server, TcpListener.Active, TcpListener.Pending,
 *         TcpListener.LocalEndpoint
 */
SOQ_API struct soq_socket *soq_listener_socket(const struct soq_listener *listener);

/**
 * Starts accepting one connection, as soon as there is one and the limits let it in. Several
 * accepts complete in start order. The connection begins in SOQ_PHASE_HEADER.
 *
 * Result: 0; the event's result is 0 and its `socket` is the connection, the caller's
 *         from then on, on the same loop.
 * Errors: those of every starting call
 *         -EINVAL  NULL, or the listener is stopped
 *         -EBUSY   `connection` has a place already
 *         as results: those of soq_accept_async(); -ECANCELED also if it is stopped
 * Owner:  `connection` is the library's from the 0 until soq_connection_end(), which is
 *         called for each, whatever the result was.
 * Thread: the loop's.
 * Kernel: as soq_accept_async(). Fallback: likewise.
 * .NET:   TcpListener.AcceptSocketAsync, TcpListener.AcceptTcpClientAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_listener_accept_async(struct soq_listener *listener,
						     struct soq_op *op,
						     struct soq_connection *connection);

/**
 * Accepts one connection and waits for it, at most `timeout_ns` (negative: for ever).
 *
 * Result: 0 and `*accepted_out`; on failure it is untouched, and `connection` has no place.
 * Errors: -EINVAL     NULL, or the listener is stopped
 *         -EBUSY      `connection` has a place already
 *         -ETIMEDOUT  the time passed first
 *         -ECANCELED  the listener was stopped meanwhile
 *         -ECHILD, -EXDEV  as for every call; else the results of soq_accept_async()
 * Owner:  as soq_listener_accept_async()
 * Thread: the loop's.
 * .NET:   TcpListener.AcceptSocket, TcpListener.AcceptTcpClient
 */
SOQ_API SOQ_MUST_CHECK int soq_listener_accept(struct soq_listener *listener,
					       struct soq_connection *connection,
					       int64_t timeout_ns,
					       struct soq_socket **accepted_out);

/**
 * Says what a connection does from now on; its time begins anew, also in the same phase. When
 * it is over the listener shuts the receiving side down: the program's receive gets what has
 * come and then the end of the stream, and it closes as it always does then. A listener that
 * drains does that to idle connections at once. For sends to a peer that does not read there
 * is the `deadline_ns` of their ops.
 *
 * Result: 0; also, and nothing more, once its time was over.
 * Errors: -EINVAL  NULL, or no such phase
 *         -ENOENT  the connection has no place
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 */
SOQ_API int soq_connection_set_phase(struct soq_connection *connection, enum soq_phase phase);

/**
 * Gives the place back: another may come in. The socket stays as it is. Call it before the
 * socket is closed, or in the same breath, before the loop turns.
 *
 * Result: 0; also if it has none.
 * Errors: -EINVAL  NULL
 *         -EBUSY   its accept is in flight
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 */
SOQ_API int soq_connection_end(struct soq_connection *connection);

/**
 * Starts ending the work in good order: who waits in the backlog is still let in, as far as
 * accepts are in flight and limits allow; the listener is stopped; idle connections are shut
 * down. It ends when no connection has a place.
 *
 * Result: 0; the event's result is 0.
 * Errors: those of every starting call
 *         -EBUSY  another drain is in flight
 *         as results: -ECANCELED, -ETIMEDOUT: it has not come to its end, and may be called
 *         again
 * Thread: the loop's.
 */
SOQ_API SOQ_MUST_CHECK int soq_listener_drain_async(struct soq_listener *listener,
						    struct soq_op *op);

/**
 * Ends the work in good order and waits, at most `timeout_ns` (negative: for ever).
 *
 * Result: 0.
 * Errors: -EINVAL     NULL
 *         -ETIMEDOUT  the time passed first
 *         -ECANCELED  the listener was closed meanwhile
 *         -EBUSY, -ECHILD, -EXDEV  as soq_listener_drain_async(); else why the loop cannot wait
 * Thread: the loop's.
 */
SOQ_API int soq_listener_drain(struct soq_listener *listener, int64_t timeout_ns);

/**
 * What a listener has seen.
 */
struct soq_listener_stats {
	uint32_t size;        /* set by the caller: sizeof(struct soq_listener_stats) */
	uint32_t connections; /* now: that have a place */
	uint32_t peers;       /* now: that they are of, with `peer_connections_max` */
	uint32_t accepts;     /* now: in flight */
	uint64_t accepted;    /* connections that were let in */
	uint64_t refused;     /* whose peer had too many, or no memory was left to count it */
	uint64_t held_up;     /* times accepts had to wait for room, or for the rate */
	uint64_t expired;     /* connections whose time in a phase was over */
	uint64_t reserved[4];
};

/**
 * Reads the counters.
 *
 * Result: 0, and `*stats` is filled up to `stats->size`.
 * Errors: -EINVAL  NULL, or `stats->size` is none this library knows
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 */
SOQ_API int soq_listener_stats(struct soq_listener *listener, struct soq_listener_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
