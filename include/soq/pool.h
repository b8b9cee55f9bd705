/* SPDX-License-Identifier: MIT */
/* Pools: buffers the kernel fills as bytes arrive, lent with the event. */
#ifndef SOQ_POOL_H
#define SOQ_POOL_H

#include <soq/base.h>
#include <soq/endpoint.h>
#include <soq/message.h>
#include <soq/op.h>
#include <soq/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A receive into memory of the caller ties that memory up for as long as nothing
 * comes. A pool is memory for whoever has something: the kernel (on epoll the
 * library) picks a buf when bytes are there, and the event lends it. Returning it is
 * what lets the socket go on: at most `share` bufs of one socket are on loan, so a
 * program that is slow to return slows down the peers it is slow for.
 *
 *	static void arrived(const struct soq_event *event)
 *	{
 *		struct soq_buf *buf = event->buf;
 *		...
 *		soq_buf_return(buf);
 *	}
 *
 *	op->done = arrived;
 *	soq_recv_buf_async(s, op, pool, SOQ_MULTISHOT);
 */

/* Sizes of bufs a pool can have. */
#define SOQ_POOL_CLASSES_MAX 4
/* Bufs all pools of a loop can have together. */
#define SOQ_POOL_BUFS_MAX 32768
/* What a message needs of its buf beside its bytes: the sender, and what the kernel tells. */
#define SOQ_POOL_MESSAGE_BYTES 384

/* soq_pool_options.flags: what a buf held is wiped when it is returned. */
#define SOQ_POOL_SCRUB (1u << 0)

/* Bufs of one size. */
struct soq_pool_class {
	uint32_t buf_size_bytes; /* 512 to 16 MiB; a message has SOQ_POOL_MESSAGE_BYTES less */
	uint32_t buf_count;      /* 1 to SOQ_POOL_BUFS_MAX */
};

/**
 * What a pool is made of. Zero in any field means the default.
 *
 * 128 bufs of 16 KiB serve small requests and long streams alike: few bufs that stay
 * in the cache, each large enough that a stream does not pay per buf. With the
 * SOQ_POOL_MESSAGE_BYTES beyond, 16,768 in all, a message of 16 KiB fits; and 16 KiB of
 * a stream do not fill a buf, which would be asked whether there is more. More classes
 * are for loops that have both idle crowds and streams: a stream socket begins with
 * the smallest, goes up when it fills a buf and down when it leaves most of them
 * empty; messages, which have to fit, use the largest.
 */
struct soq_pool_options {
	uint32_t size;        /* sizeof(struct soq_pool_options) */
	uint32_t flags;       /* SOQ_POOL_SCRUB */
	uint32_t share;       /* bufs of one socket on loan; default an eighth of all, at least 1 */
	uint32_t class_count; /* 0: one class of 128 bufs */
	struct soq_pool_class classes[SOQ_POOL_CLASSES_MAX]; /* sizes ascending */
	uint64_t reserved[4];                                /* must be 0 */
};

/**
 * A lent buf: what arrived, and an op for whatever is done with it.
 *
 * From the event until it is returned it is the caller's: to read, to write over, to
 * send from. `op` is free for the caller while the buf is on loan: an echo server
 * sends `data` with it and returns the buf in its done().
 */
struct soq_buf {
	struct soq_op op;
	unsigned char *data; /* what arrived */
	size_t size_bytes;   /* 0 for a message of no bytes */

	/* The library's. */
	struct {
		struct soq_pool *pool;
		struct soq_socket *socket;
		struct soq_buf *next;
		unsigned char *memory;
		uint32_t used_bytes;
		uint32_t life;
		uint32_t head_at;
		uint32_t control_bytes;
		uint16_t peer_bytes;
		uint16_t references;
		uint8_t class_index;
		uint8_t state;
		uint8_t truncated;
		uint8_t control_cut;
		uint64_t reserved[2];
	} priv;
};

/**
 * Makes a pool on `loop`: one mapping with guard pages around it, in memory at
 * once, left out of core dumps and of children of fork(). On io_uring the kernel
 * picks from it by itself. Where that cannot be had (RLIMIT_MEMLOCK) the pool is
 * made smaller, and if that does not help the library picks, as it does on epoll;
 * soq_pool_info() tells.
 *
 * Result: 0 and `*pool_out`. `options` may be NULL.
 * Errors: -EINVAL  `loop` or `pool_out` is NULL, `size` is none this library knows,
 *                  unknown flags, sizes that do not ascend or are out of range, a
 *                  share above the number of bufs, a reserved word that is not 0
 *         -ENOSPC  the loop's pools would have more than SOQ_POOL_BUFS_MAX bufs
 *         -ENOMEM  no memory
 *         -ECHILD, -EXDEV  as for every call
 * Owner:  the pool is the caller's; it must be destroyed before the loop.
 * Thread: the loop's.
 * Kernel: a ring of provided buffers for each class (5.19). Fallback: a list; the
 *         buf is taken when there is something to read.
 * .NET:   ArrayPool<byte>.Create
 */
SOQ_API SOQ_MUST_CHECK int soq_pool_create(struct soq_loop *loop,
					   const struct soq_pool_options *options,
					   struct soq_pool **pool_out);

/**
 * Ends a pool nobody uses any more.
 *
 * Result: 0. NULL is a no-op.
 * Errors: -EBUSY  bufs are on loan, wait in undelivered events, or receives that
 *                 use the pool are in flight
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's; any, once the loop's thread has exited and
 *         soq_loop_close_all() has made the loop the caller's.
 */
SOQ_API int soq_pool_destroy(struct soq_pool *pool);

/**
 * What a pool is, and how it fares.
 */
struct soq_pool_info {
	uint32_t size;  /* set by the caller: sizeof(struct soq_pool_info) */
	uint32_t flags; /* SOQ_POOL_* */
	uint32_t share;
	uint32_t class_count;
	struct soq_pool_class classes[SOQ_POOL_CLASSES_MAX]; /* as they are, not as asked for */
	uint32_t bufs_free;                                  /* now: at home */
	uint32_t bufs_lent;                                  /* now: with the caller */
	uint32_t bufs_waiting;    /* now: in events that are not delivered yet */
	uint32_t receivers;       /* now: receives in flight that use the pool */
	uint32_t parked;          /* now: sockets that wait for a buf */
	int32_t registered_error; /* 0: the kernel picks; -ECANCELED on epoll, else why not */
	int32_t fixed_error;      /* 0: pinned for zero-copy sends from it; -EINPROGRESS: there was
				     none yet; -ECANCELED on epoll, else why not */
	uint32_t reserved0;
	uint64_t mapped_bytes;
	uint64_t lends;   /* bufs lent, ever */
	uint64_t returns; /* bufs that came home */
	uint64_t parks;   /* times a socket met an empty pool */
	uint64_t rearms;  /* times one of those was let go on */
	uint64_t pauses;  /* times a socket was stopped by its share */
	uint64_t reserved[6];
};

/**
 * Tells about a pool.
 *
 * Result: 0, and `*info` is filled up to `info->size`.
 * Errors: -EINVAL  NULL, or `info->size` is none this library knows
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 */
SOQ_API int soq_pool_info(struct soq_pool *pool, struct soq_pool_info *info);

/**
 * Starts a receive that is lent a buf of `pool` with its event. With SOQ_MULTISHOT
 * it goes on: each buf comes with an event of its own and SOQ_F_MORE, until the end,
 * an error or a cancel. `deadline_ns` may be moved in done() while more follow.
 *
 * Receiving stops while `share` bufs of the socket are on loan (of whatever pool), and
 * goes on with the next return. What the kernel had taken in by then (on io_uring it
 * may be some bufs more) waits in the library, and the events behind it as well; only an
 * op that was cancelled, or whose deadline came, gets all of it at once, and its end.
 * When the pool is empty the socket waits its turn: no error is told. Whoever holds
 * the share and waits with soq_wait() for more waits for its own return.
 *
 * Result: 0; the event's result is the size of the buf, `event->buf` the loan. On
 *         streams 0 without a buf is the end of stream. On a socket of messages a
 *         message of no bytes is a buf of size 0, and SOQ_F_TRUNCATED says that the
 *         buf was too small (SOCK_SEQPACKET: 0 without a buf is the end).
 * Errors: those of every starting call; flags: SOQ_MULTISHOT
 *         -EINVAL    `pool` is NULL
 *         -EXDEV     the pool is of another loop
 *         -ENOTCONN  no connect was started, or the socket listens
 *         as results: -ECONNRESET, -ECANCELED, -ETIMEDOUT, -ENOMEM (messages only)
 *         and the others of recv(2)
 * Owner:  the buf is the caller's until soq_buf_return(); it outlives the socket.
 *         Bufs in events that were not delivered go home when the socket is closed.
 * Thread: the loop's.
 * Kernel: IORING_OP_RECV, IORING_OP_RECVMSG with a buffer ring, multishot where
 *         the share allows (6.0). Fallback: recvmsg(2) when there is something.
 * .NET:   Socket.ReceiveAsync, PipeReader.ReadAsync
 */
SOQ_API SOQ_MUST_CHECK int soq_recv_buf_async(struct soq_socket *s, struct soq_op *op,
					      struct soq_pool *pool, uint32_t flags);

/**
 * Returns a buf, or one reference to it. With the last it goes home and may be
 * filled again at once: its memory is not the caller's any more.
 *
 * Result: 0.
 * Errors: -EINVAL  NULL
 *         -EBADF   it is at home: it was returned before, and not lent again since
 *         -EBUSY   `buf->op` is in flight, and this is the last reference
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 * .NET:   ArrayPool<byte>.Return, PipeReader.AdvanceTo
 */
SOQ_API int soq_buf_return(struct soq_buf *buf);

/**
 * Adds a reference: the buf goes home when each one is returned.
 *
 * Result: 0.
 * Errors: -EINVAL     NULL
 *         -EBADF      it is not on loan
 *         -EOVERFLOW  65,535 references are the limit
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 */
SOQ_API int soq_buf_retain(struct soq_buf *buf);

/**
 * Narrows a buf to `size_bytes` from `offset_bytes` of what it shows now: past a
 * header that was read, or to one message of several.
 *
 * Result: 0; `data` and `size_bytes` of the buf are the part.
 * Errors: -EINVAL  NULL, or the part is not inside
 *         -EBADF   it is not on loan
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 * .NET:   Memory<byte>.Slice
 */
SOQ_API int soq_buf_slice(struct soq_buf *buf, size_t offset_bytes, size_t size_bytes);

/**
 * Who sent the message in a buf: the sender, or "none" (size_bytes 0) for an unnamed
 * unix socket and on streams.
 *
 * Result: 0 and `*ep_out`.
 * Errors: -EINVAL  NULL
 *         -EBADF   it is not on loan
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 * .NET:   SocketAsyncEventArgs.RemoteEndPoint
 */
SOQ_API int soq_buf_peer(const struct soq_buf *buf, struct soq_endpoint *ep_out);

/**
 * What else is known of the message in a buf: `message_out->peer`, and by the bits of
 * `message_out->info` what soq_socket_set_message_info() has asked for. With
 * SOQ_INFO_SEGMENTS the buf holds several datagrams, each of `segment_size_bytes` but
 * the last. `flags` and `length_bytes` are written too; `segments` is left alone. On
 * streams nothing is known.
 *
 * Result: 0 and `*message_out`, whose `size` the caller has set.
 * Errors: -EINVAL  NULL, or `message_out->size` is none this library knows
 *         -EBADF   it is not on loan
 *         -ECHILD, -EXDEV  as for every call
 * Thread: the loop's.
 * .NET:   SocketAsyncEventArgs.ReceiveMessageFromPacketInfo
 */
SOQ_API int soq_buf_message(const struct soq_buf *buf, struct soq_message *message_out);

/* The buf whose `op` this is: for the done() of that op. */
static inline struct soq_buf *soq_buf_of(struct soq_op *op)
{
	return (struct soq_buf *)(void *)op;
}

#ifdef __cplusplus
}
#endif

#endif
