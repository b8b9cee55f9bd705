/* SPDX-License-Identifier: MIT */
/* Opens the rows, lets them take turns, keeps what their blocks have cost. */
#include "bout.h"

#include "../common/clock.h"
#include "../soqperf/payload.h"
#include "statistics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM_UP_TRIPS 20 /* before each block: the caches are the row's own again */

static int open_row(struct row *row, const struct technique *technique, const struct settings *s,
		    const struct sockaddr_in *where)
{
	size_t trips = (size_t)s->rounds * s->turns;

	*row = (struct row){ .technique = technique };
	row->trip_ns = malloc(trips * sizeof(*row->trip_ns));
	row->median_ns = malloc(s->rounds * sizeof(*row->median_ns));
	row->cpu_ns = malloc(s->rounds * sizeof(*row->cpu_ns));
	if (!row->trip_ns || !row->median_ns || !row->cpu_ns)
		return -ENOMEM;
	row->error = technique->open(technique, where, s->armed, &row->state);
	if (row->error < 0)
		fprintf(stderr, "soq-pingpong: %s: %s\n", technique->name, strerror(-row->error));
	return 0;
}

static int open_list(struct bout *b, const struct technique_list *list,
		     const struct sockaddr_in *where)
{
	int ret = 0;

	for (size_t i = 0; i < list->count && ret == 0; i++) {
		const struct technique *technique = &list->rows[i];

		if ((technique->only_split && !settings_are_split(b->settings)) ||
		    !settings_want(b->settings, technique->key))
			continue;
		ret = open_row(&b->rows[b->row_count++], technique, b->settings, where);
	}
	return ret;
}

int bout_open(struct bout *b, const struct settings *settings, const struct sockaddr_in *where)
{
	const struct technique_list *lists[] = {
		&technique_raw,
#ifdef PERF_HAVE_URING
		&technique_uring,
#endif
		&technique_soq,
	};
	size_t count = 0;
	int ret = payload_init();

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		count += lists[i]->count;
	*b = (struct bout){ .settings = settings, .rows = calloc(count, sizeof(*b->rows)) };
	if (!b->rows || ret < 0)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && ret == 0; i++)
		ret = open_list(b, lists[i], where);
	return ret == 0 ? b->rows[0].error : ret;
}

/* One request and its response; its time, or -errno. */
static int64_t trip(struct row *row, const struct settings *s)
{
	unsigned char request[TECHNIQUE_ROOM_BYTES], response[TECHNIQUE_ROOM_BYTES];
	int64_t begin_ns, end_ns;
	int ret;

	payload_fill(request, s->size_bytes, 0, row->sequence);
	memset(response, 0, s->size_bytes);
	begin_ns = clock_now_ns();
	ret = row->technique->trip(row->state, request, response, s->size_bytes);
	end_ns = clock_now_ns();
	if (ret < 0)
		return ret;
	if (!payload_equal(response, s->size_bytes, 0, 0, row->sequence))
		row->wrong++;
	row->sequence++;
	return end_ns - begin_ns;
}

static int block(struct row *row, const struct settings *s, uint32_t round)
{
	uint32_t *trip_ns = row->trip_ns + (size_t)round * s->turns;
	struct control_report before, after, missed;
	int64_t ns = 0;
	uint64_t cpu_ns;

	for (unsigned i = 0; i < WARM_UP_TRIPS && ns >= 0; i++)
		ns = trip(row, s);
	before = row->technique->report(row->state);
	cpu_ns = clock_cpu_ns();
	for (uint32_t i = 0; i < s->turns && ns >= 0; i++) {
		ns = trip(row, s);
		trip_ns[i] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
	}
	row->cpu_ns[round] = (double)(clock_cpu_ns() - cpu_ns) / s->turns;
	if (ns < 0)
		return (int)ns;
	/* spent += after - before, where there is only a difference. */
	after = row->technique->report(row->state);
	missed = control_difference(&before, &after);
	row->spent = control_difference(&row->spent, &missed);
	row->median_ns[round] = statistics_median_u32(trip_ns, s->turns);
	return 0;
}

int bout_run(struct bout *b)
{
	/* A response that is lost ends the program: nothing here waits with a timeout. */
	const unsigned patience_s = 30;

	for (uint32_t round = 0; round < b->settings->rounds; round++) {
		alarm(patience_s);
		for (size_t i = 0; i < b->row_count; i++) {
			/* Forth and back: what drifts meanwhile is the same for all. */
			struct row *row = &b->rows[round % 2 ? b->row_count - 1 - i : i];
			int ret = row->error ? 0 : block(row, b->settings, round);

			if (ret < 0) {
				fprintf(stderr, "soq-pingpong: %s: %s\n", row->technique->name,
					strerror(-ret));
				return ret;
			}
		}
	}
	alarm(0);
	return 0;
}

int bout_close(struct bout *b)
{
	int failed = 0;

	for (struct row *row = b->rows; row < b->rows + b->row_count; row++) {
		if (row->state && row->technique->close(row->state) < 0) {
			fprintf(stderr, "soq-pingpong: %s does not end\n", row->technique->name);
			failed++;
		}
		free(row->trip_ns);
		free(row->median_ns);
		free(row->cpu_ns);
	}
	free(b->rows);
	return failed;
}

const struct row *bout_find(const struct bout *b, const char *key)
{
	for (const struct row *row = b->rows; row < b->rows + b->row_count; row++) {
		if (row->error == 0 && strcmp(row->technique->key, key) == 0)
			return row;
	}
	return NULL;
}

uint64_t bout_trips(const struct bout *b)
{
	return (uint64_t)b->settings->rounds * b->settings->turns;
}
