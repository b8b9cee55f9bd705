/* SPDX-License-Identifier: MIT */
/*
 * The echo server on bare liburing 2.3 with single receives into the connection's own
 * two buffers (polling first when nothing was left), and sends that leave no completion
 * when they succeed (MSG_DONTWAIT | MSG_WAITALL and CQE_SKIP_SUCCESS).
 */
#ifndef TWINS_URING_ECHO_H
#define TWINS_URING_ECHO_H

#include "uring_server.h"

/* A server of uring_echo_role, by the names that the harness has for it. */
struct uring_echo {
	struct uring_server server;
};

static inline int uring_echo_create(int listen_fd, int watched_fd, struct uring_echo **out)
{
	struct uring_server *server;
	int ret;

	ret = uring_server_create(listen_fd, watched_fd, &uring_echo_role, &server);
	if (ret == 0)
		*out = (struct uring_echo *)server;
	return ret;
}

static inline int uring_echo_turn(struct uring_echo *e, bool wait)
{
	return uring_server_turn(&e->server, wait);
}

static inline const struct control_report *uring_echo_report(const struct uring_echo *e)
{
	return &e->server.report;
}

static inline void uring_echo_destroy(struct uring_echo *e)
{
	uring_server_destroy(&e->server);
}

#endif
