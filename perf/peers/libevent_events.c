/* SPDX-License-Identifier: MIT */
/* peer-libevent-events: the echo server on libevent's plain events. */
#include "libevent.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define SHARED_BYTES 65536u

/* A connection; `tail` is what the peer did not take yet. */
struct connection {
	int fd;
	struct event *readable;
	struct event *writable;
	char *tail;
	size_t tail_bytes;
	size_t tail_sent;
};

static struct control_report counters;
static char shared[SHARED_BYTES];

static void end_connection(struct connection *c)
{
	event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	close(c->fd);
	free(c->tail);
	free(c);
}

/* Its count or -1; 0: not now. */
static ssize_t try_send(const struct connection *c, const char *data, size_t bytes)
{
	ssize_t n = send(c->fd, data, bytes, MSG_NOSIGNAL);

	counters.requests++;
	return n < 0 && errno == EAGAIN ? 0 : n;
}

static void on_writable(evutil_socket_t fd, short what, void *user)
{
	struct connection *c = user;
	ssize_t n = try_send(c, c->tail + c->tail_sent, c->tail_bytes - c->tail_sent);

	(void)fd;
	(void)what;
	if (n < 0) {
		end_connection(c);
		return;
	}
	c->tail_sent += (size_t)n;
	if (c->tail_sent < c->tail_bytes)
		return;
	free(c->tail);
	c->tail = NULL;
	event_del(c->writable);
	event_add(c->readable, NULL);
}

/* Nothing more is read before the peer has taken what there is. */
static bool keep_tail(struct connection *c, const char *data, size_t bytes)
{
	if (!c->writable)
		c->writable = event_new(event_get_base(c->readable), c->fd, EV_WRITE | EV_PERSIST,
					on_writable, c);
	c->tail = malloc(bytes);
	if (!c->tail || !c->writable)
		return false;
	counters.allocations++;
	memcpy(c->tail, data, bytes);
	c->tail_bytes = bytes;
	c->tail_sent = 0;
	event_del(c->readable);
	event_add(c->writable, NULL);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct connection *c = user;
	ssize_t n = recv(fd, shared, SHARED_BYTES, 0), sent;

	(void)what;
	counters.requests++;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_connection(c);
		return;
	}
	counters.bytes += (uint64_t)n;
	sent = try_send(c, shared, (size_t)n);
	if (sent < 0 || (sent < n && !keep_tail(c, shared + sent, (size_t)(n - sent))))
		end_connection(c);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int address_bytes, void *user)
{
	struct connection *c = calloc(1, sizeof(*c));

	(void)address;
	(void)address_bytes;
	(void)user;
	if (!c) {
		close(fd);
		return;
	}
	counters.accepts++;
	counters.allocations += 2;
	c->fd = fd;
	c->readable = event_new(evconnlistener_get_base(listener), fd, EV_READ | EV_PERSIST,
				on_readable, c);
	event_add(c->readable, NULL);
}

int main(int argc, char **argv)
{
	static const struct twin twin = { .name = "peer-libevent-events", .engine = "epoll" };

	return libevent_main(argc, argv, &twin, on_accept, &counters);
}
