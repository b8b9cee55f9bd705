/* SPDX-License-Identifier: MIT */
/*
 * Watching sockets: a trace function that tells of each connect and accept, the counters of
 * the loop by name, and those of one socket.
 */
#include "pair.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Told on the loop's thread, in the midst of a call: it may look, and start nothing. */
static void on_trace(const struct soq_trace_event *event, void *user)
{
	static const char *const steps[] = { "", "begins", "goes on", "failed", "has ended" };
	char peer[SOQ_ENDPOINT_TEXT_MAX] = "";
	unsigned *told = user;

	if (event->what != SOQ_TRACE_CONNECT && event->what != SOQ_TRACE_ACCEPT)
		return;
	if (event->peer != NULL)
		(void)soq_endpoint_format(event->peer, peer, sizeof(peer));
	printf("%s %s %s\n", event->what == SOQ_TRACE_CONNECT ? "connect" : "accept",
	       steps[event->step], peer);
	++*told;
}

int main(void)
{
	unsigned told = 0;
	struct soq_loop_options options = { .size = sizeof(options),
					    .trace = on_trace,
					    .trace_user = &told };
	struct soq_socket_stats stats = { .size = sizeof(stats) };
	struct soq_loop *loop;
	struct soq_socket *a, *b;
	char bytes[5];

	if (soq_loop_create(&options, &loop) != 0 || pair(loop, &a, &b) != 0 ||
	    soq_send(a, "hello", 5, 0) != 5 || soq_recv(b, bytes, 5, SOQ_EXACT) != 5)
		return 1;

	/* What a program would publish; those below 7 are .NET's. */
	for (int id = 0; soq_counter_name((enum soq_counter)id) != NULL; id++) {
		int64_t value = soq_loop_counter(loop, (enum soq_counter)id);

		if (value != 0)
			printf("%s: %" PRId64 "\n", soq_counter_name((enum soq_counter)id), value);
	}

	if (soq_socket_stats(b, &stats) != 0 || stats.bytes_received != 5)
		return 1;
	printf("this socket has received %" PRIu64 " bytes\n", stats.bytes_received);
	/* A beginning and an end of each. */
	return told != 4 || finish(loop);
}
