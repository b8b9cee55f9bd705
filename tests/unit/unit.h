/* SPDX-License-Identifier: MIT */
/* What every unit test includes: cmocka with what it needs, and repeatable chance. */
#ifndef SOQ_TESTS_UNIT_H
#define SOQ_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* xorshift64*: the same numbers on every run and machine. */
static inline uint64_t unit_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* One of 0 to `bound` - 1. */
static inline unsigned unit_choose(uint64_t *state, unsigned bound)
{
	return (unsigned)((unit_random(state) >> 32) % bound);
}

#endif
