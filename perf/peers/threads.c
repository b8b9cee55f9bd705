/* SPDX-License-Identifier: MIT */
/* peer-threads: the echo server with blocking calls, a thread for each connection. */
#include "../twins/twin.h"

#include <errno.h>
#include <fcntl.h>
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

static struct {
	pthread_mutex_t lock; /* of all that follows; taken at begin and end of a connection */
	struct control_report ended;
	struct connection open; /* head of a ring */
	int listen_fd;
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

static void *serve(void *user)
{
	struct connection *c = user;
	ssize_t n;

	while ((n = recv(c->fd, c->buffer, sizeof(c->buffer), 0)) > 0) {
		add(&c->calls, 1);
		add(&c->bytes, (uint64_t)n);
		if (!send_all(c, c->buffer, (size_t)n))
			break;
	}
	end_connection(c);
	return NULL;
}

static void begin_connection(int fd, const pthread_attr_t *attributes)
{
	struct connection *c = malloc(sizeof(*c));
	pthread_t thread;

	if (!c) {
		close(fd);
		return;
	}
	c->fd = fd;
	atomic_init(&c->bytes, 0);
	atomic_init(&c->calls, 0);
	pthread_mutex_lock(&server.lock);
	c->next = &server.open;
	c->prev = server.open.prev;
	c->prev->next = c;
	c->next->prev = c;
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
	while ((fd = accept4(server.listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno != EBADF) {
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
	bool option_given;
	pthread_t thread;
	sigset_t set;
	int number;

	server.listen_fd = twin_open(argc, argv, &twin, &option_given);
	(void)!fcntl(server.listen_fd, F_SETFL, 0); /* to block in accept */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&thread, NULL, accept_all, NULL) != 0)
		return TWIN_EXIT_CANNOT_RUN;
	twin_say_listening(server.listen_fd, &twin);
	do {
		sigwait(&set, &number);
		say_report();
	} while (number == SIGUSR1);
	return EXIT_SUCCESS;
}
