/* SPDX-License-Identifier: MIT */
/*
 * What has been moved, counted where the request that moved it is settled. A socket's
 * numbers are written by its loop's thread, or, detached, under its lock.
 */
#ifndef SOQI_COUNT_H
#define SOQI_COUNT_H

#include "loop.h"

static inline void soqi_count_received(struct soq_socket *s, uint64_t size_bytes, uint64_t messages)
{
	s->bytes[SOQI_LANE_RECV] += size_bytes;
	s->messages[SOQI_LANE_RECV] += messages;
	if (s->loop == NULL)
		return;
	s->loop->stats.bytes_received += size_bytes;
	s->loop->stats.messages_received += messages;
}

static inline void soqi_count_sent(struct soq_socket *s, uint64_t size_bytes, uint64_t messages)
{
	s->bytes[SOQI_LANE_SEND] += size_bytes;
	s->messages[SOQI_LANE_SEND] += messages;
	if (s->loop == NULL)
		return;
	s->loop->stats.bytes_sent += size_bytes;
	s->loop->stats.messages_sent += messages;
}

#endif
