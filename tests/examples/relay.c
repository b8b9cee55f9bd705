/* SPDX-License-Identifier: MIT */
/* The proxy of proxy.c, when nobody looks at the bytes: two relays tie a pair together. */
#include "serve.h"

#define PAIRS_MAX 64 /* more clients wait in the listener's queue */

/* One end of a pair. Its op: accept or connect, relay to the other, close. */
struct side {
	struct soq_op op;
	struct soq_socket *socket;
	struct side *other;
	int ended; /* nothing more comes from it */
};

static struct side sides[PAIRS_MAX][2]; /* the client's, the target's */
static struct soq_endpoint target;
static void accept_one(struct side *client);

static void on_closed(const struct soq_event *event)
{
	struct side *side = event->op->user;

	side->socket = NULL;
	if (side->other->socket == NULL)
		accept_one(side < side->other ? side : side->other);
}

static void close_both(struct side *side)
{
	side->op.done = side->other->op.done = on_closed;
	(void)!soq_close_async(side->socket, &side->op);
	(void)!soq_close_async(side->other->socket, &side->other->op);
}

/* What broke goes on as a reset, in both directions: a linger of no time. */
static void break_off(struct side *side)
{
	struct linger reset = { .l_onoff = 1 };

	(void)!soq_option_set(side->socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)!soq_option_set(side->other->socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)soq_cancel(&side->other->op);
}

/* One direction is over; the end of a stream was passed on. The pair is when both are. */
static void on_ended(const struct soq_event *event)
{
	struct side *side = event->op->user;

	side->ended = 1;
	if (event->result < 0 || event->flags != 0) /* flags: some of it was moved */
		break_off(side);
	if (side->other->ended)
		close_both(side);
}

static void on_connected(const struct soq_event *event)
{
	struct side *server = event->op->user, *client = server->other;

	server->op.done = client->op.done = on_ended;
	server->ended = event->result < 0 ||
			soq_relay_async(server->socket, &server->op, client->socket, 0) != 0;
	client->ended = server->ended ||
			soq_relay_async(client->socket, &client->op, server->socket, 0) != 0;
	if (client->ended)
		break_off(client);
	if (server->ended)
		close_both(server);
}

static void on_accepted(const struct soq_event *event)
{
	struct side *client = event->op->user, *server = client->other;

	client->socket = event->socket;
	server->op.done = on_connected;
	if (client->socket == NULL || soq_socket_open(loop, target.addr.any.sa_family, SOCK_STREAM,
						      0, &server->socket) != 0) {
		(void)soq_abort(client->socket);
		accept_one(client);
		return;
	}
	(void)!soq_connect_async(server->socket, &server->op, &target);
}

static void accept_one(struct side *client)
{
	client->op.done = on_accepted;
	(void)!soq_accept_async(listener, &client->op, 0); /* fails once the proxy has ended */
}

int main(int argc, char **argv)
{
	if (argc != 3 || soq_endpoint_parse(argv[2], &target) != 0 ||
	    serve_open("relay", argv[1], 0, 0) != 0)
		return 1;
	for (int i = 0; i < PAIRS_MAX; i++) {
		sides[i][0].op.user = sides[i][1].other = &sides[i][0];
		sides[i][1].op.user = sides[i][0].other = &sides[i][1];
		accept_one(&sides[i][0]);
	}
	return serve();
}
