/* SPDX-License-Identifier: MIT */
/* Paths that lead nowhere: no route, nobody there, and black holes. */
#define _GNU_SOURCE
#include "hosts.h"

#include <netinet/tcp.h>
#include <pthread.h>

/* Far longer than a prompt end takes, far shorter than TCP's own patience (2 minutes). */
#define PROMPT_NS (3000 * MS)

/* What a route says, by a connect and by a datagram. */
static void expect_route(struct fixture *t, const struct hosts *h, const char *text, int want)
{
	struct soq_endpoint ep = at(text);

	for (unsigned way = 0; way < host_ways(t); way++) {
		struct soq_socket *tcp = host_socket(t, h, 0, ep.addr.any.sa_family, SOCK_STREAM,
						     0);
		struct soq_socket *udp = host_socket(t, h, 0, ep.addr.any.sa_family, SOCK_DGRAM, 0);
		struct soq_endpoint peer;

		expect_at(connect_way(t, way, tcp, &ep), want, text, __FILE__, __LINE__);
		expect(soq_socket_peer(tcp, &peer), -ENOTCONN);
		expect_at(soq_send_to(udp, "x", 1, 0, &ep), want, text, __FILE__, __LINE__);
		expect(soq_close(tcp), 0);
		expect(soq_close(udp), 0);
	}
}

static void routes_that_refuse_are_told(struct fixture *t)
{
	struct hosts h;

	hosts_open(&h, 2);
	expect_route(t, &h, "192.0.2.1:9", -ENETUNREACH);
	expect_route(t, &h, "[2001:db8::1]:9", -ENETUNREACH);
	host_run(&h, 0,
		 "ip route add unreachable 192.0.2.0/24 &&"
		 " ip -6 route add unreachable 2001:db8::/32 &&"
		 " ip route add prohibit 198.51.100.0/24");
	expect_route(t, &h, "192.0.2.1:9", -EHOSTUNREACH);
	expect_route(t, &h, "[2001:db8::1]:9", -EHOSTUNREACH);
	expect_route(t, &h, "198.51.100.1:9", -EACCES);
	hosts_close(&h);
}

/* On the link, but nobody has the address: told when the questions for it got no answer. */
static void host_that_is_not_there_is_unreachable(struct fixture *t)
{
	struct hosts h;

	hosts_open(&h, 2);
	host_sysctl(&h, 0, "net/ipv4/neigh/right/mcast_solicit", "1");
	host_sysctl(&h, 0, "net/ipv4/neigh/right/retrans_time_ms", "50");
	host_sysctl(&h, 0, "net/ipv6/neigh/right/mcast_solicit", "1");
	host_sysctl(&h, 0, "net/ipv6/neigh/right/retrans_time_ms", "50");
	for (unsigned way = 0; way < host_ways(t); way++) {
		struct soq_endpoint ep[2] = { at("10.0.0.9:9"), at("[fd00:0::9]:9") };

		for (unsigned i = 0; i < 2; i++) {
			struct soq_socket *s = host_socket(t, &h, 0, ep[i].addr.any.sa_family,
							   SOCK_STREAM, 0);

			expect(connect_way(t, way, s, &ep[i]), -EHOSTUNREACH);
			expect(soq_close(s), 0);
		}
	}
	hosts_close(&h);
}

/* Host 1 says nothing at all to what comes for TCP. */
static void black_hole_open(struct hosts *h)
{
	hosts_open(h, 2);
	host_rule(h, 1, "meta l4proto tcp drop");
}

static const char *const hole[2] = { "10.0.0.2:9", "[fd00:0::2]:9" };

static void close_ends_a_connect_into_a_black_hole(struct fixture *t)
{
	struct hosts h;

	black_hole_open(&h);
	for (unsigned i = 0; i < 4; i++) {
		struct soq_endpoint ep = at(hole[i % 2]);
		struct soq_socket *s = host_socket(t, &h, 0, ep.addr.any.sa_family, SOCK_STREAM, 0);
		struct probe *connecting = probe(t), *behind = probe(t), *closed = probe(t);
		int64_t before_ns;

		started(connecting, soq_connect_async(s, &connecting->op, &ep));
		started(behind, soq_send_async(s, &behind->op, "never", 5, 0));
		settle(t);
		expect(finished(connecting), 0);
		before_ns = now_ns();
		if (i < 2)
			started(closed, soq_close_async(s, &closed->op));
		else
			started(closed, soq_finish_async(s, &closed->op, 10 * MS));
		await(t, closed);
		expect_true(now_ns() - before_ns < PROMPT_NS);
		expect_end(connecting, -ECANCELED, 0);
		expect_end(behind, -ECANCELED, 0);
		expect(connecting->sequence < closed->sequence, 1);
	}
	hosts_close(&h);
}

static void deadline_ends_a_connect_into_a_black_hole(struct fixture *t)
{
	struct hosts h;

	black_hole_open(&h);
	for (unsigned i = 0; i < 2; i++) {
		struct soq_endpoint ep = at(hole[i]);
		struct soq_socket *s = host_socket(t, &h, 0, ep.addr.any.sa_family, SOCK_STREAM, 0);
		struct probe *connecting = probe(t);
		int64_t begin_ns = now_ns();

		connecting->op.deadline_ns = begin_ns + 30 * MS;
		started(connecting, soq_connect_async(s, &connecting->op, &ep));
		await(t, connecting);
		expect_true(now_ns() - begin_ns >= 30 * MS && now_ns() - begin_ns < PROMPT_NS);
		expect_end(connecting, -ETIMEDOUT, 0);
		/* Only closing is left. */
		expect(soq_connect(s, &ep), -EALREADY);
		expect(soq_close(s), 0);
	}
	hosts_close(&h);
}

static void timeout_ends_a_synchronous_connect(struct fixture *t)
{
	struct hosts h;

	black_hole_open(&h);
	for (unsigned i = 0; i < 2; i++) {
		struct soq_endpoint ep = at(hole[i]);
		struct soq_socket *s = host_socket(t, &h, 0, ep.addr.any.sa_family, SOCK_STREAM, 0);
		int64_t begin_ns = now_ns();

		expect(soq_socket_set_timeouts(s, FOREVER, 30 * MS), 0);
		expect(soq_connect(s, &ep), -ETIMEDOUT);
		expect_true(now_ns() - begin_ns >= 30 * MS && now_ns() - begin_ns < PROMPT_NS);
		expect(soq_close(s), 0);
	}
	hosts_close(&h);
}

/* The list goes on to the second address when the first does not answer. */
static void list_passes_over_a_black_hole(struct fixture *t)
{
	const unsigned patience_ms = 50;
	const struct soq_option_raw patience = { .level = IPPROTO_TCP,
						 .name = TCP_USER_TIMEOUT,
						 .value = &patience_ms,
						 .size_bytes = sizeof(patience_ms) };
	int32_t errors[2] = { 1, 1 };
	struct soq_connect_list list = { .size = sizeof(list),
					 .type = SOCK_STREAM,
					 .endpoint_count = 2,
					 .errors = errors,
					 .options = &patience,
					 .option_count = 1 };
	struct soq_endpoint there, peer, to[2];
	struct soq_socket *listener, *s = NULL;
	struct hosts h;

	black_hole_open(&h);
	host_run(&h, 1,
		 "ip addr add 10.0.0.3/24 dev left &&"
		 " nft insert rule inet t c ip daddr 10.0.0.3 accept");
	listener = host_bound(t, &h, 1, SOCK_STREAM, "10.0.0.3:0", &there);
	expect(soq_listen(listener, 0), 0);
	to[0] = at_port(hole[0], &there);
	to[1] = there;
	list.endpoints = to;
	expect(soq_connect_list(t->home, &list, watchdog_ns(), &s), 0);
	expect(errors[0], -ETIMEDOUT);
	expect(errors[1], 0);
	expect(soq_socket_peer(s, &peer), 0);
	expect(soq_endpoint_equal(&peer, &there), 1);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
	hosts_close(&h);
}

struct waker {
	struct soq_socket *s;
	struct soq_endpoint to;
	int64_t result;
};

static void *connect_there(void *arg)
{
	struct waker *w = arg;

	w->result = soq_connect(w->s, &w->to);
	return NULL;
}

/* A thread that blocks in a connect is woken by a shutdown, and the socket can be closed. */
static void shutdown_wakes_a_thread_in_a_black_hole(struct fixture *t)
{
	struct waker w = { .to = at(hole[0]), .result = 1 };
	int64_t begin_ns = now_ns();
	struct soq_socket_info info = { .size = sizeof(info) };
	struct hosts h;
	pthread_t thread;

	black_hole_open(&h);
	host_enter(&h, 0);
	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &w.s), 0);
	expect(pthread_create(&thread, NULL, connect_there, &w), 0);
	do
		expect(soq_socket_info(w.s, &info), 0);
	while (info.state != SOQ_STATE_CONNECTING && now_ns() - begin_ns < watchdog_ns());
	expect(soq_close(w.s), -EBUSY);
	expect(soq_shutdown(w.s, SOQ_SHUTDOWN_BOTH), 0);
	expect(pthread_join(thread, NULL), 0);
	expect(w.result, -ECANCELED);
	expect(soq_close(w.s), 0);
	expect_true(now_ns() - begin_ns < PROMPT_NS);
	hosts_close(&h);
	(void)t;
}

static const struct conf_case cases[] = {
	SYNC_CASE(routes_that_refuse_are_told, "5a"),
	SYNC_CASE(host_that_is_not_there_is_unreachable, "5a"),
	CASE(close_ends_a_connect_into_a_black_hole, "6a 13b B017"),
	CASE(deadline_ends_a_connect_into_a_black_hole, "6a"),
	SYNC_CASE(timeout_ends_a_synchronous_connect, ""),
	SYNC_CASE(list_passes_over_a_black_hole, ""),
	SYNC_CASE(shutdown_wakes_a_thread_in_a_black_hole, ""),
};

CONF_GROUP(paths, cases)
