/* SPDX-License-Identifier: MIT */
/* What is compared with: the blocking calls, epoll, and a loop that never sleeps. */
#include "technique.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct raw_state {
	int fd;
	int epoll_fd; /* -1 for those that have none */
	struct control_report report;
};

int technique_connect(const struct sockaddr_in *where)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)where, sizeof(*where)) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

static technique_trip_fn epoll_trip;

static int watch(struct raw_state *s)
{
	struct epoll_event event = { .events = EPOLLIN };

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->fd, &event) < 0)
		return -errno;
	return fcntl(s->fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int raw_close(void *state)
{
	struct raw_state *s = state;

	if (s->fd >= 0)
		close(s->fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s);
	return 0;
}

static int raw_open(const struct technique *self, const struct sockaddr_in *where, unsigned armed,
		    void **state_out)
{
	struct raw_state *s = calloc(1, sizeof(*s));
	int ret;

	(void)armed;
	if (!s)
		return -ENOMEM;
	s->epoll_fd = -1;
	s->fd = technique_connect(where);
	ret = s->fd < 0 ? s->fd : 0;
	if (ret == 0 && self->trip == epoll_trip)
		ret = watch(s);
	if (ret < 0)
		raw_close(s);
	else
		*state_out = s;
	return ret;
}

static int send_whole(struct raw_state *s, const unsigned char *data, size_t size_bytes)
{
	ssize_t sent = send(s->fd, data, size_bytes, MSG_NOSIGNAL);

	s->report.requests++;
	if (sent < 0)
		return -errno;
	return sent == (ssize_t)size_bytes ? 0 : -EMSGSIZE;
}

/* Receives what there is behind `*got_bytes`. 0, or -errno. */
static int receive(struct raw_state *s, unsigned char *data, size_t *got_bytes, int flags)
{
	ssize_t got = recv(s->fd, data + *got_bytes, TECHNIQUE_ROOM_BYTES - *got_bytes, flags);

	s->report.requests++;
	if (got > 0)
		*got_bytes += (size_t)got;
	else if (got == 0)
		return -ECONNRESET;
	return got < 0 ? -errno : 0;
}

static int blocking_trip(void *state, const unsigned char *request, unsigned char *response,
			 size_t size_bytes)
{
	struct raw_state *s = state;
	int ret = send_whole(s, request, size_bytes);

	for (size_t got = 0; ret == 0 && got < size_bytes;)
		ret = receive(s, response, &got, 0);
	return ret;
}

static int epoll_trip(void *state, const unsigned char *request, unsigned char *response,
		      size_t size_bytes)
{
	struct raw_state *s = state;
	struct epoll_event event;
	int ret = send_whole(s, request, size_bytes);

	for (size_t got = 0; ret == 0 && got < size_bytes;) {
		s->report.waits++;
		if (epoll_wait(s->epoll_fd, &event, 1, -1) < 0)
			return -errno;
		ret = receive(s, response, &got, 0);
	}
	return ret;
}

static int spin_trip(void *state, const unsigned char *request, unsigned char *response,
		     size_t size_bytes)
{
	struct raw_state *s = state;
	int ret = send_whole(s, request, size_bytes);

	for (size_t got = 0; ret == 0 && got < size_bytes;) {
		ret = receive(s, response, &got, MSG_DONTWAIT);
		if (ret == -EAGAIN)
			ret = 0;
	}
	return ret;
}

static struct control_report raw_report(void *state)
{
	return ((struct raw_state *)state)->report;
}

#define RAW_CALLS .open = raw_open, .report = raw_report, .close = raw_close

static const struct technique rows[] = {
	{
		.key = "blocking",
		.name = "blocking",
		.how = "send(2), recv(2)",
		.trip = blocking_trip,
		RAW_CALLS,
	},
	{
		.key = "raw-epoll",
		.name = "raw epoll",
		.how = "send(2), epoll_wait(2), recv(2)",
		.trip = epoll_trip,
		RAW_CALLS,
	},
	{
		.key = "raw-spin",
		.name = "raw spin",
		.how = "send(2), recv(2) with MSG_DONTWAIT until the response is there",
		.over = "blocking",
		.only_split = true,
		.trip = spin_trip,
		RAW_CALLS,
	},
};

const struct technique_list technique_raw = { rows, sizeof(rows) / sizeof(rows[0]) };
