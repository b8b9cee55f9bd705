/* SPDX-License-Identifier: MIT */
/* Datagrams over UDP and unix sockets: who sent them, their order, connecting, closing. */
#define _GNU_SOURCE
#include "support.h"

static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

static void datagram_tells_its_sender(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint from;
		char in[8];

		expect(soq_send_to(d.a, "ping", 4, 0, &d.at_b), 4);
		expect(soq_recv_from(d.b, in, sizeof(in), 0, &from), 4);
		assert_memory_equal(in, "ping", 4);
		expect(soq_endpoint_equal(&from, &d.at_a), 1);
		expect(soq_send_to(d.b, "pong!", 5, 0, &from), 5);
		expect(soq_recv_from(d.a, in, sizeof(in), 0, &from), 5);
		assert_memory_equal(in, "pong!", 5);
		expect(soq_endpoint_equal(&from, &d.at_b), 1);
		datagrams_close(&d);
	}
}

static void datagram_arrives_by_callback_wait_and_harvest(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 3; i++) {
		struct datagrams d = datagrams_bound(t, families[i / 3]);
		struct probe *sent = i % 3 ? probe_quiet(t) : probe(t);
		struct probe *received = i % 3 ? probe_quiet(t) : probe(t);
		struct soq_event events[2];
		struct soq_endpoint from;
		char in[8];

		started(received,
			soq_recv_from_async(d.b, &received->op, in, sizeof(in), 0, &from));
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		started(sent, soq_send_to_async(d.a, &sent->op, "hello", 5, 0, &d.at_b));
		for (int taken = 0, n; i % 3 == 2 && taken < 2; taken += n) {
			n = soq_loop_harvest(t->loop, events, 2, watchdog_ns());
			expect_true(n > 0);
			for (int k = 0; k < n; k++)
				record(&events[k]);
		}
		if (i % 3 == 1)
			expect(wait_end(received) + wait_end(sent), 10);
		run_until(t, finished(sent) && finished(received));

		expect_end(sent, 5, 0);
		expect_end(received, 5, 0);
		assert_memory_equal(in, "hello", 5);
		expect(soq_endpoint_equal(&from, &d.at_a), 1);
		datagrams_close(&d);
	}
}

static void connected_datagrams_need_no_address(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *sent = probe(t), *received = probe(t);
		struct soq_endpoint peer, from;
		char in[8];

		expect(soq_socket_peer(d.a, &peer), 0);
		expect(soq_endpoint_equal(&peer, &d.at_b), 1);
		expect(soq_send(d.a, "sync", 4, 0), 4);
		expect(soq_recv(d.b, in, sizeof(in), 0), 4);
		started(received, soq_recv_async(d.a, &received->op, in, sizeof(in), 0));
		started(sent, soq_send_async(d.b, &sent->op, "async", 5, 0));
		run_until(t, finished(sent) && finished(received));
		expect_end(received, 5, 0);
		assert_memory_equal(in, "async", 5);
		expect(soq_send(d.b, "x", 1, 0), 1);
		expect(soq_recv_from(d.a, in, sizeof(in), 0, &from), 1);
		expect(soq_endpoint_equal(&from, &d.at_b), 1);
		datagrams_close(&d);
	}
}

static void connect_again_chooses_another_peer(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint at_c, peer;
		struct soq_socket *c = bound_socket(t, families[i], SOCK_DGRAM, &at_c);
		struct probe *first = probe(t), *connected = probe(t), *second = probe(t);
		char in[8];

		expect(soq_connect(d.a, &d.at_b), 0);
		started(first, soq_send_async(d.a, &first->op, "to b", 4, 0));
		started(connected, soq_connect_async(d.a, &connected->op, &at_c));
		started(second, soq_send_async(d.a, &second->op, "to c!", 5, 0));
		await(t, second);

		expect_end(connected, 0, 0);
		expect(soq_recv(d.b, in, sizeof(in), 0), 4);
		assert_memory_equal(in, "to b", 4);
		expect(soq_recv(c, in, sizeof(in), 0), 5);
		assert_memory_equal(in, "to c!", 5);
		expect(soq_socket_peer(d.a, &peer), 0);
		expect(soq_endpoint_equal(&peer, &at_c), 1);
		expect(soq_close(c), 0);
		datagrams_close(&d);
	}
}

static void address_goes_before_the_peer(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint at_c;
		struct soq_socket *c = bound_socket(t, families[i], SOCK_DGRAM, &at_c);
		char in[8];

		expect(soq_connect(d.a, &d.at_b), 0);
		expect(soq_send_to(d.a, "to c!", 5, 0, &at_c), 5);
		expect(soq_send(d.a, "to b", 4, 0), 4);

		expect(soq_recv(c, in, sizeof(in), 0), 5);
		expect(soq_recv(d.b, in, sizeof(in), 0), 4);
		expect(soq_close(c), 0);
		datagrams_close(&d);
	}
}

static void ping_pong_loses_and_mixes_nothing(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct probe *received = probe(t), *acked = probe(t);
		char out[256], in[512], ack[4];
		struct soq_endpoint from, ack_from;

		for (unsigned n = 0; n < 256; n++) {
			fill(out, sizeof(out), n, 0);
			started(received,
				soq_recv_from_async(d.b, &received->op, in, sizeof(in), 0, &from));
			started(acked, soq_recv_from_async(d.a, &acked->op, ack, sizeof(ack), 0,
							   &ack_from));
			expect(soq_send_to(d.a, out, sizeof(out), 0, &d.at_b), 256);
			await(t, received);
			expect_end(received, 256, 0);
			expect_true(is_filled(in, 256, n, 0));
			expect(soq_endpoint_equal(&from, &d.at_a), 1);
			expect(soq_send_to(d.b, &n, sizeof(n), 0, &from), 4);
			await(t, acked);
			expect_end(acked, 4, 0);
			assert_memory_equal(ack, &n, 4);
			expect(soq_endpoint_equal(&ack_from, &d.at_b), 1);
		}
		datagrams_close(&d);
	}
}

/* Numbered datagrams, all of them started at once on both sides. */
#define QUEUED 60

static void start_and_receive_in_order(struct fixture *t, struct datagrams *d, int addressed)
{
	struct probe *sent[QUEUED], *received[QUEUED];
	unsigned out[QUEUED], in[QUEUED];

	for (unsigned n = 0; n < QUEUED; n++) {
		received[n] = probe(t);
		started(received[n],
			soq_recv_async(d->b, &received[n]->op, &in[n], sizeof(in[n]), 0));
	}
	for (unsigned n = 0; n < QUEUED; n++) {
		sent[n] = probe(t);
		out[n] = n * 1000;
		started(sent[n],
			addressed ? soq_send_to_async(d->a, &sent[n]->op, &out[n], 4, 0, &d->at_b)
				  : soq_send_async(d->a, &sent[n]->op, &out[n], 4, 0));
	}
	run_until(t, finished(sent[QUEUED - 1]) && finished(received[QUEUED - 1]));
	for (unsigned n = 0; n < QUEUED; n++) {
		expect_end(sent[n], 4, 0);
		expect_end(received[n], 4, 0);
		expect(in[n], n * 1000);
		expect_true(n == 0 || sent[n]->sequence > sent[n - 1]->sequence);
		expect_true(n == 0 || received[n]->sequence > received[n - 1]->sequence);
	}
}

static void datagrams_leave_and_arrive_in_start_order(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);

		start_and_receive_in_order(t, &d, 0);
		start_and_receive_in_order(t, &d, 1);
		datagrams_close(&d);
	}
}

static void sync_receive_waits_behind_async_ones(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *sent = probe(t), *received = probe(t);
		char in[2][8];

		started(received, soq_recv_async(d.b, &received->op, in[0], 8, 0));
		started(sent, soq_send_async(d.a, &sent->op, "first", 5, 0));
		expect(soq_send(d.a, "second", 6, 0), 6);
		expect(soq_recv(d.b, in[1], 8, 0), 6);
		expect(received->events + sent->events, 0);
		run_until(t, finished(sent) && finished(received));

		expect_end(received, 5, 0);
		assert_memory_equal(in[0], "first", 5);
		assert_memory_equal(in[1], "second", 6);
		datagrams_close(&d);
	}
}

static void send_without_any_address_is_not_connected(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *s = open_socket_of(t, families[i], SOCK_DGRAM);
		struct iovec one = { "x", 1 };
		struct soq_message message = { .size = sizeof(message),
					       .segments = &one,
					       .segment_count = 1 };
		struct probe *p = probe(t);
		struct soq_endpoint none = { 0 }, other;

		expect(soq_send(s, "x", 1, 0), -ENOTCONN);
		expect(soq_send_async(s, &p->op, "x", 1, 0), -ENOTCONN);
		expect(soq_send_msg(s, &message, 0), -ENOTCONN);
		expect(soq_send_msg_async(s, &p->op, &message, 0), -ENOTCONN);
		expect(soq_send_to(s, "x", 1, 0, &none), -EINVAL);
		expect(soq_endpoint_loopback(families[i] == AF_INET ? AF_INET6 : AF_INET, 9,
					     &other),
		       0);
		expect(soq_send_to_async(s, &p->op, "x", 1, 0, &other), -EAFNOSUPPORT);
		expect(soq_close(s), 0);
	}
}

static void shutdown_without_a_peer_is_refused_and_hurts_nothing(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct probe *p = probe(t);
		char in[8];

		for (int how = SOQ_SHUTDOWN_RECV; how <= SOQ_SHUTDOWN_BOTH; how++) {
			expect(soq_shutdown(d.a, how), -ENOTCONN);
			expect(soq_shutdown_async(d.b, &p->op, how), -ENOTCONN);
		}
		expect(soq_send_to(d.a, "still", 5, 0, &d.at_b), 5);
		expect(soq_recv(d.b, in, sizeof(in), 0), 5);
		datagrams_close(&d);
	}
}

static void shutdown_of_the_send_side_takes_its_place(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct probe *sent = probe(t), *ended = probe(t), *late = probe(t);
		char in[8];

		started(sent, soq_send_async(d.a, &sent->op, "last", 4, 0));
		started(ended, soq_shutdown_async(d.a, &ended->op, SOQ_SHUTDOWN_SEND));
		expect(soq_send_async(d.a, &late->op, "x", 1, 0), -EPIPE);
		expect(soq_send_to(d.a, "x", 1, 0, &d.at_b), -EPIPE);
		await(t, ended);

		expect_end(sent, 4, 0);
		expect_end(ended, 0, 0);
		expect(soq_recv(d.b, in, sizeof(in), 0), 4);
		datagrams_close(&d);
	}
}

static void failed_connect_leaves_the_peer_and_the_send_side(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_UNIX);
	struct probe *connected = probe(t), *sent = probe(t), *ended = probe(t);
	struct probe *received = probe(t);
	struct soq_endpoint nobody;
	char in[8];

	unix_abstract(&nobody);
	expect(soq_connect(d.a, &d.at_b), 0);
	started(received, soq_recv_async(d.a, &received->op, in, sizeof(in), 0));
	started(connected, soq_connect_async(d.a, &connected->op, &nobody));
	started(sent, soq_send_async(d.a, &sent->op, "lost", 4, 0));
	started(ended, soq_shutdown_async(d.a, &ended->op, SOQ_SHUTDOWN_SEND));
	await(t, ended);
	expect_end(connected, -ECONNREFUSED, 0);
	expect_end(sent, -ECONNREFUSED, 0);
	expect_end(ended, -ECONNREFUSED, 0);
	expect(received->events, 0);

	expect(soq_send(d.a, "kept", 4, 0), 4);
	expect(soq_recv(d.b, in, sizeof(in), 0), 4);
	assert_memory_equal(in, "kept", 4);
	expect(soq_send_to(d.b, "alive", 5, 0, &d.at_a), 5);
	await(t, received);
	expect_end(received, 5, 0);
	datagrams_close(&d);
}

static const struct conf_case cases[] = {
	CASE(datagram_tells_its_sender, "20a"),
	CASE(datagram_arrives_by_callback_wait_and_harvest, "2a 2b 1b"),
	CASE(connected_datagrams_need_no_address, "20a"),
	CASE(connect_again_chooses_another_peer, "9e"),
	CASE(address_goes_before_the_peer, "5a B088"),
	CASE(ping_pong_loses_and_mixes_nothing, "9b"),
	CASE(datagrams_leave_and_arrive_in_start_order, "9e 9b"),
	CASE(sync_receive_waits_behind_async_ones, "20b 2a"),
	CASE(send_without_any_address_is_not_connected, "11c 1a B088"),
	CASE(shutdown_without_a_peer_is_refused_and_hurts_nothing, "11c"),
	CASE(shutdown_of_the_send_side_takes_its_place, "11d"),
	CASE(failed_connect_leaves_the_peer_and_the_send_side, "11b"),
};

CONF_GROUP(datagram, cases)
