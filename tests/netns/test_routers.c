/* SPDX-License-Identifier: MIT */
/*
 * What a router answers to the first packet of a connection. It may arrive within
 * connect(2), where it is only queued: a poll says POLLERR, the socket has no error, and
 * still connects. The second packet, a second later, ends it; nobody may spin until then.
 */
#define _GNU_SOURCE
#include "hosts.h"

#include <time.h>

static const char *const routed[2] = { "192.0.2.1:9", "[2001:db8::1]:9" };
static const int refused[2] = { -EHOSTUNREACH, -ENETUNREACH };

/* Host 1, the router, knows that nobody gets there. */
static void router_open(struct hosts *h)
{
	hosts_open(h, 3);
	host_run(h, 1,
		 "ip route add unreachable 192.0.2.0/24 &&"
		 " ip -6 route add unreachable 2001:db8::/32");
	host_sysctl(h, 1, "net/ipv4/icmp_ratelimit", "0");
	host_sysctl(h, 1, "net/ipv6/icmp/ratelimit", "0");
}

static int64_t cpu_ns(void)
{
	struct timespec now;

	expect(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
	return now.tv_sec * 1000 * MS + now.tv_nsec;
}

static struct soq_socket *stream_to(struct fixture *t, const struct hosts *h,
				    const struct soq_endpoint *ep)
{
	return host_socket(t, h, 0, ep->addr.any.sa_family, SOCK_STREAM, 0);
}

static void refused_connects_end_with_why(struct fixture *t)
{
	struct soq_endpoint to[2] = { at(routed[0]), at(routed[1]) }, peer;
	struct soq_socket *s[4];
	struct probe *p[4];
	int64_t begin_ns;
	struct hosts h;

	router_open(&h);
	begin_ns = cpu_ns();
	for (unsigned i = 0; i < 4; i++) {
		s[i] = stream_to(t, &h, &to[i % 2]);
		p[i] = probe(t);
		if (i < 2)
			started(p[i], soq_connect_async(s[i], &p[i]->op, &to[i]));
		else
			started(p[i], soq_connect_data_async(s[i], &p[i]->op, &to[i % 2], "x", 1,
							     SOQ_FAST_OPEN));
	}
	for (unsigned i = 0; i < 4; i++) {
		await(t, p[i]);
		expect_end(p[i], refused[i % 2], 0);
		expect(soq_socket_peer(s[i], &peer), -ENOTCONN);
	}
	/* They may try again, the other way. */
	for (unsigned i = 0; i < 4; i++) {
		if (i >= 2)
			started(p[i], soq_connect_async(s[i], &p[i]->op, &to[i % 2]));
		else
			started(p[i], soq_connect_data_async(s[i], &p[i]->op, &to[i], "x", 1,
							     SOQ_FAST_OPEN));
	}
	for (unsigned i = 0; i < 4; i++) {
		await(t, p[i]);
		expect_end(p[i], refused[i % 2], 0);
		expect(soq_close(s[i]), 0);
	}
	expect_true(cpu_ns() - begin_ns < 500 * MS);
	hosts_close(&h);
}

static void refused_calls_return_why(struct fixture *t)
{
	struct soq_endpoint to = at(routed[0]), peer;
	struct soq_socket *s;
	int64_t begin_ns;
	struct hosts h;

	router_open(&h);
	begin_ns = cpu_ns();
	s = stream_to(t, &h, &to);
	expect(soq_connect(s, &to), refused[0]);
	expect(soq_socket_peer(s, &peer), -ENOTCONN);
	expect(soq_close(s), 0);
	expect_true(cpu_ns() - begin_ns < 500 * MS);
	hosts_close(&h);
}

/* Each address has its error. */
static void refused_list_keeps_why(struct fixture *t)
{
	struct soq_endpoint to[2] = { at(routed[0]), at(routed[1]) };
	int32_t errors[2] = { 1, 1 };
	struct soq_connect_list list = { .size = sizeof(list),
					 .type = SOCK_STREAM,
					 .endpoints = to,
					 .endpoint_count = 2,
					 .errors = errors };
	struct soq_socket *s = NULL;
	struct hosts h;

	router_open(&h);
	expect(soq_connect_list(t->home, &list, watchdog_ns(), &s), refused[1]);
	expect(errors[0], refused[0]);
	expect(errors[1], refused[1]);
	hosts_close(&h);
}

static void cancel_ends_a_refused_connect(struct fixture *t)
{
	struct soq_endpoint to = at(routed[0]), peer;
	struct probe *p = probe(t);
	struct soq_socket *s;
	struct hosts h;

	router_open(&h);
	s = stream_to(t, &h, &to);
	started(p, soq_connect_async(s, &p->op, &to));
	settle(t);
	expect(finished(p), 0);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_socket_peer(s, &peer), -ENOTCONN);
	expect(soq_close(s), 0);
	hosts_close(&h);
}

static const struct conf_case cases[] = {
	CASE(refused_connects_end_with_why, "5a"),
	SYNC_CASE(refused_calls_return_why, "5a"),
	SYNC_CASE(refused_list_keeps_why, "5a"),
	CASE(cancel_ends_a_refused_connect, "6a"),
};

CONF_GROUP(routers, cases)
