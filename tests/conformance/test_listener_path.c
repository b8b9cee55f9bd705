/* SPDX-License-Identifier: MIT */
/* Listeners on unix paths: which of those that are there are taken over, and which never. */
#define _GNU_SOURCE
#include "net.h"
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

/* A start on a path, with leave to take it. */
static int start(struct fixture *t, const struct soq_endpoint *ep, uint32_t flags,
		 struct soq_listener **l)
{
	const struct soq_listener_options options = {
		.size = sizeof(options),
		.local = ep,
		.flags = flags,
		.allocator = &t->allocator,
	};
	int error;

	expect(soq_listener_open(t->loop, &options, l), 0);
	error = soq_listener_start(*l);
	if (error != 0)
		expect(soq_listener_close(*l), 0);
	return error;
}

static void expect_refused(struct fixture *t, const struct soq_endpoint *ep)
{
	struct soq_listener *l;

	expect(start(t, ep, SOQ_LISTENER_TAKE_PATH, &l), -EADDRINUSE);
}

/* What a server leaves that was killed. */
static void leave(const struct soq_endpoint *ep)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	expect(bind(fd, &ep->addr.any, ep->size_bytes), 0);
	expect(listen(fd, 1), 0);
	close(fd);
}

static void path_that_was_left_is_taken(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_listener *l;
	struct soq_connection place = { 0 };
	struct soq_socket *s;
	int fd;

	unix_folder_open(&folder);
	unix_file(&folder, "left", &ep);
	leave(&ep);
	expect(start(t, &ep, 0, &l), -EADDRINUSE);
	expect(start(t, &ep, SOQ_LISTENER_TAKE_PATH, &l), 0);
	fd = raw_connect(&ep);
	expect(soq_listener_accept(l, &place, watchdog_ns(), &s), 0);
	/* And one that is in use is not. */
	expect_refused(t, &ep);
	expect(soq_connection_end(&place), 0);
	expect(soq_close(s), 0);
	close(fd);
	/* One that nobody has is just made; a stop removes it. */
	expect(soq_listener_stop(l), 0);
	expect(unix_exists(&folder, "left"), 0);
	expect(soq_listener_start(l), 0);
	expect(soq_listener_close(l), 0);
	unix_folder_close(&folder);
}

static void server_that_lives_keeps_its_path(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	int fds[3], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unix_folder_open(&folder);
	unix_file(&folder, "live", &ep);
	expect(bind(listener, &ep.addr.any, ep.size_bytes), 0);
	expect(listen(listener, 0), 0);
	expect_refused(t, &ep);
	/* Nor does one lose it whose queue is full. */
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(fds[i], &ep.addr.any, ep.size_bytes);
	}
	expect_refused(t, &ep);
	expect(unix_exists(&folder, "live"), 1);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	close(listener);
	expect(unlink(folder.file), 0);
	unix_folder_close(&folder);
}

static void what_is_no_socket_of_ours_stays(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep, link_ep;
	char target[sizeof(folder.file)];
	int fd;

	unix_folder_open(&folder);
	unix_file(&folder, "file", &ep);
	fd = open(folder.file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	expect_true(fd >= 0);
	close(fd);
	expect_refused(t, &ep);
	expect(unlink(folder.file), 0);
	/* A link to a socket that was left is no socket. */
	leave(&ep);
	(void)snprintf(target, sizeof(target), "%s", folder.file);
	unix_file(&folder, "link", &link_ep);
	expect(symlink(target, folder.file), 0);
	expect_refused(t, &link_ep);
	expect(unlink(folder.file), 0);
	expect(unlink(target), 0);
	unix_folder_close(&folder);
}

static void folder_of_others_is_not_trusted(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_listener *l;
	int fd;

	unix_folder_open(&folder);
	unix_file(&folder, "left", &ep);
	leave(&ep);
	expect(chmod(folder.path, 0777), 0);
	expect_refused(t, &ep);
	expect(unix_exists(&folder, "left"), 1);
	/* Somebody else who starts has it. */
	expect(chmod(folder.path, 0700), 0);
	fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect(flock(fd, LOCK_EX), 0);
	expect_refused(t, &ep);
	close(fd);
	expect(chmod(folder.path, 01777), 0);
	expect(start(t, &ep, SOQ_LISTENER_TAKE_PATH, &l), 0);
	expect(soq_listener_close(l), 0);
	/* Without a path there is nothing to take. */
	unix_abstract(&ep);
	expect(start(t, &ep, SOQ_LISTENER_TAKE_PATH, &l), 0);
	expect_refused(t, &ep);
	expect(soq_listener_close(l), 0);
	unix_folder_close(&folder);
}

static const struct conf_case cases[] = {
	CASE(path_that_was_left_is_taken, ""),
	CASE(server_that_lives_keeps_its_path, ""),
	CASE(what_is_no_socket_of_ours_stays, ""),
	CASE(folder_of_others_is_not_trusted, ""),
};

CONF_GROUP(listener_path, cases)
