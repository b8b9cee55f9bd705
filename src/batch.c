/* SPDX-License-Identifier: MIT */
/* Batches of messages: sendmmsg(2) and recvmmsg(2). */
#include "batch.h"

#include "descriptors.h"
#include "own.h"
#include "policed.h"

#include <errno.h>
#include <poll.h>

/*
 * Calls one turn makes for one batch before the others have a look in: 1,024 messages,
 * as many as the kernel would take at once.
 */
#define CALLS_MAX 16u

/* Messages of one call under a policy: each address is copied to the stack. */
#define POLICED_MESSAGES 16u

struct soq_message *soqi_batch_current(const struct soq_op *op)
{
	if (op->priv.flags & SOQI_OP_BATCH)
		return (struct soq_message *)(uintptr_t)op->priv.data + op->priv.moved;
	return op->priv.message;
}

bool soqi_batch_serves_messages(const struct soq_socket *s, const struct soq_op *op)
{
	if (op->priv.flags & (SOQI_OP_BATCH | SOQI_OP_POLICED))
		return true;
	if (s->family == AF_UNIX)
		return soqi_descriptors_serve(s, op->priv.message);
	if (op->priv.kind != SOQI_KIND_SEND)
		return false;
	/* Begun in pieces, whatever another thread has found out since. */
	if (op->priv.moved > 0 && (op->priv.message->info & SOQ_INFO_SEGMENTS))
		return true;
	return soqi_split_is_here(op->priv.message, s->split);
}

bool soqi_send_is_unwatched(const struct soq_socket *s, const struct soq_op *op)
{
	if (s->family != AF_UNIX || s->type != SOCK_DGRAM || op->priv.kind != SOQI_KIND_SEND)
		return false;
	if (op->priv.flags & SOQI_OP_BATCH)
		return soqi_batch_current(op)->peer.size_bytes != 0;
	return op->priv.address != NULL;
}

int soqi_batch_check(const struct soq_socket *s, const struct soqi_transfer *t)
{
	struct soq_message *messages = (struct soq_message *)(uintptr_t)t->data;
	uint32_t flags = t->index == SOQI_LANE_SEND ? SOQ_DONT_ROUTE : 0;
	int error = 0;

	if (messages == NULL || t->count == 0 || t->count > INT32_MAX || (t->flags & ~flags) != 0)
		return -EINVAL;
	if (soqi_is_connection(s))
		return -EOPNOTSUPP;
	for (size_t i = 0; i < t->count && error == 0; i++) {
		struct soqi_transfer one = soqi_message_transfer(t->index, &messages[i], 0);
		struct soq_op scratch;

		error = soqi_message_check(&messages[i]);
		if (error == 0)
			error = soqi_transfer_check_one(s, &scratch, &one, false);
	}
	return error;
}

int soqi_batch_prepare(struct soq_socket *s, const struct soqi_transfer *t)
{
	bool sends = t->index == SOQI_LANE_SEND;

	if (!t->batch && (!sends || t->message == NULL || !(t->message->info & SOQ_INFO_SEGMENTS)))
		return 0;
	if (sends && !s->split_asked && soqi_is_udp(s))
		soqi_split_ask(s);
	if (s->loop == NULL || s->loop->batch != NULL)
		return 0;
	s->loop->batch = soqi_alloc(s->loop, sizeof(*s->loop->batch));
	return s->loop->batch != NULL ? 0 : -ENOMEM;
}

void soqi_batch_own(const struct soq_op *op, bool give)
{
	const struct soq_message *messages = op->priv.data;

	for (uint64_t i = 0; i < op->priv.length; i++)
		for (uint32_t k = 0; k < messages[i].segment_count; k++) {
			const struct iovec *segment = &messages[i].segments[k];

			if (give)
				soqi_own_give(segment->iov_base, segment->iov_len);
			else
				soqi_own_take(segment->iov_base, segment->iov_len,
					      segment->iov_len);
		}
}

void soqi_batch_borrow(const struct soq_socket *s, const struct soq_message *messages,
		       unsigned count, bool back)
{
	/* Blocking calls give nothing away. */
	if (s->loop == NULL)
		return;
	for (unsigned i = 0; i < count; i++)
		if (back)
			soqi_own_give_back(messages[i].segments, messages[i].segment_count);
		else
			soqi_own_borrow(messages[i].segments, messages[i].segment_count, false);
}

int soqi_batch_call(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
	int result;

	do
		result = sendmmsg(fd, headers, count, flags | MSG_NOSIGNAL | MSG_DONTWAIT);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}

/* The messages from `m` on in one call, up to one that is to be cut, or has descriptors. */
static int32_t chunk_send(const struct soq_socket *s, struct soq_message *m, unsigned max,
			  struct soqi_batch_room *room, int flags, enum soqi_split split,
			  bool counts)
{
	SOQI_UNINITIALIZED struct soq_endpoint copies[POLICED_MESSAGES];
	bool policed = soqi_is_policed(s);
	unsigned most = policed ? POLICED_MESSAGES : SOQI_BATCH_MESSAGES;
	unsigned count = 0;
	int sent = 0;

	for (; count < max && count < most; count++) {
		if (soqi_split_is_here(&m[count], split) || soqi_descriptors_serve(s, &m[count]))
			break;
		soqi_message_header(s, &m[count], false, ~0u, &room->headers[count].msg_hdr);
		if (!policed)
			continue;
		sent = soqi_policed_header(s, &room->headers[count].msg_hdr, &copies[count],
					   counts && count == 0);
		if (sent != 0)
			break;
	}
	if (count == 0 && sent != 0)
		return sent;
	soqi_batch_borrow(s, m, count, false);
	sent = soqi_batch_call(s->fd, room->headers, count, flags);
	soqi_batch_borrow(s, m, count, true);
	for (int i = 0; i < sent; i++)
		m[i].length_bytes = room->headers[i].msg_len;
	return sent;
}

/* The next message in pieces, what of it is left. 1 when all of it is sent, or -errno. */
static int32_t next_in_pieces(const struct soq_socket *s, struct soq_op *op, struct soq_message *m,
			      struct soqi_batch_room *room)
{
	int32_t sent = soqi_split_send(s, m, op->priv.segment_offset, room, soqi_send_route(op));

	if (sent < 0)
		return sent;
	op->priv.segment_offset += (uint64_t)sent;
	m->length_bytes = op->priv.segment_offset;
	if (m->length_bytes < soqi_message_bytes(m))
		return -EAGAIN;
	op->priv.segment_offset = 0;
	return 1;
}

/* One that has descriptors. */
static int32_t next_alone(const struct soq_socket *s, struct soq_message *m)
{
	int32_t sent = soqi_descriptors_send(s, m);

	if (sent < 0)
		return sent;
	m->length_bytes = (uint64_t)sent;
	return 1;
}

static int32_t batch_send(const struct soq_socket *s, struct soq_op *op,
			  struct soqi_batch_room *room, enum soqi_split split)
{
	struct soq_message *m = soqi_batch_current(op);
	unsigned left = (unsigned)(op->priv.length - op->priv.moved);
	unsigned done = 0;

	for (unsigned calls = 0; done < left && calls < CALLS_MAX; calls++) {
		bool here = op->priv.segment_offset > 0 || soqi_split_is_here(&m[done], split);
		int32_t sent;

		/* Judged by itself, it is to be the first of its call: refused once. */
		if (soqi_is_policed(s) && done > 0 && (here || soqi_descriptors_serve(s, &m[done])))
			break;
		if (here)
			sent = next_in_pieces(s, op, &m[done], room);
		else if (soqi_descriptors_serve(s, &m[done]))
			sent = next_alone(s, &m[done]);
		else
			sent = chunk_send(s, &m[done], left - done, room, soqi_send_route(op),
					  split, done == 0);
		if (sent < 0)
			return done > 0 ? (int32_t)done : sent;
		done += (unsigned)sent;
	}
	return (int32_t)done;
}

static int32_t receive_alone(const struct soq_socket *s, struct soq_message *m, int flags)
{
	int32_t got = soqi_descriptors_receive(s, m, 0, flags & MSG_DONTWAIT);

	if (got < 0)
		return got;
	m->length_bytes = (uint64_t)got;
	return 1;
}

/* One call's worth of datagrams into the messages from `m` on. */
static int32_t chunk_receive(const struct soq_socket *s, struct soq_message *m, unsigned max,
			     struct soqi_batch_room *room, int flags, unsigned *asked)
{
	unsigned count = max < SOQI_BATCH_MESSAGES ? max : SOQI_BATCH_MESSAGES;
	int got;

	*asked = 1;
	if (soqi_descriptors_serve(s, m))
		return receive_alone(s, m, flags);
	for (unsigned i = 0; i < count; i++) {
		if (soqi_descriptors_serve(s, &m[i]))
			count = i;
		else
			soqi_message_header(s, &m[i], true, ~0u, &room->headers[i].msg_hdr);
	}
	*asked = count;
	soqi_batch_borrow(s, m, count, false);
	do
		got = recvmmsg(s->fd, room->headers, count, flags, NULL);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		got = -errno;
	soqi_batch_borrow(s, m, count, true);
	for (int i = 0; i < got; i++) {
		soqi_message_taken(&room->headers[i].msg_hdr, &m[i]);
		m[i].length_bytes = room->headers[i].msg_len;
	}
	return got;
}

static int32_t batch_receive(const struct soq_socket *s, struct soq_op *op,
			     struct soqi_batch_room *room, int flags)
{
	struct soq_message *m = soqi_batch_current(op);
	unsigned done = 0;

	for (unsigned calls = 0; done < op->priv.length && calls < CALLS_MAX; calls++) {
		unsigned left = (unsigned)op->priv.length - done;
		unsigned asked = SOQI_BATCH_MESSAGES;
		int32_t got = chunk_receive(s, m + done, left, room, flags, &asked);

		if (got < 0)
			return done > 0 ? (int32_t)done : got;
		done += (unsigned)got;
		if ((unsigned)got < left && (unsigned)got < asked)
			break;
		flags = MSG_DONTWAIT;
	}
	return (int32_t)done;
}

static int32_t receive_message(const struct soq_socket *s, struct soq_op *op, int flags)
{
	int peek = (op->priv.flags & SOQ_PEEK) ? MSG_PEEK : 0;
	int32_t got = soqi_descriptors_receive(s, op->priv.message, op->priv.moved,
					       (flags & MSG_DONTWAIT) | peek);

	if (got >= 0)
		op->priv.message->length_bytes = op->priv.moved + (uint64_t)got;
	return got;
}

/* Messages that go other ways than a call of their own, where they are judged as well. */
static bool is_cut_here(const struct soq_socket *s, const struct soq_op *op, enum soqi_split split)
{
	const struct soq_message *message = op->priv.message;

	if (message == NULL)
		return false;
	return op->priv.moved > 0 || soqi_descriptors_serve(s, message) ||
	       soqi_split_is_here(message, split);
}

int32_t soqi_batch_try(const struct soq_socket *s, struct soq_op *op, struct soqi_batch_room *room,
		       int flags, enum soqi_split split)
{
	if ((op->priv.flags & SOQI_OP_POLICED) && !is_cut_here(s, op, split))
		return soqi_policed_send(s, op);
	if (!(op->priv.flags & SOQI_OP_BATCH) && s->family == AF_UNIX)
		return op->priv.kind == SOQI_KIND_SEND ? soqi_descriptors_send(s, op->priv.message)
						       : receive_message(s, op, flags);
	if (!(op->priv.flags & SOQI_OP_BATCH))
		return soqi_split_send(s, op->priv.message, op->priv.moved, room,
				       soqi_send_route(op));
	if (op->priv.kind == SOQI_KIND_SEND)
		return batch_send(s, op, room, split);
	return batch_receive(s, op, room, flags);
}

bool soqi_receive_is_shut(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLRDHUP };

	return poll(&one, 1, 0) == 1 && (one.revents & POLLRDHUP);
}

int32_t soqi_batch_serve(struct soq_socket *s, struct soqi_lane *lane)
{
	struct soq_op *op = lane->queue.first;
	struct soq_loop *loop = s->loop;
	int32_t result;

	if (soqi_unlikely(loop->dead != 0))
		return loop->dead;
	result = soqi_batch_try(s, op, loop->batch, MSG_DONTWAIT, s->split);
	/* Of a connection that broke both lanes want to know. */
	if (result < 0)
		soqi_judge_note(s, result);
	/* A message of a unix socket by itself counts in bytes, and is one call. */
	lane->spent = ((s->family != AF_UNIX && !(op->priv.flags & SOQI_OP_POLICED)) ||
		       (op->priv.flags & SOQI_OP_BATCH)) &&
		      result >= (int32_t)(CALLS_MAX * SOQI_BATCH_MESSAGES);
	loop->stats.requests++;
	loop->stats.completions += result != -EAGAIN;
	return result;
}
