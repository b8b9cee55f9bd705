/* SPDX-License-Identifier: MIT */
/*
 * What the servers on bare epoll share: the set, the listener, the connections, the
 * turn. A role says what is done with a connection that is ready. Level- or
 * edge-triggered.
 */
#ifndef TWINS_EPOLL_SERVER_H
#define TWINS_EPOLL_SERVER_H

#include "twin.h"

#include <sys/epoll.h>

#define EPOLL_EVENTS_MAX 256
#define EPOLL_CALLS_MAX  32 /* per connection and turn, as soq's fallback has */

struct epoll_server;

/* What a role's own struct of a connection begins with. */
struct epoll_connection {
	int fd;
	bool is_again;    /* in the server's list of them */
	uint32_t pending; /* events of one that is in the list */
	struct epoll_connection *again;
	struct epoll_connection *next;
	struct epoll_connection *prev;
};

/*
 * What became of a ready connection. AGAIN: something is left that no edge will tell,
 * so it has another go in the next turn.
 */
enum epoll_verdict { EPOLL_WAIT, EPOLL_AGAIN, EPOLL_END };

struct epoll_role {
	size_t connection_bytes;
	uint32_t level_events; /* what a new connection is watched for */
	uint32_t edge_events;
	bool has_no_listener; /* the socket given to create() is its one connection */
	void (*on_begin)(struct epoll_connection *c); /* or NULL */
	enum epoll_verdict (*on_event)(struct epoll_server *s, struct epoll_connection *c,
				       uint32_t events);
	void (*on_end)(struct epoll_connection *c); /* frees what it has of its own; or NULL */
};

struct epoll_server {
	const struct epoll_role *role;
	int epoll_fd;
	int listen_fd;
	int watched_fd;
	bool edge_triggered;
	struct control_report report;
	struct epoll_connection open; /* head of a ring */
	struct epoll_connection *again;
	struct epoll_event events[EPOLL_EVENTS_MAX];
};

/* The roles. */
extern const struct epoll_role epoll_echo_role;
extern const struct epoll_role epoll_sink_role;
extern const struct epoll_role epoll_source_role;
extern const struct epoll_role epoll_datagram_role;

/*
 * `fd` is nonblocking and stays the caller's. `watched_fd` (-1: none) ends a turn with
 * TWIN_TURN_WATCHED when it is readable. Returns 0 or -errno.
 */
int epoll_server_create(int fd, int watched_fd, bool edge_triggered, const struct epoll_role *role,
			struct epoll_server **out);

/* Waits once (-1: for ever) and serves what is ready. Returns enum twin_turn or -errno. */
int epoll_server_turn(struct epoll_server *s, int timeout_ms);

/* Closes every connection. */
void epoll_server_destroy(struct epoll_server *s);

/* For roles: changes what a connection is watched for. False if it is of no use any more. */
bool epoll_server_watch(struct epoll_server *s, struct epoll_connection *c, uint32_t events);

#endif
