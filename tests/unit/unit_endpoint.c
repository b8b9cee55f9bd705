/* SPDX-License-Identifier: MIT */
/* Endpoints: what parses, what is refused and why, and that text and value agree. */
#include "unit.h"

#include <soq/endpoint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void a_text_that_parses_is_formatted_back(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0:0",
		"127.0.0.1:1",
		"192.0.2.1:80",
		"255.255.255.255:65535",
		"1.2.3.4:65534",
		"[::]:0",
		"[::1]:1",
		"[2001:db8::1]:80",
		"[fe80::1]:65535",
		"[::ffff:192.0.2.1]:443",
		"[1:2:3:4:5:6:7:8]:9",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		"[fe80::1%1]:80", /* loopback is interface 1 everywhere */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct soq_endpoint ep;
		char text[SOQ_ENDPOINT_TEXT_MAX];

		assert_int_equal(soq_endpoint_parse(texts[i], &ep), 0);
		assert_int_equal(soq_endpoint_format(&ep, text, sizeof(text)), strlen(texts[i]));
		assert_string_equal(text, texts[i]);
		assert_int_equal(ep.reserved, 0);
	}
}

static void other_spellings_parse_to_the_same_value(void **state)
{
	static const char *const pairs[][2] = {
		{ "[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]:80" },
		{ "[0:0:0:0:0:0:0:0]:7", "[::]:7" },
		{ "[::192.0.2.1]:7", "[::c000:201]:7" },
		{ "[::FFFF:1.2.3.4]:7", "[::ffff:102:304]:7" },
		{ "[fe80::1%lo]:80", "[fe80::1%1]:80" },
		{ "[0001:02::]:1", "[1:2::]:1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct soq_endpoint a;
		struct soq_endpoint b;

		assert_int_equal(soq_endpoint_parse(pairs[i][0], &a), 0);
		assert_int_equal(soq_endpoint_parse(pairs[i][1], &b), 0);
		assert_int_equal(soq_endpoint_equal(&a, &b), 1);
	}
}

/* What is refused, each with its reason; the output must stay as it was. */
static const struct {
	const char *text;
	int error;
} refusals[] = {
	{ NULL, -EINVAL },
	{ "", -EINVAL },
	{ ":", -EINVAL },
	{ ":80", -EINVAL },
	{ "80", -EINVAL },
	{ "127.0.0.1", -EINVAL },
	{ "127.0.0.1:", -EINVAL },
	{ "127.0.0.1: 80", -EINVAL },
	{ "127.0.0.1:80 ", -EINVAL },
	{ " 127.0.0.1:80", -EINVAL },
	{ "127.0.0.1 :80", -EINVAL },
	{ "127.0.0.1:80\n", -EINVAL },
	{ "127.0.0.1:80x", -EINVAL },
	{ "127.0.0.1:+80", -EINVAL },
	{ "127.0.0.1:-1", -EINVAL },
	{ "127.0.0.1:080", -EINVAL },
	{ "127.0.0.1:00", -EINVAL },
	{ "127.0.0.1:0x50", -EINVAL },
	{ "127.0.0.1:http", -EINVAL },
	{ "127.0.0.1::80", -EINVAL },
	{ "127.0.0.1:80:80", -EINVAL },
	{ "127.1:80", -EINVAL },
	{ "2130706433:80", -EINVAL },
	{ "0x7f.0.0.1:80", -EINVAL },
	{ "0177.0.0.1:80", -EINVAL },
	{ "127.0.0.01:80", -EINVAL },
	{ "127.0.0.256:80", -EINVAL },
	{ "127.0.0.1.1:80", -EINVAL },
	{ "127.0.0.:80", -EINVAL },
	{ "127..0.1:80", -EINVAL },
	{ "1111111111111111111111111111111.1.1.1:80", -EINVAL },
	{ "localhost:80", -EINVAL },
	{ "*:80", -EINVAL },
	{ "[127.0.0.1]:80", -EINVAL },
	{ "::1:80", -EINVAL },
	{ "2001:db8::1:80", -EINVAL },
	{ "[::1]", -EINVAL },
	{ "[::1]:", -EINVAL },
	{ "[::1]80", -EINVAL },
	{ "[::1:80", -EINVAL },
	{ "::1]:80", -EINVAL },
	{ "[]:80", -EINVAL },
	{ "[:80", -EINVAL },
	{ "]:80", -EINVAL },
	{ "[[::1]]:80", -EINVAL },
	{ "[ ::1]:80", -EINVAL },
	{ "[::1 ]:80", -EINVAL },
	{ "[::1] :80", -EINVAL },
	{ "[::1]:080", -EINVAL },
	{ "[:::]:80", -EINVAL },
	{ "[1::2::3]:80", -EINVAL },
	{ "[12345::]:80", -EINVAL },
	{ "[1:2:3:4:5:6:7]:80", -EINVAL },
	{ "[1:2:3:4:5:6:7:8:9]:80", -EINVAL },
	{ "[::g]:80", -EINVAL },
	{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", -EINVAL },
	{ "[fe80::1%]:80", -EINVAL },
	{ "[%1]:80", -EINVAL },
	{ "[fe80::1%l o]:80", -EINVAL },
	{ "[fe80::1%lo/]:80", -EINVAL },
	{ "127.0.0.1%lo:80", -EINVAL },
	{ "127.0.0.1:65536", -ERANGE },
	{ "127.0.0.1:99999", -ERANGE },
	{ "127.0.0.1:4294967376", -ERANGE },           /* 2^32 + 80 */
	{ "127.0.0.1:18446744073709551696", -ERANGE }, /* 2^64 + 80 */
	{ "127.0.0.1:340282366920938463463374607431768211536", -ERANGE },
	{ "[::1]:65536", -ERANGE },
	{ "[fe80::1%1]:65536", -ERANGE },
	{ "127.1:65536", -EINVAL }, /* no endpoint at all comes first */
	{ "[::g]:65536", -EINVAL },
	{ "[fe80::1%nosuchif0]:80", -ENODEV },
	{ "[fe80::1%a-name-far-too-long-for-an-interface]:80", -ENODEV },
	{ "[fe80::1%0]:80", -ENODEV },
	{ "[fe80::1%01]:80", -ENODEV }, /* not the number 1: a name nobody has */
	{ "[fe80::1%2147483647]:80", -ENODEV },
	{ "[fe80::1%4294967295]:80", -ENODEV },
	{ "[fe80::1%4294967297]:80", -ENODEV }, /* 2^32 + 1 is not 1 */
};

static void what_is_no_endpoint_is_refused_untouched(void **state)
{
	struct soq_endpoint before;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct soq_endpoint ep = before;
		int result = soq_endpoint_parse(refusals[i].text, &ep);

		if (result != refusals[i].error)
			print_error("%s: %d\n", refusals[i].text, result);
		assert_int_equal(result, refusals[i].error);
		assert_memory_equal(&ep, &before, sizeof(ep));
	}
	assert_int_equal(soq_endpoint_parse("127.0.0.1:80", NULL), -EINVAL);
}

static void every_port_goes_both_ways(void **state)
{
	(void)state;
	for (int port = 0; port <= 65535; port++) {
		char text[32];
		char again[SOQ_ENDPOINT_TEXT_MAX];
		struct soq_endpoint ep;

		(void)snprintf(text, sizeof(text), "10.0.0.1:%d", port);
		assert_int_equal(soq_endpoint_parse(text, &ep), 0);
		assert_int_equal(soq_endpoint_port(&ep), port);
		assert_int_equal(ep.addr.ipv4.sin_port, htons((uint16_t)port));
		assert_true(soq_endpoint_format(&ep, again, sizeof(again)) > 0);
		assert_string_equal(again, text);
	}
}

/* Texts near real addresses: parse takes exactly those that inet_pton() takes. */
static void generate(uint64_t *chance, const char *alphabet, const char *seed, char *text)
{
	size_t length = strlen(seed);
	unsigned edits = unit_choose(chance, 4);

	memcpy(text, seed, length + 1);
	for (; edits > 0; edits--) {
		size_t at = unit_choose(chance, (unsigned)length + 1);
		char c = alphabet[unit_choose(chance, (unsigned)strlen(alphabet))];

		switch (unit_choose(chance, 3)) {
		case 0:
			memmove(text + at + 1, text + at, length - at + 1);
			text[at] = c;
			length++;
			break;
		case 1:
			if (at < length) {
				memmove(text + at, text + at + 1, length - at);
				length--;
			}
			break;
		default:
			if (at < length)
				text[at] = c;
		}
	}
}

static void check_ipv4(const char *address, unsigned *taken)
{
	char text[128];
	struct soq_endpoint ep;
	struct in_addr expected;
	int valid = inet_pton(AF_INET, address, &expected) == 1;

	(void)snprintf(text, sizeof(text), "%s:8080", address);
	assert_int_equal(soq_endpoint_parse(text, &ep), valid ? 0 : -EINVAL);
	if (valid)
		assert_memory_equal(&ep.addr.ipv4.sin_addr, &expected, sizeof(expected));
	*taken += (unsigned)valid;
}

static void check_ipv6(const char *address, unsigned *taken)
{
	char text[128];
	struct soq_endpoint ep;
	struct in6_addr expected;
	int valid = inet_pton(AF_INET6, address, &expected) == 1;

	(void)snprintf(text, sizeof(text), "[%s]:8080", address);
	assert_int_equal(soq_endpoint_parse(text, &ep), valid ? 0 : -EINVAL);
	if (valid)
		assert_memory_equal(&ep.addr.ipv6.sin6_addr, &expected, sizeof(expected));
	*taken += (unsigned)valid;
}

static void parse_agrees_with_inet_pton(void **state)
{
	static const char *const ipv4[] = { "1.2.3.4", "255.255.255.255", "0.0.0.0",
					    "10.20.30.40" };
	static const char *const ipv6[] = {
		"::", "::1", "2001:db8::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "fe80::a:b"
	};
	uint64_t chance = 1;
	unsigned taken_ipv4 = 0;
	unsigned taken_ipv6 = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char text[96];

		generate(&chance, "0123456789.x ", ipv4[i % ARRAY_SIZE(ipv4)], text);
		check_ipv4(text, &taken_ipv4);
		generate(&chance, "0123456789abcdefF:.g", ipv6[i % ARRAY_SIZE(ipv6)], text);
		check_ipv6(text, &taken_ipv6);
	}
	print_message("           agreed: 400000 texts, %u and %u of them addresses\n", taken_ipv4,
		      taken_ipv6);
	assert_true(taken_ipv4 > 10000 && taken_ipv6 > 10000);
}

static void every_value_goes_both_ways(void **state)
{
	uint64_t chance = 2;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		struct soq_endpoint ep = { 0 };
		struct soq_endpoint again;
		char text[SOQ_ENDPOINT_TEXT_MAX];
		unsigned char bytes[16];

		for (size_t b = 0; b < sizeof(bytes); b++)
			bytes[b] = unit_choose(&chance, 2) ? (unsigned char)unit_random(&chance)
							   : 0;
		assert_int_equal(soq_endpoint_any(i & 1 ? AF_INET : AF_INET6,
						  (uint16_t)unit_random(&chance), &ep),
				 0);
		if (i & 1)
			memcpy(&ep.addr.ipv4.sin_addr, bytes, 4);
		else
			memcpy(&ep.addr.ipv6.sin6_addr, bytes, 16);
		ep.addr.ipv6.sin6_scope_id = !(i & 1) && unit_choose(&chance, 16) == 0;
		assert_true(soq_endpoint_format(&ep, text, sizeof(text)) > 0);
		assert_int_equal(soq_endpoint_parse(text, &again), 0);
		assert_memory_equal(&again, &ep, sizeof(ep));
		assert_int_equal(soq_endpoint_equal(&ep, &again), 1);
	}
}

static void format_needs_room_for_all_of_it(void **state)
{
	struct soq_endpoint ep = { .size_bytes = sizeof(ep.addr.ipv6) };
	char text[SOQ_ENDPOINT_TEXT_MAX];
	char before[SOQ_ENDPOINT_TEXT_MAX];
	int length;

	(void)state;
	memset(before, 'z', sizeof(before));
	memset(&ep.addr.ipv6, 0xff, sizeof(ep.addr.ipv6));
	ep.addr.ipv6.sin6_family = AF_INET6;
	length = soq_endpoint_format(&ep, text, sizeof(text));
	assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
	assert_int_equal(length, strlen(text));
	assert_int_equal(soq_endpoint_format(&ep, text, (size_t)length + 1), length);
	for (size_t room = 0; room <= (size_t)length; room++) {
		memcpy(text, before, sizeof(text));
		assert_int_equal(soq_endpoint_format(&ep, text, room), -ENOSPC);
		assert_memory_equal(text, before, sizeof(text));
	}
}

static void what_is_no_address_has_no_text_and_no_port(void **state)
{
	struct soq_endpoint none = { 0 };
	struct soq_endpoint local = { .size_bytes = 10, .addr.any.sa_family = AF_UNIX };
	struct soq_endpoint tiny = { .size_bytes = 1, .addr.any.sa_family = AF_UNIX };
	struct soq_endpoint cut = { .size_bytes = sizeof(struct sockaddr_in) - 1,
				    .addr.any.sa_family = AF_INET };
	struct soq_endpoint cut6 = { .size_bytes = sizeof(struct sockaddr_in6) - 1,
				     .addr.any.sa_family = AF_INET6 };
	struct soq_endpoint huge = { .size_bytes = sizeof(struct sockaddr_storage) + 1,
				     .addr.any.sa_family = AF_INET };
	struct soq_endpoint good;
	char text[SOQ_ENDPOINT_TEXT_MAX] = "as it was";

	(void)state;
	assert_int_equal(soq_endpoint_loopback(AF_INET, 80, &good), 0);
	assert_int_equal(soq_endpoint_format(NULL, text, sizeof(text)), -EINVAL);
	assert_int_equal(soq_endpoint_format(&good, NULL, sizeof(text)), -EINVAL);
	assert_int_equal(soq_endpoint_format(&none, text, sizeof(text)), -EINVAL);
	assert_int_equal(soq_endpoint_format(&tiny, text, sizeof(text)), -EINVAL);
	assert_int_equal(soq_endpoint_format(&cut, text, sizeof(text)), -EINVAL);
	assert_int_equal(soq_endpoint_format(&cut6, text, sizeof(text)), -EINVAL);
	assert_int_equal(soq_endpoint_format(&huge, text, sizeof(text)), -EINVAL);
	assert_string_equal(text, "as it was");
	assert_int_equal(soq_endpoint_port(NULL), -EINVAL);
	assert_int_equal(soq_endpoint_port(&none), -EINVAL);
	assert_int_equal(soq_endpoint_port(&tiny), -EINVAL);
	assert_int_equal(soq_endpoint_port(&cut), -EINVAL);
	assert_int_equal(soq_endpoint_port(&cut6), -EINVAL);
	assert_int_equal(soq_endpoint_port(&huge), -EINVAL);
	assert_int_equal(soq_endpoint_port(&local), -EAFNOSUPPORT);
	assert_int_equal(soq_endpoint_port(&good), 80);
}

static void loopback_and_any_are_what_they_say(void **state)
{
	struct soq_endpoint ep;
	struct soq_endpoint before;
	char text[SOQ_ENDPOINT_TEXT_MAX];

	(void)state;
	assert_int_equal(soq_endpoint_loopback(AF_INET, 1, &ep), 0);
	assert_true(soq_endpoint_format(&ep, text, sizeof(text)) > 0);
	assert_string_equal(text, "127.0.0.1:1");
	assert_int_equal(soq_endpoint_loopback(AF_INET6, 65535, &ep), 0);
	assert_true(soq_endpoint_format(&ep, text, sizeof(text)) > 0);
	assert_string_equal(text, "[::1]:65535");
	assert_int_equal(soq_endpoint_any(AF_INET, 0, &ep), 0);
	assert_true(soq_endpoint_format(&ep, text, sizeof(text)) > 0);
	assert_string_equal(text, "0.0.0.0:0");
	assert_int_equal(soq_endpoint_any(AF_INET6, 0, &ep), 0);
	assert_true(soq_endpoint_format(&ep, text, sizeof(text)) > 0);
	assert_string_equal(text, "[::]:0");

	before = ep;
	assert_int_equal(soq_endpoint_any(AF_UNIX, 0, &ep), -EAFNOSUPPORT);
	assert_int_equal(soq_endpoint_loopback(AF_UNSPEC, 0, &ep), -EAFNOSUPPORT);
	assert_memory_equal(&ep, &before, sizeof(ep));
	assert_int_equal(soq_endpoint_any(AF_INET, 0, NULL), -EINVAL);
	assert_int_equal(soq_endpoint_loopback(AF_INET, 0, NULL), -EINVAL);
}

static void equal_looks_at_family_address_port_and_scope_alone(void **state)
{
	struct soq_endpoint a;
	struct soq_endpoint b;

	(void)state;
	assert_int_equal(soq_endpoint_parse("192.0.2.1:80", &a), 0);
	b = a;
	memset(b.addr.ipv4.sin_zero, 7, sizeof(b.addr.ipv4.sin_zero));
	b.size_bytes = sizeof(b.addr.storage);
	assert_int_equal(soq_endpoint_equal(&a, &b), 1);
	b.addr.ipv4.sin_port ^= 1;
	assert_int_equal(soq_endpoint_equal(&a, &b), 0);
	assert_int_equal(soq_endpoint_parse("[::ffff:192.0.2.1]:80", &b), 0);
	assert_int_equal(soq_endpoint_equal(&a, &b), 0);
	a = b;
	b.addr.ipv6.sin6_flowinfo = 7;
	assert_int_equal(soq_endpoint_equal(&a, &b), 1);
	b.addr.ipv6.sin6_scope_id = 7;
	assert_int_equal(soq_endpoint_equal(&a, &b), 0);
	b = a;
	b.addr.ipv6.sin6_addr.s6_addr[15] ^= 1;
	assert_int_equal(soq_endpoint_equal(&a, &b), 0);
	assert_int_equal(soq_endpoint_equal(&a, NULL), 0);
	assert_int_equal(soq_endpoint_equal(NULL, &a), 0);
	assert_int_equal(soq_endpoint_equal(NULL, NULL), 0);
}

static void errno_is_left_alone(void **state)
{
	struct soq_endpoint ep;

	(void)state;
	errno = 4711;
	assert_int_equal(soq_endpoint_parse("[fe80::1%nosuchif0]:80", &ep), -ENODEV);
	assert_int_equal(soq_endpoint_parse("127.0.0.300:80", &ep), -EINVAL);
	assert_int_equal(soq_endpoint_parse("[fe80::1%1]:80", &ep), 0);
	assert_int_equal(errno, 4711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_that_parses_is_formatted_back),
		cmocka_unit_test(other_spellings_parse_to_the_same_value),
		cmocka_unit_test(what_is_no_endpoint_is_refused_untouched),
		cmocka_unit_test(every_port_goes_both_ways),
		cmocka_unit_test(parse_agrees_with_inet_pton),
		cmocka_unit_test(every_value_goes_both_ways),
		cmocka_unit_test(format_needs_room_for_all_of_it),
		cmocka_unit_test(what_is_no_address_has_no_text_and_no_port),
		cmocka_unit_test(loopback_and_any_are_what_they_say),
		cmocka_unit_test(equal_looks_at_family_address_port_and_scope_alone),
		cmocka_unit_test(errno_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
