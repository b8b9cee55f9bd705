/* SPDX-License-Identifier: MIT */
/* A way to exchange a request and its response over one connection, and its row. */
#ifndef PINGPONG_TECHNIQUE_H
#define PINGPONG_TECHNIQUE_H

#include "../common/control.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Room for a response, more than there ever is: whoever waits for "what has come" is
 * not told by a full buffer that there may be more.
 */
#define TECHNIQUE_ROOM_BYTES 4096u

/* One round trip. Returns 0 or -errno. */
typedef int technique_trip_fn(void *state, const unsigned char *request, unsigned char *response,
			      size_t size_bytes);

struct technique {
	const char *key;  /* its name in CSV, JSON and on the command line */
	const char *name; /* in the table */
	const char *how;  /* what a round trip is made of */
	const char *over; /* the key of the row that sleeps where this one spins, or NULL */
	bool is_soq;
	bool only_split; /* of no use where both ends share a CPU */
	/* What --check asks of each round trip: enters or epoll waits, requests; 0: nothing. */
	unsigned waits;
	unsigned requests;
	uint32_t backend; /* of soq: SOQ_BACKEND_* */
	uint32_t spin_ns; /* of soq's loop */
	bool pooled;      /* one multishot receive; the kernel, or soq, picks the buffer */
	/*
	 * Connects to `where`; on a loop of synchronous calls also keeps `armed` receives in
	 * flight on other connections, on which nothing comes. Returns 0, or -errno: it cannot
	 * be had here.
	 */
	int (*open)(const struct technique *self, const struct sockaddr_in *where, unsigned armed,
		    void **state_out);
	technique_trip_fn *trip;
	/* Counters so far; cpu_ns is not filled in. */
	struct control_report (*report)(void *state);
	int (*close)(void *state);
};

/* The rows of one file, in the table's order; the very first is the reference. */
struct technique_list {
	const struct technique *rows;
	size_t count;
};

extern const struct technique_list technique_raw;
#ifdef PERF_HAVE_URING
extern const struct technique_list technique_uring;
#endif
extern const struct technique_list technique_soq;

/* A blocking connection with TCP_NODELAY, or -errno. */
int technique_connect(const struct sockaddr_in *where);

#endif
