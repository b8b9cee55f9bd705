/* SPDX-License-Identifier: MIT */
/* Endpoints by value: made from what they name, and what they hold. */
#include "endpoint.h"

#include <errno.h>
#include <string.h>

#define UNIX_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

int soqi_endpoint_family(const struct soq_endpoint *ep)
{
	if (ep == NULL || ep->size_bytes > sizeof(ep->addr) ||
	    ep->size_bytes < sizeof(ep->addr.any.sa_family))
		return -EINVAL;
	if (ep->addr.any.sa_family == AF_INET && ep->size_bytes < sizeof(ep->addr.ipv4))
		return -EINVAL;
	if (ep->addr.any.sa_family == AF_INET6 && ep->size_bytes < sizeof(ep->addr.ipv6))
		return -EINVAL;
	return ep->addr.any.sa_family;
}

struct soqi_unix_name soqi_endpoint_unix_name(const struct soq_endpoint *ep)
{
	/* Not sun_path: the kernel tells of paths that fill it with a NUL behind its end. */
	const unsigned char *bytes = (const unsigned char *)&ep->addr + UNIX_PATH_OFFSET;
	size_t size_bytes = ep->size_bytes - UNIX_PATH_OFFSET;
	struct soqi_unix_name name = { SOQI_UNIX_UNNAMED, 0, bytes };

	if (size_bytes == 0)
		return name;
	if (bytes[0] != '\0') {
		name.form = SOQI_UNIX_PATH;
		name.size_bytes = strnlen((const char *)bytes, size_bytes);
	} else {
		name.form = SOQI_UNIX_ABSTRACT;
		name.size_bytes = size_bytes - 1;
		name.bytes = bytes + 1;
	}
	return name;
}

int soqi_endpoint_unix_make(const struct soqi_unix_name *name, struct soq_endpoint *ep_out)
{
	struct soq_endpoint ep = { .size_bytes = UNIX_PATH_OFFSET };

	if (name->size_bytes > SOQI_UNIX_NAME_MAX)
		return -ENAMETOOLONG;
	ep.addr.local.sun_family = AF_UNIX;
	if (name->form != SOQI_UNIX_UNNAMED) {
		size_t at = name->form == SOQI_UNIX_ABSTRACT;

		memcpy(ep.addr.local.sun_path + at, name->bytes, name->size_bytes);
		ep.size_bytes += (uint32_t)name->size_bytes + 1;
	}
	*ep_out = ep;
	return 0;
}

static int make(int family, uint16_t port, const struct in_addr *ipv4, const struct in6_addr *ipv6,
		struct soq_endpoint *ep_out)
{
	struct soq_endpoint ep = { 0 };

	if (ep_out == NULL)
		return -EINVAL;
	if (family == AF_INET) {
		ep.size_bytes = sizeof(ep.addr.ipv4);
		ep.addr.ipv4.sin_family = AF_INET;
		ep.addr.ipv4.sin_port = htons(port);
		ep.addr.ipv4.sin_addr = *ipv4;
	} else if (family == AF_INET6) {
		ep.size_bytes = sizeof(ep.addr.ipv6);
		ep.addr.ipv6.sin6_family = AF_INET6;
		ep.addr.ipv6.sin6_port = htons(port);
		ep.addr.ipv6.sin6_addr = *ipv6;
	} else {
		return -EAFNOSUPPORT;
	}
	*ep_out = ep;
	return 0;
}

int soq_endpoint_loopback(int family, uint16_t port, struct soq_endpoint *ep_out)
{
	const struct in_addr ipv4 = { .s_addr = htonl(INADDR_LOOPBACK) };

	return make(family, port, &ipv4, &in6addr_loopback, ep_out);
}

int soq_endpoint_any(int family, uint16_t port, struct soq_endpoint *ep_out)
{
	const struct in_addr ipv4 = { .s_addr = htonl(INADDR_ANY) };

	return make(family, port, &ipv4, &in6addr_any, ep_out);
}

int soq_endpoint_unix(const char *path, struct soq_endpoint *ep_out)
{
	struct soqi_unix_name name = { .form = SOQI_UNIX_PATH };

	if (path == NULL || ep_out == NULL || path[0] == '\0')
		return -EINVAL;
	name.bytes = (const unsigned char *)path;
	name.size_bytes = strlen(path);
	return soqi_endpoint_unix_make(&name, ep_out);
}

int soq_endpoint_abstract(const void *name, size_t size_bytes, struct soq_endpoint *ep_out)
{
	const struct soqi_unix_name abstract = { SOQI_UNIX_ABSTRACT, size_bytes, name };

	if (name == NULL || ep_out == NULL)
		return -EINVAL;
	return soqi_endpoint_unix_make(&abstract, ep_out);
}

int soq_endpoint_from(const struct sockaddr *addr, uint32_t size_bytes, struct soq_endpoint *ep_out)
{
	struct soq_endpoint ep = { .size_bytes = size_bytes };

	if (addr == NULL || ep_out == NULL || size_bytes > sizeof(ep.addr))
		return -EINVAL;
	memcpy(&ep.addr, addr, size_bytes);
	if (soqi_endpoint_family(&ep) < 0)
		return -EINVAL;
	*ep_out = ep;
	return 0;
}

int soq_endpoint_to_ipv6(const struct soq_endpoint *ep, struct soq_endpoint *ep_out)
{
	int family = soqi_endpoint_family(ep);
	struct soq_endpoint mapped;
	struct in6_addr address = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (ep_out == NULL || family < 0)
		return -EINVAL;
	if (family == AF_INET6) {
		*ep_out = *ep;
		return 0;
	}
	if (family != AF_INET)
		return -EAFNOSUPPORT;
	memcpy(&address.s6_addr[12], &ep->addr.ipv4.sin_addr, 4);
	(void)make(AF_INET6, ntohs(ep->addr.ipv4.sin_port), NULL, &address, &mapped);
	*ep_out = mapped;
	return 0;
}

int soq_endpoint_to_ipv4(const struct soq_endpoint *ep, struct soq_endpoint *ep_out)
{
	int family = soqi_endpoint_family(ep);
	struct in_addr address;
	uint16_t port;

	if (ep_out == NULL || family < 0)
		return -EINVAL;
	if (family == AF_INET) {
		*ep_out = *ep;
		return 0;
	}
	if (family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&ep->addr.ipv6.sin6_addr))
		return -EAFNOSUPPORT;
	memcpy(&address, &ep->addr.ipv6.sin6_addr.s6_addr[12], sizeof(address));
	port = ntohs(ep->addr.ipv6.sin6_port);
	return make(AF_INET, port, &address, NULL, ep_out);
}

int soq_endpoint_port(const struct soq_endpoint *ep)
{
	int family = soqi_endpoint_family(ep);

	if (family == AF_INET)
		return ntohs(ep->addr.ipv4.sin_port);
	if (family == AF_INET6)
		return ntohs(ep->addr.ipv6.sin6_port);
	return family < 0 ? family : -EAFNOSUPPORT;
}
