/* SPDX-License-Identifier: MIT */
/* The echo server on bare epoll. */
#include "epoll_echo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX   256
#define READS_MAX    32 /* per connection and turn, as soq's fallback has */
#define SHARED_BYTES 65536u

/* A connection; `tail` is what the peer did not take yet. */
struct connection {
	int fd;
	bool ended;
	unsigned char *tail;
	size_t tail_bytes;
	size_t tail_sent;
	struct connection *next;
	struct connection *prev;
};

struct epoll_echo {
	int epoll_fd;
	int listen_fd;
	int watched_fd;
	bool edge_triggered;
	struct control_report report;
	struct connection open; /* head of a ring */
	struct epoll_event events[EVENTS_MAX];
	unsigned char shared[SHARED_BYTES];
};

static uint32_t interest(const struct epoll_echo *e, const struct connection *c)
{
	if (e->edge_triggered)
		return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	return c->tail ? EPOLLOUT : EPOLLIN;
}

static int watch(struct epoll_echo *e, int operation, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return epoll_ctl(e->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void end_connection(struct connection *c)
{
	close(c->fd);
	c->prev->next = c->next;
	c->next->prev = c->prev;
	free(c->tail);
	free(c);
}

/* Keeps what could not be sent. False if the connection is of no use any more. */
static bool keep_tail(struct epoll_echo *e, struct connection *c, const unsigned char *data,
		      size_t bytes)
{
	e->report.allocations++;
	c->tail = malloc(bytes);
	if (!c->tail)
		return false;
	memcpy(c->tail, data, bytes);
	c->tail_bytes = bytes;
	c->tail_sent = 0;
	return e->edge_triggered || watch(e, EPOLL_CTL_MOD, c->fd, interest(e, c), c) == 0;
}

/* Sends what can be sent now; returns its count or -errno, -EAGAIN counting as 0. */
static ssize_t try_send(struct epoll_echo *e, struct connection *c, const unsigned char *data,
			size_t bytes)
{
	ssize_t n = send(c->fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	e->report.requests++;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	e->report.completions++;
	return n;
}

static bool flush_tail(struct epoll_echo *e, struct connection *c)
{
	ssize_t n = try_send(e, c, c->tail + c->tail_sent, c->tail_bytes - c->tail_sent);

	if (n < 0)
		return false;
	c->tail_sent += (size_t)n;
	if (c->tail_sent < c->tail_bytes)
		return true;
	free(c->tail);
	c->tail = NULL;
	return e->edge_triggered || watch(e, EPOLL_CTL_MOD, c->fd, interest(e, c), c) == 0;
}

static bool send_back(struct epoll_echo *e, struct connection *c, size_t bytes)
{
	ssize_t n = try_send(e, c, e->shared, bytes);

	if (n < 0)
		return false;
	return (size_t)n == bytes || keep_tail(e, c, e->shared + n, bytes - (size_t)n);
}

/*
 * Echoes until nothing is there. A receive that does not fill the buffer has drained
 * the socket, so the try that would fail is saved; what comes later is a new edge.
 */
static bool serve(struct epoll_echo *e, struct connection *c, bool hung_up)
{
	unsigned reads = e->edge_triggered ? READS_MAX : 1;

	while (reads--) {
		ssize_t n = recv(c->fd, e->shared, SHARED_BYTES, MSG_DONTWAIT);

		e->report.requests++;
		if (n < 0)
			return errno == EAGAIN;
		e->report.completions++;
		if (n == 0)
			return false;
		e->report.bytes += (uint64_t)n;
		if (!send_back(e, c, (size_t)n))
			return false;
		if (c->tail)
			return true;
		if ((size_t)n < SHARED_BYTES && !hung_up)
			return true;
	}
	/* The budget is spent with bytes left: a modification reports the edge again. */
	return !e->edge_triggered || watch(e, EPOLL_CTL_MOD, c->fd, interest(e, c), c) == 0;
}

static void on_event(struct epoll_echo *e, struct connection *c, uint32_t events)
{
	if (events & EPOLLRDHUP)
		c->ended = true;
	if (c->tail) {
		if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) && !flush_tail(e, c)) {
			end_connection(c);
			return;
		}
		/* Edges that came while the tail waited are not told again: look below. */
		if (c->tail || !e->edge_triggered)
			return;
	} else if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))) {
		return;
	}
	if (!serve(e, c, c->ended))
		end_connection(c);
}

static void accept_one(struct epoll_echo *e, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	e->report.allocations++;
	if (!c) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->next = &e->open;
	c->prev = e->open.prev;
	c->prev->next = c;
	c->next->prev = c;
	e->report.accepts++;
	if (watch(e, EPOLL_CTL_ADD, fd, interest(e, c), c) < 0)
		end_connection(c);
}

static void accept_all(struct epoll_echo *e)
{
	int fd;

	while ((fd = accept4(e->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		accept_one(e, fd);
}

int epoll_echo_turn(struct epoll_echo *e, int timeout_ms)
{
	int count, turn = TWIN_TURN_ECHO;

	count = epoll_wait(e->epoll_fd, e->events, EVENTS_MAX, timeout_ms);
	e->report.waits++;
	e->report.turns++;
	if (count < 0)
		return errno == EINTR ? TWIN_TURN_ECHO : -errno;
	for (int i = 0; i < count; i++) {
		void *data = e->events[i].data.ptr;

		if (data == &e->listen_fd)
			accept_all(e);
		else if (data == &e->watched_fd)
			turn = TWIN_TURN_WATCHED;
		else
			on_event(e, data, e->events[i].events);
	}
	return turn;
}

const struct control_report *epoll_echo_report(const struct epoll_echo *e)
{
	return &e->report;
}

int epoll_echo_create(int listen_fd, int watched_fd, bool edge_triggered, struct epoll_echo **out)
{
	struct epoll_echo *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return -ENOMEM;
	e->listen_fd = listen_fd;
	e->watched_fd = watched_fd;
	e->edge_triggered = edge_triggered;
	e->open.next = &e->open;
	e->open.prev = &e->open;
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ret = e->epoll_fd < 0 ? -errno : 0;
	if (ret == 0)
		ret = watch(e, EPOLL_CTL_ADD, listen_fd, EPOLLIN, &e->listen_fd);
	if (ret == 0 && watched_fd >= 0)
		ret = watch(e, EPOLL_CTL_ADD, watched_fd, EPOLLIN, &e->watched_fd);
	if (ret < 0) {
		epoll_echo_destroy(e);
		return ret;
	}
	*out = e;
	return 0;
}

void epoll_echo_destroy(struct epoll_echo *e)
{
	while (e->open.next != &e->open)
		end_connection(e->open.next);
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	free(e);
}
