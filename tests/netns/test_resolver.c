/* SPDX-License-Identifier: MIT */
/*
 * Names by the system's own resolver: what hosts files and name servers say, slow ones and dead
 * ones, and connections to hosts that have several addresses.
 */
#define _GNU_SOURCE
#include "names.h"

#include <net/if.h>
#include <stdio.h>

/* Far longer than a prompt end takes, far shorter than the resolver's patience. */
#define PROMPT_NS (3000 * MS)

enum { MANY = 40 }; /* more than one datagram holds */

static const char etc_hosts[] = "192.0.2.7 file4\n"
				"2001:db8::7 file6\n"
				"192.0.2.8 file\n"
				"2001:db8::8 file\n"
				"192.0.2.9 mine.test\n";

static const char zone[] = "192.0.2.1 a.test both.test\n"
			   "2001:db8::1 aaaa.test both.test\n"
			   "192.0.2.2 mine.test\n"
			   "2001:db8::2 mine.test\n"
			   "127.0.0.1 near.test\n"
			   "::1 near.test\n"
			   "10.0.0.2 far.test\n"
			   "fd00:0::2 far.test\n";

static void served(struct names *n, unsigned count)
{
	names_open(n, count, etc_hosts, "127.0.0.1");
	names_serve(n, zone);
}

static struct soq_resolve question(const char *host, struct soq_endpoint *out, unsigned room)
{
	return (struct soq_resolve){ .size = sizeof(struct soq_resolve),
				     .host = host,
				     .host_bytes = strlen(host),
				     .port = 80,
				     .endpoints = out,
				     .endpoint_max = room };
}

static void expect_addresses(struct fixture *t, const char *host, int family, int result,
			     const char *const *texts)
{
	struct soq_endpoint out[2];
	struct soq_resolve q = question(host, out, 2);

	q.family = family;
	expect_at(soq_resolve(t->home, &q, FOREVER), result, host, __FILE__, __LINE__);
	for (int i = 0; i < result; i++) {
		struct soq_endpoint want = at(texts[i]);

		expect_at(soq_endpoint_equal(&out[i], &want), 1, host, __FILE__, __LINE__);
	}
}

static void hosts_file_is_asked_first(struct fixture *t)
{
	static const char *const texts[] = { "[2001:db8::8]:80", "192.0.2.8:80" };
	static const char *const of_4[] = { "192.0.2.7:80" }, *const of_6[] = {
		"[2001:db8::7]:80"
	};
	static const char *const mine[] = { "192.0.2.9:80" };
	struct names n;

	served(&n, 1);
	expect_addresses(t, "file4", 0, 1, of_4);
	expect_addresses(t, "file4", AF_INET, 1, of_4);
	expect_addresses(t, "FILE6", 0, 1, of_6);
	expect_addresses(t, "file6", AF_INET6, 1, of_6);
	expect_addresses(t, "file", 0, 2, texts);
	expect_addresses(t, "file", AF_INET, 1, texts + 1);
	/* What the server says otherwise is not heard. */
	expect_addresses(t, "mine.test", 0, 1, mine);
	names_close(&n);
}

static void name_server_is_asked_for_both_families(struct fixture *t)
{
	static const char *const texts[] = { "[2001:db8::1]:80", "192.0.2.1:80" };
	struct names n;

	served(&n, 1);
	expect_addresses(t, "a.test", 0, 1, texts + 1);
	expect_addresses(t, "a.test", AF_INET, 1, texts + 1);
	expect_addresses(t, "a.test", AF_INET6, SOQ_NAME_NO_DATA, NULL);
	expect_addresses(t, "aaaa.test", 0, 1, texts);
	expect_addresses(t, "aaaa.test", AF_INET6, 1, texts);
	expect_addresses(t, "aaaa.test", AF_INET, SOQ_NAME_NO_DATA, NULL);
	expect_addresses(t, "both.test", 0, 2, texts);
	expect_addresses(t, "both.test.", AF_INET, 1, texts + 1);
	expect_addresses(t, "Both", AF_INET6, 1, texts);
	expect_addresses(t, "nobody.test", 0, SOQ_NAME_NOT_FOUND, NULL);
	expect_addresses(t, "nobody.test", AF_INET6, SOQ_NAME_NOT_FOUND, NULL);
	/* It answers for no others. */
	expect_addresses(t, "a.example.", 0, SOQ_NAME_TRY_AGAIN, NULL);
	names_close(&n);
}

static void server_that_is_not_there_is_to_be_tried_again(struct fixture *t)
{
	struct names n;

	names_open(&n, 1, etc_hosts, "127.0.0.1");
	expect_addresses(t, "a.test", 0, SOQ_NAME_TRY_AGAIN, NULL);
	names_close(&n);
}

/* Told how many there are, and given as many as there is room for. */
static void many_addresses_are_counted(struct fixture *t)
{
	static const unsigned rooms[] = { MANY, 3, 0 };
	struct soq_endpoint out[MANY];
	char text[MANY * 32];
	struct soq_resolve q = question("many.test", out, MANY);
	size_t size = 0;
	struct names n;

	for (unsigned i = 1; i <= MANY; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "192.0.2.%u many.test\n",
					 i);
	names_open(&n, 1, etc_hosts, "127.0.0.1");
	names_serve(&n, text);
	for (unsigned k = 0; k < COUNT_OF(rooms); k++) {
		uint64_t seen = 0;

		memset(out, 0, sizeof(out));
		q.endpoint_max = rooms[k];
		expect(soq_resolve(t->home, &q, FOREVER), MANY);
		for (unsigned i = 0; i < rooms[k]; i++) {
			expect(out[i].addr.any.sa_family, AF_INET);
			seen |= UINT64_C(1) << (ntohl(out[i].addr.ipv4.sin_addr.s_addr) & 63);
		}
		expect(__builtin_popcountll(seen), rooms[k]);
		for (unsigned i = rooms[k]; i < MANY; i++)
			expect(out[i].size_bytes, 0);
	}
	names_close(&n);
}

/* A lookup at work, asked of a server that says nothing. */
struct slow {
	struct names n;
	int server;
	struct asked asked[2];
	struct soq_endpoint out[2];
	struct soq_resolve q;
};

static void slow_open(struct slow *x)
{
	names_open(&x->n, 1, etc_hosts, "127.0.0.1");
	x->server = server_open("127.0.0.1");
	x->q = question("host.test.", x->out, 2);
}

/* Both families have been asked for. */
static void slow_take(struct slow *x)
{
	for (unsigned i = 0; i < 2; i++)
		server_take(x->server, &x->asked[i]);
}

static void slow_answer(const struct slow *x, unsigned code, const char *address)
{
	for (unsigned i = 0; i < 2; i++)
		server_answer(x->server, &x->asked[i], code, address);
}

static void slow_close(struct slow *x)
{
	names_close(&x->n);
	expect(close(x->server), 0);
}

static void late_answer_is_waited_for(struct fixture *t)
{
	struct probe *p = probe(t), *slept = probe(t);
	struct soq_endpoint want = at("192.0.2.3:80");
	struct slow x;

	slow_open(&x);
	started(p, soq_resolve_async(t->loop, &p->op, &x.q));
	slow_take(&x);
	/* The loop has better things to do. */
	started(slept, soq_sleep_async(t->loop, &slept->op, 20 * MS));
	await(t, slept);
	expect(finished(p), 0);
	slow_answer(&x, 0, "192.0.2.3");
	await(t, p);
	expect_end(p, 1, 0);
	expect_true(soq_endpoint_equal(&x.out[0], &want));
	slow_close(&x);
}

static void what_the_server_says_is_kept_apart(struct fixture *t)
{
	static const int rows[][2] = {
		{ 0, SOQ_NAME_NO_DATA },   /* no error, and no address */
		{ 2, SOQ_NAME_TRY_AGAIN }, /* server failure */
		{ 3, SOQ_NAME_NOT_FOUND }, /* no such name */
		{ 5, SOQ_NAME_TRY_AGAIN }, /* refused */
	};
	struct slow x;

	slow_open(&x);
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct probe *p = probe(t);

		started(p, soq_resolve_async(t->loop, &p->op, &x.q));
		slow_take(&x);
		slow_answer(&x, (unsigned)rows[i][0], NULL);
		await(t, p);
		expect_end(p, rows[i][1], 0);
	}
	slow_close(&x);
}

static struct soq_connect_name connection(const char *host, unsigned port)
{
	return (struct soq_connect_name){ .size = sizeof(struct soq_connect_name),
					  .host = host,
					  .host_bytes = strlen(host),
					  .port = port };
}

static void dead_server_holds_no_call(struct fixture *t)
{
	struct soq_connect_name name = connection("host.test.", 80);
	int64_t begin_ns = now_ns();
	struct soq_socket *s = NULL;
	struct slow x;

	slow_open(&x);
	expect(soq_resolve(t->home, &x.q, 10 * MS), -ETIMEDOUT);
	slow_take(&x);
	slow_answer(&x, 2, NULL);
	expect(soq_connect_name(t->home, &name, 10 * MS, &s), -ETIMEDOUT);
	slow_take(&x);
	slow_answer(&x, 2, NULL);
	expect_true(now_ns() - begin_ns < PROMPT_NS);
	assert_null(s);
	slow_close(&x);
}

static void dead_server_holds_no_op(struct fixture *t)
{
	struct soq_connect_name name = connection("host.test.", 80);
	int64_t begin_ns = now_ns();
	struct slow x;

	slow_open(&x);
	/* By its deadline, or a cancel; of a lookup, or of a connect. */
	for (unsigned i = 0; i < 4; i++) {
		struct probe *p = probe(t);

		if (i % 2)
			p->op.deadline_ns = now_ns() + 10 * MS;
		if (i / 2)
			started(p, soq_connect_name_async(t->loop, &p->op, &name));
		else
			started(p, soq_resolve_async(t->loop, &p->op, &x.q));
		slow_take(&x);
		if (i % 2 == 0)
			expect(soq_cancel(&p->op), 0);
		await(t, p);
		expect_end(p, i % 2 ? -ETIMEDOUT : -ECANCELED, 0);
		expect(names_at_work(&x.n), 1);
		slow_answer(&x, 0, "192.0.2.3");
		names_rest(&x.n);
	}
	expect_true(now_ns() - begin_ns < PROMPT_NS);
	slow_close(&x);
}

/* The answer comes when nobody is left to take it. */
static void dead_server_holds_no_loop(struct fixture *t)
{
	struct probe *p = probe(t);
	int64_t begin_ns = now_ns();
	struct slow x;

	slow_open(&x);
	started(p, soq_resolve_async(t->loop, &p->op, &x.q));
	slow_take(&x);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_loop_destroy(t->loop), 0);
	t->loop_is_gone = 1;
	expect(names_at_work(&x.n), 1);
	slow_answer(&x, 0, "192.0.2.3");
	slow_close(&x);
	expect_true(now_ns() - begin_ns < PROMPT_NS);
}

/* A connect by name that tells of two addresses; IPv6 is tried first. */
struct trial {
	struct names n;
	struct soq_connect_name name;
	struct soq_endpoint there, endpoints[2];
	int32_t errors[2];
	struct soq_socket *listener;
};

/* Host 1, or this one if there is no other, listens on the IPv4 address alone. */
static void trial_open(struct fixture *t, struct trial *x, unsigned count)
{
	*x = (struct trial){ .errors = { 1, 1 } };
	served(&x->n, count);
	x->listener = host_bound(t, &x->n.h, count - 1, SOCK_STREAM,
				 count > 1 ? "10.0.0.2:0" : "127.0.0.1:0", &x->there);
	expect(soq_listen(x->listener, 0), 0);
	x->name = connection(count > 1 ? "far.test" : "near.test",
			     (unsigned)soq_endpoint_port(&x->there));
	x->name.endpoints = x->endpoints;
	x->name.errors = x->errors;
	x->name.endpoint_max = 2;
}

/* Connected to the listener, and why not to the first address. */
static void expect_through(struct fixture *t, const struct trial *x, struct soq_socket *s,
			   int why_not)
{
	struct soq_socket *accepted;
	struct soq_endpoint peer;
	char in[4];

	(void)t;
	expect(x->errors[0], why_not);
	expect(x->errors[1], 0);
	expect(x->endpoints[0].addr.any.sa_family, AF_INET6);
	expect_true(soq_endpoint_equal(&x->endpoints[1], &x->there));
	expect(soq_socket_peer(s, &peer), 0);
	expect_true(soq_endpoint_equal(&peer, &x->there));
	expect(soq_accept(x->listener, &accepted, NULL), 0);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(soq_recv(accepted, in, sizeof(in), 0), 1);
	expect(soq_abort(accepted), 0);
	expect(soq_abort(s), 0);
}

static void trial_close(struct trial *x)
{
	expect(soq_close(x->listener), 0);
	names_close(&x->n);
}

static void closed_port_has_the_second_address_tried(struct fixture *t)
{
	struct soq_socket *s = NULL;
	struct trial x;

	trial_open(t, &x, 1);
	expect(soq_connect_name(t->home, &x.name, watchdog_ns(), &s), 0);
	expect_through(t, &x, s, -ECONNREFUSED);
	/* With that one closed too, or with none: told apart. */
	s = NULL;
	x.name.family = AF_INET6;
	expect(soq_connect_name(t->home, &x.name, watchdog_ns(), &s), -ECONNREFUSED);
	x.name.host = "nobody.test";
	x.name.host_bytes = 11;
	expect(soq_connect_name(t->home, &x.name, watchdog_ns(), &s), SOQ_NAME_NOT_FOUND);
	assert_null(s);
	trial_close(&x);
}

/* Host 1 says nothing to what comes by IPv6. */
static void black_hole_open(struct fixture *t, struct trial *x)
{
	trial_open(t, x, 2);
	host_rule(&x->n.h, 1, "meta nfproto ipv6 meta l4proto tcp drop");
}

static void black_hole_is_passed_over(struct fixture *t)
{
	struct soq_socket *s = NULL;
	struct trial x;

	black_hole_open(t, &x);
	x.name.stagger_ns = 20 * MS;
	expect(soq_connect_name(t->home, &x.name, watchdog_ns(), &s), 0);
	expect_through(t, &x, s, -ECANCELED);
	trial_close(&x);
}

/*
 * 250 ms if nothing was said, and not 50 more: as the loop's own timer has them, without the
 * time that others had the processor.
 */
static void second_family_answers_within_300_ms(struct fixture *t)
{
	struct probe *p = probe(t), *slept = probe(t);
	int64_t slept_ns, held_ns;
	struct trial x;

	black_hole_open(t, &x);
	started(p, soq_connect_name_async(t->loop, &p->op, &x.name));
	/* From the first attempt on. */
	run_until(t, x.endpoints[0].size_bytes > 0);
	started(slept, soq_sleep_async(t->loop, &slept->op, 240 * MS));
	await(t, slept);
	slept_ns = now_ns();
	held_ns = held_up_ns();
	await(t, p);
	expect_end(p, 0, 0);
	slept_ns += held_up_ns() - held_ns;
	expect_true(now_ns() - slept_ns < 60 * MS * (int64_t)env_number("SOQ_TEST_SLOW", 1));
	expect_through(t, &x, p->socket, -ECANCELED);
	trial_close(&x);
}

/* An address that means something on one link alone: looked up by nobody, and reached. */
static void scope_goes_with_the_address(struct fixture *t)
{
	struct soq_endpoint out, there;
	struct soq_resolve q = question("fe80::99%right", &out, 1);
	struct soq_socket *s = NULL, *listener;
	struct soq_connect_name name;
	struct names n;

	names_open(&n, 2, etc_hosts, "127.0.0.1");
	host_run(&n.h, 1,
		 "ip -6 addr add fe80::99/64 dev left nodad &&"
		 " until ip -6 route show table local | grep -q fe80::99; do :; done");
	expect(soq_resolve(t->home, &q, FOREVER), 1);
	expect(out.addr.ipv6.sin6_scope_id, if_nametoindex("right"));
	listener = host_bound(t, &n.h, 1, SOCK_STREAM, "[::]:0", &there);
	expect(soq_listen(listener, 0), 0);
	name = connection("fe80::99%right", (unsigned)soq_endpoint_port(&there));
	expect(soq_connect_name(t->home, &name, watchdog_ns(), &s), 0);
	expect(soq_abort(s), 0);
	q = question("fe80::99%left", &out, 1);
	expect(soq_resolve(t->home, &q, FOREVER), -ENODEV);
	expect(soq_close(listener), 0);
	names_close(&n);
}

static const struct conf_case cases[] = {
	SYNC_CASE(hosts_file_is_asked_first, ""),
	SYNC_CASE(name_server_is_asked_for_both_families, "5a"),
	SYNC_CASE(server_that_is_not_there_is_to_be_tried_again, "5a"),
	SYNC_CASE(many_addresses_are_counted, ""),
	CASE(late_answer_is_waited_for, "1b"),
	CASE(what_the_server_says_is_kept_apart, "5a"),
	SYNC_CASE(dead_server_holds_no_call, ""),
	CASE(dead_server_holds_no_op, "6a 6b"),
	CASE(dead_server_holds_no_loop, "6a"),
	SYNC_CASE(closed_port_has_the_second_address_tried, "B101"),
	SYNC_CASE(black_hole_is_passed_over, "B108"),
	CASE(second_family_answers_within_300_ms, "B108"),
	SYNC_CASE(scope_goes_with_the_address, "B105"),
};

CONF_GROUP(resolver, cases)
