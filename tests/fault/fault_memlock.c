/* SPDX-License-Identifier: MIT */
/*
 * Ring memory counts against RLIMIT_MEMLOCK of an ordinary user: with little of it an
 * AUTO loop gets a smaller ring, with none it gets epoll, and says so.
 */
#define _GNU_SOURCE
#include "fault.h"

#include <sys/resource.h>
#include <unistd.h>

#define LOOPS              16
#define LITTLE_BYTES       (64 * 1024)
#define DEFAULT_CQ_ENTRIES 4096

static void limit(rlim_t bytes)
{
	struct rlimit limit = { bytes, LITTLE_BYTES };

	CHECK_IS(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

/* A user of our own: what others have locked does not count. */
static void become_nobody(void)
{
	uid_t id = 100000 + (uid_t)getpid();

	if (geteuid() != 0)
		return;
	CHECK_IS(setresgid(id, id, id), 0);
	CHECK_IS(setresuid(id, id, id), 0);
}

static void check_epoll(struct soq_loop *loop)
{
	struct soq_loop_info info = fault_info(loop);

	CHECK_IS(info.backend, SOQ_BACKEND_EPOLL);
	CHECK_IS(info.uring_error, -ENOMEM);
	CHECK(info.uring_step[0] != '\0');
}

int main(void)
{
	struct soq_loop *loops[LOOPS];
	unsigned smaller = 0;
	unsigned count = 0;

	limit(LITTLE_BYTES);
	become_nobody();
	for (; count < LOOPS; count++) {
		struct soq_loop_info info;

		loops[count] = fault_loop(SOQ_BACKEND_AUTO);
		info = fault_info(loops[count]);
		printf("loop %u: backend %u, %u + %u entries, \"%s\"\n", count, info.backend,
		       info.sq_entries, info.cq_entries, info.uring_step);
		if (info.backend == SOQ_BACKEND_EPOLL)
			break;
		CHECK_IS(info.uring_error, 0);
		CHECK(info.cq_entries < DEFAULT_CQ_ENTRIES);
		smaller++;
	}
	CHECK(smaller > 0);
	CHECK(count < LOOPS);
	check_epoll(loops[count]);
	for (unsigned i = 0; i <= count; i++)
		fault_echo(loops[i]);

	limit(0);
	loops[0] = fault_loop(SOQ_BACKEND_AUTO);
	check_epoll(loops[0]);
	fault_echo(loops[0]);
	return 0;
}
