/* SPDX-License-Identifier: MIT */
/* Descriptors that travel with messages of unix sockets: taken, refused, never leaked. */
#define _GNU_SOURCE
#include "descriptors_kit.h"

#include <fcntl.h>

static void descriptors_travel_and_stay_the_senders(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * ways(t); i++) {
		struct datagrams d = pair_of(t, types[i % COUNT_OF(types)]);
		unsigned way = i / COUNT_OF(types), before = open_count();
		int sent[2] = { file_of(1), file_of(2) }, got[3] = { -1, -1, -1 };
		char in[8] = "";
		struct iovec one = { in, sizeof(in) };
		struct soq_message m = with(&one, got, 7, 3);

		expect(send_with(t, way, d.a, "two", sent, 2), 3);
		expect(recv_way(t, way, d.b, &m), 3);
		assert_string_equal(in, "two");
		expect(m.descriptor_count, 2);
		expect(m.flags, 0);
		expect(m.length_bytes, 3);
		expect(got[2], -1);
		expect(open_count(), before + 4);
		for (unsigned k = 0; k < 2; k++) {
			expect(number_of(got[k]), k + 1);
			expect(number_of(sent[k]), k + 1);
			expect(fcntl(got[k], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
			close(got[k]);
			close(sent[k]);
		}
		/* The next has none. */
		expect(send_with(t, way, d.a, "none", NULL, 0), 4);
		expect(recv_way(t, way, d.b, &m), 4);
		expect(m.descriptor_count, 0);
		expect(m.flags, 0);
		datagrams_close(&d);
	}
}

static void receive_with_no_room_refuses_them(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * ways(t); i++) {
		struct datagrams d = pair_of(t, types[i % COUNT_OF(types)]);
		unsigned way = i / COUNT_OF(types), before;
		int sent[] = { file_of(1), file_of(2), file_of(3), file_of(4), file_of(5) };
		char in[8] = "";
		struct iovec one = { in, sizeof(in) };
		struct soq_message m = message_of(&one, 1);
		struct soq_endpoint from;

		before = open_count();
		expect(send_with(t, way, d.a, "five", sent, 5), 4);
		expect(recv_way(t, way, d.b, &m), 4);
		expect(m.flags, SOQ_F_REFUSED);
		expect(m.descriptor_count, 0);
		expect(open_count(), before);
		/* Without a struct to say so in. */
		expect(send_with(t, way, d.a, "plain", sent, 5), 5);
		expect(soq_recv(d.b, in, sizeof(in), 0), 5);
		expect(send_with(t, way, d.a, "plain", sent, 5), 5);
		expect(soq_recv_from(d.b, in, sizeof(in), 0, &from), 5);
		expect(open_count(), before);
		expect(send_with(t, way, d.a, "none", NULL, 0), 4);
		expect(recv_way(t, way, d.b, &m), 4);
		expect(m.flags, 0);
		for (unsigned k = 0; k < COUNT_OF(sent); k++)
			close(sent[k]);
		datagrams_close(&d);
	}
}

/* Floods: many times all that one message can have, against no room, some, and all. */
static void those_beyond_the_limit_are_closed_at_once(struct fixture *t)
{
	static const unsigned rooms[] = { 0, 1, 3, 4, 60, MANY - 1, MANY };
	int sent[MANY], got[MANY];

	sent[0] = file_of(1);
	for (unsigned k = 1; k < MANY; k++)
		sent[k] = sent[0];
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct datagrams d = pair_of(t, types[i]);

		for (unsigned n = 0; n < 2 * COUNT_OF(rooms) * ways(t); n++) {
			unsigned room = rooms[n / 2 % COUNT_OF(rooms)], before = open_count();
			unsigned way = n / 2 / COUNT_OF(rooms);
			char in[8];
			struct iovec one = { in, sizeof(in) };
			struct soq_message m = with(&one, got, 0, room);

			expect(soq_socket_set_message_info(d.b, n % 2 ? SOQ_INFO_CREDENTIALS : 0),
			       0);
			expect(send_with(t, way, d.a, "flood", sent, MANY), 5);
			expect(recv_way(t, way, d.b, &m), 5);
			expect(m.descriptor_count, room);
			expect(m.flags, room < MANY ? SOQ_F_REFUSED : 0);
			expect(m.info, n % 2 ? SOQ_INFO_CREDENTIALS : 0);
			expect(open_count(), before + room);
			for (unsigned k = 0; k < room; k++)
				close(got[k]);
		}
		datagrams_close(&d);
	}
	close(sent[0]);
}

static void event_says_what_the_message_says(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 2; i++) {
		struct datagrams d = pair_of(t, types[i / 2]);
		struct probe *p = probe(t);
		int sent[2] = { file_of(1), file_of(2) }, got[1];
		char in[8];
		struct iovec one = { in, i % 2 ? 2 : sizeof(in) };
		struct soq_message m = with(&one, got, 0, i % 2);

		started(p, soq_recv_msg_async(d.b, &p->op, &m, 0));
		settle(t);
		expect(send_with(t, 0, d.a, "ev", sent, 2), 2);
		await(t, p);
		expect_end(p, 2, SOQ_F_REFUSED);
		expect(m.flags, SOQ_F_REFUSED);
		expect(m.descriptor_count, i % 2);
		if (i % 2)
			close(got[0]);
		close(sent[0]);
		close(sent[1]);
		datagrams_close(&d);
	}
}

static void close_leaks_none(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 3; i++) {
		unsigned before = open_count();
		struct datagrams d = pair_of(t, types[i / 3]);
		struct probe *p = probe_quiet(t);
		int sent = file_of(3), got[2];
		char in[8];
		struct iovec one = { in, sizeof(in) };
		struct soq_message m = with(&one, got, 0, 2);

		/* Sent and never received; received, and the event not taken; still waiting. */
		if (i % 3 > 0)
			started(p, soq_recv_msg_async(d.b, &p->op, &m, 0));
		if (i % 3 < 2)
			expect(send_with(t, 0, d.a, "late", &sent, 1), 4);
		if (i % 3 == 1)
			settle(t);
		expect(soq_close(d.b), 0);
		expect(soq_close(d.a), 0);
		if (i % 3 == 1) {
			/* The event is told, whatever became of the socket, and they with it. */
			expect(wait_end(p), 4);
			expect(m.descriptor_count, 1);
			expect(number_of(got[0]), 3);
			close(got[0]);
		} else if (i % 3 == 2) {
			expect(wait_end(p), -ECANCELED);
			expect(m.descriptor_count, 0);
		}
		close(sent);
		settle(t);
		expect(open_count(), before);
	}
}

static void peek_takes_none_and_loses_none(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct datagrams d = pair_of(t, types[i]);
		int sent = file_of(5), got[2];
		unsigned before = open_count();
		char in[8];
		struct iovec one = { in, sizeof(in) };
		struct soq_message look = message_of(&one, 1), m = with(&one, got, 0, 2);

		expect(send_with(t, 0, d.a, "look", &sent, 1), 4);
		expect(soq_recv_msg(d.b, &m, SOQ_PEEK), -EINVAL);
		for (unsigned k = 0; k < 3; k++) {
			expect(soq_recv_msg(d.b, &look, SOQ_PEEK), 4);
			expect(look.flags, SOQ_F_REFUSED);
			expect(soq_recv(d.b, in, 8, SOQ_PEEK), 4);
		}
		expect(open_count(), before);
		expect(soq_recv_msg(d.b, &m, 0), 4);
		expect(m.descriptor_count, 1);
		expect(number_of(got[0]), 5);
		close(got[0]);
		close(sent);
		datagrams_close(&d);
	}
}

static void exact_receive_has_no_room_and_says_so(struct fixture *t)
{
	struct datagrams d = pair_of(t, SOCK_STREAM);
	int sent = file_of(5), got[2];
	unsigned before = open_count();
	char in[12] = "", tail[3];
	struct iovec two[] = { { in, 9 }, { tail, 3 } };
	struct soq_message m = message_of(two, 2);

	expect(send_with(t, 0, d.a, "with", &sent, 1), 4);
	expect(send_with(t, 0, d.a, "none", NULL, 0), 4);
	expect(send_with(t, 0, d.a, "more", &sent, 1), 4);
	expect(soq_recv_msg(d.b, &m, SOQ_EXACT), 12);
	assert_memory_equal(in, "withnonem", 9);
	assert_memory_equal(tail, "ore", 3);
	expect(m.flags, SOQ_F_REFUSED);
	expect(m.length_bytes, 12);
	expect(open_count(), before);
	m.descriptors = got;
	m.descriptor_max = 2;
	expect(soq_recv_msg(d.b, &m, SOQ_EXACT), -EINVAL);
	close(sent);
	datagrams_close(&d);
}

static void bufs_of_a_pool_come_without(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 2; i++) {
		struct datagrams d = pair_of(t, types[i / 2]);
		struct soq_pool *pool = pool_open(t, 0);
		struct probe *p = probe(t);
		int sent[4] = { file_of(1), file_of(2), file_of(3), file_of(4) };
		unsigned before = open_count();

		started(p, soq_recv_buf_async(d.b, &p->op, pool, i % 2 ? SOQ_MULTISHOT : 0));
		settle(t);
		expect(send_with(t, 0, d.a, "buf", sent, 4), 3);
		run_until(t, p->events > 0);
		expect(p->buf->size_bytes, 3);
		soq_buf_return(p->buf);
		expect(open_count(), before);
		expect(soq_close(d.b), 0);
		expect(soq_close(d.a), 0);
		await(t, p);
		for (unsigned k = 0; k < 4; k++)
			close(sent[k]);
		settle(t);
		pool_close(pool);
	}
}

static void what_makes_no_sense_is_refused(struct fixture *t)
{
	int fds[MANY + 1] = { 0 };
	char byte = 'x';
	struct iovec one = { &byte, 1 }, none = { &byte, 0 };
	struct soq_message m;

	for (unsigned i = 0; i < COUNT_OF(types) + 2; i++) {
		int is_unix = i < COUNT_OF(types);
		struct datagrams d = { 0 };

		if (is_unix)
			d = pair_of(t, types[i]);
		else if (i == COUNT_OF(types))
			pair_soq(t, AF_INET, &d.a, &d.b);
		else
			d = datagrams_connected(t, AF_INET6);
		m = with(&one, NULL, 1, 0);
		expect(soq_send_msg(d.a, &m, 0), -EINVAL);
		m = with(&one, fds, MANY + 1, 0);
		expect(soq_send_msg(d.a, &m, 0), -EINVAL);
		m = with(&one, NULL, 0, 1);
		expect(soq_recv_msg(d.b, &m, 0), -EINVAL);
		m = with(&one, fds, 0, MANY + 1);
		expect(soq_recv_msg(d.b, &m, 0), -EINVAL);
		if (!is_unix) {
			m = with(&one, fds, 1, 0);
			expect(soq_send_msg(d.a, &m, 0), -EOPNOTSUPP);
			m = with(&one, fds, 0, 1);
			expect(soq_recv_msg(d.b, &m, 0), -EOPNOTSUPP);
		} else if (types[i] != SOCK_DGRAM) {
			/* No byte to travel with. */
			m = with(&none, fds, 1, 0);
			expect(soq_send_msg(d.a, &m, 0), -EINVAL);
		}
		/* What is none is told, nothing leaves, and the socket goes on. */
		if (is_unix) {
			fds[1] = 1 << 20;
			m = with(&one, fds, 2, 0);
			expect(soq_send_msg(d.a, &m, 0), -EBADF);
			fds[1] = 0;
			expect(soq_send(d.a, "y", 1, 0), 1);
			expect(soq_recv(d.b, &byte, 1, 0), 1);
			expect(byte, 'y');
		}
		datagrams_close(&d);
	}
}

static void empty_datagram_carries_some(struct fixture *t)
{
	struct datagrams d = pair_of(t, SOCK_DGRAM);
	int sent = file_of(5), got[2];
	char in[8];
	struct iovec one = { in, sizeof(in) };

	for (unsigned way = 0; way < ways(t); way++) {
		struct soq_message m = with(&one, got, 0, 2);

		expect(send_with(t, way, d.a, "", &sent, 1), 0);
		expect(recv_way(t, way, d.b, &m), 0);
		expect(m.descriptor_count, 1);
		expect(number_of(got[0]), 5);
		close(got[0]);
	}
	close(sent);
	datagrams_close(&d);
}

/* A foreign program's: no message for us, but the end; what it carries is closed. */
static void empty_packet_leaks_none(struct fixture *t)
{
	int sent = file_of(5), got[2], fd;
	struct soq_socket *s = pair_unix_raw(t, SOCK_SEQPACKET, &fd);
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr header = { .msg_control = &control, .msg_controllen = sizeof(control) };
	unsigned before = open_count();
	char in[8];
	struct iovec one = { in, sizeof(in) };
	struct soq_message m = with(&one, got, 0, 2);

	memset(&control, 0, sizeof(control));
	control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), &sent, sizeof(sent));
	expect(sendmsg(fd, &header, MSG_NOSIGNAL), 0);
	expect(soq_recv_msg(s, &m, 0), 0);
	expect(m.descriptor_count, 0);
	expect(m.flags, SOQ_F_REFUSED);
	expect(open_count(), before);
	close(sent);
	close(fd);
	expect(soq_close(s), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(descriptors_travel_and_stay_the_senders, "18a 20a"),
	SYNC_CASE(receive_with_no_room_refuses_them, ""),
	SYNC_CASE(those_beyond_the_limit_are_closed_at_once, ""),
	CASE(event_says_what_the_message_says, ""),
	CASE(close_leaks_none, "13a"),
	SYNC_CASE(peek_takes_none_and_loses_none, ""),
	SYNC_CASE(exact_receive_has_no_room_and_says_so, ""),
	CASE(bufs_of_a_pool_come_without, ""),
	SYNC_CASE(what_makes_no_sense_is_refused, ""),
	SYNC_CASE(empty_datagram_carries_some, "8c"),
	CASE(empty_packet_leaks_none, "8d"),
};

CONF_GROUP(descriptors, cases)
