/* SPDX-License-Identifier: MIT */
/*
 * The few functions of cmocka that the suite uses, for the one program that must be
 * linked statically (it runs in an initramfs with nothing else): distributions ship
 * cmocka as a shared library only. Every other program uses cmocka itself.
 */
#define _GNU_SOURCE
#include "support.h"

#include <stdio.h>

static jmp_buf failure;

void _fail(const char *const file, const int line)
{
	fprintf(stderr, "%s:%d: failed\n", file, line);
	longjmp(failure, 1);
}

void _assert_true(const LargestIntegralType result, const char *const expression,
		  const char *const file, const int line)
{
	if (result)
		return;
	fprintf(stderr, "not so: %s\n", expression);
	_fail(file, line);
}

void _assert_int_equal(const LargestIntegralType a, const LargestIntegralType b,
		       const char *const file, const int line)
{
	if (a == b)
		return;
	fprintf(stderr, "%#llx != %#llx\n", (unsigned long long)a, (unsigned long long)b);
	_fail(file, line);
}

void _assert_int_not_equal(const LargestIntegralType a, const LargestIntegralType b,
			   const char *const file, const int line)
{
	if (a != b)
		return;
	fprintf(stderr, "%#llx == %#llx\n", (unsigned long long)a, (unsigned long long)b);
	_fail(file, line);
}

void _assert_memory_equal(const void *const a, const void *const b, const size_t size,
			  const char *const file, const int line)
{
	if (memcmp(a, b, size) == 0)
		return;
	fprintf(stderr, "%zu bytes differ\n", size);
	_fail(file, line);
}

void _assert_string_equal(const char *const a, const char *const b, const char *const file,
			  const int line)
{
	if (strcmp(a, b) == 0)
		return;
	fprintf(stderr, "\"%s\" != \"%s\"\n", a, b);
	_fail(file, line);
}

void _assert_in_range(const LargestIntegralType value, const LargestIntegralType minimum,
		      const LargestIntegralType maximum, const char *const file, const int line)
{
	if (minimum <= value && value <= maximum)
		return;
	fprintf(stderr, "%llu is out of range\n", (unsigned long long)value);
	_fail(file, line);
}

void print_error(const char *const format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

void print_message(const char *const format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *const tests,
			    const size_t count, CMFixtureFunction setup, CMFixtureFunction teardown)
{
	volatile int failed = 0;

	(void)setup;
	(void)teardown;
	printf("[==========] %s: %zu tests\n", group, count);
	for (volatile size_t i = 0; i < count; i++) {
		void *state = tests[i].initial_state;

		if (setjmp(failure)) {
			printf("[  FAILED  ] %s\n", tests[i].name);
			failed++;
			continue;
		}
		tests[i].test_func(&state);
		printf("[       OK ] %s\n", tests[i].name);
	}
	return failed;
}
