/* SPDX-License-Identifier: MIT */
/* Connecting with the first data: what arrives, what waits behind it, how it ends early. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static const int families[] = { AF_INET, AF_INET6 };
static const uint32_t ways[] = { 0, SOQ_FAST_OPEN };

/* A kernel listener that takes data with the first packet, where the system lets it. */
static int fast_listener(int family, struct soq_endpoint *ep)
{
	int listener = raw_listener(family, 5, 0, ep);
	int queue = 5;

	(void)setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	return listener;
}

static void data_follows_the_connect(struct fixture *t)
{
	for (int i = 0; i < 4; i++) {
		struct soq_endpoint ep;
		int fd, listener = fast_listener(families[i & 1], &ep);
		struct soq_socket *s = open_socket(t, families[i & 1]);
		struct probe *p = probe(t);
		char in[8];

		started(p, soq_connect_data_async(s, &p->op, &ep, "abc", 3, ways[i / 2]));
		await(t, p);
		fd = raw_accept(listener);

		expect_end(p, 3, 0);
		expect(raw_recv(t, fd, in, sizeof(in)), 3);
		assert_memory_equal(in, "abc", 3);
		expect(soq_close(s), 0);
		expect(raw_recv(t, fd, in, sizeof(in)), 0);
		close(fd);
		close(listener);
	}
}

static void call_returns_when_the_data_is_sent(struct fixture *t)
{
	for (int i = 0; i < 4; i++) {
		struct soq_endpoint ep;
		int fd, listener = fast_listener(families[i & 1], &ep);
		struct soq_socket *s = open_socket(t, families[i & 1]);
		char in[8];

		expect(soq_connect_data(s, &ep, "abc", 3, ways[i / 2]), 3);
		fd = raw_accept(listener);
		expect(soq_send(s, "de", 2, 0), 2);

		expect(raw_recv_blocking(fd, in, 3), 3);
		expect(raw_recv_blocking(fd, in + 3, 2), 2);
		assert_memory_equal(in, "abcde", 5);
		expect(soq_close(s), 0);
		close(fd);
		close(listener);
	}
}

/* The second connect to a listener has the cookie of the first, where the system has any. */
static void data_goes_with_the_first_packet_again_and_again(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = fast_listener(AF_INET, &ep);
	char out[64], in[64];

	fill(out, sizeof(out), 1, 0);
	for (int i = 0; i < 5; i++) {
		struct soq_socket *s = open_socket(t, AF_INET);
		struct probe *p = probe(t), *behind = probe(t);
		int fd;

		started(p, soq_connect_data_async(s, &p->op, &ep, out, 40, SOQ_FAST_OPEN));
		started(behind, soq_send_async(s, &behind->op, out + 40, 24, 0));
		await(t, behind);
		fd = raw_accept(listener);

		expect_end(p, 40, 0);
		expect_end(behind, 24, 0);
		expect_true(p->sequence < behind->sequence);
		raw_take(t, fd, 1, 0, sizeof(in));
		expect(soq_abort(s), 0);
		close(fd);
	}
	close(listener);
}

static void calls_send_with_the_first_packet_again_and_again(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = fast_listener(AF_INET, &ep);
	char out[64];

	fill(out, sizeof(out), 1, 0);
	for (int i = 0; i < 3; i++) {
		struct soq_socket *s = open_socket(t, AF_INET);
		int fd;

		expect(soq_connect_data(s, &ep, out, 40, SOQ_FAST_OPEN), 40);
		expect(soq_send(s, out + 40, 24, 0), 24);
		fd = raw_accept(listener);
		raw_take(t, fd, 1, 0, sizeof(out));
		expect(soq_abort(s), 0);
		close(fd);
	}
	close(listener);
}

#define PACKET_BYTES 100000

/* A network of this process alone, which takes data with the first packet both ways. */
static int fast_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd, done;

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	done = ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	close(fd);
	fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC);
	done = done && write(fd, "3", 1) == 1;
	close(fd);
	return done ? 0 : -errno;
}

/* One connect there; whether the data went with the first packet, or the line that failed. */
static int connect_once(struct soq_loop *loop, int listener, const struct soq_endpoint *ep,
			const char *out)
{
	static char in[PACKET_BYTES];
	struct tcp_info info = { .tcpi_options = 0 };
	struct soq_socket *s;
	int fd;

	if (soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s) != 0)
		return __LINE__;
	if (soq_connect_data(s, ep, out, PACKET_BYTES, SOQ_FAST_OPEN) != PACKET_BYTES)
		return __LINE__;
	fd = accept(listener, NULL, NULL);
	if (recv(fd, in, sizeof(in), MSG_WAITALL) != PACKET_BYTES ||
	    memcmp(in, out, sizeof(in)) != 0)
		return __LINE__;
	if (soq_option_get(s, IPPROTO_TCP, TCP_INFO, &info, sizeof(info)) <= 0)
		return __LINE__;
	if (soq_abort(s) != 0)
		return __LINE__;
	/* A byte too many would be here. */
	if (recv(fd, in, 1, 0) > 0)
		return __LINE__;
	close(fd);
	return (info.tcpi_options & TCPI_OPT_SYN_DATA) ? 1 : 0;
}

/* The line that failed, or 0. */
static int first_packets(struct fixture *t)
{
	static char out[PACKET_BYTES];
	struct soq_loop_options options;
	struct soq_loop *loop = NULL;
	struct soq_endpoint ep;
	struct soq_socket *s;
	int queue = 5, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fill(out, sizeof(out), 1, 0);
	options_of_tier(t, &options);
	if (t->home != NULL && soq_loop_create(&options, &loop) != 0)
		return __LINE__;
	if (soq_endpoint_loopback(AF_INET, 0, &ep) != 0 ||
	    bind(listener, &ep.addr.any, ep.size_bytes) != 0 ||
	    setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)) != 0 ||
	    listen(listener, 5) != 0 || getsockname(listener, &ep.addr.any, &ep.size_bytes) != 0)
		return __LINE__;
	/* The first has no cookie and brings one home; those behind it have it. */
	for (int i = 0; i < 3; i++) {
		int with = connect_once(loop, listener, &ep, out);

		if (with != (i > 0))
			return with > 1 ? with : __LINE__;
	}
	close(listener);
	if (soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s) != 0 ||
	    soq_connect_data(s, &ep, out, 10, SOQ_FAST_OPEN) != -ECONNREFUSED)
		return __LINE__;
	return 0;
}

/* 0, the line that failed, or the negative errno of a system that makes no networks. */
struct verdict {
	int error, line;
};

static struct verdict in_a_network_of_its_own(struct fixture *t)
{
	struct verdict v = { 0, 0 };
	int ends[2] = { -1, -1 };
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return (struct verdict){ -errno, 0 };
	child = fork();
	if (child == 0) {
		v.error = fast_network();
		if (v.error == 0)
			v.line = first_packets(t);
		(void)!write(ends[1], &v, sizeof(v));
		_exit(0);
	}
	close(ends[1]);
	if (read(ends[0], &v, sizeof(v)) != (ssize_t)sizeof(v))
		v.line = -1;
	close(ends[0]);
	(void)waitpid(child, NULL, 0);
	return v;
}

static void first_packet_takes_the_data(struct fixture *t)
{
	struct verdict v = { -EPERM, 0 };

	/* Which cannot follow a ring into a child. */
	if (!env_number("SOQ_TEST_VALGRIND", 0))
		v = in_a_network_of_its_own(t);
	/* Where nobody may have a network of his own nothing can be said. */
	expect_true(v.error == 0 || v.error == -EPERM || v.error == -ENOSPC || v.error == -EACCES);
	expect(v.line, 0);
}

static void more_data_than_a_packet_arrives_whole(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep;
		int fd, listener = fast_listener(AF_INET, &ep);
		struct soq_socket *s = open_socket(t, AF_INET);
		struct probe *p = probe(t), *ended = probe(t);
		char *out = malloc(BIG_BYTES);
		uint64_t bytes = 0;

		fill(out, BIG_BYTES, 7, 0);
		started(p, soq_connect_data_async(s, &p->op, &ep, out, BIG_BYTES, ways[i]));
		started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_SEND));
		settle(t);
		fd = raw_accept(listener);
		expect(raw_drain(t, fd, 7, &bytes), 0);
		await(t, ended);

		expect(bytes, BIG_BYTES);
		expect_end(p, BIG_BYTES, 0);
		expect_end(ended, 0, 0);
		expect(soq_close(s), 0);
		close(fd);
		close(listener);
		free(out);
	}
}

static void refusal_is_the_result_and_nothing_is_sent(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_endpoint bad, good;
		int fd, holder, listener = raw_listener(AF_INET, 1, 0, &good);
		struct soq_socket *s = open_socket(t, AF_INET);
		struct probe *p = probe(t), *behind = probe(t), *received = probe(t);
		char in[8];

		refused_endpoint(AF_INET, &bad, &holder);
		started(p, soq_connect_data_async(s, &p->op, &bad, "lost", 4, ways[i]));
		started(behind, soq_send_async(s, &behind->op, "too", 3, 0));
		started(received, soq_recv_async(s, &received->op, in, sizeof(in), 0));
		run_until(t, finished(behind) && finished(received));
		expect_end(p, -ECONNREFUSED, 0);
		expect_end(behind, -ECONNREFUSED, 0);
		expect_end(received, -ECONNREFUSED, 0);

		expect(soq_connect_data(s, &bad, "lost", 4, ways[i]), -ECONNREFUSED);
		started(p, soq_connect_data_async(s, &p->op, &good, "new", 3, ways[i]));
		await(t, p);
		expect_end(p, 3, 0);
		fd = raw_accept(listener);
		expect(raw_recv(t, fd, in, sizeof(in)), 3);
		assert_memory_equal(in, "new", 3);
		expect(soq_close(s), 0);
		close(fd);
		close(holder);
		close(listener);
	}
}

static void call_that_is_refused_says_so(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_endpoint bad;
		struct soq_socket *s = open_socket(t, AF_INET);
		int holder;

		refused_endpoint(AF_INET, &bad, &holder);
		expect(soq_connect_data(s, &bad, "lost", 4, ways[i]), -ECONNREFUSED);
		expect(soq_connect(s, &bad), -ECONNREFUSED);
		expect(soq_close(s), 0);
		close(holder);
	}
}

static void what_is_started_behind_it_waits(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep;
		int fd, listener = fast_listener(AF_INET, &ep);
		struct soq_socket *s = open_socket(t, AF_INET);
		struct probe *p = probe(t), *sent = probe(t), *received = probe(t);
		char in[8];

		started(p, soq_connect_data_async(s, &p->op, &ep, "one", 3, ways[i]));
		started(received, soq_recv_async(s, &received->op, in, sizeof(in), 0));
		started(sent, soq_send_async(s, &sent->op, "two", 3, 0));
		expect(soq_connect(s, &ep), -EALREADY);
		await(t, sent);
		fd = raw_accept(listener);
		raw_send(fd, "answer", 6);
		await(t, received);

		expect_end(p, 3, 0);
		expect_end(sent, 3, 0);
		expect_end(received, 6, 0);
		expect(p->sequence, 1);
		expect(raw_recv(t, fd, in, 3), 3);
		assert_memory_equal(in, "one", 3);
		expect(raw_recv(t, fd, in, 3), 3);
		assert_memory_equal(in, "two", 3);
		expect(soq_close(s), 0);
		close(fd);
		close(listener);
		t->sequence = 0;
	}
}

static void ended_before_the_connection_leaves_only_closing(struct fixture *t)
{
	for (int i = 0; i < 4; i++) {
		struct full_listener full;
		struct soq_socket *s = open_socket(t, AF_INET);
		struct probe *p = probe(t), *behind = probe(t);
		struct soq_socket_info info = { .size = sizeof(info) };

		full_listener_open(AF_INET, &full);
		if (i & 1)
			p->op.deadline_ns = now_ns() + 5 * MS;
		started(p, soq_connect_data_async(s, &p->op, &full.ep, "x", 1, ways[i / 2]));
		started(behind, soq_send_async(s, &behind->op, "y", 1, 0));
		settle(t);
		if (!(i & 1))
			expect(soq_cancel(&p->op), 0);
		await(t, behind);

		expect_end(p, i & 1 ? -ETIMEDOUT : -ECANCELED, 0);
		expect_end(behind, i & 1 ? -ETIMEDOUT : -ECANCELED, 0);
		expect(soq_socket_info(s, &info), 0);
		expect(info.state, SOQ_STATE_CUT);
		expect(soq_connect(s, &full.ep), -EALREADY);
		expect(soq_close(s), 0);
		full_listener_close(&full);
	}
}

static void close_ends_it(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct full_listener full;
		struct soq_socket *s = open_socket(t, AF_INET);
		struct probe *p = probe(t), *closed = probe(t);

		full_listener_open(AF_INET, &full);
		started(p, soq_connect_data_async(s, &p->op, &full.ep, "x", 1, ways[i]));
		settle(t);
		started(closed, soq_close_async(s, &closed->op));
		await(t, closed);

		expect_end(p, -ECANCELED, 0);
		expect_end(closed, 0, 0);
		full_listener_close(&full);
	}
}

static void canceled_in_its_data_it_reports_what_was_sent(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd, listener = raw_listener(AF_INET, 1, 4096, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t), *behind = probe(t);
	struct soq_socket_info info = { .size = sizeof(info) };
	char *out = malloc(BIG_BYTES);
	uint64_t bytes = 0;
	int small = 4096;

	fill(out, BIG_BYTES, 3, 0);
	expect(soq_option_set(s, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	started(p, soq_connect_data_async(s, &p->op, &ep, out, BIG_BYTES, 0));
	started(behind, soq_send_async(s, &behind->op, "z", 1, 0));
	settle(t);
	fd = raw_accept(listener);
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, behind);
	expect(soq_socket_info(s, &info), 0);
	expect(info.state, SOQ_STATE_CONNECTED);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_drain(t, fd, 3, &bytes), 0);

	expect_true(p->result > 0 && p->result < (int64_t)BIG_BYTES);
	expect_end(p, (int64_t)bytes, SOQ_F_CANCELED);
	expect_end(behind, -ECANCELED, 0);
	expect(soq_close(s), 0);
	close(fd);
	close(listener);
	free(out);
}

static void call_honours_the_send_timeout(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct full_listener full;
		struct soq_socket *s = open_socket(t, AF_INET);

		full_listener_open(AF_INET, &full);
		expect(soq_socket_set_timeouts(s, FOREVER, 5 * MS), 0);
		expect(soq_connect_data(s, &full.ep, "x", 1, ways[i]), -ETIMEDOUT);
		expect(soq_connect_data(s, &full.ep, "x", 1, ways[i]), -EALREADY);
		expect(soq_close(s), 0);
		full_listener_close(&full);
	}
}

static void call_that_times_out_in_its_data_returns_the_count(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = raw_listener(AF_INET, 1, 4096, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	char *out = malloc(BIG_BYTES);
	int64_t result;
	int small = 4096;

	fill(out, BIG_BYTES, 3, 0);
	expect(soq_option_set(s, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	expect(soq_socket_set_timeouts(s, FOREVER, 50 * MS), 0);
	result = soq_connect_data(s, &ep, out, BIG_BYTES, 0);

	expect_true(result > 0 && result < (int64_t)BIG_BYTES);
	expect(soq_send(s, "x", 1, 0), -ETIMEDOUT);
	expect(soq_abort(s), 0);
	close(listener);
	free(out);
}

static void no_data_is_a_connect(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep;
		int fd, listener = fast_listener(AF_INET, &ep);
		struct soq_socket *s = open_socket(t, AF_INET);
		char byte;

		expect(soq_connect_data(s, &ep, NULL, 0, ways[i]), 0);
		fd = raw_accept(listener);
		expect(soq_close(s), 0);
		expect(raw_recv_blocking(fd, &byte, 1), 0);
		close(fd);
		close(listener);
	}
}

static void unix_streams_take_data_along(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, AF_UNIX);
	int fd, listener;
	char in[4];

	unix_abstract(&ep);
	listener = raw_unix_listener(SOCK_STREAM, 1, &ep);
	expect(soq_connect_data(s, &ep, "abcd", 4, SOQ_FAST_OPEN), 4);
	fd = raw_accept(listener);
	expect(raw_recv_blocking(fd, in, 4), 4);
	expect(soq_close(s), 0);
	close(fd);
	close(listener);
}

static void what_makes_no_sense_is_refused(struct fixture *t)
{
	struct soq_endpoint ep, at;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_socket *d = bound_socket(t, AF_INET, SOCK_DGRAM, &at);
	struct probe *p = probe(t);

	expect(soq_connect_data_async(s, &p->op, NULL, "x", 1, 0), -EINVAL);
	expect(soq_connect_data_async(s, &p->op, &ep, NULL, 1, 0), -EINVAL);
	expect(soq_connect_data_async(s, &p->op, &ep, "x", (size_t)SSIZE_MAX + 1, 0), -EINVAL);
	expect(soq_connect_data_async(s, &p->op, &ep, "x", 1, SOQ_EXACT), -EINVAL);
	expect(soq_connect_data_async(d, &p->op, &at, "x", 1, 0), -EOPNOTSUPP);
	expect(soq_connect_data_async(listener, &p->op, &ep, "x", 1, 0), -EINVAL);
	expect(soq_connect_data(d, &at, "x", 1, 0), -EOPNOTSUPP);
	expect(soq_connect_data(s, &ep, "x", 1, SOQ_REUSE), -EINVAL);
	expect(soq_connect_data(s, &ep, "x", 1, 0), 1);
	expect(soq_connect_data(s, &ep, "x", 1, 0), -EISCONN);
	expect(soq_connect_data_async(s, &p->op, &ep, "x", 1, 0), -EISCONN);
	expect(soq_close(s), 0);
	expect(soq_close(d), 0);
	expect(soq_close(listener), 0);
}

static const struct conf_case cases[] = {
	CASE(data_follows_the_connect, "1b B022"),
	SYNC_CASE(call_returns_when_the_data_is_sent, "20a"),
	CASE(data_goes_with_the_first_packet_again_and_again, "9a"),
	SYNC_CASE(calls_send_with_the_first_packet_again_and_again, "9a"),
	SYNC_CASE(first_packet_takes_the_data, "9a"),
	CASE(more_data_than_a_packet_arrives_whole, "9c 11d"),
	CASE(refusal_is_the_result_and_nothing_is_sent, "11b 5a"),
	SYNC_CASE(call_that_is_refused_says_so, "5a"),
	CASE(what_is_started_behind_it_waits, "11a 9a"),
	CASE(ended_before_the_connection_leaves_only_closing, "14b 6a 6b 11b"),
	CASE(close_ends_it, "13a"),
	CASE(canceled_in_its_data_it_reports_what_was_sent, "6c 10b"),
	SYNC_CASE(call_honours_the_send_timeout, "20a 6b"),
	SYNC_CASE(call_that_times_out_in_its_data_returns_the_count, "6d"),
	SYNC_CASE(no_data_is_a_connect, ""),
	SYNC_CASE(unix_streams_take_data_along, ""),
	CASE(what_makes_no_sense_is_refused, "1a"),
};

CONF_GROUP(connect_data, cases)
