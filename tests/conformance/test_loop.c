/* SPDX-License-Identifier: MIT */
/* The loop: making it, running it, stopping it, asking it, ending it. */
#define _GNU_SOURCE
#include "support.h"

#include <poll.h>

static void create_refuses_what_it_does_not_know(struct fixture *t)
{
	struct soq_loop_options good, bad;
	struct soq_loop *loop = NULL;

	options_of_tier(t, &good);

	bad = good, bad.size = 4;
	expect(soq_loop_create(&bad, &loop), -EINVAL);
	bad = good, bad.backend = 99;
	expect(soq_loop_create(&bad, &loop), -EINVAL);
	bad = good, bad.features_off = 1u << 31;
	expect(soq_loop_create(&bad, &loop), -EINVAL);
	bad = good, bad.reserved[0] = 1;
	expect(soq_loop_create(&bad, &loop), -EINVAL);
	expect(soq_loop_create(&good, NULL), -EINVAL);
	assert_null(loop);
}

static void create_needs_no_options(struct fixture *t)
{
	struct soq_loop *loop = NULL;

	(void)t;
	expect(soq_loop_create(NULL, &loop), 0);
	expect(soq_loop_run(loop, SOQ_RUN_IDLE, FOREVER), 0);
	expect(soq_loop_destroy(loop), 0);
	expect(soq_loop_destroy(NULL), 0);
}

static void environment_chooses_for_auto(struct fixture *t)
{
	struct soq_loop_info info = { .size = sizeof(info) };
	struct soq_loop *loop = NULL;

	(void)t;
	setenv("SOQ_BACKEND", "epoll", 1);
	expect(soq_loop_create(NULL, &loop), 0);
	unsetenv("SOQ_BACKEND");

	expect(soq_loop_info(loop, &info), 0);
	expect(info.backend, SOQ_BACKEND_EPOLL);
	expect(info.uring_error, -ECANCELED);
	expect(soq_loop_destroy(loop), 0);
}

static void environment_takes_features_away_from_auto(struct fixture *t)
{
	struct soq_loop_info info = { .size = sizeof(info) };
	struct soq_loop *loop = NULL;

	setenv("SOQ_BACKEND", t->is_uring ? "uring" : "epoll", 1);
	setenv("SOQ_FEATURES", "-registered-fd,-abs-timer", 1);
	expect(soq_loop_create(NULL, &loop), 0);
	unsetenv("SOQ_FEATURES");
	unsetenv("SOQ_BACKEND");

	expect(soq_loop_info(loop, &info), 0);
	expect(info.features & (SOQ_FEATURE_REGISTERED_FD | SOQ_FEATURE_ABS_TIMER), 0);
	expect(info.backend, t->is_uring ? SOQ_BACKEND_URING : SOQ_BACKEND_EPOLL);
	if (t->is_uring)
		expect(info.feature_errors[1], -ECANCELED);
	expect(soq_loop_destroy(loop), 0);
}

static void info_and_stats_refuse_an_unknown_size(struct fixture *t)
{
	struct soq_loop_info info = { .size = 3 };
	struct soq_loop_stats stats = { .size = 0 };

	expect(soq_loop_info(t->loop, &info), -EINVAL);
	expect(soq_loop_stats(t->loop, &stats), -EINVAL);
}

static void run_of_an_idle_loop_delivers_nothing(struct fixture *t)
{
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, MS), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), 0);
}

static void run_tells_when_its_time_passed(struct fixture *t)
{
	struct probe *long_sleep = probe(t);

	started(long_sleep, soq_sleep_async(t->loop, &long_sleep->op, HOUR));

	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, MS), -ETIME);
	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, MS), -ETIME);
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, MS), 0);
	expect(long_sleep->finals, 0);
	expect(soq_cancel(&long_sleep->op), 0);
	await(t, long_sleep);
	expect_end(long_sleep, -ECANCELED, 0);
}

static void run_idle_ends_when_every_done_has_run(struct fixture *t)
{
	struct probe *sleeps[3];

	for (int i = 0; i < 3; i++) {
		sleeps[i] = probe(t);
		started(sleeps[i], soq_sleep_async(t->loop, &sleeps[i]->op, i * MS));
	}

	expect(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER), 3);

	for (int i = 0; i < 3; i++)
		expect_end(sleeps[i], 0, 0);
}

static void run_refuses_an_unknown_way(struct fixture *t)
{
	expect(soq_loop_run(t->loop, (enum soq_run)7, 0), -EINVAL);
	expect(soq_loop_run(NULL, SOQ_RUN_ONCE, 0), -EINVAL);
}

static void early_stop_is_consumed_by_the_next_run(struct fixture *t)
{
	expect(soq_loop_stop(t->loop), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, FOREVER), 0);

	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, MS), -ETIME);
}

static void early_stop_ends_the_next_harvest(struct fixture *t)
{
	struct soq_event event;

	expect(soq_loop_stop(t->loop), 0);
	expect(soq_loop_harvest(t->loop, &event, 1, FOREVER), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, MS), -ETIME);
}

static void stop_the_loop(struct probe *p, const struct soq_event *event)
{
	(void)event;
	p->start_error = soq_loop_stop(p->t->loop);
}

static void stop_in_done_ends_the_run(struct fixture *t)
{
	struct probe *stopper = probe(t);

	stopper->then = stop_the_loop;
	started(stopper, soq_sleep_async(t->loop, &stopper->op, MS));

	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, FOREVER), 1);

	expect_end(stopper, 0, 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, MS), -ETIME);
}

static int in_done[4];

static void run_and_destroy(struct probe *p, const struct soq_event *event)
{
	struct soq_event other;

	(void)event;
	in_done[0] = soq_loop_run(p->t->loop, SOQ_RUN_ONCE, 0);
	in_done[1] = soq_loop_run(p->t->loop, SOQ_RUN_IDLE, FOREVER);
	in_done[2] = soq_loop_harvest(p->t->loop, &other, 1, 0);
	in_done[3] = soq_loop_destroy(p->t->loop);
}

static void running_or_destroying_in_done_is_busy(struct fixture *t)
{
	struct probe *p = probe(t);

	p->then = run_and_destroy;
	started(p, soq_sleep_async(t->loop, &p->op, 0));
	await(t, p);

	for (unsigned i = 0; i < COUNT_OF(in_done); i++)
		expect(in_done[i], -EBUSY);
}

static void destroy_is_busy_while_a_socket_is_open(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);

	expect(soq_loop_destroy(t->loop), -EBUSY);

	expect(soq_close(s), 0);
}

static void destroy_is_busy_while_an_op_is_in_flight(struct fixture *t)
{
	struct probe *p = probe_quiet(t);

	started(p, soq_sleep_async(t->loop, &p->op, HOUR));
	expect(soq_loop_destroy(t->loop), -EBUSY);

	expect(soq_cancel(&p->op), 0);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	expect(wait_end(p), -ECANCELED);
}

static void destroy_is_busy_while_an_event_waits(struct fixture *t)
{
	struct probe *p = probe_quiet(t);

	started(p, soq_sleep_async(t->loop, &p->op, 0));
	run_until(t, stats_of(t).events_waiting == 1);
	expect(stats_of(t).ops_in_flight, 0);

	expect(soq_loop_destroy(t->loop), -EBUSY);
	expect(wait_end(p), 0);
}

static void close_all_ends_every_socket_and_op(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *received = probe(t), *slept = probe(t), *quiet = probe_quiet(t);
	char byte;

	pair_soq(t, AF_INET, &a, &b);
	started(received, soq_recv_async(a, &received->op, &byte, 1, 0));
	started(slept, soq_sleep_async(t->loop, &slept->op, HOUR));
	started(quiet, soq_sleep_async(t->loop, &quiet->op, HOUR));
	settle(t);

	expect(soq_loop_close_all(t->loop), 0);
	expect(wait_end(quiet), -ECANCELED);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);

	expect_end(received, -ECANCELED, 0);
	expect_end(slept, -ECANCELED, 0);
	expect(soq_loop_destroy(t->loop), 0);
	t->loop_is_gone = 1;
}

static void loop_fd_is_readable_when_there_is_something_to_do(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct pollfd pfd = { .fd = soq_loop_fd(t->loop), .events = POLLIN };
	struct probe *p = probe(t);
	char byte;

	expect_true(pfd.fd >= 0);
	started(p, soq_recv_async(s, &p->op, &byte, 1, 0));
	expect(soq_loop_deadline(t->loop), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	settle(t);
	expect(soq_loop_deadline(t->loop), INT64_MAX);
	expect(poll(&pfd, 1, 0), 0);

	raw_send(fd, "x", 1);
	expect(poll(&pfd, 1, (int)(watchdog_ns() / MS)), 1);
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 1);

	expect_end(p, 1, 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void loop_deadline_is_that_of_the_earliest_timer(struct fixture *t)
{
	struct probe *late = probe(t), *early = probe(t);
	int64_t before = now_ns();

	expect(soq_loop_deadline(t->loop), INT64_MAX);
	started(late, soq_sleep_async(t->loop, &late->op, 2 * HOUR));
	started(early, soq_sleep_async(t->loop, &early->op, HOUR));
	settle(t);

	expect_true(soq_loop_deadline(t->loop) >= before + HOUR);
	expect_true(soq_loop_deadline(t->loop) <= now_ns() + HOUR);
	expect(soq_cancel(&early->op), 0);
	expect(soq_cancel(&late->op), 0);
	await(t, late);
	await(t, early);
	expect(soq_loop_deadline(t->loop), INT64_MAX);
}

static void one_turn_waits_once(struct fixture *t)
{
	enum { CONNECTIONS = 8, ROUNDS = 50 };
	struct soq_socket *s[CONNECTIONS];
	struct probe *p[CONNECTIONS];
	struct soq_loop_stats before, after;
	char bytes[CONNECTIONS];
	int fds[CONNECTIONS];

	for (int i = 0; i < CONNECTIONS; i++) {
		s[i] = pair_raw(t, AF_INET, &fds[i]);
		p[i] = probe(t);
	}
	before = stats_of(t);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CONNECTIONS; i++) {
			raw_send(fds[i], "x", 1);
			started(p[i], soq_recv_async(s[i], &p[i]->op, &bytes[i], 1, 0));
		}
		for (int i = 0; i < CONNECTIONS; i++)
			await(t, p[i]);
	}
	after = stats_of(t);

	expect_true(after.turns > before.turns);
	/* All are ready at once. Tiny queues are handed over in pieces. */
	if (strcmp(t->tier, "uring-tiny") != 0) {
		expect_true(after.waits - before.waits <= after.turns - before.turns);
		expect_true(after.turns - before.turns <= 2 * ROUNDS);
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		expect_end(p[i], 1, 0);
		expect(soq_close(s[i]), 0);
		close(fds[i]);
	}
}

static void stats_count_ops_and_bytes(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct soq_loop_stats before, after;
	char bytes[100];

	pair_soq(t, AF_INET6, &a, &b);
	before = stats_of(t);
	expect(soq_send(a, "0123456789", 10, 0), 10);
	expect(soq_recv(b, bytes, sizeof(bytes), 0), 10);
	after = stats_of(t);

	expect(after.ops_started - before.ops_started, 2);
	expect(after.ops_finished - before.ops_finished, 2);
	expect(after.bytes_sent - before.bytes_sent, 10);
	expect(after.bytes_received - before.bytes_received, 10);
	expect(after.sockets, 2);
	expect(after.allocated_bytes, t->memory.live_bytes);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static const struct conf_case cases[] = {
	CASE(create_refuses_what_it_does_not_know, "1a 5a"),
	CASE(create_needs_no_options, ""),
	CASE(environment_chooses_for_auto, ""),
	CASE(environment_takes_features_away_from_auto, ""),
	CASE(info_and_stats_refuse_an_unknown_size, "5a"),
	CASE(run_of_an_idle_loop_delivers_nothing, "3c"),
	CASE(run_tells_when_its_time_passed, "3c"),
	CASE(run_idle_ends_when_every_done_has_run, "1b"),
	CASE(run_refuses_an_unknown_way, "5a"),
	CASE(early_stop_is_consumed_by_the_next_run, "16d"),
	CASE(early_stop_ends_the_next_harvest, "16d"),
	CASE(stop_in_done_ends_the_run, "4a 16d"),
	CASE(running_or_destroying_in_done_is_busy, "2e"),
	CASE(destroy_is_busy_while_a_socket_is_open, "15b"),
	CASE(destroy_is_busy_while_an_op_is_in_flight, "15b"),
	CASE(destroy_is_busy_while_an_event_waits, "15b"),
	CASE(close_all_ends_every_socket_and_op, "15b 6a"),
	CASE(loop_fd_is_readable_when_there_is_something_to_do, ""),
	CASE(loop_deadline_is_that_of_the_earliest_timer, ""),
	CASE(one_turn_waits_once, "19b"),
	CASE(stats_count_ops_and_bytes, "19c"),
};

CONF_GROUP(loop, cases)
