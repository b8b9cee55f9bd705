/* SPDX-License-Identifier: MIT */
/* Groups, policies and names: structs with one wrong field in each. */
#include "badinput.h"

static void nobody_arrives(struct soq_group *group, unsigned member, struct soq_socket *s,
			   void *user)
{
	(void)group;
	(void)member;
	(void)s;
	(void)user;
}

/* A good way to listen but for what a row changes. */
static struct soq_group_listen_options *listen_of(uint32_t steering)
{
	static struct soq_group_listen_options how;

	how = (struct soq_group_listen_options){ .size = sizeof(how),
						 .steering = steering,
						 .accepted = nobody_arrives };
	return &how;
}

/* No group, and one that lacks everything else. */
void rows_groups(struct fixture *t)
{
	/* On epoll on every tier: valgrind runs no thread while another one sleeps in a ring. */
	const struct soq_loop_options epoll = { .size = sizeof(epoll),
						.backend = SOQ_BACKEND_EPOLL };
	const struct soq_group_options options = { .size = sizeof(options),
						   .member_count = 1,
						   .loop = &epoll };
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	struct soq_group *group = NULL;

	ROW(-EINVAL, soq_group_create(&options, NULL));
	ROW(-EINVAL, soq_group_create(&(struct soq_group_options){ .size = 1 }, &group));
	ROW(0, soq_group_destroy(NULL));
	ROW(-EINVAL, soq_group_stop(NULL));
	ROW(-EINVAL, soq_group_wait(NULL, 0));
	ROW(-EINVAL, soq_group_listen(NULL, &B.ep, listen_of(0), NULL));
	ROW(-EINVAL, soq_group_count(NULL));
	ROW(1, soq_group_loop(NULL, 0) == NULL);
	ROW(-EINVAL, soq_group_post(NULL, 0, B.idle));
	ROW(-EINVAL, soq_group_hand_over(NULL, B.fresh, 0, nobody_arrives, NULL));
	ROW(-EINVAL, soq_group_drain(NULL, 0));
	ROW(-EINVAL, soq_group_stats(NULL, &stats));
	assert_null(group);
	expect(soq_group_create(&options, &group), 0);
	ROW(-EINVAL, soq_group_listen(group, NULL, listen_of(0), NULL));
	ROW(-EINVAL, soq_group_listen(group, &B.ep, NULL, NULL));
	ROW(-EINVAL, soq_group_listen(group, &B.ep, listen_of(3), NULL));
	ROW(-EINVAL, soq_group_listen(group, &B.ep, listen_of(SOQ_STEER_INCOMING_CPU), NULL));
	ROW(-EINVAL,
	    soq_group_listen(group, &B.ep, &(struct soq_group_listen_options){ .size = 1 }, NULL));
	ROW(-EINVAL, soq_group_listen(group, &B.ep,
				      &(struct soq_group_listen_options){
					      .size = sizeof(struct soq_group_listen_options) },
				      NULL));
	ROW(-EAFNOSUPPORT, soq_group_listen(group, &none, listen_of(0), NULL));
	ROW(-EADDRINUSE, soq_group_listen(group, &B.ep, listen_of(0), NULL));
	ROW(1, soq_group_loop(group, 1) == NULL);
	ROW(-EINVAL, soq_group_post(group, 1, B.idle));
	ROW(-EINVAL, soq_group_post(group, 0, NULL));
	ROW(-EBUSY, soq_group_post(group, 0, B.busy));
	ROW(-EINVAL, soq_group_hand_over(group, NULL, 0, nobody_arrives, NULL));
	ROW(-EINVAL, soq_group_hand_over(group, B.fresh, 1, nobody_arrives, NULL));
	ROW(-EINVAL, soq_group_hand_over(group, B.fresh, 0, NULL, NULL));
	ROW(-EBADF, soq_group_hand_over(group, B.closed, 0, nobody_arrives, NULL));
	ROW(-EBUSY, soq_group_hand_over(group, B.s, 0, nobody_arrives, NULL));
	ROW(-EINVAL, soq_group_stats(group, NULL));
	ROW(-EINVAL, soq_group_stats(group, &(struct soq_loop_stats){ .size = 1 }));
	ROW(-ETIME, soq_group_wait(group, 0));
	expect(soq_group_destroy(group), 0);
}

void rows_policy(struct fixture *t)
{
	static const struct soq_policy_rule nothing[1];
	struct soq_policy_error wrong = { .size = 1 };
	struct soq_policy *policy = NULL, *out = NULL;

	ROW(0, soq_policy_public_only(&policy));
	ROW(-EINVAL, soq_policy_public_only(NULL));
	ROW(-EINVAL, soq_policy_parse(NULL, 1, NULL, &out));
	ROW(-EINVAL, soq_policy_parse("", 0, NULL, &out));
	ROW(-EINVAL, soq_policy_parse("default deny", 12, NULL, NULL));
	ROW(-EINVAL, soq_policy_parse("default deny", 12, &wrong, &out));
	ROW(-EFBIG, soq_policy_parse("", SOQ_POLICY_TEXT_MAX + 1, NULL, &out));
	ROW(-EINVAL, soq_policy_read(NULL, NULL, &out));
	ROW(-ENOENT, soq_policy_read("/nowhere/at/all", NULL, &out));
	ROW(-EISDIR, soq_policy_read("/", NULL, &out));
	ROW(-EINVAL, soq_policy_create(NULL, 1, SOQ_POLICY_DENY, NULL, &out));
	ROW(-EINVAL, soq_policy_create(nothing, 1, SOQ_POLICY_DENY, NULL, &out));
	ROW(-EINVAL, soq_policy_create(NULL, 0, (enum soq_policy_verdict)0, NULL, &out));
	ROW(-EINVAL, soq_policy_narrow(NULL, policy, &out));
	ROW(-EINVAL, soq_policy_narrow(policy, NULL, &out));
	ROW(-EINVAL, soq_policy_narrow(policy, policy, NULL));
	ROW(-EINVAL,
	    soq_policy_judge(NULL, SOQ_POLICY_BIND, SOQ_POLICY_TCP, NULL, &bench.ep, NULL));
	ROW(-EINVAL, soq_policy_judge(policy, 0, SOQ_POLICY_TCP, NULL, &bench.ep, NULL));
	ROW(-EINVAL, soq_policy_judge(policy, SOQ_POLICY_BIND, 3, NULL, &bench.ep, NULL));
	ROW(-EINVAL, soq_policy_judge(policy, SOQ_POLICY_BIND, 1, "127.1", &bench.ep, NULL));
	ROW(-EINVAL, soq_policy_judge(policy, SOQ_POLICY_BIND, 1, NULL, &none, NULL));
	ROW(-EINVAL, soq_harden(NULL, &(uint32_t){ 0 }));
	ROW(-EINVAL, soq_harden(policy, NULL));
	ROW(-EINVAL, soq_socket_set_policy(NULL, policy));
	ROW(-EINVAL, soq_socket_set_policy(bench.s, policy));
	ROW(-EINVAL, soq_socket_set_policy(bench.detached, NULL));
	assert_null(soq_policy_retain(NULL));
	soq_policy_release(NULL);
	try_mark("soq_policy_retain(");
	try_mark("soq_policy_release(");
	soq_policy_release(policy);
}

/* One wrong field in each. */
void rows_names(struct fixture *t)
{
#define RESOLVE(...)                                                                               \
	{                                                                                          \
		.size = sizeof(struct soq_resolve), .host = "h", .host_bytes = 1, __VA_ARGS__      \
	}
#define CONNECT(...)                                                                               \
	{                                                                                          \
		.size = sizeof(struct soq_connect_name), .host = "h", .host_bytes = 1, .port = 9,  \
		__VA_ARGS__                                                                        \
	}
	static const struct soq_resolve questions[] = {
		{ .size = 1, .host = "h", .host_bytes = 1 },
		{ .size = sizeof(struct soq_resolve) + 8, .host = "h", .host_bytes = 1 },
		RESOLVE(.family = AF_UNIX),
		RESOLVE(.port = UINT16_MAX + 1),
		RESOLVE(.flags = 1u << 1),
		RESOLVE(.endpoint_max = 1),
		RESOLVE(.reserved0 = 1),
		RESOLVE(.reserved = { [3] = 1 }),
	};
	static const struct soq_connect_name names[] = {
		{ .size = 1, .host = "h", .host_bytes = 1, .port = 9 },
		CONNECT(.family = AF_UNIX),
		CONNECT(.type = SOCK_STREAM | SOCK_NONBLOCK),
		CONNECT(.type = -1),
		{ .size = sizeof(struct soq_connect_name), .host = "h", .host_bytes = 1 },
		{ .size = sizeof(struct soq_connect_name),
		  .host = "h",
		  .host_bytes = 1,
		  .port = UINT16_MAX + 1 },
		CONNECT(.flags = 1u << 1),
		CONNECT(.stagger_ns = 10 * MS - 1),
		CONNECT(.stagger_ns = -1),
		CONNECT(.option_count = 1),
		CONNECT(.reserved = { [2] = 1 }),
	};
	/* A loop has its own. */
	const struct soq_connect_name policed =
		CONNECT(.policy = (struct soq_policy *)(uintptr_t)&questions);
#undef RESOLVE
#undef CONNECT

	for (const struct soq_resolve *q = questions; q < questions + COUNT_OF(questions); q++) {
		ROW(-EINVAL, soq_resolve_async(B.loop, B.idle, q));
		ROW(-EINVAL, soq_resolve(NULL, q, 0));
	}
	for (const struct soq_connect_name *n = names; n < names + COUNT_OF(names); n++) {
		ROW(-EINVAL, soq_connect_name_async(B.loop, B.idle, n));
		ROW(-EINVAL, soq_connect_name(NULL, n, 0, &socket_out));
	}
	ROW(-EINVAL, soq_connect_name_async(B.loop, B.idle, &policed));
	/* In this order: arguments, then whose the loop and the op are. */
	ROW(-EINVAL, soq_resolve_async(B.loop, B.busy, questions));
	ROW(-EINVAL, soq_connect_name_async(B.loop, B.busy, names));
}
