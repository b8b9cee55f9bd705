/* SPDX-License-Identifier: MIT */
/* Datagrams as .NET's own tests use them: who sent it, where it went, what is left. */
#define _GNU_SOURCE
#include "support.h"

#include <netinet/in.h>
#include <string.h>

static const int families[] = { AF_INET, AF_INET6 };

static void datagrams_arrive_whole_with_their_sender(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	char out[256], in[300];

	for (unsigned i = 0; i < 256; i++) {
		struct soq_endpoint from;

		fill(out, sizeof(out), i, 0);
		expect(soq_send_to(d.a, out, sizeof(out), 0, &d.at_b), sizeof(out));
		expect(soq_recv_from(d.b, in, sizeof(in), 0, &from), sizeof(out));
		expect_true(is_filled(in, sizeof(out), i, 0));
		expect_true(soq_endpoint_equal(&from, &d.at_a));
		/* The answer lets the next go. */
		expect(soq_send_to(d.b, "", 1, 0, &from), 1);
		expect(soq_recv_from(d.a, in, sizeof(in), 0, &from), 1);
		expect_true(soq_endpoint_equal(&from, &d.at_b));
	}
	datagrams_close(&d);
}

static void part_of_the_memory_is_left_alone(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint from;
		char out[256], in[266];

		memset(in, 0x55, sizeof(in));
		fill(out, sizeof(out), 1, 0);
		expect(soq_send_to(d.a, out, sizeof(out), 0, &d.at_b), sizeof(out));
		expect(soq_recv_from(d.b, in + 10, sizeof(in) - 10, 0, &from), sizeof(out));
		for (unsigned k = 0; k < 10; k++)
			expect(in[k], 0x55);
		expect_true(is_filled(in + 10, sizeof(out), 1, 0));
		expect_true(soq_endpoint_equal(&from, &d.at_a));
		datagrams_close(&d);
	}
}

static void receive_before_a_bind_waits(struct fixture *t)
{
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM), *a;
	struct soq_endpoint ep, from;
	char in[4];

	expect(soq_recv_from(s, in, 4, SOQ_NOWAIT, &from), -EAGAIN);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_bind(s, &ep), 0);
	expect(soq_socket_local(s, &ep), 0);
	a = open_socket_of(t, AF_INET, SOCK_DGRAM);
	expect(soq_send_to(a, "x", 1, 0, &ep), 1);
	expect(soq_recv_from(s, in, 4, 0, &from), 1);
	expect(soq_close(s), 0);
	expect(soq_close(a), 0);
}

static void address_of_another_family_is_refused(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *s = open_socket_of(t, families[i], SOCK_DGRAM);
		struct soq_endpoint other, none = { 0 };
		char in[4];

		expect(soq_endpoint_loopback(families[!i], 9, &other), 0);
		expect(soq_send_to(s, "x", 1, 0, &other), -EAFNOSUPPORT);
		expect(soq_send_to(s, "x", 1, 0, &none), -EINVAL);
		expect(soq_send_to(s, "x", 1, 0, NULL), -EINVAL);
		expect(soq_recv_from(s, in, 4, 0, NULL), -EINVAL);
		expect(soq_close(s), 0);
	}
}

static void stream_has_no_sender_to_tell(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct soq_endpoint from;
	char in[8];

	pair_soq(t, AF_INET, &a, &b);
	memset(&from, 0x55, sizeof(from));
	expect(soq_send(a, "hello", 5, 0), 5);
	expect(soq_recv_from(b, in, sizeof(in), 0, &from), 5);
	expect(memcmp(in, "hello", 5), 0);
	expect(from.size_bytes, 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void closed_socket_receives_nothing(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct probe *p = probe(t);
	struct soq_endpoint from;
	char in[4];

	started(p, soq_recv_from_async(d.b, &p->op, in, 4, 0, &from));
	settle(t);
	expect(soq_close(d.b), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_recv_from(d.b, in, 4, 0, &from), -EBADF);
	expect(soq_close(d.a), 0);
}

static void send_binds_who_is_not_bound(struct fixture *t)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM), *b;
	struct soq_endpoint ep, local;

	b = bound_socket(t, AF_INET, SOCK_DGRAM, &ep);
	expect(soq_socket_info(s, &info), 0);
	expect(info.bound, 0);
	if (t->home != NULL) {
		struct probe *p = probe(t);

		started(p, soq_send_to_async(s, &p->op, "x", 1, 0, &ep));
		await(t, p);
		expect_end(p, 1, 0);
	} else {
		expect(soq_send_to(s, "x", 1, 0, &ep), 1);
	}
	expect(soq_socket_info(s, &info), 0);
	expect(info.bound, 1);
	expect(soq_socket_local(s, &local), 0);
	expect_true(soq_endpoint_port(&local) > 0);
	expect(soq_close(s), 0);
	expect(soq_close(b), 0);
}

static uint64_t available(struct soq_socket *s)
{
	uint64_t bytes = 0;

	expect(soq_socket_available(s, &bytes), 0);
	return bytes;
}

static void peek_stays_and_a_cut_leaves_nothing(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	char out[500], in[500];
	struct iovec segment = { in, sizeof(in) };
	struct soq_message m = { .size = sizeof(m), .segments = &segment, .segment_count = 1 };

	fill(out, sizeof(out), 3, 0);
	expect(soq_send_to(d.a, out, sizeof(out), 0, &d.at_b), sizeof(out));
	expect(soq_recv_msg(d.b, &m, SOQ_PEEK), sizeof(out));
	expect(m.flags, 0);
	expect_true(is_filled(in, sizeof(out), 3, 0));
	expect_true(available(d.b) >= sizeof(out));
	memset(in, 0, sizeof(in));
	segment.iov_len = 100;
	expect(soq_recv_msg(d.b, &m, 0), 100);
	expect(m.flags, SOQ_F_TRUNCATED);
	expect_true(is_filled(in, 100, 3, 0));
	expect(in[100], 0);
	expect(available(d.b), 0);

	/* Two bytes where one has room: that, and nothing else, is told. */
	segment.iov_len = 1;
	expect(soq_send_to(d.a, "ab", 2, 0, &d.at_b), 2);
	expect(soq_recv_msg(d.b, &m, 0), 1);
	expect(m.flags, SOQ_F_TRUNCATED);
	datagrams_close(&d);
}

static void packet_information_tells_the_destination(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	char in[300];
	struct iovec segment = { in + 10, sizeof(in) - 10 };
	struct soq_message m = { .size = sizeof(m), .segments = &segment, .segment_count = 1 };

	expect(soq_socket_set_message_info(d.b, SOQ_INFO_PACKET), 0);
	for (unsigned i = 0; i < 16; i++) {
		char out[256];

		fill(out, sizeof(out), i, 0);
		memset(in, 0x55, 10);
		expect(soq_send_to(d.a, out, sizeof(out), 0, &d.at_b), sizeof(out));
		expect(soq_recv_msg(d.b, &m, 0), sizeof(out));
		expect_true(soq_endpoint_equal(&m.peer, &d.at_a));
		expect_true(m.info & SOQ_INFO_PACKET);
		expect(m.local.addr.ipv4.sin_addr.s_addr, d.at_b.addr.ipv4.sin_addr.s_addr);
		expect_true(m.interface > 0);
		for (unsigned k = 0; k < 10; k++)
			expect(in[k], 0x55);
		expect_true(is_filled(in + 10, sizeof(out), i, 0));
	}
	datagrams_close(&d);
}

static void options_of_a_datagram_socket_read_back(struct fixture *t)
{
	static const struct {
		enum soq_option id;
		int64_t first;
	} options[] = { { SOQ_OPTION_DONT_FRAGMENT, -1 },
			{ SOQ_OPTION_MULTICAST_LOOPBACK, 1 },
			{ SOQ_OPTION_BROADCAST, 0 } };
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);

	for (unsigned i = 0; i < COUNT_OF(options); i++) {
		int64_t value = -1;

		/* Whether it is cut on the way the system's setting says at first. */
		expect(soq_socket_get_option(s, options[i].id, &value), 0);
		if (options[i].first >= 0)
			expect(value, options[i].first);
		for (int64_t set = 0; set < 4; set++) {
			expect(soq_socket_set_option(s, options[i].id, set & 1), 0);
			expect(soq_socket_get_option(s, options[i].id, &value), 0);
			expect(value, set & 1);
		}
	}
	expect(soq_close(s), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(datagrams_arrive_whole_with_their_sender, "9e B071"),
	SYNC_CASE(part_of_the_memory_is_left_alone, "B072"),
	SYNC_CASE(receive_before_a_bind_waits, "B073"),
	SYNC_CASE(address_of_another_family_is_refused, "1a B074"),
	SYNC_CASE(stream_has_no_sender_to_tell, "B075"),
	CASE(closed_socket_receives_nothing, "13a 15a B076"),
	SYNC_CASE(send_binds_who_is_not_bound, "B078"),
	SYNC_CASE(peek_stays_and_a_cut_leaves_nothing, "8f B083 B085"),
	SYNC_CASE(packet_information_tells_the_destination, "B084"),
	SYNC_CASE(options_of_a_datagram_socket_read_back, "B094"),
};

CONF_GROUP(datagram_wire, cases)
