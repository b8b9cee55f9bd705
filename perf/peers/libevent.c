/* SPDX-License-Identifier: MIT */
/* peer-libevent: the echo server on libevent's bufferevents. */
#include "libevent.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stddef.h>
#include <unistd.h>

#define OUTPUT_MAX 262144u /* more than this unsent, and nothing more is read */

static struct control_report counters;

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

	counters.bytes += evbuffer_get_length(input);
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

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int address_bytes, void *user)
{
	struct event_base *base = evconnlistener_get_base(listener);
	struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)address;
	(void)address_bytes;
	if (!b) {
		close(fd);
		return;
	}
	counters.accepts++;
	bufferevent_setcb(b, on_read, NULL, on_event, user);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
	static const struct twin twin = { .name = "peer-libevent", .engine = "epoll" };

	return libevent_main(argc, argv, &twin, on_accept, &counters);
}
