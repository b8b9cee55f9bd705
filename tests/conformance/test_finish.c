/* SPDX-License-Identifier: MIT */
/* Closing in good order: finish, its timeout and cancel, and linger, which never blocks. */
#define _GNU_SOURCE
#include "support.h"

static void linger_of_zero_makes_close_a_reset(struct fixture *t)
{
	struct linger zero = { .l_onoff = 1, .l_linger = 0 };
	struct linger read = { 0 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char byte;

	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &zero, sizeof(zero)), 0);
	expect(soq_option_get(s, SOL_SOCKET, SO_LINGER, &read, sizeof(read)), sizeof(read));
	expect(read.l_onoff, 1);
	expect(soq_close(s), 0);

	expect(raw_recv(t, fd, &byte, 1), -ECONNRESET);
	close(fd);
}

static void positive_linger_finishes_in_the_background(struct fixture *t)
{
	struct linger some = { .l_onoff = 1, .l_linger = 30 };
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char *big = malloc(BIG_BYTES);
	int64_t begin;

	fill(big, BIG_BYTES, 1, 0);
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &some, sizeof(some)), 0);
	started(p, soq_send_async(s, &p->op, big, BIG_BYTES, 0));
	settle(t);
	begin = now_ns();
	expect(soq_close(s), 0);
	expect_true(now_ns() - begin < 1000 * MS);
	expect(soq_close(s), -EBADF);
	raw_take(t, fd, 1, 0, BIG_BYTES);
	expect(raw_recv(t, fd, big, 1), 0);
	close(fd);
	await(t, p);

	expect_end(p, BIG_BYTES, 0);
	free(big);
}

static void linger_beyond_its_range_is_refused(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	struct linger bad = { .l_onoff = 1, .l_linger = -1 };

	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &bad, sizeof(bad)), -ERANGE);
	bad.l_linger = 65536;
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &bad, sizeof(bad)), -ERANGE);
	bad.l_linger = 65535;
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &bad, sizeof(bad)), 0);
	expect(soq_close(s), 0);
}

static void finish_flushes_ends_and_drains(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t), *received = probe(t), *finish = probe(t);
	char *big = malloc(BIG_BYTES), byte;
	uint64_t bytes;

	fill(big, BIG_BYTES, 1, 0);
	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	started(received, soq_recv_async(s, &received->op, &byte, 1, 0));
	started(finish, soq_finish_async(s, &finish->op, FOREVER));
	expect(soq_close(s), -EBADF);
	expect(raw_drain(t, fd, 1, &bytes), 0);
	await(t, received);
	raw_send(fd, "unread", 6);
	settle(t);
	expect(finish->events, 0);
	raw_fin(fd);
	await(t, finish);

	expect(bytes, BIG_BYTES);
	expect_end(sent, BIG_BYTES, 0);
	expect_end(received, -ECANCELED, 0);
	expect_end(finish, 0, 0);
	expect_true(finish->sequence > sent->sequence);
	expect(raw_recv(t, fd, &byte, 1), 0);
	close(fd);
	free(big);
}

/* A close sends the FIN by itself; a shutdown and a receive before it would be for nothing. */
static void finish_after_the_peers_end_asks_for_nothing(struct fixture *t)
{
	struct soq_loop_stats before = { .size = sizeof(before) };
	struct soq_loop_stats after = { .size = sizeof(after) };
	struct probe *finish = probe(t);
	char bytes[5];
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	expect(shutdown(fd, SHUT_WR), 0);
	expect(soq_recv(s, bytes, sizeof(bytes), 0), 0);
	expect(soq_send(s, "bytes", 5, 0), 5);
	expect(soq_loop_stats(t->loop, &before), 0);
	started(finish, soq_finish_async(s, &finish->op, -1));
	await(t, finish);
	expect_end(finish, 0, 0);
	expect(soq_loop_stats(t->loop, &after), 0);
	/* A shutdown and a receive would be one at least. */
	expect(after.requests, before.requests);
	expect(raw_recv(t, fd, bytes, sizeof(bytes)), 5);
	expect(raw_recv(t, fd, bytes, sizeof(bytes)), 0);
	close(fd);
}

static void finish_aborts_at_its_timeout(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t), *finish = probe(t);
	char *big = malloc(BIG_BYTES);
	uint64_t bytes;

	fill(big, BIG_BYTES, 1, 0);
	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	started(finish, soq_finish_async(s, &finish->op, 10 * MS));
	await(t, finish);

	expect_end(finish, -ETIMEDOUT, 0);
	expect_true(sent->result > 0);
	expect_true(sent->flags & (SOQ_F_CANCELED | SOQ_F_TIMED_OUT));
	expect(raw_drain(t, fd, 1, &bytes), -ECONNRESET);
	close(fd);
	free(big);
}

static void canceled_finish_aborts(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *finish = probe(t);
	char byte;

	started(finish, soq_finish_async(s, &finish->op, FOREVER));
	settle(t);
	expect(raw_recv(t, fd, &byte, 1), 0);
	expect(finish->events, 0);
	expect(soq_cancel(&finish->op), 0);
	await(t, finish);

	expect_end(finish, -ECANCELED, 0);
	expect(send(fd, "x", 1, MSG_NOSIGNAL) < 0, 1);
	close(fd);
}

static void finish_tells_of_a_reset(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *finish = probe(t);

	started(finish, soq_finish_async(s, &finish->op, FOREVER));
	settle(t);
	raw_reset(fd);
	await(t, finish);

	expect_end(finish, -ECONNRESET, 0);
}

static void finish_waits_and_returns(struct fixture *t)
{
	int fd, other;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct soq_socket *late = pair_raw(t, AF_INET, &other);
	char byte;

	raw_fin(fd);
	expect(soq_finish(s, FOREVER), 0);
	expect(raw_recv(t, fd, &byte, 1), 0);
	expect(soq_finish(late, 3 * MS), -ETIMEDOUT);
	if (t->home)
		expect(soq_finish(late, 0), -EBADF);

	close(fd);
	close(other);
}

static void finish_of_a_socket_never_connected_closes_it(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);

	(void)soq_finish(s, FOREVER);
	(void)soq_finish(listener, FOREVER);
	expect(soq_close(s), -EBADF);
	expect(soq_close(listener), -EBADF);
	expect(stats_of(t).sockets, 0);
}

static void finish_flushes_every_send_before_it(struct fixture *t)
{
	enum { SENDS = 40, EACH = 50000 };
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p[SENDS], *finish = probe(t);
	char *big = malloc(SENDS * EACH);
	uint64_t bytes;

	fill(big, SENDS * EACH, 1, 0);
	for (int i = 0; i < SENDS; i++) {
		p[i] = probe(t);
		started(p[i], soq_send_async(s, &p[i]->op, big + i * EACH, EACH, 0));
	}
	started(finish, soq_finish_async(s, &finish->op, FOREVER));
	expect(raw_drain(t, fd, 1, &bytes), 0);
	close(fd);
	await(t, finish);

	expect(bytes, SENDS * EACH);
	for (int i = 0; i < SENDS; i++)
		expect_end(p[i], EACH, 0);
	expect_end(finish, 0, 0);
	expect(finish->sequence, SENDS + 1);
	free(big);
}

static void linger_that_runs_out_aborts(struct fixture *t)
{
	struct linger second = { .l_onoff = 1, .l_linger = 1 };
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t), *closed = probe(t);
	char *big = malloc(BIG_BYTES);
	int64_t begin = now_ns();
	uint64_t bytes;

	fill(big, BIG_BYTES, 1, 0);
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &second, sizeof(second)), 0);
	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	settle(t);
	started(closed, soq_close_async(s, &closed->op));
	settle(t);
	expect(closed->events, 0);
	await(t, closed);

	expect_true(now_ns() - begin >= 1000 * MS);
	expect(closed->finals, 1);
	expect_true(sent->result > 0 && sent->result < (int64_t)BIG_BYTES);
	expect(raw_drain(t, fd, 1, &bytes), -ECONNRESET);
	expect_true(bytes <= (uint64_t)sent->result);
	close(fd);
	free(big);
}

static void canceled_linger_aborts(struct fixture *t)
{
	struct linger minute = { .l_onoff = 1, .l_linger = 60 };
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t), *closed = probe(t);
	char *big = malloc(BIG_BYTES);
	uint64_t bytes;

	fill(big, BIG_BYTES, 1, 0);
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &minute, sizeof(minute)), 0);
	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	started(closed, soq_close_async(s, &closed->op));
	settle(t);
	expect(closed->events, 0);
	expect(soq_cancel(&closed->op), 0);
	await(t, closed);

	expect(sent->finals, 1);
	expect_true(closed->sequence > sent->sequence);
	expect(raw_drain(t, fd, 1, &bytes), -ECONNRESET);
	close(fd);
	free(big);
}

/* A connect taken back before its turn never meets the kernel; what waits for it ends too. */
static void finish_behind_a_canceled_connect_ends(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = raw_listener(AF_INET, 1, 0, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *connecting = probe(t), *received = probe(t), *finished = probe(t);
	char byte;

	started(connecting, soq_connect_async(s, &connecting->op, &ep));
	started(received, soq_recv_async(s, &received->op, &byte, 1, 0));
	expect(soq_cancel(&connecting->op), 0);
	expect(soq_connect(s, &ep), -EALREADY);
	started(finished, soq_finish_async(s, &finished->op, -1));
	await(t, finished);

	expect_end(connecting, -ECANCELED, 0);
	expect_end(received, -ECANCELED, 0);
	expect_end(finished, 0, 0);
	close(listener);
}

static void finish_behind_a_refused_connect_has_its_error(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *connecting = probe(t), *finished = probe(t);
	struct soq_endpoint ep;
	int holder;

	refused_endpoint(AF_INET, &ep, &holder);
	started(connecting, soq_connect_async(s, &connecting->op, &ep));
	started(finished, soq_finish_async(s, &finished->op, -1));
	await(t, finished);

	expect_end(connecting, -ECONNREFUSED, 0);
	expect_end(finished, -ECONNREFUSED, 0);
	close(holder);
}

static const struct conf_case cases[] = {
	CASE(finish_behind_a_canceled_connect_ends, "13f 11a"),
	CASE(finish_behind_a_refused_connect_has_its_error, "13f 11a"),
	SYNC_CASE(linger_of_zero_makes_close_a_reset, "13h"),
	CASE(positive_linger_finishes_in_the_background, "13h"),
	SYNC_CASE(linger_beyond_its_range_is_refused, "13h"),
	CASE(finish_flushes_ends_and_drains, "13f"),
	CASE(finish_after_the_peers_end_asks_for_nothing, "13f"),
	CASE(finish_aborts_at_its_timeout, "13f"),
	CASE(canceled_finish_aborts, "13f"),
	CASE(finish_tells_of_a_reset, "13f 7a"),
	SYNC_CASE(finish_waits_and_returns, "13f 20a"),
	CASE(finish_of_a_socket_never_connected_closes_it, "13f"),
	CASE(finish_flushes_every_send_before_it, "13f 9a"),
	CASE(linger_that_runs_out_aborts, "13h"),
	CASE(canceled_linger_aborts, "13h"),
};

CONF_GROUP(finish, cases)
