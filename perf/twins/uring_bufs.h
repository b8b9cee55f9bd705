/* SPDX-License-Identifier: MIT */
/*
 * Buffers that the kernel picks from. Only as many are in the ring as were needed so
 * far, those used last first: a ring goes round, and with all of them in it each would
 * be cold when its turn comes.
 */
#ifndef TWINS_URING_BUFS_H
#define TWINS_URING_BUFS_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

struct uring_bufs {
	struct io_uring_buf_ring *ring;
	unsigned char *memory;
	size_t mapped_bytes;
	size_t stride_bytes;
	uint32_t buf_bytes;
	unsigned count;   /* a power of two */
	unsigned wanted;  /* in the ring after each turn */
	unsigned in_ring; /* now */
	bool lacking;     /* for roles to set: a completion says that the ring was empty */
	unsigned spare;   /* in `spares` */
	uint16_t *spares; /* the hottest on top */
};

#define URING_BUFS_GROUP 0
#define URING_BUFS_FIRST 64u /* in the ring at first; twice as many when it was empty */

/* `buf_bytes` of each; `count` is a power of two. Returns 0 or -errno. */
int uring_bufs_open(struct uring_bufs *b, struct io_uring *ring, unsigned count,
		    uint32_t buf_bytes);

/* After the ring is gone. */
void uring_bufs_close(struct uring_bufs *b);

/* Puts spares into the ring, as many as are wanted. */
void uring_bufs_refill(struct uring_bufs *b);

/* The buffer of a completion that has one. */
static inline uint16_t uring_bufs_take(struct uring_bufs *b, const struct io_uring_cqe *cqe)
{
	b->in_ring--;
	return (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
}

static inline unsigned char *uring_bufs_at(const struct uring_bufs *b, uint16_t id)
{
	return b->memory + id * b->stride_bytes;
}

/* Is of no use any more. */
static inline void uring_bufs_give(struct uring_bufs *b, uint16_t id)
{
	b->spares[b->spare++] = id;
}

#endif
