/* SPDX-License-Identifier: MIT */
/* The io_uring backend: one enter per turn hands over the requests and waits. */
#include "uring.h"

#include <errno.h>
#include <unistd.h>

/* Looks into an overflowed CQ in one turn; the rest waits for the next. */
#define OVERFLOW_ROUNDS 64

static int uring_create(struct soq_loop *loop, const struct soq_loop_options *options)
{
	struct soqi_uring *impl = soqi_alloc(loop, sizeof(*impl));
	int error;

	(void)options;
	if (impl == NULL)
		return -ENOMEM;
	loop->info.uring_step = "";
	error = soqi_ring_create(loop, impl);
	if (error != 0) {
		soqi_free(loop, impl, sizeof(*impl));
		return error;
	}
	/* A smaller ring may have been made after a larger one was refused. */
	loop->info.uring_step = "";
	loop->impl = impl;
	return 0;
}

static void uring_release(struct soq_loop *loop, struct soqi_uring *impl)
{
	soqi_free(loop, impl->holds.entries, impl->holds.max * sizeof(struct soqi_hold));
	soqi_direct_release(loop, impl);
	soqi_free(loop, impl->messages, impl->messages_max * sizeof(struct msghdr));
	soqi_free(loop, impl, sizeof(*impl));
}

static void uring_destroy(struct soq_loop *loop, bool child)
{
	struct soqi_uring *impl = loop->impl;
	bool owner = !child && soqi_loop_check(loop) == 0;

	if (!impl->dead)
		soqi_ring_destroy(impl, owner, child);
	uring_release(loop, impl);
	loop->impl = NULL;
}

static int uring_own(struct soq_loop *loop)
{
	return soqi_ring_own(loop, loop->impl);
}

/* Its place was one of a ring that is gone. */
static void forget_place(struct soq_socket *s)
{
	s->backend_bits = 0;
}

/*
 * The owner's requests ended with it, and its ring takes no other thread. What had
 * completed is taken in; a ring of the new owner's takes its place.
 */
static int uring_inherit(struct soq_loop *loop)
{
	struct soqi_uring *old = loop->impl;
	int error;

	if (old->dead)
		return 0;
	(void)soqi_ring_reap(loop, old);
	error = uring_create(loop, &loop->options);
	if (error != 0)
		return error;
	soqi_slot_each(loop, forget_place);
	loop->stats.direct_sockets = 0;
	soqi_ring_destroy(old, false, false);
	soqi_holds_end(loop, &old->holds);
	uring_release(loop, old);
	soqi_uring_pools_move(loop);
	return uring_own(loop);
}

/* Without room for one more hold the bytes are copied. */
static void make_zerocopy(struct soq_loop *loop, struct soqi_uring *impl, struct io_uring_sqe *sqe,
			  const struct soqi_request *request)
{
	uint64_t user_data = soqi_hold_make(loop, impl, request);

	if (user_data != 0)
		soqi_prep_zerocopy(loop, impl, sqe, user_data);
	else
		soqi_zerocopy_refuse(request->zerocopy, false);
}

static void uring_submit(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			 const struct soqi_request *request)
{
	struct soqi_uring *impl = loop->impl;
	struct io_uring_sqe *sqe = soqi_ring_sqe(loop, impl);

	if (sqe == NULL) {
		soqi_again(loop, lane);
		return;
	}
	soqi_prep_request(impl, sqe, request);
	if (soqi_unlikely(request->zerocopy != NULL))
		make_zerocopy(loop, impl, sqe, request);
	if (request->lazy_bytes > 0)
		soqi_silent_add(impl, sqe, request);
	if (impl->direct.count > 0)
		soqi_direct_use(loop, impl, s, sqe);
}

static void uring_cancel(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	struct soqi_uring *impl = loop->impl;
	struct io_uring_sqe *sqe = soqi_ring_sqe(loop, impl);
	uint64_t token = soqi_token(s->slot, lane);

	if (sqe != NULL)
		soqi_prep_cancel(sqe, token, soqi_hold_victim(impl, lane, token));
	else
		soqi_cancel_missed(loop, token);
}

static void uring_detach(struct soq_loop *loop, struct soq_socket *s)
{
	soqi_direct_leave(loop, loop->impl, s);
}

static bool uring_push(struct soq_loop *loop)
{
	struct soqi_uring *impl = loop->impl;

	if (impl->dead)
		return true;
	(void)soqi_ring_enter(loop, impl, 0, 0, NULL, 0);
	return io_uring_sq_ready(&impl->ring) == 0;
}

static void arm_wake(struct soq_loop *loop, struct soqi_uring *impl)
{
	struct io_uring_sqe *sqe;

	if (impl->wake_armed)
		return;
	sqe = soqi_ring_sqe(loop, impl);
	if (sqe == NULL)
		return;
	soqi_prep_wake(sqe, loop->wake_fd);
	impl->wake_armed = true;
}

/* One enter that waits until `until_ns`. The kernel's answer. */
static int enter_until(struct soq_loop *loop, struct soqi_uring *impl, int64_t until_ns)
{
	struct io_uring_getevents_arg arg = { .sigmask_sz = _NSIG / 8 };
	struct __kernel_timespec ts;
	unsigned flags = IORING_ENTER_GETEVENTS;
	int64_t at_ns = until_ns;

	if (until_ns == SOQI_NOW || io_uring_cq_ready(&impl->ring) > 0)
		return soqi_ring_enter(loop, impl, 0, flags, NULL, 0);
	flags |= impl->wait_flags;
	if (until_ns == SOQI_FOREVER)
		return soqi_ring_enter(loop, impl, 1, flags, NULL, 0);
	if (impl->abs_timer) {
		flags |= IORING_ENTER_ABS_TIMER;
	} else {
		at_ns -= soqi_now_ns();
		if (at_ns < 0)
			at_ns = 0;
	}
	ts.tv_sec = at_ns / SOQI_NS_PER_S;
	ts.tv_nsec = at_ns % SOQI_NS_PER_S;
	arg.ts = (uintptr_t)&ts;
	return soqi_ring_enter(loop, impl, 1, flags | IORING_ENTER_EXT_ARG, &arg, sizeof(arg));
}

/*
 * What the kernel could not fit into the CQ it keeps, and hands over as there is
 * room. Its answers to enter say nothing of it: only the flag does.
 */
static void reap_overflow(struct soq_loop *loop, struct soqi_uring *impl)
{
	if (!io_uring_cq_has_overflow(&impl->ring))
		return;
	loop->stats.overflows++;
	for (unsigned i = 0; i < OVERFLOW_ROUNDS && io_uring_cq_has_overflow(&impl->ring); i++) {
		(void)soqi_ring_enter(loop, impl, 0, IORING_ENTER_GETEVENTS, NULL, 0);
		(void)soqi_ring_reap(loop, impl);
	}
}

/* A ring that cannot be entered keeps its requests for ever: ending it ends them. */
static int uring_die(struct soq_loop *loop, struct soqi_uring *impl, int error)
{
	soqi_direct_clear(impl);
	soqi_ring_destroy(impl, true, false);
	impl->dead = true;
	soqi_holds_end(loop, &impl->holds);
	impl->silent_count = 0;
	return error;
}

static int uring_wait(struct soq_loop *loop, int64_t until_ns)
{
	struct soqi_uring *impl = loop->impl;
	int result;

	arm_wake(loop, impl);
	if (!soqi_silent_may_sleep(loop, impl))
		until_ns = SOQI_NOW;
	result = enter_until(loop, impl, until_ns);
	/*
	 * The answer is the number submitted, or why nothing was waited for; whether
	 * anything completed only the CQ tells. Transient: a signal, a timeout, no
	 * memory for a request, a CQ that has to be emptied first.
	 */
	if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN &&
	    result != -EBUSY)
		return uring_die(loop, impl, result);
	loop->unsent = io_uring_sq_ready(&impl->ring) > 0;
	if (!loop->unsent)
		loop->segments_used = 0;
	(void)soqi_ring_reap(loop, impl);
	reap_overflow(loop, impl);
	soqi_silent_settle(loop, impl);
	return 0;
}

static int uring_fd(struct soq_loop *loop)
{
	const struct soqi_uring *impl = loop->impl;

	return impl->dead ? loop->wake_fd : impl->ring.ring_fd;
}

const struct soqi_backend soqi_backend_uring = {
	.id = SOQ_BACKEND_URING,
	.socket_flags = 0,
	.immediate = false,
	.zerocopy = true,
	.create = uring_create,
	.destroy = uring_destroy,
	.own = uring_own,
	.inherit = uring_inherit,
	.submit = uring_submit,
	.cancel = uring_cancel,
	.detach = uring_detach,
	.push = uring_push,
	.wait = uring_wait,
	.fd = uring_fd,
	.pool_add = soqi_uring_pool_add,
	.pool_remove = soqi_uring_pool_remove,
	.buf_home = soqi_uring_buf_home,
};
