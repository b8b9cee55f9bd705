/* SPDX-License-Identifier: MIT */
/* The counters, by name and of one socket. */
#include <soq/telemetry.h>

#include "detached.h"

#include <errno.h>
#include <string.h>

struct row {
	const char *name;
	size_t at; /* in struct soq_loop_stats */
};

#define ROW(id, name, field) [SOQ_COUNTER_##id] = { name, offsetof(struct soq_loop_stats, field) }

static const struct row rows[SOQ_COUNTER_COUNT] = {
	ROW(OUTGOING_CONNECTIONS_ESTABLISHED, "outgoing-connections-established", connects),
	ROW(INCOMING_CONNECTIONS_ESTABLISHED, "incoming-connections-established", accepts),
	ROW(CURRENT_OUTGOING_CONNECT_ATTEMPTS, "current-outgoing-connect-attempts",
	    connects_in_flight),
	ROW(BYTES_RECEIVED, "bytes-received", bytes_received),
	ROW(BYTES_SENT, "bytes-sent", bytes_sent),
	ROW(DATAGRAMS_RECEIVED, "datagrams-received", messages_received),
	ROW(DATAGRAMS_SENT, "datagrams-sent", messages_sent),
	ROW(OUTGOING_CONNECTIONS_FAILED, "outgoing-connections-failed", connects_failed),
	ROW(ACCEPTS_FAILED, "accepts-failed", accepts_failed),
	ROW(ACCEPT_BACKOFFS, "accept-backoffs", accept_backoffs),
	ROW(CONNECTIONS_BROKEN, "connections-broken", connections_broken),
	ROW(CURRENT_SOCKETS, "current-sockets", sockets),
	ROW(OPS_STARTED, "ops-started", ops_started),
	ROW(OPS_FINISHED, "ops-finished", ops_finished),
	ROW(CURRENT_OPS_IN_FLIGHT, "current-ops-in-flight", ops_in_flight),
	ROW(CURRENT_EVENTS_WAITING, "current-events-waiting", events_waiting),
	ROW(TURNS, "turns", turns),
	ROW(WAITS, "waits", waits),
	ROW(REQUESTS, "requests", requests),
	ROW(COMPLETIONS, "completions", completions),
	ROW(POSTS, "posts", posts),
	ROW(ALLOCATIONS, "allocations", allocations),
	ROW(CURRENT_ALLOCATED_BYTES, "current-allocated-bytes", allocated_bytes),
	ROW(ZEROCOPY_SENDS, "zerocopy-sends", zerocopy_sends),
	ROW(ZEROCOPY_COPIED, "zerocopy-copied", zerocopy_copied),
	ROW(QUEUE_FULL, "queue-full", queue_full),
	ROW(OVERFLOWS, "overflows", overflows),
	ROW(STALE_COMPLETIONS, "stale-completions", stale_completions),
	ROW(CURRENT_DIRECT_SOCKETS, "current-direct-sockets", direct_sockets),
	ROW(POLICY_REFUSALS, "policy-refusals", policy_refusals),
};

const char *soq_counter_name(enum soq_counter counter)
{
	return (unsigned)counter < SOQ_COUNTER_COUNT ? rows[counter].name : NULL;
}

/* Reading is legal in a trace function: nothing changes by it. */
static int reading(int error)
{
	return error == -EBUSY ? 0 : error;
}

int64_t soq_loop_counter(struct soq_loop *loop, enum soq_counter counter)
{
	uint64_t value;
	int error;

	if (loop == NULL || (unsigned)counter >= SOQ_COUNTER_COUNT)
		return -EINVAL;
	error = reading(soqi_loop_check(loop));
	if (error != 0)
		return error;
	memcpy(&value, (const char *)&loop->stats + rows[counter].at, sizeof(value));
	return (int64_t)value;
}

/* The first release's sizes: a program built against them must go on working. */
#define LOOP_SIZE_MIN   sizeof(struct soq_loop_stats)
#define SOCKET_SIZE_MIN sizeof(struct soq_socket_stats)

int soq_loop_stats(struct soq_loop *loop, struct soq_loop_stats *stats)
{
	uint32_t size;
	int error;

	if (loop == NULL || stats == NULL || stats->size < LOOP_SIZE_MIN ||
	    stats->size > sizeof(*stats))
		return -EINVAL;
	error = reading(soqi_loop_check(loop));
	if (error != 0)
		return error;
	size = stats->size;
	memcpy(stats, &loop->stats, size);
	stats->size = size;
	return 0;
}

int soq_socket_stats(struct soq_socket *s, struct soq_socket_stats *stats)
{
	struct soq_socket_stats now = { .size = 0 };
	int error;

	if (s == NULL || stats == NULL || stats->size < SOCKET_SIZE_MIN ||
	    stats->size > sizeof(*stats))
		return -EINVAL;
	error = s->loop != NULL ? reading(soqi_loop_check(s->loop)) : 0;
	if (error == 0 && !soqi_is_alive(s))
		error = -EBADF;
	if (error != 0)
		return error;
	now.size = stats->size;
	if (soqi_is_detached(s))
		soqi_detached_lock(s);
	now.bytes_received = s->bytes[SOQI_LANE_RECV];
	now.bytes_sent = s->bytes[SOQI_LANE_SEND];
	if (s->phase == SOQI_PHASE_LISTENING) {
		now.accepts = s->messages[SOQI_LANE_RECV];
	} else {
		now.messages_received = s->messages[SOQI_LANE_RECV];
		now.messages_sent = s->messages[SOQI_LANE_SEND];
	}
	if (soqi_is_detached(s))
		soqi_detached_unlock(s);
	memcpy(stats, &now, stats->size);
	return 0;
}
