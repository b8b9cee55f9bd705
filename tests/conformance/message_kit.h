/* SPDX-License-Identifier: MIT */
/* Messages by each way they can be sent and received, over each way datagrams travel. */
#ifndef SOQ_TESTS_MESSAGE_KIT_H
#define SOQ_TESTS_MESSAGE_KIT_H

#include "message_ways.h"

/* How datagrams travel: the last is an IPv6 socket that talks IPv4. */
enum mode { V4, V6, DUAL, MODES };

static const char *const mode_names[MODES] = { "127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0" };

static inline struct soq_socket *open_mode(struct fixture *t, enum mode mode)
{
	struct soq_socket *s = open_socket_of(t, mode == V4 ? AF_INET : AF_INET6, SOCK_DGRAM);
	int off = 0;

	if (mode == DUAL)
		expect(soq_option_set(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	return s;
}

static inline struct soq_socket *bound_mode(struct fixture *t, enum mode mode, const char *text,
					    struct soq_endpoint *ep)
{
	struct soq_socket *s = open_mode(t, mode);

	expect(soq_endpoint_parse(text, ep), 0);
	expect(soq_bind(s, ep), 0);
	expect(soq_socket_local(s, ep), 0);
	return s;
}

static inline struct datagrams pair_mode(struct fixture *t, enum mode mode)
{
	struct datagrams d;

	d.a = bound_mode(t, mode, mode_names[mode], &d.at_a);
	d.b = bound_mode(t, mode, mode_names[mode], &d.at_b);
	return d;
}

/* What is sent, and where it is received. */
static char out[SOQ_MESSAGE_SPLIT_BYTES_MAX + 1], in[65536];

/* Datagrams of `size` bytes out of `total`, in order, nothing lost, nothing behind. */
static inline void expect_pieces(struct datagrams *d, size_t total, size_t size)
{
	struct soq_endpoint from;

	for (size_t at = 0; at < total; at += size) {
		size_t here = total - at < size ? total - at : size;

		expect(soq_recv_from(d->b, in, sizeof(in), 0, &from), here);
		expect_true(is_filled(in, here, 1, at));
		expect(soq_endpoint_equal(&from, &d->at_a), 1);
	}
	expect(soq_socket_set_timeouts(d->b, 0, FOREVER), 0);
	expect(soq_recv(d->b, in, sizeof(in), 0), -ETIMEDOUT);
	expect(soq_socket_set_timeouts(d->b, FOREVER, FOREVER), 0);
}

#endif
