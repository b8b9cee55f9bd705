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
#define ACCESS_BIND_TCP    1u
#define ACCESS_CONNECT_TCP 2u

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

/* Rules that deny some places alone leave their ports to the policy. */
static bool is_about_ports(const struct soqi_rule *rule, uint32_t what)
{
	return (rule->what & what) && (rule->transports & SOQ_POLICY_TCP) &&
	       (rule->denies ? rule->place == SOQI_PLACE_ANY : is_tcp_place(rule->place));
}

/* The ports that a set allows somewhere. Its rules that deny are behind those that allow. */
static void open_find(struct ports *ports, const struct soqi_rules *set, uint32_t what)
{
	memset(ports->open, set->allows, sizeof(ports->open));
	for (uint32_t i = 0; i < set->count; i++) {
		const struct soqi_rule *rule = &set->rules[i];
		uint32_t last = rule->port_last < PORTS ? rule->port_last : PORTS - 1;

		if (is_about_ports(rule, what))
			memset(ports->open + rule->port_first, !rule->denies,
			       (size_t)last - rule->port_first + 1);
	}
}

static bool all_open(const uint8_t *ports, uint32_t first, uint32_t last, uint8_t access)
{
	for (uint32_t port = first; port <= last; port++)
		if ((ports[port] & access) == 0)
			return false;
	return true;
}

/* What all of the policy's sets allow. */
static void ports_find(struct ports *ports, const struct soq_policy *policy, uint32_t what,
		       uint8_t access)
{
	for (uint32_t port = 0; port < PORTS; port++)
		ports->allowed[port] |= access;
	for (uint32_t i = 0; i < policy->count; i++) {
		open_find(ports, policy->set[i].rules, what);
		if (all_open(ports->open, 1, PORTS - 1, 1))
			continue;
		ports->handled |= access;
		for (uint32_t port = 0; port < PORTS; port++)
			if (!ports->open[port])
				ports->allowed[port] &= (uint8_t)~access;
	}
	/* Of a bind 0 is the kernel's choice. */
	if (what == SOQ_POLICY_BIND &&
	    all_open(ports->allowed, SOQI_CHOSEN_FIRST, SOQI_CHOSEN_LAST, access))
		ports->allowed[0] |= access;
	else if (what == SOQ_POLICY_BIND)
		ports->allowed[0] &= (uint8_t)~access;
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
