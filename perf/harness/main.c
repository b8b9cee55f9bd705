/* SPDX-License-Identifier: MIT */
/* soq-harness: soq and its raw twins in one thread, turn by turn, with exact counters. */
#include "../common/limits.h"
#include "../soqperf/payload.h"
#include "bout.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP_TURNS 50
#define BLOCK_TURNS   50 /* turns of one contender before the next one's */

/* Opens what can be had; returns how many, or -1 if what is no io_uring is not among them. */
static int open_all(struct bout *bouts, const struct settings *s)
{
	int count = 0;

	for (int i = 0; i < s->contender_count; i++) {
		const struct contender *c = &s->contenders[i];
		int ret = bout_open(&bouts[count], c, s->ready, s->size_bytes, s->turns);

		if (ret == 0) {
			count++;
			continue;
		}
		bout_close(&bouts[count]);
		fprintf(stderr, "soq-harness: %s: %s\n", c->name, strerror(-ret));
		if (!c->is_uring)
			return -1;
	}
	return count;
}

/* In blocks, one after another's: a machine whose speed drifts is the same for all. */
static int run_all(struct bout *bouts, int count, size_t turns)
{
	for (int i = 0; i < count; i++) {
		if (bout_run(&bouts[i], WARM_UP_TURNS, false) < 0)
			return i;
	}
	while (turns) {
		size_t block = turns < BLOCK_TURNS ? turns : BLOCK_TURNS;

		for (int i = 0; i < count; i++) {
			if (bout_run(&bouts[i], block, true) < 0)
				return i;
		}
		turns -= block;
	}
	return -1;
}

static double find_whole(struct bout *bouts, int count, const struct contender *contender)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(bouts[i].contender->name, contender->name) == 0)
			return bout_whole_percentile(&bouts[i], 5);
	}
	return 0;
}

static void print_ratio(double value, double of)
{
	if (of > 0)
		printf(" %7.2f", value / of);
	else
		printf(" %7s", "-");
}

/* Each pool against the first: medians over the blocks. */
static void print_pools(struct bout *bouts, int count, const struct settings *s)
{
	double ratios[CONTENDERS_MAX];

	for (int i = 0; i < count; i++)
		ratios[i] = bout_ratio(&bouts[i], &bouts[0], BLOCK_TURNS);
	printf("pools: one thread, %u ready per turn, %u B, %zu turns\n", s->ready, s->size_bytes,
	       s->turns);
	printf("%-18s %9s %9s %9s %9s %9s %9s\n", "size:bufs[:share]", "whole p50", "/first",
	       "SQEs/req", "parks", "pauses", "B/lend");
	for (int i = 0; i < count; i++) {
		struct bout *b = &bouts[i];
		struct soq_pool_info info = b->contender->pool_info(b->state);
		double requests = (double)b->turn_count * b->ready;

		printf("%-18s %9.0f %9.3f %9.3f %9llu %9llu %9.0f\n", b->contender->name,
		       bout_whole_percentile(b, 50), ratios[i],
		       (double)b->spent.requests / requests, (unsigned long long)info.parks,
		       (unsigned long long)info.pauses,
		       (double)s->size_bytes * requests / (double)info.lends);
	}
}

/* The others' rate with a hoarder over their rate without one. */
static void print_hoards(struct bout *bouts, int count, const struct settings *s)
{
	printf("a hoarder beside %u connections, pool of %u bufs, %u B, %zu turns\n", s->ready,
	       HOARD_BUFS, s->size_bytes, s->turns);
	printf("%-16s %10s %8s %8s %10s %10s %10s\n", "server", "rate kept", "share", "hoarded",
	       "parks/turn", "rearms/turn", "SQEs/req");
	for (int i = 0; i + 1 < count; i += 2) {
		struct bout *b = &bouts[i + 1];
		struct soq_pool_info info = b->contender->pool_info(b->state);
		double turns = (double)(b->turn_count + WARM_UP_TURNS);

		printf("%-16s %9.0f%% %8u %8u %10.2f %11.2f %10.3f\n", b->contender->name,
		       100 / bout_ratio(b, &bouts[i], BLOCK_TURNS), info.share, info.bufs_lent,
		       (double)info.parks / turns, (double)info.rearms / turns,
		       (double)b->spent.requests / ((double)b->turn_count * b->ready));
	}
}

static void print_all(struct bout *bouts, int count, const struct settings *s)
{
	double epoll = find_whole(bouts, count, &contender_raw_epoll), ring = 0;

#ifdef PERF_HAVE_URING
	ring = find_whole(bouts, count, &contender_raw_uring);
#endif
	printf("one thread, %u ready per turn, %u B, %zu turns; ns per request\n", s->ready,
	       s->size_bytes, s->turns);
	printf("%-16s %9s %9s %9s %7s %7s %12s %13s %9s %7s\n", "server", "server p5", "server p50",
	       "whole p5", "/epoll", "/ring", "enters/turn", "enters/batch", "SQEs/req", "allocs");
	for (int i = 0; i < count; i++) {
		struct bout *b = &bouts[i];
		double requests = (double)b->turn_count * b->ready;
		double whole = bout_whole_percentile(b, 5);

		printf("%-16s %9.0f %10.0f %9.0f", b->contender->name, bout_percentile(b, 5),
		       bout_percentile(b, 50), whole);
		print_ratio(whole, epoll);
		print_ratio(whole, ring);
		printf(" %12.3f %13.3f %9.3f %7.2f\n",
		       (double)b->spent.waits / (double)b->spent.turns,
		       (double)b->spent.waits / (double)b->turn_count,
		       (double)b->spent.requests / requests,
		       (double)b->spent.allocations / requests);
	}
}

/* What --check asks of one bout; true if it holds. */
static bool check(const struct bout *b)
{
	const struct control_report *spent = &b->spent;
	bool ok = true;

	if (!b->contender->is_soq)
		return true;
	/* On epoll a turn that still has something to serve asks the kernel for nothing. */
	if (b->contender->is_uring ? spent->waits != spent->turns : spent->waits > spent->turns) {
		printf("FAILED: %s: %llu enters in %llu turns\n", b->contender->name,
		       (unsigned long long)spent->waits, (unsigned long long)spent->turns);
		ok = false;
	}
	if (spent->allocations) {
		printf("FAILED: %s: %llu allocations\n", b->contender->name,
		       (unsigned long long)spent->allocations);
		ok = false;
	}
	return ok;
}

static int conclude(struct bout *bouts, int count, const struct settings *s)
{
	int code = EXIT_SUCCESS;

	for (int i = 0; i < count; i++) {
		if (bouts[i].wrong) {
			printf("FAILED: %s: %llu answers with wrong bytes\n",
			       bouts[i].contender->name, (unsigned long long)bouts[i].wrong);
			code = EXIT_FAILURE;
		}
		if (s->check && !check(&bouts[i]))
			code = EXIT_FAILURE;
	}
	if (s->check && code == EXIT_SUCCESS)
		printf("checked: one enter per turn, no allocation, every byte right\n");
	return code;
}

int main(int argc, char **argv)
{
	static struct settings s;
	static struct bout bouts[CONTENDERS_MAX];
	int count, broken, code;

	if (!settings_parse(argc, argv, &s)) {
		fprintf(stderr, "Try: soq-harness --help\n");
		return 2;
	}
	limits_raise_files();
	count = open_all(bouts, &s);
	if (count < 0)
		return EXIT_FAILURE;
	broken = run_all(bouts, count, s.turns);
	if (broken >= 0) {
		printf("FAILED: %s: an answer was lost\n", bouts[broken].contender->name);
		return EXIT_FAILURE;
	}
	if (s.hoard)
		print_hoards(bouts, count, &s);
	else if (s.pool_count)
		print_pools(bouts, count, &s);
	else
		print_all(bouts, count, &s);
	code = conclude(bouts, count, &s);
	for (int i = 0; i < count; i++) {
		if (bout_close(&bouts[i]) < 0) {
			printf("FAILED: %s does not end\n", bouts[i].contender->name);
			code = EXIT_FAILURE;
		}
	}
	return code;
}
