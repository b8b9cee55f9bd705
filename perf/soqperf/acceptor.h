/* SPDX-License-Identifier: MIT */
/*
 * The part of a TCP role that is the same for all: it listens, gives each connection a
 * place in a slab, and ends connections. The slab grows at accept; whatever a role does
 * with bytes allocates nothing.
 */
#ifndef SOQPERF_ACCEPTOR_H
#define SOQPERF_ACCEPTOR_H

#include "service.h"

struct acceptor;

/* One connection; the role's own struct begins with it. */
struct connection {
	struct acceptor *acceptor;
	struct soq_socket *socket;
	unsigned char *buffer; /* `buffer_bytes` of its own */
	struct soq_op end;
	bool ending; /* nothing is to be started on it any more */
	struct connection *next;
	struct connection *prev;
};

struct acceptor_options {
	size_t connection_bytes; /* of the role's own struct */
	size_t buffer_bytes;     /* of memory for each connection */
	/* Takes a connection that has arrived; its own part of it is as it was left. */
	void (*begin)(struct connection *c);
};

/* A role's struct of the whole service begins with it. */
struct acceptor {
	struct service service;
	struct acceptor_options options;
	struct soq_op accept;
	struct slab *slabs;
	struct connection *free;
	struct connection open; /* head of a ring of the open ones */
};

/*
 * Listens at `ep`, makes the pool if there is to be one, and starts accepting. `a` is
 * zeroed memory. Returns 0 or -errno; after an error nothing is left.
 */
int acceptor_open(struct acceptor *a, struct soq_loop *loop, const struct soq_endpoint *ep,
		  const struct service_options *service, const struct acceptor_options *options);

/* Accepts no more, and finishes every connection. */
void acceptor_close(struct acceptor *a);

/* Frees what acceptor_open() and accepting made. Returns 0, or -errno of the pool. */
int acceptor_free(struct acceptor *a);

/* Ends a connection of which no op is in flight: it is gone when this returns. */
void connection_close(struct connection *c);

/* Ends one in good order: what is being sent goes out first. */
void connection_finish(struct connection *c);

/* Ends one that broke, or whose peer breaks a rule. */
void connection_break(struct connection *c);

#endif
