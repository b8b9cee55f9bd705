/* SPDX-License-Identifier: MIT */
/* Groups that end in the midst of something: with loops that die, and counters being read. */
#define _GNU_SOURCE
#include "group_kit.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* From here on this thread's loop can wait for nothing more. */
static int no_more_waits(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait, 1, 0),
#ifdef SYS_epoll_wait
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_wait, 0, 1),
#else
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
#endif
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = COUNT_OF(code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) |
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void loop_dies(struct kit *kit, unsigned member, void *arg)
{
	(void)arg;
	kit->seen[member].failures += no_more_waits() != 0;
}

static void arrives_nowhere(struct soq_group *group, unsigned member, struct soq_socket *s,
			    void *user)
{
	(void)group;
	(void)member;
	(void)!(s != NULL && soq_abort(s));
	atomic_fetch_add((atomic_uint *)user, 1);
}

static void loop_that_cannot_go_on_ends_the_group(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_endpoint ep;
	atomic_uint told = 0;
	unsigned given = 0;
	int fds[3 * MEMBERS];
	int peer, rc;

	kit_listen(kit, &ep);
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = client_connect(&ep);
		expect_true(client_ask(fds[i], i));
	}
	on_member(kit, 3, loop_dies, NULL);
	expect(kit->seen[3].failures, 0);
	/* Sockets that come meanwhile are told of, or refused. */
	do {
		struct soq_socket *s = pair_raw(t, AF_INET, &peer);

		rc = soq_group_hand_over(kit->group, s, 3, arrives_nowhere, &told);
		given += rc == 0;
		if (rc != 0)
			expect(soq_close(s), 0);
		close(peer);
	} while (rc == 0);
	expect(rc, -ESHUTDOWN);
	expect(soq_group_wait(kit->group, watchdog_ns()), -EIO);
	expect(soq_group_stats(kit->group, &stats), 0);
	expect(stats.sockets, 0);
	expect(stats.ops_in_flight, 0);
	expect(soq_group_drain(kit->group, FOREVER), -ESHUTDOWN);
	expect(atomic_load(&told), given);
	expect(atomic_load(&kit->connections), 0);
	for (unsigned i = 0; i < MEMBERS; i++) {
		expect(kit->seen[i].stops, 1);
		expect(kit->seen[i].failures, 0);
	}
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	expect(soq_group_destroy(kit->group), -EIO);
	kit_free(kit);
}

/* The maker's calls that ask every member, while members end. */
static void counters_may_be_read_while_members_end(struct fixture *t)
{
	for (unsigned i = 0; i < 10; i++) {
		struct kit *kit = kit_open_for(t);
		struct soq_loop_stats stats = { .size = sizeof(stats) };

		expect(soq_group_stop(kit->group), 0);
		while (soq_group_wait(kit->group, 0) == -ETIME)
			expect(soq_group_stats(kit->group, &stats), 0);
		kit_close(kit);
	}
}

/* Callbacks that run the loop, and so take the call to stop that was meant for the member. */
static void run_and_stop(struct soq_group *group, unsigned member, struct kit *kit)
{
	struct soq_loop *loop = soq_group_loop(group, member);

	kit->seen[member].failures += soq_group_stop(group) != 0;
	for (unsigned i = 0; i < 3; i++)
		kit->seen[member].failures += soq_loop_run(loop, SOQ_RUN_ONCE, 0) < 0;
}

static void drain_runs(struct soq_group *group, unsigned member, void *user)
{
	run_and_stop(group, member, user);
}

static void stop_in_a_drain_is_not_lost(struct fixture *t)
{
	struct kit *kit = kit_make(t);

	kit->options.drain = drain_runs;
	kit_open(kit);
	expect_true(soq_group_drain(kit->group, 0) != 0);
	kit_expect_ended(kit);
	kit_close(kit);

	kit = kit_make(t);
	kit->options.drained = drain_runs;
	kit_open(kit);
	expect_true(soq_group_drain(kit->group, 0) != 0);
	kit_expect_ended(kit);
	kit_close(kit);
}

/* Threads that try to post, and go on when they are refused. */
struct nag {
	pthread_t thread;
	struct kit *kit;
	atomic_uint refused;
	atomic_int enough;
};

static void nag_heard(const struct soq_event *event)
{
	(void)event;
}

static void *nag_run(void *arg)
{
	struct nag *nag = arg;
	struct soq_op op = { .done = nag_heard };

	while (!atomic_load(&nag->enough))
		if (soq_group_post(nag->kit->group, 0, &op) == -ESHUTDOWN)
			atomic_fetch_add(&nag->refused, 1);
	return NULL;
}

static void refused_posters_do_not_hold_up_the_end(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	static struct nag nags[8];

	memset(nags, 0, sizeof(nags));
	for (unsigned i = 0; i < COUNT_OF(nags); i++) {
		nags[i].kit = kit;
		expect(pthread_create(&nags[i].thread, NULL, nag_run, &nags[i]), 0);
	}
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	for (unsigned i = 0; i < COUNT_OF(nags); i++) {
		until(atomic_load(&nags[i].refused) > 0);
		atomic_store(&nags[i].enough, 1);
		pthread_join(nags[i].thread, NULL);
	}
	kit_close(kit);
}

/* A drain whose member is busy until the time for latecomers has passed. */
#define GRACE_OVER (110 * MS)

static void drain_busy(struct soq_group *group, unsigned member, void *user)
{
	int64_t end_ns = now_ns() + GRACE_OVER;

	kit_drain(group, member, user);
	while (now_ns() < end_ns)
		sched_yield();
}

static int client_from(const char *from, const struct soq_endpoint *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct soq_endpoint ep;

	expect(soq_endpoint_parse(from, &ep), 0);
	expect(bind(fd, &ep.addr.any, ep.size_bytes), 0);
	expect(connect(fd, &to->addr.any, to->size_bytes), 0);
	return fd;
}

static void hold_member(const struct soq_event *event)
{
	while (!atomic_load((atomic_int *)event->op->user))
		sched_yield();
}

static void refused_clients_do_not_hide_those_behind_them(struct fixture *t)
{
	static const char text[] = "default deny\nallow bind,accept tcp 127.0.0.1\n";
	struct kit *kit = kit_make(t);
	struct soq_policy *policy = NULL;
	struct soq_op op = { .done = hold_member };
	atomic_int let_go = 0;
	struct soq_endpoint ep;
	int fds[300], refused[COUNT_OF(fds)];

	expect(soq_policy_parse(text, sizeof(text) - 1, NULL, &policy), 0);
	kit->loop.policy = policy;
	kit->options.member_count = 1;
	kit->options.drain = drain_busy;
	kit_open(kit);
	kit_listen(kit, &ep);
	op.user = &let_go;
	expect(soq_group_post(kit->group, 0, &op), 0);
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		/* Among those that are more than a listener takes in at once. */
		refused[i] = i < 200 ? -1 : client_from("127.0.0.2:0", &ep);
		fds[i] = client_connect(&ep);
		expect_true(fds[i] >= 0);
	}
	expect(soq_group_drain(kit->group, 0), -ETIME);
	atomic_store(&let_go, 1);
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		expect_true(client_ask(fds[i], i));
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		close(fds[i]);
		if (refused[i] >= 0)
			close(refused[i]);
	}
	expect(soq_group_drain(kit->group, watchdog_ns()), 0);
	soq_policy_release(policy);
	kit_close(kit);
}

/* To where it is already, again and again, while its member drains. */
struct circle {
	struct soq_group *group;
	atomic_uint rounds;
	unsigned failures;
};

static void circle_on(struct soq_group *group, unsigned member, struct soq_socket *s, void *user)
{
	struct circle *circle = user;

	if (atomic_fetch_add(&circle->rounds, 1) < 1000)
		circle->failures += soq_group_hand_over(group, s, member, circle_on, circle) != 0;
	else
		circle->failures += soq_close(s) != 0;
}

static void socket_that_is_handed_to_its_own_member_is_not_drained(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct circle circle = { .group = kit->group };
	struct soq_socket *s;
	int peer;

	s = pair_raw(t, AF_INET, &peer);
	expect(soq_group_hand_over(kit->group, s, 2, circle_on, &circle), 0);
	expect(soq_group_drain(kit->group, watchdog_ns()), 0);
	expect(atomic_load(&circle.rounds), 1001);
	expect(circle.failures, 0);
	close(peer);
	kit_close(kit);
}

/* Closed while a poll that nobody waits for is armed: that ends later, with no event. */
struct quiet {
	struct soq_op op;
	struct soq_socket *s;
	unsigned failures;
};

static void quiet_closes(const struct soq_event *event)
{
	struct quiet *quiet = event->op->user;

	quiet->failures += soq_poll(quiet->s, SOQ_POLL_RECV, 0) != 0;
	quiet->failures += soq_close(quiet->s) != 0;
}

static void quiet_lands(struct soq_group *group, unsigned member, struct soq_socket *s, void *user)
{
	struct quiet *quiet = user;

	quiet->s = s;
	quiet->failures += soq_sleep_async(soq_group_loop(group, member), &quiet->op, 20 * MS) != 0;
}

static void close_without_an_event_ends_a_drain(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct quiet quiet = { .op = { .done = quiet_closes } };
	struct soq_socket *s;
	int peer;

	quiet.op.user = &quiet;
	s = pair_raw(t, AF_INET, &peer);
	expect(soq_group_hand_over(kit->group, s, 4, quiet_lands, &quiet), 0);
	expect(soq_group_drain(kit->group, watchdog_ns()), 0);
	expect(quiet.failures, 0);
	close(peer);
	kit_close(kit);
}

/* A program that closes all there is on a loop, listeners of the group among it. */
struct follower {
	struct soq_socket *s;
	atomic_int landed;
};

static void follower_lands(struct soq_group *group, unsigned member, struct soq_socket *s,
			   void *user)
{
	struct follower *follower = user;

	(void)group;
	(void)member;
	follower->s = s;
	atomic_store(&follower->landed, 1);
}

static void close_all(struct kit *kit, unsigned member, void *arg)
{
	(void)arg;
	kit->seen[member].failures += soq_loop_close_all(soq_group_loop(kit->group, member)) != 0;
}

static void follower_sends(struct kit *kit, unsigned member, void *arg)
{
	struct follower *follower = arg;

	kit->seen[member].failures += soq_send(follower->s, "x", 1, 0) != 1 ||
				      soq_close(follower->s) != 0;
}

static void drain_leaves_alone_what_came_after_a_closed_listener(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct follower follower = { .s = NULL };
	struct soq_endpoint ep;
	struct soq_socket *s;
	char byte = 0;
	int peer;

	kit_listen(kit, &ep);
	on_member(kit, 6, close_all, NULL);
	/* In the place of the listener, where places are used again. */
	s = pair_raw(t, AF_INET, &peer);
	expect(soq_group_hand_over(kit->group, s, 6, follower_lands, &follower), 0);
	until(atomic_load(&follower.landed));
	expect(soq_group_drain(kit->group, GRACE_OVER), -ETIME);
	on_member(kit, 6, follower_sends, &follower);
	expect(raw_recv_blocking(peer, &byte, 1), 1);
	expect(soq_group_drain(kit->group, watchdog_ns()), 0);
	close(peer);
	kit_close(kit);
}

/* A member that always has something to do. */
struct busy {
	struct soq_op op;
	struct kit *kit;
	atomic_int enough;
	atomic_uint rounds;
};

static void busy_again(const struct soq_event *event)
{
	struct busy *busy = event->op->user;

	atomic_fetch_add(&busy->rounds, 1);
	if (!atomic_load(&busy->enough) && soq_group_post(busy->kit->group, 1, &busy->op) != 0)
		busy->kit->seen[1].failures++;
}

static void busy_member_is_drained_too(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct busy busy = { .op = { .done = busy_again }, .kit = kit };

	busy.op.user = &busy;
	expect(soq_group_post(kit->group, 1, &busy.op), 0);
	until(atomic_load(&busy.rounds) > 2);
	expect(soq_group_drain(kit->group, watchdog_ns()), 0);
	atomic_store(&busy.enough, 1);
	kit_close(kit);
}

/* Before it runs a member hands the next one a socket and an op; one of them does not start. */
struct early {
	struct soq_op op;
	atomic_uint told;
	atomic_uint came;
	atomic_uint posted;
};

static struct early earlies[MEMBERS];

static void early_posted(const struct soq_event *event)
{
	struct early *early = event->op->user;

	atomic_fetch_add(&early->posted, event->result == 0);
}

static void early_lands(struct soq_group *group, unsigned member, struct soq_socket *s, void *user)
{
	struct early *early = user;

	(void)group;
	(void)member;
	atomic_fetch_add(&early->told, 1);
	if (s != NULL && soq_close(s) == 0)
		atomic_fetch_add(&early->came, 1);
}

static int start_early(struct soq_group *group, unsigned member, void *user)
{
	struct kit *kit = user;
	struct early *early = &earlies[member];
	unsigned next = (member + 1) % MEMBERS;
	struct soq_socket *s = NULL;

	(void)kit_start(group, member, user);
	early->op.done = early_posted;
	early->op.user = early;
	kit->seen[member].failures += soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &s) != 0 ||
				      soq_group_hand_over(group, s, next, early_lands, early) !=
					      0 ||
				      soq_group_post(group, next, &early->op) != 0;
	return member == 3 && kit->seen[3].more != NULL ? -EPERM : 0;
}

static void what_was_begun_in_start_ends(struct fixture *t)
{
	for (unsigned fails = 0; fails < 2; fails++) {
		struct kit *kit = kit_make(t);

		memset(earlies, 0, sizeof(earlies));
		kit->options.start = start_early;
		kit->seen[3].more = fails ? kit : NULL;
		expect(soq_group_create(&kit->options, &kit->group), fails ? -EPERM : 0);
		if (!fails) {
			expect(soq_group_drain(kit->group, watchdog_ns()), 0);
			expect(soq_group_destroy(kit->group), 0);
		}
		for (unsigned i = 0; i < MEMBERS; i++) {
			expect(kit->seen[i].failures, 0);
			expect(kit->seen[i].stops, !fails || i != 3);
			expect(atomic_load(&earlies[i].posted), 1);
			expect(atomic_load(&earlies[i].told), 1);
			expect(atomic_load(&earlies[i].came), !fails);
		}
		kit_free(kit);
	}
}

/* The last that a member does begins something, and asks the group for what it cannot have. */
static void stop_begins(struct soq_group *group, unsigned member, void *user)
{
	struct kit *kit = user;
	struct early *early = &earlies[member];
	struct soq_loop *loop = soq_group_loop(group, member);
	struct soq_socket *s = NULL;

	kit_stop(group, member, user);
	early->op.done = early_posted;
	early->op.user = early;
	kit->seen[member].failures +=
		soq_group_post(group, member, &early->op) != -ESHUTDOWN ||
		soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s) != 0 ||
		soq_group_hand_over(group, s, member, early_lands, early) != -ESHUTDOWN ||
		soq_group_stop(group) != 0 || soq_group_drain(group, 0) == 0 ||
		soq_group_destroy(group) != -EXDEV || soq_loop_post(loop, &early->op) != 0;
}

static void what_is_begun_in_stop_ends(struct fixture *t)
{
	struct kit *kit = kit_make(t);

	memset(earlies, 0, sizeof(earlies));
	kit->options.stop = stop_begins;
	kit_open(kit);
	kit_close(kit);
	for (unsigned i = 0; i < MEMBERS; i++) {
		expect(atomic_load(&earlies[i].posted), 1);
		expect(atomic_load(&earlies[i].told), 0);
	}
}

static const struct conf_case cases[] = {
	CASE(loop_that_cannot_go_on_ends_the_group, ""),
	CASE(counters_may_be_read_while_members_end, ""),
	CASE(stop_in_a_drain_is_not_lost, ""),
	CASE(refused_posters_do_not_hold_up_the_end, ""),
	CASE(refused_clients_do_not_hide_those_behind_them, ""),
	CASE(close_without_an_event_ends_a_drain, ""),
	CASE(drain_leaves_alone_what_came_after_a_closed_listener, ""),
	CASE(what_was_begun_in_start_ends, ""),
	CASE(what_is_begun_in_stop_ends, ""),
	CASE(busy_member_is_drained_too, ""),
	CASE(socket_that_is_handed_to_its_own_member_is_not_drained, ""),
};

CONF_GROUP(group_end, cases)
