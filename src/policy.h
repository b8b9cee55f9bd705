/* SPDX-License-Identifier: MIT */
/* Policies inside: rules as they are compiled, and what is asked of them. */
#ifndef SOQI_POLICY_H
#define SOQI_POLICY_H

#include <soq/policy.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What a place is. Rules are sorted by it: an address looks at those of its own kind. */
enum soqi_place {
	SOQI_PLACE_ANY = 0,
	SOQI_PLACE_IPV4,
	SOQI_PLACE_IPV6,
	SOQI_PLACE_PATH,
	SOQI_PLACE_ABSTRACT,
	SOQI_PLACE_ABSTRACT_PREFIX,
	SOQI_PLACE_VSOCK,
	SOQI_PLACE_NAME,
	SOQI_PLACE_COUNT
};

/* An address of either family as two words; IPv4 and machines' numbers have the second alone. */
struct soqi_words {
	uint64_t high;
	uint64_t low;
};

struct soqi_rule {
	uint32_t number; /* from 1, as they were given */
	uint8_t what;
	uint8_t transports;
	uint8_t place;
	uint8_t denies;
	uint32_t port_first;
	uint32_t port_last;
	bool all_ports;
	uint16_t length; /* of `text` */
	union {
		struct {
			struct soqi_words address;
			struct soqi_words mask;
		} ip;
		const char *text; /* paths and names, without a NUL; names in small letters */
	};
};

/* The rules of one policy as it was made. `from` has where those of each kind begin. */
struct soqi_rules {
	atomic_uint holders;
	uint32_t count;
	bool allows;                            /* where no rule says anything */
	uint32_t from[2][SOQI_PLACE_COUNT + 1]; /* [denies] */
	struct soqi_rule *rules;
	char *texts;
};

struct soq_policy {
	atomic_uint holders;
	uint32_t count; /* of `set` */
	struct {
		struct soqi_rules *rules;
		uint32_t before; /* rules numbered before its own */
	} set[SOQ_POLICY_SETS_MAX];
};

/* How an address counts: see soqi_forms. */
enum soqi_form_use {
	SOQI_FORM_WHOLE = 0, /* a rule has to allow it */
	SOQI_FORM_DENY,      /* another spelling: only denied */
	SOQI_FORM_EVERY,     /* every address of the kind: any rule that denies some denies it */
};

struct soqi_form {
	uint8_t place;
	uint8_t use;
	uint16_t length; /* of a path or an abstract name */
	struct soqi_words words;
	const char *text; /* NULL for a path that may be another's spelling */
};

/* 64:ff9b:1::/48 has the most: itself, and four places that may be one more each. */
#define SOQI_FORMS_MAX 12

/*
 * The ports of which the kernel chooses one where a bind gives none: net.ipv4.ip_local_port_range,
 * as it is unless somebody has changed it, and what is above vsock's reserved ones.
 */
#define SOQI_CHOSEN_FIRST       32768u
#define SOQI_CHOSEN_LAST        60999u
#define SOQI_CHOSEN_VSOCK_FIRST 1024u
#define SOQI_CHOSEN_VSOCK_LAST  (UINT32_MAX - 1)

/* One question, made once and asked of each set. */
struct soqi_question {
	uint32_t what; /* several: what denies any denies it, what allows any allows it */
	uint32_t transport;
	const char *name;
	uint32_t name_length;
	uint32_t port;
	bool has_port;
	bool chooses_port; /* a bind to port 0 */
	bool only_denied;  /* defaults do not count */
	unsigned form_count;
	struct soqi_form forms[SOQI_FORMS_MAX];
};

/* policy_form.c. What `ep` leads to; `dual`: an IPv6 socket that takes IPv4 too. */
void soqi_policy_forms(struct soqi_question *q, const struct soq_endpoint *ep, bool dual);
/* Whether a path can be compared: absolute, and each of its parts goes down. */
bool soqi_path_is_plain(const char *path, size_t length);
/* The bit for a socket. */
uint32_t soqi_policy_transport(int family, int type, int protocol);

/* The longest name of a host. */
#define SOQI_NAME_MAX 253

/* policy_place.c. Reads a rule's place; NULL, or what is wrong with it. */
const char *soqi_place_read(const char *text, struct soqi_rule *rule, char *room);
/* Writes the name in small letters, without a dot at its end. False: it is no name. */
bool soqi_name_read(const char *name, size_t length, char *room, uint32_t *length_out);

/*
 * policy_ask.c. 0 or -EACCES, and then the rule. `q->forms` are made. What `known` (or NULL) has
 * of the policy is not asked.
 */
int soqi_policy_ask(const struct soq_policy *policy, const struct soq_policy *known,
		    const struct soqi_question *q, uint32_t *rule_out);

/* Whether anything at all of `what`, one bit, may be done under it; NULL allows all. */
bool soqi_policy_ever(const struct soq_policy *policy, uint32_t what);

/* policy.c */
bool soqi_policy_has(const struct soq_policy *policy, const struct soqi_rules *rules);
/* Whether all of what `outer` demands `policy` demands as well; NULL demands nothing. */
bool soqi_policy_within(const struct soq_policy *policy, const struct soq_policy *outer);

#endif
