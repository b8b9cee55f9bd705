/* SPDX-License-Identifier: MIT */
/* Listeners: one address, a socket on each member; and how they end without losing anybody. */
#include "group.h"

#include <errno.h>
#include <string.h>

#define LISTEN_SIZE_MIN sizeof(struct soq_group_listen_options)

/* How long one waits after an accept that failed, for want of memory most likely. */
#define PAUSE_NS INT64_C(10000000)

/* Accepts in a row that may come to nothing though somebody waits. */
#define LAST_TRIES 10u

/* How long those have that have begun to connect when a drain begins: a round trip. */
#define GRACE_NS INT64_C(100000000)

static int listen_check(const struct soq_group *group, const struct soq_endpoint *ep,
			const struct soq_group_listen_options *how)
{
	if (ep == NULL || how == NULL || how->size < LISTEN_SIZE_MIN || how->size > sizeof(*how) ||
	    how->accepted == NULL || how->steering > SOQ_STEER_CPU ||
	    (how->option_count > 0 && how->options == NULL))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(how->reserved) / sizeof(how->reserved[0]); i++)
		if (how->reserved[i] != 0)
			return -EINVAL;
	if (how->steering == SOQ_STEER_INCOMING_CPU && group->options.placement != SOQ_PLACE_PINNED)
		return -EINVAL;
	if (ep->addr.any.sa_family != AF_INET && ep->addr.any.sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	for (const struct soqi_listening *l = group->listenings; l != NULL; l = l->next)
		if (soq_endpoint_equal(&l->local, ep))
			return -EADDRINUSE;
	return 0;
}

static void accepted_tell(struct soqi_listener *l, struct soq_socket *s)
{
	if (l->filtered)
		soqi_newcomers_forget(s);
	l->listening->accepted(l->member->group, l->member->index, s, l->listening->user);
}

/*
 * Nobody more can come in: takes in who has, and closes. Those whom the policy refuses are
 * passed over within an accept and its time, so that one that came to nothing says little
 * while there is still somebody.
 */
static void listener_end(struct soqi_listener *l)
{
	unsigned tries = LAST_TRIES;
	struct soq_socket *s;

	if (l->s == NULL)
		return;
	(void)soq_socket_set_timeouts(l->s, PAUSE_NS, 0);
	while (tries > 0 && soq_poll(l->s, SOQ_POLL_RECV, 0) != 0) {
		int error = soq_accept(l->s, &s, NULL);

		if (error != 0) {
			tries = error == -ETIMEDOUT ? tries - 1 : 0;
			continue;
		}
		accepted_tell(l, s);
		tries = LAST_TRIES;
	}
	(void)soq_close(l->s);
	l->s = NULL;
}

static void listener_accept(struct soqi_listener *l)
{
	l->accepts = soq_accept_async(l->s, &l->accept, SOQ_MULTISHOT) == 0;
}

static void on_pause(const struct soq_event *event)
{
	struct soqi_listener *l = event->op->user;

	if (event->result != 0)
		l->s = NULL; /* as below */
	else if (!l->is_last && !l->member->ending)
		listener_accept(l);
}

static void on_accept(const struct soq_event *event)
{
	struct soqi_listener *l = event->op->user;

	if (event->socket != NULL)
		accepted_tell(l, event->socket);
	if (event->flags & SOQ_F_MORE)
		return;
	l->accepts = false;
	/* As it ends the loop closes everything by itself. */
	if (l->member->ending)
		return;
	if (l->is_last)
		listener_end(l);
	else if (event->result == -ECANCELED)
		l->s = NULL; /* by the program, with all there is on its loop */
	else
		(void)!soq_sleep_async(atomic_load(&l->member->loop), &l->pause, PAUSE_NS);
}

static void on_grace(const struct soq_event *event)
{
	struct soqi_listener *l = event->op->user;

	if (event->result != 0 || l->member->ending)
		return;
	l->is_last = true;
	/* What the accept has taken already comes before its final event. */
	if (l->accepts)
		(void)soq_cancel(&l->accept);
	else
		listener_end(l);
}

void soqi_listeners_drain(struct soqi_member *m)
{
	for (struct soqi_listener *l = m->listeners; l != NULL; l = l->next) {
		if (l->s == NULL)
			continue;
		l->filtered = soqi_newcomers_refuse(l->s) == 0;
		(void)!soq_sleep_async(atomic_load(&m->loop), &l->grace, GRACE_NS);
	}
}

/* On the member's thread: the socket comes onto its loop. */
static int listener_attach(struct soqi_member *m, void *arg)
{
	struct soqi_listening *listening = arg;
	struct soqi_listener *l = &listening->at[m->index];
	int error;

	if (m->draining || m->ending)
		return -ESHUTDOWN;
	error = soq_socket_attach(atomic_load(&m->loop), l->s, &l->s);
	l->attached = error == 0;
	return error;
}

/* And once all are there: it accepts. */
static int listener_begin(struct soqi_member *m, void *arg)
{
	struct soqi_listening *listening = arg;
	struct soqi_listener *l = &listening->at[m->index];

	if (m->draining || m->ending)
		return -ESHUTDOWN;
	l->accept.done = on_accept;
	l->pause.done = on_pause;
	l->grace.done = on_grace;
	l->accept.user = l->pause.user = l->grace.user = l;
	listener_accept(l);
	if (!l->accepts)
		return -ENOMEM;
	l->next = m->listeners;
	m->listeners = l;
	return 0;
}

/* Or they were not: those that are give up. Who ends closes it by itself. */
static int listener_undo(struct soqi_member *m, void *arg)
{
	struct soqi_listening *listening = arg;
	struct soqi_listener *l = &listening->at[m->index];
	struct soqi_listener **link = &m->listeners;

	while (*link != NULL && *link != l)
		link = &(*link)->next;
	if (*link == l)
		*link = l->next;
	if (!l->attached)
		return 0;
	if (!m->ending)
		(void)soq_close(l->s);
	l->s = NULL;
	return 0;
}

/* A socket with its options, with nobody listening yet. */
static int socket_open(const struct soq_group *group, const struct soqi_listening *listening,
		       const struct soq_group_listen_options *how, struct soqi_listener *l)
{
	const struct soqi_member *m = l->member;
	int error = soq_socket_open(NULL, listening->local.addr.any.sa_family, SOCK_STREAM, 0,
				    &l->s);

	/* On no loop yet, and bound all the same. */
	if (error == 0 && group->policy != NULL)
		error = soq_socket_set_policy(l->s, group->policy);
	if (error == 0)
		error = soq_socket_set_option(l->s, SOQ_OPTION_REUSE_PORT, 1);
	if (error == 0 && how->steering == SOQ_STEER_INCOMING_CPU)
		error = soq_socket_set_option(l->s, SOQ_OPTION_INCOMING_CPU, m->cpu);
	for (unsigned i = 0; error == 0 && i < how->option_count; i++) {
		const struct soq_option_raw *raw = &how->options[i];

		error = soq_option_set(l->s, raw->level, raw->name, raw->value, raw->size_bytes);
	}
	if (error == 0)
		error = soq_bind(l->s, &listening->local);
	/* The members' sockets have the first one's program. */
	if (error == 0 && how->steering == SOQ_STEER_CPU && m->index == 0)
		error = soqi_steer_by_cpu(group, l->s);
	return error;
}

/* All are bound before the first one listens, so that a refusal costs no connection. */
static int sockets_open(struct soq_group *group, struct soqi_listening *listening,
			const struct soq_group_listen_options *how)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < group->member_count; i++) {
		listening->at[i].listening = listening;
		listening->at[i].member = &group->members[i];
		error = socket_open(group, listening, how, &listening->at[i]);
		if (error == 0 && i == 0)
			error = soq_socket_local(listening->at[i].s, &listening->local);
	}
	for (unsigned i = 0; error == 0 && i < group->member_count; i++)
		error = soq_listen(listening->at[i].s, how->backlog);
	return error;
}

/* Those that are still on no loop. */
static void sockets_close(struct soq_group *group, struct soqi_listening *listening)
{
	for (unsigned i = 0; i < group->member_count; i++)
		if (!listening->at[i].attached && listening->at[i].s != NULL)
			(void)soq_close(listening->at[i].s);
}

static int listening_begin(struct soq_group *group, struct soqi_listening *listening)
{
	int error = soqi_group_call(group, listener_attach, listening);

	if (error == 0)
		error = soqi_group_call(group, listener_begin, listening);
	if (error != 0)
		(void)soqi_group_call(group, listener_undo, listening);
	return error;
}

int soq_group_listen(struct soq_group *group, const struct soq_endpoint *ep,
		     const struct soq_group_listen_options *how, struct soq_endpoint *local_out)
{
	struct soqi_listening *listening;
	size_t size_bytes;
	int error = soqi_group_check(group, true);

	if (error == 0)
		error = listen_check(group, ep, how);
	if (error != 0)
		return error;
	size_bytes = sizeof(*listening) + group->member_count * sizeof(struct soqi_listener);
	listening = soqi_group_alloc(group, size_bytes);
	if (listening == NULL)
		return -ENOMEM;
	listening->size_bytes = size_bytes;
	listening->local = *ep;
	listening->accepted = how->accepted;
	listening->user = how->user;
	error = sockets_open(group, listening, how);
	if (error != 0) {
		sockets_close(group, listening);
		soqi_group_free(group, listening, size_bytes);
		return error;
	}
	error = listening_begin(group, listening);
	if (error != 0) {
		sockets_close(group, listening);
		listening->local.size_bytes = 0;
	} else if (local_out != NULL) {
		*local_out = listening->local;
	}
	/* After a failure too: an accept that is being cancelled lives in it. */
	listening->next = group->listenings;
	group->listenings = listening;
	return error;
}
