/* SPDX-License-Identifier: MIT */
/*
 * Rooms: beside a buf the kernel picks for one message, the place for the sender and
 * the rest. As many as there are such requests at a time, and empty messages lent.
 */
#include "pool.h"

#include "own.h"

#include <string.h>

static struct soqi_room *make(struct soq_loop *loop)
{
	struct soqi_room *room = soqi_alloc(loop, sizeof(*room));

	if (room == NULL)
		return NULL;
	room->next_made = loop->rooms_made;
	loop->rooms_made = room;
	return room;
}

struct soqi_room *soqi_room_take(struct soq_loop *loop, size_t size_bytes, bool control)
{
	struct soqi_room *room = loop->rooms;

	if (room != NULL)
		loop->rooms = room->next;
	else
		room = make(loop);
	if (room == NULL)
		return NULL;
	room->payload.iov_base = NULL;
	room->payload.iov_len = size_bytes - SOQ_POOL_MESSAGE_BYTES;
	room->header = (struct msghdr){ .msg_iov = &room->payload,
					.msg_iovlen = 1,
					.msg_name = room->memory + SOQI_BUF_NAME_AT,
					.msg_namelen = SOQI_BUF_NAME_BYTES };
	if (control) {
		room->header.msg_control = room->memory + SOQI_BUF_CONTROL_AT;
		room->header.msg_controllen = SOQI_BUF_CONTROL_BYTES;
	}
	return room;
}

void soqi_room_home(struct soq_loop *loop, struct soqi_room *room)
{
	room->buf.priv.state = SOQI_BUF_HOME;
	room->next = loop->rooms;
	loop->rooms = room;
}

void soqi_room_read(const struct soqi_room *room, uint32_t size_bytes, unsigned char *head)
{
	struct soqi_buf_message message = { .name_bytes = room->header.msg_namelen,
					    .control_bytes = (uint32_t)room->header.msg_controllen,
					    .payload_bytes = size_bytes,
					    .flags = (uint32_t)room->header.msg_flags };

	soqi_own_written(room->memory, sizeof(room->memory));
	if (head != room->memory)
		memcpy(head, room->memory, sizeof(room->memory));
	memcpy(head, &message, sizeof(message));
}

struct soq_buf *soqi_room_buf(struct soqi_room *room, struct soq_pool *pool)
{
	struct soq_buf *buf = &room->buf;

	soqi_room_read(room, 0, room->memory);
	buf->priv.pool = pool;
	buf->priv.class_index = SOQI_BUF_OF_ROOM;
	buf->priv.memory = room->memory;
	buf->priv.state = SOQI_BUF_TAKEN;
	pool->taken_count++;
	return buf;
}

void soqi_rooms_release(struct soq_loop *loop)
{
	struct soqi_room *room;

	while ((room = loop->rooms_made) != NULL) {
		loop->rooms_made = room->next_made;
		soqi_free(loop, room, sizeof(*room));
	}
	loop->rooms = NULL;
}
