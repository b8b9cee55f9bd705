/* SPDX-License-Identifier: MIT */
/* Every group of the suite in one program, for machines that hold nothing else. */
#include <stdio.h>
#include <string.h>

#define GROUP(area) int conf_group_##area(void);
#include SOQ_CONFORMANCE_ALL
#undef GROUP

static const struct {
	const char *area;
	int (*run)(void);
} groups[] = {
#define GROUP(area) { #area, conf_group_##area },
#include SOQ_CONFORMANCE_ALL
#undef GROUP
};

/* Runs the areas named as arguments, or all. */
int main(int argc, char **argv)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			wanted |= !strcmp(argv[k], groups[i].area);
		if (wanted)
			failed += groups[i].run();
	}
	printf("conformance: %s, %d failed\n", failed ? "FAILED" : "passed", failed);
	return failed != 0;
}
