/* SPDX-License-Identifier: MIT */
/* Lazy sends to a peer that is another thread, while the loop sleeps. */
#define _GNU_SOURCE
#include "work.h"

/* A receive that nothing ends: without it no send is late. */
static void idle_receive(struct probe *p, struct soq_socket *s)
{
	static char nothing[8];

	started(p, soq_recv_async(s, &p->op, nothing, sizeof(nothing), 0));
}

static void run_once(struct fixture *t)
{
	expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, FOREVER) >= 0);
}

static void *read_then_post(void *arg)
{
	struct work *w = arg;
	char in[8];

	note(w, raw_recv_blocking((int)w->rc[0], in, 6));
	note(w, soq_loop_post(w->t->loop, &w->p->op));
	return NULL;
}

static void lazy_send_leaves_before_its_event(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *idle = probe(t), *sent = probe(t), *posted = probe(t);
	struct work w = { .t = t, .p = posted, .rc = { fd }, .count = 1 };
	pthread_t thread;

	idle_receive(idle, s);
	settle(t);
	posted->starts = 1;
	expect(pthread_create(&thread, NULL, read_then_post, &w), 0);
	started(sent, soq_send_async(s, &sent->op, "answer", 6, SOQ_LAZY));
	/* On io_uring one sleep, which the post ends. */
	run_once(t);
	if (t->is_uring)
		expect(posted->finals, 1);
	await(t, posted);
	expect(pthread_join(thread, NULL), 0);

	expect(w.rc[1], 6);
	expect(w.rc[2], 0);
	expect_end(sent, 6, 0);
	expect_end(posted, 0, 0);
	expect_true(sent->sequence < posted->sequence);
	expect(soq_abort(s), 0);
	await(t, idle);
	close(fd);
}

/* A server that answers each request at once, and starts to wait for the next. */
struct server {
	struct soq_socket *s;
	struct probe *received, *sent[2];
	unsigned answers;
	char in[8];
};

enum { ROUNDS = 40 };

static void answer(struct probe *p, const struct soq_event *event)
{
	struct server *v = p->arg;
	struct probe *sent = v->sent[v->answers++ % 2];

	if (event->result != 8)
		return;
	again(sent, soq_send_async(v->s, &sent->op, "response", 8, SOQ_LAZY));
	again(p, soq_recv_async(v->s, &p->op, v->in, 8, 0));
}

static void *ask(void *arg)
{
	struct work *w = arg;
	char in[8];

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (send((int)w->rc[0], "request!", 8, MSG_NOSIGNAL) != 8 ||
		    raw_recv_blocking((int)w->rc[0], in, 8) != 8)
			note(w, -1);
	}
	(void)shutdown((int)w->rc[0], SHUT_WR);
	return NULL;
}

static void server_makes_one_call_for_each_request(struct fixture *t)
{
	int fd;
	struct server v = { .s = pair_raw(t, AF_INET, &fd),
			    .received = probe(t),
			    .sent = { probe(t), probe(t) } };
	struct work w = { .t = t, .rc = { fd }, .count = 1 };
	uint64_t waits;
	pthread_t thread;

	v.received->then = answer;
	v.received->arg = &v;
	started(v.received, soq_recv_async(v.s, &v.received->op, v.in, 8, 0));
	settle(t);
	waits = stats_of(t).waits;
	expect(pthread_create(&thread, NULL, ask, &w), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) > 0, 1);
	expect(pthread_join(thread, NULL), 0);

	expect(w.count, 1);
	expect_end(v.received, 0, 0);
	expect_end(v.sent[0], 8, 0);
	expect_end(v.sent[1], 8, 0);
	expect(v.sent[0]->finals + v.sent[1]->finals, ROUNDS);
	/* The last wait takes the end of stream. */
	if (t->is_uring)
		expect_true(stats_of(t).waits - waits <= ROUNDS + 1);
	expect(soq_close(v.s), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(lazy_send_leaves_before_its_event, "1b 9c"),
	CASE(server_makes_one_call_for_each_request, "19b"),
};

CONF_GROUP(lazy_threads, cases)
