/* SPDX-License-Identifier: MIT */
/* Polls: what they tell, when, and how they end. */
#define _GNU_SOURCE
#include "support.h"

#include <sys/wait.h>

#define ALL (SOQ_POLL_RECV | SOQ_POLL_SEND | SOQ_POLL_URGENT | SOQ_POLL_PEER_END)

static void poll_tells_what_is_there_at_once(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);

	started(p, soq_poll_async(s, &p->op, ALL, 0));
	await(t, p);
	expect_end(p, SOQ_POLL_SEND, 0);
	raw_send(fd, "x", 1);
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
	await(t, p);
	expect_end(p, SOQ_POLL_RECV, 0);
	started(p, soq_poll_async(s, &p->op, ALL, 0));
	await(t, p);
	expect_end(p, SOQ_POLL_RECV | SOQ_POLL_SEND, 0);
	expect(soq_abort(s), 0);
	close(fd);
}

static void poll_waits_for_bytes(struct fixture *t)
{
	for (unsigned i = 0; i < 4; i++) {
		int fd;
		struct soq_socket *s =
			i < 2 ? pair_raw(t, i ? AF_INET : AF_INET6, &fd)
			      : pair_unix_raw(t, i == 2 ? SOCK_STREAM : SOCK_SEQPACKET, &fd);
		struct probe *p = probe(t);
		char in[4];

		started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
		settle(t);
		expect(p->events, 0);
		raw_send(fd, "x", 1);
		await(t, p);
		expect_end(p, SOQ_POLL_RECV, 0);
		expect(soq_recv(s, in, 4, 0), 1);
		expect(soq_abort(s), 0);
		close(fd);
	}
}

static void poll_waits_for_room(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t), *p = probe(t);
	char *big = malloc(BIG_BYTES);

	fill(big, BIG_BYTES, 1, 0);
	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	settle(t);
	expect(soq_cancel(&sent->op), 0);
	await(t, sent);
	expect_true(sent->result > 0);
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_SEND, 0));
	settle(t);
	expect(p->events, 0);
	raw_take(t, fd, 1, 0, (uint64_t)sent->result);
	await(t, p);
	expect_end(p, SOQ_POLL_SEND, 0);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void poll_tells_the_end_of_the_peer(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[4];

	started(p, soq_poll_async(s, &p->op, SOQ_POLL_PEER_END, 0));
	settle(t);
	raw_send(fd, "last", 4);
	settle(t);
	expect(p->events, 0);
	raw_fin(fd);
	await(t, p);
	expect_end(p, SOQ_POLL_PEER_END, 0);
	expect(soq_recv(s, in, 4, 0), 4);
	/* The end of stream is something to receive. */
	expect(soq_poll(s, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	expect(soq_recv(s, in, 4, 0), 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void poll_tells_urgent_data(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);

	started(p, soq_poll_async(s, &p->op, SOQ_POLL_URGENT, 0));
	settle(t);
	raw_send(fd, "plain", 5);
	settle(t);
	expect(p->events, 0);
	expect(send(fd, "!", 1, MSG_OOB), 1);
	await(t, p);
	expect_end(p, SOQ_POLL_URGENT, 0);
	expect(soq_abort(s), 0);
	close(fd);
}

static void errors_and_hangups_are_told_unasked(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t), *only = probe(t);

	started(p, soq_poll_async(s, &p->op, SOQ_POLL_URGENT, 0));
	started(only, soq_poll_async(s, &only->op, SOQ_POLL_HANGUP, 0));
	settle(t);
	expect(p->events + only->events, 0);
	raw_reset(fd);
	run_until(t, finished(p) && finished(only));
	expect_end(p, SOQ_POLL_ERROR | SOQ_POLL_HANGUP, 0);
	expect_end(only, SOQ_POLL_ERROR | SOQ_POLL_HANGUP, 0);
	expect(soq_close(s), 0);

	/* Both sides have ended, in good order. */
	s = pair_raw(t, AF_INET, &fd);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	started(p, soq_poll_async(s, &p->op, SOQ_POLL_URGENT, 0));
	settle(t);
	expect(p->events, 1);
	raw_fin(fd);
	await(t, p);
	expect_end(p, SOQ_POLL_HANGUP, 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void listener_becomes_ready(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct soq_endpoint ep = { 0 };
		struct soq_socket *listener = i ? unix_listener(t, SOCK_STREAM, &ep)
						: soq_listener(t, AF_INET, &ep);
		struct soq_socket *client = open_socket(t, i ? AF_UNIX : AF_INET), *out;
		struct probe *p = probe(t);

		expect(soq_poll(listener, SOQ_POLL_RECV, 0), 0);
		started(p, soq_poll_async(listener, &p->op, SOQ_POLL_RECV, 0));
		settle(t);
		expect(p->events, 0);
		expect(soq_connect(client, &ep), 0);
		await(t, p);
		expect_end(p, SOQ_POLL_RECV, 0);
		expect(soq_accept(listener, &out, NULL), 0);
		expect(soq_poll(listener, SOQ_POLL_RECV, 0), 0);
		expect(soq_abort(out), 0);
		expect(soq_abort(client), 0);
		expect(soq_close(listener), 0);
	}
}

static void datagrams_can_be_polled(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct probe *p = probe(t);
		char in[4];

		expect(soq_poll(d.b, SOQ_POLL_RECV | SOQ_POLL_SEND, FOREVER), SOQ_POLL_SEND);
		started(p, soq_poll_async(d.b, &p->op, SOQ_POLL_RECV, 0));
		settle(t);
		expect(p->events, 0);
		expect(soq_send_to(d.a, "", 0, 0, &d.at_b), 0);
		await(t, p);
		expect_end(p, SOQ_POLL_RECV, 0);
		expect(soq_recv(d.b, in, 4, 0), 0);
		expect(soq_poll(d.b, SOQ_POLL_RECV, 0), 0);
		datagrams_close(&d);
	}
}

static void sync_poll_waits_as_long_as_it_is_told(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	int64_t begin = now_ns();

	/* The socket's timeouts do not apply. */
	expect(soq_socket_set_timeouts(s, 0, 0), 0);
	expect(soq_poll(s, SOQ_POLL_RECV, 0), 0);
	expect(soq_poll(s, SOQ_POLL_RECV, 5 * MS), 0);
	expect_true(now_ns() - begin >= 5 * MS);
	expect(soq_poll(s, SOQ_POLL_SEND, 0), SOQ_POLL_SEND);
	raw_send(fd, "x", 1);
	expect(soq_poll(s, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	expect(soq_poll(s, SOQ_POLL_RECV, 0), SOQ_POLL_RECV);
	expect(soq_abort(s), 0);
	/* A detached handle is dead by now. */
	if (t->home != NULL)
		expect(soq_poll(s, SOQ_POLL_RECV, 0), -EBADF);
	close(fd);
}

/* Sends a byte for each it gets: a process, since valgrind lets no thread run beside a ring. */
static pid_t echoing(int fd, unsigned count)
{
	pid_t child = fork();
	char c;

	expect_true(child >= 0);
	if (child > 0)
		return child;
	while (count-- > 0 && recv(fd, &c, 1, 0) == 1)
		if (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
			break;
	_exit(0);
}

static void sync_poll_wakes_when_data_comes(struct fixture *t)
{
	static const int64_t timeouts[] = { FOREVER, 30000 * MS };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	unsigned count = 100;
	pid_t child = echoing(fd, count);
	char in[4];

	expect(soq_poll(s, SOQ_POLL_RECV, 0), 0);
	expect(soq_poll(s, SOQ_POLL_ERROR, 0), 0);
	expect(soq_poll(s, SOQ_POLL_ERROR | SOQ_POLL_URGENT, MS), 0);
	for (unsigned i = 0; i < count; i++) {
		expect(soq_send(s, "x", 1, 0), 1);
		expect(soq_poll(s, SOQ_POLL_RECV, timeouts[i % 2]), SOQ_POLL_RECV);
		expect(soq_recv(s, in, 4, 0), 1);
	}
	expect(waitpid(child, NULL, 0), child);
	expect(soq_abort(s), 0);
	close(fd);
}

static void poll_that_makes_no_sense_is_refused(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t);

	expect(soq_poll_async(s, &p->op, 0, 0), -EINVAL);
	expect(soq_poll_async(s, &p->op, 1u << 6, 0), -EINVAL);
	expect(soq_poll_async(s, &p->op, SOQ_POLL_RECV, SOQ_EXACT), -EINVAL);
	expect(soq_poll(s, 0, 0), -EINVAL);
	expect(soq_close(s), 0);
}

static void poll_ends_by_cancel_deadline_and_close(struct fixture *t)
{
	/* Of each: before and after the kernel has it. */
	for (unsigned i = 0; i < 6; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *p = probe(t), *other = probe(t);

		if (i / 2 == 1)
			p->op.deadline_ns = now_ns() + 5 * MS;
		started(p,
			soq_poll_async(s, &p->op, SOQ_POLL_RECV, i / 2 == 1 ? SOQ_MULTISHOT : 0));
		started(other, soq_poll_async(s, &other->op, SOQ_POLL_RECV, 0));
		if (i % 2)
			settle(t);
		if (i / 2 == 0)
			expect(soq_cancel(&p->op), 0);
		if (i / 2 == 2)
			expect(soq_close(s), 0);
		await(t, p);
		expect_end(p, i / 2 == 1 ? -ETIMEDOUT : -ECANCELED, 0);
		expect(soq_cancel(&p->op), -ENOENT);
		if (i / 2 < 2) {
			expect(other->events, 0);
			raw_send(fd, "x", 1);
			await(t, other);
			expect_end(other, SOQ_POLL_RECV, 0);
			expect(soq_abort(s), 0);
		} else {
			await(t, other);
			expect_end(other, -ECANCELED, 0);
		}
		close(fd);
	}
}

static void close_ends_any_number_of_polls(struct fixture *t)
{
	for (unsigned i = 0; i < 6; i++) {
		unsigned count = i / 2 * i; /* 0 0 2 3 8 10 */
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *p[10], *ended = probe(t);

		expect(soq_poll(s, SOQ_POLL_SEND, FOREVER), SOQ_POLL_SEND);
		for (unsigned k = 0; k < count; k++) {
			p[k] = probe(t);
			started(p[k], soq_poll_async(s, &p[k]->op,
						     k % 2 ? SOQ_POLL_RECV : SOQ_POLL_PEER_END,
						     k % 3 ? SOQ_MULTISHOT : 0));
		}
		if (i % 2)
			settle(t);
		started(ended, soq_close_async(s, &ended->op));
		await(t, ended);
		for (unsigned k = 0; k < count; k++) {
			expect_end(p[k], -ECANCELED, 0);
			expect_true(ended->sequence > p[k]->sequence);
		}
		close(fd);
	}
}

static const struct conf_case cases[] = {
	CASE(poll_tells_what_is_there_at_once, "1b"),
	CASE(poll_waits_for_bytes, "1b"),
	CASE(poll_waits_for_room, "1b"),
	CASE(poll_tells_the_end_of_the_peer, "5b"),
	CASE(poll_tells_urgent_data, "1b"),
	CASE(errors_and_hangups_are_told_unasked, "5a"),
	CASE(listener_becomes_ready, "1b"),
	CASE(datagrams_can_be_polled, "8c"),
	SYNC_CASE(sync_poll_waits_as_long_as_it_is_told, "20a 3c"),
	SYNC_CASE(sync_poll_wakes_when_data_comes, "20a 3c B146"),
	CASE(poll_that_makes_no_sense_is_refused, "1a"),
	CASE(poll_ends_by_cancel_deadline_and_close, "6a 6b 13a"),
	CASE(close_ends_any_number_of_polls, "13a 13e"),
};

CONF_GROUP(poll, cases)
