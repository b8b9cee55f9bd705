/* SPDX-License-Identifier: MIT */
/* Descriptors, memory, signals and threads: what runs out, and what must not grow. */
#define _GNU_SOURCE
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

/* Lets `more` descriptors be opened, no more. */
static struct rlimit limit_fds(unsigned more)
{
	struct rlimit before, low;
	int top = open("/dev/null", O_RDONLY | O_CLOEXEC);

	expect_true(top >= 0);
	expect(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)top + more;
	close(top);
	expect(setrlimit(RLIMIT_NOFILE, &low), 0);
	return before;
}

struct kept {
	struct soq_socket *sockets[8];
	unsigned count;
};

static void keep_socket(struct probe *p, const struct soq_event *event)
{
	struct kept *kept = p->arg;

	if (event->socket && kept->count < COUNT_OF(kept->sockets))
		kept->sockets[kept->count++] = event->socket;
}

static void accept_backs_off_without_descriptors(struct fixture *t, uint32_t flags)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct probe *p = probe(t);
	struct kept kept = { .count = 0 };
	struct rlimit before;
	uint64_t turns;
	int fd, last;

	p->then = keep_socket;
	p->arg = &kept;
	before = limit_fds(2);
	started(p, soq_accept_async(listener, &p->op, flags));
	settle(t);
	fd = raw_connect(&ep);
	last = dup(fd);
	run_until(t, stats_of(t).accept_backoffs > 0);
	turns = stats_of(t).turns;
	expect(soq_sleep(t->loop, 30 * MS), 0);
	turns = stats_of(t).turns - turns;
	setrlimit(RLIMIT_NOFILE, &before);
	/* It waits; it does not spin. */
	expect_true(turns < 200);
	expect(p->events, 0);
	run_until(t, kept.count == 1);

	expect(p->result, 0);
	expect(soq_close(kept.sockets[0]), 0);
	expect(soq_close(listener), 0);
	if (flags)
		await(t, p);
	close(last);
	close(fd);
}

static void accept_recovers_when_descriptors_come_back(struct fixture *t)
{
	accept_backs_off_without_descriptors(t, 0);
}

static void multishot_accept_recovers_when_descriptors_come_back(struct fixture *t)
{
	accept_backs_off_without_descriptors(t, SOQ_MULTISHOT);
}

static void accept_recovers_at_the_next_close(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *spare = open_socket(t, AF_INET);
	struct probe *p = probe(t);
	struct rlimit before;
	int fd, last;

	before = limit_fds(2);
	started(p, soq_accept_async(listener, &p->op, SOQ_MULTISHOT));
	settle(t);
	fd = raw_connect(&ep);
	last = dup(fd);
	run_until(t, stats_of(t).accept_backoffs > 0);
	expect(soq_close(spare), 0);
	run_until(t, p->events == 1);
	setrlimit(RLIMIT_NOFILE, &before);

	expect(p->result, 0);
	expect(p->flags, SOQ_F_MORE);
	expect(soq_close(p->socket), 0);
	expect(soq_close(listener), 0);
	await(t, p);
	close(last);
	close(fd);
}

static void sync_accept_without_descriptors_says_so(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out = NULL;
	struct rlimit before;
	int fd = raw_connect(&ep);
	int64_t rc, timed;

	before = limit_fds(0);
	rc = soq_accept(listener, &out, NULL);
	expect(soq_socket_set_timeouts(listener, 20 * MS, FOREVER), 0);
	timed = soq_accept(listener, &out, NULL);
	setrlimit(RLIMIT_NOFILE, &before);

	expect(rc, -EMFILE);
	expect(timed, -ETIMEDOUT);
	assert_null(out);
	expect(soq_accept(listener, &out, NULL), 0);
	expect(soq_close(out), 0);
	expect(soq_close(listener), 0);
	close(fd);
}

static void open_without_descriptors_says_so(struct fixture *t)
{
	struct rlimit before = limit_fds(0);
	struct soq_socket *s = NULL;
	int rc = soq_socket_open(t->loop, AF_INET, SOCK_STREAM, 0, &s);

	setrlimit(RLIMIT_NOFILE, &before);
	expect(rc, -EMFILE);
	assert_null(s);
	s = open_socket(t, AF_INET);
	expect(soq_close(s), 0);
}

static void loop_without_descriptors_says_so(struct fixture *t)
{
	struct rlimit before;
	struct soq_loop_options options;
	struct soq_loop *loop = NULL;
	int rc;

	options_of_tier(t, &options);
	before = limit_fds(0);
	rc = soq_loop_create(&options, &loop);
	setrlimit(RLIMIT_NOFILE, &before);

	expect(rc, -EMFILE);
	assert_null(loop);
}

static void every_descriptor_is_closed_on_exec(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct fd_census now;
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	unsigned ours = 0;

	pair_soq(t, AF_INET6, &a, &b);
	census(&now);
	for (unsigned i = 0; i < now.count; i++) {
		int is_old = 0;

		for (unsigned k = 0; k < t->fds_before.count; k++)
			is_old |= t->fds_before.fds[k] == now.fds[i];
		if (is_old)
			continue;
		ours++;
		expect(fcntl(now.fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	}

	expect_true(ours >= 3);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	expect(soq_close(listener), 0);
}

/* A turn of everything that a server does all day. */
struct talk {
	struct soq_socket *listener, *a, *b;
	struct probe *accepted, *connected, *sent, *received;
	char in[64];
};

static void exchange(struct fixture *t, struct talk *k)
{
	started(k->received, soq_recv_async(k->b, &k->received->op, k->in, 64, SOQ_EXACT));
	started(k->sent,
		soq_send_async(k->a, &k->sent->op, "0123456789abcdef0123456789abcdef", 32, 0));
	expect(soq_send(k->a, "0123456789abcdef0123456789abcdef", 32, 0), 32);
	await(t, k->received);
	await(t, k->sent);
	expect(soq_send(k->b, "x", 1, 0), 1);
	expect(soq_recv(k->a, k->in, 64, 0), 1);
	k->received->op.deadline_ns = now_ns() + HOUR;
	started(k->received, soq_recv_async(k->b, &k->received->op, k->in, 64, 0));
	settle(t);
	expect(soq_cancel(&k->received->op), 0);
	await(t, k->received);
}

static void steady_state_allocates_nothing(struct fixture *t)
{
	struct talk k = { .sent = probe(t), .received = probe(t) };
	uint64_t allocations, bytes;

	pair_soq(t, AF_INET, &k.a, &k.b);
	for (int i = 0; i < 5; i++)
		exchange(t, &k);
	allocations = t->memory.allocations;
	bytes = t->memory.live_bytes;
	for (int i = 0; i < 300; i++)
		exchange(t, &k);

	expect(t->memory.allocations, allocations);
	expect(t->memory.live_bytes, bytes);
	expect(soq_close(k.a), 0);
	expect(soq_close(k.b), 0);
}

static void accepting_in_steady_state_keeps_memory_flat(struct fixture *t)
{
	struct soq_endpoint ep;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep), *out;
	uint64_t allocations = 0, bytes = 0;

	/* Debug builds keep dead handles, so that they answer for ever. */
	for (int i = 0; i < 400; i++) {
		int fd = raw_connect(&ep);

		if (i == 100) {
			allocations = t->memory.allocations;
			bytes = t->memory.live_bytes;
		}
		expect(soq_accept(listener, &out, NULL), 0);
		expect(soq_abort(out), 0);
		close(fd);
	}

	expect_true(t->memory.allocations - allocations <= 300);
	expect_true(t->memory.live_bytes - bytes <= 300 * 2048);
	expect(soq_close(listener), 0);
}

static void sigpipe_is_never_raised(struct fixture *t)
{
	/* The fixture counts the signal; here everything that could raise it. */
	for (int i = 0; i < 4; i++) {
		int fd;
		struct soq_socket *s = pair_raw(t, AF_INET, &fd);
		struct iovec two[2] = { { "a", 1 }, { "b", 1 } };
		struct probe *p = probe(t);

		if (i & 1)
			raw_reset(fd);
		else
			close(fd);
		(void)!soq_send(s, "x", 1, 0);
		settle(t);
		expect_true(soq_sendv(s, two, 2, 0) < 0);
		started(p, soq_send_async(s, &p->op, "x", 1, 0));
		await(t, p);
		expect_true(p->result == -EPIPE || p->result == -ECONNRESET);
		if (i & 2)
			(void)soq_shutdown(s, SOQ_SHUTDOWN_SEND);
		expect(soq_close(s), 0);
	}
}

static unsigned count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

static void no_thread_is_made(struct fixture *t)
{
	unsigned before = count_threads();
	struct talk k = { .sent = probe(t), .received = probe(t) };

	pair_soq(t, AF_INET, &k.a, &k.b);
	exchange(t, &k);
	expect(soq_shutdown(k.a, SOQ_SHUTDOWN_SEND), 0);
	expect(soq_finish(k.b, FOREVER), 0);

	expect(count_threads(), before);
	expect(soq_close(k.a), 0);
}

static void ten_thousand_round_trips_allocate_nothing(struct fixture *t)
{
	struct probe *sent = probe(t), *received = probe(t);
	struct soq_socket *a, *b;
	struct soq_loop_stats before, after;
	uint64_t blocks;
	char in[64], out[64] = "";
	int wrong = 0;

	pair_soq(t, AF_INET, &a, &b);
	expect(soq_send(a, out, 64, 0), 64);
	expect(soq_recv(b, in, 64, SOQ_EXACT), 64);
	before = stats_of(t);
	blocks = t->memory.allocations;
	for (int i = 0; i < 10000; i++) {
		/* Half of them synchronous, half with done(). */
		if (i & 1) {
			wrong += soq_send(a, out, 64, 0) != 64;
			wrong += soq_recv(b, in, 64, SOQ_EXACT) != 64;
			wrong += soq_send(b, in, 64, 0) != 64;
			wrong += soq_recv(a, in, 64, SOQ_EXACT) != 64;
			continue;
		}
		for (int k = 0; k < 2; k++) {
			started(received,
				soq_recv_async(k ? a : b, &received->op, in, 64, SOQ_EXACT));
			started(sent, soq_send_async(k ? b : a, &sent->op, out, 64, 0));
			await(t, received);
			await(t, sent);
		}
	}
	after = stats_of(t);

	expect(wrong, 0);
	expect(t->memory.allocations, blocks);
	expect(after.allocations, before.allocations);
	expect(after.allocated_bytes, before.allocated_bytes);
	expect(after.bytes_received - before.bytes_received, 10000 * 128);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

/* Refuses every allocation from the one counted down to. */
struct scarce {
	struct soq_allocator allocator;
	const struct soq_allocator *inner;
	int left;
};

static void *refusing(void *context, size_t size_bytes, size_t align_bytes)
{
	struct scarce *scarce = context;

	if (scarce->left-- <= 0)
		return NULL;
	return scarce->inner->allocate(scarce->inner->context, size_bytes, align_bytes);
}

static void give_back(void *context, void *memory, size_t size_bytes)
{
	struct scarce *scarce = context;

	scarce->inner->release(scarce->inner->context, memory, size_bytes);
}

static struct scarce scarce_of(struct fixture *t)
{
	return (struct scarce){ .allocator = { refusing, give_back, NULL },
				.inner = &t->allocator,
				.left = INT_MAX };
}

static struct soq_loop *scarce_loop(struct fixture *t, struct scarce *scarce, int left, int *rc)
{
	struct soq_loop_options options;
	struct soq_loop *loop = NULL;

	scarce->allocator.context = scarce;
	scarce->left = left;
	options_of_tier(t, &options);
	options.allocator = &scarce->allocator;
	*rc = soq_loop_create(&options, &loop);
	expect_true(*rc == 0 || (*rc == -ENOMEM && !loop));
	return loop;
}

static void failing_allocations_leave_nothing_behind(struct fixture *t)
{
	enum { SOCKETS = 100 };
	struct scarce scarce = scarce_of(t);
	struct linger some = { .l_onoff = 1, .l_linger = 5 };
	int rc = -ENOMEM, failed = 0;

	for (int n = 0; rc == -ENOMEM && n < 1000; n++) {
		uint64_t live = t->memory.live_bytes;
		struct soq_socket *sockets[SOCKETS];
		struct soq_loop *loop = scarce_loop(t, &scarce, n, &rc);
		int opened = 0;

		while (rc == 0 && opened < SOCKETS) {
			rc = soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &sockets[opened]);
			opened += rc == 0;
		}
		if (rc == 0)
			rc = soq_option_set(sockets[0], SOL_SOCKET, SO_LINGER, &some, sizeof(some));
		failed += rc != 0;
		for (int i = 0; i < opened; i++)
			expect(soq_close(sockets[i]), 0);
		expect(soq_loop_destroy(loop), 0);
		expect(t->memory.live_bytes, live);
	}
	expect(rc, 0);
	expect_true(failed > 3);
}

/* More sockets than a loop can have made room for before. */
#define MANY 200

/* The connection that finds no memory is reset; the listener goes on. */
static void accept_without_memory_says_so(struct fixture *t)
{
	struct scarce scarce = scarce_of(t);
	struct soq_endpoint ep;
	struct soq_socket *listener, *out[MANY];
	int rc, fds[MANY], taken = 0, refused = 0;
	struct soq_loop *loop = scarce_loop(t, &scarce, INT_MAX, &rc);
	char byte;

	expect(rc, 0);
	expect(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener), 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_bind(listener, &ep), 0);
	expect(soq_listen(listener, 0), 0);
	expect(soq_socket_local(listener, &ep), 0);
	scarce.left = 0;
	while (!refused && taken < MANY - 1) {
		fds[taken] = raw_connect(&ep);
		rc = soq_accept(listener, &out[taken], NULL);
		refused = rc == -ENOMEM;
		expect_true(rc == 0 || refused);
		taken += !refused;
	}
	expect(refused, 1);
	expect(raw_recv(t, fds[taken], &byte, 1), -ECONNRESET);
	close(fds[taken]);
	scarce.left = INT_MAX;
	fds[taken] = raw_connect(&ep);
	expect(soq_accept(listener, &out[taken], NULL), 0);
	taken++;

	for (int i = 0; i < taken; i++) {
		expect(soq_close(out[i]), 0);
		close(fds[i]);
	}
	expect(soq_close(listener), 0);
	expect(soq_loop_run(loop, SOQ_RUN_IDLE, watchdog_ns()), 0);
	expect(soq_loop_destroy(loop), 0);
}

static void multishot_accept_without_memory_ends_and_says_so(struct fixture *t)
{
	struct scarce scarce = scarce_of(t);
	struct soq_endpoint ep;
	struct soq_socket *listener, *out[MANY];
	struct soq_op op = { 0 };
	struct soq_event event = { .flags = SOQ_F_MORE };
	int rc, fds[MANY], arrived = 0;
	struct soq_loop *loop = scarce_loop(t, &scarce, INT_MAX, &rc);

	expect(rc, 0);
	expect(soq_socket_open(loop, AF_INET, SOCK_STREAM, 0, &listener), 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &ep), 0);
	expect(soq_bind(listener, &ep), 0);
	expect(soq_listen(listener, 0), 0);
	expect(soq_socket_local(listener, &ep), 0);
	expect(soq_accept_async(listener, &op, SOQ_MULTISHOT), 0);
	for (int i = 0; i < MANY; i++)
		fds[i] = raw_connect(&ep);
	scarce.left = 0;
	while (event.flags & SOQ_F_MORE) {
		expect(soq_wait(&op, watchdog_ns(), &event), 0);
		if (!event.socket)
			break;
		out[arrived++] = event.socket;
	}
	expect(event.result, -ENOMEM);
	expect(event.flags, 0);
	expect_true(arrived < MANY);
	expect(soq_wait(&op, 0, &event), -ENOENT);

	scarce.left = INT_MAX;
	for (int i = 0; i < arrived; i++)
		expect(soq_abort(out[i]), 0);
	expect(soq_close(listener), 0);
	expect(soq_loop_run(loop, SOQ_RUN_IDLE, watchdog_ns()), 0);
	expect(soq_loop_destroy(loop), 0);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
}

static void poll_of_many_without_memory_is_refused(struct fixture *t)
{
	struct scarce scarce = scarce_of(t);
	int rc;
	struct soq_loop *loop = scarce_loop(t, &scarce, INT_MAX, &rc);
	struct soq_poll_entry entries[3];

	for (unsigned i = 0; i < 3; i++) {
		entries[i] = (struct soq_poll_entry){ .events = SOQ_POLL_SEND };
		expect(soq_socket_open(loop, AF_INET, SOCK_DGRAM, 0, &entries[i].socket), 0);
	}
	scarce.left = 2;
	expect(soq_poll_any(entries, 3, FOREVER), -ENOMEM);
	scarce.left = INT_MAX;
	expect(soq_poll_any(entries, 3, FOREVER), 3);
	for (unsigned i = 0; i < 3; i++)
		expect(soq_close(entries[i].socket), 0);
	expect(soq_loop_close_all(loop), 0);
	expect(soq_loop_destroy(loop), 0);
}

static const struct conf_case cases[] = {
	CASE(accept_recovers_when_descriptors_come_back, "5d"),
	CASE(multishot_accept_recovers_when_descriptors_come_back, "5d"),
	CASE(accept_recovers_at_the_next_close, "5d"),
	SYNC_CASE(sync_accept_without_descriptors_says_so, "5e"),
	CASE(open_without_descriptors_says_so, "1a"),
	CASE(loop_without_descriptors_says_so, "1a"),
	SYNC_CASE(every_descriptor_is_closed_on_exec, "18a"),
	CASE(steady_state_allocates_nothing, "19a"),
	CASE(accepting_in_steady_state_keeps_memory_flat, "19a 19c"),
	CASE(sigpipe_is_never_raised, "18b"),
	CASE(no_thread_is_made, "18c"),
	CASE(ten_thousand_round_trips_allocate_nothing, "19a"),
	CASE(failing_allocations_leave_nothing_behind, "19c"),
	CASE(accept_without_memory_says_so, "1a 19c"),
	CASE(multishot_accept_without_memory_ends_and_says_so, "1b 19c"),
	CASE(poll_of_many_without_memory_is_refused, "19c"),
};

CONF_GROUP(resources, cases)
