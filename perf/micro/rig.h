/* SPDX-License-Identifier: MIT */
/* What the benchmarks stand on: loops, socket pairs, and the list of benchmarks. */
#ifndef MICRO_RIG_H
#define MICRO_RIG_H

#include <benchmark/benchmark.h>
#include <soq/soq.h>
#include <vector>

/* A broken rig has nothing to tell. */
[[noreturn]] void fail(const char *what, int64_t result);

static inline void must(const char *what, int64_t result)
{
	if (__builtin_expect(result < 0, 0))
		fail(what, result);
}

/* `count` unix stream pairs. */
struct pairs {
	std::vector<int> near;
	std::vector<int> far;

	explicit pairs(size_t count);
	~pairs();
	pairs(const pairs &) = delete;
	pairs &operator=(const pairs &) = delete;
};

/* A loop of the asked for backend; what it adopts is closed with it. */
struct rig_loop {
	struct soq_loop *loop;
	size_t ended; /* events of the ops that count() has made */

	explicit rig_loop(enum soq_backend backend);
	~rig_loop();
	rig_loop(const rig_loop &) = delete;
	rig_loop &operator=(const rig_loop &) = delete;

	/* A socket on a duplicate, so that a rig's descriptors are the rig's. */
	struct soq_socket *adopt(int fd);
	/* Blank ops, whose events are counted in `ended`. */
	std::vector<struct soq_op> ops(size_t count);

	/* Runs until `count` events were delivered, and begins to count anew. */
	void run(size_t count)
	{
		while (ended < count)
			must("soq_loop_run", soq_loop_run(loop, SOQ_RUN_ONCE, -1));
		ended = 0;
	}
};

typedef void bench_fn(benchmark::State &state, enum soq_backend backend);
typedef void raw_fn(benchmark::State &state);

/* Each registers what it has, in the order of the table. */
void core_add(bool has_uring);
void requests_add(bool has_uring);
void buf_add(bool has_uring);
void post_add(bool has_uring);

/*
 * A row of the table for each of `counts`: `subject` on a backend beside `raw`. The
 * name tells table.awk: subject@backend/soq|raw/count.
 * With `real_time` the time is the clock's, else what the thread was on a CPU.
 */
void bench_add(const char *subject, enum soq_backend backend, bench_fn *soq, raw_fn *raw,
	       const std::vector<int64_t> &counts, bool real_time = false);

#endif
