/* SPDX-License-Identifier: MIT */
/*
 * Streams: the ops. Each half has one inner op, a receive or a send, which its step starts
 * again until what the program's op wants is there. A copy is a receive of one stream
 * and a send of another, by turns.
 */
#include "netstream.h"

#include <soq/stream.h>

#include <errno.h>
#include <string.h>

static void half_end(struct soqi_half *half, int64_t result, uint32_t flags)
{
	struct soq_op *op = half->op;

	half->op = NULL;
	half->busy = false;
	/* What cut the inner op is what cut this one. */
	if (half->cause == -ETIMEDOUT && (flags & SOQ_F_CANCELED))
		flags = (flags & ~SOQ_F_CANCELED) | SOQ_F_TIMED_OUT;
	(void)soq_op_finish(op, result, flags, NULL);
}

static void half_begin(struct soqi_half *half, struct soq_op *op, struct soq_stream *st,
		       soq_done_fn *step)
{
	half->op = op;
	half->busy = true;
	half->cause = 0;
	half->inner.user = st;
	(void)soq_op_inner(&half->inner, step);
}

static void on_read_cut(struct soq_op *op, int cause, void *arg)
{
	struct soq_stream *st = arg;

	(void)op;
	st->read.cause = cause;
	(void)soq_cancel(&st->read.inner);
	if (st->want.kind == SOQI_WANT_COPY)
		(void)soq_cancel(&st->want.to->write.inner);
}

static void on_write_cut(struct soq_op *op, int cause, void *arg)
{
	struct soq_stream *st = arg;

	(void)op;
	st->write.cause = cause;
	(void)soq_cancel(&st->write.inner);
}

/* Reading. */

static void read_on(struct soq_stream *st);

static void on_read(const struct soq_event *event)
{
	struct soq_stream *st = event->op->user;
	struct soqi_want *want = &st->want;
	size_t there = soqi_stream_there(st);

	if (event->result < 0) {
		half_end(&st->read, event->result, 0);
		return;
	}
	st->ended = event->result == 0;
	if (soqi_stream_is_direct(st, want)) {
		if (there > 0)
			memcpy(want->buffer, st->in + st->in_from, there);
		soqi_stream_skip(st, there);
		half_end(&st->read, (int64_t)there + event->result, event->flags);
		return;
	}
	st->in_to += (size_t)event->result;
	read_on(st);
}

/* Takes what is there, or waits for more. */
static void read_on(struct soq_stream *st)
{
	struct soqi_want *want = &st->want;
	int64_t result = soqi_stream_take(st, want);
	int error;

	if (result != -EAGAIN) {
		half_end(&st->read, result, 0);
		return;
	}
	if (st->read.cause != 0) {
		half_end(&st->read, -ECANCELED, 0);
		return;
	}
	if (soqi_stream_is_direct(st, want)) {
		size_t there = soqi_stream_there(st);

		error = soq_recv_async(st->s, &st->read.inner, want->buffer + there,
				       want->size_bytes - there,
				       want->kind == SOQI_WANT_EXACT ? SOQ_EXACT : 0);
	} else {
		struct iovec room = soqi_stream_room(st);

		error = soq_recv_async(st->s, &st->read.inner, room.iov_base, room.iov_len, 0);
	}
	if (error != 0)
		half_end(&st->read, error, 0);
}

static int read_start(struct soq_stream *st, struct soq_op *op, const struct soqi_want *want)
{
	int error = soqi_stream_read_check(st, want);

	if (error == 0)
		error = soq_op_begin(soq_socket_loop(st->s), op, on_read_cut, st);
	if (error != 0)
		return error;
	st->want = *want;
	half_begin(&st->read, op, st, on_read);
	read_on(st);
	return 0;
}

int soq_stream_read_async(struct soq_stream *st, struct soq_op *op, void *buffer, size_t size_bytes)
{
	const struct soqi_want want = { SOQI_WANT_SOME, buffer, size_bytes, .scanned = 0 };

	return read_start(st, op, &want);
}

int soq_stream_read_exact_async(struct soq_stream *st, struct soq_op *op, void *buffer,
				size_t size_bytes)
{
	const struct soqi_want want = { SOQI_WANT_EXACT, buffer, size_bytes, .scanned = 0 };

	return read_start(st, op, &want);
}

int soq_stream_read_until_async(struct soq_stream *st, struct soq_op *op, const void *delimiter,
				size_t delimiter_bytes, void *buffer, size_t size_bytes)
{
	const struct soqi_want want = { SOQI_WANT_UNTIL, buffer, size_bytes, .delimiter = delimiter,
					.delimiter_bytes = delimiter_bytes };

	return read_start(st, op, &want);
}

int soq_stream_read_prefixed_async(struct soq_stream *st, struct soq_op *op, unsigned prefix_bytes,
				   void *buffer, size_t size_bytes, uint64_t *length_out)
{
	const struct soqi_want want = { SOQI_WANT_PREFIXED, buffer, size_bytes,
					.prefix_bytes = prefix_bytes, .length_out = length_out };

	return read_start(st, op, &want);
}

/* Writing. */

static void write_on(struct soq_stream *st);

/*
 * A send that was cut within what was buffered has moved nothing of the op's. Why it was
 * says its flag, or, if the connection broke, the next send.
 */
static bool is_cut(const struct soq_stream *st, const struct soq_event *event)
{
	return st->write.cause != 0 || (event->flags & (SOQ_F_CANCELED | SOQ_F_TIMED_OUT));
}

static void on_write(const struct soq_event *event)
{
	struct soq_stream *st = event->op->user;
	size_t buffered = st->out_used;
	size_t sent;

	if (event->result < 0) {
		half_end(&st->write, event->result, 0);
		return;
	}
	sent = (size_t)event->result;
	soqi_stream_sent(st, sent < buffered ? sent : buffered);
	if (st->data_bytes > 0 && sent > buffered)
		half_end(&st->write, (int64_t)(sent - buffered), event->flags);
	else if ((st->out_used > 0 || st->data_bytes > 0) && is_cut(st, event))
		half_end(&st->write, -ECANCELED, 0);
	else
		write_on(st);
}

static void write_on(struct soq_stream *st)
{
	unsigned count = 0;
	int error;

	if (st->out_used > 0)
		st->segments[count++] = (struct iovec){ st->out, st->out_used };
	if (st->data_bytes > 0)
		st->segments[count++] = (struct iovec){ (void *)(uintptr_t)st->data,
							st->data_bytes };
	if (count == 0) {
		half_end(&st->write, 0, 0);
		return;
	}
	error = soq_sendv_async(st->s, &st->write.inner, st->segments, count, 0);
	if (error != 0)
		half_end(&st->write, error, 0);
}

static int write_start(struct soq_stream *st, struct soq_op *op, const void *data,
		       size_t size_bytes)
{
	int error = soqi_stream_write_check(st, data, size_bytes);

	if (error == 0)
		error = soq_op_begin(soq_socket_loop(st->s), op, on_write_cut, st);
	if (error != 0)
		return error;
	half_begin(&st->write, op, st, on_write);
	st->data = data;
	st->data_bytes = size_bytes;
	return 0;
}

int soq_stream_write_async(struct soq_stream *st, struct soq_op *op, const void *data,
			   size_t size_bytes)
{
	int error = write_start(st, op, data, size_bytes);

	if (error != 0)
		return error;
	if (size_bytes > st->out_size - st->out_used) {
		write_on(st);
		return 0;
	}
	if (size_bytes > 0)
		memcpy(st->out + st->out_used, data, size_bytes);
	st->out_used += size_bytes;
	half_end(&st->write, (int64_t)size_bytes, 0);
	return 0;
}

int soq_stream_flush_async(struct soq_stream *st, struct soq_op *op)
{
	int error = write_start(st, op, NULL, 0);

	if (error == 0)
		write_on(st);
	return error;
}

/* Copying. */

static void copy_on(struct soq_stream *from);

static void copy_end(struct soq_stream *from, int64_t result)
{
	struct soqi_half *writing = &from->want.to->write;

	writing->op = NULL;
	writing->busy = false;
	half_end(&from->read, result, 0);
}

static void on_copy_read(const struct soq_event *event)
{
	struct soq_stream *from = event->op->user;

	if (event->result < 0) {
		copy_end(from, event->result);
		return;
	}
	from->ended = event->result == 0;
	from->in_to += (size_t)event->result;
	copy_on(from);
}

static void on_copied(const struct soq_event *event)
{
	struct soq_stream *from = event->op->user;
	struct soq_stream *to = from->want.to;
	size_t buffered = to->out_used;
	size_t sent;

	if (event->result < 0) {
		copy_end(from, event->result);
		return;
	}
	sent = (size_t)event->result;
	soqi_stream_sent(to, sent < buffered ? sent : buffered);
	if (sent > buffered) {
		soqi_stream_skip(from, sent - buffered);
		from->want.copied += (int64_t)(sent - buffered);
	}
	copy_on(from);
}

/* Sends what is there; else waits for more; else it is done. */
static void copy_on(struct soq_stream *from)
{
	struct soq_stream *to = from->want.to;
	size_t there = soqi_stream_there(from);
	unsigned count = 0;
	int error;

	if (to->out_used > 0)
		to->segments[count++] = (struct iovec){ to->out, to->out_used };
	if (there > 0)
		to->segments[count++] = (struct iovec){ from->in + from->in_from, there };
	if (count == 0 && from->ended) {
		copy_end(from, from->want.copied);
		return;
	}
	if (from->read.cause != 0) {
		copy_end(from, -ECANCELED);
		return;
	}
	if (count > 0) {
		error = soq_sendv_async(to->s, &to->write.inner, to->segments, count, 0);
	} else {
		struct iovec room = soqi_stream_room(from);

		error = soq_recv_async(from->s, &from->read.inner, room.iov_base, room.iov_len, 0);
	}
	if (error != 0)
		copy_end(from, error);
}

int soq_stream_copy_async(struct soq_stream *from, struct soq_stream *to, struct soq_op *op)
{
	const struct soqi_want want = { SOQI_WANT_COPY, .to = to };
	int error = soqi_stream_read_check(from, &want);

	if (error == 0)
		error = soqi_stream_write_check(to, NULL, 0);
	if (error == 0 && soq_socket_loop(from->s) != soq_socket_loop(to->s))
		error = -EXDEV;
	if (error == 0)
		error = soq_op_begin(soq_socket_loop(from->s), op, on_read_cut, from);
	if (error != 0)
		return error;
	from->want = want;
	half_begin(&from->read, op, from, on_copy_read);
	half_begin(&to->write, op, from, on_copied);
	copy_on(from);
	return 0;
}
