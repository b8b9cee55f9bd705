/* SPDX-License-Identifier: MIT */
/* Work for another thread: it records there, the test looks after it joined it. */
#ifndef SOQ_TESTS_WORK_H
#define SOQ_TESTS_WORK_H

#include "support.h"

#include <pthread.h>

/* Names what the thread works on; unused parts are zero. */
struct work {
	struct fixture *t;
	struct soq_socket *s;
	struct probe *p;
	int64_t rc[64];
	unsigned count;
};

static inline void in_thread(void *(*body)(void *), struct work *w)
{
	pthread_t thread;

	expect(pthread_create(&thread, NULL, body, w), 0);
	expect(pthread_join(thread, NULL), 0);
}

static inline void note(struct work *w, int64_t rc)
{
	if (w->count < COUNT_OF(w->rc))
		w->rc[w->count++] = rc;
}

#endif
