/* SPDX-License-Identifier: MIT */
/* Ops of helpers: begun and finished by hand, and made of inner ops. */
#include "support.h"

/* What a helper was asked. */
struct asked {
	unsigned times;
	int cause;
	int finishes;         /* with -ECANCELED, at once */
	struct soq_op *other; /* this too */
	struct soq_loop *loop;
};

static void on_cancel(struct soq_op *op, int cause, void *arg)
{
	struct asked *asked = arg;

	asked->times++;
	asked->cause = cause;
	if (asked->finishes)
		expect(soq_op_finish(op, -ECANCELED, 0, NULL), 0);
	if (asked->other != NULL)
		expect(soq_op_finish(asked->other, 7, 0, NULL), 0);
	asked->other = NULL;
}

static void finish_is_the_event(struct fixture *t)
{
	struct asked asked = { 0 };
	struct probe *p = probe(t), *q = probe_quiet(t);
	struct soq_event event;

	started(p, soq_op_begin(t->loop, &p->op, on_cancel, &asked));
	started(q, soq_op_begin(t->loop, &q->op, on_cancel, &asked));
	expect(soq_op_begin(t->loop, &p->op, on_cancel, &asked), -EBUSY);
	settle(t);
	expect(finished(p), 0);
	expect(soq_wait(&q->op, 0, &event), -ETIME);
	expect(soq_op_finish(&p->op, 3, SOQ_F_BROKEN, NULL), 0);
	expect(soq_op_finish(&p->op, 3, 0, NULL), -ENOENT);
	expect(finished(p), 0);
	await(t, p);
	expect_end(p, 3, SOQ_F_BROKEN);
	expect(soq_op_finish(&q->op, -EPROTO, 0, NULL), 0);
	expect(wait_end(q), -EPROTO);
	expect(soq_op_finish(&q->op, 0, 0, NULL), -ENOENT);
	expect(asked.times, 0);
	/* Again, and taken by hand. */
	started(q, soq_op_begin(t->loop, &q->op, on_cancel, &asked));
	expect(soq_op_finish(&q->op, 0, 0, NULL), 0);
	expect(soq_loop_harvest(t->loop, &event, 1, 0), 1);
	record(&event);
}

static void what_is_no_helper_of_it_cannot_finish_it(struct fixture *t)
{
	struct probe *p = probe(t), *sleep = probe(t);
	struct asked asked = { .finishes = 1 };
	struct soq_socket *detached;

	expect(soq_op_begin(t->loop, &p->op, NULL, NULL), -EINVAL);
	started(sleep, soq_sleep_async(t->loop, &sleep->op, 0));
	expect(soq_op_finish(&sleep->op, 0, 0, NULL), -EINVAL);
	await(t, sleep);
	started(p, soq_op_begin(t->loop, &p->op, on_cancel, &asked));
	expect(soq_op_finish(&p->op, 0, SOQ_F_MORE, NULL), -EINVAL);
	expect(soq_op_finish(&p->op, 0, 1u << 20, NULL), -EINVAL);
	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &detached), 0);
	expect(soq_op_finish(&p->op, 0, 0, detached), -EINVAL);
	expect(soq_close(detached), 0);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
}

static void cancel_asks_the_helper_once(struct fixture *t)
{
	struct asked asked = { 0 };
	struct probe *p = probe(t);

	started(p, soq_op_begin(t->loop, &p->op, on_cancel, &asked));
	expect(soq_cancel(&p->op), 0);
	expect(asked.times, 1);
	expect(asked.cause, -ECANCELED);
	expect(soq_cancel(&p->op), -EALREADY);
	settle(t);
	expect(finished(p), 0);
	/* What it has reached meanwhile stands. */
	expect(soq_op_finish(&p->op, 5, 0, NULL), 0);
	await(t, p);
	expect_end(p, 5, 0);
	expect(asked.times, 1);
}

static void deadline_asks_the_helper(struct fixture *t)
{
	struct asked asked = { .finishes = 1 };
	struct probe *p = probe(t), *q = probe_quiet(t);

	p->op.deadline_ns = now_ns() + 5 * MS;
	started(p, soq_op_begin(t->loop, &p->op, on_cancel, &asked));
	await(t, p);
	expect(asked.cause, -ETIMEDOUT);
	expect_end(p, -ETIMEDOUT, 0);
	q->op.deadline_ns = now_ns() + 5 * MS;
	started(q, soq_op_begin(t->loop, &q->op, on_cancel, &asked));
	expect(wait_end(q), -ETIMEDOUT);
	expect(asked.times, 2);
}

/* Its end takes longer than the time there was left, which is no reason to ask again. */
static void deadline_asks_none_that_was_cancelled(struct fixture *t)
{
	struct asked asked = { 0 };
	struct probe *p = probe(t);

	p->op.deadline_ns = now_ns() + 2 * MS;
	started(p, soq_op_begin(t->loop, &p->op, on_cancel, &asked));
	expect(soq_cancel(&p->op), 0);
	while (now_ns() <= p->op.deadline_ns + MS)
		settle(t);
	expect(asked.times, 1);
	expect(soq_op_finish(&p->op, -ECANCELED, 0, NULL), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
}

/* One of them finishes another, which needs not be asked then. */
static void closing_the_loop_asks_all_helpers(struct fixture *t)
{
	struct asked asked[4] = { { .finishes = 1 }, { .finishes = 1 }, { 0 }, { .finishes = 1 } };
	struct probe *p[4];

	for (unsigned i = 0; i < 4; i++) {
		p[i] = probe(t);
		started(p[i], soq_op_begin(t->loop, &p[i]->op, on_cancel, &asked[i]));
	}
	asked[1].other = &p[3]->op;
	expect(soq_loop_close_all(t->loop), 0);
	for (unsigned i = 0; i < 4; i++)
		expect(asked[i].times, i != 3);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	expect(soq_op_finish(&p[2]->op, -ECANCELED, 0, NULL), 0);
	for (unsigned i = 0; i < 4; i++) {
		await(t, p[i]);
		expect_end(p[i], i == 3 ? 7 : -ECANCELED, 0);
	}
}

/* A helper that reads `left` bytes, one at a time, and ends with their sum. */
struct adder {
	struct soq_op inner;
	struct soq_op *op;
	struct soq_socket *s;
	unsigned left;
	int64_t sum;
	unsigned char byte;
};

static void add_step(const struct soq_event *event)
{
	struct adder *a = event->op->user;

	if (event->result == 1) {
		a->sum += a->byte;
		if (--a->left > 0)
			event = NULL;
	}
	if (event == NULL)
		expect(soq_recv_async(a->s, &a->inner, &a->byte, 1, 0), 0);
	else
		expect(soq_op_finish(a->op, event->result < 0 ? event->result : a->sum, 0, NULL),
		       0);
}

static void add_cancel(struct soq_op *op, int cause, void *arg)
{
	struct adder *a = arg;

	expect(op == a->op && cause < 0, 1);
	expect(soq_cancel(&a->inner), 0);
}

static int add_async(struct adder *a, struct soq_op *op, struct fixture *t, struct soq_socket *s,
		     unsigned count)
{
	int error = soq_op_begin(t->loop, op, add_cancel, a);

	if (error != 0)
		return error;
	*a = (struct adder){ .inner.user = a, .op = op, .s = s, .left = count };
	expect(soq_op_inner(&a->inner, add_step), 0);
	return soq_recv_async(s, &a->inner, &a->byte, 1, 0);
}

static void inner_ops_go_on_in_every_call_that_waits(struct fixture *t)
{
	struct soq_socket *s, *peer;
	struct probe *p = probe(t), *q = probe_quiet(t);
	struct adder *a = calloc(1, sizeof(*a));
	struct soq_event event;

	assert_non_null(a);
	pair_soq(t, AF_INET, &s, &peer);
	expect(soq_send(peer, "\1\2\3\4\5\6\7\10\11\12\13\14", 12, 0), 12);
	started(p, add_async(a, &p->op, t, s, 3));
	await(t, p);
	expect_end(p, 6, 0);
	started(q, add_async(a, &q->op, t, s, 3));
	expect(wait_end(q), 15);
	started(q, add_async(a, &q->op, t, s, 3));
	expect(soq_loop_harvest(t->loop, &event, 1, watchdog_ns()), 1);
	expect(event.op == &q->op && event.result == 24, 1);
	record(&event);
	/* In the synchronous call of another socket, where nothing is delivered. */
	started(p, add_async(a, &p->op, t, s, 3));
	while (a->left > 0)
		expect(soq_sleep(t->loop, 1), 0);
	expect(a->sum, 33);
	expect(finished(p), 0);
	await(t, p);
	expect_end(p, 33, 0);
	/* Cancelled, as all it is made of. */
	started(p, add_async(a, &p->op, t, s, 3));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0, 1);
	expect_end(p, -ECANCELED, 0);
	p->op.deadline_ns = now_ns() + 5 * MS;
	started(p, add_async(a, &p->op, t, s, 3));
	await(t, p);
	expect_end(p, -ETIMEDOUT, 0);
	expect(soq_close(s), 0);
	expect(soq_close(peer), 0);
	free(a);
}

static void loop_with_a_step_to_take_may_not_sleep(struct fixture *t)
{
	struct soq_socket *s, *peer;
	struct adder *a = calloc(1, sizeof(*a));
	struct probe *p = probe(t);

	assert_non_null(a);
	pair_soq(t, AF_INET, &s, &peer);
	started(p, add_async(a, &p->op, t, s, 1));
	settle(t);
	expect(soq_loop_deadline(t->loop), INT64_MAX);
	/* It ends where no turn is; what it was made for ends in the next. */
	expect(soq_close(s), 0);
	settle(t);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(peer), 0);
	free(a);
}

/* A helper that accepts, and hands the connection over. */
struct porter {
	struct soq_op inner;
	struct soq_op *op;
	unsigned left;
};

static void porter_step(const struct soq_event *event)
{
	struct porter *w = event->op->user;

	/* The second of the two it is armed for is its end. */
	if (event->socket != NULL && --w->left == 0) {
		expect(soq_op_finish(w->op, 0, 0, event->socket), 0);
		expect(soq_cancel(&w->inner), 0);
	} else if (event->socket != NULL) {
		expect(soq_abort(event->socket), 0);
	} else {
		expect(event->flags & SOQ_F_MORE, 0);
	}
}

static void ask_nobody(struct soq_op *op, int cause, void *arg)
{
	(void)op;
	(void)cause;
	(void)arg;
}

static void sockets_are_handed_over(struct fixture *t)
{
	struct porter *w = calloc(1, sizeof(*w));
	struct probe *p = probe_quiet(t);
	struct soq_socket *listener;
	struct soq_event event;
	struct soq_endpoint ep;
	int client[2];

	assert_non_null(w);
	*w = (struct porter){ .inner.user = w, .op = &p->op };
	listener = soq_listener(t, AF_INET, &ep);
	expect(soq_op_inner(&w->inner, porter_step), 0);
	for (unsigned dropped = 0; dropped < 2; dropped++) {
		w->left = 2;
		started(p, soq_op_begin(t->loop, &p->op, ask_nobody, NULL));
		expect(soq_accept_async(listener, &w->inner, SOQ_MULTISHOT), 0);
		expect(soq_op_inner(&w->inner, porter_step), -EBUSY);
		expect(soq_wait(&w->inner, 0, &event), -EINVAL);
		client[0] = raw_connect(&ep);
		client[1] = raw_connect(&ep);
		while (w->left > 0)
			expect(soq_sleep(t->loop, 1), 0);
		if (dropped) {
			expect(soq_loop_close_all(t->loop), 0);
			expect(wait_end(p), -ECANCELED);
		} else {
			expect(soq_wait(&p->op, 0, &event), 0);
			expect(event.result, 0);
			expect(soq_send(event.socket, "x", 1, 0), 1);
			expect(soq_close(event.socket), 0);
			record(&event);
		}
		close(client[0]);
		close(client[1]);
		expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0, 1);
	}
	free(w);
}

static void post_step(const struct soq_event *event)
{
	expect(soq_op_finish(event->op->user, event->result + 1, 0, NULL), 0);
}

/* So another thread has a helper go on. An inner helper's op is one, too. */
static void posts_and_helped_ops_may_be_inner(struct fixture *t)
{
	struct soq_op *inner = calloc(2, sizeof(*inner));
	struct probe *p = probe_quiet(t);
	struct asked asked = { 0 };

	assert_non_null(inner);
	inner[0].user = &inner[1];
	inner[1].user = &p->op;
	expect(soq_op_inner(&inner[0], post_step), 0);
	expect(soq_op_inner(&inner[1], post_step), 0);
	started(p, soq_op_begin(t->loop, &p->op, on_cancel, &asked));
	expect(soq_op_begin(t->loop, &inner[1], on_cancel, &asked), 0);
	expect(soq_loop_post(t->loop, &inner[0]), 0);
	expect(wait_end(p), 2);
	expect(asked.times, 0);
	/* And ordinary ones again. */
	expect(soq_op_inner(&inner[0], NULL), 0);
	expect(inner[0].done == NULL, 1);
	free(inner);
}

static const struct conf_case cases[] = {
	CASE(finish_is_the_event, "1a 2a"),
	CASE(what_is_no_helper_of_it_cannot_finish_it, ""),
	CASE(cancel_asks_the_helper_once, "6a"),
	CASE(deadline_asks_the_helper, "6a"),
	CASE(deadline_asks_none_that_was_cancelled, ""),
	CASE(closing_the_loop_asks_all_helpers, "15b"),
	CASE(inner_ops_go_on_in_every_call_that_waits, "2a"),
	CASE(loop_with_a_step_to_take_may_not_sleep, ""),
	CASE(sockets_are_handed_over, ""),
	CASE(posts_and_helped_ops_may_be_inner, ""),
};

CONF_GROUP(helper, cases)
