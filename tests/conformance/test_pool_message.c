/* SPDX-License-Identifier: MIT */
/* Messages into bufs: each whole, with its sender; the empty ones, the long ones, the end. */
#define _GNU_SOURCE
#include "pool_work.h"

#define BUF_BYTES  1024
#define ROOM_BYTES (BUF_BYTES - SOQ_POOL_MESSAGE_BYTES)

/* What arrived, checked as it comes. Message `i` is filled with key `i`. */
struct inbox {
	struct soq_socket *s;
	struct soq_pool *pool;
	const struct soq_endpoint *from; /* of every message; NULL for none */
	const size_t *sizes;             /* as they were sent */
	uint32_t flags;
	unsigned count;
	unsigned wrong;
};

static void check_message(struct inbox *x, const struct soq_event *event)
{
	size_t sent = x->sizes[x->count];
	size_t here = sent < ROOM_BYTES ? sent : ROOM_BYTES;
	struct soq_endpoint ep;

	memset(&ep, 0xff, sizeof(ep));
	if (event->result != (int64_t)here || event->buf->size_bytes != here ||
	    !is_filled(event->buf->data, here, x->count, 0))
		x->wrong++;
	if (((event->flags & SOQ_F_TRUNCATED) != 0) != (sent > ROOM_BYTES))
		x->wrong++;
	if (soq_buf_peer(event->buf, &ep) != 0)
		x->wrong++;
	if (x->from ? !soq_endpoint_equal(&ep, x->from) : ep.size_bytes != 0)
		x->wrong++;
	x->count++;
}

static void message_arrived(struct probe *p, const struct soq_event *event)
{
	struct inbox *x = p->arg;

	if (event->buf != NULL) {
		check_message(x, event);
		if (soq_buf_return(event->buf) != 0)
			x->wrong++;
	}
	if (event->buf != NULL && !(event->flags & SOQ_F_MORE))
		again(p, soq_recv_buf_async(x->s, &p->op, x->pool, x->flags));
}

static struct probe *inbox_open(struct fixture *t, struct inbox *x)
{
	struct probe *p = probe(t);

	x->pool = pool_of(t, 2, BUF_BYTES, 2);
	p->then = message_arrived;
	p->arg = x;
	started(p, soq_recv_buf_async(x->s, &p->op, x->pool, x->flags));
	settle(t);
	return p;
}

static void inbox_close(struct fixture *t, struct inbox *x, struct probe *p)
{
	expect(x->wrong, 0);
	expect(p->start_error, 0);
	if (!finished(p)) {
		expect(soq_cancel(&p->op), 0);
		await(t, p);
		expect_end(p, -ECANCELED, 0);
	}
	pool_close(x->pool);
}

/* Sent one by one or all at once, before the receiver looks. */
static void send_all(struct fixture *t, struct inbox *x, struct soq_socket *from,
		     const struct soq_endpoint *to, unsigned count, int at_once)
{
	char bytes[4096];

	for (unsigned i = 0; i < count; i++) {
		fill(bytes, x->sizes[i], i, 0);
		expect(to ? soq_send_to(from, bytes, x->sizes[i], 0, to)
			  : soq_send(from, bytes, x->sizes[i], 0),
		       x->sizes[i]);
		if (!at_once)
			run_until(t, x->count == i + 1);
	}
	run_until(t, x->count == count);
}

static void datagrams_arrive(struct fixture *t, int family, uint32_t flags, int at_once)
{
	static const size_t sizes[] = { 5, 0, 1, ROOM_BYTES, ROOM_BYTES + 1, 0, 0, 4000, 300, 0 };
	struct datagrams d = datagrams_bound(t, family);
	struct inbox x = { .s = d.b, .from = &d.at_a, .sizes = sizes, .flags = flags };
	struct probe *p = inbox_open(t, &x);

	send_all(t, &x, d.a, &d.at_b, COUNT_OF(sizes), at_once);
	inbox_close(t, &x, p);
	datagrams_close(&d);
}

static void ipv4_datagrams_arrive_one_by_one(struct fixture *t)
{
	datagrams_arrive(t, AF_INET, 0, 0);
	datagrams_arrive(t, AF_INET, 0, 1);
}

static void ipv4_datagrams_arrive_by_multishot(struct fixture *t)
{
	datagrams_arrive(t, AF_INET, SOQ_MULTISHOT, 0);
	datagrams_arrive(t, AF_INET, SOQ_MULTISHOT, 1);
}

static void ipv6_datagrams_arrive(struct fixture *t)
{
	datagrams_arrive(t, AF_INET6, 0, 1);
	datagrams_arrive(t, AF_INET6, SOQ_MULTISHOT, 1);
}

static void unix_datagrams_arrive(struct fixture *t)
{
	datagrams_arrive(t, AF_UNIX, 0, 0);
	datagrams_arrive(t, AF_UNIX, SOQ_MULTISHOT, 0);
}

static void unnamed_sender_is_none(struct fixture *t)
{
	static const size_t sizes[] = { 7 };
	struct soq_endpoint ep;
	struct soq_socket *to = bound_socket(t, AF_UNIX, SOCK_DGRAM, &ep);
	struct soq_socket *from = open_socket_of(t, AF_UNIX, SOCK_DGRAM);
	struct inbox x = { .s = to, .sizes = sizes, .flags = SOQ_MULTISHOT };
	struct probe *p = inbox_open(t, &x);

	send_all(t, &x, from, &ep, 1, 0);
	inbox_close(t, &x, p);
	expect(soq_close(from), 0);
	expect(soq_close(to), 0);
}

/* A multishot goes on through them; no event but theirs comes. */
static void empty_datagrams_do_not_end_a_multishot(struct fixture *t)
{
	static const size_t sizes[20];
	struct datagrams d = datagrams_connected(t, AF_INET);
	struct inbox x = { .s = d.b, .from = &d.at_a, .sizes = sizes, .flags = SOQ_MULTISHOT };
	struct probe *p = inbox_open(t, &x);

	send_all(t, &x, d.a, NULL, COUNT_OF(sizes), 1);
	expect(p->events, COUNT_OF(sizes));
	expect(p->finals, 0);
	inbox_close(t, &x, p);
	datagrams_close(&d);
}

static void packets_arrive(struct fixture *t, uint32_t flags)
{
	static const size_t sizes[] = { 5, 1, ROOM_BYTES, ROOM_BYTES + 1, 3000, 9 };
	struct soq_socket *a;
	struct inbox x = { .sizes = sizes, .flags = flags };
	struct probe *p;

	pair_unix(t, SOCK_SEQPACKET, &a, &x.s);
	p = inbox_open(t, &x);
	send_all(t, &x, a, NULL, COUNT_OF(sizes), 1);
	expect(soq_close(a), 0);
	await(t, p);
	expect_end(p, 0, 0);
	assert_null(p->buf);
	inbox_close(t, &x, p);
	expect(soq_close(x.s), 0);
}

static void packets_arrive_and_end(struct fixture *t)
{
	packets_arrive(t, 0);
	packets_arrive(t, SOQ_MULTISHOT);
}

/* A peer that leaves packets unread resets; every later receive says so too. */
static void reset_of_packets_is_no_end(struct fixture *t)
{
	for (unsigned i = 0; i < 4; i++) {
		struct soq_pool *pool = pool_open(t, 0);
		struct probe *p = probe(t);
		char in[4];
		int fd;
		struct soq_socket *s = pair_unix_raw(t, SOCK_SEQPACKET, &fd);

		expect(soq_send(s, "unread", 6, 0), 6);
		if (i & 1)
			started(p, soq_recv_buf_async(s, &p->op, pool, i & 2 ? SOQ_MULTISHOT : 0));
		settle(t);
		close(fd);
		settle(t);
		if (!(i & 1))
			started(p, soq_recv_buf_async(s, &p->op, pool, i & 2 ? SOQ_MULTISHOT : 0));
		await(t, p);
		expect_end(p, -ECONNRESET, 0);
		started(p, soq_recv_buf_async(s, &p->op, pool, 0));
		await(t, p);
		expect_end(p, -ECONNRESET, 0);
		expect(soq_recv(s, in, sizeof(in), 0), -ECONNRESET);
		expect(soq_send(s, "x", 1, 0), -ECONNRESET);
		expect(soq_close(s), 0);
		pool_close(pool);
	}
}

/* Several are started: each gets one message, the first started the first sent. */
static void queued_receives_get_a_message_each(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct soq_pool *pool = pool_of(t, 8, BUF_BYTES, 8);
	struct keeper k = { .count = 0 };
	struct probe *p[5];
	char in[64], bytes[64];

	for (unsigned i = 0; i < 5; i++) {
		p[i] = keeper_probe(t, &k);
		if (i == 2)
			started(p[i], soq_recv_async(d.b, &p[i]->op, in, sizeof(in), 0));
		else
			started(p[i], soq_recv_buf_async(d.b, &p[i]->op, pool, 0));
	}
	for (unsigned i = 0; i < 5; i++) {
		fill(bytes, 10 + i, i, 0);
		expect(soq_send_to(d.a, bytes, 10 + i, 0, &d.at_b), 10 + i);
	}
	await(t, p[4]);
	for (unsigned i = 0; i < 5; i++) {
		expect_end(p[i], 10 + i, 0);
		expect_true(i == 0 || p[i]->sequence == p[i - 1]->sequence + 1);
		if (i == 2)
			expect_true(is_filled(in, 12, 2, 0));
		else
			expect(keeper_return(&k, i, 0), 10 + i);
	}
	pool_close(pool);
	datagrams_close(&d);
}

/* A port nobody listens on any more: the error ends the receive, the socket lives. */
static void refused_datagram_ends_the_receive_only(struct fixture *t)
{
	static const size_t sizes[] = { 6 };
	struct datagrams d = datagrams_connected(t, AF_INET);
	struct inbox x = { .s = d.b, .from = &d.at_a, .sizes = sizes, .flags = SOQ_MULTISHOT };
	struct probe *p = inbox_open(t, &x);
	struct soq_endpoint ep;
	struct soq_socket *gone = bound_socket(t, AF_INET, SOCK_DGRAM, &ep);

	send_all(t, &x, d.a, NULL, 1, 0);
	expect(soq_close(gone), 0);
	settle(t);
	expect(soq_connect(d.b, &ep), 0);
	expect(soq_send(d.b, "x", 1, 0), 1);
	await(t, p);
	expect_end(p, -ECONNREFUSED, 0);
	expect(soq_connect(d.b, &d.at_a), 0);
	x.count = 0;
	started(p, soq_recv_buf_async(d.b, &p->op, x.pool, 0));
	x.flags = 0;
	send_all(t, &x, d.a, NULL, 1, 0);
	inbox_close(t, &x, p);
	datagrams_close(&d);
}

static const struct conf_case cases[] = {
	CASE(ipv4_datagrams_arrive_one_by_one, "8c 8f"),
	CASE(ipv4_datagrams_arrive_by_multishot, "8c 8f"),
	CASE(ipv6_datagrams_arrive, "8c 8f"),
	CASE(unix_datagrams_arrive, "8c 8f"),
	CASE(unnamed_sender_is_none, ""),
	CASE(empty_datagrams_do_not_end_a_multishot, "8c"),
	CASE(packets_arrive_and_end, "8d 8f"),
	CASE(reset_of_packets_is_no_end, "7a 7d"),
	CASE(queued_receives_get_a_message_each, "9b"),
	CASE(refused_datagram_ends_the_receive_only, "5a"),
};

CONF_GROUP(pool_message, cases)
