/* SPDX-License-Identifier: MIT */
/*
 * Relays: an op in the receive lane of one socket and a partner, the library's own, in the
 * send lane of another. When both are at the head the core moves what it can; then one of
 * the lanes waits by a poll, for bytes or for room, and never both.
 */
#ifndef SOQI_RELAY_H
#define SOQI_RELAY_H

#include "socket.h"

/* Whether the head of a lane is half of a relay. */
static inline bool soqi_is_relay(const struct soqi_lane *lane)
{
	return lane->queue.first != NULL && lane->queue.first->priv.kind == SOQI_KIND_RELAY;
}

/*
 * The turn of a relay's half: moves what can be moved. True: its lane, which has
 * no request, has to wait by a poll. False: it waits for the other, or something has ended.
 */
bool soqi_relay_go(struct soq_loop *loop, struct soqi_lane *lane);

/* The error of a send, judged, ends the partner at the head of a send lane. */
void soqi_relay_settle(struct soq_socket *s, struct soqi_lane *lane, struct soqi_ops *ended);

/* One half has left its lane: it ends, and has the other end too. */
void soqi_relay_ended(struct soq_loop *loop, struct soq_op *op);

#endif
