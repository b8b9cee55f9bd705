/* SPDX-License-Identifier: MIT */
/* One request, tried: the socket calls of the epoll backend and of detached sockets. */
#include "own.h"
#include "socket.h"

#include <errno.h>
#include <poll.h>

/* One segment, the usual case, spares the kernel the copy of a message header. */
static ssize_t send_once(const struct soqi_request *request, int flags)
{
	const struct msghdr message = { .msg_iov = request->segments,
					.msg_iovlen = request->segment_count };

	if (request->header != NULL)
		return sendmsg(request->fd, request->header, flags);
	if (request->segment_count == 1)
		return send(request->fd, request->segments->iov_base, request->segments->iov_len,
			    flags);
	return sendmsg(request->fd, &message, flags);
}

static ssize_t receive_once(const struct soqi_request *request, int flags)
{
	struct msghdr message = { .msg_iov = request->segments,
				  .msg_iovlen = request->segment_count };

	if (request->header != NULL)
		return recvmsg(request->fd, request->header, flags);
	if (request->segment_count == 1)
		return recv(request->fd, request->segments->iov_base, request->segments->iov_len,
			    flags);
	return recvmsg(request->fd, &message, flags);
}

static int32_t try_message(const struct soqi_request *request)
{
	int flags = request->message_flags | (request->waits ? 0 : MSG_DONTWAIT);
	ssize_t count;

	if (request->lent)
		soqi_own_borrow(request->segments, request->segment_count, request->cut);
	do
		count = request->kind == SOQI_REQUEST_SEND ? send_once(request, flags)
							   : receive_once(request, flags);
	while (count < 0 && errno == EINTR);
	/* Before the memory goes back, which may call a tool that sets errno. */
	if (count < 0)
		count = -errno;
	if (request->lent)
		soqi_own_give_back(request->segments, request->segment_count);
	return (int32_t)count;
}

static int32_t try_accept(const struct soqi_request *request)
{
	int fd;

	do
		fd = accept4(request->fd, NULL, NULL,
			     SOCK_CLOEXEC | (request->waits ? 0 : SOCK_NONBLOCK));
	while (fd < 0 && errno == EINTR);
	return fd >= 0 ? fd : -errno;
}

/*
 * The first call starts it. Called again after an edge it tells how it ended: 0
 * once, when it has just succeeded, or its error. An interrupted connect goes on.
 */
static int32_t try_connect(const struct soqi_request *request)
{
	if (connect(request->fd, request->addr, request->addr_size_bytes) == 0)
		return 0;
	if (errno == EALREADY)
		soqi_connect_reports_drop(request->fd);
	else if (errno != EINPROGRESS && errno != EINTR)
		return -errno;
	return -EAGAIN;
}

static int32_t try_poll(const struct soqi_request *request)
{
	struct pollfd fd = { .fd = request->fd, .events = request->poll_events };
	int count = poll(&fd, 1, 0);

	if (count < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return count > 0 ? fd.revents : -EAGAIN;
}

int32_t soqi_try(const struct soqi_request *request)
{
	switch (request->kind) {
	case SOQI_REQUEST_ACCEPT:
	case SOQI_REQUEST_ACCEPT_MULTISHOT:
		return try_accept(request);
	case SOQI_REQUEST_CONNECT:
		return try_connect(request);
	case SOQI_REQUEST_POLL:
		return try_poll(request);
	default:
		return try_message(request);
	}
}
