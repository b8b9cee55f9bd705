/* SPDX-License-Identifier: MIT */
/*
 * Sockets opened and closed in a row, each with an op the kernel is just about to
 * finish: no completion reaches who has the slot or the descriptor next.
 */
#define _GNU_SOURCE
#include "pool_work.h"

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

/* A buf of a socket that is closed says nothing to whoever has its slot now. */
static void late_return_credits_nobody(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 4, 512, 1);

	for (unsigned i = 0; i < 8; i++) {
		struct keeper old = { .count = 0 }, now = { .count = 0 };
		struct probe *p = keeper_probe(t, &old), *next = keeper_probe(t, &now);
		int fd, fd2;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);

		raw_fill(fd, 1, 0, 512);
		started(p, soq_recv_buf_async(s, &p->op, pool, 0));
		await(t, p);
		expect(soq_close(s), 0);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);

		s = pair_raw(t, AF_INET, &fd2);
		started(next, soq_recv_buf_async(s, &next->op, pool, SOQ_MULTISHOT));
		raw_fill(fd2, 2, 0, 2 * 512);
		run_until(t, now.count == 1);
		keeper_return(&old, 1, 0);
		settle(t);
		settle(t);
		expect(now.count, 1);
		keeper_return(&now, 2, 0);
		run_until(t, now.count == 2);
		keeper_return(&now, 2, 512);
		expect(soq_close(s), 0);
		await(t, next);
		close(fd);
		close(fd2);
	}
	pool_close(pool);
}

/*
 * A socket whose segments the library had to cut says nothing of the next in its slot: a
 * peer that lets the kernel put them together gets them as one again.
 */
static void next_socket_is_cut_by_the_kernel_again(struct fixture *t)
{
	static char bytes[3000];
	struct iovec one = { bytes, sizeof(bytes) };
	struct soq_endpoint at;
	struct soq_socket *peer = bound_socket(t, AF_INET, SOCK_DGRAM, &at);
	int64_t first[3];

	expect(soq_socket_set_message_info(peer, SOQ_INFO_SEGMENTS), 0);
	for (unsigned i = 0; i < COUNT_OF(first); i++) {
		struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
		struct soq_message m = { .size = sizeof(m),
					 .segments = &one,
					 .segment_count = 1,
					 .info = SOQ_INFO_SEGMENTS,
					 .segment_size_bytes = 1000,
					 .peer = at };
		struct probe *closed = probe(t);
		/* Without a checksum the kernel refuses to cut. */
		int no_check = i == 1;
		char in[4000];
		int64_t got;

		expect(soq_option_set(s, SOL_SOCKET, SO_NO_CHECK, &no_check, sizeof(no_check)), 0);
		expect(soq_send_msg(s, &m, 0), sizeof(bytes));
		first[i] = got = soq_recv(peer, in, sizeof(in), 0);
		while (got < (int64_t)sizeof(bytes))
			got += soq_recv(peer, in, sizeof(in), 0);
		started(closed, soq_close_async(s, &closed->op));
		await(t, closed);
	}
	expect(first[2], first[0]);
	expect(soq_close(peer), 0);
}

static const struct conf_case cases[] = {
	CASE(late_return_credits_nobody, "15a"),
	CASE(next_socket_is_cut_by_the_kernel_again, ""),
	CASE(stale_completions_reach_nobody, "1b 15a"),
};

CONF_GROUP(reuse, cases)
