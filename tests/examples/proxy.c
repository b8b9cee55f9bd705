/* SPDX-License-Identifier: MIT */
/* A TCP proxy. Each direction: receive from one side, send to the other, return the buf. */
#include "serve.h"

#define PAIRS_MAX 64 /* more clients wait in the listener's queue */
#define SIDE_BUFS 4  /* on their way from one side to the other, at most */

/* One end of a pair. Its op: accept or connect, receive, shut the other down, close. */
struct side {
	struct soq_op op;
	struct soq_socket *socket;
	struct side *other;
	int ended; /* it sends us no more */
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

/* One direction is over, in good order or broken. The pair is when both are. */
static void on_ended(const struct soq_event *event)
{
	struct linger reset = { .l_onoff = 1 }; /* and no time: what broke goes on as a reset */
	struct side *from = event->op->user, *to = from->other;

	from->ended = 1;
	if (event->result < 0) {
		(void)!soq_option_set(to->socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		(void)soq_cancel(&to->op);
	}
	if (!to->ended)
		return;
	from->op.done = to->op.done = on_closed; /* after the events of all sends */
	(void)!soq_close_async(from->socket, &from->op);
	(void)!soq_close_async(to->socket, &to->op);
}

/* A side that reads slowly keeps bufs on loan: no more is received until they are back. */
static void on_sent(const struct soq_event *event)
{
	struct side *from = event->op->user;

	if (event->result < 0 || event->flags != 0) /* flags: only some of it went out */
		(void)soq_cancel(&from->op);
	(void)soq_buf_return(soq_buf_of(event->op));
}

static void on_received(const struct soq_event *event)
{
	struct side *from = event->op->user, *to = from->other;
	struct soq_buf *buf = event->buf;

	if (buf == NULL) {
		from->op.done = on_ended; /* 0: an end, which follows what is still being sent */
		if (event->result < 0 || soq_shutdown_async(to->socket, &from->op, SHUT_WR) != 0)
			on_ended(event);
		return;
	}
	buf->op.done = on_sent;
	buf->op.user = from;
	if (soq_send_async(to->socket, &buf->op, buf->data, buf->size_bytes, 0) != 0)
		(void)soq_buf_return(buf); /* everything is being closed */
}

static void on_connected(const struct soq_event *event)
{
	struct side *server = event->op->user, *client = server->other;

	client->ended = server->ended = event->result < 0;
	server->op.done = client->op.done = on_received;
	if (event->result < 0 ||
	    soq_recv_buf_async(server->socket, &server->op, pool, SOQ_MULTISHOT) != 0 ||
	    soq_recv_buf_async(client->socket, &client->op, pool, SOQ_MULTISHOT) != 0)
		on_ended(event);
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
	/* A buf for every loan there can be: no pair ever waits for another. */
	if (argc != 3 || soq_endpoint_parse(argv[2], &target) != 0 ||
	    serve_open("proxy", argv[1], 2 * SIDE_BUFS * PAIRS_MAX, SIDE_BUFS) != 0)
		return 1;
	for (int i = 0; i < PAIRS_MAX; i++) {
		sides[i][0].op.user = sides[i][1].other = &sides[i][0];
		sides[i][1].op.user = sides[i][0].other = &sides[i][1];
		accept_one(&sides[i][0]);
	}
	return serve();
}
