/* SPDX-License-Identifier: MIT */
/* `soqperf server`: a role as a program, or as the other end of a run. */
#ifndef SOQPERF_SERVER_H
#define SOQPERF_SERVER_H

#include <soq/soq.h>
#include <stdbool.h>

#include "service.h"

struct server_options {
	const struct role *role;
	struct soq_endpoint endpoint;
	uint32_t backend; /* enum soq_backend */
	struct service_options service;
	int output_fd; /* where `listening` and `report` lines go */
	bool quiet;    /* nothing on stderr but errors */
};

/*
 * Serves until SIGINT or SIGTERM; reports at SIGUSR1 and at the end. Returns an exit
 * code: 0, 1 (it broke), 3 (could not run).
 */
int server_run(const struct server_options *options);

/* The role of that name, or NULL. */
const struct role *server_find_role(const char *name);

/* The backend a loop runs on, as the options name it. */
const char *server_backend_name(struct soq_loop *loop);

#endif
