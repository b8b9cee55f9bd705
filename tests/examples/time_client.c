/* SPDX-License-Identifier: MIT */
/* Asks a daytime server (RFC 867): time_client ADDRESS:PORT [detached] connects and reads a line. */
#include <soq/soq.h>

#include <stdio.h>

static int complain(const char *what, int64_t result)
{
	(void)fprintf(stderr, "%s: %s\n", what, soq_error_text((int)result));
	return 1;
}

int main(int argc, char **argv)
{
	const struct soq_stream_options options = { .size = sizeof(options),
						    .flags = SOQ_STREAM_OWNS };
	struct soq_loop *loop = NULL;
	struct soq_stream *stream;
	struct soq_socket *client;
	struct soq_endpoint ep;
	char line[1024];
	int64_t result;

	if (argc < 2 || soq_endpoint_parse(argv[1], &ep) < 0) {
		(void)fprintf(stderr, "usage: time_client ADDRESS:PORT [detached]\n");
		return 2;
	}
	if ((argc < 3 && soq_loop_create(NULL, &loop) < 0) ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &client) < 0)
		return 1;
	result = soq_connect(client, &ep);
	if (result < 0)
		return complain("connect", result);
	/* The client's stream, which closes the socket when it is closed. */
	result = soq_stream_open(client, &options, &stream);
	if (result < 0)
		return complain("stream", result);
	result = soq_stream_read_until(stream, "\r\n", 2, line, sizeof(line));
	if (result < 0)
		return complain("read", result);
	printf("Message received: \"%.*s\"\n", (int)result - (result >= 2 ? 2 : 0), line);
	if (soq_stream_close(stream) < 0)
		return 1;
	return loop != NULL &&
	       (soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) < 0);
}
