/* SPDX-License-Identifier: MIT */
/*
 * Listeners: the unix path that a server has left which is no more. It is removed only where
 * nobody but this user could have put anything in its place, and only if nobody listens. Two
 * that start at the same time are kept apart by a lock on the folder: else the second
 * would remove what the first has just made.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A path in two parts, in memory of its own. */
struct place {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	const char *folder;
	const char *name;
};

static bool place_read(const struct soq_endpoint *ep, struct place *p)
{
	size_t size = ep->size_bytes - offsetof(struct sockaddr_un, sun_path);
	char *slash;

	if (ep->addr.any.sa_family != AF_UNIX || size > sizeof(p->path) - 1 ||
	    ep->addr.local.sun_path[0] == '\0')
		return false;
	memset(p->path, 0, sizeof(p->path));
	memcpy(p->path, ep->addr.local.sun_path, size);
	slash = strrchr(p->path, '/');
	p->name = slash != NULL ? slash + 1 : p->path;
	p->folder = slash == NULL ? "." : slash == p->path ? "/" : p->path;
	if (slash != NULL && slash != p->path)
		*slash = '\0';
	return true;
}

/* Whether others can neither remove nor add what is in it. */
static bool is_ours_alone(int folder)
{
	struct stat st;

	return fstat(folder, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0) &&
	       ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (st.st_mode & S_ISVTX) != 0);
}

static bool is_our_socket(int folder, const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_uid == geteuid();
}

/* Nobody has it: not even one whose queue is full. */
static bool is_left(const struct soq_endpoint *ep)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_refused;

	if (fd < 0)
		return false;
	is_refused = connect(fd, &ep->addr.any, ep->size_bytes) != 0 && errno == ECONNREFUSED;
	(void)close(fd);
	return is_refused;
}

/* The folder, locked; -1 if it is no place to remove anything in. */
static int folder_lock(const struct place *p)
{
	int folder = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0 || (is_ours_alone(folder) && flock(folder, LOCK_EX | LOCK_NB) == 0))
		return folder;
	(void)close(folder);
	return -1;
}

int soqi_listener_take_path(struct soq_socket *s, const struct soq_endpoint *ep, int backlog)
{
	struct place place;
	int folder = place_read(ep, &place) ? folder_lock(&place) : -1;
	int error = soq_bind(s, ep);

	if (error == -EADDRINUSE && folder >= 0 && is_our_socket(folder, place.name) &&
	    is_left(ep) && unlinkat(folder, place.name, 0) == 0)
		error = soq_bind(s, ep);
	/* Until it listens it looks like one that was left. */
	if (error == 0)
		error = soq_listen(s, backlog);
	if (folder >= 0)
		(void)close(folder);
	return error;
}
