/* SPDX-License-Identifier: MIT */
/*
 * Lazy sends: with no completion when all went well, so that the enter that hands an
 * answer over can also be the one that waits for the next request.
 *
 * Such a send ends while it is handed over. If it did not send everything it has a
 * completion, and is not heard of otherwise: the silence says that all of it was sent.
 */
#include "uring.h"

/*
 * DONTWAIT, or the send could wait in the kernel and be silent for that. WAITALL, or
 * a send that was cut short would be a success, and as silent as one (seen on 6.1 to
 * 6.18).
 */
void soqi_silent_add(struct soqi_uring *impl, struct io_uring_sqe *sqe,
		     const struct soqi_request *request)
{
	struct soqi_silent *silent;

	if (impl->silent_count == SOQI_SILENT_MAX)
		return;
	silent = &impl->silent[impl->silent_count++];
	silent->token = request->token;
	silent->size_bytes = request->lazy_bytes;
	sqe->msg_flags |= MSG_DONTWAIT | MSG_WAITALL;
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/*
 * Not when nothing else is in the kernel that could end the sleep, nor when somebody
 * waits for these ends. Those left over were to be known a turn ago.
 */
bool soqi_silent_may_sleep(const struct soq_loop *loop, const struct soqi_uring *impl)
{
	return impl->silent_count == 0 || (!impl->silent_unsure && loop->impatient == 0 &&
					   loop->in_kernel > impl->silent_count);
}

/*
 * The silence means nothing as long as a request is not handed over, or a completion
 * waits in the kernel for room in the CQ. From the last to the first, since each gets
 * before the others.
 */
void soqi_silent_settle(struct soq_loop *loop, struct soqi_uring *impl)
{
	if (impl->silent_count == 0)
		return;
	impl->silent_unsure = io_uring_sq_ready(&impl->ring) > 0 ||
			      io_uring_cq_has_overflow(&impl->ring);
	if (impl->silent_unsure)
		return;
	while (impl->silent_count > 0) {
		const struct soqi_silent *silent = &impl->silent[--impl->silent_count];

		soqi_finish_silent(loop, silent->token, silent->size_bytes);
	}
}
