/* SPDX-License-Identifier: MIT */
/* Descriptors in and out: what is read back, who owns them, what they are afterwards. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/time.h>

static struct soq_socket_info info_of(struct soq_socket *s)
{
	struct soq_socket_info info = { .size = sizeof(info) };

	expect(soq_socket_info(s, &info), 0);
	return info;
}

static void adopted_connection_works_and_is_given_back(struct fixture *t)
{
	int ends[2], fd;
	struct soq_socket *s = NULL;
	struct probe *p = probe(t);
	char in[8];

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	expect(soq_socket_adopt(t->loop, ends[0], &s), 0);
	expect(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	expect(info_of(s).family, AF_UNIX);
	expect(info_of(s).type, SOCK_STREAM);
	expect(info_of(s).state, SOQ_STATE_CONNECTED);
	started(p, soq_recv_async(s, &p->op, in, 4, SOQ_EXACT));
	settle(t);
	raw_send(ends[1], "ping", 4);
	await(t, p);
	expect_end(p, 4, 0);
	expect(soq_send(s, "pong", 4, 0), 4);
	expect(raw_recv(t, ends[1], in, 8), 4);

	fd = soq_socket_release(s);
	expect(fd, ends[0]);
	expect(soq_send(s, "x", 1, 0), -EBADF);
	expect(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	raw_send(fd, "plain", 5);
	expect(raw_recv(t, ends[1], in, 8), 5);
	close(ends[0]);
	close(ends[1]);
}

static void what_a_socket_is_gets_read_back(struct fixture *t)
{
	struct timeval ms250 = { .tv_usec = 250000 }, forever = { 0 };
	struct linger linger = { .l_onoff = 1, .l_linger = 7 }, back = { 0 };
	struct soq_endpoint ep;
	struct soq_socket *s = NULL;
	int fd = raw_listener(AF_INET6, 4, 0, &ep), other;
	char in;

	expect(soq_socket_adopt(t->home, fd, &s), 0);
	expect(info_of(s).family, AF_INET6);
	expect(info_of(s).protocol, IPPROTO_TCP);
	expect(info_of(s).state, SOQ_STATE_LISTENING);
	expect(soq_close(s), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, FOREVER) >= 0);

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ms250, sizeof(ms250)), 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	expect(soq_socket_adopt(t->home, fd, &s), 0);
	expect(info_of(s).type, SOCK_DGRAM);
	expect(info_of(s).protocol, IPPROTO_UDP);
	expect(info_of(s).state, SOQ_STATE_FRESH);
	expect(info_of(s).detached, t->home == NULL);
	expect(soq_option_get(s, SOL_SOCKET, SO_LINGER, &back, sizeof(back)), sizeof(back));
	expect(back.l_onoff ? back.l_linger : -1, 7);
	expect(soq_socket_set_timeouts(s, 2 * MS, FOREVER), 0);
	expect(soq_recv(s, &in, 1, 0), -ETIMEDOUT);
	other = soq_socket_release(s);
	expect(other, fd);
	/* It was not blocking, and is not again; its linger time is there again too. */
	expect_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	expect(getsockopt(fd, SOL_SOCKET, SO_LINGER, &back, &(socklen_t){ sizeof(back) }), 0);
	expect(back.l_linger, 7);
	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever)), 0);
	close(fd);
}

/* The kernel keeps any number of seconds; as an int some have come out below 0. */
static void linger_time_beyond_all_is_one_too(struct fixture *t)
{
	static const int times[] = { -1, INT32_MIN, INT32_MAX, 65536 };

	for (unsigned i = 0; i < COUNT_OF(times); i++) {
		struct linger linger = { .l_onoff = 1, .l_linger = times[i] };
		struct soq_socket *s = NULL;
		int64_t value = 0;
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		expect(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
		expect(soq_socket_adopt(t->home, fd, &s), 0);
		expect(soq_socket_get_option(s, SOQ_OPTION_LINGER_NS, &value), 0);
		expect(value, 65535 * 1000 * MS);
		/* On a loop the kernel may not know of it, or close(2) would wait for it. */
		expect(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger,
				  &(socklen_t){ sizeof(linger) }),
		       0);
		expect(linger.l_onoff, t->home == NULL);
		expect(soq_socket_set_option(s, SOQ_OPTION_LINGER_NS, -1), 0);
		expect(soq_close(s), 0);
	}
}

static void timeouts_of_the_descriptor_hold(struct fixture *t)
{
	struct timeval ms20 = { .tv_usec = 20000 };
	struct soq_socket *s = NULL;
	int ends[2];
	int64_t begin;
	char in;

	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	expect(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &ms20, sizeof(ms20)), 0);
	expect(soq_socket_adopt(t->home, ends[0], &s), 0);
	begin = now_ns();
	expect(soq_recv(s, &in, 1, 0), -ETIMEDOUT);
	expect_true(now_ns() - begin >= 20 * MS);
	raw_send(ends[1], "x", 1);
	expect(soq_recv(s, &in, 1, 0), 1);
	expect(soq_close(s), 0);
	close(ends[1]);
}

static void what_is_no_socket_stays_the_callers(struct fixture *t)
{
	struct soq_socket *s = NULL;
	int ends[2], closed;

	expect(pipe2(ends, 0), 0);
	expect(soq_socket_adopt(t->home, ends[0], &s), -ENOTSOCK);
	expect(fcntl(ends[0], F_GETFD), 0);
	closed = ends[1];
	close(ends[1]);
	expect(soq_socket_adopt(t->home, closed, &s), -EBADF);
	assert_null(s);
	close(ends[0]);
}

static void adopted_half_shut_connection_knows_it(struct fixture *t)
{
	struct soq_endpoint ep;
	int listener = raw_listener(AF_INET, 1, 0, &ep);
	int fd = raw_connect(&ep), peer = raw_accept(listener);
	struct soq_socket *s = NULL;
	char in[4];

	raw_fin(fd);
	expect(soq_socket_adopt(t->home, fd, &s), 0);
	expect(soq_send(s, "x", 1, 0), -EPIPE);
	raw_send(peer, "late", 4);
	expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
	expect(soq_close(s), 0);
	close(peer);
	close(listener);
}

static void released_listener_goes_on_accepting(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s = soq_listener(t, AF_INET, &ep), *accepted = NULL;
	struct probe *p = probe(t);
	int fd, client = raw_connect(&ep), other;

	expect(soq_accept(s, &accepted, NULL), 0);
	expect(soq_close(accepted), 0);
	if (t->home) {
		started(p, soq_accept_async(s, &p->op, 0));
		settle(t);
		expect(soq_socket_release(s), -EBUSY);
		expect(soq_cancel(&p->op), 0);
		await(t, p);
	}
	fd = soq_socket_release(s);
	expect_true(fd >= 0);
	expect(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	other = raw_connect(&ep);
	close(raw_accept(fd));
	close(other);
	close(fd);
	close(client);
}

static void adopting_into_the_other_place_and_back(struct fixture *t)
{
	struct soq_socket *s = NULL;
	int ends[2];
	char in[4];

	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	for (int i = 0; i < 4; i++) {
		expect(soq_socket_adopt(i & 1 ? NULL : t->loop, ends[0], &s), 0);
		expect(info_of(s).type, SOCK_SEQPACKET);
		expect(send(ends[1], "abc", 3, 0), 3);
		expect(soq_recv(s, in, 4, 0), 3);
		expect(soq_send(s, "de", 2, 0), 2);
		expect(raw_recv(t, ends[1], in, 4), 2);
		expect(soq_socket_release(s), ends[0]);
	}
	close(ends[0]);
	close(ends[1]);
}

/* It was in vain, and nobody waits any more. */
static void socket_leaves_at_once_after_a_poll_in_vain(struct fixture *t)
{
	struct soq_socket *s = NULL;
	int ends[2];

	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	for (int i = 0; i < 3; i++) {
		expect(soq_socket_adopt(t->home, ends[0], &s), 0);
		expect(soq_poll(s, SOQ_POLL_RECV, i * MS), 0);
		expect(soq_socket_release(s), ends[0]);
	}
	close(ends[0]);
	close(ends[1]);
}

static const struct conf_case cases[] = {
	CASE(adopted_connection_works_and_is_given_back, "18a"),
	SYNC_CASE(what_a_socket_is_gets_read_back, ""),
	SYNC_CASE(linger_time_beyond_all_is_one_too, "13h"),
	SYNC_CASE(timeouts_of_the_descriptor_hold, "20a"),
	SYNC_CASE(what_is_no_socket_stays_the_callers, "1a"),
	SYNC_CASE(adopted_half_shut_connection_knows_it, "7f"),
	SYNC_CASE(released_listener_goes_on_accepting, ""),
	SYNC_CASE(adopting_into_the_other_place_and_back, ""),
	SYNC_CASE(socket_leaves_at_once_after_a_poll_in_vain, "3c"),
};

CONF_GROUP(adopt, cases)
