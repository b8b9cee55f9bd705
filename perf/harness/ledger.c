/* SPDX-License-Identifier: MIT */
/* Counts what passes the allocator hook; the memory is the C library's. */
#include "ledger.h"

#include <stdlib.h>

/* The entry of a size; what finds no room shares the last one, so the sum stays right. */
static uint64_t *count_of(struct ledger *ledger, size_t size_bytes)
{
	for (int i = 0; i < ledger->size_count; i++) {
		if (ledger->sizes[i].size_bytes == size_bytes)
			return &ledger->sizes[i].count;
	}
	if (ledger->size_count == LEDGER_SIZES_MAX)
		return &ledger->sizes[LEDGER_SIZES_MAX - 1].count;
	ledger->sizes[ledger->size_count].size_bytes = size_bytes;
	return &ledger->sizes[ledger->size_count++].count;
}

static void *allocate(void *context, size_t size_bytes, size_t align_bytes)
{
	struct ledger *ledger = context;
	void *memory;

	if (align_bytes < sizeof(void *))
		align_bytes = sizeof(void *);
	if (posix_memalign(&memory, align_bytes, size_bytes) != 0)
		return NULL;
	ledger->bytes += size_bytes;
	++*count_of(ledger, size_bytes);
	return memory;
}

static void release(void *context, void *memory, size_t size_bytes)
{
	struct ledger *ledger = context;

	ledger->bytes -= size_bytes;
	--*count_of(ledger, size_bytes);
	free(memory);
}

struct soq_allocator ledger_allocator(struct ledger *ledger)
{
	return (struct soq_allocator){ .allocate = allocate,
				       .release = release,
				       .context = ledger };
}
