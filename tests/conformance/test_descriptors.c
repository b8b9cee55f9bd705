/* SPDX-License-Identifier: MIT */
/* Descriptors that travel with messages of unix sockets: taken, refused, never leaked. */
#define _GNU_SOURCE
#include "message_ways.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

enum { MANY = SOQ_MESSAGE_DESCRIPTORS_MAX };

static struct datagrams pair_of(struct fixture *t, int type)
{
	struct datagrams d = { 0 };

	if (type == SOCK_DGRAM)
		return datagrams_connected(t, AF_UNIX);
	pair_unix(t, type, &d.a, &d.b);
	return d;
}

static unsigned open_count(void)
{
	struct fd_census c;

	census(&c);
	return c.count;
}

/* A file of its own for each number: told from the others by its size. */
static int file_of(unsigned number)
{
	int fd = memfd_create("soq", MFD_CLOEXEC);

	expect_true(fd >= 0);
	expect(ftruncate(fd, number), 0);
	return fd;
}

static unsigned number_of(int fd)
{
	struct stat status;

	expect(fstat(fd, &status), 0);
	return (unsigned)status.st_size;
}

/* A message of the bytes of `one`, with descriptors to send or room for them. */
static struct soq_message with(struct iovec *one, int *fds, uint32_t count, uint32_t max)
{
	struct soq_message m = message_of(one, 1);

	m.descriptors = fds;
	m.descriptor_count = count;
	m.descriptor_max = max;
	return m;
}

static int64_t send_with(struct fixture *t, unsigned way, struct soq_socket *s, const char *text,
			 int *fds, uint32_t count)
{
	struct iovec one = { (void *)(uintptr_t)text, strlen(text) };
	struct soq_message m = with(&one, fds, count, 0);

	return send_way(t, way, s, &m);
}

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

/* Sends of one turn, which would be gathered; received whole and by the byte. */
static void stream_keeps_the_descriptors_of_two_sends_apart(struct fixture *t)
{
	enum { SENDS = 6 };

	for (unsigned by = 1; by <= 64; by *= 4) {
		struct datagrams d = pair_of(t, SOCK_STREAM);
		struct probe *p[SENDS];
		struct soq_message m[SENDS];
		struct iovec one[SENDS];
		int sent[SENDS], got[MANY];
		char text[SENDS][4], in[64];
		unsigned bytes = 0, seen = 0;

		for (unsigned k = 0; k < SENDS; k++) {
			p[k] = probe(t);
			memset(text[k], 'a' + (int)k, 4);
			one[k] = (struct iovec){ text[k], 4 };
			sent[k] = file_of(k);
			/* Every second one has some. */
			m[k] = with(&one[k], &sent[k], k % 2, 0);
			started(p[k], soq_send_msg_async(d.a, &p[k]->op, &m[k], 0));
		}
		await(t, p[SENDS - 1]);
		while (bytes < sizeof(text)) {
			struct iovec all = { in, by };
			struct soq_message r = with(&all, got, 0, MANY);
			int64_t n = soq_recv_msg(d.b, &r, 0);

			expect_true(n > 0);
			expect(r.flags, 0);
			expect_true(r.descriptor_count <= 1);
			bytes += (unsigned)n;
			if (r.descriptor_count == 0)
				continue;
			/* With the first byte of its send, and nothing of the next one's. */
			expect(number_of(got[0]), seen * 2 + 1);
			expect_true(bytes > (seen * 2 + 1) * 4 && bytes <= (seen * 2 + 2) * 4);
			close(got[0]);
			seen++;
		}
		expect(seen, SENDS / 2);
		for (unsigned k = 0; k < SENDS; k++) {
			expect_end(p[k], 4, 0);
			close(sent[k]);
		}
		datagrams_close(&d);
	}
}

/* A send that waits for room in the middle of its bytes gives its descriptors once. */
static void descriptors_of_a_long_send_come_once(struct fixture *t)
{
	struct datagrams d = pair_of(t, SOCK_STREAM);
	char *out = malloc(BIG_BYTES), *in = malloc(BIG_BYTES);
	struct iovec all = { out, BIG_BYTES }, rest = { in, BIG_BYTES };
	struct probe *p[2] = { probe(t), probe(t) };
	int sent = file_of(9), got[4];
	struct soq_message m = with(&all, &sent, 1, 0), r = with(&rest, got, 0, 4);
	uint64_t at = 0;
	unsigned count = 0;

	fill(out, BIG_BYTES, 1, 0);
	started(p[0], soq_send_msg_async(d.a, &p[0]->op, &m, 0));
	started(p[1], soq_send_async(d.a, &p[1]->op, "behind", 6, 0));
	settle(t);
	expect(p[0]->events, 0);
	while (at < BIG_BYTES + 6) {
		rest = (struct iovec){ in, BIG_BYTES };
		expect_true((int64_t)(at += (uint64_t)soq_recv_msg(d.b, &r, 0)) > 0);
		if (r.descriptor_count > 0)
			expect(at - r.length_bytes, 0);
		count += r.descriptor_count;
		for (unsigned k = 0; k < r.descriptor_count; k++)
			close(got[k]);
		if (at <= BIG_BYTES)
			expect_true(is_filled(in, (size_t)r.length_bytes, 1, at - r.length_bytes));
	}
	expect(count, 1);
	await(t, p[1]);
	expect_end(p[0], BIG_BYTES, 0);
	expect_end(p[1], 6, 0);
	close(sent);
	free(out);
	free(in);
	datagrams_close(&d);
}

/* A receive that was ended early leaves bytes and descriptors to the next. */
static void receive_that_ends_early_takes_none(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 3; i++) {
		struct datagrams d = pair_of(t, types[i / 3]);
		struct probe *p = probe(t);
		unsigned before = open_count();
		int sent = file_of(3), got[2];
		char in[8];
		struct iovec one = { in, sizeof(in) };
		struct soq_message m = with(&one, got, 9, 2);

		if (i % 3 == 2)
			p->op.deadline_ns = now_ns() + 5 * MS;
		started(p, soq_recv_msg_async(d.b, &p->op, &m, 0));
		if (i % 3 == 1)
			settle(t);
		if (i % 3 < 2)
			expect(soq_cancel(&p->op), 0);
		await(t, p);
		expect_end(p, i % 3 == 2 ? -ETIMEDOUT : -ECANCELED, 0);
		expect(m.descriptor_count, 0);
		expect(send_with(t, 0, d.a, "next", &sent, 1), 4);
		started(p, soq_recv_msg_async(d.b, &p->op, &m, 0));
		expect(soq_cancel(&p->op), 0);
		await(t, p);
		/* It is there already: taken, or left; never lost. */
		if (p->result < 0)
			expect(soq_recv_msg(d.b, &m, 0), 4);
		expect(m.descriptor_count, 1);
		expect(number_of(got[0]), 3);
		close(got[0]);
		close(sent);
		expect(open_count(), before);
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

static void batch_gives_each_its_own(struct fixture *t)
{
	enum { COUNT = 70 };
	struct datagrams d = pair_of(t, SOCK_DGRAM);
	struct soq_message *m = calloc(COUNT, sizeof(*m));
	struct iovec one[COUNT];
	int fds[COUNT], got[COUNT][2];
	char bytes[COUNT];
	unsigned done = 0, before;

	for (unsigned k = 0; k < COUNT; k++)
		fds[k] = k % 3 ? -1 : file_of(k);
	before = open_count();
	/* As many as a unix socket's queue holds. */
	for (unsigned at = 0; at < COUNT; at += 10) {
		for (unsigned k = 0; k < 10; k++) {
			one[k] = (struct iovec){ &bytes[k], 1 };
			bytes[k] = (char)(at + k);
			m[k] = with(&one[k], &fds[at + k], (at + k) % 3 == 0, 0);
		}
		expect(soq_send_batch(d.a, m, 10, 0), 10);
		for (unsigned k = 0; k < 10; k++) {
			expect(m[k].length_bytes, 1);
			/* Some have room, some have not. */
			m[k] = with(&one[k], got[k], 0, (at + k) % 2 ? 2 : 0);
		}
		for (unsigned n = 0; n < 10; n += done) {
			done = (unsigned)soq_recv_batch(d.b, m + n, 10 - n, 0);
			expect_true(done >= 1 && done <= 10);
		}
		for (unsigned k = 0; k < 10; k++) {
			int had = (at + k) % 3 == 0, room = (at + k) % 2;

			expect(bytes[k], at + k);
			expect(m[k].descriptor_count, had && room);
			expect(m[k].flags, had && !room ? SOQ_F_REFUSED : 0);
			if (had && room) {
				expect(number_of(got[k][0]), at + k);
				close(got[k][0]);
			}
		}
		expect(open_count(), before);
	}
	for (unsigned k = 0; k < COUNT; k += 3)
		close(fds[k]);
	free(m);
	datagrams_close(&d);
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

/* They wait for room like any other send, in the order of the starts. */
static void sends_wait_for_room_in_order(struct fixture *t)
{
	enum { SENDS = 40 };

	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct datagrams d = pair_of(t, types[i]);
		int sent = file_of(5), small = 4096, got[2];
		char out[2048] = "", in[2048];
		struct iovec one = { out, sizeof(out) }, all = { in, sizeof(in) };
		struct probe *p[SENDS];
		struct soq_message m[SENDS];
		uint64_t bytes = 0;
		unsigned count = 0;

		expect(soq_option_set(d.a, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
		for (unsigned k = 0; k < SENDS; k++) {
			p[k] = probe(t);
			m[k] = with(&one, &sent, k % 2, 0);
			started(p[k], soq_send_msg_async(d.a, &p[k]->op, &m[k], 0));
		}
		settle(t);
		expect(p[SENDS - 1]->events, 0);
		while (bytes < SENDS * sizeof(out)) {
			struct soq_message r = with(&all, got, 0, 2);

			expect_true(soq_recv_msg(d.b, &r, 0) > 0);
			bytes += r.length_bytes;
			count += r.descriptor_count;
			for (unsigned k = 0; k < r.descriptor_count; k++)
				close(got[k]);
		}
		expect(count, SENDS / 2);
		await(t, p[SENDS - 1]);
		for (unsigned k = 0; k < SENDS; k++) {
			expect_end(p[k], sizeof(out), 0);
			expect_true(k == 0 || p[k]->sequence > p[k - 1]->sequence);
		}
		close(sent);
		datagrams_close(&d);
	}
}

static const struct conf_case cases[] = {
	SYNC_CASE(descriptors_travel_and_stay_the_senders, "18a 20a"),
	SYNC_CASE(receive_with_no_room_refuses_them, ""),
	SYNC_CASE(those_beyond_the_limit_are_closed_at_once, ""),
	CASE(event_says_what_the_message_says, ""),
	CASE(stream_keeps_the_descriptors_of_two_sends_apart, "9a"),
	CASE(descriptors_of_a_long_send_come_once, "9a"),
	CASE(receive_that_ends_early_takes_none, "14a"),
	CASE(close_leaks_none, "13a"),
	SYNC_CASE(batch_gives_each_its_own, "9a"),
	SYNC_CASE(peek_takes_none_and_loses_none, ""),
	SYNC_CASE(exact_receive_has_no_room_and_says_so, ""),
	CASE(bufs_of_a_pool_come_without, ""),
	SYNC_CASE(what_makes_no_sense_is_refused, ""),
	SYNC_CASE(empty_datagram_carries_some, "8c"),
	CASE(empty_packet_leaks_none, "8d"),
	CASE(sends_wait_for_room_in_order, "9a 9b"),
};

CONF_GROUP(descriptors, cases)
