/* SPDX-License-Identifier: MIT */
/* Messages of unix sockets with descriptors, of files that can be told apart. */
#ifndef SOQ_TESTS_DESCRIPTORS_KIT_H
#define SOQ_TESTS_DESCRIPTORS_KIT_H

#include "message_ways.h"

#include <sys/mman.h>
#include <sys/stat.h>

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };

enum { MANY = SOQ_MESSAGE_DESCRIPTORS_MAX };

static inline struct datagrams pair_of(struct fixture *t, int type)
{
	struct datagrams d = { 0 };

	if (type == SOCK_DGRAM)
		return datagrams_connected(t, AF_UNIX);
	pair_unix(t, type, &d.a, &d.b);
	return d;
}

static inline unsigned open_count(void)
{
	struct fd_census c;

	census(&c);
	return c.count;
}

/* A file of its own for each number: told from the others by its size. */
static inline int file_of(unsigned number)
{
	int fd = memfd_create("soq", MFD_CLOEXEC);

	expect_true(fd >= 0);
	expect(ftruncate(fd, number), 0);
	return fd;
}

static inline unsigned number_of(int fd)
{
	struct stat status;

	expect(fstat(fd, &status), 0);
	return (unsigned)status.st_size;
}

/* A message of the bytes of `one`, with descriptors to send or room for them. */
static inline struct soq_message with(struct iovec *one, int *fds, uint32_t count, uint32_t max)
{
	struct soq_message m = message_of(one, 1);

	m.descriptors = fds;
	m.descriptor_count = count;
	m.descriptor_max = max;
	return m;
}

static inline int64_t send_with(struct fixture *t, unsigned way, struct soq_socket *s,
				const char *text, int *fds, uint32_t count)
{
	struct iovec one = { (void *)(uintptr_t)text, strlen(text) };
	struct soq_message m = with(&one, fds, count, 0);

	return send_way(t, way, s, &m);
}

#endif
