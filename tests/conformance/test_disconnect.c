/* SPDX-License-Identifier: MIT */
/* Disconnecting: to connect again with the same handle, to end, and to be nobody's peer. */
#define _GNU_SOURCE
#include "support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

static uint32_t state_of(struct soq_socket *s)
{
	struct soq_socket_info info = { .size = sizeof(info) };

	expect(soq_socket_info(s, &info), 0);
	expect(info.error, 0);
	return info.state;
}

static void handle_connects_again(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 4; i++) {
		struct soq_endpoint ep, peer;
		int fd, next, listener = raw_listener(families[i & 1], 1, 0, &ep);
		struct soq_socket *s = pair_raw(t, families[i & 1], &fd);
		struct probe *p = probe(t), *connected = probe(t), *received = probe(t);
		char in[4];
		int word;

		expect(soq_socket_set_user(s, &word), 0);
		expect(soq_send(s, "old", 3, 0), 3);
		started(p, soq_disconnect_async(s, &p->op, SOQ_REUSE));
		await(t, p);
		expect_end(p, 0, 0);
		expect(state_of(s), SOQ_STATE_FRESH);
		expect(soq_socket_peer(s, &peer), -ENOTCONN);
		expect(soq_send(s, "x", 1, 0), -ENOTCONN);
		expect(raw_recv(t, fd, in, 4), 3);
		expect(raw_recv(t, fd, in, 4), 0);

		if (i < 2) {
			expect(soq_connect(s, &ep), 0);
		} else {
			started(connected, soq_connect_async(s, &connected->op, &ep));
			await(t, connected);
			expect_end(connected, 0, 0);
		}
		next = raw_accept(listener);
		expect(state_of(s), SOQ_STATE_CONNECTED);
		expect(soq_socket_peer(s, &peer), 0);
		expect(soq_endpoint_equal(&peer, &ep), 1);
		started(received, soq_recv_async(s, &received->op, in, 4, SOQ_EXACT));
		settle(t);
		raw_send(next, "new!", 4);
		await(t, received);
		expect_end(received, 4, 0);
		assert_ptr_equal(soq_socket_user(s), &word);
		expect(soq_close(s), 0);
		close(fd);
		close(next);
		close(listener);
	}
}

static void call_makes_it_fresh_time_and_again(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = raw_listener(AF_INET, 5, 0, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	char in[4];

	expect(soq_socket_set_timeouts(s, 3 * MS, FOREVER), 0);
	for (int i = 0; i < 4; i++) {
		int fd;

		expect(soq_connect(s, &ep), 0);
		fd = raw_accept(listener);
		expect(soq_send(s, "ping", 4, 0), 4);
		expect(raw_recv_blocking(fd, in, 4), 4);
		expect(soq_recv(s, in, 1, 0), -ETIMEDOUT);
		expect(soq_poll(s, SOQ_POLL_RECV, 0), 0);
		expect(soq_disconnect(s, SOQ_REUSE), 0);
		expect(state_of(s), SOQ_STATE_FRESH);
		expect(raw_recv_blocking(fd, in, 4), 0);
		close(fd);
	}
	expect(soq_bind(s, &(struct soq_endpoint){ 0 }), -EINVAL);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_bind(s, &ep), 0);
	expect(soq_listen(s, 1), 0);
	expect(soq_close(s), 0);
	close(listener);
}

static void without_reuse_only_closing_is_left(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd, listener = raw_listener(AF_INET, 1, 0, &ep);
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[4];

	expect(soq_send(s, "last", 4, 0), 4);
	started(p, soq_disconnect_async(s, &p->op, 0));
	await(t, p);

	expect_end(p, 0, 0);
	expect(soq_connect_async(s, &p->op, &ep), -EISCONN);
	expect(soq_connect(s, &ep), -EISCONN);
	expect(soq_send(s, "x", 1, 0), -EPIPE);
	expect(soq_recv(s, in, 1, 0), 0);
	expect(raw_recv(t, fd, in, 4), 4);
	expect(raw_recv(t, fd, in, 4), 0);
	expect(soq_close(s), 0);
	close(fd);
	close(listener);
}

static void call_without_reuse_ends_it(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd, listener = raw_listener(AF_INET, 1, 0, &ep);
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char byte;

	expect(soq_disconnect(s, 0), 0);
	expect(soq_connect(s, &ep), -EISCONN);
	expect(soq_send(s, "x", 1, 0), -EPIPE);
	expect(raw_recv_blocking(fd, &byte, 1), 0);
	expect(soq_close(s), 0);
	close(fd);
	close(listener);
}

static void what_was_never_connected_cannot_be_disconnected(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);

	for (int i = 0; i < 2; i++) {
		expect(soq_disconnect(s, i ? SOQ_REUSE : 0), -ENOTCONN);
		expect(soq_disconnect_async(s, &p->op, i ? SOQ_REUSE : 0), -ENOTCONN);
		expect(soq_disconnect(listener, i ? SOQ_REUSE : 0), -ENOTCONN);
	}
	expect(soq_disconnect(s, SOQ_EXACT), -EINVAL);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
	expect(soq_disconnect(s, SOQ_REUSE), -EBADF);
	expect(soq_disconnect_async(s, &p->op, 0), -EBADF);
}

static void call_on_what_was_never_connected_says_so(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);

	expect(soq_disconnect(s, 0), -ENOTCONN);
	expect(soq_disconnect(s, SOQ_REUSE), -ENOTCONN);
	expect(soq_disconnect(listener, SOQ_REUSE), -ENOTCONN);
	expect(soq_disconnect(NULL, 0), -EINVAL);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
}

static void sends_before_it_arrive(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		int fd;
		struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
		struct probe *sent = probe(t), *p = probe(t);
		char *out = malloc(BIG_BYTES);
		uint64_t bytes = 0;

		fill(out, BIG_BYTES, 5, 0);
		started(sent, soq_send_async(s, &sent->op, out, BIG_BYTES, 0));
		started(p, soq_disconnect_async(s, &p->op, i ? SOQ_REUSE : 0));
		expect(soq_send_async(s, &probe(t)->op, "x", 1, 0), -EPIPE);
		expect(raw_drain(t, fd, 5, &bytes), 0);
		await(t, p);

		expect(bytes, BIG_BYTES);
		expect_end(sent, BIG_BYTES, 0);
		expect_end(p, 0, 0);
		expect(soq_close(s), 0);
		close(fd);
		free(out);
	}
}

static void receives_in_flight_end_with_it(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *p = probe(t), *first = probe(t), *second = probe(t), *poll = probe(t);
		char in[8];

		started(first, soq_recv_async(s, &first->op, in, 4, 0));
		started(second, soq_recv_async(s, &second->op, in + 4, 4, 0));
		started(poll, soq_poll_async(s, &poll->op, SOQ_POLL_URGENT, SOQ_MULTISHOT));
		settle(t);
		started(p, soq_disconnect_async(s, &p->op, i ? SOQ_REUSE : 0));
		run_until(t, finished(p) && finished(second));

		expect_end(p, 0, 0);
		expect_end(first, 0, 0);
		expect_end(second, 0, 0);
		if (!i)
			expect(soq_cancel(&poll->op), 0);
		await(t, poll);
		expect_end(poll, -ECANCELED, 0);
		expect(soq_close(s), 0);
		close(fd);
	}
}

static void bytes_nobody_read_reset_the_peer(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char byte;

	raw_send(fd, "unread", 6);
	expect(soq_poll(s, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	expect(soq_disconnect(s, SOQ_REUSE), 0);

	expect(raw_recv_blocking(fd, &byte, 1) <= 0, 1);
	expect(send(fd, "x", 1, MSG_NOSIGNAL) < 0, 1);
	expect(soq_close(s), 0);
	close(fd);
}

static void connection_that_broke_is_no_error(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd, next, listener = raw_listener(AF_INET, 1, 0, &ep);
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char byte;

	raw_reset(fd);
	expect(soq_recv(s, &byte, 1, 0), -ECONNRESET);
	expect(soq_disconnect(s, SOQ_REUSE), 0);
	expect(state_of(s), SOQ_STATE_FRESH);
	expect(soq_connect(s, &ep), 0);
	next = raw_accept(listener);
	raw_send(next, "x", 1);
	expect(soq_recv(s, &byte, 1, 0), 1);
	raw_fin(next);
	expect(soq_recv(s, &byte, 1, 0), 0);
	expect(soq_close(s), 0);
	close(next);
	close(listener);
}

static void failed_connect_before_it_fails_it(struct fixture *t)
{
	struct soq_endpoint bad;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *connected = probe(t), *p = probe(t);
	int holder;

	refused_endpoint(AF_INET, &bad, &holder);
	started(connected, soq_connect_async(s, &connected->op, &bad));
	started(p, soq_disconnect_async(s, &p->op, SOQ_REUSE));
	await(t, p);

	expect_end(p, -ECONNREFUSED, 0);
	expect(state_of(s), SOQ_STATE_FRESH);
	expect(soq_close(s), 0);
	close(holder);
}

static void ended_early_it_leaves_only_closing(struct fixture *t)
{
	for (int i = 0; i < 3; i++) {
		int fd;
		struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
		struct probe *sent = probe(t), *p = probe(t);
		char *out = malloc(BIG_BYTES);

		fill(out, BIG_BYTES, 5, 0);
		started(sent, soq_send_async(s, &sent->op, out, BIG_BYTES, 0));
		if (i == 1)
			p->op.deadline_ns = now_ns() + 5 * MS;
		started(p, soq_disconnect_async(s, &p->op, SOQ_REUSE));
		settle(t);
		if (i == 0)
			expect(soq_cancel(&p->op), 0);
		if (i == 2)
			expect(soq_abort(s), 0);
		await(t, p);

		expect_end(p, i == 1 ? -ETIMEDOUT : -ECANCELED, 0);
		if (i != 2)
			expect(soq_abort(s), 0);
		await(t, sent);
		close(fd);
		free(out);
	}
}

/* What a socket was told, and what it says after it has another descriptor. */
static const struct {
	enum soq_option option;
	int64_t value;
} options[] = {
	{ SOQ_OPTION_NO_DELAY, 1 },
	{ SOQ_OPTION_KEEP_ALIVE, 1 },
	{ SOQ_OPTION_KEEP_ALIVE_TIME_NS, 77 * 1000 * MS },
	{ SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS, 7 * 1000 * MS },
	{ SOQ_OPTION_KEEP_ALIVE_COUNT, 3 },
	{ SOQ_OPTION_USER_TIMEOUT_NS, 5000 * MS },
	{ SOQ_OPTION_NOT_SENT_LOW_WATER_BYTES, 16384 },
	{ SOQ_OPTION_TTL, 33 },
	{ SOQ_OPTION_DSCP, 10 },
	{ SOQ_OPTION_PRIORITY, 5 },
	{ SOQ_OPTION_MTU_DISCOVERY, IP_PMTUDISC_PROBE },
	{ SOQ_OPTION_REUSE_ADDRESS, 1 },
	{ SOQ_OPTION_REUSE_PORT, 1 },
	{ SOQ_OPTION_FREE_BIND, 1 },
	{ SOQ_OPTION_BIND_NO_PORT, 1 },
	{ SOQ_OPTION_ZEROCOPY, 1 },
	{ SOQ_OPTION_PACING_BYTES_PER_S, 1000000000 },
	{ SOQ_OPTION_FAST_OPEN_CONNECT, 1 },
	{ SOQ_OPTION_DEFER_ACCEPT_NS, 3 * 1000 * MS },
	{ SOQ_OPTION_LINGER_NS, 5 * 1000 * MS },
	{ SOQ_OPTION_RECEIVE_BUFFER_BYTES, 20000 },
	{ SOQ_OPTION_SEND_BUFFER_BYTES, 20000 },
};

static void options_stay(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep;
		int64_t told[COUNT_OF(options)], now;
		int fd, listener = raw_listener(families[i], 1, 0, &ep);
		struct soq_socket *s = open_socket(t, families[i]);
		char name[SOQ_OPTION_TEXT_MAX];

		for (unsigned k = 0; k < COUNT_OF(options); k++) {
			/* With a cookie asked for only the first send would connect. */
			if (options[k].option == SOQ_OPTION_FAST_OPEN_CONNECT)
				continue;
			expect(soq_socket_set_option(s, options[k].option, options[k].value), 0);
		}
		expect(soq_socket_set_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, "reno"), 0);
		if (families[i] == AF_INET6)
			expect(soq_socket_set_option(s, SOQ_OPTION_IPV6_ONLY, 1), 0);
		expect(soq_connect(s, &ep), 0);
		fd = raw_accept(listener);
		for (unsigned k = 0; k < COUNT_OF(options); k++)
			expect(soq_socket_get_option(s, options[k].option, &told[k]), 0);
		expect(soq_disconnect(s, SOQ_REUSE), 0);

		for (unsigned k = 0; k < COUNT_OF(options); k++) {
			expect(soq_socket_get_option(s, options[k].option, &now), 0);
			expect(now, told[k]);
		}
		expect(soq_socket_get_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, name,
						  sizeof(name)),
		       4);
		assert_string_equal(name, "reno");
		if (families[i] == AF_INET6) {
			expect(soq_socket_get_option(s, SOQ_OPTION_IPV6_ONLY, &now), 0);
			expect(now, 1);
		}
		expect(soq_socket_set_option(s, SOQ_OPTION_LINGER_NS, -1), 0);
		expect(soq_close(s), 0);
		close(fd);
		close(listener);
	}
}

/* The kernel may still choose the size of buffers that nobody has set. */
static void buffers_nobody_sized_stay_the_kernels(struct fixture *t)
{
	int fd, lock = -1;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	expect(soq_disconnect(s, SOQ_REUSE), 0);
	/* SO_BUF_LOCK, of Linux 5.14. */
	if (soq_option_get(s, SOL_SOCKET, 72, &lock, sizeof(lock)) != -ENOPROTOOPT)
		expect(lock, 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void receive_that_waits_for_a_buf_keeps_it_busy(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 1);

	for (int closes = 0; closes < 2; closes++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *first = probe(t), *second = probe(t), *p = probe(t);
		char byte;

		started(first, soq_recv_buf_async(s, &first->op, pool, 0));
		raw_send(fd, "x", 1);
		await(t, first);
		started(second, soq_recv_buf_async(s, &second->op, pool, 0));
		started(p, soq_disconnect_async(s, &p->op, SOQ_REUSE));
		settle(t);
		expect(p->events, 0);
		expect(soq_recv(s, &byte, 1, 0), -EBUSY);
		expect(soq_connect_async(s, &probe(t)->op, &(struct soq_endpoint){ 0 }), -EBUSY);
		if (closes)
			expect(soq_close(s), 0);
		expect(soq_buf_return(first->buf), 0);
		await(t, p);
		await(t, second);

		expect_end(p, closes ? -ECANCELED : 0, 0);
		expect_end(second, closes ? -ECANCELED : 0, 0);
		if (!closes)
			expect(soq_close(s), 0);
		close(fd);
	}
	settle(t);
	pool_close(pool);
}

static void datagram_socket_has_no_peer_any_more(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

	for (int i = 0; i < 3; i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct soq_endpoint at, from;
		struct soq_socket *other = bound_socket(t, families[i], SOCK_DGRAM, &at);
		struct probe *received = probe(t), *sent = probe(t), *p = probe(t);
		char in[8];

		started(received, soq_recv_async(d.a, &received->op, in, sizeof(in), 0));
		settle(t);
		started(sent, soq_send_async(d.a, &sent->op, "before", 6, 0));
		started(p, soq_disconnect_async(d.a, &p->op, 0));
		expect(soq_send_async(d.a, &probe(t)->op, "x", 1, 0), -ENOTCONN);
		await(t, p);
		expect_end(p, 0, 0);
		expect_end(sent, 6, 0);
		expect(soq_recv(d.b, in, sizeof(in), 0), 6);
		expect(state_of(d.a), SOQ_STATE_FRESH);
		expect(soq_send_to(other, "anyone", 6, 0, &d.at_a), 6);
		await(t, received);

		expect_end(received, 6, 0);
		expect(soq_send_to(d.a, "new", 3, 0, &at), 3);
		expect(soq_recv_from(other, in, sizeof(in), 0, &from), 3);
		expect(soq_endpoint_equal(&from, &d.at_a), 1);
		expect(soq_connect(d.a, &at), 0);
		expect(soq_send(d.a, "peer", 4, 0), 4);
		expect(soq_recv(other, in, sizeof(in), 0), 4);
		datagrams_close(&d);
		expect(soq_close(other), 0);
	}
}

static void call_dissolves_the_peer_of_datagrams(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_INET);
	char in[8];

	expect(soq_disconnect(d.a, 0), 0);
	expect(soq_disconnect(d.a, 0), -ENOTCONN);
	expect(soq_send(d.a, "x", 1, 0), -ENOTCONN);
	expect(soq_send_to(d.a, "abc", 3, 0, &d.at_b), 3);
	expect(soq_recv(d.b, in, sizeof(in), 0), 3);
	datagrams_close(&d);
}

static void connect_behind_it_has_its_turn(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_INET);
	struct soq_endpoint at, peer;
	struct soq_socket *other = bound_socket(t, AF_INET, SOCK_DGRAM, &at);
	struct probe *p = probe(t), *connected = probe(t), *sent = probe(t);
	char in[8];

	started(p, soq_disconnect_async(d.a, &p->op, 0));
	started(connected, soq_connect_async(d.a, &connected->op, &at));
	started(sent, soq_send_async(d.a, &sent->op, "other", 5, 0));
	await(t, sent);

	expect_end(p, 0, 0);
	expect_end(connected, 0, 0);
	expect(soq_recv(other, in, sizeof(in), 0), 5);
	expect(soq_socket_peer(d.a, &peer), 0);
	expect(soq_endpoint_equal(&peer, &at), 1);
	started(p, soq_disconnect_async(d.a, &p->op, 0));
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_send(d.a, "still", 5, 0), 5);
	expect(soq_recv(other, in, sizeof(in), 0), 5);
	datagrams_close(&d);
	expect(soq_close(other), 0);
}

static void unix_stream_connects_again(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_UNIX);
	int listener;
	char byte;

	unix_abstract(&ep);
	listener = raw_unix_listener(SOCK_STREAM, 5, &ep);
	for (int i = 0; i < 2; i++) {
		int fd;

		expect(soq_connect(s, &ep), 0);
		fd = raw_accept(listener);
		raw_send(fd, "x", 1);
		expect(soq_recv(s, &byte, 1, 0), 1);
		expect(soq_disconnect(s, SOQ_REUSE), 0);
		expect(raw_recv_blocking(fd, &byte, 1), 0);
		close(fd);
	}
	expect(soq_close(s), 0);
	close(listener);
}

static const struct conf_case cases[] = {
	CASE(handle_connects_again, "1b B023"),
	SYNC_CASE(call_makes_it_fresh_time_and_again, "20a"),
	CASE(without_reuse_only_closing_is_left, "7b B024"),
	SYNC_CASE(call_without_reuse_ends_it, "20a"),
	CASE(what_was_never_connected_cannot_be_disconnected, "1a B026"),
	SYNC_CASE(call_on_what_was_never_connected_says_so, "1a"),
	CASE(sends_before_it_arrive, "11d"),
	CASE(receives_in_flight_end_with_it, "1b"),
	SYNC_CASE(bytes_nobody_read_reset_the_peer, ""),
	SYNC_CASE(connection_that_broke_is_no_error, ""),
	CASE(failed_connect_before_it_fails_it, "11b"),
	CASE(ended_early_it_leaves_only_closing, "6a 6b"),
	SYNC_CASE(options_stay, ""),
	SYNC_CASE(buffers_nobody_sized_stay_the_kernels, ""),
	CASE(receive_that_waits_for_a_buf_keeps_it_busy, "13a"),
	CASE(datagram_socket_has_no_peer_any_more, "9e"),
	SYNC_CASE(call_dissolves_the_peer_of_datagrams, ""),
	CASE(connect_behind_it_has_its_turn, "9e"),
	SYNC_CASE(unix_stream_connects_again, ""),
};

CONF_GROUP(disconnect, cases)
