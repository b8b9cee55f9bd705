/* SPDX-License-Identifier: MIT */
/* Accepting: sockets that arrive, and waiting when there is no room for them. */
#include "detached.h"
#include "policed.h"
#include "trace.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

/* Resets a connection nobody will ever see. */
static void drop(int fd)
{
	soqi_reset_on_close(fd);
	(void)close(fd);
}

static void count(struct soq_loop *loop, struct soq_socket *s)
{
	loop->stats.accepts++;
	s->messages[SOQI_LANE_RECV]++;
}

void soqi_accept_arrived(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op, int fd)
{
	struct soq_socket *accepted;

	if (fd < 0)
		return;
	if (s->state != SOQI_SOCKET_OPEN) {
		drop(fd);
		return;
	}
	if (soqi_unlikely(loop->policy != NULL) && !soqi_policed_arrival(s, fd)) {
		drop(fd);
		return;
	}
	if (op->priv.segment == SOQI_TARGET_WAITS) {
		if (soqi_target_arrived(op, fd))
			count(loop, s);
		else
			drop(fd);
		return;
	}
	accepted = soqi_slot_alloc(loop);
	if (accepted == NULL) {
		drop(fd);
		if (op->priv.cause == 0)
			op->priv.cause = -ENOMEM;
		s->lane[SOQI_LANE_RECV].cancel_wanted = true;
		soqi_lane_dirty(loop, &s->lane[SOQI_LANE_RECV]);
		return;
	}
	soqi_socket_is(accepted, fd, s->family, s->type, s->protocol);
	accepted->credentials = s->credentials; /* the kernel hands it down */
	accepted->phase = SOQI_PHASE_CONNECTED;
	count(loop, s);
	soqi_op_more(loop, op, accepted);
	if (op->priv.events >= SOQI_ARRIVALS_MAX) {
		s->lane[SOQI_LANE_RECV].cancel_wanted = true;
		soqi_lane_dirty(loop, &s->lane[SOQI_LANE_RECV]);
	}
}

bool soqi_accept_is_full(const struct soqi_lane *lane)
{
	const struct soq_op *op = lane->queue.first;

	return op != NULL && op->priv.kind == SOQI_KIND_ACCEPT &&
	       op->priv.events >= SOQI_ARRIVALS_MAX / 2;
}

bool soqi_accept_is_shortage(int32_t result)
{
	return result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM;
}

/* Errors of a connection that died in the queue: accept(2) says to try again. */
bool soqi_accept_is_passing(int32_t result)
{
	switch (result) {
	case -EAGAIN:
	case -EINTR:
	case -ECONNABORTED:
	case -EPROTO:
	case -ENETDOWN:
	case -ENOPROTOOPT:
	case -EHOSTDOWN:
	case -ENONET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return true;
	default:
		return false;
	}
}

static bool has_arrived(const struct soq_op *op)
{
	return op->priv.carried_first != NULL || op->priv.segment == SOQI_TARGET_TAKEN;
}

/* The op leaves the lane with its connection, to wait for what that sends. */
static void data_arrived(struct soq_loop *loop, struct soq_socket *s, struct soq_op *op,
			 struct soqi_ops *ended)
{
	soqi_lane_settle(&s->lane[SOQI_LANE_RECV], 0, ended);
	soqi_ops_remove(ended, op);
	soqi_first_begin(loop, s, op->priv.carried_first, op);
}

void soqi_accept_settle(struct soq_loop *loop, struct soq_socket *s, struct soqi_ops *ended)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];
	struct soq_op *op = lane->queue.first;
	bool multishot = (op->priv.flags & SOQ_MULTISHOT) != 0;
	bool unbounded = (op->priv.flags & (SOQI_OP_SYNC | SOQI_OP_BOUNDED)) == SOQI_OP_SYNC;
	int32_t result = lane->result;

	if (result >= 0) {
		soqi_accept_arrived(loop, s, op, result);
		if (op->priv.length > 0 && op->priv.carried_first != NULL) {
			data_arrived(loop, s, op, ended);
			return;
		}
		/* A multishot that ended on a success lost its place in a full queue: again. */
		result = multishot || !has_arrived(op) ? -EAGAIN : 0;
	} else if (soqi_accept_is_shortage(result) && !unbounded && op->priv.cause == 0 &&
		   loop->dead == 0) {
		soqi_lane_settle(lane, -EAGAIN, ended);
		loop->stats.accept_backoffs++;
		soqi_backoff(loop, lane, SOQI_ACCEPT_BACKOFF_NS);
		return;
	} else if (soqi_accept_is_passing(result) || (multishot && result == -ECANCELED)) {
		/* A multishot nobody cancelled made room for its arrivals to be taken. */
		result = -EAGAIN;
	}
	if (result < 0 && result != -EAGAIN && op->priv.cause != 0)
		result = op->priv.cause;
	soqi_lane_settle(lane, result, ended);
}

void soqi_accept_start(struct soq_socket *s, struct soq_op *op, uint32_t flags,
		       struct soq_socket *target, void *buffer, size_t size_bytes)
{
	SOQI_PROBE_START(accept, s, op, s->fd, 0);
	op->priv.data = buffer;
	op->priv.length = size_bytes;
	soqi_op_start(s->loop, s, op, SOQI_KIND_ACCEPT, flags);
	op->priv.address = target;
	if (target != NULL) {
		op->priv.segment = SOQI_TARGET_WAITS;
		soqi_target_begin(op, target);
	}
	soqi_op_start_lane(s, &s->lane[SOQI_LANE_RECV], op);
}

int soq_accept_async(struct soq_socket *s, struct soq_op *op, uint32_t flags)
{
	int error = soqi_start_check(s, op);

	if (error != 0)
		return error;
	if ((flags & ~SOQ_MULTISHOT) != 0 || s->phase != SOQI_PHASE_LISTENING)
		return -EINVAL;
	soqi_accept_start(s, op, flags, NULL, NULL, 0);
	return 0;
}

int soq_accept_into_async(struct soq_socket *s, struct soq_op *op, struct soq_socket *target)
{
	int error = soqi_start_check(s, op);

	if (error == 0 && s->phase != SOQI_PHASE_LISTENING)
		error = -EINVAL;
	if (error == 0)
		error = soqi_target_check(s, target);
	if (error == 0)
		soqi_accept_start(s, op, 0, target, NULL, 0);
	return error;
}

static bool multishot_armed(const struct soq_socket *s)
{
	const struct soq_op *op = s->lane[SOQI_LANE_RECV].queue.first;

	for (; op != NULL; op = op->priv.next)
		if (op->priv.flags & SOQ_MULTISHOT)
			return true;
	return false;
}

int soqi_accept_begin_sync(struct soq_socket *s, struct soq_op *op)
{
	return multishot_armed(s) ? -EBUSY : soqi_sync_begin(s, SOQI_LANE_RECV, op);
}

uint32_t soqi_accept_sync_flags(const struct soq_socket *s)
{
	return SOQI_OP_SYNC | (s->receive_timeout_ns >= 0 ? SOQI_OP_BOUNDED : 0);
}

int64_t soqi_accept_end_sync(struct soq_socket *s, struct soq_op *op, struct soq_event *event,
			     struct soq_socket **accepted_out, struct soq_endpoint *peer_out)
{
	int64_t result = soqi_sync_end(s, SOQI_LANE_RECV, op, event);

	if (result < 0)
		return result;
	if (accepted_out != NULL)
		*accepted_out = event->socket;
	/* The peer may be gone again already; then there is no address to tell. */
	if (peer_out != NULL && soq_socket_peer(event->socket, peer_out) != 0)
		peer_out->size_bytes = 0;
	return result;
}

int soq_accept(struct soq_socket *s, struct soq_socket **accepted_out,
	       struct soq_endpoint *peer_out)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;

	if (accepted_out == NULL)
		return -EINVAL;
	if (soqi_is_detached(s))
		return soqi_detached_accept(s, accepted_out, peer_out);
	error = soqi_start_check(s, &op);
	if (error != 0)
		return error;
	if (s->phase != SOQI_PHASE_LISTENING)
		return -EINVAL;
	error = soqi_accept_begin_sync(s, &op);
	if (error != 0)
		return error;
	soqi_accept_start(s, &op, soqi_accept_sync_flags(s), NULL, NULL, 0);
	return (int)soqi_accept_end_sync(s, &op, &event, accepted_out, peer_out);
}

int soq_accept_into(struct soq_socket *s, struct soq_socket *target, struct soq_endpoint *peer_out)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;

	if (soqi_is_detached(s))
		return soqi_detached_accept_into(s, target, peer_out);
	error = soqi_start_check(s, &op);
	if (error == 0 && s->phase != SOQI_PHASE_LISTENING)
		error = -EINVAL;
	if (error == 0)
		error = soqi_target_check(s, target);
	if (error == 0)
		error = soqi_accept_begin_sync(s, &op);
	if (error != 0)
		return error;
	soqi_accept_start(s, &op, soqi_accept_sync_flags(s), target, NULL, 0);
	return (int)soqi_accept_end_sync(s, &op, &event, NULL, peer_out);
}
