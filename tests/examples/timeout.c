/* SPDX-License-Identifier: MIT */
/*
 * Two ways to bound a receive: a deadline on an asynchronous op, a timeout on a
 * synchronous call. Neither costs a byte: what comes later is still there.
 */
#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t in_milliseconds(int64_t ms)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec + ms * 1000000;
}

int main(void)
{
	struct soq_op op = { 0 }; /* no done(): we wait for it ourselves */
	struct soq_event event;
	struct soq_loop *loop;
	struct soq_socket *a;
	struct soq_socket *b;
	char bytes[16] = "";
	int64_t result;

	if (soq_loop_create(NULL, &loop) != 0 || pair(loop, &a, &b) != 0)
		return 1;

	/* Nothing comes for 20 ms, so the loop cancels the op by itself. */
	op.deadline_ns = in_milliseconds(20);
	if (soq_recv_async(a, &op, bytes, sizeof(bytes), 0) != 0 || soq_wait(&op, -1, &event) != 0)
		return 1;
	printf("asynchronous: %s\n", strerror((int)-event.result));
	if (event.result != -ETIMEDOUT || op.deadline_ns != 0) /* cleared with the final event */
		return 1;

	/* The same with a synchronous call, whose bound is the socket's. */
	if (soq_socket_set_timeouts(a, 20 * 1000000, -1) != 0)
		return 1;
	result = soq_recv(a, bytes, sizeof(bytes), 0);
	printf("synchronous: %s\n", strerror((int)-result));
	if (result != -ETIMEDOUT)
		return 1;

	/* Half of an exact receive: the count comes with a flag that says why. */
	op.deadline_ns = in_milliseconds(20);
	if (soq_send(b, "late", 4, 0) != 4 ||
	    soq_recv_async(a, &op, bytes, sizeof(bytes), SOQ_EXACT) != 0 ||
	    soq_wait(&op, -1, &event) != 0)
		return 1;
	printf("exact: %lld bytes, %s\n", (long long)event.result,
	       event.flags & SOQ_F_TIMED_OUT ? "timed out" : "complete");
	if (event.result != 4 || event.flags != SOQ_F_TIMED_OUT || memcmp(bytes, "late", 4) != 0)
		return 1;
	return finish(loop);
}
