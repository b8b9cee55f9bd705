/* SPDX-License-Identifier: MIT */
/*
 * Pools the kernel does not pick from: refused by a sandbox, or for want of memory that
 * may be locked. soq_pool_info() says so, and receives of every kind work.
 *   fault_pool memlock|denied
 */
#define _GNU_SOURCE
#include "fault.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LITTLE_BYTES ((rlim_t)128 * 1024)
#define BYTES        200000

static struct soq_pool_info info_of(struct soq_pool *pool)
{
	struct soq_pool_info info = { .size = sizeof(info) };

	CHECK_IS(soq_pool_info(pool, &info), 0);
	return info;
}

/* A user of our own: what others have locked does not count. */
static void become_nobody(void)
{
	uid_t id = 100000 + (uid_t)getpid();

	if (geteuid() != 0)
		return;
	CHECK_IS(setresgid(id, id, id), 0);
	CHECK_IS(setresuid(id, id, id), 0);
}

/* Takes the events of a receive, returning each buf, until it ends or `size` bytes came. */
static int64_t receive(struct soq_op *op, unsigned char *to, size_t size, size_t *got)
{
	struct soq_event event;

	do {
		CHECK_IS(soq_wait(op, PATIENCE_NS, &event), 0);
		if (event.buf == NULL)
			return event.result;
		CHECK(event.result == (int64_t)event.buf->size_bytes);
		CHECK(*got + event.buf->size_bytes <= size);
		memcpy(to + *got, event.buf->data, event.buf->size_bytes);
		*got += event.buf->size_bytes;
		CHECK_IS(soq_buf_return(event.buf), 0);
	} while ((event.flags & SOQ_F_MORE) && *got < size);
	return event.result;
}

static void stream(struct soq_loop *loop, struct soq_pool *pool, uint32_t flags)
{
	static unsigned char out[BYTES], in[BYTES + 1];
	struct soq_socket *pair[2];
	struct soq_op receives = { 0 }, sends = { 0 };
	struct soq_event event;
	size_t got = 0;
	int64_t result = 1;

	fault_pair(loop, pair);
	for (size_t i = 0; i < BYTES; i++)
		out[i] = (unsigned char)(i * 7 + i / 251);
	CHECK_IS(soq_send_async(pair[0], &sends, out, BYTES, 0), 0);
	if (flags)
		CHECK_IS(soq_recv_buf_async(pair[1], &receives, pool, flags), 0);
	while (got < BYTES) {
		if (!flags)
			CHECK_IS(soq_recv_buf_async(pair[1], &receives, pool, 0), 0);
		CHECK(receive(&receives, in, BYTES, &got) > 0);
	}
	CHECK(memcmp(in, out, BYTES) == 0);
	CHECK_IS(soq_wait(&sends, PATIENCE_NS, &event), 0);
	/* A reset is kept for every later receive. */
	CHECK_IS(soq_abort(pair[0]), 0);
	for (int i = 0; i < 3; i++) {
		if (!flags || i > 0)
			CHECK_IS(soq_recv_buf_async(pair[1], &receives, pool, flags), 0);
		result = receive(&receives, in, BYTES, &got);
		CHECK_IS(result, -ECONNRESET);
	}
	CHECK_IS(soq_send(pair[1], "x", 1, 0), -ECONNRESET);
	CHECK_IS(soq_close(pair[1]), 0);
}

static void messages(struct soq_loop *loop, struct soq_pool *pool, uint32_t flags)
{
	static const size_t sizes[] = { 10, 0, 3000, 1 };
	unsigned char out[3000] = "message";
	struct soq_socket *s[2];
	struct soq_endpoint at[2], peer;
	struct soq_op op = { 0 };
	struct soq_event event;

	for (int i = 0; i < 2; i++) {
		CHECK_IS(soq_socket_open(loop, AF_INET, SOCK_DGRAM, 0, &s[i]), 0);
		CHECK_IS(soq_endpoint_loopback(AF_INET, 0, &at[i]), 0);
		CHECK_IS(soq_bind(s[i], &at[i]), 0);
		CHECK_IS(soq_socket_local(s[i], &at[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		if (!flags || i == 0)
			CHECK_IS(soq_recv_buf_async(s[1], &op, pool, flags), 0);
		CHECK(soq_send_to(s[0], out, sizes[i], 0, &at[1]) == (int64_t)sizes[i]);
		CHECK_IS(soq_wait(&op, PATIENCE_NS, &event), 0);
		CHECK(event.result == (int64_t)sizes[i]);
		CHECK(event.buf != NULL && memcmp(event.buf->data, out, sizes[i]) == 0);
		CHECK_IS(soq_buf_peer(event.buf, &peer), 0);
		CHECK_IS(soq_endpoint_equal(&peer, &at[0]), 1);
		CHECK_IS(soq_buf_return(event.buf), 0);
	}
	CHECK_IS(soq_close(s[1]), 0);
	if (flags)
		CHECK_IS(soq_wait(&op, PATIENCE_NS, &event), 0);
	CHECK_IS(soq_close(s[0]), 0);
}

/* The kernel gives the reset of a unix stream once; every later receive says it too. */
static void unix_reset(struct soq_loop *loop, struct soq_pool *pool, uint32_t flags)
{
	struct soq_socket *s[3];
	struct soq_op op = { 0 };
	struct soq_endpoint ep;
	unsigned char in[8];
	char name[64];
	size_t got = 0;

	(void)snprintf(name, sizeof(name), "soq-fault-pool-%d", (int)getpid());
	CHECK_IS(soq_endpoint_abstract(name, strlen(name), &ep), 0);
	for (int i = 0; i < 2; i++)
		CHECK_IS(soq_socket_open(loop, AF_UNIX, SOCK_STREAM, 0, &s[i]), 0);
	CHECK_IS(soq_bind(s[0], &ep), 0);
	CHECK_IS(soq_listen(s[0], 1), 0);
	CHECK_IS(soq_connect(s[1], &ep), 0);
	CHECK_IS(soq_accept(s[0], &s[2], NULL), 0);
	CHECK_IS(soq_close(s[0]), 0);
	CHECK_IS(soq_send(s[1], "unread", 6, 0), 6);
	CHECK_IS(soq_abort(s[2]), 0);
	CHECK(soq_loop_run(loop, SOQ_RUN_IDLE, PATIENCE_NS) >= 0);
	for (int i = 0; i < 3; i++) {
		CHECK_IS(soq_recv_buf_async(s[1], &op, pool, flags), 0);
		CHECK_IS(receive(&op, in, sizeof(in), &got), -ECONNRESET);
	}
	CHECK_IS(soq_close(s[1]), 0);
}

static void use(struct soq_loop *loop, struct soq_pool *pool)
{
	struct soq_pool_info info;

	stream(loop, pool, 0);
	stream(loop, pool, SOQ_MULTISHOT);
	messages(loop, pool, 0);
	messages(loop, pool, SOQ_MULTISHOT);
	unix_reset(loop, pool, 0);
	unix_reset(loop, pool, SOQ_MULTISHOT);
	CHECK(soq_loop_run(loop, SOQ_RUN_IDLE, PATIENCE_NS) >= 0);
	info = info_of(pool);
	CHECK_IS(info.bufs_lent + info.bufs_waiting + info.receivers + info.parked, 0);
	CHECK(info.lends == info.returns);
}

static struct soq_pool *pool_of(struct soq_loop *loop, uint32_t count, uint32_t size_bytes)
{
	struct soq_pool_options options = { .size = sizeof(options),
					    .class_count = 1,
					    .classes = { { size_bytes, count } } };
	struct soq_pool *pool;

	CHECK_IS(soq_pool_create(loop, &options, &pool), 0);
	return pool;
}

/* Smaller first, with the share an eighth of what it is; then with the core picking. */
static void memlock(void)
{
	struct rlimit limit = { LITTLE_BYTES, LITTLE_BYTES };
	struct soq_loop_options options = { .size = sizeof(options),
					    .backend = SOQ_BACKEND_URING,
					    .sq_entries = 8,
					    .cq_entries = 16 };
	struct soq_pool *pools[64];
	struct soq_loop *loop;
	unsigned count = 0, smaller = 0;

	CHECK_IS(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	become_nobody();
	CHECK_IS(soq_loop_create(&options, &loop), 0);
	for (; count < 64; count++) {
		struct soq_pool_info info;

		pools[count] = pool_of(loop, count == 0 ? 8192 : 256, 4096 - 256 * (count == 0));
		info = info_of(pools[count]);
		printf("pool %u: %u bufs, share %u, %d\n", count, info.classes[0].buf_count,
		       info.share, info.registered_error);
		if (info.registered_error != 0)
			break;
		CHECK_IS(info.share, info.classes[0].buf_count / 8);
		smaller += info.classes[0].buf_count < (count == 0 ? 8192 : 256);
	}
	CHECK(smaller > 0);
	CHECK(count < 64);
	CHECK_IS(info_of(pools[count]).registered_error, -ENOMEM);
	/* It locks nothing then, so it is as large as was asked for. */
	CHECK_IS(info_of(pools[count]).classes[0].buf_count, 256);
	use(loop, pools[0]);
	use(loop, pools[count]);
	for (unsigned i = 0; i <= count; i++)
		CHECK_IS(soq_pool_destroy(pools[i]), 0);
	CHECK_IS(soq_loop_destroy(loop), 0);
}

static void denied(void)
{
	struct soq_loop *loop = fault_loop(SOQ_BACKEND_URING);
	struct soq_pool *before = pool_of(loop, 4, 4096), *after;

	CHECK(soq_loop_run(loop, SOQ_RUN_ONCE, 0) >= 0);
	CHECK_IS(info_of(before).registered_error, 0);
	fault_deny(fault_syscall("register"), EPERM);
	after = pool_of(loop, 4, 4096);
	CHECK_IS(info_of(after).registered_error, -EPERM);
	CHECK_IS(info_of(after).classes[0].buf_count, 4);
	use(loop, after);
	use(loop, before);
	CHECK_IS(soq_pool_destroy(after), 0);
	CHECK_IS(soq_pool_destroy(before), 0);
	CHECK_IS(soq_loop_destroy(loop), 0);
}

int main(int argc, char **argv)
{
	CHECK(argc == 2);
	if (strcmp(argv[1], "memlock") == 0)
		memlock();
	else
		denied();
	return 0;
}
