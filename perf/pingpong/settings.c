/* SPDX-License-Identifier: MIT */
/* Reads the command line of soq-pingpong. */
#include "settings.h"

#include "../soqperf/units.h"
#include "technique.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"soq-pingpong [--placement same|split] [--rounds N] [--turns N] [--check] [--csv | "
	"--json]\n"
	"\n"
	"Round trips over one TCP connection on loopback, a request and its response at a time,\n"
	"by each technique of a client: the blocking calls, soq's calls and ops, bare epoll and\n"
	"liburing. The peer is a child process of blocking calls, the same for all. The rows\n"
	"take turns in short blocks, forth and back; every byte is compared.\n"
	"\n"
	"  --placement P  both ends on one CPU (same, the default), on two (split), or on the\n"
	"                 CPUs C:S (client:peer)\n"
	"  --rounds N     blocks of each row (31; 1 to 10000)\n"
	"  --turns N      round trips of a block (200)\n"
	"  --size SIZE    bytes of a request and of a response (64; 1 to 2048)\n"
	"  --armed N      receives in flight beside the synchronous calls of a loop (64; to 4096)\n"
	"  --only KEYS    these rows and the reference alone: soq-sync-uring,raw-epoll\n"
	"  --csv, --json  instead of the table\n"
	"  --check        exit 1 unless soq allocates nothing in a round trip, and makes exactly\n"
	"                 the enters on io_uring that README.md says\n"
	"\n"
	"Exit codes: 0, 1 wrong bytes, a lost response or a failed check, 2 usage.\n";

bool settings_are_split(const struct settings *s)
{
	return s->placement.client_cpu != s->placement.server_cpu;
}

bool settings_want(const struct settings *s, const char *key)
{
	size_t length = strlen(key);
	const char *at = s->only;

	if (!at || strcmp(key, "blocking") == 0)
		return true;
	while ((at = strstr(at, key)) != NULL) {
		if ((at == s->only || at[-1] == ',') && (at[length] == 0 || at[length] == ','))
			return true;
		at += length;
	}
	return false;
}

static bool take_count(const char *text, uint64_t min, uint64_t max, uint32_t *out)
{
	uint64_t count;

	if (!units_parse_count(text, min, max, &count))
		return false;
	*out = (uint32_t)count;
	return true;
}

static bool take_placement(struct settings *s)
{
	/* Two ends that may be anywhere would be neither of the two cases. */
	return strcmp(optarg, "none") != 0 && placement_parse(optarg, &s->placement);
}

static bool take(struct settings *s, int option)
{
	switch (option) {
	case 'p':
		return take_placement(s);
	case 'r':
		return take_count(optarg, 1, 10000, &s->rounds);
	case 't':
		return take_count(optarg, 1, 100000, &s->turns);
	case 's':
		return take_count(optarg, 1, TECHNIQUE_ROOM_BYTES / 2, &s->size_bytes);
	case 'a':
		return take_count(optarg, 0, 4096, &s->armed);
	case 'o':
		s->only = optarg;
		return true;
	case 'v':
		s->form = FORM_CSV;
		return true;
	case 'j':
		s->form = FORM_JSON;
		return true;
	default:
		s->check = true;
		return true;
	}
}

bool settings_parse(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "placement", required_argument, NULL, 'p' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "turns", required_argument, NULL, 't' },
		{ "size", required_argument, NULL, 's' },
		{ "armed", required_argument, NULL, 'a' },
		{ "only", required_argument, NULL, 'o' },
		{ "csv", no_argument, NULL, 'v' },
		{ "json", no_argument, NULL, 'j' },
		{ "check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*s = (struct settings){ .rounds = 31, .turns = 200, .size_bytes = 64, .armed = 64 };
	if (!placement_parse("same", &s->placement))
		return false;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			exit(fputs(help, stdout) < 0);
		if (option == '?')
			return false;
		if (!take(s, option)) {
			fprintf(stderr, "soq-pingpong: out of range: %s\n", optarg);
			return false;
		}
	}
	return optind == argc;
}
