/* SPDX-License-Identifier: MIT */
/* Groups under a policy: where they listen, who comes, and what is handed over. */
#define _GNU_SOURCE
#include "group_kit.h"

#include <sched.h>
#include <stdio.h>

static struct soq_policy *policy_of(const char *text)
{
	struct soq_policy *policy = NULL;

	expect(soq_policy_parse(text, strlen(text), NULL, &policy), 0);
	return policy;
}

/* A group whose members' loops have the policy. */
static struct kit *kit_under(struct fixture *t, struct soq_policy *policy)
{
	struct kit *kit = kit_make(t);

	kit->loop.policy = policy;
	kit_open(kit);
	return kit;
}

/* A client that is reset: while connect(2) waits already, if the member is quick. */
static void stranger_from(const char *from, const struct soq_endpoint *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct soq_endpoint ep;
	uint64_t byte;

	expect(soq_endpoint_parse(from, &ep), 0);
	expect(bind(fd, &ep.addr.any, ep.size_bytes), 0);
	if (connect(fd, &to->addr.any, to->size_bytes) == 0)
		expect(raw_recv_blocking(fd, &byte, sizeof(byte)), -ECONNRESET);
	else
		expect(errno, ECONNRESET);
	close(fd);
}

static void group_listens_where_it_may_to_whom_it_may(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default deny\n"
					      "allow bind,accept tcp 127.0.0.1\n");
	struct kit *kit = kit_under(t, policy);
	const struct soq_group_listen_options how = { .size = sizeof(how),
						      .accepted = connection_accepted,
						      .user = kit };
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_endpoint ep, out = { 0 };
	int fd;

	/* The group has it as long as it lives. */
	soq_policy_release(policy);
	expect(soq_endpoint_parse("127.0.0.2:0", &ep), 0);
	expect(soq_group_listen(kit->group, &ep, &how, &out), -EACCES);
	expect(out.size_bytes, 0);
	kit_listen(kit, &ep);
	for (unsigned i = 0; i < MEMBERS; i++) {
		stranger_from("127.0.0.2:0", &ep);
		fd = client_connect(&ep);
		expect_true(client_ask(fd, i));
		close(fd);
	}
	until(atomic_load(&kit->connections) == 0);
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	expect(soq_group_stats(kit->group, &stats), 0);
	expect(stats.accepts, MEMBERS);
	expect(stats.policy_refusals, MEMBERS);
	expect(soq_group_destroy(kit->group), 0);
	kit_free(kit);
}

struct arrival {
	struct soq_socket *s;
	atomic_int landed;
};

static void landed(struct soq_group *group, unsigned member, struct soq_socket *s, void *user)
{
	struct arrival *arrival = user;

	(void)group;
	(void)member;
	arrival->s = s;
	if (s != NULL)
		(void)soq_close(s);
	atomic_store(&arrival->landed, 1);
}

static struct soq_socket *under(struct soq_policy *policy)
{
	struct soq_socket *s = NULL;

	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &s), 0);
	expect(soq_socket_set_policy(s, policy), 0);
	return s;
}

static void socket_is_handed_over_only_where_its_policy_is(struct fixture *t)
{
	struct soq_policy *policy = policy_of("default allow\n"),
			  *other = policy_of("default deny\n");
	struct kit *kit = kit_under(t, policy);

	for (unsigned i = 0; i < 2; i++) {
		struct arrival arrival = { .s = NULL };

		expect(soq_group_hand_over(kit->group, under(i ? other : policy), i, landed,
					   &arrival),
		       0);
		until(atomic_load(&arrival.landed));
		expect(arrival.s != NULL, i == 0);
	}
	soq_policy_release(policy);
	soq_policy_release(other);
	kit_close(kit);
}

static const struct conf_case cases[] = {
	CASE(group_listens_where_it_may_to_whom_it_may, "22a 22f"),
	CASE(socket_is_handed_over_only_where_its_policy_is, "22d"),
};

CONF_GROUP(group_policy, cases)
