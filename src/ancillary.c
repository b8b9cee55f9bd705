/* SPDX-License-Identifier: MIT */
/* Control messages, built and taken apart. */
#include "ancillary.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* All that may come at once: to an IPv6 socket from IPv4, the most talkative case. */
#define RECEIVE_BYTES                                                                              \
	(CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo)) +          \
	 5 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct timespec)) +                       \
	 CMSG_SPACE(sizeof(uint32_t)))
/* All that may be told at once. */
#define SEND_BYTES                                                                                 \
	(CMSG_SPACE(sizeof(uint16_t)) + 4 * CMSG_SPACE(sizeof(int)) +                              \
	 CMSG_SPACE(sizeof(struct in6_pktinfo)))

#define ROOM_BYTES sizeof(((struct soq_message *)0)->control)

_Static_assert(ROOM_BYTES >= RECEIVE_BYTES && ROOM_BYTES >= SEND_BYTES, "too little room");

/* Adds one control message at `*used`. */
static void add(struct soq_message *message, size_t *used, int level, int type, const void *data,
		size_t size_bytes)
{
	unsigned char *at = (unsigned char *)message->control + *used;
	const struct cmsghdr head = { .cmsg_len = CMSG_LEN(size_bytes),
				      .cmsg_level = level,
				      .cmsg_type = type };

	memset(at, 0, CMSG_SPACE(size_bytes));
	memcpy(at, &head, sizeof(head));
	memcpy(at + CMSG_LEN(0), data, size_bytes);
	*used += CMSG_SPACE(size_bytes);
}

/* An IPv6 socket may send IPv4: each protocol passes over what is for the other. */
static void add_class(struct soq_message *message, size_t *used, int family)
{
	int class = message->dscp << 2 | message->ecn;

	add(message, used, IPPROTO_IP, IP_TOS, &class, sizeof(class));
	if (family == AF_INET6)
		add(message, used, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
}

static void add_ttl(struct soq_message *message, size_t *used, int family)
{
	int ttl = message->ttl;

	add(message, used, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (family == AF_INET6)
		add(message, used, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
}

/* For IPv4 the kernel wants a mapped address even if it says "any". */
static void add_packet_ipv6(struct soq_message *message, size_t *used, bool mapped)
{
	struct in6_pktinfo packet = { .ipi6_ifindex = message->interface };

	if (message->local.size_bytes != 0) {
		packet.ipi6_addr = message->local.addr.ipv6.sin6_addr;
		if (message->interface == 0)
			packet.ipi6_ifindex = message->local.addr.ipv6.sin6_scope_id;
	} else if (mapped) {
		packet.ipi6_addr.s6_addr[10] = 0xff;
		packet.ipi6_addr.s6_addr[11] = 0xff;
	}
	add(message, used, IPPROTO_IPV6, IPV6_PKTINFO, &packet, sizeof(packet));
}

static void add_packet(struct soq_message *message, size_t *used)
{
	struct in_pktinfo packet = { .ipi_ifindex = (int)message->interface };

	if (message->local.size_bytes != 0)
		packet.ipi_spec_dst = message->local.addr.ipv4.sin_addr;
	add(message, used, IPPROTO_IP, IP_PKTINFO, &packet, sizeof(packet));
}

size_t soqi_ancillary_write(struct soq_message *message, uint32_t info, int family, bool mapped)
{
	size_t used = 0;

	if (info & SOQ_INFO_SEGMENTS)
		add(message, &used, IPPROTO_UDP, UDP_SEGMENT, &message->segment_size_bytes,
		    sizeof(message->segment_size_bytes));
	if (info & SOQ_INFO_ECN)
		add_class(message, &used, family);
	if (info & SOQ_INFO_TTL)
		add_ttl(message, &used, family);
	if ((info & SOQ_INFO_PACKET) && family == AF_INET6)
		add_packet_ipv6(message, &used, mapped);
	else if (info & SOQ_INFO_PACKET)
		add_packet(message, &used);
	return used;
}

static void read_packet(const struct in_pktinfo *packet, struct soq_message *message)
{
	/* An IPv6 socket may tell of IPv4 both ways: the family of the socket counts. */
	if (message->local.size_bytes == sizeof(struct sockaddr_in6))
		return;
	message->local = (struct soq_endpoint){
		.size_bytes = sizeof(struct sockaddr_in),
		.addr.ipv4 = { .sin_family = AF_INET, .sin_addr = packet->ipi_addr },
	};
	message->interface = (uint32_t)packet->ipi_ifindex;
	message->info |= SOQ_INFO_PACKET;
}

static void read_packet_ipv6(const struct in6_pktinfo *packet, struct soq_message *message)
{
	message->local = (struct soq_endpoint){
		.size_bytes = sizeof(struct sockaddr_in6),
		.addr.ipv6 = { .sin6_family = AF_INET6, .sin6_addr = packet->ipi6_addr },
	};
	message->interface = packet->ipi6_ifindex;
	/* As the kernel tells a link's peers. */
	if (IN6_IS_ADDR_LINKLOCAL(&packet->ipi6_addr) ||
	    IN6_IS_ADDR_MC_LINKLOCAL(&packet->ipi6_addr))
		message->local.addr.ipv6.sin6_scope_id = packet->ipi6_ifindex;
	message->info |= SOQ_INFO_PACKET;
}

static void read_class(int class, struct soq_message *message)
{
	if (class < 0 || class > 255)
		return;
	message->ecn = (uint8_t)(class & 3);
	message->dscp = (uint8_t)(class >> 2);
	message->info |= SOQ_INFO_ECN;
}

static void read_ttl(int ttl, struct soq_message *message)
{
	if (ttl < 0 || ttl > 255)
		return;
	message->ttl = (uint8_t)ttl;
	message->info |= SOQ_INFO_TTL;
}

static void read_drops(uint32_t count, struct soq_message *message)
{
	message->dropped_count = count;
	message->info |= SOQ_INFO_DROPS;
}

static void read_time(const struct timespec *time, struct soq_message *message)
{
	const int64_t ns_per_s = 1000000000;

	if (time->tv_sec < 0 || time->tv_sec > INT64_MAX / ns_per_s - 1 || time->tv_nsec < 0 ||
	    time->tv_nsec >= ns_per_s)
		return;
	message->time_ns = (int64_t)time->tv_sec * ns_per_s + time->tv_nsec;
	message->info |= SOQ_INFO_TIME;
}

static void read_segments(int size_bytes, struct soq_message *message)
{
	if (size_bytes <= 0 || size_bytes > UINT16_MAX)
		return;
	message->segment_size_bytes = (uint16_t)size_bytes;
	message->info |= SOQ_INFO_SEGMENTS;
}

/* One control message. What is unknown, or not of the size it has, tells nothing. */
static void read_one(int level, int type, const unsigned char *data, size_t size_bytes,
		     struct soq_message *message)
{
	union {
		struct in_pktinfo packet;
		struct in6_pktinfo packet6;
		struct timespec time;
		int number;
		uint32_t count;
	} is;

	if (size_bytes > sizeof(is))
		return;
	memset(&is, 0, sizeof(is));
	memcpy(&is, data, size_bytes);
	if (level == SOL_SOCKET && type == SCM_TIMESTAMPNS && size_bytes == sizeof(is.time))
		read_time(&is.time, message);
	else if (level == IPPROTO_IP && type == IP_PKTINFO && size_bytes == sizeof(is.packet))
		read_packet(&is.packet, message);
	else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO && size_bytes == sizeof(is.packet6))
		read_packet_ipv6(&is.packet6, message);
	else if (level == IPPROTO_IP && type == IP_TOS && size_bytes == 1)
		read_class(*data, message);
	else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS && size_bytes == sizeof(is.number))
		read_class(is.number, message);
	else if (((level == IPPROTO_IP && type == IP_TTL) ||
		  (level == IPPROTO_IPV6 && type == IPV6_HOPLIMIT)) &&
		 size_bytes == sizeof(is.number))
		read_ttl(is.number, message);
	else if (level == SOL_SOCKET && type == SO_RXQ_OVFL && size_bytes == sizeof(is.count))
		read_drops(is.count, message);
	else if (level == IPPROTO_UDP && type == UDP_GRO && size_bytes == sizeof(is.number))
		read_segments(is.number, message);
}

static void blank(struct soq_message *message)
{
	message->info = 0;
	message->local.size_bytes = 0;
	message->local.reserved = 0;
	message->time_ns = 0;
	message->interface = 0;
	message->segment_size_bytes = 0;
	message->ecn = 0;
	message->dscp = 0;
	message->pid = 0;
	message->uid = UINT32_MAX;
	message->gid = UINT32_MAX;
	message->ttl = 0;
	message->dropped_count = 0;
}

void soqi_ancillary_read(const void *control, size_t control_bytes, bool cut,
			 struct soq_message *message)
{
	const unsigned char *at = control;
	size_t left = control_bytes;
	struct cmsghdr head;

	blank(message);
	while (!cut && left >= sizeof(head)) {
		size_t step;

		memcpy(&head, at, sizeof(head));
		cut = head.cmsg_len < CMSG_LEN(0) || head.cmsg_len > left;
		if (cut)
			break;
		read_one(head.cmsg_level, head.cmsg_type, at + CMSG_LEN(0),
			 head.cmsg_len - CMSG_LEN(0), message);
		/* The kernel may leave out the padding of the last. */
		step = CMSG_ALIGN(head.cmsg_len);
		if (step >= left)
			return;
		at += step;
		left -= step;
	}
	if (!cut && left == 0)
		return;
	blank(message);
	message->info = SOQ_INFO_CUT;
}
