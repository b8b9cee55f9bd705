/* SPDX-License-Identifier: MIT */
/* Connecting to a unix listener whose queue is full: the kernel tells no one of room. */
#define _GNU_SOURCE
#include "support.h"

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };

/* A listener of the kernel's whose queue is full. */
struct full {
	int listener, filler;
	struct soq_endpoint ep;
};

static struct full full_open(int type)
{
	struct full f = { .ep = { 0 } };

	f.listener = raw_unix_listener(type, 0, &f.ep);
	f.filler = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	expect_true(f.filler >= 0);
	expect(connect(f.filler, &f.ep.addr.any, f.ep.size_bytes), 0);
	return f;
}

static void full_close(struct full *f)
{
	close(f->filler);
	close(f->listener);
}

static void connect_waits_for_room(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct full full = full_open(types[i]);
		struct soq_socket *s = open_socket_of(t, AF_UNIX, types[i]);
		struct probe *p = probe(t);
		uint64_t turns;
		int fd;

		started(p, soq_connect_async(s, &p->op, &full.ep));
		settle(t);
		turns = stats_of(t).turns;
		expect(soq_sleep(t->loop, 20 * MS), 0);
		/* It waits; it does not spin. */
		expect_true(stats_of(t).turns - turns < 60);
		expect(p->events, 0);
		close(raw_accept(full.listener));
		await(t, p);
		expect_end(p, 0, 0);
		fd = raw_accept(full.listener);
		expect(soq_send(s, "x", 1, 0), 1);
		expect(soq_close(s), 0);
		close(fd);
		full_close(&full);
	}
}

static void what_waits_behind_a_connect_keeps_its_order(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct full full = full_open(types[i]);
		struct soq_socket *s = open_socket_of(t, AF_UNIX, types[i]);
		struct probe *p[5] = { probe(t), probe(t), probe(t), probe(t), probe(t) };
		char in[8];
		int fd;

		started(p[0], soq_connect_async(s, &p[0]->op, &full.ep));
		started(p[1], soq_send_async(s, &p[1]->op, "one", 3, 0));
		started(p[2], soq_send_async(s, &p[2]->op, "three", 5, 0));
		started(p[3], soq_shutdown_async(s, &p[3]->op, SOQ_SHUTDOWN_SEND));
		started(p[4], soq_recv_async(s, &p[4]->op, in, 8, 0));
		settle(t);
		expect(p[0]->events + p[1]->events + p[3]->events + p[4]->events, 0);
		close(raw_accept(full.listener));
		await(t, p[3]);
		fd = raw_accept(full.listener);
		raw_send(fd, "reply", 5);
		await(t, p[4]);
		expect_end(p[0], 0, 0);
		expect_end(p[1], 3, 0);
		expect_end(p[2], 5, 0);
		expect_end(p[3], 0, 0);
		expect_end(p[4], 5, 0);
		for (unsigned k = 1; k < 5; k++)
			expect_true(p[k]->sequence > p[k - 1]->sequence);
		expect(raw_recv(t, fd, in, 8), types[i] == SOCK_STREAM ? 8 : 3);
		expect(soq_close(s), 0);
		close(fd);
		full_close(&full);
	}
}

static void sync_connect_waits_as_long_as_the_timeout(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct full full = full_open(types[i]);
		struct soq_socket *s = open_socket_of(t, AF_UNIX, types[i]);
		int64_t begin = now_ns();

		expect(soq_socket_set_timeouts(s, FOREVER, 10 * MS), 0);
		expect(soq_connect(s, &full.ep), -ETIMEDOUT);
		expect_true(now_ns() - begin >= 10 * MS);
		expect(soq_connect(s, &full.ep), -EALREADY);
		expect(soq_close(s), 0);
		full_close(&full);
	}
}

static void connect_that_waits_ends_early(struct fixture *t)
{
	/* Cancelled, past its deadline, closed; before and after the kernel said no. */
	for (unsigned i = 0; i < 6; i++) {
		struct full full = full_open(types[i % 2]);
		struct soq_socket *s = open_socket_of(t, AF_UNIX, types[i % 2]);
		struct probe *p = probe(t), *sent = probe(t), *received = probe(t);
		int cause = i / 2 == 1 ? -ETIMEDOUT : -ECANCELED;
		char in[8];

		if (i / 2 == 1)
			p->op.deadline_ns = now_ns() + 5 * MS;
		started(p, soq_connect_async(s, &p->op, &full.ep));
		started(sent, soq_send_async(s, &sent->op, "x", 1, 0));
		started(received, soq_recv_async(s, &received->op, in, 8, 0));
		settle(t);
		if (i / 2 == 0)
			expect(soq_cancel(&p->op), 0);
		if (i / 2 == 2)
			expect(soq_close(s), 0);
		run_until(t, finished(p) && finished(sent) && finished(received));
		expect_end(p, cause, 0);
		expect_end(sent, cause, 0);
		expect_end(received, cause, 0);
		if (i / 2 < 2) {
			expect(soq_connect(s, &full.ep), -EALREADY);
			expect(soq_close(s), 0);
		}
		full_close(&full);
	}
}

enum { CLIENTS = 8 };

static unsigned count_finished(struct probe *const *p)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CLIENTS; i++)
		count += finished(p[i]);
	return count;
}

static void several_connects_wait_for_one_listener(struct fixture *t)
{
	struct full full = full_open(SOCK_STREAM);
	struct soq_socket *s[CLIENTS];
	struct probe *p[CLIENTS];

	for (unsigned i = 0; i < CLIENTS; i++) {
		s[i] = open_socket(t, AF_UNIX);
		p[i] = probe(t);
		started(p[i], soq_connect_async(s[i], &p[i]->op, &full.ep));
	}
	settle(t);
	/* That one goes takes none of the others along. */
	expect(soq_close(s[3]), 0);
	await(t, p[3]);
	for (unsigned room = 1; room < CLIENTS; room++) {
		expect(count_finished(p), room);
		close(raw_accept(full.listener));
		run_until(t, count_finished(p) > room);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		expect_end(p[i], i == 3 ? -ECANCELED : 0, 0);
		if (i != 3)
			expect(soq_close(s[i]), 0);
	}
	full_close(&full);
}

static void connect_to_nobody_is_refused_at_once(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 2; i++) {
		struct soq_endpoint ep, good = { 0 };
		struct soq_socket *bound = bound_socket(t, AF_UNIX, types[i / 2], &ep);
		struct soq_socket *s = open_socket_of(t, AF_UNIX, types[i / 2]), *out;
		struct soq_socket *listener = unix_listener(t, types[i / 2], &good);
		struct probe *p = probe(t), *behind = probe(t);

		/* Bound but not listening, and not there at all. */
		if (i % 2)
			unix_abstract(&ep);
		started(p, soq_connect_async(s, &p->op, &ep));
		started(behind, soq_send_async(s, &behind->op, "x", 1, 0));
		await(t, behind);
		expect_end(p, -ECONNREFUSED, 0);
		expect_end(behind, -ECONNREFUSED, 0);
		expect(soq_connect(s, &ep), -ECONNREFUSED);
		expect(soq_connect(s, &good), 0);
		expect(soq_connect(s, &good), -EISCONN);
		expect(soq_accept(listener, &out, NULL), 0);
		expect(soq_close(out), 0);
		expect(soq_close(s), 0);
		expect(soq_close(bound), 0);
		expect(soq_close(listener), 0);
	}
}

static void connect_to_another_type_is_refused(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket_of(t, AF_UNIX, SOCK_SEQPACKET), *listener;

	unix_folder_open(&folder);
	unix_file(&folder, "name", &ep);
	listener = unix_listener(t, SOCK_STREAM, &ep);
	expect(soq_connect(s, &ep), -EPROTOTYPE);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
	settle(t);
	unix_folder_close(&folder);
}

static const struct conf_case cases[] = {
	CASE(connect_waits_for_room, "11f"),
	CASE(what_waits_behind_a_connect_keeps_its_order, "11a 11f 9a"),
	CASE(sync_connect_waits_as_long_as_the_timeout, "11f 20a 14b"),
	CASE(connect_that_waits_ends_early, "11f 11b 14b 6a 6b"),
	CASE(several_connects_wait_for_one_listener, "11f"),
	CASE(connect_to_nobody_is_refused_at_once, "5a 11b"),
	CASE(connect_to_another_type_is_refused, "5a"),
};

CONF_GROUP(unix_wait, cases)
