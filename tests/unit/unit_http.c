/* SPDX-License-Identifier: MIT */
/* What the HTTP server among the examples understands, however a request is cut. */
#include "http_parse.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: x\r\n"
#define END  "\r\n"

struct sample {
	const char *text;
	int result; /* SELF: all of it */
	enum http_method method;
	const char *path;
	bool close;
};

#define SELF 1

static const struct sample samples[] = {
	{ "GET / HTTP/1.1\r\n" HOST END, SELF, HTTP_GET, "/", false },
	{ "\r\nGET / HTTP/1.1\r\n" HOST END, SELF, HTTP_GET, "/", false },
	{ "GET / HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; "
	  "rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml,"
	  "application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: pt-BR,pt;q=0.8,en;q=0.3\r\n"
	  "Accept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\n"
	  "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
	  "Sec-Fetch-Site: none\r\nSec-Fetch-User: ?1\r\nPriority: u=0, i\r\n" END,
	  SELF, HTTP_GET, "/", false },
	{ "HEAD /a?b=/c HTTP/1.1\r\n" HOST END, SELF, HTTP_HEAD, "/a", false },
	{ "GET /? HTTP/1.1\r\n" HOST END, SELF, HTTP_GET, "/", false },
	{ "GET /%00%2f..//%ff HTTP/1.1\r\n" HOST END, SELF, HTTP_GET, "/%00%2f..//%ff", false },
	{ "OPTIONS * HTTP/1.1\r\n" HOST END, SELF, HTTP_OTHER, "*", false },
	{ "GETS / HTTP/1.1\r\n" HOST END, SELF, HTTP_OTHER, "/", false },
	{ "get / HTTP/1.1\r\n" HOST END, SELF, HTTP_OTHER, "/", false },
	{ "GET http://h:1/p?q HTTP/1.1\r\n" HOST END, SELF, HTTP_GET, "/p", false },
	{ "GET HTTP://h HTTP/1.1\r\n" HOST END, SELF, HTTP_GET, "/", false },
	{ "GET http://h?q=/a HTTP/1.1\r\n" HOST END, SELF, HTTP_GET, "/", false },
	{ "GET / HTTP/1.0\r\n" END, SELF, HTTP_GET, "/", true },
	{ "GET / HTTP/1.9\r\n" HOST END, SELF, HTTP_GET, "/", false },
	{ "GET / HTTP/1.1\r\nhOST:\t x \t\r\n" END, SELF, HTTP_GET, "/", false },
	{ "GET / HTTP/1.1\r\nHost:\r\nA:\r\nB: \xff\t\"\r\n" END, SELF, HTTP_GET, "/", false },
	{ "GET / HTTP/1.1\r\n" HOST "connection: x, Close,y\r\n" END, SELF, HTTP_GET, "/", true },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n" END, SELF, HTTP_GET, "/", false },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n" END, SELF, HTTP_GET, "/", false },
	{ "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n" END "\r\n\n", SELF, HTTP_OTHER, "/a",
	  false },
	{ "GET / HTTP/1.1\r\nContent-length:0000000000000000000000000000000000000002 \r\n" HOST END
	  "ab",
	  SELF, HTTP_GET, "/", false },

	{ .text = "\r\n\r\nGET / HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "\rGET / HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "\nGET / HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "\x16\x03\x01\x02", .result = -400 },
	{ .text = " GET / HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "GET  / HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "GET\t/ HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "GET /  HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "GET / HTTP/1.1 \r\n" HOST END, .result = -400 },
	{ .text = "GET / a HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "GET /\xc3\xa4 HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "GET /\x7f HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "G(T / HTTP/1.1\r\n" HOST END, .result = -400 },
	{ .text = "GET\r\n" HOST END, .result = -400 },
	{ .text = "GET /\r\n", .result = -400 },
	{ .text = "GET \r\n", .result = -400 },
	{ .text = "GET HTTP/1.1\r\n", .result = -400 },
	{ .text = "GET  HTTP/1.1\r\n", .result = -400 },
	{ .text = "GET a HTTP/1.1\r\n", .result = -400 },
	{ .text = "GET *a HTTP/1.1\r\n", .result = -400 },
	{ .text = "GET http:///a HTTP/1.1\r\n", .result = -400 },
	{ .text = "GET http:// HTTP/1.1\r\n", .result = -400 },
	{ .text = "GET / http/1.1\r\n", .result = -400 },
	{ .text = "GET / HTTP/1\r\n", .result = -400 },
	{ .text = "GET / HTTP/11\r\n", .result = -400 },
	{ .text = "GET / HTTP/1.10\r\n", .result = -400 },
	{ .text = "GET / HTTP/a.1\r\n", .result = -400 },
	{ .text = "GET / HTTP/2.0\r\n", .result = -505 },
	{ .text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .result = -505 },
	{ .text = "GET / HTTP/0.9\r\n", .result = -505 },
	{ .text = "GET / HTTP/1.1\n" HOST END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\r\n" HOST END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\nHost: x\n\n", .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST HOST END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\nHost : x\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n Host: x\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "A\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST ": b\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n" END, .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n" END,
	  .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST
		  "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n" END,
	  .result = -400 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" END, .result = -501 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "transfer-encoding: identity\r\n" END, .result = -501 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n", .result = -417 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 8193\r\n" END, .result = -413 },
	{ .text = "GET / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n" END,
	  .result = -413 },
};

/* Reads a prefix that is alone in its memory: what looks behind it is found out. */
static int read_alone(struct http_request *r, const char *text, size_t size_bytes)
{
	char *copy = malloc(size_bytes + (size_bytes == 0));
	int result;

	assert_non_null(copy);
	memcpy(copy, text, size_bytes);
	result = http_read(r, copy, size_bytes);
	free(copy);
	return result;
}

static void check(const struct sample *sample, const struct http_request *r, int result)
{
	if (result != (sample->result == SELF ? (int)strlen(sample->text) : sample->result))
		fail_msg("%d for: %s", result, sample->text);
	if (result < 0)
		return;
	assert_int_equal(r->method, sample->method);
	assert_int_equal(r->close, sample->close);
	assert_int_equal(r->path_bytes, strlen(sample->path));
	/* "http://h" has its "/" before the host. */
	assert_memory_equal(sample->text + r->path_at, sample->path, r->path_bytes);
}

/* Cut in two at every byte, and into single bytes: always the same, and never early. */
static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *sample = &samples[i];
		size_t size_bytes = strlen(sample->text), at = 0;
		struct http_request r = { 0 };
		int result = 0;

		while (result == 0 && at < size_bytes)
			result = read_alone(&r, sample->text, ++at);
		check(sample, &r, result);
		for (size_t cut = 0; cut < at; cut++) {
			r = (struct http_request){ 0 };
			assert_int_equal(read_alone(&r, sample->text, cut), 0);
			check(sample, &r, read_alone(&r, sample->text, size_bytes));
		}
	}
}

static void test_pipelined(void **state)
{
	char text[4096];
	size_t size_bytes = 0, at = 0;

	(void)state;
	for (size_t i = 0; samples[i].result == SELF; i++) {
		size_t sample_bytes = strlen(samples[i].text);

		assert_true(sample_bytes < sizeof(text) - size_bytes);
		memcpy(text + size_bytes, samples[i].text, sample_bytes);
		size_bytes += sample_bytes;
	}
	for (size_t i = 0; samples[i].result == SELF; i++) {
		struct http_request r = { 0 };
		int result = http_read(&r, text + at, size_bytes - at);

		check(&samples[i], &r, result);
		at += (size_t)result;
	}
	assert_int_equal(at, size_bytes);
}

/* Byte by byte and at once. */
static int read_both(const char *text, size_t size_bytes)
{
	struct http_request r = { 0 }, whole = { 0 };
	size_t at = 0;
	int result = 0;

	while (result == 0 && at < size_bytes)
		result = http_read(&r, text, ++at);
	assert_int_equal(read_alone(&whole, text, size_bytes), result);
	assert_true(result <= (int)size_bytes && result <= HTTP_REQUEST_MAX);
	assert_true(result <= 0 || r.path_at + r.path_bytes <= (size_t)result);
	assert_int_equal(r.method, whole.method);
	assert_int_equal(r.path_at, whole.path_at);
	assert_int_equal(r.path_bytes, whole.path_bytes);
	assert_int_equal(r.close, whole.close);
	return result;
}

/* `before`, `filler` times 'a', `behind`. */
static int read_filled(const char *before, int filler, const char *behind)
{
	static char text[3 * HTTP_REQUEST_MAX];
	int length = snprintf(text, sizeof(text), "%s%*s%s", before, filler, "", behind);

	assert_in_range(length, 1, sizeof(text) - 1);
	memset(text + strlen(before), 'a', (size_t)filler);
	return read_both(text, (size_t)length);
}

static void test_limits(void **state)
{
	static const char line[] = "GET /", rest[] = " HTTP/1.1\r\n" HOST END;
	static const char head[] = "GET / HTTP/1.1\r\n" HOST "A: ";
	static const char post[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 8142\r\n" END;
	char fields[HTTP_REQUEST_MAX];
	int length;
	const int max = HTTP_REQUEST_MAX;
	int room = max - (int)(sizeof(line) + sizeof(rest) - 2);

	(void)state;
	assert_int_equal(read_filled(line, room, rest), max);
	assert_int_equal(read_filled(line, room + 1, rest), -431);
	assert_int_equal(read_filled(line, room + 13, rest), -414);
	assert_int_equal(read_filled(line, 2 * max, rest), -414);
	assert_int_equal(read_filled("", 2 * max, ""), -414);
	room = max - (int)(sizeof(head) + 3);
	assert_int_equal(read_filled(head, room, "\r\n\r\n"), max);
	assert_int_equal(read_filled(head, room + 1, "\r\n\r\n"), -431);
	assert_int_equal(read_filled(head, 2 * max, ""), -431);
	room = 8142;
	assert_int_equal(room, max + 1 - (int)sizeof(post)); /* as it says of itself */
	assert_int_equal(read_filled(post, room, ""), max);
	assert_int_equal(read_filled(post, room + 1, ""), max);
	assert_int_equal(read_filled(post, room - 1, ""), 0);
	length = snprintf(fields, sizeof(fields), "GET / HTTP/1.1\r\n" HOST);
	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		length += snprintf(fields + length, sizeof(fields) - (size_t)length, "A:\r\n");
	assert_int_equal(read_filled(fields, 0, "\r\n"), length + 2);
	assert_int_equal(read_filled(fields, 0, "A:\r\n\r\n"), -431);
}

/* Samples with some bytes changed, and bytes that are nothing. */
static void test_chance(void **state)
{
	static const char bytes[] = "\r\n\r\n :/?GETHTTP/1.0,\t\x7f\xff";
	const unsigned count = sizeof(samples) / sizeof(samples[0]);
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[1024];
		size_t size_bytes = (size_t)snprintf(text, sizeof(text), "%s",
						     samples[unit_choose(&seed, count)].text);

		assert_in_range(size_bytes, 1, sizeof(text) - 1);
		for (unsigned n = unit_choose(&seed, 4); n > 0; n--)
			text[unit_choose(&seed, (unsigned)size_bytes)] =
				bytes[unit_choose(&seed, sizeof(bytes))];
		if (i % 8 == 0)
			for (size_t n = 0; n < size_bytes; n++)
				text[n] = (char)unit_choose(&seed, 256);
		(void)read_both(text, size_bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
