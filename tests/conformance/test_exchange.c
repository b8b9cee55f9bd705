/* SPDX-License-Identifier: MIT */
/*
 * Exchanges that something else is mixed into: waiting for data without taking any, a
 * linger time, calls that block at once or inside a completion, a close, a mistake.
 */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>

static int64_t available(struct soq_socket *s)
{
	uint64_t bytes = 0;
	int rc = soq_socket_available(s, &bytes);

	return rc != 0 ? rc : (int64_t)bytes;
}

static void waiting_for_data_takes_none(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		int fd;
		struct soq_socket *s = i ? pair_unix_raw(t, SOCK_STREAM, &fd)
					 : pair_raw(t, AF_INET, &fd);
		struct probe *p = probe(t);
		char in[4];

		started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
		settle(t);
		expect(p->events, 0);
		expect(available(s), 0);
		raw_send(fd, "x", 1);
		await(t, p);
		expect_end(p, SOQ_POLL_RECV, 0);
		expect(available(s), 1);
		started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
		await(t, p);
		expect_end(p, SOQ_POLL_RECV, 0);
		expect(soq_recv(s, in, 4, 0), 1);
		expect(in[0], 'x');
		expect(available(s), 0);

		/* And the peer's end is an end of the waiting. */
		started(p, soq_poll_async(s, &p->op, SOQ_POLL_RECV, 0));
		settle(t);
		expect(p->events, 2);
		raw_fin(fd);
		close(fd);
		await(t, p);
		expect_true(p->result > 0 && p->flags == 0);
		expect(soq_recv(s, in, 4, 0), 0);
		expect(soq_close(s), 0);
	}
}

static void linger_changes_no_exchange(struct fixture *t)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 1 };

	for (unsigned i = 0; i < 3; i++) {
		struct soq_endpoint ep;
		int listener = raw_listener(AF_INET, 1, 0, &ep);
		int fd, mine = i ? raw_connect(&ep) : -1;
		struct soq_socket *s = NULL;
		struct probe *sent = probe(t), *received = probe(t);
		char in = 0;

		if (i == 0) {
			s = open_socket(t, AF_INET);
			expect(soq_connect(s, &ep), 0);
		} else {
			expect(fcntl(mine, F_SETFL, i == 2 ? O_NONBLOCK : 0), 0);
			expect(soq_socket_adopt(t->home, mine, &s), 0);
		}
		fd = raw_accept(listener);
		expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
		if (t->home) {
			started(received, soq_recv_async(s, &received->op, &in, 1, 0));
			started(sent, soq_send_async(s, &sent->op, "a", 1, 0));
			await(t, sent);
			settle(t);
			raw_send(fd, "b", 1);
			await(t, received);
			expect_end(sent, 1, 0);
			expect_end(received, 1, 0);
		} else {
			expect(soq_send(s, "a", 1, 0), 1);
			raw_send(fd, "b", 1);
			expect(soq_recv(s, &in, 1, 0), 1);
		}
		expect(in, 'b');
		expect(recv(fd, &in, 1, 0), 1);
		expect(in, 'a');
		raw_fin(fd);
		expect(soq_close(s), 0);
		close(fd);
		close(listener);
	}
}

/* One thread of many, each inside a receive of its own. */
struct receiver {
	struct soq_loop_options options;
	int on_a_loop, fd;
	pthread_t thread;
	int64_t opened, rc, closed;
	char byte;
	_Atomic int tid; /* set just before the receive */
};

static void *receive_one(void *arg)
{
	struct receiver *r = arg;
	struct soq_loop *loop = NULL;
	struct soq_socket *s = NULL;

	if (r->on_a_loop)
		r->opened = soq_loop_create(&r->options, &loop);
	if (r->opened == 0)
		r->opened = soq_socket_adopt(loop, r->fd, &s);
	if (r->opened != 0)
		return NULL;
	r->tid = (int)syscall(SYS_gettid);
	r->rc = soq_recv(s, &r->byte, 1, 0);
	r->closed = soq_close(s);
	if (loop != NULL) {
		soq_loop_close_all(loop);
		r->closed |= soq_loop_destroy(loop);
	}
	return NULL;
}

/* Until the thread sleeps, and so is inside its receive. */
static void await_asleep(const struct receiver *r)
{
	int64_t until = now_ns() + watchdog_ns();
	char path[64], state = 'R';

	while (state != 'S') {
		expect_true(now_ns() < until);
		sched_yield();
		if (r->tid != 0) {
			FILE *f;

			(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", r->tid);
			f = fopen(path, "re");
			assert_non_null(f);
			expect(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
			(void)fclose(f);
		}
	}
}

static void many_blocked_receives_all_end(struct fixture *t)
{
	unsigned count = 2 * (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	struct receiver *r = calloc(count, sizeof(*r));
	int *peers = calloc(count, sizeof(*peers));

	for (unsigned i = 0; i < count; i++) {
		int fd[2];

		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
		r[i].on_a_loop = i % 2;
		r[i].fd = fd[0];
		options_of_tier(t, &r[i].options);
		r[i].options.allocator = NULL;
		peers[i] = fd[1];
		expect(pthread_create(&r[i].thread, NULL, receive_one, &r[i]), 0);
	}
	for (unsigned i = 0; i < count; i++)
		await_asleep(&r[i]);
	for (unsigned i = count; i-- > 0;)
		raw_send(peers[i], &"0123456789"[i % 10], 1);
	for (unsigned i = 0; i < count; i++) {
		expect(pthread_join(r[i].thread, NULL), 0);
		expect(r[i].opened, 0);
		expect(r[i].rc, 1);
		expect(r[i].byte, "0123456789"[i % 10]);
		expect(r[i].closed, 0);
		close(peers[i]);
	}
	free(r);
	free(peers);
}

/* What the completion of a receive did with its own socket. */
struct inside {
	int64_t sent, received, waited;
	struct probe *other;
	char in[4], byte;
};

static void block_inside(struct probe *p, const struct soq_event *event)
{
	struct inside *x = p->arg;
	struct soq_socket *s = (struct soq_socket *)p->op.user;
	struct soq_event other;

	(void)event;
	x->sent = soq_send(s, "ping", 4, 0);
	x->waited = soq_wait(&x->other->op, FOREVER, &other);
	if (x->waited == 0)
		record(&other);
	x->received = soq_recv(s, x->in, 4, SOQ_EXACT);
}

static void completion_that_blocks_on_its_socket_returns(struct fixture *t)
{
	struct inside x = { .sent = 0 };
	struct soq_socket *a, *b;
	struct probe *p = probe(t), *answer = probe(t);
	struct probe *quiet = probe_quiet(t);
	char byte, in[4];

	pair_soq(t, AF_INET, &a, &b);
	x.other = quiet;
	p->then = block_inside;
	p->arg = &x;
	p->op.user = a;
	started(p, soq_recv_async(a, &p->op, &byte, 1, 0));
	/* Behind it, on the same lane: what its completion will wait for. */
	started(quiet, soq_recv_async(a, &quiet->op, &x.byte, 1, 0));
	started(answer, soq_send_async(b, &answer->op, "12pong", 6, 0));
	await(t, p);
	await(t, answer);

	expect_end(p, 1, 0);
	expect_end(quiet, 1, 0);
	expect(x.sent, 4);
	expect(x.received, 4);
	assert_memory_equal(x.in, "pong", 4);
	expect(x.byte, '2');
	expect(soq_recv(b, in, 4, SOQ_EXACT), 4);
	assert_memory_equal(in, "ping", 4);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static int is_one_of_the_ends(int64_t result)
{
	return result >= 0 || result == -ECANCELED || result == -ECONNRESET || result == -EPIPE;
}

static void close_racing_transfers_ends_them_all(struct fixture *t)
{
	char *big = malloc(BIG_BYTES), in[2][16];

	fill(big, BIG_BYTES, 1, 0);
	for (unsigned round = 0; round < 20; round++) {
		struct soq_socket *a, *b;
		struct probe *p[4];

		pair_soq(t, round % 2 ? AF_INET : AF_INET6, &a, &b);
		for (unsigned i = 0; i < 4; i++)
			p[i] = probe(t);
		started(p[0], soq_send_async(a, &p[0]->op, big, BIG_BYTES, 0));
		started(p[1], soq_recv_async(b, &p[1]->op, in[0], sizeof(in[0]), 0));
		started(p[2], soq_recv_async(a, &p[2]->op, in[1], sizeof(in[1]), 0));
		started(p[3], soq_send_async(b, &p[3]->op, "sixteen bytes..", 16, 0));
		for (unsigned i = 0; i < round / 4; i++)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		expect(round % 3 == 2 ? soq_abort(a) : soq_close(round % 3 ? a : b), 0);
		expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		expect(soq_close(round % 3 ? b : a), 0);
		for (unsigned i = 0; i < 4; i++) {
			await(t, p[i]);
			expect_true(is_one_of_the_ends(p[i]->result));
		}
	}
	free(big);
}

/* Four ways to ask for it: a buffer, a list, with the sender, and a message. */
static int64_t receive_by(unsigned way, struct soq_socket *s, char *in, size_t size, uint32_t flags)
{
	struct iovec parts[2] = { { in, 1 }, { in + 1, size - 1 } };
	struct soq_message m = { .size = sizeof(m), .segments = parts, .segment_count = 2 };
	struct soq_endpoint from;

	if (way == 0)
		return soq_recv(s, in, size, flags);
	if (way == 1)
		return soq_recvv(s, parts, 2, flags);
	return way == 2 ? soq_recv_from(s, in, size, flags, &from) : soq_recv_msg(s, &m, flags);
}

static int64_t send_by(unsigned way, struct soq_socket *s, char *out, size_t size, uint32_t flags)
{
	struct iovec parts[2] = { { out, 1 }, { out + 1, size - 1 } };
	struct soq_message m = { .size = sizeof(m), .segments = parts, .segment_count = 2 };

	if (way == 0)
		return soq_send(s, out, size, flags);
	return way == 1 ? soq_sendv(s, parts, 2, flags) : soq_send_msg(s, &m, flags);
}

static void flags_mean_the_same_in_every_call(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[12] = { 0 }, out[] = "headbodyend";

	raw_send(fd, "abcdefgh", 8);
	for (unsigned way = 0; way < 4; way++) {
		memset(in, 0, sizeof(in));
		expect(receive_by(way, s, in, 2, SOQ_EXACT | SOQ_PEEK), -EINVAL);
		expect(receive_by(way, s, in, 2, SOQ_PEEK), 2);
		assert_memory_equal(in, &"abcdefgh"[2 * way], 2);
		expect(receive_by(way, s, in, 2, SOQ_PEEK | SOQ_NOWAIT), 2);
		expect(receive_by(way, s, in, 2, SOQ_EXACT), 2);
		assert_memory_equal(in, &"abcdefgh"[2 * way], 2);
		expect(receive_by(way, s, in, 2, SOQ_CORK), -EINVAL);
	}
	for (unsigned way = 0; way < 4; way++) {
		expect(receive_by(way, s, in, 2, SOQ_PEEK | SOQ_NOWAIT), -EAGAIN);
		expect(receive_by(way, s, in, 2, SOQ_EXACT | SOQ_NOWAIT), -EAGAIN);
	}
	for (unsigned way = 0; way < 3; way++) {
		expect(send_by(way, s, out, 4, SOQ_EXACT), -EINVAL);
		expect(send_by(way, s, out, 4, SOQ_PEEK), -EINVAL);
		expect(send_by(way, s, out, 4, SOQ_CORK), 4);
		expect(send_by(way, s, out + 4, 4, SOQ_CORK | SOQ_DONT_ROUTE | SOQ_NOWAIT), 4);
		expect(send_by(way, s, out + 8, 3, SOQ_LAZY), 3);
		expect(recv(fd, in, 11, MSG_WAITALL), 11);
		assert_memory_equal(in, out, 11);
	}
	expect(soq_close(s), 0);
	close(fd);
}

static void list_that_makes_no_sense_sends_nothing(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[8];
	struct iovec good = { in, 1 };
	struct iovec second[2] = { { in, 2 }, { NULL, 1 } };
	struct iovec huge[2] = { { in, 2 }, { in + 2, SIZE_MAX } };

	expect(soq_sendv(s, &good, 0, 0), -EINVAL);
	expect(soq_sendv(s, NULL, 1, 0), -EINVAL);
	expect(soq_sendv(s, second, 2, 0), -EINVAL);
	expect(soq_sendv(s, huge, 2, 0), -EINVAL);
	expect(soq_recvv(s, &good, 0, 0), -EINVAL);
	expect(soq_recvv(s, NULL, 1, 0), -EINVAL);
	expect(soq_recvv(s, second, 2, 0), -EINVAL);
	expect(soq_recvv(s, huge, 2, 0), -EINVAL);
	if (t->home) {
		expect(soq_sendv_async(s, &p->op, &good, 0, 0), -EINVAL);
		expect(soq_sendv_async(s, &p->op, NULL, 1, 0), -EINVAL);
		expect(soq_sendv_async(s, &p->op, second, 2, 0), -EINVAL);
		expect(soq_sendv_async(s, &p->op, huge, 2, 0), -EINVAL);
		expect(soq_recvv_async(s, &p->op, second, 2, 0), -EINVAL);
		settle(t);
	}
	expect(soq_send(s, "only", 4, 0), 4);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	expect(recv(fd, in, 8, MSG_WAITALL), 4);
	assert_memory_equal(in, "only", 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void unknown_option_leaves_the_connection(struct fixture *t)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	int fd, value = 0;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	int64_t rc;
	char in;

	for (unsigned i = 0; i < 2; i++) {
		int level = i ? 9999 : SOL_SOCKET;

		rc = soq_option_set(s, level, 9999, &value, sizeof(value));
		expect_true(rc == -ENOPROTOOPT || rc == -EOPNOTSUPP);
		rc = soq_option_get(s, level, 9999, &value, sizeof(value));
		expect_true(rc == -ENOPROTOOPT || rc == -EOPNOTSUPP);
	}
	expect(soq_socket_info(s, &info), 0);
	expect(info.state, SOQ_STATE_CONNECTED);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(recv(fd, &in, 1, 0), 1);
	raw_send(fd, "y", 1);
	expect(soq_recv(s, &in, 1, 0), 1);
	expect(soq_close(s), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(waiting_for_data_takes_none, "1b 5b B045 B046"),
	SYNC_CASE(linger_changes_no_exchange, "13h B048"),
	CASE(many_blocked_receives_all_end, "20a 20c B051"),
	CASE(completion_that_blocks_on_its_socket_returns, "2f 20b B052"),
	CASE(close_racing_transfers_ends_them_all, "1b 13a B053"),
	SYNC_CASE(flags_mean_the_same_in_every_call, "7c 9a"),
	SYNC_CASE(list_that_makes_no_sense_sends_nothing, "1a B054"),
	SYNC_CASE(unknown_option_leaves_the_connection, "5a B056"),
};

CONF_GROUP(exchange, cases)
