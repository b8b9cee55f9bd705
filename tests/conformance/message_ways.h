/* SPDX-License-Identifier: MIT */
/* Messages by each way to make a call. */
#ifndef SOQ_TESTS_MESSAGE_WAYS_H
#define SOQ_TESTS_MESSAGE_WAYS_H

#include "support.h"

static inline struct soq_message message_of(struct iovec *segments, uint32_t count)
{
	return (struct soq_message){ .size = sizeof(struct soq_message),
				     .segments = segments,
				     .segment_count = count };
}

/* Each way to make a call: synchronous; asynchronous where there is a loop. */
static inline unsigned ways(const struct fixture *t)
{
	return t->home ? 2 : 1;
}

static inline int64_t send_way(struct fixture *t, unsigned way, struct soq_socket *s,
			       struct soq_message *m)
{
	struct probe *p;

	if (way == 0)
		return soq_send_msg(s, m, 0);
	p = probe_quiet(t);
	started(p, soq_send_msg_async(s, &p->op, m, 0));
	return wait_end(p);
}

static inline int64_t recv_way(struct fixture *t, unsigned way, struct soq_socket *s,
			       struct soq_message *m)
{
	struct probe *p;

	if (way == 0)
		return soq_recv_msg(s, m, 0);
	p = probe_quiet(t);
	started(p, soq_recv_msg_async(s, &p->op, m, 0));
	return wait_end(p);
}

#endif
