/* SPDX-License-Identifier: MIT */
/*
 * Polls. They are in no lane, but all polls of a socket share one request, armed for
 * what any of them waits for: its watch. It is one-shot and by level, so a poll that
 * comes or goes only changes what the next is armed for. A multishot poll whose
 * event waits to be taken rests, and is looked at again afterwards.
 */
#include <soq/poll.h>

#include "detached.h"

#include <errno.h>
#include <poll.h>

#define EVENTS_ASKED (SOQ_POLL_RECV | SOQ_POLL_SEND | SOQ_POLL_URGENT | SOQ_POLL_PEER_END)
#define EVENTS_TOLD  (SOQ_POLL_ERROR | SOQ_POLL_HANGUP)

static const struct {
	uint32_t event;
	short system;
} names[] = {
	{ SOQ_POLL_RECV, POLLIN },        { SOQ_POLL_SEND, POLLOUT },  { SOQ_POLL_URGENT, POLLPRI },
	{ SOQ_POLL_PEER_END, POLLRDHUP }, { SOQ_POLL_ERROR, POLLERR }, { SOQ_POLL_HANGUP, POLLHUP },
};

short soqi_poll_to_system(uint32_t events)
{
	int system = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (events & names[i].event)
			system |= names[i].system;
	return (short)system;
}

uint32_t soqi_poll_from_system(int system)
{
	uint32_t events = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (system & names[i].system)
			events |= names[i].event;
	return events;
}

/* What a poll waits for is in priv.length; the event of one that rests in priv.moved. */
static bool rests(const struct soq_op *op)
{
	return op->priv.moved != 0;
}

static uint32_t wanted_of(const struct soqi_lane *lane)
{
	uint32_t wanted = soqi_container_of(lane, const struct soqi_watch, lane)->any_events;

	for (const struct soq_op *op = lane->queue.first; op != NULL; op = op->priv.next)
		if (!rests(op))
			wanted |= (uint32_t)op->priv.length;
	return wanted;
}

static struct soqi_watch *watch_of(struct soqi_lane *lane)
{
	return soqi_container_of(lane, struct soqi_watch, lane);
}

void soqi_watch_serve(struct soq_loop *loop, struct soqi_lane *lane)
{
	struct soqi_watch *watch = watch_of(lane);
	struct soq_socket *s = watch->socket;
	struct soqi_request request = { .kind = SOQI_REQUEST_POLL, .fd = s->fd };
	uint32_t wanted = wanted_of(lane);

	if (lane->settled)
		return;
	if (lane->in_kernel) {
		/* Armed for too little, or for nobody. */
		if ((wanted == 0 || (wanted & ~watch->armed) != 0) && !lane->cancel_sent) {
			lane->cancel_sent = true;
			loop->backend->cancel(loop, s, lane);
		}
		return;
	}
	if (wanted == 0) {
		soqi_close_step(s);
		return;
	}
	/* Counted for the whole loop, since a watch lives shorter than its slot. */
	lane->generation = ++loop->poll_generation & SOQI_GENERATION_MASK;
	lane->cancel_sent = false;
	lane->in_kernel = true;
	loop->in_kernel++;
	watch->armed = wanted;
	request.poll_events = soqi_poll_to_system(wanted);
	request.token = soqi_token(s->slot, lane);
	if (soqi_unlikely(loop->dead != 0))
		soqi_finish(loop, request.token, loop->dead, false);
	else
		loop->backend->submit(loop, s, lane, &request);
}

static void tell(struct soq_loop *loop, struct soqi_lane *lane, struct soq_op *op, int64_t result)
{
	if ((op->priv.flags & SOQ_MULTISHOT) && result > 0) {
		op->priv.moved = (uint64_t)result;
		soqi_op_more(loop, op, NULL);
		return;
	}
	soqi_ops_remove(&lane->queue, op);
	soqi_op_end(loop, op, result, 0);
}

/* What there is now, without waiting. */
static int look(const struct soq_socket *s, uint32_t events)
{
	const struct soqi_request request = { .kind = SOQI_REQUEST_POLL,
					      .fd = s->fd,
					      .poll_events = soqi_poll_to_system(events) };
	int32_t result = soqi_try(&request);

	return result > 0 ? (int)soqi_poll_from_system(result) : 0;
}

/* Who waits for any of many looks at all of them himself. */
static void any_settle(struct soq_loop *loop, const struct soqi_watch *watch, uint32_t there,
		       bool again)
{
	if (watch->any_events == 0)
		return;
	if (!again)
		loop->any_told = watch->lane.result;
	else if ((there & (watch->any_events | EVENTS_TOLD)) != 0 && loop->any_told == 0)
		loop->any_told = 1;
}

void soqi_watch_settle(struct soq_loop *loop, struct soqi_lane *lane)
{
	struct soq_socket *s = watch_of(lane)->socket;
	uint32_t there = lane->result > 0 ? soqi_poll_from_system(lane->result) : 0;
	bool again = lane->result >= 0 || lane->result == -EAGAIN || lane->result == -EINTR ||
		     lane->result == -ECANCELED;
	struct soq_op *next;

	/* The ring tells what woke it, and plain bytes wake who waits for urgent ones. */
	if (soqi_unlikely(there & SOQ_POLL_URGENT))
		there = (uint32_t)look(s, there);
	for (struct soq_op *op = lane->queue.first; op != NULL; op = next) {
		uint32_t hit = there & ((uint32_t)op->priv.length | EVENTS_TOLD);

		next = op->priv.next;
		if (!again)
			tell(loop, lane, op, lane->result);
		else if (hit != 0 && !rests(op))
			tell(loop, lane, op, hit);
	}
	any_settle(loop, watch_of(lane), there, again);
	if (lane->queue.first != NULL || watch_of(lane)->any_events != 0)
		soqi_lane_dirty(loop, lane);
	soqi_close_step(s);
}

bool soqi_watch_idle(const struct soq_socket *s)
{
	return s->watch == NULL || (s->watch->lane.queue.first == NULL &&
				    !s->watch->lane.in_kernel && !s->watch->lane.settled);
}

void soqi_watch_stop(struct soq_socket *s)
{
	struct soqi_lane *lane;

	if (s->watch == NULL)
		return;
	lane = &s->watch->lane;
	while (lane->queue.first != NULL)
		soqi_poll_cut(s->loop, lane->queue.first, -ECANCELED);
}

void soqi_watch_free(struct soq_socket *s)
{
	if (s->watch == NULL)
		return;
	soqi_lane_clean(s->loop, &s->watch->lane);
	soqi_free(s->loop, s->watch, sizeof(*s->watch));
	s->watch = NULL;
}

/*
 * The watch may have been armed for less, and the turn have gone on changing that: a
 * poll whose time is over still says what is there.
 */
static int64_t last_look(const struct soq_op *op, int cause)
{
	const struct soqi_request request = { .kind = SOQI_REQUEST_POLL,
					      .fd = op->priv.socket->fd,
					      .poll_events = soqi_poll_to_system(
						      (uint32_t)op->priv.length) };
	int32_t result = -EAGAIN;

	if (cause == -ETIMEDOUT && !(op->priv.flags & SOQ_MULTISHOT))
		result = soqi_try(&request);
	return result > 0 ? (int64_t)soqi_poll_from_system(result) : cause;
}

void soqi_poll_cut(struct soq_loop *loop, struct soq_op *op, int cause)
{
	struct soqi_lane *lane = &op->priv.socket->watch->lane;

	soqi_ops_remove(&lane->queue, op);
	soqi_op_end(loop, op, last_look(op, cause), 0);
	soqi_lane_dirty(loop, lane);
}

void soqi_poll_resume(struct soq_loop *loop, struct soq_op *op)
{
	op->priv.moved = 0;
	if (soqi_op_state(op) == SOQI_STATE_STARTED)
		soqi_lane_dirty(loop, &op->priv.socket->watch->lane);
}

void soqi_watch_wait(struct soq_socket *s)
{
	struct soqi_lane *lane = &s->watch->lane;

	if (!lane->in_kernel || (s->watch->any_events & ~s->watch->armed) != 0)
		soqi_lane_dirty(s->loop, lane);
}

void soqi_watch_leave(struct soq_socket *s)
{
	struct soqi_watch *watch = s->watch;

	if (watch == NULL || watch->any_events == 0)
		return;
	watch->any_events = 0;
	if (watch->lane.in_kernel)
		soqi_lane_dirty(s->loop, &watch->lane);
}

int soqi_watch_make(struct soq_socket *s)
{
	if (s->watch != NULL)
		return 0;
	s->watch = soqi_alloc(s->loop, sizeof(*s->watch));
	if (s->watch == NULL)
		return -ENOMEM;
	s->watch->socket = s;
	s->watch->lane.index = SOQI_LANE_WATCH;
	return 0;
}

bool soqi_poll_events_valid(uint32_t events)
{
	return events != 0 && (events & ~(EVENTS_ASKED | EVENTS_TOLD)) == 0;
}

int soqi_poll_check(uint32_t events, uint32_t flags)
{
	return (flags & ~SOQ_MULTISHOT) != 0 || !soqi_poll_events_valid(events) ? -EINVAL : 0;
}

static int poll_start(struct soq_socket *s, struct soq_op *op, uint32_t events, uint32_t flags,
		      uint32_t own_flags)
{
	int error = soqi_start_check(s, op);

	if (error == 0)
		error = soqi_poll_check(events, flags);
	if (error == 0)
		error = soqi_watch_make(s);
	if (error != 0)
		return error;
	soqi_op_start(s->loop, s, op, SOQI_KIND_POLL, flags | own_flags);
	op->priv.length = events;
	soqi_op_start_lane(s, &s->watch->lane, op);
	return 0;
}

int soq_poll_async(struct soq_socket *s, struct soq_op *op, uint32_t events, uint32_t flags)
{
	return poll_start(s, op, events, flags, 0);
}

int soq_poll(struct soq_socket *s, uint32_t events, int64_t timeout_ns)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;
	int64_t result;

	if (soqi_is_detached(s))
		return soqi_detached_poll(s, events, timeout_ns);
	if (timeout_ns >= 0)
		op.deadline_ns = soqi_after_ns(soqi_now_ns(), timeout_ns);
	error = poll_start(s, &op, events, 0, SOQI_OP_SYNC);
	if (error != 0)
		return error;
	result = soqi_op_wait_sync(s->loop, &op, &event);
	/* The watch may still be on its way back from what it was armed for before. */
	return result == -ETIMEDOUT ? look(s, events) : (int)result;
}
