/* SPDX-License-Identifier: MIT */
/*
 * Urgent bytes. TCP has one, beside the stream: a receive of it asks whether it is there,
 * now, and takes no part in the receive lane. In the ring it would wait for bytes that are
 * no business of its, so the core asks itself.
 */
#include "pool.h"

#include <errno.h>

int soqi_urgent_check(const struct soq_socket *s, uint32_t flags)
{
	/* MPTCP passes over the flag and says nothing. */
	if (s->protocol == SOQI_MPTCP)
		return -EOPNOTSUPP;
	return flags & SOQ_ZEROCOPY ? -EINVAL : 0;
}

int32_t soqi_urgent_try(const struct soq_socket *s, struct soqi_lane *lane)
{
	struct iovec room[SOQI_REQUEST_SEGMENTS];
	struct soqi_request request = { .kind = SOQI_REQUEST_RECV };
	int32_t result;

	soqi_request_fill(s, lane, room, SOQI_REQUEST_SEGMENTS, &request);
	request.message_flags |= MSG_OOB;
	request.lent = s->loop != NULL;
	result = soqi_try(&request);
	/* Announced, and not here yet: to the caller that is the same. */
	return result == -EAGAIN ? -EINVAL : result;
}

void soqi_urgent_end(struct soq_socket *s, struct soq_op *op)
{
	struct soqi_lane lane = { .index = SOQI_LANE_RECV, .taken = 1 };
	struct soqi_ops ended = { NULL, NULL };
	struct soq_loop *loop = s->loop;
	int32_t result;

	soqi_lane_push(&lane, op);
	result = loop->dead != 0 ? loop->dead : soqi_urgent_try(s, &lane);
	loop->stats.requests++;
	loop->stats.completions++;
	soqi_transfer_settle(s, &lane, result, &ended);
	soqi_ops_end(loop, s, &ended);
}
