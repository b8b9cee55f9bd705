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

/* A closing socket goes on; or one that is to have another descriptor. */
static inline void soqi_close_step(struct soq_socket *s)
{
	if (soqi_unlikely(s->state >= SOQI_SOCKET_CLOSING))
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

/* Puts the started op of an accept into the listener's lane; with a target, or with data. */
void soqi_accept_start(struct soq_socket *s, struct soq_op *op, uint32_t flags,
		       struct soq_socket *target, void *buffer, size_t size_bytes);
/* The parts of a synchronous accept. */
int soqi_accept_begin_sync(struct soq_socket *s, struct soq_op *op);
uint32_t soqi_accept_sync_flags(const struct soq_socket *s);
int64_t soqi_accept_end_sync(struct soq_socket *s, struct soq_op *op, struct soq_event *event,
			     struct soq_socket **accepted_out, struct soq_endpoint *peer_out);

/* accept_data.c. An accept has its connection, and waits for its first bytes from now on. */
void soqi_first_begin(struct soq_loop *loop, struct soq_socket *listener,
		      struct soq_socket *accepted, struct soq_op *op);
/* It has ended; called where sockets may be closed. */
void soqi_first_take(struct soq_loop *loop, struct soq_op *op);
/* Ends those that came from a listener. */
void soqi_firsts_cut(struct soq_socket *listener);
/* The first of those that is in flight in a slot from `*slot` on, or NULL. */
struct soq_op *soqi_first_of(const struct soq_socket *listener, uint32_t *slot);

/* renew.c. Where the accept with a target is, in priv.segment. */
enum { SOQI_TARGET_NONE = 0, SOQI_TARGET_WAITS, SOQI_TARGET_TAKEN };
/* Whether an accept of `s` may go into `target`, which is anything the caller passed. */
int soqi_target_check(const struct soq_socket *s, struct soq_socket *target);
void soqi_target_begin(struct soq_op *op, struct soq_socket *target);
/* Its connection is there. False: the target is gone. */
bool soqi_target_arrived(struct soq_op *op, int fd);
/* Its final event is taken. */
void soqi_target_end(struct soq_op *op, struct soq_event *event);
/* What makes the socket busy is given up, so that it can be closed. */
void soqi_busy_leave(struct soq_socket *s);
/* Looks whether what is waited for has come. */
void soqi_busy_go(struct soq_socket *s);
/* Gives the socket another descriptor; nothing of it is in the kernel. */
void soqi_renew(struct soq_socket *s, int fd, enum soqi_socket_phase phase);
/* The same with a fresh one that has its options. */
int soqi_reopen(struct soq_socket *s);

/*
 * disconnect.c. The head of the send lane is a disconnect and its turn has come: 0, -EAGAIN,
 * or its error.
 */
int soqi_disconnect_now(struct soq_socket *s, uint32_t flags);
/* Whether it has to wait for the receives to end. */
bool soqi_disconnect_waits(const struct soq_socket *s);
/* It was cut short. */
void soqi_disconnect_undone(struct soq_socket *s);

/* adopt.c. 0, or -EBUSY if anything of a loop's socket is under way; may make a turn. */
int soqi_quiet_check(struct soq_socket *s);

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
/* connect_data.c. The steps of a fast open, in priv.segment_count of a connect. */
enum { SOQI_FAST_NONE = 0, SOQI_FAST_ASKED, SOQI_FAST_LEFT };
/* Whether the connect at the head of a lane waits by a poll for its first packet's answer. */
static inline bool soqi_is_fast(const struct soq_op *op)
{
	return op->priv.kind == SOQI_KIND_CONNECT && op->priv.segment_count != SOQI_FAST_NONE;
}
/*
 * What the first packet can take along: its bytes, or -EINPROGRESS; -EOPNOTSUPP: connect as
 * ever. Else why it did not leave.
 */
int32_t soqi_fast_open(const struct soq_socket *s, const struct soq_endpoint *ep, const void *data,
		       size_t size_bytes);
bool soqi_fast_may(const struct soq_socket *s, size_t size_bytes, uint32_t flags);
/* The next step of a fast open: 0 connected, -EAGAIN, or its error. -EOPNOTSUPP: as above. */
int32_t soqi_fast_step(const struct soq_socket *s, struct soq_op *op);
/* It is connected: the op goes on as a send, or ends. */
void soqi_connect_data_go(struct soq_loop *loop, struct soqi_lane *lane, struct soqi_ops *ended);
/*
 * A TCP connect that was woken goes on: what woke it may be a report in the error queue,
 * and no poll waits while there is one.
 */
void soqi_connect_reports_drop(int fd);
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
	bool now;                     /* a synchronous call that does not wait */
	bool policed;                 /* a policy judges `address` */
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
/* What a synchronous transfer begins and ends with, once it is checked. */
int soqi_transfer_begin(struct soq_socket *s, const struct soqi_transfer *t, struct soq_op *op);
int64_t soqi_transfer_end(struct soq_socket *s, const struct soqi_transfer *t, struct soq_op *op,
			  struct soq_event *event);

/* urgent.c. Whether the socket can have urgent bytes, and what goes with them. */
int soqi_urgent_check(const struct soq_socket *s, uint32_t flags);
/* A receive of the urgent byte: in no lane, and it never waits. */
static inline bool soqi_is_urgent_receive(const struct soqi_transfer *t)
{
	return (t->flags & SOQ_URGENT) && t->index == SOQI_LANE_RECV;
}
/* What it says now of `op`, the head of a lane that is nobody else's. */
int32_t soqi_urgent_try(const struct soq_socket *s, struct soqi_lane *lane);
/* The started op of one: ends it. */
void soqi_urgent_end(struct soq_socket *s, struct soq_op *op);

/* socket.c. Whether the kernel's name of it is one. */
bool soqi_is_bound(const struct soq_socket *s);
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
