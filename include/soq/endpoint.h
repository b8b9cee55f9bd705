/* SPDX-License-Identifier: MIT */
/* Addresses by value: what a socket is bound to or talks to. */
#ifndef SOQ_ENDPOINT_H
#define SOQ_ENDPOINT_H

#include <netinet/in.h>
#include <soq/base.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An address and a port, by value: copy it, compare it, keep it.
 *
 * Made by the functions below, or by filling in `addr` and `size_bytes`. The
 * all-zero endpoint is "none" and is refused wherever an address is needed.
 *
 * .NET: EndPoint, IPEndPoint.
 */
struct soq_endpoint {
	uint32_t size_bytes; /* bytes of `addr` that count; 0 is "none" */
	uint32_t reserved;   /* must be 0 */
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
		struct sockaddr_storage storage;
	} addr;
};

/* Enough for every text soq_endpoint_format() makes, the closing NUL included. */
#define SOQ_ENDPOINT_TEXT_MAX 96

/**
 * Reads an endpoint from its text: `192.0.2.1:80`, `[2001:db8::1]:80`,
 * `[fe80::1%eth0]:80` or, with the interface's number, `[fe80::1%2]:80`.
 *
 * Strict: four decimal numbers for IPv4, brackets around IPv6, a decimal port
 * without leading zeros. Names, short forms (`127.1`), octal and hexadecimal
 * IPv4, and anything before or after are refused, never guessed.
 *
 * Result: 0, and `*ep_out` is filled; on failure it is untouched.
 * Errors: -EINVAL  a NULL argument, or `text` is not such a text
 *         -ERANGE  the port is above 65535
 *         -ENODEV  there is no interface of that name or number; else why the
 *                  system could not say
 * Thread: any.
 * .NET:   IPEndPoint.Parse
 */
SOQ_API SOQ_MUST_CHECK int soq_endpoint_parse(const char *text, struct soq_endpoint *ep_out);

/**
 * Writes the text that soq_endpoint_parse() reads; the scope of an IPv6 address
 * as a number.
 *
 * Result: the length of the text without its NUL; on failure `text` is untouched.
 * Errors: -EINVAL        a NULL argument, or "none"
 *         -EAFNOSUPPORT  neither IPv4 nor IPv6
 *         -ENOSPC        `size_bytes` is too small (SOQ_ENDPOINT_TEXT_MAX suffices)
 * Thread: any.
 * .NET:   IPEndPoint.ToString
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
 * The port of an IPv4 or IPv6 endpoint.
 *
 * Result: 0 to 65535.
 * Errors: -EINVAL        NULL or "none"
 *         -EAFNOSUPPORT  another family
 * Thread: any.
 * .NET:   IPEndPoint.Port
 */
SOQ_API int soq_endpoint_port(const struct soq_endpoint *ep);

/**
 * Tells whether two endpoints name the same thing: family, address, port and,
 * for IPv6, scope; the flow label and padding do not count.
 *
 * Result: 1 or 0; NULL equals nothing.
 * Thread: any.
 * .NET:   IPEndPoint.Equals
 */
SOQ_API int soq_endpoint_equal(const struct soq_endpoint *a, const struct soq_endpoint *b);

#ifdef __cplusplus
}
#endif

#endif
