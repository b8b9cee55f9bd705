/* SPDX-License-Identifier: MIT */
/* What bad input is tried on and with, and what may not have changed by it. */
#define _GNU_SOURCE
#include "badinput.h"

#include <sys/mman.h>

struct bench bench;
struct tried tried;

char some[64];
const struct iovec segments[2] = { { some, 8 }, { some + 8, 8 } };
struct soq_part parts[2] = { { .data = some, .size_bytes = 8 }, { 0 } };
const struct soq_listener_options door_options = { .size = sizeof(door_options) };
const struct soq_udp_options udp_options = { .size = sizeof(udp_options) };

const struct soq_endpoint none;
const struct soq_endpoint of_another_family = {
	.size_bytes = sizeof(struct sockaddr_in6),
	.addr.ipv6 = { .sin6_family = AF_INET6 },
};

struct soq_loop *loop_out;
struct soq_socket *socket_out;
struct soq_pool *pool_out;
struct soq_event an_event;
struct soq_endpoint ep_out;
struct soq_listener *door_out;
struct soq_connection place_out;
struct soq_pool_info pool_info_out = { .size = sizeof(pool_info_out) };
struct soq_tcp_info tcp_info_out = { .size = sizeof(tcp_info_out) };
uint64_t available_out;
int64_t value64;

struct soq_message *message_of(const struct iovec *array, uint32_t count)
{
	static struct soq_message message;

	message = (struct soq_message){ .size = sizeof(message),
					.segments = array,
					.segment_count = count };
	return &message;
}

struct soq_part *part_of(uint32_t kind, uint64_t size_bytes)
{
	static struct soq_part part;

	part = (struct soq_part){ .kind = kind, .size_bytes = size_bytes };
	return &part;
}

struct soq_poll_entry *entry_of(struct soq_socket *s, uint32_t events)
{
	static struct soq_poll_entry entry;

	entry = (struct soq_poll_entry){ .socket = s, .events = events };
	return &entry;
}

struct soq_resolve *question_of(const char *host)
{
	static struct soq_resolve question;

	question = (struct soq_resolve){ .size = sizeof(question),
					 .host = host,
					 .host_bytes = host != NULL ? strlen(host) : 4,
					 .endpoints = &ep_out,
					 .endpoint_max = 1 };
	return &question;
}

struct soq_connect_name *name_of(const char *host, uint32_t port)
{
	static struct soq_connect_name name;

	name = (struct soq_connect_name){ .size = sizeof(name),
					  .host = host,
					  .host_bytes = host != NULL ? strlen(host) : 4,
					  .port = port };
	return &name;
}

struct soq_connect_list *list_of(const struct soq_endpoint *endpoints, uint32_t count)
{
	static struct soq_connect_list list;

	list = (struct soq_connect_list){ .size = sizeof(list),
					  .type = SOCK_STREAM,
					  .endpoints = endpoints,
					  .endpoint_count = count };
	return &list;
}

void try_mark(const char *call)
{
	size_t length = strcspn(call, "(");

	expect_true(tried.count < COUNT_OF(tried.names) && length < sizeof(tried.names[0]));
	for (unsigned i = 0; i < tried.count; i++)
		if (strlen(tried.names[i]) == length && !memcmp(tried.names[i], call, length))
			return;
	memcpy(tried.names[tried.count++], call, length);
}

void check_row(struct fixture *t, const char *call, int64_t got, int64_t want)
{
	struct soq_loop_stats now = stats_of(t);

	try_mark(call);
	expect_at(got, want, call, __FILE__, __LINE__);
	expect_at((int64_t)now.ops_started, (int64_t)bench.before.ops_started, call, __FILE__,
		  __LINE__);
	expect(now.ops_in_flight, bench.before.ops_in_flight);
	expect(now.events_waiting, bench.before.events_waiting);
	expect(now.sockets, bench.before.sockets);
	expect(now.allocated_bytes, bench.before.allocated_bytes);
	assert_null(socket_out);
	assert_null(loop_out);
	assert_null(pool_out);
	expect(pool_info(bench.pool).bufs_lent, 1);
}

/* A buf is on loan all the time. */
static void bench_lend(struct fixture *t)
{
	struct probe *p = probe(t);

	bench.pool = pool_open(t, 0);
	expect(soq_send(bench.peer, "x", 1, 0), 1);
	started(p, soq_recv_buf_async(bench.s, &p->op, bench.pool, 0));
	await(t, p);
	bench.buf = p->buf;
}

/* A listener's connection. */
static void bench_visit(struct fixture *t)
{
	struct soq_listener_options options = { .size = sizeof(options), .local = &bench.ep };
	struct soq_socket *visitor = open_socket(t, AF_INET);

	expect(soq_endpoint_loopback(AF_INET, 0, &bench.ep), 0);
	expect(soq_listener_open(t->loop, &options, &bench.door), 0);
	expect(soq_listener_start(bench.door), 0);
	expect(soq_socket_local(soq_listener_socket(bench.door), &bench.ep), 0);
	expect(soq_connect(visitor, &bench.ep), 0);
	expect(soq_listener_accept(bench.door, &bench.place, watchdog_ns(), &bench.guest), 0);
	expect(soq_close(visitor), 0);
}

void bench_open(struct fixture *t)
{
	socket_out = NULL;
	loop_out = NULL;
	pool_out = NULL;
	tried = (struct tried){ 0 };
	bench = (struct bench){ .loop = t->loop };
	pair_soq(t, AF_INET, &bench.s, &bench.peer);
	expect(soq_stream_open(bench.s, NULL, &bench.stream), 0);
	bench_lend(t);
	bench_visit(t);
	bench.fresh = open_socket(t, AF_INET);
	bench.listener = soq_listener(t, AF_INET, &bench.ep);
	bench.closed = open_socket(t, AF_INET);
	expect(soq_close(bench.closed), 0);
	expect(soq_socket_open(NULL, AF_INET, SOCK_STREAM, 0, &bench.detached), 0);
	expect(soq_socket_open(t->loop, AF_INET, SOCK_DGRAM, 0, &bench.datagram), 0);
	expect(soq_endpoint_loopback(AF_INET, 0, &bench.datagram_ep), 0);
	expect(soq_bind(bench.datagram, &bench.datagram_ep), 0);
	expect(soq_socket_local(bench.datagram, &bench.datagram_ep), 0);
	bench.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect_true(bench.fd >= 0);
	bench.file = memfd_create("soq", MFD_CLOEXEC);
	expect(write(bench.file, some, 8), 8);
	bench.receive = probe(t);
	bench.sleep = probe_quiet(t);
	bench.idle = &probe(t)->op;
	bench.busy = &bench.receive->op;
	bench.quiet = &bench.sleep->op;
	bench.fake = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(bench.fake != MAP_FAILED);
	started(bench.receive, soq_recv_async(bench.s, bench.busy, bench.in, 4, SOQ_EXACT));
	started(bench.sleep, soq_sleep_async(t->loop, bench.quiet, HOUR));
	settle(t);
	bench.before = stats_of(t);
}

void bench_close(struct fixture *t)
{
	char in[4];

	expect(soq_send(bench.peer, "1234", 4, 0), 4);
	await(t, bench.receive);
	expect_end(bench.receive, 4, 0);
	assert_memory_equal(bench.in, "1234", 4);
	expect(soq_send(bench.s, "5678", 4, 0), 4);
	expect(soq_recv(bench.peer, in, 4, SOQ_EXACT), 4);
	assert_memory_equal(in, "5678", 4);
	expect(soq_cancel(bench.quiet), 0);
	expect(wait_end(bench.sleep), -ECANCELED);
	expect(bench.buf->size_bytes, 1);
	expect(soq_buf_return(bench.buf), 0);
	expect(soq_stream_close(bench.stream), 0);
	expect(soq_connection_end(&bench.place), 0);
	expect(soq_close(bench.guest), 0);
	expect(soq_listener_close(bench.door), 0);
	expect(soq_close(bench.s), 0);
	expect(soq_close(bench.peer), 0);
	pool_close(bench.pool);
	expect(soq_close(bench.fresh), 0);
	expect(soq_close(bench.listener), 0);
	expect(soq_close(bench.detached), 0);
	expect(soq_close(bench.datagram), 0);
	close(bench.fd);
	close(bench.file);
	munmap(bench.fake, 4096);
}
