/* SPDX-License-Identifier: MIT */
/* Options of a socket. */
#ifndef SOQ_OPTION_H
#define SOQ_OPTION_H

#include <soq/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An option and its value, for calls that set some by themselves.
 */
struct soq_option {
	int32_t level;
	int32_t name;
	const void *value;
	uint32_t size_bytes;
	uint32_t reserved0;
};

/**
 * Sets an option as setsockopt(2) does. SO_LINGER is kept by the library and acts
 * at soq_close(): 0 seconds resets, more become a finish in the background, and
 * neither ever blocks. SO_RCVTIMEO and SO_SNDTIMEO have no effect on a loop and
 * are refused: soq_socket_set_timeouts() is their place.
 *
 * Result: 0.
 * Errors: -EINVAL      NULL, or a value the option cannot have
 *         -ENOPROTOOPT no such option, or one of the two refused
 *         -ERANGE      a linger time below 0 or above 65535 seconds
 *         -ENOMEM      no memory (SO_LINGER only)
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's.
 * .NET:   Socket.SetRawSocketOption
 */
SOQ_API SOQ_MUST_CHECK int soq_option_set(struct soq_socket *s, int level, int name,
					  const void *value, uint32_t size_bytes);

/**
 * Reads an option as getsockopt(2) does. SO_ERROR is what soq_socket_take_error() tells,
 * as a positive number.
 *
 * Result: the size of the value in bytes.
 * Errors: -EINVAL       NULL
 *         -ENOPROTOOPT  no such option
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what getsockopt(2) says
 * Thread: the loop's.
 * .NET:   Socket.GetRawSocketOption
 */
SOQ_API SOQ_MUST_CHECK int soq_option_get(struct soq_socket *s, int level, int name, void *value,
					  uint32_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
