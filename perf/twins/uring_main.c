/* SPDX-License-Identifier: MIT */
/* twin-uring: the echo server on bare liburing as a program. */
#include "uring_echo.h"

static int create(int listen_fd, int watched_fd, bool option_given, void **state_out)
{
	struct uring_echo *e;
	int ret;

	(void)option_given;
	ret = uring_echo_create(listen_fd, watched_fd, &e);
	if (ret == 0)
		*state_out = e;
	return ret;
}

static int turn(void *state)
{
	return uring_echo_turn(state, true);
}

static const struct control_report *report(const void *state)
{
	return uring_echo_report(state);
}

static void destroy(void *state)
{
	uring_echo_destroy(state);
}

int main(int argc, char **argv)
{
	static const struct twin twin = {
		.name = "twin-uring",
		.engine = "uring",
		.create = create,
		.turn = turn,
		.report = report,
		.destroy = destroy,
	};

	return twin_main(argc, argv, &twin);
}
