/* SPDX-License-Identifier: MIT */
/* The ways to move a burst of datagrams from one socket to another. */
#ifndef PERF_WAY_H
#define PERF_WAY_H

#include <soq/soq.h>
#include <stdbool.h>
#include <stdint.h>

#define WAY_BYTES 1200
#define WAY_BURST 54 /* datagrams: what fits one send with segments */

enum way_kind { WAY_RAW, WAY_CALLS, WAY_BATCH, WAY_SEGMENTS };

/* Two connected UDP sockets on loopback and what they need. */
struct way {
	const char *label;
	enum way_kind kind;
	uint32_t backend; /* SOQ_BACKEND_* */
	struct soq_loop *loop;
	struct soq_socket *from, *to;
	int raw_from, raw_to;
	struct soq_message out[WAY_BURST], in[WAY_BURST];
	struct iovec out_parts[WAY_BURST], in_parts[WAY_BURST];
	unsigned char sent[WAY_BURST][WAY_BYTES];
	unsigned char got[WAY_BURST][WAY_BYTES];
	uint64_t number; /* of the next datagram */
};

/* 0, or -errno: then it cannot be had here. */
int way_open(struct way *way);
void way_close(struct way *way);

/* Writes the next burst's bytes. */
void way_prepare(struct way *way);
/* Sends all of it, receives all of it. 0, or -errno; -EBADMSG for a wrong size. */
int way_send(struct way *way);
int way_receive(struct way *way);
/* Whether what came is what was sent. */
bool way_is_right(const struct way *way);

#endif
