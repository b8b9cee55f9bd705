/* SPDX-License-Identifier: MIT */
/* Records and reads the log-linear histogram. */
#include "histogram.h"

/* Values above a rank that make a percentile worth printing. */
#define SUPPORT_MIN 10.0

static unsigned index_of(uint64_t value)
{
	unsigned shift;

	if (value < 256)
		return (unsigned)value;
	shift = 63u - (unsigned)__builtin_clzll(value) - 7;
	return 256 + (shift - 1) * 128 + (unsigned)(value >> shift) - 128;
}

/* The highest value that index_of() maps to `index`. */
static uint64_t highest_of(unsigned index)
{
	unsigned shift;
	uint64_t sub;

	if (index < 256)
		return index;
	shift = (index - 256) / 128 + 1;
	sub = (index - 256) % 128 + 128;
	return ((sub + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, int64_t value_ns)
{
	if (value_ns < 0)
		value_ns = 0;
	if (h->count == 0 || value_ns < h->min_ns)
		h->min_ns = value_ns;
	if (value_ns > h->max_ns)
		h->max_ns = value_ns;
	h->count++;
	h->sum_ns += (uint64_t)value_ns;
	h->counters[index_of((uint64_t)value_ns)]++;
}

int64_t histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t rank, seen = 0;

	if (h->count == 0)
		return -1;
	if (percent >= 100.0)
		return h->max_ns;
	/* The median of a few values is still a median; a tail of a few is a guess. */
	if (percent > 50.0 && (double)h->count * (100.0 - percent) / 100.0 < SUPPORT_MIN - 1e-6)
		return -1;
	rank = (uint64_t)((double)h->count * percent / 100.0 + 0.5);
	if (rank == 0)
		rank = 1;
	for (unsigned i = 0; i < HISTOGRAM_COUNTERS; i++) {
		seen += h->counters[i];
		if (seen >= rank) {
			uint64_t value = highest_of(i);

			return value > (uint64_t)h->max_ns ? h->max_ns : (int64_t)value;
		}
	}
	return h->max_ns;
}

int64_t histogram_mean(const struct histogram *h)
{
	return h->count ? (int64_t)(h->sum_ns / h->count) : 0;
}
