/* SPDX-License-Identifier: MIT */
/* Numbers with units on a command line. */
#ifndef SOQPERF_UNITS_H
#define SOQPERF_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* `10`, `0.5s`, `500ms`, `20us`, `100ns`, `2m`: a time in ns; bare numbers are seconds. */
bool units_parse_time(const char *text, int64_t *ns_out);

/* `64`, `4k` (4000), `4Ki` (4096), M, G, Mi, Gi: a count within `min` and `max`. */
bool units_parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *count_out);

#endif
