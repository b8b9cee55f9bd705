/* SPDX-License-Identifier: MIT */
/*
 * One half of a small protocol: eom_server ADDRESS:PORT accepts one client, reads until
 * <|EOM|>, answers <|ACK|>, and ends. Each step is started and then waited for, as with
 * `await`; other ops of the loop, if there were any, would go on meanwhile.
 */
#include <soq/soq.h>

#include <stdio.h>
#include <string.h>

#define EOM "<|EOM|>"
#define ACK "<|ACK|>"

/* The result of an op that was started, or why it was not. */
static int64_t await(int started, struct soq_op *op, struct soq_event *event)
{
	int error = started < 0 ? started : soq_wait(op, -1, event);

	return error < 0 ? error : event->result;
}

/* Reads a message without its end; less than 0 is an error, or the client has left. */
static int64_t read_message(struct soq_socket *s, char *message, size_t size_bytes)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	size_t length = 0;
	char *end = NULL;

	while (end == NULL && length + 1 < size_bytes) {
		int64_t result =
			await(soq_recv_async(s, &op, message + length, size_bytes - length - 1, 0),
			      &op, &event);

		if (result <= 0)
			return -1;
		length += (size_t)result;
		message[length] = '\0';
		end = strstr(message, EOM); /* which may have come in two pieces */
	}
	if (end == NULL)
		return -1;
	*end = '\0';
	return end - message;
}

int main(int argc, char **argv)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	struct soq_loop *loop;
	struct soq_socket *listener, *handler;
	struct soq_endpoint ep;
	char message[1024], name[SOQ_ENDPOINT_TEXT_MAX];

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2 || soq_endpoint_parse(argv[1], &ep) < 0 || soq_loop_create(NULL, &loop) < 0 ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &listener) < 0 ||
	    soq_bind(listener, &ep) < 0 || soq_listen(listener, 100) < 0 ||
	    soq_socket_local(listener, &ep) < 0 || soq_endpoint_format(&ep, name, sizeof(name)) < 0)
		return 1;
	printf("eom_server on %s\n", name);

	if (await(soq_accept_async(listener, &op, 0), &op, &event) < 0)
		return 1;
	handler = event.socket;
	if (read_message(handler, message, sizeof(message)) < 0)
		return 1;
	printf("Socket server received message: \"%s\"\n", message);
	if (await(soq_send_async(handler, &op, ACK, strlen(ACK), 0), &op, &event) < 0)
		return 1;
	printf("Socket server sent acknowledgment: \"%s\"\n", ACK);
	/* The client ends first; what it still sends is read and dropped. */
	if (await(soq_finish_async(handler, &op, -1), &op, &event) < 0 ||
	    await(soq_close_async(listener, &op), &op, &event) < 0)
		return 1;
	return soq_loop_destroy(loop) < 0;
}
