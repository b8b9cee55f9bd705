// SPDX-License-Identifier: MIT
/* Waits for everything: a connection to itself, four bytes through it. */
#include <soq/soq.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
	struct soq_socket *listener, *client, *server;
	struct soq_op connecting = { 0 };
	struct soq_loop *loop;
	struct soq_endpoint ep;
	struct soq_event event;
	char text[4] = "";

	if (soq_version() != SOQ_VERSION || soq_loop_create(NULL, &loop) < 0 ||
	    soq_endpoint_loopback(AF_INET, 0, &ep) < 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener) < 0 ||
	    soq_bind(listener, &ep) < 0 || soq_listen(listener, 0) < 0 ||
	    soq_socket_local(listener, &ep) < 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &client) < 0 ||
	    soq_connect_async(client, &connecting, &ep) < 0 ||
	    soq_accept(listener, &server, NULL) < 0 || soq_wait(&connecting, -1, &event) < 0 ||
	    soq_send(server, "soq", 4, 0) != 4 || soq_recv(client, text, 4, SOQ_EXACT) != 4)
		return 1;
	puts(text);
	soq_loop_close_all(loop);
	soq_loop_run(loop, SOQ_RUN_IDLE, -1);
	return soq_loop_destroy(loop) < 0 || strcmp(text, "soq") != 0;
}
