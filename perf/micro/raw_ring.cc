/* SPDX-License-Identifier: MIT */
/* The bare ring. */
#include "raw_ring.h"

#include <cstring>

raw_ring::raw_ring() : ring(), ended(0)
{
	struct io_uring_params params = {};

	params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		       IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
	params.cq_entries = 4096;
	must("io_uring_queue_init", io_uring_queue_init_params(512, &ring, &params));
	must("io_uring_register_ring_fd", io_uring_register_ring_fd(&ring));
}

raw_ring::~raw_ring()
{
	io_uring_queue_exit(&ring);
}

static void count_completion(struct raw_op *op, int result, unsigned)
{
	if (result < 0)
		fail("a completion", result);
	++*static_cast<size_t *>(op->user);
}

std::vector<struct raw_op> raw_ring::ops(size_t count)
{
	return std::vector<struct raw_op>(count, { count_completion, &ended });
}
