/* SPDX-License-Identifier: MIT */
/* The trace function: each thing told once as it begins and once as it ends. */
#define _GNU_SOURCE
#include "pool_work.h"

/* All that a trace function was told, and what it saw meanwhile. */
struct note {
	struct soq_trace_event event;
	struct soq_endpoint peer;
	int64_t attempts; /* connects in flight at that moment */
};

struct trace {
	struct soq_loop *loop;
	struct note notes[256];
	unsigned count;
	int64_t call; /* what an ordinary call said from in there */
	int reads;    /* how many of those that read did not say 0 */
	void *user;
	struct soq_op *posted;
};

static struct trace trace;

static void take_note(const struct soq_trace_event *event, void *user)
{
	struct trace *r = user;
	struct note *n = &r->notes[r->count];
	struct soq_loop_stats stats = { .size = sizeof(stats) };

	if (r->count == COUNT_OF(r->notes))
		return;
	r->count++;
	n->event = *event;
	if (event->peer != NULL)
		n->peer = *event->peer;
	n->event.peer = NULL;
	n->attempts = soq_loop_counter(r->loop, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS);
	r->reads += soq_loop_stats(r->loop, &stats) != 0;
	if (r->posted != NULL)
		r->reads += soq_loop_post(r->loop, r->posted) != 0;
	r->posted = NULL;
}

/* The fixture's loop once more, traced. */
static void traced(struct fixture *t, void (*tell)(const struct soq_trace_event *, void *))
{
	struct soq_loop_options options;

	expect(soq_loop_destroy(t->loop), 0);
	options_of_tier(t, &options);
	options.trace = tell;
	options.trace_user = &trace;
	trace = (struct trace){ .count = 0 };
	expect(soq_loop_create(&options, &t->loop), 0);
	trace.loop = t->loop;
	t->home = t->loop;
}

/* How often this was told. */
static unsigned told(enum soq_trace_what what, enum soq_trace_step step)
{
	unsigned count = 0;

	for (unsigned i = 0; i < trace.count; i++)
		count += trace.notes[i].event.what == what && trace.notes[i].event.step == step;
	return count;
}

/* The n-th of these, from 0 on; its place among all in `*at`. */
static const struct note *nth(enum soq_trace_what what, enum soq_trace_step step, unsigned n)
{
	for (unsigned i = 0; i < trace.count; i++)
		if (trace.notes[i].event.what == what && trace.notes[i].event.step == step &&
		    n-- == 0)
			return &trace.notes[i];
	fail_msg("%d was not told step %d so often", (int)what, (int)step);
	return NULL;
}

/* It began and ended once, with this; an error between the two. */
static void expect_told(enum soq_trace_what what, struct soq_socket *s, int64_t result)
{
	const struct note *start, *stop, *failed;

	expect(told(what, SOQ_TRACE_START), 1);
	expect(told(what, SOQ_TRACE_STOP), 1);
	expect(told(what, SOQ_TRACE_FAILED), result < 0);
	start = nth(what, SOQ_TRACE_START, 0);
	stop = nth(what, SOQ_TRACE_STOP, 0);
	expect_true(start->event.socket == s && stop->event.socket == s);
	expect_true(start->event.op == stop->event.op);
	expect(stop->event.result, result);
	expect_true(start < stop && start->event.time_ns <= stop->event.time_ns);
	if (result >= 0)
		return;
	failed = nth(what, SOQ_TRACE_FAILED, 0);
	expect_true(start < failed && failed < stop && failed->event.socket == s);
	expect(failed->event.result, result);
	expect_true(failed->event.time_ns >= start->event.time_ns &&
		    failed->event.time_ns <= stop->event.time_ns);
}

/* The forms a call has. */
enum form { SYNC, DONE, WAITED, HARVESTED, FORMS };

static void end_harvested(struct fixture *t, struct probe *p)
{
	struct soq_event event;

	expect(soq_loop_harvest(t->loop, &event, 1, watchdog_ns()), 1);
	expect_true(event.op == &p->op);
	record(&event);
}

static void end_as(struct fixture *t, struct probe *p, enum form form)
{
	if (form == DONE)
		await(t, p);
	else if (form == WAITED)
		(void)wait_end(p);
	else
		end_harvested(t, p);
}

static int connect_as(struct fixture *t, enum form form, struct soq_socket *s,
		      const struct soq_endpoint *ep)
{
	struct probe *p;

	if (form == SYNC)
		return soq_connect(s, ep);
	p = form == DONE ? probe(t) : probe_quiet(t);
	started(p, soq_connect_async(s, &p->op, ep));
	expect_true(soq_loop_counter(t->loop, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS) == 1);
	end_as(t, p, form);
	return (int)p->result;
}

static struct soq_socket *accept_as(struct fixture *t, enum form form, struct soq_socket *listener)
{
	struct soq_socket *s = NULL;
	struct probe *p;

	if (form == SYNC) {
		expect(soq_accept(listener, &s, NULL), 0);
		return s;
	}
	p = form == DONE ? probe(t) : probe_quiet(t);
	started(p, soq_accept_async(listener, &p->op, 0));
	end_as(t, p, form);
	expect_end(p, 0, 0);
	return p->socket;
}

static void a_connect_and_an_accept_are_told_once_in_every_form(struct fixture *t)
{
	for (unsigned i = 0; i < FORMS * FORMS; i++) {
		struct soq_socket *listener, *a, *b;
		struct soq_endpoint ep;
		const struct note *start;

		traced(t, take_note);
		listener = soq_listener(t, AF_INET, &ep);
		a = open_socket(t, AF_INET);
		expect(connect_as(t, (enum form)(i % FORMS), a, &ep), 0);
		b = accept_as(t, (enum form)(i / FORMS), listener);

		expect_told(SOQ_TRACE_CONNECT, a, 0);
		expect_told(SOQ_TRACE_ACCEPT, listener, 0);
		expect_true(nth(SOQ_TRACE_ACCEPT, SOQ_TRACE_STOP, 0)->event.arrived == b);
		start = nth(SOQ_TRACE_CONNECT, SOQ_TRACE_START, 0);
		expect(soq_endpoint_equal(&start->peer, &ep), 1);
		expect((start->event.op == NULL), (i % FORMS == SYNC));
		/* The attempt is seen while it lasts. */
		expect(start->attempts, 1);
		expect(nth(SOQ_TRACE_CONNECT, SOQ_TRACE_STOP, 0)->attempts, 0);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_OUTGOING_CONNECTIONS_ESTABLISHED), 1);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_INCOMING_CONNECTIONS_ESTABLISHED), 1);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS), 0);
		expect(trace.reads, 0);
		expect(soq_close(a), 0);
		expect(soq_close(b), 0);
		expect(soq_close(listener), 0);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) >= 0);
	}
}

static void a_refused_connect_is_told_as_failed(struct fixture *t)
{
	for (unsigned i = 0; i < FORMS; i++) {
		struct soq_endpoint ep;
		struct soq_socket *s;
		int holder;

		traced(t, take_note);
		refused_endpoint(AF_INET, &ep, &holder);
		s = open_socket(t, AF_INET);
		expect(connect_as(t, (enum form)i, s, &ep), -ECONNREFUSED);

		expect_told(SOQ_TRACE_CONNECT, s, -ECONNREFUSED);
		expect(soq_endpoint_equal(&nth(SOQ_TRACE_CONNECT, SOQ_TRACE_FAILED, 0)->peer, &ep),
		       1);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_OUTGOING_CONNECTIONS_ESTABLISHED), 0);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS), 0);
		expect(soq_close(s), 0);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) >= 0);
		close(holder);
	}
}

/* Cancelled, closed, or its time is up: before it meets the kernel, and after. */
static void a_connect_that_is_cut_short_is_told_as_failed(struct fixture *t)
{
	struct full_listener full;

	full_listener_open(AF_INET, &full);
	for (unsigned i = 0; i < 6; i++) {
		int64_t want = i / 2 == 2 ? -ETIMEDOUT : -ECANCELED;
		struct soq_socket *s;
		struct probe *p;

		traced(t, take_note);
		s = open_socket(t, AF_INET);
		p = probe(t);
		p->op.deadline_ns = i / 2 < 2 ? 0 : i % 2 ? now_ns() + MS : 1;
		started(p, soq_connect_async(s, &p->op, &full.ep));
		if (i % 2)
			settle(t);
		if (i / 2 == 0)
			expect(soq_cancel(&p->op), 0);
		if (i / 2 == 1)
			expect(soq_close(s), 0);
		await(t, p);

		expect_end(p, want, 0);
		expect_told(SOQ_TRACE_CONNECT, s, want);
		expect(told(SOQ_TRACE_CANCEL, SOQ_TRACE_START), i / 2 != 1);
		expect(told(SOQ_TRACE_CANCEL, SOQ_TRACE_STOP), i / 2 != 1);
		if (i / 2 != 1) {
			const struct soq_trace_event *e =
				&nth(SOQ_TRACE_CANCEL, SOQ_TRACE_START, 0)->event;

			expect(e->result, want);
			expect_true(e->op == &p->op && e->socket == s);
		}
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_OUTGOING_CONNECTIONS_ESTABLISHED), 0);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS), 0);
		if (i / 2 != 1)
			expect(soq_close(s), 0);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) >= 0);
	}
	full_listener_close(&full);
}

static void an_accept_whose_listener_is_closed_is_told_as_failed(struct fixture *t)
{
	for (unsigned i = 0; i < 4; i++) {
		struct soq_socket *listener;
		struct soq_endpoint ep;
		struct probe *p;

		traced(t, take_note);
		listener = soq_listener(t, AF_INET, &ep);
		p = i / 2 ? probe(t) : probe_quiet(t);
		started(p, soq_accept_async(listener, &p->op, 0));
		if (i % 2)
			settle(t);
		expect(soq_close(listener), 0);
		if (i / 2)
			await(t, p);
		else
			(void)wait_end(p);

		expect_end(p, -ECANCELED, 0);
		expect_told(SOQ_TRACE_ACCEPT, listener, -ECANCELED);
		expect_true(nth(SOQ_TRACE_ACCEPT, SOQ_TRACE_STOP, 0)->event.arrived == NULL);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_INCOMING_CONNECTIONS_ESTABLISHED), 0);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_ACCEPTS_FAILED), 1);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) >= 0);
	}
}

/* One that waits, closed by what happens meanwhile. */
static void close_it(struct probe *p, const struct soq_event *event)
{
	(void)event;
	p->start_error = soq_close(p->arg);
}

static void an_accept_that_waits_is_told_as_failed(struct fixture *t)
{
	struct soq_socket *listener, *s = NULL;
	struct soq_endpoint ep;

	traced(t, take_note);
	listener = soq_listener(t, AF_INET, &ep);
	expect(soq_socket_set_timeouts(listener, MS, FOREVER), 0);
	expect(soq_accept(listener, &s, NULL), -ETIMEDOUT);
	expect_told(SOQ_TRACE_ACCEPT, listener, -ETIMEDOUT);
	expect(soq_close(listener), 0);
}

static void attempts_of_a_list_are_told_each(struct fixture *t)
{
	struct soq_endpoint eps[2];
	struct soq_socket *s = NULL;
	struct soq_connect_list list = { .size = sizeof(list),
					 .type = SOCK_STREAM,
					 .endpoint_count = 2,
					 .endpoints = eps };
	int holder, listener = raw_listener(AF_INET, 1, 0, &eps[1]);

	traced(t, take_note);
	refused_endpoint(AF_INET, &eps[0], &holder);
	expect(soq_connect_list(t->loop, &list, FOREVER, &s), 0);
	expect(told(SOQ_TRACE_CONNECT, SOQ_TRACE_START), 2);
	expect(told(SOQ_TRACE_CONNECT, SOQ_TRACE_FAILED), 1);
	expect(told(SOQ_TRACE_CONNECT, SOQ_TRACE_STOP), 2);
	for (unsigned i = 0; i < 2; i++)
		expect(soq_endpoint_equal(&nth(SOQ_TRACE_CONNECT, SOQ_TRACE_STOP, i)->peer,
					  &eps[i]),
		       1);
	/* The first ended before the second began, and its socket was closed. */
	expect_true(nth(SOQ_TRACE_CONNECT, SOQ_TRACE_STOP, 0) <
		    nth(SOQ_TRACE_CONNECT, SOQ_TRACE_START, 1));
	expect_true(nth(SOQ_TRACE_CLOSE, SOQ_TRACE_START, 0)->event.socket ==
		    nth(SOQ_TRACE_CONNECT, SOQ_TRACE_START, 0)->event.socket);
	expect_true(nth(SOQ_TRACE_CONNECT, SOQ_TRACE_STOP, 1)->event.socket == s);
	expect(soq_close(s), 0);
	close(holder);
	close(listener);
}

/* Begun by the starting call, ended where the event is made, whoever takes it. */
static void transfers_are_told_with_what_was_asked_and_what_came(struct fixture *t)
{
	struct probe *send, *recv;
	struct soq_socket *a, *b;
	char bytes[100] = "";

	traced(t, take_note);
	pair_soq(t, AF_INET, &a, &b);
	send = probe(t);
	recv = probe(t);
	started(recv, soq_recv_async(b, &recv->op, bytes, 100, 0));
	expect(told(SOQ_TRACE_RECEIVE, SOQ_TRACE_START), 1);
	started(send, soq_send_async(a, &send->op, "abc", 3, 0));
	await(t, recv);
	await(t, send);
	expect_told(SOQ_TRACE_SEND, a, 3);
	expect_told(SOQ_TRACE_RECEIVE, b, 3);
	expect(nth(SOQ_TRACE_SEND, SOQ_TRACE_START, 0)->event.size_bytes, 3);
	expect(nth(SOQ_TRACE_RECEIVE, SOQ_TRACE_STOP, 0)->event.size_bytes, 100);
	expect_true(nth(SOQ_TRACE_RECEIVE, SOQ_TRACE_STOP, 0)->event.op == &recv->op);

	/* Calls that wait, and one that is refused. */
	trace.count = 0;
	expect(soq_send(a, "defg", 4, 0), 4);
	expect(soq_send(a, NULL, 4, 0), -EINVAL);
	expect_told(SOQ_TRACE_SEND, a, 4);
	expect_true(nth(SOQ_TRACE_SEND, SOQ_TRACE_START, 0)->event.op == NULL);
	expect(soq_recv(b, bytes, 4, SOQ_EXACT), 4);
	expect_told(SOQ_TRACE_RECEIVE, b, 4);

	trace.count = 0;
	expect(soq_socket_set_timeouts(b, 0, FOREVER), 0);
	expect(soq_recv(b, bytes, 4, SOQ_EXACT), -ETIMEDOUT);
	expect_told(SOQ_TRACE_RECEIVE, b, -ETIMEDOUT);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void datagrams_are_told_with_their_addresses(struct fixture *t)
{
	struct soq_endpoint from;
	struct datagrams d;
	char bytes[8];

	traced(t, take_note);
	d = datagrams_bound(t, AF_INET);
	expect(soq_send_to(d.a, "abc", 3, 0, &d.at_b), 3);
	expect(soq_recv_from(d.b, bytes, 8, 0, &from), 3);
	expect_told(SOQ_TRACE_SEND, d.a, 3);
	expect_told(SOQ_TRACE_RECEIVE, d.b, 3);
	expect(soq_endpoint_equal(&nth(SOQ_TRACE_SEND, SOQ_TRACE_START, 0)->peer, &d.at_b), 1);
	expect(nth(SOQ_TRACE_RECEIVE, SOQ_TRACE_START, 0)->peer.size_bytes, 0);
	expect(soq_endpoint_equal(&nth(SOQ_TRACE_RECEIVE, SOQ_TRACE_STOP, 0)->peer, &d.at_a), 1);
	datagrams_close(&d);
}

static void what_a_multishot_brings_is_told_each(struct fixture *t)
{
	struct soq_pool *pool;
	struct keeper k = { .count = 0 };
	struct soq_socket *listener, *a;
	struct soq_endpoint ep;
	struct probe *accept, *recv;

	traced(t, take_note);
	pool = pool_of(t, 8, 4096, 8);
	listener = soq_listener(t, AF_INET, &ep);
	accept = probe(t);
	started(accept, soq_accept_async(listener, &accept->op, SOQ_MULTISHOT));
	a = open_socket(t, AF_INET);
	expect(soq_connect(a, &ep), 0);
	run_until(t, accept->socket != NULL);
	expect(told(SOQ_TRACE_ACCEPT, SOQ_TRACE_MORE), 1);
	expect_true(nth(SOQ_TRACE_ACCEPT, SOQ_TRACE_MORE, 0)->event.arrived == accept->socket);
	expect(told(SOQ_TRACE_ACCEPT, SOQ_TRACE_STOP), 0);

	recv = keeper_probe(t, &k);
	started(recv, soq_recv_buf_async(accept->socket, &recv->op, pool, SOQ_MULTISHOT));
	expect(soq_send(a, "abc", 3, 0), 3);
	run_until(t, k.count == 1);
	expect(told(SOQ_TRACE_RECEIVE, SOQ_TRACE_MORE), 1);
	expect(nth(SOQ_TRACE_RECEIVE, SOQ_TRACE_MORE, 0)->event.result, 3);
	expect(soq_close(a), 0);
	await(t, recv);
	expect_told(SOQ_TRACE_RECEIVE, accept->socket, 0);
	keeper_return_rest(&k);
	expect(soq_close(accept->socket), 0);
	expect(soq_close(listener), 0);
	await(t, accept);
	expect_told(SOQ_TRACE_ACCEPT, listener, -ECANCELED);
	pool_close(pool);
}

static void closes_are_told_until_the_descriptor_is_gone(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *p;

	traced(t, take_note);
	pair_soq(t, AF_INET, &a, &b);
	trace.count = 0; /* the listener's */
	p = probe(t);
	started(p, soq_close_async(a, &p->op));
	expect(told(SOQ_TRACE_CLOSE, SOQ_TRACE_START), 1);
	await(t, p);
	expect_told(SOQ_TRACE_CLOSE, a, 0);
	expect_true(nth(SOQ_TRACE_CLOSE, SOQ_TRACE_STOP, 0)->event.op == &p->op);

	/* The peer never ends its side. */
	pair_soq(t, AF_INET, &a, &p->socket);
	trace.count = 0;
	expect(soq_finish(a, 0), -ETIMEDOUT);
	expect_told(SOQ_TRACE_CLOSE, a, -ETIMEDOUT);
	expect(soq_close(p->socket), 0);

	/* One that is given away is not closed. */
	trace.count = 0;
	expect(soq_socket_detach(b, &b), 0);
	expect(soq_close(b), 0);
	expect(told(SOQ_TRACE_CLOSE, SOQ_TRACE_START), 0);
}

/* Every call of an ordinary kind, from in there. */
static void try_calls(const struct soq_trace_event *event, void *user)
{
	struct soq_socket_stats stats = { .size = sizeof(stats) };
	struct soq_endpoint ep;
	struct trace *r = user;

	if (event->what != SOQ_TRACE_CONNECT || event->step != SOQ_TRACE_START)
		return;
	r->count++;
	r->call = soq_send(event->socket, "x", 1, 0) == -EBUSY;
	r->call += soq_close(event->socket) == -EBUSY;
	r->call += soq_socket_local(event->socket, &ep) == -EBUSY;
	r->call += soq_cancel((struct soq_op *)(uintptr_t)event->op) == -EBUSY;
	r->call += soq_loop_run(r->loop, SOQ_RUN_ONCE, 0) == -EBUSY;
	r->call += soq_loop_close_all(r->loop) == -EBUSY;
	r->call += soq_loop_destroy(r->loop) == -EBUSY;
	r->reads = soq_socket_stats(event->socket, &stats);
	r->user = soq_socket_user(event->socket);
	if (soq_loop_post(r->loop, r->posted) != 0)
		r->reads = -1;
}

static void a_trace_function_may_read_and_post_and_no_more(struct fixture *t)
{
	struct soq_socket *listener, *s;
	struct soq_endpoint ep;
	struct probe *p, *post;

	traced(t, try_calls);
	listener = soq_listener(t, AF_INET, &ep);
	s = open_socket(t, AF_INET);
	expect(soq_socket_set_user(s, &ep), 0);
	p = probe(t);
	post = probe(t);
	trace.posted = &post->op;
	post->starts++;
	started(p, soq_connect_async(s, &p->op, &ep));
	await(t, p);
	await(t, post);

	expect(trace.count, 1);
	expect(trace.call, 7);
	expect(trace.reads, 0);
	assert_ptr_equal(trace.user, &ep);
	expect_end(p, 0, 0);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
}

/* A loop nobody has used yet is nobody's while it tells, either. */
static void destroy_there(const struct soq_trace_event *event, void *user)
{
	struct trace *r = user;

	(void)event;
	r->call += soq_loop_destroy(r->loop) == -EBUSY;
}

static void a_loop_that_is_nobodys_is_not_destroyed_by_what_it_tells(struct fixture *t)
{
	struct soq_socket *s;

	traced(t, destroy_there);
	s = open_socket(t, AF_INET);
	expect(soq_close(s), 0);
	expect(trace.call, 2);
}

static void a_trace_function_tells_of_an_accept_closed_in_done(struct fixture *t)
{
	struct soq_socket *listener, *s = NULL;
	struct soq_endpoint ep;
	struct probe *p, *accept;

	traced(t, take_note);
	listener = soq_listener(t, AF_INET, &ep);
	p = probe(t);
	accept = probe(t);
	p->then = close_it;
	p->arg = listener;
	started(accept, soq_accept_async(listener, &accept->op, 0));
	started(p, soq_loop_post(t->loop, &p->op));
	await(t, accept);
	expect(p->start_error, 0);
	expect_end(accept, -ECANCELED, 0);
	expect_told(SOQ_TRACE_ACCEPT, listener, -ECANCELED);
	expect_told(SOQ_TRACE_CLOSE, listener, 0);
	expect(soq_accept(listener, &s, NULL), -EBADF);
	expect(told(SOQ_TRACE_ACCEPT, SOQ_TRACE_START), 1);
}

static const struct conf_case cases[] = {
	CASE(a_connect_and_an_accept_are_told_once_in_every_form, "21b B172"),
	CASE(a_refused_connect_is_told_as_failed, "B173"),
	CASE(a_connect_that_is_cut_short_is_told_as_failed, "B173"),
	CASE(an_accept_whose_listener_is_closed_is_told_as_failed, "21b B174"),
	CASE(an_accept_that_waits_is_told_as_failed, ""),
	CASE(a_trace_function_tells_of_an_accept_closed_in_done, "21b B174"),
	CASE(attempts_of_a_list_are_told_each, ""),
	CASE(transfers_are_told_with_what_was_asked_and_what_came, "21b"),
	CASE(datagrams_are_told_with_their_addresses, ""),
	CASE(what_a_multishot_brings_is_told_each, ""),
	CASE(closes_are_told_until_the_descriptor_is_gone, ""),
	CASE(a_trace_function_may_read_and_post_and_no_more, ""),
	CASE(a_loop_that_is_nobodys_is_not_destroyed_by_what_it_tells, ""),
};

CONF_GROUP(trace, cases)
