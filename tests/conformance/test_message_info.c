/* SPDX-License-Identifier: MIT */
/*
 * What datagrams tell beside their bytes, and are told: addresses and interfaces,
 * congestion marks, times. A kernel without one of it says so, and the rest holds.
 */
#define _GNU_SOURCE
#include "message_kit.h"

#include <net/if.h>
#include <time.h>

/* Receivers of every address, and where it is reached. */
static const char *const any[MODES] = { "0.0.0.0:0", "[::]:0", "[::]:0" };
static const char *const there[MODES] = { "127.0.0.2:0", "[::1]:0", "[::ffff:127.0.0.2]:0" };

static void set_port(struct soq_endpoint *ep, int port)
{
	if (ep->addr.any.sa_family == AF_INET)
		ep->addr.ipv4.sin_port = htons((uint16_t)port);
	else
		ep->addr.ipv6.sin6_port = htons((uint16_t)port);
}

static void packet_information_goes_both_ways(struct fixture *t)
{
	for (unsigned i = 0; i < MODES * ways(t); i++) {
		enum mode mode = (enum mode)(i / ways(t));
		struct soq_endpoint at_a, to, local;
		struct soq_socket *a = bound_mode(t, mode, mode_names[mode], &at_a);
		struct soq_socket *b = bound_mode(t, mode, any[mode], &to);
		struct iovec part = { in, 8 };
		struct soq_message m = message_of(&part, 1), back = message_of(&part, 1);
		int port = soq_endpoint_port(&to);

		expect(soq_socket_set_message_info(b, SOQ_INFO_PACKET), 0);
		expect(soq_endpoint_parse(there[mode], &local), 0);
		to = local;
		set_port(&to, port);
		expect(soq_send_to(a, "there", 5, 0, &to), 5);
		expect(recv_way(t, i % ways(t), b, &m), 5);
		expect(m.info, SOQ_INFO_PACKET);
		expect(m.interface, if_nametoindex("lo"));
		expect(soq_endpoint_equal(&m.local, &local), 1);
		expect(soq_endpoint_equal(&m.peer, &at_a), 1);

		/* The same message is an answer from that address. */
		part.iov_len = 4;
		expect(send_way(t, i % ways(t), b, &m), 4);
		part.iov_len = 8;
		expect(recv_way(t, i % ways(t), a, &back), 4);
		expect(back.info, 0);
		expect(back.local.size_bytes, 0);
		expect(soq_endpoint_equal(&back.peer, &to), 1);
		expect(soq_close(a), 0);
		expect(soq_close(b), 0);
	}
}

/* To an address or to the peer of a connect, without an address to send from. */
static void interface_alone_will_do(struct fixture *t)
{
	struct iovec part = { out, 4 };

	for (unsigned i = 0; i < MODES * 2 * ways(t); i++) {
		struct datagrams d = pair_mode(t, (enum mode)(i / ways(t) / 2));
		struct soq_message m = message_of(&part, 1);

		m.info = SOQ_INFO_PACKET;
		m.interface = if_nametoindex("lo");
		if (i / ways(t) % 2)
			expect(soq_connect(d.a, &d.at_b), 0);
		else
			m.peer = d.at_b;
		expect(send_way(t, i % ways(t), d.a, &m), 4);
		expect(soq_recv(d.b, in, sizeof(in), 0), 4);
		m.interface = INT32_MAX;
		expect_true(send_way(t, i % ways(t), d.a, &m) < 0);
		datagrams_close(&d);
	}
}

static void class_and_congestion_marks_arrive(struct fixture *t)
{
	for (unsigned i = 0; i < MODES * ways(t); i++) {
		struct datagrams d = pair_mode(t, (enum mode)(i / ways(t)));
		struct iovec part = { in, 8 };
		struct soq_message m = message_of(&part, 1), got = message_of(&part, 1);

		expect(soq_socket_set_message_info(d.b, SOQ_INFO_ECN), 0);
		m.peer = d.at_b;
		for (unsigned ecn = 0; ecn < 4; ecn++) {
			m.info = SOQ_INFO_ECN;
			m.ecn = (uint8_t)ecn;
			m.dscp = (uint8_t)(ecn * 10);
			expect(send_way(t, i % ways(t), d.a, &m), 8);
			expect(recv_way(t, i % ways(t), d.b, &got), 8);
			expect(got.info, SOQ_INFO_ECN);
			expect(got.ecn, ecn);
			expect(got.dscp, ecn * 10);
		}
		/* Not said to be valid, so not sent. */
		m.info = 0;
		expect(send_way(t, i % ways(t), d.a, &m), 8);
		expect(recv_way(t, i % ways(t), d.b, &got), 8);
		expect(got.info, SOQ_INFO_ECN);
		expect(got.ecn, 0);
		expect(got.dscp, 0);
		datagrams_close(&d);
	}
}

/* As many hops as the socket, the message, or a receiver said. */
static void hops_go_both_ways(struct fixture *t)
{
	for (unsigned i = 0; i < MODES * ways(t); i++) {
		struct datagrams d = pair_mode(t, (enum mode)(i / ways(t)));
		struct iovec part = { in, 8 };
		struct soq_message m = message_of(&part, 1), got = message_of(&part, 1);

		expect(soq_socket_set_message_info(d.b, SOQ_INFO_TTL), 0);
		expect(soq_socket_set_option(d.a, SOQ_OPTION_TTL, 77), 0);
		m.peer = d.at_b;
		for (unsigned ttl = 0; ttl < 256; ttl += 51) {
			m.info = ttl > 0 ? SOQ_INFO_TTL : 0;
			m.ttl = (uint8_t)ttl;
			expect(send_way(t, i % ways(t), d.a, &m), 8);
			expect(recv_way(t, i % ways(t), d.b, &got), 8);
			expect(got.info, SOQ_INFO_TTL);
			expect(got.ttl, ttl > 0 ? ttl : 77);
		}
		datagrams_close(&d);
	}
}

/* The datagrams that were dropped are told by one that was not, and sent back unharmed. */
static void drops_are_counted(struct fixture *t)
{
	for (unsigned i = 0; i < MODES * ways(t); i++) {
		struct datagrams d = pair_mode(t, (enum mode)(i / ways(t)));
		struct iovec part = { in, 2000 };
		struct soq_message got = message_of(&part, 1);
		unsigned sent = 0, received = 0;

		expect(soq_socket_set_message_info(d.b, SOQ_INFO_DROPS), 0);
		expect(soq_socket_set_option(d.b, SOQ_OPTION_RECEIVE_BUFFER_BYTES, 0), 0);
		for (; sent < 30; sent++)
			expect(soq_send_to(d.a, out, 1000, 0, &d.at_b), 1000);
		/* All that had room came before the first drop. */
		while (soq_poll(d.b, SOQ_POLL_RECV, 0) != 0) {
			expect(recv_way(t, i % ways(t), d.b, &got), 1000);
			expect(got.info, 0);
			expect(got.dropped_count, 0);
			received++;
		}
		expect_true(received > 0 && received < sent);
		expect(soq_send_to(d.a, out, 1000, 0, &d.at_b), 1000);
		expect(recv_way(t, i % ways(t), d.b, &got), 1000);
		expect(got.info, SOQ_INFO_DROPS);
		expect(got.dropped_count, sent - received);
		expect(send_way(t, i % ways(t), d.b, &got), 2000);
		datagrams_close(&d);
	}
}

static int64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void time_of_arrival_is_told(struct fixture *t)
{
	/* The wall clock may be set meanwhile, by a little. */
	const int64_t slack_ns = 1000 * MS;

	for (unsigned i = 0; i < MODES * ways(t); i++) {
		struct datagrams d = pair_mode(t, (enum mode)(i / ways(t)));
		struct iovec part = { in, 8 };
		struct soq_message got = message_of(&part, 1);
		int64_t before_ns = wall_ns();

		expect(soq_socket_set_message_info(d.b, SOQ_INFO_TIME), 0);
		expect(soq_send_to(d.a, "now", 3, 0, &d.at_b), 3);
		expect(recv_way(t, i % ways(t), d.b, &got), 3);
		expect(got.info, SOQ_INFO_TIME);
		expect_true(got.time_ns > before_ns - slack_ns);
		expect_true(got.time_ns < wall_ns() + slack_ns);
		datagrams_close(&d);
	}
}

static void all_of_it_at_once(struct fixture *t)
{
	const uint32_t all = SOQ_INFO_PACKET | SOQ_INFO_ECN | SOQ_INFO_TIME | SOQ_INFO_TTL;
	struct iovec part = { in, sizeof(in) }, whole = { out, 5000 };

	fill(out, sizeof(out), 1, 0);
	for (unsigned i = 0; i < MODES * ways(t); i++) {
		struct datagrams d = pair_mode(t, (enum mode)(i / ways(t)));
		struct soq_message m = message_of(&whole, 1), got = message_of(&part, 1);
		int has = soq_socket_set_message_info(d.b,
						      all | SOQ_INFO_DROPS | SOQ_INFO_SEGMENTS);

		if (has == -EOPNOTSUPP)
			expect(soq_socket_set_message_info(d.b, all), 0);
		m.info = all | SOQ_INFO_SEGMENTS | SOQ_INFO_DROPS;
		m.ttl = 9;
		m.peer = d.at_b;
		m.local = d.at_a;
		m.segment_size_bytes = 1250;
		m.ecn = 2;
		expect(send_way(t, i % ways(t), d.a, &m), 5000);
		expect(recv_way(t, i % ways(t), d.b, &got), has ? 1250 : 5000);
		expect(got.info, has ? all : all | SOQ_INFO_SEGMENTS);
		expect(got.segment_size_bytes, has ? 0 : 1250);
		expect(got.ecn, 2);
		expect(got.ttl, 9);
		set_port(&d.at_b, 0);
		expect(soq_endpoint_equal(&got.local, &d.at_b), 1);
		datagrams_close(&d);
	}
}

static void receive_that_waits_is_told_as_well(struct fixture *t)
{
	const uint32_t all = SOQ_INFO_PACKET | SOQ_INFO_ECN | SOQ_INFO_TIME;
	struct iovec part = { in, sizeof(in) };

	for (enum mode mode = V4; mode < MODES; mode++) {
		struct datagrams d = pair_mode(t, mode);
		struct soq_message got[2] = { message_of(&part, 1), message_of(&part, 1) };
		struct probe *p[2] = { probe(t), probe(t) };

		expect(soq_socket_set_message_info(d.b, all), 0);
		for (unsigned i = 0; i < 2; i++)
			started(p[i], soq_recv_msg_async(d.b, &p[i]->op, &got[i], 0));
		settle(t);
		for (unsigned i = 0; i < 2; i++) {
			expect(soq_send_to(d.a, "come", 4, 0, &d.at_b), 4);
			await(t, p[i]);
			expect_end(p[i], 4, 0);
			expect(got[i].info, all);
			expect(got[i].interface, if_nametoindex("lo"));
			expect(soq_endpoint_equal(&got[i].peer, &d.at_a), 1);
		}
		datagrams_close(&d);
	}
}

static void what_is_not_asked_for_is_not_told(struct fixture *t)
{
	for (unsigned i = 0; i < MODES * ways(t); i++) {
		struct datagrams d = pair_mode(t, (enum mode)(i / ways(t)));
		struct iovec part = { in, 8 };
		struct soq_message got = message_of(&part, 1);

		for (unsigned k = 0; k < 2; k++) {
			/* What is in the struct from before does not stay. */
			got.info = ~0u;
			got.local = d.at_b;
			got.time_ns = 1;
			got.segment_size_bytes = got.ecn = got.dscp = got.ttl = 1;
			got.dropped_count = 1;
			expect(soq_send_to(d.a, "plain", 5, 0, &d.at_b), 5);
			expect(recv_way(t, i % ways(t), d.b, &got), 5);
			expect(got.info, 0);
			expect(got.local.size_bytes, 0);
			expect(got.time_ns, 0);
			expect(got.interface, 0);
			expect(got.segment_size_bytes + got.ecn + got.dscp + got.ttl, 0);
			expect(got.dropped_count, 0);
			expect(got.length_bytes, 5);
			/* The next time it was on, and is off again. */
			expect(soq_socket_set_message_info(
				       d.b, SOQ_INFO_PACKET | SOQ_INFO_ECN | SOQ_INFO_TIME |
						    SOQ_INFO_TTL | SOQ_INFO_DROPS),
			       0);
			expect(soq_socket_set_message_info(d.b, 0), 0);
		}
		datagrams_close(&d);
	}
}

/* Options beside ours, more than there is room for. */
static void what_the_kernel_had_to_cut_is_not_valid(struct fixture *t)
{
	static const int more[] = { IPV6_RECVHOPLIMIT, IPV6_2292HOPLIMIT, IPV6_2292PKTINFO,
				    IPV6_2292DSTOPTS, IPV6_RECVORIGDSTADDR };

	for (unsigned i = 0; i < ways(t); i++) {
		struct datagrams d = pair_mode(t, V6);
		struct iovec part = { in, 8 };
		struct soq_message got = message_of(&part, 1);
		int on = 1, stamps = 1 << 3 | 1 << 4; /* SOF_TIMESTAMPING_RX_SOFTWARE, _SOFTWARE */

		expect(soq_socket_set_message_info(d.b,
						   SOQ_INFO_PACKET | SOQ_INFO_ECN | SOQ_INFO_TIME),
		       0);
		for (unsigned k = 0; k < COUNT_OF(more); k++)
			expect(soq_option_set(d.b, IPPROTO_IPV6, more[k], &on, sizeof(on)), 0);
		expect(soq_option_set(d.b, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)),
		       0);
		expect(soq_send_to(d.a, "much", 4, 0, &d.at_b), 4);
		expect(recv_way(t, i, d.b, &got), 4);
		expect(got.info, SOQ_INFO_CUT);
		expect(got.flags, 0);
		expect(got.local.size_bytes, 0);
		expect(got.time_ns, 0);
		expect(soq_endpoint_equal(&got.peer, &d.at_a), 1);
		datagrams_close(&d);
	}
}

static void expect_refused(struct fixture *t, struct soq_socket *s, struct soq_message *m,
			   int64_t want)
{
	struct probe *p = probe(t);

	expect(soq_send_msg(s, m, 0), want);
	if (t->home)
		expect(soq_send_msg_async(s, &p->op, m, 0), want);
}

static void limits_are_told_before_anything_is_sent(struct fixture *t)
{
	struct datagrams d = pair_mode(t, V4);
	struct iovec part = { out, SOQ_MESSAGE_SPLIT_BYTES_MAX + 1 };
	struct soq_message m = message_of(&part, 1);

	m.peer = d.at_b;
	m.info = SOQ_INFO_SEGMENTS;
	m.segment_size_bytes = 60000;
	expect_refused(t, d.a, &m, -EMSGSIZE);
	part.iov_len = SOQ_MESSAGE_SPLIT_MAX * 10 + 1;
	m.segment_size_bytes = 10;
	expect_refused(t, d.a, &m, -EMSGSIZE);
	m.segment_size_bytes = 0;
	expect_refused(t, d.a, &m, -EINVAL);
	m.info = SOQ_INFO_ECN;
	part.iov_len = 10;
	m.ecn = 4;
	expect_refused(t, d.a, &m, -EINVAL);
	m.ecn = 0;
	m.dscp = 64;
	expect_refused(t, d.a, &m, -EINVAL);
	m.info = SOQ_INFO_TTL;
	expect_refused(t, d.a, &m, -EINVAL);
	m.info = SOQ_INFO_PACKET;
	expect_refused(t, d.a, &m, -EINVAL);
	m.interface = UINT32_MAX;
	expect_refused(t, d.a, &m, -EINVAL);
	expect(soq_endpoint_loopback(AF_INET6, 0, &m.local), 0);
	m.interface = 0;
	expect_refused(t, d.a, &m, -EAFNOSUPPORT);
	expect_pieces(&d, 0, 1);
	datagrams_close(&d);
}

static void other_sockets_have_none_of_it(struct fixture *t)
{
	static const uint32_t infos[] = { SOQ_INFO_SEGMENTS, SOQ_INFO_ECN, SOQ_INFO_PACKET,
					  SOQ_INFO_TIME,     SOQ_INFO_TTL, SOQ_INFO_DROPS };
	struct datagrams d = datagrams_connected(t, AF_UNIX);
	struct soq_socket *stream[2];
	struct iovec part = { out, 1 };

	pair_soq(t, AF_INET, &stream[0], &stream[1]);
	for (unsigned i = 0; i < COUNT_OF(infos); i++) {
		struct soq_message m = message_of(&part, 1);

		m.info = infos[i];
		m.segment_size_bytes = 1;
		m.interface = 1;
		m.ttl = 1;
		expect(soq_socket_set_message_info(d.a, infos[i]), -EOPNOTSUPP);
		expect(soq_socket_set_message_info(stream[0], infos[i]), -EOPNOTSUPP);
		expect_refused(t, d.a, &m, -EOPNOTSUPP);
		expect_refused(t, stream[0], &m, -EOPNOTSUPP);
	}
	datagrams_close(&d);
	expect(soq_abort(stream[0]), 0);
	expect(soq_abort(stream[1]), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(packet_information_goes_both_ways, "5a"),
	SYNC_CASE(interface_alone_will_do, "5a"),
	SYNC_CASE(class_and_congestion_marks_arrive, "5a"),
	SYNC_CASE(hops_go_both_ways, "5a"),
	SYNC_CASE(drops_are_counted, "5a"),
	SYNC_CASE(time_of_arrival_is_told, "5a"),
	SYNC_CASE(all_of_it_at_once, "5a"),
	CASE(receive_that_waits_is_told_as_well, "5a"),
	SYNC_CASE(what_is_not_asked_for_is_not_told, "5a"),
	SYNC_CASE(what_the_kernel_had_to_cut_is_not_valid, "8f"),
	SYNC_CASE(limits_are_told_before_anything_is_sent, "1a"),
	SYNC_CASE(other_sockets_have_none_of_it, "1a 5a"),
};

CONF_GROUP(message_info, cases)
