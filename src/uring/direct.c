/* SPDX-License-Identifier: MIT */
/*
 * Direct descriptors: a table of files in the ring, so that a request need not look its
 * file up and count a use of it. A socket is entered by its first request that finds a
 * free place, and leaves before its descriptor is closed: in the table its file would
 * stay open, and the peer would see no end. The descriptor stays what everything else uses.
 */
#include "uring.h"

#include <errno.h>
#include <sys/resource.h>

/* Places emptied by one call. */
#define CLEAR_AT_ONCE 64u

/*
 * Since 6.13 a place lets go of its file when it is emptied. Before, that waits for every
 * older request that uses the table (seen on 6.1: the peer of a closed socket sees no end
 * as long as another socket's receive waits). No flag tells; this one came a version later.
 */
#define LETS_GO_AT_ONCE SOQI_FEAT_RW_ATTR

static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE;
}

static int table_make(struct soq_loop *loop, struct soqi_uring *impl, uint32_t count)
{
	struct io_uring_rsrc_register table = { .nr = count, .flags = IORING_RSRC_REGISTER_SPARSE };
	struct soqi_direct *direct = &impl->direct;
	int error;

	direct->free = soqi_alloc(loop, count * sizeof(*direct->free));
	if (direct->free == NULL)
		return -ENOMEM;
	direct->count = count;
	error = soqi_ring_register(impl, IORING_REGISTER_FILES2, &table, sizeof(table));
	if (error < 0) {
		soqi_direct_release(loop, impl);
		return error;
	}
	for (uint32_t i = 0; i < count; i++)
		direct->free[i] = count - 1 - i;
	direct->free_count = count;
	return 0;
}

/* The kernel takes no more places than descriptors: few of them mean a smaller table. */
int soqi_direct_create(struct soq_loop *loop, struct soqi_uring *impl)
{
	uint32_t count = loop->options.direct_count;
	struct rlimit limit;
	int error;

	if (count == 0)
		return -ECANCELED;
	if (!(impl->ring.features & LETS_GO_AT_ONCE))
		return -EOPNOTSUPP;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count)
		count = limit.rlim_cur > 0 ? (uint32_t)limit.rlim_cur : 1;
	error = table_make(loop, impl, count);
	while (is_shortage(error) && count > 1) {
		count /= 2;
		error = table_make(loop, impl, count);
	}
	return error;
}

void soqi_direct_release(struct soq_loop *loop, struct soqi_uring *impl)
{
	struct soqi_direct *direct = &impl->direct;

	soqi_free(loop, direct->free, direct->count * sizeof(*direct->free));
	direct->free = NULL;
	direct->free_count = 0;
	direct->count = 0;
}

/* Puts `fds` into the places from `place` on; -1 empties one. 0 or -errno. */
static int update(struct soqi_uring *impl, uint32_t place, const int32_t *fds, uint32_t count)
{
	struct io_uring_rsrc_update to = { .offset = place, .data = (uintptr_t)fds };
	int result = soqi_ring_register(impl, IORING_REGISTER_FILES_UPDATE, &to, count);

	if (result < 0)
		return result;
	return (uint32_t)result == count ? 0 : -EINVAL;
}

/* Takes a free place for the socket, if there is one. */
static void enter(struct soq_loop *loop, struct soqi_uring *impl, struct soq_socket *s)
{
	struct soqi_direct *direct = &impl->direct;
	uint32_t place;
	int error;

	if (direct->free_count == 0 || direct->refused)
		return;
	place = direct->free[direct->free_count - 1];
	error = update(impl, place, &s->fd, 1);
	if (error != 0) {
		/* A descriptor closed by force is its request's business. */
		direct->refused = error != -EBADF;
		return;
	}
	direct->free_count--;
	s->backend_bits = place + 1;
	loop->stats.direct_sockets++;
}

void soqi_direct_use(struct soq_loop *loop, struct soqi_uring *impl, struct soq_socket *s,
		     struct io_uring_sqe *sqe)
{
	if (s->backend_bits == 0)
		enter(loop, impl, s);
	if (s->backend_bits == 0)
		return;
	sqe->fd = (int32_t)(s->backend_bits - 1);
	sqe->flags |= IOSQE_FIXED_FILE;
}

void soqi_direct_leave(struct soq_loop *loop, struct soqi_uring *impl, struct soq_socket *s)
{
	struct soqi_direct *direct = &impl->direct;
	uint32_t place = s->backend_bits - 1;
	const int32_t nothing = -1;

	if (s->backend_bits == 0)
		return;
	s->backend_bits = 0;
	loop->stats.direct_sockets--;
	if (impl->dead)
		return;
	/* Refused (a sandbox entered later), the file stays open as long as the ring. */
	if (update(impl, place, &nothing, 1) == 0)
		direct->free[direct->free_count++] = place;
	else
		direct->refused = true;
}

void soqi_direct_clear(struct soqi_uring *impl)
{
	int32_t nothing[CLEAR_AT_ONCE];

	for (uint32_t i = 0; i < CLEAR_AT_ONCE; i++)
		nothing[i] = -1;
	for (uint32_t i = 0; i < impl->direct.count; i += CLEAR_AT_ONCE) {
		uint32_t left = impl->direct.count - i;

		(void)update(impl, i, nothing, left < CLEAR_AT_ONCE ? left : CLEAR_AT_ONCE);
	}
}
