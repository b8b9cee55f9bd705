/* SPDX-License-Identifier: MIT */
/* What the roles of peer-libuv share. */
#ifndef PEERS_LIBUV_H
#define PEERS_LIBUV_H

#include "../twins/twin.h"

#include <uv.h>

extern struct control_report libuv_counters;

/* A connection; what a role does not need stays unused. */
struct libuv_connection {
	uv_tcp_t tcp;
	uv_write_t write;
	uint64_t position_bytes; /* a source's */
};

void libuv_end(uv_stream_t *stream);

/* A new connection, by role. */
void libuv_begin_echo(struct libuv_connection *c);
void libuv_begin_sink(struct libuv_connection *c);
void libuv_begin_source(struct libuv_connection *c);

/* Echoes datagrams on `fd`. Returns 0 or libuv's error. */
int libuv_open_datagram(uv_loop_t *loop, int fd);

#endif
