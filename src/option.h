/* SPDX-License-Identifier: MIT */
/* An option that the library has a part in: the linger time. */
#ifndef SOQI_OPTION_H
#define SOQI_OPTION_H

#include "socket.h"

#define SOQI_LINGER_MAX_S 65535

/* Seconds from 0 to SOQI_LINGER_MAX_S; -1 is off. */
int soqi_linger_set(struct soq_socket *s, int32_t linger_s);
int32_t soqi_linger_get(struct soq_socket *s);

/* A bind of TCP leaves SO_REUSEADDR as it is from now on. */
void soqi_reuse_chosen(struct soq_socket *s);

/* option_value.c. SOQI_WHO_* of a socket. */
uint32_t soqi_option_who(const struct soq_socket *s);

/* option_carry.c. Sets on `to`, a fresh descriptor, what differs on the socket's. */
int soqi_options_carry(const struct soq_socket *s, int to);

#endif
