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
void soqi_close_go(struct soq_socket *s);

static inline void soqi_close_step(struct soq_socket *s)
{
	if (soqi_unlikely(s->state == SOQI_SOCKET_CLOSING))
		soqi_close_go(s);
}

/* Turns a finish, or a lingering close, into an abort with `cause` as its result. */
void soqi_finish_cut(struct soq_socket *s, int cause);

/* close.c. The close of this descriptor shall reset its connection. */
void soqi_reset_on_close(int fd);

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
/* No descriptors or memory for it; or an error that died with its connection. */
bool soqi_accept_is_shortage(int32_t result);
bool soqi_accept_is_passing(int32_t result);
/* Whether arrivals of the listener wait to be taken. */
bool soqi_accept_has_arrivals(const struct soq_socket *s);
/* Whether the lane's accept has to wait until its arrivals are taken. */
bool soqi_accept_is_full(const struct soqi_lane *lane);

/* backoff.c. Tries the lane again in a while. */
void soqi_backoff(struct soq_loop *loop, struct soqi_lane *lane, int64_t delay_ns);
/* Takes a lane out of those. */
void soqi_backoff_forget(struct soq_loop *loop, struct soqi_lane *lane);
/* Tries all of them now. */
void soqi_backoff_end(struct soq_loop *loop);

/*
 * connect.c. A connect ended in `error`, or was cut short by it: so does what waits
 * for it. `behind`: the first op behind it in its lane, or NULL.
 */
void soqi_connect_failed(struct soq_socket *s, struct soq_op *behind, int error, bool cut);
void soqi_connect_settle(struct soq_loop *loop, struct soq_socket *s, struct soqi_ops *ended);
/* Puts the started op of a connect into its lane. */
void soqi_connect_begin(struct soq_socket *s, struct soq_op *op, const struct soq_endpoint *ep);
/* What soq_connect() takes. */
int soqi_connect_check(const struct soq_socket *s, const struct soq_endpoint *ep);
/* Whether a connect has no place in the backend, and is made at once. */
bool soqi_connect_is_local(const struct soq_socket *s);
/* A unix connect: its result; -EAGAIN when the listener's queue is full. */
int soqi_connect_local(const struct soq_socket *s, const struct soq_endpoint *ep);

/* judge.c */
/* Notes a connection error as soon as it is seen, whichever lane saw it. */
void soqi_judge_note(struct soq_socket *s, int32_t result);
/* What a receive, or a send, that came back with `result` really means. */
int32_t soqi_judge_receive(struct soq_socket *s, int32_t result);
int32_t soqi_judge_send(struct soq_socket *s, int32_t result);
/*
 * Whether what a send or a receive said of a connection that is gone (-EPIPE, or 0) may
 * yet turn out to be something else, if the other direction has a call under way.
 */
bool soqi_judge_may_tell_more(const struct soq_socket *s, int32_t result);
/* Takes the error the kernel has and keeps it if it broke the connection. 0, or -errno. */
int soqi_judge_take(struct soq_socket *s, int32_t *error_out);
/* Whether the verdict on an -EPIPE has to wait for the receive in the kernel. */
bool soqi_judge_must_hold(const struct soq_socket *s, int32_t result);

/*
 * transfer.c: gives a synchronous call's op the socket's timeout, or returns why the
 * call before was cut short.
 */
int soqi_sync_begin(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op);
/* Remembers why it was cut short, for the next. */
void soqi_sync_note(struct soq_socket *s, enum soqi_lane_index index,
		    const struct soq_event *event);
int64_t soqi_sync_end(struct soq_socket *s, enum soqi_lane_index index, struct soq_op *op,
		      struct soq_event *event);

/* One send or receive as the caller asked for it: `data` is `count` bytes or segments. */
struct soqi_transfer {
	enum soqi_lane_index index;
	const void *data;
	size_t count;
	bool vector;
	uint32_t flags;               /* SOQ_*, unchecked */
	struct soq_endpoint *address; /* whom to, or where to write from whom; NULL for none */
	struct soq_message *message;  /* of the calls that take one, or NULL */
	bool batch;                   /* `data` is `count` messages */
	bool parts;                   /* with `batch`: what `op` knows already, see parts.h */
};

/* settle.c. Takes the result of a transfer's request in, judged. */
void soqi_transfer_settle(struct soq_socket *s, struct soqi_lane *lane, int32_t result,
			  struct soqi_ops *ended);

/* transfer.c */
int soqi_transfer_start(struct soq_socket *s, struct soq_op *op, const struct soqi_transfer *t);
int64_t soqi_transfer(struct soq_socket *s, const struct soqi_transfer *t);
/*
 * Checks what was asked for, by a synchronous call if it `waits`, and notes it in `op`;
 * the other: anything but a batch.
 */
int soqi_transfer_check(const struct soq_socket *s, struct soq_op *op,
			const struct soqi_transfer *t, bool waits);
int soqi_transfer_check_one(const struct soq_socket *s, struct soq_op *op,
			    const struct soqi_transfer *t, bool waits);
/* Whether the socket has, or is getting, a peer. */
static inline bool soqi_carries(const struct soq_socket *s)
{
	return s->phase == SOQI_PHASE_CONNECTED || s->phase == SOQI_PHASE_CONNECTING;
}
int soqi_endpoint_check(const struct soq_socket *s, const struct soq_endpoint *ep);

/* stream.c */
int soqi_shutdown_check(const struct soq_socket *s, int how);
int soqi_shutdown_now(struct soq_socket *s, int how);

/* request.c: the memory of a request for the head of `lane`, in `room` for `max` segments. */
void soqi_request_fill(const struct soq_socket *s, struct soqi_lane *lane, struct iovec *room,
		       unsigned max, struct soqi_request *request);

/*
 * request.c: whether the kernel may not be left to wait with the head of the send
 * lane. A unix datagram's bytes are copied before there is room for them, and the
 * ring's next try would send the nothing that is left (seen on 6.18).
 */
bool soqi_send_must_not_wait(const struct soq_socket *s, const struct soqi_lane *lane);
/* request.c: whether the head of a lane, where it would wait, waits by a poll. */
bool soqi_waits_by_poll(const struct soq_socket *s, const struct soqi_lane *lane);

/* message.c. What every call that takes a message checks of it; and on which socket. */
int soqi_message_check(const struct soq_message *message);
int soqi_message_send_check(const struct soq_socket *s, const struct soq_message *message,
			    uint64_t size_bytes);
struct soqi_transfer soqi_message_transfer(enum soqi_lane_index index, struct soq_message *message,
					   uint32_t flags);
/* The sum of its segments. */
uint64_t soqi_message_bytes(const struct soq_message *message);
/* The kernel's form of a message; of what it tells, the bits in `info`. */
void soqi_message_header(const struct soq_socket *s, struct soq_message *message, bool receives,
			 uint32_t info, struct msghdr *header);
/* Takes in what came with one, but for its length. */
void soqi_message_taken(const struct msghdr *header, struct soq_message *message);
/* The header of a message's request, in its op. */
void soqi_message_fill(const struct soq_socket *s, struct soq_op *op, bool receives);
/*
 * Writes what a receive of `size_bytes` has told beside them; `whole`: through the
 * header. SOQ_F_*.
 */
uint32_t soqi_message_received(struct soq_op *op, bool whole, int32_t size_bytes);

/* poll.c. The watch of a socket: makes its next request, takes in a result. */
void soqi_watch_serve(struct soq_loop *loop, struct soqi_lane *lane);
void soqi_watch_settle(struct soq_loop *loop, struct soqi_lane *lane);
/* Makes it if there is none: 0, or -ENOMEM. */
int soqi_watch_make(struct soq_socket *s);
/*
 * For soq_poll_any(), which puts what it waits for into `any_events`: has a request made
 * for it, if none is armed; and waits no more. What is armed then is let go just before
 * the next wait, so that it serves the next call if that comes first.
 */
void soqi_watch_wait(struct soq_socket *s);
void soqi_watch_leave(struct soq_socket *s);
/* Ends every poll of a closing socket. */
void soqi_watch_stop(struct soq_socket *s);
bool soqi_watch_idle(const struct soq_socket *s);
void soqi_watch_free(struct soq_socket *s);
/* Ends one poll with `cause`. */
void soqi_poll_cut(struct soq_loop *loop, struct soq_op *op, int cause);
/* The event of a multishot poll was taken: looks again. */
void soqi_poll_resume(struct soq_loop *loop, struct soq_op *op);
short soqi_poll_to_system(uint32_t events);
uint32_t soqi_poll_from_system(int events);
/* Whether these are events, and some. */
bool soqi_poll_events_valid(uint32_t events);

/* path.c. Notes the unix path a bind has made; allocated before, so that it cannot fail after. */
int soqi_path_reserve(struct soq_socket *s, const struct soq_endpoint *ep);
void soqi_path_made(struct soq_socket *s);
/* The bind has failed. */
void soqi_path_unmade(struct soq_socket *s);
/* Removes it, if it is still what was made; or forgets it. */
void soqi_path_remove(struct soq_socket *s);
void soqi_path_forget(struct soq_socket *s);

/* try.c. Does one request now: its result, or -EAGAIN if it would wait. Never -EINTR. */
int32_t soqi_try(const struct soqi_request *request);

#endif
