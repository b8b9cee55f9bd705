/* SPDX-License-Identifier: MIT */
/* Zero-copy sends that are cut, broken or outlived by nothing: exactly one final event. */
#define _GNU_SOURCE
#include "work.h"
#include "zerocopy.h"

/* A send whose bytes are handed over while the peer reads nothing. */
struct parked {
	struct soq_socket *s;
	int fd;
	struct probe *p;
	char *bytes;
};

static void cancel_in_done(struct probe *p, const struct soq_event *event)
{
	if (event->flags & SOQ_F_MORE)
		p->start_error = soq_cancel(&p->op);
}

static struct parked parked(struct fixture *t)
{
	struct parked k = { .p = probe(t), .bytes = filled(WIDE_BYTES) };

	k.s = pair_wide(t, AF_INET, &k.fd);
	started(k.p, soq_send_async(k.s, &k.p->op, k.bytes, WIDE_BYTES, SOQ_ZEROCOPY));
	return k;
}

/* Whatever has become of it, both its events tell that all was handed over. */
static void parked_end(struct fixture *t, struct parked *k)
{
	await(t, k->p);
	expect_two(k->p, WIDE_BYTES, 0);
	close(k->fd);
	free(k->bytes);
}

static void cancel_after_the_first_event_changes_nothing(struct fixture *t)
{
	struct parked k = parked(t);

	k.p->then = cancel_in_done;
	run_until(t, more_of(k.p) == 1);
	/* On epoll the final event waits already. */
	expect(k.p->start_error, t->is_uring ? -EALREADY : -ENOENT);
	settle(t);
	expect(k.p->finals, t->is_uring ? 0 : 1);
	raw_take(t, k.fd, 1, 0, WIDE_BYTES);
	parked_end(t, &k);
	expect(soq_close(k.s), 0);
}

static void deadline_after_the_first_event_changes_nothing(struct fixture *t)
{
	struct parked k = parked(t);
	struct probe *later = probe(t);

	run_until(t, more_of(k.p) == 1);
	/* Moved while more follow: but there is nothing left to end. */
	if (is_outstanding(k.p))
		k.p->op.deadline_ns = now_ns();
	started(later, soq_sleep_async(t->loop, &later->op, 2 * MS));
	await(t, later);
	expect(k.p->finals, t->is_uring ? 0 : 1);
	raw_take(t, k.fd, 1, 0, WIDE_BYTES);
	parked_end(t, &k);
	expect(k.p->op.deadline_ns, 0);
	expect(soq_close(k.s), 0);
}

static void cut_send_tells_its_count_twice(struct fixture *t)
{
	char *bytes = filled(BIG_BYTES), *more = filled(50000);

	for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
		struct probe *p = probe(t), *behind = probe(t);
		uint32_t why = by_deadline ? SOQ_F_TIMED_OUT : SOQ_F_CANCELED;
		int fd;
		struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
		uint64_t held;

		if (by_deadline)
			p->op.deadline_ns = now_ns() + 20 * MS;
		started(p, soq_send_async(s, &p->op, bytes, BIG_BYTES, SOQ_ZEROCOPY));
		started(behind, soq_send_async(s, &behind->op, more, 50000, SOQ_ZEROCOPY));
		settle(t);
		if (!by_deadline)
			expect(soq_cancel(&p->op), 0);
		run_until(t, more_of(p) == 1 && finished(behind));
		expect_true(p->more_result > 0 && p->more_result < (int64_t)BIG_BYTES);
		/* No hole in the stream, and no first event for what moved nothing. */
		expect_one(behind, -ECANCELED);

		expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
		expect(raw_drain(t, fd, 1, &held), 0);
		expect(held, p->more_result);
		await(t, p);
		expect_two(p, p->more_result, why);
		expect(soq_close(s), 0);
		close(fd);
	}
	free(bytes);
	free(more);
}

static void send_that_never_began_has_one_event(struct fixture *t)
{
	char *bytes = filled(BIG_BYTES), *more = filled(50000), *most = filled(50000);
	int fd;
	struct soq_socket *s = pair_narrow(t, AF_INET, &fd);
	struct probe *first = probe(t), *p = probe(t), *last = probe(t);

	started(first, soq_send_async(s, &first->op, bytes, BIG_BYTES, 0));
	started(p, soq_send_async(s, &p->op, more, 50000, SOQ_ZEROCOPY));
	started(last, soq_send_async(s, &last->op, most, 50000, SOQ_ZEROCOPY));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_one(p, -ECANCELED);
	raw_take(t, fd, 1, 0, BIG_BYTES);
	raw_take(t, fd, 1, 0, 50000);
	await(t, last);
	expect_end(first, BIG_BYTES, 0);
	expect_two(last, 50000, 0);
	expect(soq_close(s), 0);
	close(fd);
	free(bytes);
	free(more);
	free(most);
}

static void reset_ends_what_is_outstanding_and_what_waits(struct fixture *t)
{
	struct parked k = parked(t);
	char *bytes = filled(BIG_BYTES);
	struct probe *waits = probe(t), *last = probe(t);

	run_until(t, more_of(k.p) == 1);
	started(waits, soq_send_async(k.s, &waits->op, bytes, BIG_BYTES, SOQ_ZEROCOPY));
	started(last, soq_send_async(k.s, &last->op, "x", 1, SOQ_ZEROCOPY));
	settle(t);
	raw_reset(k.fd);
	k.fd = -1;
	await(t, waits);
	await(t, last);
	if (more_of(waits))
		expect_two(waits, waits->more_result, SOQ_F_BROKEN);
	else
		expect_one(waits, -ECONNRESET);
	expect_one(last, more_of(waits) ? -ECANCELED : -ECONNRESET);
	parked_end(t, &k);
	expect(soq_close(k.s), 0);
	free(bytes);
}

static void errors_have_one_event(struct fixture *t)
{
	char *bytes = filled(50000);

	for (int family = 0; family < 2; family++) {
		int fd;
		struct soq_socket *s = family ? pair_unix_raw(t, SOCK_STREAM, &fd)
					      : pair_raw(t, AF_INET, &fd);
		struct probe *p = probe(t), *refused = probe(t);
		char in;

		close(fd);
		expect(soq_recv(s, &in, 1, 0), 0);
		/* TCP learns with the first bytes that nobody is there. */
		if (!family) {
			expect(soq_send(s, "x", 1, 0), 1);
			expect_true(soq_poll(s, SOQ_POLL_URGENT, FOREVER) > 0);
		}
		started(p, soq_send_async(s, &p->op, bytes, 50000, SOQ_ZEROCOPY));
		await(t, p);
		expect_one(p, -EPIPE);
		(void)soq_shutdown(s, SOQ_SHUTDOWN_SEND);
		expect(soq_send_async(s, &refused->op, bytes, 50000, SOQ_ZEROCOPY), -EPIPE);
		expect(soq_close(s), 0);
	}
	free(bytes);
}

static void close_ends_with_the_memory_free(struct fixture *t)
{
	struct parked k = parked(t);
	struct probe *closing = probe(t);
	char in;

	run_until(t, more_of(k.p) == 1);
	started(closing, soq_close_async(k.s, &closing->op));
	settle(t);
	/* The peer gets everything and the end, then the memory is free, then it is closed. */
	expect(closing->finals, t->is_uring ? 0 : 1);
	expect(soq_socket_set_user(k.s, NULL), -EBADF);
	raw_take(t, k.fd, 1, 0, WIDE_BYTES);
	expect(raw_recv(t, k.fd, &in, 1), 0);
	await(t, closing);
	expect_end(closing, 0, 0);
	expect_true(closing->sequence > k.p->sequence);
	parked_end(t, &k);
}

static void close_sends_its_end_before_the_memory_is_free(struct fixture *t)
{
	struct parked k = parked(t);

	run_until(t, more_of(k.p) == 1);
	expect(soq_close(k.s), 0);
	expect(stats_of(t).sockets, t->is_uring ? 1 : 0);
	raw_take(t, k.fd, 1, 0, WIDE_BYTES);
	parked_end(t, &k);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect(stats_of(t).sockets, 0);
}

static void abort_frees_the_memory_without_the_peer(struct fixture *t)
{
	struct parked k = parked(t);

	run_until(t, more_of(k.p) == 1);
	expect(soq_abort(k.s), 0);
	parked_end(t, &k);
}

static void finish_waits_for_the_memory(struct fixture *t)
{
	struct parked k = parked(t);
	struct probe *finish = probe(t);
	char in;

	/* The peer ends its side first and reads late. */
	raw_fin(k.fd);
	started(finish, soq_finish_async(k.s, &finish->op, FOREVER));
	settle(t);
	settle(t);
	expect(finish->finals, t->is_uring ? 0 : 1);
	raw_take(t, k.fd, 1, 0, WIDE_BYTES);
	expect(raw_recv(t, k.fd, &in, 1), 0);
	await(t, finish);
	expect_end(finish, 0, 0);
	expect_true(finish->sequence > k.p->sequence);
	parked_end(t, &k);
}

static void finish_gives_up_at_its_timeout(struct fixture *t)
{
	for (int cancels = 0; cancels < 2; cancels++) {
		struct parked k = parked(t);
		struct probe *finish = probe(t);

		run_until(t, more_of(k.p) == 1);
		/* Without the peer's end the drain waits; with it only the memory does. */
		if (t->is_uring)
			raw_fin(k.fd);
		started(finish, soq_finish_async(k.s, &finish->op, cancels ? FOREVER : 20 * MS));
		settle(t);
		settle(t);
		if (cancels)
			expect(soq_cancel(&finish->op), 0);
		await(t, finish);
		expect_end(finish, cancels ? -ECANCELED : -ETIMEDOUT, 0);
		expect_true(finish->sequence > k.p->sequence);
		parked_end(t, &k);
	}
}

static void close_all_ends_everything(struct fixture *t)
{
	struct parked k[3] = { parked(t), parked(t), parked(t) };
	struct probe *finish = probe(t);

	for (unsigned i = 0; i < COUNT_OF(k); i++)
		run_until(t, more_of(k[i].p) == 1);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	started(finish, soq_finish_async(k[1].s, &finish->op, FOREVER));
	expect(soq_loop_close_all(t->loop), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect_end(finish, -ECANCELED, 0);
	for (unsigned i = 0; i < COUNT_OF(k); i++)
		parked_end(t, &k[i]);
}

static void socket_stays_until_the_memory_is_free(struct fixture *t)
{
	struct parked k = parked(t);
	struct soq_socket *out = NULL;
	int rc;

	run_until(t, more_of(k.p) == 1);
	if (t->is_uring) {
		expect(soq_socket_release(k.s), -EBUSY);
		expect(soq_socket_detach(k.s, &out), -EBUSY);
	}
	raw_take(t, k.fd, 1, 0, WIDE_BYTES);
	parked_end(t, &k);
	rc = soq_socket_release(k.s);
	expect_true(rc >= 0);
	close(rc);
}

static void op_is_the_callers_in_the_final_event(struct probe *p, const struct soq_event *event)
{
	if (event->flags & SOQ_F_MORE)
		p->start_error = soq_send_async(p->arg, &p->op, "x", 1, SOQ_ZEROCOPY);
	else if (p->starts < 5)
		again(p, soq_send_async(p->arg, &p->op, "x", 1, SOQ_ZEROCOPY));
}

static void final_event_alone_gives_the_op_back(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[5];

	p->then = op_is_the_callers_in_the_final_event;
	p->arg = s;
	started(p, soq_send_async(s, &p->op, "x", 1, SOQ_ZEROCOPY));
	run_until(t, p->finals == 5);
	expect(p->start_error, -EBUSY);
	expect(more_of(p), 5);
	expect(raw_recv(t, fd, in, 5), 5);
	expect(soq_close(s), 0);
	close(fd);
}

struct left {
	struct fixture *t;
	struct soq_endpoint ep;
	struct probe *p;
	struct soq_socket *s;
	char *bytes;
	int rc[4];
};

static void *leave_one_outstanding(void *arg)
{
	struct left *left = arg;
	int64_t until_ns = now_ns() + watchdog_ns();
	int queue_bytes = 1 << 20;

	left->rc[0] = soq_socket_open(left->t->loop, AF_INET, SOCK_STREAM, 0, &left->s);
	left->rc[1] = soq_connect(left->s, &left->ep);
	left->rc[2] = soq_option_set(left->s, SOL_SOCKET, SO_SNDBUF, &queue_bytes, sizeof(int));
	left->rc[3] = soq_send_async(left->s, &left->p->op, left->bytes, WIDE_BYTES, SOQ_ZEROCOPY);
	while (left->p->events == 0 && now_ns() < until_ns)
		(void)!soq_loop_run(left->t->loop, SOQ_RUN_ONCE, MS);
	return NULL;
}

static void heir_of_a_loop_gets_the_final_event(struct fixture *t)
{
	struct left left = { .t = t, .p = probe(t), .bytes = filled(WIDE_BYTES) };
	int fd, listener = raw_listener(AF_INET, 1, 32768, &left.ep);
	pthread_t thread;

	left.p->starts = 1;
	expect(pthread_create(&thread, NULL, leave_one_outstanding, &left), 0);
	expect(pthread_join(thread, NULL), 0);
	for (unsigned i = 0; i < COUNT_OF(left.rc); i++)
		expect(left.rc[i], 0);
	fd = raw_accept(listener);
	expect(left.p->finals, t->is_uring ? 0 : 1);

	expect(soq_loop_close_all(t->loop), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	expect_two(left.p, WIDE_BYTES, 0);
	close(fd);
	close(listener);
	free(left.bytes);
}

static const struct conf_case cases[] = {
	CASE(cancel_after_the_first_event_changes_nothing, "1b"),
	CASE(deadline_after_the_first_event_changes_nothing, "1b"),
	CASE(cut_send_tells_its_count_twice, "1b 1c 10b"),
	CASE(send_that_never_began_has_one_event, "1b 10a"),
	CASE(reset_ends_what_is_outstanding_and_what_waits, "1b"),
	CASE(errors_have_one_event, "1b"),
	CASE(close_ends_with_the_memory_free, "13c 13e"),
	CASE(close_sends_its_end_before_the_memory_is_free, "13c"),
	CASE(abort_frees_the_memory_without_the_peer, "13g"),
	CASE(finish_waits_for_the_memory, "13f"),
	CASE(finish_gives_up_at_its_timeout, "13f"),
	CASE(close_all_ends_everything, "15a"),
	CASE(heir_of_a_loop_gets_the_final_event, "1b 16b"),
	CASE(socket_stays_until_the_memory_is_free, ""),
	CASE(final_event_alone_gives_the_op_back, "4a 4b"),
};

CONF_GROUP(zerocopy_end, cases)
