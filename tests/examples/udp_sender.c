/* SPDX-License-Identifier: MIT */
/*
 * Sends a text to everybody on a network: udp_sender BROADCAST-ADDRESS:PORT TEXT
 * [detached], say 192.168.1.255:11000 or, on this machine alone, 127.255.255.255:11000.
 */
#include <soq/soq.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct soq_loop *loop = NULL;
	struct soq_socket *s;
	struct soq_endpoint ep;
	int64_t result;

	if (argc < 3 || soq_endpoint_parse(argv[1], &ep) < 0) {
		(void)fprintf(stderr, "usage: udp_sender ADDRESS:PORT TEXT [detached]\n");
		return 2;
	}
	if (argc < 4 && soq_loop_create(NULL, &loop) < 0)
		return 1;
	if (soq_socket_open(loop, ep.addr.any.sa_family, SOCK_DGRAM, 0, &s) < 0)
		return 1;

	/* A program has to say that it means everybody: else it is refused. */
	result = soq_send_to(s, argv[2], strlen(argv[2]), 0, &ep);
	if (result == -EACCES) {
		printf("Not without SOQ_OPTION_BROADCAST: %s\n", soq_error_text((int)result));
		if (soq_socket_set_option(s, SOQ_OPTION_BROADCAST, 1) < 0)
			return 1;
		result = soq_send_to(s, argv[2], strlen(argv[2]), 0, &ep);
	}
	if (result < 0) {
		(void)fprintf(stderr, "%s\n", soq_error_text((int)result));
		return 1;
	}
	printf("Message sent to the broadcast address\n");
	if (soq_close(s) < 0)
		return 1;
	return loop != NULL &&
	       (soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) < 0);
}
