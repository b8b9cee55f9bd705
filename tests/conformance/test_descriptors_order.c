/* SPDX-License-Identifier: MIT */
/* Descriptors stay with the bytes they were sent with, whatever is before and behind them. */
#define _GNU_SOURCE
#include "descriptors_kit.h"

/* Sends of one turn, which would be gathered; received whole and by the byte. */
static void stream_keeps_the_descriptors_of_two_sends_apart(struct fixture *t)
{
	enum { SENDS = 6 };

	for (unsigned by = 1; by <= 64; by *= 4) {
		struct datagrams d = pair_of(t, SOCK_STREAM);
		struct probe *p[SENDS];
		struct soq_message m[SENDS];
		struct iovec one[SENDS];
		int sent[SENDS], got[MANY];
		char text[SENDS][4], in[64];
		unsigned bytes = 0, seen = 0;

		for (unsigned k = 0; k < SENDS; k++) {
			p[k] = probe(t);
			memset(text[k], 'a' + (int)k, 4);
			one[k] = (struct iovec){ text[k], 4 };
			sent[k] = file_of(k);
			/* Every second one has some. */
			m[k] = with(&one[k], &sent[k], k % 2, 0);
			started(p[k], soq_send_msg_async(d.a, &p[k]->op, &m[k], 0));
		}
		await(t, p[SENDS - 1]);
		while (bytes < sizeof(text)) {
			struct iovec all = { in, by };
			struct soq_message r = with(&all, got, 0, MANY);
			int64_t n = soq_recv_msg(d.b, &r, 0);

			expect_true(n > 0);
			expect(r.flags, 0);
			expect_true(r.descriptor_count <= 1);
			bytes += (unsigned)n;
			if (r.descriptor_count == 0)
				continue;
			/* With the first byte of its send, and nothing of the next one's. */
			expect(number_of(got[0]), seen * 2 + 1);
			expect_true(bytes > (seen * 2 + 1) * 4 && bytes <= (seen * 2 + 2) * 4);
			close(got[0]);
			seen++;
		}
		expect(seen, SENDS / 2);
		for (unsigned k = 0; k < SENDS; k++) {
			expect_end(p[k], 4, 0);
			close(sent[k]);
		}
		datagrams_close(&d);
	}
}

/* A send that waits for room in the middle of its bytes gives its descriptors once. */
static void descriptors_of_a_long_send_come_once(struct fixture *t)
{
	struct datagrams d = pair_of(t, SOCK_STREAM);
	char *out = malloc(BIG_BYTES), *in = malloc(BIG_BYTES);
	struct iovec all = { out, BIG_BYTES }, rest = { in, BIG_BYTES };
	struct probe *p[2] = { probe(t), probe(t) };
	int sent = file_of(9), got[4];
	struct soq_message m = with(&all, &sent, 1, 0), r = with(&rest, got, 0, 4);
	uint64_t at = 0;
	unsigned count = 0;

	fill(out, BIG_BYTES, 1, 0);
	started(p[0], soq_send_msg_async(d.a, &p[0]->op, &m, 0));
	started(p[1], soq_send_async(d.a, &p[1]->op, "behind", 6, 0));
	settle(t);
	expect(p[0]->events, 0);
	while (at < BIG_BYTES + 6) {
		rest = (struct iovec){ in, BIG_BYTES };
		expect_true((int64_t)(at += (uint64_t)soq_recv_msg(d.b, &r, 0)) > 0);
		if (r.descriptor_count > 0)
			expect(at - r.length_bytes, 0);
		count += r.descriptor_count;
		for (unsigned k = 0; k < r.descriptor_count; k++)
			close(got[k]);
		if (at <= BIG_BYTES)
			expect_true(is_filled(in, (size_t)r.length_bytes, 1, at - r.length_bytes));
	}
	expect(count, 1);
	await(t, p[1]);
	expect_end(p[0], BIG_BYTES, 0);
	expect_end(p[1], 6, 0);
	close(sent);
	free(out);
	free(in);
	datagrams_close(&d);
}

/* A receive that was ended early leaves bytes and descriptors to the next. */
static void receive_that_ends_early_takes_none(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 3; i++) {
		struct datagrams d = pair_of(t, types[i / 3]);
		struct probe *p = probe(t);
		unsigned before = open_count();
		int sent = file_of(3), got[2];
		char in[8];
		struct iovec one = { in, sizeof(in) };
		struct soq_message m = with(&one, got, 9, 2);

		if (i % 3 == 2)
			p->op.deadline_ns = now_ns() + 5 * MS;
		started(p, soq_recv_msg_async(d.b, &p->op, &m, 0));
		if (i % 3 == 1)
			settle(t);
		if (i % 3 < 2)
			expect(soq_cancel(&p->op), 0);
		await(t, p);
		expect_end(p, i % 3 == 2 ? -ETIMEDOUT : -ECANCELED, 0);
		expect(m.descriptor_count, 0);
		expect(send_with(t, 0, d.a, "next", &sent, 1), 4);
		started(p, soq_recv_msg_async(d.b, &p->op, &m, 0));
		expect(soq_cancel(&p->op), 0);
		await(t, p);
		/* It is there already: taken, or left; never lost. */
		if (p->result < 0)
			expect(soq_recv_msg(d.b, &m, 0), 4);
		expect(m.descriptor_count, 1);
		expect(number_of(got[0]), 3);
		close(got[0]);
		close(sent);
		expect(open_count(), before);
		datagrams_close(&d);
	}
}

static void batch_gives_each_its_own(struct fixture *t)
{
	enum { COUNT = 70 };
	struct datagrams d = pair_of(t, SOCK_DGRAM);
	struct soq_message *m = calloc(COUNT, sizeof(*m));
	struct iovec one[COUNT];
	int fds[COUNT], got[COUNT][2];
	char bytes[COUNT];
	unsigned done = 0, before;

	for (unsigned k = 0; k < COUNT; k++)
		fds[k] = k % 3 ? -1 : file_of(k);
	before = open_count();
	/* As many as a unix socket's queue holds. */
	for (unsigned at = 0; at < COUNT; at += 10) {
		for (unsigned k = 0; k < 10; k++) {
			one[k] = (struct iovec){ &bytes[k], 1 };
			bytes[k] = (char)(at + k);
			m[k] = with(&one[k], &fds[at + k], (at + k) % 3 == 0, 0);
		}
		expect(soq_send_batch(d.a, m, 10, 0), 10);
		for (unsigned k = 0; k < 10; k++) {
			expect(m[k].length_bytes, 1);
			/* Some have room, some have not. */
			m[k] = with(&one[k], got[k], 0, (at + k) % 2 ? 2 : 0);
		}
		for (unsigned n = 0; n < 10; n += done) {
			done = (unsigned)soq_recv_batch(d.b, m + n, 10 - n, 0);
			expect_true(done >= 1 && done <= 10);
		}
		for (unsigned k = 0; k < 10; k++) {
			int had = (at + k) % 3 == 0, room = (at + k) % 2;

			expect(bytes[k], at + k);
			expect(m[k].descriptor_count, had && room);
			expect(m[k].flags, had && !room ? SOQ_F_REFUSED : 0);
			if (had && room) {
				expect(number_of(got[k][0]), at + k);
				close(got[k][0]);
			}
		}
		expect(open_count(), before);
	}
	for (unsigned k = 0; k < COUNT; k += 3)
		close(fds[k]);
	free(m);
	datagrams_close(&d);
}

/* They wait for room like any other send, in the order of the starts. */
static void sends_wait_for_room_in_order(struct fixture *t)
{
	enum { SENDS = 40 };

	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct datagrams d = pair_of(t, types[i]);
		int sent = file_of(5), small = 4096, got[2];
		char out[2048] = "", in[2048];
		struct iovec one = { out, sizeof(out) }, all = { in, sizeof(in) };
		struct probe *p[SENDS];
		struct soq_message m[SENDS];
		uint64_t bytes = 0;
		unsigned count = 0;

		expect(soq_option_set(d.a, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
		for (unsigned k = 0; k < SENDS; k++) {
			p[k] = probe(t);
			m[k] = with(&one, &sent, k % 2, 0);
			started(p[k], soq_send_msg_async(d.a, &p[k]->op, &m[k], 0));
		}
		settle(t);
		expect(p[SENDS - 1]->events, 0);
		while (bytes < SENDS * sizeof(out)) {
			struct soq_message r = with(&all, got, 0, 2);

			expect_true(soq_recv_msg(d.b, &r, 0) > 0);
			bytes += r.length_bytes;
			count += r.descriptor_count;
			for (unsigned k = 0; k < r.descriptor_count; k++)
				close(got[k]);
		}
		expect(count, SENDS / 2);
		await(t, p[SENDS - 1]);
		for (unsigned k = 0; k < SENDS; k++) {
			expect_end(p[k], sizeof(out), 0);
			expect_true(k == 0 || p[k]->sequence > p[k - 1]->sequence);
		}
		close(sent);
		datagrams_close(&d);
	}
}

static const struct conf_case cases[] = {
	CASE(stream_keeps_the_descriptors_of_two_sends_apart, "9a"),
	CASE(descriptors_of_a_long_send_come_once, "9a"),
	CASE(receive_that_ends_early_takes_none, "14a"),
	SYNC_CASE(batch_gives_each_its_own, "9a"),
	CASE(sends_wait_for_room_in_order, "9a 9b"),
};

CONF_GROUP(descriptors_order, cases)
