/* SPDX-License-Identifier: MIT */
/* The kernel behind a policy: what it holds a process to, and what it says it does not. */
#define _GNU_SOURCE
#include "policy_kit.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#define ALWAYS (SOQ_HARDEN_ADDRESSES | SOQ_HARDEN_OTHERS | SOQ_HARDEN_ACCEPT | SOQ_HARDEN_THREADS)

/* What a child has seen behind the wall; nothing of it is checked there. */
struct seen {
	int hardened, raw_good, raw_bad, soq_good, soq_bad, bind_chosen, bind_low;
	int privileges_before, privileges_after;
	uint32_t gaps;
};

struct child {
	struct soq_policy *policy;
	struct soq_loop_options options; /* its loop's; `detached`: none */
	int is_detached;
	struct soq_endpoint good, bad;
};

static int try_raw_connect(const struct soq_endpoint *ep)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, &ep->addr.any, ep->size_bytes) == 0 ? 0 : -errno;
}

static int try_raw_bind(const char *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct soq_endpoint ep;

	if (soq_endpoint_parse(address, &ep) != 0)
		return -EINVAL;
	return bind(fd, &ep.addr.any, ep.size_bytes) == 0 ? 0 : -errno;
}

/* Without the policy: what stops it is the kernel. */
static int try_soq_connect(struct soq_loop *loop, const struct soq_endpoint *ep)
{
	struct soq_socket *s = NULL;
	int error = soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s);

	return error != 0 ? error : soq_connect(s, ep);
}

static struct seen look(const struct child *c)
{
	struct soq_loop *loop = NULL;
	struct seen seen = { .privileges_before = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) };

	seen.hardened = soq_harden(c->policy, &seen.gaps);
	seen.privileges_after = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	seen.raw_good = try_raw_connect(&c->good);
	seen.raw_bad = try_raw_connect(&c->bad);
	seen.bind_chosen = try_raw_bind("127.0.0.1:0");
	seen.bind_low = try_raw_bind("127.0.0.1:7");
	seen.soq_good = c->is_detached ? 0 : soq_loop_create(&c->options, &loop);
	if (seen.soq_good != 0)
		return seen;
	seen.soq_good = try_soq_connect(loop, &c->good);
	seen.soq_bad = try_soq_connect(loop, &c->bad);
	return seen;
}

static struct seen look_in_child(const struct child *c)
{
	struct seen seen;
	int ends[2], status = 0;
	pid_t pid;

	expect(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		seen = look(c);
		_exit(write(ends[1], &seen, sizeof(seen)) != (ssize_t)sizeof(seen));
	}
	expect_true(pid > 0);
	close(ends[1]);
	expect(read(ends[0], &seen, sizeof(seen)), sizeof(seen));
	close(ends[0]);
	expect(waitpid(pid, &status, 0), pid);
	expect(status, 0);
	return seen;
}

static struct child child_open(struct fixture *t, int fds[2])
{
	struct child c = { .is_detached = t->home == NULL };

	options_of_tier(t, &c.options);
	c.options.allocator = NULL; /* which counts for the parent */
	fds[0] = quiet_listener(AF_INET, &c.good);
	fds[1] = quiet_listener(AF_INET, &c.bad);
	return c;
}

static void child_close(struct child *c, const int fds[2])
{
	soq_policy_release(c->policy);
	close(fds[0]);
	close(fds[1]);
}

static void kernel_holds_tcp_to_the_ports_of_the_policy(struct fixture *t)
{
	int fds[2];
	struct child c = child_open(t, fds);
	struct seen seen;

	c.policy = policy_of("default deny\n"
			     "allow connect tcp 127.0.0.0/8 %u\n"
			     "allow connect udp *\n"
			     "allow bind tcp 127.0.0.1 1024-1030\n",
			     port_of(&c.good));
	seen = look_in_child(&c);
	expect(seen.hardened, 0);
	expect(seen.gaps & ALWAYS, ALWAYS);
	expect(seen.raw_good, 0);
	expect(seen.soq_good, 0);
	if (seen.gaps & SOQ_HARDEN_NOTHING) {
		/* And then it is said of all of it. */
		expect(seen.gaps & (SOQ_HARDEN_CONNECT | SOQ_HARDEN_BIND),
		       SOQ_HARDEN_CONNECT | SOQ_HARDEN_BIND);
		expect(seen.raw_bad, 0);
		expect(seen.soq_bad, 0);
		expect(seen.privileges_after, seen.privileges_before);
	} else {
		expect(seen.gaps, ALWAYS);
		expect(seen.raw_bad, -EACCES);
		expect(seen.soq_bad, -EACCES);
		expect(seen.bind_low, -EACCES);
		/* The kernel would choose another than those. */
		expect(seen.bind_chosen, -EACCES);
		expect(seen.privileges_after, 1);
		/* Nobody has come but by the two connects. */
		expect_nobody(fds[1]);
	}
	child_close(&c, fds);
}

static void what_the_policy_leaves_open_is_told(struct fixture *t)
{
	static const struct {
		const char *rules;
		uint32_t gaps;
	} cases[] = {
		{ "default allow\ndeny connect tcp 192.0.2.1\n",
		  SOQ_HARDEN_CONNECT | SOQ_HARDEN_BIND },
		{ "default deny\nallow connect,bind tcp 127.0.0.1\n",
		  SOQ_HARDEN_CONNECT | SOQ_HARDEN_BIND },
		{ "default deny\nallow connect tcp *\n", SOQ_HARDEN_CONNECT },
		{ "default deny\nallow bind tcp *\n", SOQ_HARDEN_BIND },
		/* Other transports are no reason to open a port of TCP. */
		{ "default deny\nallow any udp,raw,unix *\n", 0 },
	};
	int fds[2];

	for (unsigned i = 0; i < COUNT_OF(cases); i++) {
		struct child c = child_open(t, fds);
		struct seen seen;

		c.policy = policy_of("%s", cases[i].rules);
		seen = look_in_child(&c);
		expect(seen.hardened, 0);
		if (!(seen.gaps & SOQ_HARDEN_NOTHING)) {
			expect(seen.gaps, ALWAYS | cases[i].gaps);
			expect(seen.raw_bad, cases[i].gaps & SOQ_HARDEN_CONNECT ? 0 : -EACCES);
			expect(seen.bind_chosen, cases[i].gaps & SOQ_HARDEN_BIND ? 0 : -EACCES);
		}
		child_close(&c, fds);
	}
}

static void port_denied_everywhere_is_shut(struct fixture *t)
{
	int fds[2];
	struct child c = child_open(t, fds);
	struct seen seen;

	c.policy = policy_of("default allow\n"
			     "deny connect tcp * %u\n"
			     "deny bind any * 1-32767\n"
			     "deny connect tcp 127.0.0.1\n",
			     port_of(&c.bad));
	seen = look_in_child(&c);
	expect(seen.hardened, 0);
	expect(seen.raw_good, 0);
	if (!(seen.gaps & SOQ_HARDEN_NOTHING)) {
		expect(seen.gaps, ALWAYS);
		expect(seen.raw_bad, -EACCES);
		expect(seen.soq_bad, -EACCES);
		expect(seen.bind_low, -EACCES);
		expect(seen.bind_chosen, 0);
	}
	child_close(&c, fds);
}

static void narrowed_policies_leave_the_ports_of_both(struct fixture *t)
{
	int fds[2];
	struct child c = child_open(t, fds);
	struct soq_policy *first = policy_of("default deny\nallow connect tcp * %u\n"
					     "allow connect tcp * %u\n",
					     port_of(&c.good), port_of(&c.bad));
	struct soq_policy *second = policy_of("default deny\nallow connect tcp * %u\n",
					      port_of(&c.good));
	struct seen seen;

	expect(soq_policy_narrow(first, second, &c.policy), 0);
	seen = look_in_child(&c);
	expect(seen.hardened, 0);
	expect(seen.raw_good, 0);
	expect(seen.raw_bad, seen.gaps & SOQ_HARDEN_NOTHING ? 0 : -EACCES);
	soq_policy_release(first);
	soq_policy_release(second);
	child_close(&c, fds);
}

static const struct conf_case cases[] = {
	SYNC_CASE(kernel_holds_tcp_to_the_ports_of_the_policy, "22h"),
	SYNC_CASE(what_the_policy_leaves_open_is_told, "22h"),
	SYNC_CASE(port_denied_everywhere_is_shut, "22h"),
	SYNC_CASE(narrowed_policies_leave_the_ports_of_both, "22h"),
};

CONF_GROUP(harden, cases)
