/* SPDX-License-Identifier: MIT */
/* The program around the two servers on libevent. */
#ifndef PEERS_LIBEVENT_H
#define PEERS_LIBEVENT_H

#include "../twins/twin.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void libevent_on_signal(evutil_socket_t number, short what, void *user)
{
	struct control_report *counters = user;

	(void)what;
	control_say_report(STDOUT_FILENO, counters);
	if (number != SIGUSR1)
		exit(EXIT_SUCCESS);
}

/* One thread, so no locks; changes of interest are handed over once per turn. */
static inline struct event_base *libevent_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	event_config_set_flag(config,
			      EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static inline int libevent_main(int argc, char **argv, const struct twin *twin,
				evconnlistener_cb on_accept, struct control_report *counters)
{
	static const int numbers[] = { SIGUSR1, SIGTERM, SIGINT };
	struct evconnlistener *listener;
	struct event_base *base;
	bool option_given;
	int listen_fd;

	signal(SIGPIPE, SIG_IGN);
	listen_fd = twin_open(argc, argv, twin, &option_given);
	base = libevent_base();
	if (!base)
		return TWIN_EXIT_CANNOT_RUN;
	for (int i = 0; i < 3; i++)
		evsignal_add(evsignal_new(base, numbers[i], libevent_on_signal, counters), NULL);
	/* 0: it listens already. TCP_NODELAY is inherited. */
	listener = evconnlistener_new(base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 0, listen_fd);
	if (!listener) {
		fprintf(stderr, "%s: cannot listen\n", twin->name);
		return TWIN_EXIT_CANNOT_RUN;
	}
	twin_say_listening(listen_fd, twin);
	event_base_dispatch(base);
	return EXIT_FAILURE;
}

#endif
