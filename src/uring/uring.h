/* SPDX-License-Identifier: MIT */
/* What the files of the io_uring backend share, and unit tests may call. */
#ifndef SOQI_URING_H
#define SOQI_URING_H

#include "../loop.h"
#include "uapi.h"

#include <linux/time_types.h>

/*
 * user_data: the token of a request, and what the completion is of in the top four
 * bits.
 */
#define SOQI_URING_TAG_REQUEST UINT64_C(0)
#define SOQI_URING_TAG_CANCEL  (UINT64_C(1) << 60) /* of the cancel of that request */
#define SOQI_URING_TAG_WAKE    (UINT64_C(2) << 60) /* of the poll of the wake descriptor */
#define SOQI_URING_TAG_HOLD    (UINT64_C(3) << 60) /* of a zero-copy request: names its hold */
#define SOQI_URING_TAG_MASK    (UINT64_C(15) << 60)

/* A zero-copy request: in the kernel, or its notification is to come. See hold.c. */
struct soqi_hold {
	struct soq_op *op; /* NULL: the entry is free */
	uint64_t token;
	uint32_t generation;
	uint32_t next_free;
	bool came_back; /* the request has its result */
	bool let_go;    /* the notification came, or none will */
	bool reports;   /* it was asked to tell of copies */
};

struct soqi_holds {
	struct soqi_hold *entries;
	uint32_t max;
	uint32_t first_free;
};

/* Lazy sends of one turn that go without a completion; any more have one. */
#define SOQI_SILENT_MAX 512u

struct soqi_silent {
	uint64_t token;
	int32_t size_bytes;
};

/* The table of direct descriptors: see direct.c. */
struct soqi_direct {
	uint32_t *free; /* the free places, the last first */
	uint32_t free_count;
	uint32_t count; /* 0: there is no table */
	bool refused;   /* the kernel takes no more */
};

struct soqi_uring {
	struct io_uring ring;
	int enter_fd;         /* the ring, or its number in the thread's table */
	unsigned enter_flags; /* always passed */
	unsigned wait_flags;  /* passed when waiting */
	bool registered;      /* enter_fd is such a number */
	bool abs_timer;
	bool dead;               /* enter was refused, the ring is gone */
	bool wake_armed;         /* a poll of the wake descriptor is in the kernel */
	bool fixed_made;         /* there is a table of fixed buffers */
	uint32_t fixed_used;     /* its places that are taken */
	bool reports_copies;     /* the kernel knows such reports, as far as is known */
	struct soqi_holds holds; /* empty before the first zero-copy send */
	struct msghdr *messages; /* of requests that are not handed over yet */
	unsigned messages_used;
	unsigned messages_max;
	struct soqi_direct direct;
	unsigned silent_count; /* see silent.c */
	bool silent_unsure;    /* some are left over from an earlier turn */
	struct soqi_silent silent[SOQI_SILENT_MAX];
};

/* io_uring_register(2) on the ring: its result, or -errno. */
static inline int soqi_ring_register(struct soqi_uring *impl, unsigned opcode, const void *arg,
				     unsigned count)
{
	return io_uring_register((unsigned)impl->ring.ring_fd, opcode, arg, count);
}

/* ring.c: made disabled and restricted, so that whoever enables it owns it. */
int soqi_ring_create(struct soq_loop *loop, struct soqi_uring *impl);
int soqi_ring_own(struct soq_loop *loop, struct soqi_uring *impl);
/* `owner`: called in the thread that owns the ring; `child`: after fork. */
void soqi_ring_destroy(struct soqi_uring *impl, bool owner, bool child);
/* io_uring_enter(2) with all that is queued. The kernel's answer. */
int soqi_ring_enter(struct soq_loop *loop, struct soqi_uring *impl, unsigned min_complete,
		    unsigned flags, void *arg, size_t arg_size_bytes);
/* Takes in every completion there is. Returns how many. */
unsigned soqi_ring_reap(struct soq_loop *loop, struct soqi_uring *impl);
/* A blank SQE; sends the queue off early if it is full. NULL if even that fails. */
struct io_uring_sqe *soqi_ring_sqe(struct soq_loop *loop, struct soqi_uring *impl);

/* probe.c: whether a new, still disabled ring meets the floor. */
int soqi_probe_floor(struct soq_loop *loop, struct soqi_uring *impl);
/* Takes up what is above the floor and not taken away. */
int soqi_probe_features(struct soq_loop *loop, struct soqi_uring *impl);
/* Notes a feature as in use (0) or why it is not. */
void soqi_probe_note(struct soq_loop *loop, uint32_t feature, int error);

/* direct.c. Makes the table asked for, on a ring not restricted yet; or why there is none. */
int soqi_direct_create(struct soq_loop *loop, struct soqi_uring *impl);
void soqi_direct_release(struct soq_loop *loop, struct soqi_uring *impl);
/* Lets a request use the socket's place, if it has one or can get one. */
void soqi_direct_use(struct soq_loop *loop, struct soqi_uring *impl, struct soq_socket *s,
		     struct io_uring_sqe *sqe);
/* Empties the socket's place; no request of it is in the kernel. */
void soqi_direct_leave(struct soq_loop *loop, struct soqi_uring *impl, struct soq_socket *s);
/* Empties every place of a ring that is about to end. */
void soqi_direct_clear(struct soqi_uring *impl);

/* prep.c */
void soqi_prep_request(struct soqi_uring *impl, struct io_uring_sqe *sqe,
		       const struct soqi_request *request);
/* Turns the SQE of a send into that of one without a copy. */
void soqi_prep_zerocopy(struct soq_loop *loop, struct soqi_uring *impl, struct io_uring_sqe *sqe,
			uint64_t user_data);
/* `victim`: the user_data of the request that `token` names. */
void soqi_prep_cancel(struct io_uring_sqe *sqe, uint64_t token, uint64_t victim);
void soqi_prep_wake(struct io_uring_sqe *sqe, int wake_fd);

/* hold.c: a hold for a zero-copy request. Its user_data, or 0 if there can be no more. */
uint64_t soqi_hold_make(struct soq_loop *loop, struct soqi_uring *impl,
			const struct soqi_request *request);
/* The user_data of the request a lane has in the kernel. */
uint64_t soqi_hold_victim(struct soqi_uring *impl, const struct soqi_lane *lane, uint64_t token);
void soqi_hold_intake(struct soq_loop *loop, uint64_t user_data, int32_t result, uint32_t flags);
/* Lets go of everything: the ring they are of is gone. */
void soqi_holds_end(struct soq_loop *loop, struct soqi_holds *holds);
/* silent.c: lazy sends. Asks for a completion only if the send in `sqe` is not all sent. */
void soqi_silent_add(struct soqi_uring *impl, struct io_uring_sqe *sqe,
		     const struct soqi_request *request);
/* Whether the coming enter may sleep. */
bool soqi_silent_may_sleep(const struct soq_loop *loop, const struct soqi_uring *impl);
/* Ends those that had no completion, once every completion there is was taken in. */
void soqi_silent_settle(struct soq_loop *loop, struct soqi_uring *impl);

/*
 * fixed.c: the place of the pool this memory is of in the table of fixed buffers, or -1;
 * the first time the pool is put there.
 */
int soqi_fixed_find(struct soq_loop *loop, struct soqi_uring *impl, uintptr_t at,
		    size_t size_bytes);
/* The pool is not there any more, or the table is not. */
void soqi_fixed_forget(struct soqi_uring *impl, struct soq_pool *pool);

/* bufring.c */
int soqi_uring_pool_add(struct soq_loop *loop, struct soq_pool *pool);
void soqi_uring_pool_remove(struct soq_loop *loop, struct soq_pool *pool);
void soqi_uring_buf_home(struct soq_loop *loop, struct soqi_pool_class *class,
			 const struct soq_buf *buf);
/* The loop has a new ring: its pools are registered there. */
void soqi_uring_pools_move(struct soq_loop *loop);

/* intake.c: one completion, as plain values, so that tests can feed any order. */
void soqi_uring_intake(struct soq_loop *loop, uint64_t user_data, int32_t result, uint32_t flags);

#endif
