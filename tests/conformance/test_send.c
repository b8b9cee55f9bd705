/* SPDX-License-Identifier: MIT */
/* Sending: all of it, gathered, nothing, cut short, and behind a shutdown. */
#define _GNU_SOURCE
#include "support.h"

/* A buffer with the bytes of stream 1, from 0 on. */
static char *big_buffer(void)
{
	char *big = malloc(BIG_BYTES);

	assert_non_null(big);
	fill(big, BIG_BYTES, 1, 0);
	return big;
}

static void send_completes_when_all_of_it_is_sent(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char *big = big_buffer();

	started(p, soq_send_async(s, &p->op, big, BIG_BYTES, 0));
	settle(t);
	expect(p->events, 0);
	raw_take(t, fd, 1, 0, BIG_BYTES / 2);
	expect(p->events, 0);
	raw_take(t, fd, 1, BIG_BYTES / 2, BIG_BYTES / 2);
	await(t, p);

	expect_end(p, BIG_BYTES, 0);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void send_returns_when_the_peer_took_enough(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *p = probe(t);
	char *big = big_buffer(), *in = malloc(BIG_BYTES);

	pair_soq(t, AF_INET6, &a, &b);
	started(p, soq_recv_async(b, &p->op, in, BIG_BYTES, SOQ_EXACT));
	expect(soq_send(a, big, BIG_BYTES, 0), BIG_BYTES);
	await(t, p);

	expect_end(p, BIG_BYTES, 0);
	expect_true(is_filled(in, BIG_BYTES, 1, 0));
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	free(big);
	free(in);
}

static void send_of_nothing_ends_with_zero(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t), *none = probe(t);
	struct iovec empty[2] = { { NULL, 0 }, { NULL, 0 } };
	uint64_t bytes;

	started(p, soq_send_async(s, &p->op, "x", 0, 0));
	started(none, soq_sendv_async(s, &none->op, empty, 2, 0));
	await(t, p);
	await(t, none);
	expect(soq_send(s, NULL, 0, 0), 0);

	expect_end(p, 0, 0);
	expect_end(none, 0, 0);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_drain(t, fd, 0, &bytes), 0);
	expect(bytes, 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void segments_are_sent_as_one(struct fixture *t)
{
	enum { SEGMENTS = 3000, EACH = 7 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct iovec *segments = calloc(SEGMENTS, sizeof(*segments));
	char *bytes = malloc(SEGMENTS * EACH);
	struct probe *p = probe(t);
	size_t used = 0;

	fill(bytes, SEGMENTS * EACH, 1, 0);
	for (unsigned i = 0; i < SEGMENTS; i++) {
		size_t n = i % (EACH + 1);

		segments[i] = (struct iovec){ n ? bytes + used : NULL, n };
		used += n;
	}
	started(p, soq_sendv_async(s, &p->op, segments, SEGMENTS, 0));
	await(t, p);
	expect(soq_sendv(s, segments, SEGMENTS, 0), used);

	expect_end(p, used, 0);
	raw_take(t, fd, 1, 0, used);
	raw_take(t, fd, 1, 0, used);
	expect(soq_close(s), 0);
	close(fd);
	free(segments);
	free(bytes);
}

static void segments_that_make_no_sense_are_refused(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	struct iovec bad[2] = { { NULL, 1 }, { "x", 1 } };
	struct iovec huge[2] = { { "x", SSIZE_MAX }, { "y", 1 } };

	expect(soq_sendv_async(s, &p->op, bad, 2, 0), -EINVAL);
	expect(soq_sendv_async(s, &p->op, huge, 2, 0), -EINVAL);
	expect(soq_sendv_async(s, &p->op, bad, 0, 0), -EINVAL);
	expect(soq_sendv_async(s, &p->op, bad, SOQ_SEGMENTS_MAX + 1, 0), -EINVAL);
	expect(soq_sendv_async(s, &p->op, NULL, 1, 0), -EINVAL);
	expect(soq_close(s), 0);
	close(fd);
}

static void canceled_send_tells_what_the_peer_holds(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char *big = big_buffer();
	uint64_t bytes;

	started(p, soq_send_async(s, &p->op, big, BIG_BYTES, 0));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_true(p->result > 0 && p->result < (int64_t)BIG_BYTES);
	expect_end(p, p->result, SOQ_F_CANCELED);

	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_drain(t, fd, 1, &bytes), 0);
	expect(bytes, p->result);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void send_cut_by_its_deadline_tells_its_count(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *first = probe(t), *second = probe(t);
	char *big = big_buffer();
	uint64_t bytes;

	first->op.deadline_ns = now_ns() + 10 * MS;
	started(first, soq_send_async(s, &first->op, big, BIG_BYTES, 0));
	started(second, soq_send_async(s, &second->op, "never", 5, 0));
	await(t, second);
	expect_true(first->result > 0 && first->result < (int64_t)BIG_BYTES);
	expect_end(first, first->result, SOQ_F_TIMED_OUT);
	expect_end(second, -ECANCELED, 0);

	expect(soq_close(s), 0);
	expect(raw_drain(t, fd, 1, &bytes), 0);
	expect(bytes, first->result);
	close(fd);
	free(big);
}

static void queued_send_past_its_deadline_moves_nothing(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *first = probe(t), *second = probe(t), *third = probe(t);
	char *big = big_buffer(), tail[3];

	second->op.deadline_ns = now_ns() + 10 * MS;
	started(first, soq_send_async(s, &first->op, big, BIG_BYTES, 0));
	started(second, soq_send_async(s, &second->op, "never", 5, 0));
	started(third, soq_send_async(s, &third->op, "end", 3, 0));
	await(t, second);
	expect_end(second, -ETIMEDOUT, 0);
	raw_take(t, fd, 1, 0, BIG_BYTES);
	await(t, third);

	expect_end(first, BIG_BYTES, 0);
	expect_end(third, 3, 0);
	expect(raw_recv(t, fd, tail, 3), 3);
	assert_memory_equal(tail, "end", 3);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void shutdown_takes_its_place_behind_the_sends(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t), *ended = probe(t);
	char *big = big_buffer();
	uint64_t bytes;

	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_SEND));
	settle(t);
	expect(ended->events, 0);
	expect(raw_drain(t, fd, 1, &bytes), 0);
	await(t, ended);

	expect(bytes, BIG_BYTES);
	expect_end(sent, BIG_BYTES, 0);
	expect_end(ended, 0, 0);
	expect_true(sent->sequence < ended->sequence);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void send_after_own_shutdown_is_a_broken_pipe(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *ended = probe(t), *sent = probe(t);
	char byte;

	started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_SEND));
	expect(soq_send_async(s, &sent->op, "x", 1, 0), -EPIPE);
	expect(soq_send(s, "x", 1, 0), -EPIPE);
	await(t, ended);
	expect(soq_send(s, "x", 1, 0), -EPIPE);

	raw_send(fd, "y", 1);
	expect(soq_recv(s, &byte, 1, 0), 1);
	raw_fin(fd);
	expect(soq_recv(s, &byte, 1, 0), 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void shutdown_behind_a_short_send_is_canceled(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *sent = probe(t), *ended = probe(t);
	char *big = big_buffer();

	started(sent, soq_send_async(s, &sent->op, big, BIG_BYTES, 0));
	started(ended, soq_shutdown_async(s, &ended->op, SOQ_SHUTDOWN_SEND));
	settle(t);
	expect(soq_cancel(&sent->op), 0);
	await(t, ended);

	expect_end(sent, sent->result, SOQ_F_CANCELED);
	expect_end(ended, -ECANCELED, 0);
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static void corked_sends_arrive_with_what_follows(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *head = probe(t), *body = probe(t);
	char in[8];

	started(head, soq_send_async(s, &head->op, "head", 4, SOQ_CORK));
	await(t, head);
	started(body, soq_send_async(s, &body->op, "body", 4, 0));
	await(t, body);

	expect_end(head, 4, 0);
	expect_end(body, 4, 0);
	expect(raw_recv(t, fd, in, 8), 8);
	assert_memory_equal(in, "headbody", 8);
	expect(soq_close(s), 0);
	close(fd);
}

static void send_after_the_peer_ended_its_side_still_arrives(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[8];

	raw_fin(fd);
	expect(soq_recv(s, in, 8, 0), 0);
	expect(soq_send(s, "late", 4, 0), 4);

	expect(raw_recv(t, fd, in, 8), 4);
	expect(soq_close(s), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(send_completes_when_all_of_it_is_sent, "9c 7c"),
	CASE(send_returns_when_the_peer_took_enough, "9c 20a"),
	CASE(send_of_nothing_ends_with_zero, "8b"),
	CASE(segments_are_sent_as_one, "9a 9c"),
	CASE(segments_that_make_no_sense_are_refused, "1a 8e"),
	CASE(canceled_send_tells_what_the_peer_holds, "6c 10b"),
	CASE(send_cut_by_its_deadline_tells_its_count, "6b 6c 10b 13c"),
	CASE(queued_send_past_its_deadline_moves_nothing, "6b 10a"),
	CASE(shutdown_takes_its_place_behind_the_sends, "11d"),
	CASE(send_after_own_shutdown_is_a_broken_pipe, "7f"),
	CASE(shutdown_behind_a_short_send_is_canceled, "10b"),
	CASE(corked_sends_arrive_with_what_follows, "9a"),
	SYNC_CASE(send_after_the_peer_ended_its_side_still_arrives, "7b"),
};

CONF_GROUP(send, cases)
