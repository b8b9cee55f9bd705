/* SPDX-License-Identifier: MIT */
/* The numbers of interfaces: by name, and by address through netlink(7). */
#include "endpoint.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <soq/multicast.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* What the kernel puts into one answer at most, unless it is asked with more room. */
#define ANSWER_BYTES 16384

/* Whose interface is looked for. */
struct wanted {
	int family;
	uint32_t interface; /* 0: any */
	unsigned char address[16];
	size_t size_bytes;
};

static int wanted_read(const struct soq_endpoint *ep, struct wanted *wanted)
{
	const struct in6_addr *ipv6 = &ep->addr.ipv6.sin6_addr;
	int family = soqi_endpoint_family(ep);

	memset(wanted, 0, sizeof(*wanted));
	if (family < 0)
		return family;
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	wanted->family = AF_INET;
	wanted->size_bytes = 4;
	if (family == AF_INET) {
		memcpy(wanted->address, &ep->addr.ipv4.sin_addr, 4);
	} else if (IN6_IS_ADDR_V4MAPPED(ipv6)) {
		memcpy(wanted->address, &ipv6->s6_addr[12], 4);
	} else {
		wanted->family = AF_INET6;
		wanted->size_bytes = 16;
		wanted->interface = ep->addr.ipv6.sin6_scope_id;
		memcpy(wanted->address, ipv6, 16);
	}
	return 0;
}

/*
 * The address of one answer. A point-to-point interface has two, and IFA_ADDRESS is
 * the other end's then.
 */
static const void *address_of(struct nlmsghdr *message, size_t size_bytes)
{
	struct ifaddrmsg *body = NLMSG_DATA(message);
	unsigned left = (unsigned)IFA_PAYLOAD(message);
	const void *address = NULL;

	for (struct rtattr *a = IFA_RTA(body); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (RTA_PAYLOAD(a) < size_bytes)
			continue;
		if (a->rta_type == IFA_LOCAL)
			return RTA_DATA(a);
		if (a->rta_type == IFA_ADDRESS)
			address = RTA_DATA(a);
	}
	return address;
}

/* The number of the interface, 0 if this is not it. */
static int match(struct nlmsghdr *message, const struct wanted *wanted)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	const void *address;

	if (message->nlmsg_type != RTM_NEWADDR || body->ifa_family != wanted->family ||
	    (wanted->interface != 0 && wanted->interface != body->ifa_index))
		return 0;
	address = address_of(message, wanted->size_bytes);
	if (address == NULL || memcmp(address, wanted->address, wanted->size_bytes) != 0)
		return 0;
	return (int)body->ifa_index;
}

/* Looks through one answer: a number, -errno, or 0 if more are to come. */
static int look(void *answer, size_t size_bytes, const struct wanted *wanted)
{
	unsigned left = (unsigned)size_bytes;

	for (struct nlmsghdr *m = answer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
		int found;

		if (m->nlmsg_type == NLMSG_DONE)
			return -EADDRNOTAVAIL;
		if (m->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(m))->error;
		found = match(m, wanted);
		if (found != 0)
			return found;
	}
	return 0;
}

static int ask(int fd, const struct wanted *wanted)
{
	const struct {
		struct nlmsghdr head;
		struct ifaddrmsg body;
	} question = { .head = { .nlmsg_len = sizeof(question),
				 .nlmsg_type = RTM_GETADDR,
				 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		       .body = { .ifa_family = (unsigned char)wanted->family } };
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	int found = 0;

	if (send(fd, &question, sizeof(question), 0) < 0)
		return -errno;
	while (found == 0) {
		ssize_t got = recv(fd, answer, sizeof(answer), 0);

		if (got > 0)
			found = look(answer, (size_t)got, wanted);
		else if (got == 0)
			found = -EADDRNOTAVAIL;
		else if (errno != EINTR)
			found = -errno;
	}
	return found;
}

int soq_interface_by_name(const char *name)
{
	unsigned number;

	if (name == NULL || name[0] == '\0')
		return -EINVAL;
	number = if_nametoindex(name);
	return number != 0 ? (int)number : -errno;
}

int soq_interface_by_address(const struct soq_endpoint *ep)
{
	struct wanted wanted;
	int found;
	int fd;

	if (ep == NULL)
		return -EINVAL;
	found = wanted_read(ep, &wanted);
	if (found != 0)
		return found;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	found = ask(fd, &wanted);
	(void)close(fd);
	return found;
}
