/* SPDX-License-Identifier: MIT */
/* Policies for tests, and a fixture whose loop, or whose detached sockets, are under one. */
#ifndef SOQ_TESTS_POLICY_KIT_H
#define SOQ_TESTS_POLICY_KIT_H

#include "support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

/* A policy of this text, made like printf(). */
__attribute__((format(printf, 1, 2))) static inline struct soq_policy *policy_of(const char *format,
										 ...)
{
	struct soq_policy_error error = { .size = sizeof(error) };
	struct soq_policy *policy = NULL;
	char text[2048];
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	expect_true(length >= 0 && (size_t)length < sizeof(text));
	if (soq_policy_parse(text, (size_t)length, &error, &policy) != 0)
		print_error("%u:%u: %s\n", error.line, error.column, error.text);
	assert_non_null(policy);
	return policy;
}

/* Takes the policy: from here on the fixture's loop is under it. */
static inline void police(struct fixture *t, struct soq_policy *policy)
{
	struct soq_loop_options options;

	expect(soq_loop_destroy(t->loop), 0);
	options_of_tier(t, &options);
	options.policy = policy;
	expect(soq_loop_create(&options, &t->loop), 0);
	if (t->home != NULL)
		t->home = t->loop;
	soq_policy_release(policy);
}

/* The same for a socket, which the policy stays the caller's of. */
static inline struct soq_socket *policed(struct fixture *t, struct soq_policy *policy, int family,
					 int type, int protocol)
{
	struct soq_socket *s = NULL;

	expect(soq_socket_open(t->home, family, type, protocol, &s), 0);
	if (t->home == NULL)
		expect(soq_socket_set_policy(s, policy), 0);
	return s;
}

/* Refusals up to now, and the rule of the last. */
static inline uint64_t refusals(struct fixture *t, struct soq_socket *s, uint32_t *rule_out)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	struct soq_loop_stats stats;

	if (t->home != NULL) {
		stats = stats_of(t);
		*rule_out = (uint32_t)stats.last_refused_rule;
		return stats.policy_refusals;
	}
	expect(soq_socket_info(s, &info), 0);
	*rule_out = info.last_refused_rule;
	return info.policy_refusals;
}

/* One more refusal than `before`, by this rule. */
#define expect_refused(t, s, before, rule)                                                         \
	do {                                                                                       \
		uint32_t rule_;                                                                    \
		expect(refusals((t), (s), &rule_), (before) + 1);                                  \
		expect(rule_, (rule));                                                             \
	} while (0)

static inline unsigned port_of(const struct soq_endpoint *ep)
{
	return (unsigned)soq_endpoint_port(ep);
}

static inline struct soq_endpoint endpoint(const char *text)
{
	struct soq_endpoint ep = { 0 };

	expect(soq_endpoint_parse(text, &ep), 0);
	return ep;
}

static inline struct soq_endpoint endpoint_port(const char *address, unsigned port)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "%s:%u", address, port);
	return endpoint(text);
}

/* Nobody has come to a listener of the kernel's. */
static inline void expect_nobody(int listener)
{
	expect(accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), -1);
	expect(errno, EAGAIN);
}

/* The place and the port of an address, as a rule has them. */
static inline const char *place_of(const struct soq_endpoint *ep,
				   char text[SOQ_ENDPOINT_TEXT_MAX + 1])
{
	char whole[SOQ_ENDPOINT_TEXT_MAX];
	int family = ep->addr.any.sa_family;
	char *colon;

	expect_true(soq_endpoint_format(ep, whole, sizeof(whole)) > 0);
	colon = strrchr(whole, ':');
	if (family == AF_UNIX) {
		(void)snprintf(text, SOQ_ENDPOINT_TEXT_MAX + 1, "%s", whole);
		return text;
	}
	*colon = '\0';
	if (family == AF_INET6)
		colon[-1] = '\0';
	(void)snprintf(text, SOQ_ENDPOINT_TEXT_MAX + 1, "%s %s",
		       family == AF_INET6 ? whole + 1 : whole, colon + 1);
	return text;
}

/* A datagram socket of the kernel's that does not wait. */
static inline int quiet_receiver(int family, struct soq_endpoint *ep)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size_bytes = sizeof(ep->addr.storage);

	expect_true(fd >= 0);
	if (family == AF_UNIX)
		unix_abstract(ep);
	else
		expect(soq_endpoint_loopback(family, 0, ep), 0);
	expect(bind(fd, &ep->addr.any, ep->size_bytes), 0);
	expect(getsockname(fd, &ep->addr.any, &size_bytes), 0);
	ep->size_bytes = size_bytes;
	return fd;
}

/* The next datagram that has come is this one. */
static inline void expect_datagram(int fd, const char *bytes)
{
	char in[64];
	size_t length = strlen(bytes);

	expect(recv(fd, in, sizeof(in), 0), (int64_t)length);
	assert_memory_equal(in, bytes, length);
}

static inline void expect_no_datagram(int fd)
{
	char in[64];

	expect(recv(fd, in, sizeof(in), 0), -1);
	expect(errno, EAGAIN);
}

/* A listener of the kernel's that does not wait. */
static inline int quiet_listener(int family, struct soq_endpoint *ep)
{
	int fd = raw_listener(family, 5, 0, ep);

	expect(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
	return fd;
}

#endif
