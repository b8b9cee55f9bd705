/* SPDX-License-Identifier: MIT */
/* Connecting: over both families, what waits behind it, and how it fails. */
#define _GNU_SOURCE
#include "support.h"

static const int families[] = { AF_INET, AF_INET6 };

static void connect_async_connects_on_both_families(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_socket *a, *b;
		struct soq_endpoint local, peer;

		pair_soq(t, families[i], &a, &b);
		expect(soq_socket_local(a, &local), 0);
		expect(soq_socket_peer(b, &peer), 0);

		expect(soq_endpoint_equal(&local, &peer), 1);
		expect(soq_close(a), 0);
		expect(soq_close(b), 0);
	}
}

static void connect_returns_when_connected(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, families[i], &fd);
		char bytes[4];

		raw_send(fd, "abcd", 4);
		expect(soq_recv(s, bytes, 4, SOQ_EXACT), 4);
		assert_memory_equal(bytes, "abcd", 4);
		expect(soq_close(s), 0);
		close(fd);
	}
}

static void connect_to_nobody_is_refused(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_socket *s = open_socket(t, families[i]);
		struct probe *p = probe(t);
		struct soq_endpoint ep;
		int holder;

		refused_endpoint(families[i], &ep, &holder);
		started(p, soq_connect_async(s, &p->op, &ep));
		await(t, p);

		expect_end(p, -ECONNREFUSED, 0);
		expect(soq_connect(s, &ep), -ECONNREFUSED);
		expect(soq_close(s), 0);
		close(holder);
	}
}

static void connect_may_be_tried_again_after_a_failure(struct fixture *t)
{
	struct soq_endpoint bad, good, peer;
	struct soq_socket *s = open_socket(t, AF_INET);
	int holder, listener = raw_listener(AF_INET, 1, 0, &good);
	struct probe *p = probe(t);

	refused_endpoint(AF_INET, &bad, &holder);
	expect(soq_connect(s, &bad), -ECONNREFUSED);
	started(p, soq_connect_async(s, &p->op, &good));
	await(t, p);

	expect_end(p, 0, 0);
	expect(soq_socket_peer(s, &peer), 0);
	expect(soq_endpoint_equal(&peer, &good), 1);
	expect(soq_close(s), 0);
	close(holder);
	close(listener);
}

static void ops_behind_a_connect_wait_for_it(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd, listener = raw_listener(AF_INET, 1, 0, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *connected = probe(t), *sent = probe(t), *received = probe(t);
	char in[8];

	started(connected, soq_connect_async(s, &connected->op, &ep));
	started(received, soq_recv_async(s, &received->op, in, sizeof(in), 0));
	started(sent, soq_send_async(s, &sent->op, "ping", 4, 0));
	await(t, sent);
	fd = raw_accept(listener);
	raw_send(fd, "pong!", 5);
	await(t, received);

	expect_end(connected, 0, 0);
	expect_end(sent, 4, 0);
	expect_end(received, 5, 0);
	expect(connected->sequence, 1);
	expect(raw_recv(t, fd, in, sizeof(in)), 4);
	expect(soq_close(s), 0);
	close(fd);
	close(listener);
}

static void failed_connect_fails_what_waits_behind_it(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *connected = probe(t), *sent = probe(t), *received = probe(t);
	struct probe *ended = probe(t);
	char in[8];
	int holder;

	refused_endpoint(AF_INET, &ep, &holder);
	started(connected, soq_connect_async(s, &connected->op, &ep));
	started(sent, soq_send_async(s, &sent->op, "ping", 4, 0));
	started(received, soq_recv_async(s, &received->op, in, sizeof(in), 0));
	started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_SEND));
	run_until(t, finished(sent) && finished(received) && finished(ended));

	expect_end(connected, -ECONNREFUSED, 0);
	expect_end(sent, -ECONNREFUSED, 0);
	expect_end(received, -ECONNREFUSED, 0);
	expect_end(ended, -ECONNREFUSED, 0);
	expect(soq_close(s), 0);
	close(holder);
}

static void without_a_connect_nothing_can_be_moved(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t);
	struct soq_endpoint ep;
	char byte;

	expect(soq_send_async(s, &p->op, "x", 1, 0), -ENOTCONN);
	expect(soq_recv_async(s, &p->op, &byte, 1, 0), -ENOTCONN);
	expect(soq_shutdown_async(s, &p->op, SOQ_SHUTDOWN_SEND), -ENOTCONN);
	expect(soq_send(s, "x", 1, 0), -ENOTCONN);
	expect(soq_recv(s, &byte, 1, 0), -ENOTCONN);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_BOTH), -ENOTCONN);
	expect(soq_socket_peer(s, &ep), -ENOTCONN);
	expect(soq_close(s), 0);
}

static void connect_of_a_connected_socket_is_refused(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);

	expect(soq_socket_peer(s, &ep), 0);
	expect(soq_connect_async(s, &p->op, &ep), -EISCONN);
	expect(soq_connect(s, &ep), -EISCONN);
	expect(soq_listen(s, 1), -EISCONN);
	expect(soq_close(s), 0);
	close(fd);
}

static void connect_while_connecting_is_already(struct fixture *t)
{
	struct full_listener full;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *first = probe(t), *second = probe(t);

	full_listener_open(AF_INET, &full);
	started(first, soq_connect_async(s, &first->op, &full.ep));
	expect(soq_connect_async(s, &second->op, &full.ep), -EALREADY);
	settle(t);
	expect(soq_connect_async(s, &second->op, &full.ep), -EALREADY);
	expect(soq_connect(s, &full.ep), -EALREADY);

	expect(soq_close(s), 0);
	await(t, first);
	expect_end(first, -ECANCELED, 0);
	full_listener_close(&full);
}

static void canceled_connect_leaves_only_closing(struct fixture *t)
{
	struct full_listener full;
	struct soq_endpoint good;
	int listener = raw_listener(AF_INET, 1, 0, &good);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *connected = probe(t), *sent = probe(t);

	full_listener_open(AF_INET, &full);
	started(connected, soq_connect_async(s, &connected->op, &full.ep));
	started(sent, soq_send_async(s, &sent->op, "x", 1, 0));
	settle(t);
	expect(soq_cancel(&connected->op), 0);
	await(t, sent);

	expect_end(connected, -ECANCELED, 0);
	expect_end(sent, -ECANCELED, 0);
	expect(soq_connect_async(s, &sent->op, &good), -EALREADY);
	expect(soq_connect(s, &good), -EALREADY);
	expect(soq_close(s), 0);
	full_listener_close(&full);
	close(listener);
}

static void connect_ends_at_its_deadline(struct fixture *t)
{
	struct full_listener full;
	struct soq_socket *s = open_socket(t, AF_INET6);
	struct probe *p = probe(t);

	full_listener_open(AF_INET6, &full);
	p->op.deadline_ns = now_ns() + 5 * MS;
	started(p, soq_connect_async(s, &p->op, &full.ep));
	await(t, p);

	expect_end(p, -ETIMEDOUT, 0);
	expect(soq_connect_async(s, &p->op, &full.ep), -EALREADY);
	expect(soq_close(s), 0);
	full_listener_close(&full);
}

static void connect_honours_the_send_timeout(struct fixture *t)
{
	struct full_listener full;
	struct soq_socket *s = open_socket(t, AF_INET);

	full_listener_open(AF_INET, &full);
	expect(soq_socket_set_timeouts(s, FOREVER, 5 * MS), 0);
	expect(soq_connect(s, &full.ep), -ETIMEDOUT);
	expect(soq_connect(s, &full.ep), -EALREADY);

	expect(soq_close(s), 0);
	full_listener_close(&full);
}

static void connect_refuses_addresses_that_make_no_sense(struct fixture *t)
{
	struct soq_endpoint ep6, none = { 0 }, own;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_socket *listener = soq_listener(t, AF_INET, &own);
	struct probe *p = probe(t);

	expect(soq_endpoint_loopback(AF_INET6, 1, &ep6), 0);
	expect(soq_connect_async(s, &p->op, &ep6), -EAFNOSUPPORT);
	expect(soq_connect_async(s, &p->op, &none), -EINVAL);
	expect(soq_connect_async(s, &p->op, NULL), -EINVAL);
	expect(soq_connect_async(listener, &p->op, &own), -EINVAL);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
}

static void bind_takes_an_address_once(struct fixture *t)
{
	struct soq_endpoint ep, ep6;
	struct soq_socket *first = soq_listener(t, AF_INET, &ep);
	struct soq_socket *second = open_socket(t, AF_INET);

	expect(soq_bind(first, &ep), -EINVAL);
	expect(soq_endpoint_loopback(AF_INET6, 0, &ep6), 0);
	expect(soq_bind(second, &ep6), -EAFNOSUPPORT);
	expect(soq_bind(second, &ep), -EADDRINUSE);
	expect(soq_close(first), 0);
	expect(soq_close(second), 0);
}

static const struct conf_case cases[] = {
	CASE(connect_async_connects_on_both_families, "1b"),
	SYNC_CASE(connect_returns_when_connected, "20a"),
	CASE(connect_to_nobody_is_refused, "5a"),
	CASE(connect_may_be_tried_again_after_a_failure, "14b"),
	CASE(ops_behind_a_connect_wait_for_it, "11a"),
	CASE(failed_connect_fails_what_waits_behind_it, "11b"),
	CASE(without_a_connect_nothing_can_be_moved, "11c 1a"),
	CASE(connect_of_a_connected_socket_is_refused, "1a"),
	CASE(connect_while_connecting_is_already, "1a 13a"),
	CASE(canceled_connect_leaves_only_closing, "14b 11b 6a"),
	CASE(connect_ends_at_its_deadline, "14b 6b"),
	SYNC_CASE(connect_honours_the_send_timeout, "20a 6b"),
	CASE(connect_refuses_addresses_that_make_no_sense, "1a 5a"),
	SYNC_CASE(bind_takes_an_address_once, "5a"),
};

CONF_GROUP(connect, cases)
