/* SPDX-License-Identifier: MIT */
/*
 * What every black-box test stands on: a loop of the tier under test, probes that
 * count what an op gives, connections, and a teardown that finds what leaks.
 *
 * Nothing in done(), in another thread or in a child may fail an assertion: cmocka
 * leaves by longjmp, through the library. Record there, expect() afterwards.
 */
#ifndef SOQ_TESTS_SUPPORT_H
#define SOQ_TESTS_SUPPORT_H

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <soq/soq.h>

#define MS              INT64_C(1000000)
#define HOUR            (INT64_C(3600) * 1000 * MS)
#define FOREVER         (-1)
#define ALL_FEATURES    ((1u << SOQ_FEATURE_COUNT) - 1)
#define COUNT_OF(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

struct fixture;
struct probe;

/* Runs after an event was recorded, still inside done(). */
typedef void probe_then_fn(struct probe *p, const struct soq_event *event);

/* An op, and all that it said. */
struct probe {
	struct soq_op op; /* first: a probe is found by its op */
	struct fixture *t;
	probe_then_fn *then;
	void *arg;
	unsigned starts;     /* starting calls that returned 0 */
	unsigned events;     /* all events */
	unsigned finals;     /* final ones */
	unsigned stray;      /* events that came with nothing started */
	unsigned sequence;   /* place of the last event among all of the test's */
	int start_error;     /* of again(): the last that did not return 0 */
	int64_t result;      /* of the last event */
	uint32_t flags;      /* of the last event */
	int64_t more_result; /* of the last event that was not final */
	uint32_t more_flags;
	unsigned more_sequence;
	struct soq_socket *socket;
	struct soq_buf *buf; /* the last one lent */
	struct probe *next;
};

/* What the allocator hook of the fixture has seen. */
struct memory_account {
	uint64_t live_bytes;
	uint64_t live_blocks;
	uint64_t allocations;
	uint64_t mismatches; /* released with another size, or not allocated */
};

/* The open descriptors of this process. */
struct fd_census {
	unsigned count;
	int fds[1024];
};

struct fixture {
	struct soq_loop *loop;
	struct soq_loop *home; /* what sockets are opened on: the loop, or NULL on tier detached */
	const char *tier;
	int is_uring;
	struct memory_account memory;
	struct soq_allocator allocator;
	struct fd_census fds_before;
	struct probe *probes;
	unsigned sequence;
	int loop_is_gone; /* the test destroyed it itself */
};

/* A test: its name, its body, and the rows of tests/contract/contract.txt it pins. */
struct conf_case {
	const char *name;
	void (*body)(struct fixture *t);
	const char *rows;
	int sync_only; /* starts nothing: runs on detached sockets too */
};

#define CASE(body, rows)                                                                           \
	{                                                                                          \
#body, body, rows, 0                                                               \
	}
#define SYNC_CASE(body, rows)                                                                      \
	{                                                                                          \
#body, body, rows, 1                                                               \
	}

/* Runs the cases, each on its own fixture. Returns the number that failed. */
int conf_run(const char *area, const struct conf_case *cases, unsigned count);

/* The group of one file: a program of its own, or a part of conformance_all. */
#ifdef SOQ_CONFORMANCE_ALL
#define CONF_MAIN(area)
#else
#define CONF_MAIN(area)                                                                            \
	int main(void)                                                                             \
	{                                                                                          \
		return conf_group_##area() != 0;                                                   \
	}
#endif
#define CONF_GROUP(area, cases)                                                                    \
	int conf_group_##area(void);                                                               \
	int conf_group_##area(void)                                                                \
	{                                                                                          \
		return conf_run(#area, cases, COUNT_OF(cases));                                    \
	}                                                                                          \
	CONF_MAIN(area)

/* expect(): equality of two integers, errno names spelt out when it fails. */
#define expect(got, want) expect_at((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
#define expect_true(what) expect_true_at((what) ? 1 : 0, #what, __FILE__, __LINE__)
void expect_at(int64_t got, int64_t want, const char *what, const char *file, int line);
void expect_true_at(int yes, const char *what, const char *file, int line);

/* Probes. They live until the fixture ends, which checks them. */
struct probe *probe(struct fixture *t);       /* delivered by soq_loop_run() */
struct probe *probe_quiet(struct fixture *t); /* `done` NULL: waited for or harvested */
#define started(p, rc) started_at((p), (rc), #rc, __FILE__, __LINE__)
void started_at(struct probe *p, int rc, const char *what, const char *file, int line);
void again(struct probe *p, int rc); /* started(), for use inside done() */
void record(const struct soq_event *event);
#define finished(p) ((p)->starts > 0 && (p)->finals == (p)->starts)

/* The op has ended once for each start, lastly with this. */
#define expect_end(p, result, flags)                                                               \
	expect_end_at((p), (int64_t)(result), (flags), __FILE__, __LINE__)
void expect_end_at(struct probe *p, int64_t result, uint32_t flags, const char *file, int line);

/* soq_wait() for a quiet probe; the event is recorded. Returns its result. */
#define wait_end(p) wait_end_at((p), __FILE__, __LINE__)
int64_t wait_end_at(struct probe *p, const char *file, int line);

/* Runs the loop, turn by turn, until `what` holds; fails when that takes for ever. */
struct watch {
	int64_t until_ns;
	unsigned turns;
};
struct watch watch_start(void);
void watch_turn(struct fixture *t, struct watch *w, const char *what, const char *file, int line);
#define run_until(t, what)                                                                         \
	do {                                                                                       \
		struct watch watch_ = watch_start();                                               \
		while (!(what))                                                                    \
			watch_turn((t), &watch_, #what, __FILE__, __LINE__);                       \
	} while (0)
#define await(t, p) run_until((t), finished(p))

/* Some turns that wait for nothing: what was started is in the kernel after them. */
void settle(struct fixture *t);

int64_t now_ns(void);      /* CLOCK_MONOTONIC */
int64_t watchdog_ns(void); /* 5 s, times SOQ_TEST_SLOW */
/* How long this thread has been ready and had no processor; 0 if the kernel does not count. */
int64_t held_up_ns(void);
uint64_t env_number(const char *name, uint64_t otherwise);
struct soq_loop_stats stats_of(struct fixture *t);
/* A pool as the tier has it; `share` 0 for the default. Teardown finds one that was left. */
struct soq_pool *pool_open(struct fixture *t, uint32_t share);
struct soq_pool *pool_open_as(struct fixture *t, const struct soq_pool_options *options);
/* Destroys it: nothing may be on loan or wait. */
void pool_close(struct soq_pool *pool);
struct soq_pool_info pool_info(struct soq_pool *pool);
void options_of_tier(struct fixture *t, struct soq_loop_options *options);
void census(struct fd_census *c);

/* The bytes of a stream: what stands at `offset` in the stream numbered `key`. */
void fill(void *memory, size_t size, uint64_t key, uint64_t offset);
int is_filled(const void *memory, size_t size, uint64_t key, uint64_t offset);

#include "net.h"

#endif
