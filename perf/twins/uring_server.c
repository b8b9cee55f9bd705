/* SPDX-License-Identifier: MIT */
/* What the servers on bare liburing share. */
#include "uring_server.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

#define SQ_ENTRIES       1024
#define CQ_ENTRIES       8192
#define SLAB_CONNECTIONS 64u
#define SLOTS_MAX        32768u /* connections at a time */
#define NOBODY           0 /* owns requests of which only failures are told, and none matters */

struct uring_slab {
	struct uring_slab *next;
	unsigned char *memory;
	unsigned char *connections;
};

void uring_server_submit(struct uring_server *s)
{
	s->report.waits++;
	io_uring_submit(&s->ring);
}

static void prepare_accept(struct uring_server *s)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_multishot_accept_direct(sqe, s->listen_fd, NULL, NULL, 0);
	io_uring_sqe_set_data64(sqe, (uintptr_t)&s->anchor | URING_TAG_ACCEPT);
}

static void prepare_watch(struct uring_server *s)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_poll_add(sqe, s->watched_fd, POLLIN);
	io_uring_sqe_set_data64(sqe, (uintptr_t)&s->anchor | URING_TAG_WATCHED);
}

static struct uring_connection *slab_connection(const struct uring_server *s,
						const struct uring_slab *slab, unsigned i)
{
	return (void *)(slab->connections + i * s->role->connection_bytes);
}

static void free_slab(struct uring_slab *slab)
{
	free(slab->connections);
	free(slab->memory);
	free(slab);
}

static int grow(struct uring_server *s)
{
	struct uring_slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return -ENOMEM;
	slab->connections = calloc(SLAB_CONNECTIONS, s->role->connection_bytes);
	slab->memory = malloc(SLAB_CONNECTIONS * s->role->memory_bytes);
	if (!slab->connections || (!slab->memory && s->role->memory_bytes)) {
		free_slab(slab);
		return -ENOMEM;
	}
	s->report.allocations += s->role->memory_bytes ? 3 : 2;
	slab->next = s->slabs;
	s->slabs = slab;
	for (unsigned i = 0; i < SLAB_CONNECTIONS; i++) {
		struct uring_connection *c = slab_connection(s, slab, i);

		c->memory = slab->memory + i * s->role->memory_bytes;
		c->next = s->free;
		s->free = c;
	}
	return 0;
}

static void close_slot(struct uring_server *s, int slot)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_close_direct(sqe, (unsigned)slot);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, NOBODY);
}

void uring_server_end(struct uring_server *s, struct uring_connection *c)
{
	close_slot(s, c->slot);
	c->next = s->free;
	s->free = c;
}

void uring_server_cancel_receive(struct uring_server *s, struct uring_connection *c)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_cancel64(sqe, (uintptr_t)c | URING_TAG_RECEIVE, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, NOBODY);
}

static void on_accept(struct uring_server *s, int result, unsigned flags)
{
	struct uring_connection *c;
	unsigned char *memory;

	if (!(flags & IORING_CQE_F_MORE))
		prepare_accept(s);
	if (result < 0)
		return;
	if (!s->free && grow(s) < 0) {
		close_slot(s, result);
		return;
	}
	c = s->free;
	s->free = c->next;
	memory = c->memory;
	memset(c, 0, s->role->connection_bytes);
	c->slot = result;
	c->memory = memory;
	s->report.accepts++;
	s->role->begin(s, c);
}

static void on_completion(struct uring_server *s, const struct io_uring_cqe *cqe)
{
	void *owner = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)URING_TAG_MASK);

	s->report.completions++;
	if (cqe->user_data == NOBODY)
		return;
	switch ((enum uring_tag)(cqe->user_data & URING_TAG_MASK)) {
	case URING_TAG_RECEIVE:
		s->role->on_receive(s, owner, cqe);
		break;
	case URING_TAG_SEND:
		s->role->on_send(s, owner, cqe);
		break;
	case URING_TAG_ACCEPT:
		on_accept(s, cqe->res, cqe->flags);
		break;
	case URING_TAG_WATCHED:
		s->watched = true;
		prepare_watch(s);
		break;
	}
}

int uring_server_turn(struct uring_server *s, bool wait)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;
	int ret;

	s->report.waits++;
	s->report.turns++;
	if (wait && !s->hurries)
		ret = io_uring_submit_and_wait(&s->ring, 1);
	else
		ret = io_uring_submit_and_get_events(&s->ring);
	if (ret < 0 && ret != -EINTR && ret != -EBUSY && ret != -EAGAIN)
		return ret;
	s->watched = false;
	s->settled = !io_uring_sq_ready(&s->ring) && !io_uring_cq_has_overflow(&s->ring);
	io_uring_for_each_cqe (&s->ring, head, cqe) {
		on_completion(s, cqe);
		count++;
	}
	io_uring_cq_advance(&s->ring, count);
	if (s->role->after_turn)
		s->role->after_turn(s);
	return s->watched ? TWIN_TURN_WATCHED : TWIN_TURN_SERVED;
}

/* For each connection, or for the one socket there is. */
static int register_slots(struct uring_server *s)
{
	struct rlimit limit;
	unsigned count = SLOTS_MAX;

	if (!s->role->begin)
		return io_uring_register_files(&s->ring, &s->listen_fd, 1);
	/* The kernel wants no more slots than there may be descriptors. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count)
		count = (unsigned)limit.rlim_cur;
	return io_uring_register_files_sparse(&s->ring, count);
}

static int open_ring(struct uring_server *s)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = CQ_ENTRIES,
	};
	int ret;

	ret = io_uring_queue_init_params(SQ_ENTRIES, &s->ring, &params);
	if (ret < 0)
		return ret;
	/* Worth a little, and not there before Linux 5.18. */
	(void)!io_uring_register_ring_fd(&s->ring);
	return 0;
}

int uring_server_create(int fd, int watched_fd, const struct uring_role *role,
			struct uring_server **out)
{
	struct uring_server *s = calloc(1, role->server_bytes);
	int ret;

	if (!s)
		return -ENOMEM;
	s->role = role;
	s->listen_fd = fd;
	s->watched_fd = watched_fd;
	ret = open_ring(s);
	if (ret < 0) {
		free(s);
		return ret;
	}
	ret = register_slots(s);
	if (ret == 0 && role->open)
		ret = role->open(s);
	if (ret < 0) {
		uring_server_destroy(s);
		return ret;
	}
	if (role->begin)
		prepare_accept(s);
	if (watched_fd >= 0)
		prepare_watch(s);
	*out = s;
	return 0;
}

void uring_server_destroy(struct uring_server *s)
{
	struct uring_slab *slab;

	/* Closes the connections, and ends what the kernel still has of the memory. */
	io_uring_queue_exit(&s->ring);
	if (s->role->close)
		s->role->close(s);
	while ((slab = s->slabs) != NULL) {
		s->slabs = slab->next;
		free_slab(slab);
	}
	free(s);
}
