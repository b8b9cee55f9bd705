/* SPDX-License-Identifier: MIT */
/* One member: its thread from the first to the last, and how others reach it. */
#include "group.h"

#include "../util.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* What done() starts while a member ends is ended this often. */
#define END_NS INT64_C(10000000)

/* How long one inside takes for a call or two. */
#define INSIDE_NS 10000L

/* A loop that can do nothing any more ends its ops in a turn or two. */
#define END_TRIES 100

bool soqi_member_enter(struct soqi_member *m)
{
	/* Those who come and go at a closed gate must not hold up who waits until all are out. */
	if (atomic_load(&m->gate) & 1)
		return false;
	if ((atomic_fetch_add(&m->gate, 2) & 1) == 0)
		return true;
	soqi_member_leave(m);
	return false;
}

void soqi_member_leave(struct soqi_member *m)
{
	(void)atomic_fetch_sub(&m->gate, 2);
}

/* From here on nobody comes in, and all that was posted is in the loop. */
static void gate_close(struct soqi_member *m)
{
	const struct timespec moment = { .tv_nsec = INSIDE_NS };

	(void)atomic_fetch_or(&m->gate, 1);
	/* To yield is not enough: whoever is inside may need this processor, at a lower priority. */
	while (atomic_load(&m->gate) != 1)
		(void)nanosleep(&moment, NULL);
}

/* No lock and no op: a signal handler may ask. */
void soqi_member_ask(struct soqi_member *m, unsigned what)
{
	if (!soqi_member_enter(m))
		return;
	(void)atomic_fetch_or(&m->asked, what);
	(void)soq_loop_stop(atomic_load(&m->loop));
	soqi_member_leave(m);
}

static void drained_set(struct soqi_member *m, bool drained)
{
	(void)pthread_mutex_lock(&m->group->lock);
	atomic_store(&m->drained, drained);
	(void)pthread_cond_broadcast(&m->group->changed);
	(void)pthread_mutex_unlock(&m->group->lock);
}

/* A socket has come; said before it is no longer on its way. */
void soqi_member_undrained(struct soqi_member *m)
{
	if (atomic_load(&m->drained))
		drained_set(m, false);
}

static void drain_begin(struct soqi_member *m)
{
	struct soq_group *group = m->group;

	m->draining = true;
	soqi_listeners_drain(m);
	if (group->options.drain != NULL)
		group->options.drain(group, m->index, group->options.user);
}

/* After each turn: whether the last socket has gone, or one has come. */
static void drain_look(struct soqi_member *m)
{
	struct soq_group *group = m->group;
	struct soq_loop *loop = atomic_load(&m->loop);
	bool is_empty = soq_loop_counter(loop, SOQ_COUNTER_CURRENT_SOCKETS) == 0 &&
			atomic_load(&m->arriving) == 0;

	bool was_empty = m->empty;

	m->empty = is_empty;
	if (is_empty == atomic_load(&m->drained))
		return;
	/* The last event of a socket may come in the turn after it has gone, and no later. */
	if (is_empty && !was_empty && soq_loop_deadline(loop) == 0)
		return;
	if (is_empty && group->options.drained != NULL)
		group->options.drained(group, m->index, group->options.user);
	drained_set(m, is_empty);
}

/* Until it is asked to stop; or why the loop cannot go on. */
static int member_work(struct soqi_member *m)
{
	struct soq_loop *loop = atomic_load(&m->loop);
	int rc = 0;

	while (rc >= 0) {
		unsigned asked;

		if (m->draining)
			drain_look(m);
		/* After drain() and drained(): if they run the loop, it is they whom it stops. */
		asked = atomic_load(&m->asked);
		if (asked & SOQI_ASKED_STOP)
			return 0;
		if ((asked & SOQI_ASKED_DRAIN) && !m->draining) {
			drain_begin(m);
			continue;
		}
		/*
		 * Asking stops the loop; so may the program, and that ends nothing. A turn first
		 * does what there is, which may be to close the last socket, and only then waits:
		 * who drains looks in between.
		 */
		if (m->draining)
			rc = soq_loop_run(loop, SOQ_RUN_ONCE,
					  soq_loop_deadline(loop) == 0 ? 0 : -1);
		else
			rc = soq_loop_run(loop, SOQ_RUN_STOP, -1);
	}
	return rc;
}

/* Tells how this phase went; what comes next. */
static enum soqi_group_phase member_report(struct soqi_member *m, int error)
{
	struct soq_group *group = m->group;
	enum soqi_group_phase before;
	enum soqi_group_phase next;

	(void)pthread_mutex_lock(&group->lock);
	before = group->phase;
	m->error = error;
	group->reported++;
	(void)pthread_cond_broadcast(&group->changed);
	while (group->phase == before)
		(void)soqi_group_sleep(group, INT64_MAX);
	next = group->phase;
	(void)pthread_mutex_unlock(&group->lock);
	return next;
}

static int member_open(struct soqi_member *m)
{
	struct soq_loop *loop;
	char name[16];
	int error = m->cpu != SOQI_CPU_NONE ? soqi_cpu_pin(m->cpu) : 0;

	(void)snprintf(name, sizeof(name), "soq/%u", m->index);
	(void)pthread_setname_np(pthread_self(), name);
	if (error == 0)
		error = soq_loop_create(m->group->options.loop, &loop);
	if (error != 0)
		return error;
	/* From its first turn on it is this thread's, before anybody can see it. */
	error = soq_loop_run(loop, SOQ_RUN_ONCE, 0);
	atomic_store(&m->loop, loop);
	return error < 0 ? error : 0;
}

/* Events that nobody takes any more, with what they carry. */
static void events_drop(struct soq_loop *loop)
{
	struct soq_event events[16];
	int count;

	while ((count = soq_loop_harvest(loop, events, 16, 0)) > 0)
		for (int i = 0; i < count; i++)
			if (events[i].buf != NULL)
				(void)soq_buf_return(events[i].buf);
}

static bool is_quiet(struct soq_loop *loop)
{
	return soq_loop_counter(loop, SOQ_COUNTER_CURRENT_SOCKETS) == 0 &&
	       soq_loop_counter(loop, SOQ_COUNTER_CURRENT_OPS_IN_FLIGHT) == 0 &&
	       soq_loop_counter(loop, SOQ_COUNTER_CURRENT_EVENTS_WAITING) == 0 &&
	       soq_loop_deadline(loop) != 0;
}

/* Ends all there is, and what done() begins because of that. */
static void loop_quiet(struct soq_loop *loop)
{
	int tries = END_TRIES;

	do {
		int rc;

		(void)soq_loop_close_all(loop);
		rc = soq_loop_run(loop, SOQ_RUN_IDLE, END_NS);
		events_drop(loop);
		if (rc < 0 && rc != -ETIME)
			tries--;
	} while (!is_quiet(loop) && tries > 0);
}

/* The maker may be adding up what a call has left there. */
static void last_keep(struct soqi_member *m, struct soq_loop *loop)
{
	struct soq_loop_stats last = { .size = sizeof(last) };

	(void)soq_loop_stats(loop, &last);
	(void)pthread_mutex_lock(&m->group->lock);
	m->last = last;
	(void)pthread_mutex_unlock(&m->group->lock);
}

static void loop_end(struct soqi_member *m, struct soq_loop *loop, bool is_started)
{
	struct soq_group *group = m->group;

	loop_quiet(loop);
	gate_close(m);
	loop_quiet(loop);
	if (is_started && group->options.stop != NULL)
		group->options.stop(group, m->index, group->options.user);
	loop_quiet(loop);
	last_keep(m, loop);
	atomic_store(&m->loop, NULL);
	/* With pools: soq_group_destroy() says so. */
	if (soq_loop_destroy(loop) != 0)
		atomic_store(&m->loop, loop);
}

static void member_end(struct soqi_member *m, int error, bool is_started)
{
	struct soq_group *group = m->group;
	struct soq_loop *loop = atomic_load(&m->loop);

	m->ending = true;
	if (error != 0)
		(void)soq_group_stop(group);
	if (loop != NULL)
		loop_end(m, loop, is_started);
	(void)pthread_mutex_lock(&group->lock);
	atomic_store(&m->ended, true);
	group->ended++;
	if (group->error == 0)
		group->error = error;
	(void)pthread_cond_broadcast(&group->changed);
	(void)pthread_mutex_unlock(&group->lock);
}

void *soqi_member_main(void *member)
{
	struct soqi_member *m = member;
	struct soq_group *group = m->group;
	int error = member_open(m);

	if (member_report(m, error) == SOQI_GROUP_UNDONE) {
		member_end(m, 0, false);
		return NULL;
	}
	error = 0;
	if (group->options.start != NULL)
		error = group->options.start(group, m->index, group->options.user);
	error = error > 0 ? 0 : error;
	if (member_report(m, error) == SOQI_GROUP_UNDONE)
		member_end(m, 0, error == 0);
	else
		member_end(m, member_work(m), true);
	return NULL;
}
