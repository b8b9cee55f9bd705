/* SPDX-License-Identifier: MIT */
/* What System.Net.Sockets is tested for when connections are made: accept, connect, descriptors. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>

static const int families[] = { AF_INET, AF_INET6 };

static struct soq_socket_info info_of(struct soq_socket *s)
{
	struct soq_socket_info info = { .size = sizeof(info) };

	expect(soq_socket_info(s, &info), 0);
	return info;
}

static int is_blocking(int fd)
{
	return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* The two ends of one connection: the local address of each is the other's peer. */
static void expect_paired(struct soq_socket *a, struct soq_socket *b)
{
	struct soq_endpoint local[2], peer[2];
	struct soq_socket *const ends[] = { a, b };

	for (int i = 0; i < 2; i++) {
		expect(soq_socket_local(ends[i], &local[i]), 0);
		expect(soq_socket_peer(ends[i], &peer[i]), 0);
	}
	expect(soq_endpoint_equal(&local[0], &peer[1]), 1);
	expect(soq_endpoint_equal(&local[1], &peer[0]), 1);
	expect(soq_endpoint_equal(&local[0], &local[1]), 0);
}

static void accept_started_first_waits_and_pairs_up(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep;
		struct soq_socket *listener = soq_listener(t, families[i], &ep);
		struct soq_socket *s = open_socket(t, families[i]);
		struct probe *p = probe(t);

		started(p, soq_accept_async(listener, &p->op, 0));
		settle(t);
		expect(p->events, 0);
		expect(soq_connect(s, &ep), 0);
		await(t, p);

		expect_end(p, 0, 0);
		expect(info_of(p->socket).state, SOQ_STATE_CONNECTED);
		expect_paired(p->socket, s);
		expect(soq_close(p->socket), 0);
		expect(soq_close(s), 0);
		expect(soq_close(listener), 0);
	}
}

#define MANY 5

static void many_pair_up(struct fixture *t, int count, int connects_first)
{
	struct soq_endpoint ep, local, peer;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *clients[MANY];
	struct probe *accepts[MANY], *connects[MANY];
	int pairs = 0;

	for (int i = 0; i < count; i++) {
		clients[i] = open_socket(t, AF_INET);
		connects[i] = probe(t);
		accepts[i] = probe(t);
	}
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < count; i++) {
			if ((turn == 0) == connects_first)
				started(connects[i],
					soq_connect_async(clients[i], &connects[i]->op, &ep));
			else
				started(accepts[i], soq_accept_async(listener, &accepts[i]->op, 0));
		}
		settle(t);
	}
	for (int i = 0; i < count; i++) {
		await(t, connects[i]);
		await(t, accepts[i]);
		expect_end(connects[i], 0, 0);
		expect_end(accepts[i], 0, 0);
	}
	for (int i = 0; i < count; i++) {
		expect(soq_socket_peer(accepts[i]->socket, &peer), 0);
		for (int k = 0; k < count; k++) {
			expect(soq_socket_local(clients[k], &local), 0);
			pairs += soq_endpoint_equal(&peer, &local);
		}
	}
	expect(pairs, count);
	for (int i = 0; i < count; i++) {
		expect(soq_close(accepts[i]->socket), 0);
		expect(soq_close(clients[i]), 0);
	}
	expect(soq_close(listener), 0);
}

static void several_accepts_and_connects_pair_up(struct fixture *t)
{
	for (int connects_first = 0; connects_first < 2; connects_first++) {
		many_pair_up(t, 2, connects_first);
		many_pair_up(t, MANY, connects_first);
	}
}

static void accepts_end_with_their_listener_every_time(struct fixture *t)
{
	struct probe *p[2] = { probe(t), probe(t) };

	for (int round = 0; round < 100; round++) {
		struct soq_endpoint ep;
		struct soq_socket *listener = soq_listener(t, AF_INET, &ep);

		for (int i = 0; i < 2; i++)
			started(p[i], soq_accept_async(listener, &p[i]->op, 0));
		if (round % 2)
			settle(t);
		expect(soq_close(listener), 0);
		await(t, p[0]);
		await(t, p[1]);
		for (int i = 0; i < 2; i++)
			expect_end(p[i], -ECANCELED, 0);
	}
}

struct blocked {
	struct soq_socket *listener, *out;
	int result;
	_Atomic pid_t thread;
};

static void *accept_blocked(void *arg)
{
	struct blocked *b = arg;

	b->thread = (pid_t)syscall(SYS_gettid);
	b->result = soq_accept(b->listener, &b->out, NULL);
	return NULL;
}

/* Until the thread sleeps, which it does inside the call alone. */
static void await_asleep(const struct blocked *b)
{
	int64_t until = now_ns() + watchdog_ns();
	char path[64], state = '?';

	while (state != 'S') {
		FILE *file;

		expect_true(now_ns() < until);
		sched_yield();
		if (b->thread == 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)b->thread);
		file = fopen(path, "re");
		assert_non_null(file);
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		(void)fclose(file);
	}
}

/* A listener of a family; of IPv6 one that takes IPv4 too, if `dual`. */
static struct soq_socket *listener_of(struct fixture *t, int family, int dual)
{
	struct soq_endpoint ep;
	struct soq_socket *s = open_socket(t, family);

	if (family == AF_INET6)
		expect(soq_socket_set_option(s, SOQ_OPTION_IPV6_ONLY, !dual), 0);
	expect(dual ? soq_endpoint_any(family, 0, &ep) : soq_endpoint_loopback(family, 0, &ep), 0);
	expect(soq_bind(s, &ep), 0);
	expect(soq_listen(s, 1), 0);
	return s;
}

static void pending_accept_ends_with_its_listener(struct fixture *t)
{
	for (int i = 0; i < 3; i++) {
		struct soq_socket *listener = listener_of(t, families[i > 0], i == 2);
		struct probe *p = probe(t);
		struct blocked b = { .listener = NULL };
		pthread_t thread;

		started(p, soq_accept_async(listener, &p->op, 0));
		settle(t);
		expect(soq_close(listener), 0);
		await(t, p);
		expect_end(p, -ECANCELED, 0);

		expect(soq_socket_detach(listener_of(t, families[i > 0], i == 2), &b.listener), 0);
		expect(pthread_create(&thread, NULL, accept_blocked, &b), 0);
		await_asleep(&b);
		expect(soq_shutdown(b.listener, SOQ_SHUTDOWN_BOTH), 0);
		expect(pthread_join(thread, NULL), 0);
		/* Where threads take turns it may only have come too late to be woken. */
		expect_true(b.result == -ECANCELED ||
			    (b.result == -EINVAL && env_number("SOQ_TEST_VALGRIND", 0)));
		expect(soq_close(b.listener), 0);
	}
}

static void accept_needs_a_socket_that_is_bound_and_listens(struct fixture *t)
{
	struct soq_endpoint at;
	struct soq_socket *fresh = open_socket(t, AF_INET), *out = NULL;
	struct soq_socket *bound = bound_socket(t, AF_INET, SOCK_STREAM, &at);
	struct probe *p = probe(t);

	expect(soq_accept_async(fresh, &p->op, 0), -EINVAL);
	expect(soq_accept_async(bound, &p->op, 0), -EINVAL);
	expect(soq_accept(fresh, &out, NULL), -EINVAL);
	expect(soq_accept(bound, &out, NULL), -EINVAL);
	assert_null(out);
	expect(soq_close(fresh), 0);
	expect(soq_close(bound), 0);
}

static void connected_over_both_families(struct fixture *t)
{
	for (int i = 0; i < 4; i++) {
		struct soq_endpoint ep;
		int listener = raw_listener(families[i & 1], 1, 0, &ep);
		struct soq_socket *s = open_socket(t, families[i & 1]);
		struct probe *p = probe(t);

		expect(info_of(s).state, SOQ_STATE_FRESH);
		if (i < 2) {
			expect(soq_connect(s, &ep), 0);
		} else {
			started(p, soq_connect_async(s, &p->op, &ep));
			await(t, p);
			expect_end(p, 0, 0);
		}
		expect(info_of(s).state, SOQ_STATE_CONNECTED);
		expect(soq_close(s), 0);
		close(listener);
	}
}

static void datagram_socket_connects_without_a_packet(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct datagrams d = datagrams_bound(t, families[i]);

		expect(info_of(d.a).state, SOQ_STATE_FRESH);
		expect(soq_connect(d.a, &d.at_b), 0);
		expect(info_of(d.a).state, SOQ_STATE_CONNECTED);
		expect(soq_poll(d.b, SOQ_POLL_RECV, 0), 0);
		datagrams_close(&d);
	}
}

static void second_connect_says_that_it_is_connected(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = raw_listener(AF_INET, 2, 0, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t);

	expect(soq_connect(s, &ep), 0);
	expect(soq_connect(s, &ep), -EISCONN);
	expect(soq_connect_async(s, &p->op, &ep), -EISCONN);
	expect(info_of(s).state, SOQ_STATE_CONNECTED);
	expect(soq_close(s), 0);
	close(listener);
}

static void refused_socket_is_not_connected(struct fixture *t)
{
	for (int i = 0; i < 2; i++) {
		struct soq_endpoint ep;
		struct soq_socket *s = open_socket(t, families[i]);
		struct probe *p = probe(t);
		int holder;

		refused_endpoint(families[i], &ep, &holder);
		expect(soq_connect(s, &ep), -ECONNREFUSED);
		expect(info_of(s).state, SOQ_STATE_FRESH);
		started(p, soq_connect_async(s, &p->op, &ep));
		await(t, p);
		expect_end(p, -ECONNREFUSED, 0);
		expect(info_of(s).state, SOQ_STATE_FRESH);
		expect(soq_close(s), 0);
		close(holder);
	}
}

static void address_that_answers_is_taken(struct fixture *t)
{
	/* The server is on one of the two, before or behind the other. */
	for (int i = 0; i < 4; i++) {
		struct soq_endpoint endpoints[2];
		struct soq_connect_list list = { .size = sizeof(list),
						 .type = SOCK_STREAM,
						 .endpoints = endpoints,
						 .endpoint_count = 2 };
		int holder, listener, on = i & 1, first = i / 2;
		struct probe *p = probe(t);
		struct soq_socket *s = NULL;

		listener = raw_listener(families[on], 2, 0, &endpoints[first]);
		refused_endpoint(families[!on], &endpoints[!first], &holder);
		expect(soq_connect_list(t->home, &list, FOREVER, &s), 0);
		expect(info_of(s).family, families[on]);
		expect(soq_close(s), 0);
		started(p, soq_connect_list_async(t->loop, &p->op, &list));
		await(t, p);
		expect_end(p, 0, 0);
		expect(info_of(p->socket).family, families[on]);
		expect(soq_close(p->socket), 0);
		close(holder);
		close(listener);
	}
}

static void connect_into_a_black_hole_ends_with_its_socket(struct fixture *t)
{
	struct full_listener full;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t), *closed = probe(t);
	int64_t begin;

	full_listener_open(AF_INET, &full);
	started(p, soq_connect_async(s, &p->op, &full.ep));
	expect(soq_sleep(t->loop, 20 * MS), 0);
	expect(p->events, 0);
	begin = now_ns();
	started(closed, soq_close_async(s, &closed->op));
	await(t, closed);

	expect_end(p, -ECANCELED, 0);
	expect_end(closed, 0, 0);
	/* Far from the two minutes that the system goes on trying. */
	expect_true(now_ns() - begin < watchdog_ns());
	full_listener_close(&full);
}

static void descriptor_is_blocking_after_a_connect(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd, listener = raw_listener(AF_INET, 1, 0, &ep);
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t);

	started(p, soq_connect_async(s, &p->op, &ep));
	await(t, p);
	expect_end(p, 0, 0);
	fd = soq_socket_release(s);

	expect_true(fd >= 0);
	expect(is_blocking(fd), 1);
	close(fd);
	close(listener);
}

static void nonblocking_descriptor_stays_so(struct fixture *t)
{
	struct soq_endpoint ep;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int listener = raw_listener(AF_INET, 1, 0, &ep);
	struct probe *p = probe(t);
	struct soq_socket *s;

	expect(soq_socket_adopt(t->loop, fd, &s), 0);
	started(p, soq_connect_async(s, &p->op, &ep));
	await(t, p);
	expect_end(p, 0, 0);
	expect(soq_socket_release(s), fd);

	expect(is_blocking(fd), 0);
	close(fd);
	close(listener);
}

static void descriptor_is_blocking_after_an_accept(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);
	int fd, client;
	char in[4];

	started(p, soq_accept_async(listener, &p->op, 0));
	client = raw_connect(&ep);
	await(t, p);
	expect_end(p, 0, 0);
	fd = soq_socket_release(p->socket);

	expect_true(fd >= 0);
	expect(is_blocking(fd), 1);
	raw_send(client, "ping", 4);
	expect(recv(fd, in, 4, MSG_WAITALL), 4);
	assert_memory_equal(in, "ping", 4);
	close(fd);
	close(client);
	expect(soq_close(listener), 0);
}

static void combinations_that_do_not_exist_are_refused(struct fixture *t)
{
	static const struct {
		int family, type, protocol;
	} none[] = {
		{ AF_INET, SOCK_DGRAM, IPPROTO_TCP },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_TCP },
		{ AF_INET, SOCK_STREAM, IPPROTO_UDP },
		{ AF_INET6, SOCK_STREAM, IPPROTO_UDP },
		{ AF_INET, SOCK_RDM, 0 },
		{ AF_INET, SOCK_SEQPACKET, IPPROTO_TCP },
		{ AF_INET, 0, 0 },
		{ AF_INET, 9, 0 },
		{ AF_INET, SOCK_STREAM, 12345 },
		{ 12345, SOCK_STREAM, 0 },
	};

	for (unsigned i = 0; i < COUNT_OF(none); i++) {
		struct soq_socket *s = NULL;
		int error = soq_socket_open(t->home, none[i].family, none[i].type, none[i].protocol,
					    &s);

		expect_true(error == -ESOCKTNOSUPPORT || error == -EPROTONOSUPPORT ||
			    error == -EAFNOSUPPORT || error == -EINVAL);
		assert_null(s);
	}
}

/* In a thread that lays down its rights, which are each thread's own. */
static void *open_without_rights(void *arg)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	struct soq_socket *s;
	int *result = arg;

	if (syscall(SYS_capset, &header, data) != 0)
		*result = 1;
	else
		*result = soq_socket_open(NULL, AF_INET, SOCK_RAW, IPPROTO_TCP, &s);
	return NULL;
}

static void raw_socket_without_the_right_is_refused(struct fixture *t)
{
	pthread_t thread;
	int result = 1;

	(void)t;
	expect(pthread_create(&thread, NULL, open_without_rights, &result), 0);
	expect(pthread_join(thread, NULL), 0);
	expect(result, -EPERM);
}

static void two_handles_know_the_same(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = raw_listener(AF_INET, 1, 0, &ep);
	int fd = raw_connect(&ep), peer = raw_accept(listener);
	struct soq_socket *a, *b, *l;
	struct soq_endpoint pa, pb;
	char in[8];

	expect(soq_socket_adopt(t->home, fd, &a), 0);
	expect(soq_socket_adopt(t->home, dup(fd), &b), 0);
	expect(soq_socket_adopt(t->home, dup(listener), &l), 0);
	expect(info_of(a).family, AF_INET);
	expect(info_of(a).type, SOCK_STREAM);
	expect(info_of(a).protocol, IPPROTO_TCP);
	expect(info_of(b).family, AF_INET);
	expect(info_of(b).type, SOCK_STREAM);
	expect(info_of(b).protocol, IPPROTO_TCP);
	expect(info_of(a).state, SOQ_STATE_CONNECTED);
	expect(info_of(b).state, SOQ_STATE_CONNECTED);
	expect(info_of(l).state, SOQ_STATE_LISTENING);
	expect(soq_socket_peer(a, &pa), 0);
	expect(soq_socket_peer(b, &pb), 0);
	expect(soq_endpoint_equal(&pa, &pb), 1);

	expect(soq_send(a, "from a", 6, 0), 6);
	expect(soq_send(b, "or b", 4, 0), 4);
	expect(raw_recv_blocking(peer, in, 6), 6);
	expect(raw_recv_blocking(peer, in, 4), 4);
	raw_send(peer, "12", 2);
	expect(soq_recv(a, in, 1, 0), 1);
	expect(soq_recv(b, in + 1, 1, 0), 1);
	assert_memory_equal(in, "12", 2);
	expect(soq_close(a), 0);
	raw_send(peer, "3", 1);
	expect(soq_recv(b, in, 1, 0), 1);
	expect(soq_close(b), 0);
	expect(soq_close(l), 0);
	close(peer);
	close(listener);
}

static void what_is_no_socket_is_refused_and_stays(struct fixture *t)
{
	struct soq_socket *s = NULL;
	int ends[2];
	char byte;

	expect(pipe2(ends, O_CLOEXEC), 0);
	for (int i = 0; i < 2; i++)
		expect(soq_socket_adopt(t->home, ends[i], &s), -ENOTSOCK);
	expect(soq_socket_adopt(t->home, -1, &s), -EBADF);
	assert_null(s);
	expect(write(ends[1], "x", 1), 1);
	expect(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
}

static void bind_leaves_what_the_program_chose(struct fixture *t)
{
	for (int i = 0; i < 3; i++) {
		struct soq_socket *s = open_socket(t, AF_INET);
		struct soq_endpoint ep;
		int zero = 0;
		int64_t now = -1;

		if (i == 1)
			expect(soq_socket_set_option(s, SOQ_OPTION_REUSE_ADDRESS, 0), 0);
		if (i == 2)
			expect(soq_option_set(s, SOL_SOCKET, SO_REUSEADDR, &zero, sizeof(zero)), 0);
		expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
		expect(soq_bind(s, &ep), 0);
		expect(soq_socket_get_option(s, SOQ_OPTION_REUSE_ADDRESS, &now), 0);
		expect(now, i == 0);
		expect(soq_close(s), 0);
	}
}

static const struct conf_case cases[] = {
	CASE(accept_started_first_waits_and_pairs_up, "1b B001"),
	CASE(several_accepts_and_connects_pair_up, "1b B002"),
	CASE(accepts_end_with_their_listener_every_time, "13a B005"),
	CASE(pending_accept_ends_with_its_listener, "13a 20c B006"),
	CASE(accept_needs_a_socket_that_is_bound_and_listens, "1a B010"),
	CASE(connected_over_both_families, "1b B012"),
	SYNC_CASE(datagram_socket_connects_without_a_packet, "B013"),
	CASE(second_connect_says_that_it_is_connected, "1a B014"),
	CASE(refused_socket_is_not_connected, "5a B015"),
	CASE(address_that_answers_is_taken, "1b B016"),
	CASE(connect_into_a_black_hole_ends_with_its_socket, "13a B017"),
	CASE(descriptor_is_blocking_after_a_connect, "B018"),
	CASE(nonblocking_descriptor_stays_so, "B019"),
	CASE(descriptor_is_blocking_after_an_accept, "B021"),
	SYNC_CASE(combinations_that_do_not_exist_are_refused, "5a B031"),
	SYNC_CASE(raw_socket_without_the_right_is_refused, "5a B032"),
	SYNC_CASE(two_handles_know_the_same, "B033"),
	SYNC_CASE(what_is_no_socket_is_refused_and_stays, "1a B034"),
	SYNC_CASE(bind_leaves_what_the_program_chose, ""),
};

CONF_GROUP(connection, cases)
