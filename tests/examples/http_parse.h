/* SPDX-License-Identifier: MIT */
/* The head of an HTTP/1.x request, read strictly: for http.c, and testable alone. */
#ifndef SOQ_EXAMPLES_HTTP_PARSE_H
#define SOQ_EXAMPLES_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX   8192   /* bytes of a request line and its fields */
#define HTTP_FIELDS_MAX 100    /* lines of them */
#define HTTP_BODY_MAX   262144 /* bytes */

/* What a head says. The texts lie in it and have no NUL behind them. */
struct http_request {
	const char *method;
	const char *path; /* neither the scheme and host before it nor the query behind */
	size_t method_bytes;
	size_t path_bytes;
	uint64_t body_bytes; /* what follows the head, at most HTTP_BODY_MAX */
	unsigned minor;      /* of the version: 0 or 1 */
	bool close;          /* it is the last on its connection */
	bool expects;        /* its client waits for "100 Continue" before it sends the body */
};

/**
 * Reads the head at the front of `size_bytes` bytes at `data`. Bare LF, bare CR, NUL and
 * folded lines are refused, and so is whatever two readers may understand differently.
 *
 * Result: the head's length in bytes; 0: it goes on, ask again with more; else the negative
 *         status of the answer, after which the connection is to be closed.
 */
int http_parse(struct http_request *request, const char *data, size_t size_bytes);

#endif
