/* SPDX-License-Identifier: MIT */
/* Loops, socket pairs, names. */
#include "rig.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

void fail(const char *what, int64_t result)
{
	fprintf(stderr, "soq-micro: %s: %s\n", what, strerror((int)-result));
	exit(1);
}

pairs::pairs(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fds[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
			fail("socketpair", -errno);
		near.push_back(fds[0]);
		far.push_back(fds[1]);
	}
}

pairs::~pairs()
{
	for (int fd : near)
		close(fd);
	for (int fd : far)
		close(fd);
}

rig_loop::rig_loop(enum soq_backend backend) : loop(nullptr), ended(0)
{
	struct soq_loop_options options = {};

	options.size = sizeof(options);
	options.backend = backend;
	must("soq_loop_create", soq_loop_create(&options, &loop));
}

rig_loop::~rig_loop()
{
	must("soq_loop_close_all", soq_loop_close_all(loop));
	must("soq_loop_run", soq_loop_run(loop, SOQ_RUN_IDLE, -1));
	must("soq_loop_destroy", soq_loop_destroy(loop));
}

struct soq_socket *rig_loop::adopt(int fd)
{
	struct soq_socket *s = nullptr;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		fail("dup", -errno);
	must("soq_socket_adopt", soq_socket_adopt(loop, own, &s));
	return s;
}

static void count_event(const struct soq_event *event)
{
	/* A rig that is taken down cancels what it has. */
	if (event->result < 0 && event->result != -ECANCELED)
		fail("an event", event->result);
	++*static_cast<size_t *>(event->op->user);
}

std::vector<struct soq_op> rig_loop::ops(size_t count)
{
	struct soq_op blank = {};

	blank.done = count_event;
	blank.user = &ended;
	return std::vector<struct soq_op>(count, blank);
}

static const char *backend_name(enum soq_backend backend)
{
	switch (backend) {
	case SOQ_BACKEND_URING:
		return "@io_uring";
	case SOQ_BACKEND_EPOLL:
		return "@epoll";
	default:
		return "@core";
	}
}

void bench_add(const char *subject, enum soq_backend backend, bench_fn *soq, raw_fn *raw,
	       const std::vector<int64_t> &counts, bool real_time)
{
	std::string name = std::string(subject) + backend_name(backend);

	for (int64_t count : counts) {
		auto *a = benchmark::RegisterBenchmark((name + "/soq").c_str(), soq, backend);
		auto *b = benchmark::RegisterBenchmark((name + "/raw").c_str(), raw);

		a->Arg(count);
		b->Arg(count);
		if (real_time) {
			a->UseRealTime();
			b->UseRealTime();
		}
	}
}
