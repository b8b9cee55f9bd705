/* SPDX-License-Identifier: MIT */
/*
 * Pools and their bufs. A buf is at home (in the kernel's ring, or on its class's
 * list), taken (filled, in an event that waits), or lent. pool.c makes pools, buf.c
 * moves bufs between the three, receive.c decides who may ask for one, park.c who waits
 * for one, carry.c when the event of one may be delivered.
 */
#ifndef SOQI_POOL_H
#define SOQI_POOL_H

#include "socket.h"

#include <soq/pool.h>

enum soqi_buf_state {
	SOQI_BUF_HOME = 0, /* on the list of its class */
	SOQI_BUF_RING,     /* at home too: the kernel may pick it */
	SOQI_BUF_TAKEN,
	SOQI_BUF_LENT,
};

/*
 * A message in a buf, as the kernel lays it out for a multishot receive and as
 * buf.c does for its own: struct io_uring_recvmsg_out, the name, control data, and
 * the bytes of the message.
 */
struct soqi_buf_message {
	uint32_t name_bytes;
	uint32_t control_bytes;
	uint32_t payload_bytes; /* of the message, which may be longer than its buf */
	uint32_t flags;         /* MSG_* */
};

#define SOQI_BUF_NAME_BYTES    112u
#define SOQI_BUF_CONTROL_BYTES 256u
#define SOQI_BUF_NAME_AT       sizeof(struct soqi_buf_message)
#define SOQI_BUF_CONTROL_AT    (SOQI_BUF_NAME_AT + SOQI_BUF_NAME_BYTES)
_Static_assert(sizeof(struct soqi_buf_message) + SOQI_BUF_NAME_BYTES + SOQI_BUF_CONTROL_BYTES ==
		       SOQ_POOL_MESSAGE_BYTES,
	       "the layout of a message in a buf");

/* Bufs of one size. */
struct soqi_pool_class {
	struct soq_pool *pool;
	unsigned char *memory; /* the first buf's */
	size_t stride_bytes;
	uint32_t size_bytes;
	uint32_t first; /* number of the first buf in the pool */
	uint32_t count;
	uint32_t list_count;
	uint32_t ring_count;
	uint32_t reserve;           /* so many are kept on the list: see park.c */
	struct soq_buf *list_first; /* the last returned first */
	void *ring;                 /* where the kernel picks, if it is registered */
	uint32_t ring_entries;
	uint16_t ring_tail;
	uint16_t
		group; /* what the kernel calls it: as the id of its first buf, and a little more */
	bool registered;
};

/* Of a buf that is a room's. */
#define SOQI_BUF_OF_ROOM UINT8_MAX

/*
 * Where the kernel's one-shot receive of a message puts what belongs to it, since it
 * has no place for that in the buf. An empty message brings no buf at all: then the
 * room's own is lent. Rooms are the loop's and are used again.
 */
struct soqi_room {
	struct soq_buf buf;
	struct soqi_room *next;
	struct soqi_room *next_made; /* every room of the loop */
	struct msghdr header;
	struct iovec payload; /* its size: the kernel chooses the place */
	unsigned char memory[SOQ_POOL_MESSAGE_BYTES];
};

struct soq_pool {
	struct soq_loop *loop;
	struct soq_pool *next; /* of the loop */
	struct soq_buf *bufs;
	uint32_t buf_count;
	uint32_t id_first; /* the bufs of a loop's pools have ids of 16 bits */
	uint32_t share;
	uint32_t flags;
	uint32_t class_count;
	int registered_error;
	int fixed_index; /* -1: not pinned for zero-copy sends */
	int fixed_error; /* why not; -EINPROGRESS: there was none yet */
	struct soqi_pool_class classes[SOQ_POOL_CLASSES_MAX];
	unsigned char *mapping;
	size_t mapping_bytes;
	size_t bufs_bytes;              /* of it, all bufs */
	struct soqi_lane *parked_first; /* met an empty pool, longest ago first; by next_dirty */
	struct soqi_lane *parked_last;
	uint32_t parked_count;
	uint32_t credit; /* bufs that came home since, not yet counted for a re-arm */
	bool came_home;  /* one did, since it was last seen to */
	uint32_t receivers;
	uint32_t lent_count;
	uint32_t taken_count;
	uint64_t lends;
	uint64_t returns;
	uint64_t parks;
	uint64_t rearms;
	uint64_t pauses;
};

/* pool.c. All its bufs' memory. */
unsigned char *soqi_pool_memory(const struct soq_pool *pool);
size_t soqi_pool_bytes(const struct soq_pool *pool);

/* Gives back what is left of a loop's pools; `child`: after fork. */
void soqi_pools_release(struct soq_loop *loop, bool child);

/* The pool a receive into bufs takes from. */
static inline struct soq_pool *soqi_pool_of(const struct soq_op *op)
{
	return (struct soq_pool *)(uintptr_t)op->priv.data;
}

/* The class that fits what a stream has received lately. */
static inline uint32_t soqi_pool_class_wanted(const struct soq_socket *s,
					      const struct soq_pool *pool)
{
	return s->buf_class < pool->class_count ? s->buf_class : pool->class_count - 1;
}

/* Whether the head of the lane is such a receive. */
static inline bool soqi_is_receive(const struct soqi_lane *lane)
{
	return lane->queue.first != NULL && lane->queue.first->priv.kind == SOQI_KIND_RECV_BUF;
}

/* The memory of the buf with number `index` in its class. */
static inline unsigned char *soqi_buf_memory(const struct soqi_pool_class *class, uint32_t index)
{
	return class->memory + index * class->stride_bytes;
}

/* Whether a class has a buf at home. */
static inline bool soqi_class_has(const struct soqi_pool_class *class)
{
	return class->list_count + class->ring_count > 0;
}

/* buf.c. Takes one from the list, which is not empty. */
struct soq_buf *soqi_buf_take(struct soqi_pool_class *class);
/* The buf with this id, which the kernel has filled; NULL if that cannot be. */
struct soq_buf *soqi_buf_filled(struct soq_loop *loop, uint32_t id);
/* Back where it came from. */
void soqi_buf_home(struct soq_buf *buf);
/*
 * One try of the library's own, into a buf taken for it: the result, and the buf if
 * something is in it. -EAGAIN if it would wait.
 */
int32_t soqi_buf_try(const struct soqi_request *request, struct soq_buf **buf_out);
/*
 * Makes what is in a filled buf its view. `room`: what is known of the message is
 * there, and its bytes are at the begin; NULL: as the layout says, and on streams.
 */
void soqi_buf_open(struct soq_buf *buf, struct soq_socket *s, uint32_t filled_bytes,
		   const struct soqi_room *room);

/* room.c. A room, laid out for a message of `size_bytes`; NULL without memory. */
struct soqi_room *soqi_room_take(struct soq_loop *loop, size_t size_bytes, bool control);
void soqi_room_home(struct soq_loop *loop, struct soqi_room *room);
/* What the room knows of a message of `size_bytes`, as it is laid out in a buf. */
void soqi_room_read(const struct soqi_room *room, uint32_t size_bytes, unsigned char *head);
/* The room's own buf, for a message of no bytes. */
struct soq_buf *soqi_room_buf(struct soqi_room *room, struct soq_pool *pool);
void soqi_rooms_release(struct soq_loop *loop);

/*
 * receive.c. Of the head of the receive lane: whether it may ask for bytes now; if not,
 * the lane is looked at again when that changes.
 */
bool soqi_receive_may_go(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane);
/* The socket waits for no return any more. */
void soqi_receive_unpause(struct soq_socket *s);
/* The head of the lane goes: it waits for nothing any more. */
void soqi_receive_leave(struct soq_socket *s, struct soqi_lane *lane);
/* Fills its request; false: it was tried at once, and is settled. */
bool soqi_receive_request(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			  struct soqi_request *request);
/* Its request is in the kernel: wants it cancelled if the socket has its share. */
void soqi_receive_pause(struct soq_socket *s, struct soqi_lane *lane);
/* A buf arrived, and more follow. */
void soqi_receive_arrived(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
			  struct soq_buf *buf, int32_t result);
void soqi_receive_settle(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			 struct soqi_ops *ended);

/* Whether a synchronous receive would wait for what only its caller can do. */
bool soqi_receive_blocks(const struct soq_socket *s);

/* carry.c. Bufs the socket may have beside those it has. */
uint32_t soqi_carry_credit(const struct soq_socket *s, const struct soq_pool *pool);
/* Whether the socket has more than its share: then events of it may be gated. */
bool soqi_carry_is_over(const struct soq_socket *s);
/* Puts a filled buf into what `op` carries. */
void soqi_carry(struct soq_socket *s, struct soq_op *op, struct soq_buf *buf);
/* The first buf that `op` carries goes to the caller. Returns it. */
struct soq_buf *soqi_carry_lend(struct soq_op *op);
/* One of the socket's came home. */
void soqi_carry_returned(struct soq_loop *loop, struct soq_socket *s);
/* The op ends: one that was cut short is not gated any more. */
void soqi_carry_end(struct soq_loop *loop, struct soq_op *op);
/* The socket is being closed: what was not delivered goes home. Whether there was any. */
bool soqi_carry_drop(struct soq_socket *s);
/* Gates or lets go what the socket carries, as the caller has its share or not. */
void soqi_carry_regate(struct soq_socket *s);

/* park.c. The class the socket's next buf shall come from, or one that has any; or NULL. */
struct soqi_pool_class *soqi_pool_class_for(const struct soq_socket *s, struct soq_pool *pool);
/* The head of the lane found its pool empty. */
void soqi_receive_park(struct soq_loop *loop, struct soqi_lane *lane);
/* Takes a lane out of those that wait for a buf. Before its head changes. */
void soqi_receive_unpark(struct soqi_lane *lane);
/* Lets those go on that bufs have come home for; `idle`: all there is a buf for. */
void soqi_receive_wake(struct soq_loop *loop, bool idle);
/* Whether soqi_receive_wake(loop, true) would let any go on. */
bool soqi_receive_may_wake(const struct soq_loop *loop);
/* The backend is dead: what waits for bufs ends. */
void soqi_receive_fail(struct soq_loop *loop);

#endif
