/* SPDX-License-Identifier: MIT */
/* What the twins share: an echo server that takes turns, and the program around it. */
#ifndef TWINS_TWIN_H
#define TWINS_TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/control.h"

#define TWIN_BUFFER_BYTES 16384u /* as soqperf's server has */

#define TWIN_EXIT_CANNOT_RUN 3

/* What a turn saw beside the echo's own events. */
enum twin_turn { TWIN_TURN_ECHO = 0, TWIN_TURN_WATCHED = 1 };

/* A server for twin_main(); `state` is what create() made. */
struct twin {
	const char *name;
	const char *engine;
	const char *option; /* an option it takes, or NULL */
	const char *option_help;
	int (*create)(int listen_fd, int watched_fd, bool option_given, void **state_out);
	int (*turn)(void *state); /* waits; enum twin_turn or -errno */
	const struct control_report *(*report)(const void *state);
	void (*destroy)(void *state);
};

/*
 * A nonblocking TCP listener at `text` (ADDRESS:PORT, [ADDRESS]:PORT) whose
 * connections have TCP_NODELAY. Returns the descriptor or -errno.
 */
int twin_listen(const char *text);

/*
 * The two halves of twin_main() before its loop, for servers with a loop of their own
 * (../peers): they need no functions in `twin`. twin_open() reads the arguments and
 * listens, or ends the program. twin_say_listening() is for a server that takes
 * signals already.
 */
int twin_open(int argc, char **argv, const struct twin *twin, bool *option_given_out);
void twin_say_listening(int fd, const struct twin *twin);

/* Listens, serves until SIGTERM or SIGINT, reports. Returns the exit code. */
int twin_main(int argc, char **argv, const struct twin *twin);

#endif
