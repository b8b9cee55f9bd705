/* SPDX-License-Identifier: MIT */
/* The allocator hook: all memory of a loop passes here and is counted. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One cache line, so that what one loop writes is no neighbour of another's. */
#define ALIGN_BYTES 64u

static void *allocate_libc(void *context, size_t size_bytes, size_t align_bytes)
{
	size_t rounded = (size_bytes + align_bytes - 1) & ~(align_bytes - 1);

	(void)context;
	return aligned_alloc(align_bytes, rounded);
}

static void release_libc(void *context, void *memory, size_t size_bytes)
{
	(void)context;
	(void)size_bytes;
	free(memory);
}

int soqi_allocator_read(const struct soq_allocator *given, struct soq_allocator *allocator)
{
	static const struct soq_allocator libc = { allocate_libc, release_libc, NULL };

	*allocator = given != NULL ? *given : libc;
	return allocator->allocate != NULL && allocator->release != NULL ? 0 : -EINVAL;
}

void *soqi_alloc(struct soq_loop *loop, size_t size_bytes)
{
	void *memory = loop->allocator.allocate(loop->allocator.context, size_bytes, ALIGN_BYTES);

	if (memory == NULL)
		return NULL;
	loop->stats.allocations++;
	loop->stats.allocated_bytes += size_bytes;
	return memset(memory, 0, size_bytes);
}

void soqi_free(struct soq_loop *loop, void *memory, size_t size_bytes)
{
	if (memory == NULL)
		return;
	loop->stats.allocated_bytes -= size_bytes;
	loop->allocator.release(loop->allocator.context, memory, size_bytes);
}
