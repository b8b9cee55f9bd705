/* SPDX-License-Identifier: MIT */
/*
 * The echo server on bare liburing 2.3 with a ring of buffers: one multishot receive per
 * connection, and one send for all the buffers that came for it in a turn. They go back
 * when the enter that took the send has told nothing of it. Who holds too many because
 * its peer does not read is not received from.
 */
#ifndef TWINS_BUFRING_ECHO_H
#define TWINS_BUFRING_ECHO_H

#include "uring_bufs.h"
#include "uring_server.h"

#define BUFRING_BUFS 1024u /* what is never needed is never touched */
#define BUFRING_BUF_BYTES                                                                          \
	65536u /* streams cost 20 % less than with 16 KiB, small messages no more */

struct bufring_connection;

/* A server of bufring_echo_role; create() and its kin by the names that the harness has. */
struct bufring_echo {
	struct uring_server server;
	struct uring_bufs bufs;
	struct {
		uint32_t size_bytes;
		uint16_t next; /* of the same connection */
	} filled[BUFRING_BUFS];
	struct bufring_connection *dirty;   /* have something to send */
	struct bufring_connection *batch;   /* their sends are handed over */
	struct bufring_connection *starved; /* met an empty ring, the first first */
	struct bufring_connection **starved_end;
	/* Of the sends being prepared: each buffer is in one of them at most. */
	struct iovec parts[BUFRING_BUFS];
	struct msghdr messages[BUFRING_BUFS / 2];
	unsigned part_count;
	unsigned message_count;
};

static inline int bufring_echo_create(int listen_fd, int watched_fd, struct bufring_echo **out)
{
	struct uring_server *server;
	int ret;

	ret = uring_server_create(listen_fd, watched_fd, &bufring_echo_role, &server);
	if (ret == 0)
		*out = (struct bufring_echo *)server;
	return ret;
}

static inline int bufring_echo_turn(struct bufring_echo *e, bool wait)
{
	return uring_server_turn(&e->server, wait);
}

static inline const struct control_report *bufring_echo_report(const struct bufring_echo *e)
{
	return &e->server.report;
}

static inline void bufring_echo_destroy(struct bufring_echo *e)
{
	uring_server_destroy(&e->server);
}

#endif
