/* SPDX-License-Identifier: MIT */
/* The resolver of the test's own. It runs on threads of the library's: it only records. */
#define _GNU_SOURCE
#include "resolver.h"

#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static struct {
	pthread_mutex_t lock;
	pthread_cond_t told;
	struct resolver_asked asked;
	int holds;
	int code, system_error;
	struct soq_endpoint endpoints[RESOLVER_MAX];
	unsigned count;
	unsigned threads; /* when no lookup is at work */
} resolver = { .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER };

static void lock(void)
{
	(void)pthread_mutex_lock(&resolver.lock);
}

static void unlock(void)
{
	(void)pthread_cond_broadcast(&resolver.told);
	(void)pthread_mutex_unlock(&resolver.lock);
}

/* One block for an entry and its address. */
struct answer {
	struct addrinfo info;
	struct soq_endpoint ep;
};

static struct addrinfo *answer(void)
{
	struct addrinfo *first = NULL;

	for (unsigned i = resolver.count; i-- > 0;) {
		struct answer *a = calloc(1, sizeof(*a));

		if (a == NULL)
			abort();
		a->ep = resolver.endpoints[i];
		a->info.ai_family = a->ep.addr.any.sa_family;
		a->info.ai_addr = &a->ep.addr.any;
		a->info.ai_addrlen = a->ep.size_bytes;
		a->info.ai_next = first;
		first = &a->info;
	}
	return first;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **found)
{
	struct resolver_asked *asked = &resolver.asked;
	int code;

	lock();
	asked->times++;
	asked->at_work++;
	if (asked->most < asked->at_work)
		asked->most = asked->at_work;
	snprintf(asked->name, sizeof(asked->name), "%s", name);
	asked->family = service == NULL ? hints->ai_family : -1;
	asked->thread = pthread_self();
	(void)pthread_sigmask(SIG_BLOCK, NULL, &asked->blocked);
	(void)pthread_cond_broadcast(&resolver.told);
	while (resolver.holds)
		(void)pthread_cond_wait(&resolver.told, &resolver.lock);
	code = resolver.code;
	errno = resolver.system_error;
	if (code == 0) {
		*found = answer();
		asked->lists++;
	}
	asked->at_work--;
	unlock();
	return code;
}

void freeaddrinfo(struct addrinfo *list)
{
	lock();
	resolver.asked.lists--;
	resolver.asked.fakes += list == NULL;
	unlock();
	while (list != NULL) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

/* Whether it is a thread of the program's: the kernel has others for a ring (Linux 6.1). */
static bool is_ours(const char *id)
{
	char path[300], name[16] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", id);
	/* It may have ended by now. */
	file = id[0] != '.' ? fopen(path, "re") : NULL;
	if (file == NULL)
		return false;
	if (fgets(name, sizeof(name), file) == NULL)
		name[0] = '\0';
	(void)fclose(file);
	return strncmp(name, "iou-", 4) != 0;
}

static unsigned threads_read(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned count = 0;

	if (tasks == NULL)
		abort();
	while ((entry = readdir(tasks)) != NULL)
		count += is_ours(entry->d_name);
	(void)closedir(tasks);
	return count;
}

/*
 * The threads of this process: of the library, and others that are always there. A folder that
 * changes while it is read may have an entry twice, or not at all: it is to say the same again.
 */
static unsigned threads(void)
{
	unsigned before = threads_read(), now;

	while ((now = threads_read()) != before)
		before = now;
	return now;
}

void resolver_rest(void)
{
	int64_t until_ns = now_ns() + watchdog_ns();
	unsigned now;

	while ((now = threads()) > resolver.threads && now_ns() < until_ns)
		(void)sched_yield();
	expect_true(now <= resolver.threads);
}

static void *nothing(void *arg)
{
	return arg;
}

/* The first thread of a program brings that of ThreadSanitizer. */
static unsigned threads_before(void)
{
	pthread_t first;

	expect(pthread_create(&first, NULL, nothing, NULL), 0);
	expect(pthread_join(first, NULL), 0);
	return threads();
}

void resolver_open(void)
{
	if (resolver.threads == 0)
		resolver.threads = threads_before();
	lock();
	resolver.asked = (struct resolver_asked){ 0 };
	resolver.holds = 0;
	resolver.code = EAI_NONAME;
	unlock();
}

void resolver_close(void)
{
	resolver_let_go();
	resolver_rest();
	expect(resolver_asked().lists, 0);
	expect(resolver_asked().fakes, 0);
}

void resolver_await(unsigned at_work)
{
	struct timespec until;
	int error = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(watchdog_ns() / (1000 * MS));
	lock();
	while (error == 0 && resolver.asked.at_work < at_work)
		error = pthread_cond_timedwait(&resolver.told, &resolver.lock, &until);
	unlock();
	expect(error, 0);
}

void resolver_fails(int code, int system_error)
{
	lock();
	resolver.code = code;
	resolver.system_error = system_error;
	unlock();
}

void resolver_finds(const struct soq_endpoint *endpoints, unsigned count)
{
	expect_true(count <= RESOLVER_MAX);
	lock();
	memcpy(resolver.endpoints, endpoints, count * sizeof(*endpoints));
	resolver.count = count;
	resolver.code = 0;
	unlock();
}

void resolver_finds_text(const char *const *texts, unsigned count)
{
	struct soq_endpoint endpoints[RESOLVER_MAX];

	expect_true(count <= RESOLVER_MAX);
	for (unsigned i = 0; i < count; i++)
		expect(soq_endpoint_parse(texts[i], &endpoints[i]), 0);
	resolver_finds(endpoints, count);
}

void resolver_hold(void)
{
	lock();
	resolver.holds = 1;
	unlock();
}

pid_t resolver_fork(void)
{
	pid_t child;

	lock();
	child = fork();
	/* Those that wait are not there, and nobody has to wait for them to leave. */
	if (child == 0) {
		resolver.told = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
		resolver.holds = 0;
	}
	unlock();
	return child;
}

void resolver_let_go(void)
{
	lock();
	resolver.holds = 0;
	unlock();
}

struct resolver_asked resolver_asked(void)
{
	struct resolver_asked asked;

	lock();
	asked = resolver.asked;
	unlock();
	return asked;
}
