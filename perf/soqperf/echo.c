/* SPDX-License-Identifier: MIT */
/* The echo role: what a connection received, and that is counted, is sent back on it. */
#include "echo.h"

#include "acceptor.h"

#include <errno.h>
#include <stdlib.h>

struct echo_connection {
	struct connection base;
	struct soq_op receive;
	unsigned sending; /* bufs whose sends are in flight */
	bool hoards;

	/* Of the plain way. */
	struct soq_op send;
	unsigned char *buffers[2];
	unsigned filling;       /* the buffer that the receive has or will have */
	uint32_t sending_bytes; /* 0: no send in flight */
	uint32_t held_bytes;    /* received while a send was in flight */
	bool ended;             /* the peer sends no more */
};

struct echo {
	struct acceptor acceptor;
	struct echo_options options;
	struct soq_buf *hoard; /* linked by their ops' user */
};

static struct echo *echo_of(const struct echo_connection *c)
{
	return (void *)c->base.acceptor;
}

static uint32_t send_flags(const struct echo_connection *c)
{
	return echo_of(c)->options.lazy ? SOQ_LAZY : 0;
}

/* The peer has ended, and this side does so behind what is being sent. */
static void end_well(struct echo_connection *c)
{
	if (c->sending)
		connection_finish(&c->base);
	else
		connection_close(&c->base);
}

static void on_buf_sent(const struct soq_event *event)
{
	struct soq_buf *buf = soq_buf_of(event->op);
	struct echo_connection *c = event->op->user;

	c->sending--;
	if (event->result == (int64_t)buf->size_bytes)
		echo_of(c)->acceptor.service.counters.bytes_sent += buf->size_bytes;
	else
		connection_break(&c->base);
	(void)soq_buf_return(buf);
}

static void keep(struct echo *e, struct soq_buf *buf)
{
	buf->op.user = e->hoard;
	e->hoard = buf;
}

static void on_buf(const struct soq_event *event)
{
	struct echo_connection *c = event->op->user;
	struct soq_buf *buf = event->buf;

	if (buf == NULL) {
		if (event->result == 0)
			end_well(c);
		else
			connection_break(&c->base);
		return;
	}
	if (c->hoards) {
		keep(echo_of(c), buf);
		return;
	}
	echo_of(c)->acceptor.service.counters.bytes += buf->size_bytes;
	buf->op.done = on_buf_sent;
	buf->op.user = c;
	if (soq_send_async(c->base.socket, &buf->op, buf->data, buf->size_bytes, send_flags(c)) ==
	    0) {
		c->sending++;
		return;
	}
	(void)soq_buf_return(buf);
	connection_break(&c->base);
}

static void start_receive(struct echo_connection *c)
{
	struct echo *e = echo_of(c);
	int ret;

	if (e->options.pooled)
		ret = soq_recv_buf_async(c->base.socket, &c->receive, e->acceptor.service.pool,
					 SOQ_MULTISHOT);
	else
		ret = soq_recv_async(c->base.socket, &c->receive, c->buffers[c->filling],
				     e->options.buffer_bytes, 0);
	if (ret < 0)
		connection_break(&c->base);
}

/* Sends back what `filling` holds, and receives into the other buffer meanwhile. */
static void echo_back(struct echo_connection *c, uint32_t bytes)
{
	unsigned char *data = c->buffers[c->filling];

	c->filling ^= 1;
	c->held_bytes = 0;
	c->sending_bytes = bytes;
	if (soq_send_async(c->base.socket, &c->send, data, bytes, send_flags(c)) < 0) {
		c->sending_bytes = 0;
		connection_break(&c->base);
		return;
	}
	start_receive(c);
}

static void on_receive(const struct soq_event *event)
{
	struct echo_connection *c = event->op->user;

	if (c->base.ending)
		return;
	if (event->result < 0) {
		connection_break(&c->base);
		return;
	}
	if (event->result == 0) {
		c->ended = true;
		if (!c->sending_bytes)
			connection_close(&c->base);
		return;
	}
	echo_of(c)->acceptor.service.counters.bytes += (uint64_t)event->result;
	if (c->sending_bytes)
		c->held_bytes = (uint32_t)event->result;
	else
		echo_back(c, (uint32_t)event->result);
}

static void on_send(const struct soq_event *event)
{
	struct echo_connection *c = event->op->user;
	uint32_t bytes = c->sending_bytes;

	c->sending_bytes = 0;
	if (event->result == (int64_t)bytes)
		echo_of(c)->acceptor.service.counters.bytes_sent += bytes;
	if (c->base.ending)
		return;
	if (event->result != (int64_t)bytes)
		connection_break(&c->base);
	else if (c->held_bytes)
		echo_back(c, c->held_bytes);
	else if (c->ended)
		connection_close(&c->base);
}

static void begin(struct connection *base)
{
	struct echo_connection *c = (void *)base;
	struct echo *e = echo_of(c);

	*c = (struct echo_connection){
		.base = *base,
		.receive = { .done = e->options.pooled ? on_buf : on_receive, .user = c },
		.send = { .done = on_send, .user = c },
		.hoards = e->options.hoards && e->acceptor.service.counters.accepts == 1,
	};
	if (!e->options.pooled) {
		c->buffers[0] = base->buffer;
		c->buffers[1] = base->buffer + e->options.buffer_bytes;
	}
	start_receive(c);
}

int echo_open(struct soq_loop *loop, const struct soq_endpoint *ep,
	      const struct echo_options *options, struct echo **out)
{
	struct acceptor_options acceptor = { .connection_bytes = sizeof(struct echo_connection),
					     .begin = begin };
	struct service_options service = {
		.pooled = options->pooled,
		.buffer_bytes = options->buffer_bytes,
		.pool_bufs = options->pool_bufs,
		.pool_share = options->pool_share,
	};
	struct echo *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return -ENOMEM;
	e->options = *options;
	if (!e->options.buffer_bytes)
		e->options.buffer_bytes = SERVICE_BUFFER_BYTES;
	if (!options->pooled)
		acceptor.buffer_bytes = 2 * (size_t)e->options.buffer_bytes;
	ret = acceptor_open(&e->acceptor, loop, ep, &service, &acceptor);
	if (ret < 0) {
		free(e);
		return ret;
	}
	*out = e;
	return 0;
}

int echo_address(struct echo *e, struct soq_endpoint *ep_out)
{
	return soq_socket_local(e->acceptor.service.socket, ep_out);
}

const struct service_counters *echo_counters(const struct echo *e)
{
	return &e->acceptor.service.counters;
}

void echo_close(struct echo *e)
{
	acceptor_close(&e->acceptor);
}

struct soq_pool_info echo_pool_info(const struct echo *e)
{
	struct soq_pool_info info = { .size = sizeof(info) };

	(void)soq_pool_info(e->acceptor.service.pool, &info);
	return info;
}

int echo_free(struct echo *e)
{
	struct soq_buf *buf;
	int ret;

	while ((buf = e->hoard) != NULL) {
		e->hoard = buf->op.user;
		(void)soq_buf_return(buf);
	}
	ret = acceptor_free(&e->acceptor);
	free(e);
	return ret;
}

/* As a measured server: whoever is measured is lazy. */
static int open_role(struct soq_loop *loop, const struct soq_endpoint *ep,
		     const struct service_options *options, struct service **out)
{
	struct echo_options echo = {
		.lazy = true,
		.pooled = options->pooled,
		.buffer_bytes = options->buffer_bytes,
		.pool_bufs = options->pool_bufs,
		.pool_share = options->pool_share,
	};
	struct echo *e;
	int ret = echo_open(loop, ep, &echo, &e);

	if (ret == 0)
		*out = &e->acceptor.service;
	return ret;
}

static void close_role(struct service *service)
{
	echo_close((void *)service);
}

static int free_role(struct service *service)
{
	return echo_free((void *)service);
}

const struct role role_echo = {
	.name = "echo",
	.open = open_role,
	.close = close_role,
	.free = free_role,
};
