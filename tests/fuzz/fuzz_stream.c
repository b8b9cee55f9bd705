/* SPDX-License-Identifier: MIT */
/*
 * Streams: a script of reads over bytes that arrive in pieces. The first bytes of an input are
 * the buffer's size, the pieces and the script; the rest is the stream.
 */
#include "net/netstream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READS      8
#define HEAD_BYTES (2 + 2 * READS)
#define ROOM_MIN   16
#define ROOM_STEP  64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct soq_stream st;
	const uint8_t *text;
	size_t size, arrived, taken;
	uint32_t pieces;
};

static void arrive(struct world *w)
{
	struct iovec room = soqi_stream_room(&w->st);
	size_t count = w->size - w->arrived;

	assert(room.iov_len > 0);
	w->pieces = w->pieces * 1103515245 + 12345;
	if (count > 1 + (w->pieces >> 16) % 32)
		count = 1 + (w->pieces >> 16) % 32;
	if (count > room.iov_len)
		count = room.iov_len;
	memcpy(room.iov_base, w->text + w->arrived, count);
	w->arrived += count;
	w->st.in_to += count;
	w->st.ended = count == 0;
}

static int64_t take(struct world *w, struct soqi_want want)
{
	int64_t result;

	while ((result = soqi_stream_take(&w->st, &want)) == -EAGAIN) {
		assert(!w->st.ended);
		arrive(w);
	}
	return result;
}

/* The right answers, of the whole stream at once. */
static int64_t until_plain(const struct world *w, uint8_t delimiter, size_t max)
{
	const uint8_t *from = w->text + w->taken;
	size_t left = w->size - w->taken;
	const uint8_t *found = left > 0 ? memchr(from, delimiter, left < max ? left : max) : NULL;

	if (found != NULL)
		return found - from + 1;
	if (left >= max)
		return -EMSGSIZE;
	return left > 0 ? -ENODATA : 0;
}

static int64_t prefixed_plain(const struct world *w, unsigned prefix, size_t max, uint64_t *length)
{
	size_t left = w->size - w->taken;

	*length = left;
	if (left < prefix)
		return -ENODATA;
	*length = 0;
	for (unsigned i = 0; i < prefix; i++)
		*length = *length << 8 | w->text[w->taken + i];
	if (*length > max)
		return -EMSGSIZE;
	if (left - prefix >= *length)
		return 0;
	*length = left;
	return -ENODATA;
}

static void check_bytes(struct world *w, const uint8_t *in, size_t skipped, size_t count)
{
	assert(w->taken + skipped + count <= w->size);
	assert(memcmp(in, w->text + w->taken + skipped, count) == 0);
	w->taken += skipped + count;
}

static void read_one(struct world *w, uint8_t kind, uint8_t size, uint8_t *in)
{
	size_t room = w->st.in_size, left = w->size - w->taken, max = 1 + size % room;
	struct soqi_want want = { .buffer = in, .size_bytes = max };
	uint64_t length = 0, plain = 0;
	int64_t result, right;

	switch (kind % 4) {
	case 0:
		want.kind = SOQI_WANT_SOME;
		result = take(w, want);
		assert(result >= 0 && (size_t)result <= max && (result > 0 || left == 0));
		check_bytes(w, in, 0, (size_t)result);
		return;
	case 1:
		want.kind = SOQI_WANT_EXACT;
		result = take(w, want);
		assert(result == (int64_t)(left < max ? left : max));
		check_bytes(w, in, 0, (size_t)result);
		return;
	case 2:
		want.kind = SOQI_WANT_UNTIL;
		want.delimiter = &kind;
		want.delimiter_bytes = 1;
		result = take(w, want);
		assert(result == until_plain(w, kind, max));
		if (result > 0)
			check_bytes(w, in, 0, (size_t)result);
		return;
	default:
		want.kind = SOQI_WANT_PREFIXED;
		want.prefix_bytes = 1u << (kind >> 2) % 4;
		if (max > room - want.prefix_bytes)
			max = room - want.prefix_bytes;
		want.size_bytes = max;
		want.length_out = &length;
		result = take(w, want);
		right = prefixed_plain(w, want.prefix_bytes, max, &plain);
		assert(result == right);
		if (result == 0) {
			assert(length == plain);
			check_bytes(w, in, want.prefix_bytes, (size_t)length);
		} else if (result == -ENODATA) {
			assert(length == plain);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { 0 };
	uint8_t *in;

	if (size < HEAD_BYTES)
		return 0;
	w.st.in_size = ROOM_MIN + data[0] % ROOM_STEP;
	w.st.in = malloc(w.st.in_size);
	w.pieces = data[1];
	w.text = data + HEAD_BYTES;
	w.size = size - HEAD_BYTES;
	assert(w.st.in != NULL);
	for (unsigned i = 0; i < READS; i++) {
		in = malloc(w.st.in_size);
		assert(in != NULL);
		read_one(&w, data[2 + 2 * i], data[3 + 2 * i], in);
		free(in);
	}
	free(w.st.in);
	return 0;
}
