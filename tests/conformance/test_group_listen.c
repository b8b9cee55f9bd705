/* SPDX-License-Identifier: MIT */
/* Groups that listen: one port, a listener on each member; drains, and ends while busy. */
#define _GNU_SOURCE
#include "group_kit.h"

#include <netinet/tcp.h>
#include <sched.h>

static void connections_come_to_every_member_once(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct soq_endpoint ep;
	unsigned sum = 0;
	int fds[256];

	kit_listen(kit, &ep);
	expect_true(soq_endpoint_port(&ep) > 0);
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = client_connect(&ep);
		expect_true(fds[i] >= 0);
	}
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		expect_true(client_send(fds[i], i));
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		expect_true(client_receive(fds[i], i));
	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	until(atomic_load(&kit->connections) == 0);
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	expect(atomic_load(&kit->answers), COUNT_OF(fds));
	for (unsigned i = 0; i < MEMBERS; i++) {
		/* By the kernel's hash: that one has none is as likely as one in a thousand billions. */
		expect_true(kit->seen[i].accepted > 0);
		sum += kit->seen[i].accepted;
	}
	expect(sum, COUNT_OF(fds));
	kit_close(kit);
}

static void both_families_and_many_ports(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct soq_endpoint ep[3];

	kit_listen_as(kit, AF_INET, SOQ_STEER_HASH, &ep[0]);
	kit_listen_as(kit, AF_INET6, SOQ_STEER_HASH, &ep[1]);
	kit_listen_as(kit, AF_INET, SOQ_STEER_HASH, &ep[2]);
	for (unsigned i = 0; i < 3 * MEMBERS; i++) {
		int fd = client_connect(&ep[i % 3]);

		expect_true(fd >= 0);
		expect_true(client_ask(fd, i));
		close(fd);
	}
	kit_close(kit);
}

static void address_that_is_taken_is_refused(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	const struct soq_group_listen_options how = { .size = sizeof(how),
						      .accepted = connection_accepted,
						      .user = kit };
	struct soq_endpoint taken, ours, out = { 0 }, unix_ep;
	int listener = raw_listener(AF_INET, 1, 0, &taken);
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	int fd;

	expect(soq_group_listen(kit->group, &taken, &how, &out), -EADDRINUSE);
	expect(out.size_bytes, 0);
	kit_listen(kit, &ours);
	expect(soq_group_listen(kit->group, &ours, &how, &out), -EADDRINUSE);
	unix_abstract(&unix_ep);
	expect(soq_group_listen(kit->group, &unix_ep, &how, &out), -EAFNOSUPPORT);
	expect(soq_group_stats(kit->group, &stats), 0);
	expect(stats.sockets, MEMBERS);
	close(listener);
	/* And now it is free. */
	expect(soq_group_listen(kit->group, &taken, &how, &out), 0);
	expect_true(soq_endpoint_equal(&taken, &out));
	fd = client_connect(&taken);
	expect_true(client_ask(fd, 1));
	close(fd);
	kit_close(kit);
}

static void options_are_set_on_each_listener(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	const int one = 1;
	const struct soq_option_raw good = { .level = IPPROTO_TCP,
					     .name = TCP_NODELAY,
					     .value = &one,
					     .size_bytes = sizeof(one) };
	const struct soq_option_raw bad = { .level = IPPROTO_TCP,
					    .name = 9999,
					    .value = &one,
					    .size_bytes = sizeof(one) };
	struct soq_group_listen_options how = { .size = sizeof(how),
						.accepted = connection_accepted,
						.user = kit,
						.options = &good,
						.option_count = 1 };
	struct soq_endpoint ep;

	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_group_listen(kit->group, &ep, &how, &ep), 0);
	how.options = &bad;
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_group_listen(kit->group, &ep, &how, NULL), -ENOPROTOOPT);
	how.reserved[0] = 1;
	expect(soq_group_listen(kit->group, &ep, &how, NULL), -EINVAL);
	kit_close(kit);
}

/* Which member has answered: the number tells. */
static void member_told(struct soq_group *group, unsigned member, struct soq_socket *s, void *user)
{
	struct connection *c = user;

	(void)group;
	(void)s;
	c->number = member - 1u;
	connection_answer(c);
}

static int ask_for_member(const struct soq_endpoint *ep)
{
	uint64_t answer = UINT64_MAX;
	int fd = client_connect(ep);

	if (!client_send(fd, 0) || raw_recv_blocking(fd, &answer, sizeof(answer)) != sizeof(answer))
		answer = UINT64_MAX;
	close(fd);
	return (int)answer;
}

static void pin_to(uint32_t cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	expect(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* The processors a test may have. */
static unsigned processors(uint32_t *cpus, cpu_set_t *mine)
{
	unsigned count = 0;

	expect(sched_getaffinity(0, sizeof(*mine), mine), 0);
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE && count < MEMBERS; cpu++)
		if (CPU_ISSET(cpu, mine))
			cpus[count++] = cpu;
	return count;
}

static void program_steers_to_the_processors_member(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	struct soq_endpoint ep;
	uint32_t cpus[MEMBERS];
	cpu_set_t mine;
	unsigned count = processors(cpus, &mine);

	kit->on_request = member_told;
	kit->options.placement = SOQ_PLACE_PINNED;
	kit_open(kit);
	kit_listen_as(kit, AF_INET, SOQ_STEER_CPU, &ep);
	/* On loopback the packets come in on the processor they are sent from. */
	for (unsigned i = 0; i < 4 * count; i++) {
		pin_to(cpus[i % count]);
		expect(ask_for_member(&ep), i % count);
	}
	expect(sched_setaffinity(0, sizeof(mine), &mine), 0);
	kit_close(kit);
}

static void program_steers_members_that_are_anywhere(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	struct soq_endpoint ep;
	uint32_t cpus[MEMBERS];
	cpu_set_t mine;
	unsigned count = processors(cpus, &mine);

	kit->on_request = member_told;
	kit->options.member_count = 3;
	kit_open(kit);
	kit_listen_as(kit, AF_INET6, SOQ_STEER_CPU, &ep);
	for (unsigned i = 0; i < 4 * count; i++) {
		pin_to(cpus[i % count]);
		expect(ask_for_member(&ep), cpus[i % count] % 3);
	}
	expect(sched_setaffinity(0, sizeof(mine), &mine), 0);
	kit_close(kit);
}

/* How much it weighs differs by kernel; that all are served does not. */
static void hint_by_processor_serves_all(struct fixture *t)
{
	struct kit *kit = kit_make(t);
	struct soq_endpoint ep;
	const struct soq_group_listen_options how = { .size = sizeof(how),
						      .steering = SOQ_STEER_INCOMING_CPU,
						      .accepted = connection_accepted,
						      .user = kit };

	kit_open(kit);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_group_listen(kit->group, &ep, &how, NULL), -EINVAL);
	expect(soq_group_destroy(kit->group), 0);
	memset(kit->seen, 0, sizeof(kit->seen));
	kit->options.placement = SOQ_PLACE_PINNED;
	kit_open(kit);
	kit_listen_as(kit, AF_INET, SOQ_STEER_INCOMING_CPU, &ep);
	for (unsigned i = 0; i < 40; i++) {
		int fd = client_connect(&ep);

		expect_true(client_ask(fd, i));
		close(fd);
	}
	kit_close(kit);
}

/* Holds a member's thread until the test lets it go. */
struct hold {
	struct soq_op op;
	atomic_int held;
	atomic_int let_go;
};

static void hold_member(const struct soq_event *event)
{
	struct hold *hold = event->op->user;

	atomic_store(&hold->held, 1);
	while (!atomic_load(&hold->let_go))
		sched_yield();
}

static void hold_all(struct kit *kit, struct hold *holds)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		memset(&holds[i], 0, sizeof(holds[i]));
		holds[i].op.done = hold_member;
		holds[i].op.user = &holds[i];
		expect(soq_group_post(kit->group, i, &holds[i].op), 0);
	}
	for (unsigned i = 0; i < MEMBERS; i++)
		until(atomic_load(&holds[i].held));
}

static void drain_takes_in_who_has_connected(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	static struct hold holds[MEMBERS];
	struct soq_endpoint ep;
	int fds[100];

	kit_listen(kit, &ep);
	hold_all(kit, holds);
	/* All wait in the kernel's queues, some with their request. */
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = client_connect(&ep);
		expect_true(fds[i] >= 0);
		if (i % 2 == 0)
			expect_true(client_send(fds[i], i));
	}
	expect(soq_group_drain(kit->group, 0), -ETIME);
	for (unsigned i = 0; i < MEMBERS; i++)
		atomic_store(&holds[i].let_go, 1);
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		if (i % 2 == 1)
			expect_true(client_send(fds[i], i));
		expect_true(client_receive(fds[i], i));
	}
	expect(soq_group_drain(kit->group, MS), -ETIME);
	/* Still there, and served. */
	for (unsigned i = 0; i < COUNT_OF(fds); i++) {
		expect_true(client_ask(fds[i], 1000 + i));
		close(fds[i]);
	}
	expect(soq_group_drain(kit->group, watchdog_ns()), 0);
	expect(soq_group_drain(kit->group, 0), 0);
	expect(atomic_load(&kit->connections), 0);
	expect(client_connect(&ep), -ECONNREFUSED);
	expect(soq_group_listen(kit->group, &ep,
				&(struct soq_group_listen_options){
					.size = sizeof(struct soq_group_listen_options),
					.accepted = connection_accepted },
				NULL),
	       -EADDRINUSE);
	ep.addr.ipv4.sin_port = 0;
	expect(soq_group_listen(kit->group, &ep,
				&(struct soq_group_listen_options){
					.size = sizeof(struct soq_group_listen_options),
					.accepted = connection_accepted },
				NULL),
	       -ESHUTDOWN);
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	for (unsigned i = 0; i < MEMBERS; i++) {
		expect(kit->seen[i].drains, 1);
		expect(kit->seen[i].drained, 1);
	}
	kit_close(kit);
}

static void drain_of_a_stopped_group_says_so(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct soq_endpoint ep;
	int fd;

	kit_listen(kit, &ep);
	fd = client_connect(&ep);
	expect_true(client_ask(fd, 1));
	expect(soq_group_stop(kit->group), 0);
	expect(soq_group_drain(kit->group, FOREVER), -ESHUTDOWN);
	close(fd);
	kit_close(kit);
}

static void group_that_does_not_listen_drains_at_once(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);

	expect(soq_group_drain(kit->group, FOREVER), 0);
	kit_close(kit);
}

/* Clients that connect, ask a few times, and connect again, until they are refused. */
struct crowd {
	pthread_t thread;
	const struct soq_endpoint *ep;
	struct kit *kit;
	atomic_uint answered;
	unsigned lost; /* connected, and not answered */
	int end;
};

static void *crowd_run(void *arg)
{
	struct crowd *crowd = arg;
	int fd;

	while ((fd = client_connect_again(crowd->ep)) >= 0) {
		for (unsigned i = 0; i < 3; i++)
			if (client_ask(fd, i))
				atomic_fetch_add(&crowd->answered, 1);
			else
				crowd->lost++;
		close(fd);
	}
	crowd->end = fd;
	return NULL;
}

static void crowd_begin(struct kit *kit, struct crowd *crowd, unsigned count,
			const struct soq_endpoint *ep)
{
	for (unsigned i = 0; i < count; i++) {
		crowd[i] = (struct crowd){ .ep = ep, .kit = kit };
		expect(pthread_create(&crowd[i].thread, NULL, crowd_run, &crowd[i]), 0);
	}
	for (unsigned i = 0; i < count; i++)
		until(atomic_load(&crowd[i].answered) >= 100);
}

static void drain_under_load_loses_nobody(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct soq_endpoint ep;
	struct crowd crowd[4];
	unsigned answered = 0;

	kit_listen(kit, &ep);
	crowd_begin(kit, crowd, COUNT_OF(crowd), &ep);
	expect(soq_group_drain(kit->group, watchdog_ns()), 0);
	for (unsigned i = 0; i < COUNT_OF(crowd); i++) {
		pthread_join(crowd[i].thread, NULL);
		expect(crowd[i].lost, 0);
		expect(crowd[i].end, -ECONNREFUSED);
		answered += atomic_load(&crowd[i].answered);
	}
	expect(atomic_load(&kit->answers), answered);
	kit_close(kit);
}

static void stop_under_load_leaves_nothing(struct fixture *t)
{
	struct kit *kit = kit_open_for(t);
	struct soq_endpoint ep;
	struct crowd crowd[4];
	unsigned answered = 0;

	kit_listen(kit, &ep);
	crowd_begin(kit, crowd, COUNT_OF(crowd), &ep);
	expect(soq_group_stop(kit->group), 0);
	for (unsigned i = 0; i < COUNT_OF(crowd); i++) {
		pthread_join(crowd[i].thread, NULL);
		expect_true(crowd[i].end == -ECONNREFUSED || crowd[i].end == -ECONNRESET);
		answered += atomic_load(&crowd[i].answered);
	}
	kit_expect_ended(kit);
	/* One that was sent may have been lost with its connection. */
	expect_true(atomic_load(&kit->answers) >= answered);
	expect(atomic_load(&kit->connections), 0);
	kit_close(kit);
}

static const struct conf_case cases[] = {
	CASE(connections_come_to_every_member_once, ""),
	CASE(both_families_and_many_ports, ""),
	CASE(address_that_is_taken_is_refused, ""),
	CASE(options_are_set_on_each_listener, ""),
	CASE(program_steers_to_the_processors_member, ""),
	CASE(program_steers_members_that_are_anywhere, ""),
	CASE(hint_by_processor_serves_all, ""),
	CASE(drain_takes_in_who_has_connected, ""),
	CASE(drain_of_a_stopped_group_says_so, ""),
	CASE(group_that_does_not_listen_drains_at_once, ""),
	CASE(drain_under_load_loses_nobody, ""),
	CASE(stop_under_load_leaves_nothing, "1b 13a"),
};

CONF_GROUP(group_listen, cases)
