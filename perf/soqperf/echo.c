/* SPDX-License-Identifier: MIT */
/* The echo server's connections, from accept to their last event. */
#include "echo.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>

#define SLAB_CONNECTIONS  64u
#define FINISH_TIMEOUT_NS INT64_C(1000000000)

struct connection {
	struct echo *echo;
	struct soq_socket *socket;
	struct soq_op receive;
	struct soq_op send;
	struct soq_op end;
	unsigned char *buffers[2];
	unsigned filling;       /* the buffer that the receive has or will have */
	uint32_t sending_bytes; /* 0: no send in flight */
	uint32_t held_bytes;    /* received while a send was in flight */
	bool ended;             /* the peer sends no more */
	bool ending;            /* `end` is in flight */
	bool hoards;
	struct connection *next;
	struct connection *prev;
};

struct slab {
	struct slab *next;
	unsigned char *buffers;
	struct connection connections[SLAB_CONNECTIONS];
};

struct echo {
	struct soq_loop *loop;
	struct echo_options options;
	struct soq_pool *pool;
	struct soq_buf *hoard; /* linked by their ops' user */
	struct soq_socket *listener;
	struct soq_op accept;
	struct echo_counters counters;
	struct slab *slabs;
	struct connection *free;
	struct connection open; /* head of a ring of the open ones */
	bool closing;
};

static int grow(struct echo *e)
{
	size_t size_bytes = e->options.pooled ? 0 : e->options.buffer_bytes;
	struct slab *slab = calloc(1, sizeof(*slab));
	unsigned char *buffers = malloc(SLAB_CONNECTIONS * 2 * size_bytes + 1);

	if (!slab || !buffers) {
		free(slab);
		free(buffers);
		return -ENOMEM;
	}
	e->counters.allocations += 2;
	slab->buffers = buffers;
	slab->next = e->slabs;
	e->slabs = slab;
	for (unsigned i = 0; i < SLAB_CONNECTIONS; i++) {
		struct connection *c = &slab->connections[i];

		c->buffers[0] = buffers + i * 2 * size_bytes;
		c->buffers[1] = c->buffers[0] + size_bytes;
		c->next = e->free;
		e->free = c;
	}
	return 0;
}

static struct connection *take(struct echo *e)
{
	struct connection *c;

	if (!e->free && grow(e) < 0)
		return NULL;
	c = e->free;
	e->free = c->next;
	c->next = &e->open;
	c->prev = e->open.prev;
	c->prev->next = c;
	c->next->prev = c;
	e->counters.connections++;
	return c;
}

static void on_end(const struct soq_event *event)
{
	struct connection *c = event->op->user;
	struct echo *e = c->echo;

	c->prev->next = c->next;
	c->next->prev = c->prev;
	c->next = e->free;
	e->free = c;
	e->counters.connections--;
}

/* `end` is the last event of the socket: after it the connection is free again. */
static void end_connection(struct connection *c, bool in_good_order)
{
	int ret;

	if (c->ending)
		return;
	c->ending = true;
	if (in_good_order) {
		ret = soq_finish_async(c->socket, &c->end, FINISH_TIMEOUT_NS);
	} else {
		c->echo->counters.broken++;
		ret = soq_close_async(c->socket, &c->end);
	}
	if (ret < 0)
		c->echo->counters.error = ret;
}

static uint32_t send_flags(const struct connection *c)
{
	return c->echo->options.lazy ? SOQ_LAZY : 0;
}

static void on_buf_sent(const struct soq_event *event)
{
	struct soq_buf *buf = soq_buf_of(event->op);
	struct connection *c = event->op->user;

	if (event->result == (int64_t)buf->size_bytes)
		c->echo->counters.bytes_sent += buf->size_bytes;
	else
		end_connection(c, false);
	(void)soq_buf_return(buf);
}

static void keep(struct echo *e, struct soq_buf *buf)
{
	buf->op.user = e->hoard;
	e->hoard = buf;
}

static void on_buf(const struct soq_event *event)
{
	struct connection *c = event->op->user;
	struct soq_buf *buf = event->buf;

	if (buf == NULL) {
		/* In good order what is being sent goes out first. */
		end_connection(c, event->result == 0);
		return;
	}
	if (c->hoards) {
		keep(c->echo, buf);
		return;
	}
	c->echo->counters.bytes += buf->size_bytes;
	buf->op.done = on_buf_sent;
	buf->op.user = c;
	if (soq_send_async(c->socket, &buf->op, buf->data, buf->size_bytes, send_flags(c)) == 0)
		return;
	(void)soq_buf_return(buf);
	end_connection(c, false);
}

static void start_receive(struct connection *c)
{
	struct echo *e = c->echo;
	int ret;

	if (e->options.pooled)
		ret = soq_recv_buf_async(c->socket, &c->receive, e->pool, SOQ_MULTISHOT);
	else
		ret = soq_recv_async(c->socket, &c->receive, c->buffers[c->filling],
				     e->options.buffer_bytes, 0);
	if (ret < 0)
		end_connection(c, false);
}

/* Sends back what `filling` holds, and receives into the other buffer meanwhile. */
static void echo_back(struct connection *c, uint32_t bytes)
{
	unsigned char *data = c->buffers[c->filling];

	c->filling ^= 1;
	c->held_bytes = 0;
	c->sending_bytes = bytes;
	if (soq_send_async(c->socket, &c->send, data, bytes, send_flags(c)) < 0) {
		c->sending_bytes = 0;
		end_connection(c, false);
		return;
	}
	start_receive(c);
}

static void on_receive(const struct soq_event *event)
{
	struct connection *c = event->op->user;

	if (c->ending)
		return;
	if (event->result < 0) {
		end_connection(c, false);
		return;
	}
	if (event->result == 0) {
		c->ended = true;
		if (!c->sending_bytes)
			end_connection(c, true);
		return;
	}
	c->echo->counters.bytes += (uint64_t)event->result;
	if (c->sending_bytes)
		c->held_bytes = (uint32_t)event->result;
	else
		echo_back(c, (uint32_t)event->result);
}

static void on_send(const struct soq_event *event)
{
	struct connection *c = event->op->user;
	uint32_t bytes = c->sending_bytes;

	c->sending_bytes = 0;
	if (event->result == (int64_t)bytes)
		c->echo->counters.bytes_sent += bytes;
	if (c->ending)
		return;
	if (event->result != (int64_t)bytes)
		end_connection(c, false);
	else if (c->held_bytes)
		echo_back(c, c->held_bytes);
	else if (c->ended)
		end_connection(c, true);
}

static void begin(struct connection *c, struct echo *e, struct soq_socket *s)
{
	int on = 1;

	c->echo = e;
	c->socket = s;
	c->receive = (struct soq_op){ .done = e->options.pooled ? on_buf : on_receive, .user = c };
	c->hoards = e->options.hoards && e->counters.accepts == 1;
	c->send = (struct soq_op){ .done = on_send, .user = c };
	c->end = (struct soq_op){ .done = on_end, .user = c };
	c->filling = 0;
	c->sending_bytes = 0;
	c->held_bytes = 0;
	c->ended = false;
	c->ending = false;
	/* A peer that is gone already makes this fail; the receive will say so. */
	(void)!soq_option_set(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	start_receive(c);
}

static void on_accept(const struct soq_event *event)
{
	struct echo *e = event->op->user;
	struct connection *c;

	if (event->socket) {
		c = e->closing ? NULL : take(e);
		if (c) {
			e->counters.accepts++;
			begin(c, e, event->socket);
		} else {
			soq_abort(event->socket);
		}
	}
	if (!(event->flags & SOQ_F_MORE) && !e->closing) {
		e->counters.error = event->result < 0 ? (int)event->result : -ECANCELED;
		soq_loop_stop(e->loop);
	}
}

static int listen_at(struct echo *e, const struct soq_endpoint *ep)
{
	int ret;

	ret = soq_socket_open(e->loop, ep->addr.any.sa_family, SOCK_STREAM, 0, &e->listener);
	if (ret < 0)
		return ret;
	ret = soq_bind(e->listener, ep);
	if (ret == 0)
		ret = soq_listen(e->listener, 0);
	if (ret == 0)
		ret = soq_accept_async(e->listener, &e->accept, SOQ_MULTISHOT);
	if (ret < 0)
		soq_close(e->listener);
	return ret;
}

static int make_pool(struct echo *e)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .share = e->options.pool_share,
					    .class_count = 1 };

	options.classes[0].buf_size_bytes = e->options.buffer_bytes;
	options.classes[0].buf_count = e->options.pool_bufs;
	return soq_pool_create(e->loop, &options, &e->pool);
}

int echo_open(struct soq_loop *loop, const struct soq_endpoint *ep,
	      const struct echo_options *options, struct echo **out)
{
	struct echo *e = calloc(1, sizeof(*e));
	int ret = 0;

	if (!e)
		return -ENOMEM;
	e->loop = loop;
	e->options = *options;
	if (!options->pooled && !options->buffer_bytes)
		e->options.buffer_bytes = ECHO_BUFFER_BYTES;
	e->accept = (struct soq_op){ .done = on_accept, .user = e };
	e->open.next = &e->open;
	e->open.prev = &e->open;
	if (options->pooled)
		ret = make_pool(e);
	if (ret == 0)
		ret = listen_at(e, ep);
	if (ret < 0) {
		soq_pool_destroy(e->pool);
		free(e);
		return ret;
	}
	*out = e;
	return 0;
}

int echo_address(struct echo *e, struct soq_endpoint *ep_out)
{
	return soq_socket_local(e->listener, ep_out);
}

const struct echo_counters *echo_counters(const struct echo *e)
{
	return &e->counters;
}

void echo_close(struct echo *e)
{
	if (e->closing)
		return;
	e->closing = true;
	soq_close(e->listener);
	for (struct connection *c = e->open.next; c != &e->open; c = c->next)
		end_connection(c, true);
}

struct soq_pool_info echo_pool_info(const struct echo *e)
{
	struct soq_pool_info info = { .size = sizeof(info) };

	(void)soq_pool_info(e->pool, &info);
	return info;
}

int echo_free(struct echo *e)
{
	struct slab *slab;
	struct soq_buf *buf;
	int ret;

	while ((buf = e->hoard) != NULL) {
		e->hoard = buf->op.user;
		(void)soq_buf_return(buf);
	}
	ret = soq_pool_destroy(e->pool);
	while ((slab = e->slabs) != NULL) {
		e->slabs = slab->next;
		free(slab->buffers);
		free(slab);
	}
	free(e);
	return ret;
}
