/* SPDX-License-Identifier: MIT */
/*
 * Lifetime at close: a random driver. It opens, connects, accepts, moves bytes, cancels
 * and closes in every way, inside done() and outside, and checks that each op ends once,
 * that nothing comes after a socket's close event, and that what one side received is
 * exactly what the other reported as sent, in order; and that the counters say the same.
 *
 * SOQ_TEST_STEPS is the number of steps (100000), SOQ_TEST_SEED repeats a run.
 */
#define _GNU_SOURCE
#include "random_world.h"

#define ROUNDS 4

static void client_open(struct world *w)
{
	struct soq_endpoint ep;
	struct soq_socket *s;
	struct side *side;
	int rc = soq_socket_open(w->t->loop, w->family, SOCK_STREAM, 0, &s);

	if (rc) {
		fault(w, "open", -1, rc);
		return;
	}
	side = side_new(w, s);
	side->serial = w->side_count++ % COUNT_OF(w->by_serial);
	w->by_serial[side->serial] = side;
	side->out = &side->wires[0];
	side->in = &side->wires[1];
	client_address(w, side->serial, &ep);
	rc = soq_bind(s, &ep);
	if (rc)
		fault(w, "bind", -1, rc);
	(void)soq_socket_set_timeouts(s, pick(w, 200000), pick(w, 200000));
	if (!side_place(w, side)) {
		side->s = NULL;
		rc = soq_close(s);
		if (rc)
			fault(w, "close of a fresh socket", -1, rc);
	}
}

static void start_send(struct world *w, struct side *side)
{
	static const uint32_t modes[] = { 0, 0, 0, SOQ_CORK, SOQ_LAZY, SOQ_LAZY | SOQ_CORK };
	struct job *job = job_new(w, SEND, side);
	uint32_t flags = modes[pick(w, COUNT_OF(modes))];
	size_t a;

	if (pick(w, 3) == 0)
		flags |= SOQ_ZEROCOPY;
	side->zerocopy |= (flags & SOQ_ZEROCOPY) != 0;
	job->flags = flags;
	job->handed_over = 0;
	job->size = pick(w, 8) ? pick(w, 200) : 1 + pick(w, 300000);
	job->buffer = malloc(job->size + 1);
	job->piece = piece_add(&side->out->sent, ++w->keys, 0);
	fill(job->buffer, job->size, job->piece->key, 0);
	a = job->size / 3;
	job->segments[0] = (struct iovec){ job->buffer, a };
	job->segments[1] = (struct iovec){ NULL, 0 };
	job->segments[2] = (struct iovec){ job->buffer + a, job->size - a };
	if (pick(w, 3))
		job_started(w, job,
			    soq_send_async(side->s, &job->op, job->buffer, job->size, flags));
	else
		job_started(w, job, soq_sendv_async(side->s, &job->op, job->segments, 3, flags));
}

static void start_recv(struct world *w, struct side *side)
{
	static const uint32_t modes[] = { 0, 0, 0, SOQ_EXACT, SOQ_EXACT, SOQ_PEEK };
	struct job *job = job_new(w, RECV, side);
	uint32_t flags = modes[pick(w, COUNT_OF(modes))];
	size_t a;

	job->size = 1 + (pick(w, 5) ? pick(w, 300) : pick(w, 200000));
	job->buffer = malloc(job->size);
	job->piece = piece_add(&side->in->received, 0, flags == SOQ_PEEK);
	a = job->size / 2;
	job->segments[0] = (struct iovec){ job->buffer, a };
	job->segments[1] = (struct iovec){ job->buffer + a, job->size - a };
	if (pick(w, 3))
		job_started(w, job,
			    soq_recv_async(side->s, &job->op, job->buffer, job->size, flags));
	else
		job_started(w, job, soq_recvv_async(side->s, &job->op, job->segments, 2, flags));
}

static void start_recv_buf(struct world *w, struct side *side)
{
	struct job *job = job_new(w, RECV, side);

	job->pooled = 1;
	job->flags = pick(w, 2) ? SOQ_MULTISHOT : 0;
	job->size = POOL_BYTES;
	job->piece = piece_add(&side->in->received, 0, 0);
	job_started(w, job, soq_recv_buf_async(side->s, &job->op, w->pool, job->flags));
}

/* A synchronous transfer: behind what waits on its lane, bounded by the timeouts. */
static void sync_transfer(struct world *w, struct side *side)
{
	char buffer[600];
	size_t size = 1 + pick(w, sizeof(buffer));
	struct job as = { .kind = pick(w, 2) ? SEND : RECV, .size = size };
	struct wire *wire = as.kind == SEND ? side->out : side->in;
	struct piece *piece;
	int64_t rc;

	if (as.kind == SEND) {
		piece = piece_add(&wire->sent, ++w->keys, 0);
		fill(buffer, size, piece->key, 0);
		rc = soq_send(side->s, buffer, size, pick(w, 4) ? 0 : SOQ_LAZY);
	} else {
		piece = piece_add(&wire->received, 0, 0);
		rc = soq_recv(side->s, buffer, size, pick(w, 2) ? SOQ_EXACT : 0);
	}
	piece_end(w, wire, piece, rc, as.kind == RECV ? buffer : NULL);
	/* A multishot is armed, or it would wait for a buf that is kept. */
	if (rc == -EBUSY && as.kind == RECV)
		return;
	if (rc > (int64_t)size || (rc < 0 && rc != -ENOTCONN && !allowed(&as, rc, 0)))
		fault(w, "of a synchronous call", (int)as.kind, rc);
}

static void start_connect(struct world *w, struct side *side)
{
	struct job *job;
	int there, rc;

	if (side->out != &side->wires[0])
		return;
	job = job_new(w, CONNECT, side);
	there = pick(w, 16) != 0;
	job->ep = there ? w->ep : w->refused;
	rc = soq_connect_async(side->s, &job->op, &job->ep);
	side->connects += there && rc == 0;
	job_started(w, job, rc);
}

/* Closes in one of six ways; the handle is dead at once. */
static void close_side(struct world *w, struct side *side)
{
	struct soq_socket *s = side->s;
	struct job *job = NULL;
	unsigned way = pick(w, 6);
	int rc;

	side->s = NULL;
	/* After a plain close the kernel may keep memory for a minute, if the peer is silent. */
	if (side->zerocopy && (way == 0 || way == 4))
		way = 3;
	if (way < 3)
		job = job_new(w, CLOSE, side);
	if (way == 0)
		job_started(w, job, soq_close_async(s, &job->op));
	else if (way < 3)
		job_started(w, job, soq_finish_async(s, &job->op, pick(w, 3) * pick(w, 1000000)));
	rc = way == 3 ? soq_abort(s) : way == 4 ? soq_close(s) : 0;
	if (rc)
		fault(w, "close", CLOSE, rc);
	if (way == 5)
		(void)soq_finish(s, pick(w, 300000));
	if (job && !job->live)
		return;
	rc = soq_socket_set_user(s, w);
	if (rc != -EBADF)
		fault(w, "a closed handle lives", CLOSE, rc);
}

static void listen_again(struct world *w)
{
	struct soq_socket *s = NULL;
	struct job *job;

	if (w->listener)
		close_side(w, w->listener);
	if (w->family == AF_UNIX)
		client_address(w, 0x100000 + w->listeners++, &w->ep);
	else
		listener_address(&w->ep);
	if (soq_socket_open(w->t->loop, w->family, SOCK_STREAM, 0, &s) || soq_bind(s, &w->ep) ||
	    soq_listen(s, w->family == AF_UNIX ? 2 : 0) || soq_socket_local(s, &w->ep))
		fault(w, "listen", -1, 0);
	w->listener = side_new(w, s);
	job = job_new(w, ACCEPT, w->listener);
	job_started(w, job, soq_accept_async(s, &job->op, SOQ_MULTISHOT));
}

static void cancel_one(struct world *w)
{
	struct job *job = w->jobs[pick(w, w->job_count)];
	int rc = job->kind == ACCEPT ? 0 : soq_cancel(&job->op);

	if (rc != 0 && rc != -EALREADY && rc != -ENOENT)
		fault(w, "cancel", (int)job->kind, rc);
}

/* Takes what has no done(): waits a moment for one op, then harvests some. */
static void wait_for_one(struct world *w)
{
	struct soq_event events[4];
	struct job *job = w->jobs[pick(w, w->job_count)];
	int quiet = job->op.done == NULL;
	int rc = soq_wait(&job->op, pick(w, 50000), events);

	if (quiet ? rc != 0 && rc != -ETIME : rc != -EINVAL)
		fault(w, "wait", (int)job->kind, rc);
	if (rc == 0)
		take(events);
	if (w->in_done)
		return;
	/* Those that follow in the array are no longer in flight: nothing may pick them. */
	rc = soq_loop_harvest(w->t->loop, events, COUNT_OF(events), 0);
	w->depth += DEPTH_MAX;
	for (int i = 0; i < rc; i++)
		take(&events[i]);
	w->depth -= DEPTH_MAX;
}

static void start_timer(struct world *w)
{
	struct job *job = job_new(w, pick(w, 3) ? SLEEP : POST, NULL);

	if (job->kind == SLEEP)
		job_started(w, job, soq_sleep_async(w->t->loop, &job->op, pick(w, 1000000)));
	else
		job_started(w, job, soq_loop_post(w->t->loop, &job->op));
}

static void shut_down(struct world *w, struct side *side)
{
	struct job *job = job_new(w, SHUTDOWN, side);

	job_started(w, job, soq_shutdown_async(side->s, &job->op, (int)pick(w, 3)));
}

static void start_poll(struct world *w, struct side *side)
{
	struct job *job = job_new(w, POLL, side);
	uint32_t events = 1 + pick(w, 15);

	job_started(w, job,
		    soq_poll_async(side->s, &job->op, events, pick(w, 4) ? 0 : SOQ_MULTISHOT));
}

static void linger(struct world *w, struct side *side)
{
	struct linger linger = { .l_onoff = (int)pick(w, 2), .l_linger = (int)pick(w, 3) };
	int rc = soq_option_set(side->s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));

	if (rc)
		fault(w, "linger", -1, rc);
}

/* What is done to a socket, and what without one. */
static void act_on(struct world *w, struct side *side)
{
	switch (pick(w, 20)) {
	case 0:
	case 1:
	case 2:
		start_connect(w, side);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		start_send(w, side);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		if (pick(w, 2))
			start_recv(w, side);
		else
			start_recv_buf(w, side);
		break;
	case 11:
	case 12:
		sync_transfer(w, side);
		break;
	case 13:
		if (pick(w, 3) == 0)
			shut_down(w, side);
		break;
	case 14:
		linger(w, side);
		break;
	case 15:
		close_side(w, side);
		break;
	case 16:
		start_poll(w, side);
		break;
	default:
		break;
	}
}

static void act(struct world *w)
{
	struct side *side = w->sides[pick(w, SIDES)];
	unsigned what = pick(w, 24);

	w->depth++;
	if (w->job_count >= JOBS_MAX - 10 || what == 0)
		cancel_one(w);
	else if (what == 1)
		start_timer(w);
	else if (what == 2)
		wait_for_one(w);
	else if (what == 3 && pick(w, 100) == 0)
		listen_again(w);
	else if (!side || !side->s)
		client_open(w);
	else
		act_on(w, side);
	w->depth--;
}

static void round_begin(struct world *w, struct fixture *t, int family, uint64_t seed)
{
	int holder;
	const struct soq_pool_options options = { .size = sizeof(options),
						  .share = 1 + (uint32_t)(seed % 6),
						  .class_count = 1,
						  .classes = { { POOL_BYTES, POOL_BUFS } } };

	memset(w, 0, sizeof(*w));
	w->t = t;
	w->pool = pool_open_as(t, &options);
	w->family = family;
	w->seed = seed;
	w->random = (seed + 1) * UINT64_C(2654435761) + UINT64_C(88172645463325252);
	if (family == AF_UNIX) {
		client_address(w, 0x200000, &w->refused);
	} else {
		refused_endpoint(AF_INET, &w->refused, &holder);
		close(holder);
	}
	w->before = stats_of(t);
	listen_again(w);
}

/* Ends what still lives and takes every event. */
static void round_close(struct world *w)
{
	struct watch watch = watch_start();
	struct soq_event event;

	w->depth = DEPTH_MAX; /* nothing new is started */
	for (unsigned i = 0; i < SIDES; i++)
		if (w->sides[i] && w->sides[i]->s)
			close_side(w, w->sides[i]);
	close_side(w, w->listener);
	while (w->job_count > 0 && !w->fault[0] && now_ns() < watch.until_ns) {
		for (unsigned i = 0; i < w->job_count; i++)
			(void)soq_cancel(&w->jobs[i]->op);
		expect_true(soq_loop_run(w->t->loop, SOQ_RUN_ONCE, MS) >= 0);
		while (soq_loop_harvest(w->t->loop, &event, 1, 0) == 1)
			take(&event);
		for (unsigned i = 0; i < SIDES; i++)
			if (w->sides[i] && w->sides[i]->s)
				close_side(w, w->sides[i]);
	}
	while (w->kept_count > 0)
		give_back(w, 0);
	if (w->job_count > 0)
		fault(w, "never ended", (int)w->jobs[0]->kind, w->job_count);
}

/* The counters say what events and results have told. */
static void counters_check(struct world *w)
{
	struct soq_loop_stats now = stats_of(w->t);
	int64_t received = (int64_t)(now.bytes_received - w->before.bytes_received);
	int64_t untold = received - (int64_t)w->told_received;

	if (now.bytes_sent - w->before.bytes_sent != w->told_sent)
		fault(w, "bytes sent, counted and told", SEND, (int64_t)w->told_sent);
	if (untold < 0 || (untold > 0 && !w->lossy))
		fault(w, "bytes received, counted and not told", RECV, untold);
	if (now.connects - w->before.connects != w->told_connects ||
	    now.connects_failed - w->before.connects_failed != w->told_refused)
		fault(w, "connects, counted and told", CONNECT, (int64_t)w->told_connects);
	if (now.connects_in_flight != 0)
		fault(w, "connects that never ended", CONNECT, (int64_t)now.connects_in_flight);
}

static void round_end(struct world *w)
{
	counters_check(w);
	for (struct side *side = w->all, *next; side; side = next) {
		next = side->next;
		for (int i = 0; i < 2; i++) {
			if (side->wires[i].received.first)
				fault(w, "received more than was reported sent", RECV, 0);
			while (side->wires[i].sent.first)
				piece_drop(&side->wires[i].sent);
			while (side->wires[i].received.first)
				piece_drop(&side->wires[i].received);
		}
		free(side);
	}
	free(w->spare);
	if (!w->fault[0] && soq_pool_destroy(w->pool) != 0)
		fault(w, "the end of the pool", -1, 0);
	if (w->starts != w->finals)
		fault(w, "starts without an end", -1, (int64_t)(w->starts - w->finals));
}

static void tell_fault(const struct world *w)
{
	if (!w->fault[0])
		return;
	print_error("SOQ_TEST_SEED=%llu, step %llu: %s\n", (unsigned long long)w->seed,
		    (unsigned long long)w->step, w->fault);
	fail();
}

static void play(struct fixture *t, struct world *w, int family, uint64_t seed, uint64_t steps)
{
	round_begin(w, t, family, seed);
	for (; w->step < steps && !w->fault[0]; w->step++) {
		if (w->step % 1000 == 0)
			alarm((unsigned)(50 * env_number("SOQ_TEST_SLOW", 1)));
		act(w);
		if (pick(w, 5))
			continue;
		if (soq_loop_run(t->loop, SOQ_RUN_ONCE, pick(w, 4) ? 0 : 100000) < 0)
			fault(w, "run", -1, 0);
	}
	if (!w->fault[0])
		round_close(w);
	tell_fault(w);
	round_end(w);
	tell_fault(w);
}

static void random_lives_end_once_and_move_what_they_say(struct fixture *t)
{
	uint64_t steps = env_number("SOQ_TEST_STEPS", 100000);
	uint64_t seed = env_number("SOQ_TEST_SEED", (uint64_t)now_ns() % 1000000007);
	struct world *w = malloc(sizeof(*w));
	uint64_t bytes = 0;

	assert_non_null(w);
	for (unsigned i = 0; i < ROUNDS; i++) {
		play(t, w, i & 1 ? AF_UNIX : AF_INET, seed + i, steps / ROUNDS);
		bytes += w->bytes;
	}
	print_message("seed %llu: %llu bytes compared\n", (unsigned long long)seed,
		      (unsigned long long)bytes);
	free(w);
}

static const struct conf_case cases[] = {
	CASE(random_lives_end_once_and_move_what_they_say,
	     "1b 1c 4a 9a 9b 10a 10b 13a 13b 13e 15a 20b"),
};

CONF_GROUP(random, cases)
