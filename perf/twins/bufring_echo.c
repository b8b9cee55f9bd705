/* SPDX-License-Identifier: MIT */
/* The echo role on bare liburing with a ring of buffers. */
#include "bufring_echo.h"

#include <errno.h>
#include <sys/socket.h>

#define NO_BUF       UINT16_MAX
#define GATHERED_MAX 32u /* buffers of one send */
#define HELD_MAX     32u /* buffers of a peer that does not read; one enter more may come */

/* The lists and requests that a connection cannot be closed before it has left. */
enum hold {
	HOLD_RECEIVING = 1, /* a receive is in the kernel */
	HOLD_STARVED = 2,   /* met an empty ring */
	HOLD_DIRTY = 4,     /* has something to send */
	HOLD_BATCH = 8,     /* had a send that the next enter takes */
	HOLD_WAITING = 16,  /* a send waits in the kernel: its completion will come */
};

/* How its send went. */
enum going {
	GOING_IDLE,   /* there is none */
	GOING_SILENT, /* handed over; no news is good news */
	GOING_SHORT,  /* did not go out at once: the rest will wait */
};

struct bufring_connection {
	struct uring_connection base;
	unsigned holds;
	enum going going;
	uint16_t first, last;       /* what came and is not out yet */
	uint16_t held_bufs;         /* their number */
	uint16_t sending_bufs;      /* the first so many are being sent */
	uint32_t sent_bytes;        /* of the first */
	uint64_t cancelled_in_turn; /* the receive was, the last time */
	bool paused;                /* receives nothing while it holds so many */
	bool peer_ended;
	bool ended;
	struct bufring_connection *next; /* dirty, or in the batch */
	struct bufring_connection *next_starved;
};

static void prepare_receive(struct bufring_echo *e, struct bufring_connection *c)
{
	struct io_uring_sqe *sqe = uring_sqe(&e->server);

	io_uring_prep_recv_multishot(sqe, c->base.slot, NULL, 0, 0);
	uring_finish(sqe, c, URING_TAG_RECEIVE, IOSQE_BUFFER_SELECT);
	sqe->buf_group = URING_BUFS_GROUP;
	c->holds |= HOLD_RECEIVING;
}

/* What is to be sent as one message, which lives until the enter. */
static const struct msghdr *gather(struct bufring_echo *e, const struct bufring_connection *c)
{
	struct msghdr *message = &e->messages[e->message_count++];
	uint32_t skipped_bytes = c->sent_bytes;
	uint16_t id = c->first;

	*message = (struct msghdr){
		.msg_iov = &e->parts[e->part_count],
		.msg_iovlen = c->sending_bufs,
	};
	for (unsigned i = 0; i < c->sending_bufs; i++) {
		e->parts[e->part_count++] = (struct iovec){
			.iov_base = uring_bufs_at(&e->bufs, id) + skipped_bytes,
			.iov_len = e->filled[id].size_bytes - skipped_bytes,
		};
		skipped_bytes = 0;
		id = e->filled[id].next;
	}
	return message;
}

static uint16_t count_bufs(const struct bufring_echo *e, const struct bufring_connection *c)
{
	uint16_t count = 0;

	for (uint16_t id = c->first; id != NO_BUF && count < GATHERED_MAX; id = e->filled[id].next)
		count++;
	return count;
}

/* Sends at once or not at all, or what is left of that and waits for it. */
static void prepare_send(struct bufring_echo *e, struct bufring_connection *c)
{
	bool waits = c->going == GOING_SHORT;
	int flags = MSG_NOSIGNAL | MSG_WAITALL | (waits ? 0 : MSG_DONTWAIT);
	struct io_uring_sqe *sqe = uring_sqe(&e->server);

	if (!waits)
		c->sending_bufs = count_bufs(e, c);
	if (c->sending_bufs == 1)
		io_uring_prep_send(sqe, c->base.slot,
				   uring_bufs_at(&e->bufs, c->first) + c->sent_bytes,
				   e->filled[c->first].size_bytes - c->sent_bytes, flags);
	else
		io_uring_prep_sendmsg(sqe, c->base.slot, gather(e, c), (unsigned)flags);
	uring_finish(sqe, c, URING_TAG_SEND, waits ? 0 : IOSQE_CQE_SKIP_SUCCESS);
	if (waits) {
		c->holds |= HOLD_WAITING;
		return;
	}
	c->going = GOING_SILENT;
	c->holds |= HOLD_BATCH;
	c->next = e->batch;
	e->batch = c;
}

static void give_first(struct bufring_echo *e, struct bufring_connection *c)
{
	uint16_t id = c->first;

	c->first = e->filled[id].next;
	c->held_bufs--;
	uring_bufs_give(&e->bufs, id);
}

static void end_connection(struct bufring_echo *e, struct bufring_connection *c)
{
	c->ended = true;
	if (c->holds & HOLD_RECEIVING) /* its completion ends it */
		uring_server_cancel_receive(&e->server, &c->base);
	if (c->holds)
		return;
	while (c->first != NO_BUF)
		give_first(e, c);
	uring_server_end(&e->server, &c->base);
}

/* What comes next, once nothing of it is being sent. */
static void go_on(struct bufring_echo *e, struct bufring_connection *c)
{
	if (c->paused && !c->ended && c->held_bufs < HELD_MAX / 2) {
		c->paused = false;
		prepare_receive(e, c);
	}
	if (c->holds & (HOLD_DIRTY | HOLD_BATCH | HOLD_WAITING))
		return;
	if (c->ended || (c->first == NO_BUF && c->peer_ended)) {
		end_connection(e, c);
	} else if (c->first != NO_BUF) {
		c->holds |= HOLD_DIRTY;
		c->next = e->dirty;
		e->dirty = c;
	}
}

/* Gives back what is out; false if something of the send is left. */
static bool account(struct bufring_echo *e, struct bufring_connection *c, uint32_t moved_bytes)
{
	c->sent_bytes += moved_bytes;
	while (c->sending_bufs && c->sent_bytes >= e->filled[c->first].size_bytes) {
		c->sent_bytes -= e->filled[c->first].size_bytes;
		give_first(e, c);
		c->sending_bufs--;
	}
	return c->sending_bufs == 0;
}

/* Only of a send that did not go out at once, and then of its rest. */
static void on_send(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	struct bufring_echo *e = (struct bufring_echo *)s;
	struct bufring_connection *c = owner;
	bool waited = c->holds & HOLD_WAITING;

	c->holds &= ~(unsigned)HOLD_WAITING;
	c->going = GOING_SHORT;
	if (cqe->res < 0 && (cqe->res != -EAGAIN || waited))
		c->ended = true;
	else if (account(e, c, cqe->res > 0 ? (uint32_t)cqe->res : 0))
		c->going = GOING_IDLE;
	go_on(e, c);
}

static void take_buf(struct bufring_echo *e, struct bufring_connection *c,
		     const struct io_uring_cqe *cqe)
{
	uint16_t id = uring_bufs_take(&e->bufs, cqe);

	if (cqe->res <= 0 || c->ended) {
		uring_bufs_give(&e->bufs, id);
		return;
	}
	e->server.report.bytes += (uint64_t)cqe->res;
	e->filled[id].size_bytes = (uint32_t)cqe->res;
	e->filled[id].next = NO_BUF;
	if (c->first != NO_BUF)
		e->filled[c->last].next = id;
	else
		c->first = id;
	c->last = id;
	c->held_bufs++;
	go_on(e, c);
}

static void starve(struct bufring_echo *e, struct bufring_connection *c)
{
	e->bufs.lacking = true;
	c->holds |= HOLD_STARVED;
	c->next_starved = NULL;
	*e->starved_end = c;
	e->starved_end = &c->next_starved;
}

/* As many as there are buffers: the others would only come back. */
static void feed_starved(struct bufring_echo *e)
{
	struct bufring_connection *c;

	for (unsigned i = 0; i < e->bufs.in_ring && (c = e->starved) != NULL; i++) {
		e->starved = c->next_starved;
		if (!e->starved)
			e->starved_end = &e->starved;
		c->holds &= ~(unsigned)HOLD_STARVED;
		if (c->ended)
			end_connection(e, c);
		else
			prepare_receive(e, c);
	}
	/* They may be quiet, and a send that gives buffers back is. */
	e->server.hurries = e->starved && (e->bufs.in_ring || e->batch);
}

/* A cancel misses a receive that is just about to go on: once in each turn. */
static void pause_hoarder(struct bufring_echo *e, struct bufring_connection *c)
{
	uint64_t turn = e->server.report.turns;

	if (c->held_bufs < HELD_MAX || c->cancelled_in_turn == turn || c->ended)
		return;
	c->cancelled_in_turn = turn;
	uring_server_cancel_receive(&e->server, &c->base);
}

/* What comes after a receive that ended with `result`. */
static void receive_again(struct bufring_echo *e, struct bufring_connection *c, int result)
{
	bool is_well = result > 0 || result == -ENOBUFS ||
		       (result == -ECANCELED && c->cancelled_in_turn);

	if (c->ended) {
		end_connection(e, c);
	} else if (is_well && c->held_bufs < HELD_MAX) {
		if (result == -ENOBUFS)
			starve(e, c);
		else
			prepare_receive(e, c);
	} else {
		c->paused = is_well;
		c->peer_ended = result == 0; /* it still reads: the rest goes out first */
		c->ended = !is_well && result < 0;
		go_on(e, c);
	}
}

static void on_receive(struct uring_server *s, void *owner, const struct io_uring_cqe *cqe)
{
	struct bufring_echo *e = (struct bufring_echo *)s;
	struct bufring_connection *c = owner;

	if (cqe->flags & IORING_CQE_F_BUFFER)
		take_buf(e, c, cqe);
	if (cqe->flags & IORING_CQE_F_MORE) {
		pause_hoarder(e, c);
		return;
	}
	c->holds &= ~(unsigned)HOLD_RECEIVING;
	receive_again(e, c, cqe->res);
}

/* What the last enter took and nothing was heard of has gone out. */
static void conclude_batch(struct bufring_echo *e)
{
	struct bufring_connection *c, *next;

	for (c = e->batch, e->batch = NULL; c; c = next) {
		next = c->next;
		c->holds &= ~(unsigned)HOLD_BATCH;
		if (c->going == GOING_SILENT) {
			while (c->sending_bufs) {
				give_first(e, c);
				c->sending_bufs--;
			}
			c->going = GOING_IDLE;
		}
		go_on(e, c);
	}
}

static void send_dirty(struct bufring_echo *e)
{
	struct bufring_connection *c, *next;

	e->part_count = 0;
	e->message_count = 0;
	for (c = e->dirty, e->dirty = NULL; c; c = next) {
		next = c->next;
		c->holds &= ~(unsigned)HOLD_DIRTY;
		if (c->ended)
			end_connection(e, c);
		else
			prepare_send(e, c);
	}
}

static void after_turn(struct uring_server *s)
{
	struct bufring_echo *e = (struct bufring_echo *)s;

	if (!s->settled)
		return;
	conclude_batch(e);
	send_dirty(e);
	uring_bufs_refill(&e->bufs);
	feed_starved(e);
}

static void begin(struct uring_server *s, struct uring_connection *base)
{
	struct bufring_connection *c = (struct bufring_connection *)base;

	c->first = NO_BUF;
	prepare_receive((struct bufring_echo *)s, c);
}

static int open_bufs(struct uring_server *s)
{
	struct bufring_echo *e = (struct bufring_echo *)s;

	e->starved_end = &e->starved;
	return uring_bufs_open(&e->bufs, &s->ring, BUFRING_BUFS, BUFRING_BUF_BYTES);
}

static void close_bufs(struct uring_server *s)
{
	uring_bufs_close(&((struct bufring_echo *)s)->bufs);
}

const struct uring_role bufring_echo_role = {
	.server_bytes = sizeof(struct bufring_echo),
	.connection_bytes = sizeof(struct bufring_connection),
	.open = open_bufs,
	.close = close_bufs,
	.begin = begin,
	.on_receive = on_receive,
	.on_send = on_send,
	.after_turn = after_turn,
};
