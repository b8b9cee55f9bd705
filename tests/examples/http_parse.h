/* SPDX-License-Identifier: MIT */
/* A request of HTTP/1.x, read strictly and as it arrives: for http.c, and testable alone. */
#ifndef SOQ_EXAMPLES_HTTP_PARSE_H
#define SOQ_EXAMPLES_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_REQUEST_MAX 8192 /* bytes of a request with its body */
#define HTTP_FIELDS_MAX  100

enum http_method { HTTP_NONE, HTTP_GET, HTTP_HEAD, HTTP_OTHER };

/* A request, as far as it was read. Begin each with `= {0}`. */
struct http_request {
	enum http_method method; /* HTTP_NONE until the whole request line is there */
	size_t path_at;          /* where it begins: behind scheme and host */
	size_t path_bytes;       /* without the query */
	bool close;              /* its client wants no other on this connection */

	/* The reader's. */
	size_t line;  /* where the current line begins */
	size_t seen;  /* how far that line was looked through */
	size_t whole; /* bytes of the request with its body, once the head is there */
	size_t body;
	unsigned minor, fields, hosts, lengths;
	bool coded; /* has a Transfer-Encoding */
};

/**
 * Reads on. `data` is the request from its first byte, `size_bytes` what is there of it (and
 * maybe of the next one): the bytes of the last call and more. No byte is looked at twice,
 * so a peer that sends one at a time gains nothing. What two readers could understand
 * differently is refused: a bare CR or LF, a folded line, two lengths, a coding.
 *
 * Result: the length of the request with its body; 0: it goes on; else the negative status
 *         of the answer, after which the connection has to be closed.
 */
int http_read(struct http_request *request, const char *data, size_t size_bytes);

#endif
