/* SPDX-License-Identifier: MIT */
/*
 * Connects by name and asks for a page's head: fetch HOST PORT [detached]. It tells which
 * addresses the name has and what became of each, and reads the answer line by line.
 */
#include <soq/soq.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 16
#define PATIENCE_NS   INT64_C(10000000000)

static int complain(const char *what, int64_t result)
{
	(void)fprintf(stderr, "%s: %s\n", what, soq_error_text((int)result));
	return 1;
}

static void say_what_became(const struct soq_endpoint *addresses, const int32_t *errors)
{
	char text[SOQ_ENDPOINT_TEXT_MAX];

	for (int i = 0; i < ADDRESSES_MAX && addresses[i].size_bytes > 0; i++)
		if (soq_endpoint_format(&addresses[i], text, sizeof(text)) > 0)
			printf("%s: %s\n", text, errors[i] == 0 ? "ok" : soq_error_text(errors[i]));
}

/* The first address that answers, in ten seconds with the lookup. */
static int connect_to(struct soq_loop *loop, const char *host, uint32_t port,
		      struct soq_socket **s_out)
{
	struct soq_endpoint addresses[ADDRESSES_MAX] = { { 0 } };
	int32_t errors[ADDRESSES_MAX] = { 0 };
	struct soq_connect_name name = {
		.size = sizeof(name),
		.host = host,
		.host_bytes = strlen(host),
		.port = port,
		.endpoints = addresses,
		.errors = errors,
		.endpoint_max = ADDRESSES_MAX,
	};
	int error = soq_connect_name(loop, &name, PATIENCE_NS, s_out);

	say_what_became(addresses, errors);
	return error;
}

/* Up to the empty line that ends a head; a line that is too long is an error. */
static int64_t read_head(struct soq_stream *stream)
{
	char line[1024];
	int64_t length;

	while ((length = soq_stream_read_until(stream, "\r\n", 2, line, sizeof(line))) > 2)
		printf("%.*s\n", (int)length - 2, line);
	return length == 0 ? -ENODATA : length;
}

int main(int argc, char **argv)
{
	const struct soq_stream_options owns = { .size = sizeof(owns), .flags = SOQ_STREAM_OWNS };
	struct soq_loop *loop = NULL;
	struct soq_stream *stream;
	struct soq_socket *s;
	char request[512];
	int64_t result;
	int length;

	if (argc < 3 || (argc == 3 && soq_loop_create(NULL, &loop) < 0)) {
		(void)fprintf(stderr, "usage: fetch HOST PORT [detached]\n");
		return 2;
	}
	result = connect_to(loop, argv[1], (uint32_t)strtoul(argv[2], NULL, 10), &s);
	if (result < 0)
		return complain(argv[1], result);
	length = snprintf(request, sizeof(request),
			  "HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", argv[1]);
	if (length >= (int)sizeof(request) ||
	    soq_socket_set_timeouts(s, PATIENCE_NS, PATIENCE_NS) < 0 ||
	    soq_stream_open(s, &owns, &stream) < 0)
		return 1;
	result = soq_stream_write(stream, request, (size_t)length);
	if (result > 0)
		result = soq_stream_flush(stream);
	if (result == 0)
		result = read_head(stream);
	if (result < 0)
		return complain("answer", result);
	(void)soq_stream_close(stream);
	return loop != NULL &&
	       (soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) < 0);
}
