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
#define CONTENDERS_MAX 6

struct settings {
	uint32_t ready;
	uint32_t size_bytes;
	size_t turns;
	bool check;
};

static const struct contender *const contenders[] = {
	&contender_soq_uring, &contender_soq_direct, &contender_soq_epoll,
	&contender_raw_epoll, &contender_raw_edge,
#ifdef PERF_HAVE_URING
	&contender_raw_uring,
#endif
};

#define CONTENDER_COUNT (sizeof(contenders) / sizeof(contenders[0]))

static const char help[] =
	"soq-harness [--ready K] [--size SIZE] [--turns N] [--check]\n"
	"\n"
	"Clients and server in one thread: each turn K clients send a request, the server\n"
	"answers all of them, every byte is compared. One line for each server: soq on both\n"
	"backends, and with direct descriptors; raw epoll, raw liburing.\n"
	"\n"
	"  --ready K    connections ready in every turn (64; 1 to 4096)\n"
	"  --size SIZE  bytes of a request (64; 1 to 16Ki)\n"
	"  --turns N    measured turns of each server (2000)\n"
	"  --check      exit 1 unless soq makes exactly one enter per turn of its loop on "
	"io_uring,\n"
	"               at most one wait on epoll, and allocates nothing on either\n"
	"\n"
	"Exit codes: 0, 1 wrong bytes, lost answers or a failed check, 2 usage.\n";

static bool parse(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "ready", required_argument, NULL, 'r' }, { "size", required_argument, NULL, 's' },
		{ "turns", required_argument, NULL, 't' }, { "check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },        { NULL, 0, NULL, 0 },
	};
	uint64_t ready = 64, size = 64, turns = 2000;
	bool ok = true;
	int option;

	while (ok && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'r')
			ok = units_parse_count(optarg, 1, 4096, &ready);
		else if (option == 's')
			ok = units_parse_count(optarg, 1, 16384, &size);
		else if (option == 't')
			ok = units_parse_count(optarg, 1, 10000000, &turns);
		else if (option == 'c')
			s->check = true;
		else if (option == 'h')
			exit(fputs(help, stdout) < 0);
		else
			return false;
	}
	if (!ok)
		fprintf(stderr, "soq-harness: out of range: %s\n", optarg);
	s->ready = (uint32_t)ready;
	s->size_bytes = (uint32_t)size;
	s->turns = (size_t)turns;
	return ok && optind == argc;
}

/* Opens what can be had; returns how many, or -1 if soq on epoll is not among them. */
static int open_all(struct bout *bouts, const struct settings *s)
{
	int count = 0;

	for (size_t i = 0; i < CONTENDER_COUNT; i++) {
		int ret = bout_open(&bouts[count], contenders[i], s->ready, s->size_bytes,
				    s->turns);

		if (ret == 0) {
			count++;
			continue;
		}
		bout_close(&bouts[count]);
		fprintf(stderr, "soq-harness: %s: %s\n", contenders[i]->name, strerror(-ret));
		if (!contenders[i]->is_uring)
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
		if (bouts[i].contender == contender)
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
	struct settings s = { 0 };
	struct bout bouts[CONTENDERS_MAX];
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
