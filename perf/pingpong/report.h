/* SPDX-License-Identifier: MIT */
/* What was measured, as a table, CSV or JSON, and what --check asks. */
#ifndef PINGPONG_REPORT_H
#define PINGPONG_REPORT_H

#include "bout.h"

void report_print(const struct bout *b);

/* Says what is wrong, to standard error; true if nothing is. */
bool report_check(const struct bout *b);

#endif
