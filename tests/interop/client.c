/* SPDX-License-Identifier: MIT */
/*
 * A client for other people's servers, on the public API alone, synchronous but for what goes
 * both ways at the same time: an echo that nobody reads stops the sends.
 *   interop_client 127.0.0.1:PORT BYTES [PROTOCOL]
 * Sends that many bytes, ends its side, and expects the same bytes back and the end.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <soq/soq.h>

#define PIECE_BYTES 100000

static unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)((offset * 2654435761u) >> 13);
}

struct receiver {
	struct soq_op op;
	struct soq_socket *socket;
	uint64_t received;
	int64_t end; /* result of the last receive */
	int wrong;   /* a byte was not the one that was sent */
	int ended;
	unsigned char buffer[PIECE_BYTES];
};

static void on_received(const struct soq_event *event)
{
	struct receiver *r = event->op->user;

	r->end = event->result;
	for (int64_t i = 0; i < event->result; i++)
		r->wrong |= r->buffer[i] != byte_at(r->received++);
	r->ended = event->result <= 0 ||
		   soq_recv_async(r->socket, &r->op, r->buffer, sizeof(r->buffer), 0) != 0;
}

static int fail(const char *what, int64_t error)
{
	fprintf(stderr, "%s: %lld %s\n", what, (long long)error,
		error < 0 ? strerror((int)-error) : "");
	return 1;
}

static void on_sent(const struct soq_event *event)
{
	*(int64_t *)event->op->user = event->result;
}

static int send_all(struct soq_loop *loop, struct soq_socket *s, uint64_t total)
{
	static unsigned char piece[PIECE_BYTES];
	static struct soq_op op;
	static int64_t result;

	op.done = on_sent;
	op.user = &result;
	for (uint64_t sent = 0; sent < total; sent += (uint64_t)result) {
		size_t size = total - sent < PIECE_BYTES ? (size_t)(total - sent) : PIECE_BYTES;
		int error;

		for (size_t i = 0; i < size; i++)
			piece[i] = byte_at(sent + i);
		result = 0;
		error = soq_send_async(s, &op, piece, size, 0);
		while (error >= 0 && result == 0)
			error = soq_loop_run(loop, SOQ_RUN_ONCE, -1);
		if (error < 0 || result < 0)
			return fail("send", error < 0 ? error : result);
	}
	return 0;
}

static int exchange(struct soq_loop *loop, const struct soq_endpoint *ep, int protocol,
		    uint64_t total)
{
	static struct receiver one;
	struct receiver *r = &one;
	struct soq_socket *s;
	int result;

	if (soq_socket_open(loop, ep->addr.any.sa_family, SOCK_STREAM, protocol, &s) != 0)
		return fail("open", 0);
	result = soq_connect(s, ep);
	if (result != 0)
		return fail("connect", result);
	r->op.done = on_received;
	r->op.user = r;
	r->socket = s;
	result = soq_recv_async(s, &r->op, r->buffer, sizeof(r->buffer), 0);
	if (result != 0)
		return fail("recv", result);
	if (send_all(loop, s, total) != 0)
		return 1;
	result = soq_shutdown(s, SOQ_SHUTDOWN_SEND);
	if (result != 0)
		return fail("shutdown", result);
	while (!r->ended && result >= 0)
		result = soq_loop_run(loop, SOQ_RUN_ONCE, -1);
	if (r->end != 0 || r->wrong || r->received != total)
		return fail("the echo", r->end);
	return soq_close(s);
}

int main(int argc, char **argv)
{
	struct soq_endpoint ep;
	struct soq_loop *loop;
	int status, protocol;

	if (argc < 3 || argc > 4 || soq_endpoint_parse(argv[1], &ep) != 0 ||
	    soq_loop_create(NULL, &loop) != 0)
		return 2;
	protocol = argc == 4 ? (int)strtol(argv[3], NULL, 10) : 0;
	status = exchange(loop, &ep, protocol, strtoull(argv[2], NULL, 10));
	if (status == 0 &&
	    (soq_loop_run(loop, SOQ_RUN_IDLE, -1) < 0 || soq_loop_destroy(loop) != 0))
		status = 1;
	return status;
}
