/* SPDX-License-Identifier: MIT */
/* Every public call that works on a loop, a socket or an op, well formed. */
#include "badinput.h"

static struct soq_credentials credentials_out = { .size = sizeof(credentials_out) };
static struct soq_listener_stats door_stats = { .size = sizeof(door_stats) };
static struct soq_loop_info info = { .size = sizeof(info) };
static struct soq_loop_stats stats = { .size = sizeof(stats) };
static struct soq_stream *stream_out;
static int value;
static int32_t error_out;
static struct soq_report report_out = { .size = sizeof(report_out) };
static struct soq_socket_info socket_info = { .size = sizeof(socket_info) };
static struct soq_socket_stats socket_stats = { .size = sizeof(socket_stats) };

static void never_asked(struct soq_op *op, int cause, void *arg)
{
	(void)op;
	(void)cause;
	(void)arg;
}

/* Each call, otherwise well formed, on what it is given. */
#define CALL(name, expression)                                                                     \
	static int64_t call_##name(const struct on *on)                                            \
	{                                                                                          \
		(void)on;                                                                          \
		return expression;                                                                 \
	}

CALL(socket_open, soq_socket_open(on->loop, AF_INET, SOCK_STREAM, 0, &socket_out))
CALL(bind, soq_bind(on->s, &bench.ep))
CALL(listen, soq_listen(on->s, 1))
CALL(socket_local, soq_socket_local(on->s, &ep_out))
CALL(socket_peer, soq_socket_peer(on->s, &ep_out))
CALL(socket_peer_credentials, soq_socket_peer_credentials(on->s, &credentials_out))
CALL(socket_set_user, soq_socket_set_user(on->s, some))
CALL(socket_set_timeouts, soq_socket_set_timeouts(on->s, 0, 0))
CALL(accept_async, soq_accept_async(on->s, on->op, 0))
CALL(accept, soq_accept(on->s, &socket_out, NULL))
CALL(accept_data_async, soq_accept_data_async(on->s, on->op, some, 8))
CALL(accept_data, soq_accept_data(on->s, some, 8, &socket_out, NULL))
CALL(accept_into_async, soq_accept_into_async(on->s, on->op, bench.fresh))
CALL(accept_into, soq_accept_into(on->s, bench.fresh, NULL))
CALL(connect_data_async, soq_connect_data_async(on->s, on->op, &bench.ep, some, 8, 0))
CALL(connect_data, soq_connect_data(on->s, &bench.ep, some, 8, 0))
CALL(disconnect_async, soq_disconnect_async(on->s, on->op, SOQ_REUSE))
CALL(disconnect, soq_disconnect(on->s, SOQ_REUSE))
CALL(connect_async, soq_connect_async(on->s, on->op, &bench.ep))
CALL(connect, soq_connect(on->s, &bench.ep))
CALL(connect_list_async, soq_connect_list_async(on->loop, on->op, list_of(&bench.ep, 1)))
CALL(connect_list, soq_connect_list(on->loop, list_of(&bench.ep, 1), 0, &socket_out))
CALL(resolve_async, soq_resolve_async(on->loop, on->op, question_of("192.0.2.1")))
CALL(resolve, soq_resolve(on->loop, question_of("192.0.2.1"), 0))
CALL(connect_name_async, soq_connect_name_async(on->loop, on->op, name_of("127.0.0.1", 9)))
CALL(connect_name, soq_connect_name(on->loop, name_of("127.0.0.1", 9), 0, &socket_out))
CALL(shutdown_async, soq_shutdown_async(on->s, on->op, SOQ_SHUTDOWN_SEND))
CALL(shutdown, soq_shutdown(on->s, SOQ_SHUTDOWN_SEND))
CALL(close, soq_close(on->s))
CALL(close_async, soq_close_async(on->s, on->op))
CALL(finish_async, soq_finish_async(on->s, on->op, 0))
CALL(finish, soq_finish(on->s, 0))
CALL(abort, soq_abort(on->s))
CALL(option_set, soq_option_set(on->s, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)))
CALL(option_get, soq_option_get(on->s, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)))
CALL(socket_set_option, soq_socket_set_option(on->s, SOQ_OPTION_NO_DELAY, 1))
CALL(socket_get_option, soq_socket_get_option(on->s, SOQ_OPTION_NO_DELAY, &value64))
CALL(socket_set_option_text,
     soq_socket_set_option_text(on->s, SOQ_OPTION_CONGESTION_CONTROL, "reno"))
CALL(socket_get_option_text,
     soq_socket_get_option_text(on->s, SOQ_OPTION_CONGESTION_CONTROL, some, sizeof(some)))
CALL(socket_tcp_info, soq_socket_tcp_info(on->s, &tcp_info_out))
CALL(multicast_join, soq_multicast_join(on->s, &bench.ep, NULL, 1))
CALL(multicast_leave, soq_multicast_leave(on->s, &bench.ep, NULL, 1))
CALL(multicast_block, soq_multicast_block(on->s, &bench.ep, &bench.ep, 1))
CALL(multicast_unblock, soq_multicast_unblock(on->s, &bench.ep, &bench.ep, 1))
CALL(send_async, soq_send_async(on->s, on->op, some, 8, 0))
CALL(send, soq_send(on->s, some, 8, 0))
CALL(sendv_async, soq_sendv_async(on->s, on->op, segments, 2, 0))
CALL(sendv, soq_sendv(on->s, segments, 2, 0))
CALL(relay_async, soq_relay_async(on->s, on->op, bench.s, 0))
CALL(send_parts_async, soq_send_parts_async(on->s, on->op, parts, 2, 0))
CALL(send_parts, soq_send_parts(on->s, parts, 2, 0))
CALL(send_file_async, soq_send_file_async(on->s, on->op, bench.file, 0, 8, 0))
CALL(send_file, soq_send_file(on->s, bench.file, 0, 0, 0))
CALL(recv_async, soq_recv_async(on->s, on->op, some, 8, 0))
CALL(recv, soq_recv(on->s, some, 8, 0))
CALL(recvv_async, soq_recvv_async(on->s, on->op, segments, 2, 0))
CALL(recvv, soq_recvv(on->s, segments, 2, 0))
CALL(socket_adopt, soq_socket_adopt(on->loop, bench.fd, &socket_out))
CALL(socket_release, soq_socket_release(on->s))
CALL(socket_detach, soq_socket_detach(on->s, &socket_out))
CALL(socket_attach, soq_socket_attach(on->loop, bench.detached, &socket_out))
CALL(socket_info, soq_socket_info(on->s, &socket_info))
CALL(socket_stats, soq_socket_stats(on->s, &socket_stats))
CALL(send_to_async, soq_send_to_async(on->s, on->op, some, 8, 0, &bench.ep))
CALL(send_to, soq_send_to(on->s, some, 8, 0, &bench.ep))
CALL(recv_from_async, soq_recv_from_async(on->s, on->op, some, 8, 0, &ep_out))
CALL(recv_from, soq_recv_from(on->s, some, 8, 0, &ep_out))
CALL(send_msg_async, soq_send_msg_async(on->s, on->op, message_of(segments, 2), 0))
CALL(send_msg, soq_send_msg(on->s, message_of(segments, 2), 0))
CALL(recv_msg_async, soq_recv_msg_async(on->s, on->op, message_of(segments, 2), 0))
CALL(recv_msg, soq_recv_msg(on->s, message_of(segments, 2), 0))
CALL(recv_error, soq_recv_error(on->s, &report_out))
CALL(pool_create, soq_pool_create(on->loop, NULL, &pool_out))
CALL(pool_info, soq_pool_info(bench.pool, &pool_info_out))
CALL(pool_destroy, soq_pool_destroy(bench.pool))
CALL(recv_buf_async, soq_recv_buf_async(on->s, on->op, bench.pool, 0))
CALL(buf_return, soq_buf_return(bench.buf))
CALL(buf_retain, soq_buf_retain(bench.buf))
CALL(buf_slice, soq_buf_slice(bench.buf, 0, 0))
CALL(buf_message, soq_buf_message(bench.buf, message_of(segments, 1)))
CALL(buf_peer, soq_buf_peer(bench.buf, &ep_out))
CALL(send_batch_async, soq_send_batch_async(on->s, on->op, message_of(segments, 2), 1, 0))
CALL(send_batch, soq_send_batch(on->s, message_of(segments, 2), 1, 0))
CALL(recv_batch_async, soq_recv_batch_async(on->s, on->op, message_of(segments, 2), 1, 0))
CALL(recv_batch, soq_recv_batch(on->s, message_of(segments, 2), 1, 0))
CALL(socket_set_message_info, soq_socket_set_message_info(on->s, SOQ_INFO_PACKET))
CALL(poll_async, soq_poll_async(on->s, on->op, SOQ_POLL_RECV, 0))
CALL(poll, soq_poll(on->s, SOQ_POLL_RECV, 0))
CALL(poll_any, soq_poll_any(entry_of(on->s, SOQ_POLL_RECV), 1, 0))
CALL(socket_available, soq_socket_available(on->s, &available_out))
CALL(socket_at_mark, soq_socket_at_mark(on->s))
CALL(socket_take_error, soq_socket_take_error(on->s, &error_out))
CALL(sleep_async, soq_sleep_async(on->loop, on->op, 0))
CALL(sleep, soq_sleep(on->loop, 0))
CALL(stream_open, soq_stream_open(on->s, NULL, &stream_out))
CALL(stream_close, soq_stream_close(bench.stream))
CALL(stream_read, soq_stream_read(bench.stream, some, 8))
CALL(stream_read_exact, soq_stream_read_exact(bench.stream, some, 8))
CALL(stream_read_until, soq_stream_read_until(bench.stream, ";", 1, some, 8))
CALL(stream_read_prefixed, soq_stream_read_prefixed(bench.stream, 1, some, 8, &available_out))
CALL(stream_write, soq_stream_write(bench.stream, some, 8))
CALL(stream_write_prefixed, soq_stream_write_prefixed(bench.stream, 1, some, 8))
CALL(stream_flush, soq_stream_flush(bench.stream))
CALL(stream_end, soq_stream_end(bench.stream))
CALL(stream_copy, soq_stream_copy(bench.stream, bench.stream))
CALL(stream_read_async, soq_stream_read_async(bench.stream, on->op, some, 8))
CALL(stream_read_exact_async, soq_stream_read_exact_async(bench.stream, on->op, some, 8))
CALL(stream_read_until_async, soq_stream_read_until_async(bench.stream, on->op, ";", 1, some, 8))
CALL(stream_read_prefixed_async,
     soq_stream_read_prefixed_async(bench.stream, on->op, 1, some, 8, &available_out))
CALL(stream_write_async, soq_stream_write_async(bench.stream, on->op, some, 8))
CALL(stream_flush_async, soq_stream_flush_async(bench.stream, on->op))
CALL(stream_copy_async, soq_stream_copy_async(bench.stream, bench.stream, on->op))
CALL(listener_open, soq_listener_open(on->loop, &door_options, &door_out))
CALL(listener_close, soq_listener_close(bench.door))
CALL(listener_start, soq_listener_start(bench.door))
CALL(listener_stop, soq_listener_stop(bench.door))
CALL(listener_accept_async, soq_listener_accept_async(bench.door, on->op, &place_out))
CALL(listener_accept, soq_listener_accept(bench.door, &place_out, 0, &socket_out))
CALL(listener_drain_async, soq_listener_drain_async(bench.door, on->op))
CALL(listener_drain, soq_listener_drain(bench.door, 0))
CALL(listener_stats, soq_listener_stats(bench.door, &door_stats))
CALL(connection_set_phase, soq_connection_set_phase(&bench.place, SOQ_PHASE_IDLE))
CALL(connection_end, soq_connection_end(&bench.place))
CALL(udp_open, soq_udp_open(bench.loop, &udp_options, &socket_out))
CALL(op_begin, soq_op_begin(on->loop, on->op, never_asked, NULL))
CALL(op_finish, soq_op_finish(on->op, 0, 0, NULL))
CALL(loop_run, soq_loop_run(on->loop, SOQ_RUN_ONCE, 0))
CALL(loop_harvest, soq_loop_harvest(on->loop, &an_event, 1, 0))
CALL(loop_stop, soq_loop_stop(on->loop))
CALL(loop_post, soq_loop_post(on->loop, on->op))
CALL(loop_fd, soq_loop_fd(on->loop))
CALL(loop_deadline, soq_loop_deadline(on->loop))
CALL(loop_info, soq_loop_info(on->loop, &info))
CALL(loop_stats, soq_loop_stats(on->loop, &stats))
CALL(loop_counter, soq_loop_counter(on->loop, SOQ_COUNTER_TURNS))
CALL(loop_close_all, soq_loop_close_all(on->loop))
CALL(loop_destroy, soq_loop_destroy(on->loop))
CALL(cancel, soq_cancel(on->op))
CALL(wait, soq_wait(on->op, 0, &an_event))
CALL(wait_any, soq_wait_any(&on->op, 1, 0, &an_event))

const struct subject subjects[] = {
#define S(name, takes)                                                                             \
	{                                                                                          \
		"soq_" #name, call_##name, takes                                                   \
	}
	S(socket_open, 0),
	S(bind, SOCKET),
	S(listen, SOCKET),
	S(socket_local, SOCKET),
	S(socket_peer, SOCKET),
	S(socket_peer_credentials, SOCKET),
	S(socket_set_user, SOCKET),
	S(socket_set_timeouts, SOCKET),
	S(accept_async, SOCKET | OP | STARTS),
	S(accept, SOCKET),
	S(accept_data_async, SOCKET | OP | STARTS),
	S(accept_data, SOCKET),
	S(accept_into_async, SOCKET | OP | STARTS),
	S(accept_into, SOCKET),
	S(connect_data_async, SOCKET | OP | STARTS),
	S(connect_data, SOCKET),
	S(disconnect_async, SOCKET | OP | STARTS),
	S(disconnect, SOCKET),
	S(connect_async, SOCKET | OP | STARTS),
	S(connect, SOCKET),
	S(connect_list_async, LOOP | OP | STARTS),
	S(connect_list, 0),
	S(resolve_async, LOOP | OP | STARTS),
	S(resolve, 0),
	S(connect_name_async, LOOP | OP | STARTS),
	S(connect_name, 0),
	S(shutdown_async, SOCKET | OP | STARTS),
	S(shutdown, SOCKET),
	S(close, SOCKET),
	S(close_async, SOCKET | OP | STARTS),
	S(finish_async, SOCKET | OP | STARTS),
	S(finish, SOCKET),
	S(abort, SOCKET),
	S(option_set, SOCKET),
	S(option_get, SOCKET),
	S(socket_set_option, SOCKET),
	S(socket_get_option, SOCKET),
	S(socket_set_option_text, SOCKET),
	S(socket_get_option_text, SOCKET),
	S(socket_tcp_info, SOCKET),
	S(multicast_join, SOCKET),
	S(multicast_leave, SOCKET),
	S(multicast_block, SOCKET),
	S(multicast_unblock, SOCKET),
	S(send_async, SOCKET | OP | STARTS),
	S(send, SOCKET),
	S(sendv_async, SOCKET | OP | STARTS),
	S(sendv, SOCKET),
	S(relay_async, SOCKET | OP | STARTS),
	S(send_parts_async, SOCKET | OP | STARTS),
	S(send_parts, SOCKET),
	S(send_file_async, SOCKET | OP | STARTS),
	S(send_file, SOCKET),
	S(recv_async, SOCKET | OP | STARTS),
	S(recv, SOCKET),
	S(recvv_async, SOCKET | OP | STARTS),
	S(recvv, SOCKET),
	S(socket_adopt, 0),
	S(socket_release, SOCKET),
	S(socket_detach, SOCKET),
	S(socket_attach, LOOP),
	S(socket_info, SOCKET),
	S(socket_stats, SOCKET),
	S(send_to_async, SOCKET | OP | STARTS),
	S(send_to, SOCKET),
	S(recv_from_async, SOCKET | OP | STARTS),
	S(recv_from, SOCKET),
	S(send_msg_async, SOCKET | OP | STARTS),
	S(send_msg, SOCKET),
	S(recv_msg_async, SOCKET | OP | STARTS),
	S(recv_msg, SOCKET),
	S(recv_error, SOCKET),
	S(pool_create, LOOP),
	S(pool_info, 0),
	S(pool_destroy, 0),
	S(recv_buf_async, SOCKET | OP | STARTS),
	S(buf_return, 0),
	S(buf_retain, 0),
	S(buf_slice, 0),
	S(buf_message, 0),
	S(buf_peer, 0),
	S(send_batch_async, SOCKET | OP | STARTS),
	S(send_batch, SOCKET),
	S(recv_batch_async, SOCKET | OP | STARTS),
	S(recv_batch, SOCKET),
	S(socket_set_message_info, SOCKET),
	S(poll_async, SOCKET | OP | STARTS),
	S(poll, SOCKET),
	S(poll_any, SOCKET),
	S(socket_available, SOCKET),
	S(socket_at_mark, SOCKET),
	S(socket_take_error, SOCKET),
	S(sleep_async, LOOP | OP | STARTS),
	S(sleep, LOOP),
	S(stream_open, SOCKET),
	S(stream_close, 0),
	S(stream_read, 0),
	S(stream_read_exact, 0),
	S(stream_read_until, 0),
	S(stream_read_prefixed, 0),
	S(stream_write, 0),
	S(stream_write_prefixed, 0),
	S(stream_flush, 0),
	S(stream_end, 0),
	S(stream_copy, 0),
	S(stream_read_async, OP | STARTS),
	S(stream_read_exact_async, OP | STARTS),
	S(stream_read_until_async, OP | STARTS),
	S(stream_read_prefixed_async, OP | STARTS),
	S(stream_write_async, OP | STARTS),
	S(stream_flush_async, OP | STARTS),
	S(stream_copy_async, OP | STARTS),
	S(listener_open, LOOP),
	S(listener_close, 0),
	S(listener_start, 0),
	S(listener_stop, 0),
	S(listener_accept_async, OP | STARTS),
	S(listener_accept, 0),
	S(listener_drain_async, OP | STARTS),
	S(listener_drain, 0),
	S(listener_stats, 0),
	S(connection_set_phase, 0),
	S(connection_end, 0),
	S(udp_open, 0),
	S(op_begin, LOOP | OP | STARTS),
	S(op_finish, OP),
	S(loop_run, LOOP),
	S(loop_harvest, LOOP),
	S(loop_stop, LOOP | ANY),
	S(loop_post, LOOP | OP | STARTS | ANY),
	S(loop_fd, LOOP),
	S(loop_deadline, LOOP),
	S(loop_info, LOOP | ANY),
	S(loop_stats, LOOP),
	S(loop_counter, LOOP),
	S(loop_close_all, LOOP),
	S(cancel, OP),
	S(wait, OP),
	S(wait_any, OP),
	S(loop_destroy, CHILD_MAY),
};

const unsigned subject_count = COUNT_OF(subjects);
_Static_assert(COUNT_OF(subjects) <= SUBJECTS_MAX, "room for a result of each");
