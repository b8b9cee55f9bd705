/* SPDX-License-Identifier: MIT */
/* Reports: the kernel's queue of errors, one at a time. */
#include <soq/report.h>

#include "detached.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>

/* The first release's size: a program built against it must go on working. */
#define REPORT_SIZE_MIN sizeof(struct soq_report)

/* The report itself, and before it all that the program may have switched on beside. */
#define CONTROL_BYTES 512

_Static_assert((int)SOQ_REPORT_LOCAL == SO_EE_ORIGIN_LOCAL &&
		       (int)SOQ_REPORT_ICMP == SO_EE_ORIGIN_ICMP &&
		       (int)SOQ_REPORT_ICMPV6 == SO_EE_ORIGIN_ICMP6,
	       "the kernel's numbers");

static int report_check(const struct soq_report *report)
{
	if (report == NULL || report->size < REPORT_SIZE_MIN || report->size > sizeof(*report) ||
	    report->reserved16 != 0 || (report->buffer == NULL && report->buffer_bytes > 0))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(report->reserved) / sizeof(report->reserved[0]); i++)
		if (report->reserved[i] != 0)
			return -EINVAL;
	return 0;
}

/* Behind the kernel's report stands an address, of family AF_UNSPEC for nobody. */
static void read_offender(const unsigned char *at, size_t size_bytes, struct soq_endpoint *ep)
{
	if (size_bytes > sizeof(ep->addr))
		size_bytes = sizeof(ep->addr);
	if (size_bytes < sizeof(ep->addr.ipv4))
		return;
	memcpy(&ep->addr, at, size_bytes);
	if (ep->addr.any.sa_family == AF_INET)
		ep->size_bytes = sizeof(ep->addr.ipv4);
	else if (ep->addr.any.sa_family == AF_INET6 && size_bytes >= sizeof(ep->addr.ipv6))
		ep->size_bytes = sizeof(ep->addr.ipv6);
	else
		*ep = (struct soq_endpoint){ .size_bytes = 0 };
}

static void read_error(const unsigned char *at, size_t size_bytes, struct soq_report *report)
{
	struct sock_extended_err e;

	if (size_bytes < sizeof(e))
		return;
	memcpy(&e, at, sizeof(e));
	report->error = -(int32_t)e.ee_errno;
	report->origin = e.ee_origin;
	report->icmp_type = e.ee_type;
	report->icmp_code = e.ee_code;
	report->mtu_bytes = e.ee_errno == EMSGSIZE ? e.ee_info : 0;
	report->value[0] = e.ee_info;
	report->value[1] = e.ee_data;
	read_offender(at + sizeof(e), size_bytes - sizeof(e), &report->offender);
}

static void read_control(struct msghdr *header, struct soq_report *report)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			read_error(CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0), report);
}

static int take(const struct soq_socket *s, struct soq_report *report)
{
	struct soq_report now = { .size = report->size,
				  .buffer = report->buffer,
				  .buffer_bytes = report->buffer_bytes };
	struct iovec room = { report->buffer, (size_t)report->buffer_bytes };
	_Alignas(struct cmsghdr) unsigned char control[CONTROL_BYTES];
	struct msghdr header = { .msg_name = &now.destination.addr,
				 .msg_namelen = sizeof(now.destination.addr),
				 .msg_iov = &room,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	ssize_t count;

	do
		count = recvmsg(s->fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN ? 0 : -errno;
	now.length_bytes = (uint64_t)count;
	now.flags = (header.msg_flags & MSG_TRUNC) ? SOQ_F_TRUNCATED : 0;
	now.destination.size_bytes = header.msg_namelen;
	read_control(&header, &now);
	*report = now;
	return 1;
}

int soq_recv_error(struct soq_socket *s, struct soq_report *report)
{
	int error = soqi_socket_check(s);

	if (error == 0)
		error = report_check(report);
	if (error == 0 && !soqi_is_ip_datagram(s))
		error = -EOPNOTSUPP;
	if (error != 0)
		return error;
	if (!soqi_is_detached(s))
		return take(s, report);
	soqi_detached_enter(s);
	error = take(s, report);
	soqi_detached_leave(s);
	return error;
}
