/* SPDX-License-Identifier: MIT */
/*
 * Receive lanes that met an empty pool wait with it, first come, first served. One is
 * let go on for every eight bufs that come home: let go on at once, all of them would
 * meet an empty pool again. A turn in which none comes home counts like one that does,
 * and when nothing else happens all go on that there is a buf for.
 *
 * The kernel's ring can be emptied by a few busy sockets in one go, whatever their
 * share: so a quarter of each class stays out of it, on a list, for those who find the
 * ring empty. The library picks for them as it does on epoll, by the share.
 */
#include "pool.h"

#include <assert.h>

#define RETURNS_PER_REARM 8u

struct soqi_pool_class *soqi_pool_class_for(const struct soq_socket *s, struct soq_pool *pool)
{
	uint32_t last = pool->class_count - 1;
	uint32_t want = soqi_pool_class_wanted(s, pool);

	if (!soqi_is_stream(s))
		return soqi_class_has(&pool->classes[last]) ? &pool->classes[last] : NULL;
	for (uint32_t i = want; i <= last; i++)
		if (soqi_class_has(&pool->classes[i]))
			return &pool->classes[i];
	for (uint32_t i = want; i-- > 0;)
		if (soqi_class_has(&pool->classes[i]))
			return &pool->classes[i];
	return NULL;
}

void soqi_receive_park(struct soq_loop *loop, struct soqi_lane *lane)
{
	struct soq_pool *pool = soqi_pool_of(lane->queue.first);

	assert(!lane->parked && !lane->in_kernel);
	soqi_lane_clean(loop, lane);
	lane->parked = true;
	lane->next_dirty = NULL;
	lane->prev_dirty = pool->parked_last;
	if (pool->parked_last != NULL)
		pool->parked_last->next_dirty = lane;
	else
		pool->parked_first = lane;
	pool->parked_last = lane;
	pool->parked_count++;
	pool->parks++;
	/* What came home before is no reason to go on. */
	if (pool->parked_count == 1)
		pool->credit = 0;
	loop->parked_count++;
	loop->impatient++;
}

/* The lane's head is still the op it was parked for. */
void soqi_receive_unpark(struct soqi_lane *lane)
{
	struct soq_pool *pool;

	if (!lane->parked)
		return;
	pool = soqi_pool_of(lane->queue.first);
	lane->parked = false;
	if (lane->prev_dirty != NULL)
		lane->prev_dirty->next_dirty = lane->next_dirty;
	else
		pool->parked_first = lane->next_dirty;
	if (lane->next_dirty != NULL)
		lane->next_dirty->prev_dirty = lane->prev_dirty;
	else
		pool->parked_last = lane->prev_dirty;
	pool->parked_count--;
	pool->loop->parked_count--;
	pool->loop->impatient--;
}

/* The first of a pool's parked lanes that there is a buf for, or NULL. */
static struct soqi_lane *first_served(struct soq_pool *pool)
{
	struct soqi_lane *lane = pool->parked_first;

	/* Those for messages take none but the largest. */
	while (lane != NULL && soqi_pool_class_for(soqi_lane_socket(lane), pool) == NULL)
		lane = lane->next_dirty;
	return lane;
}

bool soqi_receive_may_wake(const struct soq_loop *loop)
{
	for (struct soq_pool *pool = loop->pools; pool != NULL; pool = pool->next)
		if (first_served(pool) != NULL)
			return true;
	return false;
}

/*
 * While bufs come home they may go where those who wait race for them with the rest, or
 * the rest would get less than they. Else what is on the list goes to the longest wait.
 */
static void wake(struct soq_pool *pool, bool quiet, bool idle)
{
	uint32_t listed = 0, bufs = 0;

	for (uint32_t i = 0; i < pool->class_count; i++) {
		listed += quiet ? pool->classes[i].list_count : 0;
		bufs += pool->classes[i].list_count + pool->classes[i].ring_count;
	}
	for (; bufs > 0 && (idle || pool->credit >= RETURNS_PER_REARM); bufs--) {
		struct soqi_lane *lane = first_served(pool);

		if (lane == NULL)
			return;
		pool->credit -= pool->credit < RETURNS_PER_REARM ? pool->credit : RETURNS_PER_REARM;
		pool->rearms++;
		soqi_lane_socket(lane)->from_list = listed > 0;
		if (listed > 0)
			listed--;
		soqi_receive_unpark(lane);
		soqi_lane_dirty(pool->loop, lane);
	}
}

void soqi_receive_wake(struct soq_loop *loop, bool idle)
{
	for (struct soq_pool *pool = loop->pools; pool != NULL; pool = pool->next) {
		bool quiet = idle || !pool->came_home;

		if (pool->parked_count == 0)
			continue;
		if (quiet && first_served(pool) != NULL)
			pool->credit++;
		pool->came_home = false;
		wake(pool, quiet, idle);
	}
}

static void fail_one(struct soq_socket *s)
{
	struct soqi_lane *lane = &s->lane[SOQI_LANE_RECV];

	soqi_carry_regate(s);
	if (lane->queue.first == NULL || lane->in_kernel)
		return;
	soqi_receive_unpark(lane);
	soqi_lane_dirty(s->loop, lane);
}

void soqi_receive_fail(struct soq_loop *loop)
{
	soqi_slot_each(loop, fail_one);
}
