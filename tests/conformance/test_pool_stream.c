/* SPDX-License-Identifier: MIT */
/* Streams into bufs: content, order, ends and resets, and what is queued beside them. */
#define _GNU_SOURCE
#include "pool_work.h"

#define STREAM_BYTES ((size_t)1 << 20)

static void stream_arrives(struct fixture *t, int family, uint32_t flags)
{
	struct stream x = { .pool = pool_open(t, 0), .flags = flags, .key = 3 };
	struct probe *in, *out = probe(t);
	char *bytes = malloc(STREAM_BYTES);
	struct soq_socket *a;

	if (family == AF_UNIX)
		pair_unix(t, SOCK_STREAM, &a, &x.s);
	else
		pair_soq(t, family, &a, &x.s);
	fill(bytes, STREAM_BYTES, 3, 0);
	in = stream_start(t, &x);
	started(out, soq_send_async(a, &out->op, bytes, STREAM_BYTES, 0));
	await(t, out);
	expect(soq_shutdown(a, SOQ_SHUTDOWN_SEND), 0);
	run_until(t, in->finals == in->starts);

	expect(in->start_error, 0);
	expect_end(in, 0, 0);
	assert_null(in->buf);
	expect(x.wrong, 0);
	expect(x.offset, STREAM_BYTES);
	/* Half closed: the other direction works on. */
	expect(soq_send(x.s, "back", 4, 0), 4);
	expect(soq_recv(a, bytes, 4, SOQ_EXACT), 4);
	expect(soq_close(a), 0);
	expect(soq_close(x.s), 0);
	pool_close(x.pool);
	free(bytes);
}

static void ipv4_stream_arrives_one_by_one(struct fixture *t)
{
	stream_arrives(t, AF_INET, 0);
}

static void ipv6_stream_arrives_one_by_one(struct fixture *t)
{
	stream_arrives(t, AF_INET6, 0);
}

static void unix_stream_arrives_one_by_one(struct fixture *t)
{
	stream_arrives(t, AF_UNIX, 0);
}

static void ipv4_stream_arrives_by_multishot(struct fixture *t)
{
	stream_arrives(t, AF_INET, SOQ_MULTISHOT);
}

static void unix_stream_arrives_by_multishot(struct fixture *t)
{
	stream_arrives(t, AF_UNIX, SOQ_MULTISHOT);
}

/* Neither sender nor truncation on a stream. */
static void stream_buf_has_no_sender(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct probe *p = probe(t);
	struct soq_endpoint ep;
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	started(p, soq_recv_buf_async(s, &p->op, pool, 0));
	raw_send(fd, "x", 1);
	await(t, p);
	expect_end(p, 1, 0);
	memset(&ep, 0xff, sizeof(ep));
	expect(soq_buf_peer(p->buf, &ep), 0);
	expect(ep.size_bytes, 0);
	expect(soq_buf_return(p->buf), 0);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

enum end { FIN, RST, DATA_RST, FIN_RST };

static void act(int fd, enum end end)
{
	if (end == DATA_RST)
		raw_send(fd, "data", 4);
	if (end == FIN || end == FIN_RST)
		raw_fin(fd);
	if (end != FIN)
		raw_reset(fd);
}

static void expect_data(struct keeper *k)
{
	expect(k->wrong, 0);
	expect(k->count, 1);
	expect(k->bufs[0]->size_bytes, 4);
	assert_memory_equal(k->bufs[0]->data, "data", 4);
	keeper_return_rest(k);
}

/* What each way of ending says to receives armed before it, and to all after. */
static void meets(struct fixture *t, uint32_t flags, int armed, enum end end)
{
	struct soq_pool *pool = pool_open(t, 0);
	int64_t last = end == RST || end == DATA_RST ? -ECONNRESET : 0;
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_probe(t, &k);
	char in[8];
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	if (armed)
		started(p, soq_recv_buf_async(s, &p->op, pool, flags));
	settle(t);
	act(fd, end);
	settle(t);
	if (!armed)
		started(p, soq_recv_buf_async(s, &p->op, pool, flags));
	await(t, p);
	if (end == DATA_RST && flags == 0) {
		expect_end(p, 4, 0);
		expect_data(&k);
		started(p, soq_recv_buf_async(s, &p->op, pool, flags));
		await(t, p);
	} else if (end == DATA_RST) {
		expect_data(&k);
	}
	expect_end(p, last, 0);
	for (int i = 0; i < 2; i++) {
		started(p, soq_recv_buf_async(s, &p->op, pool, i ? SOQ_MULTISHOT : 0));
		await(t, p);
		expect_end(p, last, 0);
	}
	expect(soq_recv(s, in, sizeof(in), 0), last);
	if (end != FIN)
		expect(soq_send(s, "x", 1, 0), end == FIN_RST ? -EPIPE : -ECONNRESET);
	expect(soq_close(s), 0);
	pool_close(pool);
	if (end == FIN)
		close(fd);
}

static void every_end_is_told_from_every_reset(struct fixture *t)
{
	for (int end = FIN; end <= FIN_RST; end++)
		for (int armed = 0; armed < 2; armed++) {
			meets(t, 0, armed, (enum end)end);
			meets(t, SOQ_MULTISHOT, armed, (enum end)end);
		}
}

/* A send that parked gets its share of the error, and the pooled receive keeps its own. */
static void reset_ends_both_lanes(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct probe *in = probe(t), *out = probe(t);
	char *big = calloc(1, BIG_BYTES);
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);

	started(in, soq_recv_buf_async(s, &in->op, pool, SOQ_MULTISHOT));
	started(out, soq_send_async(s, &out->op, big, BIG_BYTES, 0));
	settle(t);
	raw_reset(fd);
	run_until(t, finished(in) && finished(out));
	expect_end(in, -ECONNRESET, 0);
	expect_end(out, out->result, SOQ_F_BROKEN);
	expect(soq_send(s, "x", 1, 0), -ECONNRESET);
	expect(soq_close(s), 0);
	pool_close(pool);
	free(big);
}

static void queued_receives_end_in_start_order(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 512, 8);
	struct keeper k = { .count = 0 };
	struct probe *p[6];
	size_t offset = 0;
	char in[512];
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	for (unsigned i = 0; i < 6; i++) {
		p[i] = keeper_probe(t, &k);
		/* One of them into memory of its own. */
		if (i == 3)
			started(p[i], soq_recv_async(s, &p[i]->op, in, sizeof(in), SOQ_EXACT));
		else
			started(p[i], soq_recv_buf_async(s, &p[i]->op, pool, 0));
	}
	settle(t);
	raw_fill(fd, 9, 0, 6 * 512);
	await(t, p[5]);
	for (unsigned i = 0; i < 6; i++) {
		expect_end(p[i], 512, 0);
		expect_true(i == 0 || p[i]->sequence == p[i - 1]->sequence + 1);
	}
	expect(k.count, 5);
	for (unsigned i = 0; i < 5; i++) {
		if (offset == 3 * 512) {
			expect_true(is_filled(in, 512, 9, offset));
			offset += 512;
		}
		offset += keeper_return(&k, 9, offset);
	}
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

static void receive_behind_an_armed_multishot_waits_for_its_end(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct keeper k = { .count = 0 };
	struct probe *armed = keeper_probe(t, &k), *plain = probe(t), *pooled = keeper_probe(t, &k);
	char in[8], sync[8];
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	started(armed, soq_recv_buf_async(s, &armed->op, pool, SOQ_MULTISHOT));
	started(plain, soq_recv_async(s, &plain->op, in, sizeof(in), 0));
	started(pooled, soq_recv_buf_async(s, &pooled->op, pool, 0));
	expect(soq_recv(s, sync, sizeof(sync), 0), -EBUSY);
	settle(t);
	raw_send(fd, "one", 3);
	run_until(t, k.count == 1);
	settle(t);
	expect(plain->events, 0);
	expect(soq_recv(s, sync, sizeof(sync), 0), -EBUSY);
	expect(soq_recv(s, sync, sizeof(sync), SOQ_PEEK), -EBUSY);

	expect(soq_cancel(&armed->op), 0);
	await(t, armed);
	expect_end(armed, -ECANCELED, 0);
	raw_send(fd, "two", 3);
	await(t, plain);
	expect_end(plain, 3, 0);
	assert_memory_equal(in, "two", 3);
	expect(pooled->events, 0);
	raw_send(fd, "three", 5);
	await(t, pooled);
	expect_end(pooled, 5, 0);
	expect(k.count, 2);
	assert_memory_equal(k.bufs[1]->data, "three", 5);
	keeper_return_rest(&k);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

/* The multishot is cancelled, the call made, the multishot armed: no byte gets lost. */
static void synchronous_receives_between_multishots_lose_nothing(struct fixture *t)
{
	struct stream x = { .pool = pool_open(t, 0), .flags = SOQ_MULTISHOT, .key = 4 };
	struct probe *p = probe(t);
	uint64_t sent = 0;
	char in[100];
	int fd;

	x.s = pair_raw(t, AF_INET, &fd);
	p->then = stream_take;
	p->arg = &x;
	for (unsigned i = 0; i < 200; i++) {
		started(p, soq_recv_buf_async(x.s, &p->op, x.pool, SOQ_MULTISHOT));
		raw_fill(fd, 4, sent, 1 + i * 7 % 300);
		sent += 1 + i * 7 % 300;
		/* In the kernel or not, with bytes there or not. */
		for (unsigned k = 0; k < i % 3; k++)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		expect(soq_recv(x.s, in, sizeof(in), 0), -EBUSY);
		expect(soq_cancel(&p->op), 0);
		await(t, p);
		expect_end(p, -ECANCELED, 0);
		raw_fill(fd, 4, sent, 100);
		sent += 100;
		expect(soq_recv(x.s, in, sizeof(in), SOQ_EXACT), 100);
		expect_true(is_filled(in, 100, 4, x.offset));
		x.offset += 100;
	}
	raw_fin(fd);
	started(p, soq_recv_buf_async(x.s, &p->op, x.pool, SOQ_MULTISHOT));
	await(t, p);
	expect_end(p, 0, 0);
	expect(x.wrong, 0);
	expect(x.offset, sent);
	expect(soq_close(x.s), 0);
	pool_close(x.pool);
	close(fd);
}

/* It has its turn when they have their bufs, whether or not those were delivered. */
static void synchronous_receive_has_its_turn_behind_pooled_ones(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 4, 512, 4);
	struct keeper k = { .count = 0 };
	struct probe *first = keeper_probe(t, &k), *second = keeper_probe(t, &k);
	char in[8] = "";
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	expect(soq_socket_set_timeouts(s, watchdog_ns(), -1), 0);
	started(first, soq_recv_buf_async(s, &first->op, pool, 0));
	raw_fill(fd, 6, 0, 512);
	raw_send(fd, "more", 4);
	/* Behind one it has its turn as soon as that has come. */
	expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
	assert_memory_equal(in, "more", 4);
	await(t, first);
	expect_end(first, 512, 0);

	started(first, soq_recv_buf_async(s, &first->op, pool, 0));
	started(second, soq_recv_buf_async(s, &second->op, pool, 0));
	raw_fill(fd, 6, 512, 1024);
	raw_send(fd, "more", 4);
	expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
	assert_memory_equal(in, "more", 4);
	expect(first->events + second->events, 1);
	run_until(t, finished(first) && finished(second));
	keeper_return(&k, 6, 0);
	keeper_return(&k, 6, 512);
	keeper_return(&k, 6, 1024);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

/* A receive may wait behind the connect; a failed one ends it with its error. */
static void pooled_receive_waits_behind_a_connect(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct probe *connecting = probe(t), *in = probe(t);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_endpoint ep;
	int holder, fd, listener = raw_listener(AF_INET, 1, 0, &ep);

	started(connecting, soq_connect_async(s, &connecting->op, &ep));
	started(in, soq_recv_buf_async(s, &in->op, pool, 0));
	await(t, connecting);
	expect_end(connecting, 0, 0);
	fd = raw_accept(listener);
	raw_send(fd, "hi", 2);
	await(t, in);
	expect_end(in, 2, 0);
	expect(soq_buf_return(in->buf), 0);
	expect(soq_close(s), 0);
	close(fd);
	close(listener);

	refused_endpoint(AF_INET, &ep, &holder);
	s = open_socket(t, AF_INET);
	started(connecting, soq_connect_async(s, &connecting->op, &ep));
	started(in, soq_recv_buf_async(s, &in->op, pool, SOQ_MULTISHOT));
	run_until(t, finished(connecting) && finished(in));
	expect_end(connecting, -ECONNREFUSED, 0);
	expect_end(in, -ECONNREFUSED, 0);
	expect(soq_close(s), 0);
	close(holder);
	pool_close(pool);
}

static const struct conf_case cases[] = {
	CASE(ipv4_stream_arrives_one_by_one, "5b 7b"),
	CASE(ipv6_stream_arrives_one_by_one, "5b 7b"),
	CASE(unix_stream_arrives_one_by_one, "5b 7b"),
	CASE(ipv4_stream_arrives_by_multishot, "1c 7b"),
	CASE(unix_stream_arrives_by_multishot, "1c 7b"),
	CASE(stream_buf_has_no_sender, ""),
	CASE(every_end_is_told_from_every_reset, "7a 7b 7d 7e"),
	CASE(reset_ends_both_lanes, "7a 7d"),
	CASE(queued_receives_end_in_start_order, "9b"),
	CASE(receive_behind_an_armed_multishot_waits_for_its_end, "12a"),
	CASE(synchronous_receives_between_multishots_lose_nothing, "12a 20b 14a"),
	CASE(synchronous_receive_has_its_turn_behind_pooled_ones, "20b"),
	CASE(pooled_receive_waits_behind_a_connect, "11a 11b"),
};

CONF_GROUP(pool_stream, cases)
