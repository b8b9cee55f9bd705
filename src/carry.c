/* SPDX-License-Identifier: MIT */
/*
 * Filled bufs on their way to the caller. They wait in the op they came for, which may
 * have ended meanwhile, and others of the socket behind it.
 *
 * The kernel's multishot may bring more than the socket's share. While the caller has
 * that, events of the socket with bufs are gated: out of the loop's lists, until one is
 * returned, the final event as well. Only an op that was cut short is not: what it has
 * is delivered, so that who waits for its end need not return anything first.
 */
#include "count.h"
#include "pool.h"

#include <assert.h>
#include <errno.h>

/* Bufs in a row that a smaller class could have held, before it is tried. */
#define SMALL_IN_A_ROW 16u

uint32_t soqi_carry_credit(const struct soq_socket *s, const struct soq_pool *pool)
{
	uint32_t has = s->lent_count + s->carried_count;

	return has < pool->share ? pool->share - has : 0;
}

static bool is_cut(const struct soq_op *op)
{
	return soqi_op_state(op) == SOQI_STATE_ENDED && op->priv.cause != 0;
}

bool soqi_carry_is_over(const struct soq_socket *s)
{
	const struct soq_op *op = s->carriers.first;

	for (; op != NULL; op = op == s->carriers.last ? NULL : op->priv.next)
		if (!is_cut(op) && s->lent_count + s->carried_count > soqi_pool_of(op)->share)
			return true;
	return false;
}

/* Up at once, since a stream pays for each buf too small; down when it is clear. */
static void adapt(struct soq_socket *s, const struct soq_pool *pool, size_t size_bytes)
{
	uint32_t last = pool->class_count - 1;
	uint32_t now = soqi_pool_class_wanted(s, pool);

	if (last == 0 || !soqi_is_stream(s))
		return;
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
	s->buf_class = now & 3u;
}

static void append(struct soqi_carriers *carriers, struct soq_op *op)
{
	/* The one before it has left its lane: its link is free. */
	if (carriers->last != NULL)
		carriers->last->priv.next = op;
	else
		carriers->first = op;
	carriers->last = op;
}

static void take_out(struct soqi_carriers *carriers, struct soq_op *op)
{
	struct soq_op *before = NULL;

	for (struct soq_op *at = carriers->first; at != op; at = at->priv.next)
		before = at;
	/* The link of the last is its lane's. */
	if (before == NULL)
		carriers->first = op == carriers->last ? NULL : op->priv.next;
	else if (op != carriers->last)
		before->priv.next = op->priv.next;
	if (op == carriers->last)
		carriers->last = before;
}

void soqi_carry_regate(struct soq_socket *s)
{
	struct soq_loop *loop = s->loop;
	struct soq_op *op = s->carriers.first;

	for (; op != NULL; op = op == s->carriers.last ? NULL : op->priv.next) {
		if (s->lent_count < soqi_pool_of(op)->share || is_cut(op) || loop->dead != 0)
			soqi_op_ungate(loop, op);
		else
			soqi_op_gate(loop, op);
	}
}

void soqi_carry(struct soq_socket *s, struct soq_op *op, struct soq_buf *buf)
{
	struct soq_pool *pool = soqi_pool_of(op);

	if (op->priv.segment_count++ == 0)
		append(&s->carriers, op);
	s->carried_count++;
	buf->priv.next = NULL;
	if (op->priv.buf_last != NULL)
		op->priv.buf_last->priv.next = buf;
	else
		op->priv.buf_first = buf;
	op->priv.buf_last = buf;
	soqi_count_received(s, buf->size_bytes, !soqi_is_stream(s));
	if (soqi_unlikely(s->lent_count >= pool->share))
		soqi_carry_regate(s);
	adapt(s, pool, buf->size_bytes);
}

struct soq_buf *soqi_carry_lend(struct soq_op *op)
{
	struct soq_pool *pool = soqi_pool_of(op);
	struct soq_socket *s = op->priv.socket;
	struct soq_buf *buf = op->priv.buf_first;

	assert(buf->priv.state == SOQI_BUF_TAKEN && buf->priv.life == s->backend_generation);
	op->priv.buf_first = buf->priv.next;
	if (op->priv.buf_first == NULL)
		op->priv.buf_last = NULL;
	s->carried_count--;
	if (--op->priv.segment_count == 0)
		take_out(&s->carriers, op);
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
	if (soqi_unlikely(s->carriers.first != NULL && s->lent_count >= pool->share))
		soqi_carry_regate(s);
	return buf;
}

void soqi_carry_returned(struct soq_loop *loop, struct soq_socket *s)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];

	assert(s->lent_count > 0);
	s->lent_count--;
	soqi_receive_unpause(s);
	if (soqi_unlikely(s->carriers.first != NULL))
		soqi_carry_regate(s);
	if (lane->queue.first != NULL && !lane->in_kernel)
		soqi_lane_dirty(loop, lane);
}

void soqi_carry_end(struct soq_loop *loop, struct soq_op *op)
{
	soqi_pool_of(op)->receivers--;
	if (op->priv.cause != 0 || loop->dead != 0)
		soqi_op_ungate(loop, op);
}

static void drop_bufs(struct soq_socket *s, struct soq_op *op)
{
	uint32_t count = op->priv.segment_count;
	struct soq_buf *buf;

	while ((buf = op->priv.buf_first) != NULL) {
		op->priv.buf_first = buf->priv.next;
		soqi_buf_home(buf);
	}
	op->priv.buf_last = NULL;
	op->priv.segment_count = 0;
	if (soqi_op_state(op) == SOQI_STATE_ENDED) {
		op->priv.result = -ECANCELED;
		op->priv.event_flags = 0;
	}
	soqi_op_ungate(s->loop, op);
	if (op->priv.flags & SOQ_MULTISHOT)
		soqi_op_forget(s->loop, op, count);
}

bool soqi_carry_drop(struct soq_socket *s)
{
	struct soqi_carriers carriers = s->carriers;
	struct soq_op *op = carriers.first;
	struct soq_op *next;

	s->carriers = (struct soqi_carriers){ NULL, NULL };
	s->carried_count = 0;
	for (; op != NULL; op = next) {
		next = op == carriers.last ? NULL : op->priv.next;
		drop_bufs(s, op);
	}
	return carriers.first != NULL;
}
