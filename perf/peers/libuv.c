/* SPDX-License-Identifier: MIT */
/* peer-libuv: the servers on libuv; here their frame and the echo role. */
#include "libuv.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARED_BYTES 65536u /* what libuv suggests */

/* What a peer did not take at once. */
struct rest {
	uv_write_t write;
	char data[];
};

struct control_report libuv_counters;
static char shared[SHARED_BYTES];
static void (*begin)(struct libuv_connection *c);

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void libuv_end(uv_stream_t *stream)
{
	if (!uv_is_closing((uv_handle_t *)stream))
		uv_close((uv_handle_t *)stream, on_closed);
}

/* A read follows its allocation at once, so one buffer does for all connections. */
static void on_alloc(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *buf_out)
{
	(void)handle;
	(void)suggested_bytes;
	*buf_out = uv_buf_init(shared, SHARED_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_rest_written(uv_write_t *write, int status)
{
	uv_stream_t *stream = write->handle;

	free(write->data);
	if (status < 0)
		libuv_end(stream);
	else
		uv_read_start(stream, on_alloc, on_read);
}

/* Nothing more is read before the peer has taken what there is. */
static void write_rest(uv_stream_t *stream, const char *data, size_t bytes)
{
	struct rest *rest = malloc(sizeof(*rest) + bytes);
	uv_buf_t buf;

	libuv_counters.allocations++;
	if (!rest) {
		libuv_end(stream);
		return;
	}
	memcpy(rest->data, data, bytes);
	rest->write.data = rest;
	buf = uv_buf_init(rest->data, (unsigned)bytes);
	uv_read_stop(stream);
	if (uv_write(&rest->write, stream, &buf, 1, on_rest_written) < 0) {
		free(rest);
		libuv_end(stream);
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	uv_buf_t out;
	int sent;

	libuv_counters.requests++;
	if (n == 0)
		return;
	if (n < 0) {
		libuv_end(stream);
		return;
	}
	libuv_counters.bytes += (uint64_t)n;
	libuv_counters.requests++;
	out = uv_buf_init(buf->base, (unsigned)n);
	sent = uv_try_write(stream, &out, 1);
	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0)
		libuv_end(stream);
	else if (sent < n)
		write_rest(stream, buf->base + sent, (size_t)(n - sent));
}

void libuv_begin_echo(struct libuv_connection *c)
{
	uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct libuv_connection *c = status < 0 ? NULL : calloc(1, sizeof(*c));

	if (!c)
		return;
	libuv_counters.allocations++;
	uv_tcp_init(listener->loop, &c->tcp);
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) == 0) {
		libuv_counters.accepts++;
		begin(c);
	} else {
		libuv_end((uv_stream_t *)&c->tcp);
	}
}

static int open_listener(uv_loop_t *loop, int fd, enum twin_role role)
{
	static uv_tcp_t listener;
	int ret;

	begin = role == TWIN_SINK     ? libuv_begin_sink
		: role == TWIN_SOURCE ? libuv_begin_source
				      : libuv_begin_echo;
	uv_tcp_init(loop, &listener);
	ret = uv_tcp_open(&listener, fd); /* TCP_NODELAY is inherited */
	if (ret == 0)
		ret = uv_listen((uv_stream_t *)&listener, 4096, on_connection);
	return ret;
}

/* Once before each wait for events. */
static void on_prepare(uv_prepare_t *prepare)
{
	(void)prepare;
	libuv_counters.turns++;
	libuv_counters.waits++;
}

static void on_signal(uv_signal_t *handle, int number)
{
	control_say_report(STDOUT_FILENO, &libuv_counters);
	if (number != SIGUSR1)
		uv_stop(handle->loop);
}

int main(int argc, char **argv)
{
	static const struct twin twin = { .name = "peer-libuv", .engine = "epoll" };
	static const int numbers[] = { SIGUSR1, SIGTERM, SIGINT };
	uv_loop_t *loop = uv_default_loop();
	struct twin_options options;
	uv_signal_t signals[3];
	uv_prepare_t prepare;
	int ret, fd;

	signal(SIGPIPE, SIG_IGN);
	fd = twin_open(argc, argv, &twin, &options);
	for (int i = 0; i < 3; i++) {
		uv_signal_init(loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, numbers[i]);
	}
	uv_prepare_init(loop, &prepare);
	uv_prepare_start(&prepare, on_prepare);
	ret = options.role == TWIN_DATAGRAM ? libuv_open_datagram(loop, fd)
					    : open_listener(loop, fd, options.role);
	if (ret < 0) {
		fprintf(stderr, "%s: cannot run: %s\n", twin.name, uv_strerror(ret));
		return TWIN_EXIT_CANNOT_RUN;
	}
	twin_say_listening(fd, &twin);
	uv_run(loop, UV_RUN_DEFAULT);
	return EXIT_SUCCESS;
}
