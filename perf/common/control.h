/* SPDX-License-Identifier: MIT */
/*
 * What a measured server says on its output, one line each:
 *
 *   engine uring                   or epoll: what it runs on
 *   listening 127.0.0.1:41872      when it can be connected to
 *   report cpu_ns=... bytes=...    at every SIGUSR1 and when it ends
 *
 * `soqperf server` and the twins speak it, so `soqperf rr` measures them alike. The
 * counters of one report belong together: the difference of two of them, divided by
 * the requests in their bytes, is exact whenever the signals arrived.
 */
#ifndef PERF_CONTROL_H
#define PERF_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

/* Counters since the server began. */
struct control_report {
	uint64_t cpu_ns;      /* of the process */
	uint64_t bytes;       /* echoed */
	uint64_t accepts;     /* connections that arrived */
	uint64_t turns;       /* of the server's loop */
	uint64_t waits;       /* io_uring_enter or epoll_wait calls */
	uint64_t requests;    /* SQEs, or socket calls tried */
	uint64_t completions; /* CQEs, or socket calls that gave a result */
	uint64_t allocations; /* calls of an allocator */
};

/* Tells on `fd` what the server runs on and where it listens. */
void control_say_listening(int fd, const char *engine, const char *endpoint);

/* Tells `report` on `fd`; fills in its cpu_ns first. */
void control_say_report(int fd, struct control_report *report);

/* Reads an `engine` line: its name, or NULL if the line is another. */
const char *control_parse_engine(const char *line);

/* Reads a `listening` line: its endpoint, or NULL if the line is another. */
const char *control_parse_listening(const char *line);

/* Reads a `report` line; unknown names are passed over. */
bool control_parse_report(const char *line, struct control_report *report_out);

/* `later` minus `earlier`, field by field. */
struct control_report control_difference(const struct control_report *later,
					 const struct control_report *earlier);

#endif
