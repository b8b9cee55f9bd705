/* SPDX-License-Identifier: MIT */
/* The tables of idle connections. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

static void print_costs(const struct report_idle *rows, int count, const struct settings *s)
{
	printf("%u idle connections beside %u ready, %u B, %zu turns: cost beside them over cost "
	       "without\n",
	       s->idle, s->ready, s->size_bytes, s->turns);
	printf("%-18s %7s %6s %7s %11s %8s %8s %6s\n", "server", "whole", "+-", "server",
	       "enters/turn", "SQEs/req", "CQEs/req", "allocs");
	for (int i = 0; i < count; i++) {
		const struct report_idle *row = &rows[i];

		if (row->error != 0)
			continue;
		printf("%-18s %7.3f %5.1f%% %7.3f %11.3f %8.3f %8.3f %6.2f\n", row->contender->name,
		       row->whole, (row->whole_high - row->whole_low) / row->whole * 50,
		       row->server, row->beside.enters_per_turn, row->beside.requests,
		       row->beside.completions, row->beside.allocations);
	}
}

static void print_sizes(const struct report_idle *row)
{
	for (int i = 0; i < row->size_count; i++) {
		int64_t grown = row->sizes[i].count;

		printf("%s%" PRId64 " x %zu", i ? ", " : "  ", grown, row->sizes[i].size_bytes);
		if (grown > 1)
			printf(" (one for %.1f)", (double)row->connections / (double)grown);
	}
	printf("\n");
}

static void print_memory(const struct report_idle *rows, int count)
{
	printf("what soq's loop has allocated for these connections, a receive armed on each "
	       "(the caller's op, %zu B, is not in it)\n",
	       sizeof(struct soq_op));
	printf("%-18s %9s %11s  %s\n", "server", "bytes each", "bufs in use",
	       "allocations, alive now less before");
	for (int i = 0; i < count; i++) {
		if (rows[i].error != 0 || !rows[i].contender->is_soq)
			continue;
		printf("%-18s %10.1f %11" PRIu64, rows[i].contender->name, rows[i].bytes_each,
		       rows[i].bufs_in_use);
		print_sizes(&rows[i]);
	}
}

void report_print_idle(const struct report_idle *rows, int count, const struct settings *s)
{
	print_costs(rows, count, s);
	printf("\n");
	print_memory(rows, count);
}
