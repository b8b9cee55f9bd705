/* SPDX-License-Identifier: MIT */
/*
 * Lanes into requests. They are made late, just before the turn's one wait: so the
 * sends of a turn become one call, what is cancelled before never meets the kernel,
 * and both backends fail at the same points.
 */
#include "batch.h"
#include "endpoint.h"
#include "parts.h"
#include "policed.h"
#include "pool.h"
#include "relay.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

/*
 * Rounds of an immediate backend in one turn: the budget of a busy socket before
 * the others, timers and posts get a look in.
 */
#define ROUNDS 32u

void soqi_lane_clean(struct soq_loop *loop, struct soqi_lane *lane)
{
	if (!lane->dirty)
		return;
	lane->dirty = false;
	if (lane->prev_dirty != NULL)
		lane->prev_dirty->next_dirty = lane->next_dirty;
	else
		loop->dirty_first = lane->next_dirty;
	if (lane->next_dirty != NULL)
		lane->next_dirty->prev_dirty = lane->prev_dirty;
	else
		loop->dirty_last = lane->prev_dirty;
	loop->dirty_count--;
}

/* Room for one request's segments, or NULL: then one segment has to do. */
static struct iovec *segments_room(struct soq_loop *loop)
{
	if (loop->segments_used + SOQI_REQUEST_SEGMENTS > SOQI_SEGMENTS) {
		loop->stats.queue_full++;
		if (!loop->backend->push(loop))
			return NULL;
		loop->segments_used = 0;
	}
	return loop->segments + loop->segments_used;
}

/* Adds what is left of `op`, as far as it fits; returns the number of segments. */
static unsigned segments_of_op(const struct soq_op *op, struct iovec *to, unsigned max)
{
	const struct iovec *from = op->priv.data;
	uint64_t skip = op->priv.moved;
	unsigned count = 0;

	if (!(op->priv.flags & SOQI_OP_VECTOR)) {
		to->iov_base = (char *)(uintptr_t)op->priv.data + skip;
		to->iov_len = (size_t)(op->priv.length - skip);
		return 1;
	}
	skip -= op->priv.segment_offset;
	for (uint32_t i = op->priv.segment; i < op->priv.segment_count && count < max; i++) {
		if (from[i].iov_len <= skip) {
			skip -= from[i].iov_len;
			continue;
		}
		to[count].iov_base = (char *)from[i].iov_base + skip;
		to[count].iov_len = from[i].iov_len - (size_t)skip;
		skip = 0;
		count++;
	}
	return count;
}

/*
 * Long arrays are sent in many requests: remembers the segment that `moved` has
 * reached, so that finding it again is not quadratic.
 */
static void segment_advance(struct soq_op *op)
{
	const struct iovec *from = op->priv.data;

	if (!(op->priv.flags & SOQI_OP_VECTOR))
		return;
	while (op->priv.segment < op->priv.segment_count &&
	       op->priv.segment_offset + from[op->priv.segment].iov_len <= op->priv.moved) {
		op->priv.segment_offset += from[op->priv.segment].iov_len;
		op->priv.segment++;
	}
}

static void cap_bytes(struct soqi_request *request, uint64_t left)
{
	for (uint32_t i = 0; i < request->segment_count; i++) {
		if (request->segments[i].iov_len > left) {
			request->segments[i].iov_len = (size_t)left;
			request->cut = left > 0;
			request->segment_count = i + (left > 0 ? 1 : 0);
			return;
		}
		left -= request->segments[i].iov_len;
	}
}

/* The usual case: one op with one buffer. */
static void fill_one(const struct soq_op *op, struct iovec *one, struct soqi_request *request)
{
	request->segment_count = segments_of_op(op, one, 1);
	if (one->iov_len > SOQI_REQUEST_BYTES)
		one->iov_len = SOQI_REQUEST_BYTES;
	if (op->priv.kind == SOQI_KIND_SEND && (op->priv.flags & SOQ_CORK))
		request->message_flags |= MSG_MORE;
}

/* One or more ops, as far as they fit `max` segments. */
static void fill_many(struct soqi_lane *lane, unsigned max, struct soqi_request *request)
{
	struct soq_op *op = lane->queue.first;

	segment_advance(op);
	for (unsigned i = 0; i < lane->taken; i++, op = op->priv.next) {
		if (request->segment_count == max) {
			lane->taken = (uint8_t)i;
			break;
		}
		request->segment_count += segments_of_op(op,
							 request->segments + request->segment_count,
							 max - request->segment_count);
		if (op->priv.kind == SOQI_KIND_SEND && (op->priv.flags & SOQ_CORK))
			request->message_flags |= MSG_MORE;
		else
			request->message_flags &= ~MSG_MORE;
	}
	cap_bytes(request, SOQI_REQUEST_BYTES);
}

/* A message is one op's, as it is. */
static void fill_message(const struct soq_socket *s, struct soq_op *op,
			 struct soqi_request *request)
{
	bool receives = op->priv.kind == SOQI_KIND_RECV;

	soqi_message_fill(s, op, receives);
	request->segments = op->priv.header.msg_iov;
	request->segment_count = (uint32_t)op->priv.header.msg_iovlen;
	if (receives || op->priv.address != NULL || (op->priv.flags & SOQI_OP_VECTOR))
		request->header = &op->priv.header;
}

static void fill_memory(const struct soq_socket *s, struct soqi_lane *lane, unsigned max,
			struct soqi_request *request)
{
	struct soq_op *op = lane->queue.first;

	request->lent = true;
	if (lane->whole)
		fill_message(s, op, request);
	else if (lane->taken == 1 && !(op->priv.flags & SOQI_OP_VECTOR))
		fill_one(op, request->segments, request);
	else
		fill_many(lane, max, request);
}

/*
 * The kernel takes the last byte of each call for the urgent one. TCP does so at whatever
 * it has taken when it runs out of room, and the peer's stream would lose a byte there: so
 * that byte is a request of its own.
 */
static void fill_urgent(const struct soq_socket *s, const struct soq_op *op,
			struct soqi_request *request)
{
	uint64_t left = op->priv.length - op->priv.moved;
	uint64_t bytes = 0;

	if (soqi_is_tcp(s) && left > 1)
		cap_bytes(request, left - 1);
	for (uint32_t i = 0; i < request->segment_count; i++)
		bytes += request->segments[i].iov_len;
	if (bytes == left)
		request->message_flags |= MSG_OOB;
}

void soqi_request_fill(const struct soq_socket *s, struct soqi_lane *lane, struct iovec *room,
		       unsigned max, struct soqi_request *request)
{
	struct soq_op *op = lane->queue.first;
	const struct soq_endpoint *ep = op->priv.data;

	request->fd = s->fd;
	request->segments = room;
	switch (op->priv.kind) {
	case SOQI_KIND_SEND:
		request->kind = SOQI_REQUEST_SEND;
		request->message_flags = MSG_NOSIGNAL | soqi_send_route(op);
		fill_memory(s, lane, max, request);
		if (soqi_unlikely(op->priv.flags & SOQ_URGENT))
			fill_urgent(s, op, request);
		break;
	case SOQI_KIND_RECV:
	case SOQI_KIND_FIRST:
		request->kind = SOQI_REQUEST_RECV;
		request->message_flags = (op->priv.flags & SOQ_PEEK) ? MSG_PEEK : 0;
		fill_memory(s, lane, max, request);
		break;
	case SOQI_KIND_DRAIN:
		request->kind = SOQI_REQUEST_RECV;
		room->iov_base = s->loop->discard;
		room->iov_len = SOQI_DISCARD_BYTES;
		request->segment_count = 1;
		break;
	case SOQI_KIND_ACCEPT:
		request->kind = (op->priv.flags & SOQ_MULTISHOT) ? SOQI_REQUEST_ACCEPT_MULTISHOT
								 : SOQI_REQUEST_ACCEPT;
		break;
	default:
		assert(op->priv.kind == SOQI_KIND_CONNECT);
		request->kind = SOQI_REQUEST_CONNECT;
		request->addr = &ep->addr.any;
		request->addr_size_bytes = soqi_endpoint_kernel_size(ep);
		break;
	}
}

bool soqi_send_must_not_wait(const struct soq_socket *s, const struct soqi_lane *lane)
{
	return s->family == AF_UNIX && s->type == SOCK_DGRAM &&
	       lane->queue.first->priv.kind == SOQI_KIND_SEND;
}

bool soqi_waits_by_poll(const struct soq_socket *s, const struct soqi_lane *lane)
{
	return soqi_send_must_not_wait(s, lane) || soqi_batch_serves(s, lane->queue.first) ||
	       lane->queue.first->priv.kind == SOQI_KIND_RECV_BUF ||
	       soqi_is_fast(lane->queue.first) || soqi_is_relay(lane);
}

/* Whether the head of a lane needs more than one segment. */
static bool needs_room(const struct soqi_lane *lane)
{
	const struct soq_op *op = lane->queue.first;

	if (lane->whole || (op->priv.kind != SOQI_KIND_SEND && op->priv.kind != SOQI_KIND_RECV))
		return false;
	return lane->taken > 1 || (op->priv.flags & SOQI_OP_VECTOR);
}

static void hand_over(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
		      struct soqi_request *request)
{
	request->token = soqi_token(s->slot, lane);
	lane->in_kernel = true;
	loop->in_kernel++;
	if (soqi_unlikely(loop->dead != 0))
		soqi_finish(loop, request->token, loop->dead, false);
	else
		loop->backend->submit(loop, s, lane, request);
}

/* Waits for room (of a unix datagram: with its peer), or bytes; then it is tried anew. */
static void submit_poll(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	bool receives = lane->index == SOQI_LANE_RECV;
	struct soqi_request request = {
		.kind = SOQI_REQUEST_POLL,
		.fd = s->fd,
		.poll_events = receives ? POLLIN | POLLRDHUP : POLLOUT,
	};

	hand_over(loop, s, lane, &request);
}

/*
 * The size of a send that is lazy, or 0. The turn may sleep before it knows how it
 * ended if everybody in it has agreed to that, nobody takes an event by hand, and
 * nothing waits for its end: no send behind it, no rest of its own, no close. After one
 * that did not end well the next waits in the kernel for room.
 */
static int32_t lazy_bytes(const struct soq_loop *loop, const struct soq_socket *s,
			  const struct soqi_lane *lane, const struct soqi_request *request)
{
	const struct soq_op *op = lane->queue.first;
	uint64_t left = 0;
	uint64_t bytes = 0;

	if (soqi_likely(!(op->priv.flags & SOQ_LAZY)))
		return 0;
	/* A zero-copy request is never silent: it has two completions, or an error. */
	if (request->zerocopy != NULL)
		return 0;
	if (loop->impatient > 0 || s->state != SOQI_SOCKET_OPEN || lane->lazy)
		return 0;
	for (unsigned i = 0; i < lane->taken; i++, op = op->priv.next) {
		if (!(op->priv.flags & SOQ_LAZY) || op->done == NULL)
			return 0;
		left += op->priv.length - op->priv.moved;
	}
	for (uint32_t i = 0; i < request->segment_count; i++)
		bytes += request->segments[i].iov_len;
	return op == NULL && left == bytes ? (int32_t)bytes : 0;
}

static void submit(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	struct soqi_request request = { .token = 0 };
	struct iovec one;
	struct iovec *room = NULL;

	if (lane->queue.first->priv.kind == SOQI_KIND_RECV_BUF) {
		if (soqi_receive_request(loop, s, lane, &request))
			hand_over(loop, s, lane, &request);
		return;
	}
	if (needs_room(lane)) {
		room = segments_room(loop);
		if (room == NULL)
			lane->taken = 1;
	}
	if (room == NULL) {
		soqi_request_fill(s, lane, &one, 1, &request);
	} else {
		soqi_request_fill(s, lane, room, SOQI_REQUEST_SEGMENTS, &request);
		loop->segments_used += request.segment_count;
	}
	if (soqi_unlikely(soqi_send_must_not_wait(s, lane)))
		request.message_flags |= MSG_DONTWAIT;
	if (soqi_unlikely(lane->queue.first->priv.flags & SOQ_ZEROCOPY))
		request.zerocopy = soqi_zerocopy_next(s, lane);
	request.lazy_bytes = lazy_bytes(loop, s, lane, &request);
	lane->lazy = request.lazy_bytes > 0;
	hand_over(loop, s, lane, &request);
}

/* Flags of ops that go the long way. */
#define NOT_PLAIN (SOQI_OP_VECTOR | SOQI_OP_BATCH | SOQ_ZEROCOPY | SOQ_URGENT | SOQ_DONT_ROUTE)

/* One op's one buffer, of a stream: what most requests are for. */
static bool is_plain(const struct soq_socket *s, const struct soqi_lane *lane)
{
	const struct soq_op *op = lane->queue.first;
	uint64_t left;

	if (op == NULL || lane->whole || lane->polls || (op->priv.flags & NOT_PLAIN) != 0)
		return false;
	left = op->priv.length - op->priv.moved;
	if (left == 0 || left > SOQI_REQUEST_BYTES)
		return false;
	/* Receives wait for a connect, and for bufs of those before them; sends are gathered. */
	if (lane->index == SOQI_LANE_RECV)
		return op->priv.kind == SOQI_KIND_RECV && s->phase != SOQI_PHASE_CONNECTING &&
		       s->carried_count == 0;
	return op->priv.kind == SOQI_KIND_SEND && op->priv.next == NULL;
}

static int plain_flags(const struct soq_op *op)
{
	if (op->priv.kind == SOQI_KIND_RECV)
		return (op->priv.flags & SOQ_PEEK) ? MSG_PEEK : 0;
	return MSG_NOSIGNAL | ((op->priv.flags & SOQ_CORK) ? MSG_MORE : 0);
}

/* What soqi_lane_take() and soqi_request_fill() would make of it. */
static void submit_plain(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	const struct soq_op *op = lane->queue.first;
	struct iovec one = { (char *)(uintptr_t)op->priv.data + op->priv.moved,
			     (size_t)(op->priv.length - op->priv.moved) };
	struct soqi_request request = {
		.kind = op->priv.kind == SOQI_KIND_RECV ? SOQI_REQUEST_RECV : SOQI_REQUEST_SEND,
		.fd = s->fd,
		.message_flags = plain_flags(op),
		.segment_count = 1,
		.lent = true,
		.segments = &one,
	};

	lane->taken = 1;
	lane->generation++;
	lane->cancel_wanted = false;
	lane->cancel_sent = false;
	if (op->priv.flags & SOQ_LAZY)
		request.lazy_bytes = lazy_bytes(loop, s, lane, &request);
	lane->lazy = request.lazy_bytes > 0;
	hand_over(loop, s, lane, &request);
}

/* A policy is asked when a connect has its turn, each time. */
static bool is_refused(const struct soq_socket *s, struct soqi_lane *lane)
{
	const struct soq_op *op = lane->queue.first;

	if (op->priv.kind != SOQI_KIND_CONNECT)
		return false;
	lane->result = soqi_policed_connect(s, op);
	return lane->result != 0;
}

/*
 * What never waits, so that no backend needs to know of it: shutdown(2), batches, parts, and a
 * unix connect, which does wait where it may not (in the ring a worker thread would).
 */
static bool done_at_once(struct soq_socket *s, struct soqi_lane *lane)
{
	struct soq_op *op = lane->queue.first;

	if (soqi_unlikely(s->loop->policy != NULL) && is_refused(s, lane)) {
		soqi_settled_push(s->loop, lane);
		return true;
	}
	if (op->priv.kind == SOQI_KIND_SHUTDOWN)
		lane->result = soqi_shutdown_now(s, (int)op->priv.length);
	else if (op->priv.kind == SOQI_KIND_DISCONNECT)
		lane->result = soqi_disconnect_now(s, (uint32_t)op->priv.length);
	else if (op->priv.kind == SOQI_KIND_CONNECT && soqi_connect_is_local(s) &&
		 s->loop->dead == 0)
		lane->result = soqi_connect_local(s, op->priv.data);
	else if (soqi_is_fast(op) && s->loop->dead == 0)
		lane->result = soqi_fast_step(s, op);
	else if (soqi_batch_serves(s, op))
		lane->result = soqi_is_parts(op) ? soqi_parts_serve(s, lane)
						 : soqi_batch_serve(s, lane);
	else
		return false;
	/* No fast open here: a request as ever. */
	if (op->priv.kind == SOQI_KIND_CONNECT && lane->result == -EOPNOTSUPP && soqi_is_fast(op)) {
		op->priv.segment_count = SOQI_FAST_NONE;
		return false;
	}
	soqi_settled_push(s->loop, lane);
	return true;
}

/* Whether the lane has to wait for something of its socket. */
static bool must_wait(const struct soq_socket *s, const struct soqi_lane *lane)
{
	if (lane->index == SOQI_LANE_SEND)
		return soqi_unlikely(s->state == SOQI_SOCKET_BUSY) && soqi_disconnect_waits(s);
	return (s->phase == SOQI_PHASE_CONNECTING && soqi_is_connection(s)) ||
	       soqi_accept_is_full(lane);
}

static void cancel_request(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	if (!lane->cancel_wanted || lane->cancel_sent)
		return;
	lane->cancel_sent = true;
	loop->backend->cancel(loop, s, lane);
}

/* Looks at one dirty lane: cancels its request, or makes the next. */
static void serve(struct soq_loop *loop, struct soqi_lane *lane)
{
	struct soq_socket *s = soqi_lane_socket(lane);
	struct soqi_ops ended = { NULL, NULL };

	if (soqi_unlikely(lane->index == SOQI_LANE_WATCH)) {
		soqi_watch_serve(loop, lane);
		return;
	}
	if (lane->in_kernel) {
		soqi_receive_pause(s, lane);
		cancel_request(loop, s, lane);
		return;
	}
	if (soqi_unlikely(lane->settled || lane->held || lane->starved))
		return;
	if (soqi_likely(is_plain(s, lane))) {
		submit_plain(loop, s, lane);
		return;
	}
	if (must_wait(s, lane) || !soqi_receive_may_go(loop, s, lane))
		return;
	if (soqi_unlikely(soqi_is_relay(lane)) && !soqi_relay_go(loop, lane)) {
		soqi_close_step(s);
		return;
	}
	if (lane->whole && lane->index == SOQI_LANE_SEND && lane->queue.first != NULL)
		soqi_datagrams_send(loop, s, lane);
	soqi_lane_take(lane, SOQI_REQUEST_SEGMENTS, SOQI_REQUEST_BYTES, &ended);
	soqi_ops_end(loop, s, &ended);
	if (lane->taken == 0) {
		soqi_close_step(s);
		return;
	}
	/* What waited for it may have been cancelled since. */
	if (soqi_unlikely(lane->polls) && !soqi_waits_by_poll(s, lane))
		lane->polls = false;
	lane->generation++;
	lane->cancel_wanted = false;
	lane->cancel_sent = false;
	if (soqi_unlikely(lane->polls))
		submit_poll(loop, s, lane);
	else if (!done_at_once(s, lane))
		submit(loop, s, lane);
}

void soqi_flush(struct soq_loop *loop)
{
	unsigned rounds = loop->backend->immediate ? ROUNDS : 1;

	for (unsigned i = 0; i < rounds && loop->dirty_count > 0; i++) {
		/* What gets dirty meanwhile goes to the end, and to the next round. */
		for (unsigned n = loop->dirty_count; n > 0 && loop->dirty_count > 0; n--) {
			struct soqi_lane *lane = loop->dirty_first;

			soqi_lane_clean(loop, lane);
			/* The first round is the turn's; in the others what is spent waits. */
			if (soqi_unlikely(lane->spent)) {
				if (i > 0 && loop->dead == 0) {
					soqi_lane_dirty(loop, lane);
					continue;
				}
				lane->spent = false;
			}
			serve(loop, lane);
		}
		soqi_settle(loop);
	}
}
