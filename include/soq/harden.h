/* SPDX-License-Identifier: MIT */
/* A second wall behind a policy: the kernel's. */
#ifndef SOQ_HARDEN_H
#define SOQ_HARDEN_H

#include <soq/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the kernel does not hold the process to, in bits. */
#define SOQ_HARDEN_NOTHING   (1u << 0) /* not even TCP: no Landlock, or one before Linux 6.7 */
#define SOQ_HARDEN_CONNECT   (1u << 1) /* TCP connects: the policy has them go to all ports */
#define SOQ_HARDEN_BIND      (1u << 2) /* TCP binds: likewise */
#define SOQ_HARDEN_ADDRESSES (1u << 3) /* addresses and names: it knows ports alone */
/* UDP, MPTCP, fast opens, unix and all other sockets; to listen without a bind */
#define SOQ_HARDEN_OTHERS  (1u << 4)
#define SOQ_HARDEN_ACCEPT  (1u << 5) /* who is let in */
#define SOQ_HARDEN_THREADS (1u << 6) /* threads that are there already */

/**
 * Has the kernel hold the calling thread, and the threads and programs it starts from now on,
 * to the ports where `policy` allows TCP connects and binds of some address, with soq or
 * without, and by a ring as well: code in this process that goes round the policy meets it
 * there. It cannot be undone, only be narrowed by another call. Call it first thing in main(),
 * before there are threads, loops and descriptors; what is connected and bound already stays
 * so. Rings of loops are restricted to what soq does anyway ("restrictions" in
 * `struct soq_loop_info`), and those of loops with a policy that lets nothing connect, or
 * neither bind nor accept, cannot do that.
 *
 * The policy still has to be given to loops and sockets: the kernel knows less than that, and
 * `*gaps_out` says what of it. A resolver's own connects are under it as well: TCP to port 53.
 * It takes some us for each port that is allowed, where not all are.
 *
 * Result: 0, and `*gaps_out` has what the kernel does not hold it to: SOQ_HARDEN_NOTHING, and
 *         all that the policy cannot be translated into. The process cannot gain privileges by
 *         exec any more (PR_SET_NO_NEW_PRIVS), unless there was nothing to hold it to.
 * Errors: -EINVAL  NULL
 *         -E2BIG   16 such walls are there already
 *         -ENOMEM  no memory
 *         else what landlock_add_rule(2) and landlock_restrict_self(2) say
 * Owner:  `policy` stays the caller's.
 * Thread: any.
 * Kernel: Landlock from its version 4 on, Linux 6.7.
 */
SOQ_API SOQ_MUST_CHECK int soq_harden(const struct soq_policy *policy, uint32_t *gaps_out);

#ifdef __cplusplus
}
#endif

#endif
