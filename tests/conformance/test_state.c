/* SPDX-License-Identifier: MIT */
/* What there is to receive, where urgent data is, and the error that waits. */
#define _GNU_SOURCE
#include "support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

static int64_t available(struct soq_socket *s)
{
	uint64_t bytes = UINT64_MAX;
	int error = soq_socket_available(s, &bytes);

	return error != 0 ? error : (int64_t)bytes;
}

/* -errno of the error, 1 if the call failed. */
static int32_t taken(struct soq_socket *s)
{
	int32_t error = 1;

	return soq_socket_take_error(s, &error) == 0 ? error : 1;
}

static int32_t kept(struct soq_socket *s)
{
	struct soq_socket_info info = { .size = sizeof(info) };

	expect(soq_socket_info(s, &info), 0);
	return info.error;
}

static void await_error(struct soq_socket *s)
{
	int events = soq_poll(s, SOQ_POLL_ERROR, FOREVER);

	expect_true(events > 0 && ((uint32_t)events & SOQ_POLL_ERROR));
}

static void available_counts_what_a_receive_could_have(struct fixture *t)
{
	for (unsigned i = 0; i < 3; i++) {
		int fd;
		struct soq_socket *s = i ? pair_unix_raw(t, i == 1 ? SOCK_STREAM : SOCK_SEQPACKET,
							 &fd)
					 : pair_raw(t, AF_INET, &fd);
		char in[8];

		expect(available(s), 0);
		raw_send(fd, "abc", 3);
		raw_send(fd, "de", 2);
		run_until(t, available(s) == 5);
		expect(soq_recv(s, in, 3, 0), 3);
		expect(available(s), 2);
		expect(soq_recv(s, in, 8, SOQ_PEEK), 2);
		expect(available(s), 2);
		raw_fin(fd);
		expect(soq_poll(s, SOQ_POLL_PEER_END, FOREVER), SOQ_POLL_PEER_END);
		/* The end is no byte. */
		expect(available(s), 2);
		expect(soq_recv(s, in, 8, 0), 2);
		expect(available(s), 0);
		expect(soq_recv(s, in, 8, 0), 0);
		expect(available(s), 0);
		expect(soq_close(s), 0);
		close(fd);
	}
}

static void available_counts_the_first_datagram_alone(struct fixture *t)
{
	for (unsigned i = 0; i < 3; i++) {
		static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
		struct datagrams d = datagrams_connected(t, families[i]);
		char in[8];

		expect(available(d.b), 0);
		expect(soq_send(d.a, "", 0, 0), 0);
		expect(soq_send(d.a, "abc", 3, 0), 3);
		expect(soq_send(d.a, "de", 2, 0), 2);
		expect(soq_poll(d.b, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
		expect(available(d.b), 0);
		expect(soq_recv(d.b, in, 8, 0), 0);
		expect(available(d.b), 3);
		expect(soq_recv(d.b, in, 8, 0), 3);
		expect(available(d.b), 2);
		expect(soq_recv(d.b, in, 8, 0), 2);
		expect(available(d.b), 0);
		datagrams_close(&d);
	}
}

static void available_is_nothing_before_a_connection(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct soq_endpoint ep = { 0 };
		struct soq_socket *listener = i ? unix_listener(t, SOCK_STREAM, &ep)
						: soq_listener(t, AF_INET, &ep);
		struct soq_socket *fresh = open_socket(t, i ? AF_UNIX : AF_INET);
		uint64_t bytes = 7;

		expect(soq_socket_available(listener, &bytes), -EINVAL);
		expect(bytes, 7);
		expect(soq_socket_available(fresh, &bytes), 0);
		expect(bytes, 0);
		expect(soq_close(fresh), 0);
		expect(soq_close(listener), 0);
	}
}

/* A byte of it in the middle, in the stream or beside it. */
static void receive_stops_where_urgent_data_is(struct fixture *t)
{
	for (int in_line = 0; in_line < 2; in_line++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		char in[8];

		expect(soq_option_set(s, SOL_SOCKET, SO_OOBINLINE, &in_line, sizeof(in_line)), 0);
		expect(soq_socket_at_mark(s), 0);
		raw_send(fd, "abc", 3);
		expect(send(fd, "!", 1, MSG_OOB), 1);
		raw_send(fd, "de", 2);
		expect(soq_poll(s, SOQ_POLL_URGENT, FOREVER), SOQ_POLL_URGENT);
		run_until(t, available(s) == (in_line ? 6 : 3));
		expect(soq_socket_at_mark(s), 0);
		expect(soq_recv(s, in, 8, 0), 3);
		assert_memory_equal(in, "abc", 3);
		expect(soq_socket_at_mark(s), 1);
		expect(soq_recv(s, in, in_line ? 3 : 2, SOQ_EXACT), in_line ? 3 : 2);
		assert_memory_equal(in, in_line ? "!de" : "de", in_line ? 3 : 2);
		expect(soq_socket_at_mark(s), 0);
		expect(soq_abort(s), 0);
		close(fd);
	}
}

static void only_streams_have_a_mark(struct fixture *t)
{
	struct datagrams udp = datagrams_bound(t, AF_INET), unix_ = datagrams_bound(t, AF_UNIX);
	struct soq_endpoint ep = { 0 };
	struct soq_socket *packets = unix_listener(t, SOCK_SEQPACKET, &ep);
	struct soq_socket *fresh = open_socket(t, AF_INET);

	expect(soq_socket_at_mark(udp.a), -EOPNOTSUPP);
	expect(soq_socket_at_mark(unix_.a), -EOPNOTSUPP);
	expect(soq_socket_at_mark(packets), -EOPNOTSUPP);
	expect(soq_socket_at_mark(fresh), 0);
	expect(soq_close(fresh), 0);
	expect(soq_close(packets), 0);
	datagrams_close(&udp);
	datagrams_close(&unix_);
}

static void error_of_a_datagram_is_taken_once(struct fixture *t)
{
	int holder;
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
	uint64_t bytes;
	socklen_t size = sizeof(ep.addr);

	/* An address that was somebody's when it was chosen. */
	holder = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(bind(holder, &ep.addr.any, ep.size_bytes), 0);
	expect(getsockname(holder, &ep.addr.any, &size), 0);
	expect(soq_connect(s, &ep), 0);
	close(holder);

	expect(taken(s), 0);
	expect(soq_send(s, "x", 1, 0), 1);
	await_error(s);
	expect(soq_socket_available(s, &bytes), 0);
	expect(taken(s), -ECONNREFUSED);
	expect(taken(s), 0);
	expect(kept(s), 0);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(soq_close(s), 0);
}

static struct soq_socket *reset_pair(struct fixture *t, int family)
{
	int fd;
	struct soq_socket *s = family == AF_UNIX ? pair_unix_raw(t, SOCK_STREAM, &fd)
						 : pair_raw(t, family, &fd);

	/* A unix socket resets who has sent what it never read. */
	if (family == AF_UNIX) {
		expect(soq_send(s, "x", 1, 0), 1);
		close(fd);
	} else {
		raw_reset(fd);
	}
	await_error(s);
	return s;
}

static void reset_that_was_taken_is_told_by_both_lanes(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

	for (unsigned i = 0; i < 3; i++) {
		struct soq_socket *s = reset_pair(t, families[i]);
		char in[4];

		expect(kept(s), 0);
		expect(taken(s), -ECONNRESET);
		expect(kept(s), -ECONNRESET);
		expect(taken(s), -ECONNRESET);
		expect(soq_recv(s, in, 4, 0), -ECONNRESET);
		expect(soq_send(s, "x", 1, 0), -ECONNRESET);
		expect(soq_recv(s, in, 4, SOQ_EXACT), -ECONNRESET);
		expect(taken(s), -ECONNRESET);
		expect(soq_close(s), 0);
	}
}

/* The option is the same question: it takes nothing away from the lanes either. */
static void error_option_leaves_the_lanes_their_error(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_UNIX };

	for (unsigned i = 0; i < 2; i++) {
		struct soq_socket *s = reset_pair(t, families[i]);
		int error = 0;
		char in[4];

		expect(soq_option_get(s, SOL_SOCKET, SO_ERROR, &error, sizeof(error)),
		       sizeof(error));
		expect(error, ECONNRESET);
		expect(soq_send(s, "x", 1, 0), -ECONNRESET);
		expect(soq_recv(s, in, 4, 0), -ECONNRESET);
		expect(soq_option_get(s, SOL_SOCKET, SO_ERROR, &error, sizeof(error)),
		       sizeof(error));
		expect(error, ECONNRESET);
		expect(soq_close(s), 0);
	}
}

static void reset_that_a_lane_has_told_is_still_there(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

	for (unsigned i = 0; i < 6; i++) {
		struct soq_socket *s = reset_pair(t, families[i / 2]);
		char in[4];

		expect(i % 2 ? soq_recv(s, in, 4, 0) : soq_send(s, "x", 1, 0), -ECONNRESET);
		expect(taken(s), -ECONNRESET);
		expect(soq_close(s), 0);
	}
}

static void bytes_before_a_reset_that_was_taken_are_received(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[8];

	raw_send(fd, "data", 4);
	raw_reset(fd);
	await_error(s);
	expect(taken(s), -ECONNRESET);
	expect(available(s), 4);
	expect(soq_recv(s, in, 8, 0), 4);
	expect(soq_recv(s, in, 8, 0), -ECONNRESET);
	expect(soq_close(s), 0);
}

/* The end came first, so it stands, whoever takes the error. */
static void end_before_a_reset_stays_an_end(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[4];

	raw_fin(fd);
	expect(soq_poll(s, SOQ_POLL_PEER_END, FOREVER), SOQ_POLL_PEER_END);
	raw_reset(fd);
	await_error(s);
	expect(taken(s), -EPIPE);
	expect(taken(s), 0);
	expect(kept(s), 0);
	expect(soq_recv(s, in, 4, 0), 0);
	expect(soq_send(s, "x", 1, 0), -EPIPE);
	expect(soq_recv(s, in, 4, 0), 0);
	expect(soq_close(s), 0);
}

static void error_taken_from_ops_in_flight_is_theirs_too(struct fixture *t)
{
	for (unsigned i = 0; i < 4; i++) {
		int fd;
		struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
		struct probe *received = probe(t), *sent = probe(t);
		char *big = malloc(BIG_BYTES), in[4];

		fill(big, BIG_BYTES, 1, 0);
		started(received, soq_recv_async(s, &received->op, in, 4, 0));
		if (i % 2)
			started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
		if (i / 2)
			settle(t);
		raw_reset(fd);
		expect(taken(s), -ECONNRESET);
		await(t, received);
		expect_end(received, -ECONNRESET, 0);
		if (i % 2) {
			await(t, sent);
			expect(sent->result < 0 ? sent->result : -ECONNRESET, -ECONNRESET);
		}
		expect(taken(s), -ECONNRESET);
		expect(soq_close(s), 0);
		free(big);
	}
}

static void error_of_a_connect_is_its_own(struct fixture *t)
{
	int holder;
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_INET);

	refused_endpoint(AF_INET, &ep, &holder);
	expect(taken(s), 0);
	expect(soq_connect(s, &ep), -ECONNREFUSED);
	expect(taken(s), 0);
	expect(soq_close(s), 0);
	close(holder);
}

static void connect_in_flight_keeps_its_error(struct fixture *t)
{
	struct full_listener full;
	int holder;
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t);

	refused_endpoint(AF_INET, &ep, &holder);
	started(p, soq_connect_async(s, &p->op, &ep));
	expect(taken(s), 0);
	await(t, p);
	expect_end(p, -ECONNREFUSED, 0);
	expect(taken(s), 0);
	close(holder);
	full_listener_open(AF_INET, &full);
	started(p, soq_connect_async(s, &p->op, &full.ep));
	settle(t);
	expect(taken(s), 0);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(s), 0);
	full_listener_close(&full);
}

/* It moves with the socket. */
static void error_that_was_taken_moves_off_and_onto_a_loop(struct fixture *t)
{
	struct soq_socket *s = reset_pair(t, AF_INET), *moved;
	char in[4];

	expect(taken(s), -ECONNRESET);
	expect(soq_socket_detach(s, &moved), 0);
	expect(taken(moved), -ECONNRESET);
	expect(soq_socket_attach(t->loop, moved, &s), 0);
	expect(taken(s), -ECONNRESET);
	expect(soq_recv(s, in, 4, 0), -ECONNRESET);
	expect(soq_close(s), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(available_counts_what_a_receive_could_have, "5a"),
	SYNC_CASE(available_counts_the_first_datagram_alone, "5a 8c"),
	SYNC_CASE(available_is_nothing_before_a_connection, "5a"),
	SYNC_CASE(receive_stops_where_urgent_data_is, "5a"),
	SYNC_CASE(only_streams_have_a_mark, "5a"),
	SYNC_CASE(error_of_a_datagram_is_taken_once, "5a"),
	SYNC_CASE(reset_that_was_taken_is_told_by_both_lanes, "7a 7d"),
	SYNC_CASE(error_option_leaves_the_lanes_their_error, "7a 7d"),
	SYNC_CASE(reset_that_a_lane_has_told_is_still_there, "7d"),
	SYNC_CASE(bytes_before_a_reset_that_was_taken_are_received, "7a 7d"),
	SYNC_CASE(end_before_a_reset_stays_an_end, "7b 7e"),
	CASE(error_taken_from_ops_in_flight_is_theirs_too, "7a 7d"),
	SYNC_CASE(error_of_a_connect_is_its_own, "5a"),
	CASE(connect_in_flight_keeps_its_error, "5a 11b"),
	CASE(error_that_was_taken_moves_off_and_onto_a_loop, "7d"),
};

CONF_GROUP(state, cases)
