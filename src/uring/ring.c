/* SPDX-License-Identifier: MIT */
/* The ring itself: made, owned, entered, reaped, ended. */
#include "uring.h"

#include "../own.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Below these a shortage of locked memory means epoll. */
#define SQ_ENTRIES_MIN 8u
#define CQ_ENTRIES_MIN 16u

/* One address for every ring of the process: see own.h. */
static char ring_history;

static int setup(struct soqi_uring *impl, unsigned sq_entries, unsigned cq_entries)
{
	struct io_uring_params params;

	memset(&params, 0, sizeof(params));
	params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
		       IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		       IORING_SETUP_R_DISABLED;
	params.cq_entries = cq_entries;
	return io_uring_queue_init_params(sq_entries, &impl->ring, &params);
}

/*
 * liburing 2.3 fills the index array at each submit, later ones once: filled here,
 * queueing is one store of the tail for all of them.
 */
static void fill_array(struct io_uring *ring)
{
	unsigned entries = *ring->sq.kring_entries;

	if (ring->sq.array == NULL)
		return;
	for (unsigned i = 0; i < entries; i++)
		ring->sq.array[i] = i;
}

static int create(struct soq_loop *loop, struct soqi_uring *impl, unsigned sq_entries,
		  unsigned cq_entries)
{
	int error = setup(impl, sq_entries, cq_entries);

	if (error != 0) {
		loop->info.uring_step = error == -EINVAL ? "floor: setup" : "setup";
		return error == -EINVAL ? -EOPNOTSUPP : error;
	}
	SOQI_OWN_RING_BORN(&ring_history);
	fill_array(&impl->ring);
	impl->enter_fd = impl->ring.ring_fd;
	error = soqi_probe_floor(loop, impl);
	if (error == 0)
		error = io_uring_ring_dontfork(&impl->ring);
	if (error == 0)
		error = soqi_probe_features(loop, impl);
	impl->messages_max = *impl->ring.sq.kring_entries;
	if (error == 0) {
		impl->messages = soqi_alloc(loop, impl->messages_max * sizeof(struct msghdr));
		if (impl->messages == NULL)
			error = -ENOMEM;
	}
	if (error != 0) {
		soqi_direct_release(loop, impl);
		soqi_ring_destroy(impl, false, false);
		return error;
	}
	loop->info.sq_entries = *impl->ring.sq.kring_entries;
	loop->info.cq_entries = *impl->ring.cq.kring_entries;
	loop->info.direct_count = impl->direct.count;
	return 0;
}

/* Ring memory counts against RLIMIT_MEMLOCK: too little of it means a smaller ring. */
int soqi_ring_create(struct soq_loop *loop, struct soqi_uring *impl)
{
	unsigned sq_entries = loop->options.sq_entries;
	unsigned cq_entries = loop->options.cq_entries;
	int error = create(loop, impl, sq_entries, cq_entries);

	while (error == -ENOMEM && (sq_entries > SQ_ENTRIES_MIN || cq_entries > CQ_ENTRIES_MIN)) {
		sq_entries = sq_entries > SQ_ENTRIES_MIN ? sq_entries / 2 : sq_entries;
		cq_entries = cq_entries > CQ_ENTRIES_MIN ? cq_entries / 2 : cq_entries;
		memset(impl, 0, sizeof(*impl));
		error = create(loop, impl, sq_entries, cq_entries);
	}
	return error;
}

/* The number saves a look-up at each enter. It is the thread's own, 16 at most. */
static int register_fd(struct soqi_uring *impl)
{
	struct io_uring_rsrc_update update;
	int result;

	memset(&update, 0, sizeof(update));
	update.offset = UINT32_MAX; /* any */
	update.data = (unsigned)impl->ring.ring_fd;
	result = soqi_ring_register(impl, IORING_REGISTER_RING_FDS, &update, 1);
	if (result != 1)
		return result < 0 ? result : -EINVAL;
	impl->enter_fd = (int)update.offset;
	impl->enter_flags |= IORING_ENTER_REGISTERED_RING;
	impl->registered = true;
	return 0;
}

static void unregister_fd(struct soqi_uring *impl)
{
	struct io_uring_rsrc_update update;

	if (!impl->registered)
		return;
	memset(&update, 0, sizeof(update));
	update.offset = (uint32_t)impl->enter_fd;
	(void)soqi_ring_register(impl, IORING_UNREGISTER_RING_FDS, &update, 1);
	impl->registered = false;
}

int soqi_ring_own(struct soq_loop *loop, struct soqi_uring *impl)
{
	int error = soqi_ring_register(impl, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	if (error < 0)
		return error;
	if (!(loop->options.features_off & SOQ_FEATURE_REGISTERED_FD))
		soqi_probe_note(loop, SOQ_FEATURE_REGISTERED_FD, register_fd(impl));
	return 0;
}

void soqi_ring_destroy(struct soqi_uring *impl, bool owner, bool child)
{
	if (owner)
		unregister_fd(impl);
	SOQI_OWN_RING_GONE(&ring_history);
	if (child)
		/* The mappings were not inherited; something else may be there by now. */
		(void)close(impl->ring.ring_fd);
	else
		io_uring_queue_exit(&impl->ring);
}

/* Shows the kernel what is queued. Returns how much that is. */
static unsigned publish(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;

	sq->sqe_head = sq->sqe_tail;
	/* Pairs with the kernel's acquire of the tail: the SQEs before it are whole. */
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	return sq->sqe_tail - io_uring_smp_load_acquire(sq->khead);
}

int soqi_ring_enter(struct soq_loop *loop, struct soqi_uring *impl, unsigned min_complete,
		    unsigned flags, void *arg, size_t arg_size_bytes)
{
	unsigned queued = publish(&impl->ring);
	int result;

	loop->stats.waits++;
	result = io_uring_enter2((unsigned)impl->enter_fd, queued, min_complete,
				 flags | impl->enter_flags, arg, arg_size_bytes);
	/* Handed over, the kernel has copies of the messages. */
	if (io_uring_smp_load_acquire(impl->ring.sq.khead) == impl->ring.sq.sqe_tail)
		impl->messages_used = 0;
	return result;
}

unsigned soqi_ring_reap(struct soq_loop *loop, struct soqi_uring *impl)
{
	struct io_uring_cqe *cqe;
	unsigned head;
	unsigned count = 0;

	io_uring_for_each_cqe (&impl->ring, head, cqe) {
		soqi_uring_intake(loop, cqe->user_data, cqe->res, cqe->flags);
		count++;
	}
	io_uring_cq_advance(&impl->ring, count);
	loop->stats.completions += count;
	return count;
}

struct io_uring_sqe *soqi_ring_sqe(struct soq_loop *loop, struct soqi_uring *impl)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&impl->ring);

	if (sqe == NULL) {
		loop->stats.queue_full++;
		(void)soqi_ring_enter(loop, impl, 0, 0, NULL, 0);
		/* A kernel short of memory, or with a full CQ, may have taken none. */
		sqe = io_uring_get_sqe(&impl->ring);
	}
	if (sqe != NULL)
		loop->stats.requests++;
	return sqe;
}
