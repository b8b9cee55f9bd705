/* SPDX-License-Identifier: MIT */
/* A group: made with all its threads or not at all, stopped, waited for, ended. */
#include "group.h"

#include "../util.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

/* The first release's size: a program built against it must go on working. */
#define OPTIONS_SIZE_MIN sizeof(struct soq_group_options)

void *soqi_group_alloc(struct soq_group *group, size_t size_bytes)
{
	void *memory = group->allocator.allocate(group->allocator.context, size_bytes, 64);

	if (memory != NULL)
		memset(memory, 0, size_bytes);
	return memory;
}

void soqi_group_free(struct soq_group *group, void *memory, size_t size_bytes)
{
	if (memory != NULL)
		group->allocator.release(group->allocator.context, memory, size_bytes);
}

int soqi_group_check(const struct soq_group *group, bool makers)
{
	if (group == NULL)
		return -EINVAL;
	if (*group->here == 0)
		return -ECHILD;
	return makers && !pthread_equal(group->maker, pthread_self()) ? -EXDEV : 0;
}

int64_t soqi_group_until(int64_t timeout_ns)
{
	return timeout_ns < 0 ? INT64_MAX : soqi_after_ns(soqi_now_ns(), timeout_ns);
}

int soqi_group_sleep(struct soq_group *group, int64_t until_ns)
{
	struct timespec until = soqi_timespec(until_ns);

	if (until_ns == INT64_MAX) {
		(void)pthread_cond_wait(&group->changed, &group->lock);
		return 0;
	}
	if (pthread_cond_timedwait(&group->changed, &group->lock, &until) == ETIMEDOUT)
		return -ETIME;
	return 0;
}

/* What the caller asks for, without a look at what it may not have. */
static int options_read(const struct soq_group_options *from, struct soq_group_options *options)
{
	memset(options, 0, sizeof(*options));
	if (from != NULL) {
		if (from->size < OPTIONS_SIZE_MIN || from->size > sizeof(*options))
			return -EINVAL;
		memcpy(options, from, from->size);
	}
	for (size_t i = 0; i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++)
		if (options->reserved[i] != 0)
			return -EINVAL;
	if (options->member_count > SOQ_GROUP_MEMBERS_MAX ||
	    options->placement > SOQ_PLACE_PINNED ||
	    (options->cpu_count != 0) != (options->cpus != NULL) ||
	    (options->cpus != NULL && options->placement != SOQ_PLACE_PINNED))
		return -EINVAL;
	/* The loops look at the rest of it. */
	if (options->loop != NULL &&
	    options->loop->size < offsetof(struct soq_loop_options, allocator) + sizeof(void *))
		return -EINVAL;
	return 0;
}

/* The members' processors, and how many members there are if nobody says. */
static int members_place(struct soq_group_options *options, uint32_t *cpus)
{
	unsigned count = soqi_cpus_allowed(cpus, SOQ_GROUP_MEMBERS_MAX);

	if (count == 0)
		return -EINVAL;
	if (options->member_count == 0)
		options->member_count = count;
	if (options->placement != SOQ_PLACE_PINNED) {
		for (unsigned i = 0; i < options->member_count; i++)
			cpus[i] = SOQI_CPU_NONE;
		return 0;
	}
	if (options->cpus != NULL)
		count = options->cpu_count;
	for (unsigned i = 0; i < options->member_count; i++) {
		cpus[i] = options->cpus != NULL ? options->cpus[i % count] : cpus[i % count];
		if (cpus[i] == SOQI_CPU_NONE)
			return -EINVAL;
	}
	return 0;
}

static void group_free(struct soq_group *group, bool child)
{
	struct soq_allocator allocator = group->allocator;

	while (group->listenings != NULL) {
		struct soqi_listening *listening = group->listenings;

		group->listenings = listening->next;
		soqi_group_free(group, listening, listening->size_bytes);
	}
	soq_policy_release(group->policy);
	/* In a child they are as some thread of the parent's has left them. */
	if (!child) {
		(void)pthread_cond_destroy(&group->changed);
		(void)pthread_mutex_destroy(&group->lock);
	}
	soqi_here_free(group->here);
	allocator.release(allocator.context, group, group->size_bytes);
}

static int lock_make(struct soq_group *group)
{
	pthread_condattr_t attributes;
	int error = pthread_mutex_init(&group->lock, NULL);

	if (error != 0)
		return -error;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = pthread_cond_init(&group->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	if (error != 0)
		(void)pthread_mutex_destroy(&group->lock);
	return -error;
}

static int group_alloc(const struct soq_group_options *options, const uint32_t *cpus,
		       struct soq_group **group_out)
{
	const struct soq_allocator *given = options->loop != NULL ? options->loop->allocator : NULL;
	struct soq_allocator allocator;
	size_t size_bytes = sizeof(struct soq_group) +
			    options->member_count * sizeof(struct soqi_member);
	struct soq_group *group;
	int error;

	if (soqi_allocator_read(given, &allocator) != 0)
		return -EINVAL;
	group = allocator.allocate(allocator.context, size_bytes, 64);
	if (group == NULL)
		return -ENOMEM;
	memset(group, 0, size_bytes);
	group->allocator = allocator;
	group->options = *options;
	group->maker = pthread_self();
	group->size_bytes = size_bytes;
	group->member_count = options->member_count;
	for (unsigned i = 0; i < group->member_count; i++) {
		group->members[i].group = group;
		group->members[i].index = i;
		group->members[i].cpu = cpus[i];
	}
	error = lock_make(group);
	if (error != 0) {
		allocator.release(allocator.context, group, size_bytes);
		return error;
	}
	group->here = soqi_here_make();
	if (group->here == NULL) {
		(void)pthread_cond_destroy(&group->changed);
		(void)pthread_mutex_destroy(&group->lock);
		allocator.release(allocator.context, group, size_bytes);
		return -ENOMEM;
	}
	*group_out = group;
	return 0;
}

/* A thread's own faults are for the handlers the program may have; a blocked one kills. */
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };

/* All threads, with every other signal blocked from the first; how many were made. */
static unsigned threads_make(struct soq_group *group, int *error_out)
{
	sigset_t all;
	sigset_t before;
	unsigned made;

	(void)sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)sigdelset(&all, faults[i]);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (made = 0; made < group->member_count; made++) {
		struct soqi_member *m = &group->members[made];

		*error_out = -pthread_create(&m->thread, NULL, soqi_member_main, m);
		if (*error_out != 0)
			break;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return made;
}

/* Waits until all have told how this phase went, and says what the next one is. */
static int phase_end(struct soq_group *group, unsigned made, int error, enum soqi_group_phase next)
{
	(void)pthread_mutex_lock(&group->lock);
	while (group->reported < made)
		(void)soqi_group_sleep(group, INT64_MAX);
	for (unsigned i = 0; i < made && error == 0; i++)
		error = group->members[i].error;
	group->reported = 0;
	group->phase = error == 0 ? next : SOQI_GROUP_UNDONE;
	(void)pthread_cond_broadcast(&group->changed);
	(void)pthread_mutex_unlock(&group->lock);
	return error;
}

static void threads_join(struct soq_group *group, unsigned made)
{
	for (unsigned i = 0; i < made; i++)
		(void)pthread_join(group->members[i].thread, NULL);
	group->joined = true;
}

/* A stop() that has left pools behind: the loop is the maker's now. */
static int loops_end(struct soq_group *group)
{
	int error = 0;

	for (unsigned i = 0; i < group->member_count; i++) {
		struct soqi_member *m = &group->members[i];
		struct soq_loop *loop = atomic_load(&m->loop);

		(void)(loop != NULL && soq_loop_close_all(loop));
		if (soq_loop_destroy(loop) != 0)
			error = -EBUSY;
		else
			atomic_store(&m->loop, NULL);
	}
	return error;
}

/* Of options that are old enough to have none, too. */
static struct soq_policy *policy_of(const struct soq_loop_options *loop)
{
	const size_t least = offsetof(struct soq_loop_options, policy) + sizeof(void *);

	return loop != NULL && loop->size >= least ? soq_policy_retain(loop->policy) : NULL;
}

int soq_group_create(const struct soq_group_options *options, struct soq_group **group_out)
{
	uint32_t cpus[SOQ_GROUP_MEMBERS_MAX];
	struct soq_group_options read;
	struct soq_group *group;
	unsigned made;
	int error;

	if (group_out == NULL)
		return -EINVAL;
	error = options_read(options, &read);
	if (error == 0)
		error = members_place(&read, cpus);
	if (error == 0)
		error = group_alloc(&read, cpus, &group);
	if (error != 0)
		return error;
	made = threads_make(group, &error);
	error = phase_end(group, made, error, SOQI_GROUP_STARTS);
	if (error == 0)
		error = phase_end(group, made, error, SOQI_GROUP_RUNS);
	if (error != 0) {
		threads_join(group, made);
		/* What pools are left nobody can reach any more. */
		if (loops_end(group) == 0)
			group_free(group, false);
		return error;
	}
	group->policy = policy_of(read.loop);
	group->options.cpus = NULL;
	group->options.loop = NULL;
	*group_out = group;
	return 0;
}

int soq_group_stop(struct soq_group *group)
{
	int error = soqi_group_check(group, false);

	for (unsigned i = 0; error == 0 && i < group->member_count; i++)
		soqi_member_ask(&group->members[i], SOQI_ASKED_STOP);
	return error;
}

int soq_group_wait(struct soq_group *group, int64_t timeout_ns)
{
	int64_t until_ns = soqi_group_until(timeout_ns);
	int error = soqi_group_check(group, true);

	if (error != 0)
		return error;
	(void)pthread_mutex_lock(&group->lock);
	while (group->ended < group->member_count && error == 0)
		error = soqi_group_sleep(group, until_ns);
	if (group->ended == group->member_count)
		error = group->error;
	(void)pthread_mutex_unlock(&group->lock);
	return error;
}

int soq_group_destroy(struct soq_group *group)
{
	int error = group != NULL ? soqi_group_check(group, true) : 0;
	int waited;

	if (group == NULL || error == -EXDEV)
		return error;
	if (error == -ECHILD) {
		for (unsigned i = 0; i < group->member_count; i++)
			(void)soq_loop_destroy(atomic_load(&group->members[i].loop));
		group_free(group, true);
		return 0;
	}
	(void)soq_group_stop(group);
	waited = soq_group_wait(group, -1);
	if (!group->joined)
		threads_join(group, group->member_count);
	error = loops_end(group);
	if (error != 0)
		return error;
	group_free(group, false);
	return waited;
}
