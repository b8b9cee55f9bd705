/* SPDX-License-Identifier: MIT */
/* One completion in, as plain values: whose it is, and what of it concerns the core. */
#include "../pool.h"
#include "uring.h"

#include <errno.h>

/*
 * A cancel that found nothing: its victim's completion is on its way, or the
 * kernel missed it (seen on 6.11), or it was still being set up. If the request is
 * still there once this turn's completions are in, it is asked again. -EALREADY
 * means it is running and will end.
 */
static void cancel_done(struct soq_loop *loop, uint64_t token, int32_t result)
{
	if (result == -ENOENT)
		soqi_cancel_missed(loop, token);
}

void soqi_uring_intake(struct soq_loop *loop, uint64_t user_data, int32_t result, uint32_t flags)
{
	struct soqi_uring *impl = loop->impl;
	uint64_t token = user_data & SOQI_TOKEN_MASK;

	switch (user_data & SOQI_URING_TAG_MASK) {
	case SOQI_URING_TAG_REQUEST:
		if (flags & IORING_CQE_F_BUFFER)
			soqi_finish_buf(loop, token, result, (flags & IORING_CQE_F_MORE) != 0,
					soqi_buf_filled(loop, flags >> IORING_CQE_BUFFER_SHIFT));
		else
			soqi_finish(loop, token, result, (flags & IORING_CQE_F_MORE) != 0);
		break;
	case SOQI_URING_TAG_CANCEL:
		cancel_done(loop, token, result);
		break;
	case SOQI_URING_TAG_HOLD:
		soqi_hold_intake(loop, user_data, result, flags);
		break;
	case SOQI_URING_TAG_WAKE:
		impl->wake_armed = false;
		soqi_woken(loop);
		break;
	default:
		loop->stats.stale_completions++;
		break;
	}
}
