// SPDX-License-Identifier: MIT
// A callback that is a lambda, and an object of the program's behind it.
#include <soq/soq.h>

#include <cstdio>
#include <string>

int main()
{
	soq_loop *loop = nullptr;
	if (soq_version() != SOQ_VERSION || soq_loop_create(nullptr, &loop) < 0)
		return 1;

	std::string text;
	soq_op op = {};
	op.user = &text;
	op.done = [](const soq_event *event) {
		if (event->result == 0)
			*static_cast<std::string *>(event->op->user) = "soq";
	};
	if (soq_sleep_async(loop, &op, 1000) < 0 || soq_loop_run(loop, SOQ_RUN_IDLE, -1) != 1)
		return 1;
	std::puts(text.c_str());
	return soq_loop_destroy(loop) < 0 || text != "soq";
}
