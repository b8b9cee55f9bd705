/* SPDX-License-Identifier: MIT */
/* Datagrams that stand in line in a send lane: they leave together, each with its own end. */
#define _GNU_SOURCE
#include "support.h"

#define SENDS 100u

static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

static void in_one_turn(struct fixture *t, struct datagrams *d, int to)
{
	struct probe *p[SENDS];
	unsigned char bytes[SENDS], in[8];
	uint64_t turns = stats_of(t).turns;
	unsigned count = d->at_b.addr.any.sa_family == AF_UNIX ? 8 : SENDS;

	for (unsigned i = 0; i < count; i++) {
		p[i] = probe(t);
		bytes[i] = (unsigned char)i;
		started(p[i], to ? soq_send_to_async(d->a, &p[i]->op, &bytes[i], 1, 0, &d->at_b)
				 : soq_send_async(d->a, &p[i]->op, &bytes[i], 1, 0));
	}
	await(t, p[count - 1]);
	/* Not one each. */
	expect_true(stats_of(t).turns - turns <= 4);
	for (unsigned i = 0; i < count; i++) {
		expect_end(p[i], 1, 0);
		if (i > 0)
			expect(p[i]->sequence, p[i - 1]->sequence + 1);
		expect(soq_recv(d->b, in, sizeof(in), 0), 1);
		expect(in[0], i);
	}
}

static void sends_in_line_leave_in_one_turn(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);

		in_one_turn(t, &d, 1);
		datagrams_close(&d);
		d = datagrams_connected(t, families[i]);
		in_one_turn(t, &d, 0);
		datagrams_close(&d);
	}
}

/* A broadcast that was not asked for is refused, and those around it are sent. */
static void one_that_fails_fails_alone(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct soq_endpoint everybody;
	struct probe *p[5];
	char in[8];

	expect(soq_endpoint_parse("255.255.255.255:9", &everybody), 0);
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		p[i] = probe(t);
		started(p[i], soq_send_to_async(d.a, &p[i]->op, &"01234"[i], 1, 0,
						i == 2 ? &everybody : &d.at_b));
	}
	await(t, p[4]);
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		expect_end(p[i], i == 2 ? -EACCES : 1, 0);
		if (i == 2)
			continue;
		expect(soq_recv(d.b, in, sizeof(in), 0), 1);
		expect(in[0], "01234"[i]);
	}
	datagrams_close(&d);
}

/*
 * What the first has met is told once: to the second, and to nobody else, whether or not
 * a connect stands behind them.
 */
static void refusal(struct fixture *t, int connects)
{
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
	struct soq_endpoint ep;
	struct probe *p[3], *again_connected = probe(t);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(ep.addr);

	/* A port nobody has any more. */
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(bind(fd, &ep.addr.any, ep.size_bytes), 0);
	expect(getsockname(fd, &ep.addr.any, &size), 0);
	expect(soq_connect(s, &ep), 0);
	close(fd);
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		p[i] = probe(t);
		started(p[i], soq_send_async(s, &p[i]->op, "x", 1, 0));
	}
	if (connects) {
		started(again_connected, soq_connect_async(s, &again_connected->op, &ep));
		await(t, again_connected);
	}
	await(t, p[2]);
	expect_end(p[0], 1, 0);
	expect_end(p[1], -ECONNREFUSED, 0);
	expect_end(p[2], 1, 0);
	expect(soq_close(s), 0);
}

static void refusal_is_told_to_the_next(struct fixture *t)
{
	refusal(t, 0);
	refusal(t, 1);
}

/* However many there are, others have their turn. */
static void one_turn_has_its_limit(struct fixture *t)
{
	enum { MANY = 6000 };
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct soq_op *ops = calloc(MANY, sizeof(*ops));
	struct soq_event event;
	unsigned count = 0;

	for (unsigned i = 0; i < MANY; i++)
		expect(soq_send_to_async(d.a, &ops[i], "x", 1, 0, &d.at_b), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
	expect_true(stats_of(t).events_waiting < MANY / 2);
	while (count < MANY) {
		expect(soq_loop_harvest(t->loop, &event, 1, watchdog_ns()), 1);
		expect(event.result, 1);
		count++;
	}
	free(ops);
	datagrams_close(&d);
}

/* One in line that is cancelled before its turn leaves a gap nobody notices. */
static void cancelled_one_is_not_sent(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET6);
	struct probe *p[4];
	char in[8];

	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		p[i] = probe(t);
		started(p[i], soq_send_to_async(d.a, &p[i]->op, &"0123"[i], 1, 0, &d.at_b));
	}
	expect(soq_cancel(&p[1]->op), 0);
	await(t, p[3]);
	expect_end(p[1], -ECANCELED, 0);
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		if (i == 1)
			continue;
		expect_end(p[i], 1, 0);
		expect(soq_recv(d.b, in, sizeof(in), 0), 1);
		expect(in[0], "0123"[i]);
	}
	datagrams_close(&d);
}

static const struct conf_case cases[] = {
	CASE(sends_in_line_leave_in_one_turn, "9e"), CASE(one_that_fails_fails_alone, "9e"),
	CASE(refusal_is_told_to_the_next, ""),       CASE(one_turn_has_its_limit, ""),
	CASE(cancelled_one_is_not_sent, "10a"),
};

CONF_GROUP(datagram_line, cases)
