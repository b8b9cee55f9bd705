/* SPDX-License-Identifier: MIT */
/* The echo server on bare liburing with a ring of provided buffers. */
#include "bufring_echo.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SQ_ENTRIES       1024
#define CQ_ENTRIES       8192
#define SLAB_CONNECTIONS 64u
#define GROUP            0
#define NO_BUF           UINT16_MAX

/* What a completion belongs to: the low bits of its pointer. */
enum tag { TAG_RECEIVE = 0, TAG_SEND = 1, TAG_ACCEPT = 2, TAG_WATCHED = 3, TAG_MASK = 3 };

struct connection {
	int fd;
	uint16_t first, last; /* filled buffers: the first is being sent */
	uint32_t sent_bytes;  /* of the first */
	bool receiving;
	bool sending; /* handed over, and not known to be out */
	bool blocked; /* did not go out at once: its completion will come */
	bool peer_ended;
	bool ended;
	struct connection *next; /* free, starved, or in the batch */
};

struct slab {
	struct slab *next;
	struct connection connections[SLAB_CONNECTIONS];
};

struct bufring_echo {
	struct io_uring ring;
	struct io_uring_buf_ring *bufs;
	unsigned char *memory;
	struct {
		uint32_t size_bytes;
		uint16_t next;
	} filled[BUFRING_BUFS];
	int listen_fd;
	int watched_fd;
	bool watched;
	struct control_report report;
	struct slab *slabs;
	struct connection *free;
	struct connection *batch;   /* their sends are in the submission queue */
	struct connection *starved; /* met an empty ring */
	uint64_t anchor;            /* anything aligned can carry the tags of accept and watch */
};

static struct io_uring_sqe *get_sqe(struct bufring_echo *e)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&e->ring);

	if (!sqe) {
		e->report.waits++;
		io_uring_submit(&e->ring);
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

static void prepare_accept(struct bufring_echo *e)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	io_uring_prep_multishot_accept(sqe, e->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	tag_sqe(sqe, &e->anchor, TAG_ACCEPT);
}

static void prepare_watch(struct bufring_echo *e)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	io_uring_prep_poll_add(sqe, e->watched_fd, POLLIN);
	tag_sqe(sqe, &e->anchor, TAG_WATCHED);
}

static void prepare_receive(struct bufring_echo *e, struct connection *c)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
	sqe->buf_group = GROUP;
	tag_sqe(sqe, c, TAG_RECEIVE);
	c->receiving = true;
}

/* Sends at once or not at all, or what is left of that and waits for it. */
static void prepare_send(struct bufring_echo *e, struct connection *c)
{
	struct io_uring_sqe *sqe = get_sqe(e);

	io_uring_prep_send(sqe, c->fd,
			   e->memory + (size_t)c->first * TWIN_BUFFER_BYTES + c->sent_bytes,
			   e->filled[c->first].size_bytes - c->sent_bytes,
			   MSG_NOSIGNAL | MSG_WAITALL | (c->blocked ? 0 : MSG_DONTWAIT));
	if (!c->blocked)
		io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	tag_sqe(sqe, c, TAG_SEND);
	if (c->blocked)
		return;
	c->sending = true;
	c->next = e->batch;
	e->batch = c;
}

static void give_back(struct bufring_echo *e, struct connection *c)
{
	uint16_t id = c->first;

	c->first = e->filled[id].next;
	c->sent_bytes = 0;
	io_uring_buf_ring_add(e->bufs, e->memory + (size_t)id * TWIN_BUFFER_BYTES,
			      TWIN_BUFFER_BYTES, id, io_uring_buf_ring_mask(BUFRING_BUFS), 0);
	io_uring_buf_ring_advance(e->bufs, 1);
}

static void end_connection(struct bufring_echo *e, struct connection *c)
{
	c->ended = true;
	if (c->receiving) {
		/* The receive's completion ends it. */
		shutdown(c->fd, SHUT_RDWR);
		return;
	}
	if (c->sending || c->fd < 0)
		return;
	while (c->first != NO_BUF)
		give_back(e, c);
	close(c->fd);
	c->fd = -1;
	c->next = e->free;
	e->free = c;
}

/* The first buffer is out: the next, or the end. */
static void sent(struct bufring_echo *e, struct connection *c)
{
	c->sending = false;
	c->blocked = false;
	give_back(e, c);
	if (c->ended || (c->first == NO_BUF && c->peer_ended))
		end_connection(e, c);
	else if (c->first != NO_BUF)
		prepare_send(e, c);
}

static void take_buffer(struct bufring_echo *e, struct connection *c,
			const struct io_uring_cqe *cqe)
{
	uint16_t id = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

	e->report.bytes += (uint64_t)cqe->res;
	e->filled[id].size_bytes = (uint32_t)cqe->res;
	e->filled[id].next = NO_BUF;
	if (c->first != NO_BUF)
		e->filled[c->last].next = id;
	else
		c->first = id;
	c->last = id;
	if (!c->sending && !c->ended)
		prepare_send(e, c);
}

static void on_receive(struct bufring_echo *e, struct connection *c, const struct io_uring_cqe *cqe)
{
	c->receiving = cqe->flags & IORING_CQE_F_MORE;
	if (cqe->res > 0)
		take_buffer(e, c, cqe);
	if (c->receiving)
		return;
	if (cqe->res == -ENOBUFS && !c->ended && !c->sending) {
		c->next = e->starved;
		e->starved = c;
	} else if ((cqe->res > 0 || cqe->res == -ENOBUFS) && !c->ended) {
		prepare_receive(e, c);
	} else if (cqe->res == 0 && c->sending && !c->ended) {
		c->peer_ended = true; /* it still reads: the rest goes out first */
	} else {
		end_connection(e, c);
	}
}

/* Only of a send that did not go out at once, and then of its rest. */
static void on_send(struct bufring_echo *e, struct connection *c, int result)
{
	bool was_blocked = c->blocked;

	if (result > 0)
		c->sent_bytes += (uint32_t)result;
	c->blocked = true;
	if (c->ended || (result < 0 && (result != -EAGAIN || was_blocked))) {
		c->sending = false;
		end_connection(e, c);
	} else if (c->sent_bytes < e->filled[c->first].size_bytes) {
		prepare_send(e, c);
	} else {
		sent(e, c);
	}
}

static int grow(struct bufring_echo *e)
{
	struct slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return -ENOMEM;
	e->report.allocations++;
	slab->next = e->slabs;
	e->slabs = slab;
	for (unsigned i = 0; i < SLAB_CONNECTIONS; i++) {
		slab->connections[i].fd = -1;
		slab->connections[i].next = e->free;
		e->free = &slab->connections[i];
	}
	return 0;
}

static void on_accept(struct bufring_echo *e, int result, unsigned flags)
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
	*c = (struct connection){ .fd = result, .first = NO_BUF };
	e->report.accepts++;
	prepare_receive(e, c);
}

static void on_completion(struct bufring_echo *e, const struct io_uring_cqe *cqe)
{
	void *owner = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);

	e->report.completions++;
	switch ((enum tag)(cqe->user_data & TAG_MASK)) {
	case TAG_RECEIVE:
		on_receive(e, owner, cqe);
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

/* What the last enter handed over and nothing was heard of has gone out. */
static void conclude_batch(struct bufring_echo *e, struct connection *batch)
{
	struct connection *c;

	while ((c = batch) != NULL) {
		batch = c->next;
		if (c->sending && !c->blocked)
			sent(e, c);
	}
	while ((c = e->starved) != NULL) {
		e->starved = c->next;
		prepare_receive(e, c);
	}
}

int bufring_echo_turn(struct bufring_echo *e, bool wait)
{
	struct connection *batch = e->batch;
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;
	int ret;

	e->report.waits++;
	e->report.turns++;
	e->batch = NULL;
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
	conclude_batch(e, batch);
	return e->watched ? TWIN_TURN_WATCHED : TWIN_TURN_ECHO;
}

const struct control_report *bufring_echo_report(const struct bufring_echo *e)
{
	return &e->report;
}

static int make_bufs(struct bufring_echo *e)
{
	size_t ring_bytes = BUFRING_BUFS * sizeof(struct io_uring_buf);
	struct io_uring_buf_reg reg = { .ring_entries = BUFRING_BUFS, .bgid = GROUP };
	void *memory = mmap(NULL, ring_bytes + (size_t)BUFRING_BUFS * TWIN_BUFFER_BYTES,
			    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
			    0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	e->bufs = memory;
	e->memory = (unsigned char *)memory + ring_bytes;
	reg.ring_addr = (uintptr_t)memory;
	io_uring_buf_ring_init(e->bufs);
	for (unsigned i = 0; i < BUFRING_BUFS; i++)
		io_uring_buf_ring_add(e->bufs, e->memory + (size_t)i * TWIN_BUFFER_BYTES,
				      TWIN_BUFFER_BYTES, (uint16_t)i,
				      io_uring_buf_ring_mask(BUFRING_BUFS), (int)i);
	io_uring_buf_ring_advance(e->bufs, BUFRING_BUFS);
	return io_uring_register_buf_ring(&e->ring, &reg, 0);
}

int bufring_echo_create(int listen_fd, int watched_fd, struct bufring_echo **out)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = CQ_ENTRIES,
	};
	struct bufring_echo *e = calloc(1, sizeof(*e));
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
	ret = make_bufs(e);
	if (ret < 0) {
		bufring_echo_destroy(e);
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

void bufring_echo_destroy(struct bufring_echo *e)
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
	if (e->bufs)
		munmap(e->bufs, BUFRING_BUFS * (sizeof(struct io_uring_buf) + TWIN_BUFFER_BYTES));
	while ((slab = e->slabs) != NULL) {
		e->slabs = slab->next;
		free(slab);
	}
	free(e);
}
