/* SPDX-License-Identifier: MIT */
/*
 * What this kernel, as this process may use it, can do: asked of the ring itself,
 * never of the kernel's name. The floor is the feature set of Linux 6.1, all of it.
 */
#include "uring.h"

#include "../policy.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PROBE_OPS 256

static const struct {
	uint8_t opcode;
	const char *step;
} floor_ops[] = {
	{ IORING_OP_POLL_ADD, "floor: poll" },   { IORING_OP_ASYNC_CANCEL, "floor: cancel" },
	{ IORING_OP_ACCEPT, "floor: accept" },   { IORING_OP_CONNECT, "floor: connect" },
	{ IORING_OP_SEND, "floor: send" },       { IORING_OP_RECV, "floor: recv" },
	{ IORING_OP_SENDMSG, "floor: sendmsg" }, { IORING_OP_RECVMSG, "floor: recvmsg" },
	{ IORING_OP_SEND_ZC, "floor: send_zc" }, { IORING_OP_SENDMSG_ZC, "floor: sendmsg_zc" },
};

#define FLOOR_FEATURES                                                                             \
	(IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP)

static int probe_ops(struct soq_loop *loop, struct soqi_uring *impl)
{
	union {
		struct io_uring_probe head; /* which ends in an array of any size */
		unsigned char space[sizeof(struct io_uring_probe) +
				    PROBE_OPS * sizeof(struct io_uring_probe_op)];
	} probe;
	int result;

	memset(&probe, 0, sizeof(probe));
	result = soqi_ring_register(impl, IORING_REGISTER_PROBE, &probe, PROBE_OPS);
	if (result < 0) {
		loop->info.uring_step = "register";
		return result;
	}
	for (size_t i = 0; i < sizeof(floor_ops) / sizeof(floor_ops[0]); i++) {
		uint8_t opcode = floor_ops[i].opcode;

		if (opcode <= probe.head.last_op &&
		    (probe.head.ops[opcode].flags & IO_URING_OP_SUPPORTED))
			continue;
		loop->info.uring_step = floor_ops[i].step;
		return -EOPNOTSUPP;
	}
	return 0;
}

/* Buffer rings have no opcode to probe: one is registered and taken back. */
static int probe_buffer_ring(struct soq_loop *loop, struct soqi_uring *impl)
{
	struct io_uring_buf_reg reg;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int result;

	if (page == MAP_FAILED)
		return -ENOMEM;
	memset(&reg, 0, sizeof(reg));
	reg.ring_addr = (uintptr_t)page;
	reg.ring_entries = 1;
	result = soqi_ring_register(impl, IORING_REGISTER_PBUF_RING, &reg, 1);
	if (result >= 0)
		(void)soqi_ring_register(impl, IORING_UNREGISTER_PBUF_RING, &reg, 1);
	(void)munmap(page, 4096);
	if (result >= 0)
		return 0;
	loop->info.uring_step = "floor: buffer ring";
	return result == -EINVAL ? -EOPNOTSUPP : result;
}

/* The answer of a disabled ring: -EBADFD if enter is allowed and knows the flags. */
static int probe_enter(struct soqi_uring *impl, unsigned flags)
{
	return io_uring_enter((unsigned)impl->ring.ring_fd, 0, 0, flags, NULL);
}

int soqi_probe_floor(struct soq_loop *loop, struct soqi_uring *impl)
{
	int error;

	if ((impl->ring.features & FLOOR_FEATURES) != FLOOR_FEATURES) {
		loop->info.uring_step = "floor: features";
		return -EOPNOTSUPP;
	}
	error = probe_ops(loop, impl);
	if (error == 0)
		error = probe_buffer_ring(loop, impl);
	if (error != 0)
		return error;
	error = probe_enter(impl, 0);
	if (error == -EBADFD)
		return 0;
	loop->info.uring_step = "enter";
	return error < 0 ? error : -EOPNOTSUPP;
}

void soqi_probe_note(struct soq_loop *loop, uint32_t feature, int error)
{
	unsigned bit = (unsigned)__builtin_ctz(feature);

	loop->info.feature_errors[bit] = error;
	if (error == 0)
		loop->info.features |= feature;
	else
		loop->info.features &= ~feature;
}

static bool taken_away(struct soq_loop *loop, uint32_t feature)
{
	if (!(loop->options.features_off & feature))
		return false;
	soqi_probe_note(loop, feature, -ECANCELED);
	return true;
}

static bool enter_flag_works(struct soq_loop *loop, struct soqi_uring *impl, uint32_t feature,
			     unsigned flag)
{
	int error;

	if (taken_away(loop, feature))
		return false;
	error = probe_enter(impl, flag);
	error = error == -EBADFD ? 0 : -EOPNOTSUPP;
	soqi_probe_note(loop, feature, error);
	return error == 0;
}

static void allow_op(struct io_uring_restriction *to, uint8_t opcode)
{
	to->opcode = IORING_RESTRICTION_SQE_OP;
	to->sqe_op = opcode;
}

static void allow_register(struct io_uring_restriction *to, uint8_t opcode)
{
	to->opcode = IORING_RESTRICTION_REGISTER_OP;
	to->register_op = opcode;
}

/*
 * Lets the ring do what soq does and no more: a ring is otherwise a way around a
 * host's seccomp policy. Registering the descriptor needs both 20 and 21 allowed,
 * or each ring that ends leaves a slot of the thread's table taken, and the 17th
 * is refused. The table of direct descriptors is there already: only its places are
 * filled and emptied. Under a policy that never lets it connect, or bind and accept, it cannot.
 */
static int restrict_ring(const struct soq_loop *loop, struct soqi_uring *impl)
{
	static const uint8_t ops[] = {
		IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_SEND,    IORING_OP_RECV,
		IORING_OP_SENDMSG,  IORING_OP_RECVMSG,      IORING_OP_SEND_ZC, IORING_OP_SENDMSG_ZC,
	};
	enum { OPS = sizeof(ops) / sizeof(ops[0]) };
	struct io_uring_restriction list[OPS + 10];
	unsigned count = OPS;

	memset(list, 0, sizeof(list));
	for (unsigned i = 0; i < OPS; i++)
		allow_op(&list[i], ops[i]);
	/* Where something may be bound it may listen: who comes is judged then, not the request. */
	if (soqi_policy_ever(loop->policy, SOQ_POLICY_BIND) ||
	    soqi_policy_ever(loop->policy, SOQ_POLICY_ACCEPT))
		allow_op(&list[count++], IORING_OP_ACCEPT);
	if (soqi_policy_ever(loop->policy, SOQ_POLICY_CONNECT))
		allow_op(&list[count++], IORING_OP_CONNECT);
	allow_register(&list[count++], IORING_REGISTER_RING_FDS);
	allow_register(&list[count++], IORING_UNREGISTER_RING_FDS);
	allow_register(&list[count++], IORING_REGISTER_PBUF_RING);
	allow_register(&list[count++], IORING_UNREGISTER_PBUF_RING);
	allow_register(&list[count++], IORING_REGISTER_BUFFERS2);
	allow_register(&list[count++], IORING_REGISTER_BUFFERS_UPDATE);
	list[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	list[count].sqe_flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_BUFFER_SELECT;
	if (impl->direct.count > 0) {
		list[count].sqe_flags |= IOSQE_FIXED_FILE;
		allow_register(&list[++count], IORING_REGISTER_FILES_UPDATE);
	}
	return soqi_ring_register(impl, IORING_REGISTER_RESTRICTIONS, list, count + 1);
}

/* The kernel counts in microseconds; less than one is one. */
static int register_napi(struct soq_loop *loop, struct soqi_uring *impl)
{
	const struct soq_loop_options *options = &loop->options;
	struct soqi_napi napi = { .busy_poll_us = (options->napi_ns + 999) / 1000 };
	int result;

	if (options->napi_ns == 0)
		return -ECANCELED;
	napi.prefer_busy_poll = (options->flags & SOQ_LOOP_NAPI_PREFER) != 0;
	result = soqi_ring_register(impl, SOQI_REGISTER_NAPI, &napi, 1);
	return result < 0 ? result : 0;
}

/* What must be there before the ring is restricted, so that it need not be allowed. */
static void probe_registered(struct soq_loop *loop, struct soqi_uring *impl)
{
	if (!taken_away(loop, SOQ_FEATURE_DIRECT))
		soqi_probe_note(loop, SOQ_FEATURE_DIRECT, soqi_direct_create(loop, impl));
	if (!taken_away(loop, SOQ_FEATURE_NAPI))
		soqi_probe_note(loop, SOQ_FEATURE_NAPI, register_napi(loop, impl));
}

int soqi_probe_features(struct soq_loop *loop, struct soqi_uring *impl)
{
	impl->abs_timer = enter_flag_works(loop, impl, SOQ_FEATURE_ABS_TIMER,
					   IORING_ENTER_ABS_TIMER);
	if (enter_flag_works(loop, impl, SOQ_FEATURE_NO_IOWAIT, IORING_ENTER_NO_IOWAIT))
		impl->wait_flags |= IORING_ENTER_NO_IOWAIT;
	probe_registered(loop, impl);
	if (!taken_away(loop, SOQ_FEATURE_RESTRICTIONS))
		soqi_probe_note(loop, SOQ_FEATURE_RESTRICTIONS, restrict_ring(loop, impl));
	/* Registered later, in the thread that will own the ring. */
	if (!taken_away(loop, SOQ_FEATURE_REGISTERED_FD))
		soqi_probe_note(loop, SOQ_FEATURE_REGISTERED_FD, -EINPROGRESS);
	/* The first zero-copy send asks. */
	impl->reports_copies = !taken_away(loop, SOQ_FEATURE_COPY_REPORT);
	if (impl->reports_copies)
		soqi_probe_note(loop, SOQ_FEATURE_COPY_REPORT, -EINPROGRESS);
	return 0;
}
