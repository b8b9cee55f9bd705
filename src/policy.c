/* SPDX-License-Identifier: MIT */
/* Policies: made, held, narrowed. */
#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first releases' sizes: a program built against them must go on working. */
#define ERROR_SIZE_MIN sizeof(struct soq_policy_error)

/* The longest place is a path with every byte escaped. */
#define PLACE_MAX SOQ_POLICY_LINE_MAX

static int fault(struct soq_policy_error *error_out, size_t rule, const char *text)
{
	if (error_out != NULL) {
		struct soq_policy_error error = { .size = error_out->size,
						  .line = (uint32_t)rule,
						  .text = text };

		memcpy(error_out, &error, error_out->size);
	}
	return -EINVAL;
}

/* Which transports have the place. */
static uint32_t transports_of(enum soqi_place place)
{
	switch (place) {
	case SOQI_PLACE_IPV4:
	case SOQI_PLACE_IPV6:
	case SOQI_PLACE_NAME:
		return SOQ_POLICY_TCP | SOQ_POLICY_UDP | SOQ_POLICY_RAW | SOQ_POLICY_OTHER;
	case SOQI_PLACE_PATH:
	case SOQI_PLACE_ABSTRACT:
	case SOQI_PLACE_ABSTRACT_PREFIX:
		return SOQ_POLICY_UNIX;
	case SOQI_PLACE_VSOCK:
		return SOQ_POLICY_VSOCK;
	default:
		return SOQ_POLICY_ANY;
	}
}

static const char *place_check(const struct soqi_rule *rule)
{
	uint32_t transports = transports_of(rule->place);

	if (rule->transports != SOQ_POLICY_ANY && (rule->transports & ~transports) != 0)
		return "a place that the transport does not have";
	if (rule->place == SOQI_PLACE_NAME && !(rule->what & SOQ_POLICY_CONNECT))
		return "a name, which only a connect can have";
	return NULL;
}

static const char *ports_check(const struct soq_policy_rule *from, struct soqi_rule *rule)
{
	bool wide = rule->transports == SOQ_POLICY_VSOCK;

	if (from->port_first > from->port_last)
		return "the first port is above the last";
	if (!wide && from->port_last > UINT16_MAX)
		return "a port above 65535";
	rule->all_ports = (from->port_first == 0 && from->port_last == 0) ||
			  (from->port_first == 0 &&
			   from->port_last >= (wide ? UINT32_MAX : UINT16_MAX));
	rule->port_first = from->port_first;
	rule->port_last = rule->all_ports ? UINT32_MAX : from->port_last;
	return NULL;
}

/* Compiles one rule; `room` gets its text. NULL, or what is wrong. */
static const char *rule_read(const struct soq_policy_rule *from, struct soqi_rule *rule, char *room)
{
	const char *wrong;

	if (from->verdict != SOQ_POLICY_ALLOW && from->verdict != SOQ_POLICY_DENY)
		return "neither allow nor deny";
	if (from->what == 0 || (from->what & ~SOQ_POLICY_ALL) != 0)
		return "nothing that is known to be done";
	if (from->transports == 0 || (from->transports & ~SOQ_POLICY_ANY) != 0)
		return "no known transport";
	if (from->reserved0 != 0 || from->reserved[0] != 0 || from->reserved[1] != 0)
		return "a reserved word is not 0";
	rule->denies = from->verdict == SOQ_POLICY_DENY;
	rule->what = (uint8_t)from->what;
	rule->transports = (uint8_t)from->transports;
	if (from->place != NULL && strnlen(from->place, PLACE_MAX + 1) > PLACE_MAX)
		return "a place that is too long";
	wrong = soqi_place_read(from->place != NULL ? from->place : "*", rule, room);
	if (wrong == NULL)
		wrong = place_check(rule);
	return wrong != NULL ? wrong : ports_check(from, rule);
}

static int by_place(const void *a, const void *b)
{
	const struct soqi_rule *x = a;
	const struct soqi_rule *y = b;

	if (x->denies != y->denies)
		return x->denies < y->denies ? -1 : 1;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void sort(struct soqi_rules *set)
{
	uint32_t at = 0;

	if (set->count > 0)
		qsort(set->rules, set->count, sizeof(*set->rules), by_place);
	for (unsigned denies = 0; denies < 2; denies++)
		for (unsigned place = 0; place <= SOQI_PLACE_COUNT; place++) {
			set->from[denies][place] = at;
			while (place < SOQI_PLACE_COUNT && at < set->count &&
			       set->rules[at].denies == denies && set->rules[at].place == place)
				at++;
		}
}

static void rules_release(struct soqi_rules *set)
{
	if (set == NULL || atomic_fetch_sub(&set->holders, 1) > 1)
		return;
	free(set->texts);
	free(set->rules);
	free(set);
}

static size_t texts_size(const struct soq_policy_rule *rules, size_t count)
{
	size_t sum = 1;

	for (size_t i = 0; i < count; i++)
		if (rules[i].place != NULL)
			sum += strnlen(rules[i].place, PLACE_MAX) + 1;
	return sum;
}

/* A set with room for everything and nothing in it. */
static struct soqi_rules *rules_alloc(const struct soq_policy_rule *rules, size_t count)
{
	struct soqi_rules *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	atomic_init(&set->holders, 1);
	set->rules = calloc(count > 0 ? count : 1, sizeof(*set->rules));
	set->texts = malloc(texts_size(rules, count));
	if (set->rules != NULL && set->texts != NULL)
		return set;
	rules_release(set);
	return NULL;
}

static struct soq_policy *policy_of(struct soqi_rules *set)
{
	struct soq_policy *policy = calloc(1, sizeof(*policy));

	if (policy == NULL)
		return NULL;
	atomic_init(&policy->holders, 1);
	policy->set[0].rules = set;
	policy->count = 1;
	return policy;
}

static bool error_size_valid(const struct soq_policy_error *error_out)
{
	return error_out == NULL ||
	       (error_out->size >= ERROR_SIZE_MIN && error_out->size <= sizeof(*error_out));
}

int soq_policy_create(const struct soq_policy_rule *rules, size_t rule_count,
		      enum soq_policy_verdict otherwise, struct soq_policy_error *error_out,
		      struct soq_policy **policy_out)
{
	struct soqi_rules *set;
	size_t used = 0;

	if (policy_out == NULL || (rules == NULL && rule_count > 0) || !error_size_valid(error_out))
		return -EINVAL;
	if (otherwise != SOQ_POLICY_ALLOW && otherwise != SOQ_POLICY_DENY)
		return fault(error_out, 0, "no default");
	if (rule_count > SOQ_POLICY_RULES_MAX) {
		(void)fault(error_out, 0, "too many rules");
		return -E2BIG;
	}
	set = rules_alloc(rules, rule_count);
	if (set == NULL)
		return -ENOMEM;
	set->allows = otherwise == SOQ_POLICY_ALLOW;
	for (; set->count < rule_count; set->count++) {
		struct soqi_rule *rule = &set->rules[set->count];
		const char *wrong = rule_read(&rules[set->count], rule, set->texts + used);

		if (wrong != NULL) {
			(void)fault(error_out, set->count + (size_t)1, wrong);
			rules_release(set);
			return -EINVAL;
		}
		rule->number = set->count + 1;
		used += rule->length;
	}
	sort(set);
	*policy_out = policy_of(set);
	if (*policy_out != NULL)
		return 0;
	rules_release(set);
	return -ENOMEM;
}

struct soq_policy *soq_policy_retain(struct soq_policy *policy)
{
	if (policy != NULL)
		(void)atomic_fetch_add(&policy->holders, 1);
	return policy;
}

void soq_policy_release(struct soq_policy *policy)
{
	if (policy == NULL || atomic_fetch_sub(&policy->holders, 1) > 1)
		return;
	for (uint32_t i = 0; i < policy->count; i++)
		rules_release(policy->set[i].rules);
	free(policy);
}

bool soqi_policy_has(const struct soq_policy *policy, const struct soqi_rules *rules)
{
	for (uint32_t i = 0; i < policy->count; i++)
		if (policy->set[i].rules == rules)
			return true;
	return false;
}

bool soqi_policy_within(const struct soq_policy *policy, const struct soq_policy *outer)
{
	for (uint32_t i = 0; outer != NULL && i < outer->count; i++)
		if (policy == NULL || !soqi_policy_has(policy, outer->set[i].rules))
			return false;
	return true;
}

/* Appends what `to` does not have; its numbers stay what they were in `from`. */
static int append(struct soq_policy *to, const struct soq_policy *from, uint32_t before)
{
	for (uint32_t i = 0; i < from->count; i++) {
		if (soqi_policy_has(to, from->set[i].rules))
			continue;
		if (to->count == SOQ_POLICY_SETS_MAX)
			return -E2BIG;
		to->set[to->count] = from->set[i];
		to->set[to->count++].before += before;
		(void)atomic_fetch_add(&from->set[i].rules->holders, 1);
	}
	return 0;
}

int soq_policy_narrow(struct soq_policy *a, struct soq_policy *b, struct soq_policy **policy_out)
{
	struct soq_policy *both;
	int error;

	if (a == NULL || b == NULL || policy_out == NULL)
		return -EINVAL;
	both = calloc(1, sizeof(*both));
	if (both == NULL)
		return -ENOMEM;
	atomic_init(&both->holders, 1);
	error = append(both, a, 0);
	if (error == 0) {
		uint32_t before = a->set[a->count - 1].before + a->set[a->count - 1].rules->count;

		error = append(both, b, before);
	}
	if (error != 0)
		soq_policy_release(both);
	else
		*policy_out = both;
	return error;
}
