/* SPDX-License-Identifier: MIT */
/* What the files on endpoints tell each other about one. */
#ifndef SOQI_ENDPOINT_H
#define SOQI_ENDPOINT_H

#include <soq/endpoint.h>
#include <stdbool.h>

/* The longest path that has room for its NUL, and the longest abstract name after its own. */
#define SOQI_UNIX_NAME_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

enum soqi_unix_form { SOQI_UNIX_UNNAMED = 0, SOQI_UNIX_PATH = 1, SOQI_UNIX_ABSTRACT = 2 };

/* A unix domain address taken apart: without the NUL that ends a path or begins the other. */
struct soqi_unix_name {
	enum soqi_unix_form form;
	size_t size_bytes; /* may be above SOQI_UNIX_NAME_MAX */
	const unsigned char *bytes;
};

/* The family of what holds all of an address, else -EINVAL: "none" as well. */
int soqi_endpoint_family(const struct soq_endpoint *ep);

/*
 * The size the kernel takes it by: of a path that fills sun_path it tells one more,
 * for a NUL, and refuses that.
 */
static inline socklen_t soqi_endpoint_kernel_size(const struct soq_endpoint *ep)
{
	const char *bytes = (const char *)&ep->addr;

	if (ep->addr.any.sa_family == AF_UNIX && ep->size_bytes == sizeof(ep->addr.local) + 1 &&
	    bytes[sizeof(ep->addr.local)] == '\0')
		return sizeof(ep->addr.local);
	return ep->size_bytes;
}

/* `ep` is of AF_UNIX, and the name lives as long as it does. */
struct soqi_unix_name soqi_endpoint_unix_name(const struct soq_endpoint *ep);

/* The endpoint of such a name, or -ENAMETOOLONG; more than SOQI_UNIX_NAME_MAX is not read. */
int soqi_endpoint_unix_make(const struct soqi_unix_name *name, struct soq_endpoint *ep_out);

/* endpoint_text.c. What texts are made of. */
/*
 * Reads a decimal number without sign or leading zeros that is all of `text`.
 * Returns false if it is none; above `max` it is `max + 1`, however long.
 */
bool soqi_text_decimal(const char *text, size_t length, uint64_t max, uint64_t *value_out);
/* The byte that two hexadecimal digits at `text` are, or -1; never looks behind a NUL. */
int soqi_text_hex(const char *text);
/* Writes a byte as two digits: 2. */
size_t soqi_text_put_hex(unsigned char byte, char *line);

/*
 * endpoint_link.c. The text behind "vsock:" and "packet:", and the whole text, into `line`
 * of SOQ_ENDPOINT_TEXT_MAX; its length, or 0 if the address has something no text says.
 */
int soqi_vsock_parse(const char *text, struct soq_endpoint *ep);
size_t soqi_vsock_format(const struct soq_endpoint *ep, char *line);
int soqi_packet_parse(const char *text, struct soq_endpoint *ep);
size_t soqi_packet_format(const struct soq_endpoint *ep, char *line);

#endif
