/* SPDX-License-Identifier: MIT */
/*
 * The echo server on the public API: a multishot accept, and one of two ways to receive.
 *
 * Plain: per connection one receive op, one send op and two buffers, so that the next
 * receive is started together with the send of what the last one brought. Pooled: one
 * multishot receive that is lent bufs; each is sent with its own op and returned.
 *
 * Its memory is a slab that grows at accept; a request allocates nothing.
 */
#ifndef SOQPERF_ECHO_H
#define SOQPERF_ECHO_H

#include <soq/soq.h>
#include <stdbool.h>
#include <stdint.h>

#define ECHO_BUFFER_BYTES 16384u

struct echo;

/* Zero in any field of it means the default. */
struct echo_options {
	bool lazy; /* answers are sent with SOQ_LAZY: nobody waits for their ends */
	bool pooled;
	bool hoards; /* pooled: what the first connection sends is kept, and never returned */
	uint32_t buffer_bytes; /* of a buffer, or of a buf: ECHO_BUFFER_BYTES, or the library's */
	uint32_t pool_bufs;
	uint32_t pool_share;
};

struct echo_counters {
	uint64_t bytes;       /* received, all to be sent back */
	uint64_t bytes_sent;  /* of sends that ended whole */
	uint64_t accepts;     /* connections that arrived */
	uint64_t connections; /* open now */
	uint64_t broken;      /* connections that ended in another way than by the peer's end */
	uint64_t allocations; /* times the slab grew */
	int error;            /* why accepting ended, 0 while it goes on */
};

/* Listens at `ep` and starts accepting. Returns 0 and `*out`, or -errno. */
int echo_open(struct soq_loop *loop, const struct soq_endpoint *ep,
	      const struct echo_options *options, struct echo **out);

/* How its pool fares; all 0 if it has none. */
struct soq_pool_info echo_pool_info(const struct echo *e);

/* Where it listens. */
int echo_address(struct echo *e, struct soq_endpoint *ep_out);

/* The counters; they live as long as the server. */
const struct echo_counters *echo_counters(const struct echo *e);

/* Starts to end: no more accepts, every connection finished in good order. */
void echo_close(struct echo *e);

/*
 * Frees the memory and the pool, before the loop ends; it has no op of them in flight any
 * more. Returns 0, or -errno if bufs are still on loan.
 */
int echo_free(struct echo *e);

#endif
