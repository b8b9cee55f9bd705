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

static double per_request(const struct end_cost *cost, uint64_t value)
{
	return cost->units ? (double)value / (double)cost->units : NAN;
}

static double rate(const struct run_result *r)
{
	if (r->window_ns <= 0)
		return 0;
	return (double)r->load->count * (double)NS_PER_S / (double)r->window_ns;
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

static void print_cost(const char *end, const struct end_cost *cost, FILE *file)
{
	double split = (double)(cost->user_ns + cost->system_ns);

	if (strcmp(cost->source, "none") == 0 || !cost->units)
		return;
	fprintf(file, "  %s      %9.0f ns CPU per request", end, per_request(cost, cost->cpu_ns));
	if (split > 0)
		fprintf(file, " (%.0f%% system)", (double)cost->system_ns * 100 / split);
	if (cost->has_counters)
		fprintf(file, ", %.3f %s, %.3f %s, %.2f allocations",
			per_request(cost, cost->enters),
			strcmp(cost->engine, "epoll") == 0 ? "waits" : "enters",
			per_request(cost, cost->sqes),
			strcmp(cost->engine, "epoll") == 0 ? "socket calls" : "SQEs",
			per_request(cost, cost->allocations));
	fprintf(file, "\n");
}

static void print_errors(const struct run_result *r, FILE *file)
{
	const struct load_result *c = r->load;

	if (report_error_count(r) == 0) {
		fprintf(file,
			"  errors          0; every byte of %" PRIu64 " responses was right\n",
			c->verified);
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

void report_text(const struct run_result *r, FILE *file)
{
	const struct options *o = r->options;

	fprintf(file, "soqperf rr to %s: %u connection%s x %u, %u B", r->endpoint, o->connections,
		o->connections == 1 ? "" : "s", o->pipeline, o->size_bytes);
	if (o->idle)
		fprintf(file, ", %u idle", o->idle);
	if (o->transport == TRANSPORT_UDP)
		fprintf(file, ", UDP");
	fprintf(file, ", client %s, server %s%s\n", r->client_cost.engine, r->server_cost.engine,
		r->signal ? ", interrupted" : "");
	fprintf(file, "  requests  %9" PRIu64 " in %.2f s: %.0f /s\n", r->load->count,
		(double)r->window_ns / 1e9, rate(r));
	print_latency(r, file);
	print_cost("client", &r->client_cost, file);
	print_cost("server", &r->server_cost, file);
	print_errors(r, file);
}

static void csv_real(double value, FILE *file)
{
	if (isfinite(value))
		fprintf(file, ",%.4f", value);
	else
		fprintf(file, ",");
}

static void csv_cost(const struct end_cost *cost, FILE *file)
{
	csv_real(per_request(cost, cost->cpu_ns), file);
	csv_real(cost->has_counters ? per_request(cost, cost->enters) : NAN, file);
	csv_real(cost->has_counters ? per_request(cost, cost->sqes) : NAN, file);
	csv_real(cost->has_counters ? per_request(cost, cost->allocations) : NAN, file);
}

void report_csv(const struct run_result *r, FILE *file)
{
	const struct options *o = r->options;

	if (o->csv_header)
		fprintf(file, "label,client_engine,server_engine,connections,pipeline,size_bytes,"
			      "requests,rate,p50_ns,p90_ns,p99_ns,p999_ns,p9999_ns,max_ns,"
			      "client_cpu_ns,client_enters,client_sqes,client_allocs,"
			      "server_cpu_ns,server_enters,server_sqes,server_allocs,errors\n");
	fprintf(file, "%s,%s,%s,%u,%u,%u,%" PRIu64 ",%.1f", o->label, r->client_cost.engine,
		r->server_cost.engine, o->connections, o->pipeline, o->size_bytes, r->load->count,
		rate(r));
	for (size_t i = 0; i < PERCENT_COUNT; i++) {
		int64_t ns = histogram_percentile(&r->load->latency, percents[i]);

		csv_real(ns < 0 ? NAN : (double)ns, file);
	}
	csv_cost(&r->client_cost, file);
	csv_cost(&r->server_cost, file);
	fprintf(file, ",%" PRIu64 "\n", report_error_count(r));
}
