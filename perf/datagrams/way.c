/* SPDX-License-Identifier: MIT */
/* Sockets, and a burst in each way: plain system calls, soq's calls, batches, segments. */
#include "way.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Nothing on loopback takes that long: a datagram was lost. */
#define PATIENCE_NS INT64_C(2000000000)

static int raw_socket(struct sockaddr_in *where)
{
	const struct timeval patience = { .tv_sec = 2 };
	socklen_t size = sizeof(*where);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(where, 0, sizeof(*where));
	where->sin_family = AF_INET;
	where->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)where, size) == 0 &&
	    getsockname(fd, (struct sockaddr *)where, &size) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0)
		return fd;
	close(fd);
	return -EIO;
}

static int raw_open(struct way *way)
{
	struct sockaddr_in from, to;

	way->raw_from = raw_socket(&from);
	way->raw_to = raw_socket(&to);
	if (way->raw_from < 0 || way->raw_to < 0)
		return -EIO;
	return connect(way->raw_from, (struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : -errno;
}

static int bound(struct soq_loop *loop, struct soq_socket **s, struct soq_endpoint *ep)
{
	int ret = soq_endpoint_loopback(AF_INET, 0, ep);

	if (ret == 0)
		ret = soq_socket_open(loop, AF_INET, SOCK_DGRAM, 0, s);
	if (ret == 0)
		ret = soq_bind(*s, ep);
	if (ret == 0)
		ret = soq_socket_local(*s, ep);
	if (ret == 0)
		ret = soq_socket_set_timeouts(*s, PATIENCE_NS, PATIENCE_NS);
	return ret;
}

static int soq_open(struct way *way)
{
	struct soq_loop_options options = { .size = sizeof(options), .backend = way->backend };
	struct soq_endpoint at_from, at_to;
	int ret = soq_loop_create(&options, &way->loop);

	if (ret == 0)
		ret = bound(way->loop, &way->from, &at_from);
	if (ret == 0)
		ret = bound(way->loop, &way->to, &at_to);
	if (ret == 0)
		ret = soq_connect(way->from, &at_to);
	if (ret == 0 && way->kind == WAY_SEGMENTS)
		ret = soq_socket_set_message_info(way->to, SOQ_INFO_SEGMENTS);
	return ret;
}

static void fill_messages(struct way *way)
{
	/* With segments one message has all of the memory. */
	size_t size = way->kind == WAY_SEGMENTS ? sizeof(way->sent) : WAY_BYTES;

	for (unsigned i = 0; i < WAY_BURST; i++) {
		way->out_parts[i] = (struct iovec){ way->sent[i], size };
		way->in_parts[i] = (struct iovec){ way->got[i], size };
		way->out[i] = (struct soq_message){ .size = sizeof(way->out[i]),
						    .segments = &way->out_parts[i],
						    .segment_count = 1 };
		way->in[i] = way->out[i];
		way->in[i].segments = &way->in_parts[i];
	}
	if (way->kind != WAY_SEGMENTS)
		return;
	way->out[0].info = SOQ_INFO_SEGMENTS;
	way->out[0].segment_size_bytes = WAY_BYTES;
}

int way_open(struct way *way)
{
	way->raw_from = -1;
	way->raw_to = -1;
	fill_messages(way);
	return way->kind == WAY_RAW ? raw_open(way) : soq_open(way);
}

void way_close(struct way *way)
{
	if (way->raw_from >= 0)
		close(way->raw_from);
	if (way->raw_to >= 0)
		close(way->raw_to);
	if (way->loop == NULL)
		return;
	soq_loop_close_all(way->loop);
	soq_loop_run(way->loop, SOQ_RUN_IDLE, PATIENCE_NS);
	soq_loop_destroy(way->loop);
}

void way_prepare(struct way *way)
{
	for (unsigned i = 0; i < WAY_BURST; i++, way->number++) {
		memset(way->sent[i], (int)(way->number % 251), WAY_BYTES);
		memcpy(way->sent[i], &way->number, sizeof(way->number));
	}
	memset(way->got, 0xee, sizeof(way->got));
}

bool way_is_right(const struct way *way)
{
	return memcmp(way->sent, way->got, sizeof(way->sent)) == 0;
}

/* One call for each datagram. */
static int64_t send_one(struct way *way, unsigned i)
{
	ssize_t sent;

	if (way->kind == WAY_CALLS)
		return soq_send(way->from, way->sent[i], WAY_BYTES, 0);
	sent = send(way->raw_from, way->sent[i], WAY_BYTES, 0);
	return sent < 0 ? -errno : sent;
}

static int64_t receive_one(struct way *way, unsigned i)
{
	ssize_t got;

	if (way->kind == WAY_CALLS)
		return soq_recv(way->to, way->got[i], WAY_BYTES, 0);
	got = recv(way->raw_to, way->got[i], WAY_BYTES, 0);
	return got < 0 ? -errno : got;
}

static int wrong(int64_t result)
{
	return result < 0 ? (int)result : -EBADMSG;
}

int way_send(struct way *way)
{
	int64_t result;

	if (way->kind == WAY_BATCH) {
		result = soq_send_batch(way->from, way->out, WAY_BURST, 0);
		return result == WAY_BURST ? 0 : wrong(result);
	}
	if (way->kind == WAY_SEGMENTS) {
		result = soq_send_msg(way->from, &way->out[0], 0);
		return result == (int64_t)sizeof(way->sent) ? 0 : wrong(result);
	}
	for (unsigned i = 0; i < WAY_BURST; i++) {
		result = send_one(way, i);
		if (result != WAY_BYTES)
			return wrong(result);
	}
	return 0;
}

static int receive_batches(struct way *way)
{
	for (unsigned at = 0; at < WAY_BURST;) {
		int64_t got = soq_recv_batch(way->to, &way->in[at], WAY_BURST - at, 0);

		if (got <= 0)
			return wrong(got);
		for (; got > 0; got--, at++)
			if (way->in[at].length_bytes != WAY_BYTES)
				return -EBADMSG;
	}
	return 0;
}

/* A kernel may hand over the burst in several receives; each says how it is divided. */
static int receive_segments(struct way *way)
{
	for (size_t at = 0; at < sizeof(way->got);) {
		int64_t got;

		way->in_parts[0] = (struct iovec){ &way->got[0][0] + at, sizeof(way->got) - at };
		got = soq_recv_msg(way->to, &way->in[0], 0);
		if (got <= 0)
			return wrong(got);
		if (way->in[0].flags != 0 ||
		    ((way->in[0].info & SOQ_INFO_SEGMENTS)
			     ? way->in[0].segment_size_bytes != WAY_BYTES || got % WAY_BYTES != 0
			     : got != WAY_BYTES))
			return -EBADMSG;
		at += (size_t)got;
	}
	return 0;
}

int way_receive(struct way *way)
{
	if (way->kind == WAY_BATCH)
		return receive_batches(way);
	if (way->kind == WAY_SEGMENTS)
		return receive_segments(way);
	for (unsigned i = 0; i < WAY_BURST; i++) {
		int64_t result = receive_one(way, i);

		if (result != WAY_BYTES)
			return wrong(result);
	}
	return 0;
}
