/* SPDX-License-Identifier: MIT */
/*
 * Lookups, each on a thread of its own: the only ones that the library starts unasked.
 *
 * getaddrinfo() can only be waited for and never be stopped, so nothing that may end before
 * it does is the thread's business: a lookup has a copy of the name, and is the thread's to
 * free once it was given up. A result comes to the loop by soq_loop_post(), only while somebody
 * waits for it, whose op keeps the loop from being destroyed. It comes under the lookup's
 * lock: who takes it has to take the lock too, so the thread has left the loop by then.
 */
#include "name.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In one process: the limit that soq/name.h documents. */
#define LOOKUPS_MAX 64u
/* The resolver and its modules need some 100 KiB; the pages that are not touched cost nothing. */
#define STACK_BYTES ((size_t)512 << 10)

enum stage {
	AT_WORK,  /* the thread has it */
	GIVEN_UP, /* the thread has it, and nobody waits */
	POSTED,   /* it has ended, and its post is on the way */
};

struct soqi_lookup {
	pthread_mutex_t lock; /* of `stage`, and of the loop while the thread posts to it */
	enum stage stage;
	struct soq_loop *loop;
	int family;
	int error;
	struct addrinfo *found;
	soqi_told_fn *told;
	void *arg;
	struct soq_op posted;
	char name[SOQI_NAME_MAX + 1];
};

/*
 * How many are at work: what loops that come and go, or none at all, can have in common only
 * here. Above the count is the process it is of, since a child of fork() has no threads of
 * its parent's.
 */
static atomic_uint_least64_t at_work;

static bool count_one(void)
{
	uint64_t here = (uint64_t)getpid() << 32;
	uint64_t seen = atomic_load(&at_work), next;

	do {
		next = (seen >> 32 == here >> 32 ? seen : here) + 1;
		if ((uint32_t)next > LOOKUPS_MAX)
			return false;
	} while (!atomic_compare_exchange_weak(&at_work, &seen, next));
	return true;
}

static void uncount_one(void)
{
	(void)atomic_fetch_sub(&at_work, 1);
}

static int error_of(int code, int system_error)
{
	switch (code) {
	case 0:
		return 0;
	case EAI_NONAME:
		return SOQ_NAME_NOT_FOUND;
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return SOQ_NAME_NO_DATA;
	case EAI_AGAIN:
		return SOQ_NAME_TRY_AGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return system_error > 0 ? -system_error : SOQ_NAME_FAILED;
	default:
		return SOQ_NAME_FAILED;
	}
}

int soqi_look_up(const char *name, int family, struct addrinfo **found_out)
{
	/* Of each address once, and not for each type of socket. */
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	int code;

	*found_out = NULL;
	errno = 0;
	code = getaddrinfo(name, NULL, &hints, found_out);
	return error_of(code, errno);
}

void soqi_lookup_free(struct soqi_lookup *l)
{
	if (l == NULL)
		return;
	if (l->found != NULL)
		freeaddrinfo(l->found);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

static void *work(void *arg)
{
	struct soqi_lookup *l = arg;
	bool given_up;

	l->error = soqi_look_up(l->name, l->family, &l->found);
	/* Before it is told, so that who hears of it may look up the next one. */
	uncount_one();
	(void)pthread_mutex_lock(&l->lock);
	given_up = l->stage == GIVEN_UP;
	if (!given_up) {
		int error = soq_loop_post(l->loop, &l->posted);

		/* The loop is there, and the op is not in flight. */
		assert(error == 0);
		(void)error;
		l->stage = POSTED;
	}
	(void)pthread_mutex_unlock(&l->lock);
	if (given_up)
		soqi_lookup_free(l);
	return NULL;
}

static int thread_make(struct soqi_lookup *l, const pthread_attr_t *attributes)
{
	pthread_t thread;

	return pthread_create(&thread, attributes, work, l);
}

/* Signals are the program's: its threads get them, with all of them blocked in this one. */
static int thread_start(struct soqi_lookup *l)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int error = pthread_attr_init(&attributes);

	if (error != 0)
		return -EAGAIN;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = thread_make(l, &attributes);
	/* A program with that much in thread-local variables, which take from the stack. */
	if (error == EINVAL) {
		(void)pthread_attr_destroy(&attributes);
		(void)pthread_attr_init(&attributes);
		(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		error = thread_make(l, &attributes);
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	return error == 0 ? 0 : -EAGAIN;
}

/* Its post has arrived. */
static void arrived(const struct soq_event *event)
{
	struct soqi_lookup *l = soqi_container_of(event->op, struct soqi_lookup, posted);

	(void)pthread_mutex_lock(&l->lock);
	(void)pthread_mutex_unlock(&l->lock);
	l->told(l, l->arg);
	soqi_lookup_free(l);
}

struct soqi_lookup *soqi_lookup_make(const struct soqi_host *host, int family, soqi_told_fn *told,
				     void *arg)
{
	struct soqi_lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	if (pthread_mutex_init(&l->lock, NULL) != 0) {
		free(l);
		return NULL;
	}
	l->family = family;
	l->told = told;
	l->arg = arg;
	memcpy(l->name, host->name, sizeof(l->name));
	(void)soq_op_inner(&l->posted, arrived);
	return l;
}

int soqi_lookup_begin(struct soq_loop *loop, struct soqi_lookup *l)
{
	int error;

	if (!count_one())
		return -EAGAIN;
	l->loop = loop;
	l->stage = AT_WORK;
	error = thread_start(l);
	if (error != 0)
		uncount_one();
	return error;
}

bool soqi_lookup_give_up(struct soqi_lookup *l)
{
	bool is_posted;

	(void)pthread_mutex_lock(&l->lock);
	is_posted = l->stage == POSTED;
	if (!is_posted)
		l->stage = GIVEN_UP;
	(void)pthread_mutex_unlock(&l->lock);
	return !is_posted;
}

int soqi_lookup_result(const struct soqi_lookup *l, const struct addrinfo **found_out)
{
	*found_out = l->found;
	return l->error;
}
