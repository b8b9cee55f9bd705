/* SPDX-License-Identifier: MIT */
/* Files cut short in the middle: by the program, the peer, the time, and the file itself. */
#define _GNU_SOURCE
#include "file.h"

#include <signal.h>

/* A file of BIG_BYTES on its way to a peer that takes little. */
struct way {
	struct fixture *t;
	struct soq_socket *s;
	int fd;
	struct file file;
	struct probe *p;
};

static struct way way_start(struct fixture *t)
{
	struct way w = { .t = t, .file = file_of(1, 0, BIG_BYTES), .p = probe(t) };

	w.s = pair_narrow(t, AF_INET, &w.fd);
	started(w.p, soq_send_file_async(w.s, &w.p->op, w.file.fd, 0, 0, 0));
	settle(t);
	expect(w.p->events, 0);
	return w;
}

static void way_end(struct way *w)
{
	expect(soq_close(w->s), 0);
	close(w->fd);
	close(w->file.fd);
}

/* It has ended with some of its bytes. */
static void expect_short(struct way *w, uint32_t flags)
{
	await(w->t, w->p);
	expect_true(w->p->result > 0 && w->p->result < (int64_t)BIG_BYTES);
	expect_end(w->p, w->p->result, flags);
}

/* The peer holds what was reported, and the next send begins right there. */
static void expect_held(struct way *w)
{
	struct probe *next = probe(w->t);
	uint64_t bytes;
	char more[1000];

	fill(more, sizeof(more), 1, (uint64_t)w->p->result);
	started(next, soq_send_async(w->s, &next->op, more, sizeof(more), 0));
	raw_take(w->t, w->fd, 1, 0, (uint64_t)w->p->result + sizeof(more));
	await(w->t, next);
	expect_end(next, sizeof(more), 0);
	expect(soq_shutdown(w->s, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_drain(w->t, w->fd, 1, &bytes), 0);
	expect(bytes, 0);
}

static void file_waits_for_room_and_goes_on(struct fixture *t)
{
	struct way w = way_start(t);

	raw_take(t, w.fd, 1, 0, BIG_BYTES / 2);
	expect(w.p->events, 0);
	raw_take(t, w.fd, 1, BIG_BYTES / 2, BIG_BYTES / 2);
	await(t, w.p);
	expect_end(w.p, BIG_BYTES, 0);
	way_end(&w);
}

static void file_takes_its_place_among_the_sends(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct file file = file_of(1, 500, BIG_BYTES);
	struct probe *first = probe(t), *few = probe(t), *p = probe(t);
	struct probe *last = probe(t), *end = probe(t);
	struct soq_part parts[3] = { path_part(file.path, 100, 900),
				     { 0 },
				     file_part(file.fd, 1000, 0) };
	char before[500], behind[500];
	uint64_t bytes;

	fill(before, 500, 1, 0);
	fill(behind, 500, 1, 500 + BIG_BYTES);
	started(first, soq_send_async(s, &first->op, before, 500, 0));
	started(few, soq_send_file_async(s, &few->op, file.fd, 0, 100, 0));
	settle(t);
	started(p, soq_send_parts_async(s, &p->op, parts, 3, 0));
	started(last, soq_send_async(s, &last->op, behind, 500, 0));
	started(end, soq_shutdown_async(s, &end->op, SOQ_SHUTDOWN_SEND));
	raw_take(t, fd, 1, 0, BIG_BYTES + 1000);
	expect(raw_drain(t, fd, 1, &bytes), 0);
	await(t, end);

	expect_end(first, 500, 0);
	expect_end(few, 100, 0);
	expect_end(p, BIG_BYTES - 100, 0);
	expect_end(last, 500, 0);
	expect_true(first->sequence < few->sequence && few->sequence < p->sequence);
	expect_true(p->sequence < last->sequence);
	expect(bytes, 0);
	expect(soq_close(s), 0);
	close(fd);
	close(file.fd);
}

static void file_waits_behind_a_connect(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd, listener = raw_listener(AF_INET, 1, 0, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct file file = file_of(1, 0, 100000);
	struct probe *connect = probe(t), *p = probe(t);

	started(connect, soq_connect_async(s, &connect->op, &ep));
	started(p, soq_send_file_async(s, &p->op, file.fd, 0, 0, 0));
	await(t, p);
	expect_end(connect, 0, 0);
	expect_end(p, 100000, 0);
	fd = raw_accept(listener);
	raw_take(t, fd, 1, 0, 100000);
	expect(soq_close(s), 0);
	close(fd);
	close(listener);
	close(file.fd);
}

static void canceled_file_tells_what_the_peer_holds(struct fixture *t)
{
	struct way w = way_start(t);
	struct probe *behind = probe(t);

	started(behind, soq_send_file_async(w.s, &behind->op, w.file.fd, 0, 0, 0));
	expect(soq_cancel(&w.p->op), 0);
	expect_short(&w, SOQ_F_CANCELED);
	await(t, behind);
	expect_end(behind, -ECANCELED, 0);
	expect_held(&w);
	way_end(&w);
}

static void canceled_before_its_turn_it_moves_nothing(struct fixture *t)
{
	struct way w = way_start(t);
	struct soq_part part = path_part(w.file.path, 0, 0);
	struct probe *p = probe(t);
	struct fd_census before, after;

	census(&before);
	started(p, soq_send_parts_async(w.s, &p->op, &part, 1, 0));
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	census(&after);
	expect_end(p, -ECANCELED, 0);
	expect(after.count, before.count);
	raw_take(t, w.fd, 1, 0, BIG_BYTES);
	await(t, w.p);
	expect_end(w.p, BIG_BYTES, 0);
	way_end(&w);
}

static void deadline_in_mid_file_tells_its_count(struct fixture *t)
{
	struct way w = { .t = t, .file = file_of(1, 0, BIG_BYTES), .p = probe(t) };

	w.s = pair_narrow(t, AF_INET, &w.fd);
	w.p->op.deadline_ns = now_ns() + 20 * MS;
	started(w.p, soq_send_file_async(w.s, &w.p->op, w.file.fd, 0, 0, 0));
	expect_short(&w, SOQ_F_TIMED_OUT);
	expect_held(&w);
	way_end(&w);
}

static void close_in_mid_file_resets_the_peer(struct fixture *t)
{
	struct way w = way_start(t);
	struct soq_part parts[2] = { path_part(w.file.path, 0, 0), path_part(w.file.path, 0, 0) };
	struct probe *behind = probe(t), *end = probe(t);
	struct fd_census before, after;
	uint64_t bytes;

	census(&before);
	started(behind, soq_send_parts_async(w.s, &behind->op, parts, 2, 0));
	started(end, soq_close_async(w.s, &end->op));
	expect_short(&w, SOQ_F_CANCELED);
	await(t, end);
	census(&after);
	expect_end(behind, -ECANCELED, 0);
	/* The socket's is gone too. */
	expect(after.count, before.count - 1);
	expect(raw_drain(t, w.fd, 1, &bytes), -ECONNRESET);
	expect_true(bytes <= (uint64_t)w.p->result);
	close(w.fd);
	close(w.file.fd);
}

static void finish_sends_the_whole_file(struct fixture *t)
{
	struct way w = way_start(t);
	struct probe *end = probe(t);
	uint64_t bytes;

	started(end, soq_finish_async(w.s, &end->op, FOREVER));
	expect(raw_drain(t, w.fd, 1, &bytes), 0);
	expect(bytes, BIG_BYTES);
	close(w.fd);
	await(t, end);
	expect_end(end, 0, 0);
	expect_end(w.p, BIG_BYTES, 0);
	close(w.file.fd);
}

static void reset_in_mid_file_breaks_it(struct fixture *t)
{
	struct way w = way_start(t);
	struct probe *next = probe(t);

	raw_reset(w.fd);
	expect_short(&w, SOQ_F_BROKEN);
	started(next, soq_send_file_async(w.s, &next->op, w.file.fd, 0, 0, 0));
	await(t, next);
	expect_end(next, -ECONNRESET, 0);
	expect(soq_close(w.s), 0);
	close(w.file.fd);
}

/* With the signal as every program finds it: it would end this one. */
static void peer_that_receives_no_more_raises_no_signal(struct fixture *t)
{
	struct sigaction usual = { .sa_handler = SIG_DFL }, before;
	int fd, other;
	struct soq_socket *s = pair_unix_raw(t, SOCK_STREAM, &fd);
	struct soq_socket *half = pair_unix_raw(t, SOCK_STREAM, &other);
	struct file file = file_of(1, 0, BIG_BYTES);
	struct probe *p = probe(t), *late = probe(t);
	char some[1000];

	expect(sigaction(SIGPIPE, &usual, &before), 0);
	expect(shutdown(fd, SHUT_RD), 0);
	started(p, soq_send_file_async(s, &p->op, file.fd, 0, 0, 0));
	await(t, p);
	expect(soq_send_file(s, file.fd, 0, 0, 0), -EPIPE);

	started(late, soq_send_file_async(half, &late->op, file.fd, 0, 0, 0));
	settle(t);
	expect(late->events, 0);
	expect(shutdown(other, SHUT_RD), 0);
	/* Room is what it waits for: that it will not be taken shows with the next piece. */
	while (!finished(late) && recv(other, some, sizeof(some), MSG_DONTWAIT) > 0)
		settle(t);
	await(t, late);
	expect(sigaction(SIGPIPE, &before, NULL), 0);

	expect_end(p, -EPIPE, 0);
	expect_true(late->result > 0 && late->result < (int64_t)BIG_BYTES);
	expect_end(late, late->result, SOQ_F_BROKEN);
	expect(soq_close(s), 0);
	expect(soq_close(half), 0);
	close(fd);
	close(other);
	close(file.fd);
}

static void file_that_shrinks_ends_short(struct fixture *t)
{
	struct way w = way_start(t);

	expect(ftruncate(w.file.fd, BIG_BYTES / 2 + 11), 0);
	raw_take(t, w.fd, 1, 0, BIG_BYTES / 2 + 11);
	await(t, w.p);
	expect_end(w.p, BIG_BYTES / 2 + 11, SOQ_F_BROKEN);

	/* The connection is as it was. */
	started(w.p, soq_send_file_async(w.s, &w.p->op, w.file.fd, 0, 1000, 0));
	raw_take(t, w.fd, 1, 0, 1000);
	await(t, w.p);
	expect_end(w.p, 1000, 0);
	way_end(&w);
}

static void file_that_is_gone_when_its_turn_comes_is_an_error(struct fixture *t)
{
	struct way w = way_start(t);
	struct file other = file_of(1, 0, 5000);
	struct probe *p = probe(t), *behind = probe(t);

	started(p, soq_send_file_async(w.s, &p->op, other.fd, 0, 0, 0));
	started(behind, soq_send_file_async(w.s, &behind->op, w.file.fd, 0, 1000, 0));
	expect(ftruncate(other.fd, 0), 0);
	raw_take(t, w.fd, 1, 0, BIG_BYTES);
	raw_take(t, w.fd, 1, 0, 1000);
	await(t, behind);
	expect_end(w.p, BIG_BYTES, 0);
	expect_end(p, -EIO, 0);
	expect_end(behind, 1000, 0);
	way_end(&w);
	close(other.fd);
}

static void timeout_in_mid_file_is_told_by_the_next_call(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct file file = file_of(1, 0, BIG_BYTES);
	struct soq_part part = path_part(file.path, 0, 0);
	int64_t sent;
	uint64_t bytes;

	expect(soq_socket_set_timeouts(s, FOREVER, 20 * MS), 0);
	sent = soq_send_file(s, file.fd, 0, 0, 0);
	expect_true(sent > 0 && sent < (int64_t)BIG_BYTES);
	expect(soq_send_parts(s, &part, 1, 0), -ETIMEDOUT);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_drain(t, fd, 1, &bytes), 0);
	expect(bytes, sent);
	expect(soq_close(s), 0);
	close(fd);
	close(file.fd);
}

static const struct conf_case cases[] = {
	CASE(file_waits_for_room_and_goes_on, "9c"),
	CASE(file_takes_its_place_among_the_sends, "9a 11d"),
	CASE(file_waits_behind_a_connect, "11a"),
	CASE(canceled_file_tells_what_the_peer_holds, "6c 10b"),
	CASE(canceled_before_its_turn_it_moves_nothing, "6a 10a"),
	CASE(deadline_in_mid_file_tells_its_count, "6c"),
	CASE(close_in_mid_file_resets_the_peer, "13a 13c B162"),
	CASE(finish_sends_the_whole_file, "13f"),
	CASE(reset_in_mid_file_breaks_it, "6c 7d"),
	CASE(peer_that_receives_no_more_raises_no_signal, "18b"),
	CASE(file_that_shrinks_ends_short, "6c"),
	CASE(file_that_is_gone_when_its_turn_comes_is_an_error, "10a"),
	SYNC_CASE(timeout_in_mid_file_is_told_by_the_next_call, "6d 20a"),
};

CONF_GROUP(file_cut, cases)
