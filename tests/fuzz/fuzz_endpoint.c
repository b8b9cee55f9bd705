/* SPDX-License-Identifier: MIT */
/* Endpoints: from text and back, from a socket address and back. */
#include <assert.h>
#include <errno.h>
#include <soq/endpoint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is an address has a text, and the text is that address. */
static void check(const struct soq_endpoint *ep)
{
	char text[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_endpoint again;
	int error, length = soq_endpoint_format(ep, text, sizeof(text));

	assert(length > 0 && (size_t)length == strlen(text));
	error = soq_endpoint_parse(text, &again);
	/* A scope is read back where there is such an interface. */
	if (error == -ENODEV && ep->addr.any.sa_family == AF_INET6)
		return;
	assert(error == 0);
	assert(soq_endpoint_equal(ep, &again) == 1);
	assert(soq_endpoint_compare(ep, &again) == 0);
	assert(soq_endpoint_hash(ep, 7) == soq_endpoint_hash(&again, 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct soq_endpoint ep;
	char *text = malloc(size + 1);
	void *address = malloc(size > 0 ? size : 1);

	assert(text != NULL && address != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (soq_endpoint_parse(text, &ep) == 0)
		check(&ep);
	memcpy(address, data, size);
	if (soq_endpoint_from(address, (uint32_t)size, &ep) == 0)
		check(&ep);
	free(address);
	free(text);
	return 0;
}
