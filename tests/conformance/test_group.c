/* SPDX-License-Identifier: MIT */
/* Groups: their threads made and ended, who may call what, ops that reach a member. */
#define _GNU_SOURCE
#include "group_kit.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>

/* The threads this process has. */
static unsigned threads(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[128];
	unsigned count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "Threads:", 8))
			count = (unsigned)strtoul(line + 8, NULL, 10);
	fclose(file);
	return count;
}

static void *tell_number(void *arg)
{
	*(pid_t *)arg = gettid();
	return NULL;
}

/*
 * Their number at first; ThreadSanitizer adds one of its own to the first that is made. A
 * thread that was joined may be there a little longer.
 */
static unsigned threads_before(void)
{
	pthread_t thread;
	pid_t number = 0;

	expect(pthread_create(&thread, NULL, tell_number, &number), 0);
	pthread_join(thread, NULL);
	until(tgkill(getpid(), number, 0) != 0);
	return threads();
}

#define expect_threads(count) until(threads() == (count))

static void look_at_signals(struct kit *kit, unsigned member, void *arg)
{
	sigset_t blocked;

	(void)arg;
	kit->seen[member].failures += pthread_sigmask(SIG_BLOCK, NULL, &blocked) != 0;
	for (int number = 1; number < SIGRTMAX; number++) {
		bool is_fault = number == SIGSEGV || number == SIGBUS || number == SIGFPE ||
				number == SIGILL || number == SIGTRAP || number == SIGSYS;

		if (number != SIGKILL && number != SIGSTOP && (number < 32 || number >= SIGRTMIN))
			kit->seen[member].failures += sigismember(&blocked, number) == is_fault;
	}
}

static void members_are_threads_with_a_loop_each(struct fixture *t)
{
	unsigned before = threads_before();
	struct kit *kit = kit_open_for(t);
	sigset_t mine;

	expect_threads(before + MEMBERS);
	expect(soq_group_count(kit->group), MEMBERS);
	expect_true(soq_group_loop(kit->group, MEMBERS) == NULL);
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct soq_loop *loop = soq_group_loop(kit->group, i);

		assert_non_null(loop);
		for (unsigned k = 0; k < i; k++)
			expect_true(loop != soq_group_loop(kit->group, k));
		expect(soq_loop_run(loop, SOQ_RUN_ONCE, 0), -EXDEV);
		for (unsigned k = 0; k < i; k++)
			expect_true(!pthread_equal(kit->seen[i].thread, kit->seen[k].thread));
		on_member(kit, i, look_at_signals, NULL);
	}
	expect(pthread_sigmask(SIG_BLOCK, NULL, &mine), 0);
	expect(sigismember(&mine, SIGTERM), 0);
	kit_close(kit);
	expect_threads(before);
}

struct affinity {
	cpu_set_t set;
	unsigned count;
};

static void look_at_affinity(struct kit *kit, unsigned member, void *arg)
{
	struct affinity *affinity = arg;

	kit->seen[member].failures += sched_getaffinity(0, sizeof(affinity->set), &affinity->set) !=
				      0;
	affinity->count = (unsigned)CPU_COUNT(&affinity->set);
}

static void pinned_members_share_the_processors_there_are(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	struct affinity mine, its;
	unsigned cpu = 0;

	expect(sched_getaffinity(0, sizeof(mine.set), &mine.set), 0);
	kit->options.placement = SOQ_PLACE_PINNED;
	kit_open(kit);
	for (unsigned i = 0; i < MEMBERS; i++, cpu = (cpu + 1) % CPU_SETSIZE) {
		while (!CPU_ISSET(cpu, &mine.set))
			cpu = (cpu + 1) % CPU_SETSIZE;
		on_member(kit, i, look_at_affinity, &its);
		expect(its.count, 1);
		expect_true(CPU_ISSET(cpu, &its.set));
	}
	kit_close(kit);
}

static void chosen_processors_are_taken_in_turn(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	struct affinity mine, its;
	uint32_t last = 0;

	expect(sched_getaffinity(0, sizeof(mine.set), &mine.set), 0);
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &mine.set))
			last = cpu;
	kit->options.member_count = 3;
	kit->options.placement = SOQ_PLACE_PINNED;
	kit->options.cpus = &last;
	kit->options.cpu_count = 1;
	kit_open(kit);
	for (unsigned i = 0; i < 3; i++) {
		on_member(kit, i, look_at_affinity, &its);
		expect(its.count, 1);
		expect_true(CPU_ISSET(last, &its.set));
	}
	kit_close(kit);
}

static void without_options_each_processor_has_a_member(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	/* The tier's loop all the same. */
	const struct soq_group_options options = { .size = sizeof(options), .loop = &kit->loop };
	cpu_set_t mine;

	expect(sched_getaffinity(0, sizeof(mine), &mine), 0);
	expect(soq_group_create(&options, &kit->group), 0);
	expect(soq_group_count(kit->group), CPU_COUNT(&mine));
	expect(soq_group_destroy(kit->group), 0);
	kit_free(kit);
}

static int start_or_not(struct soq_group *group, unsigned member, void *user)
{
	(void)kit_start(group, member, user);
	if (member == 5)
		return -EPERM;
	return member == 3 ? -ENODEV : 0;
}

static void failed_start_undoes_everything(struct fixture *t)
{
	unsigned before = threads_before();
	struct kit *kit = kit_make(t);

	kit->options.start = start_or_not;
	expect(soq_group_create(&kit->options, &kit->group), -ENODEV);
	assert_null(kit->group);
	for (unsigned i = 0; i < MEMBERS; i++) {
		expect(kit->seen[i].starts, 1);
		expect(kit->seen[i].stops, i != 3 && i != 5);
	}
	kit_free(kit);
	expect_threads(before);
}

static void loops_that_cannot_be_made_are_the_error(struct fixture *t)
{
	unsigned before = threads_before();
	struct kit *kit = kit_make(t);

	kit->loop.features_off = 1u << 31;
	expect(soq_group_create(&kit->options, &kit->group), -EINVAL);
	assert_null(kit->group);
	expect(kit->seen[0].starts, 0);
	expect(kit->seen[0].stops, 0);
	kit_free(kit);
	expect_threads(before);
}

static void group_without_memory_is_undone(struct fixture *t)
{
	unsigned before = threads_before();
	unsigned failed = 0;
	int rc;

	/* With one allocation more each time, until it is enough. */
	do {
		struct kit *kit = kit_make(t);

		kit->options.member_count = 3;
		atomic_store(&kit->fail_after, failed);
		rc = soq_group_create(&kit->options, &kit->group);
		if (rc == 0) {
			atomic_store(&kit->fail_after, -1);
			kit_close(kit);
		} else {
			expect(rc, -ENOMEM);
			failed++;
			assert_null(kit->group);
			expect(kit->seen[0].starts, kit->seen[0].stops);
			kit_free(kit);
		}
	} while (rc != 0);
	expect_true(failed >= 4);
	expect_threads(before);
}

static void bad_options_are_refused(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	const struct soq_group_options good = kit->options;
	struct soq_group_options *o = &kit->options;
	uint32_t cpu = 0, nowhere = UINT32_MAX, no_such = 8191;

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		*o = good;                                                                         \
		change;                                                                            \
		expect(soq_group_create(o, &kit->group), -EINVAL);                                 \
		assert_null(kit->group);                                                           \
	} while (0)
	REFUSED(o->size = 1);
	REFUSED(o->size = UINT32_MAX);
	REFUSED(o->member_count = SOQ_GROUP_MEMBERS_MAX + 1);
	REFUSED(o->placement = 2);
	REFUSED(o->cpus = &cpu);
	REFUSED(o->cpu_count = 1);
	REFUSED((o->cpus = &cpu, o->cpu_count = 1));
	REFUSED((o->placement = SOQ_PLACE_PINNED, o->cpus = &nowhere, o->cpu_count = 1));
	REFUSED((o->placement = SOQ_PLACE_PINNED, o->cpus = &no_such, o->cpu_count = 1));
	REFUSED(o->reserved[3] = 1);
	expect(soq_group_create(&good, NULL), -EINVAL);
	expect(kit->seen[0].starts, 0);
	kit_free(kit);
}

/* A token that goes round: each member hands it to the next. */
struct token {
	struct soq_op op;
	struct kit *kit;
	unsigned at;
	unsigned steps;
	atomic_uint left;
	unsigned astray;
};

static void token_arrives(const struct soq_event *event)
{
	struct token *token = event->op->user;
	struct kit *kit = token->kit;

	if (event->result != 0 || !pthread_equal(pthread_self(), kit->seen[token->at].thread))
		token->astray++;
	token->at = (token->at + 1) % MEMBERS;
	if (atomic_fetch_sub(&token->left, 1) > 1 &&
	    soq_group_post(kit->group, token->at, &token->op) != 0)
		token->astray++;
}

static void posted_ops_arrive_on_the_members_thread(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	static struct token tokens[4];

	for (unsigned i = 0; i < COUNT_OF(tokens); i++) {
		tokens[i] = (struct token){ .kit = kit, .at = i };
		tokens[i].op.done = token_arrives;
		tokens[i].op.user = &tokens[i];
		atomic_store(&tokens[i].left, 500);
		expect(soq_group_post(kit->group, i, &tokens[i].op), 0);
	}
	for (unsigned i = 0; i < COUNT_OF(tokens); i++)
		until(atomic_load(&tokens[i].left) == 0);
	expect(soq_group_post(kit->group, MEMBERS, &tokens[0].op), -EINVAL);
	expect(soq_group_post(kit->group, 0, NULL), -EINVAL);
	kit_close(kit);
	for (unsigned i = 0; i < COUNT_OF(tokens); i++)
		expect(tokens[i].astray, 0);
}

/* Posts as long as it may; each op is one it posts once. */
struct flood {
	struct kit *kit;
	pthread_t thread;
	struct soq_op ops[2000];
	unsigned posted;
	atomic_uint arrived;
	int end;
};

static void flood_arrives(const struct soq_event *event)
{
	struct flood *flood = event->op->user;

	atomic_fetch_add(&flood->arrived, 1);
}

static void *flood_run(void *arg)
{
	struct flood *flood = arg;

	for (unsigned i = 0; i < COUNT_OF(flood->ops) && flood->end == 0; i++) {
		flood->ops[i].done = flood_arrives;
		flood->ops[i].user = flood;
		flood->end = soq_group_post(flood->kit->group, i % MEMBERS, &flood->ops[i]);
		flood->posted += flood->end == 0;
	}
	return NULL;
}

static void what_was_posted_arrives_though_the_group_stops(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct flood *floods = calloc(3, sizeof(*floods));

	assert_non_null(floods);
	for (unsigned i = 0; i < 3; i++) {
		floods[i].kit = kit;
		expect(pthread_create(&floods[i].thread, NULL, flood_run, &floods[i]), 0);
	}
	until(atomic_load(&floods[0].arrived) > 100);
	expect(soq_group_stop(kit->group), 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(floods[i].thread, NULL);
	kit_expect_ended(kit);
	for (unsigned i = 0; i < 3; i++) {
		expect_true(floods[i].end == 0 || floods[i].end == -ESHUTDOWN);
		expect(atomic_load(&floods[i].arrived), floods[i].posted);
	}
	/* An op that was refused was not started. */
	memset(&floods[0].ops[0], 0, sizeof(floods[0].ops[0]));
	floods[0].ops[0].done = record;
	expect(soq_group_post(kit->group, 0, &floods[0].ops[0]), -ESHUTDOWN);
	expect(soq_cancel(&floods[0].ops[0]), -ENOENT);
	expect_true(soq_group_loop(kit->group, 0) == NULL);
	kit_close(kit);
	free(floods);
}

/* Ops of every kind that would take for ever. */
struct lasting {
	struct soq_op sleep, receive, accept, poll;
	struct soq_op quiet; /* nobody takes its event */
	unsigned ended;
	unsigned wrong;
	char in[4];
};

static void lasting_ended(const struct soq_event *event)
{
	struct lasting *lasting = event->op->user;

	lasting->wrong += event->result != -ECANCELED || event->flags != 0;
	lasting->ended++;
}

static void lasting_begin(struct kit *kit, unsigned member, void *arg)
{
	struct soq_loop *loop = soq_group_loop(kit->group, member);
	struct lasting *lasting = &((struct lasting *)arg)[member];
	struct soq_op *ops[] = { &lasting->sleep, &lasting->receive, &lasting->accept,
				 &lasting->poll };
	struct soq_socket *listener = NULL, *client = NULL, *server = NULL;
	struct soq_endpoint ep;
	int rc = 0;

	for (unsigned i = 0; i < COUNT_OF(ops); i++) {
		ops[i]->done = lasting_ended;
		ops[i]->user = lasting;
	}
	rc |= soq_endpoint_loopback(AF_INET, 0, &ep);
	rc |= soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener);
	rc |= soq_bind(listener, &ep) | soq_listen(listener, 0) | soq_socket_local(listener, &ep);
	rc |= soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &client);
	rc |= soq_connect(client, &ep) | soq_accept(listener, &server, NULL);
	rc |= soq_sleep_async(loop, ops[0], HOUR);
	rc |= soq_recv_async(client, ops[1], lasting->in, 4, 0);
	rc |= soq_accept_async(listener, ops[2], SOQ_MULTISHOT);
	rc |= soq_poll_async(server, ops[3], SOQ_POLL_RECV, 0);
	rc |= soq_sleep_async(loop, &lasting->quiet, HOUR);
	kit->seen[member].failures += rc != 0;
}

static void stop_ends_everything_once(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	static struct lasting lasting[MEMBERS];

	memset(lasting, 0, sizeof(lasting));
	for (unsigned i = 0; i < MEMBERS; i++)
		on_member(kit, i, lasting_begin, lasting);
	expect(soq_group_wait(kit->group, 0), -ETIME);
	kit_close(kit);
	for (unsigned i = 0; i < MEMBERS; i++) {
		expect(lasting[i].ended, 4);
		expect(lasting[i].wrong, 0);
	}
}

static void stop_it_here(struct kit *kit, unsigned member, void *arg)
{
	(void)arg;
	kit->seen[member].failures += soq_group_stop(kit->group) != 0;
}

static void member_may_stop_the_group(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);

	on_member(kit, 5, stop_it_here, NULL);
	expect(soq_group_wait(kit->group, FOREVER), 0);
	kit_close(kit);
}

static void stop_the_loop(struct kit *kit, unsigned member, void *arg)
{
	(void)arg;
	kit->seen[member].failures += soq_loop_stop(soq_group_loop(kit->group, member)) != 0;
}

static void nothing(struct kit *kit, unsigned member, void *arg)
{
	(void)kit;
	(void)member;
	(void)arg;
}

static void stopping_a_loop_ends_no_member(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);

	for (unsigned i = 0; i < 2 * MEMBERS; i++) {
		on_member(kit, i % MEMBERS, stop_the_loop, NULL);
		on_member(kit, i % MEMBERS, nothing, NULL);
	}
	expect(soq_group_wait(kit->group, 0), -ETIME);
	kit_close(kit);
}

static struct soq_group *signal_group;
static int signal_result;

static void stop_by_signal(int number)
{
	(void)number;
	signal_result = soq_group_stop(signal_group);
}

static void signal_handler_may_stop_the_group(struct fixture *t)
{
	struct sigaction action = { .sa_handler = stop_by_signal }, before;
	struct kit *kit = kit_open_for(t);

	signal_group = kit->group;
	signal_result = 1;
	expect(sigaction(SIGUSR1, &action, &before), 0);
	raise(SIGUSR1);
	sigaction(SIGUSR1, &before, NULL);
	expect(signal_result, 0);
	expect(soq_group_wait(kit->group, FOREVER), 0);
	kit_close(kit);
}

/* The calls that are the maker's alone, by another thread. */
struct trial {
	struct kit *kit;
	int64_t rc[8];
	unsigned count;
};

static void try_all(struct trial *trial)
{
	const struct soq_group_listen_options how = { .size = sizeof(how),
						      .accepted = connection_accepted,
						      .user = trial->kit };
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_group *group = trial->kit->group;
	struct soq_endpoint ep = { 0 };

	(void)soq_endpoint_loopback(AF_INET, 0, &ep);
	trial->rc[trial->count++] = soq_group_wait(group, 0);
	trial->rc[trial->count++] = soq_group_listen(group, &ep, &how, NULL);
	trial->rc[trial->count++] = soq_group_stats(group, &stats);
	trial->rc[trial->count++] = soq_group_drain(group, 1);
	trial->rc[trial->count++] = soq_group_destroy(group);
}

static void *try_in_thread(void *arg)
{
	try_all(arg);
	return NULL;
}

static void try_on_member(struct kit *kit, unsigned member, void *arg)
{
	(void)kit;
	(void)member;
	try_all(arg);
}

static void only_the_maker_waits(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct trial trials[2] = { { .kit = kit }, { .kit = kit } };
	pthread_t thread;

	expect(pthread_create(&thread, NULL, try_in_thread, &trials[0]), 0);
	pthread_join(thread, NULL);
	on_member(kit, 2, try_on_member, &trials[1]);
	for (unsigned i = 0; i < 2; i++) {
		expect(trials[i].count, 5);
		for (unsigned k = 0; k < trials[i].count; k++)
			expect(trials[i].rc[k], -EXDEV);
	}
	expect(kit->seen[0].drains, 0);
	kit_close(kit);
}

/* In the child: what the calls say, as a status. */
static int child_tries(struct kit *kit)
{
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_endpoint ep = { 0 };
	struct soq_op op = { 0 };

	(void)soq_endpoint_loopback(AF_INET, 0, &ep);
	if (soq_group_count(kit->group) != -ECHILD || soq_group_stop(kit->group) != -ECHILD ||
	    soq_group_wait(kit->group, 0) != -ECHILD ||
	    soq_group_post(kit->group, 0, &op) != -ECHILD ||
	    soq_group_stats(kit->group, &stats) != -ECHILD ||
	    soq_group_drain(kit->group, 0) != -ECHILD || soq_group_loop(kit->group, 0) != NULL)
		return 1;
	return soq_group_destroy(kit->group) != 0 ? 2 : 0;
}

static void child_is_told_so_and_the_parents_group_goes_on(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct soq_endpoint ep;
	int status = 0, fd;
	pid_t pid;

	kit_listen(kit, &ep);
	fd = client_connect(&ep);
	expect_true(client_ask(fd, 1));
	/* Under valgrind a child dies of what its parent still has. */
	if (!env_number("SOQ_TEST_VALGRIND", 0)) {
		pid = fork();
		if (pid == 0)
			_exit(child_tries(kit));
		expect_true(pid > 0);
		expect(waitpid(pid, &status, 0), pid);
		expect(status, 0);
	}
	expect_true(client_ask(fd, 2));
	close(fd);
	fd = client_connect(&ep);
	expect_true(client_ask(fd, 3));
	close(fd);
	kit_close(kit);
}

static int start_with_pool(struct soq_group *group, unsigned member, void *user)
{
	struct kit *kit = user;

	(void)kit_start(group, member, user);
	return soq_pool_create(soq_group_loop(group, member), NULL,
			       (struct soq_pool **)&kit->seen[member].more);
}

static void stop_with_pool(struct soq_group *group, unsigned member, void *user)
{
	struct kit *kit = user;

	kit_stop(group, member, user);
	if (member != 1)
		kit->seen[member].failures += soq_pool_destroy(kit->seen[member].more) != 0;
}

static void pool_left_behind_is_busy(struct fixture *t)
{
	struct kit *kit = kit_make(t);

	kit->options.member_count = 3;
	kit->options.start = start_with_pool;
	kit->options.stop = stop_with_pool;
	kit_open(kit);
	expect(soq_group_destroy(kit->group), -EBUSY);
	expect_true(soq_group_loop(kit->group, 1) == NULL);
	expect(soq_group_destroy(kit->group), -EBUSY);
	expect(soq_pool_destroy(kit->seen[1].more), 0);
	expect(kit->seen[0].failures + kit->seen[2].failures, 0);
	expect(soq_group_destroy(kit->group), 0);
	kit_free(kit);
}

static void counters_of_all_members_are_added_up(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_endpoint ep;
	int fds[20];

	kit_listen(kit, &ep);
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = client_connect(&ep);
		expect_true(client_ask(fds[i], i));
	}
	expect(soq_group_stats(kit->group, &stats), 0);
	expect(stats.accepts, COUNT_OF(fds));
	expect(stats.sockets, COUNT_OF(fds) + MEMBERS);
	expect(stats.bytes_received, COUNT_OF(fds) * 8);
	expect(stats.bytes_sent, COUNT_OF(fds) * 8);
	expect_true(stats.ops_in_flight >= COUNT_OF(fds) + MEMBERS);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	until(atomic_load(&kit->connections) == 0);
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	/* What has ended is still counted. */
	expect(soq_group_stats(kit->group, &stats), 0);
	expect(stats.accepts, COUNT_OF(fds));
	expect(stats.bytes_received, COUNT_OF(fds) * 8);
	expect(soq_group_stats(kit->group, &(struct soq_loop_stats){ .size = 1 }), -EINVAL);
	kit_close(kit);
}

static const struct conf_case cases[] = {
	CASE(members_are_threads_with_a_loop_each, "16a 18c"),
	CASE(pinned_members_share_the_processors_there_are, ""),
	CASE(chosen_processors_are_taken_in_turn, ""),
	CASE(without_options_each_processor_has_a_member, ""),
	CASE(failed_start_undoes_everything, ""),
	CASE(loops_that_cannot_be_made_are_the_error, ""),
	CASE(group_without_memory_is_undone, "19c"),
	CASE(bad_options_are_refused, ""),
	CASE(posted_ops_arrive_on_the_members_thread, "16c"),
	CASE(what_was_posted_arrives_though_the_group_stops, "1b 16c"),
	CASE(stop_ends_everything_once, "1b 6a"),
	CASE(member_may_stop_the_group, ""),
	CASE(stopping_a_loop_ends_no_member, "16d"),
	CASE(signal_handler_may_stop_the_group, "16c"),
	CASE(only_the_maker_waits, "16a"),
	CASE(child_is_told_so_and_the_parents_group_goes_on, "17a 17b"),
	CASE(pool_left_behind_is_busy, "15d"),
	CASE(counters_of_all_members_are_added_up, ""),
};

CONF_GROUP(group, cases)
