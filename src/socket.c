/* SPDX-License-Identifier: MIT */
/* Opening, binding, listening, and what a socket tells of itself. */
#include "detached.h"
#include "endpoint.h"
#include "policed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <soq/socket.h>
#include <string.h>
#include <unistd.h>

/* SOCK_PACKET; above it are flags. */
#define TYPE_MAX 10

/* Protocol 0 is the family's choice: the kernel tells which. */
static int protocol_of(int fd, int asked)
{
	int protocol = asked;
	socklen_t size_bytes = sizeof(protocol);

	if (asked == 0)
		(void)getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size_bytes);
	return protocol;
}

/*
 * An IPv6 socket that takes IPv4 too, whatever the system does with new ones; IPv4 where
 * there is no IPv6. `*family` is what it has become.
 */
static int open_dual(int *family, int type, int protocol)
{
	const int off = 0;
	int fd = socket(AF_INET6, type, protocol);
	int error;

	*family = AF_INET6;
	if (fd < 0 && errno == EAFNOSUPPORT) {
		*family = AF_INET;
		return socket(AF_INET, type, protocol);
	}
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0)
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

static int open_now(int *family, int type, int protocol)
{
	return *family == AF_UNSPEC ? open_dual(family, type, protocol)
				    : socket(*family, type, protocol);
}

int soq_supports(int family, int type, int protocol)
{
	int fd;

	if (type < 0 || type > TYPE_MAX)
		return -EINVAL;
	fd = open_now(&family, type | SOCK_CLOEXEC, protocol);
	if (fd >= 0) {
		(void)close(fd);
		return 1;
	}
	switch (errno) {
	case EAFNOSUPPORT:
	case ESOCKTNOSUPPORT:
	case EPROTONOSUPPORT:
	case EPROTOTYPE:
	case ENOPROTOOPT: /* MPTCP that was switched off */
	case EOPNOTSUPP:
	case ENODEV: /* vsock without a way for datagrams */
	case EINVAL:
		return 0;
	default:
		return -errno;
	}
}

int soq_socket_open(struct soq_loop *loop, int family, int type, int protocol,
		    struct soq_socket **s_out)
{
	int flags = SOCK_CLOEXEC | (loop != NULL ? loop->backend->socket_flags : 0);
	struct soq_socket *s;
	int error;
	int fd;

	if (s_out == NULL)
		return -EINVAL;
	error = loop != NULL ? soqi_loop_check(loop) : 0;
	if (error != 0)
		return error;
	if (type < 0 || type > TYPE_MAX)
		return -EINVAL;
	fd = open_now(&family, type | flags, protocol);
	if (fd < 0)
		return -errno;
	s = loop != NULL ? soqi_slot_alloc(loop) : soqi_detached_alloc();
	if (s == NULL) {
		(void)close(fd);
		return -ENOMEM;
	}
	soqi_socket_is(s, fd, family, type, protocol_of(fd, protocol));
	*s_out = s;
	return 0;
}

static int bind_now(struct soq_socket *s, const struct soq_endpoint *ep)
{
	const int on = 1;
	struct soq_endpoint copy;
	int error = 0;

	if (soqi_is_policed(s)) {
		error = soqi_policed_copy(s, SOQ_POLICY_BIND, NULL, ep, &copy);
		ep = &copy;
	}
	if (error == 0)
		error = soqi_path_reserve(s, ep);
	if (error != 0)
		return error;
	/*
	 * On Linux it lets a TCP listener take over from TIME_WAIT, not from a live one.
	 * UDP sockets would share the port.
	 */
	if (s->protocol == IPPROTO_TCP && !s->reuse_chosen)
		(void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s->fd, &ep->addr.any, soqi_endpoint_kernel_size(ep)) != 0) {
		error = -errno;
		soqi_path_unmade(s);
		return error;
	}
	soqi_path_made(s);
	return 0;
}

int soq_bind(struct soq_socket *s, const struct soq_endpoint *ep)
{
	int error;

	if (ep == NULL)
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error == 0)
		error = soqi_endpoint_check(s, ep);
	if (error != 0)
		return error;
	if (!soqi_is_detached(s))
		return bind_now(s, ep);
	soqi_detached_enter(s);
	error = bind_now(s, ep);
	soqi_detached_leave(s);
	return error;
}

static int listen_now(struct soq_socket *s, int backlog)
{
	if (s->phase != SOQI_PHASE_FRESH && s->phase != SOQI_PHASE_LISTENING)
		return -EISCONN;
	if (soqi_is_policed(s)) {
		int error = soqi_policed_listen(s);

		if (error != 0)
			return error;
	}
	/* The kernel cuts it to net.core.somaxconn. */
	if (listen(s->fd, backlog > 0 ? backlog : INT32_MAX) != 0)
		return -errno;
	s->phase = SOQI_PHASE_LISTENING;
	return 0;
}

int soq_listen(struct soq_socket *s, int backlog)
{
	int error = soqi_socket_check(s);

	if (error != 0)
		return error;
	if (!soqi_is_detached(s))
		return listen_now(s, backlog);
	soqi_detached_enter(s);
	error = listen_now(s, backlog);
	/* Threads that poll it race for what is there: none may be left waiting. */
	if (error == 0)
		(void)fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
	soqi_detached_leave(s);
	return error;
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
	return s != NULL && soqi_is_alive(s) ? s->loop : NULL;
}

void *soq_socket_user(const struct soq_socket *s)
{
	return s != NULL && soqi_is_alive(s) ? s->user : NULL;
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
	if (soqi_is_detached(s))
		soqi_detached_lock(s);
	s->receive_timeout_ns = receive_ns;
	s->send_timeout_ns = send_ns;
	if (soqi_is_detached(s))
		soqi_detached_unlock(s);
	return 0;
}

/* The first release's size: a program built against it must go on working. */
#define INFO_SIZE_MIN sizeof(struct soq_socket_info)

/*
 * Whether the kernel's name of a socket is one: anything but the wildcard at port 0, or
 * a unix socket's empty one. What a raw socket has for a port is its protocol, and vsock
 * has all bits for "any".
 */
bool soqi_is_bound(const struct soq_socket *s)
{
	static const unsigned char nothing[sizeof(struct sockaddr_storage)];
	struct soq_endpoint ep;
	socklen_t size_bytes = sizeof(ep.addr);
	const socklen_t from = sizeof(sa_family_t);

	memset(&ep, 0, sizeof(ep));
	if (getsockname(s->fd, &ep.addr.any, &size_bytes) != 0 || size_bytes <= from)
		return false;
	if (s->family == AF_UNIX)
		return true;
	if (s->family == AF_VSOCK)
		return ((const struct sockaddr_vm *)&ep.addr)->svm_port != VMADDR_PORT_ANY;
	if (s->family == AF_INET && s->type == SOCK_RAW)
		ep.addr.ipv4.sin_port = 0;
	if (s->family == AF_INET6 && s->type == SOCK_RAW)
		ep.addr.ipv6.sin6_port = 0;
	return memcmp((const unsigned char *)&ep.addr + from, nothing, size_bytes - from) != 0;
}

int soq_socket_info(struct soq_socket *s, struct soq_socket_info *info)
{
	struct soq_socket_info now = { .size = 0 };
	int error;

	if (info == NULL || info->size < INFO_SIZE_MIN || info->size > sizeof(*info))
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	now.size = info->size;
	now.family = s->family;
	now.type = s->type;
	now.protocol = s->protocol;
	now.detached = soqi_is_detached(s);
	if (now.detached)
		soqi_detached_lock(s);
	now.state = s->phase;
	now.error = s->error;
	now.receive_timeout_ns = s->receive_timeout_ns >= 0 ? s->receive_timeout_ns : -1;
	now.send_timeout_ns = s->send_timeout_ns >= 0 ? s->send_timeout_ns : -1;
	if (now.detached)
		soqi_detached_unlock(s);
	now.bound = soqi_is_bound(s);
	if (now.detached)
		soqi_detached_refusals(s, &now.policy_refusals, &now.last_refused_rule);
	memcpy(info, &now, info->size);
	return 0;
}
