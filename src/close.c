/* SPDX-License-Identifier: MIT */
/*
 * Closing. The order is the same for every way: the handle dies, the lanes stop,
 * what the kernel has is cancelled, every result is taken in, and only then the
 * descriptor is closed. Closed earlier, a request in the kernel would keep the
 * connection, and its completion would come for whoever has the number next.
 */
#include "detached.h"
#include "pool.h"
#include "trace.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

/* Not in the list of results either, which must not know a slot that is given back. */
static bool lane_idle(const struct soqi_lane *lane)
{
	return lane->queue.first == NULL && !lane->settled;
}

/* Ends what a lane holds; what the kernel has ends when it comes back. */
static void lane_stop(struct soq_socket *s, struct soqi_lane *lane)
{
	struct soqi_ops ended = { NULL, NULL };
	struct soq_op *op;

	soqi_backoff_forget(s->loop, lane);
	soqi_receive_leave(s, lane);
	soqi_lane_fail(lane, -ECANCELED, &ended);
	soqi_ops_end(s->loop, s, &ended);
	for (op = lane->queue.first; op != NULL; op = op->priv.next)
		if (op->priv.cause == 0)
			op->priv.cause = -ECANCELED;
	if (lane->in_kernel) {
		lane->cancel_wanted = true;
		soqi_lane_dirty(s->loop, lane);
	}
}

static bool is_accept_of(const struct soq_op *op, const struct soq_socket *listener)
{
	if (op->priv.kind == SOQI_KIND_FIRST)
		return op->priv.segment == listener->slot;
	return op->priv.kind == SOQI_KIND_ACCEPT && op->priv.socket == listener;
}

/* Aborts the sockets this listener's accepts have and nobody has seen. */
static void drop_undelivered(struct soq_socket *s, struct soqi_ops *list)
{
	struct soq_op *op = list->first;
	struct soq_op *next;

	for (; op != NULL; op = next) {
		next = op->priv.ready_next;
		if (is_accept_of(op, s))
			soqi_op_drop_carried(s->loop, op);
	}
}

static bool has_arrivals(const struct soq_socket *s, const struct soqi_ops *list)
{
	const struct soq_op *op = list->first;

	for (; op != NULL; op = op->priv.ready_next)
		if (is_accept_of(op, s) && op->priv.carried_first != NULL)
			return true;
	return false;
}

bool soqi_accept_has_arrivals(const struct soq_socket *s)
{
	uint32_t slot = 0;

	return has_arrivals(s, &s->loop->ready) || has_arrivals(s, &s->loop->waiting) ||
	       soqi_first_of(s, &slot) != NULL;
}

void soqi_reset_on_close(int fd)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

/* The descriptor is closed and every event but this one made. */
static void close_end(struct soq_socket *s)
{
	struct soq_loop *loop = s->loop;
	struct soq_op *op = s->close_op;
	int64_t result = op != NULL ? op->priv.result : 0;

	SOQI_PROBE_END(close_stop, s, op, result);
	if (soqi_unlikely(loop->traces))
		soqi_trace_stop(loop, SOQ_TRACE_CLOSE, s, op, result);
	loop->closing--;
	s->close_op = NULL;
	soqi_slot_free(s);
	if (op != NULL)
		soqi_op_end(loop, op, op->priv.result, 0);
}

static void close_now(struct soq_socket *s)
{
	struct soq_loop *loop = s->loop;

	if ((s->reset || s->linger_s == 0) && soqi_is_connection(s))
		soqi_reset_on_close(s->fd);
	loop->backend->detach(loop, s);
	soqi_path_remove(s);
	(void)close(s->fd);
	s->fd = -1;
	s->finish = SOQI_FINISH_NONE;
	soqi_watch_free(s);
	/* What waited there may have been cancelled since. */
	for (unsigned i = 0; i < 2; i++)
		soqi_backoff_forget(loop, &s->lane[i]);
	/* Memory the kernel still sends from outlives the descriptor; its end is told first. */
	if (s->zerocopy_holds == 0)
		close_end(s);
	if (loop->starved_first != NULL)
		soqi_backoff_end(loop);
}

/* Sends are out: ends our side and reads until the peer has ended its own. */
static void finish_drain(struct soq_socket *s)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];

	s->finish = SOQI_FINISH_DRAIN;
	s->shut_send = true;
	(void)shutdown(s->fd, SHUT_WR);
	/* The kernel does not read for us in the background: we do, as a receive. */
	soqi_op_start_lane(s, lane, s->close_op);
}

/*
 * A finish is over when the peer has everything. Its timeout needs the descriptor, to
 * reset the connection of one who ends his side and never reads.
 */
static bool finish_must_wait(const struct soq_socket *s)
{
	return s->finish == SOQI_FINISH_DRAIN && s->zerocopy_holds > 0 &&
	       s->close_op->priv.result == 0;
}

void soqi_close_go(struct soq_socket *s)
{
	if (s->state == SOQI_SOCKET_BUSY) {
		soqi_busy_go(s);
		return;
	}
	if (s->finish != SOQI_FINISH_NONE && s->reset) {
		soqi_finish_cut(s, -ECANCELED);
		return;
	}
	if (!lane_idle(&s->lane[SOQI_LANE_SEND]) || !lane_idle(&s->lane[SOQI_LANE_RECV]) ||
	    !soqi_watch_idle(s))
		return;
	/* Without a connection there is no end of stream to wait for; or it has come already. */
	if (s->finish == SOQI_FINISH_FLUSH && soqi_is_connection(s) &&
	    (!s->fin_seen || s->zerocopy_holds > 0))
		finish_drain(s);
	else if (s->fd >= 0 && !finish_must_wait(s))
		close_now(s);
	else if (s->fd < 0 && s->zerocopy_holds == 0)
		close_end(s);
}

void soqi_finish_cut(struct soq_socket *s, int cause)
{
	/* A finish with nothing to flush is a plain close, and already on its way. */
	if (s->finish == SOQI_FINISH_NONE)
		return;
	s->finish = SOQI_FINISH_NONE;
	s->reset = true;
	s->close_op->priv.cause = cause;
	soqi_timer_disarm(&s->loop->timers, s->close_op);
	lane_stop(s, &s->lane[SOQI_LANE_SEND]);
	lane_stop(s, &s->lane[SOQI_LANE_RECV]);
	s->close_op->priv.result = cause;
	soqi_close_step(s);
}

/* A close whose linger is positive goes on in the background, on the op kept for it. */
static bool lingers(const struct soq_socket *s, enum soqi_close_mode mode)
{
	return mode == SOQI_CLOSE_PLAIN && s->linger_s > 0 && s->phase == SOQI_PHASE_CONNECTED &&
	       soqi_is_connection(s);
}

static void linger_begin(struct soq_socket *s, struct soq_op *op)
{
	/* A close_async() is told when the linger has ended. */
	if (s->close_op != NULL) {
		soqi_free(s->loop, op, sizeof(*op));
		op = s->close_op;
		op->priv.kind = SOQI_KIND_DRAIN;
	} else {
		soqi_op_start(s->loop, s, op, SOQI_KIND_DRAIN, SOQI_OP_LINGER);
		s->loop->stats.ops_started--;
		s->loop->stats.ops_in_flight--;
		op->priv.result = 0;
	}
	s->close_op = op;
	s->finish = SOQI_FINISH_FLUSH;
	soqi_timer_arm(&s->loop->timers, op,
		       soqi_after_ns(soqi_now_ns(), s->linger_s * SOQI_NS_PER_S));
}

void soqi_close_begin(struct soq_socket *s, enum soqi_close_mode mode, struct soq_op *op)
{
	struct soq_loop *loop = s->loop;
	struct soq_op *kept = s->linger_op;
	bool dropped;

	assert(s->state == SOQI_SOCKET_OPEN);
	s->state = SOQI_SOCKET_CLOSING;
	loop->closing++;
	s->close_op = op;
	if (op != NULL)
		op->priv.result = 0;
	SOQI_PROBE_START(close, s, op, s->fd, 0);
	if (soqi_unlikely(loop->traces))
		soqi_trace_start(loop, SOQ_TRACE_CLOSE, s, op, 0);
	s->reset = mode == SOQI_CLOSE_ABORT;
	if (soqi_unlikely(s->on_its_way))
		soqi_attempt_drop(s);
	if (s->phase == SOQI_PHASE_LISTENING) {
		drop_undelivered(s, &loop->ready);
		drop_undelivered(s, &loop->waiting);
		soqi_firsts_cut(s);
	}
	dropped = soqi_carry_drop(s);
	lane_stop(s, &s->lane[SOQI_LANE_RECV]);
	soqi_watch_stop(s);
	if (kept != NULL && lingers(s, mode)) {
		linger_begin(s, kept);
		kept = NULL;
	} else if (mode == SOQI_CLOSE_FINISH && (soqi_carries(s) || !soqi_is_connection(s))) {
		s->finish = SOQI_FINISH_FLUSH;
	} else {
		lane_stop(s, &s->lane[SOQI_LANE_SEND]);
	}
	soqi_free(loop, kept, sizeof(*kept));
	/* As the kernel does with bytes nobody has read. */
	if (dropped && s->finish == SOQI_FINISH_NONE)
		s->reset = true;
	soqi_close_step(s);
}

/* Whether it was the socket that was busy, and not the loop in its trace function. */
static bool is_busy(const struct soq_socket *s)
{
	return s->state == SOQI_SOCKET_BUSY && soqi_loop_check(s->loop) == 0;
}

/* Closing is the one thing that may be done to a busy socket. */
static int close_check(struct soq_socket *s)
{
	int error = soqi_socket_check(s);

	if (error != -EBUSY || !is_busy(s))
		return error;
	soqi_busy_leave(s);
	return 0;
}

/* The same with an op to be told. */
static int close_start_check(struct soq_socket *s, struct soq_op *op)
{
	int error = soqi_start_check(s, op);

	if (error != -EBUSY || !is_busy(s) || soqi_op_state(op) != SOQI_STATE_IDLE)
		return error;
	soqi_busy_leave(s);
	return 0;
}

int soq_close(struct soq_socket *s)
{
	int error = close_check(s);

	if (error == 0 && soqi_is_detached(s))
		return soqi_detached_close(s, false);
	if (error == 0)
		soqi_close_begin(s, SOQI_CLOSE_PLAIN, NULL);
	return error;
}

int soq_abort(struct soq_socket *s)
{
	int error = close_check(s);

	if (error == 0 && soqi_is_detached(s))
		return soqi_detached_close(s, true);
	if (error == 0)
		soqi_close_begin(s, SOQI_CLOSE_ABORT, NULL);
	return error;
}

int soq_close_async(struct soq_socket *s, struct soq_op *op)
{
	int error = close_start_check(s, op);

	if (error != 0)
		return error;
	soqi_op_start(s->loop, s, op, SOQI_KIND_CLOSE, 0);
	soqi_close_begin(s, SOQI_CLOSE_PLAIN, op);
	return 0;
}

static void finish_start(struct soq_socket *s, struct soq_op *op, int64_t timeout_ns,
			 uint32_t flags)
{
	soqi_op_start(s->loop, s, op, SOQI_KIND_DRAIN, flags);
	if (timeout_ns >= 0)
		soqi_timer_arm(&s->loop->timers, op, soqi_after_ns(soqi_now_ns(), timeout_ns));
	soqi_close_begin(s, SOQI_CLOSE_FINISH, op);
}

int soq_finish_async(struct soq_socket *s, struct soq_op *op, int64_t timeout_ns)
{
	int error = close_start_check(s, op);

	if (error == 0)
		finish_start(s, op, timeout_ns, 0);
	return error;
}

int soq_finish(struct soq_socket *s, int64_t timeout_ns)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	struct soq_loop *loop;
	int error;

	if (soqi_is_detached(s))
		return soqi_detached_finish(s, timeout_ns);
	error = close_start_check(s, &op);
	if (error != 0)
		return error;
	loop = s->loop;
	finish_start(s, &op, timeout_ns, SOQI_OP_SYNC);
	return (int)soqi_op_wait_sync(loop, &op, &event);
}

static void close_or_cut(struct soq_socket *s)
{
	if (s->state == SOQI_SOCKET_BUSY)
		soqi_busy_leave(s);
	if (s->state == SOQI_SOCKET_OPEN)
		soqi_close_begin(s, SOQI_CLOSE_ABORT, NULL);
	else if (s->finish != SOQI_FINISH_NONE)
		soqi_finish_cut(s, -ECANCELED);
}

/* Sleeps have no socket; their only list is the heap. */
void soqi_sleeps_end(struct soq_loop *loop, int error)
{
	struct soqi_timers kept = { NULL, 0 };
	struct soq_op *op;

	while ((op = soqi_timer_first(&loop->timers)) != NULL) {
		int64_t at_ns = op->priv.timer_ns;

		soqi_timer_disarm(&loop->timers, op);
		if (op->priv.kind == SOQI_KIND_SLEEP)
			soqi_op_end(loop, op, error, 0);
		else
			soqi_timer_arm(&kept, op, at_ns);
	}
	loop->timers = kept;
}

static int inherit(struct soq_loop *loop)
{
	int error = soqi_owner_adopt(loop);

	if (error == 0)
		error = loop->backend->inherit(loop);
	if (error != 0)
		return error;
	/*
	 * The kernel ended the owner's requests with the owner; the old ring lets go of
	 * the sockets a little later, when the kernel gets round to it.
	 */
	soqi_loop_fail_requests(loop, -ECANCELED);
	soqi_settle(loop);
	return 0;
}

int soq_loop_close_all(struct soq_loop *loop)
{
	int error;

	if (loop == NULL)
		return -EINVAL;
	error = soqi_loop_enter(loop);
	if (error == -EXDEV && soqi_owner_gone(loop))
		error = inherit(loop);
	if (error != 0)
		return error;
	soqi_attempts_take(loop);
	soqi_slot_each(loop, close_or_cut);
	soqi_attempts_take(loop);
	soqi_sleeps_end(loop, -ECANCELED);
	soqi_helped_end(loop, -ECANCELED);
	return 0;
}
