/* SPDX-License-Identifier: MIT */
/* Accepting with the first bytes: who waits for them, and who does not. */
#define _GNU_SOURCE
#include "support.h"

static void first_bytes_come_with_the_connection(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 4; i++) {
		struct soq_endpoint ep, peer, local = { .size_bytes = sizeof(local.addr.storage) };
		struct soq_socket *listener = soq_listener(t, families[i & 1], &ep);
		struct probe *p = probe(t);
		char in[8], more[2];
		int fd;

		if (i < 2)
			started(p, soq_accept_data_async(listener, &p->op, in, 1));
		settle(t);
		fd = raw_connect(&ep);
		settle(t);
		expect(p->events, 0);
		raw_send(fd, "*+", 2);
		if (i >= 2)
			started(p, soq_accept_data_async(listener, &p->op, in, 1));
		await(t, p);

		expect_end(p, 1, 0);
		expect(in[0], '*');
		expect(getsockname(fd, &local.addr.any, &local.size_bytes), 0);
		expect(soq_socket_peer(p->socket, &peer), 0);
		expect(soq_endpoint_equal(&peer, &local), 1);
		expect(soq_recv(p->socket, more, 2, 0), 1);
		expect(more[0], '+');
		expect(soq_send(p->socket, "ok", 2, 0), 2);
		expect(raw_recv(t, fd, more, 2), 2);
		expect(soq_close(p->socket), 0);
		expect(soq_close(listener), 0);
		close(fd);
	}
}

static void call_returns_connection_and_first_bytes(struct fixture *t)
{
	struct soq_endpoint ep, peer;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	int fd = raw_connect(&ep);
	char in[8];

	raw_send(fd, "*", 1);
	expect(soq_accept_data(listener, in, sizeof(in), &out, &peer), 1);

	expect(in[0], '*');
	assert_non_null(out);
	expect(peer.addr.any.sa_family, AF_INET);
	expect(soq_send(out, "ok", 2, 0), 2);
	expect(raw_recv_blocking(fd, in, 2), 2);
	expect(soq_close(out), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void end_without_bytes_is_a_connection_with_none(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	int fd = raw_connect(&ep);
	char in[8];

	raw_fin(fd);
	expect(soq_accept_data(listener, in, sizeof(in), &out, NULL), 0);

	assert_non_null(out);
	expect(soq_send(out, "late", 4, 0), 4);
	expect(raw_recv_blocking(fd, in, 4), 4);
	expect(soq_close(out), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void reset_before_the_first_byte_is_an_error_and_no_connection(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);
	char in[8];
	int fd;

	started(p, soq_accept_data_async(listener, &p->op, in, sizeof(in)));
	fd = raw_connect(&ep);
	run_until(t, stats_of(t).accepts == 1);
	settle(t);
	raw_reset(fd);
	await(t, p);

	expect_end(p, -ECONNRESET, 0);
	assert_null(p->socket);
	expect(soq_close(listener), 0);
}

static void slow_client_holds_up_nobody(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	struct probe *slow = probe(t), *quick = probe(t), *plain = probe(t);
	char first[8], second[8];
	int fds[4];

	started(slow, soq_accept_data_async(listener, &slow->op, first, sizeof(first)));
	started(quick, soq_accept_data_async(listener, &quick->op, second, sizeof(second)));
	started(plain, soq_accept_async(listener, &plain->op, 0));
	for (int i = 0; i < 3; i++)
		fds[i] = raw_connect(&ep);
	raw_send(fds[1], "two", 3);
	run_until(t, finished(quick) && finished(plain));
	expect(slow->events, 0);
	fds[3] = raw_connect(&ep);
	expect(soq_accept(listener, &out, NULL), 0);
	expect(slow->events, 0);
	raw_send(fds[0], "one", 3);
	await(t, slow);

	expect_end(slow, 3, 0);
	assert_memory_equal(first, "one", 3);
	expect_end(quick, 3, 0);
	assert_memory_equal(second, "two", 3);
	expect_end(plain, 0, 0);
	expect(soq_close(slow->socket), 0);
	expect(soq_close(quick->socket), 0);
	expect(soq_close(plain->socket), 0);
	expect(soq_close(out), 0);
	expect(soq_close(listener), 0);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/* How an accept that has its connection, and waits for bytes, is ended. */
enum way { CANCEL, DEADLINE, CLOSE, WAYS };

static void ended_early_the_connection_is_aborted(struct fixture *t)
{
	for (int way = CANCEL; way < WAYS; way++) {
		struct soq_endpoint ep;
		struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
		struct probe *p = probe(t);
		char in[8];
		int fd;

		if (way == DEADLINE)
			p->op.deadline_ns = now_ns() + 40 * MS;
		started(p, soq_accept_data_async(listener, &p->op, in, sizeof(in)));
		fd = raw_connect(&ep);
		run_until(t, stats_of(t).accepts == (uint64_t)way + 1);
		settle(t);
		if (way == CANCEL)
			expect(soq_cancel(&p->op), 0);
		if (way == CLOSE)
			expect(soq_close(listener), 0);
		await(t, p);

		expect_end(p, way == DEADLINE ? -ETIMEDOUT : -ECANCELED, 0);
		assert_null(p->socket);
		expect(raw_recv(t, fd, in, 1), -ECONNRESET);
		if (way != CLOSE)
			expect(soq_close(listener), 0);
		close(fd);
	}
}

static void ended_before_a_connection_it_leaves_the_others(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *first = probe(t), *second = probe(t), *third = probe(t);
	char in[8];
	int fd;

	started(first, soq_accept_data_async(listener, &first->op, in, sizeof(in)));
	started(second, soq_accept_data_async(listener, &second->op, in, sizeof(in)));
	started(third, soq_accept_data_async(listener, &third->op, in, sizeof(in)));
	settle(t);
	expect(soq_cancel(&first->op), 0);
	await(t, first);
	fd = raw_connect(&ep);
	raw_send(fd, "x", 1);
	await(t, second);
	expect(soq_close(listener), 0);
	await(t, third);

	expect_end(first, -ECANCELED, 0);
	expect_end(second, 1, 0);
	expect_end(third, -ECANCELED, 0);
	expect(soq_close(second->socket), 0);
	close(fd);
}

static void event_nobody_took_is_dropped_with_its_listener(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe_quiet(t);
	char in[8];
	int fd;

	started(p, soq_accept_data_async(listener, &p->op, in, sizeof(in)));
	fd = raw_connect(&ep);
	raw_send(fd, "x", 1);
	run_until(t, stats_of(t).events_waiting == 1);
	expect(soq_close(listener), 0);

	expect(wait_end(p), -ECANCELED);
	assert_null(p->socket);
	expect(raw_recv(t, fd, in, 1), -ECONNRESET);
	close(fd);
}

static void close_all_ends_it_too(struct fixture *t)
{
	for (int delivered = 0; delivered < 2; delivered++) {
		struct soq_endpoint ep;
		struct probe *p = probe_quiet(t);
		char in[8];
		int fd;

		started(p, soq_accept_data_async(soq_listener(t, AF_INET, &ep), &p->op, in,
						 sizeof(in)));
		fd = raw_connect(&ep);
		if (delivered)
			raw_send(fd, "x", 1);
		run_until(t, stats_of(t).accepts == (uint64_t)delivered + 1 &&
				     stats_of(t).events_waiting == (uint64_t)delivered);
		settle(t);
		expect(soq_loop_close_all(t->loop), 0);

		expect(wait_end(p), -ECANCELED);
		assert_null(p->socket);
		expect(raw_recv(t, fd, in, 1), -ECONNRESET);
		close(fd);
	}
}

static void listener_that_has_some_cannot_leave(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out;
	struct probe *p = probe(t);
	char in[8];
	int fd;

	started(p, soq_accept_data_async(listener, &p->op, in, sizeof(in)));
	fd = raw_connect(&ep);
	run_until(t, stats_of(t).accepts == 1);
	settle(t);
	expect(soq_socket_detach(listener, &out), -EBUSY);
	expect(soq_socket_release(listener), -EBUSY);
	raw_send(fd, "x", 1);
	await(t, p);

	expect_end(p, 1, 0);
	expect(soq_socket_detach(listener, &out), 0);
	expect(soq_close(out), 0);
	expect(soq_close(p->socket), 0);
	close(fd);
}

static void call_honours_the_receive_timeout(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	char in[8];
	int fd;

	expect(soq_socket_set_timeouts(listener, 5 * MS, FOREVER), 0);
	expect(soq_accept_data(listener, in, sizeof(in), &out, NULL), -ETIMEDOUT);
	fd = raw_connect(&ep);
	expect(soq_accept_data(listener, in, sizeof(in), &out, NULL), -ETIMEDOUT);

	assert_null(out);
	expect(raw_recv(t, fd, in, 1), -ECONNRESET);
	expect(soq_close(listener), 0);
	close(fd);
}

static void what_makes_no_sense_is_refused(struct fixture *t)
{
	struct soq_endpoint ep, at;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	struct soq_socket *packets, *fresh = open_socket(t, AF_INET);
	struct soq_socket *bound = bound_socket(t, AF_INET, SOCK_STREAM, &at);
	struct probe *p = probe(t);
	char in[8];

	unix_abstract(&at);
	packets = unix_listener(t, SOCK_SEQPACKET, &at);
	expect(soq_accept_data_async(listener, &p->op, in, 0), -EINVAL);
	expect(soq_accept_data_async(listener, &p->op, NULL, 1), -EINVAL);
	expect(soq_accept_data_async(listener, &p->op, in, (size_t)SSIZE_MAX + 1), -EINVAL);
	expect(soq_accept_data_async(fresh, &p->op, in, 1), -EINVAL);
	expect(soq_accept_data_async(bound, &p->op, in, 1), -EINVAL);
	expect(soq_accept_data_async(packets, &p->op, in, 1), -EOPNOTSUPP);
	expect(soq_accept_data(listener, in, 0, &out, NULL), -EINVAL);
	expect(soq_accept_data(listener, in, 1, NULL, NULL), -EINVAL);
	expect(soq_accept_data(fresh, in, 1, &out, NULL), -EINVAL);
	expect(soq_accept_data(packets, in, 1, &out, NULL), -EOPNOTSUPP);
	expect(soq_close(listener), 0);
	expect(soq_close(packets), 0);
	expect(soq_close(fresh), 0);
	expect(soq_close(bound), 0);
}

static const struct conf_case cases[] = {
	CASE(first_bytes_come_with_the_connection, "1b B008"),
	SYNC_CASE(call_returns_connection_and_first_bytes, "20a"),
	SYNC_CASE(end_without_bytes_is_a_connection_with_none, "7b"),
	CASE(reset_before_the_first_byte_is_an_error_and_no_connection, "7a"),
	CASE(slow_client_holds_up_nobody, ""),
	CASE(ended_early_the_connection_is_aborted, "6a 6b 13d"),
	CASE(ended_before_a_connection_it_leaves_the_others, "10a 13a"),
	CASE(event_nobody_took_is_dropped_with_its_listener, "13d"),
	CASE(close_all_ends_it_too, "13d 15b"),
	CASE(listener_that_has_some_cannot_leave, ""),
	SYNC_CASE(call_honours_the_receive_timeout, "20a 6b"),
	CASE(what_makes_no_sense_is_refused, "1a"),
};

CONF_GROUP(accept_data, cases)
