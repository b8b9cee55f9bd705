/* SPDX-License-Identifier: MIT */
/*
 * An AUTO loop says what it runs on and why, and works.
 *   fault_auto uring|epoll STEP ERRNO     STEP and ERRNO: why not io_uring, - and 0 if it is
 *   fault_auto features NAME...           these are taken away, nothing else is
 *   fault_auto refused                    the environment makes no sense
 */
#define _GNU_SOURCE
#include "fault.h"

static const char *const names[SOQ_FEATURE_COUNT] = {
	"restrictions", "registered-fd", "abs-timer", "no-iowait", "direct", "napi", "copy-report",
};

/* What a loop of no options does not ask for. */
#define NOT_ASKED (SOQ_FEATURE_DIRECT | SOQ_FEATURE_NAPI)

static void check_backend(uint32_t backend, const char *step, int error)
{
	struct soq_loop_options options = { .size = sizeof(options), .backend = SOQ_BACKEND_URING };
	struct soq_loop *loop = fault_loop(SOQ_BACKEND_AUTO);
	struct soq_loop_info info = fault_info(loop);

	printf("backend %u, step \"%s\", error %d\n", info.backend, info.uring_step,
	       info.uring_error);
	CHECK_IS(info.backend, backend);
	CHECK_IS(info.uring_error, -error);
	CHECK(strcmp(info.uring_step, step) == 0);
	fault_echo(loop);

	/* Asked for alone it is had, or refused with the same reason. */
	loop = NULL;
	if (error == ECANCELED)
		return;
	CHECK_IS(soq_loop_create(&options, &loop), -error);
	CHECK((loop == NULL) == (error != 0));
	CHECK_IS(soq_loop_destroy(loop), 0);
}

static void check_features(char **taken, int count)
{
	struct soq_loop *loop = fault_loop(SOQ_BACKEND_AUTO);
	struct soq_loop_info info = fault_info(loop);

	CHECK_IS(info.backend, SOQ_BACKEND_URING);
	for (unsigned bit = 0; bit < SOQ_FEATURE_COUNT; bit++) {
		int away = (NOT_ASKED >> bit) & 1;

		for (int i = 0; i < count; i++)
			away |= strcmp(taken[i], names[bit]) == 0;
		CHECK_IS(info.feature_errors[bit] == -ECANCELED, away);
		CHECK(!away || !(info.features & (1u << bit)));
	}
	fault_echo(loop);
}

int main(int argc, char **argv)
{
	struct soq_loop *loop = NULL;

	CHECK(argc >= 2);
	if (strcmp(argv[1], "features") == 0) {
		check_features(argv + 2, argc - 2);
	} else if (strcmp(argv[1], "refused") == 0) {
		CHECK_IS(soq_loop_create(NULL, &loop), -EINVAL);
		CHECK(loop == NULL);
	} else {
		CHECK(argc == 4);
		check_backend(strcmp(argv[1], "uring") == 0 ? SOQ_BACKEND_URING : SOQ_BACKEND_EPOLL,
			      strcmp(argv[2], "-") == 0 ? "" : argv[2], fault_errno(argv[3]));
	}
	return 0;
}
