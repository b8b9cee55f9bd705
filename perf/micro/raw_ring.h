/* SPDX-License-Identifier: MIT */
/* A bare ring with the flags of soq's, and as little around it as a program can have. */
#ifndef MICRO_RAW_RING_H
#define MICRO_RAW_RING_H

#include "rig.h"

#include <liburing.h>

struct raw_op {
	void (*done)(struct raw_op *op, int result, unsigned flags);
	void *user;
};

struct raw_ring {
	struct io_uring ring;
	size_t ended;

	raw_ring();
	~raw_ring();
	raw_ring(const raw_ring &) = delete;
	raw_ring &operator=(const raw_ring &) = delete;

	/* Ops whose completions are counted in `ended`. */
	std::vector<struct raw_op> ops(size_t count);

	struct io_uring_sqe *sqe()
	{
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		if (sqe == nullptr)
			fail("io_uring_get_sqe", -1);
		return sqe;
	}

	/* Tells each completion; returns how many there were. */
	unsigned reap()
	{
		struct io_uring_cqe *cqe;
		unsigned head, count = 0;

		io_uring_for_each_cqe (&ring, head, cqe) {
			struct raw_op *op =
				static_cast<struct raw_op *>(io_uring_cqe_get_data(cqe));

			op->done(op, cqe->res, cqe->flags);
			count++;
		}
		io_uring_cq_advance(&ring, count);
		return count;
	}

	/* Until `count` ops have ended. */
	void run(size_t count)
	{
		while (ended < count) {
			must("io_uring_submit_and_wait", io_uring_submit_and_wait(&ring, 1));
			reap();
		}
		ended = 0;
	}
};

#endif
