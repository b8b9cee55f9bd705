/* SPDX-License-Identifier: MIT */
/* Version, visibility and memory: what every other header of soq stands on. */
#ifndef SOQ_BASE_H
#define SOQ_BASE_H

#include <stddef.h>
#include <stdint.h>

#define SOQ_VERSION_MAJOR 0
#define SOQ_VERSION_MINOR 1
#define SOQ_VERSION_PATCH 0

/* One number to compare: 0x00MMmmpp. */
#define SOQ_VERSION ((SOQ_VERSION_MAJOR << 16) | (SOQ_VERSION_MINOR << 8) | SOQ_VERSION_PATCH)

#if defined(__GNUC__)
#define SOQ_API        __attribute__((visibility("default")))
#define SOQ_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SOQ_API
#define SOQ_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct soq_loop;   /* the submission/completion core: soq/loop.h */
struct soq_socket; /* one socket of a loop: soq/socket.h */
struct soq_op;     /* one asynchronous operation: soq/op.h */
struct soq_event;  /* one completion, by value: soq/op.h */
struct soq_pool;   /* buffers the kernel fills: soq/pool.h */
struct soq_buf;    /* one of them, lent: soq/pool.h */

/**
 * Where a loop takes its memory from.
 *
 * All memory of a loop and of everything made on it comes through these two,
 * so a program can account for it, bound it, or make any allocation fail.
 *
 * Owner:  the functions and `context` must outlive the loop.
 * Thread: called on whatever thread calls into the loop; never at the same time
 *         for one loop.
 */
struct soq_allocator {
	/* Returns `size_bytes` aligned to `align_bytes` (a power of two), or NULL. */
	void *(*allocate)(void *context, size_t size_bytes, size_t align_bytes);
	/* Takes back what allocate() gave, with the same size. Never NULL. */
	void (*release)(void *context, void *memory, size_t size_bytes);
	void *context;
};

/**
 * The version of the library that runs, as SOQ_VERSION is the one compiled for.
 *
 * Result: 0x00MMmmpp.
 * Thread: any.
 */
SOQ_API uint32_t soq_version(void);

#ifdef __cplusplus
}
#endif

#endif
