/* SPDX-License-Identifier: MIT */
/* Sockets that a service manager has opened for this process. */
#ifndef SOQ_SERVICE_H
#define SOQ_SERVICE_H

#include <soq/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of soq_listen_fds(). */
#define SOQ_LISTEN_UNSET (1u << 0) /* take the variables out of the environment */

/**
 * One descriptor that was passed to this process.
 */
struct soq_listen_fd {
	int32_t fd;     /* 3 and on, in the order of the manager's configuration */
	char name[256]; /* what the manager calls it; "unknown" if it gave no names */
};

/**
 * Tells which descriptors a service manager has passed to this process, by the protocol
 * of sd_listen_fds(3): LISTEN_FDS says how many, from 3 on, LISTEN_PID for whom they
 * are (LISTEN_PIDFDID, if it is there, by a number that is never used again),
 * LISTEN_FDNAMES, if it is there, how they are called. They become close-on-exec.
 * soq_socket_adopt() makes sockets of them, onto a loop or detached; one may be a FIFO
 * or a file as well, which that refuses. A unix path they are bound to is the manager's,
 * and is not removed with the socket.
 *
 * The environment stays as it is, and each call tells the same, unless SOQ_LISTEN_UNSET
 * is given: then the variables are gone, whatever the result but for bad arguments, so
 * that neither a child nor a later call takes them for its own.
 *
 * Result: how many there are, which may be more than `fd_max`: the first `fd_max` are in
 *         `fds` (NULL with 0 asks for their number alone). 0 if there are none: no
 *         variables, another process's, or a program with more rights than its caller.
 * Errors: -EINVAL  unknown flags, NULL with an `fd_max`; a variable that is no number,
 *                  not as many names as descriptors, or a name longer than 255
 *         -EBADF   one of them is not open; then nothing is changed
 * Owner:  the descriptors are the caller's until they are adopted.
 * Thread: any, while none changes the environment; with SOQ_LISTEN_UNSET while none
 *         reads it either.
 */
SOQ_API SOQ_MUST_CHECK int soq_listen_fds(struct soq_listen_fd *fds, unsigned fd_max,
					  uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
