/* SPDX-License-Identifier: MIT */
/* What the files of the epoll backend share, and unit tests may call. */
#ifndef SOQI_EPOLL_H
#define SOQI_EPOLL_H

#include "socket.h"

#include <sys/epoll.h>

/*
 * Readiness of a socket, in its backend_bits. A direction is taken to be ready
 * until a try said no; then it is blocked until the next edge.
 */
#define SOQI_EPOLL_REGISTERED   (1u << 0)
#define SOQI_EPOLL_BLOCKED_RECV (1u << 1)
#define SOQI_EPOLL_BLOCKED_SEND (1u << 2)
#define SOQI_EPOLL_HUP                                                                             \
	(1u << 3) /* an end, an error or urgent data is queued: a short read is not the last */

static inline uint32_t soqi_epoll_blocked(const struct soqi_lane *lane)
{
	return lane->index == SOQI_LANE_RECV ? SOQI_EPOLL_BLOCKED_RECV : SOQI_EPOLL_BLOCKED_SEND;
}

/* Takes in one epoll event of a socket: sets what it says is ready, wakes parked lanes. */
void soqi_epoll_event(struct soq_loop *loop, struct soq_socket *s, uint32_t events);

#endif
