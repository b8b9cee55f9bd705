/* SPDX-License-Identifier: MIT */
/*
 * Where sockets meet their policy. An address is copied first, the copy is judged, and the
 * copy is what the kernel gets.
 */
#ifndef SOQI_POLICED_H
#define SOQI_POLICED_H

#include "policy.h"
#include "socket.h"

/* detached.c */
struct soq_policy *soqi_detached_policy(const struct soq_socket *s);
/* Its reference becomes the socket's. */
void soqi_detached_policy_give(struct soq_socket *s, struct soq_policy *policy);
/* Counts a refusal. */
void soqi_detached_refused(const struct soq_socket *s, uint32_t rule);
void soqi_detached_refusals(const struct soq_socket *s, uint32_t *count_out, uint32_t *rule_out);

static inline struct soq_policy *soqi_policy_of(const struct soq_socket *s)
{
	return s->loop != NULL ? s->loop->policy : soqi_detached_policy(s);
}

static inline bool soqi_is_policed(const struct soq_socket *s)
{
	return soqi_unlikely(soqi_policy_of(s) != NULL);
}

/*
 * Of a socket that has a policy: copies the address and judges the copy. 0, -EACCES, counted,
 * or what is wrong with an address that was changed after it was checked.
 */
int soqi_policed_copy(const struct soq_socket *s, uint32_t what, const char *name,
		      const struct soq_endpoint *from, struct soq_endpoint *copy);

/* A copy of a connect's address for its life, or NULL without memory; and given back. */
struct soq_endpoint *soqi_policed_keep(struct soq_loop *loop, const struct soq_endpoint *ep);
void soqi_policed_leave(struct soq_loop *loop, const struct soq_endpoint *ep);
/* The turn of a connect has come, with such a copy: 0 if it may go on. */
int soqi_policed_connect(const struct soq_socket *s, const struct soq_op *op);

/* A listen without a bind binds: where a listener is to be is judged in any case. */
int soqi_policed_listen(const struct soq_socket *s);

/* Whether `s` may keep an address by a bind; no refusal if not. */
bool soqi_policed_may_keep(const struct soq_socket *s, const struct soq_endpoint *ep);

/*
 * Whether `s` may have an arrival. False also when its peer is gone already: then nobody can
 * tell who it was.
 */
bool soqi_policed_arrival(const struct soq_socket *s, int fd);

/*
 * Whether a socket with what it is bound and connected to may be under `policy`; of what
 * `known` (or NULL) has of it everything was judged when it was done, and better.
 */
int soqi_policed_state(const struct soq_socket *s, const struct soq_policy *policy,
		       const struct soq_policy *known, uint32_t *rule_out);
/* The same for one that comes to a loop; counted there. */
int soqi_policed_come(const struct soq_socket *s, struct soq_loop *loop);

/*
 * The name in a message's header, if there is one, becomes `*copy`, judged. `counts`: a refusal
 * is one now, else it will be found again.
 */
int soqi_policed_header(const struct soq_socket *s, struct msghdr *header,
			struct soq_endpoint *copy, bool counts);
/* Sends the message of an op with an address: bytes, -EAGAIN, or why not. */
int32_t soqi_policed_send(const struct soq_socket *s, struct soq_op *op);

#endif
