/* SPDX-License-Identifier: MIT */
/*
 * Zero-copy sends: two events. The first when the bytes are handed to the kernel: the op
 * leaves its lane, which goes on. The final one when nobody holds the memory any more,
 * which the peer decides. Each request of an op holds it once; an op whose bytes are
 * copied is never held, and gets both at once.
 */
#include "op.h"
#include "trace.h"

#include <errno.h>
#include <soq/message.h>

/*
 * Copied so many times in a row, a socket's sends are copied from the start: loopback
 * and cards without scatter-gather always do, a capture on a card does it for a while. It
 * costs some 4 us a send there (16 KiB on loopback: 6.4 us against 2.1, Linux 6.18).
 */
#define COPIED_MAX 8u

static bool is_worth_it(const struct soq_socket *s, uint64_t size_bytes)
{
	return !s->zerocopy_off && size_bytes >= s->loop->options.zerocopy_bytes;
}

/* A send that is to be cut into datagrams: kernels had trouble with both at once. */
static bool is_cut_up(const struct soq_op *op)
{
	return op->priv.message != NULL && (op->priv.message->info & SOQ_INFO_SEGMENTS);
}

uint32_t soqi_zerocopy_start(const struct soq_socket *s, const struct soq_op *op)
{
	if (is_cut_up(op))
		return SOQI_OP_COPIES;
	if (s->loop->backend->zerocopy && s->family != AF_UNIX && is_worth_it(s, op->priv.length))
		return 0;
	return SOQI_OP_COPIES;
}

struct soq_op *soqi_zerocopy_next(const struct soq_socket *s, const struct soqi_lane *lane)
{
	struct soq_op *op = lane->queue.first;

	if (op->priv.flags & SOQI_OP_COPIES)
		return NULL;
	if (is_worth_it(s, op->priv.length - op->priv.moved))
		return op;
	op->priv.flags |= SOQI_OP_COPIES;
	return NULL;
}

static void end(struct soq_loop *loop, struct soq_op *op)
{
	uint32_t flags = op->priv.event_flags;

	if (op->priv.result > 0 && (op->priv.flags & (SOQI_OP_COPIES | SOQI_OP_COPIED)))
		flags |= SOQ_F_COPIED;
	soqi_probe_stop(op->priv.socket, op);
	soqi_op_end(loop, op, op->priv.result, flags);
}

void soqi_zerocopy_settle(struct soq_loop *loop, struct soq_op *op)
{
	/* What moved nothing has no more to tell than its error. */
	if (op->priv.result >= 0)
		soqi_op_more(loop, op, NULL);
	/* Nothing can end it early from here on: that is what a cause says. */
	soqi_timer_disarm(&loop->timers, op);
	op->priv.cause = -EALREADY;
	op->priv.flags |= SOQI_OP_SETTLED;
	if (op->priv.holds == 0)
		end(loop, op);
}

void soqi_zerocopy_hold(struct soq_op *op)
{
	struct soq_socket *s = op->priv.socket;

	op->priv.holds++;
	s->zerocopy_holds++;
	s->loop->stats.zerocopy_sends++;
}

static void copied_note(struct soq_socket *s, enum soqi_copied copied)
{
	if (copied == SOQI_COPIED_NO)
		s->zerocopy_copied = 0;
	if (copied != SOQI_COPIED_YES)
		return;
	s->loop->stats.zerocopy_copied++;
	if (s->zerocopy_copied < COPIED_MAX)
		s->zerocopy_copied++;
	if (s->zerocopy_copied == COPIED_MAX)
		s->zerocopy_off = true;
}

/* A close may have waited for the memory alone: it goes on in this turn. */
static void close_go_on(struct soq_loop *loop, struct soq_socket *s)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_SEND];

	if (s->state == SOQI_SOCKET_CLOSING && lane->queue.first == NULL && !lane->settled)
		soqi_settled_push(loop, lane);
}

void soqi_zerocopy_let_go(struct soq_loop *loop, struct soq_op *op, enum soqi_copied copied)
{
	struct soq_socket *s = op->priv.socket;

	copied_note(s, copied);
	if (copied == SOQI_COPIED_YES)
		op->priv.flags |= SOQI_OP_COPIED;
	s->zerocopy_holds--;
	if (--op->priv.holds > 0 || !(op->priv.flags & SOQI_OP_SETTLED))
		return;
	end(loop, op);
	if (s->zerocopy_holds == 0)
		close_go_on(loop, s);
}

void soqi_zerocopy_refuse(struct soq_op *op, bool always)
{
	op->priv.flags |= SOQI_OP_COPIES;
	if (always)
		op->priv.socket->zerocopy_off = true;
}
