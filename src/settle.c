/* SPDX-License-Identifier: MIT */
/*
 * Results back into lanes. They are noted as they come and settled afterwards, so
 * that no verdict depends on which of two lanes came back first.
 */
#include "batch.h"
#include "count.h"
#include "pool.h"
#include "relay.h"
#include "trace.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

static struct soqi_lane *lane_of_token(struct soq_loop *loop, uint64_t token)
{
	struct soq_socket *s = soqi_slot_find(loop, (uint32_t)token);
	struct soqi_lane *lane;
	unsigned index = (token >> 32) & 3;

	if (s == NULL)
		return NULL;
	if (soqi_likely(index < SOQI_LANE_WATCH))
		lane = &s->lane[index];
	else if (s->watch != NULL)
		lane = &s->watch->lane;
	else
		return NULL;
	if (!lane->in_kernel || (token & SOQI_TOKEN_MASK) != soqi_token(s->slot, lane))
		return NULL;
	return lane;
}

void soqi_settled_push(struct soq_loop *loop, struct soqi_lane *lane)
{
	assert(!lane->settled && !lane->starved);
	lane->settled = true;
	lane->next_settled = NULL;
	if (loop->settled_last != NULL)
		loop->settled_last->next_settled = lane;
	else
		loop->settled_first = lane;
	loop->settled_last = lane;
}

/* What a multishot request brings while it goes on. */
static void arrived(struct soq_loop *loop, struct soqi_lane *lane, int32_t result,
		    struct soq_buf *buf)
{
	struct soq_op *op = lane->queue.first;

	if (op->priv.kind == SOQI_KIND_RECV_BUF)
		soqi_receive_arrived(loop, soqi_lane_socket(lane), op, buf, result);
	else
		soqi_accept_arrived(loop, soqi_lane_socket(lane), op, result);
}

/* The end of a request. */
static void came_back(struct soq_loop *loop, struct soqi_lane *lane, int32_t result)
{
	if (soqi_unlikely(result < 0) && lane->index != SOQI_LANE_WATCH)
		soqi_judge_note(soqi_lane_socket(lane), result);
	lane->in_kernel = false;
	loop->in_kernel--;
	lane->result = result;
	soqi_settled_push(loop, lane);
}

void soqi_finish(struct soq_loop *loop, uint64_t token, int32_t result, bool more)
{
	struct soqi_lane *lane = lane_of_token(loop, token);

	if (soqi_unlikely(lane == NULL))
		loop->stats.stale_completions++;
	else if (soqi_unlikely(more))
		arrived(loop, lane, result, NULL);
	else
		came_back(loop, lane, result);
}

void soqi_finish_buf(struct soq_loop *loop, uint64_t token, int32_t result, bool more,
		     struct soq_buf *buf)
{
	struct soqi_lane *lane = lane_of_token(loop, token);

	if (lane == NULL)
		loop->stats.stale_completions++;
	/* A buf for whoever has not asked for one. */
	if (buf != NULL && (lane == NULL || lane->polls || !soqi_is_receive(lane))) {
		soqi_buf_home(buf);
		buf = NULL;
	}
	if (lane == NULL)
		return;
	if (more) {
		arrived(loop, lane, result, buf);
		return;
	}
	if (buf != NULL)
		lane->queue.first->priv.address = buf;
	came_back(loop, lane, result);
}

/*
 * First of all to be settled: it was over before anything came that the turn has slept
 * for, and a program that answers a request likes to know its last answer gone.
 */
void soqi_finish_silent(struct soq_loop *loop, uint64_t token, int32_t result)
{
	struct soqi_lane *lane = lane_of_token(loop, token);

	if (lane == NULL)
		return;
	assert(lane->lazy && !lane->settled);
	lane->lazy = false;
	lane->in_kernel = false;
	loop->in_kernel--;
	lane->result = result;
	lane->settled = true;
	lane->next_settled = loop->settled_first;
	loop->settled_first = lane;
	if (loop->settled_last == NULL)
		loop->settled_last = lane;
}

void soqi_again(struct soq_loop *loop, struct soqi_lane *lane)
{
	assert(lane->in_kernel);
	lane->in_kernel = false;
	loop->in_kernel--;
	lane->result = -EAGAIN;
	soqi_settled_push(loop, lane);
}

void soqi_cancel_missed(struct soq_loop *loop, uint64_t token)
{
	struct soqi_lane *lane = lane_of_token(loop, token);

	if (lane == NULL)
		return;
	lane->cancel_sent = false;
	soqi_lane_dirty(loop, lane);
}

void soqi_loop_fail_requests(struct soq_loop *loop, int error)
{
	for (uint32_t slot = 0; slot < loop->slot_count; slot++) {
		struct soq_socket *s = soqi_slot_find(loop, slot);

		for (unsigned i = 0; i < 2; i++)
			if (s->lane[i].in_kernel)
				soqi_finish(loop, soqi_token(slot, &s->lane[i]), error, false);
		if (s->watch != NULL && s->watch->lane.in_kernel)
			soqi_finish(loop, soqi_token(slot, &s->watch->lane), error, false);
	}
}

/*
 * What may not wait in the kernel would have to. A poll tells of bytes, and of room with
 * the peer; nobody tells of room with another.
 */
static void wait_by_poll(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	if (lane->queue.first == NULL || !soqi_waits_by_poll(s, lane))
		return;
	if (soqi_send_is_unwatched(s, lane->queue.first))
		soqi_backoff(loop, lane, SOQI_UNIX_BACKOFF_NS);
	else
		lane->polls = true;
}

/*
 * Where the receive side is shut the kernel says -EAGAIN for ever, and a poll never waits:
 * when nothing is left to read that is the end. -EAGAIN: there is, or an error.
 */
static int32_t shut_says(const struct soq_socket *s)
{
	if (soqi_is_connection(s) || recv(s->fd, NULL, 0, MSG_PEEK | MSG_DONTWAIT) >= 0)
		return -EAGAIN;
	return errno == EAGAIN ? 0 : -errno;
}

static void settle_poll(struct soq_socket *s, struct soqi_lane *lane, struct soqi_ops *ended)
{
	int32_t result = lane->result > 0 ? -EAGAIN : lane->result;

	lane->polls = false;
	if (lane->result > 0 && (lane->result & POLLRDHUP) && lane->index == SOQI_LANE_RECV &&
	    (soqi_is_receive(lane) || soqi_batch_serves(s, lane->queue.first)))
		result = shut_says(s);
	soqi_lane_settle(lane, result, ended);
}

/* On a socket of messages that is shut, a receive of nothing has got no message. */
static bool is_message(const struct soq_socket *s, const struct soq_op *op, int32_t result)
{
	if (op->priv.kind == SOQI_KIND_SEND)
		return op->priv.moved + (uint64_t)result == op->priv.length;
	return result > 0 || (!soqi_is_connection(s) && !soqi_receive_is_shut(s->fd));
}

/* What a request has moved: bytes, or messages of a batch. */
static void count(struct soq_socket *s, const struct soqi_lane *lane, int32_t result)
{
	const struct soq_op *op = lane->queue.first;
	uint64_t size_bytes = (uint64_t)result;
	uint64_t messages = 0;

	if ((op->priv.flags & SOQI_OP_BATCH) && !soqi_is_parts(op)) {
		const struct soq_message *m = soqi_batch_current(op);

		messages = (uint64_t)result;
		size_bytes = 0;
		for (int32_t i = 0; i < result; i++)
			size_bytes += m[i].length_bytes;
	} else if (lane->whole) {
		messages = is_message(s, op, result);
	}
	if (lane->index == SOQI_LANE_SEND)
		soqi_count_sent(s, size_bytes, messages);
	else if (!(op->priv.flags & SOQ_PEEK))
		soqi_count_received(s, size_bytes, messages);
}

void soqi_transfer_settle(struct soq_socket *s, struct soqi_lane *lane, int32_t result,
			  struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;
	bool receives = lane->index == SOQI_LANE_RECV;
	bool told = receives && (lane->whole || op->priv.address != NULL) &&
		    !(op->priv.flags & SOQI_OP_BATCH);
	uint32_t flags = 0;

	result = receives ? soqi_judge_receive(s, result) : soqi_judge_send(s, result);
	if (!receives && soqi_unlikely(soqi_has_messages(op)) && !soqi_is_parts(op))
		result = soqi_split_judge(s, op, result);
	if (result >= 0)
		count(s, lane, result);
	/* A synchronous call returns its count first; its error must not get lost. */
	if (result < 0 && result != -EAGAIN && result != -EINTR && op->priv.moved > 0 &&
	    op->priv.cause == 0 && (op->priv.flags & SOQI_OP_SYNC) && result != s->error)
		lane->sync_cause = (int16_t)result;
	if (told && result >= 0 && soqi_unlikely(soqi_batch_serves(s, op)))
		flags = op->priv.message->flags;
	else if (told && result >= 0)
		flags = soqi_message_received(op, lane->whole, result);
	soqi_lane_settle(lane, result, ended);
	/* A message ends its op, which is still ours to write to. */
	if (flags != 0)
		op->priv.event_flags |= (uint8_t)flags;
}

static void settle_transfer(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			    struct soqi_ops *ended)
{
	soqi_transfer_settle(s, lane, lane->result, ended);
	if (soqi_unlikely(lane->result == -EAGAIN))
		wait_by_poll(loop, s, lane);
}

/* All of one op, and no message: what soqi_transfer_settle() would do, in few steps. */
static bool settle_one(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	struct soq_op *op = lane->queue.first;
	bool receives = lane->index == SOQI_LANE_RECV;

	if (lane->whole || lane->polls || (op->priv.flags & (SOQI_OP_BATCH | SOQ_ZEROCOPY)) ||
	    (receives && (op->priv.address != NULL || s->lane[SOQI_LANE_SEND].held)))
		return false;
	op = soqi_lane_settle_one(lane, lane->result);
	if (op == NULL)
		return false;
	if (receives) {
		/* All of it or, where it was only looked at, nothing: without a branch. */
		uint64_t looks = op->priv.flags / SOQ_PEEK & 1;
		uint64_t size_bytes = (uint64_t)lane->result & (looks - 1);

		s->bytes[SOQI_LANE_RECV] += size_bytes;
		loop->stats.bytes_received += size_bytes;
		SOQI_PROBE_END(receive_stop, s, op, op->priv.result);
	} else {
		s->bytes[SOQI_LANE_SEND] += (uint64_t)lane->result;
		loop->stats.bytes_sent += (uint64_t)lane->result;
		SOQI_PROBE_END(send_stop, s, op, op->priv.result);
	}
	soqi_op_end(loop, op, op->priv.result, 0);
	if (lane->queue.first != NULL)
		soqi_lane_dirty(loop, lane);
	soqi_close_step(s);
	return true;
}

/* A finish reads what nobody wants any more, until the peer ends or it is cut. */
static void settle_drain(struct soq_socket *s, struct soqi_lane *lane, struct soqi_ops *ended)
{
	int32_t result = soqi_judge_receive(s, lane->result);
	int cause = lane->queue.first->priv.cause;

	if (cause != 0)
		result = cause;
	else if (result > 0)
		result = -EAGAIN;
	soqi_lane_settle(lane, result, ended);
}

/* Tells who has ended, and goes on with what is left. */
static void settle_end(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
		       struct soqi_ops *ended)
{
	struct soqi_lane *send = &s->lane[SOQI_LANE_SEND];

	soqi_ops_end(loop, s, ended);
	if (lane != send && send->held) {
		send->held = false;
		soqi_settled_push(loop, send);
	}
	if (lane->queue.first != NULL && !lane->starved)
		soqi_lane_dirty(loop, lane);
	soqi_close_step(s);
}

static void settle_lane(struct soq_loop *loop, struct soqi_lane *lane)
{
	struct soq_socket *s = soqi_lane_socket(lane);
	struct soqi_ops ended = { NULL, NULL };

	if (soqi_unlikely(lane->index == SOQI_LANE_WATCH)) {
		soqi_watch_settle(loop, lane);
		return;
	}
	/* A close that waited for memory of zero-copy sends. */
	if (soqi_unlikely(lane->queue.first == NULL)) {
		soqi_close_step(s);
		return;
	}
	if (soqi_likely(settle_one(loop, s, lane)))
		return;
	if (lane->index == SOQI_LANE_SEND && soqi_judge_must_hold(s, lane->result)) {
		lane->held = true;
		return;
	}
	switch (soqi_unlikely(lane->polls) && !soqi_is_fast(lane->queue.first)
			? SOQI_KIND_POLL
			: lane->queue.first->priv.kind) {
	case SOQI_KIND_POLL:
		settle_poll(s, lane, &ended);
		break;
	case SOQI_KIND_ACCEPT:
		soqi_accept_settle(loop, s, &ended);
		break;
	case SOQI_KIND_RECV_BUF:
		soqi_receive_settle(loop, s, lane, &ended);
		break;
	case SOQI_KIND_CONNECT:
		soqi_connect_settle(loop, s, &ended);
		break;
	case SOQI_KIND_DRAIN:
		settle_drain(s, lane, &ended);
		break;
	case SOQI_KIND_RELAY:
		soqi_relay_settle(s, lane, &ended);
		break;
	case SOQI_KIND_SHUTDOWN:
	case SOQI_KIND_DISCONNECT:
		soqi_lane_settle(lane, lane->result, &ended);
		break;
	default:
		settle_transfer(loop, s, lane, &ended);
		break;
	}
	settle_end(loop, s, lane, &ended);
}

void soqi_settle(struct soq_loop *loop)
{
	struct soqi_lane *lane;

	while ((lane = loop->settled_first) != NULL) {
		loop->settled_first = lane->next_settled;
		if (loop->settled_first == NULL)
			loop->settled_last = NULL;
		lane->settled = false;
		settle_lane(loop, lane);
	}
}
