/* SPDX-License-Identifier: MIT */
/* Reports: what routers and hosts say about datagrams that did not get through. */
#ifndef SOQ_REPORT_H
#define SOQ_REPORT_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A datagram is sent when the kernel has taken it. What goes wrong after that comes back
 * as an ICMP message, of which a socket is told little: a connected one gets an errno
 * from some later call, one that sends to many gets nothing.
 *
 * With SOQ_OPTION_ERROR_REPORTS at 1 the kernel keeps each as a report: which errno, who
 * said so, where the datagram was sent to, how it began, and of one that was too large what
 * the path takes. SOQ_POLL_ERROR says that one waits, in each of the polls. Still the
 * next send or receive ends with its errno, of sockets without a peer too, unless the
 * report is taken first; and a receive that waits when it comes ends with it.
 */

/* Who made a report. */
enum soq_report_origin {
	SOQ_REPORT_NONE = 0,   /* the kernel did not say */
	SOQ_REPORT_LOCAL = 1,  /* this machine, about what did not leave it */
	SOQ_REPORT_ICMP = 2,   /* `offender`, by ICMP */
	SOQ_REPORT_ICMPV6 = 3, /* `offender`, by ICMPv6 */
};

/**
 * A report. Begin with `{ .size = sizeof(report) }`; `buffer` and `buffer_bytes` may be
 * set, all else is what soq_recv_error() writes.
 *
 * What a program has asked the kernel for by itself (times of sends, notifications of
 * its own MSG_ZEROCOPY) comes in the same queue and is handed over as it is: `origin` is
 * the kernel's SO_EE_ORIGIN_*, with `icmp_type`, `icmp_code` and `value` as it has
 * them. Zero-copy sends of soq's are told by their events, and never here.
 */
struct soq_report {
	uint32_t size;                   /* sizeof(struct soq_report) */
	uint32_t flags;                  /* out: SOQ_F_TRUNCATED: more came back than had room */
	void *buffer;                    /* for the datagram's own first bytes; or NULL */
	uint64_t buffer_bytes;           /* its size */
	uint64_t length_bytes;           /* out: what is in it */
	int32_t error;                   /* out: a negative errno */
	uint32_t origin;                 /* out: enum soq_report_origin */
	uint8_t icmp_type;               /* out: of ICMP or ICMPv6, else 0 */
	uint8_t icmp_code;               /* out: likewise */
	uint16_t reserved16;             /* must be 0 */
	uint32_t mtu_bytes;              /* out: with -EMSGSIZE what the path takes; 0 unknown */
	uint32_t value[2];               /* out: the kernel's ee_info and ee_data */
	struct soq_endpoint destination; /* out: where the datagram was sent to, or "none" */
	struct soq_endpoint offender;    /* out: who says so, its port 0; or "none" */
	uint64_t reserved[4];            /* must be 0 */
};

/**
 * Takes the oldest report that waits, if there is one; it never waits itself. To wait for
 * one, poll for SOQ_POLL_ERROR. It is in no lane, and takes no datagram.
 *
 * Result: 1 and `*report` is filled; 0 if none waits: it is untouched.
 * Errors: -EINVAL      NULL, a `size` that is none this library knows, a reserved word
 *                      that is not 0, or no `buffer` with a size
 *         -EOPNOTSUPP  the socket is not of IPv4 or IPv6 datagrams
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what recvmsg(2) says
 * Owner:  `buffer` is the caller's again when the call returns.
 * Thread: the loop's; any, on a detached socket.
 * Kernel: MSG_ERRQUEUE. Fallback: the same.
 */
SOQ_API SOQ_MUST_CHECK int soq_recv_error(struct soq_socket *s, struct soq_report *report);

#ifdef __cplusplus
}
#endif

#endif
