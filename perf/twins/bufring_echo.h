/* SPDX-License-Identifier: MIT */
/*
 * The echo server on bare liburing 2.3 with a ring of provided buffers: one multishot
 * receive per connection, and sends from the buffer the kernel picked, which goes back
 * into the ring when it is sent. The rest is as in uring_echo.h.
 */
#ifndef TWINS_BUFRING_ECHO_H
#define TWINS_BUFRING_ECHO_H

#include "twin.h"

#define BUFRING_BUFS 64u /* of TWIN_BUFFER_BYTES, as soq's pool has */

struct bufring_echo;

/* As uring_echo_create() and its kin. */
int bufring_echo_create(int listen_fd, int watched_fd, struct bufring_echo **out);
int bufring_echo_turn(struct bufring_echo *e, bool wait);
const struct control_report *bufring_echo_report(const struct bufring_echo *e);
void bufring_echo_destroy(struct bufring_echo *e);

#endif
