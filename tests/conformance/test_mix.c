/* SPDX-License-Identifier: MIT */
/*
 * Sync amid async: a long stream between two sockets of one loop, sent and received by
 * ops that start again in done(), while the thread alternates between running the loop
 * and synchronous calls, on another connection and in the middle of the stream itself.
 *
 * SOQ_TEST_BYTES is the length of the stream (64 MiB; 1 GiB in the full run).
 */
#define _GNU_SOURCE
#include "support.h"

#define ALTERNATIONS 10000
#define PIECE_MIN    1024
#define BUFFER_BYTES 262144
/* What the two socket buffers can hold, as the kernel counts them, with room to spare. */
#define LAG_MAX ((uint64_t)8 << 20)

struct stream {
	struct soq_socket *from, *to;
	struct probe *send, *receive;
	uint64_t bytes, started, received;
	size_t piece;
	char *out, *in, *sync;
	int wrong, ended;
	int in_sync_call;
	unsigned during_sync;
};

/* The other connection, on which most synchronous calls are made. */
struct talk {
	struct soq_socket *a, *b;
	unsigned calls, sent, timed_out;
};

static size_t take_piece(struct stream *stream, char *memory, size_t size)
{
	uint64_t left = stream->bytes - stream->started;
	size_t n = left < size ? (size_t)left : size;

	fill(memory, n, 7, stream->started);
	return n;
}

static int send_piece(struct stream *stream)
{
	size_t n = take_piece(stream, stream->out, 2 * stream->piece);
	int rc = soq_send_async(stream->from, &stream->send->op, stream->out, n, 0);

	stream->started += n;
	return rc;
}

static void send_more(struct probe *p, const struct soq_event *event)
{
	struct stream *stream = p->arg;

	stream->during_sync += stream->in_sync_call != 0;
	stream->wrong |= event->result <= 0 || event->flags;
	if (stream->started < stream->bytes && !stream->wrong)
		again(p, send_piece(stream));
}

static int receive_piece(struct stream *stream)
{
	return soq_recv_async(stream->to, &stream->receive->op, stream->in, stream->piece, 0);
}

static void receive_more(struct probe *p, const struct soq_event *event)
{
	struct stream *stream = p->arg;

	stream->during_sync += stream->in_sync_call != 0;
	if (event->result <= 0) {
		stream->ended = 1;
		return;
	}
	stream->wrong |= !is_filled(stream->in, (size_t)event->result, 7, stream->received);
	stream->received += (uint64_t)event->result;
	again(p, receive_piece(stream));
}

/* In the middle of the stream: behind the async send, cut by the timeout or not. */
static void sync_send(struct stream *stream, struct talk *talk)
{
	size_t n = take_piece(stream, stream->sync, stream->piece);
	int64_t rc = n > 0 ? soq_send(stream->from, stream->sync, n, 0) : 0;

	expect_true(rc == -ETIMEDOUT || (rc >= 0 && rc <= (int64_t)n));
	talk->sent += rc > 0;
	talk->timed_out += rc < (int64_t)n;
	stream->started += rc > 0 ? (uint64_t)rc : 0;
}

static void sync_call(struct fixture *t, struct stream *stream, struct talk *talk)
{
	char in[8];

	switch (talk->calls++ % 5) {
	case 0:
		expect(soq_send(talk->a, "12345678", 8, 0), 8);
		break;
	case 1:
		expect(soq_recv(talk->b, in, 8, SOQ_EXACT), 8);
		assert_memory_equal(in, "12345678", 8);
		break;
	case 2:
		expect(soq_recv(talk->b, in, 8, 0), -ETIMEDOUT);
		break;
	case 3:
		expect(soq_sleep(t->loop, 20000), 0);
		break;
	default:
		sync_send(stream, talk);
	}
}

static void stream_open(struct fixture *t, struct stream *stream)
{
	int bytes = BUFFER_BYTES;

	stream->bytes = env_number("SOQ_TEST_BYTES", 64 << 20);
	stream->piece = (size_t)(stream->bytes / ALTERNATIONS) + 1;
	if (stream->piece < PIECE_MIN)
		stream->piece = PIECE_MIN;
	stream->out = malloc(2 * stream->piece);
	stream->in = malloc(stream->piece);
	stream->sync = malloc(stream->piece);
	pair_soq(t, AF_INET, &stream->from, &stream->to);
	expect(soq_option_set(stream->from, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
	expect(soq_option_set(stream->to, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
	expect(soq_socket_set_timeouts(stream->from, FOREVER, 100000), 0);
	stream->send = probe(t);
	stream->receive = probe(t);
	stream->send->then = send_more;
	stream->receive->then = receive_more;
	stream->send->arg = stream;
	stream->receive->arg = stream;
}

/* One sync call: nothing is delivered in it, at most one event per op waits after it. */
static void alternate(struct fixture *t, struct stream *stream, struct talk *talk)
{
	unsigned sent = stream->send->events, received = stream->receive->events;
	struct soq_loop_stats stats;

	stream->in_sync_call = 1;
	sync_call(t, stream, talk);
	stream->in_sync_call = 0;
	stats = stats_of(t);
	expect(stream->send->events, sent);
	expect(stream->receive->events, received);
	expect_true(stats.events_waiting <= 2);
	expect(stats.allocated_bytes, t->memory.live_bytes);
	expect_true(stream->started - stream->received <= LAG_MAX);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, stream->ended ? 0 : MS) >= 0);
}

static void stream_and_sync_calls_share_a_loop(struct fixture *t)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	struct talk talk = { .calls = 0 };
	struct soq_loop_stats before;
	unsigned wanted, steps = 0;
	int cause;

	stream_open(t, stream);
	pair_soq(t, AF_INET, &talk.a, &talk.b);
	expect(soq_socket_set_timeouts(talk.b, 20000, FOREVER), 0);
	expect(soq_send(talk.a, "x", 1, 0), 1);
	expect(soq_recv(talk.b, stream->in, 1, SOQ_EXACT), 1);
	started(stream->receive, receive_piece(stream));
	started(stream->send, send_piece(stream));
	settle(t);
	before = stats_of(t);
	wanted = stream->piece > PIECE_MIN ? ALTERNATIONS : (unsigned)(stream->bytes / PIECE_MIN);

	for (; steps < wanted || !finished(stream->send); steps++) {
		if (steps % 1000 == 0)
			alarm((unsigned)(50 * env_number("SOQ_TEST_SLOW", 1)));
		alternate(t, stream, &talk);
	}
	expect(soq_socket_set_timeouts(stream->from, FOREVER, FOREVER), 0);
	while (stream->started < stream->bytes)
		sync_send(stream, &talk);
	/* A send that was cut has left its cause for the next call of the lane. */
	cause = soq_shutdown(stream->from, SOQ_SHUTDOWN_SEND);
	if (cause == -ETIMEDOUT)
		cause = soq_shutdown(stream->from, SOQ_SHUTDOWN_SEND);
	expect(cause, 0);
	await(t, stream->receive);

	expect(stream->during_sync, 0);
	expect(stream->wrong, 0);
	expect(stream->received, stream->bytes);
	expect_end(stream->receive, 0, 0);
	expect_true(talk.sent > 0);
	expect(stats_of(t).allocated_bytes, before.allocated_bytes);
	expect(stats_of(t).allocations, before.allocations);
	expect(soq_close(stream->from), 0);
	expect(soq_close(stream->to), 0);
	expect(soq_close(talk.a), 0);
	expect(soq_close(talk.b), 0);
	free(stream->out);
	free(stream->in);
	free(stream->sync);
	free(stream);
}

static void peer_is_held_back_during_sync_calls(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char *big = malloc(BIG_BYTES), in[4096];
	uint64_t sent = 0, received;
	ssize_t n;

	fill(big, BIG_BYTES, 1, 0);
	started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
	/* The peer sends while nothing but synchronous calls are made here. */
	for (int idle = 0; idle < 5;) {
		n = send(fd, big + sent, BIG_BYTES - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (uint64_t)n : 0;
		expect(soq_sleep(t->loop, MS), 0);
		expect(p->events, 0);
		expect_true(stats_of(t).events_waiting <= 1);
	}
	expect_true(sent < BIG_BYTES);
	expect(stats_of(t).bytes_received, sizeof(in));

	await(t, p);
	expect_true(is_filled(in, sizeof(in), 1, 0));
	for (received = sizeof(in); received < sent; received += (uint64_t)n) {
		n = (ssize_t)soq_recv(s, in, sizeof(in), 0);
		expect_true(n > 0 && is_filled(in, (size_t)n, 1, received));
	}
	expect(soq_close(s), 0);
	close(fd);
	free(big);
}

static const struct conf_case cases[] = {
	CASE(stream_and_sync_calls_share_a_loop, "2a 2c 6d 9a 19a 20b"),
	CASE(peer_is_held_back_during_sync_calls, "2c 20b"),
};

CONF_GROUP(mix, cases)
