/* SPDX-License-Identifier: MIT */
/* Accepting: one, several in order, all of them, and none. */
#define _GNU_SOURCE
#include "support.h"

static int same_peer(struct soq_socket *accepted, int fd)
{
	struct soq_endpoint peer, local = { .size_bytes = sizeof(local.addr.storage) };
	socklen_t size = sizeof(local.addr.storage);

	if (soq_socket_peer(accepted, &peer) || getsockname(fd, &local.addr.any, &size))
		return 0;
	local.size_bytes = size;
	return soq_endpoint_equal(&peer, &local);
}

static void accept_gives_a_socket_of_the_same_loop(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep;
		struct soq_socket *listener = soq_listener(t, families[i], &ep);
		struct probe *p = probe(t);
		int fd;

		started(p, soq_accept_async(listener, &p->op, 0));
		settle(t);
		fd = raw_connect(&ep);
		await(t, p);

		expect_end(p, 0, 0);
		assert_ptr_equal(soq_socket_loop(p->socket), t->loop);
		assert_null(soq_socket_user(p->socket));
		expect_true(same_peer(p->socket, fd));
		expect(soq_close(p->socket), 0);
		expect(soq_close(listener), 0);
		close(fd);
	}
}

static void accepts_complete_in_start_order(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p[4];
	int fds[4];

	for (int i = 0; i < 4; i++) {
		p[i] = probe(t);
		started(p[i], soq_accept_async(listener, &p[i]->op, 0));
	}
	settle(t);
	for (int i = 0; i < 4; i++)
		fds[i] = raw_connect(&ep);
	await(t, p[3]);

	for (int i = 0; i < 4; i++) {
		expect_end(p[i], 0, 0);
		expect(p[i]->sequence, i + 1);
		expect_true(same_peer(p[i]->socket, fds[i]));
		expect(soq_close(p[i]->socket), 0);
		close(fds[i]);
	}
	expect(soq_close(listener), 0);
}

#define MANY 20

struct arrivals {
	struct soq_socket *sockets[MANY];
	unsigned count;
	unsigned without_more;
};

static void keep_arrival(struct probe *p, const struct soq_event *event)
{
	struct arrivals *arrivals = p->arg;

	if (!event->socket)
		return;
	if (!(event->flags & SOQ_F_MORE))
		arrivals->without_more++;
	if (arrivals->count < MANY)
		arrivals->sockets[arrivals->count++] = event->socket;
}

static void multishot_accept_gives_an_event_for_each_connection(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct arrivals arrivals = { .count = 0 };
	struct probe *p = probe(t);
	int fds[MANY];

	p->then = keep_arrival;
	p->arg = &arrivals;
	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	for (int i = 0; i < MANY; i++)
		fds[i] = raw_connect(&ep);
	run_until(t, arrivals.count == MANY);
	expect(p->finals, 0);
	expect(arrivals.without_more, 0);
	expect(soq_cancel(&p->op), 0);
	await(t, p);

	expect_end(p, -ECANCELED, 0);
	for (int i = 0; i < MANY; i++) {
		expect_true(same_peer(arrivals.sockets[i], fds[i]));
		expect(soq_close(arrivals.sockets[i]), 0);
		close(fds[i]);
	}
	expect(soq_close(listener), 0);
}

static void arrivals_nobody_took_wait_in_order(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe_quiet(t);
	int fds[5];

	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	for (int i = 0; i < 5; i++)
		fds[i] = raw_connect(&ep);
	run_until(t, stats_of(t).accepts == 5);
	expect(soq_cancel(&p->op), 0);

	for (int i = 0; i < 5; i++) {
		expect(wait_end(p), 0);
		expect(p->flags, SOQ_F_MORE);
		expect_true(same_peer(p->socket, fds[i]));
		expect(soq_close(p->socket), 0);
		close(fds[i]);
	}
	expect(wait_end(p), -ECANCELED);
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(listener), 0);
}

static void harvest_takes_arrivals_one_event_each(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe_quiet(t);
	struct soq_event events[8];
	int fds[3];

	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	for (int i = 0; i < 3; i++)
		fds[i] = raw_connect(&ep);
	run_until(t, stats_of(t).accepts == 3);
	expect(soq_loop_harvest(t->loop, events, 8, FOREVER), 3);

	for (int i = 0; i < 3; i++) {
		record(&events[i]);
		expect(events[i].flags, SOQ_F_MORE);
		expect_true(same_peer(events[i].socket, fds[i]));
		expect(soq_close(events[i].socket), 0);
		close(fds[i]);
	}
	expect(soq_close(listener), 0);
	expect(wait_end(p), -ECANCELED);
}

static void closing_a_listener_aborts_what_nobody_took(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe_quiet(t);
	int fds[3];
	char byte;

	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	for (int i = 0; i < 3; i++)
		fds[i] = raw_connect(&ep);
	run_until(t, stats_of(t).accepts == 3);
	expect(soq_close(listener), 0);
	expect(wait_end(p), -ECANCELED);

	expect_end(p, -ECANCELED, 0);
	for (int i = 0; i < 3; i++) {
		expect(raw_recv(t, fds[i], &byte, 1), -ECONNRESET);
		close(fds[i]);
	}
}

static void move_the_deadline(struct probe *p, const struct soq_event *event)
{
	if (event->flags & SOQ_F_MORE)
		p->op.deadline_ns = *(int64_t *)p->arg;
	if (event->socket)
		soq_abort(event->socket);
}

static void done_may_move_the_deadline_later(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);
	int64_t never = 0;
	int fd;

	p->then = move_the_deadline;
	p->arg = &never;
	p->op.deadline_ns = now_ns() + 200 * MS;
	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	fd = raw_connect(&ep);
	run_until(t, p->events == 1);
	expect(soq_sleep(t->loop, 250 * MS), 0);
	settle(t);
	expect(p->events, 1);

	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void done_may_move_the_deadline_nearer(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);
	int64_t soon = now_ns() + 5 * MS;
	int fd;

	p->then = move_the_deadline;
	p->arg = &soon;
	p->op.deadline_ns = now_ns() + HOUR;
	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	fd = raw_connect(&ep);
	await(t, p);

	expect(p->events, 2);
	expect_end(p, -ETIMEDOUT, 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void accept_needs_a_listener(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET), *out = NULL;
	struct probe *p = probe(t);

	expect(soq_accept_async(s, &p->op, 0), -EINVAL);
	expect(soq_accept_async(s, &p->op, SOQ_MULTISHOT), -EINVAL);
	expect(soq_accept(s, &out, NULL), -EINVAL);
	assert_null(out);
	expect(soq_close(s), 0);
}

static void listener_moves_no_bytes(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);
	char byte;

	expect(soq_recv_async(listener, &p->op, &byte, 1, 0), -ENOTCONN);
	expect(soq_send_async(listener, &p->op, "x", 1, 0), -ENOTCONN);
	expect(soq_close(listener), 0);
}

static void accept_returns_socket_and_peer(struct fixture *t)
{
	struct soq_endpoint ep, peer, same;
	struct soq_socket *listener = soq_listener(t, AF_INET6, &ep), *out = NULL;
	int fd = raw_connect(&ep);

	expect(soq_accept(listener, &out, &peer), 0);

	expect_true(same_peer(out, fd));
	expect(soq_socket_peer(out, &same), 0);
	expect(soq_endpoint_equal(&peer, &same), 1);
	expect(soq_close(out), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void accept_honours_the_receive_timeout(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	int64_t begin = now_ns();

	expect(soq_socket_set_timeouts(listener, 3 * MS, FOREVER), 0);
	expect(soq_accept(listener, &out, NULL), -ETIMEDOUT);
	expect_true(now_ns() - begin >= 3 * MS);
	expect(soq_socket_set_timeouts(listener, 0, FOREVER), 0);
	expect(soq_accept(listener, &out, NULL), -ETIMEDOUT);

	assert_null(out);
	expect(soq_close(listener), 0);
}

static void accept_beside_an_armed_multishot_is_busy(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	struct probe *p = probe(t);

	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	expect(soq_accept(listener, &out, NULL), -EBUSY);

	expect(soq_close(listener), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
}

static void canceled_accept_leaves_the_others(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *first = probe(t), *second = probe(t);
	int fd;

	started(first, soq_accept_async(listener, &first->op, 0));
	started(second, soq_accept_async(listener, &second->op, 0));
	settle(t);
	expect(soq_cancel(&first->op), 0);
	await(t, first);
	fd = raw_connect(&ep);
	await(t, second);

	expect_end(first, -ECANCELED, 0);
	expect_end(second, 0, 0);
	expect_true(same_peer(second->socket, fd));
	expect(soq_close(second->socket), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void accept_ends_at_its_deadline(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);

	p->op.deadline_ns = now_ns() + 3 * MS;
	started(p, soq_accept_async(listener, &p->op, 0));
	await(t, p);

	expect_end(p, -ETIMEDOUT, 0);
	assert_null(p->socket);
	expect(soq_close(listener), 0);
}

static const struct conf_case cases[] = {
	CASE(accept_gives_a_socket_of_the_same_loop, "1b"),
	CASE(accepts_complete_in_start_order, "9b"),
	CASE(multishot_accept_gives_an_event_for_each_connection, "1c 5c"),
	CASE(arrivals_nobody_took_wait_in_order, "1c 2c 3a 14a"),
	CASE(harvest_takes_arrivals_one_event_each, "2b 2c"),
	CASE(closing_a_listener_aborts_what_nobody_took, "13d"),
	CASE(done_may_move_the_deadline_later, "6b 4a"),
	CASE(done_may_move_the_deadline_nearer, "6b"),
	CASE(accept_needs_a_listener, "1a"),
	CASE(listener_moves_no_bytes, "1a 11c"),
	SYNC_CASE(accept_returns_socket_and_peer, "20a"),
	SYNC_CASE(accept_honours_the_receive_timeout, "20a 3c"),
	CASE(accept_beside_an_armed_multishot_is_busy, "12b"),
	CASE(canceled_accept_leaves_the_others, "10a 6a"),
	CASE(accept_ends_at_its_deadline, "6b"),
};

CONF_GROUP(accept, cases)
