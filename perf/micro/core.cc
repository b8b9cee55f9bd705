/* SPDX-License-Identifier: MIT */
/* What meets no kernel: the life of an op, the call of done(), timers. */
#include "rig.h"
#ifdef PERF_HAVE_URING
#include "raw_ring.h"
#endif

#include <algorithm>
#include <cerrno>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* Never reached: a benchmark takes seconds. */
#define FAR_NS   3600000000000LL
#define TIMER_NS 60000000000LL

/* A cheap stream of numbers, the same each time. */
static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static int64_t far_off(uint32_t *seed)
{
	return FAR_NS + (int64_t)next_random(seed) % 1000 * TIMER_NS;
}

static void take(struct soq_op *op)
{
	struct soq_event event;

	must("soq_cancel", soq_cancel(op));
	must("soq_wait", soq_wait(op, 0, &event));
}

/* A receive started, cancelled before a turn has seen it, and its event taken by hand. */
static void cancel_soq(benchmark::State &state, enum soq_backend backend)
{
	struct pairs p(1);
	struct rig_loop l(backend);
	struct soq_socket *s = l.adopt(p.near[0]);
	struct soq_op op = {};
	char byte;

	for (auto _ : state) {
		must("soq_recv_async", soq_recv_async(s, &op, &byte, 1, 0));
		take(&op);
	}
	state.SetItemsProcessed(state.iterations());
}

struct node {
	struct node *next;
	struct node *prev;
};

static void link_before(struct node *at, struct node *node)
{
	node->next = at;
	node->prev = at->prev;
	at->prev->next = node;
	at->prev = node;
}

static void unlink(struct node *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
}

/* The least there can be: into a list and out of it, twice: an op in a lane, an event. */
static void cancel_raw(benchmark::State &state)
{
	struct node lane = { &lane, &lane }, events = { &events, &events };
	struct node op;

	for (auto _ : state) {
		link_before(&lane, &op);
		benchmark::ClobberMemory();
		unlink(&op);
		link_before(&events, &op);
		benchmark::ClobberMemory();
		unlink(&op);
		benchmark::ClobberMemory();
	}
	state.SetItemsProcessed(state.iterations());
}

/* Sends of no bytes, which end in the turn without the kernel: started and delivered. */
static void dispatch_soq(benchmark::State &state, enum soq_backend backend)
{
	struct pairs p(1);
	struct rig_loop l(backend);
	struct soq_socket *s = l.adopt(p.near[0]);
	std::vector<struct soq_op> ops = l.ops((size_t)state.range(0));

	for (auto _ : state) {
		for (struct soq_op &op : ops)
			must("soq_send_async", soq_send_async(s, &op, nullptr, 0, 0));
		l.run(ops.size());
	}
	state.SetItemsProcessed(state.iterations() * state.range(0));
}

struct call : node {
	void (*done)(struct call *call);
	size_t *ended;
};

static void count_call(struct call *call)
{
	++*call->ended;
}

/* Listed, called: with what a turn asks of the kernel, since soq's asks it too. */
template <typename turn_fn> static void dispatch_raw(benchmark::State &state, turn_fn turn)
{
	std::vector<struct call> calls((size_t)state.range(0));
	struct node ready = { &ready, &ready };
	size_t ended = 0;

	for (struct call &call : calls) {
		call.done = count_call;
		call.ended = &ended;
	}
	benchmark::DoNotOptimize(calls.data());
	for (auto _ : state) {
		for (struct call &call : calls)
			link_before(&ready, &call);
		turn();
		while (ready.next != &ready) {
			struct call *call = static_cast<struct call *>(ready.next);

			unlink(call);
			call->done(call);
		}
	}
	benchmark::DoNotOptimize(ended);
	state.SetItemsProcessed(state.iterations() * state.range(0));
}

static void dispatch_epoll(benchmark::State &state)
{
	struct epoll_event events[64];
	int fd = epoll_create1(EPOLL_CLOEXEC);

	must("epoll_create1", fd);
	dispatch_raw(state, [&] { must("epoll_wait", epoll_wait(fd, events, 64, 0)); });
	close(fd);
}

#ifdef PERF_HAVE_URING
static void dispatch_ring(benchmark::State &state)
{
	struct raw_ring r;

	dispatch_raw(state, [&] {
		must("io_uring_get_events", io_uring_submit_and_get_events(&r.ring));
		r.reap();
	});
}
#endif

/*
 * `n` timers are armed; a random one is cancelled and armed anew, for an hour and a random
 * minute from now: what idle timeouts do.
 */
static void timer_soq(benchmark::State &state, enum soq_backend backend)
{
	struct rig_loop l(backend);
	std::vector<struct soq_op> ops((size_t)state.range(0));
	uint32_t seed = 1;

	for (struct soq_op &op : ops)
		must("soq_sleep_async", soq_sleep_async(l.loop, &op, far_off(&seed)));
	for (auto _ : state) {
		struct soq_op *op = &ops[next_random(&seed) % ops.size()];

		take(op);
		must("soq_sleep_async", soq_sleep_async(l.loop, op, far_off(&seed)));
	}
	state.SetItemsProcessed(state.iterations());
	for (struct soq_op &op : ops)
		take(&op);
}

/* A binary heap that knows where each timer is. */
struct heap {
	struct timer {
		int64_t at_ns;
		uint32_t id;
	};
	std::vector<struct timer> entries;
	std::vector<uint32_t> places; /* by id */

	void put(size_t place, struct timer entry)
	{
		entries[place] = entry;
		places[entry.id] = (uint32_t)place;
	}

	void sift(size_t place, struct timer entry)
	{
		while (place > 0 && entry.at_ns < entries[(place - 1) / 2].at_ns) {
			put(place, entries[(place - 1) / 2]);
			place = (place - 1) / 2;
		}
		for (size_t child; (child = 2 * place + 1) < entries.size(); place = child) {
			if (child + 1 < entries.size() &&
			    entries[child + 1].at_ns < entries[child].at_ns)
				child++;
			if (entry.at_ns <= entries[child].at_ns)
				break;
			put(place, entries[child]);
		}
		put(place, entry);
	}

	void arm(uint32_t id, int64_t at_ns)
	{
		entries.push_back({ INT64_MAX, id });
		sift(entries.size() - 1, { at_ns, id });
	}

	void cancel(uint32_t id)
	{
		size_t place = places[id];
		struct timer last = entries.back();

		entries.pop_back();
		if (place < entries.size())
			sift(place, last);
	}
};

static int64_t now_ns()
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void timer_raw(benchmark::State &state)
{
	struct heap heap;
	size_t count = (size_t)state.range(0);
	uint32_t seed = 1;

	heap.places.resize(count);
	for (size_t i = 0; i < count; i++)
		heap.arm((uint32_t)i, now_ns() + far_off(&seed));
	for (auto _ : state) {
		uint32_t id = (uint32_t)(next_random(&seed) % count);

		heap.cancel(id);
		heap.arm(id, now_ns() + far_off(&seed));
	}
	benchmark::DoNotOptimize(heap.entries.data());
	state.SetItemsProcessed(state.iterations());
}

void core_add(bool has_uring)
{
	enum soq_backend any = SOQ_BACKEND_AUTO;

	bench_add("start+cancel", any, cancel_soq, cancel_raw, { 1 });
	bench_add("timer", any, timer_soq, timer_raw, { 10, 1000, 100000 });
#ifdef PERF_HAVE_URING
	if (has_uring)
		bench_add("dispatch", SOQ_BACKEND_URING, dispatch_soq, dispatch_ring, { 1, 128 });
#else
	(void)has_uring;
#endif
	bench_add("dispatch", SOQ_BACKEND_EPOLL, dispatch_soq, dispatch_epoll, { 1, 128 });
}
