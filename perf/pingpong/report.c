/* SPDX-License-Identifier: MIT */
/* Prints the rows, and judges their bytes and counters. */
#include "report.h"

#include "../soqperf/json.h"
#include "statistics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A row's numbers; what it has none of is NAN. */
enum figure {
	P50_NS,
	P99_NS,
	RATIO,     /* of the medians to blocking's, the median of the rounds' own */
	RATIO_LOW, /* and its quartiles */
	RATIO_HIGH,
	TO_SLEEPING, /* the same to the row that sleeps where this one spins */
	CPU_NS,      /* of the client, per round trip */
	CPU_RATIO,
	ENTERS, /* or epoll waits; per round trip, as those below */
	REQUESTS,
	COMPLETIONS,
	ALLOCATIONS,
	FIGURE_COUNT
};

static const char *const names[FIGURE_COUNT] = {
	"p50_ns", "p99_ns",    "ratio",  "ratio_low", "ratio_high",  "to_sleeping",
	"cpu_ns", "cpu_ratio", "enters", "requests",  "completions", "allocations",
};

struct figures {
	double of[FIGURE_COUNT];
};

static double ratio(const struct bout *b, const double *values, const double *of, double percent)
{
	return statistics_ratio(values, of, b->settings->rounds, percent);
}

static struct figures figures_of(const struct bout *b, const struct row *row)
{
	const struct row *first = &b->rows[0], *sleeper = NULL;
	size_t trips = (size_t)bout_trips(b);
	double each = 1 / (double)trips;
	bool looped = row->technique->backend != 0;
	bool counted = looped || !row->technique->is_soq;

	if (row->technique->over)
		sleeper = bout_find(b, row->technique->over);
	return (struct figures){ {
		[P50_NS] = statistics_percentile_u32(row->trip_ns, trips, 50),
		[P99_NS] = statistics_percentile_u32(row->trip_ns, trips, 99),
		[RATIO] = ratio(b, row->median_ns, first->median_ns, 50),
		[RATIO_LOW] = ratio(b, row->median_ns, first->median_ns, 25),
		[RATIO_HIGH] = ratio(b, row->median_ns, first->median_ns, 75),
		[TO_SLEEPING] = sleeper ? ratio(b, row->median_ns, sleeper->median_ns, 50) : NAN,
		[CPU_NS] = statistics_percentile(row->cpu_ns, b->settings->rounds, 50),
		[CPU_RATIO] = ratio(b, row->cpu_ns, first->cpu_ns, 50),
		[ENTERS] = counted ? (double)row->spent.waits * each : NAN,
		[REQUESTS] = counted ? (double)row->spent.requests * each : NAN,
		[COMPLETIONS] = looped ? (double)row->spent.completions * each : NAN,
		[ALLOCATIONS] = looped ? (double)row->spent.allocations * each : NAN,
	} };
}

static void print_count(double value)
{
	if (isfinite(value))
		printf(" %7.3f", value);
	else
		printf(" %7s", "-");
}

static void print_row(const struct row *row, const struct figures *f)
{
	const double *of = f->of;

	printf("%-24s %7.2f %7.2f %9.3f %5.1f%%", row->technique->name, of[P50_NS] / 1000,
	       of[P99_NS] / 1000, of[RATIO], (of[RATIO_HIGH] - of[RATIO_LOW]) / of[RATIO] * 50);
	if (isfinite(of[TO_SLEEPING]))
		printf(" %9.3f", of[TO_SLEEPING]);
	else
		printf(" %9s", "");
	printf(" %7.0f %9.3f", of[CPU_NS], of[CPU_RATIO]);
	print_count(of[ENTERS]);
	print_count(of[REQUESTS]);
	print_count(of[ALLOCATIONS]);
	printf("\n");
}

static void print_text(const struct bout *b)
{
	const struct settings *s = b->settings;

	printf("round trips of %u B over one TCP connection, CPUs %d (client) and %d (peer), "
	       "%u rounds of %u; %u receives armed beside soq's calls\n",
	       s->size_bytes, s->placement.client_cpu, s->placement.server_cpu, s->rounds, s->turns,
	       s->armed);
	printf("%-24s %7s %7s %9s %6s %9s %7s %9s %7s %7s %7s\n", "client", "p50 us", "p99 us",
	       "/blocking", "+-", "/sleeping", "CPU ns", "/blocking", "enters", "reqs", "allocs");
	for (const struct row *row = b->rows; row < b->rows + b->row_count; row++) {
		struct figures f;

		if (row->error != 0) {
			printf("%-24s not here: %s\n", row->technique->name, strerror(-row->error));
			continue;
		}
		f = figures_of(b, row);
		print_row(row, &f);
	}
}

static void print_csv(const struct bout *b)
{
	printf("key");
	for (int i = 0; i < FIGURE_COUNT; i++)
		printf(",%s", names[i]);
	printf("\n");
	for (const struct row *row = b->rows; row < b->rows + b->row_count; row++) {
		struct figures f;

		if (row->error != 0)
			continue;
		f = figures_of(b, row);
		printf("%s", row->technique->key);
		for (int i = 0; i < FIGURE_COUNT; i++)
			printf(isfinite(f.of[i]) ? ",%.4f" : ",", f.of[i]);
		printf("\n");
	}
}

static void write_row(struct json *j, const struct bout *b, const struct row *row)
{
	struct figures f = figures_of(b, row);

	for (int i = 0; i < FIGURE_COUNT; i++)
		json_real(j, names[i], f.of[i]);
}

static void print_json(const struct bout *b)
{
	const struct settings *s = b->settings;
	struct json j = { .file = stdout };

	json_open(&j, NULL, '{');
	json_text(&j, "schema", "soq-pingpong/1");
	json_text(&j, "placement", settings_are_split(s) ? "split" : "same");
	json_int(&j, "client_cpu", s->placement.client_cpu);
	json_int(&j, "peer_cpu", s->placement.server_cpu);
	json_uint(&j, "rounds", s->rounds);
	json_uint(&j, "turns", s->turns);
	json_uint(&j, "size_bytes", s->size_bytes);
	json_uint(&j, "armed", s->armed);
	json_open(&j, "rows", '[');
	for (const struct row *row = b->rows; row < b->rows + b->row_count; row++) {
		json_open(&j, NULL, '{');
		json_text(&j, "key", row->technique->key);
		json_text(&j, "name", row->technique->name);
		json_text(&j, "how", row->technique->how);
		if (row->error != 0)
			json_text(&j, "not_here", strerror(-row->error));
		else
			write_row(&j, b, row);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
}

void report_print(const struct bout *b)
{
	if (b->settings->form == FORM_CSV)
		print_csv(b);
	else if (b->settings->form == FORM_JSON)
		print_json(b);
	else
		print_text(b);
}

static bool check_count(const struct row *row, const char *what, uint64_t count, unsigned each,
			uint64_t trips)
{
	if (count == each * trips)
		return true;
	fprintf(stderr, "FAILED: %s: %" PRIu64 " %s in %" PRIu64 " round trips, not %u in each\n",
		row->technique->name, count, what, trips, each);
	return false;
}

static bool check_counters(const struct row *row, uint64_t trips)
{
	const struct technique *t = row->technique;
	bool ok = true;

	if (t->waits)
		ok = check_count(row, "enters", row->spent.waits, t->waits, trips);
	if (t->requests)
		ok = check_count(row, "requests", row->spent.requests, t->requests, trips) && ok;
	if (t->is_soq)
		ok = check_count(row, "allocations", row->spent.allocations, 0, trips) && ok;
	return ok;
}

bool report_check(const struct bout *b)
{
	bool ok = true;

	for (const struct row *row = b->rows; row < b->rows + b->row_count; row++) {
		if (row->wrong) {
			fprintf(stderr, "FAILED: %s: %" PRIu64 " responses with wrong bytes\n",
				row->technique->name, row->wrong);
			ok = false;
		}
		if (b->settings->check && row->error == 0)
			ok = check_counters(row, bout_trips(b)) && ok;
	}
	return ok;
}
