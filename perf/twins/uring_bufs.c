/* SPDX-License-Identifier: MIT */
/* Buffers that the kernel picks from. */
#include "uring_bufs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

int uring_bufs_open(struct uring_bufs *b, struct io_uring *ring, unsigned count, uint32_t buf_bytes)
{
	struct io_uring_buf_reg reg = { .ring_entries = count, .bgid = URING_BUFS_GROUP };
	size_t ring_bytes = count * sizeof(struct io_uring_buf);
	void *memory;

	b->count = count;
	b->buf_bytes = buf_bytes;
	/* A line more, or the first lines of all would share a few sets: worth 1 %. */
	b->stride_bytes = buf_bytes + 64;
	b->wanted = URING_BUFS_FIRST < count ? URING_BUFS_FIRST : count;
	b->spares = malloc(count * sizeof(*b->spares));
	if (!b->spares)
		return -ENOMEM;
	b->mapped_bytes = ring_bytes + count * b->stride_bytes;
	memory = mmap(NULL, b->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	b->ring = memory;
	b->memory = (unsigned char *)memory + ring_bytes;
	for (unsigned i = 0; i < count; i++)
		uring_bufs_give(b, (uint16_t)(count - 1 - i));
	io_uring_buf_ring_init(b->ring);
	uring_bufs_refill(b);
	reg.ring_addr = (uintptr_t)memory;
	return io_uring_register_buf_ring(ring, &reg, 0);
}

void uring_bufs_close(struct uring_bufs *b)
{
	if (b->ring)
		munmap(b->ring, b->mapped_bytes);
	free(b->spares);
}

void uring_bufs_refill(struct uring_bufs *b)
{
	int added = 0;

	if (b->lacking && b->wanted < b->count)
		b->wanted *= 2;
	b->lacking = false;
	while (b->in_ring < b->wanted && b->spare) {
		uint16_t id = b->spares[--b->spare];

		io_uring_buf_ring_add(b->ring, uring_bufs_at(b, id), b->buf_bytes, id,
				      io_uring_buf_ring_mask(b->count), added++);
		b->in_ring++;
	}
	if (added)
		io_uring_buf_ring_advance(b->ring, added);
}
