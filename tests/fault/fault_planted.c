/* SPDX-License-Identifier: MIT */
/*
 * A program with a bug: one that every completion API invites, it touches or frees
 * memory of an op in flight; or it uses a detached socket that is closed, or reads
 * from a buf it has returned. The
 * sanitizer or valgrind must say so; planted.sh looks at it.
 *   fault_planted touch|free|returned|none uring|epoll
 *   fault_planted dead
 */
#define _GNU_SOURCE
#include "fault.h"

#define SIZE_BYTES 64

static int dead(void)
{
	struct soq_socket *s;

	CHECK_IS(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &s), 0);
	CHECK_IS(soq_socket_set_user(s, NULL), 0);
	CHECK_IS(soq_close(s), 0);
	(void)soq_socket_set_user(s, NULL);
	puts("no report");
	return 0;
}

/* With `planted` the buf is looked at once more after its return. */
static void lend(struct soq_loop *loop, struct soq_socket *const pair[2], int planted)
{
	volatile const unsigned char *data;
	struct soq_op op = { 0 };
	struct soq_event event;
	struct soq_pool *pool;

	CHECK_IS(soq_pool_create(loop, NULL, &pool), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_IS(soq_recv_buf_async(pair[0], &op, pool, 0), 0);
		CHECK_IS(soq_send(pair[1], "12345678", 8, 0), 8);
		CHECK_IS(soq_wait(&op, PATIENCE_NS, &event), 0);
		CHECK_IS(event.result, 8);
		CHECK(memcmp(event.buf->data, "12345678", 8) == 0);
		memset(event.buf->data, 0, 8);
		data = event.buf->data;
		CHECK_IS(soq_buf_return(event.buf), 0);
		if (planted)
			CHECK(data[3] < 255);
	}
	CHECK_IS(soq_pool_destroy(pool), 0);
}

int main(int argc, char **argv)
{
	struct soq_loop *loop;
	struct soq_op op = { 0 };
	struct soq_event event;
	struct soq_socket *pair[2];
	char *memory;

	if (argc == 2 && strcmp(argv[1], "dead") == 0)
		return dead();
	memory = malloc(SIZE_BYTES);
	CHECK(argc == 3 && memory != NULL);
	loop = fault_loop(strcmp(argv[2], "uring") == 0 ? SOQ_BACKEND_URING : SOQ_BACKEND_EPOLL);
	fault_pair(loop, pair);
	if (strcmp(argv[1], "touch") != 0 && strcmp(argv[1], "free") != 0)
		lend(loop, pair, strcmp(argv[1], "returned") == 0);
	CHECK_IS(soq_recv_async(pair[0], &op, memory, SIZE_BYTES, 0), 0);
	CHECK(soq_loop_run(loop, SOQ_RUN_ONCE, 0) >= 0);
	if (strcmp(argv[1], "touch") == 0)
		memory[8] = 1;
	if (strcmp(argv[1], "free") == 0)
		free(memory);
	CHECK_IS(soq_send(pair[1], "12345678", 8, 0), 8);
	CHECK_IS(soq_wait(&op, PATIENCE_NS, &event), 0);
	CHECK_IS(event.result, 8);
	if (strcmp(argv[1], "free") != 0) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): freed only where it is planted */
		CHECK(memcmp(memory, "12345678", 8) == 0);
		free(memory);
	}
	CHECK_IS(soq_loop_close_all(loop), 0);
	CHECK(soq_loop_run(loop, SOQ_RUN_IDLE, PATIENCE_NS) >= 0);
	CHECK_IS(soq_loop_destroy(loop), 0);
	puts("no report");
	return 0;
}
