/* SPDX-License-Identifier: MIT */
/* The share: how many bufs of a socket are on loan, and what waits meanwhile, for whom. */
#define _GNU_SOURCE
#include "pool_work.h"

/* Enough bytes that every buf of the pool could be filled. */
static struct soq_socket *flooded(struct fixture *t, struct probe *p, struct soq_pool *pool,
				  uint32_t flags, int *fd)
{
	struct soq_socket *s = pair_raw(t, AF_INET, fd);

	started(p, soq_recv_buf_async(s, &p->op, pool, flags));
	settle(t);
	raw_fill(*fd, 8, 0, 16 * 512);
	return s;
}

static void turns(struct fixture *t, unsigned count)
{
	while (count-- > 0)
		settle(t);
}

static void share_is_exact_for(struct fixture *t, uint32_t share)
{
	struct soq_pool *pool = pool_of(t, 8, 512, share);
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_probe(t, &k), *behind = probe(t);
	uint64_t offset = 0;
	int fd;
	struct soq_socket *s = flooded(t, p, pool, SOQ_MULTISHOT, &fd);

	run_until(t, k.count == share);
	/* Another look at the lane changes nothing. */
	started(behind, soq_recv_buf_async(s, &behind->op, pool, 0));
	turns(t, 4);
	expect(soq_cancel(&behind->op), 0);
	await(t, behind);
	expect(k.count, share);
	expect(pool_info(pool).bufs_lent, share);
	/* What is not asked for stays with the kernel. */
	if (!t->is_uring)
		expect(pool_info(pool).bufs_waiting, 0);
	/* One comes home, one goes out, until there is nothing more. */
	for (unsigned i = share; offset < 16 * 512; i++) {
		offset += keeper_return(&k, 8, offset);
		if (offset + share * 512 > 16 * 512)
			continue;
		run_until(t, k.count == i + 1);
		turns(t, 1);
		expect(k.count, i + 1);
	}
	expect(offset, 16 * 512);
	expect(p->finals, 0);
	expect(soq_close(s), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	pool_close(pool);
	close(fd);
}

static void share_of_one_is_exact(struct fixture *t)
{
	share_is_exact_for(t, 1);
}

static void share_of_two_is_exact(struct fixture *t)
{
	share_is_exact_for(t, 2);
}

static void share_of_five_is_exact(struct fixture *t)
{
	share_is_exact_for(t, 5);
}

static void share_counts_single_receives_too(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 2);
	struct keeper k = { .count = 0 };
	struct probe *p[4];
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	raw_fill(fd, 8, 0, 4 * 512);
	for (unsigned i = 0; i < 4; i++) {
		p[i] = keeper_probe(t, &k);
		started(p[i], soq_recv_buf_async(s, &p[i]->op, pool, 0));
	}
	run_until(t, k.count == 2);
	turns(t, 4);
	expect(k.count, 2);
	for (unsigned i = 0; i < 4; i++) {
		keeper_return(&k, 8, i * 512);
		run_until(t, k.count == (i < 2 ? i + 3 : 4));
	}
	expect(pool_info(pool).lends, 4);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

static void bufs_are_returned_in_any_order(struct fixture *t)
{
	static const unsigned order[] = { 3, 0, 4, 1, 2 };
	struct soq_pool *pool = pool_of(t, 8, 512, 5);
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_probe(t, &k);
	int fd;
	struct soq_socket *s = flooded(t, p, pool, SOQ_MULTISHOT, &fd);

	for (unsigned round = 0; round < 3; round++) {
		run_until(t, k.count == 5 * round + 5);
		for (unsigned i = 0; i < 5; i++)
			expect_true(is_filled(k.bufs[5 * round + i]->data, 512, 8,
					      (5 * round + i) * 512));
		for (unsigned i = 0; i < 5; i++)
			expect(soq_buf_return(k.bufs[5 * round + order[i]]), 0);
	}
	run_until(t, k.count == 16);
	k.returned = 15;
	keeper_return(&k, 8, 15 * 512);
	expect(soq_close(s), 0);
	await(t, p);
	pool_close(pool);
	close(fd);
}

/* The final event comes last, whatever made it and how many bufs wait before it. */
enum ending { END, CANCEL, DEADLINE };

static void final_comes_last(struct fixture *t, enum ending ending, int quiet)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 2);
	struct keeper k = { .count = 0 };
	struct probe *p = quiet ? keeper_quiet(t, &k) : keeper_probe(t, &k);
	struct soq_event event;
	uint64_t offset = 0;
	int fd;
	struct soq_socket *s = flooded(t, p, pool, SOQ_MULTISHOT, &fd);

	if (quiet) {
		expect(wait_end(p), 512);
		expect(wait_end(p), 512);
		expect(soq_wait(&p->op, 0, &event), -ETIME);
	}
	run_until(t, k.count == 2);
	turns(t, 2);
	expect(p->finals, 0);
	if (ending == END)
		raw_fin(fd);
	if (ending == CANCEL)
		expect(soq_cancel(&p->op), 0);
	if (ending == DEADLINE) {
		/* Of a quiet op any wait moves it; of one with done() its next event. */
		p->op.deadline_ns = 1;
		if (!quiet) {
			offset += keeper_return(&k, 8, offset);
			run_until(t, k.count == 3);
		}
	}
	turns(t, 2);
	/* One that is cut short waits for no return: who waits for its end need not give any. */
	if (ending == CANCEL && quiet) {
		while (!finished(p))
			wait_end(p);
	} else if (ending == CANCEL) {
		await(t, p);
	}
	turns(t, 2);
	while (!finished(p)) {
		if (k.returned < k.count)
			offset += keeper_return(&k, 8, offset);
		if (quiet)
			wait_end(p);
		else
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, watchdog_ns()) >= 0);
	}
	expect_end(p, ending == END ? 0 : ending == CANCEL ? -ECANCELED : -ETIMEDOUT, 0);
	expect(p->events, k.count + 1);
	while (k.returned < k.count)
		offset += keeper_return(&k, 8, offset);
	if (ending == END)
		expect(offset, 16 * 512);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

static void end_comes_after_what_waits(struct fixture *t)
{
	final_comes_last(t, END, 0);
	final_comes_last(t, END, 1);
}

static void cancel_comes_after_what_waits(struct fixture *t)
{
	final_comes_last(t, CANCEL, 0);
	final_comes_last(t, CANCEL, 1);
}

static void deadline_comes_after_what_waits(struct fixture *t)
{
	final_comes_last(t, DEADLINE, 0);
}

/* What came for a multishot is delivered before what was received after it. */
static void receive_behind(struct fixture *t, enum ending ending)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 2);
	struct keeper k = { .count = 0 };
	struct probe *armed = keeper_quiet(t, &k), *plain = probe_quiet(t);
	struct soq_event events[32];
	uint64_t offset = 0;
	char in[512];
	int fd, count;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	/* As much as the kernel brings in one go, and the end. */
	raw_fill(fd, 8, 0, 5 * 512);
	if (ending == END)
		raw_fin(fd);
	started(armed, soq_recv_buf_async(s, &armed->op, pool, SOQ_MULTISHOT));
	run_until(t, pool_info(pool).bufs_waiting >= 2);
	turns(t, 2);
	if (ending == CANCEL) {
		expect(soq_cancel(&armed->op), 0);
		raw_fill(fd, 8, 5 * 512, 512);
	}
	started(plain, soq_recv_async(s, &plain->op, in, sizeof(in), SOQ_EXACT));
	turns(t, 4);
	while (!finished(armed) || !finished(plain)) {
		count = soq_loop_harvest(t->loop, events, COUNT_OF(events), watchdog_ns());
		expect_true(count > 0);
		for (int i = 0; i < count; i++) {
			record(&events[i]);
			if (events[i].op == &plain->op)
				expect_true(finished(armed));
		}
		while (k.returned < k.count)
			offset += keeper_return(&k, 8, offset);
		turns(t, 1);
	}
	expect_end(armed, ending == END ? 0 : -ECANCELED, 0);
	expect_end(plain, ending == END ? 0 : 512, 0);
	if (ending == END)
		expect(offset, 5 * 512);
	else
		expect_true(is_filled(in, 512, 8, offset));
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

static void receive_behind_a_cancelled_multishot_keeps_the_order(struct fixture *t)
{
	receive_behind(t, CANCEL);
}

static void receive_behind_an_ended_multishot_keeps_the_order(struct fixture *t)
{
	receive_behind(t, END);
}

/* A buf of one op is returned where another is told. */
static struct soq_buf *to_return;
static int returned_there;

static void return_it(struct probe *p, const struct soq_event *event)
{
	(void)p;
	(void)event;
	returned_there = soq_buf_return(to_return);
}

static void return_in_the_done_of_another_op_resumes(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 1);
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_probe(t, &k), *other = probe(t);
	int fd;
	struct soq_socket *s = flooded(t, p, pool, SOQ_MULTISHOT, &fd);

	other->then = return_it;
	for (unsigned i = 0; i < 16; i++) {
		run_until(t, k.count == i + 1);
		expect_true(is_filled(k.bufs[i]->data, 512, 8, i * 512));
		to_return = k.bufs[i];
		returned_there = 1;
		started(other, soq_loop_post(t->loop, &other->op));
		await(t, other);
		expect(returned_there, 0);
	}
	expect(soq_close(s), 0);
	await(t, p);
	pool_close(pool);
	close(fd);
}

static void consumers_get_the_same(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 4);
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_quiet(t, &k);
	struct soq_op *ops[1] = { &p->op };
	struct soq_event event, events[3];
	int fd;
	struct soq_socket *s = flooded(t, p, pool, SOQ_MULTISHOT, &fd);

	expect(soq_wait(&p->op, watchdog_ns(), &event), 0);
	expect(event.flags, SOQ_F_MORE);
	record(&event);
	expect(soq_wait_any(ops, 1, watchdog_ns(), &event), 0);
	expect(event.flags, SOQ_F_MORE);
	record(&event);
	for (int count = 0; count < 2;) {
		int got = soq_loop_harvest(t->loop, events, 1, watchdog_ns());

		expect(got, 1);
		record(&events[0]);
		count += got;
	}
	expect(k.count, 4);
	expect(soq_wait(&p->op, 0, &event), -ETIME);
	expect(soq_wait_any(ops, 1, 0, &event), -ETIME);
	expect(soq_loop_harvest(t->loop, events, 3, 0), 0);
	for (unsigned i = 0; i < 4; i++)
		keeper_return(&k, 8, i * 512);
	expect(soq_wait(&p->op, watchdog_ns(), &event), 0);
	record(&event);
	expect(keeper_return(&k, 8, 4 * 512), 512);
	expect(soq_cancel(&p->op), 0);
	while (!finished(p)) {
		wait_end(p);
		keeper_return_rest(&k);
	}
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

/* Events that wait for a return are not delivered yet, so the loop is not idle. */
static void loop_is_not_idle_while_events_are_held_back(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 2);
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_probe(t, &k);
	int fd, rc;
	struct soq_socket *s = flooded(t, p, pool, SOQ_MULTISHOT, &fd);

	run_until(t, k.count == 2);
	turns(t, 2);
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, 0), -ETIME);
	raw_fin(fd);
	turns(t, 2);
	rc = soq_loop_run(t->loop, SOQ_RUN_IDLE, 0);
	if (finished(p))
		expect_true(rc >= 0);
	else
		expect(rc, -ETIME);
	while (!finished(p)) {
		keeper_return_rest(&k);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, watchdog_ns()) >= 0);
	}
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect_end(p, 0, 0);
	expect(k.count, 16);
	keeper_return_rest(&k);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

/* What nobody's done() is told does not keep a loop from being idle, held back or not. */
static void quiet_events_held_back_leave_the_loop_idle(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 2);
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_quiet(t, &k);
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	raw_fill(fd, 8, 0, 4 * 512);
	raw_fin(fd);
	started(p, soq_recv_buf_async(s, &p->op, pool, SOQ_MULTISHOT));
	expect(wait_end(p), 512);
	expect(wait_end(p), 512);
	turns(t, 2);
	/* Where the kernel has brought the rest, the op has ended. */
	if (pool_info(pool).receivers)
		expect(soq_cancel(&p->op), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	while (!finished(p)) {
		keeper_return_rest(&k);
		wait_end(p);
	}
	keeper_return_rest(&k);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

/* Only the socket that holds its share waits. */
static void slow_reader_slows_nobody_else(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 2);
	struct keeper k = { .count = 0 };
	struct probe *slow = keeper_probe(t, &k), *in;
	struct stream x = { .pool = pool, .flags = SOQ_MULTISHOT, .key = 5 };
	int fd, fd2;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	started(slow, soq_recv_buf_async(s, &slow->op, pool, SOQ_MULTISHOT));
	for (unsigned i = 1; i <= 2; i++) {
		raw_fill(fd, 8, 0, 512);
		run_until(t, k.count == i);
	}
	turns(t, 1);
	raw_fill(fd, 8, 0, 16 * 512);
	turns(t, 1);
	x.s = pair_raw(t, AF_INET, &fd2);
	in = stream_start(t, &x);
	for (unsigned i = 0; i < 50; i++) {
		raw_fill(fd2, 5, i * 2000, 2000);
		run_until(t, x.offset == (i + 1) * 2000);
	}
	expect(x.wrong, 0);
	expect(k.count, 2);
	expect(soq_close(s), 0);
	expect(soq_close(x.s), 0);
	run_until(t, finished(slow) && finished(in));
	keeper_return_rest(&k);
	pool_close(pool);
	close(fd);
	close(fd2);
}

static const struct conf_case cases[] = {
	CASE(share_of_one_is_exact, "2h"),
	CASE(share_of_two_is_exact, "2h"),
	CASE(share_of_five_is_exact, "2h"),
	CASE(share_counts_single_receives_too, "2h"),
	CASE(bufs_are_returned_in_any_order, "2h"),
	CASE(end_comes_after_what_waits, "2c 2i"),
	CASE(cancel_comes_after_what_waits, "2c 2i 14a"),
	CASE(deadline_comes_after_what_waits, "2c 2i 6b"),
	CASE(receive_behind_a_cancelled_multishot_keeps_the_order, "2i 9b 14a"),
	CASE(receive_behind_an_ended_multishot_keeps_the_order, "2i 9b"),
	CASE(return_in_the_done_of_another_op_resumes, "2h"),
	CASE(consumers_get_the_same, "2b 3a 3b 3c"),
	CASE(loop_is_not_idle_while_events_are_held_back, "2c 2i"),
	CASE(quiet_events_held_back_leave_the_loop_idle, "2b"),
	CASE(slow_reader_slows_nobody_else, "2h"),
};

CONF_GROUP(pool_share, cases)
