/* SPDX-License-Identifier: MIT */
/*
 * The datagram role: one socket, and every datagram goes back to who sent it, from the buf
 * it came in, with the buf's own op. Counted are the bytes that went back.
 *
 * A send needs its address for as long as it lasts, and a buf has no room for one: what
 * is sent has a return address, of which there are as many as bufs.
 */
#include "service.h"

#include <errno.h>
#include <stdlib.h>

/* A burst of small datagrams fills the system's default queue with a few hundred. */
#define QUEUE_BYTES (4 << 20)
/* The library's default. Said here, since all of them are this socket's share. */
#define POOL_BUFS 128u

struct return_address {
	struct datagram *datagram;
	struct soq_endpoint ep;
	struct return_address *next;
};

struct datagram {
	struct service service;
	struct soq_op receive;
	struct return_address *addresses;
	struct return_address *free;
};

static void on_sent(const struct soq_event *event)
{
	struct soq_buf *buf = soq_buf_of(event->op);
	struct return_address *address = event->op->user;
	struct datagram *d = address->datagram;

	if (event->result == (int64_t)buf->size_bytes)
		d->service.counters.bytes += buf->size_bytes;
	else
		d->service.counters.broken++;
	address->next = d->free;
	d->free = address;
	(void)soq_buf_return(buf);
}

/* Returns 0 if the buf is on its way back. */
static int send_back(struct datagram *d, struct soq_buf *buf)
{
	struct return_address *address = d->free;
	int ret = soq_buf_peer(buf, &address->ep);

	if (ret < 0)
		return ret;
	buf->op.done = on_sent;
	buf->op.user = address;
	ret = soq_send_to_async(d->service.socket, &buf->op, buf->data, buf->size_bytes, 0,
				&address->ep);
	if (ret == 0)
		d->free = address->next;
	return ret;
}

static void on_buf(const struct soq_event *event)
{
	struct datagram *d = event->op->user;
	struct service *service = &d->service;

	if (event->buf) {
		/* Half a datagram would be another one. */
		if ((event->flags & SOQ_F_TRUNCATED) || send_back(d, event->buf) < 0) {
			service->counters.broken++;
			(void)soq_buf_return(event->buf);
		}
	}
	if (!(event->flags & SOQ_F_MORE) && !service->closing) {
		service->counters.error = event->result < 0 ? (int)event->result : -ECANCELED;
		soq_loop_stop(service->loop);
	}
}

static int make_addresses(struct datagram *d)
{
	struct soq_pool_info info = { .size = sizeof(info) };
	int ret = soq_pool_info(d->service.pool, &info);
	uint32_t count = info.classes[0].buf_count;

	if (ret < 0)
		return ret;
	d->addresses = calloc(count, sizeof(*d->addresses));
	if (!d->addresses)
		return -ENOMEM;
	d->service.counters.allocations++;
	for (uint32_t i = 0; i < count; i++) {
		d->addresses[i].datagram = d;
		d->addresses[i].next = d->free;
		d->free = &d->addresses[i];
	}
	return 0;
}

static int bind_at(struct datagram *d, const struct soq_endpoint *ep)
{
	int bytes = QUEUE_BYTES;
	struct soq_socket *s;
	int ret;

	ret = soq_socket_open(d->service.loop, ep->addr.any.sa_family, SOCK_DGRAM, 0, &s);
	if (ret < 0)
		return ret;
	d->service.socket = s;
	ret = soq_option_set(s, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (ret == 0)
		ret = soq_bind(s, ep);
	if (ret == 0)
		ret = soq_recv_buf_async(s, &d->receive, d->service.pool, SOQ_MULTISHOT);
	if (ret < 0)
		soq_close(s);
	return ret;
}

static int free_datagram(struct service *service)
{
	struct datagram *d = (void *)service;
	int ret = soq_pool_destroy(service->pool);

	free(d->addresses);
	free(d);
	return ret;
}

static int open_datagram(struct soq_loop *loop, const struct soq_endpoint *ep,
			 const struct service_options *options, struct service **out)
{
	struct service_options pool = *options;
	struct datagram *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->service.loop = loop;
	d->receive = (struct soq_op){ .done = on_buf, .user = d };
	pool.pooled = true;
	if (!pool.pool_bufs)
		pool.pool_bufs = POOL_BUFS;
	if (!pool.pool_share)
		pool.pool_share = pool.pool_bufs;
	if (!pool.buffer_bytes)
		pool.buffer_bytes = SERVICE_BUFFER_BYTES;
	ret = service_make_pool(&d->service, &pool);
	if (ret == 0)
		ret = make_addresses(d);
	if (ret == 0)
		ret = bind_at(d, ep);
	if (ret < 0)
		free_datagram(&d->service);
	else
		*out = &d->service;
	return ret;
}

static void close_datagram(struct service *service)
{
	if (service->closing)
		return;
	service->closing = true;
	soq_close(service->socket);
}

const struct role role_datagram = {
	.name = "datagram",
	.open = open_datagram,
	.close = close_datagram,
	.free = free_datagram,
};
