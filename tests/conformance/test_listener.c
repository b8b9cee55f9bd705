/* SPDX-License-Identifier: MIT */
/* Listeners: started and stopped, whom they let in and when, and how they come to an end. */
#include "listener_kit.h"

#define MANY 100

static void starts_and_stops_as_often_as_one_likes(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l = listener_open(t, options), *other;
	struct soq_endpoint ep;

	assert_null(soq_listener_socket(l));
	expect(soq_listener_stop(l), 0);
	ep = listener_start(l);
	assert_non_null(soq_listener_socket(l));
	expect(soq_listener_start(l), 0);
	/* One that cannot start stays stopped. */
	options.local = &ep;
	expect(soq_listener_open(t->loop, &options, &other), 0);
	expect(soq_listener_start(other), -EADDRINUSE);
	assert_null(soq_listener_socket(other));
	expect(soq_listener_stop(l), 0);
	assert_null(soq_listener_socket(l));
	expect(soq_listener_stop(l), 0);
	expect(soq_listener_start(other), 0);
	expect(soq_listener_close(other), 0);
	expect(soq_listener_close(l), 0);
}

static void options_are_checked(struct fixture *t)
{
	struct soq_listener_options good = options_of(t), bad = good;
	const struct soq_endpoint none = { 0 };
	struct soq_listener *l = NULL;

	bad.size--;
	expect(soq_listener_open(t->loop, &bad, &l), -EINVAL);
	bad = good;
	bad.port = 65536;
	expect(soq_listener_open(t->loop, &bad, &l), -EINVAL);
	bad = good;
	bad.idle_ns = -1;
	expect(soq_listener_open(t->loop, &bad, &l), -EINVAL);
	bad = good;
	bad.header_ns = -1;
	expect(soq_listener_open(t->loop, &bad, &l), -EINVAL);
	bad = good;
	bad.local = &none;
	expect(soq_listener_open(t->loop, &bad, &l), -EINVAL);
	bad = good;
	bad.option_count = 1;
	expect(soq_listener_open(t->loop, &bad, &l), -EINVAL);
	bad = good;
	bad.allocator = &(struct soq_allocator){ .context = t };
	expect(soq_listener_open(t->loop, &bad, &l), -EINVAL);
	bad = good;
	bad.reserved[3] = 1;
	expect(soq_listener_open(t->loop, &bad, &l), -EINVAL);
	assert_null(l);
}

static void options_are_set_at_each_start(struct fixture *t)
{
	const int bytes = 8192;
	const struct soq_option_raw raw[] = {
		{ SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes), 0 },
	};
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	int64_t value = 0;

	options.options = raw;
	options.option_count = COUNT_OF(raw);
	l = listener_open(t, options);
	for (unsigned i = 0; i < 2; i++) {
		(void)listener_start(l);
		expect(soq_socket_get_option(soq_listener_socket(l),
					     SOQ_OPTION_RECEIVE_BUFFER_BYTES, &value),
		       0);
		expect_true(value < 32768);
		expect(soq_listener_stop(l), 0);
	}
	expect(soq_listener_close(l), 0);
}

static void tells_whether_a_client_waits(struct fixture *t)
{
	struct soq_listener *l = listener_open(t, options_of(t));
	struct soq_endpoint ep;
	struct soq_connection place = { 0 };
	struct soq_socket *s = NULL;
	int fd;

	expect(soq_poll(soq_listener_socket(l), SOQ_POLL_RECV, 0), -EINVAL);
	ep = listener_start(l);
	expect(soq_poll(soq_listener_socket(l), SOQ_POLL_RECV, 0), 0);
	fd = raw_connect(&ep);
	expect(soq_poll(soq_listener_socket(l), SOQ_POLL_RECV, watchdog_ns()), SOQ_POLL_RECV);
	expect(soq_listener_accept(l, &place, watchdog_ns(), &s), 0);
	expect(soq_poll(soq_listener_socket(l), SOQ_POLL_RECV, 0), 0);
	expect(soq_listener_stop(l), 0);
	expect(soq_poll(soq_listener_socket(l), SOQ_POLL_RECV, 0), -EINVAL);
	expect(soq_connection_end(&place), 0);
	expect(soq_close(s), 0);
	close(fd);
	expect(soq_listener_close(l), 0);
}

static void accepts_need_a_start_and_end_with_a_stop(struct fixture *t)
{
	struct soq_listener *l = listener_open(t, options_of(t));
	struct visit visits[10] = { 0 };
	struct soq_connection place = { 0 };
	struct soq_socket *s = NULL;
	struct probe *p = probe(t);

	expect(soq_listener_accept(l, &place, 0, &s), -EINVAL);
	expect(soq_listener_accept_async(l, &p->op, &place), -EINVAL);
	(void)listener_start(l);
	expect(soq_listener_accept(l, &place, 0, &s), -ETIMEDOUT);
	assert_null(s);
	for (unsigned i = 0; i < COUNT_OF(visits); i++)
		visit_await(t, l, &visits[i]);
	expect(soq_listener_accept_async(l, &p->op, &visits[0].place), -EBUSY);
	expect(soq_connection_end(&visits[0].place), -EBUSY);
	settle(t);
	expect(look(l).accepts, COUNT_OF(visits));
	expect(soq_listener_stop(l), 0);
	for (unsigned i = 0; i < COUNT_OF(visits); i++) {
		await(t, visits[i].p);
		expect_end(visits[i].p, -ECANCELED, 0);
	}
	expect(soq_listener_accept_async(l, &p->op, &place), -EINVAL);
	expect(soq_listener_close(l), 0);
}

static void starts_again_where_it_was(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l = listener_open(t, options);
	struct soq_endpoint ep = listener_start(l);

	expect(soq_listener_close(l), 0);
	options.local = &ep;
	expect(soq_listener_open(t->loop, &options, &l), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct visit v = { 0 };
		int fd;

		expect(soq_listener_start(l), 0);
		visit_await(t, l, &v);
		fd = raw_connect(&ep);
		await(t, v.p);
		expect_end(v.p, 0, 0);
		/* The server closes first: its port stays in TIME_WAIT. */
		visit_end(&v);
		expect(soq_listener_stop(l), 0);
		close(fd);
	}
	expect(look(l).accepted, 2);
	expect(soq_listener_close(l), 0);
}

static void one_call_listens_for_both_families(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep, to;

	expect(soq_listener_open(t->loop, &options, &l), 0);
	ep = listener_start(l);
	for (int i = 0; i < 2; i++) {
		struct visit v = { 0 };
		int fd;

		if (i == 1 && soq_supports(AF_INET6, SOCK_STREAM, 0) != 1)
			break;
		expect(soq_endpoint_loopback(i == 0 ? AF_INET : AF_INET6,
					     (uint16_t)soq_endpoint_port(&ep), &to),
		       0);
		fd = raw_connect(&to);
		visit_await(t, l, &v);
		await(t, v.p);
		expect_end(v.p, 0, 0);
		visit_end(&v);
		close(fd);
	}
	expect(soq_listener_close(l), 0);
}

static void no_more_come_in_than_there_is_room_for(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit visits[4] = { 0 };
	int fds[4];

	options.connections_max = 2;
	l = listener_open(t, options);
	ep = listener_start(l);
	for (unsigned i = 0; i < COUNT_OF(visits); i++) {
		fds[i] = raw_connect(&ep);
		visit_await(t, l, &visits[i]);
	}
	await(t, visits[0].p);
	await(t, visits[1].p);
	settle(t);
	expect(finished(visits[2].p), 0);
	expect(look(l).connections, 2);
	expect(look(l).held_up, 1);
	visit_end(&visits[1]);
	await(t, visits[2].p);
	settle(t);
	expect(finished(visits[3].p), 0);
	/* What one that waits for room is cancelled for, the next gets. */
	expect(soq_cancel(&visits[3].p->op), 0);
	await(t, visits[3].p);
	expect_end(visits[3].p, -ECANCELED, 0);
	visit_await(t, l, &visits[1]);
	visit_end(&visits[0]);
	await(t, visits[1].p);
	expect_end(visits[1].p, 0, 0);
	visit_end(&visits[1]);
	visit_end(&visits[2]);
	expect(look(l).accepted, 4);
	expect(look(l).connections, 0);
	expect(soq_listener_close(l), 0);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

static void peer_that_has_too_many_is_turned_away(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit visits[4] = { 0 };
	char in;
	int fds[5];

	options.peer_connections_max = 2;
	l = listener_open(t, options);
	ep = listener_start(l);
	for (unsigned i = 0; i < 4; i++)
		visit_await(t, l, &visits[i]);
	for (unsigned i = 0; i < 3; i++)
		fds[i] = client_of(&ep, 1);
	fds[3] = client_of(&ep, 2);
	await(t, visits[2].p);
	expect(look(l).refused, 1);
	expect(look(l).peers, 2);
	expect(raw_recv(t, fds[2], &in, 1), -ECONNRESET);
	visit_end(&visits[0]);
	fds[4] = client_of(&ep, 1);
	await(t, visits[3].p);
	expect_end(visits[3].p, 0, 0);
	for (unsigned i = 1; i < 4; i++)
		visit_end(&visits[i]);
	expect(look(l).peers, 0);
	expect(soq_listener_close(l), 0);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

static void peers_are_told_apart_however_many(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	static struct visit visits[MANY];
	struct soq_listener *l;
	struct soq_endpoint ep;
	int fds[MANY], last;

	memset(visits, 0, sizeof(visits));
	options.peer_connections_max = 1;
	l = listener_open(t, options);
	ep = listener_start(l);
	for (unsigned i = 0; i < MANY; i++) {
		fds[i] = client_of(&ep, 1 + i);
		visit_await(t, l, &visits[i]);
		await(t, visits[i].p);
		expect_end(visits[i].p, 0, 0);
	}
	expect(look(l).peers, MANY);
	expect(look(l).refused, 0);
	last = client_of(&ep, MANY);
	expect(soq_listener_accept(l, &(struct soq_connection){ 0 }, 0,
				   &(struct soq_socket *){ 0 }),
	       -ETIMEDOUT);
	settle(t);
	expect_true(look(l).refused <= 1);
	for (unsigned i = 0; i < MANY; i++) {
		visit_end(&visits[i]);
		close(fds[i]);
	}
	close(last);
	expect(look(l).peers, 0);
	expect(soq_listener_close(l), 0);
}

static void no_more_come_in_than_the_rate_allows(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit visits[12] = { 0 };
	int fds[12];
	int64_t begin_ns;

	options.accepts_per_second_max = 10;
	l = listener_open(t, options);
	ep = listener_start(l);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		fds[i] = raw_connect(&ep);
	begin_ns = now_ns();
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		visit_await(t, l, &visits[i]);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		await(t, visits[i].p);
	/* A second's worth at once, then one after the other. */
	expect_true(now_ns() - begin_ns >= 200 * MS);
	expect(look(l).held_up > 0, 1);
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		expect_end(visits[i].p, 0, 0);
		visit_end(&visits[i]);
		close(fds[i]);
	}
	expect(soq_listener_close(l), 0);
}

static void silent_connection_is_shut_in_its_phase(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit visits[3] = { 0 };
	struct probe *receives[3];
	char in[3];
	int fds[3];

	options.header_ns = 20 * MS;
	options.idle_ns = HOUR;
	l = listener_open(t, options);
	ep = listener_start(l);
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = raw_connect(&ep);
		visit_await(t, l, &visits[i]);
		await(t, visits[i].p);
		receives[i] = probe(t);
		started(receives[i],
			soq_recv_async(visits[i].p->socket, &receives[i]->op, &in[i], 1, 0));
	}
	expect(soq_connection_set_phase(&visits[1].place, SOQ_PHASE_BUSY), 0);
	expect(soq_connection_set_phase(&visits[2].place, SOQ_PHASE_IDLE), 0);
	await(t, receives[0]);
	expect_end(receives[0], 0, 0);
	expect(look(l).expired, 1);
	/* One that is shut has no phase any more, and a place until its end. */
	expect(soq_connection_set_phase(&visits[0].place, SOQ_PHASE_HEADER), 0);
	expect(look(l).connections, 3);
	expect(soq_connection_set_phase(&visits[1].place, SOQ_PHASE_HEADER), 0);
	await(t, receives[1]);
	expect_end(receives[1], 0, 0);
	expect(look(l).expired, 2);
	expect(finished(receives[2]), 0);
	raw_send(fds[2], "x", 1);
	await(t, receives[2]);
	expect_end(receives[2], 1, 0);
	for (unsigned i = 0; i < 3; i++) {
		visit_end(&visits[i]);
		close(fds[i]);
	}
	/* With no connection the clocks stand still, and the loop may rest. */
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect(soq_listener_close(l), 0);
}

static void time_begins_anew_with_each_phase(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit v = { 0 };
	struct probe *receive = probe(t);
	int64_t last_ns = 0;
	char in;
	int fd;

	options.idle_ns = 30 * MS;
	l = listener_open(t, options);
	ep = listener_start(l);
	fd = raw_connect(&ep);
	visit_await(t, l, &v);
	await(t, v.p);
	started(receive, soq_recv_async(v.p->socket, &receive->op, &in, 1, 0));
	for (unsigned i = 0; i < 3; i++) {
		/* On a machine that stood still for so long its time may be over already. */
		if (look(l).expired == 0)
			last_ns = now_ns();
		expect(soq_connection_set_phase(&v.place, SOQ_PHASE_IDLE), 0);
		expect(soq_sleep(t->loop, 5 * MS), 0);
	}
	await(t, receive);
	expect_true(now_ns() - last_ns >= 30 * MS);
	visit_end(&v);
	close(fd);
	expect(soq_listener_close(l), 0);
}

static void drain_waits_for_those_who_work(struct fixture *t)
{
	struct soq_listener *l = listener_open(t, options_of(t));
	struct soq_endpoint ep = listener_start(l);
	struct probe *drain = probe(t), *second = probe(t), *idle = probe(t);
	struct visit visits[3] = { 0 };
	int fds[3];
	char in;

	for (unsigned i = 0; i < 2; i++) {
		fds[i] = raw_connect(&ep);
		visit_await(t, l, &visits[i]);
		await(t, visits[i].p);
	}
	expect(soq_connection_set_phase(&visits[0].place, SOQ_PHASE_IDLE), 0);
	started(idle, soq_recv_async(visits[0].p->socket, &idle->op, &in, 1, 0));
	visit_await(t, l, &visits[2]);
	fds[2] = raw_connect(&ep);
	/* Time over: it may be asked again. Who waited has come in. */
	expect(soq_listener_drain(l, 0), -ETIMEDOUT);
	started(drain, soq_listener_drain_async(l, &drain->op));
	expect(soq_listener_drain_async(l, &second->op), -EBUSY);
	expect(soq_listener_start(l), -EBUSY);
	await(t, visits[2].p);
	expect_end(visits[2].p, 0, 0);
	await(t, idle);
	expect_end(idle, 0, 0);
	visit_end(&visits[0]);
	settle(t);
	expect(finished(drain), 0);
	assert_null(soq_listener_socket(l));
	/* One that comes to rest meanwhile is shut as well. */
	expect(soq_socket_set_timeouts(visits[1].p->socket, watchdog_ns(), FOREVER), 0);
	expect(soq_connection_set_phase(&visits[1].place, SOQ_PHASE_IDLE), 0);
	expect(soq_recv(visits[1].p->socket, &in, 1, 0), 0);
	visit_end(&visits[1]);
	visit_end(&visits[2]);
	await(t, drain);
	expect_end(drain, 0, 0);
	expect(soq_listener_start(l), 0);
	expect(soq_listener_close(l), 0);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
}

static void connections_outlive_their_listener(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit v = { 0 };
	struct probe *drain = probe(t);
	char in;
	int fd;

	options.header_ns = options.idle_ns = HOUR;
	options.peer_connections_max = 1;
	l = listener_open(t, options);
	ep = listener_start(l);
	fd = raw_connect(&ep);
	visit_await(t, l, &v);
	await(t, v.p);
	started(drain, soq_listener_drain_async(l, &drain->op));
	expect(soq_listener_close(l), 0);
	await(t, drain);
	expect_end(drain, -ECANCELED, 0);
	raw_send(fd, "x", 1);
	expect(soq_recv(v.p->socket, &in, 1, 0), 1);
	expect(soq_connection_set_phase(&v.place, SOQ_PHASE_IDLE), 0);
	visit_end(&v);
	expect(soq_connection_set_phase(&v.place, SOQ_PHASE_IDLE), -ENOENT);
	close(fd);
}

static void cancelled_accept_loses_nobody(struct fixture *t)
{
	struct soq_listener *l = listener_open(t, options_of(t));
	struct soq_endpoint ep = listener_start(l);
	struct visit first = { 0 }, second = { 0 };
	int fd;

	visit_await(t, l, &first);
	settle(t);
	fd = raw_connect(&ep);
	expect(soq_cancel(&first.p->op), 0);
	await(t, first.p);
	expect_end(first.p, -ECANCELED, 0);
	settle(t);
	visit_await(t, l, &second);
	await(t, second.p);
	expect_end(second.p, 0, 0);
	visit_end(&second);
	close(fd);
	/* Nothing of the listener's own goes on without an accept. */
	visit_await(t, l, &first);
	settle(t);
	expect(soq_cancel(&first.p->op), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect(soq_listener_close(l), 0);
}

/* The loop ends under all of it. */
static void loop_ends_with_everything_in_flight(struct fixture *t)
{
	struct soq_listener_options options = options_of(t);
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct visit visits[3] = { 0 };
	struct probe *drain = probe(t);
	int fd;

	options.header_ns = HOUR;
	options.connections_max = 2;
	l = listener_open(t, options);
	ep = listener_start(l);
	fd = raw_connect(&ep);
	for (unsigned i = 0; i < 3; i++)
		visit_await(t, l, &visits[i]);
	await(t, visits[0].p);
	started(drain, soq_listener_drain_async(l, &drain->op));
	expect(soq_loop_close_all(t->loop), 0);
	for (unsigned i = 1; i < 3; i++) {
		await(t, visits[i].p);
		expect_end(visits[i].p, -ECANCELED, 0);
	}
	await(t, drain);
	expect_end(drain, -ECANCELED, 0);
	for (unsigned i = 0; i < 3; i++)
		expect(soq_connection_end(&visits[i].place), 0);
	expect(soq_listener_close(l), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(starts_and_stops_as_often_as_one_likes, "B126"),
	CASE(options_are_checked, "B126"),
	CASE(options_are_set_at_each_start, ""),
	CASE(tells_whether_a_client_waits, "B127"),
	CASE(accepts_need_a_start_and_end_with_a_stop, "B128 B130"),
	CASE(starts_again_where_it_was, "B129"),
	CASE(one_call_listens_for_both_families, ""),
	CASE(no_more_come_in_than_there_is_room_for, ""),
	CASE(peer_that_has_too_many_is_turned_away, ""),
	CASE(peers_are_told_apart_however_many, ""),
	CASE(no_more_come_in_than_the_rate_allows, ""),
	CASE(silent_connection_is_shut_in_its_phase, ""),
	CASE(time_begins_anew_with_each_phase, ""),
	CASE(drain_waits_for_those_who_work, ""),
	CASE(connections_outlive_their_listener, ""),
	CASE(cancelled_accept_loses_nobody, ""),
	CASE(loop_ends_with_everything_in_flight, "13c"),
};

CONF_GROUP(listener, cases)
