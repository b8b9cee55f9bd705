/* SPDX-License-Identifier: MIT */
/* The counters: exact and once, whatever the call was. */
#define _GNU_SOURCE
#include "message_kit.h"
#include "pool_work.h"

#include <pthread.h>

static struct soq_socket_stats of(struct soq_socket *s)
{
	struct soq_socket_stats stats = { .size = sizeof(stats) };

	expect(soq_socket_stats(s, &stats), 0);
	return stats;
}

static int64_t counter(struct fixture *t, enum soq_counter id)
{
	int64_t value = soq_loop_counter(t->loop, id);

	expect_true(value >= 0);
	return value;
}

/* A socket has received and sent this many bytes and messages, ever. */
#define expect_moved(s, bytes_in, messages_in, bytes_out, messages_out)                            \
	do {                                                                                       \
		struct soq_socket_stats moved_ = of(s);                                            \
		expect(moved_.bytes_received, bytes_in);                                           \
		expect(moved_.messages_received, messages_in);                                     \
		expect(moved_.bytes_sent, bytes_out);                                              \
		expect(moved_.messages_sent, messages_out);                                        \
	} while (0)

/* And so has its loop, since `before`; sockets on no loop count for themselves alone. */
static void expect_loop(struct fixture *t, const struct soq_loop_stats *before, uint64_t bytes_in,
			uint64_t messages_in, uint64_t bytes_out, uint64_t messages_out)
{
	struct soq_loop_stats now = stats_of(t);
	uint64_t counts = t->home != NULL;

	expect(now.bytes_received - before->bytes_received, counts * bytes_in);
	expect(now.messages_received - before->messages_received, counts * messages_in);
	expect(now.bytes_sent - before->bytes_sent, counts * bytes_out);
	expect(now.messages_sent - before->messages_sent, counts * messages_out);
}

static void counters_have_the_names_dotnet_publishes(struct fixture *t)
{
	static const char *const names[] = {
		"outgoing-connections-established",
		"incoming-connections-established",
		"current-outgoing-connect-attempts",
		"bytes-received",
		"bytes-sent",
		"datagrams-received",
		"datagrams-sent",
	};

	for (unsigned i = 0; i < COUNT_OF(names); i++)
		assert_string_equal(soq_counter_name((enum soq_counter)i), names[i]);
	for (unsigned i = 0; i < SOQ_COUNTER_COUNT; i++) {
		const char *name = soq_counter_name((enum soq_counter)i);

		assert_non_null(name);
		expect(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		for (unsigned k = 0; k < i; k++)
			expect_true(strcmp(name, soq_counter_name((enum soq_counter)k)) != 0);
		(void)counter(t, (enum soq_counter)i);
	}
	assert_null(soq_counter_name(SOQ_COUNTER_COUNT));
	expect(soq_loop_counter(t->loop, SOQ_COUNTER_COUNT), -EINVAL);
}

static void counters_are_those_of_the_stats(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct soq_loop_stats s;
	char here[8];

	pair_soq(t, AF_INET, &a, &b);
	expect(soq_send(a, "abcde", 5, 0), 5);
	expect(soq_recv(b, here, 3, 0), 3);
	s = stats_of(t);

	expect(counter(t, SOQ_COUNTER_OUTGOING_CONNECTIONS_ESTABLISHED), 1);
	expect(counter(t, SOQ_COUNTER_INCOMING_CONNECTIONS_ESTABLISHED), 1);
	expect(counter(t, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS), 0);
	expect(counter(t, SOQ_COUNTER_BYTES_SENT), 5);
	expect(counter(t, SOQ_COUNTER_BYTES_RECEIVED), 3);
	expect(counter(t, SOQ_COUNTER_DATAGRAMS_SENT), 0);
	expect(counter(t, SOQ_COUNTER_OPS_STARTED), s.ops_started);
	expect(counter(t, SOQ_COUNTER_OPS_FINISHED), s.ops_finished);
	expect(counter(t, SOQ_COUNTER_TURNS), s.turns);
	expect(counter(t, SOQ_COUNTER_REQUESTS), s.requests);
	expect(counter(t, SOQ_COUNTER_CURRENT_SOCKETS), s.sockets);
	expect(counter(t, SOQ_COUNTER_CURRENT_ALLOCATED_BYTES), s.allocated_bytes);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void bytes_of_calls_that_wait_are_counted_once(struct fixture *t)
{
	struct soq_loop_stats before;
	struct soq_socket *s;
	struct iovec parts[2];
	char bytes[10];
	int fd;

	s = pair_raw(t, AF_INET, &fd);
	before = stats_of(t);
	parts[0] = (struct iovec){ bytes, 4 };
	parts[1] = (struct iovec){ bytes + 4, 6 };
	memset(bytes, 'x', sizeof(bytes));
	expect(soq_send(s, bytes, 10, 0), 10);
	expect(soq_send(s, bytes, 0, 0), 0);
	expect(soq_sendv(s, parts, 2, 0), 10);
	raw_send(fd, bytes, 10);
	raw_send(fd, bytes, 10);
	expect(soq_recv(s, bytes, 7, SOQ_EXACT), 7);
	expect(soq_recv(s, bytes, 1, SOQ_PEEK), 1);
	expect(soq_recvv(s, parts, 1, 0), 4);
	expect(soq_recv(s, bytes, 9, SOQ_EXACT), 9);
	/* What moves nothing counts nothing. */
	expect(soq_socket_set_timeouts(s, 0, FOREVER), 0);
	expect(soq_recv(s, bytes, 1, 0), -ETIMEDOUT);
	raw_fin(fd);
	expect(soq_socket_set_timeouts(s, FOREVER, FOREVER), 0);
	expect(soq_recv(s, bytes, 1, 0), 0);

	expect_moved(s, 20, 0, 20, 0);
	expect_loop(t, &before, 20, 0, 20, 0);
	expect(soq_close(s), 0);
	close(fd);
}

static void bytes_of_ops_are_counted_once(struct fixture *t)
{
	static const uint32_t modes[] = { 0, SOQ_CORK, SOQ_LAZY, SOQ_ZEROCOPY };
	struct probe *sends[12], *peek = probe(t), *recv = probe(t), *more = probe(t);
	struct soq_socket *a, *b;
	struct soq_loop_stats before;
	char from[12][100], looked[50], to[12][100], last;

	pair_soq(t, AF_INET, &a, &b);
	before = stats_of(t);
	memset(from, 'x', sizeof(from));
	/* Some of one turn are gathered, and each kind is among them. */
	for (unsigned i = 0; i < 12; i++) {
		sends[i] = probe(t);
		started(sends[i], soq_send_async(a, &sends[i]->op, from[i], 100, modes[i / 2 % 4]));
	}
	started(peek, soq_recv_async(b, &peek->op, looked, sizeof(looked), SOQ_PEEK));
	started(recv, soq_recv_async(b, &recv->op, to, sizeof(to), SOQ_EXACT));
	started(more, soq_recv_async(b, &more->op, &last, 1, 0));
	await(t, recv);
	for (unsigned i = 0; i < 12; i++)
		await(t, sends[i]);
	expect(soq_cancel(&more->op), 0);
	await(t, more);

	expect_moved(a, 0, 0, 1200, 0);
	expect_moved(b, 1200, 0, 0, 0);
	expect_loop(t, &before, 1200, 0, 1200, 0);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

/* What a short result tells has moved; what was refused or cut has not. */
static void bytes_of_a_short_send_are_those_it_tells(struct fixture *t)
{
	char *bytes = calloc(1, BIG_BYTES);
	struct probe *p = probe(t), *behind = probe(t);
	struct soq_socket *s;
	int fd;

	s = pair_narrow(t, AF_INET, &fd);
	started(p, soq_send_async(s, &p->op, bytes, BIG_BYTES, 0));
	started(behind, soq_send_async(s, &behind->op, bytes, 1, 0));
	settle(t);
	expect(soq_cancel(&p->op), 0);
	await(t, p);
	await(t, behind);

	expect_true(p->result > 0 && p->result < (int64_t)BIG_BYTES);
	expect_end(behind, -ECANCELED, 0);
	expect_moved(s, 0, 0, (uint64_t)p->result, 0);
	expect(soq_abort(s), 0);
	close(fd);
	free(bytes);
}

static void bufs_are_counted_when_they_are_filled(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 4096, 8);
	struct keeper k = { .count = 0 };
	struct probe *p = keeper_probe(t, &k);
	struct soq_socket *a, *b;

	pair_soq(t, AF_INET, &a, &b);
	started(p, soq_recv_buf_async(b, &p->op, pool, SOQ_MULTISHOT));
	for (unsigned i = 1; i <= 3; i++) {
		expect(soq_send(a, "abcdefg", 7, 0), 7);
		run_until(t, of(b).bytes_received == 7 * i);
	}
	expect(soq_close(a), 0);
	await(t, p);

	expect_moved(b, 21, 0, 0, 0);
	expect(counter(t, SOQ_COUNTER_BYTES_RECEIVED), 21);
	keeper_return_rest(&k);
	expect(soq_close(b), 0);
	pool_close(pool);
}

static void datagrams_into_bufs_are_counted(struct fixture *t)
{
	struct soq_pool *pool = pool_of(t, 8, 4096, 8);
	struct datagrams d = datagrams_connected(t, AF_INET);

	for (unsigned i = 0; i < 2; i++) {
		struct keeper k = { .count = 0 };
		struct probe *p = keeper_probe(t, &k);

		started(p, soq_recv_buf_async(d.b, &p->op, pool, i ? SOQ_MULTISHOT : 0));
		expect(soq_send(d.a, "abc", i ? 3 : 0, 0), i ? 3 : 0);
		run_until(t, k.count == 1);
		(void)soq_cancel(&p->op);
		await(t, p);
		keeper_return_rest(&k);
	}
	expect_moved(d.b, 3, 2, 0, 0);
	expect_moved(d.a, 0, 0, 3, 2);
	datagrams_close(&d);
	pool_close(pool);
}

/* Empty ones too, and those whose room was too small; a failure is none. */
static void datagrams_are_counted_by_the_message(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct soq_loop_stats before = stats_of(t);
	struct iovec part = { out, 20 };
	struct soq_message m = message_of(&part, 1);
	struct soq_endpoint from;
	uint64_t bytes = 0, count = 0;

	fill(out, 40, 1, 0);
	m.peer = d.at_b;
	for (unsigned way = 0; way < ways(t); way++) {
		part.iov_len = 20;
		expect(send_way(t, way, d.a, &m), 20);
		part.iov_len = 0;
		expect(send_way(t, way, d.a, &m), 0);
		expect(soq_send_to(d.a, out, 40, 0, &d.at_b), 40);
		expect(soq_recv(d.b, in, 64, SOQ_PEEK), 20);
		expect(soq_recv(d.b, in, 64, 0), 20);
		expect(soq_recv_from(d.b, in, 64, 0, &from), 0);
		expect(soq_recv(d.b, in, 30, 0), -EMSGSIZE);
		bytes += 60;
		count += 3;
	}
	expect(soq_send_to(d.a, out, 70000, 0, &d.at_b), -EMSGSIZE);

	expect_moved(d.a, 0, 0, bytes, count);
	expect_moved(d.b, bytes - 10 * ways(t), count, 0, 0);
	expect_loop(t, &before, bytes - 10 * ways(t), count, bytes, count);
	datagrams_close(&d);
}

static void datagrams_in_a_line_are_counted_each(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct probe *p[8];

	for (unsigned i = 0; i < 8; i++) {
		p[i] = probe(t);
		started(p[i], soq_send_to_async(d.a, &p[i]->op, out + 10 * i, i, 0, &d.at_b));
	}
	for (unsigned i = 0; i < 8; i++)
		await(t, p[i]);
	expect_moved(d.a, 0, 0, 28, 8);
	datagrams_close(&d);
}

static void messages_of_a_batch_are_counted_each(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	struct soq_loop_stats before = stats_of(t);
	struct soq_message messages[70];
	struct iovec parts[70];

	for (unsigned way = 0; way < ways(t); way++) {
		struct probe *p = probe_quiet(t);

		for (unsigned i = 0; i < 70; i++) {
			parts[i] = (struct iovec){ out + 100 * i, i };
			messages[i] = message_of(&parts[i], 1);
			messages[i].peer = d.at_b;
		}
		if (way == 0)
			expect(soq_send_batch(d.a, messages, 70, 0), 70);
		else
			started(p, soq_send_batch_async(d.a, &p->op, messages, 70, 0));
		if (way == 1)
			expect(wait_end(p), 70);
		for (unsigned i = 0; i < 70; i++)
			parts[i].iov_base = in, parts[i].iov_len = 64;
		for (int64_t got = 0; got < 70;)
			got += soq_recv_batch(d.b, messages + got, 70 - (unsigned)got, 0);
	}
	/* 0 + 1 + ... + 69, of which 65 to 69 are cut to 64. */
	expect_moved(d.a, 0, 0, ways(t) * 2415, ways(t) * 70);
	expect_moved(d.b, ways(t) * 2400, ways(t) * 70, 0, 0);
	expect_loop(t, &before, ways(t) * 2400, ways(t) * 70, ways(t) * 2415, ways(t) * 70);
	datagrams_close(&d);
}

/* What is cut into datagrams is the one message that was sent. */
static void a_message_with_segments_is_one(struct fixture *t)
{
	struct datagrams d = pair_mode(t, V4);
	struct iovec part = { out, 1000 };

	fill(out, 1000, 1, 0);
	for (unsigned way = 0; way < ways(t); way++) {
		struct soq_message m = message_of(&part, 1);

		m.peer = d.at_b;
		m.info = SOQ_INFO_SEGMENTS;
		m.segment_size_bytes = 300;
		expect(send_way(t, way, d.a, &m), 1000);
		expect_pieces(&d, 1000, 300);
	}
	expect_moved(d.a, 0, 0, ways(t) * 1000, ways(t));
	expect_moved(d.b, ways(t) * 1000, ways(t) * 4, 0, 0);
	datagrams_close(&d);
}

static void packets_are_messages_and_their_end_is_none(struct fixture *t)
{
	struct soq_socket *a, *b;

	pair_unix(t, SOCK_SEQPACKET, &a, &b);
	expect(soq_send(a, "abc", 3, 0), 3);
	expect(soq_recv(b, in, 64, 0), 3);
	expect_moved(a, 0, 0, 3, 1);
	expect(soq_close(a), 0);
	expect(soq_recv(b, in, 64, 0), 0);
	expect_moved(b, 3, 1, 0, 0);
	expect(soq_close(b), 0);
}

/* Woken by a shutdown, it has received nothing; a stream's end is no message either. */
static void a_datagram_socket_that_is_shut_counts_none(struct fixture *t)
{
	struct datagrams d = datagrams_connected(t, AF_INET);

	expect(soq_shutdown(d.b, SOQ_SHUTDOWN_RECV), 0);
	expect(soq_recv(d.b, in, 64, 0), 0);
	expect_moved(d.b, 0, 0, 0, 0);
	datagrams_close(&d);
}

static void connects_and_accepts_are_counted_when_they_end(struct fixture *t)
{
	struct soq_endpoint ep, bad;
	struct soq_socket *listener = soq_listener(t, AF_INET, &ep);
	struct soq_socket *s = open_socket(t, AF_INET), *in_s = NULL;
	struct soq_loop_stats now;
	int holder;

	refused_endpoint(AF_INET, &bad, &holder);
	expect(soq_connect(s, &bad), -ECONNREFUSED);
	expect(soq_connect(s, &ep), 0);
	expect(soq_connect(s, &ep), -EISCONN);
	expect(soq_accept(listener, &in_s, NULL), 0);
	expect(soq_socket_set_timeouts(listener, 0, 0), 0);
	expect(soq_accept(listener, &in_s, NULL), -ETIMEDOUT);

	now = stats_of(t);
	expect(now.connects, t->home != NULL);
	expect(now.connects_failed, t->home != NULL);
	expect(now.connects_in_flight, 0);
	expect(now.accepts, t->home != NULL);
	expect(now.accepts_failed, t->home != NULL);
	expect(of(listener).accepts, 1);
	expect(of(listener).messages_received, 0);
	expect_moved(in_s, 0, 0, 0, 0);
	expect(soq_close(s), 0);
	expect(soq_close(in_s), 0);
	expect(soq_close(listener), 0);
	close(holder);
}

static void a_list_is_a_connect_for_each_attempt(struct fixture *t)
{
	struct soq_endpoint eps[3];
	int holders[2], listener = raw_listener(AF_INET, 1, 0, &eps[2]);
	struct soq_connect_list list = { .size = sizeof(list),
					 .type = SOCK_STREAM,
					 .endpoint_count = 3,
					 .endpoints = eps };
	struct soq_socket *s = NULL;

	refused_endpoint(AF_INET, &eps[0], &holders[0]);
	refused_endpoint(AF_INET, &eps[1], &holders[1]);
	expect(soq_connect_list(t->loop, &list, FOREVER, &s), 0);
	expect(counter(t, SOQ_COUNTER_OUTGOING_CONNECTIONS_ESTABLISHED), 1);
	expect(counter(t, SOQ_COUNTER_OUTGOING_CONNECTIONS_FAILED), 2);
	expect(counter(t, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS), 0);
	expect(soq_close(s), 0);
	for (int i = 0; i < 2; i++)
		close(holders[i]);
	close(listener);
}

static void a_connect_that_is_closed_away_is_no_attempt_any_more(struct fixture *t)
{
	struct full_listener full;

	full_listener_open(AF_INET, &full);
	for (unsigned sent = 0; sent < 2; sent++) {
		struct soq_socket *s = open_socket(t, AF_INET);
		struct probe *p = probe(t);

		started(p, soq_connect_async(s, &p->op, &full.ep));
		expect(counter(t, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS), 1);
		if (sent)
			settle(t);
		expect(soq_close(s), 0);
		await(t, p);
		expect_end(p, -ECANCELED, 0);
		expect(counter(t, SOQ_COUNTER_CURRENT_OUTGOING_CONNECT_ATTEMPTS), 0);
		expect(counter(t, SOQ_COUNTER_OUTGOING_CONNECTIONS_FAILED), sent + 1);
	}
	full_listener_close(&full);
}

static void a_connection_that_breaks_is_counted_once(struct fixture *t)
{
	struct probe *p = probe(t);
	char byte;
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);

	started(p, soq_recv_async(s, &p->op, &byte, 1, 0));
	settle(t);
	raw_reset(fd);
	await(t, p);
	expect_end(p, -ECONNRESET, 0);
	expect(soq_recv(s, &byte, 1, 0), -ECONNRESET);
	expect(soq_send(s, &byte, 1, 0), -ECONNRESET);
	expect(counter(t, SOQ_COUNTER_CONNECTIONS_BROKEN), 1);
	expect(soq_close(s), 0);
}

static void a_socket_keeps_its_counters_wherever_it_goes(struct fixture *t)
{
	struct soq_socket *a, *b;
	char byte = 'x';

	pair_soq(t, AF_INET, &a, &b);
	expect(soq_send(a, &byte, 1, 0), 1);
	expect(soq_socket_detach(a, &a), 0);
	expect(soq_send(a, &byte, 1, 0), 1);
	expect_moved(a, 0, 0, 2, 0);
	expect(soq_socket_attach(t->loop, a, &a), 0);
	expect(soq_send(a, &byte, 1, 0), 1);
	expect_moved(a, 0, 0, 3, 0);
	expect(counter(t, SOQ_COUNTER_BYTES_SENT), 2);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	/* Memory that is used again begins anew. */
	a = open_socket(t, AF_INET);
	expect_moved(a, 0, 0, 0, 0);
	expect(soq_close(a), 0);
}

enum { ROUNDS = 500 };

static void *send_many(void *arg)
{
	struct soq_endpoint ep = { .size_bytes = 0 };
	struct datagrams *d = arg;

	ep = d->at_b;
	for (unsigned i = 0; i < ROUNDS; i++)
		if (soq_send_to(d->a, "abc", 3, 0, &ep) != 3)
			return d;
	return NULL;
}

static void threads_of_a_detached_socket_lose_no_count(struct fixture *t)
{
	struct datagrams d = datagrams_bound(t, AF_INET);
	pthread_t threads[4];

	/* Those of a loop are its thread's alone. */
	for (unsigned i = 0; t->home == NULL && i < 4; i++)
		expect(pthread_create(&threads[i], NULL, send_many, &d), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *wrong = NULL;

		if (t->home == NULL)
			expect(pthread_join(threads[i], &wrong), 0);
		else
			wrong = send_many(&d);
		assert_null(wrong);
	}
	expect_moved(d.a, 0, 0, 12 * ROUNDS, 4 * ROUNDS);
	datagrams_close(&d);
}

static const struct conf_case cases[] = {
	CASE(counters_have_the_names_dotnet_publishes, ""),
	CASE(counters_are_those_of_the_stats, ""),
	SYNC_CASE(bytes_of_calls_that_wait_are_counted_once, "21a"),
	CASE(bytes_of_ops_are_counted_once, "21a"),
	CASE(bytes_of_a_short_send_are_those_it_tells, "21a"),
	CASE(bufs_are_counted_when_they_are_filled, "21a"),
	CASE(datagrams_into_bufs_are_counted, "21a"),
	SYNC_CASE(datagrams_are_counted_by_the_message, "21a"),
	CASE(datagrams_in_a_line_are_counted_each, "21a"),
	SYNC_CASE(messages_of_a_batch_are_counted_each, "21a"),
	SYNC_CASE(a_message_with_segments_is_one, "21a"),
	SYNC_CASE(packets_are_messages_and_their_end_is_none, "21a"),
	SYNC_CASE(a_datagram_socket_that_is_shut_counts_none, ""),
	SYNC_CASE(connects_and_accepts_are_counted_when_they_end, "21a"),
	CASE(a_list_is_a_connect_for_each_attempt, ""),
	CASE(a_connect_that_is_closed_away_is_no_attempt_any_more, ""),
	CASE(a_connection_that_breaks_is_counted_once, ""),
	CASE(a_socket_keeps_its_counters_wherever_it_goes, ""),
	SYNC_CASE(threads_of_a_detached_socket_lose_no_count, ""),
};

CONF_GROUP(telemetry, cases)
