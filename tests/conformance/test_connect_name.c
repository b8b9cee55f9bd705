/* SPDX-License-Identifier: MIT */
/* Connecting by name: which address is tried when, what is told of each, how it all ends. */
#define _GNU_SOURCE
#include "resolver.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

enum { DOORS_MAX = 4 };

/* Far longer than a prompt end takes. */
#define PROMPT_NS (3000 * MS)

/* Time for three attempts with 10 ms between them, on a machine that has others to run too. */
#define THREE_NS (150 * MS)

/* Addresses of this machine with one port, each open (O), shut (X) or silent (_). */
struct doors {
	unsigned count, port;
	struct soq_endpoint ep[DOORS_MAX];
	int fds[DOORS_MAX];
	int fillers[DOORS_MAX];
};

static int door_bind(struct soq_endpoint *ep)
{
	int fd = socket(ep->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	expect_true(fd >= 0);
	if (bind(fd, &ep->addr.any, ep->size_bytes) == 0)
		return fd;
	expect(errno, EADDRINUSE);
	close(fd);
	return -1;
}

/* All of them, with the port that the first is given; false if somebody has it elsewhere. */
static int doors_bind(struct doors *d, const char *const *texts, const char *kinds)
{
	for (unsigned i = 0; kinds[i] != '\0'; i++) {
		expect(soq_endpoint_parse(texts[i], &d->ep[i]), 0);
		if (d->ep[i].addr.any.sa_family == AF_INET)
			d->ep[i].addr.ipv4.sin_port = htons((uint16_t)d->port);
		else
			d->ep[i].addr.ipv6.sin6_port = htons((uint16_t)d->port);
		d->fds[i] = door_bind(&d->ep[i]);
		if (d->fds[i] < 0) {
			while (i-- > 0)
				close(d->fds[i]);
			return 0;
		}
		if (i == 0) {
			socklen_t size = sizeof(d->ep[0].addr);

			expect(getsockname(d->fds[0], &d->ep[0].addr.any, &size), 0);
			d->port = (unsigned)soq_endpoint_port(&d->ep[0]);
		}
	}
	return 1;
}

static void doors_open(struct doors *d, const char *const *texts, const char *kinds)
{
	d->count = (unsigned)strlen(kinds);
	do
		d->port = 0;
	while (!doors_bind(d, texts, kinds));
	for (unsigned i = 0; i < d->count; i++) {
		d->fillers[i] = -1;
		if (kinds[i] != 'X')
			expect(listen(d->fds[i], kinds[i] == '_' ? 0 : 64), 0);
		if (kinds[i] == '_')
			d->fillers[i] = raw_connect(&d->ep[i]);
	}
	resolver_open();
	resolver_finds(d->ep, d->count);
}

static void doors_close(struct doors *d)
{
	for (unsigned i = 0; i < d->count; i++) {
		close(d->fds[i]);
		if (d->fillers[i] >= 0)
			close(d->fillers[i]);
	}
	resolver_close();
}

#define V4(n) "127.0.0." #n ":0"
#define V6    "[::1]:0"

struct trial {
	struct soq_connect_name name;
	struct soq_endpoint endpoints[DOORS_MAX + 1];
	int32_t errors[DOORS_MAX + 1];
};

/* One that waits for ever before it goes on, unless told otherwise. */
static void trial_begin(struct trial *x, const struct doors *d)
{
	*x = (struct trial){ .name = { .size = sizeof(x->name),
				       .host = "some.host",
				       .host_bytes = 9,
				       .port = d->port,
				       .stagger_ns = HOUR,
				       .endpoint_max = DOORS_MAX + 1 } };
	for (unsigned i = 0; i <= DOORS_MAX; i++) {
		x->errors[i] = 1;
		x->endpoints[i].size_bytes = 7;
	}
	x->name.endpoints = x->endpoints;
	x->name.errors = x->errors;
}

/* Connected to the listener behind a door, and works. */
static void expect_through(struct fixture *t, struct soq_socket *s, const struct doors *d,
			   unsigned door)
{
	int fd = raw_accept(d->fds[door]);
	struct soq_endpoint peer;
	char in[4];

	expect(soq_socket_peer(s, &peer), 0);
	expect_true(soq_endpoint_equal(&peer, &d->ep[door]));
	expect(soq_send(s, "x", 1, 0), 1);
	expect(raw_recv(t, fd, in, 4), 1);
	raw_send(fd, "y", 1);
	expect(soq_recv(s, in, 4, 0), 1);
	expect(soq_abort(s), 0);
	close(fd);
}

static void expect_errors(const struct trial *x, unsigned count, const int *want)
{
	for (unsigned i = 0; i < count; i++)
		expect_at(x->errors[i], want[i], "error", __FILE__, (int)i);
}
#define EXPECT_ERRORS(x, ...)                                                                      \
	do {                                                                                       \
		const int want_[] = { __VA_ARGS__ };                                               \
		expect_errors((x), COUNT_OF(want_), want_);                                        \
	} while (0)

static void second_address_answers_while_the_first_is_silent(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1) };
	int64_t begin_ns = now_ns();
	struct soq_socket *s = NULL;
	struct doors d;
	struct trial x;

	doors_open(&d, texts, "_O");
	trial_begin(&x, &d);
	x.name.stagger_ns = 20 * MS;
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), 0);
	expect_true(now_ns() - begin_ns >= 20 * MS);
	expect_true(now_ns() - begin_ns < PROMPT_NS);
	EXPECT_ERRORS(&x, -ECANCELED, 0);
	expect_through(t, s, &d, 1);
	run_until(t, t->home == NULL || stats_of(t).sockets == 0);
	doors_close(&d);
}

/*
 * 250 ms if nothing was said, and not 50 more: as the loop's own timer has them, without the
 * time that others had the processor.
 */
static void second_family_answers_within_300_ms(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1) };
	struct probe *p = probe(t), *slept = probe(t);
	int64_t begin_ns, slept_ns, held_ns;
	struct doors d;
	struct trial x;

	doors_open(&d, texts, "_O");
	trial_begin(&x, &d);
	x.name.stagger_ns = 0;
	begin_ns = now_ns();
	started(p, soq_connect_name_async(t->loop, &p->op, &x.name));
	started(slept, soq_sleep_async(t->loop, &slept->op, 240 * MS));
	await(t, slept);
	slept_ns = now_ns();
	held_ns = held_up_ns();
	await(t, p);
	expect_end(p, 0, 0);
	slept_ns += held_up_ns() - held_ns;
	expect_true(now_ns() - begin_ns >= 250 * MS);
	expect_true(now_ns() - slept_ns < 60 * MS * (int64_t)env_number("SOQ_TEST_SLOW", 1));
	EXPECT_ERRORS(&x, -ECANCELED, 0);
	expect_through(t, p->socket, &d, 1);
	/* The loser is closed. */
	run_until(t, stats_of(t).sockets == 0);
	doors_close(&d);
}

static void family_that_answers_is_taken(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1) };

	/* One that listens, first or second; and the same by the text of its address. */
	for (unsigned open = 0; open < 2; open++) {
		struct soq_socket_info info = { .size = sizeof(info) };
		struct soq_socket *s = NULL;
		struct doors d;
		struct trial x;

		doors_open(&d, texts, open ? "XO" : "OX");
		trial_begin(&x, &d);
		expect(soq_connect_name(t->home, &x.name, FOREVER, &s), 0);
		expect(soq_socket_info(s, &info), 0);
		expect(info.family, open ? AF_INET : AF_INET6);
		expect(info.state, SOQ_STATE_CONNECTED);
		expect(x.errors[open], 0);
		expect_through(t, s, &d, open);
		x.name.host = open ? "[::FFFF:127.0.0.1]" : "[::1]";
		x.name.host_bytes = strlen(x.name.host);
		expect(soq_connect_name(t->home, &x.name, FOREVER, &s), 0);
		expect(soq_socket_info(s, &info), 0);
		expect(info.family, AF_INET6);
		expect(info.state, SOQ_STATE_CONNECTED);
		expect(x.errors[0], 0);
		expect(soq_abort(s), 0);
		doors_close(&d);
	}
}

static void refusal_has_the_next_one_begin(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1), V4(2), V4(3) };
	struct soq_socket *s = NULL;
	struct doors d;
	struct trial x;

	doors_open(&d, texts, "XXO_");
	trial_begin(&x, &d);
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), 0);
	EXPECT_ERRORS(&x, -ECONNREFUSED, -ECONNREFUSED, 0, 0);
	expect_through(t, s, &d, 2);
	/* And beside one that is silent, when the timer has begun that one. */
	resolver_finds((const struct soq_endpoint[]){ d.ep[3], d.ep[1], d.ep[2] }, 3);
	x.name.stagger_ns = 15 * MS;
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), 0);
	EXPECT_ERRORS(&x, -ECANCELED, -ECONNREFUSED, 0, 0);
	expect_through(t, s, &d, 2);
	doors_close(&d);
}

static void families_take_turns(struct fixture *t)
{
	static const char *const texts[] = { V4(1), V4(2), V4(3), V6 };
	static const unsigned turns[] = { 0, 3, 1, 2 };
	struct soq_socket *s = NULL;
	struct doors d;
	struct trial x;

	doors_open(&d, texts, "XXXX");
	for (unsigned in_order = 0; in_order < 2; in_order++) {
		trial_begin(&x, &d);
		x.name.flags = in_order ? SOQ_CONNECT_IN_ORDER : 0;
		expect(soq_connect_name(t->home, &x.name, FOREVER, &s), -ECONNREFUSED);
		EXPECT_ERRORS(&x, -ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED, 0);
		for (unsigned i = 0; i < 4; i++)
			expect_true(soq_endpoint_equal(&x.endpoints[i],
						       &d.ep[in_order ? i : turns[i]]));
		expect(x.endpoints[4].size_bytes, 0);
	}
	/* Room for some of them alone, or for none. */
	trial_begin(&x, &d);
	x.name.endpoint_max = 1;
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), -ECONNREFUSED);
	EXPECT_ERRORS(&x, -ECONNREFUSED, 1);
	expect(x.endpoints[1].size_bytes, 7);
	x.name.endpoints = NULL;
	x.name.errors = NULL;
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), -ECONNREFUSED);
	/* Of one family alone. */
	trial_begin(&x, &d);
	x.name.family = AF_INET6;
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), -ECONNREFUSED);
	expect_true(soq_endpoint_equal(&x.endpoints[0], &d.ep[3]));
	expect(x.endpoints[1].size_bytes, 0);
	assert_null(s);
	doors_close(&d);
}

static void in_order_one_waits_for_the_other(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1), V4(2) };
	struct soq_socket *s = NULL;
	struct doors d;
	struct trial x;

	doors_open(&d, texts, "X_O");
	trial_begin(&x, &d);
	x.name.flags = SOQ_CONNECT_IN_ORDER;
	x.name.stagger_ns = 10 * MS;
	expect(soq_connect_name(t->home, &x.name, 50 * MS, &s), -ETIMEDOUT);
	EXPECT_ERRORS(&x, -ECONNREFUSED, -ETIMEDOUT, 0, 0);
	assert_null(s);
	doors_close(&d);
}

/* The options an address's socket has, whichever address it is. */
static void options_hold_on_every_attempt(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1), V4(2) };
	const int on = 1, off = 0, small = 8192;
	const struct linger linger = { .l_onoff = 1, .l_linger = 7 };
	const struct soq_option_raw options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on), 0 },
		{ SOL_SOCKET, SO_RCVBUF, &small, sizeof(small), 0 },
		{ SOL_SOCKET, SO_SNDBUF, &small, sizeof(small), 0 },
		{ SOL_SOCKET, SO_LINGER, &linger, sizeof(linger), 0 },
		{ IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off), 0 },
	};
	struct soq_socket *s = NULL;
	struct doors d;
	struct trial x;

	/* After two that refused the connection, and with all there is but the last. */
	doors_open(&d, texts, "XXO");
	trial_begin(&x, &d);
	x.name.options = options;
	x.name.option_count = COUNT_OF(options) - 1;
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), 0);
	for (unsigned i = 0; i < 3; i++) {
		int value = 0;

		expect(soq_option_get(s, options[i].level, options[i].name, &value, sizeof(value)),
		       sizeof(value));
		expect(value, i == 0 ? 1 : 2 * small);
	}
	int64_t linger_ns = 0;

	expect(soq_socket_get_option(s, SOQ_OPTION_LINGER_NS, &linger_ns), 0);
	expect(linger_ns, 7000 * MS);
	expect_through(t, s, &d, 2);
	/* One that refuses an option is passed over. */
	x.name.option_count = COUNT_OF(options);
	s = NULL;
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), -ENOPROTOOPT);
	EXPECT_ERRORS(&x, -ECONNREFUSED, -ENOPROTOOPT, -ENOPROTOOPT);
	assert_null(s);
	doors_close(&d);
}

static void time_is_for_all_of_it(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1), V4(2) };
	int64_t begin_ns = now_ns();
	struct soq_socket *s = NULL;
	struct doors d;
	struct trial x;

	doors_open(&d, texts, "___");
	trial_begin(&x, &d);
	x.name.stagger_ns = 10 * MS;
	expect(soq_connect_name(t->home, &x.name, THREE_NS, &s), -ETIMEDOUT);
	expect_true(now_ns() - begin_ns >= THREE_NS);
	expect_true(now_ns() - begin_ns < PROMPT_NS);
	EXPECT_ERRORS(&x, -ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT);
	assert_null(s);
	doors_close(&d);
}

static void event_brings_the_socket(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1), V4(2) };
	struct probe *run = probe(t), *quiet = probe_quiet(t);
	struct doors d;
	struct trial x;

	doors_open(&d, texts, "X_O");
	trial_begin(&x, &d);
	x.name.stagger_ns = 10 * MS;
	started(run, soq_connect_name_async(t->loop, &run->op, &x.name));
	expect(soq_connect_name_async(t->loop, &run->op, &x.name), -EBUSY);
	await(t, run);
	expect_end(run, 0, 0);
	EXPECT_ERRORS(&x, -ECONNREFUSED, -ECANCELED, 0, 0);
	expect_through(t, run->socket, &d, 2);
	/* The same again, waited for. */
	started(quiet, soq_connect_name_async(t->loop, &quiet->op, &x.name));
	expect(wait_end(quiet), 0);
	expect_through(t, quiet->socket, &d, 2);
	run_until(t, stats_of(t).sockets == 0);
	doors_close(&d);
}

static void cancel_and_deadline_end_all_attempts(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1), V4(2) };
	struct doors d;

	doors_open(&d, texts, "__X");
	for (unsigned i = 0; i < 2; i++) {
		int last = i ? -ETIMEDOUT : -ECANCELED;
		struct probe *p = probe(t);
		struct trial x;

		trial_begin(&x, &d);
		x.name.stagger_ns = 10 * MS;
		if (i)
			p->op.deadline_ns = now_ns() + THREE_NS;
		started(p, soq_connect_name_async(t->loop, &p->op, &x.name));
		run_until(t, x.errors[2] == -ECONNREFUSED || finished(p));
		expect(finished(p), 0);
		if (i == 0) {
			expect(soq_cancel(&p->op), 0);
			expect_true(soq_cancel(&p->op) < 0);
		}
		await(t, p);
		expect_end(p, last, 0);
		assert_null(p->socket);
		EXPECT_ERRORS(&x, last, last, -ECONNREFUSED, 0);
		run_until(t, stats_of(t).sockets == 0);
	}
	doors_close(&d);
}

static void close_all_ends_it_and_takes_its_sockets(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1) };
	struct probe *connected = probe_quiet(t), *flying = probe(t), *fresh = probe(t);
	struct trial x[3];
	struct doors d;

	doors_open(&d, texts, "_O");
	for (unsigned i = 0; i < 3; i++)
		trial_begin(&x[i], &d);
	x[0].name.stagger_ns = 10 * MS;
	started(connected, soq_connect_name_async(t->loop, &connected->op, &x[0].name));
	started(flying, soq_connect_name_async(t->loop, &flying->op, &x[1].name));
	run_until(t, stats_of(t).events_waiting == 1 && x[1].endpoints[0].size_bytes > 7);
	settle(t);
	started(fresh, soq_connect_name_async(t->loop, &fresh->op, &x[2].name));
	expect(soq_loop_close_all(t->loop), 0);
	run_until(t, finished(flying) && finished(fresh));
	expect_end(flying, -ECANCELED, 0);
	expect_end(fresh, -ECANCELED, 0);
	expect(wait_end(connected), -ECANCELED);
	assert_null(connected->socket);
	run_until(t, stats_of(t).sockets == 0);
	doors_close(&d);
}

static void many_go_on_at_once(struct fixture *t)
{
	static const char *const texts[] = { V6, V4(1), V4(2), V4(3) };
	enum { MANY = 20 };
	struct trial x[MANY];
	struct probe *p[MANY];
	struct doors d;

	doors_open(&d, texts, "X_OX");
	for (unsigned i = 0; i < MANY; i++) {
		trial_begin(&x[i], &d);
		x[i].name.stagger_ns = 10 * MS;
		x[i].name.family = i % 3 ? AF_UNSPEC : AF_INET6;
		p[i] = probe(t);
		started(p[i], soq_connect_name_async(t->loop, &p[i]->op, &x[i].name));
	}
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) == MANY);
	for (unsigned i = 0; i < MANY; i++) {
		expect_end(p[i], i % 3 ? 0 : -ECONNREFUSED, 0);
		if (i % 3)
			expect(soq_abort(p[i]->socket), 0);
	}
	run_until(t, stats_of(t).sockets == 0);
	doors_close(&d);
}

static void datagrams_have_a_peer_by_name(struct fixture *t)
{
	static const char *const texts[] = { V6 };
	struct soq_socket *s = NULL;
	struct soq_endpoint peer;
	struct doors d;
	struct trial x;

	doors_open(&d, texts, "O");
	trial_begin(&x, &d);
	x.name.type = SOCK_DGRAM;
	expect(soq_connect_name(t->home, &x.name, FOREVER, &s), 0);
	expect(soq_socket_peer(s, &peer), 0);
	expect_true(soq_endpoint_equal(&peer, &d.ep[0]));
	expect(soq_close(s), 0);
	doors_close(&d);
}

static const struct conf_case cases[] = {
	SYNC_CASE(second_address_answers_while_the_first_is_silent, ""),
	CASE(second_family_answers_within_300_ms, "B108"),
	SYNC_CASE(family_that_answers_is_taken, "B107"),
	SYNC_CASE(refusal_has_the_next_one_begin, ""),
	SYNC_CASE(families_take_turns, "5a"),
	SYNC_CASE(in_order_one_waits_for_the_other, "6b"),
	SYNC_CASE(options_hold_on_every_attempt, "B102"),
	SYNC_CASE(time_is_for_all_of_it, "6b"),
	CASE(event_brings_the_socket, "1b 4b"),
	CASE(cancel_and_deadline_end_all_attempts, "6a 6b"),
	CASE(close_all_ends_it_and_takes_its_sockets, "13a 13d"),
	CASE(many_go_on_at_once, "1b"),
	SYNC_CASE(datagrams_have_a_peer_by_name, ""),
};

CONF_GROUP(connect_name, cases)
