/* SPDX-License-Identifier: MIT */
/*
 * Bad input: one table of every public call x what can be wrong with its arguments. Each
 * gives the documented result, starts nothing and loses nothing. A public function
 * without a row fails the test.
 */
#define _GNU_SOURCE
#include "badinput_calls.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* The single argument that makes no sense, call by call. */
static const struct iovec null_segment[] = { { some, 8 }, { NULL, 1 } };
static const struct iovec empty_segment[] = { { some, 0 } };
static const struct iovec long_segment[] = { { some, TOO_LONG } };
static const struct iovec long_sum[] = { { some, SSIZE_MAX }, { some, 1 } };
static const struct soq_endpoint none;
static const struct soq_endpoint of_another_family = {
	.size_bytes = sizeof(struct sockaddr_in6),
	.addr.ipv6 = { .sin6_family = AF_INET6 },
};

/* A good message but for what it says beside, of which everything is 0. */
static struct soq_message *telling(uint32_t what)
{
	struct soq_message *message = message_of(segments, 2);

	message->info = what;
	message->peer = bench.datagram_ep;
	return message;
}

static struct soq_part *part_of(uint32_t kind, uint64_t size_bytes)
{
	static struct soq_part part;

	part = (struct soq_part){ .kind = kind, .size_bytes = size_bytes };
	return &part;
}

/* The public functions that a row was tried for. */
static char tried[256][40];
static unsigned tried_count;

static void try_mark(const char *call)
{
	size_t length = strcspn(call, "(");

	expect_true(tried_count < COUNT_OF(tried) && length < sizeof(tried[0]));
	for (unsigned i = 0; i < tried_count; i++)
		if (strlen(tried[i]) == length && !memcmp(tried[i], call, length))
			return;
	memcpy(tried[tried_count++], call, length);
}

/* Nothing was started, made or lost by what was refused. */
static void check_row(struct fixture *t, const char *call, int64_t got, int64_t want)
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

#define B               bench
#define ROW(want, call) check_row(t, #call, (int64_t)(call), want)

/* NULL for each pointer argument that is no loop, socket or op. */
static void rows_nulls(struct fixture *t)
{
	ROW(-EINVAL, soq_socket_open(B.loop, AF_INET, SOCK_STREAM, 0, NULL));
	ROW(-EINVAL, soq_bind(B.fresh, NULL));
	ROW(-EINVAL, soq_socket_local(B.s, NULL));
	ROW(-EINVAL, soq_socket_peer(B.s, NULL));
	ROW(-EINVAL, soq_socket_peer_credentials(B.s, NULL));
	ROW(-EINVAL, soq_accept(B.listener, NULL, NULL));
	ROW(-EINVAL, soq_connect_async(B.fresh, B.idle, NULL));
	ROW(-EINVAL, soq_connect(B.fresh, NULL));
	ROW(-EINVAL, soq_option_set(B.s, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
	ROW(-EINVAL, soq_option_get(B.s, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
	ROW(-EINVAL, soq_socket_get_option(B.s, SOQ_OPTION_NO_DELAY, NULL));
	ROW(-EINVAL, soq_socket_set_option_text(B.s, SOQ_OPTION_CONGESTION_CONTROL, NULL));
	ROW(-EINVAL, soq_socket_get_option_text(B.s, SOQ_OPTION_CONGESTION_CONTROL, NULL, 16));
	ROW(-EINVAL, soq_socket_tcp_info(B.s, NULL));
	ROW(-EINVAL, soq_send_async(B.s, B.idle, NULL, 8, 0));
	ROW(-EINVAL, soq_send(B.s, NULL, 8, 0));
	ROW(-EINVAL, soq_sendv_async(B.s, B.idle, NULL, 1, 0));
	ROW(-EINVAL, soq_sendv(B.s, NULL, 1, 0));
	ROW(-EINVAL, soq_relay_async(B.s, B.idle, NULL, 0));
	ROW(-EINVAL, soq_send_parts_async(B.s, B.idle, NULL, 1, 0));
	ROW(-EINVAL, soq_send_parts(B.s, NULL, 1, 0));
	ROW(-EINVAL, soq_send_parts(B.s, part_of(SOQ_PART_MEMORY, 1), 1, 0));
	ROW(-EINVAL, soq_send_parts(B.s, part_of(SOQ_PART_PATH, 0), 1, 0));
	ROW(-EINVAL, soq_send_parts(B.detached, NULL, 1, 0));
	ROW(-EINVAL, soq_recv_async(B.s, B.idle, NULL, 8, 0));
	ROW(-EINVAL, soq_recv(B.s, NULL, 8, 0));
	ROW(-EINVAL, soq_recvv_async(B.s, B.idle, NULL, 1, 0));
	ROW(-EINVAL, soq_recvv(B.s, NULL, 1, 0));
	ROW(-EINVAL, soq_socket_adopt(B.loop, B.fd, NULL));
	ROW(-EINVAL, soq_socket_detach(B.fresh, NULL));
	ROW(-EINVAL, soq_socket_attach(B.loop, B.detached, NULL));
	ROW(-EINVAL, soq_socket_attach(B.loop, NULL, &socket_out));
	ROW(-EINVAL, soq_socket_info(B.s, NULL));
	ROW(-EINVAL, soq_socket_stats(B.s, NULL));
	ROW(-EINVAL, soq_connect_list_async(B.loop, B.idle, NULL));
	ROW(-EINVAL, soq_connect_list_async(B.loop, B.idle, list_of(NULL, 1)));
	ROW(-EINVAL, soq_connect_list(B.loop, list_of(&B.ep, 1), 0, NULL));
	ROW(-EINVAL, soq_connect_list(NULL, NULL, 0, &socket_out));
	ROW(-EINVAL, soq_resolve_async(B.loop, B.idle, NULL));
	ROW(-EINVAL, soq_resolve_async(B.loop, B.idle, question_of(NULL)));
	ROW(-EINVAL, soq_resolve(B.loop, NULL, 0));
	ROW(-EINVAL, soq_resolve(NULL, question_of(NULL), 0));
	ROW(-EINVAL, soq_connect_name_async(B.loop, B.idle, NULL));
	ROW(-EINVAL, soq_connect_name_async(B.loop, B.idle, name_of(NULL, 9)));
	ROW(-EINVAL, soq_connect_name(B.loop, name_of("127.0.0.1", 9), 0, NULL));
	ROW(-EINVAL, soq_connect_name(NULL, NULL, 0, &socket_out));
	ROW(-EINVAL, soq_listen_fds(NULL, 1, 0));
	ROW(-EINVAL, soq_poll_any(NULL, 1, 0));
	ROW(-EINVAL, soq_poll_any(entry_of(B.s, SOQ_POLL_RECV), 0, 0));
	ROW(-EINVAL, soq_socket_available(B.s, NULL));
	ROW(-EINVAL, soq_socket_take_error(B.s, NULL));
	ROW(-EINVAL, soq_send_to_async(B.datagram, B.idle, some, 8, 0, NULL));
	ROW(-EINVAL, soq_send_to(B.datagram, some, 8, 0, NULL));
	ROW(-EINVAL, soq_send_to(B.datagram, NULL, 8, 0, &B.datagram_ep));
	ROW(-EINVAL, soq_recv_from_async(B.datagram, B.idle, some, 8, 0, NULL));
	ROW(-EINVAL, soq_recv_from(B.datagram, some, 8, 0, NULL));
	ROW(-EINVAL, soq_recv_from(B.datagram, NULL, 8, 0, &ep_out));
	ROW(-EINVAL, soq_send_msg_async(B.datagram, B.idle, NULL, 0));
	ROW(-EINVAL, soq_send_msg(B.datagram, NULL, 0));
	ROW(-EINVAL, soq_recv_msg_async(B.datagram, B.idle, NULL, 0));
	ROW(-EINVAL, soq_recv_msg(B.datagram, NULL, 0));
	ROW(-EINVAL, soq_recv_msg(B.datagram, message_of(NULL, 1), 0));
	ROW(-EINVAL, soq_send_batch_async(B.datagram, B.idle, NULL, 1, 0));
	ROW(-EINVAL, soq_send_batch(B.datagram, NULL, 1, 0));
	ROW(-EINVAL, soq_recv_batch_async(B.datagram, B.idle, NULL, 1, 0));
	ROW(-EINVAL, soq_recv_batch(B.datagram, NULL, 1, 0));
	ROW(-EINVAL, soq_loop_harvest(B.loop, NULL, 1, 0));
	ROW(-EINVAL, soq_stream_open(B.s, NULL, NULL));
	ROW(-EINVAL, soq_stream_close(NULL));
	ROW(-EINVAL, soq_listener_open(B.loop, NULL, &door_out));
	ROW(-EINVAL, soq_listener_open(B.loop, &door_options, NULL));
	ROW(-EINVAL, soq_listener_close(NULL));
	ROW(-EINVAL, soq_listener_start(NULL));
	ROW(-EINVAL, soq_listener_stop(NULL));
	ROW(0, soq_listener_socket(NULL) != NULL);
	ROW(-EINVAL, soq_listener_accept_async(NULL, B.idle, &place_out));
	ROW(-EINVAL, soq_listener_accept_async(B.door, B.idle, NULL));
	ROW(-EINVAL, soq_listener_accept(B.door, &place_out, 0, NULL));
	ROW(-EBUSY, soq_listener_accept(B.door, &B.place, 0, &socket_out));
	ROW(-EINVAL, soq_listener_drain_async(NULL, B.idle));
	ROW(-EINVAL, soq_listener_drain(NULL, 0));
	ROW(-EINVAL, soq_listener_stats(B.door, NULL));
	ROW(-EINVAL, soq_connection_set_phase(NULL, SOQ_PHASE_IDLE));
	ROW(-EINVAL, soq_connection_set_phase(&B.place, (enum soq_phase)3));
	ROW(-ENOENT, soq_connection_set_phase(&place_out, SOQ_PHASE_IDLE));
	ROW(-EINVAL, soq_connection_end(NULL));
	ROW(-EINVAL, soq_udp_open(B.loop, NULL, &socket_out));
	ROW(-EINVAL, soq_udp_open(B.loop, &udp_options, NULL));
	ROW(-EINVAL, soq_stream_buffered(NULL));
	ROW(0, soq_stream_socket(NULL) != NULL);
	ROW(-EINVAL, soq_stream_read(NULL, some, 8));
	ROW(-EINVAL, soq_stream_read(B.stream, NULL, 8));
	ROW(-EINVAL, soq_stream_read_exact(B.stream, some, 0));
	ROW(-EINVAL, soq_stream_read_until(B.stream, NULL, 1, some, 8));
	ROW(-EINVAL, soq_stream_read_prefixed(B.stream, 1, some, 8, NULL));
	ROW(-EINVAL, soq_stream_write(B.stream, NULL, 8));
	ROW(-EINVAL, soq_stream_write_prefixed(B.stream, 3, some, 8));
	ROW(-EINVAL, soq_stream_copy(B.stream, NULL));
	ROW(-EINVAL, soq_stream_flush(NULL));
	ROW(-EINVAL, soq_stream_end(NULL));
	ROW(-EINVAL, soq_stream_read_async(B.stream, B.idle, NULL, 8));
	ROW(-EINVAL, soq_stream_read_exact_async(B.stream, B.idle, some, 0));
	ROW(-EINVAL, soq_stream_read_until_async(B.stream, B.idle, "", 0, some, 8));
	ROW(-EINVAL, soq_stream_read_prefixed_async(B.stream, B.idle, 3, some, 8, &available_out));
	ROW(-EINVAL, soq_stream_write_async(B.stream, B.idle, NULL, 8));
	ROW(-EINVAL, soq_stream_flush_async(NULL, B.idle));
	ROW(-EINVAL, soq_stream_copy_async(B.stream, NULL, B.idle));
	ROW(-EINVAL, soq_op_begin(B.loop, B.idle, NULL, NULL));
	ROW(-EINVAL, soq_op_inner(NULL, NULL));
	ROW(-EBUSY, soq_op_inner(B.busy, NULL));
	ROW(-EINVAL, soq_loop_info(B.loop, NULL));
	ROW(-EINVAL, soq_loop_stats(B.loop, NULL));
	ROW(-EINVAL, soq_loop_create(NULL, NULL));
	ROW(-EINVAL, soq_pool_create(NULL, NULL, &pool_out));
	ROW(-EINVAL, soq_pool_create(B.loop, NULL, NULL));
	ROW(-EINVAL, soq_pool_info(NULL, &pool_info_out));
	ROW(0, soq_pool_destroy(NULL));
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, NULL, 0));
	ROW(-EINVAL, soq_buf_return(NULL));
	ROW(-EINVAL, soq_buf_retain(NULL));
	ROW(-EINVAL, soq_buf_slice(NULL, 0, 0));
	ROW(-EINVAL, soq_buf_peer(NULL, &ep_out));
	ROW(-EINVAL, soq_buf_peer(B.buf, NULL));
	ROW(-EINVAL, soq_pool_info(B.pool, NULL));
	ROW(-EINVAL, soq_buf_message(NULL, message_of(segments, 1)));
	ROW(0, soq_loop_destroy(NULL));
	ROW(-EINVAL, soq_wait(B.quiet, 0, NULL));
	ROW(-EINVAL, soq_wait_any(NULL, 1, 0, &an_event));
	ROW(-EINVAL, soq_wait_any(&B.quiet, 1, 0, NULL));
	ROW(-EINVAL, soq_endpoint_parse(NULL, &ep_out));
	ROW(-EINVAL, soq_endpoint_parse("1.2.3.4:5", NULL));
	ROW(-EINVAL, soq_endpoint_format(NULL, some, sizeof(some)));
	ROW(-EINVAL, soq_endpoint_format(&B.ep, NULL, 96));
	ROW(-EINVAL, soq_endpoint_format(&none, some, sizeof(some)));
	ROW(-ENOSPC, soq_endpoint_format(&B.ep, some, 3));
	ROW(-ENOSPC, soq_endpoint_format(&B.ep, some, 0));
	ROW(-EINVAL, soq_endpoint_loopback(AF_INET, 0, NULL));
	ROW(-EAFNOSUPPORT, soq_endpoint_loopback(AF_UNIX, 0, &ep_out));
	ROW(-EINVAL, soq_endpoint_any(AF_INET, 0, NULL));
	ROW(-EAFNOSUPPORT, soq_endpoint_any(-1, 0, &ep_out));
	ROW(-EINVAL, soq_endpoint_unix(NULL, &ep_out));
	ROW(-EINVAL, soq_endpoint_unix("", &ep_out));
	ROW(-EINVAL, soq_endpoint_unix("x", NULL));
	ROW(-EINVAL, soq_endpoint_abstract(NULL, 0, &ep_out));
	ROW(-EINVAL, soq_endpoint_abstract(some, 1, NULL));
	ROW(-ENAMETOOLONG, soq_endpoint_abstract(some, TOO_LONG, &ep_out));
	ROW(-EINVAL, soq_endpoint_vsock(1, 2, NULL));
	ROW(-EINVAL, soq_endpoint_packet(1, 2, NULL, 0, NULL));
	ROW(-EINVAL, soq_endpoint_packet(1, 2, NULL, 1, &ep_out));
	ROW(-ENAMETOOLONG, soq_endpoint_packet(1, 2, some, 9, &ep_out));
	ROW(-ERANGE, soq_endpoint_packet(HUGE31, 2, some, 8, &ep_out));
	ROW(-EINVAL, soq_endpoint_to_ipv6(NULL, &ep_out));
	ROW(-EINVAL, soq_endpoint_to_ipv6(&none, &ep_out));
	ROW(-EINVAL, soq_endpoint_to_ipv6(&B.ep, NULL));
	ROW(-EINVAL, soq_endpoint_to_ipv4(NULL, &ep_out));
	ROW(-EINVAL, soq_endpoint_to_ipv4(&B.ep, NULL));
	ROW(-EAFNOSUPPORT, soq_endpoint_to_ipv4(&of_another_family, &ep_out));
	ROW(-EINVAL, soq_recv_error(B.datagram, NULL));
	ROW(-EINVAL, soq_endpoint_from(NULL, sizeof(B.ep.addr), &ep_out));
	ROW(-EINVAL, soq_endpoint_from(&B.ep.addr.any, B.ep.size_bytes, NULL));
	ROW(-EINVAL, soq_endpoint_from(&B.ep.addr.any, 0, &ep_out));
	ROW(-EINVAL, soq_endpoint_from(&B.ep.addr.any, 1, &ep_out));
	ROW(-EINVAL, soq_endpoint_from(&B.ep.addr.any, B.ep.size_bytes - 1, &ep_out));
	ROW(-EINVAL, soq_endpoint_from(&B.ep.addr.any, UINT32_MAX, &ep_out));
	ROW(-EINVAL, soq_endpoint_port(NULL));
	ROW(-EINVAL, soq_endpoint_port(&none));
	ROW(0, soq_endpoint_equal(NULL, NULL));
	ROW(0, soq_endpoint_equal(NULL, &B.ep));
	ROW(0, soq_endpoint_compare(NULL, NULL));
	ROW(-1, soq_endpoint_compare(NULL, &B.ep));
	ROW(1, soq_endpoint_compare(&B.ep, &none));
	ROW(1, soq_endpoint_hash(NULL, 7) == soq_endpoint_hash(NULL, 7));
	ROW(-EINVAL, soq_multicast_join(B.datagram, NULL, NULL, 1));
	ROW(-EINVAL, soq_multicast_join(B.datagram, &none, NULL, 1));
	ROW(-EINVAL, soq_multicast_join(B.datagram, &B.ep, NULL, 1));
	ROW(-EINVAL, soq_multicast_leave(B.datagram, NULL, NULL, 1));
	ROW(-EINVAL, soq_multicast_leave(B.datagram, &B.ep, &none, 1));
	ROW(-EINVAL, soq_multicast_block(B.datagram, &B.ep, NULL, 1));
	ROW(-EINVAL, soq_multicast_unblock(B.datagram, &B.ep, NULL, 1));
	ROW(-EINVAL, soq_multicast_block(B.datagram, NULL, &B.ep, 1));
	ROW(-EAFNOSUPPORT, soq_multicast_join(B.datagram, &of_another_family, NULL, 1));
	ROW(-EOPNOTSUPP, soq_multicast_join(B.s, &B.ep, NULL, 1));
	ROW(-ERANGE, soq_multicast_join(B.datagram, &B.ep, NULL, UINT32_MAX));
	ROW(-EINVAL, soq_interface_by_name(NULL));
	ROW(-EINVAL, soq_interface_by_name(""));
	ROW(-ENODEV, soq_interface_by_name("a name that no interface can have"));
	ROW(-EINVAL, soq_interface_by_address(NULL));
	ROW(-EINVAL, soq_interface_by_address(&none));
	ROW(SOQ_VERSION, soq_version());
	ROW('S', soq_error_name(INT32_MIN)[0]);
	ROW('u', soq_error_errno_name(-4095)[0]);
	ROW('u', soq_error_text(INT32_MIN)[0]);
	ROW(SOQ_ERROR_SOCKET, soq_error_class_of(INT32_MIN));
}

/* Handles that are dead, or none. */
static void rows_handles(struct fixture *t)
{
	ROW(1, soq_socket_loop(NULL) == NULL);
	ROW(1, soq_socket_loop(B.closed) == NULL);
	ROW(1, soq_socket_user(NULL) == NULL);
	ROW(1, soq_socket_user(B.closed) == NULL);
	ROW(1, soq_socket_loop(B.detached) == NULL);
}

/* The wrong state. */
static void rows_states(struct fixture *t)
{
	ROW(-ENOTCONN, soq_send_async(B.fresh, B.idle, some, 8, 0));
	ROW(-ENOTCONN, soq_send(B.fresh, some, 8, 0));
	ROW(-ENOTCONN, soq_sendv(B.fresh, segments, 2, 0));
	ROW(-EINVAL, soq_relay_async(B.s, B.idle, B.detached, 0));
	ROW(-EBADF, soq_relay_async(B.s, B.idle, B.closed, 0));
	ROW(-ENOTCONN, soq_relay_async(B.s, B.idle, B.fresh, 0));
	ROW(-ENOTCONN, soq_relay_async(B.fresh, B.idle, B.s, 0));
	ROW(-ENOTCONN, soq_relay_async(B.s, B.idle, B.listener, 0));
	ROW(-EOPNOTSUPP, soq_relay_async(B.s, B.idle, B.datagram, 0));
	ROW(-ENOTCONN, soq_send_parts(B.fresh, parts, 2, 0));
	ROW(-ENOTCONN, soq_send_file_async(B.fresh, B.idle, B.file, 0, 0, 0));
	ROW(-ENOTCONN, soq_send_file(B.detached, B.file, 0, 0, 0));
	ROW(-EOPNOTSUPP, soq_send_parts(B.datagram, parts, 2, 0));
	ROW(-EOPNOTSUPP, soq_send_file_async(B.datagram, B.idle, B.file, 0, 0, 0));
	ROW(-ENOTCONN, soq_recv_async(B.fresh, B.idle, some, 8, 0));
	ROW(-ENOTCONN, soq_recv(B.listener, some, 8, 0));
	ROW(-ENOTCONN, soq_shutdown_async(B.fresh, B.idle, SOQ_SHUTDOWN_SEND));
	ROW(-ENOTCONN, soq_shutdown(B.listener, SOQ_SHUTDOWN_SEND));
	ROW(-ENOTCONN, soq_socket_peer(B.fresh, &ep_out));
	ROW(-EINVAL, soq_accept_async(B.s, B.idle, 0));
	ROW(-EINVAL, soq_accept(B.fresh, &socket_out, NULL));
	ROW(-EISCONN, soq_connect_async(B.s, B.idle, &B.ep));
	ROW(-EISCONN, soq_connect(B.s, &B.ep));
	ROW(-EINVAL, soq_connect(B.listener, &B.ep));
	ROW(-EISCONN, soq_listen(B.s, 1));
	ROW(-EINVAL, soq_bind(B.s, &B.ep));
	ROW(-ENOTCONN, soq_send_async(B.datagram, B.idle, some, 8, 0));
	ROW(-ENOTCONN, soq_send_msg(B.datagram, message_of(segments, 2), 0));
	ROW(-ENOTCONN, soq_send_batch(B.datagram, message_of(segments, 2), 1, 0));
	ROW(-EOPNOTSUPP, soq_send_batch_async(B.s, B.idle, message_of(segments, 2), 1, 0));
	ROW(-EOPNOTSUPP, soq_recv_batch(B.s, message_of(segments, 2), 1, 0));
	ROW(-EINVAL, soq_recv_batch_async(B.detached, B.idle, message_of(segments, 2), 1, 0));
	ROW(-EOPNOTSUPP, soq_socket_set_message_info(B.s, SOQ_INFO_PACKET));
	ROW(-ENOTCONN, soq_shutdown(B.datagram, SOQ_SHUTDOWN_BOTH));
	ROW(-EINVAL, soq_socket_available(B.listener, &available_out));
	ROW(-EOPNOTSUPP, soq_socket_at_mark(B.datagram));
	ROW(-ENOTCONN, soq_recv_from(B.fresh, some, 8, 0, &ep_out));
	ROW(-EISCONN, soq_send_to_async(B.s, B.idle, some, 8, 0, &B.ep));
	ROW(-EINVAL, soq_accept_async(B.datagram, B.idle, 0));
	ROW(-EBUSY, soq_socket_release(B.s));
	ROW(-EBUSY, soq_socket_detach(B.s, &socket_out));
	ROW(-EINVAL, soq_socket_attach(B.loop, B.fresh, &socket_out));
	ROW(-EINVAL, soq_socket_detach(B.detached, &socket_out));
	ROW(-EINVAL, soq_accept_async(B.detached, B.idle, 0));
	ROW(-EINVAL, soq_connect_async(B.detached, B.idle, &B.ep));
	ROW(-EINVAL, soq_send_async(B.detached, B.idle, some, 8, 0));
	ROW(-EINVAL, soq_recv_from_async(B.detached, B.idle, some, 8, 0, &ep_out));
	ROW(-EINVAL, soq_poll_async(B.detached, B.idle, SOQ_POLL_RECV, 0));
	ROW(-EINVAL, soq_close_async(B.detached, B.idle));
	ROW(-EINVAL, soq_finish_async(B.detached, B.idle, 0));
	ROW(-ENOTCONN, soq_send(B.detached, some, 8, 0));
	ROW(-ENOTCONN, soq_recv(B.detached, some, 8, 0));
	ROW(-ENOTCONN, soq_shutdown(B.detached, SOQ_SHUTDOWN_SEND));
	ROW(-EINVAL, soq_accept(B.detached, &socket_out, NULL));
	ROW(-EINVAL, soq_recv_buf_async(B.detached, B.idle, B.pool, 0));
	ROW(-ENOTCONN, soq_recv_buf_async(B.fresh, B.idle, B.pool, 0));
	ROW(-ENOTCONN, soq_recv_buf_async(B.listener, B.idle, B.pool, SOQ_MULTISHOT));
	ROW(-EBADF, soq_recv_buf_async(B.closed, B.idle, B.pool, SOQ_MULTISHOT));
	ROW(-EBUSY, soq_recv_buf_async(B.s, B.busy, B.pool, SOQ_MULTISHOT));
	ROW(-EBUSY, soq_pool_destroy(B.pool));
	ROW(-EBUSY, soq_loop_destroy(B.loop));
	ROW(-ENOENT, soq_cancel(B.idle));
	ROW(-ENOENT, soq_wait(&(struct soq_op){ .done = NULL }, 0, &an_event));
	ROW(-EINVAL, soq_wait(B.busy, 0, &an_event));
	ROW(-EINVAL, soq_wait_any(&B.busy, 1, 0, &an_event));
}

static void rows_policy(struct fixture *t)
{
	static const struct soq_policy_rule nothing[1];
	struct soq_policy_error wrong = { .size = 1 };
	struct soq_policy *policy = NULL, *out = NULL;

	ROW(0, soq_policy_public_only(&policy));
	ROW(-EINVAL, soq_policy_public_only(NULL));
	ROW(-EINVAL, soq_policy_parse(NULL, 1, NULL, &out));
	ROW(-EINVAL, soq_policy_parse("", 0, NULL, &out));
	ROW(-EINVAL, soq_policy_parse("default deny", 12, NULL, NULL));
	ROW(-EINVAL, soq_policy_parse("default deny", 12, &wrong, &out));
	ROW(-EFBIG, soq_policy_parse("", SOQ_POLICY_TEXT_MAX + 1, NULL, &out));
	ROW(-EINVAL, soq_policy_read(NULL, NULL, &out));
	ROW(-ENOENT, soq_policy_read("/nowhere/at/all", NULL, &out));
	ROW(-EISDIR, soq_policy_read("/", NULL, &out));
	ROW(-EINVAL, soq_policy_create(NULL, 1, SOQ_POLICY_DENY, NULL, &out));
	ROW(-EINVAL, soq_policy_create(nothing, 1, SOQ_POLICY_DENY, NULL, &out));
	ROW(-EINVAL, soq_policy_create(NULL, 0, (enum soq_policy_verdict)0, NULL, &out));
	ROW(-EINVAL, soq_policy_narrow(NULL, policy, &out));
	ROW(-EINVAL, soq_policy_narrow(policy, NULL, &out));
	ROW(-EINVAL, soq_policy_narrow(policy, policy, NULL));
	ROW(-EINVAL,
	    soq_policy_judge(NULL, SOQ_POLICY_BIND, SOQ_POLICY_TCP, NULL, &bench.ep, NULL));
	ROW(-EINVAL, soq_policy_judge(policy, 0, SOQ_POLICY_TCP, NULL, &bench.ep, NULL));
	ROW(-EINVAL, soq_policy_judge(policy, SOQ_POLICY_BIND, 3, NULL, &bench.ep, NULL));
	ROW(-EINVAL, soq_policy_judge(policy, SOQ_POLICY_BIND, 1, "127.1", &bench.ep, NULL));
	ROW(-EINVAL, soq_policy_judge(policy, SOQ_POLICY_BIND, 1, NULL, &none, NULL));
	ROW(-EINVAL, soq_harden(NULL, &(uint32_t){ 0 }));
	ROW(-EINVAL, soq_harden(policy, NULL));
	ROW(-EINVAL, soq_socket_set_policy(NULL, policy));
	ROW(-EINVAL, soq_socket_set_policy(bench.s, policy));
	ROW(-EINVAL, soq_socket_set_policy(bench.detached, NULL));
	assert_null(soq_policy_retain(NULL));
	soq_policy_release(NULL);
	try_mark("soq_policy_retain(");
	try_mark("soq_policy_release(");
	soq_policy_release(policy);
}

/* Flags and words nobody knows. */
static void rows_flags(struct fixture *t)
{
	ROW(-EINVAL, soq_accept_async(B.listener, B.idle, SOQ_EXACT));
	ROW(-EINVAL, soq_accept_async(B.listener, B.idle, 1u << 31));
	ROW(-EINVAL, soq_send_async(B.s, B.idle, some, 8, SOQ_EXACT));
	ROW(-EINVAL, soq_send_async(B.s, B.idle, some, 8, 1u << 31));
	ROW(-EINVAL, soq_send(B.s, some, 8, 1u << 16));
	ROW(-EINVAL, soq_sendv_async(B.s, B.idle, segments, 2, SOQ_PEEK));
	ROW(-EINVAL, soq_sendv(B.s, segments, 2, SOQ_MULTISHOT));
	ROW(-EINVAL, soq_relay_async(B.s, B.idle, B.peer, SOQ_CORK));
	ROW(-EINVAL, soq_send_parts_async(B.s, B.idle, parts, 2, SOQ_LAZY));
	ROW(-EINVAL, soq_send_parts(B.s, parts, 2, 1u << 12));
	ROW(-EINVAL, soq_send_parts(B.s, part_of(3, 0), 1, 0));
	ROW(-EINVAL, soq_send_file_async(B.s, B.idle, B.file, 0, 0, SOQ_ZEROCOPY));
	ROW(-EINVAL, soq_send_file(B.s, B.file, 0, 0, 1u << 15));
	ROW(-EINVAL, soq_recv_async(B.s, B.idle, some, 8, SOQ_CORK));
	ROW(-EINVAL, soq_recv_async(B.s, B.idle, some, 8, SOQ_LAZY));
	ROW(-EINVAL, soq_recv_async(B.s, B.idle, some, 8, SOQ_EXACT | SOQ_PEEK));
	ROW(-EINVAL, soq_recv(B.s, some, 8, 1u << 31));
	ROW(-EINVAL, soq_recvv_async(B.s, B.idle, segments, 2, SOQ_MULTISHOT));
	ROW(-EINVAL, soq_recvv(B.s, segments, 2, 1u << 31));
	ROW(-EINVAL, soq_shutdown_async(B.s, B.idle, 3));
	ROW(-EINVAL, soq_shutdown(B.s, -1));
	ROW(-EINVAL, soq_send_to_async(B.datagram, B.idle, some, 8, SOQ_CORK, &B.datagram_ep));
	ROW(-EINVAL, soq_send_to_async(B.datagram, B.idle, some, 8, SOQ_LAZY, &B.datagram_ep));
	ROW(-EINVAL, soq_send_to(B.datagram, some, 8, 1u << 31, &B.datagram_ep));
	ROW(-EINVAL, soq_recv_async(B.datagram, B.idle, some, 8, SOQ_EXACT));
	ROW(-EINVAL, soq_recv_from_async(B.datagram, B.idle, some, 8, SOQ_EXACT, &ep_out));
	ROW(-EINVAL, soq_recv_from(B.datagram, some, 8, SOQ_MULTISHOT, &ep_out));
	ROW(-EINVAL, soq_recv_msg(B.datagram, message_of(segments, 2), SOQ_EXACT));
	ROW(-EINVAL, soq_send_to(B.datagram, some, 8, 0, &none));
	ROW(-EAFNOSUPPORT, soq_send_to(B.datagram, some, 8, 0, &of_another_family));
	ROW(-EAFNOSUPPORT, soq_bind(B.fresh, &of_another_family));
	ROW(-EAFNOSUPPORT, soq_connect(B.fresh, &of_another_family));
	ROW(-EINVAL, soq_send_msg(B.datagram, &(struct soq_message){ .size = 1 }, 0));
	ROW(-EINVAL,
	    soq_recv_msg_async(B.datagram, B.idle, &(struct soq_message){ .size = UINT32_MAX }, 0));
	ROW(-EINVAL, soq_recv_msg(B.datagram,
				  &(struct soq_message){ .size = sizeof(struct soq_message),
							 .segments = segments,
							 .segment_count = 2,
							 .reserved = { [2] = 1 } },
				  0));
	ROW(-EINVAL, soq_recv_msg(B.datagram,
				  &(struct soq_message){ .size = sizeof(struct soq_message),
							 .segments = segments,
							 .segment_count = 2,
							 .reserved8 = { 0, 0, 1 } },
				  0));
	ROW(-EINVAL, soq_recv_error(B.datagram, &(struct soq_report){ .size = 1 }));
	ROW(-EINVAL, soq_recv_error(B.datagram, &(struct soq_report){ .size = UINT32_MAX }));
	ROW(-EINVAL,
	    soq_recv_error(B.datagram, &(struct soq_report){ .size = sizeof(struct soq_report),
							     .buffer_bytes = 1 }));
	ROW(-EINVAL,
	    soq_recv_error(B.datagram, &(struct soq_report){ .size = sizeof(struct soq_report),
							     .reserved = { [3] = 1 } }));
	ROW(-EOPNOTSUPP,
	    soq_recv_error(B.s, &(struct soq_report){ .size = sizeof(struct soq_report) }));
	ROW(-EINVAL, soq_recv_batch(B.datagram, message_of(segments, 2), 1, SOQ_PEEK));
	ROW(-EINVAL,
	    soq_recv_batch_async(B.datagram, B.idle, message_of(segments, 2), 1, 1u << 31));
	ROW(-EINVAL, soq_send_batch(B.datagram, message_of(segments, 2), 1, SOQ_CORK));
	ROW(-EINVAL,
	    soq_send_batch_async(B.datagram, B.idle, message_of(segments, 2), 1, 1u << 16));
	ROW(-EINVAL, soq_socket_set_message_info(B.datagram, SOQ_INFO_CUT));
	ROW(-EINVAL, soq_socket_set_message_info(B.datagram, 1u << 31));
	ROW(-EINVAL, soq_send_msg(B.datagram, telling(1u << 31), 0));
	ROW(-EINVAL, soq_send_msg_async(B.datagram, B.idle, telling(SOQ_INFO_CUT), 0));
	ROW(-EINVAL, soq_send_msg(B.datagram, telling(SOQ_INFO_SEGMENTS), 0));
	ROW(-EINVAL, soq_send_msg(B.datagram, telling(SOQ_INFO_TTL), 0));
	ROW(-EINVAL, soq_send_batch(B.datagram, telling(SOQ_INFO_PACKET), 1, 0));
	ROW(-EINVAL, soq_poll_async(B.s, B.idle, 0, 0));
	ROW(-EINVAL, soq_poll_async(B.s, B.idle, 1u << 6, 0));
	ROW(-EINVAL, soq_poll_async(B.s, B.idle, SOQ_POLL_RECV, SOQ_PEEK));
	ROW(-EINVAL, soq_poll(B.s, 1u << 31, 0));
	ROW(-EINVAL, soq_connect_list(B.loop, list_of(&B.ep, 0), 0, &socket_out));
	ROW(-EINVAL,
	    soq_connect_list(NULL, &(struct soq_connect_list){ .size = 1 }, 0, &socket_out));
	ROW(-EINVAL, soq_connect_list_async(
			     B.loop, B.idle,
			     &(struct soq_connect_list){ .size = sizeof(struct soq_connect_list),
							 .type = SOCK_STREAM | SOCK_NONBLOCK,
							 .endpoints = &B.ep,
							 .endpoint_count = 1 }));
	ROW(-EINVAL, soq_connect_list_async(
			     B.loop, B.idle,
			     &(struct soq_connect_list){ .size = sizeof(struct soq_connect_list),
							 .type = SOCK_STREAM,
							 .endpoints = &B.ep,
							 .endpoint_count = 1,
							 .option_count = 1 }));
	ROW(-EINVAL, soq_listen_fds(NULL, 0, 1u << 31));
	ROW(-EINVAL, soq_poll_any(entry_of(B.s, 1u << 6), 1, 0));
	ROW(-EINVAL, soq_poll_any(entry_of(B.s, 0), 1, 0));
	ROW(-EINVAL, soq_socket_info(B.s, &(struct soq_socket_info){ .size = 1 }));
	ROW(-EINVAL, soq_socket_stats(B.s, &(struct soq_socket_stats){ .size = 1 }));
	ROW(-EINVAL, soq_loop_counter(B.loop, SOQ_COUNTER_COUNT));
	ROW(-EINVAL, soq_loop_counter(B.loop, (enum soq_counter) - 1));
	ROW(1, soq_counter_name((enum soq_counter)INT32_MAX) == NULL);
	ROW(-EINVAL, soq_loop_run(B.loop, (enum soq_run)3, 0));
	ROW(-EINVAL, soq_loop_create(&(struct soq_loop_options){ .size = 1 }, &loop_out));
	ROW(-EINVAL,
	    soq_loop_create(&(struct soq_loop_options){ .size = sizeof(struct soq_loop_options),
							.direct_count = UINT32_MAX },
			    &loop_out));
	ROW(-EINVAL,
	    soq_loop_create(&(struct soq_loop_options){ .size = sizeof(struct soq_loop_options),
							.napi_ns = UINT32_MAX },
			    &loop_out));
	ROW(-EINVAL,
	    soq_loop_create(&(struct soq_loop_options){ .size = sizeof(struct soq_loop_options),
							.flags = SOQ_LOOP_NAPI_PREFER },
			    &loop_out));
	ROW(-EINVAL, soq_loop_info(B.loop, &(struct soq_loop_info){ .size = 1 }));
	ROW(-EINVAL, soq_loop_stats(B.loop, &(struct soq_loop_stats){ .size = 1 }));
	ROW(-EAFNOSUPPORT, soq_socket_open(B.loop, 200, SOCK_STREAM, 0, &socket_out));
	ROW(-ESOCKTNOSUPPORT, soq_socket_open(B.loop, AF_INET, SOCK_RDM, 0, &socket_out));
	ROW(-EINVAL, soq_socket_open(B.loop, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, &socket_out));
	ROW(-EINVAL, soq_socket_open(NULL, AF_INET, -1, 0, &socket_out));
	ROW(-EINVAL, soq_supports(AF_INET, -1, 0));
	ROW(-EINVAL, soq_supports(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	ROW(0, soq_supports(200, SOCK_STREAM, 0));
	ROW(-EBADF, soq_socket_adopt(B.loop, -1, &socket_out));
	ROW(-EBADF, soq_socket_adopt(NULL, INT32_MAX, &socket_out));
	ROW(-EPROTONOSUPPORT, soq_socket_open(B.loop, AF_INET, SOCK_STREAM, 17, &socket_out));
	ROW(-EINVAL, soq_bind(B.fresh, &none));
	ROW(-EINVAL, soq_connect_async(B.fresh, B.idle, &none));
	ROW(-ENOPROTOOPT, soq_option_set(B.s, SOL_SOCKET, SO_RCVTIMEO, some, 16));
	ROW(-ENOPROTOOPT, soq_option_get(B.s, SOL_SOCKET, SO_SNDTIMEO, some, 16));
	ROW(-ENOPROTOOPT, soq_option_set(B.s, SOL_SOCKET, 9999, some, 4));
	ROW(-ENOPROTOOPT, soq_option_get(B.s, SOL_SOCKET, 9999, some, 4));
	ROW(-EINVAL, soq_option_set(B.s, SOL_SOCKET, SO_LINGER, some, 1));
	ROW(-EINVAL, soq_socket_set_option(B.s, (enum soq_option)0, 1));
	ROW(-EINVAL, soq_socket_set_option(B.s, (enum soq_option)INT32_MAX, 1));
	ROW(-EINVAL, soq_socket_set_option(B.s, (enum soq_option) - 1, 1));
	ROW(-EINVAL, soq_socket_get_option(B.s, (enum soq_option)10000, &value64));
	ROW(-EINVAL, soq_socket_set_option(B.s, SOQ_OPTION_CONGESTION_CONTROL, 1));
	ROW(-EINVAL, soq_socket_get_option(B.s, SOQ_OPTION_CONGESTION_CONTROL, &value64));
	ROW(-EINVAL, soq_socket_set_option_text(B.s, SOQ_OPTION_NO_DELAY, "1"));
	ROW(-EINVAL, soq_socket_get_option_text(B.s, (enum soq_option)0, some, sizeof(some)));
	ROW(-ENAMETOOLONG,
	    soq_socket_set_option_text(B.s, SOQ_OPTION_DEVICE, "more than 15 bytes"));
	ROW(-ENOSPC, soq_socket_get_option_text(B.s, SOQ_OPTION_DEVICE, some, 0));
	ROW(-ERANGE, soq_socket_set_option(B.s, SOQ_OPTION_NO_DELAY, INT64_MIN));
	ROW(-ERANGE, soq_socket_set_option(B.s, SOQ_OPTION_LINGER_NS, INT64_MAX));
	ROW(-EINVAL, soq_socket_set_option(B.s, SOQ_OPTION_LINGER_NS, 1));
	ROW(-ENOPROTOOPT, soq_socket_set_option(B.s, SOQ_OPTION_TYPE, 1));
	ROW(-EOPNOTSUPP, soq_socket_set_option(B.datagram, SOQ_OPTION_NO_DELAY, 1));
	ROW(-EOPNOTSUPP, soq_socket_tcp_info(B.datagram, &tcp_info_out));
	ROW(-EINVAL, soq_socket_tcp_info(B.s, &(struct soq_tcp_info){ .size = 1 }));
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, B.pool, SOQ_EXACT));
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, B.pool, SOQ_PEEK));
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, B.pool, SOQ_MULTISHOT | SOQ_CORK));
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, B.pool, 1u << 31));
}

/* Lengths: what is refused, however long; what is not starts on the fresh socket. */
static void rows_lengths(struct fixture *t)
{
	ROW(-EINVAL, soq_recv_async(B.s, B.idle, some, 0, 0));
	ROW(-EINVAL, soq_recv(B.s, some, 0, 0));
	ROW(-EINVAL, soq_recvv_async(B.s, B.idle, segments, 0, 0));
	ROW(-EINVAL, soq_recvv_async(B.s, B.idle, empty_segment, 1, 0));
	ROW(-EINVAL, soq_recvv(B.s, empty_segment, 1, 0));
	ROW(-EINVAL, soq_sendv_async(B.s, B.idle, segments, 0, 0));
	ROW(-EINVAL, soq_send_parts_async(B.s, B.idle, parts, 0, 0));
	ROW(-EINVAL, soq_send_parts(B.s, parts, SOQ_SEGMENTS_MAX + 1, 0));
	ROW(-EINVAL, soq_send_file_async(B.s, B.idle, B.file, 9, 0, 0));
	ROW(-EINVAL, soq_send_file_async(B.s, B.idle, B.file, 1, 8, 0));
	ROW(-EINVAL, soq_send_file(B.s, B.file, UINT64_MAX, 2, 0));
	ROW(-EINVAL, soq_send_file(B.s, B.file, 2, UINT64_MAX, 0));
	ROW(-EINVAL, soq_send_file(B.s, -1, 0, 0, 0));
	ROW(-EINVAL, soq_send_file(B.s, B.fd, 0, 0, 0));
	ROW(-EINVAL, soq_sendv_async(B.s, B.idle, segments, SOQ_SEGMENTS_MAX + 1, 0));
	ROW(-EINVAL, soq_recvv_async(B.s, B.idle, segments, UINT32_MAX, 0));
	ROW(-EINVAL, soq_sendv_async(B.s, B.idle, null_segment, 2, 0));
	ROW(-EINVAL, soq_recvv(B.s, null_segment, 2, 0));
	ROW(-EINVAL, soq_sendv(B.s, long_segment, 1, 0));
	ROW(-EINVAL, soq_sendv_async(B.s, B.idle, long_sum, 2, 0));
	ROW(-EINVAL, soq_recvv_async(B.s, B.idle, long_sum, 2, 0));
	ROW(-EINVAL, soq_send_async(B.s, B.idle, B.fake, TOO_LONG, 0));
	ROW(-EINVAL, soq_send(B.s, B.fake, SIZE_MAX, 0));
	ROW(-EINVAL, soq_recv_async(B.s, B.idle, B.fake, TOO_LONG, 0));
	ROW(-EINVAL, soq_recv(B.s, B.fake, SIZE_MAX, SOQ_EXACT));
	ROW(-ENOTCONN, soq_send_async(B.fresh, B.idle, B.fake, INT32_MAX, 0));
	ROW(-ENOTCONN, soq_send_async(B.fresh, B.idle, B.fake, HUGE31, 0));
	ROW(-ENOTCONN, soq_recv_async(B.fresh, B.idle, B.fake, INT32_MAX, 0));
	ROW(-ENOTCONN, soq_recv_async(B.fresh, B.idle, B.fake, HUGE31, 0));
	ROW(-ENOTCONN, soq_recv_async(B.fresh, B.idle, B.fake, SSIZE_MAX, 0));
	ROW(-EINVAL, soq_recv_from(B.datagram, some, 0, 0, &ep_out));
	ROW(-EINVAL, soq_recv_msg(B.datagram, message_of(empty_segment, 1), 0));
	ROW(-EINVAL, soq_recv_msg(B.datagram, message_of(segments, 0), 0));
	ROW(-EINVAL, soq_send_msg_async(B.s, B.idle, message_of(segments, 1025), 0));
	ROW(-EINVAL, soq_send_to(B.datagram, B.fake, TOO_LONG, 0, &B.datagram_ep));
	ROW(-EMSGSIZE, soq_send_to(B.datagram, B.fake, HUGE31, 0, &B.datagram_ep));
	ROW(-EMSGSIZE, soq_send_to_async(B.datagram, B.idle, B.fake, SSIZE_MAX, 0, &B.datagram_ep));
	ROW(-EINVAL, soq_send_batch(B.datagram, message_of(segments, 2), 0, 0));
	ROW(-EINVAL, soq_recv_batch(B.datagram, message_of(segments, 2), UINT32_MAX, 0));
	ROW(-EINVAL, soq_recv_batch_async(B.datagram, B.idle, message_of(empty_segment, 1), 1, 0));
	ROW(-EINVAL, soq_loop_harvest(B.loop, &an_event, 0, 0));
	ROW(-EINVAL, soq_wait_any(&B.quiet, 0, 0, &an_event));
	ROW(-EINVAL, soq_buf_slice(B.buf, 2, 0));
	ROW(-EINVAL, soq_buf_slice(B.buf, 0, 2));
	ROW(-EINVAL, soq_buf_slice(B.buf, 1, SIZE_MAX));
	ROW(-EINVAL, soq_buf_slice(B.buf, SIZE_MAX, SIZE_MAX));
}

/* One wrong field in each. */
static void rows_names(struct fixture *t)
{
#define RESOLVE(...)                                                                               \
	{                                                                                          \
		.size = sizeof(struct soq_resolve), .host = "h", .host_bytes = 1, __VA_ARGS__      \
	}
#define CONNECT(...)                                                                               \
	{                                                                                          \
		.size = sizeof(struct soq_connect_name), .host = "h", .host_bytes = 1, .port = 9,  \
		__VA_ARGS__                                                                        \
	}
	static const struct soq_resolve questions[] = {
		{ .size = 1, .host = "h", .host_bytes = 1 },
		{ .size = sizeof(struct soq_resolve) + 8, .host = "h", .host_bytes = 1 },
		RESOLVE(.family = AF_UNIX),
		RESOLVE(.port = UINT16_MAX + 1),
		RESOLVE(.flags = 1u << 1),
		RESOLVE(.endpoint_max = 1),
		RESOLVE(.reserved0 = 1),
		RESOLVE(.reserved = { [3] = 1 }),
	};
	static const struct soq_connect_name names[] = {
		{ .size = 1, .host = "h", .host_bytes = 1, .port = 9 },
		CONNECT(.family = AF_UNIX),
		CONNECT(.type = SOCK_STREAM | SOCK_NONBLOCK),
		CONNECT(.type = -1),
		{ .size = sizeof(struct soq_connect_name), .host = "h", .host_bytes = 1 },
		{ .size = sizeof(struct soq_connect_name),
		  .host = "h",
		  .host_bytes = 1,
		  .port = UINT16_MAX + 1 },
		CONNECT(.flags = 1u << 1),
		CONNECT(.stagger_ns = 10 * MS - 1),
		CONNECT(.stagger_ns = -1),
		CONNECT(.option_count = 1),
		CONNECT(.reserved = { [2] = 1 }),
	};
	/* A loop has its own. */
	const struct soq_connect_name policed =
		CONNECT(.policy = (struct soq_policy *)(uintptr_t)&questions);
#undef RESOLVE
#undef CONNECT

	for (const struct soq_resolve *q = questions; q < questions + COUNT_OF(questions); q++) {
		ROW(-EINVAL, soq_resolve_async(B.loop, B.idle, q));
		ROW(-EINVAL, soq_resolve(NULL, q, 0));
	}
	for (const struct soq_connect_name *n = names; n < names + COUNT_OF(names); n++) {
		ROW(-EINVAL, soq_connect_name_async(B.loop, B.idle, n));
		ROW(-EINVAL, soq_connect_name(NULL, n, 0, &socket_out));
	}
	ROW(-EINVAL, soq_connect_name_async(B.loop, B.idle, &policed));
	/* In this order: arguments, then whose the loop and the op are. */
	ROW(-EINVAL, soq_resolve_async(B.loop, B.busy, questions));
	ROW(-EINVAL, soq_connect_name_async(B.loop, B.busy, names));
}

/* Every subject with NULL, with a closed handle, with an op in flight. */
static void rows_subjects(struct fixture *t)
{
	const struct on good = { bench.loop, bench.s, bench.idle };

	for (const struct subject *s = subjects; s < subjects + COUNT_OF(subjects); s++) {
		struct on on = good;

		on.loop = NULL;
		if (s->takes & LOOP)
			check_row(t, s->name, s->call(&on), -EINVAL);
		on = good;
		on.s = NULL;
		if (s->takes & SOCKET)
			check_row(t, s->name, s->call(&on), -EINVAL);
		on.s = bench.closed;
		if (s->takes & SOCKET)
			check_row(t, s->name, s->call(&on), -EBADF);
		on = good;
		on.op = NULL;
		if (s->takes & OP)
			check_row(t, s->name, s->call(&on), -EINVAL);
		on.op = bench.busy;
		if (s->takes & STARTS)
			check_row(t, s->name, s->call(&on), -EBUSY);
		on.op = bench.quiet;
		if (s->takes & STARTS)
			check_row(t, s->name, s->call(&on), -EBUSY);
	}
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

static void bench_open(struct fixture *t)
{
	socket_out = NULL;
	loop_out = NULL;
	pool_out = NULL;
	tried_count = 0;
	memset(tried, 0, sizeof(tried));
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

/* What was in flight ends as if nothing had been; both directions still work. */
static void bench_close(struct fixture *t)
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

static void nobody_arrives(struct soq_group *group, unsigned member, struct soq_socket *s,
			   void *user)
{
	(void)group;
	(void)member;
	(void)s;
	(void)user;
}

/* A good way to listen but for what a row changes. */
static struct soq_group_listen_options *listen_of(uint32_t steering)
{
	static struct soq_group_listen_options how;

	how = (struct soq_group_listen_options){ .size = sizeof(how),
						 .steering = steering,
						 .accepted = nobody_arrives };
	return &how;
}

/* No group, and one that lacks everything else. */
static void rows_groups(struct fixture *t)
{
	/* On epoll on every tier: valgrind runs no thread while another one sleeps in a ring. */
	const struct soq_loop_options epoll = { .size = sizeof(epoll),
						.backend = SOQ_BACKEND_EPOLL };
	const struct soq_group_options options = { .size = sizeof(options),
						   .member_count = 1,
						   .loop = &epoll };
	struct soq_group *group = NULL;

	ROW(-EINVAL, soq_group_create(&options, NULL));
	ROW(-EINVAL, soq_group_create(&(struct soq_group_options){ .size = 1 }, &group));
	ROW(0, soq_group_destroy(NULL));
	ROW(-EINVAL, soq_group_stop(NULL));
	ROW(-EINVAL, soq_group_wait(NULL, 0));
	ROW(-EINVAL, soq_group_listen(NULL, &B.ep, listen_of(0), NULL));
	ROW(-EINVAL, soq_group_count(NULL));
	ROW(1, soq_group_loop(NULL, 0) == NULL);
	ROW(-EINVAL, soq_group_post(NULL, 0, B.idle));
	ROW(-EINVAL, soq_group_hand_over(NULL, B.fresh, 0, nobody_arrives, NULL));
	ROW(-EINVAL, soq_group_drain(NULL, 0));
	ROW(-EINVAL, soq_group_stats(NULL, &stats));
	assert_null(group);
	expect(soq_group_create(&options, &group), 0);
	ROW(-EINVAL, soq_group_listen(group, NULL, listen_of(0), NULL));
	ROW(-EINVAL, soq_group_listen(group, &B.ep, NULL, NULL));
	ROW(-EINVAL, soq_group_listen(group, &B.ep, listen_of(3), NULL));
	ROW(-EINVAL, soq_group_listen(group, &B.ep, listen_of(SOQ_STEER_INCOMING_CPU), NULL));
	ROW(-EINVAL,
	    soq_group_listen(group, &B.ep, &(struct soq_group_listen_options){ .size = 1 }, NULL));
	ROW(-EINVAL, soq_group_listen(group, &B.ep,
				      &(struct soq_group_listen_options){
					      .size = sizeof(struct soq_group_listen_options) },
				      NULL));
	ROW(-EAFNOSUPPORT, soq_group_listen(group, &none, listen_of(0), NULL));
	ROW(-EADDRINUSE, soq_group_listen(group, &B.ep, listen_of(0), NULL));
	ROW(1, soq_group_loop(group, 1) == NULL);
	ROW(-EINVAL, soq_group_post(group, 1, B.idle));
	ROW(-EINVAL, soq_group_post(group, 0, NULL));
	ROW(-EBUSY, soq_group_post(group, 0, B.busy));
	ROW(-EINVAL, soq_group_hand_over(group, NULL, 0, nobody_arrives, NULL));
	ROW(-EINVAL, soq_group_hand_over(group, B.fresh, 1, nobody_arrives, NULL));
	ROW(-EINVAL, soq_group_hand_over(group, B.fresh, 0, NULL, NULL));
	ROW(-EBADF, soq_group_hand_over(group, B.closed, 0, nobody_arrives, NULL));
	ROW(-EBUSY, soq_group_hand_over(group, B.s, 0, nobody_arrives, NULL));
	ROW(-EINVAL, soq_group_stats(group, NULL));
	ROW(-EINVAL, soq_group_stats(group, &(struct soq_loop_stats){ .size = 1 }));
	ROW(-ETIME, soq_group_wait(group, 0));
	expect(soq_group_destroy(group), 0);
}

static void rows_all(struct fixture *t)
{
	rows_subjects(t);
	rows_groups(t);
	rows_nulls(t);
	rows_handles(t);
	rows_states(t);
	rows_flags(t);
	rows_lengths(t);
	rows_policy(t);
	rows_names(t);
}

static void bad_input_is_refused_and_starts_nothing(struct fixture *t)
{
	bench_open(t);
	rows_all(t);
	bench_close(t);
}

/* The subjects, well formed, where they may not be called at all. */
static void call_all(int64_t *results)
{
	for (unsigned i = 0; i < COUNT_OF(subjects); i++) {
		unsigned takes = subjects[i].takes;
		struct on on = { bench.loop, bench.s, (takes & STARTS) ? bench.idle : bench.quiet };

		results[i] = subjects[i].call(&on);
	}
}

static void *call_most(void *arg)
{
	int64_t *results = arg;

	for (unsigned i = 0; i < COUNT_OF(subjects); i++) {
		unsigned takes = subjects[i].takes;
		struct on on = { bench.loop, bench.s, (takes & STARTS) ? bench.idle : bench.quiet };

		results[i] = (takes & ANY) ? -EXDEV : subjects[i].call(&on);
	}
	return NULL;
}

static void another_thread_is_refused_by_every_call(struct fixture *t)
{
	int64_t results[COUNT_OF(subjects)];
	pthread_t thread;

	bench_open(t);
	expect(pthread_create(&thread, NULL, call_most, results), 0);
	expect(pthread_join(thread, NULL), 0);
	for (unsigned i = 0; i < COUNT_OF(subjects); i++)
		check_row(t, subjects[i].name, results[i], -EXDEV);
	bench_close(t);
}

static void child_is_refused_by_every_call(struct fixture *t)
{
	int64_t results[COUNT_OF(subjects)];
	int ends[2], status = 0;
	pid_t child;

	bench_open(t);
	expect(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		call_all(results);
		if (write(ends[1], results, sizeof(results)) != (ssize_t)sizeof(results))
			_exit(1);
		_exit(0);
	}
	expect_true(child > 0);
	close(ends[1]);
	expect(read(ends[0], results, sizeof(results)), sizeof(results));
	close(ends[0]);
	expect(waitpid(child, &status, 0), child);
	expect(status, 0);
	for (unsigned i = 0; i < COUNT_OF(subjects); i++)
		check_row(t, subjects[i].name, results[i],
			  (subjects[i].takes & CHILD_MAY) ? 0 : -ECHILD);
	bench_close(t);
}

/* The names in the headers, as the build found them. */
static const char *const public_functions[] = {
#ifdef SOQ_API_LIST
#include SOQ_API_LIST
#endif
	NULL,
};

static void every_public_function_has_a_row(struct fixture *t)
{
	unsigned known = 0;

	bench_open(t);
	rows_all(t);
	for (; public_functions[known]; known++) {
		const char *name = public_functions[known];
		unsigned found = 0;

		for (unsigned i = 0; i < tried_count; i++)
			found += !strcmp(tried[i], name);
		if (!found)
			fail_msg("%s() has no row in %s", name, __FILE__);
	}
	if (known)
		expect(known, tried_count);
	bench_close(t);
}

static const struct conf_case cases[] = {
	CASE(bad_input_is_refused_and_starts_nothing, "1a 4b 5a 8a 8e 11c 15a 2d"),
	CASE(another_thread_is_refused_by_every_call, "16a"),
	CASE(child_is_refused_by_every_call, "17a"),
	CASE(every_public_function_has_a_row, "1a"),
};

CONF_GROUP(badinput, cases)
