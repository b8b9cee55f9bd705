/* SPDX-License-Identifier: MIT */
/* Numbers that make no sense: flags and words nobody knows, lengths. */
#define _GNU_SOURCE
#include "badinput.h"

static const struct iovec null_segment[] = { { some, 8 }, { NULL, 1 } };
static const struct iovec empty_segment[] = { { some, 0 } };
static const struct iovec long_segment[] = { { some, TOO_LONG } };
static const struct iovec long_sum[] = { { some, SSIZE_MAX }, { some, 1 } };

/* A good message but for what it says beside, of which everything is 0. */
static struct soq_message *telling(uint32_t what)
{
	struct soq_message *message = message_of(segments, 2);

	message->info = what;
	message->peer = bench.datagram_ep;
	return message;
}

static void flags_of_data(struct fixture *t)
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
}

static void flags_of_messages(struct fixture *t)
{
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
}

static void flags_of_polls_and_lists(struct fixture *t)
{
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
}

static void words_of_loops(struct fixture *t)
{
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
}

static void words_of_sockets(struct fixture *t)
{
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
	ROW(-EINVAL, soq_socket_info(B.s, &(struct soq_socket_info){ .size = 1 }));
	ROW(-EINVAL, soq_socket_stats(B.s, &(struct soq_socket_stats){ .size = 1 }));
}

static void words_of_options(struct fixture *t)
{
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
}

static void flags_of_bufs(struct fixture *t)
{
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, B.pool, SOQ_EXACT));
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, B.pool, SOQ_PEEK));
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, B.pool, SOQ_MULTISHOT | SOQ_CORK));
	ROW(-EINVAL, soq_recv_buf_async(B.s, B.idle, B.pool, 1u << 31));
}

static void words_of_errors(struct fixture *t)
{
	ROW(SOQ_VERSION, soq_version());
	ROW('S', soq_error_name(INT32_MIN)[0]);
	ROW('u', soq_error_errno_name(-4095)[0]);
	ROW('u', soq_error_text(INT32_MIN)[0]);
	ROW(SOQ_ERROR_SOCKET, soq_error_class_of(INT32_MIN));
}

/* Flags and words nobody knows. */
void rows_flags(struct fixture *t)
{
	flags_of_data(t);
	flags_of_messages(t);
	flags_of_polls_and_lists(t);
	words_of_loops(t);
	words_of_sockets(t);
	words_of_options(t);
	flags_of_bufs(t);
	words_of_errors(t);
}

/* Lengths: what is refused, however long; what is not starts on the fresh socket. */
void rows_lengths(struct fixture *t)
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
