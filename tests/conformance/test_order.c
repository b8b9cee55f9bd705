/* SPDX-License-Identifier: MIT */
/* Order: sends on the wire, receives, sync among async, and what a cancel does to it. */
#define _GNU_SOURCE
#include "support.h"

static void sends_reach_the_wire_in_start_order(struct fixture *t)
{
	enum { SENDS = 200 };
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p[SENDS];
	char *bytes = malloc(SENDS * SENDS * 8);
	size_t at = 0;

	fill(bytes, SENDS * SENDS * 8, 1, 0);
	for (unsigned i = 0; i < SENDS; i++) {
		p[i] = probe(t);
		started(p[i], soq_send_async(s, &p[i]->op, bytes + at, i * 16, 0));
		at += i * 16;
	}
	raw_take(t, fd, 1, 0, at);
	await(t, p[SENDS - 1]);

	for (unsigned i = 0; i < SENDS; i++) {
		expect_end(p[i], i * 16, 0);
		expect(p[i]->sequence, i + 1);
	}
	expect(soq_close(s), 0);
	close(fd);
	free(bytes);
}

static void sends_of_a_turn_are_gathered(struct fixture *t)
{
	enum { SENDS = 16 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p[SENDS];
	uint64_t before;
	char bytes[SENDS * 64];

	fill(bytes, sizeof(bytes), 1, 0);
	settle(t);
	before = stats_of(t).requests;
	for (unsigned i = 0; i < SENDS; i++) {
		p[i] = probe(t);
		started(p[i], soq_send_async(s, &p[i]->op, bytes + i * 64, 64, 0));
	}
	await(t, p[SENDS - 1]);

	expect_true(stats_of(t).requests - before <= 2);
	raw_take(t, fd, 1, 0, sizeof(bytes));
	expect(soq_close(s), 0);
	close(fd);
}

static void receives_complete_in_start_order(struct fixture *t)
{
	enum { RECEIVES = 50 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p[RECEIVES];
	char in[RECEIVES][4], out[RECEIVES * 4];

	for (unsigned i = 0; i < RECEIVES; i++) {
		p[i] = probe(t);
		started(p[i], soq_recv_async(s, &p[i]->op, in[i], 4, i % 2 ? SOQ_EXACT : 0));
	}
	settle(t);
	fill(out, sizeof(out), 1, 0);
	raw_send(fd, out, sizeof(out));
	await(t, p[RECEIVES - 1]);

	for (unsigned i = 0; i < RECEIVES; i++) {
		expect_end(p[i], 4, 0);
		expect(p[i]->sequence, i + 1);
	}
	assert_memory_equal(in, out, sizeof(out));
	expect(soq_close(s), 0);
	close(fd);
}

static void sync_calls_take_their_place_among_async(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *sent = probe(t), *received = probe(t);
	char in[12];

	pair_soq(t, AF_INET, &a, &b);
	started(sent, soq_send_async(a, &sent->op, "first ", 6, 0));
	expect(soq_send(a, "second", 6, 0), 6);
	started(received, soq_recv_async(b, &received->op, in, 6, SOQ_EXACT));
	expect(soq_recv(b, in + 6, 6, SOQ_EXACT), 6);
	expect(sent->events + received->events, 0);
	await(t, received);
	await(t, sent);

	assert_memory_equal(in, "first second", 12);
	expect_end(sent, 6, 0);
	expect_end(received, 6, 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void canceled_receive_is_taken_out_of_the_queue(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p[4];
	char in[4][4];

	for (unsigned i = 0; i < 4; i++) {
		p[i] = probe(t);
		started(p[i], soq_recv_async(s, &p[i]->op, in[i], 4, SOQ_EXACT));
	}
	settle(t);
	expect(soq_cancel(&p[0]->op), 0);
	expect(soq_cancel(&p[2]->op), 0);
	run_until(t, finished(p[0]) && finished(p[2]));
	raw_send(fd, "abcdefgh", 8);
	run_until(t, finished(p[1]) && finished(p[3]));

	expect_end(p[0], -ECANCELED, 0);
	expect_end(p[1], 4, 0);
	expect_end(p[2], -ECANCELED, 0);
	expect_end(p[3], 4, 0);
	assert_memory_equal(in[1], "abcd", 4);
	assert_memory_equal(in[3], "efgh", 4);
	expect(soq_close(s), 0);
	close(fd);
}

/* A parked send of all of stream 1, and two small ones behind it. */
struct parked {
	struct soq_socket *s;
	int fd;
	char *big;
	struct probe *first, *second, *third;
};

static struct parked park(struct fixture *t, int settled)
{
	struct parked k = { .big = malloc(BIG_BYTES + 16) };

	fill(k.big, BIG_BYTES + 16, 1, 0);
	k.s = pair_narrow(t, AF_INET, &k.fd);
	k.first = probe(t);
	k.second = probe(t);
	k.third = probe(t);
	started(k.first, soq_send_async(k.s, &k.first->op, k.big, BIG_BYTES, 0));
	if (settled)
		settle(t);
	started(k.second, soq_send_async(k.s, &k.second->op, "SECOND", 6, 0));
	started(k.third, soq_send_async(k.s, &k.third->op, k.big + BIG_BYTES, 16, 0));
	settle(t);
	return k;
}

static void unpark(struct parked *k)
{
	expect(soq_close(k->s), 0);
	close(k->fd);
	free(k->big);
}

static void cancel_inside_a_gather_hurts_none_before_it(struct fixture *t)
{
	for (int settled = 0; settled < 2; settled++) {
		struct parked k = park(t, settled);

		expect(soq_cancel(&k.second->op), 0);
		raw_take(t, k.fd, 1, 0, BIG_BYTES + 16);
		await(t, k.third);

		expect_end(k.first, BIG_BYTES, 0);
		expect_end(k.second, -ECANCELED, 0);
		expect_end(k.third, 16, 0);
		unpark(&k);
	}
}

static void cancel_of_the_last_hurts_none_before_it(struct fixture *t)
{
	struct parked k = park(t, 0);
	char in[8];

	expect(soq_cancel(&k.third->op), 0);
	await(t, k.third);
	raw_take(t, k.fd, 1, 0, BIG_BYTES);
	expect(raw_recv(t, k.fd, in, 8), 6);
	await(t, k.second);

	expect_end(k.first, BIG_BYTES, 0);
	expect_end(k.second, 6, 0);
	expect_end(k.third, -ECANCELED, 0);
	assert_memory_equal(in, "SECOND", 6);
	unpark(&k);
}

static void short_send_fails_all_behind_it(struct fixture *t)
{
	for (int settled = 0; settled < 2; settled++) {
		struct parked k = park(t, settled);
		uint64_t bytes;

		expect(soq_cancel(&k.first->op), 0);
		await(t, k.third);
		expect_true(k.first->result > 0 && k.first->result < (int64_t)BIG_BYTES);
		expect_end(k.first, k.first->result, SOQ_F_CANCELED);
		expect_end(k.second, -ECANCELED, 0);
		expect_end(k.third, -ECANCELED, 0);

		expect(soq_shutdown(k.s, SOQ_SHUTDOWN_SEND), 0);
		expect(raw_drain(t, k.fd, 1, &bytes), 0);
		expect(bytes, k.first->result);
		unpark(&k);
	}
}

static void send_after_a_short_one_goes_on_from_there(struct fixture *t)
{
	struct parked k = park(t, 0);
	struct probe *next = probe(t);
	size_t moved;

	expect(soq_cancel(&k.first->op), 0);
	await(t, k.third);
	moved = (size_t)k.first->result;
	started(next, soq_send_async(k.s, &next->op, k.big + moved, BIG_BYTES - moved, 0));
	raw_take(t, k.fd, 1, 0, BIG_BYTES);
	await(t, next);

	expect_end(next, BIG_BYTES - moved, 0);
	unpark(&k);
}

/* Many connections at once, each echoing its own stream. */
struct echo {
	struct soq_socket *client, *server;
	struct probe *sent, *received, *echoed;
	char out[256], in[256], relay[256];
};

static void echo_back(struct probe *p, const struct soq_event *event)
{
	struct echo *e = p->arg;

	if (event->result > 0)
		again(e->echoed, soq_send_async(e->server, &e->echoed->op, e->relay, 256, 0));
}

static void many_connections_keep_their_streams_apart(struct fixture *t)
{
	enum { CONNECTIONS = 32, ROUNDS = 20 };
	struct echo *echoes = calloc(CONNECTIONS, sizeof(*echoes));

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		struct echo *e = &echoes[i];

		pair_soq(t, i % 2 ? AF_INET : AF_INET6, &e->client, &e->server);
		e->sent = probe(t);
		e->received = probe(t);
		e->echoed = probe(t);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			struct echo *e = &echoes[i];
			struct probe *relay = probe(t);

			fill(e->out, 256, i, round * 256);
			relay->then = echo_back;
			relay->arg = e;
			started(relay,
				soq_recv_async(e->server, &relay->op, e->relay, 256, SOQ_EXACT));
			started(e->sent, soq_send_async(e->client, &e->sent->op, e->out, 256, 0));
			started(e->received,
				soq_recv_async(e->client, &e->received->op, e->in, 256, SOQ_EXACT));
		}
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			await(t, echoes[i].received);
			await(t, echoes[i].echoed);
			expect_end(echoes[i].received, 256, 0);
			expect_true(is_filled(echoes[i].in, 256, i, round * 256));
		}
	}
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		expect(soq_close(echoes[i].client), 0);
		expect(soq_close(echoes[i].server), 0);
	}
	free(echoes);
}

static const struct conf_case cases[] = {
	CASE(sends_reach_the_wire_in_start_order, "9a"),
	CASE(sends_of_a_turn_are_gathered, "9d"),
	CASE(receives_complete_in_start_order, "9b"),
	CASE(sync_calls_take_their_place_among_async, "20b 2a"),
	CASE(canceled_receive_is_taken_out_of_the_queue, "10a"),
	CASE(cancel_inside_a_gather_hurts_none_before_it, "10c 10a"),
	CASE(cancel_of_the_last_hurts_none_before_it, "10c 10a"),
	CASE(short_send_fails_all_behind_it, "10b"),
	CASE(send_after_a_short_one_goes_on_from_there, "10b 6c"),
	CASE(many_connections_keep_their_streams_apart, "5c 9a 9b"),
};

CONF_GROUP(order, cases)
