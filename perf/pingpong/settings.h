/* SPDX-License-Identifier: MIT */
/* The command line: where, how much, and how it is printed. */
#ifndef PINGPONG_SETTINGS_H
#define PINGPONG_SETTINGS_H

#include "../soqperf/placement.h"

#include <stdbool.h>
#include <stdint.h>

enum form { FORM_TEXT, FORM_CSV, FORM_JSON };

struct settings {
	struct placement placement;
	uint32_t rounds;
	uint32_t turns; /* round trips of a block */
	uint32_t size_bytes;
	uint32_t armed;
	enum form form;
	bool check;
	const char *only; /* keys, comma separated; NULL: all */
};

/* Reads the arguments; false after saying what is wrong. */
bool settings_parse(int argc, char **argv, struct settings *s);

/* Whether the two ends have a CPU each. */
bool settings_are_split(const struct settings *s);

/* Whether a row is wanted: the reference always is. */
bool settings_want(const struct settings *s, const char *key);

#endif
