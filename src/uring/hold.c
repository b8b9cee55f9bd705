/* SPDX-License-Identifier: MIT */
/*
 * Zero-copy requests have two completions: the result, and, if that has F_MORE, later
 * the notification that the memory is free. Both carry the same user_data, and by then
 * the lane, even the socket, may be about something else. So it names an entry of a table
 * of holds, which remembers whose request and whose memory it is.
 */
#include "uring.h"

#include "../op.h"

#include <errno.h>
#include <string.h>

#define HOLDS_MIN 32u
#define HOLDS_MAX 65536u

#define NONE UINT32_MAX

/* Doubles the table. False if it is as large as it gets, or there is no memory. */
static bool grow(struct soq_loop *loop, struct soqi_holds *holds)
{
	uint32_t max = holds->max > 0 ? holds->max * 2 : HOLDS_MIN;
	struct soqi_hold *entries;

	if (max > HOLDS_MAX)
		return false;
	entries = soqi_alloc(loop, max * sizeof(*entries));
	if (entries == NULL)
		return false;
	if (holds->max > 0)
		memcpy(entries, holds->entries, holds->max * sizeof(*entries));
	for (uint32_t i = holds->max; i < max; i++)
		entries[i] = (struct soqi_hold){ .next_free = i + 1 < max ? i + 1 : NONE };
	soqi_free(loop, holds->entries, holds->max * sizeof(*entries));
	holds->first_free = holds->max;
	holds->entries = entries;
	holds->max = max;
	return true;
}

static uint64_t user_data(const struct soqi_holds *holds, uint32_t index)
{
	uint64_t generation = holds->entries[index].generation & 0xfffffff;

	return SOQI_URING_TAG_HOLD | generation << 32 | index;
}

/* The hold a completion names, or NULL if that is over. */
static struct soqi_hold *find(struct soqi_holds *holds, uint64_t data)
{
	uint32_t index = (uint32_t)data;

	if (index >= holds->max || holds->entries[index].op == NULL ||
	    user_data(holds, index) != data)
		return NULL;
	return &holds->entries[index];
}

static void put_back(struct soqi_holds *holds, struct soqi_hold *hold)
{
	hold->op = NULL;
	hold->generation++;
	hold->next_free = holds->first_free;
	holds->first_free = (uint32_t)(hold - holds->entries);
}

uint64_t soqi_hold_make(struct soq_loop *loop, struct soqi_uring *impl,
			const struct soqi_request *request)
{
	struct soqi_holds *holds = &impl->holds;
	struct soq_op *op = request->zerocopy;
	struct soqi_hold *hold;

	if ((holds->max == 0 || holds->first_free == NONE) && !grow(loop, holds))
		return 0;
	op->priv.hold = holds->first_free;
	hold = &holds->entries[op->priv.hold];
	holds->first_free = hold->next_free;
	hold->op = op;
	hold->token = request->token;
	hold->came_back = false;
	hold->let_go = false;
	hold->reports = impl->reports_copies;
	soqi_zerocopy_hold(op);
	return user_data(holds, op->priv.hold);
}

uint64_t soqi_hold_victim(struct soqi_uring *impl, const struct soqi_lane *lane, uint64_t token)
{
	const struct soqi_holds *holds = &impl->holds;
	const struct soq_op *op = lane->queue.first;
	const struct soqi_hold *hold;

	if (op == NULL || !(op->priv.flags & SOQ_ZEROCOPY) || op->priv.holds == 0)
		return token | SOQI_URING_TAG_REQUEST;
	/* The op's last one, which may be of an earlier request than the one in the kernel. */
	hold = &holds->entries[op->priv.hold];
	if (hold->op != op || hold->came_back || hold->token != token)
		return token | SOQI_URING_TAG_REQUEST;
	return user_data(holds, op->priv.hold);
}

/*
 * What is no verdict on the bytes but on sending them without a copy: locked memory is
 * short, memory of a kind that cannot be pinned, more pieces than a datagram takes, a
 * protocol that does not do it. They are sent again, copied: if it was a verdict after
 * all, that says so too. An error of the connection is told once, so none of these is.
 */
static bool is_refusal(int32_t result)
{
	switch (result) {
	case -ENOMEM:
	case -ENOBUFS:
	case -EFAULT:
	case -EMSGSIZE:
	case -EINVAL:
	case -EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

/*
 * Linux 6.1 does not know that a notification can say "copied", and refuses the flag
 * before it makes one. Asked again without: here, and for every send after it.
 */
static bool knows_no_reports(struct soq_loop *loop, struct soqi_uring *impl,
			     const struct soqi_hold *hold, int32_t result, bool notifies)
{
	if (!hold->reports || (loop->info.features & SOQ_FEATURE_COPY_REPORT))
		return false;
	if (notifies)
		soqi_probe_note(loop, SOQ_FEATURE_COPY_REPORT, 0);
	if (notifies || result != -EINVAL)
		return false;
	soqi_probe_note(loop, SOQ_FEATURE_COPY_REPORT, -EOPNOTSUPP);
	impl->reports_copies = false;
	return true;
}

static void came_back(struct soq_loop *loop, struct soqi_uring *impl, struct soqi_hold *hold,
		      int32_t result, bool notifies)
{
	struct soq_op *op = hold->op;
	uint64_t token = hold->token;

	if (knows_no_reports(loop, impl, hold, result, notifies)) {
		result = -EAGAIN;
	} else if (is_refusal(result)) {
		soqi_zerocopy_refuse(op, result == -EOPNOTSUPP);
		result = -EAGAIN;
	}
	/* The notification of a request that sent nothing says "copied". */
	if (result <= 0)
		hold->reports = false;
	hold->came_back = true;
	if (!notifies && !hold->let_go) {
		hold->let_go = true;
		soqi_zerocopy_let_go(loop, op, SOQI_COPIED_UNKNOWN);
	}
	if (hold->let_go)
		put_back(&impl->holds, hold);
	soqi_finish(loop, token, result, false);
}

static void notified(struct soq_loop *loop, struct soqi_uring *impl, struct soqi_hold *hold,
		     int32_t result)
{
	struct soq_op *op = hold->op;
	enum soqi_copied copied = SOQI_COPIED_UNKNOWN;

	if (hold->reports)
		copied = (uint32_t)result & IORING_NOTIF_USAGE_ZC_COPIED ? SOQI_COPIED_YES
									 : SOQI_COPIED_NO;
	hold->let_go = true;
	if (hold->came_back)
		put_back(&impl->holds, hold);
	soqi_zerocopy_let_go(loop, op, copied);
}

void soqi_hold_intake(struct soq_loop *loop, uint64_t data, int32_t result, uint32_t flags)
{
	struct soqi_uring *impl = loop->impl;
	struct soqi_hold *hold = find(&impl->holds, data);
	bool is_notification = (flags & IORING_CQE_F_NOTIF) != 0;

	if (hold == NULL || (is_notification ? hold->let_go : hold->came_back))
		loop->stats.stale_completions++;
	else if (is_notification)
		notified(loop, impl, hold, result);
	else
		came_back(loop, impl, hold, result, (flags & IORING_CQE_F_MORE) != 0);
}

void soqi_holds_end(struct soq_loop *loop, struct soqi_holds *holds)
{
	for (uint32_t i = 0; i < holds->max; i++) {
		struct soqi_hold *hold = &holds->entries[i];

		if (hold->op != NULL && !hold->let_go)
			soqi_zerocopy_let_go(loop, hold->op, SOQI_COPIED_UNKNOWN);
	}
	soqi_free(loop, holds->entries, holds->max * sizeof(*holds->entries));
	memset(holds, 0, sizeof(*holds));
}
