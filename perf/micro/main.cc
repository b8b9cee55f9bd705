/* SPDX-License-Identifier: MIT */
/* soq-micro: what the library itself costs, beside the same without it. */
#include "rig.h"

static bool has_uring()
{
	struct soq_loop_options options = {};
	struct soq_loop *loop = nullptr;

#ifndef PERF_HAVE_URING
	return false;
#endif
	options.size = sizeof(options);
	options.backend = SOQ_BACKEND_URING;
	if (soq_loop_create(&options, &loop) != 0)
		return false;
	must("soq_loop_destroy", soq_loop_destroy(loop));
	return true;
}

int main(int argc, char **argv)
{
	bool uring = has_uring();

	core_add(uring);
	requests_add(uring);
	buf_add(uring);
	post_add(uring);
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 3;
}
