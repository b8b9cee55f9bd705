/* SPDX-License-Identifier: MIT */
/* The fake ring: submits are counted, waits hand over what the test has queued. */
#include "fake_ring.h"

#include "pool.h"

#include <errno.h>
#include <string.h>

struct fake_ring fake_ring;

static const struct soqi_backend *real_backend;
static void *real_impl;

static int fake_own(struct soq_loop *loop)
{
	(void)loop;
	return 0;
}

static void fake_submit(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane,
			const struct soqi_request *request)
{
	(void)s;
	(void)lane;
	fake_ring.submits++;
	fake_ring.submitted = request->kind;
	fake_ring.header = request->header;
	fake_ring.hold = 0;
	if (request->zerocopy != NULL)
		fake_ring.hold = soqi_hold_make(loop, &fake_ring.impl, request);
	if (request->lazy_bytes == 0)
		return;
	fake_ring.lazies++;
	memset(&fake_ring.lazy, 0, sizeof(fake_ring.lazy));
	soqi_prep_request(&fake_ring.impl, &fake_ring.lazy, request);
	soqi_silent_add(&fake_ring.impl, &fake_ring.lazy, request);
}

static void fake_cancel(struct soq_loop *loop, struct soq_socket *s, struct soqi_lane *lane)
{
	(void)loop;
	fake_ring.cancels++;
	fake_ring.cancelled = soqi_token(s->slot, lane);
	fake_ring.victim = soqi_hold_victim(&fake_ring.impl, lane, fake_ring.cancelled);
}

static void fake_detach(struct soq_loop *loop, struct soq_socket *s)
{
	(void)loop;
	(void)s;
}

static bool fake_push(struct soq_loop *loop)
{
	(void)loop;
	return true;
}

static int fake_wait(struct soq_loop *loop, int64_t until_ns)
{
	unsigned count = fake_ring.count;

	(void)until_ns;
	if (fake_ring.refused != 0)
		return fake_ring.refused;
	fake_ring.may_sleep = soqi_silent_may_sleep(loop, &fake_ring.impl);
	loop->segments_used = 0;
	fake_ring.count = 0;
	for (unsigned i = 0; i < count; i++)
		soqi_uring_intake(loop, fake_ring.queue[i].user_data, fake_ring.queue[i].result,
				  fake_ring.queue[i].flags);
	soqi_silent_settle(loop, &fake_ring.impl);
	return 0;
}

static int fake_pool_add(struct soq_loop *loop, struct soq_pool *pool)
{
	(void)loop;
	if (fake_ring.refuses_pools)
		return -EPERM;
	/* All of them, with no reserve. */
	for (uint32_t i = 0; i < pool->class_count; i++) {
		struct soqi_pool_class *class = &pool->classes[i];

		class->registered = true;
		class->reserve = 0;
		class->list_first = NULL;
		class->list_count = 0;
		class->ring_count = class->count;
		for (uint32_t k = 0; k < class->count; k++)
			pool->bufs[class->first + k].priv.state = SOQI_BUF_RING;
	}
	return 0;
}

static void fake_pool_remove(struct soq_loop *loop, struct soq_pool *pool)
{
	(void)loop;
	(void)pool;
}

static void fake_buf_home(struct soq_loop *loop, struct soqi_pool_class *class,
			  const struct soq_buf *buf)
{
	(void)loop;
	(void)class;
	(void)buf;
	fake_ring.homes++;
}

static const struct soqi_backend fake_backend = {
	.id = SOQ_BACKEND_URING,
	.zerocopy = true,
	.own = fake_own,
	.inherit = fake_own,
	.submit = fake_submit,
	.cancel = fake_cancel,
	.detach = fake_detach,
	.push = fake_push,
	.wait = fake_wait,
	.pool_add = fake_pool_add,
	.pool_remove = fake_pool_remove,
	.buf_home = fake_buf_home,
};

struct soq_loop *fake_loop(void)
{
	const struct soq_loop_options options = { .size = sizeof(options),
						  .backend = SOQ_BACKEND_EPOLL };
	struct soq_loop *loop;

	assert_int_equal(soq_loop_create(&options, &loop), 0);
	memset(&fake_ring, 0, sizeof(fake_ring));
	fake_ring.impl.reports_copies = true;
	fake_ring.impl.ring.sq.khead = &fake_ring.sq_head;
	fake_ring.impl.ring.sq.kflags = &fake_ring.sq_flags;
	real_backend = loop->backend;
	real_impl = loop->impl;
	loop->backend = &fake_backend;
	loop->impl = &fake_ring.impl;
	return loop;
}

void fake_loop_end(struct soq_loop *loop)
{
	assert_int_equal(loop->stats.ops_in_flight, 0);
	assert_int_equal(loop->stats.events_waiting, 0);
	assert_int_equal(loop->stats.sockets, 0);
	assert_int_equal(loop->stats.ops_started, loop->stats.ops_finished);
	soqi_holds_end(loop, &fake_ring.impl.holds);
	loop->backend = real_backend;
	loop->impl = real_impl;
	assert_int_equal(soq_loop_destroy(loop), 0);
}

void fake_loop_end_with(struct soq_loop *loop, struct soq_socket *s)
{
	assert_int_equal(soq_abort(s), 0);
	fake_turn(loop);
	fake_loop_end(loop);
}

void fake_complete(uint64_t user_data, int32_t result, uint32_t flags)
{
	assert_true(fake_ring.count < sizeof(fake_ring.queue) / sizeof(fake_ring.queue[0]));
	fake_ring.queue[fake_ring.count].user_data = user_data;
	fake_ring.queue[fake_ring.count].result = result;
	fake_ring.queue[fake_ring.count++].flags = flags;
}

void fake_turn(struct soq_loop *loop)
{
	assert_true(soq_loop_run(loop, SOQ_RUN_ONCE, 0) >= 0);
}

struct soq_socket *fake_connected(struct soq_loop *loop)
{
	struct soq_socket *s;
	struct soq_endpoint ep;
	struct noted connecting;

	noted_init(&connecting);
	assert_int_equal(soq_endpoint_loopback(AF_INET, 9, &ep), 0);
	assert_int_equal(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s), 0);
	assert_int_equal(soq_connect_async(s, &connecting.op, &ep), 0);
	fake_turn(loop);
	fake_complete(fake_token(s, SOQI_LANE_SEND), 0, 0);
	fake_turn(loop);
	assert_int_equal(connecting.finals, 1);
	assert_int_equal(connecting.result, 0);
	return s;
}

struct soq_socket *fake_listening(struct soq_loop *loop)
{
	struct soq_socket *s;
	struct soq_endpoint ep;

	assert_int_equal(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	assert_int_equal(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s), 0);
	assert_int_equal(soq_bind(s, &ep), 0);
	assert_int_equal(soq_listen(s, 1), 0);
	return s;
}

void noted_done(const struct soq_event *event)
{
	struct noted *n = soqi_container_of(event->op, struct noted, op);

	if (event->socket != NULL && n->sockets < 8)
		n->socket[n->sockets++] = event->socket;
	if (event->flags & SOQ_F_MORE) {
		n->more++;
		n->finals_at_last_more = n->finals;
		return;
	}
	n->finals++;
	n->result = event->result;
	n->flags = event->flags;
}

void noted_init(struct noted *n)
{
	memset(n, 0, sizeof(*n));
	n->op.done = noted_done;
}
