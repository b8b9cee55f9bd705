/* SPDX-License-Identifier: MIT */
/* What a policy must say, in its shortest form. */
#include "policy_plain.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What an address leads to. */
struct view {
	struct address address;
	bool every;   /* all addresses of the family, not this one */
	bool is_seen; /* has to be allowed, not only not denied */
};

struct views {
	struct view views[16];
	unsigned count;
};

static void view_add(struct views *v, const struct address *address, bool every, bool is_seen)
{
	assert_true(v->count < ARRAY_SIZE(v->views));
	v->views[v->count++] = (struct view){ *address, every, is_seen };
}

static bool begins(const uint8_t *bytes, const char *with, unsigned count)
{
	return memcmp(bytes, with, count) == 0;
}

static void view_ipv4(struct views *v, const uint8_t bytes[4], bool binds)
{
	struct address address = { .family = AF_INET };
	const struct address loopback = { AF_INET, { 127, 0, 0, 1 } };
	bool is_zero = begins(bytes, "\0\0\0\0", 4);

	memcpy(address.bytes, bytes, 4);
	view_add(v, &address, false, !is_zero || binds);
	if (is_zero && binds)
		view_add(v, &address, true, false);
	else if (is_zero)
		view_add(v, &loopback, false, true);
}

static void view_ipv6_zero(struct views *v, const struct address *address, bool binds)
{
	const struct address loopback = { .family = AF_INET6, .bytes[15] = 1 };
	const struct address inside = { AF_INET, { 127, 0, 0, 1 } };

	view_add(v, address, false, binds);
	if (binds) {
		view_add(v, address, true, false);
		view_ipv4(v, address->bytes, true);
		return;
	}
	view_add(v, &loopback, false, true);
	view_add(v, &inside, false, false);
}

static void view_nat64_local(struct views *v, const uint8_t *b, bool binds)
{
	static const uint8_t at[][4] = { { 6, 7, 9, 10 },
					 { 7, 9, 10, 11 },
					 { 9, 10, 11, 12 },
					 { 12, 13, 14, 15 } };

	for (unsigned i = 0; i < 4; i++) {
		uint8_t inside[4] = { b[at[i][0]], b[at[i][1]], b[at[i][2]], b[at[i][3]] };

		if (inside[0] != 0)
			view_ipv4(v, inside, binds);
	}
}

static void view_ipv6(struct views *v, const struct address *address, bool binds)
{
	const uint8_t *b = address->bytes;

	if (begins(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15) && b[15] == 0) {
		view_ipv6_zero(v, address, binds);
		return;
	}
	if (begins(b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12)) {
		view_add(v, address, false, false);
		view_ipv4(v, b + 12, binds);
		return;
	}
	view_add(v, address, false, true);
	if (begins(b, "\0\0\0\0\0\0\0\0\0\0\0\0", 12) && !begins(b + 12, "\0\0\0\1", 4))
		view_ipv4(v, b + 12, binds);
	if (begins(b, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12))
		view_ipv4(v, b + 12, binds);
	if (begins(b, "\0\0\0\0\0\0\0\0\xff\xff\0\0", 12))
		view_ipv4(v, b + 12, binds);
	if (begins(b + 8, "\0\0\x5e\xfe", 4) || begins(b + 8, "\2\0\x5e\xfe", 4))
		view_ipv4(v, b + 12, binds);
	if (begins(b, "\0\x64\xff\x9b\0\1", 6))
		view_nat64_local(v, b, binds);
	if (begins(b, "\x20\x02", 2))
		view_ipv4(v, b + 2, binds);
	if (begins(b, "\x20\x01\0\0", 4)) {
		uint8_t client[4] = { (uint8_t)~b[12], (uint8_t)~b[13], (uint8_t)~b[14],
				      (uint8_t)~b[15] };

		view_ipv4(v, b + 4, binds);
		view_ipv4(v, client, binds);
	}
}

static bool bit(const struct address *address, unsigned at)
{
	return (address->bytes[at / 8] >> (7 - at % 8)) & 1;
}

bool plain_is_within(const struct address *address, const struct plain_rule *rule)
{
	for (unsigned i = 0; i < rule->bits; i++)
		if (bit(address, i) != bit(&rule->address, i))
			return false;
	return address->family == rule->address.family;
}

static bool is_within(const struct view *view, const struct plain_rule *rule)
{
	if (rule->address.family == 0)
		return true;
	if (view->every)
		return view->address.family == rule->address.family;
	return plain_is_within(&view->address, rule);
}

static bool is_about(const struct plain_rule *rule, const struct question *q)
{
	bool all = rule->port_first == 0 && (rule->port_last == 0 || rule->port_last == 65535);

	if (!(rule->what & q->what) || !(rule->transports & q->transport))
		return false;
	if (all)
		return true;
	if (q->transport == SOQ_POLICY_RAW)
		return rule->denies;
	if (q->what == SOQ_POLICY_BIND && q->port == 0)
		return rule->denies ? rule->port_first <= 60999 && rule->port_last >= 32768
				    : rule->port_first <= 32768 && rule->port_last >= 60999;
	return q->port >= rule->port_first && q->port <= rule->port_last;
}

static unsigned find(const struct plain_policy *p, const struct question *q,
		     const struct view *view, bool denies)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->rules[i].denies == denies && is_about(&p->rules[i], q) &&
		    is_within(view, &p->rules[i]))
			return i + 1;
	return 0;
}

int plain_judge(const struct plain_policy *p, const struct question *q, unsigned *rule_out)
{
	bool binds = q->what == SOQ_POLICY_BIND;
	struct views v = { .count = 0 };
	unsigned denied = 0;

	if (q->address.family == AF_INET)
		view_ipv4(&v, q->address.bytes, binds);
	else
		view_ipv6(&v, &q->address, binds);
	for (unsigned i = 0; i < v.count; i++) {
		unsigned rule = find(p, q, &v.views[i], true);

		if (rule != 0 && (denied == 0 || rule < denied))
			denied = rule;
	}
	*rule_out = denied;
	if (denied != 0)
		return -EACCES;
	for (unsigned i = 0; i < v.count && !p->allows; i++)
		if (v.views[i].is_seen && find(p, q, &v.views[i], false) == 0)
			return -EACCES;
	return 0;
}
