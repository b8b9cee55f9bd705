/* SPDX-License-Identifier: MIT */
/* One run of a mode: the server's process, warm-up, window, drain, result. */
#ifndef SOQPERF_RUN_H
#define SOQPERF_RUN_H

#include "load.h"

/* Runs and prints; returns the exit code. */
int run_mode(const struct load_mode *mode, const struct options *options);

/* The signal that has interrupted the run, or 0. */
int run_signal(void);

#endif
