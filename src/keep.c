/* SPDX-License-Identifier: MIT */
/* What helpers have of a loop: its memory, and a place for what they keep as long as it lives. */
#include "loop.h"

#include <errno.h>
#include <soq/helper.h>

struct soqi_kept {
	struct soqi_kept *next;
	const void *key;
	void *kept;
	soq_end_fn *end;
};

int soq_loop_alloc(struct soq_loop *loop, size_t size_bytes, void **memory_out)
{
	void *memory;
	int error;

	if (loop == NULL || memory_out == NULL || size_bytes == 0)
		return -EINVAL;
	error = soqi_loop_enter(loop);
	if (error != 0)
		return error;
	memory = soqi_alloc(loop, size_bytes);
	if (memory == NULL)
		return -ENOMEM;
	*memory_out = memory;
	return 0;
}

int soq_loop_free(struct soq_loop *loop, void *memory, size_t size_bytes)
{
	int error;

	if (loop == NULL)
		return -EINVAL;
	error = soqi_loop_check(loop);
	if (error == 0)
		soqi_free(loop, memory, size_bytes);
	return error;
}

void *soq_loop_kept(struct soq_loop *loop, const void *key)
{
	const struct soqi_kept *each;

	if (loop == NULL || soqi_loop_check(loop) != 0)
		return NULL;
	for (each = loop->kept; each != NULL; each = each->next)
		if (each->key == key)
			return each->kept;
	return NULL;
}

int soq_loop_keep(struct soq_loop *loop, const void *key, void *kept, soq_end_fn *end)
{
	struct soqi_kept *one;
	void *memory;
	int error;

	if (loop == NULL || key == NULL || kept == NULL || end == NULL)
		return -EINVAL;
	error = soqi_loop_enter(loop);
	if (error == 0 && soq_loop_kept(loop, key) != NULL)
		error = -EEXIST;
	if (error == 0)
		error = soq_loop_alloc(loop, sizeof(*one), &memory);
	if (error != 0)
		return error;
	one = memory;
	*one = (struct soqi_kept){ .next = loop->kept, .key = key, .kept = kept, .end = end };
	loop->kept = one;
	return 0;
}

void soqi_kept_end(struct soq_loop *loop, bool child)
{
	struct soqi_kept *one;

	while ((one = loop->kept) != NULL) {
		loop->kept = one->next;
		if (!child)
			one->end(one->kept);
		soqi_free(loop, one, sizeof(*one));
	}
}
