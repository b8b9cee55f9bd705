/* SPDX-License-Identifier: MIT */
/*
 * Telling a reset from an end of stream. The kernel gives a connection's error to
 * whichever request runs first, once; the other sees a 0 or -EPIPE. So the first
 * error stays with the socket, and the other reports it too.
 */
#include "socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

/* MPTCP too: it answers for TCP_INFO of its first subflow. */
static bool is_tcp(const struct soq_socket *s)
{
	return (s->family == AF_INET || s->family == AF_INET6) && soqi_is_stream(s);
}

static bool breaks_connection(int32_t result)
{
	switch (result) {
	case -ECONNRESET:
	case -ECONNABORTED:
	case -ETIMEDOUT:
	case -EHOSTUNREACH:
	case -EHOSTDOWN:
	case -ENETUNREACH:
	case -ENETDOWN:
	case -ENETRESET:
	case -EPROTO:
	case -ENONET:
		return true;
	default:
		return false;
	}
}

/* The first error of a connection stays with it. */
static void keep(struct soq_socket *s, int32_t error)
{
	s->error = (int16_t)error;
	if (error != 0 && s->loop != NULL)
		s->loop->stats.connections_broken++;
}

void soqi_judge_note(struct soq_socket *s, int32_t result)
{
	if (s->error != 0 || s->phase != SOQI_PHASE_CONNECTED || !soqi_is_connection(s))
		return;
	if (breaks_connection(result))
		keep(s, result);
	else if (result == -EPIPE && !s->shut_send)
		s->epipe_seen = true;
}

static bool tcp_is_closed(const struct soq_socket *s)
{
	struct tcp_info info;
	socklen_t size_bytes = sizeof(info);

	if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &size_bytes) != 0)
		return false;
	return info.tcpi_state == TCP_CLOSE;
}

/*
 * With nothing kept and our send side open, a connection that is in CLOSE was
 * reset, unless the FIN came first: a reset after it leaves EPIPE as the error
 * where one out of the blue leaves ECONNRESET. A send may have taken that error
 * already, in this very turn.
 */
static int32_t judge_zero(struct soq_socket *s)
{
	int error = 0;
	socklen_t size_bytes = sizeof(error);

	if (s->shut_send || s->fin_seen || s->epipe_seen || !is_tcp(s) || !tcp_is_closed(s))
		return 0;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) == 0 && error == EPIPE)
		return 0;
	keep(s, error != 0 ? -error : -ECONNRESET);
	return s->error;
}

int32_t soqi_judge_receive(struct soq_socket *s, int32_t result)
{
	if (result != 0 || !soqi_is_connection(s))
		return result;
	if (s->error != 0)
		return s->error;
	result = judge_zero(s);
	if (result == 0)
		s->fin_seen = true;
	return result;
}

/*
 * The kernel looks at what was shut before it looks at the error: a send on a unix
 * stream that was reset says EPIPE, and the error stays for whoever asks.
 */
static int32_t unix_error(const struct soq_socket *s)
{
	int error = 0;
	socklen_t size_bytes = sizeof(error);

	if (s->family != AF_UNIX ||
	    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) != 0)
		return 0;
	return -error;
}

int32_t soqi_judge_send(struct soq_socket *s, int32_t result)
{
	if (result != -EPIPE || s->shut_send || !soqi_is_connection(s))
		return result;
	if (s->error == 0 && !s->fin_seen)
		keep(s, unix_error(s));
	if (s->error != 0)
		return s->error;
	s->fin_seen = true;
	return result;
}

/*
 * The kernel forgets what it tells, and it tells more than what has ended the connection:
 * a host that was unreachable for a while is no reason to call it broken.
 */
int soqi_judge_take(struct soq_socket *s, int32_t *error_out)
{
	int error = 0;
	socklen_t size_bytes = sizeof(error);

	/* It would be taken from the connect that waits for it. */
	if (s->phase == SOQI_PHASE_CONNECTING) {
		*error_out = 0;
		return 0;
	}
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) != 0)
		return -errno;
	if (!is_tcp(s) || tcp_is_closed(s))
		soqi_judge_note(s, -error);
	*error_out = s->error != 0 ? s->error : -error;
	return 0;
}

/* A unix socket gets ECONNRESET when its peer closes with bytes of ours unread. */
static bool unix_is_closed(const struct soq_socket *s)
{
	struct pollfd fd = { .fd = s->fd };

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP);
}

bool soqi_judge_may_tell_more(const struct soq_socket *s, int32_t result)
{
	if ((result != -EPIPE && result != 0) || s->shut_send || s->error != 0 || s->fin_seen ||
	    (result == 0 && s->epipe_seen))
		return false;
	if (s->family == AF_UNIX)
		return soqi_is_connection(s) && unix_is_closed(s);
	return is_tcp(s) && tcp_is_closed(s);
}

/*
 * Both lanes were in the kernel when the connection broke. The receive may be the
 * one that gets the error, in a later completion than our -EPIPE; the connection
 * is closed, so it comes at once.
 */
bool soqi_judge_must_hold(const struct soq_socket *s, int32_t result)
{
	return result == -EPIPE && s->lane[SOQI_LANE_RECV].in_kernel &&
	       soqi_judge_may_tell_more(s, result);
}
