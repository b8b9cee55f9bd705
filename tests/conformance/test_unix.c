/* SPDX-License-Identifier: MIT */
/* Unix sockets with connections: names, bytes, messages, and how they end. */
#define _GNU_SOURCE
#include "support.h"

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };

/* Connects to a listener at `ep`, pings both ways and closes everything. */
static void ping_over(struct fixture *t, int type, struct soq_endpoint *ep)
{
	struct soq_socket *listener = unix_listener(t, type, ep);
	struct soq_socket *a = open_socket_of(t, AF_UNIX, type), *b;
	struct probe *accepted = probe(t), *connected = probe(t);
	struct soq_endpoint peer;
	char in[4];

	started(accepted, soq_accept_async(listener, &accepted->op, 0));
	started(connected, soq_connect_async(a, &connected->op, ep));
	run_until(t, finished(accepted) && finished(connected));
	expect_end(accepted, 0, 0);
	expect_end(connected, 0, 0);
	b = accepted->socket;
	for (unsigned i = 0; i < 10; i++) {
		expect(soq_send(a, &i, 1, 0), 1);
		expect(soq_recv(b, in, 4, 0), 1);
		expect(in[0], i);
		expect(soq_send(b, in, 1, 0), 1);
		expect(soq_recv(a, in, 4, 0), 1);
		expect(in[0], i);
	}
	expect(soq_socket_peer(a, &peer), 0);
	expect(soq_endpoint_equal(&peer, ep), 1);
	expect(soq_close(a), 0);
	expect(soq_recv(b, in, 4, 0), 0);
	expect(soq_close(b), 0);
	expect(soq_close(listener), 0);
}

static void unix_sockets_meet_at_paths_and_abstract_names(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct unix_folder folder;
		struct soq_endpoint path, abstract = { 0 };

		unix_folder_open(&folder);
		unix_file(&folder, "listener", &path);
		ping_over(t, types[i], &path);
		ping_over(t, types[i], &abstract);
		unix_folder_close(&folder);
	}
}

static void abstract_name_may_hold_zero_bytes(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct soq_endpoint ep, other;
		struct soq_socket *s = open_socket_of(t, AF_UNIX, types[i]);

		unix_abstract(&ep);
		memcpy((char *)&ep.addr.storage + ep.size_bytes, "\0a\0", 3);
		ep.size_bytes += 3;
		other = ep;
		other.size_bytes--;
		expect(soq_bind(s, &other), 0);
		ping_over(t, types[i], &ep);
		expect(soq_close(s), 0);
	}
}

static void server_sees_the_name_of_a_bound_client(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct unix_folder folder;
		struct soq_endpoint ep, own = { 0 }, peer, from = { 0 };
		struct soq_socket *listener, *a = open_socket_of(t, AF_UNIX, types[i]), *b;
		char in[4];

		unix_folder_open(&folder);
		unix_file(&folder, "client", &ep);
		listener = unix_listener(t, types[i], &own);
		expect(soq_bind(a, &ep), 0);
		expect(soq_connect(a, &own), 0);
		expect(soq_accept(listener, &b, &peer), 0);
		expect(soq_endpoint_equal(&peer, &ep), 1);
		expect(soq_socket_peer(b, &peer), 0);
		expect(soq_endpoint_equal(&peer, &ep), 1);
		expect(soq_send(a, "x", 1, 0), 1);
		expect(soq_recv_from(b, in, 4, 0, &from), 1);
		/* Messages tell their sender, bytes do not. */
		expect(from.size_bytes, types[i] == SOCK_STREAM ? 0 : ep.size_bytes);
		expect(soq_close(a), 0);
		expect(soq_close(b), 0);
		expect(soq_close(listener), 0);
		settle(t);
		unix_folder_close(&folder);
	}
}

static void unnamed_client_has_an_address_without_a_name(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct soq_endpoint own = { 0 }, peer, local;
		struct soq_socket *listener = unix_listener(t, types[i], &own);
		struct soq_socket *a = open_socket_of(t, AF_UNIX, types[i]), *b;

		expect(soq_connect(a, &own), 0);
		expect(soq_accept(listener, &b, &peer), 0);
		expect(peer.size_bytes, sizeof(sa_family_t));
		expect(peer.addr.any.sa_family, AF_UNIX);
		expect(soq_socket_local(a, &local), 0);
		expect(local.size_bytes, sizeof(sa_family_t));
		expect(soq_close(a), 0);
		expect(soq_close(b), 0);
		expect(soq_close(listener), 0);
	}
}

static void stream_carries_megabytes_unharmed(struct fixture *t)
{
	enum { BYTES = 5 << 20, SENDS = 80, PIECE = BYTES / SENDS, RECEIVES = 20 };
	struct soq_socket *a, *b;
	struct probe *sent[SENDS], *received[RECEIVES];
	char *out = malloc(BYTES), *in = calloc(1, BYTES);

	pair_unix(t, SOCK_STREAM, &a, &b);
	fill(out, BYTES, 1, 0);
	for (unsigned i = 0; i < SENDS; i++) {
		sent[i] = probe(t);
		started(sent[i], soq_send_async(a, &sent[i]->op, out + i * PIECE, PIECE, 0));
	}
	for (unsigned i = 0; i < RECEIVES; i++) {
		received[i] = probe(t);
		started(received[i],
			soq_recv_async(b, &received[i]->op, in + i * (BYTES / RECEIVES),
				       BYTES / RECEIVES, SOQ_EXACT));
	}
	run_until(t, finished(sent[SENDS - 1]) && finished(received[RECEIVES - 1]));

	for (unsigned i = 0; i < SENDS; i++)
		expect_end(sent[i], PIECE, 0);
	for (unsigned i = 0; i < RECEIVES; i++)
		expect_end(received[i], BYTES / RECEIVES, 0);
	expect_true(is_filled(in, BYTES, 1, 0));
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
	free(out);
	free(in);
}

static void packets_keep_their_bounds(struct fixture *t)
{
	enum { PACKETS = 40 };
	struct soq_socket *a, *b;
	struct probe *sent[PACKETS], *received[PACKETS];
	char out[PACKETS][PACKETS], in[PACKETS][64];

	pair_unix(t, SOCK_SEQPACKET, &a, &b);
	for (unsigned i = 0; i < PACKETS; i++) {
		fill(out[i], i + 1, 1, 0);
		sent[i] = probe(t);
		received[i] = probe(t);
		started(sent[i], soq_send_async(a, &sent[i]->op, out[i], i + 1, 0));
		started(received[i], soq_recv_async(b, &received[i]->op, in[i], 64, 0));
	}
	run_until(t, finished(sent[PACKETS - 1]) && finished(received[PACKETS - 1]));

	for (unsigned i = 0; i < PACKETS; i++) {
		expect_end(sent[i], i + 1, 0);
		expect_end(received[i], i + 1, 0);
		expect_true(is_filled(in[i], i + 1, 1, 0));
		expect_true(i == 0 || received[i]->sequence > received[i - 1]->sequence);
	}
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void packet_of_no_bytes_is_refused(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct iovec none = { NULL, 0 };
	struct soq_message message = { .size = sizeof(message),
				       .segments = &none,
				       .segment_count = 1 };
	struct probe *p = probe(t);
	char in[4];

	pair_unix(t, SOCK_SEQPACKET, &a, &b);
	expect(soq_send(a, "", 0, 0), -EINVAL);
	expect(soq_send_async(a, &p->op, NULL, 0, 0), -EINVAL);
	expect(soq_sendv(a, &none, 1, 0), -EINVAL);
	expect(soq_send_msg_async(a, &p->op, &message, 0), -EINVAL);
	expect(soq_recv_async(b, &p->op, in, 4, SOQ_EXACT), -EINVAL);
	expect(soq_recv(b, in, 4, SOQ_EXACT), -EINVAL);
	expect(soq_send(a, "x", 1, SOQ_CORK), -EINVAL);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void zero_is_the_end_of_packets(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *p[3] = { probe(t), probe(t), probe(t) };
	char in[3][8];

	pair_unix(t, SOCK_SEQPACKET, &a, &b);
	for (unsigned i = 0; i < 3; i++)
		started(p[i], soq_recv_async(b, &p[i]->op, in[i], 8, 0));
	expect(soq_send(a, "last", 4, 0), 4);
	expect(soq_shutdown(a, SOQ_SHUTDOWN_SEND), 0);
	await(t, p[2]);
	expect_end(p[0], 4, 0);
	expect_end(p[1], 0, 0);
	expect_end(p[2], 0, 0);

	expect(soq_send(b, "back", 4, 0), 4);
	expect(soq_recv(a, in[0], 8, 0), 4);
	expect(soq_close(b), 0);
	expect(soq_recv(a, in[0], 8, 0), 0);
	expect(soq_close(a), 0);
}

static void packet_that_is_cut_says_so(struct fixture *t)
{
	struct soq_socket *a, *b;
	struct probe *p = probe(t);
	char in[8] = "";

	pair_unix(t, SOCK_SEQPACKET, &a, &b);
	for (unsigned i = 0; i < 3; i++)
		expect(soq_send(a, "longmsg", 7, 0), 7);
	started(p, soq_recv_async(b, &p->op, in, 4, 0));
	await(t, p);
	expect_end(p, 4, SOQ_F_TRUNCATED);
	expect(soq_recv(b, in, 4, 0), -EMSGSIZE);
	assert_memory_equal(in, "long\0", 5);
	expect(soq_recv(b, in, 7, 0), 7);
	expect(soq_close(a), 0);
	expect(soq_close(b), 0);
}

static void finish_reads_to_the_end_of_the_peer(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		struct soq_socket *a, *b;
		struct probe *ended = probe(t), *sent = probe(t);
		char in[8];

		pair_unix(t, types[i], &a, &b);
		started(sent, soq_send_async(a, &sent->op, "bye", 3, 0));
		started(ended, soq_finish_async(a, &ended->op, FOREVER));
		expect(soq_recv(b, in, 8, 0), 3);
		expect(soq_recv(b, in, 8, 0), 0);
		expect(soq_send(b, "unread", 6, 0), 6);
		settle(t);
		expect(ended->events, 0);
		expect(soq_close(b), 0);
		await(t, ended);
		expect_end(sent, 3, 0);
		expect_end(ended, 0, 0);
	}
}

static void close_ends_what_is_pending(struct fixture *t)
{
	for (unsigned i = 0; i < COUNT_OF(types) * 2; i++) {
		struct soq_socket *a, *b;
		struct probe *p[3] = { probe(t), probe(t), probe(t) }, *late = probe(t);
		char in[3][8];

		pair_unix(t, types[i / 2], &a, &b);
		late->op.deadline_ns = now_ns() + 5 * MS;
		started(late, soq_recv_async(a, &late->op, in[0], 8, 0));
		await(t, late);
		expect_end(late, -ETIMEDOUT, 0);
		for (unsigned k = 0; k < 3; k++)
			started(p[k], soq_recv_async(a, &p[k]->op, in[k], 8, 0));
		if (i % 2)
			settle(t);
		expect(soq_close(a), 0);
		await(t, p[2]);
		for (unsigned k = 0; k < 3; k++)
			expect_end(p[k], -ECANCELED, 0);
		expect(soq_recv(b, in[0], 8, 0), 0);
		expect(soq_close(b), 0);
	}
}

static const struct conf_case cases[] = {
	CASE(unix_sockets_meet_at_paths_and_abstract_names, "1b 20a B059"),
	CASE(abstract_name_may_hold_zero_bytes, "5a"),
	CASE(server_sees_the_name_of_a_bound_client, "5a B067"),
	CASE(unnamed_client_has_an_address_without_a_name, "5a"),
	CASE(stream_carries_megabytes_unharmed, "9a 9b 7c"),
	CASE(packets_keep_their_bounds, "9a 9b"),
	CASE(packet_of_no_bytes_is_refused, "8d 1a"),
	CASE(zero_is_the_end_of_packets, "8d 5b"),
	CASE(packet_that_is_cut_says_so, "8f"),
	CASE(finish_reads_to_the_end_of_the_peer, "13f"),
	CASE(close_ends_what_is_pending, "13a 6a 6b"),
};

CONF_GROUP(unix, cases)
