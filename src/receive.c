/* SPDX-License-Identifier: MIT */
/*
 * Receives into bufs: who may ask for bytes, and when its events may be delivered.
 *
 * A socket has a share of the pool. Bufs the caller has count against it, and so do
 * those that wait in undelivered events when it is decided whether to go on reading.
 * While the caller has its whole share, events with more are gated: taken out of the
 * loop's lists, until one comes home.
 *
 * Who meets an empty pool is parked: see park.c.
 */
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

/* Bufs in a row that a smaller class could have held, before it is tried. */
#define SMALL_IN_A_ROW 16u

/* Bufs in the events of `op` that were not delivered. */
static uint32_t undelivered(const struct soq_op *op)
{
	return op != NULL ? op->priv.segment_count : 0;
}

/* Bufs the socket may still have beside those it has. */
static uint32_t credit_of(const struct soq_socket *s, const struct soq_pool *pool)
{
	uint32_t has = s->lent_count + undelivered(s->buf_op);

	return has < pool->share ? pool->share - has : 0;
}

/* Whether events of the socket wait for a return, or will once those before are delivered. */
static bool is_held(const struct soq_socket *s)
{
	return s->buf_op != NULL &&
	       s->lent_count + undelivered(s->buf_op) > soqi_pool_of(s->buf_op)->share;
}

/* Whether an op before it still has events to deliver, which must come first. */
static bool is_behind(const struct soq_socket *s, const struct soqi_lane *lane)
{
	return s->buf_op != NULL && s->buf_op != lane->queue.first &&
	       (soqi_is_receive(lane) || is_held(s));
}

/* Only one receive at a time has bufs to deliver: a second one waits for the caller. */
bool soqi_receive_needs_caller(const struct soq_socket *s)
{
	const struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];
	bool has_one = s->buf_op != NULL;

	if (is_held(s))
		return true;
	for (const struct soq_op *op = lane->queue.first; op != NULL; op = op->priv.next) {
		struct soq_pool *pool;

		if (op->priv.kind != SOQI_KIND_RECV_BUF)
			continue;
		pool = soqi_pool_of(op);
		if (has_one || lane->parked || credit_of(s, pool) == 0 ||
		    soqi_pool_class_for(s, pool) == NULL)
			return true;
		has_one = true;
	}
	return false;
}

bool soqi_receive_may_go(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	struct soq_pool *pool;

	if (lane->index != SOQI_LANE_RECV || lane->queue.first == NULL || loop->dead != 0)
		return true;
	if (soqi_unlikely(is_behind(s, lane)))
		return false;
	if (!soqi_is_receive(lane))
		return true;
	pool = soqi_pool_of(lane->queue.first);
	if (soqi_unlikely(credit_of(s, pool) == 0)) {
		pool->pauses++;
		return false;
	}
	if (soqi_likely(soqi_pool_class_for(s, pool) != NULL))
		return true;
	soqi_receive_park(loop, lane);
	return false;
}

/*
 * Multishot where it may have several. A unix stream has lost its end in the
 * kernel's multishot (until 2026), and a packet's end looks like a packet there.
 */
static bool can_multishot(const struct soq_socket *s, const struct soq_op *op,
			  const struct soqi_pool_class *class)
{
	if (!(op->priv.flags & SOQ_MULTISHOT) || !class->registered ||
	    credit_of(s, class->pool) < 2)
		return false;
	return soqi_is_stream(s) ? s->family != AF_UNIX : !soqi_is_connection(s);
}

/* Where the kernel does not pick the library asks, and waits by a poll. */
static bool try_now(struct soq_loop *loop, struct soqi_lane *lane, struct soqi_request *request)
{
	struct soq_buf *buf;

	lane->result = soqi_buf_try(request, &buf);
	soqi_judge_note(soqi_lane_socket(lane), lane->result);
	if (lane->result == -EAGAIN) {
		lane->polls = true;
		request->kind = SOQI_REQUEST_POLL;
		request->poll_events = POLLIN;
		return false;
	}
	lane->queue.first->priv.address = buf;
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

	op->priv.address = NULL;
	request->kind = SOQI_REQUEST_RECV_BUF;
	request->fd = s->fd;
	lane->multishot = class != NULL && can_multishot(s, op, class);
	if (class == NULL)
		return true;
	lane->buf_class = (unsigned)(class - class->pool->classes) & 3u;
	request->bufs = class;
	request->whole = !soqi_is_stream(s);
	/* A unix peer must not be able to fill our table of descriptors with its own. */
	request->control = s->family != AF_UNIX;
	if (lane->multishot) {
		request->kind = SOQI_REQUEST_RECV_BUF_MULTISHOT;
	} else if (!class->registered) {
		return loop->backend->immediate || !try_now(loop, lane, request);
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
static bool fits_badly(const struct soq_socket *s, const struct soqi_lane *lane,
		       const struct soq_pool *pool)
{
	uint32_t last = pool->class_count - 1;
	uint32_t want = s->buf_class < last ? s->buf_class : last;

	return soqi_is_stream(s) && lane->buf_class != want && pool->classes[want].home_count > 0;
}

void soqi_receive_pause(struct soq_socket *s, struct soqi_lane *lane)
{
	const struct soq_op *op = lane->queue.first;
	struct soq_pool *pool;

	if (!lane->multishot || lane->cancel_wanted || op->priv.cause != 0 ||
	    s->state != SOQI_SOCKET_OPEN)
		return;
	pool = soqi_pool_of(op);
	lane->cancel_wanted = credit_of(s, pool) == 0 || fits_badly(s, lane, pool);
}

/* Up at once, since a stream pays for each buf too small; down when it is clear. */
static void adapt(struct soq_socket *s, const struct soq_pool *pool, uint32_t size_bytes)
{
	uint32_t last = pool->class_count - 1;
	uint32_t now = s->buf_class;

	if (last == 0 || !soqi_is_stream(s))
		return;
	if (now > last)
		now = last;
	if (now < last && size_bytes >= pool->classes[now].size_bytes) {
		now++;
		s->buf_small_count = 0;
	} else if (now > 0 && size_bytes < pool->classes[now - 1].size_bytes) {
		s->buf_small_count++;
		if (s->buf_small_count == SMALL_IN_A_ROW) {
			now--;
			s->buf_small_count = 0;
		}
	} else {
		s->buf_small_count = 0;
	}
	s->buf_class = (uint8_t)now;
}

/* Puts a filled buf into what `op` carries. */
static void carry(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
		  struct soq_buf *buf)
{
	struct soq_pool *pool = soqi_pool_of(op);

	assert(s->buf_op == NULL || s->buf_op == op);
	s->buf_op = op;
	buf->priv.next = NULL;
	if (op->priv.buf_last != NULL)
		op->priv.buf_last->priv.next = buf;
	else
		op->priv.buf_first = buf;
	op->priv.buf_last = buf;
	op->priv.segment_count++;
	loop->stats.bytes_received += buf->size_bytes;
	if (soqi_unlikely(s->lent_count >= pool->share))
		soqi_op_gate(loop, op);
	adapt(s, pool, (uint32_t)buf->size_bytes);
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
	if (soqi_likely(!is_end && s->state == SOQI_SOCKET_OPEN))
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
	carry(loop, s, op, buf);
	soqi_op_more(loop, op, NULL);
	/* Whether it has to pause is seen once the caller has had a chance to return some. */
	if (credit_of(s, soqi_pool_of(op)) == 0 || soqi_pool_of(op)->class_count > 1)
		soqi_lane_dirty(loop, &s->lane[SOQI_LANE_RECV]);
}

/* The result of a request that brought no buf. */
static int32_t judge(struct soq_socket *s, const struct soq_op *op, int32_t result)
{
	/* Cancelled by soqi_receive_pause(), not by the caller. */
	if (result == -ECANCELED && op->priv.cause == 0)
		return -EAGAIN;
	if (result == 0 && !soqi_is_connection(s))
		return -EAGAIN;
	/* Bytes in a buf that cannot be: they are lost, and that must not look like success. */
	if (result > 0)
		return -EIO;
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
	/* An empty message: the kernel has put the buf back. */
	if (buf == NULL && room != NULL && *result == 0 && !soqi_is_connection(s)) {
		buf = soqi_room_buf(room, soqi_pool_of(op));
		room = NULL;
		*result = SOQ_POOL_MESSAGE_BYTES;
	}
	if (buf != NULL) {
		buf = open_or_drop(s, buf, *result, room);
		/* Closing: the op is swept out. Else it was the end of packets. */
		*result = buf == NULL && s->state == SOQI_SOCKET_OPEN ? 0 : -EAGAIN;
	}
	if (room != NULL)
		soqi_room_home(loop, room);
	return buf;
}

void soqi_receive_settle(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			 struct soqi_ops *ended)
{
	struct soq_op *op = lane->queue.first;
	int32_t result = lane->result;
	struct soq_buf *buf = settled_buf(loop, s, op, &result);

	lane->multishot = false;
	if (buf != NULL) {
		carry(loop, s, op, buf);
		if (op->priv.flags & SOQ_MULTISHOT) {
			soqi_op_more(loop, op, NULL);
		} else {
			soqi_lane_settle(lane, (int64_t)buf->size_bytes, ended);
			op->priv.event_flags |= buf->priv.truncated ? SOQ_F_TRUNCATED : 0;
			return;
		}
	}
	if (result == -ENOBUFS && loop->dead == 0) {
		soqi_lane_settle(lane, -EAGAIN, ended);
		if (lane->queue.first == op)
			soqi_receive_park(loop, lane);
		return;
	}
	soqi_lane_settle(lane, result == -EAGAIN ? result : judge(s, op, result), ended);
}

struct soq_buf *soqi_receive_lend(struct soq_loop *loop, struct soq_op *op)
{
	struct soq_pool *pool = soqi_pool_of(op);
	struct soq_socket *s = op->priv.socket;
	struct soq_buf *buf = op->priv.buf_first;
	struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];

	op->priv.buf_first = buf->priv.next;
	if (op->priv.buf_first == NULL)
		op->priv.buf_last = NULL;
	op->priv.segment_count--;
	buf->priv.next = NULL;
	buf->priv.state = SOQI_BUF_LENT;
	buf->priv.references = 1;
	buf->op.done = NULL;
	buf->op.user = NULL;
	buf->op.deadline_ns = 0;
	pool->taken_count--;
	pool->lent_count++;
	pool->lends++;
	s->lent_count++;
	if (op->priv.segment_count > 0) {
		if (s->lent_count >= pool->share)
			soqi_op_gate(loop, op);
		return buf;
	}
	s->buf_op = NULL;
	/* Those behind it may have waited for this. */
	if (lane->queue.first != NULL && lane->queue.first != op && !lane->in_kernel)
		soqi_lane_dirty(loop, lane);
	return buf;
}

void soqi_receive_resume(struct soq_loop *loop, struct soq_socket *s)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];
	struct soq_op *op = s->buf_op;

	assert(s->lent_count > 0);
	s->lent_count--;
	if (op != NULL && s->lent_count < soqi_pool_of(op)->share)
		soqi_op_ungate(loop, op);
	if (lane->queue.first != NULL && !lane->in_kernel)
		soqi_lane_dirty(loop, lane);
}

bool soqi_receive_drop(struct soq_socket *s)
{
	struct soq_op *op = s->buf_op;
	struct soq_buf *buf;
	uint32_t count;

	if (op == NULL)
		return false;
	count = op->priv.segment_count;
	while ((buf = op->priv.buf_first) != NULL) {
		op->priv.buf_first = buf->priv.next;
		soqi_buf_home(buf);
	}
	op->priv.buf_last = NULL;
	op->priv.segment_count = 0;
	s->buf_op = NULL;
	if (soqi_op_state(op) == SOQI_STATE_ENDED) {
		op->priv.result = -ECANCELED;
		op->priv.event_flags = 0;
	}
	soqi_op_ungate(s->loop, op);
	if (op->priv.flags & SOQ_MULTISHOT)
		soqi_op_forget(s->loop, op, count);
	return true;
}

void soqi_receive_ended(const struct soq_op *op)
{
	soqi_pool_of(op)->receivers--;
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
	soqi_op_start(s->loop, s, op, SOQI_KIND_RECV_BUF, flags);
	soqi_op_start_lane(s, &s->lane[SOQI_LANE_RECV], op);
	return 0;
}
