/* SPDX-License-Identifier: MIT */
/* The calls that send files and parts. */
#include "detached.h"
#include "parts.h"

#include <errno.h>
#include <soq/file.h>
#include <stdlib.h>

/* Before a start: the loop's room for what is read, where it is needed. 0 or -ENOMEM. */
static int room_of_loop(struct soq_loop *loop, struct soq_op *op)
{
	if (!soqi_parts_have_files(op))
		return 0;
	if (loop->file_room == NULL)
		loop->file_room = soqi_alloc(loop, SOQI_PARTS_BYTES);
	op->priv.address = loop->file_room;
	return loop->file_room != NULL ? 0 : -ENOMEM;
}

/* All checks of a start, the files last. On success they are open. */
static int prepare(struct soq_socket *s, struct soq_op *op, struct soq_part *parts,
		   unsigned part_count, uint32_t flags)
{
	int error = soqi_start_check(s, op);

	if (error == 0)
		error = soqi_parts_check(parts, part_count, flags);
	if (error == 0)
		error = soqi_parts_check_socket(s);
	if (error == 0)
		error = soqi_parts_open(op, parts, part_count);
	if (error != 0)
		return error;
	error = room_of_loop(s->loop, op);
	if (error != 0)
		soqi_parts_close(op);
	return error;
}

static void start(struct soq_socket *s, struct soq_op *op, uint32_t flags)
{
	soqi_op_start(s->loop, s, op, SOQI_KIND_SEND, flags | SOQI_OP_BATCH | SOQI_OP_PARTS);
	soqi_op_start_lane(s, &s->lane[SOQI_LANE_SEND], op);
}

int soq_send_parts_async(struct soq_socket *s, struct soq_op *op, struct soq_part *parts,
			 unsigned part_count, uint32_t flags)
{
	int error = prepare(s, op, parts, part_count, flags);

	if (error == 0)
		start(s, op, flags);
	return error;
}

static int64_t parts_attached(struct soq_socket *s, struct soq_op *op, struct soq_part *parts,
			      unsigned part_count, uint32_t flags)
{
	struct soq_event event;
	int error = prepare(s, op, parts, part_count, flags);

	if (error != 0)
		return error;
	error = soqi_sync_begin(s, SOQI_LANE_SEND, op);
	if (error != 0) {
		soqi_parts_close(op);
		return error;
	}
	start(s, op, flags | SOQI_OP_SYNC);
	return soqi_sync_end(s, SOQI_LANE_SEND, op, &event);
}

/* Files are opened before the lock is taken, and closed after: other threads do not wait. */
static int64_t parts_detached(struct soq_socket *s, struct soq_op *op, struct soq_part *parts,
			      unsigned part_count, uint32_t flags)
{
	const struct soqi_transfer t = { .index = SOQI_LANE_SEND, .batch = true, .parts = true };
	struct soq_event event;
	int64_t result = soqi_parts_check(parts, part_count, flags);

	if (result == 0)
		result = soqi_parts_open(op, parts, part_count);
	if (result != 0)
		return result;
	if (soqi_parts_have_files(op)) {
		op->priv.address = malloc(SOQI_PARTS_BYTES);
		if (op->priv.address == NULL)
			result = -ENOMEM;
	}
	if (result == 0)
		result = soqi_detached_transfer(s, &t, op, flags | SOQI_OP_BATCH | SOQI_OP_PARTS,
						&event);
	free(op->priv.address);
	soqi_parts_close(op);
	return result;
}

int64_t soq_send_parts(struct soq_socket *s, struct soq_part *parts, unsigned part_count,
		       uint32_t flags)
{
	struct soq_op op = { 0 };

	if (soqi_is_detached(s))
		return parts_detached(s, &op, parts, part_count, flags);
	return parts_attached(s, &op, parts, part_count, flags);
}

static struct soq_part part_of(int fd, uint64_t offset_bytes, uint64_t size_bytes)
{
	return (struct soq_part){ .kind = SOQ_PART_FILE,
				  .fd = fd,
				  .offset_bytes = offset_bytes,
				  .size_bytes = size_bytes };
}

int soq_send_file_async(struct soq_socket *s, struct soq_op *op, int fd, uint64_t offset_bytes,
			uint64_t size_bytes, uint32_t flags)
{
	struct soq_part *part;
	int error = soqi_start_check(s, op);

	if (error != 0)
		return error;
	/* Where a message has its header. */
	part = (struct soq_part *)op->priv.part;
	*part = part_of(fd, offset_bytes, size_bytes);
	return soq_send_parts_async(s, op, part, 1, flags);
}

int64_t soq_send_file(struct soq_socket *s, int fd, uint64_t offset_bytes, uint64_t size_bytes,
		      uint32_t flags)
{
	struct soq_part part = part_of(fd, offset_bytes, size_bytes);

	return soq_send_parts(s, &part, 1, flags);
}
