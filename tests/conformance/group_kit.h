/* SPDX-License-Identifier: MIT */
/*
 * Groups for tests: more members than the machine has processors, on the tier's backend,
 * with an allocator that several threads may call and that can be told to fail. What runs
 * on a member records; the test looks when the group has ended.
 */
#ifndef SOQ_TESTS_GROUP_KIT_H
#define SOQ_TESTS_GROUP_KIT_H

#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

#define MEMBERS 8

/* What a member has seen; its thread writes. */
struct seen {
	pthread_t thread;
	unsigned starts;
	unsigned drains;
	unsigned drained;
	unsigned stops;
	unsigned accepted;
	unsigned arrived;
	unsigned failures; /* calls that should have worked */
	void *more;
};

struct kit {
	struct fixture *t;
	struct soq_group *group;
	struct soq_group_options options;
	struct soq_loop_options loop;
	struct soq_allocator allocator;
	struct seen seen[MEMBERS];
	atomic_ullong live_bytes;
	atomic_llong fail_after;         /* allocations that still work; negative: all */
	atomic_uint answers;             /* requests that were answered */
	atomic_uint connections;         /* that are there */
	soq_group_socket_fn *on_request; /* where a connection goes with its request */
};

static inline void *kit_allocate(void *context, size_t size_bytes, size_t align_bytes)
{
	struct kit *kit = context;
	void *memory = NULL;

	if (atomic_load(&kit->fail_after) >= 0 && atomic_fetch_sub(&kit->fail_after, 1) <= 0) {
		atomic_store(&kit->fail_after, 0);
		return NULL;
	}
	if (posix_memalign(&memory, align_bytes < 16 ? 16 : align_bytes, size_bytes))
		return NULL;
	memset(memory, 0xa5, size_bytes);
	atomic_fetch_add(&kit->live_bytes, size_bytes);
	return memory;
}

static inline void kit_release(void *context, void *memory, size_t size_bytes)
{
	struct kit *kit = context;

	atomic_fetch_sub(&kit->live_bytes, size_bytes);
	free(memory);
}

static inline int kit_start(struct soq_group *group, unsigned member, void *user)
{
	struct kit *kit = user;

	(void)group;
	kit->seen[member].starts++;
	kit->seen[member].thread = pthread_self();
	return 0;
}

static inline void kit_drain(struct soq_group *group, unsigned member, void *user)
{
	(void)group;
	((struct kit *)user)->seen[member].drains++;
}

static inline void kit_drained(struct soq_group *group, unsigned member, void *user)
{
	(void)group;
	((struct kit *)user)->seen[member].drained++;
}

static inline void kit_stop(struct soq_group *group, unsigned member, void *user)
{
	(void)group;
	((struct kit *)user)->seen[member].stops++;
}

/* Options as the tier has them; a test may change them before kit_open(). */
static inline struct kit *kit_make(struct fixture *t)
{
	struct kit *kit = calloc(1, sizeof(*kit));

	assert_non_null(kit);
	kit->t = t;
	atomic_store(&kit->fail_after, -1);
	kit->allocator = (struct soq_allocator){ kit_allocate, kit_release, kit };
	options_of_tier(t, &kit->loop);
	kit->loop.allocator = &kit->allocator;
	/* Rings for so many threads, on kernels that count their memory. */
	if (kit->loop.sq_entries == 0) {
		kit->loop.sq_entries = 64;
		kit->loop.cq_entries = 256;
	}
	kit->options = (struct soq_group_options){
		.size = sizeof(kit->options),
		.member_count = MEMBERS,
		.loop = &kit->loop,
		.start = kit_start,
		.drain = kit_drain,
		.drained = kit_drained,
		.stop = kit_stop,
		.user = kit,
	};
	return kit;
}

static inline void kit_open(struct kit *kit)
{
	expect(soq_group_create(&kit->options, &kit->group), 0);
}

static inline struct kit *kit_open_for(struct fixture *t)
{
	struct kit *kit = kit_make(t);

	kit_open(kit);
	return kit;
}

/* Everything has ended: nothing in flight, nothing open, each member begun and ended once. */
static inline void kit_expect_ended(struct kit *kit)
{
	struct soq_loop_stats stats = { .size = sizeof(stats) };

	expect(soq_group_wait(kit->group, watchdog_ns()), 0);
	expect(soq_group_stats(kit->group, &stats), 0);
	expect(stats.sockets, 0);
	expect(stats.ops_in_flight, 0);
	expect(stats.events_waiting, 0);
	expect(stats.ops_started, stats.ops_finished);
	for (unsigned i = 0; i < kit->options.member_count; i++) {
		expect(kit->seen[i].starts, 1);
		expect(kit->seen[i].stops, 1);
		expect(kit->seen[i].failures, 0);
	}
}

static inline void kit_free(struct kit *kit)
{
	expect(atomic_load(&kit->live_bytes), 0);
	free(kit);
}

static inline void kit_close(struct kit *kit)
{
	expect(soq_group_stop(kit->group), 0);
	kit_expect_ended(kit);
	expect(soq_group_destroy(kit->group), 0);
	kit_free(kit);
}

/* Runs `body` on a member's thread, and waits for it. */
struct errand {
	struct soq_op op;
	void (*body)(struct kit *kit, unsigned member, void *arg);
	struct kit *kit;
	unsigned member;
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t done;
	int is_done;
};

static inline void errand_run(const struct soq_event *event)
{
	struct errand *errand = event->op->user;

	errand->body(errand->kit, errand->member, errand->arg);
	pthread_mutex_lock(&errand->lock);
	errand->is_done = 1;
	pthread_cond_broadcast(&errand->done);
	pthread_mutex_unlock(&errand->lock);
}

static inline void on_member(struct kit *kit, unsigned member,
			     void (*body)(struct kit *, unsigned, void *), void *arg)
{
	struct errand errand = { .op = { .done = errand_run },
				 .body = body,
				 .kit = kit,
				 .member = member,
				 .arg = arg,
				 .lock = PTHREAD_MUTEX_INITIALIZER,
				 .done = PTHREAD_COND_INITIALIZER };

	errand.op.user = &errand;
	expect(soq_group_post(kit->group, member, &errand.op), 0);
	pthread_mutex_lock(&errand.lock);
	while (!errand.is_done)
		pthread_cond_wait(&errand.done, &errand.lock);
	pthread_mutex_unlock(&errand.lock);
}

/* Waits until other threads have made `what` true. */
#define until(what)                                                                                \
	do {                                                                                       \
		int64_t until_ns_ = now_ns() + watchdog_ns();                                      \
		while (!(what)) {                                                                  \
			expect_true(now_ns() < until_ns_);                                         \
			sched_yield();                                                             \
		}                                                                                  \
	} while (0)

/*
 * A server of numbers: each request is one, and is answered by the same one plus 1. The
 * connection ends when the client ends it.
 */
struct connection {
	struct soq_op op;
	struct kit *kit;
	struct soq_socket *s;
	uint64_t number;
	unsigned member;
};

static inline void connection_receive(struct connection *c);

static inline void connection_closed(const struct soq_event *event)
{
	struct connection *c = event->op->user;

	atomic_fetch_sub(&c->kit->connections, 1);
	free(c);
}

static inline void connection_end(struct connection *c)
{
	c->op.done = connection_closed;
	/* The group ends, and has closed it. */
	if (soq_close_async(c->s, &c->op) == 0)
		return;
	atomic_fetch_sub(&c->kit->connections, 1);
	free(c);
}

static inline void connection_sent(const struct soq_event *event)
{
	struct connection *c = event->op->user;

	if (event->result != sizeof(c->number)) {
		connection_end(c);
		return;
	}
	atomic_fetch_add(&c->kit->answers, 1);
	connection_receive(c);
}

static inline void connection_answer(struct connection *c)
{
	c->number++;
	c->op.done = connection_sent;
	if (soq_send_async(c->s, &c->op, &c->number, sizeof(c->number), 0) != 0)
		connection_end(c);
}

static inline void connection_received(const struct soq_event *event)
{
	struct connection *c = event->op->user;
	struct kit *kit = c->kit;

	if (event->result != sizeof(c->number))
		connection_end(c);
	else if (kit->on_request == NULL)
		connection_answer(c);
	else
		kit->on_request(kit->group, c->member, c->s, c);
}

static inline void connection_receive(struct connection *c)
{
	c->op.done = connection_received;
	if (soq_recv_async(c->s, &c->op, &c->number, sizeof(c->number), SOQ_EXACT) != 0)
		connection_end(c);
}

static inline void connection_accepted(struct soq_group *group, unsigned member,
				       struct soq_socket *s, void *user)
{
	struct kit *kit = user;
	struct connection *c = calloc(1, sizeof(*c));

	(void)group;
	kit->seen[member].accepted++;
	if (c == NULL) {
		kit->seen[member].failures++;
		(void)soq_abort(s);
		return;
	}
	atomic_fetch_add(&kit->connections, 1);
	c->kit = kit;
	c->s = s;
	c->member = member;
	c->op.user = c;
	connection_receive(c);
}

/* The server on a port of its own. */
static inline void kit_listen_as(struct kit *kit, int family, enum soq_steering steering,
				 struct soq_endpoint *ep)
{
	const struct soq_group_listen_options how = { .size = sizeof(how),
						      .steering = steering,
						      .accepted = connection_accepted,
						      .user = kit };

	expect(soq_endpoint_loopback(family, 0, ep), 0);
	expect(soq_group_listen(kit->group, ep, &how, ep), 0);
}

static inline void kit_listen(struct kit *kit, struct soq_endpoint *ep)
{
	kit_listen_as(kit, AF_INET, SOQ_STEER_HASH, ep);
}

/* Asks over a raw descriptor; true if the answer is right. For any thread. */
static inline int client_send(int fd, uint64_t number)
{
	return send(fd, &number, sizeof(number), MSG_NOSIGNAL) == sizeof(number);
}

static inline int client_receive(int fd, uint64_t number)
{
	uint64_t answer = 0;
	size_t got = 0;

	while (got < sizeof(answer)) {
		int64_t n = raw_recv_blocking(fd, (char *)&answer + got, sizeof(answer) - got);

		if (n <= 0)
			return 0;
		got += (size_t)n;
	}
	return answer == number + 1;
}

static inline int client_ask(int fd, uint64_t number)
{
	return client_send(fd, number) && client_receive(fd, number);
}

/* Connects from any thread: the descriptor, or -errno; -EINPROGRESS when `timeout_ns` is over. */
static inline int client_connect_within(const struct soq_endpoint *ep, int64_t timeout_ns)
{
	struct timeval send = { .tv_usec = timeout_ns / 1000 };
	struct timeval receive = { .tv_sec = watchdog_ns() / 1000000000 };
	int fd = socket(ep->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send)) != 0)
		abort();
	if (connect(fd, &ep->addr.any, ep->size_bytes) != 0) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

static inline int client_connect(const struct soq_endpoint *ep)
{
	return client_connect_within(ep, 0); /* for ever */
}

/* Where a drain makes newcomers try again: sooner than the second that TCP takes for it. */
static inline int client_connect_again(const struct soq_endpoint *ep)
{
	int fd;

	while ((fd = client_connect_within(ep, 50 * MS)) == -EINPROGRESS)
		;
	return fd;
}

#endif
