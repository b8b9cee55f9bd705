/* SPDX-License-Identifier: MIT */
/* What was measured, as tables and as JSON. */
#ifndef HARNESS_REPORT_H
#define HARNESS_REPORT_H

#include "bout.h"
#include "settings.h"

/* A row of the main table; per request where nothing else is said. */
struct report_row {
	double server_p5_ns, server_p50_ns;
	double whole_p5_ns, whole_p50_ns;
	double to_epoll, to_ring; /* of whole_p5_ns; 0 where that server is not here */
	double enters_per_turn;   /* of the server's loop */
	double enters_per_batch;  /* of the harness' turns */
	double requests, completions, allocations;
};

/* report_text.c */
struct report_row report_row_of(struct bout *bouts, int count, int i);
void report_print_all(struct bout *bouts, int count, const struct settings *s);
/* Each pool against the first: medians over the blocks. */
void report_print_pools(struct bout *bouts, int count, const struct settings *s);
/* The others' rate with a hoarder over their rate without one. */
void report_print_hoards(struct bout *bouts, int count, const struct settings *s);

/* What idle connections cost one contender: ratios of blocks, with them over without. */
struct report_idle {
	const struct contender *contender;
	int error;                           /* why it is not here */
	double whole, whole_low, whole_high; /* of whole turns: median, quartiles */
	double server;                       /* of the server's part */
	struct report_row beside;            /* counters beside them; no times */
	double bytes_each;                   /* allocated by the library for one connection */
	uint64_t bytes, connections;
	uint64_t bufs_in_use;
	struct {
		size_t size_bytes;
		int64_t count; /* alive now, less those before any connection was */
	} sizes[LEDGER_SIZES_MAX];
	int size_count;
};

/* report_idle.c */
void report_print_idle(const struct report_idle *rows, int count, const struct settings *s);

/* report_json.c */
void report_json_all(struct bout *bouts, int count, const struct settings *s);
void report_json_idle(const struct report_idle *rows, int count, const struct settings *s);

#endif
