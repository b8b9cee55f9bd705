/* SPDX-License-Identifier: MIT */
/*
 * The load generator: connections that each keep `pipeline` requests outstanding
 * (a closed loop), and check every byte that comes back.
 */
#ifndef SOQPERF_CLIENT_H
#define SOQPERF_CLIENT_H

#include <soq/soq.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

struct client;

struct client_options {
	struct soq_endpoint endpoint;
	uint32_t connections;
	uint32_t pipeline;
	uint32_t size_bytes; /* of a request, and of its response */
};

struct client_result {
	uint64_t requests;        /* answered inside the window */
	uint64_t answered;        /* answered at all */
	uint64_t wrong;           /* responses with a wrong byte */
	uint64_t cut;             /* responses of which only a part came */
	uint64_t lost;            /* requests without any response */
	uint64_t failed;          /* sends, receives and connections that failed */
	int first_error;          /* -errno of the first failure, 0 */
	struct histogram latency; /* of the requests begun inside the window */
};

/* Makes the client's memory, all of it. Returns 0 and `*out`, or -errno. */
int client_create(struct soq_loop *loop, const struct client_options *options, struct client **out);

/* Connects every connection; runs the loop. Returns 0 or the first -errno. */
int client_connect(struct client *c, int64_t timeout_ns);

/* Begins to exchange; the caller runs the loop from here on. */
void client_start(struct client *c);

/*
 * What is answered from now on counts. With a `limit` other than 0 no more requests
 * are begun than make the count reach it; then the loop is stopped.
 */
void client_begin_window(struct client *c, uint64_t limit);

/* What is answered from now on does not count, and nothing new is begun. */
void client_end_window(struct client *c);

/* Nothing more will happen: all answered after the end, the limit met, or no connection left. */
bool client_idle(const struct client *c);

/* Requests answered inside the window so far. */
uint64_t client_requests(const struct client *c);

/* Closes all connections in good order and runs the loop until they are gone. */
void client_close(struct client *c, int64_t timeout_ns);

/* The result; final after client_close(). It lives as long as the client. */
const struct client_result *client_result(const struct client *c);

void client_destroy(struct client *c);

#endif
