/* SPDX-License-Identifier: MIT */
/* Links that lose packets: all bytes arrive, in order, and both ways at once. */
#define _GNU_SOURCE
#include "hosts.h"

#define BYTES ((size_t)2 << 20)

static const char *const there[2] = { "10.0.0.2:0", "[fd00:0::2]:0" };

/* One of two ends: what it sends, and what it receives meanwhile. */
struct end {
	struct soq_socket *s;
	char *out, *in;
	size_t sent_bytes, received_bytes;
};

/* Two ends of a connection, of packets that are a segment each. */
struct lossy {
	struct hosts h;
	struct end end[2];
};

/* Each host loses each 50th packet that comes to it once they are connected. */
static void lossy_open(struct fixture *t, struct lossy *x, const char *text)
{
	*x = (struct lossy){ 0 };
	hosts_open(&x->h, 2);
	host_run(&x->h, 0, "ip link set right gso_max_segs 1");
	host_run(&x->h, 1, "ip link set left gso_max_segs 1");
	host_pair(t, &x->h, 1, text, &x->end[0].s, &x->end[1].s);
	for (unsigned i = 0; i < 2; i++) {
		struct end *e = &x->end[i];

		host_rule(&x->h, i, "meta l4proto tcp numgen inc mod 50 == 0 drop");
		e->out = malloc(BYTES);
		e->in = calloc(1, BYTES);
		assert_non_null(e->out);
		assert_non_null(e->in);
		fill(e->out, BYTES, i, 0);
	}
}

/* Each has what the other has sent, and either had to send some of it again. */
static void lossy_expect(struct lossy *x)
{
	for (unsigned i = 0; i < 2; i++) {
		struct soq_tcp_info info = { .size = sizeof(info) };
		struct end *e = &x->end[i];

		expect_true(is_filled(e->in, BYTES, 1 - i, 0));
		expect(soq_socket_tcp_info(e->s, &info), 0);
		expect_true(info.retransmitted_segments > 0);
		free(e->out);
		free(e->in);
		expect(soq_close(e->s), 0);
	}
	hosts_close(&x->h);
}

static void bytes_arrive_in_order(struct fixture *t, const char *text, uint32_t flags)
{
	struct probe *sent[2], *received[2];
	struct lossy x;

	lossy_open(t, &x, text);
	for (unsigned i = 0; i < 2; i++) {
		struct end *e = &x.end[i];

		sent[i] = probe(t);
		received[i] = probe(t);
		started(received[i],
			soq_recv_async(e->s, &received[i]->op, e->in, BYTES, SOQ_EXACT));
		started(sent[i], soq_send_async(e->s, &sent[i]->op, e->out, BYTES, flags));
	}
	for (unsigned i = 0; i < 2; i++) {
		await(t, sent[i]);
		/* The memory is free, and says something else. */
		memset(x.end[i].out, 0, BYTES);
		await(t, received[i]);
		expect_end(sent[i], BYTES, sent[i]->flags & SOQ_F_COPIED);
		expect_end(received[i], BYTES, 0);
	}
	lossy_expect(&x);
}

static void ops_lose_nothing(struct fixture *t)
{
	bytes_arrive_in_order(t, there[0], 0);
	bytes_arrive_in_order(t, there[1], 0);
}

/* A packet is sent again from the caller's memory. */
static void memory_lasts_until_nothing_is_sent_again(struct fixture *t)
{
	bytes_arrive_in_order(t, there[0], SOQ_ZEROCOPY);
	bytes_arrive_in_order(t, there[1], SOQ_ZEROCOPY);
}

/* What can be done now. */
static void push_and_pull(struct end *e)
{
	int64_t count = soq_send(e->s, e->out + e->sent_bytes, BYTES - e->sent_bytes, SOQ_NOWAIT);

	if (count != -EAGAIN) {
		expect_true(count >= 0);
		e->sent_bytes += (size_t)count;
	}
	if (e->received_bytes == BYTES)
		return;
	count = soq_recv(e->s, e->in + e->received_bytes, BYTES - e->received_bytes, SOQ_NOWAIT);
	if (count != -EAGAIN) {
		expect_true(count > 0);
		e->received_bytes += (size_t)count;
	}
}

static struct soq_poll_entry wish(const struct end *e)
{
	uint32_t events = 0;

	if (e->sent_bytes < BYTES)
		events |= SOQ_POLL_SEND;
	if (e->received_bytes < BYTES)
		events |= SOQ_POLL_RECV;
	return (struct soq_poll_entry){ .socket = e->s, .events = events };
}

/* One thread for both ends, which waits when neither can go on. */
static void calls_lose_nothing(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct lossy x;

		lossy_open(t, &x, there[i]);
		for (;;) {
			struct soq_poll_entry entries[2];

			push_and_pull(&x.end[0]);
			push_and_pull(&x.end[1]);
			entries[0] = wish(&x.end[0]);
			entries[1] = wish(&x.end[1]);
			if (entries[0].events == 0 && entries[1].events == 0)
				break;
			expect_true(soq_poll_any(entries, 2, watchdog_ns()) > 0);
		}
		lossy_expect(&x);
	}
}

static const struct conf_case cases[] = {
	CASE(ops_lose_nothing, "7c 9c"),
	CASE(memory_lasts_until_nothing_is_sent_again, "4d 9c"),
	SYNC_CASE(calls_lose_nothing, ""),
};

CONF_GROUP(losses, cases)
