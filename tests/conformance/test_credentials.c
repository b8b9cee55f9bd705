/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a unix socket, and who has sent a message. */
#define _GNU_SOURCE
#include "message_ways.h"

#include <sys/wait.h>

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

static struct soq_credentials blank(void)
{
	return (struct soq_credentials){ .size = sizeof(struct soq_credentials) };
}

static void expect_us(const struct soq_credentials *c)
{
	expect(c->pid, getpid());
	expect(c->uid, geteuid());
	expect(c->gid, getegid());
}

static void both_ends_know_each_other(struct fixture *t)
{
	for (unsigned i = 0; i < 2; i++) {
		struct soq_credentials a = blank(), b = blank();
		struct soq_socket *one, *other;

		pair_unix(t, types[i], &one, &other);
		expect(soq_socket_peer_credentials(one, &a), 0);
		expect(soq_socket_peer_credentials(other, &b), 0);
		expect_us(&a);
		expect_us(&b);
		expect(a.size, sizeof(a));
		expect(soq_close(one), 0);
		/* As it was when it connected. */
		expect(soq_socket_peer_credentials(other, &b), 0);
		expect_us(&b);
		expect(soq_close(other), 0);
	}
}

/* Another process: told by its number. */
static void peer_is_the_process_that_connected(struct fixture *t)
{
	struct soq_endpoint ep = { 0 };
	struct soq_socket *listener = unix_listener(t, SOCK_STREAM, &ep), *s;
	struct soq_credentials c = blank();
	int go[2], status = 0;
	pid_t child;
	char byte;

	expect(pipe(go), 0);
	child = fork();
	if (child == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		int failed = connect(fd, &ep.addr.any, ep.size_bytes) != 0;

		close(go[1]);
		/* It is there until the parent has seen it. */
		failed |= read(go[0], &byte, 1) != 0;
		_exit(failed);
	}
	expect_true(child > 0);
	close(go[0]);
	expect(soq_accept(listener, &s, NULL), 0);
	expect(soq_socket_peer_credentials(s, &c), 0);
	expect(c.pid, child);
	close(go[1]);
	expect(waitpid(child, &status, 0), child);
	expect(status, 0);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
}

static void who_has_no_such_peer_is_told_why(struct fixture *t)
{
	struct soq_credentials c = blank(), wrong = blank();
	struct soq_endpoint ep = { 0 };
	struct soq_socket *listener = unix_listener(t, SOCK_STREAM, &ep);
	struct soq_socket *fresh = open_socket_of(t, AF_UNIX, SOCK_STREAM), *a, *b;
	struct datagrams d = datagrams_connected(t, AF_UNIX);

	expect(soq_socket_peer_credentials(listener, &c), -ENOTCONN);
	expect(soq_socket_peer_credentials(fresh, &c), -ENOTCONN);
	/* The kernel knows the sender of each datagram, not the peer. */
	expect(soq_socket_peer_credentials(d.a, &c), -EOPNOTSUPP);
	pair_soq(t, AF_INET, &a, &b);
	expect(soq_socket_peer_credentials(a, &c), -EOPNOTSUPP);
	expect(soq_socket_peer_credentials(a, NULL), -EINVAL);
	wrong.size -= 8;
	expect(soq_socket_peer_credentials(a, &wrong), -EINVAL);
	wrong.size += 16;
	expect(soq_socket_peer_credentials(a, &wrong), -EINVAL);
	expect(c.pid, 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	expect(soq_close(fresh), 0);
	expect(soq_close(listener), 0);
	datagrams_close(&d);
}

static struct datagrams pair_of(struct fixture *t, int type)
{
	struct datagrams d = { 0 };

	if (type == SOCK_DGRAM)
		return datagrams_connected(t, AF_UNIX);
	pair_unix(t, type, &d.a, &d.b);
	return d;
}

static void each_message_tells_its_sender(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * ways(t); i++) {
		struct datagrams d = pair_of(t, types[i % COUNT_OF(types)]);
		unsigned way = i / COUNT_OF(types);
		char byte = 'x';
		struct iovec one = { &byte, 1 };
		struct soq_message m = message_of(&one, 1);

		expect(soq_send(d.a, "1", 1, 0), 1);
		expect(recv_way(t, way, d.b, &m), 1);
		/* Nobody has asked. */
		expect(m.info, 0);
		expect(m.uid, UINT32_MAX);
		expect(m.gid, UINT32_MAX);

		expect(soq_socket_set_message_info(d.b, SOQ_INFO_CREDENTIALS), 0);
		expect(soq_send(d.a, "2", 1, 0), 1);
		expect(recv_way(t, way, d.b, &m), 1);
		expect(m.info, SOQ_INFO_CREDENTIALS);
		expect(m.flags, 0);
		expect(m.pid, getpid());
		expect(m.uid, geteuid());
		expect(m.gid, getegid());
		/* It may be sent on as it is, to another. */
		m.peer = (struct soq_endpoint){ 0 };
		expect(send_way(t, way, d.a, &m), 1);
		expect(soq_recv(d.b, &byte, 1, 0), 1);

		expect(soq_socket_set_message_info(d.b, 0), 0);
		expect(soq_send(d.a, "3", 1, 0), 1);
		expect(recv_way(t, way, d.b, &m), 1);
		expect(m.info, 0);
		expect(m.uid, UINT32_MAX);
		expect(m.flags, 0);
		datagrams_close(&d);
	}
}

/* However it was switched on, no message looks as if it had been refused something. */
static void what_the_program_sets_itself_is_seen(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct datagrams d = pair_of(t, types[i]);
		char byte;
		struct iovec one = { &byte, 1 };
		struct soq_message m = message_of(&one, 1);
		int on = 1, fd;

		expect(soq_option_set(d.b, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
		expect(soq_send(d.a, "1", 1, 0), 1);
		expect(soq_recv_msg(d.b, &m, 0), 1);
		expect(m.info, SOQ_INFO_CREDENTIALS);
		expect(m.flags, 0);
		settle(t);
		fd = soq_socket_release(d.b);
		expect_true(fd >= 0);
		expect(soq_socket_adopt(t->home, fd, &d.b), 0);
		expect(soq_send(d.a, "2", 1, 0), 1);
		expect(soq_recv_msg(d.b, &m, 0), 1);
		expect(m.info, SOQ_INFO_CREDENTIALS);
		expect(m.flags, 0);
		datagrams_close(&d);
	}
}

static void accepted_sockets_have_it_from_their_listener(struct fixture *t)
{
	for (unsigned i = 0; i < 4; i++) {
		struct soq_endpoint ep = { 0 };
		struct soq_socket *listener = unix_listener(t, types[i % 2], &ep);
		struct soq_socket *a = open_socket_of(t, AF_UNIX, types[i % 2]), *b;
		char byte;
		struct iovec one = { &byte, 1 };
		struct soq_message m = message_of(&one, 1);

		expect(soq_socket_set_message_info(listener, SOQ_INFO_CREDENTIALS), 0);
		expect(soq_connect(a, &ep), 0);
		if (i < 2) {
			expect(soq_accept(listener, &b, NULL), 0);
		} else {
			b = open_socket_of(t, AF_UNIX, types[i % 2]);
			expect(soq_accept_into(listener, b, NULL), 0);
		}
		expect(soq_send(a, "1", 1, 0), 1);
		expect(soq_recv_msg(b, &m, 0), 1);
		expect(m.info, SOQ_INFO_CREDENTIALS);
		expect(m.pid, getpid());
		expect(m.flags, 0);
		expect(soq_close(a), 0);
		expect(soq_close(b), 0);
		expect(soq_close(listener), 0);
	}
}

static void credentials_are_for_unix_sockets_alone(struct fixture *t)
{
	struct datagrams ip = datagrams_connected(t, AF_INET), d = datagrams_connected(t, AF_UNIX);
	char byte = 'x';
	struct iovec one = { &byte, 1 };
	struct soq_message m = message_of(&one, 1);

	expect(soq_socket_set_message_info(ip.a, SOQ_INFO_CREDENTIALS), -EOPNOTSUPP);
	expect(soq_socket_set_message_info(ip.a, SOQ_INFO_CREDENTIALS | SOQ_INFO_ECN), -EOPNOTSUPP);
	expect(soq_socket_set_message_info(d.a, SOQ_INFO_CREDENTIALS | SOQ_INFO_ECN), -EOPNOTSUPP);
	expect(soq_socket_set_message_info(d.a, 1u << 31), -EINVAL);
	m.info = SOQ_INFO_CREDENTIALS;
	expect(soq_send_msg(ip.a, &m, 0), -EOPNOTSUPP);
	m.info = SOQ_INFO_CREDENTIALS | SOQ_INFO_TIME;
	expect(soq_send_msg(d.a, &m, 0), -EOPNOTSUPP);
	datagrams_close(&ip);
	datagrams_close(&d);
}

static const struct conf_case cases[] = {
	SYNC_CASE(both_ends_know_each_other, ""),
	CASE(peer_is_the_process_that_connected, ""),
	SYNC_CASE(who_has_no_such_peer_is_told_why, ""),
	SYNC_CASE(each_message_tells_its_sender, ""),
	SYNC_CASE(what_the_program_sets_itself_is_seen, ""),
	SYNC_CASE(accepted_sockets_have_it_from_their_listener, ""),
	SYNC_CASE(credentials_are_for_unix_sockets_alone, ""),
};

CONF_GROUP(credentials, cases)
