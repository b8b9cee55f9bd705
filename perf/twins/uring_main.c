/* SPDX-License-Identifier: MIT */
/* twin-uring: the servers on bare liburing as a program. */
#include "uring_server.h"

static int create(int fd, int watched_fd, const struct twin_options *options, void **state_out)
{
	static const struct uring_role *const roles[][2] = {
		[TWIN_ECHO] = { &uring_echo_role, &bufring_echo_role },
		[TWIN_SINK] = { &uring_sink_role, &bufring_sink_role },
		[TWIN_SOURCE] = { &uring_source_role, &uring_source_role },
		[TWIN_DATAGRAM] = { &uring_datagram_role, &bufring_datagram_role },
	};
	struct uring_server *s;
	int ret;

	ret = uring_server_create(fd, watched_fd, roles[options->role][options->option_given], &s);
	if (ret == 0)
		*state_out = s;
	return ret;
}

static int turn(void *state)
{
	return uring_server_turn(state, true);
}

static const struct control_report *report(const void *state)
{
	const struct uring_server *s = state;

	return &s->report;
}

static void destroy(void *state)
{
	uring_server_destroy(state);
}

int main(int argc, char **argv)
{
	static const struct twin twin = {
		.name = "twin-uring",
		.engine = "uring",
		.option = "--ring",
		.option_help = "receive into a ring of buffers",
		.create = create,
		.turn = turn,
		.report = report,
		.destroy = destroy,
	};

	return twin_main(argc, argv, &twin);
}
