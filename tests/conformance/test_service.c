/* SPDX-License-Identifier: MIT */
/* Sockets from a service manager: a child is started as one would start it. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

/* What the child is given: descriptors from 3 on, and variables. */
struct service {
	int fds[2];
	const char *pid; /* NULL: its own */
	const char *count;
	const char *names;
	int (*body)(struct fixture *t); /* in the child: 0, or the line that was wrong */
};

/* No assertion may fail in a child. */
#define WANT(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			return __LINE__;                                                           \
	} while (0)

static void give(const char *name, const char *value)
{
	if (value != NULL)
		(void)setenv(name, value, 1);
	else
		(void)unsetenv(name);
}

static void become(const struct service *service)
{
	char pid[16];
	int high[2];

	for (int i = 0; i < 2; i++)
		high[i] = fcntl(service->fds[i], F_DUPFD_CLOEXEC, 500);
	for (int i = 0; i < 2; i++)
		(void)dup2(high[i], 3 + i);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	give("LISTEN_PID", service->pid != NULL ? service->pid : pid);
	give("LISTEN_FDS", service->count);
	give("LISTEN_FDNAMES", service->names);
}

/* Two descriptors that are there and are nobody's, if the test has none of its own. */
static void serve(struct fixture *t, struct service service)
{
	int ends[2] = { -1, -1 };
	int status = 0;
	pid_t child;

	if (service.fds[1] == 0) {
		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		service.fds[0] = ends[0];
		service.fds[1] = ends[1];
	}
	child = fork();
	if (child == 0) {
		int line;

		become(&service);
		line = service.body(t);
		/* An exit status has 8 bits. */
		if (line != 0)
			(void)fprintf(stderr, "in the child: line %d\n", line);
		_exit(line != 0);
	}
	expect_true(child > 0);
	expect(waitpid(child, &status, 0), child);
	expect(status, 0);
	if (ends[0] >= 0) {
		close(ends[0]);
		close(ends[1]);
	}
}

static int is_close_on_exec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

/* Where the sockets of the child are opened: a loop of its own, or none. */
static int child_home(struct fixture *t, struct soq_loop **loop_out)
{
	struct soq_loop_options options;

	*loop_out = NULL;
	if (t->home == NULL)
		return 0;
	options_of_tier(t, &options);
	options.allocator = NULL;
	return soq_loop_create(&options, loop_out);
}

static int answer_as_a_service(struct fixture *t)
{
	struct soq_listen_fd fds[4];
	struct soq_loop *loop;
	struct soq_socket *web, *admin, *client;
	struct soq_socket_info info = { .size = sizeof(info) };

	WANT(!is_close_on_exec(3) && !is_close_on_exec(4));
	WANT(soq_listen_fds(fds, 4, 0) == 2);
	WANT(fds[0].fd == 3 && fds[1].fd == 4);
	WANT(strcmp(fds[0].name, "web") == 0 && strcmp(fds[1].name, "admin") == 0);
	WANT(is_close_on_exec(3) && is_close_on_exec(4));
	WANT(child_home(t, &loop) == 0);
	WANT(soq_socket_adopt(loop, fds[0].fd, &web) == 0);
	WANT(soq_socket_adopt(loop, fds[1].fd, &admin) == 0);
	WANT(soq_socket_info(web, &info) == 0);
	WANT(info.family == AF_INET && info.state == SOQ_STATE_LISTENING);
	WANT(soq_socket_info(admin, &info) == 0);
	WANT(info.family == AF_UNIX && info.state == SOQ_STATE_LISTENING);
	WANT(soq_accept(web, &client, NULL) == 0);
	WANT(soq_send(client, "hello", 5, 0) == 5);
	WANT(soq_finish(client, watchdog_ns()) == 0);
	WANT(soq_close(admin) == 0 && soq_close(web) == 0);
	WANT(loop == NULL || (soq_loop_close_all(loop) == 0 && soq_loop_destroy(loop) == 0));
	return 0;
}

static void service_accepts_on_what_it_was_passed(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep, path;
	int web = raw_listener(AF_INET, 5, 0, &ep);
	int client = raw_connect(&ep), admin;
	char in[8];

	unix_folder_open(&folder);
	unix_file(&folder, "admin", &path);
	admin = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(bind(admin, &path.addr.any, path.size_bytes), 0);
	expect(listen(admin, 5), 0);
	raw_fin(client);
	serve(t, (struct service){ .fds = { web, admin },
				   .count = "2",
				   .names = "web:admin",
				   .body = answer_as_a_service });
	expect(raw_recv_blocking(client, in, 8), 5);
	assert_memory_equal(in, "hello", 5);
	expect(raw_recv_blocking(client, in, 8), 0);
	/* The path is the manager's. */
	expect_true(unix_exists(&folder, "admin"));
	expect(unlink(folder.file), 0);
	unix_folder_close(&folder);
	close(client);
	close(web);
	close(admin);
}

static int want_none(struct fixture *t)
{
	struct soq_listen_fd fd = { .fd = -7 };

	(void)t;
	WANT(soq_listen_fds(&fd, 1, 0) == 0);
	WANT(fd.fd == -7);
	WANT(!is_close_on_exec(3) && !is_close_on_exec(4));
	return 0;
}

static int want_none_without_variables(struct fixture *t)
{
	static const char *const names[] = { "LISTEN_PID", "LISTEN_FDS" };

	for (unsigned i = 0; i < 2; i++) {
		int line;

		give(names[i], NULL);
		line = want_none(t);
		if (line != 0)
			return line;
		give(names[i], "1");
	}
	return 0;
}

static void what_is_for_nobody_or_another_is_left_alone(struct fixture *t)
{
	serve(t, (struct service){ .pid = "1", .count = "2", .body = want_none });
	serve(t, (struct service){ .count = "0", .names = "a:b", .body = want_none });
	serve(t, (struct service){ .count = "2", .body = want_none_without_variables });
}

static int want_unknown(struct fixture *t)
{
	struct soq_listen_fd fds[2] = { { .fd = -7 }, { .fd = -7 } };

	(void)t;
	WANT(soq_listen_fds(NULL, 0, 0) == 2);
	WANT(is_close_on_exec(3) && is_close_on_exec(4));
	WANT(soq_listen_fds(fds, 1, 0) == 2);
	WANT(fds[0].fd == 3 && fds[1].fd == -7);
	WANT(strcmp(fds[0].name, "unknown") == 0);
	WANT(soq_listen_fds(fds, 2, 0) == 2);
	WANT(strcmp(fds[1].name, "unknown") == 0);
	return 0;
}

static void descriptors_without_names_are_unknown(struct fixture *t)
{
	serve(t, (struct service){ .count = "2", .body = want_unknown });
	serve(t, (struct service){ .count = "2", .names = ":", .body = want_unknown });
}

#define NAME_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define NAME_255                                                                                   \
	NAME_64 NAME_64 NAME_64 "012345678901234567890123456789012345678901234567890123456789012"

static int want_long_names(struct fixture *t)
{
	struct soq_listen_fd fds[2];

	(void)t;
	WANT(soq_listen_fds(fds, 2, 0) == 2);
	WANT(strcmp(fds[0].name, NAME_255) == 0);
	WANT(strcmp(fds[1].name, "x") == 0);
	return 0;
}

static int want_invalid(struct fixture *t)
{
	struct soq_listen_fd fds[2] = { { .fd = -7 } };

	(void)t;
	WANT(soq_listen_fds(fds, 2, 0) == -EINVAL);
	WANT(fds[0].fd == -7);
	WANT(!is_close_on_exec(3) && !is_close_on_exec(4));
	return 0;
}

static int want_bad_descriptor(struct fixture *t)
{
	struct soq_listen_fd fds[2] = { { .fd = -7 } };

	(void)t;
	(void)close(4);
	WANT(soq_listen_fds(fds, 2, 0) == -EBADF);
	WANT(fds[0].fd == -7);
	WANT(!is_close_on_exec(3));
	return 0;
}

static void malformed_variables_are_refused(struct fixture *t)
{
	/* The last leaves no room for 3 of its own. */
	static const char *const numbers[] = { "",    "-1",  "2x",         " 2",        "+2",
					       "0x2", "two", "9999999999", "2147483645" };
	static const char *const names[] = { "", "a", "a:b:c", "a:b:", NAME_255 "x:y" };

	for (unsigned i = 0; i < COUNT_OF(numbers); i++) {
		serve(t, (struct service){ .count = numbers[i], .body = want_invalid });
		if (i + 1 < COUNT_OF(numbers))
			serve(t, (struct service){ .pid = numbers[i],
						   .count = "2",
						   .body = want_invalid });
	}
	for (unsigned i = 0; i < COUNT_OF(names); i++)
		serve(t, (struct service){ .count = "2", .names = names[i], .body = want_invalid });
	serve(t, (struct service){ .count = "2", .names = NAME_255 ":x", .body = want_long_names });
	serve(t, (struct service){ .count = "2", .body = want_bad_descriptor });
}

static int want_unset_when_asked(struct fixture *t)
{
	struct soq_listen_fd fds[2];

	(void)t;
	for (unsigned i = 0; i < 2; i++)
		WANT(soq_listen_fds(fds, 2, 0) == 2);
	WANT(getenv("LISTEN_PID") && getenv("LISTEN_FDS") && getenv("LISTEN_FDNAMES"));
	WANT(soq_listen_fds(fds, 2, 2) == -EINVAL);
	WANT(getenv("LISTEN_PID") && getenv("LISTEN_FDS") && getenv("LISTEN_FDNAMES"));
	WANT(soq_listen_fds(fds, 2, SOQ_LISTEN_UNSET) == 2);
	WANT(strcmp(fds[1].name, "b") == 0);
	WANT(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
	WANT(soq_listen_fds(fds, 2, SOQ_LISTEN_UNSET) == 0);
	return 0;
}

static int want_unset_after_a_failure(struct fixture *t)
{
	(void)t;
	WANT(soq_listen_fds(NULL, 0, SOQ_LISTEN_UNSET) == -EINVAL);
	WANT(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
	return 0;
}

static void environment_changes_only_when_asked(struct fixture *t)
{
	serve(t, (struct service){ .count = "2", .names = "a:b", .body = want_unset_when_asked });
	serve(t,
	      (struct service){ .count = "x", .names = "a:b", .body = want_unset_after_a_failure });
}

/* The inode of a pidfd, where the kernel gives each process one of its own; or 0. */
static uint64_t pidfd_number(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct statfs system;
	struct stat found;
	uint64_t number = 0;

	if (fd >= 0 && fstatfs(fd, &system) == 0 && system.f_type == 0x50494446 &&
	    fstat(fd, &found) == 0)
		number = found.st_ino;
	if (fd >= 0)
		(void)close(fd);
	return number;
}

static int want_the_right_process(struct fixture *t)
{
	uint64_t number = pidfd_number();
	struct soq_listen_fd fds[2];
	char text[24];

	(void)t;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	give("LISTEN_PIDFDID", text);
	WANT(soq_listen_fds(fds, 2, 0) == 2);
	/* Another process had this pid: older kernels cannot tell. */
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number + 1);
	give("LISTEN_PIDFDID", text);
	WANT(soq_listen_fds(fds, 2, 0) == (number != 0 ? 0 : 2));
	give("LISTEN_PIDFDID", "x");
	WANT(soq_listen_fds(fds, 2, SOQ_LISTEN_UNSET) == -EINVAL);
	WANT(!getenv("LISTEN_PIDFDID"));
	return 0;
}

static void pid_that_was_anothers_is_told_apart(struct fixture *t)
{
	serve(t, (struct service){ .count = "2", .body = want_the_right_process });
}

static const struct conf_case cases[] = {
	SYNC_CASE(service_accepts_on_what_it_was_passed, "18a"),
	SYNC_CASE(what_is_for_nobody_or_another_is_left_alone, "18a"),
	SYNC_CASE(descriptors_without_names_are_unknown, "18a"),
	SYNC_CASE(malformed_variables_are_refused, "5a"),
	SYNC_CASE(pid_that_was_anothers_is_told_apart, "18a"),
	SYNC_CASE(environment_changes_only_when_asked, ""),
};

CONF_GROUP(service, cases)
