/* SPDX-License-Identifier: MIT */
/* Reads the harness' command line. */
#include "settings.h"

#include "../soqperf/units.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"soq-harness [--ready K] [--size SIZE] [--turns N] [--check] [--json]\n"
	"            [--idle N | --hoard | --pool P...]\n"
	"\n"
	"Clients and server in one thread: each turn K clients send a request, the server\n"
	"answers all of them, every byte is compared. One line for each server: soq on both\n"
	"backends, and with direct descriptors; raw epoll, raw liburing.\n"
	"\n"
	"  --ready K    connections ready in every turn (64; 1 to 4096)\n"
	"  --size SIZE  bytes of a request (64; 1 to 16Ki)\n"
	"  --turns N    measured turns of each server (2000)\n"
	"  --idle N     instead, each server without and with N more connections that are open\n"
	"               and silent, a receive armed on each (to 100000): what they cost the\n"
	"               others, and what memory soq has allocated for one\n"
	"  --pool SIZE:BUFS[:SHARE]\n"
	"               instead, soq on io_uring with pools of the geometries given, each by the\n"
	"               first one: --pool 16Ki:64 --pool 4Ki:256:32\n"
	"  --hoard      instead, soq with a pool of 32 bufs, without and with one more connection\n"
	"               whose bufs are never returned: the rate of the others\n"
	"  --check      exit 1 unless soq makes exactly one enter per turn of its loop on "
	"io_uring,\n"
	"               at most one wait on epoll, exactly the requests and completions that\n"
	"               README.md says, and allocates nothing; not with --hoard and --pool\n"
	"  --json       instead of the table; not with --hoard and --pool\n"
	"\n"
	"Exit codes: 0, 1 wrong bytes, lost answers or a failed check, 2 usage.\n";

static struct contender *add(struct settings *s, const struct contender *like)
{
	struct contender *c = &s->contenders[s->contender_count++];

	*c = *like;
	return c;
}

/* A quarter of a pool is kept for those who find the rest empty: here nobody shall. */
static void add_pooled(struct settings *s, const struct contender *like)
{
	struct contender *c = add(s, like);

	if (c->direct_count)
		c->direct_count += s->idle;
	c->echo.pool_bufs = s->ready <= 32 ? 64 : 2 * s->ready;
}

static void add_all(struct settings *s)
{
	add_pooled(s, &contender_pool_uring);
	add_pooled(s, &contender_soq_direct);
	add_pooled(s, &contender_pool_epoll);
	add(s, &contender_soq_uring);
	add(s, &contender_soq_epoll);
	add(s, &contender_raw_epoll);
	add(s, &contender_raw_edge);
#ifdef PERF_HAVE_URING
	add(s, &contender_raw_uring);
	add(s, &contender_raw_bufring);
#endif
}

/* Each backend without, then with. */
static void add_hoarders(struct settings *s)
{
	for (int i = 0; i < 4; i++) {
		struct contender *c = add(s, i < 2 ? &contender_pool_uring : &contender_pool_epoll);

		c->echo.pool_bufs = HOARD_BUFS;
		c->echo.hoards = i % 2;
	}
}

static bool take_number(char **text, uint32_t max, uint32_t *out)
{
	const char *part = strsep(text, ":");
	uint64_t count;

	if (!part || !units_parse_count(part, 1, max, &count))
		return false;
	*out = (uint32_t)count;
	return true;
}

static bool add_pool(struct settings *s, const char *name)
{
	char copy[NAME_MAX_BYTES], *text = copy;
	struct contender *c;

	if (s->contender_count == CONTENDERS_MAX || strlen(name) >= NAME_MAX_BYTES)
		return false;
	s->pool_count++;
	c = add(s, &contender_pool_uring);
	c->name = s->names[s->contender_count - 1];
	snprintf(s->names[s->contender_count - 1], NAME_MAX_BYTES, "%s", name);
	snprintf(copy, sizeof(copy), "%s", name);
	return take_number(&text, 16u << 20, &c->echo.buffer_bytes) &&
	       take_number(&text, SOQ_POOL_BUFS_MAX, &c->echo.pool_bufs) &&
	       (!text || take_number(&text, SOQ_POOL_BUFS_MAX, &c->echo.pool_share));
}

static bool take(struct settings *s, int option)
{
	uint64_t count = 0;
	bool ok = true;

	if (option == 'r') {
		ok = units_parse_count(optarg, 1, 4096, &count);
		s->ready = (uint32_t)count;
	} else if (option == 's') {
		ok = units_parse_count(optarg, 1, 16384, &count);
		s->size_bytes = (uint32_t)count;
	} else if (option == 't') {
		ok = units_parse_count(optarg, 1, 10000000, &count);
		s->turns = (size_t)count;
	} else if (option == 'c') {
		s->check = true;
	} else if (option == 'j') {
		s->json = true;
	} else if (option == 'i') {
		ok = units_parse_count(optarg, 1, 100000, &count);
		s->idle = (uint32_t)count;
	} else if (option == 'o') {
		s->hoard = true;
	} else if (option == 'p') {
		ok = add_pool(s, optarg);
	} else if (option == 'h') {
		exit(fputs(help, stdout) < 0);
	} else {
		return false;
	}
	if (!ok)
		fprintf(stderr, "soq-harness: out of range: %s\n", optarg);
	return ok;
}

bool settings_parse(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {
		{ "ready", required_argument, NULL, 'r' }, { "size", required_argument, NULL, 's' },
		{ "turns", required_argument, NULL, 't' }, { "pool", required_argument, NULL, 'p' },
		{ "check", no_argument, NULL, 'c' },       { "hoard", no_argument, NULL, 'o' },
		{ "idle", required_argument, NULL, 'i' },  { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },        { NULL, 0, NULL, 0 },
	};
	int option;

	s->ready = 64;
	s->size_bytes = 64;
	s->turns = 2000;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		if (!take(s, option))
			return false;
	if (optind != argc || (s->hoard != 0) + (s->pool_count != 0) + (s->idle != 0) > 1)
		return false;
	if ((s->hoard || s->pool_count) && (s->check || s->json))
		return false;
	if (s->hoard)
		add_hoarders(s);
	else if (!s->pool_count)
		add_all(s);
	return true;
}
