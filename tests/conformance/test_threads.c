/* SPDX-License-Identifier: MIT */
/* Other threads and signal handlers: what they may do, and what they may not. */
#define _GNU_SOURCE
#include "work.h"

#include <sched.h>
#include <signal.h>

#define POSTS 200

struct poster {
	struct fixture *t;
	struct probe *p[POSTS];
	int failures;
};

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (int i = 0; i < POSTS; i++)
		poster->failures += soq_loop_post(poster->t->loop, &poster->p[i]->op) != 0;
	return NULL;
}

static void posts_of_each_thread_arrive_in_order(struct fixture *t)
{
	struct poster posters[3];
	pthread_t threads[3];

	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	for (int k = 0; k < 3; k++) {
		posters[k] = (struct poster){ .t = t };
		for (int i = 0; i < POSTS; i++) {
			posters[k].p[i] = probe(t);
			posters[k].p[i]->starts = 1;
		}
	}
	for (int k = 0; k < 3; k++)
		expect(pthread_create(&threads[k], NULL, post_all, &posters[k]), 0);
	for (int k = 0; k < 3; k++)
		run_until(t, posters[k].p[POSTS - 1]->finals == 1);
	for (int k = 0; k < 3; k++)
		pthread_join(threads[k], NULL);

	for (int k = 0; k < 3; k++) {
		expect(posters[k].failures, 0);
		for (int i = 0; i < POSTS; i++) {
			expect_end(posters[k].p[i], 0, 0);
			expect_true(!i ||
				    posters[k].p[i]->sequence > posters[k].p[i - 1]->sequence);
		}
	}
}

static void *post_one(void *arg)
{
	struct work *w = arg;

	note(w, soq_loop_post(w->t->loop, &w->p->op));
	return NULL;
}

static void post_wakes_a_loop_that_sleeps(struct fixture *t)
{
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	/* Again and again: the wake itself must be used up each time. */
	for (int i = 0; i < 5; i++) {
		struct work w = { .t = t, .p = probe(t) };
		pthread_t thread;

		w.p->starts = 1;
		expect(pthread_create(&thread, NULL, post_one, &w), 0);
		await(t, w.p);
		pthread_join(thread, NULL);
		settle(t);

		expect(w.rc[0], 0);
		expect_end(w.p, 0, 0);
	}
}

static void posted_op_can_be_waited_for(struct fixture *t)
{
	struct work w = { .t = t, .p = probe_quiet(t) };

	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	w.p->starts = 1;
	in_thread(post_one, &w);

	expect(w.rc[0], 0);
	expect(wait_end(w.p), 0);
}

static void op_posted_twice_is_busy(struct fixture *t)
{
	struct probe *p = probe(t);

	started(p, soq_loop_post(t->loop, &p->op));
	expect(soq_loop_post(t->loop, &p->op), -EBUSY);
	await(t, p);
	started(p, soq_loop_post(t->loop, &p->op));
	await(t, p);
	expect_end(p, 0, 0);
}

static void *stop_it(void *arg)
{
	struct work *w = arg;

	note(w, soq_loop_stop(w->t->loop));
	return NULL;
}

static void stop_from_a_thread_ends_the_run(struct fixture *t)
{
	struct work w = { .t = t };
	pthread_t thread;

	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	expect(pthread_create(&thread, NULL, stop_it, &w), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, watchdog_ns()), 0);
	pthread_join(thread, NULL);

	expect(w.rc[0], 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, 0), -ETIME);
}

static struct work *signal_work;

static void post_and_stop(int number)
{
	(void)number;
	note(signal_work, soq_loop_post(signal_work->t->loop, &signal_work->p->op));
	note(signal_work, soq_loop_stop(signal_work->t->loop));
}

static void *signal_the_owner(void *arg)
{
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void post_and_stop_work_in_a_signal_handler(struct fixture *t)
{
	struct sigaction action = { .sa_handler = post_and_stop }, before;
	struct work w = { .t = t, .p = probe(t) };
	pthread_t self = pthread_self(), thread;

	signal_work = &w;
	w.p->starts = 1;
	expect(sigaction(SIGUSR1, &action, &before), 0);
	expect(pthread_create(&thread, NULL, signal_the_owner, &self), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_STOP, watchdog_ns()) >= 0);
	pthread_join(thread, NULL);
	sigaction(SIGUSR1, &before, NULL);
	await(t, w.p);

	expect(w.rc[0], 0);
	expect(w.rc[1], 0);
	expect_end(w.p, 0, 0);
}

static unsigned heard;

static void count_it(int number)
{
	(void)number;
	__atomic_add_fetch(&heard, 1, __ATOMIC_SEQ_CST);
}

struct drummer {
	pthread_t owner;
	int is_over;
};

/* Each signal follows the one before as soon as that was handled. */
static void *signal_all_the_time(void *arg)
{
	struct drummer *drummer = arg;

	for (unsigned i = 0; !__atomic_load_n(&drummer->is_over, __ATOMIC_SEQ_CST); i++) {
		pthread_kill(drummer->owner, SIGUSR1);
		while (__atomic_load_n(&heard, __ATOMIC_SEQ_CST) <= i)
			sched_yield();
	}
	return NULL;
}

static void interruptions_are_never_seen(struct fixture *t)
{
	struct sigaction action = { .sa_handler = count_it }, before;
	struct drummer drummer = { .owner = pthread_self() };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	int64_t received, slept, ran, until = now_ns() + watchdog_ns();
	pthread_t thread;
	char in[4];

	heard = 0;
	expect(sigaction(SIGUSR1, &action, &before), 0);
	expect(soq_socket_set_timeouts(s, 20 * MS, FOREVER), 0);
	expect(pthread_create(&thread, NULL, signal_all_the_time, &drummer), 0);
	/* Until enough of them came; the drummer may be late. */
	do {
		received = soq_recv(s, in, 4, 0);
		slept = soq_sleep(t->loop, 5 * MS);
		ran = soq_loop_run(t->loop, SOQ_RUN_STOP, 5 * MS);
	} while (received == -ETIMEDOUT && !slept && ran == -ETIME && now_ns() < until &&
		 __atomic_load_n(&heard, __ATOMIC_SEQ_CST) <= 20);
	__atomic_store_n(&drummer.is_over, 1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	sigaction(SIGUSR1, &before, NULL);

	expect(received, -ETIMEDOUT);
	expect(slept, 0);
	expect(ran, -ETIME);
	expect_true(heard > 20);
	expect(soq_close(s), 0);
	close(fd);
}

static void try_the_loop(struct work *w)
{
	struct soq_loop *loop = w->t->loop;
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_socket *s = NULL;
	struct soq_op *one = &w->p->op;
	struct soq_event event;
	struct soq_op op = { 0 };

	note(w, soq_loop_run(loop, SOQ_RUN_ONCE, 0));
	note(w, soq_loop_harvest(loop, &event, 1, 0));
	note(w, soq_loop_destroy(loop));
	note(w, soq_loop_close_all(loop));
	note(w, soq_loop_fd(loop));
	note(w, soq_loop_deadline(loop));
	note(w, soq_loop_stats(loop, &stats));
	note(w, soq_sleep_async(loop, &op, 0));
	note(w, soq_sleep(loop, 0));
	note(w, soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s));
	note(w, soq_cancel(one));
	note(w, soq_wait(one, 0, &event));
	note(w, soq_wait_any(&one, 1, 0, &event));
}

static void try_the_socket(struct work *w)
{
	struct soq_endpoint ep;
	struct soq_socket *s = w->s, *out = NULL;
	struct linger linger = { 0 };
	struct soq_op op = { 0 };
	char byte = 0;
	struct iovec one = { &byte, 1 };

	(void)soq_endpoint_loopback(AF_INET, 1, &ep);
	note(w, soq_bind(s, &ep));
	note(w, soq_listen(s, 1));
	note(w, soq_socket_local(s, &ep));
	note(w, soq_socket_peer(s, &ep));
	note(w, soq_socket_set_user(s, s));
	note(w, soq_socket_set_timeouts(s, 0, 0));
	note(w, soq_option_set(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	note(w, soq_option_get(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	note(w, soq_accept(s, &out, NULL));
	note(w, soq_accept_async(s, &op, 0));
	note(w, soq_connect(s, &ep));
	note(w, soq_connect_async(s, &op, &ep));
	note(w, soq_recv(s, &byte, 1, 0));
	note(w, soq_recv_async(s, &op, &byte, 1, 0));
	note(w, soq_recvv(s, &one, 1, 0));
	note(w, soq_recvv_async(s, &op, &one, 1, 0));
	note(w, soq_send(s, "x", 1, 0));
	note(w, soq_send_async(s, &op, "x", 1, 0));
	note(w, soq_sendv(s, &one, 1, 0));
	note(w, soq_sendv_async(s, &op, &one, 1, 0));
	note(w, soq_shutdown(s, SOQ_SHUTDOWN_BOTH));
	note(w, soq_shutdown_async(s, &op, SOQ_SHUTDOWN_BOTH));
	note(w, soq_close(s));
	note(w, soq_abort(s));
	note(w, soq_close_async(s, &op));
	note(w, soq_finish(s, 0));
	note(w, soq_finish_async(s, &op, 0));
}

static void *try_everything(void *arg)
{
	try_the_loop(arg);
	try_the_socket(arg);
	return NULL;
}

static void another_thread_is_told_so_and_changes_nothing(struct fixture *t)
{
	int fd;
	struct work w = { .t = t, .s = pair_raw(t, AF_INET, &fd), .p = probe_quiet(t) };
	pthread_t thread;
	char byte;

	started(w.p, soq_recv_async(w.s, &w.p->op, &byte, 1, 0));
	expect(pthread_create(&thread, NULL, try_everything, &w), 0);
	for (int i = 0; i < 20; i++)
		expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, MS / 10), 0);
	pthread_join(thread, NULL);

	expect(w.count, 40);
	for (unsigned i = 0; i < w.count; i++)
		expect(w.rc[i], -EXDEV);
	raw_send(fd, "x", 1);
	expect(wait_end(w.p), 1);
	expect(soq_close(w.s), 0);
	close(fd);
}

static void ops_of_another_loop_are_told_apart(struct fixture *t)
{
	struct soq_loop_options options;
	struct probe *a = probe_quiet(t);
	struct soq_loop *loop;
	struct soq_op other = { 0 };
	struct soq_op *both[] = { &a->op, &other };
	struct soq_event event;

	options_of_tier(t, &options);
	expect(soq_loop_create(&options, &loop), 0);
	started(a, soq_sleep_async(t->loop, &a->op, 0));
	expect(soq_sleep_async(loop, &other, 0), 0);
	expect(soq_wait_any(both, 2, 0, &event), -EXDEV);

	expect(soq_wait(&other, FOREVER, &event), 0);
	expect(wait_end(a), 0);
	expect(soq_loop_destroy(loop), 0);
}

/* Two threads post the same op again and again: a post is taken or busy, never both. */
struct racer {
	struct fixture *t;
	struct probe *p;
	unsigned taken;
	unsigned busy;
	unsigned wrong;
};

static void *post_the_same(void *arg)
{
	struct racer *racer = arg;

	for (int i = 0; i < 2000; i++) {
		int rc = soq_loop_post(racer->t->loop, &racer->p->op);

		if (rc == 0)
			racer->taken++;
		else if (rc == -EBUSY)
			racer->busy++;
		else
			racer->wrong++;
	}
	return NULL;
}

static void op_posted_by_two_threads_comes_once_for_each_success(struct fixture *t)
{
	struct probe *p = probe(t);
	struct racer racers[2] = { { .t = t, .p = p }, { .t = t, .p = p } };
	pthread_t threads[2];

	/* Its starts are known only afterwards. */
	p->starts = UINT_MAX;
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	for (int i = 0; i < 2; i++)
		expect(pthread_create(&threads[i], NULL, post_the_same, &racers[i]), 0);
	run_until(t, p->finals > 0);
	for (int i = 0; i < 100; i++)
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	run_until(t, p->finals == racers[0].taken + racers[1].taken);
	settle(t);

	p->starts = racers[0].taken + racers[1].taken;
	expect(racers[0].wrong + racers[1].wrong, 0);
	expect(racers[0].busy + racers[1].busy + p->starts, 4000);
	expect_end(p, 0, 0);
	expect(stats_of(t).posts, p->starts);
}

static void raise_in_the_owner_is_heard_by_the_next_run(struct fixture *t)
{
	struct sigaction action = { .sa_handler = post_and_stop }, before;
	struct work w = { .t = t, .p = probe(t) };

	signal_work = &w;
	w.p->starts = 1;
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	expect(sigaction(SIGUSR1, &action, &before), 0);
	raise(SIGUSR1);
	sigaction(SIGUSR1, &before, NULL);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_STOP, watchdog_ns()) >= 0);
	await(t, w.p);

	expect(w.rc[0], 0);
	expect(w.rc[1], 0);
	expect_end(w.p, 0, 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_STOP, 0), -ETIME);
}

static const struct conf_case cases[] = {
	CASE(posts_of_each_thread_arrive_in_order, "16c"),
	CASE(post_wakes_a_loop_that_sleeps, "16c"),
	CASE(posted_op_can_be_waited_for, "16c 2b"),
	CASE(op_posted_twice_is_busy, "4b"),
	CASE(stop_from_a_thread_ends_the_run, "16c 16d"),
	CASE(post_and_stop_work_in_a_signal_handler, "16c"),
	CASE(interruptions_are_never_seen, "5c"),
	CASE(another_thread_is_told_so_and_changes_nothing, "16a"),
	CASE(ops_of_another_loop_are_told_apart, "16a"),
	CASE(op_posted_by_two_threads_comes_once_for_each_success, "1b 4b 16c"),
	CASE(raise_in_the_owner_is_heard_by_the_next_run, "16c 16d"),
};

CONF_GROUP(threads, cases)
