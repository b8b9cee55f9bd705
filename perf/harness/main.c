/* SPDX-License-Identifier: MIT */
/* soq-harness: soq and its raw twins in one thread, turn by turn, with exact counters. */
#include "../common/limits.h"
#include "check.h"
#include "idle.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Opens what can be had; returns how many, or -1 if what is no io_uring is not among them. */
static int open_all(struct bout *bouts, const struct settings *s)
{
	const struct bout_size size = { .ready = s->ready,
					.size_bytes = s->size_bytes,
					.turns_max = s->turns };
	int count = 0;

	for (int i = 0; i < s->contender_count; i++) {
		const struct contender *c = &s->contenders[i];
		int ret = bout_open(&bouts[count], c, &size);

		if (ret == 0) {
			count++;
			continue;
		}
		bout_close(&bouts[count]);
		fprintf(stderr, "soq-harness: %s: %s\n", c->name, strerror(-ret));
		if (!c->is_uring)
			return -1;
	}
	return count;
}

/* In blocks, one after another's: a machine whose speed drifts is the same for all. */
static int run_all(struct bout *bouts, int count, size_t turns)
{
	for (int i = 0; i < count; i++) {
		if (bout_run(&bouts[i], BOUT_WARM_UP_TURNS, false) < 0)
			return i;
	}
	while (turns) {
		size_t block = turns < BOUT_BLOCK_TURNS ? turns : BOUT_BLOCK_TURNS;

		for (int i = 0; i < count; i++) {
			if (bout_run(&bouts[i], block, true) < 0)
				return i;
		}
		turns -= block;
	}
	return -1;
}

static void print(struct bout *bouts, int count, const struct settings *s)
{
	if (s->hoard)
		report_print_hoards(bouts, count, s);
	else if (s->pool_count)
		report_print_pools(bouts, count, s);
	else if (s->json)
		report_json_all(bouts, count, s);
	else
		report_print_all(bouts, count, s);
}

static bool judge(const struct bout *bouts, int count, const struct settings *s)
{
	bool ok = true;

	for (int i = 0; i < count; i++) {
		ok = check_bytes(&bouts[i]) && ok;
		if (s->check)
			ok = check_counters(&bouts[i]) && ok;
	}
	return ok;
}

/* All contenders at once, in alternating blocks. */
static bool run_together(const struct settings *s)
{
	static struct bout bouts[CONTENDERS_MAX];
	int count = open_all(bouts, s), broken;
	bool ok = count >= 0;

	if (!ok)
		return false;
	broken = run_all(bouts, count, s->turns);
	if (broken >= 0) {
		fprintf(stderr, "FAILED: %s: an answer was lost\n", bouts[broken].contender->name);
		return false;
	}
	print(bouts, count, s);
	ok = judge(bouts, count, s);
	for (int i = 0; i < count; i++) {
		if (bout_close(&bouts[i]) < 0) {
			fprintf(stderr, "FAILED: %s does not end\n", bouts[i].contender->name);
			ok = false;
		}
	}
	return ok;
}

int main(int argc, char **argv)
{
	static struct settings s;
	bool ok;

	if (!settings_parse(argc, argv, &s)) {
		fprintf(stderr, "Try: soq-harness --help\n");
		return 2;
	}
	limits_raise_files();
	ok = s.idle ? idle_run(&s) : run_together(&s);
	if (ok && s.check && !s.json)
		printf("checked: enters, requests, completions, no allocation, every byte right\n");
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
