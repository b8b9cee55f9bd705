/* SPDX-License-Identifier: MIT */
/* Accepting into a socket that is there: what it keeps, what is refused, who closes it. */
#define _GNU_SOURCE
#include "support.h"

static void target_becomes_the_connection(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep, peer, local = { .size_bytes = sizeof(local.addr.storage) };
		struct soq_socket *listener = soq_listener(t, families[i], &ep);
		struct soq_socket *target = open_socket(t, families[i]);
		struct soq_socket_info info = { .size = sizeof(info) };
		struct probe *p = probe(t);
		int word, fd;
		char in[4];

		expect(soq_socket_set_user(target, &word), 0);
		expect(soq_socket_set_timeouts(target, 3 * MS, FOREVER), 0);
		started(p, soq_accept_into_async(listener, &p->op, target));
		settle(t);
		fd = raw_connect(&ep);
		await(t, p);

		expect_end(p, 0, 0);
		assert_ptr_equal(p->socket, target);
		assert_ptr_equal(soq_socket_user(target), &word);
		expect(soq_socket_info(target, &info), 0);
		expect(info.state, SOQ_STATE_CONNECTED);
		expect(getsockname(fd, &local.addr.any, &local.size_bytes), 0);
		expect(soq_socket_peer(target, &peer), 0);
		expect(soq_endpoint_equal(&peer, &local), 1);
		expect(soq_recv(target, in, 1, 0), -ETIMEDOUT);
		raw_send(fd, "ping", 4);
		expect(soq_recv(target, in, 4, SOQ_EXACT), 4);
		expect(soq_send(target, "pong", 4, 0), 4);
		expect(raw_recv(t, fd, in, 4), 4);
		expect(soq_close(target), 0);
		expect(raw_recv(t, fd, in, 4), 0);
		expect(soq_close(listener), 0);
		close(fd);
	}
}

static void call_accepts_into_the_target(struct fixture *t)
{
	struct soq_endpoint ep, peer;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *target = open_socket(t, AF_INET);
	int fd = raw_connect(&ep);
	char in[4];

	expect(soq_accept_into(listener, target, &peer), 0);
	expect(peer.addr.any.sa_family, AF_INET);
	raw_send(fd, "ping", 4);
	expect(soq_recv(target, in, 4, SOQ_EXACT), 4);
	expect(soq_accept_into(listener, target, NULL), -EISCONN);
	expect(soq_close(target), 0);
	expect(raw_recv_blocking(fd, in, 4), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void failed_accept_leaves_the_target_as_it_was(struct fixture *t)
{
	struct soq_endpoint ep, other;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *target = open_socket(t, AF_INET);
	int fd, there = raw_listener(AF_INET, 1, 0, &other);
	int size = 0, now = 0;
	int before = 8192;

	expect(soq_option_set(target, SOL_SOCKET, SO_RCVBUF, &before, sizeof(before)), 0);
	expect(soq_option_get(target, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), sizeof(int));
	expect(soq_socket_set_timeouts(listener, 3 * MS, FOREVER), 0);
	expect(soq_accept_into(listener, target, NULL), -ETIMEDOUT);
	expect(soq_option_get(target, SOL_SOCKET, SO_RCVBUF, &now, sizeof(now)), sizeof(int));

	expect(now, size);
	expect(soq_connect(target, &other), 0);
	fd = raw_accept(there);
	expect(soq_close(target), 0);
	expect(soq_close(listener), 0);
	close(fd);
	close(there);
}

static void ended_early_the_target_is_free_again(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *target = open_socket(t, AF_INET);
	struct probe *p = probe(t);
	int fd;

	started(p, soq_accept_into_async(listener, &p->op, target));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	assert_null(p->socket);
	p->op.deadline_ns = now_ns() + 3 * MS;
	started(p, soq_accept_into_async(listener, &p->op, target));
	await(t, p);
	expect_end(p, -ETIMEDOUT, 0);
	started(p, soq_accept_into_async(listener, &p->op, target));
	fd = raw_connect(&ep);
	await(t, p);

	expect_end(p, 0, 0);
	assert_ptr_equal(p->socket, target);
	expect(soq_close(target), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void target_is_busy_until_its_event_is_taken(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *target = open_socket(t, AF_INET), *out;
	struct probe *p = probe_quiet(t), *other = probe(t);
	char in[4];
	int fd;

	started(p, soq_accept_into_async(listener, &p->op, target));
	for (int i = 0; i < 2; i++) {
		expect(soq_connect_async(target, &other->op, &ep), -EBUSY);
		expect(soq_send_async(target, &other->op, "x", 1, 0), -EBUSY);
		expect(soq_recv(target, in, 1, 0), -EBUSY);
		expect(soq_poll(target, SOQ_POLL_SEND, 0), -EBUSY);
		expect(soq_bind(target, &ep), -EBUSY);
		expect(soq_socket_detach(target, &out), -EBUSY);
		expect(soq_socket_release(target), -EBUSY);
		expect(soq_accept_into_async(listener, &other->op, target), -EBUSY);
		assert_ptr_equal(soq_socket_loop(target), t->loop);
		if (i == 0) {
			fd = raw_connect(&ep);
			run_until(t, stats_of(t).events_waiting == 1);
		}
	}
	expect(wait_end(p), 0);

	assert_ptr_equal(p->socket, target);
	expect(soq_send(target, "x", 1, 0), 1);
	expect(raw_recv(t, fd, in, 1), 1);
	expect(soq_close(target), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void closing_the_target_ends_the_accept(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe_quiet(t), *next = probe(t);
	struct soq_socket *targets[3];
	int fds[2];
	char byte;

	for (int i = 0; i < 3; i++)
		targets[i] = open_socket(t, AF_INET);
	/* In the kernel; then with its event made; then not even begun. */
	started(p, soq_accept_into_async(listener, &p->op, targets[0]));
	settle(t);
	expect(soq_close(targets[0]), 0);
	expect(soq_close(targets[0]), -EBADF);
	expect(wait_end(p), -ECANCELED);
	started(p, soq_accept_into_async(listener, &p->op, targets[1]));
	fds[0] = raw_connect(&ep);
	run_until(t, stats_of(t).events_waiting == 1);
	expect(soq_abort(targets[1]), 0);
	expect(wait_end(p), -ECANCELED);
	assert_null(p->socket);
	expect(raw_recv(t, fds[0], &byte, 1), -ECONNRESET);
	started(p, soq_accept_into_async(listener, &p->op, targets[2]));
	started(next, soq_accept_async(listener, &next->op, 0));
	expect(soq_finish(targets[2], 0), 0);
	expect(wait_end(p), -ECANCELED);
	fds[1] = raw_connect(&ep);
	await(t, next);

	expect_end(next, 0, 0);
	expect(soq_close(next->socket), 0);
	expect(soq_close(listener), 0);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
}

static void closing_the_listener_frees_the_target(struct fixture *t)
{
	struct soq_endpoint ep, other;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *target = open_socket(t, AF_INET);
	int there = raw_listener(AF_INET, 1, 0, &other);
	struct probe *p = probe(t);

	started(p, soq_accept_into_async(listener, &p->op, target));
	settle(t);
	expect(soq_close(listener), 0);
	await(t, p);

	expect_end(p, -ECANCELED, 0);
	expect(soq_connect(target, &other), 0);
	expect(soq_close(target), 0);
	close(there);
}

static void close_all_closes_targets_too(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);

	started(p, soq_accept_into_async(listener, &p->op, open_socket(t, AF_INET)));
	settle(t);
	expect(soq_loop_close_all(t->loop), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
}

static void what_cannot_be_a_target_is_refused(struct fixture *t)
{
	struct soq_endpoint ep, at;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *bound = bound_socket(t, AF_INET, SOCK_STREAM, &at);
	struct soq_socket *other = open_socket(t, AF_INET6), *portless = open_socket(t, AF_INET);
	struct soq_socket *packets = open_socket_of(t, AF_INET, SOCK_DGRAM);
	struct soq_socket *connected, *peer, *detached, *waiting = open_socket(t, AF_INET);
	struct probe *p = probe(t), *poll = probe(t);

	pair_soq(t, AF_INET, &connected, &peer);
	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &detached), 0);
	expect(soq_accept_into_async(listener, &p->op, NULL), -EINVAL);
	expect(soq_accept_into_async(listener, &p->op, other), -EINVAL);
	expect(soq_accept_into_async(listener, &p->op, packets), -EINVAL);
	expect(soq_accept_into_async(listener, &p->op, detached), -EXDEV);
	expect(soq_accept_into(detached, waiting, NULL), -EXDEV);
	expect(soq_accept_into_async(listener, &p->op, bound), -EISCONN);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_socket_set_option(portless, SOQ_OPTION_BIND_NO_PORT, 1), 0);
	expect(soq_bind(portless, &ep), 0);
	expect(soq_accept_into_async(listener, &p->op, portless), -EISCONN);
	expect(soq_close(portless), 0);
	expect(soq_accept_into_async(listener, &p->op, connected), -EISCONN);
	expect(soq_accept_into_async(listener, &p->op, listener), -EISCONN);
	expect(soq_accept_into_async(waiting, &p->op, other), -EINVAL);
	started(poll, soq_poll_async(waiting, &poll->op, SOQ_POLL_URGENT, 0));
	expect(soq_accept_into_async(listener, &p->op, waiting), -EBUSY);
	expect(soq_cancel(&poll->op), 0);
	await(t, poll);
	expect(soq_close(peer), 0);
	expect(soq_accept_into_async(listener, &p->op, peer), -EBADF);
	expect(p->starts, 0);
	expect(soq_close(connected), 0);
	expect(soq_close(detached), 0);
	expect(soq_close(bound), 0);
	expect(soq_close(other), 0);
	expect(soq_close(packets), 0);
	expect(soq_close(waiting), 0);
	expect(soq_close(listener), 0);
}

/* A poll that has given up may still be armed: that is no business of the caller's. */
static void target_that_was_polled_will_do(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *target = open_socket(t, AF_INET);
	int fd = raw_connect(&ep);
	char byte;

	expect(soq_poll(target, SOQ_POLL_URGENT, 0) >= 0, 1);
	expect(soq_accept_into(listener, target, NULL), 0);
	expect(soq_poll(target, SOQ_POLL_RECV, 0), 0);
	raw_send(fd, "x", 1);
	expect(soq_poll(target, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	expect(soq_recv(target, &byte, 1, 0), 1);
	expect(soq_close(target), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(target_becomes_the_connection, "1b B004"),
	SYNC_CASE(call_accepts_into_the_target, "20a"),
	SYNC_CASE(failed_accept_leaves_the_target_as_it_was, "6b"),
	CASE(ended_early_the_target_is_free_again, "6a 6b"),
	CASE(target_is_busy_until_its_event_is_taken, ""),
	CASE(closing_the_target_ends_the_accept, "13a 13b 15a"),
	CASE(closing_the_listener_frees_the_target, "13a"),
	CASE(close_all_closes_targets_too, "15b"),
	CASE(what_cannot_be_a_target_is_refused, "1a B004"),
	SYNC_CASE(target_that_was_polled_will_do, ""),
};

CONF_GROUP(accept_into, cases)
