/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram of times: 256 counters up to 255 ns, then 128 per power of
 * two. A value read from it is at most 0.79 % above the one recorded; minimum,
 * maximum and sum are exact.
 */
#ifndef SOQPERF_HISTOGRAM_H
#define SOQPERF_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_COUNTERS (256 + 55 * 128)

struct histogram {
	uint64_t count;
	uint64_t sum_ns;
	int64_t min_ns;
	int64_t max_ns;
	uint64_t counters[HISTOGRAM_COUNTERS];
};

/* Records one value; a negative one counts as 0. Zeroed memory is an empty histogram. */
void histogram_record(struct histogram *h, int64_t value_ns);

/*
 * The value at or below which `percent` of all values are; 100 is the exact maximum.
 * -1 if fewer than 10 values lie above it: so few samples do not support it.
 */
int64_t histogram_percentile(const struct histogram *h, double percent);

/* The exact mean, 0 when empty. */
int64_t histogram_mean(const struct histogram *h);

#endif
