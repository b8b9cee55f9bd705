/* SPDX-License-Identifier: MIT */
/* Options that the library has a part in: a linger time, and the kernel's error. */
#ifndef SOQI_OPTION_H
#define SOQI_OPTION_H

#include "socket.h"

/* Seconds from 0 to 65535; -1 is off. */
int soqi_linger_set(struct soq_socket *s, int32_t linger_s);
int32_t soqi_linger_get(struct soq_socket *s);

/* The error that waits in the kernel, a negative errno or 0: noted, since nobody else gets it. */
int soqi_error_take(struct soq_socket *s, int64_t *error_out);

#endif
