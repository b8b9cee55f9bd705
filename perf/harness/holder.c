/* SPDX-License-Identifier: MIT */
/* The child process with the far ends of idle connections. */
#include "holder.h"

#include "../common/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* `count` connections to make, or 0: close all. */
struct order {
	struct sockaddr_in where;
	uint32_t count;
};

struct held {
	int *fds;
	uint32_t count;
};

static int connect_one(struct held *held, const struct sockaddr_in *where)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	held->fds[held->count++] = fd;
	return connect(fd, (const struct sockaddr *)where, sizeof(*where)) < 0 ? -errno : 0;
}

static int connect_more(struct held *held, const struct order *order)
{
	int *fds = realloc(held->fds, (held->count + order->count) * sizeof(*fds));
	int ret = 0;

	if (!fds)
		return -ENOMEM;
	held->fds = fds;
	for (uint32_t i = 0; i < order->count && ret == 0; i++)
		ret = connect_one(held, &order->where);
	return ret;
}

/* The count of those that were not silent. */
static int drop_all(struct held *held)
{
	char byte;
	int heard = 0;

	for (uint32_t i = 0; i < held->count; i++) {
		if (recv(held->fds[i], &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
			heard++;
		close(held->fds[i]);
	}
	held->count = 0;
	return heard;
}

/* Until the parent closes its end. */
static void serve(int fd)
{
	struct held held = { NULL, 0 };
	struct order order;

	while (recv(fd, &order, sizeof(order), 0) == (ssize_t)sizeof(order)) {
		int answer = order.count ? connect_more(&held, &order) : drop_all(&held);

		if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			break;
	}
	free(held.fds);
}

int holder_start(struct holder *holder)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	holder->pid = fork();
	if (holder->pid == 0) {
		close(fds[0]);
		limits_raise_files();
		serve(fds[1]);
		_exit(0);
	}
	close(fds[1]);
	holder->fd = fds[0];
	if (holder->pid > 0)
		return 0;
	close(holder->fd);
	return -EAGAIN;
}

static int give(const struct holder *holder, const struct order *order)
{
	int answer;

	if (send(holder->fd, order, sizeof(*order), MSG_NOSIGNAL) < 0 ||
	    recv(holder->fd, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer))
		return -ECONNRESET;
	return answer;
}

int holder_connect(const struct holder *holder, const struct sockaddr_in *where, uint32_t count)
{
	const struct order order = { .where = *where, .count = count };

	return count ? give(holder, &order) : 0;
}

int holder_drop(const struct holder *holder)
{
	const struct order order = { .count = 0 };

	return give(holder, &order);
}

void holder_stop(struct holder *holder)
{
	close(holder->fd);
	while (waitpid(holder->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
