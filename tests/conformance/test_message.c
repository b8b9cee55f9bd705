/* SPDX-License-Identifier: MIT */
/* The shape of messages: empty, cut, looked at, in many pieces; and on streams. */
#define _GNU_SOURCE
#include "support.h"

static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

static struct soq_message message_of(struct iovec *segments, uint32_t count)
{
	return (struct soq_message){ .size = sizeof(struct soq_message),
				     .segments = segments,
				     .segment_count = count };
}

static void message_gathers_and_scatters(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		char in[3][4] = { "", "", "" };
		struct iovec out_parts[4] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 }, { "g", 1 } };
		struct iovec in_parts[3] = { { in[0], 3 }, { in[1], 1 }, { in[2], 4 } };
		struct soq_message out = message_of(out_parts, 4), got = message_of(in_parts, 3);
		struct probe *sent = probe(t), *received = probe(t);

		out.peer = d.at_b;
		got.flags = SOQ_F_TRUNCATED;
		expect(soq_send_msg(d.a, &out, 0), 7);
		expect(soq_recv_msg(d.b, &got, 0), 7);
		expect(got.flags, 0);
		expect(soq_endpoint_equal(&got.peer, &d.at_a), 1);
		assert_memory_equal(in, "abc\0d\0\0\0efg", 12);

		memset(in, 0, sizeof(in));
		started(received, soq_recv_msg_async(d.b, &received->op, &got, 0));
		started(sent, soq_send_msg_async(d.a, &sent->op, &out, 0));
		await(t, received);
		await(t, sent);
		expect_end(sent, 7, 0);
		expect_end(received, 7, 0);
		assert_memory_equal(in, "abc\0d\0\0\0efg", 12);
		datagrams_close(&d);
	}
}

static void message_may_have_a_thousand_segments(struct fixture *t)
{
	static char out[SOQ_MESSAGE_SEGMENTS_MAX * 3], in[sizeof(out)];
	static struct iovec out_parts[SOQ_MESSAGE_SEGMENTS_MAX + 1];
	static struct iovec in_parts[SOQ_MESSAGE_SEGMENTS_MAX];

	fill(out, sizeof(out), 1, 0);
	for (unsigned n = 0; n < SOQ_MESSAGE_SEGMENTS_MAX; n++) {
		out_parts[n] = (struct iovec){ out + n * 3, 3 };
		in_parts[n] = (struct iovec){ in + n * 3, 3 };
	}
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct soq_message sent = message_of(out_parts, SOQ_MESSAGE_SEGMENTS_MAX);
		struct soq_message got = message_of(in_parts, SOQ_MESSAGE_SEGMENTS_MAX);

		memset(in, 0, sizeof(in));
		expect(soq_send_msg(d.a, &sent, 0), sizeof(out));
		expect(soq_recv_msg(d.b, &got, 0), sizeof(out));
		expect_true(is_filled(in, sizeof(in), 1, 0));
		expect(soq_sendv(d.a, out_parts, SOQ_MESSAGE_SEGMENTS_MAX, 0), sizeof(out));
		expect(soq_recvv(d.b, in_parts, SOQ_MESSAGE_SEGMENTS_MAX, 0), sizeof(out));
		expect(soq_sendv(d.a, out_parts, SOQ_MESSAGE_SEGMENTS_MAX + 1, 0), -EMSGSIZE);
		datagrams_close(&d);
	}
}

static void empty_datagrams_are_messages(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint from = { 0 };
		char in[8];

		expect(soq_send_to(d.a, NULL, 0, 0, &d.at_b), 0);
		expect(soq_send_to(d.a, "x", 1, 0, &d.at_b), 1);
		expect(soq_send_to(d.a, "", 0, 0, &d.at_b), 0);
		expect(soq_recv_from(d.b, in, sizeof(in), 0, &from), 0);
		expect(soq_endpoint_equal(&from, &d.at_a), 1);
		expect(soq_recv_from(d.b, in, sizeof(in), 0, &from), 1);
		expect(soq_recv(d.b, in, sizeof(in), 0), 0);
		expect(soq_socket_set_timeouts(d.b, 0, 0), 0);
		expect(soq_recv(d.b, in, sizeof(in), 0), -ETIMEDOUT);
		datagrams_close(&d);
	}
}

static void empty_datagrams_keep_their_place(struct fixture *t)
{
	enum { COUNT = 12 };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *sent[COUNT], *received[COUNT];
		char out[COUNT][2] = { "" }, in[COUNT][8];

		for (unsigned n = 0; n < COUNT; n++) {
			sent[n] = probe(t);
			received[n] = probe(t);
			started(received[n], soq_recv_async(d.b, &received[n]->op, in[n], 8, 0));
			started(sent[n], soq_send_async(d.a, &sent[n]->op, out[n], n % 3, 0));
		}
		run_until(t, finished(sent[COUNT - 1]) && finished(received[COUNT - 1]));

		for (unsigned n = 0; n < COUNT; n++) {
			expect_end(sent[n], n % 3, 0);
			expect_end(received[n], n % 3, 0);
			expect_true(n == 0 || received[n]->sequence > received[n - 1]->sequence);
		}
		datagrams_close(&d);
	}
}

static void receive_of_no_bytes_is_refused(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct soq_endpoint from;
	struct iovec none = { "", 0 };
	struct soq_message message = message_of(&none, 1);
	struct probe *p = probe(t);
	char in[1];

	expect(soq_recv_from(d.b, in, 0, 0, &from), -EINVAL);
	expect(soq_recv_from_async(d.b, &p->op, in, 0, 0, &from), -EINVAL);
	expect(soq_recv_msg(d.b, &message, 0), -EINVAL);
	expect(soq_recv(d.b, in, 1, SOQ_EXACT), -EINVAL);
	expect(soq_send_to(d.a, "x", 1, SOQ_CORK, &d.at_b), -EINVAL);
	datagrams_close(&d);
}

static void async_receive_tells_that_it_was_cut(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *p[4] = { probe(t), probe(t), probe(t), probe(t) };
		char in[4][8];
		struct iovec one = { in[2], 4 };
		struct soq_message message = message_of(&one, 1);
		struct soq_endpoint from;

		started(p[0], soq_recv_async(d.b, &p[0]->op, in[0], 4, 0));
		started(p[1], soq_recv_from_async(d.b, &p[1]->op, in[1], 4, 0, &from));
		started(p[2], soq_recv_msg_async(d.b, &p[2]->op, &message, 0));
		started(p[3], soq_recv_async(d.b, &p[3]->op, in[3], 8, 0));
		for (unsigned n = 0; n < 4; n++)
			expect(soq_send(d.a, "longmsg", 7, 0), 7);
		await(t, p[3]);

		for (unsigned n = 0; n < 3; n++) {
			expect_end(p[n], 4, SOQ_F_TRUNCATED);
			assert_memory_equal(in[n], "long", 4);
		}
		expect(message.flags, SOQ_F_TRUNCATED);
		expect(soq_endpoint_equal(&message.peer, &d.at_a), 1);
		expect(soq_endpoint_equal(&from, &d.at_a), 1);
		expect_end(p[3], 7, 0);
		assert_memory_equal(in[3], "longmsg", 7);
		datagrams_close(&d);
	}
}

static void sync_receive_tells_that_it_was_cut(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		char in[8] = "";
		struct iovec two[2] = { { in, 1 }, { in + 1, 3 } };
		struct soq_message message = message_of(two, 2);
		struct soq_endpoint from = { 0 };

		for (unsigned n = 0; n < 5; n++)
			expect(soq_send(d.a, "longmsg", 7, 0), 7);
		expect(soq_recv(d.b, in, 4, 0), -EMSGSIZE);
		assert_memory_equal(in, "long\0", 5);
		memset(in, 0, sizeof(in));
		expect(soq_recv_from(d.b, in, 6, 0, &from), -EMSGSIZE);
		assert_memory_equal(in, "longms", 7);
		expect(soq_endpoint_equal(&from, &d.at_a), 1);
		expect(soq_recvv(d.b, two, 2, 0), -EMSGSIZE);
		expect(soq_recv_msg(d.b, &message, 0), 4);
		expect(message.flags, SOQ_F_TRUNCATED);
		expect(soq_recv(d.b, in, 8, 0), 7);
		datagrams_close(&d);
	}
}

static void exact_fit_is_not_cut(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *p = probe(t);
		char in[8];
		struct iovec one = { in, 7 };
		struct soq_message message = message_of(&one, 1);

		for (unsigned n = 0; n < 3; n++)
			expect(soq_send(d.a, "longmsg", 7, 0), 7);
		expect(soq_recv(d.b, in, 7, 0), 7);
		expect(soq_recv_msg(d.b, &message, 0), 7);
		expect(message.flags, 0);
		started(p, soq_recv_async(d.b, &p->op, in, 7, 0));
		await(t, p);
		expect_end(p, 7, 0);
		datagrams_close(&d);
	}
}

static void peek_leaves_the_datagram(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *p = probe(t);
		struct soq_endpoint from;
		char in[8];

		started(p, soq_recv_async(d.b, &p->op, in, 8, SOQ_PEEK));
		settle(t);
		expect(soq_send(d.a, "same", 4, 0), 4);
		await(t, p);
		expect_end(p, 4, 0);
		expect(soq_recv(d.b, in, 2, SOQ_PEEK), -EMSGSIZE);
		expect(soq_recv_from(d.b, in, 8, SOQ_PEEK, &from), 4);
		expect(soq_endpoint_equal(&from, &d.at_a), 1);
		expect(soq_recv(d.b, in, 8, 0), 4);
		assert_memory_equal(in, "same", 4);
		expect(soq_socket_set_timeouts(d.b, 0, 0), 0);
		expect(soq_recv(d.b, in, 8, 0), -ETIMEDOUT);
		datagrams_close(&d);
	}
}

static void message_that_makes_no_sense_is_refused(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_INET);
	char byte;
	struct iovec one = { &byte, 1 }, bad = { NULL, 1 };
	struct soq_message wrong[6];
	struct probe *p = probe(t);

	for (unsigned i = 0; i < COUNT_OF(wrong); i++)
		wrong[i] = message_of(&one, 1);
	wrong[0].size = 0;
	wrong[1].size = sizeof(wrong[1]) + 8;
	wrong[2].reserved[0] = 1;
	wrong[3].reserved[2] = 1;
	wrong[4].segment_count = 0;
	wrong[5].segments = &bad;
	for (unsigned i = 0; i < COUNT_OF(wrong); i++) {
		expect(soq_send_msg(d.a, &wrong[i], 0), -EINVAL);
		expect(soq_send_msg_async(d.a, &p->op, &wrong[i], 0), -EINVAL);
		expect(soq_recv_msg(d.a, &wrong[i], 0), -EINVAL);
		expect(soq_recv_msg_async(d.a, &p->op, &wrong[i], 0), -EINVAL);
	}
	wrong[0] = message_of(&one, SOQ_MESSAGE_SEGMENTS_MAX + 1);
	expect(soq_send_msg(d.a, &wrong[0], 0), -EINVAL);
	datagrams_close(&d);
}

static void streams_take_messages_without_addresses(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct soq_socket *a, *b;
		char in[2][4];
		struct iovec out_parts[2] = { { "ab", 2 }, { "cdef", 4 } };
		struct iovec in_parts[2] = { { in[0], 4 }, { in[1], 4 } };
		struct soq_message out = message_of(out_parts, 2), got = message_of(in_parts, 2);
		struct soq_endpoint ep, from = { .size_bytes = 4 };

		if (i)
			pair_unix(t, SOCK_STREAM, &a, &b);
		else
			pair_soq(t, AF_INET, &a, &b);
		got.peer.size_bytes = 4;
		got.flags = SOQ_F_TRUNCATED;
		expect(soq_send_msg(a, &out, 0), 6);
		expect(soq_recv_msg(b, &got, SOQ_EXACT | SOQ_PEEK), -EINVAL);
		expect(soq_recv_msg(b, &got, 0), 6);
		expect(got.flags, 0);
		expect(got.peer.size_bytes, 0);
		assert_memory_equal(in, "abcdef", 6);
		expect(soq_send(a, "more than four", 14, 0), 14);
		expect(soq_recv_from(b, in, 4, 0, &from), 4);
		expect(from.size_bytes, 0);
		expect(soq_socket_local(a, &ep), 0);
		expect(soq_send_to(a, "x", 1, 0, &ep), -EISCONN);
		out.peer = ep;
		expect(soq_send_msg(a, &out, 0), -EISCONN);
		expect(soq_abort(a), 0);
		expect(soq_abort(b), 0);
	}
}

static const struct conf_case cases[] = {
	CASE(message_gathers_and_scatters, "20a"),
	CASE(message_may_have_a_thousand_segments, "5a"),
	CASE(empty_datagrams_are_messages, "8c 5b"),
	CASE(empty_datagrams_keep_their_place, "8c 9e 9b"),
	CASE(receive_of_no_bytes_is_refused, "8a"),
	CASE(async_receive_tells_that_it_was_cut, "8f"),
	CASE(sync_receive_tells_that_it_was_cut, "8f"),
	CASE(exact_fit_is_not_cut, "8f"),
	CASE(peek_leaves_the_datagram, "8f"),
	CASE(message_that_makes_no_sense_is_refused, "1a"),
	CASE(streams_take_messages_without_addresses, "5a"),
};

CONF_GROUP(message, cases)
