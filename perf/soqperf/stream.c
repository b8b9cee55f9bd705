/* SPDX-License-Identifier: MIT */
/*
 * The load of `stream`: flows that send chunks without pause to a sink, several
 * outstanding on each, or receive without pause from a source and compare every byte.
 */
#include "load.h"
#include "pattern.h"
#include "run.h"

#include <errno.h>
#include <stdlib.h>

/* Of a receiver, so large that it costs less than the source it is to keep busy. */
#define BUF_BYTES (256u * 1024)
#define BUFS      32u

struct flow {
	struct stream *stream;
	struct soq_socket *socket;
	struct soq_op receive; /* also the connect */
	struct soq_op end;
	struct soq_op *sends;
	uint64_t begun;    /* position behind the last chunk begun */
	uint64_t position; /* bytes whose sends have ended, or that came */
	bool dead;
};

struct stream {
	struct load load;
	uint32_t size_bytes; /* of a chunk */
	uint32_t pipeline;
	struct flow *flows;
	struct soq_op *sends;
	unsigned char *data;   /* a chunk can begin at any place of the pattern */
	struct soq_pool *pool; /* of the receivers */
	uint32_t connecting;
};

static struct stream *stream_of(struct load *load)
{
	return (void *)load;
}

static void kill_flow(struct flow *f)
{
	if (f->dead)
		return;
	f->dead = true;
	soq_abort(f->socket);
	f->stream->load.live--;
}

static void fail_flow(struct flow *f, int64_t error)
{
	if (f->dead)
		return;
	load_note_failure(&f->stream->load, error);
	kill_flow(f);
}

static void count_bytes(struct flow *f, uint64_t bytes)
{
	struct load *load = &f->stream->load;

	f->position += bytes;
	if (load->phase == LOAD_WINDOW)
		load->result.count += bytes;
}

static void send_chunk(struct flow *f, struct soq_op *op)
{
	struct stream *stream = f->stream;
	int ret;

	if (!load_may_begin(&stream->load))
		return;
	ret = soq_send_async(f->socket, op, stream->data + f->begun % PATTERN_BYTES,
			     stream->size_bytes, 0);
	if (ret < 0) {
		fail_flow(f, ret);
		return;
	}
	f->begun += stream->size_bytes;
	stream->load.outstanding++;
}

static void on_sent(const struct soq_event *event)
{
	struct flow *f = event->op->user;
	struct stream *stream = f->stream;

	stream->load.outstanding--;
	if (event->result > 0)
		count_bytes(f, (uint64_t)event->result);
	if (f->dead)
		return;
	if (event->result == (int64_t)stream->size_bytes)
		send_chunk(f, event->op);
	else
		fail_flow(f, event->result < 0 ? event->result : -EIO);
}

static void on_buf(const struct soq_event *event)
{
	struct flow *f = event->op->user;
	struct load *load = &f->stream->load;
	struct soq_buf *buf = event->buf;

	if (!buf) {
		fail_flow(f, event->result < 0 ? event->result : -ECONNRESET);
		return;
	}
	if (!f->dead && pattern_equal(buf->data, buf->size_bytes, f->position)) {
		count_bytes(f, buf->size_bytes);
		load->result.verified += buf->size_bytes;
	} else if (!f->dead) {
		load->result.wrong++;
		kill_flow(f);
	}
	(void)soq_buf_return(buf);
}

static void on_connected(const struct soq_event *event)
{
	struct flow *f = event->op->user;

	f->stream->connecting--;
	if (event->result < 0)
		fail_flow(f, event->result);
}

static int open_flow(struct flow *f)
{
	struct load *load = &f->stream->load;
	int ret;

	ret = soq_socket_open(load->loop, load->endpoint.addr.any.sa_family, SOCK_STREAM, 0,
			      &f->socket);
	if (ret < 0)
		return ret;
	f->dead = false;
	load->live++;
	f->receive = (struct soq_op){ .done = on_connected, .user = f };
	ret = soq_connect_async(f->socket, &f->receive, &load->endpoint);
	if (ret == 0)
		f->stream->connecting++;
	return ret;
}

static int connect_all(struct load *load, int64_t timeout_ns)
{
	int64_t until_ns = clock_now_ns() + timeout_ns;
	struct stream *stream = stream_of(load);
	int ret;

	for (uint32_t i = 0; i < load->options->connections; i++) {
		ret = open_flow(&stream->flows[i]);
		if (ret < 0)
			return ret;
	}
	while (stream->connecting && !load->result.first_error) {
		if (run_signal())
			return -EINTR;
		if (clock_now_ns() >= until_ns)
			return -ETIMEDOUT;
		ret = load_turn(load, until_ns);
		if (ret < 0)
			return ret;
	}
	return load->result.first_error;
}

static void start_flow(struct flow *f)
{
	struct stream *stream = f->stream;
	int ret;

	if (stream->load.options->reverse) {
		f->receive.done = on_buf;
		ret = soq_recv_buf_async(f->socket, &f->receive, stream->pool, SOQ_MULTISHOT);
		if (ret < 0)
			fail_flow(f, ret);
		return;
	}
	for (uint32_t i = 0; i < stream->pipeline && !f->dead; i++) {
		f->sends[i] = (struct soq_op){ .done = on_sent, .user = f };
		send_chunk(f, &f->sends[i]);
	}
}

static void start(struct load *load)
{
	struct stream *stream = stream_of(load);

	for (uint32_t i = 0; i < load->options->connections; i++) {
		if (!stream->flows[i].dead)
			start_flow(&stream->flows[i]);
	}
}

/* The sink has ended too, behind all that was sent to it. */
static void on_end(const struct soq_event *event)
{
	struct flow *f = event->op->user;

	if (event->result < 0)
		load_note_failure(&f->stream->load, event->result);
	else
		f->stream->load.result.verified += f->position;
}

static void close_all(struct load *load, int64_t timeout_ns)
{
	struct stream *stream = stream_of(load);

	for (uint32_t i = 0; i < load->options->connections; i++) {
		struct flow *f = &stream->flows[i];

		if (f->dead)
			continue;
		f->dead = true;
		f->end = (struct soq_op){ .done = on_end, .user = f };
		if (load->options->reverse)
			soq_abort(f->socket);
		else if (soq_finish_async(f->socket, &f->end, timeout_ns) < 0)
			load_note_failure(load, -EIO);
	}
	load_run_out(load, timeout_ns);
}

static int make_pool(struct stream *stream)
{
	struct soq_pool_options pool = { .size = sizeof(pool), .class_count = 1 };
	pool.classes[0].buf_size_bytes = BUF_BYTES;
	pool.classes[0].buf_count = BUFS;
	return soq_pool_create(stream->load.loop, &pool, &stream->pool);
}

static int create(struct load *load)
{
	const struct options *o = load->options;
	struct stream *stream = stream_of(load);

	stream->size_bytes = o->size_bytes;
	stream->pipeline = o->pipeline;
	stream->flows = calloc(o->connections, sizeof(*stream->flows));
	stream->sends = calloc((size_t)o->connections * o->pipeline, sizeof(*stream->sends));
	stream->data = malloc(PATTERN_BYTES + o->size_bytes);
	if (!stream->flows || !stream->sends || !stream->data)
		return -ENOMEM;
	pattern_fill(stream->data, PATTERN_BYTES + o->size_bytes);
	for (uint32_t i = 0; i < o->connections; i++) {
		stream->flows[i].stream = stream;
		stream->flows[i].sends = &stream->sends[(size_t)i * o->pipeline];
		stream->flows[i].dead = true;
	}
	return o->reverse ? make_pool(stream) : 0;
}

static void destroy(struct load *load)
{
	struct stream *stream = stream_of(load);

	soq_pool_destroy(stream->pool);
	free(stream->flows);
	free(stream->sends);
	free(stream->data);
}

/* What the sink had counted at its end must be what the flows have sent, to the byte. */
static void audit(struct load *load, const struct control_report *last)
{
	uint64_t sent = load->result.verified;

	if (!load->options->reverse)
		load->result.lost = sent > last->bytes ? sent - last->bytes : last->bytes - sent;
}

static const struct role *role(const struct options *options)
{
	return options->reverse ? &role_source : &role_sink;
}

static uint64_t served(const struct options *options, const struct control_report *difference)
{
	(void)options;
	return difference->bytes / 1024;
}

const struct load_mode mode_stream = {
	.name = "stream",
	.unit = "kib",
	.units = "kib",
	.unit_counts = 1024,
	.keeps_open = true,
	.role = role,
	.served = served,
	.size_bytes = sizeof(struct stream),
	.create = create,
	.connect = connect_all,
	.start = start,
	.close = close_all,
	.audit = audit,
	.destroy = destroy,
};
