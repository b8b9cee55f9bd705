/* SPDX-License-Identifier: MIT */
/* Connecting, and what waits behind a connect. */
#include "detached.h"
#include "endpoint.h"
#include "policed.h"
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

/* Of one connect: a router answers each of its few packets once. */
#define REPORTS_MAX 64u

static void fail_lane(struct soq_loop *loop, struct soq_socket *s, enum soqi_lane_index index,
		      int error)
{
	struct soqi_ops ended = { NULL, NULL };

	soqi_lane_fail(&s->lane[index], error, &ended);
	soqi_ops_end(loop, s, &ended);
}

/* A datagram socket goes on: with the peer it had, its receives, and the sends before. */
static void datagram_failed(struct soq_socket *s, struct soq_op *behind, int error)
{
	struct soqi_ops ended = { NULL, NULL };

	s->phase = s->was_connected ? SOQI_PHASE_CONNECTED : SOQI_PHASE_FRESH;
	/* A shutdown queued behind it never happened. */
	s->shut_send = s->was_shut;
	soqi_lane_fail_from(&s->lane[SOQI_LANE_SEND], behind, error, &ended);
	soqi_ops_end(s->loop, s, &ended);
}

void soqi_connect_failed(struct soq_socket *s, struct soq_op *behind, int error, bool cut)
{
	if (!soqi_is_connection(s)) {
		datagram_failed(s, behind, error);
		return;
	}
	/* The kernel's socket may stay half open after a cut: connect(2) would say EALREADY. */
	s->phase = cut ? SOQI_PHASE_CUT : SOQI_PHASE_FRESH;
	/* A shutdown queued behind it never happened, and a finish has nothing to finish. */
	s->shut_send = false;
	if (s->finish != SOQI_FINISH_NONE) {
		s->finish = SOQI_FINISH_NONE;
		s->close_op->priv.result = error;
		soqi_timer_disarm(&s->loop->timers, s->close_op);
	}
	fail_lane(s->loop, s, SOQI_LANE_SEND, error);
	fail_lane(s->loop, s, SOQI_LANE_RECV, error);
}

/*
 * The ring takes a POLLERR without a socket error for the end of a TCP connect: 0, though
 * what came is a report, of an ICMP message that arrived within connect(2), and the first
 * packet is still to be answered (seen on 6.18). connect(2) knows, asked again.
 */
static bool is_doubtful(const struct soq_socket *s)
{
	struct pollfd fd = { .fd = s->fd };

	return (s->family == AF_INET || s->family == AF_INET6) && soqi_is_connection(s) &&
	       !s->loop->backend->immediate && poll(&fd, 1, 0) > 0 && (fd.revents & POLLERR);
}

void soqi_connect_reports_drop(int fd)
{
	struct msghdr report = { 0 };
	unsigned max = REPORTS_MAX;

	while (max-- > 0 && recvmsg(fd, &report, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
		report = (struct msghdr){ 0 };
}

void soqi_connect_settle(struct soq_loop *loop, struct soq_socket *s, struct soqi_ops *ended)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_SEND];
	int cause = lane->queue.first->priv.cause;
	bool polled = lane->polls;
	int32_t result = polled && lane->result > 0 ? -EAGAIN : lane->result;

	lane->polls = false;
	if (soqi_unlikely(result == 0 && !soqi_is_fast(lane->queue.first) && is_doubtful(s))) {
		lane->queue.first->priv.segment_count = SOQI_FAST_LEFT;
		lane->queue.first->priv.segment_offset = 0;
		result = -EAGAIN;
	}
	if (cause == 0 && (result == -EAGAIN || result == -EINTR)) {
		/* The answer to a first packet is waited for by a poll, then asked for. */
		lane->polls = !polled && soqi_is_fast(lane->queue.first);
		soqi_lane_settle(lane, -EAGAIN, ended);
		if (soqi_connect_is_local(s))
			soqi_backoff(loop, lane, SOQI_UNIX_BACKOFF_NS);
		return;
	}
	if (result == 0) {
		s->phase = SOQI_PHASE_CONNECTED;
		soqi_connect_data_go(loop, lane, ended);
		soqi_lane_dirty(loop, &s->lane[SOQI_LANE_RECV]);
		return;
	}
	if (cause != 0)
		result = cause;
	soqi_lane_settle(lane, result, ended);
	soqi_ops_end(loop, s, ended);
	soqi_connect_failed(s, lane->queue.first, result, cause != 0);
}

bool soqi_connect_is_local(const struct soq_socket *s)
{
	return s->family == AF_UNIX && soqi_is_connection(s);
}

/*
 * It only ever waits for room in the listener's queue, and tells nobody when there
 * is some: a poll calls the socket writable at once, and the ring gives it to a
 * worker thread that cannot be cancelled. So it must not wait.
 */
int soqi_connect_local(const struct soq_socket *s, const struct soq_endpoint *ep)
{
	int flags = fcntl(s->fd, F_GETFL);
	int result;

	if (!(flags & O_NONBLOCK))
		(void)fcntl(s->fd, F_SETFL, flags | O_NONBLOCK);
	result = connect(s->fd, &ep->addr.any, soqi_endpoint_kernel_size(ep)) == 0 ? 0 : -errno;
	if (!(flags & O_NONBLOCK))
		(void)fcntl(s->fd, F_SETFL, flags);
	return result;
}

int soqi_connect_check(const struct soq_socket *s, const struct soq_endpoint *ep)
{
	int error;

	if (s->phase == SOQI_PHASE_LISTENING)
		return -EINVAL;
	error = soqi_endpoint_check(s, ep);
	if (error != 0)
		return error;
	if (s->phase == SOQI_PHASE_CONNECTED)
		return soqi_is_connection(s) ? -EISCONN : 0;
	return s->phase == SOQI_PHASE_FRESH ? 0 : -EALREADY;
}

static void connect_start(struct soq_socket *s, struct soq_op *op, const struct soq_endpoint *ep,
			  uint32_t flags)
{
	op->priv.length = 0;
	op->priv.segment_count = SOQI_FAST_NONE;
	soqi_op_start(s->loop, s, op, SOQI_KIND_CONNECT, flags);
	op->priv.address = NULL;
	soqi_connect_begin(s, op, ep);
}

void soqi_connect_begin(struct soq_socket *s, struct soq_op *op, const struct soq_endpoint *ep)
{
	op->priv.socket = s;
	op->priv.data = ep;
	if (soqi_unlikely(s->loop->policy != NULL))
		op->priv.data = soqi_policed_keep(s->loop, ep);
	soqi_op_start_lane(s, &s->lane[SOQI_LANE_SEND], op);
	/* A disconnect may be before it, which has not had its turn. */
	if (s->phase != SOQI_PHASE_FRESH)
		s->was_connected = s->phase == SOQI_PHASE_CONNECTED;
	s->was_shut = s->shut_send;
	s->phase = SOQI_PHASE_CONNECTING;
	s->loop->stats.connects_in_flight++;
	SOQI_PROBE_START(connect, s, op, s->fd, (const void *)&ep->addr);
	if (soqi_unlikely(s->loop->traces))
		soqi_trace_start(s->loop, SOQ_TRACE_CONNECT, s, op, 0);
}

void soqi_connect_ended(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
			int64_t result)
{
	loop->stats.connects_in_flight--;
	if (result == 0)
		loop->stats.connects++;
	else
		loop->stats.connects_failed++;
	SOQI_PROBE_END(connect_stop, s, op, result);
	if (soqi_unlikely(loop->traces))
		soqi_trace_stop(loop, SOQ_TRACE_CONNECT, s, op, result);
	if (soqi_unlikely(loop->policy != NULL)) {
		soqi_policed_leave(loop, op->priv.data);
		op->priv.data = NULL;
	}
}

int soq_connect_async(struct soq_socket *s, struct soq_op *op, const struct soq_endpoint *ep)
{
	int error;

	if (ep == NULL)
		return -EINVAL;
	error = soqi_start_check(s, op);
	if (error == 0)
		error = soqi_connect_check(s, ep);
	if (error == 0)
		connect_start(s, op, ep, 0);
	return error;
}

int soq_connect(struct soq_socket *s, const struct soq_endpoint *ep)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;

	if (ep == NULL)
		return -EINVAL;
	if (soqi_is_detached(s))
		return soqi_detached_connect(s, ep, NULL, NULL);
	error = soqi_start_check(s, &op);
	if (error == 0)
		error = soqi_connect_check(s, ep);
	if (error == 0)
		error = soqi_sync_begin(s, SOQI_LANE_SEND, &op);
	if (error != 0)
		return error;
	connect_start(s, &op, ep, SOQI_OP_SYNC);
	return (int)soqi_sync_end(s, SOQI_LANE_SEND, &op, &event);
}
