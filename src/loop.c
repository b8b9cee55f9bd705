/* SPDX-License-Identifier: MIT */
/* The loop: made, owned, ended. */
#include "batch.h"
#include "parts.h"
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <soq/policy.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int soqi_loop_check(struct soq_loop *loop)
{
	pid_t owner;

	if (soqi_unlikely(*loop->here == 0))
		return -ECHILD;
	owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);
	if (soqi_likely(owner == 0 || owner == soqi_thread_id()))
		return 0;
	/* In a trace function. */
	return owner == -soqi_thread_id() ? -EBUSY : -EXDEV;
}

/* The answer when it is not the usual one. */
int soqi_loop_enter_first(struct soq_loop *loop)
{
	pid_t owner;

	if (*loop->here == 0)
		return -ECHILD;
	owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);
	return owner == 0 ? soqi_owner_claim(loop) : soqi_loop_check(loop);
}

int64_t soqi_until(int64_t timeout_ns)
{
	if (timeout_ns < 0)
		return SOQI_FOREVER;
	return timeout_ns == 0 ? SOQI_NOW : soqi_after_ns(soqi_now_ns(), timeout_ns);
}

/* Gives back what loop_fill() made; the backend is gone already. */
static void loop_release(struct soq_loop *loop)
{
	struct soq_allocator allocator = loop->allocator;

	soqi_slots_release(loop);
	soqi_free(loop, loop->segments, SOQI_SEGMENTS * sizeof(struct iovec));
	soqi_free(loop, loop->discard, SOQI_DISCARD_BYTES);
	soqi_free(loop, loop->batch, sizeof(*loop->batch));
	soqi_free(loop, loop->file_room, SOQI_PARTS_BYTES);
	if (loop->wake_fd >= 0)
		(void)close(loop->wake_fd);
	soqi_owner_fini(loop);
	soqi_here_free(loop->here);
	soq_policy_release(loop->policy);
	allocator.release(allocator.context, loop, sizeof(*loop));
}

static int loop_fill(struct soq_loop *loop)
{
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return -errno;
	loop->segments = soqi_alloc(loop, SOQI_SEGMENTS * sizeof(struct iovec));
	loop->discard = soqi_alloc(loop, SOQI_DISCARD_BYTES);
	if (loop->segments == NULL || loop->discard == NULL)
		return -ENOMEM;
	loop->here = soqi_here_make();
	return loop->here != NULL ? 0 : -ENOMEM;
}

/* Whether AUTO takes epoll for this error; a shortage has tried smaller rings before. */
static bool falls_back(int error)
{
	switch (error) {
	case -ENOSYS:
	case -EPERM:
	case -EACCES:
	case -EINVAL:
	case -EOPNOTSUPP:
	case -ENOMEM:
		return true;
	default:
		return false;
	}
}

static int backend_make(struct soq_loop *loop)
{
	int error = -EOPNOTSUPP;

	loop->info.uring_error = -ECANCELED;
	loop->info.uring_step = "";
	if (loop->options.backend != SOQ_BACKEND_EPOLL) {
#ifdef SOQ_HAVE_URING
		loop->backend = &soqi_backend_uring;
		error = loop->backend->create(loop, &loop->options);
#else
		loop->info.uring_step = "built without";
#endif
		loop->info.uring_error = error;
		if (error == 0 || loop->options.backend == SOQ_BACKEND_URING || !falls_back(error))
			return error;
	}
	loop->backend = &soqi_backend_epoll;
	loop->info.features = 0;
	for (unsigned i = 0; i < SOQ_FEATURE_COUNT; i++)
		loop->info.feature_errors[i] = loop->info.uring_error;
	return loop->backend->create(loop, &loop->options);
}

int soq_loop_create(const struct soq_loop_options *options, struct soq_loop **loop_out)
{
	struct soq_loop_options read;
	struct soq_allocator allocator;
	struct soq_loop *loop;
	int error;

	if (loop_out == NULL)
		return -EINVAL;
	error = soqi_options_read(options, &read);
	if (error != 0)
		return error;
	if (soqi_allocator_read(read.allocator, &allocator) != 0)
		return -EINVAL;
	loop = allocator.allocate(allocator.context, sizeof(*loop), 64);
	if (loop == NULL)
		return -ENOMEM;
	memset(loop, 0, sizeof(*loop));
	loop->allocator = allocator;
	loop->options = read;
	loop->traces = read.trace != NULL;
	loop->policy = soq_policy_retain(read.policy);
	loop->wake_fd = -1;
	loop->impatient = 1;
	loop->stats.allocations = 1;
	loop->stats.allocated_bytes = sizeof(*loop);
	error = soqi_owner_init(loop);
	if (error != 0) {
		soq_policy_release(loop->policy);
		allocator.release(allocator.context, loop, sizeof(*loop));
		return error;
	}
	error = loop_fill(loop);
	if (error == 0)
		error = backend_make(loop);
	if (error != 0) {
		loop_release(loop);
		return error;
	}
	*loop_out = loop;
	return 0;
}

/* The files of a parent's sockets are its own business: a path stays. */
static void close_inherited(struct soq_socket *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	soqi_path_forget(s);
	soqi_free(s->loop, s->watch, sizeof(*s->watch));
	if (soqi_is_alive(s))
		soqi_free(s->loop, s->linger_op, sizeof(*s->linger_op));
	else if (s->close_op != NULL && (s->close_op->priv.flags & SOQI_OP_LINGER))
		soqi_free(s->loop, s->close_op, sizeof(*s->close_op));
}

static void destroy(struct soq_loop *loop, bool child)
{
	if (child)
		soqi_slot_each(loop, close_inherited);
	soqi_pools_release(loop, child);
	soqi_rooms_release(loop);
	loop->backend->destroy(loop, child);
	loop_release(loop);
}

int soq_loop_destroy(struct soq_loop *loop)
{
	int error;

	if (loop == NULL)
		return 0;
	error = soqi_loop_check(loop);
	if (error == -ECHILD) {
		destroy(loop, true);
		return 0;
	}
	if (error == -EBUSY || (error != 0 && !soqi_owner_gone(loop)))
		return error;
	if (loop->in_done || loop->pools != NULL || loop->stats.sockets > 0 ||
	    loop->stats.ops_in_flight > 0 || loop->stats.events_waiting > 0 ||
	    atomic_load(&loop->posted) != NULL)
		return -EBUSY;
	assert(loop->in_kernel == 0 && loop->impatient == 1);
	destroy(loop, false);
	return 0;
}
