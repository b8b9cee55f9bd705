/* SPDX-License-Identifier: MIT */
/* The requests of the HTTP example: whole, and byte by byte, in memory of exactly their size. */
#include "http_parse.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole = { 0 }, bytes = { 0 };
	int result = 0, early = 0;

	for (size_t count = 1; count <= size && early == 0; count++) {
		char *part = malloc(count);

		assert(part != NULL);
		memcpy(part, data, count);
		early = http_read(&bytes, part, count);
		free(part);
	}
	if (size > 0)
		result = http_read(&whole, (const char *)data, size);
	assert(result == early);
	assert(result <= HTTP_REQUEST_MAX);
	if (result > 0) {
		assert((size_t)result <= size);
		assert(whole.path_at + whole.path_bytes <= (size_t)result);
		assert(whole.method == bytes.method && whole.close == bytes.close);
	}
	return 0;
}
