/* SPDX-License-Identifier: MIT */
/* Control messages: what is built is read back; short, long, unknown and garbage ones. */
#include "unit.h"

#include "ancillary.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* A control message at the end of `buffer`, of any claimed length. */
struct room {
	size_t used;
	unsigned char bytes[512];
};

static void put(struct room *room, int level, int type, const void *data, size_t size_bytes)
{
	struct cmsghdr head = { .cmsg_len = CMSG_LEN(size_bytes),
				.cmsg_level = level,
				.cmsg_type = type };

	memset(room->bytes + room->used, 0, CMSG_SPACE(size_bytes));
	memcpy(room->bytes + room->used, &head, sizeof(head));
	memcpy(room->bytes + room->used + CMSG_LEN(0), data, size_bytes);
	room->used += CMSG_SPACE(size_bytes);
}

static void put_int(struct room *room, int level, int type, int value)
{
	put(room, level, type, &value, sizeof(value));
}

/* What must not be left over from before. */
static struct soq_message dirty(void)
{
	struct soq_message m = { .size = sizeof(m) };

	m.info = ~0u;
	m.local.size_bytes = 28;
	m.time_ns = 1;
	m.interface = 2;
	m.segment_size_bytes = 3;
	m.ecn = 1;
	m.dscp = 1;
	m.ttl = 1;
	m.dropped_count = 1;
	return m;
}

static struct soq_message read_room(const struct room *room)
{
	struct soq_message m = dirty();

	soqi_ancillary_read(room->bytes, room->used, false, &m);
	return m;
}

static void expect_nothing(const struct soq_message *m, uint32_t info)
{
	assert_int_equal(m->info, info);
	assert_int_equal(m->local.size_bytes, 0);
	assert_int_equal(m->time_ns, 0);
	assert_int_equal(m->interface, 0);
	assert_int_equal(m->segment_size_bytes, 0);
	assert_int_equal(m->ecn, 0);
	assert_int_equal(m->dscp, 0);
	assert_int_equal(m->ttl, 0);
	assert_int_equal(m->dropped_count, 0);
}

static void nothing_told_is_nothing_valid(void **state)
{
	struct soq_message m = dirty();

	(void)state;
	soqi_ancillary_read(NULL, 0, false, &m);
	expect_nothing(&m, 0);
}

/* All the kernel tells at once, to an IPv6 socket from IPv4. */
static void put_all(struct room *room)
{
	const struct timespec time = { .tv_sec = 1700000000, .tv_nsec = 123456789 };
	struct in6_pktinfo packet6 = { .ipi6_ifindex = 7 };
	struct in_pktinfo packet = { .ipi_ifindex = 8 };
	unsigned char class = 46 << 2 | 3;

	packet6.ipi6_addr.s6_addr[15] = 9;
	put(room, SOL_SOCKET, SCM_TIMESTAMPNS, &time, sizeof(time));
	put_int(room, IPPROTO_UDP, UDP_GRO, 1200);
	put(room, IPPROTO_IPV6, IPV6_PKTINFO, &packet6, sizeof(packet6));
	put(room, IPPROTO_IP, IP_PKTINFO, &packet, sizeof(packet));
	put(room, IPPROTO_IP, IP_TOS, &class, sizeof(class));
	put_int(room, IPPROTO_IPV6, IPV6_TCLASS, 46 << 2 | 3);
	put_int(room, IPPROTO_IP, IP_TTL, 63);
	put_int(room, IPPROTO_IPV6, IPV6_HOPLIMIT, 63);
	put_int(room, SOL_SOCKET, SO_RXQ_OVFL, 70000);
}

static void expect_all(const struct soq_message *m)
{
	assert_int_equal(m->info, SOQ_INFO_SEGMENTS | SOQ_INFO_ECN | SOQ_INFO_PACKET |
					  SOQ_INFO_TIME | SOQ_INFO_TTL | SOQ_INFO_DROPS);
	assert_int_equal(m->ttl, 63);
	assert_int_equal(m->dropped_count, 70000);
	assert_int_equal(m->time_ns, INT64_C(1700000000123456789));
	assert_int_equal(m->segment_size_bytes, 1200);
	assert_int_equal(m->ecn, 3);
	assert_int_equal(m->dscp, 46);
	assert_int_equal(m->interface, 7);
	assert_int_equal(m->local.size_bytes, sizeof(struct sockaddr_in6));
	assert_int_equal(m->local.addr.ipv6.sin6_family, AF_INET6);
	assert_int_equal(m->local.addr.ipv6.sin6_addr.s6_addr[15], 9);
	assert_int_equal(m->local.addr.ipv6.sin6_port, 0);
}

static void all_at_once_is_read_and_has_room(void **state)
{
	struct room room = { .used = 0 };
	struct soq_message m;

	(void)state;
	put_all(&room);
	assert_true(room.used <= sizeof(m.control));
	m = read_room(&room);
	expect_all(&m);
}

static void any_alignment_will_do(void **state)
{
	struct room room = { .used = 0 };
	unsigned char shifted[sizeof(room.bytes) + 8];

	(void)state;
	put_all(&room);
	for (unsigned i = 1; i < 8; i++) {
		struct soq_message m = dirty();

		memcpy(shifted + i, room.bytes, room.used);
		soqi_ancillary_read(shifted + i, room.used, false, &m);
		expect_all(&m);
	}
}

static void padding_of_the_last_may_be_missing(void **state)
{
	struct room room = { .used = 0 };
	struct soq_message m;
	unsigned char class = 1;

	(void)state;
	put(&room, IPPROTO_IP, IP_TOS, &class, sizeof(class));
	room.used = CMSG_LEN(sizeof(class));
	m = read_room(&room);
	assert_int_equal(m.info, SOQ_INFO_ECN);
	assert_int_equal(m.ecn, 1);
}

static void cut_makes_all_of_it_invalid(void **state)
{
	struct room room = { .used = 0 };
	struct soq_message m = dirty();

	(void)state;
	put_all(&room);
	soqi_ancillary_read(room.bytes, room.used, true, &m);
	expect_nothing(&m, SOQ_INFO_CUT);
}

/* Every length the whole may be cut to: all before it, nothing, or the mark; never beyond. */
static void every_shorter_length_is_survived(void **state)
{
	struct room room = { .used = 0 };

	(void)state;
	put_all(&room);
	for (size_t length = 1; length < room.used; length++) {
		/* Of exactly this size, so that a tool sees a byte too far. */
		unsigned char *copy = malloc(length);
		struct soq_message m = dirty();

		assert_non_null(copy);
		memcpy(copy, room.bytes, length);
		soqi_ancillary_read(copy, length, false, &m);
		if (m.info & SOQ_INFO_CUT)
			expect_nothing(&m, SOQ_INFO_CUT);
		free(copy);
	}
}

static void lengths_that_lie_are_refused(void **state)
{
	static const size_t lies[] = {
		0, 1, sizeof(struct cmsghdr) - 1, 4096, SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2 + 1
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct room room = { .used = 0 };
		struct soq_message m;

		put_int(&room, IPPROTO_UDP, UDP_GRO, 1200);
		memcpy(room.bytes, &lies[i], sizeof(lies[i]));
		put_int(&room, IPPROTO_UDP, UDP_GRO, 1200);
		m = read_room(&room);
		expect_nothing(&m, SOQ_INFO_CUT);
	}
}

static void unknown_ones_are_passed_over(void **state)
{
	static const unsigned char blob[200] = { 1 };
	struct room room = { .used = 0 };
	struct soq_message m;

	(void)state;
	put(&room, 99, IP_TOS, blob, 1);
	put(&room, IPPROTO_IP, 99, blob, sizeof(blob));
	put(&room, SOL_SOCKET, SCM_RIGHTS, blob, 8);
	put(&room, IPPROTO_IP, 99, blob, 0);
	put_int(&room, IPPROTO_UDP, UDP_GRO, 1200);
	m = read_room(&room);
	assert_int_equal(m.info, SOQ_INFO_SEGMENTS);
}

/* Known by name, of a size the kernel does not make. */
static void wrong_sizes_tell_nothing(void **state)
{
	static const int names[][2] = {
		{ SOL_SOCKET, SCM_TIMESTAMPNS }, { IPPROTO_IP, IP_PKTINFO },
		{ IPPROTO_IPV6, IPV6_PKTINFO },  { IPPROTO_IP, IP_TOS },
		{ IPPROTO_IPV6, IPV6_TCLASS },   { IPPROTO_UDP, UDP_GRO },
	};
	static const size_t right[] = { sizeof(struct timespec),
					sizeof(struct in_pktinfo),
					sizeof(struct in6_pktinfo),
					1,
					sizeof(int),
					sizeof(int) };
	static const unsigned char ones[64] = { 1, 1 };

	(void)state;
	for (unsigned i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		for (size_t size = 0; size <= sizeof(ones); size++) {
			struct room room = { .used = 0 };
			struct soq_message m;

			if (size == right[i])
				continue;
			put(&room, names[i][0], names[i][1], ones, size);
			m = read_room(&room);
			expect_nothing(&m, 0);
		}
}

static void values_out_of_range_tell_nothing(void **state)
{
	static const struct timespec times[] = { { .tv_sec = -1 },
						 { .tv_nsec = -1 },
						 { .tv_nsec = 1000000000 },
						 { .tv_sec = INT64_MAX } };
	struct room room = { .used = 0 };
	struct soq_message m;

	(void)state;
	for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		put(&room, SOL_SOCKET, SCM_TIMESTAMPNS, &times[i], sizeof(times[i]));
	put_int(&room, IPPROTO_UDP, UDP_GRO, 0);
	put_int(&room, IPPROTO_UDP, UDP_GRO, -1);
	put_int(&room, IPPROTO_UDP, UDP_GRO, 65536);
	put_int(&room, IPPROTO_IPV6, IPV6_TCLASS, -1);
	put_int(&room, IPPROTO_IPV6, IPV6_TCLASS, 256);
	m = read_room(&room);
	expect_nothing(&m, 0);
}

static void garbage_is_survived(void **state)
{
	uint64_t chance = 20260101;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		size_t length = unit_choose(&chance, 300);
		unsigned char *bytes = malloc(length + 1);
		struct soq_message m = dirty();

		assert_non_null(bytes);
		for (size_t k = 0; k < length; k++)
			bytes[k] = (unsigned char)unit_choose(&chance, i % 2 ? 256 : 42);
		/* Half of them begin well. */
		if (i % 4 < 2 && length >= sizeof(size_t)) {
			size_t claimed = unit_choose(&chance, (unsigned)length + 20);

			memcpy(bytes, &claimed, sizeof(claimed));
		}
		soqi_ancillary_read(bytes, length, unit_choose(&chance, 8) == 0, &m);
		assert_int_equal(m.info & ~31u, 0);
		assert_true(m.ecn < 4 && m.dscp < 64);
		free(bytes);
	}
}

static void link_local_address_has_its_scope(void **state)
{
	struct in6_pktinfo packet = { .ipi6_ifindex = 3 };
	struct room room = { .used = 0 };
	struct soq_message m;

	(void)state;
	packet.ipi6_addr.s6_addr[0] = 0xfe;
	packet.ipi6_addr.s6_addr[1] = 0x80;
	put(&room, IPPROTO_IPV6, IPV6_PKTINFO, &packet, sizeof(packet));
	m = read_room(&room);
	assert_int_equal(m.local.addr.ipv6.sin6_scope_id, 3);
}

/* The one of this name in what was written: its data, or NULL. */
static const void *written(const struct soq_message *m, size_t used, int level, int type,
			   size_t size_bytes)
{
	const struct msghdr header = { .msg_control = (void *)(uintptr_t)m->control,
				       .msg_controllen = used };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL;
	     c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)&header, c))
		if (c->cmsg_level == level && c->cmsg_type == type) {
			assert_int_equal(c->cmsg_len, CMSG_LEN(size_bytes));
			return CMSG_DATA(c);
		}
	return NULL;
}

static void what_is_written_is_what_the_kernel_knows(void **state)
{
	struct soq_message m = { .size = sizeof(m),
				 .segment_size_bytes = 1200,
				 .ecn = 2,
				 .dscp = 5 };
	const struct in6_pktinfo *packet6;
	const struct in_pktinfo *packet;
	const uint16_t *segment;
	const int *class;
	size_t used;

	(void)state;
	m.interface = 4;
	m.local.size_bytes = sizeof(struct sockaddr_in);
	m.local.addr.ipv4.sin_addr.s_addr = htonl(0x7f000002);
	used = soqi_ancillary_write(&m, SOQ_INFO_SEGMENTS | SOQ_INFO_ECN | SOQ_INFO_PACKET, AF_INET,
				    false);
	segment = written(&m, used, IPPROTO_UDP, UDP_SEGMENT, sizeof(*segment));
	class = written(&m, used, IPPROTO_IP, IP_TOS, sizeof(*class));
	packet = written(&m, used, IPPROTO_IP, IP_PKTINFO, sizeof(*packet));
	assert_int_equal(*segment, 1200);
	assert_int_equal(*class, 22);
	assert_int_equal(packet->ipi_ifindex, 4);
	assert_int_equal(packet->ipi_spec_dst.s_addr, htonl(0x7f000002));
	assert_null(written(&m, used, IPPROTO_IPV6, IPV6_TCLASS, sizeof(int)));

	m.local.size_bytes = 0;
	used = soqi_ancillary_write(&m, SOQ_INFO_ECN | SOQ_INFO_PACKET, AF_INET6, true);
	class = written(&m, used, IPPROTO_IPV6, IPV6_TCLASS, sizeof(*class));
	packet6 = written(&m, used, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(*packet6));
	assert_int_equal(*class, 22);
	assert_non_null(written(&m, used, IPPROTO_IP, IP_TOS, sizeof(*class)));
	assert_int_equal(packet6->ipi6_ifindex, 4);
	assert_true(IN6_IS_ADDR_V4MAPPED(&packet6->ipi6_addr));
	assert_int_equal(soqi_ancillary_write(&m, 0, AF_INET6, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_told_is_nothing_valid),
		cmocka_unit_test(all_at_once_is_read_and_has_room),
		cmocka_unit_test(any_alignment_will_do),
		cmocka_unit_test(padding_of_the_last_may_be_missing),
		cmocka_unit_test(cut_makes_all_of_it_invalid),
		cmocka_unit_test(every_shorter_length_is_survived),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(unknown_ones_are_passed_over),
		cmocka_unit_test(wrong_sizes_tell_nothing),
		cmocka_unit_test(values_out_of_range_tell_nothing),
		cmocka_unit_test(garbage_is_survived),
		cmocka_unit_test(link_local_address_has_its_scope),
		cmocka_unit_test(what_is_written_is_what_the_kernel_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
