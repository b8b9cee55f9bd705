/* SPDX-License-Identifier: MIT */
/*
 * Datagrams that stand in line behind one another leave together: one at a time in the
 * ring they would need a turn each, since one request per lane is all the kernel has. So
 * the core sends them, as many as there is room for; the one that has to wait is the
 * backend's, like a single one.
 *
 * A connected socket tells with a send what an earlier one met, once, and in a call for
 * many the kernel loses it between two of them: there it is one call for each.
 */
#include "batch.h"

#include "own.h"

#include <errno.h>

/* Calls of one turn before others get a look in. */
#define CALLS_MAX 16u

static bool is_plain(const struct soq_socket *s, const struct soq_op *op)
{
	if (op == NULL || op->priv.kind != SOQI_KIND_SEND)
		return false;
	if ((op->priv.flags & SOQ_ZEROCOPY) && !(op->priv.flags & SOQI_OP_COPIES))
		return false;
	/* A call for many has one way for all. */
	if (op->priv.flags & SOQ_DONT_ROUTE)
		return false;
	return !soqi_batch_serves(s, op);
}

/* Makes the headers of those at the head of the lane. Returns how many. */
static unsigned fill(const struct soq_socket *s, const struct soqi_lane *lane,
		     struct soqi_batch_room *room, unsigned max)
{
	struct soq_op *op = lane->queue.first;
	unsigned count = 0;

	for (; count < max && is_plain(s, op); op = op->priv.next) {
		soqi_message_fill(s, op, false);
		room->headers[count++].msg_hdr = op->priv.header;
	}
	return count;
}

static int call(struct soq_loop *loop, const struct soq_socket *s, struct soqi_batch_room *room,
		unsigned count)
{
	int sent;

	for (unsigned i = 0; i < count; i++)
		soqi_own_borrow(room->headers[i].msg_hdr.msg_iov,
				room->headers[i].msg_hdr.msg_iovlen, false);
	sent = soqi_batch_call(s->fd, room->headers, count, 0);
	for (unsigned i = 0; i < count; i++)
		soqi_own_give_back(room->headers[i].msg_hdr.msg_iov,
				   room->headers[i].msg_hdr.msg_iovlen);
	loop->stats.requests++;
	loop->stats.completions += sent != -EAGAIN;
	return sent;
}

static void settle_one(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
		       int32_t result)
{
	struct soqi_ops ended = { NULL, NULL };

	lane->taken = 1;
	soqi_transfer_settle(s, lane, result, &ended);
	soqi_ops_end(loop, s, &ended);
}

static bool has_room(struct soq_loop *loop)
{
	if (soqi_unlikely(loop->batch == NULL))
		loop->batch = soqi_alloc(loop, sizeof(*loop->batch));
	return loop->batch != NULL;
}

void soqi_datagrams_send(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	bool connected = s->phase == SOQI_PHASE_CONNECTED || s->was_connected;
	unsigned max = connected ? 1 : SOQI_BATCH_MESSAGES;

	if (soqi_is_connection(s) || loop->dead != 0 || lane->polls ||
	    lane->queue.first->priv.next == NULL || !has_room(loop))
		return;
	for (unsigned calls = 0; calls < CALLS_MAX * (SOQI_BATCH_MESSAGES / max); calls++) {
		unsigned count = fill(s, lane, loop->batch, max);
		int sent = count > 0 ? call(loop, s, loop->batch, count) : -EAGAIN;

		if (sent == -EAGAIN)
			return;
		if (sent < 0)
			settle_one(loop, s, lane, sent);
		for (int i = 0; i < sent; i++)
			settle_one(loop, s, lane, (int32_t)loop->batch->headers[i].msg_len);
	}
	lane->spent = true;
}
