/* SPDX-License-Identifier: MIT */
/* Streams: buffered reading and writing over a connected socket, whole messages among it. */
#ifndef SOQ_NETSTREAM_H
#define SOQ_NETSTREAM_H

#include <soq/base.h>
#include <soq/op.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A stream stands over a connected stream socket, on a loop or detached, and has a buffer for
 * each direction. Reads take from it what there is and ask the socket for the rest, so that
 * many small messages cost one receive; writes gather until the buffer is full or flushed.
 *
 * Nothing is lost on the way. A read that ends early (its deadline, the socket's timeout, a
 * cancel) leaves what has arrived in the buffer for the next one; so do messages that are
 * not complete, or too long for the caller's memory. The buffer bounds what a peer
 * can make the program keep: a message that does not fit into it is refused, and never
 * makes it grow.
 *
 * The socket's timeouts bound each wait of a call: a peer that sends a byte now and then can
 * make a call last that waits for a whole message. An op's deadline bounds all of it.
 *
 * One read and one write may be under way at a time, a copy is both: else -EBUSY. A program
 * leaves receiving on the socket to its stream.
 */
struct soq_stream;

/* Flags of a stream. */
#define SOQ_STREAM_READ       (1u << 0) /* may be read */
#define SOQ_STREAM_WRITE      (1u << 1) /* may be written */
#define SOQ_STREAM_OWNS       (1u << 2) /* closes the socket when it is closed */
#define SOQ_STREAM_LITTLE_END (1u << 3) /* length prefixes have their last byte first */

/**
 * What a stream shall be. Begin with `= { .size = sizeof(struct soq_stream_options) }`; 0
 * is the default of each.
 */
struct soq_stream_options {
	uint32_t size;        /* sizeof(struct soq_stream_options) */
	uint32_t flags;       /* SOQ_STREAM_*; neither READ nor WRITE means both */
	uint32_t read_bytes;  /* the longest message, and its room; default 16384 */
	uint32_t write_bytes; /* what is gathered before it is sent; default 16384 */
	const struct soq_allocator *allocator; /* copied; default is the C library's */
	uint64_t reserved[2];                  /* must be 0 */
};

/**
 * Makes a stream over a socket. All of its memory is taken here.
 *
 * Result: 0 and `*stream_out`; on failure it is untouched.
 * Errors: -EINVAL      NULL, a `size` this library does not know, unknown flags, a buffer
 *                      above 1 GiB, a reserved field that is not 0, half an allocator
 *         -ENOTCONN    the socket is not connected
 *         -EOPNOTSUPP  its type is not SOCK_STREAM
 *         -ENOMEM
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Owner:  close it with soq_stream_close(). The socket is the stream's with SOQ_STREAM_OWNS,
 *         else the caller's, and then it must outlive the stream. After soq_loop_close_all()
 *         close it before the loop gets another socket.
 * Thread: the loop's; any, on a detached socket: one thread at a time for each direction.
 * .NET:   NetworkStream, TcpClient.GetStream
 */
SOQ_API SOQ_MUST_CHECK int soq_stream_open(struct soq_socket *s,
					   const struct soq_stream_options *options,
					   struct soq_stream **stream_out);

/**
 * Closes a stream: what is buffered for writing is sent first, which waits as
 * soq_stream_flush() does, then the socket is closed as soq_close() does, if the stream owns
 * it. What was read ahead is gone: a caller that goes on with a socket of its own reads
 * until soq_stream_buffered() is 0.
 *
 * Result: 0; the handle is dead.
 * Errors: -EBUSY   an op is in flight: cancel it first; nothing has happened
 *         -EINVAL  NULL
 *         -ECHILD, -EXDEV  as for every call: nothing has happened
 *         else why not all was sent; the stream is closed all the same
 * Thread: the loop's; any, on a detached socket.
 * .NET:   NetworkStream.Close, NetworkStream.Dispose
 */
SOQ_API int soq_stream_close(struct soq_stream *stream);

/**
 * The socket below: for its options, its timeouts and its endpoints.
 *
 * Result: the socket; NULL for NULL.
 * Thread: any.
 * .NET:   NetworkStream.Socket
 */
SOQ_API struct soq_socket *soq_stream_socket(const struct soq_stream *stream);

/**
 * How many bytes have arrived in the buffer and wait to be read.
 *
 * Result: their count.
 * Errors: -EINVAL  NULL
 * Thread: that of the reads.
 * .NET:   NetworkStream.DataAvailable
 */
SOQ_API int64_t soq_stream_buffered(const struct soq_stream *stream);

/**
 * Reads what there is, and waits if there is nothing.
 *
 * Result: the count, at least 1; 0 at the end of the stream.
 * Errors: -EINVAL      NULL, or a `size_bytes` of 0 or above SSIZE_MAX
 *         -EOPNOTSUPP  the stream may not be read
 *         -EBUSY       another read is in flight
 *         -ETIMEDOUT   the socket's receive timeout passed
 *         -EBADF       the socket is closed
 *         -ECHILD, -EXDEV  as for every call; else what soq_recv() says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   NetworkStream.Read, NetworkStream.ReadByte
 */
SOQ_API int64_t soq_stream_read(struct soq_stream *stream, void *buffer, size_t size_bytes);

/**
 * Reads exactly this much. If it fits into the buffer it is all or nothing: a read that ends
 * early has taken nothing. Above that it may end short, as soq_recv() with SOQ_EXACT.
 *
 * Result: `size_bytes`; less at the end of the stream, and 0 there when nothing was left.
 * Errors: as soq_stream_read()
 * Thread: the loop's; any, on a detached socket.
 * .NET:   NetworkStream.ReadExactly
 */
SOQ_API int64_t soq_stream_read_exact(struct soq_stream *stream, void *buffer, size_t size_bytes);

/**
 * Reads up to and with the first `delimiter`. `size_bytes` is the most a message may have,
 * delimiter and all. It is all or nothing.
 *
 * Result: the count, with the delimiter; 0 at the end of the stream when nothing was left.
 * Errors: -EMSGSIZE  no delimiter in the first `size_bytes`: they are left, to be read in
 *                    another way
 *         -ENODATA   the stream ended behind the last delimiter: what came since is left
 *         -EINVAL    no delimiter, one above 256 bytes, or a `size_bytes` that is smaller
 *                    than it or larger than the buffer
 *         else as soq_stream_read()
 * Thread: the loop's; any, on a detached socket.
 * .NET:   StreamReader.ReadLine
 */
SOQ_API int64_t soq_stream_read_until(struct soq_stream *stream, const void *delimiter,
				      size_t delimiter_bytes, void *buffer, size_t size_bytes);

/**
 * Reads a message that begins with its length, as a number of `prefix_bytes` (1, 2, 4 or 8),
 * first byte first unless the stream has SOQ_STREAM_LITTLE_END. The length does not count
 * itself; `buffer` gets what is behind it. It is all or nothing.
 *
 * Result: 0 and `*length_out`, which may be 0.
 * Errors: -EMSGSIZE  the message is longer than `size_bytes`: it is left, length and all
 *         -ENODATA   the stream has ended: `*length_out` says how many bytes are left of a
 *                    message that is cut, 0 if it ended between two
 *         -EINVAL    another `prefix_bytes`, NULL, or message and prefix have no room
 *                    in the buffer
 *         else as soq_stream_read()
 * Thread: the loop's; any, on a detached socket.
 */
SOQ_API int soq_stream_read_prefixed(struct soq_stream *stream, unsigned prefix_bytes, void *buffer,
				     size_t size_bytes, uint64_t *length_out);

/**
 * Writes all of it: into the buffer, and when that is full what is there is sent, in
 * order. What does not fit into an empty buffer is sent from the caller's memory.
 *
 * Result: `size_bytes`; less if the send was cut, as soq_send().
 * Errors: -EINVAL      NULL, or a `size_bytes` above SSIZE_MAX less 1 GiB (a full buffer)
 *         -EOPNOTSUPP  the stream may not be written
 *         -EBUSY       another write is in flight
 *         -ETIMEDOUT   the socket's send timeout passed and nothing of it was taken
 *         -EBADF       the socket is closed
 *         -ECHILD, -EXDEV  as for every call; else what soq_send() says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   NetworkStream.Write, NetworkStream.WriteByte
 */
SOQ_API int64_t soq_stream_write(struct soq_stream *stream, const void *data, size_t size_bytes);

/**
 * Writes a message and its length before it, as soq_stream_read_prefixed() reads it: all of it
 * into the buffer, or nothing.
 *
 * Result: 0.
 * Errors: -EMSGSIZE  the length has no room in `prefix_bytes`, or both in the buffer
 *         -EINVAL    another `prefix_bytes`
 *         else as soq_stream_write()
 * Thread: the loop's; any, on a detached socket.
 */
SOQ_API int soq_stream_write_prefixed(struct soq_stream *stream, unsigned prefix_bytes,
				      const void *data, size_t size_bytes);

/**
 * Sends what is buffered, and waits for that.
 *
 * Result: 0, the kernel has it.
 * Errors: as soq_stream_write(); what was not sent is still buffered
 * Thread: the loop's; any, on a detached socket.
 * .NET:   NetworkStream.Flush
 */
SOQ_API int soq_stream_flush(struct soq_stream *stream);

/**
 * Ends the writing half: flushes, then shuts the send side. The other half goes on.
 *
 * Result: 0.
 * Errors: as soq_stream_flush(), and then nothing is shut; or what soq_shutdown() says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Shutdown
 */
SOQ_API int soq_stream_end(struct soq_stream *stream);

/**
 * Copies everything that can be read from one stream to another, until its end, and flushes.
 * It is for a pass through a stream that has read ahead; two whole sockets are
 * relayed better by soq_relay_async().
 *
 * Result: the count of bytes.
 * Errors: as soq_stream_read() of `from` or soq_stream_write() of `to`. What was read and
 *         not written is still buffered in `from`.
 *         -EXDEV  they are of two loops
 * Thread: the loop's; any, on detached sockets.
 * .NET:   NetworkStream.CopyTo
 */
SOQ_API int64_t soq_stream_copy(struct soq_stream *from, struct soq_stream *to);

/**
 * Starts reading what there is, as soq_stream_read() does.
 *
 * Result: 0; the event tells what the call would return, perhaps at once. The op's deadline
 *         stands for the socket's timeout.
 * Errors: those of every starting call
 *         -EOPNOTSUPP  the stream may not be read
 *         -EBUSY       another read is in flight
 *         as results: -ECANCELED, -ETIMEDOUT, and the other errors of the call
 * Owner:  `buffer` is the library's until the final event.
 * Thread: the loop's.
 * .NET:   NetworkStream.ReadAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_stream_read_async(struct soq_stream *stream, struct soq_op *op,
						 void *buffer, size_t size_bytes);

/**
 * Starts reading exactly this much, as soq_stream_read_exact() does.
 *
 * Result: 0; the event tells what the call would return, perhaps at once. The op's deadline
 *         stands for the socket's timeout.
 * Errors: those of every starting call
 *         -EOPNOTSUPP  the stream may not be read
 *         -EBUSY       another read is in flight
 *         as results: -ECANCELED, -ETIMEDOUT, and the other errors of the call
 * Owner:  `buffer` is the library's until the final event.
 * Thread: the loop's.
 * .NET:   NetworkStream.ReadExactlyAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_stream_read_exact_async(struct soq_stream *stream, struct soq_op *op,
						       void *buffer, size_t size_bytes);

/**
 * Starts reading up to a delimiter, as soq_stream_read_until() does.
 *
 * Result: 0; the event tells what the call would return, perhaps at once. The op's deadline
 *         stands for the socket's timeout.
 * Errors: those of every starting call
 *         -EOPNOTSUPP  the stream may not be read
 *         -EBUSY       another read is in flight
 *         as results: -ECANCELED, -ETIMEDOUT, and the other errors of the call
 * Owner:  `delimiter` and `buffer` are the library's until the final event.
 * Thread: the loop's.
 * .NET:   StreamReader.ReadLineAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_stream_read_until_async(struct soq_stream *stream, struct soq_op *op,
						       const void *delimiter,
						       size_t delimiter_bytes, void *buffer,
						       size_t size_bytes);

/**
 * Starts reading a message behind its length, as soq_stream_read_prefixed() does.
 *
 * Result: 0; the event tells what the call would return, perhaps at once. The op's deadline
 *         stands for the socket's timeout.
 * Errors: those of every starting call
 *         -EOPNOTSUPP  the stream may not be read
 *         -EBUSY       another read is in flight
 *         as results: -ECANCELED, -ETIMEDOUT, and the other errors of the call
 * Owner:  `buffer` and `*length_out` are the library's until the final event.
 * Thread: the loop's.
 */
SOQ_API SOQ_MUST_CHECK int soq_stream_read_prefixed_async(struct soq_stream *stream,
							  struct soq_op *op, unsigned prefix_bytes,
							  void *buffer, size_t size_bytes,
							  uint64_t *length_out);

/**
 * Starts writing all of it, as soq_stream_write() does.
 *
 * Result: 0; the event tells what the call would return, perhaps at once. The op's deadline
 *         stands for the socket's timeout.
 * Errors: those of every starting call
 *         -EOPNOTSUPP  the stream may not be written
 *         -EBUSY       another write is in flight
 *         as results: -ECANCELED, -ETIMEDOUT, and the other errors of the call
 * Owner:  `data` is the library's until the final event.
 * Thread: the loop's.
 * .NET:   NetworkStream.WriteAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_stream_write_async(struct soq_stream *stream, struct soq_op *op,
						  const void *data, size_t size_bytes);

/**
 * Starts sending what is buffered, as soq_stream_flush() does.
 *
 * Result: 0; the event tells what the call would return, perhaps at once. The op's deadline
 *         stands for the socket's timeout.
 * Errors: those of every starting call
 *         -EOPNOTSUPP  the stream may not be written
 *         -EBUSY       another write is in flight
 *         as results: -ECANCELED, -ETIMEDOUT, and the other errors of the call
 * Thread: the loop's.
 * .NET:   NetworkStream.FlushAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_stream_flush_async(struct soq_stream *stream, struct soq_op *op);

/**
 * Starts copying until the end, as soq_stream_copy() does.
 *
 * Result: 0; the event tells what the call would return, perhaps at once. The op's deadline
 *         stands for the socket's timeout.
 * Errors: those of every starting call
 *         -EOPNOTSUPP  the stream may not be read, or the other not written
 *         -EBUSY       another read, or of the other a write, is in flight
 *         -EXDEV  they are of two loops
 *         as results: -ECANCELED, -ETIMEDOUT, and the other errors of the call
 * Thread: the loop's.
 * .NET:   NetworkStream.CopyToAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_stream_copy_async(struct soq_stream *from, struct soq_stream *to,
						 struct soq_op *op);

#ifdef __cplusplus
}
#endif

#endif
