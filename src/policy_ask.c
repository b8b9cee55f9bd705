/* SPDX-License-Identifier: MIT */
/* Policies asked: which rule an address, or a name, meets. */
#include "endpoint.h"
#include "policy.h"

#include <errno.h>
#include <string.h>

static bool text_matches(const struct soqi_rule *rule, const struct soqi_form *form)
{
	size_t length = rule->length;

	/* It may be any path's spelling. */
	if (form->text == NULL)
		return rule->denies;
	if (form->length < length || memcmp(form->text, rule->text, length) != 0)
		return false;
	if (rule->place == SOQI_PLACE_ABSTRACT_PREFIX || form->length == length)
		return true;
	return rule->place == SOQI_PLACE_PATH &&
	       (form->text[length] == '/' || rule->text[length - 1] == '/');
}

static bool place_matches(const struct soqi_rule *rule, const struct soqi_form *form)
{
	switch (rule->place) {
	case SOQI_PLACE_ANY:
		return true;
	case SOQI_PLACE_IPV4:
	case SOQI_PLACE_IPV6:
	case SOQI_PLACE_VSOCK:
		return form->use == SOQI_FORM_EVERY ||
		       ((form->words.high & rule->ip.mask.high) == rule->ip.address.high &&
			(form->words.low & rule->ip.mask.low) == rule->ip.address.low);
	default:
		return text_matches(rule, form);
	}
}

/* The kernel chooses: a rule has to allow each port that it may be, or deny one of them. */
static bool chosen_port_matches(const struct soqi_rule *rule, const struct soqi_question *q)
{
	bool wide = q->transport == SOQ_POLICY_VSOCK;
	uint32_t first = wide ? SOQI_CHOSEN_VSOCK_FIRST : SOQI_CHOSEN_FIRST;
	uint32_t last = wide ? SOQI_CHOSEN_VSOCK_LAST : SOQI_CHOSEN_LAST;

	return rule->denies ? rule->port_first <= last && rule->port_last >= first
			    : rule->port_first <= first && rule->port_last >= last;
}

static bool ports_match(const struct soqi_rule *rule, const struct soqi_question *q)
{
	if (rule->all_ports)
		return true;
	if (!q->has_port)
		return rule->denies;
	if (q->chooses_port)
		return chosen_port_matches(rule, q);
	return q->port >= rule->port_first && q->port <= rule->port_last;
}

static bool rule_is_about(const struct soqi_rule *rule, const struct soqi_question *q)
{
	return (rule->what & q->what) != 0 && (rule->transports & q->transport) != 0 &&
	       ports_match(rule, q);
}

/* The first rule of a kind that matches the form: its number, or 0. */
static uint32_t find_in(const struct soqi_rules *set, const struct soqi_question *q,
			const struct soqi_form *form, bool denies, unsigned place)
{
	const uint32_t *from = set->from[denies];

	for (uint32_t i = from[place]; i < from[place + 1]; i++)
		if (place_matches(&set->rules[i], form) && rule_is_about(&set->rules[i], q))
			return set->rules[i].number;
	return 0;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a != 0 && (b == 0 || a < b) ? a : b;
}

static uint32_t find(const struct soqi_rules *set, const struct soqi_question *q,
		     const struct soqi_form *form, bool denies)
{
	uint32_t found = find_in(set, q, form, denies, SOQI_PLACE_ANY);

	if (form->place != SOQI_PLACE_ANY)
		found = lower(find_in(set, q, form, denies, form->place), found);
	if (form->place == SOQI_PLACE_ABSTRACT)
		found = lower(find_in(set, q, form, denies, SOQI_PLACE_ABSTRACT_PREFIX), found);
	return found;
}

static uint32_t find_name(const struct soqi_rules *set, const struct soqi_question *q, bool denies)
{
	const uint32_t *from = set->from[denies];

	for (uint32_t i = from[SOQI_PLACE_NAME]; i < from[SOQI_PLACE_NAME + 1]; i++) {
		const struct soqi_rule *rule = &set->rules[i];

		if (rule->length == q->name_length &&
		    memcmp(rule->text, q->name, q->name_length) == 0 && rule_is_about(rule, q))
			return rule->number;
	}
	return 0;
}

static int ask_set(const struct soqi_rules *set, const struct soqi_question *q, uint32_t *rule_out)
{
	uint32_t denied = q->name != NULL ? find_name(set, q, true) : 0;

	for (unsigned i = 0; i < q->form_count; i++)
		denied = lower(find(set, q, &q->forms[i], true), denied);
	*rule_out = denied;
	if (denied != 0)
		return -EACCES;
	if (set->allows || q->only_denied || (q->name != NULL && find_name(set, q, false) != 0))
		return 0;
	for (unsigned i = 0; i < q->form_count; i++)
		if (q->forms[i].use == SOQI_FORM_WHOLE && find(set, q, &q->forms[i], false) == 0)
			return -EACCES;
	return 0;
}

int soqi_policy_ask(const struct soq_policy *policy, const struct soq_policy *known,
		    const struct soqi_question *q, uint32_t *rule_out)
{
	for (uint32_t i = 0; i < policy->count; i++) {
		uint32_t rule = 0;

		if (known != NULL && soqi_policy_has(known, policy->set[i].rules))
			continue;
		if (ask_set(policy->set[i].rules, q, &rule) == 0)
			continue;
		*rule_out = rule != 0 ? rule + policy->set[i].before : 0;
		return -EACCES;
	}
	return 0;
}

static bool one_bit(uint32_t bits, uint32_t all)
{
	return bits != 0 && (bits & ~all) == 0 && (bits & (bits - 1)) == 0;
}

int soq_policy_judge(const struct soq_policy *policy, uint32_t what, uint32_t transport,
		     const char *name, const struct soq_endpoint *ep, uint32_t *rule_out)
{
	struct soqi_question q = { .what = what, .transport = transport };
	char room[SOQI_NAME_MAX + 1];
	uint32_t rule = 0;
	int error;

	if (policy == NULL || !one_bit(what, SOQ_POLICY_ALL) || !one_bit(transport, SOQ_POLICY_ANY))
		return -EINVAL;
	if (ep != NULL && (ep->reserved != 0 || soqi_endpoint_family(ep) < 0))
		return -EINVAL;
	if (name != NULL) {
		if (!soqi_name_read(name, strnlen(name, SOQI_NAME_MAX + 2), room, &q.name_length))
			return -EINVAL;
		q.name = room;
	}
	soqi_policy_forms(&q, ep, true);
	if (name != NULL && ep == NULL) {
		q.form_count = 0;
		q.only_denied = true;
	}
	error = soqi_policy_ask(policy, NULL, &q, &rule);
	if (error != 0 && rule_out != NULL)
		*rule_out = rule;
	return error;
}

static bool rules_ever(const struct soqi_rules *rules, uint32_t what)
{
	for (uint32_t i = 0; i < rules->count; i++)
		if (!rules->rules[i].denies && (rules->rules[i].what & what))
			return true;
	return rules->allows;
}

bool soqi_policy_ever(const struct soq_policy *policy, uint32_t what)
{
	for (uint32_t i = 0; policy != NULL && i < policy->count; i++)
		if (!rules_ever(policy->set[i].rules, what))
			return false;
	return true;
}
