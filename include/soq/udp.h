/* SPDX-License-Identifier: MIT */
/* UDP sockets in one call: bound, with its groups and its peer. */
#ifndef SOQ_UDP_H
#define SOQ_UDP_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/option.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct soq_policy;

/* A group to join, as soq_multicast_join() does. */
struct soq_udp_group {
	const struct soq_endpoint *group;
	const struct soq_endpoint *source; /* or NULL: from everybody */
	uint32_t interface;
	uint32_t reserved0; /* must be 0 */
};

/**
 * What a UDP socket shall be. Begin with `= { .size = sizeof(struct soq_udp_options) }`; 0 is
 * the default of each.
 */
struct soq_udp_options {
	uint32_t size;  /* sizeof(struct soq_udp_options) */
	int32_t family; /* without `local`; default: the peer's if no group is joined, else both */
	const struct soq_endpoint *local; /* where it is bound */
	uint32_t port;                    /* without `local`: of all addresses */
	uint32_t option_count;
	const struct soq_option_raw *options; /* set before the bind, in order */
	const struct soq_udp_group *groups;   /* joined, in order */
	uint32_t group_count;
	uint32_t reserved0;              /* must be 0 */
	const struct soq_endpoint *peer; /* the default peer: others are not heard */
	struct soq_policy *policy;       /* with no loop: the socket's, from the first on */
	uint64_t reserved[3];            /* must be 0 */
};

/**
 * Opens a UDP socket on a loop, or a detached one if `loop` is NULL: its options are set, it
 * is bound, joins its groups and is connected to its peer. The system gives it a port
 * if neither `local` nor `port` does. On a socket of IPv6 IPv4 addresses are mapped; one of
 * both families is such a one, see soq_socket_open().
 *
 * What follows are the calls of every socket: soq_send_to(), soq_recv_from(), soq_send()
 * with a peer, the batches of soq/message.h, soq_multicast_join() and _leave().
 *
 * Result: 0 and `*s_out`; on failure `*s_out` is untouched, and there is no socket.
 * Errors: -EINVAL  NULL, a `size` this library does not know, a port above 65535, both `local`
 *                  and `port`, an address that is "none", counts without memory, a policy
 *                  with a loop, which has its own, a reserved field that is not 0
 *         -EAFNOSUPPORT  a family or an address that is neither IPv4 nor IPv6, or two of them
 *                  that do not go together
 *         else what soq_socket_open(), soq_option_set(), soq_bind(), soq_multicast_join()
 *         and soq_connect() say
 * Owner:  close it with one of the calls of soq/socket.h.
 * Thread: the loop's; any, with no loop.
 * .NET:   UdpClient, UdpClient(int), UdpClient(IPEndPoint), UdpClient.Connect,
 *         UdpClient.JoinMulticastGroup
 */
SOQ_API SOQ_MUST_CHECK int soq_udp_open(struct soq_loop *loop,
					const struct soq_udp_options *options,
					struct soq_socket **s_out);

#ifdef __cplusplus
}
#endif

#endif
