/* SPDX-License-Identifier: MIT */
/*
 * One message, many datagrams: who cuts it, the kernel on the way down or, where it
 * refuses, the library.
 */
#include "batch.h"

#include "ancillary.h"
#include "policed.h"

#include <errno.h>
#include <netinet/in.h>

/* Datagrams the message is to be cut into; 1 for one that is not. */
static unsigned pieces_of(const struct soq_message *message)
{
	uint64_t bytes;

	if (!(message->info & SOQ_INFO_SEGMENTS))
		return 1;
	bytes = soqi_message_bytes(message);
	if (bytes <= message->segment_size_bytes)
		return 1;
	return (unsigned)((bytes + message->segment_size_bytes - 1) / message->segment_size_bytes);
}

bool soqi_split_is_here(const struct soq_message *message, enum soqi_split split)
{
	unsigned pieces;

	if (soqi_likely(split == SOQI_SPLIT_KERNEL))
		return false;
	pieces = pieces_of(message);
	return pieces > (split == SOQI_SPLIT_KERNEL_64 ? 64u : 1u);
}

/* Before 4.18 the kernel passes over what it does not know, and sends one datagram. */
void soqi_split_ask(struct soq_socket *s)
{
	socklen_t size_bytes = sizeof(int);
	int value;

	s->split_asked = true;
	if (getsockopt(s->fd, IPPROTO_UDP, UDP_SEGMENT, &value, &size_bytes) == 0)
		return;
	s->split = SOQI_SPLIT_LIBRARY;
	s->split_proved = true;
}

/*
 * The segments of one piece, `size_bytes` from `*at` bytes into segment `*segment`,
 * which are moved on. Returns how many segments it is, or 0 if there is no room.
 */
static unsigned piece_fill(const struct soq_message *m, uint32_t *segment, size_t *at,
			   size_t size_bytes, struct iovec *to, unsigned max)
{
	unsigned count = 0;

	while (size_bytes > 0) {
		const struct iovec *from = &m->segments[*segment];
		size_t here = from->iov_len - *at < size_bytes ? from->iov_len - *at : size_bytes;

		if (here > 0) {
			if (count == max)
				return 0;
			to[count].iov_base = (char *)from->iov_base + *at;
			to[count++].iov_len = here;
			size_bytes -= here;
			*at += here;
		}
		if (*at == from->iov_len) {
			++*segment;
			*at = 0;
		}
	}
	return count;
}

/* Pieces of `m` from `offset` on, as far as they fit the room. Returns how many. */
static unsigned pieces_fill(const struct msghdr *whole, const struct soq_message *m,
			    uint64_t offset, uint64_t left, struct soqi_batch_room *room)
{
	uint32_t segment = 0;
	unsigned count = 0;
	unsigned used = 0;
	size_t at = 0;

	for (; offset > 0 && offset >= m->segments[segment].iov_len; segment++)
		offset -= m->segments[segment].iov_len;
	at = (size_t)offset;
	while (left > 0 && count < SOQI_BATCH_MESSAGES) {
		size_t size_bytes = m->segment_size_bytes < left ? m->segment_size_bytes
								 : (size_t)left;
		unsigned taken = piece_fill(m, &segment, &at, size_bytes, room->segments + used,
					    SOQI_BATCH_SEGMENTS - used);

		if (taken == 0)
			break;
		room->headers[count] = (struct mmsghdr){ .msg_hdr = *whole };
		room->headers[count].msg_hdr.msg_iov = room->segments + used;
		room->headers[count++].msg_hdr.msg_iovlen = taken;
		used += taken;
		left -= size_bytes;
	}
	return count;
}

int32_t soqi_split_send(const struct soq_socket *s, struct soq_message *m, uint64_t offset,
			struct soqi_batch_room *room, int flags)
{
	uint64_t size_bytes = soqi_message_bytes(m);
	struct soq_endpoint copy;
	struct msghdr whole;
	uint64_t at = offset;
	int error = 0;

	soqi_message_header(s, m, false, ~SOQ_INFO_SEGMENTS, &whole);
	if (soqi_is_policed(s))
		error = soqi_policed_header(s, &whole, &copy, true);
	if (error != 0)
		return error;
	while (at < size_bytes) {
		unsigned count = pieces_fill(&whole, m, at, size_bytes - at, room);
		int sent;

		soqi_batch_borrow(s, m, 1, false);
		sent = soqi_batch_call(s->fd, room->headers, count, flags);
		soqi_batch_borrow(s, m, 1, true);
		if (sent < 0)
			return at > offset ? (int32_t)(at - offset) : sent;
		at += (uint64_t)sent * m->segment_size_bytes;
		if (at > size_bytes)
			at = size_bytes;
	}
	return (int32_t)(at - offset);
}

/* What kernels say that cannot cut: no checksums by the device, too many pieces, too old. */
static bool is_refusal(int32_t result)
{
	return result == -EIO || result == -EINVAL || result == -EMSGSIZE || result == -ENOPROTOOPT;
}

/*
 * The same errors may be the caller's fault. Then the pieces meet them as well: the
 * error stands, and the kernel is asked again next time.
 */
int32_t soqi_split_judge(struct soq_socket *s, const struct soq_op *op, int32_t result)
{
	const struct soq_message *m = soqi_batch_current(op);
	unsigned pieces = m != NULL ? pieces_of(m) : 1;

	if (soqi_likely(pieces == 1) || result == -EAGAIN || result == -ECANCELED)
		return result;
	if (soqi_split_is_here(m, s->split)) {
		if (result > 0)
			s->split_proved = true;
		else if (!s->split_proved)
			s->split = SOQI_SPLIT_KERNEL;
		return result;
	}
	if (!is_refusal(result))
		return result;
	s->split_proved = false;
	s->split = pieces > 64 ? SOQI_SPLIT_KERNEL_64 : SOQI_SPLIT_LIBRARY;
	return -EAGAIN;
}
