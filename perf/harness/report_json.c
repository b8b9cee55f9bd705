/* SPDX-License-Identifier: MIT */
/* The same as JSON. */
#include "report.h"

#include "../soqperf/json.h"

#include <math.h>
#include <string.h>

static void open_document(struct json *j, const char *table, const struct settings *s)
{
	json_open(j, NULL, '{');
	json_text(j, "schema", "soq-harness/1");
	json_text(j, "table", table);
	json_uint(j, "ready", s->ready);
	json_uint(j, "size_bytes", s->size_bytes);
	json_uint(j, "turns", s->turns);
	if (s->idle)
		json_uint(j, "idle", s->idle);
	json_open(j, "rows", '[');
}

static void close_document(struct json *j)
{
	json_close(j, ']');
	json_close(j, '}');
}

static void open_row(struct json *j, const struct contender *contender)
{
	json_open(j, NULL, '{');
	json_text(j, "key", contender->key);
	json_text(j, "name", contender->name + strspn(contender->name, " "));
	json_bool(j, "soq", contender->is_soq);
}

static void write_counters(struct json *j, const struct report_row *row)
{
	json_real(j, "enters_per_turn", row->enters_per_turn);
	json_real(j, "enters_per_batch", row->enters_per_batch);
	json_real(j, "requests", row->requests);
	json_real(j, "completions", row->completions);
	json_real(j, "allocations", row->allocations);
}

void report_json_all(struct bout *bouts, int count, const struct settings *s)
{
	struct json j = { .file = stdout };

	open_document(&j, "all", s);
	for (int i = 0; i < count; i++) {
		struct report_row row = report_row_of(bouts, count, i);

		open_row(&j, bouts[i].contender);
		json_real(&j, "server_p5_ns", row.server_p5_ns);
		json_real(&j, "server_p50_ns", row.server_p50_ns);
		json_real(&j, "whole_p5_ns", row.whole_p5_ns);
		json_real(&j, "whole_p50_ns", row.whole_p50_ns);
		json_real(&j, "to_epoll", row.to_epoll > 0 ? row.to_epoll : NAN);
		json_real(&j, "to_ring", row.to_ring > 0 ? row.to_ring : NAN);
		write_counters(&j, &row);
		json_close(&j, '}');
	}
	close_document(&j);
}

static void write_memory(struct json *j, const struct report_idle *row)
{
	json_open(j, "memory", '{');
	json_real(j, "bytes_each", row->bytes_each);
	json_uint(j, "bytes", row->bytes);
	json_uint(j, "connections", row->connections);
	json_uint(j, "bufs_in_use", row->bufs_in_use);
	json_uint(j, "op_bytes", sizeof(struct soq_op));
	json_open(j, "allocations", '[');
	for (int i = 0; i < row->size_count; i++) {
		json_open(j, NULL, '{');
		json_uint(j, "size_bytes", row->sizes[i].size_bytes);
		json_int(j, "count", row->sizes[i].count);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

void report_json_idle(const struct report_idle *rows, int count, const struct settings *s)
{
	struct json j = { .file = stdout };

	open_document(&j, "idle", s);
	for (int i = 0; i < count; i++) {
		const struct report_idle *row = &rows[i];

		open_row(&j, row->contender);
		if (row->error != 0) {
			json_text(&j, "not_here", strerror(-row->error));
		} else {
			json_real(&j, "whole_ratio", row->whole);
			json_real(&j, "whole_ratio_low", row->whole_low);
			json_real(&j, "whole_ratio_high", row->whole_high);
			json_real(&j, "server_ratio", row->server);
			write_counters(&j, &row->beside);
			if (row->contender->is_soq)
				write_memory(&j, row);
		}
		json_close(&j, '}');
	}
	close_document(&j);
}
