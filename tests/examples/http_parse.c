/* SPDX-License-Identifier: MIT */
#include "http_parse.h"

#include <string.h>
#include <strings.h>

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_token(const char *at, const char *end)
{
	while (at < end && is_token(*at))
		at++;
	return at;
}

static bool is_text(const char *at, const char *end, const char *text)
{
	return (size_t)(end - at) == strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

/* The same where capitals do not count. */
static bool is_word(const char *at, const char *end, const char *word)
{
	return (size_t)(end - at) == strlen(word) && strncasecmp(at, word, strlen(word)) == 0;
}

/* "/path?query", "http://host/path?query", or the "*" of OPTIONS. */
static int read_target(struct http_request *r, const char *data, const char *at, const char *end)
{
	const char *path = at, *query;

	if (end - at > 7 && strncasecmp(at, "http://", 7) == 0) {
		for (path = at + 7; path < end && *path != '/' && *path != '?';)
			path++;
		if (path == at + 7)
			return -400;
		if (path == end || *path == '?') { /* no path is "/", and one is in "http:/" */
			path = at + 6;
			end = path + 1;
		}
	} else if (*at != '/' && !is_text(at, end, "*")) {
		return -400;
	}
	query = memchr(path, '?', (size_t)(end - path));
	r->path_at = (size_t)(path - data);
	r->path_bytes = (size_t)((query != NULL ? query : end) - path);
	return 0;
}

/* "GET /path HTTP/1.1", with one space between. */
static int read_request_line(struct http_request *r, const char *data, const char *line,
			     const char *end)
{
	const char *at = skip_token(line, end), *target;

	if (at == line || at == end || *at != ' ')
		return -400;
	target = at + 1;
	r->method = is_text(line, at, "GET")    ? HTTP_GET
		    : is_text(line, at, "HEAD") ? HTTP_HEAD
						: HTTP_OTHER;
	for (at = target; at < end && *at != ' ' && ((unsigned char)*at & 0x80) == 0;)
		at++;
	if (at == target || end - at != 9 || memcmp(at, " HTTP/", 6) != 0 || !is_digit(at[6]) ||
	    at[7] != '.' || !is_digit(at[8]))
		return -400;
	if (at[6] != '1')
		return -505;
	r->minor = (unsigned)(at[8] - '0');
	r->close = r->minor == 0;
	return read_target(r, data, target, at);
}

static int read_length(struct http_request *r, const char *at, const char *end)
{
	if (at == end || ++r->lengths > 1)
		return -400;
	for (; at < end; at++) {
		if (!is_digit(*at))
			return -400;
		if (r->body <= HTTP_REQUEST_MAX) /* no matter how many digits */
			r->body = r->body * 10 + (size_t)(*at - '0');
	}
	return 0;
}

/* "close" and other words, with commas and blanks between. */
static void read_connection(struct http_request *r, const char *at, const char *end)
{
	while (at < end) {
		const char *word = at;

		at = skip_token(at, end);
		r->close |= is_word(word, at, "close");
		at += at < end;
	}
}

/* "Name: value". */
static int read_field(struct http_request *r, const char *name, const char *end)
{
	const char *colon = skip_token(name, end), *at = colon + 1;

	if (colon == name || colon == end || *colon != ':')
		return -400;
	if (++r->fields > HTTP_FIELDS_MAX)
		return -431;
	while (at < end && is_blank(*at))
		at++;
	while (end > at && is_blank(end[-1]))
		end--;
	if (is_word(name, colon, "Host"))
		return ++r->hosts > 1 ? -400 : 0;
	if (is_word(name, colon, "Content-Length"))
		return read_length(r, at, end);
	if (is_word(name, colon, "Expect"))
		return -417; /* its client sends again without */
	if (is_word(name, colon, "Connection"))
		read_connection(r, at, end);
	r->coded |= is_word(name, colon, "Transfer-Encoding");
	return 0;
}

/* The empty line behind the fields: what only the whole head can tell. */
static int read_end(struct http_request *r)
{
	if ((r->minor > 0 && r->hosts == 0) || (r->coded && r->lengths > 0))
		return -400;
	if (r->coded)
		return -501;
	r->whole = r->line + r->body;
	return r->whole > HTTP_REQUEST_MAX ? -413 : 0;
}

/* The end of the current line: of its CR LF. 0: that is not there; -400: there is none. */
static int find_line_end(struct http_request *r, const char *data, size_t size)
{
	size_t at = r->seen;

	while (at < size && ((unsigned char)data[at] >= ' ' || data[at] == '\t') &&
	       data[at] != 0x7f)
		at++;
	r->seen = at;
	if (at == size || (at + 1 == size && data[at] == '\r'))
		return size < HTTP_REQUEST_MAX ? 0 : r->method == HTTP_NONE ? -414 : -431;
	return data[at] == '\r' && data[at + 1] == '\n' ? (int)(at + 2) : -400;
}

int http_read(struct http_request *r, const char *data, size_t size_bytes)
{
	size_t size = size_bytes < HTTP_REQUEST_MAX ? size_bytes : HTTP_REQUEST_MAX;

	while (r->whole == 0) {
		int end = find_line_end(r, data, size), status = 0;
		const char *line = data + r->line, *line_end;

		if (end <= 0)
			return end;
		line_end = data + end - 2;
		r->line = r->seen = (size_t)end;
		if (line < line_end)
			status = r->method == HTTP_NONE ? read_request_line(r, data, line, line_end)
							: read_field(r, line, line_end);
		else if (r->method != HTTP_NONE)
			status = read_end(r);
		else if (line > data) /* one empty line before a request is forgiven */
			status = -400;
		if (status != 0)
			return status;
	}
	return size_bytes >= r->whole ? (int)r->whole : 0;
}
