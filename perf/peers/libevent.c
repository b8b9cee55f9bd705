/* SPDX-License-Identifier: MIT */
/* peer-libevent: the servers on libevent's bufferevents. */
#include "libevent.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stddef.h>
#include <unistd.h>

#define OUTPUT_MAX 262144u /* more than this unsent, and nothing more is read */

/* A source's output is filled up to the one when there is less than the other in it. */
#define OUTPUT_FULL (32u * TWIN_CHUNK_BYTES) /* as much as the others send in a turn */
#define OUTPUT_LOW  (OUTPUT_FULL / 2)

static void on_read(struct bufferevent *b, void *user);
static void on_event(struct bufferevent *b, short what, void *user);

static void on_drained(struct bufferevent *b, void *user)
{
	bufferevent_setcb(b, on_read, NULL, on_event, user);
	bufferevent_enable(b, EV_READ);
	on_read(b, user);
}

static void on_sent_at_end(struct bufferevent *b, void *user)
{
	(void)user;
	bufferevent_free(b);
}

/* Moves what came from one buffer to the other: no byte is copied. */
static void on_read(struct bufferevent *b, void *user)
{
	struct evbuffer *input = bufferevent_get_input(b);

	libevent_counters.bytes += evbuffer_get_length(input);
	bufferevent_write_buffer(b, input);
	if (evbuffer_get_length(bufferevent_get_output(b)) > OUTPUT_MAX) {
		bufferevent_disable(b, EV_READ);
		bufferevent_setcb(b, on_read, on_drained, on_event, user);
	}
}

static void on_event(struct bufferevent *b, short what, void *user)
{
	if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
		return;
	if ((what & BEV_EVENT_ERROR) || evbuffer_get_length(bufferevent_get_output(b)) == 0)
		bufferevent_free(b);
	else
		bufferevent_setcb(b, NULL, on_sent_at_end, on_event, user);
}

/* A new connection's, or NULL. */
static struct bufferevent *begin(struct evconnlistener *listener, evutil_socket_t fd)
{
	struct event_base *base = evconnlistener_get_base(listener);
	struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (b)
		libevent_counters.accepts++;
	else
		close(fd);
	return b;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int address_bytes, void *user)
{
	struct bufferevent *b = begin(listener, fd);

	(void)address;
	(void)address_bytes;
	if (!b)
		return;
	bufferevent_setcb(b, on_read, NULL, on_event, user);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

static void discard(struct bufferevent *b, void *user)
{
	struct evbuffer *input = bufferevent_get_input(b);
	size_t bytes = evbuffer_get_length(input);

	(void)user;
	libevent_counters.bytes += bytes;
	evbuffer_drain(input, bytes);
}

static void on_accept_sink(struct evconnlistener *listener, evutil_socket_t fd,
			   struct sockaddr *address, int address_bytes, void *user)
{
	struct bufferevent *b = begin(listener, fd);

	(void)address;
	(void)address_bytes;
	if (!b)
		return;
	bufferevent_setcb(b, discard, NULL, on_event, user);
	bufferevent_enable(b, EV_READ);
}

/* Whole chunks behind each other, of which no byte is copied before the kernel does. */
static void add_chunks(struct bufferevent *b, void *user)
{
	struct evbuffer *output = bufferevent_get_output(b);

	(void)user;
	while (evbuffer_get_length(output) < OUTPUT_FULL)
		evbuffer_add_reference(output, twin_chunk(0), TWIN_CHUNK_BYTES, NULL, NULL);
}

static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *user)
{
	(void)output;
	(void)user;
	libevent_counters.bytes += info->n_deleted;
}

static void on_broken(struct bufferevent *b, short what, void *user)
{
	(void)user;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(b);
}

static void on_accept_source(struct evconnlistener *listener, evutil_socket_t fd,
			     struct sockaddr *address, int address_bytes, void *user)
{
	struct bufferevent *b = begin(listener, fd);

	(void)address;
	(void)address_bytes;
	if (!b)
		return;
	evbuffer_add_cb(bufferevent_get_output(b), on_output, NULL);
	bufferevent_set_max_single_write(b, OUTPUT_FULL);
	bufferevent_setwatermark(b, EV_WRITE, OUTPUT_LOW, 0);
	bufferevent_setcb(b, NULL, add_chunks, on_broken, user);
	bufferevent_enable(b, EV_WRITE);
	add_chunks(b, user);
}

int main(int argc, char **argv)
{
	static const struct twin twin = { .name = "peer-libevent", .engine = "epoll" };
	static const evconnlistener_cb on_accept_by_role[TWIN_DATAGRAM] = {
		[TWIN_ECHO] = on_accept,
		[TWIN_SINK] = on_accept_sink,
		[TWIN_SOURCE] = on_accept_source,
	};

	return libevent_main(argc, argv, &twin, on_accept_by_role);
}
