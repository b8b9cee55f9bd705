/* SPDX-License-Identifier: MIT */
/* The example of README.md: a server and a client on one loop, waiting and not waiting. */
#include <soq/soq.h>

#include <stdio.h>

static void on_hello(const struct soq_event *event)
{
	printf("the server has sent %d bytes\n", (int)event->result);
}

int main(void)
{
	struct soq_op connecting = { 0 }, sending = { .done = on_hello };
	struct soq_socket *listener, *client, *server;
	struct soq_endpoint ep;
	struct soq_event event;
	struct soq_loop *loop;
	char text[6] = "";

	if (soq_loop_create(NULL, &loop) < 0 || soq_endpoint_loopback(AF_INET, 0, &ep) < 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener) < 0 ||
	    soq_bind(listener, &ep) < 0 || soq_listen(listener, 0) < 0 ||
	    soq_socket_local(listener, &ep) < 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &client) < 0)
		return 1;
	/* Asynchronous calls return at once; synchronous ones wait, and both may be mixed. */
	if (soq_connect_async(client, &connecting, &ep) < 0 ||
	    soq_accept(listener, &server, NULL) < 0 || soq_wait(&connecting, -1, &event) < 0 ||
	    soq_send_async(server, &sending, "hello", 5, 0) < 0 ||
	    soq_recv(client, text, 5, SOQ_EXACT) != 5)
		return 1;
	/* done() runs here, and only here. */
	soq_loop_run(loop, SOQ_RUN_IDLE, -1);
	printf("the client has got \"%s\"\n", text);
	soq_loop_close_all(loop);
	return soq_loop_destroy(loop) < 0;
}
