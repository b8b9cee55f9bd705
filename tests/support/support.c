/* SPDX-License-Identifier: MIT */
/* The fixture: a loop of the tier under test, and the teardown that finds leaks. */
#define _GNU_SOURCE
#include "support.h"
#include "internal.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static volatile sig_atomic_t sigpipes;
static const char *volatile running_test = "?";

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t held_up_ns(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "re");
	char text[96] = "", *rest;
	int64_t ns = 0;

	if (!file)
		return 0;
	/* The time that it ran, the time that it waited, and how often. */
	if (fgets(text, sizeof(text), file)) {
		(void)strtoll(text, &rest, 10);
		ns = strtoll(rest, NULL, 10);
	}
	fclose(file);
	return ns;
}

uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int64_t watchdog_ns(void)
{
	return 5000 * MS * (int64_t)env_number("SOQ_TEST_SLOW", 1);
}

void census(struct fd_census *c)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	c->count = 0;
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && fd != dirfd(dir) && c->count < COUNT_OF(c->fds))
			c->fds[c->count++] = fd;
	}
	closedir(dir);
}

static int census_has(const struct fd_census *c, int fd)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->fds[i] == fd)
			return 1;
	return 0;
}

/* The size is kept in front of the block, so that release() can be checked. */
#define BLOCK_HEAD 64

static void *account_allocate(void *context, size_t size_bytes, size_t align_bytes)
{
	struct memory_account *m = context;
	size_t align = align_bytes > BLOCK_HEAD ? align_bytes : BLOCK_HEAD;
	char *block;

	if (posix_memalign((void **)&block, align, align + size_bytes))
		return NULL;
	memset(block, 0, align);
	memcpy(block + align - sizeof(size_t), &size_bytes, sizeof(size_t));
	memcpy(block + align - 2 * sizeof(size_t), &align, sizeof(size_t));
	memset(block + align, 0xa5, size_bytes);
	m->live_bytes += size_bytes;
	m->live_blocks++;
	m->allocations++;
	return block + align;
}

static void account_release(void *context, void *memory, size_t size_bytes)
{
	struct memory_account *m = context;
	size_t size, align;

	memcpy(&size, (char *)memory - sizeof(size_t), sizeof(size_t));
	memcpy(&align, (char *)memory - 2 * sizeof(size_t), sizeof(size_t));
	if (size != size_bytes)
		m->mismatches++;
	m->live_bytes -= size;
	m->live_blocks--;
	free((char *)memory - align);
}

void options_of_tier(struct fixture *t, struct soq_loop_options *options)
{
	*options = (struct soq_loop_options){ .size = sizeof(*options) };
	options->backend = t->is_uring ? SOQ_BACKEND_URING : SOQ_BACKEND_EPOLL;
	options->allocator = &t->allocator;
	if (!strcmp(t->tier, "uring-floor"))
		options->features_off = ALL_FEATURES;
	if (!strcmp(t->tier, "uring-tiny")) {
		options->sq_entries = 2;
		options->cq_entries = 4;
		options->zerocopy_bytes = 1;
		options->direct_count = 2;
	}
}

static int asked_for(struct fixture *t, uint32_t feature)
{
	if (feature == SOQ_FEATURE_NAPI || !strcmp(t->tier, "uring-floor"))
		return 0;
	return feature != SOQ_FEATURE_DIRECT || !strcmp(t->tier, "uring-tiny");
}

/* The tier must be what runs, not what was asked for. */
static void check_tier(struct fixture *t)
{
	struct soq_loop_info info = { .size = sizeof(info) };

	expect(soq_loop_info(t->loop, &info), 0);
	expect(info.backend, t->is_uring ? SOQ_BACKEND_URING : SOQ_BACKEND_EPOLL);
	expect(info.uring_error, t->is_uring ? 0 : -ECANCELED);
	if (!t->is_uring || !strcmp(t->tier, "uring-floor"))
		expect(info.features, 0);
	if (!strcmp(t->tier, "uring-tiny")) {
		expect(info.sq_entries, 2);
		expect(info.cq_entries, 4);
	}
	for (unsigned bit = 0; t->is_uring && bit < SOQ_FEATURE_COUNT; bit++) {
		int used = (info.features >> bit) & 1;
		int why = info.feature_errors[bit];

		expect_true(used ? why == 0 : why < 0);
		if (!used)
			expect(why == -ECANCELED, !asked_for(t, 1u << bit));
	}
}

static void on_sigpipe(int number)
{
	(void)number;
	sigpipes++;
}

/* A hang would otherwise be silent. */
static void on_alarm(int number)
{
	const char *name = running_test;

	(void)number;
	if (write(2, "hangs: ", 7) < 0 || write(2, name, strlen(name)) < 0 || write(2, "\n", 1) < 0)
		_exit(125);
	_exit(124);
}

/* A failed test leaves its limits behind. */
static void restore_limits(void)
{
	static struct rlimit first;

	if (!first.rlim_max)
		getrlimit(RLIMIT_NOFILE, &first);
	else
		setrlimit(RLIMIT_NOFILE, &first);
}

void fixture_begin(struct fixture *t, const char *name)
{
	struct sigaction pipe_action = { .sa_handler = on_sigpipe };
	struct sigaction alarm_action = { .sa_handler = on_alarm };
	const char *tier = getenv("SOQ_TEST_TIER");
	struct soq_loop_options options;

	*t = (struct fixture){ .tier = tier ? tier : "epoll" };
	t->is_uring = !strncmp(t->tier, "uring-", 6);
	if (!t->is_uring && strncmp(t->tier, "epoll", 5) != 0 && strcmp(t->tier, "detached") != 0)
		fail_msg("SOQ_TEST_TIER: no tier %s", t->tier);
	t->allocator = (struct soq_allocator){ account_allocate, account_release, &t->memory };
	sigaction(SIGPIPE, &pipe_action, NULL);
	sigaction(SIGALRM, &alarm_action, NULL);
	restore_limits();
	running_test = name;
	alarm((unsigned)env_number("SOQ_TEST_ALARM", 50 * env_number("SOQ_TEST_SLOW", 1)));
	sigpipes = 0;
	census(&t->fds_before);
	options_of_tier(t, &options);
	expect(soq_loop_create(&options, &t->loop), 0);
	check_tier(t);
	t->home = strcmp(t->tier, "detached") ? t->loop : NULL;
}

static void expect_nothing_left(struct fixture *t)
{
	struct watch w = watch_start();
	struct soq_loop_stats s = stats_of(t);

	/* What closes may take turns; what the test forgot stays and is found below. */
	while ((s.sockets || s.ops_in_flight) && now_ns() < w.until_ns) {
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 10 * MS) >= 0);
		s = stats_of(t);
	}
	expect(s.sockets, 0);
	expect(s.ops_in_flight, 0);
	expect(s.events_waiting, 0);
	expect(s.ops_started, s.ops_finished);
	expect(s.allocated_bytes, t->memory.live_bytes);
	expect(soq_loop_destroy(t->loop), 0);
}

static void expect_fds_as_before(struct fixture *t)
{
	struct fd_census now;

	census(&now);
	for (unsigned i = 0; i < now.count; i++)
		if (!census_has(&t->fds_before, now.fds[i]))
			fail_msg("descriptor %d was left open", now.fds[i]);
	for (unsigned i = 0; i < t->fds_before.count; i++)
		if (!census_has(&now, t->fds_before.fds[i]))
			fail_msg("descriptor %d was closed", t->fds_before.fds[i]);
}

void fixture_end(struct fixture *t)
{
	if (!t->loop_is_gone)
		expect_nothing_left(t);
	for (struct probe *p = t->probes, *next; p; p = next) {
		next = p->next;
		expect(p->finals, p->starts);
		expect(p->stray, 0);
		free(p);
	}
	t->probes = NULL;
	expect(t->memory.live_bytes, 0);
	expect(t->memory.live_blocks, 0);
	expect(t->memory.mismatches, 0);
	expect(sigpipes, 0);
	expect_fds_as_before(t);
	alarm(0);
}

struct soq_loop_stats stats_of(struct fixture *t)
{
	struct soq_loop_stats stats = { .size = sizeof(stats) };

	expect(soq_loop_stats(t->loop, &stats), 0);
	return stats;
}

struct soq_pool *pool_open_as(struct fixture *t, const struct soq_pool_options *options)
{
	struct soq_pool *pool = NULL;
	struct soq_pool_info info;

	expect(soq_pool_create(t->loop, options, &pool), 0);
	info = pool_info(pool);
	/* The kernel picks, or it is known why not. */
	expect(info.registered_error, t->is_uring ? 0 : -ECANCELED);
	expect(info.bufs_lent + info.bufs_waiting + info.receivers, 0);
	return pool;
}

struct soq_pool *pool_open(struct fixture *t, uint32_t share)
{
	struct soq_pool_options options = { .size = sizeof(options), .share = share };

	if (strstr(t->tier, "pool2")) {
		options.class_count = 1;
		options.classes[0].buf_count = 2;
		options.share = share == 0 || share > 2 ? 2 : share;
	}
	return pool_open_as(t, &options);
}

void pool_close(struct soq_pool *pool)
{
	struct soq_pool_info info = pool_info(pool);
	uint32_t count = 0;

	for (unsigned i = 0; i < info.class_count; i++)
		count += info.classes[i].buf_count;
	expect(info.bufs_free, count);
	expect(info.bufs_lent, 0);
	expect(info.bufs_waiting, 0);
	expect(info.receivers, 0);
	expect(info.parked, 0);
	expect(info.lends, info.returns);
	expect(soq_pool_destroy(pool), 0);
}

struct soq_pool_info pool_info(struct soq_pool *pool)
{
	struct soq_pool_info info = { .size = sizeof(info) };

	expect(soq_pool_info(pool, &info), 0);
	return info;
}
