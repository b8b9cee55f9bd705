/* SPDX-License-Identifier: MIT */
/* soq's ways: calls on a socket with or without a loop, and ops through the loop. */
#include "technique.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <soq/soq.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS INT64_C(2000000000)
#define SPIN_NS     50000 /* as soq/loop.h advises between two cores */

/* A connection beside the measured one: a receive is in flight and nothing comes. */
struct idler {
	struct soq_op receive;
	struct soq_socket *socket;
	unsigned char room[64];
};

struct soq_state {
	const struct technique *self;
	struct soq_loop *loop; /* NULL: the socket is detached */
	struct soq_socket *socket;
	struct soq_pool *pool;
	struct idler *idlers;
	struct soq_op send, receive;
	/* Of the round trip under way. */
	unsigned char *response;
	size_t size_bytes;
	size_t got_bytes;
	bool sent;
	int error;
};

static int open_socket(struct soq_loop *loop, const struct sockaddr_in *where,
		       struct soq_socket **out)
{
	struct soq_endpoint ep;
	int on = 1, ret;

	ret = soq_endpoint_loopback(AF_INET, ntohs(where->sin_port), &ep);
	if (ret == 0)
		ret = soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, out);
	if (ret == 0)
		ret = soq_option_set(*out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return ret == 0 ? soq_connect(*out, &ep) : ret;
}

static void on_idle(const struct soq_event *event)
{
	(void)event; /* the end: nothing else ever comes */
}

static int arm(struct soq_state *s, struct idler *idler, const struct sockaddr_in *where)
{
	int ret = open_socket(s->loop, where, &idler->socket);

	if (ret < 0)
		return ret;
	idler->receive.done = on_idle;
	return soq_recv_async(idler->socket, &idler->receive, idler->room, sizeof(idler->room), 0);
}

static int arm_all(struct soq_state *s, unsigned armed, const struct sockaddr_in *where)
{
	int ret = 0;

	s->idlers = calloc(armed ? armed : 1, sizeof(*s->idlers));
	if (!s->idlers)
		return -ENOMEM;
	for (unsigned i = 0; i < armed && ret == 0; i++)
		ret = arm(s, &s->idlers[i], where);
	return ret;
}

static void on_sent(const struct soq_event *event)
{
	struct soq_state *s = event->op->user;

	s->sent = true;
	if (event->result != (int64_t)s->size_bytes)
		s->error = event->result < 0 ? (int)event->result : -EMSGSIZE;
}

/* Into the caller's memory. */
static int start_receive(struct soq_state *s)
{
	return soq_recv_async(s->socket, &s->receive, s->response + s->got_bytes,
			      TECHNIQUE_ROOM_BYTES - s->got_bytes, 0);
}

static void on_received(const struct soq_event *event)
{
	struct soq_state *s = event->op->user;

	if (event->result <= 0) {
		s->error = event->result < 0 ? (int)event->result : -ECONNRESET;
		return;
	}
	s->got_bytes += (size_t)event->result;
	if (s->got_bytes < s->size_bytes)
		s->error = start_receive(s);
}

static void on_buf(const struct soq_event *event)
{
	struct soq_state *s = event->op->user;
	struct soq_buf *buf = event->buf;

	if (!buf) {
		s->error = event->result < 0 ? (int)event->result : -ECONNRESET;
		return;
	}
	if (s->got_bytes + buf->size_bytes <= TECHNIQUE_ROOM_BYTES)
		memcpy(s->response + s->got_bytes, buf->data, buf->size_bytes);
	s->got_bytes += buf->size_bytes;
	(void)soq_buf_return(buf);
}

static int prepare_async(struct soq_state *s)
{
	int ret;

	s->send = (struct soq_op){ .done = on_sent, .user = s };
	s->receive = (struct soq_op){ .done = s->self->pooled ? on_buf : on_received, .user = s };
	if (!s->self->pooled)
		return 0;
	ret = soq_pool_create(s->loop, NULL, &s->pool);
	return ret < 0 ? ret : soq_recv_buf_async(s->socket, &s->receive, s->pool, SOQ_MULTISHOT);
}

static technique_trip_fn async_trip;

static int make(struct soq_state *s, const struct sockaddr_in *where, unsigned armed)
{
	struct soq_loop_options options = { .size = sizeof(options),
					    .backend = s->self->backend,
					    .spin_ns = s->self->spin_ns };
	int ret = 0;

	if (s->self->backend != SOQ_BACKEND_AUTO)
		ret = soq_loop_create(&options, &s->loop);
	if (ret == 0)
		ret = open_socket(s->loop, where, &s->socket);
	if (ret < 0 || !s->loop)
		return ret;
	if (s->self->trip == async_trip)
		return prepare_async(s);
	return arm_all(s, armed, where);
}

static int soq_technique_close(void *state)
{
	struct soq_state *s = state;
	int ret = 0;

	if (s->loop) {
		soq_loop_close_all(s->loop);
		(void)soq_loop_run(s->loop, SOQ_RUN_IDLE, PATIENCE_NS);
		ret = soq_pool_destroy(s->pool);
		if (ret == 0)
			ret = soq_loop_destroy(s->loop);
	} else if (s->socket) {
		ret = soq_close(s->socket);
	}
	if (ret < 0)
		return ret;
	free(s->idlers);
	free(s);
	return 0;
}

static int soq_open(const struct technique *self, const struct sockaddr_in *where, unsigned armed,
		    void **state_out)
{
	struct soq_state *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->self = self;
	ret = make(s, where, armed);
	if (ret < 0)
		(void)soq_technique_close(s);
	else
		*state_out = s;
	return ret;
}

static int sync_trip(void *state, const unsigned char *request, unsigned char *response,
		     size_t size_bytes)
{
	struct soq_state *s = state;
	int64_t result = soq_send(s->socket, request, size_bytes, 0);
	size_t got = 0;

	if (result != (int64_t)size_bytes)
		return result < 0 ? (int)result : -EMSGSIZE;
	while (got < size_bytes) {
		result = soq_recv(s->socket, response + got, TECHNIQUE_ROOM_BYTES - got, 0);
		if (result <= 0)
			return result < 0 ? (int)result : -ECONNRESET;
		got += (size_t)result;
	}
	return 0;
}

/* The send first: the peer is at work while the receive is armed. */
static int async_trip(void *state, const unsigned char *request, unsigned char *response,
		      size_t size_bytes)
{
	struct soq_state *s = state;
	int ret;

	s->response = response;
	s->size_bytes = size_bytes;
	s->got_bytes = 0;
	s->sent = false;
	s->error = soq_send_async(s->socket, &s->send, request, size_bytes, SOQ_LAZY);
	if (s->error == 0 && !s->self->pooled)
		s->error = start_receive(s);
	while (s->error == 0 && (!s->sent || s->got_bytes < size_bytes)) {
		ret = soq_loop_run(s->loop, SOQ_RUN_ONCE, -1);
		if (ret < 0)
			return ret;
	}
	return s->error;
}

static struct control_report soq_report(void *state)
{
	struct soq_state *s = state;
	struct soq_loop_stats stats = { .size = sizeof(stats) };

	if (s->loop)
		(void)soq_loop_stats(s->loop, &stats);
	return (struct control_report){
		.turns = stats.turns,
		.waits = stats.waits,
		.requests = stats.requests,
		.completions = stats.completions,
		.allocations = stats.allocations,
	};
}

#define SOQ_CALLS                                                                                  \
	.is_soq = true, .open = soq_open, .report = soq_report, .close = soq_technique_close
#define HOW_POOLED "soq_send_async() with SOQ_LAZY; a multishot receive from a pool"
#define HOW_PLAIN  "soq_send_async() with SOQ_LAZY; soq_recv_async() for each response"
#define HOW_SPIN   "as soq async, on a loop with spin_ns"

/* Lazy, since nobody waits for the end of a request; the pool is the faster of the two. */
static const struct technique rows[] = {
	{
		.key = "soq-detached",
		.name = "soq detached",
		.how = "soq_send(), soq_recv() on a socket with no loop",
		.trip = sync_trip,
		SOQ_CALLS,
	},
	{
		.key = "soq-sync-uring",
		.name = "soq sync, io_uring",
		.how = "the same on a loop, beside the armed receives",
		.waits = 1,
		.requests = 2,
		.backend = SOQ_BACKEND_URING,
		.trip = sync_trip,
		SOQ_CALLS,
	},
	{
		.key = "soq-sync-epoll",
		.name = "soq sync, epoll",
		.how = "the same on a loop, beside the armed receives",
		.waits = 1,
		.requests = 2,
		.backend = SOQ_BACKEND_EPOLL,
		.trip = sync_trip,
		SOQ_CALLS,
	},
	{
		.key = "soq-async-uring",
		.name = "soq async, io_uring",
		.how = HOW_POOLED,
		.waits = 1,
		.requests = 1,
		.backend = SOQ_BACKEND_URING,
		.pooled = true,
		.trip = async_trip,
		SOQ_CALLS,
	},
	{
		.key = "soq-async-epoll",
		.name = "soq async, epoll",
		.how = HOW_POOLED,
		.waits = 1,
		.requests = 2,
		.backend = SOQ_BACKEND_EPOLL,
		.pooled = true,
		.trip = async_trip,
		SOQ_CALLS,
	},
	{
		.key = "soq-plain-uring",
		.name = "  plain, io_uring",
		.how = HOW_PLAIN,
		.waits = 1,
		.requests = 2,
		.backend = SOQ_BACKEND_URING,
		.trip = async_trip,
		SOQ_CALLS,
	},
	{
		.key = "soq-plain-epoll",
		.name = "  plain, epoll",
		.how = HOW_PLAIN,
		.waits = 1,
		.requests = 2,
		.backend = SOQ_BACKEND_EPOLL,
		.trip = async_trip,
		SOQ_CALLS,
	},
	{
		.key = "soq-spin-uring",
		.name = "soq spin, io_uring",
		.how = HOW_SPIN,
		.over = "soq-async-uring",
		.requests = 1,
		.backend = SOQ_BACKEND_URING,
		.spin_ns = SPIN_NS,
		.pooled = true,
		.trip = async_trip,
		SOQ_CALLS,
	},
	{
		.key = "soq-spin-epoll",
		.name = "soq spin, epoll",
		.how = HOW_SPIN,
		.over = "soq-async-epoll",
		.requests = 2,
		.backend = SOQ_BACKEND_EPOLL,
		.spin_ns = SPIN_NS,
		.pooled = true,
		.trip = async_trip,
		SOQ_CALLS,
	},
};

const struct technique_list technique_soq = { rows, sizeof(rows) / sizeof(rows[0]) };
