/* SPDX-License-Identifier: MIT */
/* Pools without soq_loop_run(): who waits or harvests, and who makes synchronous calls. */
#define _GNU_SOURCE
#include "pool_work.h"

/* An event with a done() that nobody runs is no reason to let a receiver wait. */
static void wait_lets_a_parked_receiver_go_on(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 1, 1024, 1);
	struct probe *first = probe_quiet(t), *parked = probe_quiet(t), *undelivered = probe(t);
	struct soq_socket *a, *b;
	int fd_a, fd_b;

	a = pair_raw(t, AF_INET, &fd_a);
	b = pair_raw(t, AF_INET, &fd_b);
	started(first, soq_recv_buf_async(a, &first->op, pool, 0));
	raw_send(fd_a, "x", 1);
	expect(wait_end(first), 1);
	started(parked, soq_recv_buf_async(b, &parked->op, pool, 0));
	raw_send(fd_b, "y", 1);
	started(undelivered, soq_sleep_async(t->loop, &undelivered->op, 0));
	expect(soq_wait(&parked->op, MS, &(struct soq_event){ 0 }), -ETIME);
	expect(soq_buf_return(first->buf), 0);
	expect(wait_end(parked), 1);
	expect(soq_buf_return(parked->buf), 0);
	await(t, undelivered);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	pool_close(pool);
	close(fd_a);
	close(fd_b);
}

/* What the ring has not is there for those who find the ring empty. */
static void harvest_uses_what_is_kept_back(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 4, 1024, 4);
	struct keeper k = { .count = 0 };
	struct probe *hoards = keeper_probe(t, &k), *other = probe_quiet(t);
	struct soq_socket *a, *b;
	struct soq_event event;
	int fd_a, fd_b;

	a = pair_raw(t, AF_INET, &fd_a);
	b = pair_raw(t, AF_INET, &fd_b);
	started(hoards, soq_recv_buf_async(a, &hoards->op, pool, SOQ_MULTISHOT));
	started(other, soq_recv_buf_async(b, &other->op, pool, 0));
	expect(soq_loop_harvest(t->loop, &event, 1, 0), 0);
	for (unsigned i = 1; i <= 3; i++) {
		raw_send(fd_a, "x", 1);
		while (pool_info(pool).bufs_waiting < i)
			expect(soq_loop_harvest(t->loop, &event, 1, MS), 0);
	}
	raw_send(fd_b, "y", 1);
	expect(soq_loop_harvest(t->loop, &event, 1, watchdog_ns()), 1);
	record(&event);
	expect_end(other, 1, 0);
	expect(soq_buf_return(other->buf), 0);
	run_until(t, k.count == 3);
	while (k.returned < k.count)
		expect(soq_buf_return(k.bufs[k.returned++]), 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	await(t, hoards);
	pool_close(pool);
	close(fd_a);
	close(fd_b);
}

/* More receives before it than the share: its turn would never come while it waits. */
static void sync_receive_behind_more_than_the_share_is_busy(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 1024, 1);
	struct keeper k = { .count = 0 };
	struct probe *one = keeper_probe(t, &k), *two = keeper_probe(t, &k);
	char in[8];
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	started(one, soq_recv_buf_async(s, &one->op, pool, 0));
	started(two, soq_recv_buf_async(s, &two->op, pool, 0));
	raw_send(fd, "x", 1);
	expect(soq_recv(s, in, sizeof(in), 0), -EBUSY);
	await(t, one);
	expect(soq_buf_return(k.bufs[0]), 0);
	raw_send(fd, "y", 1);
	await(t, two);
	expect(soq_buf_return(k.bufs[1]), 0);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

/*
 * Another socket takes the last buf inside the call, which only its caller can return. Or
 * the kernel serves the two the other way round (6.1 does): then there are bytes for it.
 */
static void sync_receive_whose_turn_does_not_come_is_busy(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 1, 512, 1);
	struct keeper k = { .count = 0 }, m = { .count = 0 };
	struct probe *other = keeper_probe(t, &k), *before = keeper_probe(t, &m);
	struct soq_socket *a, *b;
	char in[8];
	int64_t result;
	int fd_a, fd_b;

	a = pair_raw(t, AF_INET, &fd_a);
	b = pair_raw(t, AF_INET, &fd_b);
	started(other, soq_recv_buf_async(b, &other->op, pool, 0));
	settle(t);
	started(before, soq_recv_buf_async(a, &before->op, pool, 0));
	raw_send(fd_b, "x", 1);
	raw_fill(fd_a, 1, 0, 516);
	result = soq_recv(a, in, sizeof(in), 0);
	expect(result, result > 0 ? 4 : -EBUSY);
	run_until(t, k.count + m.count == 1);
	expect(k.count, result > 0 ? 0 : 1);
	expect(soq_buf_return(k.count ? k.bufs[0] : m.bufs[0]), 0);
	run_until(t, finished(other) && finished(before));
	expect(soq_buf_return(result > 0 ? k.bufs[0] : m.bufs[0]), 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	pool_close(pool);
	close(fd_a);
	close(fd_b);
}

static const struct conf_case cases[] = {
	CASE(wait_lets_a_parked_receiver_go_on, "5f"),
	CASE(harvest_uses_what_is_kept_back, "5f"),
	CASE(sync_receive_behind_more_than_the_share_is_busy, "12a"),
	CASE(sync_receive_whose_turn_does_not_come_is_busy, "12a"),
};

CONF_GROUP(pool_hand, cases)
