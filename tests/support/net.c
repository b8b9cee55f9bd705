/* SPDX-License-Identifier: MIT */
/* Connections for tests: soq to soq, and soq to a plain kernel socket of the test's. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#define NARROW_BYTES 32768

struct soq_socket *open_socket_of(struct fixture *t, int family, int type)
{
	struct soq_socket *s = NULL;

	expect(soq_socket_open(t->home, family, type, 0, &s), 0);
	assert_non_null(s);
	return s;
}

struct soq_socket *open_socket(struct fixture *t, int family)
{
	return open_socket_of(t, family, SOCK_STREAM);
}

struct soq_socket *bound_socket(struct fixture *t, int family, int type, struct soq_endpoint *ep)
{
	struct soq_socket *s = open_socket_of(t, family, type);

	if (family == AF_UNIX)
		unix_abstract(ep);
	else
		expect(soq_endpoint_loopback(family, 0, ep), 0);
	expect(soq_bind(s, ep), 0);
	expect(soq_socket_local(s, ep), 0);
	return s;
}

struct soq_socket *soq_listener(struct fixture *t, int family, struct soq_endpoint *ep)
{
	struct soq_socket *s = open_socket(t, family);

	expect(soq_endpoint_loopback(family, 0, ep), 0);
	expect(soq_bind(s, ep), 0);
	expect(soq_listen(s, 0), 0);
	expect(soq_socket_local(s, ep), 0);
	return s;
}

void pair_soq(struct fixture *t, int family, struct soq_socket **a, struct soq_socket **b)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, family, &ep);
	struct probe *accepted = probe(t);
	struct probe *connected = probe(t);

	*a = open_socket(t, family);
	if (!t->home) {
		expect(soq_connect(*a, &ep), 0);
		expect(soq_accept(listener, b, NULL), 0);
		expect(soq_close(listener), 0);
		return;
	}
	started(accepted, soq_accept_async(listener, &accepted->op, 0));
	started(connected, soq_connect_async(*a, &connected->op, &ep));
	await(t, accepted);
	await(t, connected);
	expect_end(accepted, 0, 0);
	expect_end(connected, 0, 0);
	*b = accepted->socket;
	assert_non_null(*b);
	expect(soq_close(listener), 0);
}

static struct soq_socket *pair_with(struct fixture *t, int family, int bytes, int *fd)
{
	struct soq_endpoint ep;
	int listener = raw_listener(family, 1, bytes, &ep);
	struct soq_socket *s = open_socket(t, family);

	if (bytes) {
		expect(soq_option_set(s, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
		expect(soq_option_set(s, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
	}
	expect(soq_connect(s, &ep), 0);
	*fd = raw_accept(listener);
	if (bytes)
		expect(setsockopt(*fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
	close(listener);
	return s;
}

void pair_unix(struct fixture *t, int type, struct soq_socket **a, struct soq_socket **b)
{
	struct soq_endpoint ep = { 0 };
	struct soq_socket *listener = unix_listener(t, type, &ep);

	*a = open_socket_of(t, AF_UNIX, type);
	expect(soq_connect(*a, &ep), 0);
	expect(soq_accept(listener, b, NULL), 0);
	expect(soq_close(listener), 0);
}

struct soq_socket *pair_raw(struct fixture *t, int family, int *fd)
{
	return pair_with(t, family, 0, fd);
}

struct soq_socket *pair_unix_raw(struct fixture *t, int type, int *fd)
{
	struct soq_endpoint ep = { 0 };
	int listener = raw_unix_listener(type, 1, &ep);
	struct soq_socket *s = open_socket_of(t, AF_UNIX, type);

	expect(soq_connect(s, &ep), 0);
	*fd = raw_accept(listener);
	close(listener);
	return s;
}

struct soq_socket *pair_narrow(struct fixture *t, int family, int *fd)
{
	return pair_with(t, family, NARROW_BYTES, fd);
}

struct datagrams datagrams_bound(struct fixture *t, int family)
{
	struct datagrams d;

	d.a = bound_socket(t, family, SOCK_DGRAM, &d.at_a);
	d.b = bound_socket(t, family, SOCK_DGRAM, &d.at_b);
	return d;
}

struct datagrams datagrams_connected(struct fixture *t, int family)
{
	struct datagrams d = datagrams_bound(t, family);

	expect(soq_connect(d.a, &d.at_b), 0);
	expect(soq_connect(d.b, &d.at_a), 0);
	return d;
}

void datagrams_close(struct datagrams *d)
{
	expect(soq_close(d->a), 0);
	expect(soq_close(d->b), 0);
}

static void set_watchdog(int fd)
{
	int64_t ns = watchdog_ns();
	struct timeval tv = { .tv_sec = ns / 1000000000 };

	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
}

static int raw_bound(int family, struct soq_endpoint *ep)
{
	socklen_t size = sizeof(ep->addr.storage);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	expect_true(fd >= 0);
	expect(soq_endpoint_loopback(family, 0, ep), 0);
	expect(bind(fd, &ep->addr.any, ep->size_bytes), 0);
	expect(getsockname(fd, &ep->addr.any, &size), 0);
	ep->size_bytes = size;
	return fd;
}

int raw_listener(int family, int backlog, int receive_bytes, struct soq_endpoint *ep)
{
	int fd = raw_bound(family, ep);

	if (receive_bytes)
		expect(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(int)), 0);
	set_watchdog(fd);
	expect(listen(fd, backlog), 0);
	return fd;
}

int raw_unix_listener(int type, int backlog, struct soq_endpoint *ep)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	expect_true(fd >= 0);
	if (ep->size_bytes == 0)
		unix_abstract(ep);
	expect(bind(fd, &ep->addr.any, ep->size_bytes) ? -errno : 0, 0);
	set_watchdog(fd);
	expect(listen(fd, backlog), 0);
	return fd;
}

int raw_connect(const struct soq_endpoint *ep)
{
	int fd = socket(ep->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	expect_true(fd >= 0);
	/* Without a timeout yet: with one, the end of an earlier ring may interrupt it. */
	expect(connect(fd, &ep->addr.any, ep->size_bytes) ? -errno : 0, 0);
	set_watchdog(fd);
	return fd;
}

int raw_accept(int listener)
{
	int one = 1, family = 0;
	socklen_t size = sizeof(family);
	int fd;

	do
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	expect(fd < 0 ? -errno : 0, 0);
	set_watchdog(fd);
	expect(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size), 0);
	if (family != AF_UNIX)
		expect(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	return fd;
}

void refused_endpoint(int family, struct soq_endpoint *ep, int *holder)
{
	*holder = raw_bound(family, ep);
}

void full_listener_open(int family, struct full_listener *full)
{
	full->listener = raw_listener(family, 0, 0, &full->ep);
	full->filler = raw_connect(&full->ep);
}

void full_listener_close(struct full_listener *full)
{
	close(full->filler);
	close(full->listener);
}

void raw_send(int fd, const void *data, size_t size)
{
	const char *bytes = data;

	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		expect_true(n > 0);
		bytes += n;
		size -= (size_t)n;
	}
}

void raw_fin(int fd)
{
	expect(shutdown(fd, SHUT_WR), 0);
}

void raw_reset(int fd)
{
	struct linger zero = { .l_onoff = 1, .l_linger = 0 };

	expect(setsockopt(fd, SOL_SOCKET, SO_LINGER, &zero, sizeof(zero)), 0);
	expect(close(fd), 0);
}

int64_t raw_recv(struct fixture *t, int fd, void *memory, size_t size)
{
	struct watch w = watch_start();

	for (;;) {
		ssize_t n = recv(fd, memory, size, MSG_DONTWAIT);

		if (n >= 0)
			return n;
		if (errno != EAGAIN)
			return -errno;
		expect_true(now_ns() < w.until_ns);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, MS) >= 0);
	}
}

int64_t raw_recv_blocking(int fd, void *memory, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, memory, size, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int64_t raw_drain(struct fixture *t, int fd, uint64_t key, uint64_t *bytes)
{
	char piece[65536];
	int64_t n;

	*bytes = 0;
	while ((n = raw_recv(t, fd, piece, sizeof(piece))) > 0) {
		expect_true(is_filled(piece, (size_t)n, key, *bytes));
		*bytes += (uint64_t)n;
	}
	return n;
}

void raw_take(struct fixture *t, int fd, uint64_t key, uint64_t offset, uint64_t bytes)
{
	char piece[65536];

	while (bytes > 0) {
		size_t want = bytes < sizeof(piece) ? bytes : sizeof(piece);
		int64_t n = raw_recv(t, fd, piece, want);

		expect_true(n > 0);
		expect_true(is_filled(piece, (size_t)n, key, offset));
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
}
