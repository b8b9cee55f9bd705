/* SPDX-License-Identifier: MIT */
/* The sink role: receives as fast as bytes come, and counts them. */
#include "acceptor.h"

#include <errno.h>
#include <stdlib.h>

struct sink_connection {
	struct connection base;
	struct soq_op receive;
};

struct sink {
	struct acceptor acceptor;
	uint32_t buffer_bytes;
};

static void start_receive(struct sink_connection *c);

static void end(struct sink_connection *c, int64_t result)
{
	if (result == 0)
		connection_close(&c->base);
	else
		connection_break(&c->base);
}

static void on_buf(const struct soq_event *event)
{
	struct sink_connection *c = event->op->user;

	if (!event->buf) {
		end(c, event->result);
		return;
	}
	c->base.acceptor->service.counters.bytes += event->buf->size_bytes;
	(void)soq_buf_return(event->buf);
}

static void on_receive(const struct soq_event *event)
{
	struct sink_connection *c = event->op->user;

	if (event->result <= 0) {
		end(c, event->result);
		return;
	}
	c->base.acceptor->service.counters.bytes += (uint64_t)event->result;
	start_receive(c);
}

static void start_receive(struct sink_connection *c)
{
	struct sink *sink = (void *)c->base.acceptor;
	struct soq_pool *pool = sink->acceptor.service.pool;
	int ret;

	if (pool)
		ret = soq_recv_buf_async(c->base.socket, &c->receive, pool, SOQ_MULTISHOT);
	else
		ret = soq_recv_async(c->base.socket, &c->receive, c->base.buffer,
				     sink->buffer_bytes, 0);
	if (ret < 0)
		connection_break(&c->base);
}

static void begin(struct connection *base)
{
	struct sink_connection *c = (void *)base;

	c->receive = (struct soq_op){
		.done = base->acceptor->service.pool ? on_buf : on_receive,
		.user = c,
	};
	start_receive(c);
}

static int open_sink(struct soq_loop *loop, const struct soq_endpoint *ep,
		     const struct service_options *options, struct service **out)
{
	struct acceptor_options acceptor = { .connection_bytes = sizeof(struct sink_connection),
					     .begin = begin };
	struct sink *sink = calloc(1, sizeof(*sink));
	int ret;

	if (!sink)
		return -ENOMEM;
	sink->buffer_bytes = options->buffer_bytes ? options->buffer_bytes : SERVICE_BUFFER_BYTES;
	if (!options->pooled)
		acceptor.buffer_bytes = sink->buffer_bytes;
	ret = acceptor_open(&sink->acceptor, loop, ep, options, &acceptor);
	if (ret < 0)
		free(sink);
	else
		*out = &sink->acceptor.service;
	return ret;
}

static void close_sink(struct service *service)
{
	acceptor_close((void *)service);
}

static int free_sink(struct service *service)
{
	int ret = acceptor_free((void *)service);

	free(service);
	return ret;
}

const struct role role_sink = {
	.name = "sink",
	.open = open_sink,
	.close = close_sink,
	.free = free_sink,
};
