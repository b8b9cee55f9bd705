/* SPDX-License-Identifier: MIT */
/* Polls of many sockets by one call: what is told of whom, and what goes on meanwhile. */
#define _GNU_SOURCE
#include "support.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 90

/* `told` is what the last call left there, or nobody did. */
#define UNTOLD UINT32_MAX

static struct soq_poll_entry entry(struct soq_socket *s, uint32_t events)
{
	return (struct soq_poll_entry){ .socket = s, .events = events, .told = UNTOLD };
}

struct many {
	struct datagrams pairs[MANY];
	struct soq_poll_entry entries[MANY];
};

static struct many *many_open(struct fixture *t, uint32_t events)
{
	struct many *m = calloc(1, sizeof(*m));

	for (unsigned i = 0; i < MANY; i++) {
		m->pairs[i] = datagrams_connected(t, AF_UNIX);
		m->entries[i] = entry(m->pairs[i].b, events);
	}
	return m;
}

static void many_close(struct many *m)
{
	for (unsigned i = 0; i < MANY; i++)
		datagrams_close(&m->pairs[i]);
	free(m);
}

static unsigned count_told(const struct many *m, uint32_t told)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MANY; i++)
		count += m->entries[i].told == told;
	return count;
}

static void nothing_is_told_when_the_time_passes(struct fixture *t)
{
	struct many *m = many_open(t, SOQ_POLL_RECV | SOQ_POLL_PEER_END | SOQ_POLL_URGENT);
	static const int64_t timeouts[] = { 0, 100000, 10 * MS };

	expect(soq_poll_any(m->entries, 0, 0), -EINVAL);
	for (unsigned i = 0; i < 3; i++) {
		int64_t begin = now_ns();

		/* The socket's timeouts do not apply. */
		expect(soq_socket_set_timeouts(m->entries[i].socket, 0, 0), 0);
		expect(soq_poll_any(m->entries, MANY, timeouts[i]), 0);
		expect_true(now_ns() - begin >= timeouts[i]);
		expect(count_told(m, 0), MANY);
		m->entries[i].told = UNTOLD;
	}
	many_close(m);
}

static void all_that_are_ready_are_told(struct fixture *t)
{
	struct many *m = many_open(t, SOQ_POLL_SEND);

	for (unsigned i = 0; i < 3; i++) {
		expect(soq_poll_any(m->entries, MANY, i ? FOREVER : 0), MANY);
		expect(count_told(m, SOQ_POLL_SEND), MANY);
	}
	for (unsigned i = 0; i < MANY; i += 2) {
		m->entries[i].events = SOQ_POLL_RECV;
		if (i % 4 == 0)
			expect(soq_send(m->pairs[i].a, "x", 1, 0), 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_poll_any(m->entries, MANY, FOREVER), MANY / 2 + MANY / 4 + 1);
		expect(count_told(m, SOQ_POLL_RECV), MANY / 4 + 1);
		expect(count_told(m, SOQ_POLL_SEND), MANY / 2);
		expect(m->entries[0].told, SOQ_POLL_RECV);
		expect(m->entries[2].told, 0);
	}
	many_close(m);
}

static void all_that_have_data_are_told(struct fixture *t)
{
	struct many *m = many_open(t, SOQ_POLL_RECV);

	for (unsigned i = 0; i < MANY; i++)
		expect(soq_send(m->pairs[i].a, "x", 1, 0), 1);
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_poll_any(m->entries, MANY, FOREVER), MANY);
		expect(count_told(m, SOQ_POLL_RECV), MANY);
	}
	/* Half of them are asked for room, half for data, and all have it. */
	for (unsigned i = 0; i < MANY; i += 2)
		m->entries[i].events = SOQ_POLL_SEND;
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_poll_any(m->entries, MANY, FOREVER), MANY);
		expect(count_told(m, SOQ_POLL_SEND), MANY / 2);
		expect(count_told(m, SOQ_POLL_RECV), MANY / 2);
	}
	many_close(m);
}

static void each_one_is_told_when_its_turn_comes(struct fixture *t)
{
	struct many *m = many_open(t, SOQ_POLL_RECV);
	char in[4];

	for (unsigned i = 0; i < MANY; i++) {
		expect(soq_poll_any(m->entries, MANY, i % 30 ? 0 : MS), 0);
		expect(soq_send(m->pairs[i].a, "x", 1, 0), 1);
		expect(soq_poll_any(m->entries, MANY, FOREVER), 1);
		expect(count_told(m, 0), MANY - 1);
		expect(m->entries[i].told, SOQ_POLL_RECV);
		expect(soq_recv(m->pairs[i].b, in, 4, 0), 1);
	}
	many_close(m);
}

/* Answers each byte; a process, since valgrind lets no thread run while one is in a ring. */
static pid_t answerer(int fd, unsigned count)
{
	pid_t child = fork();
	char c;

	expect_true(child >= 0);
	if (child > 0)
		return child;
	for (unsigned i = 0; i < count; i++) {
		ssize_t got;

		do
			got = recv(fd, &c, 1, 0);
		while (got < 0 && errno == EINTR);
		if (got != 1 || send(fd, &c, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	_exit(0);
}

static void wait_ends_when_something_comes(struct fixture *t)
{
	int fd[3];
	struct soq_socket *s[3];
	struct soq_poll_entry entries[3];
	unsigned count = 200;
	char in[4];
	pid_t child;

	for (unsigned i = 0; i < 3; i++) {
		s[i] = pair_raw(t, AF_INET, &fd[i]);
		entries[i] = entry(s[i], SOQ_POLL_RECV);
	}
	child = answerer(fd[1], count);
	for (unsigned i = 0; i < count; i++) {
		expect(soq_send(s[1], "x", 1, 0), 1);
		expect(soq_poll_any(entries, 3, FOREVER), 1);
		expect(entries[1].told, SOQ_POLL_RECV);
		expect(entries[0].told + entries[2].told, 0);
		expect(soq_recv(s[1], in, 4, 0), 1);
	}
	expect(waitpid(child, NULL, 0), child);
	for (unsigned i = 0; i < 3; i++) {
		expect(soq_abort(s[i]), 0);
		close(fd[i]);
	}
}

static void each_list_of_select_has_its_own(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct soq_poll_entry lists[] = { entry(s, SOQ_POLL_RECV), entry(s, SOQ_POLL_SEND),
					  entry(s, SOQ_POLL_URGENT) };

	expect(soq_poll_any(lists, 3, FOREVER), 1);
	expect(lists[1].told, SOQ_POLL_SEND);
	expect(send(fd, "!", 1, MSG_OOB), 1);
	expect(soq_poll_any(&lists[2], 1, FOREVER), 1);
	expect(soq_poll_any(lists, 3, FOREVER), 2);
	expect(lists[0].told, 0);
	expect(lists[2].told, SOQ_POLL_URGENT);
	raw_send(fd, "x", 1);
	expect(soq_poll_any(lists, 1, FOREVER), 1);
	expect(soq_poll_any(lists, 3, FOREVER), 3);
	raw_reset(fd);
	/* An error is in every list. */
	expect(soq_poll(s, SOQ_POLL_ERROR, FOREVER), SOQ_POLL_ERROR | SOQ_POLL_HANGUP);
	expect(soq_poll_any(lists, 3, FOREVER), 3);
	for (unsigned i = 0; i < 3; i++)
		expect_true(lists[i].told & SOQ_POLL_ERROR);
	expect(soq_close(s), 0);
}

/* poll(2) refuses more of them than descriptors may be open, and one may be in many. */
static void entries_may_be_more_than_descriptors(struct fixture *t)
{
	struct datagrams d[4];
	struct soq_poll_entry entries[300];
	struct rlimit before, few;
	int told[2];
	char in[4];

	for (unsigned i = 0; i < COUNT_OF(d); i++)
		d[i] = datagrams_connected(t, AF_INET);
	for (unsigned i = 0; i < COUNT_OF(entries); i++)
		entries[i] = entry(d[i % 4].b, i % 3 ? SOQ_POLL_RECV : SOQ_POLL_URGENT);
	entries[299] = entry(d[2].b, SOQ_POLL_RECV | SOQ_POLL_SEND);
	expect(soq_send(d[1].a, "x", 1, 0), 1);
	expect(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 50;
	expect(setrlimit(RLIMIT_NOFILE, &few), 0);
	told[0] = soq_poll_any(entries, COUNT_OF(entries), FOREVER);
	told[1] = soq_poll_any(entries, COUNT_OF(entries) - 1, MS);
	expect(setrlimit(RLIMIT_NOFILE, &before), 0);
	/* Each is told of what it asked for, whatever its neighbours of the same socket do. */
	expect(told[0], 51);
	expect(told[1], 50);
	for (unsigned i = 0; i < COUNT_OF(entries) - 1; i++)
		expect(entries[i].told, i % 4 == 1 && i % 3 ? SOQ_POLL_RECV : 0);
	expect(entries[299].told, SOQ_POLL_SEND);
	expect(soq_recv(d[1].b, in, 4, 0), 1);
	for (unsigned i = 0; i < COUNT_OF(d); i++)
		datagrams_close(&d[i]);
}

static void listeners_and_ends_are_told(struct fixture *t)
{
	int fd, client;
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *accepted;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct soq_poll_entry entries[] = { entry(listener, SOQ_POLL_RECV),
					    entry(s, SOQ_POLL_RECV) };

	expect(soq_poll_any(entries, 2, MS), 0);
	client = raw_connect(&ep);
	expect(soq_poll_any(entries, 2, FOREVER), 1);
	expect(entries[0].told, SOQ_POLL_RECV);
	expect(soq_accept(listener, &accepted, NULL), 0);
	raw_fin(fd);
	expect(soq_poll_any(entries, 2, FOREVER), 1);
	expect(entries[1].told, SOQ_POLL_RECV);
	expect(soq_close(accepted), 0);
	expect(soq_close(listener), 0);
	expect(soq_close(s), 0);
	close(client);
	close(fd);
}

static void entries_without_events_are_passed_over(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_INET);
	struct soq_poll_entry entries[200];

	for (unsigned i = 0; i < COUNT_OF(entries); i++)
		entries[i] = entry(i % 2 ? d.a : NULL, 0);
	expect(soq_poll_any(entries, COUNT_OF(entries), 0), -EINVAL);
	entries[150] = entry(d.b, SOQ_POLL_SEND);
	expect(soq_poll_any(entries, COUNT_OF(entries), FOREVER), 1);
	expect(entries[150].told, SOQ_POLL_SEND);
	for (unsigned i = 0; i < COUNT_OF(entries); i++)
		expect(entries[i].told, i == 150 ? SOQ_POLL_SEND : 0);
	entries[3].events = 1u << 6;
	expect(soq_poll_any(entries, COUNT_OF(entries), 0), -EINVAL);
	entries[3] = entry(NULL, SOQ_POLL_RECV);
	expect(soq_poll_any(entries, COUNT_OF(entries), 0), -EINVAL);
	datagrams_close(&d);
}

static void sockets_of_two_places_are_refused(struct fixture *t)
{
	struct soq_loop_options options;
	struct soq_loop *loop;
	struct soq_socket *s = open_socket(t, AF_INET), *detached, *other;
	struct soq_poll_entry entries[2];

	options_of_tier(t, &options);
	expect(soq_loop_create(&options, &loop), 0);
	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &detached), 0);
	expect(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &other), 0);
	for (unsigned i = 0; i < 6; i++) {
		struct soq_socket *const all[] = { s, detached, other };

		entries[0] = entry(all[i % 3], SOQ_POLL_RECV);
		entries[1] = entry(all[(i + 1 + i / 3) % 3], SOQ_POLL_RECV);
		expect(soq_poll_any(entries, 2, FOREVER), -EXDEV);
	}
	expect(soq_close(other), 0);
	expect(soq_close(detached), 0);
	expect(soq_close(s), 0);
	expect(soq_loop_close_all(loop), 0);
	expect(soq_loop_destroy(loop), 0);
}

static void closed_socket_is_refused_and_harms_nobody(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_INET);
	struct soq_socket *closed = open_socket(t, AF_INET);
	struct soq_poll_entry entries[] = { entry(d.a, SOQ_POLL_SEND), entry(closed, SOQ_POLL_SEND),
					    entry(d.b, SOQ_POLL_SEND) };

	expect(soq_close(closed), 0);
	expect(soq_poll_any(entries, 3, FOREVER), -EBADF);
	entries[1].events = 0;
	expect(soq_poll_any(entries, 3, FOREVER), 2);
	datagrams_close(&d);
}

static void other_ops_make_progress_and_no_done_runs(struct fixture *t)
{
	struct soq_socket *a, *b, *c, *d;
	struct probe *sent = probe(t), *received = probe(t), *last = probe(t);
	struct soq_poll_entry wanted;
	char *big = malloc(BIG_BYTES), *in = malloc(BIG_BYTES);

	pair_soq(t, AF_INET, &a, &b);
	pair_soq(t, AF_INET, &c, &d);
	fill(big, BIG_BYTES, 1, 0);
	/* The byte stands behind 4 MiB, which nobody but the loop moves. */
	started(sent, soq_send_async(a, &sent->op, big, BIG_BYTES, 0));
	started(last, soq_send_async(a, &last->op, "!", 1, 0));
	started(received, soq_recv_async(b, &received->op, in, BIG_BYTES, SOQ_EXACT));
	wanted = entry(c, SOQ_POLL_RECV);
	expect(soq_poll_any(&wanted, 1, MS), 0);
	wanted = entry(b, SOQ_POLL_RECV);
	do
		expect(soq_poll_any(&wanted, 1, FOREVER), 1);
	while (stats_of(t).events_waiting < 3);
	expect(sent->events + received->events + last->events, 0);
	run_until(t, finished(sent) && finished(received) && finished(last));
	expect_end(received, BIG_BYTES, 0);
	expect_true(is_filled(in, BIG_BYTES, 1, 0));
	expect(soq_recv(b, in, 4, 0), 1);
	expect(soq_abort(a), 0);
	expect(soq_abort(b), 0);
	expect(soq_abort(c), 0);
	expect(soq_abort(d), 0);
	free(big);
	free(in);
}

static void bytes_that_a_receive_takes_end_no_wait(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *p = probe(t);
		struct soq_poll_entry wanted = entry(s, SOQ_POLL_RECV);
		int64_t begin;
		char in[4];

		/* Armed before, or not. */
		if (i)
			expect(soq_poll_any(&wanted, 1, MS), 0);
		started(p, soq_recv_async(s, &p->op, in, 4, 0));
		raw_send(fd, "x", 1);
		begin = now_ns();
		expect(soq_poll_any(&wanted, 1, 5 * MS), 0);
		expect_true(now_ns() - begin >= 5 * MS);
		await(t, p);
		expect_end(p, 1, 0);
		expect(soq_abort(s), 0);
		close(fd);
	}
}

static void polls_beside_it_have_their_events(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *same = probe(t), *end = probe(t), *level = probe(t);
	struct soq_poll_entry wanted = entry(s, SOQ_POLL_RECV);

	started(same, soq_poll_async(s, &same->op, SOQ_POLL_RECV, 0));
	started(end, soq_poll_async(s, &end->op, SOQ_POLL_PEER_END, 0));
	expect(soq_poll_any(&wanted, 1, MS), 0);
	started(level, soq_poll_async(s, &level->op, SOQ_POLL_RECV, SOQ_MULTISHOT));
	raw_send(fd, "x", 1);
	expect(soq_poll_any(&wanted, 1, FOREVER), 1);
	run_until(t, finished(same) && level->events > 0);
	expect_end(same, SOQ_POLL_RECV, 0);
	expect(end->events, 0);
	raw_fin(fd);
	await(t, end);
	expect_end(end, SOQ_POLL_PEER_END, 0);
	expect(soq_cancel(&level->op), 0);
	await(t, level);
	expect(soq_abort(s), 0);
	close(fd);
}

static void poll_for_ever_in_done(struct probe *p, const struct soq_event *event)
{
	(void)event;
	p->start_error = soq_poll_any(p->arg, 1, FOREVER);
}

static void poll_in_done(struct probe *p, const struct soq_event *event)
{
	struct soq_poll_entry *wanted = p->arg;

	(void)event;
	p->start_error = soq_poll_any(wanted, 1, MS) == 0 ? 0 : -EBUSY;
	again(p, soq_sleep_async(p->t->loop, &p->op, 0));
	p->then = poll_for_ever_in_done;
}

static void it_is_legal_inside_done(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *slept = probe(t), *sent = probe(t);
	struct soq_poll_entry wanted;

	pair_soq(t, AF_INET, &a, &b);
	wanted = entry(b, SOQ_POLL_RECV);
	slept->then = poll_in_done;
	slept->arg = &wanted;
	started(slept, soq_sleep_async(t->loop, &slept->op, 0));
	run_until(t, slept->then == poll_for_ever_in_done);
	expect(slept->start_error, 0);
	expect(wanted.told, 0);
	started(sent, soq_send_async(a, &sent->op, "x", 1, 0));
	await(t, slept);
	expect(slept->start_error, 1);
	expect(wanted.told, SOQ_POLL_RECV);
	await(t, sent);
	expect(soq_abort(a), 0);
	expect(soq_abort(b), 0);
}

/* What is still armed then is no business of the caller's. */
static void sockets_are_free_when_it_returns(struct fixture *t)
{
	for (unsigned i = 0; i < 5; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd), *moved = NULL;
		struct soq_poll_entry wanted = entry(s, SOQ_POLL_RECV);
		struct probe *p = probe(t);

		expect(soq_poll_any(&wanted, 1, MS), 0);
		if (i == 0) {
			int released = soq_socket_release(s);

			expect_true(released >= 0);
			close(released);
		} else if (i == 1) {
			expect(soq_socket_detach(s, &moved), 0);
			expect(soq_close(moved), 0);
		} else if (i == 2) {
			started(p, soq_close_async(s, &p->op));
			await(t, p);
		} else if (i == 3) {
			/* A lazy send is not alone with it, but nothing else will come. */
			started(p, soq_send_async(s, &p->op, "x", 1, SOQ_LAZY));
			expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), 1);
			expect(soq_close(s), 0);
		} else {
			expect(soq_loop_close_all(t->loop), 0);
		}
		close(fd);
	}
}

static void second_call_allocates_nothing(struct fixture *t)
{
	struct many *m = many_open(t, SOQ_POLL_RECV);
	uint64_t allocations;

	expect(soq_poll_any(m->entries, MANY, MS), 0);
	allocations = t->memory.allocations;
	for (unsigned i = 0; i < 3; i++)
		expect(soq_poll_any(m->entries, MANY, MS), 0);
	expect(soq_send(m->pairs[80].a, "x", 1, 0), 1);
	expect(soq_poll_any(m->entries, MANY, FOREVER), 1);
	expect(t->memory.allocations, allocations);
	many_close(m);
}

struct waiter {
	struct soq_poll_entry entries[2];
	int result;
	pthread_t thread;
};

static void *wait_for_any(void *arg)
{
	struct waiter *w = arg;

	w->result = soq_poll_any(w->entries, 2, FOREVER);
	return NULL;
}

static void shutdown_wakes_who_waits_for_detached_sockets(struct fixture *t)
{
	int fd[2];
	struct waiter w;

	for (unsigned i = 0; i < 2; i++) {
		struct soq_socket *s = NULL;

		expect(soq_socket_detach(pair_raw(t, AF_INET, &fd[i]), &s), 0);
		w.entries[i] = entry(s, SOQ_POLL_RECV);
	}
	expect(pthread_create(&w.thread, NULL, wait_for_any, &w), 0);
	expect(soq_shutdown(w.entries[1].socket, SOQ_SHUTDOWN_BOTH), 0);
	expect(pthread_join(w.thread, NULL), 0);
	expect(w.result, 1);
	expect(w.entries[0].told, 0);
	expect_true(w.entries[1].told & SOQ_POLL_RECV);
	for (unsigned i = 0; i < 2; i++) {
		expect(soq_close(w.entries[i].socket), 0);
		close(fd[i]);
	}
}

static const struct conf_case cases[] = {
	SYNC_CASE(nothing_is_told_when_the_time_passes, "3c 20a B142"),
	SYNC_CASE(all_that_are_ready_are_told, "20a B141"),
	SYNC_CASE(all_that_have_data_are_told, "20a B141"),
	SYNC_CASE(each_one_is_told_when_its_turn_comes, "20a B143"),
	SYNC_CASE(wait_ends_when_something_comes, "3c 20a"),
	SYNC_CASE(each_list_of_select_has_its_own, "5a B144"),
	SYNC_CASE(entries_may_be_more_than_descriptors, "20a"),
	SYNC_CASE(listeners_and_ends_are_told, "5b"),
	SYNC_CASE(entries_without_events_are_passed_over, "5a"),
	CASE(sockets_of_two_places_are_refused, "16a"),
	CASE(closed_socket_is_refused_and_harms_nobody, "15a"),
	CASE(other_ops_make_progress_and_no_done_runs, "2a 20b"),
	CASE(bytes_that_a_receive_takes_end_no_wait, "11e"),
	CASE(polls_beside_it_have_their_events, "11e"),
	CASE(it_is_legal_inside_done, "2f"),
	CASE(sockets_are_free_when_it_returns, "13a"),
	CASE(second_call_allocates_nothing, "19a"),
	CASE(shutdown_wakes_who_waits_for_detached_sockets, "20c"),
};

CONF_GROUP(poll_any, cases)
