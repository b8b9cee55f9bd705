/* SPDX-License-Identifier: MIT */
/* The allocator hook of a soq loop, kept as a ledger: what is alive, by its size. */
#ifndef HARNESS_LEDGER_H
#define HARNESS_LEDGER_H

#include <soq/base.h>

#define LEDGER_SIZES_MAX 64

struct ledger {
	struct {
		size_t size_bytes;
		uint64_t count; /* alive now */
	} sizes[LEDGER_SIZES_MAX];
	int size_count;
	uint64_t bytes; /* alive now */
};

/* An allocator that keeps `ledger`, which begins all zero and outlives it. */
struct soq_allocator ledger_allocator(struct ledger *ledger);

#endif
