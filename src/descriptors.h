/* SPDX-License-Identifier: MIT */
/*
 * What a message of a unix socket has beside its bytes: descriptors, and who has sent
 * it. The core makes these calls itself and never waits in them: so what the kernel puts
 * into our table of descriptors has an op that knows of it at once, and no request on its
 * way can hold any when it is cancelled.
 */
#ifndef SOQI_DESCRIPTORS_H
#define SOQI_DESCRIPTORS_H

#include "socket.h"

#include <soq/message.h>

/*
 * Of a start: checks what `message` says of descriptors, notes whether the message is sent
 * or received here, and that nothing has come yet.
 */
int soqi_descriptors_check(const struct soq_socket *s, const struct soq_op *op,
			   struct soq_message *message, const struct soqi_transfer *t);

/* Whether it is, as it was noted; of a send, until its first bytes have left. */
static inline bool soqi_descriptors_serve(const struct soq_socket *s,
					  const struct soq_message *message)
{
	return s->family == AF_UNIX && message->control[0] != 0;
}

/* Sends it: bytes, or -errno. */
int32_t soqi_descriptors_send(const struct soq_socket *s, struct soq_message *message);
/* Receives into it, behind the `moved` bytes it has; `flags` are MSG_PEEK, MSG_DONTWAIT. */
int32_t soqi_descriptors_receive(const struct soq_socket *s, struct soq_message *message,
				 uint64_t moved, int flags);

/* Closes what has come: nobody will be told of it. */
void soqi_descriptors_drop(struct soq_message *message);

/* Whether the kernel tells the unix socket `fd` who has sent a message. */
bool soqi_credentials_told(int fd);
/* Remembers whether the kernel tells a unix socket who has sent a message. */
void soqi_credentials_note(struct soq_socket *s);
/* Switches it on or off. */
int soqi_credentials_set(struct soq_socket *s, bool on);

#endif
