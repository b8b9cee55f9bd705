/* SPDX-License-Identifier: MIT */
/*
 * Posts. post: `n` of them in the loop's own thread and the turn that delivers them, so
 * that no scheduler is in it; raw: a stack, one eventfd for all, and what watches it.
 * thread: back and forth between two threads, each with a loop; raw: each with an eventfd
 * it sleeps in. An item is one way.
 */
#include "rig.h"
#ifdef PERF_HAVE_URING
#include "raw_ring.h"
#endif

#include <atomic>
#include <cerrno>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

static void post_soq(benchmark::State &state, enum soq_backend backend)
{
	struct rig_loop l(backend);
	std::vector<struct soq_op> ops = l.ops((size_t)state.range(0));

	for (auto _ : state) {
		for (struct soq_op &op : ops)
			must("soq_loop_post", soq_loop_post(l.loop, &op));
		l.run(ops.size());
	}
	state.SetItemsProcessed(state.iterations() * state.range(0));
}

struct note {
	struct note *next;
	size_t *ended;
};

struct mailbox {
	std::atomic<struct note *> newest{ nullptr };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	~mailbox()
	{
		close(fd);
	}

	void post(struct note *note)
	{
		uint64_t one = 1;

		note->next = newest.load();
		while (!newest.compare_exchange_weak(note->next, note))
			;
		if (note->next == nullptr)
			must("write", write(fd, &one, sizeof(one)));
	}

	void empty()
	{
		uint64_t count;

		must("read", read(fd, &count, sizeof(count)));
		for (struct note *note = newest.exchange(nullptr); note != nullptr;
		     note = note->next)
			++*note->ended;
	}
};

template <typename turn_fn>
static void post_raw(benchmark::State &state, struct mailbox &box, turn_fn turn)
{
	size_t ended = 0;
	std::vector<struct note> notes((size_t)state.range(0), { nullptr, &ended });

	for (auto _ : state) {
		for (struct note &note : notes)
			box.post(&note);
		turn();
	}
	benchmark::DoNotOptimize(ended);
	state.SetItemsProcessed(state.iterations() * state.range(0));
}

static void post_epoll(benchmark::State &state)
{
	struct mailbox box;
	struct epoll_event event = {};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	event.events = EPOLLIN;
	must("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, box.fd, &event));
	post_raw(state, box, [&] {
		must("epoll_wait", epoll_wait(epoll, &event, 1, -1));
		box.empty();
	});
	close(epoll);
}

#ifdef PERF_HAVE_URING
static void post_uring(benchmark::State &state)
{
	struct mailbox box;
	struct raw_ring r;
	std::vector<struct raw_op> ops = r.ops(1);

	post_raw(state, box, [&] {
		struct io_uring_sqe *sqe = r.sqe();

		io_uring_prep_poll_add(sqe, box.fd, POLLIN);
		io_uring_sqe_set_data(sqe, &ops[0]);
		r.run(1);
		box.empty();
	});
}
#endif

/* The other thread: posts each op back, as another. */
struct echo {
	struct soq_loop *home;
	struct soq_op *back;
};

static void post_back(const struct soq_event *event)
{
	struct echo *e = static_cast<struct echo *>(event->op->user);

	must("soq_loop_post", soq_loop_post(e->home, e->back));
}

static void thread_soq(benchmark::State &state, enum soq_backend backend)
{
	struct rig_loop l(backend);
	struct rig_loop other(backend);
	std::vector<struct soq_op> back = l.ops(1);
	struct echo e = { l.loop, &back[0] };
	struct soq_op there = {};
	std::thread thread(
		[&] { must("soq_loop_run", soq_loop_run(other.loop, SOQ_RUN_STOP, -1)); });

	there.done = post_back;
	there.user = &e;
	for (auto _ : state) {
		must("soq_loop_post", soq_loop_post(other.loop, &there));
		l.run(1);
	}
	must("soq_loop_stop", soq_loop_stop(other.loop));
	thread.join();
	state.SetItemsProcessed(state.iterations() * 2);
}

/* Returns what came; 1 in all rounds but the last. */
static uint64_t pass(int from, int to, uint64_t count)
{
	uint64_t came;

	must("read", read(from, &came, sizeof(came)));
	must("write", write(to, &count, sizeof(count)));
	return came;
}

static void thread_raw(benchmark::State &state)
{
	int there = eventfd(0, EFD_CLOEXEC), back = eventfd(1, EFD_CLOEXEC);
	std::thread thread([&] {
		while (pass(there, back, 1) == 1)
			;
	});

	for (auto _ : state)
		pass(back, there, 1);
	pass(back, there, 2);
	thread.join();
	state.SetItemsProcessed(state.iterations() * 2);
	close(there);
	close(back);
}

void post_add(bool has_uring)
{
#ifdef PERF_HAVE_URING
	if (has_uring) {
		bench_add("post", SOQ_BACKEND_URING, post_soq, post_uring, { 1, 32 });
		bench_add("thread", SOQ_BACKEND_URING, thread_soq, thread_raw, { 1 }, true);
	}
#else
	(void)has_uring;
#endif
	bench_add("post", SOQ_BACKEND_EPOLL, post_soq, post_epoll, { 1, 32 });
	bench_add("thread", SOQ_BACKEND_EPOLL, thread_soq, thread_raw, { 1 }, true);
}
