/* SPDX-License-Identifier: MIT */
/* Endpoints and their text: the strict parser, and what writes what it reads. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX   65535
#define FAMILY_MAX UINT16_MAX

bool soqi_text_decimal(const char *text, size_t length, uint64_t max, uint64_t *value_out)
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

	if (soqi_text_decimal(text, length, UINT32_MAX, &number)) {
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

static int parse_ip(const char *text, struct soq_endpoint *ep)
{
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (colon == NULL || !soqi_text_decimal(colon + 1, strlen(colon + 1), PORT_MAX, &port))
		return -EINVAL;
	if (text[0] != '[')
		return parse_ipv4(text, (size_t)(colon - text), port, ep);
	if (colon[-1] != ']')
		return -EINVAL;
	return parse_ipv6(text + 1, (size_t)(colon - text) - 2, port, ep);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int soqi_text_hex(const char *text)
{
	int high = hex_digit(text[0]);
	int low = high < 0 ? -1 : hex_digit(text[1]);

	return low < 0 ? -1 : high << 4 | low;
}

/*
 * The bytes that an escaped name stands for, and how many; -EINVAL if it is
 * none. Those that have no room are checked and counted all the same.
 */
static int unescape(const char *text, enum soqi_unix_form form, unsigned char *bytes,
		    size_t bytes_max, size_t *count_out)
{
	size_t count = 0;

	while (*text != '\0') {
		int byte = (unsigned char)*text++;

		if (byte == '\\') {
			byte = *text == 'x' ? soqi_text_hex(text + 1) : -1;
			if (byte < 0 || (byte == 0 && form == SOQI_UNIX_PATH))
				return -EINVAL;
			text += 3;
		} else if (byte < 0x20 || byte == 0x7f) {
			return -EINVAL;
		}
		if (count < bytes_max)
			bytes[count] = (unsigned char)byte;
		count++;
	}
	*count_out = count;
	return 0;
}

/* `text` is what stands behind "unix:". */
static int parse_unix(const char *text, struct soq_endpoint *ep)
{
	unsigned char bytes[SOQI_UNIX_NAME_MAX];
	struct soqi_unix_name name = { .form = SOQI_UNIX_PATH, .bytes = bytes };
	int error;

	if (text[0] == '\0') {
		name.form = SOQI_UNIX_UNNAMED;
	} else if (text[0] == '@') {
		name.form = SOQI_UNIX_ABSTRACT;
		text++;
	} else if (strncmp(text, "./@", 3) == 0) {
		text += 2;
	}
	error = unescape(text, name.form, bytes, sizeof(bytes), &name.size_bytes);
	return error != 0 ? error : soqi_endpoint_unix_make(&name, ep);
}

/* `text` is what stands behind "family-". */
static int parse_other(const char *text, struct soq_endpoint *ep)
{
	struct sockaddr_storage addr = { 0 };
	unsigned char *bytes = (unsigned char *)&addr;
	const char *colon = strchr(text, ':');
	size_t count = sizeof(addr.ss_family);
	uint64_t family;

	if (colon == NULL || !soqi_text_decimal(text, (size_t)(colon - text), FAMILY_MAX, &family))
		return -EINVAL;
	for (text = colon + 1; *text != '\0'; text += 2) {
		int byte = soqi_text_hex(text);

		if (byte < 0)
			return -EINVAL;
		if (count < sizeof(addr))
			bytes[count] = (unsigned char)byte;
		count++;
	}
	if (family > FAMILY_MAX)
		return -ERANGE;
	if (count > sizeof(addr))
		return -ENAMETOOLONG;
	addr.ss_family = (sa_family_t)family;
	return soq_endpoint_from((const struct sockaddr *)&addr, (uint32_t)count, ep);
}

/* What stands behind `prefix` in `text`, or NULL. */
static const char *behind(const char *prefix, const char *text)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

int soq_endpoint_parse(const char *text, struct soq_endpoint *ep_out)
{
	struct soq_endpoint ep = { 0 };
	const char *rest;
	int error;

	if (text == NULL || ep_out == NULL)
		return -EINVAL;
	if ((rest = behind("unix:", text)) != NULL)
		error = parse_unix(rest, &ep);
	else if ((rest = behind("vsock:", text)) != NULL)
		error = soqi_vsock_parse(rest, &ep);
	else if ((rest = behind("packet:", text)) != NULL)
		error = soqi_packet_parse(rest, &ep);
	else if ((rest = behind("family-", text)) != NULL)
		error = parse_other(rest, &ep);
	else
		error = parse_ip(text, &ep);
	if (error == 0)
		*ep_out = ep;
	return error;
}

static size_t format_ipv4(const struct sockaddr_in *addr, char *line)
{
	char address[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &addr->sin_addr, address, sizeof(address));
	return (size_t)snprintf(line, SOQ_ENDPOINT_TEXT_MAX, "%s:%d", address,
				ntohs(addr->sin_port));
}

static size_t format_ipv6(const struct sockaddr_in6 *addr, char *line)
{
	char address[INET6_ADDRSTRLEN];
	char scope[16] = "";

	(void)inet_ntop(AF_INET6, &addr->sin6_addr, address, sizeof(address));
	if (addr->sin6_scope_id != 0)
		(void)snprintf(scope, sizeof(scope), "%%%u", (unsigned)addr->sin6_scope_id);
	return (size_t)snprintf(line, SOQ_ENDPOINT_TEXT_MAX, "[%s%s]:%d", address, scope,
				ntohs(addr->sin6_port));
}

size_t soqi_text_put_hex(unsigned char byte, char *line)
{
	static const char digits[] = "0123456789abcdef";

	line[0] = digits[byte >> 4];
	line[1] = digits[byte & 15];
	return 2;
}

static size_t format_other(int family, const unsigned char *bytes, size_t size_bytes, char *line)
{
	size_t length = (size_t)snprintf(line, SOQ_ENDPOINT_TEXT_MAX, "family-%d:", family);

	for (size_t i = 0; i < size_bytes; i++)
		length += soqi_text_put_hex(bytes[i], line + length);
	return length;
}

static size_t escape(const unsigned char *bytes, size_t size_bytes, char *line)
{
	size_t length = 0;

	for (size_t i = 0; i < size_bytes; i++) {
		if (bytes[i] >= 0x20 && bytes[i] <= 0x7e && bytes[i] != '\\') {
			line[length++] = (char)bytes[i];
			continue;
		}
		line[length++] = '\\';
		line[length++] = 'x';
		length += soqi_text_put_hex(bytes[i], line + length);
	}
	return length;
}

static bool begins_with(const struct soqi_unix_name *name, const char *text)
{
	size_t length = strlen(text);

	return name->size_bytes >= length && memcmp(name->bytes, text, length) == 0;
}

static size_t format_unix(const struct soq_endpoint *ep, char *line)
{
	struct soqi_unix_name name = soqi_endpoint_unix_name(ep);
	const char *head = "unix:";
	size_t written = 0;
	size_t length;

	if (name.form == SOQI_UNIX_ABSTRACT) {
		if (name.size_bytes > SOQI_UNIX_NAME_MAX)
			return format_other(AF_UNIX, name.bytes - 1, name.size_bytes + 1, line);
		head = "unix:@";
	} else if (name.size_bytes > SOQI_UNIX_NAME_MAX) {
		return format_other(AF_UNIX, name.bytes, name.size_bytes, line);
	} else if (begins_with(&name, "@")) {
		head = "unix:./";
	} else if (begins_with(&name, "./@")) {
		/* This one is part of the path: hide the @ that would make it none. */
		head = "unix:./\\x40";
		written = 3;
	}
	length = strlen(head);
	memcpy(line, head, length);
	return length + escape(name.bytes + written, name.size_bytes - written, line + length);
}

int soq_endpoint_format(const struct soq_endpoint *ep, char *text, size_t size_bytes)
{
	char line[SOQ_ENDPOINT_TEXT_MAX];
	int family = soqi_endpoint_family(ep);
	size_t at = sizeof(ep->addr.any.sa_family);
	size_t length = 0;

	if (text == NULL || family < 0)
		return -EINVAL;
	if (family == AF_INET)
		length = format_ipv4(&ep->addr.ipv4, line);
	else if (family == AF_INET6)
		length = format_ipv6(&ep->addr.ipv6, line);
	else if (family == AF_UNIX)
		length = format_unix(ep, line);
	else if (family == AF_VSOCK)
		length = soqi_vsock_format(ep, line);
	else if (family == AF_PACKET)
		length = soqi_packet_format(ep, line);
	/* Another family, or what is no usual address of its own. */
	if (length == 0)
		length = format_other(family, (const unsigned char *)&ep->addr + at,
				      ep->size_bytes - at, line);
	if (length >= size_bytes)
		return -ENOSPC;
	memcpy(text, line, length);
	text[length] = '\0';
	return (int)length;
}
