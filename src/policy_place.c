/* SPDX-License-Identifier: MIT */
/* The places of rules, out of their text. */
#include "endpoint.h"
#include "policy.h"

#include <arpa/inet.h>
#include <string.h>

#define LABEL_MAX 63

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/* What a resolver may take for an address, as the last part of 127.1 and 0x7f000001. */
static bool is_number(const char *label, size_t length)
{
	size_t digits = 0;

	if (length > 1 && label[0] == '0' && label[1] == 'x')
		return true;
	while (digits < length && is_digit(label[digits]))
		digits++;
	return digits == length;
}

bool soqi_name_read(const char *name, size_t length, char *room, uint32_t *length_out)
{
	size_t label = 0;

	if (length > 0 && name[length - 1] == '.')
		length--;
	if (length == 0 || length > SOQI_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];

		room[i] = c;
		if (c == '.') {
			if (i == label)
				return false;
			label = i + 1;
		} else if (!is_name_byte(c) || i - label >= LABEL_MAX) {
			return false;
		}
	}
	*length_out = (uint32_t)length;
	return label < length && !is_number(room + label, length - label);
}

/* The first `bits` bits of `size_bits`, in the lower ones. */
static struct soqi_words mask_of(unsigned bits, unsigned size_bits)
{
	struct soqi_words mask = { 0, 0 };

	if (size_bits == 32) {
		mask.low = bits > 0 ? UINT32_MAX & ~(((uint64_t)1 << (32 - bits)) - 1) : 0;
		return mask;
	}
	if (bits > 0)
		mask.high = bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
	if (bits > 64)
		mask.low = bits >= 128 ? UINT64_MAX : ~(UINT64_MAX >> (bits - 64));
	return mask;
}

/* An endpoint's text around an address is as strict as this has to be. */
static bool address_read(const char *text, size_t length, bool is_ipv6, struct soq_endpoint *ep)
{
	char whole[INET6_ADDRSTRLEN + 8];
	size_t at = 0;

	if (length >= INET6_ADDRSTRLEN || memchr(text, '%', length) != NULL)
		return false;
	if (is_ipv6)
		whole[at++] = '[';
	memcpy(whole + at, text, length);
	at += length;
	if (is_ipv6)
		whole[at++] = ']';
	memcpy(whole + at, ":0", 3);
	return soq_endpoint_parse(whole, ep) == 0;
}

static const char *prefix_read(const char *text, struct soqi_rule *rule)
{
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	bool is_ipv6 = memchr(text, ':', length) != NULL;
	unsigned size_bits = is_ipv6 ? 128 : 32;
	uint64_t bits = size_bits;
	struct soq_endpoint ep;
	const uint8_t *bytes;

	if (!address_read(text, length, is_ipv6, &ep))
		return "no address";
	if (slash != NULL && (!soqi_text_decimal(slash + 1, strlen(slash + 1), size_bits, &bits) ||
			      bits > size_bits))
		return "a prefix that is no number of bits of the address";
	rule->place = is_ipv6 ? SOQI_PLACE_IPV6 : SOQI_PLACE_IPV4;
	rule->ip.mask = mask_of((unsigned)bits, size_bits);
	rule->ip.address = (struct soqi_words){ 0, 0 };
	if (!is_ipv6) {
		rule->ip.address.low = ntohl(ep.addr.ipv4.sin_addr.s_addr);
	} else {
		bytes = ep.addr.ipv6.sin6_addr.s6_addr;
		for (unsigned i = 0; i < 8; i++) {
			rule->ip.address.high = rule->ip.address.high << 8 | bytes[i];
			rule->ip.address.low = rule->ip.address.low << 8 | bytes[i + 8];
		}
	}
	if ((rule->ip.address.high & ~rule->ip.mask.high) != 0 ||
	    (rule->ip.address.low & ~rule->ip.mask.low) != 0)
		return "bits behind the prefix";
	/* A mapped address is the IPv4 one. */
	if (is_ipv6 && bits >= 96 && rule->ip.address.high == 0 &&
	    rule->ip.address.low >> 32 == 0xffff) {
		rule->place = SOQI_PLACE_IPV4;
		rule->ip.mask = mask_of((unsigned)bits - 96, 32);
		rule->ip.address.low &= UINT32_MAX;
	}
	return NULL;
}

/* Four fields, each a number or `*`. */
static const char *wildcard_read(const char *text, struct soqi_rule *rule)
{
	static const char *const wrong = "no IPv4 address with `*` for whole numbers";

	rule->place = SOQI_PLACE_IPV4;
	rule->ip.address = (struct soqi_words){ 0, 0 };
	rule->ip.mask = (struct soqi_words){ 0, 0 };
	for (unsigned i = 0; i < 4; i++) {
		size_t length = strcspn(text, ".");
		uint64_t number = 0;
		bool all = length == 1 && text[0] == '*';

		if (!all && (!soqi_text_decimal(text, length, 255, &number) || number > 255))
			return wrong;
		rule->ip.address.low = rule->ip.address.low << 8 | number;
		rule->ip.mask.low = rule->ip.mask.low << 8 | (all ? 0 : 255u);
		text += length;
		if ((i < 3) != (*text == '.'))
			return wrong;
		if (*text == '.')
			text++;
	}
	return *text == '\0' ? NULL : wrong;
}

static const char *text_keep(struct soqi_rule *rule, enum soqi_place place, const void *bytes,
			     size_t length, char *room)
{
	memcpy(room, bytes, length);
	rule->place = (uint8_t)place;
	rule->text = room;
	rule->length = (uint16_t)length;
	return NULL;
}

static const char *unix_read(const char *text, struct soqi_rule *rule, char *room)
{
	char whole[SOQ_POLICY_LINE_MAX + 1];
	size_t length = strlen(text);
	bool begins = text[5] == '@' && text[length - 1] == '*';
	struct soqi_unix_name name;
	struct soq_endpoint ep;

	memcpy(whole, text, length + 1);
	if (begins)
		whole[length - 1] = '\0';
	if (soq_endpoint_parse(whole, &ep) != 0)
		return "no path and no abstract name";
	name = soqi_endpoint_unix_name(&ep);
	if (name.form == SOQI_UNIX_UNNAMED)
		return "neither a path nor an abstract name";
	if (name.form == SOQI_UNIX_ABSTRACT)
		return text_keep(rule, begins ? SOQI_PLACE_ABSTRACT_PREFIX : SOQI_PLACE_ABSTRACT,
				 name.bytes, name.size_bytes, room);
	if (!soqi_path_is_plain((const char *)name.bytes, name.size_bytes))
		return "a path that is not absolute, or has `.`, `..` or `//`";
	return text_keep(rule, SOQI_PLACE_PATH, name.bytes, name.size_bytes, room);
}

static const char *vsock_read(const char *text, struct soqi_rule *rule)
{
	uint64_t cid;

	if (!soqi_text_decimal(text, strlen(text), UINT32_MAX, &cid) || cid > UINT32_MAX)
		return "no number of a machine";
	rule->place = SOQI_PLACE_VSOCK;
	rule->ip.address = (struct soqi_words){ 0, cid };
	rule->ip.mask = (struct soqi_words){ 0, UINT32_MAX };
	return NULL;
}

const char *soqi_place_read(const char *text, struct soqi_rule *rule, char *room)
{
	uint32_t length;

	rule->length = 0;
	rule->place = SOQI_PLACE_ANY;
	if (strcmp(text, "*") == 0)
		return NULL;
	if (strncmp(text, "unix:", 5) == 0)
		return unix_read(text, rule, room);
	if (strncmp(text, "vsock:", 6) == 0)
		return vsock_read(text + 6, rule);
	if (strchr(text, ':') != NULL || strchr(text, '/') != NULL)
		return prefix_read(text, rule);
	if (text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0')
		return prefix_read(text, rule);
	if (strchr(text, '*') != NULL)
		return wildcard_read(text, rule);
	if (!soqi_name_read(text, strlen(text), room, &length))
		return "no address and no name";
	rule->place = SOQI_PLACE_NAME;
	rule->text = room;
	rule->length = (uint16_t)length;
	return NULL;
}
