/* SPDX-License-Identifier: MIT */
/* Parts: found and opened at the start, read and sent piece by piece, closed at the end. */
#include "parts.h"

#include "batch.h"
#include "own.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <soq/stream.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one op may send in a turn before the others have a look in. */
#define TURN_BYTES (16 * SOQI_PARTS_BYTES)
/* Segments of one sendmsg(2). */
#define SEGMENTS_MAX SOQI_REQUEST_SEGMENTS

_Static_assert(sizeof(struct soq_part) <= sizeof(((struct soq_op *)0)->priv.part),
	       "an op has room for the part of soq_send_file_async()");

static bool is_file(const struct soq_part *part)
{
	return part->kind != SOQ_PART_MEMORY;
}

static int check_one(const struct soq_part *part)
{
	if (part->reserved != 0)
		return -EINVAL;
	switch (part->kind) {
	case SOQ_PART_MEMORY:
		if (part->offset_bytes != 0 || (part->data == NULL && part->size_bytes > 0))
			return -EINVAL;
		return 0;
	case SOQ_PART_FILE:
		return 0;
	case SOQ_PART_PATH:
		return part->path != NULL ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

int soqi_parts_check(const struct soq_part *parts, unsigned part_count, uint32_t flags)
{
	int error = 0;

	if (parts == NULL || part_count == 0 || part_count > SOQ_SEGMENTS_MAX ||
	    (flags & ~SOQ_CORK) != 0)
		return -EINVAL;
	for (unsigned i = 0; i < part_count && error == 0; i++)
		error = check_one(&parts[i]);
	return error;
}

int soqi_parts_check_socket(const struct soq_socket *s)
{
	if (!soqi_is_stream(s))
		return -EOPNOTSUPP;
	if (!soqi_carries(s))
		return -ENOTCONN;
	return s->shut_send ? -EPIPE : 0;
}

/* Measures what is open. O_PATH says of itself that it can be read, and cannot. */
static int file_measure(struct soq_part *part)
{
	int flags = fcntl(part->priv.fd, F_GETFL);
	struct stat is;
	uint64_t size_bytes;

	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH) ||
	    fstat(part->priv.fd, &is) != 0 || !S_ISREG(is.st_mode))
		return -EINVAL;
	size_bytes = (uint64_t)is.st_size;
	if (part->offset_bytes > size_bytes || part->size_bytes > size_bytes - part->offset_bytes)
		return -EINVAL;
	part->priv.length_bytes = part->size_bytes;
	if (part->size_bytes == 0)
		part->priv.length_bytes = size_bytes - part->offset_bytes;
	return 0;
}

/* On a failure nothing is left open. */
static int part_open(struct soq_part *part)
{
	int error;

	part->priv.length_bytes = part->size_bytes;
	part->priv.fd = part->kind == SOQ_PART_FILE ? part->fd : -1;
	if (!is_file(part))
		return 0;
	/* Not blocking: what turns out to be a pipe must not wait for its writer. */
	if (part->kind == SOQ_PART_PATH)
		part->priv.fd = open(part->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (part->kind == SOQ_PART_PATH && part->priv.fd < 0)
		return -errno;
	error = file_measure(part);
	if (error != 0 && part->kind == SOQ_PART_PATH)
		(void)close(part->priv.fd);
	return error;
}

static void close_first(const struct soq_part *parts, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (parts[i].kind == SOQ_PART_PATH)
			(void)close(parts[i].priv.fd);
}

int soqi_parts_open(struct soq_op *op, struct soq_part *parts, unsigned part_count)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < part_count; i++) {
		int error = part_open(&parts[i]);

		if (error == 0 && parts[i].priv.length_bytes > (uint64_t)SSIZE_MAX - sum) {
			error = -EINVAL;
			close_first(&parts[i], 1);
		}
		if (error != 0) {
			close_first(parts, i);
			return error;
		}
		sum += parts[i].priv.length_bytes;
	}
	op->priv.data = parts;
	op->priv.length = sum;
	op->priv.segment_count = part_count;
	op->priv.address = NULL;
	op->priv.message = NULL;
	return 0;
}

void soqi_parts_close(const struct soq_op *op)
{
	close_first(op->priv.data, op->priv.segment_count);
}

bool soqi_parts_have_files(const struct soq_op *op)
{
	const struct soq_part *parts = op->priv.data;

	for (uint32_t i = 0; i < op->priv.segment_count; i++)
		if (is_file(&parts[i]) && parts[i].priv.length_bytes > 0)
			return true;
	return false;
}

void soqi_parts_own(const struct soq_op *op, bool give)
{
	const struct soq_part *parts = op->priv.data;

	for (uint32_t i = 0; i < op->priv.segment_count; i++) {
		size_t size_bytes = (size_t)parts[i].priv.length_bytes;

		if (is_file(&parts[i]))
			continue;
		if (give)
			soqi_own_give(parts[i].data, size_bytes);
		else
			soqi_own_take(parts[i].data, size_bytes, size_bytes);
	}
}

/* What one sendmsg(2) is given. */
struct piece {
	struct iovec segments[SEGMENTS_MAX];
	unsigned count;
	uint64_t bytes;
	size_t room_used;
};

/* Remembers the part that `moved` has reached, so that finding it again is not quadratic. */
static void part_advance(struct soq_op *op)
{
	const struct soq_part *parts = op->priv.data;

	while (op->priv.segment < op->priv.segment_count &&
	       op->priv.segment_offset + parts[op->priv.segment].priv.length_bytes <=
		       op->priv.moved) {
		op->priv.segment_offset += parts[op->priv.segment].priv.length_bytes;
		op->priv.segment++;
	}
}

static void piece_add(struct piece *piece, void *data, size_t size_bytes)
{
	piece->segments[piece->count].iov_base = data;
	piece->segments[piece->count].iov_len = size_bytes;
	piece->count++;
	piece->bytes += size_bytes;
}

/* Reads what the room has a place for. Whether that was all of the part. */
static bool add_file(struct piece *piece, const struct soq_op *op, const struct soq_part *part,
		     uint64_t skip)
{
	uint64_t left = part->priv.length_bytes - skip;
	size_t size_bytes = SOQI_PARTS_BYTES - piece->room_used;
	char *to = (char *)op->priv.address + piece->room_used;
	ssize_t got;

	if (size_bytes > left)
		size_bytes = (size_t)left;
	if (size_bytes == 0)
		return false;
	do
		got = pread(part->priv.fd, to, size_bytes, (off_t)(part->offset_bytes + skip));
	while (got < 0 && errno == EINTR);
	/* Its end, or an error: so it will be again, with nothing before it. */
	if (got <= 0)
		return false;
	piece->room_used += (size_t)got;
	piece_add(piece, to, (size_t)got);
	return (uint64_t)got == left;
}

static bool add_memory(struct piece *piece, const struct soq_part *part, uint64_t skip)
{
	uint64_t left = part->priv.length_bytes - skip;
	uint64_t fits = SOQI_REQUEST_BYTES - piece->bytes;

	piece_add(piece, (char *)(uintptr_t)part->data + skip, (size_t)(left < fits ? left : fits));
	return left <= fits;
}

/* The next of what is left, from where `moved` is; nothing, if a file does not give it. */
static void piece_fill(struct piece *piece, const struct soq_op *op)
{
	const struct soq_part *parts = op->priv.data;
	uint64_t skip = op->priv.moved - op->priv.segment_offset;
	bool whole = true;

	piece->count = 0;
	piece->bytes = 0;
	piece->room_used = 0;
	for (uint32_t i = op->priv.segment; i < op->priv.segment_count && whole; i++) {
		if (parts[i].priv.length_bytes == 0)
			continue;
		if (piece->count == SEGMENTS_MAX || piece->bytes >= SOQI_PARTS_BYTES)
			break;
		whole = is_file(&parts[i]) ? add_file(piece, op, &parts[i], skip)
					   : add_memory(piece, &parts[i], skip);
		skip = 0;
	}
}

/* For the call the caller's memory is ours, whatever a tool has been told (see own.h). */
static void borrow(const struct soq_socket *s, const struct soq_op *op, const struct piece *piece,
		   bool back)
{
	const char *room = op->priv.address;

	/* Blocking calls give nothing away. */
	for (unsigned i = 0; s->loop != NULL && i < piece->count; i++) {
		const char *at = piece->segments[i].iov_base;

		if (room != NULL && at >= room && at < room + SOQI_PARTS_BYTES)
			continue;
		if (back)
			soqi_own_give_back(&piece->segments[i], 1);
		else
			soqi_own_borrow(&piece->segments[i], 1, false);
	}
}

static int32_t piece_send(const struct soq_socket *s, const struct soq_op *op, struct piece *piece)
{
	const struct msghdr message = { .msg_iov = piece->segments, .msg_iovlen = piece->count };
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | ((op->priv.flags & SOQ_CORK) ? MSG_MORE : 0);
	ssize_t sent;

	borrow(s, op, piece, false);
	do
		sent = sendmsg(s->fd, &message, flags);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		sent = -errno;
	borrow(s, op, piece, true);
	return (int32_t)sent;
}

/* Whether a piece that is read now could not leave: it would be read again. */
static bool is_full(const struct soq_socket *s)
{
	struct pollfd one = { .fd = s->fd, .events = POLLOUT };

	return poll(&one, 1, 0) == 0;
}

int32_t soqi_parts_try(const struct soq_socket *s, struct soq_op *op)
{
	uint64_t before = op->priv.moved;
	struct piece piece;
	int32_t result = 0;

	if (before > 0 && is_full(s))
		return -EAGAIN;
	do {
		part_advance(op);
		piece_fill(&piece, op);
		result = piece.count > 0 ? piece_send(s, op, &piece) : -EIO;
		if (result > 0)
			op->priv.moved += (uint64_t)result;
	} while (result > 0 && (uint64_t)result == piece.bytes &&
		 op->priv.moved < op->priv.length && op->priv.moved - before < TURN_BYTES);
	/* Who settles the result counts it. */
	if (op->priv.moved > before)
		result = (int32_t)(op->priv.moved - before);
	op->priv.moved = before;
	return result;
}

int32_t soqi_parts_serve(struct soq_socket *s, struct soqi_lane *lane)
{
	struct soq_loop *loop = s->loop;
	int32_t result;

	if (soqi_unlikely(loop->dead != 0))
		return loop->dead;
	result = soqi_parts_try(s, lane->queue.first);
	lane->spent = result >= (int32_t)TURN_BYTES;
	loop->stats.requests++;
	loop->stats.completions += result != -EAGAIN;
	if (result <= 0)
		soqi_judge_note(s, result);
	return result;
}
