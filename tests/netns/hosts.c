/* SPDX-License-Identifier: MIT */
/* Network namespaces as hosts of a small network. */
#define _GNU_SOURCE
#include "hosts.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static int current_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	expect_true(fd >= 0);
	return fd;
}

static void enter(int fd)
{
	expect(setns(fd, CLONE_NEWNET) == 0 ? 0 : -errno, 0);
}

static void run_here(const char *command)
{
	int status = system(command); /* NOLINT(cert-env33-c): the tests' own commands */

	if (status != 0)
		fprintf(stderr, "failed: %s\n", command);
	expect(status, 0);
}

void host_enter(const struct hosts *h, unsigned host)
{
	expect_true(host < h->count);
	enter(h->fds[host]);
}

void host_run(const struct hosts *h, unsigned host, const char *command)
{
	host_enter(h, host);
	run_here(command);
	host_enter(h, 0);
}

void host_rule(const struct hosts *h, unsigned host, const char *rule)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "nft 'add table inet t; add chain inet t c { type filter hook input priority 0; };"
		 " add rule inet t c %s'",
		 rule);
	host_run(h, host, command);
}

void host_sysctl(const struct hosts *h, unsigned host, const char *name, const char *value)
{
	char command[256];

	snprintf(command, sizeof(command), "echo %s >/proc/sys/%s", value, name);
	host_run(h, host, command);
}

static void host_make(struct hosts *h)
{
	expect(unshare(CLONE_NEWNET) == 0 ? 0 : -errno, 0);
	run_here("ip link set lo up");
	h->fds[h->count++] = current_namespace();
}

/*
 * The addresses of an end, both in use when this returns: nobody is asked whether they
 * are taken, but the kernel makes the route to the second a little later. What came for it
 * before that would be lost, and sent again after a second that TCP takes for the
 * length of the way.
 */
static void link_end(const struct hosts *h, unsigned host, const char *name, unsigned link,
		     unsigned end)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "ip addr add 10.0.%u.%u/24 brd + dev %s &&"
		 " ip -6 addr add fd00:%u::%u/64 dev %s nodad &&"
		 " until ip -6 route get fd00:%u::%u | grep -q ^local; do :; done",
		 link, end, name, link, end, name, link, end);
	host_run(h, host, command);
}

static void link_up(const struct hosts *h, unsigned host, const char *name)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "echo 0 >/proc/sys/net/ipv6/conf/%s/accept_dad && ip link set %s up", name, name);
	host_run(h, host, command);
}

/* An end learns that the other is up a little later too, or when somebody asks it. */
static void link_ask(const struct hosts *h, unsigned host, const char *name)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq request = { .ifr_data = (void *)&link };
	int fd;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	host_enter(h, host);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	expect_true(fd >= 0);
	expect(ioctl(fd, SIOCETHTOOL, &request) == 0 ? 0 : -errno, 0);
	expect(link.data, 1);
	expect(close(fd), 0);
	host_enter(h, 0);
}

static void link_make(const struct hosts *h, unsigned link)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "ip link add right type veth peer name left netns /proc/%d/fd/%d", (int)getpid(),
		 h->fds[link + 1]);
	host_run(h, link, command);
	link_up(h, link + 1, "left");
	link_up(h, link, "right");
	link_ask(h, link + 1, "left");
	link_ask(h, link, "right");
	link_end(h, link + 1, "left", link, 2);
	link_end(h, link, "right", link, 1);
}

static void routes_make(const struct hosts *h)
{
	host_sysctl(h, 1, "net/ipv4/ip_forward", "1");
	host_sysctl(h, 1, "net/ipv6/conf/all/forwarding", "1");
	host_run(h, 0,
		 "ip route add default via 10.0.0.2 && ip -6 route add default via fd00:0::2");
	host_run(h, 2,
		 "ip route add default via 10.0.1.1 && ip -6 route add default via fd00:1::1");
}

void hosts_open(struct hosts *h, unsigned count)
{
	*h = (struct hosts){ .outside = current_namespace() };
	for (unsigned i = 0; i < count; i++)
		host_make(h);
	for (unsigned i = 0; i + 1 < count; i++)
		link_make(h, i);
	if (count == HOSTS_MAX)
		routes_make(h);
	host_enter(h, 0);
}

void hosts_close(struct hosts *h)
{
	enter(h->outside);
	for (unsigned i = 0; i < h->count; i++)
		expect(close(h->fds[i]), 0);
	expect(close(h->outside), 0);
}

struct soq_socket *host_socket(struct fixture *t, const struct hosts *h, unsigned host, int family,
			       int type, int protocol)
{
	struct soq_socket *s = NULL;

	host_enter(h, host);
	expect(soq_socket_open(t->home, family, type, protocol, &s), 0);
	host_enter(h, 0);
	assert_non_null(s);
	/* Nothing here may wait for ever. */
	expect(soq_socket_set_timeouts(s, watchdog_ns(), watchdog_ns()), 0);
	return s;
}

struct soq_endpoint at(const char *text)
{
	struct soq_endpoint ep;

	expect_at(soq_endpoint_parse(text, &ep), 0, text, __FILE__, __LINE__);
	return ep;
}

struct soq_endpoint at_port(const char *text, const struct soq_endpoint *port_of)
{
	struct soq_endpoint ep = at(text);
	uint16_t port = htons((uint16_t)soq_endpoint_port(port_of));

	if (ep.addr.any.sa_family == AF_INET)
		ep.addr.ipv4.sin_port = port;
	else
		ep.addr.ipv6.sin6_port = port;
	return ep;
}

struct soq_socket *host_bound(struct fixture *t, const struct hosts *h, unsigned host, int type,
			      const char *text, struct soq_endpoint *ep_out)
{
	struct soq_endpoint ep = at(text);
	struct soq_socket *s = host_socket(t, h, host, ep.addr.any.sa_family, type, 0);

	expect(soq_bind(s, &ep), 0);
	expect(soq_socket_local(s, ep_out), 0);
	return s;
}

void host_pair(struct fixture *t, const struct hosts *h, unsigned host, const char *text,
	       struct soq_socket **a, struct soq_socket **b)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = host_bound(t, h, host, SOCK_STREAM, text, &ep);

	expect(soq_listen(listener, 0), 0);
	*a = host_socket(t, h, 0, ep.addr.any.sa_family, SOCK_STREAM, 0);
	expect(soq_connect(*a, &ep), 0);
	expect(soq_accept(listener, b, NULL), 0);
	expect(soq_socket_set_timeouts(*b, watchdog_ns(), watchdog_ns()), 0);
	expect(soq_close(listener), 0);
}

unsigned host_ways(const struct fixture *t)
{
	return t->home ? 2 : 1;
}

int64_t connect_way(struct fixture *t, unsigned way, struct soq_socket *s,
		    const struct soq_endpoint *ep)
{
	struct probe *p;

	if (way == 0)
		return soq_connect(s, ep);
	p = probe_quiet(t);
	started(p, soq_connect_async(s, &p->op, ep));
	return wait_end(p);
}
