/* SPDX-License-Identifier: MIT */
/* Chooses CPUs and pins to them. */
#include "placement.h"

#include <ctype.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* The last two CPUs this process may run on; CPU 0 takes more of a machine's chores. */
static void last_two(int *last_out, int *before_out)
{
	cpu_set_t set;

	*last_out = -1;
	*before_out = -1;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET((size_t)cpu, &set))
			continue;
		*before_out = *last_out;
		*last_out = cpu;
	}
	if (*before_out < 0)
		*before_out = *last_out;
}

static bool parse_cpu(const char *text, char terminator, int *cpu_out, const char **rest_out)
{
	char *end;
	long cpu = strtol(text, &end, 10);

	if (!isdigit((unsigned char)text[0]) || *end != terminator || cpu >= CPU_SETSIZE)
		return false;
	*cpu_out = (int)cpu;
	*rest_out = end + 1;
	return true;
}

static bool parse_pair(const char *text, struct placement *placement_out)
{
	return parse_cpu(text, ':', &placement_out->client_cpu, &text) &&
	       parse_cpu(text, 0, &placement_out->server_cpu, &text);
}

bool placement_parse(const char *text, struct placement *placement_out)
{
	int last, before;

	last_two(&last, &before);
	if (strcmp(text, "none") == 0)
		*placement_out = (struct placement){ -1, -1 };
	else if (strcmp(text, "same") == 0)
		*placement_out = (struct placement){ last, last };
	else if (strcmp(text, "split") == 0)
		*placement_out = (struct placement){ last, before };
	else
		return parse_pair(text, placement_out);
	return true;
}

void placement_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	(void)!sched_setaffinity(0, sizeof(set), &set);
}
