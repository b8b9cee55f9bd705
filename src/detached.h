/* SPDX-License-Identifier: MIT */
/*
 * Detached sockets: on no loop, for any thread. Their calls are plain blocking ones
 * that obey the rules of lane.c and judge.c, so the results are those of a loop's.
 */
#ifndef SOQI_DETACHED_H
#define SOQI_DETACHED_H

#include "socket.h"

/* `s` may be NULL: that is not detached. */
static inline bool soqi_is_detached(const struct soq_socket *s)
{
	return s != NULL && s->loop == NULL;
}

/* A blank detached socket, or NULL without memory; and its memory given back. */
struct soq_socket *soqi_detached_alloc(void);
void soqi_detached_free(struct soq_socket *s);

/* What its threads share is read and written between these. */
void soqi_detached_lock(struct soq_socket *s);
void soqi_detached_unlock(struct soq_socket *s);

/* From here to soqi_detached_leave() it cannot be closed; the lock is held. */
void soqi_detached_enter(struct soq_socket *s);
void soqi_detached_leave(struct soq_socket *s);

/* Whether nobody but the caller, who has entered and holds the lock, is inside. */
bool soqi_detached_alone(struct soq_socket *s);

/* 0, or -EBUSY while a thread is inside a call. */
int soqi_detached_quiet(struct soq_socket *s);

/* Sleeps for `nap_ns`, not beyond `until_ns`. False if that has come. */
bool soqi_detached_nap(int64_t nap_ns, int64_t until_ns);
/*
 * Waits for what the request could not do yet. False if `until_ns` has come.
 * `unwatched`: no poll tells, see backoff.c.
 */
bool soqi_detached_wait_for(const struct soqi_request *request, bool unwatched, int64_t until_ns);
/* When the op of a call has to give up. */
int64_t soqi_detached_until(const struct soq_op *op);

int64_t soqi_detached_transfer(struct soq_socket *s, const struct soqi_transfer *t,
			       struct soq_op *op, uint32_t flags, struct soq_event *event);
int soqi_detached_accept(struct soq_socket *s, struct soq_socket **accepted_out,
			 struct soq_endpoint *peer_out);
/*
 * `fast`: a blank op with the data of a fast open, told in priv.moved what left; or NULL.
 * `name`: what has the address, or NULL.
 */
int soqi_detached_connect(struct soq_socket *s, const struct soq_endpoint *ep, struct soq_op *fast,
			  const char *name);
int soqi_detached_accept_into(struct soq_socket *s, struct soq_socket *target,
			      struct soq_endpoint *peer_out);
int soqi_detached_shutdown(struct soq_socket *s, int how);
int soqi_detached_poll(struct soq_socket *s, uint32_t events, int64_t timeout_ns);
int soqi_detached_close(struct soq_socket *s, bool abort);
int soqi_detached_finish(struct soq_socket *s, int64_t timeout_ns);

/* adopt.c. Tells the kernel a linger time; negative is none. */
void soqi_linger_tell(const struct soq_socket *s, int32_t linger_s);
/* path.c */
int soqi_path_move(struct soq_socket *from, struct soq_socket *to);
/* poll.c */
int soqi_poll_check(uint32_t events, uint32_t flags);

#endif
