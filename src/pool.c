/* SPDX-License-Identifier: MIT */
/* Pools: made, described, ended. */
#include "pool.h"

#include "own.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OPTIONS_SIZE_MIN sizeof(struct soq_pool_options)
#define INFO_SIZE_MIN    sizeof(struct soq_pool_info)

#define BUF_SIZE_MIN_BYTES     512u
#define BUF_SIZE_MAX_BYTES     (16u << 20)
#define BUF_SIZE_DEFAULT_BYTES (16384u + SOQ_POOL_MESSAGE_BYTES)
#define BUF_COUNT_DEFAULT      128u
/* An eighth: four sockets that return nothing leave half of the pool to the others. */
#define SHARES_DEFAULT 8u
/*
 * Linux 6.1 keeps the first 64 groups when their ring is taken back, and goes on in the
 * next ring of that number where it had stopped in the last.
 */
#define GROUP_MIN 64u
/* Of each class a quarter is for those who find the ring empty. */
#define RESERVES 4u
/* Below this a smaller ring locks no less memory: it has one page anyhow. */
#define RING_SMALL 64u
/* Bufs that all begin at the same place of a page fight for the same lines of the cache. */
#define COLOUR_BYTES     64u
#define RING_ENTRY_BYTES 16u

static int classes_read(struct soq_pool_options *options)
{
	uint32_t count = 0;

	if (options->class_count > SOQ_POOL_CLASSES_MAX)
		return -EINVAL;
	if (options->class_count == 0)
		options->class_count = 1;
	for (uint32_t i = 0; i < options->class_count; i++) {
		struct soq_pool_class *class = &options->classes[i];

		if (class->buf_size_bytes == 0)
			class->buf_size_bytes = BUF_SIZE_DEFAULT_BYTES;
		if (class->buf_count == 0)
			class->buf_count = BUF_COUNT_DEFAULT;
		if (class->buf_size_bytes < BUF_SIZE_MIN_BYTES ||
		    class->buf_size_bytes > BUF_SIZE_MAX_BYTES ||
		    class->buf_count > SOQ_POOL_BUFS_MAX)
			return -EINVAL;
		if (i > 0 && class->buf_size_bytes <= options->classes[i - 1].buf_size_bytes)
			return -EINVAL;
		count += class->buf_count;
	}
	if (options->share > count)
		return -EINVAL;
	if (options->share == 0)
		options->share = count > SHARES_DEFAULT ? count / SHARES_DEFAULT : 1;
	return count > SOQ_POOL_BUFS_MAX ? -ENOSPC : 0;
}

static int options_read(const struct soq_pool_options *from, struct soq_pool_options *options)
{
	memset(options, 0, sizeof(*options));
	if (from != NULL) {
		if (from->size < OPTIONS_SIZE_MIN || from->size > sizeof(*options))
			return -EINVAL;
		memcpy(options, from, from->size);
	}
	if ((options->flags & ~SOQ_POOL_SCRUB) != 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++)
		if (options->reserved[i] != 0)
			return -EINVAL;
	return classes_read(options);
}

/* The first of `count` ids that no pool of the loop has. */
static int ids_find(const struct soq_loop *loop, uint32_t count, uint32_t *id_out)
{
	uint32_t id = 0;
	const struct soq_pool *pool = loop->pools;

	while (pool != NULL) {
		if (id < pool->id_first + pool->buf_count && pool->id_first < id + count) {
			id = pool->id_first + pool->buf_count;
			pool = loop->pools;
			continue;
		}
		pool = pool->next;
	}
	if (id + count > SOQ_POOL_BUFS_MAX)
		return -ENOSPC;
	*id_out = id;
	return 0;
}

static size_t round_up(size_t size_bytes, size_t to_bytes)
{
	return (size_bytes + to_bytes - 1) / to_bytes * to_bytes;
}

static void class_init(struct soq_pool *pool, struct soqi_pool_class *class,
		       const struct soq_pool_class *as)
{
	class->pool = pool;
	class->size_bytes = as->buf_size_bytes;
	class->stride_bytes = round_up(as->buf_size_bytes, COLOUR_BYTES) + COLOUR_BYTES;
	class->first = pool->buf_count;
	class->count = as->buf_count;
	class->reserve = as->buf_count < RESERVES ? as->buf_count / 2 : as->buf_count / RESERVES;
	class->group = (uint16_t)(GROUP_MIN + pool->id_first + class->first);
	for (class->ring_entries = 1; class->ring_entries < class->count;)
		class->ring_entries *= 2;
	pool->buf_count += class->count;
}

/* A page, the rings, a page, the bufs, a page: the three have no access. */
static int map(struct soq_pool *pool)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t rings = 0, bufs = 0;
	unsigned char *at;

	for (uint32_t i = 0; i < pool->class_count; i++) {
		rings += round_up(pool->classes[i].ring_entries * RING_ENTRY_BYTES, page);
		bufs += round_up(pool->classes[i].count * pool->classes[i].stride_bytes, page);
	}
	pool->mapping_bytes = rings + bufs + 3 * page;
	pool->bufs_bytes = bufs;
	pool->mapping = mmap(NULL, pool->mapping_bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (pool->mapping == MAP_FAILED) {
		pool->mapping = NULL;
		return -ENOMEM;
	}
	/* Hints: without them a pool works as well. */
	(void)madvise(pool->mapping, pool->mapping_bytes, MADV_DONTDUMP);
	(void)madvise(pool->mapping, pool->mapping_bytes, MADV_DONTFORK);
	at = pool->mapping + page;
	for (uint32_t i = 0; i < pool->class_count; i++) {
		pool->classes[i].ring = at;
		at += round_up(pool->classes[i].ring_entries * RING_ENTRY_BYTES, page);
	}
	if (mprotect(pool->mapping, page, PROT_NONE) != 0 || mprotect(at, page, PROT_NONE) != 0 ||
	    mprotect(at + page + bufs, page, PROT_NONE) != 0)
		return -ENOMEM;
	at += page;
	for (uint32_t i = 0; i < pool->class_count; i++) {
		pool->classes[i].memory = at;
		at += round_up(pool->classes[i].count * pool->classes[i].stride_bytes, page);
	}
	return 0;
}

unsigned char *soqi_pool_memory(const struct soq_pool *pool)
{
	return pool->classes[0].memory;
}

size_t soqi_pool_bytes(const struct soq_pool *pool)
{
	return pool->bufs_bytes;
}

static void bufs_init(struct soq_pool *pool)
{
	for (uint32_t i = 0; i < pool->class_count; i++) {
		struct soqi_pool_class *class = &pool->classes[i];

		/* The first is taken first. */
		for (uint32_t k = class->count; k-- > 0;) {
			struct soq_buf *buf = &pool->bufs[class->first + k];

			buf->priv.pool = pool;
			buf->priv.memory = soqi_buf_memory(class, k);
			buf->priv.class_index = (uint8_t)i;
			buf->priv.next = class->list_first;
			class->list_first = buf;
			soqi_own_give(buf->priv.memory, class->size_bytes);
		}
		class->list_count = class->count;
	}
}

static void release(struct soq_pool *pool, bool child)
{
	struct soq_loop *loop = pool->loop;

	if (pool->mapping != NULL && !child) {
		for (uint32_t i = 0; pool->bufs != NULL && i < pool->buf_count; i++)
			if (pool->bufs[i].priv.memory != NULL)
				soqi_own_take(
					pool->bufs[i].priv.memory,
					pool->classes[pool->bufs[i].priv.class_index].size_bytes,
					0);
		(void)munmap(pool->mapping, pool->mapping_bytes);
	}
	soqi_free(loop, pool->bufs, pool->buf_count * sizeof(struct soq_buf));
	soqi_free(loop, pool, sizeof(*pool));
}

/* Makes a pool of just this geometry; registered if that can be. */
static int create(struct soq_loop *loop, const struct soq_pool_options *options, uint32_t id_first,
		  struct soq_pool **pool_out)
{
	struct soq_pool *pool = soqi_alloc(loop, sizeof(*pool));
	int error;

	if (pool == NULL)
		return -ENOMEM;
	pool->loop = loop;
	pool->id_first = id_first;
	pool->share = options->share;
	pool->flags = options->flags;
	pool->class_count = options->class_count;
	for (uint32_t i = 0; i < pool->class_count; i++)
		class_init(pool, &pool->classes[i], &options->classes[i]);
	pool->bufs = soqi_alloc(loop, pool->buf_count * sizeof(struct soq_buf));
	error = pool->bufs != NULL ? map(pool) : -ENOMEM;
	if (error != 0) {
		release(pool, false);
		return error;
	}
	bufs_init(pool);
	pool->fixed_index = -1;
	pool->fixed_error = -ECANCELED;
	pool->registered_error = loop->backend->pool_add(loop, pool);
	*pool_out = pool;
	return 0;
}

/* Halves what has a large ring, and the share with it. False: there is nothing left to halve. */
static bool make_smaller(struct soq_pool_options *options)
{
	bool smaller = false;
	uint32_t before = 0, count = 0;

	for (uint32_t i = 0; i < options->class_count; i++) {
		before += options->classes[i].buf_count;
		if (options->classes[i].buf_count > RING_SMALL) {
			options->classes[i].buf_count /= 2;
			smaller = true;
		}
		count += options->classes[i].buf_count;
	}
	if (smaller)
		options->share = (uint32_t)((uint64_t)options->share * count / before);
	if (options->share == 0)
		options->share = 1;
	return smaller;
}

int soq_pool_create(struct soq_loop *loop, const struct soq_pool_options *options,
		    struct soq_pool **pool_out)
{
	struct soq_pool_options read, smaller;
	struct soq_pool *pool = NULL;
	uint32_t count = 0, id = 0;
	int error;

	if (loop == NULL || pool_out == NULL)
		return -EINVAL;
	error = options_read(options, &read);
	if (error == 0)
		error = soqi_loop_check(loop);
	for (uint32_t i = 0; i < read.class_count && error == 0; i++)
		count += read.classes[i].buf_count;
	if (error == 0)
		error = ids_find(loop, count, &id);
	if (error == 0)
		error = create(loop, &read, id, &pool);
	if (error != 0)
		return error;
	/* Unregistered the pool locks no memory: then it has the size that was asked for. */
	for (smaller = read; pool->registered_error == -ENOMEM && make_smaller(&smaller);) {
		struct soq_pool *less = NULL;

		if (create(loop, &smaller, id, &less) != 0)
			break;
		if (less->registered_error == 0) {
			release(pool, false);
			pool = less;
			break;
		}
		release(less, false);
	}
	pool->next = loop->pools;
	loop->pools = pool;
	*pool_out = pool;
	return 0;
}

static bool is_used(const struct soq_pool *pool)
{
	return pool->lent_count > 0 || pool->taken_count > 0 || pool->receivers > 0;
}

int soq_pool_destroy(struct soq_pool *pool)
{
	struct soq_pool **link;
	int error;

	if (pool == NULL)
		return 0;
	error = soqi_loop_check(pool->loop);
	if (error != 0)
		return error;
	if (is_used(pool))
		return -EBUSY;
	pool->loop->backend->pool_remove(pool->loop, pool);
	for (link = &pool->loop->pools; *link != pool;)
		link = &(*link)->next;
	*link = pool->next;
	release(pool, false);
	return 0;
}

void soqi_pools_release(struct soq_loop *loop, bool child)
{
	struct soq_pool *pool;

	while ((pool = loop->pools) != NULL) {
		loop->pools = pool->next;
		release(pool, child);
	}
}

int soq_pool_info(struct soq_pool *pool, struct soq_pool_info *info)
{
	struct soq_pool_info full = { .size = sizeof(full) };
	uint32_t size;
	int error;

	if (pool == NULL || info == NULL || info->size < INFO_SIZE_MIN ||
	    info->size > sizeof(*info))
		return -EINVAL;
	error = soqi_loop_check(pool->loop);
	if (error != 0)
		return error;
	full.flags = pool->flags;
	full.share = pool->share;
	full.class_count = pool->class_count;
	for (uint32_t i = 0; i < pool->class_count; i++) {
		full.classes[i].buf_size_bytes = pool->classes[i].size_bytes;
		full.classes[i].buf_count = pool->classes[i].count;
		full.bufs_free += pool->classes[i].list_count + pool->classes[i].ring_count;
	}
	full.bufs_lent = pool->lent_count;
	full.bufs_waiting = pool->taken_count;
	full.receivers = pool->receivers;
	full.parked = pool->parked_count;
	full.registered_error = pool->registered_error;
	full.fixed_error = pool->fixed_error;
	full.mapped_bytes = pool->mapping_bytes;
	full.lends = pool->lends;
	full.returns = pool->returns;
	full.parks = pool->parks;
	full.rearms = pool->rearms;
	full.pauses = pool->pauses;
	size = info->size;
	memcpy(info, &full, size);
	info->size = size;
	return 0;
}
