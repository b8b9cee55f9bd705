/* SPDX-License-Identifier: MIT */
/*
 * No callbacks: a program that keeps its own control flow starts ops without
 * done() and takes their events in batches. Here four pairs of sockets pass a
 * number back and forth until it has been counted up to 1,000.
 */
#include "pair.h"

#include <stdio.h>

#define PLAYERS 8
#define GOAL    1000

struct player {
	struct soq_op op;
	struct soq_socket *socket;
	uint32_t number;
	int sending;
};

static int start(struct player *p, int sending)
{
	p->sending = sending;
	if (sending)
		return soq_send_async(p->socket, &p->op, &p->number, sizeof(p->number), 0);
	return soq_recv_async(p->socket, &p->op, &p->number, sizeof(p->number), SOQ_EXACT);
}

/* Returns whether the player goes on. */
static int play(struct player *p, const struct soq_event *event)
{
	if (event->result != sizeof(p->number) || event->flags != 0)
		return 0; /* the other end has closed */
	if (!p->sending)
		p->number++;
	if (p->number < GOAL || !p->sending)
		return start(p, !p->sending) == 0;
	return 0;
}

int main(void)
{
	static struct player players[PLAYERS];
	struct soq_event events[PLAYERS];
	struct soq_loop *loop;
	int playing = PLAYERS;

	if (soq_loop_create(NULL, &loop) != 0)
		return 1;
	for (int i = 0; i < PLAYERS; i += 2)
		if (pair(loop, &players[i].socket, &players[i + 1].socket) != 0)
			return 1;
	for (int i = 0; i < PLAYERS; i++) {
		players[i].op.user = &players[i];
		if (start(&players[i], i % 2) != 0) /* odd ones serve */
			return 1;
	}
	while (playing > 0) {
		int count = soq_loop_harvest(loop, events, PLAYERS, -1);

		if (count < 0)
			return 1;
		for (int i = 0; i < count; i++) {
			struct player *p = events[i].op->user;

			if (play(p, &events[i]))
				continue;
			playing--;
			(void)soq_close(p->socket);
		}
	}
	for (int i = 0; i < PLAYERS; i += 2) {
		printf("pair %d: %u\n", i / 2, players[i].number);
		if (players[i].number != GOAL && players[i + 1].number != GOAL)
			return 1;
	}
	return finish(loop);
}
