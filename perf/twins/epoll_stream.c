/* SPDX-License-Identifier: MIT */
/* The sink and the source role on bare epoll. */
#include "epoll_server.h"

#include <errno.h>
#include <sys/socket.h>

#define SENDS_MAX 4 /* per connection and turn */

struct connection {
	struct epoll_connection base;
	bool ended;              /* a sink's: not done before the end was received */
	uint64_t position_bytes; /* a source's */
};

/* Nobody looks at what is in it: one does for all connections. */
static unsigned char hot[TWIN_SINK_BYTES];

/* A receive that does not fill the buffer has drained the socket, as in epoll_echo.c. */
static enum epoll_verdict sink(struct epoll_server *s, struct epoll_connection *base,
			       uint32_t events)
{
	struct connection *c = (struct connection *)base;
	unsigned calls = s->edge_triggered ? EPOLL_CALLS_MAX : 1;

	if (events & EPOLLRDHUP)
		c->ended = true;
	while (calls--) {
		ssize_t n = recv(base->fd, hot, TWIN_SINK_BYTES, MSG_DONTWAIT);

		s->report.requests++;
		if (n < 0)
			return errno == EAGAIN ? EPOLL_WAIT : EPOLL_END;
		s->report.completions++;
		if (n == 0)
			return EPOLL_END;
		s->report.bytes += (uint64_t)n;
		if ((size_t)n < TWIN_SINK_BYTES && !c->ended)
			return EPOLL_WAIT;
	}
	return EPOLL_AGAIN;
}

/* A send that is short has filled the socket: there will be an edge. */
static enum epoll_verdict source(struct epoll_server *s, struct epoll_connection *base,
				 uint32_t events)
{
	struct connection *c = (struct connection *)base;

	(void)events;
	for (int i = 0; i < SENDS_MAX; i++) {
		struct iovec parts[TWIN_GATHERED];
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = TWIN_GATHERED };
		size_t bytes = twin_gather(c->position_bytes, parts);
		ssize_t n = sendmsg(base->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

		s->report.requests++;
		if (n < 0)
			return errno == EAGAIN ? EPOLL_WAIT : EPOLL_END;
		s->report.completions++;
		s->report.bytes += (uint64_t)n;
		c->position_bytes += (uint64_t)n;
		if ((size_t)n < bytes)
			return EPOLL_WAIT;
	}
	return EPOLL_AGAIN;
}

const struct epoll_role epoll_sink_role = {
	.connection_bytes = sizeof(struct connection),
	.level_events = EPOLLIN,
	.edge_events = EPOLLIN | EPOLLRDHUP,
	.on_event = sink,
};

const struct epoll_role epoll_source_role = {
	.connection_bytes = sizeof(struct connection),
	.level_events = EPOLLOUT,
	.edge_events = EPOLLOUT,
	.on_event = source,
};
