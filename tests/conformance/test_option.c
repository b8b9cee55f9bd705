/* SPDX-License-Identifier: MIT */
/*
 * Every option by name on every kind of socket: what can be set reads back, what is
 * outside is refused and changes nothing, what is for other sockets is refused.
 */
#define _GNU_SOURCE
#include "support.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define US     INT64_C(1000)
#define SECOND (1000 * MS)

/* The kinds of sockets. */
static const struct kind {
	int family;
	int type;
} kinds[] = {
	{ AF_INET, SOCK_STREAM }, { AF_INET6, SOCK_STREAM }, { AF_INET, SOCK_DGRAM },
	{ AF_INET6, SOCK_DGRAM }, { AF_UNIX, SOCK_STREAM },  { AF_UNIX, SOCK_DGRAM },
};
#define TCP  (1u << 0 | 1u << 1)
#define UDP  (1u << 2 | 1u << 3)
#define IP   (TCP | UDP)
#define ALL  (IP | 1u << 4 | 1u << 5)
#define LINK (1u << 0 | 1u << 1 | 1u << 4)

/* What an option is; `refusal`: an error by which a kernel may say no all the same. */
struct sample {
	enum soq_option option;
	unsigned kinds;
	int64_t low, high;
	int64_t unit;
	int refusal;
};

/* Those that read back what was set. */
static const struct sample samples[] = {
	{ SOQ_OPTION_LINGER_NS, LINK, 0, 65535 * SECOND, SECOND, 0 },
	{ SOQ_OPTION_REUSE_ADDRESS, IP, 0, 1, 1, 0 },
	{ SOQ_OPTION_REUSE_PORT, IP, 0, 1, 1, 0 },
	{ SOQ_OPTION_EXCLUSIVE, IP, 0, 1, 1, 0 },
	{ SOQ_OPTION_PRIORITY, IP, 0, INT32_MAX, 1, -EPERM },
	{ SOQ_OPTION_MARK, IP, 0, UINT32_MAX, 1, -EPERM },
	{ SOQ_OPTION_INCOMING_CPU, IP, 0, INT32_MAX, 1, 0 },
	{ SOQ_OPTION_BUSY_POLL_NS, IP, 0, INT32_MAX *US, US, -EPERM },
	{ SOQ_OPTION_ZEROCOPY, IP, 0, 1, 1, 0 },
	{ SOQ_OPTION_BROADCAST, UDP, 0, 1, 1, 0 },
	{ SOQ_OPTION_TIMESTAMPS, UDP, 0, 1, 1, 0 },
	{ SOQ_OPTION_NO_DELAY, TCP, 0, 1, 1, 0 },
	{ SOQ_OPTION_CORK, TCP, 0, 1, 1, 0 },
	{ SOQ_OPTION_QUICK_ACK, TCP, 0, 1, 1, 0 },
	{ SOQ_OPTION_KEEP_ALIVE, TCP, 0, 1, 1, 0 },
	{ SOQ_OPTION_KEEP_ALIVE_TIME_NS, TCP, SECOND, 32767 * SECOND, SECOND, 0 },
	{ SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS, TCP, SECOND, 32767 * SECOND, SECOND, 0 },
	{ SOQ_OPTION_KEEP_ALIVE_COUNT, TCP, 1, 127, 1, 0 },
	{ SOQ_OPTION_USER_TIMEOUT_NS, TCP, 0, INT32_MAX *MS, MS, 0 },
	{ SOQ_OPTION_MAX_SEGMENT_BYTES, TCP, 88, 32767, 1, 0 },
	{ SOQ_OPTION_NOT_SENT_LOW_WATER_BYTES, TCP, 0, UINT32_MAX, 1, 0 },
	{ SOQ_OPTION_FAST_OPEN_CONNECT, TCP, 0, 1, 1, -EOPNOTSUPP },
	{ SOQ_OPTION_TTL, IP, 1, 255, 1, 0 },
	{ SOQ_OPTION_DSCP, IP, 0, 63, 1, 0 },
	{ SOQ_OPTION_ECN, UDP, 0, 3, 1, 0 },
	{ SOQ_OPTION_DONT_FRAGMENT, IP, 0, 1, 1, 0 },
	{ SOQ_OPTION_MTU_DISCOVERY, IP, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT, 1, 0 },
	{ SOQ_OPTION_TRANSPARENT, IP, 0, 1, 1, -EPERM },
	{ SOQ_OPTION_FREE_BIND, IP, 0, 1, 1, 0 },
	{ SOQ_OPTION_BIND_NO_PORT, IP, 0, 1, 1, 0 },
	{ SOQ_OPTION_IPV6_ONLY, 1u << 1 | 1u << 3, 0, 1, 1, 0 },
	{ SOQ_OPTION_MULTICAST_TTL, UDP, 0, 255, 1, 0 },
	{ SOQ_OPTION_MULTICAST_LOOPBACK, UDP, 0, 1, 1, 0 },
	{ SOQ_OPTION_MULTICAST_ALL, UDP, 0, 1, 1, 0 },
	{ SOQ_OPTION_URGENT_INLINE, TCP, 0, 1, 1, 0 },
	{ SOQ_OPTION_DONT_ROUTE, IP, 0, 1, 1, 0 },
	{ SOQ_OPTION_HEADER_INCLUDED, 0, 0, 1, 1, 0 },
	{ SOQ_OPTION_NO_CHECKSUM, UDP, 0, 1, 1, 0 },
	{ SOQ_OPTION_ERROR_REPORTS, UDP, 0, 1, 1, 0 },
};

/* Those that the kernel makes something of, or that can only be read: who has them. */
static const struct sample others[] = {
	{ SOQ_OPTION_FAMILY, ALL, 0, 0, 0, 0 },
	{ SOQ_OPTION_TYPE, ALL, 0, 0, 0, 0 },
	{ SOQ_OPTION_PROTOCOL, ALL, 0, 0, 0, 0 },
	{ SOQ_OPTION_LISTENING, ALL, 0, 0, 0, 0 },
	{ SOQ_OPTION_ERROR, ALL, 0, 0, 0, 0 },
	{ SOQ_OPTION_RECEIVE_BUFFER_BYTES, ALL, 0, INT32_MAX, 1, 0 },
	{ SOQ_OPTION_SEND_BUFFER_BYTES, ALL, 0, INT32_MAX, 1, 0 },
	{ SOQ_OPTION_PACING_BYTES_PER_S, IP, 0, INT64_MAX, 1, 0 },
	{ SOQ_OPTION_DEVICE, IP, 0, INT32_MAX, 1, 0 },
	{ SOQ_OPTION_DEFER_ACCEPT_NS, TCP, 0, 29887 * SECOND, SECOND, 0 },
	{ SOQ_OPTION_FAST_OPEN_QUEUE, TCP, 0, INT32_MAX, 1, 0 },
	{ SOQ_OPTION_MTU_BYTES, IP, 0, 0, 0, 0 },
	{ SOQ_OPTION_MULTICAST_INTERFACE, UDP, 0, INT32_MAX, 1, 0 },
	{ SOQ_OPTION_RECEIVE_LOW_WATER_BYTES, TCP, 1, INT32_MAX, 1, 0 },
};

static int64_t get(struct soq_socket *s, enum soq_option option)
{
	int64_t value = -4711;

	expect(soq_socket_get_option(s, option, &value), 0);
	return value;
}

static void set_and_see(struct soq_socket *s, const struct sample *sample, int64_t value)
{
	int64_t before = get(s, sample->option);
	int rc = soq_socket_set_option(s, sample->option, value);

	if (rc != 0)
		expect(rc, sample->refusal);
	expect(get(s, sample->option), rc == 0 ? value : before);
}

static void refuse(struct soq_socket *s, const struct sample *sample, int64_t value, int error)
{
	expect(soq_socket_set_option(s, sample->option, value), error);
}

static void what_is_outside_is_refused_here(struct soq_socket *s, const struct sample *sample)
{
	int64_t unit = sample->unit;

	refuse(s, sample, INT64_MIN, -ERANGE);
	refuse(s, sample, sample->low - unit - 1, -ERANGE);
	if (sample->high < INT64_MAX) {
		refuse(s, sample, sample->high + 1, -ERANGE);
		refuse(s, sample, INT64_MAX, -ERANGE);
	}
	if (sample->low > 0)
		refuse(s, sample, sample->low - 1, -ERANGE);
	if (unit > 1)
		refuse(s, sample, sample->low + unit + 1, -EINVAL);
}

static void for_another(struct soq_socket *s, const struct sample *sample)
{
	int64_t value = -4711;

	expect(soq_socket_get_option(s, sample->option, &value), -EOPNOTSUPP);
	expect(value, -4711);
	expect(soq_socket_set_option(s, sample->option, sample->low), -EOPNOTSUPP);
}

static struct soq_socket *open_kind(struct fixture *t, unsigned kind)
{
	return open_socket_of(t, kinds[kind].family, kinds[kind].type);
}

static void what_is_set_reads_back(struct fixture *t)
{
	for (unsigned kind = 0; kind < COUNT_OF(kinds); kind++) {
		struct soq_socket *s = open_kind(t, kind);

		for (unsigned i = 0; i < COUNT_OF(samples); i++) {
			const struct sample *sample = &samples[i];
			int64_t middle = (sample->low + sample->high) / 2;

			if (!(sample->kinds & 1u << kind))
				continue;
			set_and_see(s, sample, sample->high);
			set_and_see(s, sample, middle - middle % sample->unit);
			set_and_see(s, sample, sample->low);
		}
		expect(soq_close(s), 0);
	}
}

static void what_is_outside_is_refused_and_changes_nothing(struct fixture *t)
{
	for (unsigned kind = 0; kind < COUNT_OF(kinds); kind++) {
		struct soq_socket *s = open_kind(t, kind);

		for (unsigned i = 0; i < COUNT_OF(samples); i++) {
			int64_t before;

			if (!(samples[i].kinds & 1u << kind))
				continue;
			before = get(s, samples[i].option);
			what_is_outside_is_refused_here(s, &samples[i]);
			expect(get(s, samples[i].option), before);
		}
		for (unsigned i = 0; i < COUNT_OF(others); i++)
			if ((others[i].kinds & 1u << kind) && others[i].unit != 0)
				what_is_outside_is_refused_here(s, &others[i]);
		expect(soq_close(s), 0);
	}
}

/* The same on every kernel: nobody asks it. */
static void what_is_for_other_sockets_is_not_supported(struct fixture *t)
{
	for (unsigned kind = 0; kind < COUNT_OF(kinds); kind++) {
		struct soq_socket *s = open_kind(t, kind);

		for (unsigned i = 0; i < COUNT_OF(samples); i++)
			if (!(samples[i].kinds & 1u << kind))
				for_another(s, &samples[i]);
		for (unsigned i = 0; i < COUNT_OF(others); i++)
			if (!(others[i].kinds & 1u << kind))
				for_another(s, &others[i]);
		expect(soq_close(s), 0);
	}
}

static void what_is_read_only_says_what_the_socket_is(struct fixture *t)
{
	static const enum soq_option read_only[] = { SOQ_OPTION_FAMILY,    SOQ_OPTION_TYPE,
						     SOQ_OPTION_PROTOCOL,  SOQ_OPTION_ERROR,
						     SOQ_OPTION_LISTENING, SOQ_OPTION_MTU_BYTES };
	static const int protocols[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, 0, 0 };

	for (unsigned kind = 0; kind < COUNT_OF(kinds); kind++) {
		struct soq_socket *s = open_kind(t, kind);

		expect(get(s, SOQ_OPTION_FAMILY), kinds[kind].family);
		expect(get(s, SOQ_OPTION_TYPE), kinds[kind].type);
		expect(get(s, SOQ_OPTION_PROTOCOL), protocols[kind]);
		expect(get(s, SOQ_OPTION_LISTENING), 0);
		expect(get(s, SOQ_OPTION_ERROR), 0);
		for (unsigned i = 0; i < COUNT_OF(read_only); i++)
			expect(soq_socket_set_option(s, read_only[i], 0),
			       read_only[i] == SOQ_OPTION_MTU_BYTES && kind > 3 ? -EOPNOTSUPP
										: -ENOPROTOOPT);
		expect(soq_close(s), 0);
	}
}

/* An option of the kernel's, as it has it. */
static int raw(struct soq_socket *s, int level, int name)
{
	int value = 0;

	expect(soq_option_get(s, level, name, &value, sizeof(value)), sizeof(value));
	return value;
}

static void buffers_read_twice_what_was_set(struct fixture *t)
{
	for (unsigned kind = 0; kind < COUNT_OF(kinds); kind++) {
		struct soq_socket *s = open_kind(t, kind);

		expect(soq_socket_set_option(s, SOQ_OPTION_RECEIVE_BUFFER_BYTES, 8192), 0);
		expect(get(s, SOQ_OPTION_RECEIVE_BUFFER_BYTES), 16384);
		expect(raw(s, SOL_SOCKET, SO_RCVBUF), 16384);
		expect(soq_option_set(s, SOL_SOCKET, SO_RCVBUF, &(int){ 10000 }, sizeof(int)), 0);
		expect(raw(s, SOL_SOCKET, SO_RCVBUF), 20000);
		expect(get(s, SOQ_OPTION_RECEIVE_BUFFER_BYTES), 20000);
		expect(soq_socket_set_option(s, SOQ_OPTION_SEND_BUFFER_BYTES, 8192), 0);
		expect(get(s, SOQ_OPTION_SEND_BUFFER_BYTES), 16384);
		/* The kernel has limits, and is silent about them. */
		expect(soq_socket_set_option(s, SOQ_OPTION_SEND_BUFFER_BYTES, 0), 0);
		expect_true(get(s, SOQ_OPTION_SEND_BUFFER_BYTES) > 0);
		expect(soq_socket_set_option(s, SOQ_OPTION_RECEIVE_BUFFER_BYTES, INT32_MAX), 0);
		expect_true(get(s, SOQ_OPTION_RECEIVE_BUFFER_BYTES) > 16384);
		expect(soq_close(s), 0);
	}
}

static void times_reach_the_kernel_in_its_units(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);

	expect(soq_socket_set_option(s, SOQ_OPTION_KEEP_ALIVE_TIME_NS, 5 * SECOND), 0);
	expect(soq_socket_set_option(s, SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS, 2 * SECOND), 0);
	expect(soq_socket_set_option(s, SOQ_OPTION_KEEP_ALIVE_COUNT, 60), 0);
	expect(soq_socket_set_option(s, SOQ_OPTION_USER_TIMEOUT_NS, 1500 * MS), 0);
	expect(raw(s, IPPROTO_TCP, TCP_KEEPIDLE), 5);
	expect(raw(s, IPPROTO_TCP, TCP_KEEPINTVL), 2);
	expect(raw(s, IPPROTO_TCP, TCP_KEEPCNT), 60);
	expect(raw(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 1500);
	/* Counted in retransmissions, which double. */
	expect(soq_socket_set_option(s, SOQ_OPTION_DEFER_ACCEPT_NS, 5 * SECOND), 0);
	expect(get(s, SOQ_OPTION_DEFER_ACCEPT_NS), 7 * SECOND);
	expect(soq_socket_set_option(s, SOQ_OPTION_DEFER_ACCEPT_NS, 0), 0);
	expect(get(s, SOQ_OPTION_DEFER_ACCEPT_NS), 0);
	expect(soq_close(s), 0);
}

static void none_is_minus_one(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);

	expect(get(s, SOQ_OPTION_INCOMING_CPU), -1);
	expect(get(s, SOQ_OPTION_PACING_BYTES_PER_S), -1);
	expect(get(s, SOQ_OPTION_LINGER_NS), -1);
	expect(soq_socket_set_option(s, SOQ_OPTION_PACING_BYTES_PER_S, 1000000), 0);
	expect(get(s, SOQ_OPTION_PACING_BYTES_PER_S), 1000000);
	expect(soq_socket_set_option(s, SOQ_OPTION_PACING_BYTES_PER_S, LONG_MAX), 0);
	expect(get(s, SOQ_OPTION_PACING_BYTES_PER_S), LONG_MAX);
	expect(soq_socket_set_option(s, SOQ_OPTION_PACING_BYTES_PER_S, -1), 0);
	expect(get(s, SOQ_OPTION_PACING_BYTES_PER_S), -1);
	expect(soq_socket_set_option(s, SOQ_OPTION_INCOMING_CPU, 0), 0);
	expect(soq_socket_set_option(s, SOQ_OPTION_INCOMING_CPU, -1), 0);
	expect(get(s, SOQ_OPTION_INCOMING_CPU), -1);
	expect(soq_close(s), 0);
}

static void ipv6_sockets_have_it_for_ipv4_too(struct fixture *t)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct soq_socket *s = open_socket_of(t, AF_INET6, types[i]);

		expect(soq_socket_set_option(s, SOQ_OPTION_TTL, 7), 0);
		expect(raw(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 7);
		expect(raw(s, IPPROTO_IP, IP_TTL), 7);
		expect(soq_socket_set_option(s, SOQ_OPTION_DSCP, 46), 0);
		expect(raw(s, IPPROTO_IPV6, IPV6_TCLASS), 46 << 2);
		expect(raw(s, IPPROTO_IP, IP_TOS), 46 << 2);
		expect(soq_socket_set_option(s, SOQ_OPTION_DONT_FRAGMENT, 1), 0);
		expect(raw(s, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DO);
		expect(raw(s, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DO);
		/* On in both or off. */
		expect(soq_option_set(s, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_DONT },
				      sizeof(int)),
		       0);
		expect(get(s, SOQ_OPTION_DONT_FRAGMENT), 0);
		expect(soq_close(s), 0);
	}
}

static void class_and_mark_leave_each_other_alone(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *s = open_socket_of(t, families[i], SOCK_DGRAM);

		expect(soq_socket_set_option(s, SOQ_OPTION_ECN, 2), 0);
		expect(soq_socket_set_option(s, SOQ_OPTION_DSCP, 10), 0);
		expect(raw(s, IPPROTO_IP, IP_TOS), 10 << 2 | 2);
		expect(soq_socket_set_option(s, SOQ_OPTION_ECN, 1), 0);
		expect(get(s, SOQ_OPTION_DSCP), 10);
		expect(soq_socket_set_option(s, SOQ_OPTION_DSCP, 0), 0);
		expect(get(s, SOQ_OPTION_ECN), 1);
		expect(soq_close(s), 0);
	}
}

static const struct conf_case cases[] = {
	SYNC_CASE(what_is_set_reads_back, "5a"),
	SYNC_CASE(what_is_outside_is_refused_and_changes_nothing, "5a"),
	SYNC_CASE(what_is_for_other_sockets_is_not_supported, "5a"),
	SYNC_CASE(what_is_read_only_says_what_the_socket_is, "5a"),
	SYNC_CASE(buffers_read_twice_what_was_set, "5a B154"),
	SYNC_CASE(times_reach_the_kernel_in_its_units, "5a"),
	SYNC_CASE(none_is_minus_one, "5a"),
	SYNC_CASE(ipv6_sockets_have_it_for_ipv4_too, "5a"),
	SYNC_CASE(class_and_mark_leave_each_other_alone, "5a"),
};

CONF_GROUP(option, cases)
