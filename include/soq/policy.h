/* SPDX-License-Identifier: MIT */
/* Policies: where a loop's sockets, or a detached one, may connect, send, bind and accept. */
#ifndef SOQ_POLICY_H
#define SOQ_POLICY_H

#include <soq/base.h>
#include <soq/endpoint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A policy is a list of rules that allow or deny, and what holds where no rule does. A rule
 * is about what is done, by which transport, at which place and ports. One that denies wins
 * over all that allow, whatever their order.
 *
 * It is attached to a loop (`policy` in struct soq_loop_options) or to a detached socket
 * (soq_socket_set_policy()), and judges from then on
 *   connect   of every kind: each address of a list, with data, fast open, MPTCP, the peer
 *             of datagrams, again after a disconnect
 *   send_to   each message that has an address, each of a batch
 *   bind      and the address a listener has or is given when it listens
 *   accept    the peer, before the program sees the socket: a refused one is reset and
 *             counted, and the accept goes on
 * and the peer and the local address of descriptors that are adopted, and of sockets that are
 * attached to the loop, but for what the same rules have judged when it was done. What is refused ends with -EACCES before the kernel hears of it: as
 * the op's event, or a synchronous call's result. What the kernel gets is a copy of the
 * address, and the copy is what was judged: memory that changes meanwhile changes nothing.
 *
 * struct soq_loop_stats counts refusals (`policy_refusals`, which also tells them from an
 * -EACCES of the kernel's) and has the number of the rule that refused last
 * (`last_refused_rule`); struct soq_socket_info has both for a detached socket. Rules count
 * from 1 in the order they were given; 0 is the default: no rule has allowed it.
 *
 * An address is judged as what it leads to. A mapped one (::ffff:192.0.2.1) is the IPv4
 * address, in rules as well; rules that deny see its IPv6 form too. 0.0.0.0 and :: are
 * loopback, and it is there that a connect or a send to them goes, whatever the socket is bound
 * to. One that has an IPv4 address inside is judged outside and inside, and both have to be
 * allowed: ::192.0.2.1, ::ffff:0:192.0.2.1, ISATAP (any network, 0:5efe:192.0.2.1 or
 * 200:5efe:192.0.2.1), NAT64 (64:ff9b::/96, and 64:ff9b:1::/48 at each place where the network
 * may have put it), 6to4, Teredo (the server's and the client's). Other prefixes that a network
 * has made its own for this cannot be known: deny them. To bind to 0.0.0.0 or :: is to bind to
 * every address: a rule has to allow that very address, and one that denies any address of the
 * family denies it. Port 0 of a bind is each of 32768 to 60999 (of vsock, of 1024 and above),
 * one of which the kernel chooses unless it is set up otherwise: rules have to allow them all,
 * by one rule, and one that denies any denies it. What has no port (unix, packet and raw
 * sockets) is allowed by rules for all ports, and denied whatever their ports.
 *
 * It guards a program against being steered (a URL that leads inside, a mistake in a
 * configuration); it is no wall against code in the same process. It judges addresses,
 * not options: SO_BINDTODEVICE, source routes; nor what raw and packet sockets write, so deny
 * these. Symbolic links in a unix path lead where they lead: allow folders that only the
 * trusted can write to. A datagram that arrives is not judged, nor a group that is joined, nor
 * the port that a connect or a send takes by itself, nor what a resolver asks the network.
 *
 * A judgement is linear: some 100 ns, and 1 to 2 more for each rule about addresses of the
 * family at hand. An addressed send is then a call of its own in place of a request of the ring, in
 * batches of 16, and a connect copies its address. Without a policy none of it costs more
 * than a branch.
 *
 * As text, a rule a line:
 *
 *     # what is not allowed is denied
 *     default deny
 *     allow connect tcp 192.0.2.0/24 443
 *     allow connect,send_to tcp,udp 2001:db8::/32 1024-65535
 *     allow bind,accept tcp *
 *     allow connect tcp www.example.org 443
 *     allow connect unix unix:/run/app/
 *     deny  any any 192.0.2.13
 *
 * that is: allow or deny; what (connect, accept, bind, send_to, with commas; any); the
 * transport (tcp, udp, raw, unix, vsock, packet, other, likewise); the place; a port, two
 * with `-`, or `*`, or none: all. `default` has to be there once, anywhere. `#` begins a
 * comment. Places:
 *
 *     *                    everywhere, also where there is no address (an unnamed unix peer)
 *     192.0.2.0/24         addresses; no bit may be set behind the prefix; alone: one address
 *     192.0.*.*            any number in place of each `*`
 *     2001:db8::/32        no brackets and no scope: each scope is meant
 *     www.example.org      a connect by this name: see soq_policy_judge()
 *     unix:/run/app        this path, and what is below it; `unix:/`: every absolute path
 *     unix:@name           an abstract name; `unix:@name*`: those that begin so
 *     vsock:2              a machine's number
 *
 * A path that is relative or has `.`, `..` or `//` in it may be another's spelling: no rule
 * with a path allows it, every one denies it. Raw sockets are those of SOCK_RAW and of ping,
 * MPTCP is tcp, UDP-Lite is udp.
 */
struct soq_policy;

/* What is done, in bits. */
#define SOQ_POLICY_CONNECT (1u << 0)
#define SOQ_POLICY_ACCEPT  (1u << 1)
#define SOQ_POLICY_BIND    (1u << 2)
#define SOQ_POLICY_SEND_TO (1u << 3)
#define SOQ_POLICY_ALL     0xfu

/* Transports, in bits. */
#define SOQ_POLICY_TCP    (1u << 0)
#define SOQ_POLICY_UDP    (1u << 1)
#define SOQ_POLICY_RAW    (1u << 2)
#define SOQ_POLICY_UNIX   (1u << 3)
#define SOQ_POLICY_VSOCK  (1u << 4)
#define SOQ_POLICY_PACKET (1u << 5)
#define SOQ_POLICY_OTHER  (1u << 6)
#define SOQ_POLICY_ANY    0x7fu

/* What a rule says, and the default. 0 is neither, so that none is given by accident. */
enum soq_policy_verdict {
	SOQ_POLICY_ALLOW = 1,
	SOQ_POLICY_DENY = 2,
};

/* Rules of one policy, bytes of a line without its end, bytes of a text. */
#define SOQ_POLICY_RULES_MAX 4096
#define SOQ_POLICY_LINE_MAX  1000
#define SOQ_POLICY_TEXT_MAX  (1 << 20)
/* Policies that can be narrowed into one. */
#define SOQ_POLICY_SETS_MAX 16

/**
 * A rule, for soq_policy_create(). Begin with `= {0}`.
 */
struct soq_policy_rule {
	uint32_t verdict;    /* enum soq_policy_verdict */
	uint32_t what;       /* SOQ_POLICY_CONNECT ... */
	uint32_t transports; /* SOQ_POLICY_TCP ... */
	uint32_t port_first; /* both 0: all ports */
	uint32_t port_last;
	uint32_t reserved0;   /* must be 0 */
	const char *place;    /* as in a text; NULL is `*` */
	uint64_t reserved[2]; /* must be 0 */
};

/**
 * What is wrong with a policy, and where. Begin with
 * `= { .size = sizeof(struct soq_policy_error) }`.
 */
struct soq_policy_error {
	uint32_t size;   /* set by the caller: sizeof(struct soq_policy_error) */
	uint32_t line;   /* from 1; 0: no line's fault. Of rules: which, from 1 */
	uint32_t column; /* in bytes, from 1; 0 of rules */
	uint32_t reserved0;
	const char *text; /* English, without a full stop; lives for ever */
	uint64_t reserved[2];
};

/**
 * Reads a policy from its text: `size_bytes` bytes of it, which need no NUL. Any bytes may
 * be given; what is no policy is refused, and nothing is guessed.
 *
 * Result: 0 and `*policy_out`; on failure that is untouched, and `*error_out`, unless it is
 *         NULL, tells the first fault.
 * Errors: -EINVAL  NULL, `error_out->size` is none this library knows, or the text is none:
 *                  see `*error_out`
 *         -E2BIG   more than SOQ_POLICY_RULES_MAX rules
 *         -EFBIG   more than SOQ_POLICY_TEXT_MAX bytes
 *         -ENOMEM  no memory
 * Owner:  give it back with soq_policy_release().
 * Thread: any.
 * .NET:   SocketPermission.FromXml
 */
SOQ_API SOQ_MUST_CHECK int soq_policy_parse(const char *text, size_t size_bytes,
					    struct soq_policy_error *error_out,
					    struct soq_policy **policy_out);

/**
 * Reads a policy from a file, as soq_policy_parse() does from its text.
 *
 * Result: 0 and `*policy_out`; on failure as soq_policy_parse().
 * Errors: those of soq_policy_parse()
 *         -ENOENT, -EACCES, -EISDIR  and what else open(2) and read(2) say
 * Owner:  give it back with soq_policy_release().
 * Thread: any.
 */
SOQ_API SOQ_MUST_CHECK int soq_policy_read(const char *path, struct soq_policy_error *error_out,
					   struct soq_policy **policy_out);

/**
 * Makes a policy of `rule_count` rules; `otherwise` is its default.
 *
 * Result: 0 and `*policy_out`; on failure as soq_policy_parse(), `line` being the rule.
 * Errors: -EINVAL  NULL, no or an unknown default, or a rule is none: see `*error_out`
 *         -E2BIG   more than SOQ_POLICY_RULES_MAX rules
 *         -ENOMEM  no memory
 * Owner:  give it back with soq_policy_release().
 * Thread: any.
 * .NET:   SocketPermission, EndpointPermission, NetworkAccess, TransportType
 */
SOQ_API SOQ_MUST_CHECK int soq_policy_create(const struct soq_policy_rule *rules, size_t rule_count,
					     enum soq_policy_verdict otherwise,
					     struct soq_policy_error *error_out,
					     struct soq_policy **policy_out);

/**
 * A policy that allows all but to connect and to send to what is not on the public Internet:
 * loopback, private, link-local and shared addresses (the metadata services of clouds are
 * there), ULA, documentation, benchmarks, multicast, broadcast, reserved ones; nor by other
 * transports than IP. It is for programs that connect where others tell them to; narrow your
 * own with it. Public addresses of this machine itself are as public as others: whoever has
 * such denies them.
 *
 * Result: 0 and `*policy_out`.
 * Errors: -EINVAL NULL, -ENOMEM no memory
 * Owner:  give it back with soq_policy_release().
 * Thread: any.
 */
SOQ_API SOQ_MUST_CHECK int soq_policy_public_only(struct soq_policy **policy_out);

/**
 * The policy that allows what `a` and `b` both do. The rules of `b` are numbered behind those
 * of `a`.
 *
 * Result: 0 and `*policy_out`.
 * Errors: -EINVAL  NULL
 *         -E2BIG   it would be of more than SOQ_POLICY_SETS_MAX
 *         -ENOMEM  no memory
 * Owner:  give it back with soq_policy_release(); `a` and `b` stay the caller's.
 * Thread: any.
 * .NET:   SocketPermission.Intersect
 */
SOQ_API SOQ_MUST_CHECK int soq_policy_narrow(struct soq_policy *a, struct soq_policy *b,
					     struct soq_policy **policy_out);

/**
 * Counts one more holder of a policy, and one less: it lives until the last has released it,
 * loops and sockets it is attached to included. Nothing in it ever changes.
 *
 * Result: soq_policy_retain(): `policy`. NULL is a no-op.
 * Thread: any.
 * .NET:   SocketPermission.Copy
 */
SOQ_API struct soq_policy *soq_policy_retain(struct soq_policy *policy);
SOQ_API void soq_policy_release(struct soq_policy *policy);

/**
 * Asks a policy. `what` and `transport` are one bit each. `ep` is an address, and NULL is
 * none: an unnamed peer. `name`, unless it is NULL, is what a connect was asked for, by
 * soq_connect_name() or in struct soq_connect_list: a rule with that name allows all its
 * addresses which no other rule denies, or denies them; case and a dot at the end do not
 * count. Whoever answers for the name says where that is: deny what is inside, or narrow with
 * soq_policy_public_only(). Rules with names match no connect by address. With a
 * name and no address the answer is about the name: whether it is denied.
 *
 * Result: 0 if it is allowed. `*rule_out`, unless it is NULL, is the number of the rule that
 *         refuses.
 * Errors: -EACCES  it is refused
 *         -EINVAL  NULL, not one bit, or `ep` is no address
 * Thread: any.
 * .NET:   SocketPermission.Demand
 */
SOQ_API SOQ_MUST_CHECK int soq_policy_judge(const struct soq_policy *policy, uint32_t what,
					    uint32_t transport, const char *name,
					    const struct soq_endpoint *ep, uint32_t *rule_out);

/**
 * Attaches a policy to a detached socket: at once after it is opened or adopted, or later.
 * One that has a policy gets what both allow. Its peer and local address are judged now.
 * What it accepts is under the same policy (a target of soq_accept_into() keeps its own, and
 * both are asked who may come), and it may be attached to loops whose policy is the same or
 * was narrowed from it. A socket that leaves a loop has the loop's.
 *
 * Result: 0. On failure the socket is as it was.
 * Errors: -EINVAL  NULL, or the socket is on a loop: that has its own
 *         -EACCES  the policy refuses the peer or the local address it has, or it has a peer
 *                  that cannot be told (of datagrams, with port 0; of a vsock, connecting)
 *         -EBUSY   another thread is inside a call
 *         -E2BIG   as soq_policy_narrow()
 *         -ENOMEM  no memory
 * Owner:  `policy` stays the caller's.
 * Thread: any.
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_set_policy(struct soq_socket *s, struct soq_policy *policy);

#ifdef __cplusplus
}
#endif

#endif
