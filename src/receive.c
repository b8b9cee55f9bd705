/* SPDX-License-Identifier: MIT */
/*
 * Receives into bufs: who may ask for bytes, and how.
 *
 * A socket has a share of the pool. Bufs the caller has count against it, and so do
 * those that wait in undelivered events when it is decided whether to go on reading:
 * carry.c has both. Who meets an empty pool is parked: see park.c.
 */
#include "pool.h"
#include "trace.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

/*
 * Whether `op` waits, or will, for a buf that only the caller can return; `ahead`: the
 * bufs that those before it take.
 */
static bool waits_for_caller(const struct soq_socket *s, const struct soq_op *op,
			     const struct soqi_lane *lane, uint32_t ahead)
{
	struct soq_pool *pool;

	if (op->priv.flags & SOQ_MULTISHOT)
		return true;
	if (op->priv.kind != SOQI_KIND_RECV_BUF)
		return false;
	pool = soqi_pool_of(op);
	return soqi_carry_credit(s, pool) <= ahead ||
	       (lane->parked && soqi_pool_class_for(s, pool) == NULL);
}

bool soqi_receive_blocks(const struct soq_socket *s)
{
	const struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];
	const struct soq_op *op = lane->queue.first;
	uint32_t ahead = 0;

	for (; op != NULL; op = op->priv.next) {
		if (waits_for_caller(s, op, lane, ahead))
			return true;
		ahead += op->priv.kind == SOQI_KIND_RECV_BUF;
	}
	return soqi_carry_is_over(s);
}

/* Ends synchronous receives behind the head, which waits for what only their caller can do. */
static void refuse_sync(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	struct soqi_ops ended = { NULL, NULL };
	struct soq_op *op = lane->queue.first;
	struct soq_op *next;

	for (; op != NULL; op = next) {
		next = op->priv.next;
		if ((op->priv.flags & SOQI_OP_SYNC) && op->priv.kind == SOQI_KIND_RECV)
			(void)soqi_lane_cancel(lane, op, -EBUSY, &ended);
	}
	soqi_ops_end(loop, s, &ended);
}

/* What would give a buf back may be the event of a lazy send: no turn sleeps on that. */
static void pause(struct soq_socket *s, struct soq_pool *pool)
{
	if (s->paused)
		return;
	s->paused = true;
	s->loop->impatient++;
	pool->pauses++;
}

void soqi_receive_unpause(struct soq_socket *s)
{
	if (soqi_likely(!s->paused))
		return;
	s->paused = false;
	s->loop->impatient--;
}

void soqi_receive_leave(struct soq_socket *s, struct soqi_lane *lane)
{
	soqi_receive_unpark(lane);
	if (lane->index == SOQI_LANE_RECV)
		soqi_receive_unpause(s);
}

bool soqi_receive_may_go(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	struct soq_pool *pool;
	bool over;

	if (lane->index != SOQI_LANE_RECV || lane->queue.first == NULL || loop->dead != 0)
		return true;
	/* What may be gated comes first. */
	over = soqi_unlikely(s->carried_count > 0) && soqi_carry_is_over(s);
	if (!soqi_is_receive(lane))
		return !over;
	pool = soqi_pool_of(lane->queue.first);
	if (soqi_unlikely(over || soqi_carry_credit(s, pool) == 0))
		pause(s, pool);
	else if (soqi_likely(soqi_pool_class_for(s, pool) != NULL))
		return true;
	else
		soqi_receive_park(loop, lane);
	refuse_sync(loop, s, lane);
	return false;
}

/*
 * Multishot where it may have several. A unix stream has lost its end in the
 * kernel's multishot (until 2026), and a packet's end looks like a packet there.
 */
static bool can_multishot(const struct soq_socket *s, const struct soq_op *op,
			  const struct soqi_pool_class *class)
{
	if (!(op->priv.flags & SOQ_MULTISHOT) || soqi_carry_credit(s, class->pool) < 2)
		return false;
	return soqi_is_stream(s) ? s->family != AF_UNIX : !soqi_is_connection(s);
}

/* Where the kernel does not pick the library asks, and waits by a poll. */
static bool try_now(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
		    struct soqi_request *request)
{
	struct soq_buf *buf;

	lane->result = soqi_buf_try(request, &buf);
	if (lane->result == -EAGAIN) {
		lane->polls = true;
		request->kind = SOQI_REQUEST_POLL;
		request->poll_events = POLLIN | POLLRDHUP;
		return false;
	}
	lane->queue.first->priv.address = buf;
	soqi_judge_note(s, lane->result);
	soqi_settled_push(loop, lane);
	return true;
}

/* The room of a one-shot receive of a message in the kernel, or NULL. */
static struct soqi_room *room_of(const struct soq_op *op)
{
	return op->priv.whole.iov_base;
}

bool soqi_receive_request(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			  struct soqi_request *request)
{
	struct soq_op *op = lane->queue.first;
	struct soqi_pool_class *class = loop->dead == 0 ? soqi_pool_class_for(s, soqi_pool_of(op))
							: NULL;
	struct soqi_room *room;
	bool picks;

	op->priv.address = NULL;
	request->kind = SOQI_REQUEST_RECV_BUF;
	request->fd = s->fd;
	lane->multishot = false;
	if (class == NULL)
		return true;
	picks = class->ring_count > 0 && !(s->from_list && class->list_count > 0);
	s->from_list = false;
	lane->multishot = picks && can_multishot(s, op, class);
	s->asked_class = (unsigned)(class - class->pool->classes) & 3u;
	request->bufs = class;
	request->whole = !soqi_is_stream(s);
	/* A unix peer must not be able to fill our table of descriptors with its own. */
	request->control = s->family != AF_UNIX;
	if (lane->multishot) {
		request->kind = SOQI_REQUEST_RECV_BUF_MULTISHOT;
	} else if (!picks) {
		return loop->backend->immediate || !try_now(loop, s, lane, request);
	} else if (request->whole) {
		room = soqi_room_take(loop, class->size_bytes, request->control);
		op->priv.whole.iov_base = room;
		if (room == NULL) {
			lane->result = -ENOMEM;
			soqi_settled_push(loop, lane);
			return false;
		}
		request->header = &room->header;
	}
	return true;
}

/* Whether bufs of another class would fit better, and there are any. */
static bool fits_badly(const struct soq_socket *s, const struct soq_pool *pool)
{
	uint32_t want = soqi_pool_class_wanted(s, pool);

	return soqi_is_stream(s) && s->asked_class != want && soqi_class_has(&pool->classes[want]);
}

void soqi_receive_pause(struct soq_socket *s, struct soqi_lane *lane)
{
	const struct soq_op *op = lane->queue.first;
	struct soq_pool *pool;

	if (!lane->multishot || lane->cancel_wanted || op->priv.cause != 0 || !soqi_is_alive(s))
		return;
	pool = soqi_pool_of(op);
	lane->cancel_wanted = soqi_carry_credit(s, pool) == 0 || fits_badly(s, pool);
}

/*
 * Looks at what came. Returns the buf, or NULL if there is nothing to tell: the end
 * of a socket of packets, whose 0 is not a message, or a socket that is being closed.
 */
static struct soq_buf *open_or_drop(struct soq_socket *s, struct soq_buf *buf, int32_t result,
				    const struct soqi_room *room)
{
	bool is_end;

	soqi_buf_open(buf, s, (uint32_t)result, room);
	is_end = buf->size_bytes == 0 && soqi_is_connection(s);
	if (soqi_likely(!is_end && soqi_is_alive(s)))
		return buf;
	/* As the kernel does with bytes nobody has read; a finish reads and drops them. */
	if (!is_end && s->finish == SOQI_FINISH_NONE && soqi_is_connection(s))
		s->reset = true;
	soqi_buf_home(buf);
	return NULL;
}

void soqi_receive_arrived(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
			  struct soq_buf *buf, int32_t result)
{
	if (buf == NULL)
		return;
	buf = open_or_drop(s, buf, result, NULL);
	if (buf == NULL)
		return;
	soqi_carry(s, op, buf);
	soqi_op_more(loop, op, NULL);
	/* Whether it has to pause is seen once the caller has had a chance to return some. */
	if (soqi_carry_credit(s, soqi_pool_of(op)) == 0 || soqi_pool_of(op)->class_count > 1)
		soqi_lane_dirty(loop, &s->lane[SOQI_LANE_RECV]);
}

/* The result of a request that brought no buf. */
static int32_t judge(struct soq_socket *s, const struct soq_op *op, int32_t result)
{
	if (result == -ENOBUFS)
		return -EAGAIN;
	/* Bytes, and no buf that is ours to have them in: they are lost. */
	if (result > 0)
		return -EIO;
	/* Cancelled by soqi_receive_pause(), not by the caller. */
	if (result == -ECANCELED && op->priv.cause == 0)
		return -EAGAIN;
	if (result == 0 && !soqi_is_connection(s))
		return -EAGAIN;
	return soqi_judge_receive(s, result);
}

/*
 * The buf of a request that came back, opened, and what it says of the rest in
 * `*result`. NULL: it brought none, or none to tell of.
 */
static struct soq_buf *settled_buf(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
				   int32_t *result)
{
	struct soq_buf *buf = op->priv.address;
	struct soqi_room *room = room_of(op);

	op->priv.address = NULL;
	op->priv.whole.iov_base = NULL;
	if (buf != NULL && *result < 0) {
		soqi_buf_home(buf);
		buf = NULL;
	}
	/* An empty message: the kernel has put the buf back. */
	if (buf == NULL && room != NULL && *result == 0 && !soqi_is_connection(s)) {
		buf = soqi_room_buf(room, soqi_pool_of(op));
		room = NULL;
		*result = SOQ_POOL_MESSAGE_BYTES;
	}
	if (buf != NULL) {
		buf = open_or_drop(s, buf, *result, room);
		/* Closing: the op is swept out. Else it was the end of packets. */
		*result = buf == NULL && soqi_is_alive(s) ? 0 : -EAGAIN;
	}
	if (room != NULL)
		soqi_room_home(loop, room);
	return buf;
}

/* The ring of the class was empty when bytes came; if another has bufs, it is tried next. */
static bool another_class_has(const struct soq_socket *s, const struct soqi_lane *lane)
{
	struct soq_pool *pool = soqi_pool_of(lane->queue.first);
	const struct soqi_pool_class *class = soqi_pool_class_for(s, pool);

	return class != NULL && class != &pool->classes[s->asked_class];
}

void soqi_receive_settle(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			 struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;
	int32_t result = lane->result;
	struct soq_buf *buf = settled_buf(loop, s, op, &result);

	lane->multishot = false;
	if (buf != NULL) {
		soqi_carry(s, op, buf);
		if (op->priv.flags & SOQ_MULTISHOT) {
			soqi_op_more(loop, op, NULL);
		} else {
			soqi_lane_settle(lane, (int64_t)buf->size_bytes, ended);
			op->priv.event_flags |= buf->priv.truncated ? SOQ_F_TRUNCATED : 0;
			return;
		}
	}
	soqi_lane_settle(lane, result == -EAGAIN ? result : judge(s, op, result), ended);
	if (result != -ENOBUFS || lane->queue.first != op || loop->dead != 0 ||
	    another_class_has(s, lane))
		return;
	soqi_receive_park(loop, lane);
	if (soqi_pool_class_for(s, soqi_pool_of(op)) == NULL)
		refuse_sync(loop, s, lane);
}

int soq_recv_buf_async(struct soq_socket *s, struct soq_op *op, struct soq_pool *pool,
		       uint32_t flags)
{
	int error = soqi_start_check(s, op);

	if (error != 0)
		return error;
	if (pool == NULL || (flags & ~SOQ_MULTISHOT) != 0)
		return -EINVAL;
	if (pool->loop != s->loop)
		return -EXDEV;
	if (!soqi_carries(s) && soqi_is_connection(s))
		return -ENOTCONN;
	op->priv.data = pool;
	op->priv.length = 0;
	op->priv.address = NULL;
	op->priv.whole.iov_base = NULL; /* its room */
	op->priv.segment_count = 0;
	pool->receivers++;
	SOQI_PROBE_START(receive, s, op, s->fd, 0);
	soqi_op_start(s->loop, s, op, SOQI_KIND_RECV_BUF, flags);
	soqi_op_start_lane(s, &s->lane[SOQI_LANE_RECV], op);
	return 0;
}
