/* SPDX-License-Identifier: MIT */
/*
 * A contender with its clients, all in one thread: each turn every client sends one
 * request, the contender answers them all, every client compares its answer. Only the
 * contender's part is timed.
 */
#ifndef HARNESS_BOUT_H
#define HARNESS_BOUT_H

#include "contender.h"

#include <stddef.h>

struct bout {
	const struct contender *contender;
	void *state;
	uint32_t ready; /* clients, all of them ready in every turn */
	uint32_t size_bytes;
	uint64_t sequence;
	int hoarder_fd; /* sends once and is never answered; -1: none */
	int *fds;
	unsigned char *data;
	uint32_t *turn_ns;  /* of each measured turn: the contender's part */
	uint32_t *whole_ns; /* the clients' sends and receives included */
	size_t turn_count;
	struct control_report spent; /* in the measured turns */
	uint64_t wrong;              /* answers with a wrong byte */
};

/* Makes the contender and connects its clients. Returns 0 or -errno. */
int bout_open(struct bout *b, const struct contender *contender, uint32_t ready,
	      uint32_t size_bytes, size_t turns_max);

/* Runs `turns` turns; measured ones are appended. Returns 0 or -errno. */
int bout_run(struct bout *b, size_t turns, bool measured);

/*
 * The median of the ratios of whole turns, `b` over `of`, block by block: what drifts
 * cancels out. Before the percentiles, which sort the turns.
 */
double bout_ratio(const struct bout *b, const struct bout *of, size_t block_turns);

/* ns per request of the turn at `percent` of the sorted measured turns. */
double bout_percentile(struct bout *b, double percent);

/* The same of whole turns. */
double bout_whole_percentile(struct bout *b, double percent);

/* Ends it; returns what the contender says. */
int bout_close(struct bout *b);

#endif
