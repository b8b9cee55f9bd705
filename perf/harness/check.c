/* SPDX-License-Identifier: MIT */
/* Judges a bout's bytes and counters. */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>

/* What one request is to the kernel. */
struct price {
	uint64_t requests; /* SQEs; on epoll socket calls tried */
	uint64_t completions;
};

/*
 * On io_uring an answer is a send that leaves no completion, and a receive is either armed
 * for good (from a pool) or made anew each time. On epoll both are a call each; what fills
 * its buffer has to be tried again, since there may be more.
 */
static struct price price_of(const struct bout *b)
{
	const struct contender *c = b->contender;
	struct price price = { .requests = 2, .completions = 2 };

	if (c->is_uring) {
		price.requests = c->echo.pooled ? 1 : 2;
		price.completions = 1;
	} else if (!c->echo.pooled && b->size.size_bytes % SERVICE_BUFFER_BYTES == 0) {
		price.requests++;
	}
	return price;
}

static bool equal(const struct bout *b, const char *what, uint64_t count, uint64_t expected)
{
	if (count == expected)
		return true;
	fprintf(stderr, "FAILED: %s: %" PRIu64 " %s, not %" PRIu64 "\n", b->contender->name, count,
		what, expected);
	return false;
}

bool check_counters(const struct bout *b)
{
	const struct control_report *spent = &b->spent;
	uint64_t requests = (uint64_t)b->turn_count * b->size.ready;
	struct price price = price_of(b);
	struct soq_pool_info info;
	bool ok = true;

	if (!b->contender->is_soq)
		return true;
	/* On epoll a turn that still has something to serve asks the kernel for nothing. */
	if (b->contender->is_uring || spent->waits > spent->turns)
		ok = equal(b, "waits", spent->waits, spent->turns);
	ok = equal(b, "requests", spent->requests, requests * price.requests) && ok;
	ok = equal(b, "completions", spent->completions, requests * price.completions) && ok;
	ok = equal(b, "allocations", spent->allocations, 0) && ok;
	info = b->contender->pool_info(b->state);
	return equal(b, "bufs in use between turns", info.bufs_lent + info.bufs_waiting, 0) && ok;
}

bool check_bytes(const struct bout *b)
{
	return equal(b, "answers with wrong bytes", b->wrong, 0);
}
