/* SPDX-License-Identifier: MIT */
/* The second matcher of policies: it looks at every rule, bit by bit. For unit_policy.c. */
#ifndef SOQ_TESTS_POLICY_PLAIN_H
#define SOQ_TESTS_POLICY_PLAIN_H

#include <soq/policy.h>

#include <arpa/inet.h>
#include <stdbool.h>

#define RULES_MAX 12
#define PLACE_MAX (INET6_ADDRSTRLEN + 8)

struct address {
	int family;
	uint8_t bytes[16]; /* IPv4 has the first four */
};

/* A rule as the second matcher has it; `family` 0 is everywhere. */
struct plain_rule {
	struct address address;
	unsigned bits;
	bool denies;
	uint32_t what, transports, port_first, port_last;
	char place[PLACE_MAX];
};

struct plain_policy {
	struct plain_rule rules[RULES_MAX];
	unsigned count;
	bool allows;
};

struct question {
	uint32_t what, transport;
	struct address address;
	unsigned port;
};

/* Whether a rule's prefix has the address. */
bool plain_is_within(const struct address *address, const struct plain_rule *rule);
/* 0, or -EACCES and the rule: the first that denies, or 0. */
int plain_judge(const struct plain_policy *p, const struct question *q, unsigned *rule_out);

#endif
