/* SPDX-License-Identifier: MIT */
/* What the random driver keeps of its sockets and ops, and what each event must satisfy. */
#ifndef SOQ_TESTS_RANDOM_WORLD_H
#define SOQ_TESTS_RANDOM_WORLD_H

#include "random_wire.h"

#include <arpa/inet.h>
#include <stdio.h>

#define SIDES      24
#define JOBS_MAX   2000
#define DEPTH_MAX  3
#define POOL_BUFS  16
#define POOL_BYTES 2048
#define KEPT_MAX   12 /* the others can go on without these */

enum kind { ACCEPT, CONNECT, SEND, RECV, SHUTDOWN, CLOSE, SLEEP, POST, POLL };
static const char *const kind_names[] = { "accept", "connect", "send", "recv", "shutdown",
					  "close",  "sleep",   "post", "poll" };

/* A socket, from its opening to the end of the round. */
struct side {
	struct soq_socket *s; /* NULL once it is closed */
	struct wire *out, *in;
	struct side *next;
	unsigned serial;
	unsigned connects;        /* started to the listener */
	unsigned arrivals;        /* accepted halves of them that were seen */
	struct soq_endpoint seen; /* the peer of the last of them */
	int gone;                 /* the close event came */
	int zerocopy;             /* such sends were started */
	struct wire wires[2];
};

/* An op and what it works on; freed in its final event. */
struct job {
	struct soq_op op; /* first: a job is found by its op */
	struct world *w;
	struct side *side;
	struct piece *piece;
	char *buffer;
	size_t size;
	struct iovec segments[3];
	struct soq_endpoint ep;
	enum kind kind;
	uint32_t flags;  /* of a send */
	int handed_over; /* its first event came, and this was its result */
	int64_t handed_result;
	unsigned place; /* in world.jobs */
	int live;
	int pooled; /* a receive into bufs */
};

struct world {
	struct fixture *t;
	uint64_t random, seed, step;
	struct side *all;          /* every socket of the round */
	struct side *sides[SIDES]; /* those that are worked with */
	struct side *listener;
	struct side *by_serial[1 << 16];
	struct job *jobs[JOBS_MAX];
	struct job *spare; /* one that has ended and is to be started again */
	struct soq_endpoint ep, refused;
	int family; /* AF_INET, or AF_UNIX by abstract names */
	unsigned listeners;
	unsigned job_count, side_count, depth;
	int in_done;
	struct soq_pool *pool;
	struct soq_buf *kept[KEPT_MAX]; /* on loan, some for long */
	unsigned kept_count;
	uint64_t keys, starts, finals, bytes;
	struct soq_loop_stats before;         /* at the begin of the round */
	uint64_t told_sent, told_received;    /* bytes, by results and events */
	uint64_t told_connects, told_refused; /* and how connects ended */
	int lossy;                            /* bufs that were counted may not have been told */
	char fault[200];                      /* the first thing that was wrong */
};

static unsigned pick(struct world *w, unsigned n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)((w->random >> 11) % n);
}

/* No assertion may leave a done(): the first fault is kept and told between steps. */
static void fault(struct world *w, const char *what, int kind, int64_t value)
{
	if (!w->fault[0])
		snprintf(w->fault, sizeof(w->fault), "%s (%s, %lld)", what,
			 kind < 0 ? "-" : kind_names[kind], (long long)value);
}

/* Matches what both sides have told by now. */
static void wire_check(struct world *w, struct wire *wire)
{
	struct piece *got;

	while ((got = wire->received.first) && got->ended) {
		int same = wire->lossy ? 1 : piece_compare(wire, got);

		if (same == 0)
			return;
		if (same < 0) {
			fault(w, "received what was not sent", RECV, (int64_t)got->size);
			return;
		}
		if (!got->peek && !wire->lossy)
			wire_consume(wire, got->size);
		w->bytes += got->size;
		piece_drop(&wire->received);
	}
}

static void piece_end(struct world *w, struct wire *wire, struct piece *piece, int64_t result,
		      const char *bytes)
{
	piece->ended = 1;
	piece->size = result > 0 ? (uint64_t)result : 0;
	if (piece->key)
		w->told_sent += piece->size;
	else if (!piece->peek)
		w->told_received += piece->size;
	if (bytes && piece->size > 0) {
		piece->bytes = malloc(piece->size);
		memcpy(piece->bytes, bytes, piece->size);
	}
	wire_check(w, wire);
}

static struct side *side_new(struct world *w, struct soq_socket *s)
{
	struct side *side = calloc(1, sizeof(*side));

	side->s = s;
	side->next = w->all;
	w->all = side;
	return side;
}

static int side_place(struct world *w, struct side *side)
{
	unsigned first = pick(w, SIDES);

	for (unsigned i = 0; i < SIDES; i++) {
		struct side **place = &w->sides[(first + i) % SIDES];

		if (*place && (*place)->s)
			continue;
		*place = side;
		return 1;
	}
	return 0;
}

/* The clients of one in 250 processes share it; the address of the listener keeps them apart. */
static uint32_t net_of_process(void)
{
	return 0x7f000000u | (1u + (uint32_t)getpid() % 250u) << 16;
}

/*
 * Of this process alone. Others run beside it: one that listened at the same address could
 * get the port of a listener of ours that is gone, and connects on their way to it.
 */
static void listener_address(struct soq_endpoint *ep)
{
	(void)soq_endpoint_loopback(AF_INET, 0, ep);
	ep->addr.ipv4.sin_addr.s_addr = htonl(net_of_process() | 0xff00u |
					      (1u + (uint32_t)getpid() / 250u % 250u));
}

/* A client's address tells its serial: 127.x.y.z, or an abstract name. */
static void client_address(const struct world *w, unsigned serial, struct soq_endpoint *ep)
{
	char name[64];

	if (w->family == AF_UNIX) {
		snprintf(name, sizeof(name), "soq-random-%d-%06x", (int)getpid(), serial);
		(void)!soq_endpoint_abstract(name, strlen(name), ep);
		return;
	}
	(void)soq_endpoint_loopback(AF_INET, 0, ep);
	ep->addr.ipv4.sin_addr.s_addr = htonl(net_of_process() | serial);
}

static struct side *client_of(const struct world *w, const struct soq_endpoint *peer)
{
	char text[SOQ_ENDPOINT_TEXT_MAX];
	const char *serial;

	if (w->family == AF_INET) {
		uint32_t address = ntohl(peer->addr.ipv4.sin_addr.s_addr);

		return (address & 0xffff0000u) == net_of_process() ? w->by_serial[address & 0xffff]
								   : NULL;
	}
	if (soq_endpoint_format(peer, text, sizeof(text)) < 0)
		return NULL;
	serial = strrchr(text, '-');
	return serial ? w->by_serial[strtoul(serial + 1, NULL, 16) & 0xffff] : NULL;
}

/* Which of its ports, and at which listener, tells a second connection from a second event. */
static void fault_arrival(struct world *w, const struct side *client,
			  const struct soq_endpoint *peer, const struct soq_socket *s)
{
	char here[SOQ_ENDPOINT_TEXT_MAX] = "", now[SOQ_ENDPOINT_TEXT_MAX] = "",
	     before[SOQ_ENDPOINT_TEXT_MAX] = "";
	struct soq_endpoint at;
	char text[150];

	if (soq_socket_local((struct soq_socket *)(uintptr_t)s, &at) == 0)
		(void)!soq_endpoint_format(&at, here, sizeof(here));
	(void)!soq_endpoint_format(peer, now, sizeof(now));
	(void)!soq_endpoint_format(&client->seen, before, sizeof(before));
	snprintf(text, sizeof(text), "arrival %u of %u connects: %.24s, before %.24s, at %.24s%s",
		 client->arrivals + 1, client->connects, now, before, here,
		 client->s ? "" : ", client closed");
	fault(w, text, ACCEPT, client->serial);
}

/*
 * The accepted half joins the connection of its client, or goes at once. A client whose
 * connect was accepted and reset before it knew may connect again: the halves that arrive
 * then are nobody's.
 */
static void arrive(struct world *w, struct soq_socket *s)
{
	struct soq_endpoint peer;
	struct side *client = NULL, *side;
	int rc = soq_socket_peer(s, &peer);

	if (rc == 0)
		client = client_of(w, &peer);
	else if (rc != -ENOTCONN)
		fault(w, "peer of an arrival", ACCEPT, rc);
	if (client && client->arrivals >= client->connects)
		fault_arrival(w, client, &peer, s);
	if (client)
		client->seen = peer;
	if (client && client->arrivals++ > 0)
		client = NULL;
	side = side_new(w, s);
	(void)soq_socket_set_timeouts(s, pick(w, 200000), pick(w, 200000));
	if (client) {
		side->out = client->in;
		side->in = client->out;
	}
	if (client && pick(w, 4) && side_place(w, side))
		return;
	side->s = NULL;
	rc = pick(w, 2) ? soq_close(s) : soq_abort(s);
	if (rc)
		fault(w, "close of an arrival", ACCEPT, rc);
}

static int allowed(const struct job *job, int64_t result, uint32_t flags)
{
	int is_transfer = job->kind == SEND || job->kind == RECV;
	int64_t size = (int64_t)job->size;

	if (result >= 0 && job->kind == POLL)
		return result > 0 && flags == 0;
	if (result >= 0 && !is_transfer)
		return result == 0 && flags == 0;
	if (result >= 0 && job->kind == SEND)
		return result <= size && (result < size) == (flags != 0);
	if (result >= 0)
		return result <= size && (flags == 0 || (result > 0 && result < size));
	if (flags)
		return 0;
	switch (result) {
	case -ECANCELED:
	case -ETIMEDOUT:
		return job->kind != POST;
	case -ECONNRESET:
		return is_transfer || job->kind == CLOSE || job->kind == CONNECT ||
		       job->kind == SHUTDOWN;
	case -EPIPE:
		return job->kind == SEND || job->kind == CLOSE || job->kind == SHUTDOWN;
	case -ENOTCONN:
		return job->kind == SHUTDOWN;
	case -ECONNREFUSED:
	case -ECONNABORTED:
		return is_transfer || job->kind == CONNECT || job->kind == SHUTDOWN ||
		       job->kind == CLOSE;
	default:
		return 0;
	}
}

static void act(struct world *w);

static void job_free(struct world *w, struct job *job)
{
	free(job->buffer);
	job->buffer = NULL;
	if (!w->spare && pick(w, 3) == 0) {
		w->spare = job;
		return;
	}
	memset(&job->op, 0x5a, sizeof(job->op));
	free(job);
}

static void give_back(struct world *w, unsigned place)
{
	int rc = soq_buf_return(w->kept[place]);

	if (rc)
		fault(w, "return of a buf", RECV, rc);
	w->kept[place] = w->kept[--w->kept_count];
}

/* A buf is returned at once, or later in any order, or only at the end of the round. */
static void lent(struct world *w, struct job *job, const struct soq_event *event)
{
	struct soq_buf *buf = event->buf;
	struct piece *piece = job->piece;

	if (event->result != (int64_t)buf->size_bytes || !job->pooled)
		fault(w, "the size of a buf", RECV, event->result);
	if (event->flags & SOQ_F_MORE)
		job->piece = piece_insert(&job->side->in->received, piece);
	piece_end(w, job->side->in, piece, event->result, (const char *)buf->data);
	if (w->kept_count == KEPT_MAX)
		give_back(w, pick(w, KEPT_MAX));
	w->kept[w->kept_count++] = buf;
	if (pick(w, 3))
		give_back(w, pick(w, 4) ? w->kept_count - 1 : pick(w, w->kept_count));
}

/* Every event of the driver's ops comes here, delivered, harvested or waited for. */
static void take(const struct soq_event *event)
{
	struct job *job = (struct job *)event->op;
	struct world *w = job->w;
	struct side *side = job->side;
	uint32_t flags = event->flags;

	if (!job->live)
		fault(w, "an event without a start", (int)job->kind, event->result);
	/* Events that nobody took wait beside those that are delivered. */
	if (side && side->gone && job->op.done)
		fault(w, "an event after the close event", (int)job->kind, event->result);
	if (event->socket)
		arrive(w, event->socket);
	if ((event->flags & SOQ_F_MORE) && job->kind == SEND) {
		if (!(job->flags & SOQ_ZEROCOPY) || job->handed_over++ || event->result < 0)
			fault(w, "a first event of a send", SEND, event->result);
		job->handed_result = event->result;
		return;
	}
	if (event->buf)
		lent(w, job, event);
	else if (job->pooled && job->kind == RECV && event->result > 0)
		fault(w, "bytes without a buf", RECV, event->result);
	if (event->flags & SOQ_F_MORE && job->pooled && event->buf) {
		if (!(job->flags & SOQ_MULTISHOT))
			fault(w, "more of a single receive", RECV, event->result);
		return;
	}
	if (event->flags & SOQ_F_MORE) {
		if (job->kind == POLL ? event->result <= 0 : job->kind != ACCEPT || !event->socket)
			fault(w, "more of what gives one event", (int)job->kind, event->result);
		return;
	}
	if (job->kind == SEND && (job->flags & SOQ_ZEROCOPY)) {
		flags &= ~SOQ_F_COPIED;
		if (job->handed_over ? event->result != job->handed_result : event->result >= 0)
			fault(w, "a final event of a zero-copy send", SEND, event->result);
	}
	if (!allowed(job, event->result, flags))
		fault(w, flags ? "this flag with this result" : "this result", (int)job->kind,
		      event->result);
	if (job->op.deadline_ns)
		fault(w, "a deadline outlived its op", (int)job->kind, job->op.deadline_ns);
	if (side && job->kind == SEND)
		piece_end(w, side->out, job->piece, event->result, NULL);
	if (side && job->pooled && !side->s)
		w->lossy = side->in->lossy = 1;
	if (job->kind == CONNECT && event->result == 0)
		w->told_connects++;
	else if (job->kind == CONNECT)
		w->told_refused++;
	if (side && job->kind == RECV && !event->buf)
		piece_end(w, side->in, job->piece, event->result, job->buffer);
	if (side && job->kind == CLOSE && job->op.done)
		side->gone = 1;
	w->finals++;
	w->jobs[job->place] = w->jobs[--w->job_count];
	w->jobs[job->place]->place = job->place;
	job->live = 0;
	job_free(w, job);
	if (w->depth < DEPTH_MAX && pick(w, 3) == 0)
		act(w);
}

static void done(const struct soq_event *event)
{
	struct world *w = ((struct job *)event->op)->w;

	w->in_done = 1;
	take(event);
	w->in_done = 0;
}

static struct job *job_new(struct world *w, enum kind kind, struct side *side)
{
	struct job *job = w->spare;

	if (!job)
		job = calloc(1, sizeof(*job));
	w->spare = NULL;
	job->w = w;
	job->kind = kind;
	job->side = side;
	job->piece = NULL;
	job->size = 0;
	job->pooled = 0;
	job->op.done = pick(w, 8) || kind == ACCEPT ? done : NULL;
	if (pick(w, 6) == 0 && kind != ACCEPT)
		job->op.deadline_ns = now_ns() + pick(w, 3000000);
	return job;
}

/* Books a start; what did not start must have a reason that fits. */
static void job_started(struct world *w, struct job *job, int rc)
{
	if (rc == 0) {
		job->live = 1;
		job->place = w->job_count;
		w->jobs[w->job_count++] = job;
		w->starts++;
		return;
	}
	if (job->piece) {
		struct wire *wire = job->kind == SEND ? job->side->out : job->side->in;

		piece_end(w, wire, job->piece, rc, NULL);
	}
	if (rc != -ENOTCONN && !(rc == -EPIPE && job->kind == SEND) &&
	    !((rc == -EISCONN || rc == -EALREADY) && job->kind == CONNECT))
		fault(w, "not started", (int)job->kind, rc);
	job->op.deadline_ns = 0;
	job_free(w, job);
}

#endif
