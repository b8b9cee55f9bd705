/* SPDX-License-Identifier: MIT */
/*
 * A child process that has the far ends of idle connections: 10,000 of them and their
 * near ends are more descriptors than one process may have everywhere.
 */
#ifndef HARNESS_HOLDER_H
#define HARNESS_HOLDER_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

struct holder {
	int fd; /* orders and answers */
	pid_t pid;
};

/* Forks it, before any loop is made. Returns 0 or -errno. */
int holder_start(struct holder *holder);

/* Connects `count` more to `where`, where there has to be room for them. 0 or -errno. */
int holder_connect(const struct holder *holder, const struct sockaddr_in *where, uint32_t count);

/* Closes all. Returns on how many something came, or which were broken; or -errno. */
int holder_drop(const struct holder *holder);

/* Ends it; it would also end with its parent. */
void holder_stop(struct holder *holder);

#endif
