/* SPDX-License-Identifier: MIT */
/* Listeners, and accepts with the places of their connections, for the tests of listeners. */
#ifndef SOQ_TESTS_LISTENER_KIT_H
#define SOQ_TESTS_LISTENER_KIT_H

#include "support.h"

/* An accept of the program's, and the place its connection has. */
struct visit {
	struct soq_connection place;
	struct probe *p;
};

static inline struct soq_listener_options options_of(struct fixture *t)
{
	return (struct soq_listener_options){ .size = sizeof(struct soq_listener_options),
					      .allocator = &t->allocator };
}

static inline struct soq_listener *listener_open(struct fixture *t,
						 struct soq_listener_options options)
{
	struct soq_endpoint any;
	struct soq_listener *l = NULL;

	expect(soq_endpoint_loopback(AF_INET, 0, &any), 0);
	options.local = &any;
	expect(soq_listener_open(t->loop, &options, &l), 0);
	return l;
}

static inline struct soq_endpoint listener_start(struct soq_listener *l)
{
	struct soq_endpoint ep = { 0 };

	expect(soq_listener_start(l), 0);
	expect(soq_socket_local(soq_listener_socket(l), &ep), 0);
	return ep;
}

static inline struct soq_listener_stats look(struct soq_listener *l)
{
	struct soq_listener_stats stats = { .size = sizeof(stats) };

	expect(soq_listener_stats(l, &stats), 0);
	return stats;
}

static inline void visit_await(struct fixture *t, struct soq_listener *l, struct visit *v)
{
	v->p = probe(t);
	started(v->p, soq_listener_accept_async(l, &v->p->op, &v->place));
}

/* A client of 127.0.0.`host`. */
static inline int client_of(const struct soq_endpoint *ep, unsigned host)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
	expect_true(fd >= 0);
	expect(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	expect(connect(fd, &ep->addr.any, ep->size_bytes), 0);
	return fd;
}

static inline void visit_end(struct visit *v)
{
	expect(soq_connection_end(&v->place), 0);
	expect(soq_connection_end(&v->place), 0);
	expect(soq_close(v->p->socket), 0);
}

#endif
