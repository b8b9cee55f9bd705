/* SPDX-License-Identifier: MIT */
/* Connections that move between the members of a group, and nothing of them is lost. */
#define _GNU_SOURCE
#include "group_kit.h"

#include <sched.h>

/* Where a socket has come to. */
struct landing {
	struct kit *kit;
	struct soq_socket *s;
	unsigned member;
	unsigned calls;
	int wrong_thread;
	atomic_int landed;
	int rc;
	int fd; /* the other end */
};

static void landed(struct soq_group *group, unsigned member, struct soq_socket *s, void *user)
{
	struct landing *landing = user;

	(void)group;
	landing->s = s;
	landing->member = member;
	landing->calls++;
	landing->wrong_thread = !pthread_equal(pthread_self(), landing->kit->seen[member].thread);
	atomic_store(&landing->landed, 1);
}

/* A connection of the fixture's loop with a raw other end, brought to a member. */
static struct landing *land(struct kit *kit, unsigned member)
{
	struct landing *landing = calloc(1, sizeof(*landing));
	struct soq_socket *s;

	assert_non_null(landing);
	landing->kit = kit;
	s = pair_raw(kit->t, AF_INET, &landing->fd);
	expect(soq_socket_set_user(s, landing), 0);
	expect(soq_socket_set_timeouts(s, 7000 * MS, 9000 * MS), 0);
	expect(soq_group_hand_over(kit->group, s, member, landed, landing), 0);
	until(atomic_load(&landing->landed));
	return landing;
}

static void landing_close_on(struct kit *kit, unsigned member, void *arg)
{
	struct landing *landing = arg;

	kit->seen[member].failures += soq_close(landing->s) != 0;
}

static void landing_close(struct kit *kit, struct landing *landing)
{
	on_member(kit, landing->member, landing_close_on, landing);
	close(landing->fd);
	free(landing);
}

static void look_at_it(struct kit *kit, unsigned member, void *arg)
{
	struct landing *landing = arg;
	struct soq_socket_info info = { .size = sizeof(info) };

	kit->seen[member].failures +=
		soq_socket_info(landing->s, &info) != 0 || soq_socket_user(landing->s) != landing ||
		info.receive_timeout_ns != 7000 * MS || info.send_timeout_ns != 9000 * MS ||
		info.state != SOQ_STATE_CONNECTED ||
		soq_socket_loop(landing->s) != soq_group_loop(kit->group, member);
}

static void socket_keeps_what_it_knows(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct landing *landing = land(kit, 3);

	expect(landing->member, 3);
	expect(landing->wrong_thread, 0);
	on_member(kit, 3, look_at_it, landing);
	landing_close(kit, landing);
	kit_close(kit);
}

/* Receives some, and hands it on to the next member. */
#define PIECE 10

static void take_and_pass(struct kit *kit, unsigned member, void *arg)
{
	struct landing *landing = arg;
	char piece[PIECE];
	unsigned step = landing->calls - 1;

	atomic_store(&landing->landed, 0);
	if (soq_recv(landing->s, piece, PIECE, SOQ_EXACT) != PIECE ||
	    !is_filled(piece, PIECE, 1, (uint64_t)step * PIECE))
		kit->seen[member].failures++;
	landing->rc = soq_group_hand_over(kit->group, landing->s, (member + 1) % MEMBERS, landed,
					  landing);
}

static void bytes_that_were_not_received_come_along(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct landing *landing = land(kit, 0);
	char bytes[20 * PIECE];

	fill(bytes, sizeof(bytes), 1, 0);
	raw_send(landing->fd, bytes, sizeof(bytes));
	for (unsigned i = 0; i < 20; i++) {
		expect(landing->member, i % MEMBERS);
		on_member(kit, i % MEMBERS, take_and_pass, landing);
		expect(landing->rc, 0);
		until(atomic_load(&landing->landed));
		expect(landing->wrong_thread, 0);
	}
	expect(landing->calls, 21);
	landing_close(kit, landing);
	kit_close(kit);
}

/* A receive into a pool's bufs on one member, cut short, and the rest on another. */
#define BUF_BYTES 512
#define BUF_COUNT 8

struct reader {
	struct landing *landing;
	struct soq_pool *pool;
	struct soq_op op;
	struct soq_buf *lent[BUF_COUNT];
	unsigned lent_count;
	unsigned finals;
	uint64_t received;
	unsigned wrong;
	int busy;  /* of a hand-over with the receive in flight */
	int moved; /* of the one after it */
};

static void reader_event(const struct soq_event *event)
{
	struct reader *reader = event->op->user;
	struct landing *landing = reader->landing;
	struct soq_buf *buf = event->buf;

	if (buf != NULL) {
		reader->wrong += !is_filled(buf->data, buf->size_bytes, 2, reader->received);
		reader->received += buf->size_bytes;
		if (reader->lent_count < BUF_COUNT)
			reader->lent[reader->lent_count++] = buf;
		else
			reader->wrong++;
		(void)soq_cancel(&reader->op);
	}
	if (event->flags & SOQ_F_MORE)
		return;
	reader->finals++;
	/* The bufs stay on loan here while the socket goes. */
	reader->moved = soq_group_hand_over(landing->kit->group, landing->s, 1, landed, landing);
}

static void reader_begin(struct kit *kit, unsigned member, void *arg)
{
	const struct soq_pool_options options = { .size = sizeof(options),
						  .share = BUF_COUNT / 2,
						  .class_count = 1,
						  .classes = { { BUF_BYTES, BUF_COUNT } } };
	struct reader *reader = arg;
	struct landing *landing = reader->landing;

	atomic_store(&landing->landed, 0);
	reader->op.done = reader_event;
	reader->op.user = reader;
	kit->seen[member].failures +=
		soq_pool_create(soq_group_loop(kit->group, member), &options, &reader->pool) != 0 ||
		soq_recv_buf_async(landing->s, &reader->op, reader->pool, SOQ_MULTISHOT) != 0;
	reader->busy = soq_group_hand_over(kit->group, landing->s, 1, landed, landing);
}

static void reader_rest(struct kit *kit, unsigned member, void *arg)
{
	struct reader *reader = arg;
	char rest[16384];
	size_t left = sizeof(rest) - reader->received;

	kit->seen[member].failures += soq_recv(reader->landing->s, rest, left, SOQ_EXACT) !=
					      (int64_t)left ||
				      !is_filled(rest, left, 2, reader->received);
}

static void reader_end(struct kit *kit, unsigned member, void *arg)
{
	struct reader *reader = arg;

	for (unsigned i = 0; i < reader->lent_count; i++)
		kit->seen[member].failures += soq_buf_return(reader->lent[i]) != 0;
	kit->seen[member].failures += soq_pool_destroy(reader->pool) != 0;
}

static void bufs_stay_and_the_rest_moves(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	static struct reader reader;
	char bytes[16384];

	memset(&reader, 0, sizeof(reader));
	reader.landing = land(kit, 0);
	fill(bytes, sizeof(bytes), 2, 0);
	on_member(kit, 0, reader_begin, &reader);
	expect(reader.busy, -EBUSY);
	raw_send(reader.landing->fd, bytes, sizeof(bytes));
	until(atomic_load(&reader.landing->landed));
	expect(reader.landing->member, 1);
	on_member(kit, 1, reader_rest, &reader);
	/* By now the first member has come back from where it handed the socket over. */
	on_member(kit, 0, reader_end, &reader);
	expect(reader.moved, 0);
	expect(reader.finals, 1);
	expect(reader.wrong, 0);
	expect_true(reader.received >= BUF_BYTES && reader.received <= BUF_COUNT * BUF_BYTES);
	landing_close(kit, reader.landing);
	kit_close(kit);
}

static void hand_over_busy(struct kit *kit, unsigned member, void *arg)
{
	struct landing *landing = arg;
	struct soq_op op = { 0 };
	struct soq_event event;
	char byte = 0;

	landing->rc = soq_recv_async(landing->s, &op, &byte, 1, 0);
	if (landing->rc == 0)
		landing->rc = soq_group_hand_over(kit->group, landing->s, 2, landed, landing);
	/* It is as it was: what was started still goes on. */
	kit->seen[member].failures += soq_cancel(&op) != 0;
	kit->seen[member].failures += soq_wait(&op, -1, &event) != 0 || event.result != -ECANCELED;
	kit->seen[member].failures += soq_send(landing->s, "x", 1, 0) != 1;
}

static void busy_socket_stays(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct landing *landing = land(kit, 6);
	char byte;

	on_member(kit, 6, hand_over_busy, landing);
	expect(landing->rc, -EBUSY);
	expect(landing->calls, 1);
	expect(raw_recv_blocking(landing->fd, &byte, 1), 1);
	landing_close(kit, landing);
	kit_close(kit);
}

static void detached_socket_can_be_handed_over(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct landing landing = { .kit = kit };
	struct soq_socket *s, *detached;

	s = pair_raw(t, AF_INET, &landing.fd);
	expect(soq_socket_detach(s, &detached), 0);
	expect(soq_socket_set_user(detached, &landing), 0);
	expect(soq_socket_set_timeouts(detached, 7000 * MS, 9000 * MS), 0);
	expect(soq_group_hand_over(kit->group, detached, 7, landed, &landing), 0);
	until(atomic_load(&landing.landed));
	on_member(kit, 7, look_at_it, &landing);
	on_member(kit, 7, landing_close_on, &landing);
	close(landing.fd);
	kit_close(kit);
}

static void socket_for_an_ended_member_stays(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct landing landing = { .kit = kit };
	struct soq_socket *s = pair_raw(t, AF_INET, &landing.fd);
	char byte;

	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	expect(soq_group_hand_over(kit->group, s, 0, landed, &landing), -ESHUTDOWN);
	expect(landing.calls, 0);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(raw_recv_blocking(landing.fd, &byte, 1), 1);
	expect(soq_close(s), 0);
	close(landing.fd);
	kit_close(kit);
}

static void member_without_memory_resets_and_says_so(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct landing landing = { .kit = kit };
	struct soq_socket *s = pair_raw(t, AF_INET, &landing.fd);
	char byte;

	/* The parcel is the last there is memory for; the member's first socket takes more. */
	atomic_store(&kit->fail_after, 1);
	expect(soq_group_hand_over(kit->group, s, 4, landed, &landing), 0);
	until(atomic_load(&landing.landed));
	atomic_store(&kit->fail_after, -1);
	expect(landing.calls, 1);
	assert_null(landing.s);
	expect(raw_recv_blocking(landing.fd, &byte, 1), -ECONNRESET);
	close(landing.fd);
	/* And with none at all nothing happens. */
	s = pair_raw(t, AF_INET, &landing.fd);
	atomic_store(&kit->fail_after, 0);
	expect(soq_group_hand_over(kit->group, s, 4, landed, &landing), -ENOMEM);
	atomic_store(&kit->fail_after, -1);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(raw_recv_blocking(landing.fd, &byte, 1), 1);
	expect(soq_close(s), 0);
	close(landing.fd);
	kit_close(kit);
}

/* Sockets handed over and over while the group is stopped. */
#define RUNNERS 64

struct runner {
	struct kit *kit;
	atomic_uint steps;
	unsigned ends; /* told that it is gone, or kept and closed here */
	int fd;
};

static void runner_arrives(struct soq_group *group, unsigned member, struct soq_socket *s,
			   void *user)
{
	struct runner *runner = user;
	int rc;

	if (s == NULL) {
		runner->ends++;
		return;
	}
	atomic_fetch_add(&runner->steps, 1);
	rc = soq_group_hand_over(group, s, (member + 1) % MEMBERS, runner_arrives, runner);
	if (rc == 0)
		return;
	runner->ends++;
	runner->kit->seen[member].failures += rc != -ESHUTDOWN || soq_abort(s) != 0;
}

static void moving_sockets_are_all_told_of_when_the_group_stops(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct runner *runners = calloc(RUNNERS, sizeof(*runners));
	char byte;

	assert_non_null(runners);
	for (unsigned i = 0; i < RUNNERS; i++) {
		struct soq_socket *s = pair_raw(t, AF_INET, &runners[i].fd);

		runners[i].kit = kit;
		expect(soq_group_hand_over(kit->group, s, i % MEMBERS, runner_arrives, &runners[i]),
		       0);
	}
	for (unsigned i = 0; i < RUNNERS; i++)
		until(atomic_load(&runners[i].steps) > 20);
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	for (unsigned i = 0; i < RUNNERS; i++) {
		expect(runners[i].ends, 1);
		expect(raw_recv_blocking(runners[i].fd, &byte, 1), -ECONNRESET);
		close(runners[i].fd);
	}
	kit_close(kit);
	free(runners);
}

/* The server moves a connection on with each request, and answers where it arrives. */
static void moved_with_request(struct soq_group *group, unsigned member, struct soq_socket *s,
			       void *user)
{
	struct connection *c = user;
	struct kit *kit = c->kit;

	(void)group;
	c->s = s;
	c->member = member;
	if (s == NULL) { /* the group ends */
		atomic_fetch_sub(&kit->connections, 1);
		free(c);
		return;
	}
	kit->seen[member].arrived++;
	connection_answer(c);
}

static void move_on(struct soq_group *group, unsigned member, struct soq_socket *s, void *user)
{
	struct connection *c = user;
	unsigned next = (member + 1 + (unsigned)c->number % 3) % MEMBERS;

	/* To a member that has ended: the connection ends here. */
	if (soq_group_hand_over(group, s, next, moved_with_request, c) != 0)
		connection_end(c);
}

struct walker {
	pthread_t thread;
	const struct soq_endpoint *ep;
	atomic_uint answered;
	unsigned asked;
	unsigned lost;
	int end;
};

/* Connects and asks, several at a time, until it is refused. */
static void *walker_run(void *arg)
{
	struct walker *walker = arg;
	int fds[8];

	while (walker->end == 0) {
		unsigned open = 0;

		while (open < COUNT_OF(fds) && walker->end == 0) {
			fds[open] = client_connect_again(walker->ep);
			if (fds[open] >= 0)
				open++;
			else
				walker->end = fds[open];
		}
		for (unsigned round = 0; round < 5; round++) {
			for (unsigned i = 0; i < open; i++)
				walker->lost += !client_send(fds[i], round + i);
			for (unsigned i = 0; i < open; i++) {
				walker->asked++;
				if (client_receive(fds[i], round + i))
					atomic_fetch_add(&walker->answered, 1);
				else
					walker->lost++;
			}
		}
		for (unsigned i = 0; i < open; i++)
			close(fds[i]);
	}
	return NULL;
}

/* Connections arrive, move with each request, and drain, all at once. */
static void walk(struct kit *kit, struct walker *walkers, unsigned count, struct soq_endpoint *ep)
{
	kit->on_request = move_on;
	kit_open(kit);
	kit_listen(kit, ep);
	for (unsigned i = 0; i < count; i++) {
		walkers[i] = (struct walker){ .ep = ep };
		expect(pthread_create(&walkers[i].thread, NULL, walker_run, &walkers[i]), 0);
	}
	for (unsigned i = 0; i < count; i++)
		until(atomic_load(&walkers[i].answered) >= 200);
}

static void moving_under_load_and_draining_loses_nobody(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	struct soq_endpoint ep;
	struct walker walkers[4];
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	unsigned asked = 0, arrived = 0;

	walk(kit, walkers, COUNT_OF(walkers), &ep);
	/* Counters may be read meanwhile. */
	expect(soq_group_stats(kit->group, &stats), 0);
	expect_true(stats.bytes_received > 0);
	expect(soq_group_drain(kit->group, watchdog_ns()), 0);
	for (unsigned i = 0; i < COUNT_OF(walkers); i++) {
		pthread_join(walkers[i].thread, NULL);
		expect(walkers[i].lost, 0);
		expect(walkers[i].end, -ECONNREFUSED);
		expect(atomic_load(&walkers[i].answered), walkers[i].asked);
		asked += walkers[i].asked;
	}
	expect(soq_group_stats(kit->group, &stats), 0);
	expect(stats.sockets, 0);
	expect(stats.bytes_received, (uint64_t)asked * 8);
	expect(stats.bytes_sent, (uint64_t)asked * 8);
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	for (unsigned i = 0; i < MEMBERS; i++)
		arrived += kit->seen[i].arrived;
	expect(arrived, asked);
	expect(atomic_load(&kit->answers), asked);
	expect(atomic_load(&kit->connections), 0);
	kit_close(kit);
}

static void stop_while_connections_move_leaves_nothing(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	struct soq_endpoint ep;
	struct walker walkers[4];

	walk(kit, walkers, COUNT_OF(walkers), &ep);
	expect(soq_group_stop(kit->group), 0);
	for (unsigned i = 0; i < COUNT_OF(walkers); i++)
		pthread_join(walkers[i].thread, NULL);
	kit_expect_ended(kit);
	expect(atomic_load(&kit->connections), 0);
	kit_close(kit);
}

/* A drain does not end while its last connection is between two members. */
static void hold_until(const struct soq_event *event)
{
	while (!atomic_load((atomic_int *)event->op->user))
		sched_yield();
}

static void drain_waits_for_what_is_on_its_way(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct landing landing = { .kit = kit };
	struct soq_socket *s = pair_raw(t, AF_INET, &landing.fd);
	struct soq_op op = { .done = hold_until };
	atomic_int let_go = 0;

	op.user = &let_go;
	expect(soq_group_drain(kit->group, FOREVER), 0);
	expect(soq_group_post(kit->group, 2, &op), 0);
	expect(soq_group_hand_over(kit->group, s, 2, landed, &landing), 0);
	expect(soq_group_drain(kit->group, 0), -ETIME);
	atomic_store(&let_go, 1);
	until(atomic_load(&landing.landed));
	expect(soq_group_drain(kit->group, 0), -ETIME);
	on_member(kit, 2, landing_close_on, &landing);
	expect(soq_group_drain(kit->group, FOREVER), 0);
	close(landing.fd);
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	expect(kit->seen[2].drained, 2);
	expect(kit->seen[3].drained, 1);
	kit_close(kit);
}

static void accept_on(struct kit *kit, unsigned member, void *arg)
{
	struct landing *landing = arg;
	struct soq_socket *s = NULL;

	kit->seen[member].failures += soq_accept(landing->s, &s, NULL) != 0 || soq_close(s) != 0;
}

static void listeners_move_and_busy_dead_and_foreign_sockets_do_not(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct landing landing = { .kit = kit };
	struct soq_op op = { 0 };
	struct soq_event event;
	struct full_listener full;
	struct soq_endpoint ep;
	struct soq_socket *s = soq_listener(t, AF_INET, &ep);

	/* While it is asked for connections it stays; then those who have connected come along. */
	expect(soq_accept_async(s, &op, 0), 0);
	expect(soq_group_hand_over(kit->group, s, 5, landed, &landing), -EBUSY);
	expect(soq_cancel(&op), 0);
	expect(soq_wait(&op, -1, &event), 0);
	expect(event.result, -ECANCELED);
	landing.fd = client_connect(&ep);
	expect(soq_group_hand_over(kit->group, s, 5, landed, &landing), 0);
	until(atomic_load(&landing.landed));
	on_member(kit, 5, accept_on, &landing);
	/* Now it is that member's, and nobody else's. */
	expect(soq_group_hand_over(kit->group, landing.s, 6, landed, &landing), -EXDEV);
	on_member(kit, 5, landing_close_on, &landing);
	close(landing.fd);
	s = pair_raw(t, AF_INET, &landing.fd);
	expect(soq_close(s), 0);
	expect(soq_group_hand_over(kit->group, s, 6, landed, &landing), -EBADF);
	close(landing.fd);
	full_listener_open(AF_INET, &full);
	expect(soq_socket_open(t->loop, AF_INET, SOCK_STREAM, 0, &s), 0);
	expect(soq_connect_async(s, &op, &full.ep), 0);
	expect(soq_group_hand_over(kit->group, s, 6, landed, &landing), -EBUSY);
	expect(soq_close(s), 0);
	expect(soq_wait(&op, -1, &event), 0);
	expect(event.result, -ECANCELED);
	full_listener_close(&full);
	expect(landing.calls, 1);
	kit_close(kit);
}

static const struct conf_case cases[] = {
	CASE(socket_keeps_what_it_knows, ""),
	CASE(bytes_that_were_not_received_come_along, ""),
	CASE(bufs_stay_and_the_rest_moves, "13k 14a"),
	CASE(busy_socket_stays, ""),
	CASE(detached_socket_can_be_handed_over, ""),
	CASE(listeners_move_and_busy_dead_and_foreign_sockets_do_not, ""),
	CASE(socket_for_an_ended_member_stays, ""),
	CASE(member_without_memory_resets_and_says_so, "19c"),
	CASE(moving_sockets_are_all_told_of_when_the_group_stops, ""),
	CASE(moving_under_load_and_draining_loses_nobody, ""),
	CASE(stop_while_connections_move_leaves_nothing, "1b 13a"),
	CASE(drain_waits_for_what_is_on_its_way, ""),
};

CONF_GROUP(group_move, cases)
