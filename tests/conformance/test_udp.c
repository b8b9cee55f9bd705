/* SPDX-License-Identifier: MIT */
/* UDP sockets in one call: what is refused, whom they hear, and what they leave behind. */
#include "net.h"
#include "support.h"

#include <net/if.h>

static struct soq_socket *udp_open(struct fixture *t, const struct soq_udp_options *options,
				   struct soq_endpoint *ep)
{
	struct soq_socket *s = NULL;

	expect(soq_udp_open(t->home, options, &s), 0);
	expect(soq_socket_set_timeouts(s, watchdog_ns(), watchdog_ns()), 0);
	expect(soq_socket_local(s, ep), 0);
	return s;
}

static void arguments_are_checked(struct fixture *t)
{
	const struct soq_udp_options good = { .size = sizeof(good) };
	struct soq_udp_options bad = good;
	const struct soq_endpoint none = { 0 };
	const struct soq_udp_group nothing = { 0 };
	struct soq_endpoint local;
	struct soq_socket *s = NULL;

	expect(soq_endpoint_loopback(AF_INET, 0, &local), 0);
	bad.size = 4;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	bad = good;
	bad.port = 65536;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	bad.port = (uint32_t)-1;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	bad.port = 1;
	bad.local = &local;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	bad = good;
	bad.family = AF_UNIX;
	expect(soq_udp_open(t->home, &bad, &s), -EAFNOSUPPORT);
	bad = good;
	bad.local = &none;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	bad = good;
	bad.peer = &none;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	bad = good;
	bad.groups = &nothing;
	bad.group_count = 1;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	bad = good;
	bad.option_count = 1;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	bad = good;
	bad.reserved[0] = 1;
	expect(soq_udp_open(t->home, &bad, &s), -EINVAL);
	expect(soq_udp_open(t->home, NULL, &s), -EINVAL);
	expect(soq_udp_open(t->home, &good, NULL), -EINVAL);
	assert_null(s);
}

/* There and back; with a probe there by its op. */
static void round_trip(struct fixture *t, int family, struct probe *p)
{
	struct soq_udp_options options = { .size = sizeof(options) };
	struct soq_endpoint any, ep, mine, from;
	struct soq_socket *server, *client;
	char in[8];

	expect(soq_endpoint_loopback(family, 0, &any), 0);
	options.local = &any;
	server = udp_open(t, &options, &ep);
	options.local = NULL;
	options.peer = &ep;
	client = udp_open(t, &options, &mine);
	expect(mine.addr.any.sa_family, family);
	if (p != NULL) {
		started(p, soq_recv_from_async(server, &p->op, in, sizeof(in), 0, &from));
		expect(soq_send(client, "there", 5, 0), 5);
		await(t, p);
		expect_end(p, 5, 0);
	} else {
		expect(soq_send(client, "there", 5, 0), 5);
		expect(soq_recv_from(server, in, sizeof(in), 0, &from), 5);
	}
	assert_memory_equal(in, "there", 5);
	expect(soq_endpoint_equal(&from, &mine), 1);
	expect(soq_send_to(server, "back", 4, 0, &from), 4);
	expect(soq_recv(client, in, sizeof(in), 0), 4);
	assert_memory_equal(in, "back", 4);
	expect(soq_close(client), 0);
	expect(soq_close(server), 0);
}

static void datagrams_go_there_and_back(struct fixture *t)
{
	round_trip(t, AF_INET, NULL);
	if (soq_supports(AF_INET6, SOCK_DGRAM, 0) == 1)
		round_trip(t, AF_INET6, NULL);
}

static void datagrams_go_there_and_back_by_ops(struct fixture *t)
{
	round_trip(t, AF_INET, probe(t));
	if (soq_supports(AF_INET6, SOCK_DGRAM, 0) == 1)
		round_trip(t, AF_INET6, probe(t));
}

static void without_a_family_both_are_heard(struct fixture *t)
{
	const struct soq_udp_options options = { .size = sizeof(options) };
	struct soq_udp_options to = options;
	struct soq_endpoint ep, peer, mine;
	struct soq_socket *s = udp_open(t, &options, &ep), *client;
	char in[4];

	expect_true(soq_endpoint_port(&ep) > 0);
	for (int i = 0; i < 2; i++) {
		if (i == 1 && soq_supports(AF_INET6, SOCK_DGRAM, 0) != 1)
			break;
		expect(soq_endpoint_loopback(i == 0 ? AF_INET : AF_INET6,
					     (uint16_t)soq_endpoint_port(&ep), &peer),
		       0);
		to.peer = &peer;
		client = udp_open(t, &to, &mine);
		expect(soq_send(client, "hi", 2, 0), 2);
		expect(soq_recv(s, in, sizeof(in), 0), 2);
		expect(soq_close(client), 0);
	}
	expect(soq_close(s), 0);
}

static void peer_alone_is_heard(struct fixture *t)
{
	struct soq_udp_options options = { .size = sizeof(options) };
	struct soq_endpoint any, peer_ep, ep, other_ep;
	struct soq_socket *peer, *other, *s;
	char in[4];

	expect(soq_endpoint_loopback(AF_INET, 0, &any), 0);
	options.local = &any;
	peer = udp_open(t, &options, &peer_ep);
	other = udp_open(t, &options, &other_ep);
	options.peer = &peer_ep;
	s = udp_open(t, &options, &ep);
	expect(soq_send_to(other, "no", 2, 0, &ep), 2);
	expect(soq_send_to(peer, "yes", 3, 0, &ep), 3);
	expect(soq_recv(s, in, sizeof(in), 0), 3);
	expect(soq_recv(s, in, sizeof(in), SOQ_NOWAIT), -EAGAIN);
	expect(soq_close(s), 0);
	expect(soq_close(other), 0);
	expect(soq_close(peer), 0);
}

/* Of both families, with an IPv4 group; its options are set before. */
static void groups_are_joined(struct fixture *t)
{
	const int ttl = 7;
	const struct soq_option_raw raw[] = { { IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl),
						0 } };
	struct soq_endpoint group, mine, to;
	struct soq_udp_group groups[] = { { .group = &group, .interface = if_nametoindex("lo") } };
	struct soq_udp_options options = {
		.size = sizeof(options),
		.family = AF_INET,
		.options = raw,
		.option_count = 1,
		.groups = groups,
		.group_count = 1,
	};
	struct soq_socket *s = NULL, *sender;
	int64_t value = 0;
	char in[4];

	expect(soq_endpoint_parse("239.7.8.9:0", &group), 0);
	s = udp_open(t, &options, &mine);
	expect(soq_socket_get_option(s, SOQ_OPTION_MULTICAST_TTL, &value), 0);
	expect(value, ttl);
	options.group_count = 0;
	sender = udp_open(t, &options, &to);
	expect(soq_socket_set_option(sender, SOQ_OPTION_MULTICAST_INTERFACE,
				     (int64_t)groups[0].interface),
	       0);
	to = group;
	to.addr.ipv4.sin_port = mine.addr.ipv4.sin_port;
	expect(soq_send_to(sender, "all", 3, 0, &to), 3);
	expect(soq_recv(s, in, sizeof(in), 0), 3);
	/* It is joined, so it can be left. */
	expect(soq_multicast_leave(s, &group, NULL, groups[0].interface), 0);
	expect(soq_close(s), 0);
	expect(soq_close(sender), 0);
	/* A group that cannot be joined leaves no socket. */
	options.group_count = 1;
	expect(soq_endpoint_loopback(AF_INET, 0, &group), 0);
	s = NULL;
	expect(soq_udp_open(t->home, &options, &s), -EINVAL);
	assert_null(s);
}

static void policy_holds_from_the_first_on(struct fixture *t)
{
	static const char text[] = "default deny\nallow bind udp 127.0.0.1\n";
	struct soq_udp_options options = { .size = sizeof(options) };
	struct soq_endpoint any, elsewhere;
	struct soq_policy *policy = NULL;
	struct soq_socket *s = NULL;

	expect(soq_policy_parse(text, sizeof(text) - 1, NULL, &policy), 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &any), 0);
	expect(soq_endpoint_parse("127.0.0.2:9", &elsewhere), 0);
	options.policy = policy;
	options.local = &elsewhere;
	expect(soq_udp_open(NULL, &options, &s), -EACCES);
	options.local = &any;
	options.peer = &elsewhere;
	expect(soq_udp_open(NULL, &options, &s), -EACCES);
	options.peer = NULL;
	expect(soq_udp_open(t->loop, &options, &s), t->loop != NULL ? -EINVAL : 0);
	if (t->loop != NULL)
		expect(soq_udp_open(NULL, &options, &s), 0);
	expect(soq_send_to(s, "x", 1, 0, &elsewhere), -EACCES);
	expect(soq_close(s), 0);
	soq_policy_release(policy);
}

static const struct conf_case cases[] = {
	SYNC_CASE(arguments_are_checked, "B135"),
	SYNC_CASE(datagrams_go_there_and_back, "B135"),
	CASE(datagrams_go_there_and_back_by_ops, "B135"),
	SYNC_CASE(without_a_family_both_are_heard, ""),
	SYNC_CASE(peer_alone_is_heard, ""),
	SYNC_CASE(groups_are_joined, ""),
	SYNC_CASE(policy_holds_from_the_first_on, "22a"),
};

CONF_GROUP(udp, cases)
