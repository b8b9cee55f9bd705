/* SPDX-License-Identifier: MIT */
/*
 * The seam between the core and the two backends.
 *
 * Down, the core guarantees: calls come from the loop's thread; submit() is called
 * for a lane with no request in the kernel, cancel() for one that has; detach()
 * when neither lane has one, before the descriptor is closed.
 *
 * Up, a backend guarantees: each submitted request comes back exactly once through
 * soqi_finish(), with the result the system call would have had, or by
 * soqi_again(): it waits no longer and wants to be made anew. Both may be called
 * inside submit(), cancel(), push() and wait(), and only take notes: they call
 * nobody back and submit nothing. A multishot request comes back with `more` set
 * any number of times before.
 *
 * A request for a buf comes back by soqi_finish_buf() with the buf, or with none: at
 * the end, in an error, or with -ENOBUFS when the class had none left.
 */
#ifndef SOQI_BACKEND_H
#define SOQI_BACKEND_H

#include "lane.h"

#include <soq/loop.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct soq_buf;
struct soq_pool;
struct soq_socket;
struct soqi_pool_class;

enum soqi_request_kind {
	SOQI_REQUEST_RECV,
	SOQI_REQUEST_SEND,
	SOQI_REQUEST_ACCEPT,
	SOQI_REQUEST_ACCEPT_MULTISHOT,
	SOQI_REQUEST_CONNECT,
	SOQI_REQUEST_POLL,
	SOQI_REQUEST_RECV_BUF, /* into a buf that is picked when there is something */
	SOQI_REQUEST_RECV_BUF_MULTISHOT,
};

/*
 * One request, valid for the call. The segments and the address live until push()
 * has returned true or wait() has set loop->segments_used to 0; the memory they
 * name, and `header`, live until the request comes back. 80 bytes, which compilers
 * clear by five stores; more would be cleared by an instruction that takes 10 ns.
 */
struct soqi_request {
	enum soqi_request_kind kind;
	int fd;
	int message_flags; /* MSG_*; with MSG_DONTWAIT it comes back with -EAGAIN, it never waits */
	uint32_t segment_count;
	/*
	 * A send whose event may come late: the backend may leave out its completion,
	 * sleep with it once in wait(), and tell soqi_finish_silent() afterwards. It must
	 * not wait in the kernel then: what it did not send comes back short, or -EAGAIN.
	 */
	int32_t lazy_bytes; /* all of such a send; else 0 */
	socklen_t addr_size_bytes;
	short poll_events; /* POLL*, of a poll: the result is those that are there */
	bool waits;        /* of detached sockets: a try may block, and what it accepts blocks */
	bool lent;         /* the memory is a caller's: see own.h */
	bool cut;          /* the last segment is not all of what the caller has there */
	bool whole;        /* RECV_BUF: a message, with its sender */
	bool control;      /* and with what the kernel tells of it */
	uint64_t token;
	struct iovec *segments;
	struct msghdr *header;        /* of a message, filled in; NULL: the segments are all */
	struct soqi_pool_class *bufs; /* RECV_BUF: where from; it has one at home */
	const struct sockaddr *addr;
	/* A send that may go without a copy: whose memory it is; or NULL. */
	struct soq_op *zerocopy;
};
_Static_assert(sizeof(struct soqi_request) <= 80, "a request is made for each op");

/* How long wait() waits: until a CLOCK_MONOTONIC time in ns, or one of these. */
#define SOQI_NOW     INT64_C(0)
#define SOQI_FOREVER INT64_MAX

struct soqi_backend {
	enum soq_backend id;
	int socket_flags; /* SOCK_NONBLOCK where the backend tries for itself */
	bool immediate;   /* submit() does what it can at once */
	bool zerocopy;    /* it can send without a copy */

	/* Makes loop->impl. On failure nothing is left behind. */
	int (*create)(struct soq_loop *loop, const struct soq_loop_options *options);
	/* Gives everything back; `child` after fork: touch nothing shared with the parent. */
	void (*destroy)(struct soq_loop *loop, bool child);
	/* Called once, in the thread that will own the loop. */
	int (*own)(struct soq_loop *loop);
	/* The owner has exited: takes in what the kernel had finished, starts afresh. */
	int (*inherit)(struct soq_loop *loop);

	void (*submit)(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
		       const struct soqi_request *request);
	void (*cancel)(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane);
	void (*detach)(struct soq_loop *loop, struct soq_socket *s);

	/* Hands over what was submitted. True: segments of earlier requests are free again. */
	bool (*push)(struct soq_loop *loop);
	/*
	 * Hands over, waits for at least one thing to happen, takes in what did. 0, or
	 * why it never will again: then the kernel has let go of every request.
	 */
	int (*wait)(struct soq_loop *loop, int64_t until_ns);
	/* What a host may poll for. */
	int (*fd)(struct soq_loop *loop);

	/* Lets the kernel pick bufs of the pool: 0, or why it cannot, and the core picks. */
	int (*pool_add)(struct soq_loop *loop, struct soq_pool *pool);
	void (*pool_remove)(struct soq_loop *loop, struct soq_pool *pool);
	/* A buf of a class the kernel picks from is there to be picked again. */
	void (*buf_home)(struct soq_loop *loop, struct soqi_pool_class *class,
			 const struct soq_buf *buf);
};

extern const struct soqi_backend soqi_backend_epoll;
extern const struct soqi_backend soqi_backend_uring;

/* Up. A token that names no request in the kernel is dropped and counted. */
void soqi_finish(struct soq_loop *loop, uint64_t token, int32_t result, bool more);
/* The same with the buf the kernel has picked, or NULL. */
void soqi_finish_buf(struct soq_loop *loop, uint64_t token, int32_t result, bool more,
		     struct soq_buf *buf);
void soqi_again(struct soq_loop *loop, struct soqi_lane *lane);

/*
 * The same for a lazy send that came back without a completion: `result` is all of
 * it. Nothing, if its completion came after all.
 */
void soqi_finish_silent(struct soq_loop *loop, uint64_t token, int32_t result);

/* The request cancel() was called for was not found; if it is still there, ask again. */
void soqi_cancel_missed(struct soq_loop *loop, uint64_t token);

/*
 * Zero copy: the backend holds the memory of `op` from submit() on, and lets go of it
 * once for each hold, before its request has come back or long after. An op keeps its
 * address and its memory until nobody holds it. A request that cannot go without a copy is
 * refused, and comes back to be made anew; `always`: so it is with all of its socket.
 */
enum soqi_copied { SOQI_COPIED_UNKNOWN, SOQI_COPIED_NO, SOQI_COPIED_YES };
void soqi_zerocopy_hold(struct soq_op *op);
void soqi_zerocopy_let_go(struct soq_loop *loop, struct soq_op *op, enum soqi_copied copied);
void soqi_zerocopy_refuse(struct soq_op *op, bool always);

/* The wake descriptor is readable: the backend saw it. */
void soqi_woken(struct soq_loop *loop);

/*
 * What the kernel is told about a request: never a pointer. The top four bits are
 * the backend's own.
 */
static inline uint64_t soqi_token(uint32_t slot, const struct soqi_lane *lane)
{
	return (uint64_t)slot | (uint64_t)lane->index << 32 | (uint64_t)lane->generation << 34;
}

#define SOQI_TOKEN_MASK ((UINT64_C(1) << 60) - 1)

#endif
