/* SPDX-License-Identifier: MIT */
/*
 * Hosts: network namespaces in a row, each joined to the next by a link, the inner ones
 * routers. A socket stays in the namespace it was opened in, so that one program plays
 * all of them: it opens its sockets "on" a host.
 *
 *   host 0 --- link 0 --- host 1 --- link 1 --- host 2
 *
 * On link N the left host is 10.0.N.1 and fd00:N::1, the right one 10.0.N.2 and fd00:N::2; a
 * host calls its links "left" and "right".
 */
#ifndef SOQ_TESTS_HOSTS_H
#define SOQ_TESTS_HOSTS_H

#include "support.h"

#define HOSTS_MAX 3u

struct hosts {
	int outside;        /* the namespace the program was in */
	int fds[HOSTS_MAX]; /* namespaces */
	unsigned count;
};

/* Makes them and their links, and enters host 0. */
void hosts_open(struct hosts *h, unsigned count);
/* Leaves them. They go with the last socket that is in them. */
void hosts_close(struct hosts *h);

/* This thread opens its sockets there from now on. */
void host_enter(const struct hosts *h, unsigned host);

/* Runs a shell command there, which has to succeed; then host 0 again. */
void host_run(const struct hosts *h, unsigned host, const char *command);
/* Adds a rule of nft to what comes into a host. */
void host_rule(const struct hosts *h, unsigned host, const char *rule);
/* Writes a file below /proc/sys there. */
void host_sysctl(const struct hosts *h, unsigned host, const char *name, const char *value);

/* A socket of host 0's or of another's. */
struct soq_socket *host_socket(struct fixture *t, const struct hosts *h, unsigned host, int family,
			       int type, int protocol);
/* The same, bound to a text such as "10.0.0.2:0"; `ep_out` is what it has become. */
struct soq_socket *host_bound(struct fixture *t, const struct hosts *h, unsigned host, int type,
			      const char *text, struct soq_endpoint *ep_out);
/* A stream of host 0's, and its peer on another, at the address `text`. */
void host_pair(struct fixture *t, const struct hosts *h, unsigned host, const char *text,
	       struct soq_socket **a, struct soq_socket **b);

/* The endpoint a text is. */
struct soq_endpoint at(const char *text);
/* The same with another port. */
struct soq_endpoint at_port(const char *text, const struct soq_endpoint *port_of);

/* connect() by each way there is: synchronous; asynchronous where there is a loop. */
unsigned host_ways(const struct fixture *t);
int64_t connect_way(struct fixture *t, unsigned way, struct soq_socket *s,
		    const struct soq_endpoint *ep);

#endif
