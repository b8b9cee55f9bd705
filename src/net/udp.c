/* SPDX-License-Identifier: MIT */
/* UDP sockets in one call. */
#include <soq/connect.h>
#include <soq/multicast.h>
#include <soq/policy.h>
#include <soq/udp.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* The first release's size: a program built against it must go on working. */
#define OPTIONS_SIZE_MIN sizeof(struct soq_udp_options)
#define PORT_MAX         65535u

static int options_check(const struct soq_udp_options *o)
{
	if (o->size < OPTIONS_SIZE_MIN || o->size > sizeof(*o) || o->port > PORT_MAX ||
	    (o->local != NULL && (o->port != 0 || o->local->size_bytes == 0)) ||
	    (o->peer != NULL && o->peer->size_bytes == 0) ||
	    (o->option_count > 0 && o->options == NULL) ||
	    (o->group_count > 0 && o->groups == NULL) || o->reserved0 != 0)
		return -EINVAL;
	for (uint32_t i = 0; i < o->group_count; i++)
		if (o->groups[i].group == NULL || o->groups[i].reserved0 != 0)
			return -EINVAL;
	for (size_t i = 0; i < sizeof(o->reserved) / sizeof(o->reserved[0]); i++)
		if (o->reserved[i] != 0)
			return -EINVAL;
	return 0;
}

static bool is_internet(int family)
{
	return family == AF_INET || family == AF_INET6;
}

/* What a socket of `family` calls an address: on one of IPv6 those of IPv4 are mapped. */
static struct soq_endpoint address_on(int family, const struct soq_endpoint *ep)
{
	struct soq_endpoint mapped;

	if (family == AF_INET6 && ep->addr.any.sa_family == AF_INET &&
	    soq_endpoint_to_ipv6(ep, &mapped) == 0)
		return mapped;
	return *ep;
}

static int family_of(const struct soq_udp_options *o, int *family_out)
{
	int family = o->family;

	if (o->local != NULL)
		family = o->local->addr.any.sa_family;
	else if (family == 0 && o->peer != NULL && o->group_count == 0)
		family = o->peer->addr.any.sa_family;
	*family_out = family;
	if (!is_internet(family) && (family != 0 || o->local != NULL))
		return -EAFNOSUPPORT;
	if (o->peer != NULL && !is_internet(o->peer->addr.any.sa_family))
		return -EAFNOSUPPORT;
	return 0;
}

static int bind_it(struct soq_socket *s, int family, const struct soq_udp_options *o)
{
	struct soq_endpoint any;
	int error;

	if (o->local != NULL)
		return soq_bind(s, o->local);
	error = soq_endpoint_any(family, (uint16_t)o->port, &any);
	return error != 0 ? error : soq_bind(s, &any);
}

static int groups_join(struct soq_socket *s, int family, const struct soq_udp_options *o)
{
	int error = 0;

	for (uint32_t i = 0; error == 0 && i < o->group_count; i++) {
		const struct soq_udp_group *g = &o->groups[i];
		struct soq_endpoint group = address_on(family, g->group), source;

		if (g->source != NULL)
			source = address_on(family, g->source);
		error = soq_multicast_join(s, &group, g->source != NULL ? &source : NULL,
					   g->interface);
	}
	return error;
}

static int set_up(struct soq_socket *s, const struct soq_udp_options *o)
{
	struct soq_socket_info info = { .size = sizeof(info) };
	struct soq_endpoint peer;
	int error = o->policy != NULL ? soq_socket_set_policy(s, o->policy) : 0;

	if (error == 0)
		error = soq_socket_info(s, &info);

	for (uint32_t i = 0; error == 0 && i < o->option_count; i++) {
		const struct soq_option_raw *raw = &o->options[i];

		error = soq_option_set(s, raw->level, raw->name, raw->value, raw->size_bytes);
	}
	if (error == 0)
		error = bind_it(s, info.family, o);
	if (error == 0)
		error = groups_join(s, info.family, o);
	if (error == 0 && o->peer != NULL) {
		peer = address_on(info.family, o->peer);
		error = soq_connect(s, &peer);
	}
	return error;
}

int soq_udp_open(struct soq_loop *loop, const struct soq_udp_options *o, struct soq_socket **s_out)
{
	struct soq_socket *s;
	int family, error;

	if (o == NULL || s_out == NULL || options_check(o) != 0 ||
	    (loop != NULL && o->policy != NULL))
		return -EINVAL;
	error = family_of(o, &family);
	if (error == 0)
		error = soq_socket_open(loop, family, SOCK_DGRAM, 0, &s);
	if (error != 0)
		return error;
	error = set_up(s, o);
	if (error != 0) {
		(void)soq_close(s);
		return error;
	}
	*s_out = s;
	return 0;
}
