/* SPDX-License-Identifier: MIT */
/* The bare epoll server as a contender, level- and edge-triggered. */
#include "contender.h"

#include "../twins/epoll_echo.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_MS 2000

struct epoll_state {
	struct epoll_echo *echo;
	int listen_fd;
	uint64_t answered;
};

static int open_echo(struct epoll_state *s, bool edge, struct sockaddr_in *where)
{
	socklen_t size = sizeof(*where);
	int ret;

	s->listen_fd = twin_listen("127.0.0.1:0");
	if (s->listen_fd < 0)
		return s->listen_fd;
	getsockname(s->listen_fd, (struct sockaddr *)where, &size);
	ret = epoll_echo_create(s->listen_fd, -1, edge, &s->echo);
	if (ret < 0)
		close(s->listen_fd);
	return ret;
}

static int create(const struct contender *self, void **state_out, struct sockaddr_in *where)
{
	struct epoll_state *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	ret = open_echo(s, self == &contender_raw_edge, where);
	if (ret < 0)
		free(s);
	else
		*state_out = s;
	return ret;
}

static int accept_all(void *state, uint64_t accepts)
{
	struct epoll_state *s = state;
	int ret = 0;

	while (ret >= 0 && epoll_echo_report(s->echo)->accepts < accepts)
		ret = epoll_echo_turn(s->echo, PATIENCE_MS);
	return ret < 0 ? ret : 0;
}

static int answer(void *state, uint64_t bytes)
{
	struct epoll_state *s = state;
	int ret = 0;

	s->answered += bytes;
	while (ret >= 0 && epoll_echo_report(s->echo)->bytes < s->answered)
		ret = epoll_echo_turn(s->echo, PATIENCE_MS);
	return ret < 0 ? ret : 0;
}

static struct control_report report(void *state)
{
	struct epoll_state *s = state;

	return *epoll_echo_report(s->echo);
}

static int destroy(void *state)
{
	struct epoll_state *s = state;

	epoll_echo_destroy(s->echo);
	close(s->listen_fd);
	free(s);
	return 0;
}

const struct contender contender_raw_epoll = {
	.name = "raw epoll",
	.key = "raw-epoll",
	.create = create,
	.accept = accept_all,
	.answer = answer,
	.report = report,
	.destroy = destroy,
};

const struct contender contender_raw_edge = {
	.name = "raw epoll, edge",
	.key = "raw-epoll-edge",
	.create = create,
	.accept = accept_all,
	.answer = answer,
	.report = report,
	.destroy = destroy,
};
