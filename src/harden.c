/* SPDX-License-Identifier: MIT */
/* A policy's TCP ports as rules of Landlock. */
#include "policy.h"

#include <errno.h>
#include <soq/harden.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers may be. */
#define NET_SINCE_ABI      4
#define GET_ABI            (1u << 0)
#define RULE_NET_PORT      2
#define ACCESS_BIND_TCP    (UINT64_C(1) << 0)
#define ACCESS_CONNECT_TCP (UINT64_C(1) << 1)

struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
};

struct net_port {
	uint64_t allowed_access;
	uint64_t port;
};

#define PORTS 65536u

/* Of each port the accesses that are allowed. */
struct ports {
	uint64_t handled;
	uint8_t allowed[PORTS];
	uint8_t open[PORTS]; /* to one set */
};

static bool is_tcp_place(unsigned place)
{
	return place == SOQI_PLACE_ANY || place == SOQI_PLACE_IPV4 || place == SOQI_PLACE_IPV6 ||
	       place == SOQI_PLACE_NAME;
}

static bool allows_ports(const struct soqi_rule *rule, uint32_t what)
{
	return !rule->denies && (rule->what & what) && (rule->transports & SOQ_POLICY_TCP) &&
	       is_tcp_place(rule->place);
}

/* Whether the rules leave out some ports. */
static bool leaves_out(const struct soqi_rules *set, uint32_t what)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (allows_ports(&set->rules[i], what) && set->rules[i].all_ports)
			return false;
	return !set->allows;
}

static void open_find(struct ports *ports, const struct soqi_rules *set, uint32_t what)
{
	memset(ports->open, 0, sizeof(ports->open));
	for (uint32_t i = 0; i < set->count; i++) {
		const struct soqi_rule *rule = &set->rules[i];

		if (allows_ports(rule, what))
			memset(ports->open + rule->port_first, 1,
			       (size_t)rule->port_last - rule->port_first + 1);
	}
}

/* What all of the policy's sets allow. Rules that deny leave their ports to the policy. */
static void ports_find(struct ports *ports, const struct soq_policy *policy, uint32_t what,
		       uint64_t access)
{
	bool any = false;

	for (uint32_t port = 0; port < PORTS; port++)
		ports->allowed[port] |= (uint8_t)access;
	for (uint32_t i = 0; i < policy->count; i++) {
		const struct soqi_rules *set = policy->set[i].rules;

		if (!leaves_out(set, what))
			continue;
		ports->handled |= access;
		open_find(ports, set, what);
		for (uint32_t port = 0; port < PORTS; port++)
			if (!ports->open[port])
				ports->allowed[port] &= (uint8_t)~access;
	}
	for (uint32_t port = 1; port < PORTS; port++)
		any = any || (ports->allowed[port] & access) != 0;
	/* Whoever may have some port may let one be chosen. */
	if (access == ACCESS_BIND_TCP && any)
		ports->allowed[0] |= (uint8_t)access;
}

static int rules_add(int fd, const struct ports *ports)
{
	for (uint32_t port = 0; port < PORTS; port++) {
		struct net_port rule = { ports->allowed[port] & ports->handled, port };

		if (rule.allowed_access != 0 &&
		    syscall(SYS_landlock_add_rule, fd, RULE_NET_PORT, &rule, 0) != 0)
			return -errno;
	}
	return 0;
}

static int wall(const struct ports *ports)
{
	struct ruleset attr = { .handled_access_net = ports->handled };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int error;

	if (fd < 0)
		return -errno;
	error = rules_add(fd, ports);
	if (error == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		error = -errno;
	if (error == 0 && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
		error = -errno;
	(void)close(fd);
	return error;
}

int soq_harden(const struct soq_policy *policy, uint32_t *gaps_out)
{
	uint32_t gaps = SOQ_HARDEN_ADDRESSES | SOQ_HARDEN_OTHERS | SOQ_HARDEN_ACCEPT |
			SOQ_HARDEN_THREADS;
	struct ports *ports;
	int error = 0;

	if (policy == NULL || gaps_out == NULL)
		return -EINVAL;
	ports = calloc(1, sizeof(*ports));
	if (ports == NULL)
		return -ENOMEM;
	ports_find(ports, policy, SOQ_POLICY_CONNECT, ACCESS_CONNECT_TCP);
	ports_find(ports, policy, SOQ_POLICY_BIND, ACCESS_BIND_TCP);
	if (!(ports->handled & ACCESS_CONNECT_TCP))
		gaps |= SOQ_HARDEN_CONNECT;
	if (!(ports->handled & ACCESS_BIND_TCP))
		gaps |= SOQ_HARDEN_BIND;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, GET_ABI) < NET_SINCE_ABI)
		gaps |= SOQ_HARDEN_NOTHING | SOQ_HARDEN_CONNECT | SOQ_HARDEN_BIND;
	else if (ports->handled != 0)
		error = wall(ports);
	free(ports);
	if (error == 0)
		*gaps_out = gaps;
	return error;
}
