/* SPDX-License-Identifier: MIT */
/* What the servers on bare epoll share. */
#include "epoll_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int control(struct epoll_server *s, int operation, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return epoll_ctl(s->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

bool epoll_server_watch(struct epoll_server *s, struct epoll_connection *c, uint32_t events)
{
	if (s->edge_triggered)
		events |= EPOLLET;
	return control(s, EPOLL_CTL_MOD, c->fd, events, c) == 0;
}

static void end_connection(struct epoll_server *s, struct epoll_connection *c)
{
	close(c->fd);
	c->prev->next = c->next;
	c->next->prev = c->prev;
	if (s->role->on_end)
		s->role->on_end(c);
	free(c);
}

static int begin_connection(struct epoll_server *s, int fd)
{
	struct epoll_connection *c = calloc(1, s->role->connection_bytes);
	int ret;

	s->report.allocations++;
	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = fd;
	if (s->role->on_begin)
		s->role->on_begin(c);
	c->next = &s->open;
	c->prev = s->open.prev;
	c->prev->next = c;
	c->next->prev = c;
	ret = control(s, EPOLL_CTL_ADD, fd,
		      s->edge_triggered ? s->role->edge_events | EPOLLET : s->role->level_events,
		      c);
	if (ret < 0)
		end_connection(s, c);
	return ret;
}

static void accept_all(struct epoll_server *s)
{
	int fd;

	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		s->report.accepts++;
		(void)!begin_connection(s, fd);
	}
}

static void serve(struct epoll_server *s, struct epoll_connection *c, uint32_t events)
{
	enum epoll_verdict verdict = s->role->on_event(s, c, events);

	if (verdict == EPOLL_END) {
		end_connection(s, c);
	} else if (verdict == EPOLL_AGAIN && s->edge_triggered) {
		c->is_again = true;
		c->pending = 0;
		c->again = s->again;
		s->again = c;
	}
}

/* Those that were not done in the turn before: ready, as far as anybody knows. */
static void serve_again(struct epoll_server *s, struct epoll_connection *c)
{
	while (c) {
		struct epoll_connection *next = c->again;

		c->is_again = false;
		serve(s, c, c->pending | EPOLLIN | EPOLLOUT);
		c = next;
	}
}

static void on_event(struct epoll_server *s, struct epoll_connection *c, uint32_t events)
{
	if (c->is_again)
		c->pending |= events;
	else
		serve(s, c, events);
}

int epoll_server_turn(struct epoll_server *s, int timeout_ms)
{
	struct epoll_connection *again;
	int count, turn = TWIN_TURN_SERVED;

	count = epoll_wait(s->epoll_fd, s->events, EPOLL_EVENTS_MAX, s->again ? 0 : timeout_ms);
	s->report.waits++;
	s->report.turns++;
	if (count < 0)
		return errno == EINTR ? TWIN_TURN_SERVED : -errno;
	again = s->again;
	s->again = NULL;
	for (int i = 0; i < count; i++) {
		void *data = s->events[i].data.ptr;

		if (data == &s->listen_fd)
			accept_all(s);
		else if (data == &s->watched_fd)
			turn = TWIN_TURN_WATCHED;
		else
			on_event(s, data, s->events[i].events);
	}
	serve_again(s, again);
	return turn;
}

static int open_set(struct epoll_server *s)
{
	int ret;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return -errno;
	if (s->watched_fd >= 0) {
		ret = control(s, EPOLL_CTL_ADD, s->watched_fd, EPOLLIN, &s->watched_fd);
		if (ret < 0)
			return ret;
	}
	if (!s->role->has_no_listener)
		return control(s, EPOLL_CTL_ADD, s->listen_fd, EPOLLIN, &s->listen_fd);
	/* A descriptor of its own, since a connection's is closed with it. */
	ret = fcntl(s->listen_fd, F_DUPFD_CLOEXEC, 0);
	return ret < 0 ? -errno : begin_connection(s, ret);
}

int epoll_server_create(int fd, int watched_fd, bool edge_triggered, const struct epoll_role *role,
			struct epoll_server **out)
{
	struct epoll_server *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->role = role;
	s->listen_fd = fd;
	s->watched_fd = watched_fd;
	s->edge_triggered = edge_triggered;
	s->open.next = &s->open;
	s->open.prev = &s->open;
	ret = open_set(s);
	if (ret < 0) {
		epoll_server_destroy(s);
		return ret;
	}
	*out = s;
	return 0;
}

void epoll_server_destroy(struct epoll_server *s)
{
	struct epoll_connection *c, *next;

	for (c = s->open.next; c != &s->open; c = next) {
		next = c->next;
		end_connection(s, c);
	}
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
}
