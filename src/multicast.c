/* SPDX-License-Identifier: MIT */
/* Groups, joined and left: one form for IPv4 and IPv6, with a source or without. */
#include "detached.h"
#include "endpoint.h"

#include <errno.h>
#include <netinet/in.h>
#include <soq/multicast.h>
#include <string.h>

/* An address as the protocol that carries it has it: mapped ones are IPv4. */
static void unmap(const struct soq_endpoint *ep, struct sockaddr_storage *out)
{
	const struct sockaddr_in6 *ipv6 = &ep->addr.ipv6;
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };

	memset(out, 0, sizeof(*out));
	if (ep->addr.any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&ipv6->sin6_addr)) {
		memcpy(out, ipv6, sizeof(*ipv6));
		return;
	}
	if (ep->addr.any.sa_family == AF_INET6)
		memcpy(&ipv4.sin_addr, &ipv6->sin6_addr.s6_addr[12], sizeof(ipv4.sin_addr));
	else
		ipv4.sin_addr = ep->addr.ipv4.sin_addr;
	memcpy(out, &ipv4, sizeof(ipv4));
}

static bool is_group(const struct sockaddr_storage *address)
{
	struct sockaddr_in6 ipv6;
	struct sockaddr_in ipv4;

	if (address->ss_family == AF_INET6) {
		memcpy(&ipv6, address, sizeof(ipv6));
		return IN6_IS_ADDR_MULTICAST(&ipv6.sin6_addr);
	}
	memcpy(&ipv4, address, sizeof(ipv4));
	return IN_MULTICAST(ntohl(ipv4.sin_addr.s_addr));
}

struct membership {
	struct group_source_req request; /* begins as a struct group_req does */
	bool has_source;
};

static int membership_read(const struct soq_socket *s, const struct soq_endpoint *group,
			   const struct soq_endpoint *source, uint32_t interface,
			   struct membership *out)
{
	int error = soqi_endpoint_check(s, group);

	if (error == 0 && source != NULL)
		error = soqi_endpoint_check(s, source);
	if (error != 0)
		return error;
	if (interface > INT32_MAX)
		return -ERANGE;
	memset(out, 0, sizeof(*out));
	out->has_source = source != NULL;
	unmap(group, &out->request.gsr_group);
	if (interface == 0 && out->request.gsr_group.ss_family == AF_INET6)
		interface = group->addr.ipv6.sin6_scope_id;
	out->request.gsr_interface = interface;
	if (!is_group(&out->request.gsr_group))
		return -EINVAL;
	if (source == NULL)
		return 0;
	unmap(source, &out->request.gsr_source);
	if (out->request.gsr_source.ss_family != out->request.gsr_group.ss_family ||
	    is_group(&out->request.gsr_source))
		return -EINVAL;
	return 0;
}

static int tell(const struct soq_socket *s, const struct membership *m, int name, int source_name)
{
	int level = m->request.gsr_group.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
	struct group_req any;
	int rc;

	/* Its gap as well: the kernel is given no bytes of our stack. */
	memset(&any, 0, sizeof(any));
	any.gr_interface = m->request.gsr_interface;
	any.gr_group = m->request.gsr_group;
	rc = m->has_source ? setsockopt(s->fd, level, source_name, &m->request, sizeof(m->request))
			   : setsockopt(s->fd, level, name, &any, sizeof(any));
	return rc == 0 ? 0 : -errno;
}

static int change(struct soq_socket *s, const struct soq_endpoint *group,
		  const struct soq_endpoint *source, uint32_t interface, int name, int source_name)
{
	struct membership m;
	int error;

	if (group == NULL)
		return -EINVAL;
	error = soqi_socket_check(s);
	if (error != 0)
		return error;
	if (!soqi_is_ip_datagram(s))
		return -EOPNOTSUPP;
	error = membership_read(s, group, source, interface, &m);
	return error != 0 ? error : tell(s, &m, name, source_name);
}

int soq_multicast_join(struct soq_socket *s, const struct soq_endpoint *group,
		       const struct soq_endpoint *source, uint32_t interface)
{
	return change(s, group, source, interface, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP);
}

int soq_multicast_leave(struct soq_socket *s, const struct soq_endpoint *group,
			const struct soq_endpoint *source, uint32_t interface)
{
	return change(s, group, source, interface, MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP);
}

int soq_multicast_block(struct soq_socket *s, const struct soq_endpoint *group,
			const struct soq_endpoint *source, uint32_t interface)
{
	if (source == NULL)
		return -EINVAL;
	return change(s, group, source, interface, 0, MCAST_BLOCK_SOURCE);
}

int soq_multicast_unblock(struct soq_socket *s, const struct soq_endpoint *group,
			  const struct soq_endpoint *source, uint32_t interface)
{
	if (source == NULL)
		return -EINVAL;
	return change(s, group, source, interface, 0, MCAST_UNBLOCK_SOURCE);
}
