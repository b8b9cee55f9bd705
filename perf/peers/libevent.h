/* SPDX-License-Identifier: MIT */
/* The program around the two servers on libevent, and the datagram role of both. */
#ifndef PEERS_LIBEVENT_H
#define PEERS_LIBEVENT_H

#include "../twins/twin.h"

#include <event2/event.h>
#include <event2/listener.h>

extern struct control_report libevent_counters;

/* `on_accept` is by role, those of TCP. Returns the exit code. */
int libevent_main(int argc, char **argv, const struct twin *twin,
		  const evconnlistener_cb on_accept[TWIN_DATAGRAM]);

/* Echoes datagrams on `fd`: libevent has no calls for them, so these are the program's own. */
bool libevent_open_datagram(struct event_base *base, int fd);

#endif
