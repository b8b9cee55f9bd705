/* SPDX-License-Identifier: MIT */
/*
 * Options that change how and never what: direct descriptors, with fewer and with more
 * places than sockets, and busy polling. Where there are none everything is the same.
 */
#define _GNU_SOURCE
#include "work.h"

#include <sys/resource.h>

#define PAIRS 5

static const uint32_t sizes[] = { 2, 64 };

static struct soq_loop_info info_of(struct soq_loop *loop)
{
	struct soq_loop_info info = { .size = sizeof(info) };

	expect(soq_loop_info(loop, &info), 0);
	return info;
}

/* The fixture's loop anew, with so many places. */
static void with_places(struct fixture *t, uint32_t count)
{
	struct soq_loop_options options;

	expect(soq_loop_destroy(t->loop), 0);
	options_of_tier(t, &options);
	options.direct_count = count;
	expect(soq_loop_create(&options, &t->loop), 0);
	t->home = t->loop;
}

/* So many sockets have a place, as far as there are places. */
static void expect_placed(struct fixture *t, uint32_t sockets)
{
	uint32_t places = info_of(t->loop).direct_count;

	expect(stats_of(t).direct_sockets, sockets < places ? sockets : places);
}

static void run_idle(struct fixture *t)
{
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
}

static void unknown_values_are_refused(struct fixture *t)
{
	struct soq_loop_options good, bad;
	struct soq_loop *loop = NULL;

	options_of_tier(t, &good);
	bad = good, bad.direct_count = (1u << 20) + 1;
	expect(soq_loop_create(&bad, &loop), -EINVAL);
	bad = good, bad.napi_ns = 10 * MS + 1;
	expect(soq_loop_create(&bad, &loop), -EINVAL);
	bad = good, bad.flags = SOQ_LOOP_NAPI_PREFER;
	expect(soq_loop_create(&bad, &loop), -EINVAL);
	bad = good, bad.flags = 1u << 31;
	expect(soq_loop_create(&bad, &loop), -EINVAL);
	assert_null(loop);
}

static void info_tells_the_places_or_why_there_are_none(struct fixture *t)
{
	unsigned bit = (unsigned)__builtin_ctz(SOQ_FEATURE_DIRECT);
	struct soq_loop_info info;

	with_places(t, 0);
	info = info_of(t->loop);
	expect(info.features & SOQ_FEATURE_DIRECT, 0);
	expect(info.feature_errors[bit], -ECANCELED);
	expect(info.direct_count, 0);

	with_places(t, 64);
	info = info_of(t->loop);
	if (info.features & SOQ_FEATURE_DIRECT) {
		expect(info.feature_errors[bit], 0);
		expect(info.direct_count, 64);
	} else {
		expect_true(info.feature_errors[bit] < 0);
		expect(info.direct_count, 0);
	}
	if (!t->is_uring || !strcmp(t->tier, "uring-floor"))
		expect(info.feature_errors[bit], -ECANCELED);
}

static void few_descriptors_make_a_smaller_table(struct fixture *t)
{
	struct rlimit before, few;
	struct soq_loop_info info;
	struct soq_socket *a, *b;

	expect(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before, few.rlim_cur = 200;
	expect(setrlimit(RLIMIT_NOFILE, &few), 0);
	with_places(t, 1u << 20);
	expect(setrlimit(RLIMIT_NOFILE, &before), 0);
	info = info_of(t->loop);
	expect(info.direct_count, info.features & SOQ_FEATURE_DIRECT ? 200 : 0);
	pair_soq(t, AF_INET, &a, &b);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

/* Each end says who it is, and hears who the other one is. */
static void talk(struct soq_socket *a, struct soq_socket *b, uint64_t key)
{
	char out[64], in[64];

	fill(out, sizeof(out), key, 0);
	expect(soq_send(a, out, sizeof(out), 0), sizeof(out));
	expect(soq_recv(b, in, sizeof(in), SOQ_EXACT), sizeof(in));
	expect_true(is_filled(in, sizeof(in), key, 0));
}

static void talk_all(struct soq_socket *pairs[][2], unsigned from)
{
	for (unsigned i = from; i < PAIRS; i++) {
		talk(pairs[i][0], pairs[i][1], 2 * i);
		talk(pairs[i][1], pairs[i][0], 2 * i + 1);
	}
}

static void close_all(struct fixture *t, struct soq_socket *pairs[][2])
{
	for (unsigned i = 0; i < PAIRS; i++) {
		expect(soq_close(pairs[i][0]), 0);
		expect(soq_close(pairs[i][1]), 0);
	}
	run_idle(t);
	expect_placed(t, 0);
}

static void more_sockets_than_places_all_work(struct fixture *t)
{
	for (unsigned k = 0; k < COUNT_OF(sizes); k++) {
		struct soq_socket *pairs[PAIRS][2];

		with_places(t, sizes[k]);
		for (unsigned i = 0; i < PAIRS; i++)
			pair_soq(t, i % 2 ? AF_INET6 : AF_INET, &pairs[i][0], &pairs[i][1]);
		talk_all(pairs, 0);
		run_idle(t);
		expect_placed(t, 2 * PAIRS);
		/* A place that is free is taken by the next request of who has none. */
		expect(soq_close(pairs[0][0]), 0);
		expect(soq_close(pairs[0][1]), 0);
		run_idle(t);
		talk_all(pairs, 1);
		expect_placed(t, 2 * PAIRS - 2);
		pair_soq(t, AF_INET, &pairs[0][0], &pairs[0][1]);
		talk_all(pairs, 0);
		close_all(t, pairs);
	}
}

/* Somebody else's request goes on meanwhile, in a place of its own. */
struct bystander {
	struct soq_socket *s;
	struct probe *p;
	int fd;
	char in[4];
};

static void bystander_begin(struct fixture *t, struct bystander *by)
{
	by->s = pair_raw(t, AF_INET, &by->fd);
	by->p = probe(t);
	started(by->p, soq_recv_async(by->s, &by->p->op, by->in, 4, SOQ_EXACT));
	settle(t);
}

static void bystander_end(struct fixture *t, struct bystander *by)
{
	expect(by->p->finals, 0);
	raw_send(by->fd, "well", 4);
	await(t, by->p);
	expect_end(by->p, 4, 0);
	expect(soq_close(by->s), 0);
	close(by->fd);
}

static void end_release(struct soq_socket *s)
{
	close(soq_socket_release(s));
}

static void end_detach(struct soq_socket *s)
{
	struct soq_socket *detached = NULL;

	expect(soq_socket_detach(s, &detached), 0);
	expect(soq_close(detached), 0);
}

static void end_close(struct soq_socket *s)
{
	expect(soq_close(s), 0);
}

static void end_abort(struct soq_socket *s)
{
	expect(soq_abort(s), 0);
}

static void closed_sockets_leave_their_place_at_once(struct fixture *t)
{
	static void (*const ways[])(struct soq_socket *) = { end_close, end_release, end_detach,
							     end_abort };

	for (unsigned k = 0; k < COUNT_OF(sizes); k++) {
		struct bystander by;

		with_places(t, sizes[k]);
		bystander_begin(t, &by);
		for (unsigned way = 0; way < COUNT_OF(ways); way++) {
			int fd;
			struct soq_socket *s = pair_raw(t, AF_INET, &fd);
			char in;

			expect(soq_send(s, "x", 1, 0), 1);
			expect(raw_recv(t, fd, &in, 1), 1);
			expect_placed(t, 2);
			ways[way](s);
			expect_placed(t, 1);
			expect(raw_recv_blocking(fd, &in, 1),
			       ways[way] == end_abort ? -ECONNRESET : 0);
			close(fd);
		}
		bystander_end(t, &by);
		run_idle(t);
	}
}

/* A receive, a send and a poll in flight. */
static void closing_ends_requests_in_places(struct fixture *t)
{
	char *big = calloc(1, BIG_BYTES), in[4];

	for (unsigned k = 0; k < COUNT_OF(sizes); k++) {
		struct probe *p[3] = { probe(t), probe(t), probe(t) }, *closed = probe(t);
		struct bystander by;
		struct soq_socket *s;
		uint64_t bytes = 0;
		int fd;

		with_places(t, sizes[k]);
		bystander_begin(t, &by);
		s = pair_narrow(t, AF_INET, &fd);
		started(p[0], soq_recv_async(s, &p[0]->op, in, 4, 0));
		started(p[1], soq_send_async(s, &p[1]->op, big, BIG_BYTES, 0));
		started(p[2], soq_poll_async(s, &p[2]->op, SOQ_POLL_URGENT, 0));
		settle(t);
		expect_placed(t, 2);
		started(closed, soq_close_async(s, &closed->op));
		await(t, closed);
		expect_end(p[0], -ECANCELED, 0);
		expect_true(p[1]->result == -ECANCELED || (p[1]->flags & SOQ_F_CANCELED));
		expect_end(p[2], -ECANCELED, 0);
		while ((size_t)bytes < BIG_BYTES && raw_recv_blocking(fd, in, 4) > 0)
			bytes += 4;
		expect_true(bytes < BIG_BYTES);
		close(fd);
		bystander_end(t, &by);
		run_idle(t);
	}
	free(big);
}

static void listener_in_a_place_gives_its_port_back(struct fixture *t)
{
	for (unsigned k = 0; k < COUNT_OF(sizes); k++) {
		struct probe *p = probe(t), *closed = probe(t), *received = probe(t);
		struct soq_endpoint ep;
		struct soq_socket *listener, *accepted;
		int fd, again;
		char in[4];

		with_places(t, sizes[k]);
		listener = soq_listener(t, AF_INET, &ep);
		started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
		fd = raw_connect(&ep);
		run_until(t, p->events == 1);
		accepted = p->socket;
		started(received, soq_recv_async(accepted, &received->op, in, 4, 0));
		settle(t);
		expect_placed(t, 2);
		expect(soq_cancel(&received->op), 0);
		await(t, received);
		expect_end(received, -ECANCELED, 0);
		raw_send(fd, "ping", 4);
		expect(soq_recv(accepted, in, 4, SOQ_EXACT), 4);
		/* Its connections would hold the port. */
		expect(soq_abort(accepted), 0);
		close(fd);
		started(closed, soq_close_async(listener, &closed->op));
		await(t, closed);
		expect_end(p, -ECANCELED, 0);
		again = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		expect(bind(again, &ep.addr.any, ep.size_bytes), 0);
		close(again);
		run_idle(t);
	}
}

/* The second socket is there before the first is gone: places and slots change hands. */
static void ten_thousand_sockets_take_turns(struct fixture *t)
{
	unsigned all = (unsigned)env_number("SOQ_TEST_CYCLES", 10000);
	struct probe *p[2] = { probe(t), probe(t) };
	struct soq_socket *s[2];
	struct soq_endpoint at[2], from;
	struct soq_socket *sender;
	uint32_t in[2] = { 0, 0 };

	with_places(t, 2);
	sender = bound_socket(t, AF_INET, SOCK_DGRAM, &from);
	for (uint32_t i = 0; i <= all; i++) {
		unsigned now = i % 2, old = 1 - now;

		s[now] = bound_socket(t, AF_INET, SOCK_DGRAM, &at[now]);
		started(p[now], soq_recv_async(s[now], &p[now]->op, &in[now], sizeof(in[now]), 0));
		expect(soq_send_to(sender, &i, sizeof(i), 0, &at[now]), sizeof(i));
		await(t, p[now]);
		expect_end(p[now], sizeof(i), 0);
		expect(in[now], i);
		expect_placed(t, 2);
		if (i > 0)
			expect(soq_close(s[old]), 0);
	}
	expect(soq_close(s[all % 2]), 0);
	expect(soq_close(sender), 0);
	run_idle(t);
	expect_placed(t, 0);
}

static void adopted_sockets_take_places_and_leave_them(struct fixture *t)
{
	for (unsigned k = 0; k < COUNT_OF(sizes); k++) {
		int ends[2];

		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		with_places(t, sizes[k]);
		for (unsigned i = 0; i < 10; i++) {
			struct soq_socket *a = NULL, *b = NULL, *home = NULL;

			expect(soq_socket_adopt(t->loop, ends[0], &a), 0);
			expect(soq_socket_adopt(t->loop, ends[1], &b), 0);
			/* A synchronous send asks the ring for nothing: both have to receive. */
			talk(a, b, i);
			talk(b, a, i);
			expect_placed(t, 2);
			expect(soq_socket_detach(a, &home), 0);
			expect_placed(t, 1);
			talk(home, b, i + 100);
			expect(soq_socket_attach(t->loop, home, &a), 0);
			talk(b, a, i + 200);
			expect(soq_socket_release(a), ends[0]);
			expect(soq_socket_release(b), ends[1]);
			expect_placed(t, 0);
		}
		close(ends[0]);
		close(ends[1]);
	}
}

/* Two pairs that have talked, and a receive in flight. */
static void *own_and_leave(void *arg)
{
	struct work *w = arg;
	struct soq_socket *s[2] = { NULL, NULL };
	static char in[4];
	int ends[2];

	note(w, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	for (unsigned i = 0; i < 2; i++)
		note(w, soq_socket_adopt(w->t->loop, ends[i], &s[i]));
	note(w, soq_send(s[0], "ping", 4, 0) - 4);
	note(w, soq_recv(s[1], in, 4, SOQ_EXACT) - 4);
	note(w, soq_recv_async(s[0], &w->p->op, in, 4, 0));
	note(w, soq_sleep(w->t->loop, MS));
	return NULL;
}

static void places_go_with_the_ring_of_an_owner_that_exited(struct fixture *t)
{
	for (unsigned k = 0; k < COUNT_OF(sizes); k++) {
		struct soq_socket *pairs[PAIRS][2];
		struct work w = { .t = t, .p = probe(t) };

		w.p->starts = 1;
		with_places(t, sizes[k]);
		in_thread(own_and_leave, &w);
		for (unsigned i = 0; i < w.count; i++)
			expect(w.rc[i], 0);
		expect(soq_loop_close_all(t->loop), 0);
		run_idle(t);
		expect_end(w.p, -ECANCELED, 0);
		expect_placed(t, 0);
		/* The loop is this thread's now, and every place of it is free once. */
		for (unsigned i = 0; i < PAIRS; i++)
			pair_soq(t, AF_INET, &pairs[i][0], &pairs[i][1]);
		talk_all(pairs, 0);
		expect_placed(t, 2 * PAIRS);
		close_all(t, pairs);
	}
}

static void busy_polling_is_an_option_and_never_an_error(struct fixture *t)
{
	static const uint32_t times_ns[] = { 1, 50000, 10000000 };
	unsigned bit = (unsigned)__builtin_ctz(SOQ_FEATURE_NAPI);
	struct soq_loop_options options;

	for (unsigned i = 0; i < 2 * COUNT_OF(times_ns); i++) {
		struct soq_loop_info info;
		struct soq_socket *a, *b;

		expect(soq_loop_destroy(t->loop), 0);
		options_of_tier(t, &options);
		options.napi_ns = times_ns[i / 2];
		options.flags = i % 2 ? SOQ_LOOP_NAPI_PREFER : 0;
		expect(soq_loop_create(&options, &t->loop), 0);
		t->home = t->loop;
		info = info_of(t->loop);
		if (info.features & SOQ_FEATURE_NAPI)
			expect(info.feature_errors[bit], 0);
		else
			expect_true(info.feature_errors[bit] < 0);
		expect(info.feature_errors[bit] == -ECANCELED,
		       (options.features_off & SOQ_FEATURE_NAPI) != 0);
		pair_soq(t, AF_INET, &a, &b);
		talk(a, b, i);
		talk(b, a, i + 100);
		expect(soq_close(a), 0);
		expect(soq_close(b), 0);
		run_idle(t);
	}
}

static const struct conf_case cases[] = {
	CASE(unknown_values_are_refused, "1a"),
	CASE(info_tells_the_places_or_why_there_are_none, ""),
	CASE(few_descriptors_make_a_smaller_table, ""),
	CASE(more_sockets_than_places_all_work, "9a"),
	CASE(closed_sockets_leave_their_place_at_once, "13c 13g"),
	CASE(closing_ends_requests_in_places, "13a 13c"),
	CASE(listener_in_a_place_gives_its_port_back, "13e"),
	CASE(ten_thousand_sockets_take_turns, "1b"),
	CASE(adopted_sockets_take_places_and_leave_them, "20c"),
	CASE(places_go_with_the_ring_of_an_owner_that_exited, "16b"),
	CASE(busy_polling_is_an_option_and_never_an_error, ""),
};

CONF_GROUP(direct, cases)
