/* SPDX-License-Identifier: MIT */
/* Endpoints beside each other: equality, order and hash agree, and with their text. */
#include "endpoint.h"
#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define OFFSET        ((uint32_t)offsetof(struct sockaddr_un, sun_path))

static struct soq_endpoint parsed(const char *text)
{
	struct soq_endpoint ep;

	assert_int_equal(soq_endpoint_parse(text, &ep), 0);
	return ep;
}

/* All that must hold between any two. */
static void check_pair(const struct soq_endpoint *a, const struct soq_endpoint *b)
{
	int order = soq_endpoint_compare(a, b);
	int equal = soq_endpoint_equal(a, b);

	assert_true(order >= -1 && order <= 1);
	assert_int_equal(soq_endpoint_compare(b, a), -order);
	assert_int_equal(soq_endpoint_equal(b, a), equal);
	assert_int_equal(equal, order == 0);
	assert_int_equal(soq_endpoint_hash(a, 1) == soq_endpoint_hash(b, 1), equal);
	assert_int_equal(soq_endpoint_hash(a, 2) == soq_endpoint_hash(b, 2), equal);
}

/* Each is before all that follow. */
static const char *const in_order[] = {
	"family-0:",       "family-0:00",      "unix:",
	"unix:\\x01",      "unix:/a",          "unix:/a/b",
	"unix:/ab",        "unix:/b",          "unix:./@a",
	"unix:a",          "unix:\\x80",       "unix:@",
	"unix:@\\x00",     "unix:@\\x00\\x00", "unix:@\\x00a",
	"unix:@/a",        "unix:@a",          "unix:@a\\x00",
	"unix:@a\\x00a",   "unix:@\\xff",      "0.0.0.0:0",
	"1.2.3.4:80",      "1.2.3.4:255",      "1.2.3.4:256",
	"1.2.3.4:65535",   "1.2.4.0:0",        "10.0.0.1:80",
	"127.0.0.1:80",    "128.0.0.1:80",     "255.255.255.255:0",
	"[::]:0",          "[::1]:1",          "[::ffff:1.2.3.4]:80",
	"[fe80::1]:80",    "[fe80::1%1]:80",   "[fe80::1]:443",
	"[fe80::1%1]:443", "[fe80::2]:1",      "[ffff::]:0",
	"family-40:",      "family-40:00",     "family-40:0000",
	"family-40:01",    "family-40:ff",     "family-256:",
	"family-65535:00",
};

static void the_order_is_the_documented_one(void **state)
{
	const struct soq_endpoint none = { 0 };

	(void)state;
	assert_int_equal(soq_endpoint_compare(NULL, NULL), 0);
	assert_int_equal(soq_endpoint_compare(NULL, &none), -1);
	assert_int_equal(soq_endpoint_compare(&none, NULL), 1);
	for (size_t i = 0; i < ARRAY_SIZE(in_order); i++) {
		struct soq_endpoint a = parsed(in_order[i]);

		assert_int_equal(soq_endpoint_compare(NULL, &a), -1);
		assert_int_equal(soq_endpoint_compare(&a, NULL), 1);
		assert_int_equal(soq_endpoint_compare(&none, &a), -1);
		check_pair(&none, &a);
		for (size_t j = 0; j < ARRAY_SIZE(in_order); j++) {
			struct soq_endpoint b = parsed(in_order[j]);

			check_pair(&a, &b);
			assert_int_equal(soq_endpoint_compare(&a, &b), (i > j) - (i < j));
		}
	}
}

/* By number, where the bytes in memory would say otherwise. */
static void scopes_are_ordered_by_value(void **state)
{
	struct soq_endpoint a = parsed("[fe80::1]:80");
	struct soq_endpoint b = a;

	(void)state;
	a.addr.ipv6.sin6_scope_id = 255;
	b.addr.ipv6.sin6_scope_id = 256;
	check_pair(&a, &b);
	assert_int_equal(soq_endpoint_compare(&a, &b), -1);
	b.addr.ipv6.sin6_scope_id = UINT32_MAX;
	check_pair(&a, &b);
	assert_int_equal(soq_endpoint_compare(&a, &b), -1);
}

/* `a` with everything changed that does not count. */
static struct soq_endpoint disguised(const struct soq_endpoint *a, uint64_t *chance)
{
	struct soq_endpoint b;
	size_t length;

	for (size_t i = 0; i < sizeof(b); i++)
		((unsigned char *)&b)[i] = (unsigned char)unit_random(chance);
	b.reserved = 0;
	b.size_bytes = a->size_bytes;
	memcpy(&b.addr, &a->addr, a->size_bytes);
	switch (a->addr.any.sa_family) {
	case AF_INET:
		b.size_bytes = 16 + unit_choose(chance, 113);
		for (size_t i = 0; i < sizeof(b.addr.ipv4.sin_zero); i++)
			b.addr.ipv4.sin_zero[i] = (unsigned char)unit_random(chance);
		break;
	case AF_INET6:
		b.size_bytes = 28 + unit_choose(chance, 101);
		b.addr.ipv6.sin6_flowinfo = (uint32_t)unit_random(chance);
		break;
	case AF_UNIX:
		length = soqi_endpoint_unix_name(a).size_bytes;
		if (soqi_endpoint_unix_name(a).form != SOQI_UNIX_PATH)
			break;
		/* Without its NUL, with it, or with anything behind it. */
		b.size_bytes = OFFSET + (uint32_t)length;
		if (b.size_bytes < sizeof(b.addr) && unit_choose(chance, 2) != 0) {
			((char *)&b.addr)[b.size_bytes] = '\0';
			b.size_bytes += 1 + unit_choose(chance, 128 - b.size_bytes);
		}
		break;
	default:
		break;
	}
	return b;
}

/* What the kernel could tell, of any family, often alike, never cut. */
static struct soq_endpoint random_endpoint(uint64_t *chance)
{
	static const sa_family_t families[] = { AF_UNIX,   AF_UNIX,   AF_UNIX,  AF_INET,
						AF_INET,   AF_INET,   AF_INET6, AF_INET6,
						AF_UNSPEC, AF_PACKET, 40,       65535 };
	struct sockaddr_storage addr;
	struct soq_endpoint ep;
	sa_family_t family = families[unit_choose(chance, ARRAY_SIZE(families))];
	unsigned alphabet = unit_choose(chance, 3);
	/* Short ones meet each other, long ones the limits. */
	uint32_t size_bytes = 2 + unit_choose(chance, unit_choose(chance, 2) != 0 ? 5 : 127);

	for (size_t i = 0; i < sizeof(addr); i++) {
		unsigned char byte = (unsigned char)unit_random(chance);

		if (alphabet == 0)
			byte &= 1;
		else if (alphabet == 1)
			byte = (unsigned char)"./@\\"[byte & 3];
		((unsigned char *)&addr)[i] = byte;
	}
	addr.ss_family = family;
	if (family == AF_INET)
		size_bytes = sizeof(struct sockaddr_in);
	if (family == AF_INET6) {
		size_bytes = sizeof(struct sockaddr_in6);
		/* A scope can be read back if there is such an interface: the first is. */
		((struct sockaddr_in6 *)&addr)->sin6_scope_id = unit_choose(chance, 2);
	}
	assert_int_equal(soq_endpoint_from((struct sockaddr *)&addr, size_bytes, &ep), 0);
	return ep;
}

/* The text is printable, and parse and format undo each other. */
static void check_text(const struct soq_endpoint *ep)
{
	char text[SOQ_ENDPOINT_TEXT_MAX];
	char again[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_endpoint back;
	int length = soq_endpoint_format(ep, text, sizeof(text));

	assert_true(length > 0 && (size_t)length == strlen(text));
	for (int i = 0; i < length; i++)
		assert_in_range(text[i], 0x20, 0x7e);
	assert_int_equal(soq_endpoint_parse(text, &back), 0);
	assert_int_equal(soq_endpoint_equal(ep, &back), 1);
	assert_int_equal(soq_endpoint_format(&back, again, sizeof(again)), length);
	assert_string_equal(again, text);
}

static void random_addresses_keep_every_law(void **state)
{
	enum { KEPT = 8 };
	struct soq_endpoint kept[KEPT];
	uint64_t chance = 3;
	unsigned equals = 0;

	(void)state;
	for (size_t i = 0; i < KEPT; i++)
		kept[i] = random_endpoint(&chance);
	for (unsigned i = 0; i < 200000; i++) {
		struct soq_endpoint *a = &kept[unit_choose(&chance, KEPT)];
		struct soq_endpoint *b = &kept[unit_choose(&chance, KEPT)];
		struct soq_endpoint *c = &kept[unit_choose(&chance, KEPT)];
		struct soq_endpoint same;

		*a = random_endpoint(&chance);
		check_text(a);
		same = disguised(a, &chance);
		check_pair(a, &same);
		assert_int_equal(soq_endpoint_equal(a, &same), 1);
		check_text(&same);
		check_pair(a, a);
		check_pair(a, b);
		check_pair(b, c);
		equals += a != b && soq_endpoint_equal(a, b);
		if (soq_endpoint_compare(a, b) <= 0 && soq_endpoint_compare(b, c) <= 0)
			assert_true(soq_endpoint_compare(a, c) <= 0);
		if (soq_endpoint_compare(a, b) >= 0 && soq_endpoint_compare(b, c) >= 0)
			assert_true(soq_endpoint_compare(a, c) >= 0);
	}
	print_message("           pairs that were equal by chance: %u\n", equals);
	assert_true(equals > 100);
}

/* One bit more or less in what counts, and it is another. */
static void every_bit_that_counts_counts(void **state)
{
	static const char *const texts[] = { "192.0.2.1:80", "[fe80::1%1]:80", "unix:@abc",
					     "family-40:000000" };
	static const uint32_t sizes[] = { 8, 28, OFFSET + 4, 5 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct soq_endpoint a = parsed(texts[i]);

		for (uint32_t bit = 0; bit < sizes[i] * 8; bit++) {
			struct soq_endpoint b = a;
			bool flow = i == 1 && bit / 8 >= 4 && bit / 8 < 8;

			((unsigned char *)&b.addr)[bit / 8] ^= (unsigned char)(1u << bit % 8);
			if (soqi_endpoint_family(&b) < 0)
				continue; /* now cut short */
			check_pair(&a, &b);
			assert_int_equal(soq_endpoint_equal(&a, &b), flow);
		}
	}
}

static void an_address_without_a_name_equals_no_named_one(void **state)
{
	struct soq_endpoint unnamed = parsed("unix:");
	struct soq_endpoint again = parsed("unix:");
	struct soq_endpoint empty = parsed("unix:@");
	struct soq_endpoint path = parsed("unix:x");
	struct soq_endpoint abstract = parsed("unix:@x");

	(void)state;
	again.addr.local.sun_path[0] = 'x'; /* beyond what counts */
	assert_int_equal(soq_endpoint_equal(&unnamed, &again), 1);
	assert_int_equal(soq_endpoint_equal(&unnamed, &empty), 0);
	assert_int_equal(soq_endpoint_equal(&unnamed, &path), 0);
	assert_int_equal(soq_endpoint_equal(&path, &abstract), 0);
}

/* What is no address: read by nobody, equal to nothing, the same in the order. */
static void what_is_no_address_equals_nothing(void **state)
{
	struct soq_endpoint bad[4];
	const struct soq_endpoint none = { 0 };
	const struct soq_endpoint good = parsed("unix:x");

	(void)state;
	memset(bad, 0, sizeof(bad));
	bad[0].size_bytes = 1;
	bad[1].size_bytes = sizeof(bad[1].addr) + 1;
	bad[2].size_bytes = sizeof(struct sockaddr_in) - 1;
	bad[2].addr.any.sa_family = AF_INET;
	bad[3].size_bytes = UINT32_MAX;
	bad[3].addr.any.sa_family = AF_UNIX;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(soq_endpoint_equal(&bad[i], &bad[i]), 0);
		assert_int_equal(soq_endpoint_equal(&bad[i], &none), 0);
		assert_int_equal(soq_endpoint_equal(&bad[i], NULL), 0);
		assert_int_equal(soq_endpoint_compare(&bad[i], NULL), 0);
		assert_int_equal(soq_endpoint_compare(&bad[i], &bad[0]), 0);
		assert_int_equal(soq_endpoint_compare(&bad[i], &none), -1);
		assert_int_equal(soq_endpoint_compare(&good, &bad[i]), 1);
		assert_true(soq_endpoint_hash(&bad[i], 9) == soq_endpoint_hash(NULL, 9));
	}
	assert_int_equal(soq_endpoint_equal(&none, &none), 1);
	assert_int_equal(soq_endpoint_equal(NULL, NULL), 0);
	assert_int_equal(soq_endpoint_compare(&none, &none), 0);
}

/* SipHash-1-3 under the zero key, as CPython's hash() of the same bytes gives it. */
static void the_hash_is_siphash(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} known[] = {
		{ "unix:", UINT64_C(0xfca41cc7d440dd05) },
		{ "unix:@", UINT64_C(0xc270ec76ffcc48ec) },
		{ "unix:/run/x", UINT64_C(0x90825beff7b05434) },
		{ "unix:@abcd", UINT64_C(0xe2288c263ff048e5) },
		{ "192.0.2.1:80", UINT64_C(0x566e6681dbd3527f) },
		{ "[fe80::1%1]:80", UINT64_C(0xc3f10c44fa5b72f0) },
		{ "family-40:00ff", UINT64_C(0xf6a3a333e6b5f75c) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct soq_endpoint ep = parsed(known[i].text);

		assert_true(soq_endpoint_hash(&ep, 0) == known[i].hash);
	}
}

static unsigned count_ones(uint64_t x)
{
	unsigned ones = 0;

	for (; x != 0; x &= x - 1)
		ones++;
	return ones;
}

/* One bit of the seed or of the address changes half of the result. */
static void every_bit_of_seed_and_address_spreads(void **state)
{
	uint64_t chance = 4;
	uint64_t ones_seed = 0;
	uint64_t ones_address = 0;
	const unsigned rounds = 1000;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		struct soq_endpoint ep = parsed("0.0.0.0:0");
		uint64_t seed = unit_random(&chance);
		uint64_t hash;

		ep.addr.ipv4.sin_addr.s_addr = (uint32_t)unit_random(&chance);
		hash = soq_endpoint_hash(&ep, seed);
		for (unsigned bit = 0; bit < 64; bit++)
			ones_seed += count_ones(
				hash ^ soq_endpoint_hash(&ep, seed ^ (UINT64_C(1) << bit)));
		for (unsigned bit = 0; bit < 32; bit++) {
			struct soq_endpoint other = ep;

			other.addr.ipv4.sin_addr.s_addr ^= 1u << bit;
			ones_address += count_ones(hash ^ soq_endpoint_hash(&other, seed));
		}
	}
	assert_in_range(ones_seed, 319 * 64 * (uint64_t)rounds / 10,
			321 * 64 * (uint64_t)rounds / 10);
	assert_in_range(ones_address, 319 * 32 * (uint64_t)rounds / 10,
			321 * 32 * (uint64_t)rounds / 10);
}

/* Neighbours in a table of 1024 buckets: what chance would make of them, by chi square. */
static void neighbours_fill_a_table_evenly(void **state)
{
	enum { BUCKETS = 1024, PER_BUCKET = 64 };
	static const unsigned shifts[] = { 0, 27, 54 };

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(shifts); s++) {
		unsigned counts[BUCKETS] = { 0 };
		double chi = 0;

		for (unsigned i = 0; i < BUCKETS * PER_BUCKET; i++) {
			struct soq_endpoint ep;

			assert_int_equal(soq_endpoint_loopback(AF_INET, (uint16_t)i, &ep), 0);
			counts[soq_endpoint_hash(&ep, 5) >> shifts[s] & (BUCKETS - 1)]++;
		}
		for (unsigned i = 0; i < BUCKETS; i++) {
			double off = (double)counts[i] - PER_BUCKET;

			chi += off * off / PER_BUCKET;
		}
		/* 1023 degrees of freedom: 1023 give or take 45; five times that. */
		assert_true(chi > 800 && chi < 1250);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_is_the_documented_one),
		cmocka_unit_test(scopes_are_ordered_by_value),
		cmocka_unit_test(random_addresses_keep_every_law),
		cmocka_unit_test(every_bit_that_counts_counts),
		cmocka_unit_test(an_address_without_a_name_equals_no_named_one),
		cmocka_unit_test(what_is_no_address_equals_nothing),
		cmocka_unit_test(the_hash_is_siphash),
		cmocka_unit_test(every_bit_of_seed_and_address_spreads),
		cmocka_unit_test(neighbours_fill_a_table_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
