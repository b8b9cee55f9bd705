/* SPDX-License-Identifier: MIT */
/* Pools as such: their options, their loops, threads and processes. */
#define _GNU_SOURCE
#include "pool_work.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define SIZE .size = sizeof(struct soq_pool_options)

static void options_that_make_no_sense_are_refused(struct fixture *t)
{
	static const struct soq_pool_options bad[] = {
		{ .size = 0 },
		{ .size = sizeof(struct soq_pool_options) - 1 },
		{ .size = sizeof(struct soq_pool_options) + 1 },
		{ SIZE, .flags = 2 },
		{ SIZE, .flags = 1u << 31 },
		{ SIZE, .class_count = SOQ_POOL_CLASSES_MAX + 1 },
		{ SIZE, .class_count = UINT32_MAX },
		{ SIZE, .class_count = 1, .classes = { { 511, 1 } } },
		{ SIZE, .class_count = 1, .classes = { { (16u << 20) + 1, 1 } } },
		{ SIZE, .class_count = 1, .classes = { { UINT32_MAX, 1 } } },
		{ SIZE, .class_count = 1, .classes = { { 512, SOQ_POOL_BUFS_MAX + 1 } } },
		{ SIZE, .class_count = 1, .classes = { { 512, UINT32_MAX } } },
		{ SIZE, .class_count = 2, .classes = { { 512, 1 }, { 512, 1 } } },
		{ SIZE, .class_count = 2, .classes = { { 1024, 1 }, { 512, 1 } } },
		{ SIZE, .class_count = 2 },
		{ SIZE, .class_count = 1, .share = 5, .classes = { { 512, 4 } } },
		{ SIZE, .share = 129 },
		{ SIZE, .reserved = { 1 } },
		{ SIZE, .reserved = { 0, 0, 0, 1 } },
	};
	static const struct soq_pool_options many = {
		SIZE, .class_count = 4,
		.classes = { { 512, 32768 }, { 513, 32768 }, { 514, 32768 }, { 515, 32768 } }
	};
	struct soq_loop_stats before = stats_of(t);
	struct soq_pool *pool = NULL;

	for (unsigned i = 0; i < COUNT_OF(bad); i++)
		expect(soq_pool_create(t->loop, &bad[i], &pool), -EINVAL);
	expect(soq_pool_create(t->loop, &many, &pool), -ENOSPC);
	assert_null(pool);
	expect(stats_of(t).allocated_bytes, before.allocated_bytes);
}

static void defaults_are_what_the_header_says(struct fixture *t)
{
	struct soq_pool_options options = { SIZE, .class_count = 2, .classes = { { 512, 0 } } };
	struct soq_pool *pool = pool_open_as(t, NULL);
	struct soq_pool_info info = pool_info(pool);

	expect(info.size, sizeof(info));
	expect(info.class_count, 1);
	expect(info.classes[0].buf_size_bytes, 16768);
	expect(info.classes[0].buf_count, 128);
	expect(info.share, 16);
	expect(info.bufs_free, 128);
	expect_true(info.mapped_bytes >= 128 * 16768);
	pool_close(pool);
	pool = pool_open_as(t, &options);
	info = pool_info(pool);
	expect(info.class_count, 2);
	expect(info.classes[0].buf_count, 128);
	expect(info.classes[1].buf_size_bytes, 16768);
	expect(info.share, 32);
	pool_close(pool);
	/* A single buf is a pool. */
	options = (struct soq_pool_options){ SIZE, .class_count = 1, .classes = { { 513, 1 } } };
	pool = pool_open_as(t, &options);
	expect(pool_info(pool).share, 1);
	expect(pool_info(pool).classes[0].buf_size_bytes, 513);
	pool_close(pool);
}

static void info_is_for_its_size(struct fixture *t)
{
	struct soq_pool *pool = pool_open(t, 0);
	struct soq_pool_info info = { .size = sizeof(info) - 1 };

	expect(soq_pool_info(pool, NULL), -EINVAL);
	expect(soq_pool_info(pool, &info), -EINVAL);
	info.size = sizeof(info) + 1;
	expect(soq_pool_info(pool, &info), -EINVAL);
	info.size = 0;
	expect(soq_pool_info(pool, &info), -EINVAL);
	pool_close(pool);
}

static void ids_run_out_and_come_back(struct fixture *t)
{
	struct soq_pool_options half = { SIZE, .class_count = 1,
					 .classes = { { 512, SOQ_POOL_BUFS_MAX / 2 } } };
	struct soq_pool_options one = { SIZE, .class_count = 1, .classes = { { 512, 1 } } };
	struct soq_pool *first = NULL, *second = NULL, *third = NULL;

	expect(soq_pool_create(t->loop, &half, &first), 0);
	expect(soq_pool_create(t->loop, &half, &second), 0);
	expect(soq_pool_create(t->loop, &one, &third), -ENOSPC);
	assert_null(third);
	expect(soq_pool_destroy(first), 0);
	for (unsigned i = 0; i < 3; i++) {
		third = pool_open_as(t, &one);
		pool_close(third);
	}
	first = NULL;
	expect(soq_pool_create(t->loop, &half, &first), 0);
	expect(soq_pool_destroy(second), 0);
	expect(soq_pool_destroy(first), 0);
}

/* Bufs are their own pool's, whatever pools there were before and are beside it. */
static void many_pools_share_a_loop(struct fixture *t)
{
	struct soq_pool *pools[12];
	struct stream x[12];
	struct probe *p[12];
	int fd[12];

	for (unsigned i = 0; i < 12; i++)
		pools[i] = pool_of(t, 1 + i % 4, 512 + 64 * i, 0);
	for (unsigned i = 0; i < 12; i += 3) {
		pool_close(pools[i]);
		pools[i] = pool_of(t, 5, 2048, 0);
	}
	for (unsigned i = 0; i < 12; i++) {
		x[i] = (struct stream){ .pool = pools[i], .flags = SOQ_MULTISHOT, .key = i };
		x[i].s = pair_raw(t, AF_INET, &fd[i]);
		p[i] = stream_start(t, &x[i]);
		raw_fill(fd[i], i, 0, 9000);
		raw_fin(fd[i]);
	}
	for (unsigned i = 0; i < 12; i++) {
		await(t, p[i]);
		expect(x[i].wrong, 0);
		expect(x[i].offset, 9000);
		expect(pool_info(pools[i]).lends, x[i].bufs);
		expect(soq_close(x[i].s), 0);
		pool_close(pools[i]);
		close(fd[i]);
	}
}

static void pool_of_another_loop_is_refused(struct fixture *t)
{
	struct soq_loop_options options;
	struct soq_loop *other;
	struct soq_pool *pool, *mine = pool_open(t, 0);
	struct probe *p = probe(t);
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	options_of_tier(t, &options);
	expect(soq_loop_create(&options, &other), 0);
	expect(soq_pool_create(other, NULL, &pool), 0);
	expect(soq_recv_buf_async(s, &p->op, pool, 0), -EXDEV);
	expect(soq_recv_buf_async(s, &p->op, mine, SOQ_EXACT), -EINVAL);
	expect(soq_recv_buf_async(s, &p->op, mine, SOQ_PEEK), -EINVAL);
	expect(soq_loop_destroy(other), -EBUSY);
	expect(soq_pool_destroy(pool), 0);
	expect(soq_loop_destroy(other), 0);
	expect(soq_close(s), 0);
	pool_close(mine);
	close(fd);
}

/* All calls on a pool and a buf. */
#define CALLS 7
struct calls {
	struct soq_loop *loop;
	struct soq_pool *pool;
	struct soq_socket *s;
	struct soq_buf *buf;
	struct soq_op *op;
	int rc[CALLS];
};

static void *call_all(void *arg)
{
	struct calls *c = arg;
	struct soq_pool_info info = { .size = sizeof(info) };
	struct soq_pool *pool;
	struct soq_endpoint ep;
	unsigned i = 0;

	c->rc[i++] = soq_pool_create(c->loop, NULL, &pool);
	c->rc[i++] = soq_pool_info(c->pool, &info);
	c->rc[i++] = soq_recv_buf_async(c->s, c->op, c->pool, 0);
	c->rc[i++] = soq_buf_retain(c->buf);
	c->rc[i++] = soq_buf_slice(c->buf, 0, 0);
	c->rc[i++] = soq_buf_peer(c->buf, &ep);
	c->rc[i++] = soq_buf_return(c->buf);
	return NULL;
}

static void calls_open(struct fixture *t, struct calls *c, struct keeper *k, int *fd)
{
	struct probe *p = keeper_probe(t, k);

	*c = (struct calls){ .loop = t->loop, .pool = pool_open(t, 0), .op = &probe(t)->op };
	c->s = pair_raw(t, AF_INET, fd);
	raw_fill(*fd, 1, 0, 500);
	started(p, soq_recv_buf_async(c->s, &p->op, c->pool, 0));
	await(t, p);
	c->buf = k->bufs[0];
}

static void calls_close(struct calls *c, struct keeper *k, int fd)
{
	expect(keeper_return(k, 1, 0), 500);
	expect(soq_close(c->s), 0);
	pool_close(c->pool);
	close(fd);
}

static void another_thread_is_refused(struct fixture *t)
{
	struct keeper k = { .count = 0 };
	struct calls c;
	pthread_t thread;
	int fd;

	calls_open(t, &c, &k, &fd);
	expect(pthread_create(&thread, NULL, call_all, &c), 0);
	expect(pthread_join(thread, NULL), 0);
	for (unsigned i = 0; i < CALLS; i++)
		expect(c.rc[i], -EXDEV);
	calls_close(&c, &k, fd);
}

/* Whether a page is mapped; the child asks before anything may be where it was. */
static int is_mapped(const void *memory)
{
	unsigned char in_core;
	uintptr_t page = (uintptr_t)memory & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);

	return mincore((void *)page, 1, &in_core) == 0;
}

static int child_of(struct calls *c, const void *memory)
{
	if (is_mapped(memory) && !env_number("SOQ_TEST_VALGRIND", 0))
		return 1;
	call_all(c);
	for (unsigned i = 0; i < CALLS; i++)
		if (c->rc[i] != -ECHILD)
			return 2 + (int)i;
	if (soq_pool_destroy(c->pool) != -ECHILD)
		return 20;
	return soq_loop_destroy(c->loop) == 0 ? 0 : 21;
}

static void child_has_neither_pool_nor_memory(struct fixture *t)
{
	struct keeper k = { .count = 0 };
	struct calls c;
	int fd, status = 0;
	pid_t child;

	calls_open(t, &c, &k, &fd);
	expect_true(is_mapped(c.buf->data));
	child = fork();
	if (child == 0)
		_exit(child_of(&c, c.buf->data));
	expect_true(child > 0);
	expect(waitpid(child, &status, 0), child);
	expect(status, 0);
	/* And the parent has lost nothing. */
	calls_close(&c, &k, fd);
}

/* The owner leaves with a buf on loan, one undelivered, one receive armed, one parked. */
struct left {
	struct fixture *t;
	struct soq_pool *pool;
	struct soq_socket *s[3];
	struct probe *p[3];
	int fd[3];
	struct keeper k;
	int wrong;
};

static void *leave(void *arg)
{
	struct left *x = arg;
	struct soq_event event;

	for (unsigned i = 0; i < 3; i++)
		x->wrong += soq_recv_buf_async(x->s[i], &x->p[i]->op, x->pool, SOQ_MULTISHOT) != 0;
	x->wrong += soq_wait(&x->p[0]->op, watchdog_ns(), &event) != 0 || event.buf == NULL;
	x->k.bufs[x->k.count++] = event.buf;
	for (unsigned i = 0; i < 8; i++)
		x->wrong += soq_loop_run(x->t->loop, SOQ_RUN_ONCE, 0) < 0;
	return NULL;
}

static void pool_goes_to_whoever_ends_the_loop(struct fixture *t)
{
	struct soq_pool_options pool_options = { SIZE, .share = 1, .class_count = 1,
						 .classes = { { 512, 2 } } };
	struct soq_loop_options options;
	struct left x = { .t = t };
	struct probe *again_in, *beside;
	struct soq_socket *s, *s2;
	pthread_t thread;
	struct soq_endpoint ep[3];
	struct keeper k = { .count = 0 };
	int listener[3], fd, fd2;

	expect(soq_loop_destroy(t->loop), 0);
	options_of_tier(t, &options);
	expect(soq_loop_create(&options, &t->loop), 0);
	t->home = t->loop;
	expect(soq_pool_create(t->loop, &pool_options, &x.pool), 0);
	/* Nothing has run yet, so the loop is nobody's: adopted sockets do not change that. */
	for (unsigned i = 0; i < 3; i++) {
		listener[i] = raw_listener(AF_INET, 1, 0, &ep[i]);
		fd = raw_connect(&ep[i]);
		x.fd[i] = raw_accept(listener[i]);
		close(listener[i]);
		raw_fill(x.fd[i], i, 0, 512);
		expect(soq_socket_adopt(t->loop, fd, &x.s[i]), 0);
		x.p[i] = probe_quiet(t);
		x.p[i]->starts = 1;
	}
	expect(pthread_create(&thread, NULL, leave, &x), 0);
	expect(pthread_join(thread, NULL), 0);
	expect(x.wrong, 0);

	expect(soq_pool_destroy(x.pool), -EXDEV);
	expect(soq_buf_return(x.k.bufs[0]), -EXDEV);
	expect(soq_loop_close_all(t->loop), 0);
	expect_true(soq_loop_run(t->loop, SOQ_RUN_IDLE, watchdog_ns()) >= 0);
	for (unsigned i = 0; i < 3; i++) {
		while (!finished(x.p[i]))
			wait_end(x.p[i]);
		expect_end(x.p[i], -ECANCELED, 0);
		assert_null(x.p[i]->buf);
	}
	expect(soq_pool_destroy(x.pool), -EBUSY);
	keeper_return(&x.k, 0, 0);
	/* It works on the new owner's ring. */
	expect(pool_info(x.pool).registered_error, t->is_uring ? 0 : -ECANCELED);
	s = pair_raw(t, AF_INET, &fd);
	again_in = keeper_probe(t, &k);
	started(again_in, soq_recv_buf_async(s, &again_in->op, x.pool, SOQ_MULTISHOT));
	raw_fill(fd, 3, 0, 4 * 512);
	for (unsigned i = 0; i < 4; i++) {
		run_until(t, k.count == i + 1);
		keeper_return(&k, 3, i * 512);
	}
	/* Both bufs, whoever picks them. */
	s2 = pair_raw(t, AF_INET, &fd2);
	beside = keeper_probe(t, &k);
	started(beside, soq_recv_buf_async(s2, &beside->op, x.pool, 0));
	raw_fill(fd, 3, 4 * 512, 512);
	raw_fill(fd2, 3, 5 * 512, 512);
	run_until(t, k.count == 6);
	keeper_return_rest(&k);
	expect(soq_close(s), 0);
	expect(soq_close(s2), 0);
	await(t, again_in);
	pool_close(x.pool);
	close(fd);
	close(fd2);
	for (unsigned i = 0; i < 3; i++)
		close(x.fd[i]);
}

static const struct conf_case cases[] = {
	CASE(options_that_make_no_sense_are_refused, "1a 5a"),
	CASE(defaults_are_what_the_header_says, ""),
	CASE(info_is_for_its_size, ""),
	CASE(ids_run_out_and_come_back, "5a"),
	CASE(many_pools_share_a_loop, ""),
	CASE(pool_of_another_loop_is_refused, "16a 15b 15d"),
	CASE(another_thread_is_refused, "16a"),
	CASE(child_has_neither_pool_nor_memory, "17a 17b"),
	CASE(pool_goes_to_whoever_ends_the_loop, "16b 15d"),
};

CONF_GROUP(pool_owner, cases)
