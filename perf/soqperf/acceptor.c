/* SPDX-License-Identifier: MIT */
/* Connections of a TCP role, from accept to their last event. */
#include "acceptor.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#define SLAB_CONNECTIONS  64u
#define FINISH_TIMEOUT_NS INT64_C(1000000000)

struct slab {
	struct slab *next;
	unsigned char *connections;
	unsigned char *buffers;
};

static void free_slab(struct slab *slab)
{
	free(slab->connections);
	free(slab->buffers);
	free(slab);
}

static struct slab *make_slab(const struct acceptor_options *options)
{
	struct slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return NULL;
	slab->connections = calloc(SLAB_CONNECTIONS, options->connection_bytes);
	if (options->buffer_bytes)
		slab->buffers = malloc(SLAB_CONNECTIONS * options->buffer_bytes);
	if (slab->connections && (slab->buffers || !options->buffer_bytes))
		return slab;
	free_slab(slab);
	return NULL;
}

static int grow(struct acceptor *a)
{
	const struct acceptor_options *options = &a->options;
	struct slab *slab = make_slab(options);

	if (!slab)
		return -ENOMEM;
	a->service.counters.allocations += slab->buffers ? 3 : 2;
	slab->next = a->slabs;
	a->slabs = slab;
	for (size_t i = 0; i < SLAB_CONNECTIONS; i++) {
		struct connection *c = (void *)(slab->connections + i * options->connection_bytes);

		c->acceptor = a;
		if (slab->buffers)
			c->buffer = slab->buffers + i * options->buffer_bytes;
		c->next = a->free;
		a->free = c;
	}
	return 0;
}

static struct connection *take(struct acceptor *a)
{
	struct connection *c;

	if (!a->free && grow(a) < 0)
		return NULL;
	c = a->free;
	a->free = c->next;
	c->next = &a->open;
	c->prev = a->open.prev;
	c->prev->next = c;
	c->next->prev = c;
	a->service.counters.connections++;
	return c;
}

static void give_back(struct connection *c)
{
	struct acceptor *a = c->acceptor;

	c->prev->next = c->next;
	c->next->prev = c->prev;
	c->next = a->free;
	a->free = c;
	a->service.counters.connections--;
}

/* The last event of the socket: no op of the connection is in flight any more. */
static void on_end(const struct soq_event *event)
{
	give_back(event->op->user);
}

void connection_close(struct connection *c)
{
	if (c->ending)
		return;
	c->ending = true;
	soq_close(c->socket);
	give_back(c);
}

static void check(struct connection *c, int ret)
{
	if (ret < 0)
		c->acceptor->service.counters.error = ret;
}

void connection_finish(struct connection *c)
{
	if (c->ending)
		return;
	c->ending = true;
	check(c, soq_finish_async(c->socket, &c->end, FINISH_TIMEOUT_NS));
}

void connection_break(struct connection *c)
{
	if (c->ending)
		return;
	c->ending = true;
	c->acceptor->service.counters.broken++;
	check(c, soq_close_async(c->socket, &c->end));
}

static void on_accept(const struct soq_event *event)
{
	struct acceptor *a = event->op->user;
	struct service *service = &a->service;
	struct connection *c;

	if (event->socket) {
		c = service->closing ? NULL : take(a);
		if (c) {
			service->counters.accepts++;
			c->socket = event->socket;
			c->end = (struct soq_op){ .done = on_end, .user = c };
			c->ending = false;
			a->options.begin(c);
		} else {
			soq_abort(event->socket);
		}
	}
	if (!(event->flags & SOQ_F_MORE) && !service->closing) {
		service->counters.error = event->result < 0 ? (int)event->result : -ECANCELED;
		soq_loop_stop(service->loop);
	}
}

static int listen_at(struct acceptor *a, const struct soq_endpoint *ep)
{
	struct soq_socket *s;
	int on = 1, ret;

	ret = soq_socket_open(a->service.loop, ep->addr.any.sa_family, SOCK_STREAM, 0, &s);
	if (ret < 0)
		return ret;
	/* Accepted connections inherit it: no system call for each. */
	ret = soq_option_set(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (ret == 0)
		ret = soq_bind(s, ep);
	if (ret == 0)
		ret = soq_listen(s, 0);
	if (ret == 0)
		ret = soq_accept_async(s, &a->accept, SOQ_MULTISHOT);
	if (ret < 0)
		soq_close(s);
	else
		a->service.socket = s;
	return ret;
}

int acceptor_open(struct acceptor *a, struct soq_loop *loop, const struct soq_endpoint *ep,
		  const struct service_options *service, const struct acceptor_options *options)
{
	int ret;

	a->service.loop = loop;
	a->options = *options;
	a->accept = (struct soq_op){ .done = on_accept, .user = a };
	a->open.next = &a->open;
	a->open.prev = &a->open;
	ret = service_make_pool(&a->service, service);
	if (ret == 0)
		ret = listen_at(a, ep);
	if (ret < 0)
		soq_pool_destroy(a->service.pool);
	return ret;
}

void acceptor_close(struct acceptor *a)
{
	if (a->service.closing)
		return;
	a->service.closing = true;
	soq_close(a->service.socket);
	for (struct connection *c = a->open.next; c != &a->open; c = c->next)
		connection_finish(c);
}

int acceptor_free(struct acceptor *a)
{
	struct slab *slab;

	while ((slab = a->slabs) != NULL) {
		a->slabs = slab->next;
		free_slab(slab);
	}
	return soq_pool_destroy(a->service.pool);
}
