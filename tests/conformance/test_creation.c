/* SPDX-License-Identifier: MIT */
/* What can be opened, what is only asked for, and sockets of IPv6 that take IPv4 too. */
#define _GNU_SOURCE
#include "message_kit.h"

#include <linux/vm_sockets.h>
#include <net/if.h>

#define MPTCP 262 /* IPPROTO_MPTCP, which older C libraries have not */

struct kind {
	int family, type, protocol;
};

/* Opens one, on the tier's loop; the error if it cannot be. */
static int try_kind(struct fixture *t, const struct kind *kind)
{
	struct soq_socket *s = NULL;
	int error = soq_socket_open(t->home, kind->family, kind->type, kind->protocol, &s);

	if (error == 0)
		expect(soq_close(s), 0);
	else
		assert_null(s);
	return error;
}

/* What soq_supports() says is what opening says, for every kind that there may be. */
static void question_and_opening_agree(struct fixture *t)
{
	static const int families[] = { AF_UNSPEC, AF_UNIX,    AF_INET,  AF_INET6,
					AF_PACKET, AF_NETLINK, AF_VSOCK, 200 };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET };
	static const int protocols[] = { 0,           IPPROTO_ICMP,   IPPROTO_TCP,
					 IPPROTO_UDP, IPPROTO_ICMPV6, MPTCP,
					 250 };
	unsigned open = 0;

	for (unsigned i = 0; i < COUNT_OF(families) * COUNT_OF(types) * COUNT_OF(protocols); i++) {
		struct kind kind = { families[i / COUNT_OF(protocols) / COUNT_OF(types)],
				     types[i / COUNT_OF(protocols) % COUNT_OF(types)],
				     protocols[i % COUNT_OF(protocols)] };
		int says = soq_supports(kind.family, kind.type, kind.protocol);
		int error = try_kind(t, &kind);

		expect(says == 1, error == 0);
		if (error == -EPERM || error == -EACCES)
			expect(says, error);
		else
			expect_true(says >= 0);
		open += says == 1;
	}
	expect_true(open > 8);
}

static void what_every_system_has_is_there(struct fixture *t)
{
	static const struct kind kinds[] = {
		{ AF_INET, SOCK_STREAM, 0 },
		{ AF_INET, SOCK_DGRAM, 0 },
		{ AF_INET, SOCK_STREAM, IPPROTO_TCP },
		{ AF_INET6, SOCK_STREAM, 0 },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
		{ AF_UNIX, SOCK_STREAM, 0 },
		{ AF_UNIX, SOCK_DGRAM, 0 },
		{ AF_UNIX, SOCK_SEQPACKET, 0 },
	};
	static const struct kind none[] = {
		{ AF_INET, SOCK_RDM, 0 },
		{ AF_INET, SOCK_DGRAM, IPPROTO_TCP },
		{ AF_INET, SOCK_STREAM, IPPROTO_UDP },
		{ AF_UNSPEC, SOCK_STREAM, IPPROTO_UDP },
		{ AF_UNIX, SOCK_RDM, 0 },
		{ 200, SOCK_STREAM, 0 },
	};

	for (unsigned i = 0; i < COUNT_OF(kinds); i++)
		expect(soq_supports(kinds[i].family, kinds[i].type, kinds[i].protocol), 1);
	for (unsigned i = 0; i < COUNT_OF(none); i++)
		expect(soq_supports(none[i].family, none[i].type, none[i].protocol), 0);
	(void)t;
}

/* Without the right to it (of root the tests drop none) the answer is the kernel's. */
static void raw_dual_mode_is_none(struct fixture *t)
{
	const struct kind raw = { AF_UNSPEC, SOCK_RAW, IPPROTO_ICMPV6 };
	int may = soq_supports(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	expect(try_kind(t, &raw), may == 1 ? -EINVAL : may);
}

static struct soq_socket *dual(struct fixture *t, int type, struct soq_endpoint *ep)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	struct soq_socket *s = NULL;
	int64_t only = -1;

	expect(soq_socket_open(t->home, AF_UNSPEC, type, 0, &s), 0);
	expect(soq_socket_info(s, &info), 0);
	expect(info.family, AF_INET6);
	expect(info.type, type);
	expect(soq_socket_get_option(s, SOQ_OPTION_IPV6_ONLY, &only), 0);
	expect(only, 0);
	expect(soq_endpoint_any(AF_INET6, 0, ep), 0);
	expect(soq_bind(s, ep), 0);
	expect(soq_socket_local(s, ep), 0);
	expect(soq_socket_set_timeouts(s, watchdog_ns(), watchdog_ns()), 0);
	return s;
}

static struct soq_endpoint loopback(int family, const struct soq_endpoint *port_of)
{
	struct soq_endpoint ep;

	expect(soq_endpoint_loopback(family, (uint16_t)soq_endpoint_port(port_of), &ep), 0);
	return ep;
}

static void dual_listener_hears_both(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = dual(t, SOCK_STREAM, &ep);

	expect(soq_listen(listener, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		int family = i == 0 ? AF_INET : AF_INET6;
		struct soq_endpoint to = loopback(family, &ep), peer, local, plain;
		struct soq_socket *a = open_socket(t, family), *b = NULL;

		expect(soq_connect(a, &to), 0);
		expect(soq_accept(listener, &b, &peer), 0);
		expect(peer.addr.any.sa_family, AF_INET6);
		expect(IN6_IS_ADDR_V4MAPPED(&peer.addr.ipv6.sin6_addr) != 0, family == AF_INET);
		expect(soq_socket_local(a, &local), 0);
		if (family == AF_INET) {
			expect(soq_endpoint_to_ipv4(&peer, &plain), 0);
			expect(soq_endpoint_equal(&plain, &local), 1);
		}
		expect(soq_endpoint_to_ipv6(&local, &local), 0);
		expect(soq_endpoint_equal(&peer, &local), 1);
		expect(soq_send(a, "x", 1, 0), 1);
		expect(soq_recv(b, in, 4, 0), 1);
		expect(soq_abort(a), 0);
		expect(soq_abort(b), 0);
	}
	expect(soq_close(listener), 0);
}

static void dual_client_reaches_both(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct soq_endpoint to, mapped, own;
		struct soq_socket *listener = soq_listener(t, i == 0 ? AF_INET : AF_INET6, &to);
		struct soq_socket *a = dual(t, SOCK_STREAM, &own), *b = NULL;

		/* An address of IPv4 is the other family's, until it is mapped. */
		if (i == 0)
			expect(soq_connect(a, &to), -EAFNOSUPPORT);
		expect(soq_endpoint_to_ipv6(&to, &mapped), 0);
		expect(soq_connect(a, &mapped), 0);
		expect(soq_accept(listener, &b, NULL), 0);
		expect(soq_socket_peer(a, &own), 0);
		expect(soq_endpoint_equal(&own, &mapped), 1);
		expect(soq_abort(a), 0);
		expect(soq_abort(b), 0);
		expect(soq_close(listener), 0);
	}
}

/* A receiver of everything, a sender of IPv4: both addresses are mapped, and there is a number. */
static void dual_receiver_is_told_mapped_addresses(struct fixture *t)
{
	for (unsigned way = 0; way < ways(t); way++) {
		struct soq_endpoint ep, from, here;
		struct soq_socket *s = dual(t, SOCK_DGRAM, &ep);
		struct soq_socket *a = bound_socket(t, AF_INET, SOCK_DGRAM, &from);
		struct soq_endpoint to = loopback(AF_INET, &ep);
		struct iovec part = { in, sizeof(in) };
		struct soq_message m = message_of(&part, 1);

		expect(soq_socket_set_message_info(s, SOQ_INFO_PACKET), 0);
		expect(soq_send_to(a, "hello", 5, 0, &to), 5);
		expect(recv_way(t, way, s, &m), 5);
		expect(soq_endpoint_to_ipv6(&from, &from), 0);
		expect(soq_endpoint_equal(&m.peer, &from), 1);
		expect(m.info, SOQ_INFO_PACKET);
		expect(soq_endpoint_to_ipv4(&m.local, &here), 0);
		expect(here.addr.ipv4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
		expect(m.interface, if_nametoindex("lo"));
		expect_true(m.interface > 0);
		/* And the answer goes back the way it came. */
		part.iov_len = 5;
		expect(send_way(t, way, s, &m), 5);
		expect(soq_recv_from(a, in, sizeof(in), 0, &from), 5);
		expect(soq_endpoint_equal(&from, &to), 1);
		expect(soq_close(a), 0);
		expect(soq_close(s), 0);
	}
}

/* TCP over several paths is TCP where it is, and nothing where it is not. */
static void mptcp_is_like_tcp_or_not_there(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		int family = i == 0 ? AF_INET : AF_INET6;
		int has = soq_supports(family, SOCK_STREAM, MPTCP);
		struct soq_socket *listener = NULL, *a = NULL, *b = NULL;
		struct soq_endpoint ep;

		expect_true(has == 0 || has == 1);
		/* What a program does that wants it where it is. */
		expect(soq_socket_open(t->home, family, SOCK_STREAM, has ? MPTCP : 0, &listener),
		       0);
		expect(soq_socket_open(t->home, family, SOCK_STREAM, has ? MPTCP : 0, &a), 0);
		expect(soq_endpoint_loopback(family, 0, &ep), 0);
		expect(soq_bind(listener, &ep), 0);
		expect(soq_listen(listener, 0), 0);
		expect(soq_socket_local(listener, &ep), 0);
		expect(soq_connect(a, &ep), 0);
		expect(soq_accept(listener, &b, NULL), 0);
		fill(out, 60000, 3, 0);
		expect(soq_send(a, out, 60000, 0), 60000);
		expect(soq_recv(b, in, 60000, SOQ_EXACT), 60000);
		expect(is_filled(in, 60000, 3, 0), 1);
		expect(soq_shutdown(b, SOQ_SHUTDOWN_SEND), 0);
		expect(soq_recv(a, in, 8, 0), 0);
		expect(soq_close(a), 0);
		expect(soq_recv(b, in, 8, 0), 0);
		expect(soq_close(b), 0);
		expect(soq_close(listener), 0);
	}
}

/* A listener on a virtual machine's own port; who calls it depends on the machine. */
static void vsock_binds_and_listens_where_it_is(struct fixture *t)
{
	int has = soq_supports(AF_VSOCK, SOCK_STREAM, 0);
	const struct kind kind = { AF_VSOCK, SOCK_STREAM, 0 };
	struct soq_endpoint any, ep, again;
	char text[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_socket *s = NULL;

	expect_true(has == 0 || has == 1);
	if (!has) {
		expect_true(try_kind(t, &kind) < 0);
		return;
	}
	expect(soq_socket_open(t->home, AF_VSOCK, SOCK_STREAM, 0, &s), 0);
	expect(soq_endpoint_vsock(VMADDR_CID_ANY, VMADDR_PORT_ANY, &any), 0);
	expect(soq_bind(s, &any), 0);
	expect(soq_bind(s, &any), -EINVAL);
	expect(soq_listen(s, 1), 0);
	expect(soq_socket_local(s, &ep), 0);
	expect_true(soq_endpoint_format(&ep, text, sizeof(text)) > 0);
	expect(strncmp(text, "vsock:4294967295:", 17), 0);
	expect(soq_endpoint_parse(text, &again), 0);
	expect(soq_endpoint_equal(&ep, &again), 1);
	expect(soq_socket_set_timeouts(s, 0, 0), 0);
	expect(soq_accept(s, &(struct soq_socket *){ NULL }, NULL), -ETIMEDOUT);
	expect(soq_close(s), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(question_and_opening_agree, "5a"),
	SYNC_CASE(what_every_system_has_is_there, "5a"),
	SYNC_CASE(raw_dual_mode_is_none, "5a"),
	SYNC_CASE(dual_listener_hears_both, ""),
	SYNC_CASE(dual_client_reaches_both, ""),
	SYNC_CASE(dual_receiver_is_told_mapped_addresses, "B087"),
	SYNC_CASE(mptcp_is_like_tcp_or_not_there, ""),
	SYNC_CASE(vsock_binds_and_listens_where_it_is, ""),
};

CONF_GROUP(creation, cases)
