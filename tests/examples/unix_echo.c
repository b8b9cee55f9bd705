/* SPDX-License-Identifier: MIT */
/*
 * Echo between processes of one machine, over a path in the file system: unix_echo
 * server|client PATH [detached]. The server takes one client and ends; the path is made
 * by its bind, and is gone when its listener is closed.
 */
#include <soq/soq.h>

#include <stdio.h>
#include <string.h>

static struct soq_loop *loop;

static int fail(const char *what, int64_t result)
{
	(void)fprintf(stderr, "%s: %s\n", what, soq_error_text((int)result));
	return 1;
}

static int serve(struct soq_socket *listener, const struct soq_endpoint *ep)
{
	struct soq_socket *client;
	char bytes[256];
	int64_t result;

	/* A path that is there already is refused, even when nobody listens there any more. */
	result = soq_bind(listener, ep);
	if (result < 0)
		return fail("bind", result);
	if (soq_listen(listener, 1) < 0)
		return 1;
	printf("unix_echo on %s\n", ep->addr.local.sun_path);
	result = soq_accept(listener, &client, NULL);
	if (result < 0)
		return fail("accept", result);
	while ((result = soq_recv(client, bytes, sizeof(bytes), 0)) > 0)
		if (soq_send(client, bytes, (size_t)result, 0) != result)
			break;
	(void)soq_close(client);
	(void)soq_close(listener); /* which removes the path */
	return result < 0 ? fail("client", result) : 0;
}

static int talk(struct soq_socket *s, const struct soq_endpoint *ep)
{
	static const char text[] = "hello over a path";
	char answer[sizeof(text)] = "";
	int64_t result;

	result = soq_connect(s, ep);
	if (result < 0)
		return fail("connect", result);
	result = soq_send(s, text, strlen(text), 0);
	if (result > 0)
		result = soq_recv(s, answer, strlen(text), SOQ_EXACT);
	if (result < 0)
		return fail("talk", result);
	printf("Echoed text = %s\n", answer);
	result = soq_finish(s, -1);
	return result < 0 ? fail("finish", result) : 0;
}

int main(int argc, char **argv)
{
	struct soq_socket *s;
	struct soq_endpoint ep;
	int status;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3) {
		(void)fprintf(stderr, "usage: unix_echo server|client PATH [detached]\n");
		return 2;
	}
	/* A name that needs no file, and is gone with its socket: soq_endpoint_abstract(). */
	status = soq_endpoint_unix(argv[2], &ep);
	if (status < 0)
		return fail(argv[2], status);
	if ((argc < 4 && soq_loop_create(NULL, &loop) < 0) ||
	    soq_socket_open(loop, AF_UNIX, SOCK_STREAM, 0, &s) < 0)
		return 1;
	status = strcmp(argv[1], "server") == 0 ? serve(s, &ep) : talk(s, &ep);
	if (loop == NULL)
		return status;
	if (soq_loop_close_all(loop) < 0 || soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0)
		return 1;
	return soq_loop_destroy(loop) != 0 ? 1 : status;
}
