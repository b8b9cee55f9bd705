/* SPDX-License-Identifier: MIT */
/*
 * Listeners: who comes in. The program's accepts wait in a list; for as many of them as there
 * is room, by the limits, the listener has accepts of its own in flight, the gates.
 */
#include "listener.h"

#include "own_loop.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>

/* How many may come in by the rate, now; a second's worth at most. */
static unsigned rate_room(struct soq_listener *l, int64_t now_ns)
{
	if (l->accept_ns == 0)
		return UINT_MAX;
	if (l->next_ns < now_ns - SOQI_NS_PER_S)
		l->next_ns = now_ns - SOQI_NS_PER_S;
	return l->next_ns < now_ns ? (unsigned)((now_ns - l->next_ns) / l->accept_ns) : 0;
}

static void rate_take(struct soq_listener *l)
{
	if (rate_room(l, soqi_now_ns()) < UINT_MAX)
		l->next_ns += l->accept_ns;
}

static unsigned places(const struct soq_listener *l)
{
	unsigned taken = l->connection_count + l->gates_busy + l->gates_held;

	if (l->connections_max == 0)
		return UINT_MAX;
	return taken < l->connections_max ? l->connections_max - taken : 0;
}

static void on_pause(const struct soq_event *event)
{
	struct soq_listener *l = event->op->user;

	bool goes_on = event->result == 0 || l->pause_cut;

	l->inner_count--;
	l->paused = l->pause_cut = false;
	/* A cancel of somebody else's is the end of the loop. */
	if (goes_on)
		soqi_gates_open(l);
	soqi_listener_settle(l);
}

static void pause_for(struct soq_listener *l, int64_t duration_ns)
{
	if (l->paused)
		return;
	l->pause.user = l;
	(void)soq_op_inner(&l->pause, on_pause);
	if (soq_sleep_async(l->loop, &l->pause, duration_ns) != 0)
		return;
	l->paused = true;
	l->inner_count++;
}

/* With no accept left the timer would only keep the loop from being idle. */
static void pause_end(struct soq_listener *l)
{
	if (!l->paused || l->pause_cut)
		return;
	l->pause_cut = true;
	(void)soq_cancel(&l->pause);
}

/* Takes the first accept of the program's out of the line. */
static struct soq_connection *waiting_take(struct soq_listener *l)
{
	struct soq_connection *c = l->waiting.first;

	soqi_connections_remove(&l->waiting, c);
	l->waiting_count--;
	return c;
}

static void waiting_fail(struct soq_connection *c, int error)
{
	struct soq_op *op = c->priv.op;

	c->priv.listener = NULL;
	c->priv.op = NULL;
	(void)soq_op_finish(op, error, 0, NULL);
}

/* A connection has come: it is one for the first who waits, or its peer has too many. */
static void let_in(struct soq_listener *l, struct soq_socket *s)
{
	struct soqi_peer *peer = NULL;
	struct soq_connection *c;
	struct soq_op *op;

	if (soqi_peers_enter(l, s, &peer) != 0) {
		l->refused++;
		/* The rate is for the others: who is turned away may come as often as he likes. */
		l->next_ns -= l->accept_ns;
		(void)soq_abort(s);
		return;
	}
	c = waiting_take(l);
	op = c->priv.op;
	c->priv.op = NULL;
	c->priv.peer = peer;
	l->accepted++;
	soqi_connection_begin(c, s);
	/* One that has been held may be closed by now, with all of the loop's. */
	if (soq_op_finish(op, 0, 0, s) != 0)
		(void)soq_op_finish(op, -ECANCELED, 0, NULL);
}

static void on_gate(const struct soq_event *event)
{
	struct soqi_gate *gate = event->op->user;
	struct soq_listener *l = gate->listener;

	gate->busy = gate->cut = false;
	l->gates_busy--;
	l->inner_count--;
	if (event->socket != NULL) {
		rate_take(l);
		if (l->s == NULL) {
			(void)soq_abort(event->socket);
		} else if (l->waiting_count > 0) {
			let_in(l, event->socket);
		} else {
			gate->held = event->socket;
			l->gates_held++;
		}
	}
	if (l->drain != NULL) {
		soqi_gates_drain(l);
	} else {
		if (event->socket == NULL && event->result != -ECANCELED && l->waiting_count > 0)
			waiting_fail(waiting_take(l), (int)event->result);
		soqi_gates_open(l);
	}
	soqi_listener_settle(l);
}

static int gate_open(struct soq_listener *l, struct soqi_gate *gate)
{
	int error;

	gate->listener = l;
	gate->op.user = gate;
	(void)soq_op_inner(&gate->op, on_gate);
	error = soq_accept_async(l->s, &gate->op, 0);
	if (error != 0)
		return error;
	gate->busy = true;
	l->gates_busy++;
	l->inner_count++;
	return 0;
}

/* Those who have come for accepts that were cancelled are for the next ones. */
static void held_let_in(struct soq_listener *l)
{
	for (unsigned i = 0; i < SOQI_GATES && l->waiting_count > 0; i++) {
		struct soq_socket *s = l->gates[i].held;

		if (s == NULL)
			continue;
		l->gates[i].held = NULL;
		l->gates_held--;
		let_in(l, s);
	}
}

void soqi_gates_open(struct soq_listener *l)
{
	unsigned wanted, room, by_rate;
	int64_t now_ns = l->accept_ns > 0 ? soqi_now_ns() : 0;
	int error = 0;

	if (l->s == NULL || l->drain != NULL)
		return;
	held_let_in(l);
	if (l->waiting_count <= l->gates_busy)
		return;
	wanted = l->waiting_count - l->gates_busy;
	by_rate = rate_room(l, now_ns);
	/* With gates open the next look is when somebody comes in. */
	if (by_rate == 0 && l->gates_busy == 0)
		pause_for(l, l->next_ns + l->accept_ns - now_ns);
	by_rate = by_rate > l->gates_busy ? by_rate - l->gates_busy : 0;
	room = places(l) < by_rate ? places(l) : by_rate;
	if (room < wanted && !l->is_held_up)
		l->held_up++;
	l->is_held_up = room < wanted;
	for (unsigned i = 0; i < SOQI_GATES && room > 0 && wanted > 0 && error == 0; i++) {
		if (l->gates[i].busy || l->gates[i].held != NULL)
			continue;
		error = gate_open(l, &l->gates[i]);
		room--;
		wanted--;
	}
	/* Somebody has closed the socket, or there is no memory: all of them learn it. */
	while (error != 0 && l->gates_busy == 0 && l->waiting_count > 0)
		waiting_fail(waiting_take(l), error == -EBADF ? -ECANCELED : error);
}

void soqi_gates_shut(struct soq_listener *l)
{
	for (unsigned i = 0; i < SOQI_GATES; i++) {
		if (l->gates[i].held == NULL)
			continue;
		(void)soq_abort(l->gates[i].held);
		l->gates[i].held = NULL;
		l->gates_held--;
	}
	while (l->waiting_count > 0)
		waiting_fail(waiting_take(l), -ECANCELED);
	pause_end(l);
}

/* More are open than accepts wait: the program has cancelled some. */
static void gates_trim(struct soq_listener *l)
{
	unsigned open = 0;

	for (unsigned i = 0; i < SOQI_GATES; i++) {
		struct soqi_gate *gate = &l->gates[i];

		if (!gate->busy || gate->cut || ++open <= l->waiting_count)
			continue;
		gate->cut = true;
		(void)soq_cancel(&gate->op);
	}
}

static bool may_drain(struct soq_listener *l)
{
	return l->waiting_count > 0 && places(l) > 0 && rate_room(l, soqi_now_ns()) > 0;
}

void soqi_gates_drain(struct soq_listener *l)
{
	struct soq_socket *s, *from = l->s;

	if (from == NULL)
		return;
	/* What these have taken already comes before their ends. */
	for (unsigned i = 0; i < SOQI_GATES; i++)
		if (l->gates[i].busy && !l->gates[i].cut) {
			l->gates[i].cut = true;
			(void)soq_cancel(&l->gates[i].op);
		}
	if (l->gates_busy > 0)
		return;
	held_let_in(l);
	(void)soq_socket_set_timeouts(from, 0, 0);
	/* Deadlines may come in these calls and steps may run: accepts end, even the listener. */
	l->inner_count++;
	while (l->s == from && may_drain(l) && soq_accept(from, &s, NULL) == 0) {
		rate_take(l);
		if (l->waiting_count > 0)
			let_in(l, s);
		else
			(void)soq_abort(s);
	}
	l->inner_count--;
	if (l->s == from)
		(void)soq_listener_stop(l);
}

static void on_accept_cut(struct soq_op *op, int cause, void *arg)
{
	struct soq_connection *c = arg;
	struct soq_listener *l = c->priv.listener;

	(void)op;
	(void)cause;
	soqi_connections_remove(&l->waiting, c);
	l->waiting_count--;
	waiting_fail(c, -ECANCELED);
	gates_trim(l);
	if (l->waiting_count == 0)
		pause_end(l);
}

int soq_listener_accept_async(struct soq_listener *l, struct soq_op *op, struct soq_connection *c)
{
	int error;

	if (l == NULL || op == NULL || c == NULL)
		return -EINVAL;
	error = soqi_listener_check(l);
	if (error == 0 && c->priv.listener != NULL)
		error = -EBUSY;
	if (error == 0 && l->s == NULL)
		error = -EINVAL;
	if (error == 0)
		error = soq_op_begin(l->loop, op, on_accept_cut, c);
	if (error != 0)
		return error;
	c->priv.listener = l;
	c->priv.socket = NULL;
	c->priv.op = op;
	c->priv.peer = NULL;
	c->priv.state = SOQI_CONNECTION_WAITING;
	soqi_connections_append(&l->waiting, c);
	l->waiting_count++;
	soqi_gates_open(l);
	return 0;
}

int soq_listener_accept(struct soq_listener *l, struct soq_connection *c, int64_t timeout_ns,
			struct soq_socket **accepted_out)
{
	struct soq_op op = { .deadline_ns = soqi_deadline_ns(timeout_ns) };
	struct soq_event event;
	int error;

	if (accepted_out == NULL)
		return -EINVAL;
	error = soq_listener_accept_async(l, &op, c);
	if (error != 0)
		return error;
	soqi_op_await(&op, &event);
	if (event.result == 0)
		*accepted_out = event.socket;
	else
		(void)soq_connection_end(c);
	return (int)event.result;
}
