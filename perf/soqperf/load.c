/* SPDX-License-Identifier: MIT */
/* The phases of a load, and what is counted in them. */
#include "load.h"

#include <errno.h>
#include <stdlib.h>

int load_create(const struct load_mode *mode, const struct options *options, struct soq_loop *loop,
		const struct soq_endpoint *endpoint, struct load **out)
{
	struct load *load = calloc(1, mode->size_bytes);
	int ret;

	if (!load)
		return -ENOMEM;
	load->mode = mode;
	load->options = options;
	load->loop = loop;
	load->endpoint = *endpoint;
	load->window_from_ns = INT64_MAX;
	load->window_to_ns = INT64_MAX;
	ret = mode->create(load);
	if (ret < 0)
		load_destroy(load);
	else
		*out = load;
	return ret;
}

void load_destroy(struct load *load)
{
	if (!load)
		return;
	load->mode->destroy(load);
	free(load);
}

int load_turn(struct load *load, int64_t until_ns)
{
	int64_t left_ns = until_ns - clock_now_ns();
	int ret;

	load->turn_ns = 0;
	ret = soq_loop_run(load->loop, SOQ_RUN_ONCE, left_ns > 0 ? left_ns : 0);
	load->turn_ns = 0;
	return ret < 0 ? ret : 0;
}

void load_begin_window(struct load *load, uint64_t limit)
{
	load->window_from_ns = clock_now_ns();
	load->limit = limit;
	load->budget = limit > load->outstanding ? limit - load->outstanding : 0;
	load->phase = LOAD_WINDOW;
}

void load_end_window(struct load *load)
{
	load->window_to_ns = clock_now_ns();
	load->phase = LOAD_DRAIN;
}

bool load_idle(const struct load *load)
{
	if (load->live == 0)
		return true;
	if (load->phase == LOAD_WINDOW)
		return load->limit && (load->result.count >= load->limit ||
				       (load->budget == 0 && load->outstanding == 0));
	return load->phase == LOAD_DRAIN && load->outstanding == 0;
}

bool load_may_begin(struct load *load)
{
	if (load->phase == LOAD_DRAIN)
		return false;
	if (load->phase == LOAD_WARM_UP || !load->limit)
		return true;
	if (load->budget == 0)
		return false;
	load->budget--;
	return true;
}

void load_ended(struct load *load, int64_t begun_ns)
{
	if (begun_ns >= load->window_from_ns && begun_ns < load->window_to_ns)
		histogram_record(&load->result.latency, load_now(load) - begun_ns);
	load->outstanding--;
	load->result.verified++;
	if (load->phase == LOAD_WINDOW)
		load->result.count++;
}

void load_note_failure(struct load *load, int64_t error)
{
	load->result.failed++;
	if (!load->result.first_error)
		load->result.first_error = (int)error;
}

void load_run_out(struct load *load, int64_t timeout_ns)
{
	/* A stop that nobody consumed would end the first of these at once. */
	for (int i = 0; i < 3 && soq_loop_run(load->loop, SOQ_RUN_IDLE, timeout_ns) >= 0; i++)
		;
}
