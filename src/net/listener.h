/* SPDX-License-Identifier: MIT */
/* A listener's parts: gates that accept, clocks of the phases, the table of peers. */
#ifndef SOQI_LISTENER_H
#define SOQI_LISTENER_H

#include <soq/helper.h>
#include <soq/listener.h>

#include <stdbool.h>

/* Accepts of the listener's own at a time: so many may come in in one turn. */
#define SOQI_GATES 8

/* What a connection is, in its `state`; the phases first. */
enum {
	SOQI_CONNECTION_TIMED_PHASES = SOQ_PHASE_BUSY, /* those with a clock come before it */
	SOQI_CONNECTION_WAITING = SOQ_PHASE_BUSY + 1,  /* its accept is in flight */
	SOQI_CONNECTION_OVER,                          /* its time is */
};

struct soqi_connections {
	struct soq_connection *first, *last;
};

/* An inner accept. It never brings a connection that there is no room for. */
struct soqi_gate {
	struct soq_op op;
	struct soq_listener *listener;
	struct soq_socket *held; /* has come when no accept of the program's was left */
	bool busy;
	bool cut;
};

/* The connections of a phase, who has been in it longest first; and the time of that one. */
struct soqi_clock {
	struct soqi_connections connections;
	struct soq_op op;
	struct soq_listener *listener;
	int64_t limit_ns; /* 0: none */
	bool busy;
	bool cut; /* by the listener */
};

/* Who has connections; see listener_peers.c. */
struct soqi_peer {
	struct soqi_peer *next;
	struct soq_endpoint key;
	uint64_t hash;
	uint32_t connections;
};

struct soqi_peers {
	struct soqi_peer **buckets;
	uint32_t bucket_count; /* a power of two */
	uint32_t count;
	uint64_t seed;
};

struct soq_listener {
	struct soq_loop *loop;
	struct soq_allocator allocator;
	struct soq_endpoint local; /* "none": all addresses */
	struct soq_option_raw *options;
	uint32_t option_count;
	uint32_t port;
	uint32_t flags;
	int backlog;
	uint32_t connections_max, peer_connections_max;
	int64_t accept_ns; /* between two accepts, on average; 0: no limit */

	struct soq_socket *s; /* NULL while it is stopped */
	bool closed;
	bool is_held_up;
	unsigned inner_count; /* inner ops in flight, that need this memory */

	struct soqi_connections waiting; /* for whom accepts of the program's are in flight */
	unsigned waiting_count;
	unsigned connection_count;
	struct soqi_gate gates[SOQI_GATES];
	unsigned gates_busy, gates_held;
	int64_t next_ns; /* when the next accept would be, at an even rate */
	struct soq_op pause;
	bool paused;
	bool pause_cut; /* by the listener */

	struct soqi_clock clocks[SOQI_CONNECTION_TIMED_PHASES];
	struct soqi_peers peers;
	struct soq_op *drain; /* the program's, or NULL */
	uint64_t accepted, refused, held_up, expired;
};

/* listener.c. -ECHILD or -EXDEV if the caller may not use it; 0. */
int soqi_listener_check(const struct soq_listener *l);
void *soqi_listener_alloc(struct soq_listener *l, size_t size_bytes);
void soqi_listener_free(struct soq_listener *l, void *memory, size_t size_bytes);
/* Gives its memory back once it is closed and nothing needs it any more. */
void soqi_listener_settle(struct soq_listener *l);

/* listener_accept.c. Starts as many accepts as are wanted and let in. */
void soqi_gates_open(struct soq_listener *l);
/* Ends them, the program's too, and forgets whom they have let in. */
void soqi_gates_shut(struct soq_listener *l);
/* Lets in who waits in the backlog, as far as may be, then stops. */
void soqi_gates_drain(struct soq_listener *l);

/* connection.c. */
void soqi_connections_append(struct soqi_connections *list, struct soq_connection *c);
void soqi_connections_remove(struct soqi_connections *list, struct soq_connection *c);
/* Takes a connection in, in its first phase. */
void soqi_connection_begin(struct soq_connection *c, struct soq_socket *s);
/* Shuts idle connections down, as their time would. */
void soqi_connections_drain(struct soq_listener *l);
void soqi_clocks_init(struct soq_listener *l, int64_t header_ns, int64_t idle_ns);
void soqi_clocks_stop(struct soq_listener *l);

/* listener_path.c. Binds and listens; a unix path that was left is removed before. */
int soqi_listener_take_path(struct soq_socket *s, const struct soq_endpoint *ep, int backlog);

/* listener_peers.c. One more connection of the socket's peer: 0 and `*peer_out`, or -EUSERS. */
int soqi_peers_enter(struct soq_listener *l, struct soq_socket *s, struct soqi_peer **peer_out);
void soqi_peers_leave(struct soq_listener *l, struct soqi_peer *peer);
void soqi_peers_free(struct soq_listener *l);

#endif
