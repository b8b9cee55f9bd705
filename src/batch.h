/* SPDX-License-Identifier: MIT */
/*
 * What the core sends and receives by itself: batches, and datagrams it has to cut
 * out of one message because the kernel does not. Never waits: while there is no
 * room or nothing to receive, the lane's request is a poll.
 */
#ifndef SOQI_BATCH_H
#define SOQI_BATCH_H

#include "socket.h"

#include <soq/message.h>

/* Messages of one call of the kernel's, and segments of the pieces it takes. */
#define SOQI_BATCH_MESSAGES 64u
#define SOQI_BATCH_SEGMENTS SOQ_MESSAGE_SEGMENTS_MAX

/* Scratch of one call: a loop's, made at its first batch, or a detached call's own. */
struct soqi_batch_room {
	struct mmsghdr headers[SOQI_BATCH_MESSAGES];
	struct iovec segments[SOQI_BATCH_SEGMENTS];
};

/* Whether what `op` moves are messages with a struct of their own. */
static inline bool soqi_has_messages(const struct soq_op *op)
{
	return (op->priv.flags & (SOQI_OP_BATCH | SOQI_OP_MESSAGE)) != 0;
}

/* Whether `op`, the head of a lane of `s`, is done here and not by the backend. */
bool soqi_batch_serves_messages(const struct soq_socket *s, const struct soq_op *op);
static inline bool soqi_batch_serves(const struct soq_socket *s, const struct soq_op *op)
{
	return (op->priv.kind == SOQI_KIND_SEND || op->priv.kind == SOQI_KIND_RECV) &&
	       soqi_unlikely((op->priv.flags &
			      (SOQI_OP_BATCH | SOQI_OP_MESSAGE | SOQI_OP_POLICED)) != 0) &&
	       soqi_batch_serves_messages(s, op);
}

/* The checks of a batch's start; the messages as they are sent or received one by one. */
int soqi_batch_check(const struct soq_socket *s, const struct soqi_transfer *t);

/*
 * Before a start: sees to it that a loop has the scratch `t` may need, and that it is
 * known whether the kernel cuts at all. 0 or -ENOMEM.
 */
int soqi_batch_prepare(struct soq_socket *s, const struct soqi_transfer *t);

/* The memory a batch lends the library for its life. */
void soqi_batch_own(const struct soq_op *op, bool give);

/*
 * Does what can be done now of what is left of `op`: messages of a batch, bytes of a
 * message, -EAGAIN or another error. `flags` are MSG_*. Reads nothing of the socket
 * that changes but `split`, which is passed.
 */
int32_t soqi_batch_try(const struct soq_socket *s, struct soq_op *op, struct soqi_batch_room *room,
		       int flags, enum soqi_split split);

/* Whether the receive side is shut: the kernel says -EAGAIN, though nothing more comes. */
bool soqi_receive_is_shut(int fd);

/* The same for the head of a lane, in the loop's scratch, counted. */
int32_t soqi_batch_serve(struct soq_socket *s, struct soqi_lane *lane);

/* What is next to be sent or received of `op`, a message or a batch; NULL: bytes alone. */
struct soq_message *soqi_batch_current(const struct soq_op *op);
/* For a call the memory is ours, whatever a tool has been told (see own.h); and `back`. */
void soqi_batch_borrow(const struct soq_socket *s, const struct soq_message *messages,
		       unsigned count, bool back);
/* sendmmsg(2) that does not wait: messages sent, or -errno. */
int soqi_batch_call(int fd, struct mmsghdr *headers, unsigned count, int flags);

/* datagrams.c. Sends what stands in line in a send lane, if it is datagrams, and can leave now. */
void soqi_datagrams_send(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane);

/* split.c. Asks the kernel, once for a socket, whether it cuts at all. */
void soqi_split_ask(struct soq_socket *s);
/* Whether the library cuts the message. */
bool soqi_split_is_here(const struct soq_message *message, enum soqi_split split);
/* Sends a message from `offset` on as single datagrams, with MSG_*. Bytes, or -errno if none. */
int32_t soqi_split_send(const struct soq_socket *s, struct soq_message *m, uint64_t offset,
			struct soqi_batch_room *room, int flags);
/*
 * What a send that came back with `result` really means, where the kernel may have
 * refused to cut a message into datagrams: then -EAGAIN, and it is done here.
 */
int32_t soqi_split_judge(struct soq_socket *s, const struct soq_op *op, int32_t result);

/* Whether the message at the head waits for what no poll tells: a unix datagram by address. */
bool soqi_send_is_unwatched(const struct soq_socket *s, const struct soq_op *op);

#endif
