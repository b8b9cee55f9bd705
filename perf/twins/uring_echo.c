/* SPDX-License-Identifier: MIT */
/* The echo server on bare liburing. */
#include "uring_echo.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SQ_ENTRIES       1024
#define CQ_ENTRIES       8192
#define SLAB_CONNECTIONS 64u

/* What a completion belongs to: the low bits of its pointer. */
enum tag { TAG_RECEIVE = 0, TAG_SEND = 1, TAG_ACCEPT = 2, TAG_WATCHED = 3, TAG_MASK = 3 };

struct connection {
	int fd;
	unsigned filling;    /* the buffer of the next receive */
	uint32_t held_bytes; /* received while `blocked` */
	uint32_t sent_bytes; /* of the send in flight or skipped last */
	uint32_t total_bytes;
	bool receiving;
	bool blocked; /* a send did not go out at once: its completion will come */
	bool peer_ended;
	bool ended;
	unsigned char *buffers[2];
	struct connection *next; /* free list */
};

struct slab {
	struct slab *next;
	unsigned char *buffers;
	struct connection connections[SLAB_CONNECTIONS];
};

struct uring_echo {
	struct io_uring ring;
	int listen_fd;
	int watched_fd;
	bool watched;
	struct control_report report;
	struct slab *slabs;
	struct connection *free;
	/* Anything aligned can carry the tags of accept and watch. */
	uint64_t anchor;
};

static int submit_early(struct uring_echo *e)
{
	e->report.waits++;
	return io_uring_submit(&e->ring);
}

static struct io_uring_sqe *get_sqe(struct uring_echo *e)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&e->ring);

	if (!sqe) {
		submit_early(e);
		sqe = io_uring_get_sqe(&e->ring);
		if (!sqe)
			abort(); /* an enter that takes nothing from a full queue: a broken kernel */
	}
	e->report.requests++;
	return sqe;
}

static void tag_sqe(struct io_uring_sqe *sqe, void *owner, enum tag tag)
{
	io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)owner | tag);
}

static void prepare_accept(struct uring_echo *e)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	io_uring_prep_multishot_accept(sqe, e->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	tag_sqe(sqe, &e->anchor, TAG_ACCEPT);
}

static void prepare_watch(struct uring_echo *e)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	io_uring_prep_poll_add(sqe, e->watched_fd, POLLIN);
	tag_sqe(sqe, &e->anchor, TAG_WATCHED);
}

static void prepare_receive(struct uring_echo *e, struct connection *c, bool more)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	io_uring_prep_recv(sqe, c->fd, c->buffers[c->filling], TWIN_BUFFER_BYTES, 0);
	tag_sqe(sqe, c, TAG_RECEIVE);
	/* Nothing was left: a first try would only fail. Worth 3 % in the harness. */
	if (!more)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	c->receiving = true;
}

/* Sends at once or not at all: a completion comes only for what is left over. */
static void prepare_send(struct uring_echo *e, struct connection *c, uint32_t bytes)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	c->sent_bytes = 0;
	c->total_bytes = bytes;
	io_uring_prep_send(sqe, c->fd, c->buffers[c->filling], bytes,
			   MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	tag_sqe(sqe, c, TAG_SEND);
	c->filling ^= 1;
}

/* Sends the rest and waits for it; it lies in the buffer that is not being filled. */
static void prepare_rest(struct uring_echo *e, struct connection *c)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	io_uring_prep_send(sqe, c->fd, c->buffers[c->filling ^ 1] + c->sent_bytes,
			   c->total_bytes - c->sent_bytes, MSG_NOSIGNAL | MSG_WAITALL);
	tag_sqe(sqe, c, TAG_SEND);
}

static void end_connection(struct uring_echo *e, struct connection *c)
{
	c->ended = true;
	if (c->receiving) {
		/* The receive's completion ends it. */
		shutdown(c->fd, SHUT_RDWR);
		return;
	}
	if (c->blocked)
		return;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->next = e->free;
	e->free = c;
}

static void echo_back(struct uring_echo *e, struct connection *c, uint32_t bytes, bool more)
{
	c->held_bytes = 0;
	prepare_send(e, c, bytes);
	prepare_receive(e, c, more);
}

static void on_receive(struct uring_echo *e, struct connection *c, int result, bool more)
{
	c->receiving = false;
	if (result == 0 && c->blocked && !c->ended) {
		c->peer_ended = true; /* it still reads: the rest goes out first */
		return;
	}
	if (c->ended || result <= 0) {
		end_connection(e, c);
		return;
	}
	e->report.bytes += (uint64_t)result;
	if (c->blocked)
		c->held_bytes = (uint32_t)result;
	else
		echo_back(e, c, (uint32_t)result, more);
}

static void on_send(struct uring_echo *e, struct connection *c, int result)
{
	bool was_blocked = c->blocked;

	c->blocked = false;
	if (c->ended || (result < 0 && (result != -EAGAIN || was_blocked))) {
		end_connection(e, c);
		return;
	}
	if (result > 0)
		c->sent_bytes += (uint32_t)result;
	if (c->sent_bytes < c->total_bytes) {
		c->blocked = true;
		prepare_rest(e, c);
	} else if (c->held_bytes) {
		echo_back(e, c, c->held_bytes, true);
	} else if (c->peer_ended) {
		end_connection(e, c);
	}
}

static int grow(struct uring_echo *e)
{
	struct slab *slab = calloc(1, sizeof(*slab));
	unsigned char *buffers = malloc((size_t)SLAB_CONNECTIONS * 2 * TWIN_BUFFER_BYTES);

	if (!slab || !buffers) {
		free(slab);
		free(buffers);
		return -ENOMEM;
	}
	e->report.allocations += 2;
	slab->buffers = buffers;
	slab->next = e->slabs;
	e->slabs = slab;
	for (unsigned i = 0; i < SLAB_CONNECTIONS; i++) {
		struct connection *c = &slab->connections[i];

		c->fd = -1;
		c->buffers[0] = buffers + (size_t)i * 2 * TWIN_BUFFER_BYTES;
		c->buffers[1] = c->buffers[0] + TWIN_BUFFER_BYTES;
		c->next = e->free;
		e->free = c;
	}
	return 0;
}

static void on_accept(struct uring_echo *e, int result, unsigned flags)
{
	struct connection *c;

	if (!(flags & IORING_CQE_F_MORE))
		prepare_accept(e);
	if (result < 0)
		return;
	if (!e->free && grow(e) < 0) {
		close(result);
		return;
	}
	c = e->free;
	e->free = c->next;
	*c = (struct connection){ .fd = result, .buffers = { c->buffers[0], c->buffers[1] } };
	e->report.accepts++;
	prepare_receive(e, c, true);
}

static void on_completion(struct uring_echo *e, const struct io_uring_cqe *cqe)
{
	enum tag tag = (enum tag)(cqe->user_data & TAG_MASK);
	void *owner = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);

	e->report.completions++;
	switch (tag) {
	case TAG_RECEIVE:
		on_receive(e, owner, cqe->res, cqe->flags & IORING_CQE_F_SOCK_NONEMPTY);
		break;
	case TAG_SEND:
		on_send(e, owner, cqe->res);
		break;
	case TAG_ACCEPT:
		on_accept(e, cqe->res, cqe->flags);
		break;
	case TAG_WATCHED:
		e->watched = true;
		prepare_watch(e);
		break;
	}
}

int uring_echo_turn(struct uring_echo *e, bool wait)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;
	int ret;

	e->report.waits++;
	e->report.turns++;
	if (wait)
		ret = io_uring_submit_and_wait(&e->ring, 1);
	else
		ret = io_uring_submit_and_get_events(&e->ring);
	if (ret < 0 && ret != -EINTR && ret != -EBUSY && ret != -EAGAIN)
		return ret;
	e->watched = false;
	io_uring_for_each_cqe (&e->ring, head, cqe) {
		on_completion(e, cqe);
		count++;
	}
	io_uring_cq_advance(&e->ring, count);
	return e->watched ? TWIN_TURN_WATCHED : TWIN_TURN_ECHO;
}

const struct control_report *uring_echo_report(const struct uring_echo *e)
{
	return &e->report;
}

int uring_echo_create(int listen_fd, int watched_fd, struct uring_echo **out)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = CQ_ENTRIES,
	};
	struct uring_echo *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return -ENOMEM;
	e->listen_fd = listen_fd;
	e->watched_fd = watched_fd;
	ret = io_uring_queue_init_params(SQ_ENTRIES, &e->ring, &params);
	if (ret < 0) {
		free(e);
		return ret;
	}
	/* Worth a little, and not there before Linux 5.18. */
	(void)!io_uring_register_ring_fd(&e->ring);
	prepare_accept(e);
	if (watched_fd >= 0)
		prepare_watch(e);
	*out = e;
	return 0;
}

void uring_echo_destroy(struct uring_echo *e)
{
	struct slab *slab;

	for (slab = e->slabs; slab; slab = slab->next) {
		for (unsigned i = 0; i < SLAB_CONNECTIONS; i++) {
			if (slab->connections[i].fd >= 0)
				close(slab->connections[i].fd);
		}
	}
	/* Ends what the kernel still has of the buffers before they are freed. */
	io_uring_queue_exit(&e->ring);
	while ((slab = e->slabs) != NULL) {
		e->slabs = slab->next;
		free(slab->buffers);
		free(slab);
	}
	free(e);
}
