/* SPDX-License-Identifier: MIT */
/*
 * A server that calls and waits, and so serves one client at a time:
 * server_sync ADDRESS:PORT [detached]. It reads until <EOF>, sends everything back and
 * hangs up. Clients that come meanwhile wait in the listener's queue.
 */
#include <soq/soq.h>

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 65536

static char text[TEXT_MAX + 1];

static int complain(const char *what, int64_t result)
{
	(void)fprintf(stderr, "%s: %s\n", what, soq_error_text((int)result));
	return 1;
}

/* Reads until the text has its end in it. Returns its length, 0 if the client left before. */
static int64_t read_text(struct soq_socket *client)
{
	size_t length = 0;

	text[0] = '\0';
	while (strstr(text, "<EOF>") == NULL) {
		size_t room = TEXT_MAX - length < 1024 ? TEXT_MAX - length : 1024;
		int64_t result;

		if (room == 0)
			return 0; /* far too long: as good as gone */
		/* What has come, at least one byte; where it is cut is the network's business. */
		result = soq_recv(client, text + length, room, 0);
		if (result <= 0)
			return result;
		length += (size_t)result;
		text[length] = '\0';
	}
	return (int64_t)length;
}

static void serve_one(struct soq_socket *client)
{
	int64_t result = read_text(client);

	if (result > 0) {
		printf("Text received : %s\n", text);
		result = soq_send(client, text, (size_t)result, 0); /* all of it, or an error */
	}
	if (result > 0)
		result = soq_shutdown(client, SOQ_SHUTDOWN_BOTH); /* behind what was sent */
	if (result < 0)
		(void)complain("client", result); /* one client's trouble is not the server's */
	(void)soq_close(client);
}

int main(int argc, char **argv)
{
	struct soq_socket *listener, *client;
	struct soq_loop *loop = NULL;
	struct soq_endpoint ep;
	char name[SOQ_ENDPOINT_TEXT_MAX];
	int error;

	if (argc < 2 || soq_endpoint_parse(argv[1], &ep) < 0) {
		(void)fprintf(stderr, "usage: server_sync ADDRESS:PORT [detached]\n");
		return 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	/* Without a loop the calls below are plain blocking ones, and the results the same. */
	if (argc < 3 && soq_loop_create(NULL, &loop) < 0)
		return 1;
	error = soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &listener);
	if (error < 0)
		return complain("open", error);
	error = soq_bind(listener, &ep);
	if (error < 0)
		return complain("bind", error); /* somebody else may listen there */
	error = soq_listen(listener, 100); /* so many may wait; more are kept off by the system */
	if (error < 0)
		return complain("listen", error);
	if (soq_socket_local(listener, &ep) < 0 || soq_endpoint_format(&ep, name, sizeof(name)) < 0)
		return 1;
	printf("server_sync on %s\n", name); /* port 0 has become a free one */

	for (;;) {
		error = soq_accept(listener, &client, NULL);
		if (error < 0)
			return complain("accept", error);
		serve_one(client);
	}
}
