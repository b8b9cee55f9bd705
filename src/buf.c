/* SPDX-License-Identifier: MIT */
/* A buf's way: from home, filled, lent, returned. */
#include "pool.h"

#include "ancillary.h"
#include "own.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define NAME_AT    SOQI_BUF_NAME_AT
#define CONTROL_AT SOQI_BUF_CONTROL_AT
#define PAYLOAD_AT ((size_t)SOQ_POOL_MESSAGE_BYTES)

static struct soqi_pool_class *class_of(const struct soq_buf *buf)
{
	return &buf->priv.pool->classes[buf->priv.class_index];
}

static void leave_home(struct soqi_pool_class *class, struct soq_buf *buf)
{
	class->pool->taken_count++;
	buf->priv.state = SOQI_BUF_TAKEN;
	buf->priv.next = NULL;
	/* Until it is known how much is in it. */
	buf->priv.used_bytes = class->size_bytes;
	soqi_own_take(buf->priv.memory, class->size_bytes, class->size_bytes);
}

struct soq_buf *soqi_buf_take(struct soqi_pool_class *class)
{
	struct soq_buf *buf = class->list_first;

	assert(class->list_count > 0 && buf->priv.state == SOQI_BUF_HOME);
	class->list_first = buf->priv.next;
	class->list_count--;
	leave_home(class, buf);
	return buf;
}

struct soq_buf *soqi_buf_filled(struct soq_loop *loop, uint32_t id)
{
	struct soq_pool *pool = loop->pools;
	struct soq_buf *buf;

	while (pool != NULL && (id < pool->id_first || id - pool->id_first >= pool->buf_count))
		pool = pool->next;
	if (pool == NULL)
		return NULL;
	buf = &pool->bufs[id - pool->id_first];
	if (buf->priv.state != SOQI_BUF_RING)
		return NULL;
	class_of(buf)->ring_count--;
	leave_home(class_of(buf), buf);
	return buf;
}

void soqi_buf_home(struct soq_buf *buf)
{
	struct soq_pool *pool = buf->priv.pool;
	struct soqi_pool_class *class;

	if (buf->priv.state == SOQI_BUF_LENT)
		pool->lent_count--;
	else
		pool->taken_count--;
	if (soqi_unlikely(buf->priv.class_index == SOQI_BUF_OF_ROOM)) {
		soqi_room_home(pool->loop, soqi_container_of(buf, struct soqi_room, buf));
		return;
	}
	class = class_of(buf);
	if (pool->flags & SOQ_POOL_SCRUB)
		explicit_bzero(buf->priv.memory, buf->priv.used_bytes);
	buf->data = NULL;
	buf->size_bytes = 0;
	soqi_own_give(buf->priv.memory, class->size_bytes);
	if (class->registered && class->list_count >= class->reserve) {
		buf->priv.state = SOQI_BUF_RING;
		class->ring_count++;
		pool->loop->backend->buf_home(pool->loop, class, buf);
	} else {
		buf->priv.state = SOQI_BUF_HOME;
		buf->priv.next = class->list_first;
		class->list_first = buf;
		class->list_count++;
	}
}

static ssize_t try_message(const struct soqi_request *request, unsigned char *memory,
			   size_t size_bytes)
{
	struct iovec payload = { memory + PAYLOAD_AT, size_bytes - PAYLOAD_AT };
	struct msghdr header = { .msg_name = memory + NAME_AT,
				 .msg_namelen = SOQI_BUF_NAME_BYTES,
				 .msg_iov = &payload,
				 .msg_iovlen = 1 };
	struct soqi_buf_message message;
	ssize_t result;

	if (request->control) {
		header.msg_control = memory + CONTROL_AT;
		header.msg_controllen = SOQI_BUF_CONTROL_BYTES;
	}
	/* MSG_TRUNC: the size of the message, not of what of it found room. */
	result = recvmsg(request->fd, &header, MSG_DONTWAIT | MSG_TRUNC);
	if (result < 0)
		return -errno;
	message.name_bytes = header.msg_namelen;
	message.control_bytes = (uint32_t)header.msg_controllen;
	message.payload_bytes = (uint32_t)result;
	message.flags = (uint32_t)header.msg_flags;
	memcpy(memory, &message, sizeof(message));
	if ((size_t)result > payload.iov_len)
		result = (ssize_t)payload.iov_len;
	return result + (ssize_t)PAYLOAD_AT;
}

static ssize_t try_bytes(int fd, unsigned char *memory, size_t size_bytes)
{
	ssize_t result = recv(fd, memory, size_bytes, MSG_DONTWAIT);

	return result < 0 ? -errno : result;
}

int32_t soqi_buf_try(const struct soqi_request *request, struct soq_buf **buf_out)
{
	struct soqi_pool_class *class = request->bufs;
	struct soq_buf *buf = soqi_buf_take(class);
	ssize_t result;

	do {
		result = request->whole
				 ? try_message(request, buf->priv.memory, class->size_bytes)
				 : try_bytes(request->fd, buf->priv.memory, class->size_bytes);
	} while (result == -EINTR);
	*buf_out = result > 0 ? buf : NULL;
	if (result <= 0) {
		buf->priv.used_bytes = 0;
		soqi_buf_home(buf);
	}
	return (int32_t)result;
}

/* Takes over what is known of a message; returns how long it was. */
static uint32_t read_head(struct soq_buf *buf, uint32_t head_at)
{
	struct soqi_buf_message message;

	memcpy(&message, buf->priv.memory + head_at, sizeof(message));
	buf->priv.head_at = head_at;
	buf->priv.truncated = (message.flags & MSG_TRUNC) != 0;
	buf->priv.control_cut = (message.flags & MSG_CTRUNC) != 0;
	/* The kernel says how long the name is, not how much of it found room. */
	buf->priv.peer_bytes =
		(uint16_t)(message.name_bytes <= SOQI_BUF_NAME_BYTES ? message.name_bytes : 0);
	buf->priv.control_bytes = message.control_bytes <= SOQI_BUF_CONTROL_BYTES
					  ? message.control_bytes
					  : SOQI_BUF_CONTROL_BYTES;
	return message.payload_bytes;
}

static void open_message(struct soq_buf *buf, uint32_t filled_bytes)
{
	uint32_t here_bytes = filled_bytes > PAYLOAD_AT ? filled_bytes - (uint32_t)PAYLOAD_AT : 0;
	uint32_t payload_bytes = read_head(buf, 0);

	buf->data = buf->priv.memory + PAYLOAD_AT;
	buf->size_bytes = payload_bytes < here_bytes ? payload_bytes : here_bytes;
}

/* What is known of it goes where the message could not reach: to the end of the buf. */
static void open_with_room(struct soq_buf *buf, uint32_t filled_bytes, const struct soqi_room *room)
{
	uint32_t head_at = class_of(buf)->size_bytes - (uint32_t)PAYLOAD_AT;

	assert(filled_bytes <= head_at);
	soqi_room_read(room, filled_bytes, buf->priv.memory + head_at);
	(void)read_head(buf, head_at);
	buf->data = buf->priv.memory;
	buf->size_bytes = filled_bytes;
	buf->priv.used_bytes = class_of(buf)->size_bytes;
}

void soqi_buf_open(struct soq_buf *buf, struct soq_socket *s, uint32_t filled_bytes,
		   const struct soqi_room *room)
{
	buf->priv.socket = s;
	buf->priv.life = s->backend_generation;
	buf->priv.used_bytes = filled_bytes;
	buf->priv.head_at = 0;
	buf->priv.truncated = false;
	buf->priv.control_cut = false;
	buf->priv.peer_bytes = 0;
	buf->priv.control_bytes = 0;
	if (soqi_is_stream(s)) {
		buf->data = buf->priv.memory;
		buf->size_bytes = filled_bytes;
	} else if (room != NULL) {
		open_with_room(buf, filled_bytes, room);
	} else {
		open_message(buf, filled_bytes);
	}
}

/* The checks of a public call on a buf. */
static int check(const struct soq_buf *buf)
{
	int error;

	if (buf == NULL || buf->priv.pool == NULL)
		return -EINVAL;
	error = soqi_loop_check(buf->priv.pool->loop);
	if (error != 0)
		return error;
	return buf->priv.state == SOQI_BUF_LENT ? 0 : -EBADF;
}

int soq_buf_return(struct soq_buf *buf)
{
	struct soq_socket *s;
	bool lives;
	int error = check(buf);

	if (error != 0)
		return error;
	if (buf->priv.references > 1) {
		buf->priv.references--;
		return 0;
	}
	if (soqi_op_state(&buf->op) != SOQI_STATE_IDLE)
		return -EBUSY;
	s = buf->priv.socket;
	/* The socket may be closed, and its slot another's by now. */
	lives = soqi_is_alive(s) && s->backend_generation == buf->priv.life;
	buf->priv.pool->returns++;
	buf->priv.pool->credit++;
	buf->priv.pool->came_home = true;
	soqi_buf_home(buf);
	if (lives)
		soqi_carry_returned(s->loop, s);
	return 0;
}

int soq_buf_retain(struct soq_buf *buf)
{
	int error = check(buf);

	if (error != 0)
		return error;
	if (buf->priv.references == UINT16_MAX)
		return -EOVERFLOW;
	buf->priv.references++;
	return 0;
}

int soq_buf_slice(struct soq_buf *buf, size_t offset_bytes, size_t size_bytes)
{
	int error = check(buf);

	if (error != 0)
		return error;
	if (offset_bytes > buf->size_bytes || size_bytes > buf->size_bytes - offset_bytes)
		return -EINVAL;
	buf->data += offset_bytes;
	buf->size_bytes = size_bytes;
	return 0;
}

int soq_buf_peer(const struct soq_buf *buf, struct soq_endpoint *ep_out)
{
	int error = check(buf);

	if (error != 0)
		return error;
	if (ep_out == NULL)
		return -EINVAL;
	memset(ep_out, 0, sizeof(*ep_out));
	memcpy(&ep_out->addr, buf->priv.memory + buf->priv.head_at + NAME_AT, buf->priv.peer_bytes);
	ep_out->size_bytes = buf->priv.peer_bytes;
	return 0;
}

int soq_buf_message(const struct soq_buf *buf, struct soq_message *message_out)
{
	int error = check(buf);

	if (error != 0)
		return error;
	if (message_out == NULL || message_out->size != sizeof(*message_out))
		return -EINVAL;
	soqi_ancillary_read(buf->priv.memory + buf->priv.head_at + CONTROL_AT,
			    buf->priv.control_bytes, buf->priv.control_cut, message_out);
	message_out->flags = buf->priv.truncated ? SOQ_F_TRUNCATED : 0;
	message_out->length_bytes = buf->size_bytes;
	return soq_buf_peer(buf, &message_out->peer);
}
