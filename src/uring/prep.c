/* SPDX-License-Identifier: MIT */
/* Requests into SQEs, and nothing else. */
#include "../pool.h"
#include "uring.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

/* A blank message; soqi_ring_sqe() has seen to it that there is one. */
static struct msghdr *message_for(struct soqi_uring *impl, const struct soqi_request *request)
{
	struct msghdr *message;

	assert(impl->messages_used < impl->messages_max);
	message = &impl->messages[impl->messages_used++];
	memset(message, 0, sizeof(*message));
	message->msg_iov = request->segments;
	message->msg_iovlen = request->segment_count;
	return message;
}

static void prep_send(struct soqi_uring *impl, struct io_uring_sqe *sqe,
		      const struct soqi_request *request)
{
	const struct iovec *one = request->segments;

	if (request->header != NULL)
		io_uring_prep_sendmsg(sqe, request->fd, request->header,
				      (unsigned)request->message_flags);
	else if (request->segment_count == 1)
		io_uring_prep_send(sqe, request->fd, one->iov_base, one->iov_len,
				   request->message_flags);
	else
		io_uring_prep_sendmsg(sqe, request->fd, message_for(impl, request),
				      (unsigned)request->message_flags);
}

static void prep_recv(struct soqi_uring *impl, struct io_uring_sqe *sqe,
		      const struct soqi_request *request)
{
	const struct iovec *one = request->segments;

	if (request->header != NULL)
		io_uring_prep_recvmsg(sqe, request->fd, request->header,
				      (unsigned)request->message_flags);
	else if (request->segment_count == 1)
		io_uring_prep_recv(sqe, request->fd, one->iov_base, one->iov_len,
				   request->message_flags);
	else
		io_uring_prep_recvmsg(sqe, request->fd, message_for(impl, request),
				      (unsigned)request->message_flags);
}

/*
 * Armed for POLLPRI alone the ring sleeps through an urgent byte (seen on 6.18). Its
 * arrival wakes POLLRDBAND, which no socket ever is: the poll comes back for nothing
 * then, is armed again, and sees the byte.
 */
static unsigned poll_mask(short events)
{
	return (unsigned)events | (events & POLLPRI ? POLLRDBAND : 0u);
}

/*
 * The kernel lays a message out in the buf as this says: a name, control data, bytes.
 * Without control data the room for it is the name's, so the bytes stay where they are.
 */
static const struct msghdr with_control = { .msg_namelen = SOQI_BUF_NAME_BYTES,
					    .msg_controllen = SOQI_BUF_CONTROL_BYTES };
static const struct msghdr without_control = { .msg_namelen = SOQI_BUF_NAME_BYTES +
							      SOQI_BUF_CONTROL_BYTES };

static void prep_recv_buf(struct io_uring_sqe *sqe, const struct soqi_request *request)
{
	const struct msghdr *layout = request->control ? &with_control : &without_control;

	if (request->header != NULL)
		io_uring_prep_recvmsg(sqe, request->fd, request->header, 0);
	else if (request->kind == SOQI_REQUEST_RECV_BUF)
		io_uring_prep_recv(sqe, request->fd, NULL, 0, 0);
	else if (request->whole)
		io_uring_prep_recvmsg_multishot(sqe, request->fd, (struct msghdr *)layout, 0);
	else
		io_uring_prep_recv_multishot(sqe, request->fd, NULL, 0, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
	sqe->buf_group = request->bufs->group;
}

void soqi_prep_request(struct soqi_uring *impl, struct io_uring_sqe *sqe,
		       const struct soqi_request *request)
{
	switch (request->kind) {
	case SOQI_REQUEST_SEND:
		prep_send(impl, sqe, request);
		break;
	case SOQI_REQUEST_RECV:
		prep_recv(impl, sqe, request);
		break;
	case SOQI_REQUEST_RECV_BUF:
	case SOQI_REQUEST_RECV_BUF_MULTISHOT:
		prep_recv_buf(sqe, request);
		break;
	case SOQI_REQUEST_ACCEPT:
		io_uring_prep_accept(sqe, request->fd, NULL, NULL, SOCK_CLOEXEC);
		break;
	case SOQI_REQUEST_ACCEPT_MULTISHOT:
		io_uring_prep_multishot_accept(sqe, request->fd, NULL, NULL, SOCK_CLOEXEC);
		break;
	case SOQI_REQUEST_CONNECT:
		io_uring_prep_connect(sqe, request->fd, request->addr, request->addr_size_bytes);
		break;
	case SOQI_REQUEST_POLL:
		io_uring_prep_poll_add(sqe, request->fd, poll_mask(request->poll_events));
		break;
	}
	io_uring_sqe_set_data64(sqe, request->token | SOQI_URING_TAG_REQUEST);
}

/*
 * The same fields mean the same in both. A message's header is read when the request is
 * handed over, as that of an ordinary one is.
 */
void soqi_prep_zerocopy(struct soq_loop *loop, struct soqi_uring *impl, struct io_uring_sqe *sqe,
			uint64_t user_data)
{
	bool one = sqe->opcode == IORING_OP_SEND;
	int fixed = one ? soqi_fixed_find(loop, impl, (uintptr_t)sqe->addr, sqe->len) : -1;

	sqe->opcode = one ? IORING_OP_SEND_ZC : IORING_OP_SENDMSG_ZC;
	sqe->ioprio = impl->reports_copies ? IORING_SEND_ZC_REPORT_USAGE : 0;
	/* Of several segments at once only from 6.15 on; they are pinned as any memory is. */
	if (fixed >= 0) {
		sqe->ioprio |= IORING_RECVSEND_FIXED_BUF;
		sqe->buf_index = (uint16_t)fixed;
	}
	io_uring_sqe_set_data64(sqe, user_data);
}

/* Success is told by the victim's completion; only a miss is worth one of its own. */
void soqi_prep_cancel(struct io_uring_sqe *sqe, uint64_t token, uint64_t victim)
{
	io_uring_prep_cancel64(sqe, victim, 0);
	io_uring_sqe_set_data64(sqe, token | SOQI_URING_TAG_CANCEL);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
}

/*
 * A poll and a read(2) of our own, not a read in the ring: so the ring need not be
 * allowed to read descriptors. One-shot, since multishot polls have died unseen.
 */
void soqi_prep_wake(struct io_uring_sqe *sqe, int wake_fd)
{
	io_uring_prep_poll_add(sqe, wake_fd, POLLIN);
	io_uring_sqe_set_data64(sqe, SOQI_URING_TAG_WAKE);
}
