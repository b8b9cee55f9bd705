/* SPDX-License-Identifier: MIT */
/* Lookups that take their time: what goes on meanwhile, and who may leave. */
#define _GNU_SOURCE
#include "net.h"
#include "resolver.h"

#include <sys/wait.h>

/* Far longer than a prompt end takes; a held lookup never ends. */
#define PROMPT_NS (3000 * MS)

static const char *const addresses[] = { "192.0.2.1:0", "[2001:db8::1]:0" };

/* A question of a probe's own. */
struct question {
	struct soq_resolve resolve;
	struct soq_endpoint out[2];
};

static struct question *question(struct fixture *t)
{
	struct question *q = calloc(1, sizeof(*q));

	(void)t;
	assert_non_null(q);
	q->resolve = (struct soq_resolve)QUESTION("host", q->out);
	return q;
}

static struct soq_connect_name connection(void)
{
	return (struct soq_connect_name){ .size = sizeof(struct soq_connect_name),
					  .host = "host",
					  .host_bytes = 4,
					  .port = 9 };
}

static void held(struct fixture *t)
{
	(void)t;
	resolver_open();
	resolver_finds_text(addresses, 2);
	resolver_hold();
}

static void loop_goes_on_beside_a_lookup(struct fixture *t)
{
	struct probe *asked = probe(t), *quiet = probe_quiet(t), *harvested = probe_quiet(t);
	struct question *q = question(t), *of_quiet = question(t), *of_harvested = question(t);
	struct soq_event event;

	held(t);
	started(asked, soq_resolve_async(t->loop, &asked->op, &q->resolve));
	started(quiet, soq_resolve_async(t->loop, &quiet->op, &of_quiet->resolve));
	started(harvested, soq_resolve_async(t->loop, &harvested->op, &of_harvested->resolve));
	expect(soq_resolve_async(t->loop, &asked->op, &q->resolve), -EBUSY);
	resolver_await(3);
	expect(soq_sleep(t->loop, MS), 0);
	settle(t);
	expect(finished(asked), 0);
	expect(soq_wait(&quiet->op, MS, &event), -ETIME);
	resolver_let_go();
	expect(wait_end(quiet), 2);
	expect(finished(asked), 0);
	expect(soq_loop_harvest(t->loop, &event, 1, FOREVER), 1);
	record(&event);
	expect_end(harvested, 2, 0);
	await(t, asked);
	expect_end(asked, 2, 0);
	expect(soq_endpoint_port(&q->out[1]), 80);
	/* The same op again. */
	started(asked, soq_resolve_async(t->loop, &asked->op, &q->resolve));
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) == 1);
	expect_end(asked, 2, 0);
	free(q);
	free(of_quiet);
	free(of_harvested);
	resolver_close();
}

static void synchronous_lookup_lets_others_go_on(struct fixture *t)
{
	struct question *q = question(t), *of_other = question(t);
	struct probe *sleeping = probe_quiet(t), *other = probe(t);
	struct soq_event event;

	held(t);
	started(other, soq_resolve_async(t->loop, &other->op, &of_other->resolve));
	started(sleeping, soq_sleep_async(t->loop, &sleeping->op, 2 * MS));
	expect(soq_resolve(t->loop, &q->resolve, 5 * MS), -ETIMEDOUT);
	/* It came meanwhile, and no done() ran. */
	expect(soq_wait(&sleeping->op, 0, &event), 0);
	record(&event);
	resolver_let_go();
	expect(soq_resolve(t->loop, &q->resolve, FOREVER), 2);
	expect(other->events, 0);
	await(t, other);
	expect_end(other, 2, 0);
	free(q);
	free(of_other);
	resolver_close();
}

static void cancel_ends_a_lookup_at_once(struct fixture *t)
{
	struct question *q = question(t);

	held(t);
	/* Before a thread has it, or after; of a lookup, or of a connect. */
	for (unsigned i = 0; i < 4; i++) {
		struct soq_connect_name name = connection();
		struct probe *p = probe(t);
		int64_t begin_ns = now_ns();

		if (i / 2)
			started(p, soq_connect_name_async(t->loop, &p->op, &name));
		else
			started(p, soq_resolve_async(t->loop, &p->op, &q->resolve));
		if (i % 2)
			resolver_await(1);
		expect(soq_cancel(&p->op), 0);
		expect_true(soq_cancel(&p->op) < 0);
		await(t, p);
		expect_end(p, -ECANCELED, 0);
		expect_true(now_ns() - begin_ns < PROMPT_NS);
	}
	free(q);
	resolver_close();
}

static void deadline_ends_a_lookup_at_once(struct fixture *t)
{
	struct soq_connect_name name = connection();
	struct question *q = question(t);
	struct probe *asked = probe(t), *connecting = probe(t);
	int64_t begin_ns = now_ns();

	held(t);
	asked->op.deadline_ns = begin_ns + 5 * MS;
	connecting->op.deadline_ns = begin_ns + 5 * MS;
	started(asked, soq_resolve_async(t->loop, &asked->op, &q->resolve));
	started(connecting, soq_connect_name_async(t->loop, &connecting->op, &name));
	await(t, asked);
	await(t, connecting);
	expect_end(asked, -ETIMEDOUT, 0);
	expect_end(connecting, -ETIMEDOUT, 0);
	expect_true(now_ns() - begin_ns >= 5 * MS && now_ns() - begin_ns < PROMPT_NS);
	free(q);
	resolver_close();
}

static void timeout_ends_a_synchronous_lookup(struct fixture *t)
{
	struct soq_connect_name name = connection();
	struct question *q = question(t);
	struct soq_socket *s = NULL;
	int64_t begin_ns = now_ns();

	held(t);
	expect(soq_resolve(t->home, &q->resolve, 5 * MS), -ETIMEDOUT);
	expect(soq_resolve(t->home, &q->resolve, 0), -ETIMEDOUT);
	expect(soq_connect_name(t->home, &name, 5 * MS, &s), -ETIMEDOUT);
	expect_true(now_ns() - begin_ns >= 10 * MS && now_ns() - begin_ns < PROMPT_NS);
	assert_null(s);
	resolver_let_go();
	expect(soq_resolve(t->home, &q->resolve, 1000 * PROMPT_NS), 2);
	free(q);
	resolver_close();
}

/* The thread has nothing of the loop's: not even after it. */
static void loop_is_destroyed_while_a_lookup_hangs(struct fixture *t)
{
	struct soq_connect_name name = connection();
	struct question *q = question(t);
	struct probe *asked = probe(t), *connecting = probe(t);
	int64_t begin_ns;

	held(t);
	started(asked, soq_resolve_async(t->loop, &asked->op, &q->resolve));
	started(connecting, soq_connect_name_async(t->loop, &connecting->op, &name));
	resolver_await(2);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	begin_ns = now_ns();
	expect(soq_loop_close_all(t->loop), 0);
	run_until(t, finished(asked) && finished(connecting));
	expect_end(asked, -ECANCELED, 0);
	expect_end(connecting, -ECANCELED, 0);
	expect(soq_loop_destroy(t->loop), 0);
	expect_true(now_ns() - begin_ns < PROMPT_NS);
	t->loop_is_gone = 1;
	free(q);
	expect(resolver_asked().at_work, 2);
	resolver_close();
}

/* In a child of fork(), which has none of its parent's threads. */
static int looks_up_in_a_child(const struct soq_resolve *resolve)
{
	pid_t child = resolver_fork();
	int status = 0;

	if (child == 0)
		_exit(soq_resolve(NULL, resolve, HOUR) == 2 ? 0 : 1);
	expect(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void lookups_at_a_time_are_bounded(struct fixture *t)
{
	enum { AT_A_TIME = 64, GONE = 3 };
	struct question *q[AT_A_TIME], *more = question(t);
	struct probe *p[AT_A_TIME], *late = probe(t), *connecting = probe(t);
	struct soq_connect_name name = connection();

	held(t);
	for (unsigned i = 0; i < AT_A_TIME; i++) {
		q[i] = question(t);
		p[i] = probe(t);
		started(p[i], soq_resolve_async(t->loop, &p[i]->op, &q[i]->resolve));
	}
	resolver_await(AT_A_TIME);
	/* One that was given up counts until the resolver has too; and so for any other loop. */
	expect(soq_cancel(&p[GONE]->op), 0);
	await(t, p[GONE]);
	expect_end(p[GONE], -ECANCELED, 0);
	started(late, soq_resolve_async(t->loop, &late->op, &more->resolve));
	started(connecting, soq_connect_name_async(t->loop, &connecting->op, &name));
	await(t, late);
	await(t, connecting);
	expect_end(late, -EAGAIN, 0);
	expect_end(connecting, -EAGAIN, 0);
	expect(soq_resolve(t->loop, &more->resolve, FOREVER), -EAGAIN);
	expect(soq_resolve(NULL, &more->resolve, 0), -EAGAIN);
	expect(resolver_asked().times, AT_A_TIME);
	expect_true(looks_up_in_a_child(&more->resolve));
	resolver_let_go();
	for (unsigned i = 0; i < AT_A_TIME; i++) {
		await(t, p[i]);
		expect_end(p[i], i == GONE ? -ECANCELED : 2, 0);
		free(q[i]);
	}
	expect(soq_resolve(t->loop, &more->resolve, FOREVER), 2);
	free(more);
	resolver_close();
}

static void thread_takes_no_signals(struct fixture *t)
{
	struct question *q = question(t);
	struct resolver_asked asked;

	resolver_open();
	resolver_finds_text(addresses, 2);
	expect(soq_resolve(t->loop, &q->resolve, FOREVER), 2);
	asked = resolver_asked();
	expect_true(!pthread_equal(asked.thread, pthread_self()));
	for (int number = 1; number < SIGRTMIN; number++)
		if (number != SIGKILL && number != SIGSTOP && number < 32)
			expect_at(sigismember(&asked.blocked, number), 1, "blocked", __FILE__,
				  number);
	/* This thread's are as they were. */
	expect(pthread_sigmask(SIG_BLOCK, NULL, &asked.blocked), 0);
	expect(sigismember(&asked.blocked, SIGTERM), 0);
	free(q);
	resolver_close();
}

static void lookup_without_a_loop_or_a_limit_is_this_threads(struct fixture *t)
{
	struct question *q = question(t);

	(void)t;
	resolver_open();
	resolver_finds_text(addresses, 2);
	expect(soq_resolve(NULL, &q->resolve, FOREVER), 2);
	expect_true(pthread_equal(resolver_asked().thread, pthread_self()));
	free(q);
	resolver_close();
}

static void race_of_answers_and_cancels(struct fixture *t)
{
	static const char *const near[] = { "127.0.0.1:0", "127.0.0.2:0" };
	struct question *q = question(t);
	struct soq_endpoint refused;
	int holder;

	resolver_open();
	resolver_finds_text(near, 2);
	refused_endpoint(AF_INET, &refused, &holder);
	for (unsigned i = 0; i < 200; i++) {
		struct soq_connect_name name = connection();
		struct probe *p = probe(t);

		name.host = "127.0.0.1";
		name.host_bytes = 9;
		if (i % 2)
			name = connection();
		name.port = (uint32_t)soq_endpoint_port(&refused);
		started(p, i % 4 < 2 ? soq_resolve_async(t->loop, &p->op, &q->resolve)
				     : soq_connect_name_async(t->loop, &p->op, &name));
		for (unsigned turns = i % 5; turns > 0; turns--)
			expect_true(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0) >= 0);
		(void)soq_cancel(&p->op);
		await(t, p);
		if (p->result == 0)
			expect(soq_abort(p->socket), 0);
		else if (p->result != 2 && p->result != -ECONNREFUSED)
			expect(p->result, -ECANCELED);
		/* Those that are given up before their thread runs may become too many. */
		if (i % 50 == 49)
			resolver_rest();
	}
	run_until(t, stats_of(t).sockets == 0);
	close(holder);
	free(q);
	resolver_close();
}

static const struct conf_case cases[] = {
	CASE(loop_goes_on_beside_a_lookup, "1b 2a 2b 4b"),
	CASE(synchronous_lookup_lets_others_go_on, "20a"),
	CASE(cancel_ends_a_lookup_at_once, "6a"),
	CASE(deadline_ends_a_lookup_at_once, "6b"),
	SYNC_CASE(timeout_ends_a_synchronous_lookup, "6b"),
	CASE(loop_is_destroyed_while_a_lookup_hangs, "15b"),
	CASE(lookups_at_a_time_are_bounded, "1b"),
	CASE(thread_takes_no_signals, ""),
	CASE(lookup_without_a_loop_or_a_limit_is_this_threads, ""),
	CASE(race_of_answers_and_cancels, "1b"),
};

CONF_GROUP(lookup, cases)
