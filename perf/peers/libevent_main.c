/* SPDX-License-Identifier: MIT */
/* The program around the two servers on libevent. */
#include "libevent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct control_report libevent_counters;

static void on_signal(evutil_socket_t number, short what, void *user)
{
	(void)what;
	(void)user;
	control_say_report(STDOUT_FILENO, &libevent_counters);
	if (number != SIGUSR1)
		exit(EXIT_SUCCESS);
}

/* One thread, so no locks; changes of interest are handed over once per turn. */
static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	event_config_set_flag(config,
			      EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int libevent_main(int argc, char **argv, const struct twin *twin,
		  const evconnlistener_cb on_accept[TWIN_DATAGRAM])
{
	static const int numbers[] = { SIGUSR1, SIGTERM, SIGINT };
	struct twin_options options;
	struct event_base *base;
	bool is_open;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	fd = twin_open(argc, argv, twin, &options);
	base = make_base();
	if (!base)
		return TWIN_EXIT_CANNOT_RUN;
	for (int i = 0; i < 3; i++)
		evsignal_add(evsignal_new(base, numbers[i], on_signal, NULL), NULL);
	if (options.role == TWIN_DATAGRAM)
		is_open = libevent_open_datagram(base, fd);
	else /* 0: it listens already. TCP_NODELAY is inherited. */
		is_open = evconnlistener_new(base, on_accept[options.role], NULL,
					     LEV_OPT_CLOSE_ON_FREE, 0, fd) != NULL;
	if (!is_open) {
		fprintf(stderr, "%s: cannot listen\n", twin->name);
		return TWIN_EXIT_CANNOT_RUN;
	}
	twin_say_listening(fd, twin);
	event_base_dispatch(base);
	return EXIT_FAILURE;
}
