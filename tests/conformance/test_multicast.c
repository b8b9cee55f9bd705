/* SPDX-License-Identifier: MIT */
/*
 * Multicast on this machine alone: groups joined on the loopback interface, and of IPv6,
 * which has no route to a group there, on whichever interface has one. No datagram
 * leaves the machine: those that could have a time to live of 0.
 */
#define _GNU_SOURCE
#include "support.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

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

static uint32_t loopback(void)
{
	int number = soq_interface_by_name("lo");

	expect_true(number > 0);
	return (uint32_t)number;
}

static struct soq_endpoint endpoint(const char *text)
{
	struct soq_endpoint ep;

	expect(soq_endpoint_parse(text, &ep), 0);
	return ep;
}

/* Bound to the wildcard; hears only what it has joined. `*group`: gets its port. */
static struct soq_socket *receiver(struct fixture *t, int family, struct soq_endpoint *group)
{
	struct soq_socket *s = open_socket_of(t, family, SOCK_DGRAM);
	struct soq_endpoint ep;

	set(s, SOQ_OPTION_MULTICAST_ALL, 0);
	expect(soq_endpoint_any(family, 0, &ep), 0);
	expect(soq_bind(s, &ep), 0);
	expect(soq_socket_local(s, &ep), 0);
	if (group->addr.any.sa_family == AF_INET)
		group->addr.ipv4.sin_port = ep.addr.ipv4.sin_port;
	else
		group->addr.ipv6.sin6_port = ep.addr.ipv6.sin6_port;
	return s;
}

/* One that sends by `interface`, from an address of this machine or any. */
static struct soq_socket *sender(struct fixture *t, int family, const char *from,
				 uint32_t interface)
{
	struct soq_socket *s = open_socket_of(t, family, SOCK_DGRAM);
	struct soq_endpoint ep;

	set(s, SOQ_OPTION_MULTICAST_INTERFACE, interface);
	set(s, SOQ_OPTION_MULTICAST_TTL, 0);
	if (from != NULL) {
		ep = endpoint(from);
		expect(soq_bind(s, &ep), 0);
	}
	return s;
}

static void say(struct soq_socket *s, const char *word, const struct soq_endpoint *to)
{
	expect(soq_send_to(s, word, strlen(word), 0, to), strlen(word));
}

static void hear(struct soq_socket *s, const char *word)
{
	char in[16] = "";

	expect(soq_socket_set_timeouts(s, watchdog_ns(), watchdog_ns()), 0);
	expect(soq_recv(s, in, sizeof(in), 0), strlen(word));
	assert_string_equal(in, word);
}

/* The receiver's own address: what is sent there comes, group or not. */
static struct soq_endpoint direct(const char *host, const struct soq_endpoint *group)
{
	struct soq_endpoint ep = endpoint(host);

	if (ep.addr.any.sa_family == AF_INET)
		ep.addr.ipv4.sin_port = group->addr.ipv4.sin_port;
	else
		ep.addr.ipv6.sin6_port = group->addr.ipv6.sin6_port;
	return ep;
}

static void group_is_heard_until_it_is_left(struct fixture *t)
{
	struct soq_endpoint group = endpoint("239.1.2.3:0");
	struct soq_socket *to = receiver(t, AF_INET, &group);
	struct soq_socket *from = sender(t, AF_INET, "127.0.0.1:0", loopback());
	struct soq_endpoint itself = direct("127.0.0.1:0", &group);

	say(from, "early", &group);
	expect(soq_multicast_join(to, &group, NULL, loopback()), 0);
	say(from, "joined", &group);
	hear(to, "joined");
	expect(soq_multicast_leave(to, &group, NULL, loopback()), 0);
	say(from, "late", &group);
	say(from, "itself", &itself);
	hear(to, "itself");
	expect(soq_close(to), 0);
	expect(soq_close(from), 0);
}

static void source_is_heard_and_no_other(struct fixture *t)
{
	struct soq_endpoint group = endpoint("232.1.2.3:0");
	struct soq_endpoint one = endpoint("127.0.0.1:9"), two = endpoint("127.0.0.2:0");
	struct soq_socket *to = receiver(t, AF_INET, &group);
	struct soq_socket *from_one = sender(t, AF_INET, "127.0.0.1:0", loopback());
	struct soq_socket *from_two = sender(t, AF_INET, "127.0.0.2:0", loopback());

	expect(soq_multicast_join(to, &group, &one, loopback()), 0);
	say(from_two, "not", &group);
	say(from_one, "one", &group);
	hear(to, "one");
	expect(soq_multicast_join(to, &group, &two, loopback()), 0);
	say(from_two, "two", &group);
	hear(to, "two");
	expect(soq_multicast_leave(to, &group, &one, loopback()), 0);
	say(from_one, "not", &group);
	say(from_two, "two", &group);
	hear(to, "two");
	expect(soq_close(to), 0);
	expect(soq_close(from_one), 0);
	expect(soq_close(from_two), 0);
}

static void blocked_source_is_not_heard(struct fixture *t)
{
	struct soq_endpoint group = endpoint("239.1.2.4:0");
	struct soq_endpoint one = endpoint("127.0.0.1:9");
	struct soq_socket *to = receiver(t, AF_INET, &group);
	struct soq_socket *from_one = sender(t, AF_INET, "127.0.0.1:0", loopback());
	struct soq_socket *from_two = sender(t, AF_INET, "127.0.0.2:0", loopback());

	expect(soq_multicast_block(to, &group, &one, loopback()), -EINVAL);
	expect(soq_multicast_join(to, &group, NULL, loopback()), 0);
	expect(soq_multicast_unblock(to, &group, &one, loopback()), -EADDRNOTAVAIL);
	expect(soq_multicast_block(to, &group, &one, loopback()), 0);
	expect(soq_multicast_block(to, &group, &one, loopback()), -EADDRNOTAVAIL);
	say(from_one, "not", &group);
	say(from_two, "two", &group);
	hear(to, "two");
	expect(soq_multicast_unblock(to, &group, &one, loopback()), 0);
	say(from_one, "one", &group);
	hear(to, "one");
	/* Who has joined from certain sources blocks the others anyway. */
	expect(soq_multicast_leave(to, &group, NULL, loopback()), 0);
	expect(soq_multicast_join(to, &group, &one, loopback()), 0);
	expect(soq_multicast_block(to, &group, &one, loopback()), -EINVAL);
	expect(soq_close(to), 0);
	expect(soq_close(from_one), 0);
	expect(soq_close(from_two), 0);
}

static void ipv6_sockets_join_groups_of_ipv4(struct fixture *t)
{
	struct soq_endpoint group = endpoint("[::ffff:239.1.2.3]:0");
	struct soq_endpoint source = endpoint("[::ffff:127.0.0.1]:0");
	struct soq_socket *to = receiver(t, AF_INET6, &group);
	struct soq_socket *from = sender(t, AF_INET6, "[::ffff:127.0.0.1]:0", loopback());

	expect(soq_multicast_join(to, &group, NULL, loopback()), 0);
	say(from, "any", &group);
	hear(to, "any");
	expect(soq_multicast_leave(to, &group, NULL, loopback()), 0);
	expect(soq_multicast_join(to, &group, &source, loopback()), 0);
	say(from, "source", &group);
	hear(to, "source");
	expect(soq_close(to), 0);
	expect(soq_close(from), 0);
}

/* An interface with an IPv6 address that groups are routed by; 0 if there is none. */
static uint32_t ipv6_interface(char *address, size_t size)
{
	struct ifaddrs *all, *a;
	uint32_t number = 0;

	expect(getifaddrs(&all), 0);
	for (a = all; a != NULL && number == 0; a = a->ifa_next) {
		struct soq_endpoint ep;
		unsigned wanted = IFF_UP | IFF_RUNNING | IFF_MULTICAST;

		if (a->ifa_addr == NULL || a->ifa_addr->sa_family != AF_INET6 ||
		    (a->ifa_flags & wanted) != wanted)
			continue;
		expect(soq_endpoint_from(a->ifa_addr, sizeof(struct sockaddr_in6), &ep), 0);
		if (!IN6_IS_ADDR_LINKLOCAL(&ep.addr.ipv6.sin6_addr))
			continue;
		expect_true(soq_endpoint_format(&ep, address, size) > 0);
		number = if_nametoindex(a->ifa_name);
	}
	freeifaddrs(all);
	return number;
}

/* Where no interface has a route to a group, the system says so. */
static void ipv6_has_no_route(struct fixture *t)
{
	struct soq_endpoint group = endpoint("[ff12::4242]:9");
	struct soq_socket *s = sender(t, AF_INET6, NULL, loopback());

	expect(soq_multicast_join(s, &group, NULL, loopback()), 0);
	expect(soq_multicast_leave(s, &group, NULL, loopback()), 0);
	expect(soq_send_to(s, "x", 1, 0, &group), -ENETUNREACH);
	expect(soq_close(s), 0);
}

static void ipv6_groups_are_heard_until_they_are_left(struct fixture *t)
{
	struct soq_endpoint group = endpoint("[ff12::4242]:0");
	char address[SOQ_ENDPOINT_TEXT_MAX];
	uint32_t interface = ipv6_interface(address, sizeof(address));
	struct soq_endpoint source, itself, scoped;
	struct soq_socket *to, *from;

	if (interface == 0) {
		ipv6_has_no_route(t);
		return;
	}
	source = endpoint(address);
	to = receiver(t, AF_INET6, &group);
	from = sender(t, AF_INET6, address, interface);
	itself = direct(address, &group);
	expect(soq_multicast_join(to, &group, NULL, interface), 0);
	say(from, "joined", &group);
	hear(to, "joined");
	/* Not for this machine, and so for nobody. */
	set(from, SOQ_OPTION_MULTICAST_LOOPBACK, 0);
	say(from, "silent", &group);
	set(from, SOQ_OPTION_MULTICAST_LOOPBACK, 1);
	expect(soq_multicast_leave(to, &group, NULL, interface), 0);
	say(from, "left", &group);
	scoped = group;
	scoped.addr.ipv6.sin6_scope_id = interface;
	expect(soq_multicast_join(to, &scoped, NULL, 0), 0);
	expect(soq_multicast_join(to, &group, NULL, interface), -EADDRINUSE);
	expect(soq_multicast_leave(to, &group, NULL, interface), 0);
	expect(soq_multicast_join(to, &group, &source, interface), 0);
	say(from, "source", &group);
	hear(to, "source");
	expect(soq_multicast_leave(to, &group, &source, interface), 0);
	say(from, "left", &group);
	say(from, "itself", &itself);
	hear(to, "itself");
	expect(soq_close(to), 0);
	expect(soq_close(from), 0);
}

/* Interface 0: there may be a route to groups, or none. */
static void system_may_choose_the_interface(struct fixture *t)
{
	struct soq_endpoint group = endpoint("239.1.2.3:0");
	struct soq_socket *to = receiver(t, AF_INET, &group);
	struct soq_socket *from = sender(t, AF_INET, NULL, 0);
	int rc = soq_multicast_join(to, &group, NULL, 0);

	if (rc == 0) {
		say(from, "hello", &group);
		hear(to, "hello");
		expect(soq_multicast_leave(to, &group, NULL, 0), 0);
	} else {
		expect(rc, -ENODEV);
		expect(soq_send_to(from, "hello", 5, 0, &group), -ENETUNREACH);
	}
	expect(soq_close(to), 0);
	expect(soq_close(from), 0);
}

static void what_the_kernel_refuses_is_told(struct fixture *t)
{
	struct soq_endpoint group = endpoint("239.1.2.3:0"), other = endpoint("239.1.2.4:0");
	struct soq_endpoint source = endpoint("127.0.0.1:0");
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
	uint32_t lo = loopback();

	expect(soq_multicast_leave(s, &group, NULL, lo), -EADDRNOTAVAIL);
	expect(soq_multicast_join(s, &group, NULL, INT32_MAX), -ENODEV);
	expect(soq_multicast_join(s, &group, NULL, lo), 0);
	expect(soq_multicast_join(s, &group, NULL, lo), -EADDRINUSE);
	expect(soq_multicast_join(s, &other, &source, lo), 0);
	expect(soq_multicast_join(s, &other, &source, lo), -EADDRNOTAVAIL);
	expect(soq_multicast_leave(s, &other, &source, lo), 0);
	expect(soq_multicast_leave(s, &group, NULL, lo), 0);
	expect(soq_close(s), 0);
}

static void interface_goes_before_the_scope(struct fixture *t)
{
	struct soq_endpoint group = endpoint("[ff12::4242]:0"), scoped = group;
	struct soq_socket *s = open_socket_of(t, AF_INET6, SOCK_DGRAM);

	scoped.addr.ipv6.sin6_scope_id = INT32_MAX;
	expect(soq_multicast_join(s, &scoped, NULL, 0), -ENODEV);
	expect(soq_multicast_join(s, &scoped, NULL, loopback()), 0);
	expect(soq_multicast_join(s, &group, NULL, loopback()), -EADDRINUSE);
	expect(soq_multicast_leave(s, &group, NULL, loopback()), 0);
	expect(soq_close(s), 0);
}

static void what_makes_no_sense_is_refused(struct fixture *t)
{
	struct soq_endpoint group = endpoint("239.1.2.3:0"), host = endpoint("127.0.0.1:0");
	struct soq_endpoint group6 = endpoint("[ff12::1]:0"), host6 = endpoint("[::1]:0");
	struct soq_endpoint mapped = endpoint("[::ffff:239.1.2.3]:0");
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);
	struct soq_socket *s6 = open_socket_of(t, AF_INET6, SOCK_DGRAM);
	struct soq_socket *tcp = open_socket(t, AF_INET);
	struct soq_socket *local = open_socket_of(t, AF_UNIX, SOCK_DGRAM);
	uint32_t lo = loopback();

	expect(soq_multicast_join(s, &host, NULL, lo), -EINVAL);
	expect(soq_multicast_join(s, &group, &group, lo), -EINVAL);
	expect(soq_multicast_join(s, &group6, NULL, lo), -EAFNOSUPPORT);
	expect(soq_multicast_join(s, &group, &host6, lo), -EAFNOSUPPORT);
	expect(soq_multicast_join(s6, &group, NULL, lo), -EAFNOSUPPORT);
	expect(soq_multicast_join(s6, &host6, NULL, lo), -EINVAL);
	expect(soq_multicast_join(s6, &mapped, &host6, lo), -EINVAL);
	expect(soq_multicast_join(s, &group, NULL, (uint32_t)INT32_MAX + 1), -ERANGE);
	expect(soq_multicast_join(tcp, &group, NULL, lo), -EOPNOTSUPP);
	expect(soq_multicast_leave(local, &group, NULL, lo), -EOPNOTSUPP);
	expect(soq_close(s), 0);
	expect(soq_close(s6), 0);
	expect(soq_close(tcp), 0);
	expect(soq_close(local), 0);
}

static void source_narrows_a_group_joined_from_everybody(struct fixture *t)
{
	struct soq_endpoint group = endpoint("239.1.2.3:0"), one = endpoint("127.0.0.1:0");
	struct soq_socket *to = receiver(t, AF_INET, &group);
	struct soq_socket *from_one = sender(t, AF_INET, "127.0.0.1:0", loopback());
	struct soq_socket *from_two = sender(t, AF_INET, "127.0.0.2:0", loopback());

	expect(soq_multicast_join(to, &group, NULL, loopback()), 0);
	expect(soq_multicast_join(to, &group, &one, loopback()), 0);
	say(from_two, "not", &group);
	say(from_one, "one", &group);
	hear(to, "one");
	expect(soq_multicast_join(to, &group, NULL, loopback()), -EADDRINUSE);
	expect(soq_close(to), 0);
	expect(soq_close(from_one), 0);
	expect(soq_close(from_two), 0);
}

static void outgoing_interface_reads_back(struct fixture *t)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (unsigned i = 0; i < COUNT_OF(families); i++) {
		struct soq_socket *s = open_socket_of(t, families[i], SOCK_DGRAM);

		expect(get(s, SOQ_OPTION_MULTICAST_INTERFACE), 0);
		set(s, SOQ_OPTION_MULTICAST_INTERFACE, loopback());
		expect(get(s, SOQ_OPTION_MULTICAST_INTERFACE), loopback());
		expect(soq_socket_set_option(s, SOQ_OPTION_MULTICAST_INTERFACE, INT32_MAX),
		       -ENODEV);
		expect(get(s, SOQ_OPTION_MULTICAST_INTERFACE), loopback());
		set(s, SOQ_OPTION_MULTICAST_INTERFACE, 0);
		expect(get(s, SOQ_OPTION_MULTICAST_INTERFACE), 0);
		expect(soq_close(s), 0);
	}
}

static void outgoing_interface_moves_with_the_socket(struct fixture *t)
{
	struct soq_socket *s = open_socket_of(t, AF_INET, SOCK_DGRAM);

	set(s, SOQ_OPTION_MULTICAST_INTERFACE, loopback());
	expect(soq_socket_detach(s, &s), 0);
	expect(get(s, SOQ_OPTION_MULTICAST_INTERFACE), loopback());
	expect(soq_socket_attach(t->loop, s, &s), 0);
	expect(get(s, SOQ_OPTION_MULTICAST_INTERFACE), loopback());
	expect(soq_close(s), 0);
}

static void interfaces_are_found(struct fixture *t)
{
	struct soq_endpoint ep = endpoint("127.0.0.1:7");
	struct ifaddrs *all, *a;

	(void)t;
	expect(soq_interface_by_name("lo"), if_nametoindex("lo"));
	expect(soq_interface_by_name("no such one"), -ENODEV);
	expect(soq_interface_by_address(&ep), loopback());
	ep = endpoint("[::ffff:127.0.0.1]:0");
	expect(soq_interface_by_address(&ep), loopback());
	ep = endpoint("198.51.100.7:0");
	expect(soq_interface_by_address(&ep), -EADDRNOTAVAIL);
	ep = endpoint("[2001:db8::7]:0");
	expect(soq_interface_by_address(&ep), -EADDRNOTAVAIL);
	expect(soq_endpoint_unix("x", &ep), 0);
	expect(soq_interface_by_address(&ep), -EAFNOSUPPORT);
	/* Each address the C library knows of, with its scope. */
	expect(getifaddrs(&all), 0);
	for (a = all; a != NULL; a = a->ifa_next) {
		int family = a->ifa_addr != NULL ? a->ifa_addr->sa_family : AF_UNSPEC;

		if (family != AF_INET && family != AF_INET6)
			continue;
		expect(soq_endpoint_from(a->ifa_addr,
					 family == AF_INET ? sizeof(struct sockaddr_in)
							   : sizeof(struct sockaddr_in6),
					 &ep),
		       0);
		expect(soq_interface_by_address(&ep), if_nametoindex(a->ifa_name));
	}
	freeifaddrs(all);
}

static const struct conf_case cases[] = {
	SYNC_CASE(group_is_heard_until_it_is_left, ""),
	SYNC_CASE(source_is_heard_and_no_other, ""),
	SYNC_CASE(blocked_source_is_not_heard, "5a"),
	SYNC_CASE(ipv6_sockets_join_groups_of_ipv4, ""),
	SYNC_CASE(ipv6_groups_are_heard_until_they_are_left, ""),
	SYNC_CASE(system_may_choose_the_interface, "B091"),
	SYNC_CASE(what_the_kernel_refuses_is_told, "5a"),
	SYNC_CASE(interface_goes_before_the_scope, "5a"),
	SYNC_CASE(what_makes_no_sense_is_refused, "5a"),
	SYNC_CASE(source_narrows_a_group_joined_from_everybody, ""),
	SYNC_CASE(outgoing_interface_reads_back, "5a"),
	CASE(outgoing_interface_moves_with_the_socket, ""),
	SYNC_CASE(interfaces_are_found, "5a"),
};

CONF_GROUP(multicast, cases)
