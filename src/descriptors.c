/* SPDX-License-Identifier: MIT */
/* Descriptors and credentials of unix messages, and of a unix peer. */
#include "descriptors.h"

#include "ancillary.h"
#include "batch.h"
#include "detached.h"
#include "policed.h"

#include <errno.h>
#include <soq/stream.h>
#include <string.h>
#include <unistd.h>

/* Since Linux 6.5; the C library may be older. */
#define PIDFD_MESSAGE 4

/* Segments of one call for what is left of an exact receive. */
#define REST_SEGMENTS 64u

/* All that may come with one message. */
union soqi_control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(struct ucred)) +
		   CMSG_SPACE(SOQ_MESSAGE_DESCRIPTORS_MAX * sizeof(int))];
};

static bool room_valid(const struct soq_message *m, uint32_t count)
{
	return count <= SOQ_MESSAGE_DESCRIPTORS_MAX && (count == 0 || m->descriptors != NULL);
}

static int send_check(const struct soq_socket *s, const struct soq_op *op,
		      const struct soq_message *m)
{
	if (m->descriptor_count == 0)
		return 0;
	if (!room_valid(m, m->descriptor_count))
		return -EINVAL;
	if (s->family != AF_UNIX)
		return -EOPNOTSUPP;
	/* With no byte to travel with the kernel would drop them without a word. */
	return soqi_is_stream(s) && op->priv.length == 0 ? -EINVAL : 0;
}

static int receive_check(const struct soq_socket *s, const struct soq_message *m, uint32_t flags)
{
	if (m->descriptor_max == 0)
		return 0;
	if (!room_valid(m, m->descriptor_max))
		return -EINVAL;
	if (s->family != AF_UNIX)
		return -EOPNOTSUPP;
	/* Several calls of the kernel's would mix those of several sends; a peek doubles them. */
	return (flags & (SOQ_EXACT | SOQ_PEEK)) ? -EINVAL : 0;
}

int soqi_descriptors_check(const struct soq_socket *s, const struct soq_op *op,
			   struct soq_message *message, const struct soqi_transfer *t)
{
	bool receives = t->index == SOQI_LANE_RECV;
	int error = receives ? receive_check(s, message, t->flags) : send_check(s, op, message);

	if (error != 0)
		return error;
	if (receives) {
		message->descriptor_count = 0;
		message->flags = 0;
	}
	if (s->family != AF_UNIX)
		return 0;
	/* A stream's backend request is for bytes alone, and could not say what was refused. */
	if (receives)
		message->control[0] = soqi_is_stream(s) || s->credentials ||
				      message->descriptor_max > 0;
	else
		message->control[0] = message->descriptor_count > 0;
	return 0;
}

int32_t soqi_descriptors_send(const struct soq_socket *s, struct soq_message *message)
{
	size_t size_bytes = message->descriptor_count * sizeof(int);
	union soqi_control control;
	struct soq_endpoint copy;
	struct msghdr header;
	ssize_t sent;

	soqi_message_header(s, message, false, 0, &header);
	if (soqi_is_policed(s)) {
		int error = soqi_policed_header(s, &header, &copy, true);

		if (error != 0)
			return error;
	}
	memset(&control, 0, CMSG_SPACE(size_bytes));
	control.head.cmsg_len = CMSG_LEN(size_bytes);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.head), message->descriptors, size_bytes);
	header.msg_control = &control;
	header.msg_controllen = CMSG_SPACE(size_bytes);
	soqi_batch_borrow(s, message, 1, false);
	do
		sent = sendmsg(s->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		sent = -errno;
	soqi_batch_borrow(s, message, 1, true);
	/* They have left with the first byte: the rest is bytes like any other. */
	if (sent > 0)
		message->control[0] = 0;
	return (int32_t)sent;
}

/* Takes what there is room for, and closes the rest. */
static void take(struct soq_message *m, const unsigned char *data, size_t size_bytes)
{
	for (size_t at = 0; at + sizeof(int) <= size_bytes; at += sizeof(int)) {
		int fd;

		memcpy(&fd, data + at, sizeof(fd));
		if (m->descriptor_count < m->descriptor_max) {
			m->descriptors[m->descriptor_count++] = fd;
			continue;
		}
		(void)close(fd);
		m->flags |= SOQ_F_REFUSED;
	}
}

static void read_one(struct soq_message *m, const struct cmsghdr *head, const unsigned char *data)
{
	size_t size_bytes = head->cmsg_len - CMSG_LEN(0);
	struct ucred sender;
	int fd;

	if (head->cmsg_level != SOL_SOCKET)
		return;
	if (head->cmsg_type == SCM_RIGHTS) {
		take(m, data, size_bytes);
	} else if (head->cmsg_type == SCM_CREDENTIALS && size_bytes == sizeof(sender)) {
		memcpy(&sender, data, sizeof(sender));
		m->pid = sender.pid;
		m->uid = sender.uid;
		m->gid = sender.gid;
		m->info |= SOQ_INFO_CREDENTIALS;
	} else if (head->cmsg_type == PIDFD_MESSAGE && size_bytes == sizeof(fd)) {
		/* The program has asked for it behind our back; we have no place to tell it. */
		memcpy(&fd, data, sizeof(fd));
		if (fd >= 0)
			(void)close(fd);
	}
}

/* What the kernel has written, so that what it says of lengths holds. */
static void read_all(struct soq_message *m, const struct msghdr *header)
{
	const unsigned char *at = header->msg_control;
	size_t left = header->msg_controllen;
	struct cmsghdr head;

	while (left >= sizeof(head)) {
		memcpy(&head, at, sizeof(head));
		if (head.cmsg_len < CMSG_LEN(0) || head.cmsg_len > left)
			return;
		read_one(m, &head, at + CMSG_LEN(0));
		if (CMSG_ALIGN(head.cmsg_len) >= left)
			return;
		at += CMSG_ALIGN(head.cmsg_len);
		left -= CMSG_ALIGN(head.cmsg_len);
	}
}

/* `moved`: an exact receive goes on; what it has refused before stands. */
static void told(struct soq_message *m, const struct msghdr *header, uint64_t moved)
{
	uint32_t before = moved > 0 ? m->flags & SOQ_F_REFUSED : 0;
	struct msghdr bare = *header;

	bare.msg_control = NULL;
	soqi_message_taken(&bare, m);
	m->flags |= before;
	m->descriptor_count = 0;
	read_all(m, header);
}

/* The segments of `m` behind its first `skip` bytes, as far as there is room. */
static unsigned rest_of(const struct soq_message *m, uint64_t skip, struct iovec *to)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < m->segment_count && count < REST_SEGMENTS; i++) {
		const struct iovec *from = &m->segments[i];

		if (from->iov_len <= skip) {
			skip -= from->iov_len;
			continue;
		}
		to[count].iov_base = (char *)from->iov_base + skip;
		to[count++].iov_len = from->iov_len - (size_t)skip;
		skip = 0;
	}
	return count;
}

bool soqi_credentials_told(int fd)
{
	int on = 0;
	socklen_t size_bytes = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, &size_bytes) == 0 && on != 0;
}

/* Exactly what is wanted: into what is left over the kernel would put descriptors. */
static size_t room_of(const struct soq_socket *s, const struct soq_message *m)
{
	size_t room = soqi_credentials_told(s->fd) ? CMSG_SPACE(sizeof(struct ucred)) : 0;

	if (m->descriptor_max > 0)
		room += CMSG_LEN(m->descriptor_max * sizeof(int));
	return room;
}

int32_t soqi_descriptors_receive(const struct soq_socket *s, struct soq_message *message,
				 uint64_t moved, int flags)
{
	struct iovec rest[REST_SEGMENTS];
	union soqi_control control;
	struct msghdr header;
	ssize_t got;

	soqi_message_header(s, message, true, 0, &header);
	/* Bytes have no sender. */
	if (soqi_is_stream(s)) {
		header.msg_name = NULL;
		header.msg_namelen = 0;
	}
	if (moved > 0) {
		header.msg_iovlen = rest_of(message, moved, rest);
		header.msg_iov = rest;
	}
	header.msg_controllen = room_of(s, message);
	if (header.msg_controllen > 0)
		header.msg_control = &control;
	soqi_batch_borrow(s, message, 1, false);
	do
		got = recvmsg(s->fd, &header, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		got = -errno;
	soqi_batch_borrow(s, message, 1, true);
	if (got < 0)
		return (int32_t)got;
	told(message, &header, moved);
	/* An empty packet of a foreign program: it looks like the end, which carries nothing. */
	if (got == 0 && soqi_is_connection(s))
		soqi_descriptors_drop(message);
	return (int32_t)got;
}

void soqi_descriptors_drop(struct soq_message *message)
{
	for (uint32_t i = 0; i < message->descriptor_count; i++)
		(void)close(message->descriptors[i]);
	if (message->descriptor_count > 0)
		message->flags |= SOQ_F_REFUSED;
	message->descriptor_count = 0;
}

void soqi_credentials_note(struct soq_socket *s)
{
	bool tells = s->family == AF_UNIX && soqi_credentials_told(s->fd);

	if (soqi_is_detached(s))
		soqi_detached_lock(s);
	s->credentials = tells;
	if (soqi_is_detached(s))
		soqi_detached_unlock(s);
}

int soqi_credentials_set(struct soq_socket *s, bool on)
{
	int value = on;

	if (setsockopt(s->fd, SOL_SOCKET, SO_PASSCRED, &value, sizeof(value)) != 0)
		return -errno;
	soqi_credentials_note(s);
	return 0;
}

static bool is_connected(struct soq_socket *s)
{
	bool connected;

	if (!soqi_is_detached(s))
		return s->phase == SOQI_PHASE_CONNECTED;
	soqi_detached_lock(s);
	connected = s->phase == SOQI_PHASE_CONNECTED;
	soqi_detached_unlock(s);
	return connected;
}

/* The first release's size: a program built against it must go on working. */
#define CREDENTIALS_SIZE_MIN sizeof(struct soq_credentials)

int soq_socket_peer_credentials(struct soq_socket *s, struct soq_credentials *credentials)
{
	struct ucred peer;
	socklen_t size_bytes = sizeof(peer);
	int error;

	if (credentials == NULL || credentials->size < CREDENTIALS_SIZE_MIN ||
	    credentials->size > sizeof(*credentials))
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	if (s->family != AF_UNIX)
		return -EOPNOTSUPP;
	/* Of a listener and of what is not connected the kernel would tell something else. */
	if (!is_connected(s))
		return -ENOTCONN;
	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) != 0)
		return -errno;
	if (peer.uid == UINT32_MAX)
		return -EOPNOTSUPP;
	*credentials = (struct soq_credentials){ .size = credentials->size,
						 .pid = peer.pid,
						 .uid = peer.uid,
						 .gid = peer.gid };
	return 0;
}
