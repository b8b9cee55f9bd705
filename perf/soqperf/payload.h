/* SPDX-License-Identifier: MIT */
/*
 * What requests carry: the connection's number, the request's sequence, and bytes of
 * a fixed pseudo-random table from a place that depends on both. So a byte that is
 * stale, of another connection, or at another offset is a wrong byte.
 */
#ifndef SOQPERF_PAYLOAD_H
#define SOQPERF_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest request. */
#define PAYLOAD_MAX (1u << 20)

/* Makes the table; once, before the others. Returns 0 or -ENOMEM. */
int payload_init(void);

/* Writes request `sequence` of `connection` into `data`. */
void payload_fill(unsigned char *data, size_t size_bytes, uint32_t connection, uint64_t sequence);

/* Compares `count` bytes with those of that request from `offset` on. */
bool payload_equal(const unsigned char *data, size_t count, size_t offset, uint32_t connection,
		   uint64_t sequence);

#endif
