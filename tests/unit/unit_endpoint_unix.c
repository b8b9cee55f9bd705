/* SPDX-License-Identifier: MIT */
/* Endpoints of unix domain sockets and of families soq knows nothing of. */
#include "endpoint.h"
#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define OFFSET        ((uint32_t)offsetof(struct sockaddr_un, sun_path))

/* An endpoint as the kernel would tell it, byte for byte. */
static struct soq_endpoint raw(int family, const void *bytes, size_t size_bytes)
{
	struct soq_endpoint ep = { .size_bytes = OFFSET + (uint32_t)size_bytes };

	ep.addr.any.sa_family = (sa_family_t)family;
	memcpy((char *)&ep.addr + OFFSET, bytes, size_bytes);
	return ep;
}

/* `ep` is written as `text`, which is read back as its equal. */
static void check_text(const struct soq_endpoint *ep, const char *text)
{
	char written[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_endpoint again;

	assert_int_equal(soq_endpoint_format(ep, written, sizeof(written)), strlen(text));
	assert_string_equal(written, text);
	assert_int_equal(soq_endpoint_parse(written, &again), 0);
	assert_int_equal(soq_endpoint_equal(ep, &again), 1);
	assert_int_equal(again.reserved, 0);
}

/* Text and value, the value as the bytes behind the family. */
#define BYTES(literal) literal, sizeof(literal) - 1
static const struct {
	const char *text;
	int family;
	const char *bytes;
	size_t size_bytes;
} forms[] = {
	{ "unix:", AF_UNIX, BYTES("") },
	{ "unix:/run/x.sock", AF_UNIX, BYTES("/run/x.sock\0") },
	{ "unix:rel/p", AF_UNIX, BYTES("rel/p\0") },
	{ "unix:p", AF_UNIX, BYTES("p\0") },
	{ "unix: p ", AF_UNIX, BYTES(" p \0") },
	{ "unix:unix:p", AF_UNIX, BYTES("unix:p\0") },
	{ "unix:127.0.0.1:80", AF_UNIX, BYTES("127.0.0.1:80\0") },
	{ "unix:a\\x5cx41", AF_UNIX, BYTES("a\\x41\0") },
	{ "unix:/a\\x0ab\\x7f", AF_UNIX, BYTES("/a\nb\x7f\0") },
	{ "unix:/caf\\xc3\\xa9", AF_UNIX, BYTES("/caf\xc3\xa9\0") },
	{ "unix:/\\x9b\\xff", AF_UNIX, BYTES("/\x9b\xff\0") },
	{ "unix:./@x", AF_UNIX, BYTES("@x\0") },
	{ "unix:./@", AF_UNIX, BYTES("@\0") },
	{ "unix:./@@/@", AF_UNIX, BYTES("@@/@\0") },
	{ "unix:./\\x40x", AF_UNIX, BYTES("./@x\0") },
	{ "unix:./\\x40", AF_UNIX, BYTES("./@\0") },
	{ "unix:././@x", AF_UNIX, BYTES("././@x\0") },
	{ "unix:./x", AF_UNIX, BYTES("./x\0") },
	{ "unix:/@x", AF_UNIX, BYTES("/@x\0") },
	{ "unix:@", AF_UNIX, BYTES("\0") },
	{ "unix:@name", AF_UNIX, BYTES("\0name") },
	{ "unix:@@", AF_UNIX, BYTES("\0@") },
	{ "unix:@./@x", AF_UNIX, BYTES("\0./@x") },
	{ "unix:@\\x00", AF_UNIX, BYTES("\0\0") },
	{ "unix:@a\\x00b\\x00", AF_UNIX, BYTES("\0a\0b\0") },
	{ "unix:@\\x5c\\x1b[2J", AF_UNIX, BYTES("\0\\\x1b[2J") },
	{ "family-40:", 40, BYTES("") },
	{ "family-40:00000000ff", 40, BYTES("\0\0\0\0\xff") },
	{ "family-0:", AF_UNSPEC, BYTES("") },
	{ "family-16:0123456789abcdef", AF_NETLINK, BYTES("\x01\x23\x45\x67\x89\xab\xcd\xef") },
	{ "family-65535:00", 65535, BYTES("\0") },
	/* Families with a text of their own, and what that text cannot say. */
	{ "vsock:2:1024", AF_VSOCK, BYTES("\0\0\0\4\0\0\2\0\0\0\0\0\0\0") },
	{ "vsock:4294967295:0", AF_VSOCK, BYTES("\0\0\0\0\0\0\xff\xff\xff\xff\0\0\0\0") },
	{ "family-40:0000000400000200000001000000", AF_VSOCK,
	  BYTES("\0\0\0\4\0\0\2\0\0\0\1\0\0\0") },
	{ "packet:2:0800:1:0:0200000000ff", AF_PACKET,
	  BYTES("\x08\0\2\0\0\0\1\0\0\6\2\0\0\0\0\xff\0\0") },
	{ "packet:0:0003:0:4:", AF_PACKET, BYTES("\0\3\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0") },
	{ "packet:2147483647:ffff:65535:255:0102030405060708", AF_PACKET,
	  BYTES("\xff\xff\xff\xff\xff\x7f\xff\xff\xff\x08\1\2\3\4\5\6\7\x08") },
	{ "family-17:080002000000010000060200000000ff0001", AF_PACKET,
	  BYTES("\x08\0\2\0\0\0\1\0\0\6\2\0\0\0\0\xff\0\1") },
	{ "family-17:0003ffffffff000000000000000000000000", AF_PACKET,
	  BYTES("\0\3\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0") },
};

static void every_form_goes_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct soq_endpoint ep = raw(forms[i].family, forms[i].bytes, forms[i].size_bytes);
		struct soq_endpoint parsed;

		check_text(&ep, forms[i].text);
		assert_int_equal(soq_endpoint_parse(forms[i].text, &parsed), 0);
		assert_memory_equal(&parsed, &ep, sizeof(ep));
	}
}

static void other_spellings_have_one_text(void **state)
{
	static const char *const pairs[][2] = {
		{ "unix:/caf\xc3\xa9", "unix:/caf\\xc3\\xa9" },
		{ "unix:\xff", "unix:\\xff" },
		{ "unix:\\x41\\x2F", "unix:A/" },
		{ "unix:\\xAb", "unix:\\xab" },
		{ "unix:\\x40x", "unix:./@x" },
		{ "unix:\\x2e/@x", "unix:./\\x40x" },
		{ "unix:@\\x40", "unix:@@" },
		{ "unix:@\xc3\xa9", "unix:@\\xc3\\xa9" },
		{ "family-40:AB", "family-40:ab" },
		{ "family-1:", "unix:" },
		{ "family-1:2f78", "unix:/x" },
		{ "family-1:2f7800", "unix:/x" },
		{ "family-1:2f780041", "unix:/x" },
		{ "family-1:007800", "unix:@x\\x00" },
		{ "family-2:0050c00002010000000000000000", "192.0.2.1:80" },
		{ "family-40:0000000400000200000000000000", "vsock:2:1024" },
		{ "packet:1:abCD:1:0:Ff", "packet:1:abcd:1:0:ff" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct soq_endpoint ep;

		assert_int_equal(soq_endpoint_parse(pairs[i][0], &ep), 0);
		check_text(&ep, pairs[i][1]);
	}
}

static void what_is_no_such_text_is_refused_untouched(void **state)
{
	static const struct {
		const char *text;
		int error;
	} refusals[] = {
		{ "unix", -EINVAL },
		{ "Unix:/x", -EINVAL },
		{ "UNIX:/x", -EINVAL },
		{ " unix:/x", -EINVAL },
		{ "unix :/x", -EINVAL },
		{ "local:/x", -EINVAL },
		{ "/run/x.sock", -EINVAL },
		{ "@name", -EINVAL },
		{ "unix:/x\n", -EINVAL },
		{ "unix:\t", -EINVAL },
		{ "unix:\x1b[0m", -EINVAL },
		{ "unix:\x7f", -EINVAL },
		{ "unix:@\x01", -EINVAL },
		{ "unix:\\", -EINVAL },
		{ "unix:\\\\", -EINVAL },
		{ "unix:\\n", -EINVAL },
		{ "unix:\\x", -EINVAL },
		{ "unix:\\x4", -EINVAL },
		{ "unix:\\x4g", -EINVAL },
		{ "unix:\\xg4", -EINVAL },
		{ "unix:\\X41", -EINVAL },
		{ "unix:\\041", -EINVAL },
		{ "unix:\\x 1", -EINVAL },
		{ "unix:\\x+1", -EINVAL },
		{ "unix:@\\x0", -EINVAL },
		{ "unix:\\x00", -EINVAL },
		{ "unix:/x\\x00", -EINVAL },
		{ "unix:/x\\x00y", -EINVAL },
		{ "unix:\\x00name", -EINVAL },
		{ "unix:./@\\x00", -EINVAL },
		{ "family", -EINVAL },
		{ "family-", -EINVAL },
		{ "family-40", -EINVAL },
		{ "family-:00", -EINVAL },
		{ "family-040:00", -EINVAL },
		{ "family--1:00", -EINVAL },
		{ "family-+1:00", -EINVAL },
		{ "family-0x28:00", -EINVAL },
		{ "family-vsock:00", -EINVAL },
		{ "Family-40:00", -EINVAL },
		{ "family-40:0", -EINVAL },
		{ "family-40:000", -EINVAL },
		{ "family-40:0g", -EINVAL },
		{ "family-40:00 ", -EINVAL },
		{ "family-40: 00", -EINVAL },
		{ "family-40:00:00", -EINVAL },
		{ "family-2:0050c0000201", -EINVAL }, /* cut short */
		{ "family-10:0050", -EINVAL },
		{ "family-65536:00", -ERANGE },
		{ "family-18446744073709551656:00", -ERANGE }, /* 2^64 + 40 */
		{ "family-65536:0", -EINVAL },
		{ "vsock:", -EINVAL },
		{ "vsock:2", -EINVAL },
		{ "vsock:2:", -EINVAL },
		{ "vsock::1024", -EINVAL },
		{ "vsock:02:1024", -EINVAL },
		{ "vsock:2:1024:", -EINVAL },
		{ "vsock:-1:1024", -EINVAL },
		{ "vsock:4294967296:1", -ERANGE },
		{ "vsock:1:4294967296", -ERANGE },
		{ "vsock:4294967296:x", -EINVAL },
		{ "packet:", -EINVAL },
		{ "packet:2", -EINVAL },
		{ "packet:2:0800", -EINVAL },
		{ "packet:2:0800:1:0", -EINVAL },
		{ "packet:2:080:1:0:", -EINVAL },
		{ "packet:2:08000:1:0:", -EINVAL },
		{ "packet:2:0800:1:0:0", -EINVAL },
		{ "packet:2:0800:1:0:0g", -EINVAL },
		{ "packet:2:0800:1:0:02:00", -EINVAL },
		{ "packet:2147483648:0800:1:0:", -ERANGE },
		{ "packet:2:0800:65536:0:", -ERANGE },
		{ "packet:2:0800:1:256:", -ERANGE },
		{ "packet:2:0800:1:256:0", -EINVAL },
		{ "packet:2:0800:1:0:010203040506070809", -ENAMETOOLONG },
	};
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
}

/* `head`, `count` times `unit`, `tail`. */
static const char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
	static char text[2048];
	int length = snprintf(text, sizeof(text), "%s", head);

	for (size_t i = 0; i < count; i++)
		length += snprintf(text + length, sizeof(text) - (size_t)length, "%s", unit);
	(void)snprintf(text + length, sizeof(text) - (size_t)length, "%s", tail);
	return text;
}

/* The longest that fits, as text and by its constructor, and one byte more. */
static void check_longest(const char *head, const char *unit, size_t count, uint32_t size_bytes)
{
	struct soq_endpoint before;
	struct soq_endpoint ep;

	memset(&before, 0xa5, sizeof(before));
	assert_int_equal(soq_endpoint_parse(repeat(head, unit, count, ""), &ep), 0);
	assert_int_equal(ep.size_bytes, size_bytes);
	check_text(&ep, repeat(head, unit, count, ""));
	ep = before;
	assert_int_equal(soq_endpoint_parse(repeat(head, unit, count + 1, ""), &ep), -ENAMETOOLONG);
	assert_int_equal(soq_endpoint_parse(repeat(head, unit, 400, ""), &ep), -ENAMETOOLONG);
	/* No endpoint at all comes first. */
	assert_int_equal(soq_endpoint_parse(repeat(head, unit, 400, "\\x"), &ep), -EINVAL);
	assert_memory_equal(&ep, &before, sizeof(ep));
}

static void names_end_where_an_address_does(void **state)
{
	const uint32_t full = sizeof(struct sockaddr_un);
	char name[SOQI_UNIX_NAME_MAX + 2];
	struct soq_endpoint ep;

	(void)state;
	assert_int_equal(SOQI_UNIX_NAME_MAX, 107);
	check_longest("unix:", "a", 107, full);
	check_longest("unix:", "\\xff", 107, full);
	check_longest("unix:./@", "\\x5c", 106, full);
	check_longest("unix:./\\x40", "\\x01", 104, full);
	check_longest("unix:@", "a", 107, full);
	check_longest("unix:@", "\\x00", 107, full);
	check_longest("family-40:", "0f", 126, sizeof(struct sockaddr_storage));
	assert_int_equal(soq_endpoint_parse(repeat("unix:", "a", 400, "\\x00"), &ep), -EINVAL);
	assert_int_equal(soq_endpoint_parse(repeat("family-65536:", "00", 127, ""), &ep), -ERANGE);

	memset(name, 'a', sizeof(name));
	name[108] = '\0';
	ep = raw(40, "", 0);
	assert_int_equal(soq_endpoint_unix(name, &ep), -ENAMETOOLONG);
	assert_int_equal(soq_endpoint_abstract(name, 108, &ep), -ENAMETOOLONG);
	assert_int_equal(soq_endpoint_abstract(name, SIZE_MAX, &ep), -ENAMETOOLONG);
	check_text(&ep, "family-40:");
	assert_int_equal(soq_endpoint_abstract(name, 107, &ep), 0);
	assert_int_equal(ep.size_bytes, full);
	check_text(&ep, repeat("unix:@", "a", 107, ""));
	name[107] = '\0';
	assert_int_equal(soq_endpoint_unix(name, &ep), 0);
	assert_int_equal(ep.size_bytes, full);
	check_text(&ep, repeat("unix:", "a", 107, ""));
}

/* The kernel takes a path of 108 bytes without a NUL, and tells of it with one. */
static void names_beyond_the_longest_are_carried(void **state)
{
	char bytes[126];
	struct soq_endpoint with;
	struct soq_endpoint without;

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	without = raw(AF_UNIX, bytes, 108);
	check_text(&without, repeat("family-1:", "61", 108, ""));
	bytes[108] = '\0';
	with = raw(AF_UNIX, bytes, 109);
	check_text(&with, repeat("family-1:", "61", 108, ""));
	assert_int_equal(soq_endpoint_equal(&with, &without), 1);
	with = raw(AF_UNIX, bytes, 126);
	check_text(&with, repeat("family-1:", "61", 108, ""));
	bytes[108] = 'a';
	with = raw(AF_UNIX, bytes, 126);
	check_text(&with, repeat("family-1:", "61", 126, ""));
	bytes[0] = '\0';
	with = raw(AF_UNIX, bytes, 109);
	check_text(&with, repeat("family-1:00", "61", 108, ""));
	with = raw(AF_UNIX, bytes, 126);
	check_text(&with, repeat("family-1:00", "61", 125, ""));
	/* A path ends at its NUL, wherever the address does. */
	bytes[0] = '/';
	bytes[5] = '\0';
	with = raw(AF_UNIX, bytes, 126);
	check_text(&with, "unix:/aaaa");
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

/* Each byte value alone, first, last and in between; paths but for NUL. */
static void every_byte_goes_both_ways(void **state)
{
	(void)state;
	for (int value = 0; value < 256; value++) {
		const char name[] = { (char)value, 'b', (char)value, 'd', (char)value, '\0' };
		bool plain = value >= 0x20 && value <= 0x7e && value != '\\';
		char expected[64];
		char text[SOQ_ENDPOINT_TEXT_MAX];
		char one[8];
		struct soq_endpoint ep;

		(void)snprintf(one, sizeof(one), plain ? "%c" : "\\x%02x", (unsigned)value);
		(void)snprintf(expected, sizeof(expected), "unix:@%sb%sd%s", one, one, one);
		assert_int_equal(soq_endpoint_abstract(name, 5, &ep), 0);
		assert_int_equal(ep.size_bytes, OFFSET + 6);
		check_text(&ep, expected);
		assert_int_equal(soq_endpoint_abstract(name, 1, &ep), 0);
		assert_true(soq_endpoint_format(&ep, text, sizeof(text)) > 0 && is_printable(text));
		assert_int_equal(soq_endpoint_parse(expected, &ep), 0);
		assert_memory_equal(ep.addr.local.sun_path + 1, name, 5);
		if (value == 0)
			continue;
		(void)snprintf(expected, sizeof(expected), "unix:%s%sb%sd%s",
			       value == '@' ? "./" : "", one, one, one);
		assert_int_equal(soq_endpoint_unix(name, &ep), 0);
		assert_int_equal(ep.size_bytes, OFFSET + 6);
		assert_string_equal(ep.addr.local.sun_path, name);
		check_text(&ep, expected);
	}
}

static void a_path_is_taken_byte_for_byte(void **state)
{
	struct soq_endpoint ep;
	struct soq_endpoint before;

	(void)state;
	memset(&ep, 0xff, sizeof(ep));
	assert_int_equal(soq_endpoint_unix("\\x41", &ep), 0);
	check_text(&ep, "unix:\\x5cx41");
	assert_int_equal(soq_endpoint_unix("@x", &ep), 0);
	assert_int_equal(ep.addr.local.sun_path[0], '@');
	assert_int_equal(ep.addr.any.sa_family, AF_UNIX);
	assert_int_equal(ep.size_bytes, OFFSET + 3);
	assert_int_equal(ep.reserved, 0);
	assert_int_equal(soq_endpoint_abstract("", 0, &ep), 0);
	assert_int_equal(ep.size_bytes, OFFSET + 1);
	before = ep;
	assert_int_equal(soq_endpoint_unix("", &ep), -EINVAL);
	assert_int_equal(soq_endpoint_unix(NULL, &ep), -EINVAL);
	assert_int_equal(soq_endpoint_unix("x", NULL), -EINVAL);
	assert_int_equal(soq_endpoint_abstract(NULL, 0, &ep), -EINVAL);
	assert_int_equal(soq_endpoint_abstract("x", 1, NULL), -EINVAL);
	assert_memory_equal(&ep, &before, sizeof(ep));
}

static void any_address_is_carried_as_it_is(void **state)
{
	/* Behind one byte, so that nothing is aligned. */
	unsigned char memory[1 + sizeof(struct sockaddr_storage) + 1];
	const struct sockaddr *addr = (const struct sockaddr *)(const void *)(memory + 1);
	sa_family_t families[] = { AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_PACKET, 40, 65535 };
	struct soq_endpoint before;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		uint32_t least = sizeof(sa_family_t);

		if (families[i] == AF_INET)
			least = sizeof(struct sockaddr_in);
		if (families[i] == AF_INET6)
			least = sizeof(struct sockaddr_in6);
		memset(memory, 0xa5, sizeof(memory));
		memcpy(memory + 1, &families[i], sizeof(families[i]));
		for (uint32_t size = 0; size <= sizeof(struct sockaddr_storage) + 1; size++) {
			bool good = size >= least && size <= sizeof(struct sockaddr_storage);
			struct soq_endpoint ep = before;

			assert_int_equal(soq_endpoint_from(addr, size, &ep), good ? 0 : -EINVAL);
			if (!good) {
				assert_memory_equal(&ep, &before, sizeof(ep));
				continue;
			}
			assert_int_equal(ep.size_bytes, size);
			assert_int_equal(ep.reserved, 0);
			assert_memory_equal(&ep.addr, memory + 1, size);
			for (size_t b = size; b < sizeof(ep.addr); b++)
				assert_int_equal(((unsigned char *)&ep.addr)[b], 0);
		}
	}
	assert_int_equal(soq_endpoint_from(NULL, 16, &before), -EINVAL);
	assert_int_equal(soq_endpoint_from(addr, 16, NULL), -EINVAL);
	assert_int_equal(soq_endpoint_from(addr, UINT32_MAX, &before), -EINVAL);
}

static void an_endpoint_may_be_made_of_itself(void **state)
{
	struct soq_endpoint ep;

	(void)state;
	assert_int_equal(soq_endpoint_unix("/run/x", &ep), 0);
	assert_int_equal(soq_endpoint_from(&ep.addr.any, ep.size_bytes, &ep), 0);
	check_text(&ep, "unix:/run/x");
	assert_int_equal(soq_endpoint_unix(ep.addr.local.sun_path + 4, &ep), 0);
	check_text(&ep, "unix:/x");
}

static void format_needs_room_for_all_of_it(void **state)
{
	static const char *const texts[] = { "unix:", "unix:@", "unix:./@x\\xff", "family-40:00" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t length = strlen(texts[i]);
		struct soq_endpoint ep;
		char text[32];

		assert_int_equal(soq_endpoint_parse(texts[i], &ep), 0);
		for (size_t room = 0; room <= length; room++) {
			memset(text, 'z', sizeof(text));
			assert_int_equal(soq_endpoint_format(&ep, text, room), -ENOSPC);
			for (size_t b = 0; b < sizeof(text); b++)
				assert_int_equal(text[b], 'z');
		}
		assert_int_equal(soq_endpoint_format(&ep, text, length + 1), length);
		assert_string_equal(text, texts[i]);
		assert_int_equal(text[length + 1], 'z');
		assert_int_equal(soq_endpoint_port(&ep), -EAFNOSUPPORT);
	}
}

/* Binds a unix socket to `ep`; what the kernel then calls it, as an endpoint. */
static struct soq_endpoint bound(const struct soq_endpoint *ep)
{
	struct sockaddr_storage addr;
	socklen_t size_bytes = sizeof(addr);
	struct soq_endpoint told;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &ep->addr.any, ep->size_bytes), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &size_bytes), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(soq_endpoint_from((struct sockaddr *)&addr, size_bytes, &told), 0);
	return told;
}

static void check_bound(const struct soq_endpoint *ep)
{
	struct soq_endpoint told = bound(ep);
	struct soq_endpoint again;
	char text[SOQ_ENDPOINT_TEXT_MAX];

	assert_int_equal(told.size_bytes, ep->size_bytes);
	assert_int_equal(soq_endpoint_equal(&told, ep), 1);
	assert_true(soq_endpoint_format(&told, text, sizeof(text)) > 0);
	assert_int_equal(soq_endpoint_parse(text, &again), 0);
	assert_memory_equal(&again, &told, sizeof(told));
}

static void the_kernel_agrees_on_abstract_names(void **state)
{
	struct soq_endpoint unnamed;
	struct soq_endpoint told;
	char name[107];
	char text[SOQ_ENDPOINT_TEXT_MAX];
	struct soq_endpoint again;

	(void)state;
	/* No name: the kernel chooses one, of five hexadecimal digits. */
	assert_int_equal(soq_endpoint_parse("unix:", &unnamed), 0);
	told = bound(&unnamed);
	assert_int_equal(told.size_bytes, OFFSET + 6);
	assert_int_equal(soq_endpoint_format(&told, text, sizeof(text)), 11);
	assert_memory_equal(text, "unix:@", 6);
	assert_int_equal(strspn(text + 6, "0123456789abcdef"), 5);
	assert_int_equal(soq_endpoint_parse(text, &again), 0);
	assert_memory_equal(&again, &told, sizeof(told));
	assert_int_equal(soq_endpoint_equal(&told, &unnamed), 0);

	(void)snprintf(name, sizeof(name), "soq-%ld", (long)getpid());
	for (size_t i = strlen(name); i < sizeof(name); i++)
		name[i] = (char)(i * 5 % 256 < 128 ? 0 : i * 5);
	for (size_t length = 30; length <= sizeof(name); length += 7) {
		assert_int_equal(soq_endpoint_abstract(name, length, &told), 0);
		check_bound(&told);
	}
}

static void the_kernel_agrees_on_paths(void **state)
{
	char folder[] = "/tmp/soq-endpoint-XXXXXX";
	const char *const names[] = { "p", "@x", "./@y", "a\nb\\\xff\xc3\xa9" };
	struct soq_endpoint ep;
	struct soq_endpoint told;
	char longest[109];
	char cwd[1024];

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(folder), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(soq_endpoint_unix(names[i], &ep), 0);
		check_bound(&ep);
		assert_int_equal(unlink(names[i]), 0);
		/* Given without its NUL, told with it. */
		ep.size_bytes--;
		told = bound(&ep);
		assert_int_equal(told.size_bytes, ep.size_bytes + 1);
		assert_int_equal(soq_endpoint_equal(&told, &ep), 1);
		assert_int_equal(unlink(names[i]), 0);
	}
	memset(longest, 'l', sizeof(longest));
	longest[108] = '\0';
	ep = raw(AF_UNIX, longest, 108);
	told = bound(&ep);
	check_text(&told, repeat("family-1:", "6c", 108, ""));
	assert_int_equal(soq_endpoint_equal(&told, &ep), 1);
	assert_int_equal(unlink(longest), 0);
	longest[107] = '\0';
	assert_int_equal(soq_endpoint_unix(longest, &ep), 0);
	check_bound(&ep);
	assert_int_equal(unlink(longest), 0);
	assert_int_equal(chdir(cwd), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void errno_is_left_alone(void **state)
{
	struct soq_endpoint ep;
	char text[SOQ_ENDPOINT_TEXT_MAX];

	(void)state;
	errno = 4711;
	assert_int_equal(soq_endpoint_parse("unix:\\", &ep), -EINVAL);
	assert_int_equal(soq_endpoint_parse(repeat("unix:", "a", 108, ""), &ep), -ENAMETOOLONG);
	assert_int_equal(soq_endpoint_parse("family-65536:", &ep), -ERANGE);
	assert_int_equal(soq_endpoint_unix("x", &ep), 0);
	assert_int_equal(soq_endpoint_format(&ep, text, 1), -ENOSPC);
	assert_int_equal(errno, 4711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_goes_both_ways),
		cmocka_unit_test(other_spellings_have_one_text),
		cmocka_unit_test(what_is_no_such_text_is_refused_untouched),
		cmocka_unit_test(names_end_where_an_address_does),
		cmocka_unit_test(names_beyond_the_longest_are_carried),
		cmocka_unit_test(every_byte_goes_both_ways),
		cmocka_unit_test(a_path_is_taken_byte_for_byte),
		cmocka_unit_test(any_address_is_carried_as_it_is),
		cmocka_unit_test(an_endpoint_may_be_made_of_itself),
		cmocka_unit_test(format_needs_room_for_all_of_it),
		cmocka_unit_test(the_kernel_agrees_on_abstract_names),
		cmocka_unit_test(the_kernel_agrees_on_paths),
		cmocka_unit_test(errno_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
