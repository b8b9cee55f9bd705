/* SPDX-License-Identifier: MIT */
/* Descriptors from a service manager, by a few variables of the environment. */
#include <soq/service.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FD_FIRST 3

/* Where the inode of a pidfd is the process's own, never used again (Linux 6.9). */
#define PIDFS 0x50494446

static const char *const variables[] = { "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS",
					 "LISTEN_FDNAMES" };

/* A number of digits alone, at most `max`; -EINVAL for anything else. */
static int64_t number_read(const char *text, int64_t max)
{
	int64_t number = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		int64_t digit = *text - '0';

		if (digit < 0 || digit > 9 || number > (max - digit) / 10)
			return -EINVAL;
		number = number * 10 + digit;
	}
	return number;
}

/* The number that no other process has had or will have; 0 where the kernel has none. */
static uint64_t own_number(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct statfs system;
	struct stat found;
	bool known;

	if (fd < 0)
		return 0;
	known = fstatfs(fd, &system) == 0 && system.f_type == PIDFS && fstat(fd, &found) == 0;
	(void)close(fd);
	return known ? found.st_ino : 0;
}

/* Whether it is for this process: a pid alone may have been another's before. */
static bool is_ours(int64_t pid, int64_t number)
{
	uint64_t own = pid == getpid() && number >= 0 ? own_number() : 0;

	return pid == getpid() && (own == 0 || own == (uint64_t)number);
}

/* How many were passed to this process. */
static int count_read(void)
{
	const char *pid_text = secure_getenv("LISTEN_PID");
	const char *number_text = secure_getenv("LISTEN_PIDFDID");
	const char *count_text = secure_getenv("LISTEN_FDS");
	int64_t number = -1;
	int64_t pid;
	int64_t count;

	if (pid_text == NULL || count_text == NULL)
		return 0;
	pid = number_read(pid_text, INT32_MAX);
	count = number_read(count_text, INT32_MAX - FD_FIRST);
	if (number_text != NULL)
		number = number_read(number_text, INT64_MAX);
	if (pid < 0 || count < 0 || (number_text != NULL && number < 0))
		return -EINVAL;
	return is_ours(pid, number) ? (int)count : 0;
}

/* One name of at most 255 bytes for each; none at all is right too. */
static int names_check(const char *names, int count)
{
	int found = 0;

	if (names == NULL || count == 0)
		return 0;
	for (;; names++) {
		size_t length = strcspn(names, ":");

		if (length >= sizeof(((struct soq_listen_fd *)NULL)->name))
			return -EINVAL;
		found++;
		names += length;
		if (*names == '\0')
			return found == count ? 0 : -EINVAL;
	}
}

static void fds_tell(const char *names, int count, struct soq_listen_fd *fds, unsigned fd_max)
{
	if (names == NULL)
		names = "";
	for (unsigned i = 0; i < (unsigned)count && i < fd_max; i++) {
		size_t length = strcspn(names, ":");

		memset(&fds[i], 0, sizeof(fds[i]));
		fds[i].fd = FD_FIRST + (int)i;
		if (length > 0)
			memcpy(fds[i].name, names, length);
		else
			memcpy(fds[i].name, "unknown", sizeof("unknown"));
		names += length;
		if (*names == ':')
			names++;
	}
}

/* All of them, once all are known to be there. */
static int close_on_exec(int count)
{
	for (int fd = FD_FIRST; fd < FD_FIRST + count; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return -errno;
	for (int fd = FD_FIRST; fd < FD_FIRST + count; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	return 0;
}

static int listen_fds(struct soq_listen_fd *fds, unsigned fd_max)
{
	const char *names = secure_getenv("LISTEN_FDNAMES");
	int count = count_read();
	int error = count;

	if (count > 0)
		error = names_check(names, count);
	if (count > 0 && error == 0)
		error = close_on_exec(count);
	if (error < 0)
		return error;
	fds_tell(names, count, fds, fd_max);
	return count;
}

int soq_listen_fds(struct soq_listen_fd *fds, unsigned fd_max, uint32_t flags)
{
	int result;

	if ((fds == NULL && fd_max > 0) || (flags & ~SOQ_LISTEN_UNSET) != 0)
		return -EINVAL;
	result = listen_fds(fds, fd_max);
	if (flags & SOQ_LISTEN_UNSET)
		for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
			(void)unsetenv(variables[i]);
	return result;
}
