/* SPDX-License-Identifier: MIT */
/*
 * The server of a run, as a child process: soqperf's own by fork, or any program that
 * speaks common/control.h on its standard output. It never outlives the run.
 */
#ifndef SOQPERF_PEER_H
#define SOQPERF_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "../common/control.h"
#include "server.h"

#define PEER_REPORTS_MAX 8

struct peer {
	pid_t pid; /* 0: none runs */
	int output_fd;
	char text[4096]; /* what came on output_fd and is no whole line yet */
	size_t text_bytes;
	char engine[16];                      /* what it runs on */
	char endpoint[SOQ_ENDPOINT_TEXT_MAX]; /* where it listens */
	struct control_report reports[PEER_REPORTS_MAX];
	unsigned report_count;
	bool failed; /* it ended in another way than exit code 0 */
	struct rusage usage;
};

/* Forks the echo server; `cpu` below 0 leaves it where it is. Returns 0 or -errno. */
int peer_fork(struct peer *p, const struct server_options *options, int cpu);

/* Runs `command` with the shell. */
int peer_command(struct peer *p, const char *command, int cpu);

/* Waits until it says where it listens. */
int peer_wait_listening(struct peer *p, int timeout_ms);

/* Asks for a report; it is read in peer_end(). */
void peer_ask_report(const struct peer *p);

/* Ends it, reads its reports, takes its exit status. A second call does nothing. */
void peer_end(struct peer *p);

#endif
