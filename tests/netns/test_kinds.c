/* SPDX-License-Identifier: MIT */
/* Kinds of sockets that a network, or a system set up in another way, has more to say of. */
#define _GNU_SOURCE
#include "hosts.h"

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define MPTCP 262 /* IPPROTO_MPTCP, which older C libraries have not */

static void exchange(struct soq_socket *a, struct soq_socket *b)
{
	static const char word[] = "over there";
	char in[sizeof(word)];

	for (unsigned i = 0; i < 2; i++) {
		struct soq_socket *from = i == 0 ? a : b, *to = i == 0 ? b : a;

		expect(soq_send(from, word, sizeof(word), 0), sizeof(word));
		expect(soq_recv(to, in, sizeof(in), SOQ_EXACT), sizeof(in));
		assert_memory_equal(in, word, sizeof(word));
	}
	expect(soq_shutdown(a, SOQ_SHUTDOWN_SEND), 0);
	expect(soq_recv(b, in, sizeof(in), 0), 0);
	expect(soq_send(b, word, sizeof(word), 0), sizeof(word));
	expect(soq_recv(a, in, sizeof(in), SOQ_EXACT), sizeof(in));
	expect(soq_close(b), 0);
	expect(soq_recv(a, in, sizeof(in), 0), 0);
	expect(soq_close(a), 0);
}

/* Over several paths where both ends can, as TCP where one cannot. */
static void paths_may_be_several_or_one(struct fixture *t)
{
	static const char *const there[2] = { "10.0.0.2:0", "[fd00:0::2]:0" };
	struct hosts h;

	hosts_open(&h, 2);
	for (unsigned i = 0; i < 8; i++) {
		int family = i % 2 == 0 ? AF_INET : AF_INET6;
		struct soq_endpoint ep = at(there[i % 2]);
		struct soq_socket *listener, *a, *b = NULL;

		if (soq_supports(family, SOCK_STREAM, MPTCP) != 1) {
			expect(soq_socket_open(t->home, family, SOCK_STREAM, MPTCP, &b) < 0, 1);
			continue;
		}
		listener = host_socket(t, &h, 1, family, SOCK_STREAM, (i & 2) ? MPTCP : 0);
		a = host_socket(t, &h, 0, family, SOCK_STREAM, (i & 4) ? MPTCP : 0);
		expect(soq_bind(listener, &ep), 0);
		expect(soq_listen(listener, 0), 0);
		expect(soq_socket_local(listener, &ep), 0);
		expect(connect_way(t, host_ways(t) - 1, a, &ep), 0);
		expect(soq_accept(listener, &b, NULL), 0);
		expect(soq_socket_set_timeouts(b, watchdog_ns(), watchdog_ns()), 0);
		exchange(a, b);
		expect(soq_close(listener), 0);
	}
	hosts_close(&h);
}

/* A virtual machine that talks to itself, if the kernel has the transport for that. */
static void virtual_machine_reaches_itself(struct fixture *t)
{
	struct soq_socket *listener = NULL, *a, *b = NULL;
	struct soq_endpoint ep;
	int error = soq_socket_open(t->home, AF_VSOCK, SOCK_STREAM, 0, &listener);

	expect(soq_supports(AF_VSOCK, SOCK_STREAM, 0), error == 0);
	if (error != 0)
		return;
	expect(soq_endpoint_vsock(VMADDR_CID_LOCAL, VMADDR_PORT_ANY, &ep), 0);
	error = soq_bind(listener, &ep);
	if (error == 0) {
		expect(soq_listen(listener, 0), 0);
		expect(soq_socket_local(listener, &ep), 0);
		expect(soq_socket_open(t->home, AF_VSOCK, SOCK_STREAM, 0, &a), 0);
		expect(soq_socket_set_timeouts(a, watchdog_ns(), watchdog_ns()), 0);
		expect(connect_way(t, host_ways(t) - 1, a, &ep), 0);
		expect(soq_accept(listener, &b, NULL), 0);
		expect(soq_socket_set_timeouts(b, watchdog_ns(), watchdog_ns()), 0);
		exchange(a, b);
	} else {
		expect(error, -EADDRNOTAVAIL);
	}
	expect(soq_close(listener), 0);
}

static int took_data_along(struct soq_socket *s)
{
	struct tcp_info info;

	expect_true(soq_option_get(s, IPPROTO_TCP, TCP_INFO, &info, sizeof(info)) > 0);
	return (info.tcpi_options & TCPI_OPT_SYN_DATA) != 0;
}

/* The first connection fetches a cookie, the next has its data in the first packet. */
static void first_packet_takes_data_along(struct fixture *t)
{
	struct soq_socket *listener, *a, *b = NULL;
	struct soq_endpoint ep;
	struct hosts h;

	hosts_open(&h, 2);
	host_sysctl(&h, 0, "net/ipv4/tcp_fastopen", "3");
	host_sysctl(&h, 1, "net/ipv4/tcp_fastopen", "3");
	listener = host_bound(t, &h, 1, SOCK_STREAM, "10.0.0.2:0", &ep);
	expect(soq_socket_set_option(listener, SOQ_OPTION_FAST_OPEN_QUEUE, 8), 0);
	expect(soq_listen(listener, 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		char in[8] = "";

		a = host_socket(t, &h, 0, AF_INET, SOCK_STREAM, 0);
		expect(soq_connect_data(a, &ep, "early", 5, SOQ_FAST_OPEN), 5);
		expect(soq_accept_data(listener, in, 5, &b, NULL), 5);
		assert_string_equal(in, "early");
		expect(took_data_along(a), i > 0);
		expect(soq_socket_set_timeouts(b, watchdog_ns(), watchdog_ns()), 0);
		exchange(a, b);
	}
	expect(soq_close(listener), 0);
	hosts_close(&h);
}

/* A system that has IPv6 sockets keep to IPv6: one of both is one of both all the same. */
static void dual_mode_is_whatever_the_system_prefers(struct fixture *t)
{
	struct soq_socket *s, *a, *b = NULL;
	struct soq_endpoint ep, to;
	struct hosts h;
	int64_t only = -1;

	hosts_open(&h, 1);
	host_sysctl(&h, 0, "net/ipv6/bindv6only", "1");
	s = host_socket(t, &h, 0, AF_INET6, SOCK_STREAM, 0);
	expect(soq_socket_get_option(s, SOQ_OPTION_IPV6_ONLY, &only), 0);
	expect(only, 1);
	expect(soq_close(s), 0);
	s = host_socket(t, &h, 0, AF_UNSPEC, SOCK_STREAM, 0);
	expect(soq_socket_get_option(s, SOQ_OPTION_IPV6_ONLY, &only), 0);
	expect(only, 0);
	expect(soq_endpoint_any(AF_INET6, 0, &ep), 0);
	expect(soq_bind(s, &ep), 0);
	expect(soq_listen(s, 0), 0);
	expect(soq_socket_local(s, &ep), 0);
	to = at_port("127.0.0.1:0", &ep);
	a = host_socket(t, &h, 0, AF_INET, SOCK_STREAM, 0);
	expect(soq_connect(a, &to), 0);
	expect(soq_accept(s, &b, NULL), 0);
	expect(soq_socket_set_timeouts(b, watchdog_ns(), watchdog_ns()), 0);
	exchange(a, b);
	expect(soq_close(s), 0);
	hosts_close(&h);
}

static void report_of_a_router_says_who(struct fixture *t)
{
	static const char *const nowhere[2] = { "192.0.2.1:9", "[2001:db8::1]:9" };
	static const char *const router[2] = { "10.0.0.2:0", "[fd00:0::2]:0" };
	static const int error[2] = { -EHOSTUNREACH, -ENETUNREACH };
	struct hosts h;

	hosts_open(&h, 3);
	host_run(&h, 1,
		 "ip route add unreachable 192.0.2.0/24 &&"
		 " ip -6 route add unreachable 2001:db8::/32");
	for (unsigned i = 0; i < 2; i++) {
		struct soq_endpoint to = at(nowhere[i]), who = at(router[i]);
		struct soq_socket *s = host_socket(t, &h, 0, to.addr.any.sa_family, SOCK_DGRAM, 0);
		struct soq_report report = { .size = sizeof(report) };

		expect(soq_socket_set_option(s, SOQ_OPTION_ERROR_REPORTS, 1), 0);
		expect(soq_send_to(s, "lost", 4, 0, &to), 4);
		expect_true((unsigned)soq_poll(s, SOQ_POLL_ERROR, watchdog_ns()) & SOQ_POLL_ERROR);
		expect(soq_recv_error(s, &report), 1);
		expect(report.error, error[i]);
		expect(report.origin, i == 0 ? SOQ_REPORT_ICMP : SOQ_REPORT_ICMPV6);
		expect(soq_endpoint_equal(&report.offender, &who), 1);
		expect(soq_endpoint_equal(&report.destination, &to), 1);
		expect(soq_recv_error(s, &report), 0);
		expect(soq_close(s), 0);
	}
	hosts_close(&h);
}

static const struct conf_case cases[] = {
	SYNC_CASE(paths_may_be_several_or_one, ""),
	SYNC_CASE(virtual_machine_reaches_itself, ""),
	SYNC_CASE(first_packet_takes_data_along, ""),
	SYNC_CASE(dual_mode_is_whatever_the_system_prefers, "B096"),
	SYNC_CASE(report_of_a_router_says_who, ""),
};

CONF_GROUP(kinds, cases)
