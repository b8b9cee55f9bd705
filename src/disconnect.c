/* SPDX-License-Identifier: MIT */
/* Disconnecting: a shutdown after which the socket may be used again, or the peer dissolved. */
#include "detached.h"
#include "policed.h"

#include <errno.h>
#include <soq/connect.h>
#include <soq/stream.h>
#include <sys/socket.h>

static int disconnect_check(const struct soq_socket *s, uint32_t flags)
{
	if ((flags & ~SOQ_REUSE) != 0)
		return -EINVAL;
	return soqi_carries(s) ? 0 : -ENOTCONN;
}

static in_port_t *port_of(struct soq_endpoint *ep)
{
	return ep->addr.any.sa_family == AF_INET6 ? &ep->addr.ipv6.sin6_port
						  : &ep->addr.ipv4.sin_port;
}

/*
 * With the peer the kernel gives back a port that it chose itself, though by a bind: so
 * the socket takes it again. It has the address it was bound to, or none.
 */
static int port_keep(const struct soq_socket *s, in_port_t port)
{
	struct soq_endpoint now = { .size_bytes = sizeof(now.addr) };

	if (getsockname(s->fd, &now.addr.any, &now.size_bytes) != 0 || *port_of(&now) != 0)
		return 0;
	*port_of(&now) = port;
	/* Or it was the connect that took it. */
	if (soqi_is_policed(s) && !soqi_policed_may_keep(s, &now))
		return 0;
	return bind(s->fd, &now.addr.any, now.size_bytes) == 0 ? 0 : -errno;
}

static int dissolve(struct soq_socket *s)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct soq_endpoint old = { .size_bytes = sizeof(old.addr) };
	bool keeps = soqi_is_udp(s) && getsockname(s->fd, &old.addr.any, &old.size_bytes) == 0;

	if (connect(s->fd, &nobody, sizeof(nobody)) != 0) {
		int error = -errno;

		soqi_disconnect_undone(s);
		return error;
	}
	/* A connect behind it may have begun, or it was started behind a connect. */
	if (s->phase == SOQI_PHASE_CONNECTED)
		s->phase = SOQI_PHASE_FRESH;
	s->was_connected = false;
	return keeps ? port_keep(s, *port_of(&old)) : 0;
}

/*
 * Both sides are shut first, which ends the receives in flight; when none is left the
 * descriptor goes. -EAGAIN: not yet.
 */
static int leave_for_reuse(struct soq_socket *s)
{
	if (s->state == SOQI_SOCKET_OPEN) {
		(void)shutdown(s->fd, SHUT_RDWR);
		s->state = SOQI_SOCKET_BUSY;
		soqi_watch_stop(s);
	}
	if (soqi_disconnect_waits(s))
		return -EAGAIN;
	s->state = SOQI_SOCKET_OPEN;
	return soqi_reopen(s);
}

int soqi_disconnect_now(struct soq_socket *s, uint32_t flags)
{
	if (!soqi_is_connection(s))
		return dissolve(s);
	/* A disconnect before it has made it fresh again. */
	if (s->phase != SOQI_PHASE_CONNECTED)
		return -ENOTCONN;
	return (flags & SOQ_REUSE) ? leave_for_reuse(s) : soqi_shutdown_now(s, SOQ_SHUTDOWN_BOTH);
}

void soqi_disconnect_undone(struct soq_socket *s)
{
	if (s->state == SOQI_SOCKET_BUSY)
		s->state = SOQI_SOCKET_OPEN;
	/* The peer was never dissolved. */
	if (!soqi_is_connection(s) && s->phase == SOQI_PHASE_FRESH && s->was_connected)
		s->phase = SOQI_PHASE_CONNECTED;
}

/* What is started behind it knows already what the socket will be. */
static void start(struct soq_socket *s, struct soq_op *op, uint32_t flags, uint32_t own_flags)
{
	op->priv.length = flags;
	soqi_op_start(s->loop, s, op, SOQI_KIND_DISCONNECT, own_flags);
	if (soqi_is_connection(s)) {
		s->shut_send = true;
	} else if (s->phase == SOQI_PHASE_CONNECTED) {
		s->phase = SOQI_PHASE_FRESH;
		s->was_connected = true;
	}
	soqi_op_start_lane(s, &s->lane[SOQI_LANE_SEND], op);
}

int soq_disconnect_async(struct soq_socket *s, struct soq_op *op, uint32_t flags)
{
	int error = soqi_start_check(s, op);

	if (error == 0)
		error = disconnect_check(s, flags);
	if (error == 0)
		start(s, op, flags, 0);
	return error;
}

/* There is no lane: what other threads send meanwhile is their business. */
static int detached(struct soq_socket *s, uint32_t flags)
{
	struct soq_op op = { 0 };
	int error;

	soqi_detached_enter(s);
	error = disconnect_check(s, flags);
	/* What another thread is connecting has no peer yet. */
	if (error == 0 && s->phase != SOQI_PHASE_CONNECTED)
		error = -ENOTCONN;
	if (error == 0 && (flags & SOQ_REUSE) && soqi_is_connection(s) && !soqi_detached_alone(s))
		error = -EBUSY;
	if (error == 0)
		error = soqi_sync_begin(s, SOQI_LANE_SEND, &op);
	if (error == 0) {
		if (soqi_is_connection(s))
			s->shut_send = true;
		error = soqi_disconnect_now(s, flags);
	}
	soqi_detached_leave(s);
	return error;
}

int soq_disconnect(struct soq_socket *s, uint32_t flags)
{
	struct soq_op op = { 0 };
	struct soq_event event;
	int error;

	if (soqi_is_detached(s))
		return detached(s, flags);
	error = soqi_start_check(s, &op);
	if (error == 0)
		error = disconnect_check(s, flags);
	if (error == 0)
		error = soqi_sync_begin(s, SOQI_LANE_SEND, &op);
	if (error != 0)
		return error;
	start(s, &op, flags, SOQI_OP_SYNC);
	return (int)soqi_sync_end(s, SOQI_LANE_SEND, &op, &event);
}
