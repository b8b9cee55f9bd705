/* SPDX-License-Identifier: MIT */
/* Whose a loop is: threads that take it, threads that end, and children. */
#define _GNU_SOURCE
#include "work.h"

#include <sys/wait.h>

/* A loop made here and used by a thread that ends: nobody's afterwards. */
static void *own_and_leave(void *arg)
{
	struct work *w = arg;

	note(w, soq_loop_run(w->t->loop, SOQ_RUN_ONCE, 0));
	return NULL;
}

static void destroy_works_when_the_owner_has_exited(struct fixture *t)
{
	struct work w = { .t = t };

	in_thread(own_and_leave, &w);
	expect(w.rc[0], 0);

	expect(soq_loop_destroy(t->loop), 0);
	t->loop_is_gone = 1;
}

struct left {
	struct fixture *t;
	struct soq_endpoint ep;
	struct probe *received, *slept, *accepted, *datagram, *polled;
	struct soq_socket *s;
	struct soq_endpoint from;
	char in[4], datagram_in[4];
	int64_t rc[11];
};

static void *leave_much_behind(void *arg)
{
	struct left *left = arg;
	struct soq_loop *loop = left->t->loop;
	struct soq_socket *listener = NULL, *datagrams = NULL;

	left->rc[0] = soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &left->s);
	left->rc[1] = soq_connect(left->s, &left->ep);
	left->rc[2] = soq_recv_async(left->s, &left->received->op, left->in, 4, 0);
	left->rc[3] = soq_sleep_async(loop, &left->slept->op, HOUR);
	left->rc[4] = soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener);
	left->rc[5] = soq_listen(listener, 5);
	left->rc[6] = soq_accept_async(listener, &left->accepted->op, SOQ_MULTISHOT);
	left->rc[7] = soq_socket_open(loop, AF_INET, SOCK_DGRAM, 0, &datagrams);
	left->rc[8] = soq_recv_from_async(datagrams, &left->datagram->op, left->datagram_in, 4, 0,
					  &left->from);
	left->rc[9] = soq_poll_async(left->s, &left->polled->op, SOQ_POLL_RECV, SOQ_MULTISHOT);
	left->rc[10] = soq_loop_run(loop, SOQ_RUN_ONCE, 0);
	return NULL;
}

static void close_all_works_when_the_owner_has_exited(struct fixture *t)
{
	struct left left = { .t = t };
	int fd, listener = raw_listener(AF_INET, 1, 0, &left.ep);
	pthread_t thread;
	char byte;

	left.received = probe(t);
	left.slept = probe(t);
	left.accepted = probe(t);
	left.datagram = probe(t);
	left.polled = probe(t);
	left.received->starts = left.slept->starts = left.accepted->starts = 1;
	left.datagram->starts = left.polled->starts = 1;
	expect(pthread_create(&thread, NULL, leave_much_behind, &left), 0);
	expect(pthread_join(thread, NULL), 0);
	fd = raw_accept(listener);
	for (unsigned i = 0; i < COUNT_OF(left.rc); i++)
		expect(left.rc[i], 0);

	expect(soq_loop_destroy(t->loop), -EBUSY);
	expect(soq_loop_close_all(t->loop), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect_end(left.received, -ECANCELED, 0);
	expect_end(left.slept, -ECANCELED, 0);
	expect_end(left.accepted, -ECANCELED, 0);
	expect_end(left.datagram, -ECANCELED, 0);
	expect_end(left.polled, -ECANCELED, 0);
	expect(soq_loop_destroy(t->loop), 0);
	t->loop_is_gone = 1;
	expect(raw_recv_blocking(fd, &byte, 1), -ECONNRESET);
	close(fd);
	close(listener);
}

/* In the child: no assertion, only a number to leave with. */
static int child_calls(struct fixture *t, struct soq_socket *s, struct soq_op *op)
{
	struct soq_loop_info info = { .size = sizeof(info) };
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_op fresh = { 0 };
	struct soq_event event;
	struct soq_socket *out;
	char byte;
	int bad = 0;

	bad += soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) != -ECHILD;
	bad += soq_loop_harvest(t->loop, &event, 1, 0) != -ECHILD;
	bad += soq_loop_close_all(t->loop) != -ECHILD;
	bad += soq_loop_stop(t->loop) != -ECHILD;
	bad += soq_loop_post(t->loop, &fresh) != -ECHILD;
	bad += soq_loop_fd(t->loop) != -ECHILD;
	bad += soq_loop_deadline(t->loop) != -ECHILD;
	bad += soq_loop_info(t->loop, &info) != -ECHILD;
	bad += soq_loop_stats(t->loop, &stats) != -ECHILD;
	bad += soq_sleep(t->loop, 0) != -ECHILD;
	bad += soq_socket_open(t->loop, AF_INET, SOCK_STREAM, 0, &out) != -ECHILD;
	bad += soq_recv(s, &byte, 1, 0) != -ECHILD;
	bad += soq_send_async(s, &fresh, "x", 1, 0) != -ECHILD;
	bad += soq_close(s) != -ECHILD;
	bad += soq_abort(s) != -ECHILD;
	bad += soq_cancel(op) != -ECHILD;
	bad += soq_wait(op, 0, &event) != -ECHILD;
	bad += soq_sleep_async(t->loop, &fresh, 0) != -ECHILD;
	bad += soq_recv_async(s, &fresh, &byte, 1, 0) != -ECHILD;
	bad += soq_send(s, "x", 1, 0) != -ECHILD;
	bad += soq_accept(s, &out, NULL) != -ECHILD;
	bad += soq_accept_async(s, &fresh, 0) != -ECHILD;
	bad += soq_shutdown_async(s, &fresh, SOQ_SHUTDOWN_BOTH) != -ECHILD;
	bad += soq_close_async(s, &fresh) != -ECHILD;
	bad += soq_finish_async(s, &fresh, 0) != -ECHILD;
	bad += soq_finish(s, 0) != -ECHILD;
	bad += soq_socket_set_timeouts(s, 0, 0) != -ECHILD;
	return bad;
}

static int child_status(pid_t pid)
{
	int status = -1;

	expect(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void child_is_told_so_and_its_destroy_leaves_the_parent_working(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe_quiet(t), *slept = probe(t);
	char in[4];
	pid_t pid;

	started(p, soq_recv_async(s, &p->op, in, 4, SOQ_EXACT));
	started(slept, soq_sleep_async(t->loop, &slept->op, 20 * MS));
	settle(t);
	pid = fork();
	if (pid == 0) {
		int bad = child_calls(t, s, &p->op);

		bad += soq_loop_destroy(t->loop) != 0;
		_exit(bad);
	}
	expect(child_status(pid), 0);

	raw_send(fd, "good", 4);
	expect(wait_end(p), 4);
	await(t, slept);
	expect(soq_send(s, "fine", 4, 0), 4);
	expect(raw_recv(t, fd, in, 4), 4);
	expect(soq_close(s), 0);
	expect(raw_recv(t, fd, in, 4), 0);
	close(fd);
}

static void child_may_make_loops_of_its_own(struct fixture *t)
{
	pid_t pid;

	settle(t);
	pid = fork();
	if (pid == 0) {
		struct soq_loop_options options;
		struct soq_loop *loop;
		int bad = 0;

		options_of_tier(t, &options);
		bad += soq_loop_destroy(t->loop) != 0;
		/* valgrind 3.19 does not know that a ring is not in the child: it gives up. */
		if (env_number("SOQ_TEST_VALGRIND", 0))
			_exit(bad);
		bad += soq_loop_create(&options, &loop) != 0;
		bad += soq_sleep(loop, MS) != 0;
		bad += soq_loop_destroy(loop) != 0;
		_exit(bad);
	}
	expect(child_status(pid), 0);
	expect(soq_sleep(t->loop, MS), 0);
}

/* A whole conversation in a thread that did not make the loop. */
static void *talk_elsewhere(void *arg)
{
	struct work *w = arg;
	struct soq_loop *loop = w->t->loop;
	struct soq_socket *listener = NULL, *a = NULL, *b = NULL;
	struct soq_op connected = { 0 };
	struct soq_endpoint ep;
	struct soq_event event;
	char in[4] = "";

	note(w, soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener));
	note(w, soq_endpoint_loopback(AF_INET, 0, &ep));
	note(w, soq_bind(listener, &ep));
	note(w, soq_listen(listener, 1));
	note(w, soq_socket_local(listener, &ep));
	note(w, soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &a));
	note(w, soq_connect_async(a, &connected, &ep));
	note(w, soq_accept(listener, &b, NULL));
	note(w, soq_wait(&connected, FOREVER, &event));
	note(w, soq_send(a, "ping", 4, 0) - 4);
	note(w, soq_recv(b, in, 4, SOQ_EXACT) - 4);
	note(w, memcmp(in, "ping", 4));
	note(w, soq_close(a));
	note(w, soq_close(b));
	note(w, soq_close(listener));
	note(w, soq_loop_run(loop, SOQ_RUN_IDLE, FOREVER));
	return NULL;
}

static void loop_may_be_made_here_and_used_there(struct fixture *t)
{
	struct soq_loop_info info = { .size = sizeof(info) };
	struct work w = { .t = t };

	in_thread(talk_elsewhere, &w);

	expect(w.count, 16);
	for (unsigned i = 0; i < w.count; i++)
		expect(w.rc[i], 0);
	expect(soq_loop_info(t->loop, &info), 0);
	expect(soq_loop_destroy(t->loop), 0);
	t->loop_is_gone = 1;
}

/* Leaves a parked and a queued send, and an event nobody took. */
struct sender {
	struct fixture *t;
	struct soq_socket *s;
	struct soq_endpoint ep;
	struct probe *parked, *queued, *waiting;
	char *big;
	int64_t rc[6];
};

static void *leave_sends_behind(void *arg)
{
	struct sender *k = arg;
	struct soq_loop *loop = k->t->loop;

	k->rc[0] = soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &k->s);
	k->rc[1] = soq_connect(k->s, &k->ep);
	k->rc[2] = soq_send_async(k->s, &k->parked->op, k->big, BIG_BYTES, 0);
	k->rc[3] = soq_send_async(k->s, &k->queued->op, "x", 1, 0);
	k->rc[4] = soq_sleep_async(loop, &k->waiting->op, 0);
	k->rc[5] = soq_sleep(loop, MS);
	return NULL;
}

static void sends_of_an_owner_that_exited_end_once(struct fixture *t)
{
	struct sender k = { .t = t, .big = calloc(1, BIG_BYTES) };
	int fd, listener = raw_listener(AF_INET, 1, 32768, &k.ep);
	pthread_t thread;

	k.parked = probe(t);
	k.queued = probe(t);
	k.waiting = probe_quiet(t);
	k.parked->starts = k.queued->starts = k.waiting->starts = 1;
	expect(pthread_create(&thread, NULL, leave_sends_behind, &k), 0);
	expect(pthread_join(thread, NULL), 0);
	fd = raw_accept(listener);
	for (unsigned i = 0; i < COUNT_OF(k.rc); i++)
		expect(k.rc[i], 0);

	expect(soq_loop_destroy(t->loop), -EBUSY);
	expect(soq_loop_close_all(t->loop), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	expect(wait_end(k.waiting), 0);
	if (k.parked->result > 0)
		expect_end(k.parked, k.parked->result, SOQ_F_CANCELED);
	else
		expect_end(k.parked, -ECANCELED, 0);
	expect_end(k.queued, -ECANCELED, 0);
	expect(stats_of(t).sockets, 0);
	expect(soq_loop_destroy(t->loop), 0);
	t->loop_is_gone = 1;
	close(fd);
	close(listener);
	free(k.big);
}

static const struct conf_case cases[] = {
	CASE(destroy_works_when_the_owner_has_exited, "16b"),
	CASE(close_all_works_when_the_owner_has_exited, "16b 15b"),
	CASE(child_is_told_so_and_its_destroy_leaves_the_parent_working, "17a 17b"),
	CASE(child_may_make_loops_of_its_own, "17b"),
	CASE(loop_may_be_made_here_and_used_there, "16b 20a"),
	CASE(sends_of_an_owner_that_exited_end_once, "1b 16b 15b"),
};

CONF_GROUP(owner, cases)
