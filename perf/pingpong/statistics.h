/* SPDX-License-Identifier: MIT */
/* Medians and percentiles; the values stay in their order. */
#ifndef PINGPONG_STATISTICS_H
#define PINGPONG_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* The value at `percent` of `count` (above 0) sorted ones; NAN without memory. */
double statistics_percentile_u32(const uint32_t *values, size_t count, double percent);
double statistics_percentile(const double *values, size_t count, double percent);

static inline double statistics_median_u32(const uint32_t *values, size_t count)
{
	return statistics_percentile_u32(values, count, 50);
}

/* The value at `percent` of the ratios values[i] / of[i]. */
double statistics_ratio(const double *values, const double *of, size_t count, double percent);

#endif
