/* SPDX-License-Identifier: MIT */
/*
 * One message that travels as many datagrams: cut by the kernel or by the library, joined
 * where the kernel can.
 */
#define _GNU_SOURCE
#include "message_kit.h"

#include <netinet/udp.h>

#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif

/* So that the kernel will not cut: it does so only with checksums. */
static void refuse_to_cut(struct datagrams *d, enum mode mode)
{
	int on = 1;

	if (mode == V6) {
		expect(soq_option_set(d->a, IPPROTO_UDP, UDP_NO_CHECK6_TX, &on, sizeof(on)), 0);
		expect(soq_option_set(d->b, IPPROTO_UDP, UDP_NO_CHECK6_RX, &on, sizeof(on)), 0);
	} else {
		expect(soq_option_set(d->a, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
	}
}

struct split {
	size_t total;
	uint16_t size;
};

/* From one datagram to the most; a last one that is shorter, and one that is not. */
static const struct split splits[] = {
	{ 300, 1000 }, { 1000, 1000 }, { 1001, 1000 },   { 12000, 1000 },
	{ 77, 1 },     { 12750, 100 }, { 65507, 32000 }, { 0, 10 },
};

static void send_splits(struct fixture *t, enum mode mode, int refused, int connected)
{
	struct datagrams d = pair_mode(t, mode);
	struct iovec parts[3];
	struct soq_message m = message_of(parts, 3);

	if (refused)
		refuse_to_cut(&d, mode);
	if (connected)
		expect(soq_connect(d.a, &d.at_b), 0);
	else
		m.peer = d.at_b;
	m.info = SOQ_INFO_SEGMENTS;
	for (unsigned i = 0; i < COUNT_OF(splits) * ways(t); i++) {
		const struct split *split = &splits[i / ways(t)];
		size_t first = split->total / 3;

		m.segment_size_bytes = split->size;
		parts[0] = (struct iovec){ out, first };
		parts[1] = (struct iovec){ NULL, 0 };
		parts[2] = (struct iovec){ out + first, split->total - first };
		expect(send_way(t, i % ways(t), d.a, &m), split->total);
		if (split->total == 0)
			expect(soq_recv(d.b, in, sizeof(in), 0), 0);
		expect_pieces(&d, split->total, split->size);
	}
	datagrams_close(&d);
}

static void one_send_becomes_many_datagrams(struct fixture *t)
{
	fill(out, sizeof(out), 1, 0);
	for (enum mode mode = V4; mode < MODES; mode++)
		for (int connected = 0; connected < 2; connected++)
			send_splits(t, mode, 0, connected);
}

static void library_cuts_where_the_kernel_refuses(struct fixture *t)
{
	fill(out, sizeof(out), 1, 0);
	for (enum mode mode = V4; mode < MODES; mode++)
		for (int connected = 0; connected < 2; connected++)
			send_splits(t, mode, 1, connected);
}

/* So many that the pieces of it do not fit one call of the kernel's. */
static void message_of_a_thousand_segments_is_cut(struct fixture *t)
{
	static struct iovec parts[SOQ_MESSAGE_SEGMENTS_MAX];
	enum { EACH = 50, SIZE = 990, TOTAL = SOQ_MESSAGE_SEGMENTS_MAX * EACH };

	fill(out, sizeof(out), 1, 0);
	for (unsigned i = 0; i < SOQ_MESSAGE_SEGMENTS_MAX; i++)
		parts[i] = (struct iovec){ out + i * EACH, EACH };
	for (unsigned i = 0; i < 2 * ways(t); i++) {
		struct datagrams d = pair_mode(t, V4);
		struct soq_message m = message_of(parts, SOQ_MESSAGE_SEGMENTS_MAX);

		if (i / ways(t))
			refuse_to_cut(&d, V4);
		m.peer = d.at_b;
		m.info = SOQ_INFO_SEGMENTS;
		m.segment_size_bytes = SIZE;
		expect(send_way(t, i % ways(t), d.a, &m), TOTAL);
		expect_pieces(&d, TOTAL, SIZE);
		datagrams_close(&d);
	}
}

/* A caller's mistake looks like a refusal; it is no reason to cut from then on. */
static void mistake_is_told_and_the_next_send_is_whole(struct fixture *t)
{
	struct iovec part = { out, 3000 };

	fill(out, sizeof(out), 1, 0);
	for (unsigned i = 0; i < 2 * ways(t); i++) {
		struct datagrams d = pair_mode(t, V4);
		struct soq_message m = message_of(&part, 1);

		if (i / ways(t))
			refuse_to_cut(&d, V4);
		m.peer = d.at_b;
		m.info = SOQ_INFO_SEGMENTS | SOQ_INFO_PACKET;
		m.segment_size_bytes = 1000;
		expect(soq_endpoint_parse("192.0.2.1:0", &m.local), 0);
		expect_true(send_way(t, i % ways(t), d.a, &m) < 0);
		m.info = SOQ_INFO_SEGMENTS;
		expect(send_way(t, i % ways(t), d.a, &m), 3000);
		expect_pieces(&d, 3000, 1000);
		datagrams_close(&d);
	}
}

/* Receives until `total` bytes have come; returns how many receives told a size. */
static unsigned take_segments(struct fixture *t, unsigned way, struct datagrams *d, size_t total,
			      unsigned size)
{
	struct iovec part = { in, sizeof(in) };
	struct soq_message m = message_of(&part, 1);
	unsigned told = 0;

	for (size_t at = 0; at < total; at += (size_t)m.length_bytes) {
		expect_true(recv_way(t, way, d->b, &m) > 0);
		expect_true(is_filled(in, (size_t)m.length_bytes, 1, at));
		expect(soq_endpoint_equal(&m.peer, &d->at_a), 1);
		expect(m.flags, 0);
		if (m.info & SOQ_INFO_SEGMENTS) {
			expect(m.segment_size_bytes, size);
			told++;
		} else {
			expect(m.segment_size_bytes, 0);
			expect_true(m.length_bytes <= size);
		}
	}
	return told;
}

static void receive_tells_the_size_of_many(struct fixture *t)
{
	struct iovec part = { out, 10300 };

	fill(out, sizeof(out), 1, 0);
	for (unsigned i = 0; i < MODES * ways(t); i++) {
		struct datagrams d = pair_mode(t, (enum mode)(i / ways(t)));
		struct soq_message m = message_of(&part, 1);
		int has = soq_socket_set_message_info(d.b, SOQ_INFO_SEGMENTS);

		/* A kernel before 5.0 says so, and all come one by one. */
		expect_true(has == 0 || has == -EOPNOTSUPP);
		m.peer = d.at_b;
		m.info = SOQ_INFO_SEGMENTS;
		m.segment_size_bytes = 1000;
		expect(send_way(t, i % ways(t), d.a, &m), 10300);
		expect(take_segments(t, i % ways(t), &d, 10300, 1000) > 0, has == 0);
		expect(soq_socket_set_message_info(d.b, 0), 0);
		expect(send_way(t, i % ways(t), d.a, &m), 10300);
		expect_pieces(&d, 10300, 1000);
		datagrams_close(&d);
	}
}

static const struct conf_case cases[] = {
	SYNC_CASE(one_send_becomes_many_datagrams, "9e"),
	SYNC_CASE(library_cuts_where_the_kernel_refuses, "5a 9e"),
	SYNC_CASE(message_of_a_thousand_segments_is_cut, "9e"),
	SYNC_CASE(mistake_is_told_and_the_next_send_is_whole, "5a"),
	SYNC_CASE(receive_tells_the_size_of_many, "5a"),
};

CONF_GROUP(message_segments, cases)
