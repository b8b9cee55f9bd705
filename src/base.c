/* SPDX-License-Identifier: MIT */
/* The version. */
#include <soq/base.h>

uint32_t soq_version(void)
{
	return SOQ_VERSION;
}
