/* SPDX-License-Identifier: MIT */
/*
 * A server for many clients at once, on one thread: server_async ADDRESS:PORT. From each
 * it reads until <EOF>, sends everything back and hangs up. SIGTERM ends it.
 */
#include <soq/soq.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX    4096
#define PATIENCE_NS INT64_C(30000000000)

/* A client: its op does one step after another. */
struct client {
	struct soq_op op;
	struct soq_socket *socket;
	char text[TEXT_MAX + 1];
	size_t length;
};

static struct soq_loop *loop;

static void on_received(const struct soq_event *event);

static void receive(struct client *c)
{
	size_t room = TEXT_MAX - c->length < 1024 ? TEXT_MAX - c->length : 1024;

	c->op.done = on_received;
	if (soq_recv_async(c->socket, &c->op, c->text + c->length, room, 0) == 0)
		return;
	(void)soq_abort(c->socket); /* too long a text leaves no room, and that is refused */
	free(c);
}

static void on_closed(const struct soq_event *event)
{
	free(event->op->user); /* the last event of this client */
}

/* In good order: shuts down, waits for the client's end, and closes. */
static void hang_up(struct client *c)
{
	c->op.done = on_closed;
	if (soq_finish_async(c->socket, &c->op, PATIENCE_NS) != 0)
		free(c); /* the whole server is being closed */
}

static void on_sent(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (event->result > 0)
		printf("Sent %d bytes to client.\n", (int)event->result);
	hang_up(c);
}

static void on_received(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (event->result <= 0) { /* it has left, or the connection broke */
		hang_up(c);
		return;
	}
	c->length += (size_t)event->result;
	if (strstr(c->text, "<EOF>") == NULL) {
		receive(c);
		return;
	}
	printf("Read %zu bytes from socket. Data : %s\n", c->length, c->text);
	c->op.done = on_sent;
	if (soq_send_async(c->socket, &c->op, c->text, c->length, 0) != 0)
		hang_up(c);
}

/* One op accepts all of them; it is started once. */
static void on_accepted(const struct soq_event *event)
{
	struct client *c;

	if (event->socket == NULL)
		return; /* the final event: the server ends */
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		(void)soq_abort(event->socket);
		return;
	}
	c->socket = event->socket;
	c->op.user = c;
	receive(c);
}

static void stop(int number)
{
	(void)number;
	(void)soq_loop_stop(loop); /* one of the two calls that a signal handler may make */
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct soq_op accepting = { .done = on_accepted };
	struct soq_socket *listener;
	struct soq_endpoint ep;
	char name[SOQ_ENDPOINT_TEXT_MAX];

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2 || soq_endpoint_parse(argv[1], &ep) < 0 || soq_loop_create(NULL, &loop) < 0 ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &listener) < 0 ||
	    soq_bind(listener, &ep) < 0 || soq_listen(listener, 100) < 0 ||
	    soq_socket_local(listener, &ep) < 0 || soq_endpoint_format(&ep, name, sizeof(name)) < 0)
		return 1;
	(void)sigaction(SIGTERM, &action, NULL);
	printf("server_async on %s\n", name);
	if (soq_accept_async(listener, &accepting, SOQ_MULTISHOT) < 0 ||
	    soq_loop_run(loop, SOQ_RUN_STOP, -1) < 0)
		return 1;
	/* Every client gets its last event, and is freed there. */
	return soq_loop_close_all(loop) < 0 || soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 ||
	       soq_loop_destroy(loop) < 0;
}
