/* SPDX-License-Identifier: MIT */
/* Other families are carried as they are; and what is the same for all of them. */
#define _GNU_SOURCE
#include "support.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The kernel's list of interfaces, asked for by netlink: a family soq knows nothing of. */
struct question {
	struct nlmsghdr head;
	struct rtgenmsg body;
};

static struct soq_endpoint kernel_endpoint(void)
{
	const struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	struct soq_endpoint ep;

	expect(soq_endpoint_from((const struct sockaddr *)&addr, sizeof(addr), &ep), 0);
	return ep;
}

/* Counts the loopback interface in an answer; sets *end at the last message. */
static int loopbacks_in(const char *bytes, int64_t size, int *end)
{
	const struct nlmsghdr *head = (const void *)bytes;
	unsigned left = (unsigned)size;
	int found = 0;

	for (; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
		const struct ifinfomsg *link = NLMSG_DATA(head);

		*end |= head->nlmsg_type == NLMSG_DONE;
		found += head->nlmsg_type == RTM_NEWLINK && (link->ifi_flags & IFF_LOOPBACK);
	}
	return found;
}

static void netlink_answers_over_soq(struct fixture *t)
{
	const struct question question = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
			  .nlmsg_type = RTM_GETLINK,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			  .nlmsg_seq = 7 },
		.body = { .rtgen_family = AF_UNSPEC },
	};
	struct soq_endpoint kernel = kernel_endpoint(), from, local;
	char text[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_socket *s = NULL;
	char answer[32768] __attribute__((aligned(8)));
	int end = 0, found = 0;

	expect(soq_socket_open(t->home, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &s), 0);
	expect(soq_socket_set_timeouts(s, watchdog_ns(), watchdog_ns()), 0);
	expect(soq_bind(s, &kernel), 0);
	expect(soq_socket_local(s, &local), 0);
	expect(soq_endpoint_equal(&local, &kernel), 0);
	expect_true(soq_endpoint_format(&local, text, sizeof(text)) > 0);
	expect(soq_endpoint_parse(text, &from), 0);
	expect(soq_endpoint_equal(&local, &from), 1);
	expect(soq_send_to(s, &question, question.head.nlmsg_len, 0, &kernel),
	       question.head.nlmsg_len);
	while (!end) {
		int64_t size = soq_recv_from(s, answer, sizeof(answer), 0, &from);

		expect_true(size > 0);
		expect(soq_endpoint_equal(&from, &kernel), 1);
		found += loopbacks_in(answer, size, &end);
	}
	expect(found, 1);
	expect(soq_close(s), 0);
}

static void netlink_answers_asynchronously(struct fixture *t)
{
	struct soq_endpoint kernel = kernel_endpoint(), from;
	struct nlmsghdr noop = { .nlmsg_len = sizeof(noop),
				 .nlmsg_type = NLMSG_MIN_TYPE + 1000,
				 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK };
	struct probe *sent = probe(t), *received = probe(t);
	struct soq_socket *s = NULL;
	char answer[4096] __attribute__((aligned(8)));

	expect(soq_socket_open(t->loop, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &s), 0);
	started(received, soq_recv_from_async(s, &received->op, answer, sizeof(answer), 0, &from));
	settle(t);
	started(sent, soq_send_to_async(s, &sent->op, &noop, sizeof(noop), 0, &kernel));
	await(t, received);
	await(t, sent);

	/* An unknown question is answered by an error that quotes it. */
	expect_end(sent, sizeof(noop), 0);
	expect_true(received->result >= (int64_t)sizeof(struct nlmsghdr));
	memcpy(&noop, answer, sizeof(noop));
	expect(noop.nlmsg_type, NLMSG_ERROR);
	expect(soq_endpoint_equal(&from, &kernel), 1);
	expect(soq_close(s), 0);
}

static void path_of_the_parent_stays_when_a_child_destroys(struct fixture *t)
{
	char folder[] = "/tmp/soq-family-XXXXXX", path[64];
	struct soq_socket *s = NULL;
	struct soq_endpoint ep;
	struct stat found;
	int status = -1;
	pid_t child;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	expect(soq_endpoint_unix(path, &ep), 0);
	expect(soq_socket_open(t->loop, AF_UNIX, SOCK_STREAM, 0, &s), 0);
	expect(soq_bind(s, &ep), 0);
	expect(soq_listen(s, 1), 0);
	expect(soq_loop_run(t->loop, SOQ_RUN_ONCE, 0), 0);
	child = fork();
	if (child == 0)
		_exit(soq_loop_destroy(t->loop) == 0 ? 0 : 1);
	expect(waitpid(child, &status, 0), child);
	expect(status, 0);
	expect(stat(path, &found), 0);
	expect(soq_close(s), 0);
	run_until(t, stats_of(t).sockets == 0);
	expect(stat(path, &found) ? -errno : 0, -ENOENT);
	expect(rmdir(folder), 0);
}

/* Each way a loop can hold something of the new kinds: busy until that has gone. */
static void loop_is_busy_with_messages_and_polls(struct fixture *t)
{
	struct probe *received = probe(t), *polled = probe_quiet(t);
	struct soq_socket *s = NULL, *off = NULL;
	struct soq_event event;
	char in[4];

	expect(soq_socket_open(t->loop, AF_INET, SOCK_DGRAM, 0, &s), 0);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	started(received, soq_recv_async(s, &received->op, in, 4, 0));
	started(polled, soq_poll_async(s, &polled->op, SOQ_POLL_SEND, SOQ_MULTISHOT));
	run_until(t, stats_of(t).events_waiting == 1);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	expect(soq_close(s), 0);
	run_until(t, stats_of(t).sockets == 0);
	expect_end(received, -ECANCELED, 0);
	expect(soq_loop_destroy(t->loop), -EBUSY);
	/* What it had told before is taken first. */
	expect(soq_wait(&polled->op, FOREVER, &event), 0);
	expect(event.flags, SOQ_F_MORE);
	expect(event.result, SOQ_POLL_SEND);
	record(&event);
	expect(wait_end(polled), -ECANCELED);

	/* A detached socket is no business of the loop's. */
	expect(soq_socket_open(t->loop, AF_INET, SOCK_DGRAM, 0, &s), 0);
	expect(soq_socket_detach(s, &off), 0);
	expect(soq_loop_destroy(t->loop), 0);
	t->loop_is_gone = 1;
	expect(soq_close(off), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(netlink_answers_over_soq, "20a"),
	CASE(netlink_answers_asynchronously, "1b"),
	CASE(path_of_the_parent_stays_when_a_child_destroys, "17b"),
	CASE(loop_is_busy_with_messages_and_polls, "15b"),
};

CONF_GROUP(family, cases)
