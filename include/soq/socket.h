/* SPDX-License-Identifier: MIT */
/* Sockets: open, bind, listen, and the ways to close; accept.h and connect.h come with it. */
#ifndef SOQ_SOCKET_H
#define SOQ_SOCKET_H

#include <soq/accept.h>
#include <soq/base.h>
#include <soq/connect.h>
#include <soq/endpoint.h>
#include <soq/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A socket has two lanes, each a queue of ops that run one after another: the
 * receive lane (receive, accept) and the send lane (connect, send, shutdown).
 *
 * Synchronous calls are a start and a wait on the same core: they take their
 * place behind what was started before, other ops make progress meanwhile, and no
 * done() runs. They wait as long as the socket's timeouts say (for ever at
 * first). One that ends early after bytes had moved returns their count; the
 * next synchronous call on that lane returns the cause.
 *
 * A handle whose socket is closed answers -EBADF until its memory is used for
 * another socket: oldest first, and never in debug builds.
 *
 * A socket opened or adopted with no loop is detached: its synchronous calls are
 * plain blocking ones, with the same results, errors and timeouts, and any thread
 * may make them, several at once, as POSIX knows it (send in one thread, receive in
 * another). It is in no lane, so its calls keep no order among threads; two sends
 * may interleave. Its handle is dead when it is closed, like a FILE *. An
 * asynchronous call on it is -EINVAL.
 */

/*
 * Flags of the calls that start something, and of their synchronous twins. Each call says
 * which it takes; another is -EINVAL.
 *
 * SOQ_URGENT, on streams. TCP has urgent bytes, "out of band": of a send it is the last,
 * and the peer's receives stop in front of it (soq_socket_at_mark()). The send keeps its
 * place in the lane and is a call of its own; not with SOQ_ZEROCOPY. A receive asks for the
 * urgent byte alone, and is not one of the stream's: it is in no lane, waits behind nothing
 * (an armed multishot neither) and for nothing, and ends at once: with 1 and that byte,
 * with 0 at the end of the connection, or with -EINVAL where there is none, or none yet, or
 * it was taken, or SO_OOBINLINE has left it in the stream. SOQ_POLL_URGENT says when to
 * ask. With SOQ_PEEK it stays; not with SOQ_EXACT. A second urgent byte takes the place of one
 * that was not received; and a receive of the stream that comes to where it is passes over
 * it, as recv(2) does: one that waits there too, on io_uring. So ask before receiving on,
 * have no receive in flight where urgent bytes matter, or set SO_OOBINLINE. Unix streams
 * have it from Linux 5.15 on, if the kernel was built so, else a send ends with -EOPNOTSUPP;
 * MPTCP never: -EOPNOTSUPP from the start.
 * .NET: SocketFlags.OutOfBand
 *
 * SOQ_DONT_ROUTE: a datagram goes to who is on a network of this machine's, not by a
 * gateway: else -ENETUNREACH. TCP has found its way when it connected (SO_DONTROUTE goes
 * before that), and unix sockets have none: it changes nothing there.
 * .NET: SocketFlags.DontRoute
 *
 * SOQ_NOWAIT, of synchronous sends and receives of every kind, whatever the socket's
 * timeouts: what can be done now is done. The result is its count, or -EAGAIN if that is
 * nothing; what is left is the caller's, and the next call is not told of it. It keeps its
 * place behind the ops of its lane: with one before it that cannot end now, nothing can be
 * done. Asynchronous calls never wait: -EINVAL.
 * .NET: Blocking = false, SocketError.WouldBlock
 */
#define SOQ_MULTISHOT  (1u << 0)  /* accept, poll, receive into bufs: stay armed; many events */
#define SOQ_EXACT      (1u << 1)  /* receive: all of the bytes asked for, or the end of stream */
#define SOQ_PEEK       (1u << 2)  /* receive: leave the bytes in the socket */
#define SOQ_CORK       (1u << 3)  /* send: more follows soon, do not push a short segment yet */
#define SOQ_ZEROCOPY   (1u << 4)  /* send: from the caller's memory, told when that is free again */
#define SOQ_LAZY       (1u << 5)  /* send: its event may wait for the next news of the loop */
#define SOQ_URGENT     (1u << 6)  /* send: the last byte is urgent; receive: the urgent byte */
#define SOQ_DONT_ROUTE (1u << 7)  /* send: to a network of this machine's, by no gateway */
#define SOQ_NOWAIT     (1u << 8)  /* synchronous: what can be done now, or -EAGAIN */
#define SOQ_FAST_OPEN  (1u << 9)  /* connect with data: in the first packet, where that can be */
#define SOQ_REUSE      (1u << 10) /* disconnect: the socket can connect again */

/* Directions of soq_shutdown(). */
#define SOQ_SHUTDOWN_RECV 0
#define SOQ_SHUTDOWN_SEND 1
#define SOQ_SHUTDOWN_BOTH 2

/**
 * Opens a socket on a loop, or a detached one if `loop` is NULL. Its descriptor is
 * close-on-exec from birth. What family, type and protocol there are is the
 * kernel's to say: TCP, UDP and unix sockets of every type, ping, raw and packet sockets
 * are what soq is tested with; others are carried as they are.
 *
 * Family 0 is both of IPv6 and IPv4: a socket of AF_INET6 that takes IPv4 too, to which
 * IPv4 addresses are mapped ones (soq_endpoint_to_ipv6()), or one of AF_INET where the
 * system has no IPv6; soq_socket_info() tells which. For streams and SOCK_DGRAM.
 *
 * Protocol IPPROTO_MPTCP is TCP over several paths, and like it but for urgent bytes. A
 * kernel may be without it: ask soq_supports(), and open with 0 instead.
 *
 * Result: 0 and `*s_out`; on failure `*s_out` is untouched.
 * Errors: -EINVAL           `s_out` is NULL, or flags in `type`
 *         -EAFNOSUPPORT     no such family here
 *         -ESOCKTNOSUPPORT  the family has no such type
 *         -EPROTONOSUPPORT  they have no such protocol
 *         -EPERM, -EACCES   not allowed (raw, packet and ping sockets)
 *         -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS  none left
 *         -ECHILD, -EXDEV   as for every call; else what socket(2) says
 * Owner:  close it with one of the calls below.
 * Thread: the loop's; any, with no loop.
 * .NET:   Socket(AddressFamily, SocketType, ProtocolType), Socket(SocketType, ProtocolType),
 *         AddressFamily, SocketType, ProtocolType
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_open(struct soq_loop *loop, int family, int type,
					   int protocol, struct soq_socket **s_out);

/**
 * Asks whether soq_socket_open() would open such a socket here, by opening one and closing
 * it again: of AF_INET6, say, with SOCK_STREAM and 0.
 *
 * Result: 1 if it would, 0 if the kernel has no such family, type or protocol.
 * Errors: -EINVAL          flags in `type`
 *         -EPERM, -EACCES  the kernel has it, and this process may not
 *         -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS  it could not be asked; else what
 *                          socket(2) says
 * Thread: any.
 * .NET:   Socket.OSSupportsIPv4, Socket.OSSupportsIPv6, Socket.OSSupportsUnixDomainSockets
 */
SOQ_API SOQ_MUST_CHECK int soq_supports(int family, int type, int protocol);

/**
 * Takes over a descriptor made elsewhere, onto a loop or detached. What the socket
 * is gets read back: family, type, protocol, whether it listens or is connected, its
 * linger time (the longest there is where it is longer) and its timeouts. It becomes
 * close-on-exec.
 *
 * Result: 0 and `*s_out`; on failure `*s_out` is untouched and the descriptor is
 *         still the caller's, as it was.
 * Errors: -EINVAL    `s_out` is NULL
 *         -EBADF     no such descriptor
 *         -ENOTSOCK  it is no socket
 *         -ENOMEM    no memory
 *         -EACCES    the loop's policy refuses its peer or its local address
 *         -ECHILD, -EXDEV  as for every call
 * Owner:  the descriptor is the library's; soq_socket_release() gives it back.
 * Thread: the loop's; any, with no loop.
 * .NET:   Socket(SafeSocketHandle), SafeSocketHandle
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_adopt(struct soq_loop *loop, int fd,
					    struct soq_socket **s_out);

/**
 * Gives the descriptor of a quiet socket to the caller. The handle is dead. The
 * descriptor is blocking if soq opened it, else as it was when it was adopted, and
 * has the linger time it had here.
 *
 * Result: the descriptor, the caller's from then on.
 * Errors: -EINVAL  NULL
 *         -EBUSY   ops are in flight, accepted sockets wait, or another thread is
 *                  inside a call
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SafeHandle, Socket.Handle, SafeSocketHandle
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_release(struct soq_socket *s);

/**
 * Takes a quiet socket off its loop: a new, detached handle in place of the old
 * one, which is dead. What the socket knew stays: its connection error, its user
 * word, its timeouts.
 *
 * Result: 0 and `*s_out`; on failure everything is as it was.
 * Errors: -EINVAL  NULL, or it is detached
 *         -EBUSY   ops are in flight, or accepted sockets wait
 *         -ENOMEM  no memory
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Thread: the loop's.
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_detach(struct soq_socket *s, struct soq_socket **s_out);

/**
 * Puts a detached socket that no thread uses onto a loop: a new handle in place of
 * the old one, which is dead.
 *
 * Result: 0 and `*s_out`; on failure everything is as it was.
 * Errors: -EINVAL  NULL, or it is not detached
 *         -EBUSY   a thread is inside a call
 *         -ENOMEM  no memory
 *         -EACCES  the loop's policy refuses its peer or its local address, or does not
 *                  have all that the socket's own demands
 *         -ECHILD, -EXDEV  as for every call, of the loop
 * Thread: the loop's.
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_attach(struct soq_loop *loop, struct soq_socket *s,
					     struct soq_socket **s_out);

/* Where a socket is in its life. */
enum soq_socket_state {
	SOQ_STATE_FRESH = 0,      /* neither listens nor is connected */
	SOQ_STATE_LISTENING = 1,  /* accepts */
	SOQ_STATE_CONNECTING = 2, /* a connect is in flight */
	SOQ_STATE_CONNECTED = 3,  /* has, or had, a peer */
	SOQ_STATE_CUT = 4,        /* a connect was cut short: only closing is left */
};

/**
 * What a socket is.
 */
struct soq_socket_info {
	uint32_t size;     /* set by the caller: sizeof(struct soq_socket_info) */
	int32_t family;    /* AF_* */
	int32_t type;      /* SOCK_* */
	int32_t protocol;  /* IPPROTO_*, 0 where the family has none */
	uint32_t state;    /* enum soq_socket_state, as the library knows it: no probe */
	uint32_t detached; /* 1 if it is on no loop */
	int32_t error;     /* the connection error that was kept, 0 if none */
	/* 1 if it has a local address: from a bind, or from what could not do without. */
	uint32_t bound;
	/* What soq_socket_set_timeouts() has set; -1 for ever. */
	int64_t receive_timeout_ns;
	int64_t send_timeout_ns;
	/* Of a detached socket with a policy: as in struct soq_loop_stats. */
	uint32_t policy_refusals;
	uint32_t last_refused_rule;
	uint64_t reserved[1];
};

/**
 * Tells what a socket is. The kernel is asked for `bound` alone: a listen, a connect
 * and a send of a datagram give the socket an address where it has none. A unix socket
 * has one by a bind alone.
 *
 * Result: 0, and `*info` is filled up to `info->size`.
 * Errors: -EINVAL  NULL, or `info->size` is none this library knows
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Thread: the loop's; any, on a detached socket.
 * Kernel: getsockname(2). Fallback: the same.
 * .NET:   Socket.AddressFamily, Socket.SocketType, Socket.ProtocolType, Socket.Connected,
 *         Socket.IsBound, Socket.ReceiveTimeout, Socket.SendTimeout
 */
SOQ_API int soq_socket_info(struct soq_socket *s, struct soq_socket_info *info);

/**
 * Gives the socket its local address; port 0 lets the system choose one. TCP
 * listeners may be bound again at once while old connections fade
 * (SO_REUSEADDR, unless the program has set that itself); two live listeners on one
 * address are refused.
 *
 * A unix path is made by this call and removed when this socket is closed, unless
 * something else has taken its place by then; a socket that is released leaves it.
 * It is made for its owner alone (0600, less what the umask takes): a listener that
 * others shall reach widens it afterwards by chmod(2). Abstract names have no
 * permissions: soq_socket_peer_credentials() tells who has come.
 *
 * Result: 0.
 * Errors: -EINVAL        NULL, "none", or the socket has an address already
 *         -EADDRINUSE    the address is taken; a unix path exists, even a stale one
 *         -EADDRNOTAVAIL it is none of this machine
 *         -EAFNOSUPPORT  it is of another family than the socket
 *         -ENOMEM        no memory (a unix path)
 *         -EPERM         an adopted descriptor that another user has made, and a unix path
 *         -EACCES        a policy refuses it
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what bind(2) says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Bind
 */
SOQ_API SOQ_MUST_CHECK int soq_bind(struct soq_socket *s, const struct soq_endpoint *ep);

/**
 * Lets the socket accept connections; at most `backlog` wait in the kernel (0 or
 * less: the system's maximum).
 *
 * Result: 0.
 * Errors: -EINVAL      NULL
 *         -EISCONN     the socket is connected or connecting
 *         -EADDRINUSE  another socket listens there
 *         -EACCES      it has no address, and a policy refuses the one it would get
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what listen(2) says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Listen
 */
SOQ_API SOQ_MUST_CHECK int soq_listen(struct soq_socket *s, int backlog);

/**
 * The address the socket is bound to, as the kernel has it now. Before it is bound that
 * is the wildcard, port 0, or a unix socket's empty name. A socket bound to the wildcard
 * stays so, as a listener and when it sends datagrams; a connect makes it the address
 * it is reached at, on the same port, and an accepted socket has that from the first.
 *
 * Result: 0 and `*ep_out`; on failure `*ep_out` is untouched.
 * Errors: -EINVAL  NULL; -ECHILD, -EXDEV, -EBADF as for every call
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.LocalEndPoint, Socket.IsBound
 */
SOQ_API int soq_socket_local(struct soq_socket *s, struct soq_endpoint *ep_out);

/**
 * The address the socket is connected to.
 *
 * Result: 0 and `*ep_out`; on failure `*ep_out` is untouched.
 * Errors: -EINVAL    NULL
 *         -ENOTCONN  it is not connected, or no longer
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.RemoteEndPoint
 */
SOQ_API int soq_socket_peer(struct soq_socket *s, struct soq_endpoint *ep_out);

/**
 * Who is at the other end of a unix socket.
 */
struct soq_credentials {
	uint32_t size; /* set by the caller: sizeof(struct soq_credentials) */
	int32_t pid;   /* 0: not of our namespace */
	uint32_t uid;
	uint32_t gid;
	uint64_t reserved[4];
};

/**
 * Tells which process has made the connection, or listens at its other end, as it was
 * when it did so: it may have changed its user, handed the socket on, or ended since,
 * and the number may be another process's by now. The kernel vouches for it.
 *
 * Result: 0, and `*credentials` is filled up to `credentials->size`.
 * Errors: -EINVAL      NULL, or `credentials->size` is none this library knows
 *         -EOPNOTSUPP  it is no unix socket, or one of datagrams, whose peer the
 *                      kernel does not know: see SOQ_INFO_CREDENTIALS
 *         -ENOTCONN    it is not connected
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Thread: the loop's; any, on a detached socket.
 * Kernel: SO_PEERCRED. Fallback: the same.
 * .NET:   Socket.GetRawSocketOption
 */
SOQ_API int soq_socket_peer_credentials(struct soq_socket *s, struct soq_credentials *credentials);

/**
 * The loop a socket is on.
 *
 * Result: the loop, or NULL for NULL, closed and detached handles.
 * Thread: the loop's.
 */
SOQ_API struct soq_loop *soq_socket_loop(const struct soq_socket *s);

/**
 * A word of the caller's, kept with the socket: NULL at first, NULL again once
 * it is closed.
 *
 * Result: soq_socket_user(): the word. soq_socket_set_user(): 0.
 * Errors: -EINVAL NULL; -ECHILD, -EXDEV, -EBADF as for every call
 * Thread: the loop's.
 */
SOQ_API void *soq_socket_user(const struct soq_socket *s);
SOQ_API int soq_socket_set_user(struct soq_socket *s, void *user);

/**
 * How long synchronous calls wait: `receive_ns` for receive and accept, `send_ns`
 * for connect, send and shutdown. Negative is for ever; 0 does not wait.
 * Asynchronous ops are bounded by `deadline_ns` instead. soq_socket_info() tells them.
 *
 * Result: 0.
 * Errors: -EINVAL NULL; -ECHILD, -EXDEV, -EBADF as for every call
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.ReceiveTimeout, Socket.SendTimeout
 */
SOQ_API int soq_socket_set_timeouts(struct soq_socket *s, int64_t receive_ns, int64_t send_ns);

/**
 * Starts a shutdown: RECV ends receiving at once; SEND and BOTH take their place
 * behind the sends already started, so nothing of them is cut. Sends started
 * after it: -EPIPE.
 *
 * Result: 0; the event's result is 0.
 * Errors: those of every starting call
 *         -EINVAL    unknown `how`
 *         -ENOTCONN  no connect was started
 *         as results: -ENOTCONN, -ECANCELED (also behind a send that ended short),
 *         or the error of a connection that broke before its turn
 * Thread: the loop's.
 * .NET:   Socket.Shutdown, SocketShutdown
 */
SOQ_API SOQ_MUST_CHECK int soq_shutdown_async(struct soq_socket *s, struct soq_op *op, int how);

/**
 * Shuts down and waits until the sends before it are out.
 *
 * Result: 0.
 * Errors: what soq_shutdown_async() returns, or its event's result; -ETIMEDOUT
 *         when the socket's send timeout passed
 * Thread: the loop's; any, on a detached socket: it wakes who is inside a call. A
 *         detached listener, a connect under way and a datagram socket with no peer
 *         may be shut for that alone: who is inside gets -ECANCELED, and only closing
 *         is left.
 * .NET:   Socket.Shutdown, SocketShutdown
 */
SOQ_API int soq_shutdown(struct soq_socket *s, int how);

/**
 * Closes the socket. The handle is dead at once; pending ops get -ECANCELED,
 * queued sends are dropped, accepted sockets that were not delivered are
 * aborted. If bytes of a send were dropped or cut, or received bytes were never
 * read, the peer gets a reset, else an end of stream. The descriptor is closed as
 * soon as the kernel has let go of it, at the latest in the turns that end the
 * pending ops.
 *
 * With a positive SO_LINGER the close goes on in the background as
 * soq_finish_async() does: sends already started go out. It never blocks, unless
 * the socket is detached: then it lingers as close(2) does, until a signal, or work
 * of a ring the thread owns, ends the wait.
 *
 * Result: 0.
 * Errors: -EINVAL  NULL
 *         -EBUSY   another thread is inside a call of a detached socket:
 *                  soq_shutdown() wakes it
 *         -ECHILD, -EXDEV, -EBADF  as for every call
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Close, Socket.Dispose
 */
SOQ_API int soq_close(struct soq_socket *s);

/**
 * Closes as soq_close() does and tells when it is done: its event is the last of
 * this socket, and only it promises that the address is free again. It cannot be
 * cancelled, except while it lingers: then a cancel aborts. `deadline_ns` does not
 * apply. Memory of zero-copy sends that is not free yet keeps this event waiting, not
 * the descriptor: the final events of those sends come first.
 *
 * Result: 0; the event's result is 0 or, with a positive SO_LINGER, that of
 *         soq_finish_async().
 * Errors: those of every starting call
 * Thread: the loop's.
 * .NET:   Socket.Close
 */
SOQ_API SOQ_MUST_CHECK int soq_close_async(struct soq_socket *s, struct soq_op *op);

/**
 * Closes in good order: lets the sends already started go out, shuts the send
 * side, reads until the peer has ended too, and closes (on SOCK_DGRAM and SOCK_RAW:
 * lets the sends go out and closes). The handle is dead at
 * once and pending receives get -ECANCELED. At the timeout (negative: never), or
 * when it is cancelled, it aborts. `deadline_ns` does not apply.
 *
 * Result: 0; the event's result is 0, or why it was not in good order:
 *         -ETIMEDOUT, -ECANCELED, -ECONNRESET …; the socket is closed either way,
 *         and it is the last event of this socket.
 * Errors: those of every starting call
 * Thread: the loop's.
 * .NET:   Socket.Close(int)
 */
SOQ_API SOQ_MUST_CHECK int soq_finish_async(struct soq_socket *s, struct soq_op *op,
					    int64_t timeout_ns);

/**
 * Closes in good order and waits for it.
 *
 * Result: 0, or why it was not in good order; the socket is closed either way.
 * Errors: -EINVAL NULL; -ECHILD, -EXDEV, -EBADF as for every call; results of
 *         soq_finish_async()
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Close(int)
 */
SOQ_API int soq_finish(struct soq_socket *s, int64_t timeout_ns);

/**
 * Closes as soq_close() does, always with a reset, whatever SO_LINGER says.
 *
 * Result: 0.
 * Errors: -EINVAL NULL; -ECHILD, -EXDEV, -EBADF as for every call
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.Close(int)
 */
SOQ_API int soq_abort(struct soq_socket *s);

#ifdef __cplusplus
}
#endif

#endif
