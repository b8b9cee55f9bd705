/* SPDX-License-Identifier: MIT */
/* Lists of addresses: which is tried, what is told of each, and how it ends early. */
#define _GNU_SOURCE
#include "support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

/* Two addresses that refuse, one that never answers, and two that listen. */
struct places {
	struct soq_endpoint refused[2], silent, listening[2];
	struct full_listener full;
	int holder[2], listener[2];
};

static void places_open(struct places *p)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < 2; i++) {
		refused_endpoint(families[i], &p->refused[i], &p->holder[i]);
		p->listener[i] = raw_listener(families[i], 5, 0, &p->listening[i]);
	}
	full_listener_open(AF_INET, &p->full);
	p->silent = p->full.ep;
}

static void places_close(struct places *p)
{
	for (unsigned i = 0; i < 2; i++) {
		close(p->holder[i]);
		close(p->listener[i]);
	}
	full_listener_close(&p->full);
}

struct trial {
	struct soq_connect_list list;
	struct soq_endpoint endpoints[4];
	int32_t errors[4];
};

static void trial_begin(struct trial *x, const struct soq_endpoint *const *endpoints,
			unsigned count)
{
	*x = (struct trial){ .list = { .size = sizeof(x->list), .type = SOCK_STREAM } };
	for (unsigned i = 0; i < count; i++) {
		x->endpoints[i] = *endpoints[i];
		x->errors[i] = -1;
	}
	x->list.endpoints = x->endpoints;
	x->list.endpoint_count = count;
	x->list.errors = x->errors;
}

#define TRIAL(x, ...)                                                                              \
	do {                                                                                       \
		const struct soq_endpoint *const all_[] = { __VA_ARGS__ };                         \
		trial_begin((x), all_, COUNT_OF(all_));                                            \
	} while (0)

/* The socket is connected to a listener of the kernel's, which has no other. */
static void expect_connected(struct fixture *t, struct soq_socket *s, int listener,
			     const struct soq_endpoint *ep)
{
	int fd = raw_accept(listener);
	struct soq_endpoint peer;
	char in[4];

	expect(soq_socket_peer(s, &peer), 0);
	expect_true(soq_endpoint_equal(&peer, ep));
	expect(soq_send(s, "x", 1, 0), 1);
	expect(raw_recv(t, fd, in, 4), 1);
	raw_send(fd, "y", 1);
	expect(soq_recv(s, in, 4, 0), 1);
	expect(soq_abort(s), 0);
	close(fd);
}

static void first_that_answers_is_taken(struct fixture *t)
{
	struct places p;
	struct trial x;
	struct soq_socket *s = NULL;

	places_open(&p);
	TRIAL(&x, &p.refused[0], &p.refused[1], &p.listening[1], &p.silent);
	expect(soq_connect_list(t->home, &x.list, FOREVER, &s), 0);
	expect(x.errors[0], -ECONNREFUSED);
	expect(x.errors[1], -ECONNREFUSED);
	expect(x.errors[2], 0);
	expect(x.errors[3], 0);
	expect_connected(t, s, p.listener[1], &p.listening[1]);
	TRIAL(&x, &p.listening[0], &p.refused[0]);
	x.list.errors = NULL;
	expect(soq_connect_list(t->home, &x.list, 0x7fffffff, &s), 0);
	expect_connected(t, s, p.listener[0], &p.listening[0]);
	places_close(&p);
}

static void last_error_is_told_when_all_have_failed(struct fixture *t)
{
	struct places p;
	struct trial x;
	struct soq_endpoint path, none = { 0 }, strange = { 0 };
	struct soq_socket *s = NULL;

	places_open(&p);
	unix_abstract(&path);
	strange.size_bytes = sizeof(strange.addr.any);
	strange.addr.any.sa_family = 999;
	TRIAL(&x, &p.refused[0], &none, &strange, &path);
	expect(soq_connect_list(t->home, &x.list, FOREVER, &s), -ECONNREFUSED);
	expect(x.errors[0], -ECONNREFUSED);
	expect(x.errors[1], -EINVAL);
	expect(x.errors[2], -EAFNOSUPPORT);
	expect(x.errors[3], -ECONNREFUSED);
	TRIAL(&x, &p.refused[0], &none);
	expect(soq_connect_list(t->home, &x.list, FOREVER, &s), -EINVAL);
	assert_null(s);
	places_close(&p);
}

static void options_hold_on_every_attempt(struct fixture *t)
{
	const int on = 1, small = 8192;
	const struct soq_option_raw options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on), 0 },
		{ SOL_SOCKET, SO_RCVBUF, &small, sizeof(small), 0 },
		{ IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on), 0 },
	};
	struct places p;
	struct trial x;
	struct soq_socket *s = NULL;
	int value = 0;

	places_open(&p);
	TRIAL(&x, &p.refused[1], &p.listening[0], &p.listening[1]);
	x.list.options = options;
	x.list.option_count = COUNT_OF(options);
	expect(soq_connect_list(t->home, &x.list, FOREVER, &s), 0);
	expect(x.errors[0], -ECONNREFUSED);
	/* It refuses the last of them. */
	expect(x.errors[1], -ENOPROTOOPT);
	expect(soq_option_get(s, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)), sizeof(value));
	expect(value, 1);
	expect(soq_option_get(s, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)), sizeof(value));
	expect(value, 2 * small);
	expect_connected(t, s, p.listener[1], &p.listening[1]);
	places_close(&p);
}

/* They refuse at once, and no news of the loop's would follow. */
static void unix_addresses_are_tried_in_order(struct fixture *t)
{
	struct soq_endpoint nobody[2], ep = { 0 };
	int fd, listener = raw_unix_listener(SOCK_SEQPACKET, 5, &ep);
	struct soq_socket *s = NULL;
	struct trial x;
	char in[4];

	unix_abstract(&nobody[0]);
	unix_abstract(&nobody[1]);
	TRIAL(&x, &nobody[0], &nobody[1], &ep);
	x.list.type = SOCK_SEQPACKET;
	expect(soq_connect_list(t->home, &x.list, FOREVER, &s), 0);
	expect(x.errors[1], -ECONNREFUSED);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	expect_true(fd >= 0);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(raw_recv(t, fd, in, 4), 1);
	expect(soq_close(s), 0);
	close(fd);
	close(listener);
}

static void time_is_for_all_of_them(struct fixture *t)
{
	struct places p;
	struct trial x;
	struct soq_socket *s = NULL;
	int64_t begin = now_ns();

	places_open(&p);
	TRIAL(&x, &p.refused[0], &p.silent, &p.listening[0]);
	expect(soq_connect_list(t->home, &x.list, 5 * MS, &s), -ETIMEDOUT);
	expect_true(now_ns() - begin >= 5 * MS);
	assert_null(s);
	expect(x.errors[0], -ECONNREFUSED);
	expect(x.errors[1], -ETIMEDOUT);
	expect(x.errors[2], 0);
	places_close(&p);
}

static void event_brings_the_socket(struct fixture *t)
{
	struct places p;
	struct trial x;
	struct probe *run = probe(t), *quiet = probe_quiet(t);

	places_open(&p);
	TRIAL(&x, &p.refused[0], &p.refused[1], &p.listening[0]);
	started(run, soq_connect_list_async(t->loop, &run->op, &x.list));
	expect(soq_connect_list_async(t->loop, &run->op, &x.list), -EBUSY);
	await(t, run);
	expect_end(run, 0, 0);
	expect_connected(t, run->socket, p.listener[0], &p.listening[0]);
	/* The same op again, waited for. */
	started(quiet, soq_connect_list_async(t->loop, &quiet->op, &x.list));
	expect(wait_end(quiet), 0);
	expect_connected(t, quiet->socket, p.listener[0], &p.listening[0]);
	x.list.endpoint_count = 2;
	started(quiet, soq_connect_list_async(t->loop, &quiet->op, &x.list));
	expect(wait_end(quiet), -ECONNREFUSED);
	expect(stats_of(t).sockets, 0);
	places_close(&p);
}

static void cancel_and_deadline_end_the_whole_list(struct fixture *t)
{
	/* Of each: before and after the kernel has an attempt. */
	for (unsigned i = 0; i < 4; i++) {
		struct places p;
		struct trial x;
		struct probe *run = probe(t);
		int64_t last = i / 2 ? -ETIMEDOUT : -ECANCELED;

		places_open(&p);
		TRIAL(&x, &p.silent, &p.listening[0]);
		if (i / 2)
			run->op.deadline_ns = i % 2 ? now_ns() + 5 * MS : 1;
		started(run, soq_connect_list_async(t->loop, &run->op, &x.list));
		if (i % 2)
			settle(t);
		if (i / 2 == 0) {
			expect(soq_cancel(&run->op), 0);
			expect(soq_cancel(&run->op), i % 2 ? -EALREADY : -ENOENT);
		}
		await(t, run);
		expect_end(run, last, 0);
		assert_null(run->socket);
		expect(x.errors[0], last);
		expect(x.errors[1], 0);
		run_until(t, stats_of(t).sockets == 0);
		places_close(&p);
	}
}

static void close_all_ends_lists_and_takes_their_sockets(struct fixture *t)
{
	struct places p;
	struct trial x[3];
	struct probe *connected = probe_quiet(t), *flying = probe(t), *fresh = probe(t);

	places_open(&p);
	TRIAL(&x[0], &p.refused[0], &p.listening[0]);
	TRIAL(&x[1], &p.refused[0], &p.silent, &p.listening[1]);
	TRIAL(&x[2], &p.listening[1]);
	started(connected, soq_connect_list_async(t->loop, &connected->op, &x[0].list));
	started(flying, soq_connect_list_async(t->loop, &flying->op, &x[1].list));
	run_until(t, stats_of(t).events_waiting == 1 && x[1].errors[0] != 0);
	settle(t);
	started(fresh, soq_connect_list_async(t->loop, &fresh->op, &x[2].list));
	expect(soq_loop_close_all(t->loop), 0);
	run_until(t, finished(flying) && finished(fresh));
	expect_end(flying, -ECANCELED, 0);
	expect_end(fresh, -ECANCELED, 0);
	expect(wait_end(connected), -ECANCELED);
	assert_null(connected->socket);
	run_until(t, stats_of(t).sockets == 0);
	places_close(&p);
}

static void many_lists_go_on_at_once(struct fixture *t)
{
	enum { LISTS = 20 };
	struct soq_endpoint ep, refused;
	int holder, listener = raw_listener(AF_INET, LISTS, 0, &ep);
	struct trial x[LISTS];
	struct probe *p[LISTS];

	refused_endpoint(AF_INET, &refused, &holder);
	for (unsigned i = 0; i < LISTS; i++) {
		if (i % 3)
			TRIAL(&x[i], &refused, &refused, &refused, &ep);
		else
			TRIAL(&x[i], &refused, &refused);
		p[i] = probe(t);
		started(p[i], soq_connect_list_async(t->loop, &p[i]->op, &x[i].list));
	}
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) == LISTS);
	for (unsigned i = 0; i < LISTS; i++) {
		expect_end(p[i], i % 3 ? 0 : -ECONNREFUSED, 0);
		if (i % 3)
			expect(soq_abort(p[i]->socket), 0);
	}
	close(listener);
	close(holder);
}

static const struct conf_case cases[] = {
	SYNC_CASE(first_that_answers_is_taken, "20a"),
	SYNC_CASE(last_error_is_told_when_all_have_failed, "5a"),
	SYNC_CASE(options_hold_on_every_attempt, "5a"),
	SYNC_CASE(unix_addresses_are_tried_in_order, "5a"),
	SYNC_CASE(time_is_for_all_of_them, "6b 20a"),
	CASE(event_brings_the_socket, "1b 4b"),
	CASE(cancel_and_deadline_end_the_whole_list, "6a 6b"),
	CASE(close_all_ends_lists_and_takes_their_sockets, "13a 13d"),
	CASE(many_lists_go_on_at_once, "1b"),
};

CONF_GROUP(connect_list, cases)
