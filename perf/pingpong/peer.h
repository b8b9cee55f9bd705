/* SPDX-License-Identifier: MIT */
/* The other end of every row: a child process, a thread of blocking calls per connection. */
#ifndef PINGPONG_PEER_H
#define PINGPONG_PEER_H

#include <netinet/in.h>
#include <sys/types.h>

struct peer {
	struct sockaddr_in where;
	int listen_fd;
	pid_t pid;
};

/*
 * Forks it, pinned to `cpu` (-1: anywhere). Before anything is made that a child must not
 * inherit. Returns 0 or -errno.
 */
int peer_start(struct peer *peer, int cpu);

/* Ends it; it would also end with its parent. */
void peer_stop(struct peer *peer);

#endif
