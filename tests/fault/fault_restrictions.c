/* SPDX-License-Identifier: MIT */
/*
 * The ring does what soq does and no more: registering files on it, and opening a file
 * through it, are refused. A ring is otherwise a way around a host's seccomp policy.
 */
#define _GNU_SOURCE
#include "fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/io_uring.h>
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

int main(void)
{
	struct io_uring_sqe open_file = { .opcode = IORING_OP_OPENAT,
					  .fd = AT_FDCWD,
					  .addr = (uintptr_t) "/etc/hostname" };
	struct io_uring_sqe forced_async = { .opcode = IORING_OP_RECV,
					     .flags = IOSQE_ASYNC,
					     .fd = -1 };
	struct soq_loop *loop = fault_loop(SOQ_BACKEND_URING);
	struct soq_loop_info info = fault_info(loop);
	struct io_uring_params params = layout(&info);
	int nothing = -1;
	int fd;

	CHECK(info.features & SOQ_FEATURE_RESTRICTIONS);
	CHECK(soq_loop_run(loop, SOQ_RUN_ONCE, 0) >= 0);
	fd = ring_fd();
	CHECK(fd >= 0);
	CHECK_IS(syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &nothing, 1), -1);
	CHECK_IS(errno, EACCES);
	CHECK_IS(smuggle(fd, &params, &open_file), -EACCES);
	CHECK_IS(smuggle(fd, &params, &forced_async), -EACCES);
	return 0; /* the ring's tail is no longer where soq left it */
}
