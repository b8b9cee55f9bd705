/* SPDX-License-Identifier: MIT */
/* Prints the result of a run for people and for spreadsheets. */
#include "report.h"

#include "../common/clock.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const double percents[] = { 50, 90, 99, 99.9, 99.99, 100 };

#define PERCENT_COUNT (sizeof(percents) / sizeof(percents[0]))

uint64_t report_error_count(const struct run_result *r)
{
	const struct load_result *c = r->load;

	return c->wrong + c->cut + c->lost + c->failed + (r->server_failed ? 1 : 0);
}

static double per_unit(const struct end_cost *cost, uint64_t value)
{
	return cost->units ? (double)value / (double)cost->units : NAN;
}

double report_rate(const struct run_result *r)
{
	if (r->window_ns <= 0)
		return 0;
	return (double)r->load->count * (double)NS_PER_S / (double)r->window_ns;
}

double report_bytes_per_cpu_second(const struct end_cost *cost)
{
	if (!cost->cpu_ns)
		return NAN;
	return (double)cost->units * 1024 * (double)NS_PER_S / (double)cost->cpu_ns;
}

double report_both_cpu_ns(const struct run_result *r)
{
	return per_unit(&r->client_cost, r->client_cost.cpu_ns) +
	       per_unit(&r->server_cost, r->server_cost.cpu_ns);
}

static bool is_stream(const struct run_result *r)
{
	return r->mode == &mode_stream;
}

static void print_latency(const struct run_result *r, FILE *file)
{
	static const char *const names[PERCENT_COUNT] = { "p50",   "p90",    "p99",
							  "p99.9", "p99.99", "max" };

	fprintf(file, "  latency us     ");
	for (size_t i = 0; i < PERCENT_COUNT; i++)
		fprintf(file, "%9s", names[i]);
	fprintf(file, "%9s\n                 ", "mean");
	for (size_t i = 0; i < PERCENT_COUNT; i++) {
		int64_t ns = histogram_percentile(&r->load->latency, percents[i]);

		if (ns < 0)
			fprintf(file, "%9s", "-");
		else
			fprintf(file, "%9.1f", (double)ns / 1e3);
	}
	fprintf(file, "%9.1f\n", (double)histogram_mean(&r->load->latency) / 1e3);
}

static void print_cost(const struct run_result *r, const char *end, const struct end_cost *cost,
		       FILE *file)
{
	double split = (double)(cost->user_ns + cost->system_ns);
	bool epoll = strcmp(cost->engine, "epoll") == 0;

	if (strcmp(cost->source, "none") == 0 || !cost->units)
		return;
	fprintf(file, "  %s      %9.0f ns CPU per %s", end, per_unit(cost, cost->cpu_ns),
		is_stream(r) ? "KiB" : r->mode->unit);
	if (split > 0)
		fprintf(file, " (%.0f%% system)", (double)cost->system_ns * 100 / split);
	if (is_stream(r))
		fprintf(file, ", %.2f GB per CPU second", report_bytes_per_cpu_second(cost) / 1e9);
	if (cost->has_counters) {
		/* A stream's are counted per MiB: per KiB they would be next to nothing. */
		double scale = is_stream(r) ? 1024 : 1;

		fprintf(file, ", %.3f %s, %.3f %s, %.2f allocations%s",
			per_unit(cost, cost->enters) * scale, epoll ? "waits" : "enters",
			per_unit(cost, cost->sqes) * scale, epoll ? "socket calls" : "SQEs",
			per_unit(cost, cost->allocations) * scale, is_stream(r) ? " per MiB" : "");
	}
	fprintf(file, "\n");
}

static void print_rightness(const struct run_result *r, FILE *file)
{
	uint64_t verified = r->load->verified;

	fprintf(file, "  errors          0; ");
	if (!is_stream(r))
		fprintf(file, "every byte of %" PRIu64 " responses was right\n", verified);
	else if (r->options->reverse)
		fprintf(file, "every one of %" PRIu64 " bytes was right\n", verified);
	else if (r->options->has_endpoint)
		fprintf(file, "%" PRIu64 " bytes were acknowledged by a close\n", verified);
	else
		fprintf(file, "the server had every one of %" PRIu64 " bytes\n", verified);
}

static void print_errors(const struct run_result *r, FILE *file)
{
	const struct load_result *c = r->load;

	if (report_error_count(r) == 0) {
		print_rightness(r, file);
		return;
	}
	fprintf(file,
		"  errors          %" PRIu64 ": %" PRIu64 " wrong, %" PRIu64 " cut, %" PRIu64
		" lost, %" PRIu64 " failed",
		report_error_count(r), c->wrong, c->cut, c->lost, c->failed);
	if (c->first_error)
		fprintf(file, " (first: %s)", strerror(-c->first_error));
	if (r->server_failed)
		fprintf(file, ", the server failed");
	fprintf(file, "\n");
}

static void print_test(const struct run_result *r, FILE *file)
{
	const struct options *o = r->options;

	fprintf(file, "soqperf %s %s %s: %u connection%s", r->mode->name,
		o->reverse ? "from" : "to", r->endpoint, o->connections,
		o->connections == 1 ? "" : "s");
	if (r->mode != &mode_crr && !o->reverse)
		fprintf(file, " x %u", o->pipeline);
	if (!o->reverse)
		fprintf(file, ", %u B", o->size_bytes);
	if (o->idle)
		fprintf(file, ", %u idle", o->idle);
	if (o->transport == TRANSPORT_UDP)
		fprintf(file, ", UDP");
	fprintf(file, ", client %s, server %s%s\n", r->client_cost.engine, r->server_cost.engine,
		r->signal ? ", interrupted" : "");
}

void report_text(const struct run_result *r, FILE *file)
{
	double seconds = (double)r->window_ns / 1e9;

	print_test(r, file);
	if (is_stream(r))
		fprintf(file, "  moved     %9.2f GiB in %.2f s: %.2f Gbit/s\n",
			(double)r->load->count / (1u << 30), seconds, report_rate(r) * 8 / 1e9);
	else
		fprintf(file, "  %s  %9" PRIu64 " in %.2f s: %.0f /s\n", r->mode->units,
			r->load->count, seconds, report_rate(r));
	if (r->mode->has_latency)
		print_latency(r, file);
	print_cost(r, "client", &r->client_cost, file);
	print_cost(r, "server", &r->server_cost, file);
	if (is_stream(r) && isfinite(report_both_cpu_ns(r)))
		fprintf(file, "  both        %9.0f ns CPU per KiB\n", report_both_cpu_ns(r));
	print_errors(r, file);
}

static void csv_real(double value, FILE *file)
{
	if (isfinite(value))
		fprintf(file, ",%.6f", value);
	else
		fprintf(file, ",");
}

static void csv_cost(const struct end_cost *cost, FILE *file)
{
	csv_real(per_unit(cost, cost->cpu_ns), file);
	csv_real(cost->has_counters ? per_unit(cost, cost->enters) : NAN, file);
	csv_real(cost->has_counters ? per_unit(cost, cost->sqes) : NAN, file);
	csv_real(cost->has_counters ? per_unit(cost, cost->allocations) : NAN, file);
}

/* The same columns for all modes: what is counted, and divided by, is the mode's unit. */
void report_csv(const struct run_result *r, FILE *file)
{
	const struct options *o = r->options;

	if (o->csv_header)
		fprintf(file,
			"label,client_engine,server_engine,connections,pipeline,size_bytes,"
			"%s,rate,p50_ns,p90_ns,p99_ns,p999_ns,p9999_ns,max_ns,"
			"client_cpu_ns,client_enters,client_sqes,client_allocs,"
			"server_cpu_ns,server_enters,server_sqes,server_allocs,errors\n",
			r->mode == &mode_crr ? "cycles" : r->mode->units);
	fprintf(file, "%s,%s,%s,%u,%u,%u,%" PRIu64 ",%.1f", o->label, r->client_cost.engine,
		r->server_cost.engine, o->connections, o->pipeline, o->size_bytes,
		r->load->count / r->mode->unit_counts, report_rate(r) / r->mode->unit_counts);
	for (size_t i = 0; i < PERCENT_COUNT; i++) {
		int64_t ns = histogram_percentile(&r->load->latency, percents[i]);

		csv_real(ns < 0 ? NAN : (double)ns, file);
	}
	csv_cost(&r->client_cost, file);
	csv_cost(&r->server_cost, file);
	fprintf(file, ",%" PRIu64 "\n", report_error_count(r));
}
