/* SPDX-License-Identifier: MIT */
/* What the calls of names share: hosts, and lookups. Of soq only the public headers. */
#ifndef SOQI_NAME_H
#define SOQI_NAME_H

#include "own_loop.h"

#include <errno.h>
#include <netdb.h>
#include <soq/soq.h>
#include <stdbool.h>

/* RFC 1035: 255 on the wire are 253 of text. */
#define SOQI_NAME_MAX  253u
#define SOQI_LABEL_MAX 63u

/* A host that was read: an address, or a name to look up. */
struct soqi_host {
	struct soq_endpoint address; /* "none" if it is a name */
	char name[SOQI_NAME_MAX + 1];
};

/* host.c. Reads the text of a host. 0, -EINVAL, -ENAMETOOLONG or -ENODEV. */
int soqi_host_read(const char *text, size_t size_bytes, struct soqi_host *host);
bool soqi_is_wildcard(const struct soq_endpoint *ep);
static inline bool soqi_host_is_name(const struct soqi_host *host)
{
	return host->address.size_bytes == 0;
}
/* Takes an address of IPv4 or IPv6 over, with a port; false if it is none of `family`. */
bool soqi_endpoint_take(const struct sockaddr *addr, int family, uint16_t port,
			struct soq_endpoint *ep_out);

/*
 * lookup.c. A lookup, which may outlive its loop with the thread that waits for it: its memory
 * is the C library's. `told` is called once on the loop's thread, in a step, and the lookup
 * is gone when it returns.
 */
struct soqi_lookup;
typedef void soqi_told_fn(struct soqi_lookup *lookup, void *arg);

struct soqi_lookup *soqi_lookup_make(const struct soqi_host *host, int family, soqi_told_fn *told,
				     void *arg);
/* One that was not begun; NULL is none. */
void soqi_lookup_free(struct soqi_lookup *lookup);
/* 0, or -EAGAIN: there are too many, and it was not begun. */
int soqi_lookup_begin(struct soq_loop *loop, struct soqi_lookup *lookup);
/* True: it is nobody's any more. False: it has ended, and `told` is about to be called. */
bool soqi_lookup_give_up(struct soqi_lookup *lookup);
/* What came of it, for `told`: 0 and a list, or -errno, or a soq_name_error. */
int soqi_lookup_result(const struct soqi_lookup *lookup, const struct addrinfo **found_out);

/* The lookup itself: waits. */
int soqi_look_up(const char *name, int family, struct addrinfo **found_out);

#endif
