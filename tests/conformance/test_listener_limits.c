/* SPDX-License-Identifier: MIT */
/* The limits of listeners where they are hard to keep: in a drain, behind a send, out of memory. */
#include "listener_kit.h"

static void drain_lets_in_no_more_than_the_limits(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct probe *drain = probe(t);
	struct visit visits[4] = { 0 };
	int fds[4];
	int64_t begin_ns = now_ns();

	options.accepts_per_second_max = 1;
	l = listener_open(t, options);
	ep = listener_start(l);
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = raw_connect(&ep);
		visit_await(t, l, &visits[i]);
	}
	started(drain, soq_listener_drain_async(l, &drain->op));
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		await(t, visits[i].p);
	expect_end(visits[0].p, 0, 0);
	expect_true((int64_t)look(l).accepted <= 1 + (now_ns() - begin_ns) / (1000 * MS));
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		expect(soq_connection_end(&visits[i].place), 0);
		if (visits[i].p->socket != NULL)
			expect(soq_close(visits[i].p->socket), 0);
		close(fds[i]);
	}
	await(t, drain);
	expect_end(drain, 0, 0);
	expect(soq_listener_close(l), 0);
}

/* A send that ended short tells why in the next send, not in the listener's shutdown. */
static void connection_is_shut_behind_a_short_send(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit v = { 0 };
	struct probe *receive = probe(t);
	char *out = calloc(1, BIG_BYTES), in;
	int64_t count;
	int fd;

	assert_non_null(out);
	options.idle_ns = 1 * MS;
	l = listener_open(t, options);
	ep = listener_start(l);
	fd = raw_connect(&ep);
	visit_await(t, l, &v);
	await(t, v.p);
	expect(soq_socket_set_timeouts(v.p->socket, watchdog_ns(), 1 * MS), 0);
	count = soq_send(v.p->socket, out, BIG_BYTES, 0);
	expect_true(count > 0 && count < (int64_t)BIG_BYTES);
	started(receive, soq_recv_async(v.p->socket, &receive->op, &in, 1, 0));
	expect(soq_connection_set_phase(&v.place, SOQ_PHASE_IDLE), 0);
	await(t, receive);
	expect_end(receive, 0, 0);
	expect(soq_send(v.p->socket, out, 1, 0), -ETIMEDOUT);
	visit_end(&v);
	expect(soq_listener_close(l), 0);
	close(fd);
	free(out);
}

/* The allocation after the next `spared` of a listener fails. */
struct meagre {
	struct soq_allocator inner;
	unsigned spared;
};

static void *meagre_allocate(void *context, size_t size_bytes, size_t align_bytes)
{
	struct meagre *m = context;

	if (m->spared == 0)
		return NULL;
	m->spared--;
	return m->inner.allocate(m->inner.context, size_bytes, align_bytes);
}

static void meagre_release(void *context, void *memory, size_t size_bytes)
{
	struct meagre *m = context;

	m->inner.release(m->inner.context, memory, size_bytes);
}

static void client_that_cannot_be_counted_is_turned_away(struct fixture *t)
{
	struct meagre m = { t->allocator, 0 };
	const struct soq_allocator allocator = { meagre_allocate, meagre_release, &m };
	struct soq_listener_options options = { .size = sizeof(options),
						.allocator = &allocator,
						.peer_connections_max = 1 };
	struct soq_listener *l = NULL;
	struct soq_endpoint ep;
	struct visit v = { 0 };
	char in;
	int fd;

	expect(soq_listener_open(t->loop, &options, &l), -ENOMEM);
	assert_null(l);
	m.spared = 1;
	l = listener_open(t, options);
	ep = listener_start(l);
	visit_await(t, l, &v);
	/* For want of a table, and then of what stands in it. */
	for (unsigned i = 0; i < 2; i++) {
		m.spared = i;
		fd = raw_connect(&ep);
		expect(raw_recv(t, fd, &in, 1), -ECONNRESET);
		close(fd);
		expect(look(l).refused, i + 1);
		expect(look(l).peers, 0);
	}
	m.spared = 1;
	fd = raw_connect(&ep);
	await(t, v.p);
	expect_end(v.p, 0, 0);
	visit_end(&v);
	close(fd);
	expect(soq_listener_close(l), 0);
}

static void limits_may_be_as_large_as_they_like(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct soq_socket *s = NULL;
	struct visit v = { 0 };
	int fd;

	options.connections_max = UINT32_MAX;
	options.peer_connections_max = UINT32_MAX;
	options.accepts_per_second_max = UINT32_MAX;
	options.header_ns = INT64_MAX;
	options.idle_ns = INT64_MAX;
	l = listener_open(t, options);
	ep = listener_start(l);
	fd = raw_connect(&ep);
	expect(soq_listener_accept(l, &v.place, INT64_MAX, &s), 0);
	for (unsigned phase = 0; phase < 3; phase++) {
		expect(soq_connection_set_phase(&v.place, (enum soq_phase)phase), 0);
		settle(t);
	}
	expect(soq_connection_set_phase(&v.place, (enum soq_phase)3), -EINVAL);
	expect(look(l).expired, 0);
	expect(look(l).held_up, 0);
	expect(soq_connection_end(&v.place), 0);
	expect(soq_close(s), 0);
	expect(soq_listener_close(l), 0);
	settle(t);
	close(fd);
}

/* The program takes the event of its accept late: the time has gone on. */
static void time_may_be_over_before_the_event_is_taken(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit v = { .p = probe_quiet(t) };
	char in;
	int fd;

	options.header_ns = 1;
	l = listener_open(t, options);
	ep = listener_start(l);
	fd = raw_connect(&ep);
	started(v.p, soq_listener_accept_async(l, &v.p->op, &v.place));
	run_until(t, look(l).expired == 1);
	expect(wait_end(v.p), 0);
	expect(soq_recv(v.p->socket, &in, 1, 0), 0);
	visit_end(&v);
	expect(soq_listener_close(l), 0);
	close(fd);
}

/* However often he comes: the rate is for those who are let in. */
static void peer_that_is_turned_away_holds_up_nobody(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit visits[2] = { 0 };
	int fds[5];

	options.accepts_per_second_max = 2;
	options.peer_connections_max = 1;
	l = listener_open(t, options);
	ep = listener_start(l);
	for (unsigned i = 0; i < 4; i++)
		fds[i] = client_of(&ep, 1);
	fds[4] = client_of(&ep, 2);
	visit_await(t, l, &visits[0]);
	await(t, visits[0].p);
	visit_await(t, l, &visits[1]);
	await(t, visits[1].p);
	expect(look(l).refused, 3);
	expect(look(l).held_up, 0);
	for (unsigned i = 0; i < COUNT_OF(visits); i++)
		visit_end(&visits[i]);
	expect(soq_listener_close(l), 0);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

static const struct conf_case cases[] = {
	CASE(drain_lets_in_no_more_than_the_limits, ""),
	CASE(connection_is_shut_behind_a_short_send, ""),
	CASE(client_that_cannot_be_counted_is_turned_away, ""),
	CASE(limits_may_be_as_large_as_they_like, ""),
	CASE(peer_that_is_turned_away_holds_up_nobody, ""),
	CASE(time_may_be_over_before_the_event_is_taken, ""),
};

CONF_GROUP(listener_limits, cases)
