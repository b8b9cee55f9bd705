/* SPDX-License-Identifier: MIT */
/*
 * The unix path a socket has made, removed when that socket is closed. Only what is
 * still the same file goes: device and inode are noted after the bind, and compared
 * before. The path is kept absolute, since the program may change its directory.
 *
 * The file gets the mode its socket has at the bind: so it is the owner's alone from the
 * first moment, whatever the umask, which belongs to the whole process.
 */
#include "detached.h"
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct soqi_path {
	size_t size_bytes; /* of all this */
	pid_t maker;       /* a child that closes what it inherited leaves the path */
	dev_t device;
	ino_t inode;
	char name[];
};

/* A detached socket has no loop, and so no allocator but the C library's. */
static void *path_alloc(struct soq_socket *s, size_t size_bytes)
{
	return s->loop != NULL ? soqi_alloc(s->loop, size_bytes) : calloc(1, size_bytes);
}

/* Other families have something else in its place. */
static struct soqi_path *path_of(const struct soq_socket *s)
{
	return s->family == AF_UNIX ? s->path : NULL;
}

void soqi_path_forget(struct soq_socket *s)
{
	struct soqi_path *path = path_of(s);

	if (path == NULL)
		return;
	s->path = NULL;
	if (s->loop != NULL)
		soqi_free(s->loop, path, path->size_bytes);
	else
		free(path);
}

int soqi_path_reserve(struct soq_socket *s, const struct soq_endpoint *ep)
{
	struct soqi_unix_name name = { .form = SOQI_UNIX_UNNAMED };
	struct soqi_path *path;
	char *folder = NULL;
	size_t room;

	if (s->family == AF_UNIX)
		name = soqi_endpoint_unix_name(ep);
	if (name.form != SOQI_UNIX_PATH || s->path != NULL)
		return 0;
	if (fchmod(s->fd, S_IRUSR | S_IWUSR) != 0)
		return -errno;
	room = name.size_bytes + 1;
	if (name.bytes[0] != '/') {
		folder = getcwd(NULL, 0);
		if (folder == NULL)
			return -errno;
		room += strlen(folder) + 1;
	}
	path = path_alloc(s, sizeof(*path) + room);
	if (path != NULL) {
		path->size_bytes = sizeof(*path) + room;
		(void)snprintf(path->name, room, "%s%s%.*s", folder != NULL ? folder : "",
			       folder != NULL ? "/" : "", (int)name.size_bytes,
			       (const char *)name.bytes);
		s->path = path;
	}
	free(folder);
	return path != NULL ? 0 : -ENOMEM;
}

void soqi_path_unmade(struct soq_socket *s)
{
	if (path_of(s) != NULL && s->path->inode == 0)
		soqi_path_forget(s);
}

void soqi_path_made(struct soq_socket *s)
{
	struct stat found;

	if (path_of(s) == NULL)
		return;
	if (lstat(s->path->name, &found) != 0) {
		soqi_path_forget(s);
		return;
	}
	s->path->maker = getpid();
	s->path->device = found.st_dev;
	s->path->inode = found.st_ino;
}

void soqi_path_remove(struct soq_socket *s)
{
	const struct soqi_path *path = path_of(s);
	struct stat found;

	if (path == NULL)
		return;
	if (path->maker == getpid() && lstat(path->name, &found) == 0 && S_ISSOCK(found.st_mode) &&
	    found.st_dev == path->device && found.st_ino == path->inode)
		(void)unlink(path->name);
	soqi_path_forget(s);
}

/* Carries the path over to another handle of the same socket. */
int soqi_path_move(struct soq_socket *from, struct soq_socket *to)
{
	const struct soqi_path *path = path_of(from);

	if (path == NULL)
		return 0;
	to->path = path_alloc(to, path->size_bytes);
	if (to->path == NULL)
		return -ENOMEM;
	memcpy(to->path, path, path->size_bytes);
	return 0;
}
