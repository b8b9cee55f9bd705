/* SPDX-License-Identifier: MIT */
/* Options by name that do something beyond reading back: what they do. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define SECOND (1000 * MS)

static int64_t get(struct soq_socket *s, enum soq_option option)
{
	int64_t value = -4711;

	expect(soq_socket_get_option(s, option, &value), 0);
	return value;
}

static void set(struct soq_socket *s, enum soq_option option, int64_t value)
{
	expect(soq_socket_set_option(s, option, value), 0);
}

static void exclusive_is_the_opposite_of_sharing(struct fixture *t)
{
	struct soq_socket *tcp = open_socket(t, AF_INET);
	struct soq_socket *udp = open_socket_of(t, AF_INET, SOCK_DGRAM);

	expect(get(tcp, SOQ_OPTION_EXCLUSIVE), 1);
	expect(get(tcp, SOQ_OPTION_REUSE_PORT), 0);
	expect(get(tcp, SOQ_OPTION_REUSE_ADDRESS), 0);
	set(tcp, SOQ_OPTION_REUSE_PORT, 1);
	expect(get(tcp, SOQ_OPTION_EXCLUSIVE), 0);
	set(tcp, SOQ_OPTION_EXCLUSIVE, 1);
	expect(get(tcp, SOQ_OPTION_REUSE_PORT), 0);
	set(tcp, SOQ_OPTION_EXCLUSIVE, 0);
	expect(get(tcp, SOQ_OPTION_REUSE_PORT), 1);
	/* It lets nobody share a TCP port, and is its own. */
	expect(get(tcp, SOQ_OPTION_REUSE_ADDRESS), 0);
	set(tcp, SOQ_OPTION_EXCLUSIVE, 1);
	set(tcp, SOQ_OPTION_REUSE_ADDRESS, 1);
	expect(get(tcp, SOQ_OPTION_EXCLUSIVE), 1);

	expect(get(udp, SOQ_OPTION_EXCLUSIVE), 1);
	expect(get(udp, SOQ_OPTION_REUSE_PORT), 0);
	expect(get(udp, SOQ_OPTION_REUSE_ADDRESS), 0);
	set(udp, SOQ_OPTION_REUSE_ADDRESS, 1);
	expect(get(udp, SOQ_OPTION_REUSE_PORT), 0);
	expect(get(udp, SOQ_OPTION_EXCLUSIVE), 0);
	set(udp, SOQ_OPTION_EXCLUSIVE, 1);
	expect(get(udp, SOQ_OPTION_REUSE_ADDRESS), 0);
	set(udp, SOQ_OPTION_EXCLUSIVE, 0);
	expect(get(udp, SOQ_OPTION_REUSE_ADDRESS), 1);
	expect(get(udp, SOQ_OPTION_REUSE_PORT), 1);
	expect(soq_close(tcp), 0);
	expect(soq_close(udp), 0);
}

/* What a second socket of these options (-1: as it is) gets when bound where the first is. */
static int bind_twice(struct fixture *t, int type, int64_t first, int64_t second)
{
	struct soq_socket *a = open_socket_of(t, AF_INET, type);
	struct soq_socket *b = open_socket_of(t, AF_INET, type);
	struct soq_endpoint ep;
	int rc;

	if (first >= 0)
		set(a, SOQ_OPTION_EXCLUSIVE, first);
	if (second >= 0)
		set(b, SOQ_OPTION_EXCLUSIVE, second);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_bind(a, &ep), 0);
	expect(soq_socket_local(a, &ep), 0);
	if (type == SOCK_STREAM)
		expect(soq_listen(a, 1), 0);
	rc = soq_bind(b, &ep);
	if (rc == 0 && type == SOCK_STREAM)
		rc = soq_listen(b, 1);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	return rc;
}

static void an_address_is_shared_if_both_want_it(struct fixture *t)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		expect(bind_twice(t, types[i], -1, -1), -EADDRINUSE);
		expect(bind_twice(t, types[i], 1, 1), -EADDRINUSE);
		expect(bind_twice(t, types[i], 1, 0), -EADDRINUSE);
		expect(bind_twice(t, types[i], 0, 1), -EADDRINUSE);
		expect(bind_twice(t, types[i], 0, 0), 0);
	}
}

static void listening_tells_itself(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *listener = open_socket(t, families[i]);
		struct soq_socket *client = open_socket(t, families[i]);

		expect(get(listener, SOQ_OPTION_LISTENING), 0);
		expect(soq_listen(listener, 4), 0);
		expect(get(listener, SOQ_OPTION_LISTENING), 1);
		expect(get(client, SOQ_OPTION_LISTENING), 0);
		set(listener, SOQ_OPTION_FAST_OPEN_QUEUE, 5);
		expect(get(listener, SOQ_OPTION_FAST_OPEN_QUEUE), 5);
		set(listener, SOQ_OPTION_FAST_OPEN_QUEUE, 0);
		expect(get(listener, SOQ_OPTION_FAST_OPEN_QUEUE), 0);
		expect(get(client, SOQ_OPTION_FAST_OPEN_CONNECT), 0);
		set(client, SOQ_OPTION_FAST_OPEN_CONNECT, 1);
		expect(get(client, SOQ_OPTION_FAST_OPEN_CONNECT), 1);
		set(client, SOQ_OPTION_FAST_OPEN_CONNECT, 0);
		expect(get(client, SOQ_OPTION_FAST_OPEN_CONNECT), 0);
		expect(soq_close(client), 0);
		expect(soq_close(listener), 0);
	}
}

static void linger_is_one_whatever_sets_it(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	struct linger linger = { 1, 3 };

	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	expect(get(s, SOQ_OPTION_LINGER_NS), 3 * SECOND);
	set(s, SOQ_OPTION_LINGER_NS, 0);
	expect(soq_option_get(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), sizeof(linger));
	expect(linger.l_onoff, 1);
	expect(linger.l_linger, 0);
	set(s, SOQ_OPTION_LINGER_NS, -1);
	expect(soq_option_get(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), sizeof(linger));
	expect(linger.l_onoff, 0);
	expect(soq_close(s), 0);
}

static int linger_raw(struct soq_socket *s, int seconds)
{
	struct linger linger = { 1, seconds };

	return soq_option_set(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void linger_out_of_range_changes_nothing(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	int on = 1;

	set(s, SOQ_OPTION_LINGER_NS, 9 * SECOND);
	expect(linger_raw(s, -1), -ERANGE);
	expect(linger_raw(s, 65536), -ERANGE);
	expect(linger_raw(s, INT32_MIN), -ERANGE);
	/* No struct linger. */
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), -EINVAL);
	expect(soq_option_set(s, SOL_SOCKET, SO_LINGER, &on, 0), -EINVAL);
	expect(soq_socket_set_option(s, SOQ_OPTION_LINGER_NS, 65536 * SECOND), -ERANGE);
	expect(soq_socket_set_option(s, SOQ_OPTION_LINGER_NS, -SECOND), -ERANGE);
	expect(soq_socket_set_option(s, SOQ_OPTION_LINGER_NS, SECOND / 2), -EINVAL);
	expect(get(s, SOQ_OPTION_LINGER_NS), 9 * SECOND);
	expect(linger_raw(s, 65535), 0);
	expect(get(s, SOQ_OPTION_LINGER_NS), 65535 * SECOND);
	set(s, SOQ_OPTION_LINGER_NS, -1);
	expect(soq_close(s), 0);
}

static void linger_of_nothing_resets(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[4];

	set(s, SOQ_OPTION_LINGER_NS, 0);
	expect(soq_close(s), 0);
	expect(raw_recv(t, fd, in, 4), -ECONNRESET);
	close(fd);
}

/* The kernel gives it away once; what ended the connection is known all the same. */
static void reset_that_was_read_is_still_a_reset(struct fixture *t)
{
	static const int ways[] = { 0, 1 };

	for (unsigned i = 0; i < COUNT_OF(ways); i++) {
		int fd, error = 0;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		char in[4];

		/* Shut, so that nothing but this error tells a reset from an end. */
		expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
		raw_reset(fd);
		expect_true(soq_poll(s, SOQ_POLL_RECV, watchdog_ns()) > 0);
		if (ways[i] == 0) {
			expect(get(s, SOQ_OPTION_ERROR), -ECONNRESET);
		} else {
			expect(soq_option_get(s, SOL_SOCKET, SO_ERROR, &error, sizeof(error)),
			       sizeof(error));
			expect(error, ECONNRESET);
		}
		/* It broke the connection, so it stays and is told by everybody. */
		expect(get(s, SOQ_OPTION_ERROR), -ECONNRESET);
		expect(soq_recv(s, in, 4, 0), -ECONNRESET);
		expect(soq_close(s), 0);
	}
}

static void error_of_a_failed_connect_is_told_once(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *s;
	int holder, told;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	refused_endpoint(AF_INET, &ep, &holder);
	expect(connect(fd, &ep.addr.any, ep.size_bytes), -1);
	expect(errno, EINPROGRESS);
	expect(soq_socket_adopt(t->home, fd, &s), 0);
	told = soq_poll(s, SOQ_POLL_ERROR, watchdog_ns());
	expect_true(told > 0 && ((uint32_t)told & SOQ_POLL_ERROR));
	expect(get(s, SOQ_OPTION_ERROR), -ECONNREFUSED);
	expect(get(s, SOQ_OPTION_ERROR), 0);
	expect(soq_close(s), 0);
	close(holder);
}

static void error_of_a_datagram_is_told_once(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *deaf = bound_socket(t, AF_INET, SOCK_DGRAM, &ep);
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);

	/* It holds the port, and takes from nobody but itself. */
	expect(soq_connect(deaf, &ep), 0);
	expect(soq_connect(s, &ep), 0);
	expect(soq_send(s, "x", 1, 0), 1);
	expect_true(soq_poll(s, SOQ_POLL_RECV, watchdog_ns()) > 0);
	expect(get(s, SOQ_OPTION_ERROR), -ECONNREFUSED);
	expect(get(s, SOQ_OPTION_ERROR), 0);
	expect(soq_close(s), 0);
	expect(soq_close(deaf), 0);
}

/* The connect asks the kernel how it went: nobody may take that away. */
static void connect_in_flight_keeps_its_error(struct fixture *t)
{
	struct full_listener full;
	struct soq_socket *s = open_socket(t, AF_INET);
	struct probe *p = probe(t);

	full_listener_open(AF_INET, &full);
	started(p, soq_connect_async(s, &p->op, &full.ep));
	settle(t);
	expect(get(s, SOQ_OPTION_ERROR), 0);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	expect_end(p, -ECANCELED, 0);
	expect(soq_close(s), 0);
	full_listener_close(&full);
}

static void path_has_a_size_once_there_is_a_peer(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct datagrams d = datagrams_bound(t, families[i]);
		int64_t value = -4711;

		expect(soq_socket_get_option(d.a, SOQ_OPTION_MTU_BYTES, &value), -ENOTCONN);
		expect(value, -4711);
		expect(soq_connect(d.a, &d.at_b), 0);
		expect_true(get(d.a, SOQ_OPTION_MTU_BYTES) >= 1280);
		datagrams_close(&d);
	}
}

static void ipv6_only_is_fixed_by_the_bind(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET6);
	struct soq_endpoint ep;

	expect(soq_endpoint_loopback(AF_INET6, 0, &ep), 0);
	set(s, SOQ_OPTION_IPV6_ONLY, 1);
	expect(soq_bind(s, &ep), 0);
	expect(soq_socket_set_option(s, SOQ_OPTION_IPV6_ONLY, 0), -EINVAL);
	expect(get(s, SOQ_OPTION_IPV6_ONLY), 1);
	expect(soq_close(s), 0);
}

static void options_set_before_a_connect_are_there_after(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	struct soq_socket *accepted;
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);

	set(s, SOQ_OPTION_NO_DELAY, 1);
	set(s, SOQ_OPTION_KEEP_ALIVE, 1);
	set(s, SOQ_OPTION_TTL, 9);
	set(s, SOQ_OPTION_LINGER_NS, 4 * SECOND);
	expect(soq_connect(s, &ep), 0);
	expect(soq_accept(listener, &accepted, NULL), 0);
	expect(get(s, SOQ_OPTION_NO_DELAY), 1);
	expect(get(s, SOQ_OPTION_KEEP_ALIVE), 1);
	expect(get(s, SOQ_OPTION_TTL), 9);
	expect(get(s, SOQ_OPTION_LINGER_NS), 4 * SECOND);
	expect(soq_close(accepted), 0);
	set(s, SOQ_OPTION_LINGER_NS, -1);
	expect(soq_close(s), 0);
	expect(soq_close(listener), 0);
}

static void congestion_control_has_a_name(struct fixture *t)
{
	struct soq_socket *s = open_socket(t, AF_INET);
	char name[SOQ_OPTION_TEXT_MAX] = "";

	expect(soq_socket_set_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, "reno"), 0);
	expect(soq_socket_get_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, name, sizeof(name)), 4);
	assert_string_equal(name, "reno");
	expect(soq_socket_set_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, "no such one"),
	       -ENOENT);
	expect(soq_socket_set_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, ""), -ENOENT);
	expect(soq_socket_set_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, "sixteen bytes, 16"),
	       -ENAMETOOLONG);
	name[0] = 'X';
	expect(soq_socket_get_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, name, 4), -ENOSPC);
	expect(name[0], 'X');
	expect(soq_socket_get_option_text(s, SOQ_OPTION_CONGESTION_CONTROL, name, 5), 4);
	assert_string_equal(name, "reno");
	expect(soq_close(s), 0);
}

static void keep_alive_is_off_and_reads_back(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *s = open_socket(t, families[i]);
		unsigned char on[4] = { 1, 0xff, 0xff, 0xff };

		expect(get(s, SOQ_OPTION_KEEP_ALIVE), 0);
		set(s, SOQ_OPTION_KEEP_ALIVE, 1);
		expect(get(s, SOQ_OPTION_KEEP_ALIVE), 1);
		set(s, SOQ_OPTION_KEEP_ALIVE_TIME_NS, 5 * SECOND);
		set(s, SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS, 2 * SECOND);
		set(s, SOQ_OPTION_KEEP_ALIVE_COUNT, 60);
		expect(get(s, SOQ_OPTION_KEEP_ALIVE_TIME_NS), 5 * SECOND);
		expect(get(s, SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS), 2 * SECOND);
		expect(get(s, SOQ_OPTION_KEEP_ALIVE_COUNT), 60);
		expect(soq_socket_set_option(s, SOQ_OPTION_KEEP_ALIVE_TIME_NS, 0), -ERANGE);
		expect(soq_socket_set_option(s, SOQ_OPTION_KEEP_ALIVE_INTERVAL_NS, -1), -ERANGE);
		expect(soq_socket_set_option(s, SOQ_OPTION_KEEP_ALIVE_COUNT, 128), -ERANGE);
		/* Values that are too short set nothing, and reading into one writes no more. */
		expect(soq_option_set(s, SOL_SOCKET, SO_KEEPALIVE, on, 0), -EINVAL);
		expect(soq_option_set(s, SOL_SOCKET, SO_KEEPALIVE, on, 1), -EINVAL);
		expect(soq_option_set(s, IPPROTO_TCP, TCP_KEEPIDLE, on, 1), -EINVAL);
		expect(soq_option_get(s, SOL_SOCKET, SO_KEEPALIVE, on, 0), 0);
		expect(on[0], 1);
		expect(soq_option_get(s, SOL_SOCKET, SO_KEEPALIVE, on, 1), 1);
		expect(on[1], 0xff);
		expect(get(s, SOQ_OPTION_KEEP_ALIVE), 1);
		expect(get(s, SOQ_OPTION_KEEP_ALIVE_TIME_NS), 5 * SECOND);
		expect(soq_close(s), 0);
	}
}

/* By either of the two names that the kernel has for each. */
static void timeouts_of_the_kernel_are_refused(struct fixture *t)
{
	static const int names[] = { SO_RCVTIMEO, SO_SNDTIMEO, 66, 67 };
	struct soq_socket *s = open_socket(t, AF_INET);
	int64_t time[2] = { 1, 0 };

	for (unsigned i = 0; i < COUNT_OF(names); i++) {
		expect(soq_option_set(s, SOL_SOCKET, names[i], time, sizeof(time)), -ENOPROTOOPT);
		expect(soq_option_get(s, SOL_SOCKET, names[i], time, sizeof(time)), -ENOPROTOOPT);
	}
	expect(soq_close(s), 0);
}

static void low_water_holds_back_what_waits(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[8];

	expect(get(s, SOQ_OPTION_RECEIVE_LOW_WATER_BYTES), 1);
	set(s, SOQ_OPTION_RECEIVE_LOW_WATER_BYTES, 4);
	expect(get(s, SOQ_OPTION_RECEIVE_LOW_WATER_BYTES), 4);
	raw_send(fd, "123", 3);
	expect(soq_poll(s, SOQ_POLL_RECV, MS), 0);
	raw_send(fd, "4", 1);
	expect(soq_poll(s, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	expect(soq_recv(s, in, 8, 0), 4);
	/* An end is never held back. */
	raw_fin(fd);
	expect(soq_poll(s, SOQ_POLL_RECV, FOREVER), SOQ_POLL_RECV);
	expect(soq_recv(s, in, 8, 0), 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void urgent_data_may_stand_in_the_stream(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[4];

	set(s, SOQ_OPTION_URGENT_INLINE, 1);
	raw_send(fd, "a", 1);
	expect(send(fd, "!", 1, MSG_OOB), 1);
	raw_send(fd, "b", 1);
	expect(soq_recv(s, in, 3, SOQ_EXACT), 3);
	assert_memory_equal(in, "a!b", 3);
	expect(soq_close(s), 0);
	close(fd);
}

/* To itself: what the headers say is what arrives. Not everybody may. */
static void header_of_a_raw_socket_may_be_the_callers(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *s = NULL;
		int error = soq_socket_open(t->home, families[i], SOCK_RAW, 253, &s);

		if (error != 0) {
			expect(error, -EPERM);
			continue;
		}
		expect(get(s, SOQ_OPTION_HEADER_INCLUDED), 0);
		set(s, SOQ_OPTION_HEADER_INCLUDED, 1);
		expect(get(s, SOQ_OPTION_HEADER_INCLUDED), 1);
		expect(soq_socket_set_option(s, SOQ_OPTION_HEADER_INCLUDED, 2), -ERANGE);
		expect(soq_socket_set_option(s, SOQ_OPTION_NO_CHECKSUM, 1), -EOPNOTSUPP);
		expect(soq_close(s), 0);
	}
}

/* What has no name here has the kernel's. */
static void raw_options_reach_the_rest(struct fixture *t)
{
	/* Option 1, no operation, and the end. */
	static const unsigned char ip_options[4] = { 1, 1, 1, 0 };
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM), *lite = NULL;
	unsigned char back[40];
	int value = 0, error;

	expect(soq_option_set(s, IPPROTO_IP, IP_OPTIONS, ip_options, 4), 0);
	expect(soq_option_get(s, IPPROTO_IP, IP_OPTIONS, back, sizeof(back)), 4);
	assert_memory_equal(back, ip_options, 4);
	expect(soq_option_get(s, SOL_SOCKET, SO_SNDLOWAT, &value, sizeof(value)), sizeof(value));
	expect(value, 1);
	expect(soq_option_set(s, SOL_SOCKET, SO_SNDLOWAT, &value, sizeof(value)), -ENOPROTOOPT);
	expect(soq_option_get(s, SOL_SOCKET, SO_DEBUG, &value, sizeof(value)), sizeof(value));
	expect(value, 0);
	expect(soq_option_set(s, IPPROTO_IP, 4711, &value, sizeof(value)), -ENOPROTOOPT);
	expect(soq_option_get(s, IPPROTO_IP, 4711, &value, sizeof(value)), -ENOPROTOOPT);
	expect(soq_close(s), 0);

	/* UDP-Lite, where the kernel still has it: how far checksums go. */
	error = soq_socket_open(t->home, AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, &lite);
	if (error != 0) {
		expect(error, -EPROTONOSUPPORT);
		return;
	}
	value = 8;
	expect(soq_option_set(lite, IPPROTO_UDPLITE, 10, &value, sizeof(value)), 0);
	value = 0;
	expect(soq_option_get(lite, IPPROTO_UDPLITE, 10, &value, sizeof(value)), sizeof(value));
	expect(value, 8);
	expect(soq_close(lite), 0);
}

/* The kernel would make an IPv4 socket of it, under everybody who knows its family. */
static void family_stays_what_it_is(struct fixture *t)
{
	struct soq_socket *s = open_socket_of(t, AF_INET6, SOCK_DGRAM);
	struct soq_endpoint ep;
	const int family = AF_INET;

	expect(soq_endpoint_parse("[::ffff:127.0.0.1]:9", &ep), 0);
	expect(soq_connect(s, &ep), 0);
	expect(soq_option_set(s, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)),
	       -ENOPROTOOPT);
	expect(get(s, SOQ_OPTION_FAMILY), AF_INET6);
	expect(soq_socket_local(s, &ep), 0);
	expect(ep.addr.any.sa_family, AF_INET6);
	expect(soq_close(s), 0);
}

static void device_is_a_name_and_a_number(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	char name[SOQ_OPTION_TEXT_MAX] = "x";
	char in[4];

	expect(soq_socket_get_option_text(d.a, SOQ_OPTION_DEVICE, name, 1), 0);
	assert_string_equal(name, "");
	expect(get(d.a, SOQ_OPTION_DEVICE), 0);
	expect(soq_socket_set_option_text(d.a, SOQ_OPTION_DEVICE, "no such device"), -ENODEV);
	expect(soq_socket_set_option_text(d.a, SOQ_OPTION_DEVICE, "lo"), 0);
	expect(get(d.a, SOQ_OPTION_DEVICE), if_nametoindex("lo"));
	expect(soq_socket_get_option_text(d.a, SOQ_OPTION_DEVICE, name, sizeof(name)), 2);
	assert_string_equal(name, "lo");
	set(d.b, SOQ_OPTION_DEVICE, if_nametoindex("lo"));
	expect(soq_socket_get_option_text(d.b, SOQ_OPTION_DEVICE, name, sizeof(name)), 2);
	expect(soq_send_to(d.a, "hi", 2, 0, &d.at_b), 2);
	expect(soq_recv(d.b, in, 4, 0), 2);
	datagrams_close(&d);
}

static void texts_are_for_their_sockets(struct fixture *t)
{
	struct soq_socket *udp = open_socket_of(t, AF_INET, SOCK_DGRAM);
	struct soq_socket *local = open_socket(t, AF_UNIX);
	char name[SOQ_OPTION_TEXT_MAX] = "";

	expect(soq_socket_set_option_text(udp, SOQ_OPTION_CONGESTION_CONTROL, "reno"), -EOPNOTSUPP);
	expect(soq_socket_get_option_text(local, SOQ_OPTION_DEVICE, name, 16), -EOPNOTSUPP);
	expect(soq_socket_set_option_text(udp, SOQ_OPTION_NO_DELAY, "1"), -EINVAL);
	expect(soq_close(udp), 0);
	expect(soq_close(local), 0);
}

static void tcp_tells_of_a_connection(struct fixture *t)
{
	struct soq_tcp_info info = { .size = sizeof(info) };
	struct soq_socket *a, *b;
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	char in[8];

	expect(soq_socket_tcp_info(listener, &info), 0);
	expect(info.state, TCP_LISTEN);
	a = open_socket(t, AF_INET);
	expect(soq_socket_tcp_info(a, &info), 0);
	expect(info.state, TCP_CLOSE);
	expect(info.rtt_min_ns, 0);
	expect(soq_connect(a, &ep), 0);
	expect(soq_accept(listener, &b, NULL), 0);
	expect(soq_send(a, "12345678", 8, 0), 8);
	expect(soq_recv(b, in, 8, SOQ_EXACT), 8);
	expect(soq_socket_tcp_info(b, &info), 0);
	expect(info.size, sizeof(info));
	expect(info.state, TCP_ESTABLISHED);
	expect(info.received_bytes, 8);
	expect(soq_socket_tcp_info(a, &info), 0);
	expect(info.sent_bytes, 8);
	expect(info.retransmitted_bytes, 0);
	expect_true(info.rtt_ns > 0 && info.rtt_ns < 5 * SECOND);
	expect_true(info.retransmit_timeout_ns >= info.rtt_ns);
	expect_true(info.segment_bytes > 0 && info.mtu_bytes > info.segment_bytes);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	expect(soq_close(listener), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(exclusive_is_the_opposite_of_sharing, "5a B151"),
	SYNC_CASE(an_address_is_shared_if_both_want_it, "5a B095 B152"),
	SYNC_CASE(listening_tells_itself, "5a B155"),
	SYNC_CASE(linger_is_one_whatever_sets_it, "13h"),
	SYNC_CASE(linger_out_of_range_changes_nothing, "5a B156"),
	SYNC_CASE(linger_of_nothing_resets, "13h"),
	SYNC_CASE(reset_that_was_read_is_still_a_reset, "7a 7d"),
	SYNC_CASE(error_of_a_failed_connect_is_told_once, "5a B153"),
	SYNC_CASE(error_of_a_datagram_is_told_once, "5a"),
	CASE(connect_in_flight_keeps_its_error, "5a"),
	SYNC_CASE(path_has_a_size_once_there_is_a_peer, "5a"),
	SYNC_CASE(ipv6_only_is_fixed_by_the_bind, "5a"),
	SYNC_CASE(options_set_before_a_connect_are_there_after, ""),
	SYNC_CASE(keep_alive_is_off_and_reads_back, "5a B150"),
	SYNC_CASE(low_water_holds_back_what_waits, "5a"),
	SYNC_CASE(urgent_data_may_stand_in_the_stream, "5a"),
	SYNC_CASE(header_of_a_raw_socket_may_be_the_callers, "5a"),
	SYNC_CASE(raw_options_reach_the_rest, "5a"),
	SYNC_CASE(family_stays_what_it_is, "5a"),
	SYNC_CASE(timeouts_of_the_kernel_are_refused, "5a"),
	SYNC_CASE(congestion_control_has_a_name, "5a"),
	SYNC_CASE(device_is_a_name_and_a_number, "5a"),
	SYNC_CASE(texts_are_for_their_sockets, "5a"),
	SYNC_CASE(tcp_tells_of_a_connection, "5a"),
};

CONF_GROUP(option_meaning, cases)
