/* SPDX-License-Identifier: MIT */
/*
 * peer-threads: the servers with blocking calls, a thread for each connection, one for
 * datagrams.
 */
#include "../twins/twin.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES 65536u

/* A connection. It alone writes its counters; whoever makes a report reads them. */
struct connection {
	int fd;
	_Atomic uint64_t bytes;
	_Atomic uint64_t calls;
	struct connection *next;
	struct connection *prev;
	unsigned char buffer[TWIN_BUFFER_BYTES]; /* on a stack it would be cleared, so touched */
};

/* What sinks throw away, which nobody looks at, and the one datagram. */
static unsigned char hot[TWIN_SINK_BYTES];

static struct {
	pthread_mutex_t lock; /* of all that follows; taken at begin and end of a connection */
	struct control_report ended;
	struct connection open; /* head of a ring */
	int fd;                 /* listens, or is the datagram role's */
	enum twin_role role;
} server = { .lock = PTHREAD_MUTEX_INITIALIZER,
	     .open = { .next = &server.open, .prev = &server.open } };

static void add(_Atomic uint64_t *counter, uint64_t count)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count,
			      memory_order_relaxed);
}

static bool send_all(struct connection *c, const unsigned char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(c->fd, data, bytes, MSG_NOSIGNAL);

		add(&c->calls, 1);
		if (n < 0)
			return false;
		data += n;
		bytes -= (size_t)n;
	}
	return true;
}

static void end_connection(struct connection *c)
{
	pthread_mutex_lock(&server.lock);
	server.ended.bytes += c->bytes;
	server.ended.requests += c->calls;
	c->prev->next = c->next;
	c->next->prev = c->prev;
	pthread_mutex_unlock(&server.lock);
	close(c->fd);
	free(c);
}

static void echo(struct connection *c)
{
	ssize_t n;

	while ((n = recv(c->fd, c->buffer, sizeof(c->buffer), 0)) > 0) {
		add(&c->calls, 1);
		add(&c->bytes, (uint64_t)n);
		if (!send_all(c, c->buffer, (size_t)n))
			break;
	}
}

static void sink(struct connection *c)
{
	ssize_t n;

	while ((n = recv(c->fd, hot, sizeof(hot), 0)) > 0) {
		add(&c->calls, 1);
		add(&c->bytes, (uint64_t)n);
	}
}

static void source(struct connection *c)
{
	struct iovec parts[TWIN_GATHERED];
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = TWIN_GATHERED };
	uint64_t position_bytes = 0;
	ssize_t n;

	do {
		twin_gather(position_bytes, parts);
		n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
		add(&c->calls, 1);
		if (n > 0)
			add(&c->bytes, (uint64_t)n);
		position_bytes += (uint64_t)n;
	} while (n >= 0);
}

static void *serve(void *user)
{
	struct connection *c = user;

	if (server.role == TWIN_SINK)
		sink(c);
	else if (server.role == TWIN_SOURCE)
		source(c);
	else
		echo(c);
	end_connection(c);
	return NULL;
}

static struct connection *add_connection(int fd)
{
	struct connection *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	atomic_init(&c->bytes, 0);
	atomic_init(&c->calls, 0);
	pthread_mutex_lock(&server.lock);
	c->next = &server.open;
	c->prev = server.open.prev;
	c->prev->next = c;
	c->next->prev = c;
	pthread_mutex_unlock(&server.lock);
	return c;
}

/* The socket counts as a connection that nobody accepted. */
static void *echo_datagrams(void *user)
{
	struct connection *c = add_connection(server.fd);
	struct sockaddr_in6 peer; /* as large as either family's */

	(void)user;
	while (c) {
		socklen_t peer_bytes = sizeof(peer);
		ssize_t n = recvfrom(c->fd, hot, sizeof(hot), 0, (struct sockaddr *)&peer,
				     &peer_bytes);

		add(&c->calls, 2);
		if (n >= 0 &&
		    sendto(c->fd, hot, (size_t)n, 0, (struct sockaddr *)&peer, peer_bytes) >= 0)
			add(&c->bytes, (uint64_t)n);
	}
	return NULL;
}

static void begin_connection(int fd, const pthread_attr_t *attributes)
{
	struct connection *c = add_connection(fd);
	pthread_t thread;

	if (!c) {
		close(fd);
		return;
	}
	pthread_mutex_lock(&server.lock);
	server.ended.accepts++;
	pthread_mutex_unlock(&server.lock);
	if (pthread_create(&thread, attributes, serve, c) != 0)
		end_connection(c);
}

static void *accept_all(void *user)
{
	pthread_attr_t attributes;
	int fd;

	(void)user;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	while ((fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno != EBADF) {
		if (fd >= 0)
			begin_connection(fd, &attributes);
	}
	return NULL;
}

static void say_report(void)
{
	struct control_report sum;

	pthread_mutex_lock(&server.lock);
	sum = server.ended;
	for (struct connection *c = server.open.next; c != &server.open; c = c->next) {
		sum.bytes += c->bytes;
		sum.requests += c->calls;
	}
	pthread_mutex_unlock(&server.lock);
	control_say_report(STDOUT_FILENO, &sum);
}

int main(int argc, char **argv)
{
	static const struct twin twin = { .name = "peer-threads", .engine = "threads" };
	struct twin_options options;
	pthread_t thread;
	sigset_t set;
	int number;

	server.fd = twin_open(argc, argv, &twin, &options);
	server.role = options.role;
	(void)twin_chunk(0);                 /* fills it before there are threads */
	(void)!fcntl(server.fd, F_SETFL, 0); /* to block in it */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&thread, NULL,
			   options.role == TWIN_DATAGRAM ? echo_datagrams : accept_all, NULL) != 0)
		return TWIN_EXIT_CANNOT_RUN;
	twin_say_listening(server.fd, &twin);
	do {
		sigwait(&set, &number);
		say_report();
	} while (number == SIGUSR1);
	return EXIT_SUCCESS;
}
