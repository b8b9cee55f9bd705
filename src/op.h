/* SPDX-License-Identifier: MIT */
/* The life of an op: started, ended, its events taken. The only writer of its state. */
#ifndef SOQI_OP_H
#define SOQI_OP_H

#include "loop.h"
#include "own.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Another thread may try to post an op at any time, to be told -EBUSY: so it is atomic. */
static inline enum soqi_state soqi_op_state(const struct soq_op *op)
{
	return (enum soqi_state)__atomic_load_n(&op->priv.state, __ATOMIC_RELAXED);
}

static inline void soqi_op_state_set(struct soq_op *op, enum soqi_state state)
{
	__atomic_store_n(&op->priv.state, (uint8_t)state, __ATOMIC_RELEASE);
}

/* The checks of a starting call: `s` and `op` may be anything the caller passed. */
static inline int soqi_start_check(struct soq_socket *s, const struct soq_op *op)
{
	int error;

	/* A detached socket has no loop. */
	if (soqi_unlikely(s == NULL || op == NULL || s->loop == NULL))
		return -EINVAL;
	error = soqi_loop_enter(s->loop);
	if (soqi_unlikely(error != 0))
		return error;
	if (soqi_unlikely(s->state != SOQI_SOCKET_OPEN))
		return soqi_state_check(s);
	return soqi_likely(soqi_op_state(op) == SOQI_STATE_IDLE) ? 0 : -EBUSY;
}
/* The same for an op that starts on no socket. */
int soqi_start_check_loop(struct soq_loop *loop, struct soq_op *op);
/* The checks of a call on an open socket that starts nothing. */
int soqi_socket_check(struct soq_socket *s);

/* The memory an op lends the library for its life. */
void soqi_op_own(const struct soq_op *op, bool give);

/* The start of an op that has a deadline, or on a loop that is traced. */
void soqi_op_begin_watched(struct soq_loop *loop, struct soq_op *op);

/* The start of a plain transfer, and the part of every start that it needs. */
static inline void soqi_op_begin(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
				 enum soqi_kind kind, uint32_t flags)
{
	assert(!soqi_timer_armed(op));
	op->priv.socket = s;
	op->priv.kind = (uint8_t)kind;
	soqi_op_state_set(op, SOQI_STATE_STARTED);
	op->priv.flags = flags;
	op->priv.moved = 0;
	op->priv.events = 0;
	op->priv.cause = 0;
	/* Other threads may ask whose op this is: soq_cancel() from the wrong one. */
	__atomic_store_n(&op->priv.loop, loop, __ATOMIC_RELEASE);
	loop->stats.ops_started++;
	loop->stats.ops_in_flight++;
	/* One branch for what is rare. */
	if (soqi_unlikely((op->deadline_ns | (int64_t)loop->traces) != 0))
		soqi_op_begin_watched(loop, op);
	if (SOQI_OWN_WATCHED)
		soqi_op_own(op, true);
}

/* For an op of the library's own: what is not cleared here a start or its first use sets. */
static inline void soqi_op_blank(struct soq_op *op)
{
	_Static_assert(offsetof(struct soq_op, priv.timer_child) <= 192,
		       "what matters is in three lines");
	/* By stores: in one piece an instruction would clear it that takes 10 ns to begin. */
	memset(op, 0, 64);
	memset((char *)op + 64, 0, 64);
	memset((char *)op + 128, 0, 64);
}

/* Makes `op` the library's. `s` may be NULL. Its caller fills in the rest. */
void soqi_op_start(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
		   enum soqi_kind kind, uint32_t flags);
/* The same, and puts it at the end of a lane. */
static inline void soqi_op_start_lane(struct soq_socket *s, struct soqi_lane *lane,
				      struct soq_op *op)
{
	soqi_lane_push(lane, op);
	soqi_lane_dirty(s->loop, lane);
}

/* Makes the final event of an op that is on no list. Takes its memory back. */
void soqi_op_end(struct soq_loop *loop, struct soq_op *op, int64_t result, uint32_t flags);
/* Makes the final events of ops that left their lane, in order. */
void soqi_ops_end(struct soq_loop *loop, struct soq_socket *s, struct soqi_ops *ended);
/*
 * Makes an event with SOQ_F_MORE: of a multishot op, or of a zero-copy send that has its
 * result. It carries `accepted`, if that is not NULL.
 */
void soqi_op_more(struct soq_loop *loop, struct soq_op *op, struct soq_socket *accepted);

/* zerocopy.c. What a zero-copy send is started with beside its flags. */
uint32_t soqi_zerocopy_start(const struct soq_socket *s, const struct soq_op *op);
/* The op of the lane's next request, if that shall go without a copy, or NULL. */
struct soq_op *soqi_zerocopy_next(const struct soq_socket *s, const struct soqi_lane *lane);
/* A zero-copy send has left its lane: tells its result, and its end once the memory is free. */
void soqi_zerocopy_settle(struct soq_loop *loop, struct soq_op *op);
/* helper.c. The done() of inner ops, which is never called. */
void soqi_inner(const struct soq_event *event);
/* Asks the helpers of all ops to finish them: -ECANCELED, or the loop's error. */
void soqi_helped_end(struct soq_loop *loop, int error);
/* Takes the steps of the inner events there are now. */
void soqi_steps_go_on(struct soq_loop *loop);

static inline void soqi_steps_take(struct soq_loop *loop)
{
	if (soqi_unlikely(loop->inner.first != NULL))
		soqi_steps_go_on(loop);
}

/* The list of those who have events for the consumer that `op` has. */
static inline struct soqi_ops *soqi_events_list(struct soq_loop *loop, const struct soq_op *op)
{
	if (op->done == NULL)
		return &loop->waiting;
	return soqi_unlikely(op->done == soqi_inner) ? &loop->inner : &loop->ready;
}

/* The count of events in such a list; of those that wait for somebody's call there is none. */
static inline void soqi_events_count(struct soq_loop *loop, const struct soqi_ops *list,
				     uint64_t count)
{
	if (list == &loop->ready)
		loop->ready_events += count;
	else if (soqi_unlikely(list == &loop->inner))
		loop->inner_events += count;
}

/*
 * An armed multishot op is in its lane and may have events waiting too, so the
 * lists of events have links of their own.
 */
static inline void soqi_events_link(struct soq_loop *loop, struct soq_op *op, uint32_t count)
{
	struct soqi_ops *list = soqi_events_list(loop, op);

	loop->events_made++;
	soqi_events_count(loop, list, count);
	op->priv.events += count;
	if (op->priv.events > count)
		return;
	op->priv.ready_next = NULL;
	op->priv.ready_prev = list->last;
	if (list->last != NULL)
		list->last->priv.ready_next = op;
	else
		list->first = op;
	list->last = op;
}

/* One more event of `op` waits for its consumer. */
static inline void soqi_event_made(struct soq_loop *loop, struct soq_op *op)
{
	loop->stats.events_waiting++;
	/* The count of gated events is where other ops have a segment. */
	if (soqi_unlikely(op->priv.flags & SOQI_OP_GATED))
		op->priv.segment++;
	else
		soqi_events_link(loop, op, 1);
}

/* Takes the events `op` has out of the lists, and those it gets meanwhile; puts them back. */
void soqi_op_gate(struct soq_loop *loop, struct soq_op *op);
void soqi_op_ungate(struct soq_loop *loop, struct soq_op *op);
/* `count` of its events are not to be delivered. */
void soqi_op_forget(struct soq_loop *loop, struct soq_op *op, uint32_t count);

/* Drops what `op` carries undelivered; a finished one becomes -ECANCELED. */
void soqi_op_drop_carried(struct soq_loop *loop, struct soq_op *op);

/* Takes the next event of an op that has one. */
void soqi_op_take(struct soq_loop *loop, struct soq_op *op, struct soq_event *event);

/* Whether it is one attempt after another to connect to the first of a list. */
static inline bool soqi_is_attempt(const struct soq_op *op)
{
	return op->priv.kind == SOQI_KIND_CONNECT && op->priv.address != NULL;
}

/* connect.c. A connect, or an attempt, has ended with `result`: counts and tells it. */
void soqi_connect_ended(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
			int64_t result);

/* Whether its socket is one that nobody has the handle of yet: an attempt's, or an arrival's. */
static inline bool soqi_brings_socket(const struct soq_op *op)
{
	return soqi_is_attempt(op) || op->priv.kind == SOQI_KIND_FIRST ||
	       op->priv.kind == SOQI_KIND_HELPED;
}

/* connect_list.c. An attempt has ended, where nothing may be closed yet. */
void soqi_attempt_ended(struct soq_loop *loop, struct soq_op *op);
/* Goes on with those that have. Leaves none behind. */
void soqi_attempts_go_on(struct soq_loop *loop);

static inline void soqi_attempts_take(struct soq_loop *loop)
{
	if (soqi_unlikely(loop->attempts.first != NULL))
		soqi_attempts_go_on(loop);
}

/* A socket on its way is closed: its event, if it is made, is told so. */
void soqi_attempt_drop(struct soq_socket *s);

/* Asks an op to end with -ECANCELED or -ETIMEDOUT. */
void soqi_op_cut(struct soq_loop *loop, struct soq_op *op, int cause);

/* Fires the deadlines up to now. */
void soqi_op_expire(struct soq_loop *loop);
/* Arms or moves the op's deadline to what the caller has set. */
void soqi_op_rearm(struct soq_loop *loop, struct soq_op *op);

/*
 * Waits for the final event of an op of a synchronous call. It returns only when
 * the op, on the caller's stack, is the caller's again.
 */
int64_t soqi_op_wait_sync(struct soq_loop *loop, struct soq_op *op, struct soq_event *event);

#endif
