/* SPDX-License-Identifier: MIT */
/* The pool a service receives from. */
#include "service.h"

int service_make_pool(struct service *service, const struct service_options *options)
{
	struct soq_pool_options pool = { .size = sizeof(pool),
					 .share = options->pool_share,
					 .class_count = 1 };

	if (!options->pooled)
		return 0;
	pool.classes[0].buf_size_bytes = options->buffer_bytes;
	pool.classes[0].buf_count = options->pool_bufs;
	return soq_pool_create(service->loop, &pool, &service->pool);
}
