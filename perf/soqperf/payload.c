/* SPDX-License-Identifier: MIT */
/* Makes and compares the bytes of requests. */
#include "payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 16u
#define START_COUNT  4096u /* places in the table a request can begin at */

static unsigned char *table;

int payload_init(void)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	if (table)
		return 0;
	table = malloc(PAYLOAD_MAX + START_COUNT);
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < PAYLOAD_MAX + START_COUNT; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		table[i] = (unsigned char)(state >> 32);
	}
	return 0;
}

/* The sequence comes first: the shortest requests still differ from the one before. */
static void header_of(unsigned char header[HEADER_BYTES], uint32_t connection, uint64_t sequence)
{
	uint64_t second = (uint64_t)connection << 32 | UINT32_C(0x736f7121);

	for (unsigned i = 0; i < 8; i++) {
		header[i] = (unsigned char)(sequence >> (8 * i));
		header[8 + i] = (unsigned char)(second >> (56 - 8 * i));
	}
}

static const unsigned char *body_of(uint32_t connection, uint64_t sequence)
{
	return table + (connection * UINT64_C(257) + sequence * UINT64_C(31)) % START_COUNT;
}

void payload_fill(unsigned char *data, size_t size_bytes, uint32_t connection, uint64_t sequence)
{
	unsigned char header[HEADER_BYTES];
	size_t head = size_bytes < HEADER_BYTES ? size_bytes : HEADER_BYTES;

	header_of(header, connection, sequence);
	memcpy(data, header, head);
	memcpy(data + head, body_of(connection, sequence), size_bytes - head);
}

bool payload_equal(const unsigned char *data, size_t count, size_t offset, uint32_t connection,
		   uint64_t sequence)
{
	unsigned char header[HEADER_BYTES];
	size_t head = 0;

	if (offset < HEADER_BYTES) {
		head = HEADER_BYTES - offset < count ? HEADER_BYTES - offset : count;
		header_of(header, connection, sequence);
		if (memcmp(data, header + offset, head) != 0)
			return false;
	}
	if (head == count)
		return true;
	return memcmp(data + head, body_of(connection, sequence) + (offset + head - HEADER_BYTES),
		      count - head) == 0;
}
