/* SPDX-License-Identifier: MIT */
/* Runs the cases of a group through cmocka and writes down the contract rows they pin. */
#define _GNU_SOURCE
#include "internal.h"
#include "support.h"

#include <stdio.h>

static const char *current_area;

/* One line per row: tier, row, binary.test. O_APPEND keeps parallel runs apart. */
static void write_result(const struct fixture *t, const struct conf_case *c)
{
	const char *path = getenv("SOQ_TEST_RESULTS");
	char rows[256], *save = NULL;
	FILE *file = path && *path ? fopen(path, "a") : NULL;

	if (!file)
		return;
	snprintf(rows, sizeof(rows), "%s", c->rows);
	for (char *row = strtok_r(rows, " ", &save); row; row = strtok_r(NULL, " ", &save))
		fprintf(file, "%s\t%s\t%s.%s\n", t->tier, row, current_area, c->name);
	fclose(file);
}

static void run_case(void **state)
{
	const struct conf_case *c = *state;
	/* On the heap: after a failed test its ops are still in flight in there. */
	struct fixture *t = malloc(sizeof(*t));

	assert_non_null(t);
	fixture_begin(t, c->name);
	c->body(t);
	fixture_end(t);
	write_result(t, c);
	free(t);
}

int conf_run(const char *area, const struct conf_case *cases, unsigned count)
{
	struct CMUnitTest *tests = calloc(count, sizeof(*tests));
	const char *only = getenv("SOQ_TEST_ONLY");
	const char *tier = getenv("SOQ_TEST_TIER");
	int detached = tier && !strcmp(tier, "detached");
	unsigned chosen = 0;
	int failed;

	if (!tests)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned i = 0; i < count; i++) {
		if ((only && !strstr(cases[i].name, only)) || (detached && !cases[i].sync_only))
			continue;
		tests[chosen++] = (struct CMUnitTest){
			.name = cases[i].name,
			.test_func = run_case,
			.initial_state = (void *)(uintptr_t)&cases[i],
		};
	}
	current_area = area;
	failed = chosen ? _cmocka_run_group_tests(area, tests, chosen, NULL, NULL) : 0;
	free(tests);
	return failed;
}
