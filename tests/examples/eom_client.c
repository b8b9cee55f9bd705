/* SPDX-License-Identifier: MIT */
/*
 * The other half: eom_client ADDRESS:PORT sends a message that ends in <|EOM|>, and waits
 * for <|ACK|>. Each step is started and then waited for, as with `await`.
 */
#include <soq/soq.h>

#include <stdio.h>
#include <string.h>

#define MESSAGE "Hi friends \xf0\x9f\x91\x8b!<|EOM|>" /* UTF-8: bytes are all soq knows */
#define ACK     "<|ACK|>"

/* The result of an op that was started, or why it was not. */
static int64_t await(int started, struct soq_op *op)
{
	struct soq_event event;
	int error = started < 0 ? started : soq_wait(op, -1, &event);

	return error < 0 ? error : event.result;
}

/* Reads until the acknowledgement is there, or what cannot be one. */
static int64_t read_answer(struct soq_socket *s, char *answer, size_t size_bytes)
{
	struct soq_op op = { 0 };
	size_t length = 0;

	while (length < strlen(ACK)) {
		int64_t result = await(
			soq_recv_async(s, &op, answer + length, size_bytes - length - 1, 0), &op);

		if (result <= 0)
			return result;
		length += (size_t)result;
		answer[length] = '\0';
	}
	return (int64_t)length;
}

int main(int argc, char **argv)
{
	struct soq_op op = { 0 };
	struct soq_loop *loop;
	struct soq_socket *client;
	struct soq_endpoint ep;
	char answer[1024] = "";

	if (argc != 2 || soq_endpoint_parse(argv[1], &ep) < 0 || soq_loop_create(NULL, &loop) < 0 ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &client) < 0)
		return 1;
	if (await(soq_connect_async(client, &op, &ep), &op) < 0)
		return 1;
	do {
		if (await(soq_send_async(client, &op, MESSAGE, strlen(MESSAGE), 0), &op) < 0)
			return 1;
		printf("Socket client sent message: \"%s\"\n", MESSAGE);
		if (read_answer(client, answer, sizeof(answer)) <= 0)
			return 1;
	} while (strcmp(answer, ACK) != 0);
	printf("Socket client received acknowledgment: \"%s\"\n", answer);
	if (await(soq_shutdown_async(client, &op, SOQ_SHUTDOWN_BOTH), &op) < 0 ||
	    await(soq_close_async(client, &op), &op) < 0)
		return 1;
	return soq_loop_destroy(loop) < 0;
}
