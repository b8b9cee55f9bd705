/* SPDX-License-Identifier: MIT */
/*
 * The two calls for any thread and any signal handler. A post is pushed on a stack
 * of ops with one compare-and-swap; whoever finds `wake_sent` clear writes the wake
 * descriptor. The owner clears it before it takes the stack, so a post that comes
 * in between either is in the stack or writes again: none sleeps unseen. All of it
 * is sequentially consistent, since the two words must be seen in one order.
 */
#include "op.h"

#include <errno.h>
#include <unistd.h>

void soqi_wake(struct soq_loop *loop)
{
	const uint64_t one = 1;
	int saved = errno;

	/* It can only fail because the descriptor is full, and then it is readable. */
	if (atomic_exchange(&loop->wake_sent, 1) == 0)
		if (write(loop->wake_fd, &one, sizeof(one)) < 0)
			(void)0;
	errno = saved;
}

void soqi_woken(struct soq_loop *loop)
{
	uint64_t count;

	if (read(loop->wake_fd, &count, sizeof(count)) < 0)
		(void)0;
	atomic_store(&loop->wake_sent, 0);
	/* A stop, or a host that polls, wants the turn to end even without a post. */
	loop->events_made++;
}

int soq_loop_stop(struct soq_loop *loop)
{
	if (loop == NULL)
		return -EINVAL;
	if (*loop->here == 0)
		return -ECHILD;
	atomic_store(&loop->stop, 1);
	soqi_wake(loop);
	return 0;
}

int soq_loop_post(struct soq_loop *loop, struct soq_op *op)
{
	uint8_t idle = SOQI_STATE_IDLE;
	struct soq_op *head;

	if (loop == NULL || op == NULL)
		return -EINVAL;
	if (*loop->here == 0)
		return -ECHILD;
	if (!__atomic_compare_exchange_n(&op->priv.state, &idle, SOQI_STATE_STARTED, 0,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return -EBUSY;
	op->priv.kind = SOQI_KIND_POST;
	op->priv.events = 0;
	__atomic_store_n(&op->priv.loop, loop, __ATOMIC_RELEASE);
	head = atomic_load(&loop->posted);
	do {
		op->priv.next = head;
	} while (!atomic_compare_exchange_weak(&loop->posted, &head, op));
	soqi_wake(loop);
	return 0;
}

void soqi_posts_take(struct soq_loop *loop)
{
	struct soq_op *newest;
	struct soq_op *oldest = NULL;

	if (atomic_load(&loop->posted) == NULL)
		return;
	newest = atomic_exchange(&loop->posted, NULL);
	while (newest != NULL) {
		struct soq_op *next = newest->priv.next;

		newest->priv.next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest != NULL) {
		struct soq_op *next = oldest->priv.next;

		soqi_op_start(loop, NULL, oldest, SOQI_KIND_POST, 0);
		loop->stats.posts++;
		soqi_op_end(loop, oldest, 0, 0);
		oldest = next;
	}
}
