/* SPDX-License-Identifier: MIT */
/* The rows taking turns in short blocks, and what each block has cost. */
#ifndef PINGPONG_BOUT_H
#define PINGPONG_BOUT_H

#include "settings.h"
#include "technique.h"

struct row {
	const struct technique *technique;
	void *state;
	int error;         /* why it cannot be had here */
	uint32_t *trip_ns; /* of every measured round trip */
	double *median_ns; /* of each round's block */
	double *cpu_ns;    /* per round trip, likewise */
	struct control_report spent;
	uint64_t sequence; /* of the next request */
	uint64_t wrong;    /* responses with a wrong byte */
};

struct bout {
	const struct settings *settings;
	struct row *rows;
	size_t row_count;
};

/* Opens every row that was asked for; one that cannot be had says so. 0 or -errno. */
int bout_open(struct bout *b, const struct settings *settings, const struct sockaddr_in *where);

/* All rounds. Returns 0, or -errno after saying whose round trip failed. */
int bout_run(struct bout *b);

/* Ends what was opened. Returns how many rows did not end. */
int bout_close(struct bout *b);

/* The row of that key, or NULL if it was not measured. */
const struct row *bout_find(const struct bout *b, const char *key);

/* How many round trips a row was measured for. */
uint64_t bout_trips(const struct bout *b);

#endif
