/* SPDX-License-Identifier: MIT */
/*
 * Sockets that get another descriptor under the same handle: the target of an accept, and
 * one that is disconnected to be used again. While that is under way the socket is
 * SOQI_SOCKET_BUSY: calls on it are -EBUSY, but for those that close it. The op of a target's
 * accept is its `target_op`, where one that receives has its bufs; a disconnect is at the
 * head of the send lane.
 */
#include "descriptors.h"
#include "detached.h"
#include "option.h"

#include <errno.h>
#include <soq/accept.h>
#include <soq/connect.h>
#include <sys/socket.h>
#include <unistd.h>

void soqi_renew(struct soq_socket *s, int fd, enum soqi_socket_phase phase)
{
	if (s->loop != NULL)
		s->loop->backend->detach(s->loop, s);
	soqi_path_remove(s);
	(void)close(s->fd);
	s->fd = fd;
	s->phase = (unsigned int)phase & 7U;
	s->error = 0;
	s->shut_send = false;
	s->epipe_seen = false;
	s->fin_seen = false;
	s->was_connected = false;
	s->was_shut = false;
	s->nonblocking = false;
	s->zerocopy_off = false;
	s->zerocopy_copied = 0;
	/* An accepted one has it from its listener. */
	s->credentials = s->family == AF_UNIX && soqi_credentials_told(fd);
	for (unsigned i = 0; i < 2; i++)
		s->lane[i].sync_cause = 0;
}

int soqi_target_check(const struct soq_socket *s, struct soq_socket *target)
{
	int error;

	if (target == NULL)
		return -EINVAL;
	if (target->loop != s->loop)
		return -EXDEV;
	if (s->loop != NULL) {
		error = soqi_state_check(target);
		if (error != 0)
			return error;
	}
	if (target->family != s->family || target->type != s->type ||
	    target->protocol != s->protocol)
		return -EINVAL;
	if (s->loop != NULL) {
		error = soqi_quiet_check(target);
		if (error != 0)
			return error;
	}
	return target->phase == SOQI_PHASE_FRESH && !soqi_is_bound(target) ? 0 : -EISCONN;
}

void soqi_target_begin(struct soq_op *op, struct soq_socket *target)
{
	target->state = SOQI_SOCKET_BUSY;
	target->is_target = true;
	target->target_op = op;
}

bool soqi_target_arrived(struct soq_op *op, int fd)
{
	struct soq_socket *target = op->priv.address;

	/* It was closed meanwhile. */
	if (target == NULL)
		return false;
	soqi_renew(target, fd, SOQI_PHASE_CONNECTED);
	op->priv.segment = SOQI_TARGET_TAKEN;
	return true;
}

static void target_forget(struct soq_socket *target)
{
	target->is_target = false;
	target->carriers = (struct soqi_carriers){ NULL, NULL };
}

void soqi_target_end(struct soq_op *op, struct soq_event *event)
{
	struct soq_socket *target = op->priv.address;

	if (target == NULL)
		return;
	target_forget(target);
	target->state = SOQI_SOCKET_OPEN;
	if (op->priv.result == 0)
		event->socket = target;
}

/* Its event, made or not, is told that there is no target any more. */
static void target_leave(struct soq_socket *target)
{
	struct soq_op *op = target->target_op;

	target_forget(target);
	op->priv.address = NULL;
	if (soqi_op_state(op) == SOQI_STATE_ENDED) {
		if (op->priv.result == 0)
			op->priv.result = -ECANCELED;
	} else if (op->priv.cause == 0) {
		soqi_op_cut(target->loop, op, -ECANCELED);
	}
}

void soqi_busy_leave(struct soq_socket *s)
{
	s->state = SOQI_SOCKET_OPEN;
	if (s->is_target)
		target_leave(s);
}

/* Whether nothing of the receive side is left, so that the descriptor may go. */
static bool receives_ended(const struct soq_socket *s)
{
	const struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];

	return lane->queue.first == NULL && !lane->settled && soqi_watch_idle(s);
}

bool soqi_disconnect_waits(const struct soq_socket *s)
{
	return s->state == SOQI_SOCKET_BUSY && !receives_ended(s);
}

void soqi_busy_go(struct soq_socket *s)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_SEND];

	if (lane->queue.first != NULL && lane->queue.first->priv.kind == SOQI_KIND_DISCONNECT &&
	    receives_ended(s))
		soqi_lane_dirty(s->loop, lane);
}

int soqi_reopen(struct soq_socket *s)
{
	int flags = SOCK_CLOEXEC | (s->loop != NULL ? s->loop->backend->socket_flags : 0);
	int fd = socket(s->family, s->type | flags, s->protocol);
	int error;

	if (fd < 0)
		return -errno;
	error = soqi_options_carry(s, fd);
	if (error != 0) {
		(void)close(fd);
		return error;
	}
	/* The old one's close may not block, nor reset what was shut in good order. */
	if (s->loop == NULL && s->linger_s >= 0)
		soqi_linger_tell(s, -1);
	soqi_renew(s, fd, SOQI_PHASE_FRESH);
	if (s->loop == NULL && s->linger_s >= 0)
		soqi_linger_tell(s, s->linger_s);
	return 0;
}
