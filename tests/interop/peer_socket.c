/* SPDX-License-Identifier: MIT */
/* The verbs of interop_peer that make, name, set and end sockets. */
#define _GNU_SOURCE
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void do_open(struct command *c)
{
	struct soq_socket *s = NULL;
	int error = soq_socket_open(c->peer->loop, (int)number(c, "family", AF_INET),
				    (int)number(c, "type", SOCK_STREAM),
				    (int)number(c, "protocol", 0), &s);

	answer(error != 0 ? error : keep(c->peer, s));
}

static void do_adopt(struct command *c)
{
	struct soq_socket *s = NULL;
	int error = soq_socket_adopt(c->peer->loop, (int)number(c, "descriptor", -1), &s);

	answer(error != 0 ? error : keep(c->peer, s));
}

static void forget(struct command *c)
{
	c->peer->sockets[number(c, "socket", 0)] = NULL;
}

static void do_release(struct command *c)
{
	int result = soq_socket_release(socket_of(c));

	if (result >= 0)
		forget(c);
	answer(result);
}

/* A descriptor that came, or was released, is the program's to close. */
static void do_drop(struct command *c)
{
	answer(close((int)number(c, "descriptor", -1)));
}

static void do_bind(struct command *c)
{
	struct soq_endpoint ep = endpoint(c, "at");
	int error = soq_bind(socket_of(c), &ep);

	if (error == 0)
		error = soq_socket_local(socket_of(c), &ep);
	answer(error);
	if (error == 0)
		answer_endpoint("at", &ep);
}

static void do_listen(struct command *c)
{
	answer(soq_listen(socket_of(c), 0));
}

/* With data: soq_connect_data(), whose result is a count. */
static void do_connect(struct command *c)
{
	struct soq_endpoint ep = endpoint(c, "to");
	const char *text = word(c, "data");
	struct soq_socket *s = socket_of(c);
	unsigned char *data = NULL;
	struct soq_event event;
	size_t size = 0;
	struct soq_op op;
	int64_t result;

	prepare(&op);
	if (text != NULL)
		data = bytes(text, &size);
	if (c->peer->way == WAY_ASYNC && data != NULL)
		result = outcome(&op, soq_connect_data_async(s, &op, &ep, data, size, flags_of(c)),
				 &event);
	else if (c->peer->way == WAY_ASYNC)
		result = outcome(&op, soq_connect_async(s, &op, &ep), &event);
	else if (data != NULL)
		result = soq_connect_data(s, &ep, data, size, flags_of(c));
	else
		result = soq_connect(s, &ep);
	free(data);
	answer(result);
	if (result >= 0 && soq_socket_local(s, &ep) == 0)
		answer_endpoint("at", &ep);
}

static void do_accept(struct command *c)
{
	struct soq_socket *s = NULL;
	struct soq_endpoint ep = { 0 };
	struct soq_event event;
	struct soq_op op;
	int64_t result;

	prepare(&op);
	if (c->peer->way == WAY_ASYNC) {
		result = outcome(&op, soq_accept_async(socket_of(c), &op, 0), &event);
		s = event.socket;
		if (result == 0 && soq_socket_peer(s, &ep) != 0)
			ep.size_bytes = 0;
	} else {
		result = soq_accept(socket_of(c), &s, &ep);
	}
	answer(result != 0 ? result : keep(c->peer, s));
	if (result == 0)
		answer_endpoint("peer", &ep);
}

static void do_shutdown(struct command *c)
{
	int how = (int)number(c, "how", SOQ_SHUTDOWN_SEND);
	struct soq_event event;
	struct soq_op op;

	prepare(&op);
	if (c->peer->way == WAY_ASYNC)
		answer(outcome(&op, soq_shutdown_async(socket_of(c), &op, how), &event));
	else
		answer(soq_shutdown(socket_of(c), how));
}

static void do_close(struct command *c)
{
	struct soq_event event;
	struct soq_op op = { 0 };

	if (c->peer->way == WAY_ASYNC)
		answer(outcome(&op, soq_close_async(socket_of(c), &op), &event));
	else
		answer(soq_close(socket_of(c)));
	forget(c);
}

static void do_info(struct command *c)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	int error = soq_socket_info(socket_of(c), &info);

	answer(error);
	answer_number("family", info.family);
	answer_number("type", info.type);
	answer_number("protocol", info.protocol);
	answer_number("state", info.state);
}

static const struct name options[] = {
	{ "broadcast", SOQ_OPTION_BROADCAST },
	{ "fast_open_queue", SOQ_OPTION_FAST_OPEN_QUEUE },
	{ "header_included", SOQ_OPTION_HEADER_INCLUDED },
	{ "multicast_all", SOQ_OPTION_MULTICAST_ALL },
	{ "multicast_interface", SOQ_OPTION_MULTICAST_INTERFACE },
	{ "multicast_loopback", SOQ_OPTION_MULTICAST_LOOPBACK },
	{ "multicast_ttl", SOQ_OPTION_MULTICAST_TTL },
	{ "reuse_address", SOQ_OPTION_REUSE_ADDRESS },
	{ "urgent_inline", SOQ_OPTION_URGENT_INLINE },
	{ NULL, 0 },
};

static void do_set(struct command *c)
{
	enum soq_option option = (enum soq_option)names(c, "option", options);

	answer(soq_socket_set_option(socket_of(c), option, number(c, "value", 0)));
}

static void do_get_raw(struct command *c)
{
	unsigned char value[512];
	uint32_t size = (uint32_t)number(c, "size", 4);
	int result;

	if (size > sizeof(value))
		give_up("too large", c->verb);
	result = soq_option_get(socket_of(c), (int)number(c, "level", 0), (int)number(c, "name", 0),
				value, size);
	answer(result);
	if (result >= 0)
		answer_bytes("value", value, (size_t)result);
}

typedef int group_fn(struct soq_socket *s, const struct soq_endpoint *group,
		     const struct soq_endpoint *source, uint32_t interface);

static void group(struct command *c, group_fn *call)
{
	struct soq_endpoint group = endpoint(c, "group"), source = endpoint(c, "source");

	answer(call(socket_of(c), &group, source.size_bytes != 0 ? &source : NULL,
		    (uint32_t)number(c, "interface", 0)));
}

static void do_join(struct command *c)
{
	group(c, soq_multicast_join);
}

static void do_leave(struct command *c)
{
	group(c, soq_multicast_leave);
}

static void do_peer_credentials(struct command *c)
{
	struct soq_credentials who = { .size = sizeof(who) };
	int error = soq_socket_peer_credentials(socket_of(c), &who);

	answer(error);
	if (error != 0)
		return;
	answer_number("pid", who.pid);
	answer_number("uid", who.uid);
	answer_number("gid", who.gid);
}

static const struct name events[] = {
	{ "recv", SOQ_POLL_RECV },
	{ "send", SOQ_POLL_SEND },
	{ "urgent", SOQ_POLL_URGENT },
	{ "peer_end", SOQ_POLL_PEER_END },
	{ "error", SOQ_POLL_ERROR },
	{ "hangup", SOQ_POLL_HANGUP },
	{ NULL, 0 },
};

static void do_poll(struct command *c)
{
	uint32_t wanted = names(c, "events", events);
	struct soq_event event;
	struct soq_op op;
	int64_t result;

	prepare(&op);
	if (c->peer->way == WAY_ASYNC)
		result = outcome(&op, soq_poll_async(socket_of(c), &op, wanted, 0), &event);
	else
		result = soq_poll(socket_of(c), wanted, PATIENCE_NS);
	answer(result);
	for (const struct name *n = events; n->name != NULL && result > 0; n++)
		if ((uint32_t)result & n->value)
			answer_number(n->name, 1);
}

static void do_at_mark(struct command *c)
{
	answer(soq_socket_at_mark(socket_of(c)));
}

const struct verb socket_verbs[] = {
	{ "open", do_open },
	{ "adopt", do_adopt },
	{ "release", do_release },
	{ "drop", do_drop },
	{ "bind", do_bind },
	{ "listen", do_listen },
	{ "connect", do_connect },
	{ "accept", do_accept },
	{ "shutdown", do_shutdown },
	{ "close", do_close },
	{ "info", do_info },
	{ "set", do_set },
	{ "get_raw", do_get_raw },
	{ "join", do_join },
	{ "leave", do_leave },
	{ "peer_credentials", do_peer_credentials },
	{ "poll", do_poll },
	{ "at_mark", do_at_mark },
	{ NULL, NULL },
};
