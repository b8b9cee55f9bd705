/* SPDX-License-Identifier: MIT */
/*
 * A listener under calls in any order: no client is lost, no limit exceeded, each op ends
 * once. SOQ_TEST_SEED replays one run.
 */
#include "listener_kit.h"

#define SLOTS           8
#define CLIENTS         8
#define HOSTS           3
#define STEPS           2000
#define RUNS            6
#define CONNECTIONS_MAX 4
#define PEER_MAX        2

/* An accept, and then its connection. */
struct slot {
	struct visit v;
	struct world *w;
	struct soq_socket *socket;
	uint64_t name; /* the client's */
	int waits;
	int ends_at_once; /* inside done() */
	int stops;        /* likewise, the listener */
};

/* Seen when its connection was let in; one that a stop or a drain may have reset is excused. */
struct client {
	int fd;
	uint64_t name;
	int seen, excused;
};

struct world {
	struct fixture *t;
	struct soq_listener *l;
	struct soq_endpoint ep;
	struct slot slots[SLOTS];
	struct client clients[CLIENTS];
	struct probe *drain;
	uint64_t state;
	unsigned accepted;
	uint32_t peers_limited;
};

static unsigned pick(struct world *w, unsigned below)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return (unsigned)((w->state >> 20) % below);
}

static uint64_t name_of(const struct sockaddr_in *name)
{
	return (uint64_t)name->sin_addr.s_addr << 16 | name->sin_port;
}

static int drains(const struct world *w)
{
	return w->drain != NULL && !finished(w->drain);
}

static void excuse_all(struct world *w)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		w->clients[i].excused = 1;
}

static void on_accept(struct probe *p, const struct soq_event *event)
{
	struct slot *slot = p->arg;
	struct soq_endpoint ep;

	slot->waits = 0;
	slot->name = 0;
	slot->socket = event->socket;
	if (event->socket != NULL && soq_socket_peer(event->socket, &ep) == 0)
		slot->name = name_of(&ep.addr.ipv4);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (slot->name != 0 && slot->w->clients[i].name == slot->name)
			slot->w->clients[i].seen++;
	if (event->socket == NULL || slot->ends_at_once)
		(void)soq_connection_end(&slot->v.place);
	if (event->socket != NULL && slot->ends_at_once) {
		(void)soq_abort(event->socket);
		slot->socket = NULL;
	}
	if (slot->stops) {
		excuse_all(slot->w);
		(void)soq_listener_stop(slot->w->l);
	}
}

static void slot_accept(struct world *w, struct slot *slot)
{
	int listens = soq_listener_socket(w->l) != NULL;
	struct probe *p;
	int rc;

	if (slot->waits || slot->socket != NULL)
		return;
	p = probe(w->t);
	p->then = on_accept;
	p->arg = slot;
	if (pick(w, 4) == 0)
		p->op.deadline_ns = now_ns() + pick(w, 200000);
	slot->v.p = p;
	slot->w = w;
	slot->ends_at_once = pick(w, 4) == 0;
	slot->stops = pick(w, 50) == 0;
	rc = soq_listener_accept_async(w->l, &p->op, &slot->v.place);
	expect(rc, listens ? 0 : -EINVAL);
	slot->waits = rc == 0;
	if (rc == 0)
		started(p, rc);
}

static void slot_end(struct slot *slot)
{
	if (slot->waits) {
		int rc = soq_cancel(&slot->v.p->op);

		expect_true(rc == 0 || rc == -ENOENT || rc == -EALREADY);
	}
	if (slot->socket == NULL)
		return;
	expect(soq_connection_end(&slot->v.place), 0);
	expect(soq_close(slot->socket), 0);
	slot->socket = NULL;
}

static void client_toggle(struct world *w, struct client *client)
{
	struct sockaddr_in name;
	socklen_t size = sizeof(name);

	if (client->fd >= 0) {
		close(client->fd);
		*client = (struct client){ .fd = -1 };
	} else if (soq_listener_socket(w->l) != NULL) {
		client->fd = client_of(&w->ep, 1 + pick(w, HOSTS));
		expect(getsockname(client->fd, (struct sockaddr *)&name, &size), 0);
		/* One that was reset has lost its name, and the system gives it to another. */
		for (unsigned i = 0; i < CLIENTS; i++)
			if (w->clients[i].name == name_of(&name))
				w->clients[i].name = 0;
		client->name = name_of(&name);
		client->excused = drains(w);
	}
}

static void listener_toggle(struct world *w)
{
	if (soq_listener_socket(w->l) != NULL) {
		expect(soq_listener_stop(w->l), 0);
		assert_null(soq_listener_socket(w->l));
		excuse_all(w);
	} else {
		int rc = soq_listener_start(w->l);

		/* A drain that has ended and has not said so yet is none any more. */
		expect(rc, rc != 0 && drains(w) ? -EBUSY : 0);
		if (rc == 0)
			expect(soq_socket_local(soq_listener_socket(w->l), &w->ep), 0);
	}
}

static void drain_toggle(struct world *w)
{
	if (!drains(w)) {
		excuse_all(w);
		w->drain = probe(w->t);
		started(w->drain, soq_listener_drain_async(w->l, &w->drain->op));
	} else {
		expect_true(soq_cancel(&w->drain->op) <= 0);
	}
}

static void check(struct world *w)
{
	struct soq_listener_stats now = look(w->l);
	unsigned waiting = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		waiting += w->slots[i].waits != 0;
	expect_true(now.connections <= CONNECTIONS_MAX);
	expect_true(now.accepts <= waiting);
	for (unsigned i = 0; i < CLIENTS; i++)
		expect_true(w->clients[i].seen <= 1);
	if (w->peers_limited)
		expect_true(now.connections <= now.peers * PEER_MAX);
}

static void step(struct world *w)
{
	struct slot *slot = &w->slots[pick(w, SLOTS)];
	unsigned dice = pick(w, 100);

	if (dice < 25)
		slot_accept(w, slot);
	else if (dice < 40)
		slot_end(slot);
	else if (dice < 60)
		client_toggle(w, &w->clients[pick(w, CLIENTS)]);
	else if (dice < 70 && slot->socket != NULL)
		expect(soq_connection_set_phase(&slot->v.place, (enum soq_phase)pick(w, 3)), 0);
	else if (dice < 74)
		listener_toggle(w);
	else if (dice < 76)
		drain_toggle(w);
	else
		expect_true(soq_loop_run(w->t->loop, SOQ_RUN_ONCE, 0) >= 0);
	check(w);
}

static unsigned unseen(const struct world *w)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct client *client = &w->clients[i];

		count += client->fd >= 0 && !client->seen && !client->excused;
	}
	return count;
}

/* Everybody who was not turned away and not excused comes in now. */
static void come_to_rest(struct world *w)
{
	if (drains(w))
		drain_toggle(w);
	for (unsigned i = 0; i < SLOTS; i++)
		slot_end(&w->slots[i]);
	settle(w->t);
	for (unsigned i = 0; i < SLOTS; i++) {
		slot_end(&w->slots[i]);
		expect(w->slots[i].waits, 0);
	}
	if (soq_listener_socket(w->l) == NULL)
		listener_toggle(w);
	while (unseen(w) > look(w->l).refused) {
		slot_accept(w, &w->slots[0]);
		w->slots[0].stops = 0;
		await(w->t, w->slots[0].v.p);
		slot_end(&w->slots[0]);
	}
	expect(look(w->l).connections, 0);
	expect(look(w->l).peers, 0);
	expect(soq_listener_close(w->l), 0);
	settle(w->t);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (w->clients[i].fd >= 0)
			close(w->clients[i].fd);
}

static void world_run(struct fixture *t, uint64_t seed)
{
	static struct world w;
	struct soq_listener_options options = options_of(t);

	w = (struct world){ .t = t, .state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
	for (unsigned i = 0; i < CLIENTS; i++)
		w.clients[i].fd = -1;
	options.connections_max = CONNECTIONS_MAX;
	w.peers_limited = seed % 2 != 0;
	options.peer_connections_max = w.peers_limited ? PEER_MAX : 0;
	options.accepts_per_second_max = seed % 3 == 0 ? 5000 : 0;
	options.header_ns = (int64_t)pick(&w, 3) * 100000;
	options.idle_ns = (int64_t)pick(&w, 3) * 100000;
	w.l = listener_open(t, options);
	for (unsigned i = 0; i < STEPS; i++)
		step(&w);
	come_to_rest(&w);
}

static void calls_in_any_order_lose_nobody(struct fixture *t)
{
	uint64_t seed = env_number("SOQ_TEST_SEED", 0);

	for (uint64_t i = 1; seed == 0 && i <= RUNS; i++) {
		print_message("seed %llu\n", (unsigned long long)i);
		world_run(t, i);
	}
	if (seed != 0)
		world_run(t, seed);
}

static const struct conf_case cases[] = {
	CASE(calls_in_any_order_lose_nobody, ""),
};

CONF_GROUP(listener_random, cases)
