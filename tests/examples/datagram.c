/* SPDX-License-Identifier: MIT */
/*
 * Datagrams: a socket on a loop and a detached one, which needs no loop and blocks as
 * plain sockets do. A message that does not fit says so.
 */
#include <errno.h>
#include <soq/soq.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	struct soq_loop *loop;
	struct soq_socket *server, *client;
	struct soq_endpoint there, from;
	char text[SOQ_ENDPOINT_TEXT_MAX], bytes[4];

	if (soq_loop_create(NULL, &loop) != 0 || soq_endpoint_loopback(AF_INET, 0, &there) != 0 ||
	    soq_socket_open(loop, AF_INET, SOCK_DGRAM, 0, &server) != 0 ||
	    soq_bind(server, &there) != 0 || soq_socket_local(server, &there) != 0 ||
	    soq_socket_open(NULL, AF_INET, SOCK_DGRAM, 0, &client) != 0)
		return 1;

	/* The receive is started first; the sender is told with the event. */
	if (soq_recv_from_async(server, &op, bytes, sizeof(bytes), 0, &from) != 0 ||
	    soq_send_to(client, "ping", 4, 0, &there) != 4 || soq_wait(&op, -1, &event) != 0 ||
	    event.result != 4 || soq_endpoint_format(&from, text, sizeof(text)) < 0)
		return 1;
	printf("%.4s from %s\n", bytes, text);

	/* The answer, which is longer than the room for it. */
	if (soq_send_to(server, "far too long", 12, 0, &from) != 12)
		return 1;
	if (soq_recv(client, bytes, sizeof(bytes), 0) != -EMSGSIZE || memcmp(bytes, "far ", 4) != 0)
		return 1;
	printf("the beginning is all that was kept: %.4s\n", bytes);

	if (soq_close(client) != 0 || soq_close(server) != 0 ||
	    soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0)
		return 1;
	return soq_loop_destroy(loop) != 0;
}
