/* SPDX-License-Identifier: MIT */
/*
 * A sandbox that is entered when the loop already runs: io_uring_enter is refused from
 * then on. Every op ends, once, with an error, and everything can be closed.
 *   fault_late [PLACES]     with so many direct descriptors
 */
#define _GNU_SOURCE
#include "fault.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPT,
	RECEIVE,
	EXACT,
	SEND,
	SLEEP,
	CONNECT,
	HELD,     /* zero-copy: handed over, never acknowledged */
	HELD_BIG, /* zero-copy: handed over in part */
	HELPED,   /* a helper's */
	LATE_SEND,
	LATE_RECEIVE,
	LATE_LAZY,
	OPS
};

#define BIG_BYTES ((size_t)64 << 20)
/* More than a receiver takes that nobody reads from, less than a sender's queue. */
#define HELD_BYTES ((size_t)150000)

static struct soq_op ops[OPS];
static unsigned mores[OPS];
static unsigned finals[OPS];
static int64_t results[OPS];

static void record(const struct soq_event *event)
{
	size_t i = (size_t)(event->op - ops);

	if (event->flags & SOQ_F_MORE) {
		mores[i]++;
		return;
	}
	finals[i]++;
	results[i] = event->result;
}

static struct soq_socket *listener_start(struct soq_loop *loop)
{
	struct soq_socket *s;
	struct soq_endpoint ep;

	CHECK_IS(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &s), 0);
	CHECK_IS(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	CHECK_IS(soq_bind(s, &ep), 0);
	CHECK_IS(soq_listen(s, 1), 0);
	CHECK_IS(soq_accept_async(s, &ops[ACCEPT], SOQ_MULTISHOT), 0);
	return s;
}

/* Its connects wait for room in a queue, which no kernel tells of. */
static void full_unix_listener(struct soq_loop *loop, struct soq_socket *s[3],
			       struct soq_endpoint *ep)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "soq-fault-%d", (int)getpid());
	CHECK_IS(soq_endpoint_abstract(name, strlen(name), ep), 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK_IS(soq_socket_open(loop, AF_UNIX, SOCK_STREAM, 0, &s[i]), 0);
	CHECK_IS(soq_bind(s[0], ep), 0);
	CHECK_IS(soq_listen(s[0], 1), 0);
	CHECK_IS(soq_connect(s[1], ep), 0);
	CHECK_IS(soq_close(s[1]), 0);
	CHECK_IS(soq_socket_open(loop, AF_UNIX, SOCK_STREAM, 0, &s[1]), 0);
	CHECK_IS(soq_connect(s[1], ep), 0);
	CHECK_IS(soq_connect_async(s[2], &ops[CONNECT], ep), 0);
}

/* One whose memory the kernel has, and one that is in it besides. */
static void held_start(struct soq_loop *loop, char *big, struct soq_socket *pair[2])
{
	int queue_bytes = 1 << 20;

	fault_pair(loop, pair);
	CHECK_IS(soq_option_set(pair[0], SOL_SOCKET, SO_SNDBUF, &queue_bytes, sizeof(int)), 0);
	CHECK_IS(soq_send_async(pair[0], &ops[HELD], big, HELD_BYTES, SOQ_ZEROCOPY), 0);
	CHECK_IS(soq_send_async(pair[0], &ops[HELD_BIG], big, BIG_BYTES, SOQ_ZEROCOPY), 0);
}

/* A socket that has been used and has nothing in flight; its peer is the caller's. */
static struct soq_socket *idle_socket(struct soq_loop *loop, int *peer_out)
{
	struct soq_socket *s;
	int ends[2];

	CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	CHECK_IS(soq_socket_adopt(loop, ends[0], &s), 0);
	CHECK_IS(soq_send(s, "x", 1, 0), 1);
	*peer_out = ends[1];
	return s;
}

static struct soq_loop *loop_with(uint32_t direct_count)
{
	struct soq_loop_options options = { .size = sizeof(options),
					    .backend = SOQ_BACKEND_URING,
					    .direct_count = direct_count };
	struct soq_loop *loop;

	CHECK_IS(soq_loop_create(&options, &loop), 0);
	return loop;
}

static void check_closed(struct soq_socket *s, int peer)
{
	struct pollfd wait = { .fd = peer, .events = POLLRDHUP };

	CHECK_IS(soq_close(s), 0);
	CHECK_IS(poll(&wait, 1, (int)(PATIENCE_NS / MS)), 1);
	CHECK(wait.revents & POLLRDHUP);
	CHECK_IS(close(peer), 0);
}

static void helped_cut(struct soq_op *op, int cause, void *arg)
{
	(void)arg;
	CHECK_IS(cause, -EPERM);
	CHECK_IS(soq_op_finish(op, -ECANCELED, 0, NULL), 0);
}

/* Nothing is under it that could fail, on a loop that is dead already. */
static void check_helped_late(struct soq_loop *loop)
{
	finals[HELPED] = 0;
	results[HELPED] = 0;
	CHECK_IS(soq_op_begin(loop, &ops[HELPED], helped_cut, NULL), 0);
	CHECK_IS(soq_loop_run(loop, SOQ_RUN_ONCE, 0), -EPERM);
	CHECK_IS(finals[HELPED], 1);
	CHECK_IS(results[HELPED], -EPERM);
}

static unsigned ended(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < OPS; i++)
		count += finals[i];
	return count;
}

int main(int argc, char **argv)
{
	static char space[16], more[16];
	char *big = calloc(1, BIG_BYTES);
	struct soq_loop *loop = loop_with(argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0);
	struct soq_socket *pair[2];
	struct soq_socket *held[2];
	struct soq_socket *listener;
	struct soq_socket *full[3];
	struct soq_endpoint full_ep;
	struct soq_socket *idle;
	int peer;

	CHECK(big != NULL);
	for (unsigned i = 0; i < OPS; i++)
		ops[i].done = record;
	fault_pair(loop, pair);
	listener = listener_start(loop);
	full_unix_listener(loop, full, &full_ep);
	idle = idle_socket(loop, &peer);
	CHECK_IS(soq_recv_async(pair[0], &ops[RECEIVE], space, sizeof(space), 0), 0);
	CHECK_IS(soq_recv_async(pair[0], &ops[EXACT], more, sizeof(more), SOQ_EXACT), 0);
	/* More than the two sockets hold: it waits in the kernel. */
	CHECK_IS(soq_send_async(pair[0], &ops[SEND], big, BIG_BYTES, 0), 0);
	held_start(loop, big, held);
	CHECK_IS(soq_sleep_async(loop, &ops[SLEEP], 3600000 * MS), 0);
	CHECK_IS(soq_op_begin(loop, &ops[HELPED], helped_cut, NULL), 0);
	for (unsigned turn = 0; turn < 4; turn++)
		CHECK(soq_loop_run(loop, SOQ_RUN_ONCE, 0) >= 0);
	CHECK_IS(ended(), 0);
	CHECK_IS(mores[HELD], 1);

	fault_deny(fault_syscall("enter"), EPERM);
	CHECK_IS(soq_send_async(pair[0], &ops[LATE_SEND], big, 1, 0), 0);
	CHECK_IS(soq_recv_async(pair[1], &ops[LATE_RECEIVE], big, 1, 0), 0);
	CHECK_IS(soq_send_async(pair[1], &ops[LATE_LAZY], more, 1, SOQ_LAZY), 0);
	for (unsigned turn = 0; turn < 100 && ended() < OPS; turn++)
		(void)soq_loop_run(loop, SOQ_RUN_ONCE, 100 * MS);
	for (unsigned i = 0; i < OPS; i++) {
		printf("op %u: %u events, %lld\n", i, finals[i], (long long)results[i]);
		CHECK_IS(finals[i], 1);
	}
	CHECK_IS(results[ACCEPT], -EPERM);
	CHECK_IS(results[RECEIVE], -EPERM);
	CHECK_IS(results[CONNECT], -EPERM);
	CHECK_IS(results[EXACT], -EPERM);
	CHECK_IS(results[LATE_LAZY], -EPERM);
	CHECK_IS(results[HELPED], -EPERM);
	CHECK(results[SEND] == -EPERM || results[SEND] > 0);
	CHECK_IS(results[HELD], HELD_BYTES);
	CHECK(results[HELD_BIG] == -EPERM || mores[HELD_BIG] == 1);
	check_helped_late(loop);

	check_closed(idle, peer);
	CHECK_IS(soq_close(listener), 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK_IS(soq_close(full[i]), 0);
	CHECK_IS(soq_abort(pair[0]), 0);
	CHECK_IS(soq_close(pair[1]), 0);
	CHECK_IS(soq_close(held[0]), 0);
	CHECK_IS(soq_close(held[1]), 0);
	for (unsigned turn = 0; turn < 100 && soq_loop_destroy(loop) == -EBUSY; turn++)
		(void)soq_loop_run(loop, SOQ_RUN_ONCE, 0);
	CHECK_IS(ended(), OPS);
	free(big);
	return 0;
}
