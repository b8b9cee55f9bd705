/* SPDX-License-Identifier: MIT */
/* Connecting to the first of many addresses that answers. */
#ifndef SOQ_CONNECT_H
#define SOQ_CONNECT_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/op.h>
#include <soq/option.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Addresses to try, in order, and what the sockets for it shall be. Begin with
 * `= { .size = sizeof(struct soq_connect_list) }`.
 */
struct soq_connect_list {
	uint32_t size; /* set by the caller: sizeof(struct soq_connect_list) */
	int32_t type;  /* SOCK_*; the family is each address's */
	int32_t protocol;
	uint32_t endpoint_count;
	const struct soq_endpoint *endpoints;
	int32_t *errors; /* NULL, or one for each: its -errno; 0 if it connected or was not tried */
	const struct soq_option_raw *options; /* set on every socket before it connects, in order */
	uint32_t option_count;
	uint32_t reserved0;
	uint64_t reserved[4];
};

/**
 * Starts connecting to the first of a list of addresses that takes it, one after
 * another, each on a socket of its own: those of failed attempts are closed, and nobody
 * sees them. An address fails too when its socket cannot be opened or refuses an option.
 *
 * The op's deadline and a cancel end all of it. What bounds a single attempt is an
 * option: TCP_SYNCNT.
 *
 * Result: 0; the event's result is 0 and its `socket` is the connection, the caller's
 *         from then on, on this loop.
 * Errors: those of every starting call
 *         -EINVAL  no addresses, flags in `type`, a NULL array with a count, or
 *                  `list->size` is none this library knows
 *         as results: what the last address said, if all have failed; -ECANCELED,
 *         -ETIMEDOUT
 * Owner:  `list` and its arrays are the library's until the final event.
 * Thread: the loop's.
 * Kernel: as soq_connect_async(). Fallback: likewise.
 * .NET:   Socket.ConnectAsync(IPAddress[], int),
 *         Socket.ConnectAsync(SocketType, ProtocolType, SocketAsyncEventArgs)
 */
SOQ_API SOQ_MUST_CHECK int soq_connect_list_async(struct soq_loop *loop, struct soq_op *op,
						  const struct soq_connect_list *list);

/**
 * Connects to the first of a list of addresses that takes it, and waits: at most
 * `timeout_ns` for all of them together (negative: for ever). With NULL for the loop the
 * sockets are detached.
 *
 * Result: 0 and `*s_out`; on failure `*s_out` is untouched.
 * Errors: -EINVAL  `s_out` is NULL, or as soq_connect_list_async()
 *         -ETIMEDOUT  the time passed first
 *         else what the last address said; -ECHILD, -EXDEV as for every call
 * Owner:  close it with one of the calls of soq/socket.h.
 * Thread: the loop's; any, with no loop.
 * .NET:   Socket.Connect(IPAddress[], int)
 */
SOQ_API SOQ_MUST_CHECK int soq_connect_list(struct soq_loop *loop,
					    const struct soq_connect_list *list, int64_t timeout_ns,
					    struct soq_socket **s_out);

#ifdef __cplusplus
}
#endif

#endif
