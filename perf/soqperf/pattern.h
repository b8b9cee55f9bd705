/* SPDX-License-Identifier: MIT */
/*
 * What streams carry: byte p of a stream is `(unsigned char)(i * 31 + 7)`, i being
 * p % PATTERN_BYTES. Sources send the whole of it again and again.
 */
#ifndef SOQPERF_PATTERN_H
#define SOQPERF_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_BYTES 65536u

/* Writes `count` bytes of a stream, from its position 0 on. */
void pattern_fill(unsigned char *data, size_t count);

/* Compares `count` bytes with those of a stream from `position` on. */
bool pattern_equal(const unsigned char *data, size_t count, uint64_t position);

#endif
