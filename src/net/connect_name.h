/* SPDX-License-Identifier: MIT */
/* Connecting by name: what its two halves, the calls and the attempts, share. */
#ifndef SOQI_CONNECT_NAME_H
#define SOQI_CONNECT_NAME_H

#include "name.h"

/* One address, tried on a socket of its own. */
struct soqi_attempt {
	struct soq_op op;
	struct soqi_connecting *connecting;
	struct soq_connect_list list; /* of one: policies are told the name with it */
	struct soq_endpoint endpoint;
	bool in_flight;
};

/* A connect by name, from its start until its op ends. */
struct soqi_connecting {
	struct soq_op *op; /* the program's */
	struct soq_loop *loop;
	const struct soq_connect_name *name;
	char host[SOQI_NAME_MAX + 1]; /* "" if it is an address */
	struct soqi_lookup *lookup;   /* while there is one */
	bool given_up;                /* though the lookup has its answer */

	struct soqi_attempt *attempts; /* in the order they are made in */
	uint32_t count;
	uint32_t next;      /* of those not begun */
	uint32_t in_flight; /* whose op has not ended */

	struct soq_op timer;
	bool timed;      /* the timer's op is in flight */
	int64_t next_ns; /* when an attempt that has no answer has the next one beside it */

	bool ending;               /* no more attempts begin */
	struct soq_socket *winner; /* the first that connected */
	int result;                /* if there is none: what the last said */
};

/* attempts.c. Puts what was found in order, and starts; ends the op if there is nothing. */
void soqi_attempts_begin(struct soqi_connecting *c, const struct addrinfo *found);
/* Cuts all attempts, for `cause`. */
void soqi_attempts_cut(struct soqi_connecting *c, int cause);
/* Ends the op, with the winner or `result`, and forgets it all. */
void soqi_connecting_end(struct soqi_connecting *c);
/* The same without an op that has begun. */
void soqi_connecting_free(struct soqi_connecting *c);
/* For the timer's op. */
void soqi_attempts_timer(const struct soq_event *event);

#endif
