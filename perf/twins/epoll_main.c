/* SPDX-License-Identifier: MIT */
/* twin-epoll: the servers on bare epoll as a program. */
#include "epoll_server.h"

static int create(int fd, int watched_fd, const struct twin_options *options, void **state_out)
{
	static const struct epoll_role *const roles[] = {
		[TWIN_ECHO] = &epoll_echo_role,
		[TWIN_SINK] = &epoll_sink_role,
		[TWIN_SOURCE] = &epoll_source_role,
		[TWIN_DATAGRAM] = &epoll_datagram_role,
	};
	struct epoll_server *s;
	int ret;

	ret = epoll_server_create(fd, watched_fd, options->option_given, roles[options->role], &s);
	if (ret == 0)
		*state_out = s;
	return ret;
}

static int turn(void *state)
{
	return epoll_server_turn(state, -1);
}

static const struct control_report *report(const void *state)
{
	const struct epoll_server *s = state;

	return &s->report;
}

static void destroy(void *state)
{
	epoll_server_destroy(state);
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
