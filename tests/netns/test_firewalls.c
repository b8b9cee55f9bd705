/* SPDX-License-Identifier: MIT */
/* A firewall that comes between two hosts in mid-stream, and what it answers. */
#define _GNU_SOURCE
#include "hosts.h"

#include <netinet/in.h>

static const char *const there[2] = { "10.0.0.2:0", "[fd00:0::2]:0" };

/* A connection over which something has gone each way. */
struct stream {
	struct hosts h;
	struct soq_socket *a, *b;
};

static void say(struct soq_socket *from, struct soq_socket *to, const char *word)
{
	const size_t size_bytes = strlen(word);
	char in[16] = "";

	expect(soq_send(from, word, size_bytes, 0), size_bytes);
	expect(soq_recv(to, in, size_bytes, SOQ_EXACT), size_bytes);
	assert_string_equal(in, word);
}

static void stream_open(struct fixture *t, struct stream *x, unsigned family)
{
	hosts_open(&x->h, 2);
	host_pair(t, &x->h, 1, there[family], &x->a, &x->b);
	say(x->a, x->b, "hello");
	say(x->b, x->a, "well");
}

static void stream_close(struct stream *x)
{
	expect(soq_close(x->a), 0);
	expect(soq_close(x->b), 0);
	hosts_close(&x->h);
}

/* Both lanes are told, again and again, and the kernel is asked for nothing any more. */
static void expect_reset(struct soq_socket *s)
{
	int32_t error = 1;
	char in[8];

	for (unsigned i = 0; i < 2; i++) {
		expect(soq_send(s, "x", 1, 0), -ECONNRESET);
		expect(soq_recv(s, in, sizeof(in), 0), -ECONNRESET);
	}
	expect(soq_socket_take_error(s, &error), 0);
	expect(error, -ECONNRESET);
}

/* The next packet to host 1 is answered by a reset in its name; b is told nothing. */
static void reset_by_a_firewall_ends_both_lanes(struct fixture *t)
{
	for (unsigned family = 0; family < 2; family++) {
		struct probe *received = probe(t), *sent = probe(t), *behind = probe(t);
		struct stream x;
		char in[8];

		stream_open(t, &x, family);
		host_rule(&x.h, 1, "meta l4proto tcp reject with tcp reset");
		started(received, soq_recv_async(x.a, &received->op, in, sizeof(in), 0));
		settle(t);
		started(sent, soq_send_async(x.a, &sent->op, "refused", 7, 0));
		await(t, received);
		await(t, sent);
		expect_end(sent, 7, 0);
		expect_end(received, -ECONNRESET, 0);
		started(behind, soq_send_async(x.a, &behind->op, "late", 4, 0));
		await(t, behind);
		expect_end(behind, -ECONNRESET, 0);
		expect_reset(x.a);
		stream_close(&x);
	}
}

/* The same, found by a receive that waits, or by the next send. */
static void reset_by_a_firewall_is_told_by_calls(struct fixture *t)
{
	for (unsigned i = 0; i < 4; i++) {
		struct stream x;
		char in[8];

		stream_open(t, &x, i % 2);
		host_rule(&x.h, 1, "meta l4proto tcp reject with tcp reset");
		expect(soq_send(x.a, "refused", 7, 0), 7);
		if (i < 2)
			expect(soq_recv(x.a, in, sizeof(in), 0), -ECONNRESET);
		else
			expect_true((unsigned)soq_poll(x.a, SOQ_POLL_HANGUP, watchdog_ns()) &
				    SOQ_POLL_HANGUP);
		expect_reset(x.a);
		stream_close(&x);
	}
}

/* Host 1 cannot be reached for a while, it says; nothing is lost of what is sent meanwhile. */
static void unreachable_for_a_while(struct stream *x)
{
	const int64_t begin_ns = now_ns();
	int32_t error = 0;

	host_rule(&x->h, 1, "meta l4proto tcp reject with icmpx type host-unreachable");
	expect(soq_send(x->a, "later", 5, 0), 5);
	while (error == 0 && now_ns() - begin_ns < watchdog_ns())
		expect(soq_socket_take_error(x->a, &error), 0);
	expect(error, -EHOSTUNREACH);
	host_run(&x->h, 1, "nft flush chain inet t c");
}

/* It has broken nothing, and is forgotten. */
static void expect_whole(struct stream *x)
{
	int32_t error = 1;

	say(x->a, x->b, "still");
	say(x->b, x->a, "here");
	expect(soq_socket_take_error(x->a, &error), 0);
	expect(error, 0);
}

static void answer_and_go_on(struct stream *x)
{
	char in[8];

	expect(soq_recv(x->b, in, 5, SOQ_EXACT), 5);
	expect(memcmp(in, "later", 5), 0);
	expect(soq_send(x->b, "fine", 4, 0), 4);
}

static void calls_go_on_when_a_host_is_back(struct fixture *t)
{
	for (unsigned family = 0; family < 2; family++) {
		struct stream x;
		char in[8];

		stream_open(t, &x, family);
		unreachable_for_a_while(&x);
		answer_and_go_on(&x);
		expect(soq_recv(x.a, in, 4, SOQ_EXACT), 4);
		expect_whole(&x);
		stream_close(&x);
	}
}

/* Of what waits nothing ends. */
static void ops_go_on_when_a_host_is_back(struct fixture *t)
{
	for (unsigned family = 0; family < 2; family++) {
		struct probe *received = probe(t);
		struct stream x;
		char in[8];

		stream_open(t, &x, family);
		started(received, soq_recv_async(x.a, &received->op, in, 4, SOQ_EXACT));
		settle(t);
		unreachable_for_a_while(&x);
		settle(t);
		expect(finished(received), 0);
		answer_and_go_on(&x);
		await(t, received);
		expect_end(received, 4, 0);
		expect_whole(&x);
		stream_close(&x);
	}
}

static const struct conf_case cases[] = {
	CASE(reset_by_a_firewall_ends_both_lanes, "7a 7d"),
	SYNC_CASE(reset_by_a_firewall_is_told_by_calls, "7a 7d"),
	SYNC_CASE(calls_go_on_when_a_host_is_back, ""),
	CASE(ops_go_on_when_a_host_is_back, ""),
};

CONF_GROUP(firewalls, cases)
