/* SPDX-License-Identifier: MIT */
/* Receives into bufs: what is lent, in which order, and what returning it does. */
#define _GNU_SOURCE
#include "support.h"

/* Returns each buf at once. */
static void give_back(struct probe *p, const struct soq_event *event)
{
	(void)p;
	if (event->buf != NULL && soq_buf_return(event->buf) != 0)
		p->stray++;
}

static void buf_holds_what_arrived(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct probe *p = probe(t);
	struct soq_socket *s;
	int fd;

	s = pair_raw(t, AF_INET, &fd);
	started(p, soq_recv_buf_async(s, &p->op, pool, 0));
	settle(t);
	expect(p->events, 0);
	raw_send(fd, "hello", 5);
	await(t, p);
	expect_end(p, 5, 0);
	assert_non_null(p->buf);
	expect(p->buf->size_bytes, 5);
	assert_memory_equal(p->buf->data, "hello", 5);
	expect(soq_pool_destroy(pool), -EBUSY);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	expect(soq_buf_return(p->buf), 0);
	expect(soq_buf_return(p->buf), -EBADF);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

/* Collects a stream and checks it by content. */
struct sink {
	uint64_t offset;
	unsigned wrong;
	unsigned bufs;
};

static void into_sink(struct probe *p, const struct soq_event *event)
{
	struct sink *sink = p->arg;

	if (event->buf == NULL)
		return;
	sink->bufs++;
	if (event->result != (int64_t)event->buf->size_bytes ||
	    !is_filled(event->buf->data, event->buf->size_bytes, 7, sink->offset))
		sink->wrong++;
	sink->offset += event->buf->size_bytes;
	if (soq_buf_return(event->buf) != 0)
		sink->wrong++;
}

static void stream_arrives_in_order_and_ends(struct fixture *t, int family)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct probe *in = probe(t), *out = probe(t);
	struct sink sink = { 0 };
	struct soq_socket *a, *b;
	size_t size = (size_t)4 << 20;
	char *bytes = malloc(size);

	if (family == AF_UNIX)
		pair_unix(t, SOCK_STREAM, &a, &b);
	else
		pair_soq(t, family, &a, &b);
	fill(bytes, size, 7, 0);
	in->then = into_sink;
	in->arg = &sink;
	started(in, soq_recv_buf_async(b, &in->op, pool, SOQ_MULTISHOT));
	started(out, soq_send_async(a, &out->op, bytes, size, 0));
	await(t, out);
	expect(soq_shutdown(a, SOQ_SHUTDOWN_SEND), 0);
	await(t, in);
	expect_end(in, 0, 0);
	expect(sink.wrong, 0);
	expect(sink.offset, size);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	pool_close(pool);
	free(bytes);
}

static void tcp_stream_arrives_in_order_and_ends(struct fixture *t)
{
	stream_arrives_in_order_and_ends(t, AF_INET6);
}

static void unix_stream_arrives_in_order_and_ends(struct fixture *t)
{
	stream_arrives_in_order_and_ends(t, AF_UNIX);
}

/* Keeps what it gets. */
struct keeper {
	struct soq_buf *bufs[64];
	unsigned count;
};

static void keep(struct probe *p, const struct soq_event *event)
{
	struct keeper *k = p->arg;

	if (event->buf != NULL && k->count < COUNT_OF(k->bufs))
		k->bufs[k->count++] = event->buf;
}

static void share_is_exact_and_a_return_resumes(struct fixture *t)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .share = 3,
					    .class_count = 1,
					    .classes = { { 1024, 16 } } };
	struct soq_pool *pool = pool_open_as(t, &options);
	struct keeper k = { .count = 0 };
	struct probe *p = probe(t);
	struct soq_socket *s;
	char bytes[12 * 1024], in[12 * 1024];
	size_t got = 0;
	int fd;

	s = pair_raw(t, AF_INET, &fd);
	p->then = keep;
	p->arg = &k;
	fill(bytes, sizeof(bytes), 5, 0);
	started(p, soq_recv_buf_async(s, &p->op, pool, SOQ_MULTISHOT));
	raw_send(fd, bytes, sizeof(bytes));
	run_until(t, k.count == 3);
	for (int i = 0; i < 5; i++)
		settle(t);
	expect(k.count, 3);
	expect(pool_info(pool).bufs_lent, 3);
	for (unsigned i = 0; got < sizeof(bytes); i++) {
		run_until(t, k.count > i);
		expect_true(k.count <= i + 3);
		memcpy(in + got, k.bufs[i]->data, k.bufs[i]->size_bytes);
		got += k.bufs[i]->size_bytes;
		expect(soq_buf_return(k.bufs[i]), 0);
	}
	expect_true(is_filled(in, sizeof(in), 5, 0));
	expect_true(pool_info(pool).pauses > 0);
	p->then = give_back;
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(s), 0);
	pool_close(pool);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(buf_holds_what_arrived, "15d"),
	CASE(tcp_stream_arrives_in_order_and_ends, "7b"),
	CASE(unix_stream_arrives_in_order_and_ends, "7b"),
	CASE(share_is_exact_and_a_return_resumes, "2h"),
};

CONF_GROUP(pool, cases)
