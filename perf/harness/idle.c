/* SPDX-License-Identifier: MIT */
/* Pairs of bouts: one contender without idle connections, and with them. */
#include "idle.h"

#include "check.h"
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Without, and with. */
struct pair {
	struct bout bouts[2];
};

static int open_pair(struct pair *p, const struct contender *c, const struct settings *s,
		     const struct holder *holder)
{
	struct bout_size size = { .ready = s->ready,
				  .holder = holder,
				  .size_bytes = s->size_bytes,
				  .turns_max = s->turns };
	int ret = bout_open(&p->bouts[0], c, &size);

	size.idle = s->idle;
	return ret < 0 ? ret : bout_open(&p->bouts[1], c, &size);
}

/* In alternating blocks, forth and back. */
static int run_pair(struct pair *p, size_t turns)
{
	int ret = bout_run(&p->bouts[0], BOUT_WARM_UP_TURNS, false);

	if (ret == 0)
		ret = bout_run(&p->bouts[1], BOUT_WARM_UP_TURNS, false);
	for (unsigned i = 0; ret == 0 && turns > 0; i++) {
		size_t block = turns < BOUT_BLOCK_TURNS ? turns : BOUT_BLOCK_TURNS;

		ret = bout_run(&p->bouts[i % 2], block, true);
		if (ret == 0)
			ret = bout_run(&p->bouts[1 - i % 2], block, true);
		turns -= block;
	}
	return ret;
}

static uint64_t count_before(const struct ledger *before, size_t size_bytes)
{
	for (int i = 0; i < before->size_count; i++) {
		if (before->sizes[i].size_bytes == size_bytes)
			return before->sizes[i].count;
	}
	return 0;
}

/* What the library holds more than before there was any connection. */
static void note_memory(struct report_idle *row, const struct bout *b)
{
	const struct ledger *now = b->contender->ledger(b->state);
	struct soq_pool_info info = b->contender->pool_info(b->state);

	row->bufs_in_use = (uint64_t)info.bufs_lent + info.bufs_waiting;
	row->connections = (uint64_t)b->size.ready + b->size.idle;
	row->bytes = now->bytes - b->before.bytes;
	row->bytes_each = (double)row->bytes / (double)row->connections;
	for (int i = 0; i < now->size_count; i++) {
		size_t size_bytes = now->sizes[i].size_bytes;
		int64_t grown =
			(int64_t)(now->sizes[i].count - count_before(&b->before, size_bytes));

		if (grown == 0)
			continue;
		row->sizes[row->size_count].size_bytes = size_bytes;
		row->sizes[row->size_count++].count = grown;
	}
}

static void note(struct report_idle *row, struct pair *p)
{
	struct bout *without = &p->bouts[0], *with = &p->bouts[1];

	row->whole = bout_ratio(with, without, BOUT_WHOLE, 50);
	row->whole_low = bout_ratio(with, without, BOUT_WHOLE, 25);
	row->whole_high = bout_ratio(with, without, BOUT_WHOLE, 75);
	row->server = bout_ratio(with, without, BOUT_SERVER, 50);
	row->beside = report_row_of(p->bouts, 2, 1);
	if (with->contender->ledger)
		note_memory(row, with);
}

static bool judge(const struct pair *p, const struct settings *s)
{
	bool ok = true;

	for (int i = 0; i < 2; i++) {
		ok = check_bytes(&p->bouts[i]) && ok;
		if (s->check)
			ok = check_counters(&p->bouts[i]) && ok;
	}
	return ok;
}

/* False after saying what was wrong. */
static bool close_pair(struct pair *p, const char *name, const struct holder *holder)
{
	int heard = holder_drop(holder);
	bool ok = true;

	if (heard != 0) {
		fprintf(stderr, "FAILED: %s: %d idle connections were not left alone\n", name,
			heard);
		ok = false;
	}
	for (int i = 0; i < 2; i++) {
		if (bout_close(&p->bouts[i]) < 0) {
			fprintf(stderr, "FAILED: %s does not end\n", name);
			ok = false;
		}
	}
	return ok;
}

/* What cannot be had here, or was not opened whole; all else has to be there. */
static bool give_up(struct pair *p, const struct report_idle *row, const struct holder *holder)
{
	fprintf(stderr, "soq-harness: %s: %s\n", row->contender->name, strerror(-row->error));
	(void)holder_drop(holder);
	for (int i = 0; i < 2; i++) {
		if (p->bouts[i].contender)
			(void)bout_close(&p->bouts[i]);
	}
	return row->contender->is_uring;
}

static bool run_contender(struct report_idle *row, const struct settings *s,
			  const struct holder *holder)
{
	struct pair p;
	bool ok = true;
	int ret;

	memset(&p, 0, sizeof(p));
	row->error = open_pair(&p, row->contender, s, holder);
	if (row->error < 0)
		return give_up(&p, row, holder);
	ret = run_pair(&p, s->turns);
	if (ret < 0) {
		fprintf(stderr, "FAILED: %s: %s\n", row->contender->name, strerror(-ret));
		row->error = ret;
		ok = false;
	} else {
		note(row, &p);
		ok = judge(&p, s);
	}
	return close_pair(&p, row->contender->name, holder) && ok;
}

/* The near ends, and both ends of the ready ones of two bouts; few beside them. */
static bool has_room(const struct settings *s)
{
	rlim_t needed = (rlim_t)s->idle + (rlim_t)4 * s->ready + 64;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
		return true;
	fprintf(stderr, "soq-harness: it needs %llu descriptors and may have %llu\n",
		(unsigned long long)needed, (unsigned long long)limit.rlim_cur);
	return false;
}

bool idle_run(const struct settings *s)
{
	static struct report_idle rows[CONTENDERS_MAX];
	struct holder holder;
	bool ok = true;
	int ret;

	if (!has_room(s))
		return false;
	ret = holder_start(&holder);
	if (ret < 0) {
		fprintf(stderr, "soq-harness: %s\n", strerror(-ret));
		return false;
	}
	for (int i = 0; i < s->contender_count; i++) {
		rows[i].contender = &s->contenders[i];
		ok = run_contender(&rows[i], s, &holder) && ok;
	}
	holder_stop(&holder);
	if (s->json)
		report_json_idle(rows, s->contender_count, s);
	else
		report_print_idle(rows, s->contender_count, s);
	return ok;
}
