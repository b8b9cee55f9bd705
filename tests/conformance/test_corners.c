/* SPDX-License-Identifier: MIT */
/* Corners where two kinds of socket, or two parts of the library, once disagreed. */
#define _GNU_SOURCE
#include "support.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>

/* Sends three bytes and a descriptor: a unix receive stops behind them. */
static void send_with_descriptor(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec bytes = { "abc", 3 };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(int));
	expect(sendmsg(fd, &message, 0), 3);
}

/* A short receive is not always the last: what is behind it must not wait for an edge. */
static void bytes_behind_a_descriptor_are_received(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_unix_raw(t, SOCK_STREAM, &fd);
	struct probe *p = probe(t);
	char in[64];

	for (unsigned i = 0; i < 2; i++) {
		started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
		settle(t);
		send_with_descriptor(fd);
		raw_send(fd, "def", 3);
		await(t, p);
		expect_end(p, 3, 0);
		started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
		await(t, p);
		expect_end(p, 3, 0);
		assert_memory_equal(in, "def", 3);
	}
	expect(soq_close(s), 0);
	close(fd);
}

static void bytes_behind_urgent_data_are_received(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[64];
	int64_t got = 0;

	started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
	settle(t);
	raw_send(fd, "abc", 3);
	expect(send(fd, "!", 1, MSG_OOB), 1);
	raw_send(fd, "def", 3);
	await(t, p);
	got = p->result;
	while (got < 6) {
		started(p, soq_recv_async(s, &p->op, in + got, sizeof(in) - (size_t)got, 0));
		await(t, p);
		expect_true(p->result > 0);
		got += p->result;
	}
	assert_memory_equal(in, "abcdef", 6);
	expect(soq_close(s), 0);
	close(fd);
}

static void linger_of_zero_goes_where_the_socket_goes(struct fixture *t)
{
	const struct linger zero = { .l_onoff = 1, .l_linger = 0 }, off = { 0, 0 };
	int fd, ends[2];
	struct soq_endpoint ep;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd), *out = NULL;
	char in;

	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &zero, sizeof(zero)), 0);
	expect(soq_socket_detach(s, &out), 0);
	expect(soq_close(out), 0);
	expect(raw_recv(t, fd, &in, 1), -ECONNRESET);
	close(fd);

	/* And what was 0 outside is what the library says it is. */
	fd = raw_listener(AF_INET, 1, 0, &ep);
	ends[0] = raw_connect(&ep);
	ends[1] = raw_accept(fd);
	expect(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &zero, sizeof(zero)), 0);
	expect(soq_socket_adopt(t->loop, ends[0], &s), 0);
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &off, sizeof(off)), 0);
	expect(soq_close(s), 0);
	expect(raw_recv(t, ends[1], &in, 1), 0);
	close(ends[1]);
	close(fd);
}

/* The kernel hands a listener's linger time down; a loop must not block for it. */
static void accepted_sockets_linger_for_themselves(struct fixture *t)
{
	const struct linger two = { .l_onoff = 1, .l_linger = 2 };
	struct linger back = { 0, 0 };
	struct soq_endpoint ep;
	struct soq_socket *listener = NULL, *accepted = NULL, *on = NULL;
	int client;

	expect(soq_socket_detach(soq_listener(t, AF_INET, &ep), &listener), 0);
	expect(soq_option_set(listener, SOL_SOCKET, SO_LINGER, &two, sizeof(two)), 0);
	client = raw_connect(&ep);
	expect(soq_accept(listener, &accepted, NULL), 0);
	expect(soq_option_get(accepted, SOL_SOCKET, SO_LINGER, &back, sizeof(back)), sizeof(back));
	expect(back.l_onoff, 0);
	expect(soq_socket_attach(t->loop, accepted, &on), 0);
	expect(soq_close(on), 0);
	run_until(t, stats_of(t).sockets == 0);
	expect(soq_close(listener), 0);
	close(client);
}

/* One datagram that nobody wanted does not keep the others from going out. */
static void finish_of_datagrams_sends_those_behind_an_error(struct fixture *t)
{
	struct probe *sent[3], *finish = probe(t);
	struct soq_endpoint nobody;
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(nobody.addr.storage);

	expect(soq_endpoint_loopback(AF_INET, 0, &nobody), 0);
	expect(bind(fd, &nobody.addr.any, nobody.size_bytes), 0);
	expect(getsockname(fd, &nobody.addr.any, &size), 0);
	close(fd);
	expect(soq_connect(s, &nobody), 0);
	expect(soq_send(s, "x", 1, 0), 1);
	expect_true((unsigned)soq_poll(s, SOQ_POLL_ERROR, watchdog_ns()) & SOQ_POLL_ERROR);
	for (unsigned i = 0; i < 3; i++) {
		sent[i] = probe(t);
		started(sent[i], soq_send_async(s, &sent[i]->op, "y", 1, 0));
	}
	started(finish, soq_finish_async(s, &finish->op, FOREVER));
	await(t, finish);

	expect_end(sent[0], -ECONNREFUSED, 0);
	/* Each may meet what the one before it met. */
	for (unsigned i = 1; i < 3; i++)
		expect_true(sent[i]->result == 1 || sent[i]->result == -ECONNREFUSED);
	expect_end(finish, 0, 0);
}

static void poll_that_looks_sees_what_is_there_beside_another(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);

	started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
	settle(t);
	for (unsigned i = 0; i < 3; i++)
		expect(soq_poll(s, SOQ_POLL_SEND, 0), SOQ_POLL_SEND);
	raw_send(fd, "x", 1);
	await(t, p);
	expect_end(p, SOQ_POLL_RECV, 0);
	expect(soq_close(s), 0);
	close(fd);
}

struct inside {
	struct soq_socket *s;
	struct soq_endpoint ep;
	int64_t result;
};

static void *receive_from(void *arg)
{
	struct inside *x = arg;
	char in[4];

	x->result = soq_recv_from(x->s, in, sizeof(in), 0, &x->ep);
	return NULL;
}

static void *connect_to(void *arg)
{
	struct inside *x = arg;

	x->result = soq_connect(x->s, &x->ep);
	return NULL;
}

/* Closes as a program does that has to get a thread out first. */
static void get_out_and_close(struct inside *x, pthread_t thread)
{
	int64_t until = now_ns() + watchdog_ns();

	while (soq_close(x->s) == -EBUSY) {
		expect(soq_shutdown(x->s, SOQ_SHUTDOWN_BOTH), 0);
		expect_true(now_ns() < until);
		sched_yield();
	}
	expect(pthread_join(thread, NULL), 0);
}

static void await_connecting(struct soq_socket *s)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	int64_t until = now_ns() + watchdog_ns();

	do {
		expect_true(now_ns() < until);
		expect(soq_socket_info(s, &info), 0);
	} while (info.state != SOQ_STATE_CONNECTING);
}

static void shutdown_wakes_a_connect(struct fixture *t)
{
	struct inside x = { .s = NULL };
	struct full_listener full;
	pthread_t thread;
	int listener, filler;

	(void)t;
	full_listener_open(AF_INET, &full);
	x.ep = full.ep;
	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &x.s), 0);
	expect(pthread_create(&thread, NULL, connect_to, &x), 0);
	await_connecting(x.s);
	get_out_and_close(&x, thread);
	expect(x.result, -ECANCELED);
	full_listener_close(&full);

	unix_abstract(&x.ep);
	listener = raw_unix_listener(SOCK_STREAM, 0, &x.ep);
	filler = raw_connect(&x.ep);
	expect(soq_socket_open(NULL, AF_UNIX, SOCK_STREAM, 0, &x.s), 0);
	expect(pthread_create(&thread, NULL, connect_to, &x), 0);
	await_connecting(x.s);
	get_out_and_close(&x, thread);
	expect(x.result, -ECANCELED);
	close(filler);
	close(listener);
}

/* An empty datagram first: the thread is inside its second call, or about to be. */
static void *receive_twice(void *arg)
{
	struct inside *x = arg;

	(void)receive_from(x);
	return x->result == 0 ? receive_from(x) : NULL;
}

static void shutdown_wakes_a_receive_without_a_peer(struct fixture *t)
{
	struct inside x = { .s = NULL };
	struct soq_endpoint ep;
	pthread_t thread;

	(void)t;
	expect(soq_socket_open(NULL, AF_INET, SOCK_DGRAM, 0, &x.s), 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_bind(x.s, &ep), 0);
	expect(soq_socket_local(x.s, &ep), 0);
	expect(soq_send_to(x.s, NULL, 0, 0, &ep), 0);
	expect(pthread_create(&thread, NULL, receive_twice, &x), 0);
	while (soq_poll(x.s, SOQ_POLL_RECV, 0) != 0)
		sched_yield();
	expect(soq_shutdown(x.s, SOQ_SHUTDOWN_RECV), 0);
	expect(pthread_join(thread, NULL), 0);
	expect(x.result, -ECANCELED);
	expect(soq_close(x.s), 0);
}

static void child_leaves_the_path_of_a_detached_listener(struct fixture *t)
{
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_socket *s = NULL;
	int status = -1;
	pid_t child;

	unix_folder_open(&folder);
	unix_file(&folder, "s", &ep);
	expect(soq_socket_open(NULL, AF_UNIX, SOCK_STREAM, 0, &s), 0);
	expect(soq_bind(s, &ep), 0);
	child = fork();
	if (child == 0)
		_exit(soq_close(s) != 0 || soq_loop_destroy(t->loop) != 0);
	expect(waitpid(child, &status, 0), child);
	expect(status, 0);
	expect(unix_exists(&folder, "s"), 1);
	expect(soq_close(s), 0);
	expect(unix_exists(&folder, "s"), 0);
	unix_folder_close(&folder);
}

static const struct conf_case cases[] = {
	CASE(bytes_behind_a_descriptor_are_received, "1b"),
	CASE(bytes_behind_urgent_data_are_received, "1b"),
	CASE(linger_of_zero_goes_where_the_socket_goes, "13h 20c"),
	CASE(accepted_sockets_linger_for_themselves, "13h 20c"),
	CASE(finish_of_datagrams_sends_those_behind_an_error, "13f"),
	CASE(poll_that_looks_sees_what_is_there_beside_another, "3c 11e"),
	CASE(shutdown_wakes_a_connect, "20c"),
	CASE(shutdown_wakes_a_receive_without_a_peer, "20c"),
	CASE(child_leaves_the_path_of_a_detached_listener, "17b"),
};

CONF_GROUP(corners, cases)
