/* SPDX-License-Identifier: MIT */
/*
 * A buf lent and returned: a byte is sent with send(2) to each of `n` sockets, and each is
 * received. soq: a multishot receive from a pool. Raw: the same from a ring of buffers; or
 * epoll and recv(2) into one static buffer.
 */
#include "rig.h"
#ifdef PERF_HAVE_URING
#include "raw_ring.h"
#endif

#include <cerrno>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* As a pool's default. */
#define BUFS      128u
#define BUF_BYTES 16384u

static void send_all(const struct pairs &p)
{
	for (int fd : p.far)
		must("send", send(fd, "x", 1, MSG_NOSIGNAL));
}

static void items(benchmark::State &state)
{
	state.SetItemsProcessed(state.iterations() * state.range(0));
}

static void lent(const struct soq_event *event)
{
	if (event->buf == nullptr)
		return;
	benchmark::DoNotOptimize(event->buf->data[0]);
	must("soq_buf_return", soq_buf_return(event->buf));
	++*static_cast<size_t *>(event->op->user);
}

static void buf_soq(benchmark::State &state, enum soq_backend backend)
{
	struct pairs p((size_t)state.range(0));
	struct rig_loop l(backend);
	std::vector<struct soq_op> ops = l.ops(p.near.size());
	struct soq_pool *pool = nullptr;

	must("soq_pool_create", soq_pool_create(l.loop, nullptr, &pool));
	for (size_t i = 0; i < ops.size(); i++) {
		ops[i].done = lent;
		must("soq_recv_buf_async",
		     soq_recv_buf_async(l.adopt(p.near[i]), &ops[i], pool, SOQ_MULTISHOT));
	}
	must("soq_loop_run", soq_loop_run(l.loop, SOQ_RUN_ONCE, 0));
	for (auto _ : state) {
		send_all(p);
		l.run(ops.size());
	}
	items(state);
	must("soq_loop_close_all", soq_loop_close_all(l.loop));
	must("soq_loop_run", soq_loop_run(l.loop, SOQ_RUN_IDLE, -1));
	must("soq_pool_destroy", soq_pool_destroy(pool));
}

static void buf_epoll(benchmark::State &state)
{
	static unsigned char buffer[BUF_BYTES];
	struct pairs p((size_t)state.range(0));
	struct epoll_event events[64];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (int fd : p.near) {
		struct epoll_event event = {};

		event.events = EPOLLIN;
		event.data.fd = fd;
		must("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	}
	for (auto _ : state) {
		size_t ended = 0;

		send_all(p);
		while (ended < p.near.size()) {
			int count = epoll_wait(epoll, events, 64, -1);

			for (int i = 0; i < count; i++, ended++)
				must("recv",
				     recv(events[i].data.fd, buffer, BUF_BYTES, MSG_DONTWAIT));
			benchmark::DoNotOptimize(buffer[0]);
		}
	}
	items(state);
	close(epoll);
}

#ifdef PERF_HAVE_URING
struct buf_ring : raw_ring {
	struct io_uring_buf_ring *bufs;
	unsigned char *memory;

	buf_ring();
	~buf_ring();

	void give(unsigned id)
	{
		io_uring_buf_ring_add(bufs, memory + (size_t)id * BUF_BYTES, BUF_BYTES,
				      (unsigned short)id, io_uring_buf_ring_mask(BUFS), 0);
		io_uring_buf_ring_advance(bufs, 1);
	}
};

#define RING_BYTES (BUFS * sizeof(struct io_uring_buf))

buf_ring::buf_ring()
{
	struct io_uring_buf_reg reg = {};
	void *all = mmap(nullptr, RING_BYTES + (size_t)BUFS * BUF_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (all == MAP_FAILED)
		fail("mmap", -errno);
	bufs = static_cast<struct io_uring_buf_ring *>(all);
	memory = static_cast<unsigned char *>(all) + RING_BYTES;
	io_uring_buf_ring_init(bufs);
	reg.ring_addr = (uintptr_t)bufs;
	reg.ring_entries = BUFS;
	must("io_uring_register_buf_ring", io_uring_register_buf_ring(&ring, &reg, 0));
	for (unsigned id = 0; id < BUFS; id++)
		give(id);
}

buf_ring::~buf_ring()
{
	must("io_uring_unregister_buf_ring", io_uring_unregister_buf_ring(&ring, 0));
	munmap(bufs, RING_BYTES + (size_t)BUFS * BUF_BYTES);
}

static void filled(struct raw_op *op, int result, unsigned flags)
{
	struct buf_ring *r = static_cast<struct buf_ring *>(op->user);
	unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;

	if (result < 0 || !(flags & IORING_CQE_F_MORE))
		fail("a multishot receive ended", result);
	benchmark::DoNotOptimize(r->memory[(size_t)id * BUF_BYTES]);
	r->give(id);
	r->ended++;
}

static void buf_uring(benchmark::State &state)
{
	struct pairs p((size_t)state.range(0));
	struct buf_ring r;
	struct raw_op op = { filled, &r };

	for (int fd : p.near) {
		struct io_uring_sqe *sqe = r.sqe();

		io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
		io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
		io_uring_sqe_set_data(sqe, &op);
	}
	must("io_uring_submit", io_uring_submit(&r.ring));
	for (auto _ : state) {
		send_all(p);
		r.run(p.near.size());
	}
	items(state);
}
#endif

void buf_add(bool has_uring)
{
#ifdef PERF_HAVE_URING
	if (has_uring)
		bench_add("buf", SOQ_BACKEND_URING, buf_soq, buf_uring, { 1, 32 });
#else
	(void)has_uring;
#endif
	bench_add("buf", SOQ_BACKEND_EPOLL, buf_soq, buf_epoll, { 1, 32 });
}
