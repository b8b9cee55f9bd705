/* SPDX-License-Identifier: MIT */
/* Options in, information out. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first release's sizes: a program built against them must go on working. */
#define OPTIONS_SIZE_MIN sizeof(struct soq_loop_options)
#define INFO_SIZE_MIN    sizeof(struct soq_loop_info)

#define DIRECT_COUNT_MAX (1u << 20)
#define NAPI_NS_MAX      10000000u

#define FEATURES_ALL ((1u << SOQ_FEATURE_COUNT) - 1)

static const char *const feature_names[SOQ_FEATURE_COUNT] = {
	"restrictions", "registered-fd", "abs-timer", "no-iowait", "direct", "napi", "copy-report",
};

static uint32_t feature_by_name(const char *name, size_t length)
{
	for (unsigned i = 0; i < SOQ_FEATURE_COUNT; i++)
		if (strlen(feature_names[i]) == length &&
		    memcmp(feature_names[i], name, length) == 0)
			return 1u << i;
	return 0;
}

/* `-name,-name`; what is no such name is an error, not a guess. */
static int features_read(const char *text, uint32_t *features_off)
{
	while (*text != '\0') {
		size_t length = strcspn(text, ",");
		uint32_t bit = text[0] == '-' ? feature_by_name(text + 1, length - 1) : 0;

		if (bit == 0)
			return -EINVAL;
		*features_off |= bit;
		text += length;
		if (*text == ',')
			text++;
	}
	return 0;
}

static int environment_read(struct soq_loop_options *options)
{
	const char *backend = secure_getenv("SOQ_BACKEND");
	const char *features = secure_getenv("SOQ_FEATURES");

	if (backend != NULL && backend[0] != '\0') {
		if (strcmp(backend, "uring") == 0)
			options->backend = SOQ_BACKEND_URING;
		else if (strcmp(backend, "epoll") == 0)
			options->backend = SOQ_BACKEND_EPOLL;
		else
			return -EINVAL;
	}
	return features != NULL ? features_read(features, &options->features_off) : 0;
}

static bool tuning_is_known(const struct soq_loop_options *options)
{
	if (options->direct_count > DIRECT_COUNT_MAX || options->napi_ns > NAPI_NS_MAX)
		return false;
	if ((options->flags & SOQ_LOOP_NAPI_PREFER) && options->napi_ns == 0)
		return false;
	return (options->flags & ~SOQ_LOOP_NAPI_PREFER) == 0;
}

int soqi_options_read(const struct soq_loop_options *from, struct soq_loop_options *options)
{
	memset(options, 0, sizeof(*options));
	options->size = sizeof(*options);
	if (from != NULL) {
		if (from->size < OPTIONS_SIZE_MIN || from->size > sizeof(*options))
			return -EINVAL;
		memcpy(options, from, from->size);
	}
	if (options->backend > SOQ_BACKEND_EPOLL || (options->features_off & ~FEATURES_ALL) != 0 ||
	    !tuning_is_known(options))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++)
		if (options->reserved[i] != 0)
			return -EINVAL;
	if (options->sq_entries == 0)
		options->sq_entries = 512;
	if (options->cq_entries == 0)
		options->cq_entries = 4096;
	if (options->zerocopy_bytes == 0)
		options->zerocopy_bytes = SOQI_ZEROCOPY_BYTES;
	if (options->cq_entries < options->sq_entries)
		options->cq_entries = options->sq_entries;
	return options->backend == SOQ_BACKEND_AUTO ? environment_read(options) : 0;
}

int soq_loop_info(struct soq_loop *loop, struct soq_loop_info *info)
{
	uint32_t size;

	if (loop == NULL || info == NULL || info->size < INFO_SIZE_MIN ||
	    info->size > sizeof(*info))
		return -EINVAL;
	if (*loop->here == 0)
		return -ECHILD;
	size = info->size;
	memcpy(info, &loop->info, size);
	info->size = size;
	info->backend = loop->backend->id;
	return 0;
}
