/* SPDX-License-Identifier: MIT */
/*
 * A ring without a kernel: the whole core runs on it, and a test says which
 * completions come, in which order and in which turn. They go through the real
 * intake of the io_uring backend.
 */
#ifndef SOQ_TESTS_FAKE_RING_H
#define SOQ_TESTS_FAKE_RING_H

#include "unit.h"

#include "socket.h"
#include "uring/uring.h"

#include <soq/soq.h>

struct fake_ring {
	struct soqi_uring impl; /* first: it is loop->impl */
	struct {
		uint64_t user_data;
		int32_t result;
		uint32_t flags;
	} queue[64];
	unsigned count;
	unsigned submits;
	unsigned cancels;
	uint64_t cancelled; /* the token of the last cancel */
	enum soqi_request_kind submitted;
	struct msghdr *header; /* of the last submit */
	bool refuses_pools;    /* the core picks */
	unsigned homes;        /* bufs that were given to the kernel to pick again */
	uint64_t victim;       /* and the user_data it was for */
	uint64_t hold; /* the user_data of the last submit, if it was a zero-copy one, or 0 */
	/* Lazy sends: the last as the kernel would see it; whether the last wait might sleep. */
	unsigned lazies;
	struct io_uring_sqe lazy;
	bool may_sleep;
	int refused; /* what waits end with from now on, if not 0 */
	/* What the kernel shows of its queues. */
	unsigned sq_head;
	unsigned sq_flags;
};

extern struct fake_ring fake_ring;

/* A loop on the fake ring; fake_loop_end() checks that nothing is left of it. */
struct soq_loop *fake_loop(void);
void fake_loop_end(struct soq_loop *loop);
/* The same, after its last socket is closed. */
void fake_loop_end_with(struct soq_loop *loop, struct soq_socket *s);

/* A socket the loop takes for connected, or for listening. */
struct soq_socket *fake_connected(struct soq_loop *loop);
struct soq_socket *fake_listening(struct soq_loop *loop);

/* Queues a completion for the next turn. */
void fake_complete(uint64_t user_data, int32_t result, uint32_t flags);

/* One turn: what is queued comes in, and done() is called for what that ends. */
void fake_turn(struct soq_loop *loop);

/* What the kernel would be told about the request of a lane. */
static inline uint64_t fake_token(const struct soq_socket *s, enum soqi_lane_index index)
{
	return soqi_token(s->slot, &s->lane[index]);
}

/* An op that writes down its events. */
struct noted {
	struct soq_op op;
	unsigned more;   /* events with SOQ_F_MORE */
	unsigned finals; /* events without */
	unsigned finals_at_last_more;
	int64_t result; /* of the final one */
	uint32_t flags;
	struct soq_socket *socket[8]; /* what arrived, in order */
	unsigned sockets;
};

void noted_done(const struct soq_event *event);
void noted_init(struct noted *n);

#endif
