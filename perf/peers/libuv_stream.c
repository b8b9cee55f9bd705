/* SPDX-License-Identifier: MIT */
/* The sink and the source role on libuv. */
#include "libuv.h"

#define TRIES_MAX 4 /* per connection and turn */

static char hot[TWIN_SINK_BYTES];

/* A read follows its allocation at once, and nobody looks at what was read. */
static void on_alloc(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *buf_out)
{
	(void)handle;
	(void)suggested_bytes;
	*buf_out = uv_buf_init(hot, sizeof(hot));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	(void)buf;
	libuv_counters.requests++;
	if (n > 0)
		libuv_counters.bytes += (uint64_t)n;
	else if (n < 0)
		libuv_end(stream);
}

void libuv_begin_sink(struct libuv_connection *c)
{
	uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static size_t gather(const struct libuv_connection *c, uv_buf_t bufs_out[TWIN_GATHERED])
{
	for (int i = 0; i < TWIN_GATHERED; i++)
		bufs_out[i] = uv_buf_init((char *)twin_chunk(c->position_bytes), TWIN_CHUNK_BYTES);
	return (size_t)TWIN_GATHERED * TWIN_CHUNK_BYTES;
}

static void account(struct libuv_connection *c, size_t bytes)
{
	libuv_counters.bytes += bytes;
	c->position_bytes += bytes;
}

static void pump(struct libuv_connection *c);

static void on_written(uv_write_t *write, int status)
{
	struct libuv_connection *c = write->data;

	if (status < 0) {
		libuv_end(write->handle);
		return;
	}
	account(c, (size_t)TWIN_GATHERED * TWIN_CHUNK_BYTES);
	pump(c);
}

/* Writes what is taken at once, and then waits for more to be taken. */
static void pump(struct libuv_connection *c)
{
	uv_stream_t *stream = (uv_stream_t *)&c->tcp;
	uv_buf_t bufs[TWIN_GATHERED];
	size_t bytes;
	int n;

	for (int i = 0; i < TRIES_MAX; i++) {
		bytes = gather(c, bufs);
		n = uv_try_write(stream, bufs, TWIN_GATHERED);
		libuv_counters.requests++;
		if (n == UV_EAGAIN)
			break;
		if (n < 0) {
			libuv_end(stream);
			return;
		}
		account(c, (size_t)n);
		if ((size_t)n < bytes)
			break;
	}
	gather(c, bufs);
	c->write.data = c;
	libuv_counters.requests++;
	if (uv_write(&c->write, stream, bufs, TWIN_GATHERED, on_written) < 0)
		libuv_end(stream);
}

void libuv_begin_source(struct libuv_connection *c)
{
	pump(c);
}
