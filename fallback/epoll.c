/* SPDX-License-Identifier: MIT */
/*
 * The epoll backend: completions out of readiness. A request is tried at once;
 * when it would wait it is parked, and its socket registered, once for its life,
 * edge-triggered for both directions. An edge makes parked lanes dirty again, so
 * the core makes their requests anew, with whatever has been queued since. An
 * edge no parked lane waits for is kept as "not blocked", so none is lost between
 * a try and the park.
 */
#include "epoll.h"

#include "batch.h"
#include "own.h"
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Events of one wait; more come with the next, which does not sleep. */
#define EVENTS_MAX 256
/* Connections one accept takes before the others have a turn. */
#define ACCEPTS_MAX 32
/* The wake descriptor's mark; no slot has it. */
#define WAKE_MARK UINT64_MAX

struct soqi_epoll {
	int fd;
	bool coarse; /* no epoll_pwait2 (before 5.11): milliseconds */
	struct epoll_event events[EVENTS_MAX];
};

/* Of Linux 6.9, in <linux/eventpoll.h>, which <sys/epoll.h> does not go with. */
struct busy_poll {
	uint32_t us;
	uint16_t budget; /* 0: the kernel's default */
	uint8_t prefer;
	uint8_t pad;
};

#define BUSY_POLL_SET _IOW(0x8A, 0x01, struct busy_poll)

/* The kernel counts in microseconds; less than one is one. */
static int busy_poll_set(int fd, const struct soq_loop_options *options)
{
	const struct busy_poll params = { .us = (options->napi_ns + 999) / 1000,
					  .prefer = (options->flags & SOQ_LOOP_NAPI_PREFER) != 0 };

	if (options->napi_ns == 0 || (options->features_off & SOQ_FEATURE_NAPI))
		return -ECANCELED;
	return ioctl(fd, BUSY_POLL_SET, &params) == 0 ? 0 : -errno;
}

static void busy_poll_note(struct soq_loop *loop, int error)
{
	loop->info.feature_errors[__builtin_ctz(SOQ_FEATURE_NAPI)] = error;
	if (error == 0)
		loop->info.features |= SOQ_FEATURE_NAPI;
}

static int epoll_create_backend(struct soq_loop *loop, const struct soq_loop_options *options)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = WAKE_MARK };
	struct soqi_epoll *impl = soqi_alloc(loop, sizeof(*impl));
	int error;

	if (impl == NULL)
		return -ENOMEM;
#ifdef SOQ_VALGRIND
	/* Until valgrind 3.21 is the minimum: it does not know epoll_pwait2, and says so. */
	impl->coarse = true;
#endif
	impl->fd = epoll_create1(EPOLL_CLOEXEC);
	if (impl->fd >= 0 && epoll_ctl(impl->fd, EPOLL_CTL_ADD, loop->wake_fd, &event) == 0) {
		loop->impl = impl;
		busy_poll_note(loop, busy_poll_set(impl->fd, options));
		return 0;
	}
	error = -errno;
	if (impl->fd >= 0)
		(void)close(impl->fd);
	soqi_free(loop, impl, sizeof(*impl));
	return error;
}

static void epoll_destroy(struct soq_loop *loop, bool child)
{
	struct soqi_epoll *impl = loop->impl;

	/* Closing is safe in a child; EPOLL_CTL_DEL would unregister for the parent. */
	(void)child;
	(void)close(impl->fd);
	soqi_free(loop, impl, sizeof(*impl));
	loop->impl = NULL;
}

static int epoll_own(struct soq_loop *loop)
{
	(void)loop;
	return 0;
}

static uint64_t mark_of(const struct soq_socket *s)
{
	return (uint64_t)s->backend_generation << 32 | s->slot;
}

/* Registers the socket unless it is; the kernel then reports what is ready already. */
static int socket_register(struct soq_loop *loop, struct soq_socket *s)
{
	struct soqi_epoll *impl = loop->impl;
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET,
				     .data.u64 = mark_of(s) };

	if (s->backend_bits & SOQI_EPOLL_REGISTERED)
		return 0;
	if (epoll_ctl(impl->fd, EPOLL_CTL_ADD, s->fd, &event) != 0)
		return -errno;
	s->backend_bits |= SOQI_EPOLL_REGISTERED;
	return 0;
}

/*
 * Whether a result shows that the direction would block now: a stream that gave or
 * took less than it was asked for has no more. It saves the try that would say so;
 * the edge that ends it is reported, since the kernel has found it empty or full.
 * Not so where a receive stops early: a unix stream at descriptors or credentials
 * that come with the bytes, TCP at urgent data.
 */
static bool leaves_blocked(const struct soq_socket *s, const struct soqi_request *request,
			   int32_t result)
{
	size_t asked = 0;

	if (request->kind != SOQI_REQUEST_RECV && request->kind != SOQI_REQUEST_SEND &&
	    request->kind != SOQI_REQUEST_RECV_BUF)
		return false;
	if (result <= 0 || !soqi_is_stream(s) || (s->backend_bits & SOQI_EPOLL_HUP) ||
	    (request->message_flags & MSG_PEEK))
		return false;
	if (request->kind != SOQI_REQUEST_SEND && s->family == AF_UNIX)
		return false;
	if (request->bufs != NULL)
		return (size_t)result < request->bufs->size_bytes;
	for (uint32_t i = 0; i < request->segment_count; i++)
		asked += request->segments[i].iov_len;
	return (size_t)result < asked;
}

static void park(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
		 const struct soqi_request *request)
{
	int error = socket_register(loop, s);

	(void)lane;
	if (error != 0)
		soqi_finish(loop, request->token, error, false);
}

static void accept_many(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			const struct soqi_request *request)
{
	for (unsigned i = 0; i < ACCEPTS_MAX && !lane->cancel_wanted; i++) {
		int32_t result = soqi_try(request);

		loop->stats.requests++;
		if (result == -EAGAIN) {
			s->backend_bits |= SOQI_EPOLL_BLOCKED_RECV;
			park(loop, s, lane, request);
			return;
		}
		loop->stats.completions++;
		soqi_finish(loop, request->token, result, result >= 0);
		if (result < 0)
			return;
	}
	soqi_again(loop, lane);
}

/*
 * Asked by level each time, since a poll may want what was there before it came. An
 * edge after this is reported after it, so none is lost.
 */
static void poll_once(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
		      const struct soqi_request *request)
{
	int32_t result = soqi_try(request);

	if (result == -EAGAIN)
		park(loop, s, lane, request);
	else
		soqi_finish(loop, request->token, result, false);
}

/*
 * Of a connection just accepted the request has mostly not come yet: registered first
 * it is told when it is there, and a try that fails is saved.
 */
static bool is_new(const struct soq_socket *s, const struct soqi_request *request)
{
	return (request->kind == SOQI_REQUEST_RECV || request->kind == SOQI_REQUEST_RECV_BUF) &&
	       !(s->backend_bits & SOQI_EPOLL_REGISTERED) && soqi_is_stream(s);
}

/* A datagram socket whose receive side is shut says that it would wait, for ever. */
static bool is_at_its_end(const struct soq_socket *s, const struct soqi_request *request)
{
	return request->kind == SOQI_REQUEST_RECV && !soqi_is_connection(s) &&
	       (s->backend_bits & SOQI_EPOLL_HUP) && soqi_receive_is_shut(s->fd);
}

static void epoll_submit(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			 const struct soqi_request *request)
{
	uint32_t blocked = soqi_epoll_blocked(lane);
	struct soq_buf *buf = NULL;
	int32_t result;

	if (request->kind == SOQI_REQUEST_POLL) {
		poll_once(loop, s, lane, request);
		return;
	}
	/* What an earlier connection of this socket left behind says nothing of this one. */
	if (request->kind == SOQI_REQUEST_CONNECT)
		s->backend_bits &= ~(blocked | SOQI_EPOLL_BLOCKED_RECV | SOQI_EPOLL_HUP);
	if (is_new(s, request))
		s->backend_bits |= blocked;
	/* What does not wait asks for itself: its receiver may be another. */
	if ((s->backend_bits & blocked) && !(request->message_flags & MSG_DONTWAIT)) {
		park(loop, s, lane, request);
		return;
	}
	if (request->kind == SOQI_REQUEST_ACCEPT_MULTISHOT) {
		accept_many(loop, s, lane, request);
		return;
	}
	loop->stats.requests++;
	result = request->bufs != NULL ? soqi_buf_try(request, &buf) : soqi_try(request);
	if (soqi_unlikely(result == -EAGAIN) && is_at_its_end(s, request))
		result = 0;
	if (result == -EAGAIN && !(request->message_flags & MSG_DONTWAIT)) {
		s->backend_bits |= blocked;
		park(loop, s, lane, request);
		return;
	}
	loop->stats.completions++;
	if (leaves_blocked(s, request, result))
		s->backend_bits |= blocked;
	soqi_finish_buf(loop, request->token, result, false, buf);
}

/* A parked request is nowhere but here, so it always ends at once. */
static void epoll_cancel(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	soqi_finish(loop, soqi_token(s->slot, lane), -ECANCELED, false);
}

static void epoll_detach(struct soq_loop *loop, struct soq_socket *s)
{
	struct soqi_epoll *impl = loop->impl;

	/* Without it a descriptor shared with a child process would stay registered. */
	if (s->backend_bits & SOQI_EPOLL_REGISTERED)
		(void)epoll_ctl(impl->fd, EPOLL_CTL_DEL, s->fd, NULL);
	s->backend_bits = 0;
}

static bool epoll_push(struct soq_loop *loop)
{
	(void)loop;
	return true;
}

void soqi_epoll_event(struct soq_loop *loop, struct soq_socket *s, uint32_t events)
{
	uint32_t ready = 0;

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		s->backend_bits |= SOQI_EPOLL_HUP;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		ready |= SOQI_EPOLL_BLOCKED_RECV;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		ready |= SOQI_EPOLL_BLOCKED_SEND;
	s->backend_bits &= ~ready;
	for (unsigned i = 0; i < 2; i++)
		if (s->lane[i].in_kernel && (ready & soqi_epoll_blocked(&s->lane[i])))
			soqi_again(loop, &s->lane[i]);
	if (s->watch != NULL && s->watch->lane.in_kernel)
		soqi_again(loop, &s->watch->lane);
}

static int wait_coarse(struct soqi_epoll *impl, int64_t left_ns)
{
	const int64_t ns_per_ms = SOQI_NS_PER_S / 1000;
	int64_t left_ms = (left_ns + ns_per_ms - 1) / ns_per_ms;

	if (left_ns < 0)
		left_ms = -1;
	else if (left_ms > INT32_MAX)
		left_ms = INT32_MAX;
	return epoll_wait(impl->fd, impl->events, EVENTS_MAX, (int)left_ms);
}

/* As epoll_wait(2), with `left_ns` to wait, negative for ever. */
static int wait_ns(struct soqi_epoll *impl, int64_t left_ns)
{
	struct timespec left = soqi_timespec(left_ns < 0 ? 0 : left_ns);
	int count;

	/* Whole milliseconds and "for ever" need no finer call. */
	if (left_ns <= 0 || impl->coarse)
		return wait_coarse(impl, left_ns);
	count = epoll_pwait2(impl->fd, impl->events, EVENTS_MAX, &left, NULL);
	if (count < 0 && errno == ENOSYS) {
		/* Until Linux 5.11 is the minimum: epoll_pwait2 is missing. */
		impl->coarse = true;
		return wait_coarse(impl, left_ns);
	}
	return count;
}

static int64_t left_until(int64_t until_ns)
{
	int64_t left_ns;

	if (until_ns == SOQI_FOREVER)
		return -1;
	if (until_ns == SOQI_NOW)
		return 0;
	left_ns = until_ns - soqi_now_ns();
	return left_ns > 0 ? left_ns : 0;
}

static int epoll_wait_backend(struct soq_loop *loop, int64_t until_ns)
{
	struct soqi_epoll *impl = loop->impl;
	int count = wait_ns(impl, left_until(until_ns));

	loop->stats.waits++;
	loop->segments_used = 0;
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		uint64_t mark = impl->events[i].data.u64;
		struct soq_socket *s;

		if (mark == WAKE_MARK) {
			soqi_woken(loop);
			continue;
		}
		s = soqi_slot_find(loop, (uint32_t)mark);
		if (s != NULL && s->state != SOQI_SOCKET_FREE && mark_of(s) == mark)
			soqi_epoll_event(loop, s, impl->events[i].events);
		else
			loop->stats.stale_completions++;
	}
	return 0;
}

/* Bufs are taken here, at read time: there is nothing to tell the kernel. */
static int epoll_pool_add(struct soq_loop *loop, struct soq_pool *pool)
{
	(void)loop;
	(void)pool;
	return -ECANCELED;
}

static void epoll_pool_remove(struct soq_loop *loop, struct soq_pool *pool)
{
	(void)loop;
	(void)pool;
}

static int epoll_fd(struct soq_loop *loop)
{
	const struct soqi_epoll *impl = loop->impl;

	return impl->fd;
}

const struct soqi_backend soqi_backend_epoll = {
	.id = SOQ_BACKEND_EPOLL,
	.socket_flags = SOCK_NONBLOCK,
	.immediate = true,
	.create = epoll_create_backend,
	.destroy = epoll_destroy,
	.own = epoll_own,
	.inherit = epoll_own,
	.submit = epoll_submit,
	.cancel = epoll_cancel,
	.detach = epoll_detach,
	.push = epoll_push,
	.wait = epoll_wait_backend,
	.fd = epoll_fd,
	.pool_add = epoll_pool_add,
	.pool_remove = epoll_pool_remove,
};
