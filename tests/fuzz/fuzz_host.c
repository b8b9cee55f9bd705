/* SPDX-License-Identifier: MIT */
/* Hosts: texts of addresses, and names, without looking any up. */
#include <assert.h>
#include <errno.h>
#include <soq/name.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* By the rules of soq/name.h: 1 if the bytes are a name, else 0. */
static int is_name(const uint8_t *text, size_t size)
{
	size_t begin = 0, label = 0;
	int all_digits = 1;

	if (size == 0 || size > 253)
		return 0;
	if (text[size - 1] == '.')
		size--;
	for (size_t i = 0; i < size; i++) {
		int c = text[i];

		if (c == '.') {
			if (label == 0 || label > 63)
				return 0;
			label = 0;
			begin = i + 1;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '_'))
			return 0;
		label++;
	}
	if (label == 0 || label > 63)
		return 0;
	/* A last label that is a number, as C writes them, is none of a name. */
	if (size - begin >= 2 && text[begin] == '0' && (text[begin + 1] | 0x20) == 'x') {
		for (size_t i = begin + 2; i < size; i++)
			if (strchr("0123456789abcdefABCDEF", text[i]) == NULL)
				all_digits = 0;
	} else {
		for (size_t i = begin; i < size; i++)
			if (text[i] < '0' || text[i] > '9')
				all_digits = 0;
	}
	return !all_digits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct soq_endpoint ep = { 0 };
	struct soq_resolve resolve = {
		.size = sizeof(resolve),
		.flags = SOQ_RESOLVE_NUMERIC,
		.host_bytes = size,
		.endpoints = &ep,
		.endpoint_max = 1,
	};
	char *host = malloc(size > 0 ? size : 1);
	int result;

	assert(host != NULL);
	if (size > 0)
		memcpy(host, data, size);
	resolve.host = host;
	result = soq_resolve(NULL, &resolve, -1);
	free(host);
	if (result == 1)
		assert(ep.size_bytes > 0 && memchr(data, '\0', size) == NULL);
	else if (result == SOQ_NAME_NOT_FOUND)
		assert(is_name(data, size));
	else
		assert((result == -EINVAL || result == -ENAMETOOLONG || result == -ENODEV) &&
		       !is_name(data, size));
	return 0;
}
