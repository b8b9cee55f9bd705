/* SPDX-License-Identifier: MIT */
/* On which CPUs the two ends of a run are. */
#ifndef SOQPERF_PLACEMENT_H
#define SOQPERF_PLACEMENT_H

#include <stdbool.h>

struct placement {
	int client_cpu; /* -1: anywhere */
	int server_cpu;
};

/*
 * Reads `none`, `same` (both on the last CPU this process may use), `split` (two of
 * them; with one only, `same`), or two numbers `C:S`. False if it is none of these.
 */
bool placement_parse(const char *text, struct placement *placement_out);

/* Pins this process; a CPU that is not there is passed over. */
void placement_pin(int cpu);

#endif
