/* SPDX-License-Identifier: MIT */
/*
 * The ring does what soq does and no more: registering files on it, and opening a file
 * through it, are refused. A ring is otherwise a way around a host's seccomp policy. With
 * direct descriptors the places of its table may be filled, and that is all. Under a policy that
 * lets nothing connect, or neither bind nor accept, it cannot do that either.
 */
#define _GNU_SOURCE
#include "fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ring_fd(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64];
	int found = -1;

	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		ssize_t size = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (size <= 0)
			continue;
		target[size] = '\0';
		if (strcmp(target, "anon_inode:[io_uring]") == 0)
			found = (int)strtol(entry->d_name, NULL, 10);
	}
	CHECK_IS(closedir(dir), 0);
	return found;
}

/* Where things are in a ring of this size: another one of the same size tells. */
static struct io_uring_params layout(const struct soq_loop_info *info)
{
	struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE,
					  .cq_entries = info->cq_entries };
	long fd = syscall(SYS_io_uring_setup, info->sq_entries, &params);

	CHECK(fd >= 0);
	CHECK_IS(close((int)fd), 0);
	return params;
}

static void *map(int fd, size_t size, off_t offset)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	CHECK(memory != MAP_FAILED);
	return memory;
}

/* Puts one request into somebody else's ring, from the thread that owns it. */
static int32_t smuggle(int fd, const struct io_uring_params *params, struct io_uring_sqe *request)
{
	size_t sq_bytes = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	size_t cq_bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	char *rings = map(fd, sq_bytes > cq_bytes ? sq_bytes : cq_bytes, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqes = map(fd, params->sq_entries * sizeof(struct io_uring_sqe),
					IORING_OFF_SQES);
	uint32_t *tail = (uint32_t *)(void *)(rings + params->sq_off.tail);
	uint32_t *array = (uint32_t *)(void *)(rings + params->sq_off.array);
	uint32_t *cq_tail = (uint32_t *)(void *)(rings + params->cq_off.tail);
	struct io_uring_cqe *cqes = (void *)(rings + params->cq_off.cqes);
	uint32_t place = *tail & (params->sq_entries - 1);
	uint32_t answer = *cq_tail;
	long entered;

	sqes[place] = *request;
	array[place] = place;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	entered = syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	CHECK_IS(entered, 1);
	CHECK_IS(__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE), answer + 1);
	return cqes[answer & (params->cq_entries - 1)].res;
}

static void check_register(int fd, bool has_places)
{
	struct io_uring_rsrc_register sparse = { .nr = 1, .flags = IORING_RSRC_REGISTER_SPARSE };
	int nothing = -1;
	struct io_uring_files_update empty = { .fds = (uintptr_t)&nothing };

	CHECK_IS(syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &nothing, 1), -1);
	CHECK_IS(errno, EACCES);
	CHECK_IS(syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES2, &sparse,
			 sizeof(sparse)),
		 -1);
	CHECK_IS(errno, EACCES);
	CHECK_IS(syscall(SYS_io_uring_register, fd, IORING_UNREGISTER_FILES, NULL, 0), -1);
	CHECK_IS(errno, EACCES);
	CHECK_IS(syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES_UPDATE, &empty, 1),
		 has_places ? 1 : -1);
	CHECK(has_places || errno == EACCES);
}

static void check_requests(int fd, const struct soq_loop_info *info, bool has_places)
{
	struct io_uring_sqe open_file = { .opcode = IORING_OP_OPENAT,
					  .fd = AT_FDCWD,
					  .addr = (uintptr_t) "/etc/hostname" };
	struct io_uring_sqe forced_async = { .opcode = IORING_OP_RECV,
					     .flags = IOSQE_ASYNC,
					     .fd = -1 };
	struct io_uring_sqe direct = { .opcode = IORING_OP_RECV, .flags = IOSQE_FIXED_FILE };
	struct io_uring_params params = layout(info);

	CHECK_IS(smuggle(fd, &params, &open_file), -EACCES);
	CHECK_IS(smuggle(fd, &params, &forced_async), -EACCES);
	/* An empty place is no file. */
	CHECK_IS(smuggle(fd, &params, &direct), has_places ? -EBADF : -EACCES);
}

/* A request that goes as far as looking for its socket is allowed. */
static void check_policy(int fd, const struct soq_loop_info *info, bool connects, bool accepts)
{
	struct sockaddr_in nowhere = { .sin_family = AF_INET };
	struct io_uring_sqe connect_it = { .opcode = IORING_OP_CONNECT,
					   .fd = -1,
					   .addr = (uintptr_t)&nowhere,
					   .off = sizeof(nowhere) };
	struct io_uring_sqe accept_one = { .opcode = IORING_OP_ACCEPT, .fd = -1 };
	struct io_uring_params params = layout(info);

	CHECK_IS(smuggle(fd, &params, &connect_it), connects ? -EBADF : -EACCES);
	CHECK_IS(smuggle(fd, &params, &accept_one), accepts ? -EBADF : -EACCES);
}

static void check(uint32_t direct_count, const char *rules)
{
	struct soq_loop_options options = { .size = sizeof(options),
					    .backend = SOQ_BACKEND_URING,
					    .direct_count = direct_count };
	struct soq_loop_info info;
	struct soq_loop *loop;
	bool has_places;
	int fd;

	if (rules != NULL)
		CHECK_IS(soq_policy_parse(rules, strlen(rules), NULL, &options.policy), 0);
	CHECK_IS(soq_loop_create(&options, &loop), 0);
	info = fault_info(loop);
	has_places = info.direct_count > 0;
	CHECK(info.features & SOQ_FEATURE_RESTRICTIONS);
	CHECK_IS((info.features & SOQ_FEATURE_DIRECT) != 0, has_places);
	CHECK(soq_loop_run(loop, SOQ_RUN_ONCE, 0) >= 0);
	fd = ring_fd();
	CHECK(fd >= 0);
	check_register(fd, has_places);
	check_requests(fd, &info, has_places);
	check_policy(fd, &info, rules == NULL || strstr(rules, "connect") != NULL,
		     rules == NULL || strstr(rules, "bind") != NULL);
	/* The ring's tail is no longer where soq left it: it cannot be used any more. */
	CHECK_IS(soq_loop_destroy(loop), 0);
	soq_policy_release(options.policy);
}

int main(void)
{
	check(0, NULL);
	check(64, NULL);
	check(0, "default deny\nallow connect tcp 192.0.2.1 443\n");
	check(0, "default deny\nallow bind,accept tcp *\n");
	check(0, "default deny\nallow bind tcp *\n");
	check(64, "default deny\n");
	return 0;
}
