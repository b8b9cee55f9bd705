/* SPDX-License-Identifier: MIT */
/* Reports of datagrams that did not get through: what loopback can say of itself. */
#define _GNU_SOURCE
#include "message_kit.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

static char back[64];

static struct soq_report report_of(void *buffer, size_t size_bytes)
{
	return (struct soq_report){ .size = sizeof(struct soq_report),
				    .buffer = buffer,
				    .buffer_bytes = size_bytes };
}

/* A port that nobody has any more. */
static struct soq_endpoint closed_port(struct fixture *t, enum mode mode)
{
	struct soq_endpoint ep;
	struct soq_socket *s = bound_mode(t, mode, mode_names[mode], &ep);

	expect(soq_close(s), 0);
	if (t->home)
		run_until(t, soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) == 0);
	return ep;
}

static struct soq_socket *reporting(struct fixture *t, enum mode mode)
{
	struct soq_endpoint ep;
	struct soq_socket *s = bound_mode(t, mode, mode_names[mode], &ep);

	expect(soq_socket_set_option(s, SOQ_OPTION_ERROR_REPORTS, 1), 0);
	expect(soq_socket_set_timeouts(s, watchdog_ns(), watchdog_ns()), 0);
	return s;
}

/* Waits for an error by each way there is. */
static void await_error(struct fixture *t, unsigned way, struct soq_socket *s)
{
	struct soq_poll_entry entry = { .socket = s, .events = SOQ_POLL_ERROR };
	struct probe *p;

	if (way == 0) {
		expect_true((unsigned)soq_poll(s, SOQ_POLL_ERROR, watchdog_ns()) & SOQ_POLL_ERROR);
	} else if (way == 1) {
		expect(soq_poll_any(&entry, 1, watchdog_ns()), 1);
		expect(entry.told & SOQ_POLL_ERROR, SOQ_POLL_ERROR);
	} else {
		p = probe_quiet(t);
		started(p, soq_poll_async(s, &p->op, SOQ_POLL_ERROR, 0));
		expect(wait_end(p) & SOQ_POLL_ERROR, SOQ_POLL_ERROR);
	}
}

static unsigned waits(const struct fixture *t)
{
	return t->home ? 3 : 2;
}

static void expect_refusal(const struct soq_report *r, enum mode mode,
			   const struct soq_endpoint *to, const char *bytes)
{
	struct soq_endpoint who = *to;
	size_t length = strlen(bytes);

	expect(r->error, -ECONNREFUSED);
	expect(r->origin, mode == V6 ? SOQ_REPORT_ICMPV6 : SOQ_REPORT_ICMP);
	/* Destination unreachable: the port. */
	expect(r->icmp_type, mode == V6 ? 1 : 3);
	expect(r->icmp_code, mode == V6 ? 4 : 3);
	expect(r->mtu_bytes, 0);
	expect(r->flags, 0);
	expect(r->length_bytes, length);
	expect(memcmp(r->buffer, bytes, length), 0);
	expect(soq_endpoint_equal(&r->destination, to), 1);
	if (who.addr.any.sa_family == AF_INET)
		who.addr.ipv4.sin_port = 0;
	else
		who.addr.ipv6.sin6_port = 0;
	expect(soq_endpoint_equal(&r->offender, &who), 1);
}

/* On a socket without a peer, which would not be told at all otherwise. */
static void refusal_is_reported_with_all_it_says(struct fixture *t)
{
	for (unsigned i = 0; i < MODES * waits(t); i++) {
		enum mode mode = (enum mode)(i / waits(t));
		struct soq_endpoint to[2] = { closed_port(t, mode), closed_port(t, mode) };
		struct soq_socket *s = reporting(t, mode);
		struct soq_report r = report_of(back, sizeof(back));

		expect(soq_recv_error(s, &r), 0);
		expect(r.length_bytes, 0);
		expect(soq_send_to(s, "first", 5, 0, &to[0]), 5);
		await_error(t, i % waits(t), s);
		expect(soq_recv_error(s, &r), 1);
		expect_refusal(&r, mode, &to[0], "first");
		/* Taken, so that nobody else is told. */
		expect(soq_poll(s, SOQ_POLL_ERROR, 0), 0);
		expect(soq_send_to(s, "second", 6, 0, &to[1]), 6);
		await_error(t, i % waits(t), s);
		expect(soq_recv_error(s, &r), 1);
		expect_refusal(&r, mode, &to[1], "second");
		expect(soq_recv_error(s, &r), 0);
		expect(soq_close(s), 0);
	}
}

/* No memory for the datagram, or too little: the report is the same. */
static void report_needs_no_memory(struct fixture *t)
{
	struct soq_endpoint to = closed_port(t, V4);
	struct soq_socket *s = reporting(t, V4);

	for (unsigned size = 0; size < 4; size += 3) {
		struct soq_report r = report_of(size > 0 ? back : NULL, size);

		memset(back, 'z', sizeof(back));
		expect(soq_send_to(s, "abcdef", 6, 0, &to), 6);
		await_error(t, 0, s);
		expect(soq_recv_error(s, &r), 1);
		expect(r.error, -ECONNREFUSED);
		expect(r.flags, SOQ_F_TRUNCATED);
		expect(r.length_bytes, size);
		expect(memcmp(back, size > 0 ? "abcz" : "zzzz", 4), 0);
	}
	expect(soq_close(s), 0);
}

static void reports_come_in_order(struct fixture *t)
{
	struct soq_endpoint to[3] = { closed_port(t, V6), closed_port(t, V6), closed_port(t, V6) };
	struct soq_socket *s = reporting(t, V6);

	/* One at a time, since a send tells the error of the one before. */
	for (unsigned i = 0; i < 3; i++) {
		int64_t sent = soq_send_to(s, &"012"[i], 1, 0, &to[i]);

		if (sent == -ECONNREFUSED)
			sent = soq_send_to(s, &"012"[i], 1, 0, &to[i]);
		expect(sent, 1);
		await_error(t, 0, s);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct soq_report r = report_of(back, sizeof(back));

		expect(soq_recv_error(s, &r), 1);
		expect_refusal(&r, V6, &to[i], (const char[]){ (char)('0' + i), 0 });
	}
	expect(soq_poll(s, SOQ_POLL_ERROR, 0), 0);
	expect(soq_close(s), 0);
}

/* Without the option: nothing is kept, and only a connected socket is told. */
static void closed_port_is_told_to_connected_sockets_alone(struct fixture *t)
{
	for (unsigned i = 0; i < MODES * ways(t); i++) {
		enum mode mode = (enum mode)(i / ways(t));
		struct soq_endpoint to = closed_port(t, mode), ep;
		struct soq_socket *s = bound_mode(t, mode, mode_names[mode], &ep);
		struct soq_socket *lone = bound_mode(t, mode, mode_names[mode], &ep);
		struct iovec part = { out, 1 };
		struct soq_message m = message_of(&part, 1);
		struct soq_report r = report_of(back, sizeof(back));

		expect(soq_connect(s, &to), 0);
		expect(send_way(t, i % ways(t), s, &m), 1);
		expect_true((unsigned)soq_poll(s, SOQ_POLL_ERROR, watchdog_ns()) & SOQ_POLL_ERROR);
		expect(soq_recv_error(s, &r), 0);
		expect(send_way(t, i % ways(t), s, &m), -ECONNREFUSED);
		m.peer = to;
		for (unsigned k = 0; k < 3; k++) {
			/* Loopback has answered when the send returns. */
			expect(send_way(t, i % ways(t), lone, &m), 1);
			expect(soq_poll(lone, SOQ_POLL_ERROR | SOQ_POLL_RECV, 0), 0);
			expect(soq_recv_error(lone, &r), 0);
		}
		expect(soq_close(s), 0);
		expect(soq_close(lone), 0);
	}
}

/* The next call is told, as long as nobody has taken the report; the report stays. */
static void report_is_told_by_the_next_call_too(struct fixture *t)
{
	struct soq_endpoint to = closed_port(t, V4);
	struct soq_socket *s = reporting(t, V4);
	struct soq_report r = report_of(back, sizeof(back));

	expect(soq_send_to(s, "x", 1, 0, &to), 1);
	await_error(t, 0, s);
	expect(soq_recv(s, in, 8, 0), -ECONNREFUSED);
	await_error(t, 0, s);
	expect(soq_recv_error(s, &r), 1);
	expect_refusal(&r, V4, &to, "x");
	expect(soq_poll(s, SOQ_POLL_ERROR, 0), 0);
	expect(soq_close(s), 0);
}

/* With a report that nobody reads receives go on, and can be cancelled. */
static void receives_go_on_beside_reports(struct fixture *t)
{
	for (enum mode mode = V4; mode < MODES; mode++) {
		struct soq_endpoint to = closed_port(t, mode), at_s, at_a;
		struct soq_socket *s = reporting(t, mode);
		struct soq_socket *a = bound_mode(t, mode, mode_names[mode], &at_a);
		struct probe *refused = probe(t), *received = probe(t), *cut = probe(t);
		struct soq_report r = report_of(back, sizeof(back));

		expect(soq_socket_local(s, &at_s), 0);
		started(refused, soq_recv_async(s, &refused->op, in, 8, 0));
		settle(t);
		expect(soq_send_to(s, "x", 1, 0, &to), 1);
		await(t, refused);
		expect_end(refused, -ECONNREFUSED, 0);
		started(received, soq_recv_async(s, &received->op, in, 8, 0));
		settle(t);
		expect(finished(received), 0);
		expect(soq_send_to(a, "hello", 5, 0, &at_s), 5);
		await(t, received);
		expect_end(received, 5, 0);
		started(cut, soq_recv_async(s, &cut->op, in, 8, 0));
		settle(t);
		expect(soq_cancel(&cut->op), 0);
		await(t, cut);
		expect_end(cut, -ECANCELED, 0);
		expect(soq_recv_error(s, &r), 1);
		expect_refusal(&r, mode, &to, "x");
		expect(soq_close(s), 0);
		expect(soq_close(a), 0);
	}
}

/* A zero-copy send has its two events, whoever reads the queue. */
static void zero_copy_is_told_by_its_events(struct fixture *t)
{
	static char big[32768];

	for (enum mode mode = V4; mode < MODES; mode++) {
		struct soq_endpoint to = closed_port(t, mode), at_b;
		struct soq_socket *s = reporting(t, mode);
		struct soq_socket *b = bound_mode(t, mode, mode_names[mode], &at_b);
		struct probe *sent = probe(t);
		struct soq_report r = report_of(back, sizeof(back));

		expect(soq_socket_set_option(s, SOQ_OPTION_ZEROCOPY, 1), 0);
		started(sent,
			soq_send_to_async(s, &sent->op, big, sizeof(big), SOQ_ZEROCOPY, &at_b));
		settle(t);
		expect(soq_recv_error(s, &r), 0);
		expect(soq_send_to(s, "x", 1, 0, &to), 1);
		await_error(t, 0, s);
		expect(soq_recv_error(s, &r), 1);
		expect_refusal(&r, mode, &to, "x");
		expect(soq_recv_error(s, &r), 0);
		expect(soq_recv(b, in, sizeof(in), 0), sizeof(big));
		await(t, sent);
		expect(sent->events, 2);
		expect(sent->more_result, sizeof(big));
		expect_end(sent, sizeof(big), sent->flags);
		expect(soq_close(s), 0);
		expect(soq_close(b), 0);
	}
}

/* What the program has asked for itself is handed over, not thrown away. */
static void what_is_no_error_is_handed_over(struct fixture *t)
{
	int stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
		     SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
	struct datagrams d = pair_mode(t, V4);
	struct soq_report r = report_of(back, sizeof(back));

	expect(soq_socket_set_option(d.a, SOQ_OPTION_ERROR_REPORTS, 1), 0);
	expect(soq_option_set(d.a, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)), 0);
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_send_to(d.a, "x", 1, 0, &d.at_b), 1);
		await_error(t, 0, d.a);
		expect(soq_recv_error(d.a, &r), 1);
		expect(r.origin, SO_EE_ORIGIN_TIMESTAMPING);
		expect(r.error, -ENOMSG);
		expect(r.value[1], i);
		expect(r.offender.size_bytes, 0);
	}
	datagrams_close(&d);
}

static void other_sockets_have_no_reports(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_UNIX);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_report r = report_of(back, sizeof(back));

	expect(soq_send(d.a, "kept", 4, 0), 4);
	expect(soq_recv_error(d.b, &r), -EOPNOTSUPP);
	expect(soq_recv(d.b, in, 8, 0), 4);
	expect(soq_recv_error(s, &r), -EOPNOTSUPP);
	expect(soq_socket_set_option(s, SOQ_OPTION_ERROR_REPORTS, 1), -EOPNOTSUPP);
	datagrams_close(&d);
	expect(soq_close(s), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(refusal_is_reported_with_all_it_says, "5a"),
	SYNC_CASE(report_needs_no_memory, ""),
	SYNC_CASE(reports_come_in_order, ""),
	SYNC_CASE(closed_port_is_told_to_connected_sockets_alone, "5a B089"),
	SYNC_CASE(report_is_told_by_the_next_call_too, ""),
	CASE(receives_go_on_beside_reports, "1b"),
	CASE(zero_copy_is_told_by_its_events, "1b"),
	SYNC_CASE(what_is_no_error_is_handed_over, ""),
	SYNC_CASE(other_sockets_have_no_reports, "1a"),
};

CONF_GROUP(report, cases)
