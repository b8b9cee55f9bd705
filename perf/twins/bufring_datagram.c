/* SPDX-License-Identifier: MIT */
/*
 * The datagram role on bare liburing with a ring of buffers: one multishot receive, and
 * a send of each buffer to whom the kernel wrote in front of its datagram.
 */
#include "uring_bufs.h"
#include "uring_server.h"

#include <errno.h>
#include <sys/socket.h>

#define BUFS         256u
#define HEADER_BYTES 64u /* the kernel's, and the address: datagrams begin on a line */
#define NAME_BYTES   (HEADER_BYTES - sizeof(struct io_uring_recvmsg_out))
#define BUF_BYTES    (HEADER_BYTES + 65536u)

struct datagram {
	uint32_t size_bytes;
	uint16_t id;
	bool is_told; /* its send has a completion */
};

struct datagram_server {
	struct uring_server server;
	struct uring_bufs bufs;
	struct msghdr layout; /* of a buffer */
	struct datagram datagrams[BUFS];
	struct datagram *ready[BUFS]; /* to be sent */
	struct datagram *batch[BUFS]; /* handed over; no news is good news */
	unsigned ready_count;
	unsigned batch_count;
	bool receiving;
};

static void prepare_receive(struct datagram_server *d)
{
	struct io_uring_sqe *sqe = uring_sqe(&d->server);

	io_uring_prep_recvmsg_multishot(sqe, 0, &d->layout, 0);
	uring_finish(sqe, &d->server.anchor, URING_TAG_RECEIVE, IOSQE_BUFFER_SELECT);
	sqe->buf_group = URING_BUFS_GROUP;
	d->receiving = true;
}

/* Sends at once or not at all; `waits` is for what did not go out so. */
static void prepare_send(struct datagram_server *d, struct datagram *g, bool waits)
{
	unsigned char *memory = uring_bufs_at(&d->bufs, g->id);
	struct io_uring_recvmsg_out *out = (struct io_uring_recvmsg_out *)(void *)memory;
	struct io_uring_sqe *sqe = uring_sqe(&d->server);

	io_uring_prep_send(sqe, 0, memory + HEADER_BYTES, g->size_bytes,
			   MSG_NOSIGNAL | (waits ? 0 : MSG_DONTWAIT));
	io_uring_prep_send_set_addr(sqe, (struct sockaddr *)(void *)(out + 1),
				    (uint16_t)out->namelen);
	uring_finish(sqe, g, URING_TAG_SEND, waits ? 0 : IOSQE_CQE_SKIP_SUCCESS);
}

static void on_receive(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	struct datagram_server *d = (struct datagram_server *)s;

	(void)owner;
	d->receiving = cqe->flags & IORING_CQE_F_MORE;
	if (cqe->res == -ENOBUFS)
		d->bufs.lacking = true;
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		uint16_t id = uring_bufs_take(&d->bufs, cqe);
		struct datagram *g = &d->datagrams[id];

		if (cqe->res < (int)HEADER_BYTES) {
			uring_bufs_give(&d->bufs, id);
			return;
		}
		*g = (struct datagram){ .id = id, .size_bytes = (uint32_t)cqe->res - HEADER_BYTES };
		d->ready[d->ready_count++] = g;
	}
}

static void finish(struct datagram_server *d, struct datagram *g, bool is_sent)
{
	if (is_sent)
		d->server.report.bytes += g->size_bytes;
	uring_bufs_give(&d->bufs, g->id);
}

/* What did not go out at once, and then how it went; what fails is dropped. */
static void on_send(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	struct datagram_server *d = (struct datagram_server *)s;
	struct datagram *g = owner;
	bool waited = g->is_told;

	g->is_told = true;
	if (cqe->res == -EAGAIN && !waited)
		prepare_send(d, g, true);
	else
		finish(d, g, cqe->res >= 0);
}

static void after_turn(struct uring_server *s)
{
	struct datagram_server *d = (struct datagram_server *)s;

	if (!s->settled)
		return;
	for (unsigned i = 0; i < d->batch_count; i++) {
		if (!d->batch[i]->is_told)
			finish(d, d->batch[i], true);
	}
	d->batch_count = 0;
	while (d->batch_count < d->ready_count) {
		struct datagram *g = d->ready[d->batch_count];

		prepare_send(d, g, false);
		d->batch[d->batch_count++] = g;
	}
	d->ready_count = 0;
	uring_bufs_refill(&d->bufs);
	if (!d->receiving && d->bufs.in_ring)
		prepare_receive(d);
	s->hurries = !d->receiving && d->batch_count > 0;
}

static int open_bufs(struct uring_server *s)
{
	struct datagram_server *d = (struct datagram_server *)s;
	int ret;

	d->layout.msg_namelen = NAME_BYTES;
	ret = uring_bufs_open(&d->bufs, &s->ring, BUFS, BUF_BYTES);
	if (ret == 0)
		prepare_receive(d);
	return ret;
}

static void close_bufs(struct uring_server *s)
{
	uring_bufs_close(&((struct datagram_server *)s)->bufs);
}

const struct uring_role bufring_datagram_role = {
	.server_bytes = sizeof(struct datagram_server),
	.open = open_bufs,
	.close = close_bufs,
	.on_receive = on_receive,
	.on_send = on_send,
	.after_turn = after_turn,
};
