/* SPDX-License-Identifier: MIT */
/* The pairing heap of deadlines: loops throughout, so a long heap needs no stack. */
#include "timer.h"

#include <assert.h>

/*
 * A node's children are a list by timer_next. timer_prev is the sibling before,
 * for the first child the parent, for the root NULL.
 */

/* Joins two heaps whose roots have neither siblings nor parent; returns the root. */
static struct soq_op *meld(struct soq_op *a, struct soq_op *b)
{
	struct soq_op *late = b;

	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (b->priv.timer_ns < a->priv.timer_ns) {
		late = a;
		a = b;
	}
	late->priv.timer_prev = a;
	late->priv.timer_next = a->priv.timer_child;
	if (late->priv.timer_next != NULL)
		late->priv.timer_next->priv.timer_prev = late;
	a->priv.timer_child = late;
	return a;
}

static struct soq_op *detach(struct soq_op *op)
{
	op->priv.timer_next = NULL;
	op->priv.timer_prev = NULL;
	return op;
}

/*
 * Makes one heap of a list of siblings: melds them in pairs from the front, then
 * the pairs from the back. The two passes are what the amortised bound rests on.
 */
static struct soq_op *meld_siblings(struct soq_op *first)
{
	struct soq_op *pairs = NULL; /* last pair first, by timer_next */
	struct soq_op *root = NULL;

	while (first != NULL) {
		struct soq_op *a = first;
		struct soq_op *b = a->priv.timer_next;
		struct soq_op *pair;

		first = b != NULL ? b->priv.timer_next : NULL;
		pair = meld(detach(a), b != NULL ? detach(b) : NULL);
		pair->priv.timer_next = pairs;
		pairs = pair;
	}
	while (pairs != NULL) {
		struct soq_op *pair = pairs;

		pairs = pair->priv.timer_next;
		root = meld(root, detach(pair));
	}
	return root;
}

/* Takes `op` with all below it out of the list it is on; it is not the root. */
static void cut(struct soq_op *op)
{
	struct soq_op *before = op->priv.timer_prev;
	struct soq_op *after = op->priv.timer_next;

	if (before->priv.timer_child == op)
		before->priv.timer_child = after;
	else
		before->priv.timer_next = after;
	if (after != NULL)
		after->priv.timer_prev = before;
	detach(op);
}

void soqi_timer_arm(struct soqi_timers *timers, struct soq_op *op, int64_t at_ns)
{
	assert(at_ns > 0 && !soqi_timer_armed(op));
	op->priv.timer_ns = at_ns;
	op->priv.timed = 1;
	op->priv.timer_child = NULL;
	timers->root = meld(timers->root, detach(op));
	timers->count++;
}

void soqi_timer_disarm(struct soqi_timers *timers, struct soq_op *op)
{
	struct soq_op *below;

	if (!soqi_timer_armed(op))
		return;
	below = meld_siblings(op->priv.timer_child);
	op->priv.timer_child = NULL;
	if (op == timers->root) {
		timers->root = below;
	} else {
		cut(op);
		timers->root = meld(timers->root, below);
	}
	op->priv.timed = 0;
	timers->count--;
}
