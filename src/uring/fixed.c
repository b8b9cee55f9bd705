/* SPDX-License-Identifier: MIT */
/*
 * Fixed buffers: the memory of a pool, pinned once for the zero-copy sends from it, which
 * otherwise pin theirs each time. Not before the first of them: it counts against
 * RLIMIT_MEMLOCK, and everything else goes without.
 */
#include "../pool.h"
#include "uring.h"

#include <errno.h>
#include <string.h>

#define TABLE_ENTRIES 16u /* pools of one loop; those beyond it are not pinned */

static int table_make(struct soqi_uring *impl)
{
	struct io_uring_rsrc_register table;
	int result;

	if (impl->fixed_made)
		return 0;
	memset(&table, 0, sizeof(table));
	table.nr = TABLE_ENTRIES;
	table.flags = IORING_RSRC_REGISTER_SPARSE;
	result = soqi_ring_register(impl, IORING_REGISTER_BUFFERS2, &table, sizeof(table));
	impl->fixed_made = result >= 0;
	return result < 0 ? result : 0;
}

static int entry_set(struct soqi_uring *impl, unsigned index, void *memory, size_t size_bytes)
{
	struct iovec entry = { memory, size_bytes };
	struct io_uring_rsrc_update2 update;
	int result;

	memset(&update, 0, sizeof(update));
	update.offset = index;
	update.data = (uintptr_t)&entry;
	update.nr = 1;
	result = soqi_ring_register(impl, IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof(update));
	return result < 0 ? result : 0;
}

static int pin(struct soqi_uring *impl, struct soq_pool *pool)
{
	unsigned index = (unsigned)__builtin_ctz(~impl->fixed_used);
	int error = index < TABLE_ENTRIES ? table_make(impl) : -ENOSPC;

	if (error == 0)
		error = entry_set(impl, index, soqi_pool_memory(pool), soqi_pool_bytes(pool));
	if (error != 0)
		return error;
	impl->fixed_used |= 1u << index;
	pool->fixed_index = (int)index;
	return 0;
}

static bool is_inside(const struct soq_pool *pool, uintptr_t at, size_t size_bytes)
{
	uintptr_t first = (uintptr_t)soqi_pool_memory(pool);
	size_t bytes = soqi_pool_bytes(pool);

	return at >= first && at - first < bytes && size_bytes <= bytes - (at - first);
}

int soqi_fixed_find(struct soq_loop *loop, struct soqi_uring *impl, uintptr_t at, size_t size_bytes)
{
	struct soq_pool *pool = loop->pools;

	while (pool != NULL && !is_inside(pool, at, size_bytes))
		pool = pool->next;
	if (pool == NULL)
		return -1;
	if (pool->fixed_error == -EINPROGRESS)
		pool->fixed_error = pin(impl, pool);
	return pool->fixed_index;
}

void soqi_fixed_forget(struct soqi_uring *impl, struct soq_pool *pool)
{
	if (pool->fixed_index >= 0 && !impl->dead) {
		(void)entry_set(impl, (unsigned)pool->fixed_index, NULL, 0);
		impl->fixed_used &= ~(1u << pool->fixed_index);
		/* There is a place again. */
		for (struct soq_pool *other = pool->loop->pools; other != NULL; other = other->next)
			if (other->fixed_error == -ENOSPC)
				other->fixed_error = -EINPROGRESS;
	}
	pool->fixed_index = -1;
	pool->fixed_error = -EINPROGRESS;
}
