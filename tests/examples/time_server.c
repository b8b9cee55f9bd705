/* SPDX-License-Identifier: MIT */
/*
 * The daytime service (RFC 867) with a listener: time_server ADDRESS:PORT CLIENTS tells the
 * time to so many clients and stops. No more than 100 are let in at a time, and no more
 * than 10 of one address.
 */
#include <soq/soq.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Without a loop that runs: each step is waited for. */
static int tell_time(struct soq_listener *listener)
{
	struct soq_connection place = { 0 };
	struct soq_socket *client;
	time_t now = time(NULL);
	struct tm utc;
	char text[64];
	size_t length;

	if (soq_listener_accept(listener, &place, -1, &client) < 0 || gmtime_r(&now, &utc) == NULL)
		return 1;
	length = strftime(text, sizeof(text), "%A, %B %d, %Y %H:%M:%S-UTC\r\n", &utc);
	/* One client's trouble is not the server's. */
	if (soq_send(client, text, length, 0) < 0)
		(void)fprintf(stderr, "a client has gone\n");
	(void)soq_connection_end(&place);
	(void)soq_finish(client, INT64_C(1000000000));
	return 0;
}

int main(int argc, char **argv)
{
	struct soq_listener_options options = {
		.size = sizeof(options),
		.connections_max = 100,
		.peer_connections_max = 10,
	};
	struct soq_listener *listener;
	struct soq_endpoint ep;
	struct soq_loop *loop;
	char name[SOQ_ENDPOINT_TEXT_MAX];
	long clients = 0;

	options.local = &ep;
	if (argc == 3)
		clients = strtol(argv[2], NULL, 10);
	if (clients <= 0 || soq_endpoint_parse(argv[1], &ep) < 0) {
		(void)fprintf(stderr, "usage: time_server ADDRESS:PORT CLIENTS\n");
		return 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (soq_loop_create(NULL, &loop) < 0 || soq_listener_open(loop, &options, &listener) < 0 ||
	    soq_listener_start(listener) < 0 ||
	    soq_socket_local(soq_listener_socket(listener), &ep) < 0 ||
	    soq_endpoint_format(&ep, name, sizeof(name)) < 0)
		return 1;
	printf("time_server on %s\n", name);
	while (clients-- > 0)
		if (tell_time(listener) != 0)
			return 1;
	return soq_listener_close(listener) < 0 || soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 ||
	       soq_loop_destroy(loop) < 0;
}
