/* SPDX-License-Identifier: MIT */
/* A word that is 1 here and 0 in a child of fork(): it tells the two apart without a call. */
#include "util.h"

#include <sys/mman.h>

/* The whole page that it is on. */
#define HERE_BYTES 4096u

const volatile uint32_t *soqi_here_make(void)
{
	uint32_t *here = mmap(NULL, HERE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);

	if (here == MAP_FAILED)
		return NULL;
	if (madvise(here, HERE_BYTES, MADV_WIPEONFORK) != 0) {
		(void)munmap(here, HERE_BYTES);
		return NULL;
	}
	*here = 1;
	return here;
}

void soqi_here_free(const volatile uint32_t *here)
{
	if (here != NULL)
		(void)munmap((void *)(uintptr_t)here, HERE_BYTES);
}
