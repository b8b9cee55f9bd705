/* SPDX-License-Identifier: MIT */
/* Ways past a policy: each was open once, or looks as if it were. */
#define _GNU_SOURCE
#include "policy_kit.h"

#include <poll.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* The kernel takes 0.0.0.0 for the address a socket is bound to; the policy calls it loopback. */
#define LOOPBACK_ALONE                                                                             \
	"default deny\nallow bind any *\nallow connect,send_to any 127.0.0.1\n"                    \
	"allow connect,send_to any ::1\n"

static const struct {
	int family;
	const char *bound, *wildcard;
} wildcards[] = {
	{ AF_INET, "127.0.0.2", "0.0.0.0" },
	{ AF_INET6, "[::ffff:127.0.0.2]", "[::ffff:0.0.0.0]" },
	{ AF_INET6, "[::ffff:127.0.0.2]", "[::]" },
};

static int receiver_at(int type, const char *address, unsigned port, struct soq_endpoint *ep)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size_bytes = sizeof(ep->addr.storage);

	*ep = endpoint_port(address, port);
	expect(bind(fd, &ep->addr.any, ep->size_bytes), 0);
	if (type == SOCK_STREAM)
		expect(listen(fd, 5), 0);
	expect(getsockname(fd, &ep->addr.any, &size_bytes), 0);
	return fd;
}

static void wildcard_connects_to_loopback_alone(struct fixture *t)
{
	struct soq_policy *policy = policy_of(LOOPBACK_ALONE);

	police(t, soq_policy_retain(policy));
	for (unsigned i = 0; i < COUNT_OF(wildcards); i++) {
		struct soq_endpoint there, own = endpoint_port(wildcards[i].bound, 0), to, peer;
		int fd = receiver_at(SOCK_STREAM, "127.0.0.2", 0, &there);
		struct soq_socket *s = policed(t, policy, wildcards[i].family, SOCK_STREAM, 0);

		to = endpoint_port(wildcards[i].wildcard, port_of(&there));
		expect(soq_bind(s, &own), 0);
		expect_true(soq_connect(s, &to) < 0);
		expect_nobody(fd);
		expect(soq_close(s), 0);
		close(fd);

		s = policed(t, policy, wildcards[i].family, SOCK_DGRAM, 0);
		expect(soq_bind(s, &own), 0);
		if (soq_connect(s, &to) == 0) {
			expect(soq_socket_peer(s, &peer), 0);
			expect(soq_endpoint_to_ipv4(&peer, &peer), 0);
			expect(ntohl(peer.addr.ipv4.sin_addr.s_addr), INADDR_LOOPBACK);
		}
		expect(soq_close(s), 0);
	}
	soq_policy_release(policy);
}

static void wildcard_sends_to_loopback_alone(struct fixture *t)
{
	struct soq_policy *policy = policy_of(LOOPBACK_ALONE);

	police(t, soq_policy_retain(policy));
	for (unsigned i = 0; i < COUNT_OF(wildcards); i++) {
		struct soq_endpoint there, own = endpoint_port(wildcards[i].bound, 0);
		int fd = receiver_at(SOCK_DGRAM, "127.0.0.2", 0, &there);
		struct soq_endpoint to = endpoint_port(wildcards[i].wildcard, port_of(&there));
		struct iovec one = { "x", 1 };
		struct soq_message m[2] = { 0 };
		struct soq_socket *s = policed(t, policy, wildcards[i].family, SOCK_DGRAM, 0);

		for (unsigned k = 0; k < 2; k++) {
			m[k].size = sizeof(m[k]);
			m[k].segments = &one;
			m[k].segment_count = 1;
			m[k].peer = to;
		}
		/* Where a message says that it comes from. */
		m[0].info = SOQ_INFO_PACKET;
		m[0].local = own;
		expect_true(soq_send_msg(s, &m[0], 0) != 0);
		m[0].info = 0;
		expect(soq_close(s), 0);
		s = policed(t, policy, wildcards[i].family, SOCK_DGRAM, 0);
		expect(soq_bind(s, &own), 0);
		expect_true(soq_send_to(s, "x", 1, 0, &to) != 0);
		expect_true(soq_send_msg(s, &m[0], 0) != 0);
		expect_true(soq_send_batch(s, m, 2, 0) != 0);
		expect_no_datagram(fd);
		expect(soq_close(s), 0);
		close(fd);
	}
	soq_policy_release(policy);
}

/* A connect that fails leaves an address behind, not a bind that was judged. */
static void listening_after_a_failed_connect_is_binding(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default deny\nallow connect tcp 127.0.0.0/8\n");
	struct soq_endpoint ep;
	struct soq_socket *s;
	int fd = quiet_listener(AF_INET, &ep);

	close(fd);
	police(t, soq_policy_retain(policy));
	s = policed(t, policy, AF_INET, SOCK_STREAM, 0);
	expect(soq_connect(s, &ep), -ECONNREFUSED);
	expect(soq_listen(s, 1), -EACCES);
	expect(soq_close(s), 0);
	soq_policy_release(policy);
}

/* A port that the connect took by itself is let go with the peer, not bound for everybody. */
static void port_without_its_peer_is_a_bind(struct fixture *t)
{
	static const char *const binds[] = { "", "allow bind udp *" };
	const struct soq_endpoint ep = endpoint("127.0.0.1:9");

	for (unsigned i = 0; i < COUNT_OF(binds); i++) {
		struct soq_policy *policy =
			policy_of("default deny\nallow connect udp 127.0.0.1\n%s\n", binds[i]);
		struct soq_socket *s;
		struct soq_endpoint before, after;
		uint32_t rule;

		police(t, soq_policy_retain(policy));
		s = policed(t, policy, AF_INET, SOCK_DGRAM, 0);
		expect(soq_connect(s, &ep), 0);
		expect(soq_socket_local(s, &before), 0);
		expect(soq_disconnect(s, 0), 0);
		expect(soq_socket_local(s, &after), 0);
		expect(port_of(&after), i ? port_of(&before) : 0);
		expect(refusals(t, s, &rule), 0);
		expect(soq_close(s), 0);
		run_until(t, stats_of(t).sockets == 0);
		soq_policy_release(policy);
	}
}

/* It would go on, and the next connect would be told that it is there. */
static void connect_under_way_comes_with_its_peer(struct fixture *t)
{
	static const int protocols[] = { IPPROTO_TCP, IPPROTO_MPTCP };

	for (unsigned i = 0; i < COUNT_OF(protocols); i++) {
		struct soq_policy *policy;
		struct full_listener full;
		struct soq_socket *s = NULL;
		int fd;

		if (soq_supports(AF_INET, SOCK_STREAM, protocols[i]) != 1)
			continue;
		full_listener_open(AF_INET, &full);
		policy = policy_of("default allow\ndeny connect tcp * %u\n", port_of(&full.ep));
		police(t, soq_policy_retain(policy));
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocols[i]);
		expect(connect(fd, &full.ep.addr.any, full.ep.size_bytes), -1);
		expect(errno, EINPROGRESS);
		expect(soq_socket_adopt(t->loop, fd, &s), -EACCES);
		expect(soq_socket_adopt(NULL, fd, &s), 0);
		expect(soq_socket_set_policy(s, policy), -EACCES);
		expect(soq_close(s), 0);
		soq_policy_release(policy);
		full_listener_close(&full);
	}
}

/* The kernel tells nothing of where that goes. A machine that there is not leaves it on its way. */
static void vsock_connect_under_way_is_refused(struct fixture *t)
{
	const struct soq_endpoint ep = endpoint("vsock:4294967000:9");
	struct soq_socket *s = NULL;
	struct pollfd pending = { .fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0),
				  .events = POLLOUT };
	int result;

	police(t, policy_of("default allow\ndeny connect vsock vsock:4294967000\n"));
	if (pending.fd < 0) {
		expect(errno, EAFNOSUPPORT);
		return;
	}
	expect(soq_socket_adopt(t->loop, pending.fd, &s), 0);
	expect(soq_socket_release(s), pending.fd);
	expect(fcntl(pending.fd, F_SETFL, O_NONBLOCK), 0);
	expect(connect(pending.fd, &ep.addr.any, ep.size_bytes), -1);
	result = soq_socket_adopt(t->loop, pending.fd, &s);
	/* Without a way to other machines it has failed already. */
	if (poll(&pending, 1, 0) == 0)
		expect(result, -EACCES);
	if (result == 0)
		expect(soq_close(s), 0);
	else
		close(pending.fd);
}

/* A peer with port 0 has no name in the kernel, and gets the datagrams all the same. */
static void peer_that_nobody_can_tell_is_refused(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default allow\ndeny connect any 127.0.0.2\n");
	const struct soq_endpoint bad = endpoint("127.0.0.2:0");
	struct soq_socket *s = NULL, *on = NULL;

	police(t, soq_policy_retain(policy));
	expect(soq_socket_open(NULL, AF_INET, SOCK_DGRAM, 0, &s), 0);
	expect(soq_connect(s, &bad), 0);
	expect(soq_socket_set_policy(s, policy), -EACCES);
	expect(soq_socket_attach(t->loop, s, &on), -EACCES);
	expect(soq_close(s), 0);
	soq_policy_release(policy);
}

/* What was allowed when it was done is so on the way to a loop with the same rules. */
static void socket_goes_on_where_its_rules_hold(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default deny\n"
					      "allow connect tcp www.example.org\n"
					      "allow bind,accept tcp 127.0.0.0/8\n"
					      "deny connect tcp 127.0.0.1 1-65535\n"
					      "allow connect tcp 127.0.0.2\n");
	struct soq_policy *more = policy_of("default allow\ndeny accept any 127.0.0.1\n");
	struct soq_policy *both = NULL;
	struct soq_connect_list list = { .size = sizeof(list), .type = SOCK_STREAM };
	struct soq_endpoint ep = endpoint("127.0.0.1:0"), far;
	struct soq_socket *listener, *s = NULL, *away = NULL;
	int fd = receiver_at(SOCK_STREAM, "127.0.0.3", 0, &far), peer;

	police(t, soq_policy_retain(policy));
	list.endpoints = &far;
	list.endpoint_count = 1;
	list.name = "www.example.org";
	expect(soq_connect_list(t->loop, &list, FOREVER, &s), 0);
	expect(soq_socket_detach(s, &away), 0);
	expect(soq_socket_set_policy(away, policy), 0);
	expect(soq_socket_attach(t->loop, away, &s), 0);
	expect(soq_abort(s), 0);

	listener = open_socket(t, AF_INET);
	expect(soq_bind(listener, &ep), 0);
	expect(soq_listen(listener, 1), 0);
	expect(soq_socket_local(listener, &ep), 0);
	peer = raw_connect(&ep);
	expect(soq_accept(listener, &s, NULL), 0);
	expect(soq_socket_detach(s, &away), 0);
	expect(soq_socket_attach(t->loop, away, &s), 0);
	expect(soq_socket_detach(s, &away), 0);
	expect(soq_close(listener), 0);
	/* What a loop has besides is asked. */
	expect(soq_policy_narrow(policy, more, &both), 0);
	police(t, both);
	expect(soq_socket_attach(t->loop, away, &s), -EACCES);
	expect_refused(t, NULL, 0, 5);
	expect(soq_abort(away), 0);
	soq_policy_release(policy);
	soq_policy_release(more);
	close(peer);
	close(fd);
}

/* The kernel chooses from a range: all of it has to be allowed, and none of it denied. */
static void chosen_port_is_any_of_those_it_may_be(struct fixture *t)
{
	static const struct {
		const char *rule;
		int result;
	} cases[] = {
		{ "default deny\nallow bind any * 8080", -EACCES },
		{ "default deny\nallow bind any * 32768-60998", -EACCES },
		{ "default deny\nallow bind any * 32768-60999", 0 },
		{ "default deny\nallow bind any * 1-65535", 0 },
		{ "default deny\nallow bind any *", 0 },
		{ "default allow\ndeny bind any * 1-65535", -EACCES },
		{ "default allow\ndeny bind any * 1024-65535", -EACCES },
		{ "default allow\ndeny bind any * 40000", -EACCES },
		{ "default allow\ndeny bind any * 1-32767", 0 },
		{ "default allow\ndeny bind any * 61000-65535", 0 },
	};
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	const struct soq_endpoint ep = endpoint("127.0.0.1:0");

	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		struct soq_policy *policy = policy_of("%s\n", cases[i].rule);

		police(t, soq_policy_retain(policy));
		for (unsigned k = 0; k < COUNT_OF(types); k++) {
			struct soq_socket *s = policed(t, policy, AF_INET, types[k], 0);

			expect(soq_bind(s, &ep), cases[i].result);
			expect(soq_close(s), 0);
		}
		run_until(t, stats_of(t).sockets == 0);
		soq_policy_release(policy);
	}
}

static const struct conf_case cases[] = {
	SYNC_CASE(wildcard_connects_to_loopback_alone, "22c 22e"),
	SYNC_CASE(wildcard_sends_to_loopback_alone, "22c 22e"),
	SYNC_CASE(listening_after_a_failed_connect_is_binding, "22a"),
	SYNC_CASE(port_without_its_peer_is_a_bind, "22a"),
	CASE(connect_under_way_comes_with_its_peer, "22d"),
	CASE(vsock_connect_under_way_is_refused, "22d"),
	CASE(peer_that_nobody_can_tell_is_refused, "22d"),
	CASE(socket_goes_on_where_its_rules_hold, "22d"),
	SYNC_CASE(chosen_port_is_any_of_those_it_may_be, "22a"),
};

CONF_GROUP(policy_past, cases)
