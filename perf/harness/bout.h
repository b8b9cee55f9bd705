/* SPDX-License-Identifier: MIT */
/*
 * A contender with its clients, all in one thread: each turn every client sends one
 * request, the contender answers them all, every client compares its answer. Only the
 * contender's part is timed.
 */
#ifndef HARNESS_BOUT_H
#define HARNESS_BOUT_H

#include "contender.h"
#include "holder.h"

#include <stddef.h>

#define BOUT_WARM_UP_TURNS 50
#define BOUT_BLOCK_TURNS   50 /* turns of one contender before the next one's */

/* How large a bout is. */
struct bout_size {
	uint32_t ready; /* clients, all of them ready in every turn */
	uint32_t idle;  /* connections beside them that are silent; `holder` has their far ends */
	const struct holder *holder;
	uint32_t size_bytes; /* of a request */
	size_t turns_max;
};

struct bout {
	const struct contender *contender;
	void *state;
	struct bout_size size;
	uint64_t sequence;
	int hoarder_fd; /* sends once and is never answered; -1: none */
	int *fds;
	unsigned char *data;
	uint32_t *turn_ns;  /* of each measured turn: the contender's part */
	uint32_t *whole_ns; /* the clients' sends and receives included */
	size_t turn_count;
	struct control_report spent; /* in the measured turns */
	uint64_t wrong;              /* answers with a wrong byte */
	struct ledger before;        /* of soq's: what was alive before any connection was */
};

/* Makes the contender and connects its clients. Returns 0 or -errno. */
int bout_open(struct bout *b, const struct contender *contender, const struct bout_size *size);

/* Runs `turns` turns; measured ones are appended. Returns 0 or -errno. */
int bout_run(struct bout *b, size_t turns, bool measured);

/* The part of a turn that is timed. */
enum bout_part { BOUT_SERVER, BOUT_WHOLE };

/*
 * The value at `percent` of the ratios of turns, `b` over `of`, block by block: what drifts
 * cancels out. Before the percentiles, which sort the turns.
 */
double bout_ratio(const struct bout *b, const struct bout *of, enum bout_part part, double percent);

/* ns per request of the turn at `percent` of the sorted measured turns. */
double bout_percentile(struct bout *b, enum bout_part part, double percent);

/* Requests answered in the measured turns. */
double bout_requests(const struct bout *b);

/* Ends it; returns what the contender says. */
int bout_close(struct bout *b);

#endif
