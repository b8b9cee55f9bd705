/* SPDX-License-Identifier: MIT */
/*
 * The two points where memory changes hands: soqi_own_give() when an op starts,
 * soqi_own_take() when it ends. Empty in ordinary builds. Under AddressSanitizer
 * and valgrind the memory in between is poisoned, so a program that touches it is
 * reported at once, and one that has freed it at the op's end. The epoll backend
 * moves the bytes with a system call of its own, and borrows the memory for it.
 */
#ifndef SOQI_OWN_H
#define SOQI_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#if defined(__SANITIZE_ADDRESS__)
#define SOQI_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOQI_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define SOQI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SOQI_TSAN 1
#endif
#endif

/* Whether there is anybody to tell. */
#if defined(SOQI_ASAN) || defined(SOQ_VALGRIND)
#define SOQI_OWN_WATCHED 1
#else
#define SOQI_OWN_WATCHED 0
#endif

#if defined(SOQI_ASAN)
#include <sanitizer/asan_interface.h>

static inline void soqi_own_give(const void *memory, size_t size_bytes)
{
	if (size_bytes > 0)
		__asan_poison_memory_region(memory, size_bytes);
}

/* The shadow has no shadow: this one read must not be instrumented. */
__attribute__((no_sanitize("address"), noinline, unused)) static unsigned char
soqi_own_shadow(size_t address)
{
	return *(const volatile unsigned char *)address;
}

/*
 * A buffer freed in flight carries the allocator's mark instead of ours. Reading
 * it then makes AddressSanitizer report the use after free, with its stacks. Only
 * whole granules are poisoned to the byte, so the first whole one is looked at.
 */
static inline void soqi_own_take(const void *memory, size_t size_bytes, size_t defined_bytes)
{
	size_t scale;
	size_t offset;
	size_t granule;

	(void)defined_bytes;
	if (size_bytes == 0)
		return;
	__asan_get_shadow_mapping(&scale, &offset);
	granule = ((size_t)memory + (((size_t)1 << scale) - 1)) >> scale;
	if ((granule << scale) + ((size_t)1 << scale) <= (size_t)memory + size_bytes &&
	    soqi_own_shadow(granule + offset) != 0xf7)
		(void)*(const volatile char *)(granule << scale);
	__asan_unpoison_memory_region(memory, size_bytes);
}

static inline void soqi_own_borrow(const struct iovec *segments, size_t count, bool cut)
{
	(void)cut;
	for (size_t i = 0; i < count; i++)
		soqi_own_take(segments[i].iov_base, segments[i].iov_len, 0);
}

static inline void soqi_own_give_back(const struct iovec *segments, size_t count)
{
	for (size_t i = 0; i < count; i++)
		soqi_own_give(segments[i].iov_base, segments[i].iov_len);
}

#elif defined(SOQ_VALGRIND)
#include "loop.h"

#include <valgrind/memcheck.h>

/* Beside the memory that was lent the ring has written this: valgrind does not see it. */
static inline void soqi_own_written(const void *memory, size_t size_bytes)
{
	VALGRIND_MAKE_MEM_DEFINED(memory, size_bytes);
}

/*
 * Memcheck cannot both forbid access and remember which bytes were defined, and
 * the bytes a send gave away must come back defined. So a program that hands over
 * undefined bytes is not told so here; the kernel's own check on epoll does it.
 */
static inline void soqi_own_give(const void *memory, size_t size_bytes)
{
	if (size_bytes > 1)
		VALGRIND_MAKE_MEM_NOACCESS(memory, size_bytes - 1);
}

/* The last byte is left alone, so that memory freed in flight shows: it is nobody's. */
static inline void soqi_own_take(const void *memory, size_t size_bytes, size_t defined_bytes)
{
	(void)defined_bytes;
	if (size_bytes == 0)
		return;
	VALGRIND_CHECK_MEM_IS_ADDRESSABLE((const char *)memory + size_bytes - 1, 1);
	VALGRIND_MAKE_MEM_DEFINED(memory, size_bytes);
}

/* The last piece of what is `cut`, and one of the largest size, end before the memory does. */
static inline void soqi_own_borrow(const struct iovec *segments, size_t count, bool cut)
{
	for (size_t i = 0; i < count; i++)
		if (segments[i].iov_len < SOQI_REQUEST_BYTES && (i + 1 < count || !cut))
			soqi_own_take(segments[i].iov_base, segments[i].iov_len, 0);
		else
			VALGRIND_MAKE_MEM_DEFINED(segments[i].iov_base, segments[i].iov_len);
}

static inline void soqi_own_give_back(const struct iovec *segments, size_t count)
{
	for (size_t i = 0; i < count; i++)
		soqi_own_give(segments[i].iov_base, segments[i].iov_len);
}

#else

static inline void soqi_own_give(const void *memory, size_t size_bytes)
{
	(void)memory;
	(void)size_bytes;
}

static inline void soqi_own_take(const void *memory, size_t size_bytes, size_t defined_bytes)
{
	(void)memory;
	(void)size_bytes;
	(void)defined_bytes;
}

static inline void soqi_own_borrow(const struct iovec *segments, size_t count, bool cut)
{
	(void)cut;
	(void)segments;
	(void)count;
}

static inline void soqi_own_give_back(const struct iovec *segments, size_t count)
{
	(void)segments;
	(void)count;
}

#endif

#if !defined(SOQ_VALGRIND) || defined(SOQI_ASAN)
static inline void soqi_own_written(const void *memory, size_t size_bytes)
{
	(void)memory;
	(void)size_bytes;
}
#endif

/*
 * ThreadSanitizer does not see liburing map and unmap its rings by raw system
 * calls: a ring at the address of an older one would inherit that one's history.
 */
#if defined(SOQI_TSAN)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define SOQI_OWN_RING_BORN(address) __tsan_acquire(address)
#define SOQI_OWN_RING_GONE(address) __tsan_release(address)
#else
#define SOQI_OWN_RING_BORN(address) ((void)(address))
#define SOQI_OWN_RING_GONE(address) ((void)(address))
#endif

#endif
