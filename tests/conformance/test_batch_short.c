/* SPDX-License-Identifier: MIT */
/* Batches that wait for room, end short, or meet an error. */
#define _GNU_SOURCE
#include "batch_kit.h"

/* A full unix receiver with room made for three: of a batch of six, three wait. */
struct full {
	struct datagrams d;
	struct batch *out;
	struct probe *p, *behind;
	unsigned fillers;
};

static struct full *full_fill(struct fixture *t, int addressed)
{
	struct full *f = calloc(1, sizeof(*f));
	char byte;

	assert_non_null(f);
	f->d = datagrams_bound(t, AF_UNIX);
	f->out = batch_out(0);

	if (!addressed)
		expect(soq_connect(f->d.a, &f->d.at_b), 0);
	for (unsigned i = 0; i < MANY && addressed; i++)
		f->out->messages[i].peer = f->d.at_b;
	expect(soq_socket_set_timeouts(f->d.a, FOREVER, 0), 0);
	while (soq_send_to(f->d.a, "f", 1, 0, &f->d.at_b) == 1)
		f->fillers++;
	expect(soq_socket_set_timeouts(f->d.a, FOREVER, FOREVER), 0);
	for (unsigned i = 0; i < 3; i++, f->fillers--)
		expect(soq_recv(f->d.b, &byte, 1, 0), 1);
	return f;
}

static struct full *full_open(struct fixture *t, int addressed, int64_t deadline_ns)
{
	struct full *f = full_fill(t, addressed);

	f->p = probe(t);
	f->behind = probe(t);
	f->p->op.deadline_ns = deadline_ns;
	started(f->p, soq_send_batch_async(f->d.a, &f->p->op, f->out->messages, 6, 0));
	started(f->behind, soq_send_to_async(f->d.a, &f->behind->op, "behind", 6, 0, &f->d.at_b));
	settle(t);
	expect(f->behind->events, 0);
	return f;
}

/* What has arrived: the fillers, and the first `count` of the batch. */
static void full_take(struct full *f, unsigned count)
{
	char byte;

	for (; f->fillers > 0; f->fillers--)
		expect(soq_recv(f->d.b, &byte, 1, 0), 1);
	take(f->d.b, 0, count);
}

/* What is behind a batch that ends short is sent all the same. */
static void full_close(struct fixture *t, struct full *f)
{
	char in[8];

	expect(soq_recv(f->d.b, in, sizeof(in), 0), 6);
	assert_memory_equal(in, "behind", 6);
	expect_nothing_more(f->d.b);
	await(t, f->behind);
	expect_end(f->behind, 6, 0);
	datagrams_close(&f->d);
	free(f->out);
	free(f);
}

static void batch_goes_on_when_there_is_room(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed, 0);
		uint64_t turns = stats_of(t).turns;

		expect(soq_sleep(t->loop, 20 * MS), 0);
		/* It waits; it does not spin. */
		expect_true(stats_of(t).turns - turns < 60);
		expect(f->p->events, 0);
		full_take(f, 6);
		await(t, f->p);
		expect_end(f->p, 6, 0);
		full_close(t, f);
	}
}

static void canceled_batch_tells_how_many_went(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed, 0);

		expect(soq_cancel(&f->p->op), 0);
		await(t, f->p);
		expect_end(f->p, 3, SOQ_F_CANCELED);
		full_take(f, 3);
		full_close(t, f);
	}
}

static void batch_past_its_deadline_tells_how_many_went(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed, now_ns() + 30 * MS);

		await(t, f->p);
		expect_end(f->p, 3, SOQ_F_TIMED_OUT);
		full_take(f, 3);
		full_close(t, f);
	}
}

static void closed_batch_tells_how_many_went(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_open(t, addressed, 0);

		expect(soq_close(f->d.a), 0);
		await(t, f->behind);
		expect_end(f->p, 3, SOQ_F_CANCELED);
		expect_end(f->behind, -ECANCELED, 0);
		full_take(f, 3);
		expect_nothing_more(f->d.b);
		expect(soq_close(f->d.b), 0);
		free(f->out);
		free(f);
	}
}

static void sync_batch_tells_the_count_and_then_the_cause(struct fixture *t)
{
	for (int addressed = 0; addressed < 2; addressed++) {
		struct full *f = full_fill(t, addressed);

		expect(soq_socket_set_timeouts(f->d.a, FOREVER, 5 * MS), 0);
		expect(soq_send_batch(f->d.a, f->out->messages, 6, 0), 3);
		expect(soq_send_batch(f->d.a, &f->out->messages[3], 3, 0), -ETIMEDOUT);
		expect(soq_send_batch(f->d.a, &f->out->messages[3], 3, 0), -ETIMEDOUT);
		full_take(f, 3);
		expect(soq_send_batch(f->d.a, &f->out->messages[3], 3, 0), 3);
		take(f->d.b, 3, 3);
		datagrams_close(&f->d);
		free(f->out);
		free(f);
	}
}

static void sync_receive_waits_no_longer_than_its_timeout(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct batch *in = batch_new();
		int64_t begin = now_ns();

		expect(soq_socket_set_timeouts(d.b, 5 * MS, FOREVER), 0);
		expect(soq_recv_batch(d.b, in->messages, MANY, 0), -ETIMEDOUT);
		expect_true(now_ns() - begin >= 5 * MS);
		expect(soq_send(d.a, "came", 4, 0), 4);
		expect(soq_recv_batch(d.b, in->messages, MANY, 0), 1);
		expect(in->messages[0].length_bytes, 4);
		free(in);
		datagrams_close(&d);
	}
}

/* Of eight messages the sixth is longer than a datagram can be. */
static struct batch *batch_with_one_too_long(void)
{
	static char huge[70000];
	struct batch *b = batch_out(0);

	b->parts[5] = (struct iovec){ huge, sizeof(huge) };
	return b;
}

static void error_in_the_middle_comes_after_the_count(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct batch *out = batch_with_one_too_long();
		struct probe *p = probe(t), *again = probe(t), *behind = probe(t);

		started(p, soq_send_batch_async(d.a, &p->op, out->messages, 8, 0));
		started(behind, soq_send_async(d.a, &behind->op, out->bytes[6], size_of(6), 0));
		await(t, behind);
		expect_end(p, 5, SOQ_F_BROKEN);
		expect_end(behind, size_of(6), 0);
		started(again, soq_send_batch_async(d.a, &again->op, &out->messages[5], 3, 0));
		await(t, again);
		expect_end(again, -EMSGSIZE, 0);
		take(d.b, 0, 5);
		take(d.b, 6, 1);
		expect_nothing_more(d.b);
		free(out);
		datagrams_close(&d);
	}
}

static void sync_error_in_the_middle_comes_with_the_next_call(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct batch *out = batch_with_one_too_long();

		expect(soq_send_batch(d.a, out->messages, 8, 0), 5);
		expect(soq_send_batch(d.a, &out->messages[6], 2, 0), -EMSGSIZE);
		expect(soq_send_batch(d.a, &out->messages[6], 2, 0), 2);
		take(d.b, 0, 5);
		take(d.b, 6, 2);
		free(out);
		datagrams_close(&d);
	}
}

/* Nobody listens there: each datagram is taken, and its refusal told by a later call. */
static void refusal_is_told_by_a_later_call(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct batch *out = batch_out(0), *in = batch_new();

		expect(soq_close(d.b), 0);
		expect(soq_send_batch(d.a, out->messages, 4, 0), 4);
		expect(soq_recv_batch(d.a, in->messages, 4, 0), -ECONNREFUSED);
		expect(soq_send(d.a, "x", 1, 0), 1);
		expect(soq_send_batch(d.a, out->messages, 4, 0), -ECONNREFUSED);
		expect(soq_close(d.a), 0);
		free(out);
		free(in);
	}
}

static void refusal_ends_a_batch_that_waits(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct batch *in = batch_new();
		struct probe *p = probe(t);

		expect(soq_close(d.b), 0);
		started(p, soq_recv_batch_async(d.a, &p->op, in->messages, 4, 0));
		settle(t);
		expect(soq_send(d.a, "x", 1, 0), 1);
		await(t, p);
		expect_end(p, -ECONNREFUSED, 0);
		expect(soq_close(d.a), 0);
		free(in);
	}
}

/* A shutdown that is next in the lane is no matter of room, whenever the batch goes. */
static void shutdown_does_not_wait_for_room(struct fixture *t)
{
	for (unsigned turns = 0; turns < 4; turns++) {
		struct full *f = full_fill(t, 0);
		struct probe *p = probe(t), *ended = probe(t);

		started(p, soq_send_batch_async(f->d.a, &p->op, f->out->messages, 6, 0));
		started(ended, soq_shutdown_async(f->d.a, &ended->op, SOQ_SHUTDOWN_SEND));
		for (unsigned i = 0; i < turns; i++)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		expect(soq_cancel(&p->op), 0);
		await(t, ended);
		expect_end(p, turns ? 3 : -ECANCELED, turns ? SOQ_F_CANCELED : 0);
		expect_end(ended, 0, 0);
		datagrams_close(&f->d);
		free(f->out);
		free(f);
	}
}

static const struct conf_case cases[] = {
	CASE(batch_goes_on_when_there_is_room, "9e"),
	CASE(canceled_batch_tells_how_many_went, "6c 10a"),
	CASE(batch_past_its_deadline_tells_how_many_went, "6c"),
	CASE(closed_batch_tells_how_many_went, "6c 13a"),
	SYNC_CASE(sync_batch_tells_the_count_and_then_the_cause, "6d 20a"),
	SYNC_CASE(sync_receive_waits_no_longer_than_its_timeout, "20a"),
	CASE(error_in_the_middle_comes_after_the_count, "6c 10a"),
	SYNC_CASE(sync_error_in_the_middle_comes_with_the_next_call, "6d"),
	SYNC_CASE(refusal_is_told_by_a_later_call, "5a"),
	CASE(refusal_ends_a_batch_that_waits, "5a"),
	CASE(shutdown_does_not_wait_for_room, "11d"),
};

CONF_GROUP(batch_short, cases)
