/* SPDX-License-Identifier: MIT */
/*
 * The attempts of a connect by name, side by side (RFC 8305), each on a socket and with an op
 * of its own. In order it is the same without the timer. The program's op ends when every
 * attempt and the timer have, so that nothing of it is left then but sockets that close.
 */
#include "connect_name.h"

#include <stdlib.h>

/* RFC 8305, section 8: what it recommends. */
#define STAGGER_NS (250 * (SOQI_NS_PER_S / 1000))

/* Forgets it. The op was finished, or never begun. */
void soqi_connecting_free(struct soqi_connecting *c)
{
	free(c->attempts);
	free(c);
}

void soqi_connecting_end(struct soqi_connecting *c)
{
	struct soq_socket *winner = c->winner;

	/* Closed with everything else, by who has no handle of it. */
	if (winner != NULL && soq_op_finish(c->op, 0, 0, winner) != 0)
		winner = NULL;
	if (winner == NULL)
		(void)soq_op_finish(c->op, c->winner != NULL ? -ECANCELED : c->result, 0, NULL);
	soqi_connecting_free(c);
}

/* Ends it if nothing is left in flight that names it. */
static void settle(struct soqi_connecting *c)
{
	if (c->ending && c->in_flight == 0 && !c->timed)
		soqi_connecting_end(c);
}

static void error_note(const struct soqi_connecting *c, uint32_t index, int error)
{
	if (c->name->errors != NULL && index < c->name->endpoint_max)
		c->name->errors[index] = error;
}

static void attempt_failed(struct soqi_connecting *c, const struct soqi_attempt *a, int error)
{
	error_note(c, (uint32_t)(a - c->attempts), error);
	c->result = error;
}

/* No more attempts; those in flight are cut, and noted with `error`. */
static void stop(struct soqi_connecting *c, int error)
{
	c->ending = true;
	for (uint32_t i = 0; i < c->next; i++) {
		struct soqi_attempt *a = &c->attempts[i];

		if (!a->in_flight)
			continue;
		error_note(c, i, error);
		(void)soq_cancel(&a->op);
	}
	if (c->timed)
		(void)soq_cancel(&c->timer);
}

/* Starts an attempt, or says why it has failed already. */
static int attempt_begin(struct soqi_connecting *c, struct soqi_attempt *a)
{
	const struct soq_connect_name *name = c->name;
	int error;

	if (soqi_is_wildcard(&a->endpoint))
		return -EADDRNOTAVAIL;
	a->list = (struct soq_connect_list){ .size = sizeof(a->list),
					     .type = name->type != 0 ? name->type : SOCK_STREAM,
					     .protocol = name->protocol,
					     .endpoints = &a->endpoint,
					     .endpoint_count = 1,
					     .options = name->options,
					     .option_count = name->option_count,
					     .name = c->host[0] != '\0' ? c->host : NULL };
	error = soq_connect_list_async(c->loop, &a->op, &a->list);
	a->in_flight = error == 0;
	return error;
}

/* The timer has a deadline of its own to come to, which later attempts put off. */
static void timer_start(struct soqi_connecting *c)
{
	int64_t stagger_ns = c->name->stagger_ns != 0 ? c->name->stagger_ns : STAGGER_NS;

	if ((c->name->flags & SOQ_CONNECT_IN_ORDER) != 0 || c->next == c->count)
		return;
	c->next_ns = soqi_after_ns(soqi_now_ns(), stagger_ns);
	if (!c->timed)
		c->timed = soq_sleep_async(c->loop, &c->timer, stagger_ns) == 0;
}

/* The next attempt that gets as far as connecting. */
static void go_on(struct soqi_connecting *c)
{
	while (c->next < c->count) {
		struct soqi_attempt *a = &c->attempts[c->next++];
		int error = attempt_begin(c, a);

		if (error == 0) {
			c->in_flight++;
			timer_start(c);
			return;
		}
		attempt_failed(c, a, error);
	}
	if (c->in_flight == 0)
		stop(c, 0);
}

static void attempt_ended(const struct soq_event *event)
{
	struct soqi_attempt *a = event->op->user;
	struct soqi_connecting *c = a->connecting;
	int error = (int)event->result;

	c->in_flight--;
	a->in_flight = false;
	if (c->ending) {
		/* It was faster than its cancel. */
		if (event->socket != NULL)
			(void)soq_abort(event->socket);
		settle(c);
		return;
	}
	if (error == 0) {
		c->winner = event->socket;
		error_note(c, (uint32_t)(a - c->attempts), 0);
		stop(c, -ECANCELED);
	} else {
		attempt_failed(c, a, error);
		go_on(c);
	}
	settle(c);
}

void soqi_attempts_timer(const struct soq_event *event)
{
	struct soqi_connecting *c = event->op->user;
	int64_t left_ns = c->next_ns - soqi_now_ns();

	c->timed = false;
	if (!c->ending && c->next < c->count) {
		if (left_ns <= 0)
			go_on(c);
		else
			c->timed = soq_sleep_async(c->loop, &c->timer, left_ns) == 0;
	}
	settle(c);
}

/* Tells the program what is going to be tried. */
static void endpoints_note(const struct soqi_connecting *c)
{
	const struct soq_connect_name *name = c->name;

	for (uint32_t i = 0; i < name->endpoint_max && i < c->count && name->endpoints != NULL; i++)
		name->endpoints[i] = c->attempts[i].endpoint;
}

/* The next address from `*at` on that counts, of `family` or, with 0, of any. */
static bool address_next(const struct soqi_connecting *c, const struct addrinfo **at, int family,
			 struct soq_endpoint *ep)
{
	const struct soq_connect_name *name = c->name;

	for (; *at != NULL; *at = (*at)->ai_next) {
		const struct sockaddr *addr = (*at)->ai_addr;

		if ((family == AF_UNSPEC || family == addr->sa_family) &&
		    soqi_endpoint_take(addr, name->family, (uint16_t)name->port, ep)) {
			*at = (*at)->ai_next;
			return true;
		}
	}
	return false;
}

/* The families by turns, each in the resolver's order; its first address is the first. */
static void put_in_turns(struct soqi_connecting *c, const struct addrinfo *found)
{
	const struct addrinfo *at[2] = { found, found };
	int families[2] = { found->ai_family, 0 };
	unsigned turn = 0;

	families[1] = families[0] == AF_INET ? AF_INET6 : AF_INET;
	for (uint32_t i = 0; i < c->count; i++, turn ^= 1)
		if (!address_next(c, &at[turn], families[turn], &c->attempts[i].endpoint)) {
			turn ^= 1;
			(void)address_next(c, &at[turn], families[turn], &c->attempts[i].endpoint);
		}
}

static int attempts_make(struct soqi_connecting *c, const struct addrinfo *found)
{
	const struct addrinfo *at = found;
	struct soq_endpoint ep;
	uint32_t count = 0;

	while (address_next(c, &at, AF_UNSPEC, &ep))
		count++;
	if (count == 0)
		return SOQ_NAME_NO_DATA;
	c->attempts = calloc(count, sizeof(*c->attempts));
	if (c->attempts == NULL)
		return -ENOMEM;
	c->count = count;
	if ((c->name->flags & SOQ_CONNECT_IN_ORDER) == 0) {
		put_in_turns(c, found);
		return 0;
	}
	at = found;
	for (uint32_t i = 0; i < count; i++)
		(void)address_next(c, &at, AF_UNSPEC, &c->attempts[i].endpoint);
	return 0;
}

void soqi_attempts_begin(struct soqi_connecting *c, const struct addrinfo *found)
{
	c->result = attempts_make(c, found);
	if (c->result != 0) {
		soqi_connecting_end(c);
		return;
	}
	for (uint32_t i = 0; i < c->count; i++) {
		struct soqi_attempt *a = &c->attempts[i];

		a->connecting = c;
		a->op.user = a;
		(void)soq_op_inner(&a->op, attempt_ended);
	}
	endpoints_note(c);
	go_on(c);
	settle(c);
}

void soqi_attempts_cut(struct soqi_connecting *c, int cause)
{
	if (c->ending)
		return;
	stop(c, cause);
	c->result = -ECANCELED;
	settle(c);
}
