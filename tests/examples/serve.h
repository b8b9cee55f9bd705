/* SPDX-License-Identifier: MIT */
/* What the servers among the examples begin and end with. */
#ifndef SOQ_EXAMPLES_SERVE_H
#define SOQ_EXAMPLES_SERVE_H

#include <soq/soq.h>

#include <signal.h>
#include <stdio.h>

static struct soq_loop *loop;
static struct soq_pool *pool;
static struct soq_socket *listener;

/* Makes them, a pool if it is to have bufs; says where it listens, since port 0 takes a free one. */
static inline int serve_open(const char *name, const char *address, uint32_t buf_count,
			     uint32_t share)
{
	struct soq_pool_options options = { .size = sizeof(options), .share = share };
	char text[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_endpoint ep;

	options.class_count = 1;
	options.classes[0].buf_count = buf_count; /* of the default size, 16 KiB */
	if (soq_endpoint_parse(address, &ep) != 0 || soq_loop_create(NULL, &loop) != 0 ||
	    (buf_count > 0 && soq_pool_create(loop, &options, &pool) != 0) ||
	    soq_socket_open(loop, ep.addr.any.sa_family, SOCK_STREAM, 0, &listener) != 0 ||
	    soq_bind(listener, &ep) != 0 || soq_listen(listener, 0) != 0 ||
	    soq_socket_local(listener, &ep) != 0 ||
	    soq_endpoint_format(&ep, text, sizeof(text)) < 0)
		return -1;
	printf("%s on %s\n", name, text);
	return fflush(stdout);
}

static void serve_stop(int number)
{
	(void)number;
	(void)soq_loop_stop(loop);
}

/* Serves until SIGTERM, then ends everything. Fails if a buf was not returned. */
static inline int serve(void)
{
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct sigaction action = { .sa_handler = serve_stop };

	(void)sigaction(SIGTERM, &action, NULL);
	if (soq_loop_run(loop, SOQ_RUN_STOP, -1) < 0 || soq_loop_stats(loop, &stats) != 0)
		return 1;
	printf("allocations: %llu\n", (unsigned long long)stats.allocations);
	return soq_loop_close_all(loop) != 0 || soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 ||
	       soq_pool_destroy(pool) != 0 || soq_loop_destroy(loop) != 0;
}

#endif
