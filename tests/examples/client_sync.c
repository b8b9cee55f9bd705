/* SPDX-License-Identifier: MIT */
/*
 * A client that calls and waits, as with POSIX sockets: connects to the address in
 * the first argument, sends the second, and prints as many bytes as come back.
 */
#include <soq/soq.h>

#include <stdio.h>
#include <string.h>

/* Prints what went wrong; a negative result is an errno. */
static int complain(const char *what, int64_t result)
{
	(void)fprintf(stderr, "%s: %s\n", what, strerror((int)-result));
	return 1;
}

static int talk(struct soq_socket *s, const struct soq_endpoint *ep, const char *text)
{
	size_t size_bytes = strlen(text);
	char answer[1024];
	int64_t result;

	/* No call below waits longer than 5 s. */
	(void)soq_socket_set_timeouts(s, 5000000000, 5000000000);
	result = soq_connect(s, ep);
	if (result < 0)
		return complain("connect", result);
	result = soq_send(s, text, size_bytes, 0);
	if (result < 0)
		return complain("send", result);
	/* SOQ_EXACT: all of it, or what came before the end of the stream. */
	result = soq_recv(s, answer, size_bytes, SOQ_EXACT);
	if (result < 0)
		return complain("receive", result);
	printf("%.*s\n", (int)result, answer);
	/* In good order: our end of stream, then the peer's, then the descriptor. */
	result = soq_finish(s, 5000000000);
	return result < 0 ? complain("finish", result) : 0;
}

int main(int argc, char **argv)
{
	struct soq_loop *loop;
	struct soq_socket *s;
	struct soq_endpoint ep;
	int failed;

	if (argc != 3 || strlen(argv[2]) > 1024 || soq_endpoint_parse(argv[1], &ep) != 0) {
		(void)fprintf(stderr, "usage: client_sync ADDRESS:PORT TEXT\n");
		return 2;
	}
	if (soq_loop_create(NULL, &loop) != 0)
		return 1;
	if (soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &s) != 0)
		return 1;
	failed = talk(s, &ep, argv[2]);
	/* After a failure the socket is still open; this is for whatever is left. */
	(void)soq_loop_close_all(loop);
	(void)soq_loop_run(loop, SOQ_RUN_IDLE, -1);
	return soq_loop_destroy(loop) != 0 ? 1 : failed;
}
