/* SPDX-License-Identifier: MIT */
/* What the twins share: a server that takes turns, and the program around it. */
#ifndef TWINS_TWIN_H
#define TWINS_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "../common/control.h"

#define TWIN_BUFFER_BYTES 16384u  /* as soqperf's server has */
#define TWIN_CHUNK_BYTES  65536u  /* what a source sends again and again */
#define TWIN_GATHERED     8       /* chunks of one send: 10 to 40 % less CPU than one by one */
#define TWIN_SINK_BYTES   524288u /* what a sink receives into: half of the CPU of 64 KiB */

#define TWIN_EXIT_CANNOT_RUN 3

/* What is served; the same for every program. */
enum twin_role {
	TWIN_ECHO,     /* TCP: everything goes back */
	TWIN_SINK,     /* TCP: received and thrown away, until the peer ends */
	TWIN_SOURCE,   /* TCP: the chunk for ever, until sending fails */
	TWIN_DATAGRAM, /* UDP: every datagram goes back to its sender */
};

/* The command line. */
struct twin_options {
	enum twin_role role;
	bool option_given; /* the program's own one */
};

/* What a turn saw beside the server's own events. */
enum twin_turn { TWIN_TURN_SERVED = 0, TWIN_TURN_WATCHED = 1 };

/* A server for twin_main(); `state` is what create() made. */
struct twin {
	const char *name;
	const char *engine;
	const char *option; /* an option it takes, or NULL */
	const char *option_help;
	/* `fd` listens, or is the datagram role's socket. */
	int (*create)(int fd, int watched_fd, const struct twin_options *options, void **state_out);
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
 * The chunk from `position` of the stream on: TWIN_CHUNK_BYTES are there, wherever that
 * is. The first call, which fills it, is for one thread.
 */
const unsigned char *twin_chunk(uint64_t position);

/* Several chunks to be sent at once, from `position` on: their bytes. */
static inline size_t twin_gather(uint64_t position, struct iovec parts_out[TWIN_GATHERED])
{
	for (int i = 0; i < TWIN_GATHERED; i++)
		parts_out[i] = (struct iovec){ (void *)twin_chunk(position), TWIN_CHUNK_BYTES };
	return (size_t)TWIN_GATHERED * TWIN_CHUNK_BYTES;
}

/*
 * The two halves of twin_main() before its loop, for servers with a loop of their own
 * (../peers): they need no functions in `twin`. twin_open() reads the arguments and
 * makes the listener or the UDP socket of the role, or ends the program.
 * twin_say_listening() is for a server that takes signals already.
 */
int twin_open(int argc, char **argv, const struct twin *twin, struct twin_options *options_out);
void twin_say_listening(int fd, const struct twin *twin);

/* Listens, serves until SIGTERM or SIGINT, reports. Returns the exit code. */
int twin_main(int argc, char **argv, const struct twin *twin);

#endif
