/* SPDX-License-Identifier: MIT */
/* Processors: which there are, a thread on one of them, and the kernel's programs that look. */
#include "group.h"

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

/* The most a kernel is built for. */
#define CPUS_MAX 8192u

struct cpus {
	unsigned long bits[CPUS_MAX / (8 * sizeof(unsigned long))];
};

unsigned soqi_cpus_allowed(uint32_t *cpus, unsigned cpu_max)
{
	struct cpus allowed;
	unsigned count = 0;

	memset(&allowed, 0, sizeof(allowed));
	if (sched_getaffinity(0, sizeof(allowed), (cpu_set_t *)allowed.bits) != 0)
		return 0;
	for (uint32_t cpu = 0; cpu < CPUS_MAX && count < cpu_max; cpu++)
		if (CPU_ISSET_S(cpu, sizeof(allowed), (cpu_set_t *)allowed.bits))
			cpus[count++] = cpu;
	return count;
}

int soqi_cpu_pin(uint32_t cpu)
{
	struct cpus one;

	if (cpu >= CPUS_MAX)
		return -EINVAL;
	memset(&one, 0, sizeof(one));
	CPU_SET_S(cpu, sizeof(one), (cpu_set_t *)one.bits);
	return sched_setaffinity(0, sizeof(one), (cpu_set_t *)one.bits) == 0 ? 0 : -EINVAL;
}

static int program_attach(struct soq_socket *s, int option, struct sock_filter *code,
			  unsigned count)
{
	struct sock_fprog program;

	memset(&program, 0, sizeof(program)); /* its padding too: the kernel is given all of it */
	program.len = (unsigned short)count;
	program.filter = code;
	return soq_option_set(s, SOL_SOCKET, option, &program, sizeof(program));
}

int soqi_steer_by_cpu(const struct soq_group *group, struct soq_socket *first)
{
	struct sock_filter code[2 * SOQ_GROUP_MEMBERS_MAX + 3];
	unsigned n = 0;

	/* What it returns is the place of a listener in the order in which they listen. */
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 (uint32_t)(SKF_AD_OFF + SKF_AD_CPU));
	for (unsigned i = 0; i < group->member_count; i++) {
		if (group->members[i].cpu == SOQI_CPU_NONE)
			continue;
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 group->members[i].cpu, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, i);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, group->member_count);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	return program_attach(first, SO_ATTACH_REUSEPORT_CBPF, code, n);
}

/*
 * A SYN without an ACK begins a connection. A filter of TCP sees its header first, with the
 * flags in byte 13. What is dropped is sent again, a second later.
 */
int soqi_newcomers_refuse(struct soq_socket *listener)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	return program_attach(listener, SO_ATTACH_FILTER, code, sizeof(code) / sizeof(code[0]));
}

/* Connections inherit the filter of their listener. */
void soqi_newcomers_forget(struct soq_socket *accepted)
{
	const int none = 0;

	(void)!soq_option_set(accepted, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
}
