/* SPDX-License-Identifier: MIT */
/*
 * Lookups, and the threads that wait for them: the only ones of the library.
 *
 * getaddrinfo() can only be waited for and never be stopped, so nothing that may end before
 * it does is a thread's business: a lookup has a copy of the name, and is the thread's to free
 * once it was given up. What a loop and its threads share, the desk, is freed by whoever
 * leaves it last. A result comes to the loop by soq_loop_post(), under the desk's lock and
 * only while somebody waits for it: as long as one does, its op keeps the loop from being
 * destroyed, and a loop that is destroyed takes the lock first.
 */
#include "net.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* At a time, for one loop. Enough that some which get no answer do not hold up the others. */
#define THREADS_MAX 16u
/* The resolver and its modules need some 100 KiB; the pages that are not touched cost nothing. */
#define STACK_BYTES ((size_t)512 << 10)

enum stage {
	WAITING,  /* in line for a thread */
	AT_WORK,  /* a thread has it */
	GIVEN_UP, /* a thread has it, and nobody waits */
	POSTED,   /* it has ended, and its post is on the way */
};

struct desk {
	pthread_mutex_t lock;
	struct soq_loop *loop;
	struct soqi_lookup *first; /* in line */
	struct soqi_lookup *last;
	unsigned threads;
	bool kept; /* by the loop */
};

struct soqi_lookup {
	struct soqi_lookup *next;
	struct desk *desk;
	enum stage stage;
	int family;
	int error;
	struct addrinfo *found;
	soqi_told_fn *told;
	void *arg;
	struct soq_op posted;
	char name[SOQI_NAME_MAX + 1];
};

/* By its address: what loops keep a desk as. */
static const char desk_key;

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

static void lookup_drop(struct soqi_lookup *l)
{
	if (l->found != NULL)
		freeaddrinfo(l->found);
	free(l);
}

/* Gives the lock back, and the desk up if nobody is left at it. */
static void desk_leave(struct desk *desk)
{
	bool left = !desk->kept && desk->threads == 0;

	(void)pthread_mutex_unlock(&desk->lock);
	if (!left)
		return;
	(void)pthread_mutex_destroy(&desk->lock);
	free(desk);
}

static struct soqi_lookup *line_take(struct desk *desk)
{
	struct soqi_lookup *l = desk->first;

	if (l == NULL)
		return NULL;
	desk->first = l->next;
	if (l->next == NULL)
		desk->last = NULL;
	l->stage = AT_WORK;
	return l;
}

static void line_leave(struct desk *desk, const struct soqi_lookup *l)
{
	struct soqi_lookup *before = NULL;
	struct soqi_lookup **at = &desk->first;

	while (*at != l) {
		before = *at;
		at = &before->next;
	}
	*at = l->next;
	if (desk->last == l)
		desk->last = before;
}

static void *work(void *arg)
{
	struct desk *desk = arg;
	struct soqi_lookup *l;

	(void)pthread_mutex_lock(&desk->lock);
	while ((l = line_take(desk)) != NULL) {
		(void)pthread_mutex_unlock(&desk->lock);
		l->error = soqi_look_up(l->name, l->family, &l->found);
		(void)pthread_mutex_lock(&desk->lock);
		if (l->stage == GIVEN_UP) {
			lookup_drop(l);
			continue;
		}
		l->stage = POSTED;
		if (soq_loop_post(desk->loop, &l->posted) != 0)
			assert(!"the loop is there and the op is not in flight");
	}
	desk->threads--;
	desk_leave(desk);
	return NULL;
}

static int thread_make(struct desk *desk, const pthread_attr_t *attributes)
{
	pthread_t thread;

	return pthread_create(&thread, attributes, work, desk);
}

/* Signals are the program's: its threads get them, with all of them blocked in this one. */
static int thread_start(struct desk *desk)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int error = pthread_attr_init(&attributes);

	if (error != 0)
		return -ENOMEM;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = thread_make(desk, &attributes);
	/* A program with that much in thread-local variables, which take from the stack. */
	if (error == EINVAL) {
		(void)pthread_attr_destroy(&attributes);
		(void)pthread_attr_init(&attributes);
		(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		error = thread_make(desk, &attributes);
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	return error == 0 ? 0 : -ENOMEM;
}

static void desk_end(void *kept)
{
	struct desk *desk = kept;

	(void)pthread_mutex_lock(&desk->lock);
	assert(desk->first == NULL);
	desk->kept = false;
	desk_leave(desk);
}

static int desk_of(struct soq_loop *loop, struct desk **desk_out)
{
	struct desk *desk = soq_loop_kept(loop, &desk_key);
	int error;

	if (desk != NULL) {
		*desk_out = desk;
		return 0;
	}
	desk = calloc(1, sizeof(*desk));
	if (desk == NULL)
		return -ENOMEM;
	error = -pthread_mutex_init(&desk->lock, NULL);
	desk->loop = loop;
	desk->kept = true;
	if (error == 0) {
		error = soq_loop_keep(loop, &desk_key, desk, desk_end);
		if (error != 0)
			(void)pthread_mutex_destroy(&desk->lock);
	}
	if (error != 0)
		free(desk);
	else
		*desk_out = desk;
	return error;
}

/* Its post has arrived. */
static void arrived(const struct soq_event *event)
{
	struct soqi_lookup *l = soqi_container_of(event->op, struct soqi_lookup, posted);

	l->told(l, l->arg);
	lookup_drop(l);
}

struct soqi_lookup *soqi_lookup_make(const struct soqi_host *host, int family, soqi_told_fn *told,
				     void *arg)
{
	struct soqi_lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->family = family;
	l->told = told;
	l->arg = arg;
	memcpy(l->name, host->name, sizeof(l->name));
	(void)soq_op_inner(&l->posted, arrived);
	return l;
}

void soqi_lookup_free(struct soqi_lookup *lookup)
{
	free(lookup);
}

int soqi_lookup_begin(struct soq_loop *loop, struct soqi_lookup *l)
{
	struct desk *desk;
	int error = desk_of(loop, &desk);

	if (error != 0)
		return error;
	l->desk = desk;
	l->stage = WAITING;
	(void)pthread_mutex_lock(&desk->lock);
	if (desk->last != NULL)
		desk->last->next = l;
	else
		desk->first = l;
	desk->last = l;
	if (desk->threads < THREADS_MAX) {
		error = thread_start(desk);
		if (error == 0)
			desk->threads++;
		else if (desk->threads > 0)
			error = 0; /* one of those there takes it */
		else
			line_leave(desk, l);
	}
	(void)pthread_mutex_unlock(&desk->lock);
	return error;
}

bool soqi_lookup_give_up(struct soqi_lookup *l)
{
	struct desk *desk = l->desk;
	enum stage stage;

	(void)pthread_mutex_lock(&desk->lock);
	stage = l->stage;
	if (stage == WAITING)
		line_leave(desk, l);
	else if (stage == AT_WORK)
		l->stage = GIVEN_UP;
	(void)pthread_mutex_unlock(&desk->lock);
	if (stage == WAITING)
		lookup_drop(l);
	return stage != POSTED;
}

int soqi_lookup_result(const struct soqi_lookup *l, const struct addrinfo **found_out)
{
	*found_out = l->found;
	return l->error;
}
