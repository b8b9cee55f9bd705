/* SPDX-License-Identifier: MIT */
/*
 * The echo server on the public API: a multishot accept, and per connection one
 * receive op, one send op and two buffers, so that the next receive is started
 * together with the send of what the last one brought.
 *
 * Its memory is a slab that grows at accept; a request allocates nothing.
 */
#ifndef SOQPERF_ECHO_H
#define SOQPERF_ECHO_H

#include <soq/soq.h>
#include <stdint.h>

#define ECHO_BUFFER_BYTES 16384u

struct echo;

struct echo_counters {
	uint64_t bytes;       /* received, all to be sent back */
	uint64_t bytes_sent;  /* of sends that ended whole */
	uint64_t accepts;     /* connections that arrived */
	uint64_t connections; /* open now */
	uint64_t broken;      /* connections that ended in another way than by the peer's end */
	uint64_t allocations; /* times the slab grew */
	int error;            /* why accepting ended, 0 while it goes on */
};

/*
 * Listens at `ep` and starts accepting. Answers are sent with `send_flags`: SOQ_LAZY
 * unless somebody waits for their ends. Returns 0 and `*out`, or -errno.
 */
int echo_open(struct soq_loop *loop, const struct soq_endpoint *ep, uint32_t send_flags,
	      struct echo **out);

/* Where it listens. */
int echo_address(struct echo *e, struct soq_endpoint *ep_out);

/* The counters; they live as long as the server. */
const struct echo_counters *echo_counters(const struct echo *e);

/* Starts to end: no more accepts, every connection finished in good order. */
void echo_close(struct echo *e);

/* Frees the memory; the loop has no op of it in flight any more. */
void echo_free(struct echo *e);

#endif
