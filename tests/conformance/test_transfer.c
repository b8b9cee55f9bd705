/* SPDX-License-Identifier: MIT */
/*
 * Transfers as programs written for System.Net.Sockets make them: a file in small pieces
 * and lists, megabytes in one call, thousands of segments.
 */
#define _GNU_SOURCE
#include "support.h"

#include <pthread.h>

#define FILE_BYTES  123456
#define LARGE_BYTES ((size_t)12345678)

/* One side of a file on its way: in pieces of one buffer, or of a list of four. */
struct flow {
	struct soq_socket *s;
	struct iovec parts[4];
	unsigned part_count;
	uint64_t at;
	int wrong;
	char memory[640];
};

static void flow_open(struct flow *f, struct soq_socket *s, int list, size_t first, size_t last)
{
	memset(f, 0, sizeof(*f));
	f->s = s;
	f->part_count = list ? 4 : 1;
	f->parts[0] = (struct iovec){ f->memory, first };
	/* Parts that begin somewhere in an array of their own, and an empty one. */
	f->parts[1] = (struct iovec){ f->memory + 300 + 2, 100 };
	f->parts[3] = (struct iovec){ f->memory + 500 + 9, last };
}

/* The parts of the next piece, filled with what comes next. The bytes, 0 at the end. */
static size_t flow_fill(struct flow *f, struct iovec parts[4])
{
	size_t sum = 0;

	for (unsigned i = 0; i < f->part_count; i++) {
		uint64_t left = FILE_BYTES - f->at - sum;

		parts[i] = f->parts[i];
		if (parts[i].iov_len > left)
			parts[i].iov_len = (size_t)left;
		fill(parts[i].iov_base, parts[i].iov_len, 9, f->at + sum);
		sum += parts[i].iov_len;
	}
	return sum;
}

/* Whether `size` bytes that came into the parts are what comes next. */
static void flow_check(struct flow *f, size_t size)
{
	for (unsigned i = 0; i < f->part_count && size > 0; i++) {
		size_t here = size < f->parts[i].iov_len ? size : f->parts[i].iov_len;

		if (!is_filled(f->parts[i].iov_base, here, 9, f->at))
			f->wrong++;
		f->at += here;
		size -= here;
	}
}

static void send_next(struct probe *p, const struct soq_event *event)
{
	struct flow *f = p->arg;
	size_t size;

	if (event) {
		if (event->result <= 0)
			return;
		f->at += (uint64_t)event->result;
	}
	/* The start is given the parts as long as it lasts: they are in the flow. */
	if (f->at == FILE_BYTES) {
		again(p, soq_shutdown_async(f->s, &p->op, SOQ_SHUTDOWN_SEND));
		return;
	}
	size = flow_fill(f, f->parts);
	again(p, f->part_count == 1 ? soq_send_async(f->s, &p->op, f->parts[0].iov_base, size, 0)
				    : soq_sendv_async(f->s, &p->op, f->parts, f->part_count, 0));
}

static void recv_next(struct probe *p, const struct soq_event *event)
{
	struct flow *f = p->arg;

	if (event) {
		if (event->result <= 0)
			return;
		flow_check(f, (size_t)event->result);
	}
	again(p, f->part_count == 1 ? soq_recv_async(f->s, &p->op, f->parts[0].iov_base,
						     f->parts[0].iov_len, 0)
				    : soq_recvv_async(f->s, &p->op, f->parts, f->part_count, 0));
}

static void file_arrives_async(struct fixture *t, int list)
{
	struct soq_socket *a, *b;
	struct flow out, in;
	struct probe *sent = probe(t), *received = probe(t);

	pair_soq(t, AF_INET, &a, &b);
	flow_open(&out, a, list, list ? 23 : 512, 9);
	flow_open(&in, b, list, list ? 123 : 256, 33);
	sent->then = send_next;
	sent->arg = &out;
	received->then = recv_next;
	received->arg = &in;
	recv_next(received, NULL);
	send_next(sent, NULL);
	await(t, received);
	await(t, sent);

	expect_end(sent, 0, 0);
	expect_end(received, 0, 0);
	expect(sent->start_error + received->start_error, 0);
	expect(out.at, FILE_BYTES);
	expect(in.at, FILE_BYTES);
	expect(in.wrong, 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void file_arrives_sync(struct fixture *t, int list)
{
	struct soq_socket *a, *b;
	struct flow out, in;
	struct iovec parts[4];

	pair_soq(t, AF_INET6, &a, &b);
	flow_open(&out, a, list, list ? 23 : 512, 9);
	flow_open(&in, b, list, list ? 123 : 256, 33);
	while (out.at < FILE_BYTES) {
		size_t size = flow_fill(&out, parts);

		expect(list ? soq_sendv(a, parts, 4, 0) : soq_send(a, parts[0].iov_base, size, 0),
		       size);
		out.at += size;
		while (in.at < out.at) {
			int64_t got = list ? soq_recvv(b, in.parts, 4, 0)
					   : soq_recv(b, in.memory, in.parts[0].iov_len, 0);

			expect_true(got > 0);
			flow_check(&in, (size_t)got);
		}
	}
	expect(soq_shutdown(a, SOQ_SHUTDOWN_SEND), 0);
	expect(soq_recvv(b, in.parts, 1, 0), 0);
	expect(in.at, FILE_BYTES);
	expect(in.wrong, 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void file_in_small_pieces_arrives_whole(struct fixture *t)
{
	file_arrives_sync(t, 0);
	if (t->home)
		file_arrives_async(t, 0);
}

static void file_in_lists_arrives_whole(struct fixture *t)
{
	file_arrives_sync(t, 1);
	if (t->home)
		file_arrives_async(t, 1);
}

/* Reads a gather of one block five times over, slowly. */
struct slow_reader {
	int fd;
	const char *block;
	uint64_t bytes;
	int wrong;
};

static void *read_slowly(void *arg)
{
	struct slow_reader *r = arg;
	char piece[16384];
	ssize_t n;

	while ((n = recv(r->fd, piece, sizeof(piece), 0)) > 0 || (n < 0 && errno == EINTR)) {
		for (ssize_t i = 0; i < n;) {
			size_t at = (size_t)(r->bytes % LARGE_BYTES);
			size_t here = (size_t)(n - i);

			if (here > LARGE_BYTES - at)
				here = LARGE_BYTES - at;
			r->wrong += memcmp(piece + i, r->block + at, here) != 0;
			r->bytes += here;
			i += (ssize_t)here;
		}
	}
	return NULL;
}

static void sixty_megabytes_leave_in_one_gather(struct fixture *t)
{
	/* The reader has a copy: what is sent is the library's meanwhile. */
	char *block = malloc(LARGE_BYTES), *copy = malloc(LARGE_BYTES);
	struct iovec parts[5];

	fill(block, LARGE_BYTES, 4, 0);
	fill(copy, LARGE_BYTES, 4, 0);
	for (unsigned i = 0; i < 5; i++)
		parts[i] = (struct iovec){ block, LARGE_BYTES };
	for (unsigned async = 0; async < (t->home ? 2u : 1u); async++) {
		struct slow_reader r = { .block = copy };
		struct soq_socket *s = pair_raw(t, AF_INET, &r.fd);
		struct probe *p = probe(t);
		pthread_t thread;

		expect(pthread_create(&thread, NULL, read_slowly, &r), 0);
		if (async) {
			started(p, soq_sendv_async(s, &p->op, parts, 5, 0));
			await(t, p);
			expect_end(p, 5 * LARGE_BYTES, 0);
		} else {
			expect(soq_sendv(s, parts, 5, 0), 5 * LARGE_BYTES);
		}
		expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
		expect(pthread_join(thread, NULL), 0);
		expect(r.bytes, 5 * LARGE_BYTES);
		expect(r.wrong, 0);
		expect(soq_close(s), 0);
		close(r.fd);
	}
	free(block);
	free(copy);
}

static void pending_receives_of_lists_share_what_comes(struct fixture *t)
{
	for (unsigned one_by_one = 0; one_by_one < 2; one_by_one++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct probe *p[5];
		char in[10], all[10];
		struct iovec parts[5][2];
		size_t used = 0;

		for (unsigned i = 0; i < 5; i++) {
			p[i] = probe(t);
			parts[i][0] = (struct iovec){ in + 2 * i, 1 };
			parts[i][1] = (struct iovec){ in + 2 * i + 1, i == 2 ? 0 : 1 };
			started(p[i], soq_recvv_async(s, &p[i]->op, parts[i], 2, 0));
		}
		settle(t);
		for (unsigned i = 0; one_by_one && i < 5; i++) {
			raw_send(fd, &"abcde"[i], 1);
			settle(t);
		}
		if (!one_by_one)
			raw_send(fd, "abcde", 5);
		/* All but the first three may have nothing of the five. */
		run_until(t, finished(p[0]) && finished(p[1]) && finished(p[2]));
		raw_fin(fd);
		await(t, p[4]);
		for (unsigned i = 0; i < 5; i++) {
			int64_t n = p[i]->result;

			expect_true(i < 3 ? n == 1 || (n == 2 && i != 2) : n >= 0 && n <= 1);
			memcpy(all + used, in + 2 * i, (size_t)n);
			used += (size_t)n;
			expect_true(i == 0 || p[i]->sequence > p[i - 1]->sequence);
		}
		expect(used, 5);
		assert_memory_equal(all, "abcde", 5);
		expect(soq_close(s), 0);
		close(fd);
	}
}

static void large_sends_outstanding_arrive_in_order(struct fixture *t)
{
	static const size_t sizes[3] = { 2000000, 2000000, 1000000 };
	char *bytes = malloc(5000000);

	fill(bytes, 5000000, 6, 0);
	/* Whatever the kernel takes at once: nearly all of it, or a little. */
	for (unsigned narrow = 0; narrow < 2; narrow++) {
		int fd;
		struct soq_socket *s = narrow ? pair_narrow(t, AF_INET, &fd)
					      : pair_raw(t, AF_INET6, &fd);
		struct probe *p[3];
		size_t at = 0;

		for (unsigned i = 0; i < 3; i++) {
			p[i] = probe(t);
			started(p[i], soq_send_async(s, &p[i]->op, bytes + at, sizes[i], 0));
			at += sizes[i];
		}
		settle(t);
		expect(p[2]->events, 0);
		raw_take(t, fd, 6, 0, 5000000);
		await(t, p[2]);
		for (unsigned i = 0; i < 3; i++) {
			expect_end(p[i], sizes[i], 0);
			expect_true(i == 0 || p[i]->sequence == p[i - 1]->sequence + 1);
		}
		expect(soq_close(s), 0);
		close(fd);
	}
	free(bytes);
}

static void sends_of_nothing_are_no_end(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct iovec empty = { NULL, 0 };
	char in[8];

	for (unsigned i = 0; i < 3; i++) {
		struct probe *none = probe(t), *list = probe(t);

		if (t->home) {
			started(none, soq_send_async(s, &none->op, "x", 0, 0));
			started(list, soq_sendv_async(s, &list->op, &empty, 1, 0));
			await(t, list);
			expect_end(none, 0, 0);
			expect_end(list, 0, 0);
		}
		expect(soq_send(s, "", 0, 0), 0);
		expect(soq_sendv(s, &empty, 1, 0), 0);
		expect(soq_send(s, &"abc"[i], 1, 0), 1);
		expect(soq_send(s, "", 0, 0), 0);
		expect(recv(fd, in, sizeof(in), 0), 1);
		expect(in[0], "abc"[i]);
	}
	expect(recv(fd, in, sizeof(in), MSG_DONTWAIT), -1);
	raw_send(fd, "back", 4);
	expect(soq_recv(s, in, 4, SOQ_EXACT), 4);
	expect(soq_close(s), 0);
	close(fd);
}

static void thousands_of_segments(struct fixture *t, unsigned count)
{
	struct soq_socket *a, *b;
	struct iovec *out = calloc(count, sizeof(*out)), *in = calloc(count, sizeof(*in));
	char *bytes = malloc(count), *room = malloc(count);

	pair_soq(t, AF_INET, &a, &b);
	fill(bytes, count, 3, 0);
	for (unsigned i = 0; i < count; i++) {
		out[i] = (struct iovec){ bytes + i, 1 };
		in[i] = (struct iovec){ room + i, 1 };
	}
	for (unsigned way = 0; way < (t->home ? 3u : 1u); way++) {
		struct probe *sent = probe(t), *received = probe(t);
		unsigned got = 0;

		memset(room, 0, count);
		if (way == 0) {
			expect(soq_sendv(a, out, count, 0), count);
		} else {
			started(sent, soq_sendv_async(a, &sent->op, out, count, 0));
			await(t, sent);
			expect_end(sent, count, 0);
		}
		/* A receive of them gives what is there: one after another gives all. */
		while (got < count) {
			int64_t rc;

			if (way == 0) {
				rc = soq_recvv(b, in + got, count - got, 0);
			} else {
				started(received,
					soq_recvv_async(b, &received->op, in + got, count - got,
							way == 2 ? SOQ_EXACT : 0));
				await(t, received);
				rc = received->result;
			}
			expect_true(rc > 0 && rc <= (int64_t)(count - got));
			expect_true(way < 2 || rc == count);
			got += (unsigned)rc;
		}
		expect_true(is_filled(room, count, 3, 0));
	}
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	free(out);
	free(in);
	free(bytes);
	free(room);
}

/* More than one call of the kernel's takes (IOV_MAX, 1,024). */
static void thousands_of_segments_go_both_ways(struct fixture *t)
{
	thousands_of_segments(t, 2400);
	thousands_of_segments(t, 5000);
}

static const struct conf_case cases[] = {
	SYNC_CASE(file_in_small_pieces_arrives_whole, "9a 9b 5b B036"),
	SYNC_CASE(file_in_lists_arrives_whole, "9a 9b 5b B037"),
	SYNC_CASE(sixty_megabytes_leave_in_one_gather, "9c 8e B038"),
	CASE(pending_receives_of_lists_share_what_comes, "9b B041"),
	CASE(large_sends_outstanding_arrive_in_order, "9a 9c B042"),
	SYNC_CASE(sends_of_nothing_are_no_end, "8b B043"),
	SYNC_CASE(thousands_of_segments_go_both_ways, "9a 9c 7c B049"),
};

CONF_GROUP(transfer, cases)
