/* SPDX-License-Identifier: MIT */
/* An echo server: every client, one thread, one buffer each, no allocation per message. */
#include <soq/soq.h>

#include <stdio.h>
#include <stdlib.h>

struct client {
	struct soq_op op; /* the one thing this client is waiting for */
	struct soq_socket *socket;
	char bytes[16384];
};

static void receive(struct client *c);

static void hang_up(struct client *c)
{
	(void)soq_close(c->socket);
	free(c); /* its op has had its final event, so it is ours again */
}

static void on_sent(const struct soq_event *event)
{
	if (event->result < 0 || event->flags != 0) /* flags: only some of it went out */
		hang_up(event->op->user);
	else
		receive(event->op->user);
}

static void on_received(const struct soq_event *event)
{
	struct client *c = event->op->user;

	c->op.done = on_sent;
	if (event->result <= 0 || /* 0: the client has ended its stream */
	    soq_send_async(c->socket, &c->op, c->bytes, (size_t)event->result, 0) != 0)
		hang_up(c);
}

static void receive(struct client *c)
{
	c->op.done = on_received;
	if (soq_recv_async(c->socket, &c->op, c->bytes, sizeof(c->bytes), 0) != 0)
		hang_up(c);
}

static void on_accepted(const struct soq_event *event)
{
	struct client *c = event->socket != NULL ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL) {
		(void)soq_abort(event->socket);
		return;
	}
	c->socket = event->socket;
	c->op.user = c;
	receive(c);
}

int main(int argc, char **argv)
{
	struct soq_op accepting = { .done = on_accepted };
	struct soq_loop *loop;
	struct soq_socket *listener;
	struct soq_endpoint ep;
	char text[SOQ_ENDPOINT_TEXT_MAX];

	if (soq_endpoint_parse(argc > 1 ? argv[1] : "127.0.0.1:7777", &ep) != 0 ||
	    soq_loop_create(NULL, &loop) != 0 ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &listener) != 0 ||
	    soq_bind(listener, &ep) != 0 || soq_listen(listener, 0) != 0 ||
	    soq_accept_async(listener, &accepting, SOQ_MULTISHOT) != 0 ||
	    soq_socket_local(listener, &ep) != 0 ||
	    soq_endpoint_format(&ep, text, sizeof(text)) < 0)
		return 1;
	printf("echo on %s\n", text);
	(void)fflush(stdout);
	return soq_loop_run(loop, SOQ_RUN_STOP, -1) < 0;
}
