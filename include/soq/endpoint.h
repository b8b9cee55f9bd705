/* SPDX-License-Identifier: MIT */
/* Addresses by value: what a socket is bound to or talks to. */
#ifndef SOQ_ENDPOINT_H
#define SOQ_ENDPOINT_H

#include <netinet/in.h>
#include <soq/base.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An address by value: copy it, compare it, keep it.
 *
 * Made by the functions below, or by filling in `addr` and `size_bytes`. The
 * all-zero endpoint is "none" and is refused wherever an address is needed.
 *
 * What `size_bytes` counts is part of a unix domain address. Without a name it
 * is offsetof(struct sockaddr_un, sun_path) and no more. With a path it ends
 * behind the path's NUL, or before it, which means the same. With an abstract
 * name it is that offset, 1 for the NUL in front, and the name's length exactly:
 * each byte of such a name counts, NUL like any other.
 *
 * Other families (netlink, ...) are carried as they are: the
 * functions below know how to keep, write, read and compare such an address, and
 * nothing of what it means.
 *
 * .NET:   EndPoint, IPEndPoint, UnixDomainSocketEndPoint, SocketAddress
 */
struct soq_endpoint {
	uint32_t size_bytes; /* bytes of `addr` that count; 0 is "none" */
	uint32_t reserved;   /* must be 0 */
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
		struct sockaddr_un local; /* unix domain */
		struct sockaddr_storage storage;
	} addr;
};

/* Enough for every text soq_endpoint_format() makes, the closing NUL included. */
#define SOQ_ENDPOINT_TEXT_MAX 448

/**
 * Reads an endpoint from its text. IPv4 and IPv6 are `192.0.2.1:80`,
 * `[2001:db8::1]:80`, `[fe80::1%eth0]:80` or, with the interface's number,
 * `[fe80::1%2]:80`. A unix domain address is `unix:` and a path, absolute
 * (`unix:/run/x.sock`) or relative (`unix:x.sock`); `unix:@` and an abstract
 * name; or `unix:` alone, the address without a name. `vsock:2:1024` is a
 * virtual machine's number and a port. `packet:2:0800:1:0:0200000000ff` is what packet
 * sockets have: the interface's number, the protocol as four hexadecimal digits, the type
 * of hardware, the type of packet, and the hardware address in hexadecimal, or nothing.
 * Any other is `family-16:00000000ff`: the family's number and, in hexadecimal, the
 * bytes behind it.
 *
 * In a path or an abstract name `\xHH`, with two hexadecimal digits, is the byte
 * of that value, so `\x5c` is a backslash; control characters must be written
 * so, and NUL can be in an abstract name alone. Bytes from 0x80 on may stand for
 * themselves. An `@` that begins a path, not an abstract name, has `./` before
 * it, which is then no part of the path: `unix:./@x` is the path "@x".
 *
 * Strict: four decimal numbers for IPv4, brackets around IPv6, a decimal port
 * without leading zeros. Names, short forms (`127.1`), octal and hexadecimal
 * IPv4, and anything before or after are refused, never guessed.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL        a NULL argument, or `text` is not such a text
 *         -ERANGE        a number is above what there can be: of ports, families and
 *                        types of hardware 65535
 *         -ENAMETOOLONG  the path or the abstract name is above 107 bytes, the hardware
 *                        address above 8, or the bytes of another family are more than
 *                        an endpoint holds
 *         -ENODEV        there is no interface of that name or number; else why the
 *                        system could not say
 * Thread: any.
 * .NET:   IPEndPoint.Parse
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_parse(const char *text, struct soq_endpoint *ep_out);

/**
 * Writes the text that soq_endpoint_parse() reads back as an equal endpoint; the
 * scope of an IPv6 address as a number, which reads back where there is such an
 * interface.
 *
 * It is printable ASCII alone, so that a peer, who chooses its own name, can
 * write nothing into a log or a terminal but that name: in a path or an abstract
 * name the backslash and every byte outside 0x20 to 0x7e become `\xHH`. Equal
 * endpoints have the same text. What a family's own text cannot say is written like any
 * other family: a unix domain address with more than 107 bytes of name, which the kernel
 * allows a path by one; a vsock address with flags; bytes behind an address.
 *
 * Result: the length of the text without its NUL; on failure `text` is untouched.
 * Errors: -EINVAL  a NULL argument, "none", or a `size_bytes` that does not fit the
 *                  family or `addr`
 *         -ENOSPC  `size_bytes` is too small (SOQ_ENDPOINT_TEXT_MAX suffices)
 * Thread: any.
 * .NET:   IPEndPoint.ToString, UnixDomainSocketEndPoint.ToString
 */
SOQ_API int soq_endpoint_format(const struct soq_endpoint *ep, char *text, size_t size_bytes);

/**
 * The loopback address of `family` (AF_INET or AF_INET6) with `port`; port 0
 * lets soq_bind() choose one.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL        `ep_out` is NULL
 *         -EAFNOSUPPORT  another family
 * Thread: any.
 * .NET:   IPAddress.Loopback, IPAddress.IPv6Loopback
 */
SOQ_API int soq_endpoint_loopback(int family, uint16_t port, struct soq_endpoint *ep_out);

/**
 * The wildcard address of `family` (AF_INET or AF_INET6) with `port`.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL        `ep_out` is NULL
 *         -EAFNOSUPPORT  another family
 * Thread: any.
 * .NET:   IPAddress.Any, IPAddress.IPv6Any
 */
SOQ_API int soq_endpoint_any(int family, uint16_t port, struct soq_endpoint *ep_out);

/**
 * The unix domain address of a path in the file system.
 *
 * The path is taken byte for byte: a backslash is a backslash, and "@x" is a file
 * of that name, not an abstract name. The address without a name, with which
 * soq_bind() lets the kernel choose one, is `unix:` to soq_endpoint_parse().
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL        a NULL argument, or the path is empty
 *         -ENAMETOOLONG  the path is above 107 bytes
 * Thread: any.
 * .NET:   UnixDomainSocketEndPoint
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_unix(const char *path, struct soq_endpoint *ep_out);

/**
 * The unix domain address of an abstract name: `size_bytes` of any bytes,
 * without the NUL that the kernel has in front of them, and a path in .NET as well. No
 * bytes at all are a name as well.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL        a NULL argument
 *         -ENAMETOOLONG  `size_bytes` is above 107
 * Thread: any.
 * .NET:   UnixDomainSocketEndPoint
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_abstract(const void *name, size_t size_bytes,
						 struct soq_endpoint *ep_out);

/**
 * The address of a port on a virtual machine or its host (AF_VSOCK): VMADDR_CID_HOST,
 * VMADDR_CID_LOCAL and VMADDR_CID_ANY are `cid` too, VMADDR_PORT_ANY lets soq_bind() choose.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL  `ep_out` is NULL
 * Thread: any.
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_vsock(uint32_t cid, uint32_t port,
					      struct soq_endpoint *ep_out);

/**
 * The address of a packet socket (AF_PACKET): to bind to, an interface (0: all of them)
 * and a protocol (ETH_P_IP and the others of <linux/if_ether.h>, in the machine's order);
 * to send to, the `size_bytes` bytes of the hardware address as well.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL        `ep_out` is NULL, or `address` is with a size
 *         -ENAMETOOLONG  `size_bytes` is above 8
 *         -ERANGE        `interface` is above 2^31 - 1
 * Thread: any.
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_packet(uint32_t interface, uint16_t protocol,
					       const void *address, size_t size_bytes,
					       struct soq_endpoint *ep_out);

/**
 * What an IPv4 endpoint is to an IPv6 socket that takes IPv4 too: `::ffff:192.0.2.1`, a
 * mapped address. An IPv6 endpoint is given back as it is. `ep_out` may be `ep`.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL        a NULL argument, "none", or a `size_bytes` that does not fit
 *         -EAFNOSUPPORT  another family
 * Thread: any.
 * .NET:   IPAddress.MapToIPv6
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_to_ipv6(const struct soq_endpoint *ep,
						struct soq_endpoint *ep_out);

/**
 * The IPv4 endpoint that a mapped address stands for. An IPv4 endpoint is given back as it
 * is. `ep_out` may be `ep`.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL        a NULL argument, "none", or a `size_bytes` that does not fit
 *         -EAFNOSUPPORT  another family, or an IPv6 address that is not mapped
 * Thread: any.
 * .NET:   IPAddress.MapToIPv4
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_to_ipv4(const struct soq_endpoint *ep,
						struct soq_endpoint *ep_out);

/**
 * Carries an address as the system's calls have it, of any family: the
 * `size_bytes` bytes at `addr`, which need no alignment, as they are.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL  a NULL argument, or a `size_bytes` too small for the family
 *                  itself, above sizeof(struct sockaddr_storage), or below what an
 *                  IPv4 or IPv6 address has
 * Thread: any.
 * .NET:   EndPoint.Create, SocketAddress
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_from(const struct sockaddr *addr, uint32_t size_bytes,
					     struct soq_endpoint *ep_out);

/**
 * The port of an IPv4 or IPv6 endpoint.
 *
 * Result: 0 to 65535.
 * Errors: -EINVAL        NULL, "none", or a `size_bytes` that does not fit the family
 *                        or `addr`
 *         -EAFNOSUPPORT  another family
 * Thread: any.
 * .NET:   IPEndPoint.Port
 */
SOQ_API int soq_endpoint_port(const struct soq_endpoint *ep);

/**
 * Tells whether two endpoints name the same thing: family, address, port and,
 * for IPv6, scope; the flow label and padding do not count. Paths are the same
 * byte for byte, with the closing NUL or without; abstract names in all their
 * bytes; an address without a name is equal to another such alone. Of another
 * family, all bytes count.
 *
 * Result: 1 or 0; NULL, and what is no address because `size_bytes` does not fit
 *         the family or `addr`, equals nothing; "none" equals "none".
 * Thread: any.
 * .NET:   IPEndPoint.Equals, UnixDomainSocketEndPoint.Equals
 */
SOQ_API int soq_endpoint_equal(const struct soq_endpoint *a, const struct soq_endpoint *b);

/**
 * Puts endpoints in a total order, for sorting and for trees: by the number of
 * the family, then by address, port and scope, each by value; unix domain
 * addresses without a name first, then paths, then abstract names, byte by byte,
 * the shorter first where one begins with the other; other families by their
 * bytes. First of all come NULL and what is no address, then "none".
 *
 * Result: -1, 0 or 1 as `a` is before, the same as or after `b`. It is 0 exactly
 *         where soq_endpoint_equal() is 1, and between any two that are NULL or no
 *         address, which equal nothing.
 * Thread: any.
 */
SOQ_API int soq_endpoint_compare(const struct soq_endpoint *a, const struct soq_endpoint *b);

/**
 * A number to find an endpoint by: equal endpoints have the same for the same
 * seed.
 *
 * Peers choose their addresses, and one that knows the numbers can choose them so
 * that all fall into one bucket of a table. So the hash is a keyed one
 * (SipHash-1-3): take a seed from getrandom(2), for each table its own, and keep
 * it to yourself. Numbers are for this process alone; another version of the
 * library may have others.
 *
 * Result: all 64 bits are equally good; of NULL and "none" it is a number as well.
 * Thread: any.
 * .NET:   EndPoint.GetHashCode
 */
SOQ_API uint64_t soq_endpoint_hash(const struct soq_endpoint *ep, uint64_t seed);

#ifdef __cplusplus
}
#endif

#endif
