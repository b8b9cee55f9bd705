/* SPDX-License-Identifier: MIT */
/*
 * The source role: sends the same 64 KiB to every connection, again and again, until the
 * peer closes. Each op sends all of them, and several are outstanding, so that the
 * library has what it can gather. Counted are the bytes whose sends have ended.
 */
#include "acceptor.h"
#include "pattern.h"

#include <errno.h>
#include <stdlib.h>

#define OUTSTANDING 8u

struct source_connection {
	struct connection base;
	struct soq_op receive;
	struct soq_op sends[OUTSTANDING];
	unsigned char ignored[64]; /* what a peer sends: only its end is of interest */
};

struct source {
	struct acceptor acceptor;
	unsigned char chunk[PATTERN_BYTES];
};

static struct source *source_of(const struct source_connection *c)
{
	return (void *)c->base.acceptor;
}

static void start_receive(struct source_connection *c)
{
	if (soq_recv_async(c->base.socket, &c->receive, c->ignored, sizeof(c->ignored), 0) < 0)
		connection_break(&c->base);
}

static void on_receive(const struct soq_event *event)
{
	struct source_connection *c = event->op->user;

	if (event->result > 0)
		start_receive(c);
	else if (event->result == 0)
		connection_finish(&c->base);
	else
		connection_break(&c->base);
}

static void start_send(struct source_connection *c, struct soq_op *op)
{
	if (soq_send_async(c->base.socket, op, source_of(c)->chunk, PATTERN_BYTES, 0) < 0)
		connection_break(&c->base);
}

static void on_sent(const struct soq_event *event)
{
	struct source_connection *c = event->op->user;
	struct service_counters *counters = &c->base.acceptor->service.counters;

	if (event->result > 0)
		counters->bytes += (uint64_t)event->result;
	if (c->base.ending)
		return;
	if (event->result == PATTERN_BYTES)
		start_send(c, event->op);
	else
		connection_break(&c->base);
}

static void begin(struct connection *base)
{
	struct source_connection *c = (void *)base;

	c->receive = (struct soq_op){ .done = on_receive, .user = c };
	start_receive(c);
	for (unsigned i = 0; i < OUTSTANDING && !base->ending; i++) {
		c->sends[i] = (struct soq_op){ .done = on_sent, .user = c };
		start_send(c, &c->sends[i]);
	}
}

static int open_source(struct soq_loop *loop, const struct soq_endpoint *ep,
		       const struct service_options *options, struct service **out)
{
	struct service_options service = *options;
	struct acceptor_options acceptor = { .connection_bytes = sizeof(struct source_connection),
					     .begin = begin };
	struct source *source = calloc(1, sizeof(*source));
	int ret;

	if (!source)
		return -ENOMEM;
	pattern_fill(source->chunk, sizeof(source->chunk));
	service.pooled = false; /* it receives next to nothing */
	ret = acceptor_open(&source->acceptor, loop, ep, &service, &acceptor);
	if (ret < 0)
		free(source);
	else
		*out = &source->acceptor.service;
	return ret;
}

static void close_source(struct service *service)
{
	acceptor_close((void *)service);
}

static int free_source(struct service *service)
{
	int ret = acceptor_free((void *)service);

	free(service);
	return ret;
}

const struct role role_source = {
	.name = "source",
	.open = open_source,
	.close = close_source,
	.free = free_source,
};
