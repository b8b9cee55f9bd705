/* SPDX-License-Identifier: MIT */
/* Options of a socket. */
#ifndef SOQ_OPTION_H
#define SOQ_OPTION_H

#include <soq/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Options by name: a number each, checked before the kernel sees it. What the kernel
 * counts in seconds, milliseconds or microseconds is in nanoseconds here, as every time
 * is, and has to be a whole number of those; what is on or off is 1 or 0.
 *
 * What is read is what was set, but for what the kernel makes of it on its own; where
 * it does, it says so below. Values of a socket that nobody has set are the kernel's.
 *
 * An IPv6 socket may carry IPv4 as well. Options that both have are set for both then,
 * and read from IPv6; one of 1 or 0 reads as 1 if it is so in both.
 */
enum soq_option {
	/* Read only, of every socket. */
	SOQ_OPTION_FAMILY = 1,    /* AF_* (SO_DOMAIN) */
	SOQ_OPTION_TYPE = 2,      /* SOCK_* (SO_TYPE) */
	SOQ_OPTION_PROTOCOL = 3,  /* IPPROTO_*; 0 where there is none (SO_PROTOCOL) */
	SOQ_OPTION_LISTENING = 4, /* 1 if it accepts (SO_ACCEPTCONN) */
	/* What soq_socket_take_error() tells: a negative errno, or 0 (SO_ERROR). */
	SOQ_OPTION_ERROR = 5,

	/* Of every socket. The kernel keeps twice what is set, and reads so; it has limits. */
	SOQ_OPTION_RECEIVE_BUFFER_BYTES = 6, /* 0 to 2^31 - 1 (SO_RCVBUF) */
	SOQ_OPTION_SEND_BUFFER_BYTES = 7,    /* 0 to 2^31 - 1 (SO_SNDBUF) */

	/* Of connections: -1 off, 0 a reset, else whole s, 1 to 65535 (SO_LINGER). */
	SOQ_OPTION_LINGER_NS = 8,

	/* Of IPv4 and IPv6: who else may have the address. */
	SOQ_OPTION_REUSE_ADDRESS = 9, /* TCP: a bind sets it, unless it was set (SO_REUSEADDR) */
	SOQ_OPTION_REUSE_PORT = 10,   /* all that have it share the traffic (SO_REUSEPORT) */
	SOQ_OPTION_EXCLUSIVE = 11,    /* 1 at first: nobody; see soq_socket_set_option() */

	/* Of all but unix sockets. */
	SOQ_OPTION_PRIORITY = 12,           /* 0 to 6; more with CAP_NET_ADMIN (SO_PRIORITY) */
	SOQ_OPTION_MARK = 13,               /* 0 to 2^32 - 1; CAP_NET_ADMIN or _RAW (SO_MARK) */
	SOQ_OPTION_INCOMING_CPU = 14,       /* its number; -1 none (SO_INCOMING_CPU) */
	SOQ_OPTION_BUSY_POLL_NS = 15,       /* whole us; more takes CAP_NET_ADMIN (SO_BUSY_POLL) */
	SOQ_OPTION_PACING_BYTES_PER_S = 16, /* at most; -1 no limit (SO_MAX_PACING_RATE) */
	/* An interface's number, 0 none (SO_BINDTOIFINDEX); its name as text (SO_BINDTODEVICE). */
	SOQ_OPTION_DEVICE = 17,

	/* Of TCP and UDP; soq needs it for nothing (SO_ZEROCOPY). */
	SOQ_OPTION_ZEROCOPY = 18,
	/* Of datagrams over IPv4 and IPv6. */
	SOQ_OPTION_BROADCAST = 19,  /* sends to a broadcast address are allowed (SO_BROADCAST) */
	SOQ_OPTION_TIMESTAMPS = 20, /* the switch of SOQ_INFO_TIME (SO_TIMESTAMPNS) */

	/* Of TCP. */
	SOQ_OPTION_NO_DELAY = 21,           /* (TCP_NODELAY) */
	SOQ_OPTION_CORK = 22,               /* only full segments (TCP_CORK) */
	SOQ_OPTION_QUICK_ACK = 23,          /* until the kernel changes its mind (TCP_QUICKACK) */
	SOQ_OPTION_KEEP_ALIVE = 24,         /* (SO_KEEPALIVE) */
	SOQ_OPTION_KEEP_ALIVE_TIME_NS = 25, /* whole s, 1 to 32767 (TCP_KEEPIDLE) */
	SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS = 26, /* whole s, 1 to 32767 (TCP_KEEPINTVL) */
	SOQ_OPTION_KEEP_ALIVE_COUNT = 27,       /* 1 to 127 (TCP_KEEPCNT) */
	SOQ_OPTION_USER_TIMEOUT_NS = 28,        /* whole ms; 0 the system's (TCP_USER_TIMEOUT) */
	/* 88 to 32767. A connection reads what it has come to (TCP_MAXSEG). */
	SOQ_OPTION_MAX_SEGMENT_BYTES = 29,
	/* Whole s, up to 29887; the kernel rounds up to 1, 3, 7, ... s (TCP_DEFER_ACCEPT). */
	SOQ_OPTION_DEFER_ACCEPT_NS = 30,
	SOQ_OPTION_NOT_SENT_LOW_WATER_BYTES = 31, /* 0 the system's (TCP_NOTSENT_LOWAT) */
	/* Of a listener: how many may wait; cut to net.core.somaxconn (TCP_FASTOPEN). */
	SOQ_OPTION_FAST_OPEN_QUEUE = 32,
	/* A connect may end before anything is sent, and the first send tell its error. */
	SOQ_OPTION_FAST_OPEN_CONNECT = 33,  /* (TCP_FASTOPEN_CONNECT) */
	SOQ_OPTION_CONGESTION_CONTROL = 34, /* text (TCP_CONGESTION) */

	/* Of IPv4 and IPv6. */
	SOQ_OPTION_TTL = 35,  /* 1 to 255: time to live, hop limit (IP_TTL, IPV6_UNICAST_HOPS) */
	SOQ_OPTION_DSCP = 36, /* 0 to 63: class of service (six bits of IP_TOS, IPV6_TCLASS) */
	SOQ_OPTION_ECN = 37,  /* 0 to 3: datagrams' congestion mark (the other two) */
	/* 1: never cut on the way, 0: cut where needed (IP_PMTUDISC_DO, IP_PMTUDISC_DONT). */
	SOQ_OPTION_DONT_FRAGMENT = 38,
	SOQ_OPTION_MTU_DISCOVERY = 39, /* IP_PMTUDISC_*, 0 to 5 (IP_MTU_DISCOVER) */
	SOQ_OPTION_MTU_BYTES = 40,     /* read only: of the path to the peer (IP_MTU) */
	SOQ_OPTION_TRANSPARENT = 41, /* foreign addresses; CAP_NET_ADMIN or _RAW (IP_TRANSPARENT) */
	SOQ_OPTION_FREE_BIND = 42,   /* to addresses that are not here yet (IP_FREEBIND) */
	/* A bind to port 0 leaves the choice to the connect (IP_BIND_ADDRESS_NO_PORT). */
	SOQ_OPTION_BIND_NO_PORT = 43,
	/* Of IPv6: 1 no IPv4; before the bind (IPV6_V6ONLY). */
	SOQ_OPTION_IPV6_ONLY = 44,

	/* Of datagrams over IPv4 and IPv6: see multicast.h. */
	/* By number, what sends leave by; 0 the system's choice (IP_MULTICAST_IF). */
	SOQ_OPTION_MULTICAST_INTERFACE = 45,
	SOQ_OPTION_MULTICAST_TTL = 46,      /* 0 to 255, 1 at first: how far sends go */
	SOQ_OPTION_MULTICAST_LOOPBACK = 47, /* 1 at first: sends reach this machine too */
	SOQ_OPTION_MULTICAST_ALL = 48,      /* 1 at first: also of groups that others have joined */

	/*
	 * Of TCP: what waits to receive, and a poll, goes on only when so many are there, or
	 * the end, even if it asked for fewer. 1 to 2^31 - 1; the kernel limits it to half of
	 * the greatest buffer (SO_RCVLOWAT).
	 */
	SOQ_OPTION_RECEIVE_LOW_WATER_BYTES = 49,
	SOQ_OPTION_URGENT_INLINE = 50, /* of TCP: urgent data stands in the stream (SO_OOBINLINE) */
	/* Of IPv4 and IPv6: only to hosts of the networks this machine is on (SO_DONTROUTE). */
	SOQ_OPTION_DONT_ROUTE = 51,
	/* Of SOCK_RAW: sends begin with their IP header (IP_HDRINCL, IPV6_HDRINCL). */
	SOQ_OPTION_HEADER_INCLUDED = 52,
	SOQ_OPTION_NO_CHECKSUM = 53, /* of UDP: sends over IPv4 have none (SO_NO_CHECK) */
	/* Of datagrams over IPv4 and IPv6: what soq_recv_error() takes is kept (IP_RECVERR). */
	SOQ_OPTION_ERROR_REPORTS = 54,
};

/* Enough for every text of an option, the closing NUL included. */
#define SOQ_OPTION_TEXT_MAX 16

/**
 * Sets an option to a value: see enum soq_option.
 *
 * Whether the socket is one that the option is for is decided here, by its family,
 * type and protocol, and so the same on every kernel. SOQ_OPTION_EXCLUSIVE at 0 is
 * SOQ_OPTION_REUSE_PORT at 1, and on datagram sockets SOQ_OPTION_REUSE_ADDRESS at 1 too;
 * each of those makes it 0. On TCP SOQ_OPTION_REUSE_ADDRESS lets nobody share a
 * live listener's address. SOQ_OPTION_MULTICAST_INTERFACE of an IPv4 socket the kernel
 * does not tell: it reads as what was set here.
 *
 * Coming from .NET: ReuseAddress shares the port as well there, here each is its own.
 * DualMode is the opposite of SOQ_OPTION_IPV6_ONLY.
 *
 * Result: 0.
 * Errors: -EINVAL      NULL, no such option, one that has a text alone, or a time that
 *                      is no whole number of the kernel's units; or the kernel finds the
 *                      socket in the wrong state
 *         -EOPNOTSUPP  the option is not for such a socket
 *         -ENOPROTOOPT it can only be read, or this kernel has none
 *         -ERANGE      the value is outside what the option can have
 *         -EPERM       it takes a capability
 *         -ENODEV      there is no such interface (SOQ_OPTION_MULTICAST_INTERFACE only)
 *         -ENOMEM      no memory (SOQ_OPTION_LINGER_NS only)
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SetSocketOption, SocketOptionName, SocketOptionLevel, Socket.NoDelay,
 *         Socket.LingerState, LingerOption, Socket.ReceiveBufferSize, Socket.SendBufferSize,
 *         Socket.Ttl, Socket.DontFragment, Socket.MulticastLoopback, Socket.EnableBroadcast,
 *         Socket.ExclusiveAddressUse, Socket.DualMode
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_set_option(struct soq_socket *s, enum soq_option option,
						 int64_t value);

/**
 * Reads an option.
 *
 * SOQ_OPTION_ERROR takes the error out of the kernel. The library keeps it if it ends
 * the connection: later operations have it, as if one of them had met it. While a
 * connect is in flight it is 0: the connect tells its own.
 *
 * Result: 0 and `*value_out`; on failure `*value_out` is untouched.
 * Errors: -EINVAL      NULL, no such option, or one that has a text alone
 *         -EOPNOTSUPP  the option is not for such a socket
 *         -ENOPROTOOPT this kernel has none
 *         -ENOTCONN    there is no path yet (SOQ_OPTION_MTU_BYTES only)
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what getsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.GetSocketOption, SocketOptionName, SocketOptionLevel, Socket.NoDelay,
 *         Socket.LingerState, LingerOption, Socket.ReceiveBufferSize, Socket.SendBufferSize,
 *         Socket.Ttl, Socket.DontFragment, Socket.MulticastLoopback, Socket.EnableBroadcast,
 *         Socket.ExclusiveAddressUse, Socket.DualMode
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_get_option(struct soq_socket *s, enum soq_option option,
						 int64_t *value_out);

/**
 * Sets an option that has a text: SOQ_OPTION_DEVICE, where "" is none, and
 * SOQ_OPTION_CONGESTION_CONTROL.
 *
 * Result: 0.
 * Errors: -EINVAL        NULL, no such option, or one without a text
 *         -EOPNOTSUPP    the option is not for such a socket
 *         -ENAMETOOLONG  the text is above 15 bytes
 *         -ENODEV        there is no such interface
 *         -ENOENT        there is no such congestion control, or its name is empty
 *         -EPERM         it takes a capability
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SetRawSocketOption
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_set_option_text(struct soq_socket *s, enum soq_option option,
						      const char *text);

/**
 * Reads an option that has a text.
 *
 * Result: the length of the text without its NUL; on failure `text` is untouched.
 * Errors: -EINVAL      NULL, no such option, or one without a text
 *         -EOPNOTSUPP  the option is not for such a socket
 *         -ENOSPC      `size_bytes` is too small (SOQ_OPTION_TEXT_MAX suffices)
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what getsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.GetRawSocketOption
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_get_option_text(struct soq_socket *s, enum soq_option option,
						      char *text, size_t size_bytes);

/**
 * What TCP knows of a connection, a listener or a socket that is neither yet. What a
 * kernel does not tell is 0.
 */
struct soq_tcp_info {
	uint32_t size;                   /* set by the caller: sizeof(struct soq_tcp_info) */
	uint32_t state;                  /* TCP_ESTABLISHED and the others of <netinet/tcp.h> */
	int64_t rtt_ns;                  /* the round trip, smoothed */
	int64_t rtt_variation_ns;        /* and how far it goes from that */
	int64_t rtt_min_ns;              /* the shortest of late */
	int64_t retransmit_timeout_ns;   /* what is not acknowledged is sent again after this */
	int64_t since_send_ns;           /* since data was sent */
	int64_t since_receive_ns;        /* since data came */
	uint64_t sent_bytes;             /* all that was sent, more than once counted so */
	uint64_t retransmitted_bytes;    /* of these, sent again */
	uint64_t acked_bytes;            /* the peer has acknowledged */
	uint64_t received_bytes;         /* came, in order */
	uint64_t not_sent_bytes;         /* wait to be sent */
	uint64_t delivery_bytes_per_s;   /* the rate at which the peer got them of late */
	uint64_t pacing_bytes_per_s;     /* the rate at which they are sent; all bits: no limit */
	uint32_t segment_bytes;          /* the largest that is sent */
	uint32_t mtu_bytes;              /* of the path */
	uint32_t window_segments;        /* congestion window */
	uint32_t threshold_segments;     /* up to which it grows fast */
	uint32_t unacked_segments;       /* on their way; of a listener: waiting to be accepted */
	uint32_t lost_segments;          /* of these, taken for lost */
	uint32_t retransmitted_segments; /* sent again, ever */
	uint32_t retransmit_count;       /* in a row, of the oldest segment, now */
	uint64_t reserved[8];
};

/**
 * Tells what TCP knows of a connection.
 *
 * Result: 0, and `*info` is filled up to `info->size`.
 * Errors: -EINVAL      NULL, or `info->size` is none this library knows
 *         -EOPNOTSUPP  the socket is not TCP
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what getsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * Kernel: TCP_INFO. Fallback: the same.
 */
SOQ_API SOQ_MUST_CHECK int soq_socket_tcp_info(struct soq_socket *s, struct soq_tcp_info *info);

/**
 * An option that has no number in enum soq_option, and its value, for calls that set
 * some by themselves.
 */
struct soq_option_raw {
	int32_t level;
	int32_t name;
	const void *value;
	uint32_t size_bytes;
	uint32_t reserved0;
};

/**
 * Sets an option as setsockopt(2) does, for what has no number in enum soq_option.
 * SO_LINGER is kept by the library and acts at soq_close(): 0 seconds resets, more
 * become a finish in the background, and neither ever blocks. SO_RCVTIMEO and
 * SO_SNDTIMEO have no effect on a loop and are refused: soq_socket_set_timeouts() is
 * their place. So is IPV6_ADDRFORM, which would make another socket of it.
 *
 * Result: 0.
 * Errors: -EINVAL      NULL, or a value the option cannot have
 *         -ENOPROTOOPT no such option, or one of those refused
 *         -ERANGE      a linger time below 0 or above 65535 seconds
 *         -ENOMEM      no memory (SO_LINGER only)
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what setsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.SetRawSocketOption
 */
SOQ_API SOQ_MUST_CHECK int soq_option_set(struct soq_socket *s, int level, int name,
					  const void *value, uint32_t size_bytes);

/**
 * Reads an option as getsockopt(2) does. SO_ERROR is what soq_socket_take_error() tells,
 * as a positive number.
 *
 * Result: the size of the value in bytes.
 * Errors: -EINVAL       NULL
 *         -ENOPROTOOPT  no such option
 *         -ECHILD, -EXDEV, -EBADF  as for every call; else what getsockopt(2) says
 * Thread: the loop's; any, on a detached socket.
 * .NET:   Socket.GetRawSocketOption
 */
SOQ_API SOQ_MUST_CHECK int soq_option_get(struct soq_socket *s, int level, int name, void *value,
					  uint32_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
