/* SPDX-License-Identifier: MIT */
/* Urgent bytes, sent and received; and sends that no gateway is to carry. */
#define _GNU_SOURCE
#include "support.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Unix streams have urgent bytes from Linux 5.15 on, if it was built so. */
static int unix_has_urgent(void)
{
	int fd[2];
	int has;

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	has = send(fd[0], "!", 1, MSG_OOB) == 1;
	close(fd[0]);
	close(fd[1]);
	return has;
}

/* A pair of this family, the second of three being unix where that has urgent bytes. */
static struct soq_socket *pair_of(struct fixture *t, unsigned i, int *fd)
{
	if (i == 1 && unix_has_urgent())
		return pair_unix_raw(t, SOCK_STREAM, fd);
	return pair_raw(t, i == 2 ? AF_INET6 : AF_INET, fd);
}

static void await_urgent(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLPRI };

	expect(poll(&one, 1, (int)(watchdog_ns() / MS)), 1);
	expect_true(one.revents & POLLPRI);
}

static void urgent_byte_comes_beside_the_stream(struct fixture *t)
{
	for (unsigned i = 0; i < 3; i++) {
		int fd;
		struct soq_socket *s = pair_of(t, i, &fd);
		char in[4] = { 0 };

		expect(soq_recv(s, in, 4, SOQ_URGENT), -EINVAL);
		raw_send(fd, "abc", 3);
		expect(send(fd, "!", 1, MSG_OOB), 1);
		expect(soq_poll(s, SOQ_POLL_URGENT, FOREVER), SOQ_POLL_URGENT);
		expect(soq_recv(s, in, 4, SOQ_URGENT | SOQ_PEEK), 1);
		expect(in[0], '!');
		in[0] = 0;
		expect(soq_recv(s, in, 4, SOQ_URGENT), 1);
		expect(in[0], '!');
		expect(soq_recv(s, in, 4, SOQ_URGENT), -EINVAL);

		expect(soq_recv(s, in, 3, SOQ_EXACT), 3);
		assert_memory_equal(in, "abc", 3);
		raw_send(fd, "d", 1);
		expect(soq_recv(s, in, 4, 0), 1);
		expect(in[0], 'd');
		raw_fin(fd);
		expect(soq_recv(s, in, 4, 0), 0);
		expect(soq_abort(s), 0);
		close(fd);
	}
}

static void every_receive_can_ask_for_it(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[3] = { 0 };
	struct iovec room[3] = { { NULL, 0 }, { in, 1 }, { in + 1, 2 } };
	struct soq_message message = { .size = sizeof(message), .segments = room };
	struct soq_endpoint ep = { .size_bytes = 1 };

	message.segment_count = 3;
	for (unsigned i = 0; i < 3; i++) {
		expect(send(fd, &"123"[i], 1, MSG_OOB), 1);
		expect(soq_poll(s, SOQ_POLL_URGENT, FOREVER), SOQ_POLL_URGENT);
		in[0] = 0;
		if (i == 0)
			expect(soq_recvv(s, room, 3, SOQ_URGENT), 1);
		else if (i == 1)
			expect(soq_recv_from(s, in, 3, SOQ_URGENT, &ep), 1);
		else
			expect(soq_recv_msg(s, &message, SOQ_URGENT), 1);
		expect(in[0], "123"[i]);
	}
	expect(ep.size_bytes, 0);
	expect(message.length_bytes, 1);
	expect(soq_abort(s), 0);
	close(fd);
}

/* What waits: a receive, or a multishot into bufs. Each would wait for ever. */
static void wait_for_bytes(struct soq_socket *s, struct soq_pool *pool, struct probe *p, char *in)
{
	if (pool)
		started(p, soq_recv_buf_async(s, &p->op, pool, SOQ_MULTISHOT));
	else
		started(p, soq_recv_async(s, &p->op, in, 8, 0));
}

static void urgent_receive_waits_behind_nothing(struct fixture *t)
{
	for (unsigned i = 0; i < 4; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct soq_pool *pool = i / 2 ? pool_open(t, 0) : NULL;
		struct probe *p = probe(t), *urgent = probe(t);
		char in[8], byte = 0;

		expect(send(fd, "!", 1, MSG_OOB), 1);
		expect(soq_poll(s, SOQ_POLL_URGENT, FOREVER), SOQ_POLL_URGENT);
		/* It has no place: what was started before has not met the kernel. */
		wait_for_bytes(s, pool, p, in);
		if (i % 2) {
			expect(soq_recv(s, &byte, 1, SOQ_URGENT), 1);
		} else {
			started(urgent, soq_recv_async(s, &urgent->op, &byte, 1, SOQ_URGENT));
			expect(urgent->events, 0);
			await(t, urgent);
			expect_end(urgent, 1, 0);
		}
		expect(byte, '!');
		settle(t);
		expect(soq_recv(s, &byte, 1, SOQ_URGENT), -EINVAL);
		started(urgent, soq_recv_async(s, &urgent->op, &byte, 1, SOQ_URGENT));
		await(t, urgent);
		expect_end(urgent, -EINVAL, 0);
		expect(p->events, 0);

		raw_send(fd, "in", 2);
		run_until(t, p->events == 1);
		if (pool) {
			expect(p->more_result, 2);
			expect(soq_buf_return(p->buf), 0);
			expect(soq_cancel(&p->op), 0);
			await(t, p);
		}
		expect_end(p, pool ? -ECANCELED : 2, 0);
		expect(soq_abort(s), 0);
		if (pool)
			pool_close(pool);
		close(fd);
	}
}

static void cause_of_the_lane_is_not_told_to_it(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[10];

	expect(soq_socket_set_timeouts(s, 3 * MS, FOREVER), 0);
	raw_send(fd, "four", 4);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 4);
	expect(soq_recv(s, in, 10, SOQ_URGENT), -EINVAL);
	expect(soq_recv(s, in, 10, 0), -ETIMEDOUT);
	expect(soq_abort(s), 0);
	close(fd);
}

static void byte_that_stays_in_line_is_not_asked_for(struct fixture *t)
{
	int fd, in_line = 1;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[4];

	expect(soq_option_set(s, SOL_SOCKET, SO_OOBINLINE, &in_line, sizeof(in_line)), 0);
	expect(send(fd, "a!", 2, MSG_OOB), 2);
	expect(soq_poll(s, SOQ_POLL_URGENT, FOREVER), SOQ_POLL_URGENT);
	expect(soq_recv(s, in, 4, SOQ_URGENT), -EINVAL);
	expect(soq_recv(s, in, 2, SOQ_EXACT), 2);
	assert_memory_equal(in, "a!", 2);
	expect(soq_abort(s), 0);
	close(fd);
}

static void last_byte_of_an_urgent_send_is_urgent(struct fixture *t)
{
	for (unsigned i = 0; i < 3; i++) {
		int fd;
		struct soq_socket *s = pair_of(t, i, &fd);
		struct iovec parts[2] = { { "a", 1 }, { "b!", 2 } };
		struct soq_message message = { .size = sizeof(message), .segments = parts };
		char in[4];

		message.segment_count = 2;
		for (unsigned k = 0; k < 4; k++) {
			if (k == 0)
				expect(soq_send(s, "ab!", 3, SOQ_URGENT), 3);
			else if (k == 1)
				expect(soq_sendv(s, parts, 2, SOQ_URGENT | SOQ_CORK), 3);
			else if (k == 2)
				expect(soq_send_msg(s, &message, SOQ_URGENT), 3);
			else
				expect(soq_send(s, "ab!", 3, SOQ_URGENT | SOQ_NOWAIT), 3);
			await_urgent(fd);
			expect(recv(fd, in, 4, MSG_OOB), 1);
			expect(in[0], '!');
			expect(raw_recv(t, fd, in, 2), 2);
			assert_memory_equal(in, "ab", 2);
		}
		expect(soq_send(s, "", 0, SOQ_URGENT), 0);
		expect(soq_abort(s), 0);
		close(fd);
	}
}

static void urgent_send_keeps_its_place_and_is_not_gathered(struct fixture *t)
{
	int fd, at_mark = 0; /* valgrind does not know who writes it */
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *first = probe(t), *urgent = probe(t), *last = probe(t);
	char in[16];

	started(first, soq_send_async(s, &first->op, "first", 5, 0));
	started(urgent, soq_send_async(s, &urgent->op, "!", 1, SOQ_URGENT));
	started(last, soq_send_async(s, &last->op, "last", 4, 0));
	await(t, last);
	expect_end(first, 5, 0);
	expect_end(urgent, 1, 0);
	expect_end(last, 4, 0);

	await_urgent(fd);
	expect(recv(fd, in, 1, MSG_OOB), 1);
	expect(in[0], '!');
	expect(raw_recv(t, fd, in, 16), 5);
	assert_memory_equal(in, "first", 5);
	expect(ioctl(fd, SIOCATMARK, &at_mark), 0);
	expect(at_mark, 1);
	expect(raw_recv(t, fd, in, 16), 4);
	assert_memory_equal(in, "last", 4);
	expect(soq_abort(s), 0);
	close(fd);
}

/* Wherever the kernel had to stop in between, only the last byte leaves the stream. */
static void long_urgent_send_marks_its_last_byte_alone(struct fixture *t)
{
	for (unsigned vector = 0; vector < 2; vector++) {
		int fd;
		struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
		struct probe *p = probe(t), *behind = probe(t);
		char *big = malloc(BIG_BYTES), byte;
		struct iovec parts[3] = { { big, 70000 },
					  { big + 70000, BIG_BYTES - 70001 },
					  { big + BIG_BYTES - 1, 1 } };

		fill(big, BIG_BYTES, 1, 0);
		if (vector)
			started(p, soq_sendv_async(s, &p->op, parts, 3, SOQ_URGENT));
		else
			started(p, soq_send_async(s, &p->op, big, BIG_BYTES, SOQ_URGENT));
		started(behind, soq_send_async(s, &behind->op, big, 1, 0));
		raw_take(t, fd, 1, 0, BIG_BYTES - 1);
		await(t, behind);
		expect_end(p, BIG_BYTES, 0);
		await_urgent(fd);
		expect(recv(fd, &byte, 1, MSG_OOB), 1);
		expect(byte, big[BIG_BYTES - 1]);
		raw_take(t, fd, 1, 0, 1);
		expect(soq_abort(s), 0);
		close(fd);
		free(big);
	}
}

static void urgent_bytes_are_refused_where_there_are_none(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_INET);
	struct soq_socket *s = NULL;
	struct probe *p = probe(t);
	char byte;
	int fd, rc;

	expect(soq_send(d.a, "x", 1, SOQ_URGENT), -EINVAL);
	expect(soq_recv(d.a, &byte, 1, SOQ_URGENT), -EINVAL);
	datagrams_close(&d);

	s = open_socket(t, AF_INET);
	expect(soq_recv(s, &byte, 1, SOQ_URGENT), -ENOTCONN);
	expect(soq_send(s, "x", 1, SOQ_URGENT), -ENOTCONN);
	expect(soq_close(s), 0);

	s = pair_raw(t, AF_INET, &fd);
	expect(soq_recv(s, &byte, 1, SOQ_URGENT | SOQ_EXACT), -EINVAL);
	expect(soq_recv(s, &byte, 0, SOQ_URGENT), -EINVAL);
	if (t->home != NULL) {
		expect(soq_send_async(s, &p->op, "x", 1, SOQ_URGENT | SOQ_ZEROCOPY), -EINVAL);
		expect(soq_recv_async(s, &p->op, &byte, 1, SOQ_URGENT | SOQ_EXACT), -EINVAL);
	}
	expect(soq_abort(s), 0);
	close(fd);

	s = NULL;
	rc = soq_socket_open(t->home, AF_INET, SOCK_STREAM, IPPROTO_MPTCP, &s);
	if (rc == 0) {
		expect(soq_send(s, "x", 1, SOQ_URGENT), -EOPNOTSUPP);
		expect(soq_close(s), 0);
	} else {
		/* Switched off, or not built. */
		expect_true(rc == -ENOPROTOOPT || rc == -EPROTONOSUPPORT);
	}
	if (!unix_has_urgent()) {
		s = pair_unix_raw(t, SOCK_STREAM, &fd);
		expect(soq_send(s, "x", 1, SOQ_URGENT), -EOPNOTSUPP);
		expect(soq_abort(s), 0);
		close(fd);
	}
}

/* What the kernel says of a datagram that no gateway may carry to where one would have to. */
static int kernel_says(const struct soq_endpoint *far)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t sent = sendto(fd, "x", 1, MSG_DONTROUTE, &far->addr.any, far->size_bytes);
	int rc = sent < 0 ? -errno : (int)sent;

	close(fd);
	return rc;
}

static void unrouted_datagrams_reach_this_machine_and_no_gateway(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct iovec part = { "x", 1 };
	struct soq_message m[2] = {
		{ .size = sizeof(m[0]), .segments = &part, .segment_count = 1 },
		{ .size = sizeof(m[0]), .segments = &part, .segment_count = 1 },
	};
	struct soq_endpoint far;
	int says;
	char in[4];

	expect(soq_endpoint_parse("198.51.100.1:9", &far), 0);
	says = kernel_says(&far);
	expect(soq_send_to(d.a, "x", 1, SOQ_DONT_ROUTE, &far), says);
	m[0].peer = far;
	expect(soq_send_msg(d.a, &m[0], SOQ_DONT_ROUTE), says);
	expect(soq_send_batch(d.a, m, 1, SOQ_DONT_ROUTE), says);

	m[0].peer = d.at_b;
	m[1].peer = d.at_b;
	expect(soq_send_to(d.a, "y", 1, SOQ_DONT_ROUTE, &d.at_b), 1);
	expect(soq_send_msg(d.a, &m[0], SOQ_DONT_ROUTE), 1);
	expect(soq_send_batch(d.a, m, 2, SOQ_DONT_ROUTE), 2);
	for (unsigned i = 0; i < 4; i++) {
		expect(soq_recv(d.b, in, 4, 0), 1);
		expect(in[0], i ? 'x' : 'y');
	}
	expect(soq_recv(d.b, in, 4, SOQ_DONT_ROUTE), -EINVAL);
	expect(soq_recv_batch(d.b, m, 1, SOQ_DONT_ROUTE), -EINVAL);
	datagrams_close(&d);
}

static void each_of_a_line_goes_its_own_way(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct probe *p[4];
	struct soq_endpoint far;
	char in[4];
	int says;

	expect(soq_endpoint_parse("198.51.100.1:9", &far), 0);
	says = kernel_says(&far);
	for (unsigned i = 0; i < 4; i++) {
		p[i] = probe(t);
		started(p[i], soq_send_to_async(d.a, &p[i]->op, &"0123"[i], 1,
						i == 1 || i == 2 ? SOQ_DONT_ROUTE : 0,
						i == 1 ? &far : &d.at_b));
	}
	await(t, p[3]);
	for (unsigned i = 0; i < 4; i++)
		expect_end(p[i], i == 1 ? says : 1, 0);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 1)
			continue;
		expect(soq_recv(d.b, in, 4, 0), 1);
		expect(in[0], "0123"[i]);
	}
	datagrams_close(&d);
}

static void streams_take_the_flag_in_order(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p[3];
	char in[8];

	for (unsigned i = 0; i < 3; i++) {
		p[i] = probe(t);
		started(p[i],
			soq_send_async(s, &p[i]->op, &"012"[i], 1, i == 1 ? SOQ_DONT_ROUTE : 0));
	}
	expect(soq_send(s, "3", 1, SOQ_DONT_ROUTE), 1);
	for (unsigned i = 0; i < 3; i++) {
		await(t, p[i]);
		expect_end(p[i], 1, 0);
	}
	expect(recv(fd, in, 4, MSG_WAITALL), 4);
	assert_memory_equal(in, "0123", 4);
	expect(soq_close(s), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	SYNC_CASE(urgent_byte_comes_beside_the_stream, "5a"),
	SYNC_CASE(every_receive_can_ask_for_it, "5a"),
	CASE(urgent_receive_waits_behind_nothing, "1b 12a"),
	SYNC_CASE(cause_of_the_lane_is_not_told_to_it, "6d"),
	SYNC_CASE(byte_that_stays_in_line_is_not_asked_for, "5a"),
	SYNC_CASE(last_byte_of_an_urgent_send_is_urgent, "9a"),
	CASE(urgent_send_keeps_its_place_and_is_not_gathered, "9a"),
	CASE(long_urgent_send_marks_its_last_byte_alone, "9a 9c"),
	SYNC_CASE(urgent_bytes_are_refused_where_there_are_none, "1a 5a"),
	SYNC_CASE(unrouted_datagrams_reach_this_machine_and_no_gateway, "5a"),
	CASE(each_of_a_line_goes_its_own_way, "9e"),
	CASE(streams_take_the_flag_in_order, "9a"),
};

CONF_GROUP(urgent, cases)
