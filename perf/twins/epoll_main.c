/* SPDX-License-Identifier: MIT */
/* twin-epoll: the echo server on bare epoll as a program. */
#include "epoll_echo.h"

static int create(int listen_fd, int watched_fd, bool edge_triggered, void **state_out)
{
	struct epoll_echo *e;
	int ret = epoll_echo_create(listen_fd, watched_fd, edge_triggered, &e);

	if (ret == 0)
		*state_out = e;
	return ret;
}

static int turn(void *state)
{
	return epoll_echo_turn(state, -1);
}

static const struct control_report *report(const void *state)
{
	return epoll_echo_report(state);
}

static void destroy(void *state)
{
	epoll_echo_destroy(state);
}

int main(int argc, char **argv)
{
	static const struct twin twin = {
		.name = "twin-epoll",
		.engine = "epoll",
		.option = "--edge",
		.option_help = "edge-triggered instead of level-triggered",
		.create = create,
		.turn = turn,
		.report = report,
		.destroy = destroy,
	};

	return twin_main(argc, argv, &twin);
}
