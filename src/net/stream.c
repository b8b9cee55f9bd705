/* SPDX-License-Identifier: MIT */
/* Streams: made and closed; the calls that wait. */
#include "netstream.h"

#include "../util.h"

#include <soq/stream.h>
#include <soq/telemetry.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#define DEFAULT_BYTES   16384u
#define MAX_BYTES       (1u << 30)
#define DELIMITER_BYTES 256u
#define FLAGS           (SOQ_STREAM_READ | SOQ_STREAM_WRITE | SOQ_STREAM_OWNS | SOQ_STREAM_LITTLE_END)
/* The first release's size: a program built against it must go on working. */
#define OPTIONS_SIZE_MIN sizeof(struct soq_stream_options)

static int options_read(const struct soq_stream_options *from, struct soq_stream_options *to)
{
	*to = (struct soq_stream_options){ .size = sizeof(*to) };
	if (from != NULL) {
		if (from->size < OPTIONS_SIZE_MIN || from->size > sizeof(*to) ||
		    (from->flags & ~FLAGS) != 0 || from->read_bytes > MAX_BYTES ||
		    from->write_bytes > MAX_BYTES || from->reserved[0] != 0 ||
		    from->reserved[1] != 0)
			return -EINVAL;
		memcpy(to, from, from->size);
	}
	if (!(to->flags & (SOQ_STREAM_READ | SOQ_STREAM_WRITE)))
		to->flags |= SOQ_STREAM_READ | SOQ_STREAM_WRITE;
	if (to->read_bytes == 0)
		to->read_bytes = DEFAULT_BYTES;
	if (to->write_bytes == 0)
		to->write_bytes = DEFAULT_BYTES;
	return 0;
}

/* What a direction that may not be used has no need of. */
static size_t buffer_bytes(const struct soq_stream_options *options, uint32_t way,
			   size_t size_bytes)
{
	return (options->flags & way) ? size_bytes : 0;
}

static int socket_fits(struct soq_socket *s)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	int error = soq_socket_info(s, &info);

	if (error != 0)
		return error;
	if (info.type != SOCK_STREAM)
		return -EOPNOTSUPP;
	return info.state == SOQ_STATE_CONNECTED ? 0 : -ENOTCONN;
}

int soq_stream_open(struct soq_socket *s, const struct soq_stream_options *options,
		    struct soq_stream **stream_out)
{
	struct soq_allocator allocator;
	struct soq_stream_options now;
	struct soq_stream *st;
	size_t in, out;
	int error;

	if (s == NULL || stream_out == NULL)
		return -EINVAL;
	error = options_read(options, &now);
	if (error == 0)
		error = socket_fits(s);
	if (error != 0)
		return error;
	if (soqi_allocator_read(now.allocator, &allocator) != 0)
		return -EINVAL;
	in = buffer_bytes(&now, SOQ_STREAM_READ, now.read_bytes);
	out = buffer_bytes(&now, SOQ_STREAM_WRITE, now.write_bytes);
	st = allocator.allocate(allocator.context, sizeof(*st) + in + out, _Alignof(max_align_t));
	if (st == NULL)
		return -ENOMEM;
	memset(st, 0, sizeof(*st));
	st->s = s;
	st->allocator = allocator;
	st->flags = now.flags;
	st->in = (unsigned char *)(st + 1);
	st->in_size = in;
	st->out = st->in + in;
	st->out_size = out;
	*stream_out = st;
	return 0;
}

/* 0 if the socket is there and the caller's to use. */
static int alive(const struct soq_stream *st)
{
	struct soq_socket_stats stats = { .size = sizeof(stats) };

	return soq_socket_stats(st->s, &stats);
}

int soq_stream_close(struct soq_stream *st)
{
	struct soq_allocator allocator;
	int error;

	if (st == NULL)
		return -EINVAL;
	error = alive(st);
	if (error == -ECHILD || error == -EXDEV)
		return error;
	if (st->read.busy || st->write.busy)
		return -EBUSY;
	/* The flush turns the loop, where a helper's step may want to read. */
	st->read.busy = true;
	if (error == 0 && st->out_used > 0)
		error = soq_stream_flush(st);
	if (error != -EBADF && (st->flags & SOQ_STREAM_OWNS)) {
		int closed = soq_close(st->s);

		if (closed == -EBUSY) {
			st->read.busy = false;
			return closed;
		}
		error = error != 0 ? error : closed;
	}
	/* Somebody else has closed it: no matter, unless something was to be sent. */
	if (error == -EBADF && st->out_used == 0)
		error = 0;
	allocator = st->allocator;
	allocator.release(allocator.context, st, sizeof(*st) + st->in_size + st->out_size);
	return error;
}

struct soq_socket *soq_stream_socket(const struct soq_stream *st)
{
	return st != NULL ? st->s : NULL;
}

int64_t soq_stream_buffered(const struct soq_stream *st)
{
	return st != NULL ? (int64_t)soqi_stream_there(st) : -EINVAL;
}

static bool is_prefix(unsigned bytes)
{
	return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

/* Whether the sizes of a read make sense for this stream's buffer. */
static bool sizes_fit(const struct soq_stream *st, const struct soqi_want *want)
{
	switch (want->kind) {
	case SOQI_WANT_UNTIL:
		return want->delimiter != NULL && want->delimiter_bytes > 0 &&
		       want->delimiter_bytes <= DELIMITER_BYTES &&
		       want->delimiter_bytes <= want->size_bytes && want->size_bytes <= st->in_size;
	case SOQI_WANT_PREFIXED:
		return is_prefix(want->prefix_bytes) && want->length_out != NULL &&
		       want->size_bytes <= st->in_size &&
		       want->prefix_bytes <= st->in_size - want->size_bytes;
	default:
		return want->size_bytes > 0 && want->size_bytes <= SSIZE_MAX;
	}
}

/* What every read and every write is asked first; `way` is SOQ_STREAM_READ or _WRITE. */
static int way_check(const struct soq_stream *st, uint32_t way)
{
	int error;

	if (st == NULL)
		return -EINVAL;
	error = alive(st);
	if (error != 0)
		return error;
	return (st->flags & way) ? 0 : -EOPNOTSUPP;
}

int soqi_stream_read_check(const struct soq_stream *st, const struct soqi_want *want)
{
	int error = way_check(st, SOQ_STREAM_READ);

	if (error != 0)
		return error;
	if (want->kind != SOQI_WANT_COPY &&
	    ((want->buffer == NULL && want->size_bytes > 0) || !sizes_fit(st, want)))
		return -EINVAL;
	return st->read.busy ? -EBUSY : 0;
}

int soqi_stream_write_check(const struct soq_stream *st, const void *data, size_t size_bytes)
{
	int error = way_check(st, SOQ_STREAM_WRITE);

	if (error != 0)
		return error;
	if ((data == NULL && size_bytes > 0) || size_bytes > SSIZE_MAX - MAX_BYTES)
		return -EINVAL;
	return st->write.busy ? -EBUSY : 0;
}

bool soqi_stream_is_direct(const struct soq_stream *st, const struct soqi_want *want)
{
	if (want->kind == SOQI_WANT_EXACT)
		return want->size_bytes > st->in_size;
	return want->kind == SOQI_WANT_SOME && want->size_bytes >= st->in_size;
}

/* Into the caller's memory, behind what is in the buffer, which is copied only then. */
static int64_t read_direct(struct soq_stream *st, const struct soqi_want *want)
{
	size_t there = soqi_stream_there(st);
	uint32_t flags = want->kind == SOQI_WANT_EXACT ? SOQ_EXACT : 0;
	int64_t count;

	count = soq_recv(st->s, want->buffer + there, want->size_bytes - there, flags);
	if (count < 0)
		return count;
	st->ended = count == 0;
	if (there > 0)
		memcpy(want->buffer, st->in + st->in_from, there);
	soqi_stream_skip(st, there);
	return (int64_t)there + count;
}

/* Lets more arrive: 0, or why not. */
static int64_t fill(struct soq_stream *st)
{
	struct iovec room = soqi_stream_room(st);
	int64_t count = soq_recv(st->s, room.iov_base, room.iov_len, 0);

	if (count < 0)
		return count;
	st->ended = count == 0;
	st->in_to += (size_t)count;
	return 0;
}

static int64_t read_now(struct soq_stream *st, struct soqi_want *want)
{
	int64_t result = soqi_stream_read_check(st, want);

	if (result != 0)
		return result;
	st->read.busy = true;
	while ((result = soqi_stream_take(st, want)) == -EAGAIN) {
		if (soqi_stream_is_direct(st, want)) {
			result = read_direct(st, want);
			break;
		}
		result = fill(st);
		if (result < 0)
			break;
	}
	st->read.busy = false;
	return result;
}

int64_t soq_stream_read(struct soq_stream *st, void *buffer, size_t size_bytes)
{
	struct soqi_want want = { SOQI_WANT_SOME, buffer, size_bytes, .scanned = 0 };

	return read_now(st, &want);
}

int64_t soq_stream_read_exact(struct soq_stream *st, void *buffer, size_t size_bytes)
{
	struct soqi_want want = { SOQI_WANT_EXACT, buffer, size_bytes, .scanned = 0 };

	return read_now(st, &want);
}

int64_t soq_stream_read_until(struct soq_stream *st, const void *delimiter, size_t delimiter_bytes,
			      void *buffer, size_t size_bytes)
{
	struct soqi_want want = { SOQI_WANT_UNTIL, buffer, size_bytes, .delimiter = delimiter,
				  .delimiter_bytes = delimiter_bytes };

	return read_now(st, &want);
}

int soq_stream_read_prefixed(struct soq_stream *st, unsigned prefix_bytes, void *buffer,
			     size_t size_bytes, uint64_t *length_out)
{
	struct soqi_want want = { SOQI_WANT_PREFIXED, buffer, size_bytes,
				  .prefix_bytes = prefix_bytes, .length_out = length_out };

	return (int)read_now(st, &want);
}

/*
 * Sends what is buffered, and `data` behind it: how much of that, or -errno. A send that was
 * cut within the buffer is asked again why.
 */
static int64_t write_through(struct soq_stream *st, const void *data, size_t size_bytes)
{
	while (st->out_used > 0 || size_bytes > 0) {
		struct iovec segments[2] = { { st->out, st->out_used },
					     { (void *)(uintptr_t)data, size_bytes } };
		unsigned skip = st->out_used == 0;
		int64_t count = soq_sendv(st->s, segments + skip, 2 - skip - (size_bytes == 0), 0);
		size_t buffered = st->out_used;

		if (count < 0)
			return count;
		if ((size_t)count > buffered) {
			soqi_stream_sent(st, buffered);
			return count - (int64_t)buffered;
		}
		soqi_stream_sent(st, (size_t)count);
	}
	return 0;
}

int64_t soq_stream_write(struct soq_stream *st, const void *data, size_t size_bytes)
{
	int64_t result = soqi_stream_write_check(st, data, size_bytes);

	if (result != 0)
		return result;
	if (size_bytes <= st->out_size - st->out_used) {
		if (size_bytes > 0)
			memcpy(st->out + st->out_used, data, size_bytes);
		st->out_used += size_bytes;
		return (int64_t)size_bytes;
	}
	st->write.busy = true;
	result = write_through(st, data, size_bytes);
	st->write.busy = false;
	return result;
}

int soq_stream_write_prefixed(struct soq_stream *st, unsigned prefix_bytes, const void *data,
			      size_t size_bytes)
{
	int error = soqi_stream_write_check(st, data, size_bytes);

	if (error != 0)
		return error;
	if (!is_prefix(prefix_bytes))
		return -EINVAL;
	if (prefix_bytes + size_bytes > st->out_size ||
	    (prefix_bytes < 8 && (uint64_t)size_bytes >> (8 * prefix_bytes) != 0))
		return -EMSGSIZE;
	if (prefix_bytes + size_bytes > st->out_size - st->out_used)
		error = soq_stream_flush(st);
	if (error != 0)
		return error;
	soqi_stream_prefix(st, prefix_bytes, size_bytes, st->out + st->out_used);
	if (size_bytes > 0)
		memcpy(st->out + st->out_used + prefix_bytes, data, size_bytes);
	st->out_used += prefix_bytes + size_bytes;
	return 0;
}

int soq_stream_flush(struct soq_stream *st)
{
	int64_t result = soqi_stream_write_check(st, NULL, 0);

	if (result != 0)
		return (int)result;
	st->write.busy = true;
	result = write_through(st, NULL, 0);
	st->write.busy = false;
	return (int)result;
}

int soq_stream_end(struct soq_stream *st)
{
	int error = soq_stream_flush(st);

	return error != 0 ? error : soq_shutdown(st->s, SOQ_SHUTDOWN_SEND);
}

/* What is there goes out from where it is. */
static int64_t copy_there(struct soq_stream *from, struct soq_stream *to)
{
	size_t there = soqi_stream_there(from);
	int64_t count = write_through(to, from->in + from->in_from, there);

	if (count > 0)
		soqi_stream_skip(from, (size_t)count);
	return count;
}

int64_t soq_stream_copy(struct soq_stream *from, struct soq_stream *to)
{
	const struct soqi_want want = { SOQI_WANT_COPY, .to = to };
	int64_t result = soqi_stream_read_check(from, &want);
	int64_t total = 0;

	if (result == 0)
		result = soqi_stream_write_check(to, NULL, 0);
	if (result != 0)
		return result;
	if (soq_socket_loop(from->s) != soq_socket_loop(to->s))
		return -EXDEV;
	from->read.busy = true;
	to->write.busy = true;
	while (result >= 0) {
		result = copy_there(from, to);
		if (result >= 0)
			total += result;
		if (result < 0 || (from->ended && soqi_stream_there(from) == 0))
			break;
		if (soqi_stream_there(from) == 0)
			result = fill(from);
	}
	from->read.busy = false;
	to->write.busy = false;
	return result < 0 ? result : total;
}
