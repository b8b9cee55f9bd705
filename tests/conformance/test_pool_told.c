/* SPDX-License-Identifier: MIT */
/* What is told of a message in a buf beside its bytes: soq_buf_message(). */
#define _GNU_SOURCE
#include "support.h"

#define ALL (SOQ_INFO_SEGMENTS | SOQ_INFO_ECN | SOQ_INFO_PACKET | SOQ_INFO_TIME)

/* Bufs large enough for what a kernel may put together. */
static struct soq_pool *pool_large(struct fixture *t, uint32_t count)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .share = count / 2,
					    .class_count = 1,
					    .classes = { { 66000, count } } };

	return pool_open_as(t, &options);
}

static void send_marked(struct datagrams *d, const void *bytes, size_t size, uint16_t segment)
{
	struct iovec one = { (void *)(uintptr_t)bytes, size };
	struct soq_message m = { .size = sizeof(m),
				 .segments = &one,
				 .segment_count = 1,
				 .info = SOQ_INFO_ECN | (segment ? SOQ_INFO_SEGMENTS : 0),
				 .segment_size_bytes = segment,
				 .ecn = 2,
				 .peer = d->at_b };

	expect(soq_send_msg(d->a, &m, 0), size);
}

static void expect_told(struct datagrams *d, const struct soq_buf *buf, size_t size)
{
	struct soq_message m = { .size = sizeof(m) };

	assert_non_null(buf);
	expect(buf->size_bytes, size);
	expect(soq_buf_message(buf, &m), 0);
	expect(m.length_bytes, size);
	expect(m.flags, 0);
	expect(m.info & (SOQ_INFO_ECN | SOQ_INFO_PACKET | SOQ_INFO_TIME | SOQ_INFO_CUT),
	       SOQ_INFO_ECN | SOQ_INFO_PACKET | SOQ_INFO_TIME);
	expect(m.ecn, 2);
	expect_true(m.interface > 0 && m.time_ns > 0);
	expect(soq_endpoint_equal(&m.peer, &d->at_a), 1);
	expect(soq_endpoint_port(&m.local), 0);
	expect(m.local.addr.any.sa_family, d->at_b.addr.any.sa_family);
}

static void told(struct fixture *t, int family, uint32_t flags)
{
	struct soq_pool *pool = pool_large(t, 4);
	struct datagrams d = datagrams_bound(t, family);
	struct probe *p = probe(t);

	expect(soq_socket_set_message_info(d.b, ALL), 0);
	started(p, soq_recv_buf_async(d.b, &p->op, pool, flags));
	settle(t);
	send_marked(&d, "hello", 5, 0);
	run_until(t, p->events == 1);
	expect_told(&d, p->buf, 5);
	assert_memory_equal(p->buf->data, "hello", 5);
	expect(soq_buf_return(p->buf), 0);
	/* A message of no bytes tells as much. */
	if (!flags)
		started(p, soq_recv_buf_async(d.b, &p->op, pool, 0));
	settle(t);
	send_marked(&d, "", 0, 0);
	run_until(t, p->events == 2);
	expect_told(&d, p->buf, 0);
	expect(soq_buf_return(p->buf), 0);
	datagrams_close(&d);
	await(t, p);
	pool_close(pool);
}

static void single_receives_tell_all(struct fixture *t)
{
	told(t, AF_INET, 0);
	told(t, AF_INET6, 0);
}

static void multishot_receives_tell_all(struct fixture *t)
{
	told(t, AF_INET, SOQ_MULTISHOT);
	told(t, AF_INET6, SOQ_MULTISHOT);
}

/* Thirty datagrams in one buf, or in as many as the kernel makes of them. */
static void segments_come_in_one_buf(struct fixture *t)
{
	static char bytes[36000];
	struct soq_pool *pool = pool_large(t, 32);
	struct datagrams d = datagrams_bound(t, AF_INET);
	size_t got = 0;

	fill(bytes, sizeof(bytes), 9, 0);
	expect(soq_socket_set_message_info(d.b, ALL), 0);
	send_marked(&d, bytes, sizeof(bytes), 1200);
	while (got < sizeof(bytes)) {
		struct soq_message m = { .size = sizeof(m) };
		struct probe *p = probe(t);

		started(p, soq_recv_buf_async(d.b, &p->op, pool, 0));
		await(t, p);
		expect(soq_buf_message(p->buf, &m), 0);
		if (p->buf->size_bytes > 1200) {
			expect(m.info & SOQ_INFO_SEGMENTS, SOQ_INFO_SEGMENTS);
			expect(m.segment_size_bytes, 1200);
		}
		expect_true(is_filled(p->buf->data, p->buf->size_bytes, 9, got));
		got += p->buf->size_bytes;
		expect(soq_buf_return(p->buf), 0);
	}
	expect(got, sizeof(bytes));
	datagrams_close(&d);
	pool_close(pool);
}

static void streams_and_unasked_sockets_tell_nothing(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct soq_message m = { .size = sizeof(m) };
	struct probe *p = probe(t), *q = probe(t);
	struct soq_socket *s;
	int fd;

	s = pair_raw(t, AF_INET, &fd);
	started(p, soq_recv_buf_async(s, &p->op, pool, 0));
	raw_send(fd, "x", 1);
	await(t, p);
	expect(soq_buf_message(p->buf, &m), 0);
	expect(m.info, 0);
	expect(m.peer.size_bytes, 0);
	expect(m.length_bytes, 1);
	m.size--;
	expect(soq_buf_message(p->buf, &m), -EINVAL);
	expect(soq_buf_message(p->buf, NULL), -EINVAL);
	expect(soq_buf_return(p->buf), 0);
	m.size++;
	expect(soq_buf_message(p->buf, &m), -EBADF);

	started(q, soq_recv_buf_async(d.b, &q->op, pool, 0));
	expect(soq_send_to(d.a, "y", 1, 0, &d.at_b), 1);
	await(t, q);
	expect(soq_buf_message(q->buf, &m), 0);
	expect(m.info, 0);
	expect(soq_endpoint_equal(&m.peer, &d.at_a), 1);
	expect(soq_buf_return(q->buf), 0);
	datagrams_close(&d);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(single_receives_tell_all, ""),
	CASE(multishot_receives_tell_all, ""),
	CASE(segments_come_in_one_buf, ""),
	CASE(streams_and_unasked_sockets_tell_nothing, ""),
};

CONF_GROUP(pool_told, cases)
