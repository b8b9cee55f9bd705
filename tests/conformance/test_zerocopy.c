/* SPDX-License-Identifier: MIT */
/* Zero-copy sends: two events, whole bytes, order, and memory that is not free too early. */
#define _GNU_SOURCE
#include "zerocopy.h"

static void two_events_tell_the_bytes_and_then_the_memory(struct fixture *t)
{
	static const size_t sizes[] = { 0, 1, 20000, 100000, BIG_BYTES };
	char *bytes = filled(BIG_BYTES);

	for (int family = 0; family < 3; family++) {
		int fd;
		struct soq_socket *s = family == 2 ? pair_unix_raw(t, SOCK_STREAM, &fd)
						   : pair_raw(t, family ? AF_INET6 : AF_INET, &fd);

		for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
			struct probe *p = probe(t);

			started(p, soq_send_async(s, &p->op, bytes, sizes[i], SOQ_ZEROCOPY));
			raw_take(t, fd, 1, 0, sizes[i]);
			await(t, p);
			expect_two(p, (int64_t)sizes[i], 0);
		}
		expect(soq_close(s), 0);
		close(fd);
	}
	free(bytes);
}

/* The reader starts when all of it is on its way, and the memory goes as soon as it may. */
static void memory_is_the_senders_until_the_final_event(struct fixture *t)
{
	enum { ALL = 3 * (int)WIDE_BYTES, STEP = 5000 };
	int fd;
	struct soq_socket *s = pair_wide(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char *bytes = filled(ALL);
	int freed = 0;

	started(p, soq_send_async(s, &p->op, bytes, ALL, SOQ_ZEROCOPY));
	settle(t);
	for (size_t at = 0; at < ALL; at += STEP) {
		if (finished(p) && !freed++)
			memset(bytes, 0xee, ALL);
		raw_take(t, fd, 1, at, ALL - at < STEP ? ALL - at : STEP);
		settle(t);
	}
	await(t, p);
	expect_two(p, ALL, 0);
	expect(soq_close(s), 0);
	close(fd);
	free(bytes);
}

static void the_lane_goes_on_at_the_first_event(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_wide(t, AF_INET, &fd);
	struct probe *p = probe(t);
	struct probe *behind = probe(t);
	char *bytes = filled(WIDE_BYTES);

	started(p, soq_send_async(s, &p->op, bytes, WIDE_BYTES, SOQ_ZEROCOPY));
	started(behind, soq_send_async(s, &behind->op, "!", 1, 0));
	await(t, behind);
	expect(more_of(p), 1);
	expect(p->more_result, WIDE_BYTES);
	if (is_outstanding(p))
		expect(soq_send_async(s, &p->op, "x", 1, 0), -EBUSY);
	else
		expect_true(!t->is_uring);
	raw_take(t, fd, 1, 0, WIDE_BYTES);
	await(t, p);

	expect_two(p, WIDE_BYTES, 0);
	expect_end(behind, 1, 0);
	expect(soq_close(s), 0);
	close(fd);
	free(bytes);
}

static void sends_of_both_kinds_arrive_in_start_order(struct fixture *t)
{
	enum { SENDS = 32, EACH = 24000 };
	static const size_t sizes[] = { EACH, 100, 17000, EACH, 1, EACH };
	struct iovec segments[3];
	struct probe *p[SENDS];
	size_t size_of[SENDS];
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET6, &fd);
	char *bytes = filled(SENDS * EACH);
	size_t used = 0;

	for (unsigned i = 0; i < SENDS; i++) {
		size_t size = sizes[i % COUNT_OF(sizes)];
		uint32_t flags = (i % 3 ? SOQ_ZEROCOPY : 0u) | (i % 7 ? 0u : SOQ_CORK) |
				 (i % 5 ? 0u : SOQ_LAZY);

		p[i] = probe(t);
		size_of[i] = size;
		if (i == 9) {
			segments[0] = (struct iovec){ bytes + used, 10 };
			segments[1] = (struct iovec){ bytes + used + 10, 9000 };
			segments[2] = (struct iovec){ bytes + used + 9010, size - 9010 };
			started(p[i], soq_sendv_async(s, &p[i]->op, segments, 3, SOQ_ZEROCOPY));
		} else {
			started(p[i], soq_send_async(s, &p[i]->op, bytes + used, size, flags));
		}
		used += size;
	}
	settle(t);
	raw_take(t, fd, 1, 0, used);
	for (unsigned i = 0; i < SENDS; i++) {
		await(t, p[i]);
		if (i % 3 || i == 9)
			expect_two(p[i], (int64_t)size_of[i], 0);
		else
			expect_end(p[i], size_of[i], 0);
		/* Its first event, or its only one. */
		expect_true(i == 0 || first_of(p[i]) > first_of(p[i - 1]));
	}
	expect(soq_close(s), 0);
	close(fd);
	free(bytes);
}

static void messages_go_without_a_copy_too(struct fixture *t)
{
	enum { SIZE = 40000 };
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
	char *bytes = filled(SIZE), *in = malloc(SIZE);

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct iovec halves[2] = { { bytes, SIZE / 2 },
					   { bytes + SIZE / 2, SIZE - SIZE / 2 } };
		struct soq_message message = { .size = sizeof(message),
					       .segments = halves,
					       .segment_count = 2,
					       .peer = d.at_b };
		struct probe *p[3] = { probe(t), probe(t), probe(t) };

		started(p[0], soq_send_async(d.a, &p[0]->op, bytes, SIZE, SOQ_ZEROCOPY));
		started(p[1],
			soq_send_to_async(d.a, &p[1]->op, bytes, SIZE, SOQ_ZEROCOPY, &d.at_b));
		started(p[2], soq_send_msg_async(d.a, &p[2]->op, &message, SOQ_ZEROCOPY));
		for (unsigned k = 0; k < 3; k++) {
			memset(in, 0, SIZE);
			expect(soq_recv(d.b, in, SIZE, 0), SIZE);
			expect_true(is_filled(in, SIZE, 1, 0));
			await(t, p[k]);
			expect_two(p[k], SIZE, 0);
		}
		datagrams_close(&d);
	}
	free(bytes);
	free(in);
}

static void message_that_cannot_go_without_a_copy_goes_all_the_same(struct fixture *t)
{
	enum { SEGMENTS = 100, EACH = 200, APART = 5000 };
	struct datagrams d = datagrams_connected(t, AF_INET);
	struct iovec segments[SEGMENTS];
	char *bytes = calloc(SEGMENTS, APART), in[SEGMENTS * EACH];
	struct probe *p = probe(t), *too_long = probe(t);

	/* More pieces of pages than a packet holds. */
	for (unsigned i = 0; i < SEGMENTS; i++) {
		segments[i] = (struct iovec){ bytes + (size_t)i * APART, EACH };
		fill(segments[i].iov_base, EACH, 1, (uint64_t)i * EACH);
	}
	started(p, soq_sendv_async(d.a, &p->op, segments, SEGMENTS, SOQ_ZEROCOPY));
	expect(soq_recv(d.b, in, sizeof(in), 0), sizeof(in));
	expect_true(is_filled(in, sizeof(in), 1, 0));
	await(t, p);
	expect_two(p, SEGMENTS * EACH, 0);

	started(too_long, soq_send_async(d.a, &too_long->op, bytes, SEGMENTS * 1000, SOQ_ZEROCOPY));
	await(t, too_long);
	expect_one(too_long, -EMSGSIZE);
	datagrams_close(&d);
	free(bytes);
}

static void both_events_can_be_waited_for(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe_quiet(t);
	char *bytes = filled(50000);
	struct soq_event events[2];

	started(p, soq_send_async(s, &p->op, bytes, 50000, SOQ_ZEROCOPY));
	expect(wait_end(p), 50000);
	expect(p->flags, SOQ_F_MORE);
	expect(p->finals, 0);
	raw_take(t, fd, 1, 0, 50000);
	expect(wait_end(p), 50000);
	expect_end(p, 50000, p->flags & SOQ_F_COPIED);

	started(p, soq_send_async(s, &p->op, bytes, 50000, SOQ_ZEROCOPY));
	raw_take(t, fd, 1, 0, 50000);
	for (int i = 0; i < 2; i++) {
		expect(soq_loop_harvest(t->loop, events, 1, watchdog_ns()), 1);
		record(events);
		expect(p->finals, i + 1);
		expect(events[0].flags & SOQ_F_MORE, i ? 0 : SOQ_F_MORE);
	}
	expect(soq_close(s), 0);
	close(fd);
	free(bytes);
}

static void small_sends_are_copied_and_say_so(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);

	started(p, soq_send_async(s, &p->op, "four", 4, SOQ_ZEROCOPY));
	await(t, p);
	expect_two(p, 4, 0);
	if (strcmp(t->tier, "uring-tiny") == 0) {
		/* There all of them are tried. */
		expect(stats_of(t).zerocopy_sends, 1);
	} else {
		expect(p->flags, SOQ_F_COPIED);
		expect(stats_of(t).zerocopy_sends, 0);
	}
	expect(soq_close(s), 0);
	close(fd);
}

/* Loopback always copies: a socket that is told so goes back to plain sends. */
static void a_socket_whose_bytes_are_copied_stops_asking(struct fixture *t)
{
	enum { SENDS = 20, SIZE = 20000 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char *bytes = filled(SIZE);
	struct soq_loop_info info = { .size = sizeof(info) };
	struct soq_loop_stats stats;

	for (unsigned i = 0; i < SENDS; i++) {
		struct probe *p = probe(t);

		started(p, soq_send_async(s, &p->op, bytes, SIZE, SOQ_ZEROCOPY));
		raw_take(t, fd, 1, 0, SIZE);
		await(t, p);
		expect_two(p, SIZE, 0);
	}
	stats = stats_of(t);
	expect(soq_loop_info(t->loop, &info), 0);
	if (info.features & SOQ_FEATURE_COPY_REPORT) {
		expect(stats.zerocopy_copied, 8);
		expect_true(stats.zerocopy_sends >= 8 && stats.zerocopy_sends < SENDS);
	} else {
		expect(stats.zerocopy_copied, 0);
		expect_true(t->is_uring ? stats.zerocopy_sends >= SENDS
					: stats.zerocopy_sends == 0);
	}
	expect(soq_close(s), 0);
	close(fd);
	free(bytes);
}

static void steady_zerocopy_allocates_nothing(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char *bytes = filled(20000);
	uint64_t allocations = 0;

	for (unsigned i = 0; i < 40; i++) {
		struct probe *p = probe(t);

		started(p, soq_send_async(s, &p->op, bytes, 20000, SOQ_ZEROCOPY));
		raw_take(t, fd, 1, 0, 20000);
		await(t, p);
		if (i == 0)
			allocations = stats_of(t).allocations;
	}
	expect(stats_of(t).allocations, allocations);
	expect(soq_close(s), 0);
	close(fd);
	free(bytes);
}

static void many_may_be_outstanding(struct fixture *t)
{
	enum { SOCKETS = 40 };
	struct soq_socket *s[SOCKETS];
	struct probe *p[SOCKETS];
	int fd[SOCKETS];
	char *bytes = filled(WIDE_BYTES);

	for (unsigned i = 0; i < SOCKETS; i++) {
		s[i] = pair_wide(t, AF_INET, &fd[i]);
		p[i] = probe(t);
		started(p[i], soq_send_async(s[i], &p[i]->op, bytes, WIDE_BYTES, SOQ_ZEROCOPY));
	}
	for (unsigned i = 0; i < SOCKETS; i++)
		run_until(t, more_of(p[i]) == 1);
	for (unsigned i = 0; i < SOCKETS; i++) {
		raw_take(t, fd[SOCKETS - 1 - i], 1, 0, WIDE_BYTES);
		await(t, p[SOCKETS - 1 - i]);
	}
	for (unsigned i = 0; i < SOCKETS; i++) {
		expect_two(p[i], WIDE_BYTES, 0);
		expect(soq_abort(s[i]), 0);
		raw_reset(fd[i]);
	}
	free(bytes);
}

static void only_sends_that_do_not_wait_take_the_flag(struct fixture *t)
{
	struct iovec one = { "x", 1 };
	struct soq_message message = { .size = sizeof(message),
				       .segments = &one,
				       .segment_count = 1 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd), *fresh = open_socket(t, AF_INET);
	char in;

	expect(soq_send(fresh, "x", 1, 0), -ENOTCONN);
	expect(soq_send(fresh, "x", 1, SOQ_ZEROCOPY), -EINVAL);
	expect(soq_close(fresh), 0);
	expect(soq_send(s, "x", 1, SOQ_ZEROCOPY), -EINVAL);
	expect(soq_sendv(s, &one, 1, SOQ_ZEROCOPY), -EINVAL);
	expect(soq_send_msg(s, &message, SOQ_ZEROCOPY), -EINVAL);
	expect(soq_recv(s, &in, 1, SOQ_ZEROCOPY), -EINVAL);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(soq_close(s), 0);
	close(fd);
}

static const struct conf_case cases[] = {
	CASE(two_events_tell_the_bytes_and_then_the_memory, "1b 1c"),
	CASE(memory_is_the_senders_until_the_final_event, "4d"),
	CASE(the_lane_goes_on_at_the_first_event, "9a 4b"),
	CASE(sends_of_both_kinds_arrive_in_start_order, "9a"),
	CASE(messages_go_without_a_copy_too, "1b 1c"),
	CASE(message_that_cannot_go_without_a_copy_goes_all_the_same, "1b"),
	CASE(both_events_can_be_waited_for, "1c"),
	CASE(small_sends_are_copied_and_say_so, ""),
	CASE(a_socket_whose_bytes_are_copied_stops_asking, ""),
	CASE(steady_zerocopy_allocates_nothing, "19a"),
	CASE(many_may_be_outstanding, "1b"),
	SYNC_CASE(only_sends_that_do_not_wait_take_the_flag, ""),
};

CONF_GROUP(zerocopy, cases)
