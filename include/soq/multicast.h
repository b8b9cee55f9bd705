/* SPDX-License-Identifier: MIT */
/* Multicast: groups joined and left, and the interfaces they are joined on. */
#ifndef SOQ_MULTICAST_H
#define SOQ_MULTICAST_H

#include <soq/base.h>
#include <soq/endpoint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A datagram socket that is bound to the wildcard address, or to a group's, gets what is
 * sent to the groups it has joined, at its port. How it sends to a group are options:
 * SOQ_OPTION_MULTICAST_INTERFACE, _TTL and _LOOPBACK. On Linux a socket also gets what
 * others of this machine have joined, unless SOQ_OPTION_MULTICAST_ALL is 0.
 *
 * Interfaces go by their number everywhere in soq; 0 leaves the choice to the system,
 * which looks for a route to the group. The two calls at the end find the number.
 */

/**
 * Joins a group: from everybody, or with `source` from that one sender alone. Several
 * sources of a group are several calls; the first of them narrows a group that was
 * joined from everybody. The ports of `group` and `source` do not count.
 *
 * On an IPv6 socket `group` may be an IPv4 one, mapped as everywhere
 * (::ffff:239.1.2.3), and `source` is then the same. Without an `interface`, the scope
 * of an IPv6 group is it.
 *
 * Result: 0.
 * Errors: -EINVAL         NULL, "none", a group that is no multicast address, a source that
 *                         is one, or one of IPv4 and one of IPv6
 *         -EAFNOSUPPORT   an address of another family than the socket
 *         -EOPNOTSUPP     the socket is none for datagrams of IPv4 or IPv6
 *         -ERANGE         `interface` is above 2^31 - 1
 *         -EADDRINUSE     it has joined this there already (of IPv4, a source: -EADDRNOTAVAIL)
 *         -ENODEV         there is no such interface, or no route to choose one by
 *         -ENOBUFS        more groups or sources than the system allows a socket
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP. Fallback: the same.
 * .NET:   SocketOptionName.AddMembership, SocketOptionName.AddSourceMembership,
 *         MulticastOption, IPv6MulticastOption, UdpClient.JoinMulticastGroup
 */
SOQ_API SOQ_MUST_CHECK int soq_multicast_join(struct soq_socket *s,
					      const struct soq_endpoint *group,
					      const struct soq_endpoint *source,
					      uint32_t interface);

/**
 * Leaves what soq_multicast_join() has joined with the same arguments. A socket that is
 * closed leaves all of it.
 *
 * Result: 0.
 * Errors: -EADDRNOTAVAIL  it has not joined this
 *         -EINVAL         as soq_multicast_join(); or it has not joined this
 *         -EAFNOSUPPORT, -EOPNOTSUPP, -ERANGE, -ENODEV  as soq_multicast_join()
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP. Fallback: the same.
 * .NET:   SocketOptionName.DropMembership, SocketOptionName.DropSourceMembership,
 *         UdpClient.DropMulticastGroup
 */
SOQ_API SOQ_MUST_CHECK int soq_multicast_leave(struct soq_socket *s,
					       const struct soq_endpoint *group,
					       const struct soq_endpoint *source,
					       uint32_t interface);

/**
 * Takes nothing more from one sender to a group that was joined from everybody.
 *
 * Result: 0.
 * Errors: -EINVAL         as soq_multicast_join(), or no `source`; or it has not joined the
 *                         group, or from certain sources only
 *         -EADDRNOTAVAIL  it is blocked already
 *         -EAFNOSUPPORT, -EOPNOTSUPP, -ERANGE, -ENODEV, -ENOBUFS  as soq_multicast_join()
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: MCAST_BLOCK_SOURCE. Fallback: the same.
 * .NET:   SocketOptionName.BlockSource
 */
SOQ_API SOQ_MUST_CHECK int soq_multicast_block(struct soq_socket *s,
					       const struct soq_endpoint *group,
					       const struct soq_endpoint *source,
					       uint32_t interface);

/**
 * Takes again what soq_multicast_block() with the same arguments has blocked.
 *
 * Result: 0.
 * Errors: -EADDRNOTAVAIL  it is not blocked
 *         -EINVAL, -EAFNOSUPPORT, -EOPNOTSUPP, -ERANGE, -ENODEV  as soq_multicast_block()
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: MCAST_UNBLOCK_SOURCE. Fallback: the same.
 * .NET:   SocketOptionName.UnblockSource
 */
SOQ_API SOQ_MUST_CHECK int soq_multicast_unblock(struct soq_socket *s,
						 const struct soq_endpoint *group,
						 const struct soq_endpoint *source,
						 uint32_t interface);

/**
 * The number of the interface with this name.
 *
 * Result: the number, above 0.
 * Errors: -EINVAL  NULL, or the name is empty
 *         -ENODEV  there is no such interface; else why the system could not say
 * Thread: any.
 * .NET:   IPv6InterfaceProperties.Index
 */
SOQ_API SOQ_MUST_CHECK int soq_interface_by_name(const char *name);

/**
 * The number of the interface that has this address, of IPv4 or IPv6; the first, if
 * several have it and `ep` has no scope. The port does not count.
 *
 * Result: the number, above 0.
 * Errors: -EINVAL         NULL, "none", or a `size_bytes` that does not fit the family
 *         -EAFNOSUPPORT   another family
 *         -EADDRNOTAVAIL  no interface has it; else why the system could not say
 * Thread: any.
 * Kernel: netlink(7). Fallback: the same.
 * .NET:   MulticastOption.LocalAddress
 */
SOQ_API SOQ_MUST_CHECK int soq_interface_by_address(const struct soq_endpoint *ep);

#ifdef __cplusplus
}
#endif

#endif
