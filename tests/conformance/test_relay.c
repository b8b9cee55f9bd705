/* SPDX-License-Identifier: MIT */
/* Relays: all of it, its end, who waits, and every way to be cut short. */
#define _GNU_SOURCE
#include "file.h"

#include <signal.h>

/* A relay between two kernel sockets of the test's: what is sent to `in` comes out of `out`. */
struct road {
	struct fixture *t;
	struct soq_socket *from, *to;
	int in, out;
	struct probe *p;
};

static struct road road_make(struct fixture *t)
{
	struct road r = { .t = t, .p = probe(t) };

	r.from = pair_raw(t, AF_INET, &r.in);
	r.to = pair_narrow(t, AF_INET, &r.out);
	return r;
}

static struct road road_start(struct fixture *t)
{
	struct road r = road_make(t);

	started(r.p, soq_relay_async(r.from, &r.p->op, r.to, 0));
	settle(t);
	expect(r.p->events, 0);
	return r;
}

static void road_end(struct road *r)
{
	if (r->from)
		expect(soq_close(r->from), 0);
	if (r->to)
		expect(soq_close(r->to), 0);
	close(r->in);
	close(r->out);
}

/* Sends stream 1 from `offset` on until nothing fits any more; how far that was. */
static uint64_t stuff(struct road *r, uint64_t offset)
{
	char piece[65536];
	unsigned full = 0;

	while (full < 8) {
		ssize_t n;

		fill(piece, sizeof(piece), 1, offset);
		n = send(r->in, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL);
		full = n > 0 ? 0 : full + 1;
		offset += n > 0 ? (uint64_t)n : 0;
		settle(r->t);
	}
	return offset;
}

/* Sends `bytes` of stream 1, and the end; from a thread, which may wait. */
struct giver {
	pthread_t thread;
	int fd;
	uint64_t bytes;
};

static void *giver_body(void *arg)
{
	struct giver *giver = arg;
	char piece[65536];

	for (uint64_t at = 0; at < giver->bytes;) {
		uint64_t left = giver->bytes - at;
		ssize_t n;

		fill(piece, sizeof(piece), 1, at);
		n = send(giver->fd, piece, left < sizeof(piece) ? (size_t)left : sizeof(piece),
			 MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			break;
		at += n > 0 ? (uint64_t)n : 0;
	}
	(void)shutdown(giver->fd, SHUT_WR);
	return NULL;
}

static void all_of_a_stream(struct fixture *t, struct soq_socket *from, int in,
			    struct soq_socket *to, int out)
{
	struct giver giver = { .fd = in, .bytes = 5 * BIG_BYTES + 17 };
	struct probe *p = probe(t);
	uint64_t bytes;

	started(p, soq_relay_async(from, &p->op, to, 0));
	expect(pthread_create(&giver.thread, NULL, giver_body, &giver), 0);
	expect(raw_drain(t, out, 1, &bytes), 0);
	await(t, p);
	expect(pthread_join(giver.thread, NULL), 0);
	expect(bytes, giver.bytes);
	expect_end(p, giver.bytes, 0);
	expect(soq_close(from), 0);
	expect(soq_close(to), 0);
	close(in);
	close(out);
}

static void relay_moves_all_and_the_end(struct fixture *t)
{
	struct soq_socket *from, *to;
	int in, out;

	from = pair_raw(t, AF_INET, &in);
	to = pair_raw(t, AF_INET6, &out);
	all_of_a_stream(t, from, in, to, out);
	from = pair_unix_raw(t, SOCK_STREAM, &in);
	to = pair_narrow(t, AF_INET, &out);
	all_of_a_stream(t, from, in, to, out);
	from = pair_narrow(t, AF_INET, &in);
	to = pair_unix_raw(t, SOCK_STREAM, &out);
	all_of_a_stream(t, from, in, to, out);
}

static void two_relays_are_a_proxy(struct fixture *t)
{
	struct road r = road_start(t);
	struct probe *back = probe(t);
	uint64_t bytes;
	char word[4];

	started(back, soq_relay_async(r.to, &back->op, r.from, 0));
	raw_send(r.in, "ask", 3);
	expect(shutdown(r.in, SHUT_WR), 0);
	expect(raw_recv(t, r.out, word, 3), 3);
	expect(raw_recv(t, r.out, word, 1), 0);
	await(t, r.p);
	expect(back->events, 0);

	/* One direction has ended; the other goes on. */
	raw_send(r.out, "tell", 4);
	expect(raw_recv(t, r.in, word, 4), 4);
	assert_memory_equal(word, "tell", 4);
	expect(shutdown(r.out, SHUT_WR), 0);
	expect(raw_drain(t, r.in, 0, &bytes), 0);
	await(t, back);
	expect_end(r.p, 3, 0);
	expect_end(back, 4, 0);
	road_end(&r);
}

static void relay_to_itself_is_an_echo(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char out[1000];
	uint64_t bytes;

	fill(out, sizeof(out), 1, 0);
	started(p, soq_relay_async(s, &p->op, s, 0));
	raw_send(fd, out, sizeof(out));
	expect(shutdown(fd, SHUT_WR), 0);
	expect(raw_drain(t, fd, 1, &bytes), 0);
	await(t, p);
	expect(bytes, sizeof(out));
	expect_end(p, sizeof(out), 0);
	expect(soq_close(s), 0);
	close(fd);
}

/* The relay has ended short: `to` has what it says, `from` still has the rest. */
static void expect_cut(struct road *r, uint64_t sent, uint32_t flags)
{
	struct probe *rest = probe(r->t);
	uint64_t left;
	char *in;

	await(r->t, r->p);
	expect_true(r->p->result > 0 && r->p->result < (int64_t)sent);
	expect_end(r->p, r->p->result, flags);
	left = sent - (uint64_t)r->p->result;
	in = malloc(left);
	started(rest, soq_recv_async(r->from, &rest->op, in, left, SOQ_EXACT));
	await(r->t, rest);
	expect_end(rest, left, 0);
	expect_true(is_filled(in, left, 1, (uint64_t)r->p->result));
	free(in);
}

static void expect_given(struct road *r)
{
	uint64_t bytes;

	expect(soq_shutdown(r->to, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_drain(r->t, r->out, 1, &bytes), 0);
	expect(bytes, r->p->result);
}

static void canceled_relay_loses_no_byte(struct fixture *t)
{
	struct road r = road_start(t);
	uint64_t sent = stuff(&r, 0);

	expect(r.p->events, 0);
	expect(soq_cancel(&r.p->op), 0);
	expect_cut(&r, sent, SOQ_F_CANCELED);
	expect_given(&r);
	road_end(&r);
}

static void deadline_of_a_relay_loses_no_byte(struct fixture *t)
{
	struct road r = road_make(t);
	uint64_t sent;

	r.p->op.deadline_ns = now_ns() + 100 * MS;
	started(r.p, soq_relay_async(r.from, &r.p->op, r.to, 0));
	sent = stuff(&r, 0);
	await(t, r.p);
	expect_cut(&r, sent, SOQ_F_TIMED_OUT);
	expect_given(&r);
	road_end(&r);
}

static void idle_relay_is_canceled(struct fixture *t)
{
	struct road r = road_start(t);
	struct probe *behind = probe(t);

	started(behind, soq_send_async(r.to, &behind->op, "go", 2, 0));
	settle(t);
	expect(behind->events, 0);
	expect(soq_cancel(&r.p->op), 0);
	await(t, behind);
	expect_end(r.p, -ECANCELED, 0);
	/* With nothing moved those behind it go on. */
	expect_end(behind, 2, 0);
	road_end(&r);
}

static void relay_takes_its_place_in_both_lanes(struct fixture *t)
{
	struct road r = road_make(t);
	struct probe *first = probe(t), *before = probe(t), *after = probe(t), *last = probe(t);
	char in[4], rest[8], out[8];
	uint64_t bytes;

	started(first, soq_recv_async(r.from, &first->op, in, 4, SOQ_EXACT));
	started(before, soq_send_async(r.to, &before->op, "head", 4, 0));
	started(r.p, soq_relay_async(r.from, &r.p->op, r.to, 0));
	started(after, soq_recv_async(r.from, &after->op, rest, 8, 0));
	started(last, soq_send_async(r.to, &last->op, "late", 4, 0));
	raw_send(r.in, "mine", 4);
	raw_send(r.in, "body", 4);
	expect(shutdown(r.in, SHUT_WR), 0);
	for (unsigned i = 0; i < 8; i++)
		expect(raw_recv(t, r.out, out + i, 1), 1);
	assert_memory_equal(out, "headbody", 8);
	expect(raw_drain(t, r.out, 0, &bytes), 0);
	expect(bytes, 0);
	await(t, last);
	await(t, after);

	assert_memory_equal(in, "mine", 4);
	expect_end(first, 4, 0);
	expect_end(before, 4, 0);
	expect_end(r.p, 4, 0);
	expect_end(after, 0, 0);
	expect_end(last, -EPIPE, 0);
	road_end(&r);
}

static void relay_cut_short_takes_the_sends_behind_along(struct fixture *t)
{
	struct road r = road_start(t);
	struct probe *behind = probe(t);
	uint64_t sent = stuff(&r, 0);

	started(behind, soq_send_async(r.to, &behind->op, "tail", 4, 0));
	expect(soq_cancel(&r.p->op), 0);
	expect_cut(&r, sent, SOQ_F_CANCELED);
	await(t, behind);
	expect_end(behind, -ECANCELED, 0);
	expect_given(&r);
	road_end(&r);
}

static void relay_waits_for_both_connects(struct fixture *t)
{
	struct soq_endpoint ep_in, ep_out;
	int listener_in = raw_listener(AF_INET, 1, 0, &ep_in);
	int listener_out = raw_listener(AF_INET, 1, 0, &ep_out);
	struct road r = { .t = t, .p = probe(t) };
	struct probe *in = probe(t), *out = probe(t);
	char word[4];

	r.from = open_socket(t, AF_INET);
	r.to = open_socket(t, AF_INET);
	started(out, soq_connect_async(r.to, &out->op, &ep_out));
	started(in, soq_connect_async(r.from, &in->op, &ep_in));
	started(r.p, soq_relay_async(r.from, &r.p->op, r.to, 0));
	await(t, in);
	await(t, out);
	r.in = raw_accept(listener_in);
	r.out = raw_accept(listener_out);
	raw_send(r.in, "word", 4);
	expect(raw_recv(t, r.out, word, 4), 4);
	expect(shutdown(r.in, SHUT_WR), 0);
	await(t, r.p);
	expect_end(r.p, 4, 0);
	road_end(&r);
	close(listener_in);
	close(listener_out);
}

static void relay_waits_for_a_connect_that_waits(struct fixture *t)
{
	struct soq_endpoint ep = { 0 };
	int listener = raw_unix_listener(SOCK_STREAM, 0, &ep), filler = raw_connect(&ep);
	struct road r = { .t = t, .p = probe(t) };
	struct probe *in = probe(t);
	char word[4];

	r.from = open_socket(t, AF_UNIX);
	r.to = pair_raw(t, AF_INET, &r.out);
	started(in, soq_connect_async(r.from, &in->op, &ep));
	started(r.p, soq_relay_async(r.from, &r.p->op, r.to, 0));
	settle(t);
	expect(in->events, 0);
	expect(r.p->events, 0);
	close(raw_accept(listener));
	await(t, in);
	r.in = raw_accept(listener);
	raw_send(r.in, "word", 4);
	expect(raw_recv(t, r.out, word, 4), 4);
	expect(shutdown(r.in, SHUT_WR), 0);
	await(t, r.p);
	expect_end(in, 0, 0);
	expect_end(r.p, 4, 0);
	road_end(&r);
	close(filler);
	close(listener);
}

static void failed_connect_fails_the_relay(struct fixture *t)
{
	struct soq_endpoint nobody;
	int holder;
	struct road r = { .t = t, .p = probe(t) };
	struct probe *connect = probe(t), *back = probe(t);

	refused_endpoint(AF_INET, &nobody, &holder);
	r.from = pair_raw(t, AF_INET, &r.in);
	r.to = open_socket(t, AF_INET);
	started(connect, soq_connect_async(r.to, &connect->op, &nobody));
	started(r.p, soq_relay_async(r.from, &r.p->op, r.to, 0));
	started(back, soq_relay_async(r.to, &back->op, r.from, 0));
	await(t, r.p);
	await(t, back);
	expect_end(r.p, -ECONNREFUSED, SOQ_F_TO);
	expect_end(back, -ECONNREFUSED, 0);
	expect(soq_close(r.from), 0);
	expect(soq_close(r.to), 0);
	close(r.in);
	close(holder);
}

static void close_of_from_ends_the_relay(struct fixture *t)
{
	struct road r = road_start(t);
	uint64_t bytes;

	stuff(&r, 0);
	expect(soq_close(r.from), 0);
	await(t, r.p);
	expect_true(r.p->result > 0);
	expect_end(r.p, r.p->result, SOQ_F_CANCELED);
	r.from = NULL;
	expect_given(&r);
	expect(raw_drain(t, r.in, 0, &bytes), -ECONNRESET);
	road_end(&r);
}

static void close_of_to_ends_the_relay(struct fixture *t)
{
	struct road r = road_start(t), idle = road_start(t);
	uint64_t bytes, sent = stuff(&r, 0);

	expect(soq_close(r.to), 0);
	r.to = NULL;
	expect_cut(&r, sent, SOQ_F_CANCELED | SOQ_F_TO);
	expect(raw_drain(t, r.out, 1, &bytes), -ECONNRESET);
	road_end(&r);

	expect(soq_close(idle.to), 0);
	await(t, idle.p);
	expect_end(idle.p, -ECANCELED, SOQ_F_TO);
	expect(raw_drain(t, idle.out, 1, &bytes), -ECONNRESET);
	idle.to = NULL;
	road_end(&idle);
}

static void finish_of_to_waits_for_the_end(struct fixture *t)
{
	struct road r = road_start(t);
	struct probe *finish = probe(t);
	uint64_t bytes;

	started(finish, soq_finish_async(r.to, &finish->op, FOREVER));
	settle(t);
	expect(finish->events, 0);
	raw_send(r.in, "last", 4);
	expect(shutdown(r.in, SHUT_WR), 0);
	await(t, r.p);
	expect_end(r.p, 4, 0);
	expect(raw_recv(t, r.out, &bytes, 4), 4);
	expect(raw_drain(t, r.out, 0, &bytes), 0);
	close(r.out);
	await(t, finish);
	expect_end(finish, 0, 0);
	expect(soq_close(r.from), 0);
	close(r.in);
}

static void reset_of_from_is_no_end(struct fixture *t)
{
	struct road r = road_start(t), idle = road_start(t);
	struct probe *next = probe(t);
	uint64_t bytes;
	char in[4];

	raw_reset(idle.in);
	await(t, idle.p);
	expect_end(idle.p, -ECONNRESET, 0);
	expect(soq_close(idle.from), 0);
	expect(soq_close(idle.to), 0);
	expect(raw_drain(t, idle.out, 1, &bytes), 0);
	close(idle.out);

	raw_send(r.in, "some", 4);
	expect(raw_recv(t, r.out, in, 4), 4);
	raw_reset(r.in);
	await(t, r.p);
	expect_end(r.p, 4, SOQ_F_BROKEN);
	started(next, soq_recv_async(r.from, &next->op, in, 4, 0));
	await(t, next);
	expect_end(next, -ECONNRESET, 0);
	expect(soq_close(r.from), 0);
	expect(soq_close(r.to), 0);
	close(r.out);
}

static void reset_of_to_shows_with_the_next_bytes(struct fixture *t)
{
	struct road r = road_start(t), idle = road_start(t);
	struct probe *next = probe(t);
	uint64_t sent = stuff(&r, 0);

	raw_reset(idle.out);
	raw_send(idle.in, "some", 4);
	await(t, idle.p);
	expect_end(idle.p, -ECONNRESET, SOQ_F_TO);
	expect(soq_close(idle.from), 0);
	expect(soq_close(idle.to), 0);
	close(idle.in);

	raw_reset(r.out);
	expect_cut(&r, sent, SOQ_F_BROKEN | SOQ_F_TO);
	started(next, soq_send_async(r.to, &next->op, "more", 4, 0));
	await(t, next);
	expect_end(next, -ECONNRESET, 0);
	expect(soq_close(r.from), 0);
	expect(soq_close(r.to), 0);
	close(r.in);
}

/* The receive lane of `to` may be told first: then both know. */
static void reset_of_to_is_told_to_both_directions(struct fixture *t)
{
	struct road r = road_start(t);
	struct probe *back = probe(t);

	started(back, soq_relay_async(r.to, &back->op, r.from, 0));
	settle(t);
	raw_send(r.in, "some", 4);
	raw_reset(r.out);
	await(t, back);
	raw_send(r.in, "more", 4);
	await(t, r.p);
	expect_end(back, -ECONNRESET, 0);
	expect_true(r.p->result == -ECONNRESET || r.p->result == 4);
	expect_true(r.p->flags & SOQ_F_TO);
	expect(soq_close(r.from), 0);
	expect(soq_close(r.to), 0);
	close(r.in);
}

static void peer_that_receives_no_more_raises_no_signal(struct fixture *t)
{
	struct sigaction usual = { .sa_handler = SIG_DFL }, before;
	struct road r = { .t = t, .p = probe(t) };

	expect(sigaction(SIGPIPE, &usual, &before), 0);
	r.from = pair_raw(t, AF_INET, &r.in);
	r.to = pair_unix_raw(t, SOCK_STREAM, &r.out);
	started(r.p, soq_relay_async(r.from, &r.p->op, r.to, 0));
	settle(t);
	expect(shutdown(r.out, SHUT_RD), 0);
	raw_send(r.in, "some", 4);
	await(t, r.p);
	expect(sigaction(SIGPIPE, &before, NULL), 0);
	expect_end(r.p, -EPIPE, SOQ_F_TO);
	road_end(&r);
}

static const struct conf_case cases[] = {
	CASE(relay_moves_all_and_the_end, "9c"),
	CASE(two_relays_are_a_proxy, "1b"),
	CASE(relay_to_itself_is_an_echo, "1b"),
	CASE(canceled_relay_loses_no_byte, "6c 14a"),
	CASE(deadline_of_a_relay_loses_no_byte, "6c"),
	CASE(idle_relay_is_canceled, "6a 10a"),
	CASE(relay_takes_its_place_in_both_lanes, "9a 9b"),
	CASE(relay_cut_short_takes_the_sends_behind_along, "10b"),
	CASE(relay_waits_for_both_connects, "11a"),
	CASE(relay_waits_for_a_connect_that_waits, "11a"),
	CASE(failed_connect_fails_the_relay, "11b"),
	CASE(close_of_from_ends_the_relay, "13a"),
	CASE(close_of_to_ends_the_relay, "13a 13c"),
	CASE(finish_of_to_waits_for_the_end, "13f"),
	CASE(reset_of_from_is_no_end, "7a"),
	CASE(reset_of_to_shows_with_the_next_bytes, "7d"),
	CASE(reset_of_to_is_told_to_both_directions, "7d"),
	CASE(peer_that_receives_no_more_raises_no_signal, "18b"),
};

CONF_GROUP(relay, cases)
