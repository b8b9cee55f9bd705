/* SPDX-License-Identifier: MIT */
/* A server of the harness, whatever it is made with: it listens and takes turns. */
#ifndef HARNESS_CONTENDER_H
#define HARNESS_CONTENDER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "../common/control.h"
#include "../soqperf/echo.h"
#include "ledger.h"

struct contender {
	const char *name; /* in tables */
	const char *key;  /* in JSON */
	bool is_soq;
	bool is_uring;
	struct echo_options echo; /* of soq's */
	uint32_t direct_count;    /* of soq: places for direct descriptors */
	/* Listens at a free loopback port. Returns 0, or -errno: it cannot be had here. */
	int (*create)(const struct contender *self, void **state_out, struct sockaddr_in *where);
	/* Accepts what has come until `accepts` connections are there. */
	int (*accept)(void *state, uint64_t accepts);
	/* Runs until `bytes` more than at the last call are handed to the kernel as answers. */
	int (*answer)(void *state, uint64_t bytes);
	/* The counters so far; cpu_ns is not filled in. */
	struct control_report (*report)(void *state);
	/* How its pool fares, and what its loop has allocated; NULL if it is none of soq's. */
	struct soq_pool_info (*pool_info)(void *state);
	const struct ledger *(*ledger)(void *state);
	int (*destroy)(void *state);
};

/* The contenders, soq first; those that cannot be had here fail in create(). */
extern const struct contender contender_pool_uring;
extern const struct contender contender_pool_epoll;
extern const struct contender contender_soq_uring;
extern const struct contender contender_soq_direct;
extern const struct contender contender_soq_epoll;
extern const struct contender contender_raw_epoll;
extern const struct contender contender_raw_edge;
#ifdef PERF_HAVE_URING
extern const struct contender contender_raw_uring;
extern const struct contender contender_raw_bufring;
#endif

#endif
