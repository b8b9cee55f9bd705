/* SPDX-License-Identifier: MIT */
/* What a crowd of idle connections costs the others, and what memory it takes. */
#ifndef HARNESS_IDLE_H
#define HARNESS_IDLE_H

#include "settings.h"

/*
 * Runs each contender without and with idle connections, one pair after another, and
 * prints. Before any loop is made. False after saying what was wrong.
 */
bool idle_run(const struct settings *s);

#endif
