/* SPDX-License-Identifier: MIT */
/* Probes and the running of loops under a watchdog. */
#define _GNU_SOURCE
#include "support.h"

#include <stdio.h>

/* So many turns mean that a loop spins. */
#define TURN_LIMIT 200000

void expect_at(int64_t got, int64_t want, const char *what, const char *file, int line)
{
	if (got == want)
		return;
	print_error("%s is %lld", what, (long long)got);
	if (got < 0 && got > -4096)
		print_error(" (%s)", strerror((int)-got));
	print_error(", not %lld", (long long)want);
	if (want < 0 && want > -4096)
		print_error(" (%s)", strerror((int)-want));
	print_error("\n");
	_fail(file, line);
}

void expect_true_at(int yes, const char *what, const char *file, int line)
{
	if (yes)
		return;
	print_error("not so: %s\n", what);
	_fail(file, line);
}

/* Records an event with its probe; calls nothing that could fail a test. */
void record(const struct soq_event *event)
{
	struct probe *p = (struct probe *)event->op;

	if (p->finals >= p->starts)
		p->stray++;
	p->events++;
	if (!(event->flags & SOQ_F_MORE))
		p->finals++;
	p->sequence = ++p->t->sequence;
	p->result = event->result;
	p->flags = event->flags;
	if (event->flags & SOQ_F_MORE) {
		p->more_result = event->result;
		p->more_flags = event->flags;
		p->more_sequence = p->sequence;
	}
	p->socket = event->socket;
	p->buf = event->buf;
	if (p->then)
		p->then(p, event);
}

struct probe *probe_quiet(struct fixture *t)
{
	struct probe *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->t = t;
	p->next = t->probes;
	t->probes = p;
	return p;
}

struct probe *probe(struct fixture *t)
{
	struct probe *p = probe_quiet(t);

	p->op.done = record;
	return p;
}

void started_at(struct probe *p, int rc, const char *what, const char *file, int line)
{
	expect_at(rc, 0, what, file, line);
	p->starts++;
}

void again(struct probe *p, int rc)
{
	if (rc == 0)
		p->starts++;
	else
		p->start_error = rc;
}

void expect_end_at(struct probe *p, int64_t result, uint32_t flags, const char *file, int line)
{
	expect_at(p->finals, p->starts, "final events", file, line);
	expect_at(p->stray, 0, "events out of place", file, line);
	expect_at(p->result, result, "result", file, line);
	expect_at(p->flags, flags, "flags", file, line);
}

int64_t wait_end_at(struct probe *p, const char *file, int line)
{
	struct soq_event event;

	expect_at(soq_wait(&p->op, watchdog_ns(), &event), 0, "soq_wait", file, line);
	record(&event);
	return event.result;
}

struct watch watch_start(void)
{
	return (struct watch){ .until_ns = now_ns() + watchdog_ns() };
}

void watch_turn(struct fixture *t, struct watch *w, const char *what, const char *file, int line)
{
	int64_t left = w->until_ns - now_ns();
	int rc = left > 0 ? soq_loop_run(t->loop, SOQ_RUN_ONCE, left) : 0;

	if (rc < 0)
		expect_at(rc, 0, "soq_loop_run", file, line);
	if (left > 0 && ++w->turns < TURN_LIMIT)
		return;
	print_error("%s after %u turns: never %s\n", left > 0 ? "spins" : "watchdog", w->turns,
		    what);
	_fail(file, line);
}

void settle(struct fixture *t)
{
	for (int i = 0; i < 4; i++)
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
}

static uint64_t mixed(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 29;
}

/* The word that holds stream byte 8 * `word`; a shifted or repeated piece differs. */
static uint64_t word_at(uint64_t key, uint64_t word)
{
	return mixed(word + 1 + mixed(key + UINT64_C(0x632be59bd9b4e019)));
}

static uint8_t byte_at(uint64_t key, uint64_t offset)
{
	return (uint8_t)(word_at(key, offset / 8) >> 8 * (offset % 8));
}

void fill(void *memory, size_t size, uint64_t key, uint64_t offset)
{
	uint8_t *bytes = memory;
	size_t i = 0;

	for (; i < size && (offset + i) % 8; i++)
		bytes[i] = byte_at(key, offset + i);
	for (; i + 8 <= size; i += 8) {
		uint64_t word = word_at(key, (offset + i) / 8);

		for (unsigned k = 0; k < 8; k++)
			bytes[i + k] = (uint8_t)(word >> 8 * k);
	}
	for (; i < size; i++)
		bytes[i] = byte_at(key, offset + i);
}

int is_filled(const void *memory, size_t size, uint64_t key, uint64_t offset)
{
	const uint8_t *bytes = memory;
	uint8_t wanted[4096];

	for (size_t i = 0; i < size; i += sizeof(wanted)) {
		size_t n = size - i < sizeof(wanted) ? size - i : sizeof(wanted);

		fill(wanted, n, key, offset + i);
		if (memcmp(bytes + i, wanted, n) != 0)
			return 0;
	}
	return 1;
}
