/* SPDX-License-Identifier: MIT */
/* The options by name. */
#include "option_table.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* The C library may be older than the kernel. */
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

#define TCP       (SOQI_WHO_TCP4 | SOQI_WHO_TCP6)
#define UDP       (SOQI_WHO_UDP4 | SOQI_WHO_UDP6)
#define DATAGRAM  (DATAGRAM4 | DATAGRAM6)
#define DATAGRAM4 (SOQI_WHO_UDP4 | SOQI_WHO_RAW4)
#define DATAGRAM6 (SOQI_WHO_UDP6 | SOQI_WHO_RAW6)
#define IP4       (SOQI_WHO_TCP4 | SOQI_WHO_UDP4 | SOQI_WHO_RAW4 | SOQI_WHO_REST4)
#define IP6       (SOQI_WHO_TCP6 | SOQI_WHO_UDP6 | SOQI_WHO_RAW6 | SOQI_WHO_REST6)
#define IP        (IP4 | IP6)
#define OTHER     (SOQI_WHO_OTHER_CONNECTION | SOQI_WHO_OTHER_DATAGRAM)
#define LOCAL     (SOQI_WHO_LOCAL_CONNECTION | SOQI_WHO_LOCAL_DATAGRAM)
#define ALL       (IP | LOCAL | OTHER)
#define CONNECTION                                                                                 \
	(TCP | SOQI_WHO_REST4 | SOQI_WHO_REST6 | SOQI_WHO_LOCAL_CONNECTION |                       \
	 SOQI_WHO_OTHER_CONNECTION)
/* IPv6 sockets that carry IPv4 as well. A raw one does not. */
#define MIXED (SOQI_WHO_TCP6 | SOQI_WHO_UDP6)

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* Places; IPv6's first, since the option is read from there. */
#define SOCKET(who, option)                                                                        \
	{                                                                                          \
		{                                                                                  \
			who, SOL_SOCKET, option                                                    \
		}                                                                                  \
	}
#define OF_TCP(option)                                                                             \
	{                                                                                          \
		{                                                                                  \
			TCP, IPPROTO_TCP, option                                                   \
		}                                                                                  \
	}
#define BOTH(who4, option4, who6, option6)                                                         \
	{                                                                                          \
		{ who6, IPPROTO_IPV6, option6 },                                                   \
		{                                                                                  \
			who4, IPPROTO_IP, option4                                                  \
		}                                                                                  \
	}

#define FLAG(...)                                                                                  \
	{                                                                                          \
		.form = SOQI_OPTION_FLAG, .on = 1, .maximum = 1, .places = __VA_ARGS__             \
	}
#define READ(...)                                                                                  \
	{                                                                                          \
		.form = SOQI_OPTION_INT, .read_only = true, .places = __VA_ARGS__                  \
	}
#define INT(low, high, ...) TIME(1, low, high, __VA_ARGS__)
#define TIME(unit, low, high, ...)                                                                 \
	{                                                                                          \
		.form = SOQI_OPTION_INT, .scale = (unit), .minimum = (low), .maximum = (high),     \
		.places = __VA_ARGS__                                                              \
	}

static const struct soqi_option_row rows[] = {
	[SOQ_OPTION_FAMILY] = READ(SOCKET(ALL, SO_DOMAIN)),
	[SOQ_OPTION_TYPE] = READ(SOCKET(ALL, SO_TYPE)),
	[SOQ_OPTION_PROTOCOL] = READ(SOCKET(ALL, SO_PROTOCOL)),
	[SOQ_OPTION_LISTENING] = READ(SOCKET(ALL, SO_ACCEPTCONN)),
	[SOQ_OPTION_ERROR] = { .form = SOQI_OPTION_ERROR,
			       .read_only = true,
			       .places = SOCKET(ALL, SO_ERROR) },
	[SOQ_OPTION_RECEIVE_BUFFER_BYTES] = INT(0, INT32_MAX, SOCKET(ALL, SO_RCVBUF)),
	[SOQ_OPTION_SEND_BUFFER_BYTES] = INT(0, INT32_MAX, SOCKET(ALL, SO_SNDBUF)),
	[SOQ_OPTION_LINGER_NS] = { .form = SOQI_OPTION_LINGER,
				   .scale = NS_PER_S,
				   .minimum = -1,
				   .maximum = 65535,
				   .places = SOCKET(CONNECTION, SO_LINGER) },
	[SOQ_OPTION_REUSE_ADDRESS] = FLAG(SOCKET(IP, SO_REUSEADDR)),
	[SOQ_OPTION_REUSE_PORT] = FLAG(SOCKET(IP, SO_REUSEPORT)),
	/* SO_REUSEADDR lets datagram sockets share, and TCP listeners not. */
	[SOQ_OPTION_EXCLUSIVE] = { .form = SOQI_OPTION_FLAG,
				   .off = 1,
				   .maximum = 1,
				   .places = { { IP, SOL_SOCKET, SO_REUSEPORT },
					       { DATAGRAM, SOL_SOCKET, SO_REUSEADDR } } },
	[SOQ_OPTION_PRIORITY] = INT(0, INT32_MAX, SOCKET(IP | OTHER, SO_PRIORITY)),
	[SOQ_OPTION_MARK] = { .form = SOQI_OPTION_WORD,
			      .maximum = UINT32_MAX,
			      .places = SOCKET(IP | OTHER, SO_MARK) },
	[SOQ_OPTION_INCOMING_CPU] = INT(-1, INT32_MAX, SOCKET(IP | OTHER, SO_INCOMING_CPU)),
	[SOQ_OPTION_BUSY_POLL_NS] = TIME(NS_PER_US, 0, INT32_MAX, SOCKET(IP | OTHER, SO_BUSY_POLL)),
	[SOQ_OPTION_PACING_BYTES_PER_S] = { .form = SOQI_OPTION_LONG,
					    .minimum = -1,
					    .maximum = LONG_MAX,
					    .places = SOCKET(IP | OTHER, SO_MAX_PACING_RATE) },
	[SOQ_OPTION_DEVICE] = { .form = SOQI_OPTION_INT,
				.maximum = INT32_MAX,
				.places = SOCKET(IP | OTHER, SO_BINDTOIFINDEX),
				.text = { IP | OTHER, SOL_SOCKET, SO_BINDTODEVICE } },
	[SOQ_OPTION_ZEROCOPY] = FLAG(SOCKET(TCP | UDP, SO_ZEROCOPY)),
	[SOQ_OPTION_BROADCAST] = FLAG(SOCKET(DATAGRAM, SO_BROADCAST)),
	[SOQ_OPTION_TIMESTAMPS] = FLAG(SOCKET(DATAGRAM, SO_TIMESTAMPNS)),

	[SOQ_OPTION_NO_DELAY] = FLAG(OF_TCP(TCP_NODELAY)),
	[SOQ_OPTION_CORK] = FLAG(OF_TCP(TCP_CORK)),
	[SOQ_OPTION_QUICK_ACK] = FLAG(OF_TCP(TCP_QUICKACK)),
	[SOQ_OPTION_KEEP_ALIVE] = FLAG(SOCKET(TCP, SO_KEEPALIVE)),
	[SOQ_OPTION_KEEP_ALIVE_TIME_NS] = TIME(NS_PER_S, 1, 32767, OF_TCP(TCP_KEEPIDLE)),
	[SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS] = TIME(NS_PER_S, 1, 32767, OF_TCP(TCP_KEEPINTVL)),
	[SOQ_OPTION_KEEP_ALIVE_COUNT] = INT(1, 127, OF_TCP(TCP_KEEPCNT)),
	[SOQ_OPTION_USER_TIMEOUT_NS] = TIME(NS_PER_MS, 0, INT32_MAX, OF_TCP(TCP_USER_TIMEOUT)),
	[SOQ_OPTION_MAX_SEGMENT_BYTES] = INT(88, 32767, OF_TCP(TCP_MAXSEG)),
	/* Counted in retransmissions: 127 s of them double, 248 more take 120 s each. */
	[SOQ_OPTION_DEFER_ACCEPT_NS] = TIME(NS_PER_S, 0, 29887, OF_TCP(TCP_DEFER_ACCEPT)),
	[SOQ_OPTION_NOT_SENT_LOW_WATER_BYTES] = { .form = SOQI_OPTION_WORD,
						  .maximum = UINT32_MAX,
						  .places = OF_TCP(TCP_NOTSENT_LOWAT) },
	[SOQ_OPTION_FAST_OPEN_QUEUE] = INT(0, INT32_MAX, OF_TCP(TCP_FASTOPEN)),
	[SOQ_OPTION_FAST_OPEN_CONNECT] = FLAG(OF_TCP(TCP_FASTOPEN_CONNECT)),
	[SOQ_OPTION_CONGESTION_CONTROL] = { .text = { TCP, IPPROTO_TCP, TCP_CONGESTION } },

	[SOQ_OPTION_TTL] = INT(1, 255, BOTH(IP4 | MIXED, IP_TTL, IP6, IPV6_UNICAST_HOPS)),
	[SOQ_OPTION_DSCP] = { .form = SOQI_OPTION_FIELD,
			      .mask = 0xfc,
			      .maximum = 63,
			      .places = BOTH(IP4 | MIXED, IP_TOS, IP6, IPV6_TCLASS) },
	/* On a connection the mark is TCP's own. */
	[SOQ_OPTION_ECN] = { .form = SOQI_OPTION_FIELD,
			     .mask = 0x03,
			     .maximum = 3,
			     .places = BOTH(DATAGRAM4 | SOQI_WHO_UDP6, IP_TOS, DATAGRAM6,
					    IPV6_TCLASS) },
	[SOQ_OPTION_DONT_FRAGMENT] = { .form = SOQI_OPTION_FLAG,
				       .on = IP_PMTUDISC_DO,
				       .off = IP_PMTUDISC_DONT,
				       .maximum = 1,
				       .places = BOTH(IP4 | MIXED, IP_MTU_DISCOVER, IP6,
						      IPV6_MTU_DISCOVER) },
	[SOQ_OPTION_MTU_DISCOVERY] =
		INT(IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT,
		    BOTH(IP4 | MIXED, IP_MTU_DISCOVER, IP6, IPV6_MTU_DISCOVER)),
	[SOQ_OPTION_MTU_BYTES] = READ(BOTH(IP4, IP_MTU, IP6, IPV6_MTU)),
	/* One bit of the socket, which both names reach. */
	[SOQ_OPTION_TRANSPARENT] = FLAG(BOTH(IP4, IP_TRANSPARENT, IP6, IPV6_TRANSPARENT)),
	[SOQ_OPTION_FREE_BIND] = FLAG(BOTH(IP4, IP_FREEBIND, IP6, IPV6_FREEBIND)),
	/* IPv6 has no name of its own for it. */
	[SOQ_OPTION_BIND_NO_PORT] = FLAG({ { TCP | UDP, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT } }),
	[SOQ_OPTION_IPV6_ONLY] = FLAG({ { MIXED | SOQI_WHO_REST6, IPPROTO_IPV6, IPV6_V6ONLY } }),

	[SOQ_OPTION_ERROR_REPORTS] =
		FLAG(BOTH(DATAGRAM4 | SOQI_WHO_UDP6, IP_RECVERR, DATAGRAM6, IPV6_RECVERR)),

	[SOQ_OPTION_MULTICAST_INTERFACE] = { .form = SOQI_OPTION_INTERFACE,
					     .maximum = INT32_MAX,
					     .places = BOTH(DATAGRAM4 | SOQI_WHO_UDP6,
							    IP_MULTICAST_IF, DATAGRAM6,
							    IPV6_MULTICAST_IF) },
	[SOQ_OPTION_MULTICAST_TTL] = INT(0, 255,
					 BOTH(DATAGRAM4 | SOQI_WHO_UDP6, IP_MULTICAST_TTL,
					      DATAGRAM6, IPV6_MULTICAST_HOPS)),
	[SOQ_OPTION_MULTICAST_LOOPBACK] = FLAG(
		BOTH(DATAGRAM4 | SOQI_WHO_UDP6, IP_MULTICAST_LOOP, DATAGRAM6, IPV6_MULTICAST_LOOP)),
	[SOQ_OPTION_MULTICAST_ALL] = FLAG(
		BOTH(DATAGRAM4 | SOQI_WHO_UDP6, IP_MULTICAST_ALL, DATAGRAM6, IPV6_MULTICAST_ALL)),

	[SOQ_OPTION_RECEIVE_LOW_WATER_BYTES] = INT(1, INT32_MAX, SOCKET(TCP, SO_RCVLOWAT)),
	[SOQ_OPTION_URGENT_INLINE] = FLAG(SOCKET(TCP, SO_OOBINLINE)),
	[SOQ_OPTION_DONT_ROUTE] = FLAG(SOCKET(IP, SO_DONTROUTE)),
	[SOQ_OPTION_HEADER_INCLUDED] =
		FLAG(BOTH(SOQI_WHO_RAW4, IP_HDRINCL, SOQI_WHO_RAW6, IPV6_HDRINCL)),
	[SOQ_OPTION_NO_CHECKSUM] = FLAG(SOCKET(UDP, SO_NO_CHECK)),
};

unsigned soqi_option_count(void)
{
	return sizeof(rows) / sizeof(rows[0]);
}

const struct soqi_option_row *soqi_option_find(enum soq_option option)
{
	if ((unsigned)option >= soqi_option_count())
		return NULL;
	if (rows[option].form == SOQI_OPTION_NONE && rows[option].text.who == 0)
		return NULL;
	return &rows[option];
}
