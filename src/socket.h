/* SPDX-License-Identifier: MIT */
/* What the files about sockets share: closing, accepting, judging results. */
#ifndef SOQI_SOCKET_H
#define SOQI_SOCKET_H

#include "op.h"

enum soqi_close_mode {
	SOQI_CLOSE_PLAIN, /* as linger says */
	SOQI_CLOSE_ABORT, /* with a reset */
	SOQI_CLOSE_FINISH /* sends first, then FIN, then the peer's end */
};

/* close.c. Begins to close an open socket; `op` (started, or NULL) is told the end. */
void soqi_close_begin(struct soq_socket *s, enum soqi_close_mode mode, struct soq_op *op);
/* Takes a closing socket as far as it can go now. */
void soqi_close_step(struct soq_socket *s);
/* Turns a finish, or a lingering close, into an abort with `cause` as its result. */
void soqi_finish_cut(struct soq_socket *s, int cause);

/* close.c. Ends every sleep with `error`. */
void soqi_sleeps_end(struct soq_loop *loop, int error);

/*
 * accept.c. Arrivals of one multishot accept that may wait for delivery: at this
 * many it leaves the others in the kernel's backlog, until half are taken (io_uring
 * takes the whole backlog in one go, so up to that many more). So a
 * program that is busy elsewhere is not flooded out of descriptors.
 */
#define SOQI_ARRIVALS_MAX 256u
void soqi_accept_arrived(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op, int fd);
void soqi_accept_settle(struct soq_loop *loop, struct soq_socket *s, struct soqi_ops *ended);
void soqi_accept_unstarve(struct soq_loop *loop);
/* Whether the lane's accept has to wait until its arrivals are taken. */
bool soqi_accept_is_full(const struct soqi_lane *lane);
/* Takes a lane out of the starved ones. */
void soqi_accept_forget(struct soq_loop *loop, struct soqi_lane *lane);

/* connect.c. A connect ended in `error`, or was cut short by it: so does what waits for it. */
void soqi_connect_failed(struct soq_socket *s, int error, bool cut);
void soqi_connect_settle(struct soq_loop *loop, struct soq_socket *s, struct soqi_ops *ended);

/* judge.c */
/* Notes a connection error as soon as it is seen, whichever lane saw it. */
void soqi_judge_note(struct soq_socket *s, int32_t result);
/* What a receive, or a send, that came back with `result` really means. */
int32_t soqi_judge_receive(struct soq_socket *s, int32_t result);
int32_t soqi_judge_send(struct soq_socket *s, int32_t result);
/* Whether the verdict on an -EPIPE has to wait for the receive in the kernel. */
bool soqi_judge_must_hold(struct soq_socket *s, int32_t result);

/*
 * stream.c: gives a synchronous call's op the socket's timeout, or returns why the
 * call before was cut short.
 */
int soqi_sync_begin(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op);
int64_t soqi_sync_end(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op,
		      struct soq_event *event);

#endif
