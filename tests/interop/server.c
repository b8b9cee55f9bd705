/* SPDX-License-Identifier: MIT */
/*
 * A server for other people's clients, on the public API alone.
 *   interop_server echo|http|packets|datagrams ADDRESS [PROTOCOL]
 * ADDRESS as soq_endpoint_parse() reads it, `127.0.0.1:0` or `unix:/path`; PROTOCOL the
 * number of one that is not the first of the family's. Prints `backend address`, serves
 * until SIGTERM or SIGINT, and exits 0 if nothing is left over then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <soq/soq.h>

#define BUFFER_BYTES  65536
#define FINISH_NS     INT64_C(10000000000)
#define HTTP_END      "\r\n\r\n"
#define HTTP_END_SIZE (sizeof(HTTP_END) - 1)

static const char http_answer[] = "HTTP/1.1 200 OK\r\n"
				  "Content-Type: text/plain\r\n"
				  "Content-Length: 15\r\n"
				  "Connection: close\r\n"
				  "\r\n"
				  "hello from soq\n";

struct client {
	struct soq_op op; /* receives, sends and finishes, one after the other */
	struct soq_socket *socket;
	size_t held; /* bytes of a request that is not complete */
	char buffer[BUFFER_BYTES];
};

static struct soq_loop *loop;
static int is_http;
static unsigned failures;

static void on_signal(int number)
{
	(void)number;
	(void)soq_loop_stop(loop);
}

static void on_finished(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (event->result != 0)
		fprintf(stderr, "finish: %s\n", strerror((int)-event->result));
	free(c);
}

static void finish(struct client *c)
{
	c->op.done = on_finished;
	/* The end of the program has closed it already: soq_loop_close_all(). */
	if (soq_finish_async(c->socket, &c->op, FINISH_NS) != 0)
		free(c);
}

static void on_received(const struct soq_event *event);

static void receive(struct client *c)
{
	c->op.done = on_received;
	if (soq_recv_async(c->socket, &c->op, c->buffer + c->held, BUFFER_BYTES - c->held, 0) != 0)
		abort();
}

static void on_sent(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (event->result < 0 || event->flags != 0 || is_http)
		finish(c);
	else
		receive(c);
}

static void send_all(struct client *c, const void *data, size_t size)
{
	c->op.done = on_sent;
	if (soq_send_async(c->socket, &c->op, data, size, 0) != 0)
		abort();
}

static void on_received(const struct soq_event *event)
{
	struct client *c = event->op->user;

	if (event->result <= 0) {
		finish(c);
		return;
	}
	if (!is_http) {
		send_all(c, c->buffer, (size_t)event->result);
		return;
	}
	c->held += (size_t)event->result;
	if (memmem(c->buffer, c->held, HTTP_END, HTTP_END_SIZE) != NULL)
		send_all(c, http_answer, sizeof(http_answer) - 1);
	else if (c->held < BUFFER_BYTES)
		receive(c);
	else
		finish(c);
}

static void on_accepted(const struct soq_event *event)
{
	struct client *c;

	if (event->socket == NULL) {
		failures += event->result != -ECANCELED;
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	c->op.user = c;
	c->socket = event->socket;
	receive(c);
}

/* Sends each datagram back to where it came from. */
static struct {
	struct soq_op op;
	struct soq_socket *socket;
	struct soq_endpoint peer;
	char buffer[BUFFER_BYTES];
} datagrams;

static void receive_datagram(void);

static void on_datagram_sent(const struct soq_event *event)
{
	/* Whoever is gone by now needs no answer. */
	if (event->result != -ECANCELED)
		receive_datagram();
}

static void on_datagram(const struct soq_event *event)
{
	if (event->result == -ECANCELED)
		return;
	failures += event->result < 0 || event->flags != 0;
	datagrams.op.done = on_datagram_sent;
	if (soq_send_to_async(datagrams.socket, &datagrams.op, datagrams.buffer,
			      event->result > 0 ? (size_t)event->result : 0, 0,
			      &datagrams.peer) != 0)
		abort();
}

static void receive_datagram(void)
{
	datagrams.op.done = on_datagram;
	if (soq_recv_from_async(datagrams.socket, &datagrams.op, datagrams.buffer, BUFFER_BYTES, 0,
				&datagrams.peer) != 0)
		abort();
}

static int open_on(const char *text, int type, int protocol, struct soq_socket **s, char *local)
{
	struct soq_endpoint ep;
	int error = soq_endpoint_parse(text, &ep);

	if (error == 0)
		error = soq_socket_open(loop, ep.addr.any.sa_family, type, protocol, s);
	if (error == 0)
		error = soq_bind(*s, &ep);
	if (error == 0 && type != SOCK_DGRAM)
		error = soq_listen(*s, 0);
	if (error == 0)
		error = soq_socket_local(*s, &ep);
	return error != 0 ? error : soq_endpoint_format(&ep, local, SOQ_ENDPOINT_TEXT_MAX);
}

static int type_of(const char *kind)
{
	if (strcmp(kind, "datagrams") == 0)
		return SOCK_DGRAM;
	return strcmp(kind, "packets") == 0 ? SOCK_SEQPACKET : SOCK_STREAM;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct soq_loop_info info = { .size = sizeof(info) };
	struct soq_op accept_op = { .done = on_accepted };
	struct soq_socket *s = NULL;
	char local[SOQ_ENDPOINT_TEXT_MAX];
	int type, protocol;

	if (argc < 3 || argc > 4 || soq_loop_create(NULL, &loop) != 0 ||
	    soq_loop_info(loop, &info) != 0)
		return 2;
	is_http = strcmp(argv[1], "http") == 0;
	type = type_of(argv[1]);
	protocol = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
	if (open_on(argv[2], type, protocol, &s, local) < 0)
		return 2;
	datagrams.socket = s;
	if (type == SOCK_DGRAM)
		receive_datagram();
	else if (soq_accept_async(s, &accept_op, SOQ_MULTISHOT) != 0)
		return 2;
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	printf("%s %s\n", info.backend == SOQ_BACKEND_URING ? "uring" : "epoll", local);
	(void)fflush(stdout);
	if (soq_loop_run(loop, SOQ_RUN_STOP, -1) < 0)
		failures++;
	if (soq_loop_close_all(loop) != 0 || soq_loop_run(loop, SOQ_RUN_IDLE, FINISH_NS) < 0 ||
	    soq_loop_destroy(loop) != 0)
		failures++;
	return failures != 0;
}
