/* SPDX-License-Identifier: MIT */
/* Names: looking them up, and connecting by them. */
#ifndef SOQ_NAME_H
#define SOQ_NAME_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/error.h>
#include <soq/op.h>
#include <soq/option.h>

#ifdef __cplusplus
extern "C" {
#endif

struct soq_policy;

/*
 * A host is the text of an address or a name, and its length; no NUL has to follow.
 *
 * The text of an address is `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`, or one of IPv6 in
 * brackets. It is never looked up. What other programs also take for IPv4 (`127.1`, `0x7f.1`,
 * `0177.0.0.1`, `2130706433`) is -EINVAL, as a name or an address: a name whose last label
 * is a number is none.
 *
 * A name is at most 253 bytes: labels of 1 to 63 letters, digits, hyphens and underscores,
 * a dot between them, and one behind the last if it is complete. What is longer is
 * -ENAMETOOLONG, what has other bytes (NUL, blanks, `/`, any above 0x7e) or an empty label
 * is -EINVAL, before anything is looked up. Names of other alphabets are the program's to
 * write in ASCII (`xn--...`).
 *
 * A name is looked up by the system's resolver, getaddrinfo(3): what /etc/nsswitch.conf,
 * /etc/hosts and /etc/resolv.conf say holds, and the order of the addresses is its order
 * (RFC 6724). It can only be waited for, so each lookup has a thread of its own while it
 * lasts: the only ones that the library starts by itself. All signals are blocked there, and
 * it does nothing else. Only soq_resolve() with no loop and no timeout looks up on the
 * thread that calls it.
 *
 * A lookup that is given up (a cancel, a deadline) ends at once for the program; its thread
 * goes on until the resolver has given up too, then drops what it found. The loop may long be
 * destroyed by then. With these a process has at most 64 lookups at work: one more is -EAGAIN.
 *
 * The memory of lookups and attempts is the C library's, as the resolver's is. A program that
 * loads and unloads libraries must keep soq as long as a lookup is at work: the shared
 * library sees to it by itself (-z nodelete).
 */

/* Flags of struct soq_resolve. */
#define SOQ_RESOLVE_NUMERIC (1u << 0) /* the text of an address or SOQ_NAME_NOT_FOUND: no lookup */

/**
 * What to look up, and where the addresses go. Begin with
 * `= { .size = sizeof(struct soq_resolve) }`.
 *
 * .NET:   Dns.GetHostAddresses, Dns.GetHostAddressesAsync
 */
struct soq_resolve {
	uint32_t size;  /* set by the caller: sizeof(struct soq_resolve) */
	int32_t family; /* AF_INET or AF_INET6 alone; 0: both */
	const char *host;
	size_t host_bytes;
	uint32_t port;                  /* of every endpoint: 0 to 65535 */
	uint32_t flags;                 /* SOQ_RESOLVE_* */
	struct soq_endpoint *endpoints; /* filled, in the resolver's order; NULL with no room */
	uint32_t endpoint_max;
	uint32_t reserved0;
	uint64_t reserved[4];
};

/**
 * Starts looking a host up.
 *
 * Result: 0; the event's result is how many addresses the host has, 1 or more. As many as
 *         there is room for are in `endpoints`, those of the most use first: more than
 *         `endpoint_max` says that some were left out.
 * Errors: those of every starting call
 *         -EINVAL        no host, or it is no such text; a family, flags or a port that cannot
 *                        be; NULL with room; or `resolve->size` is none this library knows
 *         -ENAMETOOLONG  the host is above 253 bytes, or a label above 63
 *         -ENODEV        the scope of an IPv6 address is no interface
 *         -ENOMEM        no memory
 *         as results: SOQ_NAME_NOT_FOUND, SOQ_NAME_NO_DATA (a host, but without an address of
 *         that family), SOQ_NAME_TRY_AGAIN and SOQ_NAME_FAILED of soq/error.h; -EAGAIN:
 *         64 lookups are at work, or no thread could be had; -ENOMEM; -ECANCELED,
 *         -ETIMEDOUT; else what the system has met
 * Owner:  `resolve` and `endpoints` are the library's until the final event; `host` is
 *         copied.
 * Thread: the loop's.
 * Kernel: getaddrinfo(3) in a thread. Fallback: the same.
 * .NET:   Dns.GetHostAddressesAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_resolve_async(struct soq_loop *loop, struct soq_op *op,
					     const struct soq_resolve *resolve);

/**
 * Looks a host up and waits, at most `timeout_ns` (negative: for ever). With NULL for the
 * loop no other ops make progress meanwhile.
 *
 * Result: how many addresses the host has, as soq_resolve_async().
 * Errors: what soq_resolve_async() returns, or its event's result
 *         -ETIMEDOUT  the time passed first
 *         -EMFILE, -ENFILE  no descriptors (with no loop and a timeout only)
 * Thread: the loop's; any, with no loop.
 * Kernel: getaddrinfo(3). Fallback: the same.
 * .NET:   Dns.GetHostAddresses
 */
SOQ_API SOQ_MUST_CHECK int soq_resolve(struct soq_loop *loop, const struct soq_resolve *resolve,
				       int64_t timeout_ns);

/* Flags of struct soq_connect_name. */
#define SOQ_CONNECT_IN_ORDER (1u << 0) /* one address after the other, never two at a time */

/**
 * A host and a port to connect to, and what the sockets for it shall be. Begin with
 * `= { .size = sizeof(struct soq_connect_name) }`.
 *
 * `endpoints` and `errors`, if given, have room for `endpoint_max` each. They are filled as
 * the attempts go: `endpoints` with every address of the host, in the order they are tried
 * in, "none" behind the last; `errors` with the -errno of each. It is 0 for the one that
 * connected and those that were not tried, -ECANCELED for one that another was faster than.
 *
 * .NET:   DnsEndPoint, ConnectAlgorithm, SocketAsyncEventArgs.ConnectByNameError
 */
struct soq_connect_name {
	uint32_t size;    /* set by the caller: sizeof(struct soq_connect_name) */
	int32_t family;   /* AF_INET or AF_INET6 alone; 0: both */
	int32_t type;     /* SOCK_*; 0 is SOCK_STREAM */
	int32_t protocol; /* 0: the type's own */
	const char *host;
	size_t host_bytes;
	uint32_t port;  /* 1 to 65535 */
	uint32_t flags; /* SOQ_CONNECT_IN_ORDER */
	/* An attempt without an answer has the next beside it after this; 10 ms or more, 0: 250 ms. */
	int64_t stagger_ns;
	const struct soq_option_raw *options; /* set on every socket before it connects, in order */
	uint32_t option_count;
	uint32_t endpoint_max;
	struct soq_endpoint *endpoints;
	int32_t *errors;
	struct soq_policy *policy; /* with no loop: the socket's; with one NULL, it has its own */
	uint64_t reserved[3];
};

/**
 * Starts connecting by name: looks the host up and connects to one of its addresses, each
 * attempt on a socket of its own (Happy Eyeballs, RFC 8305). The addresses are tried in the
 * resolver's order, but IPv6 and IPv4 by turns. The next attempt begins when the one before
 * it has failed, or has had no answer for `stagger_ns`, and goes on beside it; the first
 * that connects is the connection. All other sockets are closed, and nobody sees them.
 *
 * With SOQ_CONNECT_IN_ORDER the order is the resolver's alone, and the next attempt begins
 * when the one before it has failed. What bounds a single attempt then is an option:
 * TCP_SYNCNT.
 *
 * An address fails too when its socket cannot be opened or refuses an option, and when it is
 * the wildcard (-EADDRNOTAVAIL): connecting to that would be to this machine. The host is
 * looked up once. A policy is asked about each address, and about the host's name with it: see
 * policy.h. The op's deadline and a cancel end all of it, lookup and attempts.
 *
 * Result: 0; the event's result is 0 and its `socket` is the connection, the caller's
 *         from then on, on this loop.
 * Errors: those of every starting call
 *         -EINVAL        the host is the text of a wildcard address; no port; flags in `type`;
 *                        a `stagger_ns` below 10 ms; NULL options with a count; a policy; or as
 *                        soq_resolve_async()
 *         -ENAMETOOLONG, -ENODEV, -ENOMEM  as soq_resolve_async()
 *         as results: those of a lookup; what the attempt said that failed last, if all
 *         have failed; -ECANCELED, -ETIMEDOUT
 * Owner:  `name` and its arrays are the library's until the final event; `host` is copied.
 * Thread: the loop's.
 * Kernel: as soq_resolve_async() and soq_connect_async(). Fallback: likewise.
 * .NET:   Socket.ConnectAsync(string, int),
 *         Socket.ConnectAsync(SocketType, ProtocolType, SocketAsyncEventArgs, ConnectAlgorithm),
 *         TcpClient.ConnectAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_connect_name_async(struct soq_loop *loop, struct soq_op *op,
						  const struct soq_connect_name *name);

/**
 * Connects by name and waits: at most `timeout_ns` for the lookup and all attempts together
 * (negative: for ever). With NULL for the loop the socket is detached; the attempts are made
 * on a small loop of the call's own, on epoll.
 *
 * Result: 0 and `*s_out`; on failure `*s_out` is untouched.
 * Errors: -EINVAL  `s_out` is NULL
 *         -ETIMEDOUT  the time passed first
 *         -EMFILE, -ENFILE  no descriptors (with no loop only)
 *         else what soq_connect_name_async() returns, or its event's result
 * Owner:  close it with one of the calls of soq/socket.h.
 * Thread: the loop's; any, with no loop.
 * Kernel: as soq_connect_name_async(). Fallback: likewise.
 * .NET:   Socket.Connect(string, int), TcpClient, TcpClient.Connect
 */
SOQ_API SOQ_MUST_CHECK int soq_connect_name(struct soq_loop *loop,
					    const struct soq_connect_name *name, int64_t timeout_ns,
					    struct soq_socket **s_out);

#ifdef __cplusplus
}
#endif

#endif
