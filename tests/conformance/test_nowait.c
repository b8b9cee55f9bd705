/* SPDX-License-Identifier: MIT */
/* Synchronous calls that do not wait: what can be done now, or that nothing can. */
#define _GNU_SOURCE
#include "support.h"

static void receive_takes_what_is_there_now(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		int fd;
		struct soq_socket *s = i ? pair_unix_raw(t, SOCK_STREAM, &fd)
					 : pair_raw(t, AF_INET, &fd);
		char in[8];
		struct iovec room[2] = { { in, 1 }, { in + 1, 7 } };

		expect(soq_socket_set_timeouts(s, HOUR, HOUR), 0);
		expect(soq_recv(s, in, 8, SOQ_NOWAIT), -EAGAIN);
		expect(soq_recvv(s, room, 2, SOQ_NOWAIT), -EAGAIN);
		raw_send(fd, "abcd", 4);
		expect(soq_recv(s, in, 2, SOQ_NOWAIT | SOQ_PEEK), 2);
		expect(soq_recv(s, in, 2, SOQ_NOWAIT), 2);
		assert_memory_equal(in, "ab", 2);
		expect(soq_recvv(s, room, 2, SOQ_NOWAIT), 2);
		assert_memory_equal(in, "cd", 2);
		expect(soq_recv(s, in, 8, SOQ_NOWAIT), -EAGAIN);
		raw_fin(fd);
		expect(soq_poll(s, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
		expect(soq_recv(s, in, 8, SOQ_NOWAIT), 0);
		expect(soq_close(s), 0);
		close(fd);
	}
}

static void exact_receive_returns_what_there_was(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[10];

	raw_send(fd, "four", 4);
	expect(soq_recv(s, in, 10, SOQ_EXACT | SOQ_NOWAIT), 4);
	assert_memory_equal(in, "four", 4);
	/* It was not cut short: the next is told nothing. */
	expect(soq_recv(s, in, 10, SOQ_EXACT | SOQ_NOWAIT), -EAGAIN);
	raw_send(fd, "0123456789", 10);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 10);
	assert_memory_equal(in, "0123456789", 10);
	expect(soq_close(s), 0);
	close(fd);
}

static void send_returns_what_went_and_spoils_nothing(struct fixture *t)
{
	for (unsigned vector = 0; vector < 2; vector++) {
		int fd;
		struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
		char *big = malloc(BIG_BYTES + 100);
		size_t sent = 0;
		int64_t rc;

		fill(big, BIG_BYTES + 100, 1, 0);
		expect(soq_socket_set_timeouts(s, HOUR, HOUR), 0);
		do {
			struct iovec rest[2] = { { big + sent, 5 },
						 { big + sent + 5, BIG_BYTES - sent - 5 } };

			rc = vector ? soq_sendv(s, rest, 2, SOQ_NOWAIT)
				    : soq_send(s, big + sent, BIG_BYTES - sent, SOQ_NOWAIT);
			expect_true(rc > 0 ? rc < (int64_t)(BIG_BYTES - sent) : rc == -EAGAIN);
			sent += rc > 0 ? (size_t)rc : 0u;
		} while (rc > 0);
		expect_true(sent > 0);
		expect(soq_send(s, big + sent, 1, SOQ_NOWAIT), -EAGAIN);

		raw_take(t, fd, 1, 0, sent);
		expect(soq_poll(s, SOQ_POLL_SEND, FOREVER), SOQ_POLL_SEND);
		expect(soq_send(s, big + sent, 60, SOQ_NOWAIT), 60);
		expect(soq_send(s, big + sent + 60, 40, 0), 40);
		raw_take(t, fd, 1, sent, 100);
		expect(soq_close(s), 0);
		close(fd);
		free(big);
	}
}

static void cause_of_a_call_that_waited_still_comes(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[10];

	expect(soq_socket_set_timeouts(s, 3 * MS, FOREVER), 0);
	raw_send(fd, "four", 4);
	expect(soq_recv(s, in, 10, SOQ_EXACT), 4);
	expect(soq_recv(s, in, 10, SOQ_NOWAIT), -ETIMEDOUT);
	expect(soq_recv(s, in, 10, SOQ_NOWAIT), -EAGAIN);
	expect(soq_recv(s, in, 10, 0), -ETIMEDOUT);
	raw_reset(fd);
	expect_true(soq_poll(s, SOQ_POLL_RECV, FOREVER) > 0);
	expect(soq_recv(s, in, 10, SOQ_NOWAIT), -ECONNRESET);
	expect(soq_send(s, "x", 1, SOQ_NOWAIT), -ECONNRESET);
	expect(soq_close(s), 0);
}

static void messages_are_taken_and_sent_now(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_UNIX };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint from;
		char in[4] = "";
		struct iovec part = { in, 4 };
		struct soq_message m = { .size = sizeof(m), .segments = &part, .segment_count = 1 };

		expect(soq_recv_from(d.b, in, 4, SOQ_NOWAIT, &from), -EAGAIN);
		expect(soq_recv_msg(d.b, &m, SOQ_NOWAIT), -EAGAIN);
		expect(soq_recv_batch(d.b, &m, 1, SOQ_NOWAIT), -EAGAIN);
		expect(soq_send_to(d.a, "one", 3, SOQ_NOWAIT, &d.at_b), 3);
		expect(soq_recv_from(d.b, in, 4, SOQ_NOWAIT, &from), 3);
		m.peer = d.at_b;
		expect(soq_send_msg(d.a, &m, SOQ_NOWAIT), 4);
		expect(soq_recv_msg(d.b, &m, SOQ_NOWAIT), 4);
		m.peer = d.at_b;
		expect(soq_send_batch(d.a, &m, 1, SOQ_NOWAIT), 1);
		expect(soq_recv_batch(d.b, &m, 1, SOQ_NOWAIT), 1);
		expect(soq_recv(d.b, in, 4, SOQ_NOWAIT), -EAGAIN);
		/* A unix receiver that is full: nobody makes room meanwhile. */
		if (families[i] == AF_UNIX) {
			int64_t rc = 0;

			for (unsigned k = 0; k < 100000 && rc >= 0; k++)
				rc = soq_send_to(d.a, in, 4, SOQ_NOWAIT, &d.at_b);
			expect(rc, -EAGAIN);
			expect(soq_recv(d.b, in, 4, SOQ_NOWAIT), 4);
			expect(soq_send_to(d.a, in, 4, SOQ_NOWAIT, &d.at_b), 4);
		}
		datagrams_close(&d);
	}
}

static void nothing_can_be_done_behind_one_that_waits(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *received = probe(t), *sent = probe(t);
	char *big = malloc(BIG_BYTES), in[4], other[4];

	fill(big, BIG_BYTES, 1, 0);
	started(received, soq_recv_async(s, &received->op, in, 4, SOQ_EXACT));
	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	expect(soq_recv(s, other, 4, SOQ_NOWAIT), -EAGAIN);
	expect(soq_send(s, "x", 1, SOQ_NOWAIT), -EAGAIN);
	expect(received->events + sent->events, 0);
	raw_send(fd, "01234567", 8);
	expect(soq_recv(s, other, 4, SOQ_EXACT), 4);
	expect(soq_recv(s, other, 4, SOQ_NOWAIT), -EAGAIN);
	raw_take(t, fd, 1, 0, BIG_BYTES);
	await(t, sent);
	await(t, received);

	expect_end(sent, BIG_BYTES, 0);
	expect_end(received, 4, 0);
	assert_memory_equal(in, "0123", 4);
	assert_memory_equal(other, "4567", 4);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void all_that_can_be_done_now_is_done(struct fixture *t)
{
	enum { SEGMENTS = 500 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p[3];
	struct iovec segments[SEGMENTS];
	char in[10], bytes[SEGMENTS];

	/* One request after another, and ops before it that can end. */
	raw_send(fd, "0123456789", 10);
	for (unsigned i = 0; i < 3; i++) {
		p[i] = probe(t);
		started(p[i], soq_recv_async(s, &p[i]->op, in + i, 1, 0));
	}
	expect(soq_recv(s, in + 3, 7, SOQ_EXACT | SOQ_NOWAIT), 7);
	for (unsigned i = 0; i < 3; i++) {
		await(t, p[i]);
		expect_end(p[i], 1, 0);
	}
	assert_memory_equal(in, "0123456789", 10);

	fill(bytes, SEGMENTS, 2, 0);
	for (unsigned i = 0; i < SEGMENTS; i++)
		segments[i] = (struct iovec){ bytes + i, 1 };
	expect(soq_sendv(s, segments, SEGMENTS, SOQ_NOWAIT), SEGMENTS);
	raw_take(t, fd, 2, 0, SEGMENTS);
	expect(soq_close(s), 0);
	close(fd);
}

static void asynchronous_calls_refuse_it(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[4];
	struct iovec part = { in, 4 };
	struct soq_message m = { .size = sizeof(m), .segments = &part, .segment_count = 1 };
	struct soq_endpoint from;

	expect(soq_send_async(s, &p->op, "x", 1, SOQ_NOWAIT), -EINVAL);
	expect(soq_sendv_async(s, &p->op, &part, 1, SOQ_NOWAIT), -EINVAL);
	expect(soq_recv_async(s, &p->op, in, 4, SOQ_NOWAIT), -EINVAL);
	expect(soq_recvv_async(s, &p->op, &part, 1, SOQ_NOWAIT), -EINVAL);
	expect(soq_send_to_async(d.a, &p->op, "x", 1, SOQ_NOWAIT, &d.at_b), -EINVAL);
	expect(soq_recv_from_async(d.a, &p->op, in, 4, SOQ_NOWAIT, &from), -EINVAL);
	expect(soq_send_msg_async(s, &p->op, &m, SOQ_NOWAIT), -EINVAL);
	expect(soq_recv_msg_async(s, &p->op, &m, SOQ_NOWAIT), -EINVAL);
	expect(soq_send_batch_async(d.a, &p->op, &m, 1, SOQ_NOWAIT), -EINVAL);
	expect(soq_recv_batch_async(d.a, &p->op, &m, 1, SOQ_NOWAIT), -EINVAL);
	expect(soq_poll_async(s, &p->op, SOQ_POLL_RECV, SOQ_NOWAIT), -EINVAL);
	datagrams_close(&d);
	expect(soq_close(s), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	SYNC_CASE(receive_takes_what_is_there_now, "20a 3c"),
	SYNC_CASE(exact_receive_returns_what_there_was, "20a"),
	SYNC_CASE(send_returns_what_went_and_spoils_nothing, "20a"),
	SYNC_CASE(cause_of_a_call_that_waited_still_comes, "6d"),
	SYNC_CASE(messages_are_taken_and_sent_now, "20a"),
	CASE(nothing_can_be_done_behind_one_that_waits, "20b 10a"),
	CASE(all_that_can_be_done_now_is_done, "20a 20b"),
	CASE(asynchronous_calls_refuse_it, "1a"),
};

CONF_GROUP(nowait, cases)
