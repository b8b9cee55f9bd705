/* SPDX-License-Identifier: MIT */
/*
 * The echo server on bare epoll, level- or edge-triggered: what a careful program
 * does without a library. One shared receive buffer stays hot in the cache; a
 * connection has memory of its own only while its peer does not take what it is sent.
 */
#ifndef TWINS_EPOLL_ECHO_H
#define TWINS_EPOLL_ECHO_H

#include "twin.h"

struct epoll_echo;

/*
 * `listen_fd` is nonblocking and stays the caller's. `watched_fd` (-1: none) ends a
 * turn with TWIN_TURN_WATCHED when it is readable. Returns 0 or -errno.
 */
int epoll_echo_create(int listen_fd, int watched_fd, bool edge_triggered, struct epoll_echo **out);

/* Waits once (-1: for ever) and serves what is ready. Returns enum twin_turn or -errno. */
int epoll_echo_turn(struct epoll_echo *e, int timeout_ms);

/* The counters so far. */
const struct control_report *epoll_echo_report(const struct epoll_echo *e);

/* Closes every connection. */
void epoll_echo_destroy(struct epoll_echo *e);

#endif
