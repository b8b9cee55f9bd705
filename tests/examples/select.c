/* SPDX-License-Identifier: MIT */
/*
 * A server that asks which of its sockets have something, and serves those: select
 * ADDRESS:PORT [detached]. It echoes for many clients on one thread, and waits for all of
 * them in one call; the receive that follows never waits.
 */
#include <soq/soq.h>

#include <stdio.h>

#define SOCKETS_MAX 64 /* this program's limit: soq_poll_any() has none */

/* The listener comes first. Entries stay as they are from one call to the next. */
static struct soq_poll_entry entries[SOCKETS_MAX];
static unsigned count = 1;

static void accept_one(void)
{
	struct soq_socket *client;

	if (soq_accept(entries[0].socket, &client, NULL) < 0)
		return;
	/* A client that never reads must not keep the others waiting for ever. */
	(void)soq_socket_set_timeouts(client, -1, INT64_C(1000000000));
	entries[count++] = (struct soq_poll_entry){ .socket = client, .events = SOQ_POLL_RECV };
	/* Full: others wait in the listener's queue. An entry without events is passed over. */
	entries[0].events = count < SOCKETS_MAX ? SOQ_POLL_RECV : 0;
}

/* Returns 0 when the client is gone. */
static int serve(struct soq_socket *client)
{
	char bytes[4096];
	int64_t result = soq_recv(client, bytes, sizeof(bytes), 0);

	/* 0 is the end of the stream. An error that was told is what a receive returns. */
	if (result > 0 && soq_send(client, bytes, (size_t)result, 0) == result)
		return 1;
	(void)soq_close(client);
	return 0;
}

int main(int argc, char **argv)
{
	struct soq_loop *loop = NULL;
	struct soq_endpoint ep;
	char name[SOQ_ENDPOINT_TEXT_MAX];

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || soq_endpoint_parse(argv[1], &ep) < 0) {
		(void)fprintf(stderr, "usage: select ADDRESS:PORT [detached]\n");
		return 2;
	}
	if (argc < 3 && soq_loop_create(NULL, &loop) < 0)
		return 1;
	if (soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &entries[0].socket) < 0 ||
	    soq_bind(entries[0].socket, &ep) < 0 || soq_listen(entries[0].socket, 0) < 0 ||
	    soq_socket_local(entries[0].socket, &ep) < 0 ||
	    soq_endpoint_format(&ep, name, sizeof(name)) < 0)
		return 1;
	printf("select on %s\n", name);
	entries[0].events = SOQ_POLL_RECV;

	for (;;) {
		int ready = soq_poll_any(entries, count, -1);

		if (ready < 0) {
			(void)fprintf(stderr, "%s\n", soq_error_text(ready));
			return 1;
		}
		/* From the end, so that the last one can take the place of one that left. */
		for (unsigned i = count - 1; i > 0; i--)
			if (entries[i].told != 0 && !serve(entries[i].socket)) {
				entries[i] = entries[--count];
				entries[0].events = SOQ_POLL_RECV;
			}
		if (entries[0].told != 0)
			accept_one();
	}
}
