/* SPDX-License-Identifier: MIT */
/* What a client is in soq: a socket that connects and the stream that owns it. */
#include "net.h"
#include "support.h"

static struct soq_stream *stream_over(struct fixture *t, struct soq_socket *s)
{
	const struct soq_stream_options options = {
		.size = sizeof(options),
		.flags = SOQ_STREAM_OWNS,
		.allocator = &t->allocator,
	};
	struct soq_stream *st = NULL;

	expect(soq_stream_open(s, &options, &st), 0);
	return st;
}

static void client_is_of_use_between_its_connect_and_its_close(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = NULL, *peer = NULL, *listener;
	struct soq_stream *st = NULL;
	char in;

	/* A family the system has not. */
	expect(soq_socket_open(t->home, AF_MAX, SOCK_STREAM, 0, &s), -EAFNOSUPPORT);
	listener = soq_listener(t, AF_INET, &ep);
	s = open_socket(t, AF_INET);
	expect(soq_stream_open(s, NULL, &st), -ENOTCONN);
	assert_null(st);
	expect(soq_connect(s, &ep), 0);
	expect(soq_accept(listener, &peer, NULL), 0);
	st = stream_over(t, s);
	expect(soq_stream_close(st), 0);
	expect(soq_close(s), -EBADF);
	expect(soq_send(s, "x", 1, 0), -EBADF);
	expect(soq_recv(s, &in, 1, 0), -EBADF);
	expect(soq_connect(s, &ep), -EBADF);
	expect(soq_recv(peer, &in, 1, 0), 0);
	expect(soq_close(peer), 0);
	expect(soq_close(listener), 0);
}

static void what_is_set_before_the_connect_stays(struct fixture *t)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *s = open_socket(t, AF_INET);
	int64_t value = 0;

	expect(soq_socket_set_option(s, SOQ_OPTION_LINGER_NS, 7000 * MS), 0);
	expect(soq_socket_set_option(s, SOQ_OPTION_NO_DELAY, 1), 0);
	expect(soq_socket_set_timeouts(s, 8 * MS, watchdog_ns()), 0);
	expect(soq_connect(s, &ep), 0);
	expect(soq_socket_get_option(s, SOQ_OPTION_LINGER_NS, &value), 0);
	expect(value, 7000 * MS);
	expect(soq_socket_get_option(s, SOQ_OPTION_NO_DELAY, &value), 0);
	expect(value, 1);
	expect(soq_socket_info(s, &info), 0);
	expect(info.receive_timeout_ns, 8 * MS);
	expect(info.send_timeout_ns, watchdog_ns());
	expect(soq_abort(s), 0);
	expect(soq_close(listener), 0);
}

static const struct conf_case cases[] = {
	CASE(client_is_of_use_between_its_connect_and_its_close, "B121"),
	SYNC_CASE(what_is_set_before_the_connect_stays, "B123"),
};

CONF_GROUP(client, cases)
