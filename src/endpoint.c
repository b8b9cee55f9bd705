/* SPDX-License-Identifier: MIT */
/* Endpoints by value: the well-known ones, what they hold, comparison. */
#include "endpoint.h"

#include <errno.h>
#include <string.h>

int soqi_endpoint_family(const struct soq_endpoint *ep)
{
	if (ep == NULL || ep->size_bytes == 0)
		return -EINVAL;
	if (ep->size_bytes <= sizeof(ep->addr)) {
		if (ep->size_bytes >= sizeof(ep->addr.ipv4) && ep->addr.any.sa_family == AF_INET)
			return AF_INET;
		if (ep->size_bytes >= sizeof(ep->addr.ipv6) && ep->addr.any.sa_family == AF_INET6)
			return AF_INET6;
	}
	return -EAFNOSUPPORT;
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

int soq_endpoint_port(const struct soq_endpoint *ep)
{
	int family = soqi_endpoint_family(ep);

	if (family < 0)
		return family;
	return ntohs(family == AF_INET ? ep->addr.ipv4.sin_port : ep->addr.ipv6.sin6_port);
}

static int equal_ipv6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id &&
	       memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

int soq_endpoint_equal(const struct soq_endpoint *a, const struct soq_endpoint *b)
{
	int family;

	if (a == NULL || b == NULL)
		return 0;
	family = soqi_endpoint_family(a);
	if (family != soqi_endpoint_family(b))
		return 0;
	if (family == AF_INET)
		return a->addr.ipv4.sin_port == b->addr.ipv4.sin_port &&
		       a->addr.ipv4.sin_addr.s_addr == b->addr.ipv4.sin_addr.s_addr;
	if (family == AF_INET6)
		return equal_ipv6(&a->addr.ipv6, &b->addr.ipv6);
	/* Something else: the bytes that count are all there is to compare. */
	return a->size_bytes == b->size_bytes && a->size_bytes <= sizeof(a->addr) &&
	       memcmp(&a->addr, &b->addr, a->size_bytes) == 0;
}
