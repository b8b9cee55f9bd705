/* SPDX-License-Identifier: MIT */
/* The datagram role on bare epoll. */
#include "datagrams.h"
#include "epoll_server.h"

#include <errno.h>

/* The one socket. */
struct connection {
	struct epoll_connection base;
	bool is_full; /* a batch waits for room to be sent */
	struct datagrams batch;
};

static enum epoll_verdict flush(struct epoll_server *s, struct connection *c)
{
	bool was_full = c->is_full;

	c->is_full = !datagrams_send(&c->batch, c->base.fd, &s->report);
	if (c->is_full != was_full)
		(void)!epoll_server_watch(s, &c->base, c->is_full ? EPOLLOUT : EPOLLIN);
	return c->is_full ? EPOLL_WAIT : EPOLL_AGAIN;
}

/* A batch that is not full has drained the socket. */
static enum epoll_verdict on_event(struct epoll_server *s, struct epoll_connection *base,
				   uint32_t events)
{
	struct connection *c = (struct connection *)base;
	unsigned calls = s->edge_triggered ? EPOLL_CALLS_MAX : 1;

	(void)events;
	if (c->is_full && flush(s, c) == EPOLL_WAIT)
		return EPOLL_WAIT;
	while (calls--) {
		int count = datagrams_receive(&c->batch, base->fd, &s->report);

		if (count == -EAGAIN)
			return EPOLL_WAIT;
		if (count > 0 && flush(s, c) == EPOLL_WAIT)
			return EPOLL_WAIT;
		if (count > 0 && (unsigned)count < DATAGRAMS_MAX)
			return EPOLL_WAIT;
	}
	return EPOLL_AGAIN;
}

static void on_begin(struct epoll_connection *base)
{
	datagrams_init(&((struct connection *)base)->batch);
}

const struct epoll_role epoll_datagram_role = {
	.connection_bytes = sizeof(struct connection),
	.level_events = EPOLLIN,
	.edge_events = EPOLLIN,
	.has_no_listener = true,
	.on_begin = on_begin,
	.on_event = on_event,
};
