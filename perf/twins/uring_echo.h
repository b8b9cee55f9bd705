/* SPDX-License-Identifier: MIT */
/*
 * The echo server on bare liburing 2.3, tuned as far as measurement showed a gain:
 * DEFER_TASKRUN, a registered ring descriptor, multishot accept, receives into the
 * connection's own two buffers (polling first when nothing was left), and sends that
 * leave no completion when they succeed (MSG_DONTWAIT | MSG_WAITALL and
 * CQE_SKIP_SUCCESS): one enter takes a batch of requests in and the batch of answers
 * before it out.
 */
#ifndef TWINS_URING_ECHO_H
#define TWINS_URING_ECHO_H

#include "twin.h"

struct uring_echo;

/*
 * `listen_fd` stays the caller's. `watched_fd` (-1: none) ends a turn with
 * TWIN_TURN_WATCHED each time it becomes readable. Returns 0 or -errno; -EINVAL or
 * -ENOSYS where the kernel lacks what it needs (Linux 6.1).
 */
int uring_echo_create(int listen_fd, int watched_fd, struct uring_echo **out);

/*
 * Hands over what is prepared and serves what is complete. Waits for one completion
 * if `wait`. Returns enum twin_turn or -errno.
 */
int uring_echo_turn(struct uring_echo *e, bool wait);

/* The counters so far. */
const struct control_report *uring_echo_report(const struct uring_echo *e);

/* Closes the ring and every connection. */
void uring_echo_destroy(struct uring_echo *e);

#endif
