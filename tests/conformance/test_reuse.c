/* SPDX-License-Identifier: MIT */
/*
 * Sockets opened and closed in a row, each with an op the kernel is just about to
 * finish: no completion reaches who has the slot or the descriptor next.
 */
#define _GNU_SOURCE
#include "support.h"

/*
 * Descriptors are used again at once. Handles are too, oldest first, where the library
 * has no assertions: this file is a program once more with the installed one.
 */
static unsigned cycles(void)
{
	return (unsigned)env_number("SOQ_TEST_CYCLES", 100000);
}

struct life {
	struct soq_socket *s;
	struct probe *p;
	struct soq_endpoint at;
	char in[8];
};

static void live(struct fixture *t, struct life *l, unsigned i)
{
	static const int families[] = { AF_INET, AF_UNIX };

	l->s = bound_socket(t, families[i / 2 % 2], SOCK_DGRAM, &l->at);
	memset(l->in, 0, sizeof(l->in));
	if (i % 2)
		started(l->p, soq_poll_async(l->s, &l->p->op, SOQ_POLL_RECV, 0));
	else
		started(l->p, soq_recv_async(l->s, &l->p->op, l->in, sizeof(l->in), 0));
}

static void stale_completions_reach_nobody(struct fixture *t)
{
	struct life lives[2] = { { .p = probe(t) }, { .p = probe(t) } };
	struct soq_endpoint from;
	struct soq_socket *sender = bound_socket(t, AF_INET, SOCK_DGRAM, &from);
	struct soq_socket *local = bound_socket(t, AF_UNIX, SOCK_DGRAM, &from);
	unsigned all = cycles();

	live(t, &lives[0], 0);
	for (unsigned i = 1; i <= all; i++) {
		struct life *old = &lives[(i - 1) % 2], *now = &lives[i % 2];
		struct soq_socket *by = old->at.addr.any.sa_family == AF_UNIX ? local : sender;

		if (i % 3)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		/* Its answer is on the way when it is closed. */
		if (i % 5 < 2)
			expect(soq_send_to(by, "old", 3, 0, &old->at), 3);
		expect(soq_close(old->s), 0);
		live(t, now, i);
		await(t, old->p);
		expect_true(old->p->result == -ECANCELED || i % 5 < 2);
		expect(now->p->finals, now->p->starts - 1);
		/* The memory is the library's until then. */
		if (old->p->result < 0)
			expect(old->in[0], 0);
	}
	expect(soq_close(lives[all % 2].s), 0);
	await(t, lives[all % 2].p);
	expect_end(lives[all % 2].p, -ECANCELED, 0);
	expect(soq_close(sender), 0);
	expect(soq_close(local), 0);
}

static const struct conf_case cases[] = {
	CASE(stale_completions_reach_nobody, "1b 15a"),
};

CONF_GROUP(reuse, cases)
