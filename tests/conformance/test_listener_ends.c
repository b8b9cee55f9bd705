/* SPDX-License-Identifier: MIT */
/* Listeners at their edges: what ends while something else is under way, and what fails. */
#include "listener_kit.h"

#define RATE 20

/*
 * An accept that the rate has held up, though by now it would let it in: nothing of the
 * listener's own is in flight for it but a timer. Somebody waits in the backlog.
 */
static struct soq_listener *listener_held_up(struct fixture *t, struct visit *v, int *fd)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	int64_t begin_ns;

	options.accepts_per_second_max = RATE;
	l = listener_open(t, options);
	ep = listener_start(l);
	for (;;) {
		visit_await(t, l, v);
		begin_ns = now_ns();
		if (look(l).held_up > 0)
			break;
		*fd = raw_connect(&ep);
		await(t, v->p);
		visit_end(v);
		close(*fd);
	}
	*fd = raw_connect(&ep);
	while (now_ns() - begin_ns < 1200 * MS / RATE)
		;
	return l;
}

/* What happens while a drain lets in who waits: steps run in its synchronous calls. */
struct meanwhile {
	struct soq_op op;
	struct soq_listener *closes;
	struct soq_op *cancels;
};

static void on_meanwhile(const struct soq_event *event)
{
	struct meanwhile *m = event->op->user;

	if (m->closes != NULL)
		(void)soq_listener_close(m->closes);
	if (m->cancels != NULL)
		(void)soq_cancel(m->cancels);
}

static void meanwhile_start(struct fixture *t, struct meanwhile *m)
{
	m->op.user = m;
	expect(soq_op_inner(&m->op, on_meanwhile), 0);
	expect(soq_sleep_async(t->loop, &m->op, 0), 0);
}

static void accept_may_end_while_a_drain_lets_in(struct fixture *t)
{
	struct meanwhile m = { 0 };
	struct visit v = { 0 };
	struct probe *drain = probe(t);
	int fd;
	struct soq_listener *l = listener_held_up(t, &v, &fd);
	char in;

	m.cancels = &v.p->op;
	meanwhile_start(t, &m);
	started(drain, soq_listener_drain_async(l, &drain->op));
	await(t, drain);
	expect_end(drain, 0, 0);
	expect_end(v.p, -ECANCELED, 0);
	expect(raw_recv(t, fd, &in, 1), -ECONNRESET);
	expect(soq_listener_close(l), 0);
	close(fd);
}

static void listener_may_be_closed_while_a_drain_lets_in(struct fixture *t)
{
	struct meanwhile m = { 0 };
	struct visit v = { 0 };
	struct probe *drain = probe(t);
	int fd;
	struct soq_listener *l = listener_held_up(t, &v, &fd);

	m.closes = l;
	meanwhile_start(t, &m);
	started(drain, soq_listener_drain_async(l, &drain->op));
	await(t, drain);
	expect_end(drain, 0, 0);
	expect_end(v.p, -ECANCELED, 0);
	close(fd);
}

static void on_other(const struct soq_event *event)
{
	struct meanwhile *m = event->op->user;

	(void)soq_abort(event->socket);
	(void)soq_cancel(m->cancels);
}

/*
 * Its client has been taken already for an accept that is cancelled in the same turn: by one
 * who came before it, or after it, as the kernel tells of them (Linux 6.1: last come, first told).
 */
static struct soq_listener *listener_that_holds(struct fixture *t, int *fd)
{
	struct soq_listener *l = listener_open(t, options_of(t));
	struct soq_endpoint ep = listener_start(l), eps[2];
	struct soq_socket *others[2];
	struct visit v = { 0 };
	struct meanwhile m[2] = { { .cancels = NULL } };
	int fds[2];

	visit_await(t, l, &v);
	for (unsigned i = 0; i < 2; i++) {
		others[i] = soq_listener(t, AF_INET, &eps[i]);
		m[i].op.user = &m[i];
		m[i].cancels = &v.p->op;
		expect(soq_op_inner(&m[i].op, on_other), 0);
		expect(soq_accept_async(others[i], &m[i].op, 0), 0);
	}
	settle(t);
	fds[0] = raw_connect(&eps[0]);
	*fd = raw_connect(&ep);
	fds[1] = raw_connect(&eps[1]);
	await(t, v.p);
	expect_end(v.p, -ECANCELED, 0);
	settle(t);
	expect(soq_poll(soq_listener_socket(l), SOQ_POLL_RECV, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_close(others[i]), 0);
		close(fds[i]);
	}
	return l;
}

static void client_of_a_cancelled_accept_is_the_next_ones(struct fixture *t)
{
	int fd;
	struct soq_listener *l = listener_that_holds(t, &fd);
	struct soq_connection place = { 0 };
	struct soq_socket *s = NULL;
	char in;

	expect(soq_listener_accept(l, &place, 0, &s), 0);
	expect(soq_connection_end(&place), 0);
	expect(soq_close(s), 0);
	expect(soq_listener_close(l), 0);
	close(fd);
	/* And nobody's after a stop. */
	l = listener_that_holds(t, &fd);
	expect(soq_listener_stop(l), 0);
	expect(raw_recv(t, fd, &in, 1), -ECONNRESET);
	expect(soq_listener_close(l), 0);
	close(fd);
}

static void accept_after_the_end_of_all_ends_too(struct fixture *t)
{
	int fd;
	struct soq_listener *l = listener_that_holds(t, &fd);
	struct visit v = { 0 };
	struct soq_connection place = { 0 };
	struct soq_socket *s = NULL;

	expect(soq_loop_close_all(t->loop), 0);
	settle(t);
	visit_await(t, l, &v);
	await(t, v.p);
	expect_end(v.p, -ECANCELED, 0);
	expect(soq_connection_end(&v.place), 0);
	expect(soq_listener_accept(l, &place, watchdog_ns(), &s), -ECANCELED);
	expect(soq_connection_set_phase(&place, SOQ_PHASE_BUSY), -ENOENT);
	expect(soq_listener_close(l), 0);
	close(fd);
}

static void nothing_goes_on_when_nobody_accepts(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit visits[2] = { 0 };
	int fd;

	options.accepts_per_second_max = 1;
	l = listener_open(t, options);
	ep = listener_start(l);
	fd = raw_connect(&ep);
	visit_await(t, l, &visits[0]);
	await(t, visits[0].p);
	/* Held up by the rate, and cancelled: twice, the second time before that has an end. */
	for (unsigned i = 0; i < 2; i++) {
		visit_await(t, l, &visits[1]);
		expect(soq_cancel(&visits[1].p->op), 0);
	}
	visit_end(&visits[0]);
	settle(t);
	expect(stats_of(t).ops_in_flight, 0);
	visit_await(t, l, &visits[1]);
	expect(soq_listener_stop(l), 0);
	await(t, visits[1].p);
	expect_end(visits[1].p, -ECANCELED, 0);
	settle(t);
	expect(stats_of(t).ops_in_flight, 0);
	expect(soq_listener_close(l), 0);
	close(fd);
}

static void starts_again_with_accepts_of_before_under_way(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l = listener_open(t, options);
	struct soq_endpoint ep = listener_start(l);
	struct visit visits[20] = { 0 }, v = { 0 };
	int fd;

	expect(soq_listener_close(l), 0);
	options.local = &ep;
	expect(soq_listener_open(t->loop, &options, &l), 0);
	for (unsigned round = 0; round < 3; round++) {
		expect(soq_listener_start(l), 0);
		for (unsigned i = 0; i < COUNT_OF(visits); i++)
			visit_await(t, l, &visits[i]);
		if (round == 1)
			settle(t);
		expect(soq_listener_stop(l), 0);
		expect(soq_listener_start(l), 0);
		visit_await(t, l, &v);
		fd = raw_connect(&ep);
		await(t, v.p);
		expect_end(v.p, 0, 0);
		for (unsigned i = 0; i < COUNT_OF(visits); i++)
			expect_end(visits[i].p, -ECANCELED, 0);
		visit_end(&v);
		expect(soq_listener_stop(l), 0);
		close(fd);
	}
	expect(soq_listener_close(l), 0);
}

static void accept_that_does_not_wait_gets_who_is_there(struct fixture *t)
{
	struct soq_listener *l = listener_open(t, options_of(t));
	struct soq_endpoint ep = listener_start(l);
	struct soq_connection place = { 0 };
	struct soq_socket *s = NULL;
	int fd = raw_connect(&ep);

	expect(soq_listener_accept(l, &place, 0, &s), 0);
	expect(soq_connection_end(&place), 0);
	expect(soq_close(s), 0);
	expect(soq_listener_close(l), 0);
	close(fd);
}

static void path_is_free_for_each_start(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_listener *l = NULL;
	struct visit v = { 0 }, late = { 0 };
	int fd;

	unix_folder_open(&folder);
	unix_file(&folder, "s", &ep);
	options.local = &ep;
	options.peer_connections_max = 1;
	expect(soq_listener_open(t->loop, &options, &l), 0);
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_listener_start(l), 0);
		fd = raw_connect(&ep);
		visit_await(t, l, &v);
		await(t, v.p);
		expect_end(v.p, 0, 0);
		visit_await(t, l, &late);
		settle(t);
		expect(soq_listener_stop(l), 0);
		visit_end(&v);
		close(fd);
	}
	await(t, late.p);
	expect(soq_listener_close(l), 0);
	settle(t);
	unix_folder_close(&folder);
}

static const struct conf_case cases[] = {
	CASE(accept_may_end_while_a_drain_lets_in, ""),
	CASE(listener_may_be_closed_while_a_drain_lets_in, ""),
	CASE(client_of_a_cancelled_accept_is_the_next_ones, ""),
	CASE(accept_after_the_end_of_all_ends_too, ""),
	CASE(nothing_goes_on_when_nobody_accepts, ""),
	CASE(starts_again_with_accepts_of_before_under_way, ""),
	CASE(accept_that_does_not_wait_gets_who_is_there, "6e"),
	CASE(path_is_free_for_each_start, ""),
};

CONF_GROUP(listener_ends, cases)
