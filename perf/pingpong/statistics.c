/* SPDX-License-Identifier: MIT */
/* Sorts copies. */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Between two values where `percent` falls between them. Takes the array. */
static double take_percentile(double *sorted, size_t count, double percent)
{
	double at = (double)(count - 1) * percent / 100.0, value;
	size_t below = (size_t)at;

	if (!sorted)
		return NAN;
	qsort(sorted, count, sizeof(*sorted), compare);
	value = sorted[below];
	if (below + 1 < count)
		value += (sorted[below + 1] - value) * (at - (double)below);
	free(sorted);
	return value;
}

double statistics_percentile_u32(const uint32_t *values, size_t count, double percent)
{
	double *copy = malloc(count * sizeof(*copy));

	for (size_t i = 0; copy && i < count; i++)
		copy[i] = values[i];
	return take_percentile(copy, count, percent);
}

double statistics_percentile(const double *values, size_t count, double percent)
{
	double *copy = malloc(count * sizeof(*copy));

	for (size_t i = 0; copy && i < count; i++)
		copy[i] = values[i];
	return take_percentile(copy, count, percent);
}

double statistics_ratio(const double *values, const double *of, size_t count, double percent)
{
	double *ratios = malloc(count * sizeof(*ratios));

	for (size_t i = 0; ratios && i < count; i++)
		ratios[i] = values[i] / of[i];
	return take_percentile(ratios, count, percent);
}
