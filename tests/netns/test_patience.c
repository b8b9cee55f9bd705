/* SPDX-License-Identifier: MIT */
/* A peer that falls silent while it is connected: the kernel's own clocks find it out. */
#define _GNU_SOURCE
#include "hosts.h"

#define SECOND (1000 * MS)

static void set(struct soq_socket *s, enum soq_option option, int64_t value)
{
	expect(soq_socket_set_option(s, option, value), 0);
}

/* Connections that wait to hear from host 1, which says nothing any more; one for each way. */
struct silence {
	struct hosts h;
	struct soq_socket *a[2], *b[2];
	unsigned count;
	int64_t begin_ns;
};

static void silence_open(struct fixture *t, struct silence *x)
{
	*x = (struct silence){ .count = host_ways(t) };
	hosts_open(&x->h, 2);
	for (unsigned i = 0; i < x->count; i++)
		host_pair(t, &x->h, 1, i ? "[fd00:0::2]:0" : "10.0.0.2:0", &x->a[i], &x->b[i]);
}

static void silence_begin(struct silence *x)
{
	host_rule(&x->h, 1, "meta l4proto tcp drop");
	x->begin_ns = now_ns();
}

/* Each is told, after `least_ns`, on both lanes and again, and is of no use any more. */
static void silence_expect(struct fixture *t, struct silence *x, int64_t least_ns)
{
	struct probe *p = NULL;
	char in[2][16];

	if (x->count == 2) {
		p = probe_quiet(t);
		started(p, soq_recv_async(x->a[1], &p->op, in[1], sizeof(in[1]), 0));
	}
	expect(soq_recv(x->a[0], in[0], sizeof(in[0]), 0), -ETIMEDOUT);
	if (p != NULL)
		expect(wait_end(p), -ETIMEDOUT);
	expect_true(now_ns() - x->begin_ns >= least_ns);
	/* It was the kernel: the call's own timeout leaves the connection as it is. */
	for (unsigned i = 0; i < x->count; i++) {
		expect(soq_send(x->a[i], "x", 1, 0), -ETIMEDOUT);
		expect(soq_recv(x->a[i], in[i], sizeof(in[i]), SOQ_NOWAIT), -ETIMEDOUT);
		expect(soq_close(x->a[i]), 0);
		expect(soq_close(x->b[i]), 0);
	}
	hosts_close(&x->h);
}

/* Asked after one second, given up a second later. */
static void keep_alive_finds_a_silent_peer(struct fixture *t)
{
	struct silence x;

	silence_open(t, &x);
	silence_begin(&x);
	for (unsigned i = 0; i < x.count; i++) {
		set(x.a[i], SOQ_OPTION_KEEP_ALIVE_TIME_NS, SECOND);
		set(x.a[i], SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS, SECOND);
		set(x.a[i], SOQ_OPTION_KEEP_ALIVE_COUNT, 1);
		set(x.a[i], SOQ_OPTION_KEEP_ALIVE, 1);
	}
	silence_expect(t, &x, SECOND);
}

/* What was sent is not acknowledged: minutes without the option. */
static void user_timeout_gives_up_what_was_sent(struct fixture *t)
{
	struct silence x;

	silence_open(t, &x);
	silence_begin(&x);
	for (unsigned i = 0; i < x.count; i++) {
		set(x.a[i], SOQ_OPTION_USER_TIMEOUT_NS, 100 * MS);
		expect(soq_send(x.a[i], "lost", 4, 0), 4);
	}
	silence_expect(t, &x, 100 * MS);
}

static const struct conf_case cases[] = {
	SYNC_CASE(keep_alive_finds_a_silent_peer, "7d"),
	SYNC_CASE(user_timeout_gives_up_what_was_sent, "7d"),
};

CONF_GROUP(patience, cases)
