/* SPDX-License-Identifier: MIT */
/* What a socket tells of itself: its state, whether it is bound and where, its timeouts. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <netinet/in.h>

static struct soq_socket_info info_of(struct soq_socket *s)
{
	struct soq_socket_info info = { .size = sizeof(info) };

	expect(soq_socket_info(s, &info), 0);
	return info;
}

static struct soq_endpoint local_of(struct soq_socket *s)
{
	struct soq_endpoint ep;

	expect(soq_socket_local(s, &ep), 0);
	return ep;
}

static struct soq_endpoint peer_of(struct soq_socket *s)
{
	struct soq_endpoint ep;

	expect(soq_socket_peer(s, &ep), 0);
	return ep;
}

static struct soq_endpoint wildcard(int family, uint16_t port)
{
	struct soq_endpoint ep;

	expect(soq_endpoint_any(family, port, &ep), 0);
	return ep;
}

static struct soq_endpoint loopback(int family, uint16_t port)
{
	struct soq_endpoint ep;

	expect(soq_endpoint_loopback(family, port, &ep), 0);
	return ep;
}

#define expect_address(got, want)                                                                  \
	do {                                                                                       \
		const struct soq_endpoint got_ = (got), want_ = (want);                            \
		expect_true(soq_endpoint_equal(&got_, &want_));                                    \
	} while (0)

static uint16_t port_of(struct soq_socket *s)
{
	struct soq_endpoint ep = local_of(s);

	return (uint16_t)soq_endpoint_port(&ep);
}

static void bind_to_the_wildcard(struct soq_socket *s, int family)
{
	struct soq_endpoint ep = wildcard(family, 0);

	expect(soq_bind(s, &ep), 0);
}

static const int families[] = { AF_INET, AF_INET6 };

static void timeouts_read_back(struct fixture *t)
{
	static const int64_t times[] = { 100 * MS, 0, 1, INT64_MAX, 2000 * MS };
	struct soq_socket *s = open_socket(t, AF_INET);

	expect(info_of(s).receive_timeout_ns, -1);
	expect(info_of(s).send_timeout_ns, -1);
	for (unsigned i = 0; i < COUNT_OF(times); i++) {
		expect(soq_socket_set_timeouts(s, times[i], times[COUNT_OF(times) - 1 - i]), 0);
		expect(info_of(s).receive_timeout_ns, times[i]);
		expect(info_of(s).send_timeout_ns, times[COUNT_OF(times) - 1 - i]);
	}
	/* Whatever is negative is for ever. */
	expect(soq_socket_set_timeouts(s, -1, INT64_MIN), 0);
	expect(info_of(s).receive_timeout_ns, -1);
	expect(info_of(s).send_timeout_ns, -1);
	expect(soq_close(s), 0);
}

/* The same whether the descriptor came as a blocking one or not. */
static void timeout_leaves_the_connection_as_it_was(struct fixture *t)
{
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		struct soq_endpoint ep;
		int listener = raw_listener(AF_INET, 1, 0, &ep);
		int fd = raw_connect(&ep), peer = raw_accept(listener);
		struct soq_socket *s = NULL;
		int64_t begin;
		char in[4];

		expect(fcntl(fd, F_SETFL, nonblocking ? O_NONBLOCK : 0), 0);
		expect(soq_socket_adopt(t->home, fd, &s), 0);
		expect(soq_socket_set_timeouts(s, 20 * MS, FOREVER), 0);
		begin = now_ns();
		expect(soq_recv(s, in, 4, 0), -ETIMEDOUT);
		expect_true(now_ns() - begin >= 20 * MS);
		expect_true(now_ns() - begin < watchdog_ns());
		expect(info_of(s).state, SOQ_STATE_CONNECTED);
		expect_address(peer_of(s), ep);
		/* It works both ways, as if nobody had asked. */
		raw_send(peer, "late", 4);
		expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
		expect(soq_send(s, "back", 4, 0), 4);
		expect(raw_recv(t, peer, in, 4), 4);
		expect(soq_close(s), 0);
		close(peer);
		close(listener);
	}
}

static void what_is_not_bound_says_so(struct fixture *t)
{
	static const int all[] = { AF_INET, AF_INET6, AF_UNIX };

	for (unsigned i = 0; i < COUNT_OF(all); i++) {
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			struct soq_socket *s = open_socket_of(t, all[i], type);
			struct soq_endpoint ep;

			expect(info_of(s).bound, 0);
			expect(info_of(s).state, SOQ_STATE_FRESH);
			expect(soq_socket_peer(s, &ep), -ENOTCONN);
			if (all[i] != AF_UNIX)
				expect_address(local_of(s), wildcard(all[i], 0));
			else
				expect(local_of(s).size_bytes, sizeof(sa_family_t));
			expect(soq_close(s), 0);
		}
	}
}

static void what_is_bound_keeps_its_address(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			struct soq_socket *s = open_socket_of(t, families[i], type);
			uint16_t port;

			expect(info_of(s).bound, 0);
			expect_address(local_of(s), wildcard(families[i], 0));
			bind_to_the_wildcard(s, families[i]);
			expect(info_of(s).bound, 1);
			expect(info_of(s).state, SOQ_STATE_FRESH);
			port = port_of(s);
			expect_true(port > 0);
			for (unsigned k = 0; k < 3; k++)
				expect_address(local_of(s), wildcard(families[i], port));
			expect(soq_close(s), 0);
		}
	}
}

static void unix_socket_is_bound_by_a_bind_alone(struct fixture *t)
{
	struct soq_endpoint ep = { 0 };
	struct soq_socket *listener = unix_listener(t, SOCK_STREAM, &ep), *accepted = NULL;
	struct soq_socket *s = open_socket(t, AF_UNIX);

	expect(info_of(listener).bound, 1);
	expect(info_of(listener).state, SOQ_STATE_LISTENING);
	expect(soq_connect(s, &ep), 0);
	expect(soq_accept(listener, &accepted, NULL), 0);
	expect(info_of(s).bound, 0);
	expect(info_of(s).state, SOQ_STATE_CONNECTED);
	expect(info_of(accepted).bound, 1);
	expect_address(local_of(accepted), ep);
	expect(soq_close(accepted), 0);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
}

/* A listen, a connect and a send give an address to what has none. */
static void address_comes_with_what_needs_one(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *listener = open_socket(t, families[i]), *accepted = NULL;
		struct soq_socket *client = open_socket(t, families[i]);
		struct soq_socket *sender = open_socket_of(t, families[i], SOCK_DGRAM);
		struct soq_endpoint ep, to;
		struct soq_socket *receiver = bound_socket(t, families[i], SOCK_DGRAM, &to);

		expect(soq_listen(listener, 1), 0);
		expect(info_of(listener).bound, 1);
		expect_true(port_of(listener) > 0);
		ep = loopback(families[i], port_of(listener));
		expect(soq_connect(client, &ep), 0);
		expect(info_of(client).bound, 1);
		expect(soq_accept(listener, &accepted, NULL), 0);
		expect(info_of(accepted).bound, 1);
		expect(soq_send_to(sender, "x", 1, 0, &to), 1);
		expect(info_of(sender).bound, 1);
		expect(soq_close(accepted), 0);
		expect(soq_close(client), 0);
		expect(soq_close(listener), 0);
		expect(soq_close(sender), 0);
		expect(soq_close(receiver), 0);
	}
}

static void connect_makes_the_address_a_real_one(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
			struct soq_socket *s = open_socket_of(t, families[i], type);
			struct soq_endpoint ep;
			struct soq_socket *other =
				type == SOCK_STREAM ? soq_listener(t, families[i], &ep)
						    : bound_socket(t, families[i], SOCK_DGRAM, &ep);
			uint16_t port;

			bind_to_the_wildcard(s, families[i]);
			port = port_of(s);
			expect(soq_connect(s, &ep), 0);
			expect_address(local_of(s), loopback(families[i], port));
			expect_address(peer_of(s), ep);
			expect(info_of(s).state, SOQ_STATE_CONNECTED);
			expect(soq_abort(s), 0);
			expect(soq_close(other), 0);
		}
	}
}

static void listener_keeps_the_wildcard(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *listener = open_socket(t, families[i]), *accepted = NULL;
		struct soq_socket *client = open_socket(t, families[i]);
		struct soq_endpoint ep, peer;
		uint16_t port;

		bind_to_the_wildcard(listener, families[i]);
		expect(soq_listen(listener, 1), 0);
		port = port_of(listener);
		ep = loopback(families[i], port);
		expect(soq_connect(client, &ep), 0);
		expect(soq_accept(listener, &accepted, &peer), 0);
		expect_address(local_of(accepted), ep);
		expect_address(peer_of(accepted), local_of(client));
		expect_address(peer, local_of(client));
		expect_address(local_of(listener), wildcard(families[i], port));
		expect(soq_close(accepted), 0);
		expect(soq_close(client), 0);
		expect(soq_close(listener), 0);
	}
}

/* Only the receiver sees where a datagram really came from. */
static void sender_of_datagrams_keeps_the_wildcard(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		for (int binds = 0; binds < 2; binds++) {
			struct soq_socket *s = open_socket_of(t, families[i], SOCK_DGRAM);
			struct soq_endpoint to, from;
			struct soq_socket *receiver = bound_socket(t, families[i], SOCK_DGRAM, &to);
			uint16_t port = 0;
			char in[4];

			if (binds) {
				bind_to_the_wildcard(s, families[i]);
				port = port_of(s);
			}
			for (unsigned k = 0; k < 2; k++) {
				expect(soq_send_to(s, "x", 1, 0, &to), 1);
				expect_true(port == 0 || port == port_of(s));
				port = port_of(s);
				expect_address(local_of(s), wildcard(families[i], port));
				expect(soq_recv_from(receiver, in, 4, 0, &from), 1);
				expect_address(from, loopback(families[i], port));
			}
			expect(soq_close(s), 0);
			expect(soq_close(receiver), 0);
		}
	}
}

/* A send that fails for its address binds nothing. */
static void refused_send_leaves_it_unbound(struct fixture *t)
{
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
	struct soq_endpoint ipv6 = loopback(AF_INET6, 9);

	expect(soq_send_to(s, "x", 1, 0, &ipv6), -EAFNOSUPPORT);
	expect(info_of(s).bound, 0);
	expect(soq_close(s), 0);
}

static void state_goes_with_what_happens(struct fixture *t)
{
	struct full_listener full;
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *accepted = NULL;
	struct soq_socket *s = open_socket(t, AF_INET), *late = open_socket(t, AF_INET);
	struct probe *p = probe(t);
	int holder;

	expect(info_of(listener).state, SOQ_STATE_LISTENING);
	full_listener_open(AF_INET, &full);
	started(p, soq_connect_async(late, &p->op, &full.ep));
	expect(info_of(late).state, SOQ_STATE_CONNECTING);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect(info_of(late).state, SOQ_STATE_CUT);
	expect(soq_close(late), 0);
	full_listener_close(&full);

	/* A connect that failed leaves a socket as it was. */
	refused_endpoint(AF_INET, &full.ep, &holder);
	expect(soq_connect(s, &full.ep), -ECONNREFUSED);
	expect(info_of(s).state, SOQ_STATE_FRESH);
	close(holder);
	expect(soq_connect(s, &ep), 0);
	expect(info_of(s).state, SOQ_STATE_CONNECTED);
	expect(soq_accept(listener, &accepted, NULL), 0);
	expect(info_of(accepted).state, SOQ_STATE_CONNECTED);
	/* What it was last, and no probe: the peer may be gone. */
	expect(soq_abort(accepted), 0);
	expect(info_of(s).state, SOQ_STATE_CONNECTED);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
}

/* What moves off its loop and back, or is adopted, tells the same. */
static void it_is_told_wherever_the_socket_is(struct fixture *t)
{
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM), *moved = NULL;
	uint16_t port;
	int fd;

	bind_to_the_wildcard(s, AF_INET);
	port = port_of(s);
	expect(soq_socket_set_timeouts(s, 5 * MS, 6 * MS), 0);
	expect(soq_socket_detach(s, &moved), 0);
	expect(info_of(moved).bound, 1);
	expect(info_of(moved).receive_timeout_ns, 5 * MS);
	expect(info_of(moved).send_timeout_ns, 6 * MS);
	expect(soq_socket_attach(t->loop, moved, &s), 0);
	expect(info_of(s).receive_timeout_ns, 5 * MS);
	expect(info_of(s).send_timeout_ns, 6 * MS);
	fd = soq_socket_release(s);
	expect_true(fd >= 0);
	expect(soq_socket_adopt(t->loop, fd, &s), 0);
	expect(info_of(s).bound, 1);
	expect(port_of(s), port);
	/* They were the library's, never the descriptor's. */
	expect(info_of(s).receive_timeout_ns, -1);
	expect(soq_close(s), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(timeouts_read_back, "3c B138"),
	SYNC_CASE(timeout_leaves_the_connection_as_it_was, "6b 20a B139"),
	SYNC_CASE(what_is_not_bound_says_so, ""),
	SYNC_CASE(what_is_bound_keeps_its_address, "B029"),
	SYNC_CASE(unix_socket_is_bound_by_a_bind_alone, ""),
	SYNC_CASE(address_comes_with_what_needs_one, ""),
	SYNC_CASE(connect_makes_the_address_a_real_one, "B027"),
	SYNC_CASE(listener_keeps_the_wildcard, "B028"),
	SYNC_CASE(sender_of_datagrams_keeps_the_wildcard, "B081"),
	SYNC_CASE(refused_send_leaves_it_unbound, ""),
	CASE(state_goes_with_what_happens, "14b"),
	CASE(it_is_told_wherever_the_socket_is, ""),
};

CONF_GROUP(info, cases)
