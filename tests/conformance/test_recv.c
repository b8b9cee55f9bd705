/* SPDX-License-Identifier: MIT */
/* Receiving: what is there, exactly so much, a look, scattered, cut short. */
#define _GNU_SOURCE
#include "support.h"

#include <sys/mman.h>

static void recv_gives_what_is_there(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[16];

	started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
	settle(t);
	expect(p->events, 0);
	raw_send(fd, "hello", 5);
	await(t, p);

	expect_end(p, 5, 0);
	assert_memory_equal(in, "hello", 5);
	assert_null(p->socket);
	expect(soq_close(s), 0);
	close(fd);
}

static void recv_peer_shutdown_completes_with_zero(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET6, &fd);
	struct probe *p = probe(t);
	char in[16];

	started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
	settle(t);
	raw_fin(fd);
	await(t, p);
	expect_end(p, 0, 0);

	started(p, soq_recv_async(s, &p->op, in, sizeof(in), SOQ_EXACT));
	await(t, p);
	expect_end(p, 0, 0);
	expect(soq_recv(s, in, sizeof(in), 0), 0);
	expect(soq_recv(s, in, sizeof(in), SOQ_PEEK), 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void exact_recv_waits_for_all_of_it(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[100], out[100];

	fill(out, 100, 3, 0);
	started(p, soq_recv_async(s, &p->op, in, sizeof(in), SOQ_EXACT));
	for (int i = 0; i < 10; i++) {
		settle(t);
		expect(p->events, 0);
		raw_send(fd, out + 10 * i, 10);
	}
	await(t, p);

	expect_end(p, 100, 0);
	expect_true(is_filled(in, 100, 3, 0));
	expect(soq_close(s), 0);
	close(fd);
}

static void exact_recv_that_meets_the_end_is_short_then_zero(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t), *next = probe(t);
	char in[10];

	started(p, soq_recv_async(s, &p->op, in, 10, SOQ_EXACT));
	started(next, soq_recv_async(s, &next->op, in, 10, SOQ_EXACT));
	raw_send(fd, "four", 4);
	settle(t);
	raw_fin(fd);
	await(t, next);

	expect_end(p, 4, 0);
	expect_end(next, 0, 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void recv_of_no_bytes_is_refused(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct iovec empty[2] = { { NULL, 0 }, { NULL, 0 } };
	struct probe *p = probe(t);
	char byte;

	expect(soq_recv_async(s, &p->op, &byte, 0, 0), -EINVAL);
	expect(soq_recvv_async(s, &p->op, empty, 2, 0), -EINVAL);
	expect(soq_recv(s, &byte, 0, 0), -EINVAL);
	expect(soq_recvv(s, empty, 2, 0), -EINVAL);
	expect(soq_recv_async(s, &p->op, &byte, 1, SOQ_EXACT | SOQ_PEEK), -EINVAL);
	expect(soq_close(s), 0);
	close(fd);
}

static void peek_leaves_the_bytes(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[8];

	started(p, soq_recv_async(s, &p->op, in, 3, SOQ_PEEK));
	settle(t);
	raw_send(fd, "abcd", 4);
	await(t, p);
	expect_end(p, 3, 0);
	assert_memory_equal(in, "abc", 3);

	expect(soq_recv(s, in, 8, SOQ_PEEK), 4);
	expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
	assert_memory_equal(in, "abcd", 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void recv_scatters_over_segments(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char a[3], b[5], c[8];
	struct iovec segments[4] = { { a, 3 }, { NULL, 0 }, { b, 5 }, { c, 8 } };

	started(p, soq_recvv_async(s, &p->op, segments, 4, SOQ_EXACT));
	raw_send(fd, "abcd", 4);
	settle(t);
	expect(p->events, 0);
	raw_send(fd, "efghijklmnop", 12);
	await(t, p);

	expect_end(p, 16, 0);
	assert_memory_equal(a, "abc", 3);
	assert_memory_equal(b, "defgh", 5);
	assert_memory_equal(c, "ijklmnop", 8);
	raw_send(fd, "wxyz", 4);
	expect(soq_recvv(s, segments, 4, 0), 4);
	assert_memory_equal(b, "z", 1);
	expect(soq_close(s), 0);
	close(fd);
}

static void recv_takes_more_than_2_gib_of_room(struct fixture *t)
{
	/* The room is marked as the library's under a sanitizer: that takes memory. */
	size_t room = env_number("SOQ_TEST_ROOM", (size_t)3 << 30);
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char *in = mmap(NULL, room, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct probe *p = probe(t);

	assert_ptr_not_equal(in, MAP_FAILED);
	started(p, soq_recv_async(s, &p->op, in, room, SOQ_EXACT));
	raw_send(fd, "hello", 5);
	settle(t);
	raw_fin(fd);
	await(t, p);

	expect_end(p, 5, 0);
	assert_memory_equal(in, "hello", 5);
	expect(soq_recv(s, in, room, 0), 0);
	expect(soq_close(s), 0);
	close(fd);
	munmap(in, room);
}

static void canceled_recv_loses_no_byte(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[8];

	started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);

	raw_send(fd, "kept", 4);
	expect(soq_recv(s, in, sizeof(in), 0), 4);
	assert_memory_equal(in, "kept", 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void recv_canceled_before_its_turn_never_touches_the_socket(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[8];

	raw_send(fd, "kept", 4);
	started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
	expect(soq_cancel(&p->op), 0);
	await(t, p);

	expect_end(p, -ECANCELED, 0);
	expect(soq_recv(s, in, sizeof(in), 0), 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void recv_canceled_when_bytes_arrived_keeps_them_somewhere(struct fixture *t)
{
	for (int i = 0; i < 50; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *p = probe(t);
		char in[8];

		started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
		settle(t);
		raw_send(fd, "kept", 4);
		expect(soq_cancel(&p->op), 0);
		await(t, p);

		if (p->result == -ECANCELED)
			expect(soq_recv(s, in, sizeof(in), 0), 4);
		else
			expect_end(p, 4, 0);
		assert_memory_equal(in, "kept", 4);
		expect(soq_close(s), 0);
		close(fd);
	}
}

static void canceled_exact_recv_gives_what_it_took(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[10];

	started(p, soq_recv_async(s, &p->op, in, 10, SOQ_EXACT));
	raw_send(fd, "four", 4);
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);

	expect_end(p, 4, SOQ_F_CANCELED);
	assert_memory_equal(in, "four", 4);
	raw_send(fd, "more", 4);
	expect(soq_recv(s, in, 10, 0), 4);
	assert_memory_equal(in, "more", 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void recv_ends_at_its_deadline(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *idle = probe(t), *exact = probe(t);
	char in[10];

	idle->op.deadline_ns = now_ns() + 2 * MS;
	started(idle, soq_recv_async(s, &idle->op, in, 10, 0));
	await(t, idle);
	expect_end(idle, -ETIMEDOUT, 0);

	raw_send(fd, "four", 4);
	exact->op.deadline_ns = now_ns() + 10 * MS;
	started(exact, soq_recv_async(s, &exact->op, in, 10, SOQ_EXACT));
	await(t, exact);
	expect_end(exact, 4, SOQ_F_TIMED_OUT);
	expect(exact->op.deadline_ns, 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void shutdown_of_receiving_ends_it_at_once(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t), *ended = probe(t);
	char in[10];

	started(p, soq_recv_async(s, &p->op, in, 10, 0));
	settle(t);
	started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_RECV));
	await(t, ended);
	await(t, p);

	expect_end(ended, 0, 0);
	expect_end(p, 0, 0);
	expect(soq_recv(s, in, 10, 0), 0);
	expect(soq_send(s, "still", 5, 0), 5);
	expect(raw_recv(t, fd, in, 10), 5);
	expect(soq_close(s), 0);
	close(fd);
}

static char resubmit_byte;

static void recv_again(struct probe *p, const struct soq_event *event)
{
	if (event->result == 1)
		again(p, soq_recv_async(p->arg, &p->op, &resubmit_byte, 1, 0));
}

static void done_may_receive_again(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char bytes[200];

	p->then = recv_again;
	p->arg = s;
	started(p, soq_recv_async(s, &p->op, &resubmit_byte, 1, 0));
	raw_send(fd, memset(bytes, 'b', sizeof(bytes)), sizeof(bytes));
	raw_fin(fd);
	await(t, p);

	expect(p->finals, sizeof(bytes) + 1);
	expect_end(p, 0, 0);
	expect(p->start_error, 0);
	expect(soq_close(s), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(recv_gives_what_is_there, "1b"),
	CASE(recv_peer_shutdown_completes_with_zero, "5b 7b"),
	CASE(exact_recv_waits_for_all_of_it, "7c"),
	CASE(exact_recv_that_meets_the_end_is_short_then_zero, "7c 5b"),
	CASE(recv_of_no_bytes_is_refused, "8a"),
	CASE(peek_leaves_the_bytes, ""),
	CASE(recv_scatters_over_segments, "7c"),
	CASE(recv_takes_more_than_2_gib_of_room, "8e"),
	CASE(canceled_recv_loses_no_byte, "6a 14a"),
	CASE(recv_canceled_before_its_turn_never_touches_the_socket, "6a 14a"),
	CASE(recv_canceled_when_bytes_arrived_keeps_them_somewhere, "14a"),
	CASE(canceled_exact_recv_gives_what_it_took, "6c 14a"),
	CASE(recv_ends_at_its_deadline, "6b 6c"),
	CASE(shutdown_of_receiving_ends_it_at_once, "7b"),
	CASE(done_may_receive_again, "4a"),
};

CONF_GROUP(recv, cases)
