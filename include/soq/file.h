/* SPDX-License-Identifier: MIT */
/* Sending files: whole, in part, and mixed with memory. */
#ifndef SOQ_FILE_H
#define SOQ_FILE_H

#include <soq/base.h>
#include <soq/op.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A file is sent as any bytes are: in its place in the send lane, all of it or a short
 * result, whoever else sends. It is read a piece at a time, into memory of the loop's,
 * at the moment when the socket has room: so any number of files on their way share
 * 128 KiB, and what the peer got is what the file held then. The file's own position
 * is neither used nor moved.
 *
 * The read is the one thing that may hold up the loop: for as long as the disk takes
 * where the file is not in the system's cache. Nothing waits for the socket but the op.
 *
 * It copies. sendfile(2) does not, but needs a descriptor that never waits, raises
 * SIGPIPE, and goes on reading pages after it has returned: what is written to the file
 * later may reach the peer. On loopback it costs more on TCP as well: 0.49 to 0.70 ms
 * of both ends' CPU time for a MiB, against 0.39 to 0.47 this way (Linux 6.18, two
 * processors). On unix sockets it would be faster, 0.13 to 0.29 ms against 0.25.
 */

/* What a part is. */
enum soq_part_kind {
	SOQ_PART_MEMORY = 0, /* `data`, `size_bytes` of it */
	SOQ_PART_FILE = 1,   /* of the file `fd` */
	SOQ_PART_PATH = 2,   /* of the file at `path` */
};

/**
 * One part of what is to be sent. Begin with `{ 0 }`, which is empty.
 *
 * Of a file it is `size_bytes` from `offset_bytes` on; `size_bytes` 0 is all from there
 * to the end. A file is a regular one, as long as fstat(2) says at the start. Anything
 * else that can be read, a pipe or a device, has no ranges: it is to be received and
 * sent, or handed to splice(2).
 *
 * .NET: SendPacketsElement
 */
struct soq_part {
	uint32_t kind; /* enum soq_part_kind */
	int32_t fd;    /* SOQ_PART_FILE: open for reading until the final event */
	union {
		const void *data; /* SOQ_PART_MEMORY */
		const char *path; /* SOQ_PART_PATH: needed for the start alone */
	};
	uint64_t offset_bytes; /* of files */
	uint64_t size_bytes;
	uint64_t reserved; /* must be 0 */
	struct {
		uint64_t length_bytes;
		int32_t fd;
		uint32_t reserved;
	} priv; /* the library's */
};

/**
 * Starts a send of parts as one, in order: memory and files in any mix. Empty parts
 * are passed over. Files are found, opened and measured here, before any byte is
 * sent; what was opened is closed before the final event is made.
 *
 * Result: 0; the event's result is the count of all bytes, or less with SOQ_F_CANCELED,
 *         SOQ_F_TIMED_OUT or SOQ_F_BROKEN, as of soq_send_async(). SOQ_F_BROKEN is also
 *         the flag of a file that could not be read on, or has become shorter: then the
 *         connection is as it was, and the next send goes on behind the bytes counted.
 *         Without any bytes nothing is sent, and the result is 0.
 * Errors: those of every starting call; flags: SOQ_CORK
 *         -EINVAL      also for no parts, more than SOQ_SEGMENTS_MAX, a kind that is
 *                      unknown, memory that is NULL with a size, a path that is NULL, a
 *                      reserved word that is not 0, a sum above SSIZE_MAX; a
 *                      descriptor that is no file's or not open for reading, a path
 *                      to what is no regular file, and an offset or a length beyond
 *                      the end of a file
 *         -EOPNOTSUPP  the socket is no stream
 *         -ENOTCONN    no connect was started, or the socket listens
 *         -EPIPE       a shutdown of the send side was started before
 *         -ENOMEM      no memory for the loop's first file
 *         -ENOENT, -EACCES, -EMFILE and the others of open(2), for a path
 *         as results: -EIO (a file could not be read, or was shorter than at the
 *         start) and those of soq_send_async()
 * Owner:  the array and the memory are the library's until the final event, the
 *         array for writing too. Descriptors stay the caller's, open until then.
 * Thread: the loop's.
 * Kernel: open(2), pread(2) and sendmsg(2), and IORING_OP_POLL_ADD while there is no room.
 * Fallback: the same, and the edge of epoll.
 * .NET:   Socket.SendPacketsAsync, SocketAsyncEventArgs.SendPacketsElements
 */
SOQ_API SOQ_MUST_CHECK int soq_send_parts_async(struct soq_socket *s, struct soq_op *op,
						struct soq_part *parts, unsigned part_count,
						uint32_t flags);

/**
 * Sends parts as one and waits until all is sent.
 *
 * Result: bytes sent: all, or fewer if it was cut short (the next synchronous
 *         call on the send lane returns the cause).
 * Errors: what soq_send_parts_async() returns, or its event's result; -ETIMEDOUT when
 *         the socket's send timeout passed and nothing was sent; on a detached socket
 *         -ENOMEM is of this call's memory
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SendFile
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_send_parts(struct soq_socket *s, struct soq_part *parts,
					      unsigned part_count, uint32_t flags);

/**
 * Starts a send of `size_bytes` of a file from `offset_bytes` on; 0 is all from there to
 * its end: one SOQ_PART_FILE, otherwise as soq_send_parts_async().
 *
 * Owner:  `fd` stays the caller's, open until the final event.
 * Thread: the loop's.
 * .NET:   Socket.SendFileAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_send_file_async(struct soq_socket *s, struct soq_op *op, int fd,
					       uint64_t offset_bytes, uint64_t size_bytes,
					       uint32_t flags);

/**
 * Sends `size_bytes` of a file from `offset_bytes` on and waits; otherwise as
 * soq_send_parts() with one SOQ_PART_FILE.
 *
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SendFile
 */
SOQ_API SOQ_MUST_CHECK int64_t soq_send_file(struct soq_socket *s, int fd, uint64_t offset_bytes,
					     uint64_t size_bytes, uint32_t flags);

#ifdef __cplusplus
}
#endif

#endif
