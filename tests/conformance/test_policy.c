/* SPDX-License-Identifier: MIT */
/* Policies and connects: where each kind of them may go, and what an address is judged as. */
#define _GNU_SOURCE
#include "policy_kit.h"

#include <sys/stat.h>
#include <sys/un.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Two listeners of the kernel's, and a policy that allows the first alone. */
struct places {
	int allowed_fd, denied_fd;
	struct soq_endpoint allowed, denied;
	struct soq_policy *policy;
	struct soq_socket *s;
};

static void places_open(struct fixture *t, struct places *p, int family)
{
	p->allowed_fd = quiet_listener(family, &p->allowed);
	p->denied_fd = quiet_listener(family, &p->denied);
	p->policy = policy_of("default deny\n"
			      "allow connect tcp 127.0.0.1 %u\n"
			      "allow connect tcp ::1 %u\n",
			      port_of(&p->allowed), port_of(&p->allowed));
	police(t, soq_policy_retain(p->policy));
	p->s = policed(t, p->policy, family, SOCK_STREAM, 0);
}

static void places_close(struct places *p)
{
	expect_nobody(p->denied_fd);
	soq_policy_release(p->policy);
	close(p->allowed_fd);
	close(p->denied_fd);
}

static void connect_goes_where_a_rule_allows(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct places p;
		uint32_t rule;

		places_open(t, &p, families[i]);
		expect(refusals(t, p.s, &rule), 0);
		expect(soq_connect(p.s, &p.denied), -EACCES);
		expect_refused(t, p.s, 0, 0);
		/* A refused connect leaves the socket as it was. */
		expect(soq_connect(p.s, &p.allowed), 0);
		close(raw_accept(p.allowed_fd));
		expect(refusals(t, p.s, &rule), 1);
		expect(soq_abort(p.s), 0);
		places_close(&p);
		run_until(t, stats_of(t).sockets == 0);
	}
}

static void rule_that_denies_wins_wherever_it_stands(struct fixture *t)
{
	static const char *const texts[] = {
		"default allow\nallow any any *\ndeny connect tcp 127.0.0.1",
		"default allow\ndeny connect tcp 127.0.0.1",
		"default deny\nallow connect tcp *\ndeny any any *",
	};
	static const unsigned rules[] = { 2, 1, 2 };

	for (unsigned i = 0; i < COUNT_OF(texts); i++) {
		struct soq_endpoint ep, other;
		int fd = quiet_listener(AF_INET, &ep), fd_other = quiet_listener(AF_INET, &other);
		struct soq_policy *policy;
		struct soq_socket *s;

		policy = policy_of("%s %u\nallow connect tcp 127.0.0.1\n", texts[i], port_of(&ep));
		police(t, soq_policy_retain(policy));
		s = policed(t, policy, AF_INET, SOCK_STREAM, 0);
		expect(soq_connect(s, &ep), -EACCES);
		expect_refused(t, s, 0, rules[i]);
		expect_nobody(fd);
		expect(soq_connect(s, &other), 0);
		expect(soq_abort(s), 0);
		run_until(t, stats_of(t).sockets == 0);
		soq_policy_release(policy);
		close(fd);
		close(fd_other);
	}
}

static void refusal_is_the_event_and_fails_what_waits(struct fixture *t)
{
	struct places p;
	struct probe *connect = probe(t), *send = probe(t), *recv = probe(t), *again_ = probe(t);
	char in[4];

	places_open(t, &p, AF_INET);
	started(connect, soq_connect_async(p.s, &connect->op, &p.denied));
	started(send, soq_send_async(p.s, &send->op, "x", 1, 0));
	started(recv, soq_recv_async(p.s, &recv->op, in, sizeof(in), 0));
	expect(connect->events, 0);
	run_until(t, finished(connect) && finished(send) && finished(recv));
	expect_end(connect, -EACCES, 0);
	expect_end(send, -EACCES, 0);
	expect_end(recv, -EACCES, 0);
	expect_refused(t, p.s, 0, 0);
	expect(soq_loop_counter(t->loop, SOQ_COUNTER_POLICY_REFUSALS), 1);
	started(again_, soq_connect_async(p.s, &again_->op, &p.allowed));
	await(t, again_);
	expect_end(again_, 0, 0);
	expect(soq_abort(p.s), 0);
	places_close(&p);
}

/* The memory is the library's, but who has changed it all the same has changed nothing. */
static void address_changed_after_the_start_changes_nothing(struct fixture *t)
{
	struct places p;
	struct probe *connect = probe(t);
	struct soq_endpoint ep, peer;

	places_open(t, &p, AF_INET);
	ep = p.allowed;
	started(connect, soq_connect_async(p.s, &connect->op, &ep));
	ep = p.denied;
	await(t, connect);
	expect_end(connect, 0, 0);
	expect(soq_socket_peer(p.s, &peer), 0);
	expect_true(soq_endpoint_equal(&peer, &p.allowed));
	expect(soq_abort(p.s), 0);
	places_close(&p);
}

static void cancelled_connects_give_back_their_copy(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct full_listener full;
		struct probe *connect = probe(t);
		struct soq_socket *s;

		full_listener_open(AF_INET, &full);
		police(t, policy_of("default deny\nallow connect tcp 127.0.0.0/8\n"));
		s = open_socket(t, AF_INET);
		started(connect, soq_connect_async(s, &connect->op, &full.ep));
		if (i)
			settle(t);
		expect(soq_cancel(&connect->op), 0);
		await(t, connect);
		expect_end(connect, -ECANCELED, 0);
		expect(soq_close(s), 0);
		run_until(t, stats_of(t).sockets == 0);
		full_listener_close(&full);
	}
}

/* The fixture's memory, while there is any. */
struct scarce {
	const struct soq_allocator *inner;
	int none;
};

static void *scarce_allocate(void *context, size_t size_bytes, size_t align_bytes)
{
	struct scarce *scarce = context;

	return scarce->none
		       ? NULL
		       : scarce->inner->allocate(scarce->inner->context, size_bytes, align_bytes);
}

static void scarce_release(void *context, void *memory, size_t size_bytes)
{
	struct scarce *scarce = context;

	scarce->inner->release(scarce->inner->context, memory, size_bytes);
}

static void connect_without_memory_for_its_copy_says_so(struct fixture *t)
{
	struct scarce scarce = { .inner = &t->allocator };
	const struct soq_allocator allocator = { scarce_allocate, scarce_release, &scarce };
	struct soq_policy *policy = policy_of("default deny\nallow connect tcp 127.0.0.1\n");
	struct soq_loop_options options;
	struct soq_loop *loop = NULL;
	struct soq_socket *s = NULL;
	struct soq_endpoint ep;
	int fd = quiet_listener(AF_INET, &ep);

	options_of_tier(t, &options);
	options.allocator = &allocator;
	options.policy = policy;
	expect(soq_loop_create(&options, &loop), 0);
	soq_policy_release(policy);
	expect(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s), 0);
	scarce.none = 1;
	expect(soq_connect(s, &ep), -ENOMEM);
	expect_nobody(fd);
	scarce.none = 0;
	expect(soq_connect(s, &ep), 0);
	expect(soq_abort(s), 0);
	expect_true(soq_loop_run(loop, SOQ_RUN_IDLE, FOREVER) >= 0);
	expect(soq_loop_destroy(loop), 0);
	close(fd);
}

static void each_address_of_a_list_is_judged(struct fixture *t)
{
	struct places p;
	struct soq_connect_list list = { .size = sizeof(list), .type = SOCK_STREAM };
	struct soq_endpoint endpoints[3];
	struct soq_socket *s = NULL;
	int32_t errors[3];

	places_open(t, &p, AF_INET);
	expect(soq_close(p.s), 0);
	endpoints[0] = p.denied;
	endpoints[1] = p.allowed;
	endpoints[2] = p.denied;
	list.endpoints = endpoints;
	list.errors = errors;
	list.endpoint_count = 3;
	if (t->home == NULL)
		list.policy = p.policy;
	expect(soq_connect_list(t->home, &list, FOREVER, &s), 0);
	expect(errors[0], -EACCES);
	expect(errors[1], 0);
	expect(errors[2], 0);
	close(raw_accept(p.allowed_fd));
	expect(soq_abort(s), 0);
	list.endpoint_count = 1;
	expect(soq_connect_list(t->home, &list, FOREVER, &s), -EACCES);
	/* A loop has its own. */
	list.policy = p.policy;
	expect(soq_connect_list(t->loop, &list, FOREVER, &s), -EINVAL);
	places_close(&p);
}

static void name_of_a_list_may_allow_or_deny(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd = quiet_listener(AF_INET, &ep);
	struct soq_policy *policy = policy_of("default deny\n"
					      "allow connect tcp www.example.org\n"
					      "allow connect tcp bad.example.org\n"
					      "deny connect any bad.example.org\n"
					      "allow connect tcp 127.0.0.1 1\n");
	struct soq_connect_list list = { .size = sizeof(list), .type = SOCK_STREAM };
	struct soq_socket *s = NULL;

	police(t, soq_policy_retain(policy));
	list.endpoints = &ep;
	list.endpoint_count = 1;
	if (t->home == NULL)
		list.policy = policy;
	expect(soq_connect_list(t->home, &list, FOREVER, &s), -EACCES);
	list.name = "example.org";
	expect(soq_connect_list(t->home, &list, FOREVER, &s), -EACCES);
	list.name = "bad.example.org";
	expect(soq_connect_list(t->home, &list, FOREVER, &s), -EACCES);
	list.name = "WWW.Example.ORG.";
	expect(soq_connect_list(t->home, &list, FOREVER, &s), 0);
	expect(soq_abort(s), 0);
	close(raw_accept(fd));
	expect_nobody(fd);
	soq_policy_release(policy);
	close(fd);
}

static void first_data_goes_nowhere_when_refused(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct places p;
		int fd;
		char in[4];

		places_open(t, &p, AF_INET);
		expect(soq_connect_data(p.s, &p.denied, "x", 1, i ? SOQ_FAST_OPEN : 0), -EACCES);
		expect_refused(t, p.s, 0, 0);
		expect(soq_connect_data(p.s, &p.allowed, "y", 1, i ? SOQ_FAST_OPEN : 0), 1);
		fd = raw_accept(p.allowed_fd);
		expect(raw_recv(t, fd, in, sizeof(in)), 1);
		expect(in[0], 'y');
		close(fd);
		expect(soq_abort(p.s), 0);
		places_close(&p);
		run_until(t, stats_of(t).sockets == 0);
	}
}

static void mptcp_is_tcp(struct fixture *t)
{
	struct places p;
	struct soq_socket *s;

	places_open(t, &p, AF_INET);
	expect(soq_close(p.s), 0);
	if (soq_supports(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) == 1) {
		s = policed(t, p.policy, AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
		expect(soq_connect(s, &p.denied), -EACCES);
		expect(soq_connect(s, &p.allowed), 0);
		expect(soq_abort(s), 0);
	}
	places_close(&p);
}

static void connect_after_a_disconnect_is_judged_again(struct fixture *t)
{
	struct places p;

	places_open(t, &p, AF_INET);
	expect(soq_connect(p.s, &p.allowed), 0);
	expect(soq_disconnect(p.s, SOQ_REUSE), 0);
	expect(soq_connect(p.s, &p.denied), -EACCES);
	expect_refused(t, p.s, 0, 0);
	expect(soq_close(p.s), 0);
	places_close(&p);
}

static void datagrams_keep_their_peer_when_the_next_is_refused(struct fixture *t)
{
	const struct soq_endpoint first = endpoint("127.0.0.1:9"), next = endpoint("127.0.0.2:9");
	struct soq_policy *policy = policy_of("default deny\nallow connect udp 127.0.0.1\n");
	struct soq_endpoint peer;
	struct soq_socket *s;

	police(t, soq_policy_retain(policy));
	s = policed(t, policy, AF_INET, SOCK_DGRAM, 0);
	expect(soq_connect(s, &next), -EACCES);
	expect(soq_socket_peer(s, &peer), -ENOTCONN);
	expect(soq_connect(s, &first), 0);
	expect(soq_connect(s, &next), -EACCES);
	expect(soq_socket_peer(s, &peer), 0);
	expect_true(soq_endpoint_equal(&peer, &first));
	expect(soq_close(s), 0);
	soq_policy_release(policy);
}

/* Where it leads, whatever it is written as. */
static void address_is_judged_as_what_it_leads_to(struct fixture *t)
{
	static const char *const inside[] = {
		"0.0.0.0",
		"127.0.0.1",
		"[::]",
		"[::ffff:127.0.0.1]",
		"[::ffff:0.0.0.0]",
		"[::127.0.0.1]",
		"[64:ff9b::127.0.0.1]",
		"[64:ff9b:1::127.0.0.1]",
		"[64:ff9b:1:7f00:0:100::]",
		"[2002:7f00:1::]",
		"[2001:0:808:808::80ff:fffe]",
		"[2001:0:7f00:1::f7f7:f7f7]",
		"[::ffff:0:127.0.0.1]",
		"[2001:db8::5efe:127.0.0.1]",
		"[2001:db8::200:5efe:127.0.0.1]",
	};
	struct soq_endpoint ep;
	int fd = quiet_listener(AF_INET, &ep);
	struct soq_policy *policy = policy_of("default allow\ndeny connect tcp 127.0.0.0/8\n");

	police(t, soq_policy_retain(policy));
	for (unsigned i = 0; i < COUNT_OF(inside); i++) {
		struct soq_endpoint to;
		struct soq_socket *s;
		uint32_t rule;
		uint64_t before;

		to = endpoint_port(inside[i], port_of(&ep));
		/* Takes mapped addresses too. */
		s = policed(t, policy, i < 2 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
		before = refusals(t, s, &rule);
		expect(soq_connect(s, &to), -EACCES);
		expect_refused(t, s, before, 1);
		expect(soq_close(s), 0);
	}
	expect_nobody(fd);
	soq_policy_release(policy);
	close(fd);
}

static void unix_places_are_paths_and_names(struct fixture *t)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct unix_folder folder;
	struct soq_endpoint ep;
	struct soq_policy *policy;

	unix_folder_open(&folder);
	unix_file(&folder, "a", &ep);
	policy = policy_of("default deny\n"
			   "allow connect unix unix:%s/run\n"
			   "allow connect unix unix:@soq-name*\n"
			   "deny connect unix unix:%s/run/inner/\n",
			   folder.path, folder.path);
	police(t, soq_policy_retain(policy));
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		/* Nobody is there: what is not refused is not found. */
		static const struct {
			const char *path;
			int result;
		} cases[] = {
			{ "/run", -ENOENT },           { "/run/x", -ENOENT },
			{ "/runner", -EACCES },        { "/run/inner/x", -EACCES },
			{ "/run/innermost", -ENOENT }, { "/x", -EACCES },
			{ "/run/../x", -EACCES },      { "/run/..", -EACCES },
			{ "/run//inner/x", -EACCES },  { "/run/./x", -EACCES },
		};
		struct soq_socket *s = policed(t, policy, AF_UNIX, types[i], 0);
		struct soq_endpoint to;
		char path[120];

		for (unsigned k = 0; k < COUNT_OF(cases); k++) {
			(void)snprintf(path, sizeof(path), "%s%s", folder.path, cases[k].path);
			expect(soq_endpoint_unix(path, &to), 0);
			expect(soq_connect(s, &to), cases[k].result);
		}
		expect(soq_endpoint_unix("run/x", &to), 0);
		expect(soq_connect(s, &to), -EACCES);
		to = endpoint("unix:@soq-name-nobody-has");
		expect(soq_connect(s, &to), -ECONNREFUSED);
		to = endpoint("unix:@soq-nam");
		expect(soq_connect(s, &to), -EACCES);
		expect(soq_close(s), 0);
	}
	soq_policy_release(policy);
	unix_folder_close(&folder);
}

/* A path longer than any other address, and a queue that is full: it is tried more than once. */
static void unix_connect_waits_for_room_under_a_policy(struct fixture *t)
{
	struct probe *waits = probe(t);
	struct soq_endpoint ep = { 0 };
	struct soq_socket *s;
	int filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int listener = raw_unix_listener(SOCK_STREAM, 0, &ep);

	police(t, policy_of("default deny\nallow connect unix *\n"));
	s = open_socket(t, AF_UNIX);
	expect(connect(filler, &ep.addr.any, ep.size_bytes), 0);
	started(waits, soq_connect_async(s, &waits->op, &ep));
	settle(t);
	expect(waits->events, 0);
	expect(soq_endpoint_unix("/nowhere", &ep), 0);
	close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	await(t, waits);
	expect_end(waits, 0, 0);
	expect(soq_abort(s), 0);
	close(filler);
	close(listener);
}

static const struct conf_case cases[] = {
	SYNC_CASE(connect_goes_where_a_rule_allows, "22a 22g"),
	SYNC_CASE(rule_that_denies_wins_wherever_it_stands, "22b 22g"),
	CASE(refusal_is_the_event_and_fails_what_waits, "22a 22g 1b"),
	CASE(address_changed_after_the_start_changes_nothing, "22e"),
	CASE(cancelled_connects_give_back_their_copy, "19c"),
	CASE(connect_without_memory_for_its_copy_says_so, "19c"),
	SYNC_CASE(each_address_of_a_list_is_judged, "22a"),
	SYNC_CASE(name_of_a_list_may_allow_or_deny, "22a"),
	SYNC_CASE(first_data_goes_nowhere_when_refused, "22a"),
	SYNC_CASE(mptcp_is_tcp, "22a"),
	SYNC_CASE(connect_after_a_disconnect_is_judged_again, "22a"),
	SYNC_CASE(datagrams_keep_their_peer_when_the_next_is_refused, "22a"),
	SYNC_CASE(address_is_judged_as_what_it_leads_to, "22c"),
	SYNC_CASE(unix_places_are_paths_and_names, "22a 22c"),
	CASE(unix_connect_waits_for_room_under_a_policy, "22e"),
};

CONF_GROUP(policy, cases)
