/* SPDX-License-Identifier: MIT */
/* The echo role on bare liburing. */
#include "uring_echo.h"

#include <errno.h>
#include <sys/socket.h>

struct connection {
	struct uring_connection base; /* its memory: two buffers */
	unsigned filling;             /* the buffer of the next receive */
	uint32_t held_bytes;          /* received while `blocked` */
	uint32_t sent_bytes;          /* of the send in flight or skipped last */
	uint32_t total_bytes;
	bool receiving;
	bool blocked; /* a send did not go out at once: its completion will come */
	bool peer_ended;
	bool ended;
};

static unsigned char *buffer(const struct connection *c, unsigned which)
{
	return c->base.memory + which * TWIN_BUFFER_BYTES;
}

static void prepare_receive(struct uring_server *s, struct connection *c, bool more)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_recv(sqe, c->base.slot, buffer(c, c->filling), TWIN_BUFFER_BYTES, 0);
	uring_finish(sqe, c, URING_TAG_RECEIVE, 0);
	/* Nothing was left: a first try would only fail. Worth 3 % in the harness. */
	if (!more)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	c->receiving = true;
}

/* Sends at once or not at all: a completion comes only for what is left over. */
static void prepare_send(struct uring_server *s, struct connection *c, uint32_t bytes)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	c->sent_bytes = 0;
	c->total_bytes = bytes;
	io_uring_prep_send(sqe, c->base.slot, buffer(c, c->filling), bytes,
			   MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
	uring_finish(sqe, c, URING_TAG_SEND, IOSQE_CQE_SKIP_SUCCESS);
	c->filling ^= 1;
}

/* Sends the rest and waits for it; it lies in the buffer that is not being filled. */
static void prepare_rest(struct uring_server *s, struct connection *c)
{
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_send(sqe, c->base.slot, buffer(c, c->filling ^ 1) + c->sent_bytes,
			   c->total_bytes - c->sent_bytes, MSG_NOSIGNAL | MSG_WAITALL);
	uring_finish(sqe, c, URING_TAG_SEND, 0);
}

static void end_connection(struct uring_server *s, struct connection *c)
{
	c->ended = true;
	if (c->receiving) /* its completion ends it */
		uring_server_cancel_receive(s, &c->base);
	else if (!c->blocked)
		uring_server_end(s, &c->base);
}

static void echo_back(struct uring_server *s, struct connection *c, uint32_t bytes, bool more)
{
	c->held_bytes = 0;
	prepare_send(s, c, bytes);
	prepare_receive(s, c, more);
}

static void begin(struct uring_server *s, struct uring_connection *base)
{
	prepare_receive(s, (struct connection *)base, true);
}

static void on_receive(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	struct connection *c = owner;

	c->receiving = false;
	if (cqe->res == 0 && c->blocked && !c->ended) {
		c->peer_ended = true; /* it still reads: the rest goes out first */
		return;
	}
	if (c->ended || cqe->res <= 0) {
		end_connection(s, c);
		return;
	}
	s->report.bytes += (uint64_t)cqe->res;
	if (c->blocked)
		c->held_bytes = (uint32_t)cqe->res;
	else
		echo_back(s, c, (uint32_t)cqe->res, cqe->flags & IORING_CQE_F_SOCK_NONEMPTY);
}

static void on_send(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	struct connection *c = owner;
	bool was_blocked = c->blocked;

	c->blocked = false;
	if (c->ended || (cqe->res < 0 && (cqe->res != -EAGAIN || was_blocked))) {
		end_connection(s, c);
		return;
	}
	if (cqe->res > 0)
		c->sent_bytes += (uint32_t)cqe->res;
	if (c->sent_bytes < c->total_bytes) {
		c->blocked = true;
		prepare_rest(s, c);
	} else if (c->held_bytes) {
		echo_back(s, c, c->held_bytes, true);
	} else if (c->peer_ended) {
		end_connection(s, c);
	}
}

const struct uring_role uring_echo_role = {
	.server_bytes = sizeof(struct uring_server),
	.connection_bytes = sizeof(struct connection),
	.memory_bytes = (size_t)2 * TWIN_BUFFER_BYTES,
	.begin = begin,
	.on_receive = on_receive,
	.on_send = on_send,
};
