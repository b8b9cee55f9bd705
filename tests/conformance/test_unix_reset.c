/* SPDX-License-Identifier: MIT */
/*
 * How unix connections end. A peer that closes with bytes unread is their reset; one
 * that has read everything ends the stream.
 */
#define _GNU_SOURCE
#include "support.h"

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };

/* What is under way when the peer closes. */
enum { RECEIVE = 1, SEND = 2, BOTH = 3 };

struct scene {
	struct soq_socket *s;
	int fd;
	struct probe *received, *sent[64];
	unsigned sends;
	char *big, *in; /* not in here: a scene is copied */
};

/* Sends until one of them waits for the peer to read. */
static void park(struct fixture *t, struct scene *k)
{
	struct probe *p;

	do {
		p = k->sent[k->sends++] = probe(t);
		started(p, soq_send_async(k->s, &p->op, k->big, 65536, 0));
		settle(t);
	} while (finished(p) && k->sends < COUNT_OF(k->sent));
	expect(finished(p), 0);
}

static struct scene scene_of(struct fixture *t, int type, int what)
{
	struct scene k = { .big = calloc(1, 65536), .in = calloc(1, 8), .received = probe(t) };

	k.s = pair_unix_raw(t, type, &k.fd);
	if (what & RECEIVE)
		started(k.received, soq_recv_async(k.s, &k.received->op, k.in, 8, 0));
	settle(t);
	if (what & SEND)
		park(t, &k);
	return k;
}

static void scene_end(struct scene *k)
{
	expect(soq_close(k->s), 0);
	free(k->big);
	free(k->in);
}

/* Both lanes say it, as often as they are asked. */
static void expect_reset_is_kept(struct scene *k)
{
	char in[8];

	for (unsigned i = 0; i < 2; i++) {
		expect(soq_send(k->s, "x", 1, 0), -ECONNRESET);
		expect(soq_recv(k->s, in, sizeof(in), 0), -ECONNRESET);
	}
}

static void reset_meets_a_receive(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct scene k = scene_of(t, types[i], RECEIVE);

		expect(soq_send(k.s, "unread", 6, 0), 6);
		close(k.fd);
		await(t, k.received);
		expect_end(k.received, -ECONNRESET, 0);
		expect_reset_is_kept(&k);
		scene_end(&k);
	}
}

/* A stream's send may have moved a part; a packet goes whole or not at all. */
static void expect_cut(const struct scene *k)
{
	struct probe *p = k->sent[k->sends - 1];

	if (p->result > 0)
		expect_end(p, p->result, SOQ_F_BROKEN);
	else
		expect_end(p, -ECONNRESET, 0);
	expect_true(p->result < 65536);
}

static void reset_meets_a_parked_send(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct scene k = scene_of(t, types[i], SEND);

		close(k.fd);
		await(t, k.sent[k.sends - 1]);
		expect_cut(&k);
		expect_reset_is_kept(&k);
		scene_end(&k);
	}
}

static void reset_meets_a_receive_and_a_parked_send(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct scene k = scene_of(t, types[i], BOTH);

		close(k.fd);
		run_until(t, finished(k.received) && finished(k.sent[k.sends - 1]));
		expect_end(k.received, -ECONNRESET, 0);
		expect_cut(&k);
		expect_reset_is_kept(&k);
		scene_end(&k);
	}
}

static void reset_meets_nobody(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 2; i++) {
		struct scene k = scene_of(t, types[i / 2], 0);

		expect(soq_send(k.s, "unread", 6, 0), 6);
		close(k.fd);
		settle(t);
		/* Whichever lane is the first to hear of it. */
		if (i % 2)
			expect(soq_send(k.s, "x", 1, 0), -ECONNRESET);
		else
			expect(soq_recv(k.s, k.in, 8, 0), -ECONNRESET);
		expect_reset_is_kept(&k);
		scene_end(&k);
	}
}

static void bytes_before_a_reset_are_received(struct fixture *t)
{
	struct scene k = scene_of(t, SOCK_STREAM, 0);

	raw_send(k.fd, "first", 5);
	expect(soq_send(k.s, "unread", 6, 0), 6);
	close(k.fd);
	settle(t);
	expect(soq_recv(k.s, k.in, 5, SOQ_EXACT), 5);
	assert_memory_equal(k.in, "first", 5);
	expect_reset_is_kept(&k);
	scene_end(&k);
}

static void clean_close_meets_a_receive(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct scene k = scene_of(t, types[i], RECEIVE);
		char in[8];

		close(k.fd);
		await(t, k.received);
		expect_end(k.received, 0, 0);
		for (unsigned n = 0; n < 2; n++) {
			expect(soq_recv(k.s, in, sizeof(in), 0), 0);
			expect(soq_send(k.s, "x", 1, 0), -EPIPE);
		}
		scene_end(&k);
	}
}

static void clean_close_meets_nobody(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 2; i++) {
		struct scene k = scene_of(t, types[i / 2], 0);
		char in[8];

		raw_send(k.fd, "bye", 3);
		close(k.fd);
		settle(t);
		if (i % 2)
			expect(soq_send(k.s, "x", 1, 0), -EPIPE);
		expect(soq_recv(k.s, in, sizeof(in), 0), 3);
		expect(soq_recv(k.s, in, sizeof(in), 0), 0);
		expect(soq_send(k.s, "x", 1, 0), -EPIPE);
		expect(soq_recv(k.s, in, sizeof(in), 0), 0);
		scene_end(&k);
	}
}

/* Its own sending goes on. (What a parked send makes of it: fallback/PARITY.md.) */
static void peer_that_stops_reading_breaks_sends_alone(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct scene k = scene_of(t, types[i], RECEIVE);

		expect(shutdown(k.fd, SHUT_RD), 0);
		expect(soq_send(k.s, "x", 1, 0), -EPIPE);
		expect(soq_send(k.s, "x", 1, 0), -EPIPE);
		raw_send(k.fd, "on", 2);
		await(t, k.received);
		expect_end(k.received, 2, 0);
		close(k.fd);
		scene_end(&k);
	}
}

static void own_shutdown_is_no_reset(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct scene k = scene_of(t, types[i], RECEIVE);

		expect(soq_shutdown(k.s, SOQ_SHUTDOWN_SEND), 0);
		expect(soq_send(k.s, "x", 1, 0), -EPIPE);
		raw_send(k.fd, "reply", 5);
		await(t, k.received);
		expect_end(k.received, 5, 0);
		close(k.fd);
		expect(soq_recv(k.s, k.in, 8, 0), 0);
		scene_end(&k);
	}
}

static const struct conf_case cases[] = {
	CASE(reset_meets_a_receive, "7a 7d"),
	CASE(reset_meets_a_parked_send, "7a 7d 7e 6c"),
	CASE(reset_meets_a_receive_and_a_parked_send, "7a 7d"),
	CASE(reset_meets_nobody, "7a 7d 7e"),
	CASE(bytes_before_a_reset_are_received, "7a 7d"),
	CASE(clean_close_meets_a_receive, "7b 7e 5b"),
	CASE(clean_close_meets_nobody, "7b 7e 5b"),
	CASE(peer_that_stops_reading_breaks_sends_alone, "7b 7e"),
	CASE(own_shutdown_is_no_reset, "7f"),
};

CONF_GROUP(unix_reset, cases)
