/* SPDX-License-Identifier: MIT */
/* peer-libevent-events: the servers on libevent's plain events. */
#include "libevent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHARED_BYTES 65536u
#define SENDS_MAX    4 /* per connection and turn */

/* A connection; `tail` is what the peer did not take yet. */
struct connection {
	int fd;
	struct event *ready; /* readable, or a source's: writable */
	struct event *writable;
	char *tail;
	size_t tail_bytes;
	size_t tail_sent;
	uint64_t position_bytes; /* a source's */
};

static char shared[SHARED_BYTES];
static char sunk[TWIN_SINK_BYTES];

static void end_connection(struct connection *c)
{
	event_free(c->ready);
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

	libevent_counters.requests++;
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
	event_add(c->ready, NULL);
}

/* Nothing more is read before the peer has taken what there is. */
static bool keep_tail(struct connection *c, const char *data, size_t bytes)
{
	if (!c->writable)
		c->writable = event_new(event_get_base(c->ready), c->fd, EV_WRITE | EV_PERSIST,
					on_writable, c);
	c->tail = malloc(bytes);
	if (!c->tail || !c->writable)
		return false;
	libevent_counters.allocations++;
	memcpy(c->tail, data, bytes);
	c->tail_bytes = bytes;
	c->tail_sent = 0;
	event_del(c->ready);
	event_add(c->writable, NULL);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct connection *c = user;
	ssize_t n = recv(fd, shared, SHARED_BYTES, 0), sent;

	(void)what;
	libevent_counters.requests++;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_connection(c);
		return;
	}
	libevent_counters.bytes += (uint64_t)n;
	sent = try_send(c, shared, (size_t)n);
	if (sent < 0 || (sent < n && !keep_tail(c, shared + sent, (size_t)(n - sent))))
		end_connection(c);
}

static void begin(struct evconnlistener *listener, evutil_socket_t fd, short what,
		  event_callback_fn on_ready)
{
	struct event_base *base = evconnlistener_get_base(listener);
	struct connection *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	libevent_counters.accepts++;
	libevent_counters.allocations += 2;
	c->fd = fd;
	c->ready = event_new(base, fd, what | EV_PERSIST, on_ready, c);
	event_add(c->ready, NULL);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int address_bytes, void *user)
{
	(void)address;
	(void)address_bytes;
	(void)user;
	begin(listener, fd, EV_READ, on_readable);
}

static void discard(evutil_socket_t fd, short what, void *user)
{
	ssize_t n = recv(fd, sunk, sizeof(sunk), 0);

	(void)what;
	libevent_counters.requests++;
	if (n > 0)
		libevent_counters.bytes += (uint64_t)n;
	else if (n == 0 || errno != EAGAIN)
		end_connection(user);
}

static void on_accept_sink(struct evconnlistener *listener, evutil_socket_t fd,
			   struct sockaddr *address, int address_bytes, void *user)
{
	(void)address;
	(void)address_bytes;
	(void)user;
	begin(listener, fd, EV_READ, discard);
}

/* A send that is short has filled the socket. */
static void send_chunks(evutil_socket_t fd, short what, void *user)
{
	struct iovec parts[TWIN_GATHERED];
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = TWIN_GATHERED };
	struct connection *c = user;
	size_t bytes;
	ssize_t n;

	(void)what;
	for (int i = 0; i < SENDS_MAX; i++) {
		bytes = twin_gather(c->position_bytes, parts);
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
		libevent_counters.requests++;
		if (n < 0 && errno != EAGAIN)
			end_connection(c);
		if (n < 0)
			return;
		libevent_counters.bytes += (uint64_t)n;
		c->position_bytes += (uint64_t)n;
		if ((size_t)n < bytes)
			return;
	}
}

static void on_accept_source(struct evconnlistener *listener, evutil_socket_t fd,
			     struct sockaddr *address, int address_bytes, void *user)
{
	(void)address;
	(void)address_bytes;
	(void)user;
	begin(listener, fd, EV_WRITE, send_chunks);
}

int main(int argc, char **argv)
{
	static const struct twin twin = { .name = "peer-libevent-events", .engine = "epoll" };
	static const evconnlistener_cb on_accept_by_role[TWIN_DATAGRAM] = {
		[TWIN_ECHO] = on_accept,
		[TWIN_SINK] = on_accept_sink,
		[TWIN_SOURCE] = on_accept_source,
	};

	return libevent_main(argc, argv, &twin, on_accept_by_role);
}
