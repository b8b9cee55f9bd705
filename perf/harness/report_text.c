/* SPDX-License-Identifier: MIT */
/* The tables. */
#include "report.h"

#include <stdio.h>
#include <string.h>

static void print_ratio(double value)
{
	if (value > 0)
		printf(" %7.2f", value);
	else
		printf(" %7s", "-");
}

static double find_whole(struct bout *bouts, int count, const struct contender *contender)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(bouts[i].contender->key, contender->key) == 0)
			return bout_percentile(&bouts[i], BOUT_WHOLE, 5);
	}
	return 0;
}

static double over(double value, double of)
{
	return of > 0 ? value / of : 0;
}

struct report_row report_row_of(struct bout *bouts, int count, int i)
{
	struct bout *b = &bouts[i];
	double requests = bout_requests(b), ring = 0;
	double whole = bout_percentile(b, BOUT_WHOLE, 5);

#ifdef PERF_HAVE_URING
	ring = find_whole(bouts, count, &contender_raw_uring);
#endif
	return (struct report_row){
		.server_p5_ns = bout_percentile(b, BOUT_SERVER, 5),
		.server_p50_ns = bout_percentile(b, BOUT_SERVER, 50),
		.whole_p5_ns = whole,
		.whole_p50_ns = bout_percentile(b, BOUT_WHOLE, 50),
		.to_epoll = over(whole, find_whole(bouts, count, &contender_raw_epoll)),
		.to_ring = over(whole, ring),
		.enters_per_turn = (double)b->spent.waits / (double)b->spent.turns,
		.enters_per_batch = (double)b->spent.waits / (double)b->turn_count,
		.requests = (double)b->spent.requests / requests,
		.completions = (double)b->spent.completions / requests,
		.allocations = (double)b->spent.allocations / requests,
	};
}

void report_print_all(struct bout *bouts, int count, const struct settings *s)
{
	printf("one thread, %u ready per turn, %u B, %zu turns; ns per request\n", s->ready,
	       s->size_bytes, s->turns);
	printf("%-18s %9s %10s %9s %7s %7s %11s %12s %8s %8s %6s\n", "server", "server p5",
	       "server p50", "whole p5", "/epoll", "/ring", "enters/turn", "enters/batch",
	       "SQEs/req", "CQEs/req", "allocs");
	for (int i = 0; i < count; i++) {
		struct report_row row = report_row_of(bouts, count, i);

		printf("%-18s %9.0f %10.0f %9.0f", bouts[i].contender->name, row.server_p5_ns,
		       row.server_p50_ns, row.whole_p5_ns);
		print_ratio(row.to_epoll);
		print_ratio(row.to_ring);
		printf(" %11.3f %12.3f %8.3f %8.3f %6.2f\n", row.enters_per_turn,
		       row.enters_per_batch, row.requests, row.completions, row.allocations);
	}
}

void report_print_pools(struct bout *bouts, int count, const struct settings *s)
{
	double ratios[CONTENDERS_MAX];

	for (int i = 0; i < count; i++)
		ratios[i] = bout_ratio(&bouts[i], &bouts[0], BOUT_WHOLE, 50);
	printf("pools: one thread, %u ready per turn, %u B, %zu turns\n", s->ready, s->size_bytes,
	       s->turns);
	printf("%-18s %9s %9s %9s %9s %9s %9s\n", "size:bufs[:share]", "whole p50", "/first",
	       "SQEs/req", "parks", "pauses", "B/lend");
	for (int i = 0; i < count; i++) {
		struct bout *b = &bouts[i];
		struct soq_pool_info info = b->contender->pool_info(b->state);
		double requests = bout_requests(b);

		printf("%-18s %9.0f %9.3f %9.3f %9llu %9llu %9.0f\n", b->contender->name,
		       bout_percentile(b, BOUT_WHOLE, 50), ratios[i],
		       (double)b->spent.requests / requests, (unsigned long long)info.parks,
		       (unsigned long long)info.pauses,
		       (double)s->size_bytes * requests / (double)info.lends);
	}
}

void report_print_hoards(struct bout *bouts, int count, const struct settings *s)
{
	printf("a hoarder beside %u connections, pool of %u bufs, %u B, %zu turns\n", s->ready,
	       HOARD_BUFS, s->size_bytes, s->turns);
	printf("%-16s %10s %8s %8s %10s %10s %10s\n", "server", "rate kept", "share", "hoarded",
	       "parks/turn", "rearms/turn", "SQEs/req");
	for (int i = 0; i + 1 < count; i += 2) {
		struct bout *b = &bouts[i + 1];
		struct soq_pool_info info = b->contender->pool_info(b->state);
		double turns = (double)(b->turn_count + BOUT_WARM_UP_TURNS);

		printf("%-16s %9.0f%% %8u %8u %10.2f %11.2f %10.3f\n", b->contender->name,
		       100 / bout_ratio(b, &bouts[i], BOUT_WHOLE, 50), info.share, info.bufs_lent,
		       (double)info.parks / turns, (double)info.rearms / turns,
		       (double)b->spent.requests / bout_requests(b));
	}
}
