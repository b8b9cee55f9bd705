/* SPDX-License-Identifier: MIT */
/*
 * The reset matrix: what each way of receiving and sending says when the peer ends,
 * resets, or does one after the other. A reset is never read as an end of stream,
 * nor an end as a reset, and every tier says the same.
 */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum receiving { NO_RECV, IDLE, EXACT };
enum end { FIN, RST, DATA_RST, FIN_RST };

struct situation {
	struct soq_socket *s;
	int fd;
	char *big;
	char in[10], later[10];
	struct probe *recv, *next, *sent;
};

static struct situation arrange(struct fixture *t)
{
	struct situation x = { .big = malloc(BIG_BYTES) };

	x.s = pair_narrow(t, AF_INET, &x.fd);
	fill(x.big, BIG_BYTES, 1, 0);
	x.recv = probe(t);
	x.next = probe(t);
	x.sent = probe(t);
	return x;
}

/* In the middle: 4 of the 10 bytes have come when the exact receive waits. */
static void start_all(struct fixture *t, struct situation *x, enum receiving receiving, int parked)
{
	if (receiving != NO_RECV)
		started(x->recv, soq_recv_async(x->s, &x->recv->op, x->in, 10,
						receiving == EXACT ? SOQ_EXACT : 0));
	if (parked)
		started(x->sent, soq_send_async(x->s, &x->sent->op, x->big, BIG_BYTES, 0));
	if (receiving == EXACT)
		raw_send(x->fd, "four", 4);
	settle(t);
	expect(x->recv->events + x->sent->events, 0);
}

/* Another CPU may take in the reset before the FIN: so not before that is acknowledged. */
static void await_fin_acknowledged(int fd)
{
	int64_t until_ns = now_ns() + watchdog_ns();
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	do
		expect(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	while (info.tcpi_state != TCP_FIN_WAIT2 && now_ns() < until_ns);
	expect(info.tcpi_state, TCP_FIN_WAIT2);
}

static void act(struct situation *x, enum end end)
{
	if (end == DATA_RST)
		raw_send(x->fd, "data", 4);
	if (end == FIN || end == FIN_RST)
		raw_fin(x->fd);
	if (end == FIN_RST)
		await_fin_acknowledged(x->fd);
	if (end != FIN) {
		raw_reset(x->fd);
		x->fd = -1;
	}
}

/* What was there before a reset is received first. */
static void expect_received(struct fixture *t, struct situation *x, enum receiving receiving,
			    enum end end)
{
	int64_t moved = (receiving == EXACT ? 4 : 0) + (end == DATA_RST ? 4 : 0);
	int64_t last = end == RST || end == DATA_RST ? -ECONNRESET : 0;
	uint32_t broken = receiving == EXACT && last ? SOQ_F_BROKEN : 0;

	if (receiving != NO_RECV) {
		await(t, x->recv);
		expect_end(x->recv, moved ? moved : last, moved ? broken : 0);
	}
	if (receiving == NO_RECV && moved)
		expect(soq_recv(x->s, x->later, 10, 0), moved);
	for (int i = 0; i < 2; i++) {
		started(x->next,
			soq_recv_async(x->s, &x->next->op, x->later, 10, i ? SOQ_EXACT : 0));
		await(t, x->next);
		expect_end(x->next, last, 0);
	}
	expect(soq_recv(x->s, x->later, 10, 0), last);
}

static void expect_sent(struct fixture *t, struct situation *x, int parked, enum end end)
{
	int64_t last = end == FIN_RST ? -EPIPE : -ECONNRESET;

	if (parked) {
		await(t, x->sent);
		expect_true(x->sent->result > 0 && x->sent->result < (int64_t)BIG_BYTES);
		expect_end(x->sent, x->sent->result, SOQ_F_BROKEN);
	}
	for (int i = 0; i < 2; i++) {
		started(x->sent, soq_send_async(x->s, &x->sent->op, "x", 1, 0));
		await(t, x->sent);
		expect_end(x->sent, last, 0);
	}
	expect(soq_send(x->s, "x", 1, 0), last);
}

/* After an end of stream our side still sends, all of it. */
static void expect_sent_whole(struct fixture *t, struct situation *x, int parked)
{
	uint64_t bytes;

	if (parked)
		expect(x->sent->events, 0);
	else
		started(x->sent, soq_send_async(x->s, &x->sent->op, x->big, BIG_BYTES, 0));
	expect(soq_cancel(&x->sent->op), 0);
	await(t, x->sent);
	expect(soq_shutdown(x->s, SOQ_SHUTDOWN_SEND), 0);
	expect(raw_drain(t, x->fd, 1, &bytes), 0);
	expect(bytes, x->sent->result > 0 ? x->sent->result : 0);
}

static void run_matrix(struct fixture *t, enum receiving receiving, int parked, enum end end)
{
	struct situation x = arrange(t);

	start_all(t, &x, receiving, parked);
	act(&x, end);
	expect_received(t, &x, receiving, end);
	if (end == FIN)
		expect_sent_whole(t, &x, parked);
	else
		expect_sent(t, &x, parked, end);

	expect(soq_close(x.s), 0);
	if (x.fd >= 0)
		close(x.fd);
	free(x.big);
}

/* The same, but the loop looks between the events: each is seen by itself. */
static void run_matrix_slowly(struct fixture *t, enum receiving receiving, int parked)
{
	struct situation x = arrange(t);

	start_all(t, &x, receiving, parked);
	raw_fin(x.fd);
	settle(t);
	raw_reset(x.fd);
	settle(t);
	expect_received(t, &x, receiving, FIN_RST);
	expect_sent(t, &x, parked, FIN_RST);

	expect(soq_close(x.s), 0);
	free(x.big);
}

#define ROW(name, receiving, parked)                                                               \
	static void name##_meets_fin(struct fixture *t)                                            \
	{                                                                                          \
		run_matrix(t, receiving, parked, FIN);                                             \
	}                                                                                          \
	static void name##_meets_reset(struct fixture *t)                                          \
	{                                                                                          \
		run_matrix(t, receiving, parked, RST);                                             \
	}                                                                                          \
	static void name##_meets_data_then_reset(struct fixture *t)                                \
	{                                                                                          \
		run_matrix(t, receiving, parked, DATA_RST);                                        \
	}                                                                                          \
	static void name##_meets_fin_then_reset(struct fixture *t)                                 \
	{                                                                                          \
		run_matrix(t, receiving, parked, FIN_RST);                                         \
	}                                                                                          \
	static void name##_meets_fin_and_later_reset(struct fixture *t)                            \
	{                                                                                          \
		run_matrix_slowly(t, receiving, parked);                                           \
	}

#define ROW_CASES(name)                                                                            \
	CASE(name##_meets_fin, "7b"), CASE(name##_meets_reset, "7a 7c 7d 6c"),                     \
		CASE(name##_meets_data_then_reset, "7a 7c 7d"),                                    \
		CASE(name##_meets_fin_then_reset, "7b 7e"),                                        \
		CASE(name##_meets_fin_and_later_reset, "7b 7e")

ROW(nothing_waiting, NO_RECV, 0)
ROW(idle_receive, IDLE, 0)
ROW(exact_receive_in_the_middle, EXACT, 0)
ROW(parked_send, NO_RECV, 1)
ROW(idle_receive_and_parked_send, IDLE, 1)
ROW(exact_receive_and_parked_send, EXACT, 1)

/* The lanes race for the one error the kernel gives: both must end up with it. */
static void receive_armed_after_the_send_parked_sees_the_reset(struct fixture *t)
{
	struct situation x = arrange(t);

	started(x.sent, soq_send_async(x.s, &x.sent->op, x.big, BIG_BYTES, 0));
	settle(t);
	started(x.recv, soq_recv_async(x.s, &x.recv->op, x.in, 10, 0));
	settle(t);
	act(&x, RST);
	run_until(t, finished(x.recv) && finished(x.sent));

	expect_end(x.recv, -ECONNRESET, 0);
	expect_end(x.sent, x.sent->result, SOQ_F_BROKEN);
	expect(soq_send(x.s, "x", 1, 0), -ECONNRESET);
	expect(soq_close(x.s), 0);
	free(x.big);
}

static void queued_ops_behind_a_reset_all_end_with_it(struct fixture *t)
{
	struct situation x = arrange(t);
	struct probe *recv2 = probe(t), *sent2 = probe(t);

	start_all(t, &x, EXACT, 1);
	started(recv2, soq_recv_async(x.s, &recv2->op, x.later, 10, 0));
	started(sent2, soq_send_async(x.s, &sent2->op, "behind", 6, 0));
	settle(t);
	act(&x, RST);
	run_until(t, finished(recv2) && finished(sent2));

	expect_end(x.recv, 4, SOQ_F_BROKEN);
	expect_end(recv2, -ECONNRESET, 0);
	expect_end(x.sent, x.sent->result, SOQ_F_BROKEN);
	expect_end(sent2, -ECANCELED, 0);
	expect(soq_send(x.s, "x", 1, 0), -ECONNRESET);
	expect(soq_close(x.s), 0);
	free(x.big);
}

static void reset_found_by_the_send_is_kept_for_the_receive(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET6, &fd);
	char in[4];

	raw_reset(fd);
	expect(soq_send(s, "x", 1, 0), -ECONNRESET);
	expect(soq_recv(s, in, 4, 0), -ECONNRESET);
	expect(soq_recv(s, in, 4, SOQ_PEEK), -ECONNRESET);
	expect(soq_send(s, "x", 1, 0), -ECONNRESET);
	expect(soq_close(s), 0);
}

static void reset_found_by_the_receive_is_kept_for_the_send(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[4];

	raw_reset(fd);
	expect(soq_recv(s, in, 4, 0), -ECONNRESET);
	expect(soq_send(s, "x", 1, 0), -ECONNRESET);
	expect(soq_recv(s, in, 4, 0), -ECONNRESET);
	expect(soq_close(s), 0);
}

static void late_send_into_a_closed_peer_keeps_the_end_an_end(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[4];

	/* A clean end; our byte then meets a closed socket, which answers with a reset. */
	close(fd);
	expect(soq_recv(s, in, 4, 0), 0);
	expect(soq_send(s, "x", 1, 0), 1);
	settle(t);
	started(p, soq_recv_async(s, &p->op, in, 4, 0));
	await(t, p);
	expect_end(p, 0, 0);

	expect(soq_send(s, "x", 1, 0), -EPIPE);
	expect(soq_recv(s, in, 4, 0), 0);
	expect(soq_close(s), 0);
}

static void reset_after_own_shutdown_still_ends_the_receive(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[4];

	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	started(p, soq_recv_async(s, &p->op, in, 4, 0));
	settle(t);
	raw_reset(fd);
	await(t, p);

	expect_end(p, -ECONNRESET, 0);
	expect(soq_send(s, "x", 1, 0), -EPIPE);
	expect(soq_close(s), 0);
}

/* SO_ERROR gives the error away once; what was reset is not an end for all that. */
static void reset_read_from_the_option_is_still_a_reset(struct fixture *t)
{
	int fd, error = 0;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	char in[4];

	raw_reset(fd);
	settle(t);
	expect(soq_option_get(s, SOL_SOCKET, SO_ERROR, &error, sizeof(error)), sizeof(error));
	expect(error, ECONNRESET);
	expect(soq_recv(s, in, 4, 0), -ECONNRESET);
	expect(soq_send(s, "x", 1, 0), -ECONNRESET);
	expect(soq_close(s), 0);
}

/* The kernel tells an error once, and here the program has it: only TCP_INFO knows still. */
static void reset_told_to_another_descriptor_is_still_a_reset(struct fixture *t)
{
	int fd, error = 0;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	socklen_t size = sizeof(error);
	int own = soq_socket_release(s);
	int other = fcntl(own, F_DUPFD_CLOEXEC, 0);
	char in[4];

	expect(soq_socket_adopt(t->home, own, &s), 0);
	raw_reset(fd);
	settle(t);
	expect(getsockopt(other, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	expect(error, ECONNRESET);
	expect(soq_recv(s, in, 4, 0), -ECONNRESET);
	expect(soq_close(s), 0);
	close(other);
}

/* Our side is shut, so nothing but the kernel's own error tells the reset. */
static void exact_receive_after_own_shutdown_meets_reset(struct fixture *t)
{
	int fd;
	struct soq_socket *s = pair_raw(t, AF_INET, &fd);
	struct probe *p = probe(t);
	char in[10];

	expect(soq_shutdown(s, SOQ_SHUTDOWN_SEND), 0);
	started(p, soq_recv_async(s, &p->op, in, 10, SOQ_EXACT));
	settle(t);
	raw_send(fd, "four", 4);
	settle(t);
	raw_reset(fd);
	await(t, p);

	expect_end(p, 4, SOQ_F_BROKEN);
	expect(soq_recv(s, in, 10, 0), -ECONNRESET);
	expect(soq_close(s), 0);
}

static const struct conf_case cases[] = {
	SYNC_CASE(reset_read_from_the_option_is_still_a_reset, "7a"),
	SYNC_CASE(reset_told_to_another_descriptor_is_still_a_reset, "7a"),
	CASE(exact_receive_after_own_shutdown_meets_reset, "7a 7c"),
	ROW_CASES(nothing_waiting),
	ROW_CASES(idle_receive),
	ROW_CASES(exact_receive_in_the_middle),
	ROW_CASES(parked_send),
	ROW_CASES(idle_receive_and_parked_send),
	ROW_CASES(exact_receive_and_parked_send),
	CASE(receive_armed_after_the_send_parked_sees_the_reset, "7a 7d"),
	CASE(queued_ops_behind_a_reset_all_end_with_it, "7a 7d 10b"),
	SYNC_CASE(reset_found_by_the_send_is_kept_for_the_receive, "7d"),
	SYNC_CASE(reset_found_by_the_receive_is_kept_for_the_send, "7d"),
	CASE(late_send_into_a_closed_peer_keeps_the_end_an_end, "7b 7e"),
	CASE(reset_after_own_shutdown_still_ends_the_receive, "7a 7f"),
};

CONF_GROUP(reset, cases)
