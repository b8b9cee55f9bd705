/* SPDX-License-Identifier: MIT */
/* What the programs of this folder share. */
#define _GNU_SOURCE
#include "fault.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

void fault_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	exit(1);
}

void fault_deny(long number, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	CHECK_IS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_IS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

long fault_syscall(const char *name)
{
	if (strcmp(name, "setup") == 0)
		return SYS_io_uring_setup;
	if (strcmp(name, "enter") == 0)
		return SYS_io_uring_enter;
	if (strcmp(name, "register") == 0)
		return SYS_io_uring_register;
	fault_failed(name, __FILE__, __LINE__);
}

int fault_errno(const char *name)
{
	static const int known[] = { EPERM, ENOSYS, EACCES, ENOMEM, EINVAL, ECANCELED, EOPNOTSUPP };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(strerrorname_np(known[i]), name) == 0)
			return known[i];
	return 0;
}

struct soq_loop *fault_loop(uint32_t backend)
{
	struct soq_loop_options options = { .size = sizeof(options), .backend = backend };
	struct soq_loop *loop;

	CHECK_IS(soq_loop_create(&options, &loop), 0);
	return loop;
}

struct soq_loop_info fault_info(struct soq_loop *loop)
{
	struct soq_loop_info info = { .size = sizeof(info) };

	CHECK_IS(soq_loop_info(loop, &info), 0);
	return info;
}

void fault_pair(struct soq_loop *loop, struct soq_socket *pair[2])
{
	struct soq_op op = { 0 };
	struct soq_event event;
	struct soq_socket *listener;
	struct soq_endpoint ep;

	CHECK_IS(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener), 0);
	CHECK_IS(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	CHECK_IS(soq_bind(listener, &ep), 0);
	CHECK_IS(soq_listen(listener, 1), 0);
	CHECK_IS(soq_socket_local(listener, &ep), 0);
	CHECK_IS(soq_accept_async(listener, &op, 0), 0);
	CHECK_IS(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &pair[0]), 0);
	CHECK_IS(soq_connect(pair[0], &ep), 0);
	CHECK_IS(soq_wait(&op, PATIENCE_NS, &event), 0);
	CHECK_IS(event.result, 0);
	pair[1] = event.socket;
	CHECK_IS(soq_close(listener), 0);
}

void fault_echo(struct soq_loop *loop)
{
	static const char text[] = "there and back";
	char got[sizeof(text)];
	struct soq_socket *pair[2];

	fault_pair(loop, pair);
	for (int from = 0; from < 2; from++) {
		memset(got, 0, sizeof(got));
		CHECK_IS(soq_send(pair[from], text, sizeof(text), 0), sizeof(text));
		CHECK_IS(soq_recv(pair[!from], got, sizeof(got), SOQ_EXACT), sizeof(got));
		CHECK(memcmp(text, got, sizeof(text)) == 0);
	}
	CHECK_IS(soq_close(pair[0]), 0);
	CHECK_IS(soq_close(pair[1]), 0);
	CHECK(soq_loop_run(loop, SOQ_RUN_IDLE, PATIENCE_NS) >= 0);
	CHECK_IS(soq_loop_destroy(loop), 0);
}
