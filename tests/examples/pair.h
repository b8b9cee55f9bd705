/* SPDX-License-Identifier: MIT */
/* What several examples begin with: two sockets of one loop, connected to each other. */
#ifndef SOQ_EXAMPLES_PAIR_H
#define SOQ_EXAMPLES_PAIR_H

#include <soq/soq.h>

/*
 * One thread can do both ends: the kernel completes the connection before anybody
 * accepts it.
 */
static inline int pair(struct soq_loop *loop, struct soq_socket **a, struct soq_socket **b)
{
	struct soq_socket *listener;
	struct soq_endpoint ep;

	if (soq_endpoint_loopback(AF_INET, 0, &ep) != 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener) != 0 ||
	    soq_bind(listener, &ep) != 0 || soq_listen(listener, 1) != 0 ||
	    soq_socket_local(listener, &ep) != 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, a) != 0 || soq_connect(*a, &ep) != 0 ||
	    soq_accept(listener, b, NULL) != 0)
		return -1;
	return soq_close(listener);
}

/* Closes whatever is left and ends the loop. */
static inline int finish(struct soq_loop *loop)
{
	if (soq_loop_close_all(loop) != 0 || soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0)
		return 1;
	return soq_loop_destroy(loop) != 0;
}

#endif
