/* SPDX-License-Identifier: MIT */
/* The blocking echo in a child process. */
#include "peer.h"

#include "../soqperf/placement.h"
#include "technique.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* There are many threads, most of them for connections on which nothing comes. */
#define STACK_BYTES (64u << 10)

static void *echo(void *argument)
{
	int fd = (int)(intptr_t)argument;
	unsigned char data[TECHNIQUE_ROOM_BYTES];
	ssize_t got;

	while ((got = recv(fd, data, sizeof(data), 0)) > 0) {
		if (send(fd, data, (size_t)got, MSG_NOSIGNAL) != got)
			break;
	}
	close(fd);
	return NULL;
}

/* Until the parent shuts the listener down, which both have. */
static void serve(int listen_fd)
{
	pthread_attr_t small;
	int on = 1, fd;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_t thread;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (pthread_create(&thread, &small, echo, (void *)(intptr_t)fd) != 0)
			close(fd);
		else
			pthread_detach(thread);
	}
}

static int listen_at(struct sockaddr_in *where)
{
	socklen_t size = sizeof(*where);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	*where = (struct sockaddr_in){ .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)where, size) == 0 && listen(fd, SOMAXCONN) == 0 &&
	    getsockname(fd, (struct sockaddr *)where, &size) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

int peer_start(struct peer *peer, int cpu)
{
	pid_t parent = getpid();

	peer->listen_fd = listen_at(&peer->where);
	if (peer->listen_fd < 0)
		return peer->listen_fd;
	peer->pid = fork();
	if (peer->pid < 0) {
		int error = errno;

		close(peer->listen_fd);
		return -error;
	}
	if (peer->pid > 0)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent) {
		if (cpu >= 0)
			placement_pin(cpu);
		serve(peer->listen_fd);
	}
	_exit(0);
}

void peer_stop(struct peer *peer)
{
	shutdown(peer->listen_fd, SHUT_RDWR);
	while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(peer->listen_fd);
}
