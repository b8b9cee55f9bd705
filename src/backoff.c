/* SPDX-License-Identifier: MIT */
/*
 * Waiting for what no kernel tells: descriptors for an accept, room in the queue of
 * a unix listener, room with the receiver of a unix datagram. The lane is tried
 * again by timer, and whenever this loop closes a descriptor.
 */
#include "socket.h"

void soqi_backoff(struct soq_loop *loop, struct soqi_lane *lane, int64_t delay_ns)
{
	int64_t at_ns = soqi_now_ns() + delay_ns;

	lane->starved = true;
	lane->next_settled = loop->starved_first;
	loop->starved_first = lane;
	if (soqi_timer_armed(&loop->backoff)) {
		if (loop->backoff.priv.timer_ns <= at_ns)
			return;
		soqi_timer_disarm(&loop->timers, &loop->backoff);
	}
	loop->backoff.priv.kind = SOQI_KIND_BACKOFF;
	soqi_timer_arm(&loop->timers, &loop->backoff, at_ns);
}

void soqi_backoff_forget(struct soq_loop *loop, struct soqi_lane *lane)
{
	struct soqi_lane **link = &loop->starved_first;

	if (!lane->starved)
		return;
	while (*link != lane)
		link = &(*link)->next_settled;
	*link = lane->next_settled;
	lane->starved = false;
}

void soqi_backoff_end(struct soq_loop *loop)
{
	struct soqi_lane *lane;

	soqi_timer_disarm(&loop->timers, &loop->backoff);
	while ((lane = loop->starved_first) != NULL) {
		loop->starved_first = lane->next_settled;
		lane->starved = false;
		soqi_lane_dirty(loop, lane);
	}
}
