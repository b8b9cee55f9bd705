/* SPDX-License-Identifier: MIT */
/* What of a stream is in its buffers: taken, made room for, found. No system call is here. */
#include "netstream.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void soqi_stream_skip(struct soq_stream *st, size_t size_bytes)
{
	assert(size_bytes <= soqi_stream_there(st));
	st->in_from += size_bytes;
	if (st->in_from == st->in_to) {
		st->in_from = 0;
		st->in_to = 0;
	}
}

static int64_t hand_out(struct soq_stream *st, const struct soqi_want *want, size_t skip,
			size_t size_bytes)
{
	if (size_bytes > 0)
		memcpy(want->buffer, st->in + st->in_from + skip, size_bytes);
	soqi_stream_skip(st, skip + size_bytes);
	return (int64_t)size_bytes;
}

static int64_t take_until(struct soq_stream *st, struct soqi_want *want)
{
	const unsigned char *begin = st->in + st->in_from;
	size_t there = soqi_stream_there(st);
	size_t window = there < want->size_bytes ? there : want->size_bytes;
	const unsigned char *found;

	found = window > want->scanned ? memmem(begin + want->scanned, window - want->scanned,
						want->delimiter, want->delimiter_bytes)
				       : NULL;
	if (found != NULL)
		return hand_out(st, want, 0, (size_t)(found - begin) + want->delimiter_bytes);
	if (there >= want->size_bytes)
		return -EMSGSIZE;
	if (st->ended)
		return there > 0 ? -ENODATA : 0;
	/* The first bytes of a delimiter may be there already. */
	if (window >= want->delimiter_bytes)
		want->scanned = window - (want->delimiter_bytes - 1);
	return -EAGAIN;
}

static uint64_t length_of(const struct soq_stream *st, unsigned prefix_bytes)
{
	const unsigned char *prefix = st->in + st->in_from;
	uint64_t length = 0;

	for (unsigned i = 0; i < prefix_bytes; i++) {
		unsigned at = (st->flags & SOQ_STREAM_LITTLE_END) ? prefix_bytes - 1 - i : i;

		length = length << 8 | prefix[at];
	}
	return length;
}

void soqi_stream_prefix(const struct soq_stream *st, unsigned prefix_bytes, uint64_t length,
			unsigned char *prefix)
{
	for (unsigned i = prefix_bytes; i > 0; i--) {
		unsigned at = (st->flags & SOQ_STREAM_LITTLE_END) ? prefix_bytes - i : i - 1;

		prefix[at] = (unsigned char)length;
		length >>= 8;
	}
}

static int64_t take_prefixed(struct soq_stream *st, struct soqi_want *want)
{
	size_t there = soqi_stream_there(st);
	uint64_t length;

	if (there >= want->prefix_bytes) {
		length = length_of(st, want->prefix_bytes);
		if (length > want->size_bytes)
			return -EMSGSIZE;
		if (there - want->prefix_bytes >= length) {
			*want->length_out = length;
			(void)hand_out(st, want, want->prefix_bytes, (size_t)length);
			return 0;
		}
	}
	if (!st->ended)
		return -EAGAIN;
	*want->length_out = there;
	return -ENODATA;
}

int64_t soqi_stream_take(struct soq_stream *st, struct soqi_want *want)
{
	size_t there = soqi_stream_there(st);

	switch (want->kind) {
	case SOQI_WANT_UNTIL:
		return take_until(st, want);
	case SOQI_WANT_PREFIXED:
		return take_prefixed(st, want);
	case SOQI_WANT_EXACT:
		if (there < want->size_bytes && !st->ended)
			return -EAGAIN;
		break;
	default:
		if (there == 0 && !st->ended)
			return -EAGAIN;
		break;
	}
	return hand_out(st, want, 0, there < want->size_bytes ? there : want->size_bytes);
}

struct iovec soqi_stream_room(struct soq_stream *st)
{
	/* To the front when the end is near: what is there is a part of a message, most often. */
	if (st->in_from > 0 && st->in_size - st->in_to < st->in_size / 2) {
		memmove(st->in, st->in + st->in_from, soqi_stream_there(st));
		st->in_to -= st->in_from;
		st->in_from = 0;
	}
	assert(st->in_to < st->in_size);
	return (struct iovec){ st->in + st->in_to, st->in_size - st->in_to };
}

void soqi_stream_sent(struct soq_stream *st, size_t size_bytes)
{
	assert(size_bytes <= st->out_used);
	st->out_used -= size_bytes;
	if (size_bytes > 0 && st->out_used > 0)
		memmove(st->out, st->out + size_bytes, st->out_used);
}
