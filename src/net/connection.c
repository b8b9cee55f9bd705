/* SPDX-License-Identifier: MIT */
/*
 * Connections of a listener: their phases and the clocks of these. Each phase has a list, in
 * the order of entering it, and all in it may stay equally long: so its first is
 * the first whose time is over, and one timer does for all.
 */
#include "listener.h"

#include "../util.h"

#include <errno.h>
#include <stddef.h>

void soqi_connections_append(struct soqi_connections *list, struct soq_connection *c)
{
	c->priv.next = NULL;
	c->priv.prev = list->last;
	if (list->last != NULL)
		list->last->priv.next = c;
	else
		list->first = c;
	list->last = c;
}

void soqi_connections_remove(struct soqi_connections *list, struct soq_connection *c)
{
	if (c->priv.prev != NULL)
		c->priv.prev->priv.next = c->priv.next;
	else
		list->first = c->priv.next;
	if (c->priv.next != NULL)
		c->priv.next->priv.prev = c->priv.prev;
	else
		list->last = c->priv.prev;
	c->priv.next = c->priv.prev = NULL;
}

static bool is_timed(const struct soq_connection *c)
{
	return c->priv.state < SOQI_CONNECTION_TIMED_PHASES;
}

static void clock_arm(struct soqi_clock *clock);

/* Ends the receive that a connection has in flight, or its next one. */
static void connection_shut(struct soq_connection *c)
{
	soqi_connections_remove(&c->priv.listener->clocks[c->priv.state].connections, c);
	c->priv.state = SOQI_CONNECTION_OVER;
	(void)soq_shutdown(c->priv.socket, SOQ_SHUTDOWN_RECV);
}

static void on_clock(const struct soq_event *event)
{
	struct soqi_clock *clock = event->op->user;
	struct soq_listener *l = clock->listener;
	struct soq_connection *c;
	int64_t now_ns = soqi_now_ns();
	bool goes_on = event->result == 0 || clock->cut;

	clock->busy = clock->cut = false;
	l->inner_count--;
	/* A cancel of somebody else's is the end of the loop. */
	if (goes_on) {
		while ((c = clock->connections.first) != NULL &&
		       c->priv.since_ns <= now_ns - clock->limit_ns) {
			l->expired++;
			connection_shut(c);
		}
		clock_arm(clock);
	}
	soqi_listener_settle(l);
}

static void clock_arm(struct soqi_clock *clock)
{
	const struct soq_connection *c = clock->connections.first;
	int64_t wait_ns;

	if (clock->limit_ns == 0 || clock->busy || c == NULL || clock->listener->closed)
		return;
	wait_ns = soqi_after_ns(c->priv.since_ns, clock->limit_ns) - soqi_now_ns();
	clock->op.user = clock;
	(void)soq_op_inner(&clock->op, on_clock);
	if (soq_sleep_async(clock->listener->loop, &clock->op, wait_ns) != 0)
		return;
	clock->busy = true;
	clock->listener->inner_count++;
}

void soqi_clocks_init(struct soq_listener *l, int64_t header_ns, int64_t idle_ns)
{
	l->clocks[SOQ_PHASE_HEADER].limit_ns = header_ns;
	l->clocks[SOQ_PHASE_IDLE].limit_ns = idle_ns;
	for (unsigned i = 0; i < SOQI_CONNECTION_TIMED_PHASES; i++)
		l->clocks[i].listener = l;
}

void soqi_clocks_stop(struct soq_listener *l)
{
	for (unsigned i = 0; i < SOQI_CONNECTION_TIMED_PHASES; i++)
		if (l->clocks[i].busy && !l->clocks[i].cut) {
			l->clocks[i].cut = true;
			(void)soq_cancel(&l->clocks[i].op);
		}
}

static void phase_enter(struct soq_connection *c, uint32_t phase)
{
	struct soqi_clock *clock;

	c->priv.state = phase;
	if (!is_timed(c))
		return;
	clock = &c->priv.listener->clocks[phase];
	c->priv.since_ns = soqi_now_ns();
	soqi_connections_append(&clock->connections, c);
	if (phase == SOQ_PHASE_IDLE && c->priv.listener->drain != NULL)
		connection_shut(c);
	else
		clock_arm(clock);
}

void soqi_connection_begin(struct soq_connection *c, struct soq_socket *s)
{
	c->priv.socket = s;
	c->priv.listener->connection_count++;
	phase_enter(c, SOQ_PHASE_HEADER);
}

void soqi_connections_drain(struct soq_listener *l)
{
	struct soqi_clock *idle = &l->clocks[SOQ_PHASE_IDLE];

	while (idle->connections.first != NULL)
		connection_shut(idle->connections.first);
}

int soq_connection_set_phase(struct soq_connection *c, enum soq_phase phase)
{
	int error;

	if (c == NULL || (unsigned)phase > SOQ_PHASE_BUSY)
		return -EINVAL;
	if (c->priv.listener == NULL)
		return -ENOENT;
	error = soqi_listener_check(c->priv.listener);
	if (error == 0 && c->priv.state == SOQI_CONNECTION_WAITING)
		error = -ENOENT;
	/* Its time is over: it is shut. */
	if (error != 0 || c->priv.state == SOQI_CONNECTION_OVER)
		return error;
	if (is_timed(c))
		soqi_connections_remove(&c->priv.listener->clocks[c->priv.state].connections, c);
	phase_enter(c, phase);
	return 0;
}

int soq_connection_end(struct soq_connection *c)
{
	struct soq_listener *l;
	int error;

	if (c == NULL)
		return -EINVAL;
	l = c->priv.listener;
	if (l == NULL)
		return 0;
	error = soqi_listener_check(l);
	if (error == 0 && c->priv.state == SOQI_CONNECTION_WAITING)
		error = -EBUSY;
	if (error != 0)
		return error;
	if (is_timed(c))
		soqi_connections_remove(&l->clocks[c->priv.state].connections, c);
	soqi_peers_leave(l, c->priv.peer);
	c->priv.listener = NULL;
	/* With nobody left no timer keeps the loop from being idle. */
	if (--l->connection_count == 0)
		soqi_clocks_stop(l);
	soqi_gates_open(l);
	soqi_listener_settle(l);
	return 0;
}
