/* SPDX-License-Identifier: MIT */
/* The result of a run, and its three faces: a text, a JSON document, a CSV row. */
#ifndef SOQPERF_REPORT_H
#define SOQPERF_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "load.h"

/* What one end spent on the window's requests, KiB or connections. */
struct end_cost {
	const char *source; /* "process", "report", or "none": nothing is known */
	const char *engine; /* "uring", "epoll", or "unknown" */
	bool has_counters;
	uint64_t units; /* of the mode, as this end counts them */
	uint64_t cpu_ns;
	uint64_t user_ns; /* sampled by many kernels: their sum is exact, the split is not */
	uint64_t system_ns;
	uint64_t turns;
	uint64_t enters; /* io_uring_enter or epoll_wait calls */
	uint64_t sqes;   /* SQEs, or socket calls tried */
	uint64_t completions;
	uint64_t allocations;
};

struct run_result {
	const struct load_mode *mode;
	const struct options *options;
	const struct load_result *load;
	char endpoint[SOQ_ENDPOINT_TEXT_MAX];
	int64_t window_ns;
	struct end_cost client_cost;
	struct end_cost server_cost;
	uint64_t server_max_rss_kib; /* 0: not known */
	bool server_failed;
	int signal; /* 0, or what interrupted the run */
};

/* What was not right, and what did not arrive. */
uint64_t report_error_count(const struct run_result *r);

/* What was counted, requests, bytes or connections, per second of the window. */
double report_rate(const struct run_result *r);

/* Bytes that an end moves in a second of its CPU time; NAN where it is not known. */
double report_bytes_per_cpu_second(const struct end_cost *cost);

/*
 * CPU time of both ends per unit, NAN where the server's is not known. On loopback either
 * end may do the kernel's work for a stream: one that costs less may have left it to the
 * other.
 */
double report_both_cpu_ns(const struct run_result *r);

void report_text(const struct run_result *r, FILE *file);
void report_json(const struct run_result *r, FILE *file);
void report_csv(const struct run_result *r, FILE *file);

#endif
