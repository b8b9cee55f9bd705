/* SPDX-License-Identifier: MIT */
/* Starts, watches and ends the server of a run. */
#include "peer.h"

#include "../common/clock.h"
#include "placement.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_TIMEOUT_MS 6000

/*
 * In the child. Its own process group keeps a terminal's ^C from it, so that the run
 * can end in order; the death signal keeps it from outliving a killed parent.
 */
static void become_peer(pid_t parent, int cpu)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	if (cpu >= 0)
		placement_pin(cpu);
}

/* Forks with a pipe from the child. Returns 0 in the child, its pid, or -errno. */
static pid_t fork_with_pipe(struct peer *p, int cpu, int *child_fd_out)
{
	pid_t parent = getpid();
	int fds[2];
	pid_t pid;

	memset(p, 0, sizeof(*p));
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		pid = -errno;
		close(fds[0]);
		close(fds[1]);
		return pid;
	}
	if (pid == 0) {
		close(fds[0]);
		*child_fd_out = fds[1];
		become_peer(parent, cpu);
		return 0;
	}
	close(fds[1]);
	p->output_fd = fds[0];
	p->pid = pid;
	return pid;
}

int peer_fork(struct peer *p, const struct server_options *options, int cpu)
{
	struct server_options own = *options;
	pid_t pid = fork_with_pipe(p, cpu, &own.output_fd);

	if (pid != 0)
		return pid < 0 ? pid : 0;
	exit(server_run(&own));
}

int peer_command(struct peer *p, const char *command, int cpu)
{
	char *line = NULL;
	int fd = -1;
	pid_t pid;

	/* With exec the shell is gone, and the pid is the server's. */
	if (asprintf(&line, "exec %s", command) < 0)
		return -ENOMEM;
	pid = fork_with_pipe(p, cpu, &fd);
	if (pid == 0) {
		dup2(fd, STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
		_exit(127);
	}
	free(line);
	return pid < 0 ? pid : 0;
}

static void take_line(struct peer *p, const char *line)
{
	const char *engine = control_parse_engine(line);
	const char *endpoint = control_parse_listening(line);

	if (engine)
		snprintf(p->engine, sizeof(p->engine), "%s", engine);
	else if (endpoint)
		snprintf(p->endpoint, sizeof(p->endpoint), "%s", endpoint);
	else if (p->report_count < PEER_REPORTS_MAX &&
		 control_parse_report(line, &p->reports[p->report_count]))
		p->report_count++;
}

static void take_lines(struct peer *p)
{
	char *end;

	p->text[p->text_bytes] = 0;
	while ((end = strchr(p->text, '\n')) != NULL) {
		*end = 0;
		take_line(p, p->text);
		p->text_bytes -= (size_t)(end + 1 - p->text);
		memmove(p->text, end + 1, p->text_bytes + 1);
	}
	if (p->text_bytes == sizeof(p->text) - 1)
		p->text_bytes = 0; /* no line of ours is that long */
}

/* Reads once. Returns 1, 0 at the end, -ETIMEDOUT, or -errno. */
static int read_some(struct peer *p, int timeout_ms)
{
	struct pollfd pfd = { .fd = p->output_fd, .events = POLLIN };
	ssize_t n;
	int ret;

	ret = poll(&pfd, 1, timeout_ms);
	if (ret < 0)
		return errno == EINTR ? 1 : -errno;
	if (ret == 0)
		return -ETIMEDOUT;
	n = read(p->output_fd, p->text + p->text_bytes, sizeof(p->text) - 1 - p->text_bytes);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	p->text_bytes += (size_t)n;
	take_lines(p);
	return 1;
}

int peer_wait_listening(struct peer *p, int timeout_ms)
{
	int64_t until_ns = clock_now_ns() + timeout_ms * NS_PER_MS;

	while (!p->endpoint[0]) {
		int64_t left_ms = (until_ns - clock_now_ns()) / NS_PER_MS;
		int ret = left_ms > 0 ? read_some(p, (int)left_ms) : -ETIMEDOUT;

		if (ret <= 0)
			return ret < 0 ? ret : -ECHILD;
	}
	return 0;
}

void peer_ask_report(const struct peer *p)
{
	if (p->pid)
		kill(p->pid, SIGUSR1);
}

void peer_end(struct peer *p)
{
	int status = 0, ret;

	if (!p->pid)
		return;
	kill(p->pid, SIGTERM);
	while ((ret = read_some(p, END_TIMEOUT_MS)) > 0)
		;
	if (ret < 0)
		kill(p->pid, SIGKILL);
	while (wait4(p->pid, &status, 0, &p->usage) < 0 && errno == EINTR)
		;
	p->failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	close(p->output_fd);
	p->pid = 0;
}
