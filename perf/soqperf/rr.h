/* SPDX-License-Identifier: MIT */
/* `soqperf rr`: one request/response run. */
#ifndef SOQPERF_RR_H
#define SOQPERF_RR_H

#include "options.h"

/* Runs and prints; returns the exit code. */
int rr_run(const struct options *options);

#endif
