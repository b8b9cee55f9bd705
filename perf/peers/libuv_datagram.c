/* SPDX-License-Identifier: MIT */
/* The datagram role on libuv: received in batches, sent one by one. */
#include "libuv.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX      20u /* as many as libuv takes at once */
#define DATAGRAM_BYTES 65536u

/* What could not be sent at once. */
struct rest {
	uv_udp_send_t send;
	size_t size_bytes;
	char data[];
};

static uv_udp_t udp;
static char batch[BATCH_MAX * DATAGRAM_BYTES];

static void on_receive(uv_udp_t *handle, ssize_t n, const uv_buf_t *buf,
		       const struct sockaddr *peer, unsigned flags);

static void on_alloc(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *buf_out)
{
	(void)handle;
	(void)suggested_bytes;
	*buf_out = uv_buf_init(batch, sizeof(batch));
}

static void on_rest_sent(uv_udp_send_t *send, int status)
{
	struct rest *rest = send->data;

	if (status == 0)
		libuv_counters.bytes += rest->size_bytes;
	free(rest);
	if (uv_udp_get_send_queue_count(&udp) == 0)
		uv_udp_recv_start(&udp, on_alloc, on_receive);
}

static void send_rest(const char *data, size_t size_bytes, const struct sockaddr *peer)
{
	struct rest *rest = malloc(sizeof(*rest) + size_bytes);
	uv_buf_t buf;

	if (!rest)
		return;
	libuv_counters.allocations++;
	memcpy(rest->data, data, size_bytes);
	rest->size_bytes = size_bytes;
	rest->send.data = rest;
	buf = uv_buf_init(rest->data, (unsigned)size_bytes);
	if (uv_udp_send(&rest->send, &udp, &buf, 1, peer, on_rest_sent) < 0)
		free(rest);
}

/* Of each datagram of a batch, and without a peer at its end. */
static void on_receive(uv_udp_t *handle, ssize_t n, const uv_buf_t *buf,
		       const struct sockaddr *peer, unsigned flags)
{
	uv_buf_t out;
	int sent;

	/* Nothing more is received before what there is has been sent. */
	if ((flags & UV_UDP_MMSG_FREE) && uv_udp_get_send_queue_count(handle) > 0)
		uv_udp_recv_stop(handle);
	if (n < 0 || !peer)
		return;
	libuv_counters.requests++;
	out = uv_buf_init(buf->base, (unsigned)n);
	sent = uv_udp_try_send(handle, &out, 1, peer);
	if (sent >= 0)
		libuv_counters.bytes += (uint64_t)n;
	else if (sent == UV_EAGAIN)
		send_rest(buf->base, (size_t)n, peer);
}

int libuv_open_datagram(uv_loop_t *loop, int fd)
{
	int ret;

	ret = uv_udp_init_ex(loop, &udp, AF_UNSPEC | UV_UDP_RECVMMSG);
	if (ret == 0)
		ret = uv_udp_open(&udp, fd);
	if (ret == 0)
		ret = uv_udp_recv_start(&udp, on_alloc, on_receive);
	return ret;
}
