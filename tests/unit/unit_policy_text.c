/* SPDX-License-Identifier: MIT */
/* Policies as text: what is one, what is wrong with others and where, and any bytes at all. */
#include "unit.h"

#include <soq/policy.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Of everything something; it is in the header as well. */
static const char example[] = "# what is not allowed is denied\n"
			      "default deny\n"
			      "allow connect tcp 192.0.2.0/24 443\n"
			      "allow connect,send_to tcp,udp 2001:db8::/32 1024-65535\n"
			      "allow bind,accept tcp *\n"
			      "allow connect tcp www.example.org 443\n"
			      "allow connect unix unix:/run/app/\n"
			      "deny  any any 192.0.2.13   # but this one\n"
			      "\n"
			      "\tdeny any any 198.51.*.* *\r\n"
			      "deny any vsock vsock:2 0-4294967295\n"
			      "deny any unix unix:@soq*\n"
			      "deny any unix unix:@soq\n"
			      "deny any any ::ffff:192.0.2.0/120";

static int parse(const char *text, size_t size_bytes, struct soq_policy_error *error,
		 struct soq_policy **policy_out)
{
	*error = (struct soq_policy_error){ .size = sizeof(*error) };
	*policy_out = NULL;
	return soq_policy_parse(text, size_bytes, error, policy_out);
}

static void texts_are_policies(void **state)
{
	static const char *const texts[] = {
		example,
		"default allow",
		"default deny\n",
		"\r\n\t \n# nothing\ndefault\tdeny # really\r\n#",
		"allow any any *\ndefault deny",
		"default deny\nallow connect any a-b.c_d.example\n",
		"default deny\nallow connect any EXAMPLE.org.\n",
		"default deny\nallow any any 0.0.0.0/0 0-65535\n",
		"default deny\nallow any any ::/0 1-1\n",
		"default deny\nallow any any *.*.*.*\n",
		"default deny\nallow any any 1.2.3.*\n",
		"default deny\nallow any unix unix:/\n",
		"default deny\nallow any,connect any,tcp 1.2.3.4 *\n",
		"default deny\nallow any any 2001:DB8::1\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct soq_policy_error error;
		struct soq_policy *policy;

		if (parse(texts[i], strlen(texts[i]), &error, &policy) != 0)
			fail_msg("text %zu: %u:%u: %s", i, error.line, error.column, error.text);
		soq_policy_release(policy);
	}
}

static void faults_are_told_with_line_and_column(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *says; /* some of it */
	} faults[] = {
		{ "", 0, 0, "no default" },
		{ "# default deny\n", 0, 0, "no default" },
		{ "allow any any *\n", 0, 0, "no default" },
		{ "default", 1, 1, "allow or deny" },
		{ "default maybe", 1, 1, "allow or deny" },
		{ "default allow deny", 1, 1, "allow or deny" },
		{ "default deny\ndefault deny", 2, 1, "second" },
		{ "default deny\n\n  permit any any *", 3, 3, "neither allow" },
		{ "default deny\nAllow any any *", 2, 1, "neither allow" },
		{ "default deny\nallow", 2, 6, "ends early" },
		{ "default deny\nallow any any # *", 2, 14, "ends early" },
		{ "default deny\nallow any any * * *", 2, 19, "more than" },
		{ "default deny\nallow any any * 1 2 3 4", 2, 19, "more than" },
		{ "default deny\nallow listen any *", 2, 7, "neither connect" },
		{ "default deny\nallow connect,listen any *", 2, 15, "neither connect" },
		{ "default deny\nallow connect, any *", 2, 15, "neither connect" },
		{ "default deny\nallow ,connect any *", 2, 7, "neither connect" },
		{ "default deny\nallow any sctp *", 2, 11, "transport" },
		{ "default deny\nallow any tcp,,udp *", 2, 15, "transport" },
		{ "default deny\nallow any any * 65536", 2, 17, "port" },
		{ "default deny\nallow any any * 0", 2, 17, "port 0" },
		{ "default deny\nallow any any * 080", 2, 17, "port" },
		{ "default deny\nallow any any * http", 2, 17, "port" },
		{ "default deny\nallow any any * 10-9", 2, 17, "above the last" },
		{ "default deny\nallow any any * 1-", 2, 19, "port" },
		{ "default deny\nallow any any * -1", 2, 17, "port" },
		{ "default deny\nallow any any * 99999999999", 2, 17, "port" },
		{ "default deny\nallow any any 1.2.3", 2, 15, "address" },
		{ "default deny\nallow any any 127.1", 2, 15, "address" },
		{ "default deny\nallow any any 01.2.3.4", 2, 15, "address" },
		{ "default deny\nallow any any 1.2.3.256", 2, 15, "address" },
		{ "default deny\nallow connect any 0x7f000001", 2, 19, "no name" },
		{ "default deny\nallow connect any 2130706433", 2, 19, "address" },
		{ "default deny\nallow any any 1.2.3.4/33", 2, 15, "prefix" },
		{ "default deny\nallow any any 1.2.3.4/", 2, 15, "prefix" },
		{ "default deny\nallow any any 1.2.3.4/08", 2, 15, "prefix" },
		{ "default deny\nallow any any 1.2.3.4/24", 2, 15, "behind" },
		{ "default deny\nallow any any 2001:db8::1/64", 2, 15, "behind" },
		{ "default deny\nallow any any ::/129", 2, 15, "prefix" },
		{ "default deny\nallow any any [::1]", 2, 15, "address" },
		{ "default deny\nallow any any fe80::1%lo", 2, 15, "address" },
		{ "default deny\nallow any any 1.*.3.4.5", 2, 15, "" },
		{ "default deny\nallow any any 1.2.*", 2, 15, "" },
		{ "default deny\nallow any any *.example.org", 2, 15, "" },
		{ "default deny\nallow connect any a..b", 2, 19, "name" },
		{ "default deny\nallow connect any .a", 2, 19, "name" },
		{ "default deny\nallow connect any caf\xc3\xa9.org", 2, 19, "name" },
		{ "default deny\nallow bind any example.org", 2, 16, "only a connect" },
		{ "default deny\nallow any unix unix:", 2, 16, "" },
		{ "default deny\nallow any unix unix:run", 2, 16, "absolute" },
		{ "default deny\nallow any unix unix:/run/../etc", 2, 16, "absolute" },
		{ "default deny\nallow any unix unix:/run//a", 2, 16, "absolute" },
		{ "default deny\nallow any tcp unix:/run", 2, 15, "transport" },
		{ "default deny\nallow any unix 1.2.3.4", 2, 16, "transport" },
		{ "default deny\nallow any vsock vsock:x", 2, 17, "machine" },
		{ "default deny\nallow any vsock vsock:4294967296", 2, 17, "machine" },
		{ "default deny\nallow any any a\001b", 2, 16, "control" },
		/* The first fault is told, though the default comes later. */
		{ "allow any any *\nbad\nallow any any 1.2.3.4/24\ndefault deny", 2, 1, "" },
		{ "allow any any 1.2.3.4/24\nallow any any *\ndefault deny", 1, 15, "behind" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct soq_policy_error error;
		struct soq_policy *policy;
		int result = parse(faults[i].text, strlen(faults[i].text), &error, &policy);

		if (result == -EINVAL && error.line == faults[i].line &&
		    error.column == faults[i].column && error.text != NULL &&
		    strstr(error.text, faults[i].says) != NULL)
			continue;
		fail_msg("\"%s\": %d, %u:%u: %s, not %u:%u: %s", faults[i].text, result, error.line,
			 error.column, error.text != NULL ? error.text : "-", faults[i].line,
			 faults[i].column, faults[i].says);
	}
}

/* A NUL is a control character like others, and none ends a text. */
static void nul_ends_nothing(void **state)
{
	static const char text[] = "default deny\nallow any any *\0";
	struct soq_policy_error error;
	struct soq_policy *policy;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 2, &error, &policy), 0);
	soq_policy_release(policy);
	assert_int_equal(parse(text, sizeof(text) - 1, &error, &policy), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_int_equal(error.column, 16);
}

static size_t put(char *to, const char *bytes, size_t count)
{
	memcpy(to, bytes, count);
	return count;
}

static void lengths_have_limits(void **state)
{
	static const char otherwise[] = "default deny\n", rule[] = "allow any any *\n";
	size_t size_bytes = (size_t)SOQ_POLICY_TEXT_MAX + 1;
	char *text = malloc(size_bytes);
	struct soq_policy_error error;
	struct soq_policy *policy;
	size_t used;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', size_bytes);
	(void)put(text, otherwise, 13);
	assert_int_equal(parse(text, size_bytes - 1, &error, &policy), 0);
	soq_policy_release(policy);
	assert_int_equal(parse(text, size_bytes, &error, &policy), -EFBIG);
	assert_non_null(error.text);

	memset(text + 13, ' ', SOQ_POLICY_LINE_MAX);
	assert_int_equal(parse(text, 14 + SOQ_POLICY_LINE_MAX, &error, &policy), 0);
	soq_policy_release(policy);
	text[13 + SOQ_POLICY_LINE_MAX] = ' ';
	assert_int_equal(parse(text, 15 + SOQ_POLICY_LINE_MAX, &error, &policy), -EINVAL);
	assert_int_equal(error.line, 2);
	assert_int_equal(error.column, SOQ_POLICY_LINE_MAX + 1);

	used = put(text, otherwise, 13);
	for (unsigned i = 0; i < SOQ_POLICY_RULES_MAX; i++)
		used += put(text + used, rule, 16);
	assert_int_equal(parse(text, used, &error, &policy), 0);
	soq_policy_release(policy);
	(void)put(text + used, rule, 16);
	assert_int_equal(parse(text, used + 16, &error, &policy), -E2BIG);
	assert_int_equal(error.line, SOQ_POLICY_RULES_MAX + 2);
	free(text);
}

static void files_are_read_like_texts(void **state)
{
	static const char *const texts[] = { example, "default deny\nbad" };
	static const int results[] = { 0, -EINVAL };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		char path[] = "/tmp/soq-policy-XXXXXX";
		struct soq_policy_error error = { .size = sizeof(error) };
		struct soq_policy *policy = NULL;
		int fd = mkstemp(path);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
		assert_int_equal(close(fd), 0);
		assert_int_equal(soq_policy_read(path, &error, &policy), results[i]);
		assert_int_equal(error.line, i ? 2 : 0);
		soq_policy_release(policy);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(soq_policy_read(path, &error, &policy), -ENOENT);
	}
}

static void names_allow_and_deny_what_is_asked_for_by_them(void **state)
{
	static const char text[] = "default deny\n"
				   "allow connect tcp good.example 443\n"
				   "deny connect any bad.example\n"
				   "allow connect tcp 192.0.2.0/24 80\n"
				   "deny any any 192.0.2.13\n";
	static const struct {
		const char *name, *ep;
		int result;
		unsigned rule;
	} cases[] = {
		{ "good.example", "198.51.100.1:443", 0, 0 },
		{ "GOOD.Example.", "[2001:db8::1]:443", 0, 0 },
		{ "good.example", "198.51.100.1:80", -EACCES, 0 },
		{ "good.example", "192.0.2.13:443", -EACCES, 4 },
		{ "bad.example", "192.0.2.1:80", -EACCES, 2 },
		{ "bad.example", NULL, -EACCES, 2 },
		{ "good.example", NULL, 0, 0 },
		{ "other.example", NULL, 0, 0 },
		{ "other.example", "192.0.2.1:80", 0, 0 },
		{ NULL, "198.51.100.1:443", -EACCES, 0 },
		{ NULL, "192.0.2.1:80", 0, 0 },
		{ "a.good.example", "198.51.100.1:443", -EACCES, 0 },
	};
	struct soq_policy_error error;
	struct soq_policy *policy;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &error, &policy), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct soq_endpoint ep;
		uint32_t rule = 0;

		if (cases[i].ep != NULL)
			assert_int_equal(soq_endpoint_parse(cases[i].ep, &ep), 0);
		assert_int_equal(soq_policy_judge(policy, SOQ_POLICY_CONNECT, SOQ_POLICY_TCP,
						  cases[i].name, cases[i].ep != NULL ? &ep : NULL,
						  &rule),
				 cases[i].result);
		assert_int_equal(rule, cases[i].rule);
	}
	soq_policy_release(policy);
}

/* What .NET Framework's SocketPermission knows of, word by word. */
/* The bytes of a device's name, where others have an address (SOCK_PACKET). */
static void packets_have_no_address_that_a_rule_allows(void **state)
{
	static const char text[] = "default deny\nallow any any 192.0.2.0/24\n";
	struct soq_policy_error error;
	struct soq_policy *policy;
	struct soq_endpoint ep;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &error, &policy), 0);
	assert_int_equal(soq_endpoint_parse("192.0.2.1:1", &ep), 0);
	for (uint32_t transport = SOQ_POLICY_TCP; transport <= SOQ_POLICY_OTHER; transport <<= 1)
		assert_int_equal(soq_policy_judge(policy, SOQ_POLICY_SEND_TO, transport, NULL, &ep,
						  NULL),
				 transport == SOQ_POLICY_PACKET ? -EACCES : 0);
	soq_policy_release(policy);
}

static void rules_of_net_framework_can_be_said(void **state)
{
	static const char text[] =
		"default deny\n"                         /* PermissionState.None */
		"allow connect,send_to tcp 1.2.*.* 80\n" /* NetworkAccess.Connect */
		"allow connect,send_to any 1.2.3.4\n"    /* All, AllPorts */
		"allow connect tcp host.example 80\n"
		"allow bind tcp 1.*.3.* 7\n" /* NetworkAccess.Accept */
		"allow accept any *\n"       /* it asks at Bind alone */
		"allow bind udp 0.0.0.0\n";
	static const struct {
		uint32_t what, transport;
		const char *ep;
		int result;
	} cases[] = {
		{ SOQ_POLICY_CONNECT, SOQ_POLICY_TCP, "1.2.9.9:80", 0 },
		{ SOQ_POLICY_CONNECT, SOQ_POLICY_TCP, "1.3.9.9:80", -EACCES },
		{ SOQ_POLICY_CONNECT, SOQ_POLICY_UDP, "1.2.9.9:80", -EACCES },
		{ SOQ_POLICY_SEND_TO, SOQ_POLICY_UDP, "1.2.3.4:1", 0 },
		/* Before the address is made an IPv6 one, and after. */
		{ SOQ_POLICY_CONNECT, SOQ_POLICY_TCP, "[::ffff:1.2.9.9]:80", 0 },
		/* That one may be chosen is more than .NET demands: a rule has to say so. */
		{ SOQ_POLICY_BIND, SOQ_POLICY_TCP, "1.9.3.9:0", -EACCES },
		{ SOQ_POLICY_BIND, SOQ_POLICY_TCP, "1.9.3.9:7", 0 },
		{ SOQ_POLICY_BIND, SOQ_POLICY_TCP, "1.9.3.9:8", -EACCES },
		{ SOQ_POLICY_BIND, SOQ_POLICY_TCP, "0.0.0.0:7", -EACCES },
		{ SOQ_POLICY_BIND, SOQ_POLICY_UDP, "0.0.0.0:7", 0 },
		{ SOQ_POLICY_BIND, SOQ_POLICY_UDP, "1.1.1.1:7", -EACCES },
		{ SOQ_POLICY_ACCEPT, SOQ_POLICY_TCP, "9.9.9.9:9", 0 },
	};
	struct soq_policy_error error;
	struct soq_policy *policy;

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1, &error, &policy), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct soq_endpoint ep;

		assert_int_equal(soq_endpoint_parse(cases[i].ep, &ep), 0);
		assert_int_equal(soq_policy_judge(policy, cases[i].what, cases[i].transport, NULL,
						  &ep, NULL),
				 cases[i].result);
	}
	soq_policy_release(policy);
}

/* Whatever the bytes are: a policy that answers, or a fault in one of the lines. */
static bool try_bytes(const char *bytes, size_t size_bytes)
{
	/* So that reading beyond it is seen. */
	char *text = malloc(size_bytes > 0 ? size_bytes : 1);
	struct soq_policy_error error;
	struct soq_policy *policy;
	struct soq_endpoint ep;
	unsigned lines = 1;
	int result;

	assert_non_null(text);
	memcpy(text, bytes, size_bytes);
	for (size_t i = 0; i < size_bytes; i++)
		lines += text[i] == '\n';
	result = parse(text, size_bytes, &error, &policy);
	free(text);
	if (result == 0) {
		assert_int_equal(soq_endpoint_parse("192.0.2.13:443", &ep), 0);
		result = soq_policy_judge(policy, SOQ_POLICY_CONNECT, SOQ_POLICY_TCP, NULL, &ep,
					  NULL);
		assert_true(result == 0 || result == -EACCES);
		soq_policy_release(policy);
		return true;
	}
	assert_int_equal(result, -EINVAL);
	assert_null(policy);
	assert_non_null(error.text);
	assert_true(error.line <= lines);
	assert_true(error.line > 0 ? error.column > 0 : strcmp(error.text, "no default") == 0);
	assert_true(error.column <= size_bytes + 1);
	return false;
}

static void any_bytes_are_taken_or_refused(void **state)
{
	uint64_t chance = 1;
	char bytes[200];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		size_t size_bytes = unit_choose(&chance, sizeof(bytes));

		for (size_t k = 0; k < size_bytes; k++)
			bytes[k] = (char)unit_random(&chance);
		assert_false(try_bytes(bytes, size_bytes));
	}
}

/* A text with some of it changed, left out, twice, or cut off. */
static size_t mutate(uint64_t *chance, char *text, size_t size_bytes)
{
	static const char bytes[] = "#\n\r\t -,./:*@\\%0123456789abcdefx\0\xff";

	for (unsigned left = 1 + unit_choose(chance, 3); left > 0 && size_bytes > 8; left--) {
		size_t at = unit_choose(chance, (unsigned)size_bytes);
		size_t count = 1 + unit_choose(chance, 8);

		if (count > size_bytes - at)
			count = size_bytes - at;
		switch (unit_choose(chance, 4)) {
		case 0:
			text[at] = bytes[unit_choose(chance, sizeof(bytes))];
			break;
		case 1:
			memmove(text + at, text + at + count, size_bytes - at - count);
			size_bytes -= count;
			break;
		case 2:
			memmove(text + at + count, text + at, size_bytes - at);
			size_bytes += count;
			break;
		default:
			if (unit_choose(chance, 4) == 0)
				size_bytes = at;
		}
	}
	return size_bytes;
}

static void changed_texts_are_taken_or_refused(void **state)
{
	char text[sizeof(example) + 100];
	unsigned taken = 0, rounds = 20000;
	uint64_t chance = 2;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		memcpy(text, example, sizeof(example) - 1);
		taken += try_bytes(text, mutate(&chance, text, sizeof(example) - 1));
	}
	/* Both come about. */
	assert_true(taken > rounds / 20 && taken < rounds / 20 * 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_policies),
		cmocka_unit_test(faults_are_told_with_line_and_column),
		cmocka_unit_test(nul_ends_nothing),
		cmocka_unit_test(lengths_have_limits),
		cmocka_unit_test(files_are_read_like_texts),
		cmocka_unit_test(names_allow_and_deny_what_is_asked_for_by_them),
		cmocka_unit_test(packets_have_no_address_that_a_rule_allows),
		cmocka_unit_test(rules_of_net_framework_can_be_said),
		cmocka_unit_test(any_bytes_are_taken_or_refused),
		cmocka_unit_test(changed_texts_are_taken_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
