/* SPDX-License-Identifier: MIT */
/*
 * Sends of parts, memory and files: one op of a stream's send lane, with SOQI_OP_PARTS.
 * The core sends it itself, as it does batches: it never waits, and while there is no room
 * the lane's request is a poll.
 */
#ifndef SOQI_PARTS_H
#define SOQI_PARTS_H

#include "socket.h"

#include <soq/file.h>

/*
 * What is read of files for one sendmsg(2): a loop's, made at its first file, or a
 * detached call's own. From here on more gains little, and memory that stays in the
 * processor's cache is worth more on unix sockets.
 */
#define SOQI_PARTS_BYTES 131072u

/* The checks of the arguments, but for the files. */
int soqi_parts_check(const struct soq_part *parts, unsigned part_count, uint32_t flags);
/* Those of the socket. */
int soqi_parts_check_socket(const struct soq_socket *s);
/*
 * Finds the files, and notes in `op` what is to be sent: all that an op needs but its
 * room. soqi_parts_close() ends what it began; after an error there is nothing to end.
 */
int soqi_parts_open(struct soq_op *op, struct soq_part *parts, unsigned part_count);
void soqi_parts_close(const struct soq_op *op);
/* Whether it needs a room at all. */
bool soqi_parts_have_files(const struct soq_op *op);

/* The memory the parts lend the library for their life. */
void soqi_parts_own(const struct soq_op *op, bool give);

/* Sends what can leave now, as far as one turn may: bytes, -EAGAIN or another error. */
int32_t soqi_parts_try(const struct soq_socket *s, struct soq_op *op);

/* The same for the head of a lane, counted. */
int32_t soqi_parts_serve(struct soq_socket *s, struct soqi_lane *lane);

#endif
