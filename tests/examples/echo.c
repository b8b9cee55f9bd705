/* SPDX-License-Identifier: MIT */
/*
 * An echo server on a pool: what arrives is lent, sent back from where it lies, and
 * returned when it is sent. Memory is taken at the start, none per client or message.
 */
#include "serve.h"

#define CLIENTS_MAX 64 /* more wait in the listener's queue */
#define CLIENT_BUFS 4  /* what one client may have on loan: filled, or being sent */
#define PATIENCE_NS INT64_C(30000000000)

/* A place for a client. Its op accepts one, receives, closes, and accepts the next. */
struct client {
	struct soq_op op;
	struct soq_socket *socket;
};

static struct client clients[CLIENTS_MAX];

static void accept_one(struct client *c);

static void on_sent(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (event->result < 0 || event->flags != 0) /* flags: only some of it went out */
		(void)soq_cancel(&c->op);
	(void)soq_buf_return(soq_buf_of(event->op)); /* which lets the client go on */
}

static void send_back(struct client *c, struct soq_buf *buf)
{
	buf->op.done = on_sent;
	buf->op.user = c;
	if (soq_send_async(c->socket, &buf->op, buf->data, buf->size_bytes, 0) == 0)
		return;
	(void)soq_buf_return(buf);
	(void)soq_cancel(&c->op);
}

static void on_closed(const struct soq_event *event)
{
	accept_one(event->op->user);
}

static void on_received(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (event->buf != NULL) {
		send_back(c, event->buf);
		return;
	}
	/* The final event: 0 is the end of the stream, less is an error or our cancel. */
	c->op.done = on_closed; /* the socket's last event: its sends have had theirs */
	if (event->result == 0)
		(void)!soq_finish_async(c->socket, &c->op, PATIENCE_NS);
	else
		(void)!soq_close_async(c->socket, &c->op);
}

static void on_accepted(const struct soq_event *event)
{
	struct client *c = event->op->user;

	c->socket = event->socket;
	c->op.done = on_received;
	if (c->socket != NULL && soq_recv_buf_async(c->socket, &c->op, pool, SOQ_MULTISHOT) == 0)
		return;
	(void)soq_abort(c->socket);
	accept_one(c);
}

static void accept_one(struct client *c)
{
	c->op.done = on_accepted;
	c->op.user = c;
	(void)!soq_accept_async(listener, &c->op, 0); /* fails once the server has ended */
}

int main(int argc, char **argv)
{
	/* A buf for every loan there can be: no client ever waits for another. */
	if (serve_open("echo", argc > 1 ? argv[1] : "127.0.0.1:7777", CLIENT_BUFS * CLIENTS_MAX,
		       CLIENT_BUFS) != 0)
		return 1;
	for (int i = 0; i < CLIENTS_MAX; i++)
		accept_one(&clients[i]);
	return serve();
}
