/* SPDX-License-Identifier: MIT */
/*
 * The load of `rr`: callers that each keep `pipeline` requests outstanding (a closed
 * loop) and check every byte that comes back, over TCP or UDP.
 */
#ifndef SOQPERF_RR_H
#define SOQPERF_RR_H

#include "load.h"

struct caller;

/* A request that is on its way, or the place for one. */
struct request {
	struct soq_op send;
	struct caller *caller;
	unsigned char *data;
	int64_t begun_ns;
	uint32_t run; /* requests that its send carries: this and those behind it */
	bool sending;
	bool answered; /* UDP: before an older one was */
};

/* One connection, or one connected UDP socket. */
struct caller {
	struct rr *rr;
	struct soq_socket *socket;
	struct soq_op receive; /* also the connect */
	struct request *requests;
	unsigned char *incoming; /* of a plain receive */
	uint64_t head;           /* sequence of the oldest request without its whole response */
	uint64_t next;           /* sequence of the next request */
	uint64_t last;           /* no requests from this sequence on: the idle have one */
	uint32_t offset;         /* bytes of the head's response that came */
	uint32_t number;
	bool idle;
	bool dead;
};

struct rr {
	struct load load;
	uint32_t size_bytes; /* of a request, and of its response */
	uint32_t pipeline;
	uint32_t send_flags;
	bool datagrams;
	struct soq_pool *pool; /* NULL: large responses are received plainly */
	uint32_t receive_bytes;
	struct caller *callers; /* those that take part, then the idle ones */
	uint32_t caller_count;
	uint32_t opened;
	uint32_t connecting;
	struct request *requests;
	unsigned char *data;
};

/* Requests a caller has room for: an idle one has one. */
static inline uint32_t rr_request_count(const struct caller *c)
{
	return c->idle ? 1 : c->rr->pipeline;
}

/* Starts to receive, and begins the first requests. */
void rr_begin(struct caller *c);

/* Takes a caller out of the exchange; what was on its way is lost. */
void rr_kill(struct caller *c);

/* The same, and the failure is counted. */
void rr_fail(struct caller *c, int64_t error);

#endif
