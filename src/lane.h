/* SPDX-License-Identifier: MIT */
/*
 * A lane: one of a socket's two queues of ops, and what happens to them when a
 * request comes back. Pure: no syscalls, no socket, no loop. At most one request
 * of a lane is in the kernel; it covers the first `taken` ops. Ops that end are
 * appended to a list in order, and the caller tells their owners.
 */
#ifndef SOQI_LANE_H
#define SOQI_LANE_H

#include <soq/op.h>
#include <soq/socket.h>
#include <stdbool.h>
#include <sys/socket.h>

/* What an op is. Zero is none, so a zeroed op is idle. */
enum soqi_kind {
	SOQI_KIND_NONE = 0,
	SOQI_KIND_RECV,     /* receive lane */
	SOQI_KIND_ACCEPT,   /* receive lane */
	SOQI_KIND_DRAIN,    /* receive lane: a finish that reads to the end of stream */
	SOQI_KIND_RECV_BUF, /* receive lane: into a buf of a pool */
	SOQI_KIND_FIRST, /* receive lane of one just accepted: its first bytes, see accept_data.c */
	SOQI_KIND_RELAY, /* receive lane, its partner in a send lane: see relay.h */
	SOQI_KIND_SEND,  /* send lane */
	SOQI_KIND_CONNECT,    /* send lane */
	SOQI_KIND_SHUTDOWN,   /* send lane */
	SOQI_KIND_DISCONNECT, /* send lane */
	SOQI_KIND_POLL,       /* no lane: the watch of its socket */
	SOQI_KIND_CLOSE,      /* no lane */
	SOQI_KIND_SLEEP,      /* no lane */
	SOQI_KIND_POST,       /* no lane */
	SOQI_KIND_HELPED,     /* no lane: a helper's, see helper.c */
	SOQI_KIND_BACKOFF,    /* no lane: the loop's own timer for starved accepts */
};

/* Where an op is in its life. */
enum soqi_state {
	SOQI_STATE_IDLE = 0, /* the caller's */
	SOQI_STATE_STARTED,  /* the library's: no final event yet */
	SOQI_STATE_ENDED,    /* the final event is made and waits */
};

/* priv.flags above the caller's SOQ_* start flags. */
#define SOQI_OP_BATCH   (1u << 31) /* priv.data is an array of messages, lengths are of messages */
#define SOQI_OP_SYNC    (1u << 30) /* of a synchronous call, on its stack */
#define SOQI_OP_VECTOR  (1u << 29) /* priv.data is an array of segments */
#define SOQI_OP_BOUNDED (1u << 28) /* a synchronous call with a timeout */
#define SOQI_OP_LINGER  (1u << 27) /* the library's own op of a close that lingers */
#define SOQI_OP_GATED   (1u << 26) /* its events wait until a buf of its socket comes home */
#define SOQI_OP_COPIES  (1u << 25) /* zero copy: not worth it or not possible, sent as any other */
#define SOQI_OP_COPIED  (1u << 24) /* zero copy: the kernel has told that it copied */
#define SOQI_OP_MESSAGE (1u << 22) /* priv.message is set */
#define SOQI_OP_SETTLED (1u << 23) /* zero copy: out of its lane, the memory not yet free */
#define SOQI_OP_PARTS   (1u << 21) /* with SOQI_OP_BATCH: of parts, lengths are of bytes */
#define SOQI_OP_POLICED (1u << 20) /* a message with an address that a policy is to judge */

static inline bool soqi_is_parts(const struct soq_op *op)
{
	return (op->priv.flags & (SOQI_OP_BATCH | SOQI_OP_PARTS)) ==
	       (SOQI_OP_BATCH | SOQI_OP_PARTS);
}

/* The last is no lane of the contract but what carries a socket's polls: see poll.c. */
enum soqi_lane_index { SOQI_LANE_RECV = 0, SOQI_LANE_SEND = 1, SOQI_LANE_WATCH = 2 };

/* A list of ops by priv.next, in order. */
struct soqi_ops {
	struct soq_op *first;
	struct soq_op *last;
};

#define SOQI_GENERATION_MASK 0x3ffffffu

/*
 * The order of the last eight bytes matters: a load that is wider than a store shortly
 * before it has to wait for that to reach the cache, some 5 ns. So no word that is tested
 * when the lane is served has a byte that was written when it was taken off its list.
 */
struct soqi_lane {
	struct soqi_ops queue;
	struct soqi_lane
		*next_dirty; /* the loop's list of lanes to look at, or of a pool's parked */
	struct soqi_lane *prev_dirty;   /* a closed socket leaves it at once */
	struct soqi_lane *next_settled; /* the loop's list of results, or of starved lanes */
	uint32_t generation : 26;       /* of the request; counts up with each */
	uint32_t index : 2;             /* enum soqi_lane_index */
	uint32_t whole : 1;             /* messages: one op a request, empty ones too */
	int32_t result;                 /* of a request that came back, until settled */
	int16_t sync_cause;             /* why a synchronous call was cut short; 0 none */

	bool dirty;             /* on next_dirty */
	bool cancel_wanted : 1; /* the request in the kernel shall end */
	bool cancel_sent : 1;   /* and the backend was told */
	bool multishot : 1;     /* its request brings one buf after another */
	bool lazy : 1;          /* its request was a lazy send, and has not ended well */
	bool spent : 1;         /* has sent all it may in one turn: see soqi_flush() */

	bool settled;     /* on next_settled; here a word begins that compilers test as one */
	bool held : 1;    /* send lane: -EPIPE waits for the receive lane's verdict */
	bool starved : 1; /* waits for what no kernel tells: see backoff.c */
	bool polls : 1;   /* its request waits for room, or for bytes, and moves none */
	bool parked : 1;  /* waits for a buf of an empty pool */
	bool solo : 1;    /* one op a request: a gather met an error */
	uint8_t taken;    /* ops the request in the kernel covers */
	bool in_kernel;   /* the backend has a request */
};
_Static_assert(sizeof(struct soqi_lane) == 56, "a socket has two");

/* Appends `op`, which is on no list. */
static inline void soqi_ops_append(struct soqi_ops *to, struct soq_op *op)
{
	op->priv.next = NULL;
	op->priv.prev = to->last;
	if (to->last != NULL)
		to->last->priv.next = op;
	else
		to->first = op;
	to->last = op;
}

/* What the kernel is told of a send's way, as MSG_*. */
static inline int soqi_send_route(const struct soq_op *op)
{
	return (op->priv.flags & SOQ_DONT_ROUTE) ? MSG_DONTROUTE : 0;
}

/* Appends `op`, which is in no lane. */
static inline void soqi_lane_push(struct soqi_lane *lane, struct soq_op *op)
{
	soqi_ops_append(&lane->queue, op);
}

/* Takes `op` out of the list it is on. */
void soqi_ops_remove(struct soqi_ops *from, struct soq_op *op);

/*
 * Chooses what the next request covers and notes it in `taken`: one op, or as
 * many sends as fit `segments_max` and `bytes_max` (the first always counts as
 * fitting). Empty sends at the head end at once, with 0, unless they are messages.
 * A zero-copy send is a request of its own, and so is one that is urgent or not routed.
 */
void soqi_lane_take(struct soqi_lane *lane, unsigned segments_max, uint64_t bytes_max,
		    struct soqi_ops *ended);

/*
 * Takes the result of the request that covered the first `taken` ops: bytes
 * moved, or -errno. -EAGAIN and -EINTR change nothing but let cancelled ops go.
 *
 * Sends: the bytes belong to the ops in order. An error of a gather belongs to
 * nobody yet: the next requests cover one op each until it shows whose it is. A
 * send that ends short fails all behind it with -ECANCELED.
 * Receives: `moved` counts up; 0 is the end of stream.
 * Other kinds: the result is the op's.
 */
void soqi_lane_settle(struct soqi_lane *lane, int64_t result, struct soqi_ops *ended);

/*
 * The same in few steps for what comes back most: a request for one op that did all it
 * was made for. Takes the op out, with its result; NULL: nothing has changed, it is
 * another case.
 */
static inline struct soq_op *soqi_lane_settle_one(struct soqi_lane *lane, int64_t result)
{
	struct soq_op *op = lane->queue.first;
	uint64_t moved = op->priv.moved + (uint64_t)result;

	if (lane->taken != 1 || result <= 0 || op->priv.cause != 0 ||
	    (op->priv.kind != SOQI_KIND_SEND && op->priv.kind != SOQI_KIND_RECV))
		return NULL;
	if ((op->priv.kind == SOQI_KIND_SEND || (op->priv.flags & SOQ_EXACT)) &&
	    moved != op->priv.length)
		return NULL;
	op->priv.moved = moved;
	op->priv.result = (int64_t)moved;
	lane->taken = 0;
	lane->solo = false;
	lane->queue.first = op->priv.next;
	if (op->priv.next != NULL)
		op->priv.next->priv.prev = NULL;
	else
		lane->queue.last = NULL;
	op->priv.next = NULL;
	return op;
}

/*
 * Ends `op` early with `cause` (-ECANCELED or -ETIMEDOUT). Returns true if the
 * kernel has it: then its request must be cancelled, and soqi_lane_settle() ends
 * the op. False: it ended here.
 */
bool soqi_lane_cancel(struct soqi_lane *lane, struct soq_op *op, int cause, struct soqi_ops *ended);

/* Ends `op`, which the kernel does not have, and every op behind it with `error`. */
void soqi_lane_fail_from(struct soqi_lane *lane, struct soq_op *op, int error,
			 struct soqi_ops *ended);

/* Ends every op the kernel does not have with `error`, short ones with their count. */
void soqi_lane_fail(struct soqi_lane *lane, int error, struct soqi_ops *ended);

#endif
