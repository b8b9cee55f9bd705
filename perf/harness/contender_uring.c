/* SPDX-License-Identifier: MIT */
/* The bare liburing servers as contenders: single receives, and a ring of buffers. */
#include "contender.h"

#include "../twins/bufring_echo.h"
#include "../twins/uring_echo.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* One of the two is there. */
struct uring_state {
	struct uring_echo *echo;
	struct bufring_echo *bufring;
	int listen_fd;
	uint64_t answered;
};

static int turn(struct uring_state *s, bool wait)
{
	return s->echo ? uring_echo_turn(s->echo, wait) : bufring_echo_turn(s->bufring, wait);
}

static struct control_report report(void *state)
{
	struct uring_state *s = state;

	return *(s->echo ? uring_echo_report(s->echo) : bufring_echo_report(s->bufring));
}

static int open_echo(struct uring_state *s, bool bufring, struct sockaddr_in *where)
{
	socklen_t size = sizeof(*where);
	int ret;

	s->listen_fd = twin_listen("127.0.0.1:0");
	if (s->listen_fd < 0)
		return s->listen_fd;
	getsockname(s->listen_fd, (struct sockaddr *)where, &size);
	ret = bufring ? bufring_echo_create(s->listen_fd, -1, &s->bufring)
		      : uring_echo_create(s->listen_fd, -1, &s->echo);
	if (ret < 0)
		close(s->listen_fd);
	return ret;
}

static int create(const struct contender *self, void **state_out, struct sockaddr_in *where)
{
	struct uring_state *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	ret = open_echo(s, self->echo.pooled, where);
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

	while (ret >= 0 && report(s).accepts < accepts)
		ret = turn(s, true);
	/* Hands over the receives, as the turn of an answer does. */
	return ret < 0 ? ret : turn(s, false);
}

/* What was received is sent by the enter after it: one that does not wait ends the turn. */
static int answer(void *state, uint64_t bytes)
{
	struct uring_state *s = state;
	int ret = 0;

	s->answered += bytes;
	while (ret >= 0 && report(s).bytes < s->answered)
		ret = turn(s, true);
	return ret < 0 ? ret : turn(s, false);
}

static int destroy(void *state)
{
	struct uring_state *s = state;

	if (s->echo)
		uring_echo_destroy(s->echo);
	else
		bufring_echo_destroy(s->bufring);
	close(s->listen_fd);
	free(s);
	return 0;
}

const struct contender contender_raw_uring = {
	.name = "raw liburing",
	.key = "raw-uring",
	.is_uring = true,
	.create = create,
	.accept = accept_all,
	.answer = answer,
	.report = report,
	.destroy = destroy,
};

const struct contender contender_raw_bufring = {
	.name = "raw liburing, ring",
	.key = "raw-uring-ring",
	.is_uring = true,
	.echo = { .pooled = true },
	.create = create,
	.accept = accept_all,
	.answer = answer,
	.report = report,
	.destroy = destroy,
};
