/* SPDX-License-Identifier: MIT */
/* What reaches a member from elsewhere: ops, sockets, questions; and the drain. */
#include "group.h"

#include "../util.h"

#include <errno.h>
#include <string.h>

int soq_group_count(struct soq_group *group)
{
	int error = soqi_group_check(group, false);

	return error != 0 ? error : (int)group->member_count;
}

struct soq_loop *soq_group_loop(struct soq_group *group, unsigned member)
{
	struct soqi_member *m;

	if (soqi_group_check(group, false) != 0 || member >= group->member_count)
		return NULL;
	m = &group->members[member];
	/* One that has left pools behind is the maker's, to destroy. */
	return atomic_load(&m->ended) ? NULL : atomic_load(&m->loop);
}

int soq_group_post(struct soq_group *group, unsigned member, struct soq_op *op)
{
	int error = soqi_group_check(group, false);
	struct soqi_member *m;

	if (error != 0)
		return error;
	if (member >= group->member_count || op == NULL)
		return -EINVAL;
	m = &group->members[member];
	if (!soqi_member_enter(m))
		return -ESHUTDOWN;
	error = soq_loop_post(atomic_load(&m->loop), op);
	soqi_member_leave(m);
	return error;
}

/* A socket on its way. */
struct parcel {
	struct soq_op op;
	struct soqi_member *m;
	struct soq_socket *s; /* on no loop */
	soq_group_socket_fn *arrived;
	void *user;
};

static void parcel_open(const struct soq_event *event)
{
	struct parcel *parcel = event->op->user;
	struct parcel read = *parcel;
	struct soqi_member *m = read.m;
	struct soq_socket *s = NULL;

	soqi_group_free(m->group, parcel, sizeof(*parcel));
	if (m->ending || soq_socket_attach(atomic_load(&m->loop), read.s, &s) != 0)
		(void)soq_abort(read.s);
	soqi_member_undrained(m);
	(void)atomic_fetch_sub(&m->arriving, 1);
	read.arrived(m->group, m->index, s, read.user);
}

/* On a loop it leaves that; on none it is taken as it is. */
static int socket_take(struct soq_socket *s, struct soq_socket **s_out)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	int error = soq_socket_info(s, &info);

	if (error != 0)
		return error;
	if (!info.detached)
		return soq_socket_detach(s, s_out);
	*s_out = s;
	return 0;
}

static int parcel_send(struct soqi_member *m, struct parcel *parcel, struct soq_socket *s)
{
	int error = socket_take(s, &parcel->s);

	if (error != 0)
		return error;
	/* It is on its way before it can look as if it were nowhere. */
	(void)atomic_fetch_add(&m->arriving, 1);
	(void)atomic_fetch_add(&m->group->moves, 1);
	(void)!soq_loop_post(atomic_load(&m->loop), &parcel->op);
	return 0;
}

int soq_group_hand_over(struct soq_group *group, struct soq_socket *s, unsigned member,
			soq_group_socket_fn *arrived, void *user)
{
	int error = soqi_group_check(group, false);
	struct parcel *parcel;
	struct soqi_member *m;

	if (error != 0)
		return error;
	if (s == NULL || member >= group->member_count || arrived == NULL)
		return -EINVAL;
	m = &group->members[member];
	if (!soqi_member_enter(m))
		return -ESHUTDOWN;
	parcel = soqi_group_alloc(group, sizeof(*parcel));
	if (parcel != NULL) {
		parcel->op.done = parcel_open;
		parcel->op.user = parcel;
		parcel->m = m;
		parcel->arrived = arrived;
		parcel->user = user;
		error = parcel_send(m, parcel, s);
	} else {
		error = -ENOMEM;
	}
	soqi_member_leave(m);
	if (error != 0)
		soqi_group_free(group, parcel, sizeof(*parcel));
	return error;
}

static void call_made(const struct soq_event *event)
{
	struct soqi_member *m = event->op->user;
	struct soq_group *group = m->group;

	m->call_result = m->call(m, m->call_arg);
	(void)pthread_mutex_lock(&group->lock);
	group->calls_left--;
	(void)pthread_cond_broadcast(&group->changed);
	(void)pthread_mutex_unlock(&group->lock);
}

int soqi_group_call(struct soq_group *group, soqi_call_fn *call, void *arg)
{
	int error = 0;

	(void)pthread_mutex_lock(&group->lock);
	group->calls_left = group->member_count;
	(void)pthread_mutex_unlock(&group->lock);
	for (unsigned i = 0; i < group->member_count; i++) {
		struct soqi_member *m = &group->members[i];

		m->call_op.done = call_made;
		m->call_op.user = m;
		m->call = call;
		m->call_arg = arg;
		if (soq_group_post(group, i, &m->call_op) == 0)
			continue;
		m->call_result = -ESHUTDOWN;
		(void)pthread_mutex_lock(&group->lock);
		group->calls_left--;
		(void)pthread_mutex_unlock(&group->lock);
	}
	(void)pthread_mutex_lock(&group->lock);
	while (group->calls_left > 0)
		(void)soqi_group_sleep(group, INT64_MAX);
	(void)pthread_mutex_unlock(&group->lock);
	for (unsigned i = 0; i < group->member_count && error == 0; i++)
		error = group->members[i].call_result;
	return error;
}

#define STATS_SIZE_MIN sizeof(struct soq_loop_stats)

static int stats_read(struct soqi_member *m, void *arg)
{
	(void)arg;
	m->last.size = sizeof(m->last);
	return soq_loop_stats(atomic_load(&m->loop), &m->last);
}

/* Everything in it but the head is a count. */
#define STATS_FIRST  offsetof(struct soq_loop_stats, turns)
#define STATS_COUNTS ((sizeof(struct soq_loop_stats) - STATS_FIRST) / sizeof(uint64_t))

static void stats_add(struct soq_loop_stats *sum, const struct soq_loop_stats *more)
{
	uint64_t counts[2][STATS_COUNTS];

	memcpy(counts[0], (const char *)sum + STATS_FIRST, sizeof(counts[0]));
	memcpy(counts[1], (const char *)more + STATS_FIRST, sizeof(counts[1]));
	for (size_t i = 0; i < STATS_COUNTS; i++)
		counts[0][i] += counts[1][i];
	memcpy((char *)sum + STATS_FIRST, counts[0], sizeof(counts[0]));
}

int soq_group_stats(struct soq_group *group, struct soq_loop_stats *stats)
{
	struct soq_loop_stats sum = { .size = 0 };
	int error;

	if (group == NULL || stats == NULL || stats->size < STATS_SIZE_MIN ||
	    stats->size > sizeof(sum))
		return -EINVAL;
	error = soqi_group_check(group, true);
	if (error != 0)
		return error;
	(void)soqi_group_call(group, stats_read, NULL);
	(void)pthread_mutex_lock(&group->lock);
	for (unsigned i = 0; i < group->member_count; i++) {
		struct soqi_member *m = &group->members[i];

		/* It could not be asked any more: its last are there when it has ended. */
		while (m->call_result != 0 && !atomic_load(&m->ended))
			(void)soqi_group_sleep(group, INT64_MAX);
		stats_add(&sum, &m->last);
	}
	(void)pthread_mutex_unlock(&group->lock);
	sum.size = stats->size;
	memcpy(stats, &sum, stats->size);
	return 0;
}

/*
 * Whether no member has a socket, and none is on its way. A socket leaves one member, is on
 * its way, and is at another, in this order; so with no hand-over begun meanwhile, and the
 * way looked at before the place it leads to, none can hide.
 */
static int drain_state(struct soq_group *group)
{
	unsigned moves = atomic_load(&group->moves);

	for (unsigned i = 0; i < group->member_count; i++) {
		struct soqi_member *m = &group->members[i];
		bool is_ended = atomic_load(&m->ended);

		if (atomic_load(&m->arriving) != 0 || !atomic_load(&m->drained))
			return is_ended ? -ESHUTDOWN : -ETIME;
	}
	return atomic_load(&group->moves) == moves ? 0 : -ETIME;
}

int soq_group_drain(struct soq_group *group, int64_t timeout_ns)
{
	int64_t until_ns = soqi_group_until(timeout_ns);
	int error = soqi_group_check(group, timeout_ns != 0);
	int state;

	if (error != 0)
		return error;
	for (unsigned i = 0; i < group->member_count; i++)
		soqi_member_ask(&group->members[i], SOQI_ASKED_DRAIN);
	if (timeout_ns == 0)
		return drain_state(group);
	(void)pthread_mutex_lock(&group->lock);
	state = drain_state(group);
	while (state == -ETIME && error == 0) {
		error = soqi_group_sleep(group, until_ns);
		state = drain_state(group);
	}
	(void)pthread_mutex_unlock(&group->lock);
	return state;
}
