/* SPDX-License-Identifier: MIT */
/* A stream's two halves, and what a read waits for. */
#ifndef SOQI_NETSTREAM_H
#define SOQI_NETSTREAM_H

#include <soq/helper.h>
#include <soq/netstream.h>

#include <stdbool.h>
#include <sys/uio.h>

enum soqi_want_kind {
	SOQI_WANT_SOME = 0,
	SOQI_WANT_EXACT,
	SOQI_WANT_UNTIL,
	SOQI_WANT_PREFIXED,
	SOQI_WANT_COPY,
};

/* What a read shall bring. */
struct soqi_want {
	enum soqi_want_kind kind;
	unsigned char *buffer;
	size_t size_bytes;
	const unsigned char *delimiter;
	size_t delimiter_bytes;
	size_t scanned; /* in so many bytes of the buffer no delimiter begins */
	unsigned prefix_bytes;
	uint64_t *length_out;
	struct soq_stream *to; /* of a copy */
	int64_t copied;
};

/* One direction. `op` is the program's, or NULL; `inner` is in flight only while it is there. */
struct soqi_half {
	struct soq_op inner;
	struct soq_op *op;
	bool busy; /* in a call or an op */
	int cause; /* that `op` was cut by, or 0 */
};

struct soq_stream {
	struct soq_socket *s;
	struct soq_allocator allocator;
	uint32_t flags;
	bool ended; /* the socket has said 0 */

	struct soqi_half read;
	unsigned char *in;
	size_t in_size, in_from, in_to; /* in[from, to) has arrived and is not read */
	struct soqi_want want;

	struct soqi_half write;
	unsigned char *out;
	size_t out_size, out_used;
	const unsigned char *data; /* what follows the buffer, of an op */
	size_t data_bytes;
	struct iovec segments[2];
};

/* stream_take.c, without a socket. What there is to read. */
static inline size_t soqi_stream_there(const struct soq_stream *st)
{
	return st->in_to - st->in_from;
}

/* Takes what a read wants out of the buffer: its result, or -EAGAIN, more has to arrive. */
int64_t soqi_stream_take(struct soq_stream *st, struct soqi_want *want);
/* Takes this much away, unread. */
void soqi_stream_skip(struct soq_stream *st, size_t size_bytes);
/* The room for what arrives next, at least one byte of it. */
struct iovec soqi_stream_room(struct soq_stream *st);
/* Takes the first bytes, which are sent, out of what is to be. */
void soqi_stream_sent(struct soq_stream *st, size_t size_bytes);
/* A length, as its prefix. */
void soqi_stream_prefix(const struct soq_stream *st, unsigned prefix_bytes, uint64_t length,
			unsigned char *prefix);

/* stream.c. The checks of reads and writes, before they begin. */
int soqi_stream_read_check(const struct soq_stream *st, const struct soqi_want *want);
int soqi_stream_write_check(const struct soq_stream *st, const void *data, size_t size_bytes);
/* Whether what a read still wants goes past the buffer, into the caller's memory. */
bool soqi_stream_is_direct(const struct soq_stream *st, const struct soqi_want *want);

#endif
