/* SPDX-License-Identifier: MIT */
/* Files to send, and a peer in a thread that takes what synchronous sends give. */
#ifndef SOQ_TESTS_FILE_H
#define SOQ_TESTS_FILE_H

#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

/* The folder of descriptors: a path for a file that has none. */
struct file {
	int fd;
	char path[40];
};

/* A file of `size` bytes of stream `key`, from `offset` on. */
static inline struct file file_of(uint64_t key, uint64_t offset, size_t size)
{
	struct file file = { memfd_create("soq", MFD_CLOEXEC), "" };
	char piece[65536];

	expect_true(file.fd >= 0);
	(void)snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	for (size_t i = 0; i < size; i += sizeof(piece)) {
		size_t n = size - i < sizeof(piece) ? size - i : sizeof(piece);

		fill(piece, n, key, offset + i);
		expect(pwrite(file.fd, piece, n, (off_t)i), n);
	}
	return file;
}

static inline struct soq_part memory_part(const void *data, size_t size)
{
	return (struct soq_part){ .kind = SOQ_PART_MEMORY, .data = data, .size_bytes = size };
}

static inline struct soq_part file_part(int fd, uint64_t offset, uint64_t size)
{
	return (struct soq_part){ .kind = SOQ_PART_FILE,
				  .fd = fd,
				  .offset_bytes = offset,
				  .size_bytes = size };
}

static inline struct soq_part path_part(const char *path, uint64_t offset, uint64_t size)
{
	return (struct soq_part){ .kind = SOQ_PART_PATH,
				  .path = path,
				  .offset_bytes = offset,
				  .size_bytes = size };
}

/* Takes everything from `fd` to its end: after `skip` bytes of anything stream `key`. */
struct taker {
	pthread_t thread;
	int fd;
	uint64_t key, skip;
	uint64_t bytes; /* all of them */
	int wrong;
	int error; /* 0 at the end of stream */
};

static inline int64_t taker_recv(const struct taker *taker, char *in, size_t size, int flags)
{
	int64_t n;

	do
		n = recv(taker->fd, in, size, flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static inline void *taker_body(void *arg)
{
	struct taker *taker = arg;
	size_t size = (size_t)1 << 20;
	char *in = malloc(size);
	int64_t n;

	while (taker->bytes < taker->skip) {
		uint64_t left = taker->skip - taker->bytes;

		n = taker_recv(taker, in, left < size ? (size_t)left : size, MSG_TRUNC);
		if (n <= 0)
			break;
		taker->bytes += (uint64_t)n;
	}
	while ((n = taker_recv(taker, in, size, 0)) > 0) {
		uint64_t at = taker->bytes - taker->skip;

		taker->wrong |= !is_filled(in, (size_t)n, taker->key, at);
		taker->bytes += (uint64_t)n;
	}
	taker->error = (int)n;
	free(in);
	return NULL;
}

static inline void taker_start(struct taker *taker)
{
	expect(pthread_create(&taker->thread, NULL, taker_body, taker), 0);
}

/* The stream has been ended: it was so many bytes, the right ones. */
static inline void taker_end(struct taker *taker, uint64_t bytes)
{
	expect(pthread_join(taker->thread, NULL), 0);
	expect(taker->error, 0);
	expect(taker->bytes, bytes);
	expect(taker->wrong, 0);
}

#endif
