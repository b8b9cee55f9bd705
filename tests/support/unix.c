/* SPDX-License-Identifier: MIT */
/* Unix names for tests: abstract ones nobody has, and a folder for paths. */
#define _GNU_SOURCE
#include "support.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

#define HEAD offsetof(struct sockaddr_un, sun_path)

void unix_path(struct soq_endpoint *ep, const char *path)
{
	size_t size = strlen(path) + 1;

	memset(ep, 0, sizeof(*ep));
	expect_true(HEAD + size <= sizeof(ep->addr.storage));
	ep->addr.any.sa_family = AF_UNIX;
	memcpy((char *)&ep->addr.storage + HEAD, path, size);
	ep->size_bytes = (uint32_t)(HEAD + size);
}

void unix_abstract(struct soq_endpoint *ep)
{
	static unsigned counter;
	char name[64];
	int size = snprintf(name, sizeof(name), "soq-test-%d-%u", (int)getpid(), ++counter);

	memset(ep, 0, sizeof(*ep));
	ep->addr.any.sa_family = AF_UNIX;
	memcpy((char *)&ep->addr.storage + HEAD + 1, name, (size_t)size);
	ep->size_bytes = (uint32_t)(HEAD + 1 + (size_t)size);
}

void unix_folder_open(struct unix_folder *folder)
{
	const char *temp = getenv("TMPDIR");
	size_t room = sizeof(folder->path);

	/* A long TMPDIR would leave no room for a name. */
	if (temp == NULL || strlen(temp) > 48)
		temp = "/tmp";
	expect_true(snprintf(folder->path, room, "%s/soq.XXXXXX", temp) < (int)room);
	assert_non_null(mkdtemp(folder->path));
}

void unix_file(struct unix_folder *folder, const char *name, struct soq_endpoint *ep)
{
	snprintf(folder->file, sizeof(folder->file), "%s/%s", folder->path, name);
	unix_path(ep, folder->file);
}

int unix_exists(const struct unix_folder *folder, const char *name)
{
	char path[sizeof(folder->file)];
	struct stat found;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	return lstat(path, &found) == 0;
}

void unix_folder_close(struct unix_folder *folder)
{
	expect(rmdir(folder->path) ? -errno : 0, 0);
}

struct soq_socket *unix_listener(struct fixture *t, int type, struct soq_endpoint *ep)
{
	struct soq_socket *s = open_socket_of(t, AF_UNIX, type);

	if (ep->size_bytes == 0)
		unix_abstract(ep);
	expect(soq_bind(s, ep), 0);
	expect(soq_listen(s, 0), 0);
	return s;
}
