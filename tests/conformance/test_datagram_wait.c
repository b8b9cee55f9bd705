/* SPDX-License-Identifier: MIT */
/* Datagrams that wait or fail: cancels, deadlines, timeouts, refusals, closing. */
#define _GNU_SOURCE
#include "support.h"

static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

static void canceled_receive_leaves_the_datagram_to_the_next(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 2; i++) {
		struct datagrams d = datagrams_bound(t, families[i / 2]);
		struct probe *p[3] = { probe(t), probe(t), probe(t) };
		struct soq_endpoint from;
		char in[3][8];

		for (unsigned k = 0; k < 3; k++)
			started(p[k], soq_recv_from_async(d.b, &p[k]->op, in[k], 8, 0, &from));
		if (i % 2)
			settle(t);
		expect(soq_cancel(&p[0]->op), 0);
		expect(soq_cancel(&p[1]->op), 0);
		run_until(t, finished(p[0]) && finished(p[1]));
		expect(soq_send_to(d.a, "whole", 5, 0, &d.at_b), 5);
		await(t, p[2]);

		expect_end(p[0], -ECANCELED, 0);
		expect_end(p[1], -ECANCELED, 0);
		expect_end(p[2], 5, 0);
		expect(soq_endpoint_equal(&from, &d.at_a), 1);
		datagrams_close(&d);
	}
}

static void receive_ends_at_its_deadline(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct probe *first = probe(t), *second = probe(t);
		char in[8];

		first->op.deadline_ns = now_ns() + 5 * MS;
		started(first, soq_recv_async(d.b, &first->op, in, sizeof(in), 0));
		started(second, soq_recv_async(d.b, &second->op, in, sizeof(in), 0));
		await(t, first);
		expect_end(first, -ETIMEDOUT, 0);
		expect(soq_send_to(d.a, "late", 4, 0, &d.at_b), 4);
		await(t, second);
		expect_end(second, 4, 0);
		datagrams_close(&d);
	}
}

static void sync_receive_honours_the_timeout(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint from;
		int64_t begin = now_ns();
		char in[8];

		expect(soq_socket_set_timeouts(d.b, 5 * MS, 5 * MS), 0);
		expect(soq_recv(d.b, in, sizeof(in), 0), -ETIMEDOUT);
		expect(soq_recv_from(d.b, in, sizeof(in), 0, &from), -ETIMEDOUT);
		expect_true(now_ns() - begin >= 10 * MS);
		expect(soq_socket_set_timeouts(d.b, 0, 0), 0);
		expect(soq_recv_from(d.b, in, sizeof(in), 0, &from), -ETIMEDOUT);
		expect(soq_send_to(d.a, "x", 1, 0, &d.at_b), 1);
		expect(soq_recv_from(d.b, in, sizeof(in), 0, &from), 1);
		datagrams_close(&d);
	}
}

static void close_ends_pending_receives(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 4; i++) {
		struct datagrams d = datagrams_bound(t, families[i / 4]);
		struct probe *p[3] = { probe(t), probe(t), probe(t) }, *ended = probe(t);
		struct soq_endpoint from;
		char in[3][8];

		for (unsigned k = 0; k < 3; k++)
			started(p[k], soq_recv_from_async(d.b, &p[k]->op, in[k], 8, 0, &from));
		if (i % 2)
			settle(t);
		if (i & 2)
			started(ended, soq_close_async(d.b, &ended->op));
		else
			started(ended, soq_finish_async(d.b, &ended->op, FOREVER));
		await(t, ended);

		for (unsigned k = 0; k < 3; k++)
			expect_end(p[k], -ECANCELED, 0);
		expect_end(ended, 0, 0);
		expect(ended->sequence, 4);
		expect(soq_close(d.a), 0);
		t->sequence = 0;
	}
}

/* A port that is held and answers nobody: its socket hears its own datagrams alone. */
static struct soq_socket *refuser(struct fixture *t, int family, struct soq_endpoint *ep)
{
	struct soq_socket *s = bound_socket(t, family, SOCK_DGRAM, ep);

	expect(soq_connect(s, ep), 0);
	return s;
}

static void refusal_comes_with_a_later_call(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint ep;
		struct soq_socket *holder = refuser(t, families[i], &ep);
		struct probe *received = probe(t), *sent = probe(t);
		char in[8];

		expect(soq_connect(d.a, &ep), 0);
		expect(soq_send(d.a, "x", 1, 0), 1);
		expect(soq_recv(d.a, in, sizeof(in), 0), -ECONNREFUSED);
		expect(soq_send(d.a, "x", 1, 0), 1);
		expect(soq_send(d.a, "x", 1, 0), -ECONNREFUSED);
		started(received, soq_recv_async(d.a, &received->op, in, sizeof(in), 0));
		settle(t);
		started(sent, soq_send_async(d.a, &sent->op, "x", 1, 0));
		run_until(t, finished(received) && finished(sent));
		expect_end(received, -ECONNREFUSED, 0);
		expect_end(sent, 1, 0);

		expect(soq_connect(d.a, &d.at_b), 0);
		expect(soq_send(d.a, "good", 4, 0), 4);
		expect(soq_recv(d.b, in, sizeof(in), 0), 4);
		expect(soq_send_to(d.b, "back", 4, 0, &d.at_a), 4);
		expect(soq_recv(d.a, in, sizeof(in), 0), 4);
		expect(soq_close(holder), 0);
		datagrams_close(&d);
	}
}

static void unconnected_socket_hears_of_no_refusal(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint ep;
		struct soq_socket *holder = refuser(t, families[i], &ep);
		char in[8];

		expect(soq_send_to(d.a, "x", 1, 0, &ep), 1);
		expect(soq_send_to(d.a, "x", 1, 0, &ep), 1);
		expect(soq_send_to(d.b, "y", 1, 0, &d.at_a), 1);
		expect(soq_recv(d.a, in, sizeof(in), 0), 1);
		expect(soq_close(holder), 0);
		datagrams_close(&d);
	}
}

static void too_long_datagram_fails_alone(struct fixture *t)
{
	enum { LONG = 1 << 20 };
	char *big = calloc(1, LONG), in[8];

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *p[4] = { probe(t), probe(t), probe(t), probe(t) };

		started(p[0], soq_send_async(d.a, &p[0]->op, "before", 6, 0));
		started(p[1], soq_send_async(d.a, &p[1]->op, big, LONG, 0));
		started(p[2], soq_send_to_async(d.a, &p[2]->op, big, LONG, 0, &d.at_b));
		started(p[3], soq_send_async(d.a, &p[3]->op, "behind!", 7, 0));
		await(t, p[3]);

		expect_end(p[0], 6, 0);
		expect_end(p[1], -EMSGSIZE, 0);
		expect_end(p[2], -EMSGSIZE, 0);
		expect_end(p[3], 7, 0);
		expect(soq_send(d.a, big, LONG, 0), -EMSGSIZE);
		expect(soq_send(d.a, big, ((size_t)1 << 30) + 1, 0), -EMSGSIZE);
		expect(soq_recv(d.b, in, sizeof(in), 0), 6);
		expect(soq_recv(d.b, in, sizeof(in), 0), 7);
		datagrams_close(&d);
	}
	free(big);
}

static void broadcast_has_to_be_allowed(struct fixture *t)
{
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
	struct probe *p = probe(t);
	struct soq_endpoint ep;
	int on = 1;

	expect(soq_endpoint_parse("127.255.255.255:9", &ep), 0);
	expect(soq_send_to(s, "x", 1, 0, &ep), -EACCES);
	started(p, soq_send_to_async(s, &p->op, "x", 1, 0, &ep));
	await(t, p);
	expect_end(p, -EACCES, 0);
	expect(soq_connect(s, &ep), -EACCES);
	expect(soq_send(s, "x", 1, 0), -ENOTCONN);
	expect(soq_option_set(s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	expect(soq_send_to(s, "x", 1, 0, &ep), 1);
	expect(soq_close(s), 0);
}

static void finish_sends_what_is_queued(struct fixture *t)
{
	enum { SENDS = 30 };

	for (unsigned i = 0; i < COUNT_OF(families) * 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i / 2]);
		struct probe *sent[SENDS], *received[SENDS], *ended = probe(t);
		char in[SENDS][8];

		for (unsigned n = 0; n < SENDS; n++) {
			sent[n] = probe(t);
			received[n] = probe(t);
			started(received[n], soq_recv_async(d.b, &received[n]->op, in[n], 8, 0));
			if (n % 2)
				started(sent[n], soq_send_async(d.a, &sent[n]->op, "odd", 3, 0));
			else
				started(sent[n], soq_send_to_async(d.a, &sent[n]->op, "even", 4, 0,
								   &d.at_b));
		}
		if (i % 2)
			expect(soq_finish(d.a, FOREVER), 0);
		else
			started(ended, soq_finish_async(d.a, &ended->op, FOREVER));
		expect(soq_send(d.a, "x", 1, 0), -EBADF);
		run_until(t, finished(received[SENDS - 1]) && finished(sent[SENDS - 1]));
		run_until(t, i % 2 || finished(ended));

		for (unsigned n = 0; n < SENDS; n++) {
			expect_end(sent[n], n % 2 ? 3 : 4, 0);
			expect_end(received[n], n % 2 ? 3 : 4, 0);
		}
		expect(ended->result, 0);
		expect(soq_close(d.b), 0);
	}
}

static void close_drops_what_is_queued(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *p[3] = { probe(t), probe(t), probe(t) };
		char in[8];

		for (unsigned k = 0; k < 3; k++)
			started(p[k], soq_send_async(d.a, &p[k]->op, "dropped", 7, 0));
		expect(soq_close(d.a), 0);
		await(t, p[2]);

		for (unsigned k = 0; k < 3; k++)
			expect_end(p[k], -ECANCELED, 0);
		expect(soq_socket_set_timeouts(d.b, 0, 0), 0);
		expect(soq_recv(d.b, in, sizeof(in), 0), -ETIMEDOUT);
		expect(soq_close(d.b), 0);
	}
}

static const struct conf_case cases[] = {
	CASE(canceled_receive_leaves_the_datagram_to_the_next, "10a 14a 6a"),
	CASE(receive_ends_at_its_deadline, "6b 10a"),
	CASE(sync_receive_honours_the_timeout, "20a 6b"),
	CASE(close_ends_pending_receives, "13a 13e 13f"),
	CASE(refusal_comes_with_a_later_call, "5a B089"),
	CASE(unconnected_socket_hears_of_no_refusal, "5a B089"),
	CASE(too_long_datagram_fails_alone, "10a 5a"),
	CASE(broadcast_has_to_be_allowed, "5a"),
	CASE(finish_sends_what_is_queued, "13f 9e"),
	CASE(close_drops_what_is_queued, "13a"),
};

CONF_GROUP(datagram_wait, cases)
