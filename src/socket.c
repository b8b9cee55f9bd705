/* SPDX-License-Identifier: MIT */
/* Opening, binding, listening, and what a socket tells of itself. */
#include "socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <soq/socket.h>
#include <string.h>
#include <unistd.h>

static int open_check(int family, int type, int protocol)
{
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (type != SOCK_STREAM)
		return -ESOCKTNOSUPPORT;
	return protocol == 0 || protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
}

int soq_socket_open(struct soq_loop *loop, int family, int type, int protocol,
		    struct soq_socket **s_out)
{
	struct soq_socket *s;
	int error;
	int fd;

	if (loop == NULL || s_out == NULL)
		return -EINVAL;
	error = soqi_loop_check(loop);
	if (error == 0)
		error = open_check(family, type, protocol);
	if (error != 0)
		return error;
	fd = socket(family, type | SOCK_CLOEXEC | loop->backend->socket_flags, protocol);
	if (fd < 0)
		return -errno;
	s = soqi_slot_alloc(loop);
	if (s == NULL) {
		(void)close(fd);
		return -ENOMEM;
	}
	s->fd = fd;
	s->family = (uint16_t)family;
	*s_out = s;
	return 0;
}

int soq_bind(struct soq_socket *s, const struct soq_endpoint *ep)
{
	const int on = 1;
	int error;

	if (ep == NULL || ep->size_bytes == 0 || ep->size_bytes > sizeof(ep->addr) ||
	    ep->reserved != 0)
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	if (ep->addr.any.sa_family != s->family)
		return -EAFNOSUPPORT;
	/* On Linux it lets a listener take over from TIME_WAIT, not from a live one. */
	(void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(s->fd, &ep->addr.any, ep->size_bytes) == 0 ? 0 : -errno;
}

int soq_listen(struct soq_socket *s, int backlog)
{
	int error = soqi_socket_check(s);

	if (error != 0)
		return error;
	if (s->phase != SOQI_PHASE_FRESH && s->phase != SOQI_PHASE_LISTENING)
		return -EISCONN;
	/* The kernel cuts it to net.core.somaxconn. */
	if (listen(s->fd, backlog > 0 ? backlog : INT32_MAX) != 0)
		return -errno;
	s->phase = SOQI_PHASE_LISTENING;
	return 0;
}

typedef int name_fn(int fd, struct sockaddr *addr, socklen_t *size_bytes);

static int name_get(struct soq_socket *s, name_fn *get, struct soq_endpoint *ep_out)
{
	struct soq_endpoint ep;
	socklen_t size_bytes = sizeof(ep.addr);
	int error;

	if (ep_out == NULL)
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	memset(&ep, 0, sizeof(ep));
	if (get(s->fd, &ep.addr.any, &size_bytes) != 0)
		return -errno;
	ep.size_bytes = size_bytes;
	*ep_out = ep;
	return 0;
}

/* glibc declares these with a transparent union, which no function pointer matches. */
static int local_of(int fd, struct sockaddr *addr, socklen_t *size_bytes)
{
	return getsockname(fd, addr, size_bytes);
}

static int peer_of(int fd, struct sockaddr *addr, socklen_t *size_bytes)
{
	return getpeername(fd, addr, size_bytes);
}

int soq_socket_local(struct soq_socket *s, struct soq_endpoint *ep_out)
{
	return name_get(s, local_of, ep_out);
}

int soq_socket_peer(struct soq_socket *s, struct soq_endpoint *ep_out)
{
	return name_get(s, peer_of, ep_out);
}

struct soq_loop *soq_socket_loop(const struct soq_socket *s)
{
	return s != NULL && s->state == SOQI_SOCKET_OPEN ? s->loop : NULL;
}

void *soq_socket_user(const struct soq_socket *s)
{
	return s != NULL && s->state == SOQI_SOCKET_OPEN ? s->user : NULL;
}

int soq_socket_set_user(struct soq_socket *s, void *user)
{
	int error = soqi_socket_check(s);

	if (error == 0)
		s->user = user;
	return error;
}

int soq_socket_set_timeouts(struct soq_socket *s, int64_t receive_ns, int64_t send_ns)
{
	int error = soqi_socket_check(s);

	if (error != 0)
		return error;
	s->receive_timeout_ns = receive_ns;
	s->send_timeout_ns = send_ns;
	return 0;
}
