/* SPDX-License-Identifier: MIT */
/* What hosts are, what is asked of the resolver, and what its answers become. */
#define _GNU_SOURCE
#include "resolver.h"

static struct soq_endpoint out[4];

static int ask(struct fixture *t, const char *host, size_t host_bytes, uint32_t flags)
{
	struct soq_resolve question = QUESTION("", out);

	question.host = host;
	question.host_bytes = host_bytes;
	question.flags = flags;
	return soq_resolve(t->home, &question, FOREVER);
}

static int ask_text(struct fixture *t, const char *host)
{
	return ask(t, host, strlen(host), 0);
}

static struct soq_connect_name connection(const char *host, unsigned port)
{
	return (struct soq_connect_name){ .size = sizeof(struct soq_connect_name),
					  .host = host,
					  .host_bytes = strlen(host),
					  .port = port };
}

static void expect_out(unsigned i, const char *text)
{
	struct soq_endpoint ep;

	expect(soq_endpoint_parse(text, &ep), 0);
	expect_true(soq_endpoint_equal(&ep, &out[i]));
}

static void address_needs_no_lookup(struct fixture *t)
{
	static const struct {
		const char *host, *text;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1:80" },
		{ "0.0.0.0", "0.0.0.0:80" },
		{ "2001:db8::1", "[2001:db8::1]:80" },
		{ "[2001:db8::1]", "[2001:db8::1]:80" },
		{ "::", "[::]:80" },
		{ "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80" },
		{ "fe80::1%lo", "[fe80::1%lo]:80" },
		{ "[fe80::1%1]", "[fe80::1%1]:80" },
	};
	const char *const families[] = { "127.0.0.1", "::1" };

	resolver_open();
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		expect(ask_text(t, rows[i].host), 1);
		expect_out(0, rows[i].text);
		expect(ask(t, rows[i].host, strlen(rows[i].host), SOQ_RESOLVE_NUMERIC), 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct soq_connect_name name;
		struct soq_socket *s = NULL;
		struct soq_endpoint ep, peer;
		int listener = raw_listener(i ? AF_INET6 : AF_INET, 1, 0, &ep);

		name = connection(families[i], (unsigned)soq_endpoint_port(&ep));
		expect(soq_connect_name(t->home, &name, FOREVER, &s), 0);
		expect(soq_socket_peer(s, &peer), 0);
		expect_true(soq_endpoint_equal(&peer, &ep));
		expect(soq_abort(s), 0);
		close(listener);
	}
	expect(resolver_asked().times, 0);
	resolver_close();
}

static void what_is_no_host_is_refused(struct fixture *t)
{
	static const char *const rows[] = {
		"127.1",
		"127.0.0.01",
		"0177.0.0.1",
		"0x7f.0.0.1",
		"0x7f000001",
		"2130706433",
		"1.2.3",
		"1.2.3.4.",
		"1.2.3.256",
		"1.2.3.0x4",
		"a.0X1f",
		"a.1",
		"0x",
		"a.0x.",
		".",
		".a",
		"a..b",
		"a..",
		" a",
		"a ",
		"a b",
		"a/b",
		"a\\b",
		"a:b",
		"a@b",
		"a%lo",
		"a\n",
		"a*",
		"\xc3\xa9.test",
		"[",
		"[]",
		"[a]",
		"[127.0.0.1]",
		"[::1",
		"::1]",
		"[::1]:80",
		"::1]:80%[",
		":::",
		"::1%",
		"1::2::3",
		"unix:/x",
		"vsock:1",
		"[::1]x",
	};
	static const char nul[] = "localhost\0.example.org";

	resolver_open();
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct soq_connect_name name = connection(rows[i], 80);
		struct soq_socket *s = NULL;

		expect_at(ask_text(t, rows[i]), -EINVAL, rows[i], __FILE__, __LINE__);
		expect_at(soq_connect_name(t->home, &name, FOREVER, &s), -EINVAL, rows[i], __FILE__,
			  __LINE__);
	}
	expect(ask(t, nul, sizeof(nul) - 1, 0), -EINVAL);
	expect(ask(t, nul, sizeof("localhost"), 0), -EINVAL);
	expect(ask(t, nul, 0, 0), -EINVAL);
	expect(ask_text(t, "fe80::1%nolink"), -ENODEV);
	expect(resolver_asked().times, 0);
	/* These are plain names. */
	expect(ask_text(t, "_a-1.0x0g.x1"), SOQ_NAME_NOT_FOUND);
	expect(ask_text(t, "1.2.3.4.example."), SOQ_NAME_NOT_FOUND);
	expect(ask(t, nul, 9, 0), SOQ_NAME_NOT_FOUND);
	assert_string_equal(resolver_asked().name, "localhost");
	expect(resolver_asked().times, 3);
	resolver_close();
}

static void long_names_are_refused_and_never_cut(struct fixture *t)
{
	char text[300];

	resolver_open();
	memset(text, 'a', sizeof(text));
	for (unsigned i = 63; i < sizeof(text); i += 64)
		text[i] = '.';
	expect(ask(t, text, 253, 0), SOQ_NAME_NOT_FOUND);
	expect(strlen(resolver_asked().name), 253);
	expect(memcmp(resolver_asked().name, text, 253), 0);
	expect(ask(t, text, 254, 0), -ENAMETOOLONG);
	expect(ask(t, text, 257, 0), -ENAMETOOLONG);
	expect(ask(t, text, SIZE_MAX, 0), -ENAMETOOLONG);
	text[63] = 'a';
	expect(ask(t, text, 63, 0), SOQ_NAME_NOT_FOUND);
	expect(ask(t, text, 64, 0), -ENAMETOOLONG);
	expect(resolver_asked().times, 2);
	resolver_close();
}

static void wildcard_is_refused(struct fixture *t)
{
	static const char *const rows[] = { "0.0.0.0", "::", "::0", "[::]", "::ffff:0.0.0.0" };
	static const char *const found[] = { "0.0.0.0:0", "[::]:0" };
	struct soq_socket *s = NULL;
	int32_t errors[2] = { 1, 1 };
	struct soq_connect_name name;

	resolver_open();
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		name = connection(rows[i], 80);
		expect(soq_connect_name(t->home, &name, FOREVER, &s), -EINVAL);
	}
	expect(resolver_asked().times, 0);
	/* Nor does the resolver lead there. */
	resolver_finds_text(found, 2);
	name = connection("nowhere", 80);
	name.errors = errors;
	name.endpoint_max = 2;
	expect(soq_connect_name(t->home, &name, FOREVER, &s), -EADDRNOTAVAIL);
	expect(errors[0], -EADDRNOTAVAIL);
	expect(errors[1], -EADDRNOTAVAIL);
	assert_null(s);
	resolver_close();
}

static void refused_start_leaves_the_op_usable(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = raw_listener(AF_INET, 1, 0, &ep);
	struct soq_connect_name name = connection("0.0.0.0", (unsigned)soq_endpoint_port(&ep));
	struct probe *p = probe(t);

	resolver_open();
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_connect_name_async(t->loop, &p->op, &name), -EINVAL);
		name.host = "::0";
		name.host_bytes = 3;
	}
	name.host = "127.0.0.1";
	name.host_bytes = 9;
	started(p, soq_connect_name_async(t->loop, &p->op, &name));
	expect(soq_connect_name_async(t->loop, &p->op, &name), -EBUSY);
	expect(p->events, 0);
	await(t, p);
	expect_end(p, 0, 0);
	expect(soq_abort(p->socket), 0);
	close(listener);
	resolver_close();
}

/* No text of a name becomes an endpoint, and calls that need one take nothing else. */
static void name_is_no_endpoint(struct fixture *t)
{
	struct soq_endpoint ep = { 0 }, peer;
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
	char in[4];

	resolver_open();
	expect(soq_endpoint_parse("localhost:80", &ep), -EINVAL);
	expect(soq_endpoint_parse("example.org:80", &ep), -EINVAL);
	expect(soq_bind(s, &ep), -EINVAL);
	expect(soq_send_to(s, "x", 1, 0, &ep), -EINVAL);
	expect(soq_connect(s, &ep), -EINVAL);
	ep.size_bytes = sizeof(ep.addr.any);
	ep.addr.any.sa_family = AF_UNSPEC;
	memcpy(ep.addr.any.sa_data, "localhost", 10);
	expect_true(soq_bind(s, &ep) < 0);
	expect_true(soq_send_to(s, "x", 1, 0, &ep) < 0);
	/* What a receive fills in is the caller's memory: its content is no question. */
	expect(soq_socket_set_timeouts(s, 0, 0), 0);
	expect(soq_recv_from(s, in, sizeof(in), 0, NULL), -EINVAL);
	expect(soq_recv_from(s, in, sizeof(in), 0, &peer), -ETIMEDOUT);
	expect(soq_close(s), 0);
	expect(resolver_asked().times, 0);
	resolver_close();
}

static void answers_come_in_order_with_the_port(struct fixture *t)
{
	static const char *const found[] = { "[2001:db8::1]:0", "192.0.2.1:0", "[fe80::2%1]:0",
					     "192.0.2.2:0", "192.0.2.3:0" };
	struct soq_resolve question = QUESTION("host.example", out);

	resolver_open();
	resolver_finds_text(found, 4);
	expect(ask_text(t, "host.example"), 4);
	expect_out(0, "[2001:db8::1]:80");
	expect_out(1, "192.0.2.1:80");
	expect_out(2, "[fe80::2%1]:80");
	expect_out(3, "192.0.2.2:80");
	assert_string_equal(resolver_asked().name, "host.example");
	expect(resolver_asked().family, AF_UNSPEC);
	/* More than there is room for: told, and not written. */
	resolver_finds_text(found, 5);
	expect(ask_text(t, "host.example"), 5);
	out[2] = out[3] = (struct soq_endpoint){ 0 };
	question.endpoint_max = 2;
	expect(soq_resolve(t->home, &question, FOREVER), 5);
	expect(out[2].size_bytes, 0);
	question.endpoint_max = 0;
	question.endpoints = NULL;
	expect(soq_resolve(t->home, &question, 0x7fffffff), 5);
	resolver_close();
}

static void family_may_be_chosen(struct fixture *t)
{
	static const char *const found[] = { "[2001:db8::1]:0", "192.0.2.1:0" };
	struct soq_resolve question = QUESTION("host", out);

	resolver_open();
	resolver_finds_text(found, 2);
	question.family = AF_INET;
	expect(soq_resolve(t->home, &question, FOREVER), 1);
	expect(resolver_asked().family, AF_INET);
	expect_out(0, "192.0.2.1:80");
	question.family = AF_INET6;
	expect(soq_resolve(t->home, &question, FOREVER), 1);
	expect(resolver_asked().family, AF_INET6);
	expect_out(0, "[2001:db8::1]:80");
	resolver_finds_text(found + 1, 1);
	expect(soq_resolve(t->home, &question, FOREVER), SOQ_NAME_NO_DATA);
	question.host = "127.0.0.1";
	question.host_bytes = 9;
	expect(soq_resolve(t->home, &question, FOREVER), SOQ_NAME_NO_DATA);
	question.host = "name";
	question.host_bytes = 4;
	question.flags = SOQ_RESOLVE_NUMERIC;
	expect(soq_resolve(t->home, &question, FOREVER), SOQ_NAME_NOT_FOUND);
	expect(resolver_asked().times, 3);
	resolver_close();
}

static void what_the_resolver_says_is_kept_apart(struct fixture *t)
{
	static const struct {
		int code, system_error, want;
		const char *name;
	} rows[] = {
		{ EAI_NONAME, 0, SOQ_NAME_NOT_FOUND, "HostNotFound" },
		{ EAI_NODATA, 0, SOQ_NAME_NO_DATA, "NoData" },
		{ EAI_ADDRFAMILY, 0, SOQ_NAME_NO_DATA, "NoData" },
		{ EAI_AGAIN, EMFILE, SOQ_NAME_TRY_AGAIN, "TryAgain" },
		{ EAI_FAIL, 0, SOQ_NAME_FAILED, "NoRecovery" },
		{ EAI_SERVICE, 0, SOQ_NAME_FAILED, "NoRecovery" },
		{ EAI_MEMORY, 0, -ENOMEM, "SocketError" },
		{ EAI_SYSTEM, EMFILE, -EMFILE, "TooManyOpenSockets" },
		{ EAI_SYSTEM, 0, SOQ_NAME_FAILED, "NoRecovery" },
	};

	resolver_open();
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct soq_connect_name name = connection("host", 80);
		struct soq_socket *s = NULL;

		resolver_fails(rows[i].code, rows[i].system_error);
		expect_at(ask_text(t, "host"), rows[i].want, rows[i].name, __FILE__, __LINE__);
		expect(soq_connect_name(t->home, &name, FOREVER, &s), rows[i].want);
		assert_null(s);
		assert_string_equal(soq_error_name(rows[i].want), rows[i].name);
	}
	resolver_close();
}

static void unknown_host_and_closed_port_are_told_apart(struct fixture *t)
{
	struct soq_endpoint refused;
	int holder;
	int32_t errors[1] = { 1 };
	struct soq_connect_name name;
	struct soq_socket *s = NULL;

	refused_endpoint(AF_INET, &refused, &holder);
	name = connection("host", (unsigned)soq_endpoint_port(&refused));
	name.errors = errors;
	name.endpoint_max = 1;
	resolver_open();
	expect(soq_connect_name(t->home, &name, FOREVER, &s), SOQ_NAME_NOT_FOUND);
	expect(errors[0], 0);
	resolver_fails(EAI_NODATA, 0);
	expect(soq_connect_name(t->home, &name, FOREVER, &s), SOQ_NAME_NO_DATA);
	resolver_finds(&refused, 1);
	expect(soq_connect_name(t->home, &name, FOREVER, &s), -ECONNREFUSED);
	expect(errors[0], -ECONNREFUSED);
	assert_null(s);
	close(holder);
	resolver_close();
}

static const struct conf_case cases[] = {
	SYNC_CASE(address_needs_no_lookup, "B105"),
	SYNC_CASE(what_is_no_host_is_refused, "5a"),
	SYNC_CASE(long_names_are_refused_and_never_cut, "5a"),
	SYNC_CASE(wildcard_is_refused, "5a"),
	CASE(refused_start_leaves_the_op_usable, "1a B106"),
	SYNC_CASE(name_is_no_endpoint, "B103"),
	SYNC_CASE(answers_come_in_order_with_the_port, ""),
	SYNC_CASE(family_may_be_chosen, ""),
	SYNC_CASE(what_the_resolver_says_is_kept_apart, "5a"),
	SYNC_CASE(unknown_host_and_closed_port_are_told_apart, "5a B101"),
};

CONF_GROUP(names, cases)
