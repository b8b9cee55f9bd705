/* SPDX-License-Identifier: MIT */
/* soq-datagrams: what a UDP datagram costs, one by one, in batches, and in segments. */
#include "../common/clock.h"
#include "../soqperf/units.h"
#include "way.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 99

struct settings {
	unsigned rounds;
	unsigned bursts;
};

/* A way and what its rounds have cost, in CPU ns per datagram. */
struct row {
	struct way way;
	int error; /* why it cannot be had */
	double sender[ROUNDS_MAX], receiver[ROUNDS_MAX];
};

static struct row rows[] = {
	{ .way = { .label = "raw send, recv", .kind = WAY_RAW } },
	{ .way = { .label = "soq io_uring, calls", WAY_CALLS, SOQ_BACKEND_URING } },
	{ .way = { .label = "soq io_uring, batches", WAY_BATCH, SOQ_BACKEND_URING } },
	{ .way = { .label = "soq io_uring, segments", WAY_SEGMENTS, SOQ_BACKEND_URING } },
	{ .way = { .label = "soq epoll, calls", WAY_CALLS, SOQ_BACKEND_EPOLL } },
	{ .way = { .label = "soq epoll, batches", WAY_BATCH, SOQ_BACKEND_EPOLL } },
	{ .way = { .label = "soq epoll, segments", WAY_SEGMENTS, SOQ_BACKEND_EPOLL } },
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const char help[] =
	"soq-datagrams [--rounds N] [--bursts N]\n"
	"\n"
	"Sends bursts of 54 UDP datagrams of 1,200 bytes over loopback and receives them, in\n"
	"one thread: by a call for each, by soq's batches, and as one send whose segments the\n"
	"kernel cuts and hands over together. Every byte and size is compared. The ways take\n"
	"turns; the table has medians over the rounds.\n"
	"\n"
	"  --rounds N  rounds over all ways (9; 1 to 99)\n"
	"  --bursts N  bursts of one way in a round (40)\n"
	"\n"
	"Exit codes: 0, 1 a wrong byte or size or a lost datagram, 2 usage.\n";

static bool parse(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "bursts", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t rounds = 9, bursts = 40;
	bool ok = true;
	int option;

	while (ok && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'r')
			ok = units_parse_count(optarg, 1, ROUNDS_MAX, &rounds);
		else if (option == 'b')
			ok = units_parse_count(optarg, 1, 1000000, &bursts);
		else if (option == 'h')
			exit(fputs(help, stdout) < 0);
		else
			return false;
	}
	if (!ok)
		fprintf(stderr, "soq-datagrams: out of range: %s\n", optarg);
	s->rounds = (unsigned)rounds;
	s->bursts = (unsigned)bursts;
	return ok && optind == argc;
}

/* Bursts of one way; a clock is read at the edges of each, 54 datagrams apart. */
static int measure(struct way *way, unsigned bursts, double *sender, double *receiver)
{
	uint64_t sending = 0, receiving = 0;

	for (unsigned i = 0; i < bursts; i++) {
		uint64_t begin, middle;
		int ret;

		way_prepare(way);
		begin = clock_cpu_ns();
		ret = way_send(way);
		middle = clock_cpu_ns();
		if (ret == 0)
			ret = way_receive(way);
		sending += middle - begin;
		receiving += clock_cpu_ns() - middle;
		if (ret == 0 && !way_is_right(way))
			ret = -EBADMSG;
		if (ret != 0)
			return ret;
	}
	*sender = (double)sending / bursts / WAY_BURST;
	*receiver = (double)receiving / bursts / WAY_BURST;
	return 0;
}

/* Forth and back: what drifts meanwhile is the same for all. */
static int run(const struct settings *s)
{
	for (unsigned round = 0; round < s->rounds; round++)
		for (size_t i = 0; i < ROW_COUNT; i++) {
			struct row *row = &rows[round % 2 ? ROW_COUNT - 1 - i : i];
			int ret;

			if (row->error != 0)
				continue;
			ret = measure(&row->way, s->bursts, &row->sender[round],
				      &row->receiver[round]);
			if (ret == 0)
				continue;
			fprintf(stderr, "soq-datagrams: %s: %s\n", row->way.label,
				ret == -EBADMSG ? "a wrong byte or size" : strerror(-ret));
			return 1;
		}
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double *values, unsigned count)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* How often `of` fits what `row` costs: the median of the rounds' own ratios. */
static double times_cheaper(const struct row *row, const struct row *of, unsigned rounds)
{
	double ratios[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++)
		ratios[i] = (of->sender[i] + of->receiver[i]) / (row->sender[i] + row->receiver[i]);
	return median(ratios, rounds);
}

static void print(const struct settings *s)
{
	const struct row *calls = NULL;

	printf("UDP over loopback, %d bytes, bursts of %d, CPU ns per datagram, medians of %u "
	       "rounds\n\n",
	       WAY_BYTES, WAY_BURST, s->rounds);
	printf("%-24s %10s %12s %8s %8s %8s\n", "", "sender ns", "receiver ns", "both", "x calls",
	       "x raw");
	for (const struct row *row = rows; row < rows + ROW_COUNT; row++) {
		if (row->way.kind == WAY_CALLS)
			calls = row;
		if (row->error != 0) {
			printf("%-24s not here: %s\n", row->way.label, strerror(-row->error));
			continue;
		}
		printf("%-24s %10.0f %12.0f %8.0f", row->way.label, median(row->sender, s->rounds),
		       median(row->receiver, s->rounds),
		       median(row->sender, s->rounds) + median(row->receiver, s->rounds));
		if (calls != NULL && calls != row)
			printf(" %8.1f", times_cheaper(row, calls, s->rounds));
		else
			printf(" %8s", "");
		if (row != rows)
			printf(" %8.1f", times_cheaper(row, rows, s->rounds));
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	struct settings s = { 0 };
	int code;

	if (!parse(argc, argv, &s)) {
		fputs(help, stderr);
		return 2;
	}
	for (struct row *row = rows; row < rows + ROW_COUNT; row++) {
		row->error = way_open(&row->way);
		if (row == rows && row->error != 0) {
			fprintf(stderr, "soq-datagrams: %s\n", strerror(-row->error));
			return 1;
		}
	}
	code = run(&s);
	if (code == 0)
		print(&s);
	for (struct row *row = rows; row < rows + ROW_COUNT; row++)
		way_close(&row->way);
	return code;
}
