/* SPDX-License-Identifier: MIT */
/* Descriptors from a service manager, by three variables of the environment. */
#include <soq/service.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FD_FIRST 3

static const char *const variables[] = { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" };

/* A number of digits alone, at most `max`; -EINVAL for anything else. */
static int number_read(const char *text, int max)
{
	int number = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		int digit = *text - '0';

		if (digit < 0 || digit > 9 || number > (max - digit) / 10)
			return -EINVAL;
		number = number * 10 + digit;
	}
	return number;
}

/* How many were passed to this process. */
static int count_read(void)
{
	const char *pid_text = secure_getenv("LISTEN_PID");
	const char *count_text = secure_getenv("LISTEN_FDS");
	int pid;
	int count;

	if (pid_text == NULL || count_text == NULL)
		return 0;
	pid = number_read(pid_text, INT32_MAX);
	count = number_read(count_text, INT32_MAX - FD_FIRST);
	if (pid < 0 || count < 0)
		return -EINVAL;
	return pid == getpid() ? count : 0;
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
