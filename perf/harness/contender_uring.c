/* SPDX-License-Identifier: MIT */
/* The bare liburing server as a contender. */
#include "contender.h"

#include "../twins/uring_echo.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct uring_state {
	struct uring_echo *echo;
	int listen_fd;
	uint64_t answered;
};

static int open_echo(struct uring_state *s, struct sockaddr_in *where)
{
	socklen_t size = sizeof(*where);
	int ret;

	s->listen_fd = twin_listen("127.0.0.1:0");
	if (s->listen_fd < 0)
		return s->listen_fd;
	getsockname(s->listen_fd, (struct sockaddr *)where, &size);
	ret = uring_echo_create(s->listen_fd, -1, &s->echo);
	if (ret < 0)
		close(s->listen_fd);
	return ret;
}

static int create(const struct contender *self, void **state_out, struct sockaddr_in *where)
{
	struct uring_state *s = calloc(1, sizeof(*s));
	int ret;

	(void)self;
	if (!s)
		return -ENOMEM;
	ret = open_echo(s, where);
	if (ret < 0)
		free(s);
	else
		*state_out = s;
	return ret;
}

static int accept_all(void *state, uint64_t accepts)
{
	struct uring_state *s = state;
	int ret = 0;

	while (ret >= 0 && uring_echo_report(s->echo)->accepts < accepts)
		ret = uring_echo_turn(s->echo, true);
	/* Hands over the receives, as the turn of an answer does. */
	return ret < 0 ? ret : uring_echo_turn(s->echo, false);
}

/* What was received is sent by the enter after it: one that does not wait ends the turn. */
static int answer(void *state, uint64_t bytes)
{
	struct uring_state *s = state;
	int ret = 0;

	s->answered += bytes;
	while (ret >= 0 && uring_echo_report(s->echo)->bytes < s->answered)
		ret = uring_echo_turn(s->echo, true);
	return ret < 0 ? ret : uring_echo_turn(s->echo, false);
}

static struct control_report report(void *state)
{
	struct uring_state *s = state;

	return *uring_echo_report(s->echo);
}

static int destroy(void *state)
{
	struct uring_state *s = state;

	uring_echo_destroy(s->echo);
	close(s->listen_fd);
	free(s);
	return 0;
}

const struct contender contender_raw_uring = {
	.name = "raw liburing",
	.is_uring = true,
	.create = create,
	.accept = accept_all,
	.answer = answer,
	.report = report,
	.destroy = destroy,
};
