/* SPDX-License-Identifier: MIT */
/* An empty pool: who meets it waits its turn, and everybody gets one. */
#define _GNU_SOURCE
#include "pool_work.h"

#define WAITERS 6

/* Two sockets hold the two bufs of the pool; the others wait, in the order they came. */
struct queue {
	struct soq_pool *pool;
	struct keeper held;
	struct keeper k[WAITERS];
	struct probe *p[WAITERS];
	struct soq_socket *s[WAITERS + 2];
	int fd[WAITERS + 2];
};

static void queue_open(struct fixture *t, struct queue *q, uint32_t flags)
{
	*q = (struct queue){ .pool = pool_of(t, 2, 512, 1) };
	for (unsigned i = 0; i < WAITERS + 2; i++) {
		q->s[i] = pair_raw(t, AF_INET, &q->fd[i]);
		raw_fill(q->fd[i], i, 0, 512);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct probe *p = keeper_probe(t, &q->held);

		started(p, soq_recv_buf_async(q->s[WAITERS + i], &p->op, q->pool, 0));
		run_until(t, q->held.count == i + 1);
	}
	for (unsigned i = 0; i < WAITERS; i++) {
		q->p[i] = keeper_probe(t, &q->k[i]);
		started(q->p[i], soq_recv_buf_async(q->s[i], &q->p[i]->op, q->pool, flags));
		settle(t);
		expect(pool_info(q->pool).parked, i + 1);
	}
	expect(pool_info(q->pool).bufs_free, 0);
	expect(pool_info(q->pool).parks, WAITERS);
}

static void queue_close(struct fixture *t, struct queue *q)
{
	for (unsigned i = 0; i < WAITERS + 2; i++) {
		if (q->s[i])
			expect(soq_close(q->s[i]), 0);
		close(q->fd[i]);
	}
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	for (unsigned i = 0; i < WAITERS; i++)
		keeper_return_rest(&q->k[i]);
	keeper_return_rest(&q->held);
	pool_close(q->pool);
}

static void waiting_sockets_go_on_in_order(struct fixture *t, uint32_t flags)
{
	struct queue q;

	queue_open(t, &q, flags);
	keeper_return_rest(&q.held);
	for (unsigned i = 0; i < WAITERS; i++) {
		run_until(t, q.k[i].count == 1);
		for (unsigned k = i + 2; k < WAITERS; k++)
			expect(q.k[k].count, 0);
		if (i == 0)
			run_until(t, q.k[1].count == 1);
		expect(keeper_return(&q.k[i], i, 0), 512);
	}
	/* One that found the ring emptied by another is let go on once more. */
	expect_true(pool_info(q.pool).rearms >= WAITERS);
	expect_true(pool_info(q.pool).rearms <= (t->is_uring ? 2 * WAITERS : WAITERS));
	queue_close(t, &q);
}

static void single_receives_go_on_in_order(struct fixture *t)
{
	waiting_sockets_go_on_in_order(t, 0);
}

static void multishots_go_on_in_order(struct fixture *t)
{
	waiting_sockets_go_on_in_order(t, SOQ_MULTISHOT);
}

static void cancelled_and_closed_ones_leave_the_queue(struct fixture *t)
{
	struct queue q;

	queue_open(t, &q, 0);
	expect(soq_cancel(&q.p[0]->op), 0);
	expect(soq_close(q.s[2]), 0);
	q.s[2] = NULL;
	expect(soq_cancel(&q.p[5]->op), 0);
	expect(pool_info(q.pool).parked, 3);
	keeper_return_rest(&q.held);
	run_until(t, q.k[1].count + q.k[3].count == 2);
	keeper_return(&q.k[1], 1, 0);
	run_until(t, q.k[4].count == 1);
	expect(pool_info(q.pool).parked, 0);
	expect_end(q.p[0], -ECANCELED, 0);
	expect_end(q.p[2], -ECANCELED, 0);
	expect_end(q.p[5], -ECANCELED, 0);
	queue_close(t, &q);
}

/* What is queued behind the one that waits keeps its place, and needs no pool. */
static void receives_behind_a_waiting_one_follow_it(struct fixture *t)
{
	struct probe *plain = probe(t), *other = probe(t);
	struct queue q;
	char in[512], rest[512];

	queue_open(t, &q, 0);
	started(plain, soq_recv_async(q.s[0], &plain->op, in, sizeof(in), SOQ_EXACT));
	started(other, soq_recv_async(q.s[1], &other->op, rest, sizeof(rest), SOQ_EXACT));
	settle(t);
	expect(plain->events, 0);
	expect(soq_recv(q.s[0], rest, sizeof(rest), 0), -EBUSY);
	expect(soq_cancel(&q.p[0]->op), 0);
	await(t, plain);
	expect_end(plain, 512, 0);
	expect_true(is_filled(in, 512, 0, 0));
	expect(other->events, 0);

	raw_fill(q.fd[1], 1, 512, 512);
	keeper_return_rest(&q.held);
	await(t, other);
	expect_end(q.p[1], 512, 0);
	expect_end(other, 512, 0);
	expect_true(is_filled(rest, 512, 1, 512));
	queue_close(t, &q);
}

/* A host that looks itself, and a program that never waits, get their bufs as well. */
static void turns_that_do_not_wait_let_them_go_on(struct fixture *t)
{
	struct queue q;

	queue_open(t, &q, 0);
	expect(soq_close(q.s[WAITERS]), 0);
	expect(soq_close(q.s[WAITERS + 1]), 0);
	q.s[WAITERS] = q.s[WAITERS + 1] = NULL;
	settle(t);
	settle(t);
	expect(soq_loop_deadline(t->loop), INT64_MAX);
	keeper_return_rest(&q.held);
	expect(soq_loop_deadline(t->loop), 0);
	for (unsigned i = 0; i < 8; i++)
		settle(t);
	expect(q.k[0].count, 1);
	expect(q.k[1].count, 1);
	expect(q.k[2].count, 0);
	queue_close(t, &q);
}

static void post_again(struct probe *p, const struct soq_event *event)
{
	const int *stop = p->arg;

	(void)event;
	if (!*stop)
		again(p, soq_loop_post(p->t->loop, &p->op));
}

/* Something else keeps the loop busy for ever: they may not wait for it to stop. */
static void busy_loop_lets_them_go_on(struct fixture *t)
{
	struct probe *busy = probe(t);
	struct queue q;
	int stop = 0;

	queue_open(t, &q, 0);
	busy->then = post_again;
	busy->arg = &stop;
	started(busy, soq_loop_post(t->loop, &busy->op));
	keeper_return_rest(&q.held);
	for (unsigned i = 0; i < WAITERS; i++) {
		unsigned turn = 0;

		for (; q.k[i].count == 0 && turn < 200; turn++)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		expect(q.k[i].count, 1);
		keeper_return(&q.k[i], i, 0);
	}
	stop = 1;
	await(t, busy);
	queue_close(t, &q);
}

/* Those let go on before it find nothing to read: it must not wait for them. */
static void who_has_bytes_goes_on_behind_those_who_have_none(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 2, 512, 1);
	struct keeper held = { .count = 0 }, k = { .count = 0 };
	struct probe *p[12];
	struct soq_socket *s[12];
	int fd[12];

	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		s[i] = pair_raw(t, AF_INET, &fd[i]);
		p[i] = keeper_probe(t, i < 2 ? &held : &k);
		if (i < 2)
			raw_fill(fd[i], i, 0, 512);
		started(p[i], soq_recv_buf_async(s[i], &p[i]->op, pool, 0));
		if (i < 2)
			run_until(t, held.count == i + 1);
	}
	settle(t);
	expect(pool_info(pool).parked, COUNT_OF(p) - 2);
	raw_fill(fd[11], 11, 0, 512);
	keeper_return_rest(&held);
	run_until(t, k.count == 1);
	expect_end(p[11], 512, 0);
	keeper_return_rest(&k);
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		expect(soq_close(s[i]), 0);
		close(fd[i]);
	}
	for (unsigned i = 0; i < COUNT_OF(p); i++)
		await(t, p[i]);
	pool_close(pool);
}

#define CONNECTIONS 64
#define EACH_BYTES  (24 * 512)

/*
 * 64 connections on 32 bufs, and one never returns any. All others are served, and
 * under load, in turns that never are idle, at most one receiver is let go on for
 * eight bufs that came home.
 */
static void one_that_never_returns_holds_up_nobody(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 32, 512, 0);
	static struct stream x[CONNECTIONS];
	struct probe *p[CONNECTIONS], *busy = probe(t);
	struct keeper k = { .count = 0 };
	struct soq_pool_info info;
	unsigned served = 0, quiet;
	uint64_t turns;
	int fd[CONNECTIONS], stop = 0;

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		x[i] = (struct stream){ .pool = pool, .flags = SOQ_MULTISHOT, .key = i };
		x[i].s = pair_raw(t, AF_INET, &fd[i]);
	}
	p[0] = keeper_probe(t, &k);
	started(p[0], soq_recv_buf_async(x[0].s, &p[0]->op, pool, SOQ_MULTISHOT));
	for (unsigned i = 1; i <= 4; i++) {
		raw_fill(fd[0], 0, 0, 512);
		run_until(t, k.count == i);
	}
	for (unsigned i = 1; i < CONNECTIONS; i++)
		p[i] = stream_start(t, &x[i]);
	settle(t);
	busy->then = post_again;
	busy->arg = &stop;
	started(busy, soq_loop_post(t->loop, &busy->op));
	for (unsigned i = 0; i < CONNECTIONS; i++)
		raw_fill(fd[i], i, 0, EACH_BYTES);
	turns = stats_of(t).turns;
	info = pool_info(pool);
	quiet = 0;
	for (unsigned turn = 0; served < CONNECTIONS - 1 && turn < 20000; turn++) {
		uint64_t returns = pool_info(pool).returns;

		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		quiet += pool_info(pool).returns == returns;
		served = 0;
		for (unsigned i = 1; i < CONNECTIONS; i++)
			served += x[i].offset == EACH_BYTES;
	}
	expect(served, CONNECTIONS - 1);
	turns = stats_of(t).turns - turns;
	for (unsigned i = 1; i < CONNECTIONS; i++)
		expect(x[i].wrong, 0);
	expect(k.count, 4);
	/* A turn in which none comes home counts like one that does. */
	expect_true(pool_info(pool).rearms - info.rearms <=
		    (pool_info(pool).returns - info.returns + quiet) / 8 + 1);
	/* No livelock: far fewer turns than bufs times sockets. */
	expect_true(turns < 63 * 24 * 4);
	stop = 1;
	await(t, busy);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		expect(soq_close(x[i].s), 0);
		close(fd[i]);
	}
	for (unsigned i = 0; i < CONNECTIONS; i++)
		await(t, p[i]);
	keeper_return_rest(&k);
	pool_close(pool);
}

/* What finds nothing to read has taken nothing, and lets nobody go on for it. */
static void failing_tries_are_no_returns(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 8);
	struct keeper k = { .count = 0 };
	struct probe *p[33], *busy = probe(t);
	struct soq_pool_info before;
	struct soq_socket *s[33];
	int fd[33], stop = 0;

	for (unsigned i = 0; i < 33; i++) {
		p[i] = keeper_probe(t, &k);
		s[i] = pair_raw(t, AF_INET, &fd[i]);
	}
	started(p[0], soq_recv_buf_async(s[0], &p[0]->op, pool, SOQ_MULTISHOT));
	raw_fill(fd[0], 1, 0, 8 * 512);
	run_until(t, k.count == 8);
	for (unsigned i = 1; i < 9; i++)
		started(p[i], soq_recv_buf_async(s[i], &p[i]->op, pool, 0));
	settle(t);
	expect(pool_info(pool).parked, 8);
	busy->then = post_again;
	busy->arg = &stop;
	started(busy, soq_loop_post(t->loop, &busy->op));
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 1);
	before = pool_info(pool);
	keeper_return(&k, 1, 0);
	for (unsigned i = 9; i < 33; i++)
		started(p[i], soq_recv_buf_async(s[i], &p[i]->op, pool, 0));
	for (unsigned i = 0; i < 4; i++)
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
	/* For one return and some turns, not for 24 tries. */
	expect_true(pool_info(pool).rearms - before.rearms <= 2);
	expect_true(pool_info(pool).parked >= 6);
	stop = 1;
	await(t, busy);
	for (unsigned i = 0; i < 33; i++) {
		expect(soq_close(s[i]), 0);
		close(fd[i]);
	}
	for (unsigned i = 0; i < 33; i++)
		await(t, p[i]);
	keeper_return_rest(&k);
	pool_close(pool);
}

static const struct conf_case cases[] = {
	CASE(single_receives_go_on_in_order, "5f"),
	CASE(multishots_go_on_in_order, "5f"),
	CASE(cancelled_and_closed_ones_leave_the_queue, "6a 10a"),
	CASE(receives_behind_a_waiting_one_follow_it, "9b 10a"),
	CASE(turns_that_do_not_wait_let_them_go_on, "5f"),
	CASE(busy_loop_lets_them_go_on, "5f"),
	CASE(one_that_never_returns_holds_up_nobody, "5f"),
	CASE(who_has_bytes_goes_on_behind_those_who_have_none, "5f"),
	CASE(failing_tries_are_no_returns, "5f"),
};

CONF_GROUP(pool_empty, cases)
