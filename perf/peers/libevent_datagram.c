/* SPDX-License-Identifier: MIT */
/* The datagram role of both servers on libevent. */
#include "libevent.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define DATAGRAM_BYTES 65536u
#define DATAGRAMS_MAX  64 /* of a turn */

static struct event *readable, *writable;
static char data[DATAGRAM_BYTES];
static size_t data_bytes;
static struct sockaddr_in6 peer; /* as large as either family's */
static socklen_t peer_bytes;

/* False if the socket takes no more now. What cannot be sent otherwise is dropped. */
static bool send_back(int fd)
{
	ssize_t n = sendto(fd, data, data_bytes, MSG_DONTWAIT, (struct sockaddr *)&peer,
			   peer_bytes);

	libevent_counters.requests++;
	if (n >= 0)
		libevent_counters.bytes += (uint64_t)n;
	return n >= 0 || errno != EAGAIN;
}

static void on_writable(evutil_socket_t fd, short what, void *user)
{
	(void)what;
	(void)user;
	if (!send_back(fd))
		return;
	event_del(writable);
	event_add(readable, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	(void)what;
	(void)user;
	for (int i = 0; i < DATAGRAMS_MAX; i++) {
		ssize_t n;

		peer_bytes = sizeof(peer);
		n = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&peer,
			     &peer_bytes);
		libevent_counters.requests++;
		if (n < 0)
			return;
		data_bytes = (size_t)n;
		if (!send_back(fd)) {
			event_del(readable);
			event_add(writable, NULL);
			return;
		}
	}
}

bool libevent_open_datagram(struct event_base *base, int fd)
{
	readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, NULL);
	writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, NULL);
	return readable && writable && event_add(readable, NULL) == 0;
}
