/* SPDX-License-Identifier: MIT */
/* Unix paths: made by a bind, gone with the close, and nobody else's removed. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

static void path_lives_as_long_as_its_socket(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct unix_folder folder;
		struct soq_endpoint ep, local;
		struct soq_socket *s = open_socket_of(t, AF_UNIX, types[i]);

		unix_folder_open(&folder);
		unix_file(&folder, "name", &ep);
		expect(soq_bind(s, &ep), 0);
		expect(unix_exists(&folder, "name"), 1);
		expect(soq_socket_local(s, &local), 0);
		expect(soq_endpoint_equal(&local, &ep), 1);
		expect(soq_close(s), 0);
		expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()), 0);
		expect(unix_exists(&folder, "name"), 0);
		unix_folder_close(&folder);
	}
}

/* Whatever the umask, and from the first moment: a listener that others shall reach widens it. */
static void path_is_its_owners_alone(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct unix_folder folder;
		struct soq_endpoint ep;
		struct soq_socket *s = open_socket_of(t, AF_UNIX, types[i]);
		struct stat made;
		mode_t before;
		int result;

		unix_folder_open(&folder);
		unix_file(&folder, "name", &ep);
		before = umask(0);
		result = soq_bind(s, &ep);
		umask(before);
		expect(result, 0);
		expect(lstat(folder.file, &made), 0);
		expect(made.st_mode & 07777, 0600);
		expect(soq_close(s), 0);
		unix_folder_close(&folder);
	}
}

static void close_event_frees_the_path(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;

	unix_folder_open(&folder);
	unix_file(&folder, "name", &ep);
	for (unsigned i = 0; i < 20; i++) {
		int type = types[i % COUNT_OF(types)];
		struct soq_socket *s = open_socket_of(t, AF_UNIX, type);
		struct probe *pending = probe(t), *closed = probe(t);
		char byte;

		expect(soq_bind(s, &ep), 0);
		if (type == SOCK_DGRAM) {
			started(pending, soq_recv_async(s, &pending->op, &byte, 1, 0));
		} else {
			expect(soq_listen(s, 1), 0);
			started(pending, soq_accept_async(s, &pending->op, 0));
		}
		settle(t);
		started(closed, soq_close_async(s, &closed->op));
		await(t, closed);
		expect_end(pending, -ECANCELED, 0);
		expect_end(closed, 0, 0);
	}
	unix_folder_close(&folder);
}

static void bind_on_a_path_that_exists_is_refused(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_socket *first = open_socket(t, AF_UNIX), *second = open_socket(t, AF_UNIX);

	unix_folder_open(&folder);
	unix_file(&folder, "name", &ep);
	expect(soq_bind(first, &ep), 0);
	expect(soq_bind(second, &ep), -EADDRINUSE);
	expect(soq_connect(second, &ep), -ECONNREFUSED);
	unix_file(&folder, "other", &ep);
	expect(soq_bind(first, &ep), -EINVAL);
	expect(unix_exists(&folder, "other"), 0);
	expect(soq_close(second), 0);
	settle(t);
	/* Whoever failed to make it does not remove it. */
	expect(unix_exists(&folder, "name"), 1);
	expect(soq_close(first), 0);
	settle(t);

	unix_file(&folder, "stale", &ep);
	close(raw_unix_listener(SOCK_STREAM, 1, &ep));
	second = open_socket(t, AF_UNIX);
	expect(soq_bind(second, &ep), -EADDRINUSE);
	expect(soq_connect(second, &ep), -ECONNREFUSED);
	expect(soq_close(second), 0);
	settle(t);
	expect(unlink(folder.file), 0);
	unix_folder_close(&folder);
}

static void path_that_was_replaced_stays(struct fixture *t)
{
	/* By a file, by another socket, by nothing. */
	for (unsigned i = 0; i < 3; i++) {
		struct unix_folder folder;
		struct soq_endpoint ep;
		struct soq_socket *s = open_socket(t, AF_UNIX);
		int fd = -1;

		unix_folder_open(&folder);
		unix_file(&folder, "name", &ep);
		expect(soq_bind(s, &ep), 0);
		/* Moved, not removed: else the new one might get its inode. */
		if (i < 2) {
			char other[sizeof(folder.file) + 8];

			snprintf(other, sizeof(other), "%s.old", folder.file);
			expect(rename(folder.file, other), 0);
			fd = i ? raw_unix_listener(SOCK_STREAM, 1, &ep)
			       : open(folder.file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
			expect_true(fd >= 0);
			expect(soq_close(s), 0);
			settle(t);
			expect(unix_exists(&folder, "name"), 1);
			expect(unlink(other), 0);
		} else {
			expect(unlink(folder.file), 0);
			expect(soq_close(s), 0);
			settle(t);
		}
		if (fd >= 0) {
			close(fd);
			expect(unlink(folder.file), 0);
		}
		unix_folder_close(&folder);
	}
}

static void accepted_sockets_leave_the_path(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_socket *listener, *a = open_socket(t, AF_UNIX), *b;

	unix_folder_open(&folder);
	unix_file(&folder, "name", &ep);
	listener = unix_listener(t, SOCK_STREAM, &ep);
	expect(soq_connect(a, &ep), 0);
	expect(soq_accept(listener, &b, NULL), 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	settle(t);
	expect(unix_exists(&folder, "name"), 1);
	expect(soq_close(listener), 0);
	settle(t);
	expect(unix_exists(&folder, "name"), 0);
	unix_folder_close(&folder);
}

static void released_socket_leaves_the_path(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_UNIX);
	int fd;

	unix_folder_open(&folder);
	unix_file(&folder, "name", &ep);
	expect(soq_bind(s, &ep), 0);
	fd = soq_socket_release(s);
	expect_true(fd >= 0);
	settle(t);
	expect(unix_exists(&folder, "name"), 1);
	close(fd);
	expect(unlink(folder.file), 0);
	unix_folder_close(&folder);
}

static void relative_path_is_found_from_elsewhere(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_UNIX);
	int rc, home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	unix_folder_open(&folder);
	unix_path(&ep, "name");
	expect_true(home >= 0);
	expect(chdir(folder.path), 0);
	rc = soq_bind(s, &ep);
	expect(fchdir(home), 0);
	expect(rc, 0);
	expect(unix_exists(&folder, "name"), 1);
	expect(soq_close(s), 0);
	settle(t);
	close(home);
	expect(unix_exists(&folder, "name"), 0);
	unix_folder_close(&folder);
}

/* The longest path has 108 bytes and no zero behind it. */
static void longest_paths_work(struct fixture *t)
{
	for (size_t length = 107; length <= 109; length++) {
		struct unix_folder folder;
		struct soq_endpoint ep, local;
		char name[128] = "";
		struct soq_socket *s = open_socket(t, AF_UNIX), *client = open_socket(t, AF_UNIX);

		unix_folder_open(&folder);
		memset(name, 'x', length - strlen(folder.path) - 1);
		unix_file(&folder, name, &ep);
		if (length >= 108)
			ep.size_bytes--;
		expect(soq_bind(s, &ep), length <= 108 ? 0 : -EINVAL);
		if (length <= 108) {
			expect(soq_listen(s, 1), 0);
			expect(unix_exists(&folder, name), 1);
			expect(soq_socket_local(s, &local), 0);
			expect_true(local.size_bytes >= ep.size_bytes);
			expect(soq_connect(client, &ep), 0);
		}
		expect(soq_close(client), 0);
		expect(soq_close(s), 0);
		settle(t);
		expect(unix_exists(&folder, name), 0);
		unix_folder_close(&folder);
	}
}

static void path_of_a_folder_that_is_not_there_is_refused(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_UNIX);
	uint64_t bytes = t->memory.live_bytes;

	unix_path(&ep, "/nowhere/at/all");
	expect(soq_bind(s, &ep), -ENOENT);
	expect(soq_connect(s, &ep), -ENOENT);
	expect(t->memory.live_bytes, bytes);
	unix_abstract(&ep);
	expect(soq_bind(s, &ep), 0);
	expect(soq_close(s), 0);
}

static void close_all_removes_every_path(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;

	unix_folder_open(&folder);
	for (unsigned i = 0; i < 5; i++) {
		char name[8] = { (char)('a' + i), 0 };

		unix_file(&folder, name, &ep);
		(void)unix_listener(t, SOCK_STREAM, &ep);
	}
	expect(soq_loop_close_all(t->loop), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()), 0);
	unix_folder_close(&folder);
}

static const struct conf_case cases[] = {
	CASE(path_lives_as_long_as_its_socket, "13j"),
	SYNC_CASE(path_is_its_owners_alone, ""),
	CASE(close_event_frees_the_path, "13e 13j"),
	CASE(bind_on_a_path_that_exists_is_refused, "5a 13j B070"),
	CASE(path_that_was_replaced_stays, "13j"),
	CASE(accepted_sockets_leave_the_path, "13j B069"),
	CASE(released_socket_leaves_the_path, "13j"),
	CASE(relative_path_is_found_from_elsewhere, "13j"),
	CASE(longest_paths_work, "5a"),
	CASE(path_of_a_folder_that_is_not_there_is_refused, "1a 5a"),
	CASE(close_all_removes_every_path, "15b 13j"),
};

CONF_GROUP(unix_path, cases)
