/* SPDX-License-Identifier: MIT */
/* Policies and datagrams: each is judged by its address, whatever it is sent with. */
#define _GNU_SOURCE
#include "policy_kit.h"

#include <netinet/udp.h>

static const int families[] = { AF_INET, AF_INET6, AF_UNIX };

/* Two receivers of the kernel's, and a socket whose policy allows to send to the first alone. */
struct ways {
	int allowed_fd, denied_fd;
	struct soq_endpoint allowed, denied;
	struct soq_policy *policy;
	struct soq_socket *s;
	uint64_t before; /* refusals */
};

static void ways_open(struct fixture *t, struct ways *w, int family)
{
	char place[SOQ_ENDPOINT_TEXT_MAX + 1];
	uint32_t rule;

	w->allowed_fd = quiet_receiver(family, &w->allowed);
	w->denied_fd = quiet_receiver(family, &w->denied);
	w->policy = policy_of("default deny\n\nallow send_to any %s\n",
			      place_of(&w->allowed, place));
	police(t, soq_policy_retain(w->policy));
	w->s = policed(t, w->policy, family, SOCK_DGRAM, 0);
	w->before = refusals(t, w->s, &rule);
}

/* What was refused has gone nowhere. */
static void ways_close(struct fixture *t, struct ways *w)
{
	expect_no_datagram(w->allowed_fd);
	expect_no_datagram(w->denied_fd);
	expect(soq_close(w->s), 0);
	run_until(t, stats_of(t).sockets == 0);
	soq_policy_release(w->policy);
	close(w->allowed_fd);
	close(w->denied_fd);
}

static struct soq_message message_to(struct iovec *part, const struct soq_endpoint *ep)
{
	struct soq_message m = { .size = sizeof(m), .segments = part, .segment_count = 1 };

	m.peer = *ep;
	return m;
}

static void each_datagram_is_judged_by_its_address(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct iovec part = { (char[]){ 'm' }, 1 };
		struct soq_message m;
		struct ways w;

		ways_open(t, &w, families[i]);
		expect(soq_send_to(w.s, "a", 1, 0, &w.allowed), 1);
		expect(soq_send_to(w.s, "x", 1, 0, &w.denied), -EACCES);
		expect_refused(t, w.s, w.before, 0);
		m = message_to(&part, &w.denied);
		expect(soq_send_msg(w.s, &m, 0), -EACCES);
		expect_refused(t, w.s, w.before + 1, 0);
		m = message_to(&part, &w.allowed);
		expect(soq_send_msg(w.s, &m, 0), 1);
		expect(soq_send_to(w.s, "", 0, 0, &w.denied), -EACCES);
		expect(soq_send_to(w.s, "b", 1, 0, &w.allowed), 1);
		expect_datagram(w.allowed_fd, "a");
		expect_datagram(w.allowed_fd, "m");
		expect_datagram(w.allowed_fd, "b");
		ways_close(t, &w);
	}
}

static void refused_datagram_is_an_event_and_the_next_goes_on(struct fixture *t)
{
	static const char bytes[] = "abcdef";

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct probe *p[6];
		struct ways w;

		ways_open(t, &w, families[i]);
		for (unsigned k = 0; k < COUNT_OF(p); k++) {
			p[k] = probe(t);
			started(p[k], soq_send_to_async(w.s, &p[k]->op, &bytes[k], 1, 0,
							k % 2 ? &w.denied : &w.allowed));
		}
		expect(p[1]->events, 0);
		run_until(t, finished(p[5]));
		for (unsigned k = 0; k < COUNT_OF(p); k++) {
			expect_end(p[k], k % 2 ? -EACCES : 1, 0);
			expect(p[k]->sequence, i * COUNT_OF(p) + k + 1);
		}
		expect(stats_of(t).policy_refusals, 3);
		expect(soq_loop_counter(t->loop, SOQ_COUNTER_POLICY_REFUSALS), 3);
		expect_datagram(w.allowed_fd, "a");
		expect_datagram(w.allowed_fd, "c");
		expect_datagram(w.allowed_fd, "e");
		ways_close(t, &w);
	}
}

static void zerocopy_send_is_judged_too(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct probe *refused = probe(t), *sent = probe(t);
		struct ways w;

		ways_open(t, &w, families[i]);
		started(refused,
			soq_send_to_async(w.s, &refused->op, "x", 1, SOQ_ZEROCOPY, &w.denied));
		started(sent, soq_send_to_async(w.s, &sent->op, "a", 1, SOQ_ZEROCOPY, &w.allowed));
		run_until(t, finished(refused) && finished(sent));
		expect(refused->result, -EACCES);
		expect(sent->result, 1);
		expect_datagram(w.allowed_fd, "a");
		ways_close(t, &w);
	}
}

enum { BATCH = 40 }; /* more than are judged together */

struct batch {
	struct soq_message messages[BATCH];
	struct iovec parts[BATCH];
	char bytes[BATCH];
};

/* All to the allowed address, but one. */
static void batch_fill(struct batch *b, const struct ways *w, unsigned denied)
{
	for (unsigned i = 0; i < BATCH; i++) {
		b->bytes[i] = (char)('0' + i);
		b->parts[i] = (struct iovec){ &b->bytes[i], 1 };
		b->messages[i] = message_to(&b->parts[i], i == denied ? &w->denied : &w->allowed);
	}
}

static void expect_batch(const struct ways *w, unsigned from, unsigned to)
{
	for (; from < to; from++)
		expect_datagram(w->allowed_fd, (char[]){ (char)('0' + from), '\0' });
}

static const unsigned denied_at[] = { 0, 1, 7, 15, 16, 17, 31, 39 };

/* Unix receivers hold 10 datagrams or so. */
static unsigned size_for(int family)
{
	return family == AF_UNIX ? 8 : BATCH;
}

static void batch_stops_before_the_refused_one(struct fixture *t)
{
	struct batch b;

	for (unsigned i = 0; i < COUNT_OF(families) * COUNT_OF(denied_at); i++) {
		int family = families[i % COUNT_OF(families)];
		unsigned at = denied_at[i / COUNT_OF(families)], size = size_for(family);
		struct ways w;

		if (at >= size)
			continue;
		ways_open(t, &w, family);
		batch_fill(&b, &w, at);
		if (at > 0)
			expect(soq_send_batch(w.s, b.messages, size, 0), at);
		expect_batch(&w, 0, at);
		/* The next call tells why; the refusal is counted once. */
		expect(soq_send_batch(w.s, &b.messages[at], size - at, 0), -EACCES);
		expect_refused(t, w.s, w.before, 0);
		if (at + 1 < size)
			expect(soq_send_batch(w.s, &b.messages[at + 1], size - at - 1, 0),
			       size - at - 1);
		expect_batch(&w, at + 1, size);
		ways_close(t, &w);
	}
}

static void batch_in_flight_ends_at_the_refused_one(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families) * COUNT_OF(denied_at); i++) {
		int family = families[i % COUNT_OF(families)];
		unsigned at = denied_at[i / COUNT_OF(families)], size = size_for(family);
		struct probe *sent = probe(t), *behind = probe(t);
		struct batch b;
		struct ways w;

		if (at >= size)
			continue;
		ways_open(t, &w, family);
		batch_fill(&b, &w, at);
		started(sent, soq_send_batch_async(w.s, &sent->op, b.messages, size, 0));
		started(behind, soq_send_to_async(w.s, &behind->op, "z", 1, 0, &w.allowed));
		run_until(t, finished(sent) && finished(behind));
		expect_end(sent, at > 0 ? (int64_t)at : -EACCES, at > 0 ? SOQ_F_BROKEN : 0);
		expect_refused(t, w.s, w.before, 0);
		expect_batch(&w, 0, at);
		expect_end(behind, 1, 0);
		expect_datagram(w.allowed_fd, "z");
		ways_close(t, &w);
	}
}

/* Segments: as one where the kernel cuts, and where the library has to. */
static void datagrams_cut_from_one_are_judged_once(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct iovec part = { (char[]){ 'a', 'b', 'c' }, 3 };
		struct soq_message m;
		struct ways w;
		int on = 1;

		ways_open(t, &w, AF_INET);
		if (i)
			expect(soq_option_set(w.s, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
		for (unsigned k = 0; k < 2; k++) {
			m = message_to(&part, &w.denied);
			m.info = SOQ_INFO_SEGMENTS;
			m.segment_size_bytes = 1;
			expect(soq_send_msg(w.s, &m, 0), -EACCES);
			expect_refused(t, w.s, w.before + k, 0);
			m.peer = w.allowed;
			expect(soq_send_msg(w.s, &m, 0), 3);
			expect_datagram(w.allowed_fd, "a");
			expect_datagram(w.allowed_fd, "b");
			expect_datagram(w.allowed_fd, "c");
		}
		ways_close(t, &w);
	}
}

static void descriptors_go_nowhere_when_refused(struct fixture *t)
{
	struct iovec part = { (char[]){ 'd' }, 1 };
	struct soq_message two[2];
	int fd = STDERR_FILENO;
	struct ways w;

	ways_open(t, &w, AF_UNIX);
	two[0] = message_to(&part, &w.allowed);
	two[1] = message_to(&part, &w.denied);
	for (unsigned i = 0; i < 2; i++) {
		two[i].descriptors = &fd;
		two[i].descriptor_count = 1;
	}
	expect(soq_send_msg(w.s, &two[1], 0), -EACCES);
	expect_refused(t, w.s, w.before, 0);
	expect(soq_send_batch(w.s, two, 2, 0), 1);
	expect(soq_send_batch(w.s, &two[1], 1, 0), -EACCES);
	expect_refused(t, w.s, w.before + 1, 0);
	expect_datagram(w.allowed_fd, "d");
	ways_close(t, &w);
}

/* Its peer was judged when it connected; another address is judged for itself. */
static void connected_socket_may_send_elsewhere_if_allowed(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_endpoint peer, other;
		struct soq_policy *policy;
		struct soq_socket *s;
		char places[2][SOQ_ENDPOINT_TEXT_MAX + 1];
		int peer_fd = quiet_receiver(families[i], &peer);
		int other_fd = quiet_receiver(families[i], &other);

		policy = policy_of("default deny\nallow connect any %s\nallow send_to any %s\n",
				   place_of(&peer, places[0]), place_of(&other, places[1]));
		police(t, soq_policy_retain(policy));
		s = policed(t, policy, families[i], SOCK_DGRAM, 0);
		expect(soq_connect(s, &peer), 0);
		expect(soq_send(s, "p", 1, 0), 1);
		expect(soq_send_to(s, "o", 1, 0, &other), 1);
		expect(soq_send_to(s, "x", 1, 0, &peer), -EACCES);
		expect(soq_send(s, "q", 1, 0), 1);
		expect_datagram(peer_fd, "p");
		expect_datagram(peer_fd, "q");
		expect_datagram(other_fd, "o");
		expect_no_datagram(peer_fd);
		expect(soq_close(s), 0);
		run_until(t, stats_of(t).sockets == 0);
		soq_policy_release(policy);
		close(peer_fd);
		close(other_fd);
	}
}

static void spellings_lead_where_they_lead_for_datagrams_too(struct fixture *t)
{
	static const char *const inside[] = { "[::ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[::]",
					      "[2002:7f00:1::]", "[2001:0:808:808::80ff:fffe]" };
	struct soq_policy *policy = policy_of("default allow\n"
					      "deny send_to any 127.0.0.0/8 1-65535\n");
	struct soq_socket *s;
	uint32_t rule;

	police(t, soq_policy_retain(policy));
	s = policed(t, policy, AF_INET6, SOCK_DGRAM, 0);
	for (unsigned i = 0; i < COUNT_OF(inside); i++) {
		struct soq_endpoint to = endpoint_port(inside[i], 9);
		uint64_t before = refusals(t, s, &rule);

		expect(soq_send_to(s, "x", 1, 0, &to), -EACCES);
		expect_refused(t, s, before, 1);
	}
	expect(soq_close(s), 0);
	soq_policy_release(policy);
}

/* A unix receiver that is full: what waits is judged again and sent once. */
static void datagram_waits_for_room_under_a_policy(struct fixture *t)
{
	struct probe *last, *cancelled = probe(t);
	unsigned sent = 0;
	struct ways w;

	ways_open(t, &w, AF_UNIX);
	do {
		last = probe(t);
		started(last, soq_send_to_async(w.s, &last->op, "w", 1, 0, &w.allowed));
		settle(t);
		sent++;
	} while (finished(last));
	started(cancelled, soq_send_to_async(w.s, &cancelled->op, "c", 1, 0, &w.allowed));
	settle(t);
	expect(soq_cancel(&cancelled->op), 0);
	await(t, cancelled);
	expect_end(cancelled, -ECANCELED, 0);
	expect_datagram(w.allowed_fd, "w");
	await(t, last);
	expect_end(last, 1, 0);
	for (; sent > 1; sent--)
		expect_datagram(w.allowed_fd, "w");
	ways_close(t, &w);
}

static const struct conf_case cases[] = {
	SYNC_CASE(each_datagram_is_judged_by_its_address, "22a 22g"),
	CASE(refused_datagram_is_an_event_and_the_next_goes_on, "22a 22g 9a"),
	CASE(zerocopy_send_is_judged_too, "22a"),
	SYNC_CASE(batch_stops_before_the_refused_one, "22a 22g"),
	CASE(batch_in_flight_ends_at_the_refused_one, "22a 22g"),
	SYNC_CASE(datagrams_cut_from_one_are_judged_once, "22a"),
	SYNC_CASE(descriptors_go_nowhere_when_refused, "22a"),
	SYNC_CASE(connected_socket_may_send_elsewhere_if_allowed, "22a"),
	SYNC_CASE(spellings_lead_where_they_lead_for_datagrams_too, "22c"),
	CASE(datagram_waits_for_room_under_a_policy, "22a"),
};

CONF_GROUP(policy_send, cases)
