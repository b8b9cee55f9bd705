/* SPDX-License-Identifier: MIT */
/* Batches: many datagrams with one call and one operation, in their place in the lane. */
#define _GNU_SOURCE
#include "batch_kit.h"

static void batch_sends_and_receives_in_order(struct fixture *t)
{
	static const unsigned counts[] = { 1, 2, 64, 65, MANY };

	for (unsigned i = 0; i < COUNT_OF(families) * COUNT_OF(counts); i++) {
		int family = families[i % COUNT_OF(families)];
		unsigned count = fitting(family, counts[i / COUNT_OF(families)]);
		struct datagrams d = datagrams_connected(t, family);
		struct batch *out = batch_out(i), *in = batch_new();

		expect(soq_send_batch(d.a, out->messages, count, 0), count);
		for (unsigned k = 0; k < count; k++)
			expect(out->messages[k].length_bytes, size_of(i + k));
		/* All of them have come: one call takes them. */
		expect(soq_recv_batch(d.b, in->messages, MANY, 0), count);
		for (unsigned k = 0; k < count; k++) {
			expect_numbered(&in->messages[k], i + k);
			expect(soq_endpoint_equal(&in->messages[k].peer, &d.at_a), 1);
		}
		expect_nothing_more(d.b);
		free(out);
		free(in);
		datagrams_close(&d);
	}
}

static void batch_has_one_event_with_the_number(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		unsigned count = fitting(families[i], MANY);
		struct datagrams d = datagrams_connected(t, families[i]);
		struct batch *out = batch_out(0), *in = batch_new();
		struct probe *sent = probe(t), *received = probe(t), *next = probe(t);

		started(received, soq_recv_batch_async(d.b, &received->op, in->messages, MANY, 0));
		settle(t);
		expect(received->events, 0);
		/* It ends with what is there: one. */
		expect(soq_send(d.a, "one", 3, 0), 3);
		await(t, received);
		expect_end(received, 1, 0);
		expect(in->messages[0].length_bytes, 3);
		assert_memory_equal(in->bytes[0], "one", 3);

		started(sent, soq_send_batch_async(d.a, &sent->op, out->messages, count, 0));
		await(t, sent);
		expect_end(sent, count, 0);
		started(next, soq_recv_batch_async(d.b, &next->op, in->messages, MANY, 0));
		await(t, next);
		expect_end(next, count, 0);
		for (unsigned k = 0; k < count; k++)
			expect_numbered(&in->messages[k], k);
		free(out);
		free(in);
		datagrams_close(&d);
	}
}

static void each_message_has_its_own_address(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		struct soq_endpoint at_c;
		struct soq_socket *c = bound_socket(t, families[i], SOCK_DGRAM, &at_c);
		struct batch *out = batch_out(0), *in = batch_new();

		/* To b, which is connected to, and to c. */
		expect(soq_connect(d.a, &d.at_b), 0);
		for (unsigned k = 0; k < 8; k++)
			if (k % 2)
				out->messages[k].peer = at_c;
			else if (k % 4)
				out->messages[k].peer = d.at_b;
		expect(soq_send_batch(d.a, out->messages, 8, 0), 8);
		expect(soq_send_to(c, "from c", 6, 0, &d.at_b), 6);
		expect(soq_recv_batch(d.b, in->messages, MANY, 0), 5);
		for (unsigned k = 0; k < 4; k++) {
			expect_numbered(&in->messages[k], k * 2);
			expect(soq_endpoint_equal(&in->messages[k].peer, &d.at_a), 1);
		}
		expect(in->messages[4].length_bytes, 6);
		expect(soq_endpoint_equal(&in->messages[4].peer, &at_c), 1);
		expect(soq_recv_batch(c, in->messages, MANY, 0), 4);
		for (unsigned k = 0; k < 4; k++)
			expect_numbered(&in->messages[k], k * 2 + 1);
		free(out);
		free(in);
		expect(soq_close(c), 0);
		datagrams_close(&d);
	}
}

static void batch_waits_its_turn_in_the_lane(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i / 2]);
		struct batch *out = batch_out(0), *in = batch_new();
		struct probe *sent[5], *received[4];

		for (unsigned k = 0; k < 5; k++)
			sent[k] = probe(t);
		for (unsigned k = 0; k < 4; k++)
			received[k] = probe(t);
		started(received[0], soq_recv_async(d.b, &received[0]->op, in->bytes[0], ROOM, 0));
		started(received[1],
			soq_recv_batch_async(d.b, &received[1]->op, &in->messages[1], 2, 0));
		started(received[2], soq_recv_async(d.b, &received[2]->op, in->bytes[3], ROOM, 0));
		started(received[3],
			soq_recv_batch_async(d.b, &received[3]->op, &in->messages[4], MANY - 4, 0));
		/* Waiting already, or all of it still to be looked at. */
		if (i % 2)
			settle(t);
		for (unsigned k = 0; k < 3; k++)
			started(sent[k],
				soq_send_async(d.a, &sent[k]->op, out->bytes[k], size_of(k), 0));
		started(sent[3], soq_send_batch_async(d.a, &sent[3]->op, &out->messages[3], 2, 0));
		started(sent[4], soq_send_async(d.a, &sent[4]->op, out->bytes[5], size_of(5), 0));
		await(t, sent[4]);
		await(t, received[2]);
		await(t, received[3]);

		for (unsigned k = 1; k < 5; k++)
			expect_true(sent[k]->sequence > sent[k - 1]->sequence);
		for (unsigned k = 1; k < 4; k++)
			expect_true(received[k]->sequence > received[k - 1]->sequence);
		expect_end(sent[3], 2, 0);
		expect_end(received[0], size_of(0), 0);
		expect_true(is_filled(in->bytes[0], size_of(0), 0, 0));
		/* One or two, as they came; nothing is out of order. */
		expect_true(received[1]->result >= 1 && received[1]->result <= 2);
		for (unsigned k = 0; k < (unsigned)received[1]->result; k++)
			expect_numbered(&in->messages[1 + k], 1 + k);
		expect(received[2]->result, size_of(1 + (unsigned)received[1]->result));
		for (unsigned k = 0; k < (unsigned)received[3]->result; k++)
			expect_numbered(&in->messages[4 + k],
					2 + (unsigned)received[1]->result + k);
		free(out);
		free(in);
		datagrams_close(&d);
	}
}

static void canceled_receive_takes_nothing(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 3; i++) {
		struct datagrams d = datagrams_connected(t, families[i / 3]);
		struct batch *in = batch_new();
		struct probe *p = probe(t), *behind = probe(t);

		if (i % 3 == 2)
			p->op.deadline_ns = now_ns() + 2 * MS;
		started(p, soq_recv_batch_async(d.b, &p->op, in->messages, MANY, 0));
		started(behind, soq_recv_async(d.b, &behind->op, in->bytes[5], ROOM, 0));
		if (i % 3 == 1)
			settle(t);
		if (i % 3 < 2)
			expect(soq_cancel(&p->op), 0);
		await(t, p);
		expect_end(p, i % 3 == 2 ? -ETIMEDOUT : -ECANCELED, 0);
		expect(soq_send(d.a, "kept", 4, 0), 4);
		await(t, behind);
		expect_end(behind, 4, 0);
		free(in);
		datagrams_close(&d);
	}
}

static void close_ends_batches(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i / 2]);
		struct batch *in = batch_new();
		struct probe *p[2] = { probe(t), probe(t) };

		for (unsigned k = 0; k < 2; k++)
			started(p[k],
				soq_recv_batch_async(d.b, &p[k]->op, in->messages + k * 9, 9, 0));
		if (i % 2)
			settle(t);
		datagrams_close(&d);
		await(t, p[1]);
		expect_end(p[0], -ECANCELED, 0);
		expect_end(p[1], -ECANCELED, 0);
		free(in);
	}
}

static void each_message_tells_that_it_was_cut(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_connected(t, families[i]);
		struct batch *in = batch_new();

		in->parts[1].iov_len = 4;
		for (unsigned k = 0; k < 3; k++)
			expect(soq_send(d.a, "longmsg", 7, 0), 7);
		expect(soq_recv_batch(d.b, in->messages, 3, 0), 3);
		for (unsigned k = 0; k < 3; k++) {
			expect(in->messages[k].flags, k == 1 ? SOQ_F_TRUNCATED : 0);
			expect(in->messages[k].length_bytes, k == 1 ? 4 : 7);
		}
		assert_memory_equal(in->bytes[1], "long\0", 5);
		free(in);
		datagrams_close(&d);
	}
}

/* Messages that are many datagrams each, cut by the kernel or, where it refuses, here. */
static void batch_may_hold_messages_of_many_datagrams(struct fixture *t)
{
	for (int refused = 0; refused < 2; refused++) {
		struct datagrams d = datagrams_bound(t, AF_INET);
		struct batch *out = batch_new(), *in = batch_new();
		uint64_t at = 0;

		if (refused) {
			int on = 1;

			expect(soq_option_set(d.a, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
		}
		for (unsigned k = 0; k < 9; k++) {
			fill(out->bytes[k], 60, 1, k * 60);
			out->parts[k].iov_len = 60;
			out->messages[k].peer = d.at_b;
			out->messages[k].info = k % 3 ? SOQ_INFO_SEGMENTS : 0;
			out->messages[k].segment_size_bytes = k % 2 ? 20 : 25;
		}
		expect(soq_send_batch(d.a, out->messages, 9, 0), 9);
		for (unsigned k = 0; k < 9; k++)
			expect(out->messages[k].length_bytes, 60);
		/* Three whole ones, and six in three pieces each. */
		expect(soq_recv_batch(d.b, in->messages, MANY, 0), 21);
		for (unsigned k = 0; k < 21; k++) {
			expect_true(is_filled(in->bytes[k], (size_t)in->messages[k].length_bytes, 1,
					      at));
			at += in->messages[k].length_bytes;
		}
		expect(at, 9 * 60);
		free(out);
		free(in);
		datagrams_close(&d);
	}
}

static void batches_allocate_nothing_in_the_steady_state(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_INET);
	struct batch *out = batch_out(0), *in = batch_new();
	struct probe *sent = probe(t), *received = probe(t);
	uint64_t allocations = 0;

	for (unsigned i = 0; i < 20; i++) {
		started(received, soq_recv_batch_async(d.b, &received->op, in->messages, MANY, 0));
		settle(t);
		started(sent, soq_send_batch_async(d.a, &sent->op, out->messages, MANY, 0));
		await(t, sent);
		await(t, received);
		for (int64_t got = received->result; got < MANY;)
			got += soq_recv_batch(d.b, in->messages, MANY, 0);
		if (i == 0)
			allocations = t->memory.allocations;
	}
	expect(t->memory.allocations, allocations);
	free(out);
	free(in);
	datagrams_close(&d);
}

static void receive_side_that_is_shut_ends_with_nothing(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i / 2]);
		struct batch *in = batch_new();
		struct probe *p = probe(t);

		expect(soq_send(d.a, "before", 6, 0), 6);
		if (i % 2 == 0)
			expect(soq_shutdown(d.b, SOQ_SHUTDOWN_RECV), 0);
		started(p, soq_recv_batch_async(d.b, &p->op, in->messages, MANY, 0));
		await(t, p);
		expect_end(p, 1, 0);
		started(p, soq_recv_batch_async(d.b, &p->op, in->messages, MANY, 0));
		settle(t);
		if (i % 2)
			expect(soq_shutdown(d.b, SOQ_SHUTDOWN_RECV), 0);
		await(t, p);
		expect_end(p, 0, 0);
		free(in);
		datagrams_close(&d);
	}
}

/* The same without a batch, also where the receive waits when the side is shut. */
static void shut_side_ends_a_plain_receive(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i / 2]);
		struct probe *p = probe(t);
		char bytes[8];

		expect(soq_send(d.a, "before", 6, 0), 6);
		if (i % 2 == 0)
			expect(soq_shutdown(d.b, SOQ_SHUTDOWN_RECV), 0);
		started(p, soq_recv_async(d.b, &p->op, bytes, sizeof(bytes), 0));
		await(t, p);
		expect_end(p, 6, 0);
		started(p, soq_recv_async(d.b, &p->op, bytes, sizeof(bytes), 0));
		settle(t);
		if (i % 2)
			expect(soq_shutdown(d.b, SOQ_SHUTDOWN_RECV), 0);
		await(t, p);
		expect_end(p, 0, 0);
		expect(soq_recv(d.b, bytes, sizeof(bytes), 0), 0);
		datagrams_close(&d);
	}
}

static void sync_receive_of_a_shut_side_gives_nothing(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * 2; i++) {
		struct datagrams d = datagrams_connected(t, families[i / 2]);
		struct batch *in = batch_new();

		expect(soq_send(d.a, "", 0, 0), 0);
		expect(soq_shutdown(d.b, SOQ_SHUTDOWN_RECV), 0);
		if (i % 2)
			expect(soq_socket_set_timeouts(d.b, HOUR, HOUR), 0);
		expect(soq_recv_batch(d.b, in->messages, MANY, 0), 1);
		expect(soq_recv_batch(d.b, in->messages, MANY, 0), 0);
		free(in);
		datagrams_close(&d);
	}
}

static const struct conf_case cases[] = {
	SYNC_CASE(batch_sends_and_receives_in_order, "9e 9b 20a"),
	CASE(batch_has_one_event_with_the_number, "1b 9e"),
	SYNC_CASE(each_message_has_its_own_address, "9e"),
	CASE(batch_waits_its_turn_in_the_lane, "9e 9b"),
	CASE(canceled_receive_takes_nothing, "6a 6b 10a 14a"),
	CASE(close_ends_batches, "6a 13a"),
	SYNC_CASE(each_message_tells_that_it_was_cut, "8f"),
	SYNC_CASE(batch_may_hold_messages_of_many_datagrams, "9e"),
	CASE(batches_allocate_nothing_in_the_steady_state, "19a"),
	CASE(receive_side_that_is_shut_ends_with_nothing, "5a"),
	CASE(shut_side_ends_a_plain_receive, "5a"),
	SYNC_CASE(sync_receive_of_a_shut_side_gives_nothing, "5a"),
};

CONF_GROUP(batch, cases)
