/* SPDX-License-Identifier: MIT */
/* What the programs of this folder share: a check that ends the program, and an echo. */
#ifndef SOQ_TESTS_FAULT_H
#define SOQ_TESTS_FAULT_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <soq/soq.h>

#define MS INT64_C(1000000)

/* Longer than anything here takes, also under valgrind: a wait for this long is a hang. */
#define PATIENCE_NS (20000 * MS)

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			fault_failed(#what, __FILE__, __LINE__);                                   \
	} while (0)

#define CHECK_IS(got, want)                                                                        \
	do {                                                                                       \
		long long got_ = (got), want_ = (want);                                            \
		if (got_ != want_) {                                                               \
			fprintf(stderr, "%lld, not %lld\n", got_, want_);                          \
			fault_failed(#got, __FILE__, __LINE__);                                    \
		}                                                                                  \
	} while (0)

_Noreturn void fault_failed(const char *what, const char *file, int line);

/* Makes the kernel answer `error` to one system call, in this thread and what it starts. */
void fault_deny(long number, int error);

/* The number of "setup", "enter" or "register"; of "EPERM" and the like. */
long fault_syscall(const char *name);
int fault_errno(const char *name);

struct soq_loop *fault_loop(uint32_t backend);
struct soq_loop_info fault_info(struct soq_loop *loop);

/* Two sockets of the loop, connected to each other. */
void fault_pair(struct soq_loop *loop, struct soq_socket *pair[2]);

/* Sends bytes there and back on the loop, then destroys it. */
void fault_echo(struct soq_loop *loop);

#endif
