/* SPDX-License-Identifier: MIT */
/* Policies and sockets that come from elsewhere: adopted, attached, detached, narrowed. */
#define _GNU_SOURCE
#include "policy_kit.h"

#include <fcntl.h>

/* A descriptor of the kernel's, connected to an address of which the policies speak. */
static int raw_connected(int type, const char *to, int *listener)
{
	struct soq_endpoint ep = endpoint(to);
	socklen_t size_bytes = sizeof(ep.addr.storage);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	*listener = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	expect(bind(*listener, &ep.addr.any, ep.size_bytes), 0);
	if (type == SOCK_STREAM)
		expect(listen(*listener, 1), 0);
	expect(getsockname(*listener, &ep.addr.any, &size_bytes), 0);
	expect(connect(fd, &ep.addr.any, ep.size_bytes), 0);
	return fd;
}

static const char rules[] = "default deny\n"
			    "allow any any 127.0.0.0/8\n"
			    "deny connect,accept any 127.0.0.2\n"
			    "deny bind any 127.0.0.3\n";

static struct soq_socket *detached_of(int fd)
{
	struct soq_socket *s = NULL;

	expect(soq_socket_adopt(NULL, fd, &s), 0);
	return s;
}

static void adopted_descriptor_is_judged_by_its_peer(struct fixture *t)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	police(t, policy_of("%s", rules));
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct soq_socket *s = NULL;
		int far[2];
		int good = raw_connected(types[i], "127.0.0.1:0", &far[0]);
		int bad = raw_connected(types[i], "127.0.0.2:0", &far[1]);

		expect(soq_socket_adopt(t->loop, bad, &s), -EACCES);
		assert_null(s);
		expect(stats_of(t).policy_refusals, i + 1);
		expect(stats_of(t).last_refused_rule, 2);
		/* It is the caller's as it was. */
		expect(fcntl(bad, F_GETFL) & O_NONBLOCK, 0);
		expect(send(bad, "x", 1, 0), 1);
		expect(soq_socket_adopt(t->loop, good, &s), 0);
		expect(soq_send(s, "x", 1, 0), 1);
		expect(soq_abort(s), 0);
		run_until(t, stats_of(t).sockets == 0);
		close(bad);
		close(far[0]);
		close(far[1]);
	}
}

static void adopted_descriptor_is_judged_by_where_it_is_bound(struct fixture *t)
{
	const struct soq_endpoint good = endpoint("127.0.0.2:0"), bad = endpoint("127.0.0.3:0");
	struct soq_socket *s = NULL;
	int fds[2];

	police(t, policy_of("%s", rules));
	for (unsigned i = 0; i < 2; i++) {
		const struct soq_endpoint *ep = i ? &bad : &good;

		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		expect(bind(fds[i], &ep->addr.any, ep->size_bytes), 0);
	}
	expect(soq_socket_adopt(t->loop, fds[1], &s), -EACCES);
	expect_refused(t, NULL, 0, 3);
	expect(soq_socket_adopt(t->loop, fds[0], &s), 0);
	expect(soq_close(s), 0);
	close(fds[1]);
	/* One that is neither has nothing to be judged. */
	expect(soq_socket_adopt(t->loop, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &s), 0);
	expect(soq_close(s), 0);
}

static void coming_to_a_loop_is_judged_again(struct fixture *t)
{
	struct soq_socket *good, *bad, *s = NULL;
	int far[2];

	police(t, policy_of("%s", rules));
	good = detached_of(raw_connected(SOCK_STREAM, "127.0.0.1:0", &far[0]));
	bad = detached_of(raw_connected(SOCK_STREAM, "127.0.0.2:0", &far[1]));
	expect(soq_socket_attach(t->loop, bad, &s), -EACCES);
	expect_refused(t, NULL, 0, 2);
	/* It is detached as before. */
	expect(soq_send(bad, "x", 1, 0), 1);
	expect(soq_socket_attach(t->loop, good, &s), 0);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(soq_abort(s), 0);
	expect(soq_abort(bad), 0);
	close(far[0]);
	close(far[1]);
}

static struct soq_socket *socket_under(struct soq_policy *policy)
{
	struct soq_socket *s = NULL;

	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &s), 0);
	if (policy != NULL)
		expect(soq_socket_set_policy(s, policy), 0);
	return s;
}

/* Otherwise a socket would be rid of its policy by that. */
static void socket_comes_only_where_its_policy_is(struct fixture *t)
{
	struct soq_policy *own = policy_of("%s", rules);
	struct soq_policy *other = policy_of("default allow\n"), *both = NULL;
	struct soq_socket *s = socket_under(own), *on = NULL;

	/* A loop without, one with another, one with another of the same text. */
	expect(soq_socket_attach(t->loop, s, &on), -EACCES);
	police(t, soq_policy_retain(other));
	expect(soq_socket_attach(t->loop, s, &on), -EACCES);
	police(t, policy_of("%s", rules));
	expect(soq_socket_attach(t->loop, s, &on), -EACCES);
	assert_null(on);

	police(t, soq_policy_retain(own));
	expect(soq_socket_attach(t->loop, s, &on), 0);
	expect(soq_socket_detach(on, &s), 0);
	expect(soq_policy_narrow(other, own, &both), 0);
	police(t, both);
	expect(soq_socket_attach(t->loop, s, &on), 0);
	expect(soq_close(on), 0);
	soq_policy_release(own);
	soq_policy_release(other);
}

static void socket_takes_the_policy_of_its_loop_along(struct fixture *t)
{
	const struct soq_endpoint bad = endpoint("127.0.0.2:9");
	struct soq_policy *policy = policy_of("%s", rules);
	struct soq_socket *s = NULL, *away = NULL;

	police(t, soq_policy_retain(policy));
	expect(soq_socket_open(t->loop, AF_INET, SOCK_STREAM, 0, &s), 0);
	expect(soq_connect(s, &bad), -EACCES);
	expect(soq_socket_detach(s, &away), 0);
	expect(soq_connect(away, &bad), -EACCES);
	/* The policy outlives the loop. */
	expect(soq_loop_destroy(t->loop), 0);
	soq_policy_release(policy);
	expect(soq_connect(away, &bad), -EACCES);
	expect(soq_close(away), 0);
	t->loop_is_gone = 1;
}

static void second_policy_narrows_the_first(struct fixture *t)
{
	struct soq_policy *first = policy_of("default deny\nallow connect tcp 127.0.0.0/8 1-9\n");
	struct soq_policy *second = policy_of("default allow\ndeny connect any 127.0.0.2\n");
	static const struct {
		const char *to;
		int result;
		unsigned rule;
	} cases[] = {
		{ "127.0.0.1:1", -ECONNREFUSED, 0 }, { "127.0.0.2:1", -EACCES, 2 },
		{ "127.0.0.1:10", -EACCES, 0 },      { "127.0.0.2:10", -EACCES, 0 },
		{ "192.0.2.1:1", -EACCES, 0 },
	};

	(void)t;
	for (unsigned order = 0; order < 2; order++)
		for (unsigned i = 0; i < COUNT_OF(cases); i++) {
			struct soq_socket *s = socket_under(order ? second : first);
			struct soq_endpoint to = endpoint(cases[i].to);
			struct soq_socket_info info = { .size = sizeof(info) };

			expect(soq_socket_set_policy(s, order ? first : second), 0);
			/* Again changes nothing. */
			expect(soq_socket_set_policy(s, first), 0);
			expect(soq_connect(s, &to), cases[i].result);
			expect(soq_socket_info(s, &info), 0);
			expect(info.policy_refusals, cases[i].result == -EACCES);
			if (order == 0)
				expect(info.last_refused_rule, cases[i].rule);
			expect(soq_close(s), 0);
		}
	soq_policy_release(first);
	soq_policy_release(second);
}

static void policy_is_not_given_to_who_breaks_it(struct fixture *t)
{
	struct soq_policy *policy = policy_of("%s", rules);
	struct soq_socket_info info = { .size = sizeof(info) };
	const struct soq_endpoint bad = endpoint("127.0.0.3:0");
	struct soq_socket *s;
	int far;

	(void)t;
	s = detached_of(raw_connected(SOCK_STREAM, "127.0.0.2:0", &far));
	expect(soq_socket_set_policy(s, policy), -EACCES);
	expect(soq_socket_info(s, &info), 0);
	expect(info.policy_refusals, 1);
	expect(info.last_refused_rule, 2);
	expect(soq_send(s, "x", 1, 0), 1);
	expect(soq_abort(s), 0);
	close(far);

	s = socket_under(NULL);
	expect(soq_bind(s, &bad), 0);
	expect(soq_socket_set_policy(s, policy), -EACCES);
	expect(soq_close(s), 0);
	soq_policy_release(policy);
}

/* What URLs may lead to: everything public, and nothing inside. */
static void public_only_keeps_a_program_outside(struct fixture *t)
{
	static const char *const inside[] = {
		"127.0.0.1",         "10.1.2.3",        "172.16.0.1",    "192.168.1.1",
		"169.254.169.254",   "100.64.0.1",      "0.0.0.0",       "224.0.0.1",
		"255.255.255.255",   "192.0.2.1",       "[::1]",         "[::]",
		"[fe80::1]",         "[fd00:ec2::254]", "[ff02::1]",     "[::ffff:10.0.0.1]",
		"[64:ff9b::7f00:1]", "[2002:a00:1::]",  "[2001:db8::1]", "[::10.0.0.1]",
	};
	struct soq_policy *policy = NULL;
	struct soq_endpoint to, own;
	struct soq_socket *s;
	uint32_t rule;

	expect(soq_policy_public_only(&policy), 0);
	police(t, soq_policy_retain(policy));
	for (unsigned i = 0; i < COUNT_OF(inside); i++) {
		to = endpoint_port(inside[i], 80);
		s = policed(t, policy, to.addr.any.sa_family, SOCK_STREAM, 0);
		expect(soq_connect(s, &to), -EACCES);
		expect_true(refusals(t, s, &rule) > 0 && rule > 0);
		expect(soq_close(s), 0);
		s = policed(t, policy, to.addr.any.sa_family, SOCK_DGRAM, 0);
		expect(soq_send_to(s, "x", 1, 0, &to), -EACCES);
		expect(soq_close(s), 0);
	}
	unix_abstract(&to);
	s = policed(t, policy, AF_UNIX, SOCK_STREAM, 0);
	expect(soq_connect(s, &to), -EACCES);
	expect(soq_close(s), 0);
	/* It says nothing of who comes. */
	s = policed(t, policy, AF_INET, SOCK_STREAM, 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &own), 0);
	expect(soq_bind(s, &own), 0);
	expect(soq_listen(s, 1), 0);
	expect(soq_close(s), 0);
	soq_policy_release(policy);
}

static const struct conf_case cases[] = {
	CASE(adopted_descriptor_is_judged_by_its_peer, "22d 22g"),
	CASE(adopted_descriptor_is_judged_by_where_it_is_bound, "22d 22g"),
	CASE(coming_to_a_loop_is_judged_again, "22d 22g"),
	CASE(socket_comes_only_where_its_policy_is, "22d"),
	CASE(socket_takes_the_policy_of_its_loop_along, "22d"),
	SYNC_CASE(second_policy_narrows_the_first, "22d"),
	SYNC_CASE(policy_is_not_given_to_who_breaks_it, "22d 22g"),
	SYNC_CASE(public_only_keeps_a_program_outside, "22a 22c"),
};

CONF_GROUP(policy_move, cases)
