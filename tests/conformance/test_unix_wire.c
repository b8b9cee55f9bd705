/* SPDX-License-Identifier: MIT */
/* Unix streams as .NET's own tests use them: every size, clones of both ends, wrong paths. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ten bytes each way, by calls that wait and by ops. */
static void bytes_go_both_ways(struct fixture *t)
{
	struct soq_socket *ends[2];

	pair_unix(t, SOCK_STREAM, &ends[0], &ends[1]);
	for (unsigned i = 0; i < 20; i++) {
		char out = (char)('a' + i), in = 0;

		expect(soq_send(ends[i & 1], &out, 1, 0), 1);
		expect(soq_recv(ends[~i & 1], &in, 1, 0), 1);
		expect(in, out);
	}
	for (unsigned i = 0; t->home != NULL && i < 20; i++) {
		struct probe *sent = probe(t), *got = probe(t);
		char out = (char)('A' + i), in = 0;

		started(got, soq_recv_async(ends[~i & 1], &got->op, &in, 1, 0));
		started(sent, soq_send_async(ends[i & 1], &sent->op, &out, 1, 0));
		await(t, got);
		await(t, sent);
		expect_end(sent, 1, 0);
		expect_end(got, 1, 0);
		expect(in, out);
	}
	expect(soq_close(ends[0]), 0);
	expect(soq_close(ends[1]), 0);
}

static struct soq_socket *clone_of(struct fixture *t, struct soq_socket *s,
				   struct soq_socket **kept)
{
	struct soq_socket *clone;
	int fd = soq_socket_release(s), other;

	expect_true(fd >= 0);
	other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	expect_true(other >= 0);
	expect(soq_socket_adopt(t->home, fd, kept), 0);
	expect(soq_socket_adopt(t->home, other, &clone), 0);
	return clone;
}

static void clones_know_the_same_and_carry_data(struct fixture *t)
{
	struct soq_socket *a, *b, *a2, *b2;
	struct soq_endpoint one, other;
	char in[4] = "";

	pair_unix(t, SOCK_STREAM, &a, &b);
	a2 = clone_of(t, a, &a);
	b2 = clone_of(t, b, &b);
	expect(soq_socket_peer(a, &one), 0);
	expect(soq_socket_peer(a2, &other), 0);
	expect_true(soq_endpoint_equal(&one, &other));
	expect(soq_socket_local(b, &one), 0);
	expect(soq_socket_local(b2, &other), 0);
	expect_true(soq_endpoint_equal(&one, &other));
	expect(soq_send(a2, "abc", 3, 0), 3);
	expect(soq_recv(b2, in, 3, SOQ_EXACT), 3);
	expect(memcmp(in, "abc", 3), 0);
	expect(soq_send(b, "xyz", 3, 0), 3);
	expect(soq_recv(a, in, 3, SOQ_EXACT), 3);
	expect(memcmp(in, "xyz", 3), 0);
	expect(soq_close(a), 0);
	expect(soq_close(a2), 0);
	expect(soq_close(b), 0);
	expect(soq_close(b2), 0);
}

/* `count` sends of `out_bytes`, received by `in_bytes`; then the end. */
static void carry(struct fixture *t, unsigned count, size_t out_bytes, size_t in_bytes)
{
	size_t all = count * out_bytes, got = 0;
	char *out = malloc(all), *in = malloc(in_bytes);
	struct probe *sent = probe(t);
	struct soq_socket *a, *b;
	size_t at = 0;

	pair_unix(t, SOCK_STREAM, &a, &b);
	fill(out, all, 7, 0);
	sent->starts = 0;
	while (got < all) {
		int64_t n;

		/* The next send, as soon as the one before has ended. */
		if (at < all && sent->finals == sent->starts) {
			if (at > 0)
				expect_end(sent, out_bytes, 0);
			started(sent, soq_send_async(a, &sent->op, out + at, out_bytes, 0));
			at += out_bytes;
		}
		settle(t);
		n = soq_recv(b, in, in_bytes, 0);
		expect_true(n > 0 && is_filled(in, (size_t)n, 7, got));
		got += (size_t)n;
	}
	await(t, sent);
	expect(soq_close(a), 0);
	expect(soq_recv(b, in, in_bytes, 0), 0);
	expect(soq_close(b), 0);
	free(out);
	free(in);
}

static void every_size_arrives_and_then_the_end(struct fixture *t)
{
	carry(t, 300, 1, 1);
	carry(t, 100, 18, 21);
	carry(t, 100, 21, 18);
	carry(t, 5, 128000, 64000);
}

static void path_that_makes_no_sense_is_refused(struct fixture *t)
{
	char path[110];
	struct soq_endpoint ep;

	(void)t;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	expect(soq_endpoint_unix(NULL, &ep), -EINVAL);
	expect(soq_endpoint_unix("", &ep), -EINVAL);
	expect_true(soq_endpoint_unix(path, &ep) < 0);
	path[107] = '\0';
	expect(soq_endpoint_unix(path, &ep), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(bytes_go_both_ways, "9a B061"),
	SYNC_CASE(clones_know_the_same_and_carry_data, "B062"),
	CASE(every_size_arrives_and_then_the_end, "9a 5b B063"),
	SYNC_CASE(path_that_makes_no_sense_is_refused, "B066"),
};

CONF_GROUP(unix_wire, cases)
