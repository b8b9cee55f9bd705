/* SPDX-License-Identifier: MIT */
/* soqperf's echo server as a contender, on either backend. */
#include "contender.h"

#include "../soqperf/echo.h"

#include <errno.h>
#include <stdlib.h>

#define PATIENCE_NS INT64_C(2000000000)
#define TRIES_MAX   100000 /* turns that do not wait, for answers that nothing holds up */

struct soq_state {
	struct soq_loop *loop;
	struct echo *echo;
	struct ledger ledger;
	uint64_t answered;
};

static int open_echo(struct soq_state *s, const struct contender *self, struct sockaddr_in *where)
{
	const struct soq_allocator allocator = ledger_allocator(&s->ledger);
	struct soq_loop_options options = { .size = sizeof(options),
					    .backend = self->is_uring ? SOQ_BACKEND_URING
								      : SOQ_BACKEND_EPOLL,
					    .direct_count = self->direct_count,
					    .allocator = &allocator };
	struct soq_loop_info info = { .size = sizeof(info) };
	struct soq_endpoint ep;
	int ret;

	ret = soq_loop_create(&options, &s->loop);
	if (ret < 0)
		return ret;
	/* Without its table it would be another row's server under this name. */
	ret = soq_loop_info(s->loop, &info);
	if (ret == 0 && info.direct_count < self->direct_count)
		ret = info.feature_errors[__builtin_ctz(SOQ_FEATURE_DIRECT)];
	if (ret == 0 && info.direct_count < self->direct_count)
		ret = -EMFILE;
	if (ret == 0)
		ret = soq_endpoint_loopback(AF_INET, 0, &ep);
	if (ret == 0)
		ret = echo_open(s->loop, &ep, &self->echo, &s->echo);
	if (ret == 0)
		ret = echo_address(s->echo, &ep);
	if (ret == 0)
		*where = ep.addr.ipv4;
	return ret;
}

static int create(const struct contender *self, void **state_out, struct sockaddr_in *where)
{
	struct soq_state *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	ret = open_echo(s, self, where);
	if (ret < 0) {
		if (s->loop)
			soq_loop_destroy(s->loop);
		free(s);
		return ret;
	}
	*state_out = s;
	return 0;
}

/* One turn; a turn in which nothing comes for long means that something was lost. */
static int turn(struct soq_state *s)
{
	int ret = soq_loop_run(s->loop, SOQ_RUN_ONCE, PATIENCE_NS);

	if (ret == 0)
		return -ETIMEDOUT;
	return ret < 0 ? ret : 0;
}

/* Hands over what is left and does not wait: nothing more will come. */
static int turn_last(struct soq_state *s)
{
	int ret = soq_loop_run(s->loop, SOQ_RUN_ONCE, 0);

	return ret < 0 ? ret : 0;
}

static int accept_all(void *state, uint64_t accepts)
{
	struct soq_state *s = state;
	int ret = 0;

	while (ret == 0 && echo_counters(s->echo)->accepts < accepts)
		ret = turn(s);
	/* The receives of the last of them, too. */
	return ret < 0 ? ret : turn_last(s);
}

/*
 * Answers are lazy sends, whose ends a turn that waits for requests does not wait for: once
 * all of them are started, the turns that hand them over must not wait at all.
 */
static int answer(void *state, uint64_t bytes)
{
	const struct service_counters *counters;
	struct soq_state *s = state;
	int ret = 0, tries = 0;

	s->answered += bytes;
	counters = echo_counters(s->echo);
	while (ret == 0 && counters->bytes < s->answered)
		ret = turn(s);
	while (ret == 0 && counters->bytes_sent < s->answered)
		ret = ++tries > TRIES_MAX ? -ETIMEDOUT : turn_last(s);
	return ret;
}

static struct control_report report(void *state)
{
	struct soq_state *s = state;
	struct soq_loop_stats stats = { .size = sizeof(stats) };

	(void)soq_loop_stats(s->loop, &stats);
	return (struct control_report){
		.bytes = echo_counters(s->echo)->bytes,
		.accepts = stats.accepts,
		.turns = stats.turns,
		.waits = stats.waits,
		.requests = stats.requests,
		.completions = stats.completions,
		.allocations = stats.allocations + echo_counters(s->echo)->allocations,
	};
}

static int destroy(void *state)
{
	struct soq_state *s = state;
	int ret;

	echo_close(s->echo);
	(void)soq_loop_run(s->loop, SOQ_RUN_IDLE, PATIENCE_NS);
	ret = echo_free(s->echo);
	if (ret == 0)
		ret = soq_loop_destroy(s->loop);
	if (ret == 0)
		free(s);
	return ret;
}

static struct soq_pool_info pool_info(void *state)
{
	struct soq_state *s = state;

	return echo_pool_info(s->echo);
}

static const struct ledger *ledger(void *state)
{
	struct soq_state *s = state;

	return &s->ledger;
}

#define SOQ_CALLS                                                                                  \
	.is_soq = true, .create = create, .accept = accept_all, .answer = answer,                  \
	.report = report, .pool_info = pool_info, .ledger = ledger, .destroy = destroy

const struct contender contender_pool_uring = {
	.name = "soq, io_uring",
	.key = "soq-uring",
	.is_uring = true,
	.echo = { .lazy = true, .pooled = true },
	SOQ_CALLS,
};

const struct contender contender_pool_epoll = {
	.name = "soq, epoll",
	.key = "soq-epoll",
	.echo = { .lazy = true, .pooled = true },
	SOQ_CALLS,
};

const struct contender contender_soq_uring = {
	.name = "  plain, io_uring",
	.key = "plain-uring",
	.is_uring = true,
	.echo = { .lazy = true },
	SOQ_CALLS,
};

const struct contender contender_soq_direct = {
	.name = "soq, direct",
	.key = "soq-direct",
	.is_uring = true,
	.echo = { .lazy = true, .pooled = true },
	.direct_count = 4097, /* the most clients there are, and the listener */
	SOQ_CALLS,
};

const struct contender contender_soq_epoll = {
	.name = "  plain, epoll",
	.key = "plain-epoll",
	.echo = { .lazy = true },
	SOQ_CALLS,
};
