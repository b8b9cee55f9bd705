/* SPDX-License-Identifier: MIT */
/*
 * Runs a program to which one system call is denied.
 *   deny setup|enter|register EPERM|ENOSYS PROGRAM [ARGUMENT...]
 */
#define _GNU_SOURCE
#include "fault.h"

#include <unistd.h>

int main(int argc, char **argv)
{
	CHECK(argc > 3);
	fault_deny(fault_syscall(argv[1]), fault_errno(argv[2]));
	execv(argv[3], argv + 3);
	fault_failed(argv[3], __FILE__, __LINE__);
}
