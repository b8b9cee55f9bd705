/* SPDX-License-Identifier: MIT */
/* What a stream takes out of its buffer, under every way a stream can be cut into arrivals. */
#include "net/netstream.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#define ROOM 12

struct world {
	struct soq_stream st;
	unsigned char in[ROOM];
	const char *text;
	size_t text_bytes, arrived;
	unsigned cuts; /* bit i: something ends behind byte i */
};

static void world_open(struct world *w, const char *text, size_t text_bytes, unsigned cuts)
{
	memset(w, 0, sizeof(*w));
	memset(w->in, 0xee, sizeof(w->in));
	w->st.in = w->in;
	w->st.in_size = sizeof(w->in);
	w->text = text;
	w->text_bytes = text_bytes;
	w->cuts = cuts;
}

/* The next arrival, or the end. */
static void arrive(struct world *w)
{
	struct iovec room = soqi_stream_room(&w->st);
	size_t count = 0;

	assert_true(room.iov_len > 0);
	while (count < room.iov_len && w->arrived < w->text_bytes) {
		((char *)room.iov_base)[count++] = w->text[w->arrived++];
		if (w->cuts & (1u << (w->arrived - 1)))
			break;
	}
	w->st.ended = count == 0;
	w->st.in_to += count;
}

static int64_t take(struct world *w, struct soqi_want want)
{
	int64_t result;

	while ((result = soqi_stream_take(&w->st, &want)) == -EAGAIN) {
		assert_false(w->st.ended);
		arrive(w);
	}
	return result;
}

static struct soqi_want until(char *buffer, size_t size, const char *delimiter)
{
	return (struct soqi_want){ .kind = SOQI_WANT_UNTIL,
				   .buffer = (unsigned char *)buffer,
				   .size_bytes = size,
				   .delimiter = (const unsigned char *)delimiter,
				   .delimiter_bytes = strlen(delimiter) };
}

static struct soqi_want some(enum soqi_want_kind kind, char *buffer, size_t size)
{
	return (struct soqi_want){ .kind = kind,
				   .buffer = (unsigned char *)buffer,
				   .size_bytes = size };
}

static struct soqi_want prefixed(unsigned prefix, char *buffer, size_t size, uint64_t *length)
{
	return (struct soqi_want){ .kind = SOQI_WANT_PREFIXED,
				   .buffer = (unsigned char *)buffer,
				   .size_bytes = size,
				   .prefix_bytes = prefix,
				   .length_out = length };
}

static void delimiters_are_found_wherever_it_is_cut(void **state)
{
	static const char text[] = "a\r\r\n\r\nlonger\rb";
	const size_t bytes = sizeof(text) - 1;
	char out[ROOM];
	struct world w;

	(void)state;
	for (unsigned cuts = 0; cuts < 1u << (bytes - 1); cuts++) {
		world_open(&w, text, bytes, cuts);
		assert_int_equal(take(&w, until(out, ROOM, "\r\n")), 4);
		assert_memory_equal(out, "a\r\r\n", 4);
		assert_int_equal(take(&w, until(out, 2, "\r\n")), 2);
		/* Too long: it is left, and longer memory has it. */
		assert_int_equal(take(&w, until(out, 6, "\r")), -EMSGSIZE);
		assert_int_equal(take(&w, until(out, 7, "\r")), 7);
		assert_memory_equal(out, "longer\r", 7);
		assert_int_equal(take(&w, until(out, ROOM, "\r")), -ENODATA);
		assert_int_equal(take(&w, until(out, ROOM, "b")), 1);
		assert_int_equal(take(&w, until(out, ROOM, "b")), 0);
	}
}

static void prefixes_are_read_wherever_it_is_cut(void **state)
{
	static const char text[] = "\2ab\0\0\0\5hello\1";
	const size_t bytes = sizeof(text) - 1;
	char out[ROOM];
	uint64_t length;
	struct world w;

	(void)state;
	for (unsigned cuts = 0; cuts < 1u << (bytes - 1); cuts++) {
		world_open(&w, text, bytes, cuts);
		assert_int_equal(take(&w, prefixed(1, out, 8, &length)), 0);
		assert_int_equal(length, 2);
		assert_memory_equal(out, "ab", 2);
		assert_int_equal(take(&w, prefixed(1, NULL, 0, &length)), 0);
		assert_int_equal(length, 0);
		/* What follows is 00 00 05. */
		assert_int_equal(take(&w, prefixed(1, out, 8, &length)), 0);
		assert_int_equal(length, 0);
		assert_int_equal(take(&w, prefixed(2, out, 4, &length)), -EMSGSIZE);
		assert_int_equal(take(&w, prefixed(2, out, 8, &length)), 0);
		assert_int_equal(length, 5);
		assert_memory_equal(out, "hello", 5);
		assert_int_equal(take(&w, prefixed(1, out, 8, &length)), -ENODATA);
		assert_int_equal(length, 1);
		assert_int_equal(take(&w, some(SOQI_WANT_SOME, out, 8)), 1);
		assert_int_equal(take(&w, prefixed(4, out, 8, &length)), -ENODATA);
		assert_int_equal(length, 0);
	}
}

static void exact_reads_are_all_or_nothing(void **state)
{
	static const char text[] = "0123456789abcdef";
	const size_t bytes = sizeof(text) - 1;
	char out[ROOM];
	struct world w;

	(void)state;
	for (unsigned cuts = 0; cuts < 1u << (bytes - 1); cuts++) {
		struct soqi_want five = some(SOQI_WANT_EXACT, out, 5);

		world_open(&w, text, bytes, cuts);
		arrive(&w);
		if (soqi_stream_there(&w.st) < 5)
			assert_int_equal(soqi_stream_take(&w.st, &five), -EAGAIN);
		assert_int_equal(take(&w, five), 5);
		assert_memory_equal(out, "01234", 5);
		assert_int_equal(take(&w, some(SOQI_WANT_EXACT, out, 8)), 8);
		assert_memory_equal(out, "56789abc", 8);
		assert_int_equal(take(&w, some(SOQI_WANT_EXACT, out, 5)), 3);
		assert_memory_equal(out, "def", 3);
		assert_int_equal(take(&w, some(SOQI_WANT_EXACT, out, 5)), 0);
		assert_int_equal(take(&w, some(SOQI_WANT_SOME, out, 5)), 0);
	}
}

static void lengths_are_written_as_they_are_read(void **state)
{
	static const uint64_t lengths[] = { 0, 1, 0x7f, 0xff, 0x100, 0xfffe, 0x12345678 };
	static const unsigned sizes[] = { 1, 2, 4, 8 };
	char out[1];

	(void)state;
	for (unsigned little = 0; little < 2; little++)
		for (unsigned i = 0; i < 4; i++)
			for (unsigned k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
				struct world w;
				uint64_t length = 0;
				struct soqi_want want = prefixed(sizes[i], out, 0, &length);
				uint64_t fits = lengths[k];

				if (sizes[i] < 8)
					fits &= (UINT64_C(1) << (8 * sizes[i])) - 1;
				world_open(&w, "", 0, 0);
				w.st.flags = little ? SOQ_STREAM_LITTLE_END : 0;
				soqi_stream_prefix(&w.st, sizes[i], lengths[k], w.in);
				w.st.in_to = sizes[i];
				assert_int_equal(w.in[little ? 0 : sizes[i] - 1], fits & 0xff);
				assert_int_equal(soqi_stream_take(&w.st, &want),
						 fits == 0 ? 0 : -EMSGSIZE);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delimiters_are_found_wherever_it_is_cut),
		cmocka_unit_test(prefixes_are_read_wherever_it_is_cut),
		cmocka_unit_test(exact_reads_are_all_or_nothing),
		cmocka_unit_test(lengths_are_written_as_they_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
