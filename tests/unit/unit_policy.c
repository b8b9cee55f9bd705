/* SPDX-License-Identifier: MIT */
/*
 * Policies against a second matcher: at the edges of all special prefixes, what is inside of
 * addresses, and random rules.
 */
#include "policy_plain.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* Special-purpose prefixes, and what holds addresses of the other family. */
static const char *const prefixes[] = {
	"0.0.0.0/8",
	"0.0.0.0/32",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.0.2.0/24",
	"192.31.196.0/24",
	"192.52.193.0/24",
	"192.88.99.0/24",
	"192.168.0.0/16",
	"192.175.48.0/24",
	"198.18.0.0/15",
	"198.51.100.0/24",
	"203.0.113.0/24",
	"224.0.0.0/4",
	"240.0.0.0/4",
	"255.255.255.255/32",
	"::/128",
	"::1/128",
	"::/96",
	"::ffff:0:0/96",
	"::ffff:0:0:0/96",
	"64:ff9b::/96",
	"64:ff9b:1::/48",
	"100::/64",
	"100:0:0:1::/64",
	"2000::/3",
	"2001::/23",
	"2001::/32",
	"2001:1::1/128",
	"2001:2::/48",
	"2001:3::/32",
	"2001:20::/28",
	"2001:db8::/32",
	"2002::/16",
	"2620:4f:8000::/48",
	"3fff::/20",
	"5f00::/16",
	"fc00::/7",
	"fe80::/10",
	"fec0::/10",
	"ff00::/8",
};

static struct address prefix_of(const char *text, unsigned *bits_out)
{
	struct address address = { 0 };
	char head[PLACE_MAX];
	const char *slash = strchr(text, '/');

	memcpy(head, text, (size_t)(slash - text));
	head[slash - text] = '\0';
	address.family = strchr(head, ':') != NULL ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(address.family, head, address.bytes), 1);
	*bits_out = 0;
	for (const char *c = slash + 1; *c != '\0'; c++)
		*bits_out = *bits_out * 10 + (unsigned)(*c - '0');
	return address;
}

static unsigned size_of(const struct address *address)
{
	return address->family == AF_INET ? 4 : 16;
}

static void step(struct address *address, bool up)
{
	for (unsigned i = size_of(address); i-- > 0;) {
		address->bytes[i] = (uint8_t)(address->bytes[i] + (up ? 1 : 255));
		if (address->bytes[i] != (up ? 0 : 255))
			return;
	}
}

/* The addresses at the edges of a prefix: before, first, last, behind. */
static struct address edge(const char *text, unsigned which)
{
	unsigned bits;
	struct address address = prefix_of(text, &bits);

	if (which >= 2)
		for (unsigned i = bits; i < size_of(&address) * 8; i++)
			address.bytes[i / 8] |= (uint8_t)(1u << (7 - i % 8));
	if (which == 0 || which == 3)
		step(&address, which == 3);
	return address;
}

static void put(uint8_t *to, const char *bytes, size_t count)
{
	memcpy(to, bytes, count);
}

/* An address with an IPv4 one inside. */
static struct address holder(uint64_t *chance, const struct address *inside)
{
	struct address address = { .family = AF_INET6 };
	uint8_t *b = address.bytes;

	switch (unit_choose(chance, 8)) {
	case 0:
		put(b + 10, "\xff\xff", 2);
		memcpy(b + 12, inside->bytes, 4);
		break;
	case 1:
		memcpy(b + 12, inside->bytes, 4);
		break;
	case 2:
		put(b, "\0\x64\xff\x9b", 4);
		memcpy(b + 12, inside->bytes, 4);
		break;
	case 3:
		put(b, "\0\x64\xff\x9b\0\1", 6);
		memcpy(b + 9, inside->bytes, 4);
		break;
	case 4:
		put(b, "\x20\x02", 2);
		memcpy(b + 2, inside->bytes, 4);
		b[15] = 1;
		break;
	case 5:
		put(b + 8, "\xff\xff", 2);
		memcpy(b + 12, inside->bytes, 4);
		break;
	case 6:
		put(b, "\x2a\0", 2);
		put(b + 8, unit_choose(chance, 2) ? "\0\0\x5e\xfe" : "\2\0\x5e\xfe", 4);
		memcpy(b + 12, inside->bytes, 4);
		break;
	default:
		put(b, "\x20\x01", 2);
		put(b + 4, "\10\10\10\10", 4);
		for (unsigned i = 0; i < 4; i++)
			b[12 + i] = (uint8_t)~inside->bytes[i];
	}
	return address;
}

static struct address random_address(uint64_t *chance)
{
	struct address address = edge(prefixes[unit_choose(chance, ARRAY_SIZE(prefixes))],
				      unit_choose(chance, 4));

	if (unit_choose(chance, 4) == 0)
		for (unsigned i = unit_choose(chance, 16); i < 16; i++)
			address.bytes[i] = (uint8_t)unit_random(chance);
	if (address.family == AF_INET)
		memset(address.bytes + 4, 0, 12);
	if (address.family == AF_INET && unit_choose(chance, 2))
		address = holder(chance, &address);
	return address;
}

/* Rules about mapped addresses are about IPv4. */
static void mapped_is_ipv4(struct plain_rule *rule)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (rule->address.family != AF_INET6 || rule->bits < 96 ||
	    memcmp(rule->address.bytes, mapped, sizeof(mapped)) != 0)
		return;
	rule->address.family = AF_INET;
	rule->bits -= 96;
	memmove(rule->address.bytes, rule->address.bytes + 12, 4);
}

/* A rule for a prefix, wide or narrow; what lies behind it is cut. */
static void rule_place(uint64_t *chance, struct plain_rule *rule)
{
	unsigned size_bits;
	char text[INET6_ADDRSTRLEN];

	memset(&rule->address, 0, sizeof(rule->address));
	(void)snprintf(rule->place, sizeof(rule->place), "*");
	if (unit_choose(chance, 12) == 0)
		return;
	if (unit_choose(chance, 3) == 0) {
		rule->address = prefix_of(prefixes[unit_choose(chance, ARRAY_SIZE(prefixes))],
					  &rule->bits);
	} else {
		rule->address = random_address(chance);
		rule->bits = unit_choose(chance, size_of(&rule->address) * 8 + 1);
	}
	size_bits = size_of(&rule->address) * 8;
	for (unsigned i = rule->bits; i < size_bits; i++)
		rule->address.bytes[i / 8] &= (uint8_t) ~(1u << (7 - i % 8));
	(void)inet_ntop(rule->address.family, rule->address.bytes, text, sizeof(text));
	(void)snprintf(rule->place, sizeof(rule->place), "%s/%u", text, rule->bits);
	mapped_is_ipv4(rule);
}

static void random_policy(uint64_t *chance, struct plain_policy *p)
{
	static const uint32_t ports[] = { 0, 1, 80, 443, 1024, 32768, 60999, 65535 };

	p->count = unit_choose(chance, RULES_MAX + 1);
	p->allows = unit_choose(chance, 2);
	for (unsigned i = 0; i < p->count; i++) {
		struct plain_rule *rule = &p->rules[i];

		rule->denies = unit_choose(chance, 2);
		rule->what = 1 + unit_choose(chance, SOQ_POLICY_ALL);
		/* TCP, UDP and raw: the others have none of these places. */
		rule->transports = unit_choose(chance, 3) ? 1 + unit_choose(chance, 7) : 0x7f;
		rule->port_first = 0;
		rule->port_last = 0;
		if (unit_choose(chance, 3) == 0) {
			unsigned first = unit_choose(chance, ARRAY_SIZE(ports));

			rule->port_first = ports[first];
			rule->port_last =
				ports[first +
				      unit_choose(chance, (unsigned)ARRAY_SIZE(ports) - first)];
		}
		rule_place(chance, rule);
	}
}

static struct soq_policy *made_of_rules(const struct plain_policy *p)
{
	struct soq_policy_error error = { .size = sizeof(error) };
	struct soq_policy_rule rules[RULES_MAX];
	struct soq_policy *policy = NULL;

	memset(rules, 0, sizeof(rules));
	for (unsigned i = 0; i < p->count; i++) {
		rules[i].verdict = p->rules[i].denies ? SOQ_POLICY_DENY : SOQ_POLICY_ALLOW;
		rules[i].what = p->rules[i].what;
		rules[i].transports = p->rules[i].transports;
		rules[i].port_first = p->rules[i].port_first;
		rules[i].port_last = p->rules[i].port_last;
		rules[i].place = p->rules[i].place;
	}
	if (soq_policy_create(rules, p->count, p->allows ? SOQ_POLICY_ALLOW : SOQ_POLICY_DENY,
			      &error, &policy) != 0)
		fail_msg("rule %u: %s", error.line, error.text);
	return policy;
}

static void list_print(char *text, size_t size, uint32_t bits, const char *const names[])
{
	text[0] = '\0';
	for (unsigned i = 0; names[i] != NULL; i++)
		if (bits & (1u << i))
			(void)snprintf(text + strlen(text), size - strlen(text), "%s%s",
				       text[0] != '\0' ? "," : "", names[i]);
}

static struct soq_policy *made_of_text(const struct plain_policy *p)
{
	static const char *const whats[] = { "connect", "accept", "bind", "send_to", NULL };
	static const char *const transports[] = { "tcp",   "udp",    "raw",   "unix",
						  "vsock", "packet", "other", NULL };
	struct soq_policy_error error = { .size = sizeof(error) };
	struct soq_policy *policy = NULL;
	char text[RULES_MAX * 200 + 20];
	size_t used = 0;

	for (unsigned i = 0; i < p->count; i++) {
		const struct plain_rule *rule = &p->rules[i];
		char what[40], transport[60], ports[24] = "";

		list_print(what, sizeof(what), rule->what, whats);
		list_print(transport, sizeof(transport), rule->transports, transports);
		if (rule->port_last != 0)
			(void)snprintf(ports, sizeof(ports), "%u-%u", rule->port_first,
				       rule->port_last);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s %s %s %s\n",
					 rule->denies ? "deny" : "allow", what, transport,
					 rule->place, ports);
	}
	used += (size_t)snprintf(text + used, sizeof(text) - used, "default %s",
				 p->allows ? "allow" : "deny");
	if (soq_policy_parse(text, used, &error, &policy) != 0)
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	return policy;
}

static struct soq_endpoint endpoint_of(const struct address *address, unsigned port)
{
	struct soq_endpoint ep;

	assert_int_equal(soq_endpoint_any(address->family, (uint16_t)port, &ep), 0);
	if (address->family == AF_INET)
		memcpy(&ep.addr.ipv4.sin_addr, address->bytes, 4);
	else
		memcpy(&ep.addr.ipv6.sin6_addr, address->bytes, 16);
	return ep;
}

static struct question random_question(uint64_t *chance)
{
	static const unsigned ports[] = { 0, 1, 2, 79, 80, 81, 443, 1024, 65535 };

	return (struct question){ .what = 1u << unit_choose(chance, 4),
				  .transport = 1u << unit_choose(chance, 3),
				  .address = random_address(chance),
				  .port = ports[unit_choose(chance, ARRAY_SIZE(ports))] };
}

static int judge(const struct soq_policy *policy, const struct question *q, uint32_t *rule_out)
{
	struct soq_endpoint ep = endpoint_of(&q->address, q->port);

	*rule_out = 0;
	return soq_policy_judge(policy, q->what, q->transport, NULL, &ep, rule_out);
}

static void compare(const struct plain_policy *p, const struct soq_policy *policy,
		    const struct question *q, unsigned round)
{
	char text[INET6_ADDRSTRLEN];
	unsigned wanted_rule;
	uint32_t rule;
	int wanted = plain_judge(p, q, &wanted_rule);
	int result = judge(policy, q, &rule);

	if (result == wanted && (result == 0 || rule == wanted_rule))
		return;
	(void)inet_ntop(q->address.family, q->address.bytes, text, sizeof(text));
	for (unsigned i = 0; i < p->count; i++)
		print_error("%u: %s what %x transports %x %s %u-%u\n", i + 1,
			    p->rules[i].denies ? "deny" : "allow", p->rules[i].what,
			    p->rules[i].transports, p->rules[i].place, p->rules[i].port_first,
			    p->rules[i].port_last);
	fail_msg("round %u: %s port %u what %x transport %x: %d by %u, not %d by %u", round, text,
		 q->port, q->what, q->transport, result, rule, wanted, wanted_rule);
}

static void random_rules_judge_as_the_plain_matcher_does(void **state)
{
	static const unsigned rounds = 2000, questions = 40;
	uint64_t chance = 22;
	unsigned refused = 0;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		struct plain_policy p;
		struct soq_policy *policy;

		random_policy(&chance, &p);
		policy = i % 2 ? made_of_text(&p) : made_of_rules(&p);
		for (unsigned k = 0; k < questions; k++) {
			struct question q = random_question(&chance);
			uint32_t rule;

			compare(&p, policy, &q, i);
			refused += judge(policy, &q, &rule) != 0;
		}
		soq_policy_release(policy);
	}
	/* It is about both answers. */
	assert_true(refused > rounds * questions / 5 && refused < rounds * questions / 5 * 4);
}

/* A rule for each special prefix by itself: all that is beside it, and inside of others. */
static void each_prefix_ends_where_it_ends(void **state)
{
	struct plain_policy p = { .count = 1 };

	(void)state;
	p.rules[0].what = SOQ_POLICY_ALL;
	p.rules[0].transports = SOQ_POLICY_ANY;
	for (unsigned i = 0; i < ARRAY_SIZE(prefixes) * 2; i++) {
		struct soq_policy *policy;
		struct plain_rule *rule = &p.rules[0];

		p.allows = i % 2;
		rule->denies = i % 2;
		(void)snprintf(rule->place, sizeof(rule->place), "%s", prefixes[i / 2]);
		rule->address = prefix_of(prefixes[i / 2], &rule->bits);
		mapped_is_ipv4(rule);
		policy = made_of_text(&p);
		for (unsigned k = 0; k < ARRAY_SIZE(prefixes) * 16; k++) {
			struct question q = { .what = 1u << (k / 4 % 4),
					      .transport = SOQ_POLICY_TCP,
					      .address = edge(prefixes[k / 16], k % 4),
					      .port = 80 };

			compare(&p, policy, &q, i);
		}
		soq_policy_release(policy);
	}
}

static void narrowed_allows_what_both_allow(void **state)
{
	uint64_t chance = 7;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct plain_policy p[2];
		struct soq_policy *of[2], *both = NULL;

		for (unsigned k = 0; k < 2; k++) {
			random_policy(&chance, &p[k]);
			of[k] = made_of_rules(&p[k]);
		}
		assert_int_equal(soq_policy_narrow(of[0], of[1], &both), 0);
		soq_policy_release(of[0]);
		soq_policy_release(of[1]);
		for (unsigned k = 0; k < 20; k++) {
			struct question q = random_question(&chance);
			unsigned wanted[2];
			int first = plain_judge(&p[0], &q, &wanted[0]);
			int second = plain_judge(&p[1], &q, &wanted[1]);
			uint32_t rule;

			assert_int_equal(judge(both, &q, &rule), first != 0 ? first : second);
			if (first != 0)
				assert_int_equal(rule, wanted[0]);
			else if (second != 0)
				assert_int_equal(rule, wanted[1] != 0 ? wanted[1] + p[0].count : 0);
		}
		soq_policy_release(both);
	}
}

static void only_so_many_can_be_narrowed_into_one(void **state)
{
	struct plain_policy p = { .count = 0, .allows = true };
	struct soq_policy *policy = made_of_rules(&p), *next = NULL, *more = NULL;

	(void)state;
	for (unsigned i = 1; i < SOQ_POLICY_SETS_MAX; i++) {
		more = made_of_rules(&p);
		assert_int_equal(soq_policy_narrow(policy, more, &next), 0);
		soq_policy_release(policy);
		soq_policy_release(more);
		policy = next;
	}
	more = made_of_rules(&p);
	next = NULL;
	assert_int_equal(soq_policy_narrow(policy, more, &next), -E2BIG);
	assert_null(next);
	/* What it has already takes no room. */
	assert_int_equal(soq_policy_narrow(policy, policy, &next), 0);
	soq_policy_release(next);
	soq_policy_release(more);
	soq_policy_release(policy);
}

static bool in_prefix(const struct address *address, const char *text)
{
	struct plain_rule rule = { 0 };

	rule.address = prefix_of(text, &rule.bits);
	return plain_is_within(address, &rule);
}

static bool in_one_of(const struct address *address, const char *const *texts)
{
	for (; *texts != NULL; texts++)
		if (in_prefix(address, *texts))
			return true;
	return false;
}

static bool is_public4(const uint8_t *bytes)
{
	static const char *const special[] = {
		"0.0.0.0/8",      "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",
		"169.254.0.0/16", "172.16.0.0/12",  "192.0.0.0/24",  "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",   NULL,
	};
	struct address address = { .family = AF_INET };

	memcpy(address.bytes, bytes, 4);
	return !in_one_of(&address, special);
}

static bool is_public(const struct address *address)
{
	static const char *const special[] = { "2001::/23", "2001:db8::/32", "3fff::/20", NULL };
	const uint8_t *b = address->bytes;

	if (address->family == AF_INET)
		return is_public4(b);
	if (in_prefix(address, "::ffff:0:0/96") || in_prefix(address, "64:ff9b::/96"))
		return is_public4(b + 12);
	if (in_prefix(address, "2002::/16"))
		return is_public4(b + 2);
	if ((b[8] | 2) == 2 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe && !is_public4(b + 12))
		return false;
	return in_prefix(address, "2000::/3") && !in_one_of(address, special);
}

static void public_only_is_what_the_registries_say(void **state)
{
	/* Corners beside what holds IPv4, which nobody routes: see policy_public.c. */
	static const char *const corners[] = { "::/16", "64::/16", NULL };
	static const char *const inside[] = { "::/96",        "::ffff:0:0/96",  "::ffff:0:0:0/96",
					      "64:ff9b::/96", "64:ff9b:1::/48", NULL };
	struct soq_policy *policy = NULL;
	uint64_t chance = 3;

	(void)state;
	assert_int_equal(soq_policy_public_only(&policy), 0);
	for (unsigned i = 0; i < 20000; i++) {
		struct question q = random_question(&chance);
		bool goes = q.what == SOQ_POLICY_CONNECT || q.what == SOQ_POLICY_SEND_TO;
		char text[INET6_ADDRSTRLEN];
		uint32_t rule;
		int wanted;

		if (i < ARRAY_SIZE(prefixes) * 4)
			q.address = edge(prefixes[i / 4], i % 4);
		wanted = goes && !is_public(&q.address) ? -EACCES : 0;
		if (q.address.family == AF_INET6 && in_one_of(&q.address, corners) &&
		    !in_one_of(&q.address, inside))
			continue;
		if (judge(policy, &q, &rule) == wanted)
			continue;
		(void)inet_ntop(q.address.family, q.address.bytes, text, sizeof(text));
		fail_msg("%s, what %x: not %d, by rule %u", text, q.what, wanted, rule);
	}
	soq_policy_release(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_prefix_ends_where_it_ends),
		cmocka_unit_test(random_rules_judge_as_the_plain_matcher_does),
		cmocka_unit_test(narrowed_allows_what_both_allow),
		cmocka_unit_test(only_so_many_can_be_narrowed_into_one),
		cmocka_unit_test(public_only_is_what_the_registries_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
