/* SPDX-License-Identifier: MIT */
/*
 * Completions that bring bufs, fed by hand: those a kernel may send in an order no test
 * can schedule, and those none should. No buf is lent twice and none gets lost.
 */
#include "fake_ring.h"

#include "own.h"
#include "pool.h"

#include <errno.h>
#include <string.h>

#define BUFS 4
#define SIZE 1024

/* An op that writes down its events and keeps the bufs. */
struct lent {
	struct soq_op op;
	struct soq_buf *buf[64];
	unsigned bufs;
	unsigned more;
	unsigned finals;
	int64_t result; /* of the last event */
	uint32_t flags;
};

static void lent_done(const struct soq_event *event)
{
	struct lent *x = soqi_container_of(event->op, struct lent, op);

	if (event->buf != NULL && x->bufs < 64)
		x->buf[x->bufs++] = event->buf;
	if (event->flags & SOQ_F_MORE)
		x->more++;
	else
		x->finals++;
	x->result = event->result;
	x->flags = event->flags;
}

struct world {
	struct soq_loop *loop;
	struct soq_pool *pool;
	struct soq_socket *s;
	struct lent x;
};

static void open_world(struct world *w, uint32_t share, uint32_t flags, bool datagram)
{
	const struct soq_pool_options options = { .size = sizeof(options),
						  .share = share,
						  .flags = flags,
						  .class_count = 1,
						  .classes = { { SIZE, BUFS } } };

	memset(w, 0, sizeof(*w));
	w->loop = fake_loop();
	assert_int_equal(soq_pool_create(w->loop, &options, &w->pool), 0);
	if (datagram)
		assert_int_equal(soq_socket_open(w->loop, AF_INET, SOCK_DGRAM, 0, &w->s), 0);
	else
		w->s = fake_connected(w->loop);
	/* Nobody is asked whether it was a reset: there is no peer. */
	w->s->fin_seen = true;
	w->x.op.done = lent_done;
}

static void close_world(struct world *w)
{
	for (unsigned i = 0; i < w->x.bufs; i++)
		(void)soq_buf_return(w->x.buf[i]);
	assert_int_equal(soq_abort(w->s), 0);
	fake_turn(w->loop);
	if (w->x.finals == 0) {
		fake_complete(fake_token(w->s, SOQI_LANE_RECV), -ECANCELED, 0);
		fake_turn(w->loop);
	}
	fake_turn(w->loop);
	assert_int_equal(w->x.finals, 1);
	assert_int_equal(w->pool->classes[0].list_count + w->pool->classes[0].ring_count, BUFS);
	assert_int_equal(soq_pool_destroy(w->pool), 0);
	fake_loop_end(w->loop);
}

static void arm(struct world *w, uint32_t flags)
{
	assert_int_equal(soq_recv_buf_async(w->s, &w->x.op, w->pool, flags), 0);
	fake_turn(w->loop);
}

/* What the kernel says when it has filled buf `id`. */
static void filled(struct world *w, uint32_t id, int32_t result, bool more)
{
	fake_complete(fake_token(w->s, SOQI_LANE_RECV), result,
		      IORING_CQE_F_BUFFER | id << IORING_CQE_BUFFER_SHIFT |
			      (more ? IORING_CQE_F_MORE : 0));
}

static unsigned at_home(const struct world *w)
{
	return w->pool->classes[0].list_count + w->pool->classes[0].ring_count;
}

static void ids_that_cannot_be_are_dropped(void **state)
{
	static const uint32_t ids[] = { BUFS, BUFS + 1, 255, 32767, 65535 };
	struct world w;

	(void)state;
	open_world(&w, 4, 0, false);
	arm(&w, SOQ_MULTISHOT);
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		filled(&w, ids[i], 5, true);
	fake_turn(w.loop);
	assert_int_equal(w.x.more + w.x.finals, 0);
	assert_int_equal(at_home(&w), BUFS);
	filled(&w, 2, 5, true);
	fake_turn(w.loop);
	assert_int_equal(w.x.more, 1);
	assert_ptr_equal(w.x.buf[0], &w.pool->bufs[2]);
	close_world(&w);
}

static void a_buf_that_is_out_is_not_lent_again(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 4, 0, false);
	arm(&w, SOQ_MULTISHOT);
	filled(&w, 1, 5, true);
	filled(&w, 1, 6, true); /* taken, not delivered */
	fake_turn(w.loop);
	filled(&w, 1, 7, true); /* lent */
	fake_turn(w.loop);
	assert_int_equal(w.x.bufs, 1);
	assert_int_equal(w.x.buf[0]->size_bytes, 5);
	assert_int_equal(w.pool->lends, 1);
	assert_int_equal(soq_buf_return(w.x.buf[0]), 0);
	assert_int_equal(fake_ring.homes, 1);
	filled(&w, 1, 8, true);
	fake_turn(w.loop);
	assert_int_equal(w.x.bufs, 2);
	assert_int_equal(w.x.buf[1]->size_bytes, 8);
	w.x.buf[0] = w.x.buf[1];
	w.x.bufs = 1;
	close_world(&w);
}

/* Bytes in a buf that cannot be are lost: that must not look like success. */
static void a_count_without_a_buf_is_an_error(void **state)
{
	static const uint32_t flags[] = { 0, IORING_CQE_F_BUFFER | 99u << IORING_CQE_BUFFER_SHIFT };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world w;

		open_world(&w, 4, 0, false);
		arm(&w, 0);
		fake_complete(fake_token(w.s, SOQI_LANE_RECV), 5, flags[i]);
		fake_turn(w.loop);
		assert_int_equal(w.x.finals, 1);
		assert_int_equal(w.x.result, -EIO);
		assert_int_equal(w.x.bufs, 0);
		close_world(&w);
	}
}

static void a_buf_with_a_stale_token_goes_home(void **state)
{
	struct world w;
	uint64_t old;

	(void)state;
	open_world(&w, 4, SOQ_POOL_SCRUB, false);
	arm(&w, 0);
	old = fake_token(w.s, SOQI_LANE_RECV);
	filled(&w, 0, 3, false);
	fake_turn(w.loop);
	assert_int_equal(w.x.finals, 1);
#ifndef SOQI_ASAN
	memset(soqi_buf_memory(&w.pool->classes[0], 1), 0x5a, SIZE);
#endif
	fake_complete(old, 9, IORING_CQE_F_BUFFER | 1u << IORING_CQE_BUFFER_SHIFT);
	fake_complete(old, 9,
		      IORING_CQE_F_BUFFER | 2u << IORING_CQE_BUFFER_SHIFT | IORING_CQE_F_MORE);
	fake_turn(w.loop);
	assert_int_equal(w.loop->stats.stale_completions, 2);
	assert_int_equal(at_home(&w), BUFS - 1);
	assert_int_equal(w.pool->taken_count, 0);
	assert_int_equal(fake_ring.homes, 2);
#ifndef SOQI_ASAN
	/* Nobody has seen what was in it, and nobody shall. */
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(soqi_buf_memory(&w.pool->classes[0], 1)[i], 0);
#endif
	close_world(&w);
}

static void a_buf_nobody_asked_for_goes_home(void **state)
{
	static char bytes[8];
	struct noted receive, send;
	struct world w;

	(void)state;
	open_world(&w, 4, 0, false);
	noted_init(&receive);
	noted_init(&send);
	assert_int_equal(soq_recv_async(w.s, &receive.op, bytes, 8, 0), 0);
	assert_int_equal(soq_send_async(w.s, &send.op, bytes, 8, 0), 0);
	fake_turn(w.loop);
	filled(&w, 3, 4, false);
	fake_complete(fake_token(w.s, SOQI_LANE_SEND), 8,
		      IORING_CQE_F_BUFFER | 2u << IORING_CQE_BUFFER_SHIFT);
	fake_turn(w.loop);
	assert_int_equal(receive.result, 4);
	assert_int_equal(send.result, 8);
	assert_int_equal(at_home(&w), BUFS);
	assert_int_equal(w.pool->taken_count, 0);
	arm(&w, 0);
	filled(&w, 3, 4, false);
	fake_turn(w.loop);
	assert_int_equal(w.x.bufs, 1);
	close_world(&w);
}

/* The last completion of a multishot has bytes too: the receive goes on. */
static void the_last_of_a_multishot_may_bring_a_buf(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 4, 0, false);
	arm(&w, SOQ_MULTISHOT);
	assert_int_equal(fake_ring.submitted, SOQI_REQUEST_RECV_BUF_MULTISHOT);
	filled(&w, 0, 5, true);
	filled(&w, 1, 6, false);
	fake_turn(w.loop);
	assert_int_equal(w.x.more, 2);
	assert_int_equal(w.x.finals, 0);
	fake_turn(w.loop);
	assert_true(w.s->lane[SOQI_LANE_RECV].in_kernel);
	fake_complete(fake_token(w.s, SOQI_LANE_RECV), 0, 0);
	fake_turn(w.loop);
	assert_int_equal(w.x.finals, 1);
	assert_int_equal(w.x.result, 0);
	close_world(&w);
}

/* The kernel gives a buf with the end on some versions: it is no byte. */
static void an_end_with_a_buf_is_an_end(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 4, 0, false);
	arm(&w, SOQ_MULTISHOT);
	filled(&w, 0, 0, false);
	fake_turn(w.loop);
	assert_int_equal(w.x.finals, 1);
	assert_int_equal(w.x.result, 0);
	assert_int_equal(w.x.bufs, 0);
	assert_int_equal(at_home(&w), BUFS);
	close_world(&w);
}

static void running_out_of_bufs_is_never_told(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 4, 0, false);
	arm(&w, SOQ_MULTISHOT);
	for (uint32_t i = 0; i < 3; i++)
		filled(&w, i, 1, true);
	fake_complete(fake_token(w.s, SOQI_LANE_RECV), -ENOBUFS, 0);
	fake_turn(w.loop);
	assert_int_equal(w.x.more, 3);
	assert_int_equal(w.x.finals, 0);
	assert_int_equal(w.pool->parks, 1);
	/* There is one left after all. */
	for (unsigned i = 0; i < 10; i++)
		fake_turn(w.loop);
	assert_true(w.s->lane[SOQI_LANE_RECV].in_kernel);
	/* Cancelled as it runs out again. */
	assert_int_equal(soq_cancel(&w.x.op), 0);
	fake_complete(fake_token(w.s, SOQI_LANE_RECV), -ENOBUFS, 0);
	fake_turn(w.loop);
	fake_turn(w.loop);
	assert_int_equal(w.x.finals, 1);
	assert_int_equal(w.x.result, -ECANCELED);
	assert_int_equal(w.pool->parked_count, 0);
	close_world(&w);
}

/* More than its share in one go: what is beyond waits, the request is ended, nothing is lost. */
static void what_is_beyond_the_share_waits(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 2, 0, false);
	arm(&w, SOQ_MULTISHOT);
	for (uint32_t i = 0; i < 4; i++)
		filled(&w, i, (int32_t)i + 1, true);
	fake_turn(w.loop);
	assert_int_equal(w.x.more, 2);
	fake_turn(w.loop);
	assert_int_equal(fake_ring.cancels, 1);
	assert_int_equal(w.loop->gated_count, 1);
	/* The end comes while two still wait. */
	fake_complete(fake_token(w.s, SOQI_LANE_RECV), 0, 0);
	fake_turn(w.loop);
	assert_int_equal(w.x.more, 2);
	assert_int_equal(w.x.finals, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(soq_buf_return(w.x.buf[i]), 0);
		fake_turn(w.loop);
		assert_int_equal(w.x.more, 3 + i);
		assert_int_equal(w.x.buf[2 + i]->size_bytes, 3 + i);
		assert_int_equal(w.x.finals, i);
	}
	assert_int_equal(w.x.result, 0);
	close_world(&w);
}

/* Messages: the layout says what it likes; the view stays inside the buf. */
static void absurd_layouts_stay_inside_the_buf(void **state)
{
	static const struct soqi_buf_message heads[] = {
		{ 16, 0, 10, 0 },
		{ UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
		{ SOQI_BUF_NAME_BYTES + 1, SOQI_BUF_CONTROL_BYTES + 1, SIZE, MSG_TRUNC },
		{ SOQI_BUF_NAME_BYTES, 0, SIZE - SOQ_POOL_MESSAGE_BYTES, 0 },
		{ 0, 0, 0, 0 },
	};
	static const int32_t results[] = { SIZE, SOQ_POOL_MESSAGE_BYTES + 5, SOQ_POOL_MESSAGE_BYTES,
					   sizeof(struct soqi_buf_message), 1 };

	(void)state;
	for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		for (unsigned k = 0; k < sizeof(results) / sizeof(results[0]); k++) {
			struct soq_endpoint ep;
			struct soq_buf *buf;
			struct world w;
			unsigned char *memory;

			open_world(&w, 4, 0, true);
			arm(&w, SOQ_MULTISHOT);
			memory = w.pool->bufs[0].priv.memory;
#ifndef SOQI_ASAN
			memcpy(memory, &heads[i], sizeof(heads[i]));
#endif
			filled(&w, 0, results[k], true);
			fake_turn(w.loop);
			assert_int_equal(w.x.bufs, 1);
			buf = w.x.buf[0];
			assert_true(buf->data >= memory);
			assert_true(buf->data + buf->size_bytes <= memory + SIZE);
			assert_true(buf->size_bytes <= (size_t)results[k]);
			assert_true(buf->priv.control_bytes <= SOQI_BUF_CONTROL_BYTES);
			assert_int_equal(soq_buf_peer(buf, &ep), 0);
			assert_true(ep.size_bytes <= sizeof(ep.addr));
			close_world(&w);
		}
	}
}

/* A message in a room of its own: an empty one brings no buf, a long name none at all. */
static void rooms_are_used_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct soq_endpoint ep;
		struct soqi_room *room;
		struct world w;

		open_world(&w, 4, 0, true);
		arm(&w, 0);
		assert_non_null(fake_ring.header);
		fake_ring.header->msg_namelen = i == 2 ? 4096 : 16;
		fake_ring.header->msg_controllen = i == 2 ? 4096 : 0;
		if (i == 0)
			fake_complete(fake_token(w.s, SOQI_LANE_RECV), 0, 0);
		else
			filled(&w, 1, i == 2 ? SIZE - SOQ_POOL_MESSAGE_BYTES : 7, false);
		fake_turn(w.loop);
		assert_int_equal(w.x.finals, 1);
		assert_int_equal(w.x.bufs, 1);
		assert_int_equal(w.x.buf[0]->size_bytes, i == 0   ? 0
							 : i == 1 ? 7
								  : SIZE - SOQ_POOL_MESSAGE_BYTES);
		assert_int_equal(soq_buf_peer(w.x.buf[0], &ep), 0);
		assert_int_equal(ep.size_bytes, i == 2 ? 0 : 16);
		assert_int_equal(soq_buf_return(w.x.buf[0]), 0);
		assert_int_equal(soq_buf_return(w.x.buf[0]), -EBADF);
		room = w.loop->rooms;
		assert_non_null(room);
		assert_null(room->next);
		close_world(&w);
	}
}

/* The core picks, and waits by a poll: a buf that comes with that is nobody's. */
static void a_pool_the_kernel_does_not_pick_from_polls(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 4, 0, false);
	assert_int_equal(soq_pool_destroy(w.pool), 0);
	fake_ring.refuses_pools = true;
	assert_int_equal(soq_pool_create(w.loop, NULL, &w.pool), 0);
	assert_int_equal(w.pool->registered_error, -EPERM);
	assert_int_equal(soq_abort(w.s), 0);
	fake_turn(w.loop);
	assert_int_equal(soq_socket_open(w.loop, AF_INET, SOCK_DGRAM, 0, &w.s), 0);
	arm(&w, SOQ_MULTISHOT);
	fake_turn(w.loop);
	assert_int_equal(fake_ring.submitted, SOQI_REQUEST_POLL);
	filled(&w, 0, 1, false);
	fake_turn(w.loop);
	fake_turn(w.loop);
	assert_int_equal(fake_ring.submitted, SOQI_REQUEST_POLL);
	assert_int_equal(w.x.bufs + w.x.finals, 0);
	assert_int_equal(w.pool->taken_count, 0);
	assert_int_equal(at_home(&w), 128);
	assert_int_equal(soq_cancel(&w.x.op), 0);
	fake_complete(fake_token(w.s, SOQI_LANE_RECV), -ECANCELED, 0);
	fake_turn(w.loop);
	fake_turn(w.loop);
	assert_int_equal(w.x.finals, 1);
	assert_int_equal(w.x.result, -ECANCELED);
	assert_int_equal(soq_abort(w.s), 0);
	fake_turn(w.loop);
	assert_int_equal(soq_pool_destroy(w.pool), 0);
	fake_loop_end(w.loop);
}

/* The slot is another socket's by now: only where handles are used again, so by hand here. */
static void a_late_return_credits_nobody(void **state)
{
	struct soq_socket *old;
	struct world w;

	(void)state;
	open_world(&w, 1, 0, true);
	old = w.s;
	arm(&w, 0);
	filled(&w, 0, SOQ_POOL_MESSAGE_BYTES, false);
	fake_turn(w.loop);
	assert_int_equal(w.x.bufs, 1);
	assert_int_equal(soq_abort(w.s), 0);
	fake_turn(w.loop);
	w.loop->free_first = old;
	w.loop->free_last = old;
	old->next = NULL;
	assert_int_equal(soq_socket_open(w.loop, AF_INET, SOCK_DGRAM, 0, &w.s), 0);
	assert_ptr_equal(w.s, old);
	w.x.finals = 0;
	arm(&w, SOQ_MULTISHOT);
	filled(&w, 1, SOQ_POOL_MESSAGE_BYTES, false);
	fake_turn(w.loop);
	assert_int_equal(w.x.bufs, 2);
	assert_int_equal(w.s->lent_count, 1);
	assert_int_equal(soq_buf_return(w.x.buf[0]), 0);
	assert_int_equal(w.s->lent_count, 1);
	fake_turn(w.loop);
	assert_false(w.s->lane[SOQI_LANE_RECV].in_kernel);
	assert_int_equal(soq_buf_return(w.x.buf[1]), 0);
	assert_int_equal(w.s->lent_count, 0);
	fake_turn(w.loop);
	assert_true(w.s->lane[SOQI_LANE_RECV].in_kernel);
	close_world(&w);
}

/* Whatever comes, in any order: bufs are at home, waiting or lent, and never in two places. */
static void random_completions_keep_the_count(void **state)
{
	uint64_t chance = 11;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct world w;

		open_world(&w, 1 + unit_choose(&chance, BUFS), 0, false);
		arm(&w, SOQ_MULTISHOT);
		for (unsigned i = 0; i < 40 && w.x.finals == 0; i++) {
			if (unit_choose(&chance, 3) == 0)
				fake_complete(fake_token(w.s, SOQI_LANE_RECV),
					      unit_choose(&chance, 2) ? -ENOBUFS : -EAGAIN, 0);
			else
				filled(&w, unit_choose(&chance, BUFS + 2),
				       1 + (int32_t)unit_choose(&chance, SIZE),
				       unit_choose(&chance, 4) != 0);
			if (unit_choose(&chance, 2))
				fake_turn(w.loop);
			if (w.x.bufs > 0 && unit_choose(&chance, 2))
				(void)soq_buf_return(w.x.buf[unit_choose(&chance, w.x.bufs)]);
			assert_int_equal(at_home(&w) + w.pool->taken_count + w.pool->lent_count,
					 BUFS);
			assert_true(w.pool->lent_count <= w.pool->share);
		}
		fake_turn(w.loop);
		close_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_that_cannot_be_are_dropped),
		cmocka_unit_test(a_buf_that_is_out_is_not_lent_again),
		cmocka_unit_test(a_count_without_a_buf_is_an_error),
		cmocka_unit_test(a_buf_with_a_stale_token_goes_home),
		cmocka_unit_test(a_buf_nobody_asked_for_goes_home),
		cmocka_unit_test(the_last_of_a_multishot_may_bring_a_buf),
		cmocka_unit_test(an_end_with_a_buf_is_an_end),
		cmocka_unit_test(running_out_of_bufs_is_never_told),
		cmocka_unit_test(what_is_beyond_the_share_waits),
		cmocka_unit_test(absurd_layouts_stay_inside_the_buf),
		cmocka_unit_test(rooms_are_used_again),
		cmocka_unit_test(a_pool_the_kernel_does_not_pick_from_polls),
		cmocka_unit_test(a_late_return_credits_nobody),
		cmocka_unit_test(random_completions_keep_the_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
