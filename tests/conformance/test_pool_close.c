/* SPDX-License-Identifier: MIT */
/*
 * Cut short in every situation: each op ends once, bufs nobody was lent go home, those
 * on loan stay the caller's, and the peer learns whether bytes of its were dropped.
 */
#define _GNU_SOURCE
#include "pool_work.h"

enum situation { ARMED, UNDELIVERED, HELD, LENT, PARKED, SITUATIONS };
enum way { CANCEL, CLOSE, CLOSE_ASYNC, ABORT, FINISH, CLOSE_ALL };

struct scene {
	struct soq_pool *pool;
	struct soq_socket *s, *holder;
	struct probe *p, *closing;
	struct keeper k, held;
	int fd, holder_fd;
	uint64_t sent;
};

static void settle_more(struct fixture *t)
{
	for (int i = 0; i < 4; i++)
		settle(t);
}

/* Another socket has every buf there is. */
static void empty_the_pool(struct fixture *t, struct scene *x)
{
	x->holder = pair_raw(t, AF_INET, &x->holder_fd);
	raw_fill(x->holder_fd, 2, 0, 2 * 512);
	for (unsigned i = 0; i < 2; i++) {
		struct probe *p = keeper_probe(t, &x->held);

		started(p, soq_recv_buf_async(x->holder, &p->op, x->pool, 0));
	}
	run_until(t, x->held.count == 2);
}

static void arrange(struct fixture *t, struct scene *x, enum situation situation, uint32_t flags)
{
	*x = (struct scene){ .fd = -1 };
	x->pool = pool_of(t, situation == PARKED ? 2 : 8, 512, 2);
	x->closing = probe(t);
	x->p = keeper_quiet(t, &x->k);
	if (situation == PARKED)
		empty_the_pool(t, x);
	x->s = pair_raw(t, AF_INET, &x->fd);
	started(x->p, soq_recv_buf_async(x->s, &x->p->op, x->pool, flags));
	settle(t);
	if (situation == UNDELIVERED || situation == LENT)
		x->sent = flags ? 2 * 512 : 512;
	if (situation == HELD)
		x->sent = 8 * 512;
	if (x->sent)
		raw_fill(x->fd, 1, 0, x->sent);
	if (situation == UNDELIVERED)
		run_until(t, pool_info(x->pool).bufs_waiting == x->sent / 512);
	if (situation == LENT || situation == HELD) {
		do
			expect(wait_end(x->p), 512);
		while (flags && x->k.count < 2);
	}
	settle_more(t);
	expect(pool_info(x->pool).parked, situation == PARKED);
}

static void act(struct fixture *t, struct scene *x, enum way way)
{
	int in_flight = pool_info(x->pool).receivers > 0;

	switch (way) {
	case CANCEL:
		/* A single one has ended when its buf is there. */
		expect(soq_cancel(&x->p->op), in_flight ? 0 : -ENOENT);
		break;
	case CLOSE:
		expect(soq_close(x->s), 0);
		break;
	case CLOSE_ASYNC:
		started(x->closing, soq_close_async(x->s, &x->closing->op));
		break;
	case ABORT:
		expect(soq_abort(x->s), 0);
		break;
	case FINISH:
		started(x->closing, soq_finish_async(x->s, &x->closing->op, watchdog_ns()));
		break;
	default:
		expect(soq_loop_close_all(t->loop), 0);
		break;
	}
}

/* What came before a cancel is delivered before the end; what came before a close is not. */
static void expect_events(struct scene *x, enum situation situation, enum way way, uint32_t flags)
{
	unsigned had = x->k.count, before = x->p->events;

	/* A single receive that was told already. */
	if (finished(x->p)) {
		expect_true(!flags && (situation == LENT || situation == HELD));
		return;
	}
	while (way == CANCEL && !finished(x->p)) {
		if (situation == HELD)
			keeper_return_rest(&x->k);
		wait_end(x->p);
	}
	if (way == CANCEL) {
		if (situation == UNDELIVERED)
			expect(x->k.count, x->sent / 512);
		/* A single one has ended with its buf. */
		expect_end(x->p, !flags && situation == UNDELIVERED ? 512 : -ECANCELED, 0);
		return;
	}
	expect(wait_end(x->p), -ECANCELED);
	expect_end(x->p, -ECANCELED, 0);
	assert_null(x->p->buf);
	expect(x->k.count, had);
	expect(x->p->events, before + 1);
}

static void expect_peer(struct fixture *t, struct scene *x, enum situation situation, enum way way)
{
	char in[8];
	int dropped = situation == UNDELIVERED || situation == HELD;

	if (way == CANCEL)
		return;
	if (way == FINISH) {
		expect(raw_recv(t, x->fd, in, sizeof(in)), 0);
		raw_fin(x->fd);
		await(t, x->closing);
		expect_end(x->closing, 0, 0);
		return;
	}
	if (way == CLOSE_ASYNC) {
		await(t, x->closing);
		expect_end(x->closing, 0, 0);
	}
	expect(raw_recv(t, x->fd, in, sizeof(in)),
	       dropped || way == ABORT || way == CLOSE_ALL ? -ECONNRESET : 0);
}

static void finish_scene(struct fixture *t, struct scene *x, enum way way)
{
	/* What is on loan outlives the socket. */
	for (unsigned i = x->k.returned; i < x->k.count; i++)
		expect_true(is_filled(x->k.bufs[i]->data, 512, 1, i * 512));
	keeper_return_rest(&x->k);
	keeper_return_rest(&x->held);
	if (way == CANCEL)
		expect(soq_close(x->s), 0);
	if (x->holder && way != CLOSE_ALL)
		expect(soq_close(x->holder), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	pool_close(x->pool);
	close(x->fd);
	if (x->holder)
		close(x->holder_fd);
}

static void play(struct fixture *t, enum situation situation, enum way way, uint32_t flags)
{
	struct scene x;
	struct soq_pool_info before, after;

	arrange(t, &x, situation, flags);
	before = pool_info(x.pool);
	if (before.bufs_lent + before.bufs_waiting + before.receivers)
		expect(soq_pool_destroy(x.pool), -EBUSY);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	act(t, &x, way);
	after = pool_info(x.pool);
	expect(after.bufs_lent, before.bufs_lent);
	expect(after.bufs_waiting, way == CANCEL ? before.bufs_waiting : 0);
	expect(after.parked, 0);
	expect_events(&x, situation, way, flags);
	expect_peer(t, &x, situation, way);
	finish_scene(t, &x, way);
}

static void play_all(struct fixture *t, enum way way)
{
	for (int situation = ARMED; situation < SITUATIONS; situation++) {
		play(t, (enum situation)situation, way, 0);
		play(t, (enum situation)situation, way, SOQ_MULTISHOT);
	}
}

static void cancel_delivers_what_came_and_ends_once(struct fixture *t)
{
	play_all(t, CANCEL);
}

static void close_sends_home_what_nobody_was_lent(struct fixture *t)
{
	play_all(t, CLOSE);
}

static void close_async_sends_home_what_nobody_was_lent(struct fixture *t)
{
	play_all(t, CLOSE_ASYNC);
}

static void abort_sends_home_what_nobody_was_lent(struct fixture *t)
{
	play_all(t, ABORT);
}

static void finish_sends_home_what_nobody_was_lent(struct fixture *t)
{
	play_all(t, FINISH);
}

static void close_all_sends_home_what_nobody_was_lent(struct fixture *t)
{
	play_all(t, CLOSE_ALL);
}

/* A message, whose single receive waits in another way than a stream's. */
static void close_ends_a_receive_of_messages(struct fixture *t)
{
	for (unsigned i = 0; i < 8; i++) {
		struct datagrams d = datagrams_bound(t, i & 4 ? AF_UNIX : AF_INET);
		struct soq_pool *pool = pool_open(t, 0);
		struct probe *p = probe_quiet(t);
		char big[20000] = "";

		started(p, soq_recv_buf_async(d.b, &p->op, pool, i & 1 ? SOQ_MULTISHOT : 0));
		settle(t);
		if (i & 2) {
			expect(soq_send_to(d.a, big, sizeof(big), 0, &d.at_b), sizeof(big));
			run_until(t, pool_info(pool).bufs_waiting == 1);
		}
		expect(soq_close(d.b), 0);
		expect(pool_info(pool).bufs_waiting, 0);
		/* The message that was cut is not told, and neither is that it was. */
		wait_end(p);
		expect_end(p, -ECANCELED, 0);
		assert_null(p->buf);
		expect(soq_close(d.a), 0);
		pool_close(pool);
	}
}

static void deadline_ends_a_receive_that_waits(struct fixture *t)
{
	struct scene x;

	for (unsigned i = 0; i < 4; i++) {
		struct probe *p = probe(t);

		arrange(t, &x, i & 1 ? PARKED : ARMED, i & 2 ? SOQ_MULTISHOT : 0);
		expect(soq_cancel(&x.p->op), 0);
		wait_end(x.p);
		p->op.deadline_ns = now_ns() + MS;
		started(p, soq_recv_buf_async(x.s, &p->op, x.pool, i & 2 ? SOQ_MULTISHOT : 0));
		await(t, p);
		expect_end(p, -ETIMEDOUT, 0);
		expect(p->events, 1);
		expect(pool_info(x.pool).parked, 0);
		finish_scene(t, &x, CANCEL);
	}
}

/* A socket with bufs on loan may leave the loop; with undelivered ones it may not. */
static void socket_leaves_the_loop_with_its_loans_out(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 2);
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_quiet(t, &k);
	struct soq_socket *detached = NULL, *back = NULL;
	char in[4];
	int fd, got;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	for (unsigned i = 0; i < 3; i++) {
		started(p, soq_recv_buf_async(s, &p->op, pool, 0));
		expect(soq_socket_detach(s, &detached), -EBUSY);
		raw_fill(fd, 1, k.count * 512, 512);
		run_until(t, pool_info(pool).bufs_waiting == 1);
		expect(soq_socket_detach(s, &detached), -EBUSY);
		expect(soq_socket_release(s), -EBUSY);
		expect(wait_end(p), 512);
		if (i == 0) {
			expect(soq_socket_detach(s, &detached), 0);
			keeper_return(&k, 1, 0);
			expect(soq_socket_attach(t->loop, detached, &back), 0);
			s = back;
		}
	}
	got = soq_socket_release(s);
	expect_true(got >= 0);
	keeper_return(&k, 1, 512);
	keeper_return(&k, 1, 1024);
	raw_send(fd, "last", 4);
	expect(raw_recv_blocking(got, in, 4), 4);
	close(got);
	close(fd);
	pool_close(pool);
}

/* Returned after its socket is gone, also by the done() of the close. */
static struct soq_buf *kept;
static int kept_rc;

static void return_kept(struct probe *p, const struct soq_event *event)
{
	(void)p;
	(void)event;
	kept_rc = soq_buf_return(kept);
}

static void buf_is_returned_when_the_close_is_told(struct fixture *t)
{
	struct scene x;

	arrange(t, &x, LENT, SOQ_MULTISHOT);
	kept = x.k.bufs[x.k.returned++];
	kept_rc = 1;
	x.closing->then = return_kept;
	act(t, &x, CLOSE_ASYNC);
	await(t, x.closing);
	expect(kept_rc, 0);
	expect(wait_end(x.p), -ECANCELED);
	finish_scene(t, &x, CLOSE);
}

static const struct conf_case cases[] = {
	CASE(cancel_delivers_what_came_and_ends_once, "1b 6a 14a 15d"),
	CASE(close_sends_home_what_nobody_was_lent, "6a 13a 13c 13i 13k 15d"),
	CASE(close_async_sends_home_what_nobody_was_lent, "13a 13c 13e 13i 13k"),
	CASE(abort_sends_home_what_nobody_was_lent, "13g 13i 13k"),
	CASE(finish_sends_home_what_nobody_was_lent, "13f 13i 13k"),
	CASE(close_all_sends_home_what_nobody_was_lent, "13i 15b"),
	CASE(close_ends_a_receive_of_messages, "13i"),
	CASE(deadline_ends_a_receive_that_waits, "6b"),
	CASE(socket_leaves_the_loop_with_its_loans_out, "13i 13k"),
	CASE(buf_is_returned_when_the_close_is_told, "13k"),
};

CONF_GROUP(pool_close, cases)
