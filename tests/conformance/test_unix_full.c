/* SPDX-License-Identifier: MIT */
/* Unix datagrams whose receiver is full: connected to it, or by its address. */
#define _GNU_SOURCE
#include "support.h"

#define SENDS_MAX 600 /* net.unix.max_dgram_qlen may be that many, less a few */

/* `a` has sent numbered datagrams to `b` until one waits, and then three more. */
struct full {
	struct datagrams d;
	int addressed;
	struct probe *p[SENDS_MAX];
	unsigned numbers[SENDS_MAX];
	unsigned count;
	unsigned waits; /* the first that waits */
};

static struct probe *send_next(struct fixture *t, struct full *f)
{
	unsigned n = f->count++;
	struct probe *p = f->p[n] = probe(t);

	expect_true(n < SENDS_MAX);
	f->numbers[n] = n;
	if (f->addressed)
		started(p, soq_send_to_async(f->d.a, &p->op, &f->numbers[n], 4, 0, &f->d.at_b));
	else
		started(p, soq_send_async(f->d.a, &p->op, &f->numbers[n], 4, 0));
	return p;
}

static struct full *full_open(struct fixture *t, int addressed)
{
	struct full *f = calloc(1, sizeof(*f));
	struct probe *p;

	f->d = datagrams_bound(t, AF_UNIX);
	f->addressed = addressed;
	if (!addressed)
		expect(soq_connect(f->d.a, &f->d.at_b), 0);
	do {
		p = send_next(t, f);
		settle(t);
	} while (finished(p));
	f->waits = f->count - 1;
	for (unsigned i = 0; i < 3; i++)
		send_next(t, f);
	settle(t);
	expect(f->p[f->waits]->events, 0);
	return f;
}

static void full_close(struct full *f)
{
	datagrams_close(&f->d);
	free(f);
}

static void take(struct full *f, unsigned number)
{
	unsigned got = 0;

	expect(soq_recv(f->d.b, &got, sizeof(got), 0), 4);
	expect(got, number);
}

static void send_waits_until_the_receiver_has_room(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed);
		uint64_t turns = stats_of(t).turns;

		expect(soq_sleep(t->loop, 20 * MS), 0);
		/* It waits; it does not spin. */
		expect_true(stats_of(t).turns - turns < 60);
		expect(f->p[f->waits]->events, 0);
		for (unsigned n = 0; n < f->count; n++)
			take(f, n);
		await(t, f->p[f->count - 1]);
		for (unsigned n = 0; n < f->count; n++) {
			expect_end(f->p[n], 4, 0);
			expect_true(n == 0 || f->p[n]->sequence > f->p[n - 1]->sequence);
		}
		full_close(f);
	}
}

static void canceled_send_lets_those_behind_go_on(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed);
		unsigned w = f->waits;

		expect(soq_cancel(&f->p[w]->op), 0);
		expect(soq_cancel(&f->p[w + 2]->op), 0);
		run_until(t, finished(f->p[w]) && finished(f->p[w + 2]));
		expect_end(f->p[w], -ECANCELED, 0);
		expect_end(f->p[w + 2], -ECANCELED, 0);
		for (unsigned n = 0; n < w; n++)
			take(f, n);
		take(f, w + 1);
		take(f, w + 3);
		await(t, f->p[w + 3]);
		expect_end(f->p[w + 1], 4, 0);
		expect_end(f->p[w + 3], 4, 0);
		full_close(f);
	}
}

static void send_that_waits_ends_at_its_deadline(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed);
		struct probe *p = probe(t);
		unsigned got = 77;

		p->op.deadline_ns = now_ns() + 5 * MS;
		started(p, soq_send_to_async(f->d.a, &p->op, &got, 4, 0, &f->d.at_b));
		await(t, p);
		expect_end(p, -ETIMEDOUT, 0);
		expect(soq_socket_set_timeouts(f->d.a, FOREVER, 5 * MS), 0);
		expect(soq_send_to(f->d.a, &got, 4, 0, &f->d.at_b), -ETIMEDOUT);
		for (unsigned n = 0; n < f->count; n++)
			take(f, n);
		await(t, f->p[f->count - 1]);
		full_close(f);
	}
}

static void receives_go_on_while_a_send_waits(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed);
		struct probe *p = probe(t);
		char in[8];

		started(p, soq_recv_async(f->d.a, &p->op, in, 8, 0));
		expect(soq_send_to(f->d.b, "hello", 5, 0, &f->d.at_a), 5);
		await(t, p);
		expect_end(p, 5, 0);
		expect(f->p[f->waits]->events, 0);
		expect(soq_abort(f->d.a), 0);
		await(t, f->p[f->count - 1]);
		expect_end(f->p[f->waits], -ECANCELED, 0);
		expect(soq_close(f->d.b), 0);
		free(f);
	}
}

static void receiver_that_goes_ends_the_wait(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed);

		expect(soq_close(f->d.b), 0);
		await(t, f->p[f->count - 1]);
		expect_true(f->p[f->waits]->result < 0);
		expect_true(f->p[f->waits]->result != -ECANCELED);
		expect(soq_close(f->d.a), 0);
		free(f);
	}
}

static void finish_waits_with_the_send(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed);
		struct probe *ended = probe(t);

		started(ended, soq_finish_async(f->d.a, &ended->op, FOREVER));
		settle(t);
		expect(ended->events, 0);
		for (unsigned n = 0; n < f->count; n++)
			take(f, n);
		await(t, ended);
		expect_end(ended, 0, 0);
		expect_end(f->p[f->count - 1], 4, 0);
		expect(soq_close(f->d.b), 0);
		free(f);

		f = full_open(t, addressed);
		expect(soq_finish(f->d.a, 5 * MS), -ETIMEDOUT);
		await(t, f->p[f->count - 1]);
		expect_end(f->p[f->waits], -ECANCELED, 0);
		expect_end(f->p[f->count - 1], -ECANCELED, 0);
		expect(soq_close(f->d.b), 0);
		free(f);
	}
}

/* The connect waits behind sends: it takes along what is behind it, not what is before. */
static void connect_that_is_cut_fails_only_what_is_behind_it(struct fixture *t)
{
	for (int canceled = 0; canceled < 2; canceled++) {
		struct full *f = full_open(t, 0);
		struct soq_endpoint at_c;
		struct soq_socket *c = bound_socket(t, AF_UNIX, SOCK_DGRAM, &at_c);
		struct probe *connected = probe(t), *behind = probe(t);
		int cause = canceled ? -ECANCELED : -ETIMEDOUT;

		if (!canceled)
			connected->op.deadline_ns = now_ns() + 5 * MS;
		started(connected, soq_connect_async(f->d.a, &connected->op, &at_c));
		started(behind, soq_send_async(f->d.a, &behind->op, "x", 1, 0));
		settle(t);
		if (canceled)
			expect(soq_cancel(&connected->op), 0);
		run_until(t, finished(connected) && finished(behind));
		expect_end(connected, cause, 0);
		expect_end(behind, cause, 0);
		expect(f->p[f->count - 1]->events, 0);
		for (unsigned n = 0; n < f->count; n++)
			take(f, n);
		await(t, f->p[f->count - 1]);
		expect_end(f->p[f->waits], 4, 0);
		send_next(t, f);
		take(f, f->count - 1);
		await(t, f->p[f->count - 1]);
		expect(soq_close(c), 0);
		full_close(f);
	}
}

static void quiet_socket_is_released_though_it_has_waited(struct fixture *t)
{
	struct full *f = full_open(t, 1), *other = full_open(t, 1);
	int fd;

	for (unsigned n = f->waits; n < f->count; n++)
		expect(soq_cancel(&f->p[n]->op), 0);
	fd = soq_socket_release(f->d.a);
	expect_true(fd >= 0);
	for (unsigned n = 0; n < other->count; n++)
		take(other, n);
	await(t, other->p[other->count - 1]);
	await(t, f->p[f->count - 1]);
	expect_end(f->p[f->waits], -ECANCELED, 0);
	close(fd);
	expect(soq_close(f->d.b), 0);
	free(f);
	full_close(other);
}

static const struct conf_case cases[] = {
	CASE(send_waits_until_the_receiver_has_room, "9e 5c"),
	CASE(canceled_send_lets_those_behind_go_on, "10a 9e"),
	CASE(send_that_waits_ends_at_its_deadline, "6b 20a"),
	CASE(receives_go_on_while_a_send_waits, "13a"),
	CASE(receiver_that_goes_ends_the_wait, "1b"),
	CASE(finish_waits_with_the_send, "13f"),
	CASE(connect_that_is_cut_fails_only_what_is_behind_it, "11b 9e"),
	CASE(quiet_socket_is_released_though_it_has_waited, "1b"),
};

CONF_GROUP(unix_full, cases)
