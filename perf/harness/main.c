/* SPDX-License-Identifier: MIT */
/* soq-harness: soq and its raw twins in one thread, turn by turn, with exact counters. */
#include "../common/limits.h"
#include "../soqperf/payload.h"
#include "../soqperf/units.h"
#include "bout.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP_TURNS  50
#define BLOCK_TURNS    50 /* turns of one contender before the next one's */
#define CONTENDERS_MAX 64
#define NAME_MAX_BYTES 32
#define HOARD_BUFS     32

struct settings {
	uint32_t ready;
	uint32_t size_bytes;
	size_t turns;
	bool check;
	bool hoard;
	/* Who runs. */
	struct contender contenders[CONTENDERS_MAX];
	char names[CONTENDERS_MAX][NAME_MAX_BYTES];
	int contender_count;
	int pool_count; /* --pool was given as often */
};

static const char help[] =
	"soq-harness [--ready K] [--size SIZE] [--turns N] [--check] [--hoard | --pool P...]\n"
	"\n"
	"Clients and server in one thread: each turn K clients send a request, the server\n"
	"answers all of them, every byte is compared. One line for each server: soq on both\n"
	"backends, and with direct descriptors; raw epoll, raw liburing.\n"
	"\n"
	"  --ready K    connections ready in every turn (64; 1 to 4096)\n"
	"  --size SIZE  bytes of a request (64; 1 to 16Ki)\n"
	"  --turns N    measured turns of each server (2000)\n"
	"  --pool SIZE:BUFS[:SHARE]\n"
	"               instead, soq on io_uring with pools of the geometries given, each by the\n"
	"               first one: --pool 16Ki:64 --pool 4Ki:256:32\n"
	"  --hoard      instead, soq with a pool of 32 bufs, without and with one more connection\n"
	"               whose bufs are never returned: the rate of the others\n"
	"  --check      exit 1 unless soq makes exactly one enter per turn of its loop on "
	"io_uring,\n"
	"               at most one wait on epoll, and allocates nothing on either\n"
	"\n"
	"Exit codes: 0, 1 wrong bytes, lost answers or a failed check, 2 usage.\n";

static struct contender *add(struct settings *s, const struct contender *like)
{
	struct contender *c = &s->contenders[s->contender_count++];

	*c = *like;
	return c;
}

/* A quarter of a pool is kept for those who find the rest empty: here nobody shall. */
static void add_pooled(struct settings *s, const struct contender *like)
{
	struct contender *c = add(s, like);

	c->echo.pool_bufs = s->ready <= 32 ? 64 : 2 * s->ready;
}

static void add_all(struct settings *s)
{
	add_pooled(s, &contender_pool_uring);
	add_pooled(s, &contender_soq_direct);
	add_pooled(s, &contender_pool_epoll);
	add(s, &contender_soq_uring);
	add(s, &contender_soq_epoll);
	add(s, &contender_raw_epoll);
	add(s, &contender_raw_edge);
#ifdef PERF_HAVE_URING
	add(s, &contender_raw_uring);
	add(s, &contender_raw_bufring);
#endif
}

/* Each backend without, then with. */
static void add_hoarders(struct settings *s)
{
	for (int i = 0; i < 4; i++) {
		struct contender *c = add(s, i < 2 ? &contender_pool_uring : &contender_pool_epoll);

		c->echo.pool_bufs = HOARD_BUFS;
		c->echo.hoards = i % 2;
	}
}

static bool take_number(char **text, uint32_t max, uint32_t *out)
{
	const char *part = strsep(text, ":");
	uint64_t count;

	if (!part || !units_parse_count(part, 1, max, &count))
		return false;
	*out = (uint32_t)count;
	return true;
}

static bool add_pool(struct settings *s, char *text)
{
	struct contender *c;

	if (s->contender_count == CONTENDERS_MAX || strlen(text) >= NAME_MAX_BYTES)
		return false;
	s->pool_count++;
	c = add(s, &contender_pool_uring);
	c->name = strcpy(s->names[s->contender_count - 1], text);
	return take_number(&text, 16u << 20, &c->echo.buffer_bytes) &&
	       take_number(&text, SOQ_POOL_BUFS_MAX, &c->echo.pool_bufs) &&
	       (!text || take_number(&text, SOQ_POOL_BUFS_MAX, &c->echo.pool_share));
}

static bool take(struct settings *s, int option)
{
	uint64_t count = 0;
	bool ok = true;

	if (option == 'r') {
		ok = units_parse_count(optarg, 1, 4096, &count);
		s->ready = (uint32_t)count;
	} else if (option == 's') {
		ok = units_parse_count(optarg, 1, 16384, &count);
		s->size_bytes = (uint32_t)count;
	} else if (option == 't') {
		ok = units_parse_count(optarg, 1, 10000000, &count);
		s->turns = (size_t)count;
	} else if (option == 'c') {
		s->check = true;
	} else if (option == 'o') {
		s->hoard = true;
	} else if (option == 'p') {
		ok = add_pool(s, optarg);
	} else if (option == 'h') {
		exit(fputs(help, stdout) < 0);
	} else {
		return false;
	}
	if (!ok)
		fprintf(stderr, "soq-harness: out of range: %s\n", optarg);
	return ok;
}

static bool parse(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "ready", required_argument, NULL, 'r' }, { "size", required_argument, NULL, 's' },
		{ "turns", required_argument, NULL, 't' }, { "pool", required_argument, NULL, 'p' },
		{ "check", no_argument, NULL, 'c' },       { "hoard", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },        { NULL, 0, NULL, 0 },
	};
	int option;

	s->ready = 64;
	s->size_bytes = 64;
	s->turns = 2000;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		if (!take(s, option))
			return false;
	if (optind != argc || (s->hoard && s->pool_count))
		return false;
	if (s->hoard)
		add_hoarders(s);
	else if (!s->pool_count)
		add_all(s);
	return true;
}

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

	if (!parse(argc, argv, &s)) {
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
