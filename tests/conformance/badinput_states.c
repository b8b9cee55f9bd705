/* SPDX-License-Identifier: MIT */
/* Calls that are good, on what is in the wrong state for them. */
#include "badinput.h"

/* Handles that are dead, or none. */
void rows_handles(struct fixture *t)
{
	ROW(1, soq_socket_loop(NULL) == NULL);
	ROW(1, soq_socket_loop(B.closed) == NULL);
	ROW(1, soq_socket_user(NULL) == NULL);
	ROW(1, soq_socket_user(B.closed) == NULL);
	ROW(1, soq_socket_loop(B.detached) == NULL);
}

/* The wrong state. */
void rows_states(struct fixture *t)
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
