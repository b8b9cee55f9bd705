/* SPDX-License-Identifier: MIT */
/* Takes the limit of open descriptors as far up as this process may. */
#ifndef PERF_LIMITS_H
#define PERF_LIMITS_H

#include <sys/resource.h>

static inline void limits_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)!setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
