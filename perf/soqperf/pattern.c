/* SPDX-License-Identifier: MIT */
/* Makes and compares the bytes of streams. */
#include "pattern.h"

#include <string.h>

/* The pattern repeats itself after 256 bytes, so a part of it that stays in the cache will do. */
#define PERIOD_BYTES 256u
#define PIECE_BYTES  4096u

void pattern_fill(unsigned char *data, size_t count)
{
	for (size_t i = 0; i < count; i++)
		data[i] = (unsigned char)(i % PATTERN_BYTES * 31 + 7);
}

bool pattern_equal(const unsigned char *data, size_t count, uint64_t position)
{
	static unsigned char table[PIECE_BYTES + PERIOD_BYTES];
	const unsigned char *expected;

	if (table[0] == 0)
		pattern_fill(table, sizeof(table));
	expected = table + position % PERIOD_BYTES;
	for (; count > PIECE_BYTES; count -= PIECE_BYTES, data += PIECE_BYTES) {
		if (memcmp(data, expected, PIECE_BYTES) != 0)
			return false;
	}
	return memcmp(data, expected, count) == 0;
}
