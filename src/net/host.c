/* SPDX-License-Identifier: MIT */
/*
 * What a host may be. Whatever is not plainly an address or a name is refused here, before
 * the resolver sees it: what it makes of odd texts (`127.1`, a cut name) is how filters are
 * passed by.
 */
#include "name.h"

#include <stdio.h>
#include <string.h>

/* By value, whatever the locale says of letters. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* 0, or why the text is no name. */
static int name_check(const char *text, size_t size_bytes)
{
	size_t label_bytes = 0;

	for (size_t i = 0; i < size_bytes; i++) {
		char c = text[i];

		if (c == '.') {
			if (label_bytes == 0)
				return -EINVAL;
			label_bytes = 0;
			continue;
		}
		if (!is_digit(c) && !is_letter(c) && c != '-' && c != '_')
			return -EINVAL;
		if (++label_bytes > SOQI_LABEL_MAX)
			return -ENAMETOOLONG;
	}
	return 0;
}

/* Whether the last label is a number: then the C library may take it all for IPv4. */
static bool ends_in_number(const char *text, size_t size_bytes)
{
	bool (*is_part)(char c) = is_digit;
	size_t begin, end = size_bytes;

	if (text[end - 1] == '.')
		end--;
	for (begin = end; begin > 0 && text[begin - 1] != '.'; begin--)
		;
	if (end - begin >= 2 && text[begin] == '0' && (text[begin + 1] | 0x20) == 'x') {
		is_part = is_hex;
		begin += 2;
	}
	for (; begin < end; begin++)
		if (!is_part(text[begin]))
			return false;
	return true;
}

/* Reads the text of an address, which takes a port and around IPv6 brackets. */
static int address_read(const char *before, const char *text, size_t size_bytes, const char *after,
			struct soq_endpoint *ep)
{
	char line[SOQI_NAME_MAX + sizeof("[]:0")];

	(void)snprintf(line, sizeof(line), "%s%.*s%s", before, (int)size_bytes, text, after);
	return soq_endpoint_parse(line, ep);
}

int soqi_host_read(const char *text, size_t size_bytes, struct soqi_host *host)
{
	int error;

	*host = (struct soqi_host){ 0 };
	if (text == NULL || size_bytes == 0)
		return -EINVAL;
	if (size_bytes > SOQI_NAME_MAX)
		return -ENAMETOOLONG;
	if (memchr(text, '\0', size_bytes) != NULL)
		return -EINVAL;
	if (text[0] == '[' && text[size_bytes - 1] == ']')
		return address_read("", text, size_bytes, ":0", &host->address);
	if (memchr(text, ':', size_bytes) != NULL)
		return address_read("[", text, size_bytes, "]:0", &host->address);
	error = name_check(text, size_bytes);
	if (error != 0)
		return error;
	if (ends_in_number(text, size_bytes))
		return address_read("", text, size_bytes, ":0", &host->address);
	memcpy(host->name, text, size_bytes);
	return 0;
}

bool soqi_is_wildcard(const struct soq_endpoint *ep)
{
	struct soq_endpoint plain;

	if (soq_endpoint_to_ipv4(ep, &plain) != 0)
		plain = *ep;
	return plain.addr.any.sa_family == AF_INET
		       ? plain.addr.ipv4.sin_addr.s_addr == htonl(INADDR_ANY)
		       : IN6_IS_ADDR_UNSPECIFIED(&plain.addr.ipv6.sin6_addr);
}

bool soqi_endpoint_take(const struct sockaddr *addr, int family, uint16_t port,
			struct soq_endpoint *ep_out)
{
	bool is_ipv4 = addr->sa_family == AF_INET;
	uint32_t size_bytes = is_ipv4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	if ((!is_ipv4 && addr->sa_family != AF_INET6) ||
	    (family != AF_UNSPEC && family != addr->sa_family) ||
	    soq_endpoint_from(addr, size_bytes, ep_out) != 0)
		return false;
	if (is_ipv4)
		ep_out->addr.ipv4.sin_port = htons(port);
	else
		ep_out->addr.ipv6.sin6_port = htons(port);
	return true;
}
