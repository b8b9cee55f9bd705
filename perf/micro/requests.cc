/* SPDX-License-Identifier: MIT */
/*
 * Requests that end at once, in batches: the same SQEs on a bare ring, the same socket
 * calls without epoll.
 *
 * poll: a socket that has room. recv: a byte that is only looked at, so it stays. pair: a
 * byte sent and received.
 */
#include "rig.h"
#ifdef PERF_HAVE_URING
#include "raw_ring.h"
#endif

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

enum subject { POLL, RECV, PAIR };

static size_t ops_per_pair(enum subject subject)
{
	return subject == PAIR ? 2 : 1;
}

static void fill(const struct pairs &p)
{
	for (int fd : p.far)
		must("send", send(fd, "x", 1, 0));
}

static void items(benchmark::State &state)
{
	state.SetItemsProcessed(state.iterations() * state.range(0));
}

static size_t pair_count(const benchmark::State &state, enum subject subject)
{
	return (size_t)state.range(0) / ops_per_pair(subject);
}

template <enum subject subject>
static void soq_side(benchmark::State &state, enum soq_backend backend)
{
	size_t count = pair_count(state, subject);
	struct pairs p(count);
	struct rig_loop l(backend);
	std::vector<struct soq_op> ops = l.ops(count * 2);
	std::vector<struct soq_socket *> near, far;
	char byte = 'x', came;

	for (size_t i = 0; i < count; i++) {
		near.push_back(l.adopt(p.near[i]));
		far.push_back(l.adopt(p.far[i]));
	}
	if (subject == RECV)
		fill(p);
	for (auto _ : state) {
		for (size_t i = 0; i < count; i++) {
			if (subject == POLL)
				must("poll", soq_poll_async(near[i], &ops[i], SOQ_POLL_SEND, 0));
			if (subject == RECV)
				must("recv", soq_recv_async(near[i], &ops[i], &came, 1, SOQ_PEEK));
			if (subject == PAIR) {
				must("send", soq_send_async(far[i], &ops[2 * i], &byte, 1, 0));
				must("recv", soq_recv_async(near[i], &ops[2 * i + 1], &came, 1, 0));
			}
		}
		l.run(count * ops_per_pair(subject));
	}
	items(state);
}

template <enum subject subject> static void calls_side(benchmark::State &state)
{
	size_t count = pair_count(state, subject);
	struct pairs p(count);
	char byte = 'x', came;

	if (subject == RECV)
		fill(p);
	for (auto _ : state) {
		for (size_t i = 0; i < count; i++) {
			struct pollfd fd = { p.near[i], POLLOUT, 0 };

			if (subject == POLL)
				must("poll", poll(&fd, 1, 0));
			if (subject == RECV)
				must("recv", recv(fd.fd, &came, 1, MSG_PEEK | MSG_DONTWAIT));
			if (subject == PAIR) {
				must("send", send(p.far[i], &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
				must("recv", recv(fd.fd, &came, 1, MSG_DONTWAIT));
			}
		}
	}
	items(state);
}

#ifdef PERF_HAVE_URING
static void prepare(struct raw_ring &r, const struct pairs &p, enum subject subject, size_t i,
		    struct raw_op *ops)
{
	static char byte = 'x', came;
	struct io_uring_sqe *sqe = r.sqe();

	if (subject == POLL)
		io_uring_prep_poll_add(sqe, p.near[i], POLLOUT);
	if (subject == RECV)
		io_uring_prep_recv(sqe, p.near[i], &came, 1, MSG_PEEK);
	if (subject == PAIR) {
		io_uring_prep_send(sqe, p.far[i], &byte, 1, MSG_NOSIGNAL);
		io_uring_sqe_set_data(sqe, ops++);
		sqe = r.sqe();
		io_uring_prep_recv(sqe, p.near[i], &came, 1, 0);
	}
	io_uring_sqe_set_data(sqe, ops);
}

template <enum subject subject> static void ring_side(benchmark::State &state)
{
	size_t count = pair_count(state, subject);
	size_t each = ops_per_pair(subject);
	struct pairs p(count);
	struct raw_ring r;
	std::vector<struct raw_op> ops = r.ops(count * 2);

	if (subject == RECV)
		fill(p);
	for (auto _ : state) {
		for (size_t i = 0; i < count; i++)
			prepare(r, p, subject, i, &ops[each * i]);
		r.run(count * each);
	}
	items(state);
}
#endif

template <enum subject subject> static void add(const char *name, bool has_uring)
{
	const std::vector<int64_t> counts = { subject == PAIR ? 2 : 1, 8, 32, 128 };

#ifdef PERF_HAVE_URING
	if (has_uring)
		bench_add(name, SOQ_BACKEND_URING, soq_side<subject>, ring_side<subject>, counts);
#else
	(void)has_uring;
#endif
	bench_add(name, SOQ_BACKEND_EPOLL, soq_side<subject>, calls_side<subject>, counts);
}

void requests_add(bool has_uring)
{
	add<POLL>("poll", has_uring);
	add<RECV>("recv", has_uring);
	add<PAIR>("pair", has_uring);
}
