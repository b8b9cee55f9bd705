/* SPDX-License-Identifier: MIT */
/* Prints the result of a run as a JSON document, schema soqperf/1. */
#include "report.h"

#include "json.h"
#include "pattern.h"

#include <string.h>
#include <sys/utsname.h>

static void write_test(struct json *j, const struct run_result *r)
{
	const struct options *o = r->options;

	json_open(j, "test", '{');
	json_text(j, "mode", r->mode->name);
	json_text(j, "transport", o->transport == TRANSPORT_UDP ? "udp" : "tcp");
	json_text(j, "remote", r->endpoint);
	json_text(j, "loop", "closed");
	json_bool(j, "reverse", o->reverse);
	json_uint(j, "connections", o->connections);
	json_uint(j, "idle", o->idle);
	json_uint(j, "pipeline", o->pipeline);
	if (r->mode == &mode_stream) {
		json_uint(j, "chunk_bytes", o->reverse ? PATTERN_BYTES : o->size_bytes);
	} else {
		json_uint(j, "request_bytes", o->size_bytes);
		json_uint(j, "response_bytes", o->size_bytes);
	}
	json_int(j, "duration_ns", o->duration_ns);
	json_int(j, "warmup_ns", o->warmup_ns);
	json_uint(j, "requests_limit", o->requests);
	json_text(j, "client_engine", r->client_cost.engine);
	json_text(j, "server_engine", r->server_cost.engine);
	if (o->server_command)
		json_text(j, "server_command", o->server_command);
	else
		json_null(j, "server_command");
	json_int(j, "client_cpu", o->placement.client_cpu);
	json_int(j, "server_cpu", o->placement.server_cpu);
	json_bool(j, "nodelay", r->mode == &mode_rr && o->transport == TRANSPORT_TCP);
	json_text(j, "verify", "all");
	json_close(j, '}');
}

static void write_errors(struct json *j, const struct run_result *r)
{
	const struct load_result *c = r->load;

	json_open(j, "errors", '{');
	json_uint(j, "total", report_error_count(r));
	json_uint(j, "wrong", c->wrong);
	json_uint(j, "cut", c->cut);
	json_uint(j, "lost", c->lost);
	json_uint(j, "failed", c->failed);
	json_bool(j, "server_failed", r->server_failed);
	if (c->first_error)
		json_text(j, "first", strerror(-c->first_error));
	else
		json_null(j, "first");
	json_close(j, '}');
}

static void write_counts(struct json *j, const struct run_result *r)
{
	if (r->mode == &mode_stream) {
		json_uint(j, "bytes", r->load->count);
		json_uint(j, "bytes_verified", r->load->verified);
		json_real(j, "bytes_per_s", report_rate(r));
		json_real(j, "gbit_per_s", report_rate(r) * 8 / 1e9);
		json_real(j, "both_cpu_ns_per_kib", report_both_cpu_ns(r));
		return;
	}
	json_uint(j, r->mode->units, r->load->count);
	json_uint(j, r->mode == &mode_crr ? "connections_verified" : "requests_verified",
		  r->load->verified);
	json_real(j, "rate", report_rate(r));
}

static void write_result(struct json *j, const struct run_result *r)
{
	json_open(j, "result", '{');
	json_int(j, "window_ns", r->window_ns);
	write_counts(j, r);
	json_bool(j, "interrupted", r->signal != 0);
	write_errors(j, r);
	json_close(j, '}');
}

static void write_latency(struct json *j, const struct histogram *h)
{
	static const struct {
		const char *name;
		double percent;
	} rows[] = {
		{ "50", 50 }, { "90", 90 }, { "99", 99 }, { "99.9", 99.9 }, { "99.99", 99.99 },
	};

	json_open(j, "latency", '{');
	json_open(j, "service", '{');
	json_uint(j, "count", h->count);
	json_int(j, "min_ns", h->min_ns);
	json_int(j, "mean_ns", histogram_mean(h));
	json_int(j, "max_ns", h->max_ns);
	json_open(j, "percentiles", '{');
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ns = histogram_percentile(h, rows[i].percent);

		if (ns < 0)
			json_null(j, rows[i].name);
		else
			json_int(j, rows[i].name, ns);
	}
	json_close(j, '}');
	json_close(j, '}');
	json_close(j, '}');
}

/* NAME_per_UNIT. 0 / 0 is no number: the writer makes it null. */
static void write_ratio(struct json *j, const struct run_result *r, const char *name,
			uint64_t value, uint64_t units)
{
	char text[64];

	snprintf(text, sizeof(text), "%s_per_%s", name, r->mode->unit);
	json_real(j, text, (double)value / (double)units);
}

static void write_cost(struct json *j, const struct run_result *r, const char *name,
		       const struct end_cost *c)
{
	if (strcmp(c->source, "none") == 0) {
		json_null(j, name);
		return;
	}
	json_open(j, name, '{');
	json_text(j, "engine", c->engine);
	json_text(j, "source", c->source);
	json_uint(j, r->mode->units, c->units);
	json_uint(j, "cpu_ns", c->cpu_ns);
	json_uint(j, "user_ns", c->user_ns);
	json_uint(j, "system_ns", c->system_ns);
	write_ratio(j, r, "cpu_ns", c->cpu_ns, c->units);
	if (r->mode == &mode_stream)
		json_real(j, "bytes_per_cpu_s", report_bytes_per_cpu_second(c));
	if (c->has_counters) {
		json_uint(j, "turns", c->turns);
		json_uint(j, "enters", c->enters);
		json_uint(j, "sqes", c->sqes);
		json_uint(j, "completions", c->completions);
		json_uint(j, "allocations", c->allocations);
		write_ratio(j, r, "enters", c->enters, c->units);
		write_ratio(j, r, "sqes", c->sqes, c->units);
		write_ratio(j, r, "allocations", c->allocations, c->units);
	}
	json_close(j, '}');
}

static void write_tool(struct json *j)
{
	uint32_t v = soq_version();
	struct utsname name;
	char text[32];

	snprintf(text, sizeof(text), "%u.%u.%u", v >> 16, v >> 8 & 0xff, v & 0xff);
	json_open(j, "tool", '{');
	json_text(j, "name", "soqperf");
	json_text(j, "library", text);
	json_text(j, "compiler", __VERSION__);
	if (uname(&name) == 0)
		json_text(j, "kernel", name.release);
	json_close(j, '}');
}

void report_json(const struct run_result *r, FILE *file)
{
	struct json j = { .file = file };

	json_open(&j, NULL, '{');
	json_text(&j, "schema", "soqperf/1");
	json_text(&j, "mode", r->mode->name);
	json_text(&j, "label", r->options->label);
	write_tool(&j);
	write_test(&j, r);
	write_result(&j, r);
	if (r->mode->has_latency)
		write_latency(&j, &r->load->latency);
	else
		json_null(&j, "latency");
	json_open(&j, "ends", '{');
	write_cost(&j, r, "client", &r->client_cost);
	write_cost(&j, r, "server", &r->server_cost);
	json_close(&j, '}');
	json_uint(&j, "server_max_rss_kib", r->server_max_rss_kib);
	json_close(&j, '}');
}
