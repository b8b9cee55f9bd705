/* SPDX-License-Identifier: MIT */
/* The ways a careful program could do it on bare liburing 2.3. */
#include "technique.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENTRIES 64
#define BUFS    8u
#define GROUP   0

/* A ring of buffers and their memory, in one mapping. */
#define BUFS_BYTES                                                                                 \
	((size_t)BUFS * sizeof(struct io_uring_buf) + (size_t)BUFS * TECHNIQUE_ROOM_BYTES)

struct uring_state {
	struct io_uring ring;
	bool has_ring;
	int fd;
	struct io_uring_buf_ring *bufs; /* NULL: receives into the caller's memory */
	unsigned char *memory;
	bool armed; /* the multishot receive */
	struct control_report report;
};

static struct io_uring_sqe *get_sqe(struct uring_state *s)
{
	s->report.requests++;
	return io_uring_get_sqe(&s->ring); /* there are never more than two in it */
}

static int enter(struct uring_state *s, unsigned wait_count)
{
	int ret = io_uring_submit_and_wait(&s->ring, wait_count);

	s->report.waits++;
	s->report.turns++;
	return ret < 0 && ret != -EINTR ? ret : 0;
}

static void add_buf(struct uring_state *s, unsigned id)
{
	io_uring_buf_ring_add(s->bufs, s->memory + (size_t)id * TECHNIQUE_ROOM_BYTES,
			      TECHNIQUE_ROOM_BYTES, (uint16_t)id, io_uring_buf_ring_mask(BUFS), 0);
	io_uring_buf_ring_advance(s->bufs, 1);
}

static int make_bufs(struct uring_state *s)
{
	struct io_uring_buf_reg reg = { .ring_entries = BUFS, .bgid = GROUP };
	void *memory = mmap(NULL, BUFS_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	s->bufs = memory;
	s->memory = (unsigned char *)memory + BUFS * sizeof(struct io_uring_buf);
	reg.ring_addr = (uintptr_t)memory;
	io_uring_buf_ring_init(s->bufs);
	for (unsigned i = 0; i < BUFS; i++)
		add_buf(s, i);
	return io_uring_register_buf_ring(&s->ring, &reg, 0);
}

static int uring_close(void *state)
{
	struct uring_state *s = state;

	if (s->has_ring)
		io_uring_queue_exit(&s->ring);
	if (s->fd >= 0)
		close(s->fd);
	if (s->bufs)
		munmap(s->bufs, BUFS_BYTES);
	free(s);
	return 0;
}

static int make(struct uring_state *s, bool with_bufs, const struct sockaddr_in *where)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	int ret = io_uring_queue_init_params(ENTRIES, &s->ring, &params);

	if (ret < 0)
		return ret;
	s->has_ring = true;
	/* Worth a little, and not there before Linux 5.18. */
	(void)!io_uring_register_ring_fd(&s->ring);
	ret = with_bufs ? make_bufs(s) : 0;
	if (ret < 0)
		return ret;
	s->fd = technique_connect(where);
	return s->fd < 0 ? s->fd : 0;
}

static int uring_open(const struct technique *self, const struct sockaddr_in *where, unsigned armed,
		      void **state_out)
{
	struct uring_state *s = calloc(1, sizeof(*s));
	int ret;

	(void)armed;
	if (!s)
		return -ENOMEM;
	s->fd = -1;
	ret = make(s, self->pooled, where);
	if (ret < 0)
		uring_close(s);
	else
		*state_out = s;
	return ret;
}

/* Takes what is complete; both requests have a 1 or a 2 as their data. Returns 0 or -errno. */
static int reap_pair(struct uring_state *s, int *sent, int *got)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;
	int ret = 0;

	io_uring_for_each_cqe (&s->ring, head, cqe) {
		count++;
		if (cqe->res <= 0)
			ret = cqe->res < 0 ? cqe->res : -ECONNRESET;
		else if (cqe->user_data == 1)
			*sent = cqe->res;
		else
			*got += cqe->res;
	}
	io_uring_cq_advance(&s->ring, count);
	s->report.completions += count;
	return ret;
}

/* Both requests, and one enter that waits for both of their completions. */
static int pair_trip(void *state, const unsigned char *request, unsigned char *response,
		     size_t size_bytes)
{
	struct uring_state *s = state;
	struct io_uring_sqe *sqe = get_sqe(s);
	int sent = 0, got = 0, ret;

	io_uring_prep_send(sqe, s->fd, request, size_bytes, MSG_NOSIGNAL);
	io_uring_sqe_set_data64(sqe, 1);
	sqe = get_sqe(s);
	io_uring_prep_recv(sqe, s->fd, response, TECHNIQUE_ROOM_BYTES, 0);
	io_uring_sqe_set_data64(sqe, 2);
	do {
		ret = enter(s, 2);
		if (ret == 0)
			ret = reap_pair(s, &sent, &got);
		if (ret < 0)
			return ret;
	} while (sent == 0 || got == 0);
	return (size_t)sent == size_bytes && (size_t)got == size_bytes ? 0 : -EMSGSIZE;
}

static int take_buf(struct uring_state *s, const struct io_uring_cqe *cqe, unsigned char *response,
		    size_t *got_bytes)
{
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

	s->armed = cqe->flags & IORING_CQE_F_MORE;
	/* A send is heard of only when it failed. */
	if (cqe->user_data == 1 || cqe->res <= 0)
		return cqe->res < 0 ? cqe->res : -ECONNRESET;
	if (*got_bytes + (size_t)cqe->res > TECHNIQUE_ROOM_BYTES)
		return -EMSGSIZE;
	memcpy(response + *got_bytes, s->memory + (size_t)id * TECHNIQUE_ROOM_BYTES,
	       (size_t)cqe->res);
	*got_bytes += (size_t)cqe->res;
	add_buf(s, id);
	return 0;
}

static int reap_bufs(struct uring_state *s, unsigned char *response, size_t *got_bytes)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;
	int ret = 0;

	io_uring_for_each_cqe (&s->ring, head, cqe) {
		count++;
		if (ret == 0)
			ret = take_buf(s, cqe, response, got_bytes);
	}
	io_uring_cq_advance(&s->ring, count);
	s->report.completions += count;
	return ret;
}

static void arm(struct uring_state *s)
{
	struct io_uring_sqe *sqe = get_sqe(s);

	io_uring_prep_recv_multishot(sqe, s->fd, NULL, 0, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
	sqe->buf_group = GROUP;
	io_uring_sqe_set_data64(sqe, 2);
	s->armed = true;
}

/* A send that leaves no completion, and one enter that waits for the response. */
static int multishot_trip(void *state, const unsigned char *request, unsigned char *response,
			  size_t size_bytes)
{
	struct uring_state *s = state;
	struct io_uring_sqe *sqe = get_sqe(s);
	int ret = 0;

	io_uring_prep_send(sqe, s->fd, request, size_bytes,
			   MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, 1);
	for (size_t got = 0; ret == 0 && got < size_bytes;) {
		if (!s->armed)
			arm(s);
		ret = enter(s, 1);
		if (ret == 0)
			ret = reap_bufs(s, response, &got);
	}
	return ret;
}

/* A send outside of the ring costs less than one inside, if nothing goes with it. */
static int send_now(struct uring_state *s, const unsigned char *request, size_t size_bytes)
{
	ssize_t sent = send(s->fd, request, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	s->report.requests++;
	if (sent < 0)
		return -errno;
	return sent == (ssize_t)size_bytes ? 0 : -EMSGSIZE;
}

/* send(2), and one enter that waits for the response. */
static int outside_trip(void *state, const unsigned char *request, unsigned char *response,
			size_t size_bytes)
{
	struct uring_state *s = state;
	int ret = send_now(s, request, size_bytes);

	for (size_t got = 0; ret == 0 && got < size_bytes;) {
		if (!s->armed)
			arm(s);
		ret = enter(s, 1);
		if (ret == 0)
			ret = reap_bufs(s, response, &got);
	}
	return ret;
}

static void watch(struct uring_state *s)
{
	struct io_uring_sqe *sqe = get_sqe(s);

	io_uring_prep_poll_multishot(sqe, s->fd, POLLIN);
	s->armed = true;
}

/* send(2), one enter that waits for a poll armed long ago, recv(2). */
static int poll_trip(void *state, const unsigned char *request, unsigned char *response,
		     size_t size_bytes)
{
	struct uring_state *s = state;
	int ret = send_now(s, request, size_bytes);

	for (size_t got = 0; ret == 0 && got < size_bytes;) {
		struct io_uring_cqe *cqe;
		ssize_t count;

		if (!s->armed)
			watch(s);
		ret = enter(s, 1);
		if (ret < 0 || io_uring_peek_cqe(&s->ring, &cqe) < 0)
			continue;
		s->armed = cqe->flags & IORING_CQE_F_MORE;
		s->report.completions++;
		io_uring_cqe_seen(&s->ring, cqe);
		count = recv(s->fd, response + got, TECHNIQUE_ROOM_BYTES - got, MSG_DONTWAIT);
		s->report.requests++;
		if (count > 0)
			got += (size_t)count;
		else if (count == 0 || errno != EAGAIN)
			ret = count < 0 ? -errno : -ECONNRESET;
	}
	return ret;
}

static struct control_report uring_report(void *state)
{
	return ((struct uring_state *)state)->report;
}

#define URING_CALLS .open = uring_open, .report = uring_report, .close = uring_close

static const struct technique rows[] = {
	{
		.key = "raw-uring-pair",
		.name = "raw liburing, pair",
		.how = "a send and a receive, one enter for both completions",
		.trip = pair_trip,
		URING_CALLS,
	},
	{
		.key = "raw-uring-multishot",
		.name = "raw liburing, multishot",
		.how = "a send with no completion, one enter; a multishot receive, a ring of "
		       "buffers",
		.pooled = true,
		.trip = multishot_trip,
		URING_CALLS,
	},
	{
		.key = "raw-uring-outside",
		.name = "raw liburing, outside",
		.how = "send(2), one enter; a multishot receive, a ring of buffers",
		.pooled = true,
		.trip = outside_trip,
		URING_CALLS,
	},
	{
		.key = "raw-uring-poll",
		.name = "raw liburing, poll",
		.how = "send(2), one enter; a multishot poll, recv(2)",
		.trip = poll_trip,
		URING_CALLS,
	},
};

const struct technique_list technique_uring = { rows, sizeof(rows) / sizeof(rows[0]) };
