/* SPDX-License-Identifier: MIT */
/* Policies and addresses of one's own: binding, listening, and who may come. */
#define _GNU_SOURCE
#include "policy_kit.h"

static void bind_goes_where_a_rule_allows(struct fixture *t)
{
	static const struct {
		const char *address;
		int type;
		int result;
		unsigned rule;
	} cases[] = {
		{ "127.0.0.1:0", SOCK_STREAM, 0, 0 },
		{ "127.0.0.2:0", SOCK_STREAM, -EACCES, 0 },
		{ "127.0.0.3:0", SOCK_STREAM, -EACCES, 3 },
		/* One that denies ports below those that are chosen does not deny to choose. */
		{ "127.0.0.4:0", SOCK_STREAM, 0, 0 },
		{ "127.0.0.4:1", SOCK_STREAM, -EACCES, 5 },
		{ "127.0.0.1:0", SOCK_DGRAM, -EACCES, 0 },
		{ "[::1]:0", SOCK_DGRAM, 0, 0 },
		{ "[::1]:0", SOCK_STREAM, -EACCES, 0 },
		{ "[::ffff:127.0.0.1]:0", SOCK_STREAM, 0, 0 },
		{ "[::ffff:127.0.0.3]:0", SOCK_STREAM, -EACCES, 3 },
	};
	struct soq_policy *policy = policy_of("default deny\n"
					      "allow bind tcp 127.0.0.1 1024-65535\n"
					      "allow bind udp ::1\n"
					      "deny bind any 127.0.0.3\n"
					      "allow bind tcp 127.0.0.3\n"
					      "deny bind tcp 127.0.0.4 1-1023\n"
					      "allow bind tcp 127.0.0.4\n");

	police(t, soq_policy_retain(policy));
	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		struct soq_endpoint ep = endpoint(cases[i].address), local;
		struct soq_socket *s = policed(t, policy, ep.addr.any.sa_family, cases[i].type, 0);
		uint32_t rule;
		uint64_t before = refusals(t, s, &rule);

		expect(soq_bind(s, &ep), cases[i].result);
		expect(soq_socket_local(s, &local), 0);
		expect_true((soq_endpoint_port(&local) != 0) == (cases[i].result == 0));
		if (cases[i].result != 0)
			expect_refused(t, s, before, cases[i].rule);
		expect(soq_close(s), 0);
	}
	soq_policy_release(policy);
}

/* To bind to no address in particular is to bind to all of them. */
static void bind_to_every_address_needs_all_of_them(struct fixture *t)
{
	static const struct {
		const char *rules;
		const char *address;
		int result;
	} cases[] = {
		{ "default allow\n", "0.0.0.0:0", 0 },
		{ "default allow\n", "[::]:0", 0 },
		{ "default allow\ndeny bind any 192.0.2.1\n", "0.0.0.0:0", -EACCES },
		{ "default allow\ndeny bind any 192.0.2.1\n", "127.0.0.1:0", 0 },
		/* An IPv6 socket takes IPv4 as well. */
		{ "default allow\ndeny bind any 192.0.2.1\n", "[::]:0", -EACCES },
		{ "default allow\ndeny bind any 2001:db8::1\n", "[::]:0", -EACCES },
		{ "default allow\ndeny bind any 2001:db8::1\n", "0.0.0.0:0", 0 },
		{ "default allow\ndeny bind udp 192.0.2.1\n", "0.0.0.0:0", 0 },
		{ "default deny\nallow bind any 127.0.0.0/8\n", "0.0.0.0:0", -EACCES },
		{ "default deny\nallow bind any 0.0.0.0\n", "0.0.0.0:0", 0 },
		{ "default deny\nallow bind any 0.0.0.0/0\n", "0.0.0.0:0", 0 },
		{ "default deny\nallow bind any ::/0\n", "[::]:0", -EACCES },
		{ "default deny\nallow bind any ::\nallow bind any 0.0.0.0\n", "[::]:0", 0 },
		{ "default deny\nallow bind any *\n", "[::]:0", 0 },
	};

	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		struct soq_policy *policy = policy_of("%s", cases[i].rules);
		struct soq_endpoint ep = endpoint(cases[i].address);
		struct soq_socket *s;

		police(t, soq_policy_retain(policy));
		s = policed(t, policy, ep.addr.any.sa_family, SOCK_STREAM, 0);
		expect(soq_bind(s, &ep), cases[i].result);
		expect(soq_close(s), 0);
		run_until(t, stats_of(t).sockets == 0);
		soq_policy_release(policy);
	}
}

/* One that takes IPv6 alone is asked of that alone. */
static void ipv6_alone_is_not_asked_of_ipv4(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default deny\nallow bind tcp ::\n");
	const struct soq_endpoint ep = endpoint("[::]:0");
	struct soq_socket *s;

	police(t, soq_policy_retain(policy));
	s = policed(t, policy, AF_INET6, SOCK_STREAM, 0);
	expect(soq_bind(s, &ep), -EACCES);
	expect(soq_socket_set_option(s, SOQ_OPTION_IPV6_ONLY, 1), 0);
	expect(soq_bind(s, &ep), 0);
	expect(soq_close(s), 0);
	soq_policy_release(policy);
}

static void refused_unix_bind_leaves_no_file(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_policy *policy;
	struct soq_socket *s;

	unix_folder_open(&folder);
	unix_file(&folder, "in/x", &ep);
	policy =
		policy_of("default deny\nallow bind unix unix:%s/ok\nallow bind unix unix:@soq-*\n",
			  folder.path);
	police(t, soq_policy_retain(policy));
	s = policed(t, policy, AF_UNIX, SOCK_STREAM, 0);
	unix_file(&folder, "okay", &ep);
	expect(soq_bind(s, &ep), -EACCES);
	expect(unix_exists(&folder, "okay"), 0);
	unix_file(&folder, "ok", &ep);
	expect(soq_bind(s, &ep), 0);
	expect(unix_exists(&folder, "ok"), 1);
	expect(soq_close(s), 0);
	run_until(t, stats_of(t).sockets == 0);
	s = policed(t, policy, AF_UNIX, SOCK_DGRAM, 0);
	unix_abstract(&ep);
	expect(soq_bind(s, &ep), 0);
	expect(soq_close(s), 0);
	run_until(t, stats_of(t).sockets == 0);
	soq_policy_release(policy);
	unix_folder_close(&folder);
}

static void listening_without_an_address_is_binding(struct fixture *t)
{
	static const int results[] = { -EACCES, 0 };

	for (unsigned i = 0; i < 2; i++) {
		struct soq_policy *policy = policy_of("default deny\nallow bind tcp %s\n",
						      i ? "0.0.0.0" : "127.0.0.1");
		struct soq_socket *s;

		police(t, soq_policy_retain(policy));
		s = policed(t, policy, AF_INET, SOCK_STREAM, 0);
		expect(soq_listen(s, 1), results[i]);
		if (results[i] != 0)
			expect_refused(t, s, 0, 0);
		expect(soq_close(s), 0);
		run_until(t, stats_of(t).sockets == 0);
		soq_policy_release(policy);
	}
}

/* A peer by its address: 127.0.0.1, and 127.0.0.2 whom nobody lets in. */
static int raw_connect_from(const char *from, const struct soq_endpoint *to)
{
	const struct soq_endpoint ep = endpoint(from);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	expect(bind(fd, &ep.addr.any, ep.size_bytes), 0);
	expect(connect(fd, &to->addr.any, to->size_bytes), 0);
	return fd;
}

#define STRANGER "127.0.0.2:0"
#define FRIEND   "127.0.0.1:0"

/* A listener that lets in who comes from 127.0.0.1, and what it accepts go nowhere. */
static struct soq_socket *doorman(struct fixture *t, struct soq_endpoint *ep)
{
	struct soq_policy *policy = policy_of("default deny\n"
					      "allow bind tcp 127.0.0.1\n"
					      "allow accept tcp 127.0.0.0/8\n"
					      "deny accept tcp 127.0.0.2\n");
	struct soq_socket *s;

	police(t, soq_policy_retain(policy));
	s = policed(t, policy, AF_INET, SOCK_STREAM, 0);
	*ep = endpoint("127.0.0.1:0");
	expect(soq_bind(s, ep), 0);
	expect(soq_listen(s, 0), 0);
	expect(soq_socket_local(s, ep), 0);
	soq_policy_release(policy);
	return s;
}

static void expect_reset(int fd)
{
	char byte;

	expect(raw_recv_blocking(fd, &byte, 1), -ECONNRESET);
	close(fd);
}

static void stranger_is_reset_and_the_accept_goes_on(struct fixture *t)
{
	struct soq_endpoint ep, peer;
	struct soq_socket *listener = doorman(t, &ep), *out = NULL;
	int stranger[2], friend;

	for (unsigned i = 0; i < 2; i++)
		stranger[i] = raw_connect_from(STRANGER, &ep);
	friend = raw_connect_from(FRIEND, &ep);
	expect(soq_accept(listener, &out, &peer), 0);
	expect(ntohl(peer.addr.ipv4.sin_addr.s_addr), 0x7f000001);
	expect_refused(t, listener, 1, 3);
	expect_reset(stranger[0]);
	expect_reset(stranger[1]);
	expect(soq_send(out, "x", 1, 0), 1);
	/* It is under the policy of its listener. */
	expect(soq_disconnect(out, SOQ_REUSE), 0);
	expect(soq_connect(out, &ep), -EACCES);
	expect(soq_close(out), 0);
	expect(soq_close(listener), 0);
	close(friend);
}

static void stranger_does_not_outlast_the_timeout(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = doorman(t, &ep), *out = NULL;
	int stranger = raw_connect_from(STRANGER, &ep);

	expect(soq_socket_set_timeouts(listener, 2 * MS, FOREVER), 0);
	expect(soq_accept(listener, &out, NULL), -ETIMEDOUT);
	assert_null(out);
	expect_refused(t, listener, 0, 3);
	expect_reset(stranger);
	expect(soq_close(listener), 0);
}

static void accept_in_flight_does_not_see_a_stranger(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = doorman(t, &ep);
	struct probe *p[2] = { probe(t), probe(t) };
	int stranger, friend[2];

	for (unsigned i = 0; i < 2; i++)
		started(p[i], soq_accept_async(listener, &p[i]->op, 0));
	friend[0] = raw_connect_from(FRIEND, &ep);
	stranger = raw_connect_from(STRANGER, &ep);
	friend[1] = raw_connect_from(FRIEND, &ep);
	await(t, p[1]);
	for (unsigned i = 0; i < 2; i++) {
		expect_end(p[i], 0, 0);
		expect(soq_close(p[i]->socket), 0);
		close(friend[i]);
	}
	expect(stats_of(t).accepts, 2);
	expect_refused(t, listener, 0, 3);
	expect_reset(stranger);
	expect(soq_close(listener), 0);
}

/* A ring that cannot accept at all is told as little of it as the program. */
static void accept_goes_on_where_nobody_may_come(struct fixture *t)
{
	static const uint32_t flags[] = { 0, SOQ_MULTISHOT };

	for (unsigned i = 0; i < COUNT_OF(flags); i++) {
		struct probe *p = probe(t);
		struct soq_endpoint ep = endpoint("127.0.0.1:0");
		struct soq_socket *s;
		int stranger;

		police(t, policy_of("default deny\nallow bind tcp *\n"));
		s = open_socket(t, AF_INET);
		expect(soq_bind(s, &ep), 0);
		expect(soq_listen(s, 0), 0);
		expect(soq_socket_local(s, &ep), 0);
		started(p, soq_accept_async(s, &p->op, flags[i]));
		settle(t);
		stranger = raw_connect_from(STRANGER, &ep);
		run_until(t, stats_of(t).policy_refusals == 1 || p->events > 0);
		expect(p->events, 0);
		expect_reset(stranger);
		expect(soq_cancel(&p->op), 0);
		await(t, p);
		expect(soq_close(s), 0);
		run_until(t, stats_of(t).sockets == 0);
	}
}

static void multishot_accept_passes_strangers_over(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = doorman(t, &ep);
	struct probe *p = probe(t);
	int fds[6];

	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		unsigned events = p->events;

		fds[i] = raw_connect_from(i % 2 ? FRIEND : STRANGER, &ep);
		if (!(i % 2))
			continue;
		run_until(t, p->events == events + 1);
		expect(p->flags, SOQ_F_MORE);
		expect(soq_close(p->socket), 0);
		close(fds[i]);
	}
	expect(stats_of(t).policy_refusals, 3);
	for (unsigned i = 0; i < COUNT_OF(fds); i += 2)
		expect_reset(fds[i]);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect(soq_close(listener), 0);
}

static void stranger_comes_into_no_socket_that_is_there(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = doorman(t, &ep), *target = open_socket(t, AF_INET);
	int stranger = raw_connect_from(STRANGER, &ep), friend = raw_connect_from(FRIEND, &ep);
	struct soq_endpoint peer;

	expect(soq_accept_into(listener, target, &peer), 0);
	expect(ntohl(peer.addr.ipv4.sin_addr.s_addr), 0x7f000001);
	expect_refused(t, listener, 0, 3);
	expect_reset(stranger);
	expect(soq_close(target), 0);
	expect(soq_close(listener), 0);
	close(friend);
}

static void first_bytes_of_a_stranger_are_not_seen(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = doorman(t, &ep), *out = NULL;
	int stranger = raw_connect_from(STRANGER, &ep), friend = raw_connect_from(FRIEND, &ep);
	char in[4];

	raw_send(stranger, "s", 1);
	raw_send(friend, "f", 1);
	expect(soq_accept_data(listener, in, sizeof(in), &out, NULL), 1);
	expect(in[0], 'f');
	expect_refused(t, listener, 0, 3);
	expect_reset(stranger);
	expect(soq_close(out), 0);
	expect(soq_close(listener), 0);
	close(friend);
}

/* The target has a policy of its own, which the listener does not have. */
static void target_of_an_accept_has_a_say(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default deny\nallow accept tcp 127.0.0.1\n");
	struct soq_endpoint ep;
	struct soq_socket *listener = NULL, *target = NULL;
	int stranger, friend;

	(void)t;
	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &listener), 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_bind(listener, &ep), 0);
	expect(soq_listen(listener, 0), 0);
	expect(soq_socket_local(listener, &ep), 0);
	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &target), 0);
	expect(soq_socket_set_policy(target, policy), 0);
	stranger = raw_connect_from(STRANGER, &ep);
	friend = raw_connect_from(FRIEND, &ep);
	expect(soq_accept_into(listener, target, &ep), 0);
	expect(ntohl(ep.addr.ipv4.sin_addr.s_addr), 0x7f000001);
	expect_reset(stranger);
	expect(soq_close(target), 0);
	expect(soq_close(listener), 0);
	soq_policy_release(policy);
	close(friend);
}

static void unix_peers_come_by_name_or_without(struct fixture *t)
{
	static const char *const rules[] = { "allow accept unix *",
					     "allow accept unix unix:@soq*" };

	for (unsigned i = 0; i < 2; i++) {
		struct soq_policy *policy = policy_of("default deny\nallow bind any *\n%s\n",
						      rules[i]);
		struct soq_endpoint ep, own;
		struct soq_socket *listener, *out = NULL;
		int unnamed = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int named = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		police(t, soq_policy_retain(policy));
		listener = policed(t, policy, AF_UNIX, SOCK_STREAM, 0);
		unix_abstract(&ep);
		unix_abstract(&own);
		expect(soq_bind(listener, &ep), 0);
		expect(soq_listen(listener, 0), 0);
		expect(connect(unnamed, &ep.addr.any, ep.size_bytes), 0);
		expect(bind(named, &own.addr.any, own.size_bytes), 0);
		expect(connect(named, &ep.addr.any, ep.size_bytes), 0);
		expect(soq_accept(listener, &out, &own), 0);
		expect_true((own.size_bytes <= sizeof(sa_family_t)) == (i == 0));
		expect(soq_close(out), 0);
		expect(soq_close(listener), 0);
		run_until(t, stats_of(t).sockets == 0);
		soq_policy_release(policy);
		close(unnamed);
		close(named);
	}
}

static const struct conf_case cases[] = {
	SYNC_CASE(bind_goes_where_a_rule_allows, "22a 22c 22g"),
	SYNC_CASE(bind_to_every_address_needs_all_of_them, "22b 22c"),
	SYNC_CASE(ipv6_alone_is_not_asked_of_ipv4, "22c"),
	SYNC_CASE(refused_unix_bind_leaves_no_file, "22a"),
	SYNC_CASE(listening_without_an_address_is_binding, "22a"),
	SYNC_CASE(stranger_is_reset_and_the_accept_goes_on, "22f 22g"),
	SYNC_CASE(stranger_does_not_outlast_the_timeout, "22f"),
	CASE(accept_in_flight_does_not_see_a_stranger, "22f 22g"),
	CASE(accept_goes_on_where_nobody_may_come, "22f"),
	CASE(multishot_accept_passes_strangers_over, "22f 22g"),
	SYNC_CASE(stranger_comes_into_no_socket_that_is_there, "22f"),
	SYNC_CASE(first_bytes_of_a_stranger_are_not_seen, "22f"),
	SYNC_CASE(target_of_an_accept_has_a_say, "22f"),
	SYNC_CASE(unix_peers_come_by_name_or_without, "22f"),
};

CONF_GROUP(policy_bind, cases)
