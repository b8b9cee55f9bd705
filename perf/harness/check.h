/* SPDX-License-Identifier: MIT */
/* What must be so whatever the machine: the bytes, and with --check soq's counters. */
#ifndef HARNESS_CHECK_H
#define HARNESS_CHECK_H

#include "bout.h"

/* Says what is wrong, to standard error; true if nothing is. */
bool check_bytes(const struct bout *b);
bool check_counters(const struct bout *b);

#endif
