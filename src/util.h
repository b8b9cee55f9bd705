/* SPDX-License-Identifier: MIT */
/* Small things every file may need; nothing here knows an op or a socket. */
#ifndef SOQI_UTIL_H
#define SOQI_UTIL_H

#include <soq/base.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define soqi_container_of(pointer, type, member)                                                   \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define soqi_likely(x)   __builtin_expect(!!(x), 1)
#define soqi_unlikely(x) __builtin_expect(!!(x), 0)

/* A variable that its user fills in, where all others are cleared by the compiler. */
#if __has_attribute(uninitialized)
#define SOQI_UNINITIALIZED __attribute__((uninitialized))
#else
#define SOQI_UNINITIALIZED
#endif

/* alloc.c. The given allocator, or with NULL the C library's. -EINVAL: it lacks a function. */
int soqi_allocator_read(const struct soq_allocator *given, struct soq_allocator *allocator);

/* here.c. A word that is 1 here and 0 in a child of fork(); NULL without memory. */
const volatile uint32_t *soqi_here_make(void);
void soqi_here_free(const volatile uint32_t *here);

#define SOQI_NS_PER_S 1000000000LL

static inline int64_t soqi_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SOQI_NS_PER_S + now.tv_nsec;
}

/* The time `duration_ns` from `now_ns`; INT64_MAX when it would not fit. */
static inline int64_t soqi_after_ns(int64_t now_ns, int64_t duration_ns)
{
	int64_t sum_ns;

	if (__builtin_add_overflow(now_ns, duration_ns, &sum_ns))
		return INT64_MAX;
	return sum_ns;
}

static inline struct timespec soqi_timespec(int64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / SOQI_NS_PER_S),
				  .tv_nsec = (long)(ns % SOQI_NS_PER_S) };
}

#endif
