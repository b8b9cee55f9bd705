/* SPDX-License-Identifier: MIT */
#include "http_parse.h"

#include <string.h>
#include <strings.h>

/* What the fields have said so far. */
struct fields {
	unsigned count, hosts, lengths;
	bool coded; /* a Transfer-Encoding: more than is understood here */
};

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
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

static bool is_word(const char *at, size_t size_bytes, const char *word)
{
	return strlen(word) == size_bytes && strncasecmp(at, word, size_bytes) == 0;
}

/* The length of a line without its CR LF; -1 if it goes on; -2 if it is none. */
static ptrdiff_t line_length(const char *line, const char *end)
{
	const char *at = line;

	while (at < end && ((unsigned char)*at >= ' ' || *at == '\t') && *at != 0x7f)
		at++;
	if (at == end || (*at == '\r' && at + 1 == end))
		return -1;
	return at[0] == '\r' && at[1] == '\n' ? at - line : -2;
}

/* "/path?query", "http://host/path?query", or the "*" of OPTIONS. */
static int parse_target(struct http_request *r, const char *at, const char *end)
{
	const char *query;

	if (end - at > 7 && strncasecmp(at, "http://", 7) == 0) {
		at = memchr(at + 7, '/', (size_t)(end - at - 7));
		r->path = at != NULL ? at : "/";
		r->path_bytes = at != NULL ? (size_t)(end - at) : 1;
	} else if (*at == '/' || (*at == '*' && end - at == 1)) {
		r->path = at;
		r->path_bytes = (size_t)(end - at);
	} else {
		return -400;
	}
	query = memchr(r->path, '?', r->path_bytes);
	if (query != NULL)
		r->path_bytes = (size_t)(query - r->path);
	return 0;
}

/* "GET /path HTTP/1.1", with one space between. */
static int parse_request_line(struct http_request *r, const char *line, const char *end)
{
	const char *at = skip_token(line, end), *target = at + 1;

	r->method = line;
	r->method_bytes = (size_t)(at - line);
	if (at == line || at == end || *at != ' ')
		return -400;
	for (at = target; at<end && * at> ' ' && *at < 0x7f;)
		at++;
	if (at == target || end - at != 9 || memcmp(at, " HTTP/", 6) != 0 || at[7] != '.' ||
	    at[6] < '0' || at[6] > '9' || at[8] < '0' || at[8] > '9')
		return -400;
	if (at[6] != '1')
		return -505;
	r->minor = at[8] > '0';
	r->close = r->minor == 0;
	return parse_target(r, target, at);
}

static int parse_length(struct http_request *r, const char *at, const char *end)
{
	if (at == end)
		return -400;
	for (r->body_bytes = 0; at < end; at++) {
		if (*at < '0' || *at > '9')
			return -400;
		if (r->body_bytes <= HTTP_BODY_MAX)
			r->body_bytes = r->body_bytes * 10 + (uint64_t)(*at - '0');
	}
	return 0;
}

/* "close" and others, with commas between. */
static void parse_connection(struct http_request *r, const char *at, const char *end)
{
	while (at < end) {
		const char *word = at;

		at = skip_token(at, end);
		if (is_word(word, (size_t)(at - word), "close"))
			r->close = true;
		at += at < end;
	}
}

/* "Name: value". */
static int parse_field(struct http_request *r, struct fields *f, const char *name, const char *end)
{
	const char *at = skip_token(name, end);
	size_t name_bytes = (size_t)(at - name);

	if (at == name || at == end || *at != ':')
		return -400;
	if (++f->count > HTTP_FIELDS_MAX)
		return -431;
	for (at++; at < end && is_blank(*at);)
		at++;
	while (end > at && is_blank(end[-1]))
		end--;
	if (is_word(name, name_bytes, "Host"))
		return ++f->hosts > 1 ? -400 : 0;
	if (is_word(name, name_bytes, "Connection"))
		parse_connection(r, at, end);
	if (is_word(name, name_bytes, "Content-Length"))
		return ++f->lengths > 1 ? -400 : parse_length(r, at, end);
	if (is_word(name, name_bytes, "Transfer-Encoding"))
		f->coded = true;
	if (is_word(name, name_bytes, "Expect")) {
		r->expects = r->minor > 0 && is_word(at, (size_t)(end - at), "100-continue");
		return r->expects || r->minor == 0 ? 0 : -417;
	}
	return 0;
}

/* What only the whole head can tell. */
static int check(const struct http_request *r, const struct fields *f)
{
	if ((r->minor > 0 && f->hosts == 0) || (f->coded && f->lengths > 0))
		return -400;
	if (f->coded)
		return -501;
	return r->body_bytes > HTTP_BODY_MAX ? -413 : 0;
}

int http_parse(struct http_request *request, const char *data, size_t size_bytes)
{
	const char *end = data + (size_bytes < HTTP_HEAD_MAX ? size_bytes : HTTP_HEAD_MAX);
	const char *line = data;
	struct fields f = { 0 };
	bool first = true;
	int status = 0;

	*request = (struct http_request){ 0 };
	if (line < end && *line == '\r') { /* an empty line before a request is forgiven */
		if (line + 1 < end && line[1] != '\n')
			return -400;
		line += line + 1 < end ? 2 : 1;
	}
	for (;;) {
		ptrdiff_t length = line_length(line, end);

		if (length == -2)
			return -400;
		if (length == -1)
			return end - data < HTTP_HEAD_MAX ? 0 : first ? -414 : -431;
		if (length == 0 && !first)
			break;
		status = first ? parse_request_line(request, line, line + length)
			       : parse_field(request, &f, line, line + length);
		if (status != 0)
			return status;
		line += length + 2;
		first = false;
	}
	status = check(request, &f);
	return status != 0 ? status : (int)(line + 2 - data);
}
