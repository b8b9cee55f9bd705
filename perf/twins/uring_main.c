/* SPDX-License-Identifier: MIT */
/* twin-uring: the echo servers on bare liburing as a program. */
#include "bufring_echo.h"
#include "uring_echo.h"

#include <stddef.h>

/* One of the two is there. */
static struct uring_echo *single;
static struct bufring_echo *bufring;

static int create(int listen_fd, int watched_fd, bool option_given, void **state_out)
{
	*state_out = NULL;
	return option_given ? bufring_echo_create(listen_fd, watched_fd, &bufring)
			    : uring_echo_create(listen_fd, watched_fd, &single);
}

static int turn(void *state)
{
	(void)state;
	return single ? uring_echo_turn(single, true) : bufring_echo_turn(bufring, true);
}

static const struct control_report *report(const void *state)
{
	(void)state;
	return single ? uring_echo_report(single) : bufring_echo_report(bufring);
}

static void destroy(void *state)
{
	(void)state;
	if (single)
		uring_echo_destroy(single);
	else
		bufring_echo_destroy(bufring);
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
