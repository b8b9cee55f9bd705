/* SPDX-License-Identifier: MIT */
/* Running a loop: one turn, what it waits for, and the calls that make turns. */
#include "pool.h"

#include <errno.h>

/*
 * Turns in a row that may go without looking at the kernel because they had news
 * of their own. It saves a wait that would find nothing, and is bounded so that
 * no chain of callbacks keeps the others from being heard.
 */
#define WAITS_SKIPPED_MAX 16u

/* The backend can do nothing any more: every op ends with its error. */
static void die(struct soq_loop *loop, int error)
{
	loop->dead = error;
	soqi_loop_fail_requests(loop, error);
	soqi_settle(loop);
	soqi_backoff_end(loop);
	soqi_receive_fail(loop);
	soqi_sleeps_end(loop, error);
	soqi_helped_end(loop, error);
	while (loop->dirty_count > 0)
		soqi_flush(loop);
}

static bool has_news(const struct soq_loop *loop, uint64_t made)
{
	return loop->settled_first != NULL || loop->events_made != made || loop->dirty_count > 0;
}

/*
 * Waits, and does not sleep for as long as news usually takes to come, if that is
 * not long: waking up costs more than a round trip.
 */
static int wait_spinning(struct soq_loop *loop, int64_t until_ns)
{
	bool spins = soqi_spin_begin(&loop->spin);
	int64_t begin_ns = soqi_now_ns();
	int64_t stop_ns = soqi_after_ns(begin_ns, loop->spin.limit_ns);
	int64_t now_ns = begin_ns;
	uint64_t made = loop->events_made;
	bool hit = false;
	int error = 0;

	if (stop_ns > until_ns)
		stop_ns = until_ns;
	while (spins && error == 0 && !hit && now_ns < stop_ns) {
		error = loop->backend->wait(loop, SOQI_NOW);
		now_ns = soqi_now_ns();
		hit = has_news(loop, made);
	}
	if (error == 0 && !hit) {
		error = loop->backend->wait(loop, until_ns);
		now_ns = soqi_now_ns();
	}
	soqi_spin_end(&loop->spin, now_ns - begin_ns, hit);
	return error;
}

/*
 * Bufs are there and sockets wait for one, though not eight came home for each: if
 * nothing else happens, now is their time. Who was let go on may find nothing to read,
 * and then it is the next one's, before the loop may sleep.
 */
static int wait_parked(struct soq_loop *loop, int64_t until_ns)
{
	uint64_t made = loop->events_made;
	int error = loop->backend->wait(loop, SOQI_NOW);

	while (error == 0 && !has_news(loop, made) && soqi_receive_may_wake(loop)) {
		soqi_receive_wake(loop, true);
		soqi_flush(loop);
		error = loop->backend->wait(loop, SOQI_NOW);
	}
	return error != 0 || has_news(loop, made) ? error : loop->backend->wait(loop, until_ns);
}

int soqi_turn(struct soq_loop *loop, int64_t until_ns)
{
	uint64_t made = loop->events_made;
	const struct soq_op *first;
	bool busy;
	int error = 0;

	loop->stats.turns++;
	soqi_posts_take(loop);
	if (soqi_unlikely(loop->parked_count > 0))
		soqi_receive_wake(loop, false);
	soqi_flush(loop);
	first = soqi_timer_first(&loop->timers);
	busy = loop->events_made != made || loop->dirty_count > 0 || loop->dead != 0 ||
	       loop->attempts.first != NULL || loop->inner.first != NULL;
	if (busy)
		until_ns = SOQI_NOW;
	else if (first != NULL && first->priv.timer_ns < until_ns)
		until_ns = first->priv.timer_ns;
	if (loop->events_made != made && loop->backend->immediate &&
	    loop->waits_skipped < WAITS_SKIPPED_MAX) {
		loop->waits_skipped++;
	} else if (loop->dead == 0) {
		loop->waits_skipped = 0;
		/* Events nobody in this turn delivers are no reason to let them wait. */
		if (soqi_unlikely(loop->parked_count > 0) && !busy &&
		    (loop->ready_events == 0 || until_ns != SOQI_NOW) &&
		    soqi_receive_may_wake(loop))
			error = wait_parked(loop, until_ns);
		else if (loop->spin.limit_ns > 0 && until_ns != SOQI_NOW)
			error = wait_spinning(loop, until_ns);
		else
			error = loop->backend->wait(loop, until_ns);
		if (soqi_unlikely(error != 0))
			die(loop, error);
		soqi_settle(loop);
		if (loop->backend->immediate)
			soqi_flush(loop);
	} else {
		/* Those begun since it died: nothing else may end them. */
		soqi_helped_end(loop, loop->dead);
	}
	soqi_attempts_take(loop);
	/* In one turn completions come before deadlines, and so does what helpers make of them. */
	soqi_steps_take(loop);
	soqi_op_expire(loop);
	soqi_attempts_take(loop);
	soqi_posts_take(loop);
	soqi_steps_take(loop);
	return error != 0 ? error : loop->dead;
}

/* Delivers the events there are now; those made meanwhile wait for the next turn. */
static int deliver(struct soq_loop *loop)
{
	uint64_t left = loop->ready_events;
	int count = 0;

	loop->in_done = true;
	for (; left > 0 && loop->ready.first != NULL; left--) {
		struct soq_op *op = loop->ready.first;
		struct soq_event event;

		soqi_op_take(loop, op, &event);
		op->done(&event);
		count++;
		/* More follow, so the op is still ours, and done() may have moved its deadline. */
		if (event.flags & SOQ_F_MORE)
			soqi_op_rearm(loop, op);
	}
	loop->in_done = false;
	return count;
}

static bool is_idle(const struct soq_loop *loop)
{
	return loop->stats.ops_in_flight == 0 && loop->ready_events == 0 &&
	       loop->inner_events == 0 && loop->gated_count == 0 && loop->closing == 0 &&
	       atomic_load(&loop->posted) == NULL;
}

static bool stop_taken(struct soq_loop *loop)
{
	return atomic_load(&loop->stop) != 0 && atomic_exchange(&loop->stop, 0) != 0;
}

static int run(struct soq_loop *loop, enum soq_run until, int64_t timeout_ns)
{
	int64_t until_ns = soqi_until(timeout_ns);
	int count = 0;
	int error;

	for (;;) {
		if (until == SOQ_RUN_IDLE && is_idle(loop))
			return count;
		if (stop_taken(loop))
			return count;
		loop->impatient--;
		error = soqi_turn(loop, loop->ready_events > 0 ? SOQI_NOW : until_ns);
		loop->impatient++;
		count += deliver(loop);
		if (error != 0)
			return error;
		if (until == SOQ_RUN_ONCE) {
			(void)stop_taken(loop);
			return count;
		}
		if (until_ns == SOQI_FOREVER || (until == SOQ_RUN_IDLE && is_idle(loop)))
			continue;
		if (until_ns == SOQI_NOW || soqi_now_ns() >= until_ns)
			return stop_taken(loop) ? count : -ETIME;
	}
}

int soq_loop_run(struct soq_loop *loop, enum soq_run until, int64_t timeout_ns)
{
	int error;

	if (loop == NULL ||
	    (until != SOQ_RUN_ONCE && until != SOQ_RUN_IDLE && until != SOQ_RUN_STOP))
		return -EINVAL;
	error = soqi_loop_enter(loop);
	if (error != 0)
		return error;
	return loop->in_done ? -EBUSY : run(loop, until, timeout_ns);
}

int soq_loop_harvest(struct soq_loop *loop, struct soq_event *events, unsigned event_max,
		     int64_t timeout_ns)
{
	int64_t until_ns;
	int count = 0;
	int error;

	if (loop == NULL || events == NULL || event_max == 0)
		return -EINVAL;
	error = soqi_loop_enter(loop);
	if (error != 0)
		return error;
	if (loop->in_done)
		return -EBUSY;
	until_ns = soqi_until(timeout_ns);
	for (;;) {
		while (loop->waiting.first != NULL && (unsigned)count < event_max &&
		       count < INT32_MAX)
			soqi_op_take(loop, loop->waiting.first, &events[count++]);
		if (count > 0 || stop_taken(loop))
			return count;
		if (error != 0)
			return error == -ETIME ? 0 : error;
		error = soqi_turn(loop, until_ns);
		if (error == 0 && until_ns != SOQI_FOREVER &&
		    (until_ns == SOQI_NOW || soqi_now_ns() >= until_ns))
			error = -ETIME;
	}
}

int soq_loop_fd(struct soq_loop *loop)
{
	int error;

	if (loop == NULL)
		return -EINVAL;
	error = soqi_loop_check(loop);
	return error != 0 ? error : loop->backend->fd(loop);
}

int64_t soq_loop_deadline(struct soq_loop *loop)
{
	const struct soq_op *first;
	int error;

	if (loop == NULL)
		return -EINVAL;
	error = soqi_loop_check(loop);
	if (error != 0)
		return error;
	if (loop->dirty_count > 0 || (loop->ready_events | loop->inner_events) > 0 ||
	    atomic_load(&loop->posted) != NULL || loop->unsent || soqi_receive_may_wake(loop))
		return 0;
	first = soqi_timer_first(&loop->timers);
	return first != NULL ? first->priv.timer_ns : INT64_MAX;
}
