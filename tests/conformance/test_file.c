/* SPDX-License-Identifier: MIT */
/* Files and parts: all of them, in order, from where they say; and what is refused. */
#define _GNU_SOURCE
#include "file.h"

enum { BEFORE = 100, BEHIND = 300 };

/* Sends memory, a file and memory, as `with` says, and ends the stream. */
static void sandwich(struct fixture *t, size_t size, unsigned with)
{
	size_t before = (with & 1) ? BEFORE : 0, behind = (with & 2) ? BEHIND : 0;
	struct file file = file_of(7, before, size);
	char first[BEFORE], last[BEHIND];
	struct taker taker = { .key = 7 };
	struct soq_socket *s = pair_raw(t, AF_INET, &taker.fd);
	struct soq_part parts[3] = { memory_part(first, before), file_part(file.fd, 0, 0),
				     memory_part(last, behind) };

	fill(first, before, 7, 0);
	fill(last, behind, 7, before + size);
	taker_start(&taker);
	expect(soq_send_parts(s, parts, 3, 0), before + size + behind);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	taker_end(&taker, before + size + behind);
	expect(soq_close(s), 0);
	close(taker.fd);
	close(file.fd);
}

static void file_of_any_size_arrives_with_memory_around_it(struct fixture *t)
{
	for (unsigned with = 0; with < 4; with++) {
		sandwich(t, 512, with);
		sandwich(t, 1024, with);
		sandwich(t, 12345678, with);
	}
}

static void parts_without_a_file_are_sent(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct soq_part none[2] = { { 0 }, { 0 } };
	struct soq_part before[2] = { memory_part("a", 1), { 0 } };
	struct soq_part behind[2] = { { 0 }, memory_part("b", 1) };
	struct soq_part both[2] = { memory_part("c", 1), memory_part("d", 1) };
	char in[5];

	expect(soq_send_parts(s, none, 2, 0), 0);
	expect(soq_send_parts(s, before, 2, 0), 1);
	expect(soq_send_parts(s, behind, 2, 0), 1);
	expect(soq_send_parts(s, both, 2, 0), 2);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);

	for (unsigned i = 0; i < 4; i++)
		expect(raw_recv_blocking(fd, in + i, 1), 1);
	assert_memory_equal(in, "abcd", 4);
	expect(raw_recv_blocking(fd, in, 1), 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void file_of_more_than_two_gib_arrives_whole(struct fixture *t)
{
	const uint64_t hole = UINT64_C(1) << 31;
	struct taker taker = { .key = 3, .skip = hole };
	struct soq_socket *s = pair_raw(t, AF_INET, &taker.fd);
	int fd = memfd_create("soq", MFD_CLOEXEC);
	char tail[99];

	fill(tail, sizeof(tail), 3, 0);
	expect(pwrite(fd, tail, sizeof(tail), (off_t)hole), sizeof(tail));
	taker_start(&taker);
	expect(soq_send_file(s, fd, 0, 0, 0), hole + sizeof(tail));
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	taker_end(&taker, hole + sizeof(tail));
	expect(soq_close(s), 0);
	close(taker.fd);
	close(fd);
}

static void empty_parts_are_passed_over(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd), *fresh = open_socket(t, AF_INET);
	struct file empty = file_of(1, 0, 0), full = file_of(1, 0, 4);
	char four[4];
	struct soq_part nothing[3] = { { 0 }, memory_part("x", 0), file_part(empty.fd, 0, 0) };
	struct soq_part mixed[5] = { memory_part(NULL, 0), file_part(full.fd, 0, 4),
				     path_part(empty.path, 0, 0), memory_part(four, 4),
				     file_part(full.fd, 4, 0) };

	fill(four, sizeof(four), 1, 4);
	expect(soq_send_parts(s, nothing, 3, 0), 0);
	expect(soq_send_parts(s, mixed, 5, 0), 8);
	expect(soq_send_parts(s, NULL, 1, 0), -EINVAL);
	expect(soq_send_parts(s, mixed, 0, 0), -EINVAL);
	expect(soq_send_parts(fresh, mixed, 5, 0), -ENOTCONN);
	expect(soq_send_parts(fresh, nothing, 3, 0), -ENOTCONN);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);

	raw_take(t, fd, 1, 0, 8);
	expect(raw_recv_blocking(fd, four, 1), 0);
	expect(soq_close(s), 0);
	expect(soq_close(fresh), 0);
	close(fd);
	close(empty.fd);
	close(full.fd);
}

static void parts_of_a_file_leave_in_their_order(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_unix_raw(t, SOCK_STREAM, &fd);
	struct file file = file_of(5, 0, 50);
	struct soq_part parts[3] = { file_part(file.fd, 10, 20), path_part(file.path, 30, 10),
				     file_part(file.fd, 0, 10) };
	char in[40];

	expect(soq_send_parts(s, parts, 3, 0), 40);
	for (unsigned i = 0; i < sizeof(in); i++)
		expect(raw_recv_blocking(fd, in + i, 1), 1);
	expect_true(is_filled(in, 20, 5, 10));
	expect_true(is_filled(in + 20, 10, 5, 30));
	expect_true(is_filled(in + 30, 10, 5, 0));

	/* No length is the rest; where the file stands is nobody's business. */
	expect(lseek(file.fd, 33, SEEK_SET), 33);
	expect(soq_send_file(s, file.fd, 20, 0, 0), 30);
	expect(soq_send_file(s, file.fd, 0, 0, 0), 50);
	expect(lseek(file.fd, 0, SEEK_CUR), 33);
	raw_take(t, fd, 5, 20, 30);
	raw_take(t, fd, 5, 0, 50);
	expect(soq_close(s), 0);
	close(fd);
	close(file.fd);
}

/* Refused in both forms with nothing sent; what was opened before is closed. */
static void refused(struct fixture *t, struct soq_socket *s, struct soq_part bad, int error)
{
	struct file good = file_of(1, 0, 10);
	struct soq_part parts[4] = { memory_part("never", 5), path_part(good.path, 0, 0), bad,
				     path_part(good.path, 5, 0) };
	struct fd_census before, after;
	struct probe *p = probe(t);

	census(&before);
	expect(soq_send_parts(s, parts, 4, 0), error);
	if (t->home)
		expect(soq_send_parts_async(s, &p->op, parts, 4, 0), error);
	census(&after);
	expect(after.count, before.count);
	close(good.fd);
}

static void part_beyond_its_file_is_refused(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct file file = file_of(2, 0, 50);
	char in[4];

	refused(t, s, file_part(file.fd, 51, 0), -EINVAL);
	refused(t, s, path_part(file.path, 51, 0), -EINVAL);
	refused(t, s, file_part(file.fd, 0, 51), -EINVAL);
	refused(t, s, path_part(file.path, 40, 11), -EINVAL);
	refused(t, s, path_part(file.path, UINT64_MAX, 2), -EINVAL);
	refused(t, s, file_part(file.fd, 2, UINT64_MAX), -EINVAL);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_recv_blocking(fd, in, 1), 0);
	expect(soq_close(s), 0);
	close(fd);
	close(file.fd);
}

static void what_is_no_file_is_refused(struct fixture *t)
{
	int fd, pipes[2];
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct file file = file_of(2, 0, 50);
	int blind = open(file.path, O_WRONLY | O_CLOEXEC);
	int name = open(file.path, O_PATH | O_CLOEXEC);
	char in[4];

	expect(pipe2(pipes, O_CLOEXEC), 0);
	refused(t, s, file_part(pipes[0], 0, 0), -EINVAL);
	refused(t, s, file_part(fd, 0, 0), -EINVAL);
	refused(t, s, file_part(-1, 0, 0), -EINVAL);
	refused(t, s, file_part(blind, 0, 0), -EINVAL);
	refused(t, s, file_part(name, 0, 0), -EINVAL);
	refused(t, s, path_part("/", 0, 0), -EINVAL);
	refused(t, s, path_part("/dev/null", 0, 0), -EINVAL);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_recv_blocking(fd, in, 1), 0);
	expect(soq_close(s), 0);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	close(blind);
	close(name);
	close(file.fd);
}

static void file_goes_to_no_closed_or_lonely_socket(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd), *fresh = open_socket(t, AF_INET);
	struct file file = file_of(2, 0, 50);
	struct soq_part parts[2] = { memory_part("never", 5), path_part("/proc/self/none", 0, 0) };
	char in[4];

	expect(soq_send_file(fresh, file.fd, 0, 0, 0), -ENOTCONN);
	expect(soq_send_parts(s, parts, 2, 0), -ENOENT);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	expect(soq_send_file(s, file.fd, 0, 0, 0), -EPIPE);
	expect(raw_recv_blocking(fd, in, 1), 0);
	expect(soq_close(s), 0);
	/* A detached handle is gone with its socket. */
	if (t->home) {
		struct probe *p = probe(t);

		expect(soq_send_file(s, file.fd, 0, 0, 0), -EBADF);
		expect(soq_send_file_async(s, &p->op, file.fd, 0, 0, 0), -EBADF);
	}
	expect(soq_close(fresh), 0);
	close(fd);
	close(file.fd);
}

static void hundred_parts_are_one_send(struct fixture *t)
{
	enum { PARTS = 100, EACH = 3001 };
	struct file file = file_of(6, 0, PARTS * EACH);
	struct taker taker = { .key = 6 };
	struct soq_socket *s = pair_raw(t, AF_INET6, &taker.fd);
	char *all = malloc(PARTS * EACH);
	struct soq_part parts[PARTS];

	fill(all, PARTS * EACH, 6, 0);
	for (unsigned i = 0; i < PARTS; i++) {
		uint64_t at = (uint64_t)i * EACH;

		if (i % 3 == 0)
			parts[i] = memory_part(all + at, EACH);
		else if (i % 3 == 1)
			parts[i] = file_part(file.fd, at, EACH);
		else
			parts[i] = path_part(file.path, at, EACH);
	}
	taker_start(&taker);
	expect(soq_send_parts(s, parts, PARTS, 0), PARTS * EACH);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	taker_end(&taker, PARTS * EACH);
	expect(soq_close(s), 0);
	close(taker.fd);
	close(file.fd);
	free(all);
}

static void thousands_of_small_parts_are_one_send(struct fixture *t)
{
	enum { PARTS = 3000, EACH = 7 };
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct file file = file_of(6, 0, PARTS * EACH);
	struct soq_part *parts = calloc(PARTS, sizeof(*parts));
	char *all = malloc(PARTS * EACH);

	fill(all, PARTS * EACH, 6, 0);
	for (unsigned i = 0; i < PARTS; i++)
		parts[i] = i % 5 ? memory_part(all + i * EACH, EACH)
				 : file_part(file.fd, (uint64_t)i * EACH, EACH);
	expect(soq_send_parts(s, parts, PARTS, SOQ_CORK), PARTS * EACH);
	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	raw_take(t, fd, 6, 0, PARTS * EACH);
	expect(soq_close(s), 0);
	close(fd);
	close(file.fd);
	free(parts);
	free(all);
}

static const struct conf_case cases[] = {
	SYNC_CASE(file_of_any_size_arrives_with_memory_around_it, "9c B159"),
	SYNC_CASE(parts_without_a_file_are_sent, "B160"),
	SYNC_CASE(file_of_more_than_two_gib_arrives_whole, "8e B161"),
	SYNC_CASE(empty_parts_are_passed_over, "B163"),
	SYNC_CASE(parts_of_a_file_leave_in_their_order, "B164"),
	SYNC_CASE(part_beyond_its_file_is_refused, "1a B165"),
	SYNC_CASE(what_is_no_file_is_refused, "1a"),
	SYNC_CASE(file_goes_to_no_closed_or_lonely_socket, "B158"),
	SYNC_CASE(hundred_parts_are_one_send, "9a"),
	SYNC_CASE(thousands_of_small_parts_are_one_send, "9a"),
};

CONF_GROUP(file, cases)
