/* SPDX-License-Identifier: MIT */
/* What the parts of tests/support share and tests do not need. */
#ifndef SOQ_TESTS_INTERNAL_H
#define SOQ_TESTS_INTERNAL_H

struct fixture;

void fixture_begin(struct fixture *t, const char *name);
void fixture_end(struct fixture *t);

#endif
