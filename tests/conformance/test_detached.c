/* SPDX-License-Identifier: MIT */
/*
 * Detached sockets: any thread's blocking calls, and moving a socket off a loop and
 * back. That each synchronous call says the same there is tier `detached`.
 */
#define _GNU_SOURCE
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ioctl.h>

/* A call made in another thread. */
struct call {
	struct soq_socket *s, *accepted;
	char *memory;
	size_t size;
	uint32_t flags;
	int64_t result, next;
	pthread_t thread;
};

static void *call_recv(void *arg)
{
	struct call *c = arg;

	c->result = soq_recv(c->s, c->memory, c->size, c->flags);
	return NULL;
}

static void *call_send(void *arg)
{
	struct call *c = arg;

	c->result = soq_send(c->s, c->memory, c->size, 0);
	c->next = soq_send(c->s, "x", 1, 0);
	return NULL;
}

static void *call_accept(void *arg)
{
	struct call *c = arg;

	c->result = soq_accept(c->s, &c->accepted, NULL);
	return NULL;
}

static void *call_close(void *arg)
{
	struct call *c = arg;

	c->result = soq_close(c->s);
	return NULL;
}

static void begin(struct call *c, void *(*body)(void *))
{
	expect(pthread_create(&c->thread, NULL, body, c), 0);
}

static void end(struct call *c)
{
	expect(pthread_join(c->thread, NULL), 0);
}

static struct soq_socket *detached_pair(struct fixture *t, int *fd)
{
	struct soq_socket *s = pair_narrow(t, AF_INET, fd), *out = NULL;

	expect(soq_socket_detach(s, &out), 0);
	expect(soq_send(s, "x", 1, 0), -EBADF);
	assert_non_null(out);
	return out;
}

/* Until the thread's exact receive holds what was sent: then it is inside the call. */
static void await_taken(struct soq_socket *s)
{
	int64_t until = now_ns() + watchdog_ns();

	while (soq_poll(s, SOQ_POLL_RECV, 0) != 0) {
		expect_true(now_ns() < until);
		sched_yield();
	}
}

/* Until the thread's send fits no more: then it is inside the call. */
static void await_parked(struct soq_socket *s)
{
	int64_t until = now_ns() + watchdog_ns();

	while (soq_poll(s, SOQ_POLL_SEND, 0) != 0) {
		expect_true(now_ns() < until);
		sched_yield();
	}
}

static void socket_leaves_its_loop_and_comes_back(struct fixture *t)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	struct probe *p = probe(t);
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd), *off = NULL, *on = NULL;
	char in[8], word;

	expect(soq_socket_set_user(s, &word), 0);
	expect(soq_socket_set_timeouts(s, 3 * MS, FOREVER), 0);
	expect(soq_socket_detach(s, &off), 0);
	assert_null(soq_socket_loop(off));
	assert_ptr_equal(soq_socket_user(off), &word);
	expect(soq_recv(off, in, 4, 0), -ETIMEDOUT);
	raw_send(fd, "ping", 4);
	expect(soq_recv(off, in, 4, SOQ_EXACT), 4);
	expect(soq_send(off, "pong", 4, 0), 4);
	expect(soq_recv_async(off, &p->op, in, 4, 0), -EINVAL);
	expect(soq_socket_info(off, &info), 0);
	expect(info.detached, 1);
	expect(info.state, SOQ_STATE_CONNECTED);

	expect(soq_socket_attach(t->loop, off, &on), 0);
	assert_ptr_equal(soq_socket_loop(on), t->loop);
	assert_ptr_equal(soq_socket_user(on), &word);
	started(p, soq_recv_async(on, &p->op, in, 4, SOQ_EXACT));
	settle(t);
	raw_send(fd, "more", 4);
	await(t, p);
	expect_end(p, 4, 0);
	expect(raw_recv(t, fd, in, 8), 4);
	expect(soq_recv(on, in, 4, 0), -ETIMEDOUT);
	expect(soq_close(on), 0);
	close(fd);
}

static void only_a_quiet_socket_leaves(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	struct probe *p = probe(t), *all = probe_quiet(t), *polled = probe(t);
	struct soq_event event;
	char in[4];
	int fd, client;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	started(p, soq_recv_async(s, &p->op, in, 4, 0));
	expect(soq_socket_detach(s, &out), -EBUSY);
	settle(t);
	expect(soq_socket_release(s), -EBUSY);
	raw_send(fd, "1", 1);
	await(t, p);
	started(polled, soq_poll_async(s, &polled->op, SOQ_POLL_RECV, 0));
	expect(soq_socket_detach(s, &out), -EBUSY);
	settle(t);
	expect(soq_cancel(&polled->op), 0);
	await(t, polled);

	/* An arrival nobody has taken belongs to its listener. */
	client = raw_connect(&ep);
	started(all, soq_accept_async(listener, &all->op, SOQ_MULTISHOT));
	run_until(t, stats_of(t).events_waiting == 1);
	expect(soq_cancel(&all->op), 0);
	settle(t);
	expect(soq_socket_detach(listener, &out), -EBUSY);
	expect(soq_wait(&all->op, FOREVER, &event), 0);
	record(&event);
	expect(soq_close(event.socket), 0);
	expect(wait_end(all), -ECANCELED);
	assert_null(out);
	expect(soq_socket_detach(listener, &out), 0);
	expect(soq_close(out), 0);
	expect(soq_socket_detach(s, &out), 0);
	expect(soq_close(out), 0);
	close(client);
	close(fd);
}

static void kept_error_and_cause_go_along(struct fixture *t)
{
	int fd, other;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd), *out = NULL;
	struct soq_socket *cut = pair_raw(t, AF_INET, &other);
	char in[10];

	raw_reset(fd);
	expect(soq_send(s, "x", 1, 0), -ECONNRESET);
	expect(soq_socket_detach(s, &out), 0);
	/* The send first: a receive could still ask the kernel what has happened. */
	expect(soq_send(out, "x", 1, 0), -ECONNRESET);
	expect(soq_recv(out, in, 4, 0), -ECONNRESET);
	expect(soq_close(out), 0);

	raw_send(other, "four", 4);
	expect(soq_socket_set_timeouts(cut, 2 * MS, FOREVER), 0);
	expect(soq_recv(cut, in, 10, SOQ_EXACT), 4);
	expect(soq_socket_detach(cut, &out), 0);
	/* The cause comes although there is something to receive by now. */
	raw_send(other, "more", 4);
	expect(soq_poll(out, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	expect(soq_recv(out, in, 10, 0), -ETIMEDOUT);
	expect(soq_recv(out, in, 10, 0), 4);
	expect(soq_recv(out, in, 10, 0), -ETIMEDOUT);
	expect(soq_close(out), 0);
	close(other);
}

static void close_while_a_thread_is_inside_is_busy(struct fixture *t)
{
	int fd;
	struct call c = { .s = detached_pair(t, &fd), .size = 8, .flags = SOQ_EXACT };
	struct soq_policy *policy = NULL;
	struct soq_socket *on = NULL;
	char in[8];

	c.memory = in;
	begin(&c, call_recv);
	raw_send(fd, "four", 4);
	await_taken(c.s);
	expect(soq_close(c.s), -EBUSY);
	expect(soq_abort(c.s), -EBUSY);
	expect(soq_finish(c.s, 0), -EBUSY);
	expect(soq_socket_release(c.s), -EBUSY);
	expect(soq_policy_public_only(&policy), 0);
	expect(soq_socket_set_policy(c.s, policy), -EBUSY);
	soq_policy_release(policy);
	expect(soq_socket_attach(t->loop, c.s, &on), -EBUSY);
	assert_null(on);
	expect(soq_shutdown(c.s, SOQ_SHUTDOWN_BOTH), 0);
	end(&c);

	expect(c.result, 4);
	expect(soq_close(c.s), 0);
	close(fd);
}

static void shutdown_wakes_an_accept(struct fixture *t)
{
	struct soq_endpoint ep;
	struct call c = { .s = NULL };
	int client;

	expect(soq_socket_detach(soq_listener(t, AF_INET, &ep), &c.s), 0);
	client = raw_connect(&ep);
	begin(&c, call_accept);
	end(&c);
	expect(c.result, 0);
	expect(soq_close(c.accepted), 0);
	begin(&c, call_accept);
	expect(soq_shutdown(c.s, SOQ_SHUTDOWN_BOTH), 0);
	end(&c);
	/* The thread may have come too late to be woken: then it is no listener's accept. */
	expect_true(c.result == -ECANCELED || c.result == -EINVAL);
	expect(soq_accept(c.s, &c.accepted, NULL), -EINVAL);
	expect(soq_connect(c.s, &ep), -EALREADY);
	expect(soq_close(c.s), 0);
	close(client);
}

static void *call_recv_batch(void *arg)
{
	struct call *c = arg;
	struct iovec part = { c->memory, c->size };
	struct soq_message m = { .size = sizeof(m), .segments = &part, .segment_count = 1 };

	c->result = soq_recv_batch(c->s, &m, 1, 0);
	return NULL;
}

/* Shut before the thread waits, or after: nothing came, and no empty message is made up. */
static void shutdown_wakes_a_receive_of_a_batch(struct fixture *t)
{
	for (int bounded = 0; bounded < 2; bounded++) {
		char in[8];
		struct call c = { .memory = in, .size = sizeof(in) };
		struct soq_endpoint ep;

		expect(soq_socket_detach(bound_socket(t, AF_INET, SOCK_DGRAM, &ep), &c.s), 0);
		if (bounded)
			expect(soq_socket_set_timeouts(c.s, HOUR, HOUR), 0);
		begin(&c, call_recv_batch);
		expect(soq_shutdown(c.s, SOQ_SHUTDOWN_BOTH), 0);
		end(&c);
		expect(c.result, -ECANCELED);
		expect(soq_close(c.s), 0);
	}
}

static void one_thread_sends_while_another_receives(struct fixture *t)
{
	struct soq_socket *s[2], *off[2] = { NULL, NULL };
	struct call c[4];
	uint64_t keys[2] = { 7, 8 };

	pair_soq(t, AF_INET, &s[0], &s[1]);
	for (unsigned i = 0; i < 2; i++)
		expect(soq_socket_detach(s[i], &off[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		c[i] = (struct call){ .s = off[i & 1],
				      .memory = malloc(BIG_BYTES),
				      .size = BIG_BYTES,
				      .flags = SOQ_EXACT };
		if (i < 2)
			fill(c[i].memory, BIG_BYTES, keys[i], 0);
		begin(&c[i], i < 2 ? call_send : call_recv);
	}
	for (unsigned i = 0; i < 4; i++) {
		end(&c[i]);
		expect(c[i].result, BIG_BYTES);
	}
	for (unsigned i = 2; i < 4; i++)
		expect_true(is_filled(c[i].memory, BIG_BYTES, keys[!(i & 1)], 0));
	for (unsigned i = 0; i < 4; i++)
		free(c[i].memory);
	for (unsigned i = 0; i < 2; i++)
		expect(soq_close(off[i]), 0);
}

enum end { FIN, RST, DATA_RST, FIN_RST };

static void peer_does(int *fd, enum end what)
{
	if (what == DATA_RST)
		raw_send(*fd, "data", 4);
	if (what == FIN || what == FIN_RST)
		raw_fin(*fd);
	if (what != FIN) {
		raw_reset(*fd);
		*fd = -1;
	}
}

/* What test_reset.c demands of a loop, of two threads: `exact` has 4 of 10 bytes. */
static void reset_meets_threads(struct fixture *t, int exact, int parked, enum end what)
{
	int fd;
	struct soq_socket *s = detached_pair(t, &fd);
	char in[10], *big = malloc(BIG_BYTES);
	struct call recv = { .s = s, .memory = in, .size = 10, .flags = SOQ_EXACT };
	struct call sent = { .s = s, .memory = big, .size = BIG_BYTES };
	int64_t last = what == RST || what == DATA_RST ? -ECONNRESET : 0;
	int64_t next = what == FIN ? 1 : what == FIN_RST ? -EPIPE : -ECONNRESET;
	int64_t moved = (exact ? 4 : 0) + (what == DATA_RST ? 4 : 0);

	fill(big, BIG_BYTES, 1, 0);
	if (exact) {
		begin(&recv, call_recv);
		raw_send(fd, "four", 4);
		await_taken(s);
	}
	if (parked) {
		begin(&sent, call_send);
		await_parked(s);
	}
	peer_does(&fd, what);
	if (exact) {
		end(&recv);
		expect(recv.result, moved);
	} else if (moved) {
		expect(soq_recv(s, in, 10, 0), moved);
	}
	expect(soq_recv(s, in, 10, 0), last);
	expect(soq_recv(s, in, 10, SOQ_EXACT), last);
	if (parked && what == FIN)
		raw_take(t, fd, 1, 0, BIG_BYTES);
	if (parked)
		end(&sent);
	if (parked && what == FIN)
		expect(sent.result, BIG_BYTES);
	else if (parked)
		expect_true(sent.result > 0 && sent.result < (int64_t)BIG_BYTES);
	if (parked)
		expect(sent.next, next);
	expect(soq_send(s, "x", 1, 0), next);
	expect(soq_recv(s, in, 10, 0), last);
	expect(soq_close(s), 0);
	if (fd >= 0)
		close(fd);
	free(big);
}

static void threads_agree_about_a_reset(struct fixture *t)
{
	for (int exact = 0; exact < 2; exact++)
		for (int parked = 0; parked < 2; parked++)
			for (int what = FIN; what <= FIN_RST; what++)
				reset_meets_threads(t, exact, parked, (enum end)what);
}

static sem_t held, seen;

/* Runs in a thread that comes out of the kernel, before it can tell what it brings. */
static void hold(int number)
{
	struct timespec ms20 = { .tv_nsec = 20 * MS };

	(void)number;
	sem_post(&held);
	sem_post(&seen);
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ms20, NULL);
}

static void await_sem(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		expect(errno, EINTR);
}

/* A batch thread does not take the processor from the one that wakes it. */
static void *call_recv_late(void *arg)
{
	struct sched_param none = { 0 };

	(void)sched_setscheduler(0, SCHED_BATCH, &none);
	call_recv(arg);
	/* Should the signal come too late, there is still a thread for it. */
	await_sem(&seen);
	return NULL;
}

static void broken_pipe_waits_for_the_receive_that_has_the_error(struct fixture *t)
{
	struct sigaction action = { .sa_handler = hold }, old;
	cpu_set_t all, one;
	int fd;
	struct call c = { .s = detached_pair(t, &fd), .size = 8, .flags = SOQ_EXACT };
	char in[8];

	/* On one processor, the thread runs only when this one lets it. */
	expect(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	expect(sched_setaffinity(0, sizeof(one), &one), 0);
	expect(sem_init(&held, 0, 0), 0);
	expect(sem_init(&seen, 0, 0), 0);
	expect(sigaction(SIGUSR1, &action, &old), 0);
	c.memory = in;
	begin(&c, call_recv_late);
	raw_send(fd, "four", 4);
	await_taken(c.s);
	raw_reset(fd);
	expect(pthread_kill(c.thread, SIGUSR1), 0);
	await_sem(&held);
	/* The thread has taken the error from the kernel, and is held before it says so. */
	expect(soq_send(c.s, "x", 1, 0), -ECONNRESET);
	end(&c);

	expect(c.result, 4);
	expect(soq_recv(c.s, in, 8, 0), -ECONNRESET);
	expect(soq_close(c.s), 0);
	expect(sigaction(SIGUSR1, &old, NULL), 0);
	expect(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void linger_blocks_as_close_does(struct fixture *t)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 1 };
	int fd;
	struct soq_socket *s = detached_pair(t, &fd);
	struct call c = { .s = NULL };
	char *big = malloc(BIG_BYTES);
	int64_t sent, begin_ns;
	uint64_t bytes;

	fill(big, BIG_BYTES, 1, 0);
	expect(soq_socket_set_timeouts(s, FOREVER, 5 * MS), 0);
	sent = soq_send(s, big, BIG_BYTES, 0);
	expect_true(sent > 0 && sent < (int64_t)BIG_BYTES);
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	/* In a thread of its own: work of this one's ring, like a signal, would end the wait. */
	c.s = s;
	begin_ns = now_ns();
	begin(&c, call_close);
	end(&c);
	expect(c.result, 0);
	expect_true(now_ns() - begin_ns >= 900 * MS);
	expect(raw_drain(t, fd, 1, &bytes), 0);
	expect(bytes, sent);
	close(fd);
	free(big);
}

static void every_type_talks_detached(struct fixture *t)
{
	struct soq_socket *a = NULL, *b = NULL;
	struct soq_endpoint ep, from;
	struct iovec room = { NULL, 0 };
	struct soq_message message = { .size = sizeof(message), .segments = &room };
	char in[4];

	(void)t;
	message.segment_count = 1;
	room = (struct iovec){ in, 2 };
	expect(soq_socket_open(NULL, AF_INET, SOCK_DGRAM, 0, &a), 0);
	expect(soq_socket_open(NULL, AF_INET, SOCK_DGRAM, 0, &b), 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_bind(b, &ep), 0);
	expect(soq_socket_local(b, &ep), 0);
	expect(soq_send_to(a, "one", 3, 0, &ep), 3);
	expect(soq_recv_from(b, in, 4, 0, &from), 3);
	expect(soq_connect(b, &from), 0);
	expect(soq_connect(a, &ep), 0);
	expect(soq_send(b, "back", 4, 0), 4);
	expect(soq_poll(a, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	expect(soq_recv_msg(a, &message, 0), 2);
	expect(message.flags, SOQ_F_TRUNCATED);
	expect_true(soq_endpoint_equal(&message.peer, &ep));
	expect(soq_send(a, NULL, 0, 0), 0);
	expect(soq_recv(b, in, 4, 0), 0);
	expect(soq_send(a, "long", 4, 0), 4);
	expect(soq_recv(b, in, 2, 0), -EMSGSIZE);
	expect(soq_socket_set_timeouts(b, 2 * MS, FOREVER), 0);
	expect(soq_recv(b, in, 2, 0), -ETIMEDOUT);
	expect(soq_poll(b, SOQ_POLL_RECV, 0), 0);
	expect(soq_finish(a, 0), 0);
	expect(soq_close(b), 0);
}

static const struct conf_case cases[] = {
	CASE(socket_leaves_its_loop_and_comes_back, "20c"),
	CASE(only_a_quiet_socket_leaves, "20c"),
	CASE(kept_error_and_cause_go_along, "20c 7d 6d"),
	CASE(close_while_a_thread_is_inside_is_busy, "20c"),
	CASE(shutdown_wakes_an_accept, "20c"),
	CASE(shutdown_wakes_a_receive_of_a_batch, "20c"),
	CASE(one_thread_sends_while_another_receives, "20c"),
	CASE(threads_agree_about_a_reset, "7a 7b 7d 20c"),
	CASE(broken_pipe_waits_for_the_receive_that_has_the_error, "7d 20c"),
	CASE(linger_blocks_as_close_does, "20c"),
	CASE(every_type_talks_detached, "20c"),
};

CONF_GROUP(detached, cases)
