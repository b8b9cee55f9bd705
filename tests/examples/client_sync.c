/* SPDX-License-Identifier: MIT */
/*
 * A client that calls and waits, as with POSIX sockets:
 * client_sync ADDRESS:PORT TEXT [detached]. It sends the text, prints as many bytes as
 * come back, and tells three classes of errors apart.
 */
#include <soq/soq.h>

#include <stdio.h>
#include <string.h>

#define PATIENCE_NS INT64_C(5000000000)

/* Says what went wrong and whose business it is; returns the exit status. */
static int complain(const char *what, int64_t result)
{
	int error = (int)result; /* every call returns a negative errno, none sets errno */

	switch (soq_error_class_of(error)) {
	case SOQ_ERROR_MISUSE: /* .NET: ArgumentException and the like */
		(void)fprintf(stderr, "%s: a mistake of this program or its user: %s\n", what,
			      soq_error_text(error));
		return 2;
	case SOQ_ERROR_SOCKET: /* .NET: SocketException */
		(void)fprintf(stderr, "%s: the network says: %s (%s, in .NET %s)\n", what,
			      soq_error_text(error), soq_error_errno_name(error),
			      soq_error_name(error));
		return 3;
	default: /* .NET: OperationCanceledException */
		(void)fprintf(stderr, "%s: ended early: %s\n", what, soq_error_text(error));
		return 4;
	}
}

static int talk(struct soq_socket *s, const struct soq_endpoint *ep, const char *text)
{
	size_t size_bytes = strlen(text);
	char answer[1024];
	int64_t result;

	/* No call below waits longer than this. */
	(void)soq_socket_set_timeouts(s, PATIENCE_NS, PATIENCE_NS);
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
	printf("Echoed text = %.*s\n", (int)result, answer);
	/*
	 * In good order: our end of stream, then the peer's, then the descriptor. It takes
	 * the place of soq_shutdown() and soq_close(), and tells whether all was received.
	 */
	result = soq_finish(s, PATIENCE_NS);
	return result < 0 ? complain("finish", result) : 0;
}

int main(int argc, char **argv)
{
	struct soq_loop *loop = NULL;
	struct soq_socket *s;
	struct soq_endpoint ep;
	int error, status;

	if (argc < 3 || strlen(argv[2]) > 1024) {
		(void)fprintf(stderr, "usage: client_sync ADDRESS:PORT TEXT [detached]\n");
		return 2;
	}
	error = soq_endpoint_parse(argv[1], &ep);
	if (error < 0)
		return complain(argv[1], error);
	/* Without a loop the socket is detached: blocking calls with the same results. */
	if (argc < 4 && soq_loop_create(NULL, &loop) < 0)
		return 1;
	error = soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &s);
	if (error < 0)
		return complain("open", error);
	status = talk(s, &ep, argv[2]);
	if (loop == NULL) {
		if (status != 0)
			(void)soq_abort(s); /* after soq_finish() the handle was dead */
		return status;
	}
	/* After a failure the socket is still open; this is for whatever is left. */
	(void)soq_loop_close_all(loop);
	(void)soq_loop_run(loop, SOQ_RUN_IDLE, -1);
	return soq_loop_destroy(loop) != 0 ? 1 : status;
}
