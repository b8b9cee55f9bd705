/* SPDX-License-Identifier: MIT */
/*
 * A loop inside somebody else's: the host sleeps in its own poll(2), on its own
 * descriptors and on the loop's, until the loop's deadline at the latest.
 */
#include "pair.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct echo {
	struct soq_socket *s;
	char bytes[64];
	unsigned echoed;
};

static unsigned ticks;

static void on_sent(const struct soq_event *event);

static void on_received(const struct soq_event *event)
{
	struct echo *echo = event->op->user;

	event->op->done = on_sent;
	if (event->result > 0)
		(void)!soq_send_async(echo->s, event->op, echo->bytes, (size_t)event->result, 0);
}

static void on_sent(const struct soq_event *event)
{
	struct echo *echo = event->op->user;

	echo->echoed++;
	event->op->done = on_received;
	(void)!soq_recv_async(echo->s, event->op, echo->bytes, sizeof(echo->bytes), 0);
}

static void on_tick(const struct soq_event *event)
{
	(void)event;
	ticks++;
}

/* How long poll(2) may sleep for the loop, in milliseconds, rounded up; -1 for ever. */
static int sleep_ms(struct soq_loop *loop)
{
	int64_t deadline_ns = soq_loop_deadline(loop);
	struct timespec now;
	int64_t left_ns;

	if (deadline_ns == INT64_MAX)
		return -1;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	left_ns = deadline_ns - (now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
	return left_ns > 0 ? (int)(left_ns / 1000000 + 1) : 0;
}

int main(void)
{
	struct echo echo = { .echoed = 0 };
	struct soq_op receive = { .done = on_received, .user = &echo };
	struct soq_op tick = { .done = on_tick };
	struct soq_loop *loop;
	struct soq_socket *peer;
	int ends[2];
	char byte = 'h', answer[4] = "";
	unsigned heard = 0;

	if (soq_loop_create(NULL, &loop) != 0 || pair(loop, &echo.s, &peer) != 0 || pipe(ends) != 0)
		return 1;
	if (soq_recv_async(echo.s, &receive, echo.bytes, sizeof(echo.bytes), 0) != 0 ||
	    soq_sleep_async(loop, &tick, 5 * 1000000) != 0 || soq_send(peer, "ping", 4, 0) != 4 ||
	    write(ends[1], &byte, 1) != 1)
		return 1;
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = soq_loop_fd(loop), .events = POLLIN },
			{ .fd = ends[0], .events = POLLIN },
		};

		/* First the loop: it hands over what was started, and may have news already. */
		if (soq_loop_run(loop, SOQ_RUN_ONCE, 0) < 0)
			return 1;
		if (echo.echoed > 0 && ticks > 0 && heard > 0)
			break;
		if (poll(fds, 2, sleep_ms(loop)) < 0)
			return 1;
		if (fds[1].revents & POLLIN)
			heard += (unsigned)read(ends[0], &byte, 1);
	}
	if (soq_recv(peer, answer, 4, SOQ_EXACT) != 4)
		return 1;
	printf("echoed %u, ticked %u, heard %u\n", echo.echoed, ticks, heard);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return finish(loop);
}
