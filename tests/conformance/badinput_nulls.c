/* SPDX-License-Identifier: MIT */
/* NULL, or nothing, for each pointer argument that is no loop, socket or op. */
#define _GNU_SOURCE
#include "badinput.h"

static void nulls_of_sockets(struct fixture *t)
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
	ROW(-EINVAL, soq_socket_adopt(B.loop, B.fd, NULL));
	ROW(-EINVAL, soq_socket_detach(B.fresh, NULL));
	ROW(-EINVAL, soq_socket_attach(B.loop, B.detached, NULL));
	ROW(-EINVAL, soq_socket_attach(B.loop, NULL, &socket_out));
	ROW(-EINVAL, soq_socket_info(B.s, NULL));
	ROW(-EINVAL, soq_socket_stats(B.s, NULL));
	ROW(-EINVAL, soq_listen_fds(NULL, 1, 0));
	ROW(-EINVAL, soq_poll_any(NULL, 1, 0));
	ROW(-EINVAL, soq_poll_any(entry_of(B.s, SOQ_POLL_RECV), 0, 0));
	ROW(-EINVAL, soq_socket_available(B.s, NULL));
	ROW(-EINVAL, soq_socket_take_error(B.s, NULL));
}

static void nulls_of_data(struct fixture *t)
{
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
}

static void nulls_of_connects(struct fixture *t)
{
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
}

static void nulls_of_messages(struct fixture *t)
{
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
}

static void nulls_of_streams(struct fixture *t)
{
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
}

static void nulls_of_loops(struct fixture *t)
{
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
}

static void nulls_of_endpoints(struct fixture *t)
{
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
}

static void nulls_of_multicast(struct fixture *t)
{
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
}

void rows_nulls(struct fixture *t)
{
	nulls_of_sockets(t);
	nulls_of_data(t);
	nulls_of_connects(t);
	nulls_of_messages(t);
	nulls_of_streams(t);
	nulls_of_loops(t);
	nulls_of_endpoints(t);
	nulls_of_multicast(t);
}
