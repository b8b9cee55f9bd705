/* SPDX-License-Identifier: MIT */
/* The sink and the source role on bare liburing. */
#include "uring_bufs.h"
#include "uring_server.h"

#include <errno.h>
#include <sys/socket.h>

#define RING_BUFS      64u
#define RING_BUF_BYTES 65536u /* 16 KiB cost up to half more, 256 KiB no less */

/* Of a source. */
struct source_connection {
	struct uring_connection base;
	uint64_t position_bytes;
	struct msghdr message;
	struct iovec parts[TWIN_GATHERED];
};

struct ring_sink {
	struct uring_server server;
	struct uring_bufs bufs;
};

/* Nobody looks at what is in it: one does for all connections. */
static unsigned char hot[TWIN_SINK_BYTES];

static void prepare_receive(struct uring_server *s, struct uring_connection *c, bool more)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_recv(sqe, c->slot, hot, TWIN_SINK_BYTES, 0);
	uring_finish(sqe, c, URING_TAG_RECEIVE, 0);
	if (!more)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

static void begin_sink(struct uring_server *s, struct uring_connection *c)
{
	prepare_receive(s, c, true);
}

static void sink(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	if (cqe->res <= 0) {
		uring_server_end(s, owner);
		return;
	}
	s->report.bytes += (uint64_t)cqe->res;
	prepare_receive(s, owner, cqe->flags & IORING_CQE_F_SOCK_NONEMPTY);
}

static void prepare_multishot(struct uring_server *s, struct uring_connection *c)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_recv_multishot(sqe, c->slot, NULL, 0, 0);
	uring_finish(sqe, c, URING_TAG_RECEIVE, IOSQE_BUFFER_SELECT);
	sqe->buf_group = URING_BUFS_GROUP;
}

/* All buffers are back before the next enter, so one that met an empty ring asks at once. */
static void ring_sink(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	struct ring_sink *r = (struct ring_sink *)s;

	if (cqe->flags & IORING_CQE_F_BUFFER)
		uring_bufs_give(&r->bufs, uring_bufs_take(&r->bufs, cqe));
	if (cqe->res > 0)
		s->report.bytes += (uint64_t)cqe->res;
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	if (cqe->res > 0 || cqe->res == -ENOBUFS)
		prepare_multishot(s, owner);
	else
		uring_server_end(s, owner);
}

static int open_bufs(struct uring_server *s)
{
	struct ring_sink *r = (struct ring_sink *)s;

	return uring_bufs_open(&r->bufs, &s->ring, RING_BUFS, RING_BUF_BYTES);
}

static void close_bufs(struct uring_server *s)
{
	uring_bufs_close(&((struct ring_sink *)s)->bufs);
}

static void refill(struct uring_server *s)
{
	uring_bufs_refill(&((struct ring_sink *)s)->bufs);
}

/* The kernel goes on until all of it is taken. */
static void prepare_send(struct uring_server *s, struct uring_connection *base)
{
	struct source_connection *c = (struct source_connection *)base;
	struct io_uring_sqe *sqe = uring_sqe(s);

	twin_gather(c->position_bytes, c->parts);
	c->message.msg_iov = c->parts;
	c->message.msg_iovlen = TWIN_GATHERED;
	io_uring_prep_sendmsg(sqe, base->slot, &c->message, MSG_NOSIGNAL | MSG_WAITALL);
	uring_finish(sqe, c, URING_TAG_SEND, 0);
}

static void source(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	struct source_connection *c = owner;

	if (cqe->res <= 0) {
		uring_server_end(s, owner);
		return;
	}
	s->report.bytes += (uint64_t)cqe->res;
	c->position_bytes += (uint64_t)cqe->res;
	prepare_send(s, owner);
}

const struct uring_role uring_sink_role = {
	.server_bytes = sizeof(struct uring_server),
	.connection_bytes = sizeof(struct uring_connection),
	.begin = begin_sink,
	.on_receive = sink,
};

const struct uring_role bufring_sink_role = {
	.server_bytes = sizeof(struct ring_sink),
	.connection_bytes = sizeof(struct uring_connection),
	.open = open_bufs,
	.close = close_bufs,
	.begin = prepare_multishot,
	.on_receive = ring_sink,
	.after_turn = refill,
};

const struct uring_role uring_source_role = {
	.server_bytes = sizeof(struct uring_server),
	.connection_bytes = sizeof(struct source_connection),
	.begin = prepare_send,
	.on_send = source,
};
