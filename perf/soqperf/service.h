/* SPDX-License-Identifier: MIT */
/*
 * What the measured servers have in common. A role is what a server does with bytes:
 * echo, sink, source, datagram; a service is one that runs. Each role's own struct
 * begins with the service.
 */
#ifndef SOQPERF_SERVICE_H
#define SOQPERF_SERVICE_H

#include <soq/soq.h>
#include <stdbool.h>
#include <stdint.h>

#define SERVICE_BUFFER_BYTES 16384u

/* How it receives. Zero in any number means the default. */
struct service_options {
	bool pooled;
	uint32_t buffer_bytes; /* of a buffer, or of a buf: as above, or the library's */
	uint32_t pool_bufs;
	uint32_t pool_share;
	uint32_t direct_count; /* places for direct descriptors, on io_uring */
};

struct service_counters {
	uint64_t bytes;       /* what the role is measured by: each says which */
	uint64_t bytes_sent;  /* of an echo: of sends that ended whole */
	uint64_t accepts;     /* connections that arrived */
	uint64_t connections; /* open now */
	uint64_t broken;      /* connections, or datagrams, that ended in another way than well */
	uint64_t allocations; /* times memory grew */
	int error;            /* why it ended by itself, 0 while it goes on */
};

struct service {
	struct soq_loop *loop;
	struct soq_socket *socket; /* the listener, or the socket of the datagrams */
	struct soq_pool *pool;     /* NULL: it receives plainly */
	struct service_counters counters;
	bool closing;
};

struct role {
	const char *name;
	/* Serves at `ep` from now on. Returns 0 and `*out`, or -errno. */
	int (*open)(struct soq_loop *loop, const struct soq_endpoint *ep,
		    const struct service_options *options, struct service **out);
	/* Starts to end: nothing new, and what there is ends in good order. */
	void (*close)(struct service *service);
	/* Frees the memory, before the loop ends, with no op in flight. Returns 0 or -errno. */
	int (*free)(struct service *service);
};

extern const struct role role_echo;
extern const struct role role_sink;
extern const struct role role_source;
extern const struct role role_datagram;

/* Makes the pool of a service that is pooled. Returns 0 or -errno. */
int service_make_pool(struct service *service, const struct service_options *options);

#endif
