/* SPDX-License-Identifier: MIT */
/* The command line of the harness: how much runs, and who. */
#ifndef HARNESS_SETTINGS_H
#define HARNESS_SETTINGS_H

#include "contender.h"

#include <stddef.h>

#define CONTENDERS_MAX 64
#define NAME_MAX_BYTES 32
#define HOARD_BUFS     32

struct settings {
	uint32_t ready;
	uint32_t idle; /* 0: not that table */
	uint32_t size_bytes;
	size_t turns;
	bool check;
	bool json;
	bool hoard;
	struct contender contenders[CONTENDERS_MAX];
	char names[CONTENDERS_MAX][NAME_MAX_BYTES];
	int contender_count;
	int pool_count; /* --pool was given as often */
};

/* Reads the arguments into what is all zero; false after saying what is wrong. */
bool settings_parse(int argc, char **argv, struct settings *s);

#endif
