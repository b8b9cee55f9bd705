/* SPDX-License-Identifier: MIT */
/*
 * The datagram role on bare liburing without a ring of buffers: the ring tells when the
 * socket is readable or writable. Single receives as requests would be one datagram per
 * enter, or many requests that wake for each datagram.
 */
#include "datagrams.h"
#include "uring_server.h"

#include <errno.h>
#include <poll.h>

#define CALLS_MAX 32 /* of a turn */

struct datagram_server {
	struct uring_server server;
	struct datagrams batch;
};

static void prepare_poll(struct uring_server *s, unsigned events)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_poll_add(sqe, 0, events);
	uring_finish(sqe, &s->anchor, URING_TAG_RECEIVE, 0);
}

static int open_batch(struct uring_server *s)
{
	datagrams_init(&((struct datagram_server *)s)->batch);
	prepare_poll(s, POLLIN);
	return 0;
}

/* What is left of the batch, and then batches until one is not full. */
static unsigned serve(struct datagram_server *d)
{
	struct uring_server *s = &d->server;

	for (int i = 0; i < CALLS_MAX; i++) {
		if (!datagrams_send(&d->batch, s->listen_fd, &s->report))
			return POLLOUT;
		if (i > 0 && d->batch.count < DATAGRAMS_MAX)
			break;
		datagrams_receive(&d->batch, s->listen_fd, &s->report);
	}
	return POLLIN;
}

static void on_ready(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	(void)owner;
	(void)cqe;
	prepare_poll(s, serve((struct datagram_server *)s));
}

const struct uring_role uring_datagram_role = {
	.server_bytes = sizeof(struct datagram_server),
	.open = open_batch,
	.on_receive = on_ready,
};
