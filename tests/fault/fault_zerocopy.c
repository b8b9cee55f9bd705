/* SPDX-License-Identifier: MIT */
/*
 * The pages of a zero-copy send count against RLIMIT_MEMLOCK of an ordinary user: when
 * that is too little the bytes are copied, and the caller sees no error.
 */
#define _GNU_SOURCE
#include "fault.h"

#include <sys/resource.h>
#include <unistd.h>

#define LITTLE_BYTES (64 * 1024)
#define SIZE         (300 * 1024)
#define SENDS        20

static struct soq_op op;
static unsigned more, finals;

static void record(const struct soq_event *event)
{
	CHECK_IS(event->result, SIZE);
	if (event->flags & SOQ_F_MORE) {
		more++;
		return;
	}
	CHECK_IS(event->flags, SOQ_F_COPIED);
	finals++;
}

int main(void)
{
	const struct rlimit limit = { LITTLE_BYTES, LITTLE_BYTES };
	struct soq_loop_stats stats = { .size = sizeof(stats) };
	uid_t id = 100000 + (uid_t)getpid();
	char *out = malloc(SIZE), *in = malloc(SIZE);
	struct soq_loop_options options = { .size = sizeof(options),
					    .backend = SOQ_BACKEND_URING,
					    .sq_entries = 8,
					    .cq_entries = 16 };
	struct soq_socket *pair[2];
	struct soq_loop *loop;

	CHECK(out != NULL && in != NULL);
	CHECK_IS(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	if (geteuid() == 0) {
		CHECK_IS(setresgid(id, id, id), 0);
		CHECK_IS(setresuid(id, id, id), 0);
	}
	CHECK_IS(soq_loop_create(&options, &loop), 0);
	fault_pair(loop, pair);
	op.done = record;
	for (unsigned i = 0; i < SENDS; i++) {
		memset(out, (int)i + 1, SIZE);
		CHECK_IS(soq_send_async(pair[0], &op, out, SIZE, SOQ_ZEROCOPY), 0);
		CHECK_IS(soq_recv(pair[1], in, SIZE, SOQ_EXACT), SIZE);
		CHECK(memcmp(in, out, SIZE) == 0);
		CHECK(soq_loop_run(loop, SOQ_RUN_IDLE, PATIENCE_NS) >= 0);
		CHECK_IS(more, i + 1);
		CHECK_IS(finals, i + 1);
	}
	CHECK_IS(soq_loop_stats(loop, &stats), 0);
	printf("%llu requests without a copy, %llu of them copied\n",
	       (unsigned long long)stats.zerocopy_sends, (unsigned long long)stats.zerocopy_copied);
	/* Each send asks once, is refused, and is copied by us. */
	CHECK(stats.zerocopy_sends == SENDS);
	CHECK(stats.zerocopy_copied == 0);
	CHECK_IS(soq_close(pair[0]), 0);
	CHECK_IS(soq_close(pair[1]), 0);
	CHECK(soq_loop_run(loop, SOQ_RUN_IDLE, PATIENCE_NS) >= 0);
	CHECK_IS(soq_loop_destroy(loop), 0);
	free(out);
	free(in);
	return 0;
}
