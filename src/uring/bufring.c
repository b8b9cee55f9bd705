/* SPDX-License-Identifier: MIT */
/*
 * Rings of provided buffers: bufs of a pool the kernel picks from by itself, one ring
 * for each class. A buf is in the ring while it is at home.
 */
#include "../pool.h"
#include "uring.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct soqi_buf_message) == sizeof(struct io_uring_recvmsg_out),
	       "messages are laid out as the kernel does");

static void put(struct soqi_pool_class *class, uint32_t index)
{
	struct io_uring_buf_ring *ring = class->ring;
	struct io_uring_buf *entry = &ring->bufs[class->ring_tail & (class->ring_entries - 1)];

	/* Each of the three is written: kernels before 2026 leave their own values here. */
	entry->addr = (uintptr_t)soqi_buf_memory(class, index);
	entry->len = class->size_bytes;
	entry->bid = (uint16_t)(class->pool->id_first + class->first + index);
	class->ring_tail++;
}

/* Pairs with the kernel's acquire of the tail: the entries before it are whole. */
static void publish(struct soqi_pool_class *class)
{
	struct io_uring_buf_ring *ring = class->ring;

	io_uring_smp_store_release(&ring->tail, class->ring_tail);
}

void soqi_uring_buf_home(struct soq_loop *loop, struct soqi_pool_class *class,
			 const struct soq_buf *buf)
{
	(void)loop;
	put(class, (uint32_t)(buf - class->pool->bufs) - class->first);
	publish(class);
}

static int class_add(struct soqi_uring *impl, struct soqi_pool_class *class)
{
	struct io_uring_buf_reg reg;
	int result;

	memset(&reg, 0, sizeof(reg));
	reg.ring_addr = (uintptr_t) class->ring;
	reg.ring_entries = class->ring_entries;
	reg.bgid = class->group;
	memset(class->ring, 0, class->ring_entries * sizeof(struct io_uring_buf));
	class->ring_tail = 0;
	result = soqi_ring_register(impl, IORING_REGISTER_PBUF_RING, &reg, 1);
	if (result < 0)
		return result;
	/* All that is at home is on the list now; what is beyond the reserve goes. */
	while (class->list_count > class->reserve) {
		struct soq_buf *buf = class->list_first;

		class->list_first = buf->priv.next;
		class->list_count--;
		buf->priv.state = SOQI_BUF_RING;
		class->ring_count++;
		put(class, (uint32_t)(buf - class->pool->bufs) - class->first);
	}
	publish(class);
	class->registered = true;
	return 0;
}

static void class_remove(struct soqi_uring *impl, struct soqi_pool_class *class)
{
	struct io_uring_buf_reg reg;

	memset(&reg, 0, sizeof(reg));
	reg.bgid = class->group;
	(void)soqi_ring_register(impl, IORING_UNREGISTER_PBUF_RING, &reg, 1);
}

/* The core picks from now on: what was in the ring is on the list. */
static void class_revert(struct soqi_pool_class *class)
{
	class->registered = false;
	class->ring_count = 0;
	for (uint32_t i = class->count; i-- > 0;) {
		struct soq_buf *buf = &class->pool->bufs[class->first + i];

		if (buf->priv.state != SOQI_BUF_RING)
			continue;
		buf->priv.state = SOQI_BUF_HOME;
		buf->priv.next = class->list_first;
		class->list_first = buf;
		class->list_count++;
	}
}

void soqi_uring_pool_remove(struct soq_loop *loop, struct soq_pool *pool)
{
	struct soqi_uring *impl = loop->impl;

	soqi_fixed_forget(impl, pool);
	for (uint32_t i = 0; i < pool->class_count; i++) {
		if (!pool->classes[i].registered)
			continue;
		if (!impl->dead)
			class_remove(impl, &pool->classes[i]);
		class_revert(&pool->classes[i]);
	}
}

int soqi_uring_pool_add(struct soq_loop *loop, struct soq_pool *pool)
{
	struct soqi_uring *impl = loop->impl;
	int error = impl->dead ? -EBADF : 0;

	pool->fixed_error = -EINPROGRESS;
	for (uint32_t i = 0; i < pool->class_count && error == 0; i++)
		error = class_add(impl, &pool->classes[i]);
	if (error != 0)
		soqi_uring_pool_remove(loop, pool);
	return error;
}

void soqi_uring_pools_move(struct soq_loop *loop)
{
	for (struct soq_pool *pool = loop->pools; pool != NULL; pool = pool->next) {
		pool->fixed_index = -1;
		pool->fixed_error = -EINPROGRESS;
		for (uint32_t i = 0; i < pool->class_count; i++)
			if (pool->classes[i].registered)
				class_revert(&pool->classes[i]);
		pool->registered_error = soqi_uring_pool_add(loop, pool);
	}
}
