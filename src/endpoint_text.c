/* SPDX-License-Identifier: MIT */
/* Endpoints and their text: the strict parser, and what writes what it reads. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535

/*
 * Reads a decimal number without sign or leading zeros that is all of `text`.
 * Returns false if it is none; above `max` it is `max + 1`, however long.
 */
static bool read_decimal(const char *text, size_t length, uint64_t max, uint64_t *value_out)
{
	uint64_t value = 0;

	if (length == 0 || (length > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
		if (value > max)
			value = max + 1;
	}
	*value_out = value;
	return true;
}

/* inet_pton() of the first `length` bytes of `text`. */
static bool read_address(int family, const char *text, size_t length, void *address)
{
	char copy[INET6_ADDRSTRLEN];

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return inet_pton(family, copy, address) == 1;
}

/* What the kernel allows in an interface's name, so anything else is no endpoint. */
static bool is_scope(const char *text, size_t length)
{
	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] == '/' || text[i] == ':' || text[i] == ' ' ||
		    (text[i] >= '\t' && text[i] <= '\r'))
			return false;
	return true;
}

/* The number of the interface that `text` names, or -errno. */
static int find_scope(const char *text, size_t length, uint32_t *scope_out)
{
	char name[IF_NAMESIZE];
	uint64_t number;
	bool found;
	int saved = errno;
	int error;

	if (read_decimal(text, length, UINT32_MAX, &number)) {
		found = number > 0 && number <= UINT32_MAX;
		errno = ENXIO;
		found = found && if_indextoname((unsigned)number, name) != NULL;
	} else {
		if (length >= sizeof(name))
			return -ENODEV;
		memcpy(name, text, length);
		name[length] = '\0';
		number = if_nametoindex(name);
		found = number != 0;
	}
	error = errno;
	errno = saved;
	if (found) {
		*scope_out = (uint32_t)number;
		return 0;
	}
	return error == ENXIO ? -ENODEV : -error;
}

static int parse_ipv4(const char *text, size_t length, uint64_t port, struct soq_endpoint *ep)
{
	ep->size_bytes = sizeof(ep->addr.ipv4);
	ep->addr.ipv4.sin_family = AF_INET;
	ep->addr.ipv4.sin_port = htons((uint16_t)port);
	if (!read_address(AF_INET, text, length, &ep->addr.ipv4.sin_addr))
		return -EINVAL;
	return port > PORT_MAX ? -ERANGE : 0;
}

/* `text` is what stands between the brackets. */
static int parse_ipv6(const char *text, size_t length, uint64_t port, struct soq_endpoint *ep)
{
	const char *percent = memchr(text, '%', length);
	size_t address_length = percent != NULL ? (size_t)(percent - text) : length;
	size_t scope_length = percent != NULL ? length - address_length - 1 : 0;

	ep->size_bytes = sizeof(ep->addr.ipv6);
	ep->addr.ipv6.sin6_family = AF_INET6;
	ep->addr.ipv6.sin6_port = htons((uint16_t)port);
	if (!read_address(AF_INET6, text, address_length, &ep->addr.ipv6.sin6_addr) ||
	    (percent != NULL && !is_scope(percent + 1, scope_length)))
		return -EINVAL;
	if (port > PORT_MAX)
		return -ERANGE;
	if (percent == NULL)
		return 0;
	return find_scope(percent + 1, scope_length, &ep->addr.ipv6.sin6_scope_id);
}

int soq_endpoint_parse(const char *text, struct soq_endpoint *ep_out)
{
	struct soq_endpoint ep = { 0 };
	const char *colon;
	uint64_t port;
	int error;

	if (text == NULL || ep_out == NULL)
		return -EINVAL;
	colon = strrchr(text, ':');
	if (colon == NULL || !read_decimal(colon + 1, strlen(colon + 1), PORT_MAX, &port))
		return -EINVAL;
	if (text[0] != '[')
		error = parse_ipv4(text, (size_t)(colon - text), port, &ep);
	else if (colon[-1] == ']')
		error = parse_ipv6(text + 1, (size_t)(colon - text) - 2, port, &ep);
	else
		error = -EINVAL;
	if (error == 0)
		*ep_out = ep;
	return error;
}

int soq_endpoint_format(const struct soq_endpoint *ep, char *text, size_t size_bytes)
{
	char address[INET6_ADDRSTRLEN];
	char line[SOQ_ENDPOINT_TEXT_MAX];
	char scope[16] = "";
	int family = soqi_endpoint_family(ep);
	int length;

	if (text == NULL)
		return -EINVAL;
	if (family < 0)
		return family;
	if (family == AF_INET) {
		(void)inet_ntop(AF_INET, &ep->addr.ipv4.sin_addr, address, sizeof(address));
		length = snprintf(line, sizeof(line), "%s:%d", address, soq_endpoint_port(ep));
	} else {
		(void)inet_ntop(AF_INET6, &ep->addr.ipv6.sin6_addr, address, sizeof(address));
		if (ep->addr.ipv6.sin6_scope_id != 0)
			(void)snprintf(scope, sizeof(scope), "%%%u",
				       (unsigned)ep->addr.ipv6.sin6_scope_id);
		length = snprintf(line, sizeof(line), "[%s%s]:%d", address, scope,
				  soq_endpoint_port(ep));
	}
	if ((size_t)length >= size_bytes)
		return -ENOSPC;
	memcpy(text, line, (size_t)length + 1);
	return length;
}
