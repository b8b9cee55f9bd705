/* SPDX-License-Identifier: MIT */
/*
 * The echo server on the public API: a multishot accept, and one of two ways to receive.
 *
 * Plain: per connection one receive op, one send op and two buffers, so that the next
 * receive is started together with the send of what the last one brought. Pooled: one
 * multishot receive that is lent bufs; each is sent with its own op and returned.
 */
#ifndef SOQPERF_ECHO_H
#define SOQPERF_ECHO_H

#include "service.h"

struct echo;

/* Zero in any field of it means the default; those of service.h are meant as there. */
struct echo_options {
	bool lazy; /* answers are sent with SOQ_LAZY: nobody waits for their ends */
	bool pooled;
	bool hoards; /* pooled: what the first connection sends is kept, and never returned */
	uint32_t buffer_bytes;
	uint32_t pool_bufs;
	uint32_t pool_share;
};

/* Listens at `ep` and starts accepting. Returns 0 and `*out`, or -errno. */
int echo_open(struct soq_loop *loop, const struct soq_endpoint *ep,
	      const struct echo_options *options, struct echo **out);

/* How its pool fares; all 0 if it has none. */
struct soq_pool_info echo_pool_info(const struct echo *e);

/* Where it listens. */
int echo_address(struct echo *e, struct soq_endpoint *ep_out);

/* The counters; they live as long as the server. */
const struct service_counters *echo_counters(const struct echo *e);

/* Starts to end: no more accepts, every connection finished in good order. */
void echo_close(struct echo *e);

/*
 * Frees the memory and the pool, before the loop ends; it has no op of them in flight any
 * more. Returns 0, or -errno if bufs are still on loan.
 */
int echo_free(struct echo *e);

#endif
