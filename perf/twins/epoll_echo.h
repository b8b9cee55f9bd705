/* SPDX-License-Identifier: MIT */
/*
 * The echo server on bare epoll, level- or edge-triggered: what a careful program
 * does without a library. One shared receive buffer stays hot in the cache; a
 * connection has memory of its own only while its peer does not take what it is sent.
 */
#ifndef TWINS_EPOLL_ECHO_H
#define TWINS_EPOLL_ECHO_H

#include "epoll_server.h"

/* A server of epoll_echo_role, by the names that the harness has for it. */
struct epoll_echo {
	struct epoll_server server;
};

static inline int epoll_echo_create(int listen_fd, int watched_fd, bool edge_triggered,
				    struct epoll_echo **out)
{
	struct epoll_server *server;
	int ret;

	ret = epoll_server_create(listen_fd, watched_fd, edge_triggered, &epoll_echo_role, &server);
	if (ret == 0)
		*out = (struct epoll_echo *)server;
	return ret;
}

static inline int epoll_echo_turn(struct epoll_echo *e, int timeout_ms)
{
	return epoll_server_turn(&e->server, timeout_ms);
}

static inline const struct control_report *epoll_echo_report(const struct epoll_echo *e)
{
	return &e->server.report;
}

static inline void epoll_echo_destroy(struct epoll_echo *e)
{
	epoll_server_destroy(&e->server);
}

#endif
