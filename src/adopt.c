/* SPDX-License-Identifier: MIT */
/* Descriptors in and out, sockets on and off a loop. */
#include "descriptors.h"
#include "detached.h"
#include "option.h"
#include "policed.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static int option_int(int fd, int name, int *value_out)
{
	socklen_t size_bytes = sizeof(*value_out);

	return getsockopt(fd, SOL_SOCKET, name, value_out, &size_bytes) == 0 ? 0 : -errno;
}

/* A kernel timeout as one of ours, where 0 there is "for ever". */
static int64_t timeout_of(int fd, int name)
{
	struct timeval value = { 0, 0 };
	socklen_t size_bytes = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, name, &value, &size_bytes) != 0 ||
	    (value.tv_sec == 0 && value.tv_usec == 0))
		return -1;
	if (value.tv_sec >= INT64_MAX / SOQI_NS_PER_S)
		return INT64_MAX;
	return value.tv_sec * SOQI_NS_PER_S + value.tv_usec * INT64_C(1000);
}

/* The kernel keeps more seconds than an int has: the longest of ours is as good. */
static int32_t linger_of(int fd)
{
	struct linger linger = { 0, 0 };
	socklen_t size_bytes = sizeof(linger);

	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size_bytes) != 0 || !linger.l_onoff)
		return -1;
	if (linger.l_linger < 0 || linger.l_linger > SOQI_LINGER_MAX_S)
		return SOQI_LINGER_MAX_S;
	return linger.l_linger;
}

void soqi_linger_tell(const struct soq_socket *s, int32_t linger_s)
{
	const struct linger linger = { .l_onoff = linger_s >= 0,
				       .l_linger = linger_s >= 0 ? linger_s : 0 };

	(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* Where a connection is, as TCP tells it; a peer is gone once both sides have ended. */
static void state_of_tcp(struct soq_socket *s)
{
	struct tcp_info info;
	socklen_t size_bytes = sizeof(info);

	if (s->protocol != IPPROTO_TCP ||
	    getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &size_bytes) != 0)
		return;
	switch (info.tcpi_state) {
	case TCP_SYN_SENT:
		/* Whoever started it is waiting for it; a second connect says EALREADY. */
		s->phase = SOQI_PHASE_CUT;
		break;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT:
		s->phase = SOQI_PHASE_CONNECTED;
		s->shut_send = true;
		break;
	default:
		break;
	}
}

static void state_read(struct soq_socket *s)
{
	struct sockaddr_storage peer;
	socklen_t size_bytes = sizeof(peer);
	int listens = 0;

	if (option_int(s->fd, SO_ACCEPTCONN, &listens) == 0 && listens)
		s->phase = SOQI_PHASE_LISTENING;
	else if (getpeername(s->fd, (struct sockaddr *)&peer, &size_bytes) == 0)
		s->phase = SOQI_PHASE_CONNECTED;
	state_of_tcp(s);
	soqi_credentials_note(s);
	s->linger_s = linger_of(s->fd);
	s->receive_timeout_ns = timeout_of(s->fd, SO_RCVTIMEO);
	s->send_timeout_ns = timeout_of(s->fd, SO_SNDTIMEO);
}

/* The descriptor as the place of the socket wants it: blocking or not, and lingering. */
static int place_prepare(struct soq_socket *s, struct soq_loop *loop)
{
	int flags = fcntl(s->fd, F_GETFL);
	/* A detached listener is asked by poll first, and must not wait for a lost race. */
	bool nonblocking = loop == NULL ? s->phase == SOQI_PHASE_LISTENING
					: (loop->backend->socket_flags & SOCK_NONBLOCK) != 0;

	if (s->linger_s > 0 && loop != NULL && s->linger_op == NULL) {
		s->linger_op = soqi_alloc(loop, sizeof(*s->linger_op));
		if (s->linger_op == NULL)
			return -ENOMEM;
	}
	/* On a loop the kernel never hears of it: see option.c. */
	if (s->linger_s >= 0)
		soqi_linger_tell(s, loop != NULL ? -1 : s->linger_s);
	if (nonblocking != ((flags & O_NONBLOCK) != 0) && (nonblocking || !s->nonblocking))
		(void)fcntl(s->fd, F_SETFL, flags ^ O_NONBLOCK);
	return 0;
}

/* The descriptor as it is given away. */
static void place_leave(struct soq_socket *s)
{
	int flags = fcntl(s->fd, F_GETFL);

	if (((flags & O_NONBLOCK) != 0) != s->nonblocking)
		(void)fcntl(s->fd, F_SETFL, flags ^ O_NONBLOCK);
	soqi_linger_tell(s, s->linger_s);
}

static struct soq_socket *place_alloc(struct soq_loop *loop)
{
	return loop != NULL ? soqi_slot_alloc(loop) : soqi_detached_alloc();
}

/* Gives a handle back whose descriptor is elsewhere. */
static void place_free(struct soq_socket *s)
{
	struct soq_loop *loop = s->loop;

	soqi_path_forget(s);
	if (loop == NULL) {
		soqi_detached_free(s);
		return;
	}
	soqi_free(loop, s->linger_op, sizeof(*s->linger_op));
	s->linger_op = NULL;
	soqi_watch_free(s);
	s->fd = -1;
	for (unsigned i = 0; i < 2; i++)
		soqi_backoff_forget(loop, &s->lane[i]);
	soqi_slot_free(s);
}

int soq_socket_adopt(struct soq_loop *loop, int fd, struct soq_socket **s_out)
{
	int family, type, protocol = 0;
	struct soq_socket *s;
	int error;

	if (s_out == NULL)
		return -EINVAL;
	error = loop != NULL ? soqi_loop_check(loop) : 0;
	if (error == 0)
		error = option_int(fd, SO_DOMAIN, &family);
	if (error == 0)
		error = option_int(fd, SO_TYPE, &type);
	if (error != 0)
		return error;
	(void)option_int(fd, SO_PROTOCOL, &protocol);
	s = place_alloc(loop);
	if (s == NULL)
		return -ENOMEM;
	soqi_socket_is(s, fd, family, type, protocol);
	s->nonblocking = (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
	state_read(s);
	if (loop != NULL && soqi_unlikely(loop->policy != NULL))
		error = soqi_policed_come(s, loop);
	if (error == 0)
		error = place_prepare(s, loop);
	if (error != 0) {
		place_free(s);
		return error;
	}
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	*s_out = s;
	return 0;
}

/* Whether nothing of the socket is under way: no op, no request, no arrival to be taken. */
static bool is_quiet(struct soq_socket *s)
{
	for (unsigned i = 0; i < 2; i++)
		if (s->lane[i].queue.first != NULL || s->lane[i].in_kernel || s->lane[i].settled)
			return false;
	if (!soqi_watch_idle(s) || soqi_accept_has_arrivals(s) || s->carriers.first != NULL ||
	    s->zerocopy_holds > 0)
		return false;
	return true;
}

/* A watch nobody waits for may still be armed: that is no business of the caller's. */
int soqi_quiet_check(struct soq_socket *s)
{
	struct soq_loop *loop = s->loop;
	struct soqi_watch *watch = s->watch;
	int64_t until_ns = SOQI_NOW;

	/* It may be let go within the first turn, and then nothing is left to wait for. */
	while (watch != NULL && watch->lane.queue.first == NULL && !soqi_watch_idle(s)) {
		soqi_lane_dirty(loop, &watch->lane);
		(void)soqi_turn(loop, until_ns);
		until_ns = SOQI_FOREVER;
	}
	return is_quiet(s) ? 0 : -EBUSY;
}

int soq_socket_release(struct soq_socket *s)
{
	int error = soqi_socket_check(s);
	int fd;

	if (error == 0)
		error = soqi_is_detached(s) ? soqi_detached_quiet(s) : soqi_quiet_check(s);
	if (error != 0)
		return error;
	if (s->loop != NULL)
		s->loop->backend->detach(s->loop, s);
	place_leave(s);
	fd = s->fd;
	place_free(s);
	return fd;
}

/* Moves a quiet socket to another place: `loop`, or none. */
static int move(struct soq_socket *s, struct soq_loop *loop, struct soq_socket **s_out)
{
	struct soq_socket *to = place_alloc(loop);
	int error;

	if (to == NULL)
		return -ENOMEM;
	soqi_socket_is(to, s->fd, s->family, s->type, s->protocol);
	to->phase = s->phase;
	to->nonblocking = s->nonblocking;
	to->linger_s = s->linger_s;
	error = soqi_path_move(s, to);
	if (error == 0) {
		if (s->loop != NULL)
			s->loop->backend->detach(s->loop, s);
		error = place_prepare(to, loop);
	}
	if (error != 0) {
		place_free(to);
		return error;
	}
	to->user = s->user;
	to->receive_timeout_ns = s->receive_timeout_ns;
	to->send_timeout_ns = s->send_timeout_ns;
	to->error = s->error;
	to->shut_send = s->shut_send;
	to->credentials = s->credentials;
	if (loop == NULL && s->loop != NULL)
		soqi_detached_policy_give(to, soq_policy_retain(s->loop->policy));
	if (s->family == AF_INET)
		to->multicast_interface = s->multicast_interface;
	memcpy(to->bytes, s->bytes, sizeof(to->bytes));
	memcpy(to->messages, s->messages, sizeof(to->messages));
	to->reuse_chosen = s->reuse_chosen;
	to->epipe_seen = s->epipe_seen;
	to->fin_seen = s->fin_seen;
	for (unsigned i = 0; i < 2; i++)
		to->lane[i].sync_cause = s->lane[i].sync_cause;
	place_free(s);
	*s_out = to;
	return 0;
}

int soq_socket_detach(struct soq_socket *s, struct soq_socket **s_out)
{
	int error;

	if (s_out == NULL)
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error == 0 && soqi_is_detached(s))
		error = -EINVAL;
	if (error == 0)
		error = soqi_quiet_check(s);
	return error != 0 ? error : move(s, NULL, s_out);
}

int soq_socket_attach(struct soq_loop *loop, struct soq_socket *s, struct soq_socket **s_out)
{
	int error;

	if (loop == NULL || s == NULL || s_out == NULL || !soqi_is_detached(s))
		return -EINVAL;
	error = soqi_loop_check(loop);
	if (error == 0)
		error = soqi_detached_quiet(s);
	/* Nothing it may not do comes to be allowed by that. */
	if (error == 0 && !soqi_policy_within(loop->policy, soqi_detached_policy(s)))
		error = -EACCES;
	if (error == 0 && soqi_unlikely(loop->policy != NULL))
		error = soqi_policed_come(s, loop);
	return error != 0 ? error : move(s, loop, s_out);
}
