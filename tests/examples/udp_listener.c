/* SPDX-License-Identifier: MIT */
/*
 * Listens for datagrams, those sent to everybody too: udp_listener ADDRESS:PORT
 * [detached]. Bound to 0.0.0.0 it gets what comes for any address of this machine and
 * for the broadcast addresses of its networks. It prints each with its sender.
 */
#include <soq/soq.h>

#include <errno.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct soq_loop *loop = NULL;
	struct soq_socket *s;
	struct soq_endpoint ep, sender;
	char name[SOQ_ENDPOINT_TEXT_MAX], bytes[1500];

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || soq_endpoint_parse(argv[1], &ep) < 0) {
		(void)fprintf(stderr, "usage: udp_listener ADDRESS:PORT [detached]\n");
		return 2;
	}
	/* Without a loop the socket is detached: blocking calls with the same results. */
	if (argc < 3 && soq_loop_create(NULL, &loop) < 0)
		return 1;
	if (soq_socket_open(loop, ep.addr.any.sa_family, SOCK_DGRAM, 0, &s) < 0 ||
	    soq_bind(s, &ep) < 0 || soq_socket_local(s, &ep) < 0 ||
	    soq_endpoint_format(&ep, name, sizeof(name)) < 0)
		return 1;
	printf("udp_listener on %s\n", name);

	for (;;) {
		/* One datagram, however much memory there is for it. */
		int64_t result = soq_recv_from(s, bytes, sizeof(bytes), 0, &sender);

		if (result == -EMSGSIZE) { /* longer: its beginning is here, the rest is lost */
			printf("Received a datagram above %zu bytes\n", sizeof(bytes));
			continue;
		}
		if (result < 0) {
			(void)fprintf(stderr, "%s\n", soq_error_text((int)result));
			return 1;
		}
		if (soq_endpoint_format(&sender, name, sizeof(name)) < 0)
			return 1;
		printf("Received broadcast from %s : %.*s\n", name, (int)result, bytes);
	}
}
