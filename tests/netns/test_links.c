/* SPDX-License-Identifier: MIT */
/* Links between hosts: what fits, which one is taken, and what reaches everybody there. */
#define _GNU_SOURCE
#include "hosts.h"

#include <netinet/in.h>

#define NARROW_BYTES 1300

static void set(struct soq_socket *s, enum soq_option option, int64_t value)
{
	expect(soq_socket_set_option(s, option, value), 0);
}

static int64_t get(struct soq_socket *s, enum soq_option option)
{
	int64_t value = -4711;

	expect(soq_socket_get_option(s, option, &value), 0);
	return value;
}

static void say(struct soq_socket *s, const char *word, const struct soq_endpoint *to)
{
	expect(soq_send_to(s, word, strlen(word), 0, to), strlen(word));
}

static void hear(struct soq_socket *s, const char *word)
{
	char in[16] = "";

	expect_at(soq_recv(s, in, sizeof(in), 0), (int64_t)strlen(word), word, __FILE__, __LINE__);
	assert_string_equal(in, word);
}

static void hear_no_more(struct soq_socket *s)
{
	char in[16];

	expect(soq_recv(s, in, sizeof(in), SOQ_NOWAIT), -EAGAIN);
}

/* Waits for what a router says of a datagram that was too long for it. */
static int64_t told(struct fixture *t, unsigned way, struct soq_socket *s)
{
	struct probe *p;
	char in[16];

	if (way == 0)
		return soq_recv(s, in, sizeof(in), 0);
	p = probe_quiet(t);
	started(p, soq_recv_async(s, &p->op, in, sizeof(in), 0));
	return wait_end(p);
}

/* The link behind the router is narrower; `header_bytes` stand before the data. */
static void expect_narrow(struct fixture *t, unsigned way, const char *text, size_t header_bytes)
{
	static char bytes[3000], in[3000];
	const size_t fits = NARROW_BYTES - header_bytes;
	struct soq_endpoint ep;
	struct soq_socket *to, *from;
	struct hosts h;

	hosts_open(&h, 3);
	host_run(&h, 1, "ip link set right mtu 1300");
	host_run(&h, 2, "ip link set left mtu 1300");
	to = host_bound(t, &h, 2, SOCK_DGRAM, text, &ep);
	from = host_socket(t, &h, 0, ep.addr.any.sa_family, SOCK_DGRAM, 0);
	fill(bytes, sizeof(bytes), 1, 0);
	expect(soq_connect(from, &ep), 0);
	set(from, SOQ_OPTION_DONT_FRAGMENT, 1);
	expect(get(from, SOQ_OPTION_MTU_BYTES), 1500);
	/* More than the host's own link takes is refused here, more than the next by its router. */
	expect(soq_send(from, bytes, 1500, 0), -EMSGSIZE);
	expect(soq_send(from, bytes, fits + 1, 0), fits + 1);
	expect(told(t, way, from), -EMSGSIZE);
	expect(get(from, SOQ_OPTION_MTU_BYTES), NARROW_BYTES);
	expect(soq_send(from, bytes, fits + 1, 0), -EMSGSIZE);
	expect(soq_send(from, bytes, fits, 0), fits);
	expect(soq_recv(to, in, sizeof(in), 0), fits);
	expect_true(is_filled(in, fits, 1, 0));
	/* In pieces everything fits. */
	set(from, SOQ_OPTION_DONT_FRAGMENT, 0);
	expect(soq_send(from, bytes, sizeof(bytes), 0), sizeof(bytes));
	expect(soq_recv(to, in, sizeof(in), 0), sizeof(in));
	expect_true(is_filled(in, sizeof(in), 1, 0));
	expect(soq_close(from), 0);
	expect(soq_close(to), 0);
	hosts_close(&h);
}

static void narrow_path_is_told_and_read_back(struct fixture *t)
{
	for (unsigned way = 0; way < host_ways(t); way++) {
		expect_narrow(t, way, "10.0.1.2:0", 20 + 8);
		expect_narrow(t, way, "[fd00:1::2]:0", 40 + 8);
	}
}

/* On the router one port, and a socket of it for each link. */
static void device_hears_its_own_link(struct fixture *t)
{
	static const char *const links[2] = { "left", "right" };
	struct soq_endpoint ep = at("0.0.0.0:0"), to[2];
	struct soq_socket *s[2], *from[2];
	struct hosts h;
	char text[SOQ_OPTION_TEXT_MAX];

	hosts_open(&h, 3);
	for (unsigned i = 0; i < 2; i++) {
		s[i] = host_socket(t, &h, 1, AF_INET, SOCK_DGRAM, 0);
		from[i] = host_socket(t, &h, 2 * i, AF_INET, SOCK_DGRAM, 0);
		expect(soq_socket_set_option_text(s[i], SOQ_OPTION_DEVICE, "nowhere"), -ENODEV);
		expect(soq_socket_set_option_text(s[i], SOQ_OPTION_DEVICE, links[i]), 0);
		expect(soq_socket_get_option_text(s[i], SOQ_OPTION_DEVICE, text, sizeof(text)),
		       strlen(links[i]));
		assert_string_equal(text, links[i]);
		expect(soq_bind(s[i], &ep), 0);
		expect(soq_socket_local(s[i], &ep), 0);
	}
	to[0] = at_port("10.0.0.2:0", &ep);
	to[1] = at_port("10.0.1.1:0", &ep);
	for (unsigned i = 0; i < 2; i++)
		say(from[i], links[i], &to[i]);
	for (unsigned i = 0; i < 2; i++)
		hear(s[i], links[i]);
	for (unsigned i = 0; i < 2; i++) {
		hear_no_more(s[i]);
		expect(soq_close(s[i]), 0);
		expect(soq_close(from[i]), 0);
	}
	hosts_close(&h);
}

static void broadcast_is_allowed_first(struct fixture *t)
{
	struct soq_endpoint ep, link, all;
	struct soq_socket *to, *from;
	struct hosts h;

	hosts_open(&h, 2);
	to = host_bound(t, &h, 1, SOCK_DGRAM, "0.0.0.0:0", &ep);
	from = host_socket(t, &h, 0, AF_INET, SOCK_DGRAM, 0);
	link = at_port("10.0.0.255:0", &ep);
	all = at_port("255.255.255.255:0", &ep);
	expect(soq_socket_set_option_text(from, SOQ_OPTION_DEVICE, "right"), 0);
	expect(soq_send_to(from, "mute", 4, 0, &link), -EACCES);
	expect(soq_send_to(from, "mute", 4, 0, &all), -EACCES);
	set(from, SOQ_OPTION_BROADCAST, 1);
	say(from, "link", &link);
	say(from, "all", &all);
	hear(to, "link");
	hear(to, "all");
	hear_no_more(to);
	expect(soq_close(from), 0);
	expect(soq_close(to), 0);
	hosts_close(&h);
}

/* One that sends to groups of the link from one of host 0's addresses. */
static struct soq_socket *speaker(struct fixture *t, const struct hosts *h, const char *text)
{
	struct soq_endpoint ep;
	struct soq_socket *s = host_bound(t, h, 0, SOCK_DGRAM, text, &ep);
	int interface = soq_interface_by_name("right");

	expect_true(interface > 0);
	set(s, SOQ_OPTION_MULTICAST_INTERFACE, interface);
	return s;
}

static void expect_source(struct fixture *t, const char *any, const char *group_text,
			  const char *right, const char *wrong)
{
	struct soq_endpoint ep, group, source = at(right);
	struct soq_socket *to, *good, *bad;
	struct hosts h;
	int interface;

	hosts_open(&h, 2);
	host_run(&h, 0,
		 "ip addr add 10.0.0.7/24 dev right &&"
		 " ip -6 addr add fd00:0::7/64 dev right nodad");
	to = host_bound(t, &h, 1, SOCK_DGRAM, any, &ep);
	set(to, SOQ_OPTION_MULTICAST_ALL, 0);
	group = at_port(group_text, &ep);
	host_enter(&h, 1);
	interface = soq_interface_by_name("left");
	host_enter(&h, 0);
	expect_true(interface > 0);
	good = speaker(t, &h, right);
	bad = speaker(t, &h, wrong);
	say(good, "early", &group);
	expect(soq_multicast_join(to, &group, &source, (uint32_t)interface), 0);
	say(bad, "wrong", &group);
	say(good, "right", &group);
	hear(to, "right");
	hear_no_more(to);
	/* Whoever it comes from, once any source will do. */
	expect(soq_multicast_leave(to, &group, &source, (uint32_t)interface), 0);
	expect(soq_multicast_join(to, &group, NULL, (uint32_t)interface), 0);
	say(bad, "other", &group);
	say(good, "right", &group);
	hear(to, "other");
	hear(to, "right");
	expect(soq_close(good), 0);
	expect(soq_close(bad), 0);
	expect(soq_close(to), 0);
	hosts_close(&h);
}

static void group_of_another_host_is_heard_from_its_source(struct fixture *t)
{
	expect_source(t, "0.0.0.0:0", "239.1.2.3:0", "10.0.0.1:0", "10.0.0.7:0");
	expect_source(t, "[::]:0", "[ff15::123]:0", "[fd00:0::1]:0", "[fd00:0::7]:0");
}

static const struct conf_case cases[] = {
	SYNC_CASE(narrow_path_is_told_and_read_back, ""),
	SYNC_CASE(device_hears_its_own_link, ""),
	SYNC_CASE(broadcast_is_allowed_first, ""),
	SYNC_CASE(group_of_another_host_is_heard_from_its_source, ""),
};

CONF_GROUP(links, cases)
