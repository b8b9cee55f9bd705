/* SPDX-License-Identifier: MIT */
/* IPv6 sockets that carry IPv4 too, by mapped addresses, and those that do not. */
#define _GNU_SOURCE
#include "support.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

static struct soq_socket *open_dual(struct fixture *t, int type, bool only)
{
	struct soq_socket *s = open_socket_of(t, AF_INET6, type);

	expect(soq_socket_set_option(s, SOQ_OPTION_IPV6_ONLY, only), 0);
	return s;
}

static struct soq_endpoint mapped_loopback(uint16_t port)
{
	struct soq_endpoint ep;

	expect(soq_endpoint_parse("[::ffff:127.0.0.1]:1", &ep), 0);
	ep.addr.ipv6.sin6_port = htons(port);
	return ep;
}

static uint16_t listen_on(struct soq_socket *listener, int family, bool wildcard)
{
	struct soq_endpoint ep;

	expect(wildcard ? soq_endpoint_any(family, 0, &ep) : soq_endpoint_loopback(family, 0, &ep),
	       0);
	expect(soq_bind(listener, &ep), 0);
	expect(soq_listen(listener, 1), 0);
	expect(soq_socket_local(listener, &ep), 0);
	return (uint16_t)soq_endpoint_port(&ep);
}

static void dual_mode_may_be_chosen(struct fixture *t)
{
	struct soq_socket *s = open_socket_of(t, AF_INET6, SOCK_STREAM);
	int64_t value = -1;

	for (int64_t only = 3; only >= 0; only--) {
		expect(soq_socket_set_option(s, SOQ_OPTION_IPV6_ONLY, only & 1), 0);
		expect(soq_socket_get_option(s, SOQ_OPTION_IPV6_ONLY, &value), 0);
		expect(value, only & 1);
	}
	expect(soq_close(s), 0);
	s = open_socket_of(t, AF_INET, SOCK_STREAM);
	expect(soq_socket_set_option(s, SOQ_OPTION_IPV6_ONLY, 0), -EOPNOTSUPP);
	expect(soq_socket_get_option(s, SOQ_OPTION_IPV6_ONLY, &value), -EOPNOTSUPP);
	expect(soq_close(s), 0);
}

/* A client of dual mode, by a mapped address or IPv6's own; 0 or how the connect failed. */
static int reach(struct fixture *t, uint16_t port, bool mapped)
{
	struct soq_socket *s = open_dual(t, SOCK_STREAM, false);
	struct soq_endpoint ep = mapped_loopback(port);
	int result;

	if (!mapped)
		expect(soq_endpoint_loopback(AF_INET6, port, &ep), 0);
	result = soq_connect(s, &ep);
	expect(soq_close(s), 0);
	return result;
}

static void dual_client_reaches_both_families(struct fixture *t)
{
	struct soq_socket *v4 = open_socket_of(t, AF_INET, SOCK_STREAM);
	struct soq_socket *only = open_dual(t, SOCK_STREAM, true);
	struct soq_socket *dual = open_dual(t, SOCK_STREAM, false);
	uint16_t port = listen_on(v4, AF_INET, false);

	expect(reach(t, port, true), 0);
	expect(reach(t, port, false), -ECONNREFUSED);
	expect(soq_close(v4), 0);
	port = listen_on(only, AF_INET6, false);
	expect(reach(t, port, false), 0);
	expect(reach(t, port, true), -ECONNREFUSED);
	expect(soq_close(only), 0);
	port = listen_on(dual, AF_INET6, true);
	expect(reach(t, port, true), 0);
	expect(reach(t, port, false), 0);
	expect(soq_close(dual), 0);
}

static void ipv4_address_is_none_of_an_ipv6_socket(struct fixture *t)
{
	struct soq_socket *s = open_dual(t, SOCK_STREAM, true);
	struct soq_endpoint ep;

	expect(soq_endpoint_loopback(AF_INET, 9, &ep), 0);
	expect(soq_connect(s, &ep), -EAFNOSUPPORT);
	ep = mapped_loopback(9);
	expect(soq_connect(s, &ep), -ENETUNREACH);
	expect(soq_close(s), 0);
}

static void ipv4_senders_are_mapped_and_come_by_an_interface(struct fixture *t)
{
	struct soq_socket *s = open_dual(t, SOCK_DGRAM, false), *a;
	struct soq_endpoint ep, at_a;
	char in[8];
	struct iovec segment = { in, sizeof(in) };
	struct soq_message m = { .size = sizeof(m), .segments = &segment, .segment_count = 1 };

	expect(soq_endpoint_any(AF_INET6, 0, &ep), 0);
	expect(soq_bind(s, &ep), 0);
	expect(soq_socket_set_message_info(s, SOQ_INFO_PACKET), 0);
	expect(soq_socket_local(s, &ep), 0);
	a = bound_socket(t, AF_INET, SOCK_DGRAM, &at_a);
	at_a = mapped_loopback((uint16_t)soq_endpoint_port(&at_a));
	{
		struct soq_endpoint to;

		expect(soq_endpoint_loopback(AF_INET, (uint16_t)soq_endpoint_port(&ep), &to), 0);
		expect(soq_send_to(a, "hello", 5, 0, &to), 5);
	}
	expect(soq_recv_msg(s, &m, 0), 5);
	expect_true(soq_endpoint_equal(&m.peer, &at_a));
	ep = mapped_loopback(1);
	expect(memcmp(&m.local.addr.ipv6.sin6_addr, &ep.addr.ipv6.sin6_addr, 16), 0);
	expect_true(m.interface > 0);
	expect(soq_close(s), 0);
	expect(soq_close(a), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(dual_mode_may_be_chosen, "B097"),
	SYNC_CASE(dual_client_reaches_both_families, "B098"),
	SYNC_CASE(ipv4_address_is_none_of_an_ipv6_socket, "B099"),
	SYNC_CASE(ipv4_senders_are_mapped_and_come_by_an_interface, "B087"),
};

CONF_GROUP(dual, cases)
